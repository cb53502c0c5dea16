"""Shaping: a task that grows with the performance of who learns it."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities, whole_steps
from neurojax.core.trial import Outcome
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import abortable

ANY_SIDE, RETRY, FIRST_COUNTS, DELAY, AMBIGUITY = range(5)


class CVLearning(Task):
    """Shaping for a delayed-response task, in five stages that follow the subject's own performance.

    Fixation is on until the decision. The stimulus is stronger on one of two sides by the coherence, and after a delay
    the side is to be chosen.

    0. Any side: no stimulus, no delay; either side is rewarded, but not the same side more than `max_num_reps` times
       in a row: then only the other one is.
    1. Retry: the stimulus is shown at full coherence and without noise; an error costs nothing, and the subject may
       go on until it finds the side. What counts for its performance is the first answer.
    2. First answer counts: an error ends the trial, and is punished.
    3. Delay: the stimulus is remembered over a share of one of the two durations of `delay_durs`. The share begins
       at 0; it grows by `inc_factor` where the performance in the last `perf_len` trials is `th_stage` or more, and
       shrinks where it is `min_perf` or less, but not below that of the day's beginning; each at the earliest
       `perf_len` trials after the last change.
    4. Ambiguity: coherences and noise, with the delay of `timing`.

    A day lasts `trials_day` trials. The next stage comes after a day with a performance of `th_stage` or more that
    follows `keep_days` such days in a row (in stage 3, days at whose end the share was 1). Performance below
    `min_perf` in the last trials of stage 2 leads back to stage 1, until it exceeds `th_stage` there.
    `th_stage` below 0 begins with the last stage. Stages that `stages` leaves out are skipped.

    The stage is a condition of the trial like others, so that it may be given: `nj.render(task, key, 8, stage=3)`.

    Channels: `fixation`, `stimulus` `[n_ch]` (the first two vary, the others are always .5).
    Actions: 0 fixates, 1 and 2 choose a side, 3 .. n_ch do nothing in the decision period.
    Conditions: `stage` (0 to 4), `barred` (stage 0: the side that is not rewarded; 0 none), `ground_truth` (1 or 2),
    `coherence` (percent), `delay` (ms; given, it holds in stage 4), `share` and `long_delay` (stage 3).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("CVLearning-v0")
        >>> nj.render(task, jax.random.key(0), 4, stage=[0, 1, 2, 3], share=0.5, long_delay=0).lengths.tolist()
        [17, 28, 28, 33]
    """

    TIMING = {"fixation": 200, "stimulus": 1150, "delay": ("uniform", (1000, 3000)), "decision": 1500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": -1.0}
    PAPER = Paper(
        "Inagaki, Fontolan, Romani & Svoboda (2019). Discrete attractor dynamics underlies persistent activity in the "
        "frontal cortex. Nature 566:212",
        "10.1038/s41586-019-0919-7",
    )
    TAGS = ("perceptual", "delayed response", "two-alternative", "supervised")
    UNITS = {"delay": "ms"}
    DEVIATIONS = (
        Deviation(
            what="performance in the retry stage",
            neurogym="counts a trial as correct if the side was found at last, for a first reward of 0 reads as none",
            here="counts the first answer",
            reason="as documented; otherwise trial and error passes the stage",
        ),
        Deviation(
            what="repeats",
            neurogym="counts the last choice again after a trial without a choice",
            here="counts choices",
            reason="a side was barred that had not been chosen so often",
        ),
        Deviation(
            what="first step of the decision, after a delay of no whole steps in stage 3",
            neurogym="asks for the choice, but takes it for a break of fixation",
            here="takes it for the choice: delays are floored to whole steps",
            reason="the target must be the best action",
            affects=("reward", "new_trial", "performance"),
        ),
        Deviation(
            what="first day",
            neurogym="counts a failed trial before the first",
            here="counts the trials that were",
            reason="the score must follow the trial's outcome",
        ),
        Deviation(
            what="window of performance",
            neurogym="its first update of a day comes after 21 trials, of the first day after 20",
            here="after `perf_len` trials of the day",
            reason="the same rule for all days",
            kind="interface",
        ),
    )
    # Under the defaults a stage takes days: under these the contract check sees the later ones, too.
    PROBES = ({"trials_day": 2, "keep_days": 0, "perf_len": 2, "timing": {"fixation": 100, "stimulus": 200}},)

    coherences: Any = quantity(
        (0.0, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="coherences of stage 4 before scaling, each as likely",
    )  # fmt: skip
    stim_scale: Any = quantity(1.0, low=0, doc="factor of the coherences")
    sigma: Any = quantity(
        1.0, units="sqrt(ms)", low=0, doc="noise of stage 4; its standard deviation is sigma / sqrt(dt)"
    )
    delay_durs: Any = quantity((1000.0, 3000.0), units="ms", low=0, many=True, doc="the two delays of stage 3, in full")
    max_num_reps: Any = quantity(3, low=1, doc="rewarded choices of one side in a row in stage 0")
    th_stage: Any = quantity(
        0.7, high=1, aliases=("th_perf", "inc_delays_th"),
        doc="performance that leads to the next stage, and to longer delays; below 0: begin with the last stage",
    )  # fmt: skip
    min_perf: Any = quantity(
        0.5, low=0, high=1, aliases=("dec_delays_th",),
        doc="performance below which stage 2 falls back to stage 1; up to which delays shrink in stage 3",
    )  # fmt: skip
    inc_factor: Any = quantity(0.25, above=0, high=1, doc="share of the delays by which they grow and shrink")
    keep_days: Any = quantity(1, units="days", low=0, doc="good days in a row before the one that ends a stage")
    trials_day: Any = quantity(300, units="trials", low=1, doc="length of a day")
    stages: Any = quantity((0, 1, 2, 3, 4), low=0, high=4, many=True, doc="the stages to go through, rising")
    abort: Any = flag(False, doc="whether breaking fixation ends the trial")
    perf_len: int = structure(20, low=1, doc="trials over which the instantaneous performance is taken")
    n_ch: int = structure(10, low=2, doc="number of stimulus channels, and of actions besides fixating")

    def validate(self) -> None:
        for name in ("max_num_reps", "keep_days", "trials_day"):
            if float(getattr(self, name)) % 1:
                raise InvalidArgument(f"{name} must be a whole number, got {float(getattr(self, name)):g}")
        stages = np.ravel(self.stages)
        if np.any(stages % 1) or np.any(np.diff(stages) <= 0):
            raise InvalidArgument(f"stages must be whole and rising, got {stages.tolist()}")
        if np.size(self.delay_durs) != 2:
            raise InvalidArgument(f"delay_durs must hold two durations, got {np.ravel(self.delay_durs).tolist()}")
        shortest = float(np.min(self.delay_durs)) * float(self.inc_factor)
        if 0 < shortest < self.dt:
            raise InvalidArgument(
                f"a delay of {shortest:g} ms lasts no step at dt={self.dt:g} ms; use delay_durs, inc_factor or dt so "
                f"that the shortest delay is {self.dt:g} ms or more"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=self.n_ch)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.n_ch)

    # ------------------------------------------------------------------ the stages

    def init_memory(self, draw):
        last = np.int32(np.shape(self.stages)[0] - 1)
        return {
            "index": jnp.where(self.th_stage < 0, last, 0).astype(jnp.int32),  # of the stage, in `stages`
            "reminder": jnp.bool_(False),  # whether stage 2 fell back to stage 1
            "streak": jnp.int32(0),  # choices of the same side in a row: below 0 of the first, above of the second
            "recent": jnp.zeros((self.perf_len,), jnp.float32),  # the performance in the last trials
            "performance": jnp.float32(0),  # their mean, as last looked at
            "today": jnp.float32(0),  # correct trials of the day
            "left": self.trials_day.astype(jnp.int32),  # trials until the day ends
            "keep": self.keep_days.astype(jnp.int32),  # good days until the stage may end
            "share": jnp.float32(0),  # of the delays in stage 3
            "floor": jnp.float32(0),  # the share at the day's beginning
            "since": jnp.int32(0),  # trials since the share changed
        }

    def _stage(self, memory):
        stage = jnp.asarray(self.stages)[memory["index"]].astype(jnp.int32)
        return jnp.where(memory["reminder"], RETRY, stage)

    def next_memory(self, memory, trial, result, draw):
        stage, last = self._stage(memory), np.int32(np.shape(self.stages)[0] - 1)
        correct = result.performance
        answered = (result.outcome == Outcome.CORRECT) | (result.outcome == Outcome.ERROR)
        way = jnp.where(result.choice == 1, -1, 1)
        again = jnp.where(memory["streak"] * way > 0, memory["streak"] + way, way)
        streak = jnp.where(answered & (trial["stage"] == ANY_SIDE), again, memory["streak"])

        recent = jnp.concatenate([memory["recent"][1:], correct[None]])
        left, today = memory["left"] - 1, memory["today"] + correct
        looked = self.trials_day.astype(jnp.int32) - left >= self.perf_len
        performance = jnp.where(looked, jnp.mean(recent), memory["performance"])

        falls = looked & (stage == FIRST_COUNTS) & (performance < self.min_perf) & self._has(RETRY)
        recovers = looked & memory["reminder"] & (performance > self.th_stage) & ~falls
        reminder = (memory["reminder"] | falls) & ~recovers

        over = left <= 0
        full = (stage != DELAY) | (memory["share"] >= 1)
        good = over & (today / self.trials_day >= self.th_stage) & full
        advances = good & (memory["keep"] <= 0) & ((memory["index"] < last) | reminder)
        keep = jnp.where(good, jnp.maximum(memory["keep"] - 1, 0), self.keep_days.astype(jnp.int32))
        # A stage that was fallen back to leads on to the one that was left.
        index = memory["index"] + (advances & ~reminder).astype(jnp.int32)
        reminder = reminder & ~advances

        floor = jnp.where(over, memory["share"], memory["floor"])
        after = {**memory, "index": index, "reminder": reminder}
        waited = (self._stage(after) == DELAY) & (memory["since"] + 1 > self.perf_len)
        share = memory["share"]
        grows = waited & (performance >= self.th_stage) & (share < 1)
        shrinks = waited & ~grows & (performance <= self.min_perf) & (share > floor)
        step = jnp.where(grows, self.inc_factor, jnp.where(shrinks, -self.inc_factor, 0.0))
        return {
            "index": index,
            "reminder": reminder,
            "streak": streak,
            "recent": recent,
            "performance": performance,
            "today": jnp.where(over, 0.0, today),
            "left": jnp.where(over, self.trials_day.astype(jnp.int32), left),
            "keep": jnp.where(over, jnp.where(advances, self.keep_days.astype(jnp.int32), keep), memory["keep"]),
            "share": jnp.clip(share + step, floor, 1.0),
            "floor": floor,
            "since": jnp.where(grows | shrinks, 0, memory["since"] + 1),
        }

    def _has(self, stage: int):
        return jnp.any(jnp.asarray(self.stages).astype(jnp.int32) == stage)

    # ------------------------------------------------------------------ the trial

    def conditions(self, draw, memory):
        stage = draw.remembered("stage", self._stage(memory), 5)
        repeated = jnp.where(memory["streak"] < 0, 1, 2)
        limit = jnp.abs(memory["streak"]).astype(jnp.float32) >= self.max_num_reps
        barred = draw.remembered("barred", jnp.where((stage == ANY_SIDE) & limit, repeated, 0), 3)
        side = draw.choice("ground_truth", np.asarray([1, 2], np.int32))
        share = draw.remembered("share", memory["share"])
        durations = jnp.asarray(self.delay_durs)
        part = share * jnp.where(draw.flip("long_delay"), durations[1], durations[0])
        in_full = draw.duration("delay")
        return {
            "stage": stage,
            "barred": barred,
            "ground_truth": jnp.where((stage == ANY_SIDE) & (barred > 0), 3 - barred, side),
            "coherence": jnp.where(
                stage == AMBIGUITY, draw.choice("coherence", jnp.asarray(self.coherences) * self.stim_scale), 100.0
            ),
            "share": share,
            "delay": jnp.where(stage == AMBIGUITY, in_full, jnp.where(stage == DELAY, part, 0.0)),
        }

    def periods(self, conditions, steps):
        on = steps("fixation")
        off = on + jnp.where(conditions["stage"] > ANY_SIDE, steps("stimulus", on), 0)
        go = off + whole_steps(conditions["delay"], self.dt)
        return {
            "fixation": (0, on),
            "stimulus": (on, off),
            "delay": (off, go),
            "decision": (go, go + steps("decision", go)),
        }

    def longest(self):
        delay = max(self.timing["delay"].upper(), float(np.max(self.delay_durs)))
        return self.longest_under({"stage": np.int32(AMBIGUITY), "delay": np.float32(delay)})

    def init_state(self, trial):
        return {"answered": np.bool_(False)}

    def observe(self, trial, state, t):
        channel = np.arange(1, self.n_ch + 1, dtype=np.int32)
        sign = jnp.where(channel == trial["ground_truth"], 1.0, jnp.where(channel <= 2, -1.0, 0.0))
        stimulus = 0.5 + sign * (trial["coherence"] / 200)
        return {
            "fixation": t < trial.start["decision"],
            "stimulus": jnp.where(trial.during("stimulus", t), stimulus, 0.0),
        }

    def noise(self, trial, state, t, draw):
        noisy = trial.during("stimulus", t) & (trial["stage"] == AMBIGUITY)
        scale = jnp.where(noisy, self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus", (self.n_ch,))}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        stage, rewards = trial["stage"], self.rewards
        decision = trial.during("decision", t)
        right = decision & (action == trial["ground_truth"])
        other = decision & (action == 3 - trial["ground_truth"])
        lenient = (stage == ANY_SIDE) & (trial["barred"] == 0)
        # What the other side brings: as much in stage 0, nothing if it is barred or may be retried.
        forgiven = jnp.where(stage <= RETRY, 0.0, rewards["fail"])
        reward = jnp.where(right, rewards["correct"], 0.0)
        reward = reward + jnp.where(other, jnp.where(lenient, rewards["correct"], forgiven), 0.0)
        breaks = (action != 0) & ~decision
        correct = ~state["answered"] & (right | (other & lenient))
        return abortable(
            reward + jnp.where(breaks, rewards["abort"], 0.0),
            right | (other & (stage != RETRY)),
            breaks & self.abort,
            correct,
            state={"answered": state["answered"] | right | other},
        )

    def references(self):
        """Of the last stage; in the others the side is plain to see, or does not matter."""
        if int(np.ravel(self.stages)[-1]) == ANY_SIDE:
            return {"ideal": 1.0, "blind": 1.0}
        return {"ideal": self.accuracy(), "blind": 0.5}

    def accuracy(self) -> float:
        """Accuracy of the ideal observer in the last stage."""
        from scipy.special import ndtr

        if int(np.ravel(self.stages)[-1]) < AMBIGUITY:
            return 1.0
        coherences, sigma = np.ravel(self.coherences).astype(float) * float(self.stim_scale), float(self.sigma)
        total = 0.0
        for steps, p in step_probabilities(self.timing["stimulus"], self.dt).items():
            with np.errstate(divide="ignore", invalid="ignore"):
                m = np.nan_to_num(coherences / 100 * math.sqrt(steps * self.dt / 2) / np.float64(sigma))
            total += p * float(np.mean(ndtr(m)))
        return total
