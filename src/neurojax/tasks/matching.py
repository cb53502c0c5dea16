"""Delayed matching: is the second stimulus the same as the first?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import Law, step_probabilities
from neurojax.tasks.rules import abortable, fixate_then_choose, random_choice, ring

_TURN = np.float32(2 * math.pi)
UNUSED_SIGMA = Deviation(
    what="sigma",
    neurogym="has no effect; its default is 1",
    here="noise on the stimulus while it is shown; by default there is none, so that nothing changes",
    reason="every parameter has an effect",
    kind="interface",
    affects=("noise",),
)


class DelayMatchSample(Task):
    """Delayed match-to-sample: remember a direction over a delay, then say whether the test shows it again.

    Fixation is on until the decision. The ring shows the sample, nothing during the delay, then the test: the same
    direction (match) or the opposite one (non-match), both under Gaussian noise. The first choice in the decision
    period ends the trial.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: 0 fixates, 1 says match, 2 says non-match.
    Conditions: `ground_truth` (1 match, 2 non-match), `sample_theta` (radians); `test_theta` follows from them.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("DelayMatchSample-v0", timing={"delay": (500, 1000)})
        >>> nj.render(task, jax.random.key(0), 4).periods.shape
        (4, 5, 2)
    """

    TIMING = {"fixation": 300, "sample": 500, "delay": 1000, "test": 500, "decision": 900}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Miller, Erickson & Desimone (1996). Neural mechanisms of visual working memory in prefrontal cortex of the "
        "macaque. J. Neurosci. 16:5154",
        "10.1523/JNEUROSCI.16-16-05154.1996",
    )
    TAGS = ("perceptual", "working memory", "two-alternative", "supervised")
    UNITS = {"sample_theta": "radians", "test_theta": "radians"}

    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    abort: Any = flag(False, source="neurojax", doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions on the ring")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete((("fixation", 1), ("match", 1), ("non-match", 1)))

    def conditions(self, draw, memory):
        ground_truth = draw.choice("ground_truth", np.asarray([1, 2], np.int32))
        sample = draw.choice("sample_theta", ring(self.dim_ring))
        opposite = jnp.mod(sample + np.float32(math.pi), np.float32(2 * math.pi))
        return {
            "ground_truth": ground_truth,
            "sample_theta": sample,
            "test_theta": jnp.where(ground_truth == 1, sample, opposite),
        }

    def _shows(self, trial, t):
        return trial.during("sample", t) | trial.during("test", t)

    def observe(self, trial, state, t):
        theta = jnp.where(trial.during("sample", t), trial["sample_theta"], trial["test_theta"])
        stimulus = 0.5 + 0.5 * jnp.cos(ring(self.dim_ring) - theta)
        return {
            "fixation": ~trial.during("decision", t),
            "stimulus": jnp.where(self._shows(trial, t), stimulus, 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(self._shows(trial, t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.dim_ring,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == trial["ground_truth"])

    def references(self):
        ideal = 0.0
        for sample, p in step_probabilities(self.timing["sample"], self.dt).items():
            for test, q in step_probabilities(self.timing["test"], self.dt).items():
                ideal += p * q * self.ideal_accuracy(sample * self.dt, test * self.dt)
        return {"ideal": ideal, "blind": 0.5, "random": random_choice(self, 0.5)}

    def ideal_accuracy(self, sample: float, test: float, trials: int = 20000) -> float:
        """Accuracy of the ideal observer after `sample` and `test` ms.

        With two directions each stimulus is told from the other with Phi(sqrt(T/2) / sigma), and the answer is right
        where both or neither are; with more, the posterior is simulated, with a fixed seed.
        """
        from scipy.special import logsumexp, ndtr

        sigma = float(self.sigma)
        if sigma == 0:
            return 1.0
        if self.dim_ring == 2:
            p, q = (float(ndtr(math.sqrt(ms / 2) / sigma)) for ms in (sample, test))
            return p * q + (1 - p) * (1 - q)
        rng = np.random.default_rng(0)
        theta = ring(self.dim_ring).astype(np.float64)
        shown = 0.5 + 0.5 * np.cos(theta[None] - theta[:, None])  # [direction, channel]
        opposite = 0.5 + 0.5 * np.cos(theta[None] - theta[:, None] - math.pi)
        match = rng.random(trials) < 0.5
        which = rng.integers(self.dim_ring, size=trials)

        def likelihood(means, ms):  # log likelihood of each of some templates, given what was seen
            seen = means + rng.standard_normal(means.shape) * sigma / math.sqrt(ms)
            return lambda templates: -((seen[:, None] - templates[None]) ** 2).sum(-1) * ms / (2 * sigma**2)

        first = likelihood(shown[which], sample)(shown)
        second = likelihood(np.where(match[:, None], shown[which], opposite[which]), test)
        says_match = logsumexp(first + second(shown), axis=1) > logsumexp(first + second(opposite), axis=1)
        return float(np.mean(says_match == match))


def on_ring(size: int, theta):
    """Cosine of the angle between each direction of a ring and `theta` [size]: tables and two cosines, not `size`."""
    directions = ring(size)
    return np.cos(directions) * jnp.cos(theta) + np.sin(directions) * jnp.sin(theta)


def mean_over(law: Law, dt: float, value: Callable[[int], float]) -> float:
    """The mean of a function of a period's length in steps."""
    return float(sum(p * value(steps) for steps, p in step_probabilities(law, dt).items()))


def both_or_neither(p: float, q: float) -> float:
    """How often two answers, right with `p` and `q`, are both right or both wrong: then their comparison is right."""
    return p * q + (1 - p) * (1 - q)


def lasts_as_long(law: Law, dt: float) -> bool:
    """Whether a period always has the same length, so that its end can be foreseen."""
    return len(step_probabilities(law, dt)) == 1


class DelayMatchCategory(Task):
    """Delayed match-to-category: does the test belong to the same half of the circle as the sample?

    Fixation is on until the test. A boundary cuts the circle of directions into two categories. The ring shows a
    direction of one category, nothing during the delay, then another direction, of the same category (match) or of
    the other (non-match), both under Gaussian noise. The first choice during the test ends the trial.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: 0 fixates, 1 says match, 2 says non-match.
    Conditions: `ground_truth` (1 match, 2 non-match), `sample_category` (0 or 1), `sample_position` and
    `test_position` (where in its category a direction lies, 0 .. 1); `test_category`, `sample_theta` and `test_theta`
    (radians) follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("DelayMatchCategory-v0"), jax.random.key(0), 4, sample_category=1)
        >>> batch.inputs.shape
        (4, 27, 3)
    """

    TIMING = {"fixation": 500, "sample": 650, "first_delay": 1000, "test": 650}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Freedman & Assad (2006). Experience-dependent representation of visual categories in parietal cortex. "
        "Nature 443:85",
        "10.1038/nature05078",
    )
    TAGS = ("perceptual", "working memory", "two-alternative", "supervised")
    DEVIATIONS = (
        Deviation(
            what="boundary",
            neurogym="0 degrees: the category is the sign of the sine of the direction",
            here="`boundary` = 90 degrees: the sign of its cosine; `boundary=0` gives NeuroGym's",
            reason="a ring of two shows the cosine alone, so that no category could be told (ideal .5)",
            affects=("observation",),
        ),
    )
    UNITS = {"sample_theta": "radians", "test_theta": "radians"}

    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    boundary: Any = quantity(
        90.0, units="degrees", low=-180, high=180, source="repaired", doc="direction in which category 0 begins"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the test ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions on the ring")

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete((("fixation", 1), ("match", 1), ("non-match", 1)))

    def conditions(self, draw, memory):
        ground_truth = draw.choice("ground_truth", np.asarray([1, 2], np.int32))
        sample = draw.integer("sample_category", 2)
        test = jnp.where(ground_truth == 1, sample, 1 - sample)
        positions = {name: draw.uniform(name) for name in ("sample_position", "test_position")}
        start = self.boundary * np.float32(math.pi / 180)
        theta = lambda category, place: jnp.mod(start + (category + place) * np.float32(math.pi), _TURN)
        return {
            "ground_truth": ground_truth,
            "sample_category": sample,
            "test_category": test,
            **positions,
            "sample_theta": theta(sample.astype(jnp.float32), positions["sample_position"]),
            "test_theta": theta(test.astype(jnp.float32), positions["test_position"]),
        }

    def _shows(self, trial, t):
        return trial.during("sample", t) | trial.during("test", t)

    def observe(self, trial, state, t):
        theta = jnp.where(trial.during("sample", t), trial["sample_theta"], trial["test_theta"])
        return {
            "fixation": ~trial.during("test", t),
            "stimulus": jnp.where(self._shows(trial, t), 0.5 + 0.5 * on_ring(self.dim_ring, theta), 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(self._shows(trial, t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.dim_ring,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("test", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        acts, rewards = action != 0, self.rewards
        decides = acts & trial.during("test", t)
        strict = self.strict_fixation & (t < trial.start["test"])
        breaks = acts & ~decides & (trial.during("fixation", t) | strict)
        correct = action == trial["ground_truth"]
        reward = jnp.where(decides, jnp.where(correct, rewards["correct"], rewards["fail"]), 0.0)
        reward = reward + jnp.where(breaks, rewards["abort"], 0.0)
        return abortable(reward, decides, breaks & (self.abort | strict), correct)

    def references(self):
        held = ("fixation", "sample", "first_delay") if self.strict_fixation else ("fixation",) if self.abort else ()
        hold = lambda name: mean_over(self.timing[name], self.dt, lambda n: 3.0**-n)
        numbers = {"blind": 0.5, "random": math.prod(hold(name) for name in held) * (1 - hold("test")) / 2}
        # With noise, the best is to answer in the test's last step, which must then be foreseen.
        if self.sigma == 0 or lasts_as_long(self.timing["test"], self.dt):
            p, q = (
                mean_over(self.timing[name], self.dt, lambda n: self.category_accuracy(n * self.dt))
                for name in ("sample", "test")
            )
            numbers["ideal"] = both_or_neither(p, q)
        return numbers

    def category_accuracy(self, ms: float) -> float:
        """How often the category of one stimulus, shown for `ms`, can be told.

        On a ring of three or more, the component of the population vector across the boundary decides: its mean is
        d sin(a) at an angle a from the boundary, with unit noise and d = sqrt(n T / 8) / sigma. A ring of two shows
        the cosine alone, with d = sqrt(T / 2) / sigma; the likelier category is read from that.
        """
        from scipy.special import ndtr

        n, sigma = self.dim_ring, max(float(self.sigma), 1e-6)
        if ms == 0:
            return 0.5
        angle = (np.arange(720) + 0.5) * (math.pi / 720)
        if n > 2:
            return float(np.mean(ndtr(math.sqrt(n * ms / 8) / sigma * np.sin(angle))))
        means = math.sqrt(ms / 2) / sigma * np.cos(angle + math.radians(float(self.boundary)))
        # The other category shows the opposite: means and their negatives, each under unit noise.
        edges = np.linspace(-1, 1, 4001) * (np.abs(means).max() + 6)
        inside = np.diff(ndtr(edges[:, None] - means[None]).mean(1))
        return float(np.maximum(inside, inside[::-1]).sum() / 2)


class DelayMatchSampleDistractor1D(Task):
    """Delayed match-to-sample among distractors: respond to the test that repeats the sample, and to no other.

    Fixation is on at first. A ring shows the sample, any direction; then three tests follow, each after a delay. One of
    them shows the sample again, the others random directions. The first response from the first delay on ends the
    trial: it is right during the matching test.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: 0 waits, 1 says match.
    Conditions: `ground_truth` (which test matches: 1, 2 or 3), `sample` (radians), `distractors` `[2]` (radians, in
    their order); `test1`, `test2` and `test3` follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("DelayMatchSampleDistractor1D-v0"), jax.random.key(0), 2, ground_truth=[1, 3])
        >>> batch.targets.argmax(axis=1).tolist()
        [18, 48]
    """

    TIMING = {
        "fixation": 300,
        "sample": 500,
        "delay1": 1000,
        "test1": 500,
        "delay2": 1000,
        "test2": 500,
        "delay3": 1000,
        "test3": 500,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": -1.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = DelayMatchSample.PAPER
    TAGS = ("perceptual", "working memory", "two-alternative", "supervised")
    DEVIATIONS = (UNUSED_SIGMA,)
    UNITS = dict.fromkeys(("sample", "distractors", "test1", "test2", "test3"), "radians")
    TESTS = ("test1", "test2", "test3")

    sigma: Any = quantity(
        0.0, units="sqrt(ms)", low=0, source="neurojax", doc="noise; its standard deviation is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether responding before the first delay ends the trial")
    dim_ring: int = structure(32, low=3, source="neurojax", doc="number of directions on the ring")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, match=1)

    def conditions(self, draw, memory):
        ground_truth = draw.choice("ground_truth", np.asarray([1, 2, 3], np.int32))
        sample = draw.uniform("sample", 0.0, _TURN)
        first, second = draw.uniform("distractors", 0.0, _TURN, (2,))
        return {
            "ground_truth": ground_truth,
            "sample": sample,
            "test1": jnp.where(ground_truth == 1, sample, first),
            "test2": jnp.where(ground_truth == 2, sample, jnp.where(ground_truth == 1, first, second)),
            "test3": jnp.where(ground_truth == 3, sample, second),
        }

    def _matches(self, trial, t):
        during = jnp.stack([trial.during(name, t) for name in self.TESTS])
        return jnp.any(during & (np.arange(1, 4, dtype=np.int32) == trial["ground_truth"]))

    def _shows(self, trial, t):
        shows = trial.during("sample", t)
        for name in self.TESTS:
            shows = shows | trial.during(name, t)
        return shows

    def observe(self, trial, state, t):
        theta = trial["sample"]
        for name in self.TESTS:
            theta = jnp.where(trial.during(name, t), trial[name], theta)
        return {
            "fixation": trial.during("fixation", t),
            "stimulus": jnp.where(self._shows(trial, t), on_ring(self.dim_ring, theta), 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(self._shows(trial, t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.dim_ring,))}

    def target(self, trial, state, t):
        return self._matches(trial, t).astype(jnp.int32)

    def respond(self, trial, state, action, t, draw):
        acts, rewards = action != 0, self.rewards
        breaks = acts & (t < trial.end["sample"])
        decides = acts & ~breaks
        correct = self._matches(trial, t)
        reward = jnp.where(decides, jnp.where(correct, rewards["correct"], rewards["fail"]), 0.0)
        return abortable(reward + jnp.where(breaks, rewards["abort"], 0.0), decides, breaks & self.abort, correct)

    def references(self):
        hold = lambda name: mean_over(self.timing[name], self.dt, lambda n: 0.5**n)
        survives = math.prod(hold(name) for name in ("fixation", "sample")) if self.abort else 1.0
        random, shown = 0.0, []
        for delay, test in zip(("delay1", "delay2", "delay3"), self.TESTS, strict=True):
            survives *= hold(delay)
            random += survives * (1 - hold(test)) / 3
            survives *= hold(test)
            shown.append(1 - step_probabilities(self.timing[test], self.dt).get(0, 0.0))
        numbers = {"clairvoyant": float(np.mean(shown)), "blind": self._best_time(), "random": random}
        if self.sigma == 0:
            numbers["ideal"] = numbers["clairvoyant"]
        elif all(lasts_as_long(self.timing[name], self.dt) for name in self.TESTS):
            numbers["ideal"] = self._ideal_with_noise()
        return numbers

    def _best_time(self) -> float:
        """Accuracy of a response at the best fixed time after fixation."""
        start, hits = np.ones(1), np.zeros(self.capacity + 1)
        for name in ("sample", "delay1", "test1", "delay2", "test2", "delay3", "test3"):
            law = np.zeros(self.capacity + 1)
            for steps, p in step_probabilities(self.timing[name], self.dt).items():
                law[steps] = p
            if name in self.TESTS:  # on at t: it began at t - k, and lasts longer than k
                lasts = 1 - np.cumsum(law)
                hits += np.convolve(start, lasts)[: self.capacity + 1] / 3
            start = np.convolve(start, law)[: self.capacity + 1]
        return float(hits.max())

    def _ideal_with_noise(self, trials: int = 40000) -> float:
        """Accuracy of the observer who weighs each test by its likelihood ratio L, match against distractor.

        A stimulus is a vector of length d = sqrt(n T / 2) / sigma with unit noise, S the sample's and X a test's:
        L = I0(|d S + d' X|) / (I0(d |S|) I0(d' |X|)). The second test is taken where L > 1. Those who let the first
        pass are right later with W, so it is taken where L > 2 W. Simulated with a fixed seed.
        """
        from scipy.special import i0e

        rng = np.random.default_rng(0)
        gain = math.sqrt(self.dim_ring * self.dt / 2) / float(self.sigma)
        log_i0 = lambda x: np.log(i0e(x)) + x

        law = step_probabilities(self.timing["sample"], self.dt)
        steps = rng.choice(list(law), size=trials, p=np.array(list(law.values())) / sum(law.values()))
        strength = gain * np.sqrt(steps)
        unit = lambda: rng.standard_normal((trials, 2))
        sample = strength[:, None] * np.array([1.0, 0.0]) + unit()

        def ratio(name: str, matches: bool) -> np.ndarray:
            (length,) = step_probabilities(self.timing[name], self.dt)
            d = gain * math.sqrt(length)
            angle = 0.0 if matches else rng.uniform(0, 2 * math.pi, trials)
            test = d * np.stack(np.broadcast_arrays(np.cos(angle), np.sin(angle) + np.zeros(trials)), 1) + unit()
            both = np.linalg.norm(strength[:, None] * sample + d * test, axis=1)
            norm = lambda v: np.linalg.norm(v, axis=1)
            return log_i0(both) - log_i0(strength * norm(sample)) - log_i0(d * norm(test))

        later = np.mean(ratio("test2", True) > 0) + np.mean(ratio("test2", False) <= 0)  # 2 W
        taken = np.log(later)
        return float((np.mean(ratio("test1", True) > taken) + np.mean(ratio("test1", False) <= taken) * later) / 3)
