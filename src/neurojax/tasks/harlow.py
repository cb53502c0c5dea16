"""Learning sets: new objects in every problem, the same rule in all of them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.tasks.bandits import as_int, check_whole
from neurojax.tasks.rules import abortable


class Harlow(Task):
    """Harlow's discrimination problems: two new objects, one of which hides a reward in all trials of the problem.

    Fixation is on at first. Then it goes off and the two objects are shown, left and right, sides drawn in each trial;
    the first choice ends the trial. A problem is a block of a few trials with the same two objects. Its first trial is
    a guess, and tells all: one who has learnt the rule is right from the second trial on. Objects are vectors of
    independent uniform numbers of mean 0 and variance 1, drawn afresh for each problem. A network needs its last action
    and reward among its inputs.

    Channels: `fixation`, `left` `[dim_object]`, `right` `[dim_object]`. Actions: 0 fixates, 1 chooses left, 2 right.
    Conditions: `ground_truth` (1 or 2, the side of the rewarded object), `objects` `[2, dim_object]` (the rewarded one
    first), `trial_in_block` (trials of the problem that are over).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("Harlow-v0"), jax.random.key(0), 1, ground_truth=2)
        >>> bool((batch.inputs[0, -1, 9:] == batch.conditions["objects"][0, 0]).all())
        True
    """

    TIMING = {"fixation": 200, "decision": 800}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    # The rule of the abstract version in Wang et al. (2018), doi:10.1038/s41593-018-0147-8, is the same.
    PRESETS = {"paper": {"trials": 6}}
    PAPER = Paper("Harlow (1949). The formation of learning sets. Psychol. Rev. 56:51", "10.1037/h0062474")
    TAGS = ("two-alternative",)
    UNITS = {"trial_in_block": "trials"}

    trials: Any = quantity(6, units="trials", low=1, source="paper", doc="length of a problem")
    abort: Any = flag(False, source="neurojax", doc="whether breaking fixation ends the trial")
    dim_object: int = structure(8, low=1, source="neurojax", doc="numbers that make an object")

    def validate(self) -> None:
        check_whole(self, "trials")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, left=self.dim_object, right=self.dim_object)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    def init_memory(self, draw):
        return {"objects": self._objects(draw), "trial_in_block": jnp.int32(0)}

    def next_memory(self, memory, trial, result, draw):
        count = memory["trial_in_block"] + 1
        over = count >= as_int(self.trials)
        return {
            "objects": jnp.where(over, self._objects(draw), memory["objects"]),
            "trial_in_block": jnp.where(over, 0, count),
        }

    def _objects(self, draw):
        bound = 3**0.5  # of a uniform law with variance 1
        return draw.uniform("objects", -bound, bound, (2, self.dim_object))

    def conditions(self, draw, memory):
        return {
            "ground_truth": draw.choice("ground_truth", jnp.arange(1, 3, dtype=jnp.int32)),
            "objects": draw.remembered("objects", memory["objects"]),
            "trial_in_block": draw.remembered("trial_in_block", memory["trial_in_block"]),
        }

    def observe(self, trial, state, t):
        shows, left = trial.during("decision", t), trial["ground_truth"] == 1
        rewarded, other = trial["objects"][0], trial["objects"][1]
        return {
            "fixation": ~shows,
            "left": jnp.where(shows, jnp.where(left, rewarded, other), 0.0),
            "right": jnp.where(shows, jnp.where(left, other, rewarded), 0.0),
        }

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def weight(self, trial, state, t):
        guess = trial.during("decision", t) & (trial["trial_in_block"] == 0)
        return jnp.where(guess, 0.0, 1.0)  # nothing is known of new objects

    def respond(self, trial, state, action, t, draw):
        acts, due = action != 0, trial.during("decision", t)
        correct = action == trial["ground_truth"]
        reward = jnp.where(correct, self.rewards["correct"], self.rewards["fail"])
        reward = jnp.where(due, reward, self.rewards["abort"])
        return abortable(jnp.where(acts, reward, 0.0), acts & due, acts & ~due & self.abort, correct)

    def references(self):
        hold = {
            name: sum(p * 3.0**-n for n, p in step_probabilities(law, self.dt).items())
            for name, law in self.timing.items()
        }
        survives = hold["fixation"] if self.abort else 1.0
        trials = float(self.trials)
        return {
            "clairvoyant": 1.0,
            "ideal": 1 - 0.5 / trials,
            "blind": 0.5,
            "random": survives * (1 - hold["decision"]) / 2,
        }
