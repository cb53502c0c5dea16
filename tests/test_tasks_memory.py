"""Working memory, response inhibition, value and self-distraction: what each task shows, asks for, scores and costs."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

import neurojax as nj
from helpers import draw_trials
from neurojax.core.chance import Chance, key_words
from neurojax.core.session import advance, begin, draw_trial, start_memory
from neurojax.errors import InvalidArgument

KEY = jax.random.key(5)
COUNT = 8192
CATEGORY = "DelayMatchCategory-v0"
DISTRACT = "DelayMatchSampleDistractor1D-v0"
PAIRED = "DelayPairedAssociation-v0"
DUAL = "DualDelayMatchSample-v0"
COMPARE = "DelayComparison-v0"
PWM = "ParametricWorkingMemory-v0"
GO = "GoNogo-v0"
ANTI = "AntiReach-v0"
ECONOMIC = "EconomicDecisionMaking-v0"
SELF = "Reaching1DWithSelfDistraction-v0"


@functools.cache
def rendered(id: str, count: int = COUNT, **kwargs):
    """A batch of a task as arrays; `kwargs` are of `make`, dictionaries as tuples of pairs."""
    task = nj.make(id, **{k: dict(v) if k == "timing" else v for k, v in kwargs.items()})
    policy = {"policy": "oracle"} if task.closed_loop else {}
    return task, jax.tree.map(np.asarray, nj.render(task, KEY, count, devices=1, **policy))


def sampling(p, n=COUNT, z=4.5):
    """How far a share of `n` trials may lie from `p`."""
    return z * math.sqrt(max(p * (1 - p), 1e-3) / n)


def as_often(values, levels):
    """The p-value of `values` being each of `levels` as often."""
    counts = np.array([np.sum(np.isclose(values, level)) for level in levels])
    assert counts.sum() == len(values)
    return stats.chisquare(counts).pvalue


STEPS = 10  # for which a trial is played


@jax.jit
def _answered(task, actions, given):
    chance = Chance(key_words(KEY), jnp.uint32(0))
    session = begin(task, start_memory(task, chance), chance, 0, given)

    def body(session, action):
        session, came = advance(task, session, action, chance, session.t)
        return session, (came.reward, came.new_trial, came.result)

    return jax.lax.scan(body, session, actions)[1]


def play(task, actions, **given):
    """Answer one trial with these actions, then with none: its rewards, outcome, performance and last step."""
    padded = jnp.asarray(list(actions) + [0] * (STEPS - len(actions)), jnp.int32)
    came = _answered(task, padded, {name: jnp.asarray(value) for name, value in given.items()})
    rewards, ended, result = jax.tree.map(np.asarray, came)
    assert ended.any()
    last = int(ended.argmax())
    paid = [round(float(r), 4) for r in rewards[: last + 1]]
    return paid, nj.Outcome(int(result.outcome[last])).name, float(result.performance[last]), last


# ---------------------------------------------------------------------- category matching


def test_categories_are_halves_of_the_circle_and_match_half_of_the_time():
    task = nj.make(CATEGORY, boundary=30)
    got = draw_trials(task, KEY, COUNT).conditions
    assert as_often(got["ground_truth"], (1, 2)) > 1e-3
    assert as_often(got["sample_category"], (0, 1)) > 1e-3
    np.testing.assert_array_equal(got["ground_truth"] == 1, got["sample_category"] == got["test_category"])
    for name in ("sample", "test"):
        from_boundary = np.mod(got[f"{name}_theta"].astype(float) - math.radians(30), 2 * np.pi)
        np.testing.assert_array_equal(from_boundary >= np.pi, got[f"{name}_category"] == 1)
        assert stats.kstest(from_boundary, stats.uniform(0, 2 * np.pi).cdf).pvalue > 1e-3
        # it can fail: directions that avoid the boundary
        assert stats.kstest(from_boundary * 0.95, stats.uniform(0, 2 * np.pi).cdf).pvalue < 1e-6
    assert abs(np.corrcoef(got["sample_position"], got["test_position"])[0, 1]) < 0.06


def test_the_default_ring_of_two_shows_the_category_and_neurogyms_boundary_hides_it():
    task, batch = rendered(CATEGORY, sigma=0.0)
    one = batch.inputs[:, 6, 1] - batch.inputs[:, 6, 2]  # the sample, 500 ms into the trial
    np.testing.assert_array_equal(one > 0, batch.conditions["sample_category"] == 1)
    np.testing.assert_allclose(one, np.cos(batch.conditions["sample_theta"]), atol=1e-6)
    assert task.references()["ideal"] == pytest.approx(1)
    # NeuroGym's boundary: both categories show the same, so that the best is to guess
    hidden = nj.make(CATEGORY, boundary=0)
    assert hidden.references()["ideal"] == pytest.approx(0.5, abs=1e-6)
    with pytest.warns(UserWarning, match="there is little to learn"):
        assert not nj.solvable(hidden)


@pytest.mark.parametrize(("dim_ring", "boundary"), [(2, 90.0), (3, 0.0), (2, 60.0)])
def test_the_ideal_category_matcher(dim_ring, boundary):
    """The posterior of each stimulus's category, by summing over directions; the match of the likelier ones."""
    task, batch = rendered(CATEGORY, sigma=12.0, dim_ring=dim_ring, boundary=boundary)
    theta = np.arange(360) * (2 * np.pi / 360)
    shown = 0.5 + 0.5 * np.cos(nj.ring(dim_ring)[None] - theta[:, None])
    zero = np.mod(theta - math.radians(boundary), 2 * np.pi) < np.pi
    belief = []
    for start in (5, 21):  # six steps each: 650 ms
        mean = batch.inputs[:, start : start + 6, 1:].astype(float).mean(axis=1)
        log = -((mean[:, None] - shown[None]) ** 2).sum(-1) * 600 / (2 * 12.0**2)
        like = np.exp(log - log.max(1, keepdims=True))
        belief.append(like[:, zero].sum(1) / like.sum(1))
    p, q = belief
    right = np.mean((p * q + (1 - p) * (1 - q) > 0.5) == (batch.conditions["ground_truth"] == 1))
    expected = task.references()["ideal"]
    assert 0.55 < expected < 0.8
    assert right == pytest.approx(expected, abs=sampling(expected))


def test_category_matching_in_the_limit_of_strong_signals():
    # Near the boundary alone a direction is mistaken: of one stimulus, 1 / (d sqrt(2 pi)) * 2 / pi ... of the circle.
    task = nj.make(CATEGORY, dim_ring=32, sigma=1.0)
    d = math.sqrt(32 * 650 / 8)
    wrong = 2 / (math.pi * math.sqrt(2 * math.pi) * d)
    assert 1 - task.category_accuracy(650) == pytest.approx(wrong, rel=0.02)
    assert task.category_accuracy(0) == 0.5
    assert "ideal" not in nj.make(CATEGORY, timing={"test": (300, 600)}).references()  # when does the test end?


def test_category_matching_costs_and_ends():
    task = nj.make(CATEGORY, dt=50, timing={"fixation": 50, "sample": 50, "first_delay": 50, "test": 100})
    one = {"ground_truth": 1}
    assert play(task, [0, 0, 0, 1], **one) == ([0, 0, 0, 1], "CORRECT", 1, 3)
    assert play(task, [0, 2, 0, 2], **one) == ([0, 0, 0, 0], "ERROR", 0, 3)
    assert play(task, [1, 0, 0, 0, 0], **one) == ([-0.1, 0, 0, 0, 0], "MISS", 0, 4)
    assert play(task.set(abort=True), [1], **one)[1:3] == ("ABORT", 0)
    assert play(task.set(strict_fixation=True), [0, 0, 2], **one) == ([0, 0, -0.1], "ABORT", 0, 2)


# ---------------------------------------------------------------------- distractors


def test_one_test_repeats_the_sample_and_the_others_do_not():
    got = draw_trials(nj.make(DISTRACT), KEY, COUNT).conditions
    assert as_often(got["ground_truth"], (1, 2, 3)) > 1e-3
    tests = np.stack([got[f"test{k}"] for k in (1, 2, 3)], axis=1)
    same = tests == got["sample"][:, None]
    np.testing.assert_array_equal(same, np.arange(1, 4) == got["ground_truth"][:, None])
    others = tests[~same].astype(float)
    assert stats.kstest(others, stats.uniform(0, 2 * np.pi).cdf).pvalue > 1e-3
    two = tests[~same].reshape(-1, 2)
    assert abs(np.corrcoef(two.T)[0, 1]) < 0.06


def test_a_match_among_distractors():
    task, batch = rendered(DISTRACT, count=256)
    # noiseless rings: the sample (300 ms on), and tests 1,500 ms apart from 1,800 ms on
    frames = batch.inputs[:, [5, 20, 35, 50], 1:]
    matches = np.isclose(frames[:, 1:], frames[:, :1], atol=1e-5).all(-1)
    np.testing.assert_array_equal(matches.argmax(1) + 1, batch.conditions["ground_truth"])
    assert matches.sum() == 256
    np.testing.assert_array_equal(batch.targets.sum(1), 5)
    assert task.references()["ideal"] == 1


def test_noise_that_neurogym_leaves_out():
    _, quiet = rendered(DISTRACT, count=256)
    _, loud = rendered(DISTRACT, count=256, sigma=2.0)
    extra = (loud.inputs - quiet.inputs)[..., 1:]
    on = np.any(quiet.inputs[..., 1:] != 0, axis=-1)
    assert extra[on].std() == pytest.approx(0.2, rel=0.01)
    assert not extra[~on].any()


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([1] * 3, ([-0.1, -0.1, -1], "ERROR", 0, 2)),  # early responses cost; from the first delay on they decide
        ([0, 0, 0, 1], ([0, 0, 0, -1], "ERROR", 0, 3)),
        ([0] * 5 + [1], ([0] * 5 + [1], "CORRECT", 1, 5)),
        ([0] * 8, ([0] * 8, "MISS", 0, 7)),
    ],
)
def test_responses_among_distractors(actions, expected):
    task = nj.make(DISTRACT, dt=50, timing=dict.fromkeys(nj.make(DISTRACT).timing, 50))
    assert play(task, actions, ground_truth=2) == expected
    if actions[0]:
        assert play(task.set(abort=True), actions, ground_truth=2) == ([-0.1], "ABORT", 0, 0)


def test_blind_and_random_among_distractors():
    task = nj.make(DISTRACT)
    found = task.references()
    assert found["blind"] == pytest.approx(1 / 3)
    assert found["random"] == pytest.approx(2.0**-10 * (1 - 2.0**-5) / 3 * (1 + 2.0**-15 + 2.0**-30))
    # Delays of 500 or 1,000 ms: the tests at 5 to 9 and 10 to 14 steps after the sample never overlap.
    varied = nj.make(DISTRACT, timing={"sample": 100, "delay1": (500, 1000), "delay2": 1000, "delay3": 1000})
    assert varied.references()["blind"] == pytest.approx(1 / 6)
    longer = nj.make(DISTRACT, timing={"sample": 100, "delay1": (500, 700)})
    assert longer.references()["blind"] == pytest.approx(1 / 3)  # they overlap: respond there


def test_the_ideal_observer_among_noisy_distractors():
    """A Bayesian that sums over directions, against the closed form of the likelihood ratio; small on purpose."""
    sigma = 40.0
    task, batch = rendered(DISTRACT, count=2000, sigma=sigma)
    theta = np.arange(180) * (2 * np.pi / 180)
    shown = np.cos(nj.ring(32)[None] - theta[:, None])

    def likelihood(start):
        mean = batch.inputs[:, start : start + 5, 1:].astype(float).mean(axis=1)
        return np.exp((mean @ shown.T) * 500 / sigma**2)  # up to what all directions share

    sample = likelihood(3)
    posterior = sample / sample.sum(1, keepdims=True)
    ratios = [(posterior * (x := likelihood(start))).sum(1) / x.mean(1) for start in (18, 33, 48)]
    best = 0.0
    for threshold in np.linspace(0.8, 2, 25):  # the best rule of this form
        choice = np.where(ratios[0] > threshold, 1, np.where(ratios[1] > 1, 2, 3))
        best = max(best, float(np.mean(choice == batch.conditions["ground_truth"])))
    expected = task.references()["ideal"]
    assert 0.45 < expected < 0.75
    assert best == pytest.approx(expected, abs=sampling(expected, 2000, 3.5))
    # more noise, less to know; at no noise, everything
    assert task.set(sigma=1e-3).references()["ideal"] > 0.999
    assert "ideal" not in task.set(timing={"test1": (100, 500)}).references()


# ---------------------------------------------------------------------- go or no go


@pytest.mark.parametrize(
    ("id", "given"),
    [(GO, {"ground_truth": 1}), (GO, {"ground_truth": 0}), (PAIRED, {"pair": 0}), (PAIRED, {"pair": 1})],
)
def test_going_and_withholding(id, given):
    task = nj.make(id, dt=50, timing={name: 50 * (name != "fixation") for name in nj.make(id).timing})
    task = task.set(rewards={"correct": 2.0, "fail": -0.5, "miss": -0.7})
    before = len(task.timing) - 2
    asks = given in ({"ground_truth": 1}, {"pair": 0})
    waits, goes = [0] * (before + 1), [0] * before + [1]
    if asks:
        assert play(task, goes, **given) == ([0] * before + [2], "CORRECT", 1, before)
        assert play(task, waits, **given) == ([0] * before + [-0.7], "MISS", 0, before)
    else:
        # NeuroGym scores 0 for this from its second trial on
        assert play(task, waits, **given) == ([0] * (before + 1), "CORRECT", 1, before)
        assert play(task, goes, **given) == ([0] * before + [-0.5], "ERROR", 0, before)
    early = [1, *waits[1:]]
    assert play(task, early, **given)[0][0] == pytest.approx(-0.1)
    assert play(task, early, **given)[3] == before
    assert play(task.set(abort=True), early, **given) == ([-0.1], "ABORT", 0, 0)


@pytest.mark.parametrize("id", [GO, PAIRED])
def test_the_target_of_go_nogo_is_always_right(id):
    """NeuroGym's own target scores about .5 over a session."""
    played = nj.rollout(nj.make(id), KEY, 64, 3 * nj.make(id).capacity, policy="oracle", devices=1).trajectory
    ended = np.asarray(played.new_trial)
    assert ended.sum() >= 192
    assert np.all(np.asarray(played.results.performance)[ended] == 1)
    assert set(np.asarray(played.results.outcome)[ended].tolist()) == {int(nj.Outcome.CORRECT)}


@pytest.mark.parametrize("abort", [False, True])
def test_random_go(abort):
    task = nj.make(GO, abort=abort, timing={"stimulus": 100, "delay": 0, "decision": 200})
    # survive one step with 1/2, then go within two steps: 3/4, or not: 1/4
    assert task.references()["random"] == pytest.approx(0.25 if abort else 0.5)


def test_associated_pairs():
    task, batch = rendered(PAIRED, count=512)
    assert as_often(batch.conditions["pair"], range(4)) > 1e-3
    first, second = batch.inputs[:, 5, 1:].argmax(1) + 1, batch.inputs[:, 25, 1:].argmax(1) + 1
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {(1, 3), (1, 4), (2, 3), (2, 4)}
    np.testing.assert_array_equal(batch.conditions["ground_truth"] == 1, (first + second) % 2 == 0)
    assert batch.inputs[:, 5, 1:].sum() == 512
    turned = draw_trials(task.set(association=1), KEY, 512).conditions
    np.testing.assert_array_equal(turned["ground_truth"], 1 - batch.conditions["ground_truth"])


def test_the_ideal_observer_of_noisy_pairs():
    task, batch = rendered(PAIRED, sigma=30.0)
    seen = batch.inputs[..., 1:].astype(float)
    first = seen[:, :10].sum(1) @ [1, -1, 0, 0] > 0
    second = seen[:, 20:30].sum(1) @ [0, 0, 1, -1] > 0
    right = np.mean((first == second) == (batch.conditions["ground_truth"] == 1))
    p = float(ndtr(math.sqrt(500) / 30))
    expected = p * p + (1 - p) * (1 - p)
    assert task.references()["ideal"] == pytest.approx(expected)
    assert right == pytest.approx(expected, abs=sampling(expected))
    assert abs(p - expected) > sampling(expected)  # one stimulus is not enough


# ---------------------------------------------------------------------- two items


def test_cues_and_tests_are_of_the_same_item():
    task, batch = rendered(DUAL, count=1024, sigma=0.0)
    c = batch.conditions
    for name in ("ground_truth1", "ground_truth2"):
        assert as_often(c[name], (1, 2)) > 1e-3
    axis = lambda frame, item: frame[:, [2 * item - 1, 2 * item]].argmax(1)  # channel 0: sample 0, 1: sample .5
    sample, cue, test = batch.inputs[:, 7], batch.inputs[:, 17], batch.inputs[:, 22]
    for item in (1, 2):
        np.testing.assert_array_equal(axis(sample, item), 2 * c[f"sample{item}"])
        mine = c["test_order"] == item - 1  # tested first
        np.testing.assert_array_equal(cue[:, 4 + item] == 1, mine)
        shown = test[:, [2 * item - 1, 2 * item]].sum(1) == 1
        np.testing.assert_array_equal(shown, mine)
        same = axis(test, item) == axis(sample, item)
        np.testing.assert_array_equal(same[mine], c[f"ground_truth{item}"][mine] == 1)
    np.testing.assert_array_equal(
        batch.targets[:, 22], np.where(c["test_order"] == 0, c["ground_truth1"], c["ground_truth2"])
    )
    assert task.references()["ideal"] == pytest.approx(1)


SHORT = dict.fromkeys(("fixation", "sample", "delay1", "cue1", "delay2", "cue2"), 0) | {
    "sample": 50, "test1": 150, "test2": 100,
}  # fmt: skip


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([0, 1, 1, 1, 2], ([0, 1, 0, 0, 1], "CORRECT", 1, 4)),  # the answer held: NeuroGym pays each step
        ([0, 2, 1, 1, 2], ([0, -0.5, 0, 0, 1], "ERROR", 0, 4)),  # both in turn: NeuroGym scores 1
        ([0, 1, 0, 0, 1], ([0, 1, 0, 0, -0.5], "ERROR", 0, 4)),  # one of two right: NeuroGym scores 1
        ([0, 0, 0, 0, 2], ([0, 0, 0, 0, 1], "ERROR", 0, 4)),
        ([0, 1, 0, 0, 0, 0], ([0, 1, 0, 0, 0, 0], "MISS", 0, 5)),
        ([1, 1, 0, 0, 2], ([-0.1, 1, 0, 0, 1], "CORRECT", 1, 4)),
    ],
)
def test_both_answers_count_once(actions, expected):
    task = nj.make(DUAL, dt=50, timing=SHORT, rewards={"fail": -0.5})
    given = {"ground_truth1": 1, "ground_truth2": 2, "test_order": 0}
    assert play(task, actions, **given) == expected
    if actions[0]:
        assert play(task.set(abort=True), actions, **given) == ([-0.1], "ABORT", 0, 0)


def test_the_ideal_observer_of_two_noisy_items():
    task, batch = rendered(DUAL, sigma=20.0)
    seen = batch.inputs.astype(float)
    tilt = lambda slice_, item: seen[:, slice_].sum(1)[:, 2 * item - 1] - seen[:, slice_].sum(1)[:, 2 * item] > 0
    right = np.ones(COUNT, bool)
    for item in (1, 2):
        first = batch.conditions["test_order"] == item - 1
        test = np.where(first, tilt(slice(20, 25), item), tilt(slice(35, 40), item))
        match = tilt(slice(5, 10), item) == test
        right &= match == (batch.conditions[f"ground_truth{item}"] == 1)
    p = float(ndtr(math.sqrt(250) / 20))
    expected = (p * p + (1 - p) ** 2) ** 2
    assert task.references()["ideal"] == pytest.approx(expected)
    assert right.mean() == pytest.approx(expected, abs=sampling(expected))
    assert task.references()["random"] == pytest.approx(((1 - 3.0**-5) / 2) ** 2)


# ---------------------------------------------------------------------- comparison


def test_comparison_shows_pairs_in_either_order():
    task, batch = rendered(COMPARE, sigma=0.0, count=1024)
    c = batch.conditions
    assert as_often(c["ground_truth"], (1, 2)) > 1e-3
    assert as_often(c["pair"], range(5)) > 1e-3
    np.testing.assert_array_equal(c["v1"] > c["v2"], c["ground_truth"] == 1)
    first, second = batch.inputs[:, 7, 1], batch.inputs[:, 22, 1]  # scaled: 10 Hz is .5 and 34 Hz is 1
    np.testing.assert_allclose(first, 0.5 + (c["v1"] - 10) / 48, atol=1e-6)
    np.testing.assert_allclose(second, 0.5 + (c["v2"] - 10) / 48, atol=1e-6)
    assert task.references()["ideal"] == pytest.approx(1, abs=1e-6)


def test_noise_is_on_both_channels_of_the_comparison():
    _, quiet = rendered(COMPARE, sigma=0.0, count=1024)
    _, loud = rendered(COMPARE, sigma=3.0, count=1024)
    noise = loud.inputs - quiet.inputs
    for channel in (0, 1):
        assert noise[:, 5:10, channel].std() == pytest.approx(0.3, rel=0.05)
    assert not noise[:, 10:20].any()


def test_the_ideal_comparison_is_that_of_the_leads():
    task = nj.make(COMPARE)
    assert task.references()["ideal"] == pytest.approx(0.996, abs=5e-4)
    # The second stimulus alone: 10 and 14 Hz are always the lesser, 30 and 34 always the greater, the rest guess.
    assert task.accuracy_from(("stimulus2",)) == pytest.approx(0.7, abs=1e-3)
    assert task.accuracy_from(("stimulus1",)) == pytest.approx(0.7, abs=1e-3)
    assert task.accuracy_from(()) == pytest.approx(0.5)
    # One pair, and the two orders as likely: the difference decides, Phi(|d| sqrt(T / 2) / sigma), d = 1/2 here.
    one = nj.make(COMPARE, vpairs=[(2, 1)], sigma=8.0, timing={"stimulus1": 300, "stimulus2": 300})
    assert one.references()["ideal"] == pytest.approx(float(ndtr(0.5 * math.sqrt(150) / 8)), abs=1e-3)
    # Durations vary: it knows them. The precision of the difference is 1 / (1/T1 + 1/T2).
    varied = one.set(timing={"stimulus1": (100, 500), "stimulus2": 300})
    expected = np.mean([ndtr(0.5 / 8 / math.sqrt(1 / a + 1 / 300)) for a in (100, 500)])
    # ... but each alone tells as much as its mean distance from the middle: the two add up
    both = np.mean([ndtr(0.25 / 8 * math.sqrt(a + 300)) for a in (100, 500)])
    assert varied.references()["ideal"] == pytest.approx(both, abs=1e-3)
    assert both > expected


@pytest.mark.parametrize("id", [COMPARE, PWM])
def test_the_ideal_comparison_by_simulation(id):
    sigma = 3.0
    timing = (("stimulus1", 300), ("delay", 500), ("stimulus2", 200), ("fixation", 100))
    task, batch = rendered(id, sigma=sigma, timing=timing)
    means = [batch.inputs[:, s, 1].astype(float).mean(1) for s in (slice(1, 4), slice(9, 11))]
    table = np.asarray(task.vpairs if id == COMPARE else task.pairs, float)
    if id == COMPARE:
        table = np.concatenate([table, table[:, ::-1]])
    shown = 0.5 + 0.5 * (table - table.min()) / (table.max() - table.min())
    log = sum(
        -((m[:, None] - shown[None, :, k]) ** 2) * T / (2 * sigma**2)
        for k, (m, T) in enumerate(zip(means, (300, 200), strict=True))
    )
    first = table[:, 0] > table[:, 1]
    says = np.exp(log[:, first]).sum(1) > np.exp(log[:, ~first]).sum(1)
    right = np.mean(says == (batch.conditions["ground_truth"] == 1))
    expected = task.references()["ideal"]
    assert 0.55 < expected < 0.9
    assert right == pytest.approx(expected, abs=sampling(expected))


def test_pairs_of_the_rats():
    task = nj.make(PWM)
    pairs = {tuple(p) for p in np.asarray(task.pairs).tolist()}
    levels = (60, 68, 76, 84, 92)
    assert pairs == {(a, b) for a in levels for b in levels if abs(a - b) == 8}
    got = draw_trials(task, KEY, COUNT)
    assert as_often(got.conditions["pair"], range(8)) > 1e-3
    np.testing.assert_array_equal(got.conditions["v1"] > got.conditions["v2"], got.conditions["ground_truth"] == 1)
    delay = got.end["delay"] - got.start["delay"]
    assert (delay.min(), delay.max()) == (10, 29)
    # One stimulus helps only where it is an extreme: 2 of 8 sure, 6 of 8 guessed.
    sure = task.set(sigma=0.01)
    assert sure.accuracy_from(("stimulus2",)) == pytest.approx(0.625, abs=1e-3)
    assert sure.references()["ideal"] == pytest.approx(1, abs=1e-6)
    # z-scored dB are the same task
    assert nj.make(PWM, preset="rat").references()["ideal"] == pytest.approx(task.references()["ideal"], abs=1e-4)


def test_pairs_of_the_rat_are_those_of_the_data():
    path = Path("/nonexistent")
    for parent in Path(__file__).resolve().parents:
        if (parent / "shared" / "data").is_dir():
            path = parent / "shared" / "data" / "rat_delayed_comparison_learning.csv"
    if not path.exists():
        pytest.skip("the data of the rat are not here")
    rows = np.genfromtxt(path, delimiter=",", names=True)
    seen = np.unique(np.stack([rows["stimulus_1"], rows["stimulus_2"]], 1), axis=0)
    pairs = np.asarray(nj.make(PWM, preset="rat").pairs)
    for pair in pairs:
        assert np.isclose(seen, pair, atol=1e-5).all(1).any(), pair
    # In the file, answer 2 says that the first is the louder; here it is 1.
    assert np.all((rows["answer"] == 2) == (rows["stimulus_1"] > rows["stimulus_2"]))


def test_flutter_pairs():
    task = nj.make(PWM, preset="romo")
    pairs = np.asarray(task.pairs)
    assert np.all(np.abs(pairs[:, 0] - pairs[:, 1]) == 8)
    assert (pairs.min(), pairs.max(), len(pairs)) == (10, 34, 10)
    assert nj.make(PWM, preset="romo", sigma=1).references()["ideal"] == pytest.approx(0.996, abs=5e-4)


def test_leaving_the_port_early_ends_the_trial():
    task = nj.make(PWM, dt=50, timing={**dict.fromkeys(nj.make(PWM).timing, 50), "delay": 100})
    given = {"pair": 0}  # the second is the greater
    assert play(task, [0, 0, 0, 0, 0, 2], **given) == ([0, 0, 0, 0, 0, 1], "CORRECT", 1, 5)
    assert play(task, [0, 0, 0, 0, 0, 1], **given)[1] == "ERROR"
    assert play(task, [0, 0, 0, 1], **given) == ([0, 0, 0, -0.1], "ABORT", 0, 3)
    assert play(task.set(strict_fixation=False), [0, 0, 0, 1, 0, 2], **given)[1] == "CORRECT"
    assert task.references()["random"] == pytest.approx(3.0**-5 * (2 / 3) / 2)


# ---------------------------------------------------------------------- anti-responses


@pytest.mark.parametrize(("anti", "dim_ring"), [(True, 32), (False, 32), (True, 5)])
def test_anti_responses(anti, dim_ring):
    task = nj.make(ANTI, anti=anti, dim_ring=dim_ring)
    batch = nj.render(task, KEY, 128, devices=1)
    angle = np.angle(np.asarray(batch.inputs[:, 7, 1:]) @ np.exp(1j * nj.ring(dim_ring)))
    asked = nj.ring(dim_ring)[np.asarray(batch.conditions["ground_truth"])]
    apart = np.abs(np.angle(np.exp(1j * (angle - asked))))
    np.testing.assert_allclose(apart, np.pi if anti else 0, atol=1e-5)
    found = task.references()
    assert (found["ideal"], found["blind"]) == (1, 1 / dim_ring)
    hold = 1 / (dim_ring + 1)
    assert found["random"] == pytest.approx((1 - hold**5) / dim_ring)


# ---------------------------------------------------------------------- economic choice


def test_offers_and_their_values():
    _, batch = rendered(ECONOMIC, count=2048)
    c = batch.conditions
    assert as_often(c["juice"], (0, 1)) > 1e-3
    assert as_often(c["offer"], range(9)) > 1e-3
    offers = np.array([(0, 1), (1, 3), (1, 2), (1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (2, 0)])
    n_b, n_a = offers[c["offer"]].T
    a_first = c["juice"] == 0
    frame = batch.inputs[:, 20]  # the offers are on from 1,500 ms
    np.testing.assert_array_equal(frame[:, [1, 4]], np.repeat(a_first[:, None], 2, 1))
    np.testing.assert_array_equal(frame[:, [2, 3]], np.repeat(~a_first[:, None], 2, 1))
    np.testing.assert_allclose(frame[:, 5], np.where(a_first, n_a, n_b) / 5, atol=1e-6)
    np.testing.assert_allclose(frame[:, 6], np.where(a_first, n_b, n_a) / 5, atol=1e-6)
    better = np.where((n_a > n_b / 2.2) == a_first, 1, 2)  # nothing is worth the same
    decision = batch.targets[np.arange(2048), batch.lengths - 1]
    np.testing.assert_array_equal(decision, better)


def test_a_choice_earns_its_juice():
    task = nj.make(ECONOMIC, timing={"fixation": 100, "offer_on": 100, "decision": 100})
    # side 1: one drop of A; side 2: two, then three of B
    assert play(task, [0, 0, 1], juice=0, offer=4) == ([0, 0, 0.22], "CORRECT", 1, 2)
    assert play(task, [0, 0, 2], juice=0, offer=4) == ([0, 0, 0.2], "ERROR", 0, 2)
    assert play(task, [0, 0, 2], juice=0, offer=5) == ([0, 0, 0.3], "CORRECT", 1, 2)
    assert play(task, [1, 2, 1], juice=1, offer=5) == ([-0.1, -0.1, 0.3], "CORRECT", 1, 2)
    assert play(task, [0, 0, 0], juice=1, offer=5) == ([0, 0, 0], "MISS", 0, 2)
    assert play(task.set(abort=True), [0, 2], juice=1, offer=5) == ([0, -0.1], "ABORT", 0, 1)


def test_where_offers_are_worth_the_same_either_is_right():
    task = nj.make(ECONOMIC, B_to_A=0.5, offers=[(2, 1), (3, 1)], timing={"fixation": 100, "offer_on": 100})
    for action in (1, 2):
        assert play(task, [0, 0, action], juice=0, offer=0)[1] == "CORRECT"  # NeuroGym: neither
    assert task.references()["blind"] == pytest.approx(0.75)


def test_heuristics_of_economic_choice():
    found = nj.make(ECONOMIC).heuristics()
    assert found["larger count"] == pytest.approx(8 / 9)
    assert found["always A"] == pytest.approx(5 / 9)
    assert found["always B"] == pytest.approx(4 / 9)
    references = nj.make(ECONOMIC).references()
    assert (references["ideal"], references["blind"]) == (1, 0.5)
    assert references["random"] == pytest.approx((1 - 3.0**-7) / 2)
    strict = nj.make(ECONOMIC, abort=True, timing={"fixation": 100, "offer_on": 200, "decision": 100})
    assert strict.references()["random"] == pytest.approx(3.0**-3 * (2 / 3) / 2)


# ---------------------------------------------------------------------- self-distraction


def test_the_hand_drowns_the_target():
    task = nj.make(SELF)
    batch = nj.render(task, KEY, 64, policy=0, devices=1)  # a hand that stays at pi
    directions = nj.ring(32)
    hand = np.cos(directions - np.pi)
    np.testing.assert_allclose(batch.inputs[:, 2], np.broadcast_to(hand, (64, 32)), atol=1e-6)
    rest = np.asarray(batch.inputs[:, 7]) - hand
    truth = np.asarray(batch.conditions["ground_truth"])
    np.testing.assert_allclose(rest, 0.3 * np.cos(directions - truth[:, None]), atol=1e-5)
    strongest = directions[np.asarray(batch.inputs[:, 7]).argmax(1)]
    assert np.abs(strongest - np.pi).max() < 0.4  # it looks like the hand, wherever the target is


def test_self_distraction_is_as_hard_as_reaching_for_those_who_count_their_moves():
    for kwargs, stated in (({"speed": 0, "step": 0.05}, (0.301, 0.222, 0.175)), ({}, None)):
        mine, plain = nj.make(SELF, **kwargs).references(), nj.make("Reaching1D-v0", **kwargs).references()
        assert mine == pytest.approx(plain)
        if stated:
            assert (mine["clairvoyant"], mine["ideal"], mine["blind"]) == pytest.approx(stated, abs=1.5e-3)
    assert nj.make(SELF, signal=0).references()["ideal"] == nj.make(SELF).references()["blind"]


def test_the_ideal_reacher_takes_away_its_own_signal():
    task = nj.make(SELF)

    def reach(carry, obs, first, key):
        moves = jnp.where(first, 0, carry)
        angles = jnp.asarray(nj.ring(32))
        rest = obs - jnp.cos(angles - (np.float32(np.pi) + task.stride * moves.astype(jnp.float32)))
        x, y = rest @ jnp.cos(angles), rest @ jnp.sin(angles)
        turn = jnp.arctan2(y, x) - (np.float32(np.pi) + task.stride * moves.astype(jnp.float32))
        turn = jnp.mod(turn + np.float32(np.pi), np.float32(2 * np.pi)) - np.float32(np.pi)
        move = jnp.where((x**2 + y**2 > 1) & (jnp.abs(turn) > task.stride / 2), jnp.sign(turn), 0).astype(jnp.int32)
        return moves + move, jnp.where(move > 0, 1, jnp.where(move < 0, 2, 0))

    played = nj.play(task, KEY, 2048, policy=reach, carry=jnp.int32(0), devices=1)
    assert np.mean(played.result.performance) == pytest.approx(task.references()["ideal"], abs=0.02)


# ---------------------------------------------------------------------- bad input, and conditions that are given


@pytest.mark.parametrize(
    ("id", "kwargs", "said"),
    [
        (COMPARE, {"vpairs": [(10, 18)]}, "vpairs must be rows of the greater and the lesser magnitude, got (10, 18)"),
        (COMPARE, {"vpairs": [(3, 2, 1)]}, "vpairs must be rows of two magnitudes, got rows of 3"),
        (PWM, {"pairs": [(1, 2), (3, 3)]}, "pairs must be rows of two different magnitudes, got (3, 3)"),
        (PWM, {"pairs": [(1,)]}, "pairs must be rows of two magnitudes, got rows of 1"),
        (ECONOMIC, {"offers": [(1, 2, 3)]}, "offers must be rows of two amounts, of B and of A, got rows of 3"),
        (ECONOMIC, {"B_to_A": 0}, "B_to_A must be a finite number above 0, got 0"),
        (PAIRED, {"association": 2}, "association must be one of 0, 1, got 2"),
        (DISTRACT, {"dim_ring": 2}, "dim_ring must be a whole number of 3 or more, got 2"),
        (CATEGORY, {"boundary": 200}, "boundary must be a finite number in [-180, 180], got 200"),
        (SELF, {"signal": -1}, "signal must be a finite number of 0 or more, got -1"),
    ],
)
def test_bad_parameters_are_refused(id, kwargs, said):
    with pytest.raises(InvalidArgument) as error:
        nj.make(id, **kwargs)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("id", "given", "follows"),
    [
        (CATEGORY, {"sample_category": 1, "ground_truth": 2}, {"test_category": 0}),
        (DISTRACT, {"ground_truth": 2, "distractors": [0.5, 1.5]}, {"test1": 0.5, "test3": 1.5}),
        (PAIRED, {"pair": 3}, {"first": 2, "second": 4, "ground_truth": 1}),
        (DUAL, {"ground_truth1": 2, "sample1": 0.5}, {"test1": 0.0}),
        (COMPARE, {"pair": 4, "ground_truth": 2}, {"v1": 26, "v2": 34}),
        (PWM, {"pair": 7}, {"v1": 92, "v2": 84, "ground_truth": 1}),
        (ANTI, {"ground_truth": 3, "anti": 0}, {"ground_truth": 3}),
        (ECONOMIC, {"juice": 1, "offer": 7}, {"n_b": 6, "n_a": 1, "value2": 1}),
        (SELF, {"ground_truth": 2.5}, {"ground_truth": 2.5}),
    ],
)
def test_conditions_can_be_given(id, given, follows):
    task, chance = nj.make(id), Chance(key_words(KEY), jnp.uint32(3))
    got = draw_trial(task, start_memory(task, chance), chance, 0, given).conditions
    for name, value in {**{k: v for k, v in given.items() if k != "distractors"}, **follows}.items():
        np.testing.assert_allclose(got[name], value, atol=1e-6)


@pytest.mark.parametrize("id", [CATEGORY, DISTRACT, PAIRED, DUAL, COMPARE, PWM, GO, ANTI, ECONOMIC])
def test_the_paper_asks_for_fixation(id):
    """The paper's rules: what breaks fixation before the response ends the trial."""
    task = nj.make(id) if id == PWM else nj.make(id, preset="paper")
    assert bool(getattr(task, "strict_fixation", task.abort))
    assert play(task, [1])[1] == "ABORT"
    assert task.references()["random"] <= task.set(**_lenient(task)).references()["random"]


def _lenient(task):
    return {"strict_fixation": False} if hasattr(task, "strict_fixation") else {"abort": False}
