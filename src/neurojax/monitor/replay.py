"""What went on inside a policy while it played: its carry at every step, computed again from what it saw."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import Chance, key_words
from neurojax.core.lanes import lane_numbers
from neurojax.core.policy import Policy, as_policy
from neurojax.core.task import Task
from neurojax.data.sessions import SessionData
from neurojax.errors import InvalidArgument


def carries(task: Task, data: SessionData, policy: Any, carry: Any = None) -> Any:
    """The carry of a policy after each step of the sessions that it played, its own noise included.

    Args:
        task: the task.
        data: from `nj.session(task, key, ..., policy=policy, carry=carry)`.
        policy: who played.
        carry: the policy's carry at the start, of one lane.

    Returns:
        The carry's pytree with NumPy arrays `[B, K, T, ...]`; after a trial's end, the carry at its end.

    Raises:
        InvalidArgument: if nobody played, or the policy does not act here as it did there.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.monitor.replay import carries
        >>> def count(carry, obs, first, key):
        ...     return carry + 1, 0
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> data = nj.session(task, jax.random.key(0), 2, policy=count, carry=0)
        >>> carries(task, data, count, 0)[0, :, [0, -1]].tolist()
        [[1, 23], [22, 44]]
    """
    if data.actions is None:
        raise InvalidArgument("nobody played these sessions; use nj.session(policy=...)")
    played = jax.tree.map(jnp.asarray, (data.inputs, data.targets, data.actions, data.rewards, data.mask, data.starts))
    held, actions = _replayed(task, key_words(data.key), as_policy(policy, task, carry), *played)
    there = data.mask
    if not np.allclose(np.asarray(actions)[there], data.actions[there], atol=1e-4):
        raise InvalidArgument("the policy does not act as it did in these sessions; give the one that played them")
    return jax.tree.map(np.asarray, held)


@jax.jit
def _replayed(task: Task, words, actor: Policy, inputs, targets, actions, rewards, mask, starts):
    def lane(lane, inputs, targets, actions, rewards, mask, starts):
        chance = Chance(words, lane)

        def trial(carry, held):
            *frames, start = held

            def step(carry, held):
                t, seen, best, taken, reward, on = held
                n = start + t
                after = actor.begun(carry, n == 0)
                after, action = actor(after, seen, t == 0, chance.at("policy", n), best)
                after = actor.told(after, taken, reward)
                carry = jax.tree.map(lambda new, old: jnp.where(on, new, old), after, carry)
                return carry, (carry, jnp.asarray(action).astype(task.actions.dtype))

            return jax.lax.scan(step, carry, (jnp.arange(mask.shape[1], dtype=jnp.int32), *frames))

        start = jax.tree.map(jnp.asarray, actor.start)
        return jax.lax.scan(trial, start, (inputs, targets, actions, rewards, mask, starts))[1]

    lanes = lane_numbers(mask.shape[0])
    return jax.vmap(lane)(lanes, inputs, targets, actions, rewards, mask, starts)
