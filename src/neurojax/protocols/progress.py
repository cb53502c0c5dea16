"""Where a subject stands in its training, and how that moves: pure functions, unbatched."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.protocols import gauges
from neurojax.protocols.fits import Fit
from neurojax.protocols.gauges import Event, Gauge, Numbers, Reading
from neurojax.protocols.protocol import FITS

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
        fits: of each gauge, the first that has the same psychometric function (itself, where it fits none).
        transitions: of each stage, in order of priority.
        changes: of each adapted parameter.
        adapted: stage (or `EVERY`) and parameter of all that are adapted.
        sides: where the correct side comes from, by stage.
        side, left, right, choice_left, choice_right, strength, answer: as in the protocol's `Reading`.
        chooses: whether the protocol has a say in a trial's side and strength.
        restarts: whether an aborted trial is none.
        window: responses that the corrections look back on, at most.
        again: of each adapted parameter, whether it begins anew with its stage.
        floors: of each adapted parameter, whether it stays above where a session began.
        stays: whether a trained subject goes on in its last stage.
    """

    gauges: tuple[Gauge, ...]
    fits: tuple[int, ...]
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
    chooses: bool
    window: int
    again: tuple[bool, ...]
    floors: tuple[bool, ...]
    stays: bool = False


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
        entered: int32 `[S + 1]`, after how many trials each stage was first entered, and last after how many training
            was over (trained); -1: it was not.
        time: float32, ms since the session began.
        drunk: float32, microlitres in the session.
        values, since: float32 `[K]`, where adapted parameters stand, and trials since they moved.
        floor: float32 `[K]`, where they stood as the session began.
        seen: what the gauges have seen.
        responses: float32 `[window]`, the last responses (-1 left, 1 right, 0: none yet).
        shown, right: float32 `[window]`, of the last trials: the correct side (-1, 1; 0: no trial), and whether the
            answer was correct (1), an error (-1) or none (0).
        hits: float32 `[2]`, mean accuracy of each side.
        lost: int32 `[2]`, trials of each side since it was last found.
        streak: int32, equal correct sides in a row: below 0 left, above right.
        found: int32, how often the side was found in that streak.
        unpaid: int32, trials in a row that brought no reward.
        repeat: bool, whether the last trial is shown again to one who failed it.
        restart: bool, whether it is begun again, having been aborted.
        again_side, again_strength: as it was.
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
    lost: Any
    streak: Any
    found: Any
    unpaid: Any
    repeat: Any
    restart: Any
    again_side: Any
    again_strength: Any
    times: Any
    last_times: Any
    missed: Any


def first_day(plan: Plan, said: Said) -> Progress:
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
        entered=jnp.where(jnp.arange(len(plan.transitions) + 1) == 0, 0, -1).astype(jnp.int32),
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
        lost=jnp.zeros(2, jnp.int32),
        streak=count,
        found=count,
        unpaid=count,
        repeat=no,
        restart=no,
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
    timeout: Any = jnp.asarray(said.sessions["after_error"])
    for k, (owner, name) in enumerate(plan.adapted):
        if name == "timeout":
            timeout = jnp.where((own.stage == owner) | (owner == EVERY), own.values[k], timeout)
    pause = jnp.where(correct, said.sessions["after_correct"], timeout)
    pause = jnp.where(event.valid, pause, 0.0)  # what is begun again goes on at once
    paid = event.reward > 0
    seen = tuple(
        gauges.look(g, given, old, event) for g, given, old in zip(plan.gauges, said.criteria, own.seen, strict=True)
    )
    one = event.valid.astype(jnp.int32)
    way = jnp.where(event.side == RIGHT, 1, -1)
    push = lambda ring, x, where=True: jnp.where(where, jnp.concatenate([ring[1:], x[None]]), ring)
    said_side = jnp.where(event.right > 0, 1.0, -1.0)
    scored = jnp.where(correct, 1.0, jnp.where(answered, -1.0, 0.0))
    counts = event.aborted < 0.5
    its = (jnp.arange(2, dtype=jnp.int32) == event.side) & counts
    rate = jnp.where(its, 1 / here["memory"], 0.0)
    # What is paid although it is no answer was free. One who may try again finds the side at last, and is paid.
    found = correct | (paid & answered & (here["retry"] > 0))
    longer = own.streak * way > 0
    again = failed & (here["repeat"] > 0) & (event.strength >= here["repeat_from"])
    bin_ = jnp.clip(jnp.floor(20 * jnp.log10(jnp.maximum(event.time, 10.0) / 10)), 0, _TIMES - 1).astype(jnp.int32)
    own = own.replace(
        trials=own.trials + one,
        stage_trials=own.stage_trials + one,
        session_trials=own.session_trials + one,
        time=own.time + jnp.asarray(length).astype(jnp.float32) * np.float32(dt) + pause,
        drunk=own.drunk + jnp.maximum(event.reward, 0) * said.sessions["volume"],
        since=own.since + one.astype(jnp.float32),
        seen=seen,
        responses=push(own.responses, said_side, answered),
        shown=push(own.shown, way.astype(jnp.float32), counts),
        right=push(own.right, scored, counts),
        hits=own.hits + rate * (event.correct - own.hits),
        lost=jnp.where(its, jnp.where(found, 0, own.lost + 1), own.lost).astype(jnp.int32),
        streak=jnp.where(counts, jnp.where(longer, own.streak + way, way), own.streak).astype(jnp.int32),
        found=jnp.where(counts, jnp.where(longer, own.found, 0) + found.astype(jnp.int32), own.found),
        unpaid=jnp.where(counts, jnp.where(paid, 0, own.unpaid + 1), own.unpaid).astype(jnp.int32),
        repeat=jnp.where(counts, again, own.repeat),
        restart=~event.valid,
        again_side=jnp.asarray(event.side, jnp.int32),
        again_strength=jnp.asarray(event.strength, jnp.float32),
        times=own.times + jnp.where(jnp.arange(_TIMES, dtype=jnp.int32) == bin_, event.answered, 0.0),
        last_times=push(own.last_times, event.time, answered),
        missed=push(own.missed, event.missed, event.valid),
    )
    own = _moved(plan, said, own, night=False)
    own = _led(plan, said, own, night=False)
    trials, limit = own.trials, said.sessions["limit_trials"]
    dropped = (own.status == TRAINING) & (limit > 0) & (trials.astype(jnp.float32) >= limit)
    own = own.replace(status=jnp.where(dropped, IS_DROPPED, own.status).astype(jnp.int32))
    ended = (own.status == IS_DROPPED) | ((own.status == IS_TRAINED) & (not plan.stays))
    return own.replace(over=own.over | _session_over(said, own) | ended)


def _session_over(given: Said, own: Progress) -> Any:
    said, trials = given.sessions, own.session_trials.astype(jnp.float32)
    over = (said["trials"] > 0) & (trials >= said["trials"])
    over = over | ((said["minutes"] > 0) & (own.time >= said["minutes"] * 60_000))
    early = (said["early_minutes"] > 0) & (own.time >= said["early_minutes"] * 60_000)
    over = over | (early & (trials <= said["early_trials"]))
    recent_of = lambda room, n: jnp.arange(room, dtype=jnp.float32) >= room - n
    late = recent_of(_SLOW, said["slow_last"]) & (own.last_times > 0)
    order = jnp.sort(jnp.where(late, own.last_times, jnp.inf))
    recent = order[jnp.maximum((jnp.sum(late, dtype=jnp.int32) - 1) // 2, 0)]
    share = jnp.cumsum(own.times) / jnp.maximum(jnp.sum(own.times), 1)
    median = 10 * 10 ** ((jnp.argmax(share >= 0.5).astype(jnp.float32) + 0.5) / 20)
    slow = (said["slow_after"] > 0) & (trials > said["slow_after"]) & (recent > said["slow_factor"] * median)
    missed = jnp.sum(jnp.where(recent_of(_MISSES, said["missed_last"]), own.missed, 0.0))
    missed = missed > said["missed_share"] * said["missed_last"]
    idle = (said["missed_last"] > 0) & (trials >= said["missed_last"]) & missed
    return over | slow | idle


def night(plan: Plan, said: Said, own: Progress) -> Progress:
    """The progress on the next morning: rules that look at sessions, and the next one's beginning."""
    own = _moved(plan, said, own, night=True)
    stage = own.stage
    own = _led(plan, said, own, night=True)
    changed, sessions = own.stage != stage, own.session + 1
    limit = said.sessions["limit_sessions"]
    dropped = (own.status == TRAINING) & (limit > 0) & (sessions.astype(jnp.float32) >= limit)
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
        restart=jnp.bool_(False),
        floor=own.values,
        seen=seen,
        times=jnp.zeros_like(own.times),
        last_times=jnp.zeros_like(own.last_times),
        missed=jnp.zeros_like(own.missed),
    )


def _moved(plan: Plan, said: Said, own: Progress, night: bool) -> Progress:
    """With adapted parameters moved where a change's criteria hold."""
    values, since = own.values, own.since
    fits: dict[int, Fit] = {}
    for k, ((owner, _), rules) in enumerate(zip(plan.adapted, plan.changes, strict=True)):
        free = (
            ((own.stage == owner) | (owner == EVERY))
            & (own.status == TRAINING)
            & (since[k] >= said.adapted["every"][k])
        )
        for i, rule in enumerate(rules):
            if rule.night != night:
                continue
            moves = free & _hold(plan, said, rule, own, fits)
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
    fits: dict[int, Fit] = {}
    status, gone = own.status, own.status != TRAINING
    for number, rules in enumerate(plan.transitions):
        for rule in rules:
            if rule.night != night:
                continue
            leads = (own.stage == number) & ~gone & _hold(plan, said, rule, own, fits)
            if rule.to >= 0:
                target = jnp.where(leads, rule.to, target)
            else:
                status = jnp.where(leads, -rule.to, status)
            gone = gone | leads
    moves = gone & (own.status == TRAINING) & (status == TRAINING)
    seen = tuple(
        gauges.begun_anew(g, old, moves, jnp.bool_(False)) for g, old in zip(plan.gauges, own.seen, strict=True)
    )
    place = jnp.where((own.status == TRAINING) & (status == IS_TRAINED), own.entered.shape[0] - 1, target)
    places = jnp.arange(own.entered.shape[0], dtype=jnp.int32)
    first = gone & (own.status == TRAINING) & (places == place) & (own.entered < 0)
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


def _hold(plan: Plan, said: Said, rule: Rule, own: Progress, fits: dict[int, Fit]) -> Any:
    """Whether all criteria of a rule hold; `fits` keeps what was fitted, for the rules after it."""
    held: Any = jnp.bool_(True)
    for i in rule.gauges:
        first = plan.fits[i]
        if plan.gauges[i].measure in FITS and first not in fits:
            fits[first] = gauges.fit_of(plan.gauges[i], own.seen[first])
        held = held & gauges.holds(plan.gauges[i], said.criteria[i], own.seen[i], own.values, fits.get(first))
    return held
