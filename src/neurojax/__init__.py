"""neurojax: the behavioural tasks of neuroscience, simulated on accelerators, and networks trained on them.

The names below are loaded when they are first used, so that importing neurojax imports little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from neurojax.envs.gymnasium_register import register_when_imported

__version__ = "0.1.0"

_HOMES = {
    "neurojax.core.parameters": ("flag", "quantity", "structure"),
    "neurojax.core.registry": ("make", "register", "registered"),
    "neurojax.core.spaces": ("Box", "Channels", "Discrete"),
    "neurojax.core.stack": ("stack",),
    "neurojax.core.task": ("Deviation", "Paper", "Task"),
    "neurojax.core.trial": ("Outcome", "Trial", "consequence"),
    "neurojax.data.dataset": ("Dataset",),
    "neurojax.data.render": ("Batch", "render"),
    "neurojax.data.sessions": ("SessionData", "session"),
    "neurojax.data.stream": ("Sequence", "stream"),
    "neurojax.data.tables": ("conditions_of", "table"),
    "neurojax.data.design": ("Design", "factorial"),
    "neurojax.envs.rollout": ("Metrics", "Trajectory", "play", "rollout"),
    "neurojax.envs.gymnasium_env": ("GymnasiumEnv",),
    "neurojax.envs.gymnasium_vector": ("GymnasiumVectorEnv",),
    "neurojax.envs.gymnax": ("Env", "LegacyEnv"),
    "neurojax.envs.check": ("check_task",),
    "neurojax.analysis.references": ("ReferenceNumbers", "reference_numbers", "solvable"),
    "neurojax.monitor": ("Monitor", "Recording", "monitor_callback", "read_trials"),
    "neurojax.modifiers.action_gated": ("action_gated",),
    "neurojax.modifiers.base": ("Modifier",),
    "neurojax.modifiers.combine": ("Combine", "combine"),
    "neurojax.modifiers.noise": ("adaptive_noise", "noise"),
    "neurojax.modifiers.pass_action": ("pass_action",),
    "neurojax.modifiers.pass_reward": ("pass_reward",),
    "neurojax.modifiers.random_ground_truth": ("random_ground_truth",),
    "neurojax.modifiers.schedule_attr": ("schedule_attr",),
    "neurojax.modifiers.schedules": ("Schedule", "multi_task", "schedule"),
    "neurojax.modifiers.side_bias": ("side_bias",),
    "neurojax.modifiers.strict_fixation": ("strict_fixation",),
    "neurojax.modifiers.trial_history": ("trial_history",),
    "neurojax.modifiers.reaction_time": ("ReactionTime", "reaction_time"),
    "neurojax.tasks.rules": ("fixate_then_choose", "ring"),
    "jax": ("Array",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:
    from jax import Array as Array

    from neurojax.analysis.references import ReferenceNumbers as ReferenceNumbers
    from neurojax.analysis.references import reference_numbers as reference_numbers
    from neurojax.analysis.references import solvable as solvable
    from neurojax.core.parameters import flag as flag
    from neurojax.core.parameters import quantity as quantity
    from neurojax.core.parameters import structure as structure
    from neurojax.core.registry import make as make
    from neurojax.core.registry import register as register
    from neurojax.core.registry import registered as registered
    from neurojax.core.spaces import Box as Box
    from neurojax.core.spaces import Channels as Channels
    from neurojax.core.spaces import Discrete as Discrete
    from neurojax.core.stack import stack as stack
    from neurojax.core.task import Deviation as Deviation
    from neurojax.core.task import Paper as Paper
    from neurojax.core.task import Task as Task
    from neurojax.core.trial import Outcome as Outcome
    from neurojax.core.trial import Trial as Trial
    from neurojax.core.trial import consequence as consequence
    from neurojax.data.dataset import Dataset as Dataset
    from neurojax.data.design import Design as Design
    from neurojax.data.design import factorial as factorial
    from neurojax.data.render import Batch as Batch
    from neurojax.data.render import render as render
    from neurojax.data.sessions import SessionData as SessionData
    from neurojax.data.sessions import session as session
    from neurojax.data.stream import Sequence as Sequence
    from neurojax.data.stream import stream as stream
    from neurojax.data.tables import conditions_of as conditions_of
    from neurojax.data.tables import table as table
    from neurojax.envs.check import check_task as check_task
    from neurojax.envs.gymnasium_env import GymnasiumEnv as GymnasiumEnv
    from neurojax.envs.gymnasium_vector import GymnasiumVectorEnv as GymnasiumVectorEnv
    from neurojax.envs.gymnax import Env as Env
    from neurojax.envs.gymnax import LegacyEnv as LegacyEnv
    from neurojax.envs.rollout import Metrics as Metrics
    from neurojax.envs.rollout import Trajectory as Trajectory
    from neurojax.envs.rollout import play as play
    from neurojax.envs.rollout import rollout as rollout
    from neurojax.modifiers.action_gated import action_gated as action_gated
    from neurojax.modifiers.base import Modifier as Modifier
    from neurojax.modifiers.combine import Combine as Combine
    from neurojax.modifiers.combine import combine as combine
    from neurojax.modifiers.noise import adaptive_noise as adaptive_noise
    from neurojax.modifiers.noise import noise as noise
    from neurojax.modifiers.pass_action import pass_action as pass_action
    from neurojax.modifiers.pass_reward import pass_reward as pass_reward
    from neurojax.modifiers.random_ground_truth import random_ground_truth as random_ground_truth
    from neurojax.modifiers.reaction_time import ReactionTime as ReactionTime
    from neurojax.modifiers.reaction_time import reaction_time as reaction_time
    from neurojax.modifiers.schedule_attr import schedule_attr as schedule_attr
    from neurojax.modifiers.schedules import Schedule as Schedule
    from neurojax.modifiers.schedules import multi_task as multi_task
    from neurojax.modifiers.schedules import schedule as schedule
    from neurojax.modifiers.side_bias import side_bias as side_bias
    from neurojax.modifiers.strict_fixation import strict_fixation as strict_fixation
    from neurojax.modifiers.trial_history import trial_history as trial_history
    from neurojax.monitor import Monitor as Monitor
    from neurojax.monitor import Recording as Recording
    from neurojax.monitor import monitor_callback as monitor_callback
    from neurojax.monitor import read_trials as read_trials
    from neurojax.tasks.rules import fixate_then_choose as fixate_then_choose
    from neurojax.tasks.rules import ring as ring


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'neurojax' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


register_when_imported()  # the tasks, with Gymnasium, once somebody imports that
