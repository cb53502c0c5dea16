"""A day of training and an exam, of one subject: pure functions, unbatched; a study vmaps them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.chance import Chance
from neurojax.core.session import Session, advance, begin, observation, remember, start_memory, target
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.protocols.progress import Plan
from neurojax.protocols.walk import Walk
from neurojax.subjects.player import Look, Mind, Player


class Tally(struct.PyTreeNode):
    """What a subject did in a session, summed over its trials; float32.

    Attributes:
        trials, correct, answered, aborted, missed, performance, reward: as in `Event`.
        repeats: `[2, 2, 2]`, trials by whether the last choice was correct, its side, and whether it was chosen again.
    """

    trials: Any
    correct: Any
    answered: Any
    aborted: Any
    missed: Any
    performance: Any
    reward: Any
    repeats: Any


class Life(struct.PyTreeNode):
    """A subject between two sessions. Unbatched.

    Attributes:
        mind: what it has learnt.
        memory: of the walk through its protocol.
        step: int32, steps that it has lived.
        today: of the last session.
    """

    mind: Mind
    memory: Any
    step: Any
    today: Tally


def no_tally() -> Tally:
    """The sums of no trials."""
    zero = jnp.float32(0)
    return Tally(*([zero] * 7), repeats=jnp.zeros((2, 2, 2), jnp.float32))


def newborn(walk: Walk, player: Player, chance: Chance) -> Life:
    """A subject before its first session."""
    return Life(player.start(), start_memory(walk, chance), jnp.int32(0), no_tally())


def strength_of(plan: Plan, conditions: Any, full: float) -> Any:
    """The signed strength of a trial's stimulus, as a share of the greatest."""
    way = jnp.where(conditions[plan.side] == plan.right, 1.0, -1.0)
    size = jnp.asarray(conditions[plan.strength], jnp.float32) / full if plan.strength else jnp.float32(1)
    return (way * size).astype(jnp.float32)


def play_trial(
    task: Task,
    plan: Plan,
    full: Any,
    player: Player,
    known: Any,
    work: Any,
    log: Any,
    session: Session,
    chance: Chance,
    step: Any,
    *,
    logs: bool,
    eager: Any = None,
) -> tuple[Any, Any, Session, Any, Any]:
    """A trial from its first step to its last.

    Returns:
        What is in mind, the log, the session, the last transition, and the next step.
    """
    held = task.resolve(session.memory)
    first_trial = held.trial(session.drawn)
    signed = strength_of(plan, first_trial.conditions, full)
    work = player.begin(known, work, signed, chance.at("begin", step))

    def goes_on(carry):
        return ~carry[-1].new_trial

    def body(carry):
        work, log, session, step, _ = carry
        trial = held.trial(session.drawn)
        obs = observation(task, session, chance, step)
        due = trial.during(plan.answer, session.t)
        look = Look(obs, target(task, session), due, signed)
        before = work
        work, action = player.act(known, work, look, chance.at("policy", step))
        if eager is not None:  # a subject that has drunk its fill rests
            action = jnp.where(chance.at("eager", step).uniform() < eager, action, 0)
        session, came = advance(task, session, action, chance, step)
        work_after = player.told(work, action, came.reward)
        if logs:
            log = player.keep(log, before, work, look, action, came.reward, fresh & (session.t == 1))
        return work_after, log, session, step + 1, came

    # by the clock: a trial that is begun again is not counted
    fresh = jnp.bool_(False) if eager is None else session.memory["own"].time == 0
    start = jax.eval_shape(lambda s: advance(task, s, 0, chance, step)[1], session)
    none = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), start)
    work, log, session, step, came = jax.lax.while_loop(goes_on, body, (work, log, session, step, none))
    return work, log, session, came, step


def day(walk: Walk, full: Any, player: Player, life: Life, chance: Chance, most: int) -> Life:
    """A session of a subject: trials until its protocol says that it is over, learning after each.

    Args:
        walk: the way through the protocol, which pauses where a session is over.
        full: the strength of a stimulus that counts for 1.
        player: the individual.
        life: before the session.
        chance: the subject's own.
        most: trials after which it ends in any case.
    """
    plan, satiety = walk.plan, walk.said.sessions["satiety"]
    mind = player.morning(life.mind)

    def goes_on(carry):
        return ~carry[1]["own"].over & (carry[-1] < most)

    def trial(carry):
        mind, memory, step, today, last, count = carry
        own = memory["own"]
        eager = jnp.where(satiety > 0, jax.nn.sigmoid(10 * (1 - own.drunk / jnp.maximum(satiety, 1e-6))), 1.0)
        session = begin(walk, memory, chance, step)
        work, log, session, came, step = play_trial(
            walk, plan, full, player, mind.known, mind.work, mind.log, session, chance, step, logs=True, eager=eager
        )
        event = walk.resolve(memory).event(came.trial, came.result)
        mind = player.learn(Mind(mind.known, work, log), event)
        memory = remember(walk, session, came, jnp.bool_(True), chance, step)
        answered = event.answered > 0
        chose = jnp.where(event.right > 0, 1, -1)
        there = answered & (last[0] != 0)
        at = ((jnp.arange(2) == last[1])[:, None, None] & (jnp.array([-1, 1]) == last[0])[:, None]) & (
            jnp.array([0, 1]) == (chose == last[0])
        )
        today = Tally(
            trials=today.trials + event.valid,
            correct=today.correct + event.correct,
            answered=today.answered + event.answered,
            aborted=today.aborted + event.aborted,
            missed=today.missed + event.missed,
            performance=today.performance + event.performance,
            reward=today.reward + event.reward,
            repeats=today.repeats + (at & there),
        )
        now = jnp.stack([chose, event.correct.astype(jnp.int32)]).astype(jnp.int32)
        return mind, memory, step, today, jnp.where(answered, now, last), count + 1

    # the last choice (-1, 1; 0 none) and whether it was correct
    last = jnp.zeros(2, jnp.int32)
    start = (mind, life.memory, life.step, no_tally(), last, jnp.int32(0))
    mind, memory, step, today, _, _ = jax.lax.while_loop(goes_on, trial, start)
    memory = {**memory, "own": walk.night(memory["own"])}
    return Life(mind, memory, step, today)


class Marks(struct.PyTreeNode):
    """How an exam went; float32.

    Attributes:
        performance: mean over trials (an aborted trial is none where the protocol says so).
        counts: `[2, L, 2]`, by side (left, right) and level of strength: right choices, and choices.
    """

    performance: Any
    counts: Any


def exam(
    task: Task,
    plan: Plan,
    full: Any,
    levels: np.ndarray,
    player: Player,
    mind: Mind,
    chance: Chance,
    lanes: int,
    trials: int,
) -> Marks:
    """The target task with frozen weights: `lanes` sessions of `trials` trials each.

    Args:
        task: the target task.
        plan: where the sides are.
        full: as for `day`.
        levels: float32 `[L]`, strengths that are counted apart.
        player, mind: the individual and what it has learnt; nothing of either changes.
        chance: of the exam.
        lanes, trials: how much is played.
    """
    rested = player.morning(mind)
    known = mind.known  # what a night would take is not taken

    def lane(number):
        own = chance.fold(number)

        def one(carry, _):
            work, memory, step = carry
            session = begin(task, memory, own, step)
            work, _, session, came, step = play_trial(
                task, plan, full, player, known, work, (), session, own, step, logs=False
            )
            memory = remember(task, session, came, jnp.bool_(True), own, step)
            conditions, result = came.trial.conditions, came.result
            side = (conditions[plan.side] == plan.right).astype(jnp.int32)
            strength = jnp.asarray(conditions[plan.strength], jnp.float32) if plan.strength else jnp.float32(1)
            answered = (result.outcome == Outcome.CORRECT) | (result.outcome == Outcome.ERROR)
            here = (jnp.arange(2) == side)[:, None] & (jnp.asarray(levels) == strength) & answered
            counts = jnp.stack([here & (result.choice == plan.choice_right), here], axis=-1).astype(jnp.float32)
            valid = ((result.outcome != Outcome.ABORT) | (not plan.restarts)).astype(jnp.float32)
            return (work, memory, step), (result.performance * valid, valid, counts)

        start = (rested.work, start_memory(task, own), jnp.int32(0))
        _, sums = jax.lax.scan(one, start, None, length=trials)
        return jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)

    performance, valid, counts = jax.vmap(lane)(jnp.arange(lanes, dtype=jnp.uint32))
    return Marks(jnp.sum(performance) / jnp.maximum(jnp.sum(valid), 1), jnp.sum(counts, axis=0))
