"""The six tasks: what they draw, what they show, what they ask for, and that no allowed parameter breaks them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurojax as nj
from conftest import CORE
from helpers import draw_trials, forward
from neurojax.core.chance import Chance, key_words
from neurojax.core.session import begin, start_memory

KEY = jax.random.key(9)
COUNT = 20000
PDM = "PerceptualDecisionMaking-v0"


def as_often(values, levels):
    """The p-value of `values` being each of `levels` as often."""
    counts = np.array([np.sum(np.isclose(values, level)) for level in levels])
    assert counts.sum() == len(values)
    return stats.chisquare(counts).pvalue


# ---------------------------------------------------------------------- what they draw


def test_motion_directions_and_coherences_are_drawn_evenly():
    conditions = draw_trials(nj.make(PDM, dim_ring=3), KEY, COUNT).conditions
    assert as_often(conditions["ground_truth"], range(3)) > 1e-3
    levels = (0, 6.4, 12.8, 25.6, 51.2)
    assert as_often(conditions["coherence"], levels) > 1e-3
    table = np.histogram2d(conditions["ground_truth"], conditions["coherence"], bins=(3, [-1, 3, 9, 20, 40, 60]))[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3
    # The test can fail: a twentieth of the trials moved to one direction.
    skewed = np.where(np.arange(COUNT) % 20 == 0, 0, conditions["ground_truth"])
    assert as_often(skewed, range(3)) < 1e-6


def test_samples_match_half_of_the_time():
    conditions = draw_trials(nj.make("DelayMatchSample-v0", dim_ring=4), KEY, COUNT).conditions
    assert as_often(conditions["ground_truth"], (1, 2)) > 1e-3
    assert as_often(conditions["sample_theta"], np.arange(4) * np.pi / 2) > 1e-3
    apart = np.mod(conditions["test_theta"] - conditions["sample_theta"], 2 * np.pi)
    np.testing.assert_allclose(apart, np.where(conditions["ground_truth"] == 1, 0, np.pi), atol=1e-5)


@pytest.mark.parametrize(("id", "high"), [("Reaching1D-v0", 2 * np.pi), ("ReachingDelayResponse-v0", 1)])
def test_positions_are_uniform(id, high):
    truth = draw_trials(nj.make(id), KEY, COUNT).conditions["ground_truth"].astype(np.float64)
    assert stats.kstest(truth, stats.uniform(0, high).cdf).pvalue > 1e-3
    assert stats.kstest(truth, stats.uniform(0, 1.05 * high).cdf).pvalue < 1e-6


def test_intervals_follow_from_the_measured_one():
    trials = draw_trials(nj.make("ReadySetGo-v0", gain=1.5), KEY, COUNT)
    measure = trials.conditions["measure"]
    # Whole steps of 80 ms: 10 to 17 fully, 18 from 1,440 on.
    probabilities = np.array([80] * 8 + [60]) / 700
    counts = np.array([np.sum(measure == 80 * n) for n in range(10, 19)])
    assert counts.sum() == COUNT
    assert stats.chisquare(counts, COUNT * probabilities).pvalue > 1e-3
    np.testing.assert_allclose(trials.conditions["production"], 1.5 * measure)
    np.testing.assert_array_equal((trials.end["measure"] - trials.start["measure"]) * 80, measure)
    np.testing.assert_array_equal(trials.start["ready"], trials.start["measure"])
    # The production period lasts twice the interval to be produced, from the end of the set flash.
    np.testing.assert_array_equal(trials.end["production"] - trials.end["set"], np.floor(3 * measure / 80 + 1e-3))


def test_reasoning_trials_show_what_they_score():
    task = nj.make("HierarchicalReasoning-v0", dt=10)
    trials = draw_trials(task, KEY, COUNT)
    conditions = trials.conditions
    delays = (530, 610, 690, 770, 850, 930, 1010, 1090, 1170)
    assert as_often(conditions["interval"], delays) > 1e-3
    assert as_often(conditions["rule"], (0, 1)) > 1e-3
    assert as_often(conditions["stimulus"], (0, 1)) > 1e-3
    np.testing.assert_array_equal((trials.end["delay"] - trials.start["delay"]) * 10, conditions["interval"])
    long_ = conditions["long_interval"]
    assert not np.any(long_[conditions["interval"] < 850])
    assert np.all(long_[conditions["interval"] > 850])
    tied = long_[conditions["interval"] == 850]
    assert stats.binomtest(int(tied.sum()), len(tied)).pvalue > 1e-3
    np.testing.assert_array_equal(conditions["pro_choice"], long_ == (conditions["rule"] == 1))


def test_rules_hold_for_blocks_of_random_length():
    timing = {
        **dict.fromkeys(("fixation", "rule_target", "fixation2", "flash1", "flash2", "decision"), 10),
        "delay": [10, 20, 30],
    }
    task = nj.make("HierarchicalReasoning-v0", dt=10, timing=timing, block_min=3, block_max=6)

    def lane(words, lane):
        chance = Chance(words, lane)
        session = begin(task, start_memory(task, chance), chance, 0)

        def body(session, n):
            rule = session.drawn.conditions["rule"]
            session, transition = forward(task, session, 0, chance, n)
            return session, (rule, transition.new_trial)

        return jax.lax.scan(body, session, jnp.arange(3000, dtype=jnp.int32))[1]

    run = jax.jit(jax.vmap(lane, in_axes=(None, 0)))
    rules, ended = (np.asarray(x) for x in run(key_words(KEY), jnp.arange(16, dtype=jnp.uint32)))
    lengths = []
    for rule, end in zip(rules, ended, strict=True):
        by_trial = rule[end]
        switches = np.flatnonzero(np.diff(by_trial)) + 1
        lengths += np.diff(switches).tolist()
        assert len(set(by_trial.tolist())) == 2
        assert 3 <= switches[0] <= 6
    assert len(lengths) > 800
    assert as_often(np.array(lengths), (3, 4, 5, 6)) > 1e-3
    # The session's first rule is either.
    assert len(set(rules[:, 0].tolist())) == 2


# ---------------------------------------------------------------------- what they show and ask for


def test_motion_is_shown_with_noise_of_the_stated_size():
    task = nj.make(PDM, dt=25, sigma=2.0)
    batch = nj.render(task, KEY, 512, devices=1, coherence=40, ground_truth=1)
    on = slice(4, 84)  # 100 ms of fixation, 2,000 ms of stimulus
    seen = np.asarray(batch.inputs)
    np.testing.assert_array_equal(seen[:, :4], np.broadcast_to([1, 0, 0], (512, 4, 3)))
    np.testing.assert_array_equal(seen[:, 84:], 0)
    stimulus = seen[:, on, 1:].astype(np.float64)
    # Evidence .5 +- c/200; standard deviation sigma / sqrt(dt) = .4 a step.
    np.testing.assert_allclose(stimulus.mean(axis=(0, 1)), [0.3, 0.7], atol=4 * 0.4 / np.sqrt(512 * 80))
    residual = ((stimulus - [0.3, 0.7]) / 0.4).ravel()
    assert stats.kstest(residual, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(residual[::2], residual[1::2])[0, 1]) < 4 / np.sqrt(512 * 80)
    np.testing.assert_array_equal(np.asarray(batch.targets)[:, 84:], 2)
    assert not np.asarray(batch.targets)[:, :84].any()


def test_matching_shows_the_sample_then_the_test():
    task = nj.make("DelayMatchSample-v0", sigma=0)
    batch = nj.render(task, KEY, 2, devices=1, ground_truth=[1, 2], sample_theta=0)
    frames = np.asarray(batch.inputs)
    sample, test, pause = frames[:, 3:8], frames[:, 18:23], frames[:, 8:18]
    np.testing.assert_allclose(sample[..., 1:], np.broadcast_to([1, 0], (2, 5, 2)), atol=1e-6)
    np.testing.assert_allclose(test[0, :, 1:], np.broadcast_to([1, 0], (5, 2)), atol=1e-6)
    np.testing.assert_allclose(test[1, :, 1:], np.broadcast_to([0, 1], (5, 2)), atol=1e-6)
    assert not pause[..., 1:].any()
    assert np.all(frames[:, :23, 0] == 1)
    assert not frames[:, 23:, 0].any()
    assert np.asarray(batch.targets)[:, 23:].tolist() == [[1] * 9, [2] * 9]


def test_the_reward_for_an_interval_falls_with_its_error():
    task = nj.make("ReadySetGo-v0", dt=20, timing={"measure": 1000})
    # Fixation at 0 .. 4, the set flash at 55 (and on for 4 steps), so the best answer is at 105.
    wait = lambda carry, obs, first, key: ((carry[0] + 1, carry[1]), jnp.where(carry[0] == carry[1], 1, 0))
    play = jax.jit(jax.vmap(lambda n: nj.play(task, KEY, 1, policy=wait, carry=(jnp.int32(0), n), devices=1).result))
    result = jax.tree.map(lambda x: np.asarray(x)[:, 0], play(jnp.asarray([2, 50, 93, 94, 100, 105, 110, 116, 117])))
    # A margin of .2 * 1000 + 25 = 225 ms: 20 ms steps from 94 to 116 earn at least a tenth, 240 ms is too much.
    share = lambda ms: max((1 - ms / 225) ** 1.5, 0.1) if ms <= 225 else 0
    expected = [-0.1, 0, 0, share(220), share(100), 1, share(100), share(220), 0]
    np.testing.assert_allclose(result.reward, expected, atol=1e-5)
    assert result.performance.tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 0]
    error, miss, right = nj.Outcome.ERROR, nj.Outcome.MISS, nj.Outcome.CORRECT
    assert result.outcome.tolist() == [miss, miss, error, right, right, right, right, right, error]


def test_the_hand_moves_with_the_actions():
    task = nj.make("Reaching1D-v0", speed=np.pi, dim_ring=8)
    truth = np.float32(np.pi + 0.5)
    left = nj.render(task, KEY, 1, policy=1, devices=1, ground_truth=truth)
    # pi rad/s in steps of .1 s: the hand starts at pi; the action at t shows at t + 1.
    hand = np.pi + 0.1 * np.pi * np.arange(10)
    angles = np.arange(8) * np.pi / 4
    np.testing.assert_allclose(left.inputs[0, :, 8:], np.cos(angles - hand[:, None]), atol=1e-5)
    assert not np.asarray(left.inputs[0, :5, :8]).any()
    np.testing.assert_allclose(left.inputs[0, 5:, :8], np.broadcast_to(np.cos(angles - truth), (5, 8)), atol=1e-5)
    # The target leads to the direction, and back again.
    assert left.targets[0, :2].tolist() == [1, 1]
    assert left.targets[0, 2:].tolist() == [0] + [2] * 7  # at pi + .628 no step brings it nearer
    assert left.weights[0].tolist() == [0] * 5 + [1] * 5
    # 1 - distance, at least -.1, at each of the five steps of the reach.
    played = nj.play(task, KEY, 1, policy=1, devices=1, ground_truth=truth).result
    distance = np.abs((np.pi + 0.1 * np.pi * np.arange(6, 11)) - truth)
    distance = np.minimum(distance, 2 * np.pi - distance)
    earned = np.maximum(1 - distance, -0.1)
    np.testing.assert_allclose(played.reward, [earned.sum()], rtol=1e-5)
    np.testing.assert_allclose(played.performance, [np.mean((earned + 0.1) / 1.1)], rtol=1e-5)


def test_continuous_answers_are_graded_by_their_distance():
    task = nj.make("ReachingDelayResponse-v0", timing={"delay": 0})
    play = lambda action: nj.play(task, KEY, 1, policy=action, devices=1, ground_truth=0.25).result
    for position, outcome in ((0.25, nj.Outcome.CORRECT), (0.5, nj.Outcome.ERROR), (-1.0, nj.Outcome.ERROR)):
        result = play([1.0, position])
        graded = 1 / (1 + abs(position - 0.25)) ** 2
        assert float(result.performance[0]) == pytest.approx(graded)
        # Going in each of the five steps of the stimulus costs .1.
        assert float(result.reward[0]) == pytest.approx(graded - 0.5)
        assert int(result.outcome[0]) == outcome
        assert int(result.response_step[0]) == 5
    missed = play([-1.0, 0.25])
    assert (float(missed.reward[0]), int(missed.outcome[0])) == (-0.5, nj.Outcome.MISS)


def test_reasoning_needs_both_answers():
    task = nj.make("HierarchicalReasoning-v0")
    given = {"rule": 1, "interval": 1170, "stimulus": 1}  # a long delay under rule 1: where the flashes were

    def answers(carry, obs, first, key):
        report, choice = carry
        return carry, jnp.where(obs[1] > 0, report, jnp.where(obs[0] == 0, choice, 0))

    def outcome(report, choice):
        carry = (jnp.int32(report), jnp.int32(choice))
        result = nj.play(task, KEY, 1, policy=answers, carry=carry, devices=1, **given).result
        return int(result.outcome[0]), float(result.reward[0])

    assert outcome(2, 4) == (nj.Outcome.CORRECT, 1.0)
    assert outcome(1, 4) == (nj.Outcome.ERROR, 0.0)  # the wrong rule
    assert outcome(2, 3) == (nj.Outcome.ERROR, 0.0)  # the wrong place
    assert outcome(0, 4) == (nj.Outcome.ERROR, 0.0)  # no rule
    assert outcome(2, 0) == (nj.Outcome.MISS, 0.0)


# ---------------------------------------------------------------------- names and settings


def test_channels_and_actions_are_laid_out_as_in_neurogym():
    layout = {
        PDM: (["fixation", "stimulus 0", "stimulus 1"], ["fixation", "choice 0", "choice 1"]),
        "DelayMatchSample-v0": (["fixation", "stimulus 0", "stimulus 1"], ["fixation", "match", "non-match"]),
        "ReadySetGo-v0": (["fixation", "ready", "set"], ["fixation", "go"]),
        "ReachingDelayResponse-v0": (["go", "stimulus"], ["go", "position"]),
        "HierarchicalReasoning-v0": (
            ["fixation", "rule 0", "rule 1", "stimulus 0", "stimulus 1"],
            ["fixation", "rule 0", "rule 1", "choice 0", "choice 1"],
        ),
        "Reaching1D-v0": (
            [f"target {i}" for i in range(16)] + [f"self {i}" for i in range(16)],
            ["fixation", "left", "right"],
        ),
    }
    for id, (channels, actions) in layout.items():
        task = nj.make(id)
        assert (task.channels.labels(), task.actions.labels()) == (channels, actions)
    dims = {PDM: 100, "ReadySetGo-v0": 80, "HierarchicalReasoning-v0": 100}
    assert {id: nj.make(id).dt for id in dims} == dims


@pytest.mark.parametrize("id", CORE)
def test_settings_and_presets_build_tasks(id):
    task = nj.make(id)
    again = nj.make(id, **task.settings())
    assert jax.tree.structure(task) == jax.tree.structure(again)
    for a, b in zip(jax.tree.leaves(task), jax.tree.leaves(again), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert repr(task).startswith(task.name)
    for preset in task.PRESETS:
        assert set(nj.make(id, preset=preset).settings()) >= {"dt", "timing", "rewards"}
    for deviation in task.DEVIATIONS:
        assert deviation.kind in ("repaired", "interface")
        assert deviation.what
        assert deviation.reason


def test_short_names_are_accepted():
    short, long_ = nj.make(PDM, cohs=[1, 2]), nj.make(PDM, coherences=[1, 2])
    np.testing.assert_array_equal(short.coherences, long_.coherences)
    assert "coherences" in short.settings()


# ---------------------------------------------------------------------- extremes


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        (PDM, {"sigma": 0, "coherences": [100], "timing": {"fixation": 0, "delay": 0}}),
        (PDM, {"sigma": 1e4, "dt": 0.1, "timing": {"fixation": 0, "stimulus": 0.5, "decision": 0.1}}),
        ("DelayMatchSample-v0", {"sigma": 1e4, "timing": {"fixation": 0, "delay": 0, "test": 0, "sample": 0}}),
        ("ReadySetGo-v0", {"gain": 1e-3, "prod_margin": 0, "timing": {"fixation": 0}}),
        ("ReadySetGo-v0", {"dt": 1000, "timing": {"ready": 0, "set": 0, "fixation": 0, "measure": 1000}}),
        ("Reaching1D-v0", {"speed": 1e6, "timing": {"fixation": 0}}),
        ("Reaching1D-v0", {"speed": 0, "step": 0, "rewards": {"fail": 0.999}}),
        ("ReachingDelayResponse-v0", {"lowbound": 2, "highbound": 2, "timing": {"stimulus": 0, "delay": 0}}),
        ("HierarchicalReasoning-v0", {"block_min": 1, "block_max": 1, "timing": {"fixation": 0, "fixation2": 0}}),
    ],
)
def test_extreme_parameters_give_finite_numbers(id, kwargs):
    task = nj.make(id, **kwargs)
    batch = nj.render(task, KEY, 16, devices=1)
    run = nj.rollout(task, KEY, 16, 2 * task.capacity + 2, devices=1).trajectory
    for leaf in jax.tree.leaves((batch, run)):
        assert np.all(np.isfinite(np.asarray(leaf, np.float64)))
    assert np.all(np.asarray(batch.lengths) >= 1)
    assert np.all((run.results.performance >= 0) & (run.results.performance <= 1 + 1e-5))
    numbers = task.references()
    assert all(np.isfinite(value) for value in numbers.values())
