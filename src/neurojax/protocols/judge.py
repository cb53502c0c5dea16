"""Which protocol is better: two of them compared over the same subjects.

Times to an endpoint (`neurojax.protocols.endpoints`) are compared by restricted means (RMST): the mean of the time or
the horizon, whichever comes first, so that who does not learn counts with the horizon. The horizon is shared by all
that are compared (`shared_horizon`). One trial of a simulated subject is not one trial of an animal: ratios and ranks
are what to read.

Intervals are percentiles of a bootstrap over subjects, drawn within each learner, widened for few subjects as Student's
t is beside the normal (Hesterberg 2015, doi:10.1080/00031305.2015.1089789).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.analysis.psychometric import Estimate
from neurojax.errors import InvalidArgument
from neurojax.protocols.endpoints import endpoint, floor, shared_horizon
from neurojax.protocols.results import StudyResult
from neurojax.protocols.survival import LogRank, check_horizon, checked, log_rank, restricted_means

if TYPE_CHECKING:
    from pandas import DataFrame

REPLICATES = 2000  # of a bootstrap
MARGIN = 0.1  # ratios between 1 - MARGIN and 1 + MARGIN make no difference


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two protocols over the same subjects. Intervals are bootstraps over subjects: pairs, if paired.

    Attributes:
        first, second: the protocols.
        of, unit: the endpoint.
        n: subjects (pairs).
        paired: whether subjects were compared with themselves.
        horizon: of the restricted means.
        ratio: restricted mean of the first over that of the second; below 1 the first is faster.
        difference: the first less the second, in the unit.
        geometric: geometric mean of a subject's two times, first over second, over those who learn under both
            (`learnt_both`, a share): it says nothing of who does not learn. NaN where unpaired.
        better: chance that a subject does better under the first: it reaches the endpoint under the first while,
            watched, it has not under the second. Neither (`ties`: same time, or not under both) and not known
            (`undecided`: watched under the one for less time than it took under the other) count half. Unpaired: over
            all couples.
        share: share that reached the endpoint, first less second.
        excess: ratio of the means' excess over the perfect learner's floors; NaN where these are not known.
        log_rank: of the pairs (only who is first counts), or of two independent groups.
        level: of the intervals.
    """

    first: str
    second: str
    of: str
    unit: str
    n: int
    paired: bool
    horizon: float
    ratio: Estimate
    difference: Estimate
    geometric: Estimate
    learnt_both: float
    better: Estimate
    ties: float
    undecided: float
    share: Estimate
    excess: Estimate
    log_rank: LogRank
    level: float

    @property
    def holds_one(self) -> bool:
        """Whether the ratio's interval holds 1: no difference is told."""
        return self.ratio.low <= 1 <= self.ratio.high

    def clears(self, margin: float = MARGIN) -> bool:
        """Whether the ratio's interval lies outside 1 ± margin."""
        return self.ratio.high < 1 - margin or self.ratio.low > 1 + margin

    def describe(self) -> str:
        """The ratio in a sentence."""
        r = self.ratio
        number = f"{r.value:.2f} ({r.low:.2f} to {r.high:.2f})"
        text = f"Under {self.first!r} subjects take {number} times the {self.unit} that they take under {self.second!r}"
        if self.holds_one:
            return f"{text}: no difference is told."
        if not self.clears():
            return f"{text}: a difference of which the interval does not clear 1 ± {MARGIN:g}."
        return f"{text}: {self.first if r.value < 1 else self.second!r} is faster."


def compare(
    result: StudyResult,
    first: str,
    second: str,
    *,
    of: str = "exam",
    unit: str = "trials",
    learner: str | None = None,
    horizon: float | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare two protocols over the subjects that were trained under both.

    Args:
        result: the study.
        first, second: the protocols' names.
        of, unit, learner: as for `endpoint`.
        horizon: of the restricted means; default: `shared_horizon` of the two.
        replicates: bootstrap samples, drawn within each learner.
        seed: of these.
        level: of the intervals.

    Raises:
        UnknownName: as `endpoint`.
        InvalidArgument: if no subject was trained under both, or for numbers that are not allowed.
    """
    a, b = (endpoint(result, name, of=of, unit=unit, learner=learner) for name in (first, second))
    if horizon is not None:
        for frame in (a, b):
            check_horizon(*checked(frame["time"], frame["event"]), horizon)
    floors = (floor(result, first, of=of, unit=unit), floor(result, second, of=of, unit=unit))
    found = compare_times(a, b, horizon=horizon, floors=floors, replicates=replicates, seed=seed, level=level)
    return dataclasses.replace(found, first=first, second=second, of=of, unit=unit)


def compare_all(result: StudyResult, **options: Any) -> list[Comparison]:
    """Every two protocols of a study, with one horizon for all; options as for `compare`."""
    names = result.names()
    which = {name: options[name] for name in ("of", "unit", "learner") if name in options}
    if options.get("horizon") is None:
        options["horizon"] = shared_horizon([endpoint(result, name, **which) for name in names])
    return [compare(result, a, b, **options) for a, b in combinations(names, 2)]


def compare_times(
    first: DataFrame,
    second: DataFrame,
    *,
    paired: bool = True,
    horizon: float | None = None,
    floors: tuple[float, float] = (math.nan, math.nan),
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare two lists of times, as from `endpoint`.

    Args:
        first, second: by (learner, subject), with `time`, `event` and `end`.
        paired: whether to compare each subject with itself, which only those in both can be; else the two are taken
            to be independent.
        horizon: of the restricted means; default: `shared_horizon`.
        floors: what a perfect learner takes.
        replicates, seed, level: as for `compare`.

    Raises:
        InvalidArgument: if no subject is in both, or for numbers that are not allowed.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from neurojax.protocols.judge import compare_times
        >>> index = pd.MultiIndex.from_product([["logistic"], range(50)], names=["learner", "subject"])
        >>> time = np.random.default_rng(0).exponential(1000, 50)
        >>> slow = pd.DataFrame({"time": time, "event": True, "end": time}, index=index)
        >>> fast = slow.assign(time=time / 2, end=time / 2)
        >>> round(compare_times(fast, slow).ratio.value, 3)
        0.5
    """
    if not 0 < level < 1 or replicates < 1:
        raise InvalidArgument(f"level must lie in (0, 1) and replicates above 0, got {level!r} and {replicates!r}")
    if paired:
        both = first.index.intersection(second.index)
        if len(both) == 0:
            raise InvalidArgument("no subject was trained under both protocols: there are no pairs to compare")
        first, second = first.loc[both], second.loc[both]
    until = shared_horizon([first, second]) if horizon is None else horizon
    a, b = _times(first), _times(second)
    tail = _tail(min(a.n, b.n), level)
    rng = np.random.default_rng(seed)
    weights_a = resampled(a.stratum, replicates, rng)
    weights_b = weights_a if paired else resampled(b.stratum, replicates, rng)
    if paired:
        geometric, learnt_both = _geometric(a, b, weights_a, tail)
        scores, ties, undecided = _scores(a, b)
        better = _estimate(float(scores.mean()), weights_a @ scores / len(scores), tail)
        test = log_rank(a.time, a.event, b.time, b.event, strata=(np.arange(a.n), np.arange(b.n)))
    else:
        geometric, learnt_both = Estimate(math.nan, math.nan, math.nan), math.nan
        table, ties, undecided = _scores(a.column(), b)
        drawn = np.sum((weights_a @ table) * weights_b, axis=1) / (a.n * b.n)
        better = _estimate(float(table.mean()), drawn, tail)
        test = log_rank(a.time, a.event, b.time, b.event)
    means = [float(restricted_means(x.time, x.event, np.ones((1, x.n)), until)[0]) for x in (a, b)]
    drawn_a, drawn_b = (restricted_means(x.time, x.event, w, until) for x, w in ((a, weights_a), (b, weights_b)))
    reached = [x.event.mean() for x in (a, b)]
    drawn_share = weights_a @ a.event / a.n - weights_b @ b.event / b.n
    return Comparison(
        first="first",
        second="second",
        of="",
        unit="trials",
        n=a.n if paired else a.n + b.n,
        paired=paired,
        horizon=until,
        ratio=_estimate(means[0] / means[1], drawn_a / drawn_b, tail),
        difference=_estimate(means[0] - means[1], drawn_a - drawn_b, tail),
        geometric=geometric,
        learnt_both=learnt_both,
        better=better,
        ties=ties,
        undecided=undecided,
        share=_estimate(float(reached[0] - reached[1]), drawn_share, tail),
        excess=_excess(means, (drawn_a, drawn_b), floors, tail),
        log_rank=test,
        level=level,
    )


def resampled(stratum: np.ndarray, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """How often each subject is in each bootstrap sample, float64 `[R, n]`, drawn within strata `[n]`."""
    out = np.zeros((replicates, stratum.size))
    for label in np.unique(stratum):
        inside = np.flatnonzero(stratum == label)
        drawn = rng.integers(inside.size, size=(replicates, inside.size)) + inside.size * np.arange(replicates)[:, None]
        out[:, inside] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
    return out


@dataclasses.dataclass(frozen=True)
class _Times:
    """Times and events of subjects, and the number of their learner; `[n]`, or a column `[n, 1]` to be held against a
    row."""

    time: np.ndarray
    event: np.ndarray
    stratum: np.ndarray

    @property
    def n(self) -> int:
        return self.time.shape[0]

    def column(self) -> _Times:
        return dataclasses.replace(self, time=self.time[:, None], event=self.event[:, None])


def _times(frame: DataFrame) -> _Times:
    learners = frame.index.get_level_values("learner").astype(str)
    time, event = checked(frame["time"], frame["event"])
    return _Times(time, event, np.unique(learners, return_inverse=True)[1])


def _scores(a: _Times, b: _Times) -> tuple[np.ndarray, float, float]:
    """1 where the first is better, 0 where the second is, else a half; the shares of ties and of what is not known."""
    first = a.event & ((a.time < b.time) | (~b.event & (a.time <= b.time)))
    second = b.event & ((b.time < a.time) | (~a.event & (b.time <= a.time)))
    tie = (a.event & b.event & (a.time == b.time)) | (~a.event & ~b.event)
    scores = np.where(first, 1.0, np.where(second, 0.0, 0.5))
    return scores, float(tie.mean()), float((~first & ~second & ~tie).mean())


def _geometric(a: _Times, b: _Times, weights: np.ndarray, tail: float) -> tuple[Estimate, float]:
    """The geometric mean of ratios over those who learnt under both, and their share."""
    both = a.event & b.event & (a.time > 0) & (b.time > 0)
    if not both.any():
        return Estimate(math.nan, math.nan, math.nan), 0.0
    logs = np.log(a.time[both] / b.time[both])
    counted = weights[:, both]
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = np.exp(counted @ logs / counted.sum(axis=1))
    return _estimate(float(np.exp(logs.mean())), drawn, tail), float(both.mean())


def _excess(
    means: Sequence[float], drawn: tuple[np.ndarray, np.ndarray], floors: tuple[float, float], tail: float
) -> Estimate:
    """The ratio of excesses over the floors; an excess of 0 or less has none."""
    over = [mean - least for mean, least in zip(means, floors, strict=True)]
    if not min(over) > 0:  # also where a floor is NaN
        return Estimate(math.nan, math.nan, math.nan)
    below = drawn[1] - floors[1]
    ratios = np.where(below > 0, (drawn[0] - floors[0]) / np.where(below > 0, below, 1), math.inf)
    return _estimate(over[0] / over[1], ratios, tail)


def _estimate(value: float, drawn: np.ndarray, tail: float) -> Estimate:
    """The value with the percentiles of its bootstrap, of which so great a share lies beyond either."""
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return Estimate(value, math.nan, math.nan)
    ordered = np.sort(drawn)
    at = lambda q: float(ordered[min(int(q * ordered.size), ordered.size - 1)])
    return Estimate(value, at(tail), at(1 - tail))


def _tail(n: int, level: float) -> float:
    """The share beyond either end: below (1 - level) / 2 for few subjects, as t quantiles lie beyond normal ones."""
    from scipy.special import ndtr, stdtrit

    if n < 2:
        return 0.0
    return float(ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))
