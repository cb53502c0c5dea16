"""`neurojax gallery`: one page with all tasks."""

from __future__ import annotations

import argparse
from pathlib import Path

from neurojax.cli import environment, progress
from neurojax.cli.console import messages
from neurojax.cli.parser import Parser, positive_count
from neurojax.errors import ExistingRun


def parser() -> Parser:
    """The options."""
    out = Parser(prog="neurojax gallery", description="Make one page with all tasks, drawn.")
    out.add_argument("ids", nargs="*", metavar="ID", help="only these tasks (default: all)")
    out.add_argument("--tag", help="only tasks that carry this tag")
    out.add_argument("--out", required=True, metavar="DIR", help="folder for index.html")
    out.add_argument("--trials", type=positive_count, default=3, help="trials drawn of each (default: 3)")
    out.add_argument("--seed", type=int, default=0, help="of the trials (default: 0)")
    out.add_argument("--overwrite", action="store_true", help="replace a page that is there")
    return out


def run(options: argparse.Namespace) -> int:
    """Draw every task and write the page."""
    import jax

    import neurojax
    from neurojax.analysis.describe import describe
    from neurojax.core.registry import factory, make, registered
    from neurojax.files import make_folder, write_atomic
    from neurojax.viz.gallery import Card, gallery
    from neurojax.viz.style import image
    from neurojax.viz.trials import draw_trials

    path = Path(options.out) / "index.html"
    if path.exists() and not options.overwrite:
        raise ExistingRun(f"{path} exists; give --overwrite to replace it")
    chosen = options.ids or registered(tag=options.tag)
    for id in chosen:
        factory(id)  # unknown ids are refused before any work
    make_folder(options.out)
    environment.prepare()
    cards = []
    with progress.counted(len(chosen)) as step:
        for id in chosen:
            step(id)
            task = make(id)
            figure = draw_trials(task, jax.random.key(options.seed), options.trials, title=id)
            cards.append(Card(describe(id, task), image(figure, dpi=80)))
    write_atomic(path, gallery(cards, f"neurojax {neurojax.__version__}, {len(cards)} tasks"))
    messages().print(f"wrote {path}", soft_wrap=True)
    return 0
