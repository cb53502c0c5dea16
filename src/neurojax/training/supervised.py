"""Supervised training: many updates in one compiled function, trials drawn inside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurojax.core.task import Task
from neurojax.training.config import RunConfig


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        update, updates: done, and wanted.
        loss: mean since the last report.
        accuracy: share of answers given rightly when they first were due, since the last report; NaN for continuous
            actions.
        trials_per_second: since compilation.
        elapsed: seconds since the start of the run.
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
        network: the network, a `neurojax.networks.Network`.
        metrics: columns "update", "loss", "accuracy", "seconds" as lists of one value a report.
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
) -> TrainResult:
    """Train a network on a task. Writes `config.toml`, `metrics.csv` and `checkpoints/` to `out`, where given.

    Args:
        config: the settings.
        out: the run's folder.
        resume: go on from the last checkpoint in `out`.
        overwrite: delete the run in `out` first.
        progress: called at each report.

    Raises:
        ExistingRun: if `out` holds a run, and neither `resume` nor `overwrite` is given.
        DamagedFile: if the checkpoint to resume from is missing or damaged.
        InvalidArgument: if `out` cannot be written, or settings do not fit.
    """
    raise NotImplementedError


def load_run(folder: str | Path) -> TrainResult:
    """A run as it stands in its folder (times are 0).

    Raises:
        InvalidArgument: if there is no run.
        DamagedFile: if its files cannot be used.
    """
    raise NotImplementedError
