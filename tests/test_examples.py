"""The examples run, and the README says what they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# What an example needs beside neurojax's own dependencies.
NEEDS = {"gymnax_trainer": "rejax", "stable_baselines": "sb3_contrib"}
SLOW = {"shaping"}  # a minute of compilation


@pytest.mark.parametrize(
    "path", [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] if p.stem in SLOW else []) for p in EXAMPLES]
)
def test_example_runs(path):
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem], reason=f"{NEEDS[path.stem]} is not installed")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_custom_task_is_short_and_stands_in_the_readme():
    source = (ROOT / "examples" / "custom_task.py").read_text()
    task = source[source.index("class ToneInNoise") : source.index("if __name__")].strip()
    assert len([line for line in task.splitlines() if line.strip()]) < 30
    assert task in (ROOT / "README.md").read_text()


def test_readme_names_what_exists():
    readme = (ROOT / "README.md").read_text()
    for path in re.findall(r"\]\(([\w./]+)\)|`(examples/[\w.]+|benchmarks/[\w.]+)`", readme):
        assert (ROOT / (path[0] or path[1])).exists(), path
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    for target in re.findall(r"make ([\w-]+)", readme):
        assert target in targets or target == "and", target


def test_readme_tour_runs():
    tour = re.search(r"### From Python\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert tour is not None
    names: dict = {}
    exec(tour[1], names)
    assert names["batch"].inputs.shape == (64, 35, 3)
    assert names["hard"].conditions["coherence"].tolist() == [pytest.approx(3.2)] * 64
