"""Where a subject stands in its training, and how that moves: pure functions, unbatched."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.protocols import gauges
from neurojax.protocols.gauges import Event, Gauge, Numbers, Reading

LEFT, RIGHT = 0, 1
EVERY = -1  # the owner of what is adapted in all stages
TRAINING, IS_TRAINED, IS_DROPPED = 0, 1, 2  # how training stands
_TIMES = 64  # bins of a session's response times, each a twentieth of a decade from 10 ms on
_MISSES = 64  # trials that are looked back on for misses, at most
_SLOW = 64  # response times that are looked back on, at most


@dataclasses.dataclass(frozen=True)
class Rule:
    """What happens where all of some criteria hold; static.

    Attributes:
        gauges: of the criteria, by their place among all.
        night: whether it is looked at where a session ends, rather than after each trial.
        to: the stage that it leads to (its number), -1 trained, -2 dropped; of a change, the adapted parameter.
    """

    gauges: tuple[int, ...]
    night: bool
    to: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is static of a protocol.

    Attributes:
        gauges: of all criteria.
        transitions: of each stage, in order of priority.
        changes: of each adapted parameter.
        adapted: stage (or `EVERY`) and parameter of all that are adapted.
        sides: where the correct side comes from, by stage.
        side, left, right, choice_left, choice_right, strength, answer: as in the protocol's `Reading`.
        restarts: whether an aborted trial is none.
        window: responses that the corrections look back on, at most.
        again: of each adapted parameter, whether it begins anew with its stage.
        floors: of each adapted parameter, whether it stays above where a session began.
    """

    gauges: tuple[Gauge, ...]
    transitions: tuple[tuple[Rule, ...], ...]
    changes: tuple[tuple[Rule, ...], ...]
    adapted: tuple[tuple[int, str], ...]
    sides: tuple[str, ...]
    side: str
    left: int
    right: int
    choice_left: int
    choice_right: int
    strength: str
    answer: str
    restarts: bool
    window: int
    again: tuple[bool, ...]
    floors: tuple[bool, ...]


class Said(struct.PyTreeNode):
    """The numbers of a protocol; float32, they may be traced, stacked and searched.

    Attributes:
        criteria: of all criteria.
        stages: arrays `[S]` by name, what is said of each stage.
        sessions: by name, what is said of sessions and limits.
        adapted: arrays `[K]` by name, what is said of adapted parameters.
        changes: of each adapted parameter, the `add` and `factor` `[changes]`.
    """

    criteria: tuple[Numbers, ...]
    stages: dict[str, Any]
    sessions: dict[str, Any]
    adapted: dict[str, Any]
    changes: tuple[Any, ...]


class Progress(struct.PyTreeNode):
    """Where a subject stands in its training. Unbatched.

    Attributes:
        stage, status: int32; the status is 0 in training, 1 trained, 2 dropped.
        trials, stage_trials, session_trials: int32, how many.
        session, stage_sessions: int32, how many are over.
        over: bool, whether the session is over (where the walk pauses for the night).
        entered: int32 `[S]`, after how many trials each stage was first entered; -1: it was not.
        time: float32, ms since the session began.
        drunk: float32, microlitres in the session.
        values, since: float32 `[K]`, where adapted parameters stand, and trials since they moved.
        floor: float32 `[K]`, where they stood as the session began.
        seen: what the gauges have seen.
        responses, shown, right: float32 `[window]`, of the last trials: the response (-1 left, 1 right, 0 none), the
            correct side (-1, 1; 0: no trial), and whether it was correct.
        hits: float32 `[2]`, mean accuracy of each side.
        streak: int32, equal correct sides in a row: below 0 left, above right.
        failed: int32, errors and misses in a row.
        repeat: bool, whether the last trial is shown again; `again_side`, `again_strength`: as it was.
        times: float32 `[64]`, response times of the session by bin; `last_times` `[64]`, the last ones.
        missed: float32 `[64]`, whether each of the last trials was missed.
    """

    stage: Any
    status: Any
    trials: Any
    stage_trials: Any
    session_trials: Any
    session: Any
    stage_sessions: Any
    over: Any
    entered: Any
    time: Any
    drunk: Any
    values: Any
    since: Any
    floor: Any
    seen: tuple[Reading, ...]
    responses: Any
    shown: Any
    right: Any
    hits: Any
    streak: Any
    failed: Any
    repeat: Any
    again_side: Any
    again_strength: Any
    times: Any
    last_times: Any
    missed: Any


def first_day(plan: Plan, said: Said, stages: int) -> Progress:
    """The progress before the first trial."""
    zero, no, count = jnp.float32(0), jnp.bool_(False), jnp.int32(0)
    start = jnp.asarray(said.adapted["start"], jnp.float32)
    zeros = lambda n: jnp.zeros(n, jnp.float32)
    return Progress(
        stage=count,
        status=count,
        trials=count,
        stage_trials=count,
        session_trials=count,
        session=count,
        stage_sessions=count,
        over=no,
        entered=jnp.where(jnp.arange(stages) == 0, 0, -1).astype(jnp.int32),
        time=zero,
        drunk=zero,
        values=start,
        since=jnp.full(len(plan.adapted), 1e6, jnp.float32),
        floor=start,
        seen=tuple(gauges.nothing_seen(g) for g in plan.gauges),
        responses=zeros(plan.window),
        shown=zeros(plan.window),
        right=zeros(plan.window),
        hits=jnp.full(2, 0.5, jnp.float32),
        streak=count,
        failed=count,
        repeat=no,
        again_side=count,
        again_strength=zero,
        times=zeros(_TIMES),
        last_times=zeros(_SLOW),
        missed=zeros(_MISSES),
    )


def after_trial(plan: Plan, said: Said, own: Progress, event: Event, length: Any, dt: float) -> Progress:
    """The progress after a trial of so many steps, before the night if that was the session's last."""
    here = {name: jnp.asarray(value)[own.stage] for name, value in said.stages.items()}
    answered, correct = event.answered > 0, event.correct > 0
    failed = (event.aborted < 0.5) & ~correct
    pause = jnp.where(correct, said.sessions["after_correct"], said.sessions["after_error"])
    seen = tuple(
        gauges.look(g, given, old, event) for g, given, old in zip(plan.gauges, said.criteria, own.seen, strict=True)
    )
    one = event.valid.astype(jnp.int32)
    way = jnp.where(event.side == RIGHT, 1, -1)
    push = lambda ring, x, where=True: jnp.where(where, jnp.concatenate([ring[1:], x[None]]), ring)
    said_side = jnp.where(answered, jnp.where(event.right > 0, 1.0, -1.0), 0.0)
    counts = event.aborted < 0.5
    rate = jnp.where(jnp.arange(2) == event.side, 1 / here["memory"], 0.0) * counts
    again = failed & (here["repeat"] > 0) & (event.strength >= here["repeat_from"])
    bin_ = jnp.clip(jnp.floor(20 * jnp.log10(jnp.maximum(event.time, 10.0) / 10)), 0, _TIMES - 1).astype(jnp.int32)
    own = own.replace(
        trials=own.trials + one,
        stage_trials=own.stage_trials + one,
        session_trials=own.session_trials + one,
        time=own.time + jnp.asarray(length).astype(jnp.float32) * np.float32(dt) + pause,
        drunk=own.drunk + jnp.maximum(event.reward, 0) * said.sessions["volume"],
        since=own.since + one,
        seen=seen,
        responses=push(own.responses, said_side, answered),
        shown=push(own.shown, way.astype(jnp.float32), counts),
        right=push(own.right, event.correct, counts),
        hits=own.hits + rate * (event.correct - own.hits),
        streak=jnp.where(counts, jnp.where(own.streak * way > 0, own.streak + way, way), own.streak).astype(jnp.int32),
        failed=jnp.where(correct, 0, own.failed + failed).astype(jnp.int32),
        repeat=jnp.where(counts, again, own.repeat),
        again_side=jnp.where(counts, event.side, own.again_side),
        again_strength=jnp.where(counts, event.strength, own.again_strength),
        times=own.times + event.answered * (jnp.arange(_TIMES) == bin_),
        last_times=push(own.last_times, event.time, answered),
        missed=push(own.missed, event.missed),
    )
    own = _moved(plan, said, own, night=False)
    own = _led(plan, said, own, night=False)
    trials, limit = own.trials, said.sessions["limit_trials"]
    dropped = (own.status == TRAINING) & (limit > 0) & (trials >= limit)
    own = own.replace(status=jnp.where(dropped, IS_DROPPED, own.status).astype(jnp.int32))
    return own.replace(over=own.over | _session_over(said, own) | (own.status != TRAINING))


def _session_over(given: Said, own: Progress) -> Any:
    said, trials = given.sessions, own.session_trials.astype(jnp.float32)
    over = (said["trials"] > 0) & (trials >= said["trials"])
    over = over | ((said["minutes"] > 0) & (own.time >= said["minutes"] * 60_000))
    early = (said["early_minutes"] > 0) & (own.time >= said["early_minutes"] * 60_000)
    over = over | (early & (trials <= said["early_trials"]))
    late = (jnp.arange(_SLOW) >= _SLOW - said["slow_last"]) & (own.last_times > 0)
    order = jnp.sort(jnp.where(late, own.last_times, jnp.inf))
    recent = order[jnp.maximum((jnp.sum(late) - 1) // 2, 0)]
    share = jnp.cumsum(own.times) / jnp.maximum(jnp.sum(own.times), 1)
    median = 10 * 10 ** ((jnp.argmax(share >= 0.5) + 0.5) / 20)
    slow = (said["slow_after"] > 0) & (trials > said["slow_after"]) & (recent > said["slow_factor"] * median)
    window = jnp.arange(_MISSES) >= _MISSES - said["missed_last"]
    missed = jnp.sum(own.missed * window) > said["missed_share"] * said["missed_last"]
    idle = (said["missed_last"] > 0) & (trials >= said["missed_last"]) & missed
    return over | slow | idle


def night(plan: Plan, said: Said, own: Progress) -> Progress:
    """The progress on the next morning: rules that look at sessions, and the next one's beginning."""
    own = _moved(plan, said, own, night=True)
    stage = own.stage
    own = _led(plan, said, own, night=True)
    changed, sessions = own.stage != stage, own.session + 1
    limit = said.sessions["limit_sessions"]
    dropped = (own.status == TRAINING) & (limit > 0) & (sessions >= limit)
    seen = tuple(gauges.sleep(g, old) for g, old in zip(plan.gauges, own.seen, strict=True))
    seen = tuple(gauges.begun_anew(g, old, changed, jnp.bool_(True)) for g, old in zip(plan.gauges, seen, strict=True))
    return own.replace(
        status=jnp.where(dropped, IS_DROPPED, own.status).astype(jnp.int32),
        session=sessions,
        stage_sessions=jnp.where(changed, 0, own.stage_sessions + 1).astype(jnp.int32),
        session_trials=jnp.int32(0),
        over=jnp.bool_(False),
        time=jnp.float32(0),
        drunk=jnp.float32(0),
        floor=own.values,
        seen=seen,
        times=jnp.zeros_like(own.times),
        last_times=jnp.zeros_like(own.last_times),
        missed=jnp.zeros_like(own.missed),
    )


def _moved(plan: Plan, said: Said, own: Progress, night: bool) -> Progress:
    """With adapted parameters moved where a change's criteria hold."""
    values, since = own.values, own.since
    for k, ((owner, _), rules) in enumerate(zip(plan.adapted, plan.changes, strict=True)):
        free = (
            ((own.stage == owner) | (owner == EVERY))
            & (own.status == TRAINING)
            & (since[k] >= said.adapted["every"][k])
        )
        for i, rule in enumerate(rules):
            if rule.night != night:
                continue
            moves = free & _hold(plan, said, rule, own)
            low = jnp.maximum(said.adapted["low"][k], own.floor[k]) if plan.floors[k] else said.adapted["low"][k]
            step = said.changes[k]
            value = jnp.clip(values[k] * step["factor"][i] + step["add"][i], low, said.adapted["high"][k])
            values = values.at[k].set(jnp.where(moves, value, values[k]))
            since = since.at[k].set(jnp.where(moves, 0.0, since[k]))
            free = free & ~moves
    return own.replace(values=values, since=since)


def _led(plan: Plan, said: Said, own: Progress, night: bool) -> Progress:
    """With the stage changed where a transition's criteria hold; of several, the first."""
    target: Any = own.stage
    status, gone = own.status, own.status != TRAINING
    for number, rules in enumerate(plan.transitions):
        for rule in rules:
            if rule.night != night:
                continue
            leads = (own.stage == number) & ~gone & _hold(plan, said, rule, own)
            if rule.to >= 0:
                target = jnp.where(leads, rule.to, target)
            else:
                status = jnp.where(leads, -rule.to, status)
            gone = gone | leads
    moves = gone & (own.status == TRAINING) & (status == TRAINING)
    seen = tuple(
        gauges.begun_anew(g, old, moves, jnp.bool_(False)) for g, old in zip(plan.gauges, own.seen, strict=True)
    )
    first = moves & (jnp.arange(own.entered.shape[0]) == target) & (own.entered < 0)
    fresh = jnp.asarray(plan.again, bool) & (jnp.asarray([owner for owner, _ in plan.adapted], jnp.int32) == target)
    values = jnp.where(moves & fresh, jnp.asarray(said.adapted["start"]), own.values)
    return own.replace(
        stage=jnp.asarray(target, jnp.int32),
        status=jnp.asarray(status, jnp.int32),
        entered=jnp.where(first, own.trials, own.entered).astype(jnp.int32),
        stage_trials=jnp.where(moves, 0, own.stage_trials).astype(jnp.int32),
        stage_sessions=jnp.where(moves, 0, own.stage_sessions).astype(jnp.int32),
        values=values,
        floor=jnp.where(moves & fresh, values, own.floor),
        repeat=own.repeat & ~moves,
        seen=seen,
    )


def _hold(plan: Plan, said: Said, rule: Rule, own: Progress) -> Any:
    held: Any = jnp.bool_(True)
    for i in rule.gauges:
        held = held & gauges.holds(plan.gauges[i], said.criteria[i], own.seen[i], own.values)
    return held
