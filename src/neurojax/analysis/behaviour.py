"""Animals' trials from CSV files, to hold models against."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np

from neurojax.analysis.psychometric import Choices, count_choices
from neurojax.errors import DamagedFile, InvalidArgument, unknown

# What stands in a file for a value that is not there.
_MISSING = ("", "none", "nan", "na", "null", "miss", "missing")
_NO, _YES = ("0", "0.0", "false", "no"), ("1", "1.0", "true", "yes")


@dataclasses.dataclass(frozen=True)
class Columns:
    """Names of the columns of a file; the defaults are those of the trials of Roitman & Shadlen (2002).

    Attributes:
        coherence: strength of the evidence in percent; signed (negative: left) if any value is negative.
        choice: which of two sides was chosen; empty or `none` where there was no choice.
        correct: 0 or 1; needed where the coherence has no sign, since it then tells the side of the evidence.
        time: response time in ms; the column may be missing.
        subject: which animal; the column may be missing.
    """

    coherence: str = "coherence_percent"
    choice: str = "choice"
    correct: str = "correct"
    time: str = "response_time_ms"
    subject: str = "monkey"


@dataclasses.dataclass(frozen=True)
class Trials:
    """Trials of animals, or of networks.

    Attributes:
        strength: float64 `[trials]`, coherence in percent without its sign.
        signed: float64 `[trials]`, signed coherence in percent, positive where the evidence favours the right; NaN
            where there was no choice that could tell the side.
        right: bool `[trials]`, whether the right was chosen.
        answered: bool `[trials]`, whether there was a choice.
        correct: bool `[trials]`, whether the choice was rewarded as correct (also at coherence 0).
        time: float64 `[trials]`, response time in ms, NaN where unknown; None where it was not recorded.
        subjects: names of the animals.
    """

    strength: np.ndarray
    signed: np.ndarray
    right: np.ndarray
    answered: np.ndarray
    correct: np.ndarray
    time: np.ndarray | None = None
    subjects: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.signed)

    def choices(self) -> Choices:
        """The choices, counted by signed coherence."""
        return count_choices(self.signed, self.right, self.answered)

    def by_coherence(self) -> list[dict[str, float]]:
        """One row by coherence (without its sign), ascending.

        Each has `coherence` in percent, `trials`, `answered`, `accuracy` (of the answered), and, where times were
        recorded, `response_time_ms` with its standard error `response_time_sem_ms`. Undefined values are NaN.
        """
        strength = np.round(self.strength, 6)
        rows = []
        for level in np.unique(strength):
            here = (strength == level) & self.answered
            answered = int(here.sum())
            row: dict[str, float] = {"coherence": float(level)}
            row |= {"trials": int((strength == level).sum()), "answered": answered}
            row["accuracy"] = float(self.correct[here].mean()) if answered else math.nan
            if self.time is not None:
                times = self.time[here & np.isfinite(self.time)]
                row["response_time_ms"] = float(times.mean()) if times.size else math.nan
                spread = times.std(ddof=1) / math.sqrt(times.size) if times.size > 1 else math.nan
                row["response_time_sem_ms"] = float(spread)
            rows.append(row)
        return rows


def read_trials(path: str | Path, columns: Columns | None = None, *, right: str | None = None) -> Trials:
    """Read animals' trials from a CSV file with a header.

    The side of the evidence is the sign of the coherence, or, where that has none, the chosen side if the choice was
    correct and the other one if not.

    Args:
        path: the file.
        columns: names of its columns.
        right: the value of the choice column that means the right; default: the later of the two values in order
            (2 of 1 and 2, right of left and right).

    Raises:
        InvalidArgument: if the file does not exist.
        UnknownName: if a column is missing; the nearest is suggested.
        DamagedFile: if the file is no table or a value cannot be read; the message names line and column.

    Example:
        >>> import tempfile, pathlib
        >>> from neurojax.analysis.behaviour import Columns, read_trials
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "trials.csv"
        >>> _ = file.write_text("percent,choice,correct\\n25,left,1\\n25,left,0\\n50,none,0\\n50,right,1\\n")
        >>> trials = read_trials(file, Columns(coherence="percent"))
        >>> trials.signed.tolist(), trials.answered.tolist()
        ([-25.0, 25.0, nan, 50.0], [True, True, False, True])
    """
    names, usual = columns or Columns(), Columns()
    table = _Table(Path(path))
    coherence = table.numbers(names.coherence, needed=True)
    chosen = table.texts(names.choice)
    answered = np.array([value.lower() not in _MISSING for value in chosen])
    side = np.array(chosen) == _right_value(chosen, answered, right, f"{path}: column {names.choice!r}")
    if np.any(coherence < 0):
        signed = coherence
        recorded = names.correct in table.header
        correct = np.where(coherence == 0, table.truths(names.correct) if recorded else False, side == (coherence > 0))
    else:
        correct = table.truths(names.correct)
        signed = np.where(answered, np.where(side == correct, coherence, -coherence), np.nan)
    time, subjects = None, ()
    if names.time in table.header or names.time != usual.time:  # a column that was asked for must be there
        time = table.numbers(names.time)
    if names.subject in table.header or names.subject != usual.subject:
        subjects = tuple(sorted(set(table.texts(names.subject))))
    return Trials(np.abs(coherence), signed, side & answered, answered, correct & answered, time, subjects)


class _Table:
    """A CSV file with a header, as text."""

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise InvalidArgument(f"there is no file {str(path)!r}")
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.reader(file, strict=True)
                lines = [(reader.line_num, line) for line in reader if line]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DamagedFile(f"{path} cannot be read as CSV: {error}") from None
        if len(lines) < 2:
            raise DamagedFile(f"{path} holds no trials: a header and at least one row are needed")
        self.header = [name.strip() for name in lines[0][1]]
        self.lines = lines[1:]
        for number, line in self.lines:
            if len(line) != len(self.header):
                raise DamagedFile(f"{path}, line {number}: {len(line)} values under {len(self.header)} columns")

    def texts(self, name: str) -> list[str]:
        """A column."""
        if name not in self.header:
            raise unknown("column", name, self.header, str(self.path))
        index = self.header.index(name)
        return [line[index].strip() for _, line in self.lines]

    def numbers(self, name: str, *, needed: bool = False) -> np.ndarray:
        """A column as float64, NaN where a value is missing, unless it is `needed`."""
        values = self.texts(name)
        out = np.empty(len(values))
        for i, text in enumerate(values):
            absent = text.lower() in _MISSING
            try:
                out[i] = math.nan if absent else float(text)
            except ValueError:
                raise self._problem(i, name, "a number", text) from None
            if math.isinf(out[i]) or (math.isnan(out[i]) and (needed or not absent)):
                raise self._problem(i, name, "a finite number", text)
        return out

    def truths(self, name: str) -> np.ndarray:
        """A column of 0 and 1 as bool; what is missing is False."""
        values = [text.lower() for text in self.texts(name)]
        for i, text in enumerate(values):
            if text not in (*_NO, *_YES, *_MISSING):
                raise self._problem(i, name, "0 or 1", text)
        return np.array([text in _YES for text in values])

    def _problem(self, i: int, name: str, allowed: str, text: str) -> DamagedFile:
        return DamagedFile(f"{self.path}, line {self.lines[i][0]}: column {name!r} must be {allowed}, got {text!r}")


def _right_value(chosen: list[str], answered: np.ndarray, right: str | None, where: str) -> str:
    values = sorted({value for value, there in zip(chosen, answered, strict=True) if there})
    if right is not None:
        if right not in values:
            raise unknown("choice", right, values, where)
        return right
    if len(values) != 2:
        raise DamagedFile(f"{where} must hold two choices, holds {len(values)} ({', '.join(values[:6])})")
    return values[1]
