"""Stimuli as pictures: pure functions that draw on the device, at any resolution, for any code.

They are unbatched (use `jax.vmap`), and differentiable in what is continuous. Lengths are in degrees of visual angle
on a `Display`, whose geometry is stated; angles are in degrees, counter-clockwise from rightward.
"""

from neurojax.stimuli.display import Display
from neurojax.stimuli.dots import Dots, Placed, draw_dots, place_dots
from neurojax.stimuli.gratings import aperture, drifted, gabor, grating
from neurojax.stimuli.shapes import bar, disc, line

__all__ = [
    "Display",
    "Dots",
    "Placed",
    "aperture",
    "bar",
    "disc",
    "draw_dots",
    "drifted",
    "gabor",
    "grating",
    "line",
    "place_dots",
]
