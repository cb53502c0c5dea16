"""What a trained network does when it plays the task by the task's own rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from neurojax.core.task import Task


@dataclasses.dataclass(frozen=True)
class Cell:
    """How the trials of one combination of conditions went. Rates are NaN where they have no meaning.

    Attributes:
        conditions: the values given; empty for the task's own draws.
        trials: how many.
        performance: mean of the task's graded performance, in [0, 1].
        accuracy: correct trials over all trials.
        response_rate: trials that ended in a choice, right or wrong, over all trials.
        accuracy_given_response: correct trials over those.
        abort_rate, miss_rate: over all trials.
        response_ms: mean time from the trial's start to the end of the step of the choice, in ms, of those.
        choices: how often each action was the choice, `[A]`, of those; empty for continuous actions.
        reward: mean reward of a trial.
    """

    conditions: dict[str, float]
    trials: int
    performance: float
    accuracy: float
    response_rate: float
    accuracy_given_response: float
    abort_rate: float
    miss_rate: float
    response_ms: float
    choices: list[int]
    reward: float


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How a network plays.

    Attributes:
        overall: under the task's own draws.
        cells: one for each combination of the conditions that were given.
    """

    overall: Cell
    cells: list[Cell]

    def by(self, condition: str) -> list[Cell]:
        """The cells pooled over all conditions but one, in order of its values."""
        raise NotImplementedError


def evaluate(
    task: Task,
    network: Any,
    key: jax.Array,
    trials: int = 2000,
    conditions: Mapping[str, Sequence[float]] | None = None,
) -> Evaluation:
    """Play the network's greedy choices through the task's own rules.

    Args:
        task: the task.
        network: a `neurojax.networks.Network`.
        key: typed key; not consumed.
        trials: for each combination of conditions, and for the task's own draws.
        conditions: values by condition, crossed; default: `default_conditions(task)`.
    """
    raise NotImplementedError
