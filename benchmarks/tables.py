"""The figures as tables: printed, and written to RESULTS.md. Every number comes from the record of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks.goals import goals, plain, ratios
from benchmarks.measures import NATIVE, RENDER_CALL, TASK
from benchmarks.reasons import reason
from benchmarks.record import Machine, Report, Row

_TITLES = {
    "rendering": (
        "Rendering, PerceptualDecisionMaking-v0",
        "The bound draws as many normals as the batch needs (trials x steps of the stimulus x places of the ring) with "
        "`jax.random.normal`, and does nothing else. In a loop: one dispatch, fresh trials in each turn.",
    ),
    "stream": ("Continuous sequences, PerceptualDecisionMaking-v0", "100 time steps in one dispatch."),
    "environment": (
        "Environments under random actions, PerceptualDecisionMaking-v0",
        "Automatic reset, actions drawn inside, observations and rewards summed, one dispatch. The gymnax call is "
        "gymnax's own idiom: `vmap` in a `scan`, a split key for each environment and step.",
    ),
    "training": (
        "Training, PerceptualDecisionMaking-v0",
        "Updates as `neurojax train` makes them: trials, forward, loss, backward, optimiser. The bound is the same "
        "network by the same code, forward and backward on constant input, nothing else, and on several devices no "
        "reduction between them.",
    ),
    "reinforcement": (
        "Learning from reward, PerceptualDecisionMaking-v0",
        "Environment steps inside PPO: playing, and four epochs over what was played. 64 agents with a seed each, "
        "beside one of their kind. Gymnasium's vector environment hands each step to NumPy; the compiled step is the "
        "same without that; `nj.rollout` takes all steps in one dispatch.",
    ),
}
_HEADER = ["what", "batch", "devices", "in a dispatch", "per second", "of bound", "run", "range", "compile"]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of words."""

    title: str
    note: str
    header: list[str]
    rows: list[list[str]]


def tables(report: Report) -> list[Table]:
    """All tables of a report."""
    found = []
    for section, (title, note) in _TITLES.items():
        rows = [row for row in report.rows if row.section == section]
        if rows:
            found.append(Table(title, note, _HEADER, [_cells(row) for row in rows]))
    found += _library(report)
    if report.startup is not None:
        start = report.startup
        cells = [
            ["import neurojax (its names are loaded when they are used)", f"{start.import_seconds:.3f} s"],
            ["the same with nj.make and nj.render loaded, and so JAX", f"{start.loaded_seconds:.2f} s"],
            [
                "from the end of the import to the first batch: loading, compiling, running",
                f"{start.first_batch_seconds:.2f} s",
            ],
        ]
        note = f"Medians over {start.processes} fresh processes, nothing cached."
        found.append(Table("Start", note, ["what", "time"], cells))
    if report.neurogym is not None:
        found.append(_peer(report))
    compared = ratios(report)
    if compared:
        cells = [[what, f"{ratio:,.1f}"] for what, ratio in compared]
        found.append(Table("Beside the peers, in the same run", "", ["what", "times faster"], cells))
    told = [goal for goal in goals(report) if goal.met is not None]  # of the sections that were measured
    cells = [[g.what, g.wanted, g.measured, "met" if g.met else "missed"] for g in told]
    found += [Table("Goals", "", ["what", "wanted", "measured", ""], cells)] if cells else []
    return found


def machine(report: Report) -> str:
    """Where it was measured, in a paragraph."""
    m = report.machine
    others = sorted({row.device for row in report.rows} - {"cpu"})
    load = "" if m.load is None else f" Load average before the run {m.load:.1f}."
    quick = " QUICK MODE: shows that it works, not how fast." if report.quick else ""
    return f"{in_words(m, *others)} {report.date}.{load}{quick}"


def in_words(machine: Machine, *devices: str) -> str:
    """A machine, its Python and packages, in a sentence."""
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    where = ", ".join([machine.processor, f"{machine.cores} cores", *devices])
    return f"{where}; {machine.system}; Python {machine.python}; {packages}."


def show(report: Report) -> None:
    """Print the tables."""
    from rich.console import Console
    from rich.table import Table as Grid

    console = Console(highlight=False)
    if not console.is_terminal:  # a file has no width of its own, and its rows must not be folded
        console = Console(highlight=False, width=200)
    console.print(machine(report), style="dim")
    for table in tables(report):
        grid = Grid(
            title=table.title,
            title_justify="left",
            title_style="bold",
            caption=table.note or None,
            caption_justify="left",
        )
        for i, name in enumerate(table.header):
            grid.add_column(name, justify="left" if i == 0 else "right", no_wrap=True)
        for cells in table.rows:
            grid.add_row(*cells)
        console.print(grid)
    for sentence in report.skipped:
        console.print(sentence)


def markdown(report: Report, option: str = "--write-results", record: str = "results.json") -> str:
    """A page of figures: RESULTS.md, or LIBRARY.md."""
    lines = [
        "# Measured",
        "",
        f"Written by `python -m benchmarks.run {option}` from `benchmarks/{record}`; not edited by hand.",
        "",
        machine(report),
        "",
        "Medians over repeats; what is compared is run in turns. Compiling is timed apart (first call less the median "
        "run). A device of a CPU is one core that JAX addresses alone; with one device, XLA may use all cores.",
    ]
    lines += _sections(report)
    if report.skipped:
        lines += ["", "## Not measured", "", *(f"- {sentence}" for sentence in report.skipped)]
    return "\n".join(lines) + "\n"


def accelerator(report: Report) -> str:
    """The part of the page on an accelerator."""
    lines = [
        "",
        "# Measured on an accelerator",
        "",
        "From `benchmarks/results-accelerator.json`: `python -m benchmarks.run --platform cuda --write-results`.",
        "",
        machine(report),
        *_sections(report),
    ]
    return "\n".join(lines) + "\n"


def _sections(report: Report) -> Iterator[str]:
    for table in tables(report):
        yield from ("", f"## {table.title}", "")
        yield from [table.note, ""] if table.note else []
        yield from grid(table.header, table.rows)


def grid(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> list[str]:
    """The lines of a table in Markdown: words on the left, numbers on the right."""
    cells = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return ["| " + " | ".join(map(str, row)) + " |" for row in cells]


def _cells(row: Row) -> list[str]:
    name = row.name
    calls = f"{row.loops:,} x" if row.loops > 1 else "1 call"
    share = "" if row.fraction is None else f"{row.fraction:.0%}"
    spread = f"{_time(row.least)} to {_time(row.most)}"
    rate = f"{row.rate:,.0f} {row.unit}"
    count = [f"{row.batch:,}", str(row.devices), calls, rate]
    return [str(name), *count, share, _time(row.seconds), spread, f"{row.compile_seconds:.1f} s"]


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _library(report: Report) -> list[Table]:
    """Every task in a line: rates, costs beside the plain task's, compile times, NeuroGym's rate."""
    found = {(row.name, row.task): row for row in report.rows if row.section == "tasks" and row.channels}
    tasks = sorted({task for _, task in found if task})
    bases = {name: plain(report, name) for name in (NATIVE, RENDER_CALL)}
    if not tasks:
        return []
    peers = report.neurogym.env_steps_per_second if report.neurogym else {}
    failed = report.neurogym.failed if report.neurogym else {}
    lines, slow = [], []
    for task in tasks:
        cells, notes = [task], []
        for name in (NATIVE, RENDER_CALL):
            row, base = found.get((name, task)), bases[name]
            if row is None or base is None:
                cells += ["", "", ""]
                continue
            cells[1:1] = [str(row.channels), f"{row.batch:,}"] if len(cells) == 1 else []
            cost = row.cost / base.cost
            cells += [f"{row.rate:,.0f}", f"{cost:.1f} x", f"{row.compile_seconds:.1f} s"]
            if cost > 3 or row.compile_seconds >= 2:
                notes.append(name)
        rate, ours = peers.get(task), found.get((NATIVE, task))
        cells += [f"{rate:,.0f}", f"{ours.rate / rate:,.0f} x"] if rate and ours else ["", ""]
        lines.append(cells)
        if notes:
            slow.append([task, ", ".join(notes), reason(task)])
    header = ["task", "channels", "lanes", "steps/s", "cost", "compile", "rendered/s", "cost", "compile"]
    note = (
        "One device. `nj.rollout` under random actions (400 steps in a dispatch, 20 for images), and one call of "
        "`nj.render`; both in time steps a second. Cost: time for each observed number, beside PerceptualDecisionMaking"
        "'s. NeuroGym: `env.step`, where its task runs."
    )
    tables = [Table("Every task", note, [*header, "NeuroGym steps/s", "times faster"], lines)]
    if slow:
        tables.append(Table("Tasks over 3 times the plain cost, or 2 s to compile", "", ["task", "in", "why"], slow))
    if failed:
        rows = [[task, why] for task, why in failed.items()]
        tables.append(Table("Tasks of NeuroGym that could not be stepped", "", ["task", "what it said"], rows))
    return tables


def _peer(report: Report) -> Table:
    peer = report.neurogym
    assert peer is not None
    rows = [["Dataset, batch 16, 100 steps", f"{peer.dataset_steps_per_second:,.0f} time steps/s"]]
    rate = peer.env_steps_per_second.get(TASK)
    rows += [[f"env.step, {TASK} (others: LIBRARY.md)", f"{rate:,.0f} steps/s"]] if rate else []
    if peer.update_ms is not None:
        parts = f"{peer.update_ms:.2f} ms: data {peer.data_ms:.2f}, network {peer.network_ms:.2f}"
        threads = f"{peer.threads} thread{'s' * (peer.threads != 1)}, the faster choice"
        rows.append([f"one update of its PyTorch example ({threads})", parts])
    versions = ", ".join(f"{name} {version}" for name, version in peer.packages.items())
    note = f"{versions}. Measured in the same run, in its own environment, one process."
    return Table("NeuroGym", note, ["what", "measured"], rows)
