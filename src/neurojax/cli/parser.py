"""Reading the command line. Its errors are `InvalidArgument`, on one line, like all others."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from neurojax.errors import InvalidArgument, unknown


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of printing its usage, and suggests the nearest option."""

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> argparse.Namespace:  # type: ignore[override]
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            self.refuse(rest[0])
        return found

    def refuse(self, word: str) -> NoReturn:
        """Raise for a word that no option takes."""
        if word.startswith("-"):
            raise unknown("option", word.split("=")[0], [o for o in self._option_string_actions if o.startswith("--")])
        raise InvalidArgument(f"{word!r} is one word too many; see {self.prog} --help")

    def error(self, message: str) -> NoReturn:
        raise InvalidArgument(f"{message}; see {self.prog} --help")


def add_set(parser: argparse.ArgumentParser) -> None:
    """The option by which a task's keywords are given."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="a keyword of the task, its value in JSON: dt=20, timing.stimulus=500, coherences=[0,6.4], "
        'timing.delay=["uniform",[800,1500]]; may be repeated',
    )  # fmt: skip


def read_value(text: str) -> Any:
    """A value in JSON; what is not JSON is text.

    Example:
        >>> from neurojax.cli.parser import read_value
        >>> read_value("[0, 6.4]"), read_value("true"), read_value("gru")
        ([0, 6.4], True, 'gru')
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Keywords of `name=value` texts, with dots for tables in tables.

    Raises:
        InvalidArgument: without an equals sign or a name, or if a name is given twice.

    Example:
        >>> from neurojax.cli.parser import read_assignments
        >>> read_assignments(["dt=20", "timing.stimulus=500", "timing.delay=[0, 100]"])
        {'dt': 20, 'timing': {'stimulus': 500, 'delay': [0, 100]}}
    """
    out: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        path = [part.strip() for part in name.split(".")]
        if not equals or not all(path):
            raise InvalidArgument(f"--set takes NAME=VALUE, such as timing.stimulus=500, got {text!r}")
        place = out
        for part in path[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise InvalidArgument(f"--set gives {part!r} both a value and parts")
        if path[-1] in place:
            raise InvalidArgument(f"--set gives {name.strip()!r} twice")
        if value.lstrip()[:1] in ("[", "{", '"') and isinstance(read_value(value), str) and value.lstrip()[0] != '"':
            raise InvalidArgument(f"--set {name.strip()}: the value is not JSON, got {value!r}")
        place[path[-1]] = read_value(value)
    return out


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, tables merged with tables."""
    out = dict(base)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = merged(out[name], value) if both else value
    return out


def positive_count(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, got {text!r}")
    return value


def not_negative(text: str) -> float:
    """A finite number of 0 or more, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of 0 or more, got {text!r}")
    return value
