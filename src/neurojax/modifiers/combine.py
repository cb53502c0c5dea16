"""Two tasks at once, in one observation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.extend.core import Literal

from neurojax.core.chance import Chance
from neurojax.core.draw import Draw
from neurojax.core.parameters import canonical, is_traced, parameters, quantity, read, structure
from neurojax.core.session import begin, start_memory
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.task import Deviation, Task
from neurojax.core.timing import pick_weighted, whole_steps
from neurojax.core.trial import Outcome, Result, Trial, consequence
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Modifier, tell
from neurojax.modifiers.common import names_of
from neurojax.modifiers.several import paths_of
from neurojax.modifiers.written import read_task, written

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_FIRST, _SECOND = 0, 1  # trials of one task alone; 2: of both


class Combine(Modifier):
    """Two tasks at once: a trial is one of each, side by side, and ends when both have ended.

    The second task's trial begins `delay` after the first's. Each is as it would be alone, down to its draws (the
    first's are those of the first task alone): an answer ends its own part, and what a part shows goes on to its
    scheduled end. Outside of it a part shows nothing, and asks for nothing. With `mix`, some trials are of one task
    alone, and `trial_cue` tells of which.

    Channels: those of the first task, and those of the second with the prefix, `second_stimulus`. With `trial_cue`
    also `second_cue`, two inputs that tell which task is on. Periods and conditions are named in the same way;
    condition `second_mix` is 0 where the trial is of the first task alone, 1 of the second alone, 2 of both.

    Actions: one for each pair of actions, number a * n + b for a of the first task and b of the n of the second;
    continuous actions are one vector behind the other. With `share_action_space` one action answers both tasks; where
    both ask for another than action 0, the target is the first's.

    Reward: the sum of both. A trial is correct where each task that is on is; else its outcome is that of the first
    that is not. Performance: the mean over the tasks that are on.

    Attributes:
        inner, other: the first and the second task.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.combine import combine
        >>> timing = {"fixation": 0, "stimulus": 300, "delay": 200, "decision": 300}
        >>> both = combine(nj.make("GoNogo-v0", timing=timing), nj.make("GoNogo-v0", timing=timing), delay=400)
        >>> both.capacity, both.actions.size
        (12, 4)
        >>> batch = nj.render(both, jax.random.key(0), 1, ground_truth=1, second_ground_truth=1)
        >>> batch.targets[0].tolist()
        [0, 0, 0, 0, 0, 2, 2, 2, 0, 1, 1, 1]
    """

    KEYWORDS = ("other", "prefix")
    HOLDS_CLOCK = True  # each task has its own
    OWN_PROBES = ({"delay": 1000},)
    DEVIATIONS = (
        Deviation(
            what="Combine (of NeuroGym 1): defaults",
            neurogym="delay=800, mix=(.3, .3, .4), one action for both tasks",
            here="delay=0, mix=(0, 0, 1), an action for each pair",
            reason="the plain meaning of two tasks at once; NeuroGym's are keywords",
            kind="interface",
        ),
        Deviation(
            what="Combine: answered tasks",
            neurogym="show nothing from the answer on",
            here="show the trial to its scheduled end",
            reason="what is shown would depend on the answer, and no batch could be rendered",
            affects=("observation",),
        ),
        Deviation(
            what="Combine: one action for both tasks",
            neurogym="the reward is the first task's where that is not the default, and the target follows it",
            here="rewards add up, and the target is the first task's where it asks for a response",
            reason="the target depended on the action that was taken",
            affects=("target", "reward"),
        ),
        Deviation(
            what="Combine: trial_cue",
            neurogym="is the number of the trial's type, 0 for the first task alone",
            here="is one input for each task, 1 where it is on",
            reason="0 could not be told from no cue",
            affects=("observation",),
        ),
    )

    delay: Any = quantity(0.0, units="ms", low=0, doc="how much later the second task begins")
    mix: Any = quantity(
        (0.0, 0.0, 1.0), low=0, many=True,
        doc="how many trials are of the first task alone, of the second alone, and of both, in proportion",
    )  # fmt: skip
    share_action_space: bool = structure(False, choices=(True, False), doc="whether one action answers both tasks")
    trial_cue: bool = structure(False, choices=(True, False), doc="whether two inputs tell which tasks are on")

    other: Any = struct.field(default=None)
    prefix: str = struct.field(pytree_node=False, default="second")

    # ------------------------------------------------------------------ building

    @classmethod
    def around(cls, inner: Task, **kwargs: Any):
        """A task and another at once.

        Args:
            inner: the first task.
            **kwargs: `other`, a task, or a table with its `id` and keywords; `prefix`, a word for it; and the
                parameters.

        Raises:
            InvalidArgument: if the tasks do not fit each other, or a value is not allowed.
        """
        if "other" not in kwargs:
            raise InvalidArgument("combine takes two tasks; state the other one")
        first, second = read_task(inner), read_task(kwargs.pop("other"))
        prefix = _free_prefix(first, kwargs.pop("prefix", None))
        if first.dt != second.dt:
            raise InvalidArgument(f"combine: both tasks must have one time step dt, got {first.dt:g} and {second.dt:g}")
        for task in (first, second):
            if _heeds_results(task):
                raise InvalidArgument(
                    f"combine: {task.name} remembers the results of its trials, and a trial of two tasks has one result"
                )
        known = {name: p for name, p in parameters(cls).items() if name != "dt"}
        given = canonical(cls, kwargs, list(known), "combine")
        values = {name: read(name, known[name], value) for name, value in given.items()}
        task = cls(inner=first, other=second, prefix=prefix, dt=first.dt, **values)
        task.validate()
        return task.replace(capacity=task.room())

    def validate(self) -> None:
        if len(self.mix) != 3 or not np.any(self.mix):
            raise InvalidArgument(f"mix must be three numbers of 0 or more, not all 0, got {self.mix.tolist()}")
        if "mix" in names_of(self.other) or (self.trial_cue and "cue" in dict(self.other.channels.sizes)):
            raise InvalidArgument(f"combine: {self.other.name} has a 'mix' or 'cue' itself; let it be the first task")
        a, b = self.inner.actions, self.other.actions
        if isinstance(a, Discrete) != isinstance(b, Discrete):
            raise InvalidArgument(
                f"combine: one action cannot be a number for one task (discrete) and a vector for the other; "
                f"{self.inner.name} has {_kind(a)} actions and {self.other.name} has {_kind(b)}"
            )
        if self.share_action_space and not (isinstance(a, Discrete) and a.size == b.size):
            raise InvalidArgument(
                f"share_action_space needs tasks with the same number of discrete actions, got {a.size} and {b.size}"
            )

    def room(self) -> int:
        return max(self.inner.capacity, int(whole_steps(float(self.delay), self.dt)) + self.other.capacity)

    def set(self, **kwargs: Any):
        """The task with some parameters changed: its own, and those of the first task."""
        own = {k: v for k, v in kwargs.items() if k in parameters(type(self)) and k != "dt"}
        rest = {k: v for k, v in kwargs.items() if k not in own}
        if is_traced((self, kwargs)):
            outer = self._set_traced(own)
            return outer.replace(inner=outer.inner.set(**rest)) if rest else outer
        inner = self.inner.set(**rest) if rest else self.inner
        return type(self).around(inner, other=self.other, prefix=self.prefix, **{**self._own(), **own})

    def with_room(self, steps):
        return super().with_room(steps).replace(other=self.other.with_room(steps))

    def spec(self):
        return {"name": self.label(), "other": written(self.other), "prefix": self.prefix, **self._own()}

    # ------------------------------------------------------------------ what it is

    @property
    def name(self):
        return f"Combine({self.inner.name}, {self.other.name})"

    def __repr__(self) -> str:
        return f"Combine of {self.inner.name} and {self.other.name}"

    def _called(self, name: str) -> str:
        """What the second task calls `name`, outside."""
        return f"{self.prefix}_{name}"

    def _of_second(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is the second task's, under its own names."""
        start = self._called("")
        own = {self._called("mix"), self._called("cue")}
        return {k.removeprefix(start): v for k, v in values.items() if k.startswith(start) and k not in own}

    def _of_first(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in values.items() if not k.startswith(self._called(""))}

    def _join(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
        return {**first, **{self._called(name): value for name, value in second.items()}}

    @property
    def channels(self):
        a, b = self.inner.channels, self.other.channels
        sizes = (*a.sizes, *((self._called(name), n) for name, n in b.sizes))
        shapes = (*a.shapes, *((self._called(name), shape) for name, shape in b.shapes))
        cue = ((self._called("cue"), 2),) if self.trial_cue else ()
        if all(np.ndim(bound) == 0 for bound in (a.low, a.high, b.low, b.high)):
            low: Any = min(float(a.low), float(b.low), 0.0)  # type: ignore[arg-type]
            high: Any = max(float(a.high), float(b.high), 1.0 if cue else 0.0)  # type: ignore[arg-type]
        else:
            both = zip(a.bounds(), b.bounds(), strict=True)
            low, high = (tuple(float(x) for x in np.concatenate(bounds)) for bounds in both)
            low = tuple(min(x, 0.0) for x in (*low, *(0.0,) * 2 * len(cue)))
            high = tuple(max(x, 0.0) for x in (*high, *(1.0,) * 2 * len(cue)))
        return Channels((*sizes, *cue), low=low, high=high, shapes=shapes)

    @property
    def actions(self):
        a, b = self.inner.actions, self.other.actions
        if self.share_action_space:
            return a
        if isinstance(a, Box):
            names = (*a.names, *map(self._called, b.names))
            return Box(names, (*a.low, *b.low), (*a.high, *b.high))
        pairs = (f"{x}, {self._called(y)}" for x in a.labels() for y in b.labels())
        return Discrete(tuple((pair, 1) for pair in pairs))

    @property
    def period_names(self):
        return (*self.inner.period_names, *map(self._called, self.other.period_names))

    @property
    def deviations(self):
        return tuple(dict.fromkeys((*self.inner.deviations, *self.other.deviations, *self.DEVIATIONS)))

    def units(self, condition):
        if condition == self._called("mix"):
            return ""
        first = self.inner.units(condition)
        own = self._of_second({condition: None})
        return self.other.units(*own) if own else first

    @property
    def laws(self):
        return self._join(self.inner.laws, self.other.laws)

    def laws_under(self, conditions):
        first = self.inner.laws_under(self._of_first(conditions))
        return self._join(first, self.other.laws_under(self._of_second(conditions)))

    @property
    def unused_periods(self):
        return (*self.inner.unused_periods, *self.other.unused_periods)

    @property
    def unused_parameters(self):
        paths = paths_of("other", self.other)
        return (*self.inner.unused_parameters, *(f"{p}.{name}" for p in paths for name in self.other.unused_parameters))

    @property
    def closed_loop(self):
        return self.inner.closed_loop or self.other.closed_loop

    def references(self):
        if self.share_action_space:
            return {}  # which task an action serves where both ask is not for their own numbers to say
        first, second = self.inner.references(), self.other.references()
        p = np.asarray(self.mix, np.float64) / float(np.sum(self.mix))
        share = (float(p[0] + p[2] / 2), float(p[1] + p[2] / 2))
        return {name: share[0] * first[name] + share[1] * second[name] for name in first if name in second}

    # ------------------------------------------------------------------ trials

    def longest(self):
        return self.longest_under({})

    def longest_under(self, conditions):
        later = int(whole_steps(float(self.delay), self.dt))
        second = self.other.longest_under(self._of_second(conditions)) if conditions else self.other.longest()
        first = self.inner.longest_under(self._of_first(conditions)) if conditions else self.inner.longest()
        return max(first, later + second)

    def conditions(self, draw, memory):
        first = self.inner.conditions(draw.inside(self.inner.laws), memory["first"])
        inside = draw.inside(self.other.laws, called=self._called, period=self._called, path=self.prefix)
        second = self.other.conditions(inside, memory["second"])
        kind = pick_weighted(jnp.asarray(self.mix), draw.under(f"combine {self.prefix}").chance("mix").uniform())
        mixed = draw.remembered(self._called("mix"), kind, 3)
        return {**self._join(first, second), self._called("mix"): mixed}

    def periods(self, conditions, steps):
        first = self.inner.periods(self._of_first(conditions), steps.of(self.inner))
        second = self.other.periods(self._of_second(conditions), steps.of(self.other, self._called))
        later = self._later()
        second = {name: (later + start, later + end) for name, (start, end) in second.items()}
        if self._called("mix") in conditions:  # else this is about the longest of all trials
            on = self._on(conditions)
            zero = lambda on, spans: {
                name: tuple(jnp.where(on, jnp.asarray(x, jnp.int32), 0) for x in span) for name, span in spans.items()
            }
            first, second = zero(on[0], first), zero(on[1], second)
        return self._join(first, second)

    def _later(self) -> Any:
        """The steps after which the second task begins."""
        delay = self.delay
        return int(whole_steps(float(delay), self.dt)) if isinstance(delay, np.ndarray) else whole_steps(delay, self.dt)

    def _on(self, conditions) -> tuple[Any, Any]:
        """Whether each task is on in the trial."""
        mixed = conditions[self._called("mix")]
        return mixed != _SECOND, mixed != _FIRST

    def _parts(self, trial: Trial, t) -> list[_Part]:
        """The two parts of a trial, at its step `t`."""
        on, later, out = self._on(trial.conditions), self._later(), []
        first, second = (self.inner, self._of_first, on[0], 0), (self.other, self._of_second, on[1], later)
        for task, of, mine, shift in (first, second):
            back = lambda x, shift=shift: jnp.maximum(x - shift, 0)
            start, end = (jax.tree.map(back, of(times)) for times in (trial.start, trial.end))
            length = jnp.max(jnp.stack([jnp.asarray(x, jnp.int32) for x in end.values()]))
            own = trial.replace(conditions=of(trial.conditions), start=start, end=end, length=length)
            active = mine & (t >= shift) & (t - shift < length)
            out.append(_Part(task, own, mine, active, back(t)))
        return out

    def init_state(self, trial):
        state = {}
        for name, part in zip(("first", "second"), self._parts(trial, jnp.int32(0)), strict=True):
            begun = part.task.init_state(part.trial)
            over, none, zero = jnp.logical_not(part.on), jnp.int32(0), jnp.float32(0)
            state[name] = {"state": begun, "over": over, "outcome": none, "performance": zero}
        return state

    def _states(self, state) -> tuple[Any, Any]:
        return state["first"]["state"], state["second"]["state"]

    def observe(self, trial, state, t):
        seen = self._shown(trial, state, t, lambda part, own: part.task.observe(part.trial, own, part.t))
        if self.trial_cue:
            seen[self._called("cue")] = jnp.stack(self._on(trial.conditions))
        return seen

    def noise(self, trial, state, t, draw):
        draws = {id(self.inner): draw, id(self.other): draw.under(self.prefix)}
        rule = lambda part, own: part.task.noise(part.trial, own, part.t, draws[id(part.task)])
        return self._shown(trial, state, t, rule)

    def _shown(self, trial, state, t, rule) -> dict[str, Any]:
        """What a rule gives by channel, of each part while it lasts."""
        each = []
        for part, own in zip(self._parts(trial, t), self._states(state), strict=True):
            values = {name: jnp.asarray(value).astype(jnp.float32) for name, value in rule(part, own).items()}
            each.append({name: jnp.where(part.active, value, 0.0) for name, value in values.items()})
        return self._join(*each)

    def target(self, trial, state, t):
        best = []
        for part, own in zip(self._parts(trial, t), self._states(state), strict=True):
            actions = part.task.actions
            asked = jnp.asarray(part.task.target(part.trial, own, part.t)).astype(actions.dtype)
            rest = jnp.clip(0.0, *actions.bounds()) if isinstance(actions, Box) else jnp.int32(0)
            best.append(jnp.where(part.active, asked, rest))
        first, second = best
        if self.share_action_space:
            return jnp.where(first != 0, first, second)
        if isinstance(self.inner.actions, Box):
            return jnp.concatenate([first, second])
        return first * self.other.actions.size + second

    def _split(self, action) -> tuple[Any, Any]:
        """The action as one of each task."""
        if self.share_action_space:
            return action, action
        if isinstance(self.inner.actions, Box):
            return action[: self.inner.actions.size], action[self.inner.actions.size :]
        return action // self.other.actions.size, action % self.other.actions.size

    def weight(self, trial, state, t):
        weight: Any = jnp.float32(0)
        for part, own in zip(self._parts(trial, t), self._states(state), strict=True):
            asked = jnp.asarray(part.task.weight(part.trial, own, part.t)).astype(jnp.float32)
            weight = jnp.maximum(weight, jnp.where(part.active, asked, 0.0))
        return weight

    def respond(self, trial, state, action, t, draw):
        reward, after = jnp.float32(0), {}
        parts, actions = self._parts(trial, t), self._split(action)
        for name, part, own, draws in zip(
            ("first", "second"), parts, actions, (draw, draw.under(self.prefix)), strict=True
        ):
            gained, after[name] = _answered(part, state[name], own, draws, trial.overflow)
            reward = reward + gained
        a, b = after["first"], after["second"]
        wrong = [part.on & (x["outcome"] != int(Outcome.CORRECT)) for part, x in zip(parts, (a, b), strict=True)]
        outcome = jnp.where(wrong[1], b["outcome"], int(Outcome.CORRECT))
        on = [part.on.astype(jnp.float32) for part in parts]
        return consequence(
            reward=reward,
            end=a["over"] & b["over"],
            outcome=jnp.where(wrong[0], a["outcome"], outcome),
            performance=(on[0] * a["performance"] + on[1] * b["performance"]) / (on[0] + on[1]),
            state=after,
        )

    def expire(self, trial, state):
        return np.float32(0)  # each part's end has been paid for

    def told(self, state, action, reward):
        own = zip(("first", "second"), (self.inner, self.other), self._split(action), strict=True)
        return {
            name: {**state[name], "state": tell(task, state[name]["state"], done, reward)} for name, task, done in own
        }

    # ------------------------------------------------------------------ memories

    def init_memory(self, draw):
        return {"first": self.inner.init_memory(draw), "second": self.other.init_memory(draw.under(self.prefix))}

    def next_memory(self, memory, trial, result, draw):
        # Neither heeds the result, which is of both.
        first, second = self._parts(trial, jnp.int32(0))
        own = [result.replace(choice=choice) for choice in self._split(result.choice)]
        return {
            "first": self.inner.next_memory(memory["first"], first.trial, own[0], draw),
            "second": self.other.next_memory(memory["second"], second.trial, own[1], draw.under(self.prefix)),
        }

    def resolve(self, memory):
        return self.replace(inner=self.inner.resolve(memory["first"]), other=self.other.resolve(memory["second"]))


@dataclasses.dataclass(frozen=True)
class _Part:
    """One of the two tasks in a trial, at one step.

    Attributes:
        task: the task.
        trial: its own trial.
        on: whether the trial is of this task.
        active: whether its trial runs at this step.
        t: the step in its own trial, from 0.
    """

    task: Task
    trial: Trial
    on: Any
    active: Any
    t: Any


def _answered(part: _Part, state: Mapping[str, Any], action: Any, draw: Draw, overflow: Any) -> tuple[Any, Any]:
    """The reward and the next state of a part, after an action."""
    came = part.task.respond(part.trial, state["state"], action, part.t, draw)
    live = part.active & ~state["over"]
    expires = live & part.trial.last(part.t) & ~came.end
    ends = live & (came.end | expires)
    lost = jnp.where(overflow, int(Outcome.TIMEOUT), int(Outcome.MISS)).astype(jnp.int32)
    missed = jnp.asarray(part.task.expire(part.trial, state["state"]), jnp.float32)
    keep = lambda new, old: jnp.where(part.active, jnp.asarray(new).astype(jnp.asarray(old).dtype), old)
    after = {
        "state": jax.tree.map(keep, came.state, state["state"]),
        "over": state["over"] | ends,
        "outcome": jnp.where(ends, jnp.where(expires, lost, came.outcome), state["outcome"]),
        "performance": jnp.where(ends, jnp.where(expires, 0.0, came.performance), state["performance"]),
    }
    return jnp.where(live, came.reward, 0.0) + jnp.where(expires, missed, 0.0), after


def _free_prefix(first: Task, given: Any) -> str:
    """The prefix of the second task's names, which no name of the first has."""
    names = (*first.period_names, *dict(first.channels.sizes), *names_of(first))
    taken = {name.split("_")[0] for name in names if "_" in name}
    if given is not None:
        if not isinstance(given, str) or not given.isidentifier() or "_" in given:
            raise InvalidArgument(f"prefix must be a word, such as 'second', got {given!r}")
        if given in taken:
            raise InvalidArgument(f"prefix={given!r} stands before names of {first.name} already; choose another")
        return given
    free = [word for word in _ORDINALS if word not in taken]
    if not free:
        raise InvalidArgument(f"{first.name} holds so many tasks that there is no name for another; state a prefix")
    return free[0]


def _kind(actions: Discrete | Box) -> str:
    return "discrete" if isinstance(actions, Discrete) else "continuous"


def _heeds_results(task: Task) -> bool:
    """Whether a task's memory follows the results of its trials."""

    def after(words, result):
        chance = Chance(words, jnp.uint32(0))
        session = begin(task, start_memory(task, chance), chance, 0)
        held = task.resolve(session.memory)
        trial = held.trial(session.drawn)
        return jax.tree.map(jnp.asarray, held.next_memory(session.memory, trial, result, Draw(chance, "next", 0)))

    number, whole = jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    choice = jax.ShapeDtypeStruct(task.actions.shape, task.actions.dtype)
    result = Result(choice, whole, number, whole, number, number)  # pyright: ignore[reportArgumentType]
    jaxpr = jax.make_jaxpr(after)(jax.ShapeDtypeStruct((2,), jnp.uint32), result).jaxpr
    reached = set(jaxpr.invars[1:])
    for equation in jaxpr.eqns:
        if any(not isinstance(x, Literal) and x in reached for x in equation.invars):
            reached |= set(equation.outvars)
    return any(not isinstance(x, Literal) and x in reached for x in jaxpr.outvars)


def combine(
    first: Task,
    second: Task,
    *,
    delay: float = 0.0,
    mix: tuple[float, float, float] = (0.0, 0.0, 1.0),
    share_action_space: bool = False,
    trial_cue: bool = False,
    prefix: str | None = None,
) -> Combine:
    """Two tasks at once, in one observation (see `Combine`).

    Args:
        first, second: the tasks.
        delay: how much later the second begins, in ms.
        mix: how many trials are of the first alone, of the second alone, and of both, in proportion.
        share_action_space: whether one action answers both; else there is one for each pair of theirs.
        trial_cue: whether two inputs tell which tasks are on.
        prefix: a word to stand before the second's names; default: "second", or the next that is free.

    Raises:
        InvalidArgument: if the tasks differ in dt or in the kind of their actions, share actions of different
            number, or remember the results of their trials; or a value is not allowed.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.modifiers.combine import combine
        >>> combine(nj.make("GoNogo-v0", dt=80), nj.make("ReadySetGo-v0")).channels.labels()
        ['fixation', 'nogo', 'go', 'second_fixation', 'second_ready', 'second_set']
    """
    return Combine.around(
        first,
        other=second,
        delay=delay,
        mix=mix,
        share_action_space=share_action_space,
        trial_cue=trial_cue,
        prefix=prefix,
    )


# NeuroGym's name, and what stands for it here.
NEUROGYM = {"Combine": combine}
