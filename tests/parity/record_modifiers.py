"""Record what NeuroGym's wrappers draw from trial to trial, and where they fail; a part of record.py.

`modifiers.json` holds

    sequences   by name: "u", the uniform numbers behind the draws of each kind, from before the first trial on; "told",
                what came of them: conditions of each trial, and the state, from before the first trial on
    notes       by name: where a wrapper fails, or shows what it should not
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from cases.base import Sequence
from cases.modifiers import SEQUENCES
from cases.perceptual import PDM
from neurogym.wrappers import Noise, PassAction, PassReward, ReactionTime
from neurogym.wrappers.block import MultiEnvs, ScheduleAttr, ScheduleEnvs
from wrap import scheduled, wrapped

TRIALS = 40
_TIMES = {"fixation": 100, "stimulus": 200, "delay": 0, "decision": 100}


class Quantiles(np.random.RandomState):
    """A generator that draws as NumPy's does, each kind of draw from one uniform number a turn.

    The numbers lie between those with three digits, so that no probability that a setting has is met exactly.
    """

    KINDS = ("choice", "weighted", "random", "randint")

    def __init__(self, seed: int):
        super().__init__(seed)
        self._numbers = np.random.RandomState(seed)
        self.drawn: dict[str, list[float]] = {kind: [] for kind in self.KINDS}
        self.turn()

    def turn(self) -> None:
        for kind in self.KINDS:
            self.drawn[kind].append(round(self._numbers.randint(1000) / 1000 + 0.0005, 4))

    def _u(self, kind: str) -> float:
        return self.drawn[kind][-1]

    def choice(self, a, size=None, replace=True, p=None):
        values = np.arange(a) if np.ndim(a) == 0 else np.asarray(a)
        if p is None:
            return values[int(self._u("choice") * len(values))]
        return values[np.searchsorted(np.cumsum(p), self._u("weighted"), side="right")]

    def random(self, size=None):
        return self._u("random")

    def randint(self, low, high=None, size=None, dtype=int):
        return low + int(self._u("randint") * (high - low))


def motion(**keywords: Any):
    """Random-dot motion in short trials."""
    return gymnasium.make(PDM, disable_env_checker=True, **{"timing": _TIMES, **keywords}).unwrapped


def _attribute(env, path: str) -> int:
    for name in path.split("."):
        env = getattr(env, name)
    return int(env)


def sequence(case: Sequence, seed: int) -> dict[str, Any]:
    """The draws of one wrapper, trial after trial."""
    rng = Quantiles(seed)
    table = dict(case.wrapper)
    bases = [motion(**keywords) for keywords in (case.keywords, *table.pop("others", ()))]
    for base in bases:
        base.rng = rng
    if len(bases) > 1:
        schedule = scheduled(table["schedule"], table["count"], table.get("block_lens"))
        env = ScheduleEnvs(bases, schedule)
        schedule.rng = rng
    else:
        env = wrapped(bases[0], **table)
        if hasattr(env, "schedule"):
            env.schedule.rng = rng
    told: dict[str, list] = {name: [] for name in case.told}
    if case.state:
        told[case.state].append(_attribute(env, case.state))
    for k in range(TRIALS):
        rng.turn()
        if k == 0 and len(bases) > 1:
            env.reset()
            trial = env.unwrapped.trial
        else:
            given = case.given[k % len(case.given)]
            trial = env.new_trial(**{key: np.array(v) if np.ndim(v) else v for key, v in given.items()})
        for name, values in told.items():
            values.append(float(trial[name]) if name in trial else _attribute(env, name))
    return {"u": rng.drawn, "told": told}


def _failure(call) -> str | None:
    """The class of the exception that a call raises."""
    try:
        call()
    except Exception as error:  # whatever NeuroGym raises is what is recorded
        return type(error).__name__
    return None


def notes() -> dict[str, Any]:
    """What fails, or shows what it should not."""
    env = PassReward(PassAction(motion()))
    env.unwrapped.rng = np.random.RandomState(0)
    seen, _ = env.reset()
    turns = scheduled("SequentialSchedule", 2)
    inner = [ScheduleEnvs([motion(), motion()], scheduled("SequentialSchedule", 2), env_input=True) for _ in range(2)]
    nested = ScheduleEnvs(inner, scheduled("SequentialSchedule", 2), env_input=True)
    nested.reset()
    random = scheduled("RandomSchedule", 3)
    random.rng = np.random.RandomState(0)
    names = {"timing": {"fixation": 100, "stimulus1": 100, "delay": 100, "stimulus2": 100, "decision": 100}}
    two = gymnasium.make("DelayComparison-v0", disable_env_checker=True, **names).unwrapped
    two.new_trial()
    return {
        "first_action": float(seen[-2]),
        "first_reward": float(seen[-1]),
        "random_schedule": [int(random()) for _ in range(60)],
        "sizes_of_nested": [len(nested.step(0)[0]) for _ in range(60)],
        "reset_of_several_gives": [type(part).__name__ for part in MultiEnvs([motion(), motion()]).reset()],
        "reset_of_several_with_options": _failure(
            lambda: MultiEnvs([motion(), motion()]).reset(options={"no_step": True})
        ),
        "different_spaces": _failure(lambda: ScheduleEnvs([motion(), motion(dim_ring=3)], turns, env_input=True)),
        "unknown_attribute": _failure(
            lambda: ScheduleAttr(motion(), turns, [{"nothing": 1}, {"nothing": 2}]).new_trial()
        ),
        "several_stimuli": _failure(lambda: ReactionTime(two).step(0)),
        "adaptive_noise": _failure(lambda: Noise(motion(), perf_th=0.8)),
    }


def record_modifiers() -> dict[str, Any]:
    """All sequences, and the notes."""
    return {"sequences": {case.name: sequence(case, seed) for seed, case in enumerate(SEQUENCES)}, "notes": notes()}
