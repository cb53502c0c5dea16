"""Two-step decisions."""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

DAW = "DawTwoStep-v0"
_TRIALS = grid(hi_state=[0, 1], transition=[0.1, 0.65, 0.95], luck=[0.05, 0.4, 0.95])
REST = 1  # not to choose ends the trial

SETTINGS = [
    Setting("daw-defaults", DAW, {}, _TRIALS, plays=1, closed_loop=True),
    Setting(
        "daw-rewards", DAW, {"dt": 20, "rewards": {"abort": -1.0, "correct": 3.0}}, _TRIALS, plays=1, closed_loop=True
    ),
    Setting(
        "daw-probabilities",
        DAW,
        {},
        _TRIALS,
        attributes={"p1": 0.6, "p2": 0.9, "high_reward_p": 0.7, "low_reward_p": 0.3},
        plays=1,
        closed_loop=True,
    ),
]


def _first(there, task):
    steps = np.arange(there.arrays["targets"].shape[1])
    return there.always(True) & (steps == 0)


PLACES = {
    ("DawTwoStep", "target"): _first,
    ("DawTwoStep", "frame after an abort"): _first,
}


def make(setting):
    """NeuroGym's task has no first frame before somebody has acted; it is the one that other trials begin with."""
    import gymnasium

    env = gymnasium.make(setting.task, disable_env_checker=True, **setting.keywords, **setting.there).unwrapped
    env.ob = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    return env


def prepare(machine, setting, conditions):
    """The draws of a trial, in NeuroGym's order: both transitions, no switch, and both states' rewards."""
    machine.base.state1_high_reward = conditions.pop("hi_state") == 0
    transition, luck = conditions.pop("transition"), conditions.pop("luck")
    machine.rng.script = {"rand": [transition, transition, 1.0, luck, luck]}
    return conditions


def oracle(machine, setting, t, trial):
    """The better state's choice, then fixation: NeuroGym has no ground truth."""
    return 1 + int(machine.base.trial["hi_state"]) if t == 0 else 0
