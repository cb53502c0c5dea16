"""Columns of pandas tables, read with checks."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.animals.trials import NONE
from neurojax.errors import DamagedFile, InvalidArgument, MissingPackage, unknown

if TYPE_CHECKING:
    from pandas import DataFrame

# What stands in a file for a value that is not there.
_MISSING = ("", "none", "nan", "na", "null", "miss", "missing", "<na>", "nogo", "no_go", "no-go")
_PARQUET = (".parquet", ".pqt")


class Source:
    """A pandas table whose columns are read with checks; rows are counted from 0 in messages."""

    def __init__(self, frame: DataFrame, where: str):
        self.frame, self.where = frame, where
        if len(frame) == 0:
            raise DamagedFile(f"{where} holds no trials")

    def _column(self, name: str) -> Any:
        if name not in self.frame:
            raise unknown("column", name, [str(c) for c in self.frame.columns], self.where)
        return self.frame[name]

    def texts(self, name: str) -> list[str]:
        """A column as text, empty where a value is missing; 2.0 is 2, as pandas makes floats of gappy numbers."""
        column = self._column(name)
        out = []
        for value, absent in zip(column.tolist(), column.isna().tolist(), strict=True):
            whole = isinstance(value, float) and value.is_integer()
            text = "" if absent else str(int(value) if whole else value).strip()
            out.append("" if text.lower() in _MISSING else text)
        return out

    def numbers(self, name: str, *, missing: bool = False) -> np.ndarray:
        """A column as float64, NaN where a value is missing, if it may be."""
        out = np.empty(len(self.frame))
        for i, text in enumerate(self.texts(name)):
            try:
                out[i] = float(text) if text else np.nan
            except ValueError:
                raise self._problem(name, "a number", text, i) from None
            if not np.isfinite(out[i]) and not (missing and not text):
                raise self._problem(name, "a finite number", text or "nothing", i)
        return out

    def truths(self, name: str) -> np.ndarray:
        """A column of 0 and 1 as bool; what is missing is False."""
        texts = [text.lower() for text in self.texts(name)]
        for i, text in enumerate(texts):
            if text not in ("", "0", "1", "true", "false"):
                raise self._problem(name, "0 or 1", text, i)
        return np.isin(texts, ("1", "true"))

    def sessions(self, name: str | None) -> tuple[np.ndarray, dict[int, str]]:
        """Numbers of the sessions `[rows]`, and their names where they are not numbered in order already."""
        if name is None:
            return np.ones(len(self.frame), np.int64), {}
        texts = self.texts(name)
        if "" in texts:
            raise self._problem(name, "given", "nothing", texts.index(""))
        changes = [i for i, text in enumerate(texts) if i == 0 or text != texts[i - 1]]
        order = [texts[i] for i in changes]
        if len(set(order)) != len(order):
            again = next(text for i, text in enumerate(order) if text in order[:i])
            raise DamagedFile(f"{self.where}: the trials of session {again!r} do not stand together")
        if all(text.isdecimal() for text in order) and all(int(a) < int(b) for a, b in itertools.pairwise(order)):
            return np.array([int(text) for text in texts]), {}
        numbered = {text: i + 1 for i, text in enumerate(order)}
        return np.array([numbered[text] for text in texts]), {i: text for text, i in numbered.items()}

    def check_order(self, name: str, session: np.ndarray) -> None:
        trial = self.numbers(name)
        falls = (np.diff(trial) <= 0) & (np.diff(session) == 0)
        if falls.any():
            row = int(np.argmax(falls)) + 1
            raise DamagedFile(f"{self.where}: {name!r} must rise within a session, does not in row {row}")

    def side_values(self, columns: list[list[str]], name: str, left: Any, right: Any) -> tuple[str, str]:
        """What left and right are called: as given, or the lower and the higher of the two values."""
        if (left is None) != (right is None):
            raise InvalidArgument("left and right must be given both, or neither")
        values = sorted({text for column in columns for text in column if text}, key=_by_number)
        if left is None:
            if len(values) != 2:
                raise DamagedFile(
                    f"{self.where}: column {name!r} must hold two choices, holds {len(values)} "
                    f"({', '.join(values[:6])}); say which are left and right"
                )
            return values[0], values[1]
        sides = str(left), str(right)
        for value in values:
            if value not in sides:
                raise unknown("choice", value, sides, f"{self.where}: column {name!r}")
        return sides

    def sides(self, name: str, sides: tuple[str, str]) -> np.ndarray:
        """A column of the two words as 0 and 1, -1 where a value is missing."""
        return np.array([sides.index(text) if text else NONE for text in self.texts(name)])

    def _problem(self, name: str, allowed: str, got: str, row: int) -> DamagedFile:
        return DamagedFile(f"{self.where}: column {name!r} must be {allowed}, got {got!r} in row {row}")


def _by_number(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def read_frame(path: Path) -> DataFrame:
    """A CSV or Parquet file; the values of a CSV file are text.

    Raises:
        InvalidArgument: if there is no such file.
        DamagedFile: if it cannot be read.
    """
    import pandas as pd

    if not path.is_file():
        raise InvalidArgument(f"there is no file {str(path)!r}")
    try:
        if path.suffix.lower() in _PARQUET:
            return pd.read_parquet(path)
        # all as text: what pandas would guess of a damaged column hides the damage
        return pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig")
    except ImportError:
        raise MissingPackage("pyarrow", "monitor", "reading Parquet") from None
    except Exception as error:  # pandas and pyarrow raise many kinds for files that are no tables
        raise DamagedFile(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from None
