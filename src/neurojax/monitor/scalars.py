"""Numbers by name out of what a training loop reports: nested mappings, dataclasses, metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurojax.envs.rollout import Metrics
from neurojax.errors import InvalidArgument


def numbers(values: Any, path: str = "") -> dict[str, float]:
    """The numbers in a tree, by their path: `{"loss": {"actor": 1}}` gives `{"loss/actor": 1.0}`.

    Args:
        values: a mapping, a dataclass, a named tuple, `nj.Metrics` (whose summary it is), or a number.
        path: the path so far.

    Raises:
        InvalidArgument: for anything that is no number.

    Example:
        >>> from neurojax.monitor.scalars import numbers
        >>> numbers({"loss": {"actor": 1, "critic": 0.5}})
        {'loss/actor': 1.0, 'loss/critic': 0.5}
    """
    if isinstance(values, Metrics):
        values = values.summary()
    elif dataclasses.is_dataclass(values) and not isinstance(values, type):
        values = {field.name: getattr(values, field.name) for field in dataclasses.fields(values)}
    elif isinstance(values, tuple) and hasattr(values, "_fields"):
        values = dict(zip(values._fields, values, strict=True))  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(values, Mapping):
        out: dict[str, float] = {}
        for name, value in values.items():
            out |= numbers(value, f"{path}/{name}" if path else str(name))
        return out
    array = np.asarray(values)
    if array.shape != () or not (array.dtype.kind in "biuf" or array.dtype.name == "bfloat16"):
        raise InvalidArgument(f"{path or 'values'} must be a number, or numbers by name, got {values!r}")
    return {path or "value": float(array)}
