"""Points, bars and lines, with soft edges a pixel wide, so that images can be differentiated."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from neurojax.stimuli.display import Display, cos_sin, edge, firm, overlap, settled


def disc(display: Display, *, diameter, x: Any = 0.0, y: Any = 0.0) -> jax.Array:
    """Coverage `[height, width]` of a disc.

    Args:
        display: the screen.
        diameter: in degrees; discs smaller than a pixel come out too large.
        x, y: its middle, in degrees.

    Example:
        >>> from neurojax.stimuli import Display, disc
        >>> display = Display(width=64, height=64)
        >>> area = float(disc(display, diameter=4.0).sum()) * display.pixel**2
        >>> round(area, 1)  # pi * 2**2
        12.6
    """
    across, down = display.axes()
    distance = jnp.sqrt(firm((across - x) ** 2)[None] + firm((down - y) ** 2)[:, None])
    return edge(diameter / 2 - distance, display.pixel) * jnp.asarray(diameter > 0, jnp.float32)


def bar(display: Display, *, length, width, orientation=0.0, x=0.0, y=0.0) -> jax.Array:
    """Coverage `[height, width]` of a bar.

    Args:
        display: the screen.
        length, width: in degrees; a bar thinner than a pixel is as faint as it is thin.
        orientation: in degrees, counter-clockwise from horizontal.
        x, y: its middle, in degrees.

    Example:
        >>> from neurojax.stimuli import Display, bar
        >>> display = Display(width=32, height=32)
        >>> display.paint(bar(display, length=3.0, width=0.5, orientation=45.0), luminance=1.0).shape
        (32, 32)
    """
    return _bar(display, x, y, *cos_sin(orientation), length, width)


def line(display: Display, *, start, end, width) -> jax.Array:
    """Coverage `[height, width]` of a line between two points.

    Args:
        display: the screen.
        start, end: `(x, y)` in degrees, not the same point.
        width: in degrees.

    Example:
        >>> import numpy as np
        >>> from neurojax.stimuli import Display, bar, line
        >>> display = Display(width=32, height=32)
        >>> one = line(display, start=(-1.5, 0.0), end=(1.5, 0.0), width=0.5)
        >>> bool(np.allclose(one, bar(display, length=3.0, width=0.5), atol=1e-5))
        True
    """
    dx, dy = jnp.float32(end[0] - start[0]), jnp.float32(end[1] - start[1])
    length = jnp.sqrt(dx**2 + dy**2)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return _bar(display, x, y, dx / length, dy / length, length, width)


def _bar(display: Display, x, y, cos, sin, length, width) -> jax.Array:
    x, y, cos, sin, length, width = settled(x, y, cos, sin, length, width)
    across, down = display.axes()
    dx, dy = across - x, down - y
    along = firm(dx * cos)[None] + firm(dy * sin)[:, None]
    beside = firm(dy * cos)[:, None] - firm(dx * sin)[None]
    return overlap(along, length / 2, display.pixel) * overlap(beside, width / 2, display.pixel)
