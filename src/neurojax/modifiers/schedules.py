"""Sessions that mix tasks: which task a trial is of follows from a schedule, or is given as a condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import canonical, is_traced, parameters, quantity, read, structure
from neurojax.core.spaces import Channels
from neurojax.core.task import Deviation, Task
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Modifier, widened_by
from neurojax.modifiers.several import Several, rows_of, several
from neurojax.modifiers.taking import Taking, sub
from neurojax.modifiers.written import read_task, written

ORDERS = ("random", "sequential", "random_block", "sequential_block", "session")
STARTS = ("anywhere", "first")


class Schedule(Taking):
    """Several tasks in one session: each trial is of one of them, and an input may tell which.

    Orders: with "random" each trial draws its task; with "sequential" the tasks take turns; "random_block" and
    "sequential_block" do so by blocks of trials; with "session" a session keeps the task that it draws at its start.
    A trial is what its task alone would show at that step of the session, and each task has a memory of its own.

    Tasks of one structure (those that `nj.stack` takes) are a stack: a trial's task is a row of it, and a step costs
    that of one task. Tasks of different code are brought to a common form: one channel for each name, as wide as the
    widest; the actions and the time of the largest task; all periods, of which those of other tasks last no step; all
    conditions, 0 in trials of other tasks. They share a condition where it is the same in both; else the later one's
    has the task's label before its name. An action that the present task does not have is its action 0. Each step is
    then a switch between the tasks' code, and costs that of all of them (a `lax.switch` in a batch of lanes does no
    less): see `switches`, and `alone` to do without.

    Channels: those of the tasks, and with `identity` the `rule` behind them, one of n, on at every step. Conditions:
    `task` (0 .. n - 1), which can be given, and those of the trial's task. Where a task has such names itself (a
    schedule of schedules), they are `subrule` and `subtask`.

    Attributes:
        inner: the tasks, as one.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.schedules import schedule
        >>> tasks = [nj.make("PerceptualDecisionMaking-v0"), nj.make("GoNogo-v0")]
        >>> both = schedule(tasks, order="sequential_block", block_lengths=[2, 1], start="first")
        >>> both.channels.labels()
        ['fixation', 'stimulus 0', 'stimulus 1', 'nogo', 'go', 'rule 0', 'rule 1']
        >>> run = nj.rollout(both, jax.random.key(0), 1, 100, policy="oracle").trajectory
        >>> run.conditions["task"][run.first].tolist()[:6]
        [0, 0, 1, 0, 0, 1]
        >>> nj.render(both, jax.random.key(0), 3, task=[0, 1, 1]).conditions["task"].tolist()
        [0, 1, 1]
    """

    TAGS = ("multi-task",)
    KEYWORDS = ("others", "names")
    DEVIATIONS = (
        Deviation(
            what="ScheduleEnvs: first trial of a session",
            neurogym="is of the second task in sequential order; each reset begins the schedule anew",
            here="is at a random place of the schedule, or with start='first' of the first task",
            reason="a batch of first trials must show all tasks",
            affects=("observation", "conditions"),
        ),
        Deviation(
            what="ScheduleEnvs: random order",
            neurogym="never has one task twice in a row, so that two tasks alternate",
            here="does so with repeats=False; by default trials are independent",
            reason="the task of a trial would follow from the one before",
            affects=("observation", "conditions"),
        ),
        Deviation(
            what="nested ScheduleEnvs",
            neurogym="lose the rule input at about half of the steps of an agent",
            here="show it at every step",
            reason="a trial could not be told from one of another task",
            affects=("observation",),
        ),
        Deviation(
            what="first observation after another task",
            neurogym="is the first of the trial before, with the rule of its task",
            here="is the trial's own",
            reason="what is shown must be of the trial that is scored",
            affects=("observation",),
        ),
        Deviation(
            what="ScheduleEnvs, MultiEnvs: reset, different spaces",
            neurogym="reset of MultiEnvs fails with options, and without gives a pair in a pair; tasks must have the "
            "same number of channels and of actions",
            here="works; channels are joined by name, and actions are those of the largest task",
            reason="tasks of a session need not look alike",
            affects=("observation",),
        ),
    )

    order: str = structure("random", choices=ORDERS, doc="how the task of a trial follows from those before")
    weights: Any = quantity(
        (1.0,), low=0, many=True, source="neurojax", doc="how often each task is drawn, in proportion"
    )
    block_lengths: Any = quantity(
        (1.0,), units="trials", low=1, many=True, aliases=("block_lens",), doc="length of a block of each task"
    )
    repeats: bool = structure(True, choices=(True, False), doc="whether the next draw may be of the same task")
    start: str = structure("anywhere", choices=STARTS, source="neurojax", doc="where in the schedule a session begins")
    identity: bool = structure(
        True, choices=(True, False), aliases=("env_input",), doc="whether a one-hot input `rule` tells the task"
    )
    only: int = structure(-1, low=-1, source="neurojax", doc="the one task of which all trials are; -1: the schedule's")

    # ------------------------------------------------------------------ building

    @classmethod
    def around(cls, inner: Task, **kwargs: Any):
        """A schedule of a task and others.

        Args:
            inner: the first task.
            **kwargs: `others`, a list of tasks, or of tables with the `id` and the keywords of each; `names`, a word
                for each task; and the parameters.

        Raises:
            InvalidArgument: if the tasks do not fit each other, or a value is not allowed.
        """
        others = kwargs.pop("others", ())
        if isinstance(others, (Mapping, Task, str)) or not isinstance(others, Sequence):
            raise InvalidArgument(f"others must be a list of tasks, got {others!r}")
        names = kwargs.pop("names", None)
        tasks = [read_task(task) for task in (inner, *others)]
        return cls._of(several(tasks, names, where="schedule"), **kwargs)

    @classmethod
    def _of(cls, inner: Several, **kwargs: Any):
        known = {name: p for name, p in parameters(cls).items() if name != "dt"}
        given = canonical(cls, {k: v for k, v in kwargs.items() if v is not None}, list(known), "schedule")
        order = given.get("order", "random")
        blocks = isinstance(order, str) and order.endswith("_block")
        if blocks and "block_lengths" not in given:
            raise InvalidArgument(f"order={order!r} needs block_lengths, the trials in a block of each task")
        if not blocks and "block_lengths" in given:
            raise InvalidArgument(f"order={order!r} has no blocks; block_lengths is for 'random_block' and the like")
        lengths = given.get("block_lengths", 1.0)
        if blocks and np.ndim(lengths) == 0 and not isinstance(lengths, str):
            lengths = [lengths] * inner.count
        each = {"weights": given.get("weights", np.ones(inner.count)), "block_lengths": lengths}
        each["block_lengths"] = each["block_lengths"] if blocks else np.ones(inner.count)
        given = {"repeats": order != "random_block", **given, **each}
        task = cls(inner=inner, dt=inner.dt, **{name: read(name, known[name], value) for name, value in given.items()})
        task.validate()
        return task.replace(capacity=inner.capacity)

    def validate(self) -> None:
        count = self.inner.count
        for name in ("weights", "block_lengths"):
            value = getattr(self, name)
            if len(value) != count:
                raise InvalidArgument(f"{name} must be {count} numbers, one for each task, got {value.tolist()}")
        if np.any(self.block_lengths != np.floor(self.block_lengths)):
            raise InvalidArgument(f"block_lengths must be whole numbers of trials, got {self.block_lengths.tolist()}")
        alternatives = np.count_nonzero(self.weights)
        if not alternatives or (self._draws and not self.repeats and count > 1 and alternatives < 2):
            least = "two weights" if alternatives else "one weight"
            raise InvalidArgument(f"at least {least} must be above 0, got weights={self.weights.tolist()}")
        if self.order == "session" and self.start == "first":
            raise InvalidArgument(
                "order='session' with start='first' would show the first task alone; draw it, or give it"
            )
        if self.only >= count:
            raise InvalidArgument(f"only must be -1, or the number of a task, 0 .. {count - 1}, got {self.only}")

    @property
    def _draws(self) -> bool:
        """Whether the next task is drawn after those before."""
        return self.order.startswith("random")

    @property
    def _blocks(self) -> bool:
        return self.order.endswith("_block")

    def set(self, **kwargs: Any):
        """The schedule with some of its own parameters changed; those of the tasks are changed where they are made."""
        names = [name for name in parameters(type(self)) if name != "dt"]
        given = canonical(type(self), kwargs, names, "schedule")
        if is_traced((self, given)):
            return self._set_traced(given)
        own = self._own()
        if not str(given.get("order", self.order)).endswith("_block"):
            own.pop("block_lengths", None)
        return type(self)._of(self.inner, **{**own, **given})

    def alone(self, task: int):
        """One task of the schedule in the form that all have in common, without a switch: all trials are of it.

        Batches of different tasks have one structure, so that a batch in which each task has its share is rendered
        task by task, each with a key of its own, and joined: `jax.tree.map(lambda *x: jnp.concatenate(x), *batches)`.

        Args:
            task: its number.

        Raises:
            InvalidArgument: if there is no such task.
        """
        if isinstance(task, bool) or not isinstance(task, (int, np.integer)) or not 0 <= task < self.inner.count:
            raise InvalidArgument(f"task must be the number of a task, 0 .. {self.inner.count - 1}, got {task!r}")
        return self.replace(only=int(task))

    def _own(self):
        own = {name: getattr(self, name) for name in parameters(type(self)) if name != "dt"}
        own["weights"], lengths = ([float(str(x)) for x in own.pop(name)] for name in ("weights", "block_lengths"))
        return {**own, "block_lengths": lengths} if self._blocks else own

    def settings(self):
        first = self.inner.part(0).settings()
        return {**first, "modifiers": [*first.get("modifiers", []), self.spec()]}

    def spec(self):
        others = [written(part) for part in self.inner.parts()][1:]
        return {"name": self.label(), "others": others, "names": list(self.inner.labels), **self._own()}

    # ------------------------------------------------------------------ what it is

    @property
    def name(self):
        return f"Schedule({self.inner.name})"

    def __repr__(self) -> str:
        return f"Schedule of {', '.join(self.inner.labels)} ({self.order})"

    @property
    def tasks(self) -> tuple[str, ...]:
        """The label of each task, by the number that `task` among the conditions has."""
        return self.inner.labels

    @property
    def switches(self) -> bool:
        """Whether a step is a switch between the tasks' code, and so costs that of all of them."""
        return self.only < 0 and self.inner.switches

    @property
    def channels(self):
        inner = self.inner.channels
        if not self.identity:
            return inner
        sizes = tuple((sub(name, "rule"), n) for name, n in inner.sizes)
        shapes = tuple((sub(name, "rule"), shape) for name, shape in inner.shapes)
        renamed = Channels(sizes, low=inner.low, high=inner.high, shapes=shapes)
        return widened_by(renamed, "rule", self.inner.count, 0.0, 1.0)

    @property
    def unused_parameters(self):
        used = {"weights": self._draws or self.order == "session", "block_lengths": self._blocks}
        own = (name for name, counts in used.items() if self.only >= 0 or not counts)
        return (*self.inner.unused_parameters, *own)

    def shares(self) -> np.ndarray:
        """float64 `[n]`: the share of trials that each task has in the long run."""
        if self.only >= 0:
            return np.eye(self.inner.count)[self.only]
        odds = self._odds(np.asarray(self.weights, np.float64), np.asarray(self.block_lengths, np.float64))
        return odds / odds.sum()

    def _odds(self, weights: Any, lengths: Any) -> Any:
        """How likely any trial is of each task, in proportion.

        Without repeats the next task is j with probability w_j / (W - w_i) after i. That chain is reversible: it
        stays in i in proportion to w_i (W - w_i).
        """
        if self.order.startswith("sequential"):
            odds = weights * 0 + 1
        elif self._draws and not self.repeats and self.inner.count > 1:
            odds = weights * (weights.sum() - weights)
        else:
            odds = weights
        return odds * lengths

    def references(self):
        shares = self.shares()
        known = [part.references() for part in self.inner.parts()]
        names = set.intersection(*(set(numbers) for numbers, share in zip(known, shares, strict=True) if share > 0))
        if not self.identity and self.inner.count > 1 and self.only < 0:
            names -= {"ideal", "blind"}  # those of subjects who know the task
        if len({part.actions.size for part in self.inner.parts()}) > 1:
            names.discard("random")  # who chooses among more actions than the task has
        mean = lambda name: sum(p * numbers[name] for p, numbers in zip(shares, known, strict=True) if p > 0)
        return {name: float(mean(name)) for name in names}

    # ------------------------------------------------------------------ which task

    @property
    def _layer(self) -> str:
        """The path of the schedule's own draws: each level of nested schedules has its own."""
        return f"schedule{_height(self)}"

    def init_memory(self, draw):
        own = draw.under(self._layer)
        lengths = jnp.round(jnp.asarray(self.block_lengths)).astype(jnp.int32)
        if self.start == "first":
            task, left = jnp.int32(0), lengths[0]
        else:
            odds = self._odds(jnp.asarray(self.weights), jnp.asarray(self.block_lengths))
            task = own.weighted("task", self._numbers(), odds)
            place = own.chance("place").uniform() * lengths[task].astype(jnp.float32)
            left = jnp.maximum(lengths[task] - place.astype(jnp.int32), 1)
        memory = {"task": task, "tasks": self.inner.init_memory(draw)}
        return {**memory, "left": left} if self._blocks else memory

    def next_memory(self, memory, trial, result, draw):
        task = trial["task"]
        number = self.only if self.only >= 0 else task
        after = self.inner.memory_after(memory["tasks"], number, self.trial_of(trial), result, draw)
        coming = self._next(task, draw.under(self._layer))
        if not self._blocks:
            return {"task": coming, "tasks": after}
        lengths = jnp.round(jnp.asarray(self.block_lengths)).astype(jnp.int32)
        over = memory["left"] <= 1
        left = jnp.where(over, lengths[coming], memory["left"] - 1)
        return {"task": jnp.where(over, coming, task), "left": left, "tasks": after}

    def _next(self, task, draw):
        """The task after `task`."""
        if self.order == "session":
            return task
        if not self._draws:
            return (task + 1) % self.inner.count
        weights = jnp.asarray(self.weights)
        if not self.repeats and self.inner.count > 1:
            weights = jnp.where(self._numbers() == task, 0.0, weights)
        return draw.weighted("task", self._numbers(), weights)

    def _numbers(self) -> np.ndarray:
        return np.arange(self.inner.count, dtype=np.int32)

    def resolve(self, memory):
        return self.replace(inner=self.inner.resolve(memory["tasks"]))

    # ------------------------------------------------------------------ the rules are those of the trial's task

    def at(self, conditions):
        return self.inner.at(self.only) if self.only >= 0 else super().at(conditions)

    def conditions(self, draw, memory):
        if self.only >= 0:
            task: Any = self.only
            shown = jnp.int32(self.only)
        else:
            task = shown = draw.remembered("task", memory["task"], self.inner.count)
        held = self.inner.at(task)
        own = draw.inside(held.laws, called=lambda name: sub(name, "task"))
        values = held.conditions(own, self.inner.memory_at(memory["tasks"], task))
        return {"task": shown, **{sub(name, "task"): value for name, value in values.items()}}

    def observe(self, trial, state, t):
        shown = super().observe(trial, state, t)
        if not self.identity:
            return shown
        rule = self._numbers() == trial["task"]
        return {**{sub(name, "rule"): value for name, value in shown.items()}, "rule": rule}

    def noise(self, trial, state, t, draw):
        noise = super().noise(trial, state, t, draw)
        return {sub(name, "rule"): value for name, value in noise.items()} if self.identity else noise


def _height(task: Any) -> int:
    """How many levels of schedules there are, down from this task."""
    below = [task.inner] if isinstance(task, Modifier) else []
    if isinstance(task, Several):
        below = getattr(task, "tasks", None) or [getattr(task, "inner", None)]
    other = getattr(task, "other", None)
    below = [*below, other] if isinstance(other, Task) else below
    return int(isinstance(task, Schedule)) + max((_height(part) for part in below), default=0)


# ---------------------------------------------------------------------- for users


def schedule(
    tasks: Sequence[Task] | Task,
    *,
    order: str = "random",
    weights: Sequence[float] | None = None,
    block_lengths: Sequence[int] | int | None = None,
    repeats: bool | None = None,
    start: str = "anywhere",
    identity: bool = True,
    names: Sequence[str] | None = None,
) -> Schedule:
    """Several tasks in one session (see `Schedule`).

    Args:
        tasks: a list of tasks, or of tables with the id and the keywords of each; or a stack of them (`nj.stack`).
        order: "random", "sequential", "random_block", "sequential_block", or "session" (a session keeps its task).
        weights: how often each task is drawn, in proportion, in the random orders.
        block_lengths: trials in a block of each task, or one number for all, in the orders of blocks.
        repeats: whether the next trial (or block) may be of the same task; default: yes, and no of blocks.
        start: "anywhere" in the schedule, as if it had gone on for long; or "first", with the first task's (first
            block's) beginning. Batches of independent trials are first trials: with "first" all are of one task.
        identity: whether a one-hot input, `rule`, tells the task.
        names: a word for each task, for `Schedule.tasks` and conditions that tasks do not share.

    Raises:
        InvalidArgument: if tasks differ in dt or in the kind of their actions, or a value is not allowed.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.schedules import schedule
        >>> from neurojax.tasks.yang19 import collection
        >>> mix = schedule(collection(["go", "anti", "dms"], rule_input=False), weights=[1, 1, 2])
        >>> mix.switches, mix.channels.size, mix.shares().tolist()
        (False, 36, [0.25, 0.25, 0.5])
    """
    if isinstance(tasks, Task):
        tasks = rows_of(tasks)
    if isinstance(tasks, (str, Mapping)) or not isinstance(tasks, Sequence) or not tasks:
        raise InvalidArgument(f"tasks must be a list of tasks, or a stack of them, got {tasks!r}")
    return Schedule.around(
        read_task(tasks[0]),
        others=tasks[1:],
        names=names,
        order=order,
        weights=weights,
        block_lengths=block_lengths,
        repeats=repeats,
        start=start,
        identity=identity,
    )


def multi_task(
    tasks: Sequence[Task] | Task,
    *,
    weights: Sequence[float] | None = None,
    identity: bool = True,
    names: Sequence[str] | None = None,
) -> Schedule:
    """Several tasks, of which each trial has the one that its condition `task` says; NeuroGym's MultiEnvs.

    The condition can be given, for each trial of a batch (`nj.render(task, key, 3, task=[0, 2, 1])`), in a factorial
    design, or for all trials of a session (`multi_task(...).alone(1)`). Where it is not, it is drawn at the session's
    start, and kept.

    Args:
        tasks: as for `schedule`.
        weights: how often each task is drawn, in proportion.
        identity: whether a one-hot input, `rule`, tells the task.
        names: a word for each task.

    Raises:
        InvalidArgument: as `schedule`.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.schedules import multi_task
        >>> both = multi_task([nj.make("GoNogo-v0"), nj.make("DelayMatchSample-v0")])
        >>> nj.render(both, jax.random.key(0), 2, task=[0, 1]).lengths.tolist()
        [15, 32]
    """
    return schedule(tasks, order="session", weights=weights, identity=identity, names=names)


# NeuroGym's names, and what stands for them here.
NEUROGYM = {"ScheduleEnvs": schedule, "MultiEnvs": multi_task}
NEUROGYM_SCHEDULES = {
    "SequentialSchedule": "sequential",
    "RandomSchedule": "random",
    "SequentialBlockSchedule": "sequential_block",
    "RandomBlockSchedule": "random_block",
}
