"""`neurojax protocol`: what protocols there are, what one does, which of several is better, and a better one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from neurojax.cli import environment
from neurojax.cli.console import messages, output
from neurojax.cli.parser import Parser, positive_count
from neurojax.errors import ExistingRun, InvalidArgument, unknown

_FILE = "a TOML file, or the name of a built-in protocol"


def parser() -> Parser:
    """The options."""
    out = Parser(prog="neurojax protocol", description="Training protocols: describe, walk, run and judge, search.")
    kinds = out.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)
    kinds.add_parser("list", help="the built-in protocols")
    show = kinds.add_parser("show", help="what a protocol does, in words and as a graph")
    show.add_argument("file", metavar="FILE", help=_FILE)
    show.add_argument("--out", metavar="PNG", help="draw the stages")
    walk = kinds.add_parser("walk", help="the perfect learner's walk, as an animated figure, before any training")
    walk.add_argument("file", metavar="FILE", help=_FILE)
    walk.add_argument("--out", required=True, metavar="GIF", help="the figure")
    walk.add_argument("--seed", type=int, default=0)
    run = kinds.add_parser("run", help="train subjects under protocols, and judge these")
    run.add_argument("files", nargs="+", metavar="FILE", help=_FILE)
    _add_study(run, subjects=200)
    run.add_argument(
        "--learner",
        action="append",
        metavar="NAME",
        help="recurrent (default), logistic, detection or perfect; may be repeated",
    )
    run.add_argument(
        "--control", type=int, default=0, metavar="N",
        help="train the subjects of the first protocol N times more with other chance, for A against A (default: 0)",
    )  # fmt: skip
    run.add_argument("--overwrite", action="store_true", help="begin anew, and replace a study that is there")
    search = kinds.add_parser("search", help="search the numbers of a protocol for a better one")
    search.add_argument("file", metavar="FILE", help=_FILE)
    search.add_argument(
        "--vary", action="append", required=True, metavar="PATH=LOW..HIGH",
        help="a number and its range, such as stages.easy.next.0.when.0.at_least=0.6..0.9; may be repeated",
    )  # fmt: skip
    _add_study(search, subjects=32)
    search.add_argument("--learner", metavar="NAME", default="recurrent", help="recurrent, logistic or detection")
    search.add_argument("--candidates", type=positive_count, default=48, help="how many to try (default: 48)")
    search.add_argument("--batch", type=positive_count, default=8, help="how many are run together (default: 8)")
    search.add_argument("--confirm", type=int, default=64, help="fresh subjects that confirm it (default: 64; 0: none)")
    return out


def _add_study(parser: argparse.ArgumentParser, subjects: int) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for what came of it; it can be resumed")
    parser.add_argument("--subjects", type=positive_count, default=subjects, help=f"of each (default: {subjects})")
    parser.add_argument("--sessions", type=positive_count, default=40, help="until they are given up (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="of subjects and chance (default: 0)")
    parser.add_argument("--hidden", type=positive_count, help="units of recurrent subjects")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """Do what was asked."""
    if options.action is None:
        parser().print_help()
        return 0
    return {"list": _list, "show": _show, "walk": _walk, "run": _run, "search": _search}[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from neurojax.protocols import load_protocol
    from neurojax.protocols.presets import preset_names

    for name in preset_names():
        protocol = load_protocol(name)
        output().print(f"{name:<28} {len(protocol.stages)} stages, {protocol.task.id}", highlight=False, soft_wrap=True)
    return 0


def _show(options: argparse.Namespace) -> int:
    from neurojax.protocols import load_protocol
    from neurojax.protocols.words import describe_protocol

    protocol = load_protocol(options.file)
    output().print(describe_protocol(protocol), highlight=False, soft_wrap=True, markup=False)
    if options.out:
        from neurojax.files import write_atomic
        from neurojax.viz.stages import plot_stages
        from neurojax.viz.style import image

        write_atomic(Path(options.out), image(plot_stages(protocol)))
        messages().print(f"wrote {options.out}", soft_wrap=True)
    return 0


def _walk(options: argparse.Namespace) -> int:
    from neurojax.protocols import load_protocol
    from neurojax.protocols.study import perfect_walk
    from neurojax.viz.stages import animate_walk, save_animation

    protocol = load_protocol(options.file)
    environment.prepare()
    walked = perfect_walk(protocol, options.seed)
    figure = animate_walk(protocol, walked.stage, walked.performance, values=walked.values)
    path = save_animation(figure, options.out)
    messages().print(f"wrote {path}: {len(walked.stage):,} trials to the end of training", soft_wrap=True)
    return 0


def _study(options: argparse.Namespace, learner: str) -> tuple[Any, Any]:
    from neurojax.protocols.group import StudySettings
    from neurojax.subjects.population import LEARNERS, Population

    if learner not in LEARNERS:
        raise unknown("learner", learner, LEARNERS)
    more = {} if options.hidden is None else {"hidden": options.hidden}
    settings = StudySettings(subjects=options.subjects, sessions=options.sessions, seed=options.seed)
    return Population(learner=learner, **more), settings  # type: ignore[arg-type]


def _run(options: argparse.Namespace) -> int:
    from neurojax.protocols import load_protocol
    from neurojax.protocols.report import write_study_report
    from neurojax.protocols.store import Store
    from neurojax.protocols.study import run_study

    named = {Path(file).stem: load_protocol(file) for file in options.files}
    if len(named) < len(options.files):
        raise InvalidArgument("two of the protocols have one name")
    if options.control and options.control < 2:
        raise InvalidArgument(f"--control must be 0, or 2 or more, got {options.control}")
    folder = Path(options.out)
    if (folder / "result").exists() and not options.overwrite:
        raise ExistingRun(f"{folder} holds a study already; give another folder, or --overwrite")
    pairs = [_study(options, learner) for learner in dict.fromkeys(options.learner or ["recurrent"])]
    environment.prepare()
    if options.overwrite:
        Store.forget(folder)
    result = run_study(
        named, [population for population, _ in pairs], pairs[0][1], folder=folder, progress=_shown(options.quiet)
    )
    result.save(folder / "result", overwrite=options.overwrite)
    again = _control(named, pairs, folder, options) if options.control else None
    page = write_study_report(result, folder / "report.html", control=again)
    for name in named:
        rows = result.subjects[result.subjects["protocol"] == name]
        line = (
            f"{name}: trained {(rows['status'] == 'trained').mean():.0%}, passed the exam {rows['passed'].mean():.0%}"
        )
        messages().print(line, soft_wrap=True, highlight=False)
    messages().print(f"wrote {page}", soft_wrap=True)
    return 0


def _control(named: Any, pairs: Any, folder: Path, options: argparse.Namespace) -> Any:
    """The first protocol against itself: the same individuals with other chance, in all pairs of repeats."""
    from neurojax.protocols.control import control
    from neurojax.protocols.endpoints import endpoint
    from neurojax.protocols.study import run_study

    name, (population, settings) = next(iter(named)), pairs[0]
    repeats = []
    for number in range(1, options.control + 1):
        more = settings.model_copy(update={"repeat": number})
        result = run_study(
            {name: named[name]}, population, more, folder=folder / f"control-{number}", progress=_shown(options.quiet)
        )
        repeats.append(endpoint(result, name))
    return control(repeats, how=f"{name}, {settings.subjects} {population.learner} subjects, {options.control} times")


def _search(options: argparse.Namespace) -> int:
    from neurojax.protocols import load_protocol
    from neurojax.protocols.search import Vary, search_protocol

    protocol = load_protocol(options.file)
    vary = [Vary.read(text) for text in options.vary]
    population, settings = _study(options, options.learner)
    environment.prepare()
    found = search_protocol(
        protocol, vary, population, settings, candidates=options.candidates, batch=options.batch, folder=options.out,
        confirm=options.confirm,
        progress=None if options.quiet else lambda line: messages().print(line, soft_wrap=True, highlight=False),
    )  # fmt: skip
    for path, value in found.values.items():
        messages().print(f"{path} = {value:g}", soft_wrap=True, highlight=False)
    if found.confirmed is not None:
        from neurojax.protocols.report import write_study_report

        found.confirmed.save(Path(options.out) / "confirmed", overwrite=True)
        page = write_study_report(found.confirmed, Path(options.out) / "report.html")
        messages().print(f"wrote {page}", soft_wrap=True)
    messages().print(f"wrote {Path(options.out) / 'found.toml'}", soft_wrap=True)
    return 0


def _shown(quiet: bool) -> Any:
    """A line a session, at most every two seconds."""
    import time

    if quiet:
        return None
    last = [0.0]

    def line(now: Any) -> None:
        if time.monotonic() - last[0] < 2 and now.active:
            return
        last[0] = time.monotonic()
        left = "" if now.left != now.left else f", at most {now.left / 60:.0f} min left"
        messages().print(
            f"{now.group}/{now.groups} {now.protocol}, {now.learner}: session {now.session}, {now.active} in training, "
            f"{now.trained} trained, {now.passed} passed; {now.seconds:.0f} s{left}",
            soft_wrap=True,
            highlight=False,
        )

    return line
