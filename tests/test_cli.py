"""The command line: what it writes, and that it fails on one line."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import jax
import numpy as np
import pytest

import neurojax as nj
from conftest import CORE
from neurojax.cli import environment
from neurojax.cli.main import main
from neurojax.cli.parser import read_assignments
from neurojax.cli.settings import option
from neurojax.errors import InvalidArgument
from neurojax.training.config import load_config, setting_names

ANIMALS = Path(__file__).parents[2] / "shared" / "data" / "roitman_shadlen_2002.csv"
needs_animals = pytest.mark.skipif(
    not ANIMALS.exists(), reason=f"the data of Roitman & Shadlen (2002) are not at {ANIMALS}"
)
PDM = "PerceptualDecisionMaking-v0"
TINY = [
    *("--set", "timing.stimulus=100", "--hidden", "4", "--batch-size", "8"),
    *("--log-every", "10", "--evaluation-trials", "20", "--quiet"),
]


@pytest.fixture(scope="module", autouse=True)
def leave_jax_alone():
    """The commands run inside this process: they must settle nothing for other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "1")
        patch.setenv(environment.CACHE_VARIABLE, "")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny run, made by the command."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", PDM, "--out", str(out), "--updates", "20", *TINY]) == 0
    return out


def run(capsys, *words):
    """Exit code, standard output and standard error."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


# ---------------------------------------------------------------------- training


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.images, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        self.images += [tag] if tag == "img" else []
        if tag not in ("meta", "img", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_what_a_run_leaves(folder):
    assert {"config.toml", "metrics.csv", "summary.json", "report.html", "figures", "checkpoints"} <= {
        path.name for path in folder.iterdir()
    }
    for name in ("learning", "psychometric", "trials"):
        png = (folder / "figures" / f"{name}.png").read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert load_config(folder).task.keywords == {"timing": {"stimulus": 100}}
    assert [line.split(",")[0] for line in (folder / "metrics.csv").read_text().split()] == ["update", "10", "20"]


def test_summary_agrees_with_the_task(folder):
    summary = json.loads((folder / "summary.json").read_text())
    task = load_config(folder).make_task()
    assert summary["references"]["ideal"] == pytest.approx(nj.reference_numbers(task).ideal)
    assert summary["relative_to_ideal"] == pytest.approx(summary["performance"] / summary["references"]["ideal"])
    assert summary["trials_trained"] == 160
    assert [row["coherence"] for row in summary["by_coherence"]] == [0, 0.8, 1.6, 3.2, 6.4, 12.8]
    fit = summary["psychometric"]
    assert fit["answered"] + fit["missing"] == 20 * 2 * 6
    assert set(summary["seconds"]) == {"compile", "run", "evaluate"}
    rows = summary["by_condition"]["ground_truth"]
    weighted = sum(row["performance"] * row["trials"] for row in rows) / sum(row["trials"] for row in rows)
    assert weighted == pytest.approx(summary["performance"])


def test_report_is_one_page_that_loads_nothing(folder):
    text = (folder / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert len(page.images) == 3
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)
    for word in ("Psychometric curve", "Learning", "Sample trials", "Settings", "batch_size = 8", "threshold"):
        assert word in text


def test_json_and_nothing_else(capsys, folder):
    code, out, _ = run(capsys, "evaluate", folder, "--json")
    assert code == 0
    summary = json.loads(out)
    assert summary["updates"] == 20
    assert summary["seconds"]["run"] == json.loads((folder / "summary.json").read_text())["seconds"]["run"]


def test_train_json(capsys, tmp_path):
    code, out, err = run(capsys, "train", "ReadySetGo-v0", "--out", tmp_path / "r", "--json", "--updates", 2, *TINY[2:])
    assert code == 0, err
    summary = json.loads(out)
    assert summary["psychometric"] is None
    assert "no psychometric curve" in summary["psychometric_note"]
    assert "no psychometric curve" in (tmp_path / "r" / "report.html").read_text()


def test_same_settings_same_network(capsys, folder, tmp_path):
    code, _, err = run(capsys, "train", "--config", folder / "config.toml", "--out", tmp_path / "again", "--quiet")
    assert code == 0, err
    columns = lambda path: np.genfromtxt(path / "metrics.csv", delimiter=",", names=True)[
        ["update", "loss", "accuracy"]
    ]
    assert columns(tmp_path / "again").tolist() == columns(folder).tolist()
    assert load_config(tmp_path / "again") == load_config(folder)


def test_existing_run(capsys, folder):
    before = (folder / "metrics.csv").read_bytes()
    code, out, err = run(capsys, "train", PDM, "--out", folder)
    assert (code, out) == (2, "")
    assert "holds a run already" in err
    assert (folder / "metrics.csv").read_bytes() == before


def test_resume_needs_no_settings(capsys, folder):
    code, out, err = run(capsys, "train", "--resume", "--out", folder, "--quiet")
    assert code == 0, err
    assert "After 20 updates" in out


def test_every_setting_is_an_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for name in setting_names():
        if name not in ("task.id", "task.keywords"):
            assert f"{option(name)} " in shown
    assert len({option(name) for name in setting_names()}) == len(setting_names())


def test_ctrl_c_says_how_to_go_on(tmp_path):
    """Interrupted after its first report, a run stops with code 130 and can be resumed."""
    out = tmp_path / "long"
    words = [sys.executable, "-m", "neurojax.cli.main", "train", PDM, "--out", str(out), "--updates", "1000000"]
    words += [*TINY[:-1], "--checkpoint-every", "20"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 90
        while not list(out.glob("checkpoints/*[0-9]")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert f"neurojax train --resume --out {out}" in err
    reached = max(int(path.name) for path in out.glob("checkpoints/*[0-9]"))
    resume = ["train", "--resume", "--out", str(out), "--quiet", "--updates"]
    assert main([*resume, str(reached - 1)]) == 2  # it has had more already
    assert main([*resume, str(reached)]) == 0


# ---------------------------------------------------------------------- beside animals


@needs_animals
def test_beside_animals(capsys, folder):
    code, out, err = run(capsys, "evaluate", folder, "--data", ANIMALS, "--json")
    assert code == 0, err
    animals = json.loads(out)["animals"]
    accuracy = [round(row["animals"]["accuracy"], 3) for row in animals["by_coherence"]]
    assert accuracy == [0.500, 0.642, 0.777, 0.941, 0.995, 1.000]
    assert animals["psychometric"]["network"]["answered"] + animals["psychometric"]["network"]["missing"] == 20 * 2 * 8
    assert len(animals["left_out"]) == 1
    assert "no reaction-time version" in animals["left_out"][0]
    assert (folder / "figures" / "animals_psychometric.png").exists()
    assert not (folder / "figures" / "animals_chronometric.png").exists()
    assert "no reaction-time version" in (folder / "report.html").read_text()


@needs_animals
def test_chronometric_needs_readout_and_non_decision_time(capsys, tmp_path):
    out = tmp_path / "rt"
    modifiers = '--set=modifiers=[{"name":"reaction_time"}]'
    assert run(capsys, "train", PDM, "--out", out, modifiers, "--updates", 2, *TINY)[0] == 0
    evaluated = run(capsys, "evaluate", out, "--data", ANIMALS, "--json", "--readout", "greedy")
    assert "needs --non-decision-time to be stated" in json.loads(evaluated[1])["animals"]["left_out"][0]
    words = ("--readout", "greedy", "--non-decision-time", 350)
    animals = json.loads(run(capsys, "evaluate", out, "--data", ANIMALS, "--json", *words)[1])["animals"]
    assert animals["left_out"] == []
    assert (animals["readout"], animals["non_decision_time_ms"]) == ("greedy", 350)
    assert (out / "figures" / "animals_chronometric.png").exists()
    times = [row["network"]["response_time_ms"] for row in animals["by_coherence"]]
    assert all(t is None or 390 <= t <= 350 + 100 for t in times)


def test_animals_without_a_coherence(capsys, tmp_path):
    out, data = tmp_path / "r", tmp_path / "d.csv"
    data.write_text("coherence_percent,choice,correct\n5,1,1\n5,2,0\n")
    assert run(capsys, "train", "ReadySetGo-v0", "--out", out, "--updates", 2, *TINY[2:])[0] == 0
    code, shown, err = run(capsys, "evaluate", out, "--data", data)
    assert code == 0, err
    assert "No psychometric comparison" in shown
    assert "No chronometric comparison" in shown


# ---------------------------------------------------------------------- tasks, info, plot


def test_tasks(capsys):
    code, out, _ = run(capsys, "tasks", "--json")
    assert code == 0
    assert [row["id"] for row in json.loads(out)["tasks"]] == nj.registered()
    assert "ReadySetGo-v0" in run(capsys, "tasks", "--tag", "timing")[1]
    assert PDM not in run(capsys, "tasks", "--tag", "timing")[1]


@pytest.mark.parametrize("id", CORE)
def test_info_knows_the_task(capsys, id):
    code, out, err = run(capsys, "info", id, "--json")
    assert code == 0, err
    known = json.loads(out)
    task = nj.make(id)
    assert sum(known["channels"].values()) == task.channels.size
    assert set(known["timing_ms"]) == set(task.timing)
    assert len(known["deviations"]) == len(task.deviations)
    assert all(p["doc"] and p["source"] for p in known["parameters"])
    assert known["paper"] == (dataclasses.asdict(type(task).PAPER) if type(task).PAPER else None)
    shown = run(capsys, "info", id)[1]
    for heading in ("Channels and actions", "Timing", "Parameters", "Deviations from NeuroGym", "Reference"):
        assert heading in shown
    assert all(d.reason.split()[0] in shown for d in task.deviations)


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_plot(capsys, tmp_path, name, magic):
    words = ("--trials", 2, "--set", "dt=20", "--set", "timing.stimulus=100", "--condition", "coherence=51.2")
    code, _, err = run(capsys, "plot", PDM, "--out", tmp_path / name, *words)
    assert code == 0, err
    assert (tmp_path / name).read_bytes().startswith(magic)


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("tsks", "did you mean 'tasks'"),
        ("tasks --tag timng", "did you mean 'timing'"),
        ("tasks --jsn", "did you mean '--json'"),
        ("info PerceptualDecisionMakng-v0", f"did you mean '{PDM}'"),
        ("info ReadySetGo-v0 --set gian=2", "did you mean 'gain'"),
        ("info ReadySetGo-v0 --set gain=fast", "gain must be"),
        ("info ReadySetGo-v0 --set gain", "NAME=VALUE"),
        ("info ReadySetGo-v0 --set timing.measure=-5", "not be negative|not negative"),
        ("info ReadySetGo-v0 --set timing.mesure=5", "did you mean 'measure'"),
        ("info ReadySetGo-v0 --set timing.measure=[1,", "not JSON"),
        ("plot ReadySetGo-v0", "--out"),
        ("plot ReadySetGo-v0 --out {tmp}/a.gif", ".png, .svg or .pdf"),
        ("plot ReadySetGo-v0 --out {tmp}/file/a.png", "cannot write"),
        ("plot ReadySetGo-v0 --out {tmp}/a.png --trials 0", "whole number"),
        ("plot ReadySetGo-v0 --out {tmp}/a.png --condition mesure=800", "did you mean 'measure'"),
        ("train --out {tmp}/r", "state a task"),
        ("train ReadySetGo --out {tmp}/r", "did you mean 'ReadySetGo-v0'"),
        ("train ReadySetGo-v0 --out {tmp}/r --hidden many", "network.hidden"),
        ("train ReadySetGo-v0 --out {tmp}/r --updates -1", "training.updates"),
        ("train ReadySetGo-v0 --out {tmp}/r --dt 0", "dt"),
        ("train ReadySetGo-v0 --out {tmp}/r --network gruu", "'gru'"),
        ("train ReadySetGo-v0 --out {tmp}/r --set gian=2", "did you mean 'gain'"),
        ("train ReadySetGo-v0 --out {tmp}/file/r", "cannot write"),
        ("train ReadySetGo-v0 --out {tmp}/r --resume --overwrite", "not allowed with"),
        ("train --config {tmp}/none.toml --out {tmp}/r", "none.toml"),
        ("train --config {tmp}/file --out {tmp}/r", "damaged"),
        ("train --resume --out {tmp}/r", "config"),
        ("evaluate {tmp}/r", "no such folder"),
        ("evaluate {tmp}", "config"),
        ("evaluate {run} --data {tmp}/none.csv", "there is no file"),
        ("evaluate {run} --data {tmp}/file", "holds no trials"),
        ("evaluate {run} --data {tmp}/trials.csv", "did you mean 'coherence'"),
        ("evaluate {run} --readout soft", "readout"),
        ("evaluate {run} --trials many", "whole number"),
        ("evaluate {run} --non-decision-time -3", "0 or more"),
    ],
)
def test_errors_are_one_line(capsys, tmp_path, folder, words, says):
    (tmp_path / "file").write_text("= no TOML")
    (tmp_path / "trials.csv").write_text("coherence,choice,correct\n5,1,1\n5,2,1\n")
    before = {path.name for path in tmp_path.iterdir()}
    code, out, err = run(capsys, *(w.format(tmp=tmp_path, run=folder) for w in words.split()))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("neurojax: ")
    assert re.search(says, err), err
    assert {path.name for path in tmp_path.iterdir()} == before  # nothing was written


def test_damaged_checkpoint(capsys, folder, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    for path in (broken / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"x")
    code, out, err = run(capsys, "evaluate", broken)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "checkpoint" in err


def test_assignments():
    assert read_assignments(["a.b=1", "a.c=[1, 2]", 'd="x"', "e=word"]) == {
        "a": {"b": 1, "c": [1, 2]},
        "d": "x",
        "e": "word",
    }
    for bad in (["a=1", "a=2"], ["a=1", "a.b=2"], ["=1"], ["a..b=1"]):
        with pytest.raises(InvalidArgument, match="--set"):
            read_assignments(bad)


# ---------------------------------------------------------------------- start


def test_help_and_version_import_no_jax():
    script = (
        "import sys, contextlib; from neurojax.cli.main import main; main(['--version']); main([])\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "heavy = {'jax', 'matplotlib', 'numpy', 'rich', 'pydantic'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"neurojax {nj.__version__}\n")


def test_environment_before_jax_starts(tmp_path):
    script = (
        "from neurojax.cli import environment; environment.prepare(3); import jax; "
        "print(jax.local_device_count(), jax.config.jax_compilation_cache_dir)"
    )
    variables = {k: v for k, v in os.environ.items() if k not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    variables |= {"XDG_CACHE_HOME": str(tmp_path), "JAX_PLATFORMS": "cpu"}
    variables.pop(environment.CACHE_VARIABLE, None)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=variables)
    devices, cache = done.stdout.split()
    assert int(devices) == max(3, environment.cores())
    assert Path(cache) == tmp_path / "neurojax"


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv(environment.CACHE_VARIABLE, str(tmp_path / "own"))
    assert environment.cache_folder() == tmp_path / "own"
    monkeypatch.setenv(environment.CACHE_VARIABLE, "/proc/nowhere")
    assert environment.cache_folder() is None
    monkeypatch.setenv(environment.CACHE_VARIABLE, "")
    assert environment.cache_folder() is None


def test_interrupt_elsewhere(capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurojax.cli.tasks.run", stop)
    assert run(capsys, "tasks") == (130, "", "neurojax: stopped\n")
    assert jax.device_count() >= 1
