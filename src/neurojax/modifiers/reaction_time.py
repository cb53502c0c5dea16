"""Reaction time: the subject may answer as soon as the stimulus is on."""

from __future__ import annotations

from typing import Any

from neurojax.core.parameters import quantity, structure
from neurojax.core.task import Deviation, Task
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Modifier


class ReactionTime(Modifier):
    """A reaction-time version of a task with the periods `stimulus` and `decision`.

    The decision period begins one step after the stimulus does. The trial ends with the stimulus, or, with
    `end_on_stimulus=False`, when it did before.

    Example:
        >>> import neurojax as nj
        >>> task = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0"), urgency=-0.01)
        >>> task.capacity
        21
    """

    DEVIATIONS = (
        Deviation(
            what="response in the delay, with end_on_stimulus=False",
            neurogym="is always wrong: the ground truth is 0 there",
            here="is scored as at any other time",
            reason="the score must follow the choice",
            affects=("target", "reward", "performance"),
        ),
    )

    urgency: Any = quantity(0.0, doc="reward added at every step; below 0 it is a cost of time")
    end_on_stimulus: bool = structure(True, choices=(True, False), doc="whether the trial ends with the stimulus")

    @classmethod
    def label(cls) -> str:
        return "reaction_time"

    def validate(self) -> None:
        for period in ("stimulus", "decision"):
            if period not in self.inner.period_names:
                raise InvalidArgument(
                    f"reaction_time needs the periods 'stimulus' and 'decision'; {self.inner.name} has "
                    f"{', '.join(self.inner.period_names)}"
                )
        if any(isinstance(layer, ReactionTime) for layer in _layers(self.inner)):
            raise InvalidArgument("reaction_time is applied already; applying it twice has no meaning")

    def periods(self, conditions, steps):
        periods = self.inner.periods(conditions, steps)
        on, off = periods["stimulus"]
        if not self.end_on_stimulus:
            return {**periods, "decision": (on + 1, periods["decision"][1])}
        return {**periods, **dict.fromkeys(self._after(), (off, off)), "decision": (on + 1, off)}

    def _after(self) -> list[str]:
        """The periods that the trial held after the stimulus, which are left out."""
        names = list(self.inner.period_names)
        return names[names.index("stimulus") + 1 :]

    @property
    def unused_periods(self):
        dropped = tuple(self._after()) if self.end_on_stimulus else ()
        return (*self.inner.unused_periods, *dropped)

    def longest(self):
        return self.longest_under({})

    def respond(self, trial, state, action, t, draw):
        came = self.inner.respond(trial, state, action, t, draw)
        return came.replace(reward=came.reward + self.urgency)

    def references(self):
        inner = self.inner.references()  # who waits until the stimulus ends has seen as much as ever
        return {name: inner[name] for name in ("ideal", "blind") if name in inner}


def reaction_time(task: Task, *, urgency: float = 0.0, end_on_stimulus: bool = True) -> ReactionTime:
    """The reaction-time version of a task: the decision period begins one step after the stimulus.

    Args:
        task: a task with the periods `stimulus` and `decision`.
        urgency: reward added at every step.
        end_on_stimulus: whether the trial ends with the stimulus.

    Raises:
        InvalidArgument: if the task has no such periods, or has a reaction-time version already.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0"))
        >>> nj.play(task, jax.random.key(0), 2, policy="oracle").result.response_step.tolist()
        [2, 2]
    """
    return ReactionTime.around(task, urgency=urgency, end_on_stimulus=end_on_stimulus)


def _layers(task: Task):
    while isinstance(task, Modifier):
        yield task
        task = task.inner
