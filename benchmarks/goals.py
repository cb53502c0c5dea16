"""What the figures are held to: our goals, and ratios to the peers measured in the same run."""

from __future__ import annotations

import dataclasses

from benchmarks.measures import CARTPOLE, GYMNAX, NATIVE, NEUROGYM_EXAMPLE, RENDER, RENDER_CALL, TASK
from benchmarks.record import Report, Row


@dataclasses.dataclass(frozen=True)
class Goal:
    """What was wanted and what was measured; `met` is None where it was not measured."""

    what: str
    wanted: str
    measured: str
    met: bool | None


def goals(report: Report) -> list[Goal]:
    """All goals."""
    found = []
    best = _best(report, "environment", NATIVE, batch=4096)
    found.append(
        _at_least("environment steps/s, 4,096 lanes", best.rate if best else None, 12e6, lambda x: f"{x:,.0f}")
    )
    for batch in (256, 4096):
        row = report.find("rendering", RENDER, batch=batch, devices=1)
        found.append(_share(f"rendering {batch} trials, of its bound", row, 0.8))
    found += _library(report)
    training = [row for row in report.rows if row.section == "training" and row.bound]
    found += [_share(f"training {row.name}, {_devices(row.devices)}, of its bound", row, 0.85) for row in training]
    found.append(_update(report))
    start = report.startup
    found.append(_below("import neurojax, nj.make and nj.render loaded", start and start.loaded_seconds, 1.0))
    found.append(_below("first batch after import", start and start.first_batch_seconds, 2.0))
    loaded = None if start is None else ", ".join(start.unwanted) or "none"
    found.append(
        Goal(
            "gymnax or matplotlib loaded by the first batch",
            "none",
            loaded or "-",
            None if start is None else loaded == "none",
        )
    )
    return found


def ratios(report: Report) -> list[tuple[str, float]]:
    """How many times faster than the peer, by what was compared."""
    peer, found = report.neurogym, []
    native = _best(report, "environment", NATIVE, batch=4096)
    cartpole = _best(report, "environment", CARTPOLE, batch=4096)
    ours = _best(report, "environment", GYMNAX, batch=4096)
    if native and cartpole and ours:
        found.append(("nj.rollout over gymnax's CartPole, steps/s, 4,096 lanes", native.rate / cartpole.rate))
        found.append(("nj.Env over gymnax's CartPole, the same gymnax calls, 4,096 lanes", ours.rate / cartpole.rate))
    if peer is None:
        return found
    row = _best(report, "tasks", NATIVE, task=TASK)
    if row and TASK in peer.env_steps_per_second:
        rate = row.rate / peer.env_steps_per_second[TASK]
        found.append((f"{TASK}: nj.rollout, 4,096 lanes, over NeuroGym's env.step, steps/s", rate))
    stream = _best(report, "stream", "nj.stream", batch=16)
    if stream:
        rate = stream.rate / peer.dataset_steps_per_second
        found.append((f"{TASK}: nj.stream over NeuroGym's Dataset, batch 16, 100 steps, time steps/s", rate))
    update = _best(report, "training", NEUROGYM_EXAMPLE)
    if update and peer.update_ms:
        found.append(("one update of NeuroGym's PyTorch example", peer.update_ms / _ms(update)))
    return found


def plain(report: Report, name: str) -> Row | None:
    """The plain task's row, beside which the others' costs are read."""
    return report.find("tasks", name, task=TASK)


def _library(report: Report) -> list[Goal]:
    """Every task within 3 times the plain task's cost for each observed number, and compiled in 2 s."""
    found = []
    for name in (NATIVE, RENDER_CALL):
        base = plain(report, name)
        every = [row for row in report.rows if (row.section, row.name) == ("tasks", name) and row.channels]
        if base is None or len(every) < 2:
            continue
        for what, wanted, over in (
            ("costs for each number, of the plain task's", "at most 3 x", [r for r in every if r.cost > 3 * base.cost]),
            ("compile times", "below 2 s", [r for r in every if r.compile_seconds >= 2]),
        ):
            measured = f"{len(every) - len(over)} of {len(every)} tasks"
            found.append(Goal(f"{name}, every task: {what}", wanted, measured, not over))
    return found


def _best(report: Report, section: str, name: str, **wanted) -> Row | None:
    rows = [r for r in report.rows if (r.section, r.name) == (section, name)]
    rows = [r for r in rows if all(getattr(r, k) == v for k, v in wanted.items())]
    return max(rows, key=lambda row: row.rate, default=None)


def _ms(row: Row) -> float:
    return 1e3 / row.rate


def _devices(count: int) -> str:
    return f"{count} device{'s' * (count > 1)}"


def _at_least(what, value, wanted, show) -> Goal:
    return Goal(
        what,
        f"at least {show(wanted)}",
        "-" if value is None else show(value),
        None if value is None else value >= wanted,
    )


def _share(what: str, row: Row | None, wanted: float) -> Goal:
    return _at_least(what, row.fraction if row else None, wanted, lambda x: f"{x:.0%}")


def _below(what: str, seconds: float | None, wanted: float) -> Goal:
    measured = "-" if seconds is None else f"{seconds:.2f} s"
    return Goal(what, f"below {wanted:g} s", measured, None if seconds is None else seconds < wanted)


def _update(report: Report) -> Goal:
    row, peer = _best(report, "training", NEUROGYM_EXAMPLE), report.neurogym
    ours = "-" if row is None else f"{_ms(row):.2f} ms"
    if peer is None or peer.update_ms is None:
        return Goal("one update of NeuroGym's example", "a third of its time", ours, None)
    third = peer.update_ms / 3
    met = None if row is None else _ms(row) <= third
    return Goal("one update of NeuroGym's example", f"a third of its {peer.update_ms:.2f} ms", ours, met)
