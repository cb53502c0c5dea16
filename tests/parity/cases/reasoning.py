"""Reasoning about hidden rules."""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

HR = "HierarchicalReasoning-v0"
_DELAYS = [530, 610, 690, 770, 850, 930, 1010, 1090, 1170]

SETTINGS = [
    # The default law of the delay; where the middle delay is no whole number of steps, `tie` decides here, not there.
    Setting(
        "hr-defaults",
        HR,
        {"timing": {"fixation": 500, "fixation2": 600}},
        grid(interval=_DELAYS, rule=[0, 1], stimulus=[0, 1], tie=[1]),
    ),
    # Written as a choice, NeuroGym finds the median delay: nothing differs, also at the middle delay.
    Setting(
        "hr-median",
        HR,
        {
            "dt": 10,
            "timing": {
                "fixation": 100,
                "rule_target": 120,
                "fixation2": 150,
                "flash1": 40,
                "flash2": 50,
                "decision": 120,
                "delay": ["choice", _DELAYS],
            },
        },
        grid(interval=_DELAYS, rule=[0, 1], stimulus=[0, 1], tie=[0])
        + grid(interval=[850], rule=[0, 1], stimulus=[0, 1], tie=[1]),
        plays=1,
    ),
    Setting(
        "hr-abort",
        HR,
        {
            "dt": 50,
            "timing": {
                "fixation": 400,
                "rule_target": 300,
                "fixation2": 450,
                "decision": 300,
                "delay": ["choice", [500, 700, 900]],
            },
            "rewards": {"abort": -0.5, "correct": 2.0, "fail": -1.0},
        },
        grid(interval=[500, 700, 900], rule=[0, 1], stimulus=[0, 1], tie=[0, 1]),
        attributes={"abort": True},
        plays=2,
    ),
    # NeuroGym draws the delay twice, and scores the first while it shows the second.
    Setting(
        "hr-two-draws",
        HR,
        {"timing": {"fixation": 500, "fixation2": 600, "delay": ["choice", _DELAYS]}},
        [
            {"interval": scored, "rule": rule, "stimulus": stimulus, "tie": 0, "shown": shown}
            for scored, shown in ((530, 1170), (1170, 530), (690, 690), (1010, 1010))
            for rule in (0, 1)
            for stimulus in (0, 1)
        ],
    ),
]


def _between_thresholds(there, task):
    threshold = there.meta["notes"]["threshold"]
    here = np.floor(float(np.asarray(task.timing["delay"].median())) / task.dt + 1e-3) * task.dt
    interval = np.floor(there.condition("interval") / task.dt) * task.dt
    low, high = min(here, threshold), max(here, threshold)
    return there.always((interval >= low) & (interval <= high) & (here != threshold))


def _two_delays(there, task):
    drawn_twice = "condition:shown" in there.arrays
    return there.always(there.condition("interval") != there.condition("shown") if drawn_twice else False)


PLACES = {
    ("HierarchicalReasoning", "threshold"): _between_thresholds,
    ("HierarchicalReasoning", "interval"): _two_delays,
}


def prepare(machine, setting, conditions):
    """NeuroGym draws the delay twice, and scores the first while it shows the second; a coin settles ties."""
    machine.rng.coin = 0.25 if conditions.pop("tie") else 0.75
    interval = conditions.pop("interval")
    machine.rng.durations = [interval, conditions.pop("shown", interval)]
    return conditions


def notes(machine, setting):
    """What the comparison must know of NeuroGym beside the trials."""
    return {"threshold": float(machine.base.mid_delay)}
