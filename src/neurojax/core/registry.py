"""Tasks by id. Built-in tasks are named by where they stand, so that listing ids imports nothing."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neurojax.core.library import LIBRARY
from neurojax.core.task import Paper, Task, merged
from neurojax.errors import InvalidArgument, unknown


class Variant:
    """A task with some of its keywords stated: what a collection registers under an id of its own.

    Args:
        build: a `Task` class, or a function of keywords that returns a task.
        doc: the variant in words; default: the class's own.
        paper, tags: where they differ from the class's.
        **keywords: what is stated; keywords of `nj.make` take precedence.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.core.registry import Variant
        >>> from neurojax.tasks.perceptual import PerceptualDecisionMaking
        >>> eight = Variant(PerceptualDecisionMaking, doc="Eight directions.", dim_ring=8)
        >>> eight(sigma=0.5).actions.size
        9
    """

    def __init__(
        self,
        build: Callable[..., Task],
        *,
        doc: str = "",
        paper: Paper | None = None,
        tags: tuple[str, ...] = (),
        **keywords: Any,
    ):
        self.build, self.keywords = build, keywords
        self.__doc__ = doc or build.__doc__
        self.PAPER = paper or getattr(build, "PAPER", None)
        self.TAGS = tags or getattr(build, "TAGS", ())

    def __call__(self, **kwargs: Any) -> Task:
        build = self.build.create if isinstance(self.build, type) and issubclass(self.build, Task) else self.build
        return build(**merged(self.keywords, kwargs))


Factory = type[Task] | Callable[..., Task]
_FACTORIES: dict[str, str | Factory] = dict(LIBRARY)
_WATCHERS: list[Callable[[str], None]] = []


def register(id: str, factory: Factory) -> None:
    """Register a task under an id, for `make`.

    Args:
        id: a name with a version, e.g. "MyTask-v0"; a new version for a change of behaviour.
        factory: a `Task` subclass, or a function of keywords that returns a task.

    Raises:
        InvalidArgument: if the id is taken or has no version, or the factory cannot be called.
    """
    if not isinstance(id, str) or not re.fullmatch(r"[\w.:/-]+-v\d+", id):
        raise InvalidArgument(f"id must be a name with a version, such as 'MyTask-v0', got {id!r}")
    if id in _FACTORIES:
        raise InvalidArgument(f"id {id!r} is registered already; raise its version instead of replacing it")
    if not callable(factory):
        raise InvalidArgument(f"factory must be a Task subclass or a function, got {factory!r}")
    _FACTORIES[id] = factory
    for watcher in _WATCHERS:
        watcher(id)


def watch(watcher: Callable[[str], None]) -> None:
    """Call `watcher(id)` with the id of every task that is registered, and of each that will be."""
    if watcher not in _WATCHERS:
        _WATCHERS.append(watcher)
    for id in sorted(_FACTORIES):
        watcher(id)


def factory(id: str) -> Factory:
    """What `make` calls for an id.

    Raises:
        UnknownName: if there is none; the nearest id is suggested.
    """
    if id not in _FACTORIES:
        raise unknown("task", id, sorted(_FACTORIES))
    found = _FACTORIES[id]
    if isinstance(found, str):
        module, name = found.split(":")
        found = getattr(importlib.import_module(module), name)
        _FACTORIES[id] = found
    return found


@dataclasses.dataclass(frozen=True)
class About:
    """What is known of a registered task without building it.

    Attributes:
        doc: the trial in words, up to the docstring's example.
        paper: where it comes from.
        tags: for search.
    """

    doc: str
    paper: Paper | None
    tags: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first line of the words."""
        return self.doc.splitlines()[0] if self.doc else ""


def about(id: str) -> About:
    """What is known of the task registered under `id`.

    Raises:
        UnknownName: if there is none; the nearest is suggested.

    Example:
        >>> from neurojax.core.registry import about
        >>> about("ReadySetGo-v0").paper.doi
        '10.1016/j.neuron.2018.05.020'
    """
    found = factory(id)
    doc = inspect.cleandoc(found.__doc__ or "").split("Example:")[0].strip()
    return About(doc, getattr(found, "PAPER", None), tuple(getattr(found, "TAGS", ())))


def make(id: str, *, modifiers: Sequence[Mapping[str, Any]] = (), **kwargs: Any) -> Task:
    """The task registered under `id`.

    Args:
        id: see `registered`.
        modifiers: what to put around it, from the inside out, e.g. `[{"name": "reaction_time", "urgency": -0.01}]`
            (see `neurojax.modifiers`).
        **kwargs: `dt`, `timing`, `rewards`, `preset`, `capacity` and the task's own parameters; see `neurojax info`.

    Raises:
        UnknownName: for unknown ids and keywords; the nearest is suggested.
        InvalidArgument: for values that are not allowed.

    Example:
        >>> import neurojax as nj
        >>> nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 500}).capacity
        7
    """
    found = factory(id)
    task = found.create(**kwargs) if isinstance(found, type) and issubclass(found, Task) else found(**kwargs)
    if not isinstance(task, Task):
        raise InvalidArgument(f"the factory of {id!r} returned {type(task).__name__}, not a task")
    for spec in modifiers:
        task = importlib.import_module("neurojax.modifiers").modify(task, spec)  # which stand above this layer
    return task


def registered(tag: str | None = None) -> list[str]:
    """The ids of all tasks, sorted; with `tag`, of those that carry it.

    Raises:
        UnknownName: if no task carries the tag.

    Example:
        >>> import neurojax as nj
        >>> "ReadySetGo-v0" in nj.registered(tag="timing")
        True
    """
    ids = sorted(_FACTORIES)
    if tag is None:
        return ids
    tags = {id: about(id).tags for id in ids}
    known = sorted({t for ts in tags.values() for t in ts})
    if tag not in known:
        raise unknown("tag", tag, known)
    return [id for id in ids if tag in tags[id]]
