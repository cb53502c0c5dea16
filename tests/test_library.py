"""What every registered task must pass: the contract, its settings, what is told of it, and its reference numbers.

Each task's views are compiled once, by `nj.check_task`, and everything else looks at what that program gives: compiling
is nearly all that these tests cost.
"""

from __future__ import annotations

import math
import warnings

import jax
import numpy as np
import pytest

import neurojax as nj
from neurojax.analysis.describe import describe
from neurojax.core.chance import key_words
from neurojax.core.parameters import parameters
from neurojax.core.registry import about, factory
from neurojax.envs import check

REFERENCES = ("clairvoyant", "ideal", "blind", "random")
SEEDS = 8  # runs of the compiled program, for statistics
# Tasks whose performance means nothing, or whose ideal is unknown, and why.
NO_PERFORMANCE = {
    "Null-v0": "there is nothing to do",
}
UNSOLVABLE = {
    "Null-v0": "there is nothing to learn",
}


# Collections whose tasks are one class with other values: a task of each kind stands for the others in the quick suite;
# `make test-slow` has all.
SAMPLED = {
    "modcog.": ("dlygointr", "dnmcseql"),
    "driscoll24.": ("fdgo", "dmcgo"),
}


def _quick(id: str) -> bool:
    family = next((family for family in SAMPLED if id.startswith(family)), None)
    return family is None or id in {f"{family}{name}-v0" for name in SAMPLED[family]}


@pytest.mark.parametrize(
    "id", [id if _quick(id) else pytest.param(id, marks=pytest.mark.slow) for id in nj.registered()]
)
def test_a_registered_task(id):
    task = nj.make(id)
    nj.check_task(task)
    _settings(id, task)
    known = describe(id, task)
    _told(id, task, known)
    _references(id, task, known["references"])
    if id not in UNSOLVABLE:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            reference = nj.ReferenceNumbers(**{name: known["references"].get(name, math.nan) for name in REFERENCES})
            assert nj.solvable(task, numbers=reference)


def _settings(id: str, task: nj.Task) -> None:
    """A task is built again from its settings, and all its presets build."""
    again = nj.make(id, **task.settings())
    assert jax.tree.structure(task) == jax.tree.structure(again)
    for a, b in zip(jax.tree.leaves(task), jax.tree.leaves(again), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    for preset in task.PRESETS:
        assert nj.make(id, preset=preset).capacity > 0


def _told(id: str, task: nj.Task, known: dict) -> None:
    """Everything that people are told about it is there."""
    base = getattr(task, "base", task)
    assert about(id).summary.endswith((".", "?")), about(id).summary
    assert len(known["doc"]) > 100, "the trial in words"
    assert known["tags"]
    paper = known["paper"]
    assert paper is None or (paper["citation"] and paper["doi"].startswith("10."))
    assert sum(known["channels"].values()) == task.channels.size
    assert all(p["doc"] and p["source"] for p in known["parameters"])
    assert set(parameters(type(base))) == {p["name"] for p in known["parameters"]}
    for deviation in task.deviations:
        assert deviation.kind in ("repaired", "interface")
        assert all((deviation.what, deviation.neurogym, deviation.here, deviation.reason))
    assert callable(factory(id))


def _references(id: str, task: nj.Task, numbers: dict) -> None:
    """The reference numbers are in order, and playing the target or at random reaches what they say."""
    assert {"clairvoyant", "random"} <= set(numbers)
    if id in NO_PERFORMANCE:
        return
    get = lambda name: numbers.get(name, math.nan)
    assert not get("ideal") > get("clairvoyant") + 1e-6
    assert not get("blind") > get("ideal") + 1e-6
    words = [key_words(jax.random.key(seed)) for seed in range(SEEDS)]
    roomy = task.with_room(check._ROOM)
    seen = [check._probe(roomy, w) for w in words]
    for kind, name in ((check._ORACLE, "clairvoyant"), (check._RANDOM, "random")):
        means, errors = [], []
        for run in seen:
            mine = check._kinds(run) == kind
            ended = np.asarray(run.run.new_trial)[mine]
            performance = np.asarray(run.run.results.performance)[mine]
            # a lane's first trial: later ones are seen the more often the shorter they are
            first = ended & (np.cumsum(ended, axis=1) == 1)
            done = first.any(axis=1)
            means.append(performance[first])
            errors.append(done)
        values = np.concatenate(means)
        assert np.concatenate(errors).mean() > 0.99
        error = max(values.std() / math.sqrt(values.size), 1 / values.size)
        assert abs(values.mean() - numbers[name]) < 4.5 * error + 1e-3, (name, values.mean(), numbers[name])
