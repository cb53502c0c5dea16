"""Tasks in which trials depend on each other: blocks, contexts, serial correlations, shaping."""

import functools
import math

import compare as parity
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

import neurojax as nj
from helpers import draw_trials
from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.session import start_memory
from neurojax.core.trial import Drawn, Result, Trial
from neurojax.errors import InvalidArgument, UnknownName
from neurojax.tasks.ibl import accuracy_with_prior

KEY = jax.random.key(31)
IBL20, BLOCK = "perceptualdecisionmaking.ibl20-v0", "IBL_Block-v0"
BASIC, BIASED = "IBLBasicChoiceWorld-v0", "IBLBiasedChoiceWorld-v0"
CHANGING, SWITCH, SHAPING, PRIORS = "ChangingEnvironment-v0", "ContextSwitch-v0", "CVLearning-v0", "priors.priors-v0"
SHORT = {"fixation": 0, "stimulus": 100, "decision": 100}  # two steps a trial, if the oracle plays


def notes(name):
    """What was recorded from NeuroGym beside trials."""
    return parity.load(parity.DATA / f"{name}.npz").meta["notes"]


def sessions(task, lanes, steps, policy="oracle"):
    """Conditions `[lanes, trials]` of sessions in which all trials last as long, and the trajectory."""
    run = nj.rollout(task, KEY, lanes, steps, policy=policy, devices=1).trajectory
    ended = np.asarray(run.new_trial)
    counts = ended.sum(axis=1)
    assert counts.min() == counts.max()
    return {name: np.asarray(values)[ended].reshape(lanes, -1) for name, values in run.conditions.items()}, run


def runs(values):
    """Lengths of runs of equal values in each row, without the last one, which is cut."""
    out = []
    for row in values:
        edges = np.flatnonzero(np.diff(row)) + 1
        out.append(np.diff(np.concatenate([[0], edges])))
    return out


def share(hits, p):
    """The p-value of a share of hits being `p`."""
    hits = np.ravel(hits)
    return stats.binomtest(int(hits.sum()), hits.size, p).pvalue


def memory_of(task):
    return start_memory(task, Chance(key_words(KEY), jnp.uint32(0)))


def trial_of(**conditions):
    zero = jnp.int32(0)
    return Trial({k: jnp.asarray(v) for k, v in conditions.items()}, {}, {}, zero, jnp.bool_(False))


def result_of(outcome, choice=1):
    return Result(
        jnp.int32(choice), jnp.int32(0), jnp.float32(0), jnp.int32(int(outcome)),
        jnp.float32(outcome == nj.Outcome.CORRECT),
    )  # fmt: skip


# ---------------------------------------------------------------------- blocks of a stated length


def test_directions_come_in_alternating_blocks_of_90():
    seen, _ = sessions(nj.make(IBL20, timing=SHORT), 32, 2 * 500)
    for row, lengths in zip(seen["block"], runs(seen["block"]), strict=True):
        assert set(lengths.tolist()) == {90}
        assert set(row.tolist()) == {0, 1}
    assert set(seen["block"][:, 0].tolist()) == {0, 1}  # NeuroGym begins with the first
    follows = seen["ground_truth"] == seen["block"]
    assert share(follows, 0.8) > 1e-3
    assert share(follows, 0.77) < 1e-6
    # within a block trials are independent
    assert abs(np.corrcoef(follows[:, :-1].ravel(), follows[:, 1:].ravel())[0, 1]) < 4.5 / math.sqrt(follows.size)


def test_the_blocks_are_those_of_neurogym():
    there = notes("ibl20-defaults")
    assert there["probabilities"] == [[0.8, 0.2], [0.2, 0.8]]
    assert set(runs(np.array([there["blocks"]]))[0].tolist()) == {90}
    assert there["blocks"][0] == 0
    task = nj.make(IBL20)
    assert (float(task.bias), float(task.block_size)) == (pytest.approx(0.8), 90)


def test_kinds_of_blocks_are_drawn_anew():
    seen, _ = sessions(nj.make(BLOCK, block_size=20), 64, 600)
    kinds = seen["block"][:, ::20]
    np.testing.assert_array_equal(np.repeat(kinds, 20, axis=1), seen["block"])
    pairs = np.histogram2d(kinds[:, :-1].ravel(), kinds[:, 1:].ravel(), bins=3)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3  # also the same again
    for kind, left in enumerate((0.2, 0.8, 0.5)):
        hits = seen["ground_truth"][seen["block"] == kind] == 0
        assert share(hits, left) > 1e-3
        assert share(hits, left - 0.05) < 1e-6


def test_one_step_trials_score_the_choice():
    # NeuroGym's step crashes, and would reward every choice
    for id in ("IBL-v0", BLOCK):
        task = nj.make(id, rewards={"fail": -1.0})
        truth = np.asarray([0, 1])
        played = nj.play(task, KEY, 2, policy=1, devices=1, ground_truth=truth)
        assert played.result.reward.tolist() == [-1, 1]
        assert played.result.performance.tolist() == [0, 1]
        assert played.result.response_step.tolist() == [0, 0]
    longer = nj.make("IBL-v0", timing={"stimulus": 300})
    assert nj.play(longer, KEY, 2, policy="oracle", devices=1).result.response_step.tolist() == [2, 2]
    batch = nj.render(longer, KEY, 2, devices=1)
    assert batch.weights.tolist() == [[0, 0, 1]] * 2


# ---------------------------------------------------------------------- choice worlds


@functools.cache
def biased_sessions():
    timing = {"quiescence": 100, "go_cue": 100, "decision": 100}
    return sessions(nj.make(BIASED, timing=timing), 64, 2 * 1000)


def truncated_exponential(k, mean=60.0, low=20.0, high=100.0):
    """P(length <= k) of a block's length in whole trials."""
    return np.clip(np.expm1((low - np.clip(k + 1, low, high)) / mean) / np.expm1((low - high) / mean), 0, 1)


def test_biased_blocks():
    seen, _ = biased_sessions()
    p_left = seen["p_left"]
    assert np.all(p_left[:, :90] == 0.5)
    assert np.all(np.isclose(p_left[:, 90:], 0.2) | np.isclose(p_left[:, 90:], 0.8))
    lengths = np.concatenate([row[1:] for row in runs(p_left)])
    assert all(row[0] == 90 for row in runs(p_left))
    assert len(lengths) > 800
    assert lengths.min() >= 20
    assert lengths.max() <= 100
    edges = np.array([19, 25, 32, 40, 50, 60, 75, 99])
    # Only blocks that begin early: late ones are seen to their end if they are short.
    whole = np.concatenate([row[1:8] for row in runs(p_left)])
    counts = np.histogram(whole, bins=edges + 0.5)[0]
    expected = np.diff(truncated_exponential(edges.astype(float)))
    assert stats.chisquare(counts, counts.sum() * expected / expected.sum()).pvalue > 1e-3
    flat = np.diff(edges) / np.diff(edges).sum()
    assert stats.chisquare(counts, counts.sum() * flat).pvalue < 1e-6  # no uniform law
    pmf = nj.make(BIASED).length_probabilities()
    np.testing.assert_allclose(np.cumsum(pmf), truncated_exponential(np.arange(1.0, 101)), atol=1e-6)
    # either side is the first to be likelier
    assert share(p_left[:, 90] > 0.5, 0.5) > 1e-3


def test_sides_and_contrasts_follow_the_block():
    seen, _ = biased_sessions()
    left = seen["ground_truth"] == 0
    for p in (0.2, 0.5, 0.8):
        for contrast in (0.0, 100.0):  # also where nothing is seen
            assert share(left[np.isclose(seen["p_left"], p) & (seen["contrast"] == contrast)], p) > 1e-3
    assert share(left[np.isclose(seen["p_left"], 0.8)], 0.75) < 1e-6
    levels = [0.0, 6.25, 12.5, 25.0, 100.0]
    counts = [np.sum(seen["contrast"] == level) for level in levels]
    assert sum(counts) == seen["contrast"].size
    weights = np.array([0.5, 1, 1, 1, 1]) / 4.5
    assert stats.chisquare(counts, sum(counts) * weights).pvalue > 1e-3
    assert stats.chisquare(counts, np.full(5, sum(counts) / 5)).pvalue < 1e-6


def test_the_wheel_is_held_before_the_grating():
    batch = nj.render(nj.make(BASIC, sigma=0), KEY, 256, devices=1, contrast=50)
    quiet = np.asarray(batch.periods)[:, 0, 1]
    assert set(quiet.tolist()) == {4, 5, 6}  # 400 to 700 ms
    for frames, on, side in zip(
        np.asarray(batch.inputs), quiet, np.asarray(batch.conditions["ground_truth"]), strict=True
    ):
        assert not frames[:on].any()
        assert frames[on : on + 2, 0].tolist() == [1, 0]
        np.testing.assert_array_equal(frames[on : on + 10, 1 + side], 0.5)
        assert not frames[:, 2 - side].any()
    # who moves at once pays for each step, and goes on, or begins anew
    given = {"ground_truth": 0, "quiescence": 500}
    free = nj.play(nj.make(BASIC), KEY, 1, policy=1, devices=1, **given).result
    assert (int(free.outcome[0]), int(free.response_step[0])) == (nj.Outcome.CORRECT, 5)
    assert float(free.reward[0]) == pytest.approx(1 - 5 * 0.1)
    strict = nj.play(nj.make(BASIC, abort=True), KEY, 1, policy=1, devices=1, **given).result
    assert (int(strict.outcome[0]), int(strict.response_step[0])) == (nj.Outcome.ABORT, 0)


def test_aborted_trials_do_not_count():
    for id, conditions in ((BIASED, {}), (BASIC, {"contrast": 100.0})):
        task = nj.make(id, preset="paper")
        memory = memory_of(task)
        draw = Draw(Chance(key_words(KEY), jnp.uint32(0)), "next", 5)
        after = lambda outcome, t=task, m=memory, d=draw, c=conditions: t.next_memory(
            m, trial_of(**c), result_of(outcome), d
        )
        assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), after(nj.Outcome.ABORT), memory))
        assert not jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.all(a == b)), after(nj.Outcome.ERROR), memory))


def test_errors_at_high_contrast_are_repeated():
    task = nj.make(BASIC, debias=True)
    draw = Draw(Chance(key_words(KEY), jnp.uint32(0)), "next", 5)
    after = lambda contrast, outcome, t=task: float(
        t.next_memory(memory_of(t), trial_of(contrast=contrast), result_of(outcome), draw)["again"]
    )
    assert after(50.0, nj.Outcome.ERROR) == after(50.0, nj.Outcome.MISS) == 50
    assert after(25.0, nj.Outcome.ERROR) == after(100.0, nj.Outcome.CORRECT) == -1
    assert after(100.0, nj.Outcome.ERROR, nj.make(BASIC)) == -1

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, None))
    def next_trial(lane, choices):
        memory = {"again": jnp.float32(50), "choices": choices}
        return task.conditions(Draw(Chance(key_words(KEY), lane), "trial", 9, None, task.laws, task.dt), memory)

    for choices in ([1] * 10, [0] * 5 + [1, 1, 1, 1, 2], [0] * 10):
        seen = next_trial(jnp.arange(4096, dtype=jnp.uint32), jnp.asarray(choices, jnp.int32))
        assert set(seen["contrast"].tolist()) == {50}
        given = [c for c in choices if c]
        left = given.count(1) / len(given) if given else 0.5
        right = np.asarray(seen["ground_truth"]) == 1
        assert share(right, float(ndtr((left - 0.5) / 0.5))) > 1e-3
    assert share(right, 0.6) < 1e-6


# ---------------------------------------------------------------------- ideal observers of blocks


def test_the_ideal_observer_with_a_prior():
    m = np.array([0.0, 0.5, 2.0])
    rng = np.random.default_rng(1)
    for prior in (0.5, 0.8, 0.95):
        sign = np.where(rng.random(400_000) < prior, 1, -1)
        x = sign * rng.choice(m, sign.size) + rng.standard_normal(sign.size)
        positive, negative = (sum(np.exp(s * k * x - k**2 / 2) for k in m) for s in (1, -1))
        chosen = np.where(prior * positive > (1 - prior) * negative, 1, -1)
        assert accuracy_with_prior(prior, m)[0] == pytest.approx(np.mean(chosen == sign), abs=2.5e-3)
    assert accuracy_with_prior(0.8, np.zeros(2))[0] == pytest.approx(0.8)
    assert accuracy_with_prior(0.5, m)[0] == pytest.approx(np.mean(ndtr(m)))


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_the_ideal_observer_of_a_grating(sigma):
    task = nj.make(BIASED, sigma=sigma)
    contrasts, weights = np.array([100, 25, 12.5, 6.25, 0]) / 100, np.array([1, 1, 1, 1, 0.5]) / 4.5
    s = sigma / math.sqrt(1000)
    rng = np.random.default_rng(2)
    count = 200_000
    for prior in (0.5, 0.8):
        left = rng.random(count) < prior
        c = rng.choice(contrasts, count, p=weights)
        x = np.stack([np.where(left, c, 0), np.where(left, 0, c)]) + s * rng.standard_normal((2, count))
        odds = [
            sum(w * np.exp((k * side - k**2 / 2) / s**2) for k, w in zip(contrasts, weights, strict=True)) for side in x
        ]
        correct = (prior * odds[0] > (1 - prior) * odds[1]) == left
        assert task.accuracy(prior)[0] == pytest.approx(correct.mean(), abs=4.5 * math.sqrt(0.1 / count))
    assert task.accuracy(0.5)[0] == pytest.approx(float(weights @ ndtr(contrasts / s / math.sqrt(2))), abs=1e-6)
    assert task.set(sigma=0).accuracy(0.8)[0] == pytest.approx(1 - 0.2 * 0.5 / 4.5)
    # the psychometric curve is neither flat nor a step: its slope is finite
    curve = ndtr(contrasts / s / math.sqrt(2))
    assert np.sum((curve > 0.55) & (curve < 0.999)) >= 2


def test_reference_numbers_of_blocks():
    numbers = nj.make(IBL20).references()
    assert numbers["ideal"] == pytest.approx(0.940, abs=1e-3)
    assert numbers["ideal_without_prior"] == pytest.approx(0.896, abs=1e-3)
    assert numbers["blind"] == pytest.approx(0.8)
    unbiased = nj.make(IBL20, bias=0.5).references()
    assert unbiased["ideal"] == pytest.approx(unbiased["ideal_without_prior"])
    ibl = nj.make("IBL-v0").references()["ideal"]
    levels = np.array([1.6, 3.2, 6.4, 12.8, 25.6, 51.2]) / 100
    assert ibl == pytest.approx(np.mean(ndtr(levels / math.sqrt(2) / 0.1)), abs=1e-6)
    numbers = nj.make(BIASED).references()
    assert numbers["ideal"] - numbers["ideal_without_prior"] > 0.02
    assert nj.make(BIASED, rewards={"correct": 0.0}).references().keys() == {"random", "ideal_without_prior"}


def test_blocks_are_inferred_from_rewards():
    # One kind only: nothing to infer. Two certain kinds: a coin in the first trial, then known.
    assert nj.make(BLOCK, probs=[[0.3, 0.7]]).references()["blind"] == pytest.approx(0.7)
    assert nj.make(BLOCK, probs=[[1, 0], [0, 1]], block_size=10).references()["blind"] == pytest.approx(0.95)
    task = nj.make(BLOCK, block_size=30)
    rng, blind = np.random.default_rng(5), []
    for _ in range(4000):
        p = rng.choice([0.2, 0.8, 0.5])
        sides, belief = rng.random(30) < p, np.full(3, 1 / 3)
        for left in sides:
            expected = belief @ [0.2, 0.8, 0.5]
            blind.append((expected > 0.5) == left)
            belief = belief * np.where(left, [0.2, 0.8, 0.5], [0.8, 0.2, 0.5])
            belief /= belief.sum()
    assert task.references()["blind"] == pytest.approx(np.mean(blind), abs=4.5 * math.sqrt(0.22 / 120_000) + 1e-3)
    long_ = nj.make(BLOCK, block_size=100_000).references()
    assert long_["blind"] == pytest.approx((0.8 + 0.8 + 0.5) / 3, abs=2e-3)
    # Blocks of known length are known for sure; of an uncertain side there is nothing to know.
    fixed = nj.make(BIASED, block_min=30, block_max=30)
    np.testing.assert_allclose(np.mean(fixed.expectations()), 0.8, atol=2e-3)
    np.testing.assert_allclose(nj.make(BIASED, bias=0.5).expectations(), 0.5)
    assert 0.7 < np.mean(nj.make(BIASED).expectations()) < 0.8


# ---------------------------------------------------------------------- environments that change


def test_contexts_change_as_often_as_stated():
    seen, _ = sessions(nj.make(CHANGING, timing=SHORT, cxt_ch_prob=0.1), 64, 2 * 300)
    changes = np.diff(seen["context"], axis=1) != 0
    assert share(changes, 0.1) > 1e-3
    assert share(changes, 0.12) < 1e-6
    assert share(seen["context"][:, 0], 0.5) > 1e-3
    np.testing.assert_array_equal(seen["ground_truth"], seen["side"] + 2 * seen["context"])
    seen, run = sessions(nj.make(SWITCH), 64, 300)
    changes = np.diff(seen["context"], axis=1) != 0
    assert share(changes, 0.1) > 1e-3
    assert share(changes, 0.12) < 1e-6
    np.testing.assert_array_equal(seen["ground_truth"], seen["cue"] ^ seen["context"])
    np.testing.assert_array_equal(np.argmax(run.observations, axis=2), seen["cue"])


def test_staying_with_the_context_that_was_rewarded_is_ideal():
    def policy(carry, obs, first, key):
        return carry, jnp.argmax(obs).astype(jnp.int32)

    seen, run = sessions(nj.make(SWITCH), 64, 300, policy)  # always answers as in context 0
    known = 1 - np.asarray(run.rewards).astype(int)  # the context, as success and failure tell it
    np.testing.assert_array_equal(known, seen["context"])
    assert share(known[:, :-1] == seen["context"][:, 1:], nj.make(SWITCH).references()["ideal"]) > 1e-3
    assert nj.make(SWITCH, p_switch=0.7).references()["ideal"] == pytest.approx(0.7)
    assert nj.make(SWITCH, rewards={"correct": 0.0}).references()["ideal"] == 0.5


def test_the_context_cue_and_the_evidence_have_their_own_channels():
    task = nj.make(CHANGING, cxt_cue=True, sigma=0, timing={"fixation": 200, "stimulus": 200, "decision": 100})
    batch = nj.render(task, KEY, 4, devices=1, side=[1, 2, 1, 2], context=[0, 0, 1, 1], coherence=100)
    shown = task.channels.split(np.asarray(batch.inputs))
    np.testing.assert_array_equal(shown["context"][..., 0], np.array([[0] * 5, [0] * 5, [1] * 5, [1] * 5]))
    np.testing.assert_array_equal(shown["stimulus"][:, 2], [[1, 0], [0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(shown["fixation"][..., 0], [[1, 1, 0, 0, 0]] * 4)
    # NeuroGym shows the stronger evidence beside its channel, and nothing of the context in the fixation period
    there = parity.load(parity.DATA / "ce-cue.npz")
    strong = (there.condition("coh") > 50) & (there.condition("side") == 1)
    frames = there.arrays["frames"][strong]
    assert np.all(frames[:, 3, 1] > 0.7)
    assert not frames[:, 0, 0].any()


def test_reference_numbers_of_changing_environments():
    task = nj.make(CHANGING, timing={"stimulus": 1000})
    judged = np.mean(ndtr(np.array([0, 6.4, 12.8, 25.6, 51.2]) / 100 * math.sqrt(500)))
    assert np.mean(task.confidences()) == pytest.approx(judged, abs=1e-3)
    assert task.set(cxt_cue=True).references()["ideal"] == pytest.approx(judged, abs=1e-3)
    # A context that never changes is soon known; one that changes at every other trial never is.
    assert task.set(cxt_ch_prob=0).references()["ideal"] == pytest.approx(judged, abs=4e-3)
    assert task.set(cxt_ch_prob=0.5).references()["ideal"] == pytest.approx(judged / 2, abs=4e-3)
    assert task.set(cxt_ch_prob=0.5).references()["blind"] == pytest.approx(0.25, abs=2e-3)
    sure = task.set(sigma=0, coherences=[50.0], cxt_ch_prob=0.2)
    assert sure.references()["ideal"] == pytest.approx(0.8, abs=4e-3)  # success and failure tell the context
    assert task.set(rewards={"correct": 0.0}).references()["blind"] == 0.25


# ---------------------------------------------------------------------- structural priors


@functools.cache
def prior_sessions():
    task = nj.make(PRIORS, timing=SHORT, n_ch=4, ctx_dur=25, block_nch=75, prob_12=0.4, zero_irrelevant_stim=True)
    return task, *sessions(task, 128, 2 * 300)


def test_choices_follow_each_other_by_the_context():
    _, seen, _ = prior_sessions()
    n, context, truth, previous = (seen[k] for k in ("n_alternatives", "context", "ground_truth", "previous"))
    assert np.all(truth < n)
    same_block = np.arange(1, 300) % 75 != 0
    np.testing.assert_array_equal(previous[:, 1:][:, same_block], truth[:, :-1][:, same_block])
    likely = (previous + np.array([0, 1, -1])[context]) % n
    for k in (2, 3, 4):
        for c in range(2 if k == 2 else 3):
            where = (n == k) & (context == c)
            hits = truth[where] == likely[where]
            assert share(hits, 0.8) > 1e-3
            assert share(hits, 0.7) < 1e-6
    where = (n == 4) & (truth != likely)
    others = (truth - likely)[where] % 4
    assert stats.chisquare(np.bincount(others, minlength=4)[1:]).pvalue > 1e-3
    assert np.all(context[n == 2] < 2)
    # repetitions: .8 in the repeating context, .2 in the alternating one
    repeats = truth == previous
    assert share(repeats[(n == 2) & (context == 1)], 0.2) > 1e-3


def test_contexts_and_alternatives_last_as_long_as_stated():
    _, seen, _ = prior_sessions()
    for name, size in (("n_alternatives", 75), ("context", 25)):
        values = seen[name][:, ::size]
        np.testing.assert_array_equal(np.repeat(values, size, axis=1), seen[name])
    numbers = seen["n_alternatives"][:, ::75].ravel()
    assert share(numbers == 2, 0.4) > 1e-3
    assert share(numbers[numbers > 2] == 3, 0.5) > 1e-3
    contexts = seen["context"][:, ::25]
    many = seen["n_alternatives"][:, ::25] > 2
    assert stats.chisquare(np.bincount(contexts[many], minlength=3)).pvalue > 1e-3
    hazard = nj.make(PRIORS, timing=SHORT, n_ch=4, ctx_dur=0, ctx_ch_prob=0.3, block_nch=10000, prob_12=0.0)
    seen, _ = sessions(hazard, 128, 2 * 300)
    # a new context is drawn among all three, so that it changes in two of three cases
    assert share(np.diff(seen["context"], axis=1) != 0, 0.2) > 1e-3


def test_the_last_action_and_reward_are_shown():
    task = nj.make(
        PRIORS,
        abort=True,
        timing={"fixation": 200, "stimulus": 100, "decision": 200},
        rewards={"fail": -0.7, "abort": -0.3},
    )
    run = nj.rollout(task, KEY, 64, 60, policy="random", devices=1).trajectory
    shown = task.channels.split(np.asarray(run.observations))
    np.testing.assert_array_equal(shown["action"][:, 1:, 0], np.asarray(run.actions)[:, :-1])
    np.testing.assert_allclose(shown["reward"][:, 1:, 0], np.asarray(run.rewards)[:, :-1])
    assert not shown["action"][:, 0].any()
    outcomes = set(np.asarray(run.results.outcome)[np.asarray(run.new_trial)].tolist())
    assert {nj.Outcome.CORRECT, nj.Outcome.ERROR, nj.Outcome.ABORT, nj.Outcome.MISS} <= outcomes
    plain = nj.make(PRIORS, pass_action=False, pass_reward=False)
    assert not plain.closed_loop
    assert plain.channels.sizes == (("fixation", 1), ("stimulus", 3))
    assert nj.make(PRIORS, ob_nch=True, ob_histblock=True).channels.size == 8


def test_coherences_grow_with_the_number_of_alternatives():
    task = nj.make(PRIORS, preset="paper")
    assert (task.n_ch, float(task.probs), float(task.ctx_ch_prob)) == (16, pytest.approx(0.8), pytest.approx(0.0125))
    drawn = draw_trials(task.set(coherences=[10.0], prob_12=0.5, n_ch=4), KEY, 256).conditions
    expected = 5 * (1.84665761 * np.log(drawn["n_alternatives"]) - 0.04102044)
    np.testing.assert_allclose(drawn["coherence"], expected, rtol=1e-5)


def test_reference_numbers_of_structural_priors():
    numbers = nj.make(PRIORS).references()
    assert numbers["ideal"] - numbers["blind"] > 0.15
    # NeuroGym's correlations leave little to see
    there = nj.make(PRIORS, probs=0.9).references()
    assert there["ideal"] - there["blind"] < 0.1
    # Two choices without correlations: each trial alone.
    task = nj.make(PRIORS, n_ch=2, probs=0.5, timing={"stimulus": 500})
    levels = np.array([0, 6.4, 12.8, 25.6, 51.2]) / 100 * (1.84665761 * math.log(2) - 0.04102044)
    assert task.references()["ideal"] == pytest.approx(np.mean(ndtr(levels * math.sqrt(250))), abs=5e-3)
    assert task.references()["blind"] == pytest.approx(0.5, abs=1e-6)
    # A context that never ends is known in the end; of one that is drawn at each trial nothing can be.
    lasting = nj.make(PRIORS, n_ch=2, ctx_dur=0, block_nch=100_000).references()["blind"]
    assert lasting == pytest.approx(0.8, abs=5e-3)
    fleeting = nj.make(PRIORS, n_ch=2, ctx_dur=1).references()["blind"]
    assert fleeting == pytest.approx(0.5, abs=1e-6)


def test_keywords_of_the_collection():
    task = nj.make(PRIORS, tr_hist_kwargs={"probs": 0.9}, var_nch_kwargs={"block_nch": 20}, dt=20)
    assert (float(task.probs), float(task.block_nch), task.dt) == (pytest.approx(0.9), 20, 20)
    with pytest.raises(UnknownName, match="death_prob"):
        nj.make(PRIORS, tr_hist_kwargs={"death_prob": 0.1})
    with pytest.raises(InvalidArgument, match="probs is given twice"):
        nj.make(PRIORS, tr_hist_kwargs={"probs": 0.9}, probs=0.8)


# ---------------------------------------------------------------------- shaping


@functools.cache
def _shaped():
    @jax.jit
    def run(task, script, choices):
        chance = Chance(key_words(KEY), jnp.uint32(0))

        def body(memory, now):
            success, choice, n = now
            conditions = task.conditions(Draw(chance, "trial", n, None, task.laws, task.dt), memory)
            outcome = jnp.where(success > 0, int(nj.Outcome.CORRECT), int(nj.Outcome.ERROR)).astype(jnp.int32)
            outcome = jnp.where(choice == 0, int(nj.Outcome.MISS), outcome)
            result = Result(choice, jnp.int32(0), jnp.float32(0), outcome, success)
            trial = task.trial(Drawn(conditions, {name: jnp.int32(1) for name in ("fixation", "stimulus", "decision")}))
            after = task.next_memory(memory, trial, result, Draw(chance, "next", n))
            return after, (conditions, after)

        steps = jnp.arange(script.shape[0], dtype=jnp.int32)
        memory = jax.tree.map(jnp.asarray, task.init_memory(Draw(chance, "start")))
        return jax.lax.scan(body, memory, (script, choices, steps))[1]

    return run


def shaped(task, script, choices=None):
    """Conditions of each trial, and the memory after it, of a subject that succeeds as scripted."""
    choices = np.where(np.arange(len(script)) % 2, 1, 2) if choices is None else choices
    size = 400  # one compilation
    pad = lambda x, dtype: jnp.asarray(np.pad(np.asarray(x, dtype), (0, size - len(x))))
    out = _shaped()(task, pad(script, np.float32), pad(choices, np.int32))
    return jax.tree.map(lambda x: np.asarray(x)[: len(script)], out)


FAST = {"trials_day": 20, "perf_len": 5}


def test_a_perfect_subject_goes_through_the_stages():
    conditions, _ = shaped(nj.make(SHAPING, **FAST), [1] * 200)
    stage = conditions["stage"]
    # two good days a stage; delays reach their full length within the first day of stage 3
    np.testing.assert_array_equal(np.flatnonzero(np.diff(stage)) + 1, [40, 80, 120, 160])
    assert stage.tolist() == sorted(stage.tolist())
    share_ = conditions["share"]
    np.testing.assert_array_equal(np.flatnonzero(np.diff(share_)) + 1, [120, 126, 132, 138])
    np.testing.assert_allclose(np.unique(share_), [0, 0.25, 0.5, 0.75, 1])
    in_3, full = stage == 3, share_ == 1
    assert set(conditions["delay"][in_3 & (share_ == 0.25)].tolist()) <= {250, 750}
    assert set(conditions["delay"][in_3 & full].tolist()) == {1000, 3000}
    assert np.all(conditions["delay"][stage < 3] == 0)
    assert np.all(conditions["delay"][stage == 4] >= 1000)
    assert np.all(conditions["coherence"][stage < 4] == 100)
    assert len(set(conditions["coherence"][stage == 4].tolist())) == 5
    # with the defaults, a day has 300 trials, so nothing happens in 400; no days kept: one good day a stage
    assert not shaped(nj.make(SHAPING, perf_len=5), [1] * 400)[0]["stage"].any()
    hasty = shaped(nj.make(SHAPING, keep_days=0, **FAST), [1] * 100)[0]["stage"]
    np.testing.assert_array_equal(np.flatnonzero(np.diff(hasty)) + 1, [20, 40, 60, 80])


def test_a_poor_subject_stays():
    rng = np.random.default_rng(0)
    assert not shaped(nj.make(SHAPING, **FAST), rng.random(300) < 0.5)[0]["stage"].any()
    # good days must follow each other
    alternating = np.repeat([1, 0] * 8, 20)
    assert not shaped(nj.make(SHAPING, **FAST), alternating)[0]["stage"].any()
    # at the threshold, a day is good
    assert shaped(nj.make(SHAPING, **FAST), ([1] * 14 + [0] * 6) * 3)[0]["stage"][-1] == 1
    assert shaped(nj.make(SHAPING, **FAST), ([1] * 13 + [0] * 7) * 3)[0]["stage"][-1] == 0


def test_stages_follow_performance_as_in_neurogym():
    for name, there in notes("cv-early-stages").items():
        _, memory = shaped(nj.make(SHAPING, **FAST), there["script"])
        stages = np.asarray([0, 1, 2, 3, 4])[memory["index"]]
        stages = np.where(memory["reminder"], 1, stages)
        np.testing.assert_array_equal(stages, there["stages"], err_msg=name)
        np.testing.assert_allclose(memory["share"], there["shares"], err_msg=name)
    there = notes("cv-early-stages")
    assert np.any(np.diff(there["falls back"]["stages"]) < 0)
    assert np.any(np.diff(there["delays shrink"]["shares"]) < 0)


def test_stages_may_be_left_out():
    task = nj.make(SHAPING, stages=[0, 2, 4], **FAST)
    stage = shaped(task, [1] * 130)[0]["stage"]
    assert list(dict.fromkeys(stage.tolist())) == [0, 2, 4]
    # without stage 1 there is nothing to fall back to
    assert set(shaped(task, [1] * 41 + [0] * 60)[0]["stage"][41:].tolist()) == {2}
    assert set(shaped(nj.make(SHAPING, th_stage=-1, **FAST), [0] * 50)[0]["stage"].tolist()) == {4}


def test_no_side_pays_more_than_three_times_in_a_row():
    choices = [1, 1, 1, 1, 2, 2, 2, 0, 0, 2, 1]
    barred = shaped(nj.make(SHAPING, **FAST), [1] * len(choices), choices)[0]["barred"]
    # trials without a choice do not count (in NeuroGym they repeat the last one)
    assert barred.tolist() == [0, 0, 0, 1, 1, 0, 0, 2, 2, 2, 2]
    batch = nj.render(nj.make(SHAPING), KEY, 2, devices=1, stage=0, barred=[1, 2])
    assert batch.conditions["ground_truth"].tolist() == [2, 1]
    given = {"stage": 0, "ground_truth": 1}
    task = nj.make(SHAPING)
    free = nj.play(task, KEY, 2, policy=2, devices=1, barred=[0, 2], **given).result
    assert free.performance.tolist() == [1, 0]
    assert free.outcome.tolist() == [nj.Outcome.CORRECT, nj.Outcome.ERROR]


def test_in_the_retry_stage_the_first_answer_counts():
    # wrong, then right: rewarded, but no success; NeuroGym takes it for one when it judges the stage
    def stubborn(carry, obs, first, key):
        return carry + 1, jnp.where(carry > 13, 1, 2).astype(jnp.int32)

    task = nj.make(SHAPING, rewards={"abort": 0.0})
    played = nj.play(task, KEY, 2, policy=stubborn, carry=jnp.int32(0), devices=1, stage=[1, 2], ground_truth=1).result
    assert played.reward.tolist() == [1, -1]
    assert played.performance.tolist() == [0, 0]
    assert played.outcome.tolist() == [nj.Outcome.ERROR, nj.Outcome.ERROR]
    assert int(played.response_step[0]) == int(played.response_step[1]) + 1


def test_reference_numbers_of_the_last_stage():
    numbers = nj.make(SHAPING).references()
    expected = np.mean(ndtr(np.array([0, 6.4, 12.8, 25.6, 51.2]) / 100 * math.sqrt(550)))
    assert numbers["ideal"] == pytest.approx(expected, abs=1e-6)
    assert nj.make(SHAPING, stages=[0, 1, 2]).references()["ideal"] == 1


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("id", "keywords", "message"),
    [
        (IBL20, {"block_size": 1.5}, "block_size must be a whole number of trials, got 1.5"),
        (IBL20, {"dim_ring": 3}, "dim_ring must be"),
        (BLOCK, {"probs": [[0.2, 0.7]]}, "probs must hold rows of two probabilities that sum to 1"),
        (BIASED, {"block_min": 50, "block_max": 40}, "block_min must not exceed block_max, got 50 and 40"),
        (BIASED, {"contrasts": [0.0], "zero_weight": 0}, "one of the weights, or zero_weight"),
        (BASIC, {"contrasts": [120.0]}, "contrasts must be"),
        (CHANGING, {"cxt_ch_prob": 1.5}, "cxt_ch_prob must be"),
        (SWITCH, {"p_switch": -1}, "p_switch must be"),
        (PRIORS, {"ctx_dur": 0.5}, "ctx_dur must be a whole number of trials, got 0.5"),
        (PRIORS, {"timing": {"stimulus": ("truncated_exponential", (330, 80, 1500))}}, "lasts no step at dt=100"),
        (SHAPING, {"stages": [2, 1]}, "stages must be whole and rising"),
        (SHAPING, {"delay_durs": [1000.0]}, "delay_durs must hold two durations"),
        (SHAPING, {"delay_durs": [200.0, 3000.0]}, "a delay of 50 ms lasts no step at dt=100"),
        (SHAPING, {"trials_day": 2.5}, "trials_day must be a whole number, got 2.5"),
    ],
)
def test_bad_parameters_are_refused(id, keywords, message):
    with pytest.raises(InvalidArgument, match=message):
        nj.make(id, **keywords)
