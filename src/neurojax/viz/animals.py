"""Figures of models held against animals: how well choices are predicted, and how weights change over trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurojax.errors import InvalidArgument
from neurojax.viz.style import BLUE, COLOURS, GREY, INK, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurojax.animals.models import Weights
    from neurojax.animals.predict import Prediction
    from neurojax.animals.trials import TrialTable


def plot_bits(predictions: Mapping[str, Prediction], baseline: str | None = None) -> Figure:
    """Bits a trial one step ahead, by model, the best on top; beside it the gain over a baseline, which is paired.

    Bars are 95% intervals over sessions.

    Args:
        predictions: by model, of the same trials.
        baseline: the model that the others are compared with; default: the first.

    Raises:
        InvalidArgument: if there is no such model, or the trials differ.

    Example:
        >>> import numpy as np
        >>> from neurojax.animals.predict import Prediction
        >>> from neurojax.viz.animals import plot_bits
        >>> session = np.repeat([1, 2, 3], 50)
        >>> coin = Prediction(np.full(150, -1.0), session)
        >>> model = Prediction(np.random.default_rng(0).uniform(-1.2, -0.5, 150), session)
        >>> len(plot_bits({"coin": coin, "model": model}).axes)
        2
    """
    from neurojax.animals.predict import compare

    if not predictions:
        raise InvalidArgument("predictions must hold at least one model")
    against = next(iter(predictions)) if baseline is None else baseline
    rows = compare(predictions, against)[::-1]
    y = np.arange(len(rows))
    figure = new_figure(8.4, 1.3 + 0.34 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, value, error in ((left, "bits", "error"), (right, "gain", "gain_error")):
        at = np.array([row[value] for row in rows])
        half = 1.96 * np.nan_to_num([row[error] for row in rows])
        axes.errorbar(at, y, xerr=half, fmt="o", color=BLUE, ecolor=GREY, markersize=6, linewidth=1.5)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.margins(x=0.12)
        axes.locator_params(axis="x", nbins=5)
    for row, height in zip(rows, y, strict=True):
        left.annotate(
            f"{row['bits']:.3f}", (row["bits"], height), (0, 5), textcoords="offset points", fontsize=8, ha="center",
            color=INK,
        )  # fmt: skip
    right.axvline(0, color=GREY, linewidth=0.8)
    left.set_yticks(y, [row["model"] for row in rows])
    right.tick_params(axis="y", length=0)
    tidy(left, x="bits a trial (a coin: -1)")
    tidy(right, x=f"gain over {against} (bits a trial)")
    return figure


def plot_weights(
    weights: Weights, names: Sequence[str], trials: TrialTable, *, groups: Sequence[Sequence[str]] | None = None
) -> Figure:
    """Weights over trials with 95% bands, as a filter knew them before each trial; sessions are marked at the bottom.

    Args:
        weights: of all trials, from `neurojax.animals.predict.trajectory`: mean `[trials, F]`.
        names: of the features.
        trials: the same trials.
        groups: names that share a panel; default: three a panel.

    Raises:
        InvalidArgument: if the numbers of trials or features differ, or a group names what is not there.
    """
    mean, spread = np.asarray(weights.mean), np.asarray(weights.spread)
    if mean.shape != (len(trials), len(names)):
        raise InvalidArgument(f"weights must be [{len(trials)}, {len(names)}], got {list(mean.shape)}")
    panels = groups or [names[i : i + 3] for i in range(0, len(names), 3)]
    missing = [name for panel in panels for name in panel if name not in names]
    if missing:
        raise InvalidArgument(f"groups must name features, {missing[0]!r} is none of {', '.join(names)}")
    figure = new_figure(8.4, 0.8 + 1.75 * len(panels))
    x = np.arange(1, len(trials) + 1)
    every = max(len(trials) // 2000, 1)  # more points than that nobody sees, and an SVG would hold them all
    for axes, panel in zip(figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0], panels, strict=True):
        axes.axhline(0, color=GREY, linewidth=0.8)
        for name, colour in zip(panel, COLOURS * (1 + len(panel) // len(COLOURS)), strict=False):
            i = list(names).index(name)
            m, s = mean[::every, i], 1.96 * spread[::every, i]
            axes.fill_between(x[::every], m - s, m + s, color=colour, alpha=0.22, linewidth=0)
            axes.plot(x[::every], m, color=colour, linewidth=1.2, label=name)
        for start in x[trials.starts]:
            axes.axvline(start, ymax=0.03, color=GREY, linewidth=0.6)
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        axes.set_xlim(1, len(trials))
        tidy(axes, y="weight (log odds)", x="trial" if panel is panels[-1] else "")
    return figure
