"""Structural priors: serial correlations between trials, among a number of alternatives that varies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.registry import Variant
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument, unknown
from neurojax.tasks.rules import fixate_then_choose, random_choice

REPEATING, CLOCKWISE, ANTICLOCKWISE = range(3)


class StructuralPriors(Task):
    """Serial correlations: one of N stimuli is the strongest, and the one before tells which it is likely to be.

    Fixation is on at first. During the stimulus, N channels show evidence, one of them more than the others by the
    coherence, under Gaussian noise. The first choice in the decision period ends the trial.

    The correct choice follows from the one of the trial before with probability `probs`, by the context: the same
    again (repeating), the next (clockwise) or the one before (anticlockwise), around the N alternatives; else it is
    any of the others. With two alternatives, the contexts are repeating and alternating. A context holds for
    `ctx_dur` trials, and ends before each trial with probability `ctx_ch_prob`; then one of all contexts is drawn,
    also the same again. The number of alternatives is drawn every `block_nch` trials, from 2 to `n_ch`, and begins
    with a new context. Coherences grow with the number of alternatives, so that all numbers are as hard.

    The last action and the last reward, also those of the trial before, are shown with `pass_action` and
    `pass_reward`: what is seen then depends on the subject's actions.

    Channels: `fixation`, `stimulus` `[n_ch]`; then, where they are asked for, `alternatives` (their number),
    `context` (its number, from 1), `action` (the last one, as its number) and `reward` (the last one).
    Actions: 0 fixates, 1 .. n_ch choose.
    Conditions: `n_alternatives`, `context` (0 repeating, 1 clockwise, 2 anticlockwise), `previous` and
    `ground_truth` (the correct choice of the last and of this trial, from 0), `coherence` (percent, scaled),
    `last_action`, `last_reward`.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("priors.priors-v0", probs=1.0)
        >>> batch = nj.render(task, jax.random.key(0), 3, n_alternatives=3, context=[0, 1, 2], previous=1)
        >>> batch.conditions["ground_truth"].tolist()
        [1, 2, 0]
    """

    TIMING = {"fixation": 500, "stimulus": ("truncated_exponential", (330, 100, 1500)), "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {
        "paper": {
            "n_ch": 16,
            "stim_scale": 0.5,
            "ctx_dur": 0,
            "ctx_ch_prob": 0.0125,
            "block_nch": 5000,
            "prob_12": 0.01,
            "zero_irrelevant_stim": True,
            "rewards": {"abort": 0.0},
            "timing": {
                "fixation": 100,
                "stimulus": ("truncated_exponential", (150, 100, 300)),
                "decision": 100,
            },
        }
    }
    PAPER = Paper(
        "Molano-Mazon, Shao, Duque, Yang, Ostojic & de la Rocha (2023). Recurrent networks endowed with structural "
        "priors explain suboptimal animal behavior. Curr. Biol. 33:622",
        "10.1016/j.cub.2022.12.044",
    )
    TAGS = ("perceptual", "n-alternative", "supervised")
    DEVIATIONS = (
        Deviation(
            what="the collection",
            neurogym="asks for a task and two wrappers that it no longer holds",
            here="holds to the paper's own versions of them",
            reason="NeuroGym's version crashes",
        ),
        Deviation(
            what="contexts",
            neurogym="three contexts, in each of which every choice has a successor that was drawn at random",
            here="repeating, clockwise and anticlockwise, as in the paper",
            reason="drawn successors favour some choices, which can be exploited without remembering the last trial",
            affects=("conditions",),
        ),
        Deviation(
            what="probs",
            neurogym="the likeliest next choice follows with probability .9",
            here="with probability .8, as in the paper",
            reason="at .9 one who ignores the stimulus, but remembers, comes within .1 of the ideal observer",
            affects=("conditions",),
        ),
        Deviation(
            what="shortest stimulus",
            neurogym="80 ms, which is no step at the default dt of 100 ms",
            here="100 ms",
            reason="a stimulus of no step shows nothing",
            affects=("conditions",),
        ),
        Deviation(
            what="prob_12",
            neurogym="none, which makes all numbers of alternatives as likely",
            here=".5, which is the same with the default of three choices at most",
            reason="one parameter says both",
            kind="interface",
        ),
    )

    coherences: Any = quantity(
        (0.0, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="coherences before scaling, each as likely",
    )  # fmt: skip
    stim_scale: Any = quantity(1.0, low=0, doc="factor of the coherences")
    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    probs: Any = quantity(0.8, low=0, high=1, source="repaired", doc="probability of the likeliest next choice")
    ctx_dur: Any = quantity(200, units="trials", low=0, doc="length of a context; 0: no fixed length")
    ctx_ch_prob: Any = quantity(0.0, low=0, high=1, doc="probability that a context ends before a trial")
    block_nch: Any = quantity(100, units="trials", low=1, doc="trials with the same number of alternatives")
    prob_12: Any = quantity(
        0.5, low=0, high=1, doc="probability of two alternatives; greater numbers are as likely as each other"
    )
    zero_irrelevant_stim: Any = flag(
        False, doc="whether the channels of choices that are none now show nothing; else they look like wrong ones"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="neurojax", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    n_ch: int = structure(3, low=2, aliases=("n_max",), doc="the greatest number of alternatives")
    ob_nch: bool = structure(False, choices=(True, False), doc="whether the number of alternatives is shown")
    ob_histblock: bool = structure(False, choices=(True, False), doc="whether the context is shown")
    pass_action: bool = structure(True, choices=(True, False), doc="whether the last action is shown")
    pass_reward: bool = structure(True, choices=(True, False), doc="whether the last reward is shown")

    def validate(self) -> None:
        for name in ("ctx_dur", "block_nch"):
            if float(getattr(self, name)) % 1:
                raise InvalidArgument(f"{name} must be a whole number of trials, got {float(getattr(self, name)):g}")

    @property
    def channels(self) -> Channels:
        shown = {
            "alternatives": self.ob_nch,
            "context": self.ob_histblock,
            "action": self.pass_action,
            "reward": self.pass_reward,
        }
        return Channels.named(fixation=1, stimulus=self.n_ch, **{name: 1 for name, asked in shown.items() if asked})

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.n_ch)

    @property
    def closed_loop(self) -> bool:
        return self.pass_action or self.pass_reward

    # ------------------------------------------------------------------ across trials

    def init_memory(self, draw):
        return {**self._block(draw.uniform("block", shape=(3,))), "action": jnp.int32(0), "reward": jnp.float32(0)}

    def _block(self, u):
        """A block with a new number of alternatives, from uniform numbers `[3]`."""
        two, more = self.prob_12 if self.n_ch > 2 else np.float32(1), np.float32(max(self.n_ch - 2, 1))
        # A uniform number, once it is known to lie above `two`, tells which of the others it is.
        rank = jnp.floor((u[0] - two) / jnp.maximum(1 - two, 1e-6) * more).astype(jnp.int32)
        n = jnp.where(u[0] < two, 2, jnp.clip(3 + rank, 2, self.n_ch))
        return {
            "n": n,
            "n_left": self.block_nch.astype(jnp.int32),
            "context": self._context(u[1], n),
            "context_left": self.ctx_dur.astype(jnp.int32),
            "previous": _floor(u[2], n),
        }

    def _context(self, u, n):
        return _floor(u, jnp.where(n == 2, 2, 3))

    def next_memory(self, memory, trial, result, draw):
        # The reward of the last step, for the result's is that of the whole trial.
        reward = jnp.zeros((), jnp.float32)
        for name, code in (("correct", Outcome.CORRECT), ("fail", Outcome.ERROR), ("abort", Outcome.ABORT)):
            reward = jnp.where(result.outcome == int(code), self.rewards[name], reward)
        u = draw.uniform("block", shape=(4,))  # one draw, because it is taken at every step
        ends = (memory["context_left"] == 1) | (u[3] < self.ctx_ch_prob)
        stays = {
            "n": memory["n"],
            "n_left": memory["n_left"] - 1,
            "context": jnp.where(ends, self._context(u[1], memory["n"]), memory["context"]),
            "context_left": jnp.where(ends, self.ctx_dur.astype(jnp.int32), memory["context_left"] - 1),
            "previous": trial["ground_truth"],
        }
        over = memory["n_left"] <= 1
        block = {name: jnp.where(over, new, stays[name]) for name, new in self._block(u).items()}
        return {**block, "action": result.choice, "reward": reward}

    # ------------------------------------------------------------------ the trial

    def conditions(self, draw, memory):
        n = jnp.clip(draw.remembered("n_alternatives", memory["n"], self.n_ch + 1), 2, self.n_ch)
        context = draw.remembered("context", memory["context"], 3)
        previous = draw.remembered("previous", memory["previous"], self.n_ch)
        turn = jnp.where(context == CLOCKWISE, 1, jnp.where(context == ANTICLOCKWISE, n - 1, 0))
        likely = jnp.mod(previous + turn, n)
        u = draw.chance("ground_truth").uniform()
        other = _floor((u - self.probs) / jnp.maximum(1 - self.probs, 1e-6), n - 1)
        truth = jnp.where(u < self.probs, likely, jnp.mod(likely + 1 + other, n))
        alternatives = jnp.where(self.zero_irrelevant_stim, n, self.n_ch).astype(jnp.float32)
        scaled = jnp.asarray(self.coherences) * self.stim_scale * alternatives_factor(alternatives, jnp)
        return {
            "n_alternatives": n,
            "context": context,
            "previous": previous,
            "ground_truth": draw.remembered("ground_truth", truth, self.n_ch),
            "coherence": draw.choice("coherence", scaled),
            "last_action": draw.remembered("last_action", memory["action"], self.n_ch + 1),
            "last_reward": draw.remembered("last_reward", memory["reward"]),
        }

    def init_state(self, trial):
        return {"action": trial["last_action"], "reward": trial["last_reward"]}

    def _relevant(self, trial):
        channel = jnp.arange(self.n_ch, dtype=jnp.int32)
        return (channel < trial["n_alternatives"]) | ~jnp.asarray(self.zero_irrelevant_stim)

    def observe(self, trial, state, t):
        sign = jnp.where(jnp.arange(self.n_ch, dtype=jnp.int32) == trial["ground_truth"], 1.0, -1.0)
        evidence = 0.5 + sign * (trial["coherence"] / 200)
        shown = {
            "fixation": trial.during("fixation", t),
            "stimulus": jnp.where(trial.during("stimulus", t) & self._relevant(trial), evidence, 0.0),
            "alternatives": trial["n_alternatives"],
            "context": trial["context"] + 1,
            "action": state["action"],
            "reward": state["reward"],
        }
        return {name: value for name, value in shown.items() if name in dict(self.channels.sizes)}

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t) & self._relevant(trial), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.n_ch,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        came = fixate_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])
        return came.replace(state={"action": action, "reward": came.reward})

    # ------------------------------------------------------------------ references

    def references(self):
        """Over a long session, for an observer who infers context and alternatives from its rewards.

        It knows the law, chooses what is likeliest, and does not try others to learn from them.
        """
        return {
            "ideal": self.follow_contexts(stimulus=True),
            "blind": self.follow_contexts(stimulus=False),
            "random": random_choice(self, 1 / self.n_ch),
        }

    def follow_contexts(self, *, stimulus: bool, trials: int = 300) -> float:
        """Mean performance of an observer who filters context and last choice, with or without seeing the stimulus.

        The number of alternatives is known if it is shown, or if only their channels are; else it is inferred too.
        Simulated with a fixed seed, from a block's beginning; a block longer than `trials` goes on as its second half.
        """
        sizes = np.arange(2, self.n_ch + 1)
        two = float(self.prob_12) if len(sizes) > 1 else 1.0
        share = np.array([two] + [(1 - two) / max(len(sizes) - 1, 1)] * (len(sizes) - 1))
        sizes, share = sizes[share > 0], share[share > 0]
        known = self.ob_nch or (stimulus and bool(self.zero_irrelevant_stim))
        each = max(400 // (len(sizes) * (1 if known else len(sizes))), 8)  # sessions of each number of alternatives
        n = np.repeat(sizes, each)
        among = n[:, None] if known else np.broadcast_to(sizes, (len(n), len(sizes)))  # what it may be [sessions, K]
        start = np.ones((1, 1)) if known else share[None]
        block = int(self.block_nch)
        hits = self._filter(n, among, start, min(block, trials), stimulus)
        by_size = hits.reshape(len(hits), len(sizes), each).mean(axis=2) @ share
        later = by_size[len(by_size) // 2 :].mean()
        return float((by_size.sum() + (block - len(by_size)) * later) / block)

    def _filter(self, n, among, start, trials: int, stimulus: bool) -> np.ndarray:
        """Performance `[trials, sessions]` in blocks of `n` alternatives, if they may be `among`, likely as `start`."""
        rng, sessions = np.random.default_rng(0), len(n)
        p, hazard, duration = float(self.probs), float(self.ctx_ch_prob), int(self.ctx_dur)
        told = bool(self.rewards["correct"] != self.rewards["fail"])
        shown = n if self.zero_irrelevant_stim else np.full(sessions, self.n_ch)
        lengths = step_probabilities(self.timing["stimulus"], self.dt)
        ms, chances = np.array(list(lengths)) * self.dt, np.array(list(lengths.values()))
        each, choices = np.arange(sessions), np.arange(self.n_ch)

        # Beliefs are [sessions, K, context, choice]; `k` and `contexts` say what is possible under each hypothesis.
        k = among[:, :, None, None]
        contexts = np.where(k == 2, 2, 3)
        possible = (choices < k) & (np.arange(3)[:, None] < contexts)
        before = (choices - np.array([0, 1, -1])[:, None]) % k  # the choice from which a context leads to this one
        other = (1 - p) / (k - 1)
        belief = possible * start[:, :, None, None] / (contexts * k)

        drawn = lambda: np.floor(rng.random(sessions) * np.where(n == 2, 2, 3)).astype(int)
        context, truth = drawn(), np.floor(rng.random(sessions) * n).astype(int)
        out = np.zeros((trials, sessions))
        for trial in range(trials):
            if trial:
                fixed = duration > 0 and trial % duration == 0
                context = np.where(fixed | (rng.random(sessions) < hazard), drawn(), context)
                mix = 1.0 if fixed else hazard
                belief = (1 - mix) * belief + mix * possible * belief.sum(axis=2, keepdims=True) / contexts
            likely = (truth + np.where(context == CLOCKWISE, 1, np.where(context == ANTICLOCKWISE, -1, 0))) % n
            apart = 1 + np.floor(rng.random(sessions) * (n - 1)).astype(int)
            truth = np.where(rng.random(sessions) < p, likely, (likely + apart) % n)
            follows = np.take_along_axis(belief, np.broadcast_to(before, belief.shape), axis=3)
            belief = possible * ((p - other) * follows + other * belief.sum(axis=3, keepdims=True))
            if stimulus:
                seen = self._evidence(rng, truth, shown, rng.choice(ms, sessions, p=chances / chances.sum()))
                belief = belief * seen[:, None, None]
            likelihood = belief.sum(axis=(1, 2))
            choice = likelihood.argmax(axis=1)
            # counted by its probability, which is less noisy than by success
            out[trial] = likelihood[each, choice] / likelihood.sum(axis=1)
            if told:
                right = choice == truth
                belief = belief * ((choices == choice[:, None]) == right[:, None])[:, None, None]
            belief = belief / np.maximum(belief.sum(axis=(1, 2, 3), keepdims=True), 1e-300)
        return out

    def _evidence(self, rng, truth, shown, ms) -> np.ndarray:
        """How likely what was seen is, by the alternative that is correct `[sessions, n_ch]`, up to a factor."""
        from scipy.special import logsumexp

        sessions, on = len(truth), np.arange(self.n_ch) < shown[:, None]
        variance = (max(float(self.sigma), 1e-4) ** 2 / np.maximum(ms, 1e-9))[:, None]
        levels = np.ravel(self.coherences).astype(float) / 100 * float(self.stim_scale)
        levels = levels * alternatives_factor(shown, np)[:, None]  # [sessions, coherences]
        c = levels[np.arange(sessions), rng.integers(levels.shape[1], size=sessions)][:, None]
        sign = np.where(np.arange(self.n_ch) == truth[:, None], 1, -1)
        y = on * (sign * c / 2 + np.sqrt(variance) * rng.standard_normal(on.shape))
        # log likelihood, but for what all alternatives share: (c y_g - c/2 sum y - n c^2 / 8) / variance
        common = levels * y.sum(axis=1, keepdims=True) / 2 + shown[:, None] * levels**2 / 8
        log = logsumexp((levels[:, None] * y[..., None] - common[:, None]) / variance[..., None], axis=-1)
        log = np.where(on, log, -np.inf)
        return np.exp(log - log.max(axis=1, keepdims=True))


def alternatives_factor(n: Any, module: Any) -> Any:
    """By how much coherences grow with the number of alternatives, so that they stay as hard (the paper's fit)."""
    return np.float32(1.84665761) * module.log(n) - np.float32(0.04102044)


def _floor(u, n):
    """A number in 0 .. n - 1 from one that is uniform on [0, 1)."""
    n = jnp.asarray(n, jnp.int32)
    return jnp.clip(jnp.floor(u * n.astype(jnp.float32)).astype(jnp.int32), 0, jnp.maximum(n - 1, 0))


def _collection(
    tr_hist_kwargs: Mapping[str, Any] | None = None, var_nch_kwargs: Mapping[str, Any] | None = None, **task_kwargs: Any
) -> StructuralPriors:
    """The task by the keywords of NeuroGym's collection, where those of its wrappers stand apart."""
    allowed = {
        "tr_hist_kwargs": ("probs", "ctx_dur", "ctx_ch_prob"),
        "var_nch_kwargs": ("block_nch", "prob_12"),
    }
    for name, given in (("tr_hist_kwargs", tr_hist_kwargs), ("var_nch_kwargs", var_nch_kwargs)):
        if given is not None and not isinstance(given, Mapping):
            raise InvalidArgument(f"{name} must map names to values, got {given!r}")
        for key, value in (given or {}).items():
            if key not in allowed[name]:
                raise unknown("keyword", key, allowed[name], name)
            if key in task_kwargs:
                raise InvalidArgument(f"{key} is given twice (once in {name})")
            task_kwargs[key] = value
    return StructuralPriors.create(**task_kwargs)


priors = Variant(
    _collection, doc=StructuralPriors.__doc__ or "", paper=StructuralPriors.PAPER, tags=StructuralPriors.TAGS
)
