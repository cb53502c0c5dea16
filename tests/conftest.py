"""Fixtures that tests share. What is expensive to compile is made once a session."""

from __future__ import annotations

from functools import cache

import jax
import pytest

import neurojax as nj


@cache
def _views(id: str):
    task = nj.make(id)
    key = jax.random.key(11)
    steps = int(2.5 * task.capacity)
    return {
        "task": task,
        "key": key,
        "steps": steps,
        "batch": nj.render(task, key, 16, devices=1),
        "stream": nj.stream(task, key, 16, steps, devices=1),
        "oracle": nj.rollout(task, key, 16, steps, policy="oracle", devices=1),
    }


@pytest.fixture(scope="session", params=nj.registered())
def views(request):
    """Each registered task at its defaults in 16 lanes: a batch, a stream, and a rollout of the oracle."""
    return _views(request.param)
