"""Bandits."""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

BANDIT = "Bandit-v0"
_LUCK = grid(luck=[0.05, 0.3, 0.45, 0.55, 0.8, 0.95])

SETTINGS = [
    Setting("bandit-defaults", BANDIT, {}, _LUCK, plays=1),
    Setting("bandit-three", BANDIT, {"n": 3, "p": [0.2, 0.5, 0.9], "rewards": [1.0, 2.0, 0.5]}, _LUCK, plays=1),
    Setting(
        "bandit-losses",
        BANDIT,
        {"dt": 20, "n": 4, "p": [0.0, 1.0, 0.5, 0.7], "rewards": [1, -1, -2, 3]},
        _LUCK,
        plays=1,
    ),
]

PLACES = {
    ("Bandit", "target"): lambda there, task: there.always(True),
    ("Bandit", "performance"): lambda there, task: there.always(True),
}


def prepare(machine, setting, conditions):
    """The trial pays where the arm's probability exceeds its luck."""
    machine.rng.script = {"random": [conditions.pop("luck")]}
    return conditions


def oracle(machine, setting, t, trial):
    """The arm of the greatest expected reward: NeuroGym has no ground truth."""
    return int(np.argmax(machine.base._p * machine.base._rewards))
