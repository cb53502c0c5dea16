"""Two-step decisions: a choice mostly leads to the state that it is known for, and the state pays or not."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import quantity
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.trial import Outcome, consequence
from neurojax.errors import InvalidArgument
from neurojax.tasks.bandits import as_int, check_order, check_whole, track_reversals

_DAW = Paper(
    "Daw, Gershman, Seymour, Dayan & Dolan (2011). Model-based influences on humans' choices and striatal prediction "
    "errors. Neuron 69:1204",
    "10.1016/j.neuron.2011.02.027",
)


class TwoSteps(Task):
    """A trial of two steps: the first shows that a choice is due, the second the state that it led to.

    The base of the two-step tasks. What a trial keeps: `second`, the state it came to (1 or 2; 0 before the first
    choice), and `correct`, whether the first choice was the best one.
    """

    PERIODS = ("first", "second")
    CLOSED_LOOP = True

    @property
    def channels(self) -> Channels:
        return Channels.named(first=1, second=2)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    def periods(self, conditions, steps):
        return {"first": (0, 1), "second": (1, 2)}

    def init_state(self, trial):
        return {"second": jnp.int32(0), "correct": np.bool_(False)}

    def observe(self, trial, state, t):
        second = jnp.arange(1, 3, dtype=jnp.int32) == state["second"]
        return {"first": trial.during("first", t), "second": second & trial.during("second", t)}


class DawTwoStep(TwoSteps):
    """The two-step task without a second choice: which first choice leads to the state that pays?

    A trial has two steps. At the first, choice 1 leads to state 1 with probability `p1`, else to state 2, and choice 2
    to state 2 with probability `p2`, else to state 1. One state pays with a high probability, the other with a low one,
    and the reward comes at once. The second step shows the state, and fixation is held. From trial to trial the states
    may trade places. Not to choose aborts the trial; to act at the second step costs as much. A network needs its last
    action and reward among its inputs.

    Channels: `first` (a choice is due), `second` `[2]` (the state). Actions: 0 fixates, 1 and 2 choose. Conditions:
    `hi_state` (0 or 1, the state that pays more often), `transition` and `luck` (uniform; a choice leads where it
    commonly leads, and a state pays, where its probability exceeds the number).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("DawTwoStep-v0"), jax.random.key(0), 2, hi_state=1, transition=0.1)
        >>> batch.targets.tolist(), batch.inputs[0].tolist()
        ([[2, 0], [2, 0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    """

    REWARDS = {"abort": -0.1, "correct": 1.0}
    # As in BKHMSI/Meta-RL-TwoStep-Task, which reproduces Wang et al. (2018), doi:10.1038/s41593-018-0147-8.
    PRESETS = {
        "wang2018": {"p1": 0.9, "p2": 0.9, "high_reward_p": 0.9, "low_reward_p": 0.1, "p_switch": 0.025},
    }
    PAPER = _DAW
    TAGS = ("two-alternative",)
    DEVIATIONS = (
        Deviation(
            what="target",
            neurogym="has none",
            here="the choice that commonly leads to the better state, then fixation",
            reason="a target must be the best action",
            affects=("target",),
        ),
        Deviation(
            what="frame after an abort",
            neurogym="the first frame of the trial after an abort is blank",
            here="it shows that a choice is due, as that of any trial",
            reason="the best action must be a function of what is shown",
            affects=("observation",),
        ),
        Deviation(
            what="first state",
            neurogym="a session starts with state 1 as the better one",
            here="it starts with either",
            reason="independent trials must show both",
            affects=("conditions",),
        ),
    )

    p1: Any = quantity(0.8, low=0, high=1, doc="probability with which choice 1 leads to state 1")
    p2: Any = quantity(0.8, low=0, high=1, doc="probability with which choice 2 leads to state 2")
    p_switch: Any = quantity(0.025, low=0, high=1, doc="probability with which the states trade places after a trial")
    high_reward_p: Any = quantity(0.9, low=0, high=1, doc="probability with which the better state pays")
    low_reward_p: Any = quantity(0.1, low=0, high=1, doc="probability with which the other state pays")

    def validate(self) -> None:
        check_order(self, "low_reward_p", "high_reward_p")
        if abs(float(self.p1) + float(self.p2) - 1) < 1e-6:
            raise InvalidArgument(
                f"p1 and p2 must not add up to 1, or both choices lead to the same, got {self.p1:g} and {self.p2:g}"
            )

    def init_memory(self, draw):
        return {"hi_state": draw.integer("hi_state", 2)}

    def next_memory(self, memory, trial, result, draw):
        switches = draw.uniform("switch") < self.p_switch
        return {"hi_state": jnp.where(switches, 1 - memory["hi_state"], memory["hi_state"])}

    def conditions(self, draw, memory):
        return {
            "hi_state": draw.remembered("hi_state", memory["hi_state"], 2),
            "transition": draw.uniform("transition"),
            "luck": draw.uniform("luck"),
        }

    def _best(self, trial):
        """The choice that is likelier to lead to the better state."""
        return jnp.where(self.p1 + self.p2 > 1, 1 + trial["hi_state"], 2 - trial["hi_state"])

    def target(self, trial, state, t):
        return jnp.where(trial.during("first", t), self._best(trial), 0)

    def respond(self, trial, state, action, t, draw):
        first, acts = trial.during("first", t), action != 0
        chooses = first & acts
        common = trial["transition"] < jnp.where(action == 1, self.p1, self.p2)
        reached = jnp.where(common, action, 3 - action)
        pays = trial["luck"] < jnp.where(reached == 1 + trial["hi_state"], self.high_reward_p, self.low_reward_p)
        breaks = first != acts
        correct = state["correct"] & ~first
        return consequence(
            reward=jnp.where(chooses & pays, self.rewards["correct"], 0.0)
            + jnp.where(breaks, self.rewards["abort"], 0.0),
            end=~chooses,
            outcome=_outcome(first & breaks, correct, ~first),
            performance=correct,
            state={
                "second": jnp.where(chooses, reached, state["second"]),
                "correct": jnp.where(chooses, action == self._best(trial), state["correct"]),
            },
        )

    def references(self):
        p1, p2 = float(self.p1), float(self.p2)
        common = (p1, p2) if p1 + p2 > 1 else (1 - p2, 1 - p1)
        ideal, _ = track_reversals([float(self.p_switch)], common, float(self.high_reward_p), float(self.low_reward_p))
        return {"clairvoyant": 1.0, "ideal": ideal, "blind": 0.5, "random": 1 / 3}


class MillerTwoStep(TwoSteps):
    """The two-step task for rats: choose a port, enter the reward port that lights up.

    A trial has two steps. At the first a side is chosen. At the second one of two reward ports is lit: the one that the
    choice commonly leads to, or the other. It must be entered, and then pays with its probability. One port pays with a
    high probability, the other with a low one; they trade places at random moments. Common transitions are to the side
    of the choice, or for other subjects to the opposite one. Any other action aborts the trial. A network needs its
    last action and reward among its inputs.

    Channels: `first` (a choice is due), `second` `[2]` (the lit port). Actions: 0 fixates, 1 and 2 choose left and
    right, and enter the port there. Conditions: `high_port` (0 or 1), `transition` and `luck` (uniform; the transition
    is common, and the port pays, where the probability exceeds the number).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("MillerTwoStep-v0", p_congruent=0.2)
        >>> nj.render(task, jax.random.key(0), 2, high_port=1, transition=0.9).targets.tolist()
        [[1, 2], [1, 2]]
    """

    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"p_congruent": 0.8, "high": 0.8, "low": 0.2}}
    PAPER = Paper(
        "Miller, Botvinick & Brody (2017). Dorsal hippocampus contributes to model-based planning. "
        "Nat. Neurosci. 20:1269",
        "10.1038/nn.4613",
    )
    TAGS = ("two-alternative",)

    p_congruent: Any = quantity(
        0.8,
        low=0,
        high=1,
        source="paper",
        doc="probability of a transition to the side of the choice (.2 for some rats)",
    )
    high: Any = quantity(0.8, low=0, high=1, source="paper", doc="probability with which the better port pays")
    low: Any = quantity(0.2, low=0, high=1, source="paper", doc="probability with which the other port pays")
    block_min: Any = quantity(
        10, units="trials", low=1, source="neurojax", doc="least number of trials between reversals"
    )
    p_switch: Any = quantity(0.02, low=0, high=1, source="neurojax", doc="chance of a reversal after each trial beyond")

    def validate(self) -> None:
        check_whole(self, "block_min")
        check_order(self, "low", "high")
        if self.p_congruent == 0.5:
            raise InvalidArgument("p_congruent must not be 0.5, or both choices lead to the same")

    def init_memory(self, draw):
        return {"high_port": draw.integer("high_port", 2), "trial_in_block": jnp.int32(0)}

    def next_memory(self, memory, trial, result, draw):
        count = memory["trial_in_block"] + 1
        switches = (count >= as_int(self.block_min)) & (draw.uniform("switch") < self.p_switch)
        return {
            "high_port": jnp.where(switches, 1 - memory["high_port"], memory["high_port"]),
            "trial_in_block": jnp.where(switches, 0, count),
        }

    def conditions(self, draw, memory):
        return {
            "high_port": draw.remembered("high_port", memory["high_port"], 2),
            "transition": draw.uniform("transition"),
            "luck": draw.uniform("luck"),
        }

    def _best(self, trial):
        """The side whose common transition is to the better port."""
        return jnp.where(self.p_congruent > 0.5, 1 + trial["high_port"], 2 - trial["high_port"])

    def target(self, trial, state, t):
        return jnp.where(trial.during("first", t), self._best(trial), state["second"])

    def respond(self, trial, state, action, t, draw):
        first, acts = trial.during("first", t), action != 0
        chooses, enters = first & acts, ~first & (action == state["second"])
        reached = jnp.where(trial["transition"] < self.p_congruent, action, 3 - action)
        pays = trial["luck"] < jnp.where(action == 1 + trial["high_port"], self.high, self.low)
        aborts = ~chooses & ~enters
        correct = state["correct"] & enters
        reward = jnp.where(enters, jnp.where(pays, self.rewards["correct"], self.rewards["fail"]), 0.0)
        return consequence(
            reward=reward + jnp.where(aborts, self.rewards["abort"], 0.0),
            end=~chooses,
            outcome=_outcome(aborts, correct, enters),
            performance=correct,
            state={
                "second": jnp.where(chooses, reached, state["second"]),
                "correct": jnp.where(chooses, action == self._best(trial), state["correct"]),
            },
        )

    def references(self):
        common = max(float(self.p_congruent), 1 - float(self.p_congruent))
        hazards = np.append(np.zeros(int(self.block_min) - 1), float(self.p_switch))
        ideal, _ = track_reversals(hazards, (common, common), float(self.high), float(self.low))
        # Blind to the lit port, one enters that of the common transition.
        return {"clairvoyant": 1.0, "ideal": ideal, "blind": 0.5 * common, "random": 1 / 9}


class DawTwoStage(TwoSteps):
    """The two-step task with a choice at each stage, and with rewards that drift.

    A trial has two steps, and a choice between two options at each. The first choice leads to the second-stage state of
    its own number with probability `common`, else to the other. The second choice pays with a probability of its own:
    there are four, and each follows a Gaussian random walk between two reflecting bounds. Not to choose aborts the
    trial. Performance is 1 where both choices were the best, given the four probabilities. A network needs its last
    action and reward among its inputs.

    Channels: `first` (the first choice is due), `second` `[2]` (the state, where the second is due). Actions: 0
    fixates, 1 and 2 choose. Conditions: `p` `[2, 2]` (probability of a reward by state and option), `transition` and
    `luck` (uniform; the transition is common, and an option pays, where the probability exceeds the number).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("DawTwoStage-v0"), jax.random.key(0), 1, p=[[0.3, 0.4], [0.7, 0.5]], transition=0)
        >>> batch.targets.tolist(), batch.inputs[0, 1].tolist()
        ([[2, 1]], [0.0, 0.0, 1.0])
    """

    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"common": 0.7, "p_low": 0.25, "p_high": 0.75, "drift": 0.025, "rewards": {"abort": 0.0}}}
    PAPER = _DAW
    TAGS = ("two-alternative",)

    common: Any = quantity(
        0.7, low=0, high=1, source="paper", doc="probability of a transition to the choice's own state"
    )
    p_low: Any = quantity(0.25, low=0, high=1, source="paper", doc="lower bound of the probabilities of a reward")
    p_high: Any = quantity(0.75, low=0, high=1, source="paper", doc="upper bound of the probabilities of a reward")
    drift: Any = quantity(0.025, low=0, source="paper", doc="standard deviation of a probability's step, a trial")

    def validate(self) -> None:
        check_order(self, "p_low", "p_high")
        if self.common == 0.5:
            raise InvalidArgument("common must not be 0.5, or both first choices lead to the same")

    def init_memory(self, draw):
        # the walk's stationary law
        return {"p": draw.uniform("p", self.p_low, self.p_high, (2, 2))}

    def next_memory(self, memory, trial, result, draw):
        span = self.p_high - self.p_low
        p = memory["p"] - self.p_low + self.drift * draw.normal("p", (2, 2))
        p = jnp.mod(p, 2 * span)
        return {"p": self.p_low + jnp.minimum(p, 2 * span - p)}

    def conditions(self, draw, memory):
        return {
            "p": draw.remembered("p", memory["p"]),
            "transition": draw.uniform("transition"),
            "luck": draw.uniform("luck"),
        }

    def target(self, trial, state, t):
        values = jnp.where(trial.during("first", t), self._values(trial), self._options(trial, state))
        return jnp.where(values[1] > values[0], 2, 1)

    def _options(self, trial, state):
        """`[2]`: what each second choice is worth in the state that is shown."""
        return jnp.where(state["second"] == 2, trial["p"][1], trial["p"][0])

    def _values(self, trial):
        """`[2]`: what each first choice leads to most of the time, by its best option."""
        best = jnp.max(trial["p"], axis=1)
        return jnp.where(self.common > 0.5, best, best[::-1])

    def respond(self, trial, state, action, t, draw):
        first, acts = trial.during("first", t), action != 0
        chooses, other = first & acts, action == 2
        reached = jnp.where(trial["transition"] < self.common, action, 3 - action)
        values, options = self._values(trial), self._options(trial, state)
        value, p = jnp.where(other, values[1], values[0]), jnp.where(other, options[1], options[0])
        decides = ~first & acts
        correct = decides & state["correct"] & (p >= jnp.max(options))
        reward = jnp.where(trial["luck"] < p, self.rewards["correct"], self.rewards["fail"])
        return consequence(
            reward=jnp.where(decides, reward, 0.0) + jnp.where(acts, 0.0, self.rewards["abort"]),
            end=~chooses,
            outcome=_outcome(~acts, correct, decides),
            performance=correct,
            state={
                "second": jnp.where(chooses, reached, state["second"]),
                "correct": jnp.where(chooses, value >= jnp.max(values), state["correct"]),
            },
        )

    def references(self):
        return {"clairvoyant": 1.0, "ideal": self._play_filter(), "blind": 0.25, "random": 1 / 9}

    def _play_filter(self, sessions: int = 400, trials: int = 300, cells: int = 20) -> float:
        """Mean performance of a Bayesian player who knows the task's rules, the transitions included.

        It keeps the law of each of the four probabilities on a grid, values an option at its mean and a state at its
        best option, and plays the greatest value. (To add up to two standard deviations, as one who explores, gained
        nothing.) Simulated with a fixed seed.
        """
        low, high = float(self.p_low), float(self.p_high)
        drift, span = float(self.drift), high - low
        common = max(float(self.common), 1 - float(self.common))
        edges = np.linspace(low, high, cells + 1)
        grid = (edges[1:] + edges[:-1]) / 2
        kernel = _reflected(grid, edges, drift)
        rng, each = np.random.default_rng(0), np.arange(sessions)
        p = rng.uniform(low, high, (sessions, 2, 2))
        belief = np.full((sessions, 2, 2, cells), 1 / cells)
        right = 0.0
        for _ in range(trials):
            value = belief @ grid + 1e-9 * rng.random(p.shape)  # ties at random
            first = value.max(2).argmax(1)
            state = np.where(rng.random(sessions) < common, first, 1 - first)
            option = value[each, state].argmax(1)
            best = p.max(2)
            right += np.mean((best[each, first] >= best.max(1)) & (p[each, state, option] >= best[each, state]))
            pays = rng.random(sessions) < p[each, state, option]
            belief[each, state, option] *= np.where(pays[:, None], grid, 1 - grid)
            belief /= belief.sum(-1, keepdims=True)
            belief = belief @ kernel
            p = np.mod(p - low + drift * rng.standard_normal(p.shape), 2 * span)
            p = low + np.minimum(p, 2 * span - p)
        return float(right / trials)


def _outcome(aborts, correct, decided):
    """The outcome of a step that may abort a trial or decide it."""
    decision = jnp.where(correct, int(Outcome.CORRECT), int(Outcome.ERROR))
    return jnp.where(aborts, int(Outcome.ABORT), jnp.where(decided, decision, int(Outcome.NONE)))


def _reflected(grid: np.ndarray, edges: np.ndarray, sd: float) -> np.ndarray:
    """The chance `[n, n]` to go from a cell's middle to a cell in one Gaussian step between reflecting bounds."""
    from scipy.special import ndtr

    if sd == 0:
        return np.eye(len(grid))
    span = edges[-1] - edges[0]
    folds = int(np.ceil(5 * sd / span)) + 1
    out = np.zeros((len(grid), len(grid)))
    for fold in range(-folds, folds + 1):
        # the bounds' images of the cells: shifted, and mirrored
        shifted = edges + 2 * fold * span
        mirrored = 2 * edges[0] - edges + 2 * fold * span
        for image in (shifted, mirrored):
            out += np.abs(np.diff(ndtr((image[None] - grid[:, None]) / sd), axis=1))
    return out / out.sum(1, keepdims=True)
