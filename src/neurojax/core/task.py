"""A task: a frozen pytree of quantities, with pure rules.

To write a task, subclass `Task`, declare its parameters as fields, and override the rules that differ from the
defaults below. Every rule is unbatched; the views vmap it. Times `t` are whole steps from the trial's start.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.core import Tracer

from neurojax.core.draw import Draw
from neurojax.core.node import Node
from neurojax.core.parameters import canonical, is_traced, parameters, read, time_step
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.timing import Law, as_law, as_timing, longest_steps, period_steps
from neurojax.core.trial import Consequence, Drawn, Result, Trial
from neurojax.errors import InvalidArgument, unknown


@dataclasses.dataclass(frozen=True)
class Paper:
    """Where a task comes from."""

    citation: str
    doi: str


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A difference from NeuroGym, for the machine-readable list.

    Attributes:
        what: the parameter or rule.
        neurogym: what NeuroGym does.
        here: what this task does.
        reason: why.
        kind: "repaired" (a rule of NeuroGym's is wrong) or "interface" (the same rule, reached in another way).
        affects: which comparisons differ: "observation", "target", "reward", "new_trial", "performance",
            "conditions"; what is not named is equal.
    """

    what: str
    neurogym: str
    here: str
    reason: str
    kind: str = "repaired"
    affects: tuple[str, ...] = ()


# Differences from NeuroGym that all tasks share.
COMMON_DEVIATIONS = (
    Deviation(
        what="reset",
        neurogym="takes a hidden step with a random action, and returns the second frame",
        here="returns the trial's first frame",
        reason="what is seen first must not depend on an action that nobody took",
        kind="interface",
    ),
)


class Task(Node):
    """Base of all tasks. Build one with `create` (or `nj.make`), change it with `set`.

    Class attributes that a task may state:
        TIMING: default duration by period, in the order in which the periods follow each other.
        REWARDS: default reward by name.
        PERIODS: names of the periods, where they are not those of TIMING.
        PRESETS: keywords by name of preset, e.g. {"paper": {...}}.
        PAPER, TAGS, DEVIATIONS: what `neurojax info` tells.
        UNITS: units of conditions by name, where no parameter of the same name (or its plural) states them.
        CLOSED_LOOP: whether what is shown, or the best action, depends on the subject's own actions.
        PROBES: keywords under which `nj.check_task` looks for effects of parameters too, where those of the defaults
            come too late in a session to be seen.

    Attributes:
        dt: step in ms (static).
        capacity: steps for which a rendered trial has room (static); derived from the laws' upper ends unless stated.
        timing: duration law by period.
        rewards: float32 by name.

    Example:
        >>> import neurojax as nj
        >>> task = nj.make("PerceptualDecisionMaking-v0", dt=20, timing={"stimulus": 500})
        >>> task.capacity
        35
        >>> task.set(sigma=2.0).capacity
        35
    """

    TIMING: ClassVar[Mapping[str, Any]] = {}
    REWARDS: ClassVar[Mapping[str, float]] = {}
    PERIODS: ClassVar[tuple[str, ...]] = ()
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    PAPER: ClassVar[Paper | None] = None
    TAGS: ClassVar[tuple[str, ...]] = ()
    DEVIATIONS: ClassVar[tuple[Deviation, ...]] = ()
    UNITS: ClassVar[Mapping[str, str]] = {}
    CLOSED_LOOP: ClassVar[bool] = False
    PROBES: ClassVar[tuple[Mapping[str, Any], ...]] = ()

    dt: float = time_step(100)
    capacity: int = struct.field(pytree_node=False, default=0)
    timing: dict[str, Law] = struct.field(default_factory=dict)
    rewards: dict[str, Any] = struct.field(default_factory=dict)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(repr=False, eq=False, **kwargs)

    # ------------------------------------------------------------------ building

    @classmethod
    def create(cls, *, preset: str | None = None, capacity: int | None = None, **kwargs: Any):
        """The task with these parameters.

        Args:
            preset: name of a set of parameters to start from (see `PRESETS`); keywords take precedence.
            capacity: steps for which rendered trials have room; needed where a duration has no upper end.
            **kwargs: `dt`, `timing`, `rewards` and the task's own parameters.

        Raises:
            UnknownName: for unknown keywords, periods, rewards and presets; the nearest is suggested.
            InvalidArgument: for values that are not allowed.
        """
        known = parameters(cls)
        where = cls.__name__
        given = canonical(cls, kwargs, [*known, "timing", "rewards"], where)
        if preset is not None:
            if preset not in cls.PRESETS:
                raise unknown("preset", preset, cls.PRESETS, where)
            given = merged(cls.PRESETS[preset], given)
        values = {name: read(name, p, given[name]) for name, p in known.items() if name in given}
        values["rewards"] = _read_rewards(given.get("rewards"), cls.REWARDS, where)
        task = cls(**values)
        task = task.replace(timing=as_timing(given.get("timing"), cls.TIMING, task.dt, where))
        task.validate()
        return task.replace(capacity=_read_capacity(capacity, task.longest(), where))

    def validate(self) -> None:
        """Raise `InvalidArgument` where parameters do not fit each other. For subclasses to override."""

    def set(self, **kwargs: Any):
        """The task with some parameters changed, validated and with its capacity derived again.

        Under tracing (in `jit`, `vmap`, `grad`) leaves may be traced values: they are stored as they are, and the
        capacity stays, so a duration that outgrows it is cut and the trial's `overflow` flag says so.

        Raises:
            UnknownName, InvalidArgument: as `create`.
        """
        traced = is_traced((self, kwargs))
        if traced:
            return self._set_traced(kwargs)
        given = canonical(type(self), kwargs, [*parameters(type(self)), "timing", "rewards", "capacity"], self.name)
        settings = self.settings()
        settings.setdefault("capacity", None)
        return type(self).create(**merged(settings, given))

    def _set_traced(self, kwargs: Mapping[str, Any]):
        known = parameters(type(self))
        given = canonical(type(self), kwargs, [*known, "timing", "rewards"], self.name)
        changes: dict[str, Any] = {}
        for name, value in given.items():
            if name == "timing":
                laws = {}
                for period, law in value.items():
                    if period not in self.timing:
                        raise unknown("period", period, self.timing, self.name)
                    laws[period] = _traced_law(law, self.timing[period], f"timing[{period!r}]")
                changes["timing"] = {**self.timing, **laws}
            elif name == "rewards":
                for reward in value:
                    if reward not in self.rewards:
                        raise unknown("reward", reward, self.rewards, self.name)
                changes["rewards"] = {**self.rewards, **{k: _float32(v) for k, v in value.items()}}
            elif known[name].kind == "structure":
                raise InvalidArgument(f"{name} is structure and cannot change under tracing; set it outside of jit")
            else:
                changes[name] = _like(value, getattr(self, name), name)
        return self.replace(**changes)

    def settings(self) -> dict[str, Any]:
        """The task's keywords as plain numbers, strings and lists: `create(**settings)` builds it again."""
        out: dict[str, Any] = {"dt": int(self.dt) if float(self.dt).is_integer() else self.dt}
        for name, p in parameters(type(self)).items():
            if name != "dt":
                value = getattr(self, name)
                out[name] = value if p.kind == "structure" else _round(np.asarray(value))
        out["timing"] = {name: self.timing[name].spec() for name in self.TIMING}
        out["rewards"] = {name: _round(np.asarray(value)) for name, value in self.rewards.items()}
        if self.capacity != self.longest():
            out["capacity"] = self.capacity
        return out

    def with_room(self, steps: int):
        """The task with room for trials that are longer by so many steps than its laws allow."""
        return self.replace(capacity=self.capacity + int(steps))

    # ------------------------------------------------------------------ what it is

    @property
    def name(self) -> str:
        """The name of the task's class, or of the modified task."""
        return type(self).__name__

    @property
    def period_names(self) -> tuple[str, ...]:
        """Names of the periods, P of them."""
        return self.PERIODS or tuple(self.TIMING)

    @property
    def channels(self) -> Channels:
        """The observation channels."""
        raise NotImplementedError(f"{self.name} does not define channels")

    @property
    def actions(self) -> Discrete | Box:
        """The actions."""
        raise NotImplementedError(f"{self.name} does not define actions")

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """All differences from NeuroGym."""
        return (*COMMON_DEVIATIONS, *self.DEVIATIONS)

    def units(self, condition: str) -> str:
        """The units of a condition; empty where it has none."""
        known = parameters(type(self))
        named = next((known[name].units for name in (condition, f"{condition}s") if name in known), "")
        return self.UNITS.get(condition) or named

    @property
    def laws(self) -> dict[str, Law]:
        """The duration law of each timed period."""
        return self.timing

    def laws_under(self, conditions: Mapping[str, Any]) -> Mapping[str, Law]:
        """The duration laws of a trial with these conditions. Default: those of all trials."""
        return self.laws

    @property
    def unused_periods(self) -> tuple[str, ...]:
        """Timed periods whose length has no effect (a modifier may leave some out)."""
        return ()

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        """Parameters that have no effect at these values of the others, where one class holds several rules."""
        return ()

    @property
    def closed_loop(self) -> bool:
        """Whether what is shown, or the best action, depends on the subject's own actions."""
        return self.CLOSED_LOOP

    # ------------------------------------------------------------------ the rules of a trial

    def conditions(self, draw: Draw, memory: Any) -> dict[str, Any]:
        """The conditions of a trial: what is drawn by name, and what follows from it."""
        return {}

    def periods(self, conditions: Mapping[str, Any], steps: Steps) -> dict[str, tuple[Any, Any]]:
        """Start and end of each period in whole steps. Default: one after the other, in the order of `TIMING`.

        Args:
            conditions: the trial's conditions.
            steps: `steps(name, elapsed)` is the length of a period of `timing` in whole steps.
        """
        elapsed, out = 0, {}
        for name in self.TIMING:
            end = elapsed + steps(name, elapsed)
            out[name] = (elapsed, end)
            elapsed = end
        return out

    def longest(self) -> float:
        """The greatest length of a trial in steps, from the laws' upper ends; infinite where a law has none."""
        return self.longest_under({})

    def longest_under(self, conditions: Mapping[str, Any]) -> float:
        """The greatest length of a trial with these conditions."""
        if any(not math.isfinite(law.upper()) for law in self.laws.values()):
            return math.inf
        steps = Steps(self, {}, longest=True)
        return max((int(end) for _, end in self.periods(conditions, steps).values()), default=0)

    def init_state(self, trial: Trial) -> Any:
        """What changes inside a trial, at its start: a pytree. Default: nothing."""
        return ()

    def observe(self, trial: Trial, state: Any, t) -> Mapping[str, Any]:
        """What is shown at step `t`, without noise: values by channel name; what is not named is 0."""
        raise NotImplementedError(f"{self.name} does not define observe")

    def noise(self, trial: Trial, state: Any, t, draw: Draw) -> Mapping[str, Any]:
        """What chance adds to the observation at step `t`: values by channel name. Default: nothing."""
        return {}

    def target(self, trial: Trial, state: Any, t) -> jax.Array:
        """The best action at step `t`; always a valid action."""
        raise NotImplementedError(f"{self.name} does not define target")

    def weight(self, trial: Trial, state: Any, t) -> Any:
        """The weight of step `t` in a loss. Default: 1."""
        return 1.0

    def respond(self, trial: Trial, state: Any, action, t, draw: Draw) -> Consequence:
        """What follows from `action` in answer to the observation at step `t` (see `nj.consequence`)."""
        raise NotImplementedError(f"{self.name} does not define respond")

    def expire(self, trial: Trial, state: Any) -> Any:
        """The reward where a trial's time runs out without a response. Default: `rewards["miss"]`, or 0."""
        return self.rewards.get("miss", np.float32(0))

    # ------------------------------------------------------------------ across trials

    def init_memory(self, draw: Draw) -> Any:
        """What persists across trials, at a session's start: a pytree. Default: nothing."""
        return ()

    def next_memory(self, memory: Any, trial: Trial, result: Result, draw: Draw) -> Any:
        """The memory after a trial."""
        return memory

    def resolve(self, memory: Any):
        """The task that holds for a trial with this memory. Default: itself."""
        return self

    # ------------------------------------------------------------------ derived

    def references(self) -> Mapping[str, float]:
        """Mean performance that can be derived: any of "clairvoyant", "ideal", "blind" and "random".

        "clairvoyant" and "random" are simulated where they are not stated (see `nj.reference_numbers`).
        """
        return {}

    def trial(self, drawn: Drawn) -> Trial:
        """The trial that was drawn, with its clock."""
        periods = self.periods(drawn.conditions, Steps(self, drawn.durations))
        length: Any = 0
        for _, end in periods.values():
            length = jnp.maximum(length, end)
        cut = lambda x: jnp.minimum(jnp.asarray(x, jnp.int32), self.capacity)
        return Trial(
            conditions=drawn.conditions,
            start={name: cut(start) for name, (start, _) in periods.items()},
            end={name: cut(end) for name, (_, end) in periods.items()},
            length=cut(length),
            overflow=jnp.asarray(length > self.capacity),
        )

    def __repr__(self) -> str:
        if is_traced(self):
            return f"{self.name}(traced)"
        if any(np.ndim(x) for x in jax.tree.leaves(self.rewards)):
            return f"{self.name}(stacked)"
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.settings().items())})"


class Steps:
    """Lengths of periods in whole steps, as `Task.periods` asks for them."""

    def __init__(
        self,
        task: Task,
        durations: Mapping[str, Any],
        *,
        longest: bool = False,
        called: Callable[[str], str] = str,
    ):
        self._task, self._durations, self._longest, self._called = task, durations, longest, called

    def of(self, task: Task, called: Callable[[str], str] = str) -> Steps:
        """The same lengths for a task inside; `called` gives our name of a period by its own."""
        outer = self._called
        return Steps(task, self._durations, longest=self._longest, called=lambda name: outer(called(name)))

    def __call__(self, period: str, elapsed: Any = 0) -> Any:
        if self._called(period) in self._durations:
            return self._durations[self._called(period)]
        law = self._task.laws[period]
        if self._longest:
            return longest_steps(law, elapsed, self._task.dt)
        return period_steps(law, None, elapsed, self._task.dt)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords with changes: those of `timing` and `rewards` name by name."""
    out = {**base, **changes}
    for name in ("timing", "rewards"):
        if isinstance(base.get(name), Mapping) and isinstance(changes.get(name), Mapping):
            out[name] = {**base[name], **changes[name]}
        elif name in base and changes.get(name, "") is None:
            out[name] = base[name]
    return out


def _read_rewards(given: Any, defaults: Mapping[str, float], where: str) -> dict[str, np.ndarray]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidArgument(f"rewards must map names to numbers, got {given!r}")
    out = dict(defaults)
    for name, value in (given or {}).items():
        if name not in defaults:
            raise unknown("reward", name, defaults, f"rewards of {where}")
        if is_traced(value):
            raise InvalidArgument(f"rewards[{name!r}] is a traced value; use task.set under tracing")
        number = np.asarray(value)
        if number.ndim or number.dtype.kind not in "iuf" or not np.isfinite(number):
            raise InvalidArgument(f"rewards[{name!r}] must be a finite number, got {value!r}")
        out[name] = value
    return {name: np.asarray(value, np.float32) for name, value in out.items()}


def _read_capacity(stated: Any, longest: float, where: str) -> int:
    if stated is None:
        if not math.isfinite(longest):
            raise InvalidArgument(
                f"a duration of {where} has no upper end; state capacity, the room for a trial in steps"
            )
        if longest < 1:
            raise InvalidArgument(f"a trial of {where} lasts no step; give at least one period a positive duration")
        return int(longest)
    if isinstance(stated, bool) or not isinstance(stated, (int, np.integer)) or stated < 1:
        raise InvalidArgument(f"capacity must be a whole number of steps above 0, got {stated!r}")
    if math.isfinite(longest) and stated < longest:
        raise InvalidArgument(f"capacity={stated} is less than the longest trial of {where}, {int(longest)} steps")
    return int(stated)


def _traced_law(value: Any, law: Law, where: str) -> Law:
    if not isinstance(value, Law):
        value = (
            jax.tree.unflatten(jax.tree.structure(law), [_float32(value)])
            if isinstance(value, Tracer)
            else as_law(value, where)
        )
    same = jax.tree.structure(value) == jax.tree.structure(law)
    if not same or jax.tree.map(jnp.shape, value) != jax.tree.map(jnp.shape, law):
        raise InvalidArgument(f"{where} cannot change its kind of law under tracing; build the task outside of jit")
    return jax.tree.map(_float32, value)


def _like(value: Any, leaf: Any, name: str) -> jax.Array:
    array = jnp.asarray(value).astype(leaf.dtype)
    if array.shape != jnp.shape(leaf):
        raise InvalidArgument(f"{name} must keep its shape {jnp.shape(leaf)} under tracing, got {array.shape}")
    return array


def _float32(value: Any) -> jax.Array:
    return jnp.asarray(value).astype(jnp.float32)


def _round(value: np.ndarray) -> Any:
    """A leaf as plain Python, without float32's tail: .1, not .10000000149."""
    if value.ndim:
        return [_round(v) for v in value]
    if value.dtype == np.bool_:
        return bool(value)
    return float(str(np.float32(value)))
