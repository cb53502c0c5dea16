"""From a protocol as data to the task that walks it: what is static, and its numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neurojax.core.session import outline
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.core.timing import Fixed
from neurojax.errors import InvalidArgument, unknown
from neurojax.modifiers.base import layers
from neurojax.modifiers.several import several
from neurojax.protocols import gauges
from neurojax.protocols.gauges import Gauge, Numbers
from neurojax.protocols.progress import EVERY, IS_DROPPED, IS_TRAINED, Plan, Rule, Said
from neurojax.protocols.protocol import (
    DROPPED,
    FITS,
    TRAINED,
    Adaptation,
    Assistance,
    Change,
    Protocol,
    Transition,
    with_values,
)
from neurojax.protocols.walk import Walk


def walk_task(protocol: Protocol, *, pauses: bool = False, stays: bool = False, like: Sequence[Protocol] = ()) -> Walk:
    """The way through a protocol, as a task.

    Args:
        protocol: the protocol.
        pauses: whether it stops where a session is over, for `Walk.night` to begin the next.
        stays: whether a trained subject goes on in its last stage; else its sessions are over at once.
        like: protocols that differ from it in numbers only: windows get the room of the largest, so that all are of
            one structure (`nj.stack`).

    Raises:
        UnknownName, InvalidArgument: if a task does not have what the protocol says of it.
    """
    protocols = [protocol, *like]
    tasks = [_roomy(protocols, i) for i in range(len(protocol.stages))]
    for stage, task in zip(protocol.stages, tasks, strict=True):
        _check(protocol, f"stage {stage.name!r}", task, chosen=stage.correction.chooses or bool(stage.assistance.same))
    adapted = [(owner, a.parameter) for owner, a in _adaptations(protocol)]
    tasks.append(_target(protocol))
    names = [*(f"stage{i}" for i in range(len(protocol.stages))), "target"]
    held = several(tasks, names, where="protocol")
    timed = [name.removeprefix("timing.") for _, name in adapted if name.startswith("timing.")]
    if not held.switches and any(not isinstance(held.inner.timing[period], Fixed) for period in timed):  # type: ignore[attr-defined]
        held = several(tasks, names, where="protocol", apart=True)
    plan, criteria, changes = _plan(protocol, protocols, tasks)
    plan = dataclasses.replace(plan, stays=stays)
    float32 = lambda x: np.asarray(x, np.float32)
    each = lambda name: float32([getattr(stage.correction, name) for stage in protocol.stages])
    helps = Assistance.model_fields
    corrections = ("only_repeats", "window", "spread", "memory", "repeat", "repeat_from", "most", "keep", "counted")
    stages = {
        **{name: each(name) for name in corrections},
        "kernel": each("strength"),
        **{name: float32([getattr(s.assistance, name) for s in protocol.stages]) for name in helps},
        "best_reward": float32([stage.best_reward for stage in protocol.stages]),
        "payoff": float32([float(_base(task).rewards.get("correct", 1.0)) for task in tasks]),
    }
    sessions = {name: float32(value or 0) for name, value in protocol.sessions.model_dump().items()}
    sessions |= {f"limit_{name}": float32(value or 0) for name, value in protocol.limits.model_dump().items()}
    every = [a for _, a in _adaptations(protocol)]
    numbers = {name: float32([getattr(a, name) for a in every]) for name in ("start", "low", "high", "every")}
    said = Said(criteria, stages, sessions, numbers, changes)
    return Walk(inner=held, dt=held.dt, capacity=held.capacity, plan=plan, said=said, pauses=pauses)


def _target(protocol: Protocol) -> Task:
    """The target task, which the exam is on; default: that of the last stage, where its adapted parameters begin."""
    if protocol.exam.task is None:
        return protocol.make_task(protocol.stages[-1])
    task = protocol.make_like(protocol.exam.task)
    _check(protocol, "the exam", task)
    return task


def _adaptations(protocol: Protocol) -> list[tuple[int, Adaptation]]:
    """What is adapted, with the number of its stage, or `EVERY`."""
    shared = [(EVERY, a) for a in protocol.adapt]
    return shared + [(i, a) for i, stage in enumerate(protocol.stages) for a in stage.adapt]


def _roomy(protocols: Sequence[Protocol], i: int) -> Task:
    """The task of a stage, with room for the longest trial that its adapted parameters allow in any protocol.

    Its durations are not scaled yet: the walk does that.
    """
    found = []
    for protocol in protocols:
        stage = protocol.stages[i]
        adapted = protocol.adapted(stage)
        unscaled = {a.parameter: a.start for a in adapted if not a.parameter.startswith("scale.")}
        own = with_values(protocol.make_like(stage.task), unscaled)
        highest = with_values(own, {a.parameter: a.high for a in adapted})
        found.append((own, max(own.capacity, highest.capacity)))
    task = found[0][0]
    return task.with_room(max(longest for _, longest in found) - task.capacity)


def _plan(protocol: Protocol, protocols: Sequence[Protocol], tasks: Sequence[Task]) -> Any:
    """What is static of a protocol, the numbers of its criteria, and the steps of its adapted parameters."""
    strength, adapted = protocol.reading.strength, [(owner, a.parameter) for owner, a in _adaptations(protocol)]
    levels = _levels(strength, tasks)
    found: list[Gauge] = []
    given: list[Numbers] = []
    placed: dict[Any, int] = {}
    fits: list[int] = []
    fitted: dict[Any, int] = {}
    names = [stage.name for stage in protocol.stages]
    ends = {TRAINED: -IS_TRAINED, DROPPED: -IS_DROPPED}

    def rule(get: Callable[[Protocol], Transition | Change], owner: int, to: int) -> Rule:
        """The rule of the first protocol, with room for those of all."""
        own, places = get(protocol), []
        for same in zip(*(get(p).when for p in protocols), strict=True):
            criterion, *others = same
            known = [name if i in (owner, EVERY) else "" for i, name in adapted]
            # Criteria that are alike in all protocols share a gauge: all of a stage begin anew together.
            key = (same, known.index(criterion.parameter) if criterion.parameter else -1)
            if key not in placed:
                placed[key] = len(found)
                seen = tuple((c.of, c.sessions, c.strength, c.strength_from, c.repeats) for c in same)
                fits.append(fitted.setdefault(seen, len(found)) if criterion.measure in FITS else len(found))
                found.append(gauges.gauge(criterion, known, levels, max((c.last or 0 for c in others), default=0)))
                given.append(gauges.numbers(criterion))
            places.append(placed[key])
        night = own.check == "session" or any(c.sessions is not None for c in own.when)
        return Rule(tuple(places), night, to)

    transitions = []
    for i, stage in enumerate(protocol.stages):
        to = [ends[t.to] if t.to in ends else names.index(t.to) for t in stage.next]
        transitions.append(tuple(rule(lambda p, i=i, j=j: p.stages[i].next[j], i, to[j]) for j in range(len(to))))
    changes, steps = [], []
    for k, (owner, adaptation) in enumerate(_adaptations(protocol)):
        count = len(adaptation.changes)
        changes.append(
            tuple(rule(lambda p, k=k, j=j: _adaptations(p)[k][1].changes[j], owner, k) for j in range(count))
        )
        move = lambda name, changes=adaptation.changes: np.asarray([getattr(c, name) for c in changes], np.float32)
        steps.append({name: move(name) for name in ("add", "factor")})
    reading = protocol.reading
    every = [a for _, a in _adaptations(protocol)]
    plan = Plan(
        gauges=tuple(found),
        fits=tuple(fits),
        transitions=tuple(transitions),
        changes=tuple(changes),
        adapted=tuple(adapted),
        sides=tuple(stage.correction.side for stage in protocol.stages),
        side=reading.side,
        left=reading.left,
        right=reading.right,
        choice_left=reading.choice_left,
        choice_right=reading.choice_right,
        strength=strength,
        answer=reading.answer,
        restarts=reading.aborted == "none",
        chooses=all(reading.side in outline(task).seen for task in tasks),
        window=max(max(s.correction.window, s.assistance.same) for p in protocols for s in p.stages),
        again=tuple(a.again == "start" for a in every),
        floors=tuple(a.overnight == "floor" for a in every),
    )
    return plan, tuple(given), tuple(steps)


def levels_of(protocol: Protocol) -> tuple[float, ...]:
    """All strengths of the stimulus that a protocol's tasks may show, rising."""
    tasks = [*map(protocol.make_task, protocol.stages), _target(protocol)]
    return _levels(protocol.reading.strength, tasks)


def _levels(strength: str, tasks: Sequence[Task]) -> tuple[float, ...]:
    return tuple(sorted({float(x) for task in tasks for x in _strengths(task, strength)})) if strength else ()


def _check(protocol: Protocol, where: str, task: Task, *, chosen: bool = False) -> None:
    """Refuse a task that does not have what the protocol reads, or cannot have it `chosen`."""
    reading, known = protocol.reading, outline(task)
    if not isinstance(task.actions, Discrete):
        raise InvalidArgument(f"{where}: protocols are for tasks with discrete actions")
    for name in filter(None, (reading.side, reading.strength)):
        if name not in known.conditions:
            raise unknown("condition", name, known.conditions, f"the task of {where}")
        if name not in known.seen and chosen:
            raise InvalidArgument(f"the condition {name!r} of {where} follows from others, and cannot be chosen")
    if reading.answer not in task.period_names:
        raise unknown("period", reading.answer, task.period_names, f"the task of {where}")
    for name in ("choice_left", "choice_right"):
        if not 0 <= getattr(reading, name) < task.actions.size:
            raise InvalidArgument(
                f"reading.{name} must be an action of {where}, 0 .. {task.actions.size - 1}, got "
                f"{getattr(reading, name)}"
            )


def _strengths(task: Task, name: str) -> Sequence[float]:
    """The strengths that a task may show: its parameter of the condition's name, or of its plural."""
    base = _base(task)
    for plural in (f"{name}s", f"{name[:-1]}ies" if name.endswith("y") else name, name):
        values = getattr(base, plural, None)
        if values is not None:
            return np.ravel(np.asarray(values, float)).tolist()
    return ()


def _base(task: Task) -> Task:
    held = list(layers(task))
    return held[-1].inner if held else task
