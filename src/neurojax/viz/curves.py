"""Curves: learning, psychometric, chronometric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.viz.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neurojax.analysis.behaviour import Trials
    from neurojax.analysis.psychometric import Choices, PsychometricFit

# The four reference numbers: how each is drawn.
_LINES = {"clairvoyant": (GREY, ":"), "ideal": (GREEN, "-"), "blind": (ORANGE, "--"), "random": (PURPLE, "-.")}


def plot_learning(
    metrics: Mapping[str, Sequence[float]],
    *,
    references: Mapping[str, float] | None = None,
    final: float | None = None,
    batch_size: int | None = None,
) -> Figure:
    """Accuracy by update, between the task's reference numbers, and below the loss or, from reward, the reward.

    Args:
        metrics: columns "update", "loss" and "accuracy", of equal length; NaN is left out. Where an agent learnt from
            reward, also "response_rate", "abort_rate" and "reward" of a trial.
        references: performance by name: clairvoyant, ideal, blind, random.
        final: performance of the trained network by the task's own rules.
        batch_size: trials of an update, for the label.
    """
    figure = new_figure(6.8, 5.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    update = np.asarray(metrics["update"], float)
    accuracy = np.asarray(metrics["accuracy"], float)
    rewarded = "response_rate" in metrics
    _reference_lines(above, references or {})
    if np.any(np.isfinite(accuracy)):
        label = "in training: trials as they were played" if rewarded else "in training: answers right when first due"
        above.plot(update, accuracy, color=BLUE, linewidth=1.6, label=label)
    if rewarded:
        above.plot(update, np.asarray(metrics["response_rate"], float), color=GREY, linewidth=1.0, label="answered")
        above.plot(update, np.asarray(metrics["abort_rate"], float), color=RED, linewidth=1.0, label="aborted")
    if final is not None and np.isfinite(final) and update.size:
        label = f"evaluated by the task's rules: {final:.3g}"
        above.plot(update[-1], final, "o", color=RED, markersize=7, clip_on=False, zorder=5, label=label)
    above.set_ylim(-0.02, 1.04)
    if above.get_legend_handles_labels()[0]:
        figure.legend(fontsize=9, frameon=False, loc="outside upper left", ncols=2)
    tidy(above, y="performance")
    name = "reward" if rewarded else "loss"
    below.plot(update, np.asarray(metrics[name], float), color=BLUE, linewidth=1.6)
    if not rewarded:
        below.set_ylim(bottom=0)
    tidy(below, x=f"update ({batch_size} trials each)" if batch_size else "update", y=name)
    return figure


def _reference_lines(axes: Axes, references: Mapping[str, float]) -> None:
    """A line for each reference number, named beside the axes; equal ones share a name."""
    named: dict[float, list[str]] = {}
    for name, value in references.items():
        if value is not None and np.isfinite(value):
            colour, dash = _LINES.get(name, (GREY, "-"))
            axes.axhline(value, color=colour, linestyle=dash, linewidth=1.3, zorder=1)
            named.setdefault(round(float(value), 3), []).append(name)
    place = -1.0
    for value in sorted(named):
        place = max(place + 0.075, value)  # names keep apart where lines are close
        names = named[value]
        colour = _LINES.get(names[-1], (GREY, "-"))[0]
        text = f"{', '.join(names)} {value:.3g}"
        axes.annotate(text, (1.01, place), xycoords=axes.get_yaxis_transform(), fontsize=9, color=colour, va="center")


def plot_psychometric(
    choices: Choices,
    fit: PsychometricFit,
    *,
    ideal: Callable[[np.ndarray], np.ndarray] | None = None,
    animals: tuple[Choices, PsychometricFit] | None = None,
) -> Figure:
    """The share of right choices by signed coherence, with its fit.

    Args:
        choices, fit: the network's.
        ideal: P(right) of the ideal observer by signed coherence in percent.
        animals: choices of animals, and their fit.
    """
    figure = new_figure(6.4, 4.4)
    axes = figure.subplots()
    reach = max(abs(float(c.signed[i])) for c in ([choices, animals[0]] if animals else [choices]) for i in (0, -1))
    x = np.linspace(-reach, reach, 801)
    if reach > 20:  # on a linear axis, an animal's easy coherences would squeeze the hard ones
        x = np.sinh(np.linspace(-1, 1, 801) * np.arcsinh(reach / 3)) * 3
        axes.set_xscale("asinh", linear_width=3)
        ticks = [
            t for t in (-100, -51.2, -25.6, -12.8, -6.4, -3.2, 0, 3.2, 6.4, 12.8, 25.6, 51.2, 100) if abs(t) <= reach
        ]
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks], rotation=45)
        axes.minorticks_off()
    axes.axhline(0.5, color=GREY, linewidth=0.6)
    axes.axvline(0, color=GREY, linewidth=0.6)
    if ideal is not None:
        axes.plot(x, ideal(x), color=GREEN, linewidth=1.4, linestyle="--", label="ideal observer")
    points(axes, choices, fit, x, BLUE, "o", "network")
    if animals is not None:
        points(axes, *animals, x, RED, "s", "animals")
    axes.set_ylim(-0.03, 1.03)
    axes.legend(fontsize=9, frameon=False, loc="upper left")
    tidy(axes, x="signed coherence (%; positive: evidence for the right)", y="P(right | choice)")
    return figure


def points(
    axes: Axes, choices: Choices, fit: PsychometricFit, x: np.ndarray, colour: str, marker: str, name: str
) -> None:
    p = choices.proportion
    low, high = choices.intervals()
    shown = np.isfinite(p)
    bars = np.clip(np.stack([p - low, high - p]), 0, None)
    axes.errorbar(
        choices.signed[shown], p[shown], bars[:, shown], fmt=marker, color=colour, markersize=5, linewidth=1,
        capsize=0, label=f"{name} ({fit.answered:,} choices, {fit.missing:,} missing)",
    )  # fmt: skip
    if fit.determined:
        axes.plot(x, fit.probability(x), color=colour, linewidth=1.6)


def plot_chronometric(rows: Sequence[Mapping[str, Any]], animals: Trials | None = None, *, label: str = "") -> Figure:
    """Mean response time by coherence.

    Args:
        rows: the network's, with `coherence` in percent, `response_time_ms` and, if known, `response_time_sem_ms`.
        animals: trials with times.
        label: what the network's times are made of.
    """
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    _times(axes, rows, BLUE, "o", f"network{f' ({label})' if label else ''}")
    if animals is not None:
        _times(axes, animals.by_coherence(), RED, "s", f"animals ({len(animals):,} trials)")
    axes.set_xscale("asinh", linear_width=3)
    ticks = sorted({float(row["coherence"]) for row in rows} | {0.0})
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9, frameon=False)
    tidy(axes, x="coherence (%)", y="mean response time (ms)")
    return figure


def _times(axes: Axes, rows: Sequence[Mapping[str, Any]], colour: str, marker: str, label: str) -> None:
    x = [row["coherence"] for row in rows]
    y = [row["response_time_ms"] for row in rows]
    spread = [row.get("response_time_sem_ms", 0.0) or 0.0 for row in rows]
    axes.errorbar(
        x, y, 1.96 * np.asarray(spread), fmt=f"{marker}-", color=colour, markersize=5, linewidth=1.3, label=label
    )
