"""PostDecisionWager."""

from __future__ import annotations

from .base import Setting, grid

PDW = "PostDecisionWager-v0"
# NeuroGym has the period pre_sure only where the sure target is offered (first of all, so that it is known).
_PERIODS = ("fixation", "stimulus", "delay", "decision")

SETTINGS = [
    Setting(
        "pdw-defaults",
        PDW,
        {"timing": {"stimulus": 200, "delay": 1350, "pre_sure": 600}},
        grid(wager=[1, 0], ground_truth=[0, 1], coh=[3.2, 51.2]),
        periods=_PERIODS,
        plays=2,
    ),
    Setting(
        "pdw-rewards",
        PDW,
        {
            "dt": 50,
            "sigma": 0.3,
            "timing": {"fixation": 120, "stimulus": 170, "delay": 250, "pre_sure": 110, "decision": 200},
            "rewards": {"abort": -0.5, "correct": 2.0, "fail": -1.0},
        },
        grid(wager=[1, 0], ground_truth=[0, 1], coh=[12.8]),
        here={"rewards": {"abort": -0.5, "correct": 2.0, "fail": -1.0, "sure": 1.4}},
        periods=_PERIODS,
        plays=2,
    ),
    Setting(
        "pdw-abort",
        PDW,
        {"dt": 20, "timing": {"fixation": 60, "stimulus": 60, "delay": 100, "pre_sure": 0, "decision": 60}},
        grid(wager=[1, 0], ground_truth=[0, 1], coh=[0, 25.6]),
        attributes={"abort": True},
        periods=_PERIODS,
        plays=2,
    ),
]

PLACES = {("PostDecisionWager", "correct choice"): lambda there, task: there.during("decision")}
