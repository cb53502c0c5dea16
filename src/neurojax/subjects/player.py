"""How a subject plays tasks and learns from trial to trial, step by step: what a study trains."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.chance import Chance
from neurojax.core.node import Node
from neurojax.subjects.base import Subject


class Look(struct.PyTreeNode):
    """What there is at a step of a trial. Unbatched.

    Attributes:
        obs: float32 `[D]`, the observation.
        best: the best action, for who knows everything.
        due: bool, whether an answer is due.
        strength: float32, signed strength of the stimulus (positive: right), as a share of the greatest. For subjects
            with few parameters, who do not see observations.
    """

    obs: Any
    best: Any
    due: Any
    strength: Any


class Mind(struct.PyTreeNode):
    """A subject's mind. Unbatched.

    Attributes:
        known: what it has learnt; it changes between trials only.
        work: what it has in mind during a session.
        log: what it needs to learn from.
    """

    known: Any
    work: Any
    log: Any


class Player(Node):
    """An individual that plays and learns: a pytree with its parameters as leaves. Methods are pure and unbatched.

    Here is one who knows everything and learns nothing: the perfect learner.

    Attributes:
        choices: the actions left and right (static).
        dt: ms a step (static).
    """

    choices: tuple[int, int] = struct.field(pytree_node=False, default=(1, 2))
    dt: float = struct.field(pytree_node=False, default=100.0)

    def start(self) -> Mind:
        """The mind before the first trial."""
        return Mind((), (), ())

    def morning(self, mind: Mind) -> Mind:
        """The mind at a session's start, of that after the one before."""
        return mind

    def begin(self, known: Any, work: Any, strength: Any, chance: Chance) -> Any:
        """What is in mind as a trial begins; of `Look`, the strength."""
        return work

    def act(self, known: Any, work: Any, look: Look, chance: Chance) -> tuple[Any, Any]:
        """What is in mind after a step, and the action."""
        return work, look.best

    def told(self, work: Any, action: Any, reward: Any) -> Any:
        """What is in mind after the action that the task took, and the reward that it gave."""
        return work

    def keep(self, log: Any, before: Any, work: Any, look: Look, action: Any, reward: Any, first: Any) -> Any:
        """The log after a step: `before` and `work` are what was in mind before it and after `act`."""
        return log

    def learn(self, mind: Mind, event: Any) -> Mind:
        """The mind after a trial (an `Event` of the protocol)."""
        return mind


class Waiting(struct.PyTreeNode):
    """What a model subject has learnt about when to answer, float32.

    Attributes:
        model: the state of its model of choices.
        early: log odds of answering at a step at which no answer is due.
        usual: the reward that it is used to.
    """

    model: Any
    early: Any
    usual: Any


class Intent(struct.PyTreeNode):
    """What a model subject means to do in a trial, and what it did in the last.

    Attributes:
        side: int32, 1 for the right.
        features: float32 `[F]` of the trial.
        percept: float32.
        last: float32, the last choice (-1, 1; 0 none).
        last_rewarded: float32, the last choice where it was rewarded, else 0.
        waited, jumped: float32, steps of this trial at which it waited, or answered, though no answer was due.
        answered: bool, whether it answers at this step, and an answer is due.
    """

    side: Any
    features: Any
    percept: Any
    last: Any
    last_rewarded: Any
    waited: Any
    jumped: Any
    answered: Any


class ModelPlayer(Player):
    """A subject with few parameters (`Subject`), as a player: when to answer, beside what.

    It decides on a side as the trial begins, from the stimulus's strength and its own last choice. Once an answer is
    due it answers at a constant rate (its response times are exponential); where the trial goes on after that, it tries
    the other side. Before, it may answer too early, at each step with a probability that it learns by REINFORCE from
    what its trials bring, relative to what it is used to.

    Attributes:
        model: what it decides by; its features are 1, the strength, the last choice, and the last choice if that was
            rewarded (a model of one feature gets the strength).
        quickness: answers a second, once due.
        hazard: answers a second before that, before it has learnt anything.
        wait_rate: learning rate of the log odds of answering early.
    """

    model: Subject = None  # type: ignore[assignment]
    quickness: Any = np.float32(3)
    hazard: Any = np.float32(0.6)
    wait_rate: Any = np.float32(0.05)

    def start(self):
        early = jnp.log(jnp.expm1(jnp.maximum(self.hazard, 1e-6) * np.float32(self.dt / 1000)))
        zero, no = jnp.float32(0), jnp.bool_(False)
        one = jnp.ndim(jax.tree.leaves(self.model)[0]) == 0
        features = jnp.zeros(1 if one else 4, jnp.float32)
        work = Intent(jnp.int32(0), features, zero, zero, zero, zero, zero, no)
        return Mind(Waiting(self.model.start(), early, zero), work, ())

    def morning(self, mind):
        start = self.start()
        known = mind.known.replace(model=self.model.overnight(mind.known.model))
        return mind.replace(known=known, work=start.work)

    def begin(self, known, work, strength, chance):
        if work.features.shape == (1,):
            features = jnp.stack([strength])
        else:
            features = jnp.stack([jnp.float32(1), strength, work.last, work.last_rewarded])
        percept = self.model.perceive(features, chance.fold(1).normal())
        right = chance.fold(2).uniform() < self.model.p_right(known.model, features, percept)
        zero = jnp.float32(0)
        side = right.astype(jnp.int32)
        return work.replace(
            side=side, features=features, percept=percept, waited=zero, jumped=zero, answered=jnp.bool_(False)
        )

    def act(self, known, work, look, chance):
        early = jax.nn.sigmoid(known.early)
        prompt = 1 - jnp.exp(-self.quickness * np.float32(self.dt / 1000))
        acts = chance.uniform() < jnp.where(look.due, prompt, early)
        idle = (~look.due).astype(jnp.float32)
        work = work.replace(waited=work.waited + idle * ~acts, jumped=work.jumped + idle * acts)
        action = jnp.where(work.side == 1, self.choices[1], self.choices[0])
        return work.replace(answered=acts & look.due), jnp.where(acts, action, 0).astype(jnp.int32)

    def told(self, work, action, reward):
        chose = jnp.where(action == self.choices[1], 1.0, jnp.where(action == self.choices[0], -1.0, 0.0))
        # the last step with an answer is the one that counts: a trial ends with it
        last = jnp.where(chose != 0, chose, work.last)
        rewarded = jnp.where(chose != 0, jnp.where(reward > 0, chose, 0.0), work.last_rewarded)
        # who may go on after an answer (retry) tries the other side
        side = jnp.where(work.answered & (chose != 0), 1 - work.side, work.side)
        return work.replace(side=side, last=last, last_rewarded=rewarded)

    def learn(self, mind, event):
        known, work = mind.known, mind.work
        # who found the side at last (retry) has learnt from it, too: the choice is the one that was rewarded
        choice = (work.last > 0).astype(jnp.int32)
        learnt = self.model.learn(known.model, work.features, choice, event.reward, work.percept)
        took = event.answered > 0
        model = jax.tree.map(lambda new, old: jnp.where(took, new, old), learnt, known.model)
        early = jax.nn.sigmoid(known.early)
        slope = work.jumped * (1 - early) - work.waited * early
        moved = known.early + self.wait_rate * (event.reward - known.usual) * jnp.clip(slope, -5, 5)
        usual = known.usual + 0.05 * (event.reward - known.usual)
        return mind.replace(known=Waiting(model, jnp.clip(moved, -12.0, 6.0), usual))
