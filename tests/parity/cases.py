"""What is compared with NeuroGym: tasks, their keywords, and the conditions of trials. Plain data, no imports.

NeuroGym draws durations where neurojax takes them as conditions, or fixes them in `timing`. Here every duration is
fixed in `timing`, or is the draw that the recorder forces: `interval` (HierarchicalReasoning), `measure` (ReadySetGo).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Setting:
    """One task with its keywords, and the conditions under which it is played.

    Attributes:
        name: name of the data file.
        task: the task's id.
        keywords: NeuroGym's keywords, which neurojax takes as well.
        conditions: the trials, by NeuroGym's names.
        here: further keywords for neurojax alone.
        attributes: what NeuroGym keeps as an attribute of the environment and neurojax takes as a keyword.
        reaction_time: keywords of the ReactionTime wrapper; None: not wrapped.
        periods: the periods whose boundaries are compared; None: all.
        plays: random sequences of actions of each kind for each trial.
    """

    name: str
    task: str
    keywords: dict[str, Any]
    conditions: list[dict[str, float]]
    here: dict[str, Any] = dataclasses.field(default_factory=dict)
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    reaction_time: dict[str, Any] | None = None
    periods: tuple[str, ...] | None = None
    plays: int = 3


def _grid(**values) -> list[dict[str, float]]:
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def _ring(size: int) -> list[float]:
    return [2 * math.pi * i / size for i in range(size)]


PDM = "PerceptualDecisionMaking-v0"
DMS = "DelayMatchSample-v0"
RSG = "ReadySetGo-v0"
HR = "HierarchicalReasoning-v0"
REACH = "Reaching1D-v0"
RDR = "ReachingDelayResponse-v0"

_COHERENCES = [0, 6.4, 12.8, 25.6, 51.2]
_DELAYS = [530, 610, 690, 770, 850, 930, 1010, 1090, 1170]
# NeuroGym cuts the angle that it scores to whole radians, so these are scored alike; the others are not
_WHOLE_ANGLES = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0]
_ANGLES = [0.4, math.pi, 4.7, 6.28]
_UNTIL_STIMULUS = ("fixation", "stimulus")
# NeuroGym's hand, .05 rad a time step: neurojax's default is repaired
_SLOW_HAND = {"speed": 0.0, "step": 0.05}

SETTINGS = [
    # ---------------------------------------------------------------- PerceptualDecisionMaking
    Setting("pdm-defaults", PDM, {}, _grid(ground_truth=[0, 1], coh=_COHERENCES)),
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
        _grid(ground_truth=[0, 1, 2, 3], coh=[3.2, 25.6, 100.0]),
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
        _grid(ground_truth=[0, 1, 2], coh=[12.8]),
    ),
    # ---------------------------------------------------------------- the same, as reaction-time version
    Setting(
        "rt-defaults",
        PDM,
        {},
        _grid(ground_truth=[0, 1], coh=_COHERENCES),
        reaction_time={},
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
        _grid(ground_truth=[0, 1], coh=[0, 51.2]),
        reaction_time={"urgency": -0.02},
        periods=_UNTIL_STIMULUS,
    ),
    Setting(
        "rt-whole-trial",
        PDM,
        {"dt": 50, "dim_ring": 3, "timing": {"fixation": 200, "stimulus": 500, "decision": 300}},
        _grid(ground_truth=[0, 1, 2], coh=[6.4, 51.2]),
        reaction_time={"urgency": 0.01, "end_on_stimulus": False},
        periods=_UNTIL_STIMULUS,
    ),
    Setting(
        "rt-whole-trial-delay",
        PDM,
        {"timing": {"fixation": 200, "stimulus": 500, "delay": 400, "decision": 300}},
        _grid(ground_truth=[0, 1], coh=[51.2]),
        reaction_time={"end_on_stimulus": False},
        periods=_UNTIL_STIMULUS,
        plays=6,
    ),
    # ---------------------------------------------------------------- DelayMatchSample
    Setting("dms-defaults", DMS, {}, _grid(ground_truth=[1, 2], sample_theta=_ring(2))),
    Setting(
        "dms-ring4",
        DMS,
        {"dt": 20, "dim_ring": 4, "sigma": 0.3, "timing": {"delay": 210, "sample": 100, "test": 130, "decision": 200}},
        _grid(ground_truth=[1, 2], sample_theta=_ring(4)),
    ),
    Setting(
        "dms-abort",
        DMS,
        {"dt": 50, "dim_ring": 8, "sigma": 2.0, "rewards": {"abort": -1.0, "correct": 0.5, "fail": -0.2}},
        _grid(ground_truth=[1, 2], sample_theta=_ring(8)),
        attributes={"abort": True},
        plays=2,
    ),
    # ---------------------------------------------------------------- ReadySetGo
    Setting("rsg-defaults", RSG, {}, _grid(measure=[800.0, 960.0, 1123.4, 1499.0])),
    Setting(
        "rsg-gain",
        RSG,
        {
            "dt": 20,
            "gain": 1.5,
            "prod_margin": 0.1,
            "timing": {"fixation": 200, "ready": 83, "measure": ["uniform", [300, 500]], "set": 105},
        },
        _grid(measure=[300.0, 340.0, 412.3, 499.0]),
        plays=2,
    ),
    Setting(
        "rsg-abort",
        RSG,
        {
            "dt": 40,
            "gain": 0.5,
            "prod_margin": 0.4,
            "timing": {"measure": ["choice", [640, 700, 920]]},
            "rewards": {"abort": -0.4, "correct": 2.0, "fail": -0.5},
        },
        _grid(measure=[640.0, 700.0, 920.0]),
        attributes={"abort": True},
    ),
    # ---------------------------------------------------------------- HierarchicalReasoning
    # The default law of the delay; where the middle delay is no whole number of steps, `tie` decides here, not there.
    Setting(
        "hr-defaults",
        HR,
        {"timing": {"fixation": 500, "fixation2": 600}},
        _grid(interval=_DELAYS, rule=[0, 1], stimulus=[0, 1], tie=[1]),
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
        _grid(interval=_DELAYS, rule=[0, 1], stimulus=[0, 1], tie=[0])
        + _grid(interval=[850], rule=[0, 1], stimulus=[0, 1], tie=[1]),
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
        _grid(interval=[500, 700, 900], rule=[0, 1], stimulus=[0, 1], tie=[0, 1]),
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
    # ---------------------------------------------------------------- Reaching1D
    Setting("reach-defaults", REACH, {}, _grid(ground_truth=_WHOLE_ANGLES + _ANGLES), here=_SLOW_HAND),
    Setting(
        "reach-ring8",
        REACH,
        {
            "dt": 50,
            "dim_ring": 8,
            "timing": {"fixation": 225, "reach": 1500},
            "rewards": {"correct": 2.0, "fail": -0.5},
        },
        _grid(ground_truth=_WHOLE_ANGLES + _ANGLES),
        here=_SLOW_HAND,
    ),
    Setting(
        "reach-no-fixation",
        REACH,
        {"dt": 20, "dim_ring": 5, "timing": {"fixation": 0, "reach": 400}, "rewards": {"correct": 1.0, "fail": 0.0}},
        _grid(ground_truth=_WHOLE_ANGLES),
        here=_SLOW_HAND,
    ),
    Setting("reach-fast-hand", REACH, {}, _grid(ground_truth=[1.0, 3.0, 5.0]), plays=1),
    # ---------------------------------------------------------------- ReachingDelayResponse
    Setting("rdr-no-delay", RDR, {"timing": {"delay": 0}}, _grid(ground_truth=[0.0, 0.25, 0.7, 1.0])),
    Setting("rdr-delay-1000", RDR, {"timing": {"delay": 1000}}, _grid(ground_truth=[0.0, 0.25, 0.7, 1.0])),
    Setting("rdr-delay-2000", RDR, {"timing": {"delay": 2000}}, _grid(ground_truth=[0.0, 0.25, 0.7, 1.0])),
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
        _grid(ground_truth=[-0.5, 0.1, 1.2, 1.5]),
    ),
    Setting(
        "rdr-abort",
        RDR,
        {"dt": 50, "timing": {"delay": 500}, "rewards": {"abort": -1.0}},
        _grid(ground_truth=[0.3, 0.9]),
        attributes={"abort": True},
    ),
    Setting("rdr-fail", RDR, {"timing": {"delay": 0}, "rewards": {"fail": -0.5}}, _grid(ground_truth=[0.3, 0.9])),
]
