"""The control of a comparison: a protocol compared with itself, where nothing should differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.analysis.psychometric import wilson
from neurojax.errors import InvalidArgument
from neurojax.protocols.endpoints import shared_horizon
from neurojax.protocols.judge import Comparison, compare_times

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclasses.dataclass(frozen=True)
class Control:
    """A protocol compared with itself: how often the interval of the ratio held 1, as it should at its level.

    Attributes:
        held, pairs: how often, of how many comparisons.
        level: of the intervals.
        low, high: Wilson's interval of the share.
        ratios: float64 `[pairs]`.
        how: what was compared.
    """

    held: int
    pairs: int
    level: float
    low: float
    high: float
    ratios: np.ndarray
    how: str

    @property
    def share(self) -> float:
        """The share of comparisons whose interval held 1."""
        return self.held / self.pairs

    @property
    def plausible(self) -> bool:
        """Whether the share goes with the level (exact binomial test, at 1 in 100)."""
        from scipy.stats import binomtest

        return bool(binomtest(self.held, self.pairs, self.level).pvalue > 0.01)


def control(
    repeats: Sequence[DataFrame], *, paired: bool = True, how: str = "repeated simulations", **options: Any
) -> Control:
    """Compare a protocol with itself: the first repeat with the second, the third with the fourth, and so on.

    Args:
        repeats: times from `endpoint` of simulations of one protocol, an even number: of the same individuals with
            other seeds (paired), or of disjoint groups of subjects (not paired).
        paired, options: as for `compare_times`.
        how: what was repeated, for the report.

    Raises:
        InvalidArgument: for an odd number of repeats, or none.
    """
    if not repeats or len(repeats) % 2:
        raise InvalidArgument(f"repeats are compared two by two: give an even number of them, got {len(repeats)}")
    options = {"seed": 0, **options}
    found = []
    for i in range(0, len(repeats), 2):
        seeded = {**options, "seed": options["seed"] + i}
        found.append(compare_times(repeats[i], repeats[i + 1], paired=paired, **seeded))
    return _control(found, how)


def split_control(frame: DataFrame, *, splits: int = 100, seed: int = 0, **options: Any) -> Control:
    """Compare halves of the subjects of one protocol, split at random so many times: not paired.

    Args:
        frame: times from `endpoint`.
        splits: how many.
        seed: of the splits, and of the bootstraps.
        options: as for `compare_times`.

    Raises:
        InvalidArgument: if there are fewer than 4 subjects.
    """
    if len(frame) < 4:
        raise InvalidArgument(f"two halves need 4 subjects or more, got {len(frame)}")
    rng = np.random.default_rng(seed)
    options = {"horizon": shared_horizon([frame]), **options}
    found = []
    for i in range(splits):
        order = rng.permutation(len(frame))
        halves = [frame.iloc[np.sort(part)] for part in np.array_split(order, 2)]
        found.append(compare_times(*halves, paired=False, seed=seed + i, **options))
    return _control(found, "halves of the subjects, split at random")


def _control(found: Sequence[Comparison], how: str) -> Control:
    held = sum(one.holds_one for one in found)
    level = found[0].level
    low, high = wilson(held, len(found), level)
    ratios = np.array([one.ratio.value for one in found])
    return Control(held, len(found), level, float(low), float(high), ratios, how)
