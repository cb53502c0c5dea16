"""Pictures of sessions: the order of the trials and what came of them, and some of the trials along time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core.lanes import check_count
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.data.sessions import SessionData, kinds_of
from neurojax.errors import InvalidArgument
from neurojax.viz.style import BLUE, COLOURS, GREEN, GREY, INK, ORANGE, PURPLE, RED, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MANY = 12  # channels from which a heat map reads better than traces, and kinds that get a row of their own
_TINTS = ("#E8EEF4", "#FBF1DC", "#E3F1EC", "#F7E6EE", "#EFEFEF", "#E4F3FB", "#F4E9DF")
# Colour and mark of each outcome, so that neither is needed alone.
_MARKS = {
    Outcome.CORRECT: (GREEN, "o"),
    Outcome.ERROR: (RED, "X"),
    Outcome.ABORT: (PURPLE, "s"),
    Outcome.MISS: (ORANGE, "v"),
    Outcome.TIMEOUT: (GREY, "D"),
}


def plot_session(data: SessionData, *, session: int = 0, first: int = 0, trials: int = 8, title: str = "") -> Figure:
    """A session: above, every trial's kind and outcome in order; below, some trials along time.

    Args:
        data: from `nj.session`.
        session: which of the B sessions.
        first: the first trial that is shown along time.
        trials: how many trials are shown along time, as far as there are.
        title: stands above.

    Returns:
        A matplotlib figure (see `neurojax.viz.style.save`).

    Raises:
        InvalidArgument: if there is no such session or trial.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.data.sessions import session
        >>> from neurojax.viz.sessions import plot_session
        >>> figure = plot_session(session(nj.make("AnnubesEnv-v0"), jax.random.key(0), 20, policy="random"))
        >>> len(figure.axes)
        3
    """
    check_count("session", session, 0)
    check_count("first", first, 0)
    check_count("trials", trials)
    if session >= data.n_sessions:
        raise InvalidArgument(f"session must be below the number of sessions, {data.n_sessions}, got {session}")
    if first >= data.n_trials:
        raise InvalidArgument(f"first must be below the number of trials, {data.n_trials}, got {first}")
    task = data.task
    shown = range(first, min(first + trials, data.n_trials))
    labels = _labels(task, {name: x[session] for name, x in data.conditions.items()}, data.n_trials)
    names = list(dict.fromkeys(getattr(task, "kinds", ())))  # in the task's order, where it has one
    names = [*[n for n in names if n in labels], *[n for n in sorted(set(labels)) if n not in names]]
    rows = len(names) if len(names) <= _MANY else 1
    traces = task.channels.size if task.channels.size <= _MANY else 6
    heights = (0.7 + 0.24 * rows, 0.8 + 0.42 * traces, 1.3)
    figure = new_figure(max(1.15 * len(shown) + 2.4, 8.0), sum(heights) + 1.5)
    order, seen, acted = figure.subplots(3, 1, height_ratios=heights)
    outcomes = None if data.result is None else np.asarray(data.result.outcome)[session]
    _draw_order(order, labels, names, outcomes, shown)
    tints = {name: _TINTS[i % len(_TINTS)] for i, name in enumerate(task.period_names)}
    ends = _draw_clock((seen, acted), data, session, shown, tints, task)
    _draw_channels(seen, task, _joined(data.inputs, data, session, shown), ends[0])
    _draw_actions(acted, task, data, session, shown, ends[0])
    for trial, left, right in zip(shown, ends[:-1], ends[1:], strict=True):
        colour = INK if outcomes is None else _MARKS.get(Outcome(int(outcomes[trial])), (INK, ""))[0]
        word = "" if outcomes is None else f"\n{Outcome(int(outcomes[trial])).name.lower()}"
        middle = (left + right) / 2
        seen.annotate(
            f"{_short(labels[trial])}{word}",
            (middle, 1.02),
            xycoords=seen.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8,
            color=colour,
        )
    tidy(seen, y="channel")
    seen.tick_params(labelbottom=False)
    tidy(acted, x="time from the session's start (s)", y="action" if isinstance(task.actions, Discrete) else "output")
    _legend(figure, tints, data, session, outcomes, acted)
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    return figure


def _labels(task: Task, conditions: dict[str, np.ndarray], count: int) -> list[str]:
    """The kind of each trial in words: as its task names it, or its whole conditions."""
    kinds = kinds_of(task, conditions)
    if kinds is not None:
        return kinds
    parts = []
    for name, values in conditions.items():
        if values.ndim == 1 and values.dtype.kind in "iub" and len(np.unique(values)) > 1:
            parts.append([f"{name} {value}" for value in values.astype(int)])
    return [", ".join(words) for words in zip(*parts[:2], strict=True)] if parts else ["trial"] * count


def _short(label: str) -> str:
    return label.replace(", ", "\n")


def _draw_order(axes: Axes, labels: list[str], names: list[str], outcomes: Any, shown: range) -> None:
    """Every trial of the session as a mark: its kind by the row, its outcome by colour and mark."""
    many = len(names) > _MANY
    rows = np.array([0 if many else len(names) - 1 - names.index(label) for label in labels])
    numbers = np.arange(1, len(labels) + 1)
    size = float(np.clip(2500 / len(labels), 6, 45))
    axes.axvspan(shown[0] + 0.5, shown[-1] + 1.5, color="#EFEFEF", linewidth=0, zorder=0)
    if outcomes is None:
        axes.scatter(numbers, rows, s=size, marker="o", color=BLUE, linewidth=0)
    for outcome, (colour, mark) in _MARKS.items():
        here = np.zeros(len(rows), bool) if outcomes is None else outcomes == outcome
        axes.scatter(numbers[here], rows[here], s=size, marker=mark, color=colour, linewidth=0)
    axes.set_xlim(0.2, len(labels) + 0.8)
    axes.set_ylim(-0.6, (0 if many else len(names) - 1) + 0.6)
    axes.set_yticks([] if many else range(len(names)), [] if many else names[::-1])
    tidy(axes, x="trial", y="kind" if not many else "")


def _draw_clock(both: Any, data: SessionData, session: int, shown: range, tints: Any, task: Task) -> np.ndarray:
    """Shade periods, part trials; the edges of the trials in seconds."""
    dt = task.dt / 1000
    starts, lengths = data.starts[session], data.lengths[session]
    for trial in shown:
        spans = zip(task.period_names, data.periods[session, trial].tolist(), strict=True)
        for name, (start, end) in sorted(spans, key=lambda span: span[1][0] - span[1][1]):
            end = min(end, int(lengths[trial]))  # a response cuts what was scheduled
            if end > start:
                for axes in both:
                    left, right = (float(starts[trial] + t) * dt for t in (start, end))
                    axes.axvspan(left, right, color=tints[name], linewidth=0, zorder=0)
    last = shown[-1]
    ends = np.append(starts[shown[0] : last + 1], starts[last] + lengths[last]) * dt
    for axes in both:
        for edge in ends[1:-1]:
            axes.axvline(edge, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.set_xlim(ends[0], ends[-1])
    return ends


def _joined(values: Any, data: SessionData, session: int, shown: range) -> np.ndarray:
    """Values `[B, K, T, ...]` of some trials, one after the other."""
    return np.concatenate([values[session, trial][data.mask[session, trial]] for trial in shown])


def _steps(axes: Axes, task: Task, start: float, values: np.ndarray, **style: Any) -> None:
    time = start + np.arange(len(values) + 1) * task.dt / 1000
    axes.step(time, np.append(values, values[-1:]), where="post", **style)


def _draw_channels(axes: Axes, task: Task, inputs: np.ndarray, start: float) -> None:
    names = task.channels.labels()
    if len(names) > _MANY:
        time = start + np.arange(len(inputs) + 1) * task.dt / 1000
        grid = axes.pcolormesh(time, np.arange(len(names) + 1), inputs.T, cmap="viridis", rasterized=True)
        axes.figure.colorbar(grid, ax=axes, pad=0.01, label="input")
        places = task.channels.slices
        axes.set_yticks([(p.start + p.stop) / 2 for p in places.values()], list(places))
        return
    low, high = min(float(inputs.min()), 0.0), max(float(inputs.max()), 1e-6)
    reach = 1.1 * (high - low)
    for i in range(len(names)):
        level = len(names) - 1 - i
        axes.axhline(level, color=GREY, linewidth=0.5)
        _steps(axes, task, start, level + inputs[:, i] / reach, color=COLOURS[i % len(COLOURS)], linewidth=1.2)
    axes.set_ylim(low / reach - 0.1, len(names) + 0.05)
    axes.set_yticks(range(len(names)), names[::-1])
    size = float(f"{reach / 2:.1g}")  # the scale, at the right
    beside = axes.get_yaxis_transform()
    axes.plot([1.01, 1.01], [0, size / reach], color=INK, linewidth=2.5, transform=beside, clip_on=False)
    axes.annotate(f"{size:g}", (1.017, size / reach / 2), xycoords=beside, fontsize=9, va="center", color=INK)


def _draw_actions(axes: Axes, task: Task, data: SessionData, session: int, shown: range, start: float) -> None:
    targets = _joined(data.targets, data, session, shown)
    actions = None if data.actions is None else _joined(data.actions, data, session, shown)
    if isinstance(task.actions, Discrete):
        labels = task.actions.labels()
        _steps(axes, task, start, targets, color=RED, linewidth=2.2, label="target", alpha=0.8)
        if actions is not None:
            middles = start + (np.arange(len(actions)) + 0.5) * task.dt / 1000
            axes.scatter(middles, actions, s=9, color=INK, zorder=3, linewidth=0, label="action")
        ticks = range(0, len(labels), max(1, len(labels) // 6))
        axes.set_yticks(list(ticks), [labels[i] for i in ticks])
        axes.set_ylim(-0.4, len(labels) - 0.6)
        return
    for i, name in enumerate(task.actions.labels()):
        colour = COLOURS[i % len(COLOURS)]
        _steps(axes, task, start, targets[:, i], color=colour, linewidth=1.8, label=f"target {name}")
        if actions is not None:
            _steps(axes, task, start, actions[:, i], color=colour, linewidth=0.9, linestyle=":", label=f"action {name}")


def _legend(figure: Figure, tints: Any, data: SessionData, session: int, outcomes: Any, acted: Axes) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lasting = np.any(np.diff(data.periods[session], axis=-1)[..., 0] > 0, axis=0)
    handles: list[Any] = [
        Patch(facecolor=tint, edgecolor=GREY, linewidth=0.4, label=name)
        for (name, tint), lasts in zip(tints.items(), lasting, strict=True)
        if lasts
    ]
    handles += acted.get_legend_handles_labels()[0]
    for outcome, (colour, mark) in _MARKS.items():
        if outcomes is not None and np.any(outcomes == outcome):
            handles.append(Line2D([], [], color=colour, marker=mark, linestyle="", label=outcome.name.lower()))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6), fontsize=9, frameon=False)
