"""Modifiers, around random-dot motion: what NeuroGym's wrappers show and reward, and what they draw."""

from __future__ import annotations

import numpy as np

from .base import Sequence, Setting, Wrapped, grid
from .context import CDM, MULTI
from .perceptual import PDM

_TIMES = {"fixation": 100, "stimulus": 200, "delay": 100, "decision": 200}
_SHORT = {"abort": True, "cohs": [51.2], "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5}, "timing": _TIMES}
_TRIALS = grid(ground_truth=[0, 1], coh=[51.2])
_UNTIL_STIMULUS = ("fixation", "stimulus")
_ACTION, _REWARD, _NOISE = {"name": "PassAction-v0"}, {"name": "PassReward-v0"}, {"name": "Noise-v0", "std_noise": 0.25}
_URGENT = {"name": "ReactionTime-v0", "urgency": -0.125}
_OTHER = {**_SHORT, "sigma": 0.5, "timing": {**_TIMES, "stimulus": 300}, "rewards": {"correct": 3.0}}

SETTINGS = [
    Wrapped("pass-both", PDM, _SHORT, _TRIALS, wrappers=(_ACTION, _REWARD), closed_loop=True, plays=4),
    Wrapped(
        "pass-urgency",
        PDM,
        _SHORT,
        _TRIALS,
        reaction_time={"urgency": -0.125},
        wrappers=(_REWARD,),
        closed_loop=True,
        periods=_UNTIL_STIMULUS,
    ),
    Wrapped(
        "pass-inside", PDM, _SHORT, _TRIALS, wrappers=(_REWARD, _URGENT), closed_loop=True, periods=_UNTIL_STIMULUS
    ),
    Wrapped("noise-defaults", PDM, _SHORT, _TRIALS, wrappers=({"name": "Noise-v0"},), plays=1),
    Wrapped("noise-outside", PDM, _SHORT, _TRIALS, wrappers=(_ACTION, _NOISE), closed_loop=True, plays=2),
    Wrapped(
        "turns-rule",
        PDM,
        _SHORT,
        grid(task=[0, 1], ground_truth=[0, 1], coh=[51.2]),
        wrappers=({"name": "ScheduleEnvs-v0", "others": [_OTHER], "env_input": True},),
        closed_loop=True,
        plays=2,
    ),
    Wrapped(
        "turns-chosen",
        PDM,
        _SHORT,
        grid(task=[0, 1, 2], ground_truth=[0, 1], coh=[51.2]),
        wrappers=({"name": "MultiEnvs-v0", "others": [_OTHER, {**_SHORT, "abort": False}], "env_input": False},),
        closed_loop=True,
        plays=1,
    ),
    Setting(
        "rt-multi",
        MULTI,
        {"timing": {"fixation": 100, "stimulus": 400, "decision": 100}},
        grid(ground_truth=[0, 1], coh=[15], coh_prop=[0.25]),
        reaction_time={"urgency": -0.02},
        singles=True,
        periods=_UNTIL_STIMULUS,
        plays=1,
    ),
    Setting(
        "rt-context",
        CDM,
        {"sigma": 0.5, "timing": {"fixation": 100, "stimulus": 300, "delay": 100, "decision": 200}},
        grid(ground_truth=[1, 2], other_choice=[1], context=[0], coh_1=[5], coh_2=[50]),
        names={"coh_1": "coherence_1", "coh_2": "coherence_2"},
        reaction_time={"end_on_stimulus": False},
        singles=True,
        periods=_UNTIL_STIMULUS,
        plays=1,
    ),
]

_SIDES = [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.0, 0.4, 0.6]]
_FOLLOW = [[0.1, 0.7, 0.2], [0.3, 0.3, 0.4], [0.8, 0.0, 0.2]]
_REPEAT = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
_THREE = {"dim_ring": 3, "cohs": [6.4, 12.8, 51.2]}
_LEVELS = [5.0, 10.0, 20.0]
_SHORTER, _SECOND = ("SideBias", "first block"), ("ScheduleAttr", "first trial in sequential order")
_RESET, _OTHERS = ("Schedule", "ScheduleEnvs: first trial of a session"), ("Schedule", "ScheduleEnvs: random order")
# NeuroGym's RandomSchedule never takes one of a list twice in a row; here it may; not listed by the class
_NEXT = ("ScheduleAttr", "random order")


def _bias(name, block_dur):
    table = {"probs": _SIDES, "block_dur": block_dur}
    return Sequence(
        name,
        {"name": "SideBias-v0", **table},
        {"name": "side_bias", **table},
        {"curr_block": "side_block", "ground_truth": "ground_truth"},
        state="curr_block",
        keywords=_THREE,
        first=1,
        # with a hazard, the block of the first trial is any on both sides
        shows=() if isinstance(block_dur, float) else (_SHORTER,),
    )


def _levels(name, schedule, order, first=0, shows=(), apart=None, **blocks):
    here = {"block_lengths": blocks["block_lens"]} if blocks else {}
    there = {"schedule": schedule, "count": len(_LEVELS), "attr_list": [{"coh": level} for level in _LEVELS], **blocks}
    levels = [{"coherence": level} for level in _LEVELS]
    return Sequence(
        name,
        {"name": "ScheduleAttr-v0", **there},
        {"name": "schedule_attr", "order": order, "start": "first", "attr_list": levels, **here},
        {"schedule.i": "schedule_index", "coh": "coherence"},
        state="schedule.i",
        first=first,
        shows=shows,
        apart={} if apart is None else {"schedule.i": apart, "coh": apart},
    )


def _turns(name, schedule, order, count, repeats=False, **blocks):
    here = {"block_lengths": blocks["block_lens"]} if blocks else {"repeats": repeats}
    others = [{"cohs": [float(level)]} for level in range(1, count)]
    # NeuroGym's reset begins a trial of each task, and each of these is one of the schedule's
    return Sequence(
        name,
        {"name": "ScheduleEnvs-v0", "schedule": schedule, "count": count, "others": others, **blocks},
        {"name": "schedule", "order": order, "start": "first", **here},
        {"i_env": "task", "coh": "coherence"},
        state="i_env",
        keywords={"cohs": [0.0]},
        first=1,
        shows=(_RESET,),
        apart={"i_env": _OTHERS, "coh": _OTHERS} if repeats else {},
    )


_CONTEXTS = [k for k in range(2) for _ in range(4)]
SEQUENCES = [
    _bias("bias-fixed", 4),
    _bias("bias-single", 1),
    _bias("bias-range", (2, 5)),
    _bias("bias-hazard", 0.3),
    Sequence(
        "truth-random",
        {"name": "RandomGroundTruth-v0", "p": [0.2, 0.5, 0.3]},
        {"name": "random_ground_truth", "p": [0.2, 0.5, 0.3]},
        {"ground_truth": "ground_truth", "coh": "coherence"},
        keywords=_THREE,
        given=({"coh": 51.2},),
        given_here=({"coherence": 51.2},),
        apart={"coh": ("RandomGroundTruth", "other conditions that are given")},
    ),
    Sequence(
        "truth-follows",
        {"name": "TrialHistoryV2-v0", "probs": _FOLLOW},
        {"name": "trial_history", "probs": _FOLLOW},
        {"prev_trial": "history_option", "ground_truth": "ground_truth"},
        state="prev_trial",
        keywords=_THREE,
    ),
    Sequence(
        "truth-contexts",
        {"name": "TrialHistoryV2-v0"},
        {"name": "trial_history", "probs": [*_FOLLOW, *_REPEAT]},
        {"prev_trial": "history_option", "ground_truth": "ground_truth"},
        state="prev_trial",
        keywords=_THREE,
        given=tuple({"probs": [_FOLLOW, _REPEAT][k]} for k in _CONTEXTS),
        given_here=tuple({"history_context": k} for k in _CONTEXTS),
    ),
    _levels("levels-turn", "SequentialSchedule", "sequential", first=1, shows=(_SECOND,)),
    _levels("levels-blocks", "SequentialBlockSchedule", "sequential_block", block_lens=[3, 1, 2]),
    _levels("levels-random-blocks", "RandomBlockSchedule", "random_block", block_lens=[3, 1, 2]),
    _levels("levels-random", "RandomSchedule", "random", first=1, apart=_NEXT),
    _turns("tasks-turn", "SequentialSchedule", "sequential", 3),
    _turns("tasks-random", "RandomSchedule", "random", 3),
    _turns("tasks-repeat", "RandomSchedule", "random", 3, repeats=True),
    _turns("tasks-blocks", "SequentialBlockSchedule", "sequential_block", 2, block_lens=[4, 2]),
    _turns("tasks-random-blocks", "RandomBlockSchedule", "random_block", 2, block_lens=[4, 3]),
]


def _names(there):
    return [wrapper["name"] for wrapper in there.meta["setting"]["wrappers"]]


def _first_action(there, task):
    """At a play's first step, after the step of action 1 that wrappers saw before."""
    return there.step == 0


def _first_reward(there, task):
    """The same, where ReactionTime inside has rewarded that step."""
    return (there.step == 0) & (there.meta["setting"]["reaction_time"] is not None)


def _outside(there, task):
    """Where ReactionTime adds to the reward that PassReward has shown inside, once something was received."""
    return (there.step > 0) & (_names(there)[-1] == "ReactionTime-v0")


def _after_another(there, task):
    """At the first step of a trial that follows one of another task."""
    tasks = there.condition("task")[there.trial]
    return (there.step > 0) & (there.t == 0) & there.on & (tasks != np.roll(tasks, 1, axis=1))


def _cue(there, task):
    """From the second step of the stimulus on, in the task of which the cue to fixate is on until the decision."""
    on = there.during("stimulus")
    return on & np.roll(on, 1, axis=1) & (there.meta["setting"]["task"] == MULTI)


PLACES = {
    ("PassAction", "first observation"): _first_action,
    ("PassReward", "first observation"): _first_reward,
    ("PassReward", "rewards of wrappers outside"): _outside,
    ("Schedule", "first observation after another task"): _after_another,
    ("ReactionTime", "cue that lasts until the decision"): _cue,
}
AFFECTS = dict.fromkeys(PLACES, ("observation",))
# These show between trials: in SEQUENCES, or in what `record_modifiers` notes beside them.
ELSEWHERE = {key for case in SEQUENCES for key in (*case.shows, *case.apart.values())} | {
    ("AdaptiveNoise", "perf_th, w, step_noise"),
    ("ReactionTime", "several stimuli"),
    ("Schedule", "ScheduleEnvs, MultiEnvs: reset, different spaces"),
    ("Schedule", "nested ScheduleEnvs"),
    ("ScheduleAttr", "attributes"),
}
