"""Perceptual decisions: evidence accumulated over time."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.modifiers.reaction_time import ReactionTime
from neurojax.tasks.observers import best_guess, direction_accuracy
from neurojax.tasks.rules import fixate_then_choose, hold_then_choose, random_choice, random_hold, ring


class PerceptualDecisionMaking(Task):
    """Random-dot motion: which of several directions does the noisy motion favour?

    Fixation is on at first. During the stimulus each location of the ring shows evidence that is highest at the
    motion's direction, by the coherence, under Gaussian noise drawn afresh each step. After an optional delay, the
    first choice in the decision period ends the trial.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: 0 fixates, 1 .. dim_ring choose a direction.
    Conditions: `ground_truth` (int, from 0), `coherence` (percent).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("PerceptualDecisionMaking-v0"), jax.random.key(0), 4, coherence=51.2)
        >>> batch.inputs.shape
        (4, 22, 3)
    """

    TIMING = {"fixation": 100, "stimulus": 2000, "delay": 0, "decision": 100}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Britten, Shadlen, Newsome & Movshon (1992). The analysis of visual motion: a comparison of neuronal and "
        "psychophysical performance. J. Neurosci. 12:4745",
        "10.1523/JNEUROSCI.12-12-04745.1992",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")

    coherences: Any = quantity(
        (0.0, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="motion coherences, each as likely",
    )  # fmt: skip
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation per step is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions, and of choices")

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.dim_ring)

    def conditions(self, draw, memory):
        return {
            "ground_truth": draw.integer("ground_truth", self.dim_ring),
            "coherence": draw.choice("coherence", self.coherences),
        }

    def observe(self, trial, state, t):
        # A table, because a cosine would be taken again for every step, lane and channel.
        directions = ring(self.dim_ring)
        tuning = jnp.asarray(np.cos(directions - directions[:, None]))[trial["ground_truth"]]
        evidence = 0.5 + tuning * (trial["coherence"] / 200)
        return {
            "fixation": trial.during("fixation", t),
            "stimulus": jnp.where(trial.during("stimulus", t), evidence, 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.dim_ring,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        ideal = 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            ideal += p * np.mean([self.ideal_accuracy(c, steps * self.dt) for c in np.ravel(self.coherences)])
        return {"ideal": float(ideal), "blind": 1 / self.dim_ring, "random": random_choice(self, 1 / self.dim_ring)}

    def ideal_accuracy(self, coherence: float, stimulus: float) -> float:
        """Accuracy of the ideal observer at a coherence (percent) after `stimulus` ms.

        With two directions it is Phi((c/100) sqrt(T/2) / sigma). With more, evidence is a vector in the plane with
        unit noise and length d = (c/200) sqrt(n T / 2) / sigma, and correct within pi/n of its direction.
        """
        return direction_accuracy(self.dim_ring, coherence, stimulus, float(self.sigma))


class PerceptualDecisionMakingDelayResponse(Task):
    """Perceptual decision with a delayed response: which of two sides was the stronger, said after a variable delay.

    Fixation is on until the decision. The stimulus gives both sides evidence around .5, apart by the coherence, under
    Gaussian noise; a delay of variable length follows. The end of fixation is the go cue, and the first choice in the
    decision period ends the trial.

    Channels: `fixation`, `stimulus` `[2]`. Actions: 0 fixates, 1 and 2 choose a side.
    Conditions: `ground_truth` (1 or 2), `coherence` (percent, scaled by `stim_scale`).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("PerceptualDecisionMakingDelayResponse-v0", timing={"delay": 300})
        >>> nj.render(task, jax.random.key(0), 4, ground_truth=2).targets[:, 13:15].tolist()
        [[0, 2], [0, 2], [0, 2], [0, 2]]
    """

    TIMING = {
        "fixation": 0,
        "stimulus": 1150,
        "delay": (300, 500, 700, 900, 1200, 2000, 3200, 4000),
        "decision": 1500,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Inagaki, Fontolan, Romani & Svoboda (2019). Discrete attractor dynamics underlies persistent activity in the "
        "frontal cortex. Nature 566:212",
        "10.1038/s41586-019-0919-7",
    )
    TAGS = ("perceptual", "delayed response", "two-alternative", "supervised")
    DEVIATIONS = (
        Deviation(
            what="early responses",
            neurogym="cost a reward in the fixation period alone, which lasts 0 ms",
            here="cost it at any time before the decision, and end the trial with `abort`",
            reason="holding a choice through the delay was free, so that nothing had to be remembered",
            affects=("reward", "new_trial"),
        ),
    )
    PROBES = ({"abort": False},)  # with it, hardly any random play lasts until a choice can be wrong

    coherences: Any = quantity(
        (0.0, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="differences of the two sides before scaling, each as likely",
    )  # fmt: skip
    stim_scale: Any = quantity(1.0, low=0, doc="factor on the coherences; below 1 the task is harder")
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation per step is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether responding before the decision ends the trial")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    def conditions(self, draw, memory):
        return {
            "ground_truth": draw.choice("ground_truth", np.asarray([1, 2], np.int32)),
            "coherence": draw.choice("coherence", self.coherences * self.stim_scale),
        }

    def observe(self, trial, state, t):
        sign = jnp.where(jnp.arange(1, 3, dtype=jnp.int32) == trial["ground_truth"], 1.0, -1.0)
        return {
            "fixation": ~trial.during("decision", t),
            "stimulus": jnp.where(trial.during("stimulus", t), 0.5 + sign * (trial["coherence"] / 200), 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (2,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return hold_then_choose(self, trial, action, t, action == trial["ground_truth"])

    def references(self):
        coherences = np.ravel(self.coherences) * float(self.stim_scale)
        ideal = 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            ideal += p * best_guess(2, coherences, steps * self.dt, float(self.sigma))
        return {"ideal": float(ideal), "blind": 0.5, "random": random_hold(self, 0.5)}


class FreeMotion(ReactionTime):
    """PerceptualDecisionMaking with free reaction times, as `roitman02` builds it and its settings build it again."""

    PRESETS = {"paper": {"coherences": (0, 3.2, 6.4, 12.8, 25.6, 51.2), "strict_fixation": True}}

    def settings(self) -> dict[str, Any]:
        return {**self.inner.settings(), **self._own()}


def roitman02(
    *, preset: str | None = None, urgency: float = 0.0, end_on_stimulus: bool = True, **kwargs: Any
) -> FreeMotion:
    """Random-dot motion with free reaction times: PerceptualDecisionMaking, answered as soon as it is seen.

    The trial ends with the first choice from the second frame of motion on, or when the motion does. The preset
    "paper" takes the coherences of Roitman & Shadlen (0, 3.2, 6.4, 12.8, 25.6 and 51.2%) and holds the subject to
    fixation; NeuroGym's are those of PerceptualDecisionMaking. How long the motion may last is NeuroGym's (2,000 ms;
    the monkeys took .4 to .8 s on average).

    Args:
        preset: None or "paper".
        urgency: reward added at every step; below 0 it is a cost of time.
        end_on_stimulus: whether the trial ends with the stimulus.
        **kwargs: of PerceptualDecisionMaking.

    Example:
        >>> import neurojax as nj
        >>> task = nj.make("perceptualdecisionmaking.roitman02-v0", preset="paper", dt=20)
        >>> task.base.coherences.tolist()[:2], task.capacity
        ([0.0, 3.200000047683716], 105)
    """
    if preset == "paper" and not {"coherences", "cohs"} & set(kwargs):
        kwargs["coherences"] = FreeMotion.PRESETS["paper"]["coherences"]
    motion = PerceptualDecisionMaking.create(preset=preset, **kwargs)
    return FreeMotion.around(motion, urgency=urgency, end_on_stimulus=end_on_stimulus)


roitman02.PAPER = Paper(  # type: ignore[attr-defined]
    "Roitman & Shadlen (2002). Response of neurons in the lateral intraparietal area during a combined visual "
    "discrimination reaction time task. J. Neurosci. 22:9475",
    "10.1523/JNEUROSCI.22-21-09475.2002",
)
roitman02.TAGS = PerceptualDecisionMaking.TAGS  # type: ignore[attr-defined]
