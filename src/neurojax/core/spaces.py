"""What a subject sees and does: named observation channels, and discrete or continuous actions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.errors import InvalidArgument, unknown

_RESTS = ("fixation", "hold", "none", "rest", "wait")  # names of actions that do nothing


@dataclasses.dataclass(frozen=True)
class _Named:
    """Numbered places that go by names.

    Attributes:
        sizes: name and number of places, in order.
    """

    sizes: tuple[tuple[str, int], ...]

    @classmethod
    def named(cls, **sizes: Any) -> Self:
        """From keywords: `named(fixation=1, stimulus=2)`."""
        return cls(tuple(sizes.items()))

    @property
    def size(self) -> int:
        """How many places there are."""
        return sum(n for _, n in self.sizes)

    @property
    def slices(self) -> dict[str, slice]:
        """The places of each name."""
        ends = np.cumsum([n for _, n in self.sizes]).tolist()
        return {name: slice(end - n, end) for (name, n), end in zip(self.sizes, ends, strict=True)}

    def labels(self) -> list[str]:
        """A label for each place."""
        return [name if n == 1 else f"{name} {i}" for name, n in self.sizes for i in range(n)]


@dataclasses.dataclass(frozen=True)
class Channels(_Named):
    """Observation channels, D of them, by name and in order: `Channels.named(fixation=1, stimulus=2)`.

    An image is a channel of as many places as it has pixels, whose shape is known: an observation stays one vector
    `[D]`, for networks, batches and environments alike, and `split` gives the image back.

    Attributes:
        low, high: bounds of each channel `[D]`, or one for all.
        shapes: the shape of each channel that is an array, by name: (height, width) of an image.

    Example:
        >>> import numpy as np
        >>> channels = Channels.named(fixation=1, screen=(4, 6))
        >>> channels.size, channels.split(np.zeros((2, 25)))["screen"].shape
        (25, (2, 4, 6))
    """

    low: float | tuple[float, ...] = -np.inf
    high: float | tuple[float, ...] = np.inf
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @classmethod
    def named(cls, **sizes: int | tuple[int, ...]) -> Self:
        """From keywords: a size, or the shape of an image."""
        shapes = tuple((name, n) for name, n in sizes.items() if isinstance(n, tuple))
        return cls(
            tuple((name, math.prod(n) if isinstance(n, tuple) else n) for name, n in sizes.items()), shapes=shapes
        )

    @property
    def images(self) -> dict[str, tuple[int, ...]]:
        """The channels that are images, and their (height, width)."""
        return dict(self.shapes)

    def split(self, observations):
        """Observations `[..., D]` by channel name: `[..., n]`, or `[..., height, width]` of an image."""
        out = {}
        for name, place in self.slices.items():
            values = observations[..., place]
            shape = self.images.get(name)
            out[name] = values if shape is None else values.reshape(*values.shape[:-1], *shape)
        return out

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower and upper bounds of each channel, float32 `[D]`."""
        low, high = (np.broadcast_to(np.asarray(x, np.float32), (self.size,)) for x in (self.low, self.high))
        return low, high

    def assemble(self, values: Mapping[str, jax.Array | float]) -> jax.Array:
        """An observation float32 `[D]` of values by name, each a scalar, `[n]` or an image; absent names are 0."""
        for name in values:
            if name not in dict(self.sizes):
                raise unknown("channel", name, dict(self.sizes))
        parts = []
        for name, n in self.sizes:
            value = jnp.asarray(values.get(name, 0.0)).astype(jnp.float32)
            if name in self.images and value.shape == self.images[name]:
                value = value.reshape(n)
            if value.shape not in ((), (1,), (n,)):
                raise InvalidArgument(f"channel {name!r} has size {n}, got a value of shape {value.shape}")
            parts.append(jnp.broadcast_to(value, (n,)))
        return jnp.concatenate(parts)


@dataclasses.dataclass(frozen=True)
class Discrete(_Named):
    """Actions 0 .. A - 1, by name and in order: `Discrete.named(fixation=1, choice=2)`."""

    @property
    def rests(self) -> bool:
        """Whether action 0 is one of doing nothing, such as to fixate."""
        return self.sizes[0][0] in _RESTS

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one action."""
        return ()

    @property
    def dtype(self):
        """The dtype of an action."""
        return jnp.int32

    def random(self, chance) -> jax.Array:
        """A uniformly random action."""
        index = (chance.uniform() * np.float32(self.size)).astype(jnp.int32)
        return jnp.minimum(index, self.size - 1)


@dataclasses.dataclass(frozen=True)
class Box:
    """Continuous actions `[A]` between `low` and `high`.

    Attributes:
        names: a label for each component.
        low, high: bounds `[A]`.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower and upper bounds, float32 `[A]`."""
        return np.asarray(self.low, np.float32), np.asarray(self.high, np.float32)

    @property
    def size(self) -> int:
        """A, the number of components."""
        return len(self.names)

    def labels(self) -> list[str]:
        """A label for each component `[A]`."""
        return list(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one action."""
        return (self.size,)

    @property
    def dtype(self):
        """The dtype of an action."""
        return jnp.float32

    def random(self, chance) -> jax.Array:
        """A uniformly random action `[A]`."""
        low, high = self.bounds()
        return low + chance.uniform(self.shape) * (high - low)
