"""Parameters or conditions of a task that follow a schedule of trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.draw import check_given
from neurojax.core.lanes import drawn_quantities
from neurojax.core.parameters import parameters, quantity, structure
from neurojax.core.stack import stack
from neurojax.core.task import Deviation, Task
from neurojax.core.timing import pick_other
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Modifier, Remembering, layers

ORDERS = ("sequential", "random", "sequential_block", "random_block")


class ScheduleAttr(Remembering):
    """A task some of whose parameters, or conditions, take values from a list, from trial to trial.

    Orders: "sequential", one after the other; "random", any in each trial; "sequential_block" and "random_block" the
    same by blocks of trials, of which a random one is another than the last. With `cycle=False` the last of a sequence
    stays. A session begins anywhere in the schedule (so that a batch of first trials shows all of it), or with
    `start="first"` at its beginning.

    What is scheduled are parameters, `timing` and `rewards` of the task (or of modifiers inside), and conditions that
    it draws. They are leaves: nothing is compiled again. All versions share the task's memory.

    Conditions: `schedule_index`, the place in the list, and those of the task.

    Attributes:
        values: the leaves that differ, `[K, ...]` each.
        given: the conditions that are given, `[K, ...]` by name.
        places: which leaves of `inner` they stand for (static).

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.schedule_attr import schedule_attr
        >>> levels = [{"coherences": [50]}, {"coherences": [10]}]
        >>> task = schedule_attr(nj.make("PerceptualDecisionMaking-v0", coherences=[0]), levels, start="first")
        >>> nj.session(task, jax.random.key(0), 4).conditions["coherence"].tolist()
        [[50.0, 10.0, 50.0, 10.0]]
    """

    KEYWORDS = ("attr_list",)
    DEVIATIONS = (
        Deviation(
            what="attributes",
            neurogym="are keywords of a trial, which each task takes or ignores",
            here="are parameters and conditions of the task; others are refused",
            reason="what is ignored must be told",
            kind="interface",
        ),
        Deviation(
            what="random order",
            neurogym="never takes one entry twice in a row",
            here="draws each trial's for itself",
            reason="the attributes of a trial would follow from those of the one before",
            affects=("conditions",),
        ),
        Deviation(
            what="first trial in sequential order",
            neurogym="has the second attributes of the list",
            here="has any, or with start='first' the first",
            reason="a sequence begins with its first",
            affects=("conditions",),
        ),
    )

    order: str = structure("sequential", choices=ORDERS, aliases=("schedule",), doc="how one follows another")
    block_lengths: Any = quantity(
        (1.0,), units="trials", low=1, many=True, aliases=("block_lens",), doc="length of each block, in block orders"
    )
    cycle: bool = structure(
        True, choices=(True, False), source="neurojax", doc="whether the first follows the last, in sequential orders"
    )
    start: str = structure(
        "anywhere", choices=("anywhere", "first"), source="neurojax", doc="where in the schedule a session begins"
    )

    values: tuple[Any, ...] = struct.field(default=())
    given: dict[str, Any] = struct.field(default_factory=dict)
    places: tuple[int, ...] = struct.field(pytree_node=False, default=())

    # ------------------------------------------------------------------ building

    @classmethod
    def around(cls, inner: Task, **kwargs: Any):
        """The task with scheduled attributes.

        Args:
            inner: a task, modified or not.
            **kwargs: `attr_list`, a list of tables of keywords of the task; and the parameters.

        Raises:
            UnknownName: for attributes that are neither parameters nor conditions.
            InvalidArgument: if one is structure, a value is not allowed, or the schedule makes no sense.
        """
        rows = kwargs.pop("attr_list", None)
        if isinstance(rows, (str, Mapping)) or not isinstance(rows, Sequence) or not rows:
            raise InvalidArgument(f"attr_list must be a list of tables of attributes, got {rows!r}")
        if not all(isinstance(row, Mapping) and row for row in rows):
            raise InvalidArgument(f"each attribute of attr_list must be a table with a name and a value, got {rows!r}")
        task = super().around(inner, **kwargs)
        given = _given(inner, rows)
        versions = [inner.set(**{name: value for name, value in row.items() if name not in given}) for row in rows]
        try:
            stacked = stack(versions)
        except InvalidArgument as error:
            raise InvalidArgument(f"attr_list changes what must be the same in all trials: {error}") from None
        leaves, treedef = jax.tree.flatten(stacked)
        places = tuple(i for i, leaf in enumerate(leaves) if np.any(leaf != leaf[:1]))
        first = jax.tree.unflatten(treedef, [np.asarray(leaf[0]) for leaf in leaves])
        task = task.replace(inner=first, values=tuple(leaves[i] for i in places), given=given, places=places)
        task._check(len(rows))
        return task.replace(capacity=stacked.capacity)

    @classmethod
    def defaults(cls, inner, given):
        return {} if given.get("cycle", True) is True else {"start": "first"}

    def validate(self) -> None:
        super().validate()
        if not self.cycle and (self.order.startswith("random") or self.start != "first"):
            raise InvalidArgument("cycle=False is for sequential orders that start='first'")

    def _check(self, count: int) -> None:
        """Refuse a schedule of nothing, or whose blocks do not fit its length."""
        if not self.places and not self.given:
            raise InvalidArgument("attr_list changes nothing from trial to trial")
        for layer in layers(self.inner):
            both = self.names() & layer.names() if isinstance(layer, ScheduleAttr) else set()
            if both:
                raise InvalidArgument(f"{', '.join(map(_said, sorted(both)))} follows a schedule already")
        lengths = np.asarray(self.block_lengths)
        if np.any(lengths % 1):
            raise InvalidArgument(f"block_lengths must be whole numbers of trials, got {lengths.tolist()}")
        if self._blocks and lengths.shape != (count,):
            raise InvalidArgument(f"block_lengths must be {count} numbers, one for each table, got {lengths.tolist()}")
        if not self._blocks and not np.array_equal(lengths, [1]):
            raise InvalidArgument(
                f"order={self.order!r} has no blocks; block_lengths is for 'random_block' and the like"
            )

    @property
    def _blocks(self) -> bool:
        return self.order.endswith("_block")

    @property
    def count(self) -> int:
        """K, the length of the list."""
        return int(np.shape(jax.tree.leaves((self.values, self.given))[0])[0])

    def _paths(self) -> list[tuple[Any, ...]]:
        """Where in the task inside the scheduled leaves are, without the way through modifiers."""
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(self.inner)]
        inside = lambda path: path[1:] if getattr(path[0], "name", "") == "inner" else path
        out = []
        for i in self.places:
            path = paths[i]
            while inside(path) is not path:
                path = inside(path)
            out.append(path)
        return out

    def names(self) -> set[tuple[str, ...]]:
        """What is scheduled: parameters and conditions by name, periods and rewards as ("timing", name)."""
        inside = lambda path: (str(path[1].key),) if path[0].name in ("timing", "rewards") else ()
        return {(str(path[0].name), *inside(path)) for path in self._paths()} | {(name,) for name in self.given}

    def set(self, **kwargs: Any):
        keys = lambda value: list(value) if isinstance(value, Mapping) else []
        asked = {(name,) for name in kwargs} | {(name, key) for name, value in kwargs.items() for key in keys(value)}
        hidden = sorted(asked & self.names())
        if hidden and "attr_list" not in kwargs:
            raise InvalidArgument(f"{_said(hidden[0])} follows a schedule; change it in attr_list")
        return super().set(**kwargs)

    def _own(self):
        own = super()._own()
        if not self._blocks:
            own.pop("block_lengths")
        rows: list[dict[str, Any]] = []
        for k in range(self.count):
            version, row = self._at(k, np), {}
            for name, *key in sorted(self.names()):
                if name in self.given:
                    row[name] = np.asarray(self.given[name])[k].tolist()
                elif key:
                    row.setdefault(name, {})[key[0]] = _setting(version, name)[key[0]]
                else:
                    row[name] = _setting(version, name)
            rows.append(row)
        return {**own, "attr_list": rows}

    def longest(self):
        return max(self._at(k, np).longest() for k in range(self.count)) if self.places else self.inner.longest()

    @property
    def unused_parameters(self):
        hidden = [jax.tree_util.keystr(path).removeprefix(".") for path in self._paths()]
        return (*self.inner.unused_parameters, *hidden, *(() if self._blocks else ("block_lengths",)))

    # ------------------------------------------------------------------ across trials

    def _at(self, index: Any, module: Any = jnp) -> Task:
        """The task inside with the attributes number `index`."""
        leaves, treedef = jax.tree.flatten(self.inner)
        for place, values in zip(self.places, self.values, strict=True):
            leaves[place] = module.asarray(values)[index]
        return jax.tree.unflatten(treedef, leaves)

    def _length(self, index: Any) -> Any:
        return jnp.asarray(self.block_lengths)[index].astype(jnp.int32) if self._blocks else jnp.int32(1)

    def init_memory(self, draw):
        own, index, left = draw.under(self.label()), jnp.int32(0), self._length(0)
        if self.start == "anywhere":
            odds = jnp.asarray(self.block_lengths) if self._blocks else jnp.ones(self.count, jnp.float32)
            index = own.weighted("index", np.arange(self.count, dtype=np.int32), odds)
            left = 1 + (own.uniform("place") * self._length(index).astype(jnp.float32)).astype(jnp.int32)
            left = jnp.minimum(left, self._length(index))
        return {"own": {"index": index, "left": left}, "inner": self._at(index).init_memory(draw)}

    def next_own(self, own, trial, result, draw):
        n, index = self.count, own["index"]
        u = draw.chance("index").uniform()
        if self.order.startswith("sequential"):
            coming = jnp.mod(index + 1, n) if self.cycle else jnp.minimum(index + 1, n - 1)
        elif self._blocks and n > 1:
            coming = pick_other(index, n, u)
        else:
            coming = jnp.minimum((u * np.float32(n)).astype(jnp.int32), n - 1)
        over = own["left"] <= 1
        left = jnp.where(over, self._length(coming), own["left"] - 1)
        return {"index": jnp.where(over, coming, index), "left": left}

    def resolve(self, memory):
        return self.replace(inner=self._at(memory["own"]["index"]).resolve(memory["inner"]))

    def conditions(self, draw, memory):
        index = memory["own"]["index"]
        values = {name: jnp.asarray(values)[index] for name, values in self.given.items()}
        inner = self.inner.conditions(draw.giving(**values), memory["inner"])
        return {**inner, "schedule_index": index}


def schedule_attr(
    task: Task,
    attr_list: Sequence[Mapping[str, Any]],
    *,
    order: str = "sequential",
    block_lengths: Sequence[int] | int | None = None,
    cycle: bool = True,
    start: str | None = None,
) -> ScheduleAttr:
    """A task some of whose parameters, or conditions, take values from a list, from trial to trial.

    Args:
        task: the task.
        attr_list: tables of keywords of the task (parameters, `timing`, `rewards`), or of conditions that it draws.
            What a table does not name is as in `task`; a condition must be named in all or none.
        order: "sequential", "random", "sequential_block" or "random_block".
        block_lengths: trials in the block of each table, or one number for all, in the orders of blocks.
        cycle: whether the first follows the last; else the last stays (a curriculum).
        start: "anywhere" or "first"; default: anywhere, and first where nothing follows the last.

    Raises:
        UnknownName: for attributes that are neither parameters nor conditions.
        InvalidArgument: if an attribute is structure, a value is not allowed, or the schedule makes no sense.
    """
    given: dict[str, Any] = {"order": order, "cycle": cycle}
    if block_lengths is not None:
        one = isinstance(block_lengths, (int, np.integer)) and not isinstance(block_lengths, bool)
        given["block_lengths"] = [block_lengths] * len(attr_list) if one else block_lengths
    if start is not None:
        given["start"] = start
    return ScheduleAttr.around(task, attr_list=attr_list, **given)


def _said(name: tuple[str, ...]) -> str:
    return name[0] if len(name) == 1 else f"{name[0]}[{name[1]!r}]"


def _given(task: Task, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """What of the tables are conditions that the task draws, `[K, ...]` by name."""
    base = task.base if isinstance(task, Modifier) else task
    known = {"timing", "rewards"}
    for layer in (*layers(task), base):
        known |= {n for name, p in parameters(type(layer)).items() for n in (name, *p.aliases)}
        known |= set(layer.KEYWORDS) if isinstance(layer, Modifier) else set()
    drawn = drawn_quantities(task)
    out = {}
    for name in dict.fromkeys(name for row in rows for name in row if name in drawn and name not in known):
        if name in task.laws:
            raise InvalidArgument(f"{name!r} is a period; schedule its law, timing={{{name!r}: ...}}")
        if not all(name in row for row in rows):
            raise InvalidArgument(f"the condition {name!r} must be in all tables of attr_list, or in none")
        values = np.asarray([row[name] for row in rows])
        check_given({name: values}, {name: drawn[name]}, len(rows))
        out[name] = values.astype(np.int32 if drawn[name].kind in ("integer", "truth") else np.float32)
    return out


def _setting(task: Task, name: str) -> Any:
    """A parameter's value in plain numbers, of the outermost layer that has it."""
    for layer in layers(task):
        if name in parameters(type(layer)):
            return layer._own()[name]
    base = task.base if isinstance(task, Modifier) else task
    return base.settings()[name]
