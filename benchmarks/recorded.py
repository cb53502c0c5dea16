"""Long runs whose figures are kept in a record as soon as they are there; pages are written from it alone."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import accelerators, describe
from benchmarks.tables import in_words


def read(path: Path) -> dict[str, Any]:
    """The record."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"machine": "", "runs": {}}


def write(path: Path, record: dict[str, Any]) -> None:
    """Keep the record."""
    from neurojax.files import write_atomic

    write_atomic(path, json.dumps(record, indent=1) + "\n")


def run_missing(wanted: Mapping[str, Callable[[], dict[str, Any]]], path: Path, *, again: bool = False) -> None:
    """Run what is not in the record yet, and keep what each run gives."""
    known = read(path)
    for name, run in wanted.items():
        if name in known["runs"] and not again:
            continue
        say(name)
        found = run()
        record = read(path)
        record["runs"][name] = {**found, "date": time.strftime("%Y-%m-%d")}
        record["machine"] = in_words(describe(), *accelerators())
        write(path, record)
        say(f"  {json.dumps(found)}")


def main(
    name: str,
    doc: str | None,
    wanted: dict[str, Callable[[], dict[str, Any]]],
    record: Path,
    pages: Mapping[Path, Callable[[dict[str, Any]], str]],
    *,
    peers: Callable[[str], dict[str, Callable[[], dict[str, Any]]]] | None = None,
    arguments: list[str] | None = None,
) -> int:
    """The command of such a benchmark: run what is missing, keep it, write the page.

    Args:
        name: of the module.
        doc: its docstring.
        wanted: every run by name.
        record: where the figures are kept.
        pages: what is written from them.
        peers: the runs of the peer, of the Python that has it; None: there are none.
        arguments: the words of the command.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=(doc or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="runs by the beginning of their names")
    parser.add_argument("--again", action="store_true", help="also what is in the record already")
    if peers is not None:
        parser.add_argument("--neurogym", metavar="PYTHON", help="Python that has NeuroGym, PyTorch and sb3-contrib")
    options = parser.parse_args(arguments)
    if peers is not None and options.neurogym:
        wanted = {**wanted, **peers(options.neurogym)}
    if options.only:
        wanted = {name: run for name, run in wanted.items() if name.startswith(tuple(options.only))}
    run_missing(wanted, record, again=options.again)
    for path, page in pages.items():
        path.write_text(page(read(record)), encoding="utf-8")
    return 0


def peer(python: str, script: str, *arguments: object) -> dict[str, Any]:
    """What a script of this folder prints in an environment of its own: a line of JSON."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, str(Path(__file__).with_name(script)), *map(str, arguments)]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(out.stdout.strip().splitlines()[-1])


def heading(title: str, name: str, record: dict[str, Any]) -> list[str]:
    """The first lines of a page: of what, by which module of this folder, and where it was measured."""
    written = f"Written by `python -m benchmarks.{name}` from `benchmarks/{name}.json`; not edited by hand."
    return [f"# {title}", "", written, "", record["machine"]]


def keep(folder: Path, name: str, figure: Any) -> None:
    """Keep a figure as an image."""
    from neurojax.files import make_folder, write_atomic
    from neurojax.viz.style import image

    write_atomic(make_folder(folder) / f"{name}.png", image(figure))


def say(what: str) -> None:
    """A line for who waits."""
    print(what, file=sys.stderr, flush=True)
