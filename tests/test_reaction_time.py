"""The reaction-time modifier: its clock, its cost of time, its limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.errors import InvalidArgument, UnknownName

KEY = jax.random.key(13)


@pytest.fixture(scope="module")
def plain():
    timing = {"fixation": 200, "stimulus": 500, "delay": 300, "decision": 400}
    return nj.make("PerceptualDecisionMaking-v0", timing=timing, abort=True)


def spans(task):
    batch = nj.render(task, KEY, 1, devices=1)
    return dict(zip(task.period_names, np.asarray(batch.periods[0]).tolist(), strict=True)), int(batch.lengths[0])


def test_the_decision_begins_a_step_after_the_stimulus_and_ends_with_it(plain):
    periods, length = spans(nj.reaction_time(plain))
    assert periods == {"fixation": [0, 2], "stimulus": [2, 7], "delay": [7, 7], "decision": [3, 7]}
    assert length == nj.reaction_time(plain).capacity == 7


def test_the_trial_may_keep_its_length(plain):
    task = nj.reaction_time(plain, end_on_stimulus=False)
    periods, length = spans(task)
    assert periods == {"fixation": [0, 2], "stimulus": [2, 7], "delay": [7, 10], "decision": [3, 14]}
    assert length == task.capacity == 14


def test_answers_are_scored_at_any_time_from_the_second_frame_on(plain):
    task = nj.reaction_time(plain, urgency=-0.01)

    def after(carry, obs, first, key):
        clock, wait = carry
        return (clock + 1, wait), jnp.where(clock == wait, 1, 0)

    play = jax.jit(
        jax.vmap(
            lambda wait: (
                nj.play(task, KEY, 16, policy=after, carry=(jnp.int32(0), wait), ground_truth=0, devices=1).result
            )
        )
    )
    result = play(jnp.arange(8, dtype=jnp.int32))
    abort, free, right, miss = nj.Outcome.ABORT, nj.Outcome.MISS, nj.Outcome.CORRECT, nj.Outcome.MISS
    # t = 0, 1 break fixation; at 2, the stimulus' first frame, answers are free; at 3 .. 6 they count.
    assert result.outcome[:, 0].tolist() == [abort, abort, free, right, right, right, right, miss]
    assert result.response_step[:, 0].tolist() == [0, 1, 6, 3, 4, 5, 6, 6]
    cost = 0.01 * (np.asarray(result.response_step[:, 0]) + 1)
    np.testing.assert_allclose(result.reward[:, 0], [-0.1, -0.1, 0, 1, 1, 1, 1, 0] - cost, atol=1e-6)


def test_its_parameters_and_those_inside_are_set(plain):
    task = nj.reaction_time(plain, urgency=-0.01)
    changed = task.set(urgency=-0.5, sigma=0, timing={"stimulus": 800})
    assert float(changed.urgency) == -0.5
    assert float(changed.inner.sigma) == 0
    assert changed.capacity == 10
    assert task.capacity == 7
    traced = jax.jit(lambda s: nj.render(task.set(sigma=s, urgency=s), KEY, 2, devices=1).inputs)(jnp.float32(0))
    np.testing.assert_allclose(traced, nj.render(task.set(sigma=0), KEY, 2, devices=1).inputs, atol=1e-6)


def test_settings_build_it_again(plain):
    task = nj.reaction_time(plain.set(sigma=0.7), urgency=-0.02, end_on_stimulus=False)
    again = nj.make("PerceptualDecisionMaking-v0", **task.settings())
    assert jax.tree.structure(again) == jax.tree.structure(task)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(task), strict=True):
        np.testing.assert_array_equal(a, b)


def test_waiting_to_the_end_sees_as_much_as_ever(plain):
    inner, outer = nj.reference_numbers(plain), nj.reference_numbers(nj.reaction_time(plain))
    assert (outer.ideal, outer.blind) == (inner.ideal, inner.blind)
    assert outer.clairvoyant == 1


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (
            lambda: nj.reaction_time(nj.make("ReadySetGo-v0")),
            "reaction_time needs the periods 'stimulus' and 'decision'",
        ),
        (lambda: nj.reaction_time(nj.reaction_time(nj.make("PerceptualDecisionMaking-v0"))), "is applied already"),
        (lambda: nj.reaction_time("PDM"), "ReactionTime modifies a task from nj.make or Task.create, got 'PDM'"),
        (lambda: nj.reaction_time(nj.make("PerceptualDecisionMaking-v0"), urgency="x"), "urgency must be a finite"),
        (
            lambda: nj.reaction_time(nj.make("PerceptualDecisionMaking-v0"), end_on_stimulus=1),
            "end_on_stimulus must be one of True, False, got 1",
        ),
        (lambda: nj.make("PerceptualDecisionMaking-v0", modifiers=["x"]), "a modifier is a table with a name"),
    ],
)
def test_bad_arguments_are_refused(build, said):
    with pytest.raises(InvalidArgument, match=said):
        build()


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownName, match="unknown modifier 'reaction-time'; did you mean 'reaction_time'"):
        nj.make("PerceptualDecisionMaking-v0", modifiers=[{"name": "reaction-time"}])
    task = nj.make("PerceptualDecisionMaking-v0")
    with pytest.raises(UnknownName, match="unknown keyword 'urgncy' in ReactionTime; did you mean 'urgency'"):
        nj.ReactionTime.around(task, urgncy=1)
