"""Environments that change without a sign: the right answer depends on a hidden context."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.tasks.rules import abortable, fixate_then_choose, random_choice


class ChangingEnvironment(Task):
    """Changing environment: judge a motion, and answer with the pair of targets that holds for now.

    Fixation is on at first. During the stimulus two channels show the evidence for left and right, by the coherence,
    under Gaussian noise. There are two pairs of targets, left and right each; which pair is rewarded is the context,
    which may change at each trial and is not shown, unless `cxt_cue`. An error can therefore mean a wrong judgement or
    a changed context. The first choice in the decision period ends the trial.

    In the paper a context lasts 2 to 15 trials (a truncated geometric law); here, as in NeuroGym, it may change before
    any trial.

    Channels: `fixation`, `stimulus` `[2]`; with `cxt_cue`, `context` (0 or 1) before them.
    Actions: 0 fixates, 1 and 2 choose left and right in context 0, 3 and 4 in context 1.
    Conditions: `context` (0 or 1), `side` (1 left, 2 right), `coherence` (percent);
    `ground_truth` (the action) follows.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("ChangingEnvironment-v0")
        >>> nj.render(task, jax.random.key(0), 2, side=1, context=[0, 1]).conditions["ground_truth"].tolist()
        [1, 3]
    """

    TIMING = {"fixation": 500, "stimulus": ("truncated_exponential", (1000, 500, 1500)), "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Purcell & Kiani (2016). Hierarchical decision processes that operate over distinct timescales underlie "
        "choice and changes in strategy. PNAS 113:E4531",
        "10.1073/pnas.1524685113",
    )
    TAGS = ("perceptual", "two-alternative", "supervised", "context dependent")
    PROBES = ({"strict_fixation": False},)  # under strict fixation, `abort` has nothing left to say
    DEVIATIONS = (
        Deviation(
            what="stimulus with cxt_cue",
            neurogym="shows the evidence for left in the fixation channel, and that for right in the channel of left",
            here="shows both in their own channels",
            reason="the right channel showed the weaker evidence whatever the side was",
            affects=("observation",),
        ),
        Deviation(
            what="context cue with cxt_cue",
            neurogym="is off in the fixation period",
            here="is on in the whole trial",
            reason="a cue of the trial's context, as documented; the fixation cue was meant to be added to it",
            affects=("observation",),
        ),
    )

    coherences: Any = quantity(
        (0.0, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="motion coherences before scaling, each as likely",
    )  # fmt: skip
    stim_scale: Any = quantity(1.0, low=0, doc="factor of the coherences")
    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    cxt_ch_prob: Any = quantity(0.001, low=0, high=1, doc="probability that the context changes before a trial")
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    cxt_cue: bool = structure(False, choices=(True, False), doc="whether the context is shown")

    @property
    def channels(self) -> Channels:
        cue = (("context", 1),) if self.cxt_cue else ()
        return Channels((*cue, ("fixation", 1), ("stimulus", 2)))

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=4)

    def init_memory(self, draw):
        return {"context": draw.integer("context", 2)}

    def next_memory(self, memory, trial, result, draw):
        return {"context": memory["context"] ^ draw.flip("change", self.cxt_ch_prob).astype(jnp.int32)}

    def conditions(self, draw, memory):
        context = draw.remembered("context", memory["context"], 2)
        side = draw.choice("side", np.asarray([1, 2], np.int32))
        return {
            "context": context,
            "side": side,
            "coherence": draw.choice("coherence", jnp.asarray(self.coherences) * self.stim_scale),
            "ground_truth": side + 2 * context,
        }

    def observe(self, trial, state, t):
        sign = jnp.where(jnp.arange(1, 3, dtype=jnp.int32) == trial["side"], 1.0, -1.0)
        evidence = 0.5 + sign * (trial["coherence"] / 200)
        shown = {
            "fixation": trial.during("fixation", t),
            "stimulus": jnp.where(trial.during("stimulus", t), evidence, 0.0),
        }
        return {"context": trial["context"], **shown} if self.cxt_cue else shown

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (2,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == trial["ground_truth"])

    def references(self):
        """Over a long session, for an observer who infers the context from its rewards, if it is not shown."""
        told = self.rewards["correct"] != self.rewards["fail"]
        numbers = {"random": random_choice(self, 0.25)}
        if self.cxt_cue:
            return {**numbers, "ideal": float(np.mean(self.confidences())), "blind": 0.5}
        if not told:
            return {**numbers, "ideal": float(np.mean(self.confidences())) / 2, "blind": 0.25}
        return {**numbers, "ideal": self.follow_context(self.confidences()), "blind": self.follow_context(0.5)}

    def confidences(self, count: int = 20001) -> np.ndarray:
        """With which probability the ideal observer judges the side rightly, by trial: evenly spaced quantiles.

        The summed difference of the channels, over its standard deviation, is a normal number with mean plus or minus
        m, m = (c/100) sqrt(T/2) / sigma; the confidence is the posterior of the likelier sign, c being unknown.
        """
        from scipy.special import logsumexp, ndtri

        coherences = np.ravel(self.coherences).astype(float) * float(self.stim_scale)
        sigma = max(float(self.sigma), 1e-6)
        laws = step_probabilities(self.timing["stimulus"], self.dt)
        out = []
        for steps, p in laws.items():
            m = np.minimum(coherences / 100 * math.sqrt(steps * self.dt / 2) / sigma, 1e3)
            each = max(round(count * p / len(m)), 1)
            z = ndtri((np.arange(each) + 0.5) / each)
            x = (m[:, None] + z).ravel()[:, None]
            gap = logsumexp(m * x - m**2 / 2, axis=1) - logsumexp(-m * x - m**2 / 2, axis=1)
            out.append(1 / (1 + np.exp(-np.abs(gap))))
        return np.concatenate(out)

    def follow_context(self, confidences, sessions: int = 400, trials: int = 4000) -> float:
        """Mean performance of an observer who infers the context from its own rewards.

        It judges the side with a confidence that is one of `confidences`, and chooses in the likelier context. Success
        tells it the context; failure tells it the less, the less it was confident. Simulated with a fixed seed; a
        reward is counted by its probability, which is less noisy.
        """
        rng, hazard = np.random.default_rng(0), float(self.cxt_ch_prob)
        confidences = np.atleast_1d(np.asarray(confidences, float))
        belief = np.full(sessions, 0.5)  # that context 1 holds
        context = rng.integers(2, size=sessions)
        earned = 0.0
        for _ in range(trials):
            chosen = belief > 0.5
            q = confidences[rng.integers(len(confidences), size=sessions)]
            trust = np.where(chosen, belief, 1 - belief)
            earned += float(np.sum(q * (chosen == context)))
            success = (chosen == context) & (rng.random(sessions) < q)
            trust = np.where(success, 1.0, trust * (1 - q) / np.maximum(1 - q * trust, 1e-12))
            belief = np.where(chosen, trust, 1 - trust)
            belief = belief * (1 - hazard) + (1 - belief) * hazard
            context = np.where(rng.random(sessions) < hazard, 1 - context, context)
        return earned / (sessions * trials)


class ContextSwitch(Task):
    """Context switch: one of two cues is on, and which action it asks for depends on a hidden context.

    Each trial shows a cue; the action at the cue's last step is the choice, and the next trial follows. With the
    default timing a trial is one step. In context 0 the first cue asks for the first action and the second cue for
    the second; in context 1 it is the other way round. The context may switch before each trial, and only the
    rewards tell.

    Channels: `cue` `[2]`. Actions: 0 and 1. Conditions: `context`, `cue` (0 or 1 each); `ground_truth` follows.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> nj.render(nj.make("ContextSwitch-v0"), jax.random.key(0), 2, cue=1, context=[0, 1]).targets.tolist()
        [[1], [0]]
    """

    TIMING = {"cue": 100}
    REWARDS = {"correct": 1.0, "fail": 0.0}
    PAPER = None  # NeuroGym names none
    TAGS = ("two-alternative", "supervised", "context dependent")
    DEVIATIONS = (
        Deviation(
            what="step",
            neurogym="cannot be called: the class has no `step` and no generator of random numbers",
            here="the action at the cue's last step is the choice, scored by the context that held for its cue",
            reason="NeuroGym's version crashes",
        ),
        Deviation(
            what="first trial",
            neurogym="a session begins with cue 0 in context 0",
            here="it begins with either",
            reason="independent trials must show both",
            affects=("conditions",),
        ),
    )

    p_switch: Any = quantity(0.1, low=0, high=1, doc="probability that the context switches before a trial")

    @property
    def channels(self) -> Channels:
        return Channels.named(cue=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(choice=2)

    def init_memory(self, draw):
        return {"context": draw.integer("context", 2)}

    def next_memory(self, memory, trial, result, draw):
        return {"context": memory["context"] ^ draw.flip("switch", self.p_switch).astype(jnp.int32)}

    def conditions(self, draw, memory):
        context, cue = draw.remembered("context", memory["context"], 2), draw.integer("cue", 2)
        return {"context": context, "cue": cue, "ground_truth": cue ^ context}

    def observe(self, trial, state, t):
        return {"cue": trial.during("cue", t) & (jnp.arange(2, dtype=jnp.int32) == trial["cue"])}

    def target(self, trial, state, t):
        return trial["ground_truth"]

    def weight(self, trial, state, t):
        return trial.last(t)

    def respond(self, trial, state, action, t, draw):
        decides, correct = trial.last(t), action == trial["ground_truth"]
        reward = jnp.where(correct, self.rewards["correct"], self.rewards["fail"])
        return abortable(jnp.where(decides, reward, 0.0), decides, False, correct)

    def references(self):
        """Over a long session: success and failure both tell which context held, and it switches with `p_switch`."""
        told = bool(self.rewards["correct"] != self.rewards["fail"])
        p = float(self.p_switch)
        return {"clairvoyant": 1.0, "ideal": max(p, 1 - p) if told else 0.5, "blind": 0.5, "random": 0.5}
