"""Evidence in pieces: pulses, shapes and clicks to be counted or weighed."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import Chance, path_hash
from neurojax.core.parameters import flag, quantity, structure, time_step
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities, whole_steps
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import hold_then_choose, random_hold

_LN10 = np.float32(math.log(10))
_TRAINS = 1 << 23  # as many as a uniform float32 tells apart
_MOST_CLICKS = 12  # of one side in a step; at 1.6 expected ones, more come less than once in 10 million steps
_MOST_EXPECTED = 1.6


class PulseDecisionMaking(Task):
    """Pulses in two streams: which side showed more?

    Fixation is on until the decision. The stimulus is a row of bins; each starts with a brief cue, in which either
    side may show a pulse, by its probability in this trial. The side with more pulses is right, a drawn one where they
    are as many. The first choice in the decision period ends the trial; earlier ones cost a reward.

    Channels: `fixation`, `stimulus` `[2]`. Actions: 0 fixates, 1 and 2 choose a side.
    Conditions: `side` (0: side 1 shows pulses with the first of `p_pulse`, 1: with the second), `pulse1` and `pulse2`
    `[n_bin]` (0 or 1), `tie` (whether side 2 is right where both are as many); `ground_truth` (from 0) follows.

    The durations `cue` and `bin` hold for all bins; where they are random, each is drawn for itself.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("PulseDecisionMaking-v0", n_bin=3)
        >>> batch = nj.render(task, jax.random.key(0), 1, pulse1=[0, 1, 0], pulse2=[1, 0, 1])
        >>> int(batch.conditions["ground_truth"][0]), batch.inputs[0, [50, 75, 100], 1:].tolist()
        (1, [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    """

    TIMING = {"fixation": 500, "cue": 10, "bin": 240, "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Scott, Constantinople, Erlich, Tank & Brody (2015). Sources of noise during accumulation of evidence in "
        "unrestrained and voluntarily head-restrained rats. eLife 4:e11308",
        "10.7554/eLife.11308",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")
    DEVIATIONS = (
        Deviation(
            what="timing",
            neurogym="has a name for each cue and bin: cue0, bin0, cue1, ...",
            here="`cue` and `bin` hold for all of them",
            reason="they are the same bins, as many as `n_bin` says",
            kind="interface",
        ),
    )
    PROBES = ({"abort": False},)  # with it, hardly any random play lasts until a choice can be wrong

    dt: float = time_step(10)
    p_pulse: Any = quantity(
        (0.3, 0.7), low=0, high=1, many=True, doc="probability of a pulse in a bin, of one side and of the other"
    )
    abort: Any = flag(False, doc="whether responding before the decision ends the trial")
    n_bin: int = structure(6, low=1, doc="number of bins")

    def validate(self) -> None:
        if np.size(self.p_pulse) != 2:
            raise InvalidArgument(
                f"p_pulse must be two probabilities, one a side, got {np.ravel(self.p_pulse).tolist()}"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    @property
    def laws(self):
        bins = {f"{name}{i}": self.timing[name] for i in range(self.n_bin) for name in ("cue", "bin")}
        return {"fixation": self.timing["fixation"], **bins, "decision": self.timing["decision"]}

    @property
    def period_names(self):
        return tuple(self.laws)

    def periods(self, conditions, steps):
        return _in_order(self.period_names, steps)

    def conditions(self, draw, memory):
        side = draw.integer("side", 2)
        p = jnp.asarray(self.p_pulse)
        shown = draw.chance("pulses").uniform((2, self.n_bin)) < jnp.where(side == 0, p, p[::-1])[:, None]
        pulse1 = draw.remembered("pulse1", shown[0].astype(jnp.int32), 2)
        pulse2 = draw.remembered("pulse2", shown[1].astype(jnp.int32), 2)
        more = jnp.sum(pulse2 - pulse1, dtype=jnp.int32)
        tie = draw.flip("tie")
        return {
            "side": side,
            "pulse1": pulse1,
            "pulse2": pulse2,
            "tie": tie,
            "ground_truth": ((more > 0) | ((more == 0) & tie)).astype(jnp.int32),
        }

    def observe(self, trial, state, t):
        on = jnp.stack([trial.during(f"cue{i}", t) for i in range(self.n_bin)])
        pulses = jnp.stack([trial["pulse1"], trial["pulse2"]])
        return {
            "fixation": ~trial.during("decision", t),
            "stimulus": jnp.sum(jnp.where(on, pulses, 0), axis=1, dtype=jnp.int32),
        }

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return hold_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        """The ideal observer chooses the side that it saw more pulses of, and guesses where it saw as many."""
        one, other = (float(p) for p in np.ravel(self.p_pulse))
        # of one bin: the difference of the sides is -1, 0 or 1
        single = np.array([one * (1 - other), one * other + (1 - one) * (1 - other), (1 - one) * other])
        hidden = step_probabilities(self.timing["cue"], self.dt).get(0, 0.0)  # cues that last no step show nothing
        ideal = 0.0
        for seen in range(self.n_bin + 1):
            p = math.comb(self.n_bin, seen) * (1 - hidden) ** seen * hidden ** (self.n_bin - seen)
            ideal += p * self._same_sign(_repeated(single, seen), _repeated(single, self.n_bin - seen)) if p else 0.0
        return {"ideal": ideal, "blind": 0.5, "random": random_hold(self, 0.5)}

    @staticmethod
    def _same_sign(seen: np.ndarray, rest: np.ndarray) -> float:
        """How often what was seen has the sign of the whole, given both distributions of differences about 0."""
        a = np.arange(len(seen)) - len(seen) // 2
        b = np.arange(len(rest)) - len(rest) // 2
        agree = np.sign(a)[:, None] * np.sign(a[:, None] + b)
        return float(seen @ ((1 + agree) / 2) @ rest)


class ProbabilisticReasoning(Task):
    """Probabilistic reasoning: shapes shown one after the other each add their weight to the odds of a reward.

    Fixation is on until the decision. A shape after the other appears, each at another location, and stays until the
    last one goes; a delay follows. The sum of the shapes' weights is the log odds, to the base of 10, that choice 2
    will be rewarded; which one is, is drawn. The first choice in the decision period ends the trial; earlier ones cost
    a reward.

    Channels: `loc0`, `loc1`, ... `[n_shape]`, one-hot, after `fixation`. Actions: 0 fixates, 1 and 2 choose.
    Conditions: `locs` `[n_loc]` (where each shape appears), `shapes` `[n_loc]` (from 0, in the order of
    `shape_weight`), `ground_truth` (0 or 1: whether choice 2 is rewarded); `log_odd` follows from the shapes.

    The duration `stimulus` holds for all shapes; where it is random, each is drawn for itself.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("ProbabilisticReasoning-v0"), jax.random.key(0), 1, shapes=[9, 0, 5, 5])
        >>> round(float(batch.conditions["log_odd"][0]), 2)
        0.6
    """

    TIMING = {"fixation": 500, "stimulus": 500, "delay": ("uniform", (450, 550)), "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Yang & Shadlen (2007). Probabilistic reasoning by neurons. Nature 447:1075",
        "10.1038/nature05852",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")
    DEVIATIONS = (
        Deviation(
            what="timing",
            neurogym="has a name for each shape: stimulus0, stimulus1, ...",
            here="`stimulus` holds for all of them",
            reason="they are the same periods, as many as `n_loc` says",
            kind="interface",
        ),
    )
    UNITS = {"log_odd": "log10 odds"}
    PROBES = ({"abort": False},)  # with it, hardly any random play lasts until a choice can be wrong

    shape_weight: Any = quantity(
        (-10.0, -0.9, -0.7, -0.5, -0.3, 0.3, 0.5, 0.7, 0.9, 10.0), units="log10 odds", many=True,
        doc="weight of each shape; 10 stands for certainty",
    )  # fmt: skip
    abort: Any = flag(False, doc="whether responding before the decision ends the trial")
    n_loc: int = structure(4, low=1, doc="number of locations, and of shapes in a trial")

    @property
    def n_shape(self) -> int:
        """How many shapes there are."""
        return np.shape(self.shape_weight)[-1]

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, **{f"loc{i}": self.n_shape for i in range(self.n_loc)})

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    @property
    def laws(self):
        shapes = {f"stimulus{i}": self.timing["stimulus"] for i in range(self.n_loc)}
        return {"fixation": self.timing["fixation"], **shapes, **{k: self.timing[k] for k in ("delay", "decision")}}

    @property
    def period_names(self):
        return tuple(self.laws)

    def periods(self, conditions, steps):
        return _in_order(self.period_names, steps)

    def conditions(self, draw, memory):
        n = self.n_loc
        u = draw.chance("shapes").uniform((2, n))
        shapes = jnp.minimum((u[0] * np.float32(self.n_shape)).astype(jnp.int32), self.n_shape - 1)
        shapes = draw.remembered("shapes", shapes, self.n_shape)
        # A permutation: the rank of each of n numbers, without a sort. Equal ones rank in their order.
        earlier = np.tri(n, k=-1, dtype=bool)
        below = (u[1][None] < u[1][:, None]) | ((u[1][None] == u[1][:, None]) & earlier)
        locs = draw.remembered("locs", jnp.sum(below, axis=1, dtype=jnp.int32), n)
        log_odd = jnp.sum(jnp.asarray(self.shape_weight)[shapes])
        p: Any = jax.nn.sigmoid(log_odd * _LN10)
        return {
            "locs": locs,
            "shapes": shapes,
            "log_odd": log_odd,
            "ground_truth": draw.flip("ground_truth", p).astype(jnp.int32),
        }

    def observe(self, trial, state, t):
        n, last = self.n_loc, f"stimulus{self.n_loc - 1}"
        since = jnp.stack([trial.start[f"stimulus{i}"] for i in range(n)])
        on = (t >= since) & (t < trial.end[last])
        place = (jnp.arange(n, dtype=jnp.int32)[:, None] == trial["locs"]) & on  # [location, shape in order]
        which = trial["shapes"][:, None] == jnp.arange(self.n_shape, dtype=jnp.int32)
        shown = place.astype(jnp.float32) @ which.astype(jnp.float32)
        return {"fixation": ~trial.during("decision", t), **{f"loc{i}": shown[i] for i in range(n)}}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return hold_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        """The ideal observer adds up the weights that it saw; the clairvoyant knows what is drawn from the odds."""
        from scipy.special import expit

        n = self.n_loc
        weights = np.ravel(self.shape_weight).astype(np.float64)
        hidden = step_probabilities(self.timing["stimulus"], self.dt).get(0, 0.0)
        reward = lambda a, b: expit((a + b) * math.log(10))
        ideal = blind = 0.0
        for seen in range(n + 1):  # a shape stays until the last, so the first ones are seen where any later one is
            p = hidden**n if seen == 0 else (1 - hidden) * hidden ** (n - seen)
            if p == 0:
                continue
            (a, pa), (b, pb) = _sums(weights, seen), _sums(weights, n - seen)
            choice2 = np.array([reward(x, b) @ pb for x in a])
            ideal += p * float(pa @ np.maximum(choice2, 1 - choice2))
        total, share = _sums(weights, n)
        blind = float(reward(total, 0) @ share)
        return {
            "clairvoyant": 1.0,
            "ideal": ideal,
            "blind": max(blind, 1 - blind),
            "random": random_hold(self, 0.5),
        }


class PoissonClicks(Task):
    """Poisson clicks: two trains of clicks, left and right; which side had more?

    Fixation is on until the decision. During the stimulus, of variable length, clicks come from the left and from the
    right at random times, at rates that add up to a total and stand in a ratio of e to the `gamma`. The channels count
    the clicks of each step. The side with more clicks is right, a drawn one where they are as many. The end of
    fixation, with that of the clicks, is the go cue, and the first choice in the decision period ends the trial;
    earlier ones cost a reward.

    Channels: `fixation`, `clicks` `[2]` (left, right). Actions: 0 fixates, 1 and 2 choose left and right.
    Conditions: `side` (0: left has the higher rate, 1: right), `gamma` (log of the higher rate over the lower),
    `stimulus` (ms), `train` (a number for the times of the clicks: given again, with the same rates, it repeats them),
    `tie` (whether right counts as more where both are as many); `clicks` `[2]` (how many there are) and `ground_truth`
    (0 left, 1 right) follow.

    The total rate and the rule are the paper's; the ratios and durations are ours, in the range of its rats.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("PoissonClicks-v0"), jax.random.key(0), 4)
        >>> bool((batch.inputs[..., 1:].sum(axis=1) == batch.conditions["clicks"]).all())
        True
    """

    TIMING = {"fixation": 200, "stimulus": ("uniform", (200, 1000)), "decision": 300}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Brunton, Botvinick & Brody (2013). Rats and humans can optimally accumulate evidence for decision-making. "
        "Science 340:95",
        "10.1126/science.1233912",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")
    UNITS = {"stimulus": "ms", "clicks": "clicks"}
    PROBES = ({"abort": False},)  # with it, hardly any random play lasts until a choice can be wrong

    dt: float = time_step(20)
    total_rate: Any = quantity(40.0, units="clicks/s", low=0, source="paper", doc="rate of both sides together")
    gammas: Any = quantity(
        (0.5, 1.5, 2.5, 3.5), low=0, many=True, source="neurojax",
        doc="logs of the higher rate over the lower, each as likely",
    )  # fmt: skip
    abort: Any = flag(False, source="paper", doc="whether responding before the decision ends the trial")

    def validate(self) -> None:
        expected = float(self.total_rate) * self.dt / 1000
        if expected > _MOST_EXPECTED:
            raise InvalidArgument(
                f"total_rate={float(self.total_rate):g} gives {expected:g} clicks a step at dt={self.dt:g} ms, "
                f"more than {_MOST_EXPECTED}; use dt <= {1000 * _MOST_EXPECTED / float(self.total_rate):g}"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, clicks=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    def _clicks(self, train, side, gamma, step):
        """int32 `[2]`: clicks of left and right in a step of the stimulus.

        The number of a train is a key of its own, so that any step's clicks are known without those before.
        """
        words = jnp.stack([train.astype(jnp.uint32), jnp.uint32(path_hash("clicks"))])
        drawn = Chance(words=words, lane=jnp.uint32(0)).fold(step).words  # two words, one a side
        u = (drawn >> np.uint32(8)).astype(jnp.float32) * np.float32(2**-24)
        ratio = jnp.where(side == 1, gamma, -gamma)
        mean = self.total_rate * np.float32(self.dt / 1000) * jax.nn.sigmoid(jnp.stack([-ratio, ratio]))
        # The quantile of the Poisson distribution, term by term.
        term = jnp.exp(-mean)
        below, count = term, (u >= term).astype(jnp.int32)
        for k in range(1, _MOST_CLICKS):
            term = term * mean * np.float32(1 / k)
            below = below + term
            count = count + (u >= below).astype(jnp.int32)
        return count

    def conditions(self, draw, memory):
        side = draw.integer("side", 2)
        gamma = draw.choice("gamma", self.gammas)
        stimulus = draw.duration("stimulus")
        train = draw.integer("train", _TRAINS)
        tie = draw.flip("tie")
        steps = jnp.arange(self.capacity, dtype=jnp.int32)
        clicks = jax.vmap(lambda step: self._clicks(train, side, gamma, step))(steps)
        on = (steps < whole_steps(stimulus, self.dt))[:, None]
        total = jnp.sum(jnp.where(on, clicks, 0), axis=0, dtype=jnp.int32)
        return {
            "side": side,
            "gamma": gamma,
            "stimulus": stimulus,
            "train": train,
            "tie": tie,
            "clicks": total,
            "ground_truth": ((total[1] > total[0]) | ((total[1] == total[0]) & tie)).astype(jnp.int32),
        }

    def periods(self, conditions, steps):
        on = steps("fixation")
        off = on + whole_steps(conditions["stimulus"], self.dt)
        return {"fixation": (0, on), "stimulus": (on, off), "decision": (off, off + steps("decision", off))}

    def longest(self):
        upper = self.timing["stimulus"].upper()
        return self.longest_under({"stimulus": np.float32(upper)}) if math.isfinite(upper) else math.inf

    def observe(self, trial, state, t):
        clicks = self._clicks(trial["train"], trial["side"], trial["gamma"], t - trial.start["stimulus"])
        return {
            "fixation": ~trial.during("decision", t),
            "clicks": jnp.where(trial.during("stimulus", t), clicks, 0),
        }

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return hold_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        """The ideal observer counts, and guesses where both sides are as many.

        The difference of two Poisson counts follows the Skellam distribution: it is 0 with probability
        exp(-a - b) I0(2 sqrt(a b)), for means a and b.
        """
        from scipy.special import ive

        tied = 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            total = float(self.total_rate) * steps * self.dt / 1000
            for gamma in np.ravel(self.gammas).astype(np.float64):
                a, b = total / (1 + math.exp(-gamma)), total / (1 + math.exp(gamma))
                zero = ive(0, 2 * math.sqrt(a * b)) * math.exp(-((math.sqrt(a) - math.sqrt(b)) ** 2))
                tied += p * zero / np.size(self.gammas)
        return {"ideal": 1 - float(tied) / 2, "blind": 0.5, "random": random_hold(self, 0.5)}


def _in_order(names, steps) -> dict[str, tuple[Any, Any]]:
    """Start and end of periods that follow each other."""
    elapsed, out = 0, {}
    for name in names:
        end = elapsed + steps(name, elapsed)
        out[name] = (elapsed, end)
        elapsed = end
    return out


def _repeated(single: np.ndarray, count: int) -> np.ndarray:
    """The distribution of the sum of `count` draws, given that of one, both centred on 0."""
    out = np.ones(1)
    for _ in range(count):
        out = np.convolve(out, single)
    return out


def _sums(weights: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The sums of `count` weights drawn with replacement, and their probabilities; equal to 1e-4 are one."""
    values, shares = np.zeros(1), np.ones(1)
    for _ in range(count):
        values, where = np.unique(np.round(np.add.outer(values, weights).ravel(), 4), return_inverse=True)
        shares = np.bincount(where.ravel(), np.repeat(shares, len(weights)) / len(weights))
    return values, shares
