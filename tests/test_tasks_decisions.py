"""Decisions on evidence: motion with a delay, contexts, two senses, pulses, shapes, clicks, wagers, and nothing."""

import itertools
import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, ndtr

import neurojax as nj
from helpers import draw_trials
from neurojax.errors import InvalidArgument, UnknownName
from neurojax.tasks.observers import best_guess, direction_accuracy

KEY = jax.random.key(17)
TRIALS = 8192
DELAYED = "PerceptualDecisionMakingDelayResponse-v0"
CONTEXT = "ContextDecisionMaking-v0"
MULTI = "MultiSensoryIntegration-v0"
PULSES = "PulseDecisionMaking-v0"
SHAPES = "ProbabilisticReasoning-v0"
CLICKS = "PoissonClicks-v0"
WAGER = "PostDecisionWager-v0"
SHORT = {"fixation": 100, "stimulus": 500, "delay": 100, "decision": 100}


def near(p, n=TRIALS, z=4.5):
    """How far a share of `n` trials may lie from `p`."""
    return pytest.approx(p, abs=z * math.sqrt(max(p * (1 - p), 1e-3) / n))


def played(task, policy, n=256, carry=(), **given):
    result = nj.play(task, KEY, n, policy=policy, carry=carry, devices=1, **given).result
    return jax.tree.map(np.asarray, result)


@pytest.mark.parametrize(
    ("id", "ideal", "blind", "random"),
    [
        (DELAYED, 0.886, 0.5, 0.5),
        (CONTEXT, 0.941, 0.5, 0.333),
        (MULTI, 0.907, 0.5, 0.333),
        (PULSES, 0.960, 0.5, 0.5),
        (SHAPES, 0.915, 0.5, 0.498),
        (CLICKS, 0.993, 0.5, 0.5),
        (WAGER, 0.807, 0.6, 0.338),
    ],
)
def test_reference_numbers(id, ideal, blind, random):
    found = nj.make(id).references()
    assert (found["ideal"], found["blind"], found["random"]) == pytest.approx((ideal, blind, random), abs=7e-4)


def test_random_actions_by_simulation():
    """Where early responses end the trial, and where the sure target is one of the choices."""
    timing = {"fixation": 100, "stimulus": 100, "delay": [100, 200], "decision": 300}
    for task in (
        nj.make(DELAYED, abort=True, timing=timing),
        nj.make(WAGER, abort=True, strict_fixation=False, timing={**timing, "pre_sure": 0}),
        nj.make(WAGER, strict_fixation=True, rewards={"sure": 0.4}, timing={**timing, "pre_sure": 0}),
    ):
        performance = played(task, "random", TRIALS).performance
        assert np.mean(performance) == near(task.references()["random"])


# ---------------------------------------------------------------------- motion, delayed


def test_delayed_motion_is_integrated_over_the_stimulus():
    keywords = (("stim_scale", 0.5), ("sigma", 1.3), ("timing", SHORT))
    task = nj.make(DELAYED, **dict(keywords))
    batch = nj.render(task, KEY, TRIALS, devices=1)
    seen, conditions = np.asarray(batch.inputs), batch.conditions
    coherence, truth = np.asarray(conditions["coherence"]), np.asarray(conditions["ground_truth"])
    np.testing.assert_allclose(sorted(set(coherence.tolist())), [0, 3.2, 6.4, 12.8, 25.6], rtol=1e-6)
    right = (seen[:, :, 2].sum(axis=1) > seen[:, :, 1].sum(axis=1)) == (truth == 2)
    assert np.mean(right) == near(task.references()["ideal"])
    for c in (3.2, 12.8):
        chosen = np.isclose(coherence, c)
        assert np.mean(right[chosen]) == near(float(ndtr(c / 100 * math.sqrt(250) / 1.3)), chosen.sum())


def test_a_choice_held_through_the_delay_costs():
    """NeuroGym's fixation period lasts no step, so that early responses are free there."""
    task = nj.make(DELAYED, timing={"delay": 500})
    held = played(task, 1, ground_truth=1)
    # 11 steps of stimulus and 5 of delay, each at -.1; then the choice is right
    np.testing.assert_allclose(held.reward, 1 - 1.6, atol=1e-5)
    assert np.all(held.outcome == nj.Outcome.CORRECT)
    paper = nj.make(DELAYED, preset="paper", timing={"delay": 500})
    ended = played(paper, 1, ground_truth=1)
    assert np.all(ended.outcome == nj.Outcome.ABORT)
    assert np.all(ended.response_step == 0)
    np.testing.assert_allclose(ended.reward, -0.1, atol=1e-6)


# ---------------------------------------------------------------------- free reaction times


def test_roitman_is_motion_with_free_reaction_times():
    task = nj.make("perceptualdecisionmaking.roitman02-v0", dt=50, sigma=0.5, urgency=-0.01)
    same = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0", dt=50, sigma=0.5), urgency=-0.01)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(task), jax.tree.leaves(same), strict=True))
    a, b = (played(t, "random", 64) for t in (task, same))
    assert all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    again = nj.make("perceptualdecisionmaking.roitman02-v0", **task.set(urgency=-0.5).settings())
    assert jax.tree.structure(again) == jax.tree.structure(task)
    assert float(again.urgency) == -0.5
    paper = nj.make("perceptualdecisionmaking.roitman02-v0", preset="paper").base
    np.testing.assert_allclose(paper.coherences, [0, 3.2, 6.4, 12.8, 25.6, 51.2], rtol=1e-6)
    assert paper.strict_fixation
    own = nj.make("perceptualdecisionmaking.roitman02-v0", preset="paper", cohs=[10.0]).base
    assert own.coherences.tolist() == [10]
    with pytest.raises(UnknownName):
        nj.make("perceptualdecisionmaking.roitman02-v0", preset="article")


# ---------------------------------------------------------------------- contexts and senses


@cache
def contexts():
    task = nj.make(CONTEXT, preset="paper", timing={"delay": (100, 200, 300)}, cohs=[5.0, 15.0])
    return task, jax.tree.map(np.asarray, nj.render(task, KEY, TRIALS, devices=1))


def test_the_context_says_which_modality_counts():
    task, batch = contexts()
    conditions, total = batch.conditions, batch.inputs.sum(axis=1)
    sides = np.stack([total[:, 2] - total[:, 1], total[:, 4] - total[:, 3]], axis=1) > 0
    cued = batch.inputs[:, 0, 5:].argmax(axis=1)
    np.testing.assert_array_equal(cued, conditions["context"])
    assert stats.binomtest(int(cued.sum()), TRIALS).pvalue > 1e-3
    truth, lanes = conditions["ground_truth"] == 2, np.arange(TRIALS)
    assert np.mean(sides[lanes, cued] == truth) == near(task.references()["ideal"])
    # The other modality tells nothing of the truth, but of its own direction.
    assert np.mean(sides[lanes, 1 - cued] == truth) == near(0.5)
    assert np.mean(sides[lanes, 1 - cued] == (conditions["other_choice"] == 2)) > 0.8
    weak = (cued == 1) & (conditions["coherence_2"] == 5)  # the cued modality has the coherence of its own name
    assert np.mean(sides[weak, 1] == truth[weak]) == near(float(ndtr(0.05 * math.sqrt(350))), weak.sum())


def test_the_end_of_fixation_is_the_go_cue():
    """In NeuroGym fixation ends with the fixation period, and nothing announces the decision."""
    _, batch = contexts()
    assert len(set(batch.lengths.tolist())) == 3
    np.testing.assert_array_equal(batch.inputs[..., 0] == 1, batch.mask & (batch.targets == 0))
    assert nj.solvable(nj.make(CONTEXT))


def test_an_implicit_context_is_always_the_same():
    for modality in (0, 1):
        task = nj.make(CONTEXT, impl_context_modality=modality, sigma=0, timing=SHORT)
        assert task.channels.size == 5
        batch = nj.render(task, KEY, 64, devices=1)
        assert np.all(np.asarray(batch.conditions["context"]) == modality)
        shown = np.asarray(batch.inputs)[:, 3, 1 + 2 * modality :][:, :2].argmax(axis=1)
        np.testing.assert_array_equal(shown + 1, batch.conditions["ground_truth"])


def test_two_senses_add_up():
    task = nj.make(MULTI, cohs=[5.0, 15.0])
    batch = nj.render(task, KEY, TRIALS, devices=1)
    total, truth = np.asarray(batch.inputs).sum(axis=1), np.asarray(batch.conditions["ground_truth"]) == 0
    both, one = total[:, 1] + total[:, 3] - total[:, 2] - total[:, 4], total[:, 1] - total[:, 2]
    ideal = task.references()["ideal"]
    expected = np.mean([ndtr(c / 200 * math.sqrt(700)) for c in (5, 15)])
    assert ideal == pytest.approx(expected, abs=1e-6)
    assert np.mean((both > 0) == truth) == near(ideal)
    assert np.mean((one > 0) == truth) < ideal - 0.05
    # Fixation is under the same noise, while the stimulus is on.
    fixation = np.asarray(batch.inputs)[:, :, 0]
    assert np.std(fixation[:, 3:10]) == pytest.approx(0.1, rel=0.02)
    np.testing.assert_array_equal(fixation[:, :3], 1)
    np.testing.assert_array_equal(fixation[:, 10], 0)


def test_two_senses_on_a_ring():
    """The best observer averages over all ways to share the coherence, and beats the sum of both."""
    task = nj.make(MULTI, dim_ring=4, cohs=[10.0])
    rng, theta, count = np.random.default_rng(3), np.arange(4) * math.pi / 2, 40000
    tuning, strength = np.cos(theta - theta[:, None]), 0.05 * math.sqrt(700)
    truth, share = rng.integers(4, size=count), rng.random(count)
    one, two = (tuning[truth] * (strength * s)[:, None] + rng.standard_normal((count, 4)) for s in (share, 1 - share))
    a, b = (strength * (x @ tuning.T) for x in (one, two))
    evidence = sum(
        np.exp(q * a + (1 - q) * b - strength**2 * (q**2 + (1 - q) ** 2)) for q in (np.arange(12) + 0.5) / 12
    )
    best, summed = (np.mean(x.argmax(axis=1) == truth) for x in (evidence, a + b))
    assert task.ideal_accuracy(700) == pytest.approx(best, abs=6e-3)
    assert task.ideal_accuracy(700) > summed + 4e-3
    assert task.ideal_accuracy(0) == 0.25
    assert task.set(sigma=0).ideal_accuracy(700) == 1


# ---------------------------------------------------------------------- pulses


def best_of_pulses(p, n, hidden):
    """The best accuracy over all trials of `n` bins, of which each is seen or not, by enumeration."""
    best = 0.0
    for mask in itertools.product([0, 1], repeat=n):
        chance = np.prod([1 - hidden if m else hidden for m in mask])
        seen = {}
        for side in (0, 1):
            one, other = p if side == 0 else p[::-1]
            for pulses in itertools.product([0, 1], repeat=2 * n):
                left, right = pulses[:n], pulses[n:]
                weight = 0.5 * np.prod([one if x else 1 - one for x in left])
                weight *= np.prod([other if x else 1 - other for x in right])
                view = tuple(x for x, m in zip(zip(left, right, strict=True), mask, strict=True) if m)
                wins = 0.5 if sum(left) == sum(right) else float(sum(right) > sum(left))
                have = seen.setdefault(view, [0.0, 0.0])
                have[0] += weight * (1 - wins)
                have[1] += weight * wins
        best += chance * sum(max(have) for have in seen.values())
    return best


def test_the_ideal_counter_of_pulses_by_enumeration():
    assert nj.make(PULSES, n_bin=3).references()["ideal"] == pytest.approx(best_of_pulses((0.3, 0.7), 3, 0))
    task = nj.make(PULSES, n_bin=3, p_pulse=(0.6, 0.1), timing={"cue": [0, 10, 10]})
    assert task.references()["ideal"] == pytest.approx(best_of_pulses((0.6, 0.1), 3, 1 / 3), abs=1e-6)


def test_pulses_are_drawn_and_counted():
    timing = {"fixation": 10, "bin": 0, "decision": 10}
    task = nj.make(PULSES, p_pulse=(0.2, 0.7), timing=timing)
    batch = jax.tree.map(np.asarray, nj.render(task, KEY, TRIALS, devices=1))
    conditions = batch.conditions
    pulses = np.stack([conditions["pulse1"], conditions["pulse2"]], axis=1)
    np.testing.assert_array_equal(batch.inputs[:, 1:7, 1:], pulses.transpose(0, 2, 1))
    flipped = np.where(conditions["side"][:, None, None] == 0, pulses, pulses[:, ::-1])
    for side, p in enumerate((0.2, 0.7)):
        assert stats.binomtest(int(flipped[:, side].sum()), 6 * TRIALS, p).pvalue > 1e-3
        assert stats.binomtest(int(flipped[:, side].sum()), 6 * TRIALS, p + 0.02).pvalue < 1e-3
    assert stats.binomtest(int(conditions["side"].sum()), TRIALS).pvalue > 1e-3
    more = pulses[:, 1].sum(axis=1) - pulses[:, 0].sum(axis=1)
    np.testing.assert_array_equal(conditions["ground_truth"][more != 0], (more > 0)[more != 0])
    tied = conditions["ground_truth"][more == 0]
    assert stats.binomtest(int(tied.sum()), tied.size).pvalue > 1e-3
    guess = np.where(more == 0, 0.5, (more > 0) == conditions["ground_truth"])
    assert np.mean(guess) == near(task.references()["ideal"])


# ---------------------------------------------------------------------- shapes


def best_of_shapes(weights, n, hidden):
    """The best accuracy by enumeration, where each shape's own time lasts no step with the chance `hidden`."""
    best = 0.0
    for gone in itertools.product([0, 1], repeat=n):
        chance = np.prod([hidden if g else 1 - hidden for g in gone])
        seen = max((i + 1 for i in range(n) if not gone[i]), default=0)  # a shape stays until the last one goes
        views = {}
        for shapes in itertools.product(range(len(weights)), repeat=n):
            p = expit(sum(weights[s] for s in shapes) * math.log(10)) / len(weights) ** n
            have = views.setdefault(shapes[:seen], [0.0, 0.0])
            have[0] += p
            have[1] += 1 / len(weights) ** n - p
        best += chance * sum(max(have) for have in views.values())
    return best


def test_the_ideal_reasoner_by_enumeration():
    weights = [-1.0, -0.2, 0.5, 0.7]
    task = nj.make(SHAPES, shape_weight=weights, n_loc=3)
    assert task.references()["ideal"] == pytest.approx(best_of_shapes(weights, 3, 0), abs=1e-5)
    task = nj.make(SHAPES, shape_weight=weights, n_loc=3, timing={"stimulus": [0, 100]})
    assert task.references()["ideal"] == pytest.approx(best_of_shapes(weights, 3, 0.5), abs=1e-5)
    assert task.references()["blind"] == pytest.approx(best_of_shapes(weights, 3, 1), abs=1e-5)
    assert task.references()["blind"] != 0.5


def test_shapes_are_drawn_at_random_places_and_tell_the_odds():
    conditions = draw_trials(nj.make(SHAPES), KEY, 20000).conditions
    counts = np.unique(conditions["shapes"], return_counts=True)
    assert counts[0].tolist() == list(range(10)) and stats.chisquare(counts[1]).pvalue > 1e-3
    places, counts = np.unique(conditions["locs"], axis=0, return_counts=True)
    assert len(places) == 24 and all(sorted(p) == [0, 1, 2, 3] for p in places.tolist())
    assert stats.chisquare(counts).pvalue > 1e-3
    log_odd = np.asarray(nj.make(SHAPES).shape_weight)[conditions["shapes"]].sum(axis=1)
    np.testing.assert_allclose(conditions["log_odd"], log_odd, atol=1e-5)
    p, truth = expit(log_odd * math.log(10)), conditions["ground_truth"]
    for low, high in ((-3, -0.65), (-0.65, 0), (0, 0.65), (0.65, 3)):
        band = (log_odd >= low) & (log_odd < high)
        assert np.mean(truth[band]) == near(p[band].mean(), band.sum())
    # To the base of e instead of 10 the odds would be others.
    band = (log_odd > 0.3) & (log_odd < 1)
    assert np.mean(truth[band]) != near(expit(log_odd[band]).mean(), band.sum())


def test_shapes_stay_until_the_last_one_goes():
    timing = {"fixation": 100, "stimulus": 100, "delay": 100, "decision": 100}
    task = nj.make(SHAPES, n_loc=3, shape_weight=[-1.0, 1.0], timing=timing)
    batch = nj.render(task, KEY, 1, devices=1, shapes=[1, 0, 1], locs=[2, 0, 1])
    seen = np.asarray(batch.inputs[0])
    assert seen[:, 0].tolist() == [1, 1, 1, 1, 1, 0]
    shown = seen[:, 1:].reshape(6, 3, 2)
    assert shown[1].tolist() == [[0, 0], [0, 0], [0, 1]]
    assert shown[2].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert shown[3].tolist() == [[1, 0], [0, 1], [0, 1]]
    assert not shown[[0, 4, 5]].any()
    with pytest.raises(InvalidArgument, match="must lie in 0"):
        nj.render(task, KEY, 1, shapes=[2, 0, 1])


# ---------------------------------------------------------------------- clicks


@cache
def clicks():
    """Trials of one duration and one ratio of rates: 40 steps, 28 clicks of 32 from the one side."""
    task = nj.make(CLICKS, gammas=[math.log(7)], timing={"stimulus": 800})
    return task, jax.tree.map(np.asarray, nj.render(task, KEY, TRIALS, devices=1))


def test_clicks_are_poisson_and_their_difference_skellam():
    _, batch = clicks()
    conditions, seen = batch.conditions, batch.inputs[:, 10:50, 1:]
    np.testing.assert_array_equal(batch.inputs[..., 1:].sum(axis=1), conditions["clicks"])
    side = conditions["side"]
    assert stats.binomtest(int(side.sum()), TRIALS).pvalue > 1e-3
    many = np.where(side[:, None] == 1, seen[..., 1], seen[..., 0])
    few = np.where(side[:, None] == 1, seen[..., 0], seen[..., 1])
    for steps, mean in ((many, 0.7), (few, 0.1)):
        counts = np.bincount(np.minimum(steps.ravel(), 4).astype(int), minlength=5)
        expected = stats.poisson(mean).pmf(np.arange(5))
        expected[4] = 1 - expected[:4].sum()
        assert stats.chisquare(counts, expected * steps.size, ddof=0).pvalue > 1e-3
        wrong = stats.poisson(1.01 * mean).pmf(np.arange(5))
        wrong[4] = 1 - wrong[:4].sum()
        assert mean < 0.5 or stats.chisquare(counts, wrong * steps.size).pvalue < 1e-3
    # Steps and sides are independent of each other.
    limit = 4.5 / math.sqrt(TRIALS * 39)
    assert abs(np.corrcoef(many[:, 1:].ravel(), many[:, :-1].ravel())[0, 1]) < limit
    assert abs(np.corrcoef(many.ravel(), few.ravel())[0, 1]) < limit
    difference = many.sum(axis=1) - few.sum(axis=1)
    assert stats.kstest(difference + np.random.default_rng(0).random(TRIALS), _skellam(28, 4)).pvalue > 1e-3
    assert stats.kstest(difference + np.random.default_rng(0).random(TRIALS), _skellam(27, 5)).pvalue < 1e-3


def _skellam(a, b):
    """The distribution of a Skellam number, spread evenly over [k, k + 1)."""
    law = stats.skellam(a, b)

    def cdf(x):
        k = np.floor(x)
        return law.cdf(k - 1) + law.pmf(k) * (x - k)

    return cdf


def test_the_side_with_more_clicks_is_right():
    task = nj.make(CLICKS, gammas=[0.1], total_rate=10.0, timing={"stimulus": [200, 600]})
    conditions = draw_trials(task, KEY, TRIALS).conditions
    left, right = conditions["clicks"].T
    np.testing.assert_array_equal(conditions["ground_truth"][left != right], (right > left)[left != right])
    tied = conditions["ground_truth"][left == right]
    assert tied.size > 1000 and stats.binomtest(int(tied.sum()), tied.size).pvalue > 1e-3
    ties = np.mean([stats.skellam(t * expit(0.1), t * expit(-0.1)).pmf(0) for t in (2, 6)])
    assert tied.size / TRIALS == near(ties)
    assert task.references()["ideal"] == pytest.approx(1 - ties / 2, abs=1e-6)
    guess = np.where(left == right, 0.5, (right > left) == conditions["ground_truth"])
    assert np.mean(guess) == near(1 - ties / 2)


def test_a_train_of_clicks_can_be_given_again():
    task = nj.make(CLICKS, timing={"stimulus": ("uniform", (200, 800))})
    given = {"side": 1, "gamma": 1.5, "train": [5, 5, 6, 5], "stimulus": [800, 800, 800, 400]}
    seen = np.asarray(nj.render(task, KEY, 4, devices=1, **given).inputs)[:, 10:50, 1:]
    np.testing.assert_array_equal(seen[0], seen[1])
    assert np.any(seen[0] != seen[2])
    np.testing.assert_array_equal(seen[3, :20], seen[0, :20])  # a shorter stimulus is the beginning of a longer one
    assert not seen[3, 20:].any()


# ---------------------------------------------------------------------- wagers


@cache
def wagers():
    timing = {"stimulus": (100, 300), "delay": 200, "pre_sure": 100}
    task = nj.make(WAGER, timing=timing)
    return task, jax.tree.map(np.asarray, nj.render(task, KEY, 4 * TRIALS, devices=1))


def test_the_ideal_wager_by_simulation():
    """An observer with the posterior over directions waives where it is less sure than the sure target pays."""
    task, batch = wagers()
    conditions = batch.conditions
    total = batch.inputs[:, :, 1:3].sum(axis=1).astype(np.float64)
    steps = (batch.periods[:, 1, 1] - batch.periods[:, 1, 0])[:, None]
    x = (total[:, 1] - total[:, 0])[:, None]  # mean +-n c/100, variance 2 n sigma^2 / dt
    c = np.array([0, 3.2, 6.4, 12.8, 25.6, 51.2]) / 100
    likelihood = lambda sign: np.exp(-((x - sign * steps * c) ** 2) / (2 * steps * 2 / 100)).sum(axis=1)
    posterior = likelihood(1) / (likelihood(1) + likelihood(-1))
    certainty, choice = np.maximum(posterior, 1 - posterior), posterior > 0.5
    waives = conditions["wager"] & (certainty < 0.7)
    performance = np.where(waives, 0.7, choice == conditions["ground_truth"])
    assert np.mean(performance) == near(task.references()["ideal"], 4 * TRIALS)
    # Who never waives, or always does, does worse.
    assert np.mean(choice == conditions["ground_truth"]) < task.references()["ideal"] - 0.02
    assert task.ideal_reward() == pytest.approx(task.references()["ideal"])
    paid = task.set(rewards={"correct": 3.0, "fail": -1.0, "sure": 1.8})  # .7 of the way from -1 to 3
    assert paid.references()["ideal"] == pytest.approx(task.references()["ideal"], abs=1e-6)
    assert paid.ideal_reward() == pytest.approx(4 * task.references()["ideal"] - 1, abs=1e-5)


def test_the_sure_target_is_shown_on_half_of_the_trials_from_the_middle_of_the_delay():
    _, batch = wagers()
    sure = batch.inputs[:, :, 3] == 1  # elsewhere 0, or noise
    offered = batch.conditions["wager"]
    assert stats.binomtest(int(offered.sum()), offered.size).pvalue > 1e-3
    t = np.arange(sure.shape[1])
    expected = offered[:, None] & (t >= batch.periods[:, 1, 1][:, None] + 1) & (t < batch.lengths[:, None])
    np.testing.assert_array_equal(sure, expected)


def test_wagers_are_scored():
    """NeuroGym's own target scores 0, because the direction is counted from 0 where the action is counted from 1."""
    task = nj.make(WAGER, timing={"stimulus": 200, "delay": 200, "pre_sure": 100, "decision": 100})
    late = jax.jit(
        jax.vmap(
            lambda action: (
                nj.play(
                    task, KEY, 2, policy=_at_last, carry=action, devices=1, ground_truth=[0, 1], wager=[True, False]
                ).result
            )
        )
    )
    result = jax.tree.map(np.asarray, late(jnp.arange(4, dtype=jnp.int32)))
    right, wrong, miss, abort = nj.Outcome.CORRECT, nj.Outcome.ERROR, nj.Outcome.MISS, nj.Outcome.ABORT
    assert result.outcome.tolist() == [[miss, miss], [right, wrong], [wrong, right], [right, abort]]
    np.testing.assert_allclose(result.performance, [[0, 0], [1, 0], [0, 1], [0.7, 0]], atol=1e-6)
    np.testing.assert_allclose(result.reward, [[0, 0], [1, 0], [0, 1], [0.7, -0.1]], atol=1e-6)
    assert np.all(played(task, "oracle").performance == 1)


def _at_last(carry, obs, first, key):
    """Holds while fixation is on, then acts."""
    return carry, jnp.where(obs[0] == 0, carry, 0)


def test_a_guess_against_a_sure_thing():
    """Simulated and integrated, it meets the closed form where the sure thing is worth no more than chance."""
    for n, tolerance in ((2, 1e-4), (4, 8e-3)):
        plain = np.mean([direction_accuracy(n, c, 500, 1.0) for c in (3.2, 12.8)])
        assert best_guess(n, [3.2, 12.8], 500, 1.0) == pytest.approx(plain)
        assert best_guess(n, [3.2, 12.8], 500, 1.0, 1 / n + 1e-6) == pytest.approx(plain, abs=tolerance)
        assert best_guess(n, [3.2, 12.8], 500, 1.0, 1.0) == pytest.approx(1)
        assert best_guess(n, [0.0], 500, 1.0, 0.8) == pytest.approx(0.8)
        assert best_guess(n, [0.0, 5.0], 500, 0.0, 0.8) == pytest.approx(0.9)


# ---------------------------------------------------------------------- nothing


def test_nothing_happens():
    task = nj.make("Null-v0")
    batch = nj.render(task, KEY, 2, devices=1)
    assert batch.inputs.shape == (2, 100, 1)
    assert not np.any(batch.inputs) and not np.any(batch.targets) and not np.any(batch.weights)
    result = played(task, "random", 2)
    assert result.response_step.tolist() == [99, 99]
    assert not result.reward.any() and not result.performance.any()
    assert task.references() == {}


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("id", "keywords", "message"),
    [
        (PULSES, {"p_pulse": [0.2]}, "p_pulse must be two probabilities"),
        (PULSES, {"p_pulse": [0.2, 1.2]}, r"p_pulse must be .* in \[0, 1\]"),
        (PULSES, {"dt": 20}, "use dt <= 10"),
        (PULSES, {"n_bin": 0}, "n_bin must be a whole number of 1 or more"),
        (PULSES, {"timing": {"cue0": 10}}, "cue"),
        (SHAPES, {"n_loc": 0}, "n_loc must be"),
        (SHAPES, {"shape_weight": []}, "shape_weight must be a non-empty list"),
        (CLICKS, {"dt": 100}, "use dt <= 40"),
        (CLICKS, {"gammas": [-1.0]}, "gammas must be .* of 0 or more"),
        (CONTEXT, {"impl_context_modality": 2}, "impl_context_modality must be one of 0, 1"),
        (CONTEXT, {"use_expl_context": 1}, "use_expl_context must be one of False, True"),
        (MULTI, {"sigma": -1.0}, "sigma must be"),
        (WAGER, {"rewards": {"sure": 1.5}}, r"rewards\['sure'\] must lie between"),
        (WAGER, {"rewards": {"fail": 1.0, "sure": 1.0}}, r"rewards\['sure'\] must lie between"),
        (WAGER, {"timing": {"delay": 600}}, r"timing\['pre_sure'\] must not outlast"),
        (DELAYED, {"stim_scale": -1.0}, "stim_scale must be"),
    ],
)
def test_bad_input_is_refused(id, keywords, message):
    with pytest.raises((InvalidArgument, UnknownName), match=message):
        nj.make(id, **keywords)


def test_names_of_neurogym_are_taken():
    assert nj.make(DELAYED, cohs=[1.0], stim_scale=2.0, sigma=0.5, abort=True).coherences.tolist() == [1]
    task = nj.make(CONTEXT, dt=50, use_expl_context=True, dim_ring=4, abort=True)
    assert task.channels.labels()[-2:] == ["context 0", "context 1"]
    assert nj.make(PULSES, p_pulse=(0.1, 0.9), n_bin=4).capacity == 200
    assert nj.make(SHAPES, shape_weight=[-1, 1], n_loc=2).channels.size == 5


@pytest.mark.parametrize("id", [DELAYED, CONTEXT, PULSES, SHAPES, CLICKS, WAGER])
def test_the_paper_holds_the_subject_to_fixation(id):
    task = nj.make(id, preset="paper")
    assert task.strict_fixation if hasattr(task, "strict_fixation") else task.abort
    if id == WAGER:
        assert float(task.rewards["sure"]) == pytest.approx(0.8)
    if id == CONTEXT:
        assert task.use_expl_context
