"""What the Gymnasium vector environment costs beside the native step: calls for `benchmarks.measures.rows`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import neurojax as nj
from neurojax.envs.gymnasium_steps import as_limits, seed_words, start_lanes, step_lanes
from neurojax.envs.gymnasium_vector import GymnasiumVectorEnv

NATIVE, COMPILED, VECTOR = "nj.rollout", "compiled step, one dispatch each", "GymnasiumVectorEnv.step"


def gymnasium_calls(task: nj.Task, batch: int, steps: int) -> dict[str, tuple[Callable[[], Any], float]]:
    """Calls by name that each take `steps` steps of `batch` sessions under random actions, with how many that are.

    The native loop is one dispatch on one device. The compiled step is one dispatch a step, whose results stay where
    they are: what lies between the two is the cost of leaving JAX at each step. The vector environment also checks the
    actions and hands all results over as NumPy arrays.
    """
    envs = GymnasiumVectorEnv(task, batch)
    actions = _random_actions(task, batch)
    never = as_limits(None, None)
    words, lanes, held = seed_words(0), np.arange(batch, dtype=np.uint32), envs.task
    state, _ = start_lanes(held, words, lanes)
    envs.reset(seed=0)

    def compiled():
        nonlocal state
        out = None
        for n in range(steps):
            state, out = step_lanes(held, words, state, actions[n % len(actions)], never, resets=False)
        return out

    def vector():
        total = np.float32(0)
        for n in range(steps):
            obs, rewards, *_ = envs.step(actions[n % len(actions)])
            total += rewards.sum() + obs.sum()
        return total

    native = lambda: nj.rollout(task, jax.random.key(0), batch, steps, output="metrics", devices=1).metrics
    count = batch * steps
    return {NATIVE: (native, count), COMPILED: (compiled, count), VECTOR: (vector, count)}


def _random_actions(task: nj.Task, batch: int, rounds: int = 16) -> np.ndarray:
    """Some rounds of uniform actions `[rounds, B, ...]`, drawn before anything is timed."""
    rng = np.random.default_rng(0)
    if isinstance(task.actions, nj.Discrete):
        return rng.integers(task.actions.size, size=(rounds, batch), dtype=np.int32)
    low, high = task.actions.bounds()
    return rng.uniform(low, high, size=(rounds, batch, *task.actions.shape)).astype(np.float32)
