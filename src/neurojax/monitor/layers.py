"""The activity of named layers: what of it is kept, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.task import Task
from neurojax.data.sessions import SessionData
from neurojax.envs.rollout import Trajectory
from neurojax.errors import InvalidArgument, unknown
from neurojax.monitor.arrays import describe_array, write_rows
from neurojax.monitor.parts import Parts, any_damaged, read_parts
from neurojax.monitor.recording import ARRAY, TRIALS

if TYPE_CHECKING:
    from pandas import DataFrame

_WINDOW = (-200.0, 1000.0)


class Layer:
    """The activity of one layer around one period, as it is written."""

    def __init__(self, folder: Path, about: dict[str, Any]):
        self._folder, self._about = folder, about
        self._index = Parts(folder / TRIALS)
        array = describe_array(folder / ARRAY)
        rows = read_parts(folder / TRIALS, ["row"])["row"].to_numpy()
        self._next = int(rows.max()) + 1 if len(rows) else 0
        if array is not None and any_damaged(folder / TRIALS):  # whose rows may be there, so nothing is replaced
            self._next = max(self._next, array["rows"])
        self._waiting: list[tuple[np.ndarray, DataFrame]] = []
        self._units: int | None = None if array is None else array["shape"][-1]

    @property
    def waiting(self) -> int:
        """How many trials wait to be written."""
        return sum(len(frame) for _, frame in self._waiting)

    def check(self, units: int) -> None:
        """Raise InvalidArgument unless the layer has so many units."""
        if self._units is not None and units != self._units:
            raise InvalidArgument(f"activity of {self._about['layer']!r} had {self._units} units, got {units}")

    def add(self, values: np.ndarray, frame: DataFrame) -> None:
        """Add activity float32 `[N, W, H]` of N trials, which waits to be written."""
        self._units = values.shape[-1]
        if len(frame):
            self._waiting.append((values, frame))

    def write(self, columns: Mapping[str, Mapping[str, str]]) -> None:
        """Activity first, then the trials by which it counts."""
        import pandas as pd

        if not self._waiting:
            return
        values = np.concatenate([values for values, _ in self._waiting])
        frame = pd.concat([frame for _, frame in self._waiting], ignore_index=True)
        frame["row"] = np.arange(self._next, self._next + len(frame), dtype=np.int64)
        write_rows(self._folder / ARRAY, values, self._next, self._about)
        self._index.append(frame, {**columns, "row": {"units": "", "meaning": "of the array in values.zarr"}})
        self._next += len(frame)
        self._waiting = []


def lines_of(name: str, hidden: Any, data: Any) -> np.ndarray:
    """Activity as `[lines, T, H]`."""
    sessions = isinstance(data, SessionData)
    if isinstance(data, Trajectory):
        expected = data.new_trial.shape
    elif sessions:
        expected = data.mask.shape
    else:
        expected = np.shape(getattr(getattr(data, "result", None), "outcome", 0))
    if expected == ():
        raise InvalidArgument(
            f"a {type(data).__name__} has no activity; give what nj.rollout, play or session returned"
        )
    shape = np.shape(hidden)
    if len(shape) != (4 if sessions else 3) or shape[: len(expected)] != tuple(expected):
        axes = "[B, K, T, H]" if sessions else "[B, T, H]"
        raise InvalidArgument(f"activity of {name!r} must be {axes}, here {list(expected)} and on, got {list(shape)}")
    if not jnp.issubdtype(hidden.dtype, jnp.floating):
        raise InvalidArgument(f"activity of {name!r} must be floats, got {hidden.dtype}")
    return np.asarray(hidden).reshape(-1, *shape[-2:])


def windows_of(task: Task, given: Mapping[str, tuple[float, float]] | None) -> dict[str, range]:
    """Steps around the onset of each period."""
    if given is None:
        name = "stimulus" if "stimulus" in task.period_names else next(iter(task.period_names), None)
        given = {} if name is None else {name: _WINDOW}
    out = {}
    for period, window in given.items():
        if period not in task.period_names:
            raise unknown("period", period, task.period_names, task.name)
        low, high = (np.round(np.asarray(window, float) / task.dt, 6)) if np.shape(window) == (2,) else (0.0, np.nan)
        if not (np.isfinite(low) and np.isfinite(high) and np.ceil(low) < np.ceil(high)):
            raise InvalidArgument(
                f"align[{period!r}] must be a pair of ms, the first a step ({task.dt:g} ms) or more before the second, "
                f"got {window!r}"
            )
        out[period] = range(int(np.ceil(low)), int(np.ceil(high)))
    return out
