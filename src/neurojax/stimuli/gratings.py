"""Gratings and Gabors.

A sine wave of a sum of coordinates is a product of sine waves, cos(a + b) = cos a cos b - sin a sin b, and a Gaussian
in the plane is the product of two: both are drawn as products of a column and a row, which takes 2 (height + width)
cosines rather than height x width.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from neurojax.stimuli.display import Display, cos_sin, firm, settled
from neurojax.stimuli.shapes import disc

_TURN = np.float32(2 * math.pi)


def grating(
    display: Display,
    *,
    contrast,
    frequency,
    orientation=90.0,
    phase=0.0,
    x=0.0,
    y=0.0,
    diameter=None,
    fringe=0.0,
) -> jax.Array:
    """Modulation `[height, width]` of a sine-wave grating: amplitude `contrast`, for `Display.modulate`.

    Args:
        display: the screen.
        contrast: Michelson contrast, 0 .. 1.
        frequency: spatial frequency in cycles a degree.
        orientation: of the bars, in degrees counter-clockwise from horizontal; 90 is upright.
        phase: in cycles, at (x, y): 0 puts a bright bar there. As it grows, the grating moves towards the direction
            `orientation - 90`: upright bars to the right. See `drifted`.
        x, y: the middle, in degrees.
        diameter: of a round aperture, in degrees; None: the whole screen.
        fringe: the share of the aperture's radius over which contrast falls to 0 as half a cosine; 0: a sharp edge,
            1: from the middle on.

    Example:
        >>> from neurojax.stimuli import Display, drifted, grating
        >>> display = Display(width=64, height=64)
        >>> frame = lambda ms: display.modulate(
        ...     grating(display, contrast=0.5, frequency=0.4, phase=drifted(2.0, ms), diameter=8.0)
        ... )
        >>> frame(16.0).shape, round(float(frame(0.0).max()), 2)
        ((64, 64), 0.75)
    """
    contrast, phase, x, y = settled(contrast, phase, x, y)
    rows, columns = _waves(display, frequency, orientation, phase, x, y)
    wave = contrast * _product(rows, columns)
    return wave if diameter is None else wave * aperture(display, diameter=diameter, fringe=fringe, x=x, y=y)


def gabor(
    display: Display, *, contrast, frequency, sigma, orientation=90.0, phase=0.0, x=0.0, y=0.0
) -> jax.Array:  # fmt: skip
    """Modulation `[height, width]` of a Gabor: a grating under a Gaussian of standard deviation `sigma` degrees.

    Other arguments: see `grating`.

    Example:
        >>> import jax
        >>> from neurojax.stimuli import Display, gabor
        >>> display = Display(width=64, height=64)
        >>> energy = lambda x: (gabor(display, contrast=0.8, frequency=1.0, sigma=0.5, x=x) ** 2).sum()
        >>> abs(float(jax.grad(energy)(0.1))) < 1e-2  # it only moves
        True
    """
    contrast, phase, x, y = settled(contrast, phase, x, y)
    rows, columns = _waves(display, frequency, orientation, phase, x, y)
    across, down = display.axes()
    bell = lambda offset: jnp.exp(-0.5 * (offset * (1 / sigma)) ** 2)
    return contrast * _product(rows * bell(down - y), columns * bell(across - x))


def aperture(display: Display, *, diameter, fringe: Any = 0.0, x: Any = 0.0, y: Any = 0.0) -> jax.Array:
    """How much of the contrast a round aperture leaves, `[height, width]`; see `grating`."""
    if isinstance(fringe, (int, float)) and fringe == 0:
        return disc(display, diameter=diameter, x=x, y=y)
    across, down = display.axes()
    distance = jnp.sqrt(firm((across - x) ** 2)[None] + firm((down - y) ** 2)[:, None])
    radius = diameter / 2
    fallen = jnp.clip((distance - radius * (1 - fringe)) * (1 / (radius * fringe)), 0.0, 1.0)
    return 0.5 + 0.5 * jnp.cos(np.float32(math.pi) * fallen)


def drifted(hertz, ms) -> Any:
    """The phase in cycles of a grating that has drifted for `ms` at a temporal frequency."""
    return hertz * ms / 1000


def _waves(display: Display, frequency, orientation, phase, x, y) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines `[2, height]` and `[2, width]` whose product is the wave."""
    across, down = display.axes()
    cos, sin = cos_sin(orientation)
    # the wave runs towards orientation - 90 degrees, of which the cosine is `sin`, and the sine `-cos`
    rows = _cycles(firm((down - y) * (frequency * -cos)) - phase)
    columns = _cycles(firm((across - x) * (frequency * sin)))
    return jnp.stack([jnp.cos(rows), -jnp.sin(rows)]), jnp.stack([jnp.cos(columns), jnp.sin(columns)])


def _cycles(cycles) -> jax.Array:
    """Cycles in radians, of the part beyond whole ones: large angles would be rounded coarsely."""
    return (cycles - jnp.round(cycles)) * _TURN


def _product(rows, columns) -> jax.Array:
    return jnp.matmul(rows.T, columns, precision=lax.Precision.HIGHEST)
