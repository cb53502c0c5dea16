"""Several tasks as one pytree: indexed, vmapped, with laws of different kinds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from helpers import draw_trials
from neurojax.core.timing import Table, Uniform
from neurojax.errors import InvalidArgument

KEY = jax.random.key(12)
PDM = "PerceptualDecisionMaking-v0"


def at(stacked, index):
    return jax.tree.map(lambda leaf: leaf[index], stacked)


def test_a_stack_vmaps_and_indexes_as_its_tasks():
    tasks = [nj.make(PDM, sigma=s, timing={"stimulus": ms}) for s, ms in ((0.5, 200), (1.0, 400), (2.0, 300))]
    stacked = nj.stack(tasks)
    assert stacked.capacity == 6
    batch = jax.jit(jax.vmap(lambda task: nj.render(task, KEY, 8, devices=1)))(stacked)
    assert batch.inputs.shape == (3, 8, 6, 3)
    for index, task in enumerate(tasks):
        alone = nj.render(task, KEY, 8, devices=1)
        steps = task.capacity
        np.testing.assert_allclose(batch.inputs[index, :, :steps], alone.inputs, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(batch.targets[index, :, :steps], alone.targets)
        np.testing.assert_array_equal(batch.lengths[index], alone.lengths)
        assert not batch.mask[index, :, steps:].any()
    assert not batch.overflow.any()
    assert "PerceptualDecisionMaking" in repr(stacked)


def test_a_lane_may_index_the_stack():
    stacked = jax.tree.map(jnp.asarray, nj.stack([nj.make(PDM, coherences=[c]) for c in (10, 20, 30)]))

    @jax.jit
    def coherences(which):
        one = lambda index: nj.render(at(stacked, index), KEY, 1, devices=1).conditions["coherence"][0]
        return jax.vmap(one)(which)

    assert coherences(jnp.asarray([2, 0, 1, 2])).tolist() == [30, 10, 20, 30]


def test_laws_of_different_kinds_become_tables_that_give_the_same_trials():
    laws = [300, ("uniform", (200, 900)), [100, 500, 700], ("truncated_exponential", (300, 100, 800))]
    tasks = [nj.make(PDM, timing={"stimulus": law}) for law in laws]
    stacked = nj.stack(tasks)
    assert isinstance(stacked.timing["stimulus"], Table)
    assert stacked.timing["stimulus"].values.shape == (4, 12)
    for index, task in enumerate(tasks):
        ours, theirs = draw_trials(at(stacked, index), KEY, 4096), draw_trials(task, KEY, 4096)
        if index:  # a fixed duration draws nothing, and other conditions keep their draws
            np.testing.assert_array_equal(ours.length, theirs.length)
        np.testing.assert_array_equal(ours.conditions["coherence"], theirs.conditions["coherence"])
    assert set(draw_trials(at(stacked, 0), KEY, 256).length.tolist()) == {5}


def test_laws_of_one_kind_are_kept():
    tasks = [nj.make(PDM, timing={"stimulus": ("uniform", (200, high))}) for high in (400, 800)]
    assert isinstance(nj.stack(tasks).timing["stimulus"], Uniform)
    choices = [nj.make(PDM, timing={"stimulus": [200] * n + [400]}) for n in (1, 3)]
    trials = [draw_trials(at(nj.stack(choices), i), KEY, 4096).length for i in range(2)]
    assert [np.mean(x == 6) for x in trials] == pytest.approx([1 / 2, 1 / 4], abs=0.03)


def test_modified_tasks_stack():
    tasks = [nj.reaction_time(nj.make(PDM, timing={"stimulus": ms}), urgency=-u) for ms, u in ((200, 0.1), (500, 0.3))]
    stacked = nj.stack(tasks)
    assert stacked.capacity == stacked.inner.capacity == 6
    play = jax.jit(jax.vmap(lambda task: nj.play(task, KEY, 2, policy=0, devices=1).result))
    result = play(stacked)
    # Never answering: all steps of fixation and stimulus, at the cost of time.
    assert result.response_step[:, 0].tolist() == [2, 5]
    np.testing.assert_allclose(result.reward[:, 0], [-0.3, -1.8], rtol=1e-5)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([], "stack takes a non-empty list of tasks, got \\[\\]"),
        (["a"], "stack takes a non-empty list of tasks, got \\['a'\\]"),
        ([nj.make(PDM), nj.make("ReadySetGo-v0")], "one class, got PerceptualDecisionMaking, ReadySetGo"),
        ([nj.make(PDM), nj.make(PDM, dim_ring=4)], "stack takes tasks of one structure"),
        ([nj.make(PDM), nj.make(PDM, coherences=[1])], "whose lists have the same lengths"),
        (
            [nj.make(PDM), nj.make(PDM, timing={"stimulus": ("until", 900)})],
            "timing\\['stimulus'\\]: 'until' cannot be stacked with laws of other kinds",
        ),
    ],
)
def test_what_cannot_be_stacked_is_refused(tasks, said):
    with pytest.raises(InvalidArgument, match=said):
        nj.stack(tasks)
