"""Withholding and redirecting a response."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Consequence, Trial
from neurojax.tasks.rules import abortable, fixate_then_choose, random_choice, ring

# What go/no-go tasks share, with `go_or_withhold`: NeuroGym writes the same rules in each.
GO_NOGO_DEVIATIONS = (
    Deviation(
        what="performance",
        neurogym="a correct no-go scores 0 (the score is reset after it is set), but in a session's first trial 1, and "
        "there an aborted one as well",
        here="withholding until the end of a no-go trial is correct and scores 1",
        reason="the score must follow the trial's outcome: NeuroGym's own target scores .5",
        affects=("performance",),
    ),
    Deviation(
        what="early response",
        neurogym="costs `abort` in the fixation period alone, which lasts 0 ms",
        here="costs `abort` at any time before the decision",
        reason="the reward could never be given, and one could answer all along",
        affects=("reward",),
    ),
    Deviation(
        what="abort",
        neurogym="ends the trial after a response in the fixation period alone",
        here="ends it after a response at any time before the decision",
        reason="as for the reward; by default nothing ends",
        affects=("new_trial",),
    ),
)


def go_or_withhold(task, trial: Trial, action, t, go) -> Consequence:
    """Go in the period `decision`, or let it pass: where `go` is false, the trial's end without a response is correct.

    Going earlier costs `rewards["abort"]`, and ends the trial where `task.abort`.
    """
    acts, rewards = action != 0, task.rewards
    decides = acts & trial.during("decision", t)
    breaks = acts & (t < trial.start["decision"])
    withheld = trial.last(t) & ~decides & ~go
    earned = jnp.where(decides, jnp.where(go, rewards["correct"], rewards["fail"]), 0.0)
    aborts = breaks & task.abort
    ends = decides | (withheld & ~aborts)
    return abortable(earned + jnp.where(breaks, rewards["abort"], 0.0), ends, aborts, withheld | go)


def random_go(task, go: float = 0.5) -> float:
    """Accuracy of random actions under `go_or_withhold`, where a share `go` of trials asks for a response."""
    hold = {
        name: sum(p * 0.5**n for n, p in step_probabilities(task.timing[name], task.dt).items()) for name in task.TIMING
    }
    survives = math.prod(p for name, p in hold.items() if name != "decision") if task.abort else 1.0
    return survives * (go * (1 - hold["decision"]) + (1 - go) * hold["decision"])


class GoNogo(Task):
    """Go/no-go: respond after one stimulus, and withhold the response after the other.

    Fixation is on until the decision. One of two stimuli is shown, and remembered over a delay. In the decision period
    the go stimulus asks for a response, which ends the trial; the no-go stimulus asks to let the period pass.

    Channels: `fixation`, `nogo`, `go`. Actions: 0 waits, 1 goes. Conditions: `ground_truth` (1 go, 0 no-go).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("GoNogo-v0"), jax.random.key(0), 2, ground_truth=[0, 1])
        >>> batch.targets.sum(axis=1).tolist()
        [0, 5]
    """

    TIMING = {"fixation": 0, "stimulus": 500, "delay": 500, "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": -0.5, "miss": -0.5}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Zhang, Yan, Wang, Fan, Hou, Chen, Chen, Ge, Duan, Compte & Li (2019). Active information maintenance in "
        "working memory by a sensory cortex. eLife 8:e43191",
        "10.7554/eLife.43191",
    )
    TAGS = ("delayed response", "go-no-go", "supervised")
    DEVIATIONS = GO_NOGO_DEVIATIONS

    abort: Any = flag(False, doc="whether going before the decision ends the trial")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, nogo=1, go=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, go=1)

    def conditions(self, draw, memory):
        return {"ground_truth": draw.integer("ground_truth", 2)}

    def observe(self, trial, state, t):
        shows, go = trial.during("stimulus", t), trial["ground_truth"] == 1
        return {"fixation": ~trial.during("decision", t), "nogo": shows & ~go, "go": shows & go}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return go_or_withhold(self, trial, action, t, trial["ground_truth"] == 1)

    def references(self):
        responds = 1 - step_probabilities(self.timing["decision"], self.dt).get(0, 0.0)
        seen = 1 - step_probabilities(self.timing["stimulus"], self.dt).get(0, 0.0)
        best = (1 + responds) / 2  # where the decision lasts no step, only no-go trials can be right
        return {"clairvoyant": best, "ideal": seen * best + (1 - seen) / 2, "blind": 0.5, "random": random_go(self)}


class AntiReach(Task):
    """Anti-response: look away from the stimulus, to the opposite side.

    Fixation is on until the decision. The ring shows a bump; after an optional delay the first choice in the decision
    period ends the trial. It should be the direction opposite the bump, or, with `anti=False`, the bump's own.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: 0 fixates, 1 .. dim_ring choose a direction.
    Conditions: `ground_truth` (the direction to choose, from 0), `anti` (1 or 0).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("AntiReach-v0"), jax.random.key(0), 2, ground_truth=0)
        >>> int(batch.inputs[0, 5, 1:].argmax())  # it looks away from the bump
        16
    """

    TIMING = {"fixation": 500, "stimulus": 500, "delay": 0, "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Munoz & Everling (2004). Look away: the anti-saccade task and the voluntary control of eye movement. "
        "Nat. Rev. Neurosci. 5:218",
        "10.1038/nrn1345",
    )
    TAGS = ("perceptual", "steps action space")

    anti: Any = flag(True, doc="whether to respond away from the stimulus, rather than to it")
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(32, low=2, doc="number of directions, and of choices")

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
            "anti": draw.remembered("anti", jnp.asarray(self.anti).astype(jnp.int32), 2),
        }

    def observe(self, trial, state, t):
        directions = ring(self.dim_ring)
        bump = jnp.asarray(np.cos(directions - directions[:, None]))[trial["ground_truth"]]
        stimulus = jnp.where(trial["anti"] == 1, -bump, bump)  # the opposite direction has the opposite cosine
        return {
            "fixation": ~trial.during("decision", t),
            "stimulus": jnp.where(trial.during("stimulus", t), stimulus, 0.0),
        }

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        chance = 1 / self.dim_ring
        responds = 1 - step_probabilities(self.timing["decision"], self.dt).get(0, 0.0)
        unseen = step_probabilities(self.timing["stimulus"], self.dt).get(0, 0.0)
        return {
            "clairvoyant": responds,
            "ideal": responds * (1 - unseen + unseen * chance),
            "blind": responds * chance,
            "random": random_choice(self, chance),
        }
