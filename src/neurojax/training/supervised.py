"""Supervised training: many updates in one compiled function, trials drawn inside it."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from neurojax.core.chance import path_hash
from neurojax.core.task import Task
from neurojax.errors import DamagedFile, ExistingRun, InvalidArgument
from neurojax.files import make_folder, read_text, write_atomic
from neurojax.networks import Network, make_network
from neurojax.training.checkpoints import load_checkpoint, save_checkpoint
from neurojax.training.config import RunConfig, load_config, save_config
from neurojax.training.steps import Hyperparameters, Plan, TrainState, no_sums, start_training, train_steps

CONFIG, METRICS, CHECKPOINTS = "config.toml", "metrics.csv", "checkpoints"
_COLUMNS = ("update", "loss", "accuracy", "seconds")
# What a run's folder may hold, and `overwrite` deletes; other files in it are left alone.
_OF_A_RUN = (CONFIG, METRICS, CHECKPOINTS, "figures", "report.html", "summary.json")
# Fewer lanes a device are not worth sharing (measured on two cores, benchmarks/RESULTS.md).
_LANES_EACH = 8
# Settings that may change on resuming: they do not change what an update does.
_MAY_CHANGE = ("updates", "checkpoint_every", "log_every", "devices")


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        update, updates: done, and wanted.
        loss: mean since the last report; NaN before the first.
        accuracy: share of answers given rightly when they first were due, since the last report; NaN for continuous
            actions.
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
        network: the network.
        metrics: columns "update", "loss", "accuracy", "seconds" as lists of one value a report.
        compile_seconds, run_seconds: wall time of compiling and of running the updates.
        update: how many updates it has had.
        devices: over how many devices the batch was shared.
        folder: the run's folder, where there is one.
    """

    config: RunConfig
    task: Task
    network: Network
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
) -> TrainResult:
    """Train a network on a task. Writes `config.toml`, `metrics.csv` and `checkpoints/` to `out`, where given.

    A resumed run equals an uninterrupted one bit for bit on the same number of devices; metrics are cut back to the
    checkpoint. Tasks whose observations depend on the subject's actions are learnt from trials in which the target is
    played now and then, see `steps.Explorer`.

    Args:
        config: the settings.
        out: the run's folder.
        resume: go on from the last checkpoint in `out`. Warns if the number of devices changed.
        overwrite: delete the run in `out` first.
        progress: called before compiling and at each report.

    Raises:
        ExistingRun: if `out` holds a run, and neither `resume` nor `overwrite` is given.
        DamagedFile: if the checkpoint to resume from is missing or damaged.
        InvalidArgument: if `out` cannot be written, or settings do not fit.

    Example:
        >>> from neurojax.training.config import RunConfig
        >>> from neurojax.training.supervised import train
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
    network, plan = build(config, task)
    key = jax.random.key(config.training.seed)
    state = start_training(task, key, network, plan)
    folder = None if out is None else Path(out)
    rows: list[tuple[float, ...]] = []
    if folder is not None and resume:
        state, rows = _resumed(config, folder, state)
    elif folder is not None:
        _fresh_folder(config, folder, overwrite)
    clock = _Clock(config, progress, began - (rows[-1][-1] if rows else 0.0))
    clock.compiling(int(state.update))
    started = time.perf_counter()
    run = compiled(task, key, config, plan, state)
    compile_seconds = time.perf_counter() - started
    clock.start(int(state.update))
    state = _loop(run, config, state, rows, folder, clock)
    state = jax.device_get(state)
    return TrainResult(
        config=config,
        task=task,
        network=_network(plan, state),
        metrics=_columns(rows),
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
    network, plan = build(config.replace({"training.devices": 1}), task)
    state, devices = _load(folder, start_training(task, jax.random.key(config.training.seed), network, plan))
    return TrainResult(
        config=config,
        task=task,
        network=_network(plan, state),
        metrics=_columns(_read_metrics(folder, int(state.update))),
        compile_seconds=0.0,
        run_seconds=0.0,
        update=int(state.update),
        devices=devices,
        folder=folder,
    )


def share(config: RunConfig) -> int:
    """Over how many devices the batch of a run is shared."""
    batch, wanted = config.training.batch_size, config.training.devices
    if wanted != "auto":
        return wanted
    most = max(1, min(jax.device_count(), batch // _LANES_EACH))
    return max(count for count in range(1, most + 1) if batch % count == 0)


def build(config: RunConfig, task: Task) -> tuple[Network, Plan]:
    """The network that the settings describe, with its first weights, and what is static in training it.

    Raises:
        InvalidArgument: if there are fewer devices than the settings ask for.
    """
    training, settings, devices = config.training, config.network, share(config)
    if devices > jax.device_count():
        raise InvalidArgument(f"training.devices={devices} but JAX has {jax.device_count()}")
    of_kind: dict[str, Any] = {"memory": settings.memory}
    if settings.kind == "leaky":
        names = ("tau", "nonlinearity", "recurrent_noise")
        of_kind = {name: getattr(settings, name) for name in names}
    key = jax.random.fold_in(jax.random.key(training.seed), path_hash("weights"))
    sizes = (task.channels.size, task.actions.size, settings.hidden)
    network = make_network(settings.kind, *sizes, key, dt=task.dt, **of_kind)
    graphdef, _ = nnx.split(network, nnx.Param)
    shape = (training.batch_size, training.data, training.n_steps, training.schedule, devices)
    return network, Plan(graphdef, *shape)


def compiled(task: Task, key: jax.Array, config: RunConfig, plan: Plan, state: TrainState) -> Callable[..., TrainState]:
    """`run(state, n)`: the compiled `train_steps` of a run. It consumes the state that it is given."""
    training = config.training
    numbers = (training.learning_rate, training.clip, training.answer_weight, training.updates)
    hyperparameters = Hyperparameters(*(np.asarray(x, np.float32) for x in numbers))

    def run(task, key, hyperparameters, state, n):
        return train_steps(task, key, hyperparameters, state, n, plan=plan)

    program = jax.jit(run, donate_argnums=3).lower(task, key, hyperparameters, state, np.int32(1)).compile()
    return lambda state, n: program(task, key, hyperparameters, state, np.int32(n))


def _loop(run, config: RunConfig, state: TrainState, rows: list, folder: Path | None, clock: _Clock) -> TrainState:
    """Make the updates that are left, stopping where something is to be reported or saved."""
    training = config.training
    update = int(state.update)
    while update < training.updates:
        ends = [update + every - update % every for every in (training.log_every, training.checkpoint_every)]
        stop = min(*ends, training.updates)
        state = jax.block_until_ready(run(state, stop - update))
        update = stop
        if update % training.log_every == 0 or update == training.updates:
            loss, accuracy, trials = _means(state)
            state = state.replace(sums=no_sums())
            rows.append((update, loss, accuracy, round(clock.elapsed(), 3)))
            clock.report(update, loss, accuracy, trials)
        if folder is not None and (update % training.checkpoint_every == 0 or update == training.updates):
            _write_metrics(folder, rows)
            held = {"state": jax.device_get(state), "devices": np.asarray(share(config), np.int32)}
            save_checkpoint(folder / CHECKPOINTS, update, held)
    return state


def _means(state: TrainState) -> tuple[float, float, float]:
    sums = jax.device_get(state.sums)
    accuracy = float(sums.right / sums.due) if sums.due > 0 else math.nan
    return float(sums.loss / sums.updates), accuracy, float(sums.trials)


class _Clock:
    """The time of a run, and its reports."""

    def __init__(self, config: RunConfig, progress: Callable[[Progress], None] | None, began: float):
        self._updates, self._progress, self._began = config.training.updates, progress, began
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

    def report(self, update: int, loss: float, accuracy: float, trials: float) -> None:
        self._trials += trials
        seconds = self.running()
        remaining = seconds / (update - self._first) * (self._updates - update)
        rate = self._trials / seconds
        self._tell(Progress(update, self._updates, loss, accuracy, rate, self.elapsed(), remaining))

    def _tell(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)


def _network(plan: Plan, state: TrainState) -> Network:
    return nnx.merge(plan.graphdef, state.params)


# ---------------------------------------------------------------------- the folder of a run


def _fresh_folder(config: RunConfig, folder: Path, overwrite: bool) -> None:
    exists = (folder / CONFIG).exists() or (folder / CHECKPOINTS).exists()
    if exists and not overwrite:
        raise ExistingRun(f"{folder} holds a run already; resume it, overwrite it, or choose another folder")
    make_folder(folder)
    for name in _OF_A_RUN:
        path = folder / name
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InvalidArgument(f"cannot overwrite {path}: {error.strerror or error}") from None
    save_config(config, folder / CONFIG)


def _resumed(config: RunConfig, folder: Path, state: TrainState) -> tuple[TrainState, list[tuple[float, ...]]]:
    if not (folder / CONFIG).is_file():
        raise InvalidArgument(f"{folder} holds no run to resume (it has no {CONFIG})")
    before, now = load_config(folder).model_dump(), config.model_dump()
    for section in ("task", "network", "training"):
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
    rows = _read_metrics(folder, int(state.update))
    make_folder(folder)
    save_config(config, folder / CONFIG)
    _write_metrics(folder, rows)
    return state, rows


def _load(folder: Path, like: TrainState) -> tuple[TrainState, int]:
    held = load_checkpoint(folder / CHECKPOINTS, {"state": like, "devices": np.asarray(0, np.int32)})
    return held["state"], int(held["devices"])


def _write_metrics(folder: Path, rows: list[tuple[float, ...]]) -> None:
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows([[int(row[0]), *(f"{value:.9g}" for value in row[1:])] for row in rows])
    write_atomic(folder / METRICS, file.getvalue())


def _read_metrics(folder: Path, update: int) -> list[tuple[float, ...]]:
    """The reports up to an update."""
    path = folder / METRICS
    if not path.exists():
        return []
    header, *rows = list(csv.reader(read_text(path, "metrics").splitlines())) or [[]]
    try:
        if tuple(header) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
            raise ValueError
        read = [(int(row[0]), *(float(value) for value in row[1:])) for row in rows]
    except ValueError:
        raise DamagedFile(f"the metrics {path} are damaged: they must have the columns {', '.join(_COLUMNS)}") from None
    return [row for row in read if row[0] <= update]


def _columns(rows: list[tuple[float, ...]]) -> dict[str, list[float]]:
    return {name: [row[i] for row in rows] for i, name in enumerate(_COLUMNS)}
