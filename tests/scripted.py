"""Behaviour by script, for tests of protocols: trials as they come out, fed to the rules without playing the task."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.protocols import Protocol, load_protocol
from neurojax.protocols.gauges import Event
from neurojax.protocols.progress import Progress, after_trial, first_day, night

ROOM = 512  # trials of one call of the compiled program
FLOATS = ("answered", "correct", "aborted", "missed", "performance", "right", "strength", "reward", "time", "best")


def trials(n: int, **fields: Any) -> dict[str, np.ndarray]:
    """So many trials: correct ones of alternating sides unless `fields` say otherwise (repeated to fill them).

    `ends`: the session ends with the last of them.
    """
    given = {name: np.resize(np.asarray(value, np.float32), n) for name, value in fields.items() if name != "ends"}
    side = given.get("side", np.arange(n) % 2).astype(np.int32)
    missed = given.get("missed", np.zeros(n))
    aborted = given.get("aborted", np.zeros(n))
    answered = given.get("answered", 1 - np.maximum(missed, aborted))
    correct = given.get("correct", np.ones(n)) * answered
    out = {
        "valid": given.get("valid", np.ones(n)) > 0,
        "counted": given.get("counted", given.get("valid", np.ones(n))) > 0,
        "answered": answered,
        "correct": correct,
        "aborted": aborted,
        "missed": missed,
        "performance": given.get("performance", correct),
        "right": given.get("right", np.where(correct > 0, side, 1 - side) * answered),
        "side": side,
        "strength": given.get("strength", np.full(n, 100.0)),
        "reward": given.get("reward", correct),
        "time": given.get("time", np.full(n, 500.0)),
        "best": given.get("best", np.ones(n)),
        "length": given.get("length", np.full(n, 10.0)).astype(np.int32),
        "night": np.arange(n) == (n - 1 if fields.get("ends") else -1),
    }
    return {name: x.astype(np.float32) if name in FLOATS else x for name, x in out.items()}


def join(*parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One behind the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def event_of(x: dict[str, Any]) -> Event:
    """One of the trials, or all of them, as a protocol sees it."""
    names = {"best": "best_reward"}
    return Event(**{names.get(name, name): v for name, v in x.items() if name not in ("length", "night", "live")})


class Driven:
    """A protocol's rules, compiled once.

    Attributes:
        protocol, walk: the protocol, and the way through it.
        names: of the stages.
    """

    def __init__(self, protocol: Protocol):
        self.protocol, self.walk = protocol, protocol.walk()
        self.names = [stage.name for stage in protocol.stages]
        plan, dt = self.walk.plan, float(self.walk.dt)

        def one(said, own, x):
            new = after_trial(plan, said, own, event_of(x), x["length"], dt)
            late = new.replace(over=new.over | x["night"])
            new = jax.lax.cond(late.over & x["live"], lambda own: night(plan, said, own), lambda own: own, late)
            new = jax.tree.map(lambda a, b: jnp.where(x["live"], a, b), new, own)
            return new, {"stage": new.stage, "status": new.status, "values": new.values, "session": new.session}

        self._run = jax.jit(lambda said, own, xs: jax.lax.scan(lambda own, x: one(said, own, x), own, xs))

    def start(self, stage: str | None = None) -> Progress:
        """The first day, in a stage."""
        own = first_day(self.walk.plan, self.walk.said)
        return own if stage is None else own.replace(stage=jnp.int32(self.names.index(stage)))

    def run(
        self, own: Progress, *parts: dict[str, np.ndarray], said: Any = None
    ) -> tuple[Progress, dict[str, np.ndarray]]:
        """The progress after these trials, and what it was after each; `said`: other numbers of the protocol."""
        xs, seen = join(*parts), []
        n = len(xs["side"])
        for first in range(0, n, ROOM):
            piece = {name: x[first : first + ROOM] for name, x in xs.items()}
            count = len(piece["side"])
            piece = {name: np.concatenate([x, np.repeat(x[-1:], ROOM - count, 0)]) for name, x in piece.items()}
            own, out = self._run(
                self.walk.said if said is None else said, own, {**piece, "live": np.arange(ROOM) < count}
            )
            seen.append({name: np.asarray(x)[:count] for name, x in out.items()})
        return own, {name: np.concatenate([part[name] for part in seen]) for name in seen[0]}

    def leads(self, stage: str, *parts: dict[str, np.ndarray]) -> str:
        """Where these trials lead from a stage: the stage's name, "trained" or "dropped"."""
        own, _ = self.run(self.start(stage), *parts)
        return self.where(own)

    def where(self, own: Progress) -> str:
        """A stage's name, "trained" or "dropped"."""
        return {1: "trained", 2: "dropped"}.get(int(own.status), self.names[int(own.stage)])


@cache
def preset(name: str) -> Driven:
    """A built-in protocol."""
    return Driven(load_protocol(name))
