"""Shaping: trials of each stage. How stages follow each other is tested with scripted behaviour."""

from __future__ import annotations

import numpy as np

from .base import Setting

CV = "CVLearning-v0"
ENTRY = "neurogym.envs.contrib.cv_learning:CVLearning"


def _trial(stage, ground_truth, *, barred=0, coh=100.0, share=0.0, long_delay=0, delay=1000):
    return {
        "stage": stage,
        "barred": barred,
        "ground_truth": ground_truth,
        "coh": coh,
        "share": share,
        "long_delay": long_delay,
        "delay": delay,
    }


_STAGES = [
    _trial(0, 1),
    _trial(0, 2),
    _trial(0, 2, barred=1),
    _trial(0, 1, barred=2),
    _trial(1, 1),
    _trial(1, 2),
    _trial(2, 1),
    _trial(2, 2),
]

SETTINGS = [
    Setting("cv-early-stages", CV, {}, _STAGES, entry=ENTRY, plays=1),
    Setting(
        "cv-late-stages",
        CV,
        {},
        [
            _trial(3, 1, share=0.25),
            _trial(3, 2, share=0.5, long_delay=1),
            _trial(4, 1, coh=0.0),
            _trial(4, 2, coh=51.2, delay=1840),
        ],
        entry=ENTRY,
        plays=1,
    ),
    Setting(
        "cv-abort",
        CV,
        {
            "dt": 20,
            "sigma": 0.5,
            "n_ch": 3,
            "timing": {"fixation": 50, "stimulus": 110, "decision": 130},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5},
        },
        [*_STAGES, _trial(3, 1, share=0.25), _trial(4, 2, coh=25.6, delay=330)],
        attributes={"abort": True},
        entry=ENTRY,
        plays=1,
    ),
]


def _decision_begins(there, task):
    delay = there.condition("share") * np.where(there.condition("long_delay") > 0, 3000, 1000)
    within = (there.condition("stage") == 3) & (delay % task.dt != 0)
    decision = there.during("decision")
    return decision & ~np.pad(decision, ((0, 0), (1, 0)))[:, :-1] & there.always(within)


PLACES = {
    (
        "CVLearning",
        "first step of the decision, after a delay of no whole steps in stage 3",
    ): _decision_begins
}


def prepare(machine, setting, conditions):
    """The stage and what belongs to it are attributes; a new trial counts the last one, but nothing comes of it."""
    base, stage, barred = machine.base, int(conditions["stage"]), int(conditions["barred"])
    base.curr_ph, base.trials_counter, base.trials_delay = stage, 0, 0
    base.action, base.action_counter = barred, {0: 0, 1: -3, 2: 3}[barred]
    base.inc_delays = conditions["share"]
    full = conditions["delay"] if stage == 4 else 3000 if conditions["long_delay"] else 1000
    base.delay_durs = [full, full]  # NeuroGym draws one of the two with a generator of its own
    base.rewards["fail"] = base.r_fail
    machine.rng.script = {"choice": [int(conditions["ground_truth"]), conditions["coh"]], "uniform": [full]}
    return {}


def scripts() -> dict[str, list[int]]:
    """Successes and failures, trial by trial, that lead through the stages; the first one fails."""
    rng = np.random.RandomState(4)
    often = lambda p, n: (rng.rand(n) < p).astype(int).tolist()
    good = lambda n: [1] * n
    return {
        "always": [0, *good(259)],
        "mostly": [0, *often(0.85, 399)],
        # good until the third stage, then failures that lead back, and a recovery
        "falls back": [0, *good(90), *([0] * 12), *good(157)],
        # good until delays have grown, then failures that shorten them
        "delays shrink": [0, *good(129), *([0, 0, 1] * 14), *good(88)],
    }


def notes(machine, setting):
    """The stage and the share of the delays after each trial of a script, in days of 20 trials."""
    from neurogym.envs.contrib.cv_learning import CVLearning

    if setting.name != "cv-early-stages":
        return {}
    out = {}
    for name, script in scripts().items():
        env = CVLearning(trials_day=20, perf_len=5)
        stages, shares = [], []
        for success in script:
            env.rew = env.rewards["correct"] if success else -9.0
            env.new_trial()
            stages.append(int(env.curr_ph))
            shares.append(float(env.inc_delays))
        out[name] = {"script": script, "stages": stages, "shares": shares}
    return out
