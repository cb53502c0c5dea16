"""Levers and the snail: their rules as they are described, and their reference numbers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.chance import Chance, key_words
from neurojax.core.session import advance, begin, observation, start_memory

KEY = jax.random.key(5)
TRIALS = 4096
CORRECT, ERROR, ABORT, MISS = (
    int(o) for o in (nj.Outcome.CORRECT, nj.Outcome.ERROR, nj.Outcome.ABORT, nj.Outcome.MISS)
)


def sampling(p, n=TRIALS, z=4.5):
    """How far a share of `n` trials may lie from `p`."""
    return z * math.sqrt(max(p * (1 - p), 1e-3) / n)


def mean_performance(task, policy, n=TRIALS):
    return float(np.mean(nj.play(task, KEY, n, policy=policy, devices=1).result.performance))


@jax.jit
def _steps(task, words, given, actions):
    def lane(lane, given, actions):
        chance = Chance(words, lane)

        def body(session, now):
            t, action = now
            seen = observation(task, session, chance, t)
            session, came = advance(task, session, action, chance, t)
            result = came.result
            return session, (seen, came.reward, came.new_trial, result.performance, result.outcome)

        session = begin(task, start_memory(task, chance), chance, 0, given)
        return jax.lax.scan(body, session, (jnp.arange(actions.shape[0], dtype=jnp.int32), actions))[1]

    return jax.vmap(lane)(jnp.arange(actions.shape[0], dtype=jnp.uint32), given, actions)


def one_trial(task, actions, **given):
    """What comes of actions, until the trial ends: seen, rewards, and its performance and outcome (or None)."""
    padded = np.zeros((1, task.capacity), np.int32)
    padded[0, : len(actions)] = actions
    given = {name: jnp.asarray([value]) for name, value in given.items()}
    seen, rewards, ended, performance, outcome = (
        np.asarray(x)[0] for x in _steps(task, key_words(KEY), given, jnp.asarray(padded))
    )
    stop = int(ended.argmax()) if ended[: len(actions)].any() else None
    length = len(actions) if stop is None else stop + 1
    result = (None, None) if stop is None else (float(performance[stop]), int(outcome[stop]))
    return seen[:length], rewards[:length].tolist(), *result


def refuses(id, message, **keywords):
    with pytest.raises(ValueError, match=message):
        nj.make(id, **keywords)


# ---------------------------------------------------------------------- LeverPress


def test_lever_press_is_the_process_that_is_described():
    """Random actions over trials laid end to end, against the rules in NumPy, fed with the cues that came."""
    task = nj.make("LeverPress-v0", n_press=2, timing={"limit": 2000})
    run = nj.rollout(task, KEY, 64, 400, policy="random", devices=1).trajectory
    seen, actions, rewards = (np.asarray(x) for x in (run.observations[..., 0], run.actions, run.rewards))
    cues, waits = 0, 0
    for lane in range(64):
        left, steps = 0, 0
        for t in range(399):
            press, reward = actions[lane, t] == 1, 0
            if left == 0:
                reward = -1 if press else 0
                cue = seen[lane, t + 1] == 1
                assert not (press and cue)
                cues, waits = cues + cue, waits + (not press)
                left = 2 if cue else 0
                over = press
            else:
                left = left - 1 if press else 0
                reward = 10 if press and left == 0 else 0
                over = left == 0
                assert seen[lane, t + 1] == 0
            assert rewards[lane, t] == reward
            steps = 0 if over else steps + 1
            assert steps < 20
    assert cues / waits == pytest.approx(0.5, abs=sampling(0.5, waits))


def test_lever_press_outcomes():
    task = nj.make("LeverPress-v0", signal_prob=1)
    assert one_trial(task, [1])[1:] == ([-1.0], 0.0, ABORT)
    assert one_trial(task, [0, 1, 1, 0])[1:] == ([0, 0, 0, 0], 0.0, ERROR)
    assert one_trial(task, [0, 1, 1, 1, 1])[1:] == ([0, 0, 0, 0, 10], 1.0, CORRECT)
    assert one_trial(task, [0, 1, 1, 1, 1])[0][:, 0].tolist() == [0, 1, 0, 0, 0]
    assert one_trial(task.set(n_press=1), [0, 1])[1:] == ([0, 10], 1.0, CORRECT)


def test_lever_press_references():
    task = nj.make("LeverPress-v0")
    numbers = task.references()
    assert numbers["ideal"] == pytest.approx(1)
    assert numbers["blind"] == 0.5  # waits once, and presses
    # waits until the cue comes with (1/2 1/2) / (1 - 1/2 1/2) = 1/3, then presses four times
    assert numbers["random"] == pytest.approx(1 / 3 / 16)
    easy = task.set(n_press=1)
    random = easy.references()["random"]
    assert mean_performance(easy, "random") == pytest.approx(random, abs=sampling(random))
    rare = nj.make("LeverPress-v0", signal_prob=0.1, timing={"limit": 2000})
    assert rare.references()["ideal"] == pytest.approx(1 - 0.9**16)
    assert mean_performance(rare, "oracle") == pytest.approx(1 - 0.9**16, abs=sampling(0.81))
    # mean reward per step of the oracle: 2 steps of waiting and 4 of pressing
    assert task.optimal_reward == pytest.approx(10 / 6)
    run = nj.rollout(task, KEY, 64, 600, policy="oracle", devices=1).trajectory
    assert np.mean(run.rewards) == pytest.approx(10 / 6, rel=0.03)
    assert nj.make("LeverPress-v0", reward_seq_complete=3.0).rewards["correct"] == 3
    refuses("LeverPress-v0", r"timing\['limit'\] must last 6 steps or more \(600 ms\)", timing={"limit": 500})


# ---------------------------------------------------------------------- LeverPressWithPoke


def test_poke_after_enough_presses():
    task = nj.make("LeverPressWithPoke-v0", observe_state=True)
    seen, rewards, performance, outcome = one_trial(task, [1, 1, 1, 1, 0])
    assert seen[:, 0].tolist() == [4, 3, 2, 1, 0]
    assert (rewards, performance, outcome) == ([0, 0, 0, 0, 1], 1.0, CORRECT)
    # a poke too early and a press too many cost a step each, and no more
    seen, rewards, performance, outcome = one_trial(task, [1, 0, 1, 1, 1, 1, 0])
    assert seen[:, 0].tolist() == [4, 3, 3, 2, 1, 0, 0]
    assert (rewards, outcome) == ([0] * 6 + [1], ERROR)
    assert performance == pytest.approx(5 / 7)
    assert set(one_trial(task.set(observe_state=False), [1, 1, 1, 1, 0])[0][:, 0].tolist()) == {1}


def test_poke_references():
    task = nj.make("LeverPressWithPoke-v0")
    numbers = task.references()
    # 4.5 standard errors: performance has a standard deviation of about .2
    assert mean_performance(task, "random") == pytest.approx(numbers["random"], abs=0.015)
    rng = np.random.default_rng(0)
    best = 0.0
    for press in (0.6, 0.65, 0.7, 0.75):
        taken = rng.negative_binomial(4, press, 20000) + 4 + rng.geometric(1 - press, 20000)
        mean = np.mean(5 / taken * (taken <= 100))
        assert task.memoryless(press) == pytest.approx(mean, abs=0.01)
        best = max(best, mean)
    assert numbers["blind"] == pytest.approx(best, abs=0.01)
    assert numbers["blind"] < numbers["ideal"] - 0.1
    assert task.optimal_reward == pytest.approx(0.2)
    # the rate of one who presses with probability p: NeuroGym's p (1 - p) / (n (1 - p) + p), at its best p
    p = np.linspace(0.01, 0.99, 9801)
    assert task.optimal_chance_reward == pytest.approx(np.max(p * (1 - p) / (4 * (1 - p) + p)), rel=1e-6)
    refuses("LeverPressWithPoke-v0", "5 steps or more", timing={"limit": 400})


# ---------------------------------------------------------------------- LeverPressWithPokeRest


def test_rest_until_thirsty():
    task = nj.make("LeverPressWithPokeRest-v0", slowest=1.0, fastest=1.0)
    # sated at -8, the level rises by 1 a step: -7 is shown first, and full thirst at the 9th step
    seen, rewards, performance, outcome = one_trial(task, [1, 1, 1, 1, 0, 0, 0, 0, 2])
    assert seen[:, 0].tolist() == [0] * 8 + [1]
    assert rewards == pytest.approx([-0.1] * 4 + [0] * 4 + [1.9])
    assert (performance, outcome) == (pytest.approx(1), CORRECT)
    _, rewards, performance, outcome = one_trial(task, [1, 1, 1, 1, 2])  # not thirsty yet
    assert rewards == pytest.approx([-0.1] * 5)
    assert (performance, outcome) == (0, ERROR)
    _, rewards, performance, _ = one_trial(task, [2, 1, 1, 1, 1, 1, 2], level=1.0)  # two efforts wasted
    assert rewards == pytest.approx([-0.1] * 6 + [1.9])
    assert performance == pytest.approx(1.3 / 1.5)
    half = one_trial(task, [1, 1, 1, 1, 2], level=-3.5)
    assert half[0][-1, 0] == 0.5
    assert half[2] == pytest.approx((1 - 0.5) / 1.5)


def test_thirst_rises_by_random_steps():
    task = nj.make("LeverPressWithPokeRest-v0")
    run = nj.rollout(task, KEY, 256, 40, policy="oracle", devices=1).trajectory
    ends = np.asarray(run.new_trial)
    assert np.allclose(np.asarray(run.rewards)[ends], 1.9)
    # 9 rises of 1 on average, with a standard deviation of .12 each
    lengths = np.argmax(ends, axis=1) + 1
    assert set(lengths) <= {8, 9, 10, 11}
    assert 9 <= np.mean(lengths) <= 9.8
    trials = np.asarray(run.conditions["level"])[:, 0]
    assert -7.2 <= trials.min() < -7.15 and -6.85 < trials.max() <= -6.8


def test_rest_references():
    task = nj.make("LeverPressWithPokeRest-v0")
    numbers = task.references()
    assert mean_performance(task, "oracle") == pytest.approx(1)
    assert mean_performance(task, "random") == pytest.approx(numbers["random"], abs=0.03)
    assert numbers["random"] < numbers["blind"] < numbers["ideal"] - 0.1
    assert nj.make("LeverPressWithPokeRest-v0", effort=-0.2).rewards["effort"] == np.float32(-0.2)
    refuses("LeverPressWithPokeRest-v0", "slowest must be above 0 and not exceed fastest", slowest=2.0)
    refuses("LeverPressWithPokeRest-v0", "5 efforts must cost less", rewards={"effort": -0.5})


# ---------------------------------------------------------------------- Pneumostomeopening

PNEUMOSTOME, SKIN, UP, DOWN = range(4)


def test_the_snail_breathes_air_at_the_surface_alone():
    task = nj.make("Pneumostomeopening-v0")
    seen, rewards, performance, outcome = one_trial(
        task, [UP, PNEUMOSTOME, UP, PNEUMOSTOME, SKIN, DOWN, *[SKIN] * 4], depth=2
    )
    assert seen.argmax(axis=1).tolist() == [2, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    assert np.all(seen.sum(axis=1) == 1)
    assert rewards == pytest.approx([0.1, 0, 0.1, 1, 0.5, 0.1, *[0.5] * 4])
    # scaled from .1 to 1, the vain opening counting as the least
    assert performance == pytest.approx((1 + 5 * 0.4 / 0.9) / 10)
    assert outcome == CORRECT


def test_the_snail_needs_oxygen():
    task = nj.make("Pneumostomeopening-v0")
    # 10 exp(-.5 k) is below .5 after 6 strokes
    assert one_trial(task, [UP] * 10, depth=0)[2:] == (0.0, ERROR)
    assert len(one_trial(task, [UP] * 10, depth=0)[1]) == math.ceil(2 * math.log(20)) == 6
    breath = one_trial(task, [UP] * 5 + [PNEUMOSTOME] + [UP] * 4, depth=0)
    assert (len(breath[1]), breath[3]) == (10, CORRECT)
    assert len(one_trial(task.set(decay=1.0), [DOWN] * 10, depth=0)[1]) == 10
    # one stroke does not kill later in the trial than earlier: NeuroGym's decay grows with time
    assert one_trial(task, [SKIN] * 8 + [UP, SKIN], depth=1)[3] == CORRECT


@pytest.mark.parametrize(
    ("preset", "best", "first"), [("set_default_behavior", 0.85, UP), ("training_session", 1.0, SKIN)]
)
def test_the_snails_phases(preset, best, first):
    task = nj.make("Pneumostomeopening-v0", preset=preset)
    numbers = task.references()
    assert numbers["ideal"] == pytest.approx(best)
    assert mean_performance(task, "oracle") == pytest.approx(best, abs=sampling(0.5))
    assert nj.render(task, KEY, 2, depth=3, devices=1).targets[0, 0] == first
    if preset == "set_default_behavior":  # three strokes up lead to the surface from anywhere
        assert numbers["blind"] == pytest.approx(0.7)
    else:  # to avoid one action is all there is to learn, and the depth says nothing of it
        assert numbers["blind"] == 1
        assert one_trial(task, [PNEUMOSTOME] * 10, depth=0)[2] == 0


def test_the_snails_test_is_unrewarded():
    task = nj.make("Pneumostomeopening-v0", preset="testing_session")
    _, rewards, performance, _ = one_trial(task, [PNEUMOSTOME, SKIN] * 5, depth=0)
    assert rewards == [0] * 10
    assert performance == pytest.approx(1)
    refuses("Pneumostomeopening-v0", r"rewards\['swim'\] must not exceed", rewards={"swim": 0.6})
