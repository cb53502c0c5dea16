"""Arrays that grow: Zarr (version 3) of `[rows, time, units]`, to which rows are added.

Zarr because any language reads it, chunk by chunk, as one array, and nothing more need be installed: TensorStore, which
Orbax brings along, writes it. A row counts only once its trial stands in the Parquet table beside the array, which is
written after it: rows of a writer that was killed in between are not in that table, and the next writer replaces them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neurojax.errors import DamagedFile, InvalidArgument

_CHUNK = 1 << 18  # numbers in a chunk: 1 MiB


def write_rows(path: Path, values: np.ndarray, at: int, about: dict[str, Any]) -> None:
    """Write rows from row `at` on, which is the array's end afterwards.

    Args:
        path: the array's folder, made where it is missing.
        values: float32 `[N, W, H]`.
        at: the first row.
        about: what is told with the array, in plain numbers and words; must stay the same.

    Raises:
        InvalidArgument: if shape or `about` differ from what is there.
    """
    shape, held = values.shape[1:], describe_array(path)
    about = json.loads(json.dumps(about))
    if held is not None:
        for name, value in {"shape": list(shape), **about}.items():
            if held[name] != value:
                raise InvalidArgument(f"the activity in {path} has {name} {held[name]}, got {value}")
    store = _open(path) if held is not None else _create(path, shape, about)
    store = store.resize(exclusive_max=[at + len(values), *shape]).result()
    store[at : at + len(values)].write(values).result()


def read_rows(path: Path, rows: np.ndarray) -> np.ndarray:
    """float32 `[N, W, H]`: some rows.

    Raises:
        DamagedFile: if the array cannot be read, or has fewer.
    """
    try:
        store = _open(path)
        if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[-1] + 1)):  # the usual case, without a gather
            return np.asarray(store[int(rows[0]) : int(rows[-1]) + 1].read().result())
        return np.asarray(store[np.asarray(rows, np.int64)].read().result())
    except (ValueError, IndexError, OSError) as error:
        raise DamagedFile(f"the array {path} is damaged: {str(error).splitlines()[0]}") from None


def describe_array(path: Path) -> dict[str, Any] | None:
    """`rows`, `shape` (of one row) and what is told with an array; None where there is none.

    Raises:
        DamagedFile: if it does not tell.
    """
    try:
        held = json.loads((path / "zarr.json").read_text())
        rows, *shape = held["shape"]
        return {"rows": rows, "shape": shape, **held["attributes"]}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise DamagedFile(f"the array {path} is damaged: {error}") from None


def _create(path: Path, shape: tuple[int, ...], about: dict[str, Any]) -> Any:
    rows = max(1, min(1024, _CHUNK // max(1, int(np.prod(shape)))))
    metadata = {
        "shape": [0, *shape],
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [rows, *shape]}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd"}],
        "fill_value": "NaN",
        "dimension_names": ["trial", "time", "unit"],
        "attributes": about,
    }
    return _open(path, metadata=metadata, create=True)


def _open(path: Path, metadata: dict[str, Any] | None = None, create: bool = False) -> Any:
    import tensorstore as ts

    spec: dict[str, Any] = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path.resolve()}/"}}
    if metadata is not None:
        spec["metadata"] = metadata
    return ts.open(spec, create=create, open=True).result()
