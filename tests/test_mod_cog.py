"""The 82 Mod-Cog tasks: what integration over the delay and sequences ask for, and how they are judged."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.library import LIBRARY
from neurojax.tasks.mod_cog import TASKS, collection, task
from neurojax.tasks.yang19 import RULES, Yang19Mixture, pick, rule

KEY = jax.random.key(2)
DELAYS = [0, 100, 500, 1100]


@functools.cache
def batch(name, lanes=64):
    return nj.render(task(name), KEY, lanes, devices=1)


def at_decision(batch, t=0):
    """The target at a step of each trial's decision."""
    start = np.asarray(batch.periods)[:, -1, 0]
    return np.asarray(batch.targets)[np.arange(len(start)), start + t]


def test_there_are_82_in_the_library():
    assert len(TASKS) == len(set(TASKS)) == 82 == 20 + 22 + 40
    assert [id for id in LIBRARY if id.startswith("modcog.")] == [f"modcog.{name}-v0" for name in TASKS]
    shapes = {jax.tree.structure(task(name)) for name in TASKS}
    assert len(shapes) == 1  # one compiled program for all of them


@pytest.mark.parametrize(("name", "side"), [("dlygointr", 1), ("dlygointl", -1), ("dmsintr", 1), ("dlydm2intl", -1)])
def test_the_answer_moves_with_the_delay(name, side):
    given = {"delay": np.repeat(DELAYS, 16), "theta1": np.tile(nj.ring(16), 4)}
    if name.startswith("dms"):
        given["match"] = 1
    if "dm2" in name:
        given |= {"coh1_mod2": 1.0, "coh2_mod2": 0.3}  # the first is the stronger
    trials = nj.render(task(name), KEY, 64, devices=1, **given)
    moved = np.mod(np.tile(np.arange(16), 4) + side * np.repeat([0, 1, 5, 11], 16), 16)
    np.testing.assert_array_equal(at_decision(trials), 1 + moved)
    np.testing.assert_array_equal(trials.conditions["ground_truth"], 1 + moved)
    lasted = np.diff(np.asarray(trials.periods)[:, 2], axis=1)[:, 0] * 100
    np.testing.assert_array_equal(lasted, given["delay"])


def test_delays_are_drawn_alike():
    trials = nj.render(task("dmcintl"), KEY, 6000, devices=1)
    values, counts = np.unique(np.asarray(trials.conditions["delay"]), return_counts=True)
    assert values.tolist() == list(range(0, 1200, 100))
    assert counts.min() > 500 - 4.5 * np.sqrt(500)
    assert counts.max() < 500 + 4.5 * np.sqrt(500)


@pytest.mark.parametrize(("name", "side"), [("goseqr", 1), ("antiseql", -1), ("rtgoseqr", 1), ("dm1seql", -1)])
def test_a_sequence_moves_a_location_a_step(name, side):
    trials = batch(name)
    steps = 5 if name.startswith("rt") else 10
    path = np.stack([at_decision(trials, t) for t in range(steps)], axis=1) - 1
    assert (path >= 0).all()
    np.testing.assert_array_equal(np.mod(np.diff(path, axis=1), 16), side % 16)
    start, length = np.asarray(trials.periods)[:, -1, 0], np.asarray(trials.lengths)
    np.testing.assert_array_equal(length - start, steps)


def test_a_rule_without_additions_is_the_rule():
    for name in ("go", "ctxdm2", "dnmc"):
        ours = nj.render(task(name), KEY, 32, devices=1)
        theirs = nj.render(rule(name), KEY, 32, devices=1)
        n = theirs.inputs.shape[1]
        np.testing.assert_array_equal(ours.targets[:, :n], theirs.targets)
        np.testing.assert_allclose(ours.inputs[:, :n], theirs.inputs, atol=1e-6)


def script(name, actions, **given):
    """Play the given actions `[T]` in the decision of one trial, and hold before."""
    one = task(name)
    start = int(nj.render(one, KEY, 1, devices=1, **given).periods[0, -1, 0])
    moves = jnp.asarray([0] * start + list(actions) + [0] * 40, jnp.int32)
    follow = lambda carry, obs, first, key: (carry + 1, moves[carry])
    return nj.play(one, KEY, 1, policy=follow, carry=jnp.int32(0), devices=1, **given).result


def test_each_step_of_a_sequence_is_judged():
    right = [1 + i % 16 for i in range(10)]
    whole = script("goseqr", right, theta1=0.0)
    assert whole.outcome.item() == nj.Outcome.CORRECT
    assert whole.performance.item() == pytest.approx(1)
    assert whole.reward.item() == pytest.approx(1)
    half = script("goseqr", right[:5] + [16] * 5, theta1=0.0)
    assert half.outcome.item() == nj.Outcome.ERROR
    assert half.performance.item() == pytest.approx(0.5)
    assert half.reward.item() == pytest.approx(0.5)
    none = script("goseqr", [0] * 10, theta1=0.0)
    assert (none.outcome.item(), none.performance.item()) == (nj.Outcome.MISS, 0.0)
    holds = script("dmsseqr", [0] * 10, theta1=0.0, match=0)
    assert (holds.outcome.item(), holds.performance.item()) == (nj.Outcome.CORRECT, 1.0)


def test_integration_ends_with_the_first_choice():
    played = script("dlygointr", [6], theta1=0.0, delay=500)
    assert (played.outcome.item(), played.performance.item()) == (nj.Outcome.CORRECT, 1.0)
    assert script("dlygointr", [1], theta1=0.0, delay=500).outcome.item() == nj.Outcome.ERROR


def test_all_of_them_are_one_stack():
    tasks = collection(rule_input=True)
    assert tasks.rule.tolist() == list(range(82))
    mixed = Yang19Mixture.around(tasks)
    trials = nj.render(mixed, KEY, 512, devices=1)
    shown = np.asarray(trials.inputs)[:, 0, -82:].argmax(axis=1)
    np.testing.assert_array_equal(shown, trials.conditions["task"])
    assert len(set(shown.tolist())) > 70
    one = jax.jit(lambda i: nj.render(pick(tasks, i), KEY, 4, devices=1).targets)
    for i in (0, 21, 81):
        alone = nj.render(task(TASKS[i], rule_input=True), KEY, 4, devices=1).targets
        np.testing.assert_array_equal(one(jnp.int32(i)), alone)


def test_bad_names_and_values_are_refused():
    with pytest.raises(ValueError, match="did you mean 'dlygointr'"):
        task("dlygointrr")
    with pytest.raises(ValueError, match="integrate must be -1, 0 or 1"):
        task("dlygointr", integrate=0.5)
    with pytest.raises(ValueError, match="unknown keyword 'omegaa'"):
        task("goseqr", omegaa=0.02)


def test_names_are_those_of_the_rules():
    assert TASKS[: len(RULES)] == RULES
