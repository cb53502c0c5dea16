"""What a record says of itself, in JSON, and the lock of who writes it."""

from __future__ import annotations

import contextlib
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from neurojax.core.task import Task
from neurojax.data.sessions import about_task
from neurojax.errors import DamagedFile, ExistingRun, InvalidArgument
from neurojax.files import read_text, write_atomic

FILE, LOCK, FORMAT = "monitor.json", "monitor.lock", "neurojax monitor 1"
# What may differ where a record is gone on with.
_MAY_CHANGE = ("version", "versions", "began")


def describe(task: Task, seed: int | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Task, seed, versions, the time (UTC) and the monitor's own settings, in plain numbers and words."""
    import jax

    about = {name: value for name, value in about_task(task, (), None).items() if name not in ("key", "policy")}
    about |= {"format": FORMAT, "seed": seed, "monitor": settings}
    about["versions"] = {"python": platform.python_version(), "jax": jax.__version__, "numpy": np.__version__}
    about["began"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.loads(json.dumps(about))


def write_about(folder: Path, about: dict[str, Any]) -> None:
    """Write what a record says of itself."""
    write_atomic(folder / FILE, json.dumps(about, indent=2) + "\n")


def read_about(folder: Path) -> dict[str, Any]:
    """What a record says of itself.

    Raises:
        InvalidArgument: if there is none.
        DamagedFile: if it cannot be used.
    """
    if not (folder / FILE).is_file():
        raise InvalidArgument(f"{folder} holds no record of a monitor (it has no {FILE})")
    try:
        about = json.loads(read_text(folder / FILE, "record"))
    except ValueError as error:
        raise DamagedFile(f"the record {folder / FILE} is damaged: {error}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DamagedFile(f"the record {folder / FILE} is damaged: it is not in the format {FORMAT!r}")
    return about


def check_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    """Refuse to go on with a record of another task, or with other settings.

    Raises:
        InvalidArgument: naming what differs.
    """
    for name in [*now, *(name for name in before if name not in now)]:
        old, new = before.get(name), now.get(name)
        if old == new or name in _MAY_CHANGE or (name == "seed" and new is None):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            part = next(part for part in {**old, **new} if old.get(part) != new.get(part))
            name, old, new = f"{name}.{part}", old.get(part), new.get(part)
        raise InvalidArgument(f"{name} was {old!r} in {folder} and is {new!r}; the record cannot go on with it")


class Lock:
    """One writer a folder: the system frees the lock of a process that was killed.

    Raises:
        ExistingRun: if another process, or another monitor, holds it.
    """

    def __init__(self, folder: Path):
        self._file = (folder / LOCK).open("w")
        try:
            import fcntl
        except ImportError:  # not on this system
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ExistingRun(f"another monitor is writing to {folder}") from None
        except OSError:  # a file system without locks
            pass

    def free(self) -> None:
        """Let another write."""
        with contextlib.suppress(OSError):
            self._file.close()
