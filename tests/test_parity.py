"""Exact comparison with NeuroGym 2.3.1, from recorded trials (tests/parity; `make parity` records them afresh)."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import json

import cases
import compare as parity
import jax
import numpy as np
import pytest
import sequences

import neurojax as nj
from neurojax.errors import InvalidArgument, UnknownName
from neurojax.modifiers import MODIFIERS, modify

SETTINGS = {setting.name: setting for setting in cases.SETTINGS}
CHANGE = "first observation after another task"
SESSIONS = json.loads((parity.DATA / "sessions.json").read_text())


@functools.cache
def reference(name: str):
    return parity.load(parity.DATA / f"{name}.npz")


@functools.cache
def task_of(name: str):
    return parity.build(reference(name).meta)


@functools.cache
def driven(name: str):
    return parity.drive(task_of(name), reference(name))


@functools.cache
def compared(name: str):
    return parity.compare(reference(name), task_of(name), driven(name))


# ------------------------------------------------------------------ the recordings


def test_recordings_are_of_the_settings():
    assert {path.stem for path in parity.DATA.glob("*.npz")} == set(SETTINGS)
    for name, setting in SETTINGS.items():
        meta = reference(name).meta
        assert meta["setting"] == json.loads(json.dumps(dataclasses.asdict(setting))), name
        assert meta["neurogym"] == "2.3.1"
    assert sum(path.stat().st_size for path in parity.DATA.iterdir()) < 2e6


def test_settings_cover_the_tasks():
    plain = [s.task for s in SETTINGS.values() if s.reaction_time is None]
    assert set(plain) >= set(SESSIONS["steps_hidden_by_reset"])
    assert all(plain.count(task) >= 3 for task in plain)
    assert {bool(s.reaction_time.get("end_on_stimulus", True)) for s in SETTINGS.values() if s.reaction_time} == {
        True,
        False,
    }
    for name in SETTINGS:
        meta, kinds = reference(name).meta, reference(name).arrays["play_kinds"]
        played = {meta["kinds"][k] for k in kinds}
        assert {"wait", "oracle", "constant", "random"} <= played, name
        # the rules of Yang et al. remember nothing from trial to trial, and are played one trial at a time
        assert "series" in played or SETTINGS[name].task.startswith("yang19."), name


def test_conditions_cover_the_discrete_values():
    for name, setting in SETTINGS.items():
        task = getattr(task_of(name), "base", task_of(name))
        values = lambda condition, name=name: set(reference(name).condition(condition).astype(np.float32).tolist())
        if setting.task == "PerceptualDecisionMaking-v0":
            assert values("ground_truth") == set(range(task.dim_ring)), name
            if setting.reaction_time is None:
                assert values("coh") == set(np.float32(task.coherences).tolist()), name
        elif setting.task == "DelayMatchSample-v0":
            assert values("ground_truth") == {1, 2}
            assert np.allclose(sorted(values("sample_theta")), nj.ring(task.dim_ring))
        elif setting.task == "HierarchicalReasoning-v0":
            assert values("rule") == values("stimulus") == {0, 1}
            if name != "hr-two-draws":
                assert values("interval") == set(np.float32(task.timing["delay"].values).tolist())


# ------------------------------------------------------------------ the comparison


@pytest.mark.parametrize("name", SETTINGS)
def test_equal_to_neurogym(name):
    outcome = compared(name)
    assert not outcome.unlisted, "\n".join(outcome.unlisted)
    assert outcome.compared["new_trial"] > 0


def test_deviations_are_real():
    seen = set().union(*(compared(name).seen for name in SETTINGS))
    assert parity.stale([task_of(name) for name in SETTINGS], seen) == []


def test_most_is_compared():
    """Of each field, the share of steps that no deviation takes out."""
    # the target of Reaching1D is repaired altogether, that of ReadySetGo in its production period
    steps = sum(int(reference(name).on.sum()) for name in SETTINGS)
    for field in parity.FIELDS:
        share = sum(compared(name).compared[field] for name in SETTINGS) / steps
        assert share > (0.7 if field == "target" else 0.9), (field, share)


def test_ready_set_go_target_comes_the_set_flash_earlier():
    """The listed deviation is this shift and nothing else, where the flash is whole steps and nothing is rounded."""
    for name in ("rsg-defaults", "rsg-abort"):
        ref = reference(name)
        waits = slice(0, len(ref.arrays["lengths"]))  # the first plays are one trial each, in which nobody answers
        on = ref.on[waits]
        here, there = driven(name)["target"][waits] * on, ref.values()["target"][waits] * on
        flash = int(np.floor(float(task_of(name).timing["set"].duration) / task_of(name).dt))
        production = ref.condition("measure") // task_of(name).dt * float(task_of(name).gain)
        whole = production == np.floor(production)
        assert whole.any()
        assert flash > 0
        assert np.array_equal(here[whole, :-flash], there[whole, flash:])


def test_pass_reward_shows_the_cost_of_time_that_a_wrapper_outside_adds():
    """The listed deviation is this cost and nothing else."""
    ref = reference("pass-inside")
    here, there = driven("pass-inside")["observation"], ref.values()["observation"]
    later = ref.on & (ref.step > 0)
    assert np.allclose((here - there)[later], [0, 0, 0, ref.meta["setting"]["wrappers"][-1]["urgency"]], atol=1e-6)
    assert np.array_equal(here[:, 0], there[:, 0])


def test_neurogym_shows_the_last_trial_again_where_the_task_changes():
    """The deviation at a change of task is that NeuroGym shows the first frame of the trial before."""
    ref = reference("turns-rule")
    here, there = driven("turns-rule")["observation"], ref.values()["observation"]
    task = ref.condition("task")[ref.trial].astype(int)
    plays, steps = np.nonzero(parity.place_of(ref, task_of("turns-rule"), "Schedule", CHANGE))
    rule = lambda task: np.eye(2)[task]
    assert np.array_equal(here[plays, steps, -2:], rule(task[plays, steps]))
    assert np.array_equal(there[plays, steps, -2:], rule(task[plays, steps - 1]))
    assert np.array_equal(here[plays, steps, :-2], there[plays, steps, :-2])


# ------------------------------------------------------------------ between trials


def test_neurogym_hides_a_step_at_reset():
    """NeuroGym's reset takes a step, and shows the second observation; here the first is shown."""
    assert set(SESSIONS["steps_hidden_by_reset"].values()) == {1}
    assert SESSIONS["fixation_after_reset"] == 0.0
    run = nj.rollout(nj.make("PerceptualDecisionMaking-v0"), jax.random.key(0), 4, 1)
    assert run.trajectory.observations[:, 0, 0].tolist() == [1.0] * 4
    assert run.trajectory.first[:, 0].all()


def test_first_rule():
    assert set(SESSIONS["first_rules"]) == {1}
    batch = nj.render(nj.make("HierarchicalReasoning-v0"), jax.random.key(0), 64)
    assert set(np.asarray(batch.conditions["rule"]).tolist()) == {0, 1}


def test_blocks_follow_neurogym():
    """Given the lengths of NeuroGym's blocks, the rule switches on the same trials."""
    task = nj.make("HierarchicalReasoning-v0")

    class Given:
        def __init__(self, quantile):
            self.quantile = quantile

        def uniform(self, name):
            return self.quantile

    after = jax.jit(lambda memory, quantile: task.next_memory(memory, None, None, Given(quantile)))
    rules, sizes = SESSIONS["rules"], SESSIONS["block_sizes"]
    assert len(set(sizes)) > 3
    memory = {"rule": np.int32(rules[0]), "trial_in_block": np.int32(0), "block_size": np.int32(sizes[0])}
    for rule, size in zip(rules[1:], sizes[1:], strict=True):
        memory = after(memory, np.float32((size - 10 + 0.5) / 11))
        assert (int(memory["rule"]), int(memory["block_size"])) == (rule, size)


# ------------------------------------------------------------------ what modifiers draw


@functools.cache
def modifiers() -> dict:
    return sequences.recorded()


@pytest.mark.parametrize("name", sequences.CASES)
def test_modifiers_draw_as_neurogym(name):
    """From the same uniform numbers follow the same trials, but where a deviation says that they are others."""
    case, there = sequences.CASES[name], modifiers()["sequences"][name]
    assert set(sequences.differing(case, there, case.first)) == set(case.apart)
    assert not case.shows or sequences.differing(case, there, 0)


def test_sequences_are_of_the_cases():
    there = modifiers()["sequences"]
    assert set(there) == set(sequences.CASES)
    for name, case in sequences.CASES.items():
        told = there[name]["told"]
        assert set(told) == set(case.told), name
        assert all(len(set(map(str, values))) > 1 for values in told.values()), name


def test_where_wrappers_fail():
    """The deviations that neither steps nor draws can show; and those of modifiers are ones that their classes list."""
    classes = [getattr(importlib.import_module(at), name) for at, name in (m.split(":") for m in MODIFIERS.values())]
    listed = {(c.__name__, d.what) for c in classes for d in c.DEVIATIONS}
    assert cases.ELSEWHERE - listed <= {("ScheduleAttr", "random order")}
    notes, motion = modifiers()["notes"], nj.make("PerceptualDecisionMaking-v0")
    # the action and the reward of the hidden step of NeuroGym's reset; here none, as the comparison of steps shows
    assert (notes["first_action"], notes["first_reward"]) == (2.0, -0.1)
    assert all(a != b for a, b in itertools.pairwise(notes["random_schedule"]))
    assert set(notes["sizes_of_nested"]) == {5, 7}
    assert notes["different_spaces"] == "ValueError"
    assert (notes["reset_of_several_gives"], notes["reset_of_several_with_options"]) == (["tuple", "dict"], "TypeError")
    assert (notes["several_stimuli"], notes["adaptive_noise"]) == ("KeyError", "TypeError")
    assert nj.reaction_time(nj.make("DelayComparison-v0")).capacity
    assert modify(motion, {"name": "Noise-v0", "perf_th": 0.8}).threshold == np.float32(0.8)
    assert notes["unknown_attribute"] is None
    with pytest.raises((InvalidArgument, UnknownName)):
        modify(motion, {"name": "schedule_attr", "attr_list": [{"nothing": 1}, {"nothing": 2}]})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("bias-range", {"block_dur": [2, 6]}),
        ("truth-follows", {"rules": ["repeating"], "probs": None}),
        ("levels-blocks", {"block_lengths": [3, 2, 2]}),
    ],
)
def test_other_draws_are_noticed(name, change):
    case = sequences.CASES[name]
    here = {key: value for key, value in {**case.here, **change}.items() if value is not None}
    other = dataclasses.replace(case, here=here)
    assert sequences.differing(other, modifiers()["sequences"][name], case.first)


# ------------------------------------------------------------------ the comparison can fail


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("frames", 1e-5),
        ("noise", 1e-5),
        ("targets", 1),
        ("rewards", 1e-5),
        ("ended", True),
        ("performance", 1e-5),
        ("periods", 1),
        ("lengths", 1),
    ],
)
def test_a_wrong_reference_is_noticed(array, change):
    ref = reference("pdm-defaults")
    changed = ref.arrays[array].copy()
    place = (0,) * changed.ndim
    if array in ("performance", "rewards"):
        place = (0, int(ref.arrays["play_steps"][0]) - 1)
    changed[place] = (not changed[place]) if change is True else changed[place] + change
    wrong = dataclasses.replace(ref, arrays={**ref.arrays, array: changed})
    found = parity.compare(wrong, task_of("pdm-defaults"), driven("pdm-defaults")).unlisted
    assert found and all(line.startswith("pdm-defaults") for line in found)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pdm-defaults", {"sigma": 1.001}),
        ("pdm-defaults", {"abort": True}),
        ("hr-defaults", {"rewards": {"abort": -0.11}}),
        ("rsg-defaults", {"prod_margin": 0.21}),
        ("reach-defaults", {"step": 0.051}),
        ("rdr-no-delay", {"rewards": {"miss": -0.6}}),
        ("noise-defaults", {"std": 0.101}),
        ("pass-urgency", {"urgency": -0.126}),
    ],
)
def test_a_wrong_task_is_noticed(name, change):
    assert parity.compare(reference(name), task_of(name).set(**change)).unlisted


def test_a_stale_deviation_is_noticed():
    seen = set().union(*(compared(name).seen for name in SETTINGS))
    tasks = [task_of(name) for name in SETTINGS]
    entry = ("ReadySetGo", "target", "target")
    assert entry in seen
    assert "ReadySetGo: 'target' never changed the target" in parity.stale(tasks, seen - {entry})
