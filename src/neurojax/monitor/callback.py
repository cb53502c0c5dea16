"""The monitor as a function that a training loop calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neurojax.errors import InvalidArgument
from neurojax.monitor.monitor import Monitor
from neurojax.monitor.scalars import numbers

# What a `Progress` tells that is no learning curve.
_OF_PROGRESS = ("updates", "elapsed", "remaining", "compiling")


def monitor_callback(monitor: Monitor) -> Callable[..., None]:
    """A function for a training loop to call once a report: `report(values, run=None, layers=None, **options)`.

    `values` are numbers by name, `update` among them: a mapping, or the `Progress` of a training run, whose `progress=`
    it may be as it is. `run` is what `trials` takes, `layers` activity by name, `options` as for `trials`.

    Example:
        >>> import jax, tempfile, neurojax as nj
        >>> from neurojax.monitor import Monitor, monitor_callback
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> with Monitor(tempfile.mkdtemp(), task) as monitor:
        ...     report = monitor_callback(monitor)
        ...     for update in (10, 20):
        ...         run = nj.rollout(task, jax.random.key(update), 4, 50, policy="random")
        ...         report({"update": update, "loss": 1 / update}, run)
        ...     monitor.recording.scalars()["loss"].to_dict()
        {10: 0.1, 20: 0.05}
    """

    def report(values: Any, run: Any = None, layers: Mapping[str, Any] | None = None, **options: Any) -> None:
        if getattr(values, "compiling", False):
            return
        if hasattr(values, "compiling"):  # a Progress, which also tells how long the run will take
            values = {name: value for name, value in numbers(values).items() if name not in _OF_PROGRESS}
        given = numbers(values)
        if "update" not in given:
            raise InvalidArgument(f"a report must tell its update, got {', '.join(given) or 'nothing'}")
        update: Any = given.pop("update")
        update = int(update) if update.is_integer() else update
        monitor.scalars(given, update=update)
        if run is not None:
            monitor.trials(run, update=update, **options)
        for name, hidden in (layers or {}).items():
            monitor.activity(name, hidden, run, update=update, **options)

    return report
