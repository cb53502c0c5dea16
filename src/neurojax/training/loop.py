"""Many updates in one compiled loop, with the lanes shared out over devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.flatten_util import ravel_pytree
from jax.sharding import PartitionSpec

from neurojax.core.lanes import AXIS, device_mesh

# Of a part of the state: every device has all of it, or the rows of its lanes.
WHOLE, SPLIT = PartitionSpec(), PartitionSpec(AXIS)


def repeated(
    update: Callable[[Any, jax.Array, Any], Any],
    shared: Any,
    lanes: jax.Array,
    state: Any,
    n: Any,
    *,
    parts: Any,
    devices: int,
) -> Any:
    """The state after `n` updates.

    Args:
        update: `update(shared, lanes, state) -> state`; on several devices it has the lanes of one.
        shared: what every device gets whole.
        lanes: uint32 `[B]`.
        state: where the run stands.
        n: int32, how many updates; may be traced.
        parts: the state's structure, with `WHOLE` or `SPLIT` for each of its parts.
        devices: how many devices.
    """

    def run(shared, lanes, state, n):
        return jax.lax.fori_loop(0, n, lambda _, state: update(shared, lanes, state), state)

    if devices > 1:
        specs = (WHOLE, SPLIT, parts, WHOLE)
        run = jax.shard_map(run, mesh=device_mesh(devices), in_specs=specs, out_specs=parts, check_vma=False)
    return run(shared, lanes, state, n)


def mean_over(tree: Any, devices: int) -> Any:
    """The mean over devices of all numbers in a tree, by one reduction."""
    if devices == 1:
        return tree
    flat, restore = ravel_pytree(tree)
    return restore(jax.lax.pmean(flat, AXIS))
