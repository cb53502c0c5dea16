"""The built-in protocols: TOML files beside this one."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def preset_names() -> list[str]:
    """The names of the built-in protocols."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def preset_path(name: str) -> Path:
    """The file of a built-in protocol."""
    return _FOLDER / f"{name}.toml"
