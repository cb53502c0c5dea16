"""The modifiers of one task: what each of them does, that they nest, and that what makes no sense is refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import neurojax as nj
from helpers import assert_same_bits, draw_trials, forward
from neurojax.core.chance import Chance
from neurojax.core.draw import Draw
from neurojax.core.session import begin, start_memory
from neurojax.data.render import _render
from neurojax.errors import InvalidArgument, UnknownName
from neurojax.modifiers import ALIASES, MODIFIERS, modifier, modifiers
from neurojax.modifiers.action_gated import action_gated
from neurojax.modifiers.noise import AdaptiveNoise, Noise, adaptive_noise, noise
from neurojax.modifiers.pass_action import pass_action
from neurojax.modifiers.pass_reward import pass_reward
from neurojax.modifiers.random_ground_truth import random_ground_truth
from neurojax.modifiers.schedule_attr import schedule_attr
from neurojax.modifiers.side_bias import SideBias, side_bias
from neurojax.modifiers.strict_fixation import strict_fixation
from neurojax.modifiers.trial_history import TrialHistory, transitions, trial_history
from neurojax.tasks.yang19 import RULES, Yang19Mixture

KEY = jax.random.key(29)
PDM = "PerceptualDecisionMaking-v0"
SHORT = {"fixation": 100, "stimulus": 200, "delay": 100, "decision": 100}


def motion(**kwargs):
    """Random-dot motion in trials of five steps: fixation 0, stimulus 1 and 2, delay 3, decision 4."""
    return nj.make(PDM, **{"timing": SHORT, **kwargs})


def blink(**kwargs):
    """The same in trials of one step."""
    timing = {"fixation": 0, "stimulus": 0, "delay": 0, "decision": 100}
    return nj.make(PDM, **{"timing": timing, **kwargs})


# ---------------------------------------------------------------------- the contract

SIDES = [[0.8, 0.2], [0.2, 0.8]]
COMPARED = {"fixation": 100, "stimulus1": 100, "delay": 100, "stimulus2": 200}
KEPT = {
    "noise on images": lambda: noise(nj.make("SpatialSuppressMotionImage-v0"), std=0.1),
    "adaptive noise": lambda: adaptive_noise(motion()),
    "pass action": lambda: pass_action(motion(), one_hot=True),
    "pass continuous action": lambda: pass_action(nj.make("ReachingDelayResponse-v0")),
    "pass reward": lambda: pass_reward(nj.make("Bandit-v0")),
    "side bias": lambda: side_bias(motion(), SIDES, 2),
    "random ground truth": lambda: random_ground_truth(motion()),
    "trial history": lambda: trial_history(motion(), rules=["repeating", "alternating"], block_dur=0.5),
    "strict fixation": lambda: strict_fixation(motion(), penalty=-0.2),
    "gate before everything": lambda: action_gated(motion(), period="fixation", action=2, wait=300),
    "schedule": lambda: schedule_attr(
        motion(),
        [{"sigma": 0.5, "timing": {"stimulus": 100}}, {"sigma": 2.0}],
        order="random_block",
        block_lengths=[1, 2],
    ),
    "reaction time, two stimuli": lambda: nj.reaction_time(nj.make("DelayComparison-v0", timing=COMPARED)),
    "everything": lambda: action_gated(
        strict_fixation(nj.reaction_time(side_bias(pass_reward(pass_action(noise(motion()))), SIDES, (1, 3)))), wait=300
    ),
    "everything, the other way around": lambda: pass_action(
        pass_reward(adaptive_noise(trial_history(action_gated(motion(), wait=200), rules=["repeating"])))
    ),
}


# Each of these compiles for several seconds, and another in `KEPT` has the same base class or the same rule.
SLOW = (
    "noise on images",
    "pass continuous action",
    "random ground truth",
    "gate before everything",
    "schedule",
    "reaction time, two stimuli",
    "everything, the other way around",
)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in KEPT])
def test_it_keeps_the_contract(name):
    nj.check_task(KEPT[name]())


@pytest.mark.parametrize("name", KEPT)
def test_its_settings_build_it_again(name):
    task = KEPT[name]()
    names = {"noise on images": "SpatialSuppressMotionImage-v0", "pass reward": "Bandit-v0"}
    names |= {"pass continuous action": "ReachingDelayResponse-v0", "reaction time, two stimuli": "DelayComparison-v0"}
    again = nj.make(names.get(name, PDM), **task.settings())
    assert jax.tree.structure(again) == jax.tree.structure(task)
    assert_same_bits(jax.tree.map(np.asarray, again), jax.tree.map(np.asarray, task))
    assert task.set().capacity == task.capacity


# ---------------------------------------------------------------------- what is inside stays

LAYERS = {
    "noise": lambda task: noise(task, std=0),
    "adaptive noise": lambda task: adaptive_noise(task, std=0),
    "side bias": lambda task: side_bias(task, SIDES),
    "trial history": lambda task: trial_history(task, rules=["repeating"]),
    "strict fixation": strict_fixation,
}


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_drawn_inside_stays_as_it_was(name):
    plain = motion(timing={**SHORT, "stimulus": ("uniform", (100, 400))})
    inside = nj.render(plain, KEY, 64, ground_truth=1, devices=1)
    outside = nj.render(LAYERS[name](plain), KEY, 64, ground_truth=1, devices=1)
    kept = {condition: outside.conditions[condition] for condition in inside.conditions}
    assert_same_bits(kept, inside.conditions)
    assert_same_bits((outside.periods, outside.targets), (inside.periods, inside.targets))
    np.testing.assert_allclose(outside.inputs, inside.inputs, atol=1e-6)  # with all of its noise


def test_noise_is_added_to_every_channel():
    plain = motion(sigma=0)
    more = (
        nj.render(noise(plain, std=0.5), KEY, 512, coherence=0).inputs - nj.render(plain, KEY, 512, coherence=0).inputs
    )
    np.testing.assert_allclose(np.std(more, axis=(0, 1)), 0.5, rtol=0.06)  # 5 standard errors of 2,560 draws
    correlation = np.corrcoef(np.reshape(more, (-1, 3)).T)[np.triu_indices(3, 1)]
    assert np.all(np.abs(correlation) < 4 / np.sqrt(512 * 5))


# ---------------------------------------------------------------------- blocks


def blocks_of(block_dur, sessions=256, trials=20):
    probs = [[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]
    task = side_bias(blink(), probs, block_dur)
    found = nj.session(task, KEY, trials, n_sessions=sessions).conditions
    return found["side_block"], found["ground_truth"]


def test_blocks_of_a_fixed_length_and_what_is_likely_in_them():
    block, truth = blocks_of(4)
    changes = np.diff(block, axis=1) != 0
    assert np.array_equal(np.flatnonzero(changes.any(axis=0)), [3, 7, 11, 15])  # before trials 4, 8, 12, 16
    assert changes[:, [3, 7, 11, 15]].all()  # always another block
    steps = np.diff(block[:, ::4], axis=1) % 3
    assert abs(np.mean(steps == 1) - 0.5) < 4 * 0.5 / np.sqrt(steps.size)  # each other one is as likely
    for index, right in enumerate((0.1, 0.9, 0.5)):
        n = np.sum(block == index)
        assert abs(np.mean(truth[block == index]) - right) < 4 * np.sqrt(right * (1 - right) / n)


def test_blocks_with_a_hazard_and_with_a_range_of_lengths():
    block, _ = blocks_of(0.25)
    changes = np.diff(block, axis=1) != 0
    assert abs(changes.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / changes.size)
    block, _ = blocks_of((2, 4))
    # The first block of each session is whole, and its length one of 2, 3 and 4, each as likely.
    first = np.argmax(np.diff(block, axis=1) != 0, axis=1) + 1
    lengths, counts = np.unique(first, return_counts=True)
    assert lengths.tolist() == [2, 3, 4]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_block_and_the_truth_in_it_may_be_given():
    task = side_bias(blink(), [[1, 0], [0, 1]], 10)
    batch = nj.render(task, KEY, 4, side_block=[0, 1, 0, 1], devices=1)
    assert batch.conditions["ground_truth"].tolist() == [0, 1, 0, 1]
    batch = nj.render(task, KEY, 2, side_block=1, ground_truth=0, devices=1)
    assert batch.conditions["ground_truth"].tolist() == [0, 0]


def test_other_conditions_may_be_biased_whatever_their_values():
    # DelayMatchSample calls its truths 1 and 2; the coherences of PerceptualDecisionMaking are no integers.
    task = random_ground_truth(nj.make("DelayMatchSample-v0"), p=[0, 1])
    assert set(draw_trials(task, KEY, 32).conditions["ground_truth"].tolist()) == {2}
    task = random_ground_truth(motion(coherences=[0, 50]), p=[0.25, 0.75], condition="coherence")
    drawn = draw_trials(task, KEY, 1024).conditions["coherence"]
    assert set(drawn.tolist()) == {0.0, 50.0}
    assert abs(np.mean(drawn == 50) - 0.75) < 4 * np.sqrt(0.25 * 0.75 / 1024)


# ---------------------------------------------------------------------- history


def test_truths_follow_each_other_as_the_matrix_says():
    probs = np.array([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4], [0.8, 0.0, 0.2]])
    found = nj.session(trial_history(blink(dim_ring=3), probs), KEY, 20, n_sessions=256).conditions
    truth = found["ground_truth"]
    assert np.array_equal(found["history_previous"][:, 1:], truth[:, :-1])
    for before in range(3):
        after = truth[:, 1:][truth[:, :-1] == before]
        share = np.bincount(after, minlength=3) / after.size
        error = np.sqrt(probs[before] * (1 - probs[before]) / after.size)
        assert np.all(np.abs(share - probs[before]) <= 4 * error)


def test_contexts_follow_each_other():
    task = trial_history(blink(dim_ring=3), rules=["repeating", "clockwise"], prob=1.0, block_dur=3)
    found = nj.session(task, KEY, 20, n_sessions=64).conditions
    context, truth = found["history_context"], found["ground_truth"]
    assert np.array_equal(np.flatnonzero((np.diff(context, axis=1) != 0).any(axis=0)), [2, 5, 8, 11, 14, 17])
    assert np.array_equal((found["history_previous"] + context) % 3, truth)
    given = nj.render(task, KEY, 3, history_context=1, history_previous=[0, 1, 2], devices=1)
    assert given.conditions["ground_truth"].tolist() == [1, 2, 0]


def test_a_truth_that_was_given_is_the_one_before_the_next():
    task, chance = trial_history(blink(dim_ring=3), rules=["repeating"], prob=1.0), Chance.of(KEY)

    @jax.jit
    @jax.vmap
    def second(truth):
        session = begin(task, start_memory(task, chance), chance, 0, {"ground_truth": truth})
        session, transition = forward(task, session, 0, chance, 0)
        return transition.new_trial, session.drawn.conditions["ground_truth"]

    ended, truth = second(jnp.arange(3, dtype=jnp.int32))
    assert ended.all()
    assert truth.tolist() == [0, 1, 2]


def test_rules_for_any_number_of_values():
    # Of four values: the same again .7, each other .1; clockwise the next one.
    assert transitions(["repeating"], 4, 0.7)[1] == [0.1, 0.7, 0.1, 0.1]
    assert transitions(["anticlockwise"], 4, 0.7)[0] == [0.1, 0.1, 0.1, 0.7]
    assert transitions(["alternating"], 4, 0.9)[0] == [0.1, 0.3, 0.3, 0.3]
    assert transitions(["alternating"], 2, 0.8) == transitions(["clockwise"], 2, 0.8) == [[0.2, 0.8], [0.8, 0.2]]


# ---------------------------------------------------------------------- schedules of attributes

LEVELS = [{"coherences": [10]}, {"coherences": [20]}, {"coherences": [40]}]


def levels_of(sessions=1, trials=8, **kwargs):
    """The place in the schedule `[sessions, trials]`, by the rule of its memory alone."""
    task = schedule_attr(blink(coherences=[0]), LEVELS, **kwargs)

    def lane(lane):
        chance = Chance.of(KEY, lane)
        one = lambda own, n: (task.next_own(own, None, None, Draw(chance, "next", n)), own["index"])
        return jax.lax.scan(one, start_memory(task, chance)["own"], jnp.arange(trials))[1]

    return np.asarray(jax.jit(jax.vmap(lane))(jnp.arange(sessions, dtype=jnp.uint32)))


def test_attributes_follow_their_schedule():
    task = schedule_attr(blink(coherences=[0]), LEVELS, start="first")
    assert nj.session(task, KEY, 5).conditions["coherence"].tolist() == [[10, 20, 40, 10, 20]]
    assert levels_of(start="first").tolist() == [[0, 1, 2, 0, 1, 2, 0, 1]]
    blocks = {"order": "sequential_block", "block_lengths": [2, 1, 3]}
    assert levels_of(start="first", **blocks).tolist() == [[0, 0, 1, 2, 2, 2, 0, 0]]
    assert levels_of(cycle=False, **blocks).tolist() == [[0, 0, 1, 2, 2, 2, 2, 2]]
    # Anywhere: as often as blocks are long, at the first trial as at any other.
    index = levels_of(600, **blocks)
    share = np.bincount(index[:, 0], minlength=3)
    assert stats.chisquare(share, [200, 100, 300]).pvalue > 1e-3
    assert stats.chisquare(np.bincount(index[:, 7], minlength=3), [200, 100, 300]).pvalue > 1e-3
    index = levels_of(200, order="random_block", block_lengths=2, start="first")
    assert np.array_equal(index[:, ::2], index[:, 1::2])
    assert np.all(np.diff(index[:, ::2], axis=1) != 0)
    index = levels_of(400, order="random")
    assert stats.chisquare(np.bincount(index.ravel())).pvalue > 1e-3
    assert abs(np.mean(np.diff(index, axis=1) == 0) - 1 / 3) < 4 * np.sqrt(2 / 9 / 2800)


def test_timing_rewards_and_conditions_may_follow_a_schedule_and_memory_goes_on():
    inside = trial_history(motion(), rules=["alternating"], prob=1.0)
    rows = [{"timing": {"stimulus": 400}, "coherence": 5.0}, {"rewards": {"correct": 3.0}, "coherence": 50.0}]
    task = schedule_attr(inside, rows, start="first")
    assert task.capacity == 7
    found = nj.session(task, KEY, 4, policy="oracle")
    assert found.conditions["coherence"].tolist() == [[5, 50, 5, 50]]
    assert found.lengths.tolist() == [[7, 5, 7, 5]]
    assert found.result.reward.tolist() == [[1, 3, 1, 3]]
    truth = found.conditions["ground_truth"][0]
    assert np.array_equal(truth[1:], 1 - truth[:-1])


# ---------------------------------------------------------------------- adaptive noise


def test_noise_settles_where_performance_is_at_the_threshold():
    # The subject takes the side whose evidence is higher: at a coherence of 100% they differ by 1, so that with noise
    # of standard deviation s on each, its performance is Phi(1 / (s sqrt 2)). It is .75 at s = 1 / (sqrt 2 .6745).
    timing = {"fixation": 0, "stimulus": 100, "delay": 0, "decision": 100}
    plain = nj.make(PDM, timing=timing, sigma=0, coherences=[100])
    task = adaptive_noise(plain, threshold=0.75, std=0.2, step=0.02, window=30)

    def subject(carry, obs, first, key):
        seen = jnp.where(first, 1 + (obs[2] > obs[1]).astype(jnp.int32), carry)
        return seen, jnp.where(first, 0, seen)

    run = nj.rollout(task, KEY, 64, 1600, policy=subject, carry=jnp.int32(0), devices=1).trajectory
    late = np.asarray(run.new_trial)[:, 800:]
    performance = np.asarray(run.results.performance)[:, 800:][late].mean()
    std = np.asarray(run.conditions["noise_std"])[:, 800:].mean()
    assert abs(performance - 0.75) < 0.015
    assert abs(std - 1 / (np.sqrt(2) * stats.norm.ppf(0.75))) < 0.1
    # Within `window` trials nothing moves; then it grows by the step with every trial that goes well.
    early = np.asarray(run.conditions["noise_std"])[0, ::2][:33]
    np.testing.assert_allclose(early[:30], 0.2)
    np.testing.assert_allclose(np.abs(np.diff(early[29:])), 0.02, rtol=1e-4)


def test_the_level_of_noise_may_be_given():
    task = adaptive_noise(motion(sigma=0), std=0.3)
    loud = nj.render(task, KEY, 512, noise_std=2.0, coherence=0).inputs[:, 3, 1]
    assert np.std(loud) == pytest.approx(2.0, rel=0.15)


# ---------------------------------------------------------------------- what was done and received


@pytest.mark.parametrize("one_hot", [False, True])
def test_what_is_shown_is_what_was_done_and_received_a_step_before(one_hot):
    # Urgency stands outside of what shows rewards in one order, inside in the other.
    plain = motion(rewards={"fail": -0.5}, abort=True)
    if one_hot:
        task = pass_reward(pass_action(nj.reaction_time(plain, urgency=-0.01), one_hot=True))
    else:
        task = nj.reaction_time(pass_reward(pass_action(plain)), urgency=-0.01)
    run = nj.rollout(task, KEY, 64, 40, devices=1).trajectory
    shown = task.channels.split(np.asarray(run.observations))
    action, reward = np.asarray(run.actions), np.asarray(run.rewards)
    ended = np.asarray(run.new_trial)[:, :-1]
    np.testing.assert_array_equal(shown["reward"][:, 1:, 0], reward[:, :-1])
    done = np.eye(3, dtype=np.float32)[action] if one_hot else action[..., None]
    np.testing.assert_array_equal(shown["action"][:, 1:], done[:, :-1])
    # Trials ended in all ways, so that the boundary was crossed with every reward and action.
    outcomes = np.asarray(run.results.outcome)[:, :-1][ended]
    assert {nj.Outcome.CORRECT, nj.Outcome.ERROR, nj.Outcome.ABORT} <= set(outcomes.tolist())
    assert not shown["reward"][:, 0].any()


def test_channels_stand_where_neurogym_has_them():
    # PassReward(PassAction(env)) of NeuroGym 2.3.1 appends the action, then the reward, to the observation.
    assert pass_reward(pass_action(motion())).channels.labels() == [
        "fixation", "stimulus 0", "stimulus 1", "action", "reward",
    ]  # fmt: skip


def test_the_reward_of_a_miss_crosses_the_boundary():
    # GoNogo gives a reward where the time runs out, which the last action itself did not bring.
    task = pass_reward(nj.make("GoNogo-v0", timing={"stimulus": 100, "delay": 100, "decision": 200}))
    run = nj.rollout(task, KEY, 32, 24, policy=0, devices=1).trajectory
    shown = np.asarray(run.observations)[..., -1]
    np.testing.assert_array_equal(shown[:, 1:], np.asarray(run.rewards)[:, :-1])
    assert len(set(np.unique(shown).tolist())) > 1


def test_shown_through_a_gate_too():
    task = action_gated(pass_reward(pass_action(motion())), wait=300)
    run = nj.rollout(task, KEY, 64, 40, devices=1).trajectory
    shown = task.channels.split(np.asarray(run.observations))
    np.testing.assert_array_equal(shown["action"][:, 1:, 0], np.asarray(run.actions)[:, :-1])
    np.testing.assert_array_equal(shown["reward"][:, 1:, 0], np.asarray(run.rewards)[:, :-1])


# ---------------------------------------------------------------------- fixation and gates


def from_then_on(carry, obs, first, key):
    """Fixates until a step of the trial, then chooses the first direction."""
    clock, start = carry
    return (clock + 1, start), jnp.where(clock >= start, 1, 0)


NEVER = 99


def played(task, *cases):
    """Outcome, response step and reward, for each case of the step from which on it is chosen, and the ground truth."""
    starts, truths = (jnp.array(column, jnp.int32) for column in zip(*cases, strict=True))
    play = lambda start, truth: nj.play(
        task, KEY, 1, policy=from_then_on, carry=(jnp.int32(0), start), ground_truth=truth, devices=1
    )
    result = jax.tree.map(np.asarray, jax.jit(jax.vmap(play))(starts, truths).result)
    each = zip(result.outcome[:, 0], result.response_step[:, 0], result.reward[:, 0], strict=True)
    return [(nj.Outcome(int(outcome)).name, int(step), round(float(reward), 4)) for outcome, step, reward in each]


def test_who_breaks_fixation_loses_the_trial():
    task = motion()
    # It forgives early answers: who holds the right choice all along is right, at no cost but fixation's.
    assert played(task, (0, 0)) == [("CORRECT", 4, 0.9)]
    strict = strict_fixation(task, penalty=-0.3)
    cases = [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (NEVER, 0)]  # fixation, stimulus twice, delay, decision
    assert played(strict, *cases) == [
        *(("ABORT", step, -0.4) for step in range(4)),
        ("CORRECT", 4, 1.0),
        ("ERROR", 4, 0.0),
        ("MISS", 4, 0.0),
    ]
    # With a reaction-time version, the stimulus' first frame still belongs to fixation.
    early = strict_fixation(nj.reaction_time(task))
    assert [name for name, *_ in played(early, (1, 0), (2, 0))] == ["ABORT", "CORRECT"]


def test_the_stimulus_waits_for_fixation():
    task = action_gated(motion(sigma=0), wait=400)

    def late(
        clock, obs, first, key
    ):  # chooses at random at first, fixates from step 3 on, answers the third step after
        clock = jnp.where(first, 0, clock)
        return clock + 1, jnp.where((clock < 3) | (clock == 7), 1, 0)

    run = nj.play(task, KEY, 1, policy=late, carry=jnp.int32(0), output="frames", coherence=100, ground_truth=0)
    seen = np.asarray(run.frames.observations[0])
    # Fixation at 0; the gate at 1, 2 and 3, as fixation was seen; the stimulus at 4 and 5, the delay at 6, decision.
    fixation = [[1, 0, 0]] * 4
    np.testing.assert_allclose(seen[:8], [*fixation, [0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], atol=1e-6)
    assert nj.Outcome(int(run.result.outcome[0])).name == "CORRECT"
    assert int(run.result.response_step[0]) == 7
    np.testing.assert_allclose(run.frames.rewards[0, :8], [-0.1, 0, 0, 0, 0, 0, 0, 1])  # rules rest at the gate
    # Who never fixates has missed the trial when the wait is over: at 1, 2, 3 and 4.
    # Who fixates at once loses one step, and misses the trial at its own end.
    assert played(task, (0, 0), (NEVER, 0)) == [("MISS", 4, -0.1), ("MISS", 5, 0.0)]
    batch = nj.render(task, KEY, 1, devices=1)
    spans = dict(zip(task.period_names, np.asarray(batch.periods[0]).tolist(), strict=True))
    assert spans == {
        "fixation": [0, 1],
        "stimulus": [2, 4],
        "delay": [4, 5],
        "decision": [5, 6],
        "stimulus_gate": [1, 2],
        "stimulus_room": [6, 9],
    }
    assert batch.weights[0].tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 0]
    assert int(batch.targets[0, 5]) == 1 + int(batch.conditions["ground_truth"][0])


def test_gates_nest_with_the_earliest_outermost():
    task = action_gated(action_gated(motion(), period="decision", wait=200), period="fixation", action=2, wait=200)
    # The lever at 0, fixation at 1, stimulus at 2 and 3, delay at 4, the gate of the decision at 5, decision at 6.
    play = nj.play(task, KEY, 1, policy="oracle", output="frames", ground_truth=0, devices=1)
    assert play.frames.actions[0, :8].tolist() == [2, 0, 0, 0, 0, 0, 1, 0]
    assert play.frames.mask[0].tolist() == [True] * 7 + [False] * 2
    assert play.result.outcome.tolist() == [nj.Outcome.CORRECT]


# ---------------------------------------------------------------------- reaction time


def test_every_rule_of_yang_et_al_with_a_stimulus_to_answer_has_a_reaction_time_version():
    tasks, refused = {}, []
    for name in RULES:
        try:
            tasks[name] = nj.reaction_time(nj.make(f"yang19.{name}-v0"))
        except InvalidArgument as error:
            refused.append(name)
            assert "lasts 0: it is answered as soon as it is shown already" in str(error)
    assert refused == ["rtgo", "rtanti"]
    play = lambda task: nj.play(task, KEY, 32, policy="oracle", devices=1)
    found = jax.tree.map(np.asarray, jax.jit(jax.vmap(play))(nj.stack(list(tasks.values()))))
    for i, (name, task) in enumerate(tasks.items()):
        span = {period: found.periods[i, :, k] for k, period in enumerate(task.period_names)}
        two = ("dly" in name and "dm" in name) or name[-2:] in ("ms", "mc")
        assert np.all((span["stimulus2"][:, 1] > span["stimulus2"][:, 0]) == two)
        last = span["stimulus2" if two else "stimulus"]
        np.testing.assert_array_equal(span["decision"][:, 0], last[:, 0] + 1)
        np.testing.assert_array_equal(found.lengths[i], last[:, 1])
        assert np.all(found.result.performance[i] == 1)


def test_a_mixture_has_one_if_all_its_rules_do():
    task = nj.reaction_time(Yang19Mixture.create(names=("go", "dlydm1")))
    drawn = draw_trials(task, KEY, 64)
    rule = drawn.conditions["task"]
    on = np.where(rule == 0, drawn.start["stimulus"], drawn.start["stimulus2"])
    np.testing.assert_array_equal(drawn.start["decision"], on + 1)
    assert set(rule.tolist()) == {0, 1}
    with pytest.raises(InvalidArgument, match="answered as soon as it is shown"):
        nj.reaction_time(Yang19Mixture.create(names=("go", "rtgo")))


@pytest.mark.parametrize("id", ["BrodyClicks", "DelayComparison-v0", "MultiSensoryIntegration-v0"])
def test_other_tasks_with_stimuli_have_one(id):
    if id == "BrodyClicks":
        id = next(name for name in nj.registered() if "lick" in name)
    task = nj.reaction_time(nj.make(id))
    drawn = draw_trials(task, KEY, 8)
    last = "stimulus2" if "stimulus2" in drawn.start else "stimulus"
    np.testing.assert_array_equal(drawn.start["decision"], drawn.start[last] + 1)
    assert np.all(drawn.length <= task.capacity)


# ---------------------------------------------------------------------- parameters are leaves


def test_parameters_of_modifiers_vmap_in_one_program():
    task = noise(side_bias(motion(sigma=0), SIDES), std=0.1)
    compiled = _render._cache_size()

    @jax.jit
    @jax.vmap
    def look(std, right):
        probs = jnp.stack([jnp.stack([1 - right, right])] * 2)
        batch = nj.render(task.set(std=std, probs=probs), KEY, 512, coherence=0, devices=1)
        return batch.inputs[:, 3].std(), batch.conditions["ground_truth"].mean()

    std, right = look(jnp.array([0.0, 0.5, 1.0]), jnp.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(std, [0, 0.5, 1], atol=0.06)
    np.testing.assert_allclose(right, [0, 0.5, 1], atol=4 * 0.5 / np.sqrt(512))
    nj.render(task, KEY, 8, devices=1)
    after = _render._cache_size()
    for other in (task.set(std=3), task.set(probs=[[0.5, 0.5], [1, 0]]), task.set(block_dur=0.3), task.set(sigma=1)):
        nj.render(other, KEY, 8, devices=1)
    assert _render._cache_size() == after
    assert after <= compiled + 2


def test_modified_tasks_stack():
    tasks = [strict_fixation(noise(motion(sigma=s), std=s), penalty=-s) for s in (0.0, 1.0)]
    shown = jax.vmap(lambda task: nj.render(task, KEY, 64, coherence=0).inputs)(nj.stack(tasks))
    assert np.std(shown[0]) < np.std(shown[1])


# ---------------------------------------------------------------------- names


def test_names_and_those_of_neurogym():
    assert modifiers() == sorted(MODIFIERS)
    task = nj.make(PDM, timing=SHORT, modifiers=[{"name": "SideBias-v0", "probs": SIDES, "block_dur": 0.1}])
    assert isinstance(task, SideBias)
    assert float(task.hazard) == pytest.approx(0.1)
    assert task.settings()["modifiers"][0]["name"] == "side_bias"
    assert isinstance(modifier("TrialHistoryV2-v0")(motion(), probs=SIDES), TrialHistory)
    plain = modifier("Noise-v0")(motion(), std_noise=0.2)
    assert isinstance(plain, Noise)
    adaptive = modifier("Noise-v0")(motion(), std_noise=0, perf_th=0.7, w=50, step_noise=0.01)
    assert isinstance(adaptive, AdaptiveNoise)
    assert [round(float(x), 6) for x in (adaptive.threshold, adaptive.window, adaptive.step)] == [0.7, 50, 0.01]
    assert nj.make(PDM, modifiers=[{"name": "ReactionTime-v0"}]).capacity == 21
    others = {"Noise-v0", "TrialHistoryV2-v0", "ScheduleEnvs-v0", "MultiEnvs-v0"}
    assert set(ALIASES) <= {*others, *(f"{c.split(':')[1]}-v0" for c in MODIFIERS.values())}
    for name in MODIFIERS:
        assert callable(modifier(name))


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownName, match="unknown modifier 'SideBais-v0'; did you mean 'SideBias-v0'"):
        modifier("SideBais-v0")
    with pytest.raises(UnknownName, match="did you mean 'one_hot'"):
        nj.make(PDM, modifiers=[{"name": "pass_action", "onehot": True}])
    with pytest.raises(UnknownName, match="unknown keyword 'w' in Noise"):
        modifier("Noise-v0")(motion(), w=5)
    with pytest.raises(UnknownName, match="unknown rule 'repeat'; did you mean 'repeating'"):
        trial_history(motion(), rules=["repeat"])


# ---------------------------------------------------------------------- what makes no sense

REACHING = "ReachingDelayResponse-v0"


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: noise(noise(motion())), "noise is applied already; applying it twice has no meaning"),
        (lambda: pass_action(pass_reward(pass_action(motion()))), "pass_action is applied already"),
        (lambda: side_bias(random_ground_truth(motion()), SIDES), "both decide 'ground_truth'; take one of them"),
        (lambda: side_bias(nj.make("Reaching1D-v0"), SIDES), "in Reaching1D that is not one of a list"),
        (lambda: side_bias(nj.make("yang19.dm1-v0"), SIDES), "'ground_truth', which Yang19 does not draw for itself"),
        (
            lambda: side_bias(motion(), [[0.5, 0.5, 0]]),
            "a probability for each of the 2 values of 'ground_truth', got 3",
        ),
        (lambda: side_bias(motion(), [[0.5, 0.4], [1, 0]]), "probs must sum to 1 in each row; row 0 is"),
        (lambda: side_bias(motion(), SIDES, 20.0), "block_dur must be a whole number of trials above 0"),
        (lambda: side_bias(motion(), SIDES, 0), "block_dur must be"),
        (lambda: side_bias(motion(), SIDES, (4, 2)), "block_dur must be"),
        (lambda: SideBias.around(motion(), block_trials=[2.5, 3]), "block_trials must be the shortest"),
        (lambda: SideBias.around(motion(), block_dur=3, hazard=0.1), "block_dur says what hazard says"),
        (lambda: trial_history(motion(), [[0.5, 0.5]]), "probs must have a row for each of the 2 values"),
        (lambda: trial_history(motion(), SIDES, rules=["repeating"]), "rules say what probs says"),
        (lambda: trial_history(motion(), rules=["repeating"], prob=1.5), "prob must be a number in"),
        (lambda: TrialHistory.around(motion(), prob=0.9), "prob belongs to rules"),
        (lambda: random_ground_truth(motion(), p=[1.0]), "p must hold a probability for each of the 2 values"),
        (lambda: adaptive_noise(motion(), threshold=2), "threshold must be a finite number in"),
        (lambda: adaptive_noise(motion(), window=0), "window must be a finite number of 1 or more, got 0"),
        (lambda: pass_action(nj.make(REACHING), one_hot=True), "one_hot is for discrete actions"),
        (lambda: pass_action(nj.make("priors.priors-v0")), "has a channel 'action' already"),
        (
            lambda: strict_fixation(nj.make("ReadySetGo-v0")),
            "ReadySetGo has no 'decision', but fixation",
        ),
        (lambda: strict_fixation(nj.make("Bandit-v0"), until="choice"), "in Bandit its action 0 is 'arm'"),
        (
            lambda: strict_fixation(action_gated(motion())),
            "cannot go around action_gated, .* put action_gated around it",
        ),
        (lambda: nj.reaction_time(action_gated(motion())), "reaction_time cannot go around action_gated"),
        (
            lambda: action_gated(nj.make(REACHING), period="delay"),
            "waits for one of several actions; .* are continuous",
        ),
        (lambda: action_gated(motion(), action=3), "action must be one of the 3"),
        (lambda: action_gated(motion(), period="go"), "PerceptualDecisionMaking has no 'go', but fixation"),
        (lambda: action_gated(action_gated(motion())), "action_gated is applied to 'stimulus' already"),
        (
            lambda: action_gated(action_gated(motion()), period="decision"),
            "action_gated for 'stimulus', which comes first, must go around the one for 'decision'",
        ),
        (lambda: schedule_attr(motion(), []), "attr_list must be a list of tables"),
        (lambda: schedule_attr(motion(), [{"sigma": 1}, {"sigma": 1}]), "attr_list changes nothing"),
        (lambda: schedule_attr(motion(), [{"dim_ring": 2}, {"dim_ring": 3}]), "must be the same in all trials"),
        (lambda: schedule_attr(motion(), [{"coherence": 1}, {"sigma": 2}]), "'coherence' must be in all tables"),
        (lambda: schedule_attr(motion(), [{"stimulus": 1}, {"stimulus": 2}]), "schedule its law, timing="),
        (lambda: schedule_attr(motion(), [{"sgma": 1}]), "unknown keyword 'sgma' .* did you mean 'sigma'"),
        (lambda: schedule_attr(motion(), LEVELS, order="random_block", block_lengths=[2]), "must be 3 numbers"),
        (lambda: schedule_attr(motion(), LEVELS, block_lengths=[2, 2, 2]), "order='sequential' has no blocks"),
        (lambda: schedule_attr(motion(), LEVELS, order="random", cycle=False), "cycle=False is for sequential orders"),
        (
            lambda: schedule_attr(schedule_attr(motion(), LEVELS), [{"coherences": [1]}, {"sigma": 3}]),
            "coherences follows a schedule; change it in attr_list",
        ),
        (
            lambda: schedule_attr(schedule_attr(motion(), [{"coherence": 5}, {"coherence": 6}]), [{"coherence": 7}]),
            "coherence follows a schedule already",
        ),
        (lambda: schedule_attr(motion(), LEVELS).set(coherences=[3]), "coherences follows a schedule; change it in"),
        (lambda: nj.reaction_time(motion(timing={**SHORT, "stimulus": 100})), "a stimulus of 2 steps or more"),
        (lambda: nj.make(PDM, modifiers=[{"name": 3}]), "a modifier is a table with a name"),
        (lambda: Noise.create(std=1), "use Noise.around"),
    ],
)
def test_nonsense_is_refused_with_the_reason(build, said):
    with pytest.raises(InvalidArgument, match=said):
        build()
