"""An endless data set of sequences for NumPy, PyTorch or JAX, in the call shape of NeuroGym's `Dataset`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import key_words
from neurojax.core.lanes import check_count, check_task_type, count_devices, lane_numbers, prepare
from neurojax.core.registry import make
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.data.stream import start_stream, stream_lanes
from neurojax.errors import InvalidArgument, unknown

_ARRAYS = ("numpy", "torch", "jax")
_TARGET_DTYPES = ("int32", "int64")
# Numbers in the inputs of a piece, where `cache_len` is not stated: enough to make little of what a call costs, few
# enough to stay in a processor's cache.
_CACHED = 32_000


class MaskedBatch(NamedTuple):
    """What a `Dataset` gives with `masks=True`; `[T, B, ...]`, or `[B, T, ...]` with `batch_first`.

    Attributes:
        inputs: float32 `[T, B, D]`.
        targets: int32 or int64 `[T, B]`, or float32 `[T, B, A]` for continuous actions.
        weights: float32 `[T, B]`, the weight of each step in a loss.
        first: bool `[T, B]`, whether the step is a trial's first.
    """

    inputs: Any
    targets: Any
    weights: Any
    first: Any


class Dataset:
    """Sequences of B sessions with trials back to back, as `nj.stream` gives them, one after the other without end.

    `inputs, targets = dataset()` gives the next sequences; so does a loop over the data set, which ends after
    `max_batch` of them, and another loop goes on where that one ended. A sequence goes on where the one before ended,
    in the middle of a trial too. The steps are those of `nj.stream(task, jax.random.key(seed), batch_size, ...)`,
    whatever `cache_len` and `arrays` are.

    What is given is the caller's: nothing that comes later changes it. NumPy arrays are contiguous and may be written
    to. PyTorch tensors share the memory of JAX's arrays through DLPack; copies are made for `target_dtype="int64"`
    (JAX has int32), and where PyTorch has no device on which JAX's arrays lie, or they lie on several.

    Args:
        task: the task, or its id.
        batch_size: B.
        seq_len: T, steps in a sequence.
        seed: whole number, 0 or more and below 2**32, or a typed key.
        batch_first: put the batch before time: `[B, T, ...]` instead of `[T, B, ...]`.
        masks: give a `MaskedBatch`, with loss weights and flags of trials' first steps, instead of a pair.
        arrays: whose: "numpy", "torch" or "jax".
        target_dtype: of a discrete task's targets, "int32", or "int64" as PyTorch's cross-entropy takes them.
        max_batch: how many sequences a loop gives; default: it does not end.
        cache_len: how many steps are rendered at once, rounded up to whole sequences; default: some 32,000 numbers
            of the inputs.
        devices: as for `nj.stream`.
        env_kwargs: keywords of `nj.make` as NeuroGym takes them.
        **keywords: keywords of `nj.make`, where `task` is an id.

    Raises:
        UnknownName: for ids, keywords and kinds of arrays that do not exist.
        InvalidArgument: for anything else that is not allowed.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.data.dataset import Dataset
        >>> dataset = Dataset("PerceptualDecisionMaking-v0", batch_size=16, seq_len=100, dt=20)
        >>> inputs, targets = dataset()
        >>> inputs.shape, targets.shape
        ((100, 16, 3), (100, 16))
        >>> state = dataset.state_dict()  # np.savez("state.npz", **state) keeps it, np.load gives it back
        >>> after = dataset()
        >>> dataset.load_state_dict(state)
        >>> bool((dataset()[0] == after[0]).all())
        True
    """

    def __init__(
        self,
        task: Task | str,
        batch_size: int = 16,
        seq_len: int = 100,
        *,
        seed: int | jax.Array = 0,
        batch_first: bool = False,
        masks: bool = False,
        arrays: str = "numpy",
        target_dtype: str = "int32",
        max_batch: int | None = None,
        cache_len: int | None = None,
        devices: int | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        **keywords: Any,
    ):
        self.task = _as_task(task, dict(env_kwargs or {}), keywords)
        self.batch_size = check_count("batch_size", batch_size)
        self.seq_len = check_count("seq_len", seq_len)
        self.batch_first = _flag("batch_first", batch_first)
        self.masks = _flag("masks", masks)
        self.arrays = _one_of("arrays", arrays, _ARRAYS)
        self.target_dtype = _one_of("target_dtype", target_dtype, _TARGET_DTYPES)
        if target_dtype == "int64" and (arrays == "jax" or not isinstance(self.task.actions, Discrete)):
            what = "JAX has int32" if arrays == "jax" else f"the targets of {self.task.name} are continuous"
            raise InvalidArgument(f"target_dtype='int64' is for discrete targets in NumPy and PyTorch; {what}")
        self.max_batch = None if max_batch is None else check_count("max_batch", max_batch)
        if cache_len is None:
            cache_len = max(_CACHED // (self.batch_size * self.task.channels.size), 1)
        self._sequences = -(-check_count("cache_len", cache_len) // self.seq_len)  # in a piece, K
        self._devices = count_devices(devices, self.batch_size)
        self._given = 0  # by the running loop
        self.seed(seed)

    @property
    def inputs_shape(self) -> tuple[int, ...]:
        """The shape of a sequence's inputs."""
        return (*self._leading, self.task.channels.size)

    @property
    def target_shape(self) -> tuple[int, ...]:
        """The shape of a sequence's targets."""
        return (*self._leading, *self.task.actions.shape)

    @property
    def _leading(self) -> tuple[int, int]:
        return (self.batch_size, self.seq_len) if self.batch_first else (self.seq_len, self.batch_size)

    def seed(self, seed: int | jax.Array) -> None:
        """Begin the sessions of another seed, or those of the same again.

        Raises:
            InvalidArgument: if `seed` is neither a whole number from 0 to 2**32 - 1 nor a typed key.
        """
        if not hasattr(seed, "dtype") or isinstance(seed, np.integer):
            if check_count("seed", seed, low=0) >= 2**32:
                raise InvalidArgument(f"seed must be a whole number below 2**32, got {seed!r}")
            seed = jax.random.key(int(seed))  # type: ignore[arg-type]
        prepare(self.task, seed, self.batch_size)  # type: ignore[arg-type]
        self._words = key_words(seed)  # type: ignore[arg-type]
        self._state = _start(self.task, self._words, lane_numbers(self.batch_size))
        self._forget()

    def __call__(self) -> Any:
        """The next sequences: `(inputs, targets)`, or a `MaskedBatch`."""
        if self._at == self._sequences:
            self._render()
        parts = [self._one(part) for part in self._parts]
        self._at += 1
        return MaskedBatch(*parts) if self.masks else tuple(parts)

    def __iter__(self) -> Dataset:
        self._given = 0
        return self

    def __next__(self) -> Any:
        if self.max_batch is not None and self._given >= self.max_batch:
            raise StopIteration
        self._given += 1
        return self()

    def __repr__(self) -> str:
        shape = f"batch_size={self.batch_size}, seq_len={self.seq_len}"
        return f"Dataset({self.task.name}, {shape}, arrays={self.arrays!r})"

    # ------------------------------------------------------------------ going on another day

    def state_dict(self) -> dict[str, np.ndarray]:
        """Where the sessions stand, as arrays by name: `np.savez` keeps them, and nothing has to be unpickled."""
        used_up = self._at == self._sequences
        sessions, given = (self._state, 0) if used_up else (self._before, self._at)
        head = {"key": np.array(self._words), "seq_len": np.int64(self.seq_len), "given": np.int64(given)}
        return {name: np.array(value) for name, value in {**head, **_named_leaves(sessions)}.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another data set of this task, batch size and sequence length stood.

        Args:
            state: from `state_dict`, also by way of a file.

        Raises:
            InvalidArgument: if it is not the state of such a data set.
        """
        sessions, whole = _named_leaves(self._state), ((), np.dtype(np.int64))
        expected = {"key": ((2,), np.dtype(np.uint32)), "seq_len": whole, "given": whole}
        expected |= {name: (leaf.shape, leaf.dtype) for name, leaf in sessions.items()}
        for name in (*expected, *state):
            if name not in state or name not in expected:
                what = f"lacks {name!r}" if name in expected else f"has {name!r} besides"
                raise InvalidArgument(f"state is not of a Dataset of {self.task.name}: it {what}")
        held = {name: np.asarray(state[name]) for name in expected}
        for name, (shape, dtype) in expected.items():
            if (held[name].shape, held[name].dtype) != (shape, dtype):
                got = f"{held[name].dtype} {held[name].shape}"
                raise InvalidArgument(f"state[{name!r}] must be {dtype} {shape}, as in this data set, got {got}")
        if held["seq_len"] != self.seq_len:
            raise InvalidArgument(f"state is of sequences of {held['seq_len']} steps, not seq_len={self.seq_len}")
        given = check_count("state['given']", held["given"].item(), low=0)
        self._words = jnp.asarray(held["key"])
        leaves = [jnp.asarray(held[name]) for name in sessions]
        self._state = jax.tree.unflatten(jax.tree.structure(self._state), leaves)
        self._forget()
        pieces, rest = divmod(given, self._sequences)
        for _ in range(pieces + (rest > 0)):
            self._render()
        self._at = rest or self._sequences

    # ------------------------------------------------------------------ PyTorch

    def iterable(self) -> Any:
        """The data set as a `torch.utils.data.IterableDataset`, for `DataLoader(dataset.iterable(), batch_size=None)`.

        Raises:
            InvalidArgument: (when read) in a loader with workers: they would all give the same, and JAX does not
                survive a fork.
        """
        from torch.utils.data import IterableDataset, get_worker_info  # pyright: ignore[reportMissingImports]

        dataset = self

        class Sequences(IterableDataset):
            def __iter__(self):
                if get_worker_info() is not None:
                    raise InvalidArgument("num_workers must be 0: sequences are rendered by JAX, in this process")
                return iter(dataset)

        return Sequences()

    # ------------------------------------------------------------------ pieces

    def _forget(self) -> None:
        """Nothing is rendered yet of what comes next."""
        self._before, self._parts, self._at = self._state, (), self._sequences

    def _render(self) -> None:
        """Render the next piece of K sequences."""
        lanes = lane_numbers(self.batch_size)
        shape = (self._sequences, self.seq_len, self.batch_first, self.masks, self._devices)
        parts, after = _piece(self.task, self._words, lanes, self._state, *shape)
        self._before, self._state, self._at = self._state, after, 0
        self._parts = tuple(self._handed_over(part) for part in parts)

    def _handed_over(self, part: jax.Array) -> Any:
        """A part of a piece `[K, ...]` in the library that is asked for, without a copy where that can be."""
        if self.arrays == "jax":
            return part
        if self.arrays == "numpy":
            return np.asarray(part)
        tensor = _as_tensor(part)
        return tensor.long() if self.target_dtype == "int64" and part.dtype == jnp.int32 else tensor

    def _one(self, part: Any) -> Any:
        """The next sequence of a part; a piece's sequences share no memory, so tensors may be written to."""
        if self.arrays != "numpy":
            return part[self._at]
        dtype = np.int64 if self.target_dtype == "int64" and part.dtype == np.int32 else part.dtype
        return np.array(part[self._at], dtype)


_start = jax.jit(start_stream)


@partial(jax.jit, static_argnums=(4, 5, 6, 7, 8))
def _piece(task, words, lanes, state, sequences, seq_len, batch_first, masks, devices):
    """A piece of the stream cut into K sequences, `[K, T, B, ...]` or `[K, B, T, ...]`, and the state after it."""
    n_steps = sequences * seq_len
    piece = stream_lanes(task, words, lanes, state, n_steps, time_major=not batch_first, devices=devices)
    axis = int(batch_first)  # of time

    def cut(x):
        return jnp.moveaxis(x.reshape(*x.shape[:axis], sequences, seq_len, *x.shape[axis + 1 :]), axis, 0)

    parts = (piece.inputs, piece.targets, *((piece.weights, piece.first) if masks else ()))
    return tuple(cut(part) for part in parts), piece.state


def _as_tensor(x: jax.Array) -> Any:
    """A PyTorch tensor of an array: the same memory, or a copy on the host where PyTorch cannot reach it."""
    import torch  # pyright: ignore[reportMissingImports]

    (device, *others) = x.devices()
    if not others and (device.platform == "cpu" or (device.platform == "gpu" and torch.cuda.is_available())):
        return torch.from_dlpack(x)
    return torch.from_numpy(np.array(x))


def _named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their paths."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _as_task(task: Any, env_kwargs: dict[str, Any], keywords: dict[str, Any]) -> Task:
    twice = [name for name in keywords if name in env_kwargs]
    if twice:
        raise InvalidArgument(f"{twice[0]} is given twice, as a keyword and in env_kwargs")
    keywords = {**env_kwargs, **keywords}
    if isinstance(task, str):
        return make(task, **keywords)
    check_task_type(task)
    if keywords:
        raise InvalidArgument(f"{next(iter(keywords))} is a keyword of nj.make, for a task's id; use task.set(...)")
    return task


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidArgument(f"{name} must be True or False, got {value!r}")
    return bool(value)


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise unknown(name, value, allowed)
    return value
