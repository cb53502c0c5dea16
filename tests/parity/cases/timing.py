"""Interval timing."""

from __future__ import annotations

from .base import Setting, grid

RSG = "ReadySetGo-v0"
INTERVAL = "IntervalDiscrimination-v0"
MOTOR = "MotorTiming-v0"
THREE = "OneTwoThreeGo-v0"

SETTINGS = [
    Setting("rsg-defaults", RSG, {}, grid(measure=[800.0, 960.0, 1123.4, 1499.0]), singles=True),
    Setting(
        "rsg-gain",
        RSG,
        {
            "dt": 20,
            "gain": 1.5,
            "prod_margin": 0.1,
            "timing": {"fixation": 200, "ready": 83, "measure": ["uniform", [300, 500]], "set": 105},
        },
        grid(measure=[300.0, 340.0, 412.3, 499.0]),
        plays=2,
        singles=True,
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
        grid(measure=[640.0, 700.0, 920.0]),
        attributes={"abort": True},
        singles=True,
    ),
    Setting(
        "interval-defaults",
        INTERVAL,
        {},
        [
            {"duration1": 560.0, "duration2": 420.0, "delay1": 903.0},
            {"duration1": 330.0, "duration2": 599.0, "delay1": 1499.0},
            {"duration1": 400.0, "duration2": 478.0, "delay1": 800.0},
        ],
        plays=1,
    ),
    Setting(
        "interval-fine",
        INTERVAL,
        {
            "dt": 20,
            "timing": {
                "fixation": 90,
                "stim1": ["uniform", [100, 200]],
                "stim2": ["uniform", [60, 160]],
                "delay1": ["uniform", [200, 300]],
                "delay2": 100,
                "decision": 110,
            },
            "rewards": {"abort": -0.4, "correct": 2.0, "fail": -0.5},
        },
        [
            {"duration1": 139.0, "duration2": 121.0, "delay1": 222.0},
            {"duration1": 111.0, "duration2": 148.0, "delay1": 260.0},
        ],
        plays=1,
    ),
    Setting(
        "interval-abort",
        INTERVAL,
        {"dt": 40, "timing": {"delay1": ["choice", [200, 400]]}},
        [
            {"duration1": 480.0, "duration2": 320.0, "delay1": 400.0},
            {"duration1": 350.0, "duration2": 599.0, "delay1": 200.0},
        ],
        attributes={"abort": True},
        plays=1,
    ),
    Setting(
        "motor-one-step-flash",
        MOTOR,
        {"timing": {"set": 83}},
        [{"production_ind": 0, "cue": 1234.0}, {"production_ind": 1, "cue": 1050.0}],
        plays=1,
        singles=True,
    ),
    Setting(
        "motor-fine",
        MOTOR,
        {
            "dt": 40,
            "prod_margin": 0.1,
            "timing": {"fixation": 200, "cue": ["uniform", [300, 400]], "set": 50},
            "rewards": {"abort": -0.4, "correct": 2.0, "fail": -0.5},
        },
        [{"production_ind": 0, "cue": 311.0}, {"production_ind": 1, "cue": 399.0}],
        plays=1,
        singles=True,
    ),
    Setting(
        "motor-abort",
        MOTOR,
        {"dt": 50, "timing": {"cue": ["choice", [100, 150]]}},
        [{"production_ind": 0, "cue": 100.0}, {"production_ind": 1, "cue": 150.0}],
        attributes={"abort": True, "intervals": [300, 720]},
        plays=1,
        singles=True,
    ),
    Setting(
        "123go-defaults",
        THREE,
        {},
        [
            {"interval": 600.0, "fixation": 399.0, "target": 1000.0},
            {"interval": 900.0, "fixation": 100.0, "target": 1499.0},
            {"interval": 1000.0, "fixation": 790.0, "target": 500.0},
        ],
        plays=1,
        singles=True,
    ),
    Setting(
        "123go-fine",
        THREE,
        {
            "dt": 20,
            "prod_margin": 0.4,
            "timing": {
                "fixation": 60,
                "target": 110,
                "s1": 40,
                "s2": 60,
                "s3": 50,
                "interval1": [130, 200],
                "response": 150,
            },
            "rewards": {"abort": -0.4, "correct": 2.0, "fail": -0.5},
        },
        grid(interval=[130.0, 200.0]),
        plays=1,
        singles=True,
    ),
    Setting(
        "123go-abort",
        THREE,
        {"dt": 50, "timing": {"fixation": 100, "target": 200, "interval1": ["choice", [300, 450]]}},
        grid(interval=[300.0, 450.0]),
        attributes={"abort": True},
        plays=1,
        singles=True,
    ),
]


PLACES = {
    ("ReadySetGo", "target"): lambda there, task: there.during("production"),
    ("MotorTiming", "target"): lambda there, task: there.during("production"),
}


def prepare(machine, setting, conditions):
    """NeuroGym draws the durations itself: each draw gives the one that is wanted."""
    if setting.task == INTERVAL:
        machine.rng.durations = [conditions.pop(name) for name in ("duration1", "duration2", "delay1")]
    elif setting.task == MOTOR:
        machine.rng.durations = [conditions.pop("cue")]
        return {"production_ind": int(conditions["production_ind"])}
    elif setting.task == THREE:
        machine.rng.durations = [conditions.pop("interval")]
        named = [name for name in ("fixation", "target") if name in conditions]
        for name in named:  # these have generators of their own
            machine.base.timing[name].rng = machine.rng
        machine.rng.script["exponential"] = [conditions.pop(name) for name in named]
    else:  # it draws the interval more than once
        machine.rng.durations = [conditions.pop("measure")]
    return conditions
