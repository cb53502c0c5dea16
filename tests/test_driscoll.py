"""The fifteen tasks of Driscoll et al. (2024): what is drawn, shown, asked for and judged, and what can be reached."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

import neurojax as nj
from neurojax.core.chance import Chance, key_words
from neurojax.core.library import LIBRARY
from neurojax.core.session import begin
from neurojax.tasks.driscoll import TASKS, Driscoll, _within, collection, task
from neurojax.tasks.yang19 import Yang19Mixture, pick

KEY = jax.random.key(24)
NO_DRAW: Any = None
N = 500  # trials of each rule
GO, COMPARE, MATCH = TASKS[:6], TASKS[6:11], TASKS[11:]
SHORT, LONG, ZERO = (300, 700), (200, 1600), (0, 0)
COMPARED = ((200, 600), LONG, LONG, LONG, (100, 300), SHORT)
MATCHED = ((200, 600), LONG, LONG, ZERO, ZERO, SHORT)
SPANS = {
    "fd": (SHORT, (200, 1500), ZERO, ZERO, ZERO, SHORT),
    "react": ((500, 2500), ZERO, ZERO, ZERO, ZERO, (300, 1700)),
    "delaygo": (SHORT, LONG, LONG, ZERO, ZERO, SHORT),
    "delayanti": (SHORT, LONG, LONG, ZERO, ZERO, SHORT),
    "delaydm": COMPARED,
    "context": COMPARED,
    "multi": COMPARED,
    "dm": MATCHED,
}


@functools.cache
def batches():
    """Trials of all fifteen `[15, N, ...]`, from one program."""
    tasks = jax.tree.map(jnp.asarray, collection(rule_input=False))
    render = jax.jit(jax.vmap(lambda task: nj.render(task, KEY, N, devices=1)))
    return jax.tree.map(np.asarray, render(tasks))


@functools.cache
def of(name):
    return jax.tree.map(lambda x: x[TASKS.index(name)], batches())


def eager(task, **given):
    """A trial with these conditions, one operation at a time."""
    return task.trial(begin(task, (), Chance(key_words(KEY), jnp.uint32(0)), 0, given).drawn)


def middle(trial, period):
    """A step in the middle of a period."""
    return jnp.int32((int(trial.start[period]) + int(trial.end[period])) // 2)


def angle(a, b=0.0):
    d = np.abs(np.asarray(a, np.float64) - b) % (2 * math.pi)
    return np.minimum(d, 2 * math.pi - d)


def is_uniform(values, low, high):
    """Inside the limits, with the mean and the quartiles of a uniform distribution, within 4.5 standard errors."""
    u = (np.asarray(values, np.float64) - low) / (high - low)
    assert u.min() >= -1e-5
    assert u.max() <= 1 + 1e-5
    assert abs(u.mean() - 0.5) < 4.5 * math.sqrt(1 / 12 / u.size)
    for q in (0.25, 0.75):
        assert abs(np.mean(u < q) - q) < 4.5 * math.sqrt(q * (1 - q) / u.size)


# ---------------------------------------------------------------------- one pytree


def test_the_fifteen_are_in_the_library_and_of_one_structure():
    assert [id for id in LIBRARY if id.startswith("driscoll24.")] == [f"driscoll24.{name}-v0" for name in TASKS]
    tasks = [nj.make(f"driscoll24.{name}-v0") for name in TASKS]
    assert len({jax.tree.structure(task) for task in tasks}) == 1
    assert len({tuple(np.shape(x) for x in jax.tree.leaves(task)) for task in tasks}) == 1
    assert {task.capacity for task in tasks} == {320}  # 6,400 ms
    assert tasks[0].channels.size == 5
    assert collection().channels.size == 20


def test_a_session_may_mix_them():
    mixed = nj.render(Yang19Mixture.around(collection()), KEY, 64, devices=1)
    np.testing.assert_array_equal(
        np.argmax(mixed.inputs[:, :20, 5:].mean(axis=1), axis=1), mixed.conditions["task"]
    )  # the rule input, of which noise is averaged
    assert len(set(np.asarray(mixed.conditions["task"]).tolist())) > 10


# ---------------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("name", TASKS)
def test_all_durations_are_uniform(name):
    spans = next(spans for prefix, spans in SPANS.items() if name.startswith(prefix))
    lasted = np.diff(of(name).periods, axis=-1)[..., 0] * 20.0
    for ms, (low, high) in zip(lasted.T, spans, strict=True):
        assert ms.min() >= low
        assert ms.max() <= high
        # floored to steps of 20 ms: 10 less on average
        expected = (low + high) / 2 - (10 if high else 0)
        assert abs(ms.mean() - expected) <= 4.5 * (high - low) / math.sqrt(12 * N) + 1e-6, (ms.mean(), expected)


@pytest.mark.parametrize("name", GO)
def test_go_rules(name):
    c = of(name).conditions
    is_uniform(c["theta1"], 0, 2 * math.pi)
    np.testing.assert_allclose(angle(c["response"], c["theta1"]), math.pi * name.endswith("anti"), atol=1e-5)
    assert 0.4 < c["modality"].mean() < 0.6
    shown = np.where(c["modality"] == 0, c["coh1_mod1"], c["coh1_mod2"])
    np.testing.assert_array_equal(shown, 1)
    assert (c["coh1_mod1"] * c["coh1_mod2"] == 0).all()


def strengths(name, modality):
    """The mean of two strengths, and half their difference."""
    c = of(name).conditions
    one, two = (c[f"coh{s}_mod{modality}"] for s in (1, 2))
    return (one + two) / 2, (one - two) / 2


@pytest.mark.parametrize(("name", "modality"), [(n, m) for n in COMPARE[:4] for m in (1, 2)])
def test_strengths_to_compare(name, modality):
    mean, half = strengths(name, modality)
    if name == f"delaydm{3 - modality}":
        assert not mean.any()
        return
    is_uniform(mean, 0.8, 1.2)
    is_uniform(np.abs(half), 0.005, 0.8)
    assert abs(np.mean(half > 0) - 0.5) < 4.5 * 0.5 / math.sqrt(N)
    assert abs(np.corrcoef(mean, half)[0, 1]) < 4.5 / math.sqrt(N)


@pytest.mark.parametrize("name", COMPARE)
def test_the_stronger_is_asked_for(name):
    c = of(name).conditions
    weights = {"1": (1, 0), "2": (0, 1), "m": (1, 1)}[name[-1]]
    evidence = sum(w * strengths(name, m)[1] for w, m in zip(weights, (1, 2), strict=True))
    np.testing.assert_array_equal(c["response"], np.where(evidence > 0, c["theta1"], c["theta2"]))
    is_uniform(np.mod(c["theta2"] - c["theta1"], 2 * math.pi), math.pi / 2, 3 * math.pi / 2)


def test_contexts_are_independent_and_the_multisensory_ones_split():
    first, second = (strengths("contextdelaydm1", m)[1] for m in (1, 2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4.5 / math.sqrt(N)
    c = of("multidelaydm").conditions
    s1, s2 = ((c[f"coh{s}_mod1"] + c[f"coh{s}_mod2"]) / 2 for s in (1, 2))
    is_uniform((s1 + s2) / 2, 0.8, 1.2)
    is_uniform(np.abs(s1 - s2) / 2, 0.005, 0.8)
    kept = s1 > 0.2  # where the share can be told in float32
    is_uniform(np.abs(c["coh1_mod1"] - c["coh1_mod2"])[kept] / s1[kept], 0.005, 0.8)


@pytest.mark.parametrize("name", MATCH)
def test_matches(name):
    c = of(name).conditions
    match = c["match"].astype(bool)
    assert abs(match.mean() - 0.5) < 4.5 * 0.5 / math.sqrt(N)
    is_uniform(c["theta1"], 0, 2 * math.pi)
    is_uniform(c["theta2"], 0, 2 * math.pi)
    if name.startswith("dms"):
        away = np.mod(c["theta2"] - c["theta1"], 2 * math.pi)
        assert not angle(away[match]).any()
        is_uniform(away[~match], math.radians(20), math.radians(340))
    else:
        np.testing.assert_array_equal(match, (c["theta1"] < math.pi) == (c["theta2"] < math.pi))
    np.testing.assert_array_equal(c["ground_truth"] > 0, match == (not name.endswith("nogo")))
    assert 0.4 < np.mean(c["modality"] != c["modality2"]) < 0.6


# ---------------------------------------------------------------------- what is shown


def shown(task, trial, period):
    return np.asarray(task.channels.assemble(task.observe(trial, (), middle(trial, period))))


def test_locations_are_points_on_a_circle():
    one = task("delayanti")
    trial = eager(one, theta1=math.radians(30), modality=1)
    point = [0.5, math.sqrt(3) / 2]
    np.testing.assert_allclose(shown(one, trial, "fixation"), [1, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(shown(one, trial, "stimulus"), [1, 0, 0, *point], atol=1e-6)
    np.testing.assert_allclose(shown(one, trial, "delay"), [1, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(shown(one, trial, "decision"), 0, atol=1e-6)
    target = lambda period: one.target(trial, (), middle(trial, period))
    np.testing.assert_allclose(target("delay"), [0.8, 0, 0], atol=1e-6)
    np.testing.assert_allclose(target("decision"), [0, -point[0], -point[1]], atol=1e-6)


def test_strengths_scale_the_points_and_stimuli_follow_each_other():
    one = task("contextdelaydm2")
    given = {"coh1_mod1": 1.5, "coh2_mod1": 0.5, "coh1_mod2": 0.8, "coh2_mod2": 1.2}
    trial = eager(one, theta1=math.pi / 2, theta2=math.pi, **given)
    np.testing.assert_allclose(shown(one, trial, "stimulus"), [1, 1.5, 0, 0.8, 0], atol=1e-6)
    np.testing.assert_allclose(shown(one, trial, "stimulus2"), [1, 0, -0.5, 0, -1.2], atol=1e-6)
    np.testing.assert_allclose(shown(one, trial, "decision"), 0, atol=1e-6)
    np.testing.assert_allclose(one.target(trial, (), middle(trial, "decision")), [0, 0, -1], atol=1e-6)


def test_the_stimulus_stays_where_it_is_the_cue():
    for name, fixation in (("fdgo", 0), ("reactgo", 1), ("dmsgo", 1)):
        one = task(name)
        trial = eager(one, theta1=0.0, match=1, modality=0, modality2=0)
        np.testing.assert_allclose(shown(one, trial, "decision"), [fixation, 0, 1, 0, 0], atol=1e-6)


def test_noise_is_everywhere():
    batch = of("dmcgo")
    before = np.arange(batch.inputs.shape[1]) < batch.periods[:, :1, 1]  # fixation alone
    noise = batch.inputs[before] - np.asarray([1, 0, 0, 0, 0], np.float32)
    np.testing.assert_allclose(noise.std(axis=0), 0.1 * math.sqrt(2 * 100 / 20), rtol=4.5 / math.sqrt(2 * len(noise)))
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=4.5 * 0.32 / math.sqrt(len(noise)))


def test_weights_of_the_loss():
    batch = of("delaygo")
    start = batch.periods[0, -1, 0]
    expected = np.where(np.arange(batch.lengths[0]) < start, 1, 5)
    expected[:5] = expected[start : start + 5] = 0
    np.testing.assert_array_equal(batch.weights[0, : batch.lengths[0]], expected)
    assert task("delaygo").output_weights.tolist() == [2, 1, 1]


# ---------------------------------------------------------------------- how it is judged


def judged(one, trial, fixation, theta, t=None):
    t = trial.length - 1 if t is None else t
    size = np.float32(0.3)  # the length of the response does not matter
    action = jnp.asarray([fixation, size * math.sin(theta), size * math.cos(theta)], jnp.float32)
    came = one.respond(trial, (), action, t, NO_DRAW)
    return bool(came.end), int(came.outcome), float(came.performance)


def test_the_last_step_is_judged_within_18_degrees():
    one = task("fdgo")
    for theta in (0.0, 1.0, 3.1, 6.2):
        trial = eager(one, theta1=theta)
        for off, right in ((0, True), (17.5, True), (-17.5, True), (18.5, False), (-18.5, False), (180, False)):
            outcome = nj.Outcome.CORRECT if right else nj.Outcome.ERROR
            assert judged(one, trial, 0.4, theta + math.radians(off)) == (True, outcome, float(right))
        assert judged(one, trial, 0.6, theta) == (True, nj.Outcome.MISS, 0.0)
        assert judged(one, trial, 0.4, theta, trial.length - 2) == (False, nj.Outcome.NONE, 0.0)


def test_holding_is_right_where_the_rule_says_hold():
    one = task("dmsnogo")
    same, other = eager(one, theta1=1.0, match=1), eager(one, theta1=1.0, theta2=2.0, match=0)
    assert judged(one, same, 0.8, 0.0)[1:] == (nj.Outcome.CORRECT, 1.0)
    assert judged(one, same, 0.0, 1.0)[1:] == (nj.Outcome.ERROR, 0.0)
    assert judged(one, other, 0.0, 2.0)[1:] == (nj.Outcome.CORRECT, 1.0)
    np.testing.assert_allclose(one.target(same, (), same.length - 1), [0.8, 0, 0], atol=1e-6)


def test_choices_for_reinforcement_learning():
    one = task("delaygo", output="choice", dim_ring=16)
    assert one.actions.size == 17
    trial = eager(one, theta1=math.radians(91))
    start = trial.start["decision"]
    assert int(one.target(trial, (), start)) == 5
    choose = lambda action, t: one.respond(trial, (), jnp.int32(action), t, NO_DRAW)
    assert choose(5, start).performance == 1
    assert choose(6, start).outcome == nj.Outcome.ERROR
    assert choose(5, start - 1).outcome == nj.Outcome.ABORT
    assert one.references()["clairvoyant"] == pytest.approx(1)  # no choice is further than 11.25 degrees
    assert task("delaygo", output="choice", dim_ring=8).references()["clairvoyant"] == pytest.approx(18 / 22.5)


# ---------------------------------------------------------------------- what can be reached


@pytest.mark.parametrize("d", [0.5, 2.0, 8.0])
def test_the_error_of_a_direction(d):
    x, y = np.random.default_rng(0).standard_normal((2, 200_000))
    error = np.abs(np.arctan2(y, d + x))
    for limit in (0.1, math.radians(18), 2.0, math.pi):
        p = np.mean(error <= limit)
        assert _within(np.asarray([d]), limit)[0] == pytest.approx(p, abs=4.5 * math.sqrt(p * (1 - p) / x.size) + 1e-4)


def test_reference_numbers():
    numbers = {name: task(name).references() for name in TASKS}
    for name, known in numbers.items():
        assert known["clairvoyant"] == pytest.approx(1)
        assert known["blind"] == pytest.approx(0.5 if name in MATCH else 0.1)
        assert known["random"] == pytest.approx(0.275 if name in MATCH else 0.05)
    ideal = {name: known["ideal"] for name, known in numbers.items()}
    assert all(ideal[name] > 0.9998 for name in GO)
    assert all(ideal[name] == pytest.approx(0.984, abs=0.001) for name in COMPARE[:4])
    assert ideal["multidelaydm"] == pytest.approx(0.989, abs=0.001)
    assert ideal["dmsgo"] == pytest.approx(ideal["dmsnogo"], abs=1e-4)
    assert ideal["dmsgo"] == pytest.approx(0.997, abs=0.001)
    assert ideal["dmcgo"] == ideal["dmcnogo"] == pytest.approx(0.970, abs=0.001)


def seen(name, period):
    """The mean of what is shown in a period, by modality, as points `[N, 2, 2]` of (sine, cosine), and its steps."""
    batch = of(name)
    first, last = batch.periods[:, list(Driscoll.TIMING).index(period)].T
    t = np.arange(batch.inputs.shape[1])
    on = (t >= first[:, None]) & (t < last[:, None])
    mean = np.einsum("nt,ntd->nd", on.astype(float), batch.inputs[..., 1:5]) / (last - first)[:, None]
    return mean.reshape(-1, 2, 2), last - first


def direction(points):
    """The direction of the longer of two points."""
    longer = np.argmax(np.sum(points**2, axis=-1), axis=1)
    point = points[np.arange(len(points)), longer]
    return np.arctan2(point[:, 0], point[:, 1]) % (2 * math.pi)


def test_observers_of_what_is_shown_reach_the_ideal():
    """Plain observers, who know when each stimulus is on."""
    right = {}
    for name in ("delaygo", "delayanti"):
        answer = direction(seen(name, "stimulus")[0]) + math.pi * name.endswith("anti")
        right[name] = angle(answer, of(name).conditions["response"]) < math.radians(18)
    for name in MATCH:
        one, two = (direction(seen(name, period)[0]) for period in ("stimulus", "decision"))
        same = (one < math.pi) == (two < math.pi) if name.startswith("dmc") else angle(one, two) < math.radians(14)
        truth = of(name).conditions["match"] > 0
        goes = truth == (not name.endswith("nogo"))
        right[name] = (same == truth) & (~goes | (angle(two, of(name).conditions["theta2"]) < math.radians(18)))
    for name, correct in right.items():
        ideal = task(name).references()["ideal"]
        assert abs(correct.mean() - ideal) < 4.5 * math.sqrt(ideal * (1 - ideal) / N) + 2 / N, (name, correct.mean())


def test_the_ideal_of_a_comparison():
    """It is the best answer for each two lengths, counted, and above their difference alone."""
    fixed = {"stimulus": ("uniform", (200, 200)), "stimulus2": ("uniform", (600, 600))}
    ideal = task("delaydm1", timing=fixed, criterion=180).references()["ideal"]  # whatever the direction
    rng = np.random.default_rng(1)
    half, mean = rng.uniform(0.005, 0.8, 2_000_000), rng.uniform(0.8, 1.2, 2_000_000)
    half *= rng.choice([-1, 1], half.size)
    sd = 0.1 * np.sqrt(200 / np.asarray([200, 600]))
    assert ndtr(2 * np.abs(half) / np.hypot(*sd)).mean() + 0.0003 < ideal
    lengths = []
    for s, strength in zip(sd, (mean + half, mean - half), strict=True):
        x, y = rng.standard_normal((2, half.size), np.float32) * s
        lengths.append(np.hypot(strength + x, y))
    bins = (np.arange(0, 3, 0.03), np.arange(0, 3, 0.03))
    counts = [np.histogram2d(*(x[side] for x in lengths), bins=bins)[0] for side in (half > 0, half < 0)]
    assert ideal == pytest.approx(np.maximum(*counts).sum() / np.sum(counts), abs=0.0006)


def test_the_ideal_follows_the_parameters():
    known = lambda name, **kwargs: task(name, **kwargs).references()["ideal"]
    for name in ("delaygo", "delaydm1", "multidelaydm", "dmsgo", "dmcgo"):
        less = [known(name, sigma=sigma) for sigma in (0.0, 0.1, 0.5, 1.0, 1.8)]
        assert np.all(np.diff(less) < 1e-3), (name, less)
        assert less[0] == pytest.approx(1, abs=2e-4)
    assert known("dmsgo", apart=60) > known("dmsgo") > known("dmsgo", apart=10)
    assert known("delaydm1", coherences=[0.2, 0.8]) > known("delaydm1") > known("delaydm1", coherences=[0.005, 0.2])
    assert known("delaygo", criterion=10) < known("delaygo")


def test_the_ideal_is_left_out_where_it_is_unknown():
    known = lambda name, **kwargs: "ideal" in task(name, **kwargs).references()
    assert not any(known(name, sigma=4.0) for name in TASKS[2:])  # when a stimulus is on can no longer be told
    assert not known("contextdelaydm1", weights=[1, 0.5])
    assert not known("delaygo", locations="ring")


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("delaydm1", {"coherences": [0.1, 0.2, 0.3]}, "coherences must be two numbers"),
        ("delaydm1", {"coherences": [0.3, 0.1]}, "coherences must be two numbers that do not fall"),
        ("delaydm1", {"coherences": [0, 0]}, "must be above 0"),
        ("delaydm1", {"coherences": [0.1, 0.9]}, "must be at least 0, got -0.1"),
        ("contextdelaydm1", {"coherences": [0.1, 0.1], "weights": [1, 1]}, "may cancel"),
        ("delaygo", {"noise_on": "stimulus"}, "noise_on must be"),
        ("delaygo", {"sigmaa": 1}, "unknown keyword 'sigmaa'"),
        ("delaygoo", {}, "did you mean 'delaygo'"),
    ],
)
def test_bad_values_are_refused(name, kwargs, said):
    with pytest.raises(ValueError, match=said):
        task(name, **kwargs)


def test_settings_build_the_task_again():
    one = task("multidelaydm", coherences=[0.01, 0.4])
    again = one.set(sigma=1.0).set(sigma=one.sigma)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert pick(collection(["fdgo", "multidelaydm"]), 1).shared.item()
