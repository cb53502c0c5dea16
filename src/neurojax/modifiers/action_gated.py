"""Periods that wait for the subject: the stimulus comes when fixation has begun."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import quantity, structure
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.core.timing import whole_steps
from neurojax.core.trial import Outcome, Trial
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Following, layers, tell


class ActionGated(Following):
    """A task one of whose periods begins only when the subject has taken an action, such as to fixate.

    Before the period stands a gate of one step or more. There the trial's clock is held: what was last seen goes on
    being shown (nothing, where the period comes first), the task's rules do not apply, and no action but the gate's has
    an effect. The step after the gate's action is the period's first. Who has not taken it when `wait` is over has
    missed the trial.

    As scheduled, a trial opens its gate at the first step; what is left of `wait` is then room at the end, where
    nothing is asked for (the loss weight is 0). A rendered or streamed trial contains it; a trial that is played ends
    where the task's own time does. Of several gates, that of the earliest period is the outermost.

    Periods: `<period>_gate` and `<period>_room`, and those of the task.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.action_gated import action_gated
        >>> task = action_gated(nj.make("PerceptualDecisionMaking-v0"), period="stimulus", wait=500)
        >>> result = nj.play(task, jax.random.key(0), 1, policy=1).result  # never fixates
        >>> nj.Outcome(int(result.outcome[0])).name, int(result.response_step[0])
        ('MISS', 5)
    """

    HOLDS_CLOCK = True

    wait: Any = quantity(
        1000.0, units="ms", low=0, source="neurojax", doc="how long the gate waits; it stands for one step at least"
    )
    period: str = structure("stimulus", text=True, source="neurojax", doc="the period that waits")
    action: int = structure(0, low=0, source="neurojax", doc="the action that opens the gate")

    def validate(self) -> None:
        inner, names = self.inner, self.inner.period_names
        if not isinstance(inner.actions, Discrete):
            raise InvalidArgument(
                f"action_gated waits for one of several actions; those of {inner.name} are continuous"
            )
        if self.action >= inner.actions.size:
            raise InvalidArgument(f"action must be one of the {inner.actions.size} of {inner.name}, got {self.action}")
        if self.period not in names:
            raise InvalidArgument(
                f"action_gated needs a period that waits; {inner.name} has no {self.period!r}, but {', '.join(names)} "
                "(say which with period=)"
            )
        super().validate()
        for layer in layers(inner):
            if isinstance(layer, ActionGated):
                if layer.period == self.period:
                    raise InvalidArgument(f"action_gated is applied to {self.period!r} already")
                if names.index(layer.period) < names.index(self.period):
                    raise InvalidArgument(
                        f"action_gated for {layer.period!r}, which comes first, must go around the one for "
                        f"{self.period!r}"
                    )

    def room(self) -> int:
        return int(min(self.longest(), self.inner.capacity + self._most()))

    def longest(self):
        return self.inner.longest() + self._most()

    def _most(self) -> Any:
        """The greatest number of steps at the gate."""
        steps = whole_steps(self.wait, self.dt)
        return max(int(np.max(steps)), 1) if isinstance(self.wait, (np.ndarray, np.generic)) else jnp.maximum(steps, 1)

    # ------------------------------------------------------------------ the clock

    @property
    def period_names(self):
        return (*self.inner.period_names, f"{self.period}_gate", f"{self.period}_room")

    @property
    def closed_loop(self):
        return True

    def periods(self, conditions, steps):
        periods = self.inner.periods(conditions, steps)
        gate = periods[self.period][0]
        length: Any = 0
        later = {}
        for name, (start, end) in periods.items():
            length = jnp.maximum(length, end)
            waits = start >= gate
            later[name] = (start + jnp.where(waits, 1, 0), end + jnp.where(waits | (end > gate), 1, 0))
        room = (length + 1, length + self._most())
        return {**later, f"{self.period}_gate": (gate, gate + 1), f"{self.period}_room": room}

    def _inside(self, trial: Trial) -> Trial:
        """The trial as the task inside has it: without the gate."""
        gate = trial.start[f"{self.period}_gate"]
        back = lambda time: time - (time > gate).astype(jnp.int32)
        earlier = lambda times: {name: back(times[name]) for name in self.inner.period_names}
        length = trial.start[f"{self.period}_room"] - 1
        return trial.replace(start=earlier(trial.start), end=earlier(trial.end), length=length)

    def _where(self, trial: Trial, state: Any, t: Any) -> tuple[Trial, Any, Any]:
        """The trial inside, the step of its clock, and whether the subject stands at the gate."""
        inside, own = self._inside(trial), state["own"]
        at_gate = ~own["open"] & (t >= trial.start[f"{self.period}_gate"])
        return inside, jnp.where(at_gate, trial.start[f"{self.period}_gate"] - 1, t - own["waited"]), at_gate

    # ------------------------------------------------------------------ the rules

    def own_state(self, trial):
        return {"open": jnp.bool_(False), "waited": jnp.int32(0)}

    def init_state(self, trial):
        return {"own": self.own_state(trial), "inner": self.inner.init_state(self._inside(trial))}

    def observe(self, trial, state, t):
        inside, clock, _ = self._where(trial, state, t)
        return self.inner.observe(inside, state["inner"], clock)

    def noise(self, trial, state, t, draw):
        inside, clock, _ = self._where(trial, state, t)
        return self.inner.noise(inside, state["inner"], clock, draw)

    def target(self, trial, state, t):
        inside, clock, at_gate = self._where(trial, state, t)
        best = self.inner.target(inside, state["inner"], clock)
        return jnp.where(at_gate, jnp.int32(self.action), jnp.asarray(best).astype(jnp.int32))

    def weight(self, trial, state, t):
        inside, clock, at_gate = self._where(trial, state, t)
        known = jnp.asarray(self.inner.weight(inside, state["inner"], clock)).astype(jnp.float32)
        return jnp.where(at_gate, 1.0, jnp.where(clock < inside.length, known, 0.0))

    def respond(self, trial, state, action, t, draw):
        inside, clock, at_gate = self._where(trial, state, t)
        own, held = state["own"], state["inner"]
        came = self.inner.respond(inside, held, action, clock, draw)
        expired = ~at_gate & inside.last(clock) & ~came.end
        opens = at_gate & (action == self.action)
        waited = own["waited"] + at_gate.astype(jnp.int32)
        missed = at_gate & ~opens & (waited >= self._most())
        lost = jnp.asarray(self.inner.expire(inside, held), jnp.float32)
        reward = jnp.where(at_gate, 0.0, came.reward) + jnp.where(expired | missed, lost, 0.0)
        late = jnp.where(trial.overflow & expired, int(Outcome.TIMEOUT), int(Outcome.MISS)).astype(jnp.int32)
        waiting = tell(self.inner, held, action, jnp.float32(0))
        return came.replace(
            reward=reward,
            end=jnp.where(at_gate, missed, came.end | expired),
            outcome=jnp.where(expired | missed, late, jnp.where(at_gate, int(Outcome.NONE), came.outcome)),
            performance=jnp.where(at_gate | expired, 0.0, came.performance),
            state={
                "own": {"open": own["open"] | opens, "waited": waited},
                "inner": jax.tree.map(lambda a, b: jnp.where(at_gate, a, b), waiting, came.state),
            },
        )

    def expire(self, trial, state):
        return self.inner.expire(self._inside(trial), state["inner"])

    def references(self):
        inner = self.inner.references()  # who opens the gate at once plays the task
        return {name: inner[name] for name in ("ideal", "blind") if name in inner}


def action_gated(task: Task, *, period: str = "stimulus", action: int = 0, wait: float = 1000.0) -> ActionGated:
    """A task one of whose periods waits for an action.

    Args:
        task: a task of discrete actions.
        period: the period that waits.
        action: the action that it waits for; 0 is to fixate.
        wait: how long it waits, in ms; then the trial is missed.

    Raises:
        InvalidArgument: if the task has no such period or action, or a gate there already.
    """
    return ActionGated.around(task, period=period, action=action, wait=wait)
