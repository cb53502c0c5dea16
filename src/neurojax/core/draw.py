"""How the rules of a task draw: by name, at an address, with any condition given instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from neurojax.core.chance import Chance
from neurojax.core.timing import Law, pick, pick_weighted, whole_steps
from neurojax.errors import InvalidArgument


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A quantity that a task draws, as `Draw` saw it.

    Attributes:
        kind: "integer", "number", "truth" or "duration".
        count: the number of integers, where it is known.
        shape: of one value.
        period: the period whose duration it is.
    """

    kind: str
    count: int | None = None
    shape: tuple[int, ...] = ()
    period: str = ""


class Draw:
    """Draws of one trial or step of one lane, handed to a task's methods.

    A name is an address: the same name in the same method, trial and lane gives the same number, whatever else is
    drawn. Methods have scopes of their own, so their names cannot clash.

    Args:
        chance: the lane's chance.
        scope: the path under which names stand, e.g. "trial".
        step: the absolute step.
        given: conditions that stand in for draws.
        timing, dt: the laws for `duration`.
    """

    def __init__(
        self,
        chance: Chance,
        scope: str,
        step: Any = None,
        given: Mapping[str, Any] | None = None,
        timing: Mapping[str, Law] | None = None,
        dt: float = 1.0,
    ):
        self._chance, self._scope, self._step = chance, scope, step
        self._given, self._timing, self._dt = dict(given or {}), timing or {}, dt
        self.seen: dict[str, Quantity] = {}
        self.periods: set[str] = set()

    def under(self, layer: str) -> Draw:
        """The same draws under the path of a layer, which is how a modifier draws for itself."""
        return Draw(self._chance, f"{layer}/{self._scope}", self._step, self._given, self._timing, self._dt)

    def chance(self, name: str) -> Chance:
        """The chance of `name`, for draws that this class does not offer."""
        return self._chance.at(f"{self._scope}/{name}", self._step)

    def uniform(self, name: str, low: Any = 0.0, high: Any = 1.0, shape: tuple[int, ...] = ()) -> jax.Array:
        """float32 `shape`, uniform on [low, high)."""
        quantity = Quantity("number", shape=tuple(shape))
        return self._or_given(name, quantity, lambda u: low + u(shape) * (high - low), jnp.float32)

    def normal(self, name: str, shape: tuple[int, ...] = ()) -> jax.Array:
        """float32 `shape`, standard normal."""
        return self.chance(name).normal(shape)

    def integer(self, name: str, count: int) -> jax.Array:
        """int32 in 0 .. count - 1, each as likely."""
        count_ = np.float32(count)
        draw = lambda u: jnp.minimum((u(()) * count_).astype(jnp.int32), count - 1)
        return self._or_given(name, Quantity("integer", int(count)), draw, jnp.int32)

    def choice(self, name: str, values) -> jax.Array:
        """One of `values` `[n]`, each as likely."""
        values = jnp.asarray(values)
        kind = "integer" if jnp.issubdtype(values.dtype, jnp.integer) else "number"
        dtype = jnp.int32 if kind == "integer" else jnp.float32
        return self._or_given(name, Quantity(kind), lambda u: pick(values, u(())).astype(dtype), dtype)

    def weighted(self, name: str, values, weights) -> jax.Array:
        """One of `values` `[n]`, with probabilities in proportion to `weights` `[n]`."""
        values, weights = jnp.asarray(values), jnp.asarray(weights, jnp.float32)
        kind = "integer" if jnp.issubdtype(values.dtype, jnp.integer) else "number"
        dtype = jnp.int32 if kind == "integer" else jnp.float32

        draw = lambda u: values[pick_weighted(weights, u(()))].astype(dtype)
        return self._or_given(name, Quantity(kind), draw, dtype)

    def flip(self, name: str, probability=0.5) -> jax.Array:
        """True with `probability`."""
        return self._or_given(name, Quantity("truth"), lambda u: u(()) < probability, jnp.bool_)

    def remembered(self, name: str, value, count: int | None = None) -> jax.Array:
        """A condition that memory decides, and that may be given instead: int32 (in 0 .. count - 1), or float32."""
        value = jnp.asarray(value)
        if jnp.issubdtype(value.dtype, jnp.floating):
            return self._or_given(name, Quantity("number", shape=value.shape), lambda u: value, jnp.float32)
        return self._or_given(name, Quantity("integer", count, value.shape), lambda u: value, jnp.int32)

    def duration(self, name: str, period: str | None = None) -> jax.Array:
        """A condition that is the length of `period` (default: of the period called `name`), in ms of whole steps."""
        period = period or name
        self.periods.add(period)
        draw = lambda u: self._timing[period].quantile(u(()))
        ms = self._or_given(name, Quantity("duration", period=period), draw, jnp.float32)
        return jnp.asarray(whole_steps(ms, self._dt)).astype(jnp.float32) * np.float32(self._dt)

    def _or_given(self, name: str, quantity: Quantity, draw, dtype) -> jax.Array:
        self.seen[name] = quantity
        if name in self._given:
            return jnp.broadcast_to(jnp.asarray(self._given[name]).astype(dtype), quantity.shape)
        uniform = lambda shape=(): self.chance(name).uniform(shape)  # what draws nothing is not addressed either
        return jnp.asarray(draw(uniform)).astype(dtype)


def check_given(given: Mapping[str, Any], seen: Mapping[str, Quantity], batch_size: int) -> None:
    """Refuse conditions that do not fit what the task draws.

    Raises:
        InvalidArgument: for a value of the wrong kind, shape or range.
    """
    for name, value in given.items():
        quantity = seen[name]
        if isinstance(value, Tracer):
            continue
        array = np.asarray(value)
        where = f"condition {name!r}"
        if array.dtype.kind not in "biuf":
            raise InvalidArgument(f"{where} must be numeric, got {value!r}")
        if array.shape not in ((), quantity.shape, (batch_size, *quantity.shape)):
            one = f"have shape {list(quantity.shape)}" if quantity.shape else "be one value"
            raise InvalidArgument(
                f"{where} must {one} or have shape {[batch_size, *quantity.shape]}, got shape {array.shape}"
            )
        if not np.all(np.isfinite(array)):
            raise InvalidArgument(f"{where} must be finite, got {value!r}")
        if quantity.kind in ("integer", "truth") and np.any(array != np.floor(array)):
            raise InvalidArgument(f"{where} must be whole, got {value!r}")
        if quantity.kind == "duration" and np.any(array < 0):
            raise InvalidArgument(f"{where} must not be negative, got {value!r}")
        if quantity.count is not None and (np.any(array < 0) or np.any(array >= quantity.count)):
            raise InvalidArgument(f"{where} must lie in 0 .. {quantity.count - 1}, got {value!r}")
