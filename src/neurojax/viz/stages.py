"""A protocol as a graph of its stages, and one subject's way through them as an animation."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.errors import InvalidArgument, unknown
from neurojax.protocols.protocol import DROPPED, TRAINED, Protocol, Stage
from neurojax.protocols.words import (
    describe_adaptation,
    describe_criterion,
    describe_help,
    describe_limits,
    direction,
    ends_session,
)
from neurojax.viz.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {
    "next": INK, "forward": BLUE, "back": ORANGE, "again": ORANGE, TRAINED: GREEN, DROPPED: RED,
}  # fmt: skip
_LINE, _WIDTH = 0.165, 92  # inches a line of text, letters in it
_BOX, _TEXT, _RIGHT = (1.55, 3.75), 4.65, 10.6  # from where to where, in inches


def plot_stages(protocol: Protocol) -> Figure:
    """The stages as boxes, what leads from one to another as arrows, and beside each box its rules in words.

    Black arrows lead to the next stage, blue ones over some (right), orange ones back (left), green ones to the end of
    training, red ones to where a subject is given up.

    Args:
        protocol: the protocol.

    Example:
        >>> from neurojax.protocols import load_protocol
        >>> from neurojax.viz.stages import plot_stages
        >>> figure = plot_stages(load_protocol("ibl_training"))
    """
    blocks = [_block(protocol, stage) for stage in protocol.stages]
    boxes = [textwrap.wrap(" ".join(stage.doc.split()), 30)[:6] for stage in protocol.stages]
    heights = [max(_LINE * len(block), _LINE * (len(doc) + 1)) + 0.22 for block, doc in zip(blocks, boxes, strict=True)]
    gap, foot = 0.34, 0.5
    dropped = any(rule.to == DROPPED for stage in protocol.stages for rule in stage.next) or describe_limits(protocol)
    head = _head(protocol)
    total = sum(heights) + gap * len(heights) + foot + 0.3 + _LINE * len(head)
    figure = new_figure(_RIGHT, total)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, _RIGHT)
    axes.set_ylim(0, total)
    axes.axis("off")
    _write(axes, 0.15, total - 0.12, head)
    top = total - 0.3 - _LINE * len(head)
    middles = []
    for stage, block, doc, height in zip(protocol.stages, blocks, boxes, heights, strict=True):
        middle = top - height / 2
        middles.append(middle)
        _draw_box(axes, middle, max(_LINE * (len(doc) + 1) + 0.16, 0.42), stage.name, doc, INK)
        _write(axes, _TEXT, top - 0.1, block)
        top -= height + gap
    ends = {TRAINED: (sum(_BOX) / 2, foot / 2 + 0.05), DROPPED: (0.62, foot / 2 + 0.05)}
    _draw_box(axes, ends[TRAINED][1], 0.36, "trained", [], GREEN)
    if dropped:
        _draw_box(axes, ends[DROPPED][1], 0.36, "given up", [], RED, (0.12, 1.12))
    halves = [max(_LINE * (len(doc) + 1) + 0.16, 0.42) / 2 for doc in boxes]
    _arrows(axes, protocol, middles, halves, ends)
    return figure


def _block(protocol: Protocol, stage: Stage) -> list[tuple[str, str, bool]]:
    """The rules of a stage as lines: text, colour, bold."""
    out: list[tuple[str, str, bool]] = []
    for rule in stage.next:
        kind = direction(protocol, stage.name, rule.to)
        to = "given up" if rule.to == DROPPED else rule.to
        at = ", at the end of a session" if ends_session(rule) else ""
        every = " all hold" if len(rule.when) > 1 else ""
        out.append((f"→ {to}{at}, where{every}:", _COLOURS[kind], True))
        for criterion in rule.when:
            out += _lines(describe_criterion(criterion), INK, "   ")
    if not stage.next:
        out.append(("no rule leads on from here", GREY, False))
    for adaptation in stage.adapt:
        first, *rest = describe_adaptation(adaptation)
        out += _lines(first, PURPLE)
        for line in rest:
            out += _lines(line, PURPLE, "   ")
    for line in describe_help(stage):
        out += _lines(line, GREY)
    return out


def _head(protocol: Protocol) -> list[tuple[str, str, bool]]:
    """The name, and what holds in all stages."""
    out = [(f"{protocol.name} ({protocol.task.id})", INK, True)]
    for adaptation in protocol.adapt:
        first, *rest = describe_adaptation(adaptation)
        out += _lines(f"in all stages, {first}", PURPLE, width=130)
        for line in rest:
            out += _lines(line, PURPLE, "   ", width=130)
    if limits := describe_limits(protocol):
        out += _lines(f"given up {limits}", RED, width=130)
    return out


def _lines(text: str, colour: str, indent: str = "", width: int = _WIDTH) -> list[tuple[str, str, bool]]:
    wrapped = textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + "   ")
    return [(line, colour, False) for line in wrapped]


def _write(axes: Axes, x: float, y: float, lines: Sequence[tuple[str, str, bool]]) -> None:
    for k, (text, colour, bold) in enumerate(lines):
        weight = "bold" if bold else "normal"
        axes.text(x, y - _LINE * k, text, fontsize=8.5, color=colour, va="top", weight=weight)


def _draw_box(
    axes: Axes, y: float, height: float, name: str, doc: Sequence[str], colour: str, x: tuple[float, float] = _BOX
) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch(
            (x[0], y - height / 2), x[1] - x[0], height, boxstyle=style, facecolor="#F4F6F8", edgecolor=colour,
            linewidth=1.2, zorder=2,
        )
    )  # fmt: skip
    middle, above = sum(x) / 2, y + _LINE * len(doc) / 2
    axes.text(
        middle, above, name, fontsize=9.5, color=colour if colour != INK else INK, ha="center", va="center",
        weight="bold", zorder=3,
    )  # fmt: skip
    for k, line in enumerate(doc):
        axes.text(middle, above - _LINE * (k + 1), line, fontsize=8, color=GREY, ha="center", va="center", zorder=3)


def _arrows(
    axes: Axes, protocol: Protocol, middles: Sequence[float], halves: Sequence[float], ends: Mapping[str, Any]
) -> None:
    """An arrow for each stage and where it leads."""
    names = [stage.name for stage in protocol.stages]
    lanes: dict[str, list[tuple[float, float]]] = {"left": [], "right": []}
    centre = sum(_BOX) / 2
    for i, stage in enumerate(protocol.stages):
        for to in dict.fromkeys(rule.to for rule in stage.next):
            kind = direction(protocol, stage.name, to)
            colour = _COLOURS[kind]
            if kind == DROPPED:
                bus = ends[DROPPED][0]
                path = [(_BOX[0], middles[i] - 0.08), (bus, middles[i] - 0.08), (bus, ends[DROPPED][1] + 0.18)]
            elif kind == TRAINED and i == len(names) - 1:
                path = [(centre, middles[i] - halves[i]), (centre, ends[TRAINED][1] + 0.18)]
            elif kind == "next":
                path = [(centre, middles[i] - halves[i]), (centre, middles[i + 1] + halves[i + 1])]
            elif kind == "again":
                continue  # its rule is told in words
            else:
                last = kind == TRAINED
                end = ends[TRAINED][1] if last else middles[names.index(to)]
                side = "left" if kind == "back" else "right"
                low, high = sorted((middles[i], end))
                lane = _lane(lanes[side], low, high)
                edge = _BOX[0] if side == "left" else _BOX[1]
                out = edge + (-1 if side == "left" else 1) * (0.16 + 0.13 * lane)
                shift = 0.1 if side == "left" else -0.1
                start = middles[i] + shift
                stop = end if last else end - shift
                path = [(edge, start), (out, start), (out, stop), (edge, stop)]
            _arrow(axes, path, colour)


def _lane(taken: list[tuple[float, float]], low: float, high: float) -> int:
    """How far out an arrow runs, so that it crosses none that is there."""
    lane = sum(1 for a, b in taken if a < high and low < b)
    taken.append((low, high))
    return min(lane, 5)


def _arrow(axes: Axes, path: Sequence[tuple[float, float]], colour: str) -> None:
    x, y = zip(*path, strict=True)
    axes.plot(x[:-1], y[:-1], color=colour, linewidth=1.3, zorder=1, solid_joinstyle="round")
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    axes.annotate("", path[-1], path[-2], arrowprops=style, zorder=1)


# ---------------------------------------------------------------------- one subject's way


def animate_walk(
    protocol: Protocol,
    stage: Any,
    performance: Any,
    *,
    values: Mapping[str, Any] | None = None,
    window: int = 50,
    frames: int = 120,
) -> FuncAnimation:
    """One subject's way through the stages over trials: where it stands, how well it does, and adapted values.

    Args:
        protocol: the protocol.
        stage: `[n]`, of each trial: names, or numbers from 0 in the protocol's order.
        performance: float `[n]`, of each trial, in [0, 1]; NaN: no trial.
        values: float `[n]` by name, where adapted parameters stand.
        window: trials of the running mean of performance.
        frames: how many pictures.

    Raises:
        InvalidArgument: if the lists differ in length, are empty, or frames or window is below 1.
        UnknownName: for a stage that the protocol does not have.

    Example:
        >>> import numpy as np
        >>> from neurojax.protocols import load_protocol
        >>> from neurojax.viz.stages import animate_walk, save_animation
        >>> walk = animate_walk(load_protocol("ibl_training"), np.repeat([0, 1], 50), np.ones(100), frames=2)
        >>> import tempfile
        >>> save_animation(walk, tempfile.mkdtemp() + "/walk.gif").stat().st_size > 1000
        True
    """
    from matplotlib.animation import FuncAnimation

    names = [one.name for one in protocol.stages]
    stages, seen = _numbers(stage, names), np.asarray(performance, np.float64)
    adapted = {name: np.asarray(value, np.float64) for name, value in (values or {}).items()}
    n = stages.size
    if n == 0 or any(part.shape != (n,) for part in (seen, *adapted.values())):
        raise InvalidArgument(f"stage, performance and values must be lists of the same trials, got {n} stages")
    if frames < 1 or window < 1:
        raise InvalidArgument(f"frames and window must be 1 or more, got {frames!r} and {window!r}")
    figure = new_figure(8.6, 3.4 + 1.1 * len(adapted))
    ratios = [max(0.34 * len(names), 1.6), 2.0, *[1.0] * len(adapted)]
    panels = figure.subplots(2 + len(adapted), 1, sharex=True, height_ratios=ratios)
    trial = np.arange(1, n + 1)
    running = _running(seen, window)
    drawn = []
    where, how, *below = panels
    (line,) = where.step([], [], where="mid", color=BLUE, linewidth=1.6)
    (dot,) = where.plot([], [], "o", color=RED, markersize=8, zorder=5)
    where.set_yticks(range(len(names)), names)
    where.set_ylim(len(names) - 0.5, -0.5)
    drawn.append((line, dot, stages.astype(float)))
    how.axhline(0.5, color=GREY, linewidth=0.6)
    how.set_ylim(-0.03, 1.03)
    tidy(how, y=f"performance\n(last {window})")
    for axes, values_of, name in zip((how, *below), (running, *adapted.values()), ("", *adapted), strict=True):
        (line,) = axes.plot([], [], color=PURPLE if name else BLUE, linewidth=1.5)
        (dot,) = axes.plot([], [], "o", color=RED, markersize=6, zorder=5)
        drawn.append((line, dot, values_of))
        if name:
            low, high = np.nanmin(values_of), np.nanmax(values_of)
            room = 0.08 * (high - low) or 0.5
            axes.set_ylim(low - room, high + room)
            tidy(axes, y=name.replace(".", "\n"))
    for axes in panels:
        axes.set_xlim(1, max(n, 2))
    tidy(panels[-1], x="trial", y=panels[-1].get_ylabel())
    tidy(where)
    title = where.set_title(" ", fontsize=10, color=INK, loc="left")
    upto = np.unique(np.linspace(1, n, frames).round().astype(int))

    def show(k: int) -> list[Any]:
        m = upto[k]
        for line, dot, y in drawn:
            line.set_data(trial[:m], y[:m])
            dot.set_data(trial[m - 1 : m], y[m - 1 : m])
        title.set_text(f"{protocol.name}: trial {m:,}, stage {names[stages[m - 1]]}")
        return [title, *(part for line, dot, _ in drawn for part in (line, dot))]

    show(len(upto) - 1)
    figure.draw_without_rendering()  # the layout is made once, with the whole way in view
    figure.set_layout_engine("none")
    return FuncAnimation(figure, show, frames=len(upto), init_func=lambda: show(0), blit=False, repeat=True)


def save_animation(animation: FuncAnimation, path: str | Path, *, fps: int = 15, dpi: int = 90) -> Path:
    """Write an animation as a GIF, whole or not at all.

    Raises:
        InvalidArgument: if the file's name does not end in .gif, or it cannot be written.
    """
    from matplotlib.animation import PillowWriter

    from neurojax.files import write_atomic

    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise InvalidArgument(f"{str(path)!r} must end in .gif")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "walk.gif"
        animation.save(str(file), writer=PillowWriter(fps=fps), dpi=dpi)
        return write_atomic(path, file.read_bytes())


def _numbers(stage: Any, names: Sequence[str]) -> np.ndarray:
    """Stages as numbers."""
    given = np.asarray(stage)
    if given.ndim != 1:
        raise InvalidArgument(f"stage must be a list of trials, got shape {given.shape}")
    if given.dtype.kind in "iuf":
        wrong = (given < 0) | (given >= len(names))
        if wrong.any():
            raise unknown("stage", given[wrong][0].item(), [str(i) for i in range(len(names))])
        return given.astype(int)
    places = {name: i for i, name in enumerate(names)}
    for name in dict.fromkeys(given.tolist()):
        if name not in places:
            raise unknown("stage", name, names)
    return np.array([places[name] for name in given.tolist()], int)


def _running(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of the last so many values, fewer at the beginning; NaN is left out."""
    there = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(there, values, 0))])
    count = np.concatenate([[0], np.cumsum(there)])
    start = np.maximum(np.arange(values.size) + 1 - window, 0)
    of = count[1:] - count[start]
    return np.where(of > 0, (total[1:] - total[start]) / np.maximum(of, 1), np.nan)
