"""Who acts: built-in policies, and those that users bring."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.node import Node
from neurojax.core.parameters import is_traced
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, suggest

NAMED = ("random", "oracle")


class Policy(Node):
    """A policy as the views call it: unbatched, a pytree.

    Attributes:
        kind: "random", "oracle", "constant" or "function" (static).
        actions: the task's actions (static).
        value: the constant action, or the user's function as a `jax.tree_util.Partial`.
        start: the function's first carry, unbatched.
    """

    kind: str = struct.field(pytree_node=False)
    actions: Any = struct.field(pytree_node=False)
    value: Any = None
    start: Any = None

    def __call__(self, carry, obs, first, chance, best):
        """The next carry and the action in answer to `obs` `[D]`.

        `chance` is this lane's at this step; `best` is the task's target.
        """
        if self.kind == "random":
            return carry, self.actions.random(chance)
        if self.kind == "oracle":
            return carry, best
        if self.kind == "constant":
            return carry, jnp.asarray(self.value)
        return self.value(carry, obs, first, chance.key())

    # What follows is for agents that learn; a policy of the user's has none of it.

    def begun(self, carry, started):
        """The carry before a step, given whether that is an episode's first."""
        return carry

    def told(self, carry, action, reward):
        """The carry after the action that the task took, and the reward that it gave."""
        return carry

    def note(self, carry) -> Any:
        """What a trajectory is to keep of this step beside what happened: a pytree, by default an empty one."""
        return ()


def as_policy(policy: Any, task: Task, start: Any = None) -> Policy:
    """A `Policy` from what users write: "random", "oracle", an action, or `policy(carry, obs, first, key)`.

    Raises:
        InvalidArgument: if it is none of these, or an action that the task does not have.
    """
    if isinstance(policy, Policy):
        return policy
    actions = task.actions
    if isinstance(policy, str):
        if policy not in NAMED:
            raise InvalidArgument(f"unknown policy {policy!r}; {suggest(policy, NAMED)}")
        return Policy(policy, actions)
    if callable(policy):
        function = policy if isinstance(policy, jax.tree_util.Partial) else jax.tree_util.Partial(policy)
        return Policy("function", actions, function, jax.tree.map(jnp.asarray, start))
    if not is_traced(policy):
        _check_action(policy, actions)
    return Policy("constant", actions, jnp.asarray(policy).astype(actions.dtype))


def _check_action(action: Any, actions: Any) -> None:
    value = np.asarray(action)
    if value.dtype.kind not in "iuf" or value.shape != actions.shape:
        raise InvalidArgument(f"policy must be a name, an action or a function, got {action!r}")
    if isinstance(actions, Discrete):
        if value.dtype.kind == "f" or not 0 <= value < actions.size:
            raise InvalidArgument(f"the action must be a whole number in 0 .. {actions.size - 1}, got {action!r}")
    elif np.any(value < np.asarray(actions.low)) or np.any(value > np.asarray(actions.high)):
        raise InvalidArgument(f"the action must lie between {actions.low} and {actions.high}, got {action!r}")
