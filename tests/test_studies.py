"""Subjects that learn online, studies of them that can be stopped, and the search for a better protocol."""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache
from scipy import stats

import neurojax as nj
from neurojax.cli.main import main
from neurojax.core.chance import Chance, key_words
from neurojax.errors import InvalidArgument, NeurojaxError
from neurojax.protocols import Protocol, StudySettings, load_study, run_study, save_protocol, walk_task
from neurojax.protocols import group as groups
from neurojax.protocols import search as searches
from neurojax.protocols import study as studies
from neurojax.protocols.days import day, newborn
from neurojax.protocols.group import run_group
from neurojax.protocols.results import COLUMNS
from neurojax.protocols.search import Vary, search_protocol
from neurojax.protocols.store import Store
from neurojax.subjects.player import Look, ModelPlayer
from neurojax.subjects.population import Population, Trait
from neurojax.subjects.recurrent import make_recurrent

TASK = {
    "id": "PerceptualDecisionMaking-v0",
    "keywords": {"coherences": [51.2], "timing": {"fixation": 100, "stimulus": 200, "decision": 1000}},
}
QUICK = Population(
    learner="logistic", model_rate=Trait(low=0.5, high=1.0), bias=Trait(low=-2.0, high=2.0),
    hazard=Trait(low=0.1, high=0.2),
)  # fmt: skip
SESSIONS = 4
WAIT = "stages.waits.next.0.when.0.at_least"


class Stopped(Exception):
    """What stops a study in the middle."""


def easy(name="easy", **changes):
    """Easy trials from the first on; after 100 or more, those who are good are trained."""
    good = {"measure": "accuracy", "last": 20, "at_least": 0.8}
    settings = {
        "name": name,
        "task": TASK,
        "reading": {"strength": "coherence"},
        "stages": [
            {"name": "one", "next": [{"to": "trained", "when": [good, {"measure": "trials", "at_least": 100}]}]}
        ],
        "sessions": {"trials": 50},
        "exam": {"trials": 20, "accuracy": 0.7, "running": 2},
    }
    return Protocol(**{**settings, **changes})


def waits(at_least=100):
    """A first stage, in which nothing can be learnt, of so many trials."""
    first = {"name": "waits", "next": [{"to": "one", "when": [{"measure": "trials", "at_least": at_least}]}]}
    first |= {"assistance": {"any_side": True}, "task": {"keywords": {"coherences": [0.001]}}}
    return easy(stages=[first, {"name": "one"}], exam={"trials": 20, "accuracy": 0.7, "running": 1})


@pytest.fixture(autouse=True, scope="module")
def _kept(tmp_path_factory):
    """Programs are kept on disk meanwhile: most studies here are one program."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in zip(names, (str(tmp_path_factory.mktemp("programs")), 0.1), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(autouse=True)
def _no_floor(monkeypatch):
    """What a perfect learner takes is not what is asked here, and costs a compilation."""
    monkeypatch.setattr(studies, "floor", lambda protocol, seed: 100.0)


def study(*names, **options):
    settings = {"subjects": 5, "sessions": SESSIONS, "habituation": 30, **options.pop("settings", {})}
    return run_study([easy(name) for name in names], QUICK, StudySettings(**settings), **options)


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "floor", lambda protocol, seed: 100.0)
        return study("first", "second")


# ---------------------------------------------------------------------- studies


def test_a_subject_is_the_same_individual_under_every_protocol(result):
    first, second = (rows.drop(columns="protocol") for _, rows in result.subjects.groupby("protocol"))
    assert first.reset_index(drop=True).equals(second.reset_index(drop=True))  # the protocols have one set of rules
    assert first["bias"].nunique() == 5


def test_habituation_is_shared_and_counted_apart(result):
    counted = result.subjects.pivot(index="subject", columns="protocol", values="habituation")
    assert (counted["first"] == counted["second"]).all()
    assert (counted["first"] > 0).all() and (counted["first"] <= 30).all()
    started = result.sessions[result.sessions["session"] == 1]
    assert (started["trials"] == 50).all() and (started["total_trials"] == 50).all()


def test_trials_are_counted_without_a_gap(result):
    for _, rows in result.sessions.groupby(["protocol", "subject"]):
        assert rows["session"].tolist() == list(range(1, len(rows) + 1))
        assert (rows["trials"].cumsum() == rows["total_trials"]).all()
    subjects = result.subjects
    trained = subjects[subjects["status"] == "trained"]
    assert len(trained) and (trained["trials"] >= 100).all() and (trained["trials"] <= 50 * trained["sessions"]).all()
    assert (trained["trials"] > 50 * (trained["sessions"] - 1)).all()
    passed = subjects[subjects["passed"]]
    assert (passed["pass_trials"] == 50 * passed["pass_sessions"]).all()


def test_subjects_learn_what_is_easy(result):
    sessions = result.sessions.groupby(["protocol", "subject"])["accuracy"]
    assert sessions.first().mean() < sessions.last().mean() - 0.1 and sessions.last().mean() > 0.85


@pytest.fixture(scope="module")
def plain():
    return group()


def group(tell=None, **settings):
    """Two sessions of one group, without habituation: the program of the studies above."""
    return run_group(
        [easy("first")], "first", QUICK, StudySettings(subjects=5, **{"sessions": 2, **settings}), tell=tell
    )


def test_chunks_and_devices_change_nothing(plain):
    other = group(chunk=1, devices=1)
    assert str(other.sessions) == str(plain.sessions)
    for name in ("trained", "passed", "trials", "entered", "counts", "repeats", "active"):
        assert np.array_equal(getattr(other, name), getattr(plain, name)), name


@pytest.mark.slow
def test_networks_learn_the_same_together_and_alone(monkeypatch):
    monkeypatch.setattr(groups, "_WAIT", 2)  # so that trials are cut into pieces
    networks = Population(hidden=8, window=16, learning_rate=Trait(low=1e-3, high=3e-3))
    settings = {"subjects": 4, "sessions": 2, "devices": 1}
    alone, together = (
        run_group([easy()], "easy", networks, StudySettings(chunk=chunk, **settings)) for chunk in (1, 4)
    )
    for name in ("trials", "entered", "repeats", "counts"):
        assert np.array_equal(getattr(alone, name), getattr(together, name)), name
    assert alone.sessions["reward"] == pytest.approx(together.sessions["reward"], rel=1e-5)
    assert len(set(alone.sessions["reward"])) > 4


def test_a_repeat_is_the_same_individuals_with_other_chance(result):
    again = study("first", settings={"repeat": 1, "sessions": 1})
    there = result.subjects[result.subjects["protocol"] == "first"]
    traits = ["hazard", "bias", "forgetting"]
    assert again.subjects[traits].equals(there[traits])
    one = result.sessions[(result.sessions["protocol"] == "first") & (result.sessions["session"] == 1)]
    assert again.sessions["accuracy"].tolist() != one["accuracy"].tolist()


def test_exams_change_nothing_and_who_is_taken_out_stays_out(plain):
    def take_out(now, session):
        now.active = now.active[now.active != 0]

    rare = group(exams=2, tell=take_out)
    assert np.isnan(rare.sessions["exam"][:5]).all() and not np.isnan(rare.sessions["exam"][5:]).any()
    assert rare.sessions["subject"] == [0, 1, 2, 3, 4, 1, 2, 3, 4] and rare.last.tolist() == [1, 2, 2, 2, 2]
    for name in ("accuracy", "reward", "total_trials"):
        there = plain.sessions[name]
        assert rare.sessions[name] == there[:5] + there[6:]


def test_a_study_that_was_stopped_goes_on_as_if_it_had_not_been(result, monkeypatch, tmp_path):
    monkeypatch.setattr(groups, "_SAVED_EVERY", 0)

    def stop(now):
        if now.session == 3:
            raise Stopped

    with pytest.raises(Stopped):
        study("first", folder=tmp_path, progress=stop)
    told = []
    resumed = study("first", folder=tmp_path, progress=lambda now: told.append(now.session))
    assert told[0] == 3  # the first two are not run again
    for name in COLUMNS:
        whole = getattr(result, name)
        assert getattr(resumed, name).equals(whole[whole["protocol"] == "first"]), name
    with pytest.raises(InvalidArgument, match="another study"):
        study("first", folder=tmp_path, settings={"seed": 1})
    Store.forget(tmp_path)  # to begin anew
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: StudySettings(subjects=0), "subjects"),
        (lambda: StudySettings(sessions=0), "sessions"),
        (lambda: StudySettings(first=-1), "first"),
        (lambda: StudySettings(devices=0), "devices"),
        (lambda: run_study([]), "at least one protocol"),
        (lambda: run_study([easy(), easy()]), "another name"),
        (lambda: run_study([easy()], []), "at least one population"),
        (lambda: run_study([easy()], [QUICK, QUICK]), "one of each learner"),
        (lambda: run_group([easy()], "a", QUICK, StudySettings(devices=99)), "devices=99 but JAX has"),
        (lambda: run_study([easy(), easy("other", task={**TASK, "id": "ReachingDelayResponse-v0"})], QUICK,
                           StudySettings(habituation=10)), "."),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_are_refused(call, said):
    with pytest.raises(Exception, match=said) as error:
        call()
    assert isinstance(error.value, NeurojaxError)


def test_habituation_takes_tasks_of_one_kind():
    other = easy("other", task={**TASK, "keywords": {**TASK["keywords"], "dt": 50}})
    with pytest.raises(InvalidArgument, match="of one kind"):
        run_study([easy(), other], QUICK, StudySettings(habituation=10))


def test_protocols_whose_files_would_be_one_are_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="'a b' and 'A-b'"):
        run_study([easy("a b"), easy("A-b")], QUICK, StudySettings(), folder=tmp_path)


def test_who_is_in_training_comes_first_and_the_arrays_keep_their_size():
    places = groups._Places.of(np.arange(7), chunk=2, devices=2)
    assert places.rows.tolist() == [0, 2, 4, 6, 1, 3, 5, 0] and places.counts.tolist() == [2, 2]
    fewer, moved = places.without(np.array([1, 4, 5]))
    assert places.rows[moved].tolist() == fewer.rows.tolist() == [1, 5, 1, 1, 4, 1, 1, 1]
    assert fewer.counts.tolist() == [1, 1] and fewer.active == 3
    assert fewer.rows[fewer.find(np.array([1, 4, 5]))].tolist() == [1, 4, 5]
    last, moved = fewer.without(np.array([4]))
    assert last.counts.tolist() == [1, 0] and fewer.rows[moved].tolist() == [4] * 8


def test_subjects_who_leave_do_not_cost_a_compilation_and_change_nothing_for_others(plain):
    def leave(now, session):
        now.active = np.setdiff1d(now.active, [0, 3])

    compiled = cast("Any", groups._live)
    before = compiled._cache_size()
    fewer = group(tell=leave)
    assert compiled._cache_size() == before and fewer.last.tolist() == [1, 2, 2, 1, 2]
    for k in (1, 2, 4):
        for name in ("trials", "entered", "repeats", "counts"):
            assert np.array_equal(getattr(fewer, name)[k], getattr(plain, name)[k]), name


# ---------------------------------------------------------------------- individuals


def test_traits_follow_their_laws():
    population = Population(hazard=Trait(low=0.1, high=10, law="log-uniform"), bias=Trait(low=-3, high=1))
    traits = population.traits(0, np.arange(4000))
    assert stats.kstest(traits["bias"], stats.uniform(-3, 4).cdf).pvalue > 0.01
    assert stats.kstest(np.log10(traits["hazard"]), stats.uniform(-1, 2).cdf).pvalue > 0.01
    assert abs(np.corrcoef(traits["bias"], np.log(traits["hazard"]))[0, 1]) < 0.05
    part = population.traits(0, np.array([7, 3999]))
    assert part["bias"].tolist() == traits["bias"][[7, 3999]].tolist()
    assert (population.traits(1, np.arange(9))["bias"] != traits["bias"][:9]).all()
    with pytest.raises(InvalidArgument, match="low <= high"):
        Trait(low=1, high=0)


def look(due=True, strength=1.0):
    return Look(jnp.zeros(3), jnp.int32(2), jnp.bool_(due), jnp.float32(strength))


def test_a_model_subject_that_may_go_on_tries_the_other_side():
    chance = Chance.of(jax.random.key(0))
    sure = Population(learner="logistic")._model(Population(learner="logistic").traits(0, np.arange(1)), 0)
    player = ModelPlayer(model=sure, quickness=np.float32(1e6), hazard=np.float32(1e-6))
    mind = player.start()
    work = player.begin(mind.known, mind.work, jnp.float32(1), chance)
    work, idle = player.act(mind.known, work, look(due=False), chance)
    work = player.told(work, idle, jnp.float32(0))
    work, first = player.act(mind.known, work, look(), chance)
    rested = player.told(work, jnp.int32(0), jnp.float32(0))  # where it did not come to it, it means the same side
    assert int(player.act(mind.known, rested, look(), chance)[1]) == int(first)
    work = player.told(work, first, jnp.float32(0))
    work, second = player.act(mind.known, work, look(), chance)
    assert (int(idle), {int(first), int(second)}) == (0, {1, 2})
    work = player.told(work, second, jnp.float32(1))
    way = 1 if int(second) == 2 else -1
    assert (int(work.last), int(work.last_rewarded)) == (way, way)


def test_early_answers_grow_rarer_where_they_cost():
    player = ModelPlayer(
        model=Population(learner="logistic")._model(Population().traits(0, np.arange(1)), 0), hazard=np.float32(2)
    )
    mind = player.start()
    assert float(jax.nn.sigmoid(mind.known.early)) == pytest.approx(1 - np.exp(-2 * 0.1), rel=1e-5)
    worse = groups_event(reward=-1.0)
    jumped = mind.replace(work=mind.work.replace(jumped=jnp.float32(1)))
    waited = mind.replace(work=mind.work.replace(waited=jnp.float32(3)))
    assert player.learn(jumped, worse).known.early < mind.known.early < player.learn(waited, worse).known.early
    assert jnp.allclose(player.learn(jumped, worse).known.model, mind.known.model)  # there was no answer


def groups_event(**fields):
    from scripted import event_of, trials

    event = event_of(trials(1, aborted=1, reward=0))
    return jax.tree.map(lambda x: jnp.asarray(x[0]), event).replace(**{k: jnp.float32(v) for k, v in fields.items()})


# ---------------------------------------------------------------------- recurrent subjects


@pytest.fixture(scope="module")
def recurrent():
    return make_recurrent(nj.make(TASK["id"]), jax.random.key(1), hidden=4, window=4, discount=0.5**10, trace=0.5)


def test_advantages_by_hand(recurrent):
    # a step of 100 ms discounts by a half; three steps of the running trial, the last of which is paid
    now = jnp.array([0.0, 1, 1, 1])
    found = recurrent.advantages(jnp.array([9.0, 0, 0, 1]), jnp.array([9.0, 0.5, 1, 0.25]), now)
    errors = np.array([0.5 * 1 - 0.5, 0.5 * 0.25 - 1, 1 - 0.25])
    last, middle = errors[2], errors[1] + 0.25 * errors[2]
    assert found.tolist() == pytest.approx([0, errors[0] + 0.25 * middle, middle, last])


def steps_of(player, n, first=()):
    """The ring after so many steps, each with another observation; the last three are of the running trial."""
    log, work = player._empty(), player.start().work
    for i in range(n):
        before = work.replace(carry=jax.tree.map(lambda x, i=i: jnp.full(x.shape, 0.1 * i), work.carry))
        note = work.note.replace(inputs=jnp.full(work.note.inputs.shape, 0.01 * i), drawn=jnp.int32(i % 3))
        log = player.keep(log, before, work.replace(note=note), None, jnp.int32(i % 3), jnp.float32(i), i in first)
    order = (int(log.next) + np.arange(4)) % 4
    old = jax.tree.map(lambda rows: rows[order], log.replace(next=jnp.arange(4)))
    return old.replace(trial=jnp.arange(4) > 0)


def test_the_ring_holds_the_last_steps_in_order(recurrent):
    steps = steps_of(recurrent, 6, first=(3,))
    assert steps.rewards.tolist() == [2, 3, 4, 5] and steps.actions.tolist() == [2, 0, 1, 2]
    assert steps.first.tolist() == [False, True, False, False]
    assert jnp.ravel(jax.tree.leaves(steps.carry)[0][0]).tolist() == pytest.approx([0.2] * 4)


def test_nothing_before_a_session_changes_what_is_learnt_in_it(recurrent):
    params, learn = recurrent.start().known.params, jax.jit(jax.grad(recurrent.loss))
    for first, differs in (((3,), False), ((), True)):
        steps = steps_of(recurrent, 6, first)
        carry = jax.tree.map(lambda rows: rows.at[0].set(0.7), steps.carry)
        other = steps.replace(inputs=steps.inputs.at[0].set(5), rewards=steps.rewards.at[0].set(5), carry=carry)
        one, two = (jax.tree.leaves(learn(params, x)) for x in (steps, other))
        assert differs != all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        assert any(np.any(np.asarray(a) != 0) for a in one)


def test_a_rest_that_satiety_imposes_is_not_what_was_chosen(recurrent):
    work = recurrent.start().work
    meant = work.replace(note=work.note.replace(drawn=jnp.int32(2)))
    tired = recurrent.replace(effort=np.float32(0.5))
    log = tired.keep(tired._empty(), work, meant, None, jnp.int32(0), jnp.float32(0), False)
    assert int(log.actions[0]) == 2 and float(log.rewards[0]) == 0  # what was not done costs nothing


def test_a_session_begins_once_for_a_recurrent_subject_though_trials_begin_again():
    timing = {"fixation": 200, "stimulus": 200, "decision": 1000}
    task = {"id": TASK["id"], "keywords": {"coherences": [51.2], "timing": timing, "abort": True}}
    protocol = easy(
        task=task, reading={"strength": "coherence", "aborted": "none"}, sessions={"trials": 3, "minutes": 9}
    )
    walk = walk_task(protocol, pauses=True)
    population = Population(hidden=4, window=512, hazard=Trait(low=3.0, high=3.0))
    players = population.players(walk, 0, np.arange(1), (1, 2))
    player = jax.tree.map(lambda x: jnp.asarray(x)[0], players)
    chance = Chance(key_words(jax.random.key(0)), jnp.uint32(0))
    born = newborn(walk, player, chance)
    life = jax.jit(lambda life: day(walk, 100.0, player, life, chance, 1000))(born)
    assert float(life.today.aborted) >= 1 and int(life.memory["own"].trials) == 3 and int(life.step) < 512
    first, carry = life.mind.log.first, jax.tree.leaves(life.mind.log.carry)[0]
    assert np.flatnonzero(first).tolist() == [0] and not np.any(carry[0]) and np.all(np.any(carry[1 : life.step], -1))
    before, after = (jax.tree.leaves(one.mind.known.params) for one in (born, life))
    assert all(np.all(np.isfinite(x)) for x in after)
    assert any(np.any(np.asarray(a) != np.asarray(b)) for a, b in zip(before, after, strict=True))


# ---------------------------------------------------------------------- search


@pytest.mark.parametrize(
    ("text", "low", "high", "log"),
    [
        ("a.b.0.c=0.6..0.9", 0.6, 0.9, False),
        ("a=-1..-0.5", -1, -0.5, False),
        ("a=1.5e-3..1E-1,log", 1.5e-3, 0.1, True),
        ("a=.5..2", 0.5, 2, False),
    ],
)
def test_ranges_as_text(text, low, high, log):
    assert Vary.read(text) == Vary(text.split("=")[0], low, high, log)


@pytest.mark.parametrize(
    "text", ["a", "a=1", "=1..2", "a=1..", "a=..2", "a=1..2,lin", "a=1..inf", "a=nan..2", "a=x..2"]
)
def test_texts_that_are_no_ranges(text):
    with pytest.raises(InvalidArgument, match="PATH=LOW"):
        Vary.read(text)


@pytest.mark.parametrize(
    ("vary", "options", "said"),
    [
        ([], {}, "at least one number"),
        ([Vary("name", 0, 1)], {}, "is no number"),
        ([Vary(WAIT, 2, 1)], {}, "must rise"),
        ([Vary(WAIT, 0, 1, log=True)], {}, "above 0"),
        ([Vary(WAIT, 1, 2), Vary(WAIT, 1, 3)], {}, "twice"),
        ([Vary("sessions.trials", 10.5, 20)], {}, "whole"),
        ([Vary("exam.accuracy", 0.1, 0.2)], {}, "same exam"),
        ([Vary(WAIT, 1, 2)], {"batch": 0}, "batch"),
        ([Vary(WAIT, 1, 2)], {"confirm": -1}, "confirm"),
        ([Vary(WAIT, 1, 2)], {"horizon": 0}, "horizon"),
    ],
)
def test_searches_that_are_refused(vary, options, said):
    pytest.importorskip("optuna")
    with pytest.raises(InvalidArgument, match=said):
        search_protocol(waits(), vary, QUICK, **options)


def test_a_search_finds_a_better_threshold_and_goes_on_after_a_stop(monkeypatch, tmp_path):
    pytest.importorskip("optuna")
    calls = []

    def stopped(*args, **options):
        calls.append(len(args[0]))
        if len(calls) == 2:
            raise Stopped
        return run_group(*args, **options)

    monkeypatch.setattr(searches, "run_group", stopped)
    settings = StudySettings(subjects=3, sessions=6)
    search = lambda: search_protocol(
        waits(200), [Vary(WAIT, 1, 200)], QUICK, settings, candidates=4, batch=2, folder=tmp_path
    )
    with pytest.raises(Stopped):
        search()
    found = search()
    assert calls == [2, 2, 2]
    assert found.candidates[0].values == {WAIT: 200} and len(found.candidates) == 4
    assert len({one.values[WAIT] for one in found.candidates}) == 4  # what was drawn before is not drawn again
    best = next(one for one in found.candidates if one.values == found.values)
    assert best.best and best.time < found.candidates[0].time and found.values[WAIT] < 200
    assert all(0 <= one.accuracy <= 1 for one in found.candidates)
    assert found.protocol.at(WAIT) == found.values[WAIT] and (tmp_path / "found.toml").exists()
    with pytest.raises(InvalidArgument, match="another search"):
        search_protocol(waits(200), [Vary(WAIT, 1, 100)], QUICK, settings, folder=tmp_path)


# ---------------------------------------------------------------------- the command line


def test_the_command_line_runs_a_study(tmp_path, capsys):
    path, out = save_protocol(easy(), tmp_path / "easy.toml"), tmp_path / "out"
    words = ["protocol", "run", str(path), "--out", str(out), "--learner", "logistic", "--subjects", "5", "--sessions"]
    assert main([*words, str(SESSIONS), "--control", "2", "--quiet"]) == 0
    assert "Control: a protocol against itself" in (out / "report.html").read_text(encoding="utf-8")
    assert len(load_study(out / "result").subjects) == 5
    assert main([*words, "1", "--quiet"]) == 2 and "overwrite" in capsys.readouterr().err


def test_the_command_line_refuses_in_one_line(tmp_path, capsys):
    out = ["--out", str(tmp_path)]
    for words, said in (
        (["run", "there is none.toml", *out], "there is none.toml"),
        (["run", "ibl_trainin", *out], "ibl_training"),
        (["run", "ibl_training", "--learner", "logistc", *out], "logistic"),
        (["search", "ibl_training", "--vary", "stages.0=1..2", *out, "--learner", "logistic"], "no number"),
        (["run", "ibl_training", "--sessions", "0", *out], "--sessions"),
        (["run", "ibl_training", "--control", "1", *out], "--control must be 0, or 2 or more"),
        (["search", "ibl_training", "--vary", "sessions", *out], "PATH=LOW..HIGH"),
    ):
        assert main(["protocol", *words]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("action", ["list", "show", "walk", "run", "search"])
def test_every_action_tells_what_it_takes(action, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["protocol", action, "--help"])
    assert ended.value.code == 0 and action in capsys.readouterr().out


def test_built_in_protocols_are_listed_and_shown(capsys):
    assert main(["protocol", "list"]) == 0 and "ibl_training" in capsys.readouterr().out
    assert main(["protocol", "show", "autocage"]) == 0 and "until correct" in capsys.readouterr().out
