"""Fitting a model's parameters to choices, by maximum likelihood or with priors, through JAX's gradients.

Each parameter is fitted on a scale without ends, which its declared limits give: between two limits a logit, above one
a logarithm, else the number itself. Priors are normal on that scale. SciPy's L-BFGS-B descends from several starts.

What a likelihood is: of each choice given all that came before it (`neurojax.animals.predict`). For models with
a hidden state that is filtered, such as `DynamicLogistic`, its sum is the marginal likelihood of the choices, which
already charges for what is free to vary: fitting it does not make a walk as large as it can be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence as Ordered
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.animals.features import Features
from neurojax.animals.free import (
    Layout,
    bounds_of,
    from_free,
    layout_of,
    placed,
    priors_of,
    read_values,
    values_of,
)
from neurojax.animals.predict import check_model, log_likelihoods, sequence
from neurojax.animals.trials import TrialTable
from neurojax.core.parameters import parameters
from neurojax.errors import InvalidArgument, unknown
from neurojax.subjects.base import Subject

_FLAT = 1e-5  # a curvature that float32 cannot tell from none, relative to that of each value alone
_NO_LIKELIHOOD = 1e3  # nats a trial, in place of infinity and NaN
_MOST_ANEW, _LITTLE = 8, 0.1  # how often a descent is begun anew, and the gain in nats at which it is not worth it
_SPREAD = 0.7  # how far further starts are from the first, on the scale without ends


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model.

    Attributes:
        model: with the fitted parameters.
        log_likelihood: of the choices, natural logarithm, without priors.
        trials: how many choices were fitted.
        names: of the free values, `rate[2]` for the third of a list, `rate` for one that all share.
        values: float64 `[n]`, the free values.
        errors: float64 `[n]`, standard errors from the curvature at the estimate, NaN where it has none or they were
            not asked for.
        converged: whether the descent came to rest.
        starts: float64 `[starts]`, the log likelihood (with priors) that each start reached, the best first.
    """

    model: Subject
    log_likelihood: float
    trials: int
    names: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray
    converged: bool
    starts: np.ndarray

    @property
    def bits(self) -> float:
        """Bits a trial on the trials that were fitted."""
        return self.log_likelihood / np.log(2) / self.trials

    def __getitem__(self, name: str) -> float:
        """A free value.

        Raises:
            UnknownName: if there is none of this name.
        """
        if name not in self.names:
            raise unknown("parameter", name, self.names)
        return float(self.values[self.names.index(name)])


def fit(
    model: Subject,
    features: Features,
    trials: TrialTable,
    *,
    free: Ordered[str] | Mapping[str, Any] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    starts: int = 1,
    seed: int = 0,
    errors: bool = False,
    most_steps: int = 200,
) -> Fit:
    """Fit a model's parameters to choices, one step ahead.

    Args:
        model: the parameters to begin with (a little inside, where one that is fitted is at a limit), and those that
            stay.
        features: what the model looks at.
        trials: the trials to fit, from the first session on.
        free: names of the parameters to fit, default all. As a mapping it also says how the elements of a list are
            fitted: True: each; `"common"`: all alike; or a list with a number for each element, in which elements of
            one number are alike and those with -1 stay.
        priors: mean and standard deviation by parameter, on the scale without ends (see the module).
        starts: how many descents; the first is from `model`, the others from around it.
        seed: of the other starts.
        errors: whether to find standard errors too, which takes a derivative for each free value.
        most_steps: of each descent.

    Raises:
        UnknownName: if a parameter does not exist.
        InvalidArgument: if an argument is not as said above.

    Example:
        >>> import numpy as np
        >>> from neurojax.animals.features import Bias, Features
        >>> from neurojax.animals.fit import fit
        >>> from neurojax.animals.models import StaticLogistic
        >>> from neurojax.animals.trials import trial_table
        >>> trials = trial_table([1] * 100, np.zeros(100), np.arange(100) < 80, answer=np.ones(100))
        >>> found = fit(StaticLogistic.create(1), Features.of(trials, Bias()), trials, free=["weights"], errors=True)
        >>> round(found["weights[0]"], 2), round(float(found.errors[0]), 2)  # log(.8 / .2), 1 / sqrt(100 .8 .2)
        (1.39, 0.25)
    """
    check_model(model, features)
    layout, names = layout_of(model, free)
    centre, width = priors_of(layout, names, priors or {})
    for name, value in (("starts", starts), ("most_steps", most_steps)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InvalidArgument(f"{name} must be a whole number of 1 or more, got {value!r}")
    data = sequence(features, trials)
    bounds = bounds_of(model, layout)
    first = read_values(model, layout)
    draws = np.random.default_rng(seed)

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _cost(layout, jnp.asarray(vector, jnp.float32), model, data, centre, width)
        if not np.isfinite(value):  # a step far too wide
            return _NO_LIKELIHOOD, np.zeros(len(vector))
        return float(value), np.nan_to_num(np.asarray(slope, np.float64))

    if objective(first)[0] >= _NO_LIKELIHOOD:
        raise InvalidArgument("model must give the choices a finite likelihood at its own parameters, does not")

    count = int(trials.answered.sum())
    found = []
    for i in range(starts):
        begin = first if i == 0 else first + _SPREAD * draws.standard_normal(first.shape)
        found.append(_descend(objective, np.clip(begin, bounds[:, 0], bounds[:, 1]), bounds, most_steps, count))
    found.sort(key=lambda result: float(result.fun))
    best = np.asarray(found[0].x, np.float64)
    fitted = jax.tree.map(np.asarray, placed(layout, jnp.asarray(best, jnp.float32), model))
    spread = np.full(len(best), np.nan)
    if errors:
        spread = _errors(layout, best, model, data, centre, width, count, bounds)
    likelihood = float(np.sum(np.asarray(_likelihoods(fitted, data), np.float64)))
    return Fit(
        fitted,
        likelihood,
        count,
        names,
        values_of(fitted, layout),
        spread,
        bool(found[0].success),
        -count * np.array([float(result.fun) for result in found]),
    )


def _descend(objective: Any, begin: np.ndarray, bounds: np.ndarray, most_steps: int, count: int) -> Any:
    """L-BFGS-B, begun anew from where it stopped until that no longer pays: the noise of float32 stops it early."""
    from scipy.optimize import minimize

    options = {"maxiter": most_steps, "ftol": 1e-7, "gtol": 1e-6, "maxls": 30}
    best = minimize(objective, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    for _ in range(_MOST_ANEW):
        again = minimize(objective, best.x, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        gained = count * (best.fun - again.fun)
        best = again if again.fun <= best.fun else best
        if gained < _LITTLE:
            break
    return best


# ---------------------------------------------------------------------- the cost


def _mean_cost(layout, vector, model, data, centre, width):
    """Nats a trial, with the priors."""
    likelihood = jnp.sum(log_likelihoods(placed(layout, vector, model), data))
    prior = -0.5 * jnp.sum(((vector - centre) / width) ** 2)
    return -(likelihood + prior) / jnp.maximum(jnp.sum(data.answered), 1)


_cost = jax.jit(jax.value_and_grad(_mean_cost, argnums=1), static_argnums=0)
_curvature = jax.jit(jax.hessian(_mean_cost, argnums=1), static_argnums=0)
_likelihoods = jax.jit(log_likelihoods)


def _errors(layout, best, model, data, centre, width, count, bounds) -> np.ndarray:
    """Standard errors of the free values: from the cost's curvature, carried from the scale without ends by the
    derivative of its transform. All NaN where the curvature is that of no minimum."""
    curvature = count * np.asarray(
        _curvature(layout, jnp.asarray(best, jnp.float32), model, data, centre, width), float
    )
    inside = (best > bounds[:, 0] + 1e-3) & (best < bounds[:, 1] - 1e-3)  # at an end there is no curvature to speak of
    curvature = curvature[np.ix_(inside, inside)]
    out = np.full(len(best), np.nan)
    if not inside.any() or not np.all(np.isfinite(curvature)):
        return out
    scale = 1 / np.sqrt(np.maximum(np.diag(curvature), 1e-12))
    relative = (curvature + curvature.T) / 2 * np.outer(scale, scale)
    if np.linalg.eigvalsh(relative)[0] < _FLAT:
        return out
    out[inside] = scale * np.sqrt(np.diag(np.linalg.inv(relative))) * _slopes(layout, best, model)[inside]
    return out


def _slopes(layout: Layout, best: np.ndarray, model: Subject) -> np.ndarray:
    known = parameters(type(model))
    out = np.zeros(len(best))
    for name, groups in layout:
        for group in groups:
            if group >= 0:
                out[group] = abs(float(jax.grad(lambda v, p=known[name]: from_free(p, v) * 1.0)(float(best[group]))))
    return out
