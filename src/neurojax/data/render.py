"""Batches of independent trials, rendered in one go for supervised learning."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.lanes import count_devices, lane_numbers, prepare, share_out
from neurojax.core.policy import Policy, as_policy
from neurojax.core.session import advance, as_action, begin, observation, shown, start_memory, target
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
    axis = 1 if time_major else 0
    out = Batch(axis, axis, axis, axis, 0, 0, 0, 0)  # type: ignore[arg-type]

    def block(task, words, actor, lanes, given):
        lane = lambda lane, given: _render_lane(task, Chance(words, lane), given, actor)
        return jax.vmap(lane, out_axes=out)(lanes, given)

    if devices > 1 and time_major:  # lanes lead while they are split
        batch = render_lanes(task, words, lanes, given, actor, devices=devices)
        swap = lambda x: jnp.swapaxes(x, 0, 1)
        return batch.replace(
            inputs=swap(batch.inputs), targets=swap(batch.targets), weights=swap(batch.weights), mask=swap(batch.mask)
        )
    return share_out(block, devices, shared=3, split=2)(task, words, actor, lanes, given or {})


def _render_lane(task: Task, chance: Chance, given, actor: Policy | None) -> Batch:
    session = begin(task, start_memory(task, chance), chance, 0, given)
    held = task.resolve(session.memory)
    trial = held.trial(session.drawn)
    t = jnp.arange(task.capacity, dtype=jnp.int32)
    mask = t < trial.length
    if actor is None:
        frame = lambda t, on: frame_of(held, trial, session.state, t, Draw(chance, "noise", t), on)
        inputs, targets, weights = jax.vmap(frame)(t, mask)
    else:
        inputs, targets, weights = _act_out(task, held, session, chance, actor)
        inputs = masked(mask, inputs)
    return Batch(
        inputs=inputs,
        targets=masked(mask, targets),
        weights=masked(mask, weights),
        mask=mask,
        lengths=trial.length,
        conditions=trial.conditions,
        periods=jnp.stack([jnp.stack([trial.start[p], trial.end[p]]) for p in task.period_names]),
        overflow=trial.overflow,
    )


def frame_of(task: Task, trial, state, t, draw: Draw, on=None):
    """Observation, target and loss weight of one step."""
    weight = jnp.asarray(task.weight(trial, state, t)).astype(jnp.float32)
    return shown(task, trial, state, t, draw, on), as_action(task, task.target(trial, state, t)), weight


def masked(mask, values):
    """`values` `[T, ...]` where `mask` `[T]`, else 0."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (values.ndim - 1)), values, jnp.zeros((), values.dtype))


def _act_out(task, held, session, chance, actor):
    """Step through one closed-loop trial to its scheduled end."""

    def body(carry, t):
        session, actor_carry = carry
        seen = observation(task, session, chance, t)
        best = target(task, session)
        weight = held.weight(held.trial(session.drawn), session.state, t)
        actor_carry, action = actor(actor_carry, seen, t == 0, chance.at("policy", t), best)
        session, _ = advance(task, session, action, chance, t)
        return (session, actor_carry), (seen, best, jnp.asarray(weight).astype(jnp.float32))

    steps = jnp.arange(task.capacity, dtype=jnp.int32)
    _, frames = jax.lax.scan(body, (session, actor.initial(None)), steps)
    return frames
