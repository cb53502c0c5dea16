"""Modifiers by name. They stand here by where they are, so that listing them imports nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from neurojax.errors import InvalidArgument, unknown

_HOME = "neurojax.modifiers"

MODIFIERS = {
    "action_gated": f"{_HOME}.action_gated:ActionGated",
    "adaptive_noise": f"{_HOME}.noise:AdaptiveNoise",
    "combine": f"{_HOME}.combine:Combine",
    "noise": f"{_HOME}.noise:Noise",
    "pass_action": f"{_HOME}.pass_action:PassAction",
    "pass_reward": f"{_HOME}.pass_reward:PassReward",
    "random_ground_truth": f"{_HOME}.random_ground_truth:RandomGroundTruth",
    "reaction_time": f"{_HOME}.reaction_time:ReactionTime",
    "schedule": f"{_HOME}.schedules:Schedule",
    "schedule_attr": f"{_HOME}.schedule_attr:ScheduleAttr",
    "side_bias": f"{_HOME}.side_bias:SideBias",
    "strict_fixation": f"{_HOME}.strict_fixation:StrictFixation",
    "trial_history": f"{_HOME}.trial_history:TrialHistory",
}
# NeuroGym's ids of the same.
ALIASES = {
    "Combine-v0": f"{_HOME}.combine:combine",
    "MultiEnvs-v0": f"{_HOME}.schedules:multi_task",
    "Noise-v0": f"{_HOME}.noise:neurogym_noise",
    "PassAction-v0": MODIFIERS["pass_action"],
    "PassReward-v0": MODIFIERS["pass_reward"],
    "RandomGroundTruth-v0": MODIFIERS["random_ground_truth"],
    "ReactionTime-v0": MODIFIERS["reaction_time"],
    "ScheduleEnvs-v0": f"{_HOME}.schedules:schedule",
    "ScheduleAttr-v0": MODIFIERS["schedule_attr"],
    "SideBias-v0": MODIFIERS["side_bias"],
    "TrialHistoryV2-v0": MODIFIERS["trial_history"],
}


def modifiers() -> list[str]:
    """The names of all modifiers, sorted.

    Example:
        >>> from neurojax.modifiers import modifiers
        >>> "side_bias" in modifiers()
        True
    """
    return sorted(MODIFIERS)


def modifier(name: str) -> Callable[..., Any]:
    """What puts the modifier of this name around a task: a function of the task and the modifier's keywords.

    Args:
        name: see `modifiers`; NeuroGym's ids, such as "SideBias-v0", and names of classes are others for the same.

    Raises:
        UnknownName: if there is none; the nearest is suggested.
    """
    known = {**MODIFIERS, **ALIASES}
    known |= {place.split(":")[1]: place for place in MODIFIERS.values()}
    if name not in known:
        raise unknown("modifier", name, known)
    module, place = known[name].split(":")
    found = getattr(importlib.import_module(module), place)
    return getattr(found, "around", found)


def modify(task: Any, spec: Any) -> Any:
    """A task with the modifier around it that a table describes.

    Args:
        task: the task.
        spec: a table of the modifier's `name` and keywords, such as `{"name": "pass_action", "one_hot": True}`.

    Raises:
        UnknownName: for unknown names and keywords; the nearest is suggested.
        InvalidArgument: if it is no such table, a value is not allowed, or the modifier makes no sense for the task.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.modifiers import modify
        >>> modify(nj.make("GoNogo-v0"), {"name": "PassReward-v0"}).channels.labels()[-1]
        'reward'
    """
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        raise InvalidArgument(f"a modifier is a table with a name, such as {{'name': 'reaction_time'}}, got {spec!r}")
    return modifier(spec["name"])(task, **{key: value for key, value in spec.items() if key != "name"})
