"""Settings as data: checked sections, with errors in one line, that are written as TOML and read back."""

from __future__ import annotations

import tomllib
import typing
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neurojax.errors import DamagedFile, InvalidArgument, NeurojaxError, unknown
from neurojax.files import read_text, write_atomic

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Settings that refuse what they do not know, in one line.

    Class attributes:
        WHERE: what errors call it, before the name of a setting; default: the class's name in small letters. The whole
            of some settings has the empty name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)
    WHERE: ClassVar[str | None] = None

    def __init__(self, **settings: Any):
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise _in_one_line(error, type(self)) from None


S = TypeVar("S", bound=Section)


def load_section(section: type[S], path: str | Path, what: str) -> S:
    """The settings in a TOML file.

    Args:
        section: of which class.
        path: the file.
        what: what errors call it.

    Raises:
        InvalidArgument: if the file is missing or a value is not allowed.
        UnknownName: for settings that do not exist; the nearest is suggested.
        DamagedFile: if the file is not TOML.
    """
    text = read_text(path, what)
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DamagedFile(f"the {what} {path} is damaged: {error}") from None
    try:
        return section(**settings)
    except NeurojaxError as error:
        raise type(error)(f"{error} (in {path})") from None


def save_section(section: Section, path: str | Path, what: str, **dump: Any) -> Path:
    """Write settings as TOML; `load_section` gives them back.

    Args:
        section: the settings.
        path: the file.
        what: which of them may be what TOML does not know, for the error.
        **dump: as for pydantic's `model_dump`, such as `exclude_defaults=True`.

    Raises:
        InvalidArgument: if the file cannot be written, or `what` is not a number, text, list or table.
    """
    try:
        text = tomli_w.dumps(section.model_dump(exclude_none=True, **dump))
    except TypeError as error:
        raise InvalidArgument(f"{what} must be numbers, texts, lists or tables: {error}") from None
    return write_atomic(path, text)


def _in_one_line(error: ValidationError, section: type[Section]) -> NeurojaxError:
    problem = error.errors()[0]
    inner = problem.get("ctx", {}).get("error")
    if isinstance(inner, NeurojaxError):
        return inner
    path, model = [], section
    for part in problem["loc"]:  # down to the section in which the setting stands
        if isinstance(part, int):
            path[-1:] = [f"{path[-1]}[{part}]"] if path else []
        elif part in getattr(model, "model_fields", {}):
            path.append(str(part))
            model = _section_of(model.model_fields[part].annotation) or model
    called = section.__name__.removesuffix("Config").lower()
    where = called if section.WHERE is None else section.WHERE
    if problem["type"] == "extra_forbidden":
        within = ".".join(path) or called
        return unknown("setting", str(problem["loc"][-1]), getattr(model, "model_fields", {}), within)
    name = ".".join([where, *path] if where else path)
    return InvalidArgument(f"{name}: {problem['msg'].lower()}, got {problem['input']!r}")


def _section_of(annotation: Any) -> type[Section] | None:
    """The class of sections that a field holds, alone or in a list; None for other fields."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, Section) else None
    return next(filter(None, map(_section_of, typing.get_args(annotation))), None)
