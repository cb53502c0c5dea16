"""Confidence: a decision that can be waived for a small but certain reward."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument
from neurojax.tasks.observers import best_guess
from neurojax.tasks.rules import fixate_then_choose, random_hold, ring


class PostDecisionWager(Task):
    """Post-decision wager: judge the motion, or take a sure but smaller reward where it is offered.

    Fixation is on until the decision. During the stimulus, of variable length, each location of the ring shows
    evidence that is highest at the motion's direction; all channels are under Gaussian noise then. A variable delay
    follows. On half of the trials a sure target appears within the delay, and stays on. In the decision period the
    first choice ends the trial: of a direction, for the full reward or none, or of the sure target, for a smaller one.
    To choose a sure target that is not there is an abort.

    Performance is the reward's share of the way from an error to a correct choice: the sure target earns .7 of it.
    The target is the true direction, which is the best choice for who knows it; a subject who is less sure of it than
    the sure target pays does better by waiving.

    Channels: `fixation`, `stimulus` `[dim_ring]`, `sure`. Actions: 0 fixates, 1 .. dim_ring choose a direction,
    dim_ring + 1 takes the sure target. Conditions: `wager` (whether it is offered), `ground_truth` (from 0),
    `coherence` (percent).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("PostDecisionWager-v0", timing={"delay": 1200, "stimulus": 200, "pre_sure": 500})
        >>> nj.render(task, jax.random.key(0), 1, wager=True).inputs[0, 3:, 3].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    TIMING = {
        "fixation": 100,
        "stimulus": ("truncated_exponential", (180, 100, 900)),
        "delay": ("truncated_exponential", (1350, 1200, 1800)),
        "pre_sure": ("uniform", (500, 750)),
        "decision": 100,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0, "sure": 0.7}
    PRESETS = {"paper": {"strict_fixation": True, "rewards": {"sure": 0.8}}}
    PAPER = Paper(
        "Kiani & Shadlen (2009). Representation of confidence associated with a decision by neurons in the parietal "
        "cortex. Science 324:759",
        "10.1126/science.1169405",
    )
    TAGS = ("perceptual", "delayed response", "confidence")
    DEVIATIONS = (
        Deviation(
            what="correct choice",
            neurogym="scores the action against the direction counted from 0, and asks for it counted from 1",
            here="scores what it asks for",
            reason="NeuroGym's own target earned nothing, and one direction could not be chosen at all",
            affects=("reward", "performance"),
        ),
        Deviation(
            what="sure reward",
            neurogym="is always .7 of the reward for a correct choice",
            here="is `rewards['sure']`, .7 unless stated",
            reason="a quantity of the experiment",
            kind="interface",
        ),
        Deviation(
            what="dim_ring",
            neurogym="has two locations and two choices for any number of directions, and crashes but for two",
            here="has as many as there are directions",
            reason="NeuroGym's version crashes",
        ),
    )

    coherences: Any = quantity(
        (0.0, 3.2, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="motion coherences, each as likely",
    )  # fmt: skip
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation per step is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions, and of choices beside the sure target")

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    def validate(self) -> None:
        fail, sure, correct = (float(self.rewards[name]) for name in ("fail", "sure", "correct"))
        if not (fail <= sure <= correct and fail < correct):
            raise InvalidArgument(
                "rewards['sure'] must lie between rewards['fail'] and rewards['correct'], and these apart, got "
                f"fail={fail:g}, sure={sure:g}, correct={correct:g}"
            )
        latest, shortest = self.timing["pre_sure"].upper(), min(self.timing["delay"].durations())
        if latest > shortest:
            raise InvalidArgument(
                f"timing['pre_sure'] must not outlast timing['delay'], whose shortest is {shortest:g} ms, got "
                f"{latest:g} ms: the sure target must be seen before the decision"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring, sure=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.dim_ring, sure=1)

    @property
    def sure_performance(self):
        """What the sure target counts for: 0 as an error, 1 as a correct choice."""
        fail, sure, correct = (self.rewards[name] for name in ("fail", "sure", "correct"))
        return (sure - fail) / (correct - fail)

    def conditions(self, draw, memory):
        return {
            "wager": draw.flip("wager"),
            "ground_truth": draw.integer("ground_truth", self.dim_ring),
            "coherence": draw.choice("coherence", self.coherences),
        }

    def periods(self, conditions, steps):
        elapsed, out = 0, {}
        for name in ("fixation", "stimulus", "delay", "decision"):
            end = elapsed + steps(name, elapsed)
            out[name] = (elapsed, end)
            elapsed = end
        off = out["stimulus"][1]
        return {**out, "pre_sure": (off, off + steps("pre_sure", off))}

    def observe(self, trial, state, t):
        directions = ring(self.dim_ring)
        # A table, because a cosine would be taken again for every step, lane and channel.
        tuning = jnp.asarray(np.cos(directions - directions[:, None]))[trial["ground_truth"]]
        return {
            "fixation": t < trial.start["decision"],
            "stimulus": jnp.where(trial.during("stimulus", t), 0.5 + tuning * (trial["coherence"] / 200), 0.0),
            "sure": trial["wager"] & (t >= trial.end["pre_sure"]),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        return self.channels.split(scale * draw.normal("all", (self.channels.size,)))

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        came = fixate_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])
        waives = (action == 1 + self.dim_ring) & trial.during("decision", t)
        offered = trial["wager"]
        outcome = jnp.where(offered, int(Outcome.CORRECT), int(Outcome.ABORT))
        worth = jnp.where(offered, jnp.clip(self.sure_performance, 0.0, 1.0), 0.0)
        return came.replace(
            reward=jnp.where(waives, jnp.where(offered, self.rewards["sure"], self.rewards["abort"]), came.reward),
            outcome=jnp.where(waives, outcome, came.outcome).astype(jnp.int32),
            performance=jnp.where(waives, worth, came.performance),
        )

    def references(self):
        n, sure = self.dim_ring, float(self.sure_performance)
        held = ("fixation", "stimulus", "delay") if self.strict_fixation else ("fixation",) if self.abort else ()
        ideal = 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            # Half of the trials offer the sure target; its performance is worth as much as being right so often.
            known = lambda least, ms=steps * self.dt: best_guess(n, self.coherences, ms, float(self.sigma), least)
            ideal += p * (known(0.0) + known(sure)) / 2
        return {
            "ideal": float(ideal),
            "blind": (1 / n + max(sure, 1 / n)) / 2,
            "random": random_hold(self, (1 + sure / 2) / (n + 1), held),
        }

    def ideal_reward(self) -> float:
        """Mean reward of a trial of the ideal observer, who maximises reward and performance alike."""
        fail, correct = (float(self.rewards[name]) for name in ("fail", "correct"))
        return fail + self.references()["ideal"] * (correct - fail)
