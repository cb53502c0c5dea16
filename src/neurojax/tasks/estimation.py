"""Estimation: report a remembered direction."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Outcome, consequence
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import abortable, circular_distance, ring

_TURN = np.float32(2 * math.pi)


class AngleReproduction(Task):
    """Angle reproduction: see two angles, one after the other, then turn a hand to the first and to the second.

    Two stimuli, each followed by a delay, show angles on a ring; then the go cue of the first report comes on, and
    that of the second. A second ring shows the hand, always. Each action leaves the hand, or turns it clockwise (up
    in angle) or back. During a report every step earns 1 less the hand's distance in radians from its angle, and at
    least `fail`; performance is the mean of that over both reports, scaled to [0, 1]. Each report begins with the
    hand at pi. The trial ends with the second report, correct where the last steps of both earned more than 0.

    Channels: `stimulus` `[dim_ring]`, `self` `[dim_ring]`, `go1`, `go2`. Actions: 0 stays, 1 clockwise,
    2 counterclockwise. Conditions: `ground_truth1`, `ground_truth2` (radians).
    What is seen depends on the actions: rendering plays a policy.

    The target turns the hand towards the angle that is reported now, or next; until the first stimulus it has weight
    0 in a loss, as nobody could know it. With `carry` it is the best action for this report alone: to leave the first
    angle early can gain more for the second than it costs.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("AngleReproduction-v0"), jax.random.key(0), 4, policy="random")
        >>> batch.inputs.shape
        (4, 35, 34)
    """

    TIMING = {"fixation": 500, "stim1": 500, "delay1": 500, "stim2": 500, "delay2": 500, "go1": 500, "go2": 500}
    REWARDS = {"correct": 1.0, "fail": -0.1}
    PRESETS = {"paper": {"free": False}}
    PAPER = Paper(
        "Ding, Cueva, Tsodyks & Qian (2017). Visual perception as retrospective Bayesian decoding from high- to "
        "low-level features. PNAS 114:E9115",
        "10.1073/pnas.1706906114",
    )
    UNITS = {"ground_truth1": "radians", "ground_truth2": "radians"}
    TAGS = ("perceptual", "working memory", "delayed response", "steps action space")
    CLOSED_LOOP = True
    DEVIATIONS = (
        Deviation(
            what="target",
            neurogym="the angle to report, cut to whole radians",
            here="the action that brings the hand nearer",
            reason="an angle is not an action",
            affects=("target",),
        ),
        Deviation(
            what="scored angle",
            neurogym="scores the distance to the angle cut to whole radians (its ground truth is an array of integers)",
            here="scores the distance to the angle that is shown",
            reason="the score must follow what is shown",
            affects=("reward", "performance"),
        ),
        Deviation(
            what="hand ring",
            neurogym="writes the hand into a placeholder for the observation, a string: it crashes at the first step",
            here="shows the hand, where it is after each action",
            reason="as described",
        ),
        Deviation(
            what="speed",
            neurogym="the hand turns .05 rad a time step, whatever dt: .25 rad in a report",
            here="it turns `speed` = 2 pi rad/s, half a circle in a report; `speed=0, step=.05` gives NeuroGym's",
            reason="NeuroGym's hand cannot arrive: to know the angle gains less than .1",
            affects=("observation", "reward", "performance"),
        ),
        Deviation(
            what="second report",
            neurogym="begins where the first left the hand",
            here="begins with the hand at pi; `carry=True` gives NeuroGym's",
            reason="the best play must report both angles: with one hand for both it leaves the first angle early",
            affects=("observation", "reward", "performance"),
        ),
        Deviation(
            what="outcome",
            neurogym="none; performance alone",
            here="correct where the last steps of both reports earn more than 0",
            reason="every trial ends with an outcome",
            kind="interface",
        ),
    )

    speed: Any = quantity(2 * math.pi, units="rad/s", low=0, source="repaired", doc="speed of the hand")
    step: Any = quantity(0.0, units="rad", low=0, source="repaired", doc="what the hand turns besides, each time step")
    carry: Any = flag(False, source="repaired", doc="whether the second report begins where the first left the hand")
    free: Any = flag(True, doc="whether the hand can be turned before the reports")
    dim_ring: int = structure(16, low=3, doc="number of directions on each ring")

    def validate(self) -> None:
        if not self.rewards["fail"] < self.rewards["correct"]:
            raise InvalidArgument(
                f"rewards['fail'] must be below rewards['correct'], got {self.rewards['fail']:g} and "
                f"{self.rewards['correct']:g}"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(stimulus=self.dim_ring, self=self.dim_ring, go1=1, go2=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, clockwise=1, counterclockwise=1)

    @property
    def stride(self):
        """How far the hand turns in a time step, in radians."""
        return self.step + self.speed * np.float32(self.dt / 1000)

    def conditions(self, draw, memory):
        return {name: draw.uniform(name, 0.0, _TURN) for name in ("ground_truth1", "ground_truth2")}

    def init_state(self, trial):
        # net moves clockwise, as a sum of angles would drift
        return {"moves": np.int32(0), "performance": np.float32(0), "first": np.bool_(True)}

    def _hand(self, moves):
        """Where the hand is, in radians, after so many net moves clockwise."""
        return jnp.mod(np.float32(math.pi) + self.stride * moves.astype(jnp.float32), _TURN)

    def _moves(self, trial, state, t):
        """The net moves of the hand as step `t` begins."""
        returns = (t == trial.start["go2"]) & ~self.carry
        return jnp.where(returns, 0, state["moves"])

    def _angle(self, trial, t):
        """The angle that is reported at step `t`, or next."""
        return jnp.where(t < trial.start["go2"], trial["ground_truth1"], trial["ground_truth2"])

    def observe(self, trial, state, t):
        directions = ring(self.dim_ring)
        first = trial.during("stim1", t)
        angle = jnp.where(first, trial["ground_truth1"], trial["ground_truth2"])
        return {
            "stimulus": jnp.where(first | trial.during("stim2", t), jnp.cos(directions - angle), 0.0),
            "self": jnp.cos(directions - self._hand(self._moves(trial, state, t))),
            "go1": trial.during("go1", t),
            "go2": trial.during("go2", t),
        }

    def _turns(self, trial, t):
        """Whether the hand can be turned at step `t`."""
        return self.free | (t >= trial.start["go1"])

    def target(self, trial, state, t):
        moves, angle = self._moves(trial, state, t), self._angle(trial, t)
        distance = lambda turn: circular_distance(self._hand(moves + turn), angle)
        here, clockwise, back = distance(0), distance(1), distance(-1)
        nearer = jnp.where(clockwise <= back, 1, 2)
        return jnp.where((jnp.minimum(clockwise, back) < here) & self._turns(trial, t), nearer, 0)

    def weight(self, trial, state, t):
        return t >= trial.start["stim1"]

    def respond(self, trial, state, action, t, draw):
        correct, fail = self.rewards["correct"], self.rewards["fail"]
        turn = jnp.where(action == 1, 1, jnp.where(action == 2, -1, 0))
        moves = self._moves(trial, state, t) + jnp.where(self._turns(trial, t), turn, 0)
        earned = jnp.maximum(correct - circular_distance(self._hand(moves), self._angle(trial, t)), fail)
        reports = t >= trial.start["go1"]
        steps = (trial.length - trial.start["go1"]).astype(jnp.float32)
        # times the inverse: a division by what all lanes share would round differently in a batch of one
        share = (earned - fail) * (1 / ((correct - fail) * steps))
        performance = state["performance"] + jnp.where(reports, share, 0.0)
        first = jnp.where(t == trial.end["go1"] - 1, earned > 0, state["first"])
        return consequence(
            reward=jnp.where(reports, earned, 0.0),
            end=trial.last(t),
            outcome=jnp.where(first & (earned > 0), int(Outcome.CORRECT), int(Outcome.ERROR)),
            performance=performance,
            state={"moves": moves, "performance": performance, "first": first},
        )

    def references(self):
        span = float(self.rewards["correct"] - self.rewards["fail"])
        near = min(span, math.pi)  # a hand anywhere, an angle anywhere: the distance is uniform on [0, pi]
        anywhere = (span * near - near**2 / 2) / math.pi / span
        numbers = {"blind": anywhere, "random": anywhere}
        if self.carry:
            return numbers
        laws = {name: step_probabilities(law, self.dt) for name, law in self.timing.items()}
        for name, periods in (("clairvoyant", tuple(self.TIMING)[:5]), ("ideal", tuple(self.TIMING)[1:5])):
            before = {0: 1.0}
            for period in periods if self.free else ():
                sums: dict[int, float] = {}
                for m, p in before.items():
                    for n, q in laws[period].items():
                        sums[m + n] = sums.get(m + n, 0.0) + p * q
                before = sums
            numbers[name] = 0.0
            for n, p in laws["go1"].items():
                for m, q in laws["go2"].items():
                    first = sum(r * self._reported(b, n, span) for b, r in before.items())
                    numbers[name] += p * q * (first + self._reported(0, m, span)) / (n + m)
        return numbers

    def _reported(self, before: int, steps: int, span: float, angles: int = 2001) -> float:
        """The scaled earnings of a hand that sets out `before` steps before a report of `steps`, summed over those."""
        stride = float(self.step) + float(self.speed) * self.dt / 1000
        distance = np.linspace(0, math.pi, angles)  # by symmetry, from pi straight towards the angle
        total = np.zeros_like(distance)
        for t in range(before + steps):
            distance = np.minimum(distance, np.abs(distance - stride))
            total += np.maximum(span - distance, 0) / span * (t >= before)
        return float(np.mean(total))


class DelayedEstimation(Task):
    """Delayed estimation: a direction is shown on a ring, and after a delay it is to be reported, on a continuum.

    Fixation is on until the response. The stimulus shows the direction on a ring of inputs with cosine tuning, under
    Gaussian noise drawn afresh each step; after the delay the first report in the response period ends the trial. An
    action is a vector in the plane: one of length .5 or more is a report, and its direction is the answer; a shorter
    one is none. The error is the angle between the answer and the direction that was shown, in radians; performance is
    (1 + cos error) / 2, so 1 for a report that is exact, .5 at a right angle (and for guesses, on average), 0 for the
    opposite direction, and 0 where there was no report. The reward rises with it, from `fail` to `correct`.

    Channels: `fixation`, `stimulus` `[dim_ring]`. Actions: continuous `[2]`, (cos, sin), from -1 to 1.
    Conditions: `theta` (radians). A report is called correct within 36 degrees.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("DelayedEstimation-v0", timing={"delay": (500, 1000)})
        >>> nj.render(task, jax.random.key(0), 4, theta=0.0).targets[0, -1].tolist()
        [0.0, 0.0]
    """

    TIMING = {"fixation": 300, "stimulus": 500, "delay": 1000, "response": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PAPER = Paper(
        "Wilken & Ma (2004). A detection theory account of change detection. J. Vision 4:1120. And Zhang & Luck "
        "(2008). Discrete fixed-resolution representations in visual working memory. Nature 453:233, "
        "doi:10.1038/nature06860",
        "10.1167/4.12.11",
    )
    UNITS = {"theta": "radians"}
    TAGS = ("perceptual", "working memory", "delayed response", "continuous action space", "supervised")
    TOLERANCE = math.pi / 5  # of the direction, for the outcome alone (the criterion of Yang et al. 2019)
    REPORT = 0.5  # the length from which a vector is a report

    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, source="neurojax", doc="noise; its standard deviation is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, source="neurojax", doc="whether a report in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="neurojax", doc="whether a report at any time before the response period ends the trial"
    )
    dim_ring: int = structure(16, low=3, source="neurojax", doc="number of inputs on the ring")

    def validate(self) -> None:
        if not self.rewards["fail"] < self.rewards["correct"]:
            raise InvalidArgument(
                f"rewards['fail'] must be below rewards['correct'], got {self.rewards['fail']:g} and "
                f"{self.rewards['correct']:g}"
            )

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # strict fixation holds for the fixation period as well

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.dim_ring)

    @property
    def actions(self) -> Box:
        return Box(names=("cos", "sin"), low=(-1.0, -1.0), high=(1.0, 1.0))

    def conditions(self, draw, memory):
        theta = draw.uniform("theta", 0.0, _TURN)
        return {"theta": theta, "cos": jnp.cos(theta), "sin": jnp.sin(theta)}

    def observe(self, trial, state, t):
        directions = ring(self.dim_ring)
        # cos(a - b) from what the trial holds: no cosine a step
        tuned = np.cos(directions) * trial["cos"] + np.sin(directions) * trial["sin"]
        return {
            "fixation": ~trial.during("response", t),
            "stimulus": jnp.where(trial.during("stimulus", t), 0.5 + 0.5 * tuned, 0.0),
        }

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.dim_ring,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("response", t), jnp.stack([trial["cos"], trial["sin"]]), 0.0)

    def respond(self, trial, state, action, t, draw):
        rewards = self.rewards
        length = jnp.sqrt(jnp.sum(action**2))
        reports = length >= self.REPORT
        cosine = (action[0] * trial["cos"] + action[1] * trial["sin"]) / jnp.maximum(length, self.REPORT)
        performance = jnp.clip((1 + cosine) / 2, 0, 1)
        decides = reports & trial.during("response", t)
        strict = self.strict_fixation & (t < trial.start["response"])
        breaks = reports & (trial.during("fixation", t) | strict)
        earned = rewards["fail"] + (rewards["correct"] - rewards["fail"]) * performance
        reward = jnp.where(decides, earned, 0.0) + jnp.where(breaks, rewards["abort"], 0.0)
        correct = cosine >= math.cos(self.TOLERANCE)
        return abortable(reward, decides, breaks & (self.abort | strict), correct, performance)

    def references(self):
        silent = math.pi * self.REPORT**2 / 4  # the share of all actions that are no report
        law = lambda name: step_probabilities(self.timing[name], self.dt).items()
        held = ("fixation", "stimulus", "delay") if self.strict_fixation else ("fixation",) if self.abort else ()
        survives = math.prod(sum(p * silent**n for n, p in law(name)) for name in held)
        responds = sum(p * (1 - silent**n) for n, p in law("response"))
        return {
            "clairvoyant": 1.0,
            "ideal": float(sum(p * self.ideal_performance(n * self.dt) for n, p in law("stimulus"))),
            "blind": 0.5,
            "random": survives * responds / 2,
        }

    def ideal_performance(self, stimulus: float) -> float:
        """Mean performance of the ideal observer after `stimulus` ms, who reports the population vector.

        That vector is normal with unit variance around one of length d = sqrt(n T / 8) / sigma, n the size of the
        ring, and E[cos error] = sqrt(pi/8) d exp(-d^2/4) [I0(d^2/4) + I1(d^2/4)].
        """
        from scipy.special import ive

        if self.sigma == 0:
            return 1.0 if stimulus > 0 else 0.5
        d = math.sqrt(self.dim_ring * stimulus / 8) / float(self.sigma)
        return 0.5 + 0.5 * math.sqrt(math.pi / 8) * d * float(ive(0, d**2 / 4) + ive(1, d**2 / 4))
