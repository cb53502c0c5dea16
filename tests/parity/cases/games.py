"""Games."""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

PENNY = "MatchingPenny-v0"
_SAME = lambda previous: grid(opponent_action=[0, 1], previous=[previous])
_NAMES = {"previous": "previous_action"}

SETTINGS = [
    # Where all opponents chose the same before, it cannot be told that NeuroGym shows the frame of another trial.
    Setting("penny-random", PENNY, {"opponent_type": "random"}, _SAME(0), names=_NAMES, plays=2),
    Setting(
        "penny-mean", PENNY, {"dt": 20, "rewards": {"correct": 2.0, "fail": -1.0}}, _SAME(1), names=_NAMES, plays=2
    ),
    Setting(
        "penny-lag",
        PENNY,
        {"opponent_type": "random"},
        grid(opponent_action=[0, 1], previous=[0, 1]),
        names=_NAMES,
        plays=2,
        closed_loop=True,
    ),
]

PLACES = {
    ("MatchingPenny", "observation"): lambda there, task: there.always(len(set(there.condition("previous"))) > 1),
}
_PLAYED = "0011101000110111111001010001111010000101101110"


def _build(**keywords):
    """NeuroGym's task, which cannot be built as it is: it has no timing, and does not say that it needs none."""
    from neurogym.envs.contrib.matchingpenny import MatchingPenny

    class Buildable(MatchingPenny):
        def _post_init(self):
            super()._post_init(allow_empty_timing=True)

        def _step(self, action):
            ob, reward, terminated, truncated, info = super()._step(action)
            return ob, reward, terminated, truncated, {**info, "gt": int(info["gt"][0])}

    return Buildable(**keywords)


def make(setting):
    return _build(**setting.keywords, **setting.there)


def prepare(machine, setting, conditions):
    """The opponent's choice: tossed, or against a mean that is put where it gives that choice."""
    machine.base.prev_opp_action = conditions.pop("previous")
    action = conditions.pop("opponent_action")
    machine.base.mean_action = 1 - action
    machine.rng.script = {"rand": [0.75 if action else 0.25]}
    return conditions


def notes(machine, setting):
    """What NeuroGym's opponent answers to a sequence of choices of its own accord."""
    if machine.base.opponent_type != "mean_action":
        return {}
    env = _build(learning_rate=0.3)
    env.rng = np.random.RandomState(0)
    env.new_trial()
    answers = []
    for action in map(int, _PLAYED):
        answers.append(int(env.trial["opponent_action"]))
        env.step(action)
    return {"played": _PLAYED, "answers": answers, "learning_rate": 0.3}
