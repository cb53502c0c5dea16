"""A protocol as a task: its memory is the subject's way through the stages, so that whatever plays tasks walks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
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
from neurojax.protocols.protocol import OUTSIDE, with_values


class Now(struct.PyTreeNode):
    """What the rules of a trial need of the progress.

    Attributes:
        values: float32 `[K]`, of the adapted parameters.
        free: bool, whether the trial is paid whatever is done.
        any_side: bool, whether any choice is rewarded.
        barred: float32, the side that is not rewarded for it was chosen too often in a row: -1 left, 1 right, 0 none.
    """

    values: Any
    free: Any
    any_side: Any
    barred: Any


class Walk(Taking):
    """The way through a protocol, as a task (`walk_task`): stages follow from what the subject does.

    It is a task like any other: `nj.rollout` plays it, agents train on it, modifiers go around it. A session of the
    protocol ends and the next begins between two trials; where it `pauses`, `memory["own"].over` says so instead, and
    `night` begins the next (which is what a study does).

    Conditions: `stage` (its number), `repeat` (whether the trial before is shown again), `free` (whether it is paid
    whatever is done), and those of the stage's task. Only the stage may be given.

    Attributes:
        inner: the stages' tasks and, last, the target task (of the exam), as one.
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

    def target_task(self) -> Task:
        """The target task by itself, with the channels and actions that all stages share."""
        return self.inner.at(self.inner.count - 1)

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
            value = None if name in OUTSIDE else _value_of(task, name)
            for k, (owner, own) in enumerate(self.plan.adapted):
                if own == name and value is not None:
                    value = jnp.where((stage == owner) | (owner == EVERY), self.now.values[k], value)
            values[name] = value
        return with_values(task, values)

    def resolve(self, memory):
        own = memory["own"]
        said = {name: jnp.asarray(self.said.stages[name])[own.stage] for name in ("free_after", "any_side", "same")}
        free = (said["free_after"] > 0) & (_number(own.unpaid) >= said["free_after"])
        # How far the right is ahead of the left in the last responses.
        ahead = jnp.sum(_last(self.plan.window, said["same"]) * own.responses)
        limit = (said["any_side"] > 0) & (said["same"] > 0) & (jnp.abs(ahead) >= said["same"])
        now = Now(own.values, free, (said["any_side"] > 0) & ~limit, jnp.where(limit, jnp.sign(ahead), 0.0))
        return self.replace(inner=self.inner.resolve(memory["inner"]), now=now)

    def conditions(self, draw, memory):
        own = memory["own"]
        stage = draw.remembered("stage", own.stage, len(self.plan.transitions))
        held = self._adapted(stage)
        inner = self.inner.memory_at(memory["inner"], stage)
        called = lambda name: sub(name, "stage")
        if self.plan.chooses:
            drawn = held.conditions(draw.inside(held.laws, called=called, apart=True), inner)
            chosen = self._chosen(own, stage, drawn, draw.under("protocol"))
            values = held.conditions(draw.inside(held.laws, called=called).giving(**chosen), inner)
        else:
            values = held.conditions(draw.inside(held.laws, called=called), inner)
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
        runs = jnp.asarray([kind == "runs" for kind in plan.sides])[stage]
        full = (said["most"] > 0) & (_number(jnp.abs(own.streak)) >= said["most"]) & ~runs & ~own.repeat
        side = jnp.where(full, (own.streak < 0).astype(jnp.int32), side)
        for which in (LEFT, RIGHT):
            stays = (said["keep"] > 0) & (_number(own.lost[which]) >= said["keep"]) & ~own.repeat
            side = jnp.where(stays, which, side)
        side = jnp.where(self.now.barred != 0, (self.now.barred < 0).astype(jnp.int32), side)
        side = jnp.where(own.restart, own.again_side, side)
        shown = drawn[plan.side]
        out = {plan.side: jnp.where(side == RIGHT, plan.right, plan.left).astype(jnp.asarray(shown).dtype)}
        if plan.strength:
            strength = drawn[plan.strength]
            again = own.repeat | own.restart
            out[plan.strength] = jnp.where(again, own.again_strength.astype(strength.dtype), strength)
        return out

    def _corrected(self, own: Progress, stage: Any, side: Any, said: Mapping[str, Any], chance: Any) -> Any:
        """int32: the side that the stage's correction chooses."""
        plan, u = self.plan, chance.uniform()
        recent = _last(plan.window, said["window"])
        out = side
        for kind in dict.fromkeys(plan.sides):
            if kind == "responses":
                left, there = (jnp.sum(recent * _number(x)) for x in (own.responses < 0, own.responses != 0))
                share = jnp.where(there > 0, left / jnp.maximum(there, 1), 0.5)
                chosen = share + said["spread"] * chance.fold(1).normal() >= 0.5
            elif kind == "errors":
                correct, wrong = recent * _number(own.right > 0), recent * _number(own.right < 0)
                share = lambda part, of: jnp.sum(part) / jnp.maximum(jnp.sum(of), 1)
                of_right, of_left = (_number(x) for x in (own.shown > 0, own.shown < 0))
                left = 0.5 * (share(correct * of_right, correct) + share(wrong * of_left, wrong))
                known = (jnp.sum(correct) > 0) & (jnp.sum(wrong) > 0)
                chosen = u >= jnp.where(known, left, 0.5)
            elif kind == "kernel":
                weights = jnp.exp(-said["kernel"] * own.hits)
                chosen = u >= weights[LEFT] / jnp.sum(weights)
            elif kind == "runs":
                over = _number(own.found) >= said["most"]
                chosen = jnp.where(own.streak == 0, u >= 0.5, (own.streak > 0) != over)
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
        return self._paid(trial, earned, jnp.bool_(True))

    def told(self, state, action, reward):
        return {**state, "inner": self.inner.told(state["inner"], action, reward)}

    def respond(self, trial, state, action, t, draw):
        came = super().respond(trial, state["inner"], action, t, draw)
        said = {name: jnp.asarray(self.said.stages[name])[trial["stage"]] for name in ("retry", "payoff")}
        wrong = came.end & (came.outcome == Outcome.ERROR)
        any_side = wrong & self.now.any_side
        goes_on = wrong & ~any_side & (said["retry"] > 0) & ~trial.last(t)
        erred = state["erred"] | goes_on
        reward = jnp.where(any_side, said["payoff"], came.reward)
        # The first answer counts, also where the side is found at last, or never.
        late = state["erred"] & ((came.end & ~goes_on) | trial.last(t))
        end = (came.end & ~goes_on) | late
        outcome = jnp.where(late, int(Outcome.ERROR), jnp.where(any_side, int(Outcome.CORRECT), came.outcome))
        performance = jnp.where(late, 0.0, jnp.where(any_side, 1.0, came.performance))
        aborts = came.end & (came.outcome == Outcome.ABORT) & self.plan.restarts
        return came.replace(
            reward=self._paid(trial, reward, end & ~aborts),
            end=end,
            outcome=outcome,
            performance=performance,
            state={"erred": erred, "inner": came.state},
        )

    def _paid(self, trial, reward, end):
        """The reward in its present volume, with what is free."""
        stage = trial["stage"]
        free = end & (reward <= 0) & self.now.free
        extra = jnp.asarray(self.said.stages["payoff"])[stage] * jnp.asarray(self.said.stages["free_share"])[stage]
        return (reward + jnp.where(free, extra, 0.0)) * self._volume(stage) / self.said.sessions["volume"]

    def _volume(self, stage) -> Any:
        """Microlitres of a reward of 1."""
        volume: Any = jnp.asarray(self.said.sessions["volume"])
        for k, (owner, name) in enumerate(self.plan.adapted):
            if name == "volume":
                volume = jnp.where((stage == owner) | (owner == EVERY), self.now.values[k], volume)
        return volume

    # ------------------------------------------------------------------ across trials

    def init_memory(self, draw):
        return {"own": first_day(self.plan, self.said), "inner": self.inner.init_memory(draw)}

    def next_memory(self, memory, trial, result, draw):
        event = self.event(trial, result)
        own = after_trial(self.plan, self.said, memory["own"], event, result.response_step + 1, self.dt)
        over = own.over
        if not self.pauses:
            rested = lambda own, said: night(self.plan, said, own)
            own = where_any(over, rested, own, self.said)
        stage = trial["stage"]
        inner = self.inner.memory_after(memory["inner"], stage, self.trial_of(trial), result, draw)
        if jax.tree.leaves(inner):  # blocks, baits and the like do not last overnight
            anew = self.inner.init_memory(draw.under("morning"))
            begun = lambda new, old: jnp.where(over, jnp.asarray(new).astype(jnp.asarray(old).dtype), old)
            inner = jax.tree.map(begun, anew, inner)
        return {"own": own, "inner": inner}

    def night(self, own: Progress) -> Progress:
        """The progress on the next morning."""
        return night(self.plan, self.said, own)

    def event(self, trial: Any, result: Any) -> Event:
        """A trial that is over, as the protocol sees it; of a resolved walk."""
        plan, stage = self.plan, trial["stage"]
        answered = (result.outcome == Outcome.CORRECT) | (result.outcome == Outcome.ERROR)
        answer, error = trial.start[plan.answer], result.outcome == Outcome.ERROR
        side, choice = trial[plan.side] == plan.right, result.choice == plan.choice_right
        # The action that ended a trial is not the first answer where the subject was let go on.
        retried = error & (jnp.asarray(self.said.stages["retry"])[stage] > 0)
        volume = self._volume(stage) / self.said.sessions["volume"]
        valid = (result.outcome != Outcome.ABORT) | (not plan.restarts)
        counted = (jnp.asarray(self.said.stages["counted"])[stage] > 0) | ~trial["repeat"]
        return Event(
            valid=valid,
            counted=counted & valid,
            answered=_number(answered),
            correct=_number(result.outcome == Outcome.CORRECT),
            aborted=_number(result.outcome == Outcome.ABORT),
            missed=_number((result.outcome == Outcome.MISS) | (result.outcome == Outcome.TIMEOUT)),
            performance=result.performance,
            right=_number(answered & jnp.where(retried, ~side, choice)),
            side=side.astype(jnp.int32),
            strength=_number(trial[plan.strength]) if plan.strength else jnp.float32(1),
            reward=result.reward,
            time=_number(result.response_step - answer + 1) * np.float32(self.dt),
            best_reward=jnp.where(trial["free"], 0.0, jnp.asarray(self.said.stages["best_reward"])[stage] * volume),
        )


def _number(x: Any) -> Any:
    return jnp.asarray(x).astype(jnp.float32)


def _last(room: int, n: Any) -> Any:
    """float32 `[room]`: 1 in the last so many places."""
    return _number(jnp.arange(room, dtype=jnp.float32) >= room - n)


def _value_of(task: Task, path: str) -> Any:
    """Where a parameter stands in a task of one kind."""
    group, _, name = path.rpartition(".")
    if group == "scale":
        return jnp.float32(1)
    if group == "timing":
        return task.timing[name].duration  # type: ignore[union-attr]
    return task.rewards[name] if group == "rewards" else getattr(task, name)
