"""Environments that change. NeuroGym's ContextSwitch cannot be stepped."""

from __future__ import annotations

from .base import Setting, grid

CE = "ChangingEnvironment-v0"
ENTRY = "neurogym.envs.contrib.changingenvironment:ChangingEnvironment"

SETTINGS = [
    Setting(
        "ce-defaults",
        CE,
        {"timing": {"stimulus": 1000}},
        grid(side=[1, 2], context=[0, 1], coh=[0, 12.8, 51.2]),
        entry=ENTRY,
        plays=1,
    ),
    Setting(
        "ce-abort",
        CE,
        {
            "dt": 20,
            "sigma": 0.5,
            "stim_scale": 2.0,
            "cxt_ch_prob": 0.3,
            "timing": {"fixation": 90, "stimulus": 240, "decision": 110},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5},
        },
        grid(side=[1, 2], context=[0, 1], coh=[25.6]),
        attributes={"abort": True},
        entry=ENTRY,
        plays=1,
    ),
    Setting(
        "ce-cue",
        CE,
        {"cxt_cue": True, "timing": {"fixation": 300, "stimulus": 400, "decision": 300}},
        grid(side=[1, 2], context=[0, 1], coh=[0, 51.2]),
        entry=ENTRY,
        plays=1,
    ),
]


def _in_stimulus(there, task):
    return there.during("stimulus") & task.cxt_cue


def _before_the_cue(there, task):
    return there.during("fixation") & there.always(there.condition("context") == 1) & task.cxt_cue


PLACES = {
    ("ChangingEnvironment", "stimulus with cxt_cue"): _in_stimulus,
    ("ChangingEnvironment", "context cue with cxt_cue"): _before_the_cue,
}


def prepare(machine, setting, conditions):
    """The context is an attribute, which is kept; the side is drawn, and cannot be given."""
    machine.base.curr_cxt = int(conditions.pop("context"))
    machine.rng.script = {"rand": [1.0], "choice": [int(conditions.pop("side")), conditions.pop("coh")]}
    return conditions
