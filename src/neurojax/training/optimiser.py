"""One step of the optimiser, as all training takes it: Adam, a limit on the gradient, a schedule of the rate."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

ADAM = optax.scale_by_adam()
SCHEDULES = ("constant", "cosine", "warmup_cosine")


def adam_start(params: Any) -> Any:
    """Adam's state before the first step."""
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(ADAM.init, params))


def step_down(params: Any, adam: Any, gradient: Any, rate: Any, clip: Any) -> tuple[Any, Any]:
    """The parameters and Adam's state after a step.

    Args:
        params, adam, gradient: pytrees.
        rate: float32, the learning rate of this step.
        clip: float32, greatest norm of the gradient; 0 for no limit.
    """
    limit = jnp.where(clip > 0, clip, jnp.inf)
    norm = optax.tree.norm(gradient)
    shrink = jnp.minimum(np.float32(1), limit / jnp.maximum(norm, np.float32(1e-30)))
    gradient = jax.tree.map(lambda g: g * shrink, gradient)
    change, adam = ADAM.update(gradient, adam)
    return jax.tree.map(lambda p, c: p - rate * c, params, change), adam


def scheduled(kind: str, update, updates) -> jax.Array:
    """The factor of the learning rate at an update: 1 at its highest, 0 after the last update of a cosine."""
    part = jnp.clip(update / updates, 0, 1)
    if kind == "constant":
        return jnp.ones_like(part)
    rise = 0.05 if kind == "warmup_cosine" else 0.0
    fall = 0.5 + 0.5 * jnp.cos(math.pi * jnp.clip((part - rise) / (1 - rise), 0, 1))
    return fall if not rise else jnp.where(part < rise, (update + 1) / (rise * updates + 1), fall)
