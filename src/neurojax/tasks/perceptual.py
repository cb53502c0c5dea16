"""Perceptual decisions: evidence accumulated over time."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.tasks.rules import fixate_then_choose, random_choice, ring


class PerceptualDecisionMaking(Task):
    """Random-dot motion: which of several directions does the noisy motion favour?

    Fixation is on at first. During the stimulus each location of the ring shows evidence that is highest at the
    motion's direction, by the coherence, under Gaussian noise drawn afresh each step. After an optional delay, the
    first choice in the decision period ends the trial.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: 0 fixates, 1 .. dim_ring choose a direction.
    Conditions: `ground_truth` (int, from 0), `coherence` (percent).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("PerceptualDecisionMaking-v0"), jax.random.key(0), 4, coherence=51.2)
        >>> batch.inputs.shape
        (4, 22, 3)
    """

    TIMING = {"fixation": 100, "stimulus": 2000, "delay": 0, "decision": 100}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Britten, Shadlen, Newsome & Movshon (1992). The analysis of visual motion: a comparison of neuronal and "
        "psychophysical performance. J. Neurosci. 12:4745",
        "10.1523/JNEUROSCI.12-12-04745.1992",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")

    coherences: Any = quantity(
        (0.0, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="motion coherences, each as likely",
    )  # fmt: skip
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation per step is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions, and of choices")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.dim_ring)

    def conditions(self, draw, memory):
        return {
            "ground_truth": draw.integer("ground_truth", self.dim_ring),
            "coherence": draw.choice("coherence", self.coherences),
        }

    def observe(self, trial, state, t):
        # A table, because a cosine would be taken again for every step, lane and channel.
        directions = ring(self.dim_ring)
        tuning = jnp.asarray(np.cos(directions - directions[:, None]))[trial["ground_truth"]]
        evidence = 0.5 + tuning * (trial["coherence"] / 200)
        return {
            "fixation": trial.during("fixation", t),
            "stimulus": jnp.where(trial.during("stimulus", t), evidence, 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.dim_ring,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        ideal = 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            ideal += p * np.mean([self.ideal_accuracy(c, steps * self.dt) for c in np.ravel(self.coherences)])
        return {"ideal": float(ideal), "blind": 1 / self.dim_ring, "random": random_choice(self, 1 / self.dim_ring)}

    def ideal_accuracy(self, coherence: float, stimulus: float) -> float:
        """Accuracy of the ideal observer at a coherence (percent) after `stimulus` ms.

        With two directions it is Phi((c/100) sqrt(T/2) / sigma). With more, evidence is a vector in the plane with
        unit noise and length d = (c/200) sqrt(n T / 2) / sigma, and correct within pi/n of its direction.
        """
        from scipy.special import ndtr

        n, sigma = self.dim_ring, float(self.sigma)
        if coherence == 0 or stimulus == 0:
            return 1 / n
        if sigma == 0:
            return 1.0
        if n == 2:
            return float(ndtr(coherence / 100 * math.sqrt(stimulus / 2) / sigma))
        d = coherence / 200 * math.sqrt(n * stimulus / 2) / sigma
        angles = np.linspace(-math.pi / n, math.pi / n, 2001)
        x = d * np.cos(angles)
        # exp(-d^2/2) exp(x^2/2) in one exponent: each alone overflows at high d
        density = (np.exp(-(d**2) / 2) + math.sqrt(2 * math.pi) * x * np.exp((x**2 - d**2) / 2) * ndtr(x)) / (
            2 * math.pi
        )
        return float(np.trapezoid(density, angles))
