"""Decisions with block priors: the tasks of the International Brain Laboratory."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, is_traced, quantity, structure
from neurojax.core.registry import Variant
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import TruncatedExponential, step_probabilities
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument
from neurojax.tasks.perceptual import PerceptualDecisionMaking
from neurojax.tasks.rules import abortable, random_choice

IBL_2021 = Paper(
    "The International Brain Laboratory et al. (2021). Standardized and reproducible measurement of decision-making "
    "in mice. eLife 10:e63711",
    "10.7554/eLife.63711",
)


class PerceptualDecisionMakingBlocks(PerceptualDecisionMaking):
    """Random-dot motion in blocks: one of the two directions is the likelier one for some trials, then the other.

    The trial is that of `PerceptualDecisionMaking` with two directions. In a block of `block_size` trials one
    direction is shown with probability `bias`; then the other one is. Nothing tells which block holds; a session
    begins with a block of either kind.

    Channels: `fixation`, `stimulus` `[2]`. Actions: 0 fixates, 1 and 2 choose a direction.
    Conditions: `block` (the likelier direction), `ground_truth` (0 or 1), `coherence` (percent).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("perceptualdecisionmaking.ibl20-v0", bias=1.0)
        >>> nj.render(task, jax.random.key(0), 4, block=1).conditions["ground_truth"].tolist()
        [1, 1, 1, 1]
    """

    PRESETS = {}
    PAPER = IBL_2021
    TAGS = ("perceptual", "two-alternative", "supervised")
    DEVIATIONS = (
        Deviation(
            what="first block",
            neurogym="a session begins with the block in which the first direction is the likelier",
            here="it begins with either block",
            reason="independent trials must show both blocks",
            affects=("conditions",),
        ),
    )

    bias: Any = quantity(0.8, low=0, high=1, doc="probability of the direction that the block favours")
    block_size: Any = quantity(90, units="trials", low=1, doc="length of a block")
    dim_ring: int = structure(2, low=2, high=2, doc="number of directions, and of choices")

    def validate(self) -> None:
        _check_whole(self, "block_size")

    def init_memory(self, draw):
        return {"block": draw.integer("block", 2), "remaining": self.block_size.astype(jnp.int32)}

    def next_memory(self, memory, trial, result, draw):
        over = memory["remaining"] <= 1
        return {
            "block": jnp.where(over, 1 - memory["block"], memory["block"]),
            "remaining": jnp.where(over, self.block_size.astype(jnp.int32), memory["remaining"] - 1),
        }

    def conditions(self, draw, memory):
        block = draw.remembered("block", memory["block"], 2)
        likelier = draw.chance("ground_truth").uniform() < self.bias
        return {
            "block": block,
            "ground_truth": draw.remembered("ground_truth", jnp.where(likelier, block, 1 - block), 2),
            "coherence": draw.choice("coherence", self.coherences),
        }

    def references(self):
        """Over a long session, in which blocks that alternate and last as long each are known after the first."""
        bias = max(float(self.bias), 1 - float(self.bias))
        numbers = {"ideal": float(self.accuracy(bias)[0]), "blind": bias, "random": random_choice(self, 0.5)}
        return {**numbers, "ideal_without_prior": float(self.accuracy(0.5)[0])}

    def accuracy(self, priors) -> np.ndarray:
        """Accuracy of ideal observers who expect one direction with probabilities `priors`, and are right in that."""
        strengths = np.ravel(self.coherences) / 100 / max(float(self.sigma), 1e-6)
        lengths = step_probabilities(self.timing["stimulus"], self.dt).items()
        by_length = [
            p * accuracy_with_prior(priors, _capped(strengths * math.sqrt(n * self.dt / 2))) for n, p in lengths
        ]
        return np.sum(by_length, axis=0)


ibl20 = Variant(
    PerceptualDecisionMakingBlocks,
    doc="""Perceptual decisions in blocks of 90 trials, in which one direction is shown in 80% of the trials.

    NeuroGym's collection `perceptualdecisionmaking` puts PerceptualDecisionMaking into the blocks of the task of
    the International Brain Laboratory: the likelier direction changes every 90 trials, without a cue.
    See `PerceptualDecisionMakingBlocks`.
    """,
)


class IBL(Task):
    """One-step decisions: which of two noisy intensities is the greater?

    Each trial shows two intensities around .5 that differ by the coherence, under Gaussian noise. The action at the
    stimulus' last step is the choice, and the next trial follows; with the default timing a trial is one step. There
    is no fixation and no way to wait.

    Channels: `stimulus` `[2]` (left, right). Actions: 0 chooses left, 1 right.
    Conditions: `ground_truth` (0 left, 1 right), `coherence` (percent).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> nj.render(nj.make("IBL-v0"), jax.random.key(0), 4).inputs.shape
        (4, 1, 2)
    """

    TIMING = {"stimulus": 100}
    REWARDS = {"correct": 1.0, "fail": 0.0}
    PAPER = Paper(
        "The International Brain Laboratory (2017). An international laboratory for systems and computational "
        "neuroscience. Neuron 96:1213",
        "10.1016/j.neuron.2017.12.013",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")
    DEVIATIONS = (
        Deviation(
            what="step",
            neurogym="raises an error: its step takes no action",
            here="the action at the stimulus' last step is the choice",
            reason="NeuroGym's version crashes",
        ),
        Deviation(
            what="reward",
            neurogym="is that of a correct choice, whatever was chosen",
            here="follows the choice",
            reason="the score must follow the trial's outcome",
        ),
    )

    coherences: Any = quantity(
        (1.6, 3.2, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="differences between the two intensities, each as likely",
    )  # fmt: skip
    sigma: Any = quantity(0.1, low=0, doc="standard deviation of the noise at each step")

    @property
    def channels(self) -> Channels:
        return Channels.named(stimulus=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(choice=2)

    def conditions(self, draw, memory):
        return {
            "ground_truth": draw.integer("ground_truth", 2),
            "coherence": draw.choice("coherence", self.coherences),
        }

    def observe(self, trial, state, t):
        sign = jnp.where(jnp.arange(2, dtype=jnp.int32) == trial["ground_truth"], 1.0, -1.0)
        return {"stimulus": jnp.where(trial.during("stimulus", t), 0.5 + sign * (trial["coherence"] / 200), 0.0)}

    def noise(self, trial, state, t, draw):
        return {"stimulus": jnp.where(trial.during("stimulus", t), self.sigma, 0.0) * draw.normal("stimulus", (2,))}

    def target(self, trial, state, t):
        return trial["ground_truth"]

    def weight(self, trial, state, t):
        return trial.last(t)

    def respond(self, trial, state, action, t, draw):
        decides, correct = trial.last(t), action == trial["ground_truth"]
        reward = jnp.where(correct, self.rewards["correct"], self.rewards["fail"])
        return abortable(jnp.where(decides, reward, 0.0), decides, False, correct)

    def references(self):
        return {"clairvoyant": 1.0, "ideal": float(self.accuracy(0.5)[0]), "blind": 0.5, "random": 0.5}

    def accuracy(self, priors) -> np.ndarray:
        """Accuracy of ideal observers who expect one side with probabilities `priors`, and are right in that."""
        strengths = np.ravel(self.coherences) / 100 / max(float(self.sigma), 1e-6)
        lengths = step_probabilities(self.timing["stimulus"], self.dt).items()
        by_length = [p * accuracy_with_prior(priors, _capped(strengths * math.sqrt(n / 2))) for n, p in lengths]
        return np.sum(by_length, axis=0)


class IBLBlock(IBL):
    """One-step decisions in blocks: the trial of `IBL`, with sides that are drawn by the block's probabilities.

    Every `block_size` trials a kind of block is drawn, each as likely and also the same again: left with probability
    .2, .8 or .5. Nothing tells which block holds.

    Channels: `stimulus` `[2]` (left, right). Actions: 0 chooses left, 1 right.
    Conditions: `block` (its row in `probs`), `ground_truth` (0 left, 1 right), `coherence` (percent).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("IBL_Block-v0"), jax.random.key(0), 1000, block=0)
        >>> bool(0.7 < batch.conditions["ground_truth"].mean() < 0.9)
        True
    """

    TAGS = ("perceptual", "two-alternative", "supervised")

    probs: Any = quantity(
        ((0.2, 0.8), (0.8, 0.2), (0.5, 0.5)), low=0, many=2,
        doc="probabilities of left and right, a row a kind of block",
    )  # fmt: skip
    block_size: Any = quantity(200, units="trials", low=1, doc="length of a block")

    def validate(self) -> None:
        _check_whole(self, "block_size")
        rows = np.asarray(self.probs)
        if rows.shape[1] != 2 or not np.allclose(rows.sum(axis=1), 1, atol=1e-5):
            raise InvalidArgument(f"probs must hold rows of two probabilities that sum to 1, got {rows.tolist()}")

    def init_memory(self, draw):
        return {"block": self._kind(draw), "remaining": self.block_size.astype(jnp.int32)}

    def next_memory(self, memory, trial, result, draw):
        over = memory["remaining"] <= 1
        return {
            "block": jnp.where(over, self._kind(draw), memory["block"]),
            "remaining": jnp.where(over, self.block_size.astype(jnp.int32), memory["remaining"] - 1),
        }

    def _kind(self, draw):
        return draw.integer("block", np.shape(self.probs)[0])

    def conditions(self, draw, memory):
        block = draw.remembered("block", memory["block"], np.shape(self.probs)[0])
        row = jnp.asarray(self.probs)[block]
        right = draw.chance("ground_truth").uniform() * (row[0] + row[1]) >= row[0]
        return {
            "block": block,
            "ground_truth": draw.remembered("ground_truth", right.astype(jnp.int32), 2),
            "coherence": draw.choice("coherence", self.coherences),
        }

    def references(self):
        """Over a long session, for an observer who infers the block from the rewards."""
        numbers = {"clairvoyant": 1.0, "random": 0.5, "ideal_without_prior": float(self.accuracy(0.5)[0])}
        if self.rewards["correct"] == self.rewards["fail"]:
            return numbers  # who is not told the side infers the block from what was shown: not derived here
        priors, weights = self.expectations()
        table = np.linspace(0.5, 1.0, 101)
        return {
            **numbers,
            "ideal": float(weights @ np.interp(priors, table, self.accuracy(table))),
            "blind": float(weights @ priors),
        }

    def expectations(self) -> tuple[np.ndarray, np.ndarray]:
        """With which probability one expects the likelier side, over a block, and how often.

        After n trials of a block of unknown kind, what is known is how many of them were left: the number is binomial
        given the kind. Long blocks are looked at after some of their trials.
        """
        from scipy.special import gammaln, xlog1py, xlogy

        left = np.asarray(self.probs, float)[:, 0] / np.asarray(self.probs, float).sum(axis=1)
        size = int(self.block_size)
        after = np.arange(size) if size <= 300 else np.unique(np.geomspace(1, size, 300).astype(int)) - 1
        share = np.diff(np.append(after, size)) / size
        priors, weights = [], []
        for n, s in zip(after, share, strict=True):
            k = np.arange(n + 1)
            log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
            given = np.exp(log + xlogy(k, left[:, None]) + xlog1py(n - k, -left[:, None]))  # [kind, number of left]
            likely = given.mean(axis=0)
            seen = likely > 1e-12
            p = (given * left[:, None]).mean(axis=0)[seen] / likely[seen]
            priors.append(np.maximum(p, 1 - p))
            weights.append(s * likely[seen])
        weights = np.concatenate(weights)
        return np.clip(np.concatenate(priors), 0.5, 1.0), weights / weights.sum()


class _ChoiceWorld(Task):
    """What the two choice worlds share: wait without moving, then turn the wheel to the side of the grating."""

    TIMING = {"quiescence": ("truncated_exponential", (350, 400, 700)), "go_cue": 100, "decision": 1000}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PAPER = IBL_2021

    contrasts: Any = quantity(
        (100.0, 50.0, 25.0, 12.5, 6.25, 0.0), units="percent", low=0, high=100, many=True, source="paper",
        doc="contrasts of the grating; those above 0 are as likely as each other",
    )  # fmt: skip
    weights: Any = quantity(
        (1.0,) * 6, low=0, many=True, source="neurojax",
        doc="how often each contrast is shown, relative to the others; as often as each other where not given",
    )  # fmt: skip
    zero_weight: Any = quantity(
        0.5, low=0, source="paper", doc="how often contrast 0 is shown, relative to another contrast of its weight"
    )
    sigma: Any = quantity(
        2.0, units="sqrt(ms)", low=0, source="neurojax",
        doc="noise of either side's contrast (as a share); its standard deviation per step is sigma / sqrt(dt)",
    )  # fmt: skip
    abort: Any = flag(
        False, source="paper", doc="whether moving in the quiescence period ends the trial, to begin it anew"
    )

    @classmethod
    def create(cls, **kwargs: Any):
        """`Task.create`; contrasts are as likely as each other where `weights` are not given with them."""
        if kwargs.get("contrasts") is not None and kwargs.get("weights") is None:
            kwargs["weights"] = np.ones(np.size(kwargs["contrasts"]))
        return super().create(**kwargs)

    def set(self, **kwargs: Any):
        if not is_traced((self, kwargs)) and kwargs.get("contrasts") is not None:
            kwargs.setdefault("weights", np.ones(np.size(kwargs["contrasts"])))
        return super().set(**kwargs)

    def validate(self) -> None:
        if np.shape(self.weights) != np.shape(self.contrasts):
            raise InvalidArgument(
                f"weights must have a number for each of the {np.size(self.contrasts)} contrasts, got "
                f"{np.ravel(self.weights).tolist()}"
            )
        if not np.any(self._weights() > 0):
            raise InvalidArgument(
                "one of the weights, or zero_weight where contrasts holds nothing but 0, must be above 0"
            )

    def _weights(self):
        return np.where(np.asarray(self.contrasts) == 0, self.zero_weight, np.float32(1)) * self.weights

    @property
    def channels(self) -> Channels:
        return Channels.named(go_cue=1, stimulus=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(hold=1, choice=2)

    def periods(self, conditions, steps):
        on = steps("quiescence")
        off = on + steps("decision", on)
        cue = on + steps("go_cue", on)
        return {"quiescence": (0, on), "go_cue": (on, jnp.minimum(cue, off)), "decision": (on, off)}

    def _contrast(self, draw):
        contrasts = jnp.asarray(self.contrasts)
        return draw.weighted("contrast", contrasts, jnp.where(contrasts == 0, self.zero_weight, 1.0) * self.weights)

    def observe(self, trial, state, t):
        side = jnp.arange(2, dtype=jnp.int32) == trial["ground_truth"]
        grating = jnp.where(side & trial.during("decision", t), trial["contrast"] / 100, 0.0)
        return {"go_cue": trial.during("go_cue", t), "stimulus": grating}

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("decision", t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (2,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        moves, correct = action != 0, action == 1 + trial["ground_truth"]
        decides, breaks = moves & trial.during("decision", t), moves & trial.during("quiescence", t)
        earned = jnp.where(correct, self.rewards["correct"], self.rewards["fail"])
        reward = jnp.where(decides, earned, 0.0) + jnp.where(breaks, self.rewards["abort"], 0.0)
        return abortable(reward, decides, breaks & self.abort, correct)

    def _random(self) -> float:
        """Accuracy of uniformly random actions."""
        held = lambda period: sum(p * 3.0**-n for n, p in step_probabilities(self.timing[period], self.dt).items())
        return (held("quiescence") if self.abort else 1.0) * (1 - held("decision")) / 2

    def accuracy(self, priors) -> np.ndarray:
        """Accuracy of ideal observers who look as long as they may, and expect one side with probabilities `priors`.

        What is seen on a side sums to a contrast with noise. A side of contrast c is likelier than an empty one by
        exp((c x - c^2 / 2) / s^2), averaged over the contrasts.
        """
        priors = np.maximum(np.atleast_1d(priors), 1 - np.atleast_1d(priors))
        contrasts = np.ravel(self.contrasts).astype(float) / 100
        weights = self._weights().astype(float) / self._weights().sum()
        total = np.zeros(len(priors))
        for steps, p in step_probabilities(self.timing["decision"], self.dt).items():
            if steps:
                scale = float(self.sigma) / math.sqrt(steps * self.dt)
                total += p * np.array([_contrast_accuracy(prior, contrasts, weights, scale) for prior in priors])
        return total


class IBLBasicChoiceWorld(_ChoiceWorld):
    """The basic task of the International Brain Laboratory: on which side is the grating?

    The wheel must be held still for the quiescence period. Then a tone is heard, and a grating of some contrast
    appears on the left or on the right, and stays; turning the wheel to its side is correct. At contrast 0 nothing
    is seen, and one of the sides is correct all the same. The first turn in the decision period ends the trial.

    On the rig a movement restarts the quiescence period. Here it costs `rewards["abort"]`, and with `abort` the trial
    begins anew: nothing of it has been seen, so that this is the same, but for the conditions that are drawn again.
    An aborted trial counts neither for the debiasing nor for a block. What follows a response on the rig (1 s, or 2 s
    of noise after an error) is left out. With `debias`, an error or miss at a contrast of 50% or more repeats that
    contrast, on the right if a normal number around the share of left choices among the last ten is .5 or more
    (standard deviation .5).

    The default time to decide, 1 s, keeps trials short; the paper's is 60 s, over which noise averages out.

    Channels: `go_cue`, `stimulus` `[2]` (left, right; contrast as a share). Actions: 0 holds, 1 chooses left, 2 right.
    Conditions: `contrast` (percent), `ground_truth` (0 left, 1 right).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("IBLBasicChoiceWorld-v0", sigma=0), jax.random.key(0), 2, contrast=[25, 0])
        >>> batch.inputs[:, :, 1:].max(axis=(1, 2)).tolist()
        [0.25, 0.0]
    """

    PRESETS = {"paper": {"abort": True, "debias": True, "timing": {"decision": 60000}}}
    TAGS = ("perceptual", "two-alternative", "supervised")

    debias: Any = flag(False, source="paper", doc="whether errors at high contrast are followed by a debiasing trial")

    _REPEATED = 50.0  # percent: errors at this contrast or above are repeated
    _RECENT = 10  # choices that the debiasing looks back on
    _SPREAD = 0.5  # standard deviation of the side of a debiasing trial

    def init_memory(self, draw):
        # The contrast to be repeated (below 0: none), and the last choices (0: none yet).
        return {"again": jnp.float32(-1), "choices": jnp.zeros((self._RECENT,), jnp.int32)}

    def next_memory(self, memory, trial, result, draw):
        answered = (result.outcome == Outcome.CORRECT) | (result.outcome == Outcome.ERROR)
        choices = jnp.concatenate([memory["choices"][1:], result.choice[None]])
        failed = (result.outcome != Outcome.CORRECT) & (trial["contrast"] >= self._REPEATED) & self.debias
        counts = result.outcome != Outcome.ABORT
        return {
            "again": jnp.where(counts, jnp.where(failed, trial["contrast"], -1.0), memory["again"]),
            "choices": jnp.where(answered, choices, memory["choices"]),
        }

    def conditions(self, draw, memory):
        again, choices = memory["again"] >= 0, memory["choices"]
        number, left = (jnp.sum(which.astype(jnp.float32)) for which in (choices > 0, choices == 1))
        share = jnp.where(number > 0, left / jnp.maximum(number, 1.0), 0.5)
        right = share + self._SPREAD * draw.normal("debias") >= 0.5
        return {
            "contrast": jnp.where(again, memory["again"], self._contrast(draw)),
            "ground_truth": jnp.where(again, right.astype(jnp.int32), draw.integer("ground_truth", 2)),
        }

    def references(self):
        """Debiasing trials are left out of account; who sees what is there meets none at the defaults."""
        numbers = {"ideal": float(self.accuracy(0.5)[0]), "random": self._random()}
        if not self.debias:  # who always chooses one side is then shown the other
            numbers["blind"] = _half(self.timing["decision"], self.dt)
        return numbers


class IBLBiasedChoiceWorld(_ChoiceWorld):
    """The biased task of the International Brain Laboratory: blocks in which the grating is mostly on one side.

    The trial is that of `IBLBasicChoiceWorld`. A session begins with 90 trials in which both sides are as likely; then
    blocks of random length follow in which the grating is on the left with probability .2 or .8 in turn, without
    a cue. At contrast 0 the side is drawn by the block too, so that the prior is all there is to go by.

    Channels: `go_cue`, `stimulus` `[2]` (left, right; contrast as a share). Actions: 0 holds, 1 chooses left, 2 right.
    Conditions: `p_left` (the block's probability of the left side), `contrast` (percent), `ground_truth` (0 left,
    1 right).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("IBLBiasedChoiceWorld-v0"), jax.random.key(0), 1000, p_left=0.8)
        >>> bool(0.15 < batch.conditions["ground_truth"].mean() < 0.25)
        True
    """

    PRESETS = {"paper": {"abort": True, "timing": {"decision": 60000}}}
    TAGS = ("perceptual", "two-alternative", "supervised")

    contrasts: Any = quantity(
        (100.0, 25.0, 12.5, 6.25, 0.0), units="percent", low=0, high=100, many=True, source="paper",
        doc="contrasts of the grating; those above 0 are as likely as each other",
    )  # fmt: skip
    weights: Any = quantity(
        (1.0,) * 5, low=0, many=True, source="neurojax",
        doc="how often each contrast is shown, relative to the others; as often as each other where not given",
    )  # fmt: skip
    bias: Any = quantity(0.8, low=0, high=1, source="paper", doc="probability of the side that a block favours")
    unbiased_trials: Any = quantity(
        90, units="trials", low=0, source="paper", doc="trials at the start of a session in which no side is likelier"
    )
    block_mean: Any = quantity(60, units="trials", above=0, source="paper", doc="scale of the blocks' exponential law")
    block_min: Any = quantity(20, units="trials", low=1, source="paper", doc="least length of a block")
    block_max: Any = quantity(100, units="trials", low=1, source="paper", doc="length that blocks do not exceed")

    def validate(self) -> None:
        super().validate()
        for name in ("unbiased_trials", "block_min", "block_max"):
            _check_whole(self, name)
        if not self.block_min <= self.block_max:
            raise InvalidArgument(f"block_min must not exceed block_max, got {self.block_min:g} and {self.block_max:g}")

    def init_memory(self, draw):
        first = jnp.where(draw.flip("first"), self.bias, 1 - self.bias)
        lengths = [self._length(draw, name) for name in ("length", "next_length")]
        unbiased = self.unbiased_trials >= 1
        return {
            "p_left": jnp.where(unbiased, 0.5, first),
            "remaining": jnp.where(unbiased, self.unbiased_trials.astype(jnp.int32), lengths[0]),
            "next_p_left": jnp.where(unbiased, first, 1 - first),
            "next_length": jnp.where(unbiased, lengths[0], lengths[1]),
        }

    def next_memory(self, memory, trial, result, draw):
        counts = (result.outcome != Outcome.ABORT).astype(jnp.int32)
        remaining = memory["remaining"] - counts
        over = remaining < 1
        return {
            "p_left": jnp.where(over, memory["next_p_left"], memory["p_left"]),
            "remaining": jnp.where(over, memory["next_length"], remaining),
            "next_p_left": jnp.where(over, 1 - memory["next_p_left"], memory["next_p_left"]),
            "next_length": jnp.where(over, self._length(draw, "length"), memory["next_length"]),
        }

    def _length(self, draw, name):
        law = TruncatedExponential(self.block_mean, self.block_min, self.block_max)
        return jnp.floor(law.quantile(draw.uniform(name))).astype(jnp.int32)

    def conditions(self, draw, memory):
        p_left = draw.remembered("p_left", memory["p_left"])
        right = draw.chance("ground_truth").uniform() >= p_left
        return {
            "p_left": p_left,
            "contrast": self._contrast(draw),
            "ground_truth": draw.remembered("ground_truth", right.astype(jnp.int32), 2),
        }

    def references(self):
        """In the biased blocks of a long session, for an observer who infers the block from the rewards."""
        without = float(self.accuracy(0.5)[0])
        numbers = {"random": self._random(), "ideal_without_prior": without}
        if self.rewards["correct"] == self.rewards["fail"]:
            return numbers  # who is not told the side infers the block from what was shown: not derived here
        priors = self.expectations()
        table = np.linspace(0.5, 1.0, 41)
        numbers["ideal"] = float(np.mean(np.interp(priors, table, self.accuracy(table))))
        numbers["blind"] = float(np.mean(priors)) * 2 * _half(self.timing["decision"], self.dt)
        return numbers

    def expectations(self, trials: int = 500, sessions: int = 200) -> np.ndarray:
        """With which probability one expects the likelier side, by trial, who knows all earlier sides and the law.

        The probability of each side and of each number of trials since the switch is kept and updated. Simulated with
        a fixed seed, after 200 trials.
        """
        pmf = self.length_probabilities()
        ends = pmf / np.maximum(np.cumsum(pmf[::-1])[::-1], 1e-12)  # by trials since the switch, from 1
        rng, size, bias = np.random.default_rng(0), len(pmf), float(self.bias)
        belief = np.zeros((sessions, 2, size))
        belief[:, :, 0] = 0.5
        likelier, age, priors = rng.integers(2, size=sessions), np.zeros(sessions, int), []
        for n in range(200 + trials):
            right = belief[:, 1].sum(-1)
            p = right * bias + (1 - right) * (1 - bias)
            if n >= 200:
                priors.append(np.maximum(p, 1 - p))
            side = np.where(rng.random(sessions) < bias, likelier, 1 - likelier)
            belief *= np.where(np.arange(2)[None] == side[:, None], bias, 1 - bias)[:, :, None]
            belief /= belief.sum((1, 2), keepdims=True)
            stay, leave = belief * (1 - ends), (belief * ends).sum(-1)
            belief = np.zeros_like(belief)
            belief[:, :, 1:] = stay[:, :, :-1]
            belief[:, :, 0] = leave[:, ::-1]
            over = rng.random(sessions) < ends[age]
            likelier, age = np.where(over, 1 - likelier, likelier), np.where(over, 0, age + 1)
        return np.clip(np.ravel(priors), 0.5, 1.0)

    def length_probabilities(self) -> np.ndarray:
        """The probability of each length of a block, from 1 trial on."""
        low, high = int(self.block_min), int(self.block_max)
        edges = np.clip(np.arange(1, high + 2), low, high)
        if low == high:
            return (np.arange(1, high + 1) == high).astype(float)
        below = -np.expm1((low - edges) / float(self.block_mean))
        return np.diff(below / below[-1])


def accuracy_with_prior(priors, strengths: np.ndarray) -> np.ndarray:
    """Accuracy of ideal observers of a normal number with mean plus or minus m and unit variance.

    One sign has a probability of `priors`, and m is one of `strengths`, each as likely; its size is not known.
    """
    from scipy.special import logsumexp, ndtr

    p = np.maximum(np.atleast_1d(priors), 1 - np.atleast_1d(priors)).astype(float)
    m = np.asarray(strengths, float)
    if np.max(m) == 0:
        return p
    odds = lambda x: logsumexp(m * x - m**2 / 2, axis=-1) - logsumexp(-m * x - m**2 / 2, axis=-1)
    needed = np.log(p / np.maximum(1 - p, 1e-12))
    high = 1.0
    while odds(np.array([high])) < needed.max():
        high *= 2
    x = np.linspace(0, high, 10001)
    # the likelier sign is chosen unless the number lies below -t
    t = np.interp(needed, odds(x[:, None]), x)[:, None]
    return np.mean(p[:, None] * ndtr(m + t) + (1 - p[:, None]) * ndtr(m - t), axis=1)


def _contrast_accuracy(prior: float, contrasts: np.ndarray, weights: np.ndarray, scale: float) -> float:
    """Accuracy where one side shows a contrast, the other none, and both a normal error of `scale`."""
    from scipy.special import logsumexp, ndtr

    if scale == 0:
        return float(weights @ np.where(contrasts > 0, 1.0, prior))
    if prior == 0.5:
        return float(weights @ ndtr(contrasts / scale / math.sqrt(2)))
    if prior == 1:
        return 1.0
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    odds = lambda x: logsumexp(
        log_weights + (contrasts * x[..., None] - contrasts**2 / 2) / scale**2, axis=-1
    )  # of a grating against none
    x = np.linspace(-8 * scale, contrasts.max() + 8 * scale, 4001)
    z = np.linspace(-6, 6, 241)
    mass = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    table, bonus = odds(x), math.log(prior / (1 - prior))

    def chooses_likelier(its: float, other: float) -> float:
        """The probability to choose the likelier side at these contrasts of the two."""
        needed = odds(other + scale * z) - bonus
        bound = np.interp(needed, table, x, left=-np.inf, right=np.inf)
        return float(mass @ ndtr((its - bound) / scale))

    hits = [prior * chooses_likelier(c, 0) + (1 - prior) * (1 - chooses_likelier(0, c)) for c in contrasts]
    return float(weights @ np.array(hits))


def _capped(strengths: np.ndarray) -> np.ndarray:
    """Strengths of which the greatest are certain anyway."""
    return np.minimum(strengths.astype(float), 40.0)


def _half(law, dt: float) -> float:
    """Accuracy of a choice by chance, where there is time for it."""
    return 0.5 * sum(p for steps, p in step_probabilities(law, dt).items() if steps)


def _check_whole(task: Task, name: str) -> None:
    value = float(getattr(task, name))
    if value % 1:
        raise InvalidArgument(f"{name} must be a whole number of trials, got {value:g}")
