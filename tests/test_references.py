"""The four reference numbers of every task: closed forms, and simulations that share no code with them."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

import neurojax as nj
from conftest import CORE
from helpers import forward
from neurojax.core.chance import Chance, key_words
from neurojax.core.session import begin, start_memory

KEY = jax.random.key(21)
TRIALS = 8192
# Defaults: (clairvoyant, ideal, blind, random), computed apart from the code.
STATED = {
    "PerceptualDecisionMaking-v0": (1, 0.896, 0.5, 0.333),
    "DelayMatchSample-v0": (1, 1.0, 0.5, 0.5),
    "ReadySetGo-v0": (1, 1.0, 0.686, 0.001),
    "HierarchicalReasoning-v0": (1, 0.882, None, 0.05),
    "ReachingDelayResponse-v0": (1, 1.0, 0.667, 0.384),
    "Reaching1D-v0": (None, None, 0.175, 0.175),
}


def sampling(p, n=TRIALS, z=4.5):
    """How far a share of `n` trials may lie from `p`."""
    return z * math.sqrt(max(p * (1 - p), 1e-3) / n)


def performance(task, policy, n=TRIALS, **given):
    return float(np.mean(nj.play(task, KEY, n, policy=policy, devices=1, **given).result.performance))


@pytest.fixture(scope="module", params=CORE)
def numbers(request):
    task = nj.make(request.param)
    return request.param, task, nj.reference_numbers(task)


def test_reference_numbers_are_those_stated(numbers):
    id, _, found = numbers
    for name, stated in zip(("clairvoyant", "ideal", "blind", "random"), STATED[id], strict=True):
        if stated is not None:
            assert getattr(found, name) == pytest.approx(stated, abs=2e-3)
    # An observer knows no more than one who knows all, and no less than one who sees nothing.
    assert found.clairvoyant >= found.ideal - 1e-6
    assert found.ideal >= found.blind - 1e-6
    assert found.score(found.ideal) == pytest.approx(1)
    assert found.score(found.blind) == pytest.approx(0)


def test_playing_the_target_is_the_clairvoyant_and_random_actions_are_random(numbers):
    _, task, found = numbers
    assert performance(task, "oracle") == pytest.approx(found.clairvoyant, abs=5e-3)
    assert performance(task, "random") == pytest.approx(found.random, abs=sampling(max(found.random, 0.001)))


# ---------------------------------------------------------------------- perceptual decision making


@pytest.mark.parametrize(("stimulus", "expected"), [(2000, 0.896), (500, 0.8645), (100, 0.791)])
def test_the_ideal_observer_of_motion_by_duration(stimulus, expected):
    task = nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": stimulus})
    assert task.references()["ideal"] == pytest.approx(expected, abs=6e-4)


def test_the_ideal_observer_of_motion_by_coherence():
    task = nj.make("PerceptualDecisionMaking-v0")
    assert task.ideal_accuracy(6.4, 2000) == pytest.approx(0.979, abs=5e-4)
    assert task.ideal_accuracy(3.2, 2000) == pytest.approx(0.844, abs=5e-4)
    assert task.ideal_accuracy(0, 2000) == 0.5
    assert task.set(sigma=2).ideal_accuracy(6.4, 2000) == pytest.approx(float(ndtr(0.032 * math.sqrt(1000))))
    assert task.set(sigma=0).ideal_accuracy(1e-3, 2000) == 1


@pytest.mark.parametrize("dt", [100, 20])
def test_a_linear_integrator_meets_the_closed_form(dt):
    """Sum the difference of the two locations over the stimulus, and take its sign: the ideal observer."""
    coherences = np.repeat(np.float32([3.2, 6.4, 12.8, 25.6]), 4096)
    wrong = 0
    for stimulus in (500, 2000) if dt == 100 else (500,):
        task = nj.make("PerceptualDecisionMaking-v0", dt=dt, timing={"stimulus": stimulus})
        batch = nj.render(task, KEY, coherences.size, coherence=coherences, devices=1)
        evidence = np.asarray(batch.inputs[..., 2] - batch.inputs[..., 1]).sum(axis=1)
        right = ((evidence > 0) == np.asarray(batch.conditions["ground_truth"])).reshape(4, -1).mean(axis=1)
        for c, seen in zip((3.2, 6.4, 12.8, 25.6), right, strict=True):
            expected = float(ndtr(c / 100 * math.sqrt(stimulus / 2)))
            assert seen == pytest.approx(expected, abs=sampling(expected, 4096))
            assert task.ideal_accuracy(c, stimulus) == pytest.approx(expected, abs=1e-6)
            # The same, with the two locations counted as one (a factor of sqrt 2), is rejected.
            wrong += abs(seen - float(ndtr(c / 100 * math.sqrt(stimulus)))) > sampling(expected, 4096)
    assert wrong >= 2


def test_the_ideal_observer_of_a_ring_reads_the_direction_of_the_population_vector():
    task = nj.make("PerceptualDecisionMaking-v0", dim_ring=4, timing={"stimulus": 500})
    batch = nj.render(task, KEY, TRIALS, coherence=12.8, devices=1)
    total = np.asarray(batch.inputs[..., 1:]).sum(axis=1)
    angles = np.arange(4) * np.pi / 2
    choice = np.argmax(total @ np.cos(angles[:, None] - angles), axis=1)
    seen = np.mean(choice == np.asarray(batch.conditions["ground_truth"]))
    expected = task.ideal_accuracy(12.8, 500)
    assert seen == pytest.approx(expected, abs=sampling(expected))
    assert abs(expected - nj.make("PerceptualDecisionMaking-v0").ideal_accuracy(12.8, 500)) > 0.1


# ---------------------------------------------------------------------- matching


def test_the_ideal_matcher_tells_each_stimulus_apart_and_compares():
    # Loud noise, so that the ideal lies well below 1; the best rule for two directions compares the two signs.
    task = nj.make("DelayMatchSample-v0", sigma=20.0, timing={"sample": 500, "test": 300})
    batch = nj.render(task, KEY, TRIALS, devices=1)
    # 100 ms steps: sample at 3 .. 7, test at 18 .. 20.
    side = np.asarray(batch.inputs[..., 1] - batch.inputs[..., 2])
    match = np.sign(side[:, 3:8].sum(axis=1)) == np.sign(side[:, 18:21].sum(axis=1))
    seen = np.mean(match == (np.asarray(batch.conditions["ground_truth"]) == 1))
    p, q = (float(ndtr(math.sqrt(ms / 2) / 20)) for ms in (500, 300))
    expected = p * q + (1 - p) * (1 - q)
    assert task.references()["ideal"] == pytest.approx(expected, abs=1e-6)
    assert seen == pytest.approx(expected, abs=sampling(expected))
    assert abs(seen - p * q) > sampling(expected)  # both told rightly is not all: two errors cancel


# ---------------------------------------------------------------------- timing


def go_after(carry, obs, first, key):
    """Goes a fixed number of steps after the set flash began; `carry` counts from then (below 0 before)."""
    clock, wait = carry
    clock = jnp.where(obs[2] > 0, 0, jnp.where(clock >= 0, clock + 1, clock))
    return (clock, wait), jnp.where(clock == wait, 1, 0)


def reproduce(carry, obs, first, key):
    """Counts the steps from the ready to the set flash, and lets as many pass."""
    measured, clock = carry
    _, ready, set_ = obs
    measured = jnp.where(ready > 0, 0, jnp.where((clock < 0) & (measured >= 0), measured + 1, measured))
    clock = jnp.where(set_ > 0, 0, jnp.where(clock >= 0, clock + 1, clock))
    return (measured, clock), jnp.where((clock >= 0) & (clock == measured), 1, 0)


def test_ready_set_go_counted_and_blind():
    task = nj.make("ReadySetGo-v0")
    found = nj.reference_numbers(task)
    # Each flash lasts one step at 80 ms, so a counter that starts with it is exact.
    start = (jnp.int32(-1), jnp.int32(-1))
    counted = nj.play(task, KEY, TRIALS, policy=reproduce, carry=start, devices=1)
    assert np.mean(counted.result.performance) == pytest.approx(found.ideal, abs=1e-6)
    by_wait = {}
    for wait in range(11, 16):  # 13 steps are 1,040 ms
        played = nj.play(task, KEY, TRIALS, policy=go_after, carry=(jnp.int32(-1), jnp.int32(wait)), devices=1)
        by_wait[wait] = float(np.mean(played.result.performance))
    assert max(by_wait, key=by_wait.get) == 13
    assert by_wait[13] == pytest.approx(found.blind, abs=sampling(found.blind))
    assert all(p <= found.blind + sampling(found.blind) for p in by_wait.values())


# ---------------------------------------------------------------------- reaching


def straight(carry, obs, first, key):
    """Moves the hand towards the direction that the two rings show, once there is one."""
    angles = jnp.arange(16) * (2 * jnp.pi / 16)
    read = lambda ring: jnp.arctan2(ring @ jnp.sin(angles), ring @ jnp.cos(angles))
    turn = jnp.mod(read(obs[:16]) - read(obs[16:]) + jnp.pi, 2 * jnp.pi) - jnp.pi
    shown = jnp.any(obs[:16] != 0)
    act = jnp.where(turn > 0, 1, 2)
    return carry, jnp.where(shown & (jnp.abs(turn) > carry / 2), act, 0)


@pytest.mark.parametrize(
    ("kwargs", "stated"), [({"speed": 0, "step": 0.05}, (0.301, 0.222, 0.175)), ({}, None)], ids=["NeuroGym", "default"]
)
def test_reaching_seen_and_unseen(kwargs, stated):
    task = nj.make("Reaching1D-v0", **kwargs)
    found = nj.reference_numbers(task)
    if stated:
        assert (found.clairvoyant, found.ideal, found.blind) == pytest.approx(stated, abs=1.5e-3)
    played = nj.play(task, KEY, TRIALS, policy=straight, carry=jnp.float32(task.stride), devices=1)
    assert np.mean(played.result.performance) == pytest.approx(found.ideal, abs=0.012)
    for policy in (0, 1):  # wherever a hand is that does not look, the distance is uniform
        assert performance(task, policy) == pytest.approx(found.blind, abs=0.012)
    # On average over directions: distance d uniform on [0, pi], performance max(1.1 - d, 0) / 1.1.
    assert found.blind == pytest.approx(1.1 / (2 * math.pi), abs=1e-4)


def test_delayed_reaching_blind_and_ideal():
    task = nj.make("ReachingDelayResponse-v0")
    found = nj.reference_numbers(task)

    def remember(carry, obs, first, key):
        carry = jnp.where(obs[1] >= 0, obs[1], carry)
        return carry, jnp.stack([jnp.where(obs[0] > 0, 1.0, -1.0), carry])

    seen = nj.play(task, KEY, TRIALS, policy=remember, carry=jnp.float32(0), devices=1)
    assert np.mean(seen.result.performance) == pytest.approx(found.ideal, abs=1e-5)
    best = max(performance(task, [1.0, x]) for x in (0.3, 0.4, 0.5, 0.6, 0.7))
    assert best == pytest.approx(found.blind, abs=5e-3)
    # By hand: at the middle, twice the integral of 1 / (1 + e)^2 over errors up to a half: 2 (1 - 1 / 1.5) = 2 / 3.
    assert found.blind == pytest.approx(2 / 3, abs=1e-6)


# ---------------------------------------------------------------------- hierarchical reasoning


def bayesian_sessions(task, lanes, steps):
    """Whether each trial ended, and was won, at each step `[B, T]` of an observer who keeps a belief about the rule.

    It knows the law of the blocks, times the delay, and so knows on which trials the answer is ambiguous: there a
    failure says less than elsewhere, where it says that the rule was wrong.
    """
    done = np.arange(1, 21)  # trials of a block that are over; it lasts 10 to 20, each as likely
    hazard = jnp.asarray(np.where(done >= 10, 1 / (21 - done), 0), jnp.float32)

    def lane(words, lane):
        chance = Chance(words, lane)

        def learn(belief, guess, hit, won):
            likelihood = jnp.where(jnp.arange(2) == guess, hit, 0.0)
            belief = belief * jnp.where(won, likelihood, 1 - likelihood)[:, None]
            belief = belief / belief.sum()
            stays, leaves = belief * (1 - hazard), belief @ hazard
            return jnp.roll(stays, 1, axis=1).at[:, 0].set(leaves[::-1])

        def body(held, n):
            session, belief = held
            trial, t = task.trial(session.drawn), session.t
            guess = jnp.argmax(belief.sum(axis=1))
            tie = trial["interval"] == 800  # 850 ms in whole steps of 100 ms
            location = jnp.where((trial["interval"] > 800) == (guess == 1), trial["stimulus"], 1 - trial["stimulus"])
            answer = jnp.where(trial.during("decision", t), 3 + location, 0)
            action = jnp.where(trial.during("rule_target", t), 1 + guess, answer)
            session, transition = forward(task, session, action, chance, n)
            won = transition.result.outcome == nj.Outcome.CORRECT
            after = learn(belief, guess, jnp.where(tie, 0.5, 1.0), won)
            ended = transition.new_trial
            return (session, jnp.where(ended, after, belief)), (ended, ended & won)

        session = begin(task, start_memory(task, chance), chance, 0)
        belief = jnp.zeros((2, 20)).at[:, 0].set(0.5)
        return jax.lax.scan(body, (session, belief), jnp.arange(steps, dtype=jnp.int32))[1]

    run = jax.jit(jax.vmap(lane, in_axes=(None, 0)))
    return tuple(np.asarray(x) for x in run(key_words(KEY), jnp.arange(lanes, dtype=jnp.uint32)))


def test_the_ideal_reasoner_plays_sessions_through_the_task_itself():
    found = nj.reference_numbers(nj.make("HierarchicalReasoning-v0"))
    # The waits do not matter to it, so they are short: a trial lasts 10 to 16 steps.
    short = dict.fromkeys(("fixation", "rule_target", "fixation2", "decision"), 100)
    ended, won = bayesian_sessions(nj.make("HierarchicalReasoning-v0", timing=short), lanes=256, steps=4000)
    count = np.cumsum(ended, axis=1)
    late = ended & (count > 40)  # blocks are in step at first
    assert count[:, -1].min() > 200
    seen = won[late].mean()
    assert late.sum() > 50_000
    assert found.ideal == pytest.approx(seen, abs=6e-3)
    # An eighteenth of the answers is a guess even to those who know the rule, and guessing it costs more.
    assert found.blind + 0.3 < seen < 17 / 18


# ---------------------------------------------------------------------- what is solvable


def warned(task):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = nj.solvable(task)
    return answer, " ".join(str(w.message) for w in caught)


@pytest.mark.parametrize("id", CORE)
def test_the_defaults_are_solvable(id):
    assert warned(nj.make(id)) == (True, "")


@pytest.mark.parametrize(
    ("id", "kwargs", "reason"),
    [
        ("PerceptualDecisionMaking-v0", {"coherences": [0, 0.1]}, "there is little to learn from what is shown"),
        ("Reaching1D-v0", {"speed": 0, "step": 0.05}, "there is little to learn from what is shown"),
        ("DelayMatchSample-v0", {"timing": {"sample": 0}}, "the period 'sample' lasts no step"),
        (
            "PerceptualDecisionMaking-v0",
            {"timing": {"stimulus": 500, "delay": ("uniform", (300, 900))}},
            "the time to respond varies from trial to trial, and nothing that is shown announces it",
        ),
    ],
)
def test_what_cannot_be_solved_is_warned_about(id, kwargs, reason):
    answer, said = warned(nj.make(id, **kwargs))
    assert answer is False
    assert reason in said
