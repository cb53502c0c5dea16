"""Several tasks as one, of which each trial has one: a stack where their code is the same, else a switch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.draw import Draw
from neurojax.core.stack import stack
from neurojax.core.task import Steps, Task
from neurojax.core.timing import Law, Until
from neurojax.core.trial import Consequence, Trial
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Holding, Modifier, tell
from neurojax.modifiers.common import (
    Conditions,
    actions_of,
    channels_of,
    conditions_of,
    labels_of,
    to_common,
    to_own,
    widened,
)


class Several(Task):
    """Tasks among which a modifier chooses for each trial. It is no task by itself: `at` gives one of them.

    Attributes:
        labels: a name for each task (static).
    """

    labels: tuple[str, ...] = struct.field(pytree_node=False, default=())

    @property
    def count(self) -> int:
        """How many tasks there are."""
        return len(self.labels)

    @property
    def switches(self) -> bool:
        """Whether choosing one is a switch between their code: each step then costs that of all tasks."""
        raise NotImplementedError

    def part(self, i: int) -> Task:
        """The task number `i`, as it is alone."""
        raise NotImplementedError

    def at(self, index: Any) -> Task:
        """The task number `index`, which may be traced, in the form that all have in common."""
        raise NotImplementedError

    def parts(self) -> Iterator[Task]:
        """All of them, as they are alone."""
        return (self.part(i) for i in range(self.count))

    def memory_at(self, memory: Any, index: Any) -> Any:
        """What `at(index)` takes for its memory, of the memories of all."""
        raise NotImplementedError

    def memory_after(self, memory: Any, index: Any, trial: Trial, result: Any, draw: Draw) -> Any:
        """The memories of all after a trial of the task number `index`."""
        raise NotImplementedError

    @property
    def name(self):
        return ", ".join(self.labels)

    @property
    def period_names(self):
        return tuple(dict.fromkeys(name for part in self.parts() for name in part.period_names))

    @property
    def deviations(self):
        return tuple(dict.fromkeys(d for part in self.parts() for d in part.deviations))

    def longest(self):
        return max(part.longest() for part in self.parts())

    def longest_periods(self, steps: Steps) -> dict[str, tuple[Any, Any]]:
        """The latest start and end that each period has in any of the tasks."""
        out: dict[str, tuple[Any, Any]] = {}
        for part in self.parts():
            for name, (start, end) in part.periods({}, steps.of(part)).items():
                late = out.get(name, (0, 0))
                out[name] = (max(late[0], start), max(late[1], end))
        return out


def several(tasks: Sequence[Task], names: Any = None, *, where: str, apart: bool = False) -> Several:
    """Tasks as one: a stack where they have one structure, else in a common form.

    Args:
        tasks: the tasks.
        names: a word for each.
        where: what errors call the holder.
        apart: whether they are to keep their laws as they are, where a stack would make tables of them.

    Raises:
        InvalidArgument: if there are none, or they differ in their time step, or in the kind of their actions.
    """
    tasks = list(tasks)
    if not tasks:
        raise InvalidArgument(f"{where} takes at least one task")
    for task in tasks:
        if not isinstance(task, Task) or task.capacity < 1 or isinstance(task, Several):
            raise InvalidArgument(f"{where} takes tasks from nj.make or Task.create, got {task!r}")
    labels = labels_of(tasks, names)
    steps = {float(task.dt) for task in tasks}
    if len(steps) > 1:
        each = ", ".join(f"{label} {task.dt:g}" for label, task in zip(labels, tasks, strict=True))
        raise InvalidArgument(f"{where}: all tasks must have one time step dt, in ms; got {each}")
    if len({_code(task) for task in tasks}) > 1 or apart:
        return _alternatives(tasks, labels, where)
    try:
        stacked = stack(tasks)
    except InvalidArgument:  # their sizes differ
        return _alternatives(tasks, labels, where)
    return Family(inner=stacked, labels=labels, dt=stacked.dt, capacity=stacked.capacity)


def _code(task: Any) -> tuple[type, ...]:
    """The classes of a task and of those inside it."""
    inner = getattr(task, "inner", None)
    return (type(task), *(_code(inner) if inner is not None else ()))


def rows_of(stacked: Task) -> list[Task]:
    """The tasks of a stack (`nj.stack`).

    Raises:
        InvalidArgument: if it is none.
    """
    lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(stacked)}
    count = next(iter(lengths), ())
    if len(lengths) != 1 or not count or any(np.ndim(reward) != 1 for reward in stacked.rewards.values()):
        raise InvalidArgument(f"a schedule takes a list of tasks, or a stack of them (nj.stack), got {stacked!r}")
    return [_row(stacked, i) for i in range(count[0])]


def _row(stacked: Any, index: Any) -> Any:
    """One task of a stack; the index may be traced."""

    def pick(leaf):
        if isinstance(leaf, np.ndarray) and isinstance(index, int):
            return np.asarray(leaf[index])
        return jnp.asarray(leaf)[index]

    return jax.tree.map(pick, stacked)


# ---------------------------------------------------------------------- one code


class Family(Holding, Several):
    """Tasks of one structure, as a stack: a trial's task is a row of it, and a step costs that of one task.

    Attributes:
        inner: the stack.
    """

    @property
    def switches(self):
        return False

    def part(self, i):
        return _row(self.inner, i)

    def at(self, index):
        return _row(self.inner, index)

    # What follows has one value for all rows, because it is structure.

    @property
    def deviations(self):
        return self.inner.deviations

    def units(self, condition):
        return self.inner.units(condition)

    @property
    def laws(self) -> dict[str, Law]:
        return {name: _Rows(rows=law) for name, law in self.inner.laws.items()}

    @property
    def unused_periods(self):
        return tuple(set.intersection(*(set(part.unused_periods) for part in self.parts())))

    @property
    def unused_parameters(self):
        return tuple(set.intersection(*(set(part.unused_parameters) for part in self.parts())))

    def init_memory(self, draw):
        chance = draw.chance("task")  # each has chance of its own, lest the rows start alike
        start = lambda task, i: jax.tree.map(jnp.asarray, task.init_memory(Draw(chance.fold(i), "memory")))
        return jax.vmap(start)(self.inner, jnp.arange(self.count, dtype=jnp.int32))

    def resolve(self, memory):
        if not jax.tree.leaves(memory):
            return self
        return self.replace(inner=jax.vmap(lambda task, own: task.resolve(own))(self.inner, memory))

    def memory_at(self, memory, index):
        return jax.tree.map(lambda rows: jnp.asarray(rows)[index], memory)

    def memory_after(self, memory, index, trial, result, draw):
        own = self.at(index).next_memory(self.memory_at(memory, index), trial, result, draw)
        put = lambda rows, one: jnp.asarray(rows).at[index].set(jnp.asarray(one).astype(rows.dtype))
        return jax.tree.map(put, memory, own)


# ---------------------------------------------------------------------- different code


class Alternatives(Several):
    """Tasks of different code in a common form: channels by name, actions and time of the largest, all conditions.

    With an `index`, this is the task of that number in the common form: each rule is computed for all tasks, and that
    of the one is taken. In a batch of lanes a `lax.switch` comes to the same; but `vmap` would also draw the key of
    each step once a lane, and XLA (of JAX 0.10) goes in circles over that. Where the index is a Python integer, the
    one task's rules alone are computed.

    Attributes:
        tasks: the tasks.
        called: the names of their conditions (static).
        index: which of them holds; None where that is not decided.
    """

    tasks: tuple[Any, ...] = ()
    called: Any = struct.field(pytree_node=False, default=None)
    index: Any = None

    @property
    def switches(self):
        return True

    def part(self, i):
        return self.tasks[i]

    def at(self, index):
        return self.replace(index=index)

    def with_room(self, steps):
        return super().with_room(steps).replace(tasks=tuple(task.with_room(steps) for task in self.tasks))

    def _choose(self, rule: Callable[[int, Any], Any]) -> Any:
        """`rule(i, task)` of the task that holds."""
        if isinstance(self.index, int):
            return rule(self.index, self.tasks[self.index])
        each = [rule(i, task) for i, task in enumerate(self.tasks)]
        return jax.tree.map(lambda *values: jax.lax.select_n(self.index, *values), *each)

    def _own(self, i: int, conditions: Mapping[str, Any]) -> dict[str, Any]:
        """The conditions of a task, under its own names."""
        return {own: conditions[common] for own, common in self.called.returned[i] if common in conditions}

    def _trial(self, i: int, trial: Trial) -> Trial:
        return trial.replace(conditions=self._own(i, trial.conditions))

    # ------------------------------------------------------------------ what they have in common

    @property
    def channels(self):
        return channels_of([task.channels for task in self.tasks])

    @property
    def actions(self):
        return actions_of([task.actions for task in self.tasks], "schedule")

    @property
    def closed_loop(self):
        return any(task.closed_loop for task in self.tasks)

    def units(self, condition):
        named = (
            task.units(own)
            for task, pairs in zip(self.tasks, self.called.returned, strict=True)
            for own, common in pairs
            if common == condition
        )
        return next(named, "")

    @property
    def laws(self):
        return self._laws([task.laws for task in self.tasks])

    def laws_under(self, conditions):
        each = [task.laws_under(self._own(i, conditions)) for i, task in enumerate(self.tasks)]
        return self._laws(each)

    def _laws(self, each: Sequence[Mapping[str, Law]]) -> dict[str, Law]:
        names = dict.fromkeys(name for laws in each for name in laws)
        return {name: _Either(laws=tuple(laws.get(name) for laws in each), index=self.index) for name in names}

    @property
    def unused_periods(self):
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.unused_periods))

    @property
    def unused_parameters(self):
        return tuple(
            f"{path}.{name}"
            for i, task in enumerate(self.tasks)
            for path in paths_of(f"tasks[{i}]", task)
            for name in task.unused_parameters
        )

    # ------------------------------------------------------------------ rules

    def conditions(self, draw, memory):
        noted: dict[int, Draw] = {}

        def rule(i, task):
            names = dict(self.called.called[i])
            own = draw.inside(task.laws, called=lambda name: names.get(name, name), apart=True)
            values = task.conditions(own, memory[i])
            noted[i] = own
            out = self.called.zeros()
            for name, common in self.called.returned[i]:
                out[common] = jnp.asarray(values[name]).astype(out[common].dtype)
            return out

        out = self._choose(rule)
        self._note(draw, noted)
        return out

    def _note(self, draw: Draw, noted: Mapping[int, Draw]) -> None:
        """Note with `draw` what the tasks draw: what may be given is what all take, and no task's options are told."""
        for own in noted.values():
            for name, quantity in own.seen.items():
                counts = [q.count for q in (quantity, draw.seen.get(name)) if q is not None and q.count is not None]
                draw.seen[name] = dataclasses.replace(quantity, count=min(counts, default=None), options=None)
        timed = {i: {draw.period(name) for name in self.tasks[i].laws} for i in noted}
        draw.periods |= {
            name
            for own in noted.values()
            for name in own.periods
            if all(name in noted[i].periods for i in noted if name in timed[i])
        }

    def periods(self, conditions, steps):
        def rule(i, task):
            own = task.periods(self._own(i, conditions), steps.of(task))
            whole = lambda x: jnp.asarray(x).astype(jnp.int32)
            return {name: tuple(map(whole, own.get(name, (0, 0)))) for name in self.period_names}

        return self._choose(rule)

    def init_state(self, trial):
        return tuple(task.init_state(self._trial(i, trial)) for i, task in enumerate(self.tasks))

    def observe(self, trial, state, t):
        common = self.channels
        return self._choose(
            lambda i, task: widened(dict(task.observe(self._trial(i, trial), state[i], t)), task.channels, common)
        )

    def noise(self, trial, state, t, draw):
        common = self.channels
        return self._choose(
            lambda i, task: widened(dict(task.noise(self._trial(i, trial), state[i], t, draw)), task.channels, common)
        )

    def target(self, trial, state, t):
        actions = self.actions
        return self._choose(lambda i, task: to_common(task.target(self._trial(i, trial), state[i], t), actions))

    def weight(self, trial, state, t):
        return self._choose(lambda i, task: _number(task.weight(self._trial(i, trial), state[i], t)))

    def respond(self, trial, state, action, t, draw):
        def rule(i, task):
            came = task.respond(self._trial(i, trial), state[i], to_own(action, task.actions), t, draw)
            return Consequence(
                reward=_number(came.reward),
                end=jnp.asarray(came.end).astype(jnp.bool_),
                outcome=jnp.asarray(came.outcome).astype(jnp.int32),
                performance=_number(came.performance),
                state=_replaced(state, i, came.state),
            )

        return self._choose(rule)

    def expire(self, trial, state):
        return self._choose(lambda i, task: _number(task.expire(self._trial(i, trial), state[i])))

    def told(self, state: Any, action: Any, reward: Any) -> Any:
        """As `Modifier.told`; the states of tasks that do not hold are not read."""
        each = zip(self.tasks, state, strict=True)
        return tuple(tell(task, own, to_own(action, task.actions), reward) for task, own in each)

    # ------------------------------------------------------------------ memories

    def init_memory(self, draw):
        chance = draw.chance("task")  # each has chance of its own, lest tasks of one class start alike
        return tuple(task.init_memory(Draw(chance.fold(i), "memory")) for i, task in enumerate(self.tasks))

    def resolve(self, memory):
        return self.replace(tasks=tuple(task.resolve(own) for task, own in zip(self.tasks, memory, strict=True)))

    def next_memory(self, memory, trial, result, draw):
        return memory if self.index is None else self.memory_after(memory, self.index, trial, result, draw)

    def memory_at(self, memory, index):
        return memory

    def memory_after(self, memory, index, trial, result, draw):
        def rule(i, task):
            own = result.replace(choice=to_own(result.choice, task.actions))
            return _replaced(memory, i, task.next_memory(memory[i], self._trial(i, trial), own, draw))

        return self.at(index)._choose(rule)


def _alternatives(tasks: Sequence[Task], labels: tuple[str, ...], where: str) -> Alternatives:
    actions_of([task.actions for task in tasks], where)
    for name in dict.fromkeys(name for task in tasks for name in task.laws):
        laws = [task.laws[name] for task in tasks if name in task.laws]
        if any(isinstance(law, Until) for law in laws) and any(law.random for law in laws):
            raise InvalidArgument(
                f"{where}: the period {name!r} lasts 'until' a time in one task, and is drawn in another"
            )
    capacity = max(task.capacity for task in tasks)
    called: Conditions = conditions_of(tasks, labels)
    return Alternatives(tasks=tuple(tasks), called=called, labels=labels, dt=tasks[0].dt, capacity=capacity)


def _replaced(all_: tuple[Any, ...], i: int, one: Any) -> tuple[Any, ...]:
    """A tuple with another element `i`, in the dtypes of the one before."""
    one = jax.tree.map(lambda new, old: jnp.asarray(new).astype(jnp.asarray(old).dtype), one, all_[i])
    return jax.tree.map(jnp.asarray, (*all_[:i], one, *all_[i + 1 :]))


def _number(x: Any) -> jax.Array:
    return jnp.asarray(x).astype(jnp.float32)


def paths_of(path: str, task: Any) -> Iterator[str]:
    """The paths of a task and of those inside it."""
    yield path
    while isinstance(task, Modifier):
        path, task = f"{path}.inner", task.inner
        yield path


# ---------------------------------------------------------------------- laws of several tasks


class _Rows(Law):
    """A period's law in the tasks of a stack, before one is chosen.

    Attributes:
        rows: the law, its leaves `[n, ...]`.
    """

    rows: Any

    @property
    def random(self):  # type: ignore[override]
        return self.rows.random

    def quantile(self, u):
        raise TypeError("which task's duration this is follows from the trial's conditions: ask laws_under for the law")

    def upper(self):
        count = np.shape(jax.tree.leaves(self.rows)[0])[0]
        return max(_row(self.rows, i).upper() for i in range(count))

    def spec(self):
        raise InvalidArgument("the durations of several tasks are those of each")


class _Either(Law):
    """A period's law in one of several tasks.

    Attributes:
        laws: of each task, or None where it has no such period.
        index: which task; None where that is not decided.
    """

    laws: tuple[Any, ...]
    index: Any = None

    @property
    def random(self):  # type: ignore[override]
        return any(law is not None and law.random for law in self.laws)

    def quantile(self, u):
        if self.index is None:
            raise TypeError("which task's duration this is follows from the trial's conditions: ask laws_under for it")
        none = jnp.zeros((), jnp.float32)
        each = [none if law is None or isinstance(law, Until) else _number(law.quantile(u)) for law in self.laws]
        return each[self.index] if isinstance(self.index, int) else jnp.stack(each)[self.index]

    def upper(self):
        return max((law.upper() for law in self.laws if law is not None), default=math.inf)

    def spec(self):
        raise InvalidArgument("the durations of several tasks are those of each")
