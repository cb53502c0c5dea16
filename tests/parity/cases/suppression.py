"""Spatial suppression."""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

SSM = "SpatialSuppressMotion-v0"
_WEAK, _STRONG = 0.05, 0.99
_MIXED = [
    {"direction": direction, "contrast": contrast}
    for direction, contrast in ((1, _WEAK), (2, _STRONG), (3, _WEAK), (4, _STRONG))
]
# NeuroGym reads its table one frame of 8.3 ms further each step, whatever dt
_FRAME = 8.3
REST = np.zeros(4, np.float32)

SETTINGS = [
    Setting("suppression-defaults", SSM, {}, _MIXED, plays=1),
    Setting("suppression-dt10", SSM, {"dt": 10}, grid(direction=[1, 4], contrast=[_WEAK, _STRONG]), plays=1),
    Setting(
        "suppression-short",
        SSM,
        {"timing": {"stimulus": 100}},
        grid(direction=[2, 3], contrast=[_WEAK, _STRONG]),
        plays=1,
    ),
]


def _sums_above_one(there, task):
    return there.arrays["targets"].min(-1) < 0


PLACES = {
    ("SpatialSuppressMotion", "target"): _sums_above_one,
    ("SpatialSuppressMotion", "clock of the target"): lambda there, task: there.always(task.dt != _FRAME),
    ("SpatialSuppressMotion", "score"): lambda there, task: there.always(True),
    # NeuroGym's trial is a step shorter there
    ("SpatialSuppressMotion", "last step"): lambda there, task: (
        there.always(there.arrays["lengths"] < task.capacity)
        & (np.arange(there.arrays["targets"].shape[1])[None] >= there.arrays["lengths"][:, None] - 1)
    ),
}


def prepare(machine, setting, conditions):
    """NeuroGym counts directions from 1, and indexes with them."""
    return {**conditions, "direction": int(conditions["direction"])}
