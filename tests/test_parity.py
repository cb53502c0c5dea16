"""Exact comparison with NeuroGym 2.3.1, from recorded trials (tests/parity; `make parity` records them afresh)."""

from __future__ import annotations

import dataclasses
import functools
import json

import cases
import compare as parity
import jax
import numpy as np
import pytest

import neurojax as nj

SETTINGS = {setting.name: setting for setting in cases.SETTINGS}
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
        task = getattr(task_of(name), "base", task_of(name)) if setting.reaction_time is not None else task_of(name)
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
