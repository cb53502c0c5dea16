"""How long periods last: duration laws in ms, floored to whole steps of `dt`.

A law is one quantile function of a uniform number. Its numbers are leaves, so they vmap, stack and change without
recompiling; its kind is its class, so it is structure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from neurojax.core.node import Node
from neurojax.errors import InvalidArgument, suggest, unknown

# A duration is floored to whole steps with this slack, in steps: float32 puts 31 x 33.3 / 33.3 below 31.
_SLACK = 1e-3


def whole_steps(ms, dt: float):
    """Durations in ms as whole steps of `dt` (int32; NumPy in, NumPy out)."""
    if isinstance(ms, (int, float, np.ndarray, np.generic)):
        return np.floor(np.asarray(ms, np.float32) / np.float32(dt) + np.float32(_SLACK)).astype(np.int32)
    return jnp.floor(ms / np.float32(dt) + np.float32(_SLACK)).astype(jnp.int32)


class Law(Node):
    """A distribution over durations in ms. Subclasses hold its numbers as float32 leaves."""

    random: ClassVar[bool] = True

    def quantile(self, u):
        """The duration in ms below which a share `u` in [0, 1) of durations lies."""
        raise NotImplementedError

    def median(self):
        """The duration in ms that half of the durations do not exceed."""
        return self.quantile(np.float32(0.5))

    def upper(self) -> float:
        """The longest duration in ms (concrete leaves); infinite where there is none."""
        raise NotImplementedError

    def numbers(self) -> list[float]:
        """The law's leaves as plain numbers."""
        return [float(x) for leaf in jax.tree.leaves(self) for x in np.ravel(leaf)]

    def durations(self) -> list[float]:
        """The durations in ms that must each survive flooring: the law's smallest positive values."""
        return self.numbers()

    def check(self, where: str) -> None:
        """Raise InvalidArgument if the law's numbers are not allowed."""
        _check_durations(self.numbers(), where)

    def spec(self) -> Any:
        """The law as plain numbers, lists and strings, which `as_law` reads back."""
        raise NotImplementedError


class Fixed(Law):
    """Always `duration` ms."""

    duration: Any
    random: ClassVar[bool] = False

    def quantile(self, u):
        return self.duration

    def upper(self) -> float:
        return float(self.duration)

    def spec(self) -> Any:
        return _plain(self.duration)


class Uniform(Law):
    """Uniform between `low` and `high` ms."""

    low: Any
    high: Any

    def quantile(self, u):
        return self.low + u * (self.high - self.low)

    def upper(self) -> float:
        return float(self.high)

    def durations(self) -> list[float]:
        return [float(self.low)]

    def check(self, where: str) -> None:
        super().check(where)
        if not self.low <= self.high:
            raise InvalidArgument(f"{where}: uniform needs low <= high, got {_plain(self.low)}, {_plain(self.high)}")

    def spec(self) -> Any:
        return ["uniform", [_plain(self.low), _plain(self.high)]]


class Choice(Law):
    """One of `values` `[n]` ms, each as likely."""

    values: Any

    def quantile(self, u):
        return pick(self.values, u)

    def median(self):
        return jnp.median(jnp.asarray(self.values))

    def upper(self) -> float:
        return float(np.max(self.values))

    def check(self, where: str) -> None:
        if np.size(self.values) == 0:
            raise InvalidArgument(f"{where}: a choice needs at least one duration, got an empty list")
        super().check(where)

    def spec(self) -> Any:
        return ["choice", [_plain(v) for v in np.ravel(self.values)]]


class TruncatedExponential(Law):
    """Exponential with scale `mean` ms, kept where it falls in [`low`, `high`); `high` may be infinite."""

    mean: Any
    low: Any
    high: Any

    def quantile(self, u):
        mass = -jnp.expm1((self.low - self.high) / self.mean)
        return jnp.minimum(self.low - self.mean * jnp.log1p(-u * mass), self.high)

    def upper(self) -> float:
        return float(self.high)

    def durations(self) -> list[float]:
        return [float(self.low)]

    def check(self, where: str) -> None:
        _check_durations([float(self.mean), float(self.low), min(float(self.high), 1e30)], where)
        if not self.mean > 0:
            raise InvalidArgument(f"{where}: truncated_exponential needs a mean above 0, got {_plain(self.mean)}")
        if not self.low <= self.high:
            raise InvalidArgument(
                f"{where}: truncated_exponential needs low <= high, got {_plain(self.low)}, {_plain(self.high)}"
            )

    def spec(self) -> Any:
        return ["truncated_exponential", [_plain(self.mean), _plain(self.low), _plain(self.high)]]


class Until(Law):
    """Until `end` ms after the trial's start, whatever came before."""

    end: Any
    random: ClassVar[bool] = False

    def upper(self) -> float:
        return float(self.end)

    def spec(self) -> Any:
        return ["until", _plain(self.end)]


class Table(Law):
    """A discrete law: `values` `[n]` ms, each up to its cumulative probability `edges` `[n]`.

    `nj.stack` turns laws of different kinds into tables over whole steps, which keep the distribution of the floored
    duration, and for a given uniform number the duration itself.
    """

    values: Any
    edges: Any

    def quantile(self, u):
        index = jnp.sum(u >= self.edges[:-1], dtype=jnp.int32)
        return jnp.asarray(self.values)[index]

    def upper(self) -> float:
        return float(np.max(self.values))

    def durations(self) -> list[float]:
        return [float(v) for v in np.ravel(self.values)]

    def check(self, where: str) -> None:
        _check_durations([float(v) for v in np.ravel(self.values)], where)
        edges = np.asarray(self.edges)
        if edges.shape != np.shape(self.values) or np.any(np.diff(edges) < 0) or not np.isclose(edges[-1], 1.0):
            raise InvalidArgument(f"{where}: a table's edges must rise to 1 and match its values, got {edges}")

    def spec(self) -> Any:
        return ["table", [_plain(v) for v in np.ravel(self.values)], [_plain(v) for v in np.ravel(self.edges)]]


def pick(values, u):
    """The element of `values` `[n, ...]` at the quantile `u` in [0, 1)."""
    count = np.shape(values)[0]
    index = jnp.minimum((u * np.float32(count)).astype(jnp.int32), count - 1)
    return jnp.asarray(values)[index]


def pick_other(index, n: int, u):
    """int32: one of the numbers 0 .. n - 1 but `index`, each as likely, by a uniform `u`; 0 of one alone."""
    step = 1 + jnp.minimum((u * np.float32(n - 1)).astype(jnp.int32), max(n - 2, 0))
    return jnp.mod(index + step, n)


def pick_weighted(weights, u):
    """int32: the index at the quantile `u` in [0, 1) of `weights` `[n]`, each as likely as its share of their sum."""
    edges = jnp.cumsum(weights)
    return jnp.sum(u * edges[-1] >= edges[:-1], dtype=jnp.int32)


def period_steps(law: Law, u, elapsed, dt: float):
    """The period's length in whole steps, given its uniform number and the steps `elapsed` before it."""
    if isinstance(law, Until):
        return jnp.maximum(whole_steps(law.end, dt) - elapsed, 0)
    return whole_steps(law.quantile(u), dt)


def longest_steps(law: Law, elapsed: int, dt: float) -> int:
    """The period's greatest length in whole steps (concrete leaves)."""
    if isinstance(law, Until):
        return max(int(whole_steps(float(law.end), dt)) - int(elapsed), 0)
    return int(whole_steps(law.upper(), dt))


def as_table(law: Law, dt: float, size: int) -> Table:
    """The law as a table over 0 .. `size` - 1 whole steps, with the same floored duration for every uniform number."""
    steps = np.arange(size, dtype=np.float64)
    edges = _cumulative(law, (steps + 1 - _SLACK) * dt)
    edges[-1] = 1.0
    return Table(values=(steps * dt).astype(np.float32), edges=edges.astype(np.float32))


def step_probabilities(law: Law, dt: float) -> dict[int, float]:
    """The distribution of a law's length in whole steps: probability by number of steps (finite upper end)."""
    if isinstance(law, Until):
        raise InvalidArgument("the length of an 'until' period depends on those before it")
    edges = np.ravel(as_table(law, dt, int(whole_steps(law.upper(), dt)) + 1).edges).astype(np.float64)
    return {steps: p for steps, p in enumerate(np.diff(edges, prepend=0.0)) if p > 0}


def _cumulative(law: Law, ms: np.ndarray) -> np.ndarray:
    """P(duration < ms) of a law, float64."""
    if isinstance(law, Fixed):
        return (float(law.duration) < ms).astype(float)
    if isinstance(law, Uniform):
        low, high = float(law.low), float(law.high)
        return np.clip((ms - low) / max(high - low, 1e-30), 0, 1)
    if isinstance(law, Choice):
        return np.mean(np.ravel(law.values)[None, :] < ms[:, None], axis=1)
    if isinstance(law, TruncatedExponential):
        mean, low, high = float(law.mean), float(law.low), float(law.high)
        if low >= high:
            return (high < ms).astype(float)
        return np.clip(np.expm1((low - np.clip(ms, low, high)) / mean) / np.expm1((low - high) / mean), 0, 1)
    if isinstance(law, Table):
        edges, values = np.ravel(law.edges), np.ravel(law.values)
        return np.array([edges[values < m].max(initial=0.0) for m in ms])
    raise InvalidArgument(f"a law of kind {type(law).__name__} cannot be stacked with laws of other kinds")


def as_law(value: Any, where: str) -> Law:
    """A duration law from what users write.

    Args:
        value: a number (fixed), a list or tuple of numbers (one of them), a pair such as `("uniform", (800, 1500))`,
            `("choice", [..])`, `("truncated_exponential", [mean, low, high])`, `("constant", ms)`, `("until", ms)`,
            or a law.
        where: the argument's name, for messages.

    Raises:
        InvalidArgument: if the value is none of these, is traced, or its numbers are negative or not finite.
    """
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value)):
        raise InvalidArgument(f"{where} is a traced value; build the task outside of jit and vmap, then use task.set")
    law = _read_law(value, where)
    law.check(where)
    return law


def _read_law(value: Any, where: str) -> Law:
    if isinstance(value, Law):
        return jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), value)
    if _is_number(value):
        return Fixed(_float(value))
    if callable(value):
        raise InvalidArgument(
            f"{where} is a function, which cannot be compiled; write ('uniform', (low, high)) or "
            f"('truncated_exponential', (mean, low, high)) instead of {type(value).__name__}"
        )
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and isinstance(value[0], str):
            return _named_law(value[0], list(value[1:]), where)
        if not value:
            raise InvalidArgument(f"{where} is an empty list; a choice needs at least one duration")
        if all(_is_number(v) for v in value):
            return Choice(np.asarray(value, np.float32))
    raise InvalidArgument(
        f"{where} must be a duration in ms, a list of them or a law such as ('uniform', (low, high)), got {value!r}"
    )


_NAMED: Mapping[str, tuple[type[Law], int]] = {
    "constant": (Fixed, 1),
    "fixed": (Fixed, 1),
    "uniform": (Uniform, 2),
    "truncated_exponential": (TruncatedExponential, 3),
    "until": (Until, 1),
}


def _named_law(name: str, args: list[Any], where: str) -> Law:
    if name == "table" and len(args) == 2:
        return Table(np.asarray(args[0], np.float32), np.asarray(args[1], np.float32))
    if len(args) == 1 and isinstance(args[0], (list, tuple, np.ndarray)):
        args = list(args[0])
    if name not in (*_NAMED, "choice"):
        raise InvalidArgument(f"{where}: unknown law {name!r}; {suggest(name, (*_NAMED, 'choice'))}")
    if not all(_is_number(a) for a in args):
        raise InvalidArgument(f"{where}: the law {name!r} takes numbers, got {args!r}")
    if name == "choice":
        return Choice(np.asarray(args, np.float32))
    law, count = _NAMED[name]
    if len(args) != count:
        raise InvalidArgument(f"{where}: the law {name!r} takes {count} numbers, got {len(args)}")
    return law(*(_float(a) for a in args))


def as_timing(given: Mapping[str, Any] | None, defaults: Mapping[str, Any], dt: float, where: str) -> dict[str, Law]:
    """The laws of a task's periods: `defaults`, with those of `given` in their place.

    Raises:
        InvalidArgument: if `given` is no mapping, or a law is not allowed or vanishes at `dt`.
        UnknownName: if `given` names a period that the task does not have.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InvalidArgument(f"timing must map period names to durations, got {given!r}")
    for name in given or {}:
        if name not in defaults:
            raise unknown("period", name, defaults, f"timing of {where}")
    laws = {name: as_law(value, f"timing[{name!r}]") for name, value in {**defaults, **(given or {})}.items()}
    for name, law in laws.items():
        _check_survives(law, dt, f"timing[{name!r}]")
    return laws


def _check_survives(law: Law, dt: float, where: str) -> None:
    positive = [d for d in law.durations() if d > 0]
    if isinstance(law, Until) or not positive:
        return
    if whole_steps(min(positive), dt) < 1:
        raise InvalidArgument(
            f"{where}: {min(positive):g} ms lasts no step at dt={dt:g} ms and would never be shown; "
            f"use dt <= {min(positive):g}, or 0 to leave it out"
        )


def _check_durations(values: Sequence[float], where: str) -> None:
    for value in values:
        if not math.isfinite(value) or value < 0:
            raise InvalidArgument(f"{where} must be finite and not negative, got {value:g} ms")


def _is_number(value: Any) -> bool:
    if isinstance(value, np.ndarray) or hasattr(value, "dtype"):
        return np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.number)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _float(value: Any) -> np.ndarray:
    return np.asarray(value, np.float32)


def _plain(value: Any) -> float | int:
    """A leaf as a number that reads well, 500 and not 500.0, and is read back as the same float32."""
    number = float(np.float32(value))
    if math.isinf(number):
        return number
    short = float(str(np.float32(number)))
    return int(short) if short.is_integer() else short
