"""Every setting of a run as an option, taken from the settings' own declarations."""

from __future__ import annotations

import argparse
import inspect
import re
from typing import Any, get_args

from pydantic import BaseModel

from neurojax.cli.parser import add_set, merged, read_assignments, read_value
from neurojax.training.config import RunConfig

# Settings that are given in another way.
_ELSEWHERE = ("task.id", "task.keywords")
_TITLES = {"task": "task", "network": "network", "training": "training", "evaluation": "evaluation"}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting: `--hidden`, `--learning-rate`, `--evaluation-trials`, ..."""
    for section, field in RunConfig.model_fields.items():
        model: Any = field.annotation
        group = parser.add_argument_group(f"{_TITLES.get(section, section)} settings")
        if section == "task":
            add_set(group)  # type: ignore[arg-type]
        docs = _attribute_docs(model)
        for name, setting in model.model_fields.items():
            dotted = f"{section}.{name}"
            if dotted in _ELSEWHERE:
                continue
            default = setting.get_default(call_default_factory=True)
            text = f"{docs.get(name, '')} (default: {default})".replace("%", "%%")
            group.add_argument(option(dotted), dest=dotted, metavar=_metavar(setting.annotation), help=text)


def option(dotted: str) -> str:
    """The option of a setting: network.kind is --network; evaluation's carry the section's name."""
    section, name = dotted.split(".")
    if dotted == "network.kind":
        return "--network"
    return f"--{name if section != 'evaluation' else f'{section}-{name}'}".replace("_", "-")


def apply(config: RunConfig, options: argparse.Namespace, id: str | None) -> RunConfig:
    """The settings with those changed that options give.

    Raises:
        NeurojaxError: for values that are not allowed.
    """
    given = {name: read_value(value) for name, value in vars(options).items() if "." in name and value is not None}
    if id is not None:
        given["task.id"] = id
    keywords = read_assignments(options.set)
    if "dt" in keywords and "task.dt" not in given:
        given["task.dt"] = keywords.pop("dt")
    if keywords:
        given["task.keywords"] = merged(config.task.keywords, keywords)
    return config.replace(given) if given else config


def _metavar(annotation: Any) -> str:
    choices = [str(a) for a in get_args(annotation) if isinstance(a, str)]
    return "|".join(choices) if choices and len(choices) == len(get_args(annotation)) else "VALUE"


def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """What the `Attributes` section of a docstring says of each name; a line may name several."""
    text = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[2]
    out: dict[str, str] = {}
    names: list[str] = []
    for line in text.splitlines():
        entry = re.match(r"    (\w+(?:, \w+)*): (.*)", line)
        if entry:
            names = entry[1].split(", ")
            out |= dict.fromkeys(names, entry[2])
        elif names and line.startswith("        "):
            out |= {name: f"{out[name]} {line.strip()}" for name in names}
        else:
            names = []
    return out
