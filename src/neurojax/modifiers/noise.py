"""Noise on all channels, of a fixed size or adapted to hold performance at a threshold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from neurojax.core.parameters import quantity
from neurojax.core.task import Deviation, Task
from neurojax.modifiers.base import Modifier, Remembering


class Noise(Modifier):
    """Gaussian noise on every channel at every step, beside the task's own.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.noise import Noise
        >>> task = Noise.around(nj.make("DelayMatchSample-v0", sigma=0), std=0.5)
        >>> bool(0.4 < nj.render(task, jax.random.key(0), 64).inputs[:, 0, 1].std() < 0.6)
        True
    """

    ONCE = True

    std: Any = quantity(0.1, low=0, aliases=("std_noise",), doc="standard deviation of the noise at each step")

    @property
    def channels(self):
        return dataclasses.replace(self.inner.channels, low=-math.inf, high=math.inf)

    def observe(self, trial, state, t):
        return flat(self.inner, self.inner.observe(trial, state, t))

    def noise(self, trial, state, t, draw):
        return noisier(self.inner, self.inner.noise(trial, state, t, draw), self.std, draw.under(self.label()))


class AdaptiveNoise(Remembering):
    """Gaussian noise on every channel, which grows while performance is above a threshold, and shrinks below it.

    After each trial the standard deviation moves by `step`: up where the mean performance of the last trials is above
    `threshold`, else down, but not below 0. The mean is over all trials until there have been `window` of them; only
    then does the noise move, and older trials are forgotten exponentially with that time constant. Trials that were
    aborted or missed count with their performance, 0.

    Conditions: `noise_std`, the standard deviation in this trial, and those of the task.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.noise import AdaptiveNoise
        >>> easy = nj.make("DelayMatchSample-v0", sigma=0)
        >>> task = AdaptiveNoise.around(easy, std=0, threshold=0.8, step=0.1, window=1)
        >>> piece = nj.stream(task, jax.random.key(0), 1, 100)  # the oracle is always right
        >>> [round(float(x), 1) for x in piece.conditions["noise_std"][0, ::32]]
        [0.0, 0.1, 0.2, 0.3]
    """

    ONCE = True
    DEVIATIONS = (
        Deviation(
            what="perf_th, w, step_noise",
            neurogym="Noise documents them, but does not take them",
            here="AdaptiveNoise's threshold, window and step",
            reason="what is documented must be there",
        ),
    )

    std: Any = quantity(0.1, low=0, aliases=("std_noise",), doc="standard deviation of the noise at a session's start")
    threshold: Any = quantity(
        0.8, low=0, high=1, aliases=("perf_th",), source="neurojax", doc="performance at which the noise is held"
    )
    step: Any = quantity(0.001, low=0, aliases=("step_noise",), doc="by how much the noise moves after a trial")
    window: Any = quantity(100, units="trials", low=1, aliases=("w",), doc="trials over which performance is averaged")

    @property
    def channels(self):
        return dataclasses.replace(self.inner.channels, low=-math.inf, high=math.inf)

    def own_probes(self):
        return ({"window": 2, "step": 0.5},)  # a mean that may lie on either side of the threshold, within three trials

    def own_memory(self, draw):
        return {"std": self.std, "performance": jnp.float32(0), "trials": jnp.int32(0)}

    def next_own(self, own, trial, result, draw):
        trials = own["trials"] + 1
        rate = 1 / jnp.minimum(trials.astype(jnp.float32), self.window)
        performance = own["performance"] + rate * (result.performance - own["performance"])
        moved = own["std"] + jnp.where(performance > self.threshold, self.step, -self.step)
        full = trials.astype(jnp.float32) >= self.window
        std = jnp.where(full, jnp.maximum(moved, 0.0), own["std"])
        return {"std": std, "performance": performance, "trials": trials}

    def conditions(self, draw, memory):
        inner = self.inner.conditions(draw, memory["inner"])
        return {**inner, "noise_std": draw.remembered("noise_std", memory["own"]["std"])}

    def observe(self, trial, state, t):
        return flat(self.inner, self.inner.observe(trial, state, t))

    def noise(self, trial, state, t, draw):
        inner = self.inner.noise(trial, state, t, draw)
        return noisier(self.inner, inner, trial["noise_std"], draw.under(self.label()))


def noise(task: Task, *, std: float = 0.1) -> Noise:
    """A task with Gaussian noise on all its channels.

    Args:
        task: any task.
        std: standard deviation of the noise at each step.

    Raises:
        InvalidArgument: if `std` is negative, or the task is noisy by this already.
    """
    return Noise.around(task, std=std)


def adaptive_noise(
    task: Task, *, threshold: float = 0.8, std: float = 0.1, step: float = 0.001, window: float = 100
) -> AdaptiveNoise:
    """A task with Gaussian noise on all its channels, of a size that holds performance at a threshold.

    Args:
        task: any task.
        threshold: performance at which the noise is held.
        std: standard deviation at a session's start.
        step: by how much it moves after a trial.
        window: trials over which performance is averaged.

    Raises:
        InvalidArgument: if a value is not allowed, or the noise is adapted already.
    """
    return AdaptiveNoise.around(task, threshold=threshold, std=std, step=step, window=window)


def neurogym_noise(task: Task, *, std_noise: float = 0.1, perf_th: float | None = None, **kwargs: float) -> Task:
    """NeuroGym's `Noise`: fixed, or with `perf_th` adapted; then also `w` and `step_noise`.

    Raises:
        UnknownName: for other keywords, or those of adaptation without `perf_th`.
        InvalidArgument: if a value is not allowed.
    """
    if perf_th is None:
        return Noise.around(task, std_noise=std_noise, **kwargs)
    return AdaptiveNoise.around(task, std_noise=std_noise, perf_th=perf_th, **kwargs)


def flat(task: Task, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by channel, with images as vectors, as noise comes for them."""
    sizes = {name: n for name, n in task.channels.sizes if name in task.channels.images}
    return {name: jnp.reshape(value, (sizes[name],)) if name in sizes else value for name, value in values.items()}


def noisier(task: Task, known: Mapping[str, Any], std: Any, draw: Any) -> dict[str, Any]:
    """The noise of each channel of `task`, with independent normal noise of this size added to what is `known`."""
    out = flat(task, known)
    for name, n in task.channels.sizes:
        more = std * draw.normal(name, (n,) if n > 1 else ())
        out[name] = out[name] + more if name in out else more
    return out
