"""Interval timing: the time of the response is the answer."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, time_step
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import longest_steps, step_probabilities, whole_steps
from neurojax.tasks.rules import abortable


class ReadySetGo(Task):
    """Ready-Set-Go: measure the interval between two flashes, then produce it, times a gain.

    Fixation is on until the production period. A ready flash begins the interval to be measured, and a set flash its
    reproduction: the response should come `gain` times the measured interval after the set flash began. The reward
    falls with the error, down to nothing beyond a margin; any response in the production period ends the trial.

    Channels: `fixation`, `ready`, `set`. Actions: 0 waits, 1 goes.
    Conditions: `measure` (ms); `gain` and `production` (ms) follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("ReadySetGo-v0"), jax.random.key(0), 2, measure=[800, 1200])
        >>> batch.targets.argmax(axis=1).tolist()
        [21, 31]
    """

    TIMING = {"fixation": 100, "ready": 83, "measure": ("uniform", (800, 1500)), "set": 83}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PERIODS = ("fixation", "ready", "measure", "set", "production")
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Remington, Narain, Hosseini & Jazayeri (2018). Flexible sensorimotor computations through rapid "
        "reconfiguration of cortical dynamics. Neuron 98:1005",
        "10.1016/j.neuron.2018.05.020",
    )
    TAGS = ("timing", "go-no-go", "supervised")
    UNITS = {"measure": "ms", "production": "ms"}
    DEVIATIONS = (
        Deviation(
            what="target",
            neurogym="asks to go `production` ms after the end of the set flash",
            here="asks to go `production` ms after its beginning, from where the reward is measured",
            reason="NeuroGym's own target comes a step late and earns .55; one step earlier earns 1",
            affects=("target",),
        ),
    )

    dt: float = time_step(80)
    gain: Any = quantity(1.0, above=0, doc="produced interval over measured interval")
    prod_margin: Any = quantity(0.2, low=0, doc="error that still earns a reward, as a share of the interval (+25 ms)")
    abort: Any = flag(False, source="neurojax", doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether responding at any time before the production period ends the trial"
    )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, ready=1, set=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, go=1)

    def conditions(self, draw, memory):
        measure = draw.duration("measure")
        return {"measure": measure, "gain": self.gain, "production": measure * self.gain}

    def periods(self, conditions, steps):
        fixation = steps("fixation")
        set_on = fixation + whole_steps(conditions["measure"], self.dt)
        set_off = set_on + steps("set", set_on)
        return {
            "fixation": (0, fixation),
            "ready": (fixation, fixation + steps("ready", fixation)),
            "measure": (fixation, set_on),
            "set": (set_on, set_off),
            "production": (set_off, set_off + whole_steps(2 * conditions["production"], self.dt)),
        }

    def longest(self):
        if not math.isfinite(self.timing["measure"].upper()):
            return math.inf
        measure = np.float32(longest_steps(self.timing["measure"], 0, self.dt) * self.dt)
        return self.longest_under({"measure": measure, "production": measure * np.float32(self.gain)})

    def observe(self, trial, state, t):
        return {
            "fixation": ~trial.during("production", t),
            "ready": trial.during("ready", t),
            "set": trial.during("set", t),
        }

    def target(self, trial, state, t):
        due = trial.start["set"] + jnp.round(trial["production"] / np.float32(self.dt)).astype(jnp.int32)
        return t == jnp.maximum(due, trial.start["production"])

    def respond(self, trial, state, action, t, draw):
        goes = action == 1
        decides = goes & trial.during("production", t)
        produced = (t - trial.start["set"]).astype(jnp.float32) * np.float32(self.dt)
        error = jnp.abs(produced - trial["production"])
        margin = self.prod_margin * trial["production"] + 25
        correct = error <= margin
        share = jnp.maximum(jnp.maximum(1 - error / margin, 0) ** 1.5, 0.1)
        strict = self.strict_fixation & (t < trial.start["production"])
        breaks = goes & (trial.during("fixation", t) | strict)
        earned = jnp.where(correct, share * self.rewards["correct"], self.rewards["fail"])
        reward = jnp.where(decides, earned, 0.0) + jnp.where(breaks, self.rewards["abort"], 0.0)
        return abortable(reward, decides, breaks & (self.abort | strict), correct)

    def references(self):
        dt, gain, margin = self.dt, float(self.gain), float(self.prod_margin)
        measures = step_probabilities(self.timing["measure"], dt)
        sets = step_probabilities(self.timing["set"], dt)
        latest = self.capacity

        def right(measure: int, set_: int) -> np.ndarray:
            """Whether a response each number of steps after the set flash began is right."""
            produce, produced = measure * dt * gain, np.arange(latest) * dt
            window = (np.arange(latest) >= set_) & (produced < set_ * dt + 2 * produce)
            return window & (np.abs(produced - produce) <= margin * produce + 25)

        table = [(p * q, set_, right(m, set_)) for m, p in measures.items() for set_, q in sets.items()]
        counted = 0.0
        for measure, p in measures.items():
            for set_, q in sets.items():
                counted += p * q * bool(right(measure, set_)[max(set_, int(np.round(measure * gain)))])
        first_go = lambda set_: np.where(np.arange(latest) >= set_, 0.5 ** (np.arange(latest) - set_ + 1.0), 0.0)
        numbers = {
            "clairvoyant": counted,
            "ideal": counted,  # nothing is noisy: an observer who counts steps knows the interval
            "blind": float(np.max(sum(p * hits for p, _, hits in table))),
        }
        if not (self.abort or self.strict_fixation):
            numbers["random"] = float(sum(p * np.sum(hits * first_go(set_)) for p, set_, hits in table))
        return numbers
