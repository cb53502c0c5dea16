"""What tasks of different code have in common: channels and actions that fit all of them, names for all conditions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.session import outline
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument

# ---------------------------------------------------------------------- channels and actions


def channels_of(parts: Sequence[Channels]) -> Channels:
    """The channels of all: one for each name, as wide as the widest that has it.

    An image stays one where all have it in one shape; else it becomes a vector.

    Example:
        >>> from neurojax.core.spaces import Channels
        >>> from neurojax.modifiers.common import channels_of
        >>> channels_of([Channels.named(fixation=1, stimulus=2), Channels.named(stimulus=4, go=1)]).sizes
        (('fixation', 1), ('stimulus', 4), ('go', 1))
    """
    sizes: dict[str, int] = {}
    for part in parts:
        for name, n in part.sizes:
            sizes[name] = max(sizes.get(name, 0), n)
    images = {name: {part.images.get(name) for part in parts if name in dict(part.sizes)} for name in sizes}
    shapes = tuple((name, shape) for name, found in images.items() for shape in found if shape and len(found) == 1)
    low, high = _bounds(parts, sizes)
    return Channels(tuple(sizes.items()), low=low, high=high, shapes=shapes)


def _bounds(parts: Sequence[Channels], sizes: dict[str, int]) -> tuple[Any, Any]:
    """The bounds of each place: those of all the tasks that have it, and 0, which is shown in the others."""
    if all(np.ndim(p.low) == 0 and np.ndim(p.high) == 0 for p in parts):
        low, high = (tuple(float(b) for b in bound) for bound in ([p.low for p in parts], [p.high for p in parts]))  # type: ignore[arg-type]
        return min(*low, 0.0), max(*high, 0.0)
    low, high = ({name: np.zeros(n, np.float32) for name, n in sizes.items()} for _ in range(2))
    for part in parts:
        below, above = part.bounds()
        for name, place in part.slices.items():
            n = place.stop - place.start
            low[name][:n] = np.minimum(low[name][:n], below[place])
            high[name][:n] = np.maximum(high[name][:n], above[place])
    flat = lambda bounds: tuple(float(x) for x in np.concatenate(list(bounds.values())))
    return flat(low), flat(high)


def actions_of(parts: Sequence[Discrete | Box], where: str) -> Discrete | Box:
    """The actions that fit all: as many as the task has that has most.

    Raises:
        InvalidArgument: if some are discrete and others continuous.
    """
    widest = max(parts, key=lambda actions: actions.size)
    if all(isinstance(actions, Discrete) for actions in parts):
        return widest
    boxes = [actions for actions in parts if isinstance(actions, Box)]
    if len(boxes) < len(parts):
        raise InvalidArgument(f"{where}: one action cannot be a number (discrete) in some tasks and a vector in others")
    low, high = np.zeros(widest.size), np.zeros(widest.size)
    for box in boxes:
        low[: box.size] = np.minimum(low[: box.size], box.low)
        high[: box.size] = np.maximum(high[: box.size], box.high)
    return Box(tuple(widest.labels()), tuple(low.tolist()), tuple(high.tolist()))


def to_own(action: Any, actions: Discrete | Box) -> jax.Array:
    """An action as the task takes it: one that it does not have is its action 0; a vector is cut, and clipped."""
    if isinstance(actions, Discrete):
        return jnp.where(action < actions.size, action, 0)
    low, high = actions.bounds()
    return jnp.clip(action[: actions.size], low, high)


def to_common(action: Any, actions: Discrete | Box) -> jax.Array:
    """A task's action as one of the common `actions`."""
    if isinstance(actions, Discrete):
        return jnp.asarray(action).astype(jnp.int32)
    action = jnp.asarray(action).astype(jnp.float32)
    return jnp.pad(action, (0, actions.size - action.shape[0]))


def to_channel(value: Any, size: int) -> jax.Array:
    """What a task shows in a channel, as float32 `[size]`."""
    value = jnp.ravel(jnp.asarray(value).astype(jnp.float32))
    missing = size - value.shape[0]
    return jnp.concatenate([value, jnp.zeros((missing,), jnp.float32)]) if missing else value


def widened(values: dict[str, Any], own: Channels, common: Channels) -> dict[str, jax.Array]:
    """Values by channel of a task, as float32 vectors for all the common channels; 0 where it has nothing."""
    sizes, out = dict(own.sizes), {}
    for name, n in common.sizes:
        value = jnp.zeros((n,), jnp.float32)
        if name in values:
            value = jnp.asarray(values[name]).astype(jnp.float32)
            value = jnp.broadcast_to(value, (sizes[name],)) if value.ndim < 2 else value
        out[name] = to_channel(value, n)
    return out


# ---------------------------------------------------------------------- the names of conditions


@dataclasses.dataclass(frozen=True)
class Conditions:
    """The conditions of several tasks under common names.

    Attributes:
        called: by task, the common name of each of its quantities, in pairs (its own, the common).
        returned: by task, the pairs of those that are conditions of the trial.
        values: shape and dtype of each condition, by common name.
    """

    called: tuple[tuple[tuple[str, str], ...], ...]
    returned: tuple[tuple[tuple[str, str], ...], ...]
    values: tuple[tuple[str, tuple[int, ...], str], ...]

    def zeros(self) -> dict[str, jax.Array]:
        """All of them, 0."""
        return {name: jnp.zeros(shape, dtype) for name, shape, dtype in self.values}


def conditions_of(tasks: Sequence[Task], labels: Sequence[str]) -> Conditions:
    """Common names for the conditions of several tasks.

    Two tasks share a condition if it has one name, kind, shape and dtype in both. Else the later task's has the
    task's label before its name; so has one whose name is that of a period of another task.
    """
    looks = [_look(task) for task in tasks]
    known: dict[str, Any] = {}
    called, returned, values = [], [], {}
    for i, (label, (shapes, seen, _)) in enumerate(zip(labels, looks, strict=True)):
        timed = {name for j, (_, _, names) in enumerate(looks) if j != i for name in names}
        own = {}
        for name in dict.fromkeys([*shapes, *seen]):
            kind = (shapes.get(name), seen.get(name))
            common = name
            while common in timed or known.get(common, kind) != kind:
                common = f"{label}_{common}"
            known[common] = kind
            own[name] = common
        called.append(tuple(own.items()))
        returned.append(tuple((name, own[name]) for name in shapes))
        values |= {own[name]: (own[name], *shapes[name]) for name in shapes}
    return Conditions(tuple(called), tuple(returned), tuple(values.values()))


def _look(task: Task) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
    """Shape and dtype of a task's conditions; kind and shape of what it draws; the periods that are not among those."""
    look = outline(task)
    shapes = {name: (value.shape, str(value.dtype)) for name, value in look.conditions.items()}
    seen = {name: (quantity.kind, quantity.shape) for name, quantity in look.seen.items()}
    return shapes, seen, set(look.laws) - look.periods


def names_of(task: Task) -> set[str]:
    """The names of a task's conditions, and of what it draws for a trial."""
    shapes, seen, _ = _look(task)
    return {*shapes, *seen}


def labels_of(tasks: Sequence[Task], given: Iterable[str] | None = None) -> tuple[str, ...]:
    """A name for each task: those that are given, or the names of their classes, numbered where they repeat.

    Raises:
        InvalidArgument: if names that are given are too few or many, repeat, or are none that Python could have.
    """
    if given is not None:
        names = tuple([given] if isinstance(given, str) else given)
        if len(names) != len(tasks) or len(set(names)) != len(names) or not all(map(_is_name, names)):
            raise InvalidArgument(f"names must be {len(tasks)} different words, one for each task, got {given!r}")
        return names
    plain = [re.sub(r"\W+", "_", getattr(task, "base", task).name).strip("_") for task in tasks]
    times: dict[str, int] = {}
    out = []
    for name in plain:
        times[name] = times.get(name, 0) + 1
        out.append(name if plain.count(name) == 1 else f"{name}_{times[name]}")
    return tuple(out)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier()
