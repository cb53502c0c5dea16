"""Delayed matching."""

from __future__ import annotations

from .base import Setting, grid, ring
from .response import go_nogo_places

DMS = "DelayMatchSample-v0"
DMC = "DelayMatchCategory-v0"
DISTRACT = "DelayMatchSampleDistractor1D-v0"
PAIRED = "DelayPairedAssociation-v0"
DUAL = "DualDelayMatchSample-v0"
_PAIRS = [(1, 3), (1, 4), (2, 3), (2, 4)]
# neurojax says where in its category a direction lies; NeuroGym draws that by `rand`
_POSITIONS = [{"sample_position": a, "test_position": b} for a, b in ((0.1, 0.85), (0.6, 0.3))]
_CATEGORIES = [{**g, **p} for g in grid(ground_truth=[1, 2], sample_category=[0, 1]) for p in _POSITIONS]
_DUAL = [
    {"ground_truth1": g1, "ground_truth2": g2, "sample1": s1, "sample2": s2, "test_order": order}
    for g1, g2, s1, s2, order in (
        (1, 1, 0.0, 0.0, 0), (1, 2, 0.5, 0.0, 0), (2, 1, 0.0, 0.5, 1), (2, 2, 0.5, 0.5, 1), (1, 2, 0.5, 0.5, 1),
    )
]  # fmt: skip

SETTINGS = [
    Setting("dms-defaults", DMS, {}, grid(ground_truth=[1, 2], sample_theta=ring(2))),
    Setting(
        "dms-ring4",
        DMS,
        {"dt": 20, "dim_ring": 4, "sigma": 0.3, "timing": {"delay": 210, "sample": 100, "test": 130, "decision": 200}},
        grid(ground_truth=[1, 2], sample_theta=ring(4)),
    ),
    Setting(
        "dms-abort",
        DMS,
        {"dt": 50, "dim_ring": 8, "sigma": 2.0, "rewards": {"abort": -1.0, "correct": 0.5, "fail": -0.2}},
        grid(ground_truth=[1, 2], sample_theta=ring(8)),
        attributes={"abort": True},
        plays=2,
    ),
    # NeuroGym's boundary, with rings that show on which side of it a direction lies
    Setting("dmc-ring8", DMC, {"dim_ring": 8}, _CATEGORIES[::2] + _CATEGORIES[1::2], here={"boundary": 0.0}, plays=1),
    Setting(
        "dmc-ring3",
        DMC,
        {
            "dt": 20,
            "dim_ring": 3,
            "sigma": 0.3,
            "timing": {"fixation": 90, "sample": 130, "first_delay": 100, "test": 150},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5},
        },
        _CATEGORIES,
        here={"boundary": 0.0},
        attributes={"abort": True},
        plays=1,
    ),
    Setting("dmc-defaults", DMC, {}, _CATEGORIES, plays=1),
    Setting(
        "distract-defaults",
        DISTRACT,
        {},
        [{"ground_truth": k, "sample": 1.0 + k, "distractors": [0.3, 4.4]} for k in (1, 2, 3)],
        plays=1,
    ),
    Setting(
        "distract-sigma",
        DISTRACT,
        {"sigma": 0.5, "timing": {"fixation": 100, "delay1": 200, "delay2": 400, "delay3": 300}},
        [{"ground_truth": k, "sample": 2.0 * k, "distractors": [6.2, 1.5]} for k in (1, 2, 3)],
        plays=1,
    ),
    Setting(
        "distract-abort",
        DISTRACT,
        {
            "dt": 50,
            "timing": {"fixation": 220, "sample": 150, "test1": 100, "delay2": 0, "test3": 130},
            "rewards": {"abort": -0.5, "correct": 2.0, "fail": -0.2},
        },
        [{"ground_truth": k, "sample": 0.1, "distractors": [3.0, 5.0]} for k in (1, 2, 3)],
        attributes={"abort": True},
        plays=1,
    ),
    Setting("paired-defaults", PAIRED, {}, grid(pair=[0, 1, 2, 3])),
    Setting(
        "paired-association",
        PAIRED,
        {
            "dt": 20,
            "sigma": 0.5,
            "timing": {"fixation": 60, "stim1": 110, "delay_btw_stim": 0, "stim2": 90, "delay_aft_stim": 50},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.4, "miss": -0.7},
        },
        grid(pair=[0, 1, 2, 3]),
        attributes={"association": 1},
    ),
    Setting(
        "paired-abort",
        PAIRED,
        {"dt": 50, "timing": {"fixation": 200, "stim1": 100, "delay_btw_stim": 150, "stim2": 100}},
        grid(pair=[0, 1, 2, 3]),
        attributes={"abort": True},
    ),
    Setting("dual-defaults", DUAL, {}, _DUAL, plays=1),
    Setting(
        "dual-short",
        DUAL,
        {
            "dt": 20,
            "sigma": 0.4,
            "timing": {"fixation": 0, "sample": 60, "delay1": 90, "cue1": 50, "test1": 80, "delay2": 40, "test2": 100},
            "rewards": {"abort": -0.2, "correct": 2.0, "fail": -0.5},
        },
        _DUAL,
        plays=1,
    ),
    Setting(
        "dual-abort",
        DUAL,
        {"dt": 100, "timing": {"fixation": 100, "delay1": 100, "cue1": 100, "delay2": 0, "cue2": 100, "test2": 300}},
        _DUAL,
        attributes={"abort": True},
        plays=1,
    ),
]


PLACES = {
    # settings that do not ask for NeuroGym's boundary
    ("DelayMatchCategory", "boundary"): lambda there, task: (
        (there.during("sample") | there.during("test")) & (not there.meta["setting"]["here"])
    ),
    ("DelayMatchSampleDistractor1D", "sigma"): lambda there, task: (
        (there.during("sample") | there.during("test1") | there.during("test2") | there.during("test3"))
        & bool(task.sigma > 0)
    ),
    **go_nogo_places("DelayPairedAssociation", lambda there: _no_go(there)),
    ("DelayPairedAssociation", "sigma"): lambda there, task: (
        (there.during("stim1") | there.during("stim2")) & bool(task.sigma > 0)
    ),
    ("DualDelayMatchSample", "first test's reward"): lambda there, task: there.during("test1"),
    ("DualDelayMatchSample", "performance"): lambda there, task: (
        there.during("delay2") | there.during("cue2") | there.during("test2")
    ),
}


def _no_go(there):
    """The pairs of two even or two odd numbers ask to go, or, with `association=1`, the others."""
    even = (there.condition("pair") == 0) | (there.condition("pair") == 3)
    return even if there.meta["setting"]["attributes"].get("association", 0) else ~even


def prepare(machine, setting, conditions):
    """NeuroGym's own words for the conditions, and what it draws besides."""
    if setting.task == DMC:
        machine.rng.script = {"rand": [conditions["sample_position"], conditions["test_position"]]}
        truth = {1: "match", 2: "non-match"}[int(conditions["ground_truth"])]
        return {"ground_truth": truth, "sample_category": int(conditions["sample_category"])}
    if setting.task == DISTRACT:
        # the first draw is of the sample, which is then given
        machine.rng.script = {"uniform": [0.0, *conditions["distractors"]]}
        return {"ground_truth": int(conditions["ground_truth"]), "sample": conditions["sample"]}
    if setting.task == PAIRED:
        pair = _PAIRS[int(conditions["pair"])]
        return {"pair": pair, "ground_truth": int((pair[1] - pair[0]) % 2 == machine.base.association)}
    return {name: int(v) if float(v).is_integer() else v for name, v in conditions.items()}
