"""The parameters of a task: declared once as fields, with units, limits and provenance; checked in one place.

A declaration gives everything else: validation, `task.set`, the keywords of `nj.make`, configuration files and
`neurojax info`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax.core import Tracer

from neurojax.errors import InvalidArgument, unknown

Provenance = Literal["NeuroGym", "repaired", "paper", "neurojax"]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What is known of a parameter apart from its value.

    Attributes:
        kind: `quantity` and `flag` are leaves (they vmap and never recompile), `structure` is static.
        units: e.g. "ms", "percent".
        low, high: inclusive limits; `above` is an exclusive lower one.
        many: the value is a non-empty list; 2: a table, a non-empty list of rows of one length.
        whole: for structure, whether it must be a whole number.
        text: for structure, whether it is a name.
        choices: the values allowed, for structure.
        aliases: other names that are accepted for it.
        doc: what it is, in words.
        source: where the rule and its default come from.
    """

    kind: Literal["quantity", "flag", "structure"]
    units: str = ""
    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    many: bool | int = False
    whole: bool = True
    text: bool = False
    choices: tuple[Any, ...] | None = None
    aliases: tuple[str, ...] = ()
    doc: str = ""
    source: Provenance = "NeuroGym"

    def allowed(self) -> str:
        """The values allowed, in words."""
        if self.choices is not None:
            return "one of " + ", ".join(repr(c) for c in self.choices)
        noun = {"quantity": "finite number", "flag": "bool", "structure": "whole number"}[
            self.kind if self.whole else "quantity"
        ]
        noun = "name" if self.text else noun
        noun = f"a non-empty list of {noun}s" if self.many == 1 else f"rows of {noun}s" if self.many else f"a {noun}"
        if math.isfinite(self.above):
            noun += f" above {self.above:g}"
        if math.isfinite(self.low) and math.isfinite(self.high):
            noun += f" in [{self.low:g}, {self.high:g}]"
        elif math.isfinite(self.low):
            noun += f" of {self.low:g} or more"
        elif math.isfinite(self.high):
            noun += f" of {self.high:g} or less"
        return noun


def quantity(default: Any, **known: Any) -> Any:
    """A field that holds a quantity of the experiment: a float32 leaf (see `Parameter` for the keywords).

    Example:
        >>> import neurojax as nj
        >>> class Tone(nj.Task):
        ...     loudness: nj.Array = nj.quantity(60.0, units="dB", low=0, doc="loudness of the tone")
    """
    parameter = Parameter(kind="quantity", **known)
    return _leaf_field(parameter, np.asarray(default, np.float32))


def flag(default: bool, **known: Any) -> Any:
    """A field that switches a rule on or off: a bool leaf, so that switching does not recompile."""
    return _leaf_field(Parameter(kind="flag", **known), np.asarray(default, np.bool_))


def structure(default: Any, **known: Any) -> Any:
    """A field that fixes shapes or code: static, so that each value compiles its own program."""
    metadata = {"pytree_node": False, "parameter": Parameter(kind="structure", **known)}
    return dataclasses.field(default=default, metadata=metadata)


def time_step(default: float) -> Any:
    """The field `dt` of a task, in ms."""
    return structure(float(default), units="ms", above=0, whole=False, doc="time step")


def _leaf_field(parameter: Parameter, default: np.ndarray) -> Any:
    metadata = {"pytree_node": True, "parameter": parameter}
    return dataclasses.field(default_factory=lambda: default, metadata=metadata)


def parameters(cls: type) -> dict[str, Parameter]:
    """The declared parameters of a task class, by name."""
    return {f.name: f.metadata["parameter"] for f in dataclasses.fields(cls) if "parameter" in f.metadata}


def canonical(cls: type, given: Mapping[str, Any], known: Sequence[str], where: str) -> dict[str, Any]:
    """`given` with aliases replaced by the names they stand for.

    Raises:
        UnknownName: for a keyword that the task does not take.
        InvalidArgument: if a parameter is given twice.
    """
    names = {alias: name for name, p in parameters(cls).items() for alias in p.aliases}
    out: dict[str, Any] = {}
    for key, value in given.items():
        name = names.get(key, key)
        if name not in known:
            raise unknown("keyword", key, [*known, *names], where)
        if name in out:
            raise InvalidArgument(f"{name} is given twice (once as {key!r})")
        out[name] = value
    return out


def read(name: str, parameter: Parameter, value: Any) -> Any:
    """`value` checked and stored as the parameter stores it.

    Raises:
        InvalidArgument: if it is traced, has the wrong type or shape, or lies outside the limits.
    """
    if is_traced(value):
        raise InvalidArgument(f"{name} is a traced value; build the task outside of jit and vmap, then use task.set")
    problem = InvalidArgument(f"{name} must be {parameter.allowed()}, got {_show(value)}")
    if parameter.kind == "flag":
        if not isinstance(value, (bool, np.bool_)) and not (np.ndim(value) == 0 and _dtype(value) == np.bool_):
            raise problem
        return np.asarray(value, np.bool_)
    if parameter.kind == "structure":
        return _read_structure(parameter, value, problem)
    if isinstance(value, (str, bytes, bool, np.bool_)) or value is None or _dtype(value) == np.bool_:
        raise problem
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise problem from None
    if array.ndim != int(parameter.many) or array.size == 0 or not _within(array, parameter):
        raise problem
    return array.astype(np.float32)


def _read_structure(parameter: Parameter, value: Any, problem: InvalidArgument) -> Any:
    if parameter.many:
        if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)) or not len(value):
            raise problem
        one = dataclasses.replace(parameter, many=False)
        return tuple(_read_structure(one, v, problem) for v in value)
    if parameter.text:
        if not isinstance(value, str) or not value:
            raise problem
        return value
    if parameter.choices is not None:
        if not any(type(value) is type(c) and value == c for c in parameter.choices):
            raise problem
        return value
    kinds = (int, np.integer) if parameter.whole else (int, np.integer, float, np.floating)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, kinds):
        raise problem
    if not _within(np.asarray(value, np.float64), parameter):
        raise problem
    return int(value) if parameter.whole else float(value)


def _within(array: np.ndarray, parameter: Parameter) -> bool:
    return bool(
        np.all(np.isfinite(array))
        and np.all(array >= parameter.low)
        and np.all(array <= parameter.high)
        and np.all(array > parameter.above)
    )


def is_traced(value: Any) -> bool:
    """Whether any leaf of `value` is a tracer."""
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value))


def _dtype(value: Any) -> Any:
    return getattr(value, "dtype", None)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
