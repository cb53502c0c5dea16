"""Delayed matching: is the second stimulus the same as the first?"""

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


class DelayMatchSample(Task):
    """Delayed match-to-sample: remember a direction over a delay, then say whether the test shows it again.

    Fixation is on until the decision. The ring shows the sample, nothing during the delay, then the test: the same
    direction (match) or the opposite one (non-match), both under Gaussian noise. The first choice in the decision
    period ends the trial.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: 0 fixates, 1 says match, 2 says non-match.
    Conditions: `ground_truth` (1 match, 2 non-match), `sample_theta` (radians); `test_theta` follows from them.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("DelayMatchSample-v0", timing={"delay": (500, 1000)})
        >>> nj.render(task, jax.random.key(0), 4).periods.shape
        (4, 5, 2)
    """

    TIMING = {"fixation": 300, "sample": 500, "delay": 1000, "test": 500, "decision": 900}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Miller, Erickson & Desimone (1996). Neural mechanisms of visual working memory in prefrontal cortex of the "
        "macaque. J. Neurosci. 16:5154",
        "10.1523/JNEUROSCI.16-16-05154.1996",
    )
    TAGS = ("perceptual", "working memory", "two-alternative", "supervised")

    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    abort: Any = flag(False, source="neurojax", doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions on the ring")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete((("fixation", 1), ("match", 1), ("non-match", 1)))

    def conditions(self, draw, memory):
        ground_truth = draw.choice("ground_truth", np.asarray([1, 2], np.int32))
        sample = draw.choice("sample_theta", ring(self.dim_ring))
        opposite = jnp.mod(sample + np.float32(math.pi), np.float32(2 * math.pi))
        return {
            "ground_truth": ground_truth,
            "sample_theta": sample,
            "test_theta": jnp.where(ground_truth == 1, sample, opposite),
        }

    def _shows(self, trial, t):
        return trial.during("sample", t) | trial.during("test", t)

    def observe(self, trial, state, t):
        theta = jnp.where(trial.during("sample", t), trial["sample_theta"], trial["test_theta"])
        stimulus = 0.5 + 0.5 * jnp.cos(ring(self.dim_ring) - theta)
        return {
            "fixation": ~trial.during("decision", t),
            "stimulus": jnp.where(self._shows(trial, t), stimulus, 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(self._shows(trial, t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.dim_ring,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == trial["ground_truth"])

    def references(self):
        ideal = 0.0
        for sample, p in step_probabilities(self.timing["sample"], self.dt).items():
            for test, q in step_probabilities(self.timing["test"], self.dt).items():
                ideal += p * q * self.ideal_accuracy(sample * self.dt, test * self.dt)
        return {"ideal": ideal, "blind": 0.5, "random": random_choice(self, 0.5)}

    def ideal_accuracy(self, sample: float, test: float, trials: int = 20000) -> float:
        """Accuracy of the ideal observer after `sample` and `test` ms.

        With two directions each stimulus is told from the other with Phi(sqrt(T/2) / sigma), and the answer is right
        where both or neither are; with more, the posterior is simulated, with a fixed seed.
        """
        from scipy.special import logsumexp, ndtr

        sigma = float(self.sigma)
        if sigma == 0:
            return 1.0
        if self.dim_ring == 2:
            p, q = (float(ndtr(math.sqrt(ms / 2) / sigma)) for ms in (sample, test))
            return p * q + (1 - p) * (1 - q)
        rng = np.random.default_rng(0)
        theta = ring(self.dim_ring).astype(np.float64)
        shown = 0.5 + 0.5 * np.cos(theta[None] - theta[:, None])  # [direction, channel]
        opposite = 0.5 + 0.5 * np.cos(theta[None] - theta[:, None] - math.pi)
        match = rng.random(trials) < 0.5
        which = rng.integers(self.dim_ring, size=trials)

        def likelihood(means, ms):  # log likelihood of each of some templates, given what was seen
            seen = means + rng.standard_normal(means.shape) * sigma / math.sqrt(ms)
            return lambda templates: -((seen[:, None] - templates[None]) ** 2).sum(-1) * ms / (2 * sigma**2)

        first = likelihood(shown[which], sample)(shown)
        second = likelihood(np.where(match[:, None], shown[which], opposite[which]), test)
        says_match = logsumexp(first + second(shown), axis=1) > logsumexp(first + second(opposite), axis=1)
        return float(np.mean(says_match == match))
