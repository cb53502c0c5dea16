"""Figures of how agents behave: staying, lagged events, wagers, serial dependence, regret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from neurojax.viz.style import BLUE, COLOURS, GREEN, GREY, ORANGE, RED, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neurojax.analysis.bandits import Performance
    from neurojax.analysis.history import Repetitions, TransitionKernels
    from neurojax.analysis.two_step import LaggedRegression, StayProbabilities
    from neurojax.analysis.wagering import Share, Wagering


def plot_stay(stay: StayProbabilities) -> Figure:
    """How often the first choice is repeated, by reward and transition, with 95% intervals.

    Example:
        >>> from neurojax.analysis.two_step import StayProbabilities
        >>> from neurojax.viz.behaviour import plot_stay
        >>> import numpy as np
        >>> figure = plot_stay(StayProbabilities(np.array([[9, 4], [3, 8]]), np.full((2, 2), 10)))
        >>> len(figure.axes)
        1
    """
    figure = new_figure(4.2, 3.6)
    axes = figure.subplots()
    low, high = stay.intervals()
    for j, (name, colour) in enumerate((("common", BLUE), ("rare", RED))):
        x, p = np.arange(2) + (j - 0.5) * 0.36, stay.probability[:, j]
        bars = np.nan_to_num(np.clip(np.stack([p - low[:, j], high[:, j] - p]), 0, None))
        axes.bar(x, np.nan_to_num(p), 0.34, color=colour, label=f"{name} transition")
        axes.errorbar(x, p, bars, fmt="none", color=GREY, linewidth=1.3)
    axes.set_xticks([0, 1], ["rewarded", "unrewarded"])
    axes.set_ylim(0, 1.02)
    figure.legend(fontsize=9, frameon=False, loc="outside upper left", ncols=2)
    effect = stay.interaction
    tidy(axes, y="P(same first choice)", x=f"interaction {effect.value:.2f} ± {1.96 * effect.error:.2f}")
    return figure


def plot_lagged(regression: LaggedRegression) -> Figure:
    """Coefficients of past events by lag, with 95% intervals, and that of the regressor for correct."""
    figure = new_figure(6.0, 4.0)
    axes = figure.subplots()
    axes.axhline(0, color=GREY, linewidth=0.8)
    lag = np.arange(1, regression.lags + 1)
    for event, colour, marker in zip(
        ("outcome", "transition", "interaction", "stay"), (BLUE, ORANGE, RED, GREY), "os^d", strict=True
    ):
        value, error = regression.kernel(event)
        label = "outcome x transition" if event == "interaction" else event
        _line(axes, lag, value, error, colour, marker, label)
    if "correct" in regression.fit.names:
        value, error = regression.fit.kernel(["correct"])
        _line(axes, lag[-1:] + 0.15, value, error, GREEN, "*", "correct")
    axes.set_xticks(lag)
    figure.legend(fontsize=9, frameon=False, loc="outside right upper")
    tidy(axes, x="lag (trials)", y="effect on the old choice (log odds)")
    return figure


def _line(
    axes: Axes, x: np.ndarray, value: np.ndarray, error: np.ndarray, colour: str, marker: str, label: str
) -> None:
    axes.errorbar(
        x, value, 1.96 * error, fmt=f"{marker}-", color=colour, markersize=5, linewidth=1.4, capsize=0, label=label
    )


def plot_wagering(wagering: Wagering) -> Figure:
    """How often the sure target is taken, and accuracy with and without it, by coherence, with 95% intervals."""
    figure = new_figure(7.6, 3.6)
    left, right = figure.subplots(1, 2)
    _share(left, wagering.coherence, wagering.sure, GREEN, "o", "")
    left.set_ylim(-0.02, 1.02)
    tidy(left, x="coherence (%)", y="P(sure target | offered)")
    right.axhline(0.5, color=GREY, linewidth=0.6)
    _share(right, wagering.coherence, wagering.correct_waived, BLUE, "o", "offered and waived")
    _share(right, wagering.coherence, wagering.correct_alone, RED, "s", "not offered")
    right.set_ylim(0.38, 1.02)
    right.legend(fontsize=9, frameon=False, loc="lower right")
    tidy(right, x="coherence (%)", y="P(correct)")
    for axes in (left, right):
        axes.set_xscale("asinh", linear_width=3)
        axes.set_xticks(wagering.coherence, [f"{c:g}" for c in wagering.coherence])
        axes.minorticks_off()
    return figure


def _share(axes: Axes, x: np.ndarray, share: Share, colour: str, marker: str, label: str) -> None:
    p = share.proportion
    low, high = share.intervals()
    shown = np.isfinite(p)
    bars = np.clip(np.stack([p - low, high - p]), 0, None)[:, shown]
    axes.errorbar(
        x[shown], p[shown], bars, fmt=f"{marker}-", color=colour, markersize=5, linewidth=1.4, capsize=0, label=label
    )


def plot_repetitions(found: Repetitions) -> Figure:
    """How often the last choice is repeated, after successes and errors, by context, with 95% intervals."""
    figure = new_figure(4.4, 3.6)
    axes = figure.subplots()
    axes.axhline(0.5, color=GREY, linewidth=0.8)
    low, high = found.intervals()
    contexts = ("repeating context", "alternating context") if found.probability.shape[1] == 2 else ("all trials",)
    for j, (name, colour) in enumerate(zip(contexts, (BLUE, RED), strict=False)):
        p = found.probability[:, j]
        bars = np.nan_to_num(np.clip(np.stack([p - low[:, j], high[:, j] - p]), 0, None))
        axes.errorbar([0, 1], p, bars, fmt="o-", color=colour, markersize=6, linewidth=1.4, label=name)
    axes.set_xticks([0, 1], ["after a success", "after an error"])
    axes.set_xlim(-0.3, 1.3)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(fontsize=9, frameon=False)
    tidy(axes, y="P(same choice)")
    return figure


def plot_kernels(kernels: TransitionKernels, *, name: str = "T++") -> Figure:
    """A kernel by lag, after successes and after errors, with 95% intervals; above it the reset index.

    Raises:
        UnknownName: if there is no such kernel.
    """
    from neurojax.analysis.history import LAGS

    figure = new_figure(5.2, 3.6)
    axes = figure.subplots()
    axes.axhline(0, color=GREY, linewidth=0.8)
    x = np.arange(len(LAGS))
    for after_error, colour, label in ((False, BLUE, "after a success"), (True, RED, "after an error")):
        value, error = kernels.kernel(name, after_error=after_error)
        _line(axes, x, value, error, colour, "o", label)
    axes.set_xticks(x, LAGS)
    axes.legend(fontsize=9, frameon=False)
    index = kernels.reset_index()
    title = f"reset index {index.value:.2f} ({index.low:.2f} to {index.high:.2f})"
    tidy(axes, x="lag (trials)", y=f"coefficient of {name} (log odds)", title=title if name == "T++" else "")
    return figure


def plot_regret(players: Mapping[str, Performance]) -> Figure:
    """Regret by pull, with 95% bands, and the share of pulls of the best arm.

    Args:
        players: by name; all of as many pulls.
    """
    figure = new_figure(7.6, 3.8)
    left, right = figure.subplots(1, 2)
    for (name, found), colour in zip(players.items(), _colours(len(players)), strict=True):
        pull = np.arange(1, len(found.regret) + 1)
        half = 1.96 * found.regret_error
        left.fill_between(pull, found.regret - half, found.regret + half, color=colour, alpha=0.25, linewidth=0)
        left.plot(pull, found.regret, color=colour, linewidth=1.6, label=f"{name}: {found.expected.value:.1f}")
        right.plot(pull, found.best, color=colour, linewidth=1.4)
    left.set_ylim(bottom=0)
    right.set_ylim(0, 1.02)
    left.legend(fontsize=9, frameon=False, title="expected rewards", title_fontsize=9)
    tidy(left, x="pull", y="regret (rewards)")
    tidy(right, x="pull", y="share of the best arm")
    return figure


def _colours(count: int) -> list[str]:
    """As many colours, again from the first where they do not suffice."""
    return [COLOURS[i % len(COLOURS)] for i in range(count)]
