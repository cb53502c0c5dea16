"""Psychometric functions fitted on the device, many subjects at once: pure, and without iterations that may fail."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

_GRID = np.linspace(-1, 1, 5, dtype=np.float32)  # of each parameter
_STEPS = 20  # from there on, downhill


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
    """The maximum-likelihood fit: the best of a grid, and steps from there that only ever lead down.

    Args:
        levels: float32 `[L]`, strengths without their sign.
        counts: float32 `[2, L, 2]`, by side (left, right) and strength: right choices, and choices.

    Bounds: the bias lies within the range of strengths, the threshold between a fiftieth of it and all of it, lapses
    between 0 and .4. (Those of the International Brain Laboratory are wider for lapses, up to 1.)
    """
    signed = jnp.concatenate([-levels, levels])
    right, total = counts[..., 0].reshape(-1), counts[..., 1].reshape(-1)
    span = jnp.maximum(jnp.max(levels), 1e-6)
    low = jnp.stack([-span, jnp.log(span / 50), jnp.float32(0), jnp.float32(0)])
    high = jnp.stack([span, jnp.log(span), jnp.float32(0.4), jnp.float32(0.4)])
    grid = np.stack(np.meshgrid(*[_GRID] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    steps = jnp.asarray(grid[:, [1, 0, 2, 3]])  # the threshold is the slowest

    def p_right(x):
        return jnp.clip(Fit(x[0], jnp.exp(x[1]), x[2], x[3]).p_right(signed), 1e-4, 1 - 1e-4)

    def loss(x):
        p = p_right(x)
        return -jnp.sum(right * jnp.log(p) + (total - right) * jnp.log1p(-p))

    def down(held, _):
        """A step of Fisher scoring, as long as it leads down: damped more after one that would not."""
        x, lost, damping = held
        p = p_right(x)
        slope = jax.jacfwd(p_right)(x)  # [2 L, 4]
        weight = total / (p * (1 - p))
        pull = slope.T @ (weight * (right / jnp.maximum(total, 1) - p))
        at_bound = ((x <= low) & (pull < 0)) | ((x >= high) & (pull > 0))
        free = jnp.where(at_bound, 0.0, 1.0)
        fisher = (slope.T @ (weight[:, None] * slope)) * free[:, None] * free
        diagonal = jnp.diagonal(fisher)
        fisher = fisher + jnp.diag(damping * diagonal + jnp.where(diagonal > 1e-6, 0.0, 1.0))
        new = jnp.clip(x + _solved(fisher, free * pull), low, high)
        better = loss(new) < lost
        after = (jnp.where(better, new, x), jnp.where(better, loss(new), lost), damping * jnp.where(better, 0.3, 5.0))
        return after, ()

    def descend(x):
        (x, lost, _), _ = jax.lax.scan(down, (x, loss(x), jnp.float32(0.01)), length=_STEPS)
        return x, lost

    # From the best place of each threshold: a likelihood may have more than one summit.
    tried = (low + high) / 2 + (high - low) / 2 * steps
    losses = jax.vmap(loss)(tried).reshape(len(_GRID), -1)
    starts = tried.reshape(len(_GRID), -1, 4)[jnp.arange(len(_GRID)), jnp.argmin(losses, axis=1)]
    found, lost = jax.vmap(descend)(starts)
    best = found[jnp.argmin(lost)]
    return Fit(best[0], jnp.exp(best[1]), best[2], best[3])


def _solved(a: jax.Array, b: jax.Array) -> jax.Array:
    """The solution of a x = b, `a` symmetric and positive, by elimination: small enough to write out."""
    n = b.shape[0]
    for i in range(n):
        below = jnp.arange(n, dtype=jnp.int32) > i
        factor = jnp.where(below, a[:, i] / a[i, i], 0.0)
        a, b = a - factor[:, None] * a[i], b - factor * b[i]
    x = jnp.zeros_like(b)
    for i in reversed(range(n)):
        x = x.at[i].set((b[i] - jnp.sum(a[i] * x)) / a[i, i])
    return x
