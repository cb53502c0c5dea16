"""Detection, interval timing, estimation, recall and the dynamical tasks: rules, repairs, statistics and references."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.chance import Chance, key_words
from neurojax.core.session import advance, begin, observation, start_memory, target

KEY = jax.random.key(3)
TRIALS = 4096
CORRECT, ERROR, ABORT, MISS = (
    int(o) for o in (nj.Outcome.CORRECT, nj.Outcome.ERROR, nj.Outcome.ABORT, nj.Outcome.MISS)
)


def sampling(p, n=TRIALS, z=4.5):
    """How far a share of `n` trials may lie from `p`."""
    return z * math.sqrt(max(p * (1 - p), 1e-3) / n)


@jax.jit
def _answered(task, words, given, actions):
    def lane(lane, given, actions):
        chance = Chance(words, lane)

        def body(session, now):
            t, action = now
            seen, best = observation(task, session, chance, t), target(task, session)
            session, came = advance(task, session, action, chance, t)
            result = came.result
            return session, (seen, best, came.reward, came.new_trial, result.performance, result.outcome)

        session = begin(task, start_memory(task, chance), chance, 0, given)
        steps = jnp.arange(actions.shape[0], dtype=jnp.int32)
        return jax.lax.scan(body, session, (steps, actions))[1]

    return jax.vmap(lane)(jnp.arange(actions.shape[0], dtype=jnp.uint32), given, actions)


def answered(task, actions, **given):
    """What comes of actions `[B, T, ...]`, as arrays `[B, T, ...]`, and the step `[B]` at which each trial ended."""
    actions = jnp.asarray(actions, task.actions.dtype)
    given = {name: jnp.broadcast_to(jnp.asarray(v), (actions.shape[0],)) for name, v in given.items()}
    seen, best, reward, ended, performance, outcome = (
        np.asarray(x) for x in _answered(task, key_words(KEY), given, actions)
    )
    assert ended.any(axis=1).all()
    end = ended.argmax(axis=1)
    lanes = np.arange(len(end))
    return {
        "seen": seen, "best": best, "rewards": reward, "end": end,
        "reward": np.array([r[: e + 1].sum() for r, e in zip(reward, end, strict=True)]),
        "performance": performance[lanes, end], "outcome": outcome[lanes, end],
    }  # fmt: skip


def responses(task, *steps, action=1):
    """Actions `[B, T]`: one response each, at the step given; None: no response."""
    out = np.zeros((len(steps), task.capacity), np.int32)
    for row, step in zip(out, steps, strict=True):
        if step is not None:
            row[step] = action
    return out


def mean_performance(task, policy, n=TRIALS, **given):
    return float(np.mean(nj.play(task, KEY, n, policy=policy, devices=1, **given).result.performance))


def refuses(id, message, **keywords):
    with pytest.raises(ValueError, match=message):
        nj.make(id, **keywords)


# ---------------------------------------------------------------------- Detection

QUIET = {"fixation": 200, "stimulus": 600}


def test_detection_is_right_from_the_signals_first_step_on():
    task = nj.make("Detection-v0", sigma=0, timing=QUIET)
    came = answered(task, responses(task, 2, 3, 4, 7, None, 0), ground_truth=1, delay=200)
    # the signal comes 200 ms into a stimulus period that begins at step 2: at step 4
    assert came["outcome"].tolist() == [ERROR, ERROR, CORRECT, CORRECT, MISS, MISS]
    assert came["performance"].tolist() == [0, 0, 1, 1, 0, 0]
    assert np.allclose(came["reward"], [-1, -1, 1, 1, -1, -1.1])  # the last broke fixation, which costs .1
    assert came["seen"][0, :, 1].tolist() == [0, 0, 0, 0, 0.5, 0, 0, 0]
    assert came["best"][0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_detection_catch_trials_reward_nothing_and_count_as_correct():
    task = nj.make("Detection-v0", sigma=0, timing=QUIET)
    came = answered(task, responses(task, None, 4, None, 0, None, None), ground_truth=0, delay=200)
    assert came["outcome"].tolist() == [CORRECT, ERROR, CORRECT, CORRECT, CORRECT, CORRECT]
    assert came["performance"].tolist() == [1, 0, 1, 1, 1, 1]
    assert np.allclose(came["reward"][:4], [0, -1, 0, -0.1])
    assert not came["best"].any()  # NeuroGym shows the label of an earlier trial
    aborted = answered(task.set(abort=True), responses(task, 0, None, None, None, None, None), ground_truth=0)
    assert (aborted["outcome"][0], aborted["performance"][0], aborted["end"][0]) == (ABORT, 0, 0)


def test_detection_noise_is_the_same_with_and_without_a_signal():
    task = nj.make("Detection-v0", sigma=2.0, timing={"stimulus": 1000})
    spread = []
    for truth in (0, 1):
        batch = nj.render(task, KEY, 1024, ground_truth=truth, delay=800, devices=1)
        spread.append(np.asarray(batch.inputs)[:, 5:13, 1].std())
    # 8,192 numbers: a standard error of .8%, so that sqrt(2) is told from 1
    assert spread == pytest.approx([0.2, 0.2], rel=0.04)


@pytest.mark.parametrize("dt", [100, 20])
def test_detection_delay_is_in_ms(dt):
    task = nj.make("Detection-v0", dt=dt, delay=300, sigma=0, timing={"fixation": 200, "stimulus": 600})
    batch = nj.render(task, KEY, 2, ground_truth=1, devices=1)
    assert float(batch.conditions["delay"][0]) == 300
    assert np.argmax(np.asarray(batch.inputs)[0, :, 1]) * dt == 500


def test_detection_draws_delays_that_leave_room():
    task = nj.make("Detection-v0", timing={"stimulus": 600})
    batch = nj.render(task, KEY, TRIALS, devices=1)
    delays, counts = np.unique(np.asarray(batch.conditions["delay"]), return_counts=True)
    assert delays.tolist() == [0, 100, 200, 300]  # one step of signal, and one more
    assert np.all(np.abs(counts / TRIALS - 0.25) < sampling(0.25))
    assert abs(np.mean(batch.conditions["ground_truth"]) - 0.5) < sampling(0.5)
    assert nj.make("Detection-v0", delay=None).delay == -1


def test_detection_references():
    task = nj.make("Detection-v0")
    numbers = task.references()
    assert numbers["random"] == pytest.approx(0.17, abs=3e-3)
    assert mean_performance(task, "random") == pytest.approx(numbers["random"], abs=sampling(numbers["random"]))
    assert mean_performance(task, 0) == pytest.approx(0.5, abs=sampling(0.5))
    # The best fixed threshold comes close to the ideal observer, and not above it.
    batch = nj.render(task, KEY, TRIALS, devices=1)
    truth, seen = np.asarray(batch.conditions["ground_truth"]), np.asarray(batch.inputs)[..., 1]
    onset = 5 + np.asarray(batch.conditions["delay"]) / 100
    shares = []
    for threshold in np.arange(0.2, 0.45, 0.02):
        over = (seen > threshold) & np.asarray(batch.mask)
        goes, first = over.any(axis=1), over.argmax(axis=1)
        shares.append(np.mean(np.where(truth == 1, goes & (first >= onset), ~goes)))
    assert numbers["ideal"] - 0.015 < max(shares) < numbers["ideal"] + sampling(0.98)
    assert task.set(sigma=0).references()["ideal"] == 1
    assert task.set(sigma=50).references()["ideal"] == pytest.approx(0.5, abs=0.05)
    assert task.set(abort=True).references()["random"] == pytest.approx(numbers["random"] / 32)


def test_detection_refuses_what_cannot_be_shown():
    refuses("Detection-v0", "stim_dur=100 ms lasts no step at dt=200", dt=200)
    refuses("Detection-v0", r"must last 8 or more, 800 ms", delay=600, stim_dur=200)
    refuses("Detection-v0", r"timing\['stimulus'\] may last 1 steps", timing={"stimulus": 100})


# ---------------------------------------------------------------------- ToneDetection


def test_tone_detection_scores_the_last_action():
    task = nj.make("ToneDetection-v0")
    actions = np.zeros((4, task.capacity), np.int32)
    actions[0] = 2  # right all along
    actions[1, -1] = 2  # right at last
    actions[2, :-1] = 2  # right until the last step
    came = answered(task, actions, ground_truth=2)
    assert came["outcome"].tolist() == [CORRECT, CORRECT, ERROR, ERROR]
    assert came["reward"].tolist() == came["performance"].tolist() == [1, 1, 0, 0]
    assert came["end"].tolist() == [task.capacity - 1] * 4


def test_tone_detection_ideal_is_a_matched_filter():
    task = nj.make("ToneDetection-v0", sigma=6.0, dt=25, toneDur=50)
    batch = nj.render(task, KEY, TRIALS, devices=1)
    seen, truth = np.asarray(batch.inputs)[..., 0], np.asarray(batch.conditions["ground_truth"])
    sums = np.stack([seen[:, s : s + 2].sum(axis=1) for s in (20, 40, 60)], axis=1)
    said = np.where(sums.max(axis=1) > 1, 1 + sums.argmax(axis=1), 0)
    ideal = task.references()["ideal"]
    assert 0.5 < ideal < 0.75
    assert np.mean(said == truth) == pytest.approx(ideal, abs=sampling(ideal))
    assert nj.make("ToneDetection-v0").references() == {"clairvoyant": 1, "ideal": 1, "blind": 0.25, "random": 0.25}


def test_tone_detection_weighs_what_can_be_known():
    task = nj.make("ToneDetection-v0", timing={"toneTiming": [100, 400], "toneDur": 100, "stimulus": 600}, sigma=0)
    batch = nj.render(task, KEY, 3, ground_truth=[0, 1, 2], devices=1)
    assert np.asarray(batch.weights).argmax(axis=1).tolist() == [8, 2, 8]
    assert np.asarray(batch.inputs)[:, :, 0].nonzero()[1].tolist() == [2, 3, 8, 9]
    refuses("ToneDetection-v0", "lasts no step", dt=100)
    refuses("ToneDetection-v0", "must rise by tone_dur=50", tone_timing=[500, 500])
    refuses("ToneDetection-v0", "ends at 2050 ms, after the stimulus", tone_timing=[2000])


# ---------------------------------------------------------------------- IntervalDiscrimination


def test_interval_discrimination_by_counting():
    task = nj.make("IntervalDiscrimination-v0")
    batch = nj.render(task, KEY, TRIALS, devices=1)
    first, second = (np.asarray(batch.inputs)[..., k].sum(axis=1) for k in (1, 2))
    truth = np.asarray(batch.conditions["ground_truth"])
    assert np.array_equal(truth, np.where(first > second, 1, 2))
    assert np.array_equal(truth, np.asarray(batch.targets).max(axis=1))
    assert np.mean(first == second) == pytest.approx(0.24, abs=sampling(0.24))
    numbers = task.references()
    assert numbers["blind"] == pytest.approx(0.617, abs=1e-3)
    assert np.mean(truth == 2) == pytest.approx(numbers["blind"], abs=sampling(0.617))
    # 3 steps to decide: one in 27 trials has no response, and the others are right half the time
    assert numbers["random"] == pytest.approx(13 / 27)
    assert mean_performance(task, "random") == pytest.approx(numbers["random"], abs=sampling(0.48))


def test_interval_discrimination_given_and_strict():
    task = nj.make("IntervalDiscrimination-v0", preset="paper")
    came = answered(task, responses(task, 5, None, 0), duration1=[560, 400, 400], duration2=[400, 560, 560])
    assert came["outcome"].tolist() == [ABORT, MISS, ABORT]  # in NeuroGym only the last breaks fixation
    free = answered(nj.make("IntervalDiscrimination-v0"), responses(task, 5, None, 0), duration1=560, duration2=400)
    assert free["outcome"].tolist() == [MISS] * 3
    assert np.allclose(free["reward"], [0, 0, -0.1])


# ---------------------------------------------------------------------- MotorTiming, OneTwoThreeGo


@pytest.mark.parametrize("index", [0, 1])
def test_motor_timing_target_is_the_best_time(index):
    task = nj.make("MotorTiming-v0", timing={"cue": 1000})
    start = 6 + 12 + 1
    length = start + [20, 37][index]
    came = answered(task, responses(task, *range(length)), production_ind=index)
    best = int(came["best"][0].argmax())
    assert (best - start) * 80 == [800, 1520][index]  # NeuroGym asks for 1,440 of 1,500
    assert came["best"][0].sum() == 1
    assert np.max(came["reward"]) == came["reward"][best]
    assert came["performance"][best] == 1
    margin = 0.2 * [800, 1500][index] + 25
    late = (np.arange(length) - start) * 80 - [800, 1500][index]
    expected = (np.arange(length) >= start) & (np.abs(late) <= margin)
    assert np.array_equal(came["performance"] == 1, expected)
    share = np.maximum(np.maximum(1 - np.abs(late) / margin, 0) ** 1.5, 0.1)
    assert np.allclose(came["reward"], np.where(expected, share, np.where(np.arange(length) < 6, -0.1, 0)), atol=1e-6)


def test_motor_timing_shows_its_set_flash():
    task = nj.make("MotorTiming-v0")
    batch = nj.render(task, KEY, 8, devices=1)
    assert np.all(np.asarray(batch.inputs)[..., -1].sum(axis=1) == 1)
    refuses("MotorTiming-v0", "50 ms lasts no step at dt=80", timing={"set": 50})
    refuses("MotorTiming-v0", "intervals must be 40 ms or more", intervals=[20, 800])


def test_motor_timing_references():
    task = nj.make("MotorTiming-v0")
    numbers = task.references()
    # A random go falls in the window of 8 .. 12 steps of 800 ms, or of 15 .. 22 of 1,500 ms.
    expected = (0.5**8 - 0.5**13 + 0.5**15 - 0.5**23) / 2
    assert numbers == {"clairvoyant": 1, "ideal": 1, "blind": 0.5, "random": pytest.approx(expected)}
    three = task.set(intervals=[800, 900, 1500])
    assert three.references()["blind"] == pytest.approx(2 / 3)
    assert three.channels.size == 5
    quick = nj.make("MotorTiming-v0", intervals=[160, 320], timing={"fixation": 80, "cue": 80}, preset="paper")
    random = quick.references()["random"]
    assert mean_performance(quick, "random") == pytest.approx(random, abs=sampling(random))
    assert random == pytest.approx(quick.set(strict_fixation=False).references()["random"] / 8)


def test_one_two_three_go():
    task = nj.make("OneTwoThreeGo-v0", timing={"fixation": 400, "target": 800})
    length = 5 + 10 + 3 * (1 + 10) + 12
    came = answered(task, responses(task, *range(length)), interval=800)
    start = 5 + 10 + 3 + 20
    late = (np.arange(length) - start) * 80 - 800
    right = (np.arange(length) >= start) & (np.abs(late) <= 185)
    assert np.array_equal(came["performance"] == 1, right)
    assert came["best"][0].argmax() == start + 10 == came["reward"].argmax()
    assert np.allclose(came["reward"][:start], -0.1)  # whenever before the third flash is over
    assert came["seen"][0, :, 1].nonzero()[0].tolist() == [15, 26, 37]
    aborted = answered(task.set(abort=True), responses(task, *range(length)), interval=800)
    assert np.all(aborted["outcome"][:start] == ABORT)


def test_one_two_three_go_references():
    task = nj.make("OneTwoThreeGo-v0")
    numbers = task.references()
    assert numbers["blind"] == pytest.approx(0.6)  # one time is right for three of the five intervals
    assert numbers["random"] == pytest.approx(0.006, abs=1e-3)
    assert numbers["ideal"] == numbers["clairvoyant"] == pytest.approx(1)
    quick = nj.make("OneTwoThreeGo-v0", timing={"fixation": 80, "target": 80, "interval1": [80, 160]})
    for task in (quick, quick.set(abort=True)):
        random = task.references()["random"]
        assert mean_performance(task, "random", 2 * TRIALS) == pytest.approx(random, abs=sampling(random, 2 * TRIALS))
    refuses("OneTwoThreeGo-v0", "interval2", timing={"interval2": 0})


# ---------------------------------------------------------------------- AngleReproduction, DelayedEstimation


def test_angle_reproduction_references():
    task = nj.make("AngleReproduction-v0")
    for changed in (task, nj.make("AngleReproduction-v0", preset="paper", speed=3.0)):
        numbers = changed.references()
        assert mean_performance(changed, "oracle") == pytest.approx(numbers["clairvoyant"], abs=0.02)
        assert mean_performance(changed, "random") == pytest.approx(numbers["random"], abs=0.02)
        assert numbers["blind"] == pytest.approx(0.175, abs=1e-3)
    assert nj.reference_numbers(task).ideal == pytest.approx(0.753, abs=1e-3)
    # who cannot turn the hand before the report arrives later
    assert task.set(free=False).references()["ideal"] < task.references()["ideal"] - 0.08
    slow = task.set(speed=0, step=0.05, free=False).references()  # NeuroGym's hand, in its reports
    assert slow["ideal"] - slow["blind"] < 0.1
    assert set(task.set(carry=True).references()) == {"blind", "random"}


def test_angle_reproduction_scores_both_reports():
    task = nj.make("AngleReproduction-v0")
    actions = np.zeros((2, task.capacity), np.int32)
    came = answered(task, actions, ground_truth1=[np.pi, np.pi - 0.5], ground_truth2=[np.pi - 0.5, 0.1])
    # a hand that stays: 1, and 1 less half a radian; the same, and no better than the floor of -.1
    assert came["reward"] == pytest.approx([5 + 5 * 0.5, 5 * 0.5 - 0.5], abs=1e-4)
    assert came["performance"] == pytest.approx([(1.1 + 0.6) / 2.2, 0.6 / 2.2], abs=1e-5)
    assert came["outcome"].tolist() == [CORRECT, ERROR]
    moved = answered(task, np.where(np.arange(task.capacity) < 2, 1, actions), ground_truth1=1.0, ground_truth2=1.0)
    hand = moved["seen"][0, :, 16:32]
    angle = np.angle(hand @ np.exp(1j * nj.ring(16).astype(float)))
    stride = 2 * np.pi * 0.1
    assert np.mod(angle[:3], 2 * np.pi) == pytest.approx([np.pi, np.pi + stride, np.pi + 2 * stride], abs=1e-4)
    assert abs(angle[29]) == pytest.approx(np.pi - 2 * stride, abs=1e-4)
    assert abs(angle[30]) == pytest.approx(np.pi, abs=1e-3)  # the second report begins at pi


def test_delayed_estimation_scores_the_direction_of_the_first_report():
    task = nj.make("DelayedEstimation-v0")
    errors = np.radians([0, 20, 40, 90, 180, 0])
    actions = np.zeros((6, task.capacity, 2), np.float32)
    actions[:, 20] = 0.8 * np.stack([np.cos(1 + errors), np.sin(1 + errors)], axis=1)
    actions[5, 20] *= 0.6  # .48, too short for a report
    actions[:4, 21] = -actions[:4, 20]  # comes too late to change the answer
    came = answered(task, actions, theta=1.0)
    expected = [*(0.5 + 0.5 * np.cos(errors[:5])), 0]
    assert came["performance"] == pytest.approx(expected, abs=1e-6)
    assert came["reward"] == pytest.approx(expected, abs=1e-6)
    assert came["outcome"].tolist() == [CORRECT, CORRECT, ERROR, ERROR, ERROR, MISS]
    assert came["best"][0, 20] == pytest.approx([np.cos(1), np.sin(1)])
    assert not came["best"][0, :18].any()


def test_delayed_estimation_references():
    task = nj.make("DelayedEstimation-v0", sigma=40.0, timing={"stimulus": 300, "delay": 100})
    batch = nj.render(task, KEY, TRIALS, devices=1)
    vector = np.asarray(batch.inputs)[..., 1:].sum(axis=1) @ np.exp(1j * nj.ring(16).astype(float))
    error = np.angle(vector) - np.asarray(batch.conditions["theta"])
    numbers = task.references()
    assert 0.6 < numbers["ideal"] < 0.9
    assert np.mean(0.5 + 0.5 * np.cos(error)) == pytest.approx(numbers["ideal"], abs=4.5 * 0.35 / math.sqrt(TRIALS))
    assert mean_performance(task, "random") == pytest.approx(numbers["random"], abs=sampling(0.5))
    strict = task.set(strict_fixation=True).references()["random"]
    assert strict == pytest.approx(numbers["random"] * (math.pi / 16) ** 7)
    assert task.set(sigma=0).references()["ideal"] == 1
    refuses("DelayedEstimation-v0", r"rewards\['fail'\] must be below", rewards={"fail": 1.0})


# ---------------------------------------------------------------------- FlipFlop, SineGenerator


@functools.cache
def flip_flop(p, run=2000):
    batch = nj.render(nj.make("FlipFlop-v0", p=p, timing={"run": run}), KEY, 256, devices=1)
    return np.asarray(batch.inputs), np.asarray(batch.targets)


@pytest.mark.parametrize("p", [0.5, 0.03, 1.0, 0.0])
def test_flip_flop_remembers_the_last_pulse(p):
    seen, best = flip_flop(p)
    assert set(np.unique(seen)) <= {-1, 0, 1}
    assert np.all(seen[:, 0] != 0)
    held = seen[:, 0]
    for t in range(seen.shape[1]):  # 100 steps: over the ends of three words
        held = np.where(seen[:, t] != 0, seen[:, t], held)
        assert np.array_equal(best[:, t], held), t
    n = seen[:, 1:].size
    assert np.mean(seen[:, 1:] != 0) == pytest.approx(p, abs=sampling(p, n) if 0 < p < 1 else 0)
    if p > 0:
        assert np.mean(seen[seen != 0]) == pytest.approx(0, abs=4.5 / math.sqrt(np.sum(seen != 0)))


def test_flip_flop_pulses_are_independent():
    seen, _ = flip_flop(0.5)
    for what in (np.abs(seen[:, 1:]) - 0.5, seen[:, 1:]):
        n = what[..., 0].size
        scale = np.mean(what**2)
        for lag in (1, 16, 31, 32, 33, 64):
            assert abs(np.mean(what[:, lag:] * what[:, :-lag])) / scale < 4.5 / math.sqrt(what[:, lag:].size)
        assert abs(np.mean(what[..., 0] * what[..., 1])) / scale < 4.5 / math.sqrt(n)
    assert len(np.unique(seen.reshape(len(seen), -1), axis=0)) == len(seen)


def test_flip_flop_a_seed_is_a_trial():
    task = nj.make("FlipFlop-v0")
    batch = nj.render(task, KEY, 4, devices=1)
    again = nj.render(task, jax.random.key(9), 4, seed=np.asarray(batch.conditions["seed"]), devices=1)
    assert np.array_equal(batch.inputs, again.inputs)
    longer, _ = flip_flop(0.5)  # the same key
    assert np.array_equal(longer[:4, :64], batch.inputs)


def test_flip_flop_scores_closeness():
    task = nj.make("FlipFlop-v0", n_bits=2, timing={"run": 800})
    best = np.asarray(nj.render(task, KEY, 4, devices=1).targets)
    scale = np.reshape([1, 0.75, 0.0, -1], (4, 1, 1))
    seed = nj.render(task, KEY, 4, devices=1).conditions["seed"]
    came = answered(task, best * scale, seed=seed)
    assert came["performance"] == pytest.approx([1, 0.75, 0, 0], abs=1e-5)
    assert came["reward"] == pytest.approx([1, 0.75, 0, 0], abs=1e-5)
    assert came["outcome"].tolist() == [CORRECT, CORRECT, ERROR, ERROR]
    numbers = task.references()
    assert mean_performance(task, [1.0, -1.0]) == pytest.approx(numbers["blind"], abs=0.01)
    assert mean_performance(task, "random") == pytest.approx(numbers["random"], abs=0.01)


def test_sine_generator():
    task = nj.make("SineGenerator-v0")
    batch = nj.render(task, KEY, 51, index=np.arange(51), devices=1)
    t = np.arange(128) * 0.05
    frequency = np.linspace(1, 6, 51)
    assert np.allclose(batch.targets[..., 0], np.sin(frequency[:, None] * t), atol=1e-5)
    assert np.allclose(batch.inputs[..., 0], (np.arange(1, 52) / 51 + 0.25)[:, None])
    numbers = task.references()
    best = np.asarray(batch.targets)[..., 0]
    grid = np.linspace(-1, 1, 401)[:, None, None]
    blind = np.mean(np.max(np.mean(np.maximum(1 - np.abs(best - grid), 0), axis=1), axis=0))
    assert numbers["blind"] == pytest.approx(blind, abs=1e-3)
    off = np.reshape([0.0, 0.15, 0.5], (3, 1))
    came = answered(task, (best[10] + off)[..., None], index=10)
    assert came["performance"] == pytest.approx([1, 0.85, 0.5], abs=1e-4)
    assert came["outcome"].tolist() == [CORRECT, CORRECT, ERROR]
    refuses("SineGenerator-v0", "half a turn a step", dt=1000)
    paper = nj.make("SineGenerator-v0", preset="paper")
    assert (paper.capacity, *np.round(paper.frequencies[[0, -1]], 3)) == (128, *np.float32([0.1, 0.6]))


# ---------------------------------------------------------------------- MemoryRecall


@functools.cache
def recalled(balanced=True, chance=0.7):
    task = nj.make("MemoryRecall-v0", balanced=balanced, chance=chance)
    batch = nj.render(task, KEY, 2048, devices=1)
    return task, jax.tree.map(np.asarray, batch)


@pytest.mark.parametrize("balanced", [True, False])
def test_memory_recall_brings_back_what_was_stored(balanced):
    _, batch = recalled(balanced)
    right, orders = [], []
    for seen, best, (store, recall) in zip(batch.inputs, batch.targets, batch.periods, strict=True):
        stored = np.flatnonzero(seen[:, -1])
        count = recall[1] - recall[0]
        assert len(stored) == count == int(0.1 * recall[1] + 1e-6)
        assert not best[: store[1]].any() and np.all(stored < store[1])
        wanted = best[recall[0] : recall[1]]
        patterns = seen[stored, :-1]
        assert sorted(map(tuple, wanted)) == sorted(map(tuple, patterns))
        orders.append(np.array_equal(wanted, patterns) if count == 2 else 0.5)
        right.append((seen[recall[0] : recall[1], :-1] == wanted).ravel())
    kept = np.concatenate(right)
    expected = 0.4 if balanced else 0.7  # elements that are not lost, or not flipped
    assert kept.mean() == pytest.approx(expected, abs=sampling(expected, kept.size))
    assert np.mean(orders) == pytest.approx(0.5, abs=sampling(0.5, 2048))
    assert set(np.unique(batch.inputs[:, :13, :-1])) == ({-1, 1} if balanced else {0, 1})
    assert np.array_equal(np.unique(batch.lengths), np.arange(15, 26))


def test_memory_recall_rewards_the_target_most():
    task, batch = recalled()
    scale = np.reshape([1, 0.5, 0, -1], (4, 1, 1))  # NeuroGym pays the last of these most
    given = {name: batch.conditions[name][:4] for name in ("length", "seed")}
    came = answered(task, batch.targets[:4] * scale, **given)
    assert came["performance"] == pytest.approx([1, 0.75, 0.5, 0], abs=1e-5)
    assert came["reward"] == pytest.approx([1, 0.75, 0.5, 0], abs=1e-5)
    assert came["outcome"].tolist() == [CORRECT, CORRECT, ERROR, ERROR]


def test_memory_recall_references():
    task, _ = recalled()
    numbers = task.references()
    # Two patterns: the first copy fits both with .8^10, both copies do with .68^10; what is left is guessed.
    first = 1 - 0.8**10 * (1 - 0.4 / 0.8) * 0.375 / (2 * 0.5)
    second = 1 - 0.68**10 * 0.18 / 0.68 / 2
    expected = (5 + 6 * (first + second) / 2) / 11
    assert numbers["ideal"] == pytest.approx(expected, abs=5e-3)
    assert numbers["blind"] == 0.5
    assert mean_performance(task, "random") == pytest.approx(0.5, abs=0.01)
    other, _ = recalled(False)
    assert mean_performance(other, "random") == pytest.approx(other.references()["random"], abs=0.01)
    assert task.set(chance=1).references()["ideal"] == pytest.approx(1, abs=1e-3)
    assert "ideal" not in task.set(p_recall=0.5).references()
    refuses("MemoryRecall-v0", "nothing to recall", t_min=5)
    refuses("MemoryRecall-v0", "whole numbers", t_min=26)
    refuses("MemoryRecall-v0", "chance must lie in", chance=0.4)
