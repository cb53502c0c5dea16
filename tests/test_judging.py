"""Protocols are judged as they should be: known numbers, honest intervals, rankings called robust only if they are."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from neurojax.analysis.psychometric import wilson
from neurojax.errors import DamagedFile, ExistingRun, InvalidArgument, UnknownName
from neurojax.protocols import Criterion, Protocol, load_protocol
from neurojax.protocols.control import control, split_control
from neurojax.protocols.endpoints import endpoint, floor, shared_horizon, summarise
from neurojax.protocols.judge import compare, compare_all, compare_times
from neurojax.protocols.presets import preset_names
from neurojax.protocols.report import CAUTION, study_report, write_study_report
from neurojax.protocols.results import COLUMNS, StudyResult, joined, load_study
from neurojax.protocols.robust import kinds, rank, robustness
from neurojax.protocols.survival import kaplan_meier, log_rank, median, restricted_mean, restricted_means
from neurojax.protocols.words import describe_criterion, describe_protocol, describe_rule, direction
from neurojax.viz import protocols as figures
from neurojax.viz.stages import animate_walk, plot_stages, save_animation
from neurojax.viz.style import save

# Freireich et al. (1963), weeks of remission under 6-mercaptopurine and placebo, as in Gehan (1965).
DRUG = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
DRUG_EVENT = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def small(name, **more):
    stages = [
        {"name": "easy", "next": [{"to": "all", "when": [{"measure": "accuracy", "last": 50, "at_least": 0.8}]}]},
        {
            "name": "all",
            "next": [
                {"to": "trained", "when": [{"measure": "accuracy", "last": 200, "at_least": 0.7}]},
                {"to": "easy", "when": [{"measure": "accuracy", "last": 50, "below": 0.5}]},
            ],
        },
    ]
    settings = {
        "name": name,
        "task": {"id": "PerceptualDecisionMaking-v0"},
        "reading": {"strength": "coherence"},
        "stages": stages,
        "sessions": {"trials": 200},
        "limits": {"trials": 9000},
    }
    return Protocol(**{**settings, **more})


def study(speeds, *, n=40, learners=("logistic", "detection"), seed=0, length=8000.0, drop=0.05):
    """A study whose subjects learn at the pace of an individual, times that of the protocol: a function of
    (learner, learning rate between 0 and 1), or a number."""
    rng = np.random.default_rng(seed)
    tables = {name: [] for name in COLUMNS}
    people = {}
    for learner in learners:
        for subject in range(n):
            rate, hazard = rng.random(2)
            noise = rng.uniform(0.1, 1) if learner == "detection" else math.nan
            people[learner, subject] = (rate, hazard, noise, 2000 * math.exp(0.5 * rng.standard_normal() - rate))
    for protocol, speed in speeds.items():
        for (learner, subject), (rate, hazard, noise, pace) in people.items():
            who = {"protocol": protocol, "learner": learner, "subject": subject}
            factor = speed(learner, rate) if callable(speed) else speed
            takes = float(round(pace * factor * math.exp(0.15 * rng.standard_normal())))
            dropped = rng.random() < drop
            passed = takes < length and not dropped
            over = min(takes * 1.2, length) if passed else length * (0.6 if dropped else 1)
            status = "dropped" if dropped else "trained" if passed and takes * 1.2 < length else "censored"
            when = takes if passed else over
            individual = {"learning_rate": rate, "hazard": hazard, "bias": 0.1, "discount": math.nan, "noise": noise}
            individual["forgetting"] = 0.0
            row = {**who, **individual, "status": status, "trials": int(over), "sessions": math.ceil(over / 200)}
            row |= {"passed": passed, "pass_trials": when, "pass_sessions": math.ceil(when / 200), "habituation": 100}
            tables["subjects"].append(row)
            count = max(math.ceil(over / 200), 1)
            for session in range(1, count + 1):
                skill = 0.5 + 0.45 * (1 - math.exp(-2 * session * 200 / takes))
                seen = skill + 0.03 * rng.standard_normal()
                tables["sessions"].append(
                    {
                        **who, "session": session, "trials": 200, "total_trials": 200 * session,
                        "stage": "easy" if session * 200 < takes / 2 else "all", "accuracy": seen, "performance": seen,
                        "response_rate": 0.95, "violation_rate": 0.02, "reward": seen,
                        "exam": skill if session % 2 == 0 else math.nan,
                    }
                )  # fmt: skip
            tables["entries"].append({**who, "stage": "easy", "trials": 0.0})
            tables["entries"].append({**who, "stage": "all", "trials": takes / 2 if takes / 2 < over else math.nan})
            for strength in (-51.2, -12.8, -3.2, 3.2, 12.8, 51.2):
                p = 0.05 + 0.9 * stats.norm.cdf(strength / 10)
                right = int(rng.binomial(100, p))
                tables["exams"].append({**who, "strength": strength, "n": 100, "right": right})
            for choice in (-1, 1):
                for correct in (0, 1):
                    repeated = int(rng.binomial(60, 0.45 + 0.15 * correct))
                    row = {"previous_choice": choice, "previous_correct": correct, "n": 60, "repeated": repeated}
                    tables["history"].append({**who, **row})
        tables["subjects"].append(
            {
                **tables["subjects"][0], "protocol": protocol, "learner": "perfect", "subject": 0, "status": "trained",
                "trials": 250, "sessions": 2, "passed": True, "pass_trials": 400, "pass_sessions": 2,
            }
        )  # fmt: skip
    return StudyResult(
        **{name: pd.DataFrame(rows) for name, rows in tables.items()},
        floors=dict.fromkeys(speeds, 250.0),
        about={"seed": seed, "version": "test", "settings": {"sizes": (1, np.int64(2)), "none": math.nan}},
        protocols={name: small(name) for name in speeds},
    )


def frame(time, event, learner="logistic", end=None):
    index = pd.MultiIndex.from_product([[learner], range(len(time))], names=["learner", "subject"])
    time = np.asarray(time, float)
    return pd.DataFrame({"time": time, "event": event, "end": time if end is None else end}, index=index)


def drawn(rng, n, scale=1000.0, latent=None, length=3000.0, drop=0.1):
    """Times of subjects that differ in how fast they learn: some are given up, and they are watched for some time."""
    latent = 0.6 * rng.standard_normal(n) if latent is None else latent
    time = scale * np.exp(latent + 0.3 * rng.standard_normal(n))
    end = length * np.exp(0.1 * rng.standard_normal(n))
    dropped = rng.random(n) < drop
    event = (time < end) & ~dropped
    return frame(np.where(event, time, np.where(dropped, np.inf, end)), event, end=np.where(event, time, end))


@pytest.fixture(scope="module")
def result():
    return study({"A": 0.6, "B": 1.0, "C": 1.05})


# ---------------------------------------------------------------------- known numbers


def test_kaplan_meier_gives_the_textbook_example():
    curve = kaplan_meier(DRUG, np.array(DRUG_EVENT, bool))
    at = [6, 7, 10, 13, 16, 22, 23]
    np.testing.assert_allclose(curve.at(at), [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=5e-4)
    assert curve.at(5.9) == 1
    low, high = curve.band([6, 23])  # as printed by SAS and by R's survival with conf.type="log-log"
    np.testing.assert_allclose(low, [0.620, 0.188], atol=1e-3)
    np.testing.assert_allclose(high, [0.952, 0.680], atol=1e-3)
    assert median(curve).value == 23
    assert median(curve).low == 13
    assert median(curve).high == math.inf
    assert median(kaplan_meier(PLACEBO, np.ones(21, bool))).value == 8


def test_log_rank_gives_the_textbook_example_and_scipys_numbers():
    drug, placebo = (DRUG, np.array(DRUG_EVENT, bool)), (PLACEBO, np.ones(21, bool))
    found = log_rank(*drug, *placebo)
    assert found.statistic**2 == pytest.approx(16.79, abs=5e-3)
    assert found.statistic < 0  # relapses come later under the drug
    assert found.strata == 1
    scipys = stats.logrank(stats.CensoredData.right_censored(DRUG, ~drug[1]), PLACEBO)
    assert found.pvalue == pytest.approx(scipys.pvalue, rel=1e-9)
    # strata of which each holds one group tell nothing
    nothing = log_rank(*drug, *placebo, strata=(np.zeros(21), np.ones(21)))
    assert (nothing.statistic, nothing.pvalue) == (0, 1)


def test_paired_log_rank_is_the_test_of_wins_and_losses():
    rng = np.random.default_rng(3)
    a, b = drawn(rng, 80), drawn(rng, 80)
    pair = np.arange(80)
    found = log_rank(a["time"], a["event"], b["time"], b["event"], strata=(pair, pair))
    wins = np.sum(a["event"] & (a["time"] < b["time"]))
    losses = np.sum(b["event"] & (b["time"] < a["time"]))
    assert found.statistic == pytest.approx((wins - losses) / math.sqrt(wins + losses))


def test_restricted_mean_of_an_exponential():
    rng = np.random.default_rng(0)
    time, lost = rng.exponential(10, 4000), rng.exponential(25, 4000)
    event = time <= lost
    truth = 10 * (1 - math.exp(-1.2))
    found = restricted_mean(np.minimum(time, lost), event, 12)
    assert found.low < truth < found.high
    assert found.high - found.low < 0.4
    everybody = restricted_mean([1, 2, 3, math.inf], [True, True, True, False], 10)
    assert everybody.value == (1 + 2 + 3 + 10) / 4


def test_restricted_means_of_counted_subjects_are_those_of_repeated_ones():
    rng = np.random.default_rng(1)
    time, event = rng.integers(1, 8, 30).astype(float), rng.random(30) < 0.6  # with ties
    weights = rng.integers(0, 3, (20, 30))
    for horizon in (3.0, 5.5):
        each = [restricted_mean(np.repeat(time, w), np.repeat(event, w), horizon).value for w in weights]
        np.testing.assert_allclose(restricted_means(time, event, weights, horizon), each)


@pytest.mark.parametrize(
    ("time", "event", "horizon"),
    [([], [], 1), ([1, -1], [True, True], 1), ([1, np.nan], [True, True], 1), ([np.inf], [True], 1),
     ([1, 2], [True], 1), ([1, 2], [True, False], 3), ([1, 2], [True, True], np.inf)],
)  # fmt: skip
def test_times_that_make_no_sense_are_refused(time, event, horizon):
    with pytest.raises(InvalidArgument):
        restricted_mean(time, event, horizon)


# ---------------------------------------------------------------------- intervals hold what they should, as often


def covered(hits, level=0.95):
    """Whether so many hits go with the level, and would not with one far from it."""
    hits = np.asarray(hits)
    return stats.binomtest(int(hits.sum()), hits.size, level).pvalue > 1e-3


def test_bands_and_restricted_means_cover_the_truth():
    rng = np.random.default_rng(5)
    band, mean, half = [], [], []
    for _ in range(400):
        time, lost = rng.exponential(10, 60), rng.uniform(5, 40, 60)
        seen, event = np.minimum(time, lost), time <= lost
        curve = kaplan_meier(seen, event)
        low, high = curve.band(8.0)
        band.append(low <= math.exp(-0.8) <= high)
        middle = median(curve)
        half.append(middle.low <= 10 * math.log(2) <= middle.high)
        found = restricted_mean(seen, event, 15)
        mean.append(found.low <= 10 * (1 - math.exp(-1.5)) <= found.high)
    assert covered(band)
    assert covered(half)
    assert np.mean(mean) > 0.92
    assert not covered(mean, 0.88)  # the test can fail
    assert not covered(mean, 0.99)


@pytest.mark.parametrize("paired", [True, False])
def test_ratios_cover_the_truth(paired):
    """Of one protocol against itself 1, and of one that takes 1.3 times as long what that makes of the means."""
    rng = np.random.default_rng(7)
    horizon = 2000.0
    many = np.random.default_rng(8)
    truth = np.minimum(drawn(many, 200_000, drop=0.1)["time"], horizon).mean()
    slower = np.minimum(drawn(many, 200_000, 1300.0, drop=0.1)["time"], horizon).mean()
    same, other = [], []
    for i in range(300 if not paired else 500):
        latent = 0.6 * rng.standard_normal(60)
        second = latent if paired else None
        a, b, c = drawn(rng, 60, latent=latent), drawn(rng, 60, latent=second), drawn(rng, 60, 1300.0, second)
        options = {"paired": paired, "horizon": horizon, "replicates": 400, "seed": i}
        same.append(compare_times(a, b, **options).holds_one)
        ratio = compare_times(c, a, **options).ratio
        other.append(ratio.low <= slower / truth <= ratio.high)
    assert covered(same)
    assert covered(other)
    assert not covered(other, 0.86)  # the test can fail


def test_pairing_gains_precision():
    rng = np.random.default_rng(2)
    latent = 0.8 * rng.standard_normal(100)
    a, b = drawn(rng, 100, latent=latent, drop=0), drawn(rng, 100, 1200.0, latent, drop=0)
    width = lambda found: math.log(found.ratio.high / found.ratio.low)
    paired, apart = compare_times(a, b), compare_times(a, b, paired=False)
    assert width(paired) < 0.6 * width(apart)
    assert paired.ratio.value == pytest.approx(apart.ratio.value)
    assert not paired.holds_one


def test_a_comparison_says_what_it_counts():
    never = math.inf
    a = frame([100, 200, never, 50, 300, 80], [True, True, False, True, False, True], end=[100, 200, 400, 50, 300, 80])
    b = frame(
        [200, 100, never, never, 200, 60], [True, True, False, False, True, False], end=[200, 100, 400, 400, 200, 60]
    )
    found = compare_times(a, b, horizon=60)
    assert found.n == 6
    assert found.better.value == pytest.approx((1 + 0 + 0.5 + 1 + 0 + 0.5) / 6)
    assert (found.ties, found.undecided) == (1 / 6, 1 / 6)
    assert found.share.value == pytest.approx(4 / 6 - 3 / 6)
    assert found.geometric.value == pytest.approx(1.0)  # 1/2 and 2
    assert found.learnt_both == pytest.approx(2 / 6)
    assert math.isnan(found.excess.value)
    assert found.log_rank.strata == 6
    apart = compare_times(a, b, paired=False, horizon=60)
    assert apart.n == 12
    assert math.isnan(apart.geometric.value)


def test_a_protocol_against_itself():
    rng = np.random.default_rng(11)
    people = 0.6 * rng.standard_normal(100)
    repeats = [drawn(rng, 100, latent=people) for _ in range(600)]
    found = control(repeats, replicates=300)
    assert found.pairs == 300
    assert found.plausible
    assert found.low < 0.95 < found.high
    halves = split_control(drawn(rng, 200), splits=100, replicates=300)
    assert halves.plausible
    assert halves.ratios.shape == (100,)
    # another protocol in every second place does not pass for a repeat
    other = [one if i % 2 else drawn(rng, 100, 1300.0, people) for i, one in enumerate(repeats)]
    assert not control(other, replicates=300).plausible
    with pytest.raises(InvalidArgument, match="even number"):
        control(repeats[:3])


# ---------------------------------------------------------------------- studies


def test_endpoints_of_a_study(result):
    exam = endpoint(result, "A")
    rows = result.subjects[(result.subjects.protocol == "A") & (result.subjects.learner != "perfect")]
    assert len(exam) == len(rows) == 80
    assert exam["event"].sum() == rows["passed"].sum()
    dropped = rows[rows["status"] == "dropped"].set_index(["learner", "subject"]).index
    assert np.isinf(exam.loc[dropped, "time"]).all()
    own = endpoint(result, "A", of="criterion", unit="sessions", learner="logistic")
    assert len(own) == 40
    assert own["event"].sum() == (rows[rows.learner == "logistic"]["status"] == "trained").sum()
    assert floor(result, "A") == 250
    assert floor(result, "A", of="exam") == 400
    for wrong in ({"protocol": "Z"}, {"of": "exams"}, {"unit": "days"}, {"learner": "logistics"}):
        with pytest.raises(UnknownName):
            endpoint(result, **{"protocol": "A", **wrong})


def test_who_is_trained_without_the_exam_was_watched_to_the_end():
    one = study({"A": 1.0}, n=5, learners=("logistic",), drop=0)
    rows = one.subjects.copy()
    rows.loc[0, ["status", "passed", "trials", "pass_trials"]] = ["trained", False, 3000, 9000]
    rows.loc[1, ["status", "passed", "trials", "pass_trials"]] = ["dropped", False, 3000, 3000]
    rows.loc[2, ["status", "passed", "trials", "pass_trials"]] = ["dropped", True, 3000, 2000]
    one = dataclasses.replace(one, subjects=rows)
    exam, own = endpoint(one, "A"), endpoint(one, "A", of="criterion")
    assert exam["time"].tolist()[:3] == [9000, math.inf, 2000]
    assert exam["event"].tolist()[:3] == [False, False, True]
    assert own["time"].tolist()[:3] == [3000, math.inf, math.inf]


def test_the_horizon_is_where_nine_in_ten_are_known():
    event = np.array([True] * 10 + [False] * 10)
    early = frame([*range(1, 11), 20, 21, *[30] * 8], event)
    assert shared_horizon([early]) == 30  # two of the twenty were lost sight of before
    assert shared_horizon([early], watched=0.95) == 21
    assert shared_horizon([early, frame([5, 40], [True, True])]) == shared_horizon([early])
    assert shared_horizon([frame([5, math.inf], [True, False], end=[5, 70])]) == 70


def test_summary_of_a_study(result):
    table = summarise(result).set_index("protocol")
    assert list(table.index) == ["A", "B", "C"]
    assert table["horizon"].nunique() == 1
    row = table.loc["A"]
    assert row["share_low"] == pytest.approx(wilson(row["reached"], row["n"])[0])
    assert row["reached"] + row["never"] + row["censored"] == row["n"] == 80
    assert row["mean_low"] < row["mean"] < row["mean_high"]
    assert row["excess"] == pytest.approx(row["mean"] - 400)
    assert table.loc["A", "mean"] < table.loc["B", "mean"]
    assert table.loc["A", "median"] < table.loc["B", "median"]


def test_comparisons_of_a_study(result):
    found = compare(result, "A", "B")
    assert found.clears()
    assert found.ratio.high < 1
    assert found.geometric.low < 0.6 < found.geometric.high
    assert found.better.low > 0.5
    assert "faster" in found.describe()
    assert found.excess.value < found.ratio.value
    assert compare(result, "A", "B") == found  # the same seed
    back = compare(result, "B", "A")
    assert back.ratio.value == pytest.approx(1 / found.ratio.value)
    pairs = compare_all(result, of="criterion", unit="sessions", replicates=200)
    assert [(p.first, p.second) for p in pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert len({p.horizon for p in pairs}) == 1
    assert not pairs[2].clears()
    short = study({"A": 0.6, "B": 1.0}, length=1500.0)  # many are not done when it ends
    assert summarise(short)["censored"].min() > 0
    assert compare(short, "A", "B", replicates=50).horizon == 1500
    with pytest.raises(InvalidArgument, match="watched up to the horizon"):
        compare(short, "A", "B", horizon=1e9)


def test_subjects_that_are_no_pairs_are_refused(result):
    rows = result.subjects.copy()
    rows.loc[(rows.protocol == "B") & (rows.subject == 3), "hazard"] = 0.5
    with pytest.raises(InvalidArgument, match="not the same individual"):
        kinds(dataclasses.replace(result, subjects=rows))
    rows = result.subjects[~((result.subjects.protocol == "B") & (result.subjects.learner == "logistic"))]
    one = dataclasses.replace(result, subjects=rows)
    assert compare(one, "A", "B", replicates=50).n == 40
    rows = rows[~((rows.protocol == "A") & (rows.learner == "detection"))]
    with pytest.raises(InvalidArgument, match="no pairs"):
        compare(dataclasses.replace(result, subjects=rows), "A", "B")


# ---------------------------------------------------------------------- robustness


def test_kinds_are_thirds_within_a_learner(result):
    found = kinds(result, ("learner", "hazard", "noise", "bias"))
    assert set(found["bias"]) == {"all"}  # equal in all
    detection = found.loc["detection"]
    assert sorted(detection["hazard"].value_counts()) == [13, 13, 14]
    assert set(found.loc["logistic", "noise"]) == {"all"}
    assert set(detection["noise"]) == {"low", "middle", "high"}
    values = result.subjects[(result.subjects.protocol == "A") & (result.subjects.learner == "detection")]
    values = values.set_index("subject")["hazard"]
    assert values[detection["hazard"] == "low"].max() < values[detection["hazard"] == "high"].min()
    with pytest.raises(UnknownName):
        kinds(result, ("hazards",))
    with pytest.raises(InvalidArgument):
        kinds(result, bins=7)


def test_a_difference_in_all_cells_is_robust():
    one = study({"A": 0.5, "B": 1.0}, n=120)
    found = robustness(one, "A", "B", replicates=300, least=5)
    assert found.winner == "A"
    assert len(found.cells) == 18
    assert found.cells["n"].sum() + found.left_out == 240
    assert found.agreeing == 18
    assert found.robust
    assert found.warning == ""
    assert "robust ranking" in found.describe()
    assert robustness(one, "B", "A", replicates=50).winner == "A"
    few = robustness(one, "A", "B", replicates=50, least=14)  # cells that are left out cannot agree
    assert few.left_out > 24
    assert few.agreeing == len(few.cells) > 0
    assert not few.robust
    assert "too small to tell" in few.describe()


def test_a_ranking_that_hangs_on_the_subjects_is_not_robust():
    rate = study({"A": lambda learner, rate: 0.5 if rate < 0.55 else 1.7, "B": 1.0}, n=90, drop=0)
    found = robustness(rate, "A", "B", replicates=300)
    assert not found.robust
    assert "depends on the learning rate" in found.warning
    assert "hazard" not in found.warning
    learner = study({"A": lambda learner, rate: 0.4 if learner == "logistic" else 1.5, "B": 1.0}, n=60, drop=0)
    found = robustness(learner, "A", "B", replicates=300)
    assert not found.robust
    assert "depends on the learner: for 'logistic', 'A' is faster" in found.warning
    assert "noise" not in found.warning  # which one learner has alone, and makes no difference to it


def test_a_difference_within_the_margin_is_not_robust():
    one = study({"A": 0.95, "B": 1.0}, n=150, drop=0)
    found = robustness(one, "A", "B", replicates=300, least=5)
    assert not found.overall.clears()
    assert not found.robust
    cells = found.cells.assign(winner=found.winner)
    assert not dataclasses.replace(found, cells=cells).robust  # nor where all cells agree
    clear = dataclasses.replace(found, cells=cells, margin=0.0)
    assert clear.robust == (not found.overall.holds_one)
    # nine in ten cells are enough, fewer are not
    of_ten = cells.iloc[:10].copy()
    far = compare(study({"A": 0.5, "B": 1.0}), "A", "B")
    ten = dataclasses.replace(clear, overall=far, margin=0.1, left_out=0)
    for against, robust in ((0, True), (1, True), (2, False)):
        of_ten["winner"] = ["B"] * against + ["A"] * (10 - against)
        assert dataclasses.replace(ten, cells=of_ten).robust is robust


def test_all_protocols_are_ranked(result):
    found = rank(result, bins=2, replicates=200)
    assert found.order[0] == "A"
    assert found.agreeing >= 0.9 * len(found.cells)
    assert found.robust
    assert [pair.overall.second for pair in found.pairs] == list(found.order[1:])
    rest = dataclasses.replace(
        result,
        subjects=result.subjects[result.subjects.protocol != "A"],
        sessions=result.sessions[result.sessions.protocol != "A"],
    )
    assert not rank(rest, bins=2, replicates=200).robust


# ---------------------------------------------------------------------- on disk


def test_studies_come_back_from_disk(result, tmp_path):
    folder = result.save(tmp_path / "new" / "study")
    back = load_study(folder)
    for name in COLUMNS:
        pd.testing.assert_frame_equal(getattr(back, name), getattr(result, name))
    assert back.floors == result.floors
    assert back.protocols == result.protocols
    assert back.about["settings"] == {"sizes": [1, 2], "none": None}
    with pytest.raises(ExistingRun):
        result.save(folder)
    dataclasses.replace(result, floors={"A": math.nan}).save(folder, overwrite=True)
    assert math.isnan(load_study(folder).floors["A"])
    assert sorted(p.name for p in folder.parent.iterdir()) == ["study"]  # nothing half written is left
    assert (folder.stat().st_mode & 0o777) == (folder.parent.stat().st_mode & 0o777)


def test_damaged_studies_are_told(result, tmp_path):
    folder = result.save(tmp_path / "study")
    (folder / "exams.parquet").write_bytes(b"no table")
    with pytest.raises(DamagedFile, match="exams"):
        load_study(folder)
    index = json.loads((folder / "study.json").read_text())
    for text in ("{", json.dumps({**index, "format": 9}), json.dumps({**index, "protocols": {"A": {"name": "x"}}})):
        (folder / "study.json").write_text(text)
        with pytest.raises(DamagedFile):
            load_study(folder)
    with pytest.raises(InvalidArgument, match="no study"):
        load_study(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    with pytest.raises(InvalidArgument, match="other files"):
        result.save(tmp_path / "other")
    with pytest.raises(InvalidArgument, match="about"):
        dataclasses.replace(result, about={"x": object()}).save(tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_tables_are_checked(result):
    with pytest.raises(InvalidArgument, match="lacks the column 'exam'"):
        dataclasses.replace(result, sessions=result.sessions.drop(columns="exam"))
    with pytest.raises(UnknownName, match="protocol"):
        dataclasses.replace(result, protocols={"A": result.protocols["A"]})
    with pytest.raises(InvalidArgument, match="twice"):
        dataclasses.replace(result, subjects=pd.concat([result.subjects, result.subjects.iloc[:1]]))
    with pytest.raises(UnknownName, match="status"):
        dataclasses.replace(result, subjects=result.subjects.assign(status="done"))
    with pytest.raises(InvalidArgument, match="NaN"):
        dataclasses.replace(result, subjects=result.subjects.assign(pass_trials=np.nan))


def test_studies_of_several_learners_are_joined():
    parts = [study({"A": 1.0}, n=4, learners=(learner,), seed=i) for i, learner in enumerate(("logistic", "detection"))]
    second = dataclasses.replace(parts[1], subjects=parts[1].subjects[parts[1].subjects.learner != "perfect"])
    both = joined([parts[0], second])
    assert both.learners() == ["logistic", "detection"]
    assert len(both.about["parts"]) == 2
    with pytest.raises(InvalidArgument, match="twice"):
        joined(parts)
    with pytest.raises(InvalidArgument, match="differ in the protocol"):
        joined([parts[0], dataclasses.replace(second, protocols={"A": load_protocol("ibl_training")})])
    with pytest.raises(InvalidArgument, match="floor"):
        joined([parts[0], dataclasses.replace(second, floors={"A": 1.0})])


# ---------------------------------------------------------------------- words and pictures


def test_rules_are_told_in_words():
    protocol = load_protocol("ibl_training")
    rule = protocol.stages[0].next[0]
    text = describe_rule(rule)
    assert text.startswith("to 25: correct > 40 of the last 50 trials at strength 100, on both sides; correct > 40 of")
    assert describe_criterion(Criterion(measure="bias", of="all", sessions=3, below=16)) == (
        "bias < 16 in the last 3 sessions together"
    )
    assert describe_criterion(Criterion(measure="performance", sessions=2, at_least=0.7)) == (
        "performance ≥ 0.7 in each of the last 2 sessions in the stage"
    )
    assert describe_criterion(Criterion(measure="accuracy", last=20, below=0.5, full=False, of="session")) == (
        "accuracy < 0.5 over the last 20 trials (or fewer) in the session"
    )
    assert "at the end of a session" in describe_rule(protocol.stages[-1].next[0])
    assert direction(small("A"), "all", "easy") == "back"


@pytest.mark.parametrize("name", preset_names())
def test_every_protocol_is_told_whole(name):
    """Each stage, each transition and each number of a criterion is in the text."""
    protocol = load_protocol(name)
    text = describe_protocol(protocol)
    for stage in protocol.stages:
        assert f"stage {stage.name}" in text
        for rule in stage.next:
            assert describe_rule(rule) in text
            for criterion in rule.when:
                numbers = [criterion.at_least, criterion.above, criterion.at_most, criterion.below, criterion.strength]
                for number in (*numbers, criterion.last, criterion.strength_from):
                    assert number is None or f"{number:g}" in describe_criterion(criterion)
    figure = plot_stages(protocol)
    shown = " ".join(t.get_text() for t in figure.axes[0].texts)
    assert all(stage.name in shown for stage in protocol.stages)


def test_the_graph_of_stages_is_written(tmp_path):
    protocol = small("A", limits={"sessions": 3})
    path = save(plot_stages(protocol), tmp_path / "stages.png")
    assert path.stat().st_size > 5000
    shown = " ".join(t.get_text() for t in plot_stages(protocol).axes[0].texts)
    assert "accuracy ≥ 0.8 over the last 50 trials in the stage" in shown
    assert "given up after 3 sessions" in shown


def test_a_walk_is_animated(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    stage = np.repeat([0, 1, 0, 1], 60)
    walk = animate_walk(small("A"), stage, rng.random(240), values={"volume": np.linspace(3, 2, 240)}, frames=4)
    path = save_animation(walk, tmp_path / "walk.gif", dpi=50)
    with Image.open(path) as image:
        assert image.n_frames == 4
    names = animate_walk(small("A"), np.array(["easy", "all"])[stage], np.ones(240), frames=2)
    save_animation(names, tmp_path / "names.gif", dpi=40)
    with pytest.raises(UnknownName):
        animate_walk(small("A"), ["easy", "hard"], [1, 1])
    with pytest.raises(InvalidArgument):
        animate_walk(small("A"), stage, [1.0])
    with pytest.raises(InvalidArgument, match="gif"):
        save_animation(names, tmp_path / "walk.mp4")


def test_figures_are_drawn(result, tmp_path):
    drawn = {
        "curves": figures.plot_curves(result, learner="logistic"),
        "occupancy": figures.plot_occupancy(result),
        "times": figures.plot_times(result, of="criterion"),
        "final": figures.plot_final(result),
        "history": figures.plot_history(result),
        "pairs": figures.plot_pairs(result, "A", "B", unit="sessions"),
        "ratios": figures.plot_ratios(compare_all(result, replicates=50)),
        "cells": figures.plot_robustness(robustness(result, "A", "B", bins=2, replicates=50)),
        "winners": figures.plot_winners(rank(result, bins=2, replicates=50)),
    }
    for name, figure in drawn.items():
        assert save(figure, tmp_path / f"{name}.png").stat().st_size > 5000
    curve = drawn["times"].axes[0].lines[0]
    assert curve.get_ydata()[0] == 0
    assert curve.get_ydata()[-1] == pytest.approx(summarise(result, of="criterion")["share"][0], abs=0.01)
    shares = drawn["occupancy"].axes[0].collections
    tops = [path.vertices[:, 1].max() for shape in shares for path in shape.get_paths()]
    assert max(tops) == pytest.approx(1)
    with pytest.raises(InvalidArgument):
        figures.plot_ratios([])


def test_the_page_of_a_study_in_which_nobody_learns():
    none = study({"A": 1e3, "B": 1e3}, n=12, learners=("logistic",), drop=0, length=900.0)
    none = dataclasses.replace(none, floors={"A": 6000.0, "B": math.inf})
    none = dataclasses.replace(none, subjects=none.subjects[none.subjects.learner != "perfect"])
    table = summarise(none, of="criterion")
    assert table["reached"].sum() == 0
    assert table["mean"].tolist() == [900, 900]
    assert table["excess"].isna().all()
    found = robustness(none, "A", "B", replicates=20)
    assert (found.winner, found.robust, found.warning) == ("", False, "")
    text = study_report(none, replicates=20, bins=2)
    assert "No protocol is the fastest" in text
    assert "not reached" in text


def test_the_page_of_a_study(result, tmp_path):
    control = split_control(endpoint(result, "A"), splits=20, replicates=100)
    walk = animate_walk(small("A"), [0, 0, 1], [1, 0, 1], frames=2)
    gif = save_animation(walk, tmp_path / "walk.gif", dpi=40)
    options = {"control": control, "walks": {"One subject.": gif}, "replicates": 100, "bins": 2}
    path = write_study_report(result, tmp_path / "report.html", **options)
    text = path.read_text()
    assert CAUTION in text
    assert "held 1 in" in text
    assert "data:image/gif" in text
    assert text.count("data:image/png") >= 12
    for told in ("Time to the exam", "Time to the protocol", "A / B", "Is the ranking robust?", "accuracy ≥ 0.8"):
        assert told in text
    assert "http" not in text.replace("https://doi.org", "")  # nothing is loaded from elsewhere
    assert "nan" not in re.sub(r'base64,[^"]*', "", text)
    one = dataclasses.replace(
        result,
        subjects=result.subjects[result.subjects.protocol == "A"],
        sessions=result.sessions[result.sessions.protocol == "A"],
    )
    alone = study_report(one, replicates=20, bins=2)  # one protocol, and no control
    assert "nothing to rank" in alone
    assert "No control was run" in alone
