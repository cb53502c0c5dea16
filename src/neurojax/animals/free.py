"""Which values of a model are fitted, and the scale without ends on which they are.

Each parameter's declared limits give its scale: between two limits a logit, above one a logarithm, else the number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import Parameter, parameters
from neurojax.errors import InvalidArgument, unknown
from neurojax.subjects.base import Subject

EDGE = 12.0  # the scales of bounded parameters end here: 6e-6 from a limit
_INSIDE = 4.0
_LARGEST = 3.0  # and that of a logarithm here: a step or a rate of 20 is none that can be told from larger ones

# name of the parameter, and for each of its elements the number of the free value that it takes, or -1: it stays
Layout = tuple[tuple[str, tuple[int, ...]], ...]


def to_free(parameter: Parameter, value: Any) -> Any:
    """A value on the scale without ends (NumPy or JAX arrays)."""
    xp = jnp if isinstance(value, jax.Array) else np
    low, high = _limits(parameter)
    if np.isfinite(low) and np.isfinite(high):
        share = xp.clip((value - low) / (high - low), 1e-7, 1 - 1e-7)
        return xp.log(share) - xp.log1p(-share)
    if np.isfinite(low):
        return xp.log(xp.maximum(value - low, 1e-7))
    return value


def from_free(parameter: Parameter, free: Any) -> Any:
    """A value from the scale without ends."""
    low, high = _limits(parameter)
    if np.isfinite(low) and np.isfinite(high):
        return low + (high - low) * jax.nn.sigmoid(free)
    if np.isfinite(low):
        return low + jnp.exp(free)
    return free


def _limits(parameter: Parameter) -> tuple[float, float]:
    return max(parameter.low, parameter.above), parameter.high


def layout_of(model: Subject, free: Sequence[str] | Mapping[str, Any] | None) -> tuple[Layout, tuple[str, ...]]:
    """Which free value each element of each parameter takes, and the free values' names."""
    known = parameters(type(model))
    asked = dict(free) if isinstance(free, Mapping) else dict.fromkeys(known if free is None else free, True)
    out, names = [], []
    for name, how in asked.items():
        if name not in known:
            raise unknown("parameter", name, known, type(model).__name__)
        size = np.size(getattr(model, name))
        if how is True:
            groups = list(range(size))
        elif isinstance(how, str) and how == "common":
            groups = [0] * size
        elif not isinstance(how, (str, bool)) and np.shape(how) == (size,) and np.all(np.asarray(how) == np.int64(how)):
            groups = [int(g) for g in how]
        else:
            raise InvalidArgument(f"free[{name!r}] must be True, 'common' or a list of {size} numbers, got {how!r}")
        numbers: dict[int, int] = {}
        for i, group in enumerate(groups):
            if group >= 0 and group not in numbers:
                numbers[group] = len(names)
                alone = groups.count(group) == 1
                whole = len({g for g in groups if g >= 0}) == 1 and (not known[name].many or not alone)
                names.append(name if whole else f"{name}[{i}]")
        out.append((name, tuple(numbers.get(g, -1) for g in groups)))
    if not names:
        raise InvalidArgument("free must name at least one parameter")
    return tuple(out), tuple(names)


def read_values(model: Subject, layout: Layout) -> np.ndarray:
    """The free values on the scale without ends; of elements that are alike the mean; none at a limit."""
    known = parameters(type(model))
    count = 1 + max(max(groups) for _, groups in layout)
    sums, counts = np.zeros(count), np.zeros(count)
    for name, groups in layout:
        value = to_free(known[name], np.asarray(getattr(model, name), np.float64)).reshape(-1)
        for group, v in zip(groups, value, strict=True):
            if group >= 0:
                sums[group] += v
                counts[group] += 1
    first = np.clip(sums / counts, *bounds_of(model, layout).T)
    # at a limit, such as a lapse of 0, there is no slope to follow
    return np.where(first <= -EDGE, -_INSIDE, np.where(first >= EDGE, _INSIDE, first))


def values_of(model: Subject, layout: Layout) -> np.ndarray:
    out: dict[int, float] = {}
    for name, groups in layout:
        for group, v in zip(groups, np.asarray(getattr(model, name), np.float64).reshape(-1), strict=True):
            out[group] = float(v)
    return np.array([out[i] for i in sorted(out) if i >= 0])


def bounds_of(model: Subject, layout: Layout) -> np.ndarray:
    known = parameters(type(model))
    count = 1 + max(max(groups) for _, groups in layout)
    out = np.tile([-np.inf, np.inf], (count, 1))
    for name, groups in layout:
        low, high = _limits(known[name])
        for group in groups:
            if group >= 0 and np.isfinite(low):
                out[group] = [-EDGE, EDGE if np.isfinite(high) else _LARGEST]
    return out


def placed(layout: Layout, vector: jax.Array, model: Subject) -> Any:
    """The model with the free values in their places."""
    known = parameters(type(model))
    out = {}
    for name, groups in layout:
        old = jnp.asarray(getattr(model, name), jnp.float32)
        index = np.array(groups)
        new = from_free(known[name], vector[np.maximum(index, 0)])
        out[name] = jnp.where(index >= 0, new, old.reshape(-1)).reshape(old.shape)
    return model.replace(**out)


def priors_of(
    layout: Layout, names: tuple[str, ...], priors: Mapping[str, tuple[float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation for each free value, float32 `[n]`; infinite: none."""
    centre, width = np.zeros(len(names), np.float32), np.full(len(names), np.inf, np.float32)
    free = dict(layout)
    for name, law in priors.items():
        if name not in free:
            raise unknown("parameter", name, free, "priors")
        if len(law) != 2 or not np.all(np.isfinite(law)) or not law[1] > 0:
            raise InvalidArgument(f"priors[{name!r}] must be a mean and a standard deviation above 0, got {law!r}")
        for group in free[name]:
            if group >= 0:
                centre[group], width[group] = law
    return centre, width
