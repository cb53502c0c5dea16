"""Recall: complete one of several stored patterns from a part of it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure, time_step
from neurojax.core.spaces import Box, Channels
from neurojax.core.task import Deviation, Task
from neurojax.core.trial import Outcome, consequence
from neurojax.errors import InvalidArgument
from neurojax.tasks.dynamical import draw_seed, seeded

_SLACK = 1e-4  # float32 puts .1 x 20 beside 2
_MOST = 5  # patterns to recall for which the ideal observer is computed


class MemoryRecall(Task):
    """Memory recall: store the patterns that a signal marks, then complete each of them from a damaged copy.

    At each step of the storage phase a random pattern is shown; with some of them, chosen at random, comes the signal
    to store. In the recall phase these come back one a step, in random order and damaged: balanced patterns are of +1
    and -1, and elements are lost (0) with probability 2 (1 - `chance`); others are of 1 and 0, and elements are flipped
    with probability 1 - `chance`. Either way to copy what is shown, guessing what is lost, is right with `chance`. The
    output is to be the whole pattern. Performance is the mean over recall steps and elements of how close the output
    is: 1 on the element, 0 on its opposite or beyond; the reward is that share of `correct`, spread over the recall
    steps. A trial is correct where every element of every recalled pattern was nearer to its value than to the other.

    Channels: `stimulus` `[stim_dim]`, `store` `[store_signal_dim]`. Actions: continuous `[stim_dim]`, from -1 to 1.
    Conditions: `length` (int, steps of the trial), `seed` (int), from which the patterns and all else follow.

    Storing has no target of its own: it is 0 there, with weight 0 in a loss.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("MemoryRecall-v0"), jax.random.key(0), 2, length=[15, 25])
        >>> batch.lengths.tolist(), batch.weights.sum(axis=1).tolist()
        ([15, 25], [1.0, 2.0])
    """

    REWARDS = {"correct": 1.0}
    PERIODS = ("store", "recall")
    UNITS = {"length": "steps"}
    TAGS = ("working memory", "continuous action space", "multidimensional action space", "supervised")
    DEVIATIONS = (
        Deviation(
            what="trials",
            neurogym="has no timing, without which no trial can begin: it crashes",
            here="two periods, store and recall, whose lengths follow from the condition `length`",
            reason="as described",
            kind="interface",
        ),
        Deviation(
            what="reward",
            neurogym="the mean error: it rises as the output gets worse",
            here="the closeness, 1 less the error over the distance of the two values, and at least 0",
            reason="a reward must be highest for the target",
            affects=("reward",),
        ),
        Deviation(
            what="performance",
            neurogym="none",
            here="the mean closeness over recall",
            reason="the score must follow the trial's outcome",
            affects=("performance",),
        ),
        Deviation(
            what="store_signal_dim",
            neurogym="without effect",
            here="the number of channels of the signal, all alike",
            reason="every parameter has an effect; at its default, 1, nothing changes",
            kind="interface",
        ),
    )

    dt: float = time_step(1)
    t_min: Any = quantity(15.0, units="steps", low=1, doc="least length of a trial")
    t_max: Any = quantity(25.0, units="steps", low=1, doc="greatest length of a trial; each in between is as likely")
    p_recall: Any = quantity(0.1, low=0, high=0.5, doc="recall steps over all steps (rounded down)")
    chance: Any = quantity(0.7, low=0, high=1, doc="share of elements that a copy of what recall shows gets right")
    balanced: Any = flag(True, doc="whether patterns are of +1 and -1, of which elements are lost; else of 1 and 0")
    stim_dim: int = structure(10, low=1, doc="elements of a pattern")
    store_signal_dim: int = structure(1, low=1, doc="channels of the signal to store")
    t_distribution: str = structure("uniform", choices=("uniform",), doc="distribution of the length")

    def validate(self) -> None:
        low, high = float(self.t_min), float(self.t_max)
        if not (low.is_integer() and high.is_integer() and low <= high):
            raise InvalidArgument(f"t_min and t_max must be whole numbers, t_min the lesser, got {low:g} and {high:g}")
        if self.balanced and self.chance < 0.5:
            raise InvalidArgument(f"chance must lie in [0.5, 1] where patterns are balanced, got {self.chance:g}")
        if self.recalled(low) < 1:
            raise InvalidArgument(
                f"p_recall={self.p_recall:g} of t_min={low:g} steps leaves nothing to recall; p_recall must be "
                f"{math.ceil(1e4 / low) / 1e4:g} or more"
            )

    @property
    def channels(self) -> Channels:
        return Channels((("stimulus", self.stim_dim), ("store", self.store_signal_dim)), low=-1.0, high=1.0)

    @property
    def actions(self) -> Box:
        n = self.stim_dim
        return Box(names=tuple(f"element {i}" for i in range(n)), low=(-1.0,) * n, high=(1.0,) * n)

    def recalled(self, length: float) -> int:
        """How many of `length` steps are recall."""
        return int(np.floor(float(self.p_recall) * length + _SLACK))

    def conditions(self, draw, memory):
        low, high = (jnp.asarray(x).astype(jnp.int32) for x in (self.t_min, self.t_max))
        span = (high - low + 1).astype(jnp.float32)
        drawn = jnp.minimum(low + (draw.chance("length").uniform() * span).astype(jnp.int32), high)
        return {"length": draw.remembered("length", drawn), "seed": draw_seed(draw)}

    def periods(self, conditions, steps):
        length = conditions["length"]
        recalled = jnp.floor(self.p_recall * length.astype(jnp.float32) + np.float32(_SLACK)).astype(jnp.int32)
        stored = length - recalled
        return {"store": (0, stored), "recall": (stored, length)}

    def longest(self):
        return float(self.t_max)

    def longest_under(self, conditions):
        return float(np.max(conditions["length"])) if "length" in conditions else self.longest()

    def init_state(self, trial):
        # A random order of the storage steps, derived once: the first in it are the ones to recall, in this order.
        steps = np.arange(self.capacity, dtype=np.int32)
        drawn = (seeded(trial["seed"]).at("order").bits((self.capacity,)) >> np.uint32(1)).astype(jnp.int32)
        low = (1 << self.capacity.bit_length()) - 1
        drawn = (drawn & np.int32(~low)) | steps  # the step itself decides between equals
        before = drawn[:, None] < drawn
        stored = steps < trial.end["store"]
        rank = jnp.sum(before & stored[:, None], axis=0, dtype=jnp.int32)
        return {
            "rank": jnp.where(stored, rank, self.capacity),
            "performance": np.float32(0),
            "wrong": np.bool_(False),
        }

    def _pattern(self, trial, step):
        """The pattern of a storage step `[stim_dim]`: +1 and -1, or 1 and 0."""
        element = np.arange(self.stim_dim)
        words = seeded(trial["seed"]).at("pattern", step).bits((-(-self.stim_dim // 32),))
        up = ((words[element // 32] >> (element % 32).astype(np.uint32)) & np.uint32(1)).astype(jnp.float32)
        return jnp.where(self.balanced, 2 * up - 1, up)

    def _shown_again(self, trial, state, t):
        """The storage step of the pattern that comes back at step `t`."""
        return jnp.argmax(state["rank"] == t - trial.start["recall"]).astype(jnp.int32)

    def observe(self, trial, state, t):
        recalls = trial.during("recall", t)
        pattern = self._pattern(trial, jnp.where(recalls, self._shown_again(trial, state, t), t))
        kept = seeded(trial["seed"]).at("damage", t).uniform((self.stim_dim,))
        lost = jnp.where(kept > 2 * (1 - self.chance), pattern, 0.0)
        flipped = jnp.where(kept < 1 - self.chance, 1 - pattern, pattern)
        damaged = jnp.where(self.balanced, lost, flipped)
        store = trial.during("store", t) & (state["rank"][t] < trial.length - trial.end["store"])
        return {"stimulus": jnp.where(recalls, damaged, pattern), "store": store}

    def target(self, trial, state, t):
        pattern = self._pattern(trial, self._shown_again(trial, state, t))
        return jnp.where(trial.during("recall", t), pattern, 0.0)

    def weight(self, trial, state, t):
        return trial.during("recall", t)

    def respond(self, trial, state, action, t, draw):
        recalls = trial.during("recall", t)
        error = jnp.abs(action - self.target(trial, state, t)) / jnp.where(self.balanced, 2.0, 1.0)
        # times the inverse: a division by what all lanes share would round differently in a batch of one
        steps = (trial.length - trial.end["store"]).astype(jnp.float32)
        share = jnp.where(recalls, jnp.mean(jnp.maximum(1 - error, 0)) * (1 / jnp.maximum(steps, 1)), 0.0)
        wrong = state["wrong"] | (recalls & jnp.any(error >= 0.5))
        performance = state["performance"] + share
        return consequence(
            reward=self.rewards["correct"] * share,
            end=trial.last(t),
            outcome=jnp.where(wrong, int(Outcome.ERROR), int(Outcome.CORRECT)),
            performance=jnp.minimum(performance, 1.0),
            state={**state, "performance": performance, "wrong": wrong},
        )

    def references(self):
        lengths = np.arange(int(self.t_min), int(self.t_max) + 1)
        counts = [self.recalled(float(n)) for n in lengths]
        # a uniform output from -1 to 1 lies halfway on average; of 1 and 0, on average at 1/2 and 1/4
        numbers = {"clairvoyant": 1.0, "blind": 0.5, "random": 0.5 if self.balanced else 0.375}
        if max(counts) <= _MOST:
            numbers["ideal"] = float(np.mean([self.ideal_performance(k) for k in counts]))
        return numbers

    def ideal_performance(self, count: int, trials: int = 1000) -> float:
        """Performance of one who remembers the `count` marked patterns exactly, by simulation with a fixed seed.

        Which of them a damaged copy comes from is inferred from that copy and those before it, over all orders; each
        element is then given its likelier value. Elements are counted by their posterior.
        """
        loss = 1 - float(self.chance)
        rng = np.random.default_rng(count)
        stored = rng.random((trials, count, self.stim_dim)) < 0.5  # in the order of recall
        damaged = rng.random((trials, count, self.stim_dim)) < (2 * loss if self.balanced else loss)
        same = stored[:, :, None] == stored[:, None]  # [trial, copy, pattern, element]
        tiny = 1e-300
        if self.balanced:  # an element that was kept excludes the patterns that differ in it
            likelihood = np.where(damaged[:, :, None] | same, 0.0, math.log(tiny)).sum(axis=-1)
        else:
            agrees = same ^ damaged[:, :, None]
            likelihood = np.where(agrees, math.log(max(1 - loss, tiny)), math.log(max(loss, tiny))).sum(axis=-1)
        orders = np.array(list(itertools.permutations(range(count))))  # [order, copy]: the pattern of each copy
        found = 0.0
        for copy in range(count):
            so_far = np.sum([likelihood[:, c][:, orders[:, c]] for c in range(copy + 1)], axis=0)
            weight = np.exp(so_far - so_far.max(axis=1, keepdims=True))
            weight /= weight.sum(axis=1, keepdims=True)
            belongs = np.stack([weight[:, orders[:, copy] == s].sum(axis=1) for s in range(count)], axis=1)
            up = np.einsum("ns,nse->ne", belongs, stored.astype(float))
            found += float(np.mean(np.maximum(up, 1 - up)))
        return found / count
