"""What a trial is, and what comes of an action in it."""

from __future__ import annotations

import enum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct


class Outcome(enum.IntEnum):
    """How a trial ended. NONE while it runs."""

    NONE = 0
    CORRECT = 1
    ERROR = 2
    ABORT = 3  # the subject broke a rule that ends the trial
    MISS = 4  # the time to respond passed without a response
    TIMEOUT = 5  # cut at the task's capacity, so nobody's fault


class Drawn(struct.PyTreeNode):
    """What chance decided about a trial: all that a session must keep of it.

    Attributes:
        conditions: scalars by name.
        durations: int32 whole steps by period, of the periods whose law is random.
    """

    conditions: dict[str, jax.Array]
    durations: dict[str, jax.Array]


class Trial(struct.PyTreeNode):
    """A trial with its clock, unbatched. Times are whole steps from the trial's start.

    Attributes:
        conditions: scalars by name, also as `trial["coherence"]`.
        start, end: int32 by period; a period is on at `start <= t < end`.
        length: int32, the steps until the trial ends by itself.
        overflow: bool, whether its periods outgrew the capacity and were cut.
    """

    conditions: dict[str, jax.Array]
    start: dict[str, jax.Array]
    end: dict[str, jax.Array]
    length: jax.Array
    overflow: jax.Array

    def __getitem__(self, name: str) -> jax.Array:
        return self.conditions[name]

    def during(self, period: str, t) -> jax.Array:
        """Whether `period` is on at step `t`."""
        return (t >= self.start[period]) & (t < self.end[period])

    def bounds(self, periods: tuple[str, ...]) -> jax.Array:
        """int32 `[P, 2]`: start and end of each period."""
        return jnp.stack([jnp.stack([self.start[p], self.end[p]]) for p in periods])

    def last(self, t) -> jax.Array:
        """Whether `t` is the trial's last step."""
        return t + 1 >= self.length


class Consequence(struct.PyTreeNode):
    """What an action brings about.

    Attributes:
        reward: float32.
        end: bool, whether the action ends the trial.
        outcome: int32 `Outcome`, read where the trial ends.
        performance: float32 in [0, 1], read where the trial ends.
        state: the trial's next state.
    """

    reward: Any
    end: Any
    outcome: Any
    performance: Any
    state: Any


class Result(struct.PyTreeNode):
    """How a trial went; read where it ends.

    Attributes:
        choice: the action that ended it (int32, or float32 `[A]`).
        response_step: int32, the step in the trial that this action answered.
        reward: float32, summed over the trial.
        outcome: int32 `Outcome`.
        performance: float32 in [0, 1].
        last_reward: float32, of the step that ended it.
    """

    choice: jax.Array
    response_step: jax.Array
    reward: jax.Array
    outcome: jax.Array
    performance: jax.Array
    last_reward: Any = np.float32(0)


def consequence(
    *,
    reward: Any = 0.0,
    end: Any = False,
    correct: Any = None,
    outcome: Any = None,
    performance: Any = None,
    state: Any = (),
) -> Consequence:
    """A `Consequence` with float32, bool and int32 parts.

    Args:
        reward: the step's reward.
        end: whether the trial ends.
        correct: whether it ends well: sets outcome CORRECT or ERROR and performance 1 or 0 where they are not given.
        outcome: an `Outcome`.
        performance: in [0, 1].
        state: the next state of the trial.
    """
    if outcome is None:
        outcome = Outcome.NONE if correct is None else jnp.where(correct, int(Outcome.CORRECT), int(Outcome.ERROR))
    if performance is None:
        performance = 0.0 if correct is None else correct
    return Consequence(
        reward=jnp.asarray(reward, jnp.float32),
        end=jnp.asarray(end, jnp.bool_),
        outcome=jnp.asarray(outcome, jnp.int32),
        performance=jnp.asarray(performance).astype(jnp.float32),
        state=state,
    )
