"""The spaces of a task as Gymnasium names them, and the checks of what comes in. This module imports Gymnasium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from gymnasium import spaces

from neurojax.core.lanes import check_task_type
from neurojax.core.registry import make
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, unknown

RENDER_MODES = ["rgb_array"]


def as_task(task: Task | str, keywords: Mapping[str, Any]) -> Task:
    """A task, or the one that `nj.make` builds of an id and keywords, with its leaves on the device.

    Raises:
        UnknownName, InvalidArgument: as `nj.make`; or if `task` is neither, or comes with keywords.
    """
    if isinstance(task, str):
        built = make(task, **keywords)
    elif keywords:
        named = ", ".join(keywords)
        raise InvalidArgument(f"{named}: keywords go with an id; change a task that is built by task.set(...)")
    else:
        built = task
    check_task_type(built)
    return jax.device_put(built)  # once, not at each step


def observation_space(task: Task) -> spaces.Box:
    """A float32 Box `[D]`."""
    low, high = task.channels.bounds()
    return spaces.Box(low, high, dtype=np.float32)


def action_space(task: Task) -> spaces.Space:
    """Discrete(A), or a float32 Box `[A]`."""
    if isinstance(task.actions, Discrete):
        return spaces.Discrete(task.actions.size)
    low, high = task.actions.bounds()
    return spaces.Box(low, high, dtype=np.float32)


def as_actions(task: Task, actions: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Actions in the dtype of the task's, `shape` before an action's own.

    Raises:
        InvalidArgument: if the shape or the kind of number is another, or an action is not in the space.
    """
    given = np.asarray(actions)
    discrete = isinstance(task.actions, Discrete)
    kinds, what = ("iu", "whole numbers") if discrete else ("iuf", "numbers")
    if given.shape != (*shape, *task.actions.shape) or given.dtype.kind not in kinds:
        wanted = f"{what} of shape {(*shape, *task.actions.shape)}"
        raise InvalidArgument(f"action must be {wanted}, got {given.dtype} of shape {given.shape}")
    if isinstance(task.actions, Discrete):
        low, high, taken = 0, task.actions.size - 1, given.astype(np.int32)
        inside = given.size == 0 or (given.min() >= low and given.max() <= high)
    else:
        low, high = task.actions.bounds()
        taken = given.astype(np.float32)
        inside = bool(np.all((taken >= low) & (taken <= high)))
    if not inside:
        hint = "" if discrete else "; gymnasium.wrappers.ClipAction clips"
        raise InvalidArgument(f"action must lie between {_short(low)} and {_short(high)}, got {_short(given)}{hint}")
    return taken


def check_render_mode(mode: str | None) -> None:
    """Refuse a mode that is not drawn.

    Raises:
        UnknownName: if it is neither None nor "rgb_array".
    """
    if mode is not None and mode not in RENDER_MODES:
        raise unknown("render_mode", mode, RENDER_MODES)


def check_options(options: Mapping[str, Any] | None, known: tuple[str, ...]) -> dict[str, Any]:
    """The options of a reset.

    Raises:
        UnknownName: for one that does not exist.
    """
    for name in options or {}:
        if name not in known:
            raise unknown("option of reset", name, known)
    return dict(options or {})


def _short(value: Any) -> str:
    array = np.asarray(value)
    return str(array.tolist()) if array.size <= 8 else f"an array from {array.min()} to {array.max()}"
