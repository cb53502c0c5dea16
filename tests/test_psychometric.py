"""Psychometric fits recover what made the data, and animals' files are read as they are meant."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.special import ndtr

import neurojax as nj
from neurojax.analysis.behaviour import Columns, read_trials
from neurojax.analysis.psychometric import (
    PARAMETERS,
    Choices,
    _Problem,
    count_choices,
    fit_psychometric,
    ideal_choices,
    wilson,
)
from neurojax.analysis.summary import Readout, by_condition, ideal_accuracy, ideal_right, network_trials, psychometrics
from neurojax.errors import DamagedFile, InvalidArgument, UnknownName
from neurojax.networks import make_network
from neurojax.training.evaluate import Cell, Evaluation

SIGNED = np.array([-12.8, -6.4, -3.2, -1.6, -0.8, 0, 0.8, 1.6, 3.2, 6.4, 12.8])
ANIMALS = Path(__file__).parents[2] / "shared" / "data" / "roitman_shadlen_2002.csv"
TRUTH = {"bias": 0.7, "threshold": 3.2, "lapse_left": 0.03, "lapse_right": 0.01}


def curve(x, bias, threshold, lapse_left, lapse_right):
    return lapse_left + (1 - lapse_left - lapse_right) * ndtr((x - bias) / threshold)


def choices(right, trials, missing=0):
    right = np.asarray(right)
    return Choices(SIGNED, right, trials - right, np.full(SIGNED.size, missing))


@pytest.fixture(scope="module")
def fits():
    """Fits to 40 simulated experiments of 500 trials a coherence."""
    rng = np.random.default_rng(0)
    p = curve(SIGNED, **TRUTH)
    return [fit_psychometric(choices(rng.binomial(500, p), 500)) for _ in range(40)]


@pytest.mark.parametrize("name", PARAMETERS)
def test_fit_recovers_the_parameters(fits, name):
    values = np.array([getattr(fit, name).value for fit in fits])
    error = values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - TRUTH[name]) < 4 * error
    # ... and would not take another truth for this one
    assert abs(values.mean() - (TRUTH[name] + (0.5 if name in ("bias", "threshold") else 0.01))) > 4 * error


@pytest.mark.parametrize("name", PARAMETERS)
def test_intervals_cover_the_truth_as_often_as_they_say(fits, name):
    inside = sum(getattr(f, name).low <= TRUTH[name] <= getattr(f, name).high for f in fits)
    assert inside >= 34  # of 40 at 95%: fewer than 34 has probability .003
    narrow = sum(getattr(f, name).high - getattr(f, name).low for f in fits) / len(fits)
    spread = np.std([getattr(f, name).value for f in fits], ddof=1)
    assert 2.5 < narrow / spread < 6  # 3.9 for a normal estimate


def test_gradient_of_the_likelihood():
    problem = _Problem(SIGNED, np.arange(11) * 9 + 3, 97 - np.arange(11) * 9)
    for point in ([0.3, 1.0, 0.02, 0.05], [-2.0, 2.0, 0.2, 0.01]):
        assert check_grad(lambda p: problem.cost(p)[0], lambda p: problem.cost(p)[1], np.array(point)) < 1e-2


def test_ideal_observer_has_its_own_threshold():
    """Phi((c/100) sqrt(T/2)) has its threshold at 100 sqrt(2/T) = 3.162% for T = 2000 ms."""
    task = nj.make("PerceptualDecisionMaking-v0")
    right = ideal_right(task)
    assert right is not None
    assert right(np.array([6.4, -6.4])) == pytest.approx([0.979, 0.021], abs=5e-4)
    fit = fit_psychometric(choices(np.round(right(SIGNED) * 100_000).astype(int), 100_000))
    assert fit.threshold.value == pytest.approx(100 * math.sqrt(2 / 2000), rel=1e-2)
    assert abs(fit.bias.value) < 0.02
    assert fit.lapse_left.value < 1e-3
    accuracy = ideal_accuracy(task)
    assert accuracy is not None
    assert ideal_choices(lambda c: np.array([accuracy(x) for x in c]), SIGNED) == pytest.approx(right(SIGNED))


def test_no_lapse_seen_is_no_proof_of_none():
    right = np.where(SIGNED > 0, 50, 0) + 25 * (SIGNED == 0)
    fit = fit_psychometric(choices(right, 50))
    assert fit.lapse_left.value < 1e-6
    # 250 trials without a lapse bound its rate at about chi2(.95)/2/250 = .0077
    assert fit.lapse_left.high == pytest.approx(1.92 / 250, rel=0.25)


@pytest.mark.parametrize(
    ("right", "says"),
    [
        (np.full(11, 100), "every choice was right"),
        (np.zeros(11, int), "every choice was left"),
        (np.full(11, 50), "hardly follow"),
        (np.where(SIGNED > 0, 100, 0), "a step"),
        (np.where(SIGNED < 0, 90, 10), "less often"),
    ],
)
def test_degenerate_choices_are_called_so(right, says):
    fit = fit_psychometric(choices(right, 100))
    assert says in fit.note
    assert fit.determined == ("every choice" not in says)
    json.dumps(fit.to_dict(), allow_nan=False)


def test_missing_choices_are_counted_apart():
    half = choices(np.round(curve(SIGNED, **TRUTH) * 200).astype(int), 200, missing=7)
    fit = fit_psychometric(half)
    assert (fit.answered, fit.missing) == (2200, 77)
    assert fit.threshold == fit_psychometric(choices(half.right, 200)).threshold
    none = Choices(SIGNED, half.right * 0, half.left * 0, half.missing)
    assert fit_psychometric(none).note == "no trial has a choice"
    assert np.isnan(none.proportion).all()


def test_counting():
    counts = count_choices([6.4000001, 6.4, -0.0, 0.0, math.nan], [1, 0, 1, 1, 0], [1, 1, 1, 0, 0])
    assert counts.signed.tolist() == [0.0, 6.4]
    assert (counts.right.tolist(), counts.left.tolist(), counts.missing.tolist()) == ([1, 1], [0, 1], [1, 0])
    assert counts.unplaced == 1
    with pytest.raises(InvalidArgument, match="finite where there is a choice"):
        count_choices([math.nan], [1])
    with pytest.raises(InvalidArgument, match="same trials"):
        count_choices([1.0, 2.0], [1])
    with pytest.raises(InvalidArgument, match="level"):
        fit_psychometric(choices(np.arange(11), 10), level=1.5)


def test_wilson_interval():
    low, high = wilson([0, 8], [10, 10])
    assert (low[0], high[0]) == pytest.approx((0, 0.2775), abs=1e-4)  # z^2 / (n + z^2)
    assert (low[1], high[1]) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert np.isnan(wilson(0, 0)).all()


# ---------------------------------------------------------------------- networks


def cell(coherence, truth, left, right, trials):
    nan = math.nan
    conditions = {"coherence": coherence, "ground_truth": truth}
    return Cell(conditions, trials, nan, nan, nan, nan, nan, nan, nan, [0, left, right], nan)


def test_right_is_ground_truth_one():
    task = nj.make("PerceptualDecisionMaking-v0")
    cells = [cell(0, 0, 4, 6, 10), cell(0, 1, 5, 5, 10), cell(6.4, 0, 9, 0, 10), cell(6.4, 1, 1, 9, 10)]
    found = psychometrics(task, Evaluation(cells[0], cells))
    assert not isinstance(found, str)
    assert found.choices.signed.tolist() == [-6.4, 0.0, 6.4]
    assert found.choices.right.tolist() == [0, 11, 9]
    assert found.choices.left.tolist() == [9, 9, 1]
    assert found.choices.missing.tolist() == [1, 0, 0]


@pytest.mark.parametrize(("id", "kwargs"), [("ReadySetGo-v0", {}), ("PerceptualDecisionMaking-v0", {"dim_ring": 4})])
def test_no_psychometric_curve_where_it_has_no_meaning(id, kwargs):
    task = nj.make(id, **kwargs)
    assert "no psychometric curve" in psychometrics(task, Evaluation(cell(0, 0, 0, 0, 1), []))


@pytest.fixture(scope="module")
def always_right():
    """A network whose greatest output is always action 2, with probability .843."""
    network = make_network("gru", 3, 3, 4, jax.random.key(0), dt=20)
    network.w_out[...] = np.zeros((4, 3), np.float32)
    network.b_out[...] = np.array([0, 0, math.log(10.75)], np.float32)
    return network


@pytest.mark.parametrize(("readout", "answers"), [("greedy", True), ("0.8", True), ("0.9", False)])
def test_network_trials_in_a_reaction_time_task(always_right, readout, answers):
    task = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0", dt=20, timing={"stimulus": 200}))
    read = Readout.read(readout)
    trials = network_trials(
        task, always_right, jax.random.key(0), 5, [0.0, 6.4], readout=read, non_decision_time=350
    )  # fmt: skip
    assert trials.signed.tolist() == [-0.0] * 5 + [0.0] * 5 + [-6.4] * 5 + [6.4] * 5
    assert trials.answered.all() == answers
    assert trials.answered.any() == answers
    if answers:  # the first answer that counts is in the stimulus' second step: 40 ms after its onset
        assert trials.time is not None
        assert set(trials.time.tolist()) == {390.0}
        assert trials.right.all()
        assert trials.correct.tolist() == ([False] * 5 + [True] * 5) * 2


@pytest.mark.parametrize("text", ["0.4", "1", "soft"])
def test_readout_refuses(text):
    with pytest.raises(InvalidArgument, match="readout"):
        Readout.read(text)


def test_by_condition_adds_up(always_right):
    task = nj.make("PerceptualDecisionMaking-v0", dt=20, timing={"stimulus": 100})
    rows = by_condition(task, always_right, jax.random.key(0), 64)
    assert [row["value"] for row in rows["coherence"]] == [0, 6.4, 12.8, 25.6, 51.2]
    assert sum(row["trials"] for row in rows["ground_truth"]) == 64
    assert [row["accuracy_given_response"] for row in rows["ground_truth"]] == [0, 1]


# ---------------------------------------------------------------------- animals


@pytest.mark.skipif(not ANIMALS.exists(), reason=f"the data of Roitman & Shadlen (2002) are not at {ANIMALS}")
def test_roitman_and_shadlen():
    """The check numbers that come with the file."""
    trials = read_trials(ANIMALS)
    rows = trials.by_coherence()
    assert len(trials) == 6149
    assert trials.subjects == ("1", "2")
    assert [row["coherence"] for row in rows] == [0, 3.2, 6.4, 12.8, 25.6, 51.2]
    assert [round(row["accuracy"], 3) for row in rows] == [0.500, 0.642, 0.777, 0.941, 0.995, 1.000]
    assert [round(row["response_time_ms"]) for row in rows] == [826, 820, 775, 684, 543, 423]
    fit = fit_psychometric(trials.choices())
    expected = ndtr(np.array([3.2, 6.4, 12.8]) / fit.threshold.value)
    assert expected == pytest.approx([0.642, 0.777, 0.941], abs=0.02)


def write(folder, text):
    path = folder / "trials.csv"
    path.write_text(text)
    return path


def test_signed_coherence_needs_no_correct_column(tmp_path):
    path = write(tmp_path, "c,choice\n-5,left\n5,left\n0,right\n5,none\n")
    trials = read_trials(path, Columns(coherence="c"))
    assert trials.signed.tolist() == [-5, 5, 0, 5]
    assert trials.right.tolist() == [False, False, True, False]
    assert trials.correct.tolist() == [True, False, False, False]
    assert trials.choices().missing.tolist() == [0, 0, 1]
    assert trials.time is None


def test_which_choice_is_right(tmp_path):
    path = write(tmp_path, "coherence_percent,choice,correct,response_time_ms\n5,1,1,300\n5,2,1,\n")
    assert read_trials(path).right.tolist() == [False, True]
    turned = read_trials(path, right="1")
    assert turned.right.tolist() == [True, False]
    assert turned.signed.tolist() == [5, -5]
    assert turned.time is not None
    assert np.isnan(turned.time).tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "columns", "error", "says"),
    [
        ("coherence,choice,correct\n5,1,1\n", {}, UnknownName, "did you mean 'coherence'"),
        ("coherence_percent,choice,correct\n5,1,1\n5,3,1\n5,2,1\n", {}, DamagedFile, "must hold two choices, holds 3"),
        ("coherence_percent,choice,correct\n5,1,1\nabc,2,1\n", {}, DamagedFile, "line 3: column 'coherence_percent'"),
        ("coherence_percent,choice,correct\n5,1,1\n,2,1\n", {}, DamagedFile, "line 3"),
        ("coherence_percent,choice,correct\n5,1,maybe\n5,2,1\n", {}, DamagedFile, "'correct' must be 0 or 1"),
        ("coherence_percent,choice,correct\n5,1\n", {}, DamagedFile, "2 values under 3 columns"),
        ("coherence_percent,choice,correct\n", {}, DamagedFile, "no trials"),
        ("coherence_percent,choice,correct\n5,1,1\n5,2,1\n", {"time": "rt"}, UnknownName, "unknown column 'rt'"),
        ("coherence_percent,choice,correct\n5,none,0\n", {}, DamagedFile, "must hold two choices, holds 0"),
    ],
)
def test_bad_files(tmp_path, text, columns, error, says):
    with pytest.raises(error, match=says):
        read_trials(write(tmp_path, text), Columns(**columns))


def test_no_file(tmp_path):
    with pytest.raises(InvalidArgument, match="there is no file"):
        read_trials(tmp_path / "none.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(DamagedFile, match="cannot be read"):
        read_trials(binary)
