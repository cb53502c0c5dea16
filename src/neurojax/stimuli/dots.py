"""Random-dot kinematograms in which every frame is a pure function of chance and its number.

A dot lives for so many frames and is then born again elsewhere. Dots are born out of step with each other, so that in
every frame the same share is replaced. Where a dot is at a frame follows from the number of its life,
(frame + offset) // life, which addresses its draws, and from its age, (frame + offset) % life: no frame needs the one
before, and movies can be drawn in any order, all at once or step by step.

In each life a dot is signal, with a probability that is the coherence, or noise. Signal dots move together. Noise dots
move at the same speed each in a direction of its own (noise="direction"), or are plotted anywhere in each frame
(noise="position": Newsome & Pare 1988, doi:10.1523/JNEUROSCI.08-06-02201.1988). Which one it is makes a difference to
observers: Pilly & Seitz (2009), Vision Res. 49:1599.

Dots live on a square of the aperture's width whose opposite sides are joined, and are seen in the circle: their density
is even, whatever the motion, and a dot that leaves on one side comes in on the other.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax

from neurojax.core.chance import Chance
from neurojax.core.timing import whole_steps
from neurojax.errors import InvalidArgument
from neurojax.stimuli.display import Display, cos_sin, edge, firm, overlap

# Directions of noise dots, from a table: a cosine of every dot in every frame would cost more than all else. They are
# half a step away from those that experiments use.
_DIRECTIONS = 1024
_ANGLES = (np.arange(_DIRECTIONS) + 0.5) * (2 * math.pi / _DIRECTIONS)
_HEADINGS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)]).astype(np.float32)


class Dots(struct.PyTreeNode):
    """A random-dot kinematogram.

    Attributes:
        count: number of dots on the square around the aperture (static); pi / 4 of them are seen. See `of_density`.
        coherence: the probability that a dot is signal, 0 .. 1.
        direction: of the signal, in degrees counter-clockwise from rightward.
        speed: in degrees a second.
        life: in ms; floored to whole frames, at least one.
        aperture: its diameter in degrees.
        size: the side of a dot, which is a square, in degrees.
        x, y: the middle of the aperture, in degrees.
        frame_ms: how long a frame lasts, in ms (static).
        noise: what noise dots do, "direction" or "position" (static).
        interleave: so many sets of dots take turns, each seen every so many frames (static): 3 in Roitman & Shadlen
            (2002), doi:10.1523/JNEUROSCI.22-21-09475.2002.

    Images are differentiable in direction, speed, aperture, size and position; coherence and life decide which dots
    are where, so the derivative of one movie in them is 0.

    Example:
        >>> import jax
        >>> from neurojax.stimuli import Display, Dots, draw_dots
        >>> display = Display(width=64, height=64, background=0.0)
        >>> dots = Dots(count=100, coherence=0.5, direction=90.0)
        >>> movie = jax.vmap(lambda frame: draw_dots(display, dots, jax.random.key(0), frame))
        >>> display.paint(movie(jax.numpy.arange(20))).shape
        (20, 64, 64)
    """

    count: int = struct.field(pytree_node=False, default=100)
    coherence: Any = 1.0
    direction: Any = 0.0
    speed: Any = 5.0
    life: Any = 200.0
    aperture: Any = 5.0
    size: Any = 0.2
    x: Any = 0.0
    y: Any = 0.0
    frame_ms: float = struct.field(pytree_node=False, default=16.0)
    noise: Literal["direction", "position"] = struct.field(pytree_node=False, default="direction")
    interleave: int = struct.field(pytree_node=False, default=1)

    @classmethod
    def of_density(cls, density: float, *, aperture: float = 5.0, **known: Any) -> Dots:
        """Dots of which `density` a square degree are there in each frame, of all sets together.

        A density a square degree and second, as papers state it, is to be divided by the frames a second.

        Example:
            >>> from neurojax.stimuli import Dots
            >>> Dots.of_density(16.7 / 75, aperture=5.0).count
            6
        """
        return cls(count=max(1, round(density * aperture**2 * known.get("interleave", 1))), aperture=aperture, **known)

    @property
    def life_frames(self) -> jax.Array:
        """int32: how many frames a dot lives."""
        return jnp.maximum(jnp.asarray(whole_steps(self.life, self.frame_ms)), jnp.int32(1))


class Placed(struct.PyTreeNode):
    """Where the dots of a frame are.

    Attributes:
        x, y: float32 `[count]`, degrees.
        signal: bool `[count]`, whether a dot moves with the signal.
        life: int32 `[count]`, which of its lives a dot is in.
        seen: bool `[count]`, whether it lies in the aperture and its set has its turn.
    """

    x: jax.Array
    y: jax.Array
    signal: jax.Array
    life: jax.Array
    seen: jax.Array


def place_dots(dots: Dots, chance: Chance | jax.Array, frame) -> Placed:
    """Where the dots are in a frame: the same for the same chance and frame, whatever was drawn before.

    Args:
        dots: the kinematogram.
        chance: a typed key, or a `Chance`.
        frame: the number of the frame, from 0; int32.

    Raises:
        InvalidArgument: if `dots.noise` is not known or `dots.interleave` is less than 1.
    """
    if dots.noise not in ("direction", "position"):
        raise InvalidArgument(f"noise must be 'direction' or 'position', got {dots.noise!r}")
    if dots.interleave < 1:
        raise InvalidArgument(f"interleave must be 1 or more, got {dots.interleave!r}")
    chance = chance if isinstance(chance, Chance) else Chance.of(chance)
    frame = jnp.maximum(jnp.asarray(frame, jnp.int32), 0)
    numbers = np.arange(dots.count, dtype=np.uint32)
    life = dots.life_frames
    offset = (_each(chance.at("offset"), numbers, None, 1)[0] * life.astype(jnp.float32)).astype(jnp.int32)
    born = (frame + jnp.minimum(offset, life - 1)) // life
    age = frame + jnp.minimum(offset, life - 1) - born * life

    u = _each(chance.at("life"), numbers, born, 4)
    signal = u[2] < dots.coherence
    cos, sin = cos_sin(dots.direction)
    own = jnp.minimum((u[3] * np.float32(_DIRECTIONS)).astype(jnp.int32), _DIRECTIONS - 1)
    path = age.astype(jnp.float32) * (dots.speed * (dots.frame_ms / 1000))
    started = u[:2]
    if dots.noise == "position":
        anywhere = _each(chance.at("noise"), numbers, jnp.broadcast_to(frame, born.shape), 2)
        started, path = jnp.where(signal, started, anywhere), jnp.where(signal, path, 0.0)
        own = jnp.zeros_like(own)

    def wrapped(start, toward_signal, heading):
        to = jnp.where(signal, toward_signal, jnp.asarray(heading)[own])
        place = firm((start - 0.5) * dots.aperture) + firm(to * path)
        return place - firm(dots.aperture * jnp.floor(place * (1 / jnp.asarray(dots.aperture)) + 0.5))

    x, y = wrapped(started[0], cos, _HEADINGS[0]), wrapped(started[1], sin, _HEADINGS[1])
    turn = True if dots.interleave == 1 else (numbers % dots.interleave).astype(np.int32) == frame % dots.interleave
    return Placed(
        x=x + dots.x, y=y + dots.y, signal=signal, life=born, seen=(x**2 + y**2 < (dots.aperture / 2) ** 2) & turn
    )


def draw_dots(display: Display, dots: Dots, chance: Chance | jax.Array, frame) -> jax.Array:
    """Coverage `[height, width]` of the dots of a frame, for `Display.paint`.

    A square covers a pixel by the product of what it covers along each axis, exactly; so the image is a product of
    two matrices, count x height and count x width. Dots dim over a pixel where they cross the aperture's edge.

    Args:
        display: the screen.
        dots, chance, frame: see `place_dots`.
    """
    placed = place_dots(dots, chance, frame)
    across, down = display.axes()
    pixel = display.pixel
    ox, oy = placed.x - dots.x, placed.y - dots.y
    share = edge(dots.aperture / 2 - jnp.sqrt(firm(ox**2) + firm(oy**2)), pixel)
    if dots.interleave > 1:
        share = jnp.where(
            np.arange(dots.count, dtype=np.int32) % dots.interleave == jnp.asarray(frame, jnp.int32) % dots.interleave,
            share,
            0.0,
        )
    # The barrier made this three times as fast (XLA 0.10 on a CPU, 128 x 128, measured).
    at_x, at_y, share = lax.optimization_barrier((placed.x, placed.y, share))
    rows = overlap(down[None] - at_y[:, None], dots.size / 2, pixel)
    columns = overlap(across[None] - at_x[:, None], dots.size / 2, pixel) * share[:, None]
    return jnp.minimum(jnp.matmul(rows.T, columns, precision=lax.Precision.HIGHEST), 1.0)


def _each(chance: Chance, numbers: np.ndarray, life, count: int) -> jax.Array:
    """float32 `[count, N]`: uniform draws of each dot, in its life."""

    def one(number, life):
        own = chance.replace(lane=number)
        return (own if life is None else own.fold(life)).uniform((count,))

    return jax.vmap(one, (0, None if life is None else 0), 1)(numbers, life)
