"""Detection.

NeuroGym's Detection is not registered. It keeps the label of the last trial with a signal in catch trials, so a
setting's catch trials are no longer than the others, and its signals come late (where the stale label shows nothing),
or always at one time (where it does).
"""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

DET = "Detection-v0"
TONE = "ToneDetection-v0"
_ENTRY = "neurogym.envs.native.detection:Detection"

SETTINGS = [
    Setting(
        "det-defaults",
        DET,
        {},
        [
            {"ground_truth": 1, "delay": 600.0, "stimulus": 1312.0},
            {"ground_truth": 1, "delay": 900.0, "stimulus": 1312.0},
            {"ground_truth": 0, "delay": 0.0, "stimulus": 512.0},
        ],
        entry=_ENTRY,
        plays=1,
    ),
    Setting(
        "det-delay",
        DET,
        {
            "dt": 20,
            "sigma": 0.5,
            "stim_dur": 65,
            "timing": {"fixation": 90, "stimulus": 300},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5, "miss": -0.7},
        },
        grid(ground_truth=[1, 0]),
        here={"delay": 100},
        there={"delay": 5},
        entry=_ENTRY,
        plays=2,
    ),
    Setting(
        "det-abort",
        DET,
        {"dt": 50, "stim_dur": 50, "timing": {"fixation": 200, "stimulus": 400}},
        [{"ground_truth": 1, "delay": 150.0}, {"ground_truth": 0, "delay": 0.0}],
        attributes={"abort": True},
        entry=_ENTRY,
        plays=2,
    ),
    Setting("tone-defaults", TONE, {}, grid(condition=[0, 1, 2, 3]), names={"condition": "ground_truth"}, plays=1),
    Setting(
        "tone-short",
        TONE,
        {"dt": 25, "sigma": 0.7, "timing": {"stimulus": 510, "toneTiming": [100, 230, 400], "toneDur": 60}},
        grid(condition=[0, 1, 2, 3]),
        names={"condition": "ground_truth"},
        plays=1,
    ),
    Setting(
        "tone-steps",
        TONE,
        {"dt": 50, "sigma": 0.0, "timing": {"stimulus": 400, "toneTiming": [0, 100, 350]}},
        grid(condition=[0, 1, 2, 3]),
        names={"condition": "ground_truth"},
        plays=1,
    ),
]


def _catch(there, task):
    return there.always(there.condition("ground_truth") == 0)


def _last(there, task):
    """The last step, where the answer is scored."""
    lengths = there.arrays["lengths"][:, None]
    return np.arange(there.arrays["targets"].shape[1]) == lengths - 1


PLACES = {
    ("Detection", "catch noise"): _catch,
    ("Detection", "catch target"): _catch,
    ("Detection", "correct rejection"): _catch,
    ("ToneDetection", "score"): _last,
}


def prepare(machine, setting, conditions):
    """The time of the signal is a draw in steps, and the stimulus has a generator of its own."""
    if setting.task == TONE:
        return {"condition": int(conditions["condition"])}
    machine.rng.script["choice"] = [int(conditions["ground_truth"])]  # drawn, or else it would take the draw below
    if conditions["ground_truth"] == 1 and "delay" in conditions:
        machine.rng.script["randint"] = [int(conditions["delay"] / machine.base.dt)]
    if "stimulus" in conditions:
        machine.base.timing["stimulus"].rng = machine.rng
        machine.rng.script["exponential"] = [conditions["stimulus"]]
    return {"ground_truth": int(conditions["ground_truth"])}
