"""The twenty tasks of Yang et al. (2019): what is drawn, shown and scored, the paper's rules, all of them as one."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

import neurojax as nj
from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.session import begin
from neurojax.core.trial import Drawn
from neurojax.errors import InvalidArgument, UnknownName
from neurojax.tasks.yang19 import RULES, Yang19Mixture, collection, pick, rule
from neurojax.tasks.yang19_rules import Yang19

KEY = jax.random.key(19)
N = 2000  # trials of each rule
REACH, COMPARE = RULES[:6], RULES[6:16]
MATCH = RULES[16:]


def make(name, **kwargs) -> Any:
    return nj.make(f"yang19.{name}-v0", **kwargs)


@cache
def drawn(preset):
    """Trials of all twenty rules `[20, N]`, from one program."""
    tasks = jax.tree.map(jnp.asarray, collection(preset=preset, rule_input=False))

    @jax.jit
    @jax.vmap
    def trials(task):
        lane = lambda lane: task.trial(begin(task, (), Chance(key_words(KEY), lane), 0).drawn)
        return jax.vmap(lane)(jnp.arange(N, dtype=jnp.uint32))

    return jax.tree.map(np.asarray, trials(tasks))


def of(name, preset=None):
    """The trials of a rule: conditions, starts, ends and lengths in steps."""
    return jax.tree.map(lambda x: x[RULES.index(name)], drawn(preset))


def eager(task, t, **conditions):
    """A trial of a task with these conditions, and what it shows at step `t` without noise, not compiled."""
    session = begin(task, (), Chance(key_words(KEY), jnp.uint32(0)), 0, conditions)
    trial = task.trial(session.drawn)
    return trial, jax.tree.map(np.asarray, task.observe(trial, (), jnp.int32(t)))


def angle(a, b):
    d = np.abs(a - b) % (2 * math.pi)
    return np.minimum(d, 2 * math.pi - d)


def bump(theta, n):
    return 0.8 * np.exp(-((angle(2 * math.pi * np.arange(n) / n, theta) / (math.pi / 8)) ** 2) / 2)


def share(p, n=N):
    """A share of `n` draws."""
    return pytest.approx(p, abs=4.5 * math.sqrt(p * (1 - p) / n))


# ---------------------------------------------------------------------- one pytree


def test_the_twenty_are_one_pytree():
    """At NeuroGym's parameters they differ in leaves alone, so that they share every compiled program."""
    tasks = [make(name) for name in RULES]
    assert len({jax.tree.structure(task) for task in tasks}) == 1
    assert len({tuple((x.shape, x.dtype) for x in map(np.asarray, jax.tree.leaves(task))) for task in tasks}) == 1
    stacked = collection(rule_input=False)
    for i, task in enumerate(tasks):
        for a, b in zip(jax.tree.leaves(pick(stacked, i)), jax.tree.leaves(task), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_papers_twenty_stack_too():
    tasks = [make(name, preset="paper") for name in RULES]
    assert len({jax.tree.structure(task) for task in tasks}) == 3  # fixation and stimulus are uniform or a choice
    assert {task.capacity for task in tasks} == {210}
    assert collection(preset="paper").channels.size == 1 + 2 * 32 + 20  # 85 inputs
    assert collection(preset="paper").actions.size == 33


def test_room_can_be_left_out():
    assert make("go", room=0).capacity == 15
    assert make("go", capacity=20).capacity == 20
    assert make("dms", timing={"delay": 2000}).capacity == 42


@cache
def mixed():
    return nj.render(Yang19Mixture.create(), KEY, 640)


def test_every_trial_of_a_batch_may_have_a_rule_of_its_own():
    """A mixture's trials are those of the rules that it draws; a gathered stack gives them as well."""
    batch = mixed()
    tasks = batch.conditions["task"]
    counts = np.bincount(tasks, minlength=20)
    assert np.all(np.abs(counts - 32) < 4.5 * math.sqrt(32))
    np.testing.assert_array_equal(np.argmax(batch.inputs[:, 0, 33:], axis=-1), tasks)  # the rule input
    stacked = jax.tree.map(jnp.asarray, collection())
    which = jnp.asarray([19, 3, 8, 3, 12], jnp.int32)
    own = jax.jit(lambda which: jax.vmap(lambda i: nj.render(pick(stacked, i), KEY, 1, devices=1))(which))(which)
    assert own.inputs.shape == (5, 1, 32, 53)
    np.testing.assert_array_equal(own.inputs[1], own.inputs[3])
    for row, name in enumerate(np.asarray(RULES)[which]):
        trial = jax.tree.map(lambda x: x[0], own)
        alone = nj.render(make(str(name), rule_input=True), KEY, 1, devices=1)
        assert trial.inputs.shape == alone.inputs.shape
        np.testing.assert_allclose(own.inputs[row], alone.inputs, atol=1e-6)
        np.testing.assert_array_equal(own.targets[row], alone.targets)


def test_a_session_mixes_rules_without_a_switch():
    run = lambda mixture: nj.rollout(mixture, KEY, 640, 100, policy="oracle", devices=1)
    read = lambda task: str(jax.make_jaxpr(run)(jax.tree.map(jnp.asarray, task)))
    text, plain = read(Yang19Mixture.create()), read(rule("go", rule_input=True))
    # the branches are those of any task: whether a trial is to be drawn, the settled action, and, as a mixture
    # remembers its rule, whether a trial ended
    assert plain.count("cond[") == 2 and text.count("cond[") == 3
    played = run(Yang19Mixture.create()).trajectory
    assert played is not None
    ended, tasks = np.asarray(played.new_trial), np.asarray(played.conditions["task"])
    assert np.all(np.asarray(played.results.performance)[ended] == 1)
    assert set(np.ravel(tasks)) == set(range(20))
    assert not (np.diff(tasks, axis=1) != 0)[~ended[:, :-1]].any()  # a rule holds for a trial
    np.testing.assert_array_equal(np.argmax(played.observations[..., 33:], axis=-1), tasks)
    # the first trial is the rendered one, until it ends
    inside = np.arange(32)[None] <= np.argmax(ended, axis=1)[:, None]
    np.testing.assert_allclose(
        np.asarray(played.observations)[:, :32][inside], np.asarray(mixed().inputs)[inside], atol=1e-6
    )
    np.testing.assert_array_equal(np.asarray(played.targets)[:, :32][inside], np.asarray(mixed().targets)[inside])


def test_a_mixture_says_what_is_known_of_its_rules():
    numbers = Yang19Mixture.create(names=("go", "dms"), odds=[1, 3]).references()
    assert numbers["blind"] == pytest.approx(0.25 / 16 + 0.75 / 2)
    assert numbers["ideal"] == pytest.approx(1)
    assert Yang19Mixture.create().set(odds=[2.0] * 20).odds.tolist() == [2.0] * 20


# ---------------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("preset", [None, "paper"])
@pytest.mark.parametrize("name", REACH)
def test_one_stimulus_is_anywhere_on_either_ring(name, preset):
    c = of(name, preset).conditions
    opposite = math.pi if "anti" in name else 0.0
    assert np.all(angle(c["response"], c["theta1"] + opposite) < 1e-5)
    assert np.mean(c["modality"]) == share(0.5)
    first, second = (np.where(c["modality"] == m, 1, 0) for m in range(2))
    np.testing.assert_array_equal(c["coh1_mod1"], first)
    np.testing.assert_array_equal(c["coh1_mod2"], second)
    assert not c["coh2_mod1"].any()
    assert np.mean(c["theta1"] < math.pi / 2 - 1e-4) == share(0.25)
    n = 16 if preset is None else 32
    assert np.all(angle((c["ground_truth"] - 1) * 2 * math.pi / n, c["response"]) < math.pi / n + 1e-5)
    assert (len(set(c["theta1"].tolist())) == 16) == (preset is None)


@pytest.mark.parametrize("preset", [None, "paper"])
@pytest.mark.parametrize("name", COMPARE)
def test_the_stronger_stimulus_is_the_answer(name, preset):
    c = of(name, preset).conditions
    which = name.replace("dly", "").replace("dm", "")
    shown = {"1": (1,), "2": (2,), "ctx1": (1, 2), "ctx2": (1, 2), "multi": (1, 2)}[which]
    counted = {"1": (1,), "2": (2,), "ctx1": (1,), "ctx2": (2,), "multi": (1, 2)}[which]
    for m in {1, 2} - set(shown):
        assert not c[f"coh1_mod{m}"].any()
        assert not c[f"coh2_mod{m}"].any()
    difference = sum(c[f"coh1_mod{m}"] - c[f"coh2_mod{m}"] for m in counted)
    assert np.all(np.abs(difference) > 1e-3), "evidence never cancels"
    np.testing.assert_array_equal(c["response"], np.where(difference > 0, c["theta1"], c["theta2"]))
    assert np.mean(difference > 0) == share(0.5)
    least = math.pi / 2 if preset else 2 * math.pi / 16
    assert angle(c["theta1"], c["theta2"]).min() > least - 1e-4
    assert np.mean((c["theta2"] - c["theta1"]) % (2 * math.pi) < math.pi - 1e-4) == pytest.approx(0.5, abs=0.08)


def test_neurogyms_strengths():
    for name, m in (("dm2", 2), ("ctxdm1", 1), ("ctxdm1", 2)):
        c = of(name).conditions
        difference = c[f"coh1_mod{m}"] - c[f"coh2_mod{m}"]
        np.testing.assert_allclose(c[f"coh1_mod{m}"] + c[f"coh2_mod{m}"], 1, atol=1e-6)
        for coherence in (0.08, 0.16, 0.32, 0.64):
            assert np.mean(np.abs(np.abs(difference) - coherence) < 1e-5) == share(0.25)
    for name, m in (("dlydm1", 1), ("ctxdlydm2", 1)):
        c = of(name).conditions
        pairs = {
            (round(float(a), 1), round(float(b), 1)) for a, b in zip(c[f"coh1_mod{m}"], c[f"coh2_mod{m}"], strict=True)
        }
        assert pairs == {(a, b) for a in (0.3, 0.6, 1.0) for b in (0.3, 0.6, 1.0) if a != b}
        assert np.mean(c[f"coh1_mod{m}"] > 0.9) == share(1 / 3)


def test_the_papers_strengths():
    for name, coherences in (("dm1", (0.01, 0.02, 0.04, 0.08)), ("ctxdlydm1", (0.08, 0.16, 0.32))):
        c = of(name, "paper").conditions
        mean = (c["coh1_mod1"] + c["coh2_mod1"]) / 2
        half = np.abs(c["coh1_mod1"] - c["coh2_mod1"]) / 2
        assert 0.8 <= mean.min() < 0.805 and 1.195 < mean.max() <= 1.2 + 1e-6
        for coherence in coherences:
            assert np.mean(np.abs(half - coherence) < 1e-5) == share(1 / len(coherences))
    for name in ("multidm", "multidlydm"):
        c = of(name, "paper").conditions
        for s in (1, 2):
            one, two = c[f"coh{s}_mod1"], c[f"coh{s}_mod2"]
            apart = (one - two) / ((one + two) / 2)  # by a share of .2 to .8, in either sense
            assert np.abs(apart).min() > 0.2 - 1e-5 and np.abs(apart).max() < 0.8 + 1e-5
            assert np.mean(apart > 0) == share(0.5)
            assert np.mean(np.abs(apart) < 0.5) == share(0.5)


@pytest.mark.parametrize("preset", [None, "paper"])
@pytest.mark.parametrize("name", MATCH)
def test_matches_are_what_is_shown(name, preset):
    """Also for a sample half way around, of which NeuroGym gives another category than of a test."""
    c = of(name, preset).conditions
    edge = math.pi / 16 if preset is None else 0.0
    category = lambda theta: (theta + edge) % (2 * math.pi) >= math.pi
    alike = category(c["theta1"]) == category(c["theta2"]) if "mc" in name else angle(c["theta1"], c["theta2"]) < 1e-4
    np.testing.assert_array_equal(c["match"], alike)
    goes = ~alike if name.startswith("dn") else alike
    np.testing.assert_array_equal(c["ground_truth"] > 0, goes)
    assert np.all(angle(c["response"], c["theta2"])[goes] < 1e-5)
    assert np.mean(alike) == share(0.5)
    assert np.mean(c["modality"] == c["modality2"]) == (1 if preset is None else share(0.5))
    distance = angle(c["theta1"], c["theta2"])[~alike]
    if "ms" in name:
        least = math.pi if preset is None else math.radians(20)
        assert distance.min() > least - 1e-4
    if "mc" in name and preset == "paper":
        places = np.round(c["theta2"] / (math.pi / 10)).astype(int)
        assert set(places) == set(range(1, 20, 2))  # .1, .3 ... 1.9 pi
        assert np.mean(places == 1) == share(0.1)


# ms of fixation, stimulus, delay, second stimulus, second delay, decision: least and greatest whole steps
_TIMES = {
    (None, "go"): "500 500 500 500 0 0 0 0 0 0 500 500",
    (None, "rtanti"): "500 500 0 0 0 0 0 0 0 0 500 500",
    (None, "dlygo"): "500 500 500 500 500 500 0 0 0 0 500 500",
    (None, "dm1"): "200 400 200 600 0 0 0 0 0 0 200 200",
    (None, "dm2"): "200 400 200 600 0 0 0 0 0 0 200 200",
    (None, "multidm"): "200 400 200 600 0 0 0 0 0 0 200 200",
    (None, "ctxdlydm1"): "200 400 500 500 1000 1000 500 500 0 0 200 200",
    (None, "dnmc"): "300 300 500 500 1000 1000 500 500 0 0 900 900",
    ("paper", "anti"): "300 680 500 1480 0 0 0 0 0 0 500 500",
    ("paper", "rtgo"): "500 2480 0 0 0 0 0 0 0 0 500 500",
    ("paper", "dlyanti"): "300 700 200 600 200 1600 0 0 0 0 500 500",
    ("paper", "ctxdm2"): "100 380 400 1600 0 0 0 0 0 0 500 500",
    ("paper", "multidlydm"): "200 600 200 600 200 1600 200 600 100 280 500 500",
    ("paper", "dms"): "200 600 200 600 200 1600 0 0 0 0 500 500",
    ("paper", "dmc"): "200 600 200 600 200 1600 0 0 0 0 200 600",
}


@pytest.mark.parametrize(("preset", "name"), _TIMES)
def test_timing(preset, name):
    trials, dt = of(name, preset), 100 if preset is None else 20
    found = []
    for period in Yang19.TIMING:
        lasts = (trials.end[period] - trials.start[period]) * dt
        found += [int(lasts.min()), int(lasts.max())]
    wanted = [int(x) for x in _TIMES[preset, name].split()]
    assert np.all(np.abs(np.subtract(found, wanted)) <= (20 if name == "rtgo" and preset else 0)), found
    if (preset, name) == (None, "dm2"):
        lasts = trials.end["stimulus"] - trials.start["stimulus"]
        assert [np.mean(lasts == n) == share(1 / 3) for n in (2, 4, 6)] == [True] * 3
    assert not trials.overflow.any()


# ---------------------------------------------------------------------- what is shown and scored


def test_what_is_shown_period_by_period():
    task = make("ctxdlydm1", timing={"fixation": 200})
    given = {"theta1": 0.0, "theta2": math.pi, "coh1_mod1": 1.0, "coh2_mod1": 0.3, "coh1_mod2": 0.6, "coh2_mod2": 1.0}
    seen = [eager(task, t, **given)[1] for t in (0, 2, 7, 17, 22)]
    assert [float(s["fixation"]) for s in seen] == [1, 0, 0, 0, 0]  # NeuroGym's: on in the fixation period alone
    np.testing.assert_allclose(seen[1]["stimulus_mod1"], bump(0, 16), atol=1e-6)
    np.testing.assert_allclose(seen[1]["stimulus_mod2"], 0.6 * bump(0, 16), atol=1e-6)
    np.testing.assert_allclose(seen[3]["stimulus_mod1"], 0.3 * bump(math.pi, 16), atol=1e-6)
    assert not any(seen[i]["stimulus_mod1"].any() for i in (0, 2, 4))


def test_the_papers_cues_and_stimuli_in_the_decision():
    """Fixation goes off to say go, except in reaction-time and matching rules, where the stimulus does."""
    for name, cue, stays in (
        ("go", 0, True),
        ("dlygo", 0, False),
        ("dm1", 0, False),
        ("rtgo", 1, True),
        ("dmc", 1, True),
    ):
        task = make(name, preset="paper")
        trial, _ = eager(task, 0, theta1=1.0, theta2=4.0)
        start = int(trial.start["decision"])
        before, after = (eager(task, start + k, theta1=1.0, theta2=4.0)[1] for k in (-1, 0))
        assert float(before["fixation"]) == 1
        assert float(after["fixation"]) == cue, name
        shown = after["stimulus_mod1"] + after["stimulus_mod2"]
        assert bool(shown.any()) == stays, name
        if name == "dmc":
            np.testing.assert_allclose(shown, bump(4.0, 32), atol=1e-5)


def test_noise_is_of_the_stated_size_and_place():
    chance = Chance(key_words(KEY), jnp.uint32(0))
    paper = make("dm1", preset="paper", rule_input=True)
    trial, _ = eager(paper, 0)
    noise = [paper.noise(trial, (), jnp.int32(t), Draw(chance, "noise", t)) for t in range(20)]
    assert set(noise[0]) == {"fixation", "stimulus_mod1", "stimulus_mod2", "rule"}
    values = np.concatenate([np.ravel(x) for step in noise for x in step.values()])
    assert values.std() == pytest.approx(0.01 * math.sqrt(2 / 0.2), rel=0.05)
    dms = make("dms")
    trial, _ = eager(dms, 0, modality=1)
    at = lambda t: dms.noise(trial, (), jnp.int32(t), Draw(chance, "noise", 0))
    assert not at(3)["stimulus_mod1"].any()
    assert at(3)["stimulus_mod2"].std() == pytest.approx(0.1, rel=0.5)
    assert not at(9)["stimulus_mod2"].any()


def consequence(task, action, when, **given):
    """What follows from an action in a trial, at a step counted from the decision's start (or the end, below 0)."""
    trial, _ = eager(task, 0, **given)
    t = int(trial.start["decision"]) + when if when >= 0 else int(trial.length) + when
    came = task.respond(trial, (), jnp.asarray(action), jnp.int32(t), None)
    return float(came.reward), bool(came.end), int(came.outcome), float(came.performance)


def test_holding_fixation_to_the_end_is_right_where_the_rule_says_so():
    """NeuroGym scores its own target .5 in these four tasks."""
    right, none = (1.0, True, nj.Outcome.CORRECT, 1.0), (0.0, False, nj.Outcome.NONE, 0.0)
    for name, match in (("dms", 0), ("dnms", 1), ("dmc", 0), ("dnmc", 1)):
        task = make(name)
        assert consequence(task, 0, -1, match=match) == right
        assert consequence(task, 0, -2, match=match) == none
        assert consequence(task, 0, -1, match=1 - match) == none
        assert consequence(task, 1, 0, match=match) == (0.0, True, nj.Outcome.ERROR, 0.0)


def test_breaking_fixation():
    task = make("dlygo", timing={"delay": 300})
    early = lambda task, t: consequence(task, 2, t, theta1=0.0)
    trial, _ = eager(task, 0, theta1=0.0)
    step = lambda task, t: task.respond(trial, (), jnp.int32(2), jnp.int32(t), None)
    assert [(float(step(task, t).reward), bool(step(task, t).end)) for t in (0, 6, 11)] == [
        (pytest.approx(-0.1), False), (0.0, False), (0.0, False)
    ]  # fmt: skip
    strict = task.set(strict_fixation=True)
    assert [bool(step(strict, t).end) for t in (0, 6, 11)] == [True] * 3
    assert early(task, 0) == (0.0, True, nj.Outcome.ERROR, 0.0)
    assert consequence(task, 1, 0, theta1=0.0) == (1.0, True, nj.Outcome.CORRECT, 1.0)


def test_the_papers_angular_criterion():
    """36 degrees around the location that the population vector reads out, at the last step, and not fixating."""
    task = make("go", preset="paper")
    directions = 2 * math.pi * np.arange(32) / 32

    def activity(fixation, theta):
        return np.asarray(
            [fixation, *(0.05 + 0.8 * np.exp(-((angle(directions, theta) / (math.pi / 8)) ** 2) / 2))], np.float32
        )

    for degrees, correct in ((0, True), (35, True), (-35, True), (37, False), (180, False)):
        came = consequence(task, activity(0.05, 1.0 + math.radians(degrees)), -1, theta1=1.0)
        assert came[1:] == (True, nj.Outcome.CORRECT if correct else nj.Outcome.ERROR, float(correct)), degrees
    assert consequence(task, activity(0.51, 1.0), -1, theta1=1.0) == (0.0, True, nj.Outcome.MISS, 0.0)
    assert consequence(task, activity(0.05, 1.0), 0, theta1=1.0)[1] is False  # the last step counts
    hold = make("dnms", preset="paper")
    assert consequence(hold, activity(0.8, 1.0), -1, match=1)[2:] == (nj.Outcome.CORRECT, 1.0)
    assert consequence(hold, activity(0.3, 1.0), -1, match=1)[2:] == (nj.Outcome.ERROR, 0.0)


def test_the_papers_targets_and_weights():
    task = make("anti", preset="paper", timing={"fixation": 500, "stimulus": 600})
    trial, _ = eager(task, 0, theta1=1.0)
    target = lambda t: np.asarray(task.target(trial, (), jnp.int32(t)))
    np.testing.assert_allclose(target(54), [0.8] + [0.05] * 32, atol=1e-6)
    np.testing.assert_allclose(target(55), [0.05, *(0.05 + bump(1.0 + math.pi, 32))], atol=1e-5)
    weights = [float(task.weight(trial, (), jnp.int32(t))) for t in range(80)]
    assert weights == [0] * 5 + [1] * 50 + [0] * 5 + [5] * 20
    assert task.output_weights.tolist() == [2] + [1] * 32
    hold = make("dms", preset="paper")
    trial, _ = eager(hold, 0, match=0)
    np.testing.assert_allclose(hold.target(trial, (), trial.length - 1), [0.8] + [0.05] * 32, atol=1e-6)


def test_the_papers_rules_with_choices_are_strict():
    task = make("ctxdm1", preset="paper", output="choice")
    assert task.actions.size == 33
    assert bool(task.strict_fixation)
    assert not make("ctxdm1", preset="paper").strict_fixation
    # 36 degrees are three units of 11.25 degrees
    given = {"theta1": 0.0, "theta2": math.pi, "coh1_mod1": 1.0, "coh2_mod1": 0.9}
    ends = [consequence(task, 1 + unit, 0, **given)[3] for unit in (0, 3, 4, 29, 28)]
    assert ends == [1, 1, 0, 1, 0]


# ---------------------------------------------------------------------- reference numbers


@pytest.mark.parametrize("coherences", [(0.08, 0.08), (0.02, 0.3)])
def test_the_ideal_observer_of_two_known_locations(coherences):
    """On a ring of two units the locations are known, and what is left is Phi(d)."""
    sigma, ms = 0.8, 500
    task = make("dm1", dim_ring=2, cohs=coherences, sigma=sigma, timing={"stimulus": ms})
    energy = float(np.sum((bump(0, 2) - bump(math.pi, 2)) ** 2))
    expected = np.mean([ndtr(c / 2 * math.sqrt(energy * ms) / sigma) for c in set(coherences)])
    assert task.references()["ideal"] == pytest.approx(expected, abs=0.006)


def test_two_modalities_help_the_ideal_observer():
    """With equal evidence on both rings d grows by sqrt(2); a second ring that does not count is no help."""
    common = {"dim_ring": 2, "cohs": [0.1], "timing": {"stimulus": 400}}
    d = 0.05 * math.sqrt(float(np.sum((bump(0, 2) - bump(math.pi, 2)) ** 2)) * 400)
    assert make("multidm", shared=True, **common).references()["ideal"] == pytest.approx(
        ndtr(d * math.sqrt(2)), abs=0.006
    )
    assert make("ctxdm2", **common).references()["ideal"] == pytest.approx(ndtr(d), abs=0.006)


def test_reference_numbers_at_the_defaults():
    numbers = {name: make(name).references() for name in ("go", "dm1", "ctxdm1", "multidm", "dlydm1", "dms", "dnmc")}
    ideal = {name: n["ideal"] for name, n in numbers.items()}
    assert ideal == {
        "go": 1.0, "dm1": pytest.approx(0.945, abs=0.006), "ctxdm1": pytest.approx(0.950, abs=0.006),
        "multidm": pytest.approx(0.971, abs=0.006), "dlydm1": pytest.approx(1, abs=1e-3),
        "dms": pytest.approx(1, abs=1e-3), "dnmc": pytest.approx(1, abs=1e-3),
    }  # fmt: skip
    assert [numbers[name]["blind"] for name in ("go", "dm1", "dms")] == [1 / 16, 1 / 16, 0.5]
    assert numbers["go"]["random"] == pytest.approx((1 - 17**-5) / 16)
    assert numbers["dms"]["random"] == pytest.approx((1 - 17**-9) / 32 + 17**-9 / 2)
    paper = {name: make(name, preset="paper").references() for name in ("rtgo", "dm1", "dmc")}
    assert [round(n["ideal"], 3) for n in paper.values()] == [1, 1, 1]
    assert [n["blind"] for n in paper.values()] == [pytest.approx(0.2), pytest.approx(0.2), 0.5]
    assert [n["random"] for n in paper.values()] == [pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.3)]


def test_noise_makes_rules_harder_and_what_is_unknown_is_left_out():
    for name in ("go", "dms", "dmc", "dlydm1"):
        values = [make(name, sigma=sigma).references()["ideal"] for sigma in (2.0, 20.0, 1000.0)]
        assert 1 >= values[0] > values[1] > values[2], name
        assert values[2] >= make(name).references()["blind"] - 1e-6
    assert make("dms", sigma=1000.0).references()["ideal"] == pytest.approx(0.5, abs=0.02)
    assert make("go", sigma=1000.0).references()["ideal"] == pytest.approx(1 / 16, abs=0.02)
    assert "ideal" not in make("go", preset="paper", sigma=5.0).references()
    assert "ideal" not in make("dm1", jitter=0.1).references()
    coin = make("dm1", dim_ring=2, cohs=[0.0], sigma=0.0).references()
    assert coin["ideal"] == pytest.approx(0.5)


# ---------------------------------------------------------------------- keywords


def test_neurogyms_keywords():
    same = lambda a, b: jax.tree.all(jax.tree.map(lambda x, y: np.array_equal(x, y), a, b))
    assert same(
        make("dm1", cohs=[0.1, 0.2], w_mod=(1, 0)), make("dm1", coherences=[0.1, 0.2, 0.2, 0.2], weights=[1, 0])
    )
    assert same(make("multidm", stim_mod=(True, False)), make("multidm", shows_mod2=False))
    assert same(make("dms", matchto="category", matchgo=False), make("dms", category=True, match_go=False))
    assert same(make("go", reaction=True), make("rtgo"))
    assert same(make("rtgo", reaction=False), make("go"))
    assert same(make("dm2", delaycomparison=True), make("dlydm2"))
    assert same(make("ctxdlydm1", delaycomparison=False), make("ctxdm1"))
    assert same(
        make("dlydm1", timing={"stim1": 300, "stim2": 200}), make("dlydm1", timing={"stimulus": 300, "stimulus2": 200})
    )
    assert make("dms", timing={"sample": 200, "test": 100}).set(timing={"test": 300}).capacity == 32
    assert float(make("dlygo", timing={"delay": 900}).timing["delay"].duration) == 900


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("dm1", {"stim_mod": (False, False)}, "at least one must be shown"),
        ("dm1", {"stim_mod": (1, 2)}, "stim_mod must be two bools, got (1, 2)"),
        ("dm1", {"w_mod": (0, 0)}, "weights (w_mod) must be two numbers, not both 0"),
        ("dms", {"matchto": "shape"}, "matchto must be 'sample' or 'category', got 'shape'"),
        ("dms", {"dim_ring": 7}, "dim_ring must be even for anti and matching rules, got 7"),
        ("anti", {"dim_ring": 5}, "dim_ring must be even"),
        ("dm1", {"dim_ring": 3, "apart": 150}, "apart=150 degrees is more than 3 locations allow"),
        ("dms", {"sequential": False}, "matches=True needs sequential=True"),
        ("dmc", {"preset": "paper", "category_locations": 5}, "category_locations must be even, got 5"),
        ("multidm", {"split": [0.5, 0.2]}, "split must be two numbers that do not fall"),
        ("go", {"rule": 20}, "rule must be a whole number in 0 .. 19"),
        ("go", {"capacity": 10}, "capacity=10 is less than the longest trial"),
        ("go", {"reaction": 3}, "reaction must be a bool, got 3"),
    ],
)
def test_bad_values_are_refused(name, kwargs, message):
    with pytest.raises(InvalidArgument) as caught:
        make(name, **kwargs)
    assert message in str(caught.value)


def test_unknown_names_are_refused():
    for call in (
        lambda: rule("dm3"),
        lambda: make("go", preset="papr"),
        lambda: make("go", delaycomparison=True),
        lambda: make("go", timing={"stim3": 100}),
    ):
        with pytest.raises(UnknownName):
            call()
    with pytest.raises(InvalidArgument, match="mixes a stack of rules"):
        Yang19Mixture.around(make("go"))
    with pytest.raises(InvalidArgument, match="odds must be 20 numbers"):
        Yang19Mixture.create(odds=[1, 2])


# ---------------------------------------------------------------------- other tasks made of it


class Turning(Yang19):
    """A rule whose answer turns by a unit each step of the decision."""

    def response_at(self, trial, t):
        steps = (t - trial.start["decision"]).astype(jnp.float32)
        return trial["response"] + steps * np.float32(2 * math.pi / self.dim_ring)


def test_a_subclass_may_move_the_answer():
    task: Any = Turning.create(**rule("go").settings())
    trial, _ = eager(task, 0, theta1=0.0)
    assert [int(task.target(trial, (), jnp.int32(t))) for t in (9, 10, 11, 14)] == [0, 1, 2, 5]
    assert isinstance(trial.conditions, dict)
    assert not isinstance(trial, Drawn)
    hits = [float(task.respond(trial, (), jnp.int32(2), jnp.int32(t), None).performance) for t in (10, 11)]
    assert hits == [0, 1]
