"""A protocol as a task: its memory is the subject's way through the stages, so that whatever plays tasks walks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.draw import Draw
from neurojax.core.lanes import where_any
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument
from neurojax.modifiers.taking import Taking, sub
from neurojax.protocols.gauges import Event
from neurojax.protocols.progress import EVERY, LEFT, RIGHT, Plan, Progress, Said, after_trial, first_day, night
from neurojax.protocols.protocol import with_values


class Now(struct.PyTreeNode):
    """What the rules of a trial need of the progress.

    Attributes:
        values: float32 `[K]`, of the adapted parameters.
        free: bool, whether the trial is paid whatever is done.
    """

    values: Any
    free: Any


class Walk(Taking):
    """The way through a protocol, as a task (`walk_task`): stages follow from what the subject does.

    It is a task like any other: `nj.rollout` plays it, agents train on it, modifiers go around it. A session of the
    protocol ends and the next begins between two trials; where it `pauses`, `memory["own"].over` says so instead, and
    `night` begins the next (which is what a study does).

    Conditions: `stage` (its number), `repeat` (whether the trial before is shown again), `free` (whether it is paid
    whatever is done), and those of the stage's task. Only the stage may be given.

    Attributes:
        inner: the stages' tasks, as one.
        plan: what is static.
        said: the protocol's numbers.
        now: of the progress, once resolved.
        pauses: whether it stops where a session is over (static).
    """

    INDEX = "stage"

    plan: Plan = struct.field(pytree_node=False, default=None)  # type: ignore[assignment]
    said: Said = None  # type: ignore[assignment]
    now: Any = None
    pauses: bool = struct.field(pytree_node=False, default=False)

    @property
    def name(self):
        return f"Walk({self.inner.name})"

    def settings(self):
        raise InvalidArgument("a walk is built from its protocol (protocol.walk()), which is written as TOML")

    def set(self, **kwargs: Any):
        raise InvalidArgument("change the protocol (protocol.replace), and build the walk from it again")

    def references(self):
        return self.inner.part(self.inner.count - 1).references()

    # ------------------------------------------------------------------ the trial's task

    def at(self, conditions):
        return self.inner.at(conditions["stage"]) if self.now is None else self._adapted(conditions["stage"])

    def _adapted(self, stage: Any) -> Task:
        """The task of a stage, its adapted parameters where they stand."""
        if self.inner.switches:
            tasks = list(self.inner.tasks)
            for k, (owner, name) in enumerate(self.plan.adapted):
                for i in range(len(tasks)) if owner == EVERY else (owner,):
                    tasks[i] = with_values(tasks[i], {name: self.now.values[k]})
            return self.inner.replace(tasks=tuple(tasks)).at(stage)
        task = self.inner.at(stage)
        names = dict.fromkeys(name for _, name in self.plan.adapted)
        values = {}
        for name in names:
            value = None if name == "volume" else _value_of(task, name)
            for k, (owner, own) in enumerate(self.plan.adapted):
                if own == name and value is not None:
                    value = jnp.where((stage == owner) | (owner == EVERY), self.now.values[k], value)
            values[name] = value
        return with_values(task, values)

    def resolve(self, memory):
        own = memory["own"]
        free = jnp.asarray(self.said.stages["free_after"])[own.stage]
        now = Now(own.values, (free > 0) & (own.failed >= free))
        return self.replace(inner=self.inner.resolve(memory["inner"]), now=now)

    def conditions(self, draw, memory):
        own = memory["own"]
        stage = draw.remembered("stage", own.stage, self.inner.count)
        held = self._adapted(stage)
        inner = self.inner.memory_at(memory["inner"], stage)
        called = lambda name: sub(name, "stage")
        drawn = held.conditions(draw.inside(held.laws, called=called, apart=True), inner)
        chosen = self._chosen(own, stage, drawn, draw.under("protocol"))
        taken = draw.inside(held.laws, called=called).giving(**chosen)
        values = held.conditions(taken, inner)
        told = {"stage": stage, "repeat": own.repeat, "free": self.now.free}
        return {**told, **{sub(name, "stage"): value for name, value in values.items()}}

    def _chosen(self, own: Progress, stage: Any, drawn: Mapping[str, Any], draw: Draw) -> dict[str, Any]:
        """The side, and the strength of the stimulus, that the protocol decides on."""
        plan, said = self.plan, {name: jnp.asarray(value)[stage] for name, value in self.said.stages.items()}
        side = (drawn[plan.side] == plan.right).astype(jnp.int32)
        chance = draw.chance("side")
        if any(kind != "task" for kind in plan.sides):
            corrected, applies = self._corrected(own, stage, side, said, chance), said["only_repeats"] < 0.5
            side = jnp.where(own.repeat | applies, corrected, side)
            kept = own.repeat & (jnp.asarray([kind == "task" for kind in plan.sides])[stage] | applies)
        else:
            kept = own.repeat
        side = jnp.where(kept, own.again_side, side)
        full = (said["most"] > 0) & (jnp.abs(own.streak) >= said["most"]) & ~own.repeat
        side = jnp.where(full, (own.streak < 0).astype(jnp.int32), side)
        shown = drawn[plan.side]
        out = {plan.side: jnp.where(side == RIGHT, plan.right, plan.left).astype(jnp.asarray(shown).dtype)}
        if plan.strength:
            strength = drawn[plan.strength]
            out[plan.strength] = jnp.where(own.repeat, own.again_strength.astype(strength.dtype), strength)
        return out

    def _corrected(self, own: Progress, stage: Any, side: Any, said: Mapping[str, Any], chance: Any) -> Any:
        """int32: the side that the stage's correction chooses."""
        plan, u = self.plan, chance.uniform()
        recent = jnp.arange(plan.window) >= plan.window - said["window"]
        out = side
        for kind in dict.fromkeys(plan.sides):
            if kind == "responses":
                left, there = jnp.sum(recent * (own.responses < 0)), jnp.sum(recent * (own.responses != 0))
                share = jnp.where(there > 0, left / jnp.maximum(there, 1), 0.5)
                chosen = share + said["spread"] * chance.fold(1).normal() >= 0.5
            elif kind == "errors":
                there = recent * (own.shown != 0)
                correct, wrong = there * own.right, there * (1 - own.right)
                share = lambda part, of: jnp.where(jnp.sum(of) > 0, jnp.sum(part) / jnp.maximum(jnp.sum(of), 1), 0.5)
                left = 0.5 * (share(correct * (own.shown > 0), correct) + share(wrong * (own.shown < 0), wrong))
                chosen = u >= left
            elif kind == "kernel":
                weights = jnp.exp(-said["kernel"] * own.hits)
                chosen = u >= weights[LEFT] / jnp.sum(weights)
            else:
                continue
            here = jnp.asarray([other == kind for other in plan.sides])[stage]
            out = jnp.where(here, chosen.astype(jnp.int32), out)
        return out

    # ------------------------------------------------------------------ what follows from an action

    def init_state(self, trial):
        return {"erred": jnp.bool_(False), "inner": super().init_state(trial)}

    def observe(self, trial, state, t):
        return super().observe(trial, state["inner"], t)

    def noise(self, trial, state, t, draw):
        return super().noise(trial, state["inner"], t, draw)

    def target(self, trial, state, t):
        return super().target(trial, state["inner"], t)

    def weight(self, trial, state, t):
        return super().weight(trial, state["inner"], t)

    def expire(self, trial, state):
        earned = super().expire(trial, state["inner"])
        return self._paid(trial, earned, jnp.bool_(True), jnp.bool_(False))

    def told(self, state, action, reward):
        return {**state, "inner": self.inner.told(state["inner"], action, reward)}

    def respond(self, trial, state, action, t, draw):
        came = super().respond(trial, state["inner"], action, t, draw)
        said = {name: jnp.asarray(self.said.stages[name])[trial["stage"]] for name in ("retry", "any_side", "payoff")}
        wrong = came.end & (came.outcome == Outcome.ERROR)
        any_side = wrong & (said["any_side"] > 0)
        goes_on = wrong & ~any_side & (said["retry"] > 0)
        erred = state["erred"] | goes_on
        correct = (came.outcome == Outcome.CORRECT) | any_side
        reward = jnp.where(any_side, said["payoff"], came.reward)
        end = came.end & ~goes_on
        late = end & correct & state["erred"]  # found at last: the first answer counts
        outcome = jnp.where(late, int(Outcome.ERROR), jnp.where(any_side, int(Outcome.CORRECT), came.outcome))
        performance = jnp.where(late, 0.0, jnp.where(any_side, 1.0, came.performance))
        return came.replace(
            reward=self._paid(trial, reward, end, correct),
            end=end,
            outcome=outcome,
            performance=performance,
            state={"erred": erred, "inner": came.state},
        )

    def _paid(self, trial, reward, end, correct):
        """The reward in its present volume, with what is free."""
        extra = jnp.where(end & ~correct & self.now.free, jnp.asarray(self.said.stages["payoff"])[trial["stage"]], 0.0)
        return (reward + extra) * self._volume(trial["stage"]) / self.said.sessions["volume"]

    def _volume(self, stage) -> Any:
        """Microlitres of a reward of 1."""
        volume: Any = jnp.asarray(self.said.sessions["volume"])
        for k, (owner, name) in enumerate(self.plan.adapted):
            if name == "volume":
                volume = jnp.where((stage == owner) | (owner == EVERY), self.now.values[k], volume)
        return volume

    # ------------------------------------------------------------------ across trials

    def init_memory(self, draw):
        return {"own": first_day(self.plan, self.said, self.inner.count), "inner": self.inner.init_memory(draw)}

    def next_memory(self, memory, trial, result, draw):
        event = self.event(trial, result)
        own = after_trial(self.plan, self.said, memory["own"], event, result.response_step + 1, self.dt)
        if not self.pauses:
            own = where_any(own.over, lambda own, said: night(self.plan, said, own), own, self.said)
        stage = trial["stage"]
        inner = self.inner.memory_after(memory["inner"], stage, self.trial_of(trial), result, draw)
        return {"own": own, "inner": inner}

    def night(self, own: Progress) -> Progress:
        """The progress on the next morning."""
        return night(self.plan, self.said, own)

    def event(self, trial: Any, result: Any) -> Event:
        """A trial that is over, as the protocol sees it; of a resolved walk."""
        plan, stage = self.plan, trial["stage"]
        answered = (result.outcome == Outcome.CORRECT) | (result.outcome == Outcome.ERROR)
        number = lambda x: jnp.asarray(x).astype(jnp.float32)
        answer = trial.start[plan.answer]
        valid = (result.outcome != Outcome.ABORT) | (not plan.restarts)
        counted = (jnp.asarray(self.said.stages["counted"])[stage] > 0) | ~trial["repeat"]
        return Event(
            valid=valid,
            counted=counted & valid,
            answered=number(answered),
            correct=number(result.outcome == Outcome.CORRECT),
            aborted=number(result.outcome == Outcome.ABORT),
            missed=number((result.outcome == Outcome.MISS) | (result.outcome == Outcome.TIMEOUT)),
            performance=result.performance,
            right=number(answered & (result.choice == plan.choice_right)),
            side=(trial[plan.side] == plan.right).astype(jnp.int32),
            strength=number(trial[plan.strength]) if plan.strength else jnp.float32(1),
            reward=result.reward,
            time=number(result.response_step - answer + 1) * np.float32(self.dt),
            best_reward=jnp.asarray(self.said.stages["best_reward"])[stage],
        )


def _value_of(task: Task, path: str) -> Any:
    """Where a parameter stands in a task of one kind."""
    group, _, name = path.rpartition(".")
    if group == "timing":
        return task.timing[name].duration  # type: ignore[union-attr]
    return task.rewards[name] if group == "rewards" else getattr(task, name)
