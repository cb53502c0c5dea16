"""Logistic regression with standard errors, for analyses of choices.

By maximum likelihood, or with a ridge penalty on the coefficients, in Newton steps.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurojax.errors import InvalidArgument, unknown

_MOST_STEPS = 100
_WIDE = 20.0  # log odds: an estimate this uncertain says nothing


@dataclasses.dataclass(frozen=True)
class Effect:
    """An estimate with its standard error.

    Attributes:
        value: the estimate.
        error: its standard error.
    """

    value: float
    error: float

    @property
    def z(self) -> float:
        """The estimate in standard errors; NaN where these are 0 or unknown."""
        return self.value / self.error if self.error > 0 else math.nan

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The normal interval of this level."""
        from scipy.special import ndtri

        half = float(ndtri((1 + level) / 2)) * self.error
        return self.value - half, self.value + half


@dataclasses.dataclass(frozen=True, eq=False)
class Regression:
    """A fitted logistic regression with n regressors.

    Attributes:
        names: of the regressors.
        values: float64 `[n]`, coefficients in log odds.
        covariance: float64 `[n, n]`, of the coefficients.
        log_likelihood: of the choices, natural logarithm, without the penalty.
        trials: how many choices were fitted.
        note: why the fit says little, where it does; else empty.
    """

    names: tuple[str, ...]
    values: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    trials: int
    note: str = ""

    def effect(self, *names: str) -> Effect:
        """The mean of the coefficients with these names; of one name, its coefficient.

        Raises:
            UnknownName: if there is no such regressor.
        """
        share = np.zeros(len(self.names))
        for name in names:
            if name not in self.names:
                raise unknown("regressor", name, self.names)
            share[self.names.index(name)] += 1 / len(names)
        return Effect(float(share @ self.values), math.sqrt(max(float(share @ self.covariance @ share), 0.0)))

    def kernel(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and standard errors, float64 `[len(names)]` each; NaN for names that were not fitted."""
        found = [self.effect(name) if name in self.names else Effect(math.nan, math.nan) for name in names]
        return np.array([e.value for e in found]), np.array([e.error for e in found])


def fit_logistic(regressors: Mapping[str, Any], chosen: Any, *, ridge: float = 0.0, groups: Any = None) -> Regression:
    """Fit P(chosen) = 1 / (1 + exp(-sum of coefficient x regressor)).

    There is no constant unless a regressor is one. Where the regressors cannot be told apart or there is nothing to
    fit, the coefficients are NaN and `note` says why; where the choices are separated without an error, the
    coefficients have no maximum, and `note` says that too.

    Args:
        regressors: `[trials]` by name.
        chosen: bool `[trials]`.
        ridge: penalty `ridge / 2` times the sum of squared coefficients (1: as scikit-learn's `C=1`).
        groups: `[trials]`, the group of each trial, such as its session: then standard errors hold also where trials
            of one group depend on each other beyond the regressors (a sandwich estimate clustered by group).

    Raises:
        InvalidArgument: if shapes differ, values are not finite, or the penalty is negative.

    Example:
        >>> import numpy as np
        >>> from neurojax.analysis.regression import fit_logistic
        >>> side = np.repeat([-1, 1], 100)
        >>> chosen = np.concatenate([np.arange(100) < 20, np.arange(100) < 80])
        >>> fit = fit_logistic({"constant": np.ones(200), "side": side}, chosen)
        >>> fit.values.round(3).tolist()  # log(.8 / .2) = 1.386
        [-0.0, 1.386]
    """
    names = tuple(regressors)
    y = np.asarray(chosen, np.float64)
    columns = [np.asarray(regressors[name], np.float64) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.shape != y.shape or y.ndim != 1:
            raise InvalidArgument(f"regressor {name!r} must be [trials] as chosen, got {column.shape} and {y.shape}")
        if not np.all(np.isfinite(column)):
            raise InvalidArgument(f"regressor {name!r} must be finite")
    if not ridge >= 0:
        raise InvalidArgument(f"ridge must not be negative, got {ridge!r}")
    x = np.stack(columns, axis=1) if columns else np.zeros((len(y), 0))
    note = _unfit(x, y, names, ridge)
    if note:
        nan = np.full(len(names), np.nan)
        return Regression(names, nan, np.full((len(names),) * 2, np.nan), math.nan, len(y), note)
    values, converged = _newton(x, y, ridge)
    p = _logistic(x @ values)
    covariance = np.linalg.inv((x.T * (p * (1 - p))) @ x + (ridge + 1e-10) * np.eye(len(names)))
    spread = np.sqrt(np.diag(covariance))
    if not converged or spread.max() > _WIDE:
        wide = names[int(spread.argmax())]
        note = f"the regressors, {wide!r} above all, tell choices without an error: their coefficients have no bound"
    if groups is not None:
        covariance = _sandwich(x * (y - p)[:, None], np.asarray(groups), covariance)
    return Regression(names, values, covariance, -_cost(x, y, values, 0.0), len(y), note)


def _unfit(x: np.ndarray, y: np.ndarray, names: tuple[str, ...], ridge: float) -> str:
    """Why there is nothing to fit; empty where there is."""
    if len(y) == 0:
        return "no trial can be used"
    if y.min() == y.max():
        return "all choices are the same"
    if ridge == 0 and np.linalg.matrix_rank(x) < len(names):
        flat = [name for name, column in zip(names, x.T, strict=True) if not np.any(column)]
        return f"the regressors cannot be told apart{': always 0: ' + ', '.join(flat) if flat else ''}"
    return ""


def _logistic(log_odds: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(log_odds)


def _cost(x: np.ndarray, y: np.ndarray, values: np.ndarray, ridge: float) -> float:
    """The negative log-likelihood with its penalty."""
    log_odds = x @ values
    return float(np.sum(np.logaddexp(0, log_odds) - y * log_odds) + ridge / 2 * values @ values)


def _newton(x: np.ndarray, y: np.ndarray, ridge: float) -> tuple[np.ndarray, bool]:
    """The coefficients, and whether the likelihood has come to rest; steps that do not pay are halved."""
    values = np.zeros(x.shape[1])
    cost = _cost(x, y, values, ridge)
    for _ in range(_MOST_STEPS):
        p = _logistic(x @ values)
        gradient = x.T @ (p - y) + ridge * values
        hessian = (x.T * (p * (1 - p))) @ x + (ridge + 1e-10) * np.eye(len(values))
        step = np.linalg.solve(hessian, gradient)
        scale, found = 1.0, _cost(x, y, values - step, ridge)
        while found > cost and scale > 1e-6:
            scale /= 2
            found = _cost(x, y, values - scale * step, ridge)
        if cost - found < 1e-10 * (1 + abs(cost)):
            return (values - scale * step if found <= cost else values), True
        values, cost = values - scale * step, found
    return values, False


def _sandwich(scores: np.ndarray, groups: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """The covariance from the groups' summed scores, with the usual factor for few groups."""
    if groups.shape != scores.shape[:1]:
        raise InvalidArgument(f"groups must be [trials], got {groups.shape}")
    _, index = np.unique(groups, return_inverse=True)
    count = int(index.max()) + 1
    if count < 2:
        raise InvalidArgument("groups must be at least two, or nothing tells how they differ")
    sums = np.zeros((count, scores.shape[1]))
    np.add.at(sums, index, scores)
    return count / (count - 1) * inverse @ (sums.T @ sums) @ inverse
