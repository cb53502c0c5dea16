"""What a monitor recorded in one picture: learning curves, the psychometric curve, activity around a period."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core.lanes import check_count
from neurojax.errors import InvalidArgument
from neurojax.viz.style import BLUE, COLOURS, GREEN, GREY, INK, ORANGE, PURPLE, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neurojax.monitor.recording import Activity, Recording

_COLUMNS = 3  # of panels
_MOST_CURVES = 6  # further learning curves that are shown
_MOST_LEVELS = 8  # of a condition by which activity is averaged
_MOST_TRIALS = 5000  # of activity that are averaged
_WINDOWS, _LEAST = 50, 20  # into how many windows trials are parted, of how many at least, where nothing is said
_SHARES = ("performance", "accuracy", "accuracy_given_response", "response_rate", "abort_rate", "miss_rate")
_STRENGTHS = ("coherence", "contrast", "strength")  # conditions that say how strong the evidence is


def plot_recording(
    recording: Recording,
    *,
    stage: str = "training",
    window: int | None = None,
    condition: str | None = None,
    unit: int | None = None,
    title: str = "",
) -> Figure:
    """A record in one figure.

    Panels, as far as there is something to show: rates (performance, response rate, abort rate) and reward of windows
    of trials, in the order in which they were recorded; the psychometric curve, or performance by the strength of the
    evidence, in the last evaluation or else in the second half of the trials; activity around a period, averaged by
    condition; learning curves by update.

    Args:
        recording: from `Monitor.open(folder)`.
        stage: of the trials in the first two panels; where it has none, all trials.
        window: trials in a window; default: a fiftieth of them, but 20 or more where there are enough.
        condition: by whose values activity is averaged; default: the first that has a few.
        unit: whose activity is shown; default: the one that differs most between the values of the condition.
        title: stands above; default: the task, and the name of the folder.

    Returns:
        A matplotlib figure (see `neurojax.viz.style.save`).

    Raises:
        InvalidArgument: if nothing was recorded yet, or there is no such condition or unit.

    Example:
        >>> import jax, tempfile, neurojax as nj
        >>> from neurojax.monitor import Monitor
        >>> with Monitor(tempfile.mkdtemp(), nj.make("PerceptualDecisionMaking-v0")) as monitor:
        ...     played = monitor.evaluate("random", jax.random.key(0), 100)
        ...     figure = monitor.plot()
        >>> [axes.get_ylabel() for axes in figure.axes][:3]
        ['share of trials', 'reward per trial', 'P(right | choice)']
    """
    trials: Any = recording.trials()
    scalars = recording.scalars()
    panels: list[Callable[[Axes], None]] = []
    if len(trials):
        shown = trials[trials["stage"] == stage] if (trials["stage"] == stage).any() else trials
        shown = shown.sort_values(["record", "step"], kind="stable")
        least = min(_LEAST, max(1, len(shown) // 4))
        size = check_count("window", window) if window is not None else max(least, math.ceil(len(shown) / _WINDOWS))
        panels += [lambda axes: _draw_rates(axes, shown, size), lambda axes: _draw_reward(axes, shown, size)]
        by_strength = _strength_panel(recording.about, trials)
        panels += [] if by_strength is None else [by_strength]
    for layer, periods in recording.layers().items():
        for period in periods:
            activity = recording.activity(layer, period)
            if len(activity.trials):
                panels.append(lambda axes, held=activity: _draw_activity(axes, held, recording.about, condition, unit))
    for name, columns in _curves(scalars).items():
        panels.append(lambda axes, name=name, columns=columns: _draw_scalars(axes, scalars, name, columns))
    if not panels:
        raise InvalidArgument(f"nothing was recorded in {recording.folder} yet")
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(4.4 * columns, 3.3 * rows + 0.5)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, draw in zip(places, panels, strict=False):
        draw(place)
    for place in places[len(panels) :]:
        place.remove()
    task = recording.about["id"] or recording.about["class"]
    figure.suptitle(title or f"{task}: {recording.folder.resolve().name}", fontsize=11)
    return figure


# ---------------------------------------------------------------------- learning


def _windowed(values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each window of `size` trials (the last may be shorter), by the number of its last trial."""
    starts = np.arange(0, len(values), size)
    ends = np.minimum(starts + size, len(values))
    return ends, np.add.reduceat(values.astype(np.float64), starts) / (ends - starts)


def _draw_rates(axes: Axes, trials: Any, size: int) -> None:
    outcome = trials["outcome"].to_numpy(str)
    curves = {
        "performance": (trials["performance"].to_numpy(), BLUE, "-"),
        "response rate": (np.isin(outcome, ("correct", "error")), GREEN, "--"),
        "abort rate": (outcome == "abort", PURPLE, ":"),
    }
    for label, (values, colour, dash) in curves.items():
        axes.plot(*_windowed(values, size), color=colour, linestyle=dash, linewidth=1.6, marker=".", label=label)
    axes.set_ylim(-0.03, 1.03)
    axes.legend(fontsize=8, frameon=False)
    stages = ", ".join(dict.fromkeys(trials["stage"]))
    tidy(axes, x=f"trial (means of {size:,})", y="share of trials", title=f"{stages}: {len(trials):,} trials")


def _draw_reward(axes: Axes, trials: Any, size: int) -> None:
    axes.plot(*_windowed(trials["reward"].to_numpy(), size), color=ORANGE, linewidth=1.6, marker=".")
    tidy(axes, x=f"trial (means of {size:,})", y="reward per trial")


def _curves(scalars: Any) -> dict[str, list[str]]:
    """The columns of each panel: shares of trials together, others by their name, whatever the stage."""
    out: dict[str, list[str]] = {}
    for column in scalars.columns:
        if np.isfinite(scalars[column]).any():
            name = column.rsplit("/", 1)[-1]
            out.setdefault("rates" if name in _SHARES else name, []).append(column)
    wanted = ("loss", "rates", "reward")
    order = [*[name for name in wanted if name in out], *[name for name in out if name not in wanted]]
    return {name: out[name] for name in order[:_MOST_CURVES]}


def _draw_scalars(axes: Axes, scalars: Any, name: str, columns: list[str]) -> None:
    for column, colour in zip(columns, COLOURS * len(columns), strict=False):
        values = scalars[column].dropna()
        label = column.replace("_", " ")
        axes.plot(values.index, values, color=colour, linewidth=1.6, marker=".", label=label)
    if columns != [name]:
        axes.legend(fontsize=8, frameon=False)
    if name == "rates":
        axes.set_ylim(-0.03, 1.03)
    tidy(axes, x="update", y=name.replace("_", " "))


# ---------------------------------------------------------------------- behaviour


def _strength_panel(about: dict[str, Any], trials: Any) -> Callable[[Axes], None] | None:
    """The panel of a condition that says how strong the evidence is; None where there is none."""
    names = [name for name in _STRENGTHS if name in trials]
    names += [name for name in trials if name.split("_")[0] in _STRENGTHS and name not in names]
    if not names:
        return None
    shown = _judged(trials)
    two = "ground_truth" in trials and "choice" in trials and len(about["actions"]) == 3
    if two and names[0] == "coherence" and set(shown["ground_truth"]) <= {0, 1}:
        return lambda axes: _draw_psychometric(axes, shown)
    return lambda axes: _draw_strength(axes, shown, names[0])


def _judged(trials: Any) -> Any:
    """The trials by which a network is judged: those of its last evaluation, or the second half of all."""
    evaluated = trials[trials["stage"] == "evaluation"]
    if len(evaluated):
        return evaluated[evaluated["record"] == evaluated["record"].max()]
    return trials.iloc[len(trials) // 2 :]


def _draw_psychometric(axes: Axes, trials: Any) -> None:
    from neurojax.analysis.psychometric import count_choices, fit_psychometric
    from neurojax.viz.curves import points

    side = np.where(trials["ground_truth"].to_numpy() == 1, 1.0, -1.0)  # the right is 1, which is action 2
    signed = side * trials["coherence"].to_numpy(np.float64)
    answered = trials["outcome"].isin(["correct", "error"]).to_numpy()
    choices = count_choices(signed, trials["choice"].to_numpy() == 2, answered)
    reach = max(float(np.max(np.abs(choices.signed))), 1e-6)
    axes.axhline(0.5, color=GREY, linewidth=0.6)
    axes.axvline(0, color=GREY, linewidth=0.6)
    x = np.linspace(-reach, reach, 401)
    if choices.answered.sum():
        points(axes, choices, fit_psychometric(choices), x, BLUE, "o", str(trials["stage"].iloc[-1]))
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.set_ylim(-0.03, 1.03)
    tidy(axes, x="signed coherence (%)", y="P(right | choice)", title=_which(trials))


def _draw_strength(axes: Axes, trials: Any, name: str) -> None:
    groups = trials.groupby(np.round(trials[name].astype(float), 6))["performance"]
    mean, error = groups.mean(), groups.std(ddof=0) / np.sqrt(groups.count())
    if len(mean) > 2 * _MOST_LEVELS:  # drawn from a continuum
        bins = np.array_split(trials.sort_values(name)[[name, "performance"]].to_numpy(np.float64), _MOST_LEVELS)
        x, y = (np.asarray([np.mean(part[:, i]) for part in bins]) for i in (0, 1))
        bars = np.asarray([np.std(part[:, 1]) / np.sqrt(len(part)) for part in bins])
    else:
        x, y, bars = mean.index.to_numpy(), mean.to_numpy(), error.to_numpy()
    axes.errorbar(x, y, 1.96 * bars, fmt="o-", color=BLUE, markersize=5, linewidth=1.3)
    axes.set_ylim(-0.03, 1.03)
    units = trials.attrs.get("columns", {}).get(name, {}).get("units", "")
    tidy(axes, x=f"{name} ({units})" if units else name, y="performance", title=_which(trials))


def _which(trials: Any) -> str:
    updates = f", update {trials['update'].max()}" if trials["update"].max() else ""
    return f"{', '.join(dict.fromkeys(trials['stage']))}: {len(trials):,} trials{updates}"


# ---------------------------------------------------------------------- activity


def _draw_activity(
    axes: Axes, activity: Activity, about: dict[str, Any], condition: str | None, unit: int | None
) -> None:
    trials: Any = activity.trials.iloc[-_MOST_TRIALS:]
    values = activity.values[-_MOST_TRIALS:]
    if condition is not None and condition not in trials:
        raise InvalidArgument(f"condition {condition!r} is no column of the trials: {', '.join(trials)}")
    if unit is not None and not 0 <= unit < values.shape[2]:
        raise InvalidArgument(f"unit must lie in 0 .. {values.shape[2] - 1}, got {unit!r}")
    name = condition if condition is not None else _grouping(trials)
    levels = [None] if name is None else sorted(trials[name].unique())
    means = [_mean(values if level is None else values[(trials[name] == level).to_numpy()]) for level in levels]
    if unit is None:
        unit = _tells_most(means)
    grid = len(levels) > len(COLOURS)
    for i, (level, mean) in enumerate(zip(levels, means, strict=True)):
        shade = 0.15 + 0.7 * i / max(1, len(levels) - 1)
        colour = (shade, 0.3, 1 - shade) if grid else COLOURS[i % len(COLOURS)]
        label = None if level is None else f"{name} {level:g}" if isinstance(level, (float, int, np.number)) else level
        axes.plot(activity.time, mean[:, unit], color=colour, linewidth=1.6, label=label)
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
    if name is not None and len(levels) <= 2 * _MOST_LEVELS:
        axes.legend(fontsize=8, frameon=False)
    tidy(
        axes,
        x=f"time from the onset of {activity.period} (ms)",
        y=f"{activity.name}, unit {unit}",
        title=f"mean of {len(trials):,} trials",
    )


def _grouping(trials: Any) -> str | None:
    """A column of few values by which activity is averaged: the ground truth, or the first condition that has some."""
    start, end = trials.columns.get_loc("step") + 1, trials.columns.get_loc("length")
    names = [name for name in trials.columns[start:end] if 2 <= trials[name].nunique() <= _MOST_LEVELS]
    return next((name for name in names if name == "ground_truth"), names[0] if names else None)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over trials `[W, H]` of `[N, W, H]`, of those that were on at the time; NaN where none was."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _tells_most(means: list[np.ndarray]) -> int:
    """The unit whose means differ most between conditions, or over time where there is one condition."""
    stacked = np.stack(means)
    whole = np.isfinite(stacked).all(axis=(0, 2))  # times at which every condition was on
    if not whole.any():
        return 0
    spread = stacked[:, whole].std(axis=0).mean(axis=0) if len(means) > 1 else stacked[0, whole].std(axis=0)
    return int(np.argmax(spread))
