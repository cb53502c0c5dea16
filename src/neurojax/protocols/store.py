"""What is kept of a study that runs: a group is taken up where it was saved."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurojax.errors import DamagedFile, InvalidArgument
from neurojax.files import make_folder, write_atomic
from neurojax.protocols.group import Group


class Store:
    """The folder of a study that runs.

    Args:
        folder: where; it is made.
        told: what the study is: settings as JSON holds them. A folder of another study is refused.

    Raises:
        InvalidArgument: if the folder is of another study or cannot be written, or names are too alike for files.
    """

    def __init__(self, folder: Path, told: Mapping[str, Any]):
        known: dict[str, str] = {}
        for name in told.get("protocols", ()):
            same = known.setdefault(_in_files(name).casefold(), name)
            if same != name:
                raise InvalidArgument(f"the protocols {same!r} and {name!r} would be kept in one file; rename one")
        self.folder = make_folder(folder)
        text, path = json.dumps(told, indent=1), self.folder / "running.json"
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise InvalidArgument(
                f"{folder} holds another study; give another folder, or the same protocols and settings"
            )
        write_atomic(path, text)

    @staticmethod
    def forget(folder: Path) -> None:
        """Take away what a folder keeps of a study, if anything."""
        path = folder / "running.json"
        if not path.is_file():
            return
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            groups = [f"{name}-{one['learner']}" for name in told["protocols"] for one in told["populations"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedFile(f"{path} is damaged: {error}") from None
        for group in groups:
            (folder / f"{_in_files(group)}.npz").unlink(missing_ok=True)
        path.unlink()

    def _path(self, group: Group) -> Path:
        return self.folder / f"{_in_files(f'{group.name}-{group.learner}')}.npz"

    def save(self, group: Group, leaves: Sequence[Any], session: int) -> None:
        """Keep a group, and the lives of those who are in training, in the order of `Group.active`."""
        arrays = {f"leaf{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
        fields = {f.name: getattr(group, f.name) for f in dataclasses.fields(group)}
        arrays |= {f"group.{name}": value for name, value in fields.items() if isinstance(value, np.ndarray)}
        arrays["session"] = np.asarray(session)
        arrays["sessions"] = np.frombuffer(json.dumps(group.sessions).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        write_atomic(self._path(group), buffer.getvalue())

    def load(self, group: Group) -> tuple[Group, list[np.ndarray], int] | None:
        """A group as it was saved, with the lives' leaves, and how many sessions were over."""
        path = self._path(group)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                fields = {name.removeprefix("group."): file[name] for name in file.files if name.startswith("group.")}
                leaves = [file[f"leaf{i}"] for i in range(sum(name.startswith("leaf") for name in file.files))]
                sessions = json.loads(file["sessions"].tobytes().decode())
                session = int(file["session"])
        except (OSError, ValueError, KeyError) as error:
            raise DamagedFile(f"{path} is damaged: {error}") from None
        return dataclasses.replace(group, sessions=sessions, **fields), leaves, session


def _in_files(name: str) -> str:
    """A name as files have it."""
    return "".join(c if c.isalnum() else "-" for c in name)
