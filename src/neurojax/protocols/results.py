"""What came of subjects trained under protocols: tables, kept on disk as Parquet and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurojax.errors import DamagedFile, ExistingRun, InvalidArgument, MissingPackage, NeurojaxError, unknown
from neurojax.files import make_folder, read_text
from neurojax.protocols.protocol import Protocol
from neurojax.subjects.population import LEARNERS, TRAITS

if TYPE_CHECKING:
    from pandas import DataFrame

PERFECT = "perfect"  # the learner that knows the task from the start: what a protocol takes at least
STATUSES = ("trained", "dropped", "censored")
WHO = ("protocol", "learner", "subject")
COLUMNS: dict[str, tuple[str, ...]] = {
    "subjects": (
        *WHO, *TRAITS, "status", "trials", "sessions", "passed", "pass_trials", "pass_sessions", "habituation",
    ),
    "sessions": (
        *WHO, "session", "trials", "total_trials", "stage", "accuracy", "performance", "response_rate",
        "violation_rate", "reward", "exam",
    ),
    "entries": (*WHO, "stage", "trials"),
    "exams": (*WHO, "strength", "n", "right"),
    "history": (*WHO, "previous_choice", "previous_correct", "n", "repeated"),
}  # fmt: skip
_INDEX = "study.json"
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """What came of subjects trained under protocols.

    The same `subject` of one learner under two protocols is the same individual with the same seed: a pair.

    Attributes:
        subjects: a row a (protocol, learner, subject): the individual's `learning_rate`, `hazard`, `bias`, `discount`,
            `noise`, `forgetting` (float, NaN where there is none), `status` ("trained" and "dropped" by the protocol's
            own rules, "censored" where the study ended first), `trials` and `sessions` until then, `passed` (the exam,
            as often in a row as it asks), `pass_trials` and `pass_sessions` (when; where not passed, those at the
            end), `habituation` (trials before the protocol, which no other column counts). Who is trained and has not
            passed goes on in the last stage until it has, or the study ends.
        sessions: a row a session: `session` (from 1), `trials` in it, `total_trials` at its end, `stage` at its end
            (name), `accuracy`, `performance`, `response_rate`, `violation_rate`, `reward` (a trial), and `exam`
            (performance in the exam after it; NaN: there was none).
        entries: a row a stage: `trials` when it was first entered (NaN: never).
        exams: the last exam, by signed `strength` (positive: right is correct): `n` answers, `right` ones.
        history: of the last sessions: `previous_choice` (-1 left, 1 right), `previous_correct` (0, 1), `n` answers
            that followed such a trial, `repeated` (how many were the same choice again).
        floors: by protocol, the trials that a perfect learner takes to the end of training.
        about: settings, seeds, versions, machine: what JSON can hold.
        protocols: by name, as in the tables.

    Raises:
        InvalidArgument: if a table lacks a column, tells the same subject twice, or holds what it must not.
        UnknownName: if a table tells of a protocol that `protocols` does not hold.

    Example:
        >>> from neurojax.protocols.results import COLUMNS
        >>> COLUMNS["entries"]
        ('protocol', 'learner', 'subject', 'stage', 'trials')
    """

    subjects: DataFrame
    sessions: DataFrame
    entries: DataFrame
    exams: DataFrame
    history: DataFrame
    floors: dict[str, float]
    about: dict[str, Any]
    protocols: dict[str, Protocol]

    def __post_init__(self):
        for name, columns in COLUMNS.items():
            table = getattr(self, name)
            missing = [column for column in columns if column not in table.columns]
            if missing:
                raise InvalidArgument(f"{name} lacks the column {missing[0]!r}; it has {', '.join(map(str, table))}")
            for protocol in table["protocol"].unique():
                if protocol not in self.protocols:
                    raise unknown("protocol", protocol, self.protocols, name)
        subjects = self.subjects
        if subjects.duplicated(list(WHO)).any():
            row = subjects[subjects.duplicated(list(WHO))].iloc[0]
            raise InvalidArgument(f"subjects tells of subject {row['subject']} ({row['protocol']}) twice")
        for status in subjects["status"].unique():
            if status not in STATUSES:
                raise unknown("status", status, STATUSES, "subjects")
        if subjects[["trials", "sessions", "pass_trials", "pass_sessions"]].isna().to_numpy().any():
            raise InvalidArgument(
                "trials, sessions, pass_trials and pass_sessions of subjects must be numbers, not NaN"
            )

    def names(self) -> list[str]:
        """The protocols that subjects were trained under, in the order of `protocols`."""
        told = set(self.subjects["protocol"])
        return [name for name in self.protocols if name in told]

    def learners(self) -> list[str]:
        """The learners that there are, without the perfect one."""
        told = set(self.subjects["learner"]) - {PERFECT}
        return [name for name in dict.fromkeys((*LEARNERS, *sorted(told))) if name in told]

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write a folder, whole or not at all; `load_study` gives it back.

        Args:
            folder: a new or empty one.
            overwrite: whether a study that is there is replaced.

        Raises:
            ExistingRun: if there is a study already.
            InvalidArgument: if there is something else, it cannot be written, or `about` holds what JSON cannot.
            MissingPackage: without pyarrow (the extra `monitor`).
        """
        folder = Path(folder)
        there = folder.is_dir() and any(folder.iterdir())
        if there and not (folder / _INDEX).is_file():
            raise InvalidArgument(f"the folder {folder} holds other files; give a new one")
        if there and not overwrite:
            raise ExistingRun(f"{folder} holds a study already; give another folder, or overwrite=True")
        index = _json(self)
        make_folder(folder.parent)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        half = aside / "new"  # a folder of its own: others may read it, unlike the one around it
        try:
            half.mkdir()
            for name in COLUMNS:
                getattr(self, name).to_parquet(half / f"{name}.parquet", index=False)
            (half / _INDEX).write_text(index, encoding="utf-8")
            _put(half, folder, aside / "old")
        except ImportError:
            raise MissingPackage("pyarrow", "monitor", "keeping a study") from None
        except OSError as error:
            raise InvalidArgument(f"cannot write {folder}: {error.strerror or error}") from None
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return folder


def load_study(folder: str | Path) -> StudyResult:
    """A study from the folder that `StudyResult.save` wrote.

    Raises:
        InvalidArgument: if there is none.
        DamagedFile: if a file of it is missing or cannot be read.
        MissingPackage: without pyarrow (the extra `monitor`).
    """
    import pandas as pd

    folder = Path(folder)
    if not (folder / _INDEX).is_file():
        raise InvalidArgument(f"there is no study in {folder}: it has no {_INDEX}")
    try:
        index = json.loads(read_text(folder / _INDEX, "study"))
        if index["format"] != _FORMAT:
            raise DamagedFile(f"{folder / _INDEX} is of format {index['format']!r}, this version reads {_FORMAT}")
        protocols = {name: Protocol(**settings) for name, settings in index["protocols"].items()}
        floors = {name: math.nan if value is None else float(value) for name, value in index["floors"].items()}
        about = dict(index["about"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DamagedFile):
            raise
        raise DamagedFile(f"the study {folder / _INDEX} is damaged: {error}") from None
    tables = {}
    for name in COLUMNS:
        path = folder / f"{name}.parquet"
        try:
            tables[name] = pd.read_parquet(path)
        except ImportError:
            raise MissingPackage("pyarrow", "monitor", "reading a study") from None
        except Exception as error:  # pandas and pyarrow raise many kinds for files that are no tables
            raise DamagedFile(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from None
    try:
        return StudyResult(**tables, floors=floors, about=about, protocols=protocols)
    except NeurojaxError as error:
        raise DamagedFile(f"the study in {folder} is damaged: {error}") from None


def joined(results: Sequence[StudyResult]) -> StudyResult:
    """Several studies as one, such as of several learners; `about` is a list of theirs, under "parts".

    Raises:
        InvalidArgument: if there are none, they tell the same subject twice, or they differ in a protocol or floor of
            one name.
    """
    import pandas as pd

    if not results:
        raise InvalidArgument("results must hold at least one study")
    protocols: dict[str, Protocol] = {}
    floors: dict[str, float] = {}
    for result in results:
        for name, protocol in result.protocols.items():
            if protocols.setdefault(name, protocol) != protocol:
                raise InvalidArgument(f"the studies differ in the protocol {name!r}")
        for name, floor in result.floors.items():
            if not (math.isnan(floor) or math.isnan(held := floors.get(name, math.nan)) or held == floor):
                raise InvalidArgument(f"the studies differ in the floor of {name!r}: {held:g} and {floor:g}")
            floors[name] = floors.get(name, math.nan) if math.isnan(floor) else floor
    tables = {name: pd.concat([getattr(r, name) for r in results], ignore_index=True) for name in COLUMNS}
    return StudyResult(**tables, floors=floors, about={"parts": [r.about for r in results]}, protocols=protocols)


def _json(result: StudyResult) -> str:
    """What no table holds, as JSON."""
    floors = {name: float(value) if math.isfinite(value) else None for name, value in result.floors.items()}
    protocols = {name: protocol.model_dump(mode="json") for name, protocol in result.protocols.items()}
    index = {"format": _FORMAT, "floors": floors, "about": plain(result.about), "protocols": protocols}
    return json.dumps(index, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def records(table: DataFrame) -> list[dict[str, Any]]:
    """The rows of a table."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def plain(value: Any) -> Any:
    """What JSON can hold: numbers of NumPy as Python's, tuples as lists, what is not finite as null.

    Raises:
        InvalidArgument: for what JSON cannot hold.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    raise InvalidArgument(f"about must hold numbers, text, lists and tables only, got {value!r}")


def _put(half: Path, folder: Path, old: Path) -> None:
    """Rename a finished folder to its place, and one that is there to `old`."""
    if folder.is_dir():
        folder.rename(old)
    try:
        half.rename(folder)
    except OSError:
        if old.is_dir():
            old.rename(folder)
        raise
