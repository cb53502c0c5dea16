"""The clockwork that every view shares: one lane's session, trial after trial.

Index contract: `obs[t]` is what the subject sees at step t of a trial, the first at t = 0; `action[t]` answers
`obs[t]`; `reward[t]` and `target[t]` are about `action[t]`. The step that answers a trial's last observation returns
that trial's reward, outcome and performance with `new_trial=True`, and the next trial's `obs[0]`.

All functions are unbatched. `step` here is the absolute step of the session: the address of its draws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.chance import Chance
from neurojax.core.draw import Draw, Quantity
from neurojax.core.task import Task
from neurojax.core.timing import Law
from neurojax.core.trial import Consequence, Drawn, Outcome, Result, Trial


class Session(struct.PyTreeNode):
    """A lane in the middle of a session.

    Attributes:
        drawn: the running trial, as drawn.
        state: what changes inside it.
        memory: what persists across trials.
        t: int32, steps since the trial's start.
        reward: float32, the trial's reward so far.
    """

    drawn: Drawn
    state: Any
    memory: Any
    t: jax.Array
    reward: jax.Array


class Transition(struct.PyTreeNode):
    """What one step brings. `result` is to be read where `new_trial`.

    Attributes:
        reward: float32, of this step.
        new_trial: bool, whether the step ended its trial.
        result: how the trial went.
        trial: the trial that the action answered.
    """

    reward: jax.Array
    new_trial: jax.Array
    result: Result
    trial: Trial


def draw_trial(task: Task, memory: Any, chance: Chance, step, given=None) -> Drawn:
    """Draw the conditions and random durations of a trial that starts at an absolute step."""
    draw = Draw(chance, "trial", step, given, task.laws, task.dt)
    conditions = {name: jnp.asarray(value) for name, value in task.conditions(draw, memory).items()}
    # A duration may be given like a condition, unless a condition has its name.
    stated = {name for name in given or {} if name not in draw.seen}
    laws = task.laws_under(conditions)
    drawn = [name for name, law in laws.items() if (law.random or name in stated) and name not in draw.periods]
    lengths = {name: given[name] for name in stated} if given else None
    return Drawn(conditions=conditions, durations=draw_durations(task, laws, drawn, chance, step, lengths))


def draw_durations(
    task: Task, laws: Mapping[str, Law], periods: Iterable[str], chance: Chance, step, given=None
) -> dict[str, jax.Array]:
    """int32 whole steps by period: the durations of a trial that starts at an absolute step."""
    draw = Draw(chance, "duration", step, given, laws, task.dt)
    return {name: jnp.round(draw.duration(name) / np.float32(task.dt)).astype(jnp.int32) for name in periods}


@dataclasses.dataclass(frozen=True)
class Outline:
    """What a task draws and remembers, as its rules tell when they are traced; nothing is computed.

    Attributes:
        memory: shapes and dtypes of what it remembers.
        conditions: shapes and dtypes by name.
        seen: its quantities by name.
        periods: those whose duration is among the conditions.
        laws: the law of each timed period, of a trial with these conditions.
    """

    memory: Any
    conditions: dict[str, Any]
    seen: dict[str, Quantity]
    periods: set[str]
    laws: Mapping[str, Law]


def outline(task: Task) -> Outline:
    """What a task draws and remembers."""
    told: list[Any] = []

    def trace(task, words):
        chance = Chance(words, jnp.uint32(0))
        memory = start_memory(task, chance)
        held = task.resolve(memory)
        draw = Draw(chance, "trial", 0, None, held.laws, held.dt)
        conditions = {name: jnp.asarray(value) for name, value in held.conditions(draw, memory).items()}
        told.append((draw.seen, draw.periods, held.laws_under(conditions)))
        return memory, conditions

    memory, conditions = jax.eval_shape(trace, task, jax.ShapeDtypeStruct((2,), jnp.uint32))
    return Outline(memory, conditions, *told[0])


def start_memory(task: Task, chance: Chance, step=None) -> Any:
    """What a session remembers at its start, or an episode at the absolute step at which it begins."""
    return jax.tree.map(jnp.asarray, task.init_memory(Draw(chance, "memory", step)))


def begin(task: Task, memory: Any, chance: Chance, step, given=None) -> Session:
    """A session at the start of a trial, with the memory of those before."""
    task = task.resolve(memory)
    drawn = draw_trial(task, memory, chance, step, given)
    state = jax.tree.map(jnp.asarray, task.init_state(task.trial(drawn)))
    return Session(drawn=drawn, state=state, memory=memory, t=jnp.int32(0), reward=jnp.float32(0))


def observation(task: Task, session: Session, chance: Chance, step) -> jax.Array:
    """float32 `[D]`: what is seen now, with its noise."""
    task = task.resolve(session.memory)
    trial = task.trial(session.drawn)
    return shown(task, trial, session.state, session.t, Draw(chance, "noise", step))


def shown(task: Task, trial: Trial, state: Any, t, draw: Draw, on=None) -> jax.Array:
    """float32 `[D]`: the observation at step `t` of a trial, with its noise; 0 where not `on`."""
    # Noise and mask join each channel before the channels are joined: with the concatenation last, the kernel that
    # draws the noise stays vectorised (three times faster on a CPU).
    values = {name: jnp.asarray(value).astype(jnp.float32) for name, value in task.observe(trial, state, t).items()}
    for name, value in task.noise(trial, state, t, draw).items():
        values[name] = values[name] + value if name in values else value
    if on is not None:
        values = {name: jnp.where(on, value, 0.0) for name, value in values.items()}
    return task.channels.assemble(values)


def target(task: Task, session: Session) -> jax.Array:
    """The best action now."""
    task = task.resolve(session.memory)
    return as_action(task, task.target(task.trial(session.drawn), session.state, session.t))


def as_action(task: Task, action) -> jax.Array:
    """An action in the dtype and shape of the task's actions."""
    return jnp.broadcast_to(jnp.asarray(action).astype(task.actions.dtype), task.actions.shape)


def no_result(task: Task) -> Result:
    """The result of a trial in which nothing was done yet."""
    number, whole = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32)
    choice = jnp.zeros(task.actions.shape, task.actions.dtype)
    return Result(choice, whole, number, whole, number, number)


def advance(task: Task, session: Session, action, chance: Chance, step) -> tuple[Session, Transition]:
    """Answer the present observation. The session comes back in the same trial, one step on, even where that ended."""
    task = task.resolve(session.memory)
    trial = task.trial(session.drawn)
    action = as_action(task, action)
    came: Consequence = task.respond(trial, session.state, action, session.t, Draw(chance, "respond", step))
    expired = trial.last(session.t) & ~came.end
    lost = jnp.where(trial.overflow, int(Outcome.TIMEOUT), int(Outcome.MISS)).astype(jnp.int32)
    reward = came.reward + jnp.where(expired, jnp.asarray(task.expire(trial, session.state), jnp.float32), 0.0)
    total = session.reward + reward
    result = Result(
        choice=action,
        response_step=session.t,
        reward=total,
        outcome=jnp.where(expired, lost, came.outcome),
        performance=jnp.where(expired, 0.0, came.performance),
        last_reward=reward,
    )
    ended = came.end | expired
    session = session.replace(state=came.state, t=session.t + 1, reward=total)
    return session, Transition(reward=reward, new_trial=ended, result=result, trial=trial)


def remember(task: Task, session: Session, transition: Transition, ended, chance: Chance, step) -> Any:
    """The memory for the trial after this one where `ended`; `step` is the absolute step at which that begins."""
    held = task.resolve(session.memory)
    memory = held.next_memory(session.memory, transition.trial, transition.result, Draw(chance, "next", step))
    return jax.tree.map(lambda new, old: jnp.where(ended, new, old), memory, session.memory)


def begin_where(task: Task, session: Session, over, chance: Chance, step) -> Session:
    """A trial that starts at an absolute step, with the session's memory, where the one before is `over`."""
    fresh = begin(task, session.memory, chance, step)
    return jax.tree.map(lambda new, old: jnp.where(over, new, old), fresh, session)


def turn(task: Task, session: Session, transition: Transition, ended, chance: Chance, step) -> Session:
    """Go on to the next trial where `ended`, with its first observation at the absolute step `step`."""
    memory = remember(task, session, transition, ended, chance, step)
    return begin_where(task, session.replace(memory=memory), ended, chance, step)
