"""Continuous outputs at every step: the tasks on which the dynamics of trained networks are analysed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from neurojax.core.chance import Chance
from neurojax.core.parameters import quantity, structure, time_step
from neurojax.core.spaces import Box, Channels
from neurojax.core.task import Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Consequence, Outcome, consequence
from neurojax.errors import InvalidArgument

SUSSILLO_BARAK = Paper(
    "Sussillo & Barak (2013). Opening the black box: low-dimensional dynamics in high-dimensional recurrent neural "
    "networks. Neural Computation 25:626",
    "10.1162/NECO_a_00409",
)
_REACH = 2.0  # outputs lie between plus and minus this, so that an output may overshoot
_P_BITS = 16  # binary digits of the probability of a pulse
_WORD = 32
_ALL = np.uint32(0xFFFFFFFF)


def draw_seed(draw) -> jax.Array:
    """The condition `seed` (int32, 0 or more): what a trial's own stream of numbers is drawn from."""
    return draw.remembered("seed", (draw.chance("seed").bits() >> np.uint32(1)).astype(jnp.int32))


def seeded(seed) -> Chance:
    """The chance of a trial's own stream of numbers."""
    return Chance(words=jnp.stack([seed.astype(jnp.uint32), jnp.uint32(0)]), lane=jnp.uint32(0))


def closeness(action, target) -> jax.Array:
    """1 where an output is on its target, falling linearly to 0 at a distance of 1 or more."""
    return jnp.maximum(1 - jnp.abs(action - target), 0)


def _track(task, trial, state, close, wrong, t) -> Consequence:
    """One step of a trial in which outputs follow a target: earns its share of the trial's mean closeness."""
    # times the inverse: a division by what all lanes share would round differently in a batch of one
    share = close * (1 / trial.length.astype(jnp.float32))
    performance = state["performance"] + share
    wrong = state["wrong"] | wrong
    return consequence(
        reward=task.rewards["correct"] * share,
        end=trial.last(t),
        outcome=jnp.where(wrong, int(Outcome.ERROR), int(Outcome.CORRECT)),
        performance=jnp.minimum(performance, 1.0),
        state={**state, "performance": performance, "wrong": wrong},
    )


class FlipFlop(Task):
    """The flip-flop: each of some bits remembers the sign of its last pulse.

    At every step each input channel shows a pulse of +1 or -1, as likely, with probability `p`, and 0 otherwise;
    each trial begins with a pulse on every channel. The output of a bit is to be the sign of the last pulse on its
    channel, from the step of that pulse on. Performance is the mean, over all steps and bits, of how close the output
    is: 1 on the target, 0 at a distance of 1 (the midpoint between the states) or more. The reward is that share of
    `correct`, spread over the steps. A trial is correct where no output ever had the wrong sign.

    Channels: `pulse` `[n_bits]`. Actions: continuous `[n_bits]`, from -2 to 2.
    Conditions: `seed` (int): the trial's pulses follow from it alone.

    The defaults are those of the example of FixedPointFinder (Golub & Sussillo 2018, doi:10.21105/joss.01003):
    3 bits, 64 steps, p = .5. We have not seen the paper's own rate and width of pulses.

    A trial's pulses are words of 32 steps, expanded from the seed when the trial begins: Bernoulli bits of any `p`
    come from 16 random words by bitwise arithmetic, and the last pulse before a step is the highest bit set up to it
    (one count of leading zeros). So frames know nothing of each other and all are rendered at once. To look back over
    a draw per step would cost T draws a frame, and to hold the bits as a state would render step by step.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("FlipFlop-v0"), jax.random.key(0), 2)
        >>> batch.inputs.shape, batch.targets.shape
        ((2, 64, 3), (2, 64, 3))
    """

    TIMING = {"run": 1280}
    REWARDS = {"correct": 1.0}
    PAPER = SUSSILLO_BARAK
    TAGS = ("working memory", "continuous action space", "multidimensional action space", "supervised")

    dt: float = time_step(20)
    p: Any = quantity(
        0.5, low=0, high=1, source="neurojax",
        doc="probability of a pulse at each step on each channel, to 16 binary digits",
    )  # fmt: skip
    n_bits: int = structure(3, low=1, source="paper", doc="number of bits")

    @property
    def channels(self) -> Channels:
        return Channels((("pulse", self.n_bits),), low=-1.0, high=1.0)

    @property
    def actions(self) -> Box:
        n = self.n_bits
        return Box(names=tuple(f"bit {i}" for i in range(n)), low=(-_REACH,) * n, high=(_REACH,) * n)

    def conditions(self, draw, memory):
        return {"seed": draw_seed(draw)}

    def init_state(self, trial):
        # the pulses do not change within the trial: they are here because they are derived once
        words = np.arange(-(-self.capacity // _WORD), dtype=np.int32)
        chance = seeded(trial["seed"])
        drawn = jax.vmap(lambda word: chance.at("pulse", word).bits((_P_BITS + 1, self.n_bits)))(words)
        p = jnp.round(self.p * np.float32(2**_P_BITS)).astype(jnp.int32)
        pulses = jnp.zeros_like(drawn[:, 0])
        for digit in range(_P_BITS):  # whether 16 random digits lie below those of p, from the last digit on
            random = ~drawn[:, digit]
            pulses = jnp.where((p >> digit) & 1 == 1, random | pulses, random & pulses)
        pulses = jnp.where(p == 2**_P_BITS, _ALL, pulses)
        return {
            "pulses": pulses.at[0].set(pulses[0] | np.uint32(1)),
            "signs": drawn[:, _P_BITS],
            "performance": np.float32(0),
            "wrong": np.bool_(False),
        }

    def observe(self, trial, state, t):
        word, place = t // _WORD, (t % _WORD).astype(jnp.uint32)
        pulse = (state["pulses"][word] >> place) & np.uint32(1)
        return {"pulse": pulse.astype(jnp.float32) * _sign(state["signs"][word], place)}

    def target(self, trial, state, t):
        words = np.arange(state["pulses"].shape[0], dtype=np.int32)[:, None]
        word, place = t // _WORD, (t % _WORD).astype(jnp.uint32)
        upto = jnp.where(words < word, _ALL, jnp.where(words == word, _ALL >> (np.uint32(31) - place), np.uint32(0)))
        seen = state["pulses"] & upto
        highest = 31 - lax.clz(seen).astype(jnp.int32)
        last = jnp.max(jnp.where(seen != 0, _WORD * words + highest, 0), axis=0)
        signs = jnp.take_along_axis(state["signs"], (last // _WORD)[None], axis=0)[0]
        return _sign(signs, (last % _WORD).astype(jnp.uint32))

    def respond(self, trial, state, action, t, draw):
        target = self.target(trial, state, t)
        return _track(self, trial, state, jnp.mean(closeness(action, target)), jnp.any(action * target <= 0), t)

    def references(self):
        # blind: a guess for each bit is right half the time; random: the closeness is a triangle of area 1
        return {"clairvoyant": 1.0, "ideal": 1.0, "blind": 0.5, "random": 1 / (2 * _REACH)}


def _sign(words, place) -> jax.Array:
    """+1 or -1 by the bits at `place` of `words`."""
    return ((words >> place) & np.uint32(1)).astype(jnp.float32) * 2 - 1


class SineGenerator(Task):
    """The sine generator: a constant input says the frequency of a sine wave that the output makes.

    The input is one of some levels, the same throughout the trial: the j-th of n frequencies is told by j/n + .25.
    The output is to be the sine of that frequency, from phase 0 at the trial's start. Performance is the mean over
    steps of how close the output is: 1 on the sine, 0 at a distance of 1 or more. The reward is that share of
    `correct`, spread over the steps. A trial is correct where the output was never further than .2 from the sine.

    Channels: `level`. Actions: continuous `[1]`, from -2 to 2.
    Conditions: `index` (int, from 0); `frequency` (rad/s) follows.

    Frequencies and times are ten times faster than the paper's: 51 frequencies from .1 to .6 rad/s there
    (`preset="paper"`). These and the levels are taken from public reproductions; the paper's time step and length of
    trials are not known to us, and the preset keeps the number of steps.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("SineGenerator-v0"), jax.random.key(0), 2, index=[0, 50])
        >>> batch.inputs[:, 0, 0].tolist(), batch.targets.shape
        ([0.2696078419685364, 1.25], (2, 128, 1))
    """

    TIMING = {"run": 6400}
    REWARDS = {"correct": 1.0}
    PRESETS = {
        "paper": {"dt": 500, "timing": {"run": 64000}, "frequencies": np.linspace(0.1, 0.6, 51).round(6).tolist()}
    }
    PAPER = SUSSILLO_BARAK
    TAGS = ("motor", "timing", "continuous action space", "supervised")
    TOLERANCE = 0.2  # of the output, for the outcome alone

    dt: float = time_step(50)
    frequencies: Any = quantity(
        np.linspace(1.0, 6.0, 51).round(6), units="rad/s", above=0, many=True, source="neurojax",
        doc="frequencies, each as likely; the levels of the input are spaced by their number",
    )  # fmt: skip

    def validate(self) -> None:
        if np.max(self.frequencies) * self.dt / 1000 > np.pi:
            raise InvalidArgument(
                f"frequencies must not exceed half a turn a step, {1000 * np.pi / self.dt:g} rad/s at dt={self.dt:g} "
                f"ms, got {np.max(self.frequencies):g}"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(level=1)

    @property
    def actions(self) -> Box:
        return Box(names=("output",), low=(-_REACH,), high=(_REACH,))

    def conditions(self, draw, memory):
        index = draw.integer("index", np.shape(self.frequencies)[-1])
        # from a list: computed from the index, compiled and eager code would differ by more than 1e-6 after some turns
        return {"index": index, "frequency": jnp.asarray(self.frequencies)[index]}

    def init_state(self, trial):
        return {"performance": np.float32(0), "wrong": np.bool_(False)}

    def observe(self, trial, state, t):
        count = np.shape(self.frequencies)[-1]
        levels = (np.arange(1, count + 1) / count + 0.25).astype(np.float32)
        return {"level": jnp.asarray(levels)[trial["index"]]}

    def target(self, trial, state, t):
        seconds = jnp.asarray(t).astype(jnp.float32) * np.float32(self.dt / 1000)
        return jnp.sin(trial["frequency"] * seconds)[None]

    def respond(self, trial, state, action, t, draw):
        error = jnp.abs(action - self.target(trial, state, t))[0]
        return _track(self, trial, state, jnp.maximum(1 - error, 0), error > self.TOLERANCE, t)

    def references(self):
        blind = 0.0
        frequencies = np.ravel(self.frequencies).astype(np.float64)
        lengths = step_probabilities(self.timing["run"], self.dt)
        best = np.zeros(max(lengths))
        for t in range(len(best)):
            sine = np.sin(frequencies * t * self.dt / 1000)
            # mean closeness is piecewise linear in the output, with its maximum on one of the sines
            best[t] = np.max(np.mean(np.maximum(1 - np.abs(sine[:, None] - sine), 0), axis=1))
        for steps, p in lengths.items():
            blind += p * float(np.mean(best[:steps]))
        return {"clairvoyant": 1.0, "ideal": 1.0, "blind": blind, "random": 1 / (2 * _REACH)}
