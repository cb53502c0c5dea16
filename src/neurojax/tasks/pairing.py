"""Delayed pairing: two stimuli in a row that together ask for an answer, and two items tested one after the other."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.tasks.matching import UNUSED_SIGMA, both_or_neither, lasts_as_long, mean_over
from neurojax.tasks.response import GO_NOGO_DEVIATIONS, GoNogo, go_or_withhold, random_go
from neurojax.tasks.rules import abortable


def tell_apart(ms: float, sigma) -> float:
    """How often one of two stimuli, each a 1 on its own channel, is told from the other after `ms`."""
    from scipy.special import ndtr

    return 0.5 if ms == 0 else float(ndtr(math.sqrt(ms / 2) / max(float(sigma), 1e-6)))


class DelayPairedAssociation(Task):
    """Delayed paired association: two stimuli across a delay, of which some pairs ask for a response.

    Fixation is on until the decision. One of stimuli 1 and 2 is shown and, after a delay, one of 3 and 4. Half of the
    four pairs are associated: after another delay they ask for a response in the decision period, which ends the
    trial. After the other pairs the period should pass.

    Channels: `fixation`, `stimulus` `[4]`. Actions: 0 waits, 1 goes.
    Conditions: `pair` (0 .. 3: stimuli 1 and 3, 1 and 4, 2 and 3, 2 and 4); `first`, `second` (1 .. 4) and
    `ground_truth` (1 go, 0 no-go) follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("DelayPairedAssociation-v0"), jax.random.key(0), 4, pair=[0, 1, 2, 3])
        >>> batch.conditions["ground_truth"].tolist()
        [1, 0, 0, 1]
    """

    TIMING = {
        "fixation": 0,
        "stim1": 1000,
        "delay_btw_stim": 1000,
        "stim2": 1000,
        "delay_aft_stim": 1000,
        "decision": 500,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": -1.0, "miss": 0.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = GoNogo.PAPER
    TAGS = ("perceptual", "working memory", "go-no-go", "supervised")
    DEVIATIONS = (*GO_NOGO_DEVIATIONS, UNUSED_SIGMA)

    sigma: Any = quantity(
        0.0, units="sqrt(ms)", low=0, source="neurojax", doc="noise; its standard deviation is sigma / sqrt(dt)"
    )
    abort: Any = flag(False, doc="whether going before the decision ends the trial")
    association: int = structure(
        0, choices=(0, 1), doc="pairs ask to go where the difference of their numbers, modulo 2, is this"
    )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=4)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, go=1)

    def conditions(self, draw, memory):
        pair = draw.integer("pair", 4)
        first, second = 1 + pair // 2, 3 + pair % 2
        ground_truth = ((second - first) % 2 == self.association).astype(jnp.int32)
        return {"pair": pair, "first": first, "second": second, "ground_truth": ground_truth}

    def observe(self, trial, state, t):
        shown = jnp.where(trial.during("stim1", t), trial["first"], 0)
        shown = jnp.where(trial.during("stim2", t), trial["second"], shown)
        return {"fixation": ~trial.during("decision", t), "stimulus": np.arange(1, 5, dtype=np.int32) == shown}

    def noise(self, trial, state, t, draw):
        shows = trial.during("stim1", t) | trial.during("stim2", t)
        return {"stimulus": jnp.where(shows, self.sigma / math.sqrt(self.dt), 0.0) * draw.normal("stimulus", (4,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return go_or_withhold(self, trial, action, t, trial["ground_truth"] == 1)

    def references(self):
        """One stimulus of two is told with Phi(sqrt(T/2) / sigma); the answer is right where both or neither are."""
        responds = 1 - step_probabilities(self.timing["decision"], self.dt).get(0, 0.0)
        told = [
            mean_over(self.timing[name], self.dt, lambda n: tell_apart(n * self.dt, self.sigma))
            for name in ("stim1", "stim2")
        ]
        # A go needs a decision period, and what is told of the pair; a no-go only the latter.
        right = both_or_neither(*told)
        ideal = responds * right + (1 - responds) / 2
        return {"clairvoyant": (1 + responds) / 2, "ideal": ideal, "blind": 0.5, "random": random_go(self)}


class DualDelayMatchSample(Task):
    """Two-item delayed match-to-sample: hold two items, each tested in turn as a cue says.

    Two samples are shown at once, each on its own pair of channels, one of two directions. After a delay a cue tells
    which of them is tested first: the test shows the same direction (match) or the other one (non-match). After
    another delay the second cue and test follow, for the other item. The first answer during each test counts; the
    answer to the second test ends the trial, which is correct where both answers are right. There is noise on all
    channels while samples and tests are shown.

    Channels: `fixation` (always on), `stimulus1` `[2]`, `stimulus2` `[2]`, `cue1`, `cue2` (items 1 and 2).
    Actions: 0 fixates, 1 says match, 2 says non-match.
    Conditions: `ground_truth1`, `ground_truth2` (of items 1 and 2: 1 match, 2 non-match), `sample1`, `sample2`
    (0 or .5, in units of pi), `test_order` (0: item 1 is tested first); `test1` and `test2` (what the tests of items
    1 and 2 show) follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> nj.render(nj.make("DualDelayMatchSample-v0"), jax.random.key(0), 4, test_order=1).inputs.shape
        (4, 40, 7)
    """

    TIMING = {
        "fixation": 500,
        "sample": 500,
        "delay1": 500,
        "cue1": 500,
        "test1": 500,
        "delay2": 500,
        "cue2": 500,
        "test2": 500,
    }
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Rose, LaRocque, Riggall, Gosseries, Starrett, Meyering & Postle (2016). Reactivation of latent working "
        "memories with transcranial magnetic stimulation. Science 354:1136",
        "10.1126/science.aah7011",
    )
    TAGS = ("perceptual", "working memory", "two-alternative", "supervised")
    UNITS = dict.fromkeys(("sample1", "sample2", "test1", "test2"), "pi radians")
    DEVIATIONS = (
        Deviation(
            what="first test's reward",
            neurogym="every step of the first test pays for an answer",
            here="its first answer alone does",
            reason="holding the answer earned 5 rewards, and both answers in turn half of them without looking",
            affects=("reward",),
        ),
        Deviation(
            what="performance",
            neurogym="1 where either answer is right, even if the trial is aborted after the first",
            here="1 where both are",
            reason="the score must follow the outcome: answering 1 and 2 in turn scored 1 without looking",
            affects=("performance",),
        ),
    )

    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    abort: Any = flag(False, doc="whether responding at any time but during the tests ends the trial")

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus1=2, stimulus2=2, cue1=1, cue2=1)

    @property
    def actions(self) -> Discrete:
        return Discrete((("fixation", 1), ("match", 1), ("non-match", 1)))

    def conditions(self, draw, memory):
        out = {}
        for item in ("1", "2"):
            out[f"ground_truth{item}"] = draw.choice(f"ground_truth{item}", np.asarray([1, 2], np.int32))
            sample = draw.choice(f"sample{item}", np.asarray([0, 0.5], np.float32))
            out[f"sample{item}"] = sample
            out[f"test{item}"] = jnp.where(out[f"ground_truth{item}"] == 1, sample, np.float32(0.5) - sample)
        return {**out, "test_order": draw.integer("test_order", 2)}

    def init_state(self, trial):
        return {"first_answer": np.int32(0)}

    def _answer(self, trial, t):
        """The right answer to the test that is on at step `t`; 0 where none is."""
        swapped = trial["test_order"] == 1
        first = jnp.where(swapped, trial["ground_truth2"], trial["ground_truth1"])
        second = jnp.where(swapped, trial["ground_truth1"], trial["ground_truth2"])
        return jnp.where(trial.during("test1", t), first, jnp.where(trial.during("test2", t), second, 0))

    def observe(self, trial, state, t):
        swapped, sampling = trial["test_order"] == 1, trial.during("sample", t)
        # is item 1 tested, or cued, in the first of the two periods, or in the second?
        of_item = lambda first, second: jnp.where(swapped, jnp.stack([second, first]), jnp.stack([first, second]))
        tested = of_item(trial.during("test1", t), trial.during("test2", t))
        cued = of_item(trial.during("cue1", t), trial.during("cue2", t))
        out = {"fixation": 1.0, "cue1": cued[0], "cue2": cued[1]}
        for k, item in enumerate(("1", "2")):
            direction = jnp.where(sampling, trial[f"sample{item}"], trial[f"test{item}"])
            shown = jnp.stack([direction == 0, direction != 0])  # 0 and pi/2: the two axes
            out[f"stimulus{item}"] = shown & (sampling | tested[k])
        return out

    def noise(self, trial, state, t, draw):
        shows = trial.during("sample", t) | trial.during("test1", t) | trial.during("test2", t)
        noise = jnp.where(shows, self.sigma / math.sqrt(self.dt), 0.0) * draw.normal("noise", (7,))
        return {name: noise[place] for name, place in self.channels.slices.items()}

    def target(self, trial, state, t):
        return self._answer(trial, t)

    def respond(self, trial, state, action, t, draw):
        acts, rewards, answer = action != 0, self.rewards, self._answer(trial, t)
        right = action == answer
        answers_first = acts & trial.during("test1", t) & (state["first_answer"] == 0)
        decides = acts & trial.during("test2", t)
        breaks = acts & (answer == 0)
        reward = jnp.where(answers_first | decides, jnp.where(right, rewards["correct"], rewards["fail"]), 0.0)
        # 1: the first answer was right, 2: wrong
        first = jnp.where(answers_first, jnp.where(right, 1, 2), state["first_answer"])
        return abortable(
            reward + jnp.where(breaks, rewards["abort"], 0.0),
            decides,
            breaks & self.abort,
            right & (first == 1),
            state={"first_answer": first},
        )

    def references(self):
        laws, dt = self.timing, self.dt
        hold = {name: mean_over(laws[name], dt, lambda n: 3.0**-n) for name in self.TIMING}
        asked = math.prod(1 - step_probabilities(laws[name], dt).get(0, 0.0) for name in ("test1", "test2"))
        survives = math.prod(p for name, p in hold.items() if name not in ("test1", "test2")) if self.abort else 1.0
        random = survives * (1 - hold["test1"]) * (1 - hold["test2"]) / 4
        numbers = {"clairvoyant": asked, "blind": asked / 4, "random": random}
        # With noise, the best is to answer in each test's last step, which must then be foreseen.
        if self.sigma == 0 or all(lasts_as_long(laws[name], dt) for name in ("test1", "test2")):
            numbers["ideal"] = asked * mean_over(laws["sample"], dt, self._both_right)
        return numbers

    def _both_right(self, sample: int) -> float:
        """Accuracy of the ideal observer after samples of so many steps: each direction is told with
        Phi(sqrt(T/2) / sigma), and an answer is right where both directions of its item, or neither, are told."""
        out = 1.0
        for name in ("test1", "test2"):
            law = {n: p for n, p in step_probabilities(self.timing[name], self.dt).items() if n > 0}
            told = sum(p * tell_apart(n * self.dt, self.sigma) for n, p in law.items()) / max(sum(law.values()), 1e-30)
            out *= both_or_neither(tell_apart(sample * self.dt, self.sigma), told)
        return out
