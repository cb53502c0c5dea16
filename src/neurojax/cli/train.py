"""`neurojax train`: train a network, and leave a report."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from neurojax.cli import environment, progress
from neurojax.cli.console import print_json
from neurojax.cli.parser import Parser
from neurojax.errors import InvalidArgument


def parser() -> Parser:
    """The options."""
    from neurojax.cli.settings import add_settings

    out = Parser(
        prog="neurojax train",
        usage="neurojax train [ID] --out DIR [options]",
        description="Train a network on a task. DIR gets config.toml, metrics.csv, checkpoints, figures, summary.json "
        "and report.html.",
    )
    out.add_argument("id", metavar="ID", nargs="?", help="the task, e.g. PerceptualDecisionMaking-v0")
    out.add_argument("--out", required=True, metavar="DIR", help="the run's folder")
    out.add_argument("--config", metavar="FILE", help="settings in TOML, as a run writes them; options take precedence")
    existing = out.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="go on from the last checkpoint in DIR")
    existing.add_argument("--overwrite", action="store_true", help="replace the run in DIR")
    out.add_argument(
        "--monitor", action="store_true", help="record what the network does at each report in DIR/monitor (Parquet)"
    )
    out.add_argument("--tensorboard", action="store_true", help="with --monitor: learning curves for TensorBoard too")
    out.add_argument("--json", action="store_true", help="print the summary as JSON, and nothing else on stdout")
    out.add_argument("--quiet", action="store_true", help="show no progress")
    add_settings(out)
    return out


def run(options: argparse.Namespace) -> int:
    """Train, evaluate, write, print."""
    from neurojax.cli.settings import apply
    from neurojax.training.config import RunConfig, load_config

    folder = Path(options.out)
    if options.resume and options.config is None:
        config = load_config(folder)
    elif options.config is not None:
        config = load_config(options.config)
    elif options.id is None:
        raise InvalidArgument("state a task, such as PerceptualDecisionMaking-v0, or --config FILE, or --resume")
    else:
        algorithm = getattr(options, "training.algorithm")  # some defaults are the algorithm's
        stated: Any = {"training": {"algorithm": algorithm}} if algorithm else {}
        config = RunConfig(**stated)
    config = apply(config, options, options.id)
    environment.prepare(config.training.devices)
    from neurojax.cli import finish
    from neurojax.training.runs import train

    if options.tensorboard and not options.monitor:
        raise InvalidArgument("--tensorboard goes with --monitor")
    record = None
    if options.monitor:
        from neurojax.cli.record import Record

        record = Record(folder, config, resume=options.resume, tensorboard=options.tensorboard)
    reached = 0
    try:
        with progress.shown(config.training.updates, quiet=options.quiet) as feed, _Stop() as stop:

            def report(now):
                nonlocal reached
                reached = now.update
                if record is not None and now.compiling:
                    record.begins(now)
                if feed is not None:
                    feed(now)
                stop.here()

            result = train(
                config, folder, resume=options.resume, overwrite=options.overwrite, progress=report, watch=record
            )
            stop.here()
        seconds = {"compile": result.compile_seconds, "run": result.run_seconds}
        if options.resume:  # all the time that the run has had
            earlier = finish.earlier_seconds(folder)
            seconds = {name: value + earlier.get(name, 0.0) for name, value in seconds.items()}
        summary = finish.finish(result, folder, seconds=seconds)
    except KeyboardInterrupt:
        print(f"neurojax: stopped after step {reached}; {_how_to_go_on(folder)}", file=sys.stderr)
        return 130
    finally:
        if record is not None:
            record.close()
    if options.json:
        print_json(summary)
    else:
        finish.show(summary, folder)
    return 0


def _how_to_go_on(folder: Path) -> str:
    place = shlex.quote(str(folder))
    if any(path.name.isdigit() for path in (folder / "checkpoints").glob("*")):
        return f"go on from the last checkpoint with: neurojax train --resume --out {place}"
    return f"there is no checkpoint yet: start again, with --overwrite if {place} holds a run"


class _Stop:
    """Ctrl-C during training waits for the next report, so that no checkpoint is cut; a second one does not wait."""

    def __init__(self):
        self._asked, self._before = False, None

    def __enter__(self) -> _Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def here(self) -> None:
        """Stop here, if that was asked for."""
        if self._asked:
            raise KeyboardInterrupt

    def _ask(self, *_: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print("neurojax: stopping after the next report (Ctrl-C again: at once)", file=sys.stderr)
