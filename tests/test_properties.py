"""Properties that hold for any valid timing and any valid parameters."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neurojax as nj
from neurojax.core.chance import Chance, key_words
from neurojax.core.lanes import lane_numbers
from neurojax.core.session import begin, start_memory
from neurojax.core.timing import as_law, as_table, period_steps, step_probabilities, whole_steps
from neurojax.data.render import render_lanes

KEY = jax.random.key(14)
CALM = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

dts = st.sampled_from([1.0, 16.7, 20.0, 33.3, 100.0])
ms = st.integers(100, 1500)
pairs = st.tuples(ms, ms).map(sorted)
laws = st.one_of(
    ms,
    st.floats(100, 1500, width=32).map(float),
    st.just(0),
    st.lists(ms, min_size=1, max_size=4),
    pairs.map(lambda p: ("uniform", tuple(p))),
    st.tuples(st.integers(1, 2000), pairs).map(lambda t: ("truncated_exponential", (t[0], *t[1]))),
    ms.map(lambda x: ("constant", x)),
)


@given(laws)
@CALM
def test_a_law_is_read_back_from_its_specification(spec):
    law = as_law(spec, "timing")
    again = as_law(law.spec(), "timing")
    assert type(again) is type(law)
    for a, b in zip(jax.tree.leaves(law), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


@given(laws, dts)
@CALM
def test_durations_lie_within_the_ends_of_their_law(spec, dt):
    law = as_law(spec, "timing")
    uniforms = np.float32([0, 1e-7, 0.25, 0.5, 0.999, 1 - 2**-23])
    steps = [int(period_steps(law, u, 0, dt)) for u in uniforms]
    assert steps == sorted(steps) or isinstance(spec, list)
    assert max(steps) <= int(whole_steps(law.upper(), dt))
    probabilities = step_probabilities(law, dt)
    assert abs(sum(probabilities.values()) - 1) < 1e-6
    assert min(probabilities) <= min(steps)
    assert max(steps) <= max(probabilities)
    table = as_table(law, dt, max(probabilities) + 1)
    table.check("table")
    assert np.all(np.diff(table.edges) >= 0)


@given(st.fixed_dictionaries(dict.fromkeys(("fixation", "stimulus", "delay"), laws)), ms, dts)
@CALM
def test_the_periods_of_any_timing_are_in_order_and_have_room(timing, decision, dt):
    """Eagerly, lane by lane, so that a thousand timings need no thousand compilations."""
    task = nj.make("PerceptualDecisionMaking-v0", dt=dt, timing={**timing, "decision": decision})
    for lane in (0, 1):
        chance = Chance(key_words(KEY), jnp.uint32(lane))
        trial = task.trial(begin(task, start_memory(task, chance), chance, 0).drawn)
        elapsed = 0
        for name in task.period_names:
            start, end = int(trial.start[name]), int(trial.end[name])
            assert start == elapsed
            assert end >= start
            elapsed = end
        assert int(trial.length) == elapsed
        assert 1 <= elapsed <= task.capacity
        assert not bool(trial.overflow)


_FREE = nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": ("uniform", (100, 900)), "delay": 300}, capacity=30)


@jax.jit
def _render(task, words):
    return render_lanes(task, words, lane_numbers(8))


@given(
    st.floats(0, 1e4),
    st.lists(st.floats(0, 100), min_size=5, max_size=5),
    pairs,
    st.integers(0, 600).map(lambda n: 0 if n < 100 else n),
    st.integers(0, 2**31),
)
@CALM
def test_any_parameters_render_consistent_batches(sigma, coherences, stimulus, delay, seed):
    timing = {"stimulus": ("uniform", tuple(stimulus)), "delay": delay}
    task = _FREE.set(sigma=sigma, coherences=coherences, timing=timing)
    batch = jax.tree.map(np.asarray, _render(task, key_words(jax.random.key(seed))))
    t = np.arange(30)
    np.testing.assert_array_equal(batch.mask, t < batch.lengths[:, None])
    assert np.all(np.isfinite(batch.inputs))
    for values in (batch.inputs, batch.targets, batch.weights):
        assert not np.any(values[~batch.mask])
    assert np.all(batch.weights[batch.mask] == 1)
    assert np.all((batch.targets >= 0) & (batch.targets <= 2))
    assert np.all(batch.periods[:, 0, 0] == 0)
    np.testing.assert_array_equal(batch.periods[:, 1:, 0], batch.periods[:, :-1, 1])
    np.testing.assert_array_equal(batch.periods[:, -1, 1], batch.lengths)
    # The target asks for the answer in the decision period, and only there.
    decides = (t >= batch.periods[:, 3, :1]) & (t < batch.periods[:, 3, 1:])
    np.testing.assert_array_equal(batch.targets > 0, decides)


@given(
    st.floats(0, 50, width=32),
    st.lists(st.floats(0, 100, width=32), min_size=1, max_size=6),
    st.booleans(),
    st.integers(2, 6),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("fixation", "stimulus", "delay"), laws)),
    dts,
    st.floats(-5, 5, width=32),
)
@CALM
def test_settings_build_the_same_task_again(sigma, coherences, abort, ring, timing, dt, reward):
    task = nj.make(
        "PerceptualDecisionMaking-v0", dt=dt, sigma=sigma, coherences=coherences, abort=abort, dim_ring=ring,
        timing=timing, rewards={"correct": reward},
    )  # fmt: skip
    again = nj.make("PerceptualDecisionMaking-v0", **task.settings())
    assert jax.tree.structure(task) == jax.tree.structure(again)
    for a, b in zip(jax.tree.leaves(task), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert task.set(sigma=sigma).settings() == task.settings()
