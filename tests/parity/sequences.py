"""neurojax's modifiers driven with the draws that were recorded from NeuroGym's wrappers, from trial to trial."""

from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cases.base import Sequence
from cases.modifiers import SEQUENCES
from cases.perceptual import PDM
from compare import DATA

import neurojax as nj
from neurojax.core.chance import Chance
from neurojax.core.draw import Draw
from neurojax.core.session import begin, no_result, start_memory
from neurojax.modifiers import modify

CASES = {case.name: case for case in SEQUENCES}
TIMES = {"fixation": 100, "stimulus": 200, "delay": 0, "decision": 100}


class _Known(Chance):
    """Chance whose uniform numbers are given."""

    numbers: Any = 0.0

    def uniform(self, shape: tuple[int, ...] = ()) -> jax.Array:
        return jnp.broadcast_to(jnp.asarray(self.numbers, jnp.float32), shape)


class Scripted(Chance):
    """Chance whose uniform numbers are given for some addresses, as ever for others."""

    script: Any = None

    def at(self, name: str, step=None) -> Chance:
        if name not in self.script:
            return Chance(self.words, self.lane).at(name, step)
        return _Known(self.words, self.lane, self.script[name])


def recorded() -> dict[str, Any]:
    """What record_modifiers.py wrote."""
    return json.loads((DATA / "modifiers.json").read_text())


def build(case: Sequence) -> nj.Task:
    """The task of a sequence, modified."""
    plain = {"id": PDM, "timing": TIMES}
    named = lambda keywords: {("coherences" if name == "cohs" else name): value for name, value in keywords.items()}
    table = dict(case.here)
    if "others" in case.wrapper:
        table["others"] = [{**plain, **named(keywords)} for keywords in case.wrapper["others"]]
    return modify(nj.make(PDM, timing=TIMES, **named(case.keywords)), table)


def script(case: Sequence, there: dict[str, Any], first: int) -> dict[str, np.ndarray]:
    """The uniform numbers behind the draws of each trial and of what follows it, `[K, ...]` by address.

    `first` is the trial here that is NeuroGym's first. Which other block follows, or task, is taken from what followed
    there: both sides draw one of the others, each as likely, but number them from another one on.
    """
    trials = len(there["told"]["ground_truth" if "ground_truth" in there["told"] else "coh"])
    at = lambda kind, k: there["u"][kind][k + 1] if 0 <= k < trials else 0.5
    state = there["told"].get(case.state, [0] * (trials + 1))
    options = 1 + max(map(int, state))
    label = case.here["name"]
    out: dict[str, list] = {}
    for j in range(trials + first):
        now, coming = j - first, j + 1 - first  # the trials there
        old, new = (int(state[k]) if 0 <= k <= trials else 0 for k in (coming, coming + 1))
        around = ((new - old - 1) % options + 0.5) / max(options - 1, 1)
        along = (new - (new > old) + 0.5) / max(options - 1, 1)
        numbers = {
            f"{label}/trial/option": at("weighted", now),
            "side_bias/next/block": [at("random", coming), around, at("randint", coming)],
            "schedule_attr/next/index": around,
            "schedule1/next/task": along,
            "side_bias/memory/first": there["u"]["choice"][0],
            "side_bias/memory/first_length": there["u"]["randint"][0],
            "trial_history/memory/previous": there["u"]["choice"][0],
        }
        for name, value in numbers.items():
            out.setdefault(name, []).append(value)
    return {name: np.array(values, np.float32) for name, values in out.items()}


def drive(case: Sequence, there: dict[str, Any], first: int) -> dict[str, np.ndarray]:
    """The conditions `[K]` of each trial from NeuroGym's first on, by NeuroGym's names."""
    numbers = script(case, there, first)
    count = len(next(iter(numbers.values())))
    rows = [case.given_here[(j - first) % len(case.given_here)] for j in range(count)]
    given = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    told = jax.tree.map(np.asarray, _drive(build(case), numbers, given))
    return {theirs: told[ours][first:] for theirs, ours in case.told.items()}


@jax.jit
def _drive(task, numbers, given):
    words = jax.random.key_data(jax.random.key(0))
    start = Scripted(words, jnp.uint32(0), {name: values[0] for name, values in numbers.items()})

    def trial(memory, now):
        numbers, given, n = now
        chance = Scripted(words, jnp.uint32(0), numbers)
        session = begin(task, memory, chance, n, given)
        held = task.resolve(memory)
        ran = held.trial(session.drawn)
        after = held.next_memory(memory, ran, no_result(task), Draw(chance, "next", n + 1))
        return jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), after, memory), session.drawn.conditions

    count = next(iter(numbers.values())).shape[0]
    return jax.lax.scan(trial, start_memory(task, start), (numbers, given, jnp.arange(count, dtype=jnp.int32)))[1]


def differing(case: Sequence, there: dict[str, Any], first: int) -> dict[str, list[int]]:
    """The trials in which each condition differs, by NeuroGym's name, where any does."""
    here = drive(case, there, first)
    trials = len(next(iter(here.values())))
    found = {}
    for name, values in here.items():
        theirs = np.array(there["told"][name][-trials:])  # the state is told from before the first trial on
        if np.any(wrong := ~np.isclose(values, theirs, rtol=1e-6)):
            found[name] = np.flatnonzero(wrong).tolist()
    return found
