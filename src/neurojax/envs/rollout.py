"""Sessions stepped under a policy: the native batched loop, with automatic reset."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.chance import Chance, key_words
from neurojax.core.lanes import check_count, count_devices, lane_numbers, prepare, share_out
from neurojax.core.policy import as_policy
from neurojax.core.session import Session, advance, begin, observation, start_memory, target, turn
from neurojax.core.task import Task
from neurojax.core.trial import Outcome, Result
from neurojax.errors import InvalidArgument


class Trajectory(struct.PyTreeNode):
    """What happened, step by step. The trial's results are to be read where `new_trial`.

    Attributes:
        observations: float32 `[B, T, D]`; `observations[:, t]` is what `actions[:, t]` answers.
        actions: int32 `[B, T]`, or float32 `[B, T, A]`.
        targets: the best actions, as `actions`.
        rewards: float32 `[B, T]`.
        first: bool `[B, T]`, whether the step is a trial's first.
        new_trial: bool `[B, T]`, whether the step ended its trial.
        results: `Result` of `[B, T]`.
        conditions: `[B, T]` by name, of the trial that the action answered.
    """

    observations: jax.Array
    actions: jax.Array
    targets: jax.Array
    rewards: jax.Array
    first: jax.Array
    new_trial: jax.Array
    results: Result
    conditions: dict[str, jax.Array]


class Metrics(struct.PyTreeNode):
    """Sums over all lanes and steps. Accuracy is never per time step.

    Attributes:
        steps: int32, the steps taken.
        outcomes: int32 `[6]`, ended trials by `Outcome`.
        reward: float32, summed over steps.
        performance: float32, summed over ended trials.
        observed: float32, the sum of all observations: shows that they were computed, and detects NaN.
    """

    steps: jax.Array
    outcomes: jax.Array
    reward: jax.Array
    performance: jax.Array
    observed: jax.Array

    @property
    def trials(self) -> int:
        """How many trials ended."""
        return int(np.sum(self.outcomes))

    def summary(self) -> dict[str, float]:
        """Rates as plain numbers; NaN where no trial ended."""
        counts = [float(n) for n in self.outcomes]
        total = sum(counts) or math.nan
        responses = counts[Outcome.CORRECT] + counts[Outcome.ERROR]
        return {
            "trials": self.trials,
            "reward_per_step": float(self.reward) / int(self.steps),
            "performance": float(self.performance) / total,
            "response_rate": responses / total,
            "accuracy_given_response": counts[Outcome.CORRECT] / (responses or math.nan),
            "abort_rate": counts[Outcome.ABORT] / total,
            "miss_rate": counts[Outcome.MISS] / total,
        }


class RolloutState(struct.PyTreeNode):
    """Where B sessions stand: give it back to go on.

    Attributes:
        session: the lanes' sessions `[B, ...]`.
        observation: float32 `[B, D]`, what is seen now.
        carry: the policy's carry `[B, ...]`.
        step: int32, the absolute step.
    """

    session: Session
    observation: jax.Array
    carry: Any
    step: jax.Array


class Rollout(struct.PyTreeNode):
    """What `rollout` returns.

    Attributes:
        state: where the sessions stand.
        trajectory: what happened, with `output="trajectory"`; else None.
        metrics: sums, with `output="metrics"`; else None.
    """

    state: RolloutState
    trajectory: Trajectory | None
    metrics: Metrics | None


def rollout(
    task: Task,
    key: jax.Array,
    batch_size: int,
    n_steps: int,
    *,
    policy: Any = "random",
    carry: Any = None,
    state: RolloutState | None = None,
    output: str = "trajectory",
    devices: int | None = None,
) -> Rollout:
    """Step B sessions under a policy; trials follow each other without a step in between.

    Args:
        task: the task.
        key: typed key; not consumed. Go on with the same key.
        batch_size: B.
        n_steps: T.
        policy: "random" (uniform actions), "oracle" (plays the target), an action, or an unbatched function
            `policy(carry, obs, first, key) -> (carry, action)` of the lane's own carry, observation `[D]`, whether
            it is a trial's first, and a key of its own. Pass parameters through `jax.tree_util.Partial(function,
            parameters)`: a fresh closure compiles afresh.
        carry: the policy's carry at the start, of one lane.
        state: where to go on; the same steps come out, however they are cut.
        output: "trajectory" or "metrics" (sums; nothing of size T is kept).
        devices: over how many devices to share the batch; default: all, where it is worth it.

    Raises:
        InvalidArgument: for anything that is not allowed.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> run = nj.rollout(task, jax.random.key(0), 64, 220, policy="oracle", output="metrics")
        >>> run.metrics.summary()["performance"]
        1.0
    """
    prepare(task, key, batch_size)
    check_count("n_steps", n_steps)
    if output not in ("trajectory", "metrics"):
        raise InvalidArgument(f"output must be 'trajectory' or 'metrics', got {output!r}")
    actor = as_policy(policy, task, carry)
    count = count_devices(devices, batch_size)
    words = key_words(key)
    return _rollout(task, words, actor, state, batch_size, n_steps, output == "metrics", count)


@partial(jax.jit, static_argnums=(4, 5, 6, 7))
def _rollout(task, words, actor, state, batch_size, n_steps, reduce, devices):
    lanes = lane_numbers(batch_size)
    return rollout_lanes(task, words, lanes, actor, state, n_steps, reduce=reduce, devices=devices)


def rollout_lanes(task, words, lanes, actor, state, n_steps: int, *, reduce=False, devices=1) -> Rollout:
    """`rollout` for code that is compiled already: `words` of the key, `lanes` `[B]`, a `Policy`."""
    if state is None:
        state = start_rollout(task, words, lanes, actor)

    def block(task, words, actor, step, lanes, *held):
        return _block(task, words, actor, step, lanes, *held, n_steps=n_steps, reduce=reduce)

    run = share_out(block, devices, shared=4, split=4)
    held = (state.session, state.observation, state.carry)
    (session, obs, carry), out = run(task, words, actor, state.step, lanes, *held)
    state = RolloutState(session, obs, carry, state.step + n_steps)
    if not reduce:
        return Rollout(state, out, None)
    sums = jax.tree.map(lambda x: jnp.sum(x, axis=0, dtype=x.dtype), out)
    return Rollout(state, None, Metrics(jnp.int32(lanes.shape[0] * n_steps), *sums))


def start_rollout(task, words, lanes, actor) -> RolloutState:
    """The start of the sessions of `lanes` `[B]`."""

    def lane(lane):
        chance = Chance(words, lane)
        session = begin(task, start_memory(task, chance), chance, 0)
        return session, observation(task, session, chance, 0), actor.start

    return RolloutState(*jax.vmap(lane)(lanes), jnp.int32(0))


def _block(task, words, actor, step, lanes, session, obs, carry, *, n_steps, reduce):
    """T steps of the lanes of one device."""

    def act(lane, n, session, obs, carry):
        chance = Chance(words, lane)
        best = target(task, session)
        carry, action = actor(carry, obs, session.t == 0, chance.at("policy", n), best)
        after, transition = advance(task, session, action, chance, n)
        return after, carry, transition, best

    def turned(lane, n, session, transition):
        return turn(task, session, transition, transition.new_trial, Chance(words, lane), n + 1)

    def look(lane, n, session):
        return observation(task, session, Chance(words, lane), n + 1)

    def body(held, n):
        (session, obs, carry), sums = held
        first = session.t == 0
        session, carry, transition, best = jax.vmap(act, (0, None, 0, 0, 0))(lanes, n, session, obs, carry)
        ended, result = transition.new_trial, transition.result
        # Drawing a trial is most of the work of many tasks: nothing is drawn where no trial ended, and what is drawn
        # is drawn once, which XLA would else do again in each kernel that uses it.
        session = jax.lax.cond(
            jnp.any(ended),
            lambda: jax.vmap(turned, (0, None, 0, 0))(lanes, n, session, transition),
            lambda: session,
        )
        seen = jax.vmap(look, (0, None, 0))(lanes, n, session)
        if not reduce:
            parts = (obs, result.choice, best, transition.reward, first, ended, result)
            return ((session, seen, carry), None), Trajectory(*parts, transition.trial.conditions)
        kinds = jnp.arange(len(Outcome), dtype=jnp.int32)
        outcomes = (ended[:, None] & (result.outcome[:, None] == kinds)).astype(jnp.int32)
        out = (outcomes, transition.reward, jnp.where(ended, result.performance, 0.0), jnp.sum(obs, axis=-1))
        return ((session, seen, carry), jax.tree.map(jnp.add, sums, out)), None

    zeros = lambda *shape, dtype=jnp.float32: jnp.zeros((lanes.shape[0], *shape), dtype)
    sums = (zeros(len(Outcome), dtype=jnp.int32), zeros(), zeros(), zeros()) if reduce else None
    steps = step + jnp.arange(n_steps, dtype=jnp.int32)
    (state, sums), out = jax.lax.scan(body, ((session, obs, carry), sums), steps)
    return state, sums if reduce else jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), out)


class Frames(struct.PyTreeNode):
    """The steps of one trial in each lane; 0 after its end.

    Attributes:
        observations: float32 `[B, T, D]`.
        actions: int32 `[B, T]`, or float32 `[B, T, A]`.
        rewards: float32 `[B, T]`.
        mask: bool `[B, T]`, whether the step belongs to the trial as it was played.
    """

    observations: jax.Array
    actions: jax.Array
    rewards: jax.Array
    mask: jax.Array


class Played(struct.PyTreeNode):
    """One trial of each lane, played to its end.

    Attributes:
        result: `Result` of `[B]`.
        conditions: `[B]` by name.
        lengths: int32 `[B]`, the scheduled length of each trial.
        periods: int32 `[B, P, 2]`, start and end of each period in steps, in the order of `task.period_names`.
        frames: the steps, with `output="frames"`; else None.
    """

    result: Result
    conditions: dict[str, jax.Array]
    lengths: jax.Array
    periods: jax.Array
    frames: Frames | None = None


def play(
    task: Task,
    key: jax.Array,
    batch_size: int,
    *,
    policy: Any,
    carry: Any = None,
    output: str = "result",
    devices: int | None = None,
    **conditions: Any,
) -> Played:
    """Play one trial in each of B lanes to its end, with the conditions that are given.

    Args and errors as `rollout` and `render`, but for `output`: "result", or "frames" to keep each step too.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> nj.play(task, jax.random.key(0), 2, policy="oracle", coherence=0).result.outcome.tolist()
        [1, 1]
    """
    given = prepare(task, key, batch_size, conditions)
    if output not in ("result", "frames"):
        raise InvalidArgument(f"output must be 'result' or 'frames', got {output!r}")
    count = count_devices(devices, batch_size)
    return _play(task, key_words(key), as_policy(policy, task, carry), given, batch_size, count, output == "frames")


@partial(jax.jit, static_argnums=(4, 5, 6))
def _play(task, words, actor, given, batch_size, devices, keep):
    def lane(task, words, actor, lane, given):
        chance = Chance(words, lane)
        session = begin(task, start_memory(task, chance), chance, 0, given)
        trial = task.resolve(session.memory).trial(session.drawn)

        def body(held, n):
            session, carry, result, over = held
            seen = observation(task, session, chance, n)
            carry, action = actor(carry, seen, n == 0, chance.at("policy", n), target(task, session))
            session, transition = advance(task, session, action, chance, n)
            frame = Frames(seen, transition.result.choice, transition.reward, ~over) if keep else None
            frame = jax.tree.map(lambda x: jnp.where(over, jnp.zeros((), x.dtype), x), frame)
            result = jax.tree.map(lambda old, new: jnp.where(over, old, new), result, transition.result)
            return (session, carry, result, over | transition.new_trial), frame

        action = jnp.zeros(task.actions.shape, task.actions.dtype)
        result = Result(action, jnp.int32(0), jnp.float32(0), jnp.int32(0), jnp.float32(0))
        start = (session, actor.start, result, jnp.bool_(False))
        (_, _, result, _), frames = jax.lax.scan(body, start, jnp.arange(task.capacity, dtype=jnp.int32))
        return Played(result, trial.conditions, trial.length, trial.bounds(task.period_names), frames)

    block = jax.vmap(lane, in_axes=(None, None, None, 0, 0))
    return share_out(block, devices, shared=3, split=2)(task, words, actor, lane_numbers(batch_size), given)
