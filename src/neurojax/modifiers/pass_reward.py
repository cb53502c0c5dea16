"""The last reward as an observation."""

from __future__ import annotations

import math

import jax.numpy as jnp

from neurojax.core.task import Deviation, Task
from neurojax.modifiers.base import Following, with_channel


class PassReward(Following):
    """A task that shows the reward received one step before, also across the boundary between two trials.

    The channel `reward` holds all that the subject received at that step, also what modifiers outside of this one add.
    At a session's first step it is 0. In a streamed session, where the oracle acts until the scheduled end, a trial
    begins with the reward of the step that decided the trial before.

    Conditions: `last_reward`, of the last step of the trial before, and those of the task.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.pass_reward import pass_reward
        >>> task = pass_reward(nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 300}))
        >>> run = nj.rollout(task, jax.random.key(0), 1, 50)
        >>> bool((run.trajectory.observations[0, 1:, -1] == run.trajectory.rewards[0, :-1]).all())
        True
    """

    ONCE = True
    DEVIATIONS = (
        Deviation(
            what="first observation",
            neurogym="shows the reward of the hidden step that reset takes",
            here="shows 0",
            reason="nothing has been received yet",
            kind="interface",
        ),
        Deviation(
            what="rewards of wrappers outside",
            neurogym="are not shown",
            here="are shown",
            reason="what is shown must be what was received",
        ),
    )

    def validate(self) -> None:
        super().validate()
        _ = self.channels

    @property
    def channels(self):
        return with_channel(self.inner, "reward", 1, -math.inf, math.inf)

    @property
    def closed_loop(self):
        return True

    def own_memory(self, draw):
        return jnp.float32(0)

    def next_own(self, own, trial, result, draw):
        return jnp.asarray(result.last_reward)

    def conditions(self, draw, memory):
        inner = self.inner.conditions(draw, memory["inner"])
        return {**inner, "last_reward": draw.remembered("last_reward", memory["own"])}

    def own_state(self, trial):
        return trial["last_reward"]

    def next_state(self, own, action, reward):
        return jnp.asarray(reward, jnp.float32)

    def observe(self, trial, state, t):
        return {**super().observe(trial, state, t), "reward": state["own"]}

    def references(self):
        return self.inner.references()


def pass_reward(task: Task) -> PassReward:
    """A task that shows the last reward, in a channel `reward` behind the others.

    Args:
        task: any task without such a channel.

    Raises:
        InvalidArgument: if the task shows it already.
    """
    return PassReward.around(task)
