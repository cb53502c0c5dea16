"""Several tasks of the same code as one pytree, indexed by task."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from neurojax.core.task import Task
from neurojax.core.timing import Law, Until, as_table
from neurojax.errors import InvalidArgument


def stack(tasks: Sequence[Task]) -> Task:
    """One task with a leading axis on every leaf, for `vmap` over tasks, or to index by task with `jax.tree.map`.

    The stack has the largest capacity. Where the kinds of a period's laws differ, all become tables of whole steps,
    which keep each duration's distribution, and the duration that each random number gives.

    Args:
        tasks: tasks of one class and structure (dt, ring size and so on).

    Raises:
        InvalidArgument: if there are none, or they differ in class, structure or shapes.

    Example:
        >>> import jax, neurojax as nj
        >>> tasks = [nj.make("PerceptualDecisionMaking-v0", sigma=s) for s in (0.5, 1.0, 2.0)]
        >>> render = lambda task: nj.render(task, jax.random.key(0), 16).inputs
        >>> jax.vmap(render)(nj.stack(tasks)).shape
        (3, 16, 22, 3)
    """
    tasks = list(tasks)
    if not tasks or not all(isinstance(task, Task) for task in tasks):
        raise InvalidArgument(f"stack takes a non-empty list of tasks, got {tasks!r}")
    if len({type(task) for task in tasks}) > 1:
        raise InvalidArgument(f"stack takes tasks of one class, got {', '.join(t.name for t in tasks)}")
    capacity = max(task.capacity for task in tasks)
    tasks = [_with_capacity(task, capacity) for task in tasks]
    if len({jax.tree.structure(task) for task in tasks}) > 1 or _shapes_differ(tasks):
        tasks = [_as_tables(task, tasks, capacity) for task in tasks]
    if len({jax.tree.structure(task) for task in tasks}) > 1:
        raise InvalidArgument(f"stack takes tasks of one structure (dt, sizes), got {tasks[0]!r} and others")
    if _shapes_differ(tasks):
        raise InvalidArgument(f"stack takes tasks whose lists have the same lengths, got {tasks[0]!r} and others")
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *tasks)


def _with_capacity(task: Task, capacity: int) -> Task:
    inner = getattr(task, "inner", None)
    changed = task.replace(capacity=capacity)
    return changed.replace(inner=_with_capacity(inner, capacity)) if inner is not None else changed


def _shapes_differ(tasks: Sequence[Task]) -> bool:
    return len({tuple(np.shape(leaf) for leaf in jax.tree.leaves(task)) for task in tasks}) > 1


def _as_tables(task: Task, tasks: Sequence[Task], capacity: int) -> Task:
    """The task with the laws that differ among the tasks as tables."""
    inner = getattr(task, "inner", None)
    if inner is not None:
        return task.replace(inner=_as_tables(inner, [t.inner for t in tasks], capacity))  # type: ignore[attr-defined]
    timing = dict(task.timing)
    for name, law in timing.items():
        kinds = {(type(t.timing[name]), _shape(t.timing[name])) for t in tasks}
        if len(kinds) > 1:
            if any(kind is Until for kind, _ in kinds):
                raise InvalidArgument(f"timing[{name!r}]: 'until' cannot be stacked with laws of other kinds")
            timing[name] = as_table(law, task.dt, capacity + 1)
    return task.replace(timing=timing)


def _shape(law: Law) -> tuple:
    return tuple(np.shape(leaf) for leaf in jax.tree.leaves(law))
