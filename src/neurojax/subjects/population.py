"""Individual differences: what subjects are born with, drawn from stated distributions."""

from __future__ import annotations

from typing import Any, Literal, Self

import jax
import numpy as np
from pydantic import model_validator

from neurojax.core.chance import Chance, key_words
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument
from neurojax.sections import Count, NotNegative, Number, Section
from neurojax.subjects.detection import DetectionLearner
from neurojax.subjects.logistic import LogisticLearner
from neurojax.subjects.player import ModelPlayer, Player
from neurojax.subjects.recurrent import make_recurrent

LEARNERS = ("recurrent", "logistic", "detection", "perfect")
TRAITS = ("learning_rate", "hazard", "bias", "discount", "noise", "forgetting")


class Trait(Section):
    """How a number differs between individuals.

    Attributes:
        low, high: the range.
        law: "uniform", or "log-uniform" (as often between 1 and 10 as between 10 and 100).
    """

    low: Number
    high: Number
    law: Literal["uniform", "log-uniform"] = "uniform"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low or (self.law == "log-uniform" and self.low <= 0):
            raise InvalidArgument(
                f"a trait needs low <= high, and above 0 if log-uniform, got {self.low:g}, {self.high:g}"
            )
        return self

    def at(self, u: Any) -> Any:
        """The value at the share `u` in [0, 1)."""
        if self.law == "log-uniform":
            return np.exp(np.log(self.low) + u * (np.log(self.high) - np.log(self.low)))
        return self.low + u * (self.high - self.low)


def _between(low: float, high: float, law: Literal["uniform", "log-uniform"] = "uniform") -> Trait:
    return Trait(low=float(low), high=float(high), law=law)


class Population(Section):
    """Who is trained.

    The subject of a number is the same individual under every protocol. A recurrent agent's weights at birth, and its
    chance, are its own too. The default learning rates, noise, forgetting and entropy were chosen so that recurrent
    subjects take about as many trials to status 1a of the IBL's training as mice (10,800 +- 8,600, International Brain
    Laboratory 2021; the subjects' are in `benchmarks/PROTOCOLS.md`).

    Attributes:
        learner: "recurrent" (networks that learn online), "logistic" or "detection" (models with few parameters), or
            "perfect" (knows everything).
        kind, hidden: of a recurrent agent: its cell and units.
        window: steps of back-propagation. 64 hold the running trial of the IBL's task and some five before it, and one
            or two of tasks with long delays; a session's time grows with it.
        learning_rate: Adam's, of a recurrent agent; log-uniform.
        model_rate: of models: the rate of a weight, or of a value.
        hazard: responses a second before anything is learnt, the same for any dt; log-uniform.
        bias: log odds of the right before anything is learnt.
        discount: of a second.
        noise: added to observations, per step (recurrent); of the percept (detection).
        forgetting: share of what was learnt that is lost overnight.
        effort: what an action costs a recurrent agent, in units of reward.
        entropy: weight of the policy's entropy in its loss.
    """

    learner: Literal["recurrent", "logistic", "detection", "perfect"] = "recurrent"
    kind: Literal["leaky", "gru", "lstm"] = "gru"
    hidden: Count = 32
    window: Count = 64
    learning_rate: Trait = _between(1.2e-5, 3e-4, "log-uniform")
    model_rate: Trait = _between(0.01, 0.15, "log-uniform")
    hazard: Trait = _between(0.2, 2.0, "log-uniform")
    bias: Trait = _between(-1, 1)
    discount: Trait = _between(0.6, 0.95)
    noise: Trait = _between(0.0, 0.1)
    forgetting: Trait = _between(0.0, 0.02)
    effort: Trait = _between(0.02, 0.1)
    entropy: NotNegative = 0.003

    def traits(self, seed: int, subjects: np.ndarray) -> dict[str, np.ndarray]:
        """What each subject is born with: float64 `[subjects]` by trait.

        Args:
            seed: of the population.
            subjects: their numbers.
        """
        words = key_words(jax.random.key(seed))
        out = {}
        for name in (*TRAITS, "model_rate", "effort"):
            draw = jax.vmap(lambda lane, name=name: Chance(words, lane).at(f"trait/{name}").uniform())
            out[name] = getattr(self, name).at(np.asarray(draw(np.asarray(subjects, np.uint32)), np.float64))
        return out

    def players(self, task: Task, seed: int, subjects: np.ndarray, choices: tuple[int, int]) -> Player:
        """The individuals as one pytree `[subjects, ...]`.

        Args:
            task: the tasks that they are for, or one with their channels and actions.
            seed, subjects: as for `traits`.
            choices: the actions left and right.
        """
        dt, count = float(task.dt), len(subjects)
        traits = self.traits(seed, subjects)
        if self.learner == "perfect":
            # a pytree without leaves cannot be mapped over: its subjects differ by their chance alone
            return Player(choices=choices, dt=dt)
        each = lambda i, *names: {name: float(traits[name][i]) for name in names}
        if self.learner == "recurrent":
            born = [
                make_recurrent(
                    task,
                    jax.random.key(int(seed) * 100_003 + int(number)),
                    kind=self.kind,
                    hidden=self.hidden,
                    window=self.window,
                    choices=choices,
                    entropy=self.entropy,
                    **each(i, "hazard", "bias", "learning_rate", "discount", "noise", "forgetting", "effort"),
                )
                for i, number in enumerate(subjects)
            ]
        else:
            born = [
                ModelPlayer(
                    choices=choices, dt=dt, model=self._model(traits, i), hazard=np.float32(traits["hazard"][i])
                )
                for i in range(count)
            ]
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *born)

    def _model(self, traits: dict[str, np.ndarray], i: int) -> Any:
        rate, bias = float(traits["model_rate"][i]), float(traits["bias"][i])
        forgetting = float(traits["forgetting"][i])
        if self.learner == "logistic":
            # all that it knows at first is its side
            return LogisticLearner.create(
                4, weights=[bias, 0.0, 0.0, 0.0], rate=[rate / 4, rate, rate / 4, rate / 4], forgetting=forgetting,
                baseline=0.5,
            )  # fmt: skip
        # a temperature of .1 turns values of 1 into nearly sure choices; at first they are near 0
        left, right = max(-bias, 0) * 0.1, max(bias, 0) * 0.1
        return DetectionLearner.create(
            sigma=0.05 + float(traits["noise"][i]), rate=rate, value_left=left, value_right=right, forgetting=forgetting
        )
