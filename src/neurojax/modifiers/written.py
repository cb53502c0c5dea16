"""Tasks as tables of plain values: how a task that holds several is written down, and built again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from neurojax.core.library import LIBRARY
from neurojax.core.registry import Variant, factory, make, registered
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, NeurojaxError


def written(task: Task) -> dict[str, Any]:
    """A task as a table of plain values: its id, and all its keywords and modifiers. `read_task` builds it again.

    Raises:
        InvalidArgument: if nothing that is registered builds this task.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.modifiers.written import read_task, written
        >>> table = written(nj.make("yang19.dms-v0", sigma=0.5))
        >>> table["id"], float(read_task(table).sigma)
        ('yang19.go-v0', 0.5)
    """
    settings = task.settings()
    for id in _candidates(type(getattr(task, "base", task))):
        try:
            again = make(id, **settings)
        except (NeurojaxError, TypeError):
            continue  # an id of the same family that does not take these keywords
        if _same(again, task):
            return {"id": id, **settings}
    raise InvalidArgument(f"{task.name} cannot be written down: register its class with nj.register")


def read_task(table: Task | Mapping[str, Any]) -> Task:
    """The task that a table describes: its `id`, and keywords as for `nj.make`. A task is returned as it is.

    Raises:
        UnknownName: for unknown ids and keywords; the nearest is suggested.
        InvalidArgument: for anything else that is not allowed.

    Example:
        >>> from neurojax.modifiers.written import read_task
        >>> read_task({"id": "GoNogo-v0", "dt": 20}).capacity
        75
    """
    if isinstance(table, Task):
        if table.capacity < 1:
            raise InvalidArgument(f"this {type(table).__name__} was not built by create(...), which checks it")
        return table
    if not isinstance(table, Mapping) or not isinstance(table.get("id"), str):
        raise InvalidArgument(f"a task is one from nj.make, or a table with its id, got {table!r}")
    return make(table["id"], **{name: value for name, value in table.items() if name != "id"})


def _candidates(kind: type) -> Iterator[str]:
    """The ids that may build tasks of a class: its own first, then those of its family."""
    home = kind.__module__.removesuffix("_rules")
    near = []
    for id in dict.fromkeys((*LIBRARY, *registered())):
        if id in LIBRARY and LIBRARY[id].split(":")[0] not in (kind.__module__, home):
            continue  # nothing is imported for this
        found = factory(id)
        if found is kind:
            yield id
        elif id in LIBRARY or (isinstance(found, Variant) and found.build is kind):
            near.append(id)
    yield from near


def _same(a: Task, b: Task) -> bool:
    """Whether two tasks are equal, but for the room for their trials."""
    a, b = _bare(a), _bare(b)
    x, y = jax.tree.leaves(a), jax.tree.leaves(b)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(map(np.array_equal, x, y))


def _bare(task: Any) -> Any:
    inner = getattr(task, "inner", None)
    bare = task.replace(capacity=0)
    return bare if inner is None else bare.replace(inner=_bare(inner))
