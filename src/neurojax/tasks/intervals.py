"""More interval timing: comparing two intervals, producing one on a cue, and keeping a rhythm."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, time_step
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities, whole_steps
from neurojax.core.trial import Consequence
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import abortable, fixate_then_choose, random_choice

_SLACK = 25  # ms of error that are always allowed (NeuroGym)


class IntervalDiscrimination(Task):
    """Interval discrimination: which of two stimuli lasted longer?

    Fixation is on until the decision. Two stimuli, each on its own channel, last for random times, with a random
    delay between them and a fixed one after them. The first choice in the decision period ends the trial. Durations
    are compared in whole steps; where they are equal the second choice is the right one.

    Channels: `fixation`, `stim1`, `stim2`. Actions: 0 fixates, 1 says the first was longer, 2 says it was not.
    Conditions: `duration1`, `duration2` (ms); `ground_truth` (1 or 2) follows.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("IntervalDiscrimination-v0"), jax.random.key(0), 2, duration1=480,
        ...                   duration2=[400, 560])
        >>> batch.targets.max(axis=1).tolist()
        [1, 2]
    """

    TIMING = {
        "fixation": 300,
        "stim1": ("uniform", (300, 600)),
        "delay1": ("uniform", (800, 1500)),
        "stim2": ("uniform", (300, 600)),
        "delay2": 500,
        "decision": 300,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Genovesio, Tsujimoto & Wise (2009). Feature- and order-based timing representations in the frontal cortex. "
        "Neuron 63:254",
        "10.1016/j.neuron.2009.06.018",
    )
    UNITS = {"duration1": "ms", "duration2": "ms"}
    TAGS = ("timing", "working memory", "delayed response", "two-alternative", "supervised")

    dt: float = time_step(80)
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # strict fixation holds for the fixation period as well

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stim1=1, stim2=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    def conditions(self, draw, memory):
        first, second = draw.duration("duration1", "stim1"), draw.duration("duration2", "stim2")
        longer = whole_steps(first, self.dt) > whole_steps(second, self.dt)
        return {"duration1": first, "duration2": second, "ground_truth": jnp.where(longer, 1, 2).astype(jnp.int32)}

    def periods(self, conditions, steps):
        known = {"stim1": "duration1", "stim2": "duration2"}
        elapsed, out = 0, {}
        for name in self.TIMING:
            given = known.get(name) in conditions
            length = whole_steps(conditions[known[name]], self.dt) if given else steps(name, elapsed)
            out[name] = (elapsed, elapsed + length)
            elapsed = elapsed + length
        return out

    def observe(self, trial, state, t):
        return {
            "fixation": ~trial.during("decision", t),
            "stim1": trial.during("stim1", t),
            "stim2": trial.during("stim2", t),
        }

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == trial["ground_truth"])

    def references(self):
        first, second = (step_probabilities(self.timing[name], self.dt) for name in ("stim1", "stim2"))
        longer = sum(p * q for m, p in first.items() for n, q in second.items() if m > n)
        # nothing is noisy: an observer who counts steps knows the answer
        return {"ideal": 1.0, "blind": max(longer, 1 - longer), "random": random_choice(self, 0.5)}


class MotorTiming(Task):
    """Cue-set-go: a cue says which of some intervals to produce after a set flash.

    Fixation is on until the production period, and a cue channel from the fixation's end on tells which interval is
    asked for. After a random time a set flash ends; from there the response should come after that interval. The
    reward falls with the error, down to nothing beyond a margin; any response in the production period, which lasts
    twice the interval, ends the trial.

    Channels: `fixation`, `cue` `[K]`, `set`. Actions: 0 waits, 1 goes.
    Conditions: `production_ind` (int, from 0); `production` (ms) follows.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("MotorTiming-v0", dt=100, timing={"cue": 1000, "set": 100})
        >>> nj.render(task, jax.random.key(0), 2, production_ind=[0, 1]).targets.argmax(axis=1).tolist()
        [24, 31]
    """

    TIMING = {"fixation": 500, "cue": ("uniform", (1000, 3000)), "set": 83}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PERIODS = ("fixation", "cue", "set", "production")
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Wang, Narain, Hosseini & Jazayeri (2018). Flexible timing by temporal scaling of cortical responses. Nature "
        "Neuroscience 21:102",
        "10.1038/s41593-017-0028-6",
    )
    UNITS = {"production": "ms"}
    TAGS = ("timing", "go-no-go", "supervised")
    DEVIATIONS = (
        Deviation(
            what="set",
            neurogym="50 ms, which is no step at its time step of 80 ms: the set flash is never shown",
            here="83 ms, as in ReadySetGo: one step",
            reason="a cue must not vanish",
            kind="repaired",
        ),
        Deviation(
            what="target",
            neurogym="asks to go at the step before the interval is over",
            here="asks to go at the step nearest to it",
            reason="the target must be the best action: 1,520 ms for 1,500 and not 1,440",
            affects=("target",),
        ),
    )

    dt: float = time_step(80)
    intervals: Any = quantity(
        (800.0, 1500.0), units="ms", above=0, many=True, doc="K intervals to produce, each as likely"
    )
    prod_margin: Any = quantity(0.2, low=0, doc="error that still earns a reward, as a share of the interval (+25 ms)")
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether responding at any time before the production period ends the trial"
    )

    def validate(self) -> None:
        if whole_steps(2 * float(np.min(self.intervals)), self.dt) < 1:
            raise InvalidArgument(
                f"intervals must be {self.dt / 2:g} ms or more at dt={self.dt:g} ms, got {np.min(self.intervals):g}"
            )

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # strict fixation holds for the fixation period as well

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, cue=np.shape(self.intervals)[-1], set=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, go=1)

    def conditions(self, draw, memory):
        index = draw.integer("production_ind", np.shape(self.intervals)[-1])
        return {"production_ind": index, "production": jnp.asarray(self.intervals)[index]}

    def periods(self, conditions, steps):
        cue_on = steps("fixation")
        set_on = cue_on + steps("cue", cue_on)
        set_off = set_on + steps("set", set_on)
        return {
            "fixation": (0, cue_on),
            "cue": (cue_on, set_on),
            "set": (set_on, set_off),
            "production": (set_off, set_off + whole_steps(2 * conditions["production"], self.dt)),
        }

    def longest(self):
        return self.longest_under({"production": np.max(self.intervals)})

    def longest_under(self, conditions):
        return super().longest_under({"production": np.max(self.intervals), **conditions})

    def observe(self, trial, state, t):
        shows = trial.during("cue", t) | trial.during("set", t)
        cue = np.arange(np.shape(self.intervals)[-1], dtype=np.int32) == trial["production_ind"]
        return {"fixation": ~trial.during("production", t), "cue": cue & shows, "set": trial.during("set", t)}

    def target(self, trial, state, t):
        due = trial.start["production"] + jnp.round(trial["production"] / np.float32(self.dt)).astype(jnp.int32)
        return t == jnp.minimum(due, trial.end["production"] - 1)

    def respond(self, trial, state, action, t, draw):
        strict = self.strict_fixation & (t < trial.start["production"])
        return _produce(
            self,
            action == 1,
            trial["production"],
            t - trial.start["production"],
            within=trial.during("production", t),
            held=trial.during("fixation", t) | strict,
            aborts=self.abort | strict,
        )

    def references(self):
        intervals = np.ravel(self.intervals).astype(np.float64)
        right = [_right(self, ms, int(whole_steps(2 * ms, self.dt))) for ms in intervals]
        before = ("fixation", "cue", "set") if self.strict_fixation else ("fixation",) if self.abort else ()
        due = [int(np.round(ms / self.dt)) for ms in intervals]
        counted = float(np.mean([r[min(d, len(r) - 1)] for r, d in zip(right, due, strict=True)]))
        return {
            "clairvoyant": counted,
            "ideal": counted,  # nothing is noisy: an observer who counts steps knows when
            "blind": _best_time(right),
            "random": _survival(self, before) * _first_go(right),
        }


class OneTwoThreeGo(Task):
    """1-2-3-Go: three flashes set a rhythm, and the response should be the fourth beat.

    Fixation is on throughout, and a target from its end on. After a random time come three flashes, an interval apart;
    the response should come one interval after the third. The reward falls with the error, down to nothing beyond a
    margin; any response after the third flash ends the trial. Responding before costs `abort`.

    Channels: `fixation`, `stimulus`, `target`. Actions: 0 waits, 1 goes.
    Conditions: `interval` (ms, between the end of a flash and the next).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("OneTwoThreeGo-v0", dt=100, timing={"fixation": 200, "target": 500})
        >>> batch = nj.render(task, jax.random.key(0), 1, interval=600)
        >>> batch.inputs[0, :, 1].nonzero()[0].tolist(), int(batch.targets[0].argmax())
        ([7, 14, 21], 28)
    """

    TIMING = {
        "fixation": ("truncated_exponential", (400, 100, 800)),
        "target": ("truncated_exponential", (1000, 500, 1500)),
        "s1": 100,
        "interval1": (600, 700, 800, 900, 1000),
        "s2": 100,
        "s3": 100,
        "response": 1000,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PERIODS = ("fixation", "target", "s1", "interval1", "s2", "interval2", "s3", "interval3", "response")
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Egger, Remington, Chang & Jazayeri (2019). Internal models of sensorimotor integration regulate cortical "
        "dynamics. Nature Neuroscience 22:1871",
        "10.1038/s41593-019-0500-6",
    )
    UNITS = {"interval": "ms"}
    TAGS = ("timing", "go-no-go", "supervised")
    DEVIATIONS = (
        Deviation(
            what="timing['interval2'], timing['interval3']",
            neurogym="named in the timing, and without effect",
            here="not taken: the three intervals are one",
            reason="every parameter has an effect",
            kind="interface",
        ),
    )

    dt: float = time_step(80)
    prod_margin: Any = quantity(0.2, low=0, doc="error that still earns a reward, as a share of the interval (+25 ms)")
    abort: Any = flag(False, doc="whether responding before the third flash is over ends the trial")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=1, target=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, go=1)

    def conditions(self, draw, memory):
        return {"interval": draw.duration("interval", "interval1")}

    def periods(self, conditions, steps):
        elapsed, out = 0, {}
        known = "interval" in conditions
        for name in self.PERIODS:
            if name.startswith("interval"):
                length = whole_steps(conditions["interval"], self.dt) if known else steps("interval1", elapsed)
            else:
                length = steps(name, elapsed)
            out[name] = (elapsed, elapsed + length)
            elapsed = elapsed + length
        return out

    def observe(self, trial, state, t):
        return {
            "fixation": True,
            "stimulus": trial.during("s1", t) | trial.during("s2", t) | trial.during("s3", t),
            "target": ~trial.during("fixation", t),
        }

    def target(self, trial, state, t):
        return trial.during("response", t)

    def respond(self, trial, state, action, t, draw):
        over = t >= trial.end["s3"]
        return _produce(
            self, action == 1, trial["interval"], t - trial.end["s3"], within=over, held=~over, aborts=self.abort
        )

    def references(self):
        intervals = step_probabilities(self.timing["interval1"], self.dt)
        responses = step_probabilities(self.timing["response"], self.dt)
        cases = [(n, m, p * q) for n, p in intervals.items() for m, q in responses.items()]
        right = [_right(self, n * self.dt, n + m) for n, m, _ in cases]
        share = [p for _, _, p in cases]
        counted = float(sum(p for _, m, p in cases if m > 0))
        survives = _survival(self, ("fixation", "target", "s1", "s2", "s3")) if self.abort else 1.0
        if self.abort:  # and twice the interval itself
            share = [p * 0.25**n for (n, _, _), p in zip(cases, share, strict=True)]
        return {
            "clairvoyant": counted,
            "ideal": counted,
            "blind": _best_time(right, [p for *_, p in cases]),
            "random": survives * _first_go(right, share),
        }


def _produce(task, goes, due, produced, *, within, held, aborts) -> Consequence:
    """A response whose time is the answer: it is due after `due` ms, and came `produced` steps from then on.

    Args:
        task: with `prod_margin`, the error that still earns a reward.
        goes: whether there is a response.
        due: the interval that is asked for, ms.
        produced: steps since it began.
        within: whether a response counts now.
        held: whether a response costs `rewards["abort"]` now, and where `aborts` ends the trial.
        aborts: see `held`.
    """
    decides, breaks = goes & within, goes & held
    error = jnp.abs(produced.astype(jnp.float32) * np.float32(task.dt) - due)
    margin = task.prod_margin * due + _SLACK
    correct = error <= margin
    share = jnp.maximum(jnp.maximum(1 - error / margin, 0) ** 1.5, 0.1)
    earned = jnp.where(correct, share * task.rewards["correct"], task.rewards["fail"])
    reward = jnp.where(decides, earned, 0.0) + jnp.where(breaks, task.rewards["abort"], 0.0)
    return abortable(reward, decides, breaks & aborts, correct)


def _right(task, due: float, window: int) -> np.ndarray:
    """bool `[window]`: whether a response is right, each number of steps after its time began."""
    margin = float(task.prod_margin) * due + _SLACK
    return np.abs(np.arange(window) * task.dt - due) <= margin + 1e-3


def _best_time(right: list[np.ndarray], share: Iterable[float] | None = None) -> float:
    """Accuracy of the best time to respond, whatever was asked for."""
    total = np.zeros(max(map(len, right)))
    for hits, p in zip(right, [1 / len(right)] * len(right) if share is None else share, strict=True):
        total[: len(hits)] += p * hits
    return float(total.max())


def _first_go(right: list[np.ndarray], share: Iterable[float] | None = None) -> float:
    """Accuracy where at each step a response comes with probability 1/2."""
    shares = [1 / len(right)] * len(right) if share is None else share
    return float(
        sum(p * np.sum(hits * 0.5 ** (np.arange(len(hits)) + 1)) for hits, p in zip(right, shares, strict=True))
    )


def _survival(task, names: Iterable[str]) -> float:
    """The probability that one who responds at half of all steps does not in these periods."""
    return math.prod(
        sum(p * 0.5**n for n, p in step_probabilities(task.timing[name], task.dt).items()) for name in names
    )
