"""`neurojax plot`: pictures of trials."""

from __future__ import annotations

import argparse

from neurojax.cli import environment
from neurojax.cli.console import messages
from neurojax.cli.parser import Parser, add_set, positive_count, read_assignments
from neurojax.errors import InvalidArgument

_MOST = 12  # trials that can be told apart side by side


def parser() -> Parser:
    """The options."""
    out = Parser(prog="neurojax plot", description="Draw trials of a task.")
    out.add_argument("id", metavar="ID", help="the task, e.g. PerceptualDecisionMaking-v0")
    out.add_argument("--trials", type=positive_count, default=4, help="how many trials (default: 4)")
    out.add_argument("--out", required=True, metavar="FILE", help="the picture: .png, .svg or .pdf")
    add_set(out)
    out.add_argument(
        "--condition", action="append", default=[], metavar="NAME=VALUE",
        help="a condition that is given instead of drawn, e.g. coherence=6.4; may be repeated",
    )  # fmt: skip
    out.add_argument("--seed", type=int, default=0, help="of the trials (default: 0)")
    return out


def run(options: argparse.Namespace) -> int:
    """Draw and save."""
    import jax

    from neurojax.core.registry import make
    from neurojax.viz.style import check_format, save
    from neurojax.viz.trials import draw_trials

    check_format(options.out)
    if options.trials > _MOST:
        raise InvalidArgument(f"--trials must be {_MOST} or fewer to be readable, got {options.trials}")
    environment.prepare()
    task = make(options.id, **read_assignments(options.set))
    given = read_assignments(options.condition)
    figure = draw_trials(task, jax.random.key(options.seed), options.trials, title=options.id, **given)
    path = save(figure, options.out)
    messages().print(f"wrote {path}")
    return 0
