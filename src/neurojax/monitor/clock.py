"""When the periods of a trial began, told from its conditions and the key that drew it."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import Chance, key_words
from neurojax.core.parameters import is_traced
from neurojax.core.session import draw_durations, outline
from neurojax.core.task import Task
from neurojax.core.trial import Drawn


def periods_of(
    task: Task, conditions: dict[str, Any], lanes: np.ndarray, starts: np.ndarray, key: jax.Array | None
) -> tuple[np.ndarray | None, str]:
    """int32 `[N, P, 2]`: start and end of each period in steps of the trial; or None, and why.

    A trajectory holds what was drawn but for the durations of periods. These follow from where they were drawn: the
    key, the lane, and the step at which the trial began.

    Args:
        task: the task.
        conditions: `[N, ...]` by name.
        lanes, starts: int `[N]`: the lane of each trial, and the step of its session at which it began.
        key: of the rollout; needed where durations are drawn.
    """
    changes, random = _asked(task)
    if changes:
        return None, (
            f"{task.name} is another task from trial to trial, so that a trajectory does not tell when its periods "
            "began; record what nj.session(policy=...) returns"
        )
    if random and key is None:
        return None, f"the duration of {random[0]!r} is drawn; give key=, the key of the rollout, to tell it"
    if random and np.any(starts < 0):
        return None, "a trial began before the sessions did; give step=, at which the trajectory begins"
    count = len(starts)
    if count == 0:
        return np.zeros((0, len(task.period_names), 2), np.int32), ""
    # Filled up to a power of two, so that few programs are compiled.
    rows = np.minimum(np.arange(1 << (count - 1).bit_length()), count - 1)
    held = {name: np.asarray(values)[rows] for name, values in conditions.items()}
    words = np.zeros(2, np.uint32) if key is None else key_words(key)
    where = (lanes[rows].astype(np.uint32), starts[rows].astype(np.int32))
    return np.asarray(_bounds(random, task, words, held, *where))[:count], ""


@partial(jax.jit, static_argnums=0)
def _bounds(random: tuple[str, ...], task: Task, words, conditions, lanes, starts):
    def one(conditions, lane, start):
        laws = task.laws_under(conditions)
        durations = draw_durations(task, laws, random, Chance(words, lane), start)
        return task.trial(Drawn(conditions=conditions, durations=durations)).bounds(task.period_names)

    return jax.vmap(one)(conditions, lanes, starts)


def _asked(task: Task) -> tuple[bool, tuple[str, ...]]:
    """Whether memory changes the task between trials, and the periods whose duration is drawn and no condition."""
    look = outline(task)
    changes: list[bool] = []
    arrays = jax.tree.map(jnp.asarray, task)  # a NumPy array cannot be indexed by what is traced
    jax.eval_shape(lambda memory: changes.append(is_traced(arrays.resolve(memory))), look.memory)
    random = (name for name, law in look.laws.items() if law.random and name not in look.periods)
    return changes[0], tuple(random)
