"""Everything that is known of a task, in plain values: what `neurojax info` and the gallery tell."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

LAWS = {"uniform": "uniform on", "choice": "one of", "truncated_exponential": "truncated exponential (mean, low, high)"}


def describe(id: str, task: Any) -> dict[str, Any]:
    """What is known of a task, in plain values."""
    from neurojax.analysis.references import reference_numbers
    from neurojax.core.parameters import parameters
    from neurojax.core.registry import about
    from neurojax.core.spaces import Discrete

    known = about(id)
    base = getattr(task, "base", task)
    kind = type(base)
    settings = base.settings()
    discrete = isinstance(task.actions, Discrete)
    return {
        "id": id,
        "doc": known.doc,
        "paper": dataclasses.asdict(known.paper) if known.paper else None,
        "tags": list(known.tags),
        "closed_loop": bool(task.closed_loop),
        "channels": dict(task.channels.sizes),
        "actions": dict(task.actions.sizes)
        if discrete
        else {n: [lo, hi] for n, lo, hi in zip(task.actions.names, task.actions.low, task.actions.high, strict=True)},
        "actions_kind": "discrete" if discrete else "continuous",
        "periods": list(task.period_names),
        "timing_ms": settings["timing"],
        "rewards": settings["rewards"],
        "capacity_steps": task.capacity,
        "parameters": [
            {
                "name": name,
                "value": settings.get(name),
                "units": p.units,
                "allowed": p.allowed(),
                "aliases": list(p.aliases),
                "source": p.source,
                "doc": p.doc,
            }
            for name, p in parameters(kind).items()
        ],
        "presets": {name: dict(values) for name, values in kind.PRESETS.items()},
        "modifiers": task.settings().get("modifiers", []),
        "deviations": [dataclasses.asdict(d) for d in task.deviations],
        "references": _finite(dataclasses.asdict(reference_numbers(task))),
    }


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if not (isinstance(v, float) and math.isnan(v))}


def law_text(spec: Any) -> str:
    """A duration law in words."""
    if isinstance(spec, list):
        name, values = spec
        values = values if isinstance(values, list) else [values]
        return f"{LAWS.get(name, name)} {', '.join(f'{v:g}' for v in values)} ms"
    return f"{spec:g} ms"
