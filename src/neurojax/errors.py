"""The errors that neurojax raises, and how it words them.

Every message names the argument, the value that was given and what is allowed, on one line, so that the same text
serves a Python traceback and a terminal.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_NAMED = 20  # names in a message that has no near one to suggest


class NeurojaxError(Exception):
    """Base of the errors that a user can cause."""


class InvalidArgument(NeurojaxError, ValueError):
    """An argument has a value that is not allowed."""


class UnknownName(InvalidArgument, KeyError):
    """A name (task, keyword, period, condition, channel) does not exist."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


class DamagedFile(NeurojaxError, ValueError):
    """A file exists but cannot be used."""


class ExistingRun(NeurojaxError, FileExistsError):
    """A run would overwrite another."""


class MissingPackage(NeurojaxError, ImportError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, what: str):
        super().__init__(f"{what} needs {package}, which is not installed: pip install 'neurojax[{extra}]'")


def suggest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the known names where nothing is near."""
    options = list(known)
    near = difflib.get_close_matches(str(name), options, n=1, cutoff=0.6)
    if not near:  # a different case, or the name without its version, is near too
        near = [o for o in options if str(name).lower() in (o.lower(), o.lower().rsplit("-v", 1)[0])][:1]
    if near:
        return f"did you mean '{near[0]}'?"
    if len(options) > _MOST_NAMED:
        return f"known: {', '.join(options[:_MOST_NAMED])} and {len(options) - _MOST_NAMED} more"
    return f"known: {', '.join(options)}" if options else "there are none"


def unknown(kind: str, name: object, known: Iterable[str], where: str = "") -> UnknownName:
    """The error for a `kind` called `name` that does not exist `where`."""
    return UnknownName(f"unknown {kind} {name!r}{f' in {where}' if where else ''}; {suggest(str(name), known)}")
