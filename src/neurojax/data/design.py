"""Factorial designs: every combination of conditions equally often, in random order."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from neurojax.core.draw import check_given
from neurojax.core.lanes import check_count, check_task_type, drawn_quantities
from neurojax.core.task import Task
from neurojax.core.timing import whole_steps
from neurojax.data.render import Batch, render
from neurojax.errors import InvalidArgument, unknown

if TYPE_CHECKING:
    from pandas import DataFrame

    from neurojax.envs.rollout import Played


@dataclasses.dataclass(frozen=True)
class Design:
    """The conditions of N trials.

    Attributes:
        task: the task, with room for the longest trial of the design.
        conditions: `[N, ...]` by name.
    """

    task: Task
    conditions: dict[str, Any]

    def __len__(self) -> int:
        return len(next(iter(self.conditions.values())))

    def render(self, key: jax.Array, **options: Any) -> Batch:
        """The trials as a batch (see `nj.render`)."""
        return render(self.task, key, len(self), **options, **self.conditions)

    def play(self, key: jax.Array, *, policy: Any, **options: Any) -> Played:
        """The trials as a policy plays them (see `nj.play`)."""
        from neurojax.envs.rollout import play

        return play(self.task, key, len(self), policy=policy, **options, **self.conditions)

    def table(self) -> DataFrame:
        """The conditions as a table, one row a trial (see `nj.table`)."""
        from neurojax.data.tables import table_of

        return table_of(self.task, self.conditions)


def factorial(task: Task, /, *, n_repeats: int = 1, shuffle: bool = True, seed: int = 0, **levels: Any) -> Design:
    """A balanced design: every combination of levels exactly `n_repeats` times.

    Args:
        task: the task.
        n_repeats: trials of each combination.
        shuffle: whether the trials come in random order, else combination after combination.
        seed: of the order.
        **levels: the levels of each condition that is crossed, a list; durations of periods in ms among them. Other
            conditions are drawn as ever.

    Raises:
        UnknownName: for a condition that the task does not draw.
        InvalidArgument: for levels that are not allowed, or stated twice.

    Example:
        >>> import jax, neurojax as nj
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> design = nj.factorial(task, n_repeats=10, coherence=[0, 3.2, 12.8], ground_truth=[0, 1])
        >>> len(design), design.table().groupby(["coherence", "ground_truth"]).size().tolist()
        (60, [10, 10, 10, 10, 10, 10])
        >>> design.play(jax.random.key(0), policy="oracle").result.outcome.shape
        (60,)
    """
    check_task_type(task)
    check_count("n_repeats", n_repeats)
    check_count("seed", seed, low=0)
    if not isinstance(shuffle, (bool, np.bool_)):
        raise InvalidArgument(f"shuffle must be True or False, got {shuffle!r}")
    known = drawn_quantities(task)
    if not levels:
        raise InvalidArgument(f"state the levels of at least one condition; {task.name} has {', '.join(known)}")
    arrays = {}
    for name, values in levels.items():
        if name not in known:
            raise unknown("condition", name, known, task.name)
        array = np.asarray(values)
        if array.ndim != 1 + len(known[name].shape) or len(array) == 0:
            raise InvalidArgument(f"levels of {name!r} must be a non-empty list, got {values!r}")
        check_given({name: array}, known, len(array))
        if len(np.unique(array, axis=0)) < len(array):
            raise InvalidArgument(f"levels of {name!r} must differ, got {values!r}")
        arrays[name] = array
    cells = np.asarray(list(itertools.product(*(range(len(a)) for a in arrays.values()))))
    order = np.repeat(np.arange(len(cells)), n_repeats)
    if shuffle:
        order = np.random.default_rng(seed).permutation(order)
    conditions = {name: array[cells[order, i]] for i, (name, array) in enumerate(arrays.items())}
    return Design(_with_room(task, known, arrays), conditions)


def _with_room(task: Task, known: dict[str, Any], levels: dict[str, np.ndarray]) -> Task:
    """The task with a capacity for durations above those of its laws."""
    more = 0
    for name, values in levels.items():
        if known[name].kind == "duration":
            law = task.laws[known[name].period]
            more += max(int(whole_steps(float(values.max()), task.dt) - whole_steps(law.upper(), task.dt)), 0)
    return task.with_room(more) if more else task
