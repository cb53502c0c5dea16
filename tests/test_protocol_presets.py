"""The built-in protocols: scripted behaviour through every transition, forward and back."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.session import outline
from neurojax.errors import UnknownName
from neurojax.protocols import load_protocol, save_protocol
from neurojax.protocols.presets import preset_names
from scripted import join, preset, trials

BOTH = [0, 1]
# Every contrast on either side, so often as the last stage of IBL's training shows them.
ALL = [100, 25, 12.5, 6.25, 0]


def of(strengths, n, **fields):
    """`n` trials with the strengths in turn, each on both sides."""
    strength = np.repeat(np.asarray(strengths, float), 2)
    return trials(n, strength=strength, side=np.resize(BOTH, len(strength)), **fields)


@pytest.mark.parametrize("name", preset_names())
def test_the_file_says_what_it_is_and_round_trips(name, tmp_path):
    protocol = load_protocol(name)
    assert protocol.source and len(protocol.doc) > 300 and ("Chosen" in protocol.doc) and ("Left out" in protocol.doc)
    saved = save_protocol(protocol, tmp_path / "saved.toml")
    assert load_protocol(saved) == protocol
    # every stage can be reached, and training can end
    targets = {t.to for stage in protocol.stages for t in stage.next}
    assert {stage.name for stage in protocol.stages[1:]} | {"trained"} <= targets
    walk = protocol.walk()
    assert len(walk.plan.transitions) == len(protocol.stages)
    assert {"stage", "repeat", "free", protocol.reading.side} <= set(outline(walk).conditions)


def test_what_is_built_in():
    assert set(preset_names()) == {
        "autocage", "cv_learning", "foraging", "ibl_biased", "ibl_training", "ibl_v8", "parametric_working_memory",
    }  # fmt: skip
    with pytest.raises(UnknownName, match="autocage"):
        load_protocol("autocages")


# ---------------------------------------------------------------------- International Brain Laboratory


def test_ibl_training_forward():
    ibl = preset("ibl_training")
    # 41 correct of each of two contrasts on each side: 164 trials; then 41 of 25% on each side
    own, seen = ibl.run(
        ibl.start(),
        of([100, 50], 164),
        of([100, 50, 25], 3 * 82),
        of([100, 50, 25, 12.5], 200),
        of([100, 50, 25, 12.5, 6.25], 200),
        of([100, 50, 25, 12.5, 6.25, 0], 200),
    )
    assert own.entered.tolist() == [0, 164, 410, 610, 810, 1010, -1]
    # the session so far is the first of three
    own, seen = ibl.run(own, trials(1, ends=True), *[of(ALL, 201, ends=True)] * 2)
    assert seen["status"].tolist() == [0] * 402 + [1] and int(own.session) == 3


def test_ibl_training_counts_windows_and_repeats():
    ibl = preset("ibl_training")
    assert ibl.leads("100, 50", of([100, 50], 163)) == "100, 50"
    # 40 of the last 50 are not enough, nor are 41 on one side; misses are not correct
    pattern = np.repeat([1] * 40 + [0] * 10, 4)
    assert ibl.leads("100, 50", of([100, 50], 400, correct=pattern)) == "100, 50"
    assert ibl.leads("100, 50", of([100, 50], 400, missed=1 - pattern)) == "100, 50"
    better = np.repeat([1] * 41 + [0] * 9, 4)
    assert ibl.leads("100, 50", of([100, 50], 400, correct=better)) == "25"
    one_side = np.where(np.arange(400) % 2, np.resize(better, 400), np.resize(pattern, 400))
    assert ibl.leads("100, 50", of([100, 50], 400, correct=one_side)) == "100, 50"
    # repeats count neither for the buffers nor for the 200 trials
    assert ibl.leads("100, 50", of([100, 50], 400, counted=0)) == "100, 50"
    assert ibl.leads("12.5", of([12.5], 300, counted=[1, 0])) == "12.5"
    assert ibl.leads("12.5", of([12.5], 400, counted=[1, 0])) == "6.25"


def test_ibl_status_1a():
    ibl = preset("ibl_training")
    day = of(ALL, 210, ends=True)
    for stage in ("0", "without 50"):
        assert ibl.leads(stage, day, day, day) == "trained"
    last = "without 50"
    assert ibl.leads(last, day, day) == last
    assert ibl.leads(last, day, day, of(ALL, 200, ends=True)) == last  # more than 200 in each
    assert ibl.leads(last, *[join(of(ALL, 110, counted=0), of(ALL, 100, ends=True))] * 3) == "trained"  # all trials are
    assert ibl.leads(last, *[of(ALL[:-1], 216, ends=True)] * 3) == last  # no 0%
    # .8 is not above .8, misses included, at 50% and more
    easy = np.where(np.repeat(np.resize(ALL, 25), 2) == 100, np.resize([1, 0], 50) + (np.arange(50) > 15), 1) > 0
    assert ibl.leads(last, day, day, of(ALL, 250, correct=easy, ends=True)) == last
    assert ibl.leads(last, day, day, of(ALL, 250, missed=~easy, ends=True)) == last
    rng = np.random.default_rng(0)
    # a bias: at contrasts below 25% always right
    strength = np.repeat(ALL, 2)
    biased = np.where(strength < 40, np.resize([0, 1], 10), 1)
    assert ibl.leads(last, *[of(ALL, 210, correct=biased, ends=True)] * 3) == last
    # lapses of a quarter on one side: not below .2
    lapses = (np.arange(40) % 2 == 0) | (np.arange(40) // 2 % 4 > 0)
    assert ibl.leads(last, *[of(ALL, 420, correct=lapses, ends=True)] * 3) == last
    # a threshold above 19: guesses but at 100%
    guesses = np.where(np.repeat(np.resize(ALL, 50), 2) < 60, rng.random(100) < 0.5, 1)
    assert ibl.leads(last, *[of(ALL, 300, correct=guesses, ends=True)] * 3) == last


def test_ibl_water_and_giving_up():
    ibl = preset("ibl_training")
    _, seen = ibl.run(
        ibl.start(),
        trials(300, strength=100, reward=1, correct=[1, 0], ends=True),  # 300 rewards of 3 microlitres: enough
        trials(300, strength=100, reward=1, correct=[1, 0], counted=[1, 0], ends=True),  # repeats are trials here
        trials(300, strength=100, reward=0.5, correct=[1, 0], ends=True),  # 150: too little water comes first
        trials(10, strength=100, correct=[1, 0], ends=True),
        trials(10, strength=100, correct=[1, 0], ends=True),
    )
    nights = np.flatnonzero(np.diff(seen["session"], prepend=0))
    assert seen["values"][nights, 0] == pytest.approx([2.9, 2.8, 2.9, 3.0, 3.0], abs=1e-5)
    assert ibl.leads("25", *[trials(2, ends=True)] * 39) == "25"
    assert ibl.leads("25", *[trials(2, ends=True)] * 40) == "dropped"


def test_ibl_sessions_end():
    ibl = preset("ibl_training")
    minute = 60_000 / 100  # steps
    # after 45 minutes where there were no more than 400 trials; else after 90
    _, seen = ibl.run(ibl.start(), trials(60, strength=100, correct=0, length=minute))
    assert np.flatnonzero(np.diff(seen["session"], prepend=0))[0] in (43, 44)
    _, seen = ibl.run(ibl.start(), trials(1100, strength=100, correct=[1, 0], length=minute / 15))
    ends = np.flatnonzero(np.diff(seen["session"], prepend=0))
    assert 1 + ends[0] == np.ceil(90 / ((4 + 1.5) / 60))
    # slow: the last 20 take five times as long as the median
    slow = trials(30, strength=100, correct=[1, 0], time=4000)
    _, seen = ibl.run(ibl.start(), trials(395, strength=100, correct=[1, 0]), slow)
    assert 1 + np.flatnonzero(np.diff(seen["session"], prepend=0))[0] == 395 + 11  # where 11 of 20 are slow


def test_ibl_biased():
    ibl = preset("ibl_biased")
    day = of(ALL, 410, ends=True)
    for stage in ("0", "without 50"):
        assert ibl.leads(stage, day, day, day) == "biased"
    last = "without 50"
    assert ibl.leads(last, *[of(ALL, 400, ends=True)] * 3) == last
    # the median at 0% is asked for, and not the mean: three of four trials at 2.5 s, or at .5 s among very slow ones
    at_0 = np.repeat(np.resize(ALL, 100), 2) == 0
    quarter = np.cumsum(at_0) % 4 == 0
    times = lambda most, few: np.where(at_0, np.where(quarter, few, most), 500)
    assert ibl.leads(last, *[of(ALL, 410, time=times(2500, 500), ends=True)] * 3) == last
    assert ibl.leads(last, *[of(ALL, 410, time=times(500, 30000), ends=True)] * 3) == "biased"
    easy = np.where(np.repeat(np.resize(ALL, 50), 2) == 100, np.arange(100) % 10 > 1, 1)
    assert ibl.leads(last, *[of(ALL, 410, correct=easy, ends=True)] * 3) == last
    assert ibl.leads("biased", day, day) == "biased"
    assert ibl.leads("biased", day, day, day) == "trained"
    assert ibl.leads("biased", *[of(ALL, 410, correct=easy, ends=True)] * 3) == "biased"
    # the early stages are those of training
    own, _ = ibl.run(
        ibl.start(),
        of([100, 50], 164),
        of([100, 50, 25], 3 * 82),
        of([100, 50, 25, 12.5], 200),
        of([100, 50, 25, 12.5, 6.25], 200),
        of([100, 50, 25, 12.5, 6.25, 0], 200),
    )
    assert own.entered.tolist() == [0, 164, 410, 610, 810, 1010, -1, -1]
    # 40 sessions of training, and 40 in the blocks
    short = [trials(2, ends=True)] * 40
    for stage in ("100, 50", "25", "12.5", "6.25", "0", "without 50", "biased"):
        assert ibl.leads(stage, *short[:-1]) == stage
        assert ibl.leads(stage, *short) == "dropped"
    own, _ = ibl.run(ibl.start("0"), *short[:30], day, day, day)
    own, _ = ibl.run(own, *short[:30])
    assert ibl.where(own) == "biased"


def test_the_exam_of_the_biased_blocks_is_in_blocks():
    task = load_protocol("ibl_biased").walk().target_task()
    p_left = nj.session(task, jax.random.key(0), 120, n_sessions=4, policy="oracle").conditions["p_left"]
    for session in np.round(p_left.astype(float), 6):
        assert set(session) == {0.2, 0.8}  # from the first trial on, in turn
        ends = np.flatnonzero(np.diff(session)) + 1
        assert np.all(np.diff(ends) >= 20)


def test_ibl_v8():
    ibl = preset("ibl_v8")
    own, _ = ibl.run(
        ibl.start(),
        of([100, 50], 164),
        of([100, 50, 25], 3 * 82),
        of([12.5], 200),
        of([6.25], 200),
        of([0], 200),
    )
    assert own.entered.tolist() == [0, 164, 410, 610, 810, 1010, -1]
    # counts begin anew with a session
    for stage, strengths, n in (
        ("phase 0", [100, 50], 163),
        ("phase 1", [25], 81),
        ("phase 2", [12.5], 199),
        ("phase 3", [6.25], 199),
        ("phase 4", [0], 199),
    ):
        assert ibl.leads(stage, of(strengths, n, ends=True), of(strengths, n, ends=True)) == stage
        assert ibl.leads(stage, of(strengths, n + 1)) == f"phase {int(stage[-1]) + 1}"
    day = of(ALL, 210, ends=True)
    for stage in ("phase 4", "phase 5"):
        assert ibl.leads(stage, day, day, day) == "trained"
    assert ibl.leads("phase 5", *[trials(2, ends=True)] * 40) == "dropped"
    corrections = [stage.correction for stage in ibl.protocol.stages]
    assert [c.repeat for c in corrections] == [True] * 5 + [False]


def test_the_perfect_learner_of_ibl_training():
    # The time until 41 of 50 are correct on both sides is the greatest of 4 (of 2) waits for the 41st trial of a kind.
    rng = np.random.default_rng(0)

    def wait(kinds, needed):
        """Trials until each of the needed kinds came 41 times, of `kinds` as likely ones; 20,000 runs."""
        draws = rng.integers(kinds, size=(20_000, 900))
        times = [np.argmax(np.cumsum(draws == k, axis=1) >= 41, axis=1) + 1 for k in range(needed)]
        return np.max(times, axis=0)

    one, two = wait(4, 4), wait(6, 2)
    walk = preset("ibl_training").walk
    run = nj.rollout(walk, jax.random.key(0), 64, 6800, policy="oracle", output="metrics")
    entered = np.asarray(run.state.session.memory["own"].entered)[:, 1:6]
    expected = np.cumsum([one.mean(), two.mean(), 200, 200, 200])
    error = np.sqrt(np.cumsum([one.var(), two.var(), 0, 0, 0]) / 64)
    assert np.all(entered > 0)
    assert np.all(np.abs(entered.mean(axis=0) - expected) < 4 * error)
    assert expected == pytest.approx([189, 457, 657, 857, 1057], abs=2)


# ---------------------------------------------------------------------- others


def test_autocage():
    cage = preset("autocage")
    own, seen = cage.run(cage.start(), trials(1409))
    assert own.entered.tolist() == [0, 101, 302, 403, 504, 605, 706, 807, 908, 1409]
    assert seen["status"].tolist() == [0] * 1408 + [1]
    # the first stages count trials, whatever is done in them
    assert cage.leads("until correct", trials(101, correct=0)) == "runs"
    assert cage.leads("runs", trials(200, correct=0)) == "runs"
    assert cage.leads("runs", trials(201, correct=0)) == "antibias"
    of_30 = lambda k: [1] * k + [0] * (30 - k)
    assert cage.leads("antibias", trials(300, correct=of_30(22))) == "antibias"
    assert cage.leads("antibias", trials(130, correct=of_30(23))) == "delay .3"
    assert cage.leads("antibias", trials(300, missed=1 - np.array(of_30(22)))) == "antibias"
    for stage, then in zip(cage.names[3:-1], cage.names[4:], strict=True):
        assert cage.leads(stage, trials(300, correct=of_30(21))) == stage
        assert cage.leads(stage, trials(130, correct=of_30(22))) == then
        assert cage.leads(stage, trials(100)) == stage
        # a lick before the cue is no trial
        assert cage.leads(stage, trials(200, valid=[1, 0], aborted=[0, 1])) == stage
        assert cage.leads(stage, trials(202, valid=[1, 0], aborted=[0, 1])) == then
    of_100 = lambda k: [1] * k + [0] * (100 - k)
    assert cage.leads("last", trials(700, correct=of_100(70))) == "last"
    assert cage.leads("last", trials(600, correct=of_100(71))) == "trained"
    assert cage.leads("last", trials(500)) == "last"
    delays = [stage.task.keywords["timing"]["delay"] for stage in cage.protocol.stages]
    assert delays == [["uniform", [300, 600]]] * 3 + [300, 500, 800, 1000, 1300, 1300]


def test_cv_learning():
    cv = preset("cv_learning")
    own, seen = cv.run(cv.start(), trials(3000))
    assert own.entered.tolist() == [0, 600, 1200, -1, 1800, 2400, 3000]
    assert seen["status"].tolist() == [0] * 2999 + [1] and int(own.session) == 10
    # the delays grow by a quarter after 20, 40, 60 and 80 trials
    share = seen["values"][1800:2400, 0]
    assert np.flatnonzero(np.diff(share, prepend=0)).tolist() == [19, 39, 59, 79] and share[-1] == 1
    good, poor = trials(300, correct=[1] * 7 + [0] * 3), trials(300, correct=[1] * 6 + [0] * 4)
    for stage, then in (
        ("any side", "retry"),
        ("retry", "first counts"),
        ("first counts", "delay"),
        ("ambiguity", "trained"),
    ):
        assert cv.leads(stage, good, poor, good) == stage  # two in a row
        assert cv.leads(stage, poor, good, good) == then
    # back, and forth again where more than .7 are correct, or after two good days
    bad = trials(20, correct=[1] * 9 + [0] * 11)
    assert cv.leads("first counts", bad) == "retry again"
    assert cv.leads("first counts", trials(20, correct=[1, 0])) == "first counts"
    assert cv.leads("first counts", trials(290), trials(10), trials(10, correct=0)) == "first counts"  # of the day
    assert cv.leads("retry again", trials(20, correct=[1] * 7 + [0] * 3)) == "retry again"
    assert cv.leads("retry again", trials(20, correct=[1] * 15 + [0] * 5)) == "first counts"
    assert cv.leads("retry again", good) == "retry again"
    assert cv.leads("retry again", good, good) == "first counts"


def test_cv_learning_delays():
    cv = preset("cv_learning")
    worse = trials(20, correct=[1, 0])
    own, seen = cv.run(cv.start("delay"), trials(40), worse, worse)
    assert seen["values"][[18, 19, 38, 39, 58, 59, 78, 79], 0].tolist() == [0, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25, 0]
    # not below where the day began
    own, seen = cv.run(cv.start("delay"), trials(40, ends=True), *[worse] * 5)
    assert seen["values"][-1, 0] == 0.5
    # a good day alone does not do: the delays must be whole at the end of the second
    half = [1] * 13 + [0] * 7
    two_thirds = np.resize(half, 300)
    two_thirds[:60] = 1
    own, seen = cv.run(cv.start("delay"), *[trials(300, correct=two_thirds)] * 2)
    assert seen["values"][-1, 0] >= 0.75
    own, _ = cv.run(cv.start("delay"), trials(19, ends=True), trials(19, ends=True))
    assert cv.where(own) == "delay"


def test_foraging():
    forage = preset("foraging")
    best = {stage.name: stage.best_reward for stage in forage.protocol.stages}

    def day(stage, n, efficiency):
        return trials(n, best=best[stage], reward=efficiency * best[stage], ends=True)

    for stage in ("1, warm-up", "1"):
        assert forage.leads(stage, day(stage, 200, 0.6)) == "2"
        for n, efficiency in ((199, 0.9), (300, 0.59)):
            assert forage.leads(stage, day(stage, n, efficiency)) == "1"
    assert forage.leads("1", *[day("1", 100, 0.5)] * 3) == "1"
    for n, efficiency, then in (
        (300, 0.65, "3"), (299, 0.8, "2"), (400, 0.64, "2"), (200, 0.55, "2"), (199, 0.8, "1"), (300, 0.54, "1"),
    ):  # fmt: skip
        assert forage.leads("2", day("2", n, efficiency)) == then
    for n, efficiency, then in (
        (400, 0.7, "final"), (399, 0.8, "3"), (450, 0.69, "3"), (300, 0.65, "3"), (299, 0.8, "2"), (400, 0.64, "2"),
    ):  # fmt: skip
        assert forage.leads("3", day("3", n, efficiency)) == then
    # misses are not finished
    assert forage.leads("3", trials(500, missed=[1, 0], best=best["3"], reward=best["3"], ends=True)) == "2"


def test_foraging_graduates():
    forage = preset("foraging")
    final = forage.protocol.stage("final").best_reward
    day = lambda n, efficiency: trials(n, best=final, reward=efficiency * final, length=1, ends=True)
    then = lambda own, *days: forage.where(forage.run(own, *days)[0])
    # by way of stage 3, after six sessions in stage 1
    own, _ = forage.run(forage.start("1"), *[day(100, 0.5)] * 6)
    own, _ = forage.run(own.replace(stage=np.int32(3)), day(500, 0.8))
    assert forage.where(own) == "final" and int(own.session) == 7
    good, _ = forage.run(own, *[day(800, 0.75)] * 2)
    assert forage.where(good) == "final"
    assert then(good, *[day(450, 0.72)] * 2) == "final"
    assert then(good, *[day(450, 0.72)] * 3) == "trained"
    assert then(good, *[day(300, 0.9)] * 3) == "trained"  # 500 on average
    assert then(good, *[day(80, 0.9)] * 3) == "final"  # 368
    assert then(good, *[day(450, 0.55)] * 3) == "final"  # .658
    assert then(good, *[day(450, 0.5)] * 4) == "3"  # .577
    assert then(good, *[day(50, 0.8)] * 4) == "3"  # 200
    # the sessions of other stages are among the last five
    assert then(own, day(400, 0.8)) == "3"
    # not ten in all
    early, _ = forage.run(forage.start("final"), *[day(500, 0.8)] * 9)
    assert forage.where(early) == "final"
    assert then(early, day(500, 0.8)) == "trained"


def test_parametric_working_memory():
    pwm = preset("parametric_working_memory")
    assert pwm.leads("light", trials(100, correct=[1] * 79 + [0] * 21)) == "light"
    assert pwm.leads("light", trials(100, correct=[1] * 80 + [0] * 20)) == "hold"
    assert pwm.leads("light", trials(99)) == "light"
    # 1% a trial from .2 s to 10 s
    needed = int(np.ceil(np.log(50) / np.log(1.01)))
    _, seen = pwm.run(pwm.start("hold"), trials(needed))
    assert seen["stage"].tolist() == [1] * (needed - 1) + [2]
    assert seen["values"][9, 0] == pytest.approx(200 * 1.01**10, rel=1e-4) and seen["values"][-1, 0] == 10000
    _, seen = pwm.run(pwm.start("hold"), trials(100, aborted=[0, 1]))  # violations do not lengthen it
    assert seen["values"][-1, 0] == pytest.approx(200 * 1.01**50, rel=1e-4)
    assert pwm.leads("guaranteed", trials(200, correct=[1] * 119 + [0] * 81)) == "guaranteed"
    assert pwm.leads("guaranteed", trials(200, correct=[1] * 120 + [0] * 80)) == "comparison"
    assert pwm.leads("comparison", trials(300, correct=[1] * 224 + [0] * 76)) == "comparison"
    assert pwm.leads("comparison", trials(300, correct=[1] * 225 + [0] * 75)) == "trained"
