"""Actor-critic training of recurrent agents, A2C and PPO: pure functions of (task, key, hyperparameters).

An update plays T steps of B sessions with the agent as it is, estimates advantages, and improves the agent on whole
sequences of T steps, back-propagated through time from the state that the network had at their start (truncated
back-propagation of length T). The network's state is carried across trials, and returns to its initial one only where
an episode begins. rlax gives advantages and losses.

Sources: Mnih et al. (2016), arXiv:1602.01783 (A2C); Schulman et al. (2017), arXiv:1707.06347 (PPO); Schulman et al.
(2016), arXiv:1506.02438 (generalised advantage estimation).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, struct

from neurojax.core.chance import Chance, key_words
from neurojax.core.lanes import AXIS, lane_numbers
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.envs.rollout import RolloutState, rollout_lanes, start_rollout
from neurojax.errors import InvalidArgument
from neurojax.training.agents import Agent, Note, agent_noise
from neurojax.training.loop import SPLIT, WHOLE, mean_over, repeated
from neurojax.training.optimiser import adam_start, scheduled, step_down

ALGORITHMS = ("a2c", "ppo")
# Advantages that hardly differ are not blown up to variance 1: where no reward has been met yet, all that differs is
# the critic's error, and the policy would be driven by it until it explores no more.
_LEAST_SPREAD = np.float32(0.1)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is static in a training run.

    Attributes:
        algorithm: "a2c" or "ppo".
        batch_size: B, sessions at once.
        n_steps: T, steps of each session in an update, and the length of back-propagation through time.
        epochs: how often an update goes over what was played ("ppo"; "a2c" does once).
        minibatches: into how many parts, by session, it is cut ("ppo").
        episode_trials: after how many trials an episode ends, and the agent and the task start afresh; None: never.
        normalise: whether advantages are brought to mean 0 and, unless they hardly differ, to variance 1.
        schedule: "constant", "cosine" or "warmup_cosine".
        devices: how many devices share the sessions.
    """

    algorithm: str = "ppo"
    batch_size: int = 64
    n_steps: int = 100
    epochs: int = 4
    minibatches: int = 4
    episode_trials: int | None = None
    normalise: bool = True
    schedule: str = "constant"
    devices: int = 1

    def __post_init__(self):
        if self.algorithm not in ALGORITHMS:
            raise InvalidArgument(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {self.algorithm!r}")
        parts = self.devices * (self.minibatches if self.algorithm == "ppo" else 1)
        if self.batch_size % parts:
            raise InvalidArgument(
                f"batch_size={self.batch_size} does not divide over devices={self.devices} times "
                f"minibatches={self.minibatches}"
            )


class Hyperparameters(struct.PyTreeNode):
    """What may differ between runs of one compiled function; float32 scalars.

    Attributes:
        learning_rate: Adam's, at its highest.
        clip: greatest norm of the gradient; 0 for no limit.
        discount: of a step.
        trial_discount: beside it, where a trial ends; 0: each trial is a world of its own.
        trace: lambda of generalised advantage estimation.
        entropy: weight of the policy's entropy in the loss.
        value: weight of the critic's error in the loss.
        ratio: by how much the ratio of probabilities may leave 1 ("ppo").
        updates: the length of the learning-rate schedule.
    """

    learning_rate: Any
    clip: Any
    discount: Any
    trial_discount: Any
    trace: Any
    entropy: Any
    value: Any
    ratio: Any
    updates: Any


class Sums(struct.PyTreeNode):
    """Sums over updates, float32.

    Attributes:
        loss: of the updates' mean losses.
        entropy: of the policy's mean entropies, in nats.
        reward: over steps.
        performance: over trials that ended.
        outcomes: `[6]`, trials that ended, by `Outcome`.
        steps: how many steps.
        updates: how many updates.
    """

    loss: Any
    entropy: Any
    reward: Any
    performance: Any
    outcomes: Any
    steps: Any
    updates: Any


class TrainState(struct.PyTreeNode):
    """Where a training run stands.

    Attributes:
        params: of the agent.
        adam: of the optimiser.
        update: int32, how many updates were made.
        sums: since they were last set to 0.
        sessions: where the sessions stand, `[B, ...]`.
    """

    params: Any
    adam: Any
    update: Any
    sums: Sums
    sessions: RolloutState


class Played(struct.PyTreeNode):
    """What an update learns from; time first.

    Attributes:
        note: `Note` of `[T, B]`.
        started: bool `[T, B]`, whether the step is an episode's first.
        advantage, target: float32 `[T, B]`, of the action, and of the critic.
        carry: the network's carry before the first step, `[B, ...]`.
        lanes: uint32 `[B]`.
    """

    note: Note
    started: jax.Array
    advantage: jax.Array
    target: jax.Array
    carry: Any
    lanes: jax.Array


def no_sums() -> Sums:
    """The sums of no updates."""
    zero = np.zeros((), np.float32)
    return Sums(zero, zero, zero, zero, np.zeros(len(Outcome), np.float32), zero, zero)


def start_training(task: Task, key: jax.Array, agent: Agent, plan: Plan) -> TrainState:
    """The state before the first update; `key` as for `train_steps`."""
    start = jax.jit(start_rollout, static_argnums=4)
    words, lanes = _words(key_words(key), "sessions"), lane_numbers(plan.batch_size)
    sessions = start(task, words, lanes, agent, plan.episode_trials)
    return TrainState(agent.params, adam_start(agent.params), np.zeros((), np.int32), no_sums(), sessions)


def train_steps(
    task: Task, key: jax.Array, hyperparameters: Hyperparameters, state: TrainState, n, *, agent: Agent, plan: Plan
) -> TrainState:
    """The state after `n` more updates. Jit it (with `plan` closed over) and, for several runs at once, vmap it.

    What is drawn in a session has the address (key, step, lane), so it matters neither how many updates are made in a
    call nor, but for the rounding of sums and the cut into minibatches, which devices make them.

    Args:
        task: the task.
        key: typed key of sessions, actions and the order of minibatches; not consumed.
        hyperparameters: see `Hyperparameters`.
        state: from `start_training` or from here.
        n: int32, how many updates; may be traced.
        agent: the agent; its weights are those of `state`.
        plan: what is static.
    """

    sessions = RolloutState(SPLIT, SPLIT, None if plan.episode_trials is None else SPLIT, SPLIT, WHOLE)  # type: ignore[arg-type]
    parts = TrainState(WHOLE, WHOLE, WHOLE, WHOLE, sessions)  # type: ignore[arg-type]

    def update(shared, lanes, state):
        task, words, hyperparameters, agent = shared
        return _update(task, words, hyperparameters, agent, lanes, state, plan)

    shared = (task, key_words(key), hyperparameters, agent)
    lanes = lane_numbers(plan.batch_size)
    return repeated(update, shared, lanes, state, n, parts=parts, devices=plan.devices)


def _update(task, words, hyper: Hyperparameters, agent: Agent, lanes, state: TrainState, plan: Plan) -> TrainState:
    begun = state.sessions.carry
    out = rollout_lanes(
        task,
        _words(words, "sessions"),
        lanes,
        agent.replace(params=state.params),
        state.sessions,
        plan.n_steps + 1,  # the last step is only looked at, for its value
        peek=True,
        episode=plan.episode_trials,
    )
    seen = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), out.trajectory)
    assert seen is not None
    advantage = advantages(seen.rewards[:-1], seen.notes.value, seen.new_trial[:-1], seen.started[1:], hyper)
    cut = lambda tree: jax.tree.map(lambda x: x[:-1], tree)
    played = Played(
        note=cut(seen.notes),
        started=cut(seen.started),
        advantage=advantage,
        target=advantage + seen.notes.value[:-1],
        carry=begun.carry,
        lanes=lanes,
    )
    if plan.normalise:
        played = played.replace(advantage=_normalised(advantage, plan))
    learnt = (state.params, state.adam)
    steps = state.sessions.step + jnp.arange(plan.n_steps, dtype=jnp.int32)
    rate = hyper.learning_rate * scheduled(plan.schedule, state.update, hyper.updates)
    learn = lambda learnt, played: _learn(task, words, hyper, agent, learnt, played, steps, rate, plan)
    if plan.algorithm == "a2c":
        learnt, (loss, entropy) = learn(learnt, played)
    else:
        keys = Chance(words, lanes[0]).at("minibatches", state.update)
        learnt, (loss, entropy) = _epochs(learn, learnt, played, keys.key(), plan)
    ended = cut(seen.new_trial)
    kinds = jnp.arange(len(Outcome), dtype=jnp.int32)
    outcome, performance = cut(seen.results.outcome), cut(seen.results.performance)
    counts = (
        jnp.sum(seen.rewards[:-1]),
        jnp.sum(jnp.where(ended, performance, 0)),
        jnp.sum((ended[..., None] & (outcome[..., None] == kinds)).astype(jnp.float32), axis=(0, 1)),
        jnp.float32(ended.size),
    )
    if plan.devices > 1:
        counts = jax.lax.psum(counts, AXIS)
    old = state.sums
    reward, performance, outcomes, number = counts
    sums = Sums(
        loss=old.loss + loss,
        entropy=old.entropy + entropy,
        reward=old.reward + reward,
        performance=old.performance + performance,
        outcomes=old.outcomes + outcomes,
        steps=old.steps + number,
        updates=old.updates + 1,
    )
    params, adam = learnt
    return TrainState(params, adam, state.update + 1, sums, out.state)


def advantages(rewards, values, ended, restarts, hyper: Hyperparameters) -> jax.Array:
    """Generalised advantage estimates `[T, B]`.

    Args:
        rewards: float32 `[T, B]`, of each step.
        values: float32 `[T + 1, B]`, what the critic expects at each step and at the one after the last.
        ended: bool `[T, B]`, whether the step ended its trial.
        restarts: bool `[T, B]`, whether an episode begins after the step: no return comes from beyond it.
        hyper: `discount`, `trial_discount` and `trace` are read.
    """
    import rlax

    discounts = hyper.discount * jnp.where(ended, hyper.trial_discount, 1) * jnp.where(restarts, 0, 1)
    estimate: Any = lambda r, d, v: rlax.truncated_generalized_advantage_estimation(r, d, hyper.trace, v)
    return jax.vmap(estimate, in_axes=1, out_axes=1)(rewards, discounts.astype(jnp.float32), values)


def _normalised(advantage, plan: Plan):
    mean, square = mean_over((jnp.mean(advantage), jnp.mean(jnp.square(advantage))), plan.devices)
    spread = jnp.sqrt(jnp.maximum(square - jnp.square(mean), 0))
    return (advantage - mean) / jnp.maximum(spread, _LEAST_SPREAD)


def _epochs(learn, learnt, played: Played, key, plan: Plan):
    """Go over what was played several times, each time cut by session into other minibatches."""
    count = played.lanes.shape[0]

    def epoch(learnt, key):
        order = jax.random.permutation(key, count).reshape(plan.minibatches, -1)
        return jax.lax.scan(lambda learnt, rows: learn(learnt, _rows(played, rows)), learnt, order)

    learnt, said = jax.lax.scan(epoch, learnt, jax.random.split(key, plan.epochs))
    return learnt, jax.tree.map(jnp.mean, said)


def _rows(played: Played, rows) -> Played:
    """The sessions `rows`."""
    of_steps = (played.note, played.started, played.advantage, played.target)
    note, started, advantage, target = jax.tree.map(lambda x: x[:, rows], of_steps)
    carry, lanes = jax.tree.map(lambda x: x[rows], (played.carry, played.lanes))
    return Played(note, started, advantage, target, carry, lanes)


def _learn(task, words, hyper, agent: Agent, learnt, played: Played, steps, rate, plan: Plan):
    """One step of the optimiser. Returns what was learnt, and loss and entropy."""
    params, adam = learnt
    gradient, said = jax.grad(agent_loss, has_aux=True)(params, words, hyper, agent, played, steps, plan.algorithm)
    gradient, said = mean_over((gradient, said), plan.devices)
    return step_down(params, adam, gradient, rate, hyper.clip), said


def agent_loss(params, words, hyper: Hyperparameters, agent: Agent, played: Played, steps, algorithm: str):
    """The loss, and `(loss, entropy)`: policy gradient, critic's error, and less of the policy's entropy."""
    import rlax

    network = nnx.merge(agent.graphdef, params["network"], agent.rest)
    noise = _noise(network, words, played.lanes, steps)
    outputs, _, _ = network(played.note.inputs, played.carry, played.started, noise)
    log_p = agent.log_probability(outputs, played.note.drawn, params)
    entropy = jnp.mean(agent.entropy(outputs, params))
    if algorithm == "ppo":
        ratios = jnp.exp(log_p - played.note.log_probability)
        policy = rlax.clipped_surrogate_pg_loss(ratios.ravel(), played.advantage.ravel(), hyper.ratio)
    else:
        policy = -jnp.mean(log_p * jax.lax.stop_gradient(played.advantage))
    critic = jnp.mean(rlax.l2_loss(outputs[..., -1], jax.lax.stop_gradient(played.target)))
    loss = policy + hyper.value * critic - hyper.entropy * entropy
    return loss, (loss, entropy)


def _noise(network, words, lanes, steps):
    """The recurrent noise `[T, B, H]` that the agent had as it played; None for a network without."""
    words = _words(words, "sessions")
    one = lambda step, lane: agent_noise(network, Chance(words, lane).at("policy", step))
    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(steps, lanes)


def _words(words, name):
    return Chance(words, jnp.uint32(0)).at(name).words
