"""The screen: its pixels, its size, and where the eye is."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax

_TAN = math.tan(math.radians(1))


class Display(struct.PyTreeNode):
    """A flat screen of square pixels that the eye looks at straight on, its middle at (0, 0) degrees.

    Positions are in degrees of visual angle, x to the right and y up. A degree is what one degree at the middle of
    the screen covers, everywhere (`distance_cm * tan(1 degree)`): sizes do not grow towards the edges, as they would
    if the angle at the eye were kept. Luminance is linear, from 0 (black) to 1.

    Drawing functions give images float32 `[height, width]` whose first row is the top: either *coverage*, the share
    of each pixel that a shape fills, which `paint` turns into luminance; or *modulation*, signed contrast about the
    background, which `modulate` turns into luminance.

    Attributes:
        width, height: pixels (static).
        width_cm: width of the screen in cm; the height follows, as pixels are square.
        distance_cm: from the eye to the screen, in cm. At 57 cm a degree is about 1 cm.
        background: luminance of the empty screen.

    Example:
        >>> from neurojax.stimuli import Display
        >>> display = Display(width=128, height=96, width_cm=40.0, distance_cm=57.0)
        >>> round(display.pixels_per_degree, 2), round(display.width_degrees, 1)
        (3.18, 40.2)
        >>> x, y = display.axes()
        >>> x.shape, y.shape, bool(y[0] > y[-1])
        ((128,), (96,), True)
    """

    width: int = struct.field(pytree_node=False, default=64)
    height: int = struct.field(pytree_node=False, default=64)
    width_cm: Any = 10.0
    distance_cm: Any = 57.0
    background: Any = 0.5

    @property
    def height_cm(self) -> Any:
        """Height of the screen in cm."""
        return self.width_cm * self.height / self.width

    @property
    def pixel(self) -> Any:
        """The side of a pixel in degrees."""
        return self.width_cm / (self.width * self.distance_cm * _TAN)

    @property
    def pixels_per_degree(self) -> Any:
        """How many pixels a degree covers."""
        return self.width * self.distance_cm * _TAN / self.width_cm

    @property
    def width_degrees(self) -> Any:
        """Width of the screen in degrees."""
        return self.width * self.pixel

    @property
    def height_degrees(self) -> Any:
        """Height of the screen in degrees."""
        return self.height * self.pixel

    def axes(self) -> tuple[Any, Any]:
        """The middles of the pixels in degrees: x `[width]` from the left, y `[height]` from the top."""
        return _middles(self.width) * self.pixel, -_middles(self.height) * self.pixel

    def grid(self) -> tuple[jax.Array, jax.Array]:
        """The middles of the pixels in degrees: x and y, each `[height, width]`."""
        x, y = self.axes()
        shape = (self.height, self.width)
        return jnp.broadcast_to(x[None], shape), jnp.broadcast_to(y[:, None], shape)

    def to_pixels(self, x, y) -> tuple[Any, Any]:
        """Where a point in degrees lies, as (column, row); the middle of the first pixel is (0, 0)."""
        per = self.pixels_per_degree
        return (self.width - 1) / 2 + x * per, (self.height - 1) / 2 - y * per

    def to_degrees(self, column, row) -> tuple[Any, Any]:
        """Where a pixel lies, in degrees."""
        return (column - (self.width - 1) / 2) * self.pixel, ((self.height - 1) / 2 - row) * self.pixel

    def paint(self, coverage, luminance=1.0, under=None) -> jax.Array:
        """The luminance of the screen where a shape of `luminance` fills `coverage` `[height, width]` of the pixels.

        Args:
            under: the image that it is painted over; default: the background.
        """
        under = self.background if under is None else under
        return under + (luminance - under) * coverage

    def modulate(self, modulation) -> jax.Array:
        """The luminance of the screen with signed contrast `modulation` about the background.

        A sine wave of amplitude c has Michelson contrast c. The screen shows nothing outside of 0 .. 1.
        """
        return jnp.clip(self.background * (1 + modulation), 0.0, 1.0)


def _middles(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32) - np.float32((count - 1) / 2)


def overlap(offset, half, pixel) -> jax.Array:
    """The share of a pixel, whose middle is `offset` from that of an interval of half-width `half`, which it covers.

    Exact along one axis: the sum over pixels is the interval's width in pixels, wherever it lies.
    """
    covered = jnp.minimum(offset + pixel / 2, half) - jnp.maximum(offset - pixel / 2, -half)
    return jnp.clip(covered * (1 / pixel), 0.0, 1.0)


def edge(inside, pixel) -> jax.Array:
    """Coverage at a distance `inside` of an edge (negative outside), which is a pixel wide."""
    return jnp.clip(inside * (1 / pixel) + 0.5, 0.0, 1.0)


def cos_sin(degrees) -> tuple[Any, Any]:
    """Cosine and sine of an angle in degrees; Python numbers of Python numbers.

    Written out, to some 1e-7, for compilers have several ways to take a cosine, and an angle must not depend on them
    (see `firm`).
    """
    if isinstance(degrees, (int, float)):
        return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    degrees = jnp.asarray(degrees, jnp.float32)
    quarters = jnp.round(degrees * np.float32(1 / 90))
    x = (degrees - quarters * np.float32(90)) * np.float32(math.pi / 180)  # in -pi/4 .. pi/4
    square = firm(x * x)
    cos, sin = jnp.float32(1 / 40320), jnp.float32(1 / 362880)
    for k in (6, 4, 2, 0):
        cos = np.float32((-1) ** (k // 2) / math.factorial(k)) + firm(cos * square)
        sin = np.float32((-1) ** (k // 2) / math.factorial(k + 1)) + firm(sin * square)
    sin = sin * x
    turn = jnp.mod(quarters, np.float32(4)).astype(jnp.int32)
    odd, back = turn % 2 == 1, turn >= 2
    even_cos, even_sin = jnp.where(odd, -sin, cos), jnp.where(odd, cos, sin)
    return jnp.where(back, -even_cos, even_cos), jnp.where(back, -even_sin, even_sin)


def firm(product):
    """A product, rounded before it is added to something.

    Compilers join a product and a sum into one operation, or not, as they go; an image would then differ between one
    program and another by more than 1e-6, as edges turn positions into luminance steeply. One bit of 24 is given up
    so that they cannot.
    """
    return lax.reduce_precision(jnp.asarray(product), exponent_bits=8, mantissa_bits=22)


def settled(*values) -> tuple[jax.Array, ...]:
    """Values that many pixels share, worked out once.

    Compilers would rather work out a number again for each pixel that uses it, with all that it follows from, random
    draws included; barriers do not keep XLA from it on a CPU (0.10, measured: VisualSearch was drawn at a twentieth
    of the rate), but a product of matrices does. The matrix is the identity, so the numbers stay as they are.
    """
    parts = [jnp.asarray(v).astype(jnp.float32) for v in values]
    flat = jnp.concatenate([jnp.ravel(part) for part in parts])
    flat = jnp.matmul(flat, np.eye(flat.shape[0], dtype=np.float32), precision=lax.Precision.HIGHEST)
    ends = np.cumsum([part.size for part in parts]).tolist()
    return tuple(flat[end - part.size : end].reshape(part.shape) for part, end in zip(parts, ends, strict=True))
