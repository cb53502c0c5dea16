"""What simulated training says of protocols: `python -m benchmarks.protocols` (or `make protocols`).

Each run keeps its figures in `benchmarks/protocols.json` as soon as it is done, its tables and report page under
`build/protocols`; what is there already is not run again (`--again` does). `benchmarks/PROTOCOLS.md` is written from
the record alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import recorded
from benchmarks.machine import accelerators
from benchmarks.recorded import say
from benchmarks.tables import grid

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE = ROOT / "benchmarks" / "protocols.json", ROOT / "benchmarks" / "PROTOCOLS.md"
# What an accelerator gave, on the same page.
ACCELERATOR_RECORD = ROOT / "benchmarks" / "protocols-accelerator.json"
BUILD = ROOT / "build" / "protocols"
FAMILIES = ("recurrent", "logistic", "detection")
# Protocol, learner, ranges of numbers by their places in the stages, settings, and subjects to confirm with.
SEARCHES: dict[str, Any] = {
    "ibl": (
        "ibl_training", "logistic",
        {
            "0.next.0.when.0.above": (20, 45), "0.next.0.when.1.above": (20, 45), "1.next.0.when.0.above": (20, 45),
            "2.next.0.when.0.at_least": (20, 400), "3.next.0.when.0.at_least": (20, 400),
            "4.next.0.when.0.at_least": (20, 400),
        },
        {"subjects": 24, "sessions": 20}, 200,
    ),
    "autocage": (
        "autocage", "recurrent",
        {
            "1.next.0.when.0.above": (20, 400), "2.next.0.when.1.above": (0.5, 0.9), "3.next.0.when.0.above": (20, 300),
            "3.next.0.when.1.above": (0.5, 0.9), "5.next.0.when.0.above": (20, 300), "7.next.0.when.0.above": (20, 300),
        },
        {"subjects": 16, "sessions": 16, "exams": 2}, 100,
    ),
}  # fmt: skip


def runs() -> dict[str, Callable[[], dict[str, Any]]]:
    """Every run by name, in the order of the page."""
    found: dict[str, Callable[[], dict[str, Any]]] = {
        "floor": floors,
        **{f"speed/{n}": lambda n=n: speed(n) for n in ((1, 32, 256, 4096) if accelerators() else (1, 32, 256))},
        **{f"shaping/{learner}": lambda learner=learner: shaping(learner) for learner in FAMILIES},
        "families": families,
        **{f"ibl/{learner}": lambda learner=learner: ibl(learner) for learner in FAMILIES[:2]},
    }
    if accelerators():
        found["population"] = population
    found["control"] = control
    return found | {f"search/{what}": lambda what=what: search(what) for what in SEARCHES}


# ---------------------------------------------------------------------- the runs


def floors() -> dict[str, Any]:
    """After how many trials the perfect learner enters the stages of the IBL's training: mean of 64."""
    import jax
    import numpy as np

    import neurojax as nj
    from neurojax.protocols import load_protocol

    task = load_protocol("ibl_training").walk()
    out = nj.rollout(task, jax.random.key(0), 64, 8000, policy="oracle", output="metrics")
    entered = np.asarray(out.state.session.memory["own"].entered)[:, :6]
    return {"entered": entered.mean(0).tolist(), "error": (entered.std(0) / 8).tolist()}


def speed(subjects: int) -> dict[str, Any]:
    """Trials a second of recurrent subjects in the third session, of 200 trials, of the IBL's training; exams apart."""
    from neurojax.protocols import load_protocol
    from neurojax.protocols.group import StudySettings, run_group
    from neurojax.subjects.population import Population

    times: list[float] = []
    # the first session is compiled, and the last one has an exam
    settings = StudySettings(subjects=subjects, sessions=4, trials=200, exams=9)
    protocol = load_protocol("ibl_training")
    protocol = protocol.model_copy(update={"exam": protocol.exam.model_copy(update={"trials": 10})})
    group = run_group([protocol], "speed", Population(), settings, tell=lambda *_: times.append(time.perf_counter()))
    trials = sum(
        n for n, session in zip(group.sessions["trials"], group.sessions["session"], strict=True) if session == 3
    )
    return {"subjects": subjects, "trials_per_second": trials / (times[2] - times[1])}


def shaping(learner: str) -> dict[str, Any]:
    """The delayed response by the automated home cage's stages, and by its last stage alone."""
    from neurojax.protocols import load_protocol

    shaped = load_protocol("autocage")
    alone = shaped.model_copy(update={"name": "last stage alone", "stages": [shaped.stages[-1]]})
    named = {"autocage": shaped, "alone": alone}
    # In sessions: attempts that are aborted are no trials, and those who abort nearly all have few of them.
    return _study(f"shaping-{learner}", named, learner, unit="sessions", subjects=200, sessions=30, exams=3)


def families() -> dict[str, Any]:
    """Whether shaping wins in all families of learner x initial hazard x learning rate: of the three studies above."""
    from neurojax.protocols import load_study
    from neurojax.protocols.report import write_study_report
    from neurojax.protocols.results import joined
    from neurojax.protocols.robust import rank

    result = joined([load_study(BUILD / f"shaping-{learner}" / "result") for learner in FAMILIES])
    write_study_report(result, BUILD / "families.html")
    found = rank(result, unit="sessions")
    (pair,) = found.pairs
    by_learner = pair.dependence[pair.dependence["factor"] == "learner"]
    return {
        "first": found.order[0], "cells": len(found.cells), "agreeing": found.agreeing, "n": found.n,
        "ratio": _three(pair.overall.ratio), "robust": found.robust, "said": found.describe(),
        "warning": found.warning,
        "learners": {row["kind"]: [row["ratio"], row["low"], row["high"]] for row in by_learner.to_dict("records")},
    }  # fmt: skip


def population() -> dict[str, Any]:
    """The default population, of 1,024 recurrent subjects, through 22 sessions of the IBL's training."""
    from neurojax.protocols import load_protocol
    from neurojax.protocols.group import StudySettings, run_group
    from neurojax.subjects.population import Population

    began = time.perf_counter()
    settings = StudySettings(subjects=1024, sessions=22, exams=4)
    group = run_group([_quick(load_protocol("ibl_training"))], "population", Population(), settings)
    return _many(group, time.perf_counter() - began)


def _many(group: Any, seconds: float) -> dict[str, Any]:
    """How far a group has come."""
    done = group.trained[group.trained >= 0]
    return {
        "subjects": len(group.trials), "sessions": int(group.last.max()), "seconds": seconds,
        "trials": int(group.trials.sum()), "trained": len(done),
        "trained_trials": [float(done.mean()), float(done.std())],
    }  # fmt: skip


def ibl(learner: str) -> dict[str, Any]:
    """The IBL's training, without debiasing, and in coarser steps (12.5% comes with 25%)."""
    from neurojax.protocols import load_protocol

    published = load_protocol("ibl_training")
    plain = {"side": "task", "repeat": False}
    without = published.replace({f"stages.{i}.correction.{k}": v for i in range(6) for k, v in plain.items()})
    coarse = published.model_dump()
    del coarse["stages"][1]
    coarse["stages"][0]["next"][0]["to"] = coarse["stages"][1]["name"]
    named = {
        "published": published,
        "no debiasing": without.model_copy(update={"name": "no debiasing"}),
        "coarser steps": type(published)(**{**coarse, "name": "coarser steps"}),
    }
    many = {"subjects": 200, "sessions": 40} if learner != "recurrent" else {"subjects": 64, "sessions": 40, "exams": 4}
    return _study(f"ibl-{learner}", named, learner, **many)


def control() -> dict[str, Any]:
    """A against A: halves of 200 subjects, cut in 100 ways; how often the ratio's interval holds 1."""
    from neurojax.protocols import load_protocol
    from neurojax.protocols.control import split_control
    from neurojax.protocols.endpoints import endpoint
    from neurojax.protocols.group import StudySettings
    from neurojax.protocols.study import run_study
    from neurojax.subjects.population import Population

    protocol = _quick(load_protocol("ibl_training"))
    result = run_study({"A": protocol}, Population(learner="logistic"), StudySettings(subjects=200, sessions=40))
    found = split_control(endpoint(result, "A"), splits=100)
    return {"pairs": found.pairs, "held": found.held}


def search(what: str) -> dict[str, Any]:
    """Thresholds of the IBL's training searched with logistic subjects, or of the home cage's with recurrent ones; the
    best is confirmed on fresh subjects."""
    from neurojax.protocols import load_protocol
    from neurojax.protocols.group import StudySettings
    from neurojax.protocols.report import write_study_report
    from neurojax.protocols.search import Vary, search_protocol
    from neurojax.subjects.population import Population

    name, learner, ranges, settings, confirm = SEARCHES[what]
    paths = [Vary(f"stages.{path}", low, high) for path, (low, high) in ranges.items()]
    found = search_protocol(
        _quick(load_protocol(name)), paths, Population(learner=learner), StudySettings(**settings), candidates=24,
        batch=8, folder=BUILD / f"search-{what}", confirm=confirm, progress=say,
    )  # fmt: skip
    assert found.confirmed is not None
    BUILD.mkdir(parents=True, exist_ok=True)
    write_study_report(found.confirmed, BUILD / f"search-{what}.html")
    pruned = sum(one.time != one.time for one in found.candidates)
    return {
        "protocol": name, "learner": learner, "subjects": settings["subjects"], "confirm": confirm,
        "values": found.values, "candidates": len(found.candidates), "pruned": pruned, **_judged(found.confirmed),
    }  # fmt: skip


def _quick(protocol: Any) -> Any:
    return protocol.model_copy(update={"exam": protocol.exam.model_copy(update={"trials": 400})})


def _study(name: str, protocols: dict[str, Any], learner: str, unit: str = "trials", **settings: Any) -> dict[str, Any]:
    """Run a study, keep its tables and its report, and give its figures."""
    from neurojax.protocols.group import StudySettings
    from neurojax.protocols.report import write_study_report
    from neurojax.protocols.study import run_study
    from neurojax.subjects.population import Population

    began, last = time.perf_counter(), [0.0]

    def tell(now: Any) -> None:
        if time.perf_counter() - last[0] > 20:
            last[0] = time.perf_counter()
            say(f"  {now.protocol} {now.session}: {now.active} active, {now.passed} passed, {now.trained} trained")

    folder = BUILD / name
    population = Population(learner=learner)  # type: ignore[arg-type]
    result = run_study(
        {key: _quick(one) for key, one in protocols.items()}, population, StudySettings(**settings), folder=folder,
        progress=tell,
    )  # fmt: skip
    result.save(folder / "result", overwrite=True)
    write_study_report(result, folder / "report.html")
    return {"learner": learner, "seconds": time.perf_counter() - began, **settings, **_judged(result, unit)}


def _judged(result: Any, unit: str = "trials") -> dict[str, Any]:
    """Shares, restricted means and comparisons, by the exam and by the protocols' own criteria."""
    import numpy as np

    from neurojax.protocols.endpoints import endpoint, shared_horizon, summarise
    from neurojax.protocols.judge import compare_all

    out: dict[str, Any] = {"floors": {k: v if np.isfinite(v) else None for k, v in result.floors.items()}}
    subjects = result.subjects
    out["trained_trials"] = {
        name: [float(rows["trials"].mean()), float(rows["trials"].std())]
        for name, rows in subjects[subjects["status"] == "trained"].groupby("protocol")
    }
    for of in ("exam", "criterion"):
        horizon = shared_horizon([endpoint(result, name, of=of, unit=unit) for name in result.names()])
        table = summarise(result, of=of, unit=unit, horizon=horizon)
        out[of] = {"unit": unit, "horizon": horizon, "rows": json.loads(table.to_json(orient="records"))}
        out[of]["pairs"] = [
            {
                "first": one.first, "second": one.second, "ratio": _three(one.ratio), "better": _three(one.better),
                "p": one.log_rank.pvalue,
            }
            for one in compare_all(result, of=of, unit=unit)
        ]  # fmt: skip
    return out


def _three(estimate: Any) -> list[float]:
    return [float(estimate.value), float(estimate.low), float(estimate.high)]


# ---------------------------------------------------------------------- the page


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, keep it, write the page."""

    def peers(python: str) -> dict[str, Callable[[], dict[str, Any]]]:
        """The same loop of one subject with NeuroGym and PyTorch, in its own environment."""
        return {"speed/neurogym": lambda: recorded.peer(python, "neurogym_online_side.py", 30)}

    record = ACCELERATOR_RECORD if accelerators() else RECORD
    write = lambda _: page(recorded.read(RECORD), recorded.read(ACCELERATOR_RECORD))
    return recorded.main(
        "benchmarks.protocols", __doc__, runs(), record, {PAGE: write}, peers=peers, arguments=arguments
    )


def page(record: dict[str, Any], other: dict[str, Any]) -> str:
    """PROTOCOLS.md: every number comes from the records, of a CPU and of an accelerator."""
    lines = [
        "# Training protocols, simulated",
        "",
        "Written by `python -m benchmarks.protocols` from `benchmarks/protocols.json`; not edited by hand. One trial",
        "of a simulated subject is not one trial of an animal: ratios and ranks are what to read.",
        "",
        record["machine"],
    ]
    if other["runs"]:
        lines += ["", f"What is said to be of an accelerator: {other['machine']}"]
    lines += [*_floor_part(record["runs"]), *_speed_part(record["runs"], other["runs"])]
    found = {**record["runs"], **{name: {**run, "accelerator": True} for name, run in other["runs"].items()}}
    for part in (_population_part, _study_parts, _families_part, _control_part, _search_part):
        lines += list(part(found))
    return "\n".join(lines) + "\n"


def _floor_part(found: dict[str, Any]) -> Iterator[str]:
    run = found.get("floor")
    if run:
        yield from ("", "## The perfect learner's walk through the training of the IBL", "")
        names = ("100, 50", "25", "12.5", "6.25", "0", "without 50")
        each = zip(names, run["entered"], run["error"], strict=True)
        yield from grid(("contrasts", "entered after (trials)"), [(n, f"{x:.0f} ± {e:.0f}") for n, x, e in each])


def _speed_part(found: dict[str, Any], accelerator: dict[str, Any]) -> Iterator[str]:
    rows = []
    for runs, where in ((found, ""), (accelerator, ", accelerator")):
        for name in (name for name in runs if name.startswith("speed/")):
            who = name.removeprefix("speed/")
            words = f"{int(who):,}{where}" if who.isdigit() else "1, NeuroGym and PyTorch"
            rows.append((words, f"{runs[name]['trials_per_second']:,.0f}"))
    if rows:
        yield from ("", "## Speed", "")
        yield "Recurrent subjects (GRU 32) in sessions of 200 trials of the IBL's training, one update a trial through"
        yield from ("the last 64 steps; compile time apart.", "")
        yield from grid(("subjects", "subject-trials per second"), rows)


def _population_part(found: dict[str, Any]) -> Iterator[str]:
    run = found.get("population")
    if run:
        mean, spread = run["trained_trials"]
        yield from ("", "## A large population in the training of the IBL", "")
        yield f"{run['subjects']:,} recurrent subjects, {run['sessions']} sessions each, on the accelerator:"
        yield f"{run['trials']:,} trials in {run['seconds']:.0f} s, compiling and exams included. By then"
        yield f"{run['trained'] / run['subjects']:.0%} had met status 1a, after {mean:,.0f} ± {spread:,.0f} trials"
        yield "(mice, all of them to the end: 10,800 ± 8,600)."


_TITLES = {
    "shaping/recurrent": "Shaping against none: the delayed response of the automated home cage",
    "shaping/logistic": "The same: logistic subjects",
    "shaping/detection": "The same: signal-detection subjects",
    "ibl/logistic": "The training of the IBL, and without debiasing, and in coarser steps: logistic subjects",
    "ibl/recurrent": "The same: recurrent subjects",
}


def _study_parts(found: dict[str, Any]) -> Iterator[str]:
    for name, title in _TITLES.items():
        if name in found:
            run = found[name]
            yield from ("", f"## {title}", "")
            where = " On the accelerator." if run.get("accelerator") else ""
            yield f"{run['subjects']:,} subjects under each, the same ones, {run['sessions']} sessions at most.{where}"
            yield from _judged_part(run)


def _judged_part(run: dict[str, Any]) -> Iterator[str]:
    words = {"exam": "The exam, passed twice running", "criterion": "The protocol's own criteria"}
    for of, text in words.items():
        one = run[of]
        yield from ("", f"{text}; restricted means up to {one['horizon']:,.0f} {one['unit']}:", "")
        rows = [_row(row) for row in one["rows"]]
        yield from grid(("protocol", "share that learns", f"restricted mean ({one['unit']})"), rows)
        if one["pairs"]:
            yield ""
            header = ("first / second", "ratio of means", "chance that the first is better", "p (log-rank)")
            pairs = [
                (f"{p['first']} / {p['second']}", _range(p["ratio"]), _range(p["better"]), f"{p['p']:.2g}")
                for p in one["pairs"]
            ]
            yield from grid(header, pairs)
    if run.get("trained_trials"):
        yield ""
        each = (f"{name} {mean:,.0f} ± {spread:,.0f}" for name, (mean, spread) in run["trained_trials"].items())
        yield f"Trials of those who met the protocol's criteria, mean and standard deviation: {'; '.join(each)}."


def _row(row: dict[str, Any]) -> tuple[str, str, str]:
    share = _range([row["share"], row["share_low"], row["share_high"]])
    mean = [row["mean"], row["mean_low"], row["mean_high"]]
    return row["protocol"], share, "-" if None in mean else "{:,.5g} ({:,.5g} to {:,.5g})".format(*mean)


def _families_part(found: dict[str, Any]) -> Iterator[str]:
    run = found.get("families")
    if run:
        yield from ("", "## Whether shaping wins for all kinds of subjects", "")
        yield f"The three studies of shaping together ({run['n']} pairs), in {run['cells']} cells of learner x"
        yield f"initial hazard x learning rate. {run['said']}"
        yield from [run["warning"]] if run["warning"] else []
        yield ""
        rows = [(name, _range(three)) for name, three in run["learners"].items()]
        yield from grid(("learner", "ratio of means, first to second"), [*rows, ("all", _range(run["ratio"]))])


def _control_part(found: dict[str, Any]) -> Iterator[str]:
    run = found.get("control")
    if run:
        yield from ("", "## A against A", "")
        yield f"The training of the IBL against itself (200 logistic subjects in halves, cut in {run['pairs']} ways):"
        yield f"the 95% interval of the ratio holds 1 in {run['held']} of {run['pairs']}."


def _search_part(found: dict[str, Any]) -> Iterator[str]:
    for name in (name for name in found if name.startswith("search/")):
        run = found[name]
        yield from ("", f"## A searched protocol against the published one: {run['protocol']}", "")
        yield f"{run['candidates']} candidates of {run['subjects']} {run['learner']} subjects ({run['pruned']} given up"
        yield f"halfway), the best confirmed on {run['confirm']} fresh subjects with fresh seeds. Found:"
        yield ""
        yield from grid(("number", "value"), [(k, f"{v:.4g}") for k, v in run["values"].items()])
        yield from _judged_part(run)


def _range(three: list[float]) -> str:
    return "-" if None in three else f"{three[0]:.2f} ({three[1]:.2f} to {three[2]:.2f})"


if __name__ == "__main__":
    sys.exit(main())
