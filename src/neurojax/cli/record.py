"""`neurojax train --monitor`: what the network does while it trains, recorded beside the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax

from neurojax.core.chance import path_hash
from neurojax.monitor.monitor import PICTURE, Monitor
from neurojax.monitor.parts import arrow
from neurojax.training.config import RunConfig
from neurojax.training.runs import MONITOR, Progress

# Of each report: enough for rates with a standard error of .03, few enough not to slow the run.
_SESSIONS, _TRIALS = 16, 20


class Record:
    """Records a run: at each report its figures and sessions that the network plays; at the last, its activity too.

    Args:
        folder: the run's.
        config: its settings.
        resume: whether the run goes on.
        tensorboard: whether to write learning curves for TensorBoard, too.
    """

    def __init__(self, folder: Path, config: RunConfig, *, resume: bool, tensorboard: bool):
        self._folder, self._config, self._resume, self._tensorboard = folder / MONITOR, config, resume, tensorboard
        arrow()  # a package that is missing is told before anything is trained
        self._monitor: Monitor | None = None
        self._from = 0

    def begins(self, now: Progress) -> None:
        """Told before the first update: what was recorded after it is forgotten."""
        self._from = now.update

    def __call__(self, now: Progress, network: Any) -> None:
        """Record a report."""
        monitor = self._opened()
        monitor.scalars({"loss": now.loss, "accuracy": now.accuracy}, update=now.update)
        key = jax.random.fold_in(jax.random.key(self._config.evaluation.seed), path_hash("monitor"))
        layers = {"hidden": _hidden} if now.update == now.updates else None
        monitor.evaluate(network, key, _TRIALS, n_sessions=_SESSIONS, update=now.update, layers=layers)

    def close(self) -> None:
        """Write what waits, and a picture."""
        if self._monitor is not None:
            with self._monitor:
                self._monitor.plot(self._folder / PICTURE)

    def _opened(self) -> Monitor:
        if self._monitor is None:
            self._monitor = Monitor(
                self._folder,
                self._config.make_task(),
                seed=self._config.training.seed,
                resume=self._resume,
                tensorboard=self._tensorboard,
            )
            if self._resume:
                self._monitor.cut(self._from)
        return self._monitor


def _hidden(carry: Any) -> Any:
    """The hidden units in what a network, or an agent, carries."""
    inner = getattr(carry, "carry", carry)
    return inner[0] if isinstance(inner, tuple) else inner
