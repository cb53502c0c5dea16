"""Frames of an environment: the trial before and the running one, drawn as `neurojax.viz.trials` draws trials."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np

from neurojax.core.task import Task

_DPI = 80
_COLUMNS = 2


@dataclasses.dataclass
class _Shown:
    """A trial as it was stepped.

    Attributes:
        length: its scheduled length in steps.
        periods: int `[P, 2]`.
        conditions: by name.
        observations, actions, targets, rewards: of its steps so far; one observation more while it runs.
        number: how many trials there were before.
    """

    length: int
    periods: np.ndarray
    conditions: dict[str, Any]
    number: int
    observations: list[np.ndarray] = dataclasses.field(default_factory=list)
    actions: list[Any] = dataclasses.field(default_factory=list)
    targets: list[Any] = dataclasses.field(default_factory=list)
    rewards: list[float] = dataclasses.field(default_factory=list)

    @property
    def end(self) -> int:
        """Its length in steps: as it was played where it is over, else as it is scheduled."""
        steps = len(self.observations)
        return steps if len(self.actions) == steps else max(self.length, steps)


class Drawing:
    """What one environment shows: it is told of each observation and answer, and draws when asked to.

    Args:
        task: the task that is stepped.
    """

    def __init__(self, task: Task):
        self.task = task
        self.trials: list[_Shown] = []

    def restart(self) -> None:
        """Forget the trials: another session begins."""
        self.trials = []

    def begin(self, observation: np.ndarray, length: int, periods: np.ndarray, conditions: dict[str, Any]) -> None:
        """A trial begins with its first observation."""
        number = self.trials[-1].number + 1 if self.trials else 0
        shown = _Shown(length, np.array(periods), conditions, number, [np.array(observation)])
        self.trials = [*self.trials, shown][-_COLUMNS:]

    def see(self, observation: np.ndarray) -> None:
        """The running trial goes on."""
        self.trials[-1].observations.append(np.array(observation))

    def answer(self, action: Any, target: Any, reward: float) -> None:
        """The last observation was answered."""
        now = self.trials[-1]
        now.actions.append(action)
        now.targets.append(target)
        now.rewards.append(reward)

    def picture(self) -> np.ndarray:
        """uint8 `[height, width, 3]`; all of one size, with even sides (as video formats want them)."""
        from neurojax.viz.style import INK
        from neurojax.viz.trials import plot_trials

        task, images = self.task, self.task.channels.images
        batch, frames = self._as_batch()
        number = self.trials[-1].number + 1
        title = f"{task.name}, trial {number}; dots: actions taken"
        figure = plot_trials(task, batch, frames=frames, title=title)
        count = len(self.trials)
        row = len(images) + (len(images) < len(task.channels.sizes))
        for column, trial in enumerate(self.trials):
            if trial.actions:
                middle = (np.arange(len(trial.actions)) + 0.5) * task.dt
                figure.axes[row * count + column].plot(middle, np.asarray(trial.actions), ".", color=INK, markersize=4)
        width = (4.2 if images else 2.9) * _COLUMNS + 0.9
        figure.set_size_inches(width, figure.get_figheight())
        figure.set_dpi(_DPI)
        canvas: Any = figure.canvas
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        return np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])

    def _as_batch(self) -> tuple[Any, Any]:
        """The trials as a batch: over when they were answered, or running until their scheduled end with NaN ahead."""
        task, trials = self.task, self.trials
        ends = [trial.end for trial in trials]
        steps = max(ends)
        shape = (len(trials), steps)
        ahead = 0.0 if task.channels.images else np.nan  # an image has no gaps
        inputs = np.full((*shape, task.channels.size), ahead, np.float32)
        targets = np.full((*shape, *task.actions.shape), np.nan, np.float32)
        mask, rewards = np.zeros(shape, bool), np.zeros(shape, np.float32)
        for i, trial in enumerate(trials):
            inputs[i, : len(trial.observations)] = trial.observations
            mask[i, : len(trial.observations)] = True
            if trial.actions:
                targets[i, : len(trial.targets)] = trial.targets
                rewards[i, : len(trial.rewards)] = trial.rewards
        conditions = {name: [trial.conditions[name] for trial in trials] for name in trials[0].conditions}
        periods = np.stack([np.minimum(t.periods, end) for t, end in zip(trials, ends, strict=True)])
        batch = SimpleNamespace(
            inputs=inputs, targets=targets, mask=mask, lengths=np.array(ends), periods=periods, conditions=conditions
        )
        return batch, SimpleNamespace(rewards=rewards, mask=mask)
