"""What all modifiers share: a task that holds a task, and hands on every rule that it does not change."""

from __future__ import annotations

from typing import Any

from flax import struct

from neurojax.core.parameters import canonical, is_traced, parameters, read
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument


class Modifier(Task):
    """A task around a task. Subclasses override the rules that they change.

    Attributes:
        inner: the task that is modified.
    """

    inner: Any = struct.field(default=None)

    @classmethod
    def around(cls, inner: Task, **kwargs: Any):
        """The modified task.

        Args:
            inner: a task, modified or not.
            **kwargs: the modifier's own parameters.

        Raises:
            InvalidArgument: if `inner` is no task that the modifier makes sense for, or a value is not allowed.
        """
        if not isinstance(inner, Task) or inner.capacity < 1:
            raise InvalidArgument(f"{cls.__name__} modifies a task from nj.make or Task.create, got {inner!r}")
        known = {name: p for name, p in parameters(cls).items() if name != "dt"}
        given = canonical(cls, kwargs, list(known), cls.__name__)
        values = {name: read(name, p, given[name]) for name, p in known.items() if name in given}
        task = cls(inner=inner, dt=inner.dt, **values)
        task.validate()
        return task.replace(capacity=int(min(task.longest(), inner.capacity)))

    @classmethod
    def create(cls, **kwargs: Any):
        raise InvalidArgument(f"{cls.__name__} modifies a task: use {cls.__name__}.around(task, ...)")

    def set(self, **kwargs: Any):
        """The task with some parameters changed: the modifier's own, and those of the task inside."""
        own = {k: v for k, v in kwargs.items() if k in parameters(type(self)) and k != "dt"}
        rest = {k: v for k, v in kwargs.items() if k not in own}
        if is_traced((self, kwargs)):
            outer = self._set_traced(own)
            return outer.replace(inner=outer.inner.set(**rest)) if rest else outer
        return type(self).around(self.inner.set(**rest) if rest else self.inner, **{**self._own(), **own})

    def with_room(self, steps: int):
        return super().with_room(steps).replace(inner=self.inner.with_room(steps))

    def _own(self) -> dict[str, Any]:
        return {k: v for k, v in super().settings().items() if k in parameters(type(self)) and k != "dt"}

    def settings(self) -> dict[str, Any]:
        return {**self.inner.settings(), "modifiers": [*self.inner.settings().get("modifiers", []), self.spec()]}

    def spec(self) -> dict[str, Any]:
        """The modifier and its parameters in plain numbers, as `nj.make(..., modifiers=[...])` reads it."""
        return {"name": self.label(), **self._own()}

    @classmethod
    def label(cls) -> str:
        """The modifier's name in configuration files."""
        return cls.__name__

    # ------------------------------------------------------------------ what is handed on

    @property
    def name(self):
        return f"{type(self).__name__}({self.inner.name})"

    @property
    def period_names(self):
        return self.inner.period_names

    @property
    def channels(self):
        return self.inner.channels

    @property
    def actions(self):
        return self.inner.actions

    @property
    def deviations(self):
        return (*self.inner.deviations, *self.DEVIATIONS)

    def units(self, condition):
        return self.inner.units(condition)

    @property
    def laws(self):
        return self.inner.laws

    @property
    def unused_periods(self):
        return self.inner.unused_periods

    @property
    def unused_parameters(self):
        return self.inner.unused_parameters

    @property
    def closed_loop(self):
        return self.inner.closed_loop

    @property
    def base(self) -> Task:
        """The task inside all modifiers."""
        return self.inner.base if isinstance(self.inner, Modifier) else self.inner

    def conditions(self, draw, memory):
        return self.inner.conditions(draw, memory)

    def periods(self, conditions, steps):
        return self.inner.periods(conditions, steps)

    def longest(self):
        return self.inner.longest()

    def init_state(self, trial):
        return self.inner.init_state(trial)

    def observe(self, trial, state, t):
        return self.inner.observe(trial, state, t)

    def noise(self, trial, state, t, draw):
        return self.inner.noise(trial, state, t, draw)

    def target(self, trial, state, t):
        return self.inner.target(trial, state, t)

    def weight(self, trial, state, t):
        return self.inner.weight(trial, state, t)

    def respond(self, trial, state, action, t, draw):
        return self.inner.respond(trial, state, action, t, draw)

    def expire(self, trial, state):
        return self.inner.expire(trial, state)

    def init_memory(self, draw):
        return self.inner.init_memory(draw)

    def next_memory(self, memory, trial, result, draw):
        return self.inner.next_memory(memory, trial, result, draw)

    def resolve(self, memory):
        return self.replace(inner=self.inner.resolve(memory))
