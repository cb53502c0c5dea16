"""What one comparison with NeuroGym is made of. Plain data: no imports beside NumPy, for it is read on both sides."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Setting:
    """One task with its keywords, and the conditions under which it is played.

    Attributes:
        name: name of the data file.
        task: the task's id.
        keywords: NeuroGym's keywords, which neurojax takes as well.
        conditions: the trials, by NeuroGym's names.
        here: further keywords for neurojax alone.
        there: keywords for NeuroGym alone.
        attributes: what NeuroGym keeps as an attribute of the environment and neurojax takes as a keyword.
        names: neurojax's names of conditions, by NeuroGym's, where they differ; None: neurojax has no such condition.
        entry: where NeuroGym's class stands ("module:Class"), if it is not registered.
        reaction_time: keywords of the ReactionTime wrapper; None: not wrapped.
        periods: the periods whose boundaries are compared; None: all that NeuroGym has.
        plays: random sequences of actions of each kind for each trial.
        closed_loop: whether what is shown, or asked for, depends on the actions.
        singles: whether each time of a response is tried, because the time is the answer.
        series: whether plays that go on from trial to trial are recorded.
    """

    name: str
    task: str
    keywords: dict[str, Any]
    conditions: list[dict[str, float]]
    here: dict[str, Any] = dataclasses.field(default_factory=dict)
    there: dict[str, Any] = dataclasses.field(default_factory=dict)
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    names: dict[str, str | None] = dataclasses.field(default_factory=dict)
    entry: str | None = None
    reaction_time: dict[str, Any] | None = None
    periods: tuple[str, ...] | None = None
    plays: int = 3
    closed_loop: bool = False
    singles: bool = False
    series: bool = True


@dataclasses.dataclass(frozen=True)
class Wrapped(Setting):
    """A task with wrappers around it.

    Attributes:
        wrappers: tables of the `name` and keywords of each, by NeuroGym's names, from the inside out; those of
            ScheduleEnvs and MultiEnvs hold `others`, the keywords of the tasks beside the first.
    """

    wrappers: tuple[dict[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A modifier whose draws are compared, from trial to trial: what is shown in them is not.

    Attributes:
        name: name of the sequence.
        wrapper: NeuroGym's wrapper, as in `Wrapped`; `schedule` is the class of a schedule, `count` its length.
        here: neurojax's modifier, as a table.
        keywords: those of the task, PerceptualDecisionMaking.
        told: names of neurojax's conditions, by what NeuroGym calls the same.
        state: what NeuroGym calls that from which the next one follows.
        given: keywords of NeuroGym's `new_trial`, from trial to trial, over and over.
        given_here: conditions that are given here, as often.
        first: the trial here that is NeuroGym's first.
        shows: deviations from which it follows that `first` is not 0, as (class, what).
        apart: deviations by the condition of NeuroGym that they make another.
    """

    name: str
    wrapper: dict[str, Any]
    here: dict[str, Any]
    told: dict[str, str]
    state: str = ""
    keywords: dict[str, Any] = dataclasses.field(default_factory=dict)
    given: tuple[dict[str, Any], ...] = ({},)
    given_here: tuple[dict[str, Any], ...] = ({},)
    first: int = 0
    shows: tuple[tuple[str, str], ...] = ()
    apart: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)


def grid(**values) -> list[dict[str, float]]:
    """All combinations of values, a dictionary each."""
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def ring(size: int) -> list[float]:
    """Directions evenly spaced around a circle."""
    return [2 * math.pi * i / size for i in range(size)]
