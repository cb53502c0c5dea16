"""What several tests need: comparisons, and trials drawn without rendering them."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import Chance, key_words
from neurojax.core.session import begin, start_memory

TOLERANCE = 1e-6  # of floats, between views and between eager and compiled code


def assert_same_bits(a, b):
    """Two pytrees are equal bit for bit."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.dtype == y.dtype, jax.tree_util.keystr(path)
        np.testing.assert_array_equal(x, y, err_msg=jax.tree_util.keystr(path))


def assert_agree(a, b):
    """Two pytrees are equal: integers exactly, floats within the tolerance."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        where = jax.tree_util.keystr(path)
        if x.dtype.kind == "f":
            np.testing.assert_allclose(x, y, rtol=TOLERANCE, atol=TOLERANCE, err_msg=where)
        else:
            np.testing.assert_array_equal(x, y, err_msg=where)


def draw_trials(task, key, count):
    """The first trials of `count` lanes, as drawn: a `Trial` of `[count]`."""

    def lane(task, words, lane):
        chance = Chance(words, lane)
        session = begin(task, start_memory(task, chance), chance, 0)
        return task.resolve(session.memory).trial(session.drawn)

    draw = jax.jit(jax.vmap(lane, in_axes=(None, None, 0)))
    return jax.tree.map(np.asarray, draw(task, key_words(key), jnp.arange(count, dtype=jnp.uint32)))


def in_fresh_python(code: str, **environment: str) -> str:
    """What `code` prints in a Python of its own."""
    env = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout
