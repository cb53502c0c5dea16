"""The trials that ended in what a task's views return: a row each, and where each of them lies in time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.data.sessions import SessionData, kinds_of
from neurojax.data.tables import ended_in, table_of
from neurojax.envs.rollout import Played, Rollout, Trajectory
from neurojax.errors import InvalidArgument, unknown
from neurojax.monitor.clock import periods_of

if TYPE_CHECKING:
    from pandas import DataFrame

# The columns of a record that `nj.table` does not write: units and meaning.
ADDED = {
    "stage": ("", "what the trial was played for, such as training or evaluation"),
    "update": ("", "the update of the network that played it"),
    "record": ("", "number of the call that recorded the trial, from 0"),
    "trial": ("", "number of the trial in its lane, among those recorded of its stage, from 0"),
    "step": ("steps", "of the session, at which the trial ended"),
    "kind": ("", "the kind of trial, as the task names it"),
    "response_step": ("steps", "from the trial's start to the observation that the action answered"),
    "reaction_time": ("ms", "from the onset of the period that the settings name; NaN without a response"),
}
ANSWERED = (Outcome.CORRECT.name.lower(), Outcome.ERROR.name.lower())
_NEEDED = ("response_time", "outcome", "reward", "performance")


@dataclasses.dataclass(frozen=True)
class Ended:
    """N ended trials.

    Attributes:
        frame: a row each: `session`, `step`, `kind` where the task names them, and the columns of `nj.table`.
        line: int `[N]`, in which line of the activity `[lines, T, H]` the trial is; None: a table has no activity.
        start, end: int `[N]`, its first step in that line (below 0 where it began before), and its last.
        periods: int `[N, P, 2]`, start and end of each period in steps of the trial; None: not known.
        why: why they are not known.
    """

    frame: DataFrame
    line: np.ndarray | None
    start: np.ndarray
    end: np.ndarray
    periods: np.ndarray | None
    why: str = ""

    def onset(self, task: Task, period: str) -> np.ndarray:
        """int `[N]`: when a period begins, in steps of the trial.

        Raises:
            UnknownName: for a period that the task does not have.
            InvalidArgument: if it is not known.
        """
        if period not in task.period_names:
            raise unknown("period", period, task.period_names, task.name)
        if self.periods is None:
            raise InvalidArgument(self.why)
        return self.periods[:, task.period_names.index(period), 0]


def trials_in(data: Any) -> Any:
    """The trajectory of a rollout; anything else as it is."""
    if isinstance(data, Rollout) and data.trajectory is None:
        raise InvalidArgument("the rollout keeps no trials; use nj.rollout(output='trajectory')")
    return data.trajectory if isinstance(data, Rollout) else data


def ended_trials(task: Task, data: Any, *, key: jax.Array | None = None, step: int = 0) -> Ended:
    """The ended trials of what `nj.rollout`, `nj.play` or `nj.session` returned, or of a table.

    Args:
        task: the task.
        data: a `Trajectory`, a `Played`, a `SessionData` that was played, or a table of `nj.table`.
        key: of the rollout, from which the durations of periods follow where they are drawn.
        step: the step of the sessions at which the trajectory begins.

    Raises:
        InvalidArgument: if it is none of these, or nobody played.
    """
    from pandas import DataFrame

    if isinstance(data, DataFrame):
        return _of_table(task, data)
    if isinstance(data, Trajectory):
        line, end, conditions, result = ended_in(data)
        start = end - np.asarray(result.response_step)
        periods, why = periods_of(task, conditions, line, start + step, key)
        frame = _frame(task, conditions, result, line, end + step, periods)
        return Ended(frame, line, start, end, periods, why)
    if isinstance(data, Played):
        end, periods = np.asarray(data.result.response_step), np.asarray(data.periods)
        line = np.arange(len(end))
        frame = _frame(task, data.conditions, data.result, line, end, periods)
        return Ended(frame, line, np.zeros_like(end), end, periods)
    if isinstance(data, SessionData):
        if data.result is None:
            raise InvalidArgument("nobody played these sessions; use nj.session(policy=...)")
        flat = lambda x: np.asarray(x).reshape(-1, *x.shape[2:])
        conditions = {name: flat(values) for name, values in data.conditions.items()}
        end, periods = flat(data.lengths) - 1, flat(data.periods)
        session = flat(np.indices(data.lengths.shape)[0])
        frame = _frame(task, conditions, jax.tree.map(flat, data.result), session, flat(data.starts) + end, periods)
        return Ended(frame, np.arange(len(end)), np.zeros_like(end), end, periods)
    raise InvalidArgument(
        f"data must come from nj.rollout, nj.play, nj.session(policy=...) or nj.table, got {type(data).__name__}"
    )


def _frame(task: Task, conditions: Any, result: Any, session: Any, step: Any, periods: Any) -> DataFrame:
    extra = {"session": np.asarray(session, np.int64), "step": np.asarray(step, np.int64)}
    kinds = kinds_of(task, conditions)
    if kinds is not None:
        extra["kind"] = np.asarray(kinds, object)
    if periods is None:  # a column for each duration all the same, so that all tables of a task have the same columns
        periods = np.full((len(extra["session"]), len(task.period_names), 2), np.nan)
    lengths = periods[..., 1].max(axis=-1)
    return table_of(task, conditions, result, lengths=lengths, periods=periods, extra=extra)


def _of_table(task: Task, table: DataFrame) -> Ended:
    for name in _NEEDED:
        if name not in table:
            raise InvalidArgument(f"the table lacks the column {name!r}; it must be of played trials (see nj.table)")
    frame = table.drop(columns=["trial", "onset"], errors="ignore").reset_index(drop=True)
    if "session" not in frame:
        frame.insert(0, "session", np.arange(len(frame)))
    if "step" not in frame:
        frame.insert(1, "step", np.rint(frame["response_time"] / task.dt).astype(np.int64))
    random = [name for name in task.period_names if name in task.laws and task.laws[name].random]
    for name in (*random, "length"):
        if name not in frame:
            frame[name] = np.nan
    frame.attrs = dict(table.attrs)
    nowhere = np.full(len(frame), -1)
    why = "a table does not tell when periods began; give what it was made of"
    return Ended(frame, None, nowhere, nowhere, None, why)


def align(activity: np.ndarray, ended: Ended, onset: np.ndarray, window: range) -> np.ndarray:
    """Activity around the onset of a period, NaN outside the trial.

    Args:
        activity: `[lines, T, H]`.
        ended: N trials.
        onset: int `[N]`, in steps of the trial.
        window: W steps around it.

    Returns:
        float32 `[N, W, H]`.
    """
    assert ended.line is not None
    steps = (ended.start + onset)[:, None] + np.arange(window.start, window.stop)
    inside = (steps >= np.maximum(ended.start, 0)[:, None]) & (steps <= ended.end[:, None])
    values = activity[ended.line[:, None], np.clip(steps, 0, activity.shape[1] - 1)].astype(np.float32)
    values[~inside] = np.nan
    return values
