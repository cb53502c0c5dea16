"""Protocols as data, what criteria see, corrections and help, sessions, and numbers that grow."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import erf

import neurojax as nj
from neurojax.core.chance import Chance, key_words
from neurojax.core.session import advance, begin, remember, start_memory
from neurojax.core.trial import Outcome
from neurojax.envs import check
from neurojax.errors import DamagedFile, InvalidArgument, UnknownName
from neurojax.protocols import Criterion, Protocol, Sessions, gauges, load_protocol, save_protocol, walk_task
from neurojax.protocols.fits import fit_psychometric
from neurojax.protocols.protocol import COUNTS
from scripted import Driven, event_of, join, trials

# ---------------------------------------------------------------------- data


def two_steps(**changes):
    """A protocol in two stages, some of its settings changed."""
    easy = {"name": "easy", "next": [{"to": "all", "when": [{"measure": "accuracy", "last": 20, "at_least": 0.75}]}]}
    settings = {
        "name": "two steps",
        "task": {"id": "PerceptualDecisionMaking-v0"},
        "reading": {"strength": "coherence"},
        "stages": [easy, {"name": "all", "next": []}],
        "sessions": {"trials": 50},
    }
    return Protocol(**{**settings, **changes})


def staged(**stage):
    return {"stages": [{"name": "one", **stage}]}


def asked(**criterion):
    return staged(next=[{"to": "trained", "when": [{"measure": "accuracy", "at_least": 0.5, **criterion}]}])


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"stagse": []}, UnknownName, "stages"),
        (staged(nxt=[]), UnknownName, "next"),
        (staged(next=[{"to": "tranied", "when": [{"measure": "trials", "at_least": 1}]}]), UnknownName, "trained"),
        (staged(next=[{"to": "trained", "when": []}]), InvalidArgument, "when"),
        (asked(measure="acuracy"), InvalidArgument, "criterion.measure: input should be .trials.*acuracy"),
        (asked(at_least=None), InvalidArgument, "accuracy compares with nothing"),
        (asked(measure="bias"), InvalidArgument, "bias is fitted to whole sessions"),
        (asked(measure="bias", sessions=1, side="left"), InvalidArgument, "bias does not take"),
        (asked(last=5, sessions=2), InvalidArgument, "give one of both"),
        (asked(measure="trials", last=5), InvalidArgument, "leave it out"),
        (asked(pooled=True), InvalidArgument, "pooled goes with sessions"),
        (asked(strength=1, strength_from=2), InvalidArgument, "not both"),
        (asked(measure="value"), InvalidArgument, "parameter goes with"),
        (asked(measure="value", parameter="sigma"), UnknownName, "sigma"),
        (asked(measure="reward", at_least=None, better_than=0.5), InvalidArgument, "reward is none"),
        (asked(measure="median_time", below=3), InvalidArgument, "at_least and below"),
        (asked(measure="median_time", at_least=None, above=3), InvalidArgument, "at_least and below"),
        (staged(correction={"side": "errros"}), InvalidArgument, "correction.side"),
        (staged(correction={"side": "runs"}), InvalidArgument, "needs most"),
        (staged(assistance={"same": 2}), InvalidArgument, "any_side"),
        (staged(adapt=[{"parameter": "sigma", "start": 3, "low": 0, "high": 1, "changes": [{"add": 1}]}]),
         InvalidArgument, "sigma: low, start, high must rise, got 0, 3, 1"),
        (staged(adapt=[{"parameter": "sigma", "start": 0, "low": 0, "high": 1, "changes": [{}]}]),
         InvalidArgument, "adds something"),
        (staged(adapt=2 * [{"parameter": "sigma", "start": 0, "low": 0, "high": 1, "changes": [{"add": 1}]}]),
         InvalidArgument, "'sigma' is adapted twice"),
        ({"stages": [{"name": "a"}, {"name": "a"}]}, InvalidArgument, "two stages are called 'a'"),
        ({"stages": [{"name": "trained"}]}, InvalidArgument, "trained"),
        ({"sessions": {}}, InvalidArgument, "give trials or minutes"),
        ({"sessions": {"trials": 5, "slow_last": 65}}, InvalidArgument, "slow_last"),
        ({"sessions": {"trials": 5, "missed_last": 65}}, InvalidArgument, "missed_last"),
        ({"reading": {"aborted": "none"}}, InvalidArgument, "minutes"),
        ({"task": {}}, InvalidArgument, "task.id"),
    ],
)  # fmt: skip
def test_settings_that_are_refused_are_named(changes, error, said):
    with pytest.raises(error, match=said):
        two_steps(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"task": {"id": "PerceptualDecisionMakin-v0"}}, UnknownName, "PerceptualDecisionMaking-v0"),
        (staged(task={"keywords": {"coherenses": [1]}}), UnknownName, "coherences"),
        (staged(adapt=[{"parameter": "timing.delya", "start": 0, "low": 0, "high": 1, "changes": [{"add": 1}]}]),
         UnknownName, "delay"),
        (staged(adapt=[{"parameter": "scale.delya", "start": 0, "low": 0, "high": 1, "changes": [{"add": 1}]}]),
         UnknownName, "delay"),
        ({"reading": {"side": "ground_thruth"}}, UnknownName, "ground_truth"),
        ({"reading": {"answer": "decisoin"}}, UnknownName, "decision"),
        ({"reading": {"choice_right": 3}}, InvalidArgument, "reading.choice_right"),
        ({"task": {"id": "AntiReach-v0"}, "reading": {"side": "stim_theta"}}, (UnknownName, InvalidArgument), "."),
    ],
)  # fmt: skip
def test_tasks_that_do_not_fit_are_refused_with_the_walk(changes, error, said):
    with pytest.raises(error, match=said):
        two_steps(**changes).walk()


def test_a_side_that_follows_from_others_cannot_be_corrected():
    foraging = {"task": {"id": "DynamicForaging-v0"}, "reading": {}}
    assert not two_steps(**foraging, **staged()).walk().plan.chooses
    for stage in ({"correction": {"most": 3}}, {"assistance": {"any_side": True, "same": 2}}):
        with pytest.raises(InvalidArgument, match="ground_truth"):
            two_steps(**foraging, **staged(**stage)).walk()


def test_files(tmp_path):
    protocol = two_steps(adapt=[{"parameter": "sigma", "start": 1, "low": 0, "high": 2, "changes": [{"factor": 1.1}]}])
    path = save_protocol(protocol, tmp_path / "two.toml")
    assert load_protocol(path) == protocol == load_protocol(str(path))
    path.write_text(path.read_text().replace("at_least", "atleast"))
    with pytest.raises(UnknownName, match=r"at_least.*two\.toml"):
        load_protocol(path)
    path.write_text("name =")
    with pytest.raises(DamagedFile, match=r"two\.toml"):
        load_protocol(path)


def test_numbers_by_their_paths():
    protocol = two_steps()
    path = "stages.easy.next.0.when.0.at_least"
    assert protocol.at(path) == 0.75
    other = protocol.replace({path: 0.8, "sessions.trials": 60})
    assert other.at(path) == 0.8 and other.sessions == Sessions(trials=60) and protocol.at(path) == 0.75
    with pytest.raises(UnknownName, match="easy"):
        protocol.at("stages.esay.name")
    with pytest.raises(InvalidArgument, match="trials"):
        protocol.replace({"sessions.trials": -1})
    with pytest.raises(UnknownName, match="all"):
        protocol.stage("al")


def test_protocols_that_differ_in_numbers_are_of_one_structure():
    one = two_steps()
    other = one.replace({"stages.easy.next.0.when.0.last": 40, "sessions.trials": 60})
    walks = [walk_task(one, like=[other]), walk_task(other, like=[one])]
    assert jax.tree.structure(walks[0]) == jax.tree.structure(walks[1])
    shapes = [[np.shape(x) for x in jax.tree.leaves(walk)] for walk in walks]
    assert shapes[0] == shapes[1] and nj.stack(walks).said.sessions["trials"].tolist() == [50, 60]


# ---------------------------------------------------------------------- what criteria see

EVENTS = [
    *[{"measure": m, "of": of, "at_least": b} for m, b in (("trials", 9), ("correct", 9)) for of in ("stage", "all")],
    {"measure": "answered", "of": "session", "above": 12},
    {"measure": "reward", "of": "session", "below": 3},
    {"measure": "accuracy", "last": 10, "at_least": 0.7},
    {"measure": "accuracy", "last": 10, "at_least": 0.7, "repeats": True},
    {"measure": "accuracy", "last": 10, "above": 0.7, "of": "all"},
    {"measure": "accuracy", "last": 6, "at_least": 0.5, "side": "both"},
    {"measure": "accuracy", "last": 6, "at_most": 0.5, "side": "left", "full": False},
    {"measure": "correct", "last": 8, "above": 4, "full": False, "strength": 25, "side": "right", "of": "all"},
    {"measure": "performance", "last": 12, "below": 0.6, "of": "session"},
    {"measure": "response_rate", "above": 0.7, "at_most": 0.8},
    {"measure": "violation_rate", "last": 10, "at_most": 0.1},
    {"measure": "miss_rate", "of": "all", "above": 0.1},
    {"measure": "right", "last": 10, "above": 0.5, "strength_from": 25},
    {"measure": "response_time", "last": 10, "below": 500},
    {"measure": "median_time", "last": 9, "below": 500},
    {"measure": "median_time", "last": 10, "at_least": 500, "of": "all"},
    {"measure": "efficiency", "above": 0.5, "of": "session"},
    {"measure": "accuracy", "last": 15, "better_than": 0.5},
    {"measure": "right", "of": "all", "better_than": 0.4, "alpha": 0.2},
]
NIGHTLY = [
    {"measure": "sessions", "at_least": 3},
    {"measure": "sessions", "at_least": 5, "of": "all"},
    {"measure": "accuracy", "sessions": 2, "at_least": 0.6},
    {"measure": "accuracy", "sessions": 2, "at_least": 0.6, "full": False, "of": "all"},
    {"measure": "accuracy", "sessions": 3, "pooled": True, "above": 0.6, "of": "all"},
    {"measure": "accuracy", "sessions": 2, "at_least": 0.5, "side": "both", "strength": 25},
    {"measure": "answered", "sessions": 3, "pooled": True, "above": 22, "of": "all"},
    {"measure": "answered", "sessions": 3, "pooled": True, "above": 22, "full": False},
    {"measure": "trials", "sessions": 2, "above": 28},
    {"measure": "trials", "sessions": 2, "above": 28, "repeats": True},
    {"measure": "efficiency", "sessions": 1, "at_least": 0.5},
]


@cache
def history():
    """A few hundred trials of every kind; the sessions end, and stages are entered, here and there."""
    rng = np.random.default_rng(1)
    n = 400
    kind = rng.choice(["answer", "miss", "abort"], n, p=[0.75, 0.15, 0.1])
    good = np.repeat(rng.uniform(0.3, 0.95, n // 20), 20)
    answered = kind == "answer"
    correct = answered & (rng.random(n) < good)
    valid = (kind != "abort") | (rng.random(n) < 0.5)
    log = trials(
        n,
        valid=valid,
        counted=valid & (rng.random(n) < 0.85),
        side=rng.integers(2, size=n),
        missed=kind == "miss",
        aborted=kind == "abort",
        answered=answered,
        correct=correct,
        strength=rng.choice([100, 25, 6.25], n),
        reward=correct * rng.uniform(0, 1, n),
        time=rng.choice([200, 400, 450, 550, 600, 900], n),
        best=np.where(rng.random(n) < 0.1, 0, 0.7),
    )
    return log, np.isin(np.arange(n) % 37, (36,)), np.isin(np.arange(n), (50, 110, 147, 260))


@cache
def seen_by_the_gauges():
    """bool `[trials, criteria]`: whether each criterion holds after each trial, in one program."""
    criteria = [Criterion(**c) for c in EVENTS + NIGHTLY]
    built = [gauges.gauge(c, [], ()) for c in criteria]
    given = [gauges.numbers(c) for c in criteria]
    log, nights, stages = history()

    def one(seen, x):
        log, night, stage = x
        event = event_of(log)
        seen = [gauges.look(g, n, s, event) for g, n, s in zip(built, given, seen, strict=True)]
        held = jnp.stack([gauges.holds(g, n, s, ()) for g, n, s in zip(built, given, seen, strict=True)])
        slept = [gauges.begun_anew(g, gauges.sleep(g, s), False, True) for g, s in zip(built, seen, strict=True)]
        seen = jax.tree.map(lambda a, b: jnp.where(night, a, b), slept, seen)
        return [gauges.begun_anew(g, s, stage, False) for g, s in zip(built, seen, strict=True)], held

    xs = jax.tree.map(jnp.asarray, (log, nights, stages))
    return np.asarray(jax.jit(lambda xs: jax.lax.scan(one, [gauges.nothing_seen(g) for g in built], xs)[1])(xs))


def judged(criterion, log, session, stage, t):
    """Whether a criterion holds after trial `t`: the definition, in plain NumPy."""
    c, n = criterion, np.arange(t + 1)
    since = {"all": n >= 0, "stage": stage[: t + 1] == stage[t], "session": session[: t + 1] == session[t]}
    own = since["session"] & since["stage"] if c.of == "session" else since[c.of]
    if c.measure == "sessions":
        return compare(c, len(np.unique(session[: t + 1][own])), 0)
    take = own & log["valid" if c.repeats else "counted"][: t + 1]
    if c.strength is not None:
        take &= log["strength"][: t + 1] == c.strength
    if c.strength_from is not None:
        take &= log["strength"][: t + 1] >= c.strength_from
    sides = {"left": [[0]], "right": [[1]], "both": [[0], [1]], None: [[0, 1]]}[c.side]
    return all(of_side(c, log, session, own, take & np.isin(log["side"][: t + 1], side), t) for side in sides)


def of_side(c, log, session, own, take, t):
    f = {name: np.asarray(x[: t + 1], float) for name, x in log.items()}
    one = np.ones(t + 1)
    top, bottom = {
        "trials": (one, one), "correct": (f["correct"], one), "answered": (f["answered"], one),
        "reward": (f["reward"], one), "accuracy": (f["correct"], f["answered"]),
        "performance": (f["performance"], one), "response_rate": (f["answered"], one),
        "violation_rate": (f["aborted"], one), "miss_rate": (f["missed"], one), "right": (f["right"], f["answered"]),
        "response_time": (f["time"], f["answered"]), "median_time": (f["time"], f["answered"]),
        "efficiency": (f["reward"], f["answered"] * f["best"]),
    }[c.measure]  # fmt: skip
    count = c.measure in COUNTS
    where = np.flatnonzero(take & ((bottom > 0) | count))

    def value(at):
        if c.measure == "median_time":
            return np.sort(top[at])[len(at) // 2]
        return top[at].sum() if count else top[at].sum() / bottom[at].sum()

    if c.sessions:
        last = np.unique(session[: t + 1][own])[-c.sessions :]
        if len(last) < c.sessions and c.full:
            return False
        parts = [where[session[where] == s] for s in last]
        if c.pooled:
            whole = np.concatenate(parts)
            return (count or len(whole) > 0) and compare(c, value(whole) / (len(last) if count else 1), len(whole))
        return all((count or len(at) > 0) and compare(c, value(at), len(at)) for at in parts)
    if c.last:
        if c.full and len(where) < c.last:
            return False
        where = where[-c.last :]
    return (count or len(where) > 0) and compare(c, value(where), bottom[where].sum())


def compare(c, value, n):
    near = 1e-6
    held = [
        c.at_least is None or value >= c.at_least - near,
        c.above is None or value > c.above + near,
        c.at_most is None or value <= c.at_most + near,
        c.below is None or value < c.below - near,
    ]
    if c.better_than is not None:
        k = round(value * n)
        held.append(k > 0 and stats.binomtest(k, round(n), c.better_than, "greater").pvalue < c.alpha)
    return all(held)


@pytest.mark.parametrize("i", range(len(EVENTS + NIGHTLY)), ids=lambda i: (EVENTS + NIGHTLY)[i]["measure"])
def test_criteria_against_their_definitions(i):
    log, nights, stages = history()
    session, stage = (np.cumsum(x) - x for x in (nights, stages))
    where = np.flatnonzero(nights) if i >= len(EVENTS) else np.arange(len(nights))
    criterion = Criterion(**(EVENTS + NIGHTLY)[i])
    expected = [judged(criterion, log, session, stage, t) for t in where]
    assert 0 < np.mean(expected) < 1  # it could fail
    assert seen_by_the_gauges()[where, i].tolist() == expected


def test_the_binomial_test_by_hand():
    # 15 of 20 against .5: p = .0207; 14 of 20: p = .0577
    assert stats.binomtest(15, 20, 0.5, "greater").pvalue == pytest.approx(0.0207, abs=1e-4)
    gauge = gauges.gauge(Criterion(measure="accuracy", better_than=0.5), [], ())
    given = gauges.numbers(Criterion(measure="accuracy", better_than=0.5))
    for k, held in ((15, True), (14, False), (0, False)):
        seen = gauges.nothing_seen(gauge).replace(top=jnp.float32([[k]]), bottom=jnp.float32([[20.0]]))
        assert bool(gauges.holds(gauge, given, seen, ())) == held


# ---------------------------------------------------------------------- psychometric fits


def of_ibl(x, bias, threshold, low, high):
    return low + (1 - low - high) * 0.5 * (1 + erf((x - bias) / threshold))


@pytest.mark.parametrize(
    "true", [(0, 15, 0.05, 0.05), (8, 25, 0.02, 0.15), (-20, 8, 0.3, 0.1), (2, 60, 0.0, 0.0), (0, 100, 0.2, 0.2)]
)
def test_fits_are_as_likely_as_scipys(true):
    rng = np.random.default_rng(0)
    levels = np.array([0, 6.25, 12.5, 25, 50, 100])
    x, n = np.concatenate([-levels, levels]), 80
    right = rng.binomial(n, of_ibl(x, *true))
    counts = np.stack([right, np.full(12, n)], axis=-1).reshape(2, 6, 2)
    fit = fitted(jnp.float32(levels), jnp.float32(counts))

    def loss(q):
        p = np.clip(of_ibl(x, *q), 1e-4, 1 - 1e-4)
        return -np.sum(right * np.log(p) + (n - right) * np.log1p(-p))

    bounds = [(-100, 100), (2, 100), (0, 0.4), (0, 0.4)]
    best = min((minimize(loss, s, bounds=bounds) for s in ([0, 20, 0.05, 0.05], true)), key=lambda found: found.fun)
    own = [float(v) for v in (fit.bias, fit.threshold, fit.low, fit.high)]
    assert loss(own) < best.fun + 1e-3
    assert own[:2] == pytest.approx(best.x[:2], rel=0.02, abs=0.1)
    assert own[2:] == pytest.approx(best.x[2:], abs=0.005)
    assert float(fit.of("bias")) == abs(own[0]) and float(fit.of("lapse")) == max(own[2:])


fitted = jax.jit(fit_psychometric)


def test_fits_of_sessions():
    """A criterion on fits looks at the trials of its sessions together, and at none of them without trials."""
    levels = (0.0, 25.0, 100.0)
    ask = Criterion(measure="threshold", sessions=2, below=19)
    gauge, given = gauges.gauge(ask, [], levels), gauges.numbers(ask)
    held = jax.jit(lambda seen: gauges.holds(gauge, given, seen, ()))
    seen = gauges.nothing_seen(gauge)
    assert not bool(held(seen.replace(nights=jnp.float32(5))))  # nothing seen
    log = trials(60, strength=np.repeat(levels, 2), side=[0, 1])
    look = lambda seen, x: (gauges.look(gauge, given, seen, event_of(x)), ())
    seen, _ = jax.jit(lambda seen, log: jax.lax.scan(look, seen, log))(seen, log)
    assert np.asarray(seen.counts)[-1].tolist() == [[[0, 10], [0, 10], [0, 10]], [[10, 10]] * 3]
    assert not bool(held(seen))  # one session
    seen = gauges.sleep(gauge, seen)
    assert bool(held(seen))  # the second has no trials yet
    assert np.asarray(seen.counts).sum(axis=(1, 2, 3)).tolist() == [90, 0]


# ---------------------------------------------------------------------- corrections and help

HELP = [
    {"name": "plain", "correction": {"window": 40}},  # room for longer windows than those that are used
    {"name": "responses", "correction": {"side": "responses", "window": 10, "spread": 0.5}},
    {"name": "repeats", "correction": {"side": "responses", "only_repeats": True, "repeat": True, "repeat_from": 50}},
    {"name": "same again", "correction": {"repeat": True}},
    {"name": "errors", "correction": {"side": "errors", "window": 20}},
    {"name": "kernel", "correction": {"side": "kernel", "strength": 3, "memory": 4}},
    {"name": "runs", "correction": {"side": "runs", "most": 3}},
    {"name": "most", "correction": {"most": 3}},
    {"name": "keep", "correction": {"most": 3, "keep": 5}},
    {"name": "retry", "assistance": {"retry": True}},
    {"name": "free", "assistance": {"free_after": 2, "free_share": 0.5}},
    {"name": "any", "assistance": {"any_side": True, "same": 2}},
    {
        "name": "scaled",
        "adapt": [
            {"parameter": "scale.delay", "start": 0.5, "low": 0, "high": 2, "changes": [{"add": 1}]},
            {"parameter": "volume", "start": 1.5, "low": 1, "high": 3, "changes": [{"add": 1}]},
        ],
    },
]
LANES, STEPS = 4000, 8
HOLD, RIGHT_ONE, WRONG = 0, 1, 2  # what is done at a step, relative to the correct side


@cache
def helped():
    protocol = Protocol(
        name="help",
        task={
            "id": "PerceptualDecisionMakingDelayResponse-v0",
            "keywords": {
                "coherences": [100, 25], "abort": True,
                "timing": {"fixation": 0, "stimulus": 100, "delay": 200, "decision": 400},
            },
        },
        reading={"left": 1, "right": 2, "strength": "coherence", "aborted": "none"},
        stages=HELP,
        sessions={"trials": 100, "minutes": 10},
    )  # fmt: skip
    walk = protocol.walk()
    words = key_words(jax.random.key(3))

    def first(own, lane):
        chance = Chance(words, lane)
        return chance, begin(walk, {**start_memory(walk, chance), "own": own}, chance, 0)

    @jax.jit
    def shown(own):
        conditions = jax.vmap(lambda lane: first(own, lane)[1].drawn.conditions)(jnp.arange(LANES, dtype=jnp.uint32))
        return conditions["ground_truth"] == 2, conditions["coherence"]

    @jax.jit
    def play(own, does):
        chance, session = first(own, jnp.uint32(0))
        right = session.drawn.conditions["ground_truth"]
        actions = jnp.where(does == RIGHT_ONE, right, jnp.where(does == WRONG, 3 - right, 0))

        def step(held, x):
            session, ended, kept = held
            action, t = x
            new, came = advance(walk, session, action, chance, t)
            memory = remember(walk, new, came, came.new_trial, chance, t + 1)
            new = new.replace(memory=memory)
            event = walk.resolve(session.memory).event(came.trial, came.result)
            out = (event, came.result, memory["own"])
            kept = jax.tree.map(lambda a, b: jnp.where(ended, a, b), kept, out)
            return (jax.tree.map(lambda a, b: jnp.where(ended, a, b), session, new), ended | came.new_trial, kept), ()

        def first_step():
            _, came = advance(walk, session, actions[0], chance, 0)
            return walk.resolve(session.memory).event(came.trial, came.result), came.result

        blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(first_step))
        kept = (*blank, own)
        times = jnp.arange(STEPS, dtype=jnp.int32)
        (_, ended, kept), _ = jax.lax.scan(step, (session, jnp.bool_(False), kept), (actions, times))
        return ended, *kept, right

    helped = Driven.__new__(Driven)
    helped.protocol, helped.walk, helped.names = protocol, walk, [stage["name"] for stage in HELP]
    return helped, shown, play


def share_right(own):
    return float(jnp.mean(helped()[1](own)[0]))


def own_of(stage, **fields):
    return helped()[0].start(stage).replace(**{name: jnp.asarray(value) for name, value in fields.items()})


def ring(*values):
    """The last trials of a window."""
    room = helped()[0].walk.plan.window
    return np.concatenate([np.zeros(room - len(values)), values]).astype(np.float32)


def close(p):
    return pytest.approx(p, abs=4 * np.sqrt(max(p * (1 - p), 1e-9) / LANES))


def test_sides_by_responses():
    assert share_right(own_of("plain")) == close(0.5)
    left = ring(*[1] * 10, *[-1] * 8, 1, 1)  # 8 of the last 10 are left: P(N(.8, .5) >= .5)
    assert share_right(own_of("responses", responses=left)) == close(stats.norm.cdf(0.6))
    assert share_right(own_of("responses")) == close(0.5)
    assert share_right(own_of("repeats", responses=left)) == close(0.5)
    again = own_of("repeats", responses=left, repeat=True, again_side=np.int32(1), again_strength=np.float32(25))
    assert share_right(again) == close(stats.norm.cdf(0.6))
    assert np.unique(helped()[1](again)[1]).tolist() == [25]


def test_sides_that_are_shown_again():
    again = own_of("same again", repeat=True, again_side=np.int32(1), again_strength=np.float32(25))
    assert share_right(again) == 1 and np.unique(helped()[1](again)[1]).tolist() == [25]
    assert share_right(again.replace(again_side=jnp.int32(0))) == 0
    # an aborted trial is begun again, whatever the correction
    for stage in ("plain", "errors", "kernel"):
        begun = own_of(stage, restart=True, again_side=np.int32(1), again_strength=np.float32(100))
        assert share_right(begun) == 1 and np.unique(helped()[1](begun)[1]).tolist() == [100]


def test_sides_by_errors():
    # correct: 4 right, 2 left; errors: 1 left, 3 right; two misses, which are neither: left with (4/6 + 1/4) / 2
    shown = ring(1, 1, 1, 1, -1, -1, -1, 1, 1, 1, -1, -1)
    right = ring(1, 1, 1, 1, 1, 1, -1, -1, -1, -1, 0, 0)
    assert share_right(own_of("errors", shown=shown, right=right)) == close(1 - (4 / 6 + 1 / 4) / 2)
    assert share_right(own_of("errors", shown=shown, right=np.maximum(right, 0))) == close(0.5)  # no errors
    # only the last 20 count
    many = (ring(*[1] * 10, *shown[-12:], *[-1] * 8), ring(*[1] * 10, *right[-12:], *[0] * 8))
    assert share_right(own_of("errors", shown=many[0], right=many[1])) == close(1 - (4 / 6 + 1 / 4) / 2)


def test_sides_by_the_kernel():
    hits = np.array([0.9, 0.5], np.float32)
    left = np.exp(-2.7) / (np.exp(-2.7) + np.exp(-1.5))
    assert share_right(own_of("kernel", hits=hits)) == close(1 - left)
    # the mean of a side moves by a quarter of the way, with its own trials alone
    driven = Driven(helped()[0].protocol)
    own, _ = driven.run(driven.start("kernel"), trials(3, side=[0, 0, 1], correct=[1, 1, 0]))
    assert np.asarray(own.hits) == pytest.approx([1 - 0.5 * 0.75**2, 0.5 * 0.75])
    # and what the other corrections remember
    own, _ = driven.run(
        driven.start("plain"), trials(5, side=[1, 0, 0, 0, 0], correct=[1, 1, 0, 1, 0], missed=[0, 0, 0, 0, 1])
    )
    assert np.asarray(own.responses)[-5:].tolist() == [0, 1, -1, 1, -1]
    assert np.asarray(own.shown)[-5:].tolist() == [1, -1, -1, -1, -1]
    assert np.asarray(own.right)[-5:].tolist() == [1, 1, -1, 1, 0]
    assert int(own.streak) == -4 and int(own.found) == 2 and np.asarray(own.lost).tolist() == [1, 0]
    assert int(own.unpaid) == 1 and not bool(own.repeat)
    own, _ = driven.run(driven.start("repeats"), trials(1, strength=100, correct=0))
    assert bool(own.repeat) and float(own.again_strength) == 100
    later, _ = driven.run(own, trials(1, strength=100, valid=0, aborted=1, side=1))  # aborted: still to be repeated
    assert bool(later.repeat) and bool(later.restart) and int(later.trials) == 1 and int(later.again_side) == 1
    later, _ = driven.run(later, trials(1, strength=100))
    assert not bool(later.repeat) and not bool(later.restart)
    own, _ = driven.run(driven.start("repeats"), trials(1, strength=25, correct=0))  # too weak to be repeated
    assert not bool(own.repeat)


def test_sides_in_runs():
    assert share_right(own_of("runs")) == close(0.5)
    assert share_right(own_of("runs", streak=np.int32(-7), found=np.int32(2))) == 0
    assert share_right(own_of("runs", streak=np.int32(-7), found=np.int32(3))) == 1
    assert share_right(own_of("runs", streak=np.int32(3), found=np.int32(3))) == 0
    assert share_right(own_of("most", streak=np.int32(2))) == close(0.5)
    assert share_right(own_of("most", streak=np.int32(3))) == 0
    assert share_right(own_of("keep", streak=np.int32(3), lost=np.array([0, 4], np.int32))) == 0
    assert share_right(own_of("keep", streak=np.int32(3), lost=np.array([0, 5], np.int32))) == 1


def played(stage, *does, **fields):
    """What came of a trial in which this was done, step by step (then nothing): event, result, and progress."""
    does = np.resize(np.array([*does, *[HOLD] * STEPS]), STEPS)
    ended, event, result, own, right = helped()[2](own_of(stage, **fields), jnp.asarray(does))
    assert bool(ended)
    return event, result, own, int(right) == 2


WAIT = (HOLD, HOLD, HOLD)  # the stimulus, and the delay


def test_one_may_try_again():
    event, result, own, right = played("plain", *WAIT, WRONG)
    assert int(result.outcome) == Outcome.ERROR and int(result.response_step) == 3 and float(event.time) == 100
    event, result, own, right = played("retry", *WAIT, WRONG, HOLD, RIGHT_ONE)
    assert int(result.outcome) == Outcome.ERROR and int(result.response_step) == 5 and float(result.reward) == 1
    assert float(event.correct) == 0 and float(event.answered) == 1 and float(event.performance) == 0
    assert bool(event.right) != right  # of the first answer
    assert int(own.unpaid) == 0 and int(own.found) == 1
    # never found: the first answer counts, and the trial is no miss
    for tail in ((HOLD,), (WRONG,) * 3):
        event, result, own, right = played("retry", *WAIT, WRONG, *tail)
        assert int(result.outcome) == Outcome.ERROR and float(event.missed) == 0 and float(result.reward) == 0
        assert bool(event.right) != right and int(own.unpaid) == 1
    event, result, *_ = played("retry", *WAIT, RIGHT_ONE)
    assert int(result.outcome) == Outcome.CORRECT and float(event.performance) == 1
    event, result, *_ = played("retry", *WAIT)
    assert int(result.outcome) == Outcome.MISS


def test_what_is_free():
    for does, reward in (((WRONG,), 0.5), ((HOLD,), 0.5), ((RIGHT_ONE,), 1.0)):
        event, result, own, _ = played("free", *WAIT, *does, unpaid=np.int32(2))
        assert float(result.reward) == reward and int(own.unpaid) == 0
        assert float(event.best_reward) == 0  # efficiency is about what was earned
    event, result, own, _ = played("free", *WAIT, WRONG, unpaid=np.int32(1))
    assert float(result.reward) == 0 and int(own.unpaid) == 2 and float(event.best_reward) == 1
    # what is begun again is not paid, and not counted
    event, result, own, _ = played("free", WRONG, unpaid=np.int32(2))
    assert int(result.outcome) == Outcome.ABORT and float(result.reward) <= 0 and int(own.unpaid) == 2
    assert bool(own.restart) and int(own.trials) == 0


def test_any_side():
    event, result, _, right = played("any", *WAIT, WRONG)
    assert int(result.outcome) == Outcome.CORRECT and float(result.reward) == 1 and bool(event.right) != right
    # after two of one side the other is the correct one
    twice = ring(1, 1)
    assert share_right(own_of("any", responses=twice)) == 0
    assert share_right(own_of("any", responses=-twice)) == 1
    assert share_right(own_of("any", responses=ring(1, -1))) == close(0.5)
    event, result, *_ = played("any", *WAIT, WRONG, responses=twice)
    assert int(result.outcome) == Outcome.ERROR and float(result.reward) == 0
    event, result, *_ = played("any", *WAIT, RIGHT_ONE, responses=twice)
    assert int(result.outcome) == Outcome.CORRECT


def test_what_is_adapted_is_what_is_played():
    for scale, at in ((0.0, 1), (0.5, 2), (1.0, 3), (2.0, 5)):
        values = np.array([scale, 1.5], np.float32)
        event, result, own, _ = played("scaled", *[HOLD] * at, RIGHT_ONE, values=values)
        assert int(result.outcome) == Outcome.CORRECT and float(event.time) == 100
        assert float(result.reward) == 0.5 and float(own.drunk) == 1.5  # of 3 microlitres
        if at > 1:
            _, result, *_ = played("scaled", *[HOLD] * (at - 1), RIGHT_ONE, values=values)
            assert int(result.outcome) == Outcome.ABORT


# ---------------------------------------------------------------------- sessions, and numbers that grow


def grown(**changes):
    settings = {
        "name": "grown",
        "task": {"id": "PerceptualDecisionMaking-v0", "keywords": {"timing": {"stimulus": 200}}},
        "reading": {"strength": "coherence"},
        "sessions": {"trials": 1000, "minutes": 1000},
        "stages": [
            {
                "name": "one",
                "adapt": [
                    {"parameter": "sigma", "start": 1, "low": 0.5, "high": 3, "every": 4, "changes": [
                        {"add": 1, "when": [{"measure": "accuracy", "last": 4, "at_least": 0.75}]},
                        {"add": -0.75, "when": [{"measure": "accuracy", "last": 4, "at_most": 0.5}]},
                    ]},
                ],
                "next": [{"to": "two", "when": [{"measure": "trials", "of": "session", "at_least": 100}]}],
            },
            {
                "name": "longer",
                "adapt": [
                    {"parameter": "timing.delay", "start": 100, "low": 0, "high": 400, "overnight": "floor",
                     "again": "start", "changes": [
                        {"factor": 2, "add": 10, "when": [{"measure": "correct", "last": 1, "at_least": 1}]},
                        {"factor": 0.25, "when": [{"measure": "correct", "last": 1, "at_most": 0}]},
                    ]},
                ],
                "next": [{"to": "two", "when": [{"measure": "value", "parameter": "timing.delay", "at_least": 400}]}],
            },
            {"name": "two", "next": [
                {"to": "longer", "when": [{"measure": "accuracy", "last": 3, "at_most": 0}]},
                {"to": "trained", "check": "session", "when": [{"measure": "trials", "of": "session", "at_least": 90}]},
            ]},
        ],
        "adapt": [{"parameter": "volume", "start": 3, "low": 2, "high": 4, "changes": [
            {"check": "session", "add": -0.4, "when": [{"measure": "trials", "of": "session", "at_least": 10}]},
            {"check": "session", "add": 0.4},
        ]}],
    }  # fmt: skip
    return Protocol(**{**settings, **changes})


@cache
def growing():
    return Driven(grown())


def ends(seen):
    """After how many trials the sessions ended."""
    return (1 + np.flatnonzero(np.diff(seen["session"], prepend=0))).tolist()


def with_sessions(**sessions):
    return grown(sessions=sessions).walk().said


def test_sessions_end():
    driven = growing()
    run = lambda said, log: driven.run(driven.start("two"), log, said=said)[1]
    assert ends(run(with_sessions(trials=7), trials(22))) == [7, 14, 21]
    # 10 steps of 100 ms and 1 s, or 2 s after an error: 2.5 s on average
    said = with_sessions(minutes=1, after_correct=1000, after_error=2000)
    assert ends(run(said, trials(60, correct=[1, 0, 1]))) == [26, 52]
    # what is begun again takes its own time alone
    some = trials(100, valid=[1, 0], aborted=[0, 1], correct=[1, 0])
    assert ends(run(with_sessions(minutes=1, after_error=60_000), some)) == [40, 80]
    misses = trials(20, missed=[0, 1, 1, 0, 0, 1, 1, 0, 1, 1])
    assert ends(run(with_sessions(trials=100, missed_last=5, missed_share=0.6), misses)) == [10, 20]
    assert ends(run(with_sessions(trials=100, missed_last=5, missed_share=0.8), misses)) == []
    few = with_sessions(minutes=60, early_minutes=1, early_trials=20)
    assert ends(run(few, trials(40))) == [] and ends(run(few, trials(40, length=30))) == [15, 30]
    slow = join(trials(30, time=300), trials(6, time=1600), trials(10, time=300))
    said = with_sessions(trials=100, slow_after=30, slow_last=5, slow_factor=5)
    assert ends(run(said, slow)) == [33]  # where 3 of the last 5 are slow
    assert ends(run(with_sessions(trials=100, slow_after=40, slow_last=5, slow_factor=5), slow)) == []


def test_giving_up():
    driven = growing()
    for limits, after in (({"trials": 12}, 12), ({"sessions": 2}, 14)):
        said = grown(limits=limits, sessions={"trials": 7}).walk().said
        own, seen = driven.run(driven.start("two"), trials(16), said=said)
        assert np.argmax(seen["status"]) == after - 1 and driven.where(own) == "dropped"


def test_numbers_grow_and_shrink():
    driven = growing()
    _, seen = driven.run(driven.start(), trials(4), trials(8, correct=0), trials(20, correct=[1, 1, 0, 1]))
    sigma = seen["values"][:, 1]
    # up after the window is full; every fourth trial at most; down; not below .5; up to 3
    assert sigma.tolist() == [1] * 3 + [2] * 4 + [1.25] * 4 + [0.5] * 4 + [1.5] * 4 + [2.5] * 4 + [3] * 9
    long = driven.start("longer")
    _, seen = driven.run(long, trials(1), trials(4, correct=0))
    delay = seen["values"][:, 2]
    assert delay.tolist() == [210, 100, 100, 100, 100]  # not below where the day began
    _, seen = driven.run(long, trials(1, ends=True), trials(1, correct=0), trials(1), trials(2, correct=0))
    assert seen["values"][:, 2].tolist() == [210, 210, 400, 400, 400]
    # it has reached its bound, and leads on; entered again, it begins anew, and with it its floor; the other stays
    _, seen = driven.run(long.replace(values=long.values.at[1].set(2)), trials(3), trials(4, correct=0))
    assert seen["stage"].tolist() == [1, 2, 2, 2, 2, 1, 1]
    assert seen["values"][:, 2].tolist() == [210, 400, 400, 400, 400, 100, 100]
    assert np.all(seen["values"][:, 1] == 2)


def test_numbers_that_all_stages_share():
    driven = growing()
    long, short = trials(12, ends=True, correct=[1, 0]), trials(3, ends=True, correct=[1, 0])
    _, seen = driven.run(driven.start("two"), long, long, long, long, *[short] * 7)
    nights = np.asarray(ends(seen)) - 1
    expected = [2.6, 2.2, 2.0, 2.0, 2.4, 2.8, 3.2, 3.6, 4.0, 4.0, 4.0]
    assert seen["values"][nights, 0] == pytest.approx(expected, abs=1e-5)


def test_transitions_within_and_between_sessions():
    driven = growing()
    hard = trials(120, correct=[0, 1])
    # at 100 trials of the session; trained at its end
    own, seen = driven.run(driven.start(), join(hard, trials(1, ends=True)))
    assert np.argmax(seen["stage"]) == 99 and driven.where(own) == "two" and int(own.entered[2]) == 100
    own, seen = driven.run(driven.start("two"), trials(89, ends=True), trials(90), trials(1, ends=True))
    assert seen["status"].tolist() == [0] * 179 + [1]
    assert int(own.entered[-1]) == 180


# ---------------------------------------------------------------------- a walk is a task


def test_a_walk_keeps_the_contract(monkeypatch):
    """All but that each parameter has an effect: of a protocol's numbers many belong to what it does not use."""
    monkeypatch.setattr(check, "_effects", lambda *_: ())
    stage = {
        "correction": {"side": "responses", "repeat": True},
        "assistance": {"retry": True, "free_after": 2},
        "adapt": [{"parameter": "scale.delay", "start": 1, "low": 0, "high": 2, "changes": [{"add": 0.5}]}],
    }
    nj.check_task(
        Protocol(
            name="small",
            task={
                "id": "PerceptualDecisionMakingDelayResponse-v0",
                "keywords": {"coherences": [100, 50], "timing": {"stimulus": 200, "delay": 100, "decision": 300}},
            },
            reading={"left": 1, "right": 2, "strength": "coherence"},
            stages=[
                {"name": "a", "next": [{"to": "b", "when": [{"measure": "trials", "at_least": 3}]}], **stage},
                {"name": "b", "next": [{"to": "a", "when": [{"measure": "accuracy", "last": 3, "below": 0.5}]}],
                 "correction": {"side": "errors", "most": 2, "keep": 4}},
            ],
            sessions={"trials": 4},
        ).walk()
    )  # fmt: skip


def test_a_task_begins_anew_in_the_morning():
    protocol = Protocol(
        name="blocks",
        task={
            "id": "IBLBiasedChoiceWorld-v0",
            "keywords": {
                "unbiased_trials": 3, "block_min": 2, "block_max": 2, "bias": 1.0, "contrasts": [100],
                "timing": {"quiescence": 100, "decision": 200},
            },
        },
        reading={"strength": "contrast"},
        stages=[{"name": "one"}],
        sessions={"trials": 8},
    )  # fmt: skip
    run = nj.rollout(protocol.walk(), jax.random.key(0), 4, 60, policy="oracle")
    first = np.asarray(run.trajectory.first)
    p_left = np.asarray(run.trajectory.conditions["p_left"])
    for lane in range(4):
        trials_of = p_left[lane][first[lane]][:24].reshape(3, 8)
        assert np.all(trials_of[:, :3] == 0.5) and np.all(np.isin(trials_of[:, 3:], (0, 1)))
        assert np.all(trials_of[:, 3] == trials_of[:, 4]) and np.all(trials_of[:, 4] != trials_of[:, 5])


def test_an_exam_on_a_task_of_its_own():
    easy = {"keywords": {"coherences": [51.2]}}
    target = two_steps(exam={"task": easy}).walk().target_task()
    shown = nj.session(target, jax.random.key(0), 20, policy="oracle").conditions["coherence"]
    assert set(shown.ravel()) == {np.float32(51.2)}
    with pytest.raises(UnknownName, match="unknown condition 'coherence' in the task of the exam"):
        two_steps(exam={"task": {"id": "BernoulliBandit-v0", "keywords": {}}}).walk()


def test_a_time_out_that_grows():
    """100 ms after a correct trial; 1 s after the first error, and twice as long after each up to 4 s."""
    wrong = {"measure": "performance", "last": 1, "at_most": 0}
    grows = {
        "parameter": "timeout",
        "start": 1000,
        "low": 1000,
        "high": 4000,
        "changes": [{"when": [wrong], "factor": 2}],
    }
    protocol = two_steps(adapt=[grows], sessions={"trials": 50, "after_correct": 100})
    driven = Driven(protocol)
    own, seen = driven.run(driven.start(), trials(6, correct=[1, 0, 0], length=1))
    assert seen["values"][:, 0].tolist() == [1000, 2000, 4000, 4000, 4000, 4000]
    # each trial lasts 100 ms; the pause after an error is what stood before it
    assert float(own.time) == pytest.approx(6 * 100 + 2 * 100 + 1000 + 2000 + 4000 + 4000)
