"""Measure neurojax: `python -m benchmarks.run` (or `make bench`).

Prints tables, and writes them as JSON with the hardware. Each number of devices, the start of a process and NeuroGym
have processes of their own, one after the other.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.goals import goals
from benchmarks.machine import cores, describe
from benchmarks.measures import SECTIONS, TASK
from benchmarks.record import Peer, Report, Row
from benchmarks.startup import measure as measure_startup
from benchmarks.tables import accelerator, markdown, show

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
RECORD = ROOT / "benchmarks" / "results.json"
# What an accelerator gave, on the same page as what a CPU gave.
ACCELERATOR_RECORD = ROOT / "benchmarks" / "results-accelerator.json"
# The library is long, and has a run, a record and a page of its own.
LIBRARY, LIBRARY_RECORD = (ROOT / "benchmarks" / name for name in ("LIBRARY.md", "library.json"))
OF_LIBRARY = ("tasks", "neurogym")
ALL = (*(name for name in SECTIONS if name != "tasks"), "startup", "neurogym")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    report = read(options.read) if options.read else measure(options)
    show(report)
    if options.json:
        write(options.json, report)
    if options.write_results:
        record = RECORD if options.platform == "cpu" else ACCELERATOR_RECORD
        write(record, report)
        RESULTS.write_text(results(), encoding="utf-8")
        print(f"wrote {record.relative_to(ROOT)} and {RESULTS.relative_to(ROOT)}")
    if options.write_library:
        write(LIBRARY_RECORD, report)
        LIBRARY.write_text(markdown(report, "--write-library", LIBRARY_RECORD.name), encoding="utf-8")
        print(f"wrote {LIBRARY_RECORD.relative_to(ROOT)} and {LIBRARY.relative_to(ROOT)}")
    missed = [goal.what for goal in goals(report) if goal.met is False]
    return 1 if options.strict and missed else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure neurojax.")
    parser.add_argument(
        "--quick", action="store_true", help="a minute or two, to show that it works; figures are rough"
    )
    parser.add_argument("--sections", nargs="+", choices=(*SECTIONS, "startup", "neurogym"), help="what to measure")
    parser.add_argument("--platform", default="cpu", help="JAX's name of what to measure on; default: cpu")
    parser.add_argument("--devices", nargs="+", type=int, help="numbers of devices; default: 1, and of a CPU its cores")
    parser.add_argument("--neurogym", type=Path, default=ROOT / ".venv-neurogym/bin/python", metavar="PYTHON",
                        help="Python of an environment that has NeuroGym and PyTorch")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the record")
    parser.add_argument("--read", type=Path, metavar="FILE", help="show this record instead of measuring")
    parser.add_argument("--write-results", action="store_true", help="write results.json and RESULTS.md")
    parser.add_argument("--write-library", action="store_true", help="measure every task; library.json, LIBRARY.md")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a goal is missed")
    options = parser.parse_args(arguments)
    options.sections = options.sections or list(OF_LIBRARY if options.write_library else ALL)
    if options.write_library and options.write_results:
        parser.error("--write-library and --write-results are two runs")
    if options.write_results and options.quick:
        parser.error("--write-results takes a full run, not --quick")
    if options.write_results and options.platform == "cpu" and not options.read and set(options.sections) != set(ALL):
        parser.error("--write-results takes all sections of a CPU")
    if any(count < 1 for count in options.devices or ()):
        parser.error("--devices takes numbers of 1 or more")
    if options.read and not options.read.is_file():
        parser.error(f"--read: {options.read} is not a file")
    return options


def results() -> str:
    """The page of figures, from the records that there are."""
    page = markdown(read(RECORD))
    return page + accelerator(read(ACCELERATOR_RECORD)) if ACCELERATOR_RECORD.exists() else page


def measure(options: argparse.Namespace) -> Report:
    """Measure what the options ask for."""
    machine, skipped, rows = describe(), [], []
    startup, peer = None, None
    if "startup" in options.sections:
        _say("start")
        startup = measure_startup(1 if options.quick else 5)
    if "neurogym" in options.sections:
        _say("NeuroGym")
        peer, reason = measure_peer(options.neurogym, options.quick)
        skipped += [reason] if reason else []
    sections = [name for name in SECTIONS if name in options.sections]
    if sections:
        for count in options.devices or sorted({1, cores() if options.platform == "cpu" else 1}):
            _say(f"{count} device{'s' * (count > 1)}")
            rows += measure_rows(sections, count, options.platform, options.quick)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Report(
        date=now,
        quick=options.quick,
        machine=machine,
        rows=rows,
        startup=startup,
        neurogym=peer,
        skipped=skipped,
    )


def measure_rows(sections: list[str], devices: int, platform: str, quick: bool) -> list[Row]:
    """Rows from a process with so many devices; cores are made into devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}".strip()
    command = [
        sys.executable,
        "-m",
        "benchmarks.worker",
        *sections,
        f"--devices={devices}",
        *(["--quick"] if quick else []),
    ]
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": platform}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # compile times are those of a cold cache
    out = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Row.model_validate_json(line) for line in out.stdout.splitlines()]


def measure_peer(python: Path, quick: bool) -> tuple[Peer | None, str]:
    """NeuroGym's figures, or a sentence that says why there are none."""
    import neurojax as nj

    if not python.exists():
        return None, f"NeuroGym was not measured: there is no {_shown(python)} (make one, or name it with --neurogym)."
    tasks = [TASK, *(id for id in nj.registered() if id != TASK)]
    command = [str(python), str(ROOT / "benchmarks" / "neurogym_side.py"), *tasks, *(["--quick"] if quick else [])]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    out = subprocess.run(command, env=environment, capture_output=True, text=True)
    if out.returncode:
        last = (out.stderr.strip().splitlines() or ["no message"])[-1]
        return None, f"NeuroGym was not measured: {last}"
    return Peer(**json.loads(out.stdout.strip().splitlines()[-1])), ""


def read(path: Path) -> Report:
    """The record of an earlier run."""
    return Report.model_validate_json(path.read_text(encoding="utf-8"))


def write(path: Path, report: Report) -> None:
    """Write the record of a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
