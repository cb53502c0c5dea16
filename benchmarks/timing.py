"""Timing: compiling apart from running, medians over repeats, and what is compared run in turns."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: how long to repeat what is compared, at least.
        repeats: how often to repeat it, at least.
        scale: factor of the loops inside each repeat.
    """

    seconds: float
    repeats: int
    scale: float

    def loops(self, full: int) -> int:
        """The length of a loop that is `full` at full effort; 2 or more."""
        return max(2, round(full * self.scale))


FULL = Effort(seconds=3.0, repeats=9, scale=1.0)
QUICK = Effort(seconds=0.0, repeats=3, scale=0.05)


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds that one call takes: median, least and most of the repeats; and what compiling cost before."""

    seconds: float
    least: float
    most: float
    repeats: int
    compile_seconds: float


def time_in_turns(calls: Mapping[str, Callable[[], Any]], effort: Effort) -> dict[str, Timing]:
    """Time calls of no arguments by name, in turns, so that a slower minute of the machine slows all of them.

    Each call is one dispatch, and is waited for until its arrays are there. The first call of each, which compiles,
    is not among the repeats: its time less the median is what compiling cost.
    """
    first = {name: _time(call) for name, call in calls.items()}
    seen: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    rounds = 0
    while rounds < effort.repeats or time.perf_counter() - start < effort.seconds:
        for name, call in calls.items():
            seen[name].append(_time(call))
        rounds += 1
    medians = {name: statistics.median(times) for name, times in seen.items()}
    return {
        name: Timing(medians[name], min(times), max(times), len(times), max(0.0, first[name] - medians[name]))
        for name, times in seen.items()
    }


def _time(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start
