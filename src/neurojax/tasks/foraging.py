"""Foraging between two places, where what is not collected waits."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Paper, Task
from neurojax.core.timing import TruncatedExponential, step_probabilities
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument
from neurojax.tasks.bandits import check_whole
from neurojax.tasks.rules import abortable, random_hold


class DynamicForaging(Task):
    """Dynamic foraging with coupled baiting: two places that pay by chance, and keep a reward until it is collected.

    A tone says that the subject may choose, after a delay in which it is to hold still. Each place receives a reward
    with its probability in every trial, unless one is there already: with `baiting` it waits until the place is
    chosen, so that a place is the richer the longer it was left alone, and it pays to look at the poor one now and
    then. The two probabilities add up to `reward_sum`; their ratio is that of one of the pairs in `ratios`, drawn for
    each block of trials, and the richer side is the other one in the next block. Nothing tells that a block begins. A
    network needs its last action and reward among its inputs.

    A choice is correct where the chosen place is the likelier one to pay, for who knows the block and what was chosen;
    performance is therefore a choice's quality, and not whether it paid. Where both are as likely, one is drawn.

    The defaults are those of the third stage of training at the Allen Institute for Neural Dynamics (curriculum
    "coupled baiting 2.3"), with a shorter delay. `preset="final"` is its last one, with four ratios: there, who knows
    everything but which block holds is right in no more than .70 of the trials, and who just alternates in .63.

    Channels: `go`. Actions: 0 holds, 1 and 2 choose left and right. Conditions: `p` `[2]` (probability of a new
    reward), `rich` (0 or 1, the side of the greater one), `luck` `[2]` (uniform), `paying` `[2]` (whether a reward is
    there), `ground_truth` (the side that is the likelier one to pay).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("DynamicForaging-v0")
        >>> p = nj.render(task, jax.random.key(0), 2, rich=[0, 1]).conditions["p"]
        >>> (100 * p).round().tolist()
        [[40.0, 5.0], [5.0, 40.0]]
    """

    TIMING = {"delay": 100, "decision": 1000}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PAPER = Paper(
        "Bari, Grossman, Lubin, Rajagopalan, Cressy & Cohen (2019). Stable representations of decision variables for "
        "flexible behavior. Neuron 103:922",
        "10.1016/j.neuron.2019.06.001",
    )
    TAGS = ("two-alternative", "foraging")
    PRESETS = {"final": {"ratios": [[8, 1], [6, 1], [3, 1], [1, 1]], "timing": {"delay": 1000}}}
    PROBES = ({"ratios": [[8, 1], [3, 1]], "block_min": 1, "block_max": 3, "block_mean": 1},)

    reward_sum: Any = quantity(
        0.45, low=0, high=2, source="neurojax", doc="sum of the two probabilities of a new reward"
    )
    ratios: Any = quantity(
        ((8, 1),), low=0, many=2, source="neurojax",
        doc="ratios of the greater to the smaller probability, one of which is drawn for each block",
    )  # fmt: skip
    baiting: Any = flag(True, source="paper", doc="whether a reward that is not collected waits")
    block_mean: Any = quantity(20, units="trials", above=0, source="neurojax", doc="scale of the blocks' law")
    block_min: Any = quantity(20, units="trials", low=1, source="neurojax", doc="least length of a block")
    block_max: Any = quantity(60, units="trials", low=1, source="neurojax", doc="greatest length of a block")
    abort: Any = flag(False, source="neurojax", doc="whether choosing in the delay ends the trial")

    def validate(self) -> None:
        check_whole(self, "block_min", "block_max")
        if not self.block_min <= self.block_max:
            raise InvalidArgument(f"block_min must not exceed block_max, got {self.block_min:g} and {self.block_max:g}")
        rows = np.asarray(self.ratios)
        if rows.shape[-1] != 2 or np.any(rows.sum(-1) <= 0) or np.any(rows[:, 0] < rows[:, 1]):
            raise InvalidArgument(
                f"ratios must hold pairs of numbers of which the first is the greater or equal, got {rows.tolist()}"
            )
        if np.any(self.pairs() > 1):
            raise InvalidArgument(f"reward_sum={self.reward_sum:g} gives a probability above 1 with these ratios")

    def pairs(self) -> Any:
        """float32 `[pairs, 2]`: the greater and the smaller probability."""
        return self.reward_sum * self.ratios / (self.ratios[:, :1] + self.ratios[:, 1:])

    @property
    def channels(self) -> Channels:
        return Channels.named(go=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(hold=1, choice=2)

    # ------------------------------------------------------------------ across trials

    def init_memory(self, draw):
        return {
            "rich": draw.integer("rich", 2),
            "pair": draw.integer("pair", np.shape(self.ratios)[0]),
            "left": self._length(draw),
            "baited": jnp.zeros(2, jnp.bool_),  # whether a reward waits
            "empty": jnp.ones(2, jnp.float32),  # how likely none waits, for who knows the probabilities
        }

    def next_memory(self, memory, trial, result, draw):
        answered = (result.outcome == Outcome.CORRECT) | (result.outcome == Outcome.ERROR)
        chosen = answered & (jnp.arange(2, dtype=jnp.int32) == result.choice - 1)
        left = memory["left"] - 1
        over = left <= 0
        empty = jnp.where(chosen, 1.0, memory["empty"] * (1 - trial["p"]))
        return {
            "rich": jnp.where(over, 1 - memory["rich"], memory["rich"]),
            "pair": jnp.where(over, draw.integer("pair", np.shape(self.ratios)[0]), memory["pair"]),
            "left": jnp.where(over, self._length(draw), left),
            "baited": trial["paying"] & ~chosen & self.baiting,
            "empty": jnp.where(self.baiting, empty, 1.0),
        }

    def _length(self, draw):
        law = TruncatedExponential(self.block_mean, self.block_min, self.block_max)
        return jnp.floor(law.quantile(draw.uniform("length"))).astype(jnp.int32)

    # ------------------------------------------------------------------ a trial

    def conditions(self, draw, memory):
        rich = draw.remembered("rich", memory["rich"], 2)
        side = (jnp.arange(2, dtype=jnp.int32) != rich).astype(jnp.int32)
        p = draw.remembered("p", jnp.asarray(self.pairs())[memory["pair"]][side])
        luck = draw.uniform("luck", shape=(2,))
        likely = 1 - memory["empty"] * (1 - p)
        either = draw.integer("either", 2)  # where none is likelier
        return {
            "p": p,
            "rich": rich,
            "luck": luck,
            "paying": memory["baited"] | (luck < p),
            "ground_truth": jnp.where(likely[0] == likely[1], either, jnp.argmax(likely).astype(jnp.int32)),
        }

    def observe(self, trial, state, t):
        return {"go": trial.during("decision", t)}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def weight(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 0.0, 1.0)  # what was paid before is not shown

    def respond(self, trial, state, action, t, draw):
        moves = action != 0
        decides, early = moves & trial.during("decision", t), moves & trial.during("delay", t)
        pays = trial["paying"][jnp.clip(action - 1, 0, 1)]
        reward = jnp.where(decides, jnp.where(pays, self.rewards["correct"], self.rewards["fail"]), 0.0)
        reward = reward + jnp.where(early, self.rewards["abort"], 0.0)
        return abortable(reward, decides, early & self.abort, action == 1 + trial["ground_truth"])

    # ------------------------------------------------------------------ what it comes to

    def references(self):
        """Over long sessions. The ideal player is a Bayesian; the blind one knows its own choices, and no rewards."""
        answered = 1 - sum(p for n, p in step_probabilities(self.timing["decision"], self.dt).items() if n == 0)
        runs = [self.play(run)[0] for run in (1, 2, 3, 4)]
        return {
            "clairvoyant": 1.0,
            "ideal": self.play(None)[0] * answered,
            "blind": max(0.5, *runs) * answered,
            "random": random_hold(self, 0.5),
        }

    def play(self, run: int | None, sessions: int = 100, trials: int = 600) -> tuple[float, float]:
        """Share of correct choices, and of trials that paid, of a player. Simulated with a fixed seed.

        Args:
            run: how often it chooses a side before it turns to the other one; None for a Bayesian who knows the
                pairs and how long blocks last on average, and chooses what is likelier to pay.
            sessions: how many are simulated.
            trials: of a session.
        """
        rng, each = np.random.default_rng(0), np.arange(sessions)
        pairs, baiting = np.asarray(self.pairs(), float), bool(self.baiting)
        law = TruncatedExponential(float(self.block_mean), float(self.block_min), float(self.block_max))
        lengths = lambda n: np.maximum(np.floor(np.asarray(law.quantile(rng.random(n).astype(np.float32)))), 1)
        count = len(pairs)
        kinds = np.concatenate([pairs, pairs[:, ::-1]])  # of a block: those with the left as the richer side, first
        hazard = 1 / float(np.mean(lengths(10_000)))
        turned = np.full((2, 2), hazard) * (1 - np.eye(2)) + np.eye(2) * (1 - hazard)
        belief = np.full((sessions, 2, count), 1 / (2 * count))
        thought = np.ones((sessions, 2 * count, 2))  # how likely a place is empty, if the block is of this kind
        empty, baited = np.ones((sessions, 2)), np.zeros((sessions, 2), bool)
        rich, pair, left = rng.integers(2, size=sessions), rng.integers(count, size=sessions), lengths(sessions)
        right = paid = 0.0
        for trial in range(trials):
            p = kinds[rich * count + pair]
            paying = baited | (rng.random((sessions, 2)) < p)
            likely = 1 - empty * (1 - p)
            supposed = 1 - thought * (1 - kinds)
            if run is None:
                side = np.argmax(np.einsum("sk,ska->sa", belief.reshape(sessions, -1), supposed), axis=1)
            else:
                side = np.full(sessions, trial // run % 2)
            got = paying[each, side]
            equal = np.isclose(likely[:, 0], likely[:, 1])
            right += np.mean(np.where(equal, 0.5, side == np.argmax(likely, axis=1)))
            paid += np.mean(got)
            told = supposed[each, :, side]
            belief = belief * np.where(got[:, None], told, 1 - told).reshape(belief.shape)
            belief = belief / belief.sum((1, 2), keepdims=True)
            # a block that ends is followed by one with the other side, and any pair
            leaves = np.einsum("sr,rq->sq", belief.sum(2), turned * (1 - np.eye(2)))
            belief = belief * (1 - hazard) + leaves[:, :, None] / count
            chosen = np.arange(2) == side[:, None]
            baited = paying & ~chosen & baiting
            empty = np.where(chosen | (not baiting), 1.0, empty * (1 - p))
            thought = np.where(chosen[:, None, :] | (not baiting), 1.0, thought * (1 - kinds))
            left = left - 1
            over = left <= 0
            rich = np.where(over, 1 - rich, rich)
            pair = np.where(over, rng.integers(count, size=sessions), pair)
            left = np.where(over, lengths(sessions), left)
        return float(right / trials), float(paid / trials)
