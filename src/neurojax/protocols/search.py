"""The search for a better protocol: many candidates at once, each judged by the same individuals."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from neurojax.core.lanes import check_count
from neurojax.errors import InvalidArgument, MissingPackage
from neurojax.files import make_folder
from neurojax.protocols.group import Group, StudySettings, run_group
from neurojax.protocols.plan import walk_task
from neurojax.protocols.protocol import Protocol, save_protocol
from neurojax.protocols.results import StudyResult
from neurojax.protocols.study import run_study
from neurojax.subjects.population import Population


@dataclasses.dataclass(frozen=True)
class Vary:
    """A number of a protocol that the search may change.

    Attributes:
        path: where it stands, as `Protocol.replace` takes it.
        low, high: its range.
        log: whether it is searched on a logarithmic scale.
    """

    path: str
    low: float
    high: float
    log: bool = False

    @classmethod
    def read(cls, text: str) -> Vary:
        """A range as the command line has it: `PATH=LOW..HIGH`, or `PATH=LOW..HIGH,log`.

        Raises:
            InvalidArgument: if it is none.

        Example:
            >>> from neurojax.protocols.search import Vary
            >>> Vary.read("stages.easy.next.0.when.0.at_least=0.6..0.9").high
            0.9
        """
        found = re.fullmatch(r"([^=]+)=([^,]+?)\.\.([^,]+)(,log)?", text)
        try:
            if found is None or not (math.isfinite(float(found[2])) and math.isfinite(float(found[3]))):
                raise ValueError
            return cls(found[1], float(found[2]), float(found[3]), found[4] is not None)
        except ValueError:
            raise InvalidArgument(f"a range is PATH=LOW..HIGH, such as stages.easy...=0.6..0.9, got {text!r}") from None


_ENDS = (lambda one: one.low, lambda one: one.high)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A protocol that was tried.

    Attributes:
        number: of the trial.
        values: by path.
        time: restricted mean of trials to the exam, up to the search's horizon; NaN if it was given up.
        accuracy: mean performance in the last exam.
        best: whether no other one is better in both (the Pareto front).
    """

    number: int
    values: dict[str, float]
    time: float
    accuracy: float
    best: bool = False


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        candidates: all that were tried, in order.
        protocol: the fastest of the Pareto front whose accuracy passes the exam.
        values: its numbers, by path.
        confirmed: both protocols on fresh subjects and seeds ("published", "found"); None if that was not asked for.
    """

    candidates: list[Candidate]
    protocol: Protocol
    values: dict[str, float]
    confirmed: StudyResult | None


def search_protocol(
    protocol: Protocol,
    vary: Sequence[Vary],
    population: Population | None = None,
    settings: StudySettings | None = None,
    *,
    candidates: int = 48,
    batch: int = 8,
    horizon: float | None = None,
    folder: str | Path | None = None,
    confirm: int = 0,
    progress: Callable[[str], Any] | None = None,
) -> Found:
    """Search the numbers of a protocol for one under which subjects pass the exam sooner.

    Batches of candidates are run as one program, all with the same individuals. Halfway through its sessions a
    candidate is given up whose mean performance in the exam is below the median of all at that time, and at once one
    whose numbers do not go together. The endpoint is the exam: the protocol's own criteria could be made easier, and
    nothing be gained.

    Args:
        protocol: where to start; it is the first candidate.
        vary: the numbers to search.
        population, settings: who is trained, and how; subjects are those of each candidate.
        candidates: how many to try.
        batch: how many are run together.
        horizon: trials up to which times count; default: those that the settings allow.
        folder: where to keep the search (`search.db`, SQLite), so that it can go on, and what it found
            (`found.toml`); None: nowhere.
        confirm: so many fresh subjects are trained under both protocols, with fresh seeds; 0: none.
        progress: called with a line a batch.

    Raises:
        UnknownName: if a path leads nowhere.
        InvalidArgument: if a range or a number is not allowed, or the folder is of another search.
        MissingPackage: without Optuna (the extra `search`).
    """
    optuna = _optuna()
    population, settings = population or Population(), settings or StudySettings(subjects=32, sessions=30)
    for name, value, low in (("candidates", candidates, 1), ("batch", batch, 1), ("confirm", confirm, 0)):
        check_count(name, value, low)
    if horizon is not None and not horizon > 0:
        raise InvalidArgument(f"horizon must be above 0, got {horizon!r}")
    _check_ranges(protocol, vary)
    storage = None
    if folder is not None:
        storage = f"sqlite:///{make_folder(folder).resolve() / 'search.db'}"
    study = optuna.create_study(
        directions=["minimize", "maximize"],
        storage=storage,
        study_name=protocol.name,
        load_if_exists=True,
    )
    # a search that goes on must not draw again what it began with
    seed = settings.seed + len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    limit = horizon or float(settings.sessions * (protocol.sessions.trials or settings.trials))
    _take_up(study, protocol, vary, population, settings, limit, folder)
    done = lambda: len(_tried(study))
    seen: list[float] = []  # performance halfway of all candidates
    while done() < candidates:
        asked, tried = [], []
        for trial in [study.ask() for _ in range(min(batch, candidates - done()))]:
            try:
                tried.append(protocol.replace(_values(trial, vary, protocol)))
                asked.append(trial)
            except InvalidArgument:  # numbers that do not go together
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        if not tried:
            continue
        # no more subjects are trained under those that are behind
        given_up = _Halfway(settings.sessions, settings.subjects, len(tried), seen)
        group = run_group(tried, protocol.name, population, settings, tell=given_up)
        for i, trial in enumerate(asked):
            time, accuracy = _score(group, i, settings.subjects, limit)
            trial.set_user_attr("accuracy", accuracy)
            if given_up.out[i]:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, [time, accuracy])
        if progress is not None:
            best = min((t.values[0] for t in study.trials if t.values), default=math.nan)
            progress(f"{done()}/{candidates} candidates, the fastest {best:,.0f} trials")
    return _found(study, protocol, vary, population, settings, folder, confirm)


def _check_ranges(protocol: Protocol, vary: Sequence[Vary]) -> None:
    """Refuse what cannot be searched."""
    if not vary:
        raise InvalidArgument("vary must name at least one number of the protocol")
    paths = [one.path for one in vary]
    for one in vary:
        here = protocol.at(one.path)
        if isinstance(here, bool) or not isinstance(here, (int, float)):
            raise InvalidArgument(f"{one.path} is no number, but {here!r}")
        if one.path.startswith(("exam.", "reading.")):
            raise InvalidArgument(f"{one.path}: all candidates have the same exam and the same reading")
        if paths.count(one.path) > 1:
            raise InvalidArgument(f"{one.path} is varied twice")
        if not one.low < one.high or (one.log and one.low <= 0):
            above = " from above 0" if one.log else ""
            raise InvalidArgument(f"{one.path}: the range must rise{above}, got {one.low:g}..{one.high:g}")
        if isinstance(here, int) and not (float(one.low).is_integer() and float(one.high).is_integer()):
            raise InvalidArgument(f"{one.path} is a whole number, and so must its range be: {one.low:g}..{one.high:g}")
    # at their ends, candidates must be of one structure
    ends = [protocol.replace({one.path: _whole(one, end(one), protocol) for one in vary}) for end in _ENDS]
    walks = [walk_task(one, pauses=True, like=[protocol, *ends]) for one in (protocol, *ends)]
    if len({jax.tree.structure(walk) for walk in walks}) > 1:
        raise InvalidArgument(f"one of {', '.join(paths)} changes more than a number: candidates cannot be run as one")


def _take_up(study, protocol, vary, population, settings, limit, folder) -> None:
    """Make a search that is new begin with the protocol itself, and one that was stopped with what was left open."""
    optuna = _optuna()
    told = {
        "protocol": protocol.model_dump(),
        "vary": [dataclasses.asdict(one) for one in vary],
        "population": population.model_dump(),
        "settings": settings.model_dump(exclude={"devices", "chunk"}),
        "horizon": limit,
    }
    text = json.dumps(told)
    if study.user_attrs.get("told", text) != text:
        raise InvalidArgument(f"{folder} holds another search; give another folder, or the same protocol and settings")
    study.set_user_attr("told", text)
    open_ = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.RUNNING]
    if not study.trials:
        study.enqueue_trial({one.path: protocol.at(one.path) for one in vary})
    for trial in open_:
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.system_attrs.get("fixed_params") or trial.params)


def _tried(study: Any) -> list[Any]:
    """The trials that came to an end: what was stopped in the middle is none."""
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


class _Halfway:
    """Takes candidates out of a batch that are behind the median of all, halfway."""

    def __init__(self, sessions: int, subjects: int, candidates: int, seen: list[float]):
        self.half, self.subjects, self.seen = max(sessions // 2, 1), subjects, seen
        self.out = np.zeros(candidates, bool)

    def __call__(self, group: Group, session: int) -> None:
        if session != self.half:
            return
        share = _performance(group).reshape(len(self.out), self.subjects).mean(1)
        share = np.where((group.passed >= 0).reshape(share.shape[0], -1).mean(1) > 0.5, 1.0, share)
        self.seen.extend(share.tolist())
        self.out = share < np.median(self.seen) - 1e-9
        if len(self.seen) <= len(self.out):  # the first batch has nobody to be behind
            self.out[:] = False
        group.active = group.active[~self.out[group.active // self.subjects]]


def _values(trial: Any, vary: Sequence[Vary], protocol: Protocol) -> dict[str, Any]:
    """What is suggested; whole numbers for what is whole."""
    out: dict[str, Any] = {}
    for one in vary:
        suggest = trial.suggest_int if isinstance(protocol.at(one.path), int) else trial.suggest_float
        low, high = (_whole(one, end(one), protocol) for end in _ENDS)
        out[one.path] = suggest(one.path, low, high, log=one.log)
    return out


def _whole(one: Vary, value: float, protocol: Protocol) -> Any:
    """The value, as a whole number where that is what is varied."""
    return int(value) if isinstance(protocol.at(one.path), int) else value


def _performance(group: Group) -> np.ndarray:
    """float64 `[N]`: performance in the last exam that each subject had; 0 where it had none."""
    out = np.zeros(len(group.passed))
    for subject, exam in zip(group.sessions["subject"], group.sessions["exam"], strict=True):
        if not math.isnan(exam):
            out[subject] = exam
    return out


def _score(group: Group, i: int, subjects: int, limit: float) -> tuple[float, float]:
    """Restricted mean of the trials to the exam, and mean performance in the last one, of a candidate."""
    mine = slice(i * subjects, (i + 1) * subjects)
    passed = group.passed[mine]
    time = np.minimum(np.where(passed >= 0, passed, limit), limit)
    return float(time.mean()), float(_performance(group)[mine].mean())


def _found(study, protocol, vary, population, settings, folder, confirm) -> Found:
    front = {trial.number for trial in study.best_trials}
    tried = [
        Candidate(
            number=trial.number,
            values=dict(trial.params),
            time=float(trial.values[0]) if trial.values else float("nan"),
            accuracy=float(trial.user_attrs.get("accuracy", math.nan)),
            best=trial.number in front,
        )
        for trial in _tried(study)
    ]
    among = [one for one in tried if one.best and one.accuracy >= protocol.exam.accuracy]
    best = min(among or [one for one in tried if one.best], key=lambda one: one.time)
    found = protocol.replace(best.values).model_copy(update={"name": f"{protocol.name}, searched"})
    if folder is not None:
        save_protocol(found, Path(folder) / "found.toml")
    result = None
    if confirm:
        fresh = settings.model_copy(
            update={"subjects": confirm, "first": settings.first + settings.subjects, "seed": settings.seed + 1}
        )
        result = run_study({"published": protocol, "found": found}, population, fresh)
    return Found(tried, found, best.values, result)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingPackage("optuna", "search", "searching protocols") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
