"""What the command line settles before JAX starts: how many devices the host has, and where compiled code is kept."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

CACHE_VARIABLE = "NEUROJAX_CACHE_DIR"


# More host devices than this would cost more than they bring.
_MOST = 8


def cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def prepare(devices: int | str | None = None) -> None:
    """Give JAX one host device a core (or `devices`, where more are asked for), and the persistent compilation cache.

    Nothing is done where the user has decided in the environment (`XLA_FLAGS`, `JAX_NUM_CPU_DEVICES`,
    `JAX_COMPILATION_CACHE_DIR`), or where JAX runs already, as in a test.
    """
    import jax

    if "host_platform_device_count" not in os.environ.get("XLA_FLAGS", "") and "JAX_NUM_CPU_DEVICES" not in os.environ:
        with contextlib.suppress(RuntimeError):  # JAX has started: it keeps the devices that it has
            jax.config.update(
                "jax_num_cpu_devices", max(min(cores(), _MOST), devices if isinstance(devices, int) else 1)
            )
    folder = cache_folder()
    if folder is not None and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def cache_folder() -> Path | None:
    """Where compiled programs are kept: `NEUROJAX_CACHE_DIR` (empty: nowhere), or the user's cache folder.

    None where the folder cannot be made: a cache is never worth a failure.
    """
    stated = os.environ.get(CACHE_VARIABLE)
    if stated == "":
        return None
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(stated) if stated else (Path(home) if home else Path.home() / ".cache") / "neurojax"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None
