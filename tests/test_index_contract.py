"""Which observation, action and reward belong together, and how trials end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj

KEY = jax.random.key(8)


@pytest.fixture(scope="module")
def task():
    # At 100 ms: fixation at t = 0, stimulus at 1 .. 3, decision at 4 .. 5. Noiseless and certain.
    timing = {"fixation": 100, "stimulus": 300, "decision": 200}
    return nj.make("PerceptualDecisionMaking-v0", timing=timing, sigma=0, coherences=[100], abort=True)


def play_out(task, actions, lanes=4):
    """The trajectory of lanes that all play `actions`, whatever they see."""
    script = jnp.asarray(actions, jnp.int32)

    def follow(carry, obs, first, key):
        return carry + 1, script[carry]

    run = nj.rollout(task, KEY, lanes, len(actions), policy=follow, carry=jnp.int32(0), devices=1)
    return jax.tree.map(np.asarray, run.trajectory)


def test_the_first_observation_is_the_first_frame_of_the_trial(views):
    run, batch = views["oracle"].trajectory, views["batch"]
    np.testing.assert_allclose(run.observations[:, 0], batch.inputs[:, 0], rtol=1e-6, atol=1e-6)
    assert np.all(run.first[:, 0])


def test_trials_follow_each_other_without_a_step_in_between(views):
    run = jax.tree.map(np.asarray, views["oracle"].trajectory)
    np.testing.assert_array_equal(run.first[:, 1:], run.new_trial[:, :-1])
    assert run.new_trial.any(axis=1).all()
    # The step that answers the trial's last observation carries its results: how long it took, and what it earned.
    for lane in range(len(run.first)):
        ends = np.flatnonzero(run.new_trial[lane])
        starts = np.flatnonzero(run.first[lane])[: len(ends)]
        np.testing.assert_array_equal(run.results.response_step[lane, ends], ends - starts)
        earned = [run.rewards[lane, a : b + 1].sum() for a, b in zip(starts, ends, strict=True)]
        np.testing.assert_allclose(run.results.reward[lane, ends], earned, rtol=1e-5, atol=1e-5)
        assert np.all(run.results.outcome[lane, ends] == nj.Outcome.CORRECT)


def test_what_is_seen_answered_and_rewarded_at_each_step(task):
    # Fixate through the stimulus, say 1 at the first step of the decision, and go on into the next trial.
    run = play_out(task, [0, 0, 0, 0, 1, 0])
    assert run.observations[0, :, 0].tolist() == [1, 0, 0, 0, 0, 1]  # fixation: the next trial's first frame at 5
    truth = run.conditions["ground_truth"]
    for lane in range(4):
        right = truth[lane, 0] == 0
        # Full coherence: the favoured location shows 0.5 + 0.5, the other 0.5 - 0.5.
        expected = np.zeros((6, 2))
        expected[1:4, truth[lane, 0]] = 1
        np.testing.assert_allclose(run.observations[lane, :, 1:], expected, atol=1e-6)
        assert run.targets[lane].tolist() == [0, 0, 0, 0, 1 + truth[lane, 0], 0]
        assert run.rewards[lane].tolist() == [0, 0, 0, 0, 1.0 if right else 0.0, 0]
        assert run.new_trial[lane].tolist() == [False] * 4 + [True, False]
        assert run.first[lane].tolist() == [True] + [False] * 4 + [True]
        assert run.results.outcome[lane, 4] == (nj.Outcome.CORRECT if right else nj.Outcome.ERROR)
        assert run.results.performance[lane, 4] == right
    assert len(set(truth[:, 0].tolist())) == 2


def test_abort_miss_and_free_answers_are_told_apart(task):
    aborted = play_out(task, [2, 0, 0])
    assert aborted.new_trial[:, 0].all()
    assert (aborted.results.outcome[:, 0] == nj.Outcome.ABORT).all()
    np.testing.assert_allclose(aborted.rewards[:, 0], -0.1)
    assert aborted.observations[0, :, 0].tolist() == [1, 1, 0]  # the next trial begins at once

    missed = play_out(task, [0] * 7)
    assert missed.new_trial[0].tolist() == [False] * 5 + [True, False]
    assert (missed.results.outcome[:, 5] == nj.Outcome.MISS).all()
    assert (missed.results.performance[:, 5] == 0).all()

    # An answer during the stimulus neither ends the trial nor costs anything, as in NeuroGym.
    early = play_out(task, [0, 0, 1, 0])
    assert not early.new_trial.any()
    assert (early.rewards == 0).all()


def test_breaking_fixation_without_abort_costs_reward_only(task):
    lenient = play_out(task.set(abort=False), [1, 0, 0])
    assert not lenient.new_trial.any()
    np.testing.assert_allclose(lenient.rewards[0], [-0.1, 0, 0])


def test_strict_fixation_ends_the_trial_at_any_early_answer(task):
    strict = play_out(task.set(abort=False, strict_fixation=True), [0, 0, 1, 0])
    assert strict.new_trial[0].tolist() == [False, False, True, False]
    assert (strict.results.outcome[:, 2] == nj.Outcome.ABORT).all()
