"""Stimuli, checked as physics: geometry, luminance, contrast, spectra, displacements, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurojax.core.chance import Chance
from neurojax.errors import InvalidArgument
from neurojax.stimuli import Display, Dots, aperture, bar, disc, draw_dots, drifted, gabor, grating, line, place_dots

KEY = jax.random.key(5)
DISPLAY = Display(width=96, height=64, width_cm=12.0, distance_cm=57.0, background=0.5)


def placed(dots, frames, key=KEY):
    """Where the dots are in frames 0 .. `frames` - 1, as NumPy arrays `[frames, count]`."""
    movie = jax.jit(jax.vmap(lambda frame: place_dots(dots, key, frame)))
    return jax.tree.map(np.asarray, movie(jnp.arange(frames, dtype=jnp.int32)))


def displacements(at, aperture, every=1):
    """What dots move from frame to frame within a life, degrees `[n, 2]`, and whether they are signal."""
    same = at.life[every:] == at.life[:-every]
    step = np.stack([at.x[every:] - at.x[:-every], at.y[every:] - at.y[:-every]], -1)
    step = step - aperture * np.round(step / aperture)  # round the joined sides
    return step[same], at.signal[every:][same]


# ---------------------------------------------------------------------- geometry


def test_a_degree_is_so_many_pixels():
    display = Display(width=800, height=600, width_cm=40.0, distance_cm=57.0)
    # one degree at 57 cm is 57 tan(1 deg) = .995 cm, and a cm is 20 pixels
    assert np.isclose(display.pixels_per_degree, 57 * np.tan(np.radians(1)) * 20)
    assert np.isclose(display.height_cm, 30)
    # at twice the distance a pixel is half as large
    assert np.isclose(display.replace(distance_cm=114.0).pixel, display.pixel / 2)
    x, y = display.axes()
    assert np.allclose(np.diff(x), display.pixel, rtol=1e-3)
    assert np.allclose(np.diff(y), -display.pixel, rtol=1e-3)
    assert np.isclose(x.sum() + y.sum(), 0, atol=1e-2)
    column, row = display.to_pixels(3.0, -2.0)
    assert np.allclose(display.to_degrees(column, row), (3.0, -2.0))
    assert np.isclose(x[round(column)], 3.0, atol=display.pixel)
    assert np.isclose(y[round(row)], -2.0, atol=display.pixel)
    across, down = Display(width=5, height=3).grid()
    assert across.shape == down.shape == (3, 5)
    assert float(down[0, 0]) > 0 > float(across[0, 0])  # the first pixel is the top left


def test_shapes_have_their_area_and_place():
    per = DISPLAY.pixels_per_degree
    across, down = DISPLAY.grid()
    for angle in (0.0, 33.0, 90.0, 140.0):
        image = np.asarray(bar(DISPLAY, length=4.0, width=1.0, orientation=angle, x=1.0, y=-0.5), np.float64)
        assert np.isclose(image.sum(), 4.0 * per**2, rtol=0.01)
        assert np.isclose((image * across).sum() / image.sum(), 1.0, atol=0.02)
        assert np.isclose((image * down).sum() / image.sum(), -0.5, atol=0.02)
        # the principal axis of the image's moments is the orientation, and its length sqrt(12) standard deviations
        dx, dy = np.asarray(across) - 1.0, np.asarray(down) + 0.5
        xx, yy, xy = ((image * m).sum() / image.sum() for m in (dx**2, dy**2, dx * dy))
        axis = np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)) % 180
        assert min(abs(axis - angle), 180 - abs(axis - angle)) < 1.0
        longest = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
        assert np.isclose(np.sqrt(12 * longest), 4.0, rtol=0.03)
    assert np.isclose(disc(DISPLAY, diameter=3.0).sum(), np.pi * 1.5**2 * per**2, rtol=0.01)
    assert float(disc(DISPLAY, diameter=0.0).sum()) == 0
    ends = line(DISPLAY, start=(-1.0, -1.0), end=(2.0, 2.0), width=0.5)
    same = bar(DISPLAY, length=np.hypot(3, 3), width=0.5, orientation=45.0, x=0.5, y=0.5)
    assert np.allclose(ends, same, atol=1e-4)


def test_thin_bars_are_faint():
    """A bar of half a pixel gives half the light of one of a pixel, wherever it lies between pixels."""
    pixel = DISPLAY.pixel
    light = [
        float(bar(DISPLAY, length=3.0, width=w * pixel, x=0.0, y=y * pixel).sum())
        for w, y in ((1.0, 0.0), (0.5, 0.0), (0.5, 0.3))
    ]
    assert np.allclose(light, [light[0], light[0] / 2, light[0] / 2], rtol=1e-4)


def test_paint_and_modulate():
    dark = DISPLAY.replace(background=0.25)
    cover = bar(dark, length=2.0, width=1.0)
    image = np.asarray(dark.paint(cover, 0.75))
    assert np.isclose(image.min(), 0.25) and np.isclose(image.max(), 0.75)
    assert np.allclose(dark.paint(cover, 0.5, under=jnp.ones_like(cover)), 1 - 0.5 * cover)
    assert float(dark.modulate(jnp.float32(9.0))) == 1.0


# ---------------------------------------------------------------------- gratings


def spectrum(image, display):
    """Amplitudes of an image less its mean, and the frequencies (x, y up) in cycles a degree, zero first."""
    image = np.asarray(image, np.float64)
    amplitude = np.abs(np.fft.fft2(image - image.mean())) / image.size * 2
    fx = np.fft.fftfreq(display.width, display.pixel)
    fy = -np.fft.fftfreq(display.height, display.pixel)
    return amplitude, *np.meshgrid(fx, fy)


@pytest.mark.parametrize(("cycles_x", "cycles_y"), [(8, 0), (0, 6), (9, 5), (-7, 8)])
def test_orientation_frequency_and_contrast_from_the_spectrum(cycles_x, cycles_y):
    fx, fy = cycles_x / DISPLAY.width_degrees, cycles_y / DISPLAY.height_degrees
    orientation = float(np.degrees(np.arctan2(fy, fx))) + 90
    frequency = float(np.hypot(fx, fy))
    image = np.asarray(DISPLAY.modulate(grating(DISPLAY, contrast=0.6, frequency=frequency, orientation=orientation)))
    amplitude, x, y = spectrum(image, DISPLAY)
    peak = np.unravel_index(np.argmax(amplitude), amplitude.shape)
    sign = np.sign(x[peak] * fx + y[peak] * fy)  # the spectrum of a real image is symmetric
    assert np.isclose(sign * x[peak], fx, atol=1e-6) and np.isclose(sign * y[peak], fy, atol=1e-6)
    assert np.isclose(amplitude[peak], 0.6 * 0.5, rtol=1e-3)
    assert np.sum(amplitude > 0.01) == 2  # nothing else is there
    assert np.isclose(image.mean(), 0.5, atol=1e-4)
    assert np.isclose((image.max() - image.min()) / (image.max() + image.min()), 0.6, atol=0.03)  # pixels miss peaks
    # The test can fail: four degrees more are another wave.
    other = grating(DISPLAY, contrast=0.6, frequency=frequency, orientation=orientation + 4)
    assert np.abs(image - np.asarray(DISPLAY.modulate(other))).max() > 0.1


def test_a_gabor_has_the_spectrum_of_its_envelope():
    image = gabor(DISPLAY, contrast=0.8, frequency=1.2, sigma=0.9, orientation=60.0, phase=0.25)
    amplitude, x, y = spectrum(image, DISPLAY)
    power = amplitude**2
    half = x * np.cos(np.radians(-30)) + y * np.sin(np.radians(-30)) > 0
    weight = np.where(half, power, 0) / power[half].sum()
    fx, fy = (weight * x).sum(), (weight * y).sum()
    assert np.isclose(np.hypot(fx, fy), 1.2, rtol=0.01)
    assert np.isclose(np.degrees(np.arctan2(fy, fx)), -30, atol=0.5)
    # power of a Gaussian of sigma degrees has a standard deviation of 1 / (2 pi sigma sqrt(2)) cycles a degree
    spread = np.sqrt((weight * ((x - fx) ** 2 + (y - fy) ** 2)).sum() / 2)
    assert np.isclose(spread, 1 / (2 * np.pi * 0.9 * np.sqrt(2)), rtol=0.03)
    assert abs(float(image.mean())) < 1e-3  # odd phase: nothing added to the mean


@pytest.mark.parametrize("orientation", [90.0, 0.0, 135.0])
def test_gratings_drift_at_their_speed(orientation):
    """After some time the grating is the one moved by (hertz / frequency) x time towards orientation - 90."""
    hertz, frequency, ms = 4.0, 0.8, 40.0
    moved = grating(DISPLAY, contrast=1.0, frequency=frequency, orientation=orientation, phase=drifted(hertz, ms))
    distance, angle = hertz / frequency * ms / 1000, np.radians(orientation - 90)
    x, y = float(distance * np.cos(angle)), float(distance * np.sin(angle))
    shifted = grating(DISPLAY, contrast=1.0, frequency=frequency, orientation=orientation, x=x, y=y)
    assert np.allclose(moved, shifted, atol=1e-4)
    back = grating(DISPLAY, contrast=1.0, frequency=frequency, orientation=orientation, x=-x, y=-y)
    assert not np.allclose(moved, back, atol=0.1)


def test_apertures():
    soft = np.asarray(aperture(DISPLAY, diameter=6.0, fringe=0.5))
    across, down = (np.asarray(v) for v in DISPLAY.grid())
    radius = np.hypot(across, down)
    assert np.all(soft[radius < 1.45] == 1) and np.all(soft[radius > 3.05] < 1e-6)
    assert np.isclose(soft[np.abs(radius - 2.25) < 0.03].mean(), 0.5, atol=0.05)
    inside = grating(DISPLAY, contrast=0.5, frequency=1.0, diameter=4.0)
    assert np.all(np.asarray(inside)[radius > 2.2] == 0)


# ---------------------------------------------------------------------- dots


@pytest.mark.parametrize("noise", ["direction", "position"])
def test_coherence_speed_and_direction_from_displacements(noise):
    dots = Dots(count=400, coherence=0.32, direction=120.0, speed=6.0, life=160.0, aperture=8.0, noise=noise)
    step, signal = displacements(placed(dots, 200), 8.0)
    expected = 6.0 * 0.016 * np.array([np.cos(np.radians(120)), np.sin(np.radians(120))])
    with_signal = np.all(np.abs(step - expected) < 2e-5, axis=1)
    assert np.array_equal(with_signal, signal)
    # The share of coherent steps is the coherence. Ten frames of one life agree, so count lives.
    lives = len(step) / 9
    error = np.sqrt(0.32 * 0.68 / lives)
    assert abs(with_signal.mean() - 0.32) < 4 * error
    assert 4 * error < 0.03  # the test can fail
    others = step[~signal]
    if noise == "direction":
        assert np.allclose(np.hypot(*others.T), 0.096, atol=2e-5)
        assert np.hypot(*(others / 0.096).mean(0)) < 4 / np.sqrt(len(others) / 9)  # Rayleigh: no preferred direction
    else:
        assert np.hypot(*others.T).mean() > 2.0  # anywhere


def test_lives_and_density():
    dots = Dots(count=500, coherence=0.5, speed=9.0, life=100.0, aperture=4.0, frame_ms=20.0)
    at = placed(dots, 300)
    assert int(dots.life_frames) == 5
    reborn = at.life[1:] != at.life[:-1]
    assert np.array_equal(reborn[5:], reborn[:-5])  # every five frames
    assert np.isclose(reborn.mean(), 1 / 5, atol=2e-3)
    assert np.all(np.abs(reborn.mean(1) - 1 / 5) < 5 * np.sqrt(0.16 / 500))  # a fifth in each frame, not all at once
    # even over the square: pi / 4 seen in the circle, and as many in its inner half
    assert np.isclose(at.seen.mean(), np.pi / 4, atol=0.01)
    inner = (at.x**2 + at.y**2 < 2.0)[at.seen]
    assert np.isclose(inner.mean(), 0.5, atol=0.02)
    assert np.all(np.abs(at.x) <= 2.0 + 1e-5) and np.all(np.abs(at.y) <= 2.0 + 1e-5)


def test_sets_of_dots_take_turns():
    dots = Dots(count=90, coherence=1.0, speed=5.0, life=1000.0, interleave=3, x=1.0)
    at = placed(dots, 12)
    for frame in range(12):
        assert not np.any(at.seen[frame, np.arange(90) % 3 != frame % 3])
        assert at.seen[frame].sum() > 10
    step, _ = displacements(at, 5.0, every=3)  # a set is seen again three frames later
    assert np.allclose(np.hypot(*step.T), 3 * 5.0 * 0.016, atol=1e-4)


def test_frames_are_pure_functions():
    """A frame does not depend on others: alone, in a batch, backwards, the same picture."""
    dots = Dots(count=50, coherence=0.3, speed=7.0)
    draw = lambda frame: draw_dots(DISPLAY, dots, KEY, frame)
    movie = np.asarray(jax.jit(jax.vmap(draw))(jnp.arange(30, dtype=jnp.int32)))
    backwards = np.asarray(jax.jit(jax.vmap(draw))(jnp.arange(29, -1, -1, dtype=jnp.int32)))[::-1]
    assert np.allclose(movie, backwards, atol=1e-6)
    assert np.abs(movie[1:] - movie[:-1]).max() > 0.5
    # a key and its chance are the same; another key is another movie
    alone = jax.jit(lambda chance, frame: draw_dots(DISPLAY, dots, chance, frame))
    assert np.allclose(alone(Chance.of(KEY), 3), movie[3], atol=1e-6)
    assert not np.allclose(alone(Chance.of(jax.random.key(6)), 3), movie[3], atol=1e-2)


def test_dots_give_their_light():
    """A dot's light is its area, wherever it lies between pixels; mean luminance follows from their number."""
    dots = Dots(count=5, coherence=1.0, speed=3.0, aperture=6.0, size=0.3, life=160.0)
    wide = DISPLAY.replace(background=0.0)
    at = placed(dots, 40)
    movie = jax.jit(jax.vmap(lambda frame: draw_dots(wide, dots, KEY, frame)))(jnp.arange(40, dtype=jnp.int32))
    light = np.asarray(movie).sum((1, 2)) * wide.pixel**2
    near_edge = (np.abs(np.hypot(at.x, at.y) - 3.0) < 0.25).any(1)
    pairs = np.hypot(at.x[:, :, None] - at.x[:, None], at.y[:, :, None] - at.y[:, None]) + 9 * np.eye(5)
    apart = pairs.min((1, 2)) > 0.6
    alone = ~near_edge & apart
    assert alone.sum() > 3
    assert np.allclose(light[alone], at.seen[alone].sum(1) * 0.09, rtol=1e-3)
    assert np.isclose(np.asarray(wide.paint(movie, 0.8)).mean(), 0.8 * np.asarray(movie).mean(), rtol=1e-4)


def test_motion_is_seen_in_pictures():
    """The peak of the cross-correlation of frames lies at the displacement."""
    display = Display(width=64, height=64, width_cm=10.0, background=0.0)
    dots = Dots(count=60, coherence=1.0, direction=270.0, life=1e4, speed=4 * display.pixel / 0.016, size=0.3)
    one, two = np.asarray(jax.jit(jax.vmap(lambda frame: draw_dots(display, dots, KEY, frame)))(jnp.arange(4, 6)))
    correlation = np.fft.ifft2(np.fft.fft2(two) * np.conj(np.fft.fft2(one))).real
    assert np.unravel_index(np.argmax(correlation), (64, 64)) == (4, 0)  # four rows down


def test_density_sets_the_count():
    assert Dots.of_density(2.0, aperture=5.0).count == 50
    assert Dots.of_density(2.0, aperture=5.0, interleave=3).count == 150


def test_bad_dots_are_refused():
    with pytest.raises(InvalidArgument, match="noise must be 'direction' or 'position', got 'walk'"):
        place_dots(Dots(noise="walk"), KEY, 0)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="interleave must be 1 or more, got 0"):
        place_dots(Dots(interleave=0), KEY, 0)


# ---------------------------------------------------------------------- derivatives

SMALL = Display(width=40, height=40, width_cm=8.0, background=0.5)
_DOTS = Dots(count=30, coherence=0.6, direction=20.0, speed=6.0, aperture=5.0, size=0.5)
PICTURES = {
    "bar": (
        lambda v: bar(SMALL, length=v["length"], width=v["width"], orientation=v["angle"], x=v["x"], y=v["y"]),
        {"length": 3.0, "width": 0.9, "angle": 25.0, "x": 0.3, "y": -0.2},
    ),
    "line": (
        lambda v: line(SMALL, start=(v["x"], 0.5), end=(2.0, v["y"]), width=0.7),
        {"x": -1.0, "y": -1.5},
    ),
    "disc": (lambda v: disc(SMALL, diameter=v["size"], x=v["x"]), {"size": 2.1, "x": 0.4}),
    "gabor": (
        lambda v: gabor(SMALL, contrast=v["contrast"], frequency=v["f"], sigma=v["s"], orientation=v["a"],
                        phase=v["p"], x=v["x"]),
        {"contrast": 0.5, "f": 0.7, "s": 0.8, "a": 50.0, "p": 0.1, "x": 0.2},
    ),
    "grating": (
        lambda v: grating(SMALL, contrast=v["contrast"], frequency=v["f"], diameter=v["d"], fringe=v["fringe"]),
        {"contrast": 0.5, "f": 0.6, "d": 5.0, "fringe": 0.6},
    ),
    "dots": (
        lambda v: draw_dots(
            SMALL, _DOTS.replace(direction=v["a"], speed=v["speed"], size=v["size"], x=v["x"]), KEY, 12
        ),
        {"a": 20.0, "speed": 6.0, "size": 0.5, "x": 0.1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_derivatives_are_finite_differences(name):
    """Edges are a pixel wide with corners, so slopes are compared over an interval: their mean is the difference."""
    draw, at = PICTURES[name]
    x, y = SMALL.grid()
    smooth = jnp.sin(3.0 * x + 1.5 * y + 0.3) + jnp.cos(2.2 * y - 1.7 * x) + 0.3 * x * y + x  # no symmetry
    names = list(at)
    measure = lambda v: jnp.sum(draw(dict(zip(names, v, strict=True))) * smooth)
    both = jax.jit(jax.vmap(jax.value_and_grad(measure)))
    middle = np.array([at[k] for k in names], np.float32)
    wide = np.array([1.0 if k in ("angle", "a") else 0.04 for k in names], np.float32)
    share = np.linspace(-1, 1, 41, dtype=np.float32)
    points = middle + share[:, None, None] * np.diag(wide)  # [points, which one changes, values]
    values, slopes = (np.asarray(v) for v in both(points.reshape(-1, len(names))))
    values, slopes = values.reshape(41, -1), slopes.reshape(41, len(names), len(names))
    for k, key in enumerate(names):
        difference = (values[-1, k] - values[0, k]) / (2 * wide[k])
        slope = np.trapezoid(slopes[:, k, k], share) / 2
        assert np.isclose(slope, difference, rtol=0.03, atol=3e-3), (key, slope, difference)
        assert abs(difference) > 0.01, key  # something to compare
