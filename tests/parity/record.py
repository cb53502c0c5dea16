"""Record NeuroGym's trials under given conditions and given actions, for tests/test_parity.py.

Runs in an environment of its own (requirements.txt), by `make parity`:

    python tests/parity/record.py --out FOLDER [--family NAME ...]

NeuroGym is driven by `new_trial` and `step`: its `reset` takes a hidden random step, so that a trial's first
observation is never seen. Its generator is replaced by `Forced`, which draws what the conditions say and noise of a
stated size; no rule of NeuroGym is touched. What wrappers show is seen from outside of them all; before a play's first
observation they see a step of action 1 that changes nothing, as NeuroGym's reset has a hidden step.

A file holds, for C trials, N plays (sequences of actions), P periods, D channels, at most T steps:

    meta            JSON: the setting, the versions, names of periods, notes of the family
    condition:NAME  float64 [C]
    lengths         int32 [C], steps of a trial in which nobody answers
    periods         int32 [C, P, 2], start and end in steps
    frames, noise   float32 [C, T, D], what is shown at each step, and its noise for normal numbers that are all 1
    targets         float64 [C, T] or [C, T, A], NeuroGym's ground truth at each step
    play_trials     int16 [N, K], the trials of each play, one after the other
    play_kinds      int8 [N], index in meta["kinds"]
    play_steps      int16 [N]
    actions         int8 [N, T'], or float32 [N, T', A]
    rewards         float64 [N, T']
    ended           bool [N, T'], whether the step ended its trial
    performance     float64 [N, T'], where it did
    observations    float32 [N, T', D], only where what is shown depends on the actions (else: frames)
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import warnings
import zlib
from pathlib import Path

import numpy as np
from cases import FAMILIES, FAMILY_OF, SETTINGS, Setting, hook
from cases.perceptual import PDM
from cases.reasoning import HR
from record_modifiers import record_modifiers
from wrap import several, wrapped

# Tasks of which the first step after a reset is recorded.
IDS = (PDM, "DelayMatchSample-v0", "ReadySetGo-v0", HR, "Reaching1D-v0", "ReachingDelayResponse-v0")
SERIES = 4  # trials of a play that goes on from trial to trial
KINDS = ("wait", "oracle", "constant", "random", "seldom", "late", "slip", "single", "series")


class Forced(np.random.RandomState):
    """A generator whose draws are the ones wanted; others are as ever.

    `script` holds, by the name of a method, what its next calls return.
    """

    def __init__(self, seed: int):
        super().__init__(seed)
        self.script: dict[str, list] = {}
        self.level = 0.0  # what every normal number is
        self.durations: list[float] = []  # the next draws of a duration; the last one stays
        self.coin: float | None = None

    def _duration(self, possible) -> float | None:
        if not self.durations or not possible(self.durations[0]):
            return None
        return self.durations.pop(0) if len(self.durations) > 1 else self.durations[0]

    def _scripted(self, method: str):
        queue = self.script.get(method)
        return queue.pop(0) if queue else None

    def randn(self, *shape):
        return np.full(shape, self.level)

    def normal(self, loc=0.0, scale=1.0, size=None):
        return loc + scale * np.full(() if size is None else size, self.level)

    def exponential(self, scale=1.0, size=None):
        scripted = self._scripted("exponential")
        return super().exponential(scale, size) if scripted is None else scripted

    def randint(self, *args, **kwargs):
        scripted = self._scripted("randint")
        return super().randint(*args, **kwargs) if scripted is None else scripted

    def random(self, size=None):
        scripted = self._scripted("random")
        return super().random(size) if scripted is None else scripted

    def choice(self, a, *args, **kwargs):
        scripted = self._scripted("choice")
        if scripted is not None:
            return scripted
        forced = self._duration(lambda d: np.any(np.asarray(a) == d))
        return super().choice(a, *args, **kwargs) if forced is None else forced

    def uniform(self, low=0.0, high=1.0, size=None):
        scripted = self._scripted("uniform")
        if scripted is not None:
            return scripted
        forced = self._duration(lambda d: low <= d <= high)
        return super().uniform(low, high, size) if forced is None else forced

    def rand(self, *shape):
        scripted = self._scripted("rand")
        if scripted is not None:
            return scripted
        return super().rand(*shape) if self.coin is None or shape else self.coin


def whole(machine, setting, conditions):
    """Conditions by the names of discrete ones as whole numbers, for they index arrays in NeuroGym."""
    return {name: int(v) if float(v).is_integer() else v for name, v in conditions.items()}


class Machine:
    """A NeuroGym environment whose trials are given, one after the other."""

    def __init__(self, setting: Setting, seed: int = 0):
        import gymnasium
        import neurogym  # noqa: F401  (registers its tasks)
        from neurogym.core import TrialWrapper
        from neurogym.wrappers import ReactionTime

        machine = self

        class Given(TrialWrapper):
            def new_trial(self, **_):
                return self.env.new_trial(**machine.next_conditions())

        keywords = {**setting.keywords, **setting.there}
        build = hook(setting, "make")
        if build is not None:
            made = build(setting)
        elif setting.entry is not None:
            module, name = setting.entry.split(":")
            made = getattr(importlib.import_module(module), name)(**keywords)
        else:
            made = gymnasium.make(setting.task, disable_env_checker=True, **keywords)
        self.setting = setting
        self.queue: list[dict] = []
        self.wrappers = list(getattr(setting, "wrappers", ()))
        mix = self.wrappers.pop(0) if self.wrappers and "others" in self.wrappers[0] else None
        others = [gymnasium.make(setting.task, disable_env_checker=True, **k) for k in mix["others"]] if mix else []
        self.bases = [env.unwrapped for env in (made, *others)]
        self.rng = Forced(seed)
        for base in self.bases:
            base.rng = self.rng
            for name, value in setting.attributes.items():
                setattr(base, name, value)
        given = [Given(base) for base in self.bases]
        self.mix = several(self, given, **mix) if mix else None
        self.env = self.mix or given[0]
        if setting.reaction_time is not None:
            self.env = ReactionTime(self.env, **setting.reaction_time)
        for wrapper in self.wrappers:
            self.env = wrapped(self.env, **wrapper)

    @property
    def base(self):
        """The task that runs."""
        return self.env.unwrapped

    @property
    def coming(self) -> dict:
        """The conditions of the next trial; the last ones stay."""
        return self.queue[0]

    def next_conditions(self) -> dict:
        conditions = dict(self.queue.pop(0) if len(self.queue) > 1 else self.queue[0])
        conditions.pop("task", None)  # of several, the one that is asked for a trial
        self.rng.script = {}
        return hook(self.setting, "prepare", whole)(self, self.setting, conditions)

    def start(self, conditions: list[dict]):
        """Begin a trial; its first observation."""
        self.queue = list(conditions)
        for base in self.bases:
            base.t = base.t_ind = 0
            base.performance = 0
        if self.mix is not None:
            self.mix.turn()
        self.base._top.new_trial()
        seen = self.base.post_step(self.base.ob[0].copy(), 0, False, False, {})[0].copy()
        if not self.wrappers:
            return seen
        base = self.base
        base.step = lambda action: (seen, 0, False, False, {"new_trial": False})
        shown = self.env.step(1)[0].copy()
        del base.step
        return shown


@dataclasses.dataclass
class Play:
    """One sequence of actions, and what came of it."""

    kind: str
    trials: list[int]
    actions: list = dataclasses.field(default_factory=list)
    rewards: list = dataclasses.field(default_factory=list)
    ended: list = dataclasses.field(default_factory=list)
    performance: list = dataclasses.field(default_factory=list)
    targets: list = dataclasses.field(default_factory=list)
    observations: list = dataclasses.field(default_factory=list)
    hands: list = dataclasses.field(default_factory=list)


def play(machine: Machine, setting: Setting, kind: str, trials: list[int], policy) -> Play:
    """Play trials to their end; `policy(step in the trial, trial, environment)` gives the actions."""
    out = Play(kind, trials)
    seen = machine.start([setting.conditions[c] for c in trials])
    done, t = 0, 0
    while done < len(trials):
        action = policy(t, trials[done], machine.base)
        out.observations.append(seen.copy())
        out.actions.append(np.copy(action))
        seen, reward, terminated, truncated, info = machine.env.step(action)
        if terminated or truncated:
            raise RuntimeError(f"{setting.name}: NeuroGym ended the session")
        out.rewards.append(float(reward))
        out.targets.append(np.asarray(info.get("gt", 0), float))
        out.ended.append(bool(info["new_trial"]))
        out.performance.append(float(info["performance"]) if info["new_trial"] else 0.0)
        done, t = (done + 1, 0) if info["new_trial"] else (done, t + 1)
    return out


def record(setting: Setting) -> dict[str, np.ndarray]:
    """All plays of one setting, as the arrays of its file."""
    machine = Machine(setting)
    base = machine.base  # of several, which have the same actions, the first
    count = len(setting.conditions)
    rng = np.random.RandomState(zlib.crc32(setting.name.encode()))
    box = not hasattr(base.action_space, "n")
    default = np.array([-1.0, -0.5], np.float32) if box else 0
    rest = getattr(FAMILIES[FAMILY_OF[setting.name]], "REST", default)
    sample = lambda: (
        rng.uniform(base.action_space.low, base.action_space.high).astype(np.float32)
        if box
        else int(rng.randint(base.action_space.n))
    )

    # Trials in which nobody answers give the clock, the frames and the targets.
    waits, noise, periods = [], [], []
    for c in range(count):
        for level in (1.0, 0.0):
            machine.rng.level = level
            if machine.wrappers or machine.mix:
                noise.append(np.array(play(machine, setting, "wait", [c], lambda *_: rest).observations))
            else:
                machine.start([setting.conditions[c]])
                noise.append(machine.base.ob.copy())
        periods.append([[machine.base.start_ind[p], machine.base.end_ind[p]] for p in machine.base.start_ind])
        waits.append(play(machine, setting, "wait", [c], lambda *_: rest))
    noise = [loud - quiet for loud, quiet in zip(noise[::2], noise[1::2], strict=True)]
    lengths = np.array([len(w.actions) for w in waits], np.int32)
    targets = [np.array(w.targets) for w in waits]
    frames = [np.array(w.observations, np.float32) for w in waits]

    oracle = hook(setting, "oracle", lambda *_: None)

    def best(t, c, env):
        known = oracle(machine, setting, t, c)
        if known is not None:
            return known
        return targets[c][t].astype(np.float32) if box else int(targets[c][t])

    answer = lambda c: next((t for t in range(lengths[c]) if np.any(targets[c][t] != targets[c][0])), 0)
    if box:
        low, high = base.action_space.low, base.action_space.high
        constants = [(low + share * (high - low)).astype(np.float32) for share in (0.0, 0.5, 1.0)]
    else:
        constants = list(range(1, base.action_space.n))[:4]

    plays = list(waits)
    for c in range(count):
        run = lambda kind, policy, c=c: plays.append(play(machine, setting, kind, [c], policy))
        run("oracle", best)
        for constant in constants:
            run("constant", lambda *_, a=constant: a)
        for _ in range(setting.plays):
            run("random", lambda *_: sample())
            run("seldom", lambda *_: sample() if rng.rand() < 0.15 else rest)
            run("late", lambda t, c, env: sample() if t >= answer(c) else rest)
            slip = int(rng.randint(lengths[c]))
            run("slip", lambda t, c, env, slip=slip: sample() if t == slip else best(t, c, env))
        if setting.singles:
            for when in range(lengths[c]):
                run("single", lambda t, c, env, when=when: 1 if t == when else 0)
    for policy in (best, lambda *_: sample(), lambda *_: sample() if rng.rand() < 0.15 else rest, lambda *_: rest):
        for _ in range(2 if setting.series else 0):
            trials = [int(c) for c in rng.randint(count, size=SERIES)]
            plays.append(play(machine, setting, "series", trials, policy))

    if not setting.closed_loop:
        for p in plays:
            _same_frames(setting, p, frames, targets)
    return _arrays(setting, machine, plays, lengths, periods, frames, noise, targets, box)


def _same_frames(setting, played: Play, frames, targets) -> None:
    """Frames and targets are stored once for each trial, so they must not depend on the actions."""
    done, t = 0, 0
    for seen, target, ended in zip(played.observations, played.targets, played.ended, strict=True):
        c = played.trials[done]
        if not (np.array_equal(seen, frames[c][t]) and np.array_equal(target, targets[c][t])):
            raise RuntimeError(f"{setting.name}: what is shown depends on the actions")
        done, t = (done + 1, 0) if ended else (done, t + 1)


def _arrays(setting, machine, plays, lengths, periods, frames, noise, targets, box) -> dict[str, np.ndarray]:
    import neurogym

    def padded(rows, dtype):
        rows = [np.asarray(row, dtype) for row in rows]
        out = np.zeros((len(rows), max(map(len, rows)), *rows[0].shape[1:]), dtype)
        for i, row in enumerate(rows):
            out[i, : len(row)] = row
        return out

    meta = {
        "setting": dataclasses.asdict(setting),
        "neurogym": neurogym.__version__,
        "period_names": list(machine.base.start_ind),
        "kinds": list(KINDS),
        "notes": hook(setting, "notes", lambda *_: {})(machine, setting),
    }
    out = {
        "meta": np.array(json.dumps(meta, sort_keys=True)),
        "lengths": lengths,
        "periods": np.array(periods, np.int32),
        "frames": padded(frames, np.float32),
        "noise": padded([n[: len(f)] for n, f in zip(noise, frames, strict=True)], np.float32),
        "targets": padded(targets, np.float64),
        "play_trials": np.array([(p.trials * SERIES)[:SERIES] for p in plays], np.int16),
        "play_kinds": np.array([KINDS.index(p.kind) for p in plays], np.int8),
        "play_steps": np.array([len(p.actions) for p in plays], np.int16),
        "actions": padded([p.actions for p in plays], np.float32 if box else np.int8),
        "rewards": padded([p.rewards for p in plays], np.float64),
        "ended": padded([p.ended for p in plays], np.bool_),
        "performance": padded([p.performance for p in plays], np.float64),
    }
    for name in setting.conditions[0]:
        out[f"condition:{name}"] = np.array([c[name] for c in setting.conditions], np.float64)
    if setting.closed_loop:
        del out["frames"]
        out["observations"] = padded([p.observations for p in plays], np.float32)
    return out


def record_sessions() -> dict:
    """What NeuroGym does between trials: at a reset, and over blocks."""
    import gymnasium
    import neurogym  # noqa: F401

    reset, fixation = {}, None
    for id in IDS:
        env = gymnasium.make(id, disable_env_checker=True).unwrapped
        env.rng = Forced(0)
        seen, _ = env.reset()
        reset[id] = int(env.t_ind)
        fixation = float(seen[0]) if id == PDM else fixation
    first_rules = []
    for seed in range(20):
        env = gymnasium.make(HR, disable_env_checker=True, timing={"fixation": 500, "fixation2": 600}).unwrapped
        env.rng = np.random.RandomState(seed)
        first_rules.append(int(env.new_trial()["rule"]))
    env = gymnasium.make(HR, disable_env_checker=True, timing={"fixation": 500, "fixation2": 600}).unwrapped
    env.rng = np.random.RandomState(1)
    env.new_block()
    rules, sizes = [], []
    for _ in range(100):
        sizes.append(int(env.block_size))
        rules.append(int(env.new_trial()["rule"]))
    return {
        "steps_hidden_by_reset": reset,
        "fixation_after_reset": fixation,
        "first_rules": first_rules,
        "rules": rules,
        "block_sizes": sizes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Record NeuroGym's trials for tests/test_parity.py.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--family", nargs="*", choices=sorted(FAMILIES), help="only these families of settings")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", module="gymnasium")
    args.out.mkdir(parents=True, exist_ok=True)
    chosen = [s for s in SETTINGS if not args.family or FAMILY_OF[s.name] in args.family]
    stale = [args.out / f"{s.name}.npz" for s in chosen]
    for path in stale if args.family else [*args.out.glob("*.npz"), *args.out.glob("*.json")]:
        path.unlink(missing_ok=True)
    for setting in chosen:
        np.savez_compressed(args.out / f"{setting.name}.npz", **record(setting))
    if not args.family or "modifiers" in args.family:
        (args.out / "modifiers.json").write_text(json.dumps(record_modifiers(), indent=None) + "\n")
    if not args.family:
        (args.out / "sessions.json").write_text(json.dumps(record_sessions(), indent=1) + "\n")
    print(f"recorded {len(chosen)} settings in {args.out}")


if __name__ == "__main__":
    main()
