"""What modifiers share that hold several tasks, of which a condition of each trial tells the one that it is of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from neurojax.core.task import Task
from neurojax.modifiers.base import Modifier


class Taking(Modifier):
    """Several tasks, of which each trial has one: its rules are those of that task.

    Class attributes:
        INDEX: the condition that tells which. Where the tasks have it themselves (one of these around another), it
            is `sub...` there.

    Attributes:
        inner: the tasks, as one.
    """

    INDEX: ClassVar[str] = "task"
    HOLDS_CLOCK = True  # each task has periods and rewards of its own

    @property
    def base(self):
        """The first task, inside all modifiers."""
        first = self.inner.part(0)
        return first.base if isinstance(first, Modifier) else first

    def units(self, condition):
        return "" if condition == self.INDEX else self.inner.units(unsub(condition, self.INDEX))

    def at(self, conditions: Mapping[str, Any]) -> Task:
        """The task of a trial with these conditions."""
        return self.inner.at(conditions[self.INDEX])

    def trial_of(self, trial: Any) -> Any:
        """The trial as its task sees it."""
        return trial.replace(conditions=self.own_conditions(trial.conditions))

    def own_conditions(self, conditions: Mapping[str, Any]) -> dict[str, Any]:
        """The conditions of the trial's task, under its own names."""
        return {unsub(name, self.INDEX): value for name, value in conditions.items() if name != self.INDEX}

    def laws_under(self, conditions):
        return self.at(conditions).laws_under(self.own_conditions(conditions))

    def periods(self, conditions, steps):
        if self.INDEX not in conditions:  # the longest that any trial can be
            return self.inner.longest_periods(steps)
        held = self.at(conditions)
        return held.periods(self.own_conditions(conditions), steps.of(held))

    def init_state(self, trial):
        return self.at(trial.conditions).init_state(self.trial_of(trial))

    def observe(self, trial, state, t):
        return self.at(trial.conditions).observe(self.trial_of(trial), state, t)

    def noise(self, trial, state, t, draw):
        return self.at(trial.conditions).noise(self.trial_of(trial), state, t, draw)

    def target(self, trial, state, t):
        return self.at(trial.conditions).target(self.trial_of(trial), state, t)

    def weight(self, trial, state, t):
        return self.at(trial.conditions).weight(self.trial_of(trial), state, t)

    def respond(self, trial, state, action, t, draw):
        return self.at(trial.conditions).respond(self.trial_of(trial), state, action, t, draw)

    def expire(self, trial, state):
        return self.at(trial.conditions).expire(self.trial_of(trial), state)

    def told(self, state, action, reward):
        return self.inner.told(state, action, reward)


def sub(name: str, own: str) -> str:
    """The name outside of what a task calls `name`: with "sub" before it where the holder has that name itself."""
    return f"sub{name}" if re.fullmatch(f"(sub)*{own}", name) else name


def unsub(name: str, own: str) -> str:
    """The name inside of what is called `name` outside."""
    return name.removeprefix("sub") if re.fullmatch(f"(sub)+{own}", name) else name
