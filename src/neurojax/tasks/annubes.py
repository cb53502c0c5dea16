"""Sessions of unisensory and multisensory detection, after ANNUBeS."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, is_traced, quantity, structure
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import Until, pick_weighted, step_probabilities, whole_steps
from neurojax.errors import InvalidArgument
from neurojax.tasks.annubes_keywords import (
    CATCH,
    limited_of,
    members_of,
    modalities_of,
    parts_of,
    renamed,
    shortest,
    translated,
)
from neurojax.tasks.rules import abortable

# A kind of trial that limits hold back is made up for later, by no more than so many trials.
_MOST_OWED = 10.0
_STATES = 100_000


class AnnubesEnv(Task):
    """Was there a stimulus? Detection in one or several modalities, with catch trials, in sessions of any make.

    An inter-trial interval and fixation are followed by the stimulus period, marked by the start cue on a channel of
    its own. The trial's modalities (vision, audition, both together, any others) show their intensities, under noise
    on every modality's channel; in a catch trial nothing is shown. The subject responds to a stimulus and holds still
    in a catch trial. The first response in the stimulus period ends the trial; without one, it ends with that period.
    It is scored, and rewarded, once.

    A session is given by ratios: `session={"v": 1, "a": 1, "a+v": 2}` (or `("a", "v"): 2`), of those trials that are
    no catch trials. Its order is

    - "shuffled": each trial is drawn by the ratios. With limits on repeats (`max_sequential`), by those that the limits
      allow; the probability that a limit takes from a kind of trial is owed to it, and given back as soon as it is
      allowed. So the number of trials of each kind differs from its ratio times the trials by what is still owed, on
      average, and the ratios hold in the long run wherever the limits allow that (see `shares`).
    - "fixed": rounds of `block_trials` trials, with all trials of the first kind before those of the next, in numbers
      that differ by less than 1 from the ratios;
    - "blocked": blocks of `block_trials` trials of one kind, which is drawn by the ratios.

    In fixed and blocked order each trial turns into a catch trial with `catch_prob`. A rendered batch holds the first
    trials of independent sessions: in fixed order all are of the first kind (see `nj.session`).

    A limit counts the trials in a row that hold a modality; under the name of a combination, those of that
    combination; under "catch", catch trials. One number limits each modality, and not catch trials.

    Outputs are choices (`output="choice"`: action 0 holds still, 1 responds; each further level of `output_behavior`
    adds an action that is never right) or levels, as ANNUBeS trains networks (`output="levels"`: `n_outputs` continuous
    components, of which the first says "no stimulus" and the second "stimulus"; the one that is right rises from the
    lowest level to the highest in the stimulus period. A component above their middle is a response, the greatest
    counts, and a catch trial asks for one too).

    `scaling` divides inputs, and levels, by the greatest value that they take without noise: "fixed", in any trial;
    "trial", in this trial. The latter tells of intensities above 1 in all channels.

    Channels: `fixation`, `start`, one by modality in alphabetical order. Conditions: `stimulus` (int: a kind of trial
    in the order of `kinds`, or after the last, a catch trial), `intensity_NAME` of each modality, 0 where the trial
    does not have it; `catch` follows.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("AnnubesEnv-v0", session={"v": 1, "a": 1, "a+v": 2}, noise_std=0)
        >>> batch = nj.render(task, jax.random.key(0), 4, stimulus=[0, 1, 2, 3], intensity_v=1.0, intensity_a=0.5)
        >>> task.kinds, batch.inputs[:, 8, 2:].tolist()
        (('v', 'a', 'a+v'), [[0.0, 1.0], [0.5, 0.0], [0.5, 1.0], [0.0, 0.0]])
    """

    TIMING = {"fixation": 500, "stimulus": 1000, "iti": 0}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PERIODS = ("iti", "fixation", "stimulus")
    PRESETS = {
        "annubes": {
            "dt": 20,
            "timing": {"fixation": 100},
            "scaling": "fixed",
            "noise_on": "inputs",
            "output": "levels",
        },
    }
    PAPER = Paper(
        "Crocioni, Bodor & Mejias (2024). ANNUBeS: Artificial Neural Networks to Uncover Behavioral Strategies, 0.1.1",
        "10.5281/zenodo.11098460",
    )
    TAGS = ("n-alternative", "perceptual", "supervised")
    DEVIATIONS = (
        Deviation(
            what="scoring",
            neurogym="rewards every step of the stimulus, and scores 1 if any was right",
            here="the first response, or its absence, is scored and rewarded once, and ends the trial",
            reason="uniformly random actions scored .999",
            affects=("reward", "new_trial", "performance"),
        ),
        Deviation(
            what="iti",
            neurogym="the inter-trial interval ends a trial",
            here="it begins the next one",
            reason="a response ends the trial, and the interval must pass all the same",
            affects=("observation", "target", "reward", "new_trial", "performance", "noise"),
        ),
        Deviation(
            what="noise",
            neurogym="noise on the channels of the modalities that are shown only",
            here="noise on every modality's channel during the stimulus period",
            reason="the noise alone gave the stimulus away, however weak",
            affects=("noise",),
        ),
        Deviation(
            what="max_sequential",
            neurogym="forgets limits given by name; draws by the ratios among what the limits allow, so that what they "
            "hold back is lost; looks for settings without an allowed trial at some probabilities only, and fails in "
            "the middle of a session at the others",
            here="keeps limits by name, also for combinations; makes up for what they hold back; refuses settings in "
            "which a session can come to a trial of no allowed kind",
            reason="sessions departed from the stated ratios, or stopped",
        ),
        Deviation(
            what="catch_prob",
            neurogym="refuses 1",
            here="accepts it: every trial is a catch trial",
            reason="a stage of training may consist of them",
        ),
        Deviation(
            what="session",
            neurogym="has no default, and reads a name of several letters as one modality",
            here="the default is vision and audition alike; where each letter is a modality of the session, the name "
            "is their combination, as in ANNUBeS",
            reason="ANNUBeS's sessions mean what they meant there",
            kind="interface",
        ),
        Deviation(
            what="random_seed",
            neurogym="the task holds a generator",
            here="chance is an argument: a key",
            reason="a trial follows from task and key alone",
            kind="interface",
        ),
        Deviation(
            what="scaling (ANNUBeS)",
            neurogym="ANNUBeS rescales all trials that were generated together by their common least and greatest "
            "value, noise included; NeuroGym does not rescale",
            here="by the greatest noiseless value of the task, or of the trial",
            reason="a trial must not depend on its neighbours, nor on noise that is still to come",
        ),
        Deviation(
            what="order (ANNUBeS)",
            neurogym="ANNUBeS draws how many trials of each kind an unshuffled session holds, and never shows "
            "combinations of modalities; NeuroGym only shuffles",
            here="numbers by the ratios, to the nearest trial; combinations are shown",
            reason="a fixed order is fixed; a combination without input cannot be told from a catch trial",
        ),
        Deviation(
            what="fix_intensity (ANNUBeS)",
            neurogym="ANNUBeS shows it on the modalities' channels, and durations have one step more",
            here="on a channel of its own, as in NeuroGym; durations are whole steps of dt",
            reason="NeuroGym's structure is the default",
            kind="interface",
        ),
    )

    session: Any = quantity(
        (0.5, 0.5), low=0, many=True, doc="ratios of the kinds of trials; given as a dictionary by kind"
    )  # fmt: skip
    catch_prob: Any = quantity(0.5, low=0, high=1, doc="probability of a catch trial")
    intensities: Any = quantity(
        ((0.8, 0.9, 1.0), (0.8, 0.9, 1.0)), low=0, many=2, aliases=("stim_intensities",),
        doc="intensities of each modality, each as likely; a list for all, or a dictionary of lists by modality",
    )  # fmt: skip
    fix_intensity: Any = quantity(0.0, low=0, doc="value of the fixation channel during fixation")
    noise_std: Any = quantity(
        0.01,
        low=0,
        doc="noise; its standard deviation per step is noise_std sqrt(2 tau / dt), for units of constant tau",
    )
    tau: Any = quantity(100.0, units="ms", above=0, doc="time constant of the network's units")
    abort: Any = flag(False, source="neurojax", doc="whether responding during fixation ends the trial")
    kinds: tuple[str, ...] = structure(
        ("v", "a"), many=True, text=True, source="neurojax", doc="the kinds of trials, as named by session"
    )
    max_sequential: tuple[int, ...] = structure(
        (0, 0, 0), many=True, low=0,
        doc="most trials in a row of each modality, combination and of catch trials, 0 for no limit; given as a number "
        "for all modalities, a dictionary by name, or None",
    )  # fmt: skip
    order: str = structure(
        "shuffled", choices=("shuffled", "fixed", "blocked"), source="neurojax", doc="order of the trials of a session"
    )
    block_trials: int = structure(
        10, low=1, source="neurojax", doc="trials of a block (blocked order), or of a round of all kinds (fixed order)"
    )
    output: str = structure(
        "choice",
        choices=("choice", "levels"),
        source="neurojax",
        doc="whether actions are choices or levels of outputs",
    )
    output_behavior: tuple[float, ...] = structure(
        (0.0, 1.0), many=True, whole=False, low=0,
        doc="levels of an output, of which the least and the greatest are used; as many choices as levels",
    )  # fmt: skip
    n_outputs: int = structure(2, low=2, source="neurojax", doc="number of outputs where they are levels")
    noise_on: str = structure(
        "modalities", choices=("modalities", "inputs"), source="repaired",
        doc="noise on the modalities during the stimulus, or on all inputs at all times (ANNUBeS)",
    )  # fmt: skip
    scaling: str = structure(
        "none", choices=("none", "fixed", "trial"), source="neurojax", doc="what inputs and levels are divided by"
    )

    # ------------------------------------------------------------------ building

    @classmethod
    def create(cls, **kwargs: Any):
        """The task with these parameters, by ANNUBeS's names and NeuroGym's (see `Task.create`)."""
        kwargs = renamed(kwargs)
        if is_traced(kwargs):
            return super().create(**kwargs)  # which says what is wrong
        return super().create(**translated(cls, kwargs))

    def set(self, **kwargs: Any):
        given = renamed(kwargs)
        if isinstance(given.get("session"), Mapping) and "kinds" not in given:
            given["kinds"] = tuple(given["session"])
        return super().set(**given)

    def settings(self) -> dict[str, Any]:
        out = super().settings()
        out["session"] = dict(zip(self.kinds, out["session"], strict=True))
        rows = [shortest(row) for row in out["intensities"]]
        out["intensities"] = dict(zip(self.modalities, rows, strict=True))
        if all(row == rows[0] for row in rows):
            out["intensities"] = rows[0]
        limits = {name: limit for name, limit in zip(self.limited, self.max_sequential, strict=True) if limit}
        out["max_sequential"] = limits or None
        out["output_behavior"] = list(self.output_behavior)
        return out

    def validate(self) -> None:
        if len(set(self.kinds)) < len(self.kinds):
            raise InvalidArgument(f"session names a kind of trial twice, got {', '.join(self.kinds)}")
        for name in self.modalities:
            if name in ("fixation", "start") or name.lower() == CATCH:
                raise InvalidArgument(f"session: {name!r} is reserved and cannot be a modality")
        for name, values, count, what in (
            ("session", self.session, len(self.kinds), "kinds of trials"),
            ("intensities", self.intensities, len(self.modalities), "modalities"),
            ("max_sequential", self.max_sequential, len(self.limited), "modalities, combinations and catch"),
        ):
            if len(values) != count:
                raise InvalidArgument(f"{name} needs {count} entries, one for each of the {what}, got {len(values)}")
        if not np.sum(self.session) > 0:
            raise InvalidArgument("session needs a ratio above 0, got only 0")
        if not max(self.output_behavior) > min(self.output_behavior):
            raise InvalidArgument(f"output_behavior needs two different levels, got {list(self.output_behavior)}")
        law = self.timing["stimulus"]
        if not isinstance(law, Until) and whole_steps(float(law.quantile(np.float32(0))), self.dt) < 1:
            raise InvalidArgument(
                "timing['stimulus'] must last at least one step, for this is when the subject responds"
            )
        if any(self.max_sequential) and self.order != "shuffled":
            raise InvalidArgument(f"max_sequential limits repeats in shuffled order, not where order={self.order!r}")
        _check_satisfiable(self)

    # ------------------------------------------------------------------ what it is

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, M of them, in alphabetical order."""
        return modalities_of(self.kinds)

    @property
    def limited(self) -> tuple[str, ...]:
        """What `max_sequential` may limit: modalities, combinations and catch trials."""
        return limited_of(self.kinds)

    @property
    def channels(self) -> Channels:
        return Channels((("fixation", 1), ("start", 1), *((name, 1) for name in self.modalities)))

    @property
    def actions(self) -> Discrete | Box:
        if self.output == "choice":
            return Discrete.named(fixation=1, choice=len(self.output_behavior) - 1)
        names = ("no stimulus", "stimulus", *(f"output {i}" for i in range(2, self.n_outputs)))
        scaled = self.scaling != "none"
        low, high = (0.0, 1.0) if scaled else (min(self.output_behavior), max(self.output_behavior))
        return Box(names, (low,) * self.n_outputs, (high,) * self.n_outputs)

    def trial_labels(self, conditions: Mapping[str, Any]) -> list[str]:
        """The kind of each of N trials, from their conditions `[N]`: its modalities, or "catch"."""
        names = (*self.kinds, CATCH)
        return [names[i] for i in np.asarray(conditions["stimulus"]).ravel().tolist()]

    def probabilities(self):
        """float32 `[S + 1]`: the stated probability of each kind of trial, and of a catch trial."""
        ratios = jnp.asarray(self.session)
        return jnp.append((1 - self.catch_prob) * ratios / jnp.sum(ratios), self.catch_prob)

    # ------------------------------------------------------------------ order of the session

    def init_memory(self, draw):
        kind = _draw_kind(draw, "first", self.probabilities() if self._limits else jnp.asarray(self.session))
        if self._limits:
            none = jnp.zeros(len(self.limited), jnp.int32)
            return {"stimulus": kind, "run": none, "owed": jnp.zeros(len(self.kinds) + 1, jnp.float32)}
        return {"fixed": {"position": jnp.int32(0)}, "blocked": {"kind": kind, "trial": jnp.int32(0)}}.get(
            self.order, ()
        )

    def next_memory(self, memory, trial, result, draw):
        if self._limits:
            run, allowed = self._after(memory["run"], trial["stimulus"])
            given, owed = _give(self.probabilities(), memory["owed"], allowed, jnp)
            return {"stimulus": _draw_kind(draw, "next", given), "run": run, "owed": owed}
        if self.order == "fixed":
            return {"position": jnp.mod(memory["position"] + 1, self.block_trials)}
        if self.order == "blocked":
            over = memory["trial"] + 1 >= self.block_trials
            kind = jnp.where(over, _draw_kind(draw, "next", jnp.asarray(self.session)), memory["kind"])
            return {"kind": kind, "trial": jnp.where(over, 0, memory["trial"] + 1)}
        return memory

    @property
    def _limits(self) -> bool:
        return any(self.max_sequential)

    def _after(self, run, stimulus):
        """Trials in a row `[K]` of all that can be limited, and which kinds may come next `[S + 1]`, after a trial."""
        member = members_of(self.kinds)
        run = jnp.where(jnp.asarray(member)[stimulus], run + 1, 0)
        limits = np.asarray(self.max_sequential, np.int32)
        return run, ~jnp.any(member & ((run >= limits) & (limits > 0)), axis=1)

    def _in_order(self, memory):
        """The kind of trial that a fixed or blocked order asks for."""
        if self.order == "blocked":
            return memory["kind"]
        shares = jnp.cumsum(jnp.asarray(self.session)) / jnp.sum(jnp.asarray(self.session))
        ends = jnp.round(shares * self.block_trials).astype(jnp.int32)
        return jnp.minimum(jnp.sum(memory["position"] >= ends, dtype=jnp.int32), len(self.kinds) - 1)

    # ------------------------------------------------------------------ the trial

    def conditions(self, draw, memory):
        catch = len(self.kinds)
        if self._limits:
            stimulus = memory["stimulus"]
        elif self.order == "shuffled":
            stimulus = _draw_kind(draw, "stimulus", self.probabilities())
        else:
            skipped = draw.chance(CATCH).uniform() < self.catch_prob
            stimulus = jnp.where(skipped, catch, self._in_order(memory))
        stimulus = draw.remembered("stimulus", stimulus, catch + 1)
        shown = jnp.asarray(parts_of(self.kinds))[stimulus]
        out = {"stimulus": stimulus, CATCH: stimulus == catch}
        for i, name in enumerate(self.modalities):
            intensity = draw.choice(f"intensity_{name}", jnp.asarray(self.intensities)[i])
            out[f"intensity_{name}"] = jnp.where(shown[i], intensity, 0.0)
        return out

    def _shown(self, trial):
        """float32 `[M]`: the intensity of each modality."""
        return jnp.stack([trial[f"intensity_{name}"] for name in self.modalities])

    def _scale(self, trial):
        """What inputs and levels are divided by."""
        if self.scaling == "none":
            return np.float32(1)
        shown = jnp.asarray(self.intensities).reshape(-1) if self.scaling == "fixed" else self._shown(trial)
        level = max(self.output_behavior) if self.output == "levels" else 1.0
        greatest = jnp.maximum(jnp.max(shown), self.fix_intensity)
        return jnp.maximum(greatest, np.float32(max(1.0, level)))  # the start cue is 1

    def observe(self, trial, state, t):
        on, scale = trial.during("stimulus", t), self._scale(trial)
        shown = jnp.where(on, self._shown(trial) / scale, 0.0)
        return {
            "fixation": jnp.where(trial.during("fixation", t), self.fix_intensity / scale, 0.0),
            "start": jnp.where(on, 1 / scale, 0.0),
            **{name: shown[i] for i, name in enumerate(self.modalities)},
        }

    def noise(self, trial, state, t, draw):
        size = self.noise_std * jnp.sqrt(2 * self.tau / self.dt) / self._scale(trial)
        if self.noise_on == "inputs":
            noise = size * draw.normal("inputs", (self.channels.size,))
            return {name: noise[i] for i, (name, _) in enumerate(self.channels.sizes)}
        size = jnp.where(trial.during("stimulus", t), size, 0.0)
        noise = size * draw.normal("modalities", (len(self.modalities),))
        return {name: noise[i] for i, name in enumerate(self.modalities)}

    def target(self, trial, state, t):
        on, catch = trial.during("stimulus", t), trial[CATCH]
        if self.output == "choice":
            return (on & ~catch).astype(jnp.int32)
        low, high = self._levels(trial)
        right = jnp.arange(self.n_outputs, dtype=jnp.int32) == jnp.where(catch, 0, 1)
        return jnp.where(on & right, high, low)

    def _levels(self, trial):
        scale = self._scale(trial)
        return (jnp.asarray(np.float32(f(self.output_behavior)) / scale) for f in (min, max))

    def _answer(self, trial, action):
        """Whether an action is a response, and whether it is the right one."""
        if self.output == "choice":
            return action != 0, (action == 1) & ~trial[CATCH]
        low, high = self._levels(trial)
        right = jnp.argmax(action) == jnp.where(trial[CATCH], 0, 1)
        return jnp.max(action) > (low + high) / 2, right

    def periods(self, conditions, steps):
        elapsed, out = 0, {}
        for name in ("iti", "fixation", "stimulus"):
            end = elapsed + steps(name, elapsed)
            out[name] = (elapsed, end)
            elapsed = end
        return out

    def respond(self, trial, state, action, t, draw):
        acts, right = self._answer(trial, action)
        on, before = trial.during("stimulus", t), trial.during("fixation", t)
        # To hold still is right in a catch trial, unless an output has to say so.
        held = on & ~acts & trial.last(t) & trial[CATCH] & ~trial.overflow & (self.output == "choice")
        breaks = acts & (before | trial.during("iti", t))
        correct = held | right
        reward = jnp.where(acts & on | held, jnp.where(correct, self.rewards["correct"], self.rewards["fail"]), 0.0)
        reward = reward + jnp.where(breaks, self.rewards["abort"], 0.0)
        return abortable(reward, acts & on | held, acts & before & self.abort, correct)

    def expire(self, trial, state):
        return self.rewards["fail"]

    # ------------------------------------------------------------------ references

    def shares(self) -> dict[str, float]:
        """The long-run share of each kind of trial in a session, in order of `kinds`, and of catch trials.

        These are the stated ratios, unless limits on repeats cannot keep them: with limits, they are simulated (400
        sessions of 500 trials, fixed seed).
        """
        names = (*self.kinds, CATCH)
        stated = np.asarray(self.probabilities(), np.float64)
        if self.order == "fixed":
            ends = np.round(np.cumsum(self.session) / np.sum(self.session) * self.block_trials)
            counts = np.diff(ends, prepend=0.0) / self.block_trials
            stated = np.append(counts * (1 - float(self.catch_prob)), float(self.catch_prob))
        elif self._limits:
            stated = self._simulated(stated)
        return dict(zip(names, map(float, stated), strict=True))

    def _simulated(self, stated: np.ndarray, sessions: int = 400, trials: int = 500) -> np.ndarray:
        member, limits = members_of(self.kinds), np.asarray(self.max_sequential)
        rng = np.random.default_rng(0)
        owed, run = np.zeros((sessions, len(stated))), np.zeros((sessions, len(limits)), int)
        allowed, total = np.ones((sessions, len(stated)), bool), np.zeros(len(stated))
        for trial in range(trials):
            given, owed = _give(stated, owed, allowed, np)
            chosen = np.sum(rng.random(sessions)[:, None] >= np.cumsum(given, axis=1)[:, :-1], axis=1)
            run = np.where(member[chosen], run + 1, 0)
            allowed = ~np.any(member[None] & ((run >= limits) & (limits > 0))[:, None], axis=2)
            if trial >= trials // 5:
                total += given.sum(axis=0)
        return total / total.sum()

    def references(self):
        shares = self.shares()
        catch = shares[CATCH]
        numbers = {"blind": max(catch, 1 - catch)}
        ideal = self._ideal(shares)
        # with limits, the trials before tell something too
        if ideal is not None and (not self._limits or ideal > 0.999):
            numbers["ideal"] = ideal
        law = self.timing["stimulus"]
        before = self.timing["fixation"]
        if isinstance(law, Until) or isinstance(before, Until) or (self.output == "levels" and self._tells()):
            return numbers
        if not all(math.isfinite(x.upper()) for x in (law, before)):
            return numbers
        count = self.actions.size
        hold = 1 / count if self.output == "choice" else self._below_middle() ** count
        silent = sum(p * hold**n for n, p in step_probabilities(law, self.dt).items())
        # the greatest of several uniform levels is as likely any of them
        detected = (1 - silent) / (count - 1 if self.output == "choice" else count)
        rejected = silent if self.output == "choice" else detected
        survives = sum(p * hold**n for n, p in step_probabilities(before, self.dt).items()) if self.abort else 1.0
        numbers["random"] = survives * ((1 - catch) * detected + catch * rejected)
        return numbers

    def _tells(self) -> bool:
        """Whether the scale of a trial tells of its intensities, through the start cue and the levels."""
        level = max(self.output_behavior) if self.output == "levels" else 0.0
        return self.scaling == "trial" and float(np.max(self.intensities)) > max(1.0, level, float(self.fix_intensity))

    def _below_middle(self) -> float:
        """The probability that a uniform level, within the bounds of the actions, is no response."""
        if self.scaling == "none":
            return 0.5
        return (min(self.output_behavior) + max(self.output_behavior)) / 2 / max(self._greatest(), 1.0)

    def _greatest(self) -> float:
        """The greatest value of an input other than the start cue, and of the levels."""
        level = max(self.output_behavior) if self.output == "levels" else 0.0
        return max(float(np.max(self.intensities)), float(self.fix_intensity), level)

    def _ideal(self, shares: Mapping[str, float]) -> float | None:
        """Accuracy of the best observer of one trial's stimulus, who sees its mean over n steps.

        The mean of a channel has standard deviation noise / sqrt(n) around the intensity or 0, independent of the
        others, so that the likelihood of a kind of trial is a product over channels. Its posterior is averaged over
        20,000 simulated trials (fixed seed). None where that is not the whole story.
        """
        law = self.timing["stimulus"]
        if isinstance(law, Until) or not math.isfinite(law.upper()):
            return None
        if self._tells():
            return None
        parts, values = parts_of(self.kinds), np.asarray(self.intensities, np.float64)
        prior = np.asarray(list(shares.values()))
        sigma = float(self.noise_std) * math.sqrt(2 * float(self.tau) / self.dt)
        if sigma == 0:
            # told apart wherever something is shown; the chance that every shown modality has intensity 0
            dark = (values == 0).mean(axis=1)
            blank = prior * np.prod(np.where(parts, dark, 1.0), axis=1)
            return float(1 - blank.sum() + max(blank[-1], blank[:-1].sum()))
        total = 0.0
        for steps, p in step_probabilities(law, self.dt).items():
            total += p * _posterior_accuracy(prior, parts, values, sigma / math.sqrt(max(steps, 1)))
        return total


# ---------------------------------------------------------------------- chance


def _draw_kind(draw, name: str, weights):
    """int32: an index, with probabilities in proportion to `weights`."""
    return pick_weighted(weights, draw.chance(name).uniform())


def _give(stated, owed, allowed, xp):
    """The probabilities of the next trial, and what is owed to each kind after it: `[..., S + 1]`.

    A kind is given its stated probability and what is owed to it, in proportion to the others that are allowed. What
    it gets less than that is owed from then on.
    """
    wanted = stated + owed
    given = xp.where(allowed, xp.maximum(wanted, 0), 0.0)
    none = xp.sum(given, axis=-1, keepdims=True) <= 0
    given = xp.where(none, xp.where(allowed, stated, 0.0), given)
    # no kind is allowed: `validate` refuses that, but under tracing the limits give way
    none = xp.sum(given, axis=-1, keepdims=True) <= 0
    given = xp.where(none, stated, given)
    given = given / xp.sum(given, axis=-1, keepdims=True)
    return given, xp.clip(wanted - given, -_MOST_OWED, _MOST_OWED)


def _check_satisfiable(task: AnnubesEnv) -> None:
    """Refuse limits under which a session can come to a trial of no allowed kind."""
    # A catch trial ends all runs but its own, and a stimulus that of catch trials: with both, there is always a way on.
    possible = np.asarray(task.probabilities()) > 0
    if not any(task.max_sequential) or (possible[-1] and possible[:-1].any()):
        return
    names = (*task.kinds, CATCH)
    member, limits = members_of(task.kinds), np.asarray(task.max_sequential)
    start = (0,) * len(limits)
    before: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None] = {start: None}
    ahead = deque([start])
    while ahead:
        state = ahead.popleft()
        run = np.asarray(state)
        full = (run >= limits) & (limits > 0)
        options = [i for i in np.flatnonzero(possible) if not np.any(member[i] & full)]
        if not options:
            path: list[str] = []
            at = before[state]
            while at is not None:
                path.append(at[1])
                at = before[at[0]]
            reached = ", ".join(f"{n} ({limits[i]})" for i, n in enumerate(task.limited) if full[i])
            raise InvalidArgument(
                f"max_sequential cannot be satisfied: after {' '.join(path[::-1][-8:])} no kind of trial is allowed: "
                f"{reached} has reached its limit, and catch_prob={float(task.catch_prob):g}; raise the limit, or "
                f"{'lower' if possible[-1] else 'raise'} catch_prob"
            )
        for i in options:
            after = tuple(np.where(limits > 0, np.where(member[i], run + 1, 0), 0).tolist())
            if after not in before:
                before[after] = (state, names[i])
                ahead.append(after)
        if len(before) > _STATES:
            raise InvalidArgument(
                "max_sequential has too many limits, too high to check that they can be satisfied; lower them, leave "
                "some out, or set catch_prob above 0"
            )


def _posterior_accuracy(prior, parts, values, sigma: float, trials: int = 20000) -> float:
    """Mean posterior of the better of "stimulus" and "catch", given a mean with noise `sigma` on each channel."""
    from scipy.special import logsumexp

    rng = np.random.default_rng(0)
    kinds = rng.choice(len(prior), size=trials, p=prior / prior.sum())
    which = rng.integers(values.shape[1], size=(trials, len(values)))
    shown = np.where(parts[kinds], values[np.arange(len(values)), which], 0.0)
    seen = shown + sigma * rng.standard_normal(shown.shape)
    absent = -(seen**2) / (2 * sigma**2)  # [trials, M]
    present = logsumexp(-((seen[..., None] - values) ** 2) / (2 * sigma**2), axis=2) - math.log(values.shape[1])
    with np.errstate(divide="ignore"):
        log = np.log(prior) + np.sum(np.where(parts[None], present[:, None], absent[:, None]), axis=2)
    catch = np.exp(log[:, -1] - logsumexp(log, axis=1))
    return float(np.mean(np.maximum(catch, 1 - catch)))
