"""Checkpoints of a training run: a folder for each, whole or not there at all (Orbax)."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from neurojax.errors import DamagedFile, InvalidArgument

KEPT = 2


def save_checkpoint(folder: Path, update: int, tree: Any) -> Path:
    """Write a pytree of arrays as the checkpoint of an update; the last two are kept.

    Raises:
        InvalidArgument: if it cannot be written.
    """
    import orbax.checkpoint as ocp

    path = folder.resolve() / f"{update:09d}"
    try:
        with ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(path, _named(tree), force=True)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"cannot write the checkpoint {path}: {_first_line(error)}") from None
    for old in _saved(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def load_checkpoint(folder: Path, like: Any) -> Any:
    """The last checkpoint in a folder, as a pytree of NumPy arrays like `like`.

    Raises:
        DamagedFile: if there is none, or it is damaged or of another network or task.
    """
    import orbax.checkpoint as ocp

    saved = _saved(folder)
    if not saved:
        raise DamagedFile(f"{folder} holds no checkpoint; start the run again with overwrite")
    path, wanted = saved[-1], _named(like)
    as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
    try:
        with _silent(), ocp.PyTreeCheckpointer() as checkpointer:
            metadata = checkpointer.metadata(path.resolve()).item_metadata
            if metadata is None:
                raise ValueError("it has no metadata")
            found = {name: tuple(leaf.shape) for name, leaf in metadata.tree.items()}
            expected = {name: leaf.shape for name, leaf in wanted.items()}
            if found != expected:
                raise DamagedFile(f"the checkpoint {path} is of another network or task than the configuration's")
            restored = checkpointer.restore(path.resolve(), restore_args=as_numpy)
    except DamagedFile:
        raise
    except Exception as error:  # Orbax raises whatever its storage raises
        raise DamagedFile(f"the checkpoint {path} is damaged: {_first_line(error)}") from None
    leaves = [np.asarray(restored[name]).astype(leaf.dtype) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _saved(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first; what a killed process left half-written has another name."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdigit())


def _named(tree: Any) -> dict[str, np.ndarray]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    word = lambda key: str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key))))
    # Orbax refuses NumPy scalars: arrays throughout.
    return {".".join(word(key) for key in path): np.asarray(leaf) for path, leaf in leaves}


@contextlib.contextmanager
def _silent():
    """Hide what Orbax says about a damaged file on the side: the error that is raised says it, in one line."""
    drop = lambda record: False
    logging.getLogger("absl").addFilter(drop)
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        yield
    except Exception:
        time.sleep(0.1)  # reads that are still under way fail in threads of their own
        raise
    finally:
        sys.unraisablehook = hook
        logging.getLogger("absl").removeFilter(drop)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
