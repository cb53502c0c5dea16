"""`neurojax evaluate`: evaluate a trained network again, beside animals' trials if given."""

from __future__ import annotations

import argparse
from pathlib import Path

from neurojax.cli import environment
from neurojax.cli.console import print_json
from neurojax.cli.parser import Parser, not_negative, positive_count
from neurojax.errors import InvalidArgument


def parser() -> Parser:
    """The options."""
    from neurojax.analysis.behaviour import Columns

    names = Columns()
    out = Parser(prog="neurojax evaluate", description="Evaluate a trained network, and write its report again.")
    out.add_argument("folder", metavar="DIR", help="the folder of a run of `neurojax train`")
    out.add_argument("--trials", type=positive_count, metavar="N", help="of each condition (default: the run's)")
    out.add_argument("--seed", type=int, metavar="N", help="of the trials (default: the run's)")
    out.add_argument("--json", action="store_true", help="print the summary as JSON")
    animals = out.add_argument_group("beside animals")
    animals.add_argument("--data", metavar="FILE.csv", help="animals' trials, one a row, with a header")
    for name, text in (
        ("coherence", "strength of the evidence in percent, signed or not"),
        ("choice", "which of two sides was chosen; empty or `none` where neither was"),
        ("correct", "0 or 1"),
        ("time", "response time in ms"),
        ("subject", "which animal"),
    ):
        default = getattr(names, name)
        animals.add_argument(f"--{name}-column", metavar="NAME", default=default, help=f"{text} (default: {default})")
    animals.add_argument(
        "--right", metavar="VALUE", help="the choice that means the right (default: the later in order)"
    )
    animals.add_argument(
        "--readout", metavar="R",
        help="how the network responds in a reaction-time version: greedy, or the probability of a choice at which "
        "it responds, such as 0.9",
    )  # fmt: skip
    animals.add_argument(
        "--non-decision-time", type=not_negative, metavar="MS", help="added to the network's response times"
    )
    return out


def run(options: argparse.Namespace) -> int:
    """Evaluate, write, print."""
    import dataclasses

    from neurojax.analysis.behaviour import Columns, read_trials
    from neurojax.analysis.summary import Readout
    from neurojax.training.config import load_config

    folder = Path(options.folder)
    if not folder.is_dir():
        raise InvalidArgument(f"there is no run in {options.folder!r}: no such folder")
    readout = None if options.readout is None else Readout.read(options.readout)
    animals, source = None, ""
    if options.data is not None:
        source = Path(options.data).name
        names = {field.name: getattr(options, f"{field.name}_column") for field in dataclasses.fields(Columns)}
        animals = read_trials(options.data, Columns(**names), right=options.right)
    environment.prepare(load_config(folder).training.devices)
    from neurojax.cli import compare, finish
    from neurojax.training.runs import load_run

    result = load_run(folder)
    changes = {"evaluation.trials": options.trials, "evaluation.seed": options.seed}
    config = result.config.replace({name: value for name, value in changes.items() if value is not None})
    result = dataclasses.replace(result, config=config)
    comparison = None
    if animals is not None:
        comparison = compare.compare(
            result, animals, source, readout=readout, non_decision_time=options.non_decision_time
        )
    summary = finish.finish(result, folder, comparison=comparison, seconds=finish.earlier_seconds(folder))
    if options.json:
        print_json(summary)
    else:
        finish.show(summary, folder)
    return 0
