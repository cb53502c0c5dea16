"""Where a benchmark runs, in words that do not identify the machine."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from benchmarks.record import Machine


def describe() -> Machine:
    """This machine and this Python."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Machine(
        processor=processor(),
        cores=cores(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages={name: version(name) for name in ("neurojax", "jax", "jaxlib", "flax", "optax", "gymnax", "numpy")},
        load=load,
    )


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The model of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def accelerators() -> list[str]:
    """The accelerators that JAX runs on, in its words: none on a CPU."""
    import jax

    return sorted({device.device_kind for device in jax.devices()} - {"cpu"})
