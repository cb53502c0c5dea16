"""What several tests need: comparisons, and trials drawn without rendering them."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np

import neurojax as nj
from neurojax.core.chance import Chance, key_words
from neurojax.core.session import advance, begin, start_memory, turn

TOLERANCE = 1e-6  # of floats, between views and between eager and compiled code


class Blocks(nj.Task):
    """A small task with memory: one of two sides is right, and which stays so after a success."""

    TIMING = {"cue": ("uniform", (200, 500)), "decision": 200}
    REWARDS = {"correct": 1.0, "wrong": -0.5}

    sigma: object = nj.quantity(0.5, low=0)

    @property
    def channels(self):
        return nj.Channels.named(side=1, go=1)

    @property
    def actions(self):
        return nj.Discrete.named(wait=1, side=2)

    def init_memory(self, draw):
        return {"side": draw.integer("side", 2), "wins": jnp.int32(0)}

    def next_memory(self, memory, trial, result, draw):
        won = result.outcome == nj.Outcome.CORRECT
        stays = won & (draw.uniform("stay") < 0.8)
        return {"side": jnp.where(stays, memory["side"], 1 - memory["side"]), "wins": memory["wins"] + won}

    def conditions(self, draw, memory):
        return {"side": draw.remembered("side", memory["side"], 2), "sign": draw.flip("sign")}

    def observe(self, trial, state, t):
        side = jnp.where(trial["sign"], 1, -1) * (2 * trial["side"] - 1)
        return {"side": jnp.where(trial.during("cue", t), side, 0), "go": trial.during("decision", t)}

    def noise(self, trial, state, t, draw):
        return {"side": self.sigma * draw.normal("side")}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["side"], 0)

    def respond(self, trial, state, action, t, draw):
        decides = trial.during("decision", t) & (action != 0)
        correct = action == 1 + trial["side"]
        reward = jnp.where(correct, self.rewards["correct"], self.rewards["wrong"])
        return nj.consequence(reward=jnp.where(decides, reward, 0.0), end=decides, correct=correct)


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


def forward(task, session, action, chance, step):
    """`advance` at an absolute step, then `turn` to the next trial where this one ended."""
    session, transition = advance(task, session, action, chance, step)
    return turn(task, session, transition, transition.new_trial, chance, step + 1), transition
