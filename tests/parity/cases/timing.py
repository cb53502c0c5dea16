"""Interval timing."""

from __future__ import annotations

from .base import Setting, grid

RSG = "ReadySetGo-v0"

SETTINGS = [
    Setting("rsg-defaults", RSG, {}, grid(measure=[800.0, 960.0, 1123.4, 1499.0]), singles=True),
    Setting(
        "rsg-gain",
        RSG,
        {
            "dt": 20,
            "gain": 1.5,
            "prod_margin": 0.1,
            "timing": {"fixation": 200, "ready": 83, "measure": ["uniform", [300, 500]], "set": 105},
        },
        grid(measure=[300.0, 340.0, 412.3, 499.0]),
        plays=2,
        singles=True,
    ),
    Setting(
        "rsg-abort",
        RSG,
        {
            "dt": 40,
            "gain": 0.5,
            "prod_margin": 0.4,
            "timing": {"measure": ["choice", [640, 700, 920]]},
            "rewards": {"abort": -0.4, "correct": 2.0, "fail": -0.5},
        },
        grid(measure=[640.0, 700.0, 920.0]),
        attributes={"abort": True},
        singles=True,
    ),
]


PLACES = {("ReadySetGo", "target"): lambda there, task: there.during("production")}


def prepare(machine, setting, conditions):
    """NeuroGym draws the interval more than once: every draw gives the one that is wanted."""
    machine.rng.durations = [conditions.pop("measure")]
    return conditions
