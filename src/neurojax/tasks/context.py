"""Two streams of evidence: one to be ignored, or both to be joined."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.tasks.observers import best_guess
from neurojax.tasks.rules import fixate_then_choose, random_choice, ring

_FAIL = Deviation(
    what="rewards",
    neurogym="has no name for the reward of an error, which is 0",
    here="calls it `fail`",
    reason="the same names in all tasks",
    kind="interface",
)


class ContextDecisionMaking(Task):
    """Context-dependent decision: two modalities are shown at once, and the context says which one counts.

    Fixation is on until the decision, and its end is the go cue. During the stimulus each modality shows, on a ring of
    its own, evidence for a direction, by its own coherence, under Gaussian noise. After a delay of variable length the
    direction in the relevant modality is to be chosen; the first choice in the decision period ends the trial. An
    explicit context is drawn for each trial and shown throughout; an implicit one is always `impl_context_modality`,
    and has to be learned.

    Channels: `fixation`, `stimulus_mod1` and `stimulus_mod2` `[dim_ring]`, and where it is explicit `context` `[2]`.
    Actions: 0 fixates, 1 .. dim_ring choose a direction.
    Conditions: `ground_truth` and `other_choice` (from 1: the directions in the relevant and in the other modality),
    `context` (0: modality 1 counts, 1: modality 2), `coherence_1`, `coherence_2` (percent, of each modality).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("ContextDecisionMaking-v0", preset="paper", timing={"delay": 300})
        >>> nj.render(task, jax.random.key(0), 4, context=1).inputs[:, 0, 5:].tolist()
        [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    """

    TIMING = {
        "fixation": 300,
        "stimulus": 750,
        "delay": ("truncated_exponential", (600, 300, 3000)),
        "decision": 100,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"use_expl_context": True, "strict_fixation": True}}
    PAPER = Paper(
        "Mante, Sussillo, Shenoy & Newsome (2013). Context-dependent computation by recurrent dynamics in prefrontal "
        "cortex. Nature 503:78",
        "10.1038/nature12742",
    )
    TAGS = ("perceptual", "context dependent", "two-alternative", "supervised")
    UNITS = {"coherence_1": "percent", "coherence_2": "percent"}
    DEVIATIONS = (
        Deviation(
            what="go cue",
            neurogym="shows fixation in the fixation period alone, so that nothing tells when the delay is over",
            here="fixation stays on until the decision",
            reason="a delay of variable length cannot be timed: when to respond was no function of what was shown",
            affects=("observation",),
        ),
        _FAIL,
    )

    coherences: Any = quantity(
        (5.0, 15.0, 50.0), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="coherences of each modality, each as likely",
    )  # fmt: skip
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation per step is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    use_expl_context: bool = structure(
        False, choices=(False, True), doc="whether the context is drawn for each trial and shown"
    )
    impl_context_modality: int = structure(
        0, choices=(0, 1), doc="the modality that counts where the context is not shown"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions, and of choices")

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    @property
    def channels(self) -> Channels:
        shown = {"context": 2} if self.use_expl_context else {}
        return Channels.named(fixation=1, stimulus_mod1=self.dim_ring, stimulus_mod2=self.dim_ring, **shown)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.dim_ring)

    def conditions(self, draw, memory):
        choices = np.arange(1, self.dim_ring + 1, dtype=np.int32)
        fixed = lambda: draw.remembered("context", np.int32(self.impl_context_modality), 2)
        return {
            "ground_truth": draw.choice("ground_truth", choices),
            "other_choice": draw.choice("other_choice", choices),
            "context": draw.integer("context", 2) if self.use_expl_context else fixed(),
            "coherence_1": draw.choice("coherence_1", self.coherences),
            "coherence_2": draw.choice("coherence_2", self.coherences),
        }

    def observe(self, trial, state, t):
        shown = (trial["ground_truth"] - 1, trial["other_choice"] - 1)
        first = trial["context"] == 0
        one, two = jnp.where(first, shown[0], shown[1]), jnp.where(first, shown[1], shown[0])
        on = trial.during("stimulus", t)
        out = {
            "fixation": ~trial.during("decision", t),
            "stimulus_mod1": _ring_evidence(self.dim_ring, one, trial["coherence_1"], on),
            "stimulus_mod2": _ring_evidence(self.dim_ring, two, trial["coherence_2"], on),
        }
        if self.use_expl_context:
            out["context"] = jnp.arange(2, dtype=jnp.int32) == trial["context"]
        return out

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        noise = scale * draw.normal("stimulus", (2, self.dim_ring))
        return {"stimulus_mod1": noise[0], "stimulus_mod2": noise[1]}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == trial["ground_truth"])

    def references(self):
        # The modality that counts is known; the other one tells nothing.
        n, ideal = self.dim_ring, 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            ideal += p * best_guess(n, self.coherences, steps * self.dt, float(self.sigma))
        return {"ideal": float(ideal), "blind": 1 / n, "random": random_choice(self, 1 / n)}


class MultiSensoryIntegration(Task):
    """Multisensory integration: two modalities show the same direction, each with a share of its strength.

    Fixation is on until the decision. During the stimulus both modalities show evidence for one direction on rings of
    their own: a random share of the coherence in the first, the rest in the second. All channels, fixation too, are
    under Gaussian noise then. The first choice in the decision period ends the trial.

    Channels: `fixation`, `stimulus_mod1` and `stimulus_mod2` `[dim_ring]`.
    Actions: 0 fixates, 1 .. dim_ring choose a direction.
    Conditions: `ground_truth` (from 0), `coherence` (percent, of both together), `coh_prop` (share of modality 1).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("MultiSensoryIntegration-v0", sigma=0)
        >>> batch = nj.render(task, jax.random.key(0), 1, coherence=50, coh_prop=0.2, ground_truth=0)
        >>> [round(float(x), 2) for x in batch.inputs[0, 5]]
        [1.0, 0.55, 0.45, 0.7, 0.3]
    """

    TIMING = {"fixation": 300, "stimulus": 750, "decision": 100}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    TAGS = ("perceptual", "two-alternative", "supervised")
    DEVIATIONS = (_FAIL,)

    coherences: Any = quantity(
        (5.0, 15.0, 50.0), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="coherences of both modalities together, each as likely",
    )  # fmt: skip
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation per step is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="neurojax", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions, and of choices")

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus_mod1=self.dim_ring, stimulus_mod2=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.dim_ring)

    def conditions(self, draw, memory):
        return {
            "ground_truth": draw.integer("ground_truth", self.dim_ring),
            "coherence": draw.choice("coherence", self.coherences),
            "coh_prop": draw.uniform("coh_prop"),
        }

    def observe(self, trial, state, t):
        first = trial["coherence"] * trial["coh_prop"]
        on = trial.during("stimulus", t)
        return {
            "fixation": ~trial.during("decision", t),
            "stimulus_mod1": _ring_evidence(self.dim_ring, trial["ground_truth"], first, on),
            "stimulus_mod2": _ring_evidence(self.dim_ring, trial["ground_truth"], trial["coherence"] - first, on),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        noise = scale * draw.normal("all", (self.channels.size,))
        return self.channels.split(noise)

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        n, ideal = self.dim_ring, 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            ideal += p * self.ideal_accuracy(steps * self.dt)
        return {"ideal": float(ideal), "blind": 1 / n, "random": random_choice(self, 1 / n)}

    def ideal_accuracy(self, stimulus: float, trials: int = 10000) -> float:
        """Accuracy of the ideal observer after `stimulus` ms.

        Neither modality is the better one on average, so with two directions it adds them up with equal weights. The
        sum holds the whole coherence under twice the variance: Phi((c/100) sqrt(T) / (2 sigma)), whatever the share.
        With more directions a split of the evidence that could not be tells more than the sum: the posterior is
        averaged over shares and coherences, and simulated with a fixed seed.
        """
        from scipy.special import logsumexp

        n, sigma = self.dim_ring, float(self.sigma)
        coherences = np.ravel(self.coherences).astype(np.float64)
        if n == 2 or stimulus == 0 or sigma == 0:
            return best_guess(n, coherences, stimulus / 2, sigma)
        rng = np.random.default_rng(0)
        theta = ring(n).astype(np.float64)
        tuning = np.cos(theta - theta[:, None]) * math.sqrt(stimulus) / sigma / 200  # [direction, channel]
        truth = tuning[rng.integers(n, size=trials)]
        shares, c = rng.random(trials), rng.choice(coherences, trials)
        seen = lambda share: truth * (c * share)[:, None] + rng.standard_normal(truth.shape)
        overlap = [seen(share) @ tuning.T for share in (shares, 1 - shares)]
        power = (tuning**2).sum(axis=1)
        grid = (np.arange(24) + 0.5) / 24
        a, b = (np.outer(coherences, x).ravel()[:, None, None] for x in (grid, 1 - grid))
        likelihood = logsumexp(
            a * overlap[0] + b * overlap[1] - power * (a**2 + b**2) / 2, axis=0
        )  # [trial, direction]
        posterior = np.exp(likelihood - logsumexp(likelihood, axis=1, keepdims=True))
        return float(posterior.max(axis=1).mean())


def _ring_evidence(size: int, direction, coherence, on):
    """Evidence for a direction `[size]`, .5 on average, where it is shown."""
    directions = ring(size)
    # A table, because a cosine would be taken again for every step, lane and channel.
    tuning = jnp.asarray(np.cos(directions - directions[:, None]))[direction]
    return jnp.where(on, 0.5 + tuning * (coherence / 200), 0.0)
