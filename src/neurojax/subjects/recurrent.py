"""Recurrent networks that learn online from reward, as an animal would: one update a trial.

After each trial the weights take one step of actor-critic learning (A2C with generalised advantages) on that trial's
actions, back-propagated through the last `window` steps, which reach some trials back: no replay of old trials, no
parallel environments. What the network was in as the window began is kept, not computed again.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, struct

from neurojax.core.task import Task
from neurojax.subjects.player import Mind, Player
from neurojax.training.agents import Agent, make_agent
from neurojax.training.optimiser import adam_start, step_down


class Learnt(struct.PyTreeNode):
    """What a network has learnt: its weights, and the state of the optimiser."""

    params: Any
    adam: Any


class Steps(struct.PyTreeNode):
    """The last L steps, in a ring; float32 unless said.

    Attributes:
        inputs: `[L, D']`, what the network saw.
        actions: `[L]`, as the network drew them: where it rested instead (satiety), that was not its choice.
        rewards: `[L]`.
        trial: bool `[L]`, whether the step is of the running trial.
        first: bool `[L]`, whether a session began with it.
        carry: `[L, ...]`, of the network before the step.
        next: int32, the place of the next step.
    """

    inputs: Any
    actions: Any
    rewards: Any
    trial: Any
    first: Any
    carry: Any
    next: Any


class RecurrentPlayer(Player):
    """A recurrent agent that learns online (see the module).

    Attributes:
        agent: the network as it was born, as a policy.
        learning_rate: Adam's.
        discount: of a second.
        trace: lambda of the advantages.
        entropy, value: weights of the policy's entropy and of the critic's error in the loss.
        clip: greatest norm of the gradient.
        noise: standard deviation of what is added to each observation, per step.
        forgetting: share of what was learnt that is lost overnight.
        effort: what an action other than 0 costs, in units of reward: an animal that could lick at no cost would lick
            all the time.
        window: L, steps of back-propagation (static).
    """

    agent: Agent = None  # type: ignore[assignment]
    learning_rate: Any = np.float32(1e-4)
    discount: Any = np.float32(0.8)
    trace: Any = np.float32(0.95)
    entropy: Any = np.float32(0.01)
    value: Any = np.float32(0.5)
    clip: Any = np.float32(1)
    noise: Any = np.float32(0)
    forgetting: Any = np.float32(0)
    effort: Any = np.float32(0)
    window: int = struct.field(pytree_node=False, default=64)

    def start(self):
        params = jax.tree.map(jnp.asarray, self.agent.params)
        adam = jax.tree.map(jnp.asarray, adam_start(self.agent.params))
        return Mind(Learnt(params, adam), jax.tree.map(jnp.asarray, self.agent.start), self._empty())

    def _empty(self) -> Steps:
        start, n = self.agent.start, self.window
        rows = lambda x: jnp.zeros((n, *jnp.shape(x)), jnp.asarray(x).dtype)
        no = jnp.zeros(n, jnp.bool_)
        return Steps(
            inputs=rows(start.note.inputs),
            actions=jnp.zeros(n, jnp.int32),
            rewards=jnp.zeros(n, jnp.float32),
            trial=no,
            first=no,
            carry=jax.tree.map(rows, start.carry),
            next=jnp.int32(0),
        )

    def morning(self, mind):
        lost = lambda now, born: now + self.forgetting * (born - now)
        params = jax.tree.map(lost, mind.known.params, self.agent.params)
        known = mind.known.replace(params=params)
        return Mind(known, jax.tree.map(jnp.asarray, self.agent.start), self._empty())

    def act(self, known, work, look, chance):
        seen = look.obs + self.noise * chance.fold(7).normal(look.obs.shape)
        work, action = self.agent.replace(params=known.params)(work, seen, None, chance, look.best)
        return work, action

    def told(self, work, action, reward):
        return self.agent.told(work, action, reward)

    def keep(self, log, before, work, look, action, reward, first):
        put = lambda rows, x: jax.lax.dynamic_update_index_in_dim(rows, jnp.asarray(x).astype(rows.dtype), log.next, 0)
        return Steps(
            inputs=put(log.inputs, work.note.inputs),
            actions=put(log.actions, work.note.drawn),
            rewards=put(log.rewards, reward - jnp.where(action != 0, self.effort, 0.0)),
            trial=put(log.trial, True),
            first=put(log.first, first),
            carry=jax.tree.map(put, log.carry, before.carry),
            next=jnp.mod(log.next + 1, self.window),
        )

    def learn(self, mind, event):
        log, known = mind.log, mind.known
        order = jnp.mod(log.next + jnp.arange(self.window), self.window)  # the oldest first
        old = jax.tree.map(lambda rows: rows[order], log.replace(next=order))
        gradient = jax.grad(self.loss)(known.params, old)
        params, adam = step_down(known.params, known.adam, gradient, self.learning_rate, self.clip)
        log = log.replace(trial=jnp.zeros_like(log.trial))
        return mind.replace(known=Learnt(params, adam), log=log)

    def loss(self, params: Any, steps: Steps) -> Any:
        """The loss of the steps of the running trial, among the last L in order."""
        agent, now = self.agent, steps.trial.astype(jnp.float32)
        network = nnx.merge(agent.graphdef, params["network"], agent.rest)
        carry = jax.tree.map(lambda rows: rows[:1], steps.carry)
        outputs, _, _ = network(steps.inputs[:, None], carry, steps.first[:, None], None)
        outputs = outputs[:, 0]
        values = outputs[:, -1]
        advantage = self.advantages(steps.rewards, jax.lax.stop_gradient(values), now)
        log_p = agent.log_probability(outputs, steps.actions, params)
        spread = agent.entropy(outputs, params)
        error = jnp.square(jax.lax.stop_gradient(values) + advantage - values)
        each = -log_p * advantage + self.value * 0.5 * error - self.entropy * spread
        return jnp.sum(now * each)  # of a mean, an answer would teach the less the later it comes

    def advantages(self, rewards: Any, values: Any, now: Any) -> Any:
        """Generalised advantages `[L]` of the steps that are `now`, the last of which ends its trial: no return comes
        from beyond it."""
        discount = self.discount ** np.float32(self.dt / 1000)
        coming = jnp.append(values[1:] * now[1:], 0.0) * now
        errors = (rewards + discount * coming - values) * now
        apart = jnp.arange(self.window)[None, :] - jnp.arange(self.window)[:, None]
        decay = jnp.where(apart >= 0, (discount * self.trace) ** jnp.maximum(apart, 0), 0.0)
        return (decay @ errors) * now


def make_recurrent(
    task: Task,
    key: jax.Array,
    *,
    kind: str = "gru",
    hidden: int = 64,
    hazard: float = 0.6,
    bias: float = 0.0,
    choices: tuple[int, int] = (1, 2),
    window: int = 64,
    **numbers: float,
) -> RecurrentPlayer:
    """A network that has learnt nothing.

    Args:
        task: the tasks that it is for, or one with their channels and actions.
        key: typed key of its initial weights.
        kind, hidden: of its network, as for `make_network`.
        hazard: responses a second before it has learnt anything, whatever dt.
        bias: log odds of the right rather than the left, before it has learnt anything.
        choices: the actions left and right.
        window: L.
        **numbers: `learning_rate`, `discount` (of a second), `noise`, `forgetting` and so on (`RecurrentPlayer`).
    """
    agent = make_agent(task, kind, hidden, key, hazard=hazard)
    if bias:
        network = agent.params["network"]
        shifted = np.array(network["b_out"][...])
        shifted[choices[1]] += bias / 2
        shifted[choices[0]] -= bias / 2
        network["b_out"][...] = shifted
    given = {name: np.float32(value) for name, value in numbers.items()}
    return RecurrentPlayer(choices=choices, dt=float(task.dt), agent=agent, window=window, **given)
