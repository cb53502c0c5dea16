"""Estimation: AngleReproduction, which is not registered in NeuroGym and crashes at its first step."""

from __future__ import annotations

import importlib

import numpy as np

from .base import Setting

ANGLE = "AngleReproduction-v0"
_SHORT = {"fixation": 100, "stim1": 200, "delay1": 200, "stim2": 200, "delay2": 100}
# NeuroGym's hand, .05 rad a time step, one for both reports: neurojax's defaults are repaired
_ONE_SLOW_HAND = {"speed": 0.0, "step": 0.05, "carry": True}
# NeuroGym cuts the angles that it scores to whole radians
_WHOLE = [{"ground_truth1": 3.0, "ground_truth2": 4.0}, {"ground_truth1": 2.0, "ground_truth2": 6.0}]
_ANY = [{"ground_truth1": 2.6, "ground_truth2": 3.9}]

SETTINGS = [
    Setting(
        "angle-one-slow-hand",
        ANGLE,
        {"timing": {"delay1": 200, "delay2": 200}},
        [_WHOLE[0], *_ANY],
        here=_ONE_SLOW_HAND,
        closed_loop=True,
        plays=1,
    ),
    Setting(
        "angle-fine",
        ANGLE,
        {"dt": 50, "timing": {**_SHORT, "go1": 225, "go2": 400}, "rewards": {"correct": 2.0, "fail": -0.5}},
        _WHOLE,
        here=_ONE_SLOW_HAND,
        closed_loop=True,
        plays=1,
    ),
    Setting("angle-defaults", ANGLE, {"timing": _SHORT}, _WHOLE, closed_loop=True, plays=1),
]


PLACES = {
    ("AngleReproduction", "target"): lambda there, task: there.always(True),
    ("AngleReproduction", "scored angle"): lambda there, task: there.always(
        there.condition("ground_truth1") != np.floor(there.condition("ground_truth1"))
    ),
    # settings that do not ask for NeuroGym's hand
    ("AngleReproduction", "speed"): lambda there, task: there.always(not there.meta["setting"]["here"]),
    ("AngleReproduction", "second report"): lambda there, task: there.during("go2") & (not bool(task.carry)),
}


def make(setting):
    """NeuroGym's environment with a place for the hand: it writes it into a string, where it should be shown."""
    cls = importlib.import_module("neurogym.envs.contrib.anglereproduction").AngleReproduction

    class Mended(cls):
        ob_now = property(lambda self: np.zeros(34))

        def post_step(self, ob, reward, terminated, truncated, info):
            ob = self.ob[self.t_ind].copy()
            ob[16:32] = np.cos(self.theta - self.state)
            return ob, reward, terminated, truncated, info

    return Mended(**setting.keywords, **setting.there)


def prepare(machine, setting, conditions):
    """The angles are no whole numbers."""
    return conditions


def oracle(machine, setting, t, trial):
    """The way to the angle that is reported: NeuroGym's ground truth is no action."""
    name = "ground_truth1" if t < machine.base.start_ind["go2"] else "ground_truth2"
    away = np.mod(machine.base.trial[name] - machine.base.state + np.pi, 2 * np.pi) - np.pi
    return 0 if abs(away) < 0.025 else (1 if away > 0 else 2)
