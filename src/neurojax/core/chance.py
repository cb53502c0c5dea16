"""Chance as an argument: every random number has an address.

The address of a number is `(key, name, step, row, lane)`. The key, folded with the name of the quantity and with
the absolute step, gives a Threefry key; the row and the lane are the two words of its counter. A draw is therefore a
pure, unbatched function that the caller vmaps over lanes: which other lanes, steps or quantities are drawn beside it,
in one call or in chunks, on one device or on eight, cannot change it.

`jax.random` draws arrays, not addresses, so the block cipher is written out here. It gives bit for bit what
`jax.random` gives (tested): lane `b` of a scalar quantity is element `b` of
`jax.random.bits(fold_in(fold_in(key, path_hash(name)), step), (B,))`. Written out, XLA fuses it with its consumers:
trials are drawn and rendered in one kernel, as fast as the bulk call or faster (see benchmarks/RESULTS.md).

Source of the cipher: Salmon et al. 2011, doi:10.1145/2063384.2063405 (Threefry-2x32, 20 rounds).
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax

from neurojax.errors import InvalidArgument

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_SQRT2 = np.float32(np.sqrt(2))
_ABOVE_MINUS_ONE = np.nextafter(np.float32(-1), np.float32(0))


@jax.jit
def _threefry(key0, key1, x0, x1):
    """The Threefry-2x32 block cipher of counter `(x0, x1)`: two uint32 words, elementwise."""
    schedule = (key0, key1, key0 ^ key1 ^ _PARITY)
    x0, x1 = x0 + schedule[0], x1 + schedule[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))) ^ x0
        x0 = x0 + schedule[(block + 1) % 3]
        x1 = x1 + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x0, x1


@lru_cache(maxsize=4096)
def path_hash(name: str) -> int:
    """The number that stands for the name of a quantity: its CRC-32."""
    return zlib.crc32(name.encode())


class Chance(struct.PyTreeNode):
    """Where a lane's random numbers come from: a key and the lane's number.

    Attributes:
        words: uint32 `[2]`, the words of a Threefry key.
        lane: uint32 scalar, the lane (trial, environment) that draws.

    Nothing is consumed: the same address gives the same number, so names must differ where numbers must.

    Example:
        >>> import jax
        >>> from neurojax.core.chance import Chance
        >>> chance = Chance.of(jax.random.key(0), lane=3).at("coherence", step=7)
        >>> bool(chance.uniform() == chance.uniform())
        True
    """

    words: jax.Array
    lane: jax.Array

    @classmethod
    def of(cls, key: jax.Array, lane=0) -> Chance:
        """The chance of `lane` under a typed key (`jax.random.key`)."""
        return cls(words=key_words(key), lane=jnp.asarray(lane, jnp.uint32))

    def fold(self, number) -> Chance:
        """The chance under another number, as `jax.random.fold_in`."""
        number = jnp.asarray(number).astype(jnp.uint32)
        words = _threefry(self.words[0], self.words[1], jnp.zeros_like(number), number)
        return self.replace(words=jnp.stack(words))

    def at(self, name: str, step=None) -> Chance:
        """The chance of the quantity `name` at an absolute step (no step: drawn once a key)."""
        named = self.fold(np.uint32(path_hash(name)))
        named = named if step is None else named.fold(step)
        return named.replace(words=lax.optimization_barrier(named.words))

    def bits(self, shape: tuple[int, ...] = ()) -> jax.Array:
        """uint32 `shape`, each word uniform; rows count along the flattened shape."""
        rows = np.arange(int(np.prod(shape)), dtype=np.uint32).reshape(shape)
        high, low = _threefry(self.words[0], self.words[1], jnp.asarray(rows), self.lane)
        return high ^ low

    def uniform(self, shape: tuple[int, ...] = ()) -> jax.Array:
        """float32 `shape`, uniform on [0, 1)."""
        return _unit(self.bits(shape))

    def normal(self, shape: tuple[int, ...] = ()) -> jax.Array:
        """float32 `shape`, standard normal."""
        span = np.float32(1) - _ABOVE_MINUS_ONE
        u = jnp.maximum(_ABOVE_MINUS_ONE, _unit(self.bits(shape)) * span + _ABOVE_MINUS_ONE)
        return lax.optimization_barrier(_SQRT2 * lax.erf_inv(u))

    def key(self) -> jax.Array:
        """A typed key of this address and lane, for code that draws with `jax.random`."""
        return jax.random.wrap_key_data(self.fold(self.lane).words, impl="threefry2x32")


def _unit(bits: jax.Array) -> jax.Array:
    """float32 on [0, 1) from the upper 23 bits, as `jax.random.uniform`."""
    return lax.bitcast_convert_type((bits >> np.uint32(9)) | np.uint32(0x3F800000), jnp.float32) - np.float32(1)


def check_key(key: Any) -> None:
    """Refuse anything but one typed Threefry key.

    Raises:
        InvalidArgument: if `key` is not a scalar key made by `jax.random.key`.
    """
    dtype = getattr(key, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key):
        raise InvalidArgument(f"key must be a typed key from jax.random.key(seed), got {_short(key)}")
    if "fry" not in str(dtype):
        raise InvalidArgument(f"key must be a Threefry key (jax.random.key(seed, impl='threefry2x32')), got {dtype}")
    if jnp.shape(key) != ():
        raise InvalidArgument(f"key must be one key, got an array of keys of shape {jnp.shape(key)}")


def key_words(key: jax.Array) -> jax.Array:
    """The two uint32 words of a typed Threefry key."""
    check_key(key)
    return jax.random.key_data(key)


def _short(value: object) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) < 80 else text[:77] + "..."
