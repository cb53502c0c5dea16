"""Delayed comparison."""

from __future__ import annotations

from .base import Setting, grid

COMPARE = "DelayComparison-v0"
_PAIRS = [(18, 10), (22, 14), (26, 18), (30, 22), (34, 26)]

SETTINGS = [
    Setting("compare-defaults", COMPARE, {}, grid(ground_truth=[1, 2], pair=[0, 2, 4]), plays=1),
    Setting(
        "compare-pairs",
        COMPARE,
        {
            "dt": 20,
            "vpairs": [[3, 1], [4.5, 2], [10, -2]],
            "sigma": 0.4,
            "timing": {"fixation": 110, "stimulus1": 150, "delay": 90, "stimulus2": 100, "decision": 130},
        },
        grid(ground_truth=[1, 2], pair=[0, 1, 2]),
        plays=1,
    ),
    Setting(
        "compare-abort",
        COMPARE,
        {"dt": 50, "sigma": 2.0, "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5}, "timing": {"delay": 300}},
        grid(ground_truth=[1, 2], pair=[1, 3]),
        attributes={"abort": True},
        plays=1,
    ),
]


def prepare(machine, setting, conditions):
    """NeuroGym takes the pair itself."""
    pairs = setting.keywords.get("vpairs", _PAIRS)
    return {"ground_truth": int(conditions["ground_truth"]), "vpair": tuple(pairs[int(conditions["pair"])])}
