"""`neurojax info`: everything that is known of a task."""

from __future__ import annotations

import argparse
from typing import Any

from neurojax.cli import environment
from neurojax.cli.console import number, output, print_json
from neurojax.cli.parser import Parser, add_set, read_assignments


def parser() -> Parser:
    """The options."""
    out = Parser(prog="neurojax info", description="Tell everything about a task.")
    out.add_argument("id", metavar="ID", help="the task, e.g. PerceptualDecisionMaking-v0")
    add_set(out)
    out.add_argument("--json", action="store_true", help="print JSON")
    return out


def run(options: argparse.Namespace) -> int:
    """Print what is known."""
    from neurojax.analysis.describe import describe
    from neurojax.core.registry import make

    environment.prepare()
    task = make(options.id, **read_assignments(options.set))
    known = describe(options.id, task)
    if options.json:
        print_json(known)
    else:
        _show(known)
    return 0


def _show(known: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from neurojax.analysis.describe import law_text

    console = output()

    def heading(text: str) -> None:
        console.print(f"\n[bold]{text}[/bold]")

    def table(*columns: str) -> Table:
        out = Table(box=None, pad_edge=False, header_style="dim")
        for column in columns:
            out.add_column(column)
        return out

    def value_text(value: Any) -> str:
        return ", ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)

    console.print(f"[bold]{escape(known['id'])}[/bold]  {', '.join(known['tags'])}")
    console.print(escape(known["doc"]))
    if known["paper"]:
        heading("Paper")
        console.print(f"{escape(known['paper']['citation'])}\nhttps://doi.org/{known['paper']['doi']}")
    heading("Channels and actions")
    console.print("channels: " + ", ".join(f"{n} ({size})" for n, size in known["channels"].items()))
    if known["actions_kind"] == "discrete":
        console.print("actions: " + ", ".join(f"{n} ({size})" for n, size in known["actions"].items()))
    else:
        console.print("actions: " + ", ".join(f"{n} from {b[0]:g} to {b[1]:g}" for n, b in known["actions"].items()))
    if known["closed_loop"]:
        console.print("closed loop: what is shown, or asked for, depends on the subject's own actions")
    heading("Timing")
    rows = table("period", "duration")
    for name, spec in known["timing_ms"].items():
        rows.add_row(name, law_text(spec))
    console.print(rows)
    console.print(f"longest trial: {known['capacity_steps']} steps")
    heading("Rewards")
    console.print(", ".join(f"{name} {value:g}" for name, value in known["rewards"].items()))
    heading("Parameters")
    rows = table("name", "value", "units", "allowed", "from", "what")
    for p in known["parameters"]:
        name = p["name"] + (f" ({', '.join(p['aliases'])})" if p["aliases"] else "")
        rows.add_row(name, value_text(p["value"]), p["units"], p["allowed"], p["source"], escape(p["doc"]))
    console.print(rows)
    if known["presets"]:
        heading("Presets")
        for name, values in known["presets"].items():
            console.print(f"preset={name!r}: {escape(', '.join(f'{k}={v}' for k, v in values.items()))}")
    heading("Deviations from NeuroGym")
    for d in known["deviations"]:
        console.print(f"- {escape(d['what'])} ({d['kind']})")
        console.print(
            f"    NeuroGym: {escape(d['neurogym'])}\n    here: {escape(d['here'])}\n    because {escape(d['reason'])}"
        )
    if not known["deviations"]:
        console.print("none")
    heading("Reference performance")
    rows = table("who", "performance")
    meaning = {
        "clairvoyant": "clairvoyant (plays the target)",
        "ideal": "ideal observer",
        "blind": "best policy that ignores the stimulus",
        "random": "uniformly random actions",
    }
    for name, text in meaning.items():
        rows.add_row(text, number(known["references"].get(name)))
    console.print(rows)
