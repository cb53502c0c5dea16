"""Duration laws against their exact distributions, flooring to whole steps, and the clock of a trial."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurojax as nj
from helpers import draw_trials
from neurojax.core.chance import Chance, key_words
from neurojax.core.timing import as_law, as_table, step_probabilities, whole_steps

KEY = jax.random.key(5)
COUNT = 20000
EVERY_UNIFORM = (np.arange(2**23) / 2**23).astype(np.float32)  # all that `Chance.uniform` can give

# A law as users write it, its exact distribution, and one that is slightly wrong.
LAWS = {
    "uniform": (("uniform", (800, 1500)), stats.uniform(800, 700), stats.uniform(800, 725)),
    "truncated_exponential": (
        ("truncated_exponential", (600, 400, 800)),
        stats.truncexpon(b=400 / 600, loc=400, scale=600),
        stats.truncexpon(b=400 / 750, loc=400, scale=750),
    ),
    "exponential": (
        ("truncated_exponential", (300, 100, float("inf"))),
        stats.expon(loc=100, scale=300),
        stats.expon(loc=100, scale=315),
    ),
}


@pytest.fixture(scope="module")
def uniforms():
    draw = jax.jit(jax.vmap(lambda lane: Chance(key_words(KEY), lane).at("delay").uniform()))
    return draw(jnp.arange(COUNT, dtype=jnp.uint32))


def law_of(spec):
    return as_law(spec, "timing")


def test_durations_are_floored_with_a_slack():
    steps = np.arange(2000)
    for dt in (33.3, 0.1, 1 / 3, 16.7, 80):
        exact = np.float32(steps) * np.float32(dt)
        np.testing.assert_array_equal(whole_steps(exact, dt), steps)
        np.testing.assert_array_equal(whole_steps(jnp.asarray(exact), dt), steps)
        np.testing.assert_array_equal(whole_steps(np.float32(exact[1:] - 0.01 * dt), dt), steps[:-1])
    # What the slack is for: floor alone loses a step.
    assert np.floor(np.float32(31) * np.float32(33.3) / np.float32(33.3)) == 30


@pytest.mark.parametrize("name", LAWS)
def test_continuous_laws_have_their_distributions(name, uniforms):
    spec, exact, wrong = LAWS[name]
    durations = np.asarray(jax.jit(law_of(spec).quantile)(uniforms), np.float64)
    assert stats.kstest(durations, exact.cdf).pvalue > 1e-3
    assert stats.kstest(durations, wrong.cdf).pvalue < 1e-4


def test_a_choice_takes_each_duration_as_often(uniforms):
    durations = np.asarray(jax.jit(jax.vmap(law_of([530, 610, 690]).quantile))(uniforms))
    counts = np.array([np.sum(durations == d) for d in (530, 610, 690)])
    assert counts.sum() == COUNT
    assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.chisquare(counts, COUNT * np.array([0.35, 0.325, 0.325])).pvalue < 1e-4


def test_fixed_and_until_are_not_random():
    assert float(law_of(250).quantile(0.7)) == 250
    assert float(law_of(("constant", 250)).quantile(0.1)) == 250
    task = nj.make(
        "DelayMatchSample-v0",
        timing={"sample": ("uniform", (200, 800)), "delay": ("until", 2000)},
    )
    trials = draw_trials(task, KEY, 64)
    assert len(set(trials.end["sample"].tolist())) > 3
    assert set(trials.end["delay"].tolist()) == {20}  # 2,000 ms from the trial's start, whatever came before
    assert task.capacity == 20 + 5 + 9


@pytest.mark.parametrize("name", ["uniform", "truncated_exponential"])
def test_step_probabilities_are_the_distribution_function_at_whole_steps(name):
    spec, exact, _ = LAWS[name]
    for dt in (80, 33.3):
        for steps, p in step_probabilities(law_of(spec), dt).items():
            # Durations that fall up to a thousandth of a step short are counted as reaching it.
            expected = exact.cdf((steps + 1) * dt) - exact.cdf(steps * dt)
            assert p == pytest.approx(expected, abs=2e-3 * dt / 400)


def chi_square(lengths, probabilities):
    """The p-value of the steps seen under the steps' probabilities; 0 where an impossible one occurred."""
    seen = np.bincount(lengths, minlength=max(probabilities) + 1)
    expected = np.array([probabilities.get(n, 0.0) for n in range(len(seen))]) * len(lengths)
    if np.any(seen[expected == 0]):
        return 0.0
    rare = (expected > 0) & (expected < 10)
    keep = expected >= 10
    seen, expected = np.append(seen[keep], seen[rare].sum()), np.append(expected[keep], expected[rare].sum())
    seen, expected = (seen, expected) if expected[-1] > 0 else (seen[:-1], expected[:-1])
    return stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue


def test_the_periods_of_trials_follow_their_laws():
    task = nj.make(
        "DelayMatchSample-v0",
        dt=50,
        timing={
            "fixation": ("uniform", (300, 620)),
            "sample": [200, 500, 530],
            "delay": ("truncated_exponential", (600, 400, 1800)),
        },
    )
    trials = draw_trials(task, KEY, COUNT)
    length = {name: trials.end[name] - trials.start[name] for name in task.period_names}
    # Worked by hand: 50 ms steps cut 300 .. 620 into 6 to 11 steps of 50 ms and a last of 20.
    fixation = dict.fromkeys(range(6, 12), 50 / 320) | {12: 20 / 320}
    assert chi_square(length["fixation"], fixation) > 1e-3
    assert chi_square(length["fixation"], dict.fromkeys(range(6, 13), 1 / 7)) < 1e-6
    assert chi_square(length["sample"], {4: 1 / 3, 10: 2 / 3}) > 1e-3
    edges = stats.truncexpon(b=1400 / 600, loc=400, scale=600).cdf(np.arange(8, 38) * 50)
    delay = {n: p for n, p in zip(range(8, 37), np.diff(edges), strict=True) if p > 0}
    assert chi_square(length["delay"], delay) > 1e-3
    wrong = stats.truncexpon(b=1400 / 700, loc=400, scale=700).cdf(np.arange(8, 38) * 50)
    assert chi_square(length["delay"], dict(zip(range(8, 37), np.diff(wrong), strict=True))) < 1e-4
    # Periods draw for themselves: their lengths are independent.
    assert abs(np.corrcoef(length["fixation"], length["delay"])[0, 1]) < 4 / np.sqrt(COUNT)
    assert not np.any(trials.overflow)
    assert trials.length.max() <= task.capacity


@pytest.mark.parametrize(
    ("spec", "dt"),
    [
        (("uniform", (800, 1500)), 80.0),
        (("truncated_exponential", (600, 400, 800)), 50.0),
        ([100, 200, 300, 530], 33.3),
        (250, 100.0),
    ],
)
def test_tables_keep_the_duration_of_every_uniform_number(spec, dt):
    law = law_of(spec)
    table = jax.tree.map(jnp.asarray, as_table(law, dt, int(whole_steps(law.upper(), dt)) + 3))

    @jax.jit
    def both(u):
        ms = jax.vmap(lambda u: law.quantile(u) + jnp.zeros_like(u))(u)
        return ms, whole_steps(ms, dt), whole_steps(jax.vmap(table.quantile)(u), dt)

    ms, plain, tabled = (np.asarray(x) for x in both(EVERY_UNIFORM))
    # A number that falls on the boundary between two durations, to float32, may be told either way.
    boundary = np.abs(ms / dt - np.round(ms / dt)) < 2e-3
    np.testing.assert_array_equal(plain[~boundary], tabled[~boundary])
    assert np.abs(plain - tabled).max() <= 1
    assert np.mean(plain != tabled) < 1e-5


def test_a_law_without_an_upper_end_is_cut_at_the_capacity_and_says_so():
    task = nj.make(
        "PerceptualDecisionMaking-v0",
        timing={"stimulus": ("truncated_exponential", (1000, 100, float("inf")))},
        capacity=20,
    )
    trials = draw_trials(task, KEY, COUNT)
    assert trials.length.max() == 20
    # 20 steps of 100 ms less fixation and decision leave 18 for the stimulus: longer ones are cut.
    expected = stats.expon(loc=100, scale=1000).sf(1900)
    assert stats.binomtest(int(trials.overflow.sum()), COUNT, expected).pvalue > 1e-3
    assert stats.binomtest(int(trials.overflow.sum()), COUNT, expected * 1.1).pvalue < 1e-4


def test_the_clock_of_a_trial():
    task = nj.make("DelayMatchSample-v0", timing={"delay": 0})
    trial = jax.tree.map(lambda x: x[0], draw_trials(task, KEY, 1))
    spans = {name: (int(trial.start[name]), int(trial.end[name])) for name in task.period_names}
    assert spans == {"fixation": (0, 3), "sample": (3, 8), "delay": (8, 8), "test": (8, 13), "decision": (13, 22)}
    assert [bool(trial.during("sample", t)) for t in (2, 3, 7, 8)] == [False, True, True, False]
    assert not any(trial.during("delay", t) for t in range(22))
    assert [bool(trial.last(t)) for t in (20, 21)] == [False, True]
