"""`neurojax tasks`: which tasks there are."""

from __future__ import annotations

import argparse

from neurojax.cli.console import output, print_json
from neurojax.cli.parser import Parser


def parser() -> Parser:
    """The options."""
    out = Parser(prog="neurojax tasks", description="List the tasks.")
    out.add_argument("--tag", help="only those that carry this tag")
    out.add_argument("--json", action="store_true", help="print JSON")
    return out


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    from rich.table import Table

    from neurojax.core.registry import about, registered

    rows = []
    for id in registered(tag=options.tag):
        known = about(id)
        rows.append(
            {
                "id": id,
                "summary": known.summary,
                "tags": list(known.tags),
                "paper": known.paper.citation if known.paper else None,
                "doi": known.paper.doi if known.paper else None,
            }
        )
    if options.json:
        print_json({"tasks": rows})
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "what", "tags"):
        table.add_column(name, no_wrap=name == "task")
    for row in rows:
        table.add_row(row["id"], row["summary"], ", ".join(row["tags"]))
    output().print(table)
    return 0
