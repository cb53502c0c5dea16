"""Times until something is learnt, where some never learn it: Kaplan-Meier, log-rank tests, restricted means.

Pure functions of arrays: `time` float `[n]`, the time of what happened or until which a subject was watched, infinite
where it is known that it never happens; `event` bool `[n]`, whether it happened. Whoever is watched no longer is taken
to be like those who still are (censoring that says nothing); who is known to have given up is not censored but never
learns: time infinite.

Sources: Kaplan & Meier (1958), doi:10.1080/01621459.1958.10501452; the band by Greenwood's variance on the scale
log(-log), Kalbfleisch & Prentice (1980); the interval of a median by Brookmeyer & Crowley (1982), doi:10.2307/2530286;
the log-rank test by Mantel (1966); restricted means as in Royston & Parmar (2013), doi:10.1186/1471-2288-13-152.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np

from neurojax.analysis.psychometric import Estimate
from neurojax.errors import InvalidArgument


@dataclasses.dataclass(frozen=True)
class Curve:
    """A survival function: the share to whom it has not happened yet; k times at which it happened or was censored.

    Attributes:
        time: float64 `[k]`, rising.
        survival: float64 `[k]`, from this time on; 1 before the first.
        low, high: float64 `[k]`, pointwise interval.
        at_risk: int64 `[k]`, watched just before this time.
        level: of the intervals.
    """

    time: np.ndarray
    survival: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_risk: np.ndarray
    level: float

    def at(self, when: Any) -> np.ndarray:
        """The share, float64, to whom it has not happened by these times."""
        return _step(self.time, self.survival, when)

    def band(self, when: Any) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of the interval at these times."""
        return _step(self.time, self.low, when), _step(self.time, self.high, when)


def kaplan_meier(time: Any, event: Any, *, level: float = 0.95) -> Curve:
    """The Kaplan-Meier estimate, with log(-log) intervals from Greenwood's variance, by SciPy's `ecdf`.

    Before the first event the interval is [1, 1]; where nobody is left it is from 0 to its last upper end.

    Args:
        time, event: see the module.
        level: of the intervals.

    Raises:
        InvalidArgument: for no times, negative or NaN ones, an event at an infinite time, or a level outside (0, 1).

    Example:
        >>> from neurojax.protocols.survival import kaplan_meier
        >>> kaplan_meier([1, 2, 2, 3], [True, True, False, True]).survival.tolist()
        [0.75, 0.5, 0.0]
    """
    from scipy import stats

    time, event = checked(time, event)
    if not 0 < level < 1:
        raise InvalidArgument(f"level must lie between 0 and 1, got {level!r}")
    known = time[np.isfinite(time)]
    never = (known.max(initial=0.0)) + 1
    finite = np.where(np.isfinite(time), time, never)
    found = stats.ecdf(stats.CensoredData.right_censored(finite, ~event)).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of shares of 0 and 1, which are seen to below
        band = found.confidence_interval(level, method="log-log")
    s = np.asarray(found.probabilities, np.float64)
    low, high = (np.array(part.probabilities, np.float64) for part in (band.low, band.high))
    untouched, gone = s >= 1, s <= 0
    low[untouched] = high[untouched] = 1.0
    if gone.any():
        before = high[~gone]
        low[gone], high[gone] = 0.0, before[-1] if before.size else 1.0
    at = np.asarray(found.quantiles, np.float64)
    shown = at < never
    at_risk = np.sum(time[None, :] >= at[shown, None], axis=1)
    return Curve(at[shown], s[shown], low[shown], high[shown], at_risk, level)


def median(curve: Curve) -> Estimate:
    """When it has happened to half, with the interval that the band gives; infinite where it has not."""
    when = lambda share: float(curve.time[share <= 0.5][0]) if np.any(share <= 0.5) else math.inf
    return Estimate(when(curve.survival), when(curve.low), when(curve.high))


def restricted_mean(time: Any, event: Any, horizon: float, *, level: float = 0.95) -> Estimate:
    """The mean of the time or the horizon, whichever comes first: the area under the survival function up to there.

    The interval is normal, with the variance of the area from Greenwood's formula.

    Args:
        time, event: see the module.
        horizon: up to where; at least one subject must be watched that long, or all have had the event.
        level: of the interval.

    Raises:
        InvalidArgument: as `kaplan_meier`, or if nobody was watched up to the horizon.

    Example:
        >>> from neurojax.protocols.survival import restricted_mean
        >>> restricted_mean([1, 2, 3, float("inf")], [True, True, True, False], 4).value
        2.5
    """
    from scipy.special import ndtri

    time, event = checked(time, event)
    check_horizon(time, event, horizon)
    when, died, at_risk = _deaths(time, event, horizon)
    survival = np.cumprod(1 - died / at_risk)
    widths = np.diff(np.concatenate([[0.0], when, [horizon]]))
    areas = widths * np.concatenate([[1.0], survival])
    ahead = areas.sum() - np.cumsum(areas)[:-1]  # area from each event to the horizon
    left = at_risk * (at_risk - died)
    variance = np.sum(np.where(left > 0, ahead**2 * died / np.maximum(left, 1), 0.0))
    half = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
    return Estimate(float(areas.sum()), float(areas.sum() - half), float(areas.sum() + half))


def restricted_means(time: Any, event: Any, weights: np.ndarray, horizon: float) -> np.ndarray:
    """Restricted means, float64 `[R]`, of R samples in which each subject counts so often: for bootstraps.

    Args:
        time, event: see the module.
        weights: `[R, n]`, not negative; the sum of each row is above 0.
        horizon: up to where. Where nobody of a sample was watched that long, its last survival is held up to there.

    Raises:
        InvalidArgument: as `kaplan_meier`.
    """
    time, event = checked(time, event)
    lost = ~event & (time < horizon)
    if not lost.any():  # everybody's time up to the horizon is known: a plain mean
        return weights @ np.minimum(time, horizon) / weights.sum(axis=1)
    order = np.argsort(np.where(event, time, np.nextafter(time, np.inf)), kind="stable")  # events before censoring
    time, event = time[order], event[order]
    counted = weights[:, order].astype(np.float64)
    at_risk = np.cumsum(counted[:, ::-1], axis=1)[:, ::-1]
    inside = event & (time <= horizon)
    share = np.where(inside & (at_risk > 0), counted / np.maximum(at_risk, 1e-300), 0.0)
    survival = np.cumprod(1 - share, axis=1)  # one at a time: the same product as all of a time at once
    widths = np.diff(np.concatenate([[0.0], np.minimum(time, horizon), [horizon]]))
    return widths[0] + survival @ widths[1:]


@dataclasses.dataclass(frozen=True)
class LogRank:
    """A log-rank test.

    Attributes:
        statistic: standard normal where there is no difference; above 0 where it happens to the first sooner.
        pvalue: two-sided.
        strata: how many groups were compared within.
    """

    statistic: float
    pvalue: float
    strata: int


def log_rank(time_a: Any, event_a: Any, time_b: Any, event_b: Any, *, strata: tuple[Any, Any] | None = None) -> LogRank:
    """The log-rank test of two groups, or within strata.

    Without strata the groups are taken to be independent of each other. Of pairs they are not: give the pairs as
    strata. Then only who of a pair is first counts, and the test is McNemar's of the wins and losses.

    Args:
        time_a, event_a, time_b, event_b: see the module.
        strata: labels `[n_a]` and `[n_b]`; what differs between strata does not count.

    Raises:
        InvalidArgument: as `kaplan_meier`, or where the labels are not one a subject.

    Example:
        >>> from neurojax.protocols.survival import log_rank
        >>> log_rank([1, 2, 3], [True] * 3, [4, 5, 6], [True] * 3).pvalue < 0.05
        True
    """
    from scipy.special import ndtr

    a, b = checked(time_a, event_a), checked(time_b, event_b)
    labels = [np.zeros(part[0].size, int) for part in (a, b)] if strata is None else [np.asarray(s) for s in strata]
    if any(label.shape != part[0].shape for label, part in zip(labels, (a, b), strict=True)):
        raise InvalidArgument("strata must hold one label a subject, for each of the groups")
    time, event = np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]])
    first = np.repeat([1.0, 0.0], [a[0].size, b[0].size])
    _, stratum = np.unique(np.concatenate(labels), return_inverse=True)
    excess, variance = _excess(time, event, first, stratum)
    z = excess / math.sqrt(variance) if variance > 0 else 0.0
    return LogRank(z, 2 * float(ndtr(-abs(z))), int(stratum.max()) + 1)


def checked(time: Any, event: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times as float64 `[n]` and events as bool `[n]`.

    Raises:
        InvalidArgument: for shapes that differ, no times, negative or NaN ones, or an event at an infinite time.
    """
    time, event = np.asarray(time, np.float64), np.asarray(event, bool)
    if time.ndim != 1 or time.shape != event.shape or time.size == 0:
        raise InvalidArgument(f"time and event must be lists of the same subjects, got {time.shape} and {event.shape}")
    if np.isnan(time).any() or (time < 0).any():
        raise InvalidArgument(f"time must be 0 or more, got {time[np.isnan(time) | (time < 0)][0]}")
    if np.any(event & np.isinf(time)):
        raise InvalidArgument("what happens, happens at a finite time; got an event at inf")
    return time, event


def check_horizon(time: np.ndarray, event: np.ndarray, horizon: float) -> None:
    """Refuse a horizon up to which the survival function is not known.

    Raises:
        InvalidArgument: if it is not positive and finite, or everybody was lost sight of before it.
    """
    if not 0 < horizon < math.inf:
        raise InvalidArgument(f"horizon must be positive and finite, got {horizon!r}")
    known = np.isfinite(time)
    last = time[known].max(initial=0)
    if known.any() and last < horizon and not event[time == last].any():
        raise InvalidArgument(f"nobody was watched up to the horizon {horizon:g}; the last one was until {last:g}")


def _excess(time: np.ndarray, event: np.ndarray, first: np.ndarray, stratum: np.ndarray) -> tuple[float, float]:
    """Events of the first group beyond those expected, and their variance, summed over all times of all strata."""
    order = np.lexsort((time, stratum))
    time, event, first, stratum = time[order], event[order], first[order], stratum[order]
    new = np.concatenate([[True], (np.diff(stratum) != 0) | (time[1:] != time[:-1])])
    start = np.flatnonzero(new)
    block = np.cumsum(new) - 1
    sums = lambda x: np.bincount(block, weights=x, minlength=start.size)
    size = np.bincount(stratum)
    before = np.concatenate([[0], np.cumsum(size)])[:-1]
    n = (size[stratum] - (np.arange(time.size) - before[stratum]))[start].astype(np.float64)  # at risk in all
    ahead = np.cumsum(first[::-1])[::-1]  # of the first group, in this stratum and those after
    after = np.concatenate([ahead, [0.0]])[before + size]
    n_first = ahead[start] - after[stratum[start]]
    died, died_first = sums(event.astype(float)), sums(event * first)
    share = n_first / n
    variance = np.where(n > 1, died * share * (1 - share) * (n - died) / np.maximum(n - 1, 1), 0.0)
    return float(np.sum(died_first - died * share)), float(variance.sum())


def _deaths(time: np.ndarray, event: np.ndarray, horizon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When it happened up to the horizon, to how many, and how many were watched just before."""
    when, died = np.unique(time[event & (time <= horizon)], return_counts=True)
    at_risk = np.sum(time[None, :] >= when[:, None], axis=1)
    return when, died.astype(np.float64), at_risk.astype(np.float64)


def _step(time: np.ndarray, value: np.ndarray, when: Any) -> np.ndarray:
    return np.concatenate([[1.0], value])[np.searchsorted(time, np.asarray(when, np.float64), side="right")]
