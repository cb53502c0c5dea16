"""Pictures of trials: what is shown, what is asked for, and what a network makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core.parameters import parameters
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.viz.style import COLOURS, GREY, INK, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From this many channels on, a heat map reads better than traces.
_MANY = 8
_TINTS = ("#E8EEF4", "#FBF1DC", "#E3F1EC", "#F7E6EE", "#EFEFEF", "#E4F3FB", "#F4E9DF")


def plot_trials(task: Task, batch: Any, *, outputs: Any = None, title: str = "") -> Figure:
    """Trials side by side: the channels above, the target below, with a network's output over it.

    Args:
        task: the task.
        batch: a `Batch` of `nj.render` of few trials, batch first.
        outputs: a network's output `[B, T, A]`: probabilities of discrete actions, or continuous actions.
        title: stands above.

    Returns:
        A matplotlib figure (see `neurojax.viz.style.save`).

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.viz.trials import plot_trials
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> figure = plot_trials(task, nj.render(task, jax.random.key(0), 2, coherence=51.2))
        >>> len(figure.axes)
        4
    """
    count = int(np.shape(batch.lengths)[0])
    figure = new_figure(max(2.9 * count + 0.9, 5.0), 4.9)
    top = figure.subplots(2, count, squeeze=False, sharex="col", height_ratios=(3, 2))
    names = [name for i, name in enumerate(task.period_names) if np.any(np.diff(np.asarray(batch.periods)[:, i]) > 0)]
    tints = {name: _TINTS[i % len(_TINTS)] for i, name in enumerate(names)}
    everything = np.asarray(batch.inputs)[np.asarray(batch.mask)]
    span = (min(float(everything.min()), 0.0), max(float(everything.max()), 1e-6))
    for column in range(count):
        length = int(np.asarray(batch.lengths)[column])
        inputs = np.asarray(batch.inputs)[column, :length]
        targets = np.asarray(batch.targets)[column, :length]
        output = None if outputs is None else np.asarray(outputs)[column, :length]
        shown, acted = top[0, column], top[1, column]
        for axes in (shown, acted):
            _shade(axes, task, np.asarray(batch.periods)[column], tints)
            axes.set_xlim(0, length * task.dt)
        _draw_inputs(shown, task, inputs, span, first=column == 0, last=column == count - 1)
        _draw_actions(acted, task, targets, output, first=column == 0)
        tidy(shown, y="channel" if column == 0 else "", title=_conditions(task, batch, column))
        tidy(acted, x="time from trial start (ms)", y=_action_label(task) if column == 0 else "")
    _legend(figure, tints, top[1, 0])
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    return figure


def _edges(length: int, dt: float) -> np.ndarray:
    return np.arange(length + 1) * dt


def _shade(axes: Axes, task: Task, periods: np.ndarray, tints: dict[str, str]) -> None:
    spans = zip(task.period_names, np.asarray(periods).tolist(), strict=True)
    for name, (start, end) in sorted(spans, key=lambda span: span[1][0] - span[1][1]):  # short ones over long ones
        if end > start:
            axes.axvspan(start * task.dt, end * task.dt, color=tints[name], linewidth=0, zorder=0)


def _draw_inputs(
    axes: Axes, task: Task, inputs: np.ndarray, span: tuple[float, float], *, first: bool, last: bool
) -> None:
    names = task.channels.labels()
    time = _edges(len(inputs), task.dt)
    if len(names) >= _MANY:
        grid = axes.pcolormesh(
            time, np.arange(len(names) + 1), inputs.T, cmap="viridis", vmin=span[0], vmax=span[1], rasterized=True
        )
        if last:
            axes.figure.colorbar(grid, ax=axes, pad=0.02, label="input").ax.tick_params(labelsize=8)
        pieces = task.channels.slices
        axes.set_yticks(
            [(p.start + p.stop) / 2 for p in pieces.values()], list(pieces) if first else [""] * len(pieces)
        )
        for piece in pieces.values():
            axes.axhline(piece.start, color="white", linewidth=0.8)
        return
    # One row for each channel, all on one scale.
    reach = 1.05 * (span[1] - span[0])
    for i in range(len(names)):
        level = len(names) - 1 - i
        axes.axhline(level, color=GREY, linewidth=0.5)
        values = np.append(inputs[:, i], inputs[-1:, i]) / reach
        axes.step(time, level + values, where="post", linewidth=1.1, color=COLOURS[i % 6])
    axes.set_ylim(span[0] / reach - 0.08, len(names) + 0.05)
    axes.set_yticks(range(len(names)), names[::-1] if first else [""] * len(names))
    if last:  # the scale, beside the last trial
        size = float(f"{reach / 2:.1g}")
        beside = axes.get_yaxis_transform()  # across in shares of the axes, up in data
        axes.plot([1.03, 1.03], [0, size / reach], color=INK, linewidth=2.5, transform=beside, clip_on=False)
        axes.annotate(f"{size:g}", (1.05, size / reach / 2), xycoords=beside, fontsize=9, va="center", color=INK)


def _draw_actions(axes: Axes, task: Task, targets: np.ndarray, output: np.ndarray | None, *, first: bool) -> None:
    time = _edges(len(targets), task.dt)
    names = task.actions.labels()
    if isinstance(task.actions, Discrete):
        if output is not None:
            axes.pcolormesh(
                time,
                np.arange(len(names) + 1) - 0.5,
                output.T,
                cmap="Blues",
                vmin=0,
                vmax=1,
                alpha=0.85,
                rasterized=True,
            )
        held = np.append(targets, targets[-1:])
        axes.step(time, held, where="post", color=COLOURS[1], linewidth=1.8, label="target")
        axes.set_ylim(-0.6, len(names) - 0.4)
        many = len(names) > 10
        ticks = range(0, len(names), max(1, len(names) // 5)) if many else range(len(names))
        axes.set_yticks(list(ticks), [names[i] for i in ticks] if first else [""] * len(list(ticks)), fontsize=9)
        return

    def draw(values: np.ndarray, **style: Any) -> None:
        axes.step(time, np.append(values, values[-1:]), where="post", **style)

    for i, name in enumerate(names):
        draw(targets[:, i], color=COLOURS[i % 6], linewidth=1.6, linestyle="--", label=f"target {name}")
        if output is not None:
            draw(output[:, i], color=COLOURS[i % 6], linewidth=1.3, label=f"output {name}")


def _action_label(task: Task) -> str:
    return "action" if isinstance(task.actions, Discrete) else "action (task units)"


def _conditions(task: Task, batch: Any, column: int) -> str:
    """The trial's conditions in a line or two."""
    known = parameters(type(task))
    parts = []
    for name, values in batch.conditions.items():
        value = np.asarray(values)[column]
        if value.ndim:  # a condition such as a sequence has no place in a title
            continue
        plural = next((p for p in (f"{name}s", name) if p in known), None)
        unit = known[plural].units if plural else ""
        shown = f"{float(value):.4g}" if value.dtype.kind == "f" else str(value)
        parts.append(f"{name} {shown}{' %' if unit == 'percent' else f' {unit}' if unit else ''}")
    lines = [", ".join(parts[i : i + 2]) for i in range(0, min(len(parts), 6), 2)]
    return "\n".join(lines)


def _legend(figure: Figure, tints: dict[str, str], actions: Axes) -> None:
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(facecolor=tint, edgecolor=GREY, linewidth=0.4, label=name) for name, tint in tints.items()
    ]
    handles += actions.get_legend_handles_labels()[0]
    if any(hasattr(c, "get_cmap") and c.get_cmap().name == "Blues" for c in actions.collections):
        handles.append(Patch(facecolor="#3787C0", label="network: P(action)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8), fontsize=9, frameon=False)
