"""Reaching."""

from __future__ import annotations

import math

import numpy as np

from .base import Setting, grid

REACH = "Reaching1D-v0"
SELF = "Reaching1DWithSelfDistraction-v0"
RDR = "ReachingDelayResponse-v0"
# NeuroGym cuts the angle that it scores to whole radians, so these are scored alike; the others are not
_WHOLE_ANGLES = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0]
_ANGLES = [0.4, math.pi, 4.7, 6.28]
# NeuroGym's hand, .05 rad a time step: neurojax's default is repaired
_SLOW_HAND = {"speed": 0.0, "step": 0.05}

SETTINGS = [
    Setting("reach-defaults", REACH, {}, grid(ground_truth=_WHOLE_ANGLES + _ANGLES), here=_SLOW_HAND, closed_loop=True),
    Setting(
        "reach-ring8",
        REACH,
        {
            "dt": 50,
            "dim_ring": 8,
            "timing": {"fixation": 225, "reach": 1500},
            "rewards": {"correct": 2.0, "fail": -0.5},
        },
        grid(ground_truth=_WHOLE_ANGLES + _ANGLES),
        here=_SLOW_HAND,
        closed_loop=True,
    ),
    Setting(
        "reach-no-fixation",
        REACH,
        {"dt": 20, "dim_ring": 5, "timing": {"fixation": 0, "reach": 400}, "rewards": {"correct": 1.0, "fail": 0.0}},
        grid(ground_truth=_WHOLE_ANGLES),
        here=_SLOW_HAND,
        closed_loop=True,
    ),
    Setting("reach-fast-hand", REACH, {}, grid(ground_truth=[1.0, 3.0, 5.0]), plays=1, closed_loop=True),
    Setting(
        "self-defaults",
        SELF,
        {},
        grid(ground_truth=[0.0, 5.0, 0.4, 4.7]),
        here=_SLOW_HAND,
        plays=1,
        closed_loop=True,
    ),
    Setting(
        "self-rewards",
        SELF,
        {
            "dt": 50,
            "timing": {"fixation": 90, "reach": 300},
            "rewards": {"correct": 2.0, "fail": -0.5},
        },
        grid(ground_truth=[1.0, 3.0, 6.0]),
        here=_SLOW_HAND,
        plays=1,
        closed_loop=True,
    ),
    Setting("self-fast-hand", SELF, {}, grid(ground_truth=[1.0, 5.0]), plays=1, closed_loop=True),
    Setting("rdr-no-delay", RDR, {"timing": {"delay": 0}}, grid(ground_truth=[0.0, 0.25, 0.7, 1.0])),
    Setting("rdr-delay-1000", RDR, {"timing": {"delay": 1000}}, grid(ground_truth=[0.0, 0.25, 0.7, 1.0])),
    Setting("rdr-delay-2000", RDR, {"timing": {"delay": 2000}}, grid(ground_truth=[0.0, 0.25, 0.7, 1.0])),
    Setting(
        "rdr-bounds",
        RDR,
        {
            "dt": 20,
            "lowbound": -0.5,
            "highbound": 1.5,
            "timing": {"stimulus": 110, "delay": 150, "decision": 200},
            "rewards": {"abort": -0.3, "correct": 4.0, "miss": -1.5},
        },
        grid(ground_truth=[-0.5, 0.1, 1.2, 1.5]),
    ),
    Setting(
        "rdr-abort",
        RDR,
        {"dt": 50, "timing": {"delay": 500}, "rewards": {"abort": -1.0}},
        grid(ground_truth=[0.3, 0.9]),
        attributes={"abort": True},
    ),
    Setting("rdr-fail", RDR, {"timing": {"delay": 0}, "rewards": {"fail": -0.5}}, grid(ground_truth=[0.3, 0.9])),
]


def _hand_places(name: str) -> dict:
    """Where the deviations that both tasks of a moving hand share may show."""
    return {
        (name, "target"): lambda there, task: there.always(True),
        (name, "scored angle"): lambda there, task: there.always(
            there.condition("ground_truth") != np.floor(there.condition("ground_truth"))
        ),
        # settings that do not ask for NeuroGym's hand
        (name, "speed"): lambda there, task: there.always(not there.meta["setting"]["here"]),
    }


PLACES = {
    **_hand_places("Reaching1D"),
    **_hand_places("Reaching1DWithSelfDistraction"),
    ("ReachingDelayResponse", "rewards['fail']"): lambda there, task: (
        there.during("decision") & (float(task.rewards["fail"]) != 0)
    ),
}


def prepare(machine, setting, conditions):
    """The ground truth is a place, not a whole number."""
    return conditions


def oracle(machine, setting, t, trial):
    """The way to the target on the circle: NeuroGym's ground truth is no action there."""
    if setting.task not in (REACH, SELF):
        return None
    away = np.mod(machine.base.trial["ground_truth"] - machine.base.state + np.pi, 2 * np.pi) - np.pi
    return 0 if abs(away) < 0.025 else (1 if away > 0 else 2)
