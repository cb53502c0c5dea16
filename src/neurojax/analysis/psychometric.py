"""Psychometric curves: how often one side is chosen, by the strength and side of the evidence.

The function is a cumulative normal with a lapse at either end (Wichmann & Hill 2001, Percept. Psychophys. 63:1293,
doi:10.3758/BF03194544; with two lapse rates, as for choices between two sides):

    P(right | x) = lapse_left + (1 - lapse_left - lapse_right) * Phi((x - bias) / threshold)

x is the signed coherence in percent, positive where the evidence favours the right. `bias` is the x where Phi is one
half; `threshold` the distance from the bias at which Phi is .841 (one standard deviation), so a smaller one is a
steeper curve; `lapse_left` the share of right choices at strong evidence for the left; `lapse_right` the share of
left choices at strong evidence for the right.

It is fitted by maximum likelihood with SciPy. Intervals are profile likelihoods: unlike a bootstrap, they say
something of a lapse rate whose estimate is 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from neurojax.errors import InvalidArgument

PARAMETERS = ("bias", "threshold", "lapse_left", "lapse_right")
_MOST_LAPSES = 0.5


@dataclasses.dataclass(frozen=True)
class Choices:
    """Choices counted by signed coherence, n levels.

    Attributes:
        signed: float64 `[n]`, signed coherence in percent, ascending.
        right, left: int64 `[n]`, trials answered so.
        missing: int64 `[n]`, trials without a choice: counted, and in no proportion below.
        unplaced: trials without a choice whose side of evidence is not known.
    """

    signed: np.ndarray
    right: np.ndarray
    left: np.ndarray
    missing: np.ndarray
    unplaced: int = 0

    @property
    def answered(self) -> np.ndarray:
        """int64 `[n]`: trials with a choice."""
        return self.right + self.left

    @property
    def proportion(self) -> np.ndarray:
        """float64 `[n]`: the share of right choices among the trials with a choice; NaN where there are none."""
        return self.right / np.where(self.answered > 0, self.answered, np.nan)

    def intervals(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Wilson's interval of `proportion`: lower and upper ends, float64 `[n]` each."""
        return wilson(self.right, self.answered, level)


def count_choices(signed: Any, right: Any, answered: Any = None) -> Choices:
    """Count choices by signed coherence.

    Args:
        signed: `[trials]`, signed coherence in percent, positive where the evidence favours the right; may be NaN
            (not known) where there was no choice.
        right: `[trials]` bool, whether the right was chosen.
        answered: `[trials]` bool, whether there was a choice at all; default: always.

    Raises:
        InvalidArgument: if the shapes differ, there are no trials, or the coherence of a choice is not finite.

    Example:
        >>> from neurojax.analysis.psychometric import count_choices
        >>> counts = count_choices([-5, -5, 5, 5], [False, True, True, True], [True, True, True, False])
        >>> counts.right.tolist(), counts.left.tolist(), counts.missing.tolist()
        ([1, 1], [1, 0], [0, 1])
    """
    x = np.asarray(signed, np.float64)
    chose = np.asarray(right, bool)
    there = np.ones(x.shape, bool) if answered is None else np.asarray(answered, bool)
    if x.ndim != 1 or x.shape != chose.shape or x.shape != there.shape or x.size == 0:
        raise InvalidArgument(
            f"signed, right and answered must be lists of the same trials, got shapes {x.shape}, {chose.shape}, "
            f"{there.shape}"
        )
    placed = np.isfinite(x)
    if np.any(there & ~placed):
        raise InvalidArgument(f"signed must be finite where there is a choice, got {x[there & ~placed][0]}")
    unplaced = int(np.sum(~placed))
    x, chose, there = x[placed], chose[placed], there[placed]
    # float32 coherences come back as 6.4000001: levels that agree to six decimals are one level
    levels, index = np.unique(np.round(x, 6) + 0.0, return_inverse=True)
    count = lambda which: np.bincount(index[which], minlength=levels.size)
    return Choices(levels, count(there & chose), count(there & ~chose), count(~there), unplaced)


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A fitted number with its interval; an end that the data do not bound is infinite, or at the limit of its range.

    Attributes:
        value: the maximum-likelihood estimate.
        low, high: ends of the profile-likelihood interval.
    """

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class PsychometricFit:
    """A fitted psychometric function (see the module for its formula).

    Attributes:
        bias, threshold: in percent coherence.
        lapse_left, lapse_right: shares of trials.
        level: of the intervals.
        deviance: twice the log-likelihood that the saturated model has over this one.
        answered, missing: trials with and without a choice.
        note: why the fit says little, where it does; else empty.
    """

    bias: Estimate
    threshold: Estimate
    lapse_left: Estimate
    lapse_right: Estimate
    level: float
    deviance: float
    answered: int
    missing: int
    note: str = ""

    @property
    def determined(self) -> bool:
        """Whether there is a curve at all."""
        return math.isfinite(self.threshold.value)

    def probability(self, signed: Any) -> np.ndarray:
        """P(right), float64, at signed coherences in percent."""
        values = np.array([getattr(self, name).value for name in PARAMETERS])
        return _curve(values, np.asarray(signed, np.float64))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; what is not finite is None."""
        finite = lambda v: v if math.isfinite(v) else None
        out: dict[str, Any] = {}
        for name in PARAMETERS:
            estimate = getattr(self, name)
            out[name] = {key: finite(getattr(estimate, key)) for key in ("value", "low", "high")}
        out |= {"level": self.level, "deviance": finite(self.deviance)}
        return out | {"answered": self.answered, "missing": self.missing, "note": self.note}


def fit_psychometric(counts: Choices, *, level: float = 0.95) -> PsychometricFit:
    """Fit the psychometric function of this module to counted choices.

    Trials without a choice take no part in the fit; their number is reported with it. Where the choices cannot
    determine a curve (all on one side, or at one coherence), the estimates are NaN and `note` says why.

    Args:
        counts: choices by signed coherence.
        level: of the intervals, between 0 and 1.

    Raises:
        InvalidArgument: for a level outside (0, 1).

    Example:
        >>> import numpy as np
        >>> from neurojax.analysis.psychometric import Choices, fit_psychometric
        >>> x = np.array([-12.8, -6.4, -3.2, 0, 3.2, 6.4, 12.8])
        >>> right = np.array([10, 30, 150, 480, 830, 970, 990])
        >>> fit = fit_psychometric(Choices(x, right, 1000 - right, np.zeros(7, int)))
        >>> round(fit.threshold.value, 1), fit.threshold.low < fit.threshold.value < fit.threshold.high
        (3.1, True)
    """
    if not 0 < level < 1:
        raise InvalidArgument(f"level must lie between 0 and 1, got {level!r}")
    shown = counts.answered > 0
    answered, missing = int(counts.answered.sum()), int(counts.missing.sum()) + counts.unplaced
    note = _undetermined(counts, shown)
    if note:
        nan = Estimate(math.nan, math.nan, math.nan)
        return PsychometricFit(nan, nan, nan, nan, level, math.nan, answered, missing, note)
    problem = _Problem(counts.signed[shown], counts.right[shown], counts.left[shown])
    best, cost = problem.minimise()
    estimates = [problem.interval(i, best, cost, level) for i in range(4)]
    return PsychometricFit(
        *estimates,
        level=level,
        deviance=2 * (cost - problem.saturated()),
        answered=answered,
        missing=missing,
        note=problem.note(estimates),
    )


def wilson(successes: Any, trials: Any, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a proportion: lower and upper ends; NaN where there are no trials."""
    from scipy.special import ndtri

    k, n = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    z = float(ndtri((1 + level) / 2))
    n = np.where(n > 0, n, np.nan)
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def _curve(parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    bias, threshold, left, right = parameters
    return left + (1 - left - right) * ndtr((x - bias) / threshold)


def _undetermined(counts: Choices, shown: np.ndarray) -> str:
    if not np.any(shown):
        return "no trial has a choice"
    if np.sum(shown) < 2:
        return "all choices are at one coherence"
    if counts.right.sum() == 0 or counts.left.sum() == 0:
        return f"every choice was {'left' if counts.right.sum() == 0 else 'right'}"
    return ""


class _Problem:
    """The negative log-likelihood in (bias, log threshold, lapse_left, lapse_right), and its minima."""

    def __init__(self, x: np.ndarray, right: np.ndarray, left: np.ndarray):
        self.x, self.right, self.left = x, right.astype(np.float64), left.astype(np.float64)
        reach = float(np.max(np.abs(x - np.mean(x)))) or 1.0
        step = float(np.min(np.diff(x)))
        middle = float(np.mean(x))
        # A step between two levels cannot be told from a steeper one, nor a line from a flatter one.
        self.thresholds = (step / 20, 20 * reach)
        logs = tuple(math.log(t) for t in self.thresholds)
        self.bounds = [(middle - 2 * reach, middle + 2 * reach), logs, (0.0, _MOST_LAPSES), (0.0, _MOST_LAPSES)]
        biases = np.linspace(float(x[0]), float(x[-1]), 9)
        slopes = np.linspace(math.log(step / 2), math.log(2 * reach), 9)
        lapses = np.array([0.005, 0.05, 0.2])
        self.starts = np.stack(np.meshgrid(biases, slopes, lapses, lapses, indexing="ij"), -1).reshape(-1, 4)

    def cost(self, p: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log-likelihood and its gradient `[4]`."""
        from scipy.special import ndtr

        bias, log_threshold, low, high = p
        threshold = math.exp(log_threshold)
        z = (self.x - bias) / threshold
        phi = ndtr(z)
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        span = 1 - low - high
        q = np.clip(low + span * phi, 1e-12, 1 - 1e-12)
        slope = self.left / (1 - q) - self.right / q
        gradient = [-span * density / threshold, -span * density * z, 1 - phi, -phi]
        value = -np.sum(self.right * np.log(q) + self.left * np.log1p(-q))
        return float(value), np.array([np.sum(slope * g) for g in gradient])

    def saturated(self) -> float:
        """The negative log-likelihood of the observed proportions."""
        from scipy.special import xlogy

        n = self.right + self.left
        return float(-np.sum(xlogy(self.right, self.right / n) + xlogy(self.left, self.left / n)))

    def minimise(self) -> tuple[np.ndarray, float]:
        """The best of several local minima, from the best points of a grid."""
        costs = np.array([self.cost(p)[0] for p in self.starts])
        return min((self._descend(p) for p in self.starts[np.argsort(costs)[:4]]), key=lambda found: found[1])

    def _descend(self, start: np.ndarray, fixed: int | None = None) -> tuple[np.ndarray, float]:
        from scipy.optimize import minimize

        bounds: list[tuple[float, float]] = list(self.bounds)
        if fixed is not None:
            bounds[fixed] = (float(start[fixed]), float(start[fixed]))
        # TNC, since the threads of BLAS, which L-BFGS calls on these four numbers, get in each other's way.
        options = {"ftol": 1e-12, "gtol": 1e-7, "maxfun": 400}
        found = minimize(self.cost, start, jac=True, bounds=bounds, method="TNC", options=options)
        return np.asarray(found.x), float(found.fun)

    def interval(self, i: int, best: np.ndarray, cost: float, level: float) -> Estimate:
        """The estimate of parameter `i`, and where its profile likelihood has fallen by the quantile of chi-square."""
        from scipy.special import ndtri

        rise = float(ndtri((1 + level) / 2)) ** 2 / 2
        natural: Callable[[float], float] = math.exp if i == 1 else float
        ends = [self._crossing(i, best, cost, rise, end) for end in self.bounds[i]]
        unbounded = (-math.inf, math.inf) if i == 0 else (0.0, math.inf) if i == 1 else self.bounds[i]
        low, high = (u if e is None else natural(e) for e, u in zip(ends, unbounded, strict=True))
        return Estimate(natural(float(best[i])), low, high)

    def _crossing(self, i: int, best: np.ndarray, cost: float, rise: float, end: float) -> float | None:
        """Where between the estimate and `end` the profile has risen by `rise`; None if it never does."""
        from scipy.optimize import brentq

        last = np.array(best)
        known: dict[float, float] = {}  # a second descent to a value may end a hair beside the first

        def excess(value: float) -> float:
            nonlocal last
            if value not in known:
                start = np.array(last)
                start[i] = value
                last, found = self._descend(start, fixed=i)
                known[value] = found - cost - rise
            return known[value]

        known[float(best[i])] = -rise
        near, step = float(best[i]), (end - float(best[i]))
        if step == 0:
            return None
        for share in (0.01, 0.03, 0.1, 0.3, 1.0):  # outwards, so that the descents start near their minima
            far = float(best[i]) + share * step
            if excess(far) > 0:
                accuracy = 1e-4 * max(abs(far - near), 1e-9)
                return float(brentq(excess, near, far, xtol=accuracy))  # type: ignore[arg-type]
            near = far
        return None

    def note(self, estimates: list[Estimate]) -> str:
        """What limits the estimates, where something does."""
        _, threshold, *lapses = estimates
        n = self.right + self.left
        centred = self.x - np.sum(n * self.x) / np.sum(n)
        share = np.sum(self.right) / np.sum(n)
        trend = np.sum(centred * self.right) / math.sqrt(share * (1 - share) * np.sum(n * centred**2))
        if trend < -3:
            return "the right is chosen less often, the stronger the evidence for it: no rising curve describes that"
        if threshold.high == math.inf:
            return "the choices hardly follow the evidence: threshold, bias and lapses cannot be told apart"
        if threshold.low == 0:
            return "the curve is a step between two of the coherences: the threshold has an upper limit only"
        if any(lapse.value >= _MOST_LAPSES - 1e-6 for lapse in lapses):
            return "a lapse rate is at its limit of one half"
        return ""


def ideal_choices(accuracy: Callable[[np.ndarray], np.ndarray], signed: Any) -> np.ndarray:
    """P(right) of an unbiased observer with this accuracy by (unsigned) coherence in percent.

    Args:
        accuracy: P(correct) of coherences in percent.
        signed: signed coherences in percent, positive where the evidence favours the right.
    """
    x = np.asarray(signed, np.float64)
    right = np.asarray(accuracy(np.abs(x)), np.float64)
    return np.where(x >= 0, right, 1 - right)
