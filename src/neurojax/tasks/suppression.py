"""Spatial suppression: larger and stronger motion is harder to see."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import quantity, time_step
from neurojax.core.spaces import Box, Channels
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Outcome, consequence

# How often people see the motion's direction, and the opposite one, after so many frames of 8.3 ms: the numbers of
# NeuroGym, which it joins by straight lines.
FRAME = 8.3
_FRAMES = (0, 6, 7, 8, 9, 12, 14, 17, 20, 27, 35, 36, 37)
_WEAK = (
    (0.249, 0.249, 0.25, 0.26, 0.2583, 0.325, 0.45, 0.575, 0.875, 0.933, 0.99, 0.99, 0.99),
    (0.249, 0.249, 0.25, 0.26, 0.2583, 0.267, 0.1417, 0.1167, 0.058, 0.016, 0.003, 0.003, 0.003),
)
_STRONG = (
    (0.249, 0.249, 0.249, 0.249, 0.249, 0.27, 0.32, 0.4583, 0.65, 0.85, 0.99, 0.99, 0.99),
    (0.249, 0.249, 0.249, 0.29, 0.31, 0.4, 0.475, 0.4167, 0.3083, 0.075, 0.04, 0.04, 0.03),
)
DIRECTIONS = ("left", "right", "up", "down")
_OPPOSITE = (1, 0, 3, 2)
# What each direction is to the one that is shown: 0 the same, 1 the opposite, 2 across.
_ROLES = np.asarray([[0 if i == d else 1 if i == _OPPOSITE[d] else 2 for i in range(4)] for d in range(4)], np.int32)

PAPER = Paper(
    "Tadin, Lappin, Gilroy & Blake (2003). Perceptual consequences of centre-surround antagonism in visual motion "
    "processing. Nature 424:312",
    "10.1038/nature01800",
)
DEVIATIONS = (
    Deviation(
        what="target",
        neurogym="probabilities, some of them below 0 (-.015): those of two directions sum to more than 1",
        here="nothing below 0, and divided by the sum",
        reason="a target must be an action",
        affects=("target",),
    ),
    Deviation(
        what="clock of the target",
        neurogym="reads one frame of 8.3 ms further each step, whatever dt",
        here="reads what was measured so many ms after the onset",
        reason="what people see depends on time, not on how finely it is simulated",
        affects=("target",),
    ),
    Deviation(
        what="score",
        neurogym="no reward; performance 0 always",
        here="each step earns a share of `correct`, by how much of the probability stated is where it belongs; "
        "performance is the mean of that",
        reason="the score must follow what is answered",
        affects=("reward", "performance"),
    ),
    Deviation(
        what="last step",
        neurogym="adds up dt, and where rounding puts the sum above the duration (at dt 8.3), ends a step early",
        here="36 steps of 8.3 ms",
        reason="a trial lasts what its periods last",
        affects=("new_trial",),
    ),
    Deviation(
        what="rewards['abort']",
        neurogym="accepted, without effect",
        here="there is none",
        reason="nothing can be aborted",
        kind="interface",
    ),
)


class FourDirections(Task):
    """What the two tasks of spatial suppression share: what people answer, when, and how answers are scored.

    An action holds the probabilities of left, right, up and down. They are divided by their sum; a step's score is
    the share of probability that lies where people's answers lie, sum(min(action, target)).
    """

    TIMING = {"stimulus": 300}
    REWARDS = {"correct": 1.0, "fail": 0.0}
    PAPER = PAPER
    TAGS = ("perceptual", "plaid", "motion", "center-surround")

    dt: float = time_step(8.3)
    contrasts: Any = quantity(
        (0.05, 0.99), above=0, high=1, many=True,
        doc="contrasts, each as likely; those above .5 are strong, which people see less quickly",
    )  # fmt: skip

    @property
    def actions(self) -> Box:
        return Box(names=DIRECTIONS, low=(0.0,) * 4, high=(1.0,) * 4)

    def conditions(self, draw, memory):
        return {
            "direction": draw.choice("direction", np.arange(1, 5, dtype=np.int32)),
            "contrast": draw.choice("contrast", self.contrasts),
        }

    def init_state(self, trial):
        return {"performance": np.float32(0)}

    def answers(self) -> np.ndarray:
        """float32 `[2, steps, 3]`: how often people say the direction, its opposite, and each of those across.

        For weak and strong motion, step by step until nothing changes any more.
        """
        frames = np.arange(math.ceil(_FRAMES[-1] * FRAME / self.dt) + 1) * (self.dt / FRAME)
        seen = np.stack([[np.interp(frames, _FRAMES, share) for share in shares] for shares in (_WEAK, _STRONG)])
        across = np.maximum(1 - seen.sum(1), 0) / 2
        parts = np.stack([seen[:, 0], seen[:, 1], across], -1)
        return (parts / (parts[..., :2].sum(-1) + 2 * across)[..., None]).astype(np.float32)

    def target(self, trial, state, t) -> jax.Array:
        answers = self.answers()
        now = jnp.minimum(t - trial.start["stimulus"], answers.shape[1] - 1)
        strong = (trial["contrast"] > 0.5).astype(jnp.int32)
        return jnp.asarray(answers)[strong, now][jnp.asarray(_ROLES)[trial["direction"] - 1]]

    def respond(self, trial, state, action, t, draw):
        correct, fail = self.rewards["correct"], self.rewards["fail"]
        target = self.target(trial, state, t)
        action = jnp.maximum(action, 0.0)
        shared = jnp.sum(jnp.minimum(action * (1 / jnp.maximum(jnp.sum(action), 1e-6)), target))
        share = 1 / jnp.maximum(trial.length, 1).astype(jnp.float32)
        performance = jnp.minimum(state["performance"] + shared * share, 1.0)
        likeliest = target[jnp.argmax(action)] >= jnp.max(target) - 1e-6
        return consequence(
            reward=(fail + (correct - fail) * shared) * share,
            end=trial.last(t),
            outcome=jnp.where(likeliest, int(Outcome.CORRECT), int(Outcome.ERROR)),
            performance=performance,
            state={"performance": performance},
        )

    def references(self):
        # By symmetry the best answer that ignores the stimulus is a quarter for each. Random actions: each component
        # of an action has the same distribution, so its mean overlap with a probability p is a function of p.
        rng = np.random.default_rng(0)
        actions = rng.random((20000, 4))
        component = actions[:, 0] / actions.sum(1)
        answers = self.answers().astype(np.float64)[..., [0, 1, 2, 2]]
        overlap = np.mean(np.minimum(component[:, None], answers.reshape(1, -1)), 0).reshape(answers.shape)
        return {
            "clairvoyant": 1.0,
            "ideal": self.mean_score(self.ideal_scores()),
            "blind": self.mean_score(np.minimum(answers, 0.25).sum(-1)),
            "random": self.mean_score(overlap.sum(-1)),
        }

    def ideal_scores(self) -> np.ndarray:
        """float64 `[2, steps]`: the ideal observer's score at each step, for weak and strong motion."""
        return np.ones(self.answers().shape[:2])

    def mean_score(self, score) -> float:
        """The mean over trials of a score `[2, steps]` of each step, for weak and strong motion."""
        strong = [int(c > 0.5) for c in np.ravel(self.contrasts)]
        of_step = np.asarray(score)[strong].mean(0)
        total = 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            total += p * np.mean(of_step[np.minimum(np.arange(max(steps, 1)), len(of_step) - 1)])
        return float(total)


class SpatialSuppressMotion(FourDirections):
    """Spatial suppression, as the activity of neurons: in which of four directions does it move, as people see it?

    Four pools of eight neurons prefer left, right, up and down. Weak motion is small and drives one neuron of each
    pool, strong motion is large and drives all eight, all the time, by contrast and direction. At each step the
    answer that is asked for is how people's answers are spread over the four directions had the stimulus ended then:
    evenly at first; for weak motion more and more in its direction, for strong motion in the opposite one before that.

    Channels: `stimulus` `[32]`, a pool of eight after the other. Actions: continuous `[4]`, probabilities of left,
    right, up and down, divided by their sum. A step's score is the share of probability that lies where people's
    answers lie, sum(min(action, target)); performance is its mean.
    Conditions: `direction` (1 left, 2 right, 3 up, 4 down), `contrast` (strong above .5).
    A trial is called correct where the likeliest direction at the end is one that people see most often.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("SpatialSuppressMotion-v0"), jax.random.key(0), 4)
        >>> batch.targets.shape
        (4, 36, 4)
    """

    SIZES = 8  # neurons of each pool
    DEVIATIONS = DEVIATIONS

    @property
    def channels(self) -> Channels:
        return Channels.named(stimulus=len(DIRECTIONS) * self.SIZES)

    def observe(self, trial, state, t):
        # the preferred direction, those across, and the opposite one
        tuning = jnp.asarray(np.asarray([1.0, 0.0, 0.5], np.float32)[_ROLES])[trial["direction"] - 1]
        diameter = jnp.where(trial["contrast"] > 0.5, self.SIZES, 1)
        driven = np.arange(self.SIZES, dtype=np.int32) < diameter
        active = tuning[:, None] * trial["contrast"] * driven[None].astype(jnp.float32)
        return {"stimulus": jnp.where(trial.during("stimulus", t), active.reshape(-1), 0.0)}
