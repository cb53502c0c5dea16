"""Nothing to see, nothing to do."""

from __future__ import annotations

import jax.numpy as jnp

from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Task
from neurojax.core.trial import consequence


class Null(Task):
    """The empty task, to measure what surrounds a task: one channel that stays 0, one action, no reward.

    A trial lasts its stated time. Nothing can be done well or badly, so a trial ends as a miss, at performance 0.

    Channels: `nothing`. Actions: 0 waits. Conditions: none.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> nj.render(nj.make("Null-v0"), jax.random.key(0), 2).inputs.shape
        (2, 100, 1)
    """

    TIMING = {"trial": 10000}
    TAGS = ("supervised",)

    @property
    def channels(self) -> Channels:
        return Channels.named(nothing=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(wait=1)

    def observe(self, trial, state, t):
        return {}

    def target(self, trial, state, t):
        return jnp.int32(0)

    def weight(self, trial, state, t):
        return 0.0  # nothing can be learned

    def respond(self, trial, state, action, t, draw):
        return consequence()
