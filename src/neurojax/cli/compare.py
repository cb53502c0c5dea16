"""A network beside animals: what can be compared, and why the rest cannot."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from neurojax.analysis.behaviour import Trials
from neurojax.analysis.psychometric import Choices, PsychometricFit, fit_psychometric
from neurojax.analysis.summary import Readout, network_trials, why_no_psychometrics
from neurojax.core.task import Task
from neurojax.modifiers.reaction_time import ReactionTime
from neurojax.training.evaluate import COHERENCES

if TYPE_CHECKING:
    from neurojax.training.runs import TrainResult


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Animals' trials and a network's.

    Attributes:
        source: the file.
        animals: their trials.
        network: the network's; None where the task allows no comparison.
        chronometric: whether response times are compared.
        readout: how the network's outputs became responses.
        non_decision_time: ms, part of the network's response times.
        left_out: a sentence for each comparison that has no meaning.
    """

    source: str
    animals: Trials
    network: Trials | None
    chronometric: bool
    readout: Readout
    non_decision_time: float
    left_out: tuple[str, ...]

    @cached_property
    def fits(self) -> dict[str, tuple[Choices, PsychometricFit]]:
        """Choices and their fit: of the "network", where there is one, and of the "animals"."""
        who = {"network": self.network, "animals": self.animals}
        counted = {name: trials.choices() for name, trials in who.items() if trials is not None}
        return {name: (choices, fit_psychometric(choices)) for name, choices in counted.items()}

    def readout_label(self) -> str:
        """What the network's response times are made of."""
        return f"{self.readout}; + {self.non_decision_time:g} ms non-decision time"

    def describe(self) -> str:
        """The animals' trials in a sentence."""
        choices = self.animals.choices()
        missing = int(choices.missing.sum()) + choices.unplaced
        subjects = len(self.animals.subjects)
        of = f" of {subjects} animal{'s' if subjects > 1 else ''}" if subjects else ""
        return f"{len(self.animals):,} trials{of} from {self.source}, {missing:,} of them without a choice."

    def notes(self) -> list[str]:
        """What to bear in mind."""
        if self.network is None:
            return []
        missing, trials = int(np.sum(~self.network.answered)), len(self.network)
        if missing < 0.02 * trials:
            return []
        note = f"The network gave no response in {missing:,} of its {trials:,} trials: they count as missing"
        times = ", and mean response times are those of the rest, which at low coherence are the quicker ones"
        return [note + (times if self.chronometric else "") + "."]

    def rows(self) -> list[dict[str, Any]]:
        """By the animals' coherences: `animals` and, where there is one, `network`."""
        network = {} if self.network is None else {r["coherence"]: r for r in self.network.by_coherence()}
        rows = []
        for row in self.animals.by_coherence():
            both: dict[str, Any] = {"coherence": row["coherence"], "animals": row}
            if self.network is not None:
                of = dict(network[_near(row["coherence"], list(network))])
                if not self.chronometric:
                    of = {k: v for k, v in of.items() if not k.startswith("response_time")}
                both["network"] = of
            rows.append(both)
        return rows

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "source": self.source,
            "description": self.describe(),
            "readout": str(self.readout) if self.network is not None else None,
            "non_decision_time_ms": self.non_decision_time if self.chronometric else None,
            "left_out": list(self.left_out),
            "notes": self.notes(),
            "by_coherence": self.rows(),
            "psychometric": {name: fit.to_dict() for name, (_, fit) in reversed(self.fits.items())},
        }


def compare(
    result: TrainResult,
    animals: Trials,
    source: str,
    *,
    readout: Readout | None,
    non_decision_time: float | None,
) -> Comparison:
    """Play the network at the animals' coherences, and settle what may be compared.

    Args:
        result: the trained network.
        animals: their trials.
        source: where these come from.
        readout: how the network responds, None if it was not stated.
        non_decision_time: in ms, None if it was not stated.
    """
    task, config = result.task, result.config
    left_out = []
    reason = why_no_psychometrics(task)
    if not reason and float(animals.strength.max()) > 100:
        reason = f"the coherences in {source} go up to {animals.strength.max():g}, beyond 100 percent."
    if reason:
        left_out.append(f"No psychometric comparison: {reason}")
    why_not = (
        _why_no_times(task, animals, readout, non_decision_time) if not reason else "there are no curves to compare."
    )
    if why_not:
        left_out.append(f"No chronometric comparison: {why_not}")
    used = readout or Readout()
    network = None
    if not reason:
        levels = sorted({round(float(c), 6) for c in (*COHERENCES, *np.unique(animals.strength))})
        key = jax.random.key(config.evaluation.seed)
        network = network_trials(
            task, result.network, key, config.evaluation.trials, levels, readout=used,
            non_decision_time=non_decision_time or 0.0,
        )  # fmt: skip
    return Comparison(source, animals, network, not why_not, used, non_decision_time or 0.0, tuple(left_out))


def _why_no_times(task: Task, animals: Trials, readout: Readout | None, non_decision_time: float | None) -> str:
    """Why response times cannot be compared; empty if they can."""
    if not isinstance(task, ReactionTime):
        return (
            "the task is no reaction-time version, so the network cannot choose when to respond "
            '(train one with --set modifiers=[{"name":"reaction_time"}]).'
        )
    if animals.time is None:
        return "the file has no response times."
    missing = [
        name for name, value in (("--readout", readout), ("--non-decision-time", non_decision_time)) if value is None
    ]
    return f"it needs {' and '.join(missing)} to be stated." if missing else ""


def _near(value: float, known: list[float]) -> float:
    return min(known, key=lambda k: abs(k - value))
