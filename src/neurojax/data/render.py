"""Batches of independent trials, rendered in one go for supervised learning."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.lanes import count_devices, lane_numbers, prepare, settled, share_out
from neurojax.core.policy import Policy, as_policy
from neurojax.core.session import Session, advance, as_action, begin, shown, start_memory
from neurojax.core.task import Task


class Batch(struct.PyTreeNode):
    """A padded batch of trials. With `time_major`, arrays over B and T are `[T, B, ...]`.

    Attributes:
        inputs: float32 `[B, T, D]`; 0 after the trial's end.
        targets: int32 `[B, T]`, or float32 `[B, T, A]` for continuous actions.
        weights: float32 `[B, T]`, the weight of each step in a loss; 0 after the trial's end.
        mask: bool `[B, T]`, whether the step belongs to the trial.
        lengths: int32 `[B]`.
        conditions: `[B]` by name.
        periods: int32 `[B, P, 2]`, start and end of each period in steps, in the order of `task.period_names`.
        overflow: bool `[B]`, whether a trial outgrew the capacity and was cut.
    """

    inputs: jax.Array
    targets: jax.Array
    weights: jax.Array
    mask: jax.Array
    lengths: jax.Array
    conditions: dict[str, jax.Array]
    periods: jax.Array
    overflow: jax.Array


def render(
    task: Task,
    /,  # a condition may have its name
    key: jax.Array,
    batch_size: int,
    *,
    policy: Any = "oracle",
    time_major: bool = False,
    devices: int | None = None,
    **conditions: Any,
) -> Batch:
    """Render independent trials, each as long as it is scheduled, as if nobody answered.

    A trial is the first of the session that `nj.rollout` steps with the same key and lane. Where what is shown
    depends on the subject's own actions, `policy` acts, and the trial still runs to its scheduled end.

    Args:
        task: the task.
        key: typed key; not consumed: the same key gives the same trials, for any batch size.
        batch_size: B.
        policy: who acts in a closed-loop task: "oracle", "random", an action, or a policy (see `nj.rollout`).
        time_major: put time before the batch.
        devices: over how many devices to share the batch; default: all, where it is worth it.
        **conditions: conditions that are given, one value or `[B]` each; the others are drawn as ever.

    Raises:
        UnknownName: for conditions that the task does not draw.
        InvalidArgument: for anything else that is not allowed.

    Example:
        >>> import jax, neurojax as nj
        >>> batch = nj.render(nj.make("DelayMatchSample-v0"), jax.random.key(0), 8, ground_truth=1)
        >>> batch.inputs.shape, batch.targets.shape, int(batch.targets.max())
        ((8, 32, 3), (8, 32), 1)
    """
    given = prepare(task, key, batch_size, conditions)
    count = count_devices(devices, batch_size)
    actor = as_policy(policy, task) if task.closed_loop else None
    return _render(task, key_words(key), given, actor, batch_size, time_major, count)


@partial(jax.jit, static_argnums=(4, 5, 6))
def _render(task, words, given, actor, batch_size, time_major, devices):
    return render_lanes(task, words, lane_numbers(batch_size), given, actor, time_major=time_major, devices=devices)


def render_lanes(task, words, lanes, given=None, actor=None, *, time_major=False, devices=1) -> Batch:
    """`render` for code that is compiled already: `words` of the key, `lanes` `[B]`, given conditions `[B]`."""

    def block(task, words, actor, lanes, given):
        """The lanes of one device, lanes first."""
        start = lambda lane, given: _start(task, Chance(words, lane), given)
        session = settled(words, jax.vmap(start)(lanes, given))
        frames = _shown(task, words, lanes, session) if actor is None else _acted(task, words, lanes, session, actor)
        whole = jax.vmap(lambda session: _whole(task, session))(session)
        # Time outermost, and turned at the end: in this order the noise is drawn twice as fast.
        return (*frames, *whole) if time_major and devices == 1 else (*map(_swap, frames), *whole)

    parts = share_out(block, devices, shared=3, split=2)(task, words, actor, lanes, given or {})
    if time_major and devices > 1:  # lanes lead while they are split
        parts = (*map(_swap, parts[:4]), *parts[4:])
    return Batch(*parts)  # type: ignore[arg-type]


def _swap(x):
    return jnp.swapaxes(x, 0, 1)


def _start(task: Task, chance: Chance, given) -> Session:
    return begin(task, start_memory(task, chance), chance, 0, given)


def _whole(task: Task, session: Session):
    """What a batch holds of a trial as a whole: length, conditions, periods, overflow."""
    trial = task.resolve(session.memory).trial(session.drawn)
    return trial.length, trial.conditions, trial.bounds(task.period_names), trial.overflow


def _shown(task: Task, words, lanes, session: Session):
    """Inputs, targets, weights and mask `[T, B, ...]` of open-loop trials: all frames at once, time outermost."""

    def frame(t, lane, session):
        held = task.resolve(session.memory)
        trial = held.trial(session.drawn)
        on = t < trial.length
        seen, best, weight = frame_of(held, trial, session.state, t, Draw(Chance(words, lane), "noise", t), on)
        return seen, masked(on, best), masked(on, weight), on

    steps = jnp.arange(task.capacity, dtype=jnp.int32)
    return jax.vmap(jax.vmap(frame, (None, 0, 0)), (0, None, None))(steps, lanes, session)


def _acted(task: Task, words, lanes, session: Session, actor: Policy):
    """The same of closed-loop trials: step through them, each to its scheduled end."""

    def one(t, lane, session, carry):
        chance = Chance(words, lane)
        held = task.resolve(session.memory)
        trial = held.trial(session.drawn)
        on = t < trial.length
        frame = frame_of(held, trial, session.state, t, Draw(chance, "noise", t), on)
        carry, action = actor(carry, frame[0], t == 0, chance.at("policy", t), frame[1])
        session, came = advance(task, session, action, chance, t)
        carry = actor.told(carry, came.result.choice, came.reward)
        return session, carry, (frame[0], masked(on, frame[1]), masked(on, frame[2]), on)

    def body(held, t):
        session, carry, frame = jax.vmap(one, (None, 0, 0, 0))(t, lanes, *held)
        return (session, carry), frame

    start = jax.tree.map(lambda x: jnp.broadcast_to(x, (lanes.shape[0], *jnp.shape(x))), actor.start)
    steps = jnp.arange(task.capacity, dtype=jnp.int32)
    return jax.lax.scan(body, (session, start), steps)[1]


def frame_of(task: Task, trial, state, t, draw: Draw, on=None):
    """Observation, target and loss weight of one step."""
    weight = jnp.asarray(task.weight(trial, state, t)).astype(jnp.float32)
    return shown(task, trial, state, t, draw, on), as_action(task, task.target(trial, state, t)), weight


def masked(on, value):
    """`value` where `on`, else 0."""
    return jnp.where(on, value, jnp.zeros((), value.dtype))
