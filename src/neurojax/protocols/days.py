"""A day of training and an exam, of one subject: pure functions, unbatched; a study vmaps them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.chance import Chance
from neurojax.core.lanes import where_any
from neurojax.core.session import Session, Transition, advance, begin, observation, remember, start_memory, target
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.protocols.progress import Plan
from neurojax.protocols.walk import Walk
from neurojax.subjects.player import Look, Mind, Player

_WAIT = 8  # steps that the lanes of an exam wait for each other


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


class Moment(struct.PyTreeNode):
    """A subject in a trial, or at its end. Unbatched.

    Attributes:
        work, log: of its mind.
        session: of the task.
        came: the last transition; `came.new_trial`: the trial is over.
        step: int32, steps that it has lived.
    """

    work: Any
    log: Any
    session: Session
    came: Transition
    step: Any


def start_trial(
    task: Task,
    plan: Plan,
    full: Any,
    player: Player,
    known: Any,
    work: Any,
    log: Any,
    memory: Any,
    chance: Chance,
    step,
) -> Moment:
    """The moment before a trial's first step."""
    session = begin(task, memory, chance, step)
    held = task.resolve(memory)
    signed = strength_of(plan, held.trial(session.drawn).conditions, full)
    work = player.begin(known, work, signed, chance.at("begin", step))
    came = jax.eval_shape(lambda s: advance(task, s, 0, chance, step)[1], session)
    return Moment(work, log, session, _zeros(came), step)


def play_trial(
    task: Task,
    plan: Plan,
    full: Any,
    player: Player,
    known: Any,
    now: Moment,
    chance: Chance,
    *,
    logs: bool,
    eager: Any = None,
    most: int | None = None,
) -> Moment:
    """A trial from where it is to its last step, or, with `most`, so many steps of it."""
    held = task.resolve(now.session.memory)
    signed = strength_of(plan, held.trial(now.session.drawn).conditions, full)
    # by the clock: a trial that is begun again is not counted
    fresh = jnp.bool_(False) if eager is None else now.session.memory["own"].time == 0
    last = None if most is None else now.step + most

    def goes_on(now):
        running = ~now.came.new_trial
        return running if last is None else running & (now.step < last)

    def body(now):
        session, step, log = now.session, now.step, now.log
        trial = held.trial(session.drawn)
        obs = observation(task, session, chance, step)
        due = trial.during(plan.answer, session.t)
        look = Look(obs, target(task, session), due, signed)
        work, action = player.act(known, now.work, look, chance.at("policy", step))
        if eager is not None:  # a subject that has drunk its fill rests
            action = jnp.where(chance.at("eager", step).uniform() < eager, action, 0)
        session, came = advance(task, session, action, chance, step)
        after = player.told(work, action, came.reward)
        if logs:
            log = player.keep(log, now.work, work, look, action, came.reward, fresh & (session.t == 1))
        return Moment(after, log, session, came, step + 1)

    return jax.lax.while_loop(goes_on, body, now)


def _before_any(start: Any, *arguments: Any) -> Moment:
    """A moment at which a trial is over, and another can start: `start(*arguments)` is not computed."""
    none = _zeros(jax.eval_shape(start, *arguments))
    return none.replace(came=none.came.replace(new_trial=jnp.bool_(True)))


def _zeros(shapes: Any) -> Any:
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)


def _always(which: Any, function: Any, tree: Any, *rest: Any) -> Any:
    """`where_any`, where it is known that `which` holds."""
    return function(tree, *rest)


def day(walk: Walk, full: Any, player: Player, life: Life, chance: Chance, most: int, wait: int | None = None) -> Life:
    """A session of a subject: trials until its protocol says that it is over, learning after each.

    Args:
        walk: the way through the protocol, which pauses where a session is over.
        full: the strength of a stimulus that counts for 1.
        player: the individual.
        life: before the session.
        chance: the subject's own.
        most: trials after which it ends in any case.
        wait: steps, at most, that subjects under one `vmap` wait for each other before those whose trials are over
            learn and begin the next. None: until all are done, which is best for one alone. It changes nothing else.
    """
    mind = player.morning(life.mind)
    where = _always if wait is None else where_any

    def start(now, walk, player, known, memory, chance):
        return start_trial(walk, walk.plan, full, player, known, now.work, now.log, memory, chance, now.step)

    def end(held, now, walk, player, chance):
        known, memory, log, today, last, count = held
        event = walk.resolve(memory).event(now.came.trial, now.came.result)
        mind = player.learn(Mind(known, now.work, log), event)
        memory = remember(walk, now.session, now.came, jnp.bool_(True), chance, now.step)
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
        latest = jnp.stack([chose, event.correct.astype(jnp.int32)]).astype(jnp.int32)
        return mind.known, memory, mind.log, today, jnp.where(answered, latest, last), count + 1

    def goes_on(carry):
        _, (_, memory, _, _, _, count) = carry
        return ~memory["own"].over & (count < most)

    def trial(carry):
        now, held = carry
        known, memory = held[:2]
        now = where(now.came.new_trial, start, now, walk, player, known, memory, chance)
        eager = _eagerness(walk, memory)
        now = play_trial(walk, walk.plan, full, player, known, now, chance, logs=True, eager=eager, most=wait)
        held = (*held[:2], now.log, *held[3:])
        held = where(now.came.new_trial, end, held, now, walk, player, chance)
        return now.replace(log=held[2]), held

    before = Moment(mind.work, mind.log, None, None, life.step)  # type: ignore[arg-type]
    now = _before_any(start, before, walk, player, mind.known, life.memory, chance)
    now = now.replace(work=mind.work, log=mind.log, step=life.step)
    # the last choice (-1, 1; 0 none) and whether it was correct
    held = (mind.known, life.memory, mind.log, no_tally(), jnp.zeros(2, jnp.int32), jnp.int32(0))
    now, (known, memory, log, today, _, _) = jax.lax.while_loop(goes_on, trial, (now, held))
    memory = {**memory, "own": walk.night(memory["own"])}
    return Life(Mind(known, now.work, log), memory, now.step, today)


def _eagerness(walk: Walk, memory: Any) -> Any:
    """The probability that a subject takes part in a step: of who has drunk its fill, hardly any."""
    satiety = walk.said.sessions["satiety"]
    eager = jax.nn.sigmoid(10 * (1 - memory["own"].drunk / jnp.maximum(satiety, 1e-6)))
    return jnp.where(satiety > 0, eager, 1.0)


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

    def start(now, task, player, memory, known, chance):
        return start_trial(task, plan, full, player, known, now.work, (), memory, chance, now.step)

    def end(held, now, task, chance):
        memory, performance, valid, counts, done = held
        came = now.came
        memory = remember(task, now.session, came, jnp.bool_(True), chance, now.step)
        conditions, result = came.trial.conditions, came.result
        side = (conditions[plan.side] == plan.right).astype(jnp.int32)
        strength = jnp.asarray(conditions[plan.strength], jnp.float32) if plan.strength else jnp.float32(1)
        answered = (result.outcome == Outcome.CORRECT) | (result.outcome == Outcome.ERROR)
        here = (jnp.arange(2) == side)[:, None] & (jnp.asarray(levels) == strength) & answered
        chosen = jnp.stack([here & (result.choice == plan.choice_right), here], axis=-1).astype(jnp.float32)
        counted = ((result.outcome != Outcome.ABORT) | (not plan.restarts)).astype(jnp.float32)
        return memory, performance + result.performance * counted, valid + counted, counts + chosen, done + 1

    def lane(number):
        own = chance.fold(number)

        def trial(carry):
            now, held = carry
            now = where_any(now.came.new_trial, start, now, task, player, held[0], known, own)
            now = play_trial(task, plan, full, player, known, now, own, logs=False, most=_WAIT)
            return now, where_any(now.came.new_trial, end, held, now, task, own)

        zero, memory = jnp.float32(0), start_memory(task, own)
        before = Moment(rested.work, (), None, None, jnp.int32(0))  # type: ignore[arg-type]
        now = _before_any(start, before, task, player, memory, known, own).replace(work=rested.work)
        counts = jnp.zeros((2, len(levels), 2), jnp.float32)
        held = (memory, zero, zero, counts, jnp.int32(0))
        _, held = jax.lax.while_loop(lambda carry: carry[1][-1] < trials, trial, (now, held))
        return held[1:4]

    performance, valid, counts = jax.vmap(lane)(jnp.arange(lanes, dtype=jnp.uint32))
    return Marks(jnp.sum(performance) / jnp.maximum(jnp.sum(valid), 1), jnp.sum(counts, axis=0))
