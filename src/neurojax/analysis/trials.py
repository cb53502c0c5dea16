"""Trials of sessions as arrays `[sessions, trials]`, for analyses that look back from trial to trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, unknown

if TYPE_CHECKING:
    from pandas import DataFrame


def trial_table(task: Task, data: Any) -> DataFrame:
    """The table of trials: `data` if it is one, else made of what `nj.session`, `nj.rollout` or `nj.play` returned.

    Raises:
        InvalidArgument: if `data` is none of these, or nobody played.
    """
    from pandas import DataFrame

    from neurojax.data.sessions import SessionData
    from neurojax.data.tables import table

    if isinstance(data, DataFrame):
        out = data
    elif isinstance(data, SessionData):
        out = data.table()
    else:
        out = table(task, data)
    if "outcome" not in out:
        raise InvalidArgument("data must hold trials that somebody played: give a policy")
    return out


def column(table: DataFrame, name: str) -> np.ndarray:
    """A column as an array.

    Raises:
        UnknownName: if it is missing; the nearest is suggested.
    """
    if name not in table:
        raise unknown("column", name, [str(c) for c in table.columns], "the table of trials")
    return table[name].to_numpy()


class Grid:
    """Where the rows of a table stand among `[sessions, trials]`.

    Attributes:
        there: bool `[S, K]`, whether there is such a trial; sessions may be of different lengths.

    Args:
        table: with columns `session` and `trial` (its number in the session, from 0).

    Raises:
        InvalidArgument: if a trial stands twice in the table.
    """

    def __init__(self, table: DataFrame):
        self.table = table
        _, self.session = np.unique(column(table, "session"), return_inverse=True)
        self.trial = np.asarray(column(table, "trial"), int)
        if len(table) == 0:
            raise InvalidArgument("the table of trials is empty")
        self.there = np.zeros((int(self.session.max()) + 1, int(self.trial.max()) + 1), bool)
        self.there[self.session, self.trial] = True
        if self.there.sum() != len(table):
            raise InvalidArgument("the table of trials holds a trial of a session twice")

    def __call__(self, values: Any) -> np.ndarray:
        """`[S, K]` of `values` `[rows]`; 0, or False, where there is no trial."""
        values = np.asarray(values)
        out = np.zeros(self.there.shape, values.dtype)
        out[self.session, self.trial] = values
        return out


def as_grid(name: str, values: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """`values` as an array `[S, K]`; of one session also `[K]`.

    Raises:
        InvalidArgument: for another shape, or another than `shape`.
    """
    out = np.asarray(values)
    if out.ndim == 1:
        out = out[None]
    if out.ndim != 2 or out.size == 0 or (shape is not None and out.shape != shape):
        expected = "[sessions, trials]" if shape is None else f"[sessions, trials] = {list(shape)}"
        raise InvalidArgument(f"{name} must be {expected}, got shape {np.shape(values)}")
    return out


def truths(name: str, values: np.ndarray) -> np.ndarray:
    """Values that must be bool, or 0 and 1, as bool.

    Raises:
        InvalidArgument: if any is neither.
    """
    if values.dtype != bool and not np.all((values == 0) | (values == 1)):
        raise InvalidArgument(f"{name} must be bool, or 0 and 1")
    return values.astype(bool)


def lagged(values: np.ndarray, lag: int) -> np.ndarray:
    """`[S, K]`: of each trial the value `lag` trials before, 0 where its session was not so old."""
    out = np.zeros_like(values)
    if lag < values.shape[1]:
        out[:, lag:] = values[:, : values.shape[1] - lag]
    return out
