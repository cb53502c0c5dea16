"""PerceptualDecisionMaking, its reaction-time version (which `roitman02` is), and its version with a delay."""

from __future__ import annotations

from .base import Setting, grid

PDM = "PerceptualDecisionMaking-v0"
DELAYED = "PerceptualDecisionMakingDelayResponse-v0"
_COHERENCES = [0, 6.4, 12.8, 25.6, 51.2]
_UNTIL_STIMULUS = ("fixation", "stimulus")

SETTINGS = [
    Setting("pdm-defaults", PDM, {}, grid(ground_truth=[0, 1], coh=_COHERENCES)),
    Setting(
        "pdm-ring4",
        PDM,
        {
            "dt": 20,
            "dim_ring": 4,
            "cohs": [3.2, 25.6, 100.0],
            "sigma": 0.7,
            "abort": True,
            "timing": {"fixation": 90, "stimulus": 300, "delay": 120, "decision": 200},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5},
        },
        grid(ground_truth=[0, 1, 2, 3], coh=[3.2, 25.6, 100.0]),
    ),
    Setting(
        "pdm-no-fixation",
        PDM,
        {
            "dt": 50,
            "dim_ring": 3,
            "cohs": [12.8],
            "sigma": 2.0,
            "timing": {"fixation": 0, "stimulus": 475, "delay": 80, "decision": 330},
            "rewards": {"fail": -1.0},
        },
        grid(ground_truth=[0, 1, 2], coh=[12.8]),
    ),
    Setting(
        "rt-defaults",
        PDM,
        {},
        grid(ground_truth=[0, 1], coh=_COHERENCES),
        reaction_time={},
        singles=True,
        periods=_UNTIL_STIMULUS,
    ),
    Setting(
        "rt-urgency",
        PDM,
        {
            "dt": 20,
            "abort": True,
            "sigma": 0.5,
            "timing": {"fixation": 100, "stimulus": 400, "delay": 200},
            "rewards": {"correct": 3.0, "fail": -1.0},
        },
        grid(ground_truth=[0, 1], coh=[0, 51.2]),
        reaction_time={"urgency": -0.02},
        singles=True,
        periods=_UNTIL_STIMULUS,
    ),
    Setting(
        "rt-whole-trial",
        PDM,
        {"dt": 50, "dim_ring": 3, "timing": {"fixation": 200, "stimulus": 500, "decision": 300}},
        grid(ground_truth=[0, 1, 2], coh=[6.4, 51.2]),
        reaction_time={"urgency": 0.01, "end_on_stimulus": False},
        singles=True,
        periods=_UNTIL_STIMULUS,
    ),
    Setting(
        "rt-whole-trial-delay",
        PDM,
        {"timing": {"fixation": 200, "stimulus": 500, "delay": 400, "decision": 300}},
        grid(ground_truth=[0, 1], coh=[51.2]),
        reaction_time={"end_on_stimulus": False},
        singles=True,
        periods=_UNTIL_STIMULUS,
        plays=6,
    ),
    Setting(
        "pdr-defaults",
        DELAYED,
        {"timing": {"delay": 500}},
        grid(ground_truth=[1, 2], coh=[6.4, 51.2]),
        plays=1,
    ),
    Setting(
        "pdr-abort",
        DELAYED,
        {
            "dt": 50,
            "sigma": 0.4,
            "stim_scale": 0.5,
            "timing": {"fixation": 120, "stimulus": 300, "delay": 210, "decision": 200},
            "rewards": {"abort": -0.4, "correct": 2.0, "fail": -1.0},
        },
        grid(ground_truth=[1, 2], coh=[3.2, 25.6]),
        attributes={"abort": True},
        plays=2,
    ),
    Setting(
        "pdr-no-delay",
        DELAYED,
        {"dt": 20, "timing": {"fixation": 100, "stimulus": 100, "delay": 0, "decision": 100}},
        grid(ground_truth=[1, 2], coh=[0, 12.8]),
        plays=1,
    ),
]


def _delay_scored(there, task):
    delayed = not task.end_on_stimulus and "delay" in there.meta["period_names"]
    return there.during("delay") if delayed else there.always(False)


PLACES = {
    ("ReactionTime", "response in the delay, with end_on_stimulus=False"): _delay_scored,
    ("PerceptualDecisionMakingDelayResponse", "early responses"): lambda there, task: (
        there.during("stimulus") | there.during("delay")
    ),
}
