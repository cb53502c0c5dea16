"""Psychometric functions fitted on the device, many subjects at once: pure and without iterations that may fail."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

_ROUNDS = 6  # each looks at a grid around the best of the one before
_SHRINK = 0.4
_GRID = np.linspace(-1, 1, 7, dtype=np.float32)


class Fit(struct.PyTreeNode):
    """An error function with a lapse rate on either side; float32.

    P(right) = low + (1 - low - high) (1 + erf((x - bias) / threshold)) / 2.

    Attributes:
        bias, threshold: in the units of the strength.
        low, high: lapse rates.
    """

    bias: Any
    threshold: Any
    low: Any
    high: Any

    def of(self, measure: str) -> Any:
        """What a criterion looks at: the bias without its sign, the threshold, or the greater lapse rate."""
        if measure == "bias":
            return jnp.abs(self.bias)
        return self.threshold if measure == "threshold" else jnp.maximum(self.low, self.high)

    def p_right(self, strength: Any) -> Any:
        """P(right) at signed strengths."""
        return self.low + (1 - self.low - self.high) * 0.5 * (
            1 + jax.scipy.special.erf((strength - self.bias) / self.threshold)
        )


def fit_psychometric(levels: jax.Array, counts: jax.Array) -> Fit:
    """The maximum-likelihood fit, by a search on grids that close in on it.

    Args:
        levels: float32 `[L]`, strengths without their sign.
        counts: float32 `[2, L, 2]`, by side (left, right) and strength: right choices, and choices.

    Bounds are those of the International Brain Laboratory: the bias within the range of strengths, the threshold
    between a fiftieth of it and all of it, lapses up to .4.
    """
    signed = jnp.concatenate([-levels, levels])
    right, total = counts[..., 0].reshape(-1), counts[..., 1].reshape(-1)
    span = jnp.maximum(jnp.max(levels), 1e-6)
    low = jnp.stack([-span, jnp.log(span / 50), jnp.float32(0), jnp.float32(0)])
    high = jnp.stack([span, jnp.log(span), jnp.float32(0.4), jnp.float32(0.4)])
    steps = jnp.stack(jnp.meshgrid(*[jnp.asarray(_GRID)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)

    def loss(x):
        p = Fit(x[0], jnp.exp(x[1]), x[2], x[3]).p_right(signed)
        p = jnp.clip(p, 1e-4, 1 - 1e-4)
        return -jnp.sum(right * jnp.log(p) + (total - right) * jnp.log1p(-p))

    def closer(held, _):
        centre, width = held
        tried = jnp.clip(centre + width * steps, low, high)
        return (tried[jnp.argmin(jax.lax.map(loss, tried, batch_size=343))], width * _SHRINK), ()

    start = ((low + high) / 2, (high - low) / 2)
    (best, _), _ = jax.lax.scan(closer, start, length=_ROUNDS)
    return Fit(best[0], jnp.exp(best[1]), best[2], best[3])
