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

    from neurojax.core.registry import factory, registered

    rows = []
    for id in registered(tag=options.tag):
        found = factory(id)
        paper = getattr(found, "PAPER", None)
        rows.append(
            {
                "id": id,
                "summary": summary(found),
                "tags": list(getattr(found, "TAGS", ())),
                "paper": paper.citation if paper else None,
                "doi": paper.doi if paper else None,
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


def summary(factory: object) -> str:
    """The first line of a factory's docstring."""
    text = (getattr(factory, "__doc__", None) or "").strip()
    return text.splitlines()[0] if text else ""
