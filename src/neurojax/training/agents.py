"""Recurrent agents that act by chance and expect a return: what actor-critic training trains."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, struct

from neurojax.core.chance import Chance
from neurojax.core.policy import Policy
from neurojax.core.spaces import Box, Discrete
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument
from neurojax.networks import Network, make_network, step_noise

_HALF_LOG_TWO_PI = np.float32(0.5 * np.log(2 * np.pi))


class Past(struct.PyTreeNode):
    """What an agent carries from step to step, of one lane.

    Attributes:
        carry: of its network.
        action: its last action, as the task took it.
        reward: float32, what that brought.
        note: what training keeps of the step.
    """

    carry: Any
    action: Any
    reward: Any
    note: Note


class Note(struct.PyTreeNode):
    """What training keeps of a step.

    Attributes:
        inputs: float32 `[D']`, what the network saw.
        drawn: the action before it was brought within the task's bounds.
        log_probability: float32, of `drawn`.
        value: float32, the return that the critic expected.
    """

    inputs: Any
    drawn: Any
    log_probability: Any
    value: Any


class Agent(Policy):
    """An actor and its critic in one recurrent network, as a policy for `nj.rollout`, `nj.play` and `nj.session`.

    The network's outputs are the A logits of the actions (or the means of A normals, for continuous actions) and the
    value, last. Its inputs are the observation and, with `sees_past`, its last action (one-hot, or as it was) and its
    last reward; both are 0 at the start of an episode. Its state is carried across the trials of an episode.

    Attributes:
        graphdef: of the network (static).
        sees_past: whether it sees its last action and reward (static).
        greedy: whether it takes the likeliest action rather than drawing one (static).
        params: `network`, and `log_std` `[A]` for continuous actions.
        rest: the network's variables that are not trained.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.training.agents import make_agent
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> agent = make_agent(task, "gru", 16, jax.random.key(0))
        >>> nj.rollout(task, jax.random.key(1), 8, 50, policy=agent).trajectory.actions.shape
        (8, 50)
    """

    graphdef: Any = struct.field(pytree_node=False, default=None)
    sees_past: bool = struct.field(pytree_node=False, default=True)
    greedy: bool = struct.field(pytree_node=False, default=False)
    params: Any = None
    rest: Any = None

    def __call__(self, carry: Past, obs, first, chance, best):
        network = self.network()
        seen = self.inputs(obs, carry.action, carry.reward)
        outputs, _, inner = network.step(carry.carry, seen, agent_noise(network, chance))
        drawn = self.likeliest(outputs) if self.greedy else self.draw(outputs, chance)
        note = Note(seen, drawn, self.log_probability(outputs, drawn, self.params), outputs[..., -1])
        return carry.replace(carry=inner, note=note), self.bounded(drawn)

    def begun(self, carry: Past, started):
        return jax.tree.map(lambda start, c: jnp.where(started, start, c), self.start, carry)

    def told(self, carry: Past, action, reward):
        return carry.replace(action=action, reward=reward)

    def note(self, carry: Past):
        return carry.note

    def network(self) -> Network:
        """The network."""
        return nnx.merge(self.graphdef, self.params["network"], self.rest)

    def inputs(self, obs, action, reward):
        """What the network sees `[D']` of an observation `[D]`, the last action and the last reward."""
        if not self.sees_past:
            return obs
        if isinstance(self.actions, Discrete):
            # an episode's first step comes after no action: -1, which has no place
            action = (action == jnp.arange(self.actions.size, dtype=action.dtype)).astype(obs.dtype)
        return jnp.concatenate([obs, action, reward[None]], axis=-1)

    def draw(self, outputs, chance):
        """An action by chance, of outputs `[A + 1]`."""
        outputs = outputs[:-1]
        if isinstance(self.actions, Discrete):
            u = jnp.maximum(chance.fold(3).uniform(outputs.shape), np.float32(1e-20))
            return jnp.argmax(outputs - jnp.log(-jnp.log(u)), axis=-1).astype(jnp.int32)
        return outputs + jnp.exp(self.params["log_std"]) * chance.fold(3).normal(outputs.shape)

    def likeliest(self, outputs):
        """The likeliest action, of outputs `[A + 1]`."""
        if isinstance(self.actions, Discrete):
            return jnp.argmax(outputs[:-1], axis=-1).astype(jnp.int32)
        return outputs[:-1]

    def bounded(self, drawn):
        """The action that the task gets."""
        if isinstance(self.actions, Discrete):
            return drawn
        low, high = self.actions.bounds()
        return jnp.clip(drawn, low, high)

    def log_probability(self, outputs, drawn, params):
        """float32 `[...]`: the log probability (density) of actions, of outputs `[..., A + 1]`."""
        outputs = outputs[..., :-1]
        if isinstance(self.actions, Discrete):
            taken = drawn[..., None] == jnp.arange(outputs.shape[-1], dtype=drawn.dtype)
            return jnp.sum(jnp.where(taken, jax.nn.log_softmax(outputs), 0), axis=-1)
        log_std = params["log_std"]
        z = (drawn - outputs) * jnp.exp(-log_std)
        return -jnp.sum(np.float32(0.5) * jnp.square(z) + log_std + _HALF_LOG_TWO_PI, axis=-1)

    def entropy(self, outputs, params):
        """float32 `[...]`: the entropy of the actions, in nats."""
        if isinstance(self.actions, Discrete):
            log_p = jax.nn.log_softmax(outputs[..., :-1])
            return -jnp.sum(jnp.exp(log_p) * log_p, axis=-1)
        each = jnp.sum(params["log_std"] + np.float32(0.5) + _HALF_LOG_TWO_PI)
        return jnp.broadcast_to(each, outputs.shape[:-1])


def agent_noise(network: Network, chance: Chance) -> jax.Array | None:
    """The recurrent noise `[H]` of an agent's step, whose chance this is; None for a network without."""
    return step_noise(network, chance.fold(chance.lane).words)


def make_agent(
    task: Task,
    kind: str,
    hidden: int,
    key: jax.Array,
    *,
    sees_past: bool = True,
    hazard: float = 0.0,
    spread: float = 0.5,
    **settings: Any,
) -> Agent:
    """An agent for a task, untrained: but for `hazard`, it takes all actions about as often.

    Args:
        task: the task.
        kind: of its network: "leaky", "gru" or "lstm".
        hidden: H.
        key: typed key of the initial weights.
        sees_past: whether it sees its last action and reward.
        hazard: responses a second before it has learnt anything, whatever dt, of a task whose action 0 is to rest; 0:
            resting is as likely as any other action. Where it is high, a trial hardly ever lasts until its end.
        spread: standard deviation of continuous actions, as a share of half their range.
        **settings: of the cell, such as `dt` (default: the task's).

    Raises:
        UnknownName: for an unknown kind.
        InvalidArgument: for values that are not allowed.
    """
    if not (np.isfinite(spread) and spread > 0):
        raise InvalidArgument(f"spread must be a number above 0, got {spread!r}")
    if not (np.isfinite(hazard) and hazard >= 0):
        raise InvalidArgument(f"hazard must be 0 or more, got {hazard!r}")
    actions = task.actions
    inputs = task.channels.size + (actions.size + 1) * sees_past
    network = make_network(kind, inputs, actions.size + 1, hidden, key, **{"dt": float(task.dt), **settings})
    # Outputs near 0: before it has learnt anything, an agent prefers no action and expects nothing.
    network.w_out[...] = np.asarray(network.w_out[...]) * np.float32(0.01)
    learnt: dict[str, Any] = {}
    if isinstance(actions, Box):
        low, high = actions.bounds()
        finite = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(finite, low, -1), np.where(finite, high, 1)
        learnt["log_std"] = np.log(spread * (high - low) / 2).astype(np.float32)
        network.b_out[...] = np.append((low + high) / 2, 0).astype(np.float32)
    elif hazard and actions.rests and actions.size > 1:
        rate = hazard * float(task.dt) / 1000  # P(rest) = exp(-rate)
        bias = np.zeros(actions.size + 1, np.float32)
        bias[0] = -rate - np.log(-np.expm1(-rate)) + np.log(actions.size - 1)
        network.b_out[...] = bias
    graphdef, params, rest = nnx.split(network, nnx.Param, ...)
    learnt["network"] = params
    none = np.zeros(actions.shape, actions.dtype)
    zero = np.zeros((), np.float32)
    start = Past(
        carry=jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(network.initial)),
        action=none if isinstance(actions, Box) else np.asarray(-1, actions.dtype),
        reward=zero,
        note=Note(np.zeros(inputs, np.float32), none, zero, zero),
    )
    return Agent("agent", actions, None, start, graphdef, sees_past, False, learnt, rest)
