"""Sessions as data: the trials of the stream and of the rollout, kept with what made them."""

import dataclasses
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from helpers import Blocks
from neurojax.core.chance import key_words
from neurojax.data.sessions import SessionData, _count_trials, session
from neurojax.errors import DamagedFile, InvalidArgument

KEY = jax.random.key(77)
ANNUBES = {
    "session": {"v": 1, "a": 1, "a+v": 1}, "catch_prob": 0.25, "max_sequential": {"v": 2, "catch": 1},
    "iti": ("uniform", (100, 300)), "fix_time": 200, "stim_time": 300,
}  # fmt: skip


@pytest.fixture(scope="module")
def task():
    return nj.make("AnnubesEnv-v0", **ANNUBES)


@pytest.fixture(scope="module")
def scheduled(task):
    return session(task, KEY, 12, n_sessions=2)


@pytest.fixture(scope="module")
def played(task):
    return session(task, KEY, 12, n_sessions=2, policy="random")


def flow(data, values, lane):
    """Values `[B, K, T, ...]` of one session, step after step."""
    return np.concatenate([values[lane, k][data.mask[lane, k]] for k in range(data.n_trials)])


# ---------------------------------------------------------------------- the trials


def test_a_session_is_the_stream_cut_into_trials(task, scheduled):
    steps = int(scheduled.lengths.sum(axis=1).max())
    piece = nj.stream(task, KEY, 2, steps, devices=1)
    for lane in range(2):
        n = int(scheduled.lengths[lane].sum())
        np.testing.assert_allclose(flow(scheduled, scheduled.inputs, lane), piece.inputs[lane, :n], atol=1e-6)
        np.testing.assert_array_equal(flow(scheduled, scheduled.targets, lane), piece.targets[lane, :n])
        np.testing.assert_array_equal(np.flatnonzero(piece.first[lane, :n]), scheduled.starts[lane])
        for name, values in scheduled.conditions.items():
            np.testing.assert_array_equal(values[lane], piece.conditions[name][lane, scheduled.starts[lane]])
    assert (scheduled.n_sessions, scheduled.n_trials) == (2, 12)
    assert scheduled.actions is scheduled.result is scheduled.rewards is None


def test_a_played_session_is_the_rollout_cut_into_trials(task, played):
    steps = int(played.lengths.sum(axis=1).max())
    run = nj.rollout(task, KEY, 2, steps, policy="random", devices=1).trajectory
    for lane in range(2):
        n = int(played.lengths[lane].sum())
        ends = np.flatnonzero(run.new_trial[lane, :n])
        np.testing.assert_array_equal(ends, played.starts[lane] + played.lengths[lane] - 1)
        np.testing.assert_allclose(flow(played, played.inputs, lane), run.observations[lane, :n], atol=1e-6)
        np.testing.assert_array_equal(flow(played, played.actions, lane), run.actions[lane, :n])
        np.testing.assert_allclose(flow(played, played.rewards, lane), run.rewards[lane, :n])
        for field in dataclasses.fields(played.result):
            ours, theirs = (getattr(x, field.name) for x in (played.result, run.results))
            np.testing.assert_allclose(ours[lane], np.asarray(theirs)[lane, ends], rtol=1e-6)
    assert not np.any(played.inputs[~played.mask])
    assert set(played.result.outcome.ravel().tolist()) >= {int(nj.Outcome.CORRECT), int(nj.Outcome.ERROR)}


def test_memory_and_policy_go_on_from_trial_to_trial():
    """Blocks remembers whether it was answered well; the policy counts all steps of its session."""
    task = Blocks.create()

    def count(carry, obs, first, key):
        return carry + 1, jnp.where((carry >= 20) & (obs[1] > 0.5), 1 + (obs[0] < 0), 0).astype(jnp.int32)

    data = session(task, KEY, 15, n_sessions=3, policy=count, carry=jnp.int32(0))
    assert data.about["policy"] == "function"
    for lane in range(3):
        began = data.starts[lane] + data.lengths[lane] - 1 >= 20  # the step at which a trial ends
        answered = data.result.choice[lane] > 0
        np.testing.assert_array_equal(answered, began)
        side, outcome = data.conditions["side"][lane], data.result.outcome[lane]
        lost = outcome[:-1] != nj.Outcome.CORRECT
        np.testing.assert_array_equal(side[1:][lost], 1 - side[:-1][lost])


def test_closed_loops_and_continuous_actions():
    data = session(nj.make("Reaching1D-v0", dim_ring=4, timing={"reach": 300}), KEY, 3)
    assert data.mask.all()
    assert set(data.targets.ravel().tolist()) <= {0, 1, 2}
    data = session(nj.make("ReachingDelayResponse-v0", timing={"delay": 0}), KEY, 3, policy="oracle")
    assert data.actions.shape == data.targets.shape == (*data.mask.shape, 2)
    np.testing.assert_array_equal(data.actions[data.mask], data.targets[data.mask])


def test_number_of_trials_may_be_drawn(task, scheduled):
    counts = [_count_trials((10, 12), key_words(jax.random.key(seed))) for seed in range(60)]
    assert set(counts) == {10, 11, 12}
    key = jax.random.key(counts.index(12))
    assert session(task, key, (10, 12), n_sessions=2).n_trials == 12
    split = session(task, jax.random.fold_in(key, 1), 12, n_sessions=2)
    assert split.seed is None
    np.testing.assert_array_equal(jax.random.key_data(split.key), jax.random.key_data(jax.random.fold_in(key, 1)))


def test_a_batch_of_all_trials(scheduled):
    batch = scheduled.batch()
    assert batch.inputs.shape == (24, *scheduled.inputs.shape[2:])
    np.testing.assert_array_equal(batch.lengths, scheduled.lengths.ravel())
    np.testing.assert_array_equal(batch.conditions["stimulus"][12:], scheduled.conditions["stimulus"][1])
    assert not batch.overflow.any()


# ---------------------------------------------------------------------- files


def same(a, b):
    for field in dataclasses.fields(a):
        if field.name != "_task":
            x, y = getattr(a, field.name), getattr(b, field.name)
            assert jax.tree.all(jax.tree.map(lambda p, q: bool(np.all(p == q)), x, y)), field.name


def test_saved_and_loaded(task, played, scheduled, tmp_path):
    for data in (played, scheduled):
        again = SessionData.load(data.save(tmp_path / "new" / "session.npz"))
        same(data, again)
        assert again.seed == 77
        assert jax.tree.structure(again.task) == jax.tree.structure(task)
        assert again.task.settings() == task.settings()
        # the settings and the seed give the data again
        anew = session(again.task, again.key, again.n_trials, n_sessions=2, policy=again.about["policy"])
        same(anew, again)


def test_modified_tasks_and_variants_are_built_again(tmp_path):
    task = nj.reaction_time(nj.make("PerceptualDecisionMaking-v0", dt=50, timing={"stimulus": 300}), urgency=-0.02)
    data = session(task, KEY, 2)
    again = SessionData.load(data.save(tmp_path / "rt.npz")).task
    assert jax.tree.structure(again) == jax.tree.structure(task)
    assert float(again.urgency) == pytest.approx(-0.02)
    assert data.about["id"] == "PerceptualDecisionMaking-v0"


def test_a_task_that_is_not_registered(tmp_path):
    task = Blocks.create(sigma=0.25)
    path = session(task, KEY, 3).save(tmp_path / "blocks.npz")
    data = SessionData.load(path)
    assert data.inputs.shape[:2] == (1, 3)
    assert data.about["class"].endswith(":Blocks")
    with pytest.raises(
        InvalidArgument, match=r"of the task Blocks .* not registered; use .*load\(path, factory=Blocks"
    ):
        data.table()
    assert float(SessionData.load(path, factory=Blocks).task.sigma) == 0.25
    with pytest.raises(InvalidArgument, match="cannot be built again: unknown keyword 'sigma'"):
        SessionData.load(path, factory=Other)


class Other(nj.Task):
    """Takes none of the settings."""

    TIMING = {"cue": 100, "decision": 100}


def damaged(path, **changes):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays = {name: x for name, x in {**arrays, **changes}.items() if x is not None}
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.read_bytes()[:-200], "is damaged"),
        (lambda path: path.read_bytes()[:2000] + b"x" * 200 + path.read_bytes()[2200:], "is damaged"),
        (lambda path: b"", "is damaged"),
        (lambda path: b"no zip file", "is damaged"),
        (lambda path: damaged(path, about=None), "is damaged"),
        (lambda path: damaged(path, about=np.array("{}")), "does not say what it holds"),
        (lambda path: damaged(path, about=np.array("[")), "is damaged"),
        (lambda path: damaged(path, mask=None), "lacks mask"),
        (lambda path: damaged(path, **{"result/reward": None}), "lacks result/reward"),
        (lambda path: damaged(path, targets=np.zeros((2, 12, 1), np.int32)), "shapes do not fit (targets)"),
        (lambda path: damaged(path, **{"conditions/stimulus": np.zeros(3)}), "shapes do not fit (conditions/stimulus)"),
        (lambda path: damaged(path, inputs=np.array([{}], object)), "is damaged"),
    ],
)
def test_damaged_files_are_refused(played, tmp_path, change, words):
    path = played.save(tmp_path / "session.npz")
    path.write_bytes(change(path))
    with pytest.raises(DamagedFile) as error:
        SessionData.load(path)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_other_bad_input(task, played, tmp_path):
    with pytest.raises(InvalidArgument, match="there is no file"):
        SessionData.load(tmp_path / "nothing.npz")
    with pytest.raises(InvalidArgument, match="cannot write"):
        played.save(tmp_path)  # a folder
    assert list(tmp_path.iterdir()) == []
    for n_trials in (0, 1.5, "a", (3, 2), (1, 2, 3), (0, 2)):
        with pytest.raises(InvalidArgument, match="n_trials must be"):
            session(task, KEY, n_trials)
    with pytest.raises(InvalidArgument, match="key must be a typed key"):
        session(task, 3, 2)
    with pytest.raises(InvalidArgument, match="unknown policy"):
        session(task, KEY, 2, policy="oracel")
    with pytest.raises(InvalidArgument, match="session must be below the number of sessions, 2, got 2"):
        played.plot(session=2)
    with pytest.raises(InvalidArgument, match="first must be below the number of trials, 12, got 12"):
        played.plot(first=12)


# ---------------------------------------------------------------------- tables and pictures


def test_table(task, played, scheduled):
    table = played.table()
    assert table["session"].tolist() == [0] * 12 + [1] * 12
    assert table["trial"].tolist() == list(range(12)) * 2
    names = (*task.kinds, "catch")
    assert table["kind"].tolist() == [names[i] for i in played.conditions["stimulus"].ravel()]
    np.testing.assert_allclose(table["onset"], played.starts.ravel() * 100)
    assert table["outcome"].tolist() == [nj.Outcome(i).name.lower() for i in played.result.outcome.ravel()]
    np.testing.assert_allclose(table["reward"], played.result.reward.ravel())
    assert "outcome" not in scheduled.table()
    plain = session(nj.make("DelayMatchSample-v0", dt=100), KEY, 2).table()
    assert "kind" not in plain


def test_plot(played, scheduled):
    figure = played.plot(session=1, first=2, trials=4, title="Random actions")
    order, seen, acted = figure.axes
    assert [label.get_text() for label in order.get_yticklabels()][::-1] == [
        name for name in (*played.task.kinds, "catch") if name in played.table()["kind"][12:].tolist()
    ]
    marks = sum(len(c.get_offsets()) for c in order.collections)
    assert marks == 12  # one a trial
    dt = 0.1
    first, last = played.starts[1, 2], played.starts[1, 5] + played.lengths[1, 5]
    assert seen.get_xlim() == acted.get_xlim() == (pytest.approx(first * dt), pytest.approx(last * dt))
    words = [text.get_text().split("\n")[-1] for text in seen.texts[-4:]]
    assert words == [nj.Outcome(i).name.lower() for i in played.result.outcome[1, 2:6]]
    assert len(scheduled.plot(trials=100).axes) == 3
