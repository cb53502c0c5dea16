"""Tasks made of several tasks: schedules, a task for each trial, two tasks at once."""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from helpers import Blocks, assert_agree, assert_same_bits
from neurojax.core.chance import Chance, key_words
from neurojax.core.draw import Draw
from neurojax.core.lanes import drawn_quantities
from neurojax.core.session import advance, begin, observation, remember, start_memory, target
from neurojax.core.trial import Trial
from neurojax.errors import InvalidArgument, UnknownName
from neurojax.modifiers.combine import combine
from neurojax.modifiers.common import actions_of, channels_of, conditions_of, to_own
from neurojax.modifiers.schedules import multi_task, schedule
from neurojax.modifiers.written import read_task, written
from neurojax.tasks.yang19 import collection

KEY = jax.random.key(31)


def motion(**kwargs) -> Any:
    timing = {"fixation": 100, "stimulus": ("uniform", (200, 500)), "decision": 200}
    return nj.make("PerceptualDecisionMaking-v0", **{"timing": timing, "sigma": 3.0, **kwargs})


def gonogo(**kwargs) -> Any:
    timing = {"fixation": 100, "stimulus": 200, "delay": 100, "decision": 200}
    return nj.make("GoNogo-v0", **{"timing": timing, **kwargs})


@cache
def two() -> Any:
    """Two tasks of different code."""
    return schedule([motion(), gonogo()])


@cache
def family() -> Any:
    """Three tasks of one code, with weights of their own."""
    return schedule(collection(["go", "anti", "dms"], rule_input=False), weights=[1, 1, 2])


@cache
def nested() -> Any:
    return schedule([schedule([motion(), gonogo()]), motion(dim_ring=4)], weights=[2, 1])


# ---------------------------------------------------------------------- the contract


@pytest.mark.parametrize(
    "build", [two, pytest.param(family, marks=pytest.mark.slow)], ids=["different", "stacked"]
)  # the stack takes 20 s to compile
def test_a_schedule_keeps_the_contract(build):
    nj.check_task(build())


def test_two_tasks_at_once_keep_the_contract():
    nj.check_task(combine(motion(), gonogo(), delay=200, mix=(1, 1, 2), trial_cue=True))


# ---------------------------------------------------------------------- orders, by the memory alone


def sequence(task, lanes=1, trials=12, seed=0):
    """The tasks of the trials of some sessions, `[lanes, trials]`, without any trial being played."""
    words = key_words(jax.random.key(seed))

    def session(lane):
        chance = Chance(words, lane)
        zero = jnp.int32(0)

        def after(memory, step):
            trial = Trial({"task": memory["task"]}, {}, {}, zero, jnp.bool_(False))
            return task.next_memory(memory, trial, None, Draw(chance, "next", step)), memory["task"]

        return jax.lax.scan(after, start_memory(task, chance), jnp.arange(trials, dtype=jnp.int32))[1]

    return np.asarray(jax.jit(jax.vmap(session))(jnp.arange(lanes, dtype=jnp.uint32)))


def three(**kwargs):
    return schedule([motion(sigma=s) for s in (1.0, 2.0, 3.0)], **kwargs)


def test_sequential_tasks_take_turns():
    assert sequence(three(order="sequential", start="first")).tolist() == [[0, 1, 2] * 4]
    anywhere = sequence(three(order="sequential"), lanes=300)
    assert np.all((anywhere[:, 1:] - anywhere[:, :-1]) % 3 == 1)
    counts = np.bincount(anywhere[:, 0], minlength=3)
    assert np.all(np.abs(counts - 100) < 4.5 * np.sqrt(300 * 2 / 9))  # a session begins with any of them


def test_sequential_blocks_have_their_lengths():
    task = three(order="sequential_block", block_lengths=[2, 3, 1], start="first")
    assert sequence(task).tolist() == [[0, 0, 1, 1, 1, 2] * 2]
    np.testing.assert_allclose(task.shares(), [2 / 6, 3 / 6, 1 / 6])
    # Anywhere: the six places of the cycle are as likely.
    first = sequence(task.set(start="anywhere"), lanes=3000, trials=6)
    assert {tuple(x) for x in first.tolist()} == {tuple(np.roll([0, 0, 1, 1, 1, 2], k)) for k in range(6)}
    counts = np.bincount(first[:, 0], minlength=3)
    assert np.all(np.abs(counts - [1000, 1500, 500]) < 4.5 * np.sqrt(3000 / 4))


def test_random_blocks_have_their_lengths_and_change_task():
    runs = sequence(three(order="random_block", block_lengths=[2, 3, 4], start="first"), lanes=50, trials=60)
    seen = set()
    for row in runs:
        edges = np.flatnonzero(np.diff(row, prepend=-1))
        for begin_, end in itertools.pairwise(edges):
            assert end - begin_ == 2 + row[begin_]
            seen.add((int(row[begin_]), int(row[end])))
    assert seen == {(i, j) for i in range(3) for j in range(3) if i != j}


def test_random_order_draws_by_weights_from_the_first_trial_on():
    task = three(weights=[1, 2, 5])
    drawn = sequence(task, lanes=400, trials=20)
    for share, p in zip(np.bincount(drawn.ravel(), minlength=3) / 8000, [1 / 8, 2 / 8, 5 / 8], strict=True):
        assert abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / 8000)
    again = np.mean(drawn[:, 1:] == drawn[:, :-1])  # independent: (1 + 4 + 25) / 64
    assert abs(again - 30 / 64) < 4.5 * np.sqrt(0.25 / 7600) * 1.5
    first = np.bincount(drawn[:, 0], minlength=3) / 400
    assert np.all(np.abs(first - [1 / 8, 2 / 8, 5 / 8]) < 4.5 * np.sqrt(0.25 / 400))


def test_without_repeats_shares_are_those_of_the_chain():
    """After i comes j with probability w_j / (W - w_i); shares w_i (W - w_i): 1 x 3, 1 x 3, 2 x 2 of 10."""
    task = three(weights=[1, 1, 2], repeats=False)
    np.testing.assert_allclose(task.shares(), [0.3, 0.3, 0.4])
    drawn = sequence(task, lanes=400, trials=20)
    assert np.all(drawn[:, 1:] != drawn[:, :-1])
    np.testing.assert_allclose(np.bincount(drawn.ravel(), minlength=3) / 8000, [0.3, 0.3, 0.4], atol=0.03)
    two_tasks = schedule([motion(), motion(sigma=1)], repeats=False, start="first")
    assert sequence(two_tasks, trials=6).tolist() == [[0, 1, 0, 1, 0, 1]]  # as NeuroGym's RandomSchedule


def test_levels_of_schedules_draw_apart():
    """Two levels of two tasks: all four combinations come, as often as each other."""
    inner = schedule([motion(), motion(sigma=1.0)])
    task = schedule([inner, inner.set(weights=[1, 1])])
    chance = lambda lane: begin(task, start_memory(task, Chance(key_words(KEY), lane)), Chance(key_words(KEY), lane), 7)
    drawn = jax.jit(jax.vmap(chance))(jnp.arange(4000, dtype=jnp.uint32)).drawn.conditions
    counts = np.bincount(2 * np.asarray(drawn["task"]) + np.asarray(drawn["subtask"]), minlength=4)
    assert np.all(np.abs(counts - 1000) < 4.5 * np.sqrt(4000 * 3 / 16))


# ---------------------------------------------------------------------- trials are those of each task


@pytest.mark.parametrize("build", [two, family], ids=["different", "stacked"])
def test_a_trial_is_what_its_task_would_show_alone(build):
    task = build()
    for i, part in enumerate(task.inner.parts()):
        mixed, alone = nj.render(task, KEY, 16, task=i), nj.render(part, KEY, 16)
        shown = task.channels.split(np.asarray(mixed.inputs))
        for name, values in part.channels.split(np.asarray(alone.inputs)).items():
            np.testing.assert_allclose(shown[name][:, : part.capacity], values, atol=1e-6)
        others = set(shown) - set(dict(part.channels.sizes)) - {"rule"}
        assert not any(shown[name].any() for name in others)
        np.testing.assert_array_equal(mixed.targets[:, : part.capacity], alone.targets)
        np.testing.assert_array_equal(mixed.lengths, alone.lengths)
        for name, values in alone.conditions.items():
            np.testing.assert_array_equal(mixed.conditions[name], values)
        spans = dict(zip(task.period_names, np.moveaxis(np.asarray(mixed.periods), 1, 0), strict=True))
        own = dict(zip(part.period_names, np.moveaxis(np.asarray(alone.periods), 1, 0), strict=True))
        assert all(np.array_equal(spans[name], own.get(name, np.zeros((16, 2)))) for name in spans)


def test_a_task_alone_in_common_form_is_the_schedules():
    task = two()
    mixed = nj.render(task, KEY, 8, task=[0, 1] * 4)
    for i in (0, 1):
        alone = nj.render(task.alone(i), KEY, 8)
        assert jax.tree.structure(alone) == jax.tree.structure(mixed)
        assert_agree(*jax.tree.map(lambda x, i=i: x[i::2], (alone, mixed)))
    assert not task.alone(0).switches
    assert "task" not in drawn_quantities(task.alone(0))


def test_the_rule_input_is_on_at_every_step_also_when_nested():
    task = nested()
    assert [name for name, _ in task.channels.sizes] == ["fixation", "stimulus", "nogo", "go", "subrule", "rule"]
    run = jax.tree.map(np.asarray, nj.rollout(task, KEY, 16, 120).trajectory)  # aborts and all
    shown = task.channels.split(run.observations)
    np.testing.assert_array_equal(shown["rule"], np.eye(2)[run.conditions["task"]])
    outer = run.conditions["task"] == 0
    np.testing.assert_array_equal(shown["subrule"][outer], np.eye(2)[run.conditions["subtask"][outer]])
    assert not shown["subrule"][~outer].any()
    combinations = set(zip(run.conditions["task"][outer], run.conditions["subtask"][outer], strict=True))
    assert combinations == {(0, 0), (0, 1)}
    assert (~outer).any()


def test_each_task_has_a_memory_of_its_own():
    blocks = Blocks.create()
    for task, others in ((schedule([blocks, blocks.set(sigma=0.1)]), (0, 1)), (schedule([blocks, gonogo()]), (0,))):
        run = nj.rollout(task, KEY, 8, 200, policy="oracle")
        ended = np.asarray(run.trajectory.new_trial)
        which = np.asarray(run.trajectory.conditions["task"])
        memory = run.state.session.memory["tasks"]
        for i in others:  # the oracle wins each trial
            wins = memory["wins"][:, i] if len(others) == 2 else memory[i]["wins"]
            np.testing.assert_array_equal(wins, (ended & (which == i)).sum(axis=1))


# ---------------------------------------------------------------------- what it costs


def one_step(task) -> str:
    """The program of one step of a session, and of the beginning of a trial, as text."""

    def step(task, words, memory):
        chance = Chance(words, jnp.uint32(0))
        session = begin(task, memory, chance, 0)
        seen, best = observation(task, session, chance, 0), target(task, session)
        session, transition = advance(task, session, best, chance, 0)
        return seen, session, remember(task, session, transition, transition.new_trial, chance, 1)

    memory = start_memory(task, Chance(key_words(KEY), jnp.uint32(0)))
    return str(jax.make_jaxpr(step)(task, key_words(KEY), memory))


def test_a_stack_is_indexed_without_a_switch():
    """Of tasks that draw their noise once a step, a stack draws it once, and tasks of different code each their own."""
    noises = lambda task: (one_step(task).count("erf_inv"), "cond[" in one_step(task))
    stacked, different = three(), schedule([motion(), nj.make("DelayMatchSample-v0")])
    assert not stacked.switches
    assert different.switches
    assert noises(motion()) == noises(stacked) == noises(different.alone(1)) == (1, False)
    assert noises(different) == (2, False)
    assert "cond[" not in one_step(family())


# ---------------------------------------------------------------------- a task for each trial


def test_each_trial_of_a_batch_may_have_a_task_of_its_own():
    task = multi_task([motion(), gonogo()], identity=False)
    assert "rule" not in dict(task.channels.sizes)
    given = np.asarray([1, 0, 0, 1])
    batch = nj.render(task, KEY, 4, task=given, ground_truth=1)
    np.testing.assert_array_equal(batch.conditions["task"], given)
    np.testing.assert_array_equal(batch.targets.max(axis=1), np.where(given == 0, 2, 1))
    design = nj.factorial(task, n_repeats=3, task=[0, 1], ground_truth=[0, 1])
    played = design.play(KEY, policy="oracle")
    assert len(design) == 12
    assert np.all(played.result.outcome == int(nj.Outcome.CORRECT))
    again = nj.render(task, KEY, 12, **nj.conditions_of(task, design.table()))
    np.testing.assert_array_equal(again.conditions["task"], design.conditions["task"])


def test_a_session_keeps_its_task():
    kept = sequence(multi_task([motion(sigma=s) for s in (1.0, 2.0, 3.0)]), lanes=60)
    assert np.all(kept == kept[:, :1])
    assert set(kept[:, 0]) == {0, 1, 2}


def test_a_missing_action_is_the_tasks_action_0():
    """GoNogo has actions 0 and 1; the schedule's third is no answer in it."""
    for action, outcome in ((1, nj.Outcome.CORRECT), (2, nj.Outcome.MISS)):
        played = nj.play(two(), KEY, 4, policy=action, task=1, ground_truth=1)
        assert np.all(played.result.outcome == int(outcome))
    box = nj.Box(("x",), (-1.0,), (1.0,))
    assert to_own(jnp.asarray([3.0, 0.5]), box).tolist() == [1.0]
    joined = actions_of([box, nj.Box(("x", "y"), (0.0, 2.0), (4.0, 3.0))], "here")
    assert joined == nj.Box(("x", "y"), (-1.0, 0.0), (4.0, 3.0))


def test_channels_join_by_name():
    joined = channels_of([nj.Channels.named(a=2, image=(2, 3)), nj.Channels.named(image=(2, 3), a=3, b=1)])
    assert joined.sizes == (("a", 3), ("image", 6), ("b", 1))
    assert joined.images == {"image": (2, 3)}
    bounded = channels_of(
        [nj.Channels((("a", 1),), low=(1.0,), high=(2.0,)), nj.Channels((("a", 2),), low=-1.0, high=0.5)]
    )
    assert bounded.bounds()[0].tolist() == [-1.0, -1.0]
    assert bounded.bounds()[1].tolist() == [2.0, 0.5]


class Waits(nj.Task):
    """A task whose condition `sign` is a number, and with a period `side`."""

    TIMING = {"cue": 200, "side": ("uniform", (200, 400))}

    def conditions(self, draw, memory):
        return {"sign": draw.uniform("sign")}


def test_what_tasks_do_not_share_is_told_apart():
    """`sign` is a bool in Blocks; its `side` is a drawn condition, which giving a duration must not touch."""
    found = conditions_of([Blocks.create(), Waits.create()], ["blocks", "waits"])
    assert found.called == ((("side", "blocks_side"), ("sign", "sign")), (("sign", "waits_sign"),))
    assert found.values == (("blocks_side", (), "int32"), ("sign", (), "bool"), ("waits_sign", (), "float32"))
    # PerceptualDecisionMaking's and GoNogo's `ground_truth` are the same; a given one is that of either.
    assert set(drawn_quantities(two())) >= {"task", "ground_truth", "coherence", "stimulus", "delay"}
    assert drawn_quantities(schedule([motion(dim_ring=4), gonogo()]))["ground_truth"].count == 2
    assert two().units("coherence") == "percent"


# ---------------------------------------------------------------------- two at once


def still(**kwargs):
    """Two tasks without noise, 6 steps each, the second 2 steps later."""
    return combine(dots(), gonogo(), delay=200, **kwargs)


def dots():
    return motion(sigma=0, timing={"fixation": 100, "stimulus": 300, "decision": 200})


def test_two_tasks_stand_side_by_side():
    both, first, second = still(), dots(), gonogo()
    assert both.capacity == 8
    assert both.channels.size == 6
    assert both.actions.size == 6
    given = {"ground_truth": [0, 1], "coherence": 51.2}
    batch = nj.render(both, KEY, 2, **given, second_ground_truth=[1, 0])
    a, b = nj.render(first, KEY, 2, **given), nj.render(second, KEY, 2, ground_truth=[1, 0])
    shown = both.channels.split(np.asarray(batch.inputs))
    before = both.channels.split(np.zeros((2, 8, 6)))
    for name, values in first.channels.split(np.asarray(a.inputs)).items():
        before[name][:, :6] = values
    for name, values in second.channels.split(np.asarray(b.inputs)).items():
        before[f"second_{name}"][:, 2:] = values
    assert shown.keys() == before.keys()
    for name in shown:
        np.testing.assert_array_equal(shown[name], before[name])
    targets = 2 * np.pad(a.targets, ((0, 0), (0, 2))) + np.pad(b.targets, ((0, 0), (2, 0)))
    np.testing.assert_array_equal(batch.targets, targets)
    spans = dict(zip(both.period_names, np.asarray(batch.periods[0]).tolist(), strict=True))
    assert spans["decision"] == [4, 6]
    assert spans["second_decision"] == [6, 8]


def test_the_first_tasks_trials_are_those_of_itself_alone():
    both = combine(motion(), gonogo(), delay=300)
    batch, alone = nj.render(both, KEY, 8), nj.render(motion(), KEY, 8)
    np.testing.assert_allclose(batch.inputs[:, :8, :3], alone.inputs, atol=1e-6)
    assert not np.array_equal(batch.conditions["ground_truth"], batch.conditions["second_ground_truth"])


def test_rewards_add_up_and_a_part_answered_is_over():
    """Motion, decided at 4 or 5: 1 if right, else 0. GoNogo, at 6 or 7: 1 if right, -.5 for a go withheld."""
    given = {"ground_truth": 0, "second_ground_truth": 1}

    right, wrong, go = 2 * 1, 2 * 2, 1  # pairs: motion's action times 2, plus GoNogo's
    correct, error, miss = (int(o) for o in (nj.Outcome.CORRECT, nj.Outcome.ERROR, nj.Outcome.MISS))
    plays = {
        (0, 0, 0, 0, right, 0, go, 0): (2.0, correct, 1.0),
        (0, 0, 0, 0, right, wrong, 0, go): (2.0, correct, 1.0),  # what follows the answer does not count
        (0, 0, 0, 0, wrong, 0, go, 0): (1.0, error, 0.5),
        (0, 0, 0, 0, right, 0, 0, 0): (0.5, miss, 0.5),
        (0, 0, 0, 0, 0, 0, go, 0): (1.0, miss, 0.5),
        (0, 0, 0, 0, right + go, 0, go, 0): (1.9, correct, 1.0),  # going early costs .1
    }

    @jax.jit
    @jax.vmap
    def do(actions):
        policy = lambda t, obs, first, key: (t + 1, actions[t])
        return nj.play(still(), KEY, 1, policy=policy, carry=jnp.int32(0), **given, devices=1).result

    result = do(jnp.asarray(list(plays), jnp.int32))
    found = np.stack([result.reward[:, 0], result.outcome[:, 0], result.performance[:, 0]], axis=-1)
    np.testing.assert_allclose(found, list(plays.values()), atol=1e-6)


def test_a_shared_action_answers_both():
    timing = {"fixation": 100, "stimulus": 200, "delay": 0, "decision": 200}
    one = nj.make("PerceptualDecisionMaking-v0", timing=timing, sigma=0)
    both = combine(one, one, delay=100, share_action_space=True)
    assert both.actions.size == 3
    batch = nj.render(both, KEY, 1, ground_truth=0, second_ground_truth=1)
    assert batch.targets[0].tolist() == [0, 0, 0, 1, 1, 2]  # 4 is both's: the first comes first
    assert both.references() == {}
    alike = nj.play(both, KEY, 1, policy="oracle", ground_truth=0, second_ground_truth=0).result
    assert float(alike.reward[0]) == 2.0


def test_a_mix_has_trials_of_one_task_alone():
    task = still(mix=(1, 1, 2), trial_cue=True)
    batch = nj.render(task, KEY, 2000)
    kind = np.asarray(batch.conditions["second_mix"])
    assert np.all(np.abs(np.bincount(kind) - [500, 500, 1000]) < 4.5 * np.sqrt(500))
    on = np.stack([kind != 1, kind != 0], axis=-1)
    np.testing.assert_array_equal(task.channels.split(np.asarray(batch.inputs))["second_cue"][:, 0], on)
    np.testing.assert_array_equal(batch.lengths, np.where(kind == 0, 6, 8))
    assert not np.asarray(batch.inputs)[kind == 1][..., :3].any()
    assert not np.asarray(batch.inputs)[kind == 0][..., 3:6].any()
    played = nj.play(task, KEY, 64, policy="oracle").result
    assert np.all(played.performance == 1)


def test_three_tasks_at_once_have_names_and_draws_of_their_own():
    for task in (
        combine(combine(gonogo(), gonogo()), gonogo()),
        combine(gonogo(), combine(gonogo(), gonogo())),
    ):
        batch = nj.render(task, KEY, 400)
        truths = np.stack([x for name, x in batch.conditions.items() if name.endswith("ground_truth")])
        assert len(truths) == 3
        assert np.all(np.abs(np.corrcoef(truths) - np.eye(3)) < 0.25)
    assert [n for n, _ in combine(combine(gonogo(), gonogo()), gonogo()).channels.sizes][-1] == "third_go"


def test_a_schedule_may_be_one_of_two_tasks_at_once():
    task = combine(schedule([motion(), gonogo()]), gonogo())
    run = jax.tree.map(np.asarray, nj.rollout(task, KEY, 4, 60, policy="oracle").trajectory)
    assert {0, 1} <= set(run.conditions["task"].ravel())
    assert np.all(run.results.performance[run.new_trial] == 1)


def test_reaction_time_goes_inside_where_each_task_has_its_clock():
    """Fixation lasts 1 step and the stimulus up to 4 (less than 500 ms); the decision does not come behind it."""
    inside = schedule([nj.reaction_time(motion()), gonogo()])
    assert nj.render(inside, KEY, 64, task=0).lengths.max() == 5


# ---------------------------------------------------------------------- settings and references


def rebuilt(task):
    """A task built again from its settings, which went through JSON."""
    settings = json.loads(json.dumps(task.settings()))
    *inside, outermost = settings.pop("modifiers")
    assert outermost.pop("name") == task.label()
    first = task.inner.part(0) if hasattr(task.inner, "part") else task.inner
    return type(task).around(nj.make(written(first)["id"], **settings, modifiers=inside), **outermost)


@pytest.mark.parametrize(
    "build",
    [
        two,
        family,
        lambda: schedule([motion(), nj.reaction_time(motion())], order="random_block", block_lengths=[3, 5]),
        lambda: multi_task([gonogo(), motion()], names=["go", "see"], identity=False),
        lambda: combine(nj.reaction_time(motion(), urgency=-0.01), gonogo(), mix=(1, 2, 3), prefix="side"),
    ],
)
def test_settings_build_it_again(build):
    task = build()
    assert_same_bits(rebuilt(task), task)


def test_a_task_is_written_as_its_id_and_keywords():
    task = nj.make("perceptualdecisionmaking.roitman02-v0", urgency=-0.02)
    assert_same_bits(read_task(json.loads(json.dumps(written(task)))), task)
    with pytest.raises(InvalidArgument, match="Blocks cannot be written down: register its class"):
        written(Blocks.create())


def test_parameters_of_a_schedule_are_set():
    task = two().set(weights=[1, 3])
    assert task.shares().tolist() == [0.25, 0.75]
    assert task.set(order="sequential_block", block_lengths=4).block_lengths.tolist() == [4, 4]
    assert task.set(order="sequential_block", block_lengths=4).set(order="random").shares().tolist() == [0.25, 0.75]
    traced = jax.jit(lambda w: nj.render(two().set(weights=w), KEY, 8, devices=1).conditions["task"])
    assert traced(jnp.asarray([0.0, 1.0])).tolist() == [1] * 8


def test_references_are_the_mean_of_the_tasks():
    first, second = motion(), gonogo()
    a, b = first.references(), second.references()
    task = schedule([first, second], weights=[1, 3])
    for name, value in task.references().items():
        assert value == pytest.approx(0.25 * a[name] + 0.75 * b[name])
    assert "random" not in task.references()  # there are more actions than GoNogo has
    assert {"ideal", "blind"} <= set(task.references())
    assert not {"ideal", "blind"} & set(schedule([first, second], identity=False).references())
    both = combine(first, second, mix=(1, 0, 1)).references()
    assert both["ideal"] == pytest.approx(0.75 * a["ideal"] + 0.25 * b["ideal"])
    assert both["random"] == pytest.approx(nj.reference_numbers(combine(first, second, mix=(1, 0, 1))).random)


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: schedule([]), "tasks must be a list of tasks, or a stack of them, got \\[\\]"),
        (lambda: schedule([motion(), "GoNogo-v0"]), "a task is one from nj.make, or a table with its id, got 'GoNogo"),
        (lambda: schedule(motion()), "a schedule takes a list of tasks, or a stack of them"),
        (
            lambda: schedule([motion(), gonogo(dt=20)]),
            "all tasks must have one time step dt, in ms; got",
        ),
        (lambda: schedule([motion(), nj.make("DelayedEstimation-v0")]), "one action cannot be a number"),
        (lambda: schedule([motion(), gonogo()], order="shuffled"), "order must be one of 'random', 'sequential'"),
        (lambda: schedule([motion(), gonogo()], order="random_block"), "order='random_block' needs block_lengths"),
        (lambda: schedule([motion(), gonogo()], block_lengths=3), "order='random' has no blocks"),
        (
            lambda: schedule([motion(), gonogo()], order="random_block", block_lengths=[3]),
            "block_lengths must be 2 numbers, one for each task, got \\[3.0\\]",
        ),
        (
            lambda: schedule([motion(), gonogo()], order="random_block", block_lengths=2.5),
            "block_lengths must be whole numbers of trials",
        ),
        (lambda: schedule([motion(), gonogo()], order="session", start="first"), "would show the first task alone"),
        (lambda: schedule([motion(), gonogo()], weights=[1, 2, 3]), "weights must be 2 numbers"),
        (lambda: schedule([motion(), gonogo()], weights=[0, 0]), "at least one weight must be above 0"),
        (lambda: schedule([motion(), gonogo()], weights=[0, 1], repeats=False), "at least two weights must be above"),
        (lambda: schedule([motion(), gonogo()], names=["a", "a"]), "names must be 2 different words"),
        (
            lambda: nj.reaction_time(three()),
            "reaction_time cannot go around schedule, which .*; put schedule around it",
        ),
        (lambda: nj.reaction_time(still()), "reaction_time cannot go around combine, which .*; put combine around it"),
        (lambda: two().alone(2), "task must be the number of a task, 0 .. 1, got 2"),
        (lambda: nj.render(two(), KEY, 2, task=2), "condition 'task' must lie in 0 .. 1"),
        (lambda: combine(motion(), gonogo(dt=20)), "both tasks must have one time step dt, got 100 and 20"),
        (
            lambda: combine(motion(), nj.make("DelayedEstimation-v0")),
            "one action cannot be a number for one task .* PerceptualDecisionMaking has discrete actions and Delayed",
        ),
        (
            lambda: combine(motion(), gonogo(), share_action_space=True),
            "share_action_space needs tasks with the same number of discrete actions, got 3 and 2",
        ),
        (lambda: combine(motion(), Blocks.create()), "combine: Blocks remembers the results of its trials"),
        (lambda: combine(motion(), gonogo(), mix=(1, 2)), "mix must be three numbers of 0 or more"),
        (lambda: combine(motion(), gonogo(), prefix="a b"), "prefix must be a word, such as 'second', got 'a b'"),
        (
            lambda: combine(combine(motion(), gonogo()), gonogo(), prefix="second"),
            "prefix='second' stands before names of Combine",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(build, said):
    with pytest.raises(InvalidArgument, match=said):
        build()


def test_unknown_keywords_are_refused():
    with pytest.raises(UnknownName, match="unknown keyword 'weight' in schedule; did you mean 'weights'"):
        two().set(weight=[1, 2])
    with pytest.raises(UnknownName, match="unknown keyword 'sigma' in schedule"):
        two().set(sigma=1)
