"""Tables that grow: a folder of Parquet files, each of them written whole.

A part is written beside its place and renamed into it, so a reader sees the part as it was or as it is, while the
writer runs and after it was killed. New rows join the last part as long as that is small, by writing it again, so that
even rows that come one by one make few files. Rows never move from one part to another: a reader finds each row once.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurojax.errors import DamagedFile, InvalidArgument, MissingPackage
from neurojax.files import make_folder, write_atomic

if TYPE_CHECKING:
    from pandas import DataFrame

_NAME = re.compile(r"part-(\d{6,})\.parquet")
_ROWS = 10_000  # of a part, from which on new rows begin another


def arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet.

    Raises:
        MissingPackage: where pyarrow is not installed.
    """
    try:
        import pyarrow  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet as parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingPackage("pyarrow", "monitor", "recording") from None
    return pyarrow, parquet


class Parts:
    """A table in a folder, to which rows are added. One writer at a time.

    Args:
        folder: is made where it is missing; parts in it are kept, and go on to be numbered.
        rows: of a part, from which on new rows begin another.

    Raises:
        InvalidArgument: if the folder cannot be written.

    Example:
        >>> import tempfile, pandas as pd
        >>> from neurojax.monitor.parts import Parts, read_parts
        >>> folder = tempfile.mkdtemp()
        >>> Parts(folder).append(pd.DataFrame({"trial": [0, 1], "reward": [1.0, 0.0]}))
        >>> Parts(folder).append(pd.DataFrame({"trial": [2], "reward": [1.0]}))
        >>> read_parts(folder)["trial"].tolist()
        [0, 1, 2]
    """

    def __init__(self, folder: str | Path, *, rows: int = _ROWS):
        arrow()
        self.folder, self._rows = make_folder(folder), rows
        for left in self.folder.glob(".part-*.parquet.*"):  # of a writer that was killed
            with contextlib.suppress(OSError):
                left.unlink()
        self._open()

    def _open(self) -> None:
        """Find where to go on. A damaged part is left as it is, and the next has a number of its own."""
        numbers = _numbered(self.folder)
        self._waiting: list[Any] = []
        self._number, self._tail, self._schema = (numbers[-1] + 1 if numbers else 0), None, None
        for number in reversed(numbers):
            part = _read_part(_path(self.folder, number))
            if part is not None:
                self._schema = part.schema
                if number == numbers[-1]:
                    self._number, self._tail = number, part
                break

    def append(self, frame: DataFrame, columns: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """`add` and `write`: the rows are on the disk when this returns."""
        self.add(frame, columns)
        self.write()

    def add(self, frame: DataFrame, columns: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Add rows, which wait to be written.

        Args:
            frame: the rows; its index is not kept.
            columns: `units` and `meaning` of columns by name, kept with each part.

        Raises:
            InvalidArgument: if columns or their types differ from those of the rows before.
        """
        if not len(frame):
            return
        rows = _as_arrow(frame, columns or {})
        rows = rows if self._schema is None else _conform(rows, self._schema, self.folder)
        self._schema = rows.schema
        self._waiting.append(rows)

    def write(self) -> None:
        """Write the rows that wait.

        Raises:
            InvalidArgument: if they cannot be written; then they still wait.
        """
        pa, _ = arrow()

        if not self._waiting:
            return
        count = sum(rows.num_rows for rows in self._waiting)
        number, tail = self._number, self._tail
        if tail is not None and tail.num_rows + count > self._rows:
            number, tail = number + 1, None
        whole = pa.concat_tables([*([] if tail is None else [tail]), *self._waiting])
        _write(_path(self.folder, number), whole)
        self._number, self._tail, self._waiting = number, whole, []

    def cut(self, keeps: Callable[[DataFrame], Any]) -> None:
        """Keep only the rows for which `keeps(frame)` is True; a damaged part is left alone."""
        pa, _ = arrow()

        for number in reversed(_numbered(self.folder)):
            path = _path(self.folder, number)
            part = _read_part(path)
            if part is None:
                continue
            kept = part.filter(pa.array(keeps(part.to_pandas())))
            if kept.num_rows == 0:
                path.unlink()
            elif kept.num_rows < part.num_rows:
                _write(path, kept)
        self._open()


def read_parts(folder: str | Path, columns: Sequence[str] | None = None) -> DataFrame:
    """The whole rows that a folder holds now, in the order in which they came, also while it is being written.

    Warns of a part that is damaged, and leaves it out.

    Args:
        folder: of a `Parts`.
        columns: those that are wanted; default: all.

    Returns:
        A DataFrame, whose `attrs["columns"]` tells units and meaning of the columns; empty where there are no rows.

    Raises:
        InvalidArgument: where pyarrow is not installed.
        DamagedFile: if the parts are not of one table.
    """
    import pandas as pd

    pa, _ = arrow()

    parts = [_read_part(_path(Path(folder), number), columns) for number in _numbered(Path(folder))]
    parts = [part for part in parts if part is not None]
    if not parts:
        return pd.DataFrame({name: [] for name in columns or ()})
    try:
        whole = pa.concat_tables(parts)
    except pa.ArrowInvalid as error:
        raise DamagedFile(f"the parts in {folder} are not of one table: {_first_line(error)}") from None
    frame = whole.to_pandas()
    frame.attrs = {"columns": {field.name: _told(field) for field in whole.schema}}
    return frame


def any_damaged(folder: str | Path) -> bool:
    """Whether a part of a folder cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return any(_read_part(_path(Path(folder), n), ()) is None for n in _numbered(Path(folder)))


def _numbered(folder: Path) -> list[int]:
    found = (_NAME.fullmatch(path.name) for path in folder.glob("part-*.parquet"))
    return sorted(int(match[1]) for match in found if match)


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.parquet"


def _write(path: Path, table: Any) -> None:
    pa, pq = arrow()

    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    write_atomic(path, out.getvalue().to_pybytes())


def _read_part(path: Path, columns: Sequence[str] | None = None) -> Any:
    """A part as an Arrow table; None, with a warning, where it is damaged; None where it is gone."""
    pa, pq = arrow()

    try:
        file = pq.ParquetFile(pa.BufferReader(path.read_bytes()))
        return file.read(columns=None if columns is None else list(columns))
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        warnings.warn(f"{path} is damaged and left out: {_first_line(error)}", stacklevel=3)
        return None


def _as_arrow(frame: DataFrame, columns: Mapping[str, Mapping[str, str]]) -> Any:
    pa, _ = arrow()

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    fields = []
    for field in table.schema:
        kind = pa.string() if pa.types.is_large_string(field.type) else field.type  # the same for any pandas
        told = {key: columns.get(field.name, {}).get(key, "") for key in ("units", "meaning")}
        fields.append(pa.field(field.name, kind, metadata=told))
    return table.cast(pa.schema(fields))


def _conform(table: Any, schema: Any, folder: Path) -> Any:
    """The table in the schema of the rows before it, which must be its own."""
    for name in table.column_names:
        if name not in schema.names:
            raise InvalidArgument(f"the rows have a column {name!r}, which those in {folder} have not")
    for field in schema:
        if field.name not in table.column_names:
            raise InvalidArgument(f"the rows lack the column {field.name!r}, which those in {folder} have")
        kind = table.schema.field(field.name).type
        if kind != field.type:
            raise InvalidArgument(f"the column {field.name!r} is {field.type} in {folder}, got {kind}")
    return table.select(schema.names).cast(schema)


def _told(field: Any) -> dict[str, str]:
    held = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    return {key: held.get(key, "") for key in ("units", "meaning")}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
