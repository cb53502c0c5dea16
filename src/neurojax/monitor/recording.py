"""Reading what a monitor recorded: while it runs, after it was killed, or long afterwards."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument, unknown
from neurojax.monitor.arrays import describe_array, read_rows
from neurojax.monitor.ended import ANSWERED
from neurojax.monitor.parts import read_parts
from neurojax.monitor.settings import read_about

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

TRIALS, SCALARS, ACTIVITY, ARRAY = "trials", "scalars", "activity", "values.zarr"


@dataclasses.dataclass(frozen=True)
class Activity:
    """The activity of a layer around the onset of a period.

    Attributes:
        name: of the layer.
        period: to whose onset it is aligned.
        time: float64 `[W]`, ms from the onset.
        values: float32 `[N, W, H]`; NaN outside the trial.
        trials: the N trials, with the columns of `read_trials`.
    """

    name: str
    period: str
    time: np.ndarray
    values: np.ndarray
    trials: DataFrame


class Recording:
    """What a folder of a monitor holds, read anew at each call.

    Warns of files that are damaged, and leaves out what they held.

    Args:
        folder: of a `Monitor`.

    Attributes:
        about: what the record says of itself: `id`, `class` and `settings` of the task, `seed`, `versions`, names of
            `periods`, `channels` and `actions`, and the settings of the `monitor`.

    Raises:
        InvalidArgument: if there is no record.
        DamagedFile: if it cannot be used.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.about = read_about(self.folder)

    def trials(self, stage: str | None = None) -> DataFrame:
        """One row a trial, in the order in which they were recorded; see `read_trials`."""
        frame: Any = read_parts(self.folder / TRIALS)
        if stage is None or not len(frame):
            return frame
        if stage not in set(frame["stage"]):
            raise unknown("stage", stage, sorted(set(frame["stage"])), str(self.folder))
        return frame[frame["stage"] == stage].reset_index(drop=True)

    def scalars(self) -> DataFrame:
        """The learning curves: a row for each `update`, its index, and a column for each name; NaN where none was told.

        What was told twice of one update is what was told last.
        """
        frame = read_parts(self.folder / SCALARS, ["update", "name", "value"])
        wide = frame.drop_duplicates(["update", "name"], keep="last").pivot(
            index="update", columns="name", values="value"
        )
        wide.columns.name = None
        return wide

    def layers(self) -> dict[str, list[str]]:
        """The layers whose activity was recorded, and the periods to which each is aligned."""
        out: dict[str, list[str]] = {}
        for path in sorted((self.folder / ACTIVITY).glob(f"*/*/{ARRAY}")):
            out.setdefault(path.parent.parent.name, []).append(path.parent.name)
        return out

    def activity(self, name: str, period: str | None = None) -> Activity:
        """The activity of a layer.

        Args:
            name: of the layer.
            period: to whose onset it is aligned; may be left out where there is but one.

        Raises:
            UnknownName: if there is none.
            InvalidArgument: if there are several periods, and none is named.
        """
        layers = self.layers()
        if name not in layers:
            raise unknown("layer", name, layers, str(self.folder))
        if period is None and len(layers[name]) > 1:
            raise InvalidArgument(f"name a period to which {name!r} is aligned: {', '.join(layers[name])}")
        if period is not None and period not in layers[name]:
            raise unknown("period", period, layers[name], f"the activity of {name!r}")
        folder = self.folder / ACTIVITY / name / (period or layers[name][0])
        trials = read_parts(folder / TRIALS)  # before the array, which is written first
        about = describe_array(folder / ARRAY)
        assert about is not None
        time = np.asarray(about["time_ms"], np.float64)
        rows = trials["row"].to_numpy() if len(trials) else np.zeros(0, int)
        values = read_rows(folder / ARRAY, rows) if len(rows) else np.zeros((0, *about["shape"]), np.float32)
        return Activity(name, about["period"], time, values, trials)

    def plot(self, **options: Any) -> Figure:
        """The record in one figure (see `neurojax.viz.monitor.plot_recording`)."""
        from neurojax.viz.monitor import plot_recording

        return plot_recording(self, **options)


def read_trials(folder: str | Path, stage: str | None = None) -> DataFrame:
    """The trials that a monitor recorded in a folder, one row each, in the order in which they were recorded.

    May be called while the monitor runs, and after it was killed.

    Args:
        folder: of the monitor.
        stage: only those of this stage.

    Returns:
        A DataFrame with the columns of `nj.table` and `stage`, `update`, `record`, `session`, `trial`, `step`,
        `response_step`, whose `attrs["columns"]` tells units and meaning of each.

    Raises:
        UnknownName: for a stage that was not recorded.
        InvalidArgument: if there is no record.
    """
    return Recording(folder).trials(stage)


def rates(trials: DataFrame) -> dict[str, float]:
    """How N trials went: the rates of `nj.Metrics.summary`, the mean reward, and the mean response time of answers.

    Rates are NaN where they have no meaning.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.monitor.recording import rates
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> went = rates(nj.table(task, nj.play(task, jax.random.key(0), 8, policy="oracle")))
        >>> went["trials"], went["performance"], went["response_rate"], went["response_time"]
        (8.0, 1.0, 1.0, 2100.0)
    """
    outcome = trials["outcome"].to_numpy(str)
    name = lambda kind: kind.name.lower()
    mean = lambda values: float(np.mean(values, dtype=np.float64)) if len(values) else math.nan
    share = lambda *kinds: mean(np.isin(outcome, [name(kind) for kind in kinds]))
    answered = np.isin(outcome, ANSWERED)
    return {
        "trials": float(len(trials)),
        "reward": mean(trials["reward"].to_numpy()),
        "performance": mean(trials["performance"].to_numpy()),
        "response_rate": share(Outcome.CORRECT, Outcome.ERROR),
        "accuracy_given_response": mean(outcome[answered] == name(Outcome.CORRECT)),
        "abort_rate": share(Outcome.ABORT),
        "miss_rate": share(Outcome.MISS),
        "response_time": mean(trials["response_time"].to_numpy()[answered]),
    }
