"""Factorial designs, tables of trials, and the way back."""

import jax
import numpy as np
import pytest

import neurojax as nj
from helpers import Blocks, assert_same_bits

KEY = jax.random.key(4)
PDM = "PerceptualDecisionMaking-v0"


@pytest.fixture(scope="module")
def task():
    return nj.make(PDM, timing={"fixation": ("uniform", (100, 400)), "stimulus": 300})


class Places(nj.Task):
    """A task with an array as a condition: where the greatest of three levels is."""

    TIMING = {"look": 200, "decision": 200}
    REWARDS = {"correct": 1.0}
    UNITS = {"levels": "dB"}

    @property
    def channels(self):
        return nj.Channels.named(levels=3, go=1)

    @property
    def actions(self):
        return nj.Discrete.named(wait=1, place=3)

    def conditions(self, draw, memory):
        return {"levels": draw.uniform("levels", shape=(3,))}

    def observe(self, trial, state, t):
        levels = jax.numpy.where(trial.during("look", t), trial["levels"], 0.0)
        return {"levels": levels, "go": trial.during("decision", t)}

    def target(self, trial, state, t):
        best = 1 + jax.numpy.argmax(trial["levels"]).astype(jax.numpy.int32)
        return jax.numpy.where(trial.during("decision", t), best, 0)

    def respond(self, trial, state, action, t, draw):
        decides = trial.during("decision", t) & (action != 0)
        correct = action == self.target(trial, state, t)
        reward = jax.numpy.where(decides & correct, self.rewards["correct"], 0.0)
        return nj.consequence(reward=reward, end=decides, correct=correct)


# ---------------------------------------------------------------------- designs


def test_a_factorial_design_is_balanced_and_shuffled(task):
    design = nj.factorial(task, n_repeats=6, coherence=[0, 6.4, 25.6], ground_truth=[0, 1])
    counts = design.table().groupby(["coherence", "ground_truth"]).size()
    assert len(design) == 36
    assert counts.tolist() == [6] * 6
    order = design.conditions["coherence"]
    assert not np.array_equal(order, np.sort(order))
    again = nj.factorial(task, n_repeats=6, coherence=[0, 6.4, 25.6], ground_truth=[0, 1])
    other = nj.factorial(task, n_repeats=6, seed=1, coherence=[0, 6.4, 25.6], ground_truth=[0, 1])
    np.testing.assert_array_equal(order, again.conditions["coherence"])
    assert not np.array_equal(order, other.conditions["coherence"])
    plain = nj.factorial(task, n_repeats=2, shuffle=False, coherence=[0, 6.4], ground_truth=[0, 1])
    assert plain.conditions["coherence"].tolist() == [0, 0, 0, 0, 6.4, 6.4, 6.4, 6.4]


def test_a_design_is_shown_and_played(task):
    design = nj.factorial(task, n_repeats=2, coherence=[0, 51.2], ground_truth=[0, 1])
    batch = design.render(KEY)
    np.testing.assert_allclose(batch.conditions["coherence"], design.conditions["coherence"], rtol=1e-6)
    assert np.array_equal(batch.targets.max(axis=1), 1 + design.conditions["ground_truth"])
    assert (design.play(KEY, policy="oracle").result.outcome == nj.Outcome.CORRECT).all()


def test_durations_are_conditions_too(task):
    design = nj.factorial(task, n_repeats=2, fixation=[100, 300], delay=[0, 500, 1000])
    batch = design.render(KEY)
    assert not batch.overflow.any()
    assert design.task.capacity == task.capacity + 10
    lasted = np.diff(np.asarray(batch.periods), axis=-1)[..., 0] * task.dt
    at = task.period_names.index
    np.testing.assert_array_equal(lasted[:, at("fixation")], design.conditions["fixation"])
    np.testing.assert_array_equal(lasted[:, at("delay")], design.conditions["delay"])
    # What is not given is drawn as ever.
    one = nj.render(task, KEY, len(design), fixation=design.conditions["fixation"])
    np.testing.assert_array_equal(one.conditions["coherence"], batch.conditions["coherence"])


def test_designs_through_a_modifier():
    quick = nj.reaction_time(nj.make(PDM))
    design = nj.factorial(quick, n_repeats=1, stimulus=[1000, 3000], coherence=[51.2])
    assert not design.render(KEY).overflow.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "state the levels of at least one condition"),
        ({"coherense": [0]}, "did you mean 'coherence'"),
        ({"coherence": []}, "levels of 'coherence' must be a non-empty list"),
        ({"coherence": 3.2}, "levels of 'coherence' must be a non-empty list"),
        ({"coherence": [1, 1]}, "levels of 'coherence' must differ"),
        ({"ground_truth": [0, 2]}, "must lie in 0 .. 1"),
        ({"ground_truth": [0.5]}, "must be whole"),
        ({"delay": [-100]}, "must not be negative"),
        ({"coherence": [0], "n_repeats": 0}, "n_repeats must be a whole number of 1 or more"),
        ({"coherence": [0], "shuffle": 1}, "shuffle must be True or False"),
    ],
)
def test_bad_designs_are_refused(task, arguments, message):
    with pytest.raises(ValueError, match=message):
        nj.factorial(task, **arguments)


# ---------------------------------------------------------------------- tables


def test_a_table_tells_what_came_of_each_trial(task):
    played = nj.play(task, KEY, 200, policy="random")
    trials = nj.table(task, played)
    assert len(trials) == 200
    np.testing.assert_array_equal(trials["choice"], played.result.choice)
    named = trials["choice"].map(dict(enumerate(task.actions.labels())))
    assert (trials["choice_name"] == named).all()
    assert set(trials["outcome"]) == {"correct", "error", "miss"} or set(trials["outcome"]) == {"correct", "error"}
    assert (trials["performance"] == (trials["outcome"] == "correct")).all()
    assert trials["fixation"].between(100, 400).all()
    assert trials["fixation"].nunique() > 2
    columns = trials.attrs["columns"]
    assert set(columns) == set(trials.columns)
    assert columns["coherence"]["units"] == "percent"
    assert columns["fixation"]["units"] == columns["response_time"]["units"] == "ms"
    assert all(column["meaning"] for column in columns.values())


def test_a_rollout_gives_one_row_for_each_ended_trial():
    task = Blocks.create()
    run = nj.rollout(task, KEY, 3, 60, policy="oracle")
    trials = nj.table(task, run)
    ended = np.asarray(run.trajectory.new_trial)
    assert len(trials) == ended.sum()
    assert trials.groupby("session").size().tolist() == ended.sum(axis=1).tolist()
    assert trials[trials.session == 1]["trial"].tolist() == list(range(int(ended[1].sum())))
    assert trials["reward"].sum() == pytest.approx(float(run.trajectory.rewards[ended].sum()))


def test_conditions_go_in_again(task):
    batch = nj.render(task, KEY, 12)
    given = nj.conditions_of(task, nj.table(task, batch))
    assert set(given) == {"ground_truth", "coherence", "fixation"}
    again = nj.render(task, KEY, 12, **given)
    np.testing.assert_array_equal(again.lengths, batch.lengths)
    np.testing.assert_array_equal(again.inputs, batch.inputs)


def test_conditions_that_are_arrays():
    task = Places.create()
    nj.check_task(task)
    batch = nj.render(task, KEY, 5)
    trials = nj.table(task, batch)
    assert [c for c in trials if c.startswith("levels")] == ["levels_0", "levels_1", "levels_2"]
    assert trials.attrs["columns"]["levels_1"]["units"] == "dB"
    assert_same_bits(nj.render(task, KEY, 5, **nj.conditions_of(task, trials)).inputs, batch.inputs)
    one = nj.render(task, KEY, 4, levels=[0.1, 0.9, 0.2])
    assert one.targets.max(axis=1).tolist() == [2] * 4
    flow = nj.stream(task, KEY, 5, 10)
    np.testing.assert_array_equal(flow.inputs[:, :4], batch.inputs)
    np.testing.assert_array_equal(flow.conditions["levels"][:, 0], batch.conditions["levels"])
    with pytest.raises(ValueError, match=r"condition 'levels' must have shape \[3\] or have shape \[4, 3\]"):
        nj.render(task, KEY, 4, levels=[0.1, 0.9])


def test_bad_tables_are_refused(task):
    trials = nj.table(task, nj.render(task, KEY, 3))
    with pytest.raises(ValueError, match="no column is a condition"):
        nj.conditions_of(task, trials[["length"]])
    trials.loc[1, "coherence"] = np.nan
    with pytest.raises(ValueError, match="'coherence' must hold numbers"):
        nj.conditions_of(task, trials)
    with pytest.raises(ValueError, match=r"data must come from nj.render, nj.play or nj.rollout"):
        nj.table(task, {"coherence": [1]})
