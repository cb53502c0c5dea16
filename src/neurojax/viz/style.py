"""What all figures share: size of letters, colours, how they are saved.

Figures are built through matplotlib's object interface, on a canvas without a screen: no global state is touched.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from neurojax.errors import InvalidArgument, suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that the colour-blind can tell apart (Okabe & Ito 2008, https://jfly.uni-koeln.de/color).
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)
INK, GREY = "#222222", "#8A8A8A"
FORMATS = ("png", "svg", "pdf")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes, *, x: str = "", y: str = "", title: str = "") -> None:
    """Labels, and nothing that is not needed."""
    axes.set_xlabel(x, fontsize=10, color=INK)
    axes.set_ylabel(y, fontsize=10, color=INK)
    if title:
        axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.tick_params(labelsize=9, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def image(figure: Figure, format: str = "png", dpi: int = 150) -> bytes:
    """The figure as a file's bytes; the same figure gives the same bytes."""
    out = io.BytesIO()
    date = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    figure.savefig(out, format=format, dpi=dpi, metadata=date[format])
    return out.getvalue()


def check_format(path: str | Path) -> str:
    """The format that a file's name asks for.

    Raises:
        InvalidArgument: if it is none of png, svg and pdf.
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InvalidArgument(f"{str(path)!r} must end in .png, .svg or .pdf; {suggest(ending, FORMATS)}")
    return ending


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure in the format of the file's ending, whole or not at all.

    Raises:
        InvalidArgument: for another ending, or where the file cannot be written.
    """
    from neurojax.files import write_atomic

    return write_atomic(Path(path), image(figure, check_format(path)))
