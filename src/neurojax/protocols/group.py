"""One group of a study: the subjects of one learner under one protocol, or several that differ in numbers only."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from neurojax.core.chance import Chance, key_words
from neurojax.core.lanes import lane_sharding, share_out
from neurojax.errors import InvalidArgument
from neurojax.protocols.days import Life, Marks, day, exam, newborn
from neurojax.protocols.plan import levels_of, walk_task
from neurojax.protocols.progress import IS_DROPPED, IS_TRAINED
from neurojax.protocols.protocol import TRAINED, Assistance, Criterion, Protocol, Stage, Transition
from neurojax.sections import Count, Section
from neurojax.subjects.population import Population

if TYPE_CHECKING:
    from neurojax.protocols.store import Store

_LANES = 10  # sessions of an exam, at most: each is long, for an animal warms up, too
_SAVED_EVERY = 60.0  # seconds
_ROW = ("subject", "session", "trials", "total_trials", "stage", "accuracy", "performance", "response_rate",
        "violation_rate", "reward", "exam")  # fmt: skip


class StudySettings(Section):
    """How a study is run.

    Attributes:
        subjects: N under each protocol.
        first: number of the first subject (others of the same population are fresh ones).
        seed: of the population, and of all chance.
        repeat: another number is the same individuals with other chance: what a protocol is compared with itself by.
        sessions: after which a subject is censored.
        trials: of one session, after which it ends in any case.
        exams: exam after each so many sessions.
        habituation: trials, at most, that a subject has before any protocol, in one session of the first protocol's
            first stage, in which any choice is paid; it ends where 40 of the last 50 trials were answered. All
            protocols begin with the same habituated subjects, and count these trials apart. 0: none.
        chunk: subjects that are run together on a device: all wait for the slowest in each trial. "auto": one by one
            for networks on a CPU, which is twice as fast as 32 together (2,869 trials a second to 1,409 for GRU 32 on
            one core); else 256.
        devices: how many share the subjects; "auto": all.
    """

    subjects: Count = 200
    first: int = Field(default=0, ge=0)
    seed: int = 0
    repeat: int = Field(default=0, ge=0)
    sessions: Count = 60
    trials: Count = 2000
    exams: Count = 1
    habituation: int = Field(default=0, ge=0)
    chunk: Count | Literal["auto"] = "auto"
    devices: Count | Literal["auto"] = "auto"


@dataclasses.dataclass
class Group:
    """What is known of the subjects of a group, `[N]` each unless said.

    With C protocols it holds the same n individuals C times, protocol by protocol: N = C n.

    Attributes:
        name, learner: which.
        sessions: lists, a column each, of a table with a row a session of a subject.
        trained, dropped: after how many trials; -1: not.
        passes: exams passed in a row.
        passed, passed_session: after how many trials and sessions the exam was passed; -1: not.
        trials, last: how many trials and sessions it had.
        entered: `[N, S]`.
        counts: `[N, 2, L, 2]`, of the last exam.
        repeats: `[N, 2, 2, 2]`, of the last session.
        active: numbers (places) of those in training.
    """

    name: str
    learner: str
    sessions: dict[str, list[Any]]
    trained: np.ndarray
    trained_session: np.ndarray
    dropped: np.ndarray
    passes: np.ndarray
    passed: np.ndarray
    passed_session: np.ndarray
    trials: np.ndarray
    last: np.ndarray
    entered: np.ndarray
    counts: np.ndarray
    repeats: np.ndarray
    active: np.ndarray
    levels: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))


def run_group(
    protocols: Sequence[Protocol],
    name: str,
    population: Population,
    settings: StudySettings,
    *,
    store: Store | None = None,
    tell: Callable[[Group, int], Any] | None = None,
    stays: bool = True,
    minds: Any = None,
) -> Group:
    """Train the subjects of a group, as far as they are not trained already.

    Args:
        protocols: one, or several that differ in numbers only, which are run as one program.
        name: of the group.
        population: who is trained.
        settings: see `StudySettings`.
        store: where to keep what is done.
        tell: called after each session; it may take subjects out of `Group.active`.
        stays: whether who is trained goes on until the exam is passed, too.
        minds: `[n, ...]`, of habituated individuals; None: they have learnt nothing.

    Raises:
        InvalidArgument: if there are fewer devices.
    """
    first, count = protocols[0], settings.subjects * len(protocols)
    walks = [walk_task(p, pauses=True, stays=stays, like=protocols) for p in protocols]
    walk = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *walks)
    reading = first.reading
    levels = np.asarray(levels_of(first), np.float32) if reading.strength else np.ones(1, np.float32)
    each = settings.first + np.arange(settings.subjects)
    born = population.players(walks[0], settings.seed, each, (reading.choice_left, reading.choice_right))
    tiled = lambda x: np.tile(x, (len(protocols), *(1,) * (np.ndim(x) - 1)))
    players, numbers = jax.tree.map(tiled, born), tiled(each).astype(np.uint32)
    which = np.repeat(np.arange(len(protocols), dtype=np.int32), settings.subjects)
    words = _words(settings)
    devices = jax.device_count() if settings.devices == "auto" else settings.devices
    if devices > jax.device_count():
        raise InvalidArgument(f"devices={devices} but JAX has {jax.device_count()}")
    alone = population.learner == "recurrent" and jax.default_backend() == "cpu"
    chunk = (1 if alone else 256) if settings.chunk == "auto" else settings.chunk
    chunk = max(1, min(chunk, -(-count // devices)))
    lanes = next(n for n in range(min(_LANES, first.exam.trials), 0, -1) if first.exam.trials % n == 0)
    frame = _Frame(
        reading.full, tuple(levels.tolist()), settings.trials, lanes, first.exam.trials // lanes, chunk, devices
    )
    at = lambda tree, rows: jax.tree.map(lambda x: x[rows], tree)
    group = _blank(name, population.learner, count, walks[0], levels)
    saved = None if store is None else store.load(group)
    rows, session = _padded(group.active, chunk * devices), 0
    leaves: list[Any] = []
    if saved is not None:
        group, leaves, session, rows = saved
    if not len(group.active) or session >= settings.sessions:
        return group
    newborns = (walk, words, at(players, rows), numbers[rows], which[rows])
    if saved is None:
        lives = _born(*newborns)
        if minds is not None:
            lives = lives.replace(mind=at(minds, np.asarray(rows) % settings.subjects))
    else:
        lives = jax.tree.unflatten(jax.tree.structure(jax.eval_shape(_born, *newborns)), leaves)
        lives, rows = _kept(lives, rows, group.active, chunk * devices)
    lives = _spread(lives, devices)
    last_saved = time.perf_counter()
    while len(group.active) and session < settings.sessions:
        session += 1
        examined = session % settings.exams == 0 or session == settings.sessions
        here = (at(players, rows), lives, numbers[rows], which[rows])
        lives, marks = _live(walk, words, jnp.int32(session), jnp.bool_(examined), *here, frame=frame)
        _note(group, first, rows, lives, marks, session, examined)
        if tell is not None:
            tell(group, session)
        lives, rows = _kept(lives, rows, group.active, chunk * devices)
        lives = _spread(lives, devices)
        if store is not None and time.perf_counter() - last_saved > _SAVED_EVERY:
            store.save(group, jax.tree.leaves(lives), session, rows)
            last_saved = time.perf_counter()
    if store is not None:
        store.save(group, jax.tree.leaves(lives), session, rows)
    return group


# What is compiled is at the module's level: groups whose protocols differ in numbers only, such as the batches of a
# search, share it.


@dataclasses.dataclass(frozen=True)
class _Frame:
    """What is static of a group's program, beside the structure of its protocols.

    Attributes:
        full: strength of a stimulus that counts for 1.
        levels: strengths that an exam counts apart.
        most: trials of a session.
        lanes, trials: of an exam.
        chunk, devices: how subjects are shared out.
    """

    full: float
    levels: tuple[float, ...]
    most: int
    lanes: int
    trials: int
    chunk: int
    devices: int


def _pick(walks: Any, which: Any) -> Any:
    """The walk of one of the protocols."""
    return jax.tree.map(lambda x: jnp.asarray(x)[which], walks)


@jax.jit
def _born(walks, words, players, numbers, which) -> Life:
    """The subjects before their first session."""
    one = lambda player, number, which: newborn(_pick(walks, which), player, Chance(words, number))
    return jax.vmap(one)(players, numbers, which)


@partial(jax.jit, static_argnames="frame")
def _live(walks, words, session, examined, players, lives, numbers, which, *, frame: _Frame) -> tuple[Life, Marks]:
    """The subjects after a session, and how their exam went, if there was one."""
    levels = np.asarray(frame.levels, np.float32)

    def live(walks, words, session, examined, player, life, number, which):
        walk, chance = _pick(walks, which), Chance(words, number)
        life = day(walk, frame.full, player, life, chance, frame.most)
        sit = lambda: exam(
            walk.target_task(), walk.plan, frame.full, levels, player, life.mind, chance.at("exam", session),
            frame.lanes, frame.trials,
        )  # fmt: skip
        none = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(sit))
        return life, jax.lax.cond(examined, sit, lambda: none)

    def all_live(walks, words, session, examined, *each):
        one = lambda args: live(walks, words, session, examined, *args)
        if frame.chunk == 1:
            return jax.lax.map(one, each)
        # not `batch_size`, which fails for arrays without elements
        cut = lambda x: x.reshape(x.shape[0] // frame.chunk, frame.chunk, *x.shape[1:])
        join = lambda x: x.reshape(x.shape[0] * frame.chunk, *x.shape[2:])
        return jax.tree.map(join, jax.lax.map(jax.vmap(one), jax.tree.map(cut, each)))

    shared = share_out(all_live, frame.devices, shared=4, split=4)
    return shared(walks, words, session, examined, players, lives, numbers, which)


def _spread(lives: Life, devices: int) -> Life:
    """The lives as a session leaves them, shared out over devices: else the next one would be compiled again."""
    return lives if devices == 1 else jax.device_put(lives, lane_sharding(devices))


def habituate(protocol: Protocol, population: Population, settings: StudySettings) -> tuple[Any, np.ndarray]:
    """What individuals have learnt after habituation `[n, ...]`, and how many trials they had `[n]`."""
    first = protocol.stages[0]
    answers = Criterion(measure="response_rate", last=50, at_least=0.8)
    stage = Stage(
        name="habituation", task=first.task, assistance=Assistance(any_side=True),
        next=[Transition(to=TRAINED, when=[answers])],
    )  # fmt: skip
    # nobody enters the others, but observations have the channels of all
    stages = [stage, *(Stage(name=other.name, task=other.task) for other in protocol.stages[1:])]
    sessions = protocol.sessions.model_copy(update={"trials": settings.habituation, "satiety": 0.0})
    adapted = [a for a in protocol.adapt if a.parameter == "volume"]
    only = protocol.model_copy(update={"stages": stages, "sessions": sessions, "adapt": adapted})
    walk = walk_task(only, pauses=True)
    numbers = settings.first + np.arange(settings.subjects)
    reading, words = protocol.reading, _words(settings)
    players = population.players(walk, settings.seed, numbers, (reading.choice_left, reading.choice_right))

    def one(args):
        player, number = args
        chance = Chance(words, number).at("habituation")
        life = newborn(walk, player, chance)
        life = day(walk, reading.full, player, life, chance, settings.habituation)
        return life.mind, life.memory["own"].trials

    minds, trials = jax.jit(lambda args: jax.lax.map(one, args))((players, numbers.astype(np.uint32)))
    return minds, np.asarray(trials)


def _words(settings: StudySettings) -> jax.Array:
    """The words of the key that all chance of a study comes from."""
    key = jax.random.key(settings.seed)
    return key_words(jax.random.fold_in(key, settings.repeat) if settings.repeat else key)


def _kept(lives: Life, rows: np.ndarray, active: np.ndarray, multiple: int) -> tuple[Life, np.ndarray]:
    """The lives of those who are still in training, and whose they are, where that makes fewer."""
    kept = _padded(active, multiple)
    if not len(kept) or (len(kept) == len(rows) and set(kept) == set(rows)):
        return lives, rows
    place = {int(row): i for i, row in reversed(list(enumerate(rows)))}
    chosen = np.array([place[int(k)] for k in kept])
    return jax.tree.map(lambda x: x[chosen], lives), kept


def _padded(active: np.ndarray, multiple: int) -> np.ndarray:
    """The numbers of subjects, the last one repeated, so that their count divides."""
    if not len(active):
        return active
    return np.concatenate([active, np.full(-len(active) % multiple, active[-1])])


def _blank(name: str, learner: str, count: int, walk: Any, levels: np.ndarray) -> Group:
    """A group of which nothing is known."""
    never = lambda: np.full(count, -1, np.int64)
    stages = len(walk.plan.transitions)
    return Group(
        name=name,
        learner=learner,
        sessions={column: [] for column in _ROW},
        trained=never(),
        trained_session=never(),
        dropped=never(),
        passes=np.zeros(count, np.int64),
        passed=never(),
        passed_session=never(),
        trials=np.zeros(count, np.int64),
        last=np.zeros(count, np.int64),
        entered=np.full((count, stages), -1, np.int64),
        counts=np.zeros((count, 2, len(levels), 2), np.float32),
        repeats=np.zeros((count, 2, 2, 2), np.float32),
        active=np.arange(count),
        levels=levels,
    )


def _note(group: Group, protocol: Protocol, rows: np.ndarray, lives: Life, marks: Any, session: int, examined: bool):
    """Write down what came of a session."""
    own, today = lives.memory["own"], lives.today
    get = lambda x: np.asarray(x)
    trials, stage, status = get(own.trials), get(own.stage), get(own.status)
    entered, performance = get(own.entered), get(marks.performance)
    tally = {
        name: get(getattr(today, name))
        for name in ("trials", "correct", "answered", "aborted", "missed", "performance", "reward")
    }
    repeats, counts = get(today.repeats), get(marks.counts)
    names = [one.name for one in protocol.stages]
    first = {int(row): i for i, row in reversed(list(enumerate(rows)))}
    for k in group.active:
        i = first[int(k)]
        n, answered = max(float(tally["trials"][i]), 1.0), float(tally["answered"][i])
        every = max(answered + float(tally["aborted"][i] + tally["missed"][i]), 1.0)  # also what was begun again
        row = (
            int(k), session, int(tally["trials"][i]), int(trials[i]), names[int(stage[i])],
            float(tally["correct"][i] / answered) if answered else float("nan"), float(tally["performance"][i] / n),
            answered / n, float(tally["aborted"][i]) / every, float(tally["reward"][i]) / n,
            float(performance[i]) if examined else float("nan"),
        )  # fmt: skip
        for column, value in zip(_ROW, row, strict=True):
            group.sessions[column].append(value)
        group.trials[k], group.last[k] = trials[i], session
        group.entered[k], group.repeats[k] = entered[i][:-1], repeats[i]
        if status[i] == IS_TRAINED and group.trained[k] < 0:
            group.trained[k], group.trained_session[k] = entered[i][-1], session
        if status[i] == IS_DROPPED and group.dropped[k] < 0:
            group.dropped[k] = trials[i]
        if examined:
            group.counts[k] = counts[i]
            group.passes[k] = group.passes[k] + 1 if performance[i] >= protocol.exam.accuracy else 0
            if group.passes[k] >= protocol.exam.running and group.passed[k] < 0:
                group.passed[k], group.passed_session[k] = trials[i], session
    over = (group.dropped >= 0) | ((group.trained >= 0) & (group.passed >= 0))
    group.active = group.active[~over[group.active]]  # who was taken out stays out
