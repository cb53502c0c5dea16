"""Detection: is there a signal in the noise, and when?"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, time_step
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities, whole_steps
from neurojax.core.trial import consequence
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import abortable

_SIGNAL = 0.5  # height of the signal of Detection


class Detection(Task):
    """Detection: go when a brief signal appears in the noise; hold still where none does.

    Fixation is on at first. During the stimulus period the stimulus channel shows Gaussian noise, and in half of the
    trials a signal of .5 for `stim_dur` ms, at a time that varies. Going ends the trial: right from the signal's first
    step on, wrong before it and where there is none. Holding still to the end is right where there is no signal.

    Channels: `fixation`, `stimulus`. Actions: 0 waits, 1 goes.
    Conditions: `ground_truth` (1 signal, 0 catch trial), `stimulus` (length of the period, ms), `delay` (ms from the
    start of the stimulus period to the signal; drawn in catch trials as well, where it means nothing).

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("Detection-v0", sigma=0, timing={"stimulus": 500})
        >>> batch = nj.render(task, jax.random.key(0), 1, ground_truth=1, delay=200)
        >>> batch.inputs[0, 5:, 1].tolist(), batch.targets[0, 5:].tolist()
        ([0.0, 0.0, 0.5, 0.0, 0.0], [0, 0, 1, 1, 1])
    """

    TIMING = {"fixation": 500, "stimulus": ("truncated_exponential", (1000, 500, 1500))}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": -1.0, "miss": -1.0}
    UNITS = {"stimulus": "ms"}
    TAGS = ("perceptual", "reaction time", "go-no-go", "supervised")
    DEVIATIONS = (
        Deviation(
            what="catch noise",
            neurogym="adds noise twice in catch trials",
            here="the same noise in all trials",
            reason="noise that is sqrt 2 stronger gives the answer away",
            affects=("noise",),
        ),
        Deviation(
            what="catch target",
            neurogym="sets no ground truth in catch trials: the label of an earlier trial stays, or there is none and "
            "it crashes",
            here="0",
            reason="the label must follow what is shown",
            affects=("target",),
        ),
        Deviation(
            what="correct rejection",
            neurogym="sets the performance of a correct rejection to 1 at the trial's start, where it is deleted at "
            "once (all but the first trial), and leaves it 1 where fixation is broken",
            here="1 where nobody went until the end of a catch trial, else 0",
            reason="the score must follow the outcome",
            affects=("performance",),
        ),
        Deviation(
            what="delay",
            neurogym="documented in ms, used in steps",
            here="ms",
            reason="as documented; a task must not change with its time step",
            kind="interface",
        ),
    )

    sigma: Any = quantity(1.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    delay: Any = quantity(
        -1.0, units="ms", low=-1,
        doc="from the start of the stimulus period to the signal; negative (or None): drawn uniformly over the steps "
        "that leave room for the signal, and for one more step where it lasts a single one",
    )  # fmt: skip
    stim_dur: Any = quantity(100.0, units="ms", above=0, doc="length of the signal")
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")

    @classmethod
    def create(cls, *, delay: Any = -1.0, **kwargs: Any):
        return super().create(delay=-1.0 if delay is None else delay, **kwargs)

    def validate(self) -> None:
        shown = int(whole_steps(float(self.stim_dur), self.dt))
        if shown < 1:
            raise InvalidArgument(f"stim_dur={self.stim_dur:g} ms lasts no step at dt={self.dt:g} ms; use a smaller dt")
        shortest = int(whole_steps(min(self.timing["stimulus"].durations()), self.dt))
        latest = max(int(whole_steps(float(self.delay), self.dt)), 0)
        needed = latest + shown + (shown == 1 and latest == 0)
        if shortest < needed:
            raise InvalidArgument(
                f"timing['stimulus'] may last {shortest} steps, which leaves no room for delay and stim_dur: it must "
                f"last {needed} or more, {needed * self.dt:g} ms"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, stimulus=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, go=1)

    def conditions(self, draw, memory):
        stimulus = draw.duration("stimulus")
        places = self._places(whole_steps(stimulus, self.dt))
        place = jnp.minimum((draw.chance("delay").uniform() * places.astype(jnp.float32)).astype(jnp.int32), places - 1)
        drawn = place.astype(jnp.float32) * np.float32(self.dt)
        return {
            "ground_truth": draw.integer("ground_truth", 2),
            "stimulus": stimulus,
            "delay": draw.remembered("delay", jnp.where(self.delay >= 0, self.delay, drawn)),
        }

    def _places(self, steps):
        """At how many steps of a stimulus period of `steps` a drawn signal may begin."""
        shown = whole_steps(self.stim_dur, self.dt)
        return jnp.maximum(steps - shown - jnp.where(shown == 1, 1, 0), 1)

    def periods(self, conditions, steps):
        fixation = steps("fixation")
        known = "stimulus" in conditions
        length = whole_steps(conditions["stimulus"], self.dt) if known else steps("stimulus", fixation)
        return {"fixation": (0, fixation), "stimulus": (fixation, fixation + length)}

    def _onset(self, trial):
        return trial.start["stimulus"] + whole_steps(trial["delay"], self.dt)

    def observe(self, trial, state, t):
        since = t - self._onset(trial)
        signal = (since >= 0) & (since < whole_steps(self.stim_dur, self.dt)) & (trial["ground_truth"] == 1)
        shows = signal & trial.during("stimulus", t)
        return {"fixation": trial.during("fixation", t), "stimulus": jnp.where(shows, np.float32(_SIGNAL), 0.0)}

    def noise(self, trial, state, t, draw):
        scale = jnp.where(trial.during("stimulus", t), self.sigma / math.sqrt(self.dt), 0.0)
        return {"stimulus": scale * draw.normal("stimulus")}

    def target(self, trial, state, t):
        return ((trial["ground_truth"] == 1) & (t >= self._onset(trial))).astype(jnp.int32)

    def respond(self, trial, state, action, t, draw):
        goes, signal = action == 1, trial["ground_truth"] == 1
        decides = goes & trial.during("stimulus", t)
        breaks = goes & trial.during("fixation", t)
        rejects = ~goes & ~signal & trial.last(t)
        correct = rejects | (signal & (t >= self._onset(trial)))
        rewards = self.rewards
        earned = jnp.where(decides, jnp.where(correct, rewards["correct"], rewards["fail"]), 0.0)
        reward = earned + jnp.where(breaks, rewards["abort"], 0.0)
        return abortable(reward, decides | rejects, breaks & self.abort, correct)

    def expire(self, trial, state):
        return jnp.where(trial["ground_truth"] == 1, self.rewards["miss"], 0.0)

    def references(self):
        laws, dt = self.timing, self.dt
        holds = sum(p * 0.5**m for m, p in step_probabilities(laws["fixation"], dt).items()) if self.abort else 1.0
        hit, rejection = 0.0, 0.0
        for steps, p in step_probabilities(laws["stimulus"], dt).items():
            hit += p * float(np.mean(0.5 ** self._delays(steps) - 0.5**steps))
            rejection += p * 0.5**steps
        return {
            "clairvoyant": 1.0,
            "ideal": self.ideal_performance(),
            "blind": 0.5,  # never go: going at any time is right in at most the same share of trials
            "random": holds * (hit + rejection) / 2,
        }

    def _delays(self, steps: int) -> np.ndarray:
        """The delays that are as likely in a stimulus period of `steps`, in steps."""
        if self.delay >= 0:
            return np.array([int(whole_steps(float(self.delay), self.dt))])
        shown = int(whole_steps(float(self.stim_dur), self.dt))
        return np.arange(max(steps - shown - (shown == 1), 1))

    def ideal_performance(self) -> float:
        """Performance of one who goes as soon as the signal's probability is worth more than waiting.

        The posterior of the signal's time is exact; the thresholds at each step, at which going beats going on, are
        found backwards over simulated trials (fixed seed), as the value of waiting has no closed form.
        """
        if self.sigma == 0:
            return 1.0
        lengths = step_probabilities(self.timing["stimulus"], self.dt)
        span, shown = max(lengths), int(whole_steps(float(self.stim_dur), self.dt))
        trials = 2 * int(np.clip(2e7 / span**2, 500, 8000))
        rng = np.random.default_rng(0)
        length = rng.choice(list(lengths), size=trials, p=np.array(list(lengths.values())) / sum(lengths.values()))
        catch = np.arange(trials) % 2 == 0
        delays = {n: self._delays(n) for n in lengths}
        first, count = (np.array([f(delays.get(n, [0])) for n in range(span + 1)])[length] for f in (min, len))
        delay = first + np.floor(rng.random(trials) * count).astype(int)
        since = np.arange(span) - delay[:, None]
        sd = float(self.sigma) / math.sqrt(self.dt)
        seen = _SIGNAL * ((since >= 0) & (since < shown) & ~catch[:, None]) + sd * rng.standard_normal((trials, span))
        # logarithm of the likelihood ratio of signal to noise, summed over steps
        summed = np.pad(np.cumsum((seen * _SIGNAL - _SIGNAL**2 / 2) / sd**2, axis=1), ((0, 0), (1, 0)))
        # prior of a signal at delay d in a period longer than t steps
        prior = np.zeros((span, span))
        for n, p in lengths.items():
            prior[delays[n][:, None], np.arange(n)] += p / len(delays[n])
        begun = np.empty((trials, span))  # posterior of a signal that has begun
        for t in range(span):
            d = np.arange(t + 1)
            evidence = summed[:, np.minimum(t + 1, d + shown)] - summed[:, d]
            yes = np.exp(np.minimum(evidence, 600.0)) @ prior[d, t]
            no = sum(p for n, p in lengths.items() if n > t) + prior[t + 1 :, t].sum()
            begun[:, t] = yes / (yes + no)
        value = catch.astype(float)
        for t in reversed(range(span)):
            alive = np.flatnonzero(length > t)
            order = alive[np.argsort(-begun[alive, t])]
            gain = np.cumsum(begun[order, t] - value[order])
            if gain.max() > 0:
                goes = order[: int(np.argmax(gain)) + 1]
                value[goes] = begun[goes, t]
        return float(np.mean(value))


class ToneDetection(Task):
    """Tone detection: was there a tone in the noise, and at which of three times?

    The one channel shows noise throughout, and in three of four trials a tone of height 1 and 50 ms, at one of three
    times. The action at the trial's last step is the answer.

    Channels: `stimulus`. Actions: 0 says that there was no tone, 1 .. K that it came at that time.
    Conditions: `ground_truth` (0 no tone, 1 .. K its time).

    The target is the answer at every step; it has weight 0 in a loss until the tone has come, and in trials without
    one until the last tone could have come, as nobody could know it.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("ToneDetection-v0", sigma=0), jax.random.key(0), 1, ground_truth=2)
        >>> batch.inputs[0, :, 0].nonzero()[0].tolist(), int(batch.weights[0].argmax())
        ([20], 20)
    """

    TIMING = {"stimulus": 2000}
    REWARDS = {"correct": 1.0, "fail": 0.0}
    PAPER = Paper(
        "Costalupes (1985). Representation of tones in noise in the responses of auditory nerve fibers in cats. I. "
        "Comparison with detection thresholds. J. Neurosci. 5:3261",
        "10.1523/JNEUROSCI.05-12-03261.1985",
    )
    TAGS = ("auditory", "perceptual", "supervised", "decision")
    DEVIATIONS = (
        Deviation(
            what="score",
            neurogym="never rewards, and never sets the performance",
            here="the action at the last step is the answer: reward and performance follow from it",
            reason="the score must follow the trial's outcome",
            affects=("reward", "performance"),
        ),
        Deviation(
            what="rewards",
            neurogym="names abort, correct and noresp, and uses none",
            here="correct and fail",
            reason="there is no fixation to break, and every action is an answer",
            kind="interface",
        ),
    )

    dt: float = time_step(50)
    sigma: Any = quantity(0.2, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    tone_timing: Any = quantity(
        (500.0, 1000.0, 1500.0), units="ms", low=0, many=True, aliases=("toneTiming",),
        doc="K times at which a tone may begin, in order",
    )  # fmt: skip
    tone_dur: Any = quantity(50.0, units="ms", above=0, aliases=("toneDur",), doc="length of a tone")

    @classmethod
    def create(cls, *, timing: Any = None, **kwargs: Any):
        # NeuroGym states the times of the tone among those of the periods
        if isinstance(timing, dict):
            kwargs = {**{k: v for k, v in timing.items() if k in ("toneTiming", "toneDur")}, **kwargs}
            timing = {k: v for k, v in timing.items() if k not in ("toneTiming", "toneDur")}
        return super().create(timing=timing, **kwargs)

    def validate(self) -> None:
        starts, shown = self._starts(), int(whole_steps(float(self.tone_dur), self.dt))
        if shown < 1:
            raise InvalidArgument(f"tone_dur={self.tone_dur:g} ms lasts no step at dt={self.dt:g} ms; use a smaller dt")
        if np.any(np.diff(starts) < shown):
            raise InvalidArgument(
                f"tone_timing must rise by tone_dur={self.tone_dur:g} ms or more, got {self.tone_timing.tolist()}"
            )
        shortest = int(whole_steps(min(self.timing["stimulus"].durations()), self.dt))
        if starts[-1] + shown > shortest:
            raise InvalidArgument(
                f"tone_timing: the last tone ends at {(starts[-1] + shown) * self.dt:g} ms, after the stimulus, which "
                f"may last {shortest * self.dt:g} ms"
            )

    def _starts(self):
        return whole_steps(self.tone_timing, self.dt)

    @property
    def channels(self) -> Channels:
        return Channels.named(stimulus=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(none=1, tone=np.shape(self.tone_timing)[-1])

    def conditions(self, draw, memory):
        return {"ground_truth": draw.integer("ground_truth", self.actions.size)}

    def observe(self, trial, state, t):
        since = t - jnp.asarray(self._starts())[jnp.maximum(trial["ground_truth"] - 1, 0)]
        tone = (since >= 0) & (since < whole_steps(self.tone_dur, self.dt)) & (trial["ground_truth"] > 0)
        return {"stimulus": tone}

    def noise(self, trial, state, t, draw):
        return {"stimulus": self.sigma / math.sqrt(self.dt) * draw.normal("stimulus")}

    def target(self, trial, state, t):
        return trial["ground_truth"]

    def weight(self, trial, state, t):
        # -1 is the last of the times, the one to wait for where there is no tone
        return t >= jnp.asarray(self._starts())[trial["ground_truth"] - 1]

    def respond(self, trial, state, action, t, draw):
        correct = action == trial["ground_truth"]
        reward = jnp.where(correct, self.rewards["correct"], self.rewards["fail"])
        ends = trial.last(t)
        return consequence(reward=jnp.where(ends, reward, 0.0), end=ends, correct=correct)

    def references(self):
        chance = 1 / self.actions.size
        return {"clairvoyant": 1.0, "ideal": self.ideal_accuracy(), "blind": chance, "random": chance}

    def ideal_accuracy(self) -> float:
        """Accuracy of the ideal observer, who says the time of the greatest sum z if that exceeds d/2.

        Each sum over a tone's m steps is normal around d = sqrt(m dt) / sigma where there was a tone, else around 0,
        with unit variance: P = [Phi(d/2)^K + K int_{d/2} phi(z - d) Phi(z)^(K-1) dz] / (K + 1).
        """
        from scipy.special import ndtr

        if self.sigma == 0:
            return 1.0
        count = self.actions.size - 1
        d = math.sqrt(int(whole_steps(float(self.tone_dur), self.dt)) * self.dt) / float(self.sigma)
        z = np.linspace(d / 2, max(d + 10, 10), 20001)
        density = np.exp(-((z - d) ** 2) / 2) / math.sqrt(2 * math.pi)
        said = np.trapezoid(density * ndtr(z) ** (count - 1), z)
        return float((ndtr(d / 2) ** count + count * said) / (count + 1))
