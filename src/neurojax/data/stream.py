"""Continuous sequences: sessions cut into pieces of fixed length, for truncated back-propagation."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.lanes import check_count, count_devices, lane_numbers, prepare, share_out
from neurojax.core.session import Session, advance, begin, no_result, start_memory, turn
from neurojax.core.task import Task
from neurojax.core.trial import Result
from neurojax.data.render import frame_of


class StreamState(struct.PyTreeNode):
    """Where the sessions stand: give it back to go on.

    Attributes:
        session: the lanes' sessions `[B, ...]`.
        result: what the oracle made of the running trial so far `[B, ...]` (tasks with memory only).
        step: int32, the absolute step.
    """

    session: Session
    result: Any
    step: jax.Array


class Sequence(struct.PyTreeNode):
    """A piece of B sessions, T steps long. With `time_major`, arrays are `[T, B, ...]`.

    Attributes:
        inputs: float32 `[B, T, D]`.
        targets: int32 `[B, T]`, or float32 `[B, T, A]`.
        weights: float32 `[B, T]`.
        first: bool `[B, T]`, whether the step is a trial's first.
        conditions: `[B, T]` by name, of the trial at each step.
        state: where the sessions stand at the end.
    """

    inputs: jax.Array
    targets: jax.Array
    weights: jax.Array
    first: jax.Array
    conditions: dict[str, jax.Array]
    state: StreamState


def stream(
    task: Task,
    key: jax.Array,
    batch_size: int,
    n_steps: int,
    *,
    state: StreamState | None = None,
    time_major: bool = False,
    devices: int | None = None,
) -> Sequence:
    """The next `n_steps` of B sessions with trials back to back, each as long as it is scheduled.

    Tasks with memory across trials remember them as if the oracle had answered. Where what is shown depends on the
    subject's actions, the oracle acts.

    Args:
        task: the task.
        key: typed key; not consumed. Go on with the same key.
        batch_size: B.
        n_steps: T.
        state: where to go on, from the `state` of the piece before; default: the start of the sessions. The same
            steps come out, however they are cut into pieces.
        time_major: put time before the batch.
        devices: over how many devices to share the batch; default: all, where it is worth it.

    Raises:
        InvalidArgument: for anything that is not allowed.

    Example:
        >>> import jax, neurojax as nj
        >>> piece = nj.stream(nj.make("PerceptualDecisionMaking-v0"), jax.random.key(0), 16, 100)
        >>> piece.inputs.shape, int(piece.first[0].sum())
        ((16, 100, 3), 5)
        >>> piece = nj.stream(nj.make("PerceptualDecisionMaking-v0"), jax.random.key(0), 16, 100, state=piece.state)
    """
    prepare(task, key, batch_size)
    check_count("n_steps", n_steps)
    return _stream(
        task, key_words(key), state, batch_size, n_steps, time_major, count_devices(devices, batch_size)
    )  # fmt: skip


@partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _stream(task, words, state, batch_size, n_steps, time_major, devices):
    lanes = lane_numbers(batch_size)
    if state is None:
        state = start_stream(task, words, lanes)
    return stream_lanes(task, words, lanes, state, n_steps, time_major=time_major, devices=devices)


def start_stream(task, words, lanes) -> StreamState:
    """The start of the sessions of `lanes` `[B]`."""

    def lane(lane):
        chance = Chance(words, lane)
        return begin(task, start_memory(task, chance), chance, 0)

    session = jax.vmap(lane)(lanes)
    return StreamState(session, _no_result(task, lanes.shape[0]) if _sequential(task, session) else None, jnp.int32(0))


def stream_lanes(task, words, lanes, state: StreamState, n_steps: int, *, time_major=False, devices=1) -> Sequence:
    """`stream` for code that is compiled already."""
    sequential = _sequential(task, state.session)
    one = _step_by_step if sequential else _trial_by_trial

    def block(task, words, step, lanes, session, result):
        lane = lambda lane, session, result: one(task, Chance(words, lane), session, result, step, n_steps)
        return jax.vmap(lane)(lanes, session, result)

    share = share_out(block, devices, shared=3, split=3)
    session, result, frames = share(task, words, state.step, lanes, state.session, state.result)
    if time_major:
        frames = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), frames)
    return Sequence(*frames, state=StreamState(session, result, state.step + n_steps))


def _sequential(task, session) -> bool:
    """Whether a trial depends on what was done before, so that steps must be taken one after the other."""
    return task.closed_loop or bool(jax.tree.leaves(session.memory))


def _trial_by_trial(task, chance, session, result, step, n_steps):
    """Lay trials out over the steps, then show all steps at once: a loop over trials, not over steps."""
    t = jnp.arange(n_steps, dtype=jnp.int32)
    held = task.resolve(session.memory)

    def length(drawn):
        return jnp.maximum(held.trial(drawn).length, 1)

    def lay(drawn, start, spread, clock):
        mine = (t >= start) & (t < start + length(drawn))
        over = lambda x: mine.reshape(-1, *(1,) * x.ndim)  # a condition may be an array
        spread = jax.tree.map(lambda all_, one: jnp.where(over(one), one, all_), spread, drawn)
        return spread, jnp.where(mine, t - start, clock)

    def body(carry):
        session, start, spread, clock = carry
        after = start + length(session.drawn)
        laid = lay(session.drawn, start, spread, clock)
        return (begin(task, session.memory, chance, step + after), after, *laid)

    spread = jax.tree.map(lambda x: jnp.broadcast_to(x, (n_steps, *x.shape)), session.drawn)
    ends_inside = lambda carry: carry[1] + length(carry[0].drawn) <= n_steps
    carry = jax.lax.while_loop(ends_inside, body, (session, -session.t, spread, t))
    session, start, spread, clock = carry
    spread, clock = lay(session.drawn, start, spread, clock)

    def show(drawn, clock, n):
        # An open-loop task shows what it would if nobody had acted: the state at the trial's start.
        trial = held.trial(drawn)
        return frame_of(held, trial, held.init_state(trial), clock, Draw(chance, "noise", step + n))

    inputs, targets, weights = jax.vmap(show)(spread, clock, t)
    session = session.replace(t=n_steps - start)
    return session, result, (inputs, targets, weights, clock == 0, spread.conditions)


def _no_result(task: Task, batch_size: int) -> tuple[Result, jax.Array]:
    """Nothing has been answered yet in the running trials: a result `[B]`, and whether it stands."""
    result = no_result(task)
    batch = lambda x: jnp.broadcast_to(x, (batch_size, *x.shape))
    return jax.tree.map(batch, result), jnp.zeros(batch_size, jnp.bool_)


def _step_by_step(task, chance, session, result, step, n_steps):
    """Let the oracle act step by step; a trial that it has ended still runs to its scheduled end."""

    def body(carry, n):
        session, (result, answered) = carry
        held = task.resolve(session.memory)
        trial = held.trial(session.drawn)
        frame = frame_of(held, trial, session.state, session.t, Draw(chance, "noise", n))
        first = session.t == 0
        session, transition = advance(task, session, frame[1], chance, n)
        result = jax.tree.map(lambda old, new: jnp.where(answered, old, new), result, transition.result)
        answered = answered | transition.new_trial
        over = session.t >= trial.length
        session = turn(task, session, transition.replace(result=result), over, chance, n + 1)
        return (session, (result, answered & ~over)), (*frame, first, trial.conditions)

    steps = step + jnp.arange(n_steps, dtype=jnp.int32)
    (session, result), frames = jax.lax.scan(body, (session, result), steps)
    return session, result, frames
