"""neurojax driven with the conditions and actions that were recorded from NeuroGym, and compared step by step.

As a script, for `make parity`: whether a fresh recording is the one in `data`.

    python tests/parity/compare.py FOLDER
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cases import AFFECTS, ELSEWHERE, PLACES

import neurojax as nj
from neurojax.core.chance import Chance
from neurojax.core.draw import Draw
from neurojax.core.session import advance, begin, observation, start_memory, target
from neurojax.core.task import Deviation, Task
from neurojax.modifiers import modify

DATA = Path(__file__).parent / "data"
TOLERANCE = 1e-6  # of the scale of what is compared, for floats; integers must be equal
FIELDS = ("observation", "noise", "target", "reward", "new_trial", "performance")
# Names that NeuroGym abbreviates; `shown` is a second draw, which neurojax does not make.
NAMES: dict[str, str | None] = {"coh": "coherence", "shown": None}


class Level(Chance):
    """Chance whose normal numbers are all `level`: 0 turns the noise off, 1 shows its size and place."""

    level: Any = 0.0

    def normal(self, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.broadcast_to(jnp.asarray(self.level, jnp.float32), shape)


@dataclasses.dataclass(frozen=True)
class Reference:
    """One setting as recorded from NeuroGym: `arrays` as described in record.py, `meta` parsed.

    Arrays over plays and steps are `[N, T, ...]`; `trial` and `t` `[N, T]` say in which trial a step lies, and where
    in it; `on` `[N, T]` whether the play still runs.
    """

    name: str
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]
    trial: np.ndarray
    t: np.ndarray
    on: np.ndarray

    def condition(self, name: str) -> np.ndarray:
        """A condition `[C]`, by NeuroGym's name."""
        return self.arrays[f"condition:{name}"]

    def during(self, period: str) -> np.ndarray:
        """bool `[C, T]`: while `period` is on."""
        index = self.meta["period_names"].index(period)
        start, stop = self.arrays["periods"][:, index, 0], self.arrays["periods"][:, index, 1]
        t = np.arange(self.arrays["targets"].shape[1])
        return (t >= start[:, None]) & (t < stop[:, None])

    def always(self, where: np.ndarray | bool) -> np.ndarray:
        """bool `[C, T]` from one value for all, or one for each trial `[C]`."""
        return np.broadcast_to(np.reshape(where, (-1, 1)), self.arrays["targets"].shape[:2])

    @property
    def step(self) -> np.ndarray:
        """int `[N, T]`: the step of the play."""
        return np.broadcast_to(np.arange(self.on.shape[1]), self.on.shape)

    def of_plays(self, per_frame: np.ndarray) -> np.ndarray:
        """Values `[C, T, ...]` of trials as values `[N, T, ...]` of plays."""
        return per_frame[self.trial, self.t]

    def values(self) -> dict[str, np.ndarray]:
        """What NeuroGym showed and answered, `[N, T, ...]` by field."""
        arrays = self.arrays
        shown = arrays["observations"] if "observations" in arrays else self.of_plays(arrays["frames"])
        return {
            "observation": shown,
            "noise": self.of_plays(arrays["noise"]),
            "target": self.of_plays(arrays["targets"]),
            "reward": arrays["rewards"],
            "new_trial": arrays["ended"],
            "performance": arrays["performance"],
        }


def load(path: Path) -> Reference:
    """Read one recorded setting."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    ended = arrays["ended"]
    steps = np.arange(ended.shape[1])
    on = steps[None] < arrays["play_steps"][:, None]
    done = np.cumsum(ended, axis=1) - ended
    trial = np.take_along_axis(arrays["play_trials"], np.minimum(done, arrays["play_trials"].shape[1] - 1), axis=1)
    began = np.where(np.pad(ended, ((0, 0), (1, 0)))[:, :-1], steps[None], 0)
    t = np.where(on, steps[None] - np.maximum.accumulate(began, axis=1), 0)
    return Reference(path.stem, json.loads(str(arrays["meta"])), arrays, trial.astype(np.int64), t, on)


def build(meta: dict[str, Any]) -> Task:
    """The task of a setting, from NeuroGym's own keywords."""
    setting = meta["setting"]
    task = nj.make(setting["task"], **{**setting["keywords"], **setting["attributes"], **setting["here"]})
    task = task if setting["reaction_time"] is None else nj.reaction_time(task, **setting["reaction_time"])
    for wrapper in setting.get("wrappers", ()):
        if "others" in wrapper:
            others = [{"id": setting["task"], **keywords} for keywords in wrapper["others"]]
            order = {"ScheduleEnvs-v0": "sequential", "MultiEnvs-v0": "session"}[wrapper["name"]]
            wrapper = {**wrapper, "name": "schedule", "order": order, "others": others}
        task = modify(task, wrapper)
    return task


def given_conditions(reference: Reference) -> dict[str, np.ndarray]:
    """The conditions `[N, K]` of the trials of each play, by neurojax's names."""
    trials = reference.arrays["play_trials"]
    recorded = [key.split(":", 1)[1] for key in reference.arrays if key.startswith("condition:")]
    known = {**NAMES, **reference.meta["setting"]["names"]}
    names = {name: known.get(name, name) for name in recorded}
    return {ours: reference.condition(name)[trials].astype(np.float32) for name, ours in names.items() if ours}


def drive(task: Task, reference: Reference) -> dict[str, np.ndarray]:
    """What neurojax shows and answers to the same actions, `[N, T, ...]` by field, and the clock of each play's start.

    Besides the fields: `periods` `[N, P, 2]` and `length` `[N]` of each play's first trial.
    """
    given, actions = given_conditions(reference), reference.arrays["actions"]
    plays, steps = actions.shape[:2]
    # Rounded up, so that settings of one structure share what is compiled.
    more = (0, _rounded(plays) - plays), (0, _rounded(steps) - steps)
    padded = np.pad(actions, (*more, *[(0, 0)] * (actions.ndim - 2)))
    repeat = lambda values: np.pad(values, (more[0], *[(0, 0)] * (values.ndim - 1)), mode="edge")
    given = {name: repeat(values) for name, values in given.items()}
    out = jax.tree.map(np.asarray, _drive(task, given, padded))
    return {name: values[:plays, :steps] if name in FIELDS else values[:plays] for name, values in out.items()}


def _rounded(count: int) -> int:
    """The next power of 2."""
    return 1 << (count - 1).bit_length()


@jax.jit
def _drive(task, given, actions):
    words = jax.random.key_data(jax.random.key(0))

    def play(lane, given, actions):
        chance = Level(words, lane, jnp.float32(0))
        loud = chance.replace(level=jnp.float32(1))
        trials = next(iter(given.values())).shape[0]
        conditions = lambda k: {name: value[jnp.minimum(k, trials - 1)] for name, value in given.items()}

        def body(held, now):
            session, k = held
            action, n = now
            shown = observation(task, session, chance, n)
            noise = observation(task, session, loud, n) - shown
            best = target(task, session)
            resolved = task.resolve(session.memory)
            session, came = advance(task, session, action, chance, n)
            k = k + came.new_trial
            memory = resolved.next_memory(session.memory, came.trial, came.result, Draw(chance, "next", n + 1))
            fresh = begin(task, jax.tree.map(jnp.asarray, memory), chance, n + 1, conditions(k))
            session = jax.tree.map(lambda new, old: jnp.where(came.new_trial, new, old), fresh, session)
            performance = jnp.where(came.new_trial, came.result.performance, 0.0)
            return (session, k), (shown, noise, best, came.reward, came.new_trial, performance)

        first = begin(task, start_memory(task, chance), chance, 0, conditions(0))
        steps = jnp.arange(actions.shape[0], dtype=jnp.int32)
        _, values = jax.lax.scan(body, (first, jnp.int32(0)), (actions, steps))
        trial = task.resolve(first.memory).trial(first.drawn)
        periods = jnp.stack([jnp.stack([trial.start[p], trial.end[p]]) for p in task.period_names])
        return {**dict(zip(FIELDS, values, strict=True)), "periods": periods, "length": trial.length}

    return jax.vmap(play)(jnp.arange(actions.shape[0], dtype=jnp.uint32), given, actions)


def wrong(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Where two fields `[N, T, ...]` differ, bool `[N, T]`."""
    if here.dtype.kind == "f":
        scale = max(1.0, float(np.abs(there).max(initial=0)))
        # a NaN on either side is a difference
        different = ~(np.abs(here.astype(np.float64) - there) <= TOLERANCE * scale)
    else:
        different = here != there
    return different.reshape(*different.shape[:2], -1).any(axis=-1)


# ---------------------------------------------------------------- deviations

# Where a deviation that `affects` comparisons may show is said in `cases` (PLACES): by class and `what`, bool [C, T]
# of trials or [N, T] of plays.
# Everywhere else, and in every other field, both sides must be equal; and somewhere within, they must differ.


def layers(task: Task) -> dict[str, Task]:
    """A task and the layers around it, by class."""
    out, layer = {}, task
    while layer is not None:
        out[type(layer).__name__] = layer
        layer = getattr(layer, "inner", None)
    return out


def listed(task: Task) -> dict[tuple[str, str], Deviation]:
    """The deviations of a task and of the layers around it, by class and `what`."""
    out = {}
    for owner, layer in layers(task).items():
        out.update({(owner, d.what): d for d in type(layer).DEVIATIONS})
        for (name, what), fields in AFFECTS.items():
            if name == owner:
                known = out.get((name, what), Deviation(what=what, neurogym="", here="", reason=""))
                out[name, what] = dataclasses.replace(known, affects=fields)
    return out


def place_of(reference: Reference, task: Task, owner: str, what: str) -> np.ndarray:
    """bool `[N, T]`: where a deviation of one of the layers may show in plays."""
    place = PLACES[owner, what](reference, layers(task)[owner])
    return place if place.shape == reference.on.shape else reference.of_plays(place)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came of one setting.

    Attributes:
        unlisted: differences that no deviation accounts for, in words.
        seen: the deviations that showed, as (class, what, field).
        compared: how many steps were compared outside of deviations, by field.
    """

    unlisted: list[str]
    seen: set[tuple[str, str, str]]
    compared: dict[str, int]


def compare(reference: Reference, task: Task | None = None, here: dict[str, np.ndarray] | None = None) -> Comparison:
    """Compare every field of every step, and the clock, with what was recorded."""
    task = build(reference.meta) if task is None else task
    here = drive(task, reference) if here is None else here
    there = reference.values()
    unlisted, seen, compared = _clock(reference, task, here), set(), {}
    # after a trial of another length, the rest of a play is about other steps
    went_apart = np.cumsum(here["new_trial"] != there["new_trial"], axis=1) > 0
    before = np.pad(went_apart, ((0, 0), (1, 0)))[:, :-1]
    for field in FIELDS:
        exempt = np.zeros(reference.on.shape, bool)
        different = wrong(here[field], there[field]) & reference.on & ~before
        for (owner, what), deviation in listed(task).items():
            if field in deviation.affects and (owner, what) in PLACES:
                place = place_of(reference, task, owner, what)
                exempt |= place
                if np.any(different & place):
                    seen.add((owner, what, field))
        checked = reference.on & ~before & ~exempt
        compared[field] = int(checked.sum())
        for n, t in np.argwhere(different & checked)[:3]:
            unlisted.append(_words(reference, field, n, t, here[field][n, t], there[field][n, t]))
    return Comparison(unlisted, seen, compared)


def _clock(reference: Reference, task: Task, here: dict[str, np.ndarray]) -> list[str]:
    """Differences in the boundaries of periods and in the length of trials, where no deviation moves the clock."""
    waits = np.arange(len(reference.arrays["lengths"]))  # the first plays are one trial each, in order
    moved = np.zeros(len(waits), bool)
    for key, deviation in listed(task).items():
        if "new_trial" in deviation.affects and key in PLACES:
            moved |= place_of(reference, task, *key)[waits].any(axis=1)
    names = reference.meta["period_names"]
    found = []
    for name in reference.meta["setting"]["periods"] or names:
        ours = here["periods"][waits, task.period_names.index(name)]
        theirs = reference.arrays["periods"][:, names.index(name)]
        if not np.array_equal(ours[~moved], theirs[~moved]):
            found.append(f"{reference.name}: period {name!r} lies at {ours.tolist()}, in NeuroGym at {theirs.tolist()}")
    lengths = here["length"][waits], reference.arrays["lengths"]
    if not np.array_equal(lengths[0][~moved], lengths[1][~moved]):
        found.append(f"{reference.name}: lengths are {lengths[0].tolist()}, in NeuroGym {lengths[1].tolist()}")
    return found


def _words(reference: Reference, field: str, n: int, t: int, here, there) -> str:
    kind = reference.meta["kinds"][reference.arrays["play_kinds"][n]]
    trial = reference.trial[n, t]
    conditions = {k.split(":")[1]: v[trial] for k, v in reference.arrays.items() if k.startswith("condition:")}
    return (
        f"{reference.name}: {field} of play {n} ({kind}), step {reference.t[n, t]} of trial {trial} "
        f"{ {k: np.asarray(v).tolist() for k, v in conditions.items()} }, action {reference.arrays['actions'][n, t]}: "
        f"{np.asarray(here).tolist()}, in NeuroGym {np.asarray(there).tolist()}"
    )


def stale(settings: list[Task], seen: set[tuple[str, str, str]]) -> list[str]:
    """Deviations of these tasks that showed nowhere, or of which `PLACES` does not say where they may."""
    entries = {key: deviation for task in settings for key, deviation in listed(task).items()}
    found = []
    for (owner, what), deviation in entries.items():
        fields = [field for field in deviation.affects if field in FIELDS]
        if (owner, what) in ELSEWHERE:
            continue
        if fields and (owner, what) not in PLACES:
            found.append(f"{owner}: PLACES does not say where {what!r} shows")
        found += [f"{owner}: {what!r} never changed the {f}" for f in fields if (owner, what, f) not in seen]
    gone = [key for key in PLACES if key not in entries]
    return found + [f"{owner}: {what!r} has a place, but is not listed" for owner, what in gone]


# ---------------------------------------------------------------- one recording and another


def differences(new: Path, old: Path) -> list[str]:
    """Where two folders of recordings differ: integers exactly, floats by more than 1e-9 of their scale."""
    names = {p.name for folder in (new, old) for p in folder.iterdir() if p.suffix in (".npz", ".json")}
    found = []
    for name in sorted(names):
        if not ((new / name).is_file() and (old / name).is_file()):
            found.append(f"{name}: only in {new if (new / name).is_file() else old}")
        elif name.endswith(".json"):
            if json.loads((new / name).read_text()) != json.loads((old / name).read_text()):
                found.append(f"{name}: differs")
        else:
            with np.load(new / name) as a, np.load(old / name) as b:
                found += [f"{name}: {key} is not in both" for key in sorted(set(a.files) ^ set(b.files))]
                both = sorted(set(a.files) & set(b.files))
                found += [f"{name}: {key} differs" for key in both if not _equal(a[key], b[key])]
    return found


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    return bool(np.allclose(a, b, rtol=0, atol=1e-9 * max(1.0, float(np.abs(b).max(initial=0)))))


def main() -> int:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("usage: python tests/parity/compare.py FOLDER (of a fresh recording)", file=sys.stderr)
        return 2
    found = differences(Path(sys.argv[1]), DATA)
    print("\n".join(found) if found else f"{sys.argv[1]} is equal to {DATA}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
