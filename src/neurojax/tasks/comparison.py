"""Delayed comparison: which of two magnitudes, seconds apart, was the greater?"""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Paper, Task
from neurojax.core.timing import Law, step_probabilities
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import fixate_then_choose, random_choice


class _Comparison(Task):
    """What the comparisons share: two magnitudes, shown by one noisy channel, and a choice of the greater.

    Subclasses draw `v1` and `v2`, and `ground_truth`: 1 where the first is the greater, 2 where the second is.
    """

    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    def _table(self) -> Any:
        """The pairs, rows of two magnitudes."""
        raise NotImplementedError

    def _represent(self, magnitude, low, high):
        """How a magnitude is shown: from .5 for the least of the table to 1 for the greatest."""
        return (1 + (magnitude - low) / (high - low)) / 2

    def observe(self, trial, state, t):
        table = jnp.asarray(self._table())
        shows = trial.during("stimulus1", t) | trial.during("stimulus2", t)
        magnitude = jnp.where(trial.during("stimulus1", t), trial["v1"], trial["v2"])
        return {
            "fixation": ~trial.during("decision", t),
            "stimulus": jnp.where(shows, self._represent(magnitude, table.min(), table.max()), 0.0),
        }

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == trial["ground_truth"])

    def _shown(self) -> np.ndarray:
        """All ordered pairs `[n, 2]` that are as likely, as they are shown."""
        raise NotImplementedError

    def references(self):
        first = np.mean(np.greater(*self._shown().T))
        decides = 1 - step_probabilities(self.timing["decision"], self.dt).get(0, 0.0)
        return {
            "clairvoyant": decides,
            "ideal": decides * self.accuracy_from(("stimulus1", "stimulus2")),
            "blind": decides * float(max(first, 1 - first)),
            "random": random_choice(self, 0.5),
        }

    def accuracy_from(self, stimuli: tuple[str, ...]) -> float:
        """Accuracy of the ideal observer of these stimuli alone: "stimulus1", "stimulus2" or both.

        The mean of what a stimulus of T ms shows is normal, with standard deviation sigma / sqrt(T). The observer knows
        the table of pairs and sums their likelihoods on either side; its accuracy is the mean of the greater posterior,
        by quasi-Monte Carlo over noise and durations.
        """
        from scipy.special import logsumexp, ndtri

        pairs = self._shown()
        count = int(np.clip(4e6 / len(pairs) ** 2, 64, 8192))
        # an additive recurrence in four dimensions (roots of the generalised golden ratio, x^5 = x + 1)
        places = (0.5 + np.arange(1, count + 1)[:, None] * 1.1673039782614187 ** -np.arange(1.0, 5.0)) % 1
        sigma = max(float(self.sigma), 1e-6)
        likelihood = np.zeros((len(pairs), count, len(pairs)))  # of each pair (last), where a pair (first) is shown
        for k, name in enumerate(("stimulus1", "stimulus2")):
            if name in stimuli:
                gain = np.sqrt(_lengths(self.timing[name], self.dt, places[:, k]) * self.dt) / sigma
                shown = pairs[:, k, None] * gain + ndtri(places[:, 2 + k])
                likelihood -= (shown[..., None] - gain[:, None] * pairs[:, k]) ** 2 / 2
        first = pairs[:, 0] > pairs[:, 1]
        sides = [
            logsumexp(likelihood[..., side], axis=-1) if side.any() else np.full(likelihood.shape[:2], -np.inf)
            for side in (first, ~first)
        ]
        return float(np.mean(np.exp(np.maximum(*sides) - np.logaddexp(*sides))))


def _lengths(law: Law, dt: float, quantiles: np.ndarray) -> np.ndarray:
    """Lengths of a period in steps at these quantiles."""
    steps = step_probabilities(law, dt)
    edges = np.cumsum(list(steps.values()))
    return np.array(list(steps))[np.minimum(np.searchsorted(edges, quantiles), len(edges) - 1)]


class DelayComparison(_Comparison):
    """Delayed comparison of two magnitudes: which was the greater, the first or the second?

    Fixation is on until the decision. Two stimuli are shown by one channel, separated by a delay, under Gaussian noise
    on both channels; magnitudes are shown scaled, from .5 for the least to 1 for the greatest of the table. The first
    choice in the decision period ends the trial.

    Channels: `fixation`, `stimulus`. Actions: 0 fixates, 1 and 2 say which stimulus was the greater.
    Conditions: `ground_truth` (1 or 2), `pair` (a row of `vpairs`); `v1` and `v2` follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("DelayComparison-v0", vpairs=[(30, 10), (20, 10)])
        >>> nj.render(task, jax.random.key(0), 2, pair=0, ground_truth=2).conditions["v2"].tolist()
        [30.0, 30.0]
    """

    TIMING = {"fixation": 500, "stimulus1": 500, "delay": 1000, "stimulus2": 500, "decision": 100}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Barak, Tsodyks & Romo (2010). Neuronal population coding of parametric working memory. J. Neurosci. 30:9424",
        "10.1523/JNEUROSCI.1875-10.2010",
    )
    TAGS = ("perceptual", "working memory", "two-alternative", "supervised")
    UNITS = {"v1": "Hz", "v2": "Hz"}

    vpairs: Any = quantity(
        ((18, 10), (22, 14), (26, 18), (30, 22), (34, 26)),
        units="Hz", many=2, doc="pairs of magnitudes, the greater first; shown in either order, each as likely",
    )  # fmt: skip
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    def validate(self) -> None:
        _check_pairs("vpairs", self.vpairs)
        for greater, lesser in np.asarray(self.vpairs):
            if not greater > lesser:
                raise InvalidArgument(
                    f"vpairs must be rows of the greater and the lesser magnitude, got ({greater:g}, {lesser:g}); "
                    "each is shown in either order"
                )

    def _table(self):
        return self.vpairs

    def conditions(self, draw, memory):
        ground_truth = draw.choice("ground_truth", np.asarray([1, 2], np.int32))
        pair = draw.integer("pair", np.shape(self.vpairs)[0])
        greater, lesser = jnp.asarray(self.vpairs)[pair]
        first = ground_truth == 1
        return {
            "ground_truth": ground_truth,
            "pair": pair,
            "v1": jnp.where(first, greater, lesser),
            "v2": jnp.where(first, lesser, greater),
        }

    def noise(self, trial, state, t, draw):
        shows = trial.during("stimulus1", t) | trial.during("stimulus2", t)
        noise = jnp.where(shows, self.sigma / math.sqrt(self.dt), 0.0) * draw.normal("noise", (2,))
        return {"fixation": noise[0], "stimulus": noise[1]}

    def _shown(self):
        table = np.asarray(self.vpairs, np.float64)
        shown = self._represent(table, table.min(), table.max())
        return np.concatenate([shown, shown[:, ::-1]])


def _neighbours(levels: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """All ordered pairs of levels that are next to each other."""
    ups = tuple(itertools.pairwise(levels))
    return (*ups, *((b, a) for a, b in ups))


class ParametricWorkingMemory(_Comparison):
    """Parametric working memory: hold a magnitude over a variable delay, and compare it with a second one.

    The subject fixates (a rat keeps its nose in the centre port) until the decision, and leaving ends the trial. Two
    stimuli are shown by one noisy channel, separated by a delay of variable length; magnitudes are shown scaled, from
    .5 for the least to 1 for the greatest of the table. The end of fixation is the go cue: the first choice ends the
    trial, correct where it names the greater stimulus. Pairs of neighbouring levels in both orders make the first
    stimulus necessary.

    Channels: `fixation`, `stimulus`. Actions: 0 fixates, 1 and 2 say which stimulus was the greater.
    Conditions: `pair` (a row of `pairs`); `v1`, `v2` and `ground_truth` (1 or 2) follow. `delay=` (ms) may be given.

    The default pairs are the eight of Akrami et al. (2018), Set A, in dB as their laboratory's task code states them;
    timing is our own. `preset="rat"` has the amplitudes z-scored, as in the published data of rat W053 (there choice
    and answer are 2 where the first sound is the louder). `preset="romo"` has pairs of flutter frequencies 8 Hz apart,
    and the timing of Salinas et al. (2000, 10.1523/JNEUROSCI.20-14-05503.2000).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("ParametricWorkingMemory-v0")
        >>> batch = nj.render(task, jax.random.key(0), 2, pair=0, delay=[1000, 3000])
        >>> batch.lengths.tolist(), batch.conditions["v2"].tolist()
        ([26, 46], [68.0, 68.0])
    """

    TIMING = {
        "fixation": 200,
        "stimulus1": 400,
        "delay": ("uniform", (1000, 3000)),
        "stimulus2": 400,
        "decision": 600,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {
        "rat": {"pairs": _neighbours((-1.60184, -0.82167, -0.04184, 0.73846, 1.51889))},
        "romo": {
            "pairs": tuple((a, b) for low in (10, 14, 18, 22, 26) for a, b in ((low, low + 8), (low + 8, low))),
            "timing": {
                "fixation": ("uniform", (1500, 3000)),
                "stimulus1": 500,
                "delay": ("uniform", (1000, 3000)),
                "stimulus2": 500,
                "decision": 600,
            },
        },
    }
    PAPER = Paper(
        "Akrami, Kopec, Diamond & Brody (2018). Posterior parietal cortex represents sensory history and mediates its "
        "effects on behaviour. Nature 554:368",
        "10.1038/nature25510",
    )
    TAGS = ("perceptual", "working memory", "two-alternative", "supervised")

    pairs: Any = quantity(
        _neighbours((60, 68, 76, 84, 92)),
        units="dB", many=2, source="paper", doc="first and second magnitude, rows that are each as likely",
    )  # fmt: skip
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, source="neurojax", doc="noise; its standard deviation is sigma / sqrt(dt)"
    )
    strict_fixation: Any = flag(
        True, source="paper", doc="whether leaving at any time before the decision ends the trial"
    )
    abort = False  # `fixate_then_choose`: there is nothing that ends trials in the fixation period alone

    def validate(self) -> None:
        _check_pairs("pairs", self.pairs)
        for first, second in np.asarray(self.pairs):
            if first == second:
                raise InvalidArgument(f"pairs must be rows of two different magnitudes, got ({first:g}, {second:g})")

    def _table(self):
        return self.pairs

    def conditions(self, draw, memory):
        pair = draw.integer("pair", np.shape(self.pairs)[0])
        first, second = jnp.asarray(self.pairs)[pair]
        ground_truth = jnp.where(first > second, jnp.int32(1), jnp.int32(2))
        return {"pair": pair, "v1": first, "v2": second, "ground_truth": ground_truth}

    def noise(self, trial, state, t, draw):
        shows = trial.during("stimulus1", t) | trial.during("stimulus2", t)
        return {"stimulus": jnp.where(shows, self.sigma / math.sqrt(self.dt), 0.0) * draw.normal("stimulus", (1,))}

    def _shown(self):
        table = np.asarray(self.pairs, np.float64)
        return self._represent(table, table.min(), table.max())


def _check_pairs(name: str, table: Any) -> None:
    if np.shape(table)[1] != 2:
        raise InvalidArgument(f"{name} must be rows of two magnitudes, got rows of {np.shape(table)[1]}")
