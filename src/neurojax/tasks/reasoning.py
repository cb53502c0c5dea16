"""Reasoning about hidden rules that change between trials."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities, whole_steps
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import abortable


class HierarchicalReasoning(Task):
    """Hierarchical reasoning: report the rule that holds, then judge an interval by it.

    Two flashes at one of two locations are separated by a delay, long or short. Under rule 1 a long delay asks for
    the flashes' location and a short one for the other; under rule 0 it is the other way round. The rule holds for a
    block of trials and then switches, without a cue. The rule is reported first, while its targets are on (the last
    report counts), and the location after the second flash; only both together are correct. The middle delay is
    ambiguous: its answer is drawn.

    Channels: `fixation`, `rule` `[2]`, `stimulus` `[2]`. Actions: 0 fixates, 1 and 2 report rule 0 and 1, 3 and 4
    choose a location. Conditions: `interval` (ms), `rule` (0 or 1), `stimulus` (0 or 1), `tie` (whether the middle
    delay counts as long); `long_interval` and `pro_choice` follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("HierarchicalReasoning-v0"), jax.random.key(0), 4, rule=1, interval=1170)
        >>> batch.conditions["pro_choice"].tolist()
        [True, True, True, True]
    """

    TIMING = {
        "fixation": ("truncated_exponential", (600, 400, 800)),
        "rule_target": 1000,
        "fixation2": ("truncated_exponential", (600, 400, 900)),
        "flash1": 100,
        "delay": (530, 610, 690, 770, 850, 930, 1010, 1090, 1170),
        "flash2": 100,
        "decision": 700,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Sarafyazd & Jazayeri (2019). Hierarchical reasoning by neural circuits in the frontal cortex. "
        "Science 364:eaav8911",
        "10.1126/science.aav8911",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")
    UNITS = {"interval": "ms"}
    DEVIATIONS = (
        Deviation(
            what="interval",
            neurogym="scores an interval that is drawn apart from the delay that is shown",
            here="the delay lasts the interval",
            reason="the label was no function of what was shown",
            affects=("observation", "target", "reward", "new_trial", "performance"),
        ),
        Deviation(
            what="threshold",
            neurogym="the second delay of the list (610 ms), by an index too many",
            here="the median delay, in whole steps (850 ms where dt divides it)",
            reason="the paper's threshold",
            affects=("target", "reward", "performance"),
        ),
        Deviation(
            what="first rule",
            neurogym="a session starts with rule 1",
            here="it starts with either rule",
            reason="independent trials must show both rules",
            affects=("conditions",),
        ),
    )

    block_min: Any = quantity(10, units="trials", low=1, doc="least length of a block of one rule")
    block_max: Any = quantity(20, units="trials", low=1, doc="greatest length of a block")
    abort: Any = flag(False, source="neurojax", doc="whether breaking fixation ends the trial (in the paper it does)")

    def validate(self) -> None:
        for name in ("block_min", "block_max"):
            if float(getattr(self, name)) % 1:
                raise InvalidArgument(f"{name} must be a whole number of trials, got {float(getattr(self, name)):g}")
        if not self.block_min <= self.block_max:
            raise InvalidArgument(f"block_min must not exceed block_max, got {self.block_min:g} and {self.block_max:g}")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, rule=2, stimulus=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, rule=2, choice=2)

    def init_memory(self, draw):
        return {"rule": draw.integer("rule", 2), "trial_in_block": jnp.int32(0), "block_size": self._block_size(draw)}

    def next_memory(self, memory, trial, result, draw):
        count = memory["trial_in_block"] + 1
        over = count >= memory["block_size"]
        return {
            "rule": jnp.where(over, 1 - memory["rule"], memory["rule"]),
            "trial_in_block": jnp.where(over, 0, count),
            "block_size": jnp.where(over, self._block_size(draw), memory["block_size"]),
        }

    def _block_size(self, draw):
        sizes = self.block_max - self.block_min + 1
        size = self.block_min + jnp.floor(draw.uniform("block_size") * sizes)
        return jnp.minimum(size, self.block_max).astype(jnp.int32)

    def conditions(self, draw, memory):
        interval = draw.duration("interval", "delay")
        rule = draw.remembered("rule", memory["rule"], 2)
        middle = whole_steps(jnp.asarray(self.timing["delay"].median()), self.dt).astype(jnp.float32) * self.dt
        tie = draw.flip("tie") & (jnp.abs(interval - middle) < 0.5)
        long_interval = (interval > middle + 0.5) | tie
        return {
            "interval": interval,
            "rule": rule,
            "stimulus": draw.integer("stimulus", 2),
            "long_interval": long_interval,
            "pro_choice": long_interval == (rule == 1),
        }

    def periods(self, conditions, steps):
        elapsed, out = 0, {}
        for name in self.TIMING:
            length = whole_steps(conditions["interval"], self.dt) if name == "delay" else steps(name, elapsed)
            out[name] = (elapsed, elapsed + length)
            elapsed = elapsed + length
        return out

    def longest(self):
        return self.longest_under({"interval": np.float32(self.timing["delay"].upper())})

    def init_state(self, trial):
        return {"reported_rule": np.bool_(False)}

    def _choice(self, trial):
        return jnp.where(trial["pro_choice"], trial["stimulus"], 1 - trial["stimulus"])

    def observe(self, trial, state, t):
        flash = trial.during("flash1", t) | trial.during("flash2", t)
        location = jnp.arange(2, dtype=jnp.int32) == trial["stimulus"]
        return {
            "fixation": ~trial.during("decision", t),
            "rule": trial.during("rule_target", t),
            "stimulus": flash & location,
        }

    def target(self, trial, state, t):
        choose = jnp.where(trial.during("decision", t), 3 + self._choice(trial), 0)
        return jnp.where(trial.during("rule_target", t), 1 + trial["rule"], choose)

    def respond(self, trial, state, action, t, draw):
        acts, reports = action != 0, trial.during("rule_target", t)
        decides = acts & trial.during("decision", t)
        correct = (action == 3 + self._choice(trial)) & state["reported_rule"]
        breaks = acts & ~reports & ~decides
        reward = jnp.where(decides, jnp.where(correct, self.rewards["correct"], self.rewards["fail"]), 0.0)
        reported = jnp.where(reports, action == 1 + trial["rule"], state["reported_rule"])
        return abortable(
            reward + jnp.where(breaks, self.rewards["abort"], 0.0),
            decides,
            breaks & self.abort,
            correct,
            state={"reported_rule": reported},
        )

    def references(self):
        delays = step_probabilities(self.timing["delay"], self.dt)
        middle = int(whole_steps(float(np.asarray(self.timing["delay"].median())), self.dt))
        numbers = {
            "clairvoyant": 1.0,
            "ideal": self._follow_rule(1.0, delays.get(middle, 0.0)),
            "blind": self._follow_rule(0.5, 0.0),
        }
        if not self.abort:
            responds = sum(p * (1 - 0.2**n) for n, p in step_probabilities(self.timing["decision"], self.dt).items())
            numbers["random"] = 0.2 * responds / 4
        return numbers

    def _follow_rule(self, hit: float, ties: float, trials: int = 4000) -> float:
        """Mean performance, over a long session, of an observer who infers the rule from its own rewards.

        Where its rule is right, its choice is so with `hit`, and with .5 in the share of trials, `ties`, in which the
        delay is ambiguous; it knows which those are, so that a failure there tells it less. It keeps the probability
        of each rule and of each number of trials since the switch, follows the likelier rule, and learns from success
        (the rule was right) and failure (it was wrong, or the choice was). Simulated with a fixed seed: 200 sessions
        of `trials` trials.
        """
        low, high = int(self.block_min), int(self.block_max)
        done = np.arange(1, high + 1)  # trials of the block that are over
        switches = np.where(done >= low, 1 / np.maximum(high - done + 1, 1), 0.0)
        rng, sessions = np.random.default_rng(0), 200
        belief = np.zeros((sessions, 2, high))
        belief[:, :, 0] = 0.5
        rule = rng.integers(2, size=sessions)
        age = np.zeros(sessions, int)
        rewarded = 0
        for _ in range(trials):
            guess = (belief[:, 1].sum(-1) > belief[:, 0].sum(-1)).astype(int)
            hits = np.where(rng.random(sessions) < ties, 0.5, hit)[:, None]
            success = (guess == rule) & (rng.random(sessions) < hits[:, 0])
            rewarded += success.sum()
            likelihood = np.where(np.arange(2)[None] == guess[:, None], hits, 0.0)
            belief *= np.where(success[:, None], likelihood, 1 - likelihood)[:, :, None]
            belief /= belief.sum((1, 2), keepdims=True)
            stay, leave = belief * (1 - switches), (belief * switches).sum(-1)
            belief = np.zeros_like(belief)
            belief[:, :, 1:] = stay[:, :, :-1]
            belief[:, :, 0] += leave[:, ::-1]
            turn = rng.random(sessions) < switches[age]
            rule, age = np.where(turn, 1 - rule, rule), np.where(turn, 0, age + 1)
        return float(rewarded / (trials * sessions))
