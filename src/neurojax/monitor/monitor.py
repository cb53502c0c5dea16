"""The monitor: what a training run or a rollout does, written down as it goes."""

from __future__ import annotations

import dataclasses
import logging
import re
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

from neurojax.core.lanes import check_count, check_task_type
from neurojax.core.task import Task
from neurojax.data.sessions import SessionData, session
from neurojax.envs.rollout import Rollout
from neurojax.errors import ExistingRun, InvalidArgument, unknown
from neurojax.files import delete, make_folder
from neurojax.monitor.ended import ADDED, ANSWERED, Ended, align, ended_trials, trials_in
from neurojax.monitor.layers import Layer, lines_of, windows_of
from neurojax.monitor.parts import Parts, arrow, read_parts
from neurojax.monitor.recording import ACTIVITY, SCALARS, TRIALS, Recording, rates
from neurojax.monitor.replay import carries
from neurojax.monitor.scalars import numbers
from neurojax.monitor.settings import FILE, Lock, check_same, describe, read_about, write_about

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

PICTURE, TENSORBOARD = "monitor.png", "tensorboard"
# What `overwrite` deletes; other files in the folder are left alone.
_OURS = (TRIALS, SCALARS, ACTIVITY, TENSORBOARD, PICTURE, FILE)
_SCALARS_TOLD = {
    "update": {"units": "", "meaning": "of the network"},
    "name": {"units": "", "meaning": "what the value is"},
    "value": {"units": "", "meaning": "the value"},
    "seconds": {"units": "s", "meaning": "since the record was begun"},
}
_LOG = logging.getLogger("neurojax.monitor")


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """How a policy played.

    Attributes:
        rates: performance, reward, response rate and so on (see `rates`).
        data: the sessions, as from `nj.session`: `data.plot()` shows them along time.
    """

    rates: dict[str, float]
    data: SessionData


class Monitor:
    """Writes down trials, learning curves and activity, in a folder that can be read at any time.

    The folder holds `trials/` and `scalars/` (Parquet), `activity/LAYER/PERIOD/` (`values.zarr`, and Parquet of its
    trials) and `monitor.json` (task, settings, seed, versions). Files are written whole or not at all; what is not
    written yet is lost with a process that is killed, and that is at most `save_every` trials and `save_seconds`.

    Args:
        folder: where to write.
        task: whose trials they are.
        save_every: write once so many trials wait.
        save_seconds: write with the next call once so much time has passed.
        seed: of the run, told in `monitor.json`; nothing is drawn from it.
        reaction_from: a period, from whose onset `reaction_time` is taken, a further column; default: there is none,
            and `response_time` is from the trial's start.
        align: by period, from when to when in ms around its onset activity is kept. Default: from -200 to 1000 around
            the period "stimulus" or, where there is none, around the first.
        resume: go on with a record, if there is one.
        overwrite: delete a record first, if there is one.
        tensorboard: write learning curves for TensorBoard, too, to `tensorboard/`.
        plot_every: draw `monitor.png` anew with the first writing after so many trials; default: never.

    Raises:
        ExistingRun: if the folder holds a record and neither `resume` nor `overwrite` is given, or another monitor is
            writing to it.
        InvalidArgument: for values that are not allowed, or where a package is missing.

    Example:
        >>> import jax, tempfile, neurojax as nj
        >>> from neurojax.monitor import Monitor, read_trials
        >>> task, folder = nj.make("PerceptualDecisionMaking-v0"), tempfile.mkdtemp()
        >>> with Monitor(folder, task) as monitor:
        ...     count = monitor.trials(nj.rollout(task, jax.random.key(0), 4, 50, policy="oracle"), update=10)
        ...     monitor.scalars(update=10, loss=0.3)
        >>> read_trials(folder)[["update", "session", "trial", "outcome", "response_time"]].values[1].tolist()
        [10, 0, 1, 'correct', 2100.0]
    """

    def __init__(
        self,
        folder: str | Path,
        task: Task,
        *,
        save_every: int = 1000,
        save_seconds: float = 30.0,
        seed: int | None = None,
        reaction_from: str | None = None,
        align: Mapping[str, tuple[float, float]] | None = None,
        resume: bool = False,
        overwrite: bool = False,
        tensorboard: bool = False,
        plot_every: int | None = None,
    ):
        arrow()
        check_task_type(task)
        self.task = task
        self._save_every = check_count("save_every", save_every)
        if not save_seconds >= 0:
            raise InvalidArgument(f"save_seconds must be 0 or more, got {save_seconds!r}")
        self._save_seconds = float(save_seconds)
        self._plot_every = None if plot_every is None else check_count("plot_every", plot_every)
        if resume and overwrite:
            raise InvalidArgument("resume=True and overwrite=True exclude each other")
        if reaction_from is not None and reaction_from not in task.period_names:
            raise unknown("period", reaction_from, task.period_names, task.name)
        self._reaction_from = reaction_from
        self._windows = windows_of(task, align)
        settings = {
            "reaction_from": reaction_from,
            "align": {name: [w.start * float(task.dt), w.stop * float(task.dt)] for name, w in self._windows.items()},
        }
        about = describe(task, None if seed is None else check_count("seed", seed, 0), settings)
        self._closed = False
        self.folder = make_folder(folder)
        self._lock = Lock(self.folder)
        try:
            self._start(about, resume, overwrite)
            self._board = _board(self.folder) if tensorboard else None
        except BaseException:
            self._lock.free()
            raise

    def _start(self, about: dict[str, Any], resume: bool, overwrite: bool) -> None:
        there = (self.folder / FILE).exists()
        if there and resume:
            before = read_about(self.folder)
            check_same(before, about, self.folder)
            about = before
        elif there and not overwrite:
            raise ExistingRun(
                f"{self.folder} holds a record already; resume it, overwrite it, or choose another folder"
            )
        elif overwrite:
            delete(self.folder, _OURS)
        if not (there and resume):
            write_about(self.folder, about)
        self._began = datetime.fromisoformat(about["began"])
        self._written, self._since_plot = time.monotonic(), 0
        self._waiting: list[DataFrame] = []
        self._scalars: list[tuple[int, str, float, float]] = []
        self._columns: dict[str, dict[str, str]] = {}
        self._last: tuple[Any, Ended, tuple[int, str]] | None = None
        self._open()

    def _open(self) -> None:
        """Find out where the record stands."""
        self._trials, self._points = Parts(self.folder / TRIALS), Parts(self.folder / SCALARS)
        self._layers: dict[tuple[str, str], Layer] = {}
        held: Any = read_parts(self.folder / TRIALS, ["stage", "session", "trial", "record", "update"])
        told = read_parts(self.folder / SCALARS, ["update"])
        self._record = int(held["record"].max()) + 1 if len(held) else 0
        self._update = int(max([0, *held["update"].tail(1), *told["update"].tail(1)]))
        self._counts: dict[str, dict[int, int]] = {}
        self._totals: dict[str, int] = {}
        for stage, group in held.groupby("stage"):
            self._counts[str(stage)] = (group.groupby("session")["trial"].max() + 1).to_dict()
            self._totals[str(stage)] = len(group)

    # ------------------------------------------------------------------ writing

    def trials(
        self,
        data: Any,
        *,
        update: int | None = None,
        stage: str = "training",
        key: jax.Array | None = None,
        step: int | None = None,
    ) -> int:
        """Record the trials that ended, one row each (see `read_trials`).

        Lanes count their trials from call to call: give one call after another the pieces of the same sessions.

        Args:
            data: what `nj.rollout`, `nj.play` or `nj.session(policy=...)` returned, or a table of played trials from
                `nj.table`.
            update: the update of the network that played; default: the last one that was told, at first 0.
            stage: what the trials were played for.
            key: of a rollout. Needed for a task whose periods have random durations, if these are to be known.
            step: of the sessions, at which a trajectory begins. Default: what the `Rollout` says; of a `Trajectory`, 0.

        Returns:
            How many trials there were.

        Raises:
            InvalidArgument: if there are no trials in it, or columns differ from those recorded before.
        """
        return len(self._take(data, update, stage, key, step).frame)

    def scalars(self, values: Any = None, *, update: int | None = None, **more: Any) -> None:
        """Record points of learning curves.

        Args:
            values: numbers by name, nested or not: a mapping, a dataclass, or `nj.Metrics`.
            update: of the network; default: the last one that was told.
            **more: further numbers by name.

        Raises:
            InvalidArgument: for what is no number.

        Example:
            >>> import tempfile, neurojax as nj
            >>> from neurojax.monitor import Monitor
            >>> with Monitor(tempfile.mkdtemp(), nj.make("PerceptualDecisionMaking-v0")) as monitor:
            ...     monitor.scalars({"loss": {"actor": 1, "critic": 0.5}}, update=1, accuracy=0.5)
            ...     monitor.recording.scalars().loc[1].to_dict()
            {'accuracy': 0.5, 'loss/actor': 1.0, 'loss/critic': 0.5}
        """
        self._check_open()
        given = {**({} if values is None else numbers(values)), **numbers(more)}
        update = self._at(update)
        seconds = (datetime.now(UTC) - self._began).total_seconds()
        self._scalars += [(update, name, value, seconds) for name, value in given.items()]
        if self._board is not None:
            for name, value in given.items():
                self._board.add_scalar(name, value, update)
        self._write_if_due()

    def activity(
        self,
        name: str,
        hidden: Any,
        data: Any,
        *,
        update: int | None = None,
        stage: str | None = None,
        key: jax.Array | None = None,
        step: int | None = None,
    ) -> int:
        """Record the activity of a layer around the periods in `align`, with its trials.

        The trials are recorded too, unless those of the same `data` were recorded last, of the same update and stage.

        Args:
            name: of the layer; letters, digits, `.`, `_` and `-`.
            hidden: its activity, with the axes of `data`: `[B, T, H]` of a rollout or of `nj.play`, `[B, K, T, H]` of
                `nj.session`. It is kept as float32, NaN outside the trial.
            data, update, key, step: as for `trials`.
            stage: what the trials were played for; default: as they were recorded, else "training".

        Returns:
            How many trials there were.

        Raises:
            InvalidArgument: if it does not fit the data, or it is not known when the periods began.
        """
        self._check_open()
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
            raise InvalidArgument(f"name must be of letters, digits, '.', '_' and '-', got {name!r}")
        data, step = _located(data, step)
        lines = lines_of(name, hidden, data)
        taken = self._taken(data, update, stage)
        ended = taken
        if ended is None or (ended.periods is None and key is not None):
            ended = ended_trials(self.task, data, key=key, step=step)
        # All that may be refused comes before anything is recorded.
        onsets = {period: ended.onset(self.task, period) for period in self._windows}
        if len(ended.end) and lines.shape[1] <= ended.end.max():
            raise InvalidArgument(f"activity of {name!r} has {lines.shape[1]} steps, but trials of the data are longer")
        layers = {period: self._layer(name, period, window) for period, window in self._windows.items()}
        for layer in layers.values():
            layer.check(lines.shape[-1])
        taken = self._take(data, update, stage or "training", key, step) if taken is None else taken
        for period, window in self._windows.items():
            layers[period].add(align(lines, ended, onsets[period], window), taken.frame)
        self._write_if_due()
        return len(taken.frame)

    def evaluate(
        self,
        policy: Any,
        key: jax.Array,
        n_trials: int = 1000,
        *,
        n_sessions: int = 1,
        carry: Any = None,
        update: int | None = None,
        stage: str = "evaluation",
        layers: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> Evaluated:
        """Let a policy play whole sessions; record its trials, their rates as learning curves, and its activity.

        Training is not touched: these are sessions of their own, in a stage of their own.

        Args:
            policy: who plays, as for `nj.rollout`; or a network, which plays its greedy choices.
            key: typed key, of the sessions; not consumed.
            n_trials: of each session.
            n_sessions: how many.
            carry: the policy's carry at the start, of one lane.
            update: of the network; default: the last one that was told.
            stage: under which it is recorded.
            layers: activity to record, by name: a function that takes it out of the policy's carry, e.g.
                `{"hidden": lambda carry: carry[0]}` for a built-in network.

        Raises:
            InvalidArgument: for anything that is not allowed.

        Example:
            >>> import jax, tempfile, neurojax as nj
            >>> from neurojax.monitor import Monitor
            >>> task = nj.make("PerceptualDecisionMaking-v0")
            >>> with Monitor(tempfile.mkdtemp(), task) as monitor:
            ...     monitor.evaluate("oracle", jax.random.key(0), 20).rates["performance"]
            1.0
        """
        from neurojax.networks import Network

        self._check_open()
        if isinstance(policy, Network):
            from neurojax.training.evaluate import fits, policy_of

            fits(policy, self.task)
            policy, carry = policy_of(policy, self.task), policy.initial()
        data = session(self.task, key, n_trials, n_sessions=n_sessions, policy=policy, carry=carry)
        update = self._at(update)
        ended = self._take(data, update, stage, None, None)
        went = rates(ended.frame)
        self.scalars({stage: {name: value for name, value in went.items() if name != "trials"}}, update=update)
        if layers:
            held = carries(self.task, data, policy, carry)
            for name, layer in layers.items():
                self.activity(name, layer(held), data, update=update, stage=stage)
        return Evaluated(went, data)

    def flush(self) -> None:
        """Write what waits."""
        import pandas as pd

        self._check_open()
        self._trials.write()
        if self._waiting:
            frame = pd.concat(self._waiting, ignore_index=True)
            self._waiting = []
            went = rates(frame)
            _LOG.info(
                "%s: %d trials saved, performance %.3f, reward %.3f, response rate %.3f",
                self.folder, len(frame), went["performance"], went["reward"], went["response_rate"],
            )  # fmt: skip
        if self._scalars:
            self._points.append(pd.DataFrame(self._scalars, columns=list(_SCALARS_TOLD)), _SCALARS_TOLD)
            self._scalars = []
        for layer in self._layers.values():
            layer.write(self._columns)
        self._written = time.monotonic()
        if self._plot_every is not None and self._since_plot >= self._plot_every:
            self._since_plot = 0
            self.plot(self.folder / PICTURE)

    def cut(self, update: int) -> None:
        """Take back what was recorded of later updates, for a run that goes on from a checkpoint of this one.

        TensorBoard's files are left as they are.
        """
        check_count("update", update, 0)
        self.flush()
        keeps = lambda frame: frame["update"].to_numpy() <= update
        self._trials.cut(keeps)
        self._points.cut(keeps)
        for folder in sorted((self.folder / ACTIVITY).glob(f"*/*/{TRIALS}")):
            Parts(folder).cut(keeps)
        self._last = None
        self._open()
        self._update = min(self._update, update)

    def close(self) -> None:
        """Write what waits, and let others write to the folder."""
        if self._closed:
            return
        try:
            self.flush()
        finally:
            self._closed = True
            if self._board is not None:
                self._board.close()
            self._lock.free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # ------------------------------------------------------------------ reading

    @staticmethod
    def open(folder: str | Path) -> Recording:
        """What a folder holds, to be read; also while a monitor writes to it."""
        return Recording(folder)

    @property
    def recording(self) -> Recording:
        """What was recorded until now."""
        if not self._closed:
            self.flush()
        return Recording(self.folder)

    def plot(self, path: str | Path | None = None, **options: Any) -> Figure:
        """What was recorded until now in one figure (see `neurojax.viz.monitor.plot_recording`).

        Args:
            path: write it to a file, too.
            **options: of `plot_recording`.
        """
        from neurojax.viz.style import save

        figure = self.recording.plot(**options)
        if path is not None:
            save(figure, path)
        return figure

    # ------------------------------------------------------------------ inside

    def _take(self, data: Any, update: int | None, stage: str, key: Any, step: int | None) -> Ended:
        """Record the trials of `data`."""
        self._check_open()
        if not isinstance(stage, str) or not stage:
            raise InvalidArgument(f"stage must be a word, got {stage!r}")
        data, step = _located(data, step)
        ended = ended_trials(self.task, data, key=key, step=step)
        frame, counts = self._numbered(ended, self._at(update), stage)
        self._trials.add(frame, self._columns)  # refuses what does not fit, before anything else changes
        self._counts[stage], self._record = counts, self._record + 1
        self._totals[stage] = self._totals.get(stage, 0) + len(frame)
        ended = dataclasses.replace(ended, frame=frame)
        if len(frame):
            self._waiting.append(frame)
        self._since_plot += len(frame)
        self._last = (weakref.ref(data), ended, (self._update, stage))
        if self._board is not None and len(frame):
            for name, value in rates(frame).items():
                if name != "trials":
                    self._board.add_scalar(f"{stage}/trials/{name}", value, self._totals[stage])
        self._write_if_due()
        return ended

    def _taken(self, data: Any, update: int | None, stage: str | None) -> Ended | None:
        """The trials of `data`, if they are those that were recorded last, of this update and stage."""
        if self._last is None or self._last[0]() is not data:
            return None
        ended, of = self._last[1:]
        same = update in (None, of[0]) and stage in (None, of[1])
        return ended if same else None

    def _numbered(self, ended: Ended, update: int, stage: str) -> tuple[DataFrame, dict[int, int]]:
        """The rows of ended trials with the columns that a record adds, and how many trials each lane has then."""
        frame: Any = ended.frame.copy()
        columns = frame.attrs.get("columns", {})
        response = np.rint(frame["response_time"].to_numpy() / self.task.dt).astype(np.int32)
        counts = self._counts.get(stage, {})
        before = frame["session"].map(counts).fillna(0).astype(np.int64)
        trial = before + frame.groupby("session").cumcount()
        counts = counts | {int(lane): int(last) + 1 for lane, last in trial.groupby(frame["session"]).max().items()}
        first = {"stage": stage, "update": np.int64(update), "record": np.int64(self._record)}
        for place, (name, value) in enumerate(first.items()):
            frame.insert(place, name, value)
        frame.insert(4, "trial", trial)
        frame["response_step"] = response
        if self._reaction_from is not None:
            after = (response - ended.onset(self.task, self._reaction_from)) * float(self.task.dt)
            frame["reaction_time"] = np.where(frame["outcome"].isin(ANSWERED), after, np.nan)
        added = {name: {"units": units, "meaning": words} for name, (units, words) in ADDED.items()}
        self._columns |= {**columns, **added}
        frame.attrs = {}
        return frame, counts

    def _layer(self, name: str, period: str, window: range) -> Layer:
        if (name, period) not in self._layers:
            times = [n * float(self.task.dt) for n in window]
            about = {"layer": name, "period": period, "time_ms": times}
            self._layers[name, period] = Layer(self.folder / ACTIVITY / name / period, about)
        return self._layers[name, period]

    def _at(self, update: int | None) -> int:
        if update is not None:
            array = np.asarray(update)  # a whole number of NumPy's or JAX's, too
            whole = array.shape == () and array.dtype.kind in "iu"
            self._update = check_count("update", int(array) if whole else update, 0)
        return self._update

    def _write_if_due(self) -> None:
        waiting = max([sum(map(len, self._waiting)), *(layer.waiting for layer in self._layers.values())])
        if waiting >= self._save_every or time.monotonic() - self._written >= self._save_seconds:
            self.flush()

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidArgument(f"the monitor of {self.folder} is closed; open it again with resume=True")


def _located(data: Any, step: int | None) -> tuple[Any, int]:
    """The trials, and the step of the sessions at which a trajectory of them begins."""
    if step is not None:
        return trials_in(data), check_count("step", step, 0)
    if isinstance(data, Rollout) and data.trajectory is not None:
        return data.trajectory, int(data.state.step) - data.trajectory.new_trial.shape[1]
    return trials_in(data), 0


def _board(folder: Path) -> Any:
    from neurojax.monitor.tensorboard import open_writer

    return open_writer(folder / TENSORBOARD)
