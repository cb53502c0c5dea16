"""PulseDecisionMaking and ProbabilisticReasoning (NeuroGym has no Poisson clicks)."""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

PULSES = "PulseDecisionMaking-v0"
SHAPES = "ProbabilisticReasoning-v0"


def _each(**laws) -> dict:
    """NeuroGym's names of durations: one for each bin or shape."""
    fixed = {"fixation", "delay", "decision"}
    count = laws.pop("count")
    out = {name: laws[name] for name in laws if name in fixed}
    return out | {f"{name}{i}": laws[name] for name in laws if name not in fixed for i in range(count)}


_PULSES_6 = [[1, 0, 1, 1, 0, 0], [0, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 1]]
_PULSES_3 = [[1, 0, 1], [0, 1, 0], [1, 1, 0]]

SETTINGS = [
    Setting("pulse-defaults", PULSES, {}, grid(pulse1=_PULSES_6[:2], pulse2=_PULSES_6[2:], tie=[0, 1]), plays=1),
    Setting(
        "pulse-three",
        PULSES,
        {"dt": 20, "n_bin": 3, "p_pulse": [0.1, 0.6], "rewards": {"abort": -0.3, "correct": 2.0, "fail": -1.0}},
        grid(pulse1=_PULSES_3, pulse2=_PULSES_3, tie=[0]),
        here={"timing": {"fixation": 100, "cue": 40, "bin": 70, "decision": 100}},
        there={"timing": _each(count=3, fixation=100, cue=40, bin=70, decision=100)},
        plays=1,
    ),
    Setting(
        "pulse-abort",
        PULSES,
        {"n_bin": 3},
        grid(pulse1=_PULSES_3[:2], pulse2=_PULSES_3[:2], tie=[0, 1]),
        here={"timing": {"fixation": 50, "cue": 10, "bin": 30, "decision": 50}},
        there={"timing": _each(count=3, fixation=50, cue=10, bin=30, decision=50)},
        attributes={"abort": True},
        plays=1,
    ),
    Setting(
        "shapes-defaults",
        SHAPES,
        {},
        grid(locs=[[2, 0, 3, 1]], shapes=[[9, 0, 5, 5], [1, 2, 3, 8]], ground_truth=[0, 1], delay=[460, 530]),
        plays=1,
    ),
    Setting(
        "shapes-two",
        SHAPES,
        {
            "dt": 50,
            "n_loc": 2,
            "shape_weight": [-1.0, 0.2, 0.5],
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -1.0},
        },
        grid(locs=[[0, 1], [1, 0]], shapes=[[0, 2], [1, 1]], ground_truth=[0, 1], delay=[150]),
        here={"timing": {"fixation": 100, "stimulus": 150, "delay": 150, "decision": 200}},
        there={"timing": _each(count=2, fixation=100, stimulus=150, delay=150, decision=200)},
        plays=1,
    ),
    Setting(
        "shapes-abort",
        SHAPES,
        {"n_loc": 3},
        grid(locs=[[1, 2, 0]], shapes=[[9, 4, 5]], ground_truth=[0, 1], delay=[200]),
        here={"timing": {"fixation": 100, "stimulus": 200, "delay": 200, "decision": 200}},
        there={"timing": _each(count=3, fixation=100, stimulus=200, delay=200, decision=200)},
        attributes={"abort": True},
        plays=2,
    ),
]


def prepare(machine, setting, conditions):
    """What NeuroGym draws of a trial for itself: the pulses, which side wins a tie, whether the odds come true."""
    if setting.task == PULSES:
        below = lambda pulses: np.where(pulses, -1.0, 2.0)  # of any probability, or not
        machine.rng.script = {
            "random": [below(conditions["pulse1"]), below(conditions["pulse2"])],
            "uniform": [0.05 if conditions["tie"] else -0.05],
        }
        return {}
    machine.rng.durations = [conditions.pop("delay")]
    machine.rng.script = {"rand": [-1.0 if conditions.pop("ground_truth") else 2.0]}
    return conditions
