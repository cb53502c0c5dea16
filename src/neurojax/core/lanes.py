"""From one lane to many: vmap over lanes, shared out over devices.

Draws have addresses, so which device runs a lane cannot change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from neurojax.core.chance import check_key
from neurojax.core.draw import Quantity, check_given
from neurojax.core.session import outline
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, unknown

AXIS = "lanes"
# Below this many lanes a device, one device is faster than several (measured on two cores, benchmarks/RESULTS.md).
_WORTH_SHARING = 256


def share_out(function: Callable[..., Any], devices: int, *, shared: int, split: int) -> Callable[..., Any]:
    """`function` with its arguments shared or split over devices.

    Args:
        function: takes `shared` arguments that every device gets whole, then `split` that are split along their
            first axis; what it returns is split the same way.
        devices: how many devices.
        shared, split: how many arguments of each kind.
    """
    if devices == 1:
        return function
    mesh = device_mesh(devices)
    lanes = PartitionSpec(AXIS)
    specs = (PartitionSpec(),) * shared + (lanes,) * split
    return jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=lanes, check_vma=False)


def settled(words: jax.Array, tree: Any) -> Any:
    """`tree`, computed before anything that uses it.

    XLA fuses the drawing of a trial into every kernel that reads it, and so draws it again for each frame and channel
    (it drops `optimization_barrier` before it fuses, 0.10 on a CPU). A branch on what only the key tells is computed
    on its own. Rendering is up to twice as fast, images eight times.
    """
    nothing = lambda tree: jax.tree.map(jnp.zeros_like, tree)
    return jax.lax.cond((words[0] | np.uint32(1)) != np.uint32(0), lambda tree: tree, nothing, tree)


def where_any(which: Any, function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """`function(tree, *rest)` where `which`, else `tree`; not computed at all while `which` holds in no lane.

    A `lax.cond` over lanes becomes a select, which computes both sides in every lane. Here the batching rule asks
    whether any lane needs it. It has no reverse-mode derivative.

    Args:
        which: bool, unbatched as all else.
        function: gives a tree of the shapes and dtypes of `tree`; what it uses that may be batched is an argument.
        tree, rest: its arguments.
    """

    @jax.custom_batching.custom_vmap
    def choose(which, tree, rest):
        return jax.lax.cond(which, lambda tree, rest: function(tree, *rest), lambda tree, rest: tree, tree, rest)

    @choose.def_vmap
    def _(size, batched, which, tree, rest):
        in_lanes = lambda x, is_batched: x if is_batched else jnp.broadcast_to(x, (size, *jnp.shape(x)))
        which, tree = in_lanes(which, batched[0]), jax.tree.map(in_lanes, tree, batched[1])
        axes = jax.tree.map(lambda is_batched: 0 if is_batched else None, batched[2])

        def some(tree):
            new = jax.vmap(lambda tree, rest: function(tree, *rest), in_axes=(0, axes))(tree, rest)
            pick = lambda new, old: jnp.where(which.reshape((size,) + (1,) * (jnp.ndim(old) - 1)), new, old)
            return jax.tree.map(pick, new, tree)

        out = jax.lax.cond(jnp.any(which), some, lambda tree: tree, tree)
        return out, jax.tree.map(lambda _: True, out)

    return choose(which, tree, rest)


def device_mesh(devices: int) -> Mesh:
    """A mesh of the first `devices` devices along the lanes."""
    return Mesh(np.asarray(jax.devices()[:devices]), (AXIS,), axis_types=(AxisType.Auto,))


def lane_sharding(devices: int) -> NamedSharding:
    """How arrays lie whose first axis is shared out over devices."""
    return NamedSharding(device_mesh(devices), PartitionSpec(AXIS))


def count_devices(devices: int | None, batch_size: int) -> int:
    """How many devices share a batch: those asked for, or all where the batch divides and is worth sharing.

    Raises:
        InvalidArgument: if there are fewer, or the batch does not divide.
    """
    available = jax.device_count()
    if devices is None:
        return available if batch_size % available == 0 and batch_size // available >= _WORTH_SHARING else 1
    check_devices(devices)
    if batch_size % devices:
        raise InvalidArgument(f"batch_size={batch_size} does not divide over devices={devices}")
    return devices


def check_devices(devices: int) -> int:
    """A number of devices that JAX has, or InvalidArgument."""
    check_count("devices", devices)
    if devices > jax.device_count():
        raise InvalidArgument(f"devices={devices} but JAX has {jax.device_count()}")
    return devices


def check_count(name: str, value: object, low: int = 1) -> int:
    """A whole number of `low` or more, or InvalidArgument."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise InvalidArgument(f"{name} must be a whole number of {low} or more, got {value!r}")
    return int(value)


def check_task_type(task: object) -> None:
    """Refuse what is no task, or one that was not built by `create`."""
    if not isinstance(task, Task):
        raise InvalidArgument(f"task must be a task from nj.make or Task.create, got {task!r}")
    if task.capacity < 1:
        raise InvalidArgument(f"this {task.name} was not built by {task.name}.create(...), which checks it")


def prepare(task: Task, key: jax.Array, batch_size: int, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Check what every view takes, and return the given conditions as arrays `[B]`."""
    check_task_type(task)
    check_key(key)
    check_count("batch_size", batch_size)
    if not given:
        return {}
    seen = drawn_quantities(task)
    for name in given:
        if name not in seen:
            raise unknown("condition", name, seen, task.name)
    check_given(given, seen, batch_size)
    shape = lambda name: (batch_size, *seen[name].shape)
    return {name: jnp.broadcast_to(jnp.asarray(value), shape(name)) for name, value in given.items()}


def drawn_quantities(task: Task) -> dict[str, Any]:
    """What a task draws and that may be given instead, by name: its conditions, and the durations of its periods."""
    look = outline(task)
    lengths = {name: Quantity("duration", period=name) for name in look.laws if name not in look.periods}
    return {**lengths, **look.seen}


def lane_numbers(batch_size: int) -> jax.Array:
    """uint32 `[B]`: the numbers of the lanes."""
    return jnp.arange(batch_size, dtype=jnp.uint32)
