"""What a protocol's criteria look at, kept up to date trial by trial: pure functions of small pytrees, unbatched."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.protocols.fits import Fit, fit_psychometric
from neurojax.protocols.protocol import COUNTS, FITS, MEDIAN, Criterion

_COMPARED = ("at_least", "above", "at_most", "below", "better_than")
# The share of times below a number, against a half, where their median compares so with it.
_MEDIAN = {"at_least": "at_most", "below": "above"}
_NEAR = 1e-3  # strengths closer than this are one


class Event(struct.PyTreeNode):
    """A trial that is over, as a protocol sees it. Unbatched; float32 unless said.

    Attributes:
        valid: bool, whether it is a trial (an aborted one may be none).
        counted: bool, whether it counts for criteria.
        answered, correct, aborted, missed: 0 or 1.
        performance: in [0, 1].
        right: 1 where the choice was right, of an answered trial.
        side: int32, 1 where the correct side was right.
        strength: of the stimulus.
        reward: as the task gave it.
        time: ms from the start of the period in which to answer, of an answered trial.
        best_reward: of an answered trial under the best play; 0 where the trial was free.
    """

    valid: Any
    counted: Any
    answered: Any
    correct: Any
    aborted: Any
    missed: Any
    performance: Any
    right: Any
    side: Any
    strength: Any
    reward: Any
    time: Any
    best_reward: Any


@dataclasses.dataclass(frozen=True)
class Gauge:
    """A criterion's structure: what is static of it.

    Attributes:
        measure: see `Criterion`.
        of: since when it looks.
        room: trials for which there is room in the window of the last; 0: it sums.
        sessions: how many sessions it looks at; 0: it does not.
        pooled: whether these are taken together.
        full: whether the window, or the sessions, must be full.
        sides: the correct sides that are looked at apart; empty: all together.
        compared: which comparisons are made.
        adapted: for `value`, the place of the parameter among all that are adapted.
        levels: strengths that a psychometric function is fitted to, rising.
        repeats: whether it looks at trials that do not count.
    """

    measure: str
    of: str
    room: int
    sessions: int
    pooled: bool
    full: bool
    sides: tuple[int, ...]
    compared: tuple[str, ...]
    adapted: int = -1
    levels: tuple[float, ...] = ()
    repeats: bool = False

    @property
    def rows(self) -> int:
        """How many sides are looked at apart."""
        return max(len(self.sides), 1)


class Numbers(struct.PyTreeNode):
    """A criterion's numbers, float32: they may be traced, stacked and searched.

    Attributes:
        last: N of the window.
        low, high: strengths that match.
        bounds: `[comparisons]`.
        alpha: level of the binomial test.
    """

    last: Any
    low: Any
    high: Any
    bounds: Any
    alpha: Any


class Reading(struct.PyTreeNode):
    """What a gauge has seen: float32 `[rows, ...]`.

    Attributes:
        top, bottom: sums of the measure's numerator and denominator: over the last trials `[rows, room]`, or over all
            that match `[rows, 1]`.
        seen: `[rows]`, trials that match.
        tops, bottoms: those of the last sessions `[rows, sessions]`, the present one last until it is over.
        nights: how many sessions are over.
        counts: `[sessions, 2, levels, 2]`, choices by session, side and strength: right ones, and all.
    """

    top: Any
    bottom: Any
    seen: Any
    tops: Any = ()
    bottoms: Any = ()
    nights: Any = np.float32(0)
    counts: Any = ()


def gauge(criterion: Criterion, adapted: list[str], levels: tuple[float, ...], room: int | None = None) -> Gauge:
    """The structure of a criterion.

    Args:
        criterion: the criterion.
        adapted: all parameters that are adapted in its stage, with the stage's number, as they stand in a protocol.
        levels: all strengths that the protocol's tasks may show.
        room: for windows of how many trials there is to be room; default: its own.
    """
    sides = {"left": (0,), "right": (1,), "both": (0, 1), None: ()}[criterion.side]
    compared = tuple(name for name in _COMPARED if getattr(criterion, name) is not None)
    return Gauge(
        measure=criterion.measure,
        of=criterion.of,
        room=max(criterion.last, room or 0) if criterion.last is not None else 0,
        sessions=criterion.sessions or 0,
        pooled=criterion.pooled,
        full=criterion.full,
        sides=sides,
        compared=compared,
        adapted=adapted.index(criterion.parameter) if criterion.parameter is not None else -1,
        levels=levels if criterion.measure in FITS else (),
        repeats=criterion.repeats,
    )


def numbers(criterion: Criterion) -> Numbers:
    """The numbers of a criterion."""
    low, high = -np.inf, np.inf
    if criterion.strength is not None:
        low, high = criterion.strength - _NEAR, criterion.strength + _NEAR
    elif criterion.strength_from is not None:
        low = criterion.strength_from - _NEAR
    bounds = [getattr(criterion, name) for name in _COMPARED if getattr(criterion, name) is not None]
    float32 = lambda x: np.asarray(x, np.float32)
    return Numbers(float32(criterion.last or 0), float32(low), float32(high), float32(bounds), float32(criterion.alpha))


def nothing_seen(gauge: Gauge) -> Reading:
    """A gauge that has seen nothing."""
    zeros = lambda *shape: jnp.zeros(shape, jnp.float32)
    rows, room, k = gauge.rows, max(gauge.room, 1), gauge.sessions
    if gauge.measure in FITS:
        return Reading((), (), (), counts=zeros(k, 2, len(gauge.levels), 2), nights=zeros())
    if gauge.measure in ("sessions", "value"):
        return Reading((), (), (), nights=zeros())
    sums = Reading(zeros(rows, room), zeros(rows, room), zeros(rows), nights=zeros())
    return sums.replace(tops=zeros(rows, k), bottoms=zeros(rows, k)) if k else sums


def look(gauge: Gauge, given: Numbers, seen: Reading, event: Event) -> Reading:
    """What a gauge has seen after a trial."""
    if gauge.measure in ("sessions", "value"):
        return seen
    strong = (event.strength >= given.low) & (event.strength <= given.high)
    counted = event.valid if gauge.repeats else event.counted
    if gauge.measure in FITS:
        level = jnp.abs(jnp.asarray(gauge.levels, jnp.float32) - event.strength) < _NEAR
        here = (jnp.arange(2, dtype=jnp.int32) == event.side)[:, None] & level & counted & (event.answered > 0)
        one = here.astype(jnp.float32)
        more = jnp.stack([one * event.right, one], axis=-1)
        return seen.replace(counts=seen.counts.at[-1].add(more))
    top, bottom = _terms(gauge.measure, event, given)
    side = jnp.asarray(gauge.sides or (0,), jnp.int32)
    matches = counted & strong & ((side == event.side) | (not gauge.sides))
    if gauge.measure not in COUNTS:
        matches = matches & (bottom > 0)
    one = matches.astype(jnp.float32)
    if gauge.sessions:
        return seen.replace(tops=seen.tops.at[:, -1].add(one * top), bottoms=seen.bottoms.at[:, -1].add(one * bottom))
    if gauge.room:
        shift = lambda ring, x: jnp.where(matches[:, None], jnp.concatenate([ring[:, 1:], x[:, None]], 1), ring)
        fill = lambda x: jnp.broadcast_to(x, one.shape)
        return seen.replace(
            top=shift(seen.top, fill(top)), bottom=shift(seen.bottom, fill(bottom)), seen=seen.seen + one
        )
    return seen.replace(
        top=seen.top + (one * top)[:, None], bottom=seen.bottom + (one * bottom)[:, None], seen=seen.seen + one
    )


def begun_anew(gauge: Gauge, seen: Reading, stage: Any, session: Any) -> Reading:
    """What a gauge keeps where its stage was entered, or a session begins: bools."""
    if gauge.of == "all":
        return seen
    forget = stage | session if gauge.of == "session" else stage
    return jax.tree.map(lambda new, old: jnp.where(forget, new, old), nothing_seen(gauge), seen)


def sleep(gauge: Gauge, seen: Reading) -> Reading:
    """What a gauge has seen where a session is over: the next one begins with nothing.

    To be called after its criteria were asked: they are about the session that is over.
    """
    roll = lambda ring, axis: jnp.roll(ring, -1, axis)
    seen = seen.replace(nights=seen.nights + 1)
    if gauge.measure in FITS:
        return seen.replace(counts=roll(seen.counts, 0).at[-1].set(0))
    if not gauge.sessions or gauge.measure in ("sessions", "value"):
        return seen
    return seen.replace(tops=roll(seen.tops, 1).at[:, -1].set(0), bottoms=roll(seen.bottoms, 1).at[:, -1].set(0))


def fit_of(gauge: Gauge, seen: Reading) -> Fit:
    """The psychometric function of what was seen."""
    return fit_psychometric(jnp.asarray(gauge.levels, jnp.float32), jnp.sum(seen.counts, axis=0))


def holds(gauge: Gauge, given: Numbers, seen: Reading, values: Any, fit: Fit | None = None) -> jax.Array:
    """Whether a criterion holds: bool. At the end of a session this comes before `sleep`.

    Args:
        gauge, given: its structure and numbers.
        seen: what was seen.
        values: `[adapted]`, where all adapted parameters stand.
        fit: the psychometric function of what was seen, where it is known already.
    """
    if gauge.measure == "value":
        return _compared(gauge, given, values[gauge.adapted], 1.0)
    nights = seen.nights + 1  # the session that is about to end among them
    if gauge.measure == "sessions":
        return _compared(gauge, given, nights, 1.0)
    if gauge.measure in FITS:
        value = (fit_of(gauge, seen) if fit is None else fit).of(gauge.measure)
        enough = (nights >= gauge.sessions) | (not gauge.full)
        return _compared(gauge, given, value, 1.0) & enough & (jnp.sum(seen.counts) > 0)
    count = gauge.measure in COUNTS
    if gauge.sessions:
        there = jnp.arange(gauge.sessions, dtype=jnp.float32) >= gauge.sessions - nights
        enough = (nights >= gauge.sessions) | (not gauge.full)
        if gauge.pooled:
            top, bottom = jnp.sum(seen.tops, axis=1), jnp.sum(seen.bottoms, axis=1)
            value = top / jnp.minimum(nights, gauge.sessions) if count else top / jnp.maximum(bottom, 1e-6)
            return jnp.all(_compared(gauge, given, value, bottom) & ((bottom > 0) | count)) & enough
        value = seen.tops if count else seen.tops / jnp.maximum(seen.bottoms, 1e-6)
        each = _compared(gauge, given, value, seen.bottoms) & ((seen.bottoms > 0) | count)
        return jnp.all(each | ~there) & enough
    top, bottom = seen.top, seen.bottom
    if gauge.room:
        recent = (jnp.arange(gauge.room, dtype=jnp.float32) >= gauge.room - given.last).astype(jnp.float32)
        top, bottom = top * recent, bottom * recent
    top, bottom = jnp.sum(top, axis=1), jnp.sum(bottom, axis=1)
    value = top if count else top / jnp.maximum(bottom, 1e-6)
    enough = (seen.seen >= given.last) | (not (gauge.room and gauge.full))
    return jnp.all(_compared(gauge, given, value, bottom) & enough & ((bottom > 0) | count))


def _terms(measure: str, event: Event, given: Numbers) -> tuple[Any, Any]:
    """Numerator and denominator of a trial."""
    if measure == MEDIAN:  # it lies below a number where more than half of the times do
        return (event.time < given.bounds[0]).astype(jnp.float32), event.answered
    one = jnp.float32(1)
    return {
        "trials": (one, one),
        "correct": (event.correct, one),
        "answered": (event.answered, one),
        "reward": (event.reward, one),
        "accuracy": (event.correct, event.answered),
        "performance": (event.performance, one),
        "response_rate": (event.answered, one),
        "violation_rate": (event.aborted, one),
        "miss_rate": (event.missed, one),
        "right": (event.right, event.answered),
        "response_time": (event.time, event.answered),
        "efficiency": (event.reward, event.answered * event.best_reward),
    }[measure]


def _compared(gauge: Gauge, given: Numbers, value: Any, n: Any) -> Any:
    """Whether all comparisons of a value hold; `n` is what a share is a share of."""
    held: Any = jnp.bool_(True)
    for i, name in enumerate(gauge.compared):
        bound = given.bounds[i]
        if gauge.measure == MEDIAN:
            name, bound = _MEDIAN[name], jnp.float32(0.5)
        if name == "better_than":  # P(X >= k) of a binomial, as an incomplete beta function
            k = value * n
            p = jax.scipy.special.betainc(jnp.maximum(k, 1e-3), n - k + 1, bound)
            held = held & (p < given.alpha) & (k > 0)
        else:
            near = 1e-5 * jnp.maximum(jnp.abs(bound), 1)  # a share of .7 is met by 70 of 100
            held = (
                held
                & {
                    "at_least": value >= bound - near,
                    "above": value > bound + near,
                    "at_most": value <= bound + near,
                    "below": value < bound - near,
                }[name]
            )
    return held
