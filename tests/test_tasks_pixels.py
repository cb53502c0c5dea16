"""Tasks whose observations are pictures, and spatial suppression: what they show, ask for and score."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurojax as nj
from helpers import draw_trials
from neurojax.errors import InvalidArgument
from neurojax.stimuli import place_dots
from neurojax.tasks.pixels import seeded

KEY = jax.random.key(3)
RDM, SEARCH, IMAGE, NATIVE = (
    "RandomDotMotion-v0", "VisualSearch-v0", "SpatialSuppressMotionImage-v0", "SpatialSuppressMotion-v0",
)  # fmt: skip


def shift(one, two, up_to=6):
    """The displacement (columns to the right, rows up) that best carries one picture into the next."""
    spectrum = np.fft.fft2(two - two.mean()) * np.conj(np.fft.fft2(one - one.mean()))
    n, m = one.shape
    near = np.abs(np.fft.fftfreq(n, 1 / n)) <= up_to
    beside = np.abs(np.fft.fftfreq(m, 1 / m)) <= up_to
    correlation = np.where(near[:, None] & beside[None], np.fft.ifft2(spectrum).real, -np.inf)
    row, column = np.unravel_index(np.argmax(correlation), correlation.shape)
    wrap = lambda k, count: int(k - count if k > count // 2 else k)
    return wrap(column, m), -wrap(row, n)


# ---------------------------------------------------------------------- random dots


@pytest.fixture(scope="module")
def dot_movies():
    """Full coherence, four directions, on a screen on which dots move four pixels a frame."""
    task = nj.make(RDM, dim_ring=4, height=48, width=48, speed=52.0, life=1000.0, timing={"stimulus": 160})
    batch = nj.render(task, KEY, 4, devices=1, ground_truth=np.arange(4), coherence=100.0, dots_seed=np.arange(4))
    return task, batch, np.asarray(task.channels.split(batch.inputs)["screen"])


def test_dots_move_where_the_label_says(dot_movies):
    """NeuroGym turns the direction into degrees twice, so that dots for pi move at 10313 = 233 degrees."""
    task, batch, screen = dot_movies
    start = int(batch.periods[0, 1, 0])
    found = [shift(screen[k, start + 2], screen[k, start + 3]) for k in range(4)]
    pixels = 52.0 * 0.016 * task.display.pixels_per_degree
    assert round(pixels) == 4
    assert found == [(4, 0), (0, 4), (-4, 0), (0, -4)]


def test_a_point_is_shown_until_the_decision(dot_movies):
    _, batch, screen = dot_movies
    decision = int(batch.periods[0, 2, 0])
    assert np.all(screen[:, :decision, 23:25, 23:25] > 0.5)
    assert np.all(screen[:, decision:] == 0)
    assert np.all(screen[:, 0] == screen[:1, 0])  # nothing else before the stimulus
    assert screen[:, decision - 1].sum() > 2 * screen[:, 0].sum()


def test_the_seed_is_the_movie(dot_movies):
    """Given conditions give the same pictures under another key, and so do the dots drawn alone."""
    task, batch, _ = dot_movies
    again = nj.render(
        task, jax.random.key(99), 4, devices=1, ground_truth=np.arange(4), coherence=100.0, dots_seed=np.arange(4)
    )
    assert np.array_equal(batch.inputs, again.inputs)
    other = nj.render(
        task, jax.random.key(99), 4, devices=1, ground_truth=np.arange(4), coherence=100.0, dots_seed=np.arange(1, 5)
    )
    assert np.abs(np.asarray(batch.inputs) - np.asarray(other.inputs)).max() > 0.5
    assert np.array_equal(seeded(np.int32(7)).words, jax.random.key_data(jax.random.key(7)))


def test_any_resolution():
    for height, width in ((17, 40), (128, 128)):
        task = nj.make(RDM, height=height, width=width, timing={"fixation": 16, "stimulus": 32, "decision": 16})
        assert task.channels.split(nj.render(task, KEY, 1, devices=1).inputs)["screen"].shape == (1, 4, height, width)


def test_dot_references():
    numbers = lambda **kwargs: nj.make(RDM, **kwargs).references()
    assert np.isclose(numbers()["ideal"], 0.9)  # nothing to see at coherence 0, and certainty elsewhere
    assert numbers(life=16.0)["ideal"] == numbers(speed=0.0)["ideal"] == numbers(luminance=0.0)["ideal"] == 0.5
    assert np.isclose(numbers(cohs=[100.0], dim_ring=4)["ideal"], 1.0)
    assert np.isclose(numbers(cohs=[0.0], dim_ring=4)["ideal"], 0.25)
    assert numbers(dim_ring=5)["blind"] == 0.2
    # hold for 6 steps of 6, or choose: right half of the time
    assert np.isclose(numbers()["random"], 0.5 * (1 - 3.0**-6))


def test_the_ideal_observer_of_dots_by_simulation():
    """How often a signal dot shows its motion in few frames, from the dots themselves."""
    task = nj.make(RDM, cohs=[4.0], n_dots=6, speed=60.0, life=80.0, timing={"stimulus": 128})
    frames = jnp.arange(8, dtype=jnp.int32)
    trial = {"ground_truth": jnp.int32(0), "coherence": jnp.float32(4.0)}

    @jax.jit
    @jax.vmap
    def told(seed):
        at = jax.vmap(lambda frame: place_dots(task.dots(trial), seeded(seed), frame))(frames)
        both = at.seen[1:] & at.seen[:-1] & at.signal[1:] & (at.life[1:] == at.life[:-1])
        return jnp.any(both)

    share = float(np.mean(told(jnp.arange(20000, dtype=jnp.int32))))
    ideal = task.references()["ideal"]
    assert np.isclose(ideal, 0.5 + 0.5 * share, atol=0.01)
    assert 0.6 < ideal < 0.8  # far from both ends


def test_dot_parameters_are_checked():
    with pytest.raises(InvalidArgument, match="coherences times stim_scale must not exceed 100 percent, got 102"):
        nj.make(RDM, stim_scale=2.0)
    with pytest.raises(InvalidArgument, match="noise_dots must be one of 'direction', 'position', got 'walk'"):
        nj.make(RDM, noise_dots="walk")
    with pytest.raises(InvalidArgument, match="life must be a finite number above 0"):
        nj.make(RDM, life=0)


# ---------------------------------------------------------------------- visual search


@pytest.fixture(scope="module")
def search():
    task = nj.make(SEARCH, dt=250, height=64, width=64)
    batch = nj.render(task, KEY, 64, devices=1)
    return task, batch, np.asarray(task.channels.split(batch.inputs)["screen"])


def test_one_line_looks_like_the_sample(search):
    """The quadrant of the right line is the picture of the sample; the others are not."""
    task, batch, screen = search
    sample, array = (int(batch.periods[0, p, 0]) for p in (1, 3))
    step = round(2.5 * task.display.pixels_per_degree)
    middle = screen[:, sample, 32 - 12 : 32 + 12, 32 - 12 : 32 + 12]
    gaps = []
    for x, y in np.asarray(task.target_centers):
        row, column = 32 - round(np.sign(y)) * step, 32 + round(np.sign(x)) * step
        cut = screen[:, array, row - 12 : row + 12, column - 12 : column + 12]
        gaps.append(np.abs(cut - middle).mean((1, 2, 3)))
    gaps = np.array(gaps).T
    right = np.asarray(batch.conditions["ground_truth"])
    assert np.array_equal(np.argmin(gaps, axis=1), right)
    # places are between pixels by 4%, which alone costs little
    others = np.where(np.arange(4) == right[:, None], np.inf, gaps).min(1)
    assert np.all(gaps[np.arange(64), right] < 0.5 * others)
    assert np.array_equal(batch.targets[:, array], np.asarray(task.target_centers)[right])
    assert np.all(np.asarray(batch.targets)[:, :array] == 0)


def test_colours_are_never_cut_off():
    """NeuroGym draws them in 0 .. 1 and cuts what is added, so that a distractor may look like the sample."""
    task = nj.make(SEARCH)
    conditions = draw_trials(task, KEY, 5000).conditions
    color = np.asarray(conditions["sample_color"])
    assert stats.kstest(color[:, 0], stats.uniform(0.1, 0.7).cdf).pvalue > 1e-3
    assert stats.kstest(color[:, 0], stats.uniform(0.0, 1.0).cdf).pvalue < 1e-6
    assert stats.chisquare(np.bincount(np.asarray(conditions["ground_truth"]), minlength=4)).pvalue > 1e-3
    angles, colors = (np.asarray(v) for v in jax.jit(jax.vmap(task.lines))(dict(conditions)))
    assert colors.min() >= 0 and colors.max() <= 1
    right = np.asarray(conditions["ground_truth"])[:, None] == np.arange(4)
    turned = np.degrees(np.asarray(conditions["sample_angle"]))[:, None] - angles
    tinted = colors - color[:, None]
    assert np.allclose(turned[right], 0, atol=1e-3) and np.allclose(tinted[right], 0, atol=1e-6)
    by_angle = np.abs(turned[~right]) > 1
    assert np.allclose(np.abs(turned[~right][by_angle]), 36, atol=1e-2)
    assert np.allclose(np.sort(tinted[~right][~by_angle], axis=1), [-0.1, -0.1, 0.2], atol=1e-6)
    assert np.all(np.ptp(tinted[~right][by_angle], axis=1) < 1e-6)
    assert abs(by_angle.mean() - 0.5) < 0.02


def test_looking(search):
    """Within `radius` of the right place is right, elsewhere is wrong, and within it of the middle is fixation."""
    task, _, _ = search
    trial = nj.render(task, KEY, 1, devices=1, ground_truth=0)
    assert trial.lengths[0] == 10
    for where, reward, performance in (
        ((2.5, 2.5), 1.0, 1.0),
        ((2.5, 2.1), 1.0, 1.0),
        ((2.5, 1.9), 0.0, 0.0),
        ((-2.5, 2.5), 0.0, 0.0),
        ((0.3, 0.3), 0.0, 0.0),
        ((0.4, 0.4), -0.2, 0.0),
    ):
        played = nj.play(task, KEY, 1, policy=np.asarray(where, np.float32), devices=1, ground_truth=0)
        early = -0.2 if where != (0.3, 0.3) else 0.0  # two steps of fixation that are not held
        total = early + (reward if reward > 0 else 0.0)
        assert np.isclose(float(played.result.reward[0]), total, atol=1e-6), where
        assert float(played.result.performance[0]) == performance, where


def test_search_references():
    numbers = nj.make(SEARCH).references()
    assert numbers["ideal"] == numbers["clairvoyant"] == 1 and numbers["blind"] == 0.25
    task = nj.make(SEARCH, radius=2.0, dt=250)
    played = np.asarray(nj.play(task, KEY, 4096, policy="random", devices=1).result.performance)
    expected = task.references()["random"]
    assert 0.1 < expected < 0.2
    assert abs(played.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 4096)
    assert "ideal" not in nj.make(SEARCH, timing={"sample": 0}).references()
    strict, free = (
        nj.make(SEARCH, radius=2.0, dt=250, strict_fixation=s).references()["random"] for s in (True, False)
    )
    assert strict < 1e-5 < free


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"target_centers": [[9.0, 0.0], [1.0, 1.0]]}, "target_centers must lie on the screen"),
        ({"target_centers": [[0.1, 0.0], [1.0, 1.0]]}, "more than radius=0.5 from the middle"),
        ({"target_centers": [[1.0, 1.0]]}, "two or more rows of x and y"),
        ({"delta_color": [0.1, 0.2]}, "delta_color must be 3 numbers"),
        ({"delta_color": [0.0, 0.0, 0.0]}, "not all 0"),
        ({"delta_color": [0.9, -0.9, 0.0]}, "no sample_color leaves room"),
        ({"delta_angle": float(np.pi)}, "not be a multiple of pi"),
    ],
)
def test_search_parameters_are_checked(keywords, message):
    with pytest.raises(InvalidArgument, match=message):
        nj.make(SEARCH, **keywords)


# ---------------------------------------------------------------------- spatial suppression


@pytest.mark.parametrize("contrast", [0.05, 0.99])
def test_targets_are_probabilities(contrast):
    """NeuroGym's fall to -.015."""
    task = nj.make(NATIVE)
    batch = nj.render(task, KEY, 4, devices=1, direction=np.arange(1, 5), contrast=contrast)
    targets = np.asarray(batch.targets)
    assert targets.min() >= 0 and np.allclose(targets.sum(-1), 1, atol=1e-6)
    assert np.allclose(targets[:, 0], 0.25, atol=2e-3)
    assert np.array_equal(targets[:, -1].argmax(-1), np.arange(4))
    if contrast > 0.5:  # strong motion is first seen in the opposite direction
        assert np.array_equal(targets[:, 14].argmax(-1), [1, 0, 3, 2])
        assert np.allclose(targets[0, 35], [0.99 / 1.03, 0.04 / 1.03, 0, 0], atol=1e-6)


def test_the_clock_of_the_target_runs_in_ms():
    fine, coarse = nj.make(NATIVE).answers(), nj.make(NATIVE, dt=16.6).answers()
    assert np.allclose(coarse[:, :19], fine[:, ::2], atol=1e-6)


def test_pools_of_neurons():
    task = nj.make(NATIVE)
    batch = nj.render(task, KEY, 2, devices=1, direction=1, contrast=np.asarray([0.05, 0.99]))
    weak, strong = np.asarray(batch.inputs)[:, 5].reshape(2, 4, 8)
    assert np.allclose(weak[:, 0], [0.05, 0, 0.025, 0.025]) and np.all(weak[:, 1:] == 0)
    assert np.allclose(strong, 0.99 * np.array([1, 0, 0.5, 0.5])[:, None])


def test_suppression_scores():
    """The reference numbers are what policies earn; no policy earns NeuroGym's 0."""
    task = nj.make(NATIVE, timing={"stimulus": [100, 300]})
    expected = nj.reference_numbers(task)
    best = nj.play(task, KEY, 512, policy="oracle", devices=1).result
    assert np.allclose(best.performance, 1, atol=1e-4) and np.allclose(best.reward, 1, atol=1e-4)
    assert np.all(np.asarray(best.outcome) == nj.Outcome.CORRECT)
    even = np.asarray(
        nj.play(task, KEY, 512, policy=np.full(4, 0.25, np.float32), devices=1).result.performance, np.float64
    )
    assert abs(even.mean() - expected.blind) < 4 * even.std() / np.sqrt(512)
    chance = np.asarray(nj.play(task, KEY, 2048, policy="random", devices=1).result.performance, np.float64)
    assert abs(chance.mean() - expected.random) < 4 * chance.std() / np.sqrt(2048) + 1e-3
    assert expected.random < expected.blind < expected.ideal - 0.1
    # doubling all components says the same; nothing at all says nothing
    double = nj.play(task, KEY, 512, policy=np.full(4, 0.5, np.float32), devices=1).result.performance
    assert np.allclose(double, even, atol=1e-5)
    assert np.all(np.asarray(nj.play(task, KEY, 8, policy=np.zeros(4, np.float32), devices=1).result.performance) == 0)


@pytest.fixture(scope="module")
def plaids():
    task = nj.make(IMAGE, speed=40.0, frequency=0.5)  # so that it moves by pixels: sqrt(2) x 40 x .0083 = .47 degrees
    batch = nj.render(task, KEY, 4, devices=1, direction=np.arange(1, 5), contrast=0.99)
    return task, np.asarray(task.channels.split(batch.inputs)["screen"], np.float64)


def test_plaids_move_where_the_label_says(plaids):
    task, screen = plaids
    pixels = round(np.sqrt(2) * 40 * 0.0083 * task.display.pixels_per_degree)
    assert pixels == 2
    found = [shift(movie[15], movie[16], up_to=3) for movie in screen]
    assert found == [(-2, 0), (2, 0), (0, 2), (0, -2)]


def test_plaids_in_time_and_space(plaids):
    task, screen = plaids
    assert np.allclose(screen.mean((2, 3)), 0.5, atol=3e-3)
    contrast = np.abs(screen - 0.5).max((2, 3)) * 2
    assert contrast[:, 0].max() < 0.02 and contrast[:, -1].max() < 0.02  # rises and falls
    assert np.all(contrast[:, 8:28] > 0.8) and contrast.max() <= 0.991
    x, y = (np.asarray(v) for v in task.display.grid())
    assert np.all(np.abs(screen[:, :, np.hypot(x, y) > 4.2] - 0.5) < 1e-6)
    # in the middle two waves at right angles, of the frequency that was asked for
    middle = screen[0, 15, 20:44, 20:44] - 0.5
    power = np.abs(np.fft.fft2(middle * np.hanning(24)[:, None] * np.hanning(24), (240, 240))) ** 2
    row, column = np.unravel_index(np.argmax(power), power.shape)
    cycles = np.abs(np.array([np.fft.fftfreq(240, task.display.pixel)[k] for k in (row, column)]))
    assert np.allclose(cycles, 0.5 / np.sqrt(2), atol=0.02)


def test_the_ideal_observer_of_plaids():
    ideal = nj.make(IMAGE).references()["ideal"]
    assert 0.999 < ideal < 1  # the first frame shows no direction
    still = nj.make(IMAGE, speed=0.0).references()
    assert np.isclose(still["ideal"], still["blind"])
