"""Games against an opponent who watches."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.trial import Outcome, consequence

# Up to this many observations a context is tested exactly, beyond it by the normal law with a continuity correction.
_EXACT = 1000


class MatchingPenny(Task):
    """Matching pennies: choose what the opponent chooses; the opponent tries to choose the other.

    A trial is one step: both choose at once, and equal choices are rewarded. What the opponent chose in the trial
    before is shown. The opponent is one of these:

    - `"random"` tosses a coin.
    - `"mean_action"` keeps a running mean of the subject's choices and plays against it, without chance, so that who
      counts along always wins.
    - `"algorithm_1"` asks how often the subject chose 1 in general, and after each sequence of its last one, two, .. ,
      `depth` choices. Where one of these shares, for the sequence at hand, differs from one half by a binomial test
      (two-sided, exact), the opponent expects 1 with the one that differs most, and plays to mismatch: it chooses 1
      with one minus that share. Else it tosses a coin.
    - `"algorithm_2"` also asks how often after each sequence of its last choices together with their rewards.

    The algorithms remember a count for each sequence, over the whole session. A network needs its last action and
    reward among its inputs.

    Channels: `opponent` `[2]` (its last choice; in a session's first trial a random one). Actions: 0 and 1. Conditions:
    `opponent_action` (0 or 1), `opponent_p` (probability of 1), `previous_action` (the opponent's).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("MatchingPenny-v0", opponent_type="algorithm_2")
        >>> batch = nj.render(task, jax.random.key(0), 2, opponent_action=1, previous_action=0)
        >>> batch.targets.tolist(), batch.inputs.tolist()
        ([[1], [1]], [[[1.0, 0.0]], [[1.0, 0.0]]])
    """

    PERIODS = ("choice",)
    REWARDS = {"correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"opponent_type": "algorithm_2", "depth": 4, "significance": 0.05}}
    # The algorithms are described in Lee, Conroy, McGreevy & Barraclough (2004). Reinforcement learning and decision
    # making in monkeys during a competitive game. Cogn. Brain Res. 22:45, doi:10.1016/j.cogbrainres.2004.07.007.
    PAPER = Paper(
        "Barraclough, Conroy & Lee (2004). Prefrontal cortex and decision making in a mixed-strategy game. "
        "Nat. Neurosci. 7:404",
        "10.1038/nn1209",
    )
    TAGS = ("two-alternative",)
    DEVIATIONS = (
        Deviation(
            what="observation",
            neurogym="a step returns the frame of the trial that it ended, so that one sees the opponent's choice of "
            "two trials ago",
            here="the opponent's choice of the trial before is seen",
            reason="the same frame, at the trial that it belongs to",
            affects=("observation",),
        ),
    )

    # All are structure: which of them matters is up to the kind of opponent.
    opponent_type: str = structure(
        "mean_action", choices=("random", "mean_action", "algorithm_1", "algorithm_2"), doc="kind of opponent"
    )
    learning_rate: float = structure(
        0.2,
        low=0,
        high=1,
        whole=False,
        aliases=("lr",),
        doc="weight of the last choice in the running mean, for mean_action",
    )
    depth: int = structure(4, low=0, high=6, source="paper", doc="length of the longest sequence, for the algorithms")
    significance: float = structure(
        0.05, above=0, high=1, whole=False, source="paper", doc="level of the binomial test, for the algorithms"
    )

    @property
    def channels(self) -> Channels:
        return Channels.named(opponent=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(side=2)

    def periods(self, conditions, steps):
        return {"choice": (0, 1)}

    # ------------------------------------------------------------------ the opponent

    @property
    def contexts(self) -> np.ndarray:
        """int32 `[n, 3]`, a row for each kind of sequence: its length, 1 if it is of rewards too, its first count."""
        kinds = [(length, 0) for length in range(self.depth + 1)]
        if self.opponent_type == "algorithm_2":
            kinds += [(length, 1) for length in range(1, self.depth + 1)]
        sizes = [2 ** (length * (1 + rewards)) for length, rewards in kinds]
        firsts = np.cumsum([0, *sizes])
        rows = [(*kind, first) for kind, first in zip(kinds, firsts[:-1], strict=True)]
        return np.asarray(rows, np.int32)

    @property
    def _counts(self) -> int:
        length, rewards, first = self.contexts[-1]
        return int(first + 2 ** (length * (1 + rewards)))

    def init_memory(self, draw):
        memory: dict[str, Any] = {"previous_action": draw.integer("previous_action", 2)}
        if self.opponent_type == "mean_action":
            memory["mean"] = jnp.float32(0)
        elif self.opponent_type != "random":
            zero = jnp.int32(0)
            memory |= {"trials": zero, "choices": zero, "wins": zero}  # the last choices and rewards, a bit each
            memory["counts"] = jnp.zeros((self._counts, 2), jnp.int32)
        return memory

    def next_memory(self, memory, trial, result, draw):
        choice = result.choice
        following = {"previous_action": trial["opponent_action"]}
        if self.opponent_type == "mean_action":
            step = choice.astype(jnp.float32) - memory["mean"]
            following["mean"] = memory["mean"] + np.float32(self.learning_rate) * step
        elif self.opponent_type != "random":
            places, known = self._places(memory)
            kept = 2**self.depth - 1
            won = (result.outcome == int(Outcome.CORRECT)).astype(jnp.int32)
            following |= {
                "trials": jnp.minimum(memory["trials"] + 1, self.depth),
                "choices": (2 * memory["choices"] + choice) & kept,
                "wins": (2 * memory["wins"] + won) & kept,
                "counts": memory["counts"].at[places, choice].add(known.astype(jnp.int32)),
            }
        return following

    def _places(self, memory):
        """Where the sequences at hand are counted `[n]`, and which of them are long enough yet `[n]`."""
        length, rewards, first = self.contexts.T
        mask = (2**length - 1).astype(np.int32)
        choices, wins = memory["choices"] & mask, memory["wins"] & mask
        code = jnp.where(rewards == 1, choices * (mask + 1) + wins, choices)
        return first + code, memory["trials"] >= length

    def _opponent(self, memory):
        """Probability with which the opponent chooses 1."""
        if self.opponent_type == "random":
            return jnp.float32(0.5)
        if self.opponent_type == "mean_action":
            return jnp.where(memory["mean"] > 0.5, np.float32(0), np.float32(1))
        places, _ = self._places(memory)
        counts = memory["counts"][places]
        total = counts.sum(axis=1, dtype=jnp.int32)
        share = counts[:, 1].astype(jnp.float32) / jnp.maximum(total, 1).astype(jnp.float32)
        bias = jnp.where(self._differs(counts.min(axis=1), total), share - 0.5, 0.0)
        return 0.5 - bias[jnp.argmax(jnp.abs(bias))]

    def _differs(self, fewer, total):
        """Whether `fewer` of `total` choices of one kind are too few for a coin, by the binomial test."""
        from scipy.stats import norm

        critical = jnp.asarray(_critical(self.significance))
        exact = fewer <= critical[jnp.minimum(total, _EXACT)]
        gap = (total - 2 * fewer - 1).astype(jnp.float32)
        z = np.float32(norm.isf(self.significance / 2))
        return jnp.where(total <= _EXACT, exact, gap > z * jnp.sqrt(total.astype(jnp.float32)))

    # ------------------------------------------------------------------ the trial

    def conditions(self, draw, memory):
        p = self._opponent(memory)
        chosen = draw.weighted("opponent_action", np.arange(2, dtype=np.int32), jnp.stack([1 - p, p]))
        previous = draw.remembered("previous_action", memory["previous_action"], 2)
        return {"opponent_action": chosen, "opponent_p": p, "previous_action": previous}

    def observe(self, trial, state, t):
        return {"opponent": jnp.arange(2, dtype=jnp.int32) == trial["previous_action"]}

    def target(self, trial, state, t):
        return trial["opponent_action"]

    def weight(self, trial, state, t):
        return jnp.where(trial["opponent_p"] == 0.5, 0.0, 1.0)  # nobody can know how a coin falls

    def respond(self, trial, state, action, t, draw):
        correct = action == trial["opponent_action"]
        reward = jnp.where(correct, self.rewards["correct"], self.rewards["fail"])
        return consequence(reward=reward, end=True, correct=correct)

    def references(self):
        # Blind: without memory, a coin is best: whoever watches punishes all else.
        numbers = {"clairvoyant": 1.0, "blind": 0.5, "random": 0.5}
        ideal = {"random": 0.5, "mean_action": 1.0}  # how much the algorithms can be exploited is not known
        known = self.opponent_type in ideal
        return {**numbers, "ideal": ideal[self.opponent_type]} if known else numbers


@lru_cache(maxsize=16)
def _critical(significance: float) -> np.ndarray:
    """int32 `[_EXACT + 1]`: the most heads (or tails) of n tosses that a two-sided test at this level calls too few."""
    from scipy.stats import binom

    n = np.arange(_EXACT + 1)
    most = binom.ppf(significance / 2, n, 0.5).astype(np.int64)
    # the quantile is the first count whose probability reaches the level; the last one below it is sought
    most = np.where(2 * binom.cdf(most, n, 0.5) < significance, most, most - 1)
    return most.astype(np.int32)
