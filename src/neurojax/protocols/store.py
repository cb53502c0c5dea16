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
        InvalidArgument: if the folder is of another study, or cannot be written.
    """

    def __init__(self, folder: Path, told: Mapping[str, Any]):
        self.folder = make_folder(folder)
        text, path = json.dumps(told, indent=1), self.folder / "running.json"
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise InvalidArgument(
                f"{folder} holds another study; give another folder, or the same protocols and settings"
            )
        write_atomic(path, text)

    def _path(self, group: Group) -> Path:
        safe = "".join(c if c.isalnum() else "-" for c in f"{group.name}-{group.learner}")
        return self.folder / f"{safe}.npz"

    def save(self, group: Group, leaves: Sequence[Any], session: int, rows: np.ndarray) -> None:
        """Keep a group and, where it is not over, the lives of its subjects."""
        arrays = {f"leaf{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
        fields = {f.name: getattr(group, f.name) for f in dataclasses.fields(group)}
        arrays |= {f"group.{name}": value for name, value in fields.items() if isinstance(value, np.ndarray)}
        arrays |= {"rows": rows, "session": np.asarray(session)}
        arrays["sessions"] = np.frombuffer(json.dumps(group.sessions).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        write_atomic(self._path(group), buffer.getvalue())

    def load(self, group: Group) -> tuple[Group, list[np.ndarray], int, np.ndarray] | None:
        """A group as it was saved, with the lives' leaves, how many sessions were over, and whose lives they are."""
        path = self._path(group)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                fields = {name.removeprefix("group."): file[name] for name in file.files if name.startswith("group.")}
                leaves = [file[f"leaf{i}"] for i in range(sum(name.startswith("leaf") for name in file.files))]
                sessions = json.loads(file["sessions"].tobytes().decode())
                session, rows = int(file["session"]), file["rows"]
        except (OSError, ValueError, KeyError) as error:
            raise DamagedFile(f"{path} is damaged: {error}") from None
        return dataclasses.replace(group, sessions=sessions, **fields), leaves, session, rows
