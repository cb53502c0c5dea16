"""Fixtures that tests share. What is expensive to compile is made once a session."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

# Compiling is most of what tests cost, and what is compiled here runs once: without these passes it takes a sixth less.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_llvm_disable_expensive_passes=true".strip()

import jax
import pytest

import neurojax as nj
from neurojax.core.library import LIBRARY

# These run where NeuroGym is, and import it.
collect_ignore = ["parity/record.py", "parity/record_modifiers.py", "parity/wrap.py"]

# One task of each kind, for tests that look at a view from all sides; test_library.py has what every task must pass.
CORE = (
    "DelayMatchSample-v0",
    "HierarchicalReasoning-v0",
    "PerceptualDecisionMaking-v0",
    "Reaching1D-v0",
    "ReachingDelayResponse-v0",
    "ReadySetGo-v0",
)
_MANY_MAPS = 20_000  # of the 65,530 that Linux allows a process
# The longest first, so that no worker is left with them at the end.
_FIRST = ("test_library", "test_parity", "test_promises", "test_training", "test_cli")


def pytest_runtest_teardown(item, nextitem):
    """Forget what a family or file compiled before the next, where much has gathered: a process that holds thousands of
    programs runs out of memory maps, and the compiler crashes. What is not forgotten need not be compiled again."""
    if nextitem is not None and _family(item) != _family(nextitem) and _memory_maps() > _MANY_MAPS:
        jax.clear_caches()


def _memory_maps() -> float:
    """How many memory maps this process holds; infinitely many where that is not told."""
    try:
        return len(Path("/proc/self/maps").read_bytes().splitlines())
    except OSError:
        return float("inf")


def _family(item) -> str:
    """The tests that share what is compiled: a file, and in the library's the tasks of one module."""
    if item.path.stem == "test_library" and hasattr(item, "callspec"):
        return LIBRARY[item.callspec.params["id"]].split(":")[0]
    return item.path.stem


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker is left with them at the end; the library by family."""
    rank = {name: i for i, name in enumerate(_FIRST)}
    order = {name: i for i, name in enumerate(dict.fromkeys(_family(item) for item in items))}
    items.sort(key=lambda item: (rank.get(item.path.stem, len(rank)), order[_family(item)]))


@cache
def _views(id: str):
    task = nj.make(id)
    key = jax.random.key(11)
    steps = int(2.5 * task.capacity)
    return {
        "task": task,
        "key": key,
        "steps": steps,
        "batch": nj.render(task, key, 16, devices=1),
        "stream": nj.stream(task, key, 16, steps, devices=1),
        "oracle": nj.rollout(task, key, 16, steps, policy="oracle", devices=1),
    }


@pytest.fixture(scope="session", params=CORE)
def views(request):
    """Each core task at its defaults in 16 lanes: a batch, a stream, and a rollout of the oracle."""
    return _views(request.param)
