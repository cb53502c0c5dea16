"""The monitor: what is recorded, that it survives, and that it can be read at any time."""

import json
import signal
import subprocess
import sys
import time
import warnings

import jax
import numpy as np
import pandas as pd
import pytest

import neurojax as nj
from helpers import Blocks
from neurojax.errors import ExistingRun

pytest.importorskip("pyarrow")

from neurojax.monitor import Monitor, monitor_callback, rates, read_trials
from neurojax.monitor.clock import periods_of
from neurojax.monitor.parts import Parts, read_parts
from neurojax.monitor.replay import carries
from neurojax.networks import make_network
from neurojax.tasks.yang19 import Yang19Mixture

KEY = jax.random.key(3)
T = 40


@pytest.fixture(scope="module")
def task():
    """Fixation of 100 to 400 ms, stimulus 300, decision 100: trials of 5 to 8 steps of 100 ms."""
    return nj.make("PerceptualDecisionMaking-v0", timing={"fixation": ("uniform", (100, 500)), "stimulus": 300})


@pytest.fixture(scope="module")
def run(task):
    return jax.tree.map(np.asarray, nj.rollout(task, KEY, 3, T, policy="random"))


@pytest.fixture(scope="module")
def played(task):
    """The same trials as in `run`, more of them."""
    return nj.session(task, KEY, 12, n_sessions=3, policy="random")


@pytest.fixture(scope="module")
def network(task):
    return make_network("leaky", 3, 3, 6, jax.random.key(1), dt=20, nonlinearity="softplus", recurrent_noise=0.5)


def cut(trajectory, start, stop):
    return jax.tree.map(lambda x: x[:, start:stop], trajectory)


# ---------------------------------------------------------------------- trials


def test_rows_are_those_of_the_table_however_the_rollout_is_cut(task, run, tmp_path):
    with Monitor(tmp_path, task, save_every=5) as monitor:
        for start in (0, 13, 26):
            monitor.trials(cut(run.trajectory, start, start + 13), update=start, step=start)
        monitor.trials(cut(run.trajectory, 39, T), update=39, step=39)
    rows = read_trials(tmp_path)
    columns = rows.attrs["columns"]
    rows = rows.sort_values(["session", "trial"], ignore_index=True)
    table = nj.table(task, run)
    pd.testing.assert_frame_equal(rows[list(table)], table, check_dtype=False)
    lane, step = np.nonzero(run.trajectory.new_trial)
    np.testing.assert_array_equal(rows["session"], lane)
    np.testing.assert_array_equal(rows["step"], step)
    np.testing.assert_array_equal(rows["update"], step // 13 * 13)
    np.testing.assert_array_equal(rows["response_step"], run.trajectory.results.response_step[lane, step])
    assert set(rows["stage"]) == {"training"}
    assert set(columns) == set(rows)
    assert (columns["coherence"]["units"], columns["response_time"]["units"]) == ("percent", "ms")
    assert all(column["meaning"] for column in columns.values())


def test_an_oracles_trials_by_hand(tmp_path):
    task = nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 300})
    # Steps of 100 ms: fixation 0, stimulus 1 to 3, decision 4. The oracle decides at once, so trials take 5 steps; the
    # second piece of 10 steps ends trials at steps 14 and 19.
    run = nj.rollout(task, KEY, 2, 10, policy="oracle")
    again = nj.rollout(task, KEY, 2, 10, policy="oracle", state=run.state)
    with Monitor(tmp_path, task, reaction_from="stimulus", seed=3) as monitor:
        assert [monitor.trials(run), monitor.trials(again, update=7)] == [4, 4]
        assert monitor.trials(nj.play(task, KEY, 2, policy=0), stage="other") == 2
    rows = read_trials(tmp_path, "training")
    lane = rows[rows["session"] == 1]
    assert lane["trial"].tolist() == [0, 1, 2, 3]
    assert lane["step"].tolist() == [4, 9, 14, 19]
    assert lane["record"].tolist() == [0, 0, 1, 1]
    assert lane["update"].tolist() == [0, 0, 7, 7]
    assert set(rows["response_step"]) == {4}
    assert set(rows["response_time"]) == {400}
    assert set(rows["reaction_time"]) == {300}
    assert set(rows["length"]) == {500}
    assert (rows["choice"] == 1 + rows["ground_truth"]).all()
    assert rates(rows)["reward"] == rates(rows)["performance"] == 1
    with Monitor(tmp_path, task, reaction_from="stimulus", resume=True) as monitor:  # a piece that begins in a trial
        monitor.trials(cut(again.trajectory, 2, 10), stage="piece")
    assert set(read_trials(tmp_path, "piece")["reaction_time"]) == {300}
    missed = read_trials(tmp_path, "other")
    assert set(missed["outcome"]) == {"miss"}
    assert missed["reaction_time"].isna().all()
    about = json.loads((tmp_path / "monitor.json").read_text())
    assert (about["id"], about["seed"], about["dt"]) == ("PerceptualDecisionMaking-v0", 3, 100)
    assert about["settings"]["timing"]["stimulus"] == 300
    with pytest.raises(KeyError, match="unknown stage 'test'"):
        read_trials(tmp_path, "test")


def test_durations_follow_from_the_key(task, run, played, tmp_path):
    with Monitor(tmp_path, task) as monitor:
        monitor.trials(run, key=KEY)
        monitor.trials(cut(run.trajectory, 20, T), key=KEY, step=20, stage="later")
        monitor.trials(run, stage="keyless")
        monitor.trials(played, stage="session")
        monitor.trials(played.table(), stage="table")
    of = {stage: rows.reset_index(drop=True) for stage, rows in read_trials(tmp_path).groupby("stage")}
    drawn = ["fixation", "length"]
    assert of["keyless"][drawn].isna().all(axis=None)
    assert of["session"]["fixation"].nunique() > 2
    pd.testing.assert_frame_equal(of["session"][[*drawn, "step"]][:0], of["training"][[*drawn, "step"]][:0])
    both = of["training"].merge(of["session"], on=["session", "trial"], suffixes=("", "_there"))
    assert len(both) == len(of["training"])
    for name in (*drawn, "step", "coherence", "choice", "response_time", "reward"):
        np.testing.assert_array_equal(both[name], both[f"{name}_there"])
    later = of["later"].merge(of["session"], on=["session", "step"], suffixes=("", "_there"))
    assert len(later) == len(of["later"])
    np.testing.assert_array_equal(later["fixation"], later["fixation_there"])
    same = [name for name in of["table"] if name not in ("stage", "record", "step")]
    pd.testing.assert_frame_equal(of["table"][same], of["session"][same])


# ---------------------------------------------------------------------- surviving

_WRITER = """
import sys, pandas as pd
from neurojax.monitor.clock import periods_of
from neurojax.monitor.parts import Parts
parts, n = Parts(sys.argv[1], rows=50), 0
while True:
    parts.append(pd.DataFrame({"n": range(n, n + 7), "word": "x"}))
    n += 7
"""


def test_a_reader_sees_whole_rows_while_it_is_written_and_after_a_kill(tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)])
    try:
        seen, until = [0], time.monotonic() + 60
        while len(set(seen)) < 8 and time.monotonic() < until:
            rows = read_parts(tmp_path)
            if len(rows):
                np.testing.assert_array_equal(rows["n"], np.arange(len(rows)))
                assert len(rows) % 7 == 0
            seen.append(len(rows))
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert seen == sorted(seen)
    assert len(set(seen)) >= 8
    rows = read_parts(tmp_path)
    np.testing.assert_array_equal(rows["n"], np.arange(len(rows)))
    Parts(tmp_path, rows=50).append(pd.DataFrame({"n": [len(rows)], "word": "x"}))
    np.testing.assert_array_equal(read_parts(tmp_path)["n"], np.arange(len(rows) + 1))
    assert sorted(path.name for path in tmp_path.iterdir())[0] == "part-000000.parquet"  # no temporary files


def test_what_is_damaged_is_left_out_and_never_written_over(task, played, tmp_path):
    with Monitor(tmp_path, task, align={"stimulus": (0, 300)}, save_seconds=0) as monitor:
        monitor.activity("rates", np.full((*played.mask.shape, 2), 1.0, np.float32), played)
    folders = [tmp_path / "trials", tmp_path / "activity" / "rates" / "stimulus" / "trials"]
    for folder in folders:
        part = folder / "part-000000.parquet"
        (folder / ".part-000000.parquet.abc").write_bytes(b"PAR1 half of")
        part.write_bytes(part.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="part-000000.parquet is damaged and left out"):
        assert len(read_trials(tmp_path)) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Monitor(tmp_path, task, align={"stimulus": (0, 300)}, resume=True) as monitor:
            monitor.activity("rates", np.full((*played.mask.shape, 2), 2.0, np.float32), played)
        record = Monitor.open(tmp_path)
        assert len(record.trials()) == 36
        held = record.activity("rates")
    assert not list(folders[0].glob(".part*"))
    assert [path.name for path in sorted(folders[0].iterdir())] == ["part-000000.parquet", "part-000001.parquet"]
    assert held.trials["row"].tolist() == list(range(36, 72))  # behind the rows whose trials are lost
    assert np.nanmin(held.values) == np.nanmax(held.values) == 2


def test_activity_counts_only_with_its_trials(task, played, tmp_path):
    """A writer that was killed between the array and the table of its trials."""
    hidden = np.ones((*played.mask.shape, 2), np.float32)
    with Monitor(tmp_path, task, align={"stimulus": (0, 300)}) as monitor:
        monitor.activity("rates", hidden, played, update=1)
        monitor.flush()
        monitor.activity("rates", 2 * hidden, played, update=2)
    table = tmp_path / "activity" / "rates" / "stimulus" / "trials"
    Parts(table).cut(lambda frame: frame["update"] < 2)
    assert len(Monitor.open(tmp_path).activity("rates").values) == 36
    with Monitor(tmp_path, task, align={"stimulus": (0, 300)}, resume=True) as monitor:
        monitor.activity("rates", 3 * hidden[:1, :5], nj.session(task, KEY, 5, policy="random"), update=3)
    held = Monitor.open(tmp_path).activity("rates")
    assert held.trials["row"].tolist() == list(range(41))
    assert np.nanmax(held.values, axis=(1, 2)).tolist() == [1] * 36 + [3] * 5


def test_a_record_goes_on_and_is_cut_back(task, run, tmp_path):
    with Monitor(tmp_path, task) as monitor:
        count = monitor.trials(run, update=5)
        monitor.scalars(loss=0.5, update=5)
        with pytest.raises(ExistingRun, match="another monitor is writing"):
            Monitor(tmp_path, task, resume=True)
    with pytest.raises(ValueError, match="is closed"):
        monitor.trials(run)
    with pytest.raises(ExistingRun, match="holds a record already"):
        Monitor(tmp_path, task)
    with pytest.raises(ValueError, match=r"settings.timing was .* and is"):
        Monitor(tmp_path, task.set(timing={"stimulus": 500}), resume=True)
    with Monitor(tmp_path, task, resume=True) as monitor:
        monitor.trials(run)  # of update 5 still
        monitor.trials(run, update=6)
        monitor.scalars(loss=0.4, update=6)
        monitor.cut(5)
        monitor.trials(run, update=6)
        rows = monitor.recording.trials()
        assert rows["update"].tolist() == [5] * 2 * count + [6] * count
        assert rows["record"].tolist() == [0] * count + [1] * count + [2] * count
        lane = rows[rows["session"] == 2]
        assert lane["trial"].tolist() == list(range(len(lane)))
        assert monitor.recording.scalars().index.tolist() == [5]
    with Monitor(tmp_path, task, overwrite=True) as monitor:
        assert len(monitor.recording.trials()) == 0
        assert monitor.recording.scalars().empty


def test_nothing_waits_for_long(task, run, tmp_path):
    now = Monitor(tmp_path / "now", task, save_seconds=0)
    now.scalars(loss=1)
    assert len(Monitor.open(tmp_path / "now").scalars()) == 1
    count = int(run.trajectory.new_trial.sum())
    by_count = Monitor(tmp_path / "count", task, save_seconds=1e9, save_every=count + 1)
    by_count.trials(run)
    assert len(read_trials(tmp_path / "count")) == 0
    by_count.trials(run)
    assert len(read_trials(tmp_path / "count")) == 2 * count
    with pytest.raises(RuntimeError), Monitor(tmp_path / "error", task, save_seconds=1e9) as monitor:
        monitor.trials(run)
        raise RuntimeError
    assert len(read_trials(tmp_path / "error")) == count
    now.close()
    by_count.close()


# ---------------------------------------------------------------------- activity


def test_activity_is_aligned(task, run, tmp_path):
    """A unit that tells the time since the stimulus began, as it is seen in the observations."""
    path = run.trajectory
    since = np.full((3, T), np.nan, np.float32)
    age = np.zeros((3, T), np.float32)
    for lane in range(3):
        begun = onset = -1
        for t in range(T):
            if path.first[lane, t]:
                begun, onset = t, -1
            if onset < 0 and path.observations[lane, t, 1:].any():
                onset = t
                since[lane, begun:t] = np.arange(begun - t, 0)
            age[lane, t], since[lane, t] = t - begun, t - onset if onset >= 0 else np.nan
    hidden = np.stack([since, age], axis=-1)
    with Monitor(tmp_path, task, align={"stimulus": (-300, 700), "decision": (-200, 100)}) as monitor:
        count = monitor.activity("rates", hidden, run, key=KEY)
        assert monitor.recording.layers() == {"rates": ["decision", "stimulus"]}
        held = monitor.recording.activity("rates", "stimulus")
        decided = monitor.recording.activity("rates", "decision")
    assert len(read_trials(tmp_path)) == count == len(held.values)  # the trials were recorded with it
    assert held.time.tolist() == [-300, -200, -100, 0, 100, 200, 300, 400, 500, 600]
    on = np.isfinite(held.values[..., 1])
    np.testing.assert_array_equal(held.values[on][:, 0], np.broadcast_to(held.time / 100, on.shape)[on])
    # A trial is on from its fixation to its response, and both are in its row.
    fixation, response = (held.trials[name].to_numpy()[:, None] for name in ("fixation", "response_time"))
    np.testing.assert_array_equal(on, (held.time >= -fixation) & (held.time <= response - fixation))
    assert on.any(axis=1).all() and len(np.unique(fixation)) > 2
    # The decision begins 300 ms after the stimulus.
    np.testing.assert_allclose(decided.values[:, 2, 0][decided.trials["response_step"] == 3 + fixation[:, 0] / 100], 3)
    with pytest.raises(ValueError, match="name a period to which 'rates' is aligned: decision, stimulus"):
        Monitor.open(tmp_path).activity("rates")


def test_arrays_are_plain_zarr(task, played, tmp_path):
    zarr = pytest.importorskip("zarr")
    hidden = np.random.default_rng(0).normal(size=(*played.mask.shape, 4)).astype(np.float32)
    with Monitor(tmp_path, task) as monitor:
        monitor.activity("rates", hidden, played)
        monitor.flush()
        monitor.activity("rates", hidden, played)
    held = Monitor.open(tmp_path).activity("rates")
    array = zarr.open_array(tmp_path / "activity" / "rates" / "stimulus" / "values.zarr", mode="r")
    np.testing.assert_array_equal(array[:], held.values)
    assert array.metadata.dimension_names == ("trial", "time", "unit")
    assert array.attrs["time_ms"] == held.time.tolist()
    np.testing.assert_array_equal(held.values[36:], held.values[:36])


def test_a_policy_is_evaluated_and_its_activity_is_what_made_it_act(task, network, run, tmp_path):
    layers = {"hidden": lambda carry: carry[0]}
    with Monitor(tmp_path, task, align={"fixation": (0, 900)}) as monitor:
        monitor.trials(run, update=2)
        played = monitor.evaluate(network, KEY, 20, n_sessions=2, update=2, layers=layers)
        record = monitor.recording
    rows, held = record.trials("evaluation"), record.activity("hidden")
    assert len(rows) == 40
    assert played.rates == rates(rows)
    assert record.scalars().loc[2, "evaluation/performance"] == pytest.approx(rows["performance"].mean())
    assert len(record.trials("training")) == run.trajectory.new_trial.sum()
    pd.testing.assert_frame_equal(held.trials[list(rows)], rows)
    # Aligned to the trial's start, so that activity and actions have the same steps. What the readout makes of the
    # activity, noise of the network included, is what it did.
    data = played.data
    steps = data.mask.shape[2]
    mask, actions = data.mask.reshape(-1, steps), data.actions.reshape(-1, steps)
    np.testing.assert_array_equal(np.isfinite(held.values[:, :steps, 0]), mask)
    made = np.asarray(network.readout(held.values[:, :steps])).argmax(-1)
    np.testing.assert_array_equal(made[mask], actions[mask])
    assert len(np.unique(actions[mask])) > 1
    assert np.unique(held.values[:, 0, 0]).size == 40  # the noise differs from trial to trial
    with pytest.raises(ValueError, match="the policy does not act as it did"):
        carries(task, data, "random")


# ---------------------------------------------------------------------- curves and pictures


def test_scalars(task, run, tmp_path):
    metrics = nj.Metrics(np.int32(10), np.asarray([0, 3, 1, 0, 0, 0]), np.float32(2), np.float32(3), np.float32(0))
    with Monitor(tmp_path, task) as monitor:
        monitor.scalars({"loss": {"actor": jax.numpy.float32(0.5)}}, update=jax.numpy.int32(1), rate=2)
        monitor.scalars(metrics, update=3)
        monitor.scalars(rate=4)  # of update 3 still
        monitor.scalars(rate=5)
        report = monitor_callback(monitor)
        report({"update": 4, "rate": 1}, run, {"rates": np.zeros((3, T, 2), np.float32)}, key=KEY)
        for bad, message in (({"a": [1, 2]}, "a must be a number"), ({"a": {"b": "x"}}, "a/b must be a number")):
            with pytest.raises(ValueError, match=message):
                monitor.scalars(bad)
        with pytest.raises(ValueError, match="a report must tell its update"):
            report({"rate": 1})
        with pytest.raises(ValueError, match=r"update must be a whole number of 0 or more, got 1\.5"):
            report({"update": 1.5})
        record = monitor.recording
    curves = record.scalars()
    assert curves.index.tolist() == [1, 3, 4]
    assert curves["loss/actor"].dropna().to_dict() == {1: 0.5}
    assert curves["rate"].to_dict() == {1: 2, 3: 5, 4: 1}
    assert curves.loc[3, "performance"] == 0.75
    assert set(record.trials()["update"]) == {4}
    assert len(record.activity("rates").values) == len(record.trials())


def test_one_figure_shows_it_all(task, network, run, tmp_path):
    layers = {"hidden": lambda carry: carry[0]}
    with Monitor(tmp_path, task, plot_every=1) as monitor:
        with pytest.raises(ValueError, match="nothing was recorded"):
            monitor.plot()
        monitor.trials(run)
        monitor.evaluate(network, KEY, 20, n_sessions=2, update=2, layers=layers)
        monitor.scalars(loss=0.3)
        figure = monitor.plot(tmp_path / "mine.svg", window=4, unit=5)
    axes = {a.get_ylabel(): a for a in figure.axes}
    assert list(axes)[:5] == ["share of trials", "reward per trial", "P(right | choice)", "hidden, unit 5", "loss"]
    rows = read_trials(tmp_path, "training").sort_values("step", kind="stable")
    first = axes["share of trials"].get_lines()[0]
    assert first.get_label() == "performance"
    assert first.get_xdata()[:2].tolist() == [4, 8]
    np.testing.assert_allclose(first.get_ydata()[:2], [rows["performance"][:4].mean(), rows["performance"][4:8].mean()])
    assert axes["P(right | choice)"].get_title(loc="left") == "evaluation: 40 trials, update 2"
    held = Monitor.open(tmp_path).activity("hidden")
    line = axes["hidden, unit 5"].get_lines()[0]
    assert line.get_label() == "ground_truth 0"
    wanted = held.values[(held.trials["ground_truth"] == 0).to_numpy()][:, :, 5]
    np.testing.assert_allclose(line.get_ydata()[2:5], np.mean(wanted[:, 2:5], axis=0), rtol=1e-5)
    assert (tmp_path / "monitor.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "mine.svg").exists()
    with pytest.raises(ValueError, match="condition 'colour' is no column"):
        Monitor.open(tmp_path).plot(condition="colour")


def test_tensorboard_on_request(task, tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto import event_pb2

    with Monitor(tmp_path, task, tensorboard=True) as monitor:
        monitor.scalars(loss=0.25, update=3)
        monitor.trials(nj.play(task, KEY, 4, policy="oracle"))
    (file,) = (tmp_path / "tensorboard").glob("events*")
    data, found = file.read_bytes(), {}
    while data:  # records: length (8 bytes), checksum (4), event, checksum (4)
        size = int.from_bytes(data[:8], "little")
        event = event_pb2.Event.FromString(data[12 : 12 + size])
        found |= {value.tag: (event.step, value.simple_value) for value in event.summary.value}
        data = data[16 + size :]
    assert found["loss"] == (3, 0.25)
    assert found["training/trials/performance"] == (4, 1)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be a whole number of 0 or more"),
        ({"save_every": 0}, "save_every must be a whole number of 1 or more"),
        ({"save_seconds": float("nan")}, "save_seconds must be 0 or more"),
        ({"reaction_from": "stimulos"}, "did you mean 'stimulus'"),
        ({"align": {"stimulos": (0, 100)}}, "did you mean 'stimulus'"),
        ({"align": {"stimulus": (100, 100)}}, r"align\['stimulus'\] must be a pair of ms"),
        ({"align": {"stimulus": 100}}, r"align\['stimulus'\] must be a pair of ms"),
        ({"resume": True, "overwrite": True}, "exclude each other"),
    ],
)
def test_bad_settings_are_refused(task, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        Monitor(tmp_path / "new", task, **options)
    assert not (tmp_path / "new" / "monitor.json").exists()


def test_bad_data_are_refused_and_nothing_of_them_is_recorded(task, run, played, tmp_path):
    hidden = np.zeros((3, T, 2), np.float32)
    with Monitor(tmp_path, task) as monitor:
        for call, message in (
            (lambda: monitor.trials({"a": 1}), "data must come from nj.rollout"),
            (lambda: monitor.trials(run.replace(trajectory=None)), "output='trajectory'"),
            (lambda: monitor.trials(nj.session(task, KEY, 2)), "nobody played"),
            (lambda: monitor.trials(played.table().drop(columns="outcome")), "lacks the column 'outcome'"),
            (lambda: monitor.trials(run, stage=""), "stage must be a word"),
            (lambda: monitor.activity("a/b", hidden, run, key=KEY), "name must be of letters"),
            (lambda: monitor.activity("a", hidden, run), "the duration of 'fixation' is drawn; give key="),
            (lambda: monitor.activity("a", hidden[:, 1:], run, key=KEY), r"must be \[B, T, H\]"),
            (lambda: monitor.activity("a", hidden.astype(int), run, key=KEY), "must be floats"),
            (lambda: monitor.activity("a", hidden, played.table()), "a DataFrame has no activity"),
        ):
            with pytest.raises(ValueError, match=message):
                call()
        assert len(monitor.recording.trials()) == 0
        monitor.activity("a", hidden, run, key=KEY)
        with pytest.raises(ValueError, match="activity of 'a' had 2 units, got 3"):
            monitor.activity("a", np.zeros((3, T, 3), np.float32), run, key=KEY)
        count = len(monitor.recording.trials())
        with pytest.raises(ValueError, match="the rows have a column 'mood'"):
            monitor.trials(played.table().assign(mood=1.0))
        with pytest.raises(ValueError, match=r"the column 'reward' is float in .*, got double"):
            monitor.trials(played.table().astype({"reward": float}))
    assert len(read_trials(tmp_path)) == count


def test_periods_that_memory_changes_are_not_guessed():
    one = np.zeros(1, int)
    periods, why = periods_of(Yang19Mixture.create(), {}, one, one, KEY)
    assert periods is None
    assert "is another task from trial to trial" in why
    periods, why = periods_of(Blocks.create(), {}, one, one, None)
    assert "the duration of 'cue' is drawn" in why
