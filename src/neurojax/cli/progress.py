"""What is seen while a network trains."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from neurojax.cli.console import messages

_PAUSE = 5.0  # seconds between lines where there is no terminal to draw on


@contextmanager
def shown(updates: int, *, quiet: bool) -> Iterator[Callable[[Any], None] | None]:
    """A display on standard error, fed with the `Progress` of each report: live on a terminal, else lines."""
    console = messages()
    if quiet:
        yield None
    elif console.is_terminal:
        with _live(console, updates) as feed:
            yield feed
    else:
        yield _lines(console)


@contextmanager
def counted(total: int) -> Iterator[Callable[[str], None]]:
    """A display on standard error for `total` things, each announced by name: live on a terminal, else lines."""
    from rich import progress

    console = messages()
    columns = (
        progress.BarColumn(bar_width=None),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.description}"),
    )
    if console.is_terminal:
        with progress.Progress(*columns, console=console, expand=True) as bar:
            task, begun = bar.add_task("", total=total), 0

            def announce(name: str) -> None:
                nonlocal begun
                bar.update(task, completed=begun, description=name)
                begun += 1

            yield announce
            bar.update(task, completed=total, description="")
        return
    last, begun = -math.inf, 0

    def line(name: str) -> None:
        nonlocal last, begun
        begun += 1
        if time.monotonic() - last >= _PAUSE:
            last = time.monotonic()
            console.print(f"{begun}/{total}  {name}", soft_wrap=True)

    yield line


@contextmanager
def _live(console: Any, updates: int) -> Iterator[Callable[[Any], None]]:
    from rich import progress

    columns = (
        progress.TextColumn("[bold]{task.description}"),
        progress.BarColumn(bar_width=None),
        progress.TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        progress.TextColumn("{task.fields[figures]}"),
    )
    with progress.Progress(*columns, console=console, expand=True) as bar:
        task = bar.add_task("compiling", total=updates, figures="")

        def feed(report: Any) -> None:
            doing = "compiling" if report.compiling else "training"
            bar.update(task, completed=report.update, total=report.updates, description=doing, figures=_figures(report))

        yield feed


def _lines(console: Any) -> Callable[[Any], None]:
    last = -math.inf

    def feed(report: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PAUSE or report.update == report.updates:
            last = now
            doing = "compiling" if report.compiling else f"step {report.update}/{report.updates}"
            figures = _figures(report)
            console.print(f"{doing}  {figures}" if figures else doing, soft_wrap=True)

    return feed


def _figures(report: Any) -> str:
    parts = []
    if math.isfinite(report.loss):
        parts.append(f"loss {report.loss:.4f}")
    if math.isfinite(report.accuracy):
        parts.append(f"accuracy {report.accuracy:.3f}")
    if math.isfinite(report.trials_per_second) and report.trials_per_second > 0:
        parts.append(f"{report.trials_per_second:,.0f} trials/s")
    if math.isfinite(report.remaining):
        parts.append(f"{clock(report.remaining)} left")
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """A time to be read: 0:07, 12:30, 1:02:03."""
    whole = round(max(seconds, 0))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
