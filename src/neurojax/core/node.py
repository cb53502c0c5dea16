"""Pytree nodes whose structure tells their class."""

from __future__ import annotations

from typing import Any

from flax import struct


class Node(struct.PyTreeNode):
    """A frozen dataclass that is a pytree, as `flax.struct.PyTreeNode`, and whose structure tells its class.

    JAX compares the structures of dataclasses by their static fields alone (0.10, tested): those of two classes with
    like fields are equal, though their hashes differ, so that `jit` now and then runs the code that it compiled for
    the other class. Here the class is a static field.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.__annotations__ = {**cls.__dict__.get("__annotations__", {}), "code": Any}  # noqa: RUF063
        cls.code = struct.field(pytree_node=False, default=cls, kw_only=True, repr=False)
        super().__init_subclass__(**kwargs)
