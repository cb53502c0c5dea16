"""The promises about randomness and about views: bitwise over batches, pieces and devices; views agree."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from conftest import CORE
from helpers import TOLERANCE, Blocks, assert_agree, assert_same_bits, forward, in_fresh_python
from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.session import advance, begin, observation, start_memory, target
from neurojax.core.timing import as_law
from neurojax.data.render import frame_of
from neurojax.modifiers.base import Modifier

KEY = jax.random.key(3)


# An open loop, a closed loop, a memory: the three ways in which views are computed.
TASKS = {
    "open": lambda: nj.make("PerceptualDecisionMaking-v0"),
    "closed": lambda: nj.make("Reaching1D-v0"),
    "memory": Blocks.create,
}


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return TASKS[request.param]()


def rows(tree, count):
    return jax.tree.map(lambda x: x[:count], tree)


def counting(carry, obs, first, key):
    """A policy with a memory and chance of its own: acts at random, more often the longer the trial lasts."""
    carry = jnp.where(first, 0, carry + 1)
    bits = jax.random.bits(key)
    return carry, jnp.where((bits % 20) < carry, 1 + (bits >> 16) % 2, 0).astype(jnp.int32)


# ---------------------------------------------------------------------- batches and pieces


def test_rendered_trials_are_the_same_in_any_batch(task):
    large = nj.render(task, KEY, 33, policy="random", devices=1)
    assert_same_bits(nj.render(task, KEY, 1, policy="random", devices=1), rows(large, 1))


def test_streams_are_the_same_in_any_batch_and_in_pieces(task):
    whole = nj.stream(task, KEY, 9, 60, devices=1)
    alone = nj.stream(task, KEY, 1, 60, devices=1)
    assert_same_bits(rows(whole.replace(state=None), 1), alone.replace(state=None))
    pieces, state = [], None
    for n in (20, 20, 20):
        piece = nj.stream(task, KEY, 9, n, state=state, devices=1)
        state = piece.state
        pieces.append(piece.replace(state=None))
    joined = jax.tree.map(lambda *x: jnp.concatenate(x, axis=1), *pieces)
    assert_same_bits(whole.replace(state=None), joined)


def test_rollouts_are_the_same_in_any_batch_and_in_pieces(task):
    go = lambda count, n, **more: nj.rollout(
        task, KEY, count, n, policy=counting, carry=jnp.int32(0), devices=1, **more
    )
    whole = go(9, 60)
    assert_same_bits(rows(whole.trajectory, 1), go(1, 60).trajectory)
    pieces, state = [], None
    for n in (20, 20, 20):
        run = go(9, n, state=state)
        state = run.state
        pieces.append(run.trajectory)
    assert_same_bits(whole.trajectory, jax.tree.map(lambda *x: jnp.concatenate(x, axis=1), *pieces))
    assert_same_bits(whole.state, state)


def test_a_trial_alone_has_the_same_bits():
    # XLA divides by a number that all lanes share in another way where there is one lane only.
    task = nj.make("Reaching1D-v0")
    some, one = (nj.play(task, KEY, count, policy="oracle", devices=1) for count in (8, 1))
    assert_same_bits(rows(some, 1), one)


def test_metrics_are_the_sums_of_the_trajectory():
    task = nj.make("PerceptualDecisionMaking-v0", abort=True)
    metrics = nj.rollout(task, KEY, 16, 60, output="metrics", devices=1).metrics
    trajectory = nj.rollout(task, KEY, 16, 60, devices=1).trajectory
    ended = np.asarray(trajectory.new_trial)
    outcomes = np.bincount(np.asarray(trajectory.results.outcome)[ended], minlength=len(nj.Outcome))
    np.testing.assert_array_equal(metrics.outcomes, outcomes)
    assert metrics.trials == ended.sum()
    assert int(metrics.steps) == ended.size
    np.testing.assert_allclose(metrics.reward, np.sum(trajectory.rewards), rtol=1e-4, atol=1e-3)
    total = np.sum(np.asarray(trajectory.results.performance)[ended])
    np.testing.assert_allclose(metrics.performance, total, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(metrics.observed, np.sum(trajectory.observations), rtol=1e-4, atol=1e-2)


def test_a_given_condition_consumes_the_same_draws():
    task = nj.make("DelayMatchSample-v0", timing={"delay": ("uniform", (500, 1000))})
    free = nj.render(task, KEY, 32, devices=1)
    same = nj.render(task, KEY, 32, devices=1, ground_truth=free.conditions["ground_truth"])
    assert_same_bits(free, same)
    other = nj.render(task, KEY, 32, devices=1, ground_truth=1)
    assert set(np.asarray(other.conditions["ground_truth"]).tolist()) == {1}
    np.testing.assert_array_equal(free.conditions["sample_theta"], other.conditions["sample_theta"])
    np.testing.assert_array_equal(free.periods, other.periods)


# ---------------------------------------------------------------------- devices

_ON_DEVICES = """
import helpers, jax, neurojax as nj, neurojax.errors
assert jax.device_count() == 8
key = jax.random.key(3)
views = {
    "render": lambda task, n: nj.render(task, key, 16, policy="random", devices=n),
    "stream": lambda task, n: nj.stream(task, key, 16, 50, devices=n),
    "rollout": lambda task, n: nj.rollout(task, key, 16, 50, devices=n),
}
plain = nj.make("PerceptualDecisionMaking-v0")
for task, name, counts in (
    (plain, "render", (1, 2, 8)),
    (plain, "stream", (1, 8)),
    (plain, "rollout", (1, 8)),
    (nj.make("Reaching1D-v0"), "render", (1, 8)),
    (nj.make("Reaching1D-v0"), "rollout", (1, 8)),
    (helpers.Blocks.create(), "stream", (1, 8)),
):
    one = views[name](task, 1)
    for n in counts[1:]:
        helpers.assert_same_bits(one, views[name](task, n))
    print("done")

# By default a batch is shared where it is worth it; time-major batches too.
auto = nj.render(plain, key, 2048, time_major=True)
assert len(auto.inputs.sharding.device_set) == 8, auto.inputs.sharding
helpers.assert_same_bits(auto, nj.render(plain, key, 2048, time_major=True, devices=1))
metrics = [nj.rollout(plain, key, 16, 50, output="metrics", devices=n).metrics for n in (1, 8)]
assert metrics[0].outcomes.tolist() == metrics[1].outcomes.tolist()
for bad in (16, 3):
    try:
        nj.render(plain, key, 16, devices=bad)
    except nj.errors.InvalidArgument as error:
        print("refused", error)
print("done")
"""


def test_everything_is_the_same_on_one_and_on_eight_devices():
    here = str(Path(__file__).parent)
    flags = "--xla_force_host_platform_device_count=8"
    out = in_fresh_python(_ON_DEVICES, XLA_FLAGS=flags, PYTHONPATH=here)
    assert out.count("done") == 7
    assert "refused devices=16 but JAX has 8" in out
    assert "refused batch_size=16 does not divide over devices=3" in out


# ---------------------------------------------------------------------- views


def test_rendered_streamed_and_stepped_trials_agree(views):
    batch, stream = views["batch"], views["stream"]
    run = views["oracle"].trajectory
    lengths = np.asarray(batch.lengths)
    for lane in range(16):
        n = int(lengths[lane])  # the stream runs a trial to its scheduled end, stepping to the answer
        m = min(n, int(np.argmax(run.new_trial[lane])) + 1)
        for seen, targets, k in ((stream.inputs, stream.targets, n), (run.observations, run.targets, m)):
            np.testing.assert_allclose(seen[lane, :k], batch.inputs[lane, :k], rtol=TOLERANCE, atol=TOLERANCE)
            np.testing.assert_allclose(targets[lane, :k], batch.targets[lane, :k], rtol=TOLERANCE, atol=TOLERANCE)
        np.testing.assert_array_equal(stream.weights[lane, :n], batch.weights[lane, :n])
    for name, value in batch.conditions.items():
        np.testing.assert_array_equal(value, stream.conditions[name][:, 0])
        np.testing.assert_array_equal(value, run.conditions[name][:, 0])


def test_streams_lay_trials_back_to_back(views):
    stream, batch = views["stream"], views["batch"]
    first = np.asarray(stream.first)
    assert first[:, 0].all()
    second = np.array([np.flatnonzero(lane)[1] for lane in first])
    np.testing.assert_array_equal(second, batch.lengths)


@pytest.mark.parametrize("task", ["open", "closed"], indirect=True)
def test_time_major_is_the_same_batch_turned(task):
    batch = nj.render(task, KEY, 8, policy="random", devices=1)
    turned = nj.render(task, KEY, 8, policy="random", time_major=True, devices=1)
    for name in ("inputs", "targets", "weights", "mask"):
        np.testing.assert_array_equal(getattr(batch, name), jnp.swapaxes(getattr(turned, name), 0, 1))
    np.testing.assert_array_equal(batch.periods, turned.periods)
    assert turned.inputs.shape == (task.capacity, 8, task.channels.size)


@pytest.mark.parametrize("task", ["closed", "memory"], indirect=True)
def test_eager_and_compiled_code_agree(task):
    chance = Chance(key_words(KEY), jnp.uint32(2))
    solid = jax.tree.map(jnp.asarray, task)

    def steps(task):
        session = begin(task, start_memory(task, chance), chance, 0)
        frames = []
        for n in range(2):
            frames.append((observation(task, session, chance, n), target(task, session)))
            session, transition = forward(task, session, n % 3, chance, n)
            frames.append(transition)
        return frames

    with jax.disable_jit():
        eager = steps(solid)
    assert_agree(eager, jax.jit(steps)(solid))


def test_the_frame_is_what_the_session_shows(task):
    """Rendering asks for frames of a trial, stepping for observations of a session: one rule serves both."""
    chance = Chance(key_words(KEY), jnp.uint32(0))

    @jax.jit
    def look(task):
        session = begin(task, start_memory(task, chance), chance, 0)
        held = task.resolve(session.memory)
        draw = Draw(chance, "noise", 0)
        shown = frame_of(held, held.trial(session.drawn), session.state, session.t, draw)[0]
        _, transition = advance(task, session, 0, chance, 0)
        return shown, observation(task, session, chance, 0), transition.new_trial

    shown, seen, ended = look(task)
    np.testing.assert_array_equal(shown, seen)
    assert not ended


# ---------------------------------------------------------------------- modifiers


class Distraction(Modifier):
    """Shows more noise, drawn under a path of its own."""

    spread: object = nj.quantity(1.0, low=0)

    def conditions(self, draw, memory):
        conditions = self.inner.conditions(draw, memory)
        return {**conditions, "distracted": draw.under("distraction").flip("coherence")}

    def noise(self, trial, state, t, draw):
        inner = self.inner.noise(trial, state, t, draw)
        extra = self.spread * draw.under("distraction").normal("stimulus", (2,))
        return {**inner, "stimulus": inner["stimulus"] + extra}


def test_a_modifier_does_not_change_the_draws_inside_it():
    plain = nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": ("uniform", (300, 900))})
    inside = nj.render(plain, KEY, 64, devices=1)
    outside = nj.render(Distraction.around(plain, spread=0.0), KEY, 64, devices=1)
    for name, value in inside.conditions.items():
        np.testing.assert_array_equal(value, outside.conditions[name])
    np.testing.assert_array_equal(inside.periods, outside.periods)
    np.testing.assert_allclose(inside.inputs, outside.inputs, rtol=TOLERANCE, atol=TOLERANCE)
    loud = nj.render(Distraction.around(plain), KEY, 64, devices=1)
    extra = np.asarray(loud.inputs - inside.inputs)[np.asarray(loud.mask)][:, 1:]
    assert np.std(extra) == pytest.approx(1.0, abs=0.1)
    # Of the same name under another path: its draws are others than those inside.
    distracted = np.asarray(loud.conditions["distracted"])
    assert 0.25 < distracted.mean() < 0.75
    noise = np.asarray(inside.inputs - nj.render(plain.set(sigma=0), KEY, 64, devices=1).inputs)
    noise = noise[np.asarray(inside.mask)][:, 1:]
    on = noise != 0
    assert abs(np.corrcoef(noise[on], extra[on])[0, 1]) < 4 / np.sqrt(on.sum())


def test_a_reaction_time_version_shows_the_same_trials():
    plain = nj.make("PerceptualDecisionMaking-v0")
    inside = nj.render(plain, KEY, 16, devices=1)
    outside = nj.render(nj.reaction_time(plain), KEY, 16, devices=1)
    assert_same_bits(inside.conditions, outside.conditions)
    shared = outside.inputs.shape[1]
    np.testing.assert_allclose(inside.inputs[:, :shared], outside.inputs, rtol=TOLERANCE, atol=TOLERANCE)


# ---------------------------------------------------------------------- compilation, dtypes, derivatives


class Other(Blocks):
    """Another task with the same fields."""

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 2 - trial["side"], 0)


def test_different_code_never_shares_what_was_compiled():
    # JAX compares the structures of dataclasses by their static fields, so that classes with like fields are equal
    # to it: jit then ran the one's code for the other, now and then (as its hash table had it).
    assert jax.tree.structure(Blocks.create()) != jax.tree.structure(Other.create())
    assert jax.tree.structure(Blocks.create()) == jax.tree.structure(Blocks.create(sigma=3))
    laws = [5, [5], ("until", 5), ("uniform", (5, 6)), ("table", [5], [1]), ("truncated_exponential", (5, 5, 6))]
    kinds = [jax.tree.structure(as_law(law, "law")) for law in laws]
    assert [kinds.index(kind) for kind in kinds] == list(range(len(laws)))


def test_parameter_values_share_one_trace():
    traces = []

    @jax.jit
    def render(task, key):
        traces.append(task)
        return nj.render(task, key, 4, devices=1).inputs

    task = nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 500})
    outs = [
        render(t, KEY)
        for t in (
            task,
            task.set(sigma=0.5),
            task.set(coherences=[1, 2, 3, 4, 5]),
            nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 500}, sigma=3),
            task.set(timing={"stimulus": 400, "delay": 100}),
            task.set(rewards={"correct": 2}, abort=True),
        )
    ]
    assert len(traces) == 1
    assert not np.array_equal(outs[0], outs[1])
    # The views themselves do not compile again for other values, either.
    from neurojax.data.render import _render

    before = _render._cache_size()
    for sigma in (0.1, 1, 2):
        nj.render(task.set(sigma=sigma), jax.random.key(int(10 * sigma)), 4, devices=1)
    assert _render._cache_size() <= before + 1


def test_parameters_vmap_and_differentiate():
    task = nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 500})
    inputs = lambda sigma: nj.render(task.set(sigma=sigma), KEY, 8, devices=1).inputs
    sigmas = jnp.asarray([0.0, 1.0, 2.0])
    all_ = jax.jit(jax.vmap(inputs))(sigmas)
    clean, noise = np.asarray(all_[0]), np.asarray(all_[1] - all_[0])
    np.testing.assert_allclose(all_[2], clean + 2 * noise, rtol=1e-5, atol=1e-5)
    assert np.any(noise)
    # inputs = signal + sigma * noise, so their derivative by sigma is the noise.
    slope = jax.jit(jax.jacfwd(inputs))(jnp.float32(1.0))
    np.testing.assert_allclose(slope, noise, rtol=1e-4, atol=1e-6)
    # And backwards: d/d sigma of the sum of squares at sigma = 0 is 2 * sum(signal * noise).
    gradient = jax.jit(jax.grad(lambda sigma: jnp.sum(inputs(sigma) ** 2)))(jnp.float32(0.0))
    np.testing.assert_allclose(gradient, 2 * np.sum(clean * noise), rtol=1e-4)


def test_a_traced_duration_that_outgrows_the_capacity_is_flagged():
    task = nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 500})

    @jax.jit
    @jax.vmap
    def lengths(ms):
        batch = nj.render(task.set(timing={"stimulus": ms}), KEY, 2, devices=1)
        return batch.lengths[0], batch.overflow[0]

    length, overflow = lengths(jnp.asarray([300.0, 500.0, 501.0, 600.0, 5000.0]))
    assert length.tolist() == [5, 7, 7, 7, 7]
    assert overflow.tolist() == [False, False, False, True, True]
    # Cut trials time out, which is nobody's fault.
    cut = jax.jit(lambda ms: nj.play(task.set(timing={"stimulus": ms}), KEY, 2, policy=0, devices=1).result.outcome)
    assert cut(jnp.float32(5000)).tolist() == [nj.Outcome.TIMEOUT] * 2
    assert cut(jnp.float32(500)).tolist() == [nj.Outcome.MISS] * 2


@pytest.mark.parametrize("id", CORE)
def test_views_are_float32_with_64_bits_and_strict_promotion(id):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        task = nj.make(id)
        leaves = jax.tree.leaves(task)
        batch, run, flow = jax.eval_shape(
            lambda task: (
                nj.render(task, KEY, 2, devices=1),
                nj.rollout(task, KEY, 2, 3, devices=1),
                nj.stream(task, KEY, 2, 3, devices=1),
            ),
            task,
        )
    assert {x.dtype for x in leaves} <= {np.dtype(np.float32), np.dtype(np.bool_), np.dtype(np.int32)}
    assert {x.dtype for x in jax.tree.leaves((batch, run, flow))} <= {
        np.dtype(d) for d in (np.float32, np.int32, np.bool_)
    }


def test_64_bits_do_not_change_the_numbers():
    task = Blocks.create()
    narrow = nj.render(task, KEY, 8, devices=1)
    with jax.enable_x64(True):
        wide = nj.render(task, KEY, 8, devices=1)
    assert_agree(narrow, wide)
