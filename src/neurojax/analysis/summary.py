"""What a trained network achieved, beside what can be achieved: the numbers behind tables, reports and JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from neurojax.analysis.behaviour import Trials
from neurojax.analysis.psychometric import Choices, PsychometricFit, fit_psychometric, ideal_choices
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument

if TYPE_CHECKING:
    from neurojax.networks import Network
    from neurojax.training.agents import Agent
    from neurojax.training.config import RunConfig
    from neurojax.training.evaluate import Evaluation

# A condition with more values than this is left out of tables.
_MOST_VALUES = 8
_MOST_TRIALS = 8192


@dataclasses.dataclass(frozen=True)
class Psychometrics:
    """A network's psychometric curve, or why it has none.

    Attributes:
        choices: counted by signed coherence.
        fit: of the psychometric function.
        ideal: P(right) of the ideal observer by signed coherence in percent, where it is known.
    """

    choices: Choices
    fit: PsychometricFit
    ideal: Callable[[np.ndarray], np.ndarray] | None


def why_no_psychometrics(task: Task) -> str:
    """Why a task has no psychometric curve between two sides, in a sentence; empty where it has one."""
    from neurojax.core.lanes import drawn_quantities

    known = drawn_quantities(task)
    if "coherence" not in known or "ground_truth" not in known:
        return f"{task.name} has no coherence whose side is judged, so it has no psychometric curve."
    if not isinstance(task.actions, Discrete) or task.actions.size != 3:
        return f"{task.name} has other than two choices here, so it has no psychometric curve between two sides."
    return ""


def psychometrics(task: Task, evaluation: Evaluation) -> Psychometrics | str:
    """The psychometric curve of an evaluation over `coherence` and `ground_truth`; else why there is none.

    The right is `ground_truth` 1, which is action 2.
    """
    reason = why_no_psychometrics(task)
    cells = [c for c in evaluation.cells if {"coherence", "ground_truth"} <= set(c.conditions)]
    if reason or not cells:
        return reason or "the evaluation's conditions are not `coherence` crossed with `ground_truth`."
    signed = np.array([c.conditions["coherence"] * (1 if c.conditions["ground_truth"] else -1) for c in cells])
    levels, index = np.unique(np.round(signed, 6) + 0.0, return_inverse=True)
    count = lambda values: np.bincount(index, weights=np.asarray(values, float), minlength=levels.size).astype(int)
    left, right = count([c.choices[1] for c in cells]), count([c.choices[2] for c in cells])
    choices = Choices(levels, right, left, count([c.trials for c in cells]) - left - right)
    return Psychometrics(choices, fit_psychometric(choices), ideal_right(task))


def ideal_accuracy(task: Task) -> Callable[[float], float] | None:
    """Accuracy of the ideal observer by coherence in percent; None where no closed form is known."""
    from neurojax.modifiers.reaction_time import ReactionTime

    while isinstance(task, ReactionTime):  # who waits until the stimulus ends has seen as much as ever
        task = task.inner
    known: Any = task
    if not hasattr(known, "ideal_accuracy"):
        return None
    steps = step_probabilities(known.timing["stimulus"], known.dt)
    return lambda coherence: sum(p * known.ideal_accuracy(float(coherence), n * known.dt) for n, p in steps.items())


def ideal_right(task: Task) -> Callable[[np.ndarray], np.ndarray] | None:
    """P(right) of the ideal observer by signed coherence in percent; None where no closed form is known."""
    accuracy = ideal_accuracy(task)
    if accuracy is None:
        return None
    each = np.vectorize(accuracy, otypes=[float])
    return lambda signed: ideal_choices(each, signed)


def by_condition(
    task: Task, network: Network | Agent, key: jax.Array, trials: int
) -> dict[str, list[dict[str, float]]]:
    """How the network plays under the task's own draws, by value of each condition that takes few values.

    Args:
        task, network: as for `evaluate`.
        key: typed key; not consumed.
        trials: how many are played; at most 8,192.

    Returns:
        By condition, one row a value: `value`, `trials`, `performance`, `response_rate`, `accuracy_given_response`,
        `abort_rate`. Rates are NaN where they have no meaning.
    """
    from neurojax.envs.rollout import play
    from neurojax.training.evaluate import as_player

    key = jax.random.fold_in(key, 0)  # the first of the trials that `evaluate` plays with the same key
    played = play(task, key, min(trials, _MOST_TRIALS), **as_player(network, task))
    outcome, performance = np.asarray(played.result.outcome), np.asarray(played.result.performance)
    correct = outcome == Outcome.CORRECT
    answered = correct | (outcome == Outcome.ERROR)
    out: dict[str, list[dict[str, float]]] = {}
    for name, drawn in played.conditions.items():
        values = np.asarray(drawn)
        levels = np.unique(values) if values.ndim == 1 else []
        if not 2 <= len(levels) <= _MOST_VALUES:
            continue
        out[name] = []
        for level in levels:
            here = values == level
            responses = int(np.sum(here & answered))
            out[name].append(
                {
                    "value": float(f"{float(level):.6g}"),
                    "trials": int(here.sum()),
                    "performance": float(performance[here].mean()),
                    "response_rate": responses / int(here.sum()),
                    "accuracy_given_response": float(np.sum(here & correct)) / responses if responses else math.nan,
                    "abort_rate": float(np.mean(outcome[here] == Outcome.ABORT)),
                }
            )
    return out


def summarise(
    config: RunConfig,
    task: Task,
    evaluation: Evaluation,
    curve: Psychometrics | str,
    conditions: dict[str, list[dict[str, float]]],
    *,
    update: int,
    devices: int,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The summary of a run, in plain numbers and texts; what has no meaning is NaN or absent.

    Args:
        config, task: the run's.
        evaluation: of its network.
        curve: from `psychometrics`.
        conditions: from `by_condition`.
        update: how many updates the network has had.
        devices: over how many devices a batch was shared.
        seconds: wall time by part: "compile", "run", "evaluate".
    """
    import neurojax
    from neurojax.analysis.references import reference_numbers

    numbers = reference_numbers(task)
    performance = evaluation.overall.performance
    of_trials = config.training.algorithm == "supervised" and config.training.data == "trials"
    out: dict[str, Any] = {
        "neurojax": neurojax.__version__,
        "task": config.task.id,
        "network": f"{config.network.kind} {config.network.hidden}",
        "updates": update,
        "algorithm": config.training.algorithm,
        "trials_trained": update * config.training.batch_size if of_trials else None,
        "devices": devices,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "performance": performance,
        "references": dataclasses.asdict(numbers),
        "relative_to_ideal": performance / numbers.ideal,
        "score": numbers.score(performance) if numbers.ideal != numbers.blind else math.nan,
        "overall": {
            k: v for k, v in dataclasses.asdict(evaluation.overall).items() if k not in ("conditions", "choices")
        },
        "by_condition": conditions,
    }
    if isinstance(curve, str):
        return out | {"psychometric": None, "psychometric_note": curve}
    return out | {"by_coherence": coherence_rows(task, evaluation), "psychometric": curve.fit.to_dict()}


def coherence_rows(task: Task, evaluation: Evaluation) -> list[dict[str, float]]:
    """One row a coherence: `accuracy` over all trials, over the answered, `ideal`, and their ratio."""
    ideal = ideal_accuracy(task)
    rows = []
    for cell in evaluation.by("coherence"):
        best = ideal(cell.conditions["coherence"]) if ideal else math.nan
        rows.append(
            {
                "coherence": cell.conditions["coherence"],
                "trials": cell.trials,
                "response_rate": cell.response_rate,
                "accuracy": cell.accuracy,
                "accuracy_given_response": cell.accuracy_given_response,
                "ideal": best,
                "relative_to_ideal": cell.accuracy / best,
            }
        )
    return rows


# ---------------------------------------------------------------------- beside animals


@dataclasses.dataclass(frozen=True)
class Readout:
    """How a network's output becomes a response.

    Attributes:
        bound: respond once the probability of a choice reaches it; None for the greatest output at each step.
    """

    bound: float | None = None

    @classmethod
    def read(cls, text: str) -> Readout:
        """A readout of "greedy" or a probability, such as "0.9".

        Raises:
            InvalidArgument: for anything else.
        """
        if text == "greedy":
            return cls()
        try:
            bound = float(text)
        except ValueError:
            bound = math.nan
        if not 0.5 < bound < 1:
            raise InvalidArgument(f"readout must be 'greedy' or a probability between 0.5 and 1, got {text!r}")
        return cls(bound)

    def __str__(self) -> str:
        return "greedy" if self.bound is None else f"P(choice) reaches {self.bound:g}"


def network_trials(
    task: Task,
    network: Network | Agent,
    key: jax.Array,
    trials: int,
    coherences: list[float],
    *,
    readout: Readout | None = None,
    non_decision_time: float = 0.0,
) -> Trials:
    """A network's trials in the form of an animal's, the same number on either side.

    Args:
        task: a task with two choices, a `coherence` and a `ground_truth`.
        network: the network.
        key: typed key; not consumed.
        trials: for each coherence and side.
        coherences: in percent, unsigned.
        readout: how outputs become responses; default: greedy.
        non_decision_time: ms that are added to the time from stimulus onset to the end of the step of the response.
    """
    from neurojax.envs.rollout import play
    from neurojax.training.agents import Agent
    from neurojax.training.evaluate import as_player, outputs_of

    player = as_player(network, task)
    size = trials * 2 * len(coherences)
    strength = np.repeat(np.asarray(coherences, float), 2 * trials)
    truth = np.tile(np.repeat(np.asarray([0, 1], np.int32), trials), len(coherences))
    if readout is not None and readout.bound is not None:
        if isinstance(network, Agent):
            raise InvalidArgument("an agent chooses its own time to respond; a readout with a bound is for a network")
        player["policy"] = jax.tree_util.Partial(_bounded, np.float32(readout.bound), outputs_of(network))
    given = {"coherence": strength.astype(np.float32), "ground_truth": truth}
    played = play(task, key, size, **player, **given)
    result = played.result
    onset = np.asarray(played.periods)[:, task.period_names.index("stimulus"), 0]
    choice, outcome = np.asarray(result.choice), np.asarray(result.outcome)
    answered = np.isin(outcome, (Outcome.CORRECT, Outcome.ERROR))
    time = (np.asarray(result.response_step) + 1 - onset) * task.dt + non_decision_time
    return Trials(
        strength=strength,
        signed=np.where(truth == 1, strength, -strength),
        right=answered & (choice == 2),
        answered=answered,
        correct=outcome == Outcome.CORRECT,
        time=np.where(answered, time, np.nan),
    )


def _bounded(bound, outputs_of, carry, obs, first, key):
    """Fixate until the probability of a choice reaches the bound."""
    import jax.numpy as jnp

    carry, outputs = outputs_of(carry, obs, first, key)
    choices = jax.nn.softmax(outputs)[1:]
    best = jnp.argmax(choices).astype(jnp.int32)
    return carry, jnp.where(jnp.max(choices) >= bound, 1 + best, 0)
