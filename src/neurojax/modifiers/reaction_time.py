"""Reaction time: the subject may answer as soon as the stimulus is on."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import quantity, structure
from neurojax.core.task import Deviation, Task
from neurojax.core.timing import whole_steps
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Modifier, tell

_LONG = 1e9  # ms; a period without an upper end is at least as long


class ReactionTime(Modifier):
    """A reaction-time version of a task with the periods `stimulus` and `decision`.

    The decision period begins one step after the stimulus does. The trial ends with the stimulus, or, with
    `end_on_stimulus=False`, when it did before. Where there are several stimuli (`stimulus`, `stimulus2`), the last
    that lasts is the one that may be answered, for the answer depends on it.

    Example:
        >>> import neurojax as nj
        >>> task = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0"), urgency=-0.01)
        >>> task.capacity
        21
    """

    ONCE = True
    READS_CLOCK = True
    DEVIATIONS = (
        Deviation(
            what="response in the delay, with end_on_stimulus=False",
            neurogym="is always wrong: the ground truth is 0 there",
            here="is scored as at any other time",
            reason="the score must follow the choice",
            affects=("target", "reward", "performance"),
        ),
        Deviation(
            what="several stimuli",
            neurogym="crashes where none is called `stimulus`, and else lets the first be answered",
            here="the last is answered",
            reason="there is no answer before it",
        ),
        Deviation(
            what="cue that lasts until the decision",
            neurogym="stays on through the stimulus, though choices count there",
            here="goes off one step after the stimulus begins, when choices count",
            reason="the cue tells when to choose",
            kind="interface",
            affects=("observation",),
        ),
    )

    urgency: Any = quantity(0.0, doc="reward added at every step; below 0 it is a cost of time")
    end_on_stimulus: bool = structure(True, choices=(True, False), doc="whether the trial ends with the stimulus")

    @classmethod
    def label(cls) -> str:
        return "reaction_time"

    def validate(self) -> None:
        names = self.inner.period_names
        if not self._stimuli() or "decision" not in names:
            raise InvalidArgument(
                f"reaction_time needs the periods 'stimulus' and 'decision'; {self.inner.name} has {', '.join(names)}"
            )
        super().validate()
        laws = [self.inner.laws[name] for name in self._stimuli() if name in self.inner.laws]
        needed = 2 if self.end_on_stimulus else 1
        longest = _longest(laws, self.dt, _rows(self.inner))
        if len(laws) == len(self._stimuli()) and longest < needed:
            raise InvalidArgument(
                f"reaction_time needs a stimulus of {needed} step{'s' * (needed > 1)} or more, to be answered while it "
                f"is on; that of {self.inner.name} lasts {longest}: it is answered as soon as it is shown already, "
                "or its time is too short"
            )

    def _stimuli(self) -> list[str]:
        return [name for name in self.inner.period_names if re.fullmatch(r"stimulus\d*", name)]

    def periods(self, conditions, steps):
        periods = self.inner.periods(conditions, steps)
        first, *others = self._stimuli()
        on, off = periods[first]
        for name in others:
            start, end = periods[name]
            lasts = end > start
            on, off = _either(lasts, start, on), _either(lasts, end, off)
        if not self.end_on_stimulus:
            return {**periods, "decision": (on + 1, periods["decision"][1])}
        cut = {name: (_least(start, off), _least(end, off)) for name, (start, end) in periods.items()}
        return {**cut, "decision": (_least(on + 1, off), off)}

    @property
    def unused_periods(self):
        names, laws, rows = list(self.inner.period_names), self.inner.laws, _rows(self.inner)
        lasting = [name for name in self._stimuli() if name not in laws or _longest([laws[name]], self.dt, rows)]
        dropped = names[names.index((lasting or self._stimuli())[-1]) + 1 :] if self.end_on_stimulus else ()
        return (*self.inner.unused_periods, *dropped)

    def longest(self):
        try:
            return self.inner.longest() if _rows(self.inner) else self.longest_under({})
        except KeyError:  # its periods follow from conditions that it alone knows: room for the whole of it
            return self.inner.longest()

    def respond(self, trial, state, action, t, draw):
        came = self.inner.respond(trial, state, action, t, draw)
        reward = came.reward + self.urgency
        return came.replace(reward=reward, state=tell(self.inner, came.state, action, reward))

    def references(self):
        inner = self.inner.references()  # who waits until the stimulus ends has seen as much as ever
        return {name: inner[name] for name in ("ideal", "blind") if name in inner}


def reaction_time(task: Task, *, urgency: float = 0.0, end_on_stimulus: bool = True) -> ReactionTime:
    """The reaction-time version of a task: the decision period begins one step after the stimulus.

    Args:
        task: a task with the periods `stimulus` (or several, numbered) and `decision`.
        urgency: reward added at every step.
        end_on_stimulus: whether the trial ends with the stimulus.

    Raises:
        InvalidArgument: if the task has no such periods, or no time to answer in, or a reaction-time version already.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0"))
        >>> nj.play(task, jax.random.key(0), 2, policy="oracle").result.response_step.tolist()
        [2, 2]
    """
    return ReactionTime.around(task, urgency=urgency, end_on_stimulus=end_on_stimulus)


# Durations are Python's where the longest trial is asked for, which need no compiling, and traced in a trial.


def _either(condition: Any, a: Any, b: Any) -> Any:
    return (a if condition else b) if isinstance(condition, (bool, np.bool_)) else jnp.where(condition, a, b)


def _least(a: Any, b: Any) -> Any:
    whole = (int, np.integer)
    return min(a, b) if isinstance(a, whole) and isinstance(b, whole) else jnp.minimum(a, b)


def _rows(task: Task) -> int:
    """How many tasks a stack holds; 0 where it is no stack."""
    base = task.base if isinstance(task, Modifier) else task
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(base.rewards)]
    return shapes[0][0] if shapes and shapes[0] else 0


def _longest(laws: list[Any], dt: float, rows: int) -> int:
    """The greatest length in steps of any of the periods with these laws; in a stack, that of its shortest row."""
    lengths = [np.reshape(whole_steps(np.minimum(_upper(law), _LONG), dt), (max(rows, 1), -1)) for law in laws]
    return int(np.min(np.max(np.concatenate(lengths, axis=1), axis=1))) if lengths else 0


def _upper(law: Any) -> np.ndarray:
    """The durations in ms that a law, or a row of stacked ones, does not exceed."""
    known = next((getattr(law, name) for name in ("high", "values", "duration", "end") if hasattr(law, name)), None)
    return np.asarray(law.upper() if known is None else known, np.float32)
