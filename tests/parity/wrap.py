"""NeuroGym's wrappers around its tasks, for record.py. Read where NeuroGym is."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from neurogym.utils import scheduler
from neurogym.wrappers import ALL_WRAPPERS
from neurogym.wrappers.block import MultiEnvs, ScheduleEnvs


def wrapped(env, *, name: str, **keywords: Any):
    """A wrapper by NeuroGym's id around an environment; lists of numbers become the arrays that it expects."""
    module, kind = ALL_WRAPPERS[name].split(":")
    if "schedule" in keywords:
        keywords["schedule"] = scheduled(
            keywords.pop("schedule"), keywords.pop("count"), keywords.pop("block_lens", None)
        )
    if name in ("TrialHistoryV2-v0", "RandomGroundTruth-v0"):
        keywords = {key: np.array(value) for key, value in keywords.items()}
    return getattr(importlib.import_module(module), kind)(env, **keywords)


def scheduled(kind: str, count: int, block_lens: list[int] | None = None):
    """A schedule by the name of its class."""
    return getattr(scheduler, kind)(count, *([] if block_lens is None else [block_lens]))


class _Told(scheduler.BaseSchedule):
    """A schedule that says the task of the trial that `machine` has next."""

    def __init__(self, machine, count: int):
        super().__init__(count)
        self.machine = machine

    def __call__(self):
        self.i = self.machine.coming["task"]
        return self.i


def several(machine, envs: list, *, name: str, others: Any, env_input: bool):
    """ScheduleEnvs or MultiEnvs of tasks, whose trials are of the tasks that `machine` says."""
    if name == "ScheduleEnvs-v0":

        class Turns(ScheduleEnvs):
            def turn(self):
                self.next_i_env = self.schedule()

        return Turns(envs, _Told(machine, len(envs)), env_input)

    class Chosen(MultiEnvs):
        def turn(self):
            pass

        def new_trial(self, **kwargs):
            self.set_i(machine.coming["task"])
            return super().new_trial(**kwargs)

    return Chosen(envs, env_input)
