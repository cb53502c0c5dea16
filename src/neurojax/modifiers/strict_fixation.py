"""Strict fixation: who does not fixate until the decision loses the trial."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from neurojax.core.parameters import quantity, structure
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Modifier, check_rests, tell


class StrictFixation(Modifier):
    """A task in which any action but fixation, before the decision, ends the trial as aborted.

    Without it a subject may hold its choice all along, in a task that forgives early actions: nothing then has to be
    remembered, nor the go cue awaited. A break costs the task's `rewards["abort"]`, where it has that, and `penalty`.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.strict_fixation import strict_fixation
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> result = nj.play(strict_fixation(task), jax.random.key(0), 1, policy=1).result
        >>> nj.Outcome(int(result.outcome[0])).name, int(result.response_step[0])
        ('ABORT', 0)
    """

    ONCE = True
    READS_CLOCK = True

    penalty: Any = quantity(0.0, source="neurojax", doc="reward added where fixation breaks; below 0 it is a cost")
    until: str = structure("decision", text=True, source="neurojax", doc="the period in which other actions are free")

    def validate(self) -> None:
        names = self.inner.period_names
        if self.until not in names:
            raise InvalidArgument(
                f"strict_fixation holds until a period that the task has; {self.inner.name} has no {self.until!r}, but "
                f"{', '.join(names)} (say which with until=)"
            )
        super().validate()
        check_rests(self.inner, "strict_fixation")

    @property
    def unused_parameters(self):
        return (*self.inner.unused_parameters, "abort", "strict_fixation")  # which can say no more than this does

    def respond(self, trial, state, action, t, draw):
        came = self.inner.respond(trial, state, action, t, draw)
        breaks = (action != 0) & (t < trial.start[self.until])
        base = self.inner.base if isinstance(self.inner, Modifier) else self.inner
        lost = base.rewards.get("abort", 0.0) + self.penalty
        reward = jnp.where(breaks, lost, came.reward)
        return came.replace(
            reward=reward,
            end=came.end | breaks,
            outcome=jnp.where(breaks, int(Outcome.ABORT), came.outcome),
            performance=jnp.where(breaks, 0.0, came.performance),
            state=tell(self.inner, came.state, action, reward),
        )

    def references(self):
        inner = self.inner.references()  # who fixates loses nothing
        return {name: inner[name] for name in ("ideal", "blind") if name in inner}


def strict_fixation(task: Task, *, until: str = "decision", penalty: float = 0.0) -> StrictFixation:
    """A task in which a break of fixation aborts the trial, and so does an early answer.

    Args:
        task: a task of discrete actions, the first of which is to fixate (or wait, hold, rest).
        until: the period from whose start on other actions are free.
        penalty: reward added where fixation breaks.

    Raises:
        InvalidArgument: if the task has no such period or action, or is strict by this already.
    """
    return StrictFixation.around(task, until=until, penalty=penalty)
