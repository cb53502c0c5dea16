"""Detection sessions after ANNUBeS, which NeuroGym does not register."""

from __future__ import annotations

import importlib

import numpy as np

from .base import Setting

ANNUBES = "AnnubesEnv-v0"
ENTRY = "neurogym.envs.native.annubes:AnnubesEnv"
_BOTH = {"session": {"a": 0.5, "v": 0.5}, "catch_prob": 0.5}  # sorted, as the recordings keep them


def _trials(*rows):
    return [dict(zip(("stimulus", "intensity_a", "intensity_v"), row, strict=True)) for row in rows]


def _setting(name, keywords, conditions):
    # the inter-trial interval begins a trial here, and ends it there
    return Setting(name, ANNUBES, keywords, conditions, entry=ENTRY, periods=("fixation", "stimulus"), plays=1)


SETTINGS = [
    _setting("annubes-defaults", _BOTH, _trials((0, 0.8, 0), (0, 1.0, 0), (1, 0, 0.9), (2, 0, 0))),
    _setting(
        "annubes-combined",
        {
            "session": {"a": 1, "a+v": 2, "v": 1},
            "catch_prob": 0.3,
            "intensities": {"v": [0.5, 1.0], "a": [0.2]},
            "fix_intensity": 0.1,
            "fix_time": 300,
            "stim_time": 220,
            "dt": 50,
            "tau": 80,
            "noise_std": 0.02,
            "output_behavior": [0.0, 0.5, 1.0],
            "rewards": {"abort": -0.2, "correct": 1.5, "fail": -0.5},
        },
        _trials((0, 0.2, 0), (1, 0.2, 1.0), (2, 0, 0.5), (3, 0, 0)),
    ),
    _setting(
        "annubes-short",
        {**_BOTH, "dt": 20, "fix_time": 110, "stim_time": 90, "tau": 50},
        _trials((0, 0.9, 0), (1, 0, 1.0), (2, 0, 0)),
    ),
    _setting("annubes-iti", {**_BOTH, "fix_time": 200, "iti": 100, "stim_time": 200}, _trials((0, 0.9, 0), (2, 0, 0))),
]

PLACES = {
    ("AnnubesEnv", "scoring"): lambda there, task: there.during("stimulus"),
    ("AnnubesEnv", "noise"): lambda there, task: there.during("stimulus"),
    # until NeuroGym's stimulus, there is nothing to see and nothing to do on either side
    ("AnnubesEnv", "iti"): lambda there, task: (
        (there.during("stimulus") | there.during("iti")) & (task.timing["iti"].upper() > 0)
    ),
}


def make(setting):
    """NeuroGym takes combinations as tuples, which JSON does not know."""
    module, name = ENTRY.split(":")
    keywords = {**setting.keywords, **setting.there}
    keywords["session"] = {tuple(kind.split("+")): ratio for kind, ratio in keywords["session"].items()}
    return getattr(importlib.import_module(module), name)(**keywords)


class _Drawn:
    """The draws of one trial: of its kind, and of an intensity for each of its modalities."""

    def __init__(self, kind: int, intensities: list[float]):
        self.kind, self.intensities = kind, intensities

    def choice(self, options, *args, **kwargs):
        return self.kind if isinstance(options, int) else np.array([self.intensities.pop(0)])


def prepare(machine, setting, conditions):
    """The task draws from a generator of its own; nothing is given to it by name."""
    base, kinds = machine.base, [tuple(sorted(kind.split("+"))) for kind in setting.keywords["session"]]
    shown = kinds[conditions["stimulus"]] if conditions["stimulus"] < len(kinds) else ()
    there = [*base.session, ()]
    base._rng = _Drawn(there.index(shown), [conditions[f"intensity_{name}"] for name in shown])
    return {}
