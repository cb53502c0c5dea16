"""How the rules of a task draw: by name, at an address, with any condition given instead."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
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
        options: the number of values that it can take, where it is one of a list.
    """

    kind: str
    count: int | None = None
    shape: tuple[int, ...] = ()
    period: str = ""
    options: int | None = None


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
        self._decided: dict[str, Any] = {}
        self._options: dict[str, tuple[Any, Any]] = {}  # the options of a quantity and the one that it took
        self._called: Callable[[str], str] = str  # the name under which a quantity is known outside, and a period
        self._period: Callable[[str], str] = str
        self.seen: dict[str, Quantity] = {}
        self.periods: set[str] = set()

    def under(self, layer: str) -> Draw:
        """The same draws under the path of a layer, which is how a modifier draws for itself."""
        other = Draw(self._chance, f"{layer}/{self._scope}", self._step, self._given, self._timing, self._dt)
        other._called, other._period = self._called, self._period
        return other

    def inside(
        self,
        timing: Mapping[str, Law],
        *,
        called: Callable[[str], str] = str,
        period: Callable[[str], str] = str,
        path: str = "",
        apart: bool = False,
    ) -> Draw:
        """The draws of a task inside, which has names and laws of its own.

        Args:
            timing: its laws.
            called, period: our names of its quantities and periods, by its own: under these they are given and seen.
            path: where its draws are addressed, under the present path; none: as if it were alone.
            apart: whether what it draws is noted with it alone, and not here.
        """
        other = copy.copy(self)
        outer, above = self._called, self._period
        other._called, other._period = lambda name: outer(called(name)), lambda name: above(period(name))
        other._timing = timing
        other._scope = f"{path}/{self._scope}" if path else self._scope
        if apart:
            other.seen, other.periods, other._options = {}, set(), {}
        return other

    def period(self, name: str) -> str:
        """The name under which a period of the task that draws is noted in `periods`."""
        return self._period(name)

    def giving(self, **values: Any) -> Draw:
        """The same draws, with `values` in place of what would be drawn. What is given from outside comes first."""
        other = copy.copy(self)
        other._given = {**{self._called(name): value for name, value in values.items()}, **self._given}
        return other

    def deciding(self, **options: Any) -> Draw:
        """The same draws, but that each named quantity takes the option with this number, from 0.

        That is how a modifier gives other probabilities to what the task inside draws. A given condition comes first.
        """
        other = copy.copy(self)
        other._decided = {**{self._called(name): option for name, option in options.items()}, **self._decided}
        return other

    def has_options(self, name: str) -> bool:
        """Whether the quantity `name` was drawn here from a list, so that `option` tells which it was."""
        return self._called(name) in self._options

    def option(self, name: str) -> jax.Array:
        """int32: which of its options the quantity `name` took, from 0, however it came by it."""
        options, value = self._options[self._called(name)]
        if isinstance(options, int):
            return jnp.asarray(value).astype(jnp.int32)
        options, value = (jnp.asarray(x).astype(jnp.float32) for x in (options, value))
        return jnp.argmin(jnp.abs(options - value)).astype(jnp.int32)

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
        return self._or_given(name, Quantity("integer", int(count)), draw, jnp.int32, int(count))

    def choice(self, name: str, values) -> jax.Array:
        """One of `values` `[n]`, each as likely."""
        values = jnp.asarray(values)
        kind = "integer" if jnp.issubdtype(values.dtype, jnp.integer) else "number"
        dtype = jnp.int32 if kind == "integer" else jnp.float32
        return self._or_given(name, Quantity(kind), lambda u: pick(values, u(())).astype(dtype), dtype, values)

    def weighted(self, name: str, values, weights) -> jax.Array:
        """One of `values` `[n]`, with probabilities in proportion to `weights` `[n]`."""
        values, weights = jnp.asarray(values), jnp.asarray(weights, jnp.float32)
        kind = "integer" if jnp.issubdtype(values.dtype, jnp.integer) else "number"
        dtype = jnp.int32 if kind == "integer" else jnp.float32

        draw = lambda u: values[pick_weighted(weights, u(()))].astype(dtype)
        return self._or_given(name, Quantity(kind), draw, dtype, values)

    def flip(self, name: str, probability=0.5) -> jax.Array:
        """True with `probability`."""
        return self._or_given(name, Quantity("truth"), lambda u: u(()) < probability, jnp.bool_, 2)

    def remembered(self, name: str, value, count: int | None = None) -> jax.Array:
        """A condition that memory decides, and that may be given instead: int32 (in 0 .. count - 1), or float32."""
        value = jnp.asarray(value)
        if jnp.issubdtype(value.dtype, jnp.floating):
            return self._or_given(name, Quantity("number", shape=value.shape), lambda u: value, jnp.float32)
        options = None if count is None or value.shape else count
        return self._or_given(name, Quantity("integer", count, value.shape), lambda u: value, jnp.int32, options)

    def duration(self, name: str, period: str | None = None) -> jax.Array:
        """A condition that is the length of `period` (default: of the period called `name`), in ms of whole steps."""
        period = period or name
        self.periods.add(self._period(period))
        draw = lambda u: self._timing[period].quantile(u(()))
        ms = self._or_given(name, Quantity("duration", period=self._period(period)), draw, jnp.float32)
        return jnp.asarray(whole_steps(ms, self._dt)).astype(jnp.float32) * np.float32(self._dt)

    def _or_given(self, name: str, quantity: Quantity, draw, dtype, options=None) -> jax.Array:
        # the options are a list, or so many whole numbers from 0
        count = options if options is None or isinstance(options, int) else int(np.shape(options)[0])
        known = self._called(name)
        self.seen[known] = dataclasses.replace(quantity, options=count)
        if known in self._given:
            value = jnp.broadcast_to(jnp.asarray(self._given[known]).astype(dtype), quantity.shape)
        elif options is not None and known in self._decided:
            option = self._decided[known]
            value = jnp.asarray(option if isinstance(options, int) else jnp.asarray(options)[option]).astype(dtype)
        else:
            uniform = lambda shape=(): self.chance(name).uniform(shape)  # what draws nothing is not addressed either
            value = jnp.asarray(draw(uniform)).astype(dtype)
        if options is not None:
            self._options[known] = (options, value)
        return value


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
