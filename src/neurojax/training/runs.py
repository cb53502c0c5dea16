"""A training run: its folder, its clock, its checkpoints and reports, whatever the algorithm."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from neurojax.core.task import Task
from neurojax.errors import DamagedFile, ExistingRun, InvalidArgument
from neurojax.files import delete, make_folder, read_text, write_atomic
from neurojax.training.checkpoints import load_checkpoint, save_checkpoint
from neurojax.training.config import RunConfig, load_config, save_config, share

CONFIG, METRICS, CHECKPOINTS, MONITOR = "config.toml", "metrics.csv", "checkpoints", "monitor"
# What a run's folder may hold, and `overwrite` deletes; other files in it are left alone.
_OF_A_RUN = (CONFIG, METRICS, CHECKPOINTS, MONITOR, "figures", "report.html", "summary.json")
# Settings that may change on resuming: they do not change what an update does.
_MAY_CHANGE = ("updates", "checkpoint_every", "log_every", "devices")


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        update, updates: done, and wanted.
        loss: mean since the last report; NaN before the first.
        accuracy: since the last report: supervised, the share of answers given rightly when they first were due (NaN
            for continuous actions); from reward, the mean performance of the trials that ended.
        trials_per_second: since compilation.
        elapsed: seconds since the start of the run, those before it was resumed included.
        remaining: seconds to go, estimated; NaN before the first updates ran.
        compiling: whether the run is still compiling.
    """

    update: int
    updates: int
    loss: float
    accuracy: float
    trials_per_second: float
    elapsed: float
    remaining: float
    compiling: bool = False


@dataclasses.dataclass(frozen=True)
class TrainResult:
    """A trained network.

    Attributes:
        config: the settings.
        task: the task.
        network: the network; of an actor-critic run, the agent.
        metrics: columns "update", "loss", "accuracy", "seconds", and others that the algorithm has, as lists of one
            value a report.
        compile_seconds, run_seconds: wall time of compiling and of running the updates.
        update: how many updates it has had.
        devices: over how many devices the batch was shared.
        folder: the run's folder, where there is one.
    """

    config: RunConfig
    task: Task
    network: Any
    metrics: dict[str, list[float]]
    compile_seconds: float
    run_seconds: float
    update: int
    devices: int
    folder: Path | None = None


def train(
    config: RunConfig,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
    watch: Callable[[Progress, Any], None] | None = None,
) -> TrainResult:
    """Train a network on a task, supervised or from reward.

    Writes `config.toml`, `metrics.csv` and `checkpoints/` to `out`, where given.

    A resumed run equals an uninterrupted one bit for bit on the same number of devices; metrics are cut back to the
    checkpoint. Supervised, tasks whose observations depend on the subject's actions are learnt from trials in which the
    target is played now and then, see `steps.Explorer`.

    Args:
        config: the settings.
        out: the run's folder.
        resume: go on from the last checkpoint in `out`. Warns if the number of devices changed.
        overwrite: delete the run in `out` first.
        progress: called before compiling and at each report.
        watch: called at each report with the network (or agent) as it is, after `progress`.

    Raises:
        ExistingRun: if `out` holds a run, and neither `resume` nor `overwrite` is given.
        DamagedFile: if the checkpoint to resume from is missing or damaged.
        InvalidArgument: if `out` cannot be written, or settings do not fit.

    Example:
        >>> from neurojax.training.config import RunConfig
        >>> from neurojax.training.runs import train
        >>> config = RunConfig(
        ...     task={"keywords": {"timing": {"stimulus": 100}}},
        ...     network={"hidden": 8},
        ...     training={"updates": 20, "batch_size": 8, "log_every": 10},
        ... )
        >>> train(config).metrics["update"]
        [10, 20]
    """
    began = time.perf_counter()
    if resume and overwrite:
        raise InvalidArgument("resume=True and overwrite=True exclude each other")
    if resume and out is None:
        raise InvalidArgument("resume=True needs out, the folder of the run to go on with")
    config = config.replace({"training.devices": share(config)})
    task = config.make_task()
    course = _course(config)
    network, plan = course.build(config, task)
    key = jax.random.key(config.training.seed)
    state = course.start(task, key, network, plan)
    columns = _names(course)
    folder = None if out is None else Path(out)
    rows: list[tuple[float, ...]] = []
    if folder is not None and resume:
        state, rows = _resumed(config, folder, state, columns)
    elif folder is not None:
        _fresh_folder(config, folder, overwrite)
    seen = (
        None if watch is None else lambda now, state: watch(now, course.trained(network, plan, jax.device_get(state)))
    )
    clock = _Clock(config, progress, seen, began - (rows[-1][-1] if rows else 0.0))
    clock.compiling(int(state.update))
    started = time.perf_counter()
    run = course.compiled(task, key, config, network, plan, state)
    compile_seconds = time.perf_counter() - started
    clock.start(int(state.update))
    state = _loop(run, course, config, state, rows, columns, folder, clock)
    state = jax.device_get(state)
    return TrainResult(
        config=config,
        task=task,
        network=course.trained(network, plan, state),
        metrics=_columns(rows, columns),
        compile_seconds=compile_seconds,
        run_seconds=clock.running(),
        update=int(state.update),
        devices=share(config),
        folder=folder,
    )


def load_run(folder: str | Path) -> TrainResult:
    """A run as it stands in its folder, with the network of its last checkpoint (wall times are 0).

    Raises:
        InvalidArgument: if there is no run.
        DamagedFile: if its files cannot be used.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise InvalidArgument(f"{folder} holds no run (it has no {CONFIG})")
    config = load_config(folder)
    task = config.make_task()
    course = _course(config)
    network, plan = course.build(config.replace({"training.devices": 1}), task)
    state, devices = _load(folder, course.start(task, jax.random.key(config.training.seed), network, plan))
    columns = _names(course)
    return TrainResult(
        config=config,
        task=task,
        network=course.trained(network, plan, state),
        metrics=_columns(_read_metrics(folder, int(state.update), columns), columns),
        compile_seconds=0.0,
        run_seconds=0.0,
        update=int(state.update),
        devices=devices,
        folder=folder,
    )


def _names(course: Any) -> tuple[str, ...]:
    """The columns of the metrics."""
    return ("update", "loss", *course.COLUMNS, "seconds")


def _course(config: RunConfig) -> Any:
    """The module of the algorithm: it builds, starts, compiles, and says what there is to report."""
    from neurojax.training import reinforced, supervised

    return supervised if config.training.algorithm == "supervised" else reinforced


def _loop(
    run, course: Any, config: RunConfig, state: Any, rows: list, columns: Sequence[str], folder: Path | None, clock
) -> Any:
    """Make the updates that are left, stopping where something is to be reported or saved."""
    training = config.training
    update = int(state.update)
    while update < training.updates:
        ends = [update + every - update % every for every in (training.log_every, training.checkpoint_every)]
        stop = min(*ends, training.updates)
        state = jax.block_until_ready(run(state, stop - update))
        update = stop
        if update % training.log_every == 0 or update == training.updates:
            figures, trials = course.means(state)
            state = course.forget(state)
            figures |= {"update": update, "seconds": round(clock.elapsed(), 3)}
            rows.append(tuple(figures[name] for name in columns))
            clock.report(update, figures["loss"], figures["accuracy"], trials, state)
        if folder is not None and (update % training.checkpoint_every == 0 or update == training.updates):
            _write_metrics(folder, rows, columns)
            held = {"state": jax.device_get(state), "devices": np.asarray(share(config), np.int32)}
            save_checkpoint(folder / CHECKPOINTS, update, held)
    return state


class _Clock:
    """The time of a run, and its reports."""

    def __init__(
        self,
        config: RunConfig,
        progress: Callable[[Progress], None] | None,
        watch: Callable[[Progress, Any], None] | None,
        began: float,
    ):
        self._updates, self._progress, self._watch, self._began = config.training.updates, progress, watch, began
        self._started, self._first, self._trials = time.perf_counter(), 0, 0.0

    def compiling(self, update: int) -> None:
        nan = math.nan
        self._tell(Progress(update, self._updates, nan, nan, nan, self.elapsed(), nan, compiling=True))

    def start(self, update: int) -> None:
        self._started, self._first = time.perf_counter(), update

    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    def running(self) -> float:
        return time.perf_counter() - self._started

    def report(self, update: int, loss: float, accuracy: float, trials: float, state: Any) -> None:
        self._trials += trials
        seconds = self.running()
        remaining = seconds / (update - self._first) * (self._updates - update)
        rate = self._trials / seconds
        now = Progress(update, self._updates, loss, accuracy, rate, self.elapsed(), remaining)
        self._tell(now)
        if self._watch is not None:
            self._watch(now, state)

    def _tell(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)


# ---------------------------------------------------------------------- the folder of a run


def _fresh_folder(config: RunConfig, folder: Path, overwrite: bool) -> None:
    exists = (folder / CONFIG).exists() or (folder / CHECKPOINTS).exists()
    if exists and not overwrite:
        raise ExistingRun(f"{folder} holds a run already; resume it, overwrite it, or choose another folder")
    make_folder(folder)
    delete(folder, _OF_A_RUN)
    save_config(config, folder / CONFIG)


def _resumed(
    config: RunConfig, folder: Path, state: Any, columns: Sequence[str]
) -> tuple[Any, list[tuple[float, ...]]]:
    if not (folder / CONFIG).is_file():
        raise InvalidArgument(f"{folder} holds no run to resume (it has no {CONFIG})")
    before, now = load_config(folder).model_dump(), config.model_dump()
    for section in ("task", "network", "training", "reinforcement"):
        for name, value in now[section].items():
            may_change = section == "training" and name in _MAY_CHANGE
            if value != before[section][name] and not may_change:
                raise InvalidArgument(
                    f"{section}.{name} was {before[section][name]!r} and is {value!r}; a run cannot be resumed with it"
                )
    state, devices = _load(folder, state)
    if config.training.updates < state.update:
        raise InvalidArgument(
            f"training.updates={config.training.updates}, but the run in {folder} has had {int(state.update)} already"
        )
    if devices != share(config):
        warnings.warn(
            f"the run was trained on {devices} device(s) and goes on with {share(config)}: "
            "its weights will not be bit for bit those of an uninterrupted run",
            stacklevel=3,
        )
    rows = _read_metrics(folder, int(state.update), columns)
    make_folder(folder)
    save_config(config, folder / CONFIG)
    _write_metrics(folder, rows, columns)
    return state, rows


def _load(folder: Path, like: Any) -> tuple[Any, int]:
    held = load_checkpoint(folder / CHECKPOINTS, {"state": like, "devices": np.asarray(0, np.int32)})
    return held["state"], int(held["devices"])


def _write_metrics(folder: Path, rows: list[tuple[float, ...]], columns: Sequence[str]) -> None:
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(columns)
    table.writerows([[int(row[0]), *(f"{value:.9g}" for value in row[1:])] for row in rows])
    write_atomic(folder / METRICS, file.getvalue())


def _read_metrics(folder: Path, update: int, columns: Sequence[str]) -> list[tuple[float, ...]]:
    """The reports up to an update."""
    path = folder / METRICS
    if not path.exists():
        return []
    header, *rows = list(csv.reader(read_text(path, "metrics").splitlines())) or [[]]
    try:
        if header != list(columns) or any(len(row) != len(columns) for row in rows):
            raise ValueError
        read = [(int(row[0]), *(float(value) for value in row[1:])) for row in rows]
    except ValueError:
        raise DamagedFile(f"the metrics {path} are damaged: they must have the columns {', '.join(columns)}") from None
    return [row for row in read if row[0] <= update]


def _columns(rows: list[tuple[float, ...]], columns: Sequence[str]) -> dict[str, list[float]]:
    return {name: [row[i] for row in rows] for i, name in enumerate(columns)}
