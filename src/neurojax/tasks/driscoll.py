"""The fifteen tasks of Driscoll et al. (2024): rules of Yang et al. (2019) with locations as points on a circle.

What differs from the paper of Yang et al.: a modality is two channels, the sine and cosine of a location times its
strength, and so is the response; all durations are uniform, so that nothing but what is shown tells when to answer;
coherences are continuous; samples that differ are at least 20 degrees apart, and categories have no gap between them;
an answer must come within 18 degrees; and noise is ten times as strong. Comparisons without a delay are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import canonical, flag, parameters, quantity, structure, time_step
from neurojax.core.registry import Variant
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.stack import stack
from neurojax.core.task import Deviation, Paper, merged
from neurojax.core.timing import step_probabilities
from neurojax.errors import InvalidArgument, unknown
from neurojax.tasks.yang19_parameters import Yang19Parameters, translate
from neurojax.tasks.yang19_rules import Yang19

# In the order of the authors' rule inputs.
TASKS = (
    "fdgo", "reactgo", "delaygo", "fdanti", "reactanti", "delayanti",
    "delaydm1", "delaydm2", "contextdelaydm1", "contextdelaydm2", "multidelaydm",
    "dmsgo", "dmsnogo", "dmcgo", "dmcnogo",
)  # fmt: skip
_TURN = np.float32(2 * math.pi)


class Driscoll(Yang19):
    """One of the fifteen rules of Driscoll et al.: see one or two locations, then go to a location, or hold.

    Fixation is on at first. A stimulus shows the sine and cosine of its location, times its strength, in one of two
    modalities or in both; noise is everywhere. In the decision the subject goes to the location that the rule asks for:
    of the only stimulus, of the stronger of two (`compares`), or of the second where it matches the first (`matches`),
    otherwise it holds fixation; or to the location opposite (`anti`). The trial's last step is judged: whether the
    fixation output is above .5, and if it is not, whether the direction of the other two is near the location. All
    durations are uniform. The defaults are the reaction-time Go rule.

    Channels: `fixation`, `stimulus_mod1` `[2]`, `stimulus_mod2` `[2]`; with `rule_input`, `rule` `[rules]`, which says
    which rule holds. Actions: a fixation output (.8 while fixating, else 0), and the sine and cosine of the response (0
    while fixating); with `output="choice"`, 0 fixates and 1 .. dim_ring choose a location, and the first choice in the
    decision ends the trial. Conditions: as `Yang19`.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("driscoll24.delaygo-v0", sigma=0)
        >>> batch = nj.render(task, jax.random.key(0), 1, theta1=0.0, modality=1)
        >>> start = int(batch.periods[0, 1, 0])  # the stimulus
        >>> batch.inputs[0, start].tolist()
        [1.0, 0.0, 0.0, 0.0, 1.0]
    """

    TIMING = {
        "fixation": ("uniform", (500, 2500)),
        "stimulus": 0,
        "delay": 0,
        "stimulus2": 0,
        "delay2": 0,
        "decision": ("uniform", (300, 1700)),
    }
    PRESETS = {}
    PAPER = Paper(
        "Driscoll, Shenoy & Sussillo (2024). Flexible multitask computation in recurrent networks utilizes shared "
        "dynamical motifs. Nat. Neurosci. 27:1349",
        "10.1038/s41593-024-01668-6",
    )
    DEVIATIONS = (
        Deviation(
            what="Driscoll et al.: what a batch shares",
            neurogym="the authors' code draws durations, and modalities where the rule draws them, once a batch",
            here="each trial draws its own",
            reason="a trial must not depend on the batch",
        ),
        Deviation(
            what="Driscoll et al.: input noise",
            neurogym="the authors' code has a default of .01 sqrt(2 tau / dt) a step",
            here="`sigma` is the paper's: .1 sqrt(2 tau / dt) a step, at tau = 100 ms",
            reason="it is what the networks were trained with",
        ),
        Deviation(
            what="Driscoll et al.: coherence",
            neurogym="the authors' code draws one of 100 coherences that it drew before, uniformly, for the batch",
            here="each trial draws its own, uniformly",
            reason="a trial must not depend on the batch",
        ),
    )

    dt: float = time_step(20)
    # Which rule it is.
    cue_stays: Any = flag(True, source="paper", doc="whether fixation stays on in the decision")
    # How strong the stimuli are, and where.
    coherences: Any = quantity(
        (0.005, 0.8), low=0, many=True, aliases=("cohs",), source="paper",
        doc="least and greatest difference of the strengths to compare from their mean; uniform between",
    )  # fmt: skip
    contrast: Any = quantity(1.0, low=0, source="paper", doc="half the difference of two strengths per coherence")
    apart: Any = quantity(
        20.0, units="degrees", low=0, high=180, source="paper", doc="least angle between two stimuli that differ"
    )
    sigma: Any = quantity(
        0.1 * math.sqrt(2 * 100), units="sqrt(ms)", low=0, source="paper",
        doc="noise; its standard deviation is sigma / sqrt(dt)",
    )  # fmt: skip
    # How answers are judged.
    criterion: Any = quantity(
        18.0, units="degrees", low=0, high=180, source="paper", doc="greatest error of an answer that is correct"
    )
    response_weight: Any = quantity(
        5.0, low=0, source="paper", doc="weight in a loss of the steps of the decision; of those before: 1"
    )
    # What fixes shapes or code.
    dim_ring: int = structure(32, low=2, source="neurojax", doc="number of choices, where the output is a choice")
    rules: int = structure(15, low=1, source="paper", doc="number of rules that the rule input tells apart")
    locations: str = structure(
        "continuous", choices=("ring", "continuous"), source="paper",
        doc="whether stimuli lie where choices are, or anywhere",
    )  # fmt: skip
    output: str = structure(
        "population", choices=("choice", "population"), source="paper",
        doc="whether an action is a choice, or the output of a network",
    )  # fmt: skip
    noise_on: str = structure("everywhere", choices=("everywhere",), source="paper", doc="noise is on all channels")
    grace: float = structure(
        100.0, units="ms", low=0, whole=False, source="paper", doc="weight 0 at the start of trial and decision"
    )
    room: float = structure(
        6400.0, units="ms", low=0, whole=False, source="neurojax",
        doc="rendered trials have room for so long at least, so that the fifteen rules share one compiled program",
    )  # fmt: skip

    # ------------------------------------------------------------------ building

    @classmethod
    def create(cls, *, preset: str | None = None, capacity: int | None = None, **kwargs: Any):
        given = _translated(kwargs)
        if capacity is not None:
            given.setdefault("room", 0)
        # past the one of `Yang19`, whose coherences are a list of four
        return super(Yang19Parameters, cls).create(preset=preset, capacity=capacity, **given)

    def validate(self) -> None:
        super().validate()
        span = self.coherences
        if np.size(span) != 2 or span[0] > span[1]:
            raise InvalidArgument(f"coherences must be two numbers that do not fall, got {span.tolist()}")
        if not self.compares:
            return
        half = self.contrast * span[1]
        if half == 0:
            raise InvalidArgument("the greatest of coherences and contrast must be above 0, or nothing is compared")
        if self.mean - self.jitter - half < -1e-6:
            least = self.mean - self.jitter - half
            raise InvalidArgument(f"mean - jitter - contrast * coherence must be at least 0, got {least:g}")
        if span[0] == span[1] and not self.shared and all(np.asarray(w) != 0 for w in self.counts()):
            raise InvalidArgument("with one coherence the evidence of two modalities may cancel; set shared=True")

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        always = ("abort",) if self.strict_fixation else ()  # who is strict always aborts
        return (*super().unused_parameters, "pairs", "category_locations", *always)

    @property
    def channels(self) -> Channels:
        rule = {"rule": self.rules} if self.rule_input else {}
        return Channels.named(fixation=1, stimulus_mod1=2, stimulus_mod2=2, **rule)

    @property
    def actions(self) -> Discrete | Box:
        if self.output == "choice":
            return Discrete.named(fixation=1, choice=self.dim_ring)
        return Box(("fixation", "sine", "cosine"), (0.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    @property
    def output_weights(self) -> np.ndarray:
        """float32 `[A]`: how much each output counts in the paper's loss."""
        return np.asarray([2.0, 1.0, 1.0], np.float32)

    # ------------------------------------------------------------------ what is drawn

    def _first(self, u):
        return super()._first(u) if self.locations == "ring" else u * _TURN

    def _second(self, theta1, match, u):
        apart = super()._second(theta1, match, u)
        if self.locations == "ring":
            return apart
        half = jnp.where(self.category_of(theta1) == match, np.float32(math.pi), np.float32(0))
        return jnp.where(self.matches & self.category, half + u * np.float32(math.pi), apart)

    def _strengths(self, u, modality, modality2):
        one, two = (self.contrast * _either_side(x, self.coherences) for x in (u[0], u[1]))
        level1, level2 = (self.mean + self.jitter * (2 * x - 1) for x in (u[2], u[3]))
        two, level2 = jnp.where(self.shared, one, two), jnp.where(self.shared, level1, level2)
        rows = []
        for sign, which, number in ((1, modality, u[4]), (-1, modality2, u[5])):
            more = np.float32(0.5) * _either_side(number, self.split)
            compared = (
                jnp.where(self.shows_mod1, (level1 + sign * one) * (1 + more), 0.0),
                jnp.where(self.shows_mod2, (level2 + sign * two) * (1 - more), 0.0),
            )
            single = jnp.where(self.matches | (sign > 0), level1, 0.0)
            rows.append([jnp.where(self.compares, compared[m], jnp.where(which == m, single, 0.0)) for m in range(2)])
        return rows

    # ------------------------------------------------------------------ what is shown and asked for

    def bump(self, theta):
        """float32 `[2]`: a location, as its sine and cosine."""
        return jnp.stack([jnp.sin(theta), jnp.cos(theta)])

    def target(self, trial, state, t):
        if self.output == "choice":
            return super().target(trial, state, t)
        goes = trial.during("decision", t) & self.goes(trial)
        fixates = jnp.where(goes, np.float32(0), np.float32(0.8))
        return jnp.concatenate([fixates[None], jnp.where(goes, self.bump(self.response_at(trial, t)), 0.0)])

    def _read_out(self, trial, action, t):
        # Sine and cosine as the activity of four units on a ring, whose population vector has their direction.
        fixates, sine, cosine = action[0], action[1], action[2]
        return super()._read_out(trial, jnp.stack([fixates, cosine, sine, -cosine, -sine]), t)

    def references(self) -> dict[str, float]:
        """Clairvoyant, blind, random and, where it is known, ideal performance.

        The ideal observer knows when each stimulus is on, which is told by the stimulus itself: see `_ideal`.
        """
        from neurojax.tasks.yang19_ideal import _random, _share

        goes, share = 0.5 if self.matches else 1.0, _share(self)
        choices = self.output == "choice" and self.locations == "continuous"
        reached = min(1.0, float(self.criterion) * self.dim_ring / 180) if choices else 1.0
        out = {
            "clairvoyant": 1 - goes + goes * reached,
            "blind": max(1 - goes, goes * share),
            "random": _random(self, share, goes),
        }
        ideal = _ideal(self)
        return out if ideal is None else {**out, "ideal": ideal}


def _either_side(u, span):
    """At the quantile `u`, a number whose size is uniform between the two of `span`, on either side of 0."""
    size = span[0] + jnp.mod(2 * u, 1.0) * (span[1] - span[0])
    return jnp.where(u < 0.5, size, -size)


# ---------------------------------------------------------------------- the ideal observer

_CLEAR = 6.0  # signal to noise of a stimulus above which it is plain when it is on, and where among two modalities


def _ideal(task: Driscoll) -> float | None:
    """Accuracy of the ideal observer, or None where it is not known.

    The mean of what is shown is a point in a plane, with Gaussian noise: its direction estimates the location and its
    length the strength. Go rules ask for the direction to be near enough. In comparisons the answer is the more likely
    one of two, given both lengths and how strengths are drawn; in matches, given the angle between two directions.
    Which category a location is of is told wrong as often as the mean error of its direction over pi.
    """
    first, second = _watched(task)
    if task.locations == "ring" or (task.compares and not task.sequential):
        return None
    scale = max(float(task.sigma), 1e-3)
    two = bool(task.compares) or bool(task.matches)
    laws = [first, second] if two else [first]
    weakest, jitter = float(task.mean) - float(task.jitter), float(task.jitter)
    if weakest * math.sqrt(min(min(law) for law in laws)) / scale < _CLEAR:
        return None
    if task.compares:
        return _compared(task, first, second, scale)
    levels = np.asarray([float(task.mean) + jitter * (2 * (i + 0.5) / 9 - 1) for i in range(9 if jitter else 1)])
    seen = [_signals(law, levels, scale) for law in laws]
    if not task.matches:
        d, p = seen[0]
        return float(p @ _hit(task, d))
    (d1, p1), (d2, p2) = seen
    if task.category:
        right = [1 - float(p @ _mean_error(d)) / math.pi for d, p in seen]
        answer = 0.5 + 0.5 * (2 * right[0] - 1) * (2 * right[1] - 1)
        return answer * (0.5 + 0.5 * float(p2 @ _hit(task, d2)))
    return None if jitter or task.apart < 5 else _matched(task, _binned(d1, p1), _binned(d2, p2))


def _watched(task: Driscoll) -> tuple[dict[float, float], dict[float, float]]:
    """How long each stimulus can be watched before the answer, in ms: the probability of each time.

    An output is judged at the last step. A choice must be made before an end that is not known: in its least time.
    """
    steps = {name: step_probabilities(law, task.dt) for name, law in task.timing.items()}
    rest = steps["decision"] if task.output == "population" else {min(steps["decision"]): 1.0}

    def watched(name: str, stays: bool) -> dict[float, float]:
        out: dict[float, float] = {}
        for n, p in steps[name].items():
            for more, q in (rest if stays else {0: 1.0}).items():
                out[(n + more) * task.dt] = out.get((n + more) * task.dt, 0.0) + p * q
        return out

    sequential, stays = bool(task.sequential), bool(task.stays)
    first = watched("stimulus", stays and not sequential)
    return first, watched("stimulus2", stays) if sequential else first


def _signals(law: Mapping[float, float], levels: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The signal to noise of a stimulus's mean, and how likely each is."""
    ms, p = np.asarray(list(law)), np.asarray(list(law.values()))
    return np.ravel(np.sqrt(ms)[:, None] * levels / scale), np.repeat(p / len(levels), len(levels))


def _binned(d: np.ndarray, p: np.ndarray, most: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Not more than `most` values that stand for the others, each as likely."""
    if len(d) <= most:
        return d, p
    order = np.argsort(d)
    at = np.searchsorted(np.cumsum(p[order]), (np.arange(most) + 0.5) / most)
    return d[order][np.minimum(at, len(d) - 1)], np.full(most, 1 / most)


def _density(error: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The density of the error of a direction, of a point at the distance `d` with noise 1 along both axes."""
    from scipy.special import ndtr

    along = d * np.cos(error)
    peak = along / math.sqrt(2 * math.pi) * ndtr(along) * np.exp(-((d * np.sin(error)) ** 2) / 2)
    return np.exp(-(d**2) / 2) / (2 * math.pi) + peak


def _within(d: np.ndarray, limit: float, off: float = 0.0) -> np.ndarray:
    """How likely a direction is at most `limit` off, for each `d` `[N]`, if it is moved by up to `off` at random."""
    error = min(limit + off, math.pi) * np.linspace(0, 1, 301) ** 4  # fine near 0, where it is likely
    share = np.float64(1)
    if off:
        share = (np.clip(limit - error, -off, off) + np.clip(limit + error, -off, off)) / (2 * off)
    return np.minimum(2 * np.asarray(np.trapezoid(share * _density(error, d[:, None]), error, axis=1)), 1.0)


def _mean_error(d: np.ndarray) -> np.ndarray:
    """The mean size of the error of a direction, for each `d` `[N]`."""
    error = math.pi * np.linspace(0, 1, 301) ** 4
    return 2 * np.asarray(np.trapezoid(error * _density(error, d[:, None]), error, axis=1))


def _hit(task: Driscoll, d: np.ndarray) -> np.ndarray:
    """How likely an answer is within the criterion, for each `d` `[N]`; a choice is the one nearest to the estimate."""
    return _within(
        d, math.radians(float(task.criterion)), 0.0 if task.output == "population" else math.pi / task.dim_ring
    )


def _matched(task: Driscoll, first, second) -> float:
    """Accuracy of telling by the angle between two directions whether they are of one location."""
    (d1, p1), (d2, p2) = first, second
    n = 1440
    angle = 2 * math.pi * np.arange(n) / n
    size = np.minimum(angle, 2 * math.pi - angle)
    waves = [np.fft.rfft(_density(angle, np.minimum(d, 100.0)[:, None])) * (2 * math.pi / n) for d in (d1, d2)]
    both = waves[0][:, None] * waves[1][None]
    other = size >= math.radians(float(task.apart)) - 1e-9
    same, apart = (np.fft.irfft(w, n) for w in (both, both * np.fft.rfft(other / other.sum())))
    alike = bool(task.match_go)
    known = np.sqrt(d1[:, None] ** 2 + d2**2) if alike else np.broadcast_to(d2, (len(d1), len(d2)))
    hit = _hit(task, known.ravel()).reshape(known.shape)[..., None]
    go, hold = (same, apart) if alike else (apart, same)
    return float(p1 @ np.sum(np.maximum(go * hit, hold), axis=-1) @ p2 / 2)


def _compared(task: Driscoll, first, second, scale: float) -> float | None:
    """Accuracy of going to the stronger of two stimuli, where one difference of strengths decides."""
    from scipy.special import ndtr

    one, two = (float(w) for w in task.counts())
    shown = bool(task.shows_mod1) and bool(task.shows_mod2)
    if min(one, two) < 0 or (one and two and (not task.shared or one != two)):
        return None
    if not (one and two) and (np.any(np.asarray(task.split)) or (shown and task.shared)):
        return None
    scale = scale / math.sqrt(2) if one and two else scale  # the mean of both modalities
    laws = [_signals(law, np.ones(1), scale) for law in (first, second)]
    (root1, p1), (root2, p2) = (_binned(d, p, 12) for d, p in laws)
    noise1, noise2 = 1 / root1, 1 / root2
    low, high = (float(task.contrast) * float(c) for c in task.coherences)
    middle, jitter = float(task.mean), float(task.jitter)
    half = low + (high - low) * (np.arange(480) + 0.5) / 480
    if max(noise1.max(), noise2.max()) < 0.03:  # what is known beforehand matters no more
        right = ndtr(2 * half / np.hypot(noise1[:, None], noise2)[..., None]).mean(axis=-1)
        hits = (_hit(task, middle * root1)[:, None] + _hit(task, middle * root2)) / 2
        return float(p1 @ (right * hits) @ p2)
    level = middle + jitter * (2 * (np.arange(240)[:, None] + 0.5) / 240 - 1)
    strengths = np.linspace(0, middle + jitter + high, 201)
    edges = np.append(strengths, 2 * strengths[-1] - strengths[-2]) - strengths[1] / 2
    prior = np.histogram2d(np.ravel(level + half), np.ravel(level - half), bins=(edges, edges))[0] / 240 / 480
    lengths = np.linspace(0, strengths[-1] + 4 * max(noise1.max(), noise2.max()), 241)
    one_, two_ = (_lengths(lengths, strengths, noise).reshape(-1, 201) for noise in (noise1, noise2))
    hit1, hit2 = (_hit(task, np.ravel(lengths / noise[:, None])) for noise in (noise1, noise2))
    favour1 = one_ @ prior @ two_.T * hit1[:, None]  # the first is the stronger, and is found
    favour2 = one_ @ prior.T @ two_.T * hit2
    p1, p2 = (np.repeat(p, len(lengths)) for p in (p1, p2))
    return float(p1 @ np.maximum(favour1, favour2) @ p2 * lengths[1] ** 2 / 2)


def _lengths(lengths: np.ndarray, strengths: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The density `[N, L, S]` of lengths of a point at a distance of `strengths` from 0, with noise along both axes."""
    from scipy.special import i0e

    var = noise[:, None, None] ** 2
    length = lengths[:, None]
    return length / var * i0e(length * strengths / var) * np.exp(-((length - strengths) ** 2) / (2 * var))


# ---------------------------------------------------------------------- the fifteen

# Which modality is shown and counts, by the name of a comparison.
_WEIGHED = {
    "delaydm1": {"shows_mod2": False},
    "delaydm2": {"shows_mod1": False},
    "contextdelaydm1": {"weights": [1.0, 0.0]},
    "contextdelaydm2": {"weights": [0.0, 1.0]},
    "multidelaydm": {"shared": True, "split": [0.005, 0.8]},
}


def _uniform(*spans: tuple[float, float]) -> dict[str, Any]:
    """The laws of the periods, of which those without a span last no time."""
    return dict(zip(Driscoll.TIMING, (("uniform", span) for span in spans), strict=True))


def _known(name: str) -> dict[str, Any]:
    """A rule's parameters."""
    none, short, long = (0, 0), (300, 700), (200, 1600)
    out: dict[str, Any] = {"rule": TASKS.index(name), "anti": name.endswith("anti"), "stays": True}
    if name.startswith("fd"):
        return {**out, "timing": _uniform(short, (200, 1500), none, none, none, short), "cue_stays": False}
    if name.startswith("react"):
        return {**out, "timing": _uniform((500, 2500), none, none, none, none, (300, 1700))}
    if name in ("delaygo", "delayanti"):
        timing = _uniform(short, long, long, none, none, short)
        return {**out, "timing": timing, "stays": False, "cue_stays": False}
    out |= {"sequential": True}
    if name in _WEIGHED:
        timing = _uniform((200, 600), long, long, long, (100, 300), short)
        out |= {"compares": True, "stays": False, "cue_stays": False, "jitter": 0.2, "apart": 90}
        return {**out, "timing": timing, **_WEIGHED[name]}
    timing = _uniform((200, 600), long, long, none, none, short)
    match = {"matches": True, "category": name.startswith("dmc"), "match_go": not name.endswith("nogo")}
    return {**out, **match, "timing": timing, "same_modality": False}


def _translated(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords with NeuroGym's own ones in the form of this module's; coherences, which are a range here, stay."""
    kept = {name: given[name] for name in ("coherences", "cohs") if name in given}
    return {**translate(given), **kept}


def task(name: str, **kwargs: Any) -> Driscoll:
    """One of the fifteen tasks.

    Args:
        name: see `TASKS`.
        **kwargs: parameters, `timing`, `rewards`, `dt` and `capacity`. With `output="choice"` the rules are strict
            about fixation, for a choice counts when it is made.

    Raises:
        UnknownName: for unknown names and keywords; the nearest is suggested.
        InvalidArgument: for values that are not allowed.

    Example:
        >>> from neurojax.tasks.driscoll import task
        >>> task("dmcgo", rule_input=True).channels.size, task("dmcgo", output="choice").actions.size
        (20, 33)
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS, "Driscoll et al.")
    capacity = kwargs.pop("capacity", None)
    given = canonical(Driscoll, _translated(kwargs), [*parameters(Driscoll), "timing", "rewards"], name)
    known = _known(name)
    if given.get("output") == "choice":
        known["strict_fixation"] = True
    return Driscoll.create(capacity=capacity, **merged(known, given))


def collection(names: Sequence[str] = TASKS, *, rule_input: bool = True, **kwargs: Any) -> Driscoll:
    """Several of the tasks as one pytree, indexed by task, as `neurojax.tasks.yang19.collection`.

    Example:
        >>> from neurojax.tasks.driscoll import collection
        >>> from neurojax.tasks.yang19 import Yang19Mixture, pick
        >>> tasks = collection(["delaygo", "delayanti"])
        >>> pick(tasks, 1).anti.item(), Yang19Mixture.around(tasks).channels.size
        (True, 20)
    """
    stacked = stack([task(name, rule_input=rule_input, **kwargs) for name in names])
    assert isinstance(stacked, Driscoll)
    return stacked


class _Task(Variant):
    """What an id of the collection makes: `task` under a name."""

    def __init__(self, name: str, words: str):
        two = ("two-alternative",) if name in _WEIGHED else ()
        remembers = ("working memory",) if not name.startswith(("fd", "react")) else ()
        tags = (*Yang19.TAGS, *two, *remembers)
        super().__init__(task, doc=f"{words}\n\n{_SHARED}", paper=Driscoll.PAPER, tags=tags)
        self.name = name

    def __call__(self, **kwargs: Any) -> Driscoll:
        return task(self.name, **kwargs)


_SHARED = (
    "Channels: `fixation`, and the sine and cosine of locations in two modalities, `stimulus_mod1` and "
    "`stimulus_mod2`; on request (`rule_input=True`) the `rule`, one of 15. Actions: a fixation output, and the sine "
    'and cosine of the response; or choices (`output="choice"`). One of the 15 tasks of Driscoll et al. (2024), which '
    "are one task with other parameters: see `neurojax.tasks.driscoll`."
)
BY_NAME = {
    name: _Task(name, words)
    for name, words in {
        "fdgo": "Go: a stimulus is shown; when fixation goes off, go to where it is.",
        "reactgo": "Reaction-time Go: go to the stimulus as soon as it is shown.",
        "delaygo": "Delayed Go: remember the stimulus over a delay; when fixation goes off, go to where it was.",
        "fdanti": "Anti: when fixation goes off, go to the location opposite to the stimulus.",
        "reactanti": "Reaction-time Anti: as soon as the stimulus is shown, go to the location opposite.",
        "delayanti": "Delayed Anti: remember the stimulus over a delay, then go to the location opposite.",
        "delaydm1": "Delayed decision making 1: two stimuli in the first modality, a delay apart; go to the stronger.",
        "delaydm2": "Delayed decision making 2: two stimuli in the second modality, a delay apart; go to the stronger.",
        "contextdelaydm1": "Context delayed decision making 1: two stimuli in both modalities, a delay apart; go to "
        "the one stronger in the first.",
        "contextdelaydm2": "Context delayed decision making 2: two stimuli in both modalities, a delay apart; go to "
        "the one stronger in the second.",
        "multidelaydm": "Multisensory delayed decision making: two stimuli in both modalities, a delay apart; go to "
        "the one stronger in sum.",
        "dmsgo": "Delayed match to sample: go to the second stimulus where the first was there too, else hold.",
        "dmsnogo": "Delayed non-match to sample: go to the second stimulus where the first was elsewhere, else hold.",
        "dmcgo": "Delayed match to category: go to the second stimulus where both are on one half of the circle, else "
        "hold.",
        "dmcnogo": "Delayed non-match to category: go to the second stimulus where they are on different halves of the "
        "circle, else hold.",
    }.items()
}


def __getattr__(name: str) -> Any:
    if name in BY_NAME:
        return BY_NAME[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
