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
from neurojax.core.lanes import check_devices, lane_sharding, share_out
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
_WAIT = 32  # steps that subjects who are run together wait for each other
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
        chunk: subjects that are run together on a device. "auto": 4,096 on an accelerator; on a CPU 256, but networks
            one by one, which is twice as fast as 32 together.
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
    devices = jax.device_count() if settings.devices == "auto" else check_devices(settings.devices)
    chunk = _best_chunk(population) if settings.chunk == "auto" else settings.chunk
    chunk = max(1, min(chunk, -(-count // devices)))
    lanes = next(n for n in range(min(_LANES, first.exam.trials), 0, -1) if first.exam.trials % n == 0)
    frame = _Frame(
        reading.full, tuple(levels.tolist()), settings.trials, lanes, first.exam.trials // lanes, chunk, devices,
        None if chunk == 1 else _WAIT,
    )  # fmt: skip
    at = lambda tree, rows: jax.tree.map(lambda x: x[rows], tree)
    group = _blank(name, population.learner, count, walks[0], levels)
    saved = None if store is None else store.load(group)
    session, leaves = 0, []
    if saved is not None:
        group, leaves, session = saved
    if not len(group.active) or session >= settings.sessions:
        return group
    places = _Places.of(group.active, chunk, devices)
    newborns = (walk, words, at(players, places.rows), numbers[places.rows], which[places.rows])
    if saved is None:
        lives = _born(*newborns)
        if minds is not None:
            lives = lives.replace(mind=at(minds, places.rows % settings.subjects))
    else:
        kept = jax.tree.unflatten(jax.tree.structure(jax.eval_shape(_born, *newborns)), leaves)
        order = {int(row): i for i, row in enumerate(group.active)}
        lives = at(kept, np.array([order[int(row)] for row in places.rows]))
    lives = _spread(lives, devices)
    last_saved = time.perf_counter()
    save = lambda: store and store.save(group, jax.tree.leaves(at(lives, places.find(group.active))), session)
    while len(group.active) and session < settings.sessions:
        session += 1
        examined = session % settings.exams == 0 or session == settings.sessions
        rows = places.rows
        here = (places.counts, at(players, rows), lives, numbers[rows], which[rows])
        lives, marks = _live(walk, words, jnp.int32(session), jnp.bool_(examined), *here, frame=frame)
        _note(group, first, places, lives, marks, session, examined)
        if tell is not None:
            tell(group, session)
        if 0 < len(group.active) < places.active:
            places, moved = places.without(group.active)
            lives = _spread(at(lives, moved), devices)
        if time.perf_counter() - last_saved > _SAVED_EVERY:
            save()
            last_saved = time.perf_counter()
    save()
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
        wait: steps that those who are run together wait for each other.
    """

    full: float
    levels: tuple[float, ...]
    most: int
    lanes: int
    trials: int
    chunk: int
    devices: int
    wait: int | None


def _best_chunk(population: Population) -> int:
    if jax.default_backend() != "cpu":
        return 4096
    return 1 if population.learner == "recurrent" else 256


@dataclasses.dataclass(frozen=True)
class _Places:
    """Where subjects lie in the arrays of a program, whose size stays the same while subjects leave.

    Those in training come first in each device's part, and only the chunks that hold them are run.

    Attributes:
        rows: `[R]`, the subject at each place; where nobody in training is, anybody.
        counts: int32 `[devices]`, chunks that each runs.
        chunk: subjects of a chunk.
        active: how many are in training.
    """

    rows: np.ndarray
    counts: np.ndarray
    chunk: int
    active: int

    @classmethod
    def of(cls, active: np.ndarray, chunk: int, devices: int, size: int | None = None) -> _Places:
        """Places for those in training, as many as they take or `size`."""
        size = -(-len(active) // (chunk * devices)) * chunk * devices if size is None else size
        parts = [active[d::devices] for d in range(devices)]
        filler = lambda part: np.full(size // devices - len(part), active[0])
        rows = np.concatenate([np.concatenate([part, filler(part)]) for part in parts]).astype(np.int64)
        counts = np.array([-(-len(part) // chunk) for part in parts], np.int32)
        return cls(rows, counts, chunk, len(active))

    def find(self, subjects: np.ndarray) -> np.ndarray:
        """Where subjects in training are."""
        # the first of a subject's places is its own: who fills up comes after those of the first device
        place = {int(row): i for i, row in reversed(list(enumerate(self.rows)))}
        return np.array([place[int(k)] for k in subjects], np.int64)

    def without(self, active: np.ndarray) -> tuple[_Places, np.ndarray]:
        """Places for those who are still in training, and from where each of these is filled."""
        places = _Places.of(active, self.chunk, len(self.counts), len(self.rows))
        return places, self.find(places.rows)


def _pick(walks: Any, which: Any) -> Any:
    """The walk of one of the protocols."""
    return jax.tree.map(lambda x: jnp.asarray(x)[which], walks)


@jax.jit
def _born(walks, words, players, numbers, which) -> Life:
    """The subjects before their first session."""
    one = lambda player, number, which: newborn(_pick(walks, which), player, Chance(words, number))
    return jax.vmap(one)(players, numbers, which)


@partial(jax.jit, static_argnames="frame")
def _live(
    walks, words, session, examined, counts, players, lives, numbers, which, *, frame: _Frame
) -> tuple[Life, Marks]:
    """The subjects after a session, and how their exam went, if there was one."""
    levels = np.asarray(frame.levels, np.float32)

    def live(walks, words, session, examined, player, life, number, which):
        walk, chance = _pick(walks, which), Chance(words, number)
        life = day(walk, frame.full, player, life, chance, frame.most, frame.wait)
        sit = lambda: exam(
            walk.target_task(), walk.plan, frame.full, levels, player, life.mind, chance.at("exam", session),
            frame.lanes, frame.trials,
        )  # fmt: skip
        none = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(sit))
        return life, jax.lax.cond(examined, sit, lambda: none)

    def all_live(walks, words, session, examined, count, *each):
        one = lambda *args: live(walks, words, session, examined, *args)
        alone, chunk = frame.chunk == 1, frame.chunk
        cut = lambda x: x if alone else x.reshape(x.shape[0] // chunk, chunk, *x.shape[1:])
        join = lambda x: x if alone else x.reshape(x.shape[0] * chunk, *x.shape[2:])
        players, lives, numbers, which = jax.tree.map(cut, each)

        def some(lives, k):
            args = jax.tree.map(lambda x: x[k], (players, lives, numbers, which))
            return one(*args) if alone else jax.vmap(one)(*args)

        def put(k, held):
            return jax.tree.map(lambda rows, x: rows.at[k].set(x), held, some(held[0], k))

        marks = jax.eval_shape(some, lives, 0)[1]
        blank = jax.tree.map(lambda x: jnp.zeros((len(numbers), *x.shape), x.dtype), marks)
        # a loop of as many turns as there are chunks with anybody in training: they grow fewer, the program stays
        return jax.tree.map(join, jax.lax.fori_loop(0, count[0], put, (lives, blank)))

    shared = share_out(all_live, frame.devices, shared=4, split=5)
    return shared(walks, words, session, examined, counts, players, lives, numbers, which)


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


def _note(group: Group, protocol: Protocol, places: _Places, lives: Life, marks: Any, session: int, examined: bool):
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
    for k, i in zip(group.active, places.find(group.active), strict=True):
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
