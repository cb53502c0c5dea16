"""Pictures of trials: what is shown, what is asked for, and what a network makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.viz.style import COLOURS, GREEN, GREY, INK, RED, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From this many channels on, a heat map reads better than traces.
_MANY = 8
_FRAMES = 6  # of a film
_WIDTH = 34  # of a line above a trial, in letters
_TINTS = ("#E8EEF4", "#FBF1DC", "#E3F1EC", "#F7E6EE", "#EFEFEF", "#E4F3FB", "#F4E9DF")


def plot_trials(task: Task, batch: Any, *, outputs: Any = None, frames: Any = None, title: str = "") -> Figure:
    """Trials side by side: what is shown above (images as frames), the target below, the reward at the bottom.

    Args:
        task: the task.
        batch: a `Batch` of `nj.render` of few trials, batch first.
        outputs: a network's output `[B, T, A]`: probabilities of discrete actions, or continuous actions.
        frames: `Frames` of `nj.play(..., output="frames")` of the same trials: their rewards are drawn.
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
    plain = [name for name, _ in task.channels.sizes if name not in task.channels.images]
    rows = [(name, 2.2) for name in task.channels.images] + [("", 3.0 if len(plain) else 0.0), ("action", 2.0)]
    rows = [(name, size) for name, size in rows if size] + ([("reward", 0.8)] if frames is not None else [])
    height = 1.0 + 0.78 * sum(size for _, size in rows)
    figure = new_figure(max((4.2 if task.channels.images else 2.9) * count + 0.9, 5.0), height)
    axes = figure.subplots(len(rows), count, squeeze=False, sharex="col", height_ratios=[size for _, size in rows])
    names = [name for i, name in enumerate(task.period_names) if np.any(np.diff(np.asarray(batch.periods)[:, i]) > 0)]
    tints = {name: _TINTS[i % len(_TINTS)] for i, name in enumerate(names)}
    everything = np.asarray(batch.inputs)[np.asarray(batch.mask)][:, _places(task, plain)]
    span = (min(float(everything.min(initial=0)), 0.0), max(float(everything.max(initial=0)), 0.0))
    span = span if span[1] > span[0] else (0.0, 1.0)
    for column in range(count):
        length = int(np.asarray(batch.lengths)[column])
        first, last = column == 0, column == count - 1
        inputs = np.asarray(batch.inputs)[column, :length]
        for i, (name, _) in enumerate(rows):
            place = axes[i, column]
            if name not in task.channels.images:
                _shade(place, task, np.asarray(batch.periods)[column], tints)
            place.set_xlim(0, length * task.dt)
            if name in task.channels.images:
                _draw_images(place, task.channels.split(inputs)[name], length * task.dt)
            elif name == "":
                _draw_inputs(place, task, inputs[:, _places(task, plain)], plain, span, first=first, last=last)
            elif name == "action":
                output = None if outputs is None else np.asarray(outputs)[column, :length]
                _draw_actions(place, task, np.asarray(batch.targets)[column, :length], output, first=first)
            elif frames is not None:
                _draw_rewards(place, task, np.asarray(frames.rewards)[column], np.asarray(frames.mask)[column])
            label = {"": "channel", "action": _action_label(task)}.get(name, name)
            end = i == len(rows) - 1
            tidy(
                place,
                x="time from trial start (ms)" if end else "",
                y=label if first else "",
                title=_conditions(task, batch, column) if i == 0 else "",
            )
            if name in task.channels.images:
                place.set_yticks([])
    _legend(figure, tints, axes[[name for name, _ in rows].index("action"), 0])
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    return figure


def draw_trials(task: Task, /, key: Any, count: int, *, title: str = "", **conditions: Any) -> Figure:
    """Draw `count` trials of a task: rendered, with the rewards of a subject that plays the target.

    Args:
        task: the task.
        key: typed key of the trials.
        count: how many trials, side by side.
        title: stands above, with the time step.
        **conditions: conditions that are given (see `nj.render`).

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.viz.trials import draw_trials
        >>> len(draw_trials(nj.make("ReadySetGo-v0"), jax.random.key(0), 1, measure=800).axes)
        3
    """
    from neurojax.data.render import render
    from neurojax.envs.rollout import play

    batch = render(task, key, count, devices=1, **conditions)
    frames = play(task, key, count, policy="oracle", output="frames", devices=1, **conditions).frames
    return plot_trials(task, batch, frames=frames, title=f"{title or task.name}, dt = {task.dt:g} ms")


def _places(task: Task, names: list[str]) -> np.ndarray:
    """The places of some channels in an observation."""
    slices = task.channels.slices
    return np.concatenate([np.arange(slices[n].start, slices[n].stop) for n in names] or [np.zeros(0, int)]).astype(int)


def _draw_images(axes: Axes, images: np.ndarray, end: float) -> None:
    """Some frames of a film `[T, height, width]`, each where it is shown, as wide as there is room."""
    low, high = float(images.min()), float(images.max())
    shown = min(_FRAMES, len(images))
    edges = np.linspace(0, end, shown + 1)
    for i in range(shown):
        at = min(int((i + 0.5) * len(images) / shown), len(images) - 1)
        axes.imshow(
            images[at], cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect="auto", interpolation="nearest",
            extent=(edges[i], edges[i + 1] - 0.03 * end / shown, 0.0, 1.0),
        )  # fmt: skip
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1)


def _draw_rewards(axes: Axes, task: Task, rewards: np.ndarray, mask: np.ndarray) -> None:
    """The reward of each step."""
    at = np.flatnonzero(mask & (rewards != 0))
    axes.axhline(0, color=GREY, linewidth=0.5)
    middle = (at + 0.5) * task.dt
    axes.vlines(middle, 0, rewards[at], color=np.where(rewards[at] > 0, GREEN, RED), linewidth=2.2)
    reach = float(np.abs(rewards).max(initial=0)) or 1.0
    axes.set_ylim(-0.15 * reach + min(0.0, float(rewards.min(initial=0))) * 1.15, 1.15 * reach)
    axes.locator_params(axis="y", nbins=3)


def _edges(length: int, dt: float) -> np.ndarray:
    return np.arange(length + 1) * dt


def _shade(axes: Axes, task: Task, periods: np.ndarray, tints: dict[str, str]) -> None:
    spans = zip(task.period_names, np.asarray(periods).tolist(), strict=True)
    for name, (start, end) in sorted(spans, key=lambda span: span[1][0] - span[1][1]):  # short ones over long ones
        if end > start:
            axes.axvspan(start * task.dt, end * task.dt, color=tints[name], linewidth=0, zorder=0)


def _draw_inputs(
    axes: Axes,
    task: Task,
    inputs: np.ndarray,
    channels: list[str],
    span: tuple[float, float],
    *,
    first: bool,
    last: bool,
) -> None:
    sizes = [(name, n) for name, n in task.channels.sizes if name in channels]
    names = [name if n == 1 else f"{name} {i}" for name, n in sizes for i in range(n)]
    time = _edges(len(inputs), task.dt)
    if len(names) >= _MANY:
        grid = axes.pcolormesh(
            time, np.arange(len(names) + 1), inputs.T, cmap="viridis", vmin=span[0], vmax=span[1], rasterized=True
        )
        if last:
            axes.figure.colorbar(grid, ax=axes, pad=0.02, label="input").ax.tick_params(labelsize=8)
        ends = np.cumsum([n for _, n in sizes])
        middles = [end - n / 2 for end, (_, n) in zip(ends, sizes, strict=True)]
        axes.set_yticks(middles, [name for name, _ in sizes] if first else [""] * len(sizes))
        for end in ends[:-1]:
            axes.axhline(end, color="white", linewidth=0.8)
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
    parts = []
    for name, values in batch.conditions.items():
        value = np.asarray(values)[column]
        if value.ndim:  # a condition such as a sequence has no place in a title
            continue
        unit = task.units(name)
        shown = f"{float(value):.4g}" if value.dtype.kind == "f" else str(value)
        parts.append(f"{name} {shown}{' %' if unit == 'percent' else f' {unit}' if unit else ''}")
    lines: list[str] = []
    for part in parts[:6]:  # two in a line, where they fit beside the next trial's
        if lines and ", " not in lines[-1] and len(lines[-1]) + len(part) < _WIDTH:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
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
