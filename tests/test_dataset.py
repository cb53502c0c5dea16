"""`Dataset`: the steps of `nj.stream` as sequences for NumPy, PyTorch and JAX, to keep, to resume and to write to."""

import importlib
import inspect
import io

import jax
import numpy as np
import pytest

import neurojax as nj
from helpers import Blocks
from neurojax.core.library import LIBRARY
from neurojax.core.parameters import parameters
from neurojax.core.task import Task
from neurojax.data.dataset import Dataset, MaskedBatch
from neurojax.errors import InvalidArgument, UnknownName

SEED, LANES, STEPS = 5, 3, 7


@pytest.fixture(scope="module")
def task():
    return Blocks.create()  # it has memory across trials, so that a session's whole state counts


@pytest.fixture(scope="module")
def flow(task):
    """What the sessions show in 9 sequences' time, `[T, B, ...]`."""
    return nj.stream(task, jax.random.key(SEED), LANES, 9 * STEPS, time_major=True, devices=1)


def data_of(task, **keywords):
    keywords = {"seed": SEED, "cache_len": 3 * STEPS, **keywords}
    return Dataset(task, LANES, STEPS, devices=1, **keywords)


def joined(batches, axis=0):
    """Sequences laid end to end again, part by part."""
    return [np.concatenate([np.asarray(part) for part in parts], axis) for parts in zip(*batches, strict=True)]


# ---------------------------------------------------------------------- what is shown


def test_sequences_are_the_stream_and_none_is_dropped(task, flow):
    data = data_of(task)  # three sequences a piece: 8 sequences are three pieces, the last not used up
    inputs, targets = joined([data() for _ in range(8)])
    np.testing.assert_array_equal(inputs, flow.inputs[: 8 * STEPS])
    np.testing.assert_array_equal(targets, flow.targets[: 8 * STEPS])
    one = data()
    assert type(one) is tuple
    assert (one[0].shape, one[1].shape) == (data.inputs_shape, data.target_shape) == ((7, 3, 2), (7, 3))
    assert (one[0].dtype, one[1].dtype) == (np.float32, np.int32)


def test_batch_first_with_masks(task, flow):
    data = data_of(task, batch_first=True, masks=True, cache_len=1, target_dtype="int64")  # a sequence a piece
    batches = [data() for _ in range(4)]
    for name, values in zip(MaskedBatch._fields, joined(batches, axis=1), strict=True):
        np.testing.assert_array_equal(values, np.swapaxes(getattr(flow, name)[: 4 * STEPS], 0, 1), err_msg=name)
    assert isinstance(batches[0], MaskedBatch)
    assert batches[0].targets.dtype == np.int64
    assert batches[0].first.dtype == np.bool_
    assert data.inputs_shape == batches[0].inputs.shape == (3, 7, 2)
    first = joined(batches, axis=1)[3]
    assert first[:, 0].all()  # sessions begin with a trial
    assert 0 < first.sum() < first.size / 2


def test_what_was_given_is_the_callers(task, flow):
    data = data_of(task)
    inputs, targets = data()
    assert inputs.flags.c_contiguous
    assert inputs.flags.writeable
    kept = inputs.copy()
    for _ in range(4):  # past a new piece
        data()
    np.testing.assert_array_equal(inputs, kept)
    again = data_of(task)
    for _ in range(2):
        inputs, targets = again()
        inputs[:], targets[:] = 9, 9  # neither the following nor what is rendered again knows of it
    state = again.state_dict()
    np.testing.assert_array_equal(again()[0], flow.inputs[2 * STEPS : 3 * STEPS])
    again.load_state_dict(state)
    np.testing.assert_array_equal(again()[0], flow.inputs[2 * STEPS : 3 * STEPS])


def test_seeds(task):
    data = data_of(task)
    first, other = data()[0], data_of(task, seed=6)()[0]
    assert not np.array_equal(first, other)
    data.seed(6)
    np.testing.assert_array_equal(data()[0], other)
    data.seed(jax.random.key(SEED))
    np.testing.assert_array_equal(data()[0], first)


def test_a_loop_ends_after_max_batch_and_the_next_goes_on(task, flow):
    data = data_of(task, max_batch=2)
    epochs = [list(data) for _ in range(2)]
    assert [len(epoch) for epoch in epochs] == [2, 2]
    np.testing.assert_array_equal(joined(epochs[0] + epochs[1])[0], flow.inputs[: 4 * STEPS])
    next(iter(data))  # a loop that was left early
    assert len(list(data)) == 2
    data()  # outside of loops nothing ends
    np.testing.assert_array_equal(data()[0], flow.inputs[8 * STEPS :])


# ---------------------------------------------------------------------- going on


@pytest.mark.parametrize("given", [0, 3, 4])
def test_a_saved_state_goes_on_to_the_same_sequences(task, flow, given):
    data = data_of(task)
    for _ in range(given):  # none, a whole piece, and one of the second piece
        data()
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **data.state_dict())
    file.seek(0)
    # A data set of another seed, in pieces of another length.
    other = data_of(task, seed=99, cache_len=1, batch_first=True, masks=True)
    other()
    with np.load(file, allow_pickle=False) as state:
        other.load_state_dict(state)
    rest = joined([other() for _ in range(3)], axis=1)[0]
    expected = flow.inputs[given * STEPS : (given + 3) * STEPS]
    np.testing.assert_array_equal(np.swapaxes(rest, 0, 1), expected)


def test_states_that_do_not_fit_are_refused_and_change_nothing(task, flow):
    data = data_of(task)
    state = data.state_dict()
    bad = {
        r"state is not of a Dataset of Blocks: it lacks 'key'": {k: v for k, v in state.items() if k != "key"},
        r"it has 'more' besides": {**state, "more": np.zeros(2)},
        r"state\['session\.t'\] must be int32 \(3,\), as in this data set, got int32 \(2,\)": {
            **state, "session.t": state["session.t"][:2],
        },
        r"state is of sequences of 8 steps, not seq_len=7": {**state, "seq_len": np.array(8)},
        r"state\['given'\] must be a whole number of 0 or more, got -1": {**state, "given": np.array(-1)},
    }  # fmt: skip
    for message, wrong in bad.items():
        with pytest.raises(InvalidArgument, match=message):
            data.load_state_dict(wrong)
    np.testing.assert_array_equal(data()[0], flow.inputs[:STEPS])


# ---------------------------------------------------------------------- tasks


# NeuroGym's Dataset crashes on these, and ignores a reaction-time wrapper.
@pytest.mark.parametrize("id", ["Bandit-v0", "EconomicDecisionMaking-v0", "DawTwoStep-v0", "Null-v0"])
def test_tasks_that_break_neurogyms_dataset(id):
    data = Dataset(id, 2, 5, cache_len=1)
    inputs, targets = data()
    assert inputs.shape == (5, 2, data.task.channels.size)
    assert targets.shape == (5, 2)
    assert np.isfinite(inputs).all()
    assert ((targets >= 0) & (targets < data.task.actions.size)).all()


def test_modified_and_continuous_tasks_and_jax_arrays():
    reacting = Dataset(nj.reaction_time(nj.make("PerceptualDecisionMaking-v0")), 2, 5, arrays="jax", cache_len=10)
    inputs, targets = reacting()
    assert isinstance(inputs, jax.Array)
    assert targets.dtype == np.int32
    reaching = Dataset("ReachingDelayResponse-v0", 2, 5, cache_len=10, env_kwargs={"dt": 50})
    assert reaching.task.dt == 50
    assert reaching()[1].shape == reaching.target_shape == (5, 2, 2)
    assert reaching()[1].dtype == np.float32


def test_no_task_has_a_keyword_of_the_data_set():
    for place in {place.split(":")[0] for place in LIBRARY.values()}:
        importlib.import_module(place)
    kinds, names = [Task], set()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        names |= set(parameters(kind))
    assert len(names) > 50
    assert not names & set(inspect.signature(Dataset).parameters)


def test_bad_arguments(task):
    pdm = "PerceptualDecisionMaking-v0"
    bad = {
        "unknown arrays 'tf'; known: numpy, torch, jax": lambda: Dataset(pdm, arrays="tf"),
        "unknown keyword 'sigmaa'": lambda: Dataset(pdm, sigmaa=1),
        "unknown target_dtype 'int8'": lambda: Dataset(pdm, target_dtype="int8"),
    }
    for message, build in bad.items():
        with pytest.raises(UnknownName, match=message):
            build()
    bad = {
        r"task must be a task from nj\.make or Task\.create, got 3": lambda: Dataset(3),
        r"sigma is a keyword of nj\.make, for a task's id; use task\.set": lambda: Dataset(task, sigma=1),
        "dt is given twice, as a keyword and in env_kwargs": lambda: Dataset(pdm, dt=20, env_kwargs={"dt": 20}),
        "batch_size must be a whole number of 1 or more, got 0": lambda: Dataset(task, 0),
        r"seq_len must be a whole number of 1 or more, got 2\.5": lambda: Dataset(task, 1, 2.5),
        "max_batch must be a whole number of 1 or more, got inf": lambda: Dataset(task, max_batch=np.inf),
        "cache_len must be a whole number of 1 or more, got -1": lambda: Dataset(task, cache_len=-1),
        "batch_first must be True or False, got 1": lambda: Dataset(task, batch_first=1),
        r"seed must be a whole number of 0 or more, got -1": lambda: Dataset(task, seed=-1),
        r"seed must be a whole number below 2\*\*32, got 4294967296": lambda: Dataset(task, seed=2**32),
        "key must be a typed key": lambda: Dataset(task, seed=jax.random.key_data(jax.random.key(0))),
        "target_dtype='int64' is for discrete targets in NumPy and PyTorch; JAX has int32": lambda: Dataset(
            task, arrays="jax", target_dtype="int64"
        ),
        "the targets of ReachingDelayResponse are continuous": lambda: Dataset(
            "ReachingDelayResponse-v0", target_dtype="int64"
        ),
    }
    for message, build in bad.items():
        with pytest.raises(InvalidArgument, match=message):
            build()


# ---------------------------------------------------------------------- PyTorch


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def test_tensors_share_the_memory_of_jaxs_arrays(torch, task, flow, monkeypatch):
    from neurojax.data import dataset as module

    handed = []
    keep = lambda x: (handed.append(x), as_tensor(x))[1]
    as_tensor = module._as_tensor
    monkeypatch.setattr(module, "_as_tensor", keep)
    data = data_of(task, arrays="torch", masks=True)
    batches = [data(), data()]
    for i, batch in enumerate(batches):
        for name, part, array in zip(batch._fields, batch, handed, strict=True):
            assert isinstance(part, torch.Tensor), name
            assert part.is_contiguous(), name
            offset = i * part.numel() * part.element_size()
            assert part.data_ptr() == array.unsafe_buffer_pointer() + offset, name
    for name, values in zip(MaskedBatch._fields, joined(batches), strict=True):
        np.testing.assert_array_equal(values, getattr(flow, name)[: 2 * STEPS], err_msg=name)
    assert [part.dtype for part in batches[0]] == [torch.float32, torch.int32, torch.float32, torch.bool]
    # They may be written to: what follows is not touched, nor what was given before.
    third, kept = data().inputs, batches[0].inputs.clone()
    third.fill_(9)
    batches[1].inputs.fill_(9)
    assert torch.equal(batches[0].inputs, kept)
    np.testing.assert_array_equal(data().inputs, flow.inputs[3 * STEPS : 4 * STEPS])


def test_long_targets_train_a_network(torch, task, flow):
    data = data_of(task, arrays="torch", target_dtype="int64")
    layer = torch.nn.Linear(2, 3)
    for inputs, targets in [data(), data()]:
        assert targets.dtype == torch.int64
        loss = torch.nn.functional.cross_entropy(layer(inputs).flatten(0, 1), targets.flatten())
        loss.backward()
    assert layer.weight.grad is not None
    assert torch.isfinite(layer.weight.grad).all()
    np.testing.assert_array_equal(targets, flow.targets[STEPS : 2 * STEPS])


def test_a_data_loader_reads_it(torch, task, flow):
    from torch.utils.data import DataLoader

    data = data_of(task, arrays="torch", max_batch=2)
    batches = list(DataLoader(data.iterable(), batch_size=None))
    assert len(batches) == 2
    np.testing.assert_array_equal(torch.cat([inputs for inputs, _ in batches]), flow.inputs[: 2 * STEPS])
