import json
from pathlib import Path

import jax
import numpy as np
import pytest
from benchmarks import measures, run
from benchmarks.goals import goals, ratios
from benchmarks.machine import describe
from benchmarks.record import Peer, Report, Row, Startup
from benchmarks.tables import markdown, show, tables
from benchmarks.timing import Effort, time_in_turns

import neurojax as nj

ROOT = Path(__file__).resolve().parents[1]
SHORT = Effort(seconds=0.0, repeats=2, scale=0.001)


def row(section="environment", name=measures.NATIVE, rate=1e6, **about):
    known = {
        "task": measures.TASK,
        "devices": 1,
        "device": "cpu",
        "batch": 4096,
        "loops": 10,
        "unit": "steps",
        "repeats": 3,
    }
    times = {"seconds": 0.5, "least": 0.4, "most": 0.9, "compile_seconds": 1.0}
    return Row(section=section, name=name, per_call=rate * 0.5, **{**known, **times, **about})


def report(*rows, **about):
    return Report(date="2020-01-01", quick=True, machine=describe(), rows=list(rows), **about)


def test_a_short_measurement_gives_rows_that_go_through_json():
    measured = list(measures.rendering(SHORT, 1, batches=(4,)))
    measured += list(measures.environment(SHORT, 1, lanes={4: 3000}))
    back = Report.model_validate_json(report(*measured).model_dump_json())
    assert [r.name for r in back.rows] == [
        *(measures.NORMALS, measures.RENDER, measures.NORMALS_CALL, measures.RENDER_CALL),
        *(measures.NATIVE, measures.GYMNAX, measures.CARTPOLE),
    ]
    assert all(r.rate > 0 and r.least <= r.seconds <= r.most and r.repeats == 2 for r in back.rows)
    drawn, made = back.rows[:2]
    assert made.fraction == pytest.approx(made.rate / drawn.rate)
    assert "of bound" in markdown(back) and "QUICK" in markdown(back)


def test_the_rendering_bound_counts_the_normals_that_the_task_draws():
    assert measures.normals_of(nj.make(measures.TASK)) == 20 * 2
    assert measures.normals_of(nj.make(measures.TASK, dt=20, dim_ring=4)) == 100 * 4


def test_loops_render_the_trials_of_their_last_turn():
    task, words = nj.make(measures.TASK), jax.random.key_data(jax.random.key(3))
    lanes = np.arange(4, dtype=np.uint32)
    looped = jax.jit(measures._in_loop(measures.render_lanes, 3, 1))(task, words, lanes)
    plain = nj.render(task, jax.random.fold_in(jax.random.key(3), 2), 4)
    np.testing.assert_allclose(looped.inputs, plain.inputs, atol=1e-6)


def test_calls_are_timed_in_turns_and_the_first_apart():
    order = []
    timings = time_in_turns({name: lambda name=name: order.append(name) for name in "ab"}, SHORT)
    assert order == list("ab" * 3)
    assert timings["a"].repeats == 2 and timings["a"].compile_seconds >= 0


def test_goals_and_ratios_follow_from_the_rows():
    peer = Peer(
        packages={},
        dataset_steps_per_second=1e5,
        env_steps_per_second={measures.TASK: 2e5},
        update_ms=9.0,
        data_ms=5.0,
        network_ms=4.0,
        threads=1,
    )
    example = row("training", measures.NEUROGYM_EXAMPLE, rate=500.0, batch=16, bound=measures.BARE, fraction=0.8)
    rows = [
        row(rate=13e6),
        row(rate=11e6, devices=2),
        row("tasks", rate=2e6),
        row("rendering", measures.RENDER, batch=256, fraction=0.79, bound=measures.NORMALS),
        example,
    ]
    start = Startup(import_seconds=0.1, loaded_seconds=0.5, first_batch_seconds=2.5, unwanted=[], processes=1)
    full = report(*rows, neurogym=peer, startup=start)
    met = {goal.what: goal.met for goal in goals(full)}
    assert met["environment steps/s, 4,096 lanes"] is True
    assert met["rendering 256 trials, of its bound"] is False
    assert met["rendering 4096 trials, of its bound"] is None
    assert met[f"training {example.name}, 1 device, of its bound"] is False
    assert met["one update of NeuroGym's example"] is True  # 2 ms of 9
    assert met["first batch after import"] is False and met["import neurojax, nj.make and nj.render loaded"] is True
    assert dict(ratios(full))["one update of NeuroGym's PyTorch example"] == pytest.approx(4.5)
    assert dict(ratios(full))[f"{measures.TASK}: nj.rollout, 4,096 lanes, over NeuroGym's env.step, steps/s"] == 10


def test_the_command_shows_a_record_and_says_what_it_skips(tmp_path, capsys):
    path = tmp_path / "record.json"
    peer, reason = run.measure_peer(tmp_path / "python", quick=True)
    assert peer is None and "NeuroGym was not measured" in reason
    run.write(path, report(row(), skipped=[reason]))
    copy = tmp_path / "copy.json"
    assert run.main(["--read", str(path), "--json", str(copy)]) == 0
    assert json.loads(copy.read_text()) == json.loads(path.read_text())
    assert "nj.rollout" in capsys.readouterr().out
    assert run.main(["--read", str(path), "--strict"]) == 1  # 1 million steps/s is below the goal


@pytest.mark.parametrize(
    "arguments", [["--quick", "--write-results"], ["--read", "nowhere.json"], ["--devices", "0"], ["--sections", "x"]]
)
def test_bad_options_are_refused(arguments):
    with pytest.raises(SystemExit) as stop:
        run.parse(arguments)
    assert stop.value.code == 2


def test_every_number_in_the_results_file_comes_from_its_record():
    assert run.RESULTS.read_text(encoding="utf-8") == run.results()
    assert run.results().startswith(markdown(run.read(run.RECORD)))
    assert "Measured on an accelerator" in run.results()
    page = markdown(run.read(run.LIBRARY_RECORD), "--write-library", run.LIBRARY_RECORD.name)
    assert run.LIBRARY.read_text(encoding="utf-8") == page


def test_tables_can_be_shown(capsys):
    start = Startup(import_seconds=0.1, loaded_seconds=0.5, first_batch_seconds=1.5, unwanted=[], processes=1)
    show(report(row(), startup=start))
    out = capsys.readouterr().out
    assert all(table.title in out for table in tables(report(row(), startup=start)))


def test_every_number_that_was_learnt_comes_from_its_record():
    from benchmarks import animals, learning, protocols, recorded

    for one in (learning, animals):
        assert one.PAGE.read_text(encoding="utf-8") == one.page(recorded.read(one.RECORD))
    records = (recorded.read(path) for path in (protocols.RECORD, protocols.ACCELERATOR_RECORD))
    assert protocols.PAGE.read_text(encoding="utf-8") == protocols.page(*records)
