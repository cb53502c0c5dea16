"""`neurojax`: which command, and how it ends. Errors are one line on standard error, with exit code 2."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence

import neurojax
from neurojax.cli.parser import Parser
from neurojax.errors import NeurojaxError, unknown

COMMANDS = {
    "train": "train a network on a task, and report how it does",
    "evaluate": "evaluate a trained network again, beside animals' trials if given",
    "protocol": "describe, run, judge and search training protocols",
    "tasks": "list the tasks",
    "info": "tell everything about a task",
    "plot": "draw trials of a task",
    "gallery": "make one page with all tasks, drawn",
}
OK, FAILED, INTERRUPTED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the words after `neurojax`; default: the process's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            return _run(words)
    except NeurojaxError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("neurojax: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # a reader such as `head` has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _run(words: list[str]) -> int:
    parser = _parser()
    options, rest = parser.parse_known_args(words[:1])
    if options.version:
        print(f"neurojax {neurojax.__version__}")
        return OK
    if options.command is None and not rest:
        parser.print_help()
        return OK
    if rest:
        parser.refuse(rest[0])
    if options.command not in COMMANDS:
        raise unknown("command", options.command, COMMANDS)
    command = importlib.import_module(f"neurojax.cli.{options.command}")
    return command.run(command.parser().parse_args(words[1:]))


def _parser() -> Parser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {does}" for name, does in COMMANDS.items())
    parser = Parser(
        prog="neurojax",
        usage="neurojax COMMAND ...",
        description="The behavioural tasks of neuroscience on accelerators, and networks trained on them.",
        epilog=f"commands:\n{listed}\n\n`neurojax COMMAND --help` tells the options of each.",
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("command", nargs="?", help="see below", metavar="COMMAND")
    return parser


def _warn(message: Warning | str, category: type[Warning], *_: object) -> None:
    """A warning to the user, on one line; those between libraries are not the user's."""
    if issubclass(category, UserWarning):
        print(f"neurojax: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _fail(message: str) -> int:
    print(f"neurojax: {' '.join(message.split())}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
