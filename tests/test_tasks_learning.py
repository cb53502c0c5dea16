"""Tasks in which subjects learn from trial to trial: players with known scores, signatures, references, repairs."""

import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

import neurojax as nj
from helpers import forward
from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.session import begin, observation, start_memory
from neurojax.errors import InvalidArgument
from neurojax.tasks.bandits import track_reversals
from neurojax.tasks.games import _critical
from neurojax.tasks.two_step import _reflected

KEY = jax.random.key(11)


# A player is `player(carry, seen, action, reward, u) -> (carry, action)`: what it sees, its own last action and the
# reward for it, and a uniform number.
@partial(jax.jit, static_argnums=(1, 3, 4))
def sessions(task, player, carry, lanes, steps):
    """Sessions of a player who sees its rewards: conditions, actions, rewards, results and frames `[lanes, steps]`."""

    def lane(lane):
        chance = Chance(key_words(KEY), lane)

        def step(held, n):
            session, carry, action, reward = held
            seen = observation(task, session, chance, n)
            carry, action = player(carry, seen, action, reward, chance.at("player", n).uniform())
            session, came = forward(task, session, action, chance, n)
            out = {
                "conditions": came.trial.conditions,
                "action": action,
                "reward": came.reward,
                "new_trial": came.new_trial,
                "performance": came.result.performance,
                "seen": seen,
            }
            return (session, carry, action, came.reward), out

        first = begin(task, start_memory(task, chance), chance, 0)
        held = (first, carry, jnp.int32(0), jnp.float32(0))
        return jax.lax.scan(step, held, jnp.arange(steps, dtype=jnp.int32))[1]

    return jax.vmap(lane)(jnp.arange(lanes, dtype=jnp.uint32))


def play(task, player, carry, lanes, steps):
    return jax.tree.map(np.asarray, sessions(task, player, carry, lanes, steps))


def win_stay_lose_shift(carry, seen, action, reward, u):
    return carry, jnp.where(reward > 0, action, 1 - action)


def always(carry, seen, action, reward, u):
    return carry, carry


# ------------------------------------------------------------------ bandits


def greedy(carry, seen, action, reward, u):
    """Pulls the arm of the greatest posterior mean; ties at random."""
    wins, pulls = carry
    chosen = (jnp.arange(wins.shape[0]) == action) & (seen[0] == 0)
    wins, pulls = wins + chosen * reward, pulls + chosen
    ties = jnp.mod(u + jnp.arange(wins.shape[0]) / wins.shape[0], 1.0)
    arm = jnp.argmax((wins + 1) / (pulls + 2) + 1e-4 * ties)
    return (wins, pulls), arm.astype(jnp.int32)


def test_a_greedy_player_earns_what_is_known_of_five_bernoulli_arms():
    task = nj.make("BernoulliBandit-v0")
    run = play(task, greedy, (jnp.zeros(5), jnp.zeros(5)), 4000, 101)
    assert run["reward"][:, :10].sum(1).mean() == pytest.approx(6.61, abs=0.12)
    assert run["reward"][:, :100].sum(1).mean() == pytest.approx(75.9, abs=1.0)
    assert run["performance"][:, :100].mean() == pytest.approx(task.play_index(0.0)[0], abs=0.03)
    # a block holds for 100 trials, is announced, and then all arms are new
    p = run["conditions"]["p"]
    assert np.all(p[:, :100] == p[:, :1])
    assert np.all(p[:, 100] != p[:, 99])
    assert np.array_equal(run["seen"][0, :, 0], np.isin(np.arange(101), (0, 100)))
    assert np.array_equal(run["conditions"]["pull"][0], [*range(100), 0])
    # and arms are uniform (Kolmogorov-Smirnov)
    sample = np.sort(p[:, 0].ravel())
    assert np.abs(sample - np.linspace(0, 1, sample.size)).max() < 1.95 / np.sqrt(sample.size)


def test_who_explores_beats_the_greedy_player():
    task = nj.make("BernoulliBandit-v0")
    (right, paid), (greedily, less) = task.play_index(1.5), task.play_index(0.0)
    assert less == pytest.approx(75.9, abs=1.0)
    assert paid > less + 1.5 and right > greedily + 0.05
    assert task.references()["ideal"] == pytest.approx(0.70, abs=0.02)


def test_index_players_in_closed_form():
    # two pulls of two arms: win, stay; lose, shift; right with 1/2, then 2/3
    task = nj.make("BernoulliBandit-v0", arms=2, pulls=2)
    assert task.play_index(0.0, 100_000) == pytest.approx((7 / 12, 0.5 + 7 / 12), abs=6e-3)
    assert task.set(pulls=1).references()["ideal"] == pytest.approx(0.5, abs=0.05)
    assert nj.make("BernoulliBandit-v0", preset="paper").arms == 2


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, {"clairvoyant": 1, "random": 1}),  # all arms alike: whoever plays, plays the best
        ({"p": (0.25, 0.75)}, {"clairvoyant": 1, "ideal": 1, "blind": 1, "random": 0.5}),
        (
            {"n": 3, "p": (0.2, 0.4, 0.1), "rewards": [2, 1, 1]},
            {"clairvoyant": 1, "ideal": 1, "blind": 1, "random": 2 / 3},
        ),
    ],
)
def test_references_of_fixed_arms(keywords, expected):
    assert nj.make("Bandit-v0", **keywords).references() == pytest.approx(expected)


def test_an_arm_pays_its_magnitude_with_its_probability():
    task = nj.make("Bandit-v0", n=3, p=(0.2, 0.5, 0.9), rewards=np.array([1.0, 2.0, 0.5]))
    assert task.set(p=(0.2, 0.5, 0.8)).magnitudes.tolist() == [1, 2, 0.5]
    for luck, arm, reward in ((0.1, 0, 1.0), (0.3, 0, 0.0), (0.49, 1, 2.0), (0.89, 2, 0.5), (0.91, 2, 0.0)):
        came = task.respond({"luck": jnp.float32(luck)}, (), jnp.int32(arm), 0, None)
        assert (float(came.reward), float(came.performance), bool(came.end)) == (reward, float(arm == 1), True)


def test_restless_arms_wander_as_published():
    task = nj.make("RestlessBandit-v0", preset="paper")
    run = play(task, always, jnp.int32(2), 200, 400)
    means = run["conditions"]["means"].astype(np.float64)
    before, after = means[:, :-1] - 50, means[:, 1:] - 50
    assert (before * after).mean() / (before**2).mean() == pytest.approx(0.9836, abs=2e-3)
    assert (after - 0.9836 * before).std() == pytest.approx(2.8, abs=0.03)
    assert means[:, 0].std() == pytest.approx(2.8 / np.sqrt(1 - 0.9836**2), rel=0.12)  # from the start on
    assert means[:, -1].std() == pytest.approx(2.8 / np.sqrt(1 - 0.9836**2), rel=0.12)
    points = run["reward"]
    assert np.array_equal(points, np.round(points)) and points.min() >= 1 and points.max() <= 100
    inside = np.abs(means[:, :, 2] - 50) < 25
    assert (points - means[:, :, 2])[inside].std() == pytest.approx(np.sqrt(16 + 1 / 12), abs=0.08)


def test_references_of_restless_arms():
    task = nj.make("RestlessBandit-v0")
    assert task.references()["ideal"] == pytest.approx(0.735, abs=0.02)
    assert task.play_kalman(1.5) > task.play_kalman(0.0) + 0.05  # who explores tracks the best arm better
    # means that are drawn afresh in each trial cannot be learnt; means that stay and are seen without noise can
    assert task.set(decay=0).references()["ideal"] == pytest.approx(0.25, abs=0.01)
    assert task.set(decay=0.99999, diffusion=0.01, sigma=0).references()["ideal"] > 0.95


# ------------------------------------------------------------------ foraging


def alternate(carry, seen, action, reward, u):
    """Holds until the tone, then takes the sides in turn."""
    go = seen[0] > 0.5
    return jnp.where(go, 3 - carry, carry), jnp.where(go, carry, 0)


def one_side(carry, seen, action, reward, u):
    return carry, jnp.where(seen[0] > 0.5, carry, 0)


@pytest.mark.parametrize("baiting", [True, False])
def test_what_is_not_collected_waits(baiting):
    """Who takes turns finds what was put there in two trials: p (2 - p); who stays finds p."""
    task = nj.make("DynamicForaging-v0", ratios=[[3, 1]], reward_sum=0.8, baiting=baiting, block_min=1e6, block_max=1e6)
    p = np.array([0.6, 0.2])
    found = play(task, alternate, jnp.int32(1), 64, 400)
    ended = found["new_trial"] & (np.arange(400) > 20)
    expected = np.mean(p * (2 - p)) if baiting else np.mean(p)
    assert found["reward"][ended].mean() == pytest.approx(expected, abs=0.015)
    found = play(task, one_side, jnp.int32(1), 64, 400)
    richer = np.where(found["conditions"]["rich"] == 0, 0.6, 0.2)[found["new_trial"]]
    assert found["reward"][found["new_trial"]].mean() == pytest.approx(richer.mean(), abs=0.015)


def test_the_best_side_is_the_one_likelier_to_pay():
    """With .6 and .2, the poor side is as good after 1 - .8^n > .6: from the fifth trial on."""
    task = nj.make("DynamicForaging-v0", ratios=[[3, 1]], reward_sum=0.8, block_min=1e6, block_max=1e6)
    found = play(task, one_side, jnp.int32(1), 32, 60)
    ended, rich = found["new_trial"], found["conditions"]["rich"][:, 0] == 0
    best = found["conditions"]["ground_truth"][rich][:, ended[0]]
    assert best[:, :10].tolist() == [[0] * 4 + [1] * 6] * rich.sum()


def test_the_richer_side_changes_with_the_block():
    task = nj.make("DynamicForaging-v0", block_min=5, block_max=9)
    found = play(task, one_side, jnp.int32(2), 200, 400)
    rich = found["conditions"]["rich"][:, found["new_trial"][0]]
    turns = [np.diff(np.flatnonzero(np.diff(row))) for row in rich]
    lengths = np.concatenate(turns)
    assert set(lengths) == {5, 6, 7, 8}  # floored below the upper bound
    assert lengths.mean() == pytest.approx(6.5, abs=0.15)


def test_references_of_foraging():
    task = nj.make("DynamicForaging-v0")
    numbers = task.references()
    assert numbers["ideal"] == pytest.approx(0.74, abs=0.02)
    assert numbers["blind"] == pytest.approx(0.51, abs=0.03)
    sure = task.set(ratios=[[1, 0]], reward_sum=1.0, block_min=1000, block_max=1000)
    assert sure.references()["ideal"] > 0.98  # one look tells which side pays


# ------------------------------------------------------------------ reversals


def test_win_stay_lose_shift_on_reversals():
    """It is right with x = c (1 - h) + (1 - c) h where c = x high + (1 - x) (1 - low)."""
    task = nj.make("ProbabilisticReversal-v0", high=0.9, low=0.3, hazard=0.05)
    run = play(task, win_stay_lose_shift, (), 500, 200)
    x = (0.9 * 0.7 + 0.05) / (1 - 0.9 * 0.2)  # x = .9 c + .05, c = .7 + .2 x
    assert run["performance"][:, 20:].mean() == pytest.approx(x, abs=0.01)
    assert run["reward"][:, 20:].mean() == pytest.approx(x * 0.9 + (1 - x) * 0.3, abs=0.01)
    better = run["conditions"]["ground_truth"]
    assert np.mean(better[:, 1:] != better[:, :-1]) == pytest.approx(0.05, abs=0.004)
    assert better[:, 0].mean() == pytest.approx(0.5, abs=0.1)


class Quantiles:
    """Stands in for a draw: all quantiles at once."""

    def uniform(self, name):
        return (jnp.arange(20_000, dtype=jnp.float32) + 0.5) / 20_000


@pytest.mark.parametrize(
    ("low", "high", "hazard"), [(1, 1000, 0.02), (3, 8, 0.3), (40, 100, 0.0), (5, 5, 0.1), (2, 9, 1.0)]
)
def test_lengths_of_blocks_are_geometric_between_their_bounds(low, high, hazard):
    task = nj.make("ProbabilisticReversal-v0", block_min=low, block_max=high, hazard=hazard)
    lengths = np.arange(low, high + 1)
    p = (1 - hazard) ** (lengths - low).astype(float)
    p /= p.sum()
    sizes = np.asarray(task._block_size(Quantiles()))
    assert sizes.min() >= low and sizes.max() <= high
    cumulative = (sizes[None] <= lengths[:, None]).mean(1)
    assert np.abs(cumulative - np.cumsum(p)).max() < 2e-4
    # the chance of a reversal after the n-th trial, as the ideal observer has it
    lasting = np.maximum(np.cumsum(p[::-1])[::-1], 1e-300)
    after = np.concatenate([np.zeros(low - 1), p / lasting])
    hazards = task.hazards()
    assert np.allclose(hazards, after[: len(hazards)], atol=1e-6)


def test_a_bayesian_on_reversals():
    # all is told by each trial: right unless it has just reversed
    assert track_reversals([0.1], (1, 1), 1.0, 0.0)[0] == pytest.approx(0.9, abs=0.005)
    assert track_reversals([0.5], (1, 1), 1.0, 0.0)[0] == pytest.approx(0.5, abs=0.01)
    # a reversal after every third trial, sure to come, is foreseen
    assert track_reversals([0, 0, 1.0], (1, 1), 1.0, 0.0)[0] == pytest.approx(1.0, abs=0.002)
    assert nj.make("ProbabilisticReversal-v0").references()["ideal"] == pytest.approx(0.907, abs=0.01)
    # no worse than a simple strategy
    task = nj.make("ProbabilisticReversal-v0", high=0.9, low=0.3, hazard=0.05)
    assert task.references()["ideal"] > 0.83 > (0.9 * 0.7 + 0.05) / (1 - 0.9 * 0.2)


# ------------------------------------------------------------------ two steps


def bayesian_two_steps(belief, seen, action, reward, u):
    """Keeps the probability that state 2 is the better one, at NeuroGym's parameters."""
    at_two = seen[2] == 1
    like = jnp.where(at_two == (reward > 0), 0.9, 0.1)  # of state 2 being better
    posterior = belief * like / (belief * like + (1 - belief) * (1 - like))
    shown = seen[0] == 0
    belief = jnp.where(shown, posterior * 0.975 + (1 - posterior) * 0.025, belief)
    return belief, jnp.where(shown, 0, jnp.where(belief > 0.5, 2, 1))


def test_the_ideal_observer_of_two_steps():
    task = nj.make("DawTwoStep-v0")
    run = play(task, bayesian_two_steps, jnp.float32(0.5), 500, 400)
    trials = run["new_trial"]
    assert task.references()["ideal"] == pytest.approx(0.933, abs=0.004)
    assert run["performance"][trials].mean() == pytest.approx(0.933, abs=0.006)
    assert run["reward"].sum() / trials.sum() == pytest.approx(0.708, abs=0.006)
    # which state is better is either at a session's start, and changes in a 40th of the trials
    hi = run["conditions"]["hi_state"][:, ::2]
    assert hi[:, 0].mean() == pytest.approx(0.5, abs=0.1)
    assert np.mean(hi[:, 1:] != hi[:, :-1]) == pytest.approx(0.025, abs=0.003)


def test_two_steps_with_odd_transitions():
    task = nj.make("DawTwoStep-v0", p1=0.1, p2=0.2)  # choice 1 leads to state 2, choice 2 to state 1
    trial = nj.render(task, KEY, 2, hi_state=1)
    assert np.asarray(trial.targets).tolist() == [[1, 0]] * 2
    mirrored = nj.make("DawTwoStep-v0", p1=0.8, p2=0.9)
    assert task.references() == pytest.approx(mirrored.references())
    assert nj.make("DawTwoStep-v0", preset="wang2018").p1 == np.float32(0.9)


def test_the_frame_after_an_abort_shows_that_a_choice_is_due():
    run = play(nj.make("DawTwoStep-v0"), always, jnp.int32(0), 2, 3)
    assert run["new_trial"].all() and np.all(run["reward"] == np.float32(-0.1))
    assert np.array_equal(run["seen"], np.broadcast_to([1.0, 0.0, 0.0], (2, 3, 3)))


def miller_oracle(carry, seen, action, reward, u):
    """Chooses left, enters the lit port."""
    return carry, jnp.where(seen[0] == 1, 1, jnp.where(seen[1] == 1, 1, 2))


def test_the_rat_task_keeps_its_rules():
    task = nj.make("MillerTwoStep-v0", preset="paper", p_congruent=0.2)
    run = play(task, miller_oracle, (), 200, 1200)
    port = np.where(run["seen"][:, 1::2, 1] == 1, 0, 1)
    high = run["conditions"]["high_port"][:, 1::2]
    assert run["new_trial"][:, 1::2].all() and not run["new_trial"][:, ::2].any()
    assert (port == 1).mean() == pytest.approx(0.8, abs=0.01)  # left leads right
    for same, p in ((True, 0.8), (False, 0.2)):
        assert run["reward"][:, 1::2][(port == high) == same].mean() == pytest.approx(p, abs=0.01)
    assert np.array_equal(run["performance"][:, 1::2], high == 1)
    turns = [np.flatnonzero(np.diff(h)) for h in high]
    lengths = np.concatenate([np.diff(t) for t in turns])
    assert lengths.min() >= 10
    # a reversal is as likely after any trial from the tenth on
    begun = np.concatenate([(len(h) - 1 - t) for h, t in zip(high, turns, strict=True)])
    early = (lengths < 30).sum() / (begun >= 30).sum()
    assert early == pytest.approx(1 - 0.98**20, abs=0.05)


def test_references_of_the_rat_task():
    numbers = nj.make("MillerTwoStep-v0").references()
    assert numbers == pytest.approx({"clairvoyant": 1, "ideal": 0.913, "blind": 0.4, "random": 1 / 9}, abs=0.01)
    assert nj.make("MillerTwoStep-v0", p_congruent=0.2).references() == pytest.approx(numbers)
    # an oracle earns as often as common transitions and the better port have it
    played = nj.play(nj.make("MillerTwoStep-v0"), KEY, 8192, policy="oracle", devices=1)
    assert np.mean(played.result.reward) == pytest.approx(0.8 * 0.8 + 0.2 * 0.2, abs=0.02)


def two_stage_agent(carry, seen, action, reward, u):
    """A mixture of model-based and model-free values, softmax; Daw et al. (2011) with a trace of 1."""
    based, q1, q2, first, state = carry
    begins = seen[0] == 1
    chosen = (jnp.arange(2) == first - 1) & begins
    q1 = q1 + 0.5 * chosen * (reward - q1)
    reached = (jnp.arange(2)[:, None] == state) & (jnp.arange(2)[None] == action - 1)
    q2 = q2 + 0.5 * (begins & reached) * (reward - q2)
    planned = jnp.array([[0.7, 0.3], [0.3, 0.7]]) @ q2.max(1)
    here = jnp.where(seen[2] == 1, 1, 0)
    value = jnp.where(begins, based * planned + (1 - based) * q1, q2[here])
    act = jnp.where(u < jax.nn.sigmoid(5 * (value[1] - value[0])), 2, 1)
    return (based, q1, q2, jnp.where(begins, act, first), jnp.where(begins, state, here)), act


@pytest.mark.parametrize("based", [0.0, 1.0])
def test_signatures_of_planning_and_of_habit(based):
    """A model-based player repeats rewarded choices after common transitions, and shifts after rare ones."""
    task = nj.make("DawTwoStage-v0", preset="paper")
    carry = (jnp.float32(based), jnp.full(2, 0.5), jnp.full((2, 2), 0.5), jnp.int32(1), jnp.int32(0))
    run = play(task, two_stage_agent, carry, 400, 400)
    choice, rewarded = run["action"][:, ::2], run["reward"][:, 1::2] > 0
    common = (run["seen"][:, 1::2, 2] == 1) == (choice == 2)
    assert common.mean() == pytest.approx(0.7, abs=0.01)
    stays = choice[:, 1:] == choice[:, :-1]
    stay = {(r, c): stays[((rewarded == r) & (common == c))[:, :-1]].mean() for r in (0, 1) for c in (0, 1)}
    of_reward = (stay[1, 1] + stay[1, 0] - stay[0, 1] - stay[0, 0]) / 2
    interaction = (stay[1, 1] - stay[0, 1] - stay[1, 0] + stay[0, 0]) / 2
    if based:
        assert interaction > 0.15 and abs(of_reward) < 0.05
    else:
        assert of_reward > 0.25 and abs(interaction) < 0.05
    p = run["conditions"]["p"][:, ::2]
    assert p.min() >= 0.25 and p.max() <= 0.75
    inner = (p[:, :-1] > 0.35) & (p[:, :-1] < 0.65)
    assert np.diff(p, axis=1)[inner].std() == pytest.approx(0.025, abs=3e-4)
    for t in (0, -1):  # uniform at the start, and it stays so
        assert p[:, t].std() == pytest.approx(0.5 / np.sqrt(12), abs=0.008)


def test_references_of_two_stages():
    task = nj.make("DawTwoStage-v0")
    assert task.references() == pytest.approx(
        {"clairvoyant": 1, "ideal": 0.475, "blind": 0.25, "random": 1 / 9}, abs=0.02
    )
    for sd in (0.001, 0.025, 0.3, 3.0):
        edges = np.linspace(0.25, 0.75, 21)
        kernel = _reflected((edges[1:] + edges[:-1]) / 2, edges, sd)
        assert np.allclose(kernel.sum(0), 1, atol=0.02)  # a reflected walk keeps the uniform law
    for policy, expected in (("random", 1 / 9), ("oracle", 1.0)):
        got = np.mean(nj.play(task, KEY, 8192, policy=policy, devices=1).result.performance)
        assert got == pytest.approx(expected, abs=0.015)


# ------------------------------------------------------------------ learning sets


def learning_set(carry, seen, action, reward, u):
    """Knows the rule: goes to the object that paid, or that was not the one that did not."""
    good, left, right = carry
    now_left, now_right = seen[1:9], seen[9:]
    chosen, other = jnp.where(action == 1, left, right), jnp.where(action == 1, right, left)
    good = jnp.where(action > 0, jnp.where(reward > 0, chosen, other), good)
    act = jnp.where(jnp.all(now_left == good), 1, jnp.where(jnp.all(now_right == good), 2, 1))
    return (good, now_left, now_right), jnp.where(seen[0] == 1, 0, act)


def test_a_learning_set_is_right_from_the_second_trial_on():
    task = nj.make("Harlow-v0", preset="paper")
    run = play(task, learning_set, (jnp.zeros(8),) * 3, 200, 90)  # 3 steps a trial, 18 a problem
    ended = run["new_trial"]
    assert np.array_equal(np.flatnonzero(ended[0]), np.arange(2, 90, 3))
    correct = run["performance"][:, 2::3].reshape(200, 5, 6)
    assert np.all(correct[:, :, 1:] == 1)
    assert correct[:, :, 0].mean() == pytest.approx(0.5, abs=0.07)
    assert task.references()["ideal"] == pytest.approx(correct.mean(), abs=0.02)
    objects = run["conditions"]["objects"][:, ::3].reshape(200, 5, 6, 2, 8)
    assert np.all(objects == objects[:, :, :1])
    assert np.all(objects[:, 1:, 0] != objects[:, :-1, 0])
    assert (objects.mean(), objects.std()) == pytest.approx((0, 1), abs=0.03)
    assert (run["conditions"]["ground_truth"][:, ::3] == 1).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "keywords", [{}, {"abort": True, "timing": {"decision": 100, "fixation": ("uniform", (100, 400))}}]
)
def test_random_actions_on_learning_sets(keywords):
    task = nj.make("Harlow-v0", **keywords)
    got = np.mean(nj.play(task, KEY, 8192, policy="random", devices=1).result.performance)
    assert got == pytest.approx(task.references()["random"], abs=0.025)


def test_what_nobody_could_know_weighs_nothing():
    batch = nj.render(nj.make("Harlow-v0"), KEY, 2, trial_in_block=[0, 1])
    assert np.asarray(batch.weights).tolist() == [[1, 1] + [0] * 8, [1] * 10]
    batch = nj.render(nj.make("BernoulliBandit-v0"), KEY, 2, pull=[0, 1])
    assert np.asarray(batch.weights).tolist() == [[0], [1]]
    batch = nj.render(nj.make("MatchingPenny-v0", opponent_type="random"), KEY, 2)
    assert np.asarray(batch.weights).tolist() == [[0], [0]]


# ------------------------------------------------------------------ games


def test_tests_of_a_coin_are_exact():
    for level in (0.05, 0.01):
        critical = _critical(level)
        for n in (1, 2, 5, 6, 7, 8, 20, 99, 100, 1000):
            few = int(critical[n])
            assert few < 0 or binomtest(few, n).pvalue < level
            assert few + 1 > n // 2 or binomtest(few + 1, n).pvalue >= level
    assert _critical(0.05)[:8].tolist() == [-1, -1, -1, -1, -1, -1, 0, 0]


@pytest.mark.parametrize("n", [1001, 2500, 40_001])
def test_tests_of_long_histories_agree_with_exact_ones(n):
    task = nj.make("MatchingPenny-v0", opponent_type="algorithm_1")
    for few in range(int(n / 2 - 1.1 * np.sqrt(n)), int(n / 2 - 0.85 * np.sqrt(n))):
        agrees = bool(task._differs(jnp.int32(few), jnp.int32(n))) == (binomtest(few, n).pvalue < 0.05)
        assert agrees or abs(binomtest(few, n).pvalue - 0.05) < 5e-4


def as_described(choices, wins, with_rewards, depth=4, level=0.05):
    """The opponent's probability of 1, by its description, from the whole history of a session."""
    share = 0.5
    for length, rewards in [(n, 0) for n in range(depth + 1)] + [(n, 1) for n in range(1, depth + 1) if with_rewards]:
        if len(choices) < length:
            continue
        sequence = lambda t, n=length, r=rewards: (tuple(choices[t - n : t]), tuple(wins[t - n : t]) if r else ())
        same = [t for t in range(length, len(choices)) if sequence(t) == sequence(len(choices))]
        ones = sum(choices[t] for t in same)
        if same and binomtest(ones, len(same)).pvalue < level and abs(ones / len(same) - 0.5) > abs(share - 0.5):
            share = ones / len(same)
    return 1 - share


def sticky(carry, seen, action, reward, u):
    """Mostly stays after a win and shifts after a loss, with a leaning to 1."""
    stays = jnp.where(reward > 0, action, 1 - action)
    return carry, jnp.where(u < 0.3, 1, stays)


@pytest.mark.parametrize("kind", ["algorithm_1", "algorithm_2"])
def test_opponents_play_as_published(kind):
    task = nj.make("MatchingPenny-v0", opponent_type=kind)
    run = play(task, sticky, (), 300, 160)
    opponent_p = run["conditions"]["opponent_p"]
    for lane in range(3):
        choices, wins = run["action"][lane].tolist(), run["reward"][lane].astype(int).tolist()
        for t in (0, 1, 3, 6, 7, 12, 25, 50, 75, 100, 130, 159):
            expected = as_described(choices[:t], wins[:t], kind == "algorithm_2")
            assert opponent_p[lane, t] == pytest.approx(expected, abs=1e-6), (lane, t)
    # the opponent plays with this probability
    assert (run["conditions"]["opponent_action"] - opponent_p).mean() == pytest.approx(0, abs=0.01)
    assert np.all(opponent_p[:, 0] == 0.5) and len(np.unique(opponent_p)) > 20


def test_only_algorithm_2_beats_win_stay_lose_shift():
    won = {}
    for kind in ("algorithm_1", "algorithm_2"):
        run = play(nj.make("MatchingPenny-v0", opponent_type=kind), win_stay_lose_shift, (), 300, 160)
        won[kind] = run["performance"][:, 80:].mean()
    assert won["algorithm_1"] > 0.42  # its choices alone look like a coin's
    assert won["algorithm_2"] < 0.1


def test_the_opponents_last_choice_is_seen():
    """In NeuroGym it is that of two trials ago."""
    run = play(nj.make("MatchingPenny-v0", opponent_type="algorithm_2"), sticky, (), 300, 160)
    assert np.array_equal(run["seen"][:, 1:, 1], run["conditions"]["opponent_action"][:, :-1])


def test_the_counting_opponent_answers_as_neurogyms():
    with np.load(Path(__file__).parent / "parity" / "data" / "penny-mean.npz") as file:
        notes = json.loads(str(file["meta"]))["notes"]
    task = nj.make("MatchingPenny-v0", learning_rate=notes["learning_rate"])
    memory = task.init_memory(Draw(Chance(key_words(KEY), jnp.uint32(0)), "memory"))
    answers = []
    for action in map(int, notes["played"]):
        answers.append(int(task._opponent(memory)))
        result = type("Result", (), {"choice": jnp.int32(action)})
        memory = task.next_memory(memory, {"opponent_action": jnp.int32(answers[-1])}, result, None)
    assert answers == notes["answers"]
    assert {0, 1} == set(answers)


@pytest.mark.parametrize(
    ("kind", "ideal"), [("random", 0.5), ("mean_action", 1.0), ("algorithm_1", None), ("algorithm_2", None)]
)
def test_references_of_games(kind, ideal):
    numbers = nj.make("MatchingPenny-v0", opponent_type=kind).references()
    assert (numbers["clairvoyant"], numbers["blind"], numbers["random"], numbers.get("ideal")) == (1, 0.5, 0.5, ideal)


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("id", "keywords", "message"),
    [
        ("Bandit-v0", {"n": 3}, "p must have a number for each of the n=3 arms, got 2"),
        ("Bandit-v0", {"rewards": [1, 2, 3]}, "magnitudes must have a number for each of the n=2 arms, got 3"),
        ("Bandit-v0", {"p": (0.5, 1.5)}, r"p must be a non-empty list of finite numbers in \[0, 1\]"),
        ("BernoulliBandit-v0", {"pulls": 2.5}, "pulls must be a whole number of trials, got 2.5"),
        ("RestlessBandit-v0", {"decay": 1.0}, "decay must be below 1"),
        ("ProbabilisticReversal-v0", {"low": 0.9}, "low must be below high, got 0.9 and 0.8"),
        ("ProbabilisticReversal-v0", {"block_min": 9, "block_max": 8}, "block_min must not exceed block_max"),
        ("DawTwoStep-v0", {"p1": 0.3, "p2": 0.7}, "p1 and p2 must not add up to 1"),
        ("DawTwoStep-v0", {"low_reward_p": 0.9}, "low_reward_p must be below high_reward_p"),
        ("MillerTwoStep-v0", {"p_congruent": 0.5}, "p_congruent must not be 0.5"),
        ("DawTwoStage-v0", {"common": 0.5}, "common must not be 0.5"),
        ("DawTwoStage-v0", {"p_low": 0.8}, "p_low must be below p_high"),
        ("Harlow-v0", {"trials": 0.5}, "trials must be a finite number of 1 or more"),
        ("MatchingPenny-v0", {"opponent_type": "mean"}, "opponent_type must be one of 'random'"),
    ],
)
def test_bad_parameters_are_refused(id, keywords, message):
    with pytest.raises(InvalidArgument, match=message):
        nj.make(id, **keywords)
