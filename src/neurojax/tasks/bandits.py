"""Bandits: arms that pay by chance, and what can be learnt from trial to trial about which pays best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.trial import consequence
from neurojax.errors import InvalidArgument

# How many posterior standard deviations the players of `references` add to an arm's expected payoff.
_BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0)


class Arms(Task):
    """A trial of one step, in which each action pulls an arm. The base of the bandits."""

    PERIODS = ("choice",)

    def periods(self, conditions, steps):
        return {"choice": (0, 1)}

    def target(self, trial, state, t):
        return trial["ground_truth"]


class Bandit(Arms):
    """A bandit whose arms never change: each pays its magnitude with its probability.

    A trial is one step: the arm that is pulled pays or not. Nothing is shown. The best arm is that of the greatest
    expected reward, and performance is the share of trials in which it, or one as good, was pulled. Where all arms
    are equally good, as they are by default, performance says nothing: it is always 1.

    What there is to learn is learnt once; `BernoulliBandit` draws new arms in every block.

    Channels: `blank` (always 0). Actions: 0 .. n - 1 pull an arm. Conditions: `luck` (uniform; an arm pays where its
    probability exceeds it); `ground_truth` (the first of the best arms) follows from the parameters.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("Bandit-v0", n=3, p=(0.2, 0.8, 0.5), rewards=[1, 1, 2])
        >>> nj.render(task, jax.random.key(0), 2).targets.tolist()
        [[2], [2]]
    """

    PAPER = Paper(
        "Wang, Kurth-Nelson, Kumaran, Tirumala, Soyer, Leibo, Hassabis & Botvinick (2018). Prefrontal cortex as a "
        "meta-reinforcement learning system. Nat. Neurosci. 21:860",
        "10.1038/s41593-018-0147-8",
    )
    TAGS = ("n-alternative",)
    DEVIATIONS = (
        Deviation(
            what="target",
            neurogym="has none",
            here="the arm of the greatest expected reward",
            reason="a target must be the best action",
            affects=("target",),
        ),
        Deviation(
            what="performance",
            neurogym="always 0",
            here="1 where no arm is better than the one that was pulled",
            reason="the score did not follow the trial's outcome",
            affects=("performance",),
        ),
    )

    n: int = structure(2, low=2, doc="number of arms")
    p: Any = quantity((0.5, 0.5), low=0, high=1, many=True, doc="probability with which each arm pays")
    magnitudes: Any = quantity((1.0, 1.0), many=True, doc="what each arm pays; NeuroGym's list `rewards` is read as it")

    @classmethod
    def create(cls, **kwargs: Any):
        """`Task.create`; `rewards` may be NeuroGym's list of magnitudes, which are 1 by default."""
        if kwargs.get("rewards") is not None and not isinstance(kwargs["rewards"], Mapping):
            kwargs["magnitudes"] = kwargs.pop("rewards")
        if isinstance(kwargs.get("n"), (int, np.integer)):
            kwargs.setdefault("magnitudes", [1.0] * max(int(kwargs["n"]), 1))
        return super().create(**kwargs)

    def validate(self) -> None:
        for name in ("p", "magnitudes"):
            count = np.size(getattr(self, name))
            if count != self.n:
                raise InvalidArgument(f"{name} must have a number for each of the n={self.n} arms, got {count}")

    @property
    def channels(self) -> Channels:
        return Channels.named(blank=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(arm=self.n)

    @property
    def expected(self):
        """float32 `[n]`, the expected reward of each arm."""
        return self.p * self.magnitudes

    def conditions(self, draw, memory):
        return {"luck": draw.uniform("luck"), "ground_truth": jnp.argmax(self.expected).astype(jnp.int32)}

    def observe(self, trial, state, t):
        return {}

    def respond(self, trial, state, action, t, draw):
        pays = trial["luck"] < jnp.asarray(self.p)[action]
        reward = jnp.where(pays, jnp.asarray(self.magnitudes)[action], 0.0)
        expected = jnp.asarray(self.expected)
        return consequence(reward=reward, end=True, correct=expected[action] >= jnp.max(expected))

    def references(self):
        best = np.asarray(self.expected) >= np.max(self.expected)
        numbers = {"clairvoyant": 1.0, "random": float(np.mean(best))}
        # The arms never change: who knows the task pulls the best one from the first trial on, and looks at nothing.
        return numbers if best.all() else {**numbers, "ideal": 1.0, "blind": 1.0}


class BernoulliBandit(Arms):
    """A bandit for learning to learn: the arms are new in every block.

    Each arm's probability of a reward is drawn uniformly from [0, 1) and holds for a block of trials. A trial is one
    step: the arm that is pulled pays or not. The first trial of a block is announced. A network needs its last action
    and reward among its inputs.

    A player who always pulls the arm that looks best earns 75.9 in a block of 100 pulls of five arms; one who explores
    earns 3 more. In ten pulls both earn 6.6 to 6.7, so that short blocks cannot tell whether anything was learnt.

    Channels: `new_block`. Actions: 0 .. arms - 1 pull an arm. Conditions: `p` `[arms]`, `pull` (trials of the block
    that are over), `luck` (uniform; an arm pays where its probability exceeds it); `ground_truth` (the best arm)
    follows.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("BernoulliBandit-v0", arms=3, pulls=10)
        >>> nj.render(task, jax.random.key(0), 2, p=[0.1, 0.9, 0.3]).targets.tolist()
        [[1], [1]]
    """

    REWARDS = {"correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"arms": 2, "pulls": 100}, "rl2": {"arms": 5, "pulls": 100}}
    # The second preset is the bandit of Duan et al. (2016), RL2: fast reinforcement learning via slow reinforcement
    # learning, arXiv:1611.02779; also played there with other numbers of arms and pulls.
    PAPER = Bandit.PAPER
    TAGS = ("n-alternative",)
    UNITS = {"pull": "trials"}

    arms: int = structure(5, low=2, aliases=("n",), source="neurojax", doc="number of arms")
    pulls: Any = quantity(
        100, units="trials", low=1, source="neurojax", doc="length of a block, in which the arms hold"
    )

    def validate(self) -> None:
        check_whole(self, "pulls")

    @property
    def channels(self) -> Channels:
        return Channels.named(new_block=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(arm=self.arms)

    def init_memory(self, draw):
        return {"p": draw.uniform("p", shape=(self.arms,)), "left": as_int(self.pulls)}

    def next_memory(self, memory, trial, result, draw):
        left = memory["left"] - 1
        over = left <= 0
        return {
            "p": jnp.where(over, draw.uniform("p", shape=(self.arms,)), memory["p"]),
            "left": jnp.where(over, as_int(self.pulls), left),
        }

    def conditions(self, draw, memory):
        p = draw.remembered("p", memory["p"])
        return {
            "p": p,
            "pull": draw.remembered("pull", as_int(self.pulls) - memory["left"]),
            "luck": draw.uniform("luck"),
            "ground_truth": jnp.argmax(p).astype(jnp.int32),
        }

    def observe(self, trial, state, t):
        return {"new_block": trial["pull"] == 0}

    def weight(self, trial, state, t):
        return jnp.where(trial["pull"] == 0, 0.0, 1.0)  # nothing is known of new arms

    def respond(self, trial, state, action, t, draw):
        p = trial["p"]
        reward = jnp.where(trial["luck"] < p[action], self.rewards["correct"], self.rewards["fail"])
        return consequence(reward=reward, end=True, correct=p[action] >= jnp.max(p))

    def references(self):
        # The best policy of all is not known in closed form: "ideal" is the best of a family of players.
        ideal = max(self.play_index(bonus)[0] for bonus in _BONUSES)
        return {"clairvoyant": 1.0, "ideal": ideal, "blind": 1 / self.arms, "random": 1 / self.arms}

    def play_index(self, bonus: float, blocks: int = 1000) -> tuple[float, float]:
        """Mean performance, and mean number of pulls that pay in a block, of a player who knows the task's rules.

        It keeps the posterior of each arm, and pulls the arm whose mean plus `bonus` standard deviations is greatest;
        without a bonus it is the greedy player. Simulated with a fixed seed.
        """
        rng = np.random.default_rng(0)
        p = rng.random((blocks, self.arms))
        wins, losses = np.ones_like(p), np.ones_like(p)
        each, best = np.arange(blocks), p.argmax(1)
        right = paid = 0.0
        pulls = int(self.pulls)
        for _ in range(pulls):
            count = wins + losses
            mean = wins / count
            index = mean + bonus * np.sqrt(mean * (1 - mean) / (count + 1))
            arm = np.argmax(index + 1e-9 * rng.random(p.shape), axis=1)  # ties at random
            pays = rng.random(blocks) < p[each, arm]
            wins[each, arm] += pays
            losses[each, arm] += ~pays
            right, paid = right + np.mean(arm == best), paid + np.mean(pays)
        return float(right / pulls), float(paid)


class RestlessBandit(Arms):
    """A restless bandit: the arms' mean payoffs wander, so that one must go back to those that were given up.

    Each arm's mean follows a Gaussian random walk that decays towards a center, and starts anywhere in the walk's
    stationary law. A trial is one step: the arm that is pulled pays its mean plus Gaussian noise, in points. A network
    needs its last action and reward among its inputs.

    Channels: `go` (always 1). Actions: 0 .. arms - 1 pull an arm. Conditions: `means` `[arms]` (points), `noise`
    (standard normal); `ground_truth` (the arm of the greatest mean) follows.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("RestlessBandit-v0", preset="paper"), jax.random.key(0), 1000)
        >>> 48 < batch.conditions["means"].mean() < 52
        Array(True, dtype=bool)
    """

    REWARDS = {"point": 0.01}
    PRESETS = {
        "paper": {
            "arms": 4, "decay": 0.9836, "center": 50.0, "diffusion": 2.8, "sigma": 4.0, "whole_points": True,
            "rewards": {"point": 1.0},
        }
    }  # fmt: skip
    PAPER = Paper(
        "Daw, O'Doherty, Dayan, Seymour & Dolan (2006). Cortical substrates for exploratory decisions in humans. "
        "Nature 441:876",
        "10.1038/nature04766",
    )
    TAGS = ("n-alternative",)
    UNITS = {"means": "points"}

    arms: int = structure(4, low=2, aliases=("n",), source="paper", doc="number of arms")
    decay: Any = quantity(
        0.9836, low=0, high=1, source="paper", doc="share of a mean's distance from the center that is left a trial on"
    )
    center: Any = quantity(50.0, units="points", source="paper", doc="what the means decay to")
    diffusion: Any = quantity(2.8, units="points", low=0, source="paper", doc="standard deviation of a mean's step")
    sigma: Any = quantity(4.0, units="points", low=0, source="paper", doc="standard deviation of a payoff")
    whole_points: Any = flag(False, source="neurojax", doc="whether payoffs are rounded, and held in 1 .. 100")

    def validate(self) -> None:
        if self.decay >= 1:
            raise InvalidArgument(f"decay must be below 1, or the walk has no stationary law, got {self.decay:g}")

    @property
    def channels(self) -> Channels:
        return Channels.named(go=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(arm=self.arms)

    @property
    def spread(self):
        """The standard deviation of an arm's mean in the long run, in points."""
        return self.diffusion / jnp.sqrt(1 - self.decay**2)

    def init_memory(self, draw):
        return {"means": self.center + self.spread * draw.normal("means", (self.arms,))}

    def next_memory(self, memory, trial, result, draw):
        step = self.diffusion * draw.normal("means", (self.arms,))
        return {"means": self.center + self.decay * (memory["means"] - self.center) + step}

    def conditions(self, draw, memory):
        means = draw.remembered("means", memory["means"])
        best = jnp.argmax(means).astype(jnp.int32)
        return {"means": means, "noise": draw.normal("noise"), "ground_truth": best}

    def observe(self, trial, state, t):
        return {"go": 1.0}

    def respond(self, trial, state, action, t, draw):
        means = trial["means"]
        points = means[action] + self.sigma * trial["noise"]
        points = jnp.where(self.whole_points, jnp.clip(jnp.round(points), 1.0, 100.0), points)
        return consequence(reward=self.rewards["point"] * points, end=True, correct=means[action] >= jnp.max(means))

    def references(self):
        # The best policy of all is not known in closed form: "ideal" is the best of a family of players.
        ideal = max(self.play_kalman(bonus) for bonus in _BONUSES)
        return {"clairvoyant": 1.0, "ideal": ideal, "blind": 1 / self.arms, "random": 1 / self.arms}

    def play_kalman(self, bonus: float, sessions: int = 400, trials: int = 300) -> float:
        """Mean performance of a player who tracks the means by Kalman filters with the task's parameters.

        It pulls the arm whose mean plus `bonus` standard deviations is greatest (rounding of payoffs it ignores).
        Simulated with a fixed seed.
        """
        rng = np.random.default_rng(0)
        decay, center = float(self.decay), float(self.center)
        noise, walk = float(self.sigma) ** 2, float(self.diffusion) ** 2
        shape = (sessions, self.arms)
        variance = np.full(shape, walk / (1 - decay**2))
        means = center + np.sqrt(variance) * rng.standard_normal(shape)
        mean, each, right = np.full(shape, center), np.arange(sessions), 0.0
        for _ in range(trials):
            index = mean + bonus * np.sqrt(variance)
            arm = np.argmax(index + 1e-9 * rng.random(shape), axis=1)
            right += np.mean(means[each, arm] >= means.max(1))
            payoff = means[each, arm] + np.sqrt(noise) * rng.standard_normal(sessions)
            gain = variance[each, arm] / np.maximum(variance[each, arm] + noise, 1e-30)
            mean[each, arm] += gain * (payoff - mean[each, arm])
            variance[each, arm] *= 1 - gain
            mean, variance = center + decay * (mean - center), decay**2 * variance + walk
            means = center + decay * (means - center) + np.sqrt(walk) * rng.standard_normal(shape)
        return float(right / trials)


class ProbabilisticReversal(Arms):
    """Probabilistic reversal: one of two arms pays more often, and which of them reverses without a cue.

    A trial is one step: the arm that is pulled pays or not. The better arm is drawn at a session's start and changes
    at the end of each block. The length of a block lies between two bounds and is geometric in between: the chance of a
    reversal after a trial is `hazard` until the upper bound draws near. With `hazard` 0 all lengths are as likely. A
    network needs its last action and reward among its inputs.

    Channels: `go` (always 1). Actions: 0 and 1 pull an arm. Conditions: `ground_truth` (the better arm), `luck`
    (uniform; an arm pays where its probability exceeds it).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("ProbabilisticReversal-v0", high=0.7, low=0.3)
        >>> nj.render(task, jax.random.key(0), 2, ground_truth=1).targets.tolist()
        [[1], [1]]
    """

    REWARDS = {"correct": 1.0, "fail": 0.0}
    PAPER = Paper(
        "Beron, Neufeld, Linderman & Sabatini (2022). Mice exhibit stochastic and efficient action switching during "
        "probabilistic decision making. PNAS 119:e2113961119",
        "10.1073/pnas.2113961119",
    )
    TAGS = ("two-alternative",)

    high: Any = quantity(0.8, low=0, high=1, source="neurojax", doc="probability with which the better arm pays")
    low: Any = quantity(0.2, low=0, high=1, source="neurojax", doc="probability with which the other arm pays")
    hazard: Any = quantity(0.02, low=0, high=1, source="neurojax", doc="chance of a reversal after a trial, in between")
    block_min: Any = quantity(1, units="trials", low=1, source="neurojax", doc="least length of a block")
    block_max: Any = quantity(1000, units="trials", low=1, source="neurojax", doc="greatest length of a block")

    def validate(self) -> None:
        check_whole(self, "block_min", "block_max")
        if not self.block_min <= self.block_max:
            raise InvalidArgument(f"block_min must not exceed block_max, got {self.block_min:g} and {self.block_max:g}")
        check_order(self, "low", "high")

    @property
    def channels(self) -> Channels:
        return Channels.named(go=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(arm=2)

    def init_memory(self, draw):
        return {
            "better": draw.integer("better", 2),
            "trial_in_block": jnp.int32(0),
            "block_size": self._block_size(draw),
        }

    def next_memory(self, memory, trial, result, draw):
        count = memory["trial_in_block"] + 1
        over = count >= memory["block_size"]
        return {
            "better": jnp.where(over, 1 - memory["better"], memory["better"]),
            "trial_in_block": jnp.where(over, 0, count),
            "block_size": jnp.where(over, self._block_size(draw), memory["block_size"]),
        }

    def _block_size(self, draw):
        """A length with probability in proportion to (1 - hazard) to its power, between the bounds."""
        u = draw.uniform("block_size")
        span = self.block_max - self.block_min + 1
        flat = self.hazard < 1e-6
        log_stay = jnp.log1p(-jnp.where(flat, 0.5, self.hazard))
        geometric = jnp.log1p(u * jnp.expm1(span * log_stay)) / log_stay
        size = self.block_min + jnp.floor(jnp.where(flat, u * span, geometric))
        return as_int(jnp.minimum(size, self.block_max))

    def conditions(self, draw, memory):
        return {"ground_truth": draw.remembered("ground_truth", memory["better"], 2), "luck": draw.uniform("luck")}

    def observe(self, trial, state, t):
        return {"go": 1.0}

    def respond(self, trial, state, action, t, draw):
        correct = action == trial["ground_truth"]
        pays = trial["luck"] < jnp.where(correct, self.high, self.low)
        return consequence(
            reward=jnp.where(pays, self.rewards["correct"], self.rewards["fail"]), end=True, correct=correct
        )

    def hazards(self) -> np.ndarray:
        """Probability `[n]` of a reversal after the 1st, 2nd, .. trial of a block, while nearly all blocks last."""
        low, high, stay = int(self.block_min), int(self.block_max), 1 - float(self.hazard)
        left = np.arange(high - low, -1, -1)  # trials from each possible length to the upper bound
        rising = 1 / (left + 1) if stay == 1 else (1 - stay) / (1 - stay ** (left + 1))
        hazards = np.concatenate([np.zeros(low - 1), rising])
        lasting = np.cumprod(1 - hazards)
        kept = hazards[: 1 + int(np.argmax(lasting < 1e-3))]
        # A chance that no longer changes needs no further age.
        changes = np.flatnonzero(np.abs(kept - kept[-1]) > 1e-6)
        return kept[: int(changes[-1]) + 2 if len(changes) else 1]

    def references(self):
        ideal = track_reversals(self.hazards(), (1.0, 1.0), float(self.high), float(self.low))
        return {"clairvoyant": 1.0, "ideal": ideal[0], "blind": 0.5, "random": 0.5}


def track_reversals(
    hazards: Sequence[float] | np.ndarray, common: tuple[float, float], high: float, low: float, trials: int = 1000
) -> tuple[float, float]:
    """How a Bayesian fares where one of two places pays more often, and which of them reverses.

    It knows the probabilities, keeps that of each state and of each number of trials since the reversal, and always
    heads for the place that is likelier to be the better one. Where high + low = 1, what is learnt does not depend on
    the choice, and nobody does better; elsewhere exploring might gain a little. Simulated with a fixed seed: 200
    sessions.

    Args:
        hazards: probability of a reversal after the 1st, 2nd, .. trial of a block; the last holds from there on.
        common: probability with which each action leads to its own place, else to the other.
        high, low: probability with which the better and the worse place pay.
        trials: of a session.

    Returns:
        The share of trials in which the action of the better place was chosen, and the share that paid.
    """
    rng, sessions, hazards = np.random.default_rng(0), 200, np.asarray(hazards, float)
    belief = np.zeros((sessions, 2, len(hazards)))
    belief[:, :, 0] = 0.5
    better = rng.integers(2, size=sessions)
    age = np.zeros(sessions, int)
    chances, odds = np.asarray(common), np.array([low, high])
    right = paid = 0
    for _ in range(trials):
        action = (belief[:, 1].sum(-1) > belief[:, 0].sum(-1)).astype(int)
        place = np.where(rng.random(sessions) < chances[action], action, 1 - action)
        pays = rng.random(sessions) < odds[(place == better).astype(int)]
        right, paid = right + np.sum(action == better), paid + np.sum(pays)
        likelihood = odds[(np.arange(2) == place[:, None]).astype(int)]
        belief = belief * np.where(pays[:, None], likelihood, 1 - likelihood)[:, :, None]
        belief /= belief.sum((1, 2), keepdims=True)
        stays, leaves = belief * (1 - hazards), (belief * hazards).sum(-1)
        belief = np.zeros_like(belief)
        belief[:, :, 1:] = stays[:, :, :-1]
        belief[:, :, -1] += stays[:, :, -1]
        belief[:, :, 0] += leaves[:, ::-1]
        turns = rng.random(sessions) < hazards[age]
        better, age = np.where(turns, 1 - better, better), np.where(turns, 0, np.minimum(age + 1, len(hazards) - 1))
    return float(right / (trials * sessions)), float(paid / (trials * sessions))


def as_int(value):
    """A whole number that is stored as float32, as int32."""
    return jnp.asarray(value).astype(jnp.int32)


def check_whole(task: Task, *names: str) -> None:
    """Refuse parameters that count trials and are not whole."""
    for name in names:
        if float(getattr(task, name)) % 1:
            raise InvalidArgument(f"{name} must be a whole number of trials, got {float(getattr(task, name)):g}")


def check_order(task: Task, low: str, high: str) -> None:
    """Refuse a lower parameter that is not below the higher one."""
    if not getattr(task, low) < getattr(task, high):
        raise InvalidArgument(f"{low} must be below {high}, got {getattr(task, low):g} and {getattr(task, high):g}")
