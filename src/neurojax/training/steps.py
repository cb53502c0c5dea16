"""The update of supervised training, and many of them in one compiled loop: pure functions of pytrees."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, struct

from neurojax.core.chance import Chance, key_words
from neurojax.core.lanes import lane_numbers
from neurojax.core.policy import Policy
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.data.render import render_lanes
from neurojax.data.stream import StreamState, start_stream, stream_lanes
from neurojax.networks import Network, draw_noise
from neurojax.training.loop import SPLIT, WHOLE, mean_over, repeated
from neurojax.training.optimiser import adam_start, scheduled, step_down


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is static in a training run.

    Attributes:
        graphdef: of the network (`nnx.split`).
        batch_size: B.
        data: "trials" or "stream".
        n_steps: T of a piece of the stream.
        schedule: "constant", "cosine" or "warmup_cosine".
        devices: how many devices share the lanes.
    """

    graphdef: Any
    batch_size: int
    data: str = "trials"
    n_steps: int = 100
    schedule: str = "constant"
    devices: int = 1


class Hyperparameters(struct.PyTreeNode):
    """What may differ between runs of one compiled function; float32 scalars.

    Attributes:
        learning_rate: Adam's, at its highest.
        clip: greatest norm of the gradient; 0 for no limit.
        answer_weight: weight in the loss of the steps at which an answer is due.
        updates: the length of the learning-rate schedule.
    """

    learning_rate: Any
    clip: Any
    answer_weight: Any
    updates: Any


class Sums(struct.PyTreeNode):
    """Sums over updates, float32 scalars.

    Attributes:
        loss: of the updates' losses.
        right, due: answers given rightly when they first were due, and all that were due.
        trials: trials that began.
        updates: how many updates.
    """

    loss: Any
    right: Any
    due: Any
    trials: Any
    updates: Any


class TrainState(struct.PyTreeNode):
    """Where a training run stands.

    Attributes:
        params: of the network.
        adam: of the optimiser.
        update: int32, how many updates were made.
        sums: since they were last set to 0.
        sessions: where the sessions of the stream stand, `[B, ...]`; None for trials.
        carry: the network's carry there, `[B, ...]`; None for trials.
    """

    params: Any
    adam: Any
    update: Any
    sums: Sums
    sessions: StreamState | None = None
    carry: Any = None


def no_sums() -> Sums:
    """The sums of no updates."""
    return Sums(*(np.zeros((), np.float32) for _ in range(5)))


def start_training(task: Task, key: jax.Array, network: Network, plan: Plan) -> TrainState:
    """The state before the first update; `key` as for `train_steps`."""
    params = nnx.state(network, nnx.Param)
    state = TrainState(params, adam_start(params), np.zeros((), np.int32), no_sums())
    if plan.data == "trials":
        return state
    words = _words(key_words(key), "stream")
    sessions = jax.jit(start_stream)(task, words, lane_numbers(plan.batch_size))
    carry = jax.tree.map(lambda c: np.zeros((plan.batch_size, *c.shape), c.dtype), jax.eval_shape(network.initial))
    return state.replace(sessions=sessions, carry=carry)


def train_steps(
    task: Task, key: jax.Array, hyperparameters: Hyperparameters, state: TrainState, n, *, plan: Plan
) -> TrainState:
    """The state after `n` more updates. Jit it (with `plan` closed over) and, for several runs at once, vmap it.

    The trials of an update have the address (key, update, lane), so it matters neither how many updates are made in
    a call nor which devices make them, apart from the rounding of sums over devices.

    Args:
        task: the task.
        key: typed key of trials and noise; not consumed.
        hyperparameters: see `Hyperparameters`.
        state: from `start_training` or from here.
        n: int32, how many updates; may be traced.
        plan: what is static.
    """

    sessions = None if state.sessions is None else StreamState(SPLIT, SPLIT, WHOLE)  # type: ignore[arg-type]
    carry = None if state.carry is None else SPLIT
    parts = TrainState(WHOLE, WHOLE, WHOLE, WHOLE, sessions, carry)  # type: ignore[arg-type]

    def update(shared, lanes, state):
        task, words, hyperparameters = shared
        return _update(task, words, hyperparameters, lanes, state, plan)

    shared = (task, key_words(key), hyperparameters)
    lanes = lane_numbers(plan.batch_size)
    return repeated(update, shared, lanes, state, n, parts=parts, devices=plan.devices)


def _update(task, words, hyperparameters, lanes, state: TrainState, plan: Plan) -> TrainState:
    batch, first, noise_words, start, sessions = _batch(task, words, lanes, state, plan)
    steps = start + jnp.arange(batch.inputs.shape[0], dtype=jnp.int32)

    def total_loss(params):
        network = nnx.merge(plan.graphdef, params)
        noise = draw_noise(network, noise_words, lanes, steps)
        outputs, _, carry = network(batch.inputs, state.carry, first, noise)
        weights = _weights(task, batch, hyperparameters.answer_weight)
        total = jnp.sum(weights * losses(task, outputs, batch.targets))
        trials = jnp.float32(lanes.shape[0]) if first is None else jnp.sum(first.astype(jnp.float32))
        counts = (*answers(task, outputs, batch.targets, batch.weights, first), trials)
        return total, (jnp.sum(weights), total, counts, carry)

    gradient, (weight, total, counts, carry) = jax.grad(total_loss, has_aux=True)(state.params)
    gradient, weight, total, counts = mean_over((gradient, weight, total, counts), plan.devices)
    right, due, trials = (count * np.float32(plan.devices) for count in counts)
    weight = jnp.maximum(weight, np.float32(1e-9))
    gradient = jax.tree.map(lambda g: g / weight, gradient)
    rate = hyperparameters.learning_rate * scheduled(plan.schedule, state.update, hyperparameters.updates)
    params, adam = step_down(state.params, state.adam, gradient, rate, hyperparameters.clip)
    sums = state.sums
    return TrainState(
        params=params,
        adam=adam,
        update=state.update + 1,
        sums=Sums(
            sums.loss + total / weight, sums.right + right, sums.due + due, sums.trials + trials, sums.updates + 1
        ),
        sessions=sessions,
        carry=None if sessions is None else carry,
    )


def _batch(task, words, lanes, state, plan):
    """A time-major batch, its first-step flags, the words and first step of its noise, and the sessions after it."""
    if plan.data == "stream":
        words = _words(words, "stream")
        piece = stream_lanes(task, words, lanes, state.sessions, plan.n_steps, time_major=True)
        return piece, piece.first, words, state.sessions.step, piece.state
    words = _words(words, "trials", state.update)
    actor = Explorer("function", task.actions) if task.closed_loop else None
    return render_lanes(task, words, lanes, None, actor, time_major=True), None, words, 0, None


class Explorer(Policy):
    """Who acts in the trials of a closed-loop task: by lane, random actions, targets, or each half of the time.

    The oracle alone would only ever show where the oracle goes, and a network that strays would not know the way.
    """

    def __call__(self, carry, obs, first, chance, best):
        share = (chance.lane % jnp.uint32(3)).astype(jnp.float32) / 2
        return carry, jnp.where(chance.fold(1).uniform() < share, best, self.actions.random(chance.fold(2)))


def _words(words, name, step=None):
    return Chance(words, jnp.uint32(0)).at(name, step).words


def _weights(task, batch, answer_weight):
    if not isinstance(task.actions, Discrete):
        return batch.weights
    return batch.weights * jnp.where(batch.targets != 0, answer_weight, np.float32(1))


def losses(task: Task, outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The loss of each step `[...]` of outputs `[..., A]`: cross-entropy, or the mean squared error over A."""
    if not isinstance(task.actions, Discrete):
        return jnp.mean(jnp.square(outputs - targets), axis=-1)
    return jax.nn.logsumexp(outputs, axis=-1) - _at(outputs, targets)


def answers(task: Task, outputs, targets, weights, first=None):
    """How many answers were given rightly when they first were due, and how many were due; float32.

    An answer is due at a step with a loss weight whose target is not action 0, after one whose target is, or at a
    trial's first step. Both are 0 for continuous actions. Arrays are `[T, B, ...]`.
    """
    if not isinstance(task.actions, Discrete):
        return jnp.float32(0), jnp.float32(0)
    before = jnp.concatenate([jnp.zeros_like(targets[:1]), targets[:-1]])
    starts = before == 0 if first is None else (before == 0) | first
    due = (starts & (targets != 0) & (weights > 0)).astype(jnp.float32)
    right = _at(outputs, targets) >= jnp.max(outputs, axis=-1)
    return jnp.sum(due * right), jnp.sum(due)


def _at(outputs, targets):
    """`outputs[..., targets]`, as a sum: on a CPU faster than a gather, forward and above all backward."""
    choices = jnp.arange(outputs.shape[-1], dtype=targets.dtype)
    return jnp.sum(jnp.where(targets[..., None] == choices, outputs, 0), axis=-1)
