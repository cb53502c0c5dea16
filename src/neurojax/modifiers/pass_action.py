"""The last action as an observation."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from neurojax.core.parameters import structure
from neurojax.core.spaces import Discrete
from neurojax.core.task import Deviation, Task
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Following, with_channel


class PassAction(Following):
    """A task that shows the action taken one step before, also across the boundary between two trials.

    The channel `action` holds its number, or with `one_hot` one place for each action; of continuous actions `[A]` it
    holds them. At a session's first step nothing has been done: then it shows action 0 (with `one_hot` that of the
    first place), or zeros. In a streamed session, where the oracle acts until the scheduled end, a trial begins with
    the action that decided the trial before.

    Conditions: `last_action`, the one that ended the trial before, and those of the task.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.pass_action import pass_action
        >>> task = pass_action(nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 300}))
        >>> run = nj.rollout(task, jax.random.key(0), 1, 50)
        >>> bool((run.trajectory.observations[0, 1:, -1] == run.trajectory.actions[0, :-1]).all())
        True
    """

    ONCE = True
    DEVIATIONS = (
        Deviation(
            what="first observation",
            neurogym="shows the random action of the hidden step that reset takes",
            here="shows action 0",
            reason="nothing has been done yet",
            kind="interface",
        ),
    )

    one_hot: bool = structure(False, choices=(True, False), source="neurojax", doc="whether each action has a place")

    def validate(self) -> None:
        super().validate()
        if self.one_hot and not isinstance(self.inner.actions, Discrete):
            raise InvalidArgument(f"pass_action: one_hot is for discrete actions; those of {self.inner.name} are not")
        _ = self.channels

    @property
    def channels(self):
        actions = self.inner.actions
        if not isinstance(actions, Discrete):
            return with_channel(self.inner, "action", actions.size, -math.inf, math.inf)
        if self.one_hot:
            return with_channel(self.inner, "action", actions.size, 0.0, 1.0)
        return with_channel(self.inner, "action", 1, 0.0, float(actions.size - 1))

    @property
    def closed_loop(self):
        return True

    def own_memory(self, draw):
        return jnp.zeros(self.inner.actions.shape, self.inner.actions.dtype)

    def next_own(self, own, trial, result, draw):
        return result.choice

    def conditions(self, draw, memory):
        actions = self.inner.actions
        count = actions.size if isinstance(actions, Discrete) else None
        inner = self.inner.conditions(draw, memory["inner"])
        return {**inner, "last_action": draw.remembered("last_action", memory["own"], count)}

    def own_state(self, trial):
        return trial["last_action"]

    def next_state(self, own, action, reward):
        return action

    def observe(self, trial, state, t):
        last: Any = state["own"]
        shown = jax.nn.one_hot(last, self.inner.actions.size, dtype=jnp.float32) if self.one_hot else last
        return {**super().observe(trial, state, t), "action": shown}

    def references(self):
        return self.inner.references()


def pass_action(task: Task, *, one_hot: bool = False) -> PassAction:
    """A task that shows the last action, in a channel `action` behind the others.

    Args:
        task: any task without such a channel.
        one_hot: whether each discrete action has a place of its own, instead of its number.

    Raises:
        InvalidArgument: if the task shows it already, or `one_hot` does not fit its actions.
    """
    return PassAction.around(task, one_hot=one_hot)
