"""Trials as pandas tables: one row a trial, and the way back from a table to the conditions of trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core.lanes import check_task_type, drawn_quantities
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.core.trial import Outcome, Result
from neurojax.errors import InvalidArgument

if TYPE_CHECKING:
    from pandas import DataFrame

# What each column says that is not a condition: units and words.
_COLUMNS = {
    "session": ("", "number of the lane, each a session of its own, from 0"),
    "trial": ("", "number of the trial in its session, from 0"),
    "choice": ("", "the action that ended the trial"),
    "choice_name": ("", "the name of that action"),
    "response_time": ("ms", "from the trial's start to the observation that the action answered"),
    "outcome": ("", "correct, error, abort, miss or timeout"),
    "reward": ("", "summed over the trial"),
    "performance": ("", "from 0 to 1"),
    "length": ("ms", "the scheduled length of the trial"),
}


def table(task: Task, data: Any) -> DataFrame:
    """Trials as a table, one row a trial, whose `attrs["columns"]` tells units and meaning of each column.

    Conditions come first, by their names; an array condition takes a column for each element (`name_0`, `name_1`).
    The drawn durations of periods follow, then what came of the trial, where it was played.

    Args:
        task: the task.
        data: what `nj.render`, `nj.play` or `nj.rollout` (with its trajectory) returned for it.

    Returns:
        A pandas DataFrame. `nj.conditions_of` reads the conditions back.

    Raises:
        InvalidArgument: if `data` is none of these.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> played = nj.play(task, jax.random.key(0), 2, policy="oracle", coherence=[0, 51.2])
        >>> trials = nj.table(task, played)
        >>> trials["outcome"].tolist(), trials.attrs["columns"]["coherence"]["units"]
        (['correct', 'correct'], 'percent')
    """
    from neurojax.data.render import Batch
    from neurojax.envs.rollout import Played, Rollout, Trajectory

    check_task_type(task)
    if isinstance(data, Rollout):
        data = data.trajectory
    if isinstance(data, Trajectory):
        return _of_trajectory(task, data)
    if isinstance(data, Played):
        return table_of(task, data.conditions, data.result, lengths=data.lengths, periods=data.periods)
    if isinstance(data, Batch):
        return table_of(task, data.conditions, None, lengths=data.lengths, periods=data.periods)
    raise InvalidArgument(
        f"data must come from nj.render, nj.play or nj.rollout(output='trajectory'), got {type(data).__name__}"
    )


def table_of(
    task: Task,
    conditions: Mapping[str, Any],
    result: Result | None = None,
    *,
    lengths: Any = None,
    periods: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> DataFrame:
    """The table of N trials from their parts.

    Args:
        task: the task.
        conditions: `[N, ...]` by name.
        result: `Result` of `[N]`, where the trials were played.
        lengths: int `[N]`, scheduled lengths in steps.
        periods: int `[N, P, 2]`, start and end of each period in steps.
        extra: further columns `[N]`, put first.
    """
    from pandas import DataFrame

    columns: dict[str, Any] = {name: np.asarray(values) for name, values in (extra or {}).items()}
    told = {name: _COLUMNS.get(name, ("", "")) for name in columns}

    def put(name: str, values: Any, units: str, words: str) -> None:
        columns[name], told[name] = values, (units, words)

    for name, values in conditions.items():
        values = np.asarray(values)
        for place in np.ndindex(values.shape[1:]):
            label = "_".join([name, *map(str, place)])
            put(label, values[(slice(None), *place)], task.units(name), f"condition of the trial: {name}")
    if periods is not None:
        starts, ends = (np.asarray(periods)[..., i] for i in (0, 1))
        for i, name in enumerate(task.period_names):
            if name in task.laws and task.laws[name].random and name not in columns:
                put(name, (ends - starts)[:, i] * np.float32(task.dt), "ms", f"duration of the period {name}")
    if lengths is not None:
        put("length", np.asarray(lengths) * np.float32(task.dt), *_COLUMNS["length"])
    if result is not None:
        _put_result(task, result, put)
    out = DataFrame(columns)
    out.attrs = {
        "task": task.name,
        "dt": float(task.dt),
        "columns": {name: {"units": units, "meaning": words} for name, (units, words) in told.items()},
    }
    return out


def _put_result(task: Task, result: Result, put) -> None:
    choice = np.asarray(result.choice)
    if isinstance(task.actions, Discrete):
        labels = np.asarray(task.actions.labels())
        put("choice", choice, *_COLUMNS["choice"])
        put("choice_name", labels[choice], *_COLUMNS["choice_name"])
    else:
        for i, label in enumerate(task.actions.labels()):
            put(f"choice_{label}", choice[..., i], "", f"{label} of the action that ended the trial")
    put("response_time", np.asarray(result.response_step) * np.float32(task.dt), *_COLUMNS["response_time"])
    names = np.asarray([outcome.name.lower() for outcome in Outcome])
    put("outcome", names[np.asarray(result.outcome)], *_COLUMNS["outcome"])
    put("reward", np.asarray(result.reward), *_COLUMNS["reward"])
    put("performance", np.asarray(result.performance), *_COLUMNS["performance"])


def _of_trajectory(task: Task, run: Any) -> DataFrame:
    """The ended trials of B sessions, session by session."""
    session, step, conditions, result = ended_in(run)
    count = np.cumsum(np.asarray(run.new_trial), axis=1)[session, step] - 1
    return table_of(task, conditions, result, extra={"session": session, "trial": count})


def ended_in(run: Any) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], Result]:
    """Of a trajectory's N ended trials, lane by lane: lane and last step `[N]`, conditions and results `[N, ...]`."""
    import jax

    lane, step = np.nonzero(np.asarray(run.new_trial))
    chosen = lambda x: np.asarray(x)[lane, step]
    conditions = {name: chosen(values) for name, values in run.conditions.items()}
    return lane, step, conditions, jax.tree.map(chosen, run.results)


def conditions_of(task: Task, table: DataFrame) -> dict[str, np.ndarray]:
    """The conditions `[N, ...]` in a table of N trials, to be given to `nj.render` or `nj.play` again.

    These are the columns that the task draws; what follows from them, and results, are left out.

    Args:
        task: the task.
        table: from `nj.table`, or any DataFrame with columns of the task's conditions.

    Raises:
        InvalidArgument: if no column is a condition of the task, or a value is missing.

    Example:
        >>> import jax, numpy as np, neurojax as nj
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> batch = nj.render(task, jax.random.key(0), 8)
        >>> given = nj.conditions_of(task, nj.table(task, batch))
        >>> bool(np.all(nj.render(task, jax.random.key(0), 8, **given).inputs == batch.inputs))
        True
    """
    check_task_type(task)
    out: dict[str, np.ndarray] = {}
    quantities = drawn_quantities(task)
    for name, quantity in quantities.items():
        places = list(np.ndindex(quantity.shape))
        labels = ["_".join([name, *map(str, place)]) for place in places]
        present = [label in table for label in labels]
        if not any(present):
            continue
        if not all(present):
            raise InvalidArgument(f"the table has some columns of {name!r} and lacks {labels[present.index(False)]!r}")
        values = np.stack([np.asarray(table[label]) for label in labels], axis=-1)
        if values.dtype.kind not in "biuf" or not np.all(np.isfinite(values)):
            raise InvalidArgument(f"the column {name!r} must hold numbers, none of them missing")
        out[name] = values.reshape(len(table), *quantity.shape)
    if not out:
        raise InvalidArgument(f"no column is a condition of {task.name}; its conditions are {', '.join(quantities)}")
    return out
