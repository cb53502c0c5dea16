"""What all modifiers share: a task that holds a task, and hands on every rule that it does not change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from flax import struct

from neurojax.core.parameters import canonical, is_traced, parameters, read
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument


class Holding(Task):
    """A task, no more than the frame of one, that has the spaces, periods and time of what it holds.

    Attributes:
        inner: a task, or a stack of tasks of one structure.
    """

    inner: Any = struct.field(default=None)

    def with_room(self, steps: int):
        return super().with_room(steps).replace(inner=self.inner.with_room(steps))

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
    def closed_loop(self):
        return self.inner.closed_loop

    def told(self, state: Any, action: Any, reward: Any) -> Any:
        """The state after a step of which a modifier outside has changed what was done, or what came of it.

        Those inside that show the last action or reward show what the subject did and received.
        """
        return tell(self.inner, state, action, reward)


class Modifier(Holding):
    """A task around a task. Subclasses override the rules that they change.

    Class attributes that a modifier may state:
        ONCE: whether a second one around the same task has no meaning.
        KEYWORDS: what `around` takes beside the parameters, and `translate` turns into them.
        READS_CLOCK: whether it reads the trial's clock, which a modifier that HOLDS_CLOCK inside would falsify.

    Attributes:
        inner: the task that is modified.
    """

    ONCE: ClassVar[bool] = False
    KEYWORDS: ClassVar[tuple[str, ...]] = ()
    READS_CLOCK: ClassVar[bool] = False
    HOLDS_CLOCK: ClassVar[bool] = False

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
        given = cls.translate(canonical(cls, kwargs, [*known, *cls.KEYWORDS], cls.__name__), inner)
        given = {**cls.defaults(inner, given), **given}
        values = {name: read(name, p, given[name]) for name, p in known.items() if name in given}
        task = cls(inner=inner, dt=inner.dt, **values)
        task.validate()
        return task.replace(capacity=task.room())

    @classmethod
    def create(cls, **kwargs: Any):
        raise InvalidArgument(f"{cls.__name__} modifies a task: use {cls.__name__}.around(task, ...)")

    @classmethod
    def translate(cls, given: dict[str, Any], inner: Task) -> dict[str, Any]:
        """What was given, with parameters in place of `KEYWORDS`. For subclasses to override."""
        return given

    @classmethod
    def defaults(cls, inner: Task, given: dict[str, Any]) -> dict[str, Any]:
        """Defaults of parameters that depend on the task inside. For subclasses to override."""
        return {}

    def validate(self) -> None:
        """Raise `InvalidArgument` where the modifier makes no sense for the task inside."""
        kind = next((c for c in type(self).__mro__ if c.__dict__.get("ONCE")), None)
        if kind is not None and any(isinstance(layer, kind) for layer in layers(self.inner)):
            raise InvalidArgument(f"{self.label()} is applied already; applying it twice has no meaning")
        holds = next((layer for layer in layers(self.inner) if layer.HOLDS_CLOCK), None)
        if self.READS_CLOCK and holds is not None:
            raise InvalidArgument(
                f"{self.label()} cannot go around {holds.label()}, which holds the clock that {self.label()} reads; "
                f"put {holds.label()} around it"
            )

    def room(self) -> int:
        """The steps for which a rendered trial has room."""
        return int(min(self.longest(), self.inner.capacity))

    def set(self, **kwargs: Any):
        """The task with some parameters changed: the modifier's own, and those of the task inside."""
        known = {k: p for k, p in parameters(type(self)).items() if k != "dt"}
        names = {*known, *self.KEYWORDS, *(alias for p in known.values() for alias in p.aliases)}
        own = {k: v for k, v in kwargs.items() if k in names}
        rest = {k: v for k, v in kwargs.items() if k not in own}
        if is_traced((self, kwargs)):
            outer = self._set_traced(own)
            return outer.replace(inner=outer.inner.set(**rest)) if rest else outer
        inner = self.inner.set(**rest) if rest else self.inner
        own = canonical(type(self), own, [*known, *self.KEYWORDS], type(self).__name__)
        fixed = {name: getattr(self, name) for name, p in known.items() if p.kind == "structure"}
        own = self.translate({**fixed, **own}, inner)
        return type(self).around(inner, **{**self._own(), **own})

    def _own(self) -> dict[str, Any]:
        return {k: v for k, v in super().settings().items() if k in parameters(type(self)) and k != "dt"}

    def settings(self) -> dict[str, Any]:
        return {**self.inner.settings(), "modifiers": [*self.inner.settings().get("modifiers", []), self.spec()]}

    def spec(self) -> dict[str, Any]:
        """The modifier and its parameters in plain numbers, as `nj.make(..., modifiers=[...])` reads it."""
        return {"name": self.label(), **self._own()}

    @classmethod
    def label(cls) -> str:
        """The modifier's name in configuration files: that of its class, in small letters."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    # ------------------------------------------------------------------ what is handed on

    @property
    def PROBES(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return (*self.own_probes(), *self.inner.PROBES)

    def own_probes(self) -> tuple[Mapping[str, Any], ...]:
        """What `PROBES` is to a task, of the modifier's own parameters. For subclasses to override."""
        return ()

    @property
    def name(self):
        return f"{type(self).__name__}({self.inner.name})"

    @property
    def deviations(self):
        return (*self.inner.deviations, *self.DEVIATIONS)

    def units(self, condition):
        return self.UNITS.get(condition) or self.inner.units(condition)

    @property
    def laws(self):
        return self.inner.laws

    def laws_under(self, conditions):
        return self.inner.laws_under(conditions)

    @property
    def unused_periods(self):
        return self.inner.unused_periods

    @property
    def unused_parameters(self):
        return self.inner.unused_parameters

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


class Remembering(Modifier):
    """A modifier with a memory of its own, beside that of the task inside: `{"own": ..., "inner": ...}`.

    It draws for itself, under its own label, so that the task inside draws as if it stood alone.
    """

    def own_memory(self, draw: Any) -> Any:
        """The modifier's memory at a session's start."""
        return ()

    def next_own(self, own: Any, trial: Any, result: Any, draw: Any) -> Any:
        """The modifier's memory after a trial."""
        return own

    def init_memory(self, draw):
        return {"own": self.own_memory(draw.under(self.label())), "inner": self.inner.init_memory(draw)}

    def next_memory(self, memory, trial, result, draw):
        return {
            "own": self.next_own(memory["own"], trial, result, draw.under(self.label())),
            "inner": self.inner.next_memory(memory["inner"], trial, result, draw),
        }

    def conditions(self, draw, memory):
        return self.inner.conditions(draw, memory["inner"])

    def resolve(self, memory):
        return self.replace(inner=self.inner.resolve(memory["inner"]))


class Following(Remembering):
    """A modifier with a state of its own inside the trial, beside that of the task inside, and perhaps a memory."""

    def own_state(self, trial: Any) -> Any:
        """The modifier's state at a trial's start."""
        return ()

    def next_state(self, own: Any, action: Any, reward: Any) -> Any:
        """The modifier's state after a step."""
        return own

    def init_state(self, trial):
        return {"own": self.own_state(trial), "inner": self.inner.init_state(trial)}

    def observe(self, trial, state, t):
        return self.inner.observe(trial, state["inner"], t)

    def noise(self, trial, state, t, draw):
        return self.inner.noise(trial, state["inner"], t, draw)

    def target(self, trial, state, t):
        return self.inner.target(trial, state["inner"], t)

    def weight(self, trial, state, t):
        return self.inner.weight(trial, state["inner"], t)

    def respond(self, trial, state, action, t, draw):
        came = self.inner.respond(trial, state["inner"], action, t, draw)
        own = self.next_state(state["own"], action, came.reward)
        return came.replace(state={"own": own, "inner": came.state})

    def expire(self, trial, state):
        return self.inner.expire(trial, state["inner"])

    def told(self, state, action, reward):
        own = self.next_state(state["own"], action, reward)
        return {"own": own, "inner": tell(self.inner, state["inner"], action, reward)}


def layers(task: Task) -> Iterator[Modifier]:
    """The modifiers around a task, from the outside in."""
    while isinstance(task, Modifier):
        yield task
        task = task.inner


def tell(task: Task, state: Any, action: Any, reward: Any) -> Any:
    """The state of `task` after what the subject did and received at a step, as it was outside of the task."""
    return task.told(state, action, reward) if isinstance(task, Modifier) else state


def check_rests(task: Task, label: str) -> None:
    """Refuse a task whose action 0 is not one of doing nothing, such as to fixate."""
    actions = task.actions
    if not isinstance(actions, Discrete) or not actions.rests:
        named = f"its action 0 is {actions.sizes[0][0]!r}" if isinstance(actions, Discrete) else "these are continuous"
        raise InvalidArgument(f"{label} needs an action 0 that is to fixate or to wait; in {task.name} {named}")


def with_channel(task: Task, name: str, size: int, low: float, high: float) -> Channels:
    """The channels of a task and one more, behind them.

    Raises:
        InvalidArgument: if the task has one of that name.
    """
    if name in dict(task.channels.sizes):
        raise InvalidArgument(f"{task.name} has a channel {name!r} already")
    return widened_by(task.channels, name, size, low, high)


def widened_by(channels: Channels, name: str, size: int, low: float, high: float) -> Channels:
    """Channels and one more, behind them, with values between `low` and `high`."""
    if np.ndim(channels.low) or np.ndim(channels.high):
        below, above = (tuple(float(x) for x in bound) for bound in channels.bounds())
        bounds = {"low": (*below, *(low,) * size), "high": (*above, *(high,) * size)}
    else:
        bounds = {"low": min(float(channels.low), low), "high": max(float(channels.high), high)}  # type: ignore
    return Channels((*channels.sizes, (name, size)), shapes=channels.shapes, **bounds)  # type: ignore[arg-type]
