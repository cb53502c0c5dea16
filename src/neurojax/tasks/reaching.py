"""Reaching: the hand as a state, and continuous responses."""

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


class Reaching1D(Task):
    """Reaching on a circle: move the hand, step by step, to the direction that is shown.

    One ring shows where the hand is, always; another shows the target, from the end of fixation on. Each action
    leaves the hand, or moves it left (up in angle) or right. During the reach every step earns 1 less the distance in
    radians, and at least `fail`; performance is the mean of that, scaled to [0, 1]. The trial ends with the reach,
    correct where its last step earned more than 0.

    Channels: `target` `[dim_ring]`, `self` `[dim_ring]`. Actions: 0 stays, 1 left, 2 right.
    Conditions: `ground_truth` (radians). What is seen depends on the actions: rendering plays a policy.

    The target moves the hand towards the direction also before that is shown; these steps have weight 0 in a loss,
    as nobody could learn them.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("Reaching1D-v0"), jax.random.key(0), 4, policy="random")
        >>> batch.inputs.shape
        (4, 10, 32)
    """

    TIMING = {"fixation": 500, "reach": 500}
    REWARDS = {"correct": 1.0, "fail": -0.1}
    PAPER = Paper(
        "Georgopoulos, Schwartz & Kettner (1986). Neuronal population coding of movement direction. Science 233:1416",
        "10.1126/science.3749885",
    )
    TAGS = ("motor", "steps action space")
    UNITS = {"ground_truth": "radians"}
    PRESETS = {"paper": {"step": 0.0, "speed": 2 * math.pi}}
    CLOSED_LOOP = True
    DEVIATIONS = (
        Deviation(
            what="target",
            neurogym="the angle to reach",
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
            what="speed",
            neurogym="the hand moves .05 rad a time step, whatever dt: .25 rad in the reach",
            here="it moves `speed` = 2 pi rad/s, half a circle in the reach; `speed=0, step=.05` gives NeuroGym's",
            reason="NeuroGym's hand cannot reach: the ideal observer gains .05 over one who ignores the target",
            affects=("observation", "reward", "performance"),
        ),
        Deviation(
            what="outcome",
            neurogym="none; performance alone",
            here="correct where the last step earns more than 0",
            reason="every trial ends with an outcome",
            kind="interface",
        ),
    )

    speed: Any = quantity(2 * math.pi, units="rad/s", low=0, source="repaired", doc="speed of the hand")
    step: Any = quantity(0.0, units="rad", low=0, source="repaired", doc="what the hand moves besides, each time step")
    dim_ring: int = structure(16, low=2, doc="number of directions on each ring")

    def validate(self) -> None:
        _check_order(self.rewards, "fail", "correct")

    @property
    def channels(self) -> Channels:
        return Channels.named(target=self.dim_ring, self=self.dim_ring)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, left=1, right=1)

    @property
    def stride(self):
        """How far the hand moves in a time step, in radians."""
        return self.step + self.speed * np.float32(self.dt / 1000)

    def conditions(self, draw, memory):
        return {"ground_truth": draw.uniform("ground_truth", 0.0, _TURN)}

    def init_state(self, trial):
        # net moves to the left: a sum of angles would drift from NeuroGym's by more than 1e-6 within 20 steps
        return {"moves": np.int32(0), "performance": np.float32(0)}

    def _hand(self, moves):
        """Where the hand is, in radians, after so many net moves to the left."""
        return jnp.mod(np.float32(math.pi) + self.stride * moves.astype(jnp.float32), _TURN)

    def observe(self, trial, state, t):
        directions = ring(self.dim_ring)
        shown = jnp.cos(directions - trial["ground_truth"])
        return {
            "target": jnp.where(trial.during("reach", t), shown, 0.0),
            "self": jnp.cos(directions - self._hand(state["moves"])),
        }

    def target(self, trial, state, t):
        distance = lambda move: circular_distance(self._hand(state["moves"] + move), trial["ground_truth"])
        here, to_left, to_right = distance(0), distance(1), distance(-1)
        nearer = jnp.where(to_left <= to_right, 1, 2)
        return jnp.where(jnp.minimum(to_left, to_right) < here, nearer, 0)

    def weight(self, trial, state, t):
        return trial.during("reach", t)

    def respond(self, trial, state, action, t, draw):
        correct, fail = self.rewards["correct"], self.rewards["fail"]
        moves = state["moves"] + jnp.where(action == 1, 1, jnp.where(action == 2, -1, 0))
        earned = jnp.maximum(correct - circular_distance(self._hand(moves), trial["ground_truth"]), fail)
        reaches = trial.during("reach", t)
        steps = (trial.end["reach"] - trial.start["reach"]).astype(jnp.float32)
        # Times the inverse: a division by what all lanes share would round differently in a batch of one.
        share = (earned - fail) * (1 / ((correct - fail) * steps))
        performance = state["performance"] + jnp.where(reaches, share, 0.0)
        return consequence(
            reward=jnp.where(reaches, earned, 0.0),
            end=trial.last(t),
            outcome=jnp.where(earned > 0, int(Outcome.CORRECT), int(Outcome.ERROR)),
            performance=performance,
            state={"moves": moves, "performance": performance},
        )

    def references(self):
        span = float(self.rewards["correct"] - self.rewards["fail"])
        near = min(span, math.pi)  # a hand anywhere, a target anywhere: the distance is uniform on [0, pi]
        anywhere = (span * near - near**2 / 2) / math.pi / span
        holds = step_probabilities(self.timing["fixation"], self.dt)
        reaches = step_probabilities(self.timing["reach"], self.dt)
        waits = sum(q * self._mean_reach(0, n, span) for n, q in reaches.items())
        knows = sum(p * q * self._mean_reach(m, n, span) for m, p in holds.items() for n, q in reaches.items())
        return {"clairvoyant": knows, "ideal": waits, "blind": anywhere, "random": anywhere}

    def _mean_reach(self, before: int, steps: int, span: float, targets: int = 20001) -> float:
        """Mean performance over targets of a hand that sets out `before` steps before the reach of `steps`."""
        stride = float(self.step) + float(self.speed) * self.dt / 1000
        distance = np.linspace(0, math.pi, targets)  # by symmetry, from the start straight towards the target
        total = np.zeros_like(distance)
        for t in range(before + steps):
            distance = np.minimum(distance, np.abs(distance - stride))
            total += np.maximum(span - distance, 0) / span * (t >= before)
        return float(np.mean(total) / steps)


class Reaching1DWithSelfDistraction(Reaching1D):
    """Reaching on a circle while the hand drowns the target, as a fish's discharge does what it senses.

    As in Reaching1D, but hand and target are shown by one ring: the hand always, and the target, from the end of
    fixation on, with less than a third of the hand's strength.

    Channels: `stimulus` `[dim_ring]`. Actions: 0 stays, 1 left, 2 right.
    Conditions: `ground_truth` (radians). What is seen depends on the actions: rendering plays a policy.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("Reaching1DWithSelfDistraction-v0"), jax.random.key(0), 4, policy="random")
        >>> batch.inputs.shape
        (4, 10, 32)
    """

    PAPER = None
    PRESETS = {}

    signal: Any = quantity(0.3, low=0, doc="strength of the target's signal; that of the hand is 1")
    dim_ring: int = structure(32, low=3, source="neurojax", doc="number of directions on the ring")

    @property
    def channels(self) -> Channels:
        return Channels.named(stimulus=self.dim_ring)

    def observe(self, trial, state, t):
        directions = ring(self.dim_ring)
        hand = jnp.cos(directions - self._hand(state["moves"]))
        target = self.signal * jnp.cos(directions - trial["ground_truth"])
        return {"stimulus": hand + jnp.where(trial.during("reach", t), target, 0.0)}

    def references(self):
        numbers = super().references()
        # Who counts its own moves knows where the hand is, and sees the target in the rest.
        return numbers if self.signal > 0 else {**numbers, "ideal": numbers["blind"]}


class ReachingDelayResponse(Task):
    """Delayed reaching with a continuous response: remember a position, then go to it.

    The position is shown during the stimulus; the go channel comes on at the decision. An action has two components:
    the first above 0 means go, and the second is where. The first response in the decision period ends the trial;
    reward and performance fall with the distance from the position. Not responding costs `miss`.

    Channels: `go`, `stimulus`. Actions: continuous `[2]`, (go, position), from (-1, -1) to (1, 2).
    Conditions: `ground_truth` (the position). A response is called correct within .1 of it.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> nj.render(nj.make("ReachingDelayResponse-v0"), jax.random.key(0), 4).targets.shape
        (4, 30, 2)
    """

    TIMING = {"stimulus": 500, "delay": (0, 1000, 2000), "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0, "miss": -0.5}
    TAGS = (
        "perceptual",
        "delayed response",
        "continuous action space",
        "multidimensional action space",
        "supervised",
    )
    DEVIATIONS = (
        Deviation(
            what="rewards['fail']",
            neurogym="has no effect",
            here="what an infinitely distant response would earn: the reward falls from `correct` towards it",
            reason="every parameter has an effect; at its default, 0, nothing changes",
            kind="interface",
            affects=("reward",),
        ),
        Deviation(
            what="outcome",
            neurogym="none; performance alone",
            here="correct where the response is within .1 of the position",
            reason="every trial ends with an outcome",
            kind="interface",
        ),
    )
    TOLERANCE = 0.1  # of the position, for the outcome alone

    lowbound: Any = quantity(0.0, low=-1, high=2, doc="least position")
    highbound: Any = quantity(1.0, low=-1, high=2, doc="greatest position")
    abort: Any = flag(False, source="neurojax", doc="whether going during the stimulus ends the trial")
    strict_fixation: Any = flag(False, source="neurojax", doc="whether going before the decision ends the trial")

    def validate(self) -> None:
        if not self.lowbound <= self.highbound:
            raise InvalidArgument(f"lowbound must not exceed highbound, got {self.lowbound:g} and {self.highbound:g}")
        _check_order(self.rewards, "fail", "correct")

    @property
    def channels(self) -> Channels:
        return Channels((("go", 1), ("stimulus", 1)), low=(0.0, -2.0), high=(1.0, 2.0))

    @property
    def actions(self) -> Box:
        return Box(names=("go", "position"), low=(-1.0, -1.0), high=(1.0, 2.0))

    def conditions(self, draw, memory):
        return {"ground_truth": draw.uniform("ground_truth", self.lowbound, self.highbound)}

    def observe(self, trial, state, t):
        stimulus = jnp.where(trial.during("stimulus", t), trial["ground_truth"], -0.5)
        return {"go": trial.during("decision", t), "stimulus": stimulus}

    def target(self, trial, state, t):
        go = jnp.stack([jnp.float32(1), trial["ground_truth"]])
        return jnp.where(trial.during("decision", t), go, jnp.asarray([-1, -0.5], jnp.float32))

    def respond(self, trial, state, action, t, draw):
        rewards = self.rewards
        decides = trial.during("decision", t) & (action[0] > 0)
        strict = self.strict_fixation & (t < trial.start["decision"])
        breaks = (trial.during("stimulus", t) | strict) & (action[0] >= 0)
        error = jnp.abs(action[1] - trial["ground_truth"])
        performance = 1 / (1 + error) ** 2
        earned = rewards["fail"] + (rewards["correct"] - rewards["fail"]) * performance
        reward = jnp.where(decides, earned, 0.0) + jnp.where(breaks, rewards["abort"], 0.0)
        aborts = breaks & (self.abort | strict)
        return abortable(reward, decides, aborts, error <= self.TOLERANCE, performance)

    def references(self):
        low, high = float(self.lowbound), float(self.highbound)
        half = (high - low) / 2
        position = np.linspace(self.actions.low[1], self.actions.high[1], 1501)
        truth = np.linspace(low, high, 1001)
        anywhere = np.mean(1 / (1 + np.abs(position[:, None] - truth[None])) ** 2)
        responds = sum(p * (1 - 0.5**n) for n, p in step_probabilities(self.timing["decision"], self.dt).items())
        numbers = {"clairvoyant": 1.0, "ideal": 1.0, "blind": 1 / (1 + half)}
        if not (self.abort or self.strict_fixation):
            numbers["random"] = float(responds * anywhere)
        return numbers


def _check_order(rewards, low: str, high: str) -> None:
    if not rewards[low] < rewards[high]:
        raise InvalidArgument(
            f"rewards[{low!r}] must be below rewards[{high!r}], got {rewards[low]:g} and {rewards[high]:g}"
        )
