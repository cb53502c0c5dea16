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
from neurojax.core.draw import Draw
from neurojax.core.lanes import check_count, count_devices, lane_numbers, prepare, settled, share_out
from neurojax.core.policy import as_policy
from neurojax.core.session import (
    Session,
    advance,
    as_action,
    begin,
    begin_where,
    no_result,
    observation,
    remember,
    start_memory,
    target,
)
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
        started: bool `[B, T]`, whether the step is an episode's first.
        notes: `[B, T, ...]`, what the policy noted; empty but for agents.
    """

    observations: jax.Array
    actions: jax.Array
    targets: jax.Array
    rewards: jax.Array
    first: jax.Array
    new_trial: jax.Array
    results: Result
    conditions: dict[str, jax.Array]
    started: jax.Array
    notes: Any = ()


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
        over: bool `[B]`, whether the next step begins a trial, which is drawn there.
        trials: int32 `[B]`, trials that ended in the episode; None where episodes have no limit.
        carry: the policy's carry `[B, ...]`.
        step: int32, the absolute step.
    """

    session: Session
    over: jax.Array
    trials: Any
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
    episode_trials: int | None = None,
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
        episode_trials: after so many trials a lane starts afresh: the task with a new memory, an agent with a new
            carry. Default: never.
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
    if episode_trials is not None:
        check_count("episode_trials", episode_trials)
    if state is not None and (state.trials is None) != (episode_trials is None):
        raise InvalidArgument(f"the state comes from a rollout with another episode_trials than {episode_trials!r}")
    actor = as_policy(policy, task, carry)
    count = count_devices(devices, batch_size)
    words = key_words(key)
    return _rollout(task, words, actor, state, batch_size, n_steps, output == "metrics", episode_trials, count)


@partial(jax.jit, static_argnums=(4, 5, 6, 7, 8))
def _rollout(task, words, actor, state, batch_size, n_steps, reduce, episode, devices):
    lanes = lane_numbers(batch_size)
    return rollout_lanes(task, words, lanes, actor, state, n_steps, reduce=reduce, episode=episode, devices=devices)


def rollout_lanes(
    task, words, lanes, actor, state, n_steps: int, *, reduce=False, peek=False, episode=None, devices=1
) -> Rollout:
    """`rollout` for code that is compiled already: `words` of the key, `lanes` `[B]`, a `Policy`.

    With `peek`, the last step is only looked at: it is in the trajectory, and the state is the one before it.
    """
    if state is None:
        state = start_rollout(task, words, lanes, actor, episode)

    def block(task, words, actor, step, lanes, *held):
        how = {"n_steps": n_steps, "reduce": reduce, "peek": peek, "episode": episode}
        return _block(task, words, actor, step, lanes, *held, **how)

    run = share_out(block, devices, shared=4, split=5)
    held = (state.session, state.over, state.trials, state.carry)
    held, out = run(task, words, actor, state.step, lanes, *held)
    session, over, trials, carry = held
    state = RolloutState(session, over, trials, carry, state.step + n_steps - int(peek))
    if not reduce:
        return Rollout(state, out, None)
    sums = jax.tree.map(lambda x: jnp.sum(x, axis=0, dtype=x.dtype), out)
    return Rollout(state, None, Metrics(jnp.int32(lanes.shape[0] * n_steps), *sums))


def start_rollout(task, words, lanes, actor, episode=None) -> RolloutState:
    """The start of the sessions of `lanes` `[B]`: nothing is drawn yet but what they remember."""

    def lane(lane):
        chance = Chance(words, lane)
        return begin(task, start_memory(task, chance), chance, 0)

    session = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(jax.vmap(lane), lanes))
    memory = jax.vmap(lambda lane: start_memory(task, Chance(words, lane)))(lanes)
    carry = jax.tree.map(lambda x: jnp.broadcast_to(x, (*lanes.shape, *jnp.shape(x))), actor.start)
    trials = None if episode is None else jnp.zeros(lanes.shape, jnp.int32)
    over = jnp.ones(lanes.shape, jnp.bool_)
    return RolloutState(session.replace(memory=memory), over, trials, carry, jnp.int32(0))


def _block(task, words, actor, step, lanes, session, over, trials, carry, *, n_steps, reduce, peek, episode):
    """T steps of the lanes of one device."""

    def renew(lane, n, session, again):
        fresh = start_memory(task, Chance(words, lane), n)
        return jax.tree.map(lambda new, old: jnp.where(again, new, old), fresh, session.memory)

    def fresh(lane, n, session, over):
        return begin_where(task, session, over, Chance(words, lane), n)

    def act(lane, n, session, carry, started):
        chance = Chance(words, lane)
        seen, best = observation(task, session, chance, n), target(task, session)
        carry = actor.begun(carry, started)
        carry, action = actor(carry, seen, session.t == 0, chance.at("policy", n), best)
        return seen, best, carry, as_action(task, action), actor.note(carry)

    def answer(lane, n, session, action, carry):
        session, transition = advance(task, session, action, Chance(words, lane), n)
        return session, transition, actor.told(carry, action, transition.reward)

    def keep(lane, n, session, transition):
        return remember(task, session, transition, transition.new_trial, Chance(words, lane), n + 1)

    def body(held, n):
        (session, over, trials, carry), _, sums = held
        before = held[0] if peek else None
        started = over & (n == 0)
        if episode is not None:
            again = over & (trials >= episode)
            started, trials = started | again, jnp.where(again, 0, trials)
            renewed = lambda: jax.vmap(renew, (0, None, 0, 0))(lanes, n, session, again)
            session = session.replace(memory=jax.lax.cond(jnp.any(again), renewed, lambda: session.memory))
        # Drawing a trial is most of the work of many tasks: nothing is drawn where no trial ended, and what is drawn
        # is drawn once, which XLA would else do again in each kernel that uses it. So for observations and actions.
        begun = lambda: jax.vmap(fresh, (0, None, 0, 0))(lanes, n, session, over)
        session = jax.lax.cond(jnp.any(over), begun, lambda: session)
        first = session.t == 0
        obs, best, carry, action, notes = jax.vmap(act, (0, None, 0, 0, 0))(lanes, n, session, carry, started)
        obs, action = settled(words, (obs, action))
        session, transition, carry = jax.vmap(answer, (0, None, 0, 0, 0))(lanes, n, session, action, carry)
        ended, result = transition.new_trial, transition.result
        if jax.tree.leaves(session.memory):
            kept = lambda: jax.vmap(keep, (0, None, 0, 0))(lanes, n, session, transition)
            session = session.replace(memory=jax.lax.cond(jnp.any(ended), kept, lambda: session.memory))
        if episode is not None:
            trials = trials + ended.astype(jnp.int32)
        after = (session, ended, trials, carry)
        if not reduce:
            parts = (obs, result.choice, best, transition.reward, first, ended, result)
            return (after, before, None), Trajectory(*parts, transition.trial.conditions, started, notes)
        kinds = jnp.arange(len(Outcome), dtype=jnp.int32)
        outcomes = (ended[:, None] & (result.outcome[:, None] == kinds)).astype(jnp.int32)
        out = (outcomes, transition.reward, jnp.where(ended, result.performance, 0.0), jnp.sum(obs, axis=-1))
        return (after, before, jax.tree.map(jnp.add, sums, out)), None

    zeros = lambda *shape, dtype=jnp.float32: jnp.zeros((lanes.shape[0], *shape), dtype)
    sums = (zeros(len(Outcome), dtype=jnp.int32), zeros(), zeros(), zeros()) if reduce else None
    steps = step + jnp.arange(n_steps, dtype=jnp.int32)
    start = (session, over, trials, carry)
    (after, before, sums), out = jax.lax.scan(body, (start, start if peek else None, sums), steps)
    after = before if peek else after
    return after, sums if reduce else jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), out)


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
    /,  # a condition may have its name
    key: jax.Array,
    batch_size: int,
    *,
    policy: Any,
    carry: Any = None,
    output: str = "result",
    warmup: int = 0,
    devices: int | None = None,
    **conditions: Any,
) -> Played:
    """Play one trial in each of B lanes to its end, with the conditions that are given.

    Args and errors as `rollout` and `render`, but for `output`: "result", or "frames" to keep each step too; and
    `warmup`: how many trials the lane has played before in the same session, under the task's own draws.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> nj.play(task, jax.random.key(0), 2, policy="oracle", coherence=0).result.outcome.tolist()
        [1, 1]
    """
    given = prepare(task, key, batch_size, conditions)
    check_count("warmup", warmup, 0)
    if output not in ("result", "frames"):
        raise InvalidArgument(f"output must be 'result' or 'frames', got {output!r}")
    count = count_devices(devices, batch_size)
    actor = as_policy(policy, task, carry)
    return _play(task, key_words(key), actor, given, batch_size, count, output == "frames", warmup)


@partial(jax.jit, static_argnums=(4, 5, 6, 7))
def _play(task, words, actor, given, batch_size, devices, keep, warmup):
    def lane(task, words, actor, lane, given):
        chance = Chance(words, lane)
        memory, carry, start = start_memory(task, chance), actor.start, jnp.int32(0)

        def earlier(held, _):
            memory, carry, start = held
            trial, result, carry, _ = _one_trial(task, actor, chance, memory, carry, start, None, False)
            held = task.resolve(memory)
            after = start + task.capacity
            memory = held.next_memory(memory, trial, result, Draw(chance, "next", after))
            return (jax.tree.map(jnp.asarray, memory), carry, after), None

        if warmup:
            (memory, carry, start), _ = jax.lax.scan(earlier, (memory, carry, start), None, length=warmup)
        trial, result, _, frames = _one_trial(task, actor, chance, memory, carry, start, given, keep)
        return Played(result, trial.conditions, trial.length, trial.bounds(task.period_names), frames)

    block = jax.vmap(lane, in_axes=(None, None, None, 0, 0))
    return share_out(block, devices, shared=3, split=2)(task, words, actor, lane_numbers(batch_size), given)


def _one_trial(task, actor, chance, memory, carry, start, given, keep: bool):
    """A trial that begins at the absolute step `start`, its result, the policy's carry after it, and its frames."""
    session = begin(task, memory, chance, start, given)
    trial = task.resolve(memory).trial(session.drawn)

    def body(held, t):
        session, carry, result, over = held
        n = start + t
        seen = observation(task, session, chance, n)
        after, action = actor(carry, seen, t == 0, chance.at("policy", n), target(task, session))
        session, transition = advance(task, session, action, chance, n)
        after = actor.told(after, transition.result.choice, transition.reward)
        frame = Frames(seen, transition.result.choice, transition.reward, ~over) if keep else None
        frame = jax.tree.map(lambda x: jnp.where(over, jnp.zeros((), x.dtype), x), frame)
        going = lambda old, new: jax.tree.map(lambda x, y: jnp.where(over, x, y), old, new)
        held = (session, going(carry, after), going(result, transition.result), over | transition.new_trial)
        return held, frame

    begun = (session, carry, no_result(task), jnp.bool_(False))
    (_, carry, result, _), frames = jax.lax.scan(body, begun, jnp.arange(task.capacity, dtype=jnp.int32))
    return trial, result, carry, frames
