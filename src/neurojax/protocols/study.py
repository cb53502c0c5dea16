"""A study: populations of subjects trained under protocols, hundreds at once, that can be stopped and resumed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import Chance, key_words
from neurojax.core.session import remember, start_memory
from neurojax.errors import InvalidArgument
from neurojax.protocols.days import play_trial, start_trial
from neurojax.protocols.group import StudySettings, habituate, run_group
from neurojax.protocols.plan import walk_task
from neurojax.protocols.protocol import Protocol
from neurojax.protocols.results import StudyResult
from neurojax.protocols.store import Store
from neurojax.subjects.player import Player
from neurojax.subjects.population import TRAITS, Population

_AT_ONCE = 500  # trials of a walk


@dataclasses.dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        protocol, learner: of the group that runs.
        session: how many sessions its subjects have had.
        active: how many are still in training.
        passed, trained: how many passed the exam, and met the protocol's own criteria.
        groups, group: how many (protocol, learner) there are, and which runs, from 1.
        seconds, left: since it began, and how long it may still take at most (NaN: not known).
    """

    protocol: str
    learner: str
    session: int
    active: int
    passed: int
    trained: int
    groups: int
    group: int
    seconds: float
    left: float


def run_study(
    protocols: Mapping[str, Protocol] | Sequence[Protocol],
    population: Population | Sequence[Population] | None = None,
    settings: StudySettings | None = None,
    *,
    folder: str | Path | None = None,
    progress: Callable[[StudyProgress], Any] | None = None,
) -> StudyResult:
    """Train subjects under protocols.

    The subject of a number is the same individual under each, and has the same chance: comparisons are paired.

    Args:
        protocols: by name, or a list of them (their own names are taken).
        population: who is trained, or several; default: recurrent agents.
        settings: see `StudySettings`.
        folder: where to keep what is done, so that a study that was stopped goes on; None: nowhere.
        progress: called after each session of a group.

    Raises:
        InvalidArgument: if settings or protocols do not fit each other, or the folder is of another study.

    Example:
        >>> from neurojax.protocols import Protocol
        >>> from neurojax.protocols.group import StudySettings
        >>> from neurojax.protocols.study import run_study
        >>> from neurojax.subjects.population import Population
        >>> protocol = Protocol(
        ...     name="easy", task={"id": "PerceptualDecisionMaking-v0", "keywords": {"coherences": [51.2]}},
        ...     stages=[{"name": "easy", "next": [
        ...         {"to": "trained", "when": [{"measure": "accuracy", "last": 20, "at_least": 0.9}]}]}],
        ...     sessions={"trials": 50}, exam={"trials": 20},
        ... )
        >>> result = run_study([protocol], Population(learner="perfect"), StudySettings(subjects=2, sessions=3))
        >>> result.subjects["trials"].tolist()
        [20, 20]
    """
    named = protocols if isinstance(protocols, Mapping) else {protocol.name: protocol for protocol in protocols}
    if not named or len(named) < len(protocols):
        raise InvalidArgument("a study takes at least one protocol, each of another name")
    populations = [population or Population()] if not isinstance(population, Sequence) else list(population)
    settings = settings or StudySettings()
    if not populations or len({one.learner for one in populations}) < len(populations):
        raise InvalidArgument("a study takes at least one population, and one of each learner")
    store = None if folder is None else Store(Path(folder), _told(named, populations, settings))
    groups = [(name, one) for one in populations for name in named]
    began, done = time.perf_counter(), []
    used = {one.learner: _habituated(named, one, settings) for one in populations}
    for number, (name, one) in enumerate(groups, 1):
        tell = None if progress is None else partial(_tell, progress, settings, len(groups), number, began)
        minds = used[one.learner][0]
        done.append(run_group([named[name]], name, one, settings, store=store, tell=tell, minds=minds))
    floors = {name: floor(protocol, settings.seed) for name, protocol in named.items()}
    trials = {learner: counted for learner, (_, counted) in used.items()}
    return _result(done, dict(named), populations, settings, floors, trials)


def _habituated(protocols: Mapping[str, Protocol], population: Population, settings: StudySettings) -> Any:
    """Habituated minds and their trials; of subjects who cannot or need not learn so, none."""
    if not settings.habituation or population.learner == "perfect":
        return None, np.zeros(settings.subjects, int)
    walks = map(walk_task, protocols.values())
    if len({(walk.channels.size, walk.actions.size, float(walk.dt)) for walk in walks}) > 1:
        raise InvalidArgument("habituation is for protocols whose observations, actions and dt are of one kind")
    return habituate(next(iter(protocols.values())), population, settings)


def floor(protocol: Protocol, seed: int = 0, subjects: int = 16, sessions: int = 200) -> float:
    """Trials that a perfect learner takes to the end of training: what the protocol itself costs. Mean over subjects;
    infinite where it does not come to an end."""
    quick = protocol.model_copy(update={"exam": protocol.exam.model_copy(update={"trials": 1})})
    settings = StudySettings(subjects=subjects, seed=seed, sessions=sessions, exams=sessions)
    group = run_group([quick], protocol.name, Population(learner="perfect"), settings, stays=False)
    return float(np.mean(np.where(group.trained >= 0, group.trained, np.inf)))


@dataclasses.dataclass(frozen=True)
class Walked:
    """One subject's way through a protocol, trial by trial; `[n]` each.

    Attributes:
        stage: int, the number of the stage.
        performance: in [0, 1].
        session: int, from 1.
        values: by adapted parameter, where it stood.
    """

    stage: np.ndarray
    performance: np.ndarray
    session: np.ndarray
    values: dict[str, np.ndarray]


def perfect_walk(protocol: Protocol, seed: int = 0, *, trials: int = 20_000) -> Walked:
    """The perfect learner's way through a protocol, to the end of training or after so many trials.

    Args:
        protocol: the protocol.
        seed: of chance.
        trials: the longest walk.

    Example:
        >>> from neurojax.protocols import load_protocol
        >>> from neurojax.protocols.study import perfect_walk
        >>> walk = perfect_walk(load_protocol("ibl_training"), trials=1500)
        >>> int(walk.stage[0]), int(walk.stage[-1])  # 0% and the end of 50% came in after some 1,060 trials
        (0, 5)
    """
    task, player = walk_task(protocol, pauses=True), Player()
    chance = Chance(key_words(jax.random.key(seed)), jnp.uint32(0))

    def one(carry, _):
        memory, step = carry
        own = memory["own"]
        now = start_trial(task, task.plan, 1.0, player, (), (), (), memory, chance, step)
        now = play_trial(task, task.plan, 1.0, player, (), now, chance, logs=False)
        memory = remember(task, now.session, now.came, jnp.bool_(True), chance, now.step)
        after = jax.lax.cond(memory["own"].over, task.night, lambda own: own, memory["own"])
        told = (own.stage, now.came.result.performance, own.session + 1, own.values, own.status == 0)
        return ({**memory, "own": after}, now.step), told

    carry, told = (jax.jit(start_memory)(task, chance), jnp.int32(0)), []
    run = jax.jit(lambda carry: jax.lax.scan(one, carry, None, length=_AT_ONCE))
    while len(told) * _AT_ONCE < trials and int(carry[0]["own"].status) == 0:
        carry, part = run(carry)
        told.append(jax.tree.map(np.asarray, part))
    joined = jax.tree.map(lambda *parts: np.concatenate(parts)[:trials], *told)
    stage, performance, session, values, running = joined
    n = int(running.sum())
    names = [name for _, name in task.plan.adapted]
    return Walked(stage[:n], performance[:n], session[:n], {name: values[:n, k] for k, name in enumerate(names)})


def _tell(progress, settings, groups, number, began, group, session) -> None:
    seconds = time.perf_counter() - began
    done = (number - 1 + session / settings.sessions) / groups
    progress(
        StudyProgress(
            protocol=group.name,
            learner=group.learner,
            session=session,
            active=len(group.active),
            passed=int(np.sum(group.passed >= 0)),
            trained=int(np.sum(group.trained >= 0)),
            groups=groups,
            group=number,
            seconds=seconds,
            left=seconds * (1 - done) / done if done else float("nan"),
        )
    )


# ---------------------------------------------------------------------- what came of it


def _result(done, protocols, populations, settings, floors, habituation) -> StudyResult:
    import pandas as pd

    tables: dict[str, list[Any]] = {name: [] for name in ("subjects", "sessions", "entries", "exams", "history")}
    numbers = settings.first + np.arange(settings.subjects)
    by_learner = {one.learner: one for one in populations}
    for group in done:
        who = {"protocol": group.name, "learner": group.learner}
        born = by_learner[group.learner].traits(settings.seed, numbers)
        if group.learner == "perfect":
            born = {name: np.full(len(numbers), np.nan) for name in born}
        elif group.learner != "recurrent":
            none = np.full(len(numbers), np.nan)
            born = {**born, "learning_rate": born["model_rate"], "discount": none}
            born = {**born, "noise": none} if group.learner == "logistic" else born
        trained, passed, dropped = group.trained >= 0, group.passed >= 0, group.dropped >= 0
        subjects = {
            **who,
            "subject": numbers,
            **{name: born[name] for name in TRAITS},
            "status": np.where(trained, "trained", np.where(dropped, "dropped", "censored")),
            "trials": np.where(trained, group.trained, group.trials),
            "sessions": np.where(trained, group.trained_session, group.last),
            "passed": passed,
            "pass_trials": np.where(passed, group.passed, group.trials),
            "pass_sessions": np.where(passed, group.passed_session, group.last),
            "habituation": habituation[group.learner],
        }
        tables["subjects"].append(pd.DataFrame(subjects))
        sessions = {**group.sessions, "subject": numbers[np.asarray(group.sessions["subject"], int)]}
        tables["sessions"].append(pd.DataFrame({**who, **sessions}))
        stages = [stage.name for stage in protocols[group.name].stages]
        entered = np.where(group.entered < 0, np.nan, group.entered)
        entries = {
            "subject": np.repeat(numbers, len(stages)),
            "stage": stages * len(numbers),
            "trials": entered.ravel(),
        }
        tables["entries"].append(pd.DataFrame({**who, **entries}))
        signed = np.concatenate([-group.levels[::-1], group.levels])
        counts = np.concatenate([group.counts[:, 0, ::-1], group.counts[:, 1]], axis=1)
        flat = {
            "subject": np.repeat(numbers, len(signed)),
            "strength": np.tile(signed, len(numbers)).astype(float),
            "n": counts[..., 1].ravel(),
            "right": counts[..., 0].ravel(),
        }
        tables["exams"].append(pd.DataFrame({**who, **flat}))
        c, s = np.meshgrid([0, 1], [-1, 1], indexing="ij")
        history = {
            "subject": np.repeat(numbers, 4),
            "previous_choice": np.tile(s.ravel(), len(numbers)),
            "previous_correct": np.tile(c.ravel(), len(numbers)),
            "n": group.repeats.sum(-1).ravel(),
            "repeated": group.repeats[..., 1].ravel(),
        }
        tables["history"].append(pd.DataFrame({**who, **history}))
    about = {
        "settings": settings.model_dump(),
        "populations": [one.model_dump() for one in populations],
        "packages": {"jax": jax.__version__, "neurojax": _version()},
    }
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    return StudyResult(**joined, floors=floors, about=about, protocols=protocols)


def _told(protocols, populations, settings) -> dict[str, Any]:
    """What makes a study this one and no other; on how many devices it runs does not matter."""
    settings = {k: v for k, v in settings.model_dump().items() if k not in ("devices", "chunk")}
    return {
        "protocols": {name: protocol.model_dump() for name, protocol in protocols.items()},
        "populations": [one.model_dump() for one in populations],
        "settings": settings,
    }


def _version() -> str:
    import neurojax

    return neurojax.__version__
