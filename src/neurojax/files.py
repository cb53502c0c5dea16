"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from neurojax.errors import DamagedFile, InvalidArgument


def write_atomic(path: str | Path, data: str | bytes) -> Path:
    """Write `data` to a file beside `path`, then rename it: readers see the old file or the new one, never half.

    Args:
        path: the file; its folder is made where it is missing.
        data: text (UTF-8) or bytes.

    Returns:
        The path.

    Raises:
        InvalidArgument: if the folder or file cannot be written.

    Example:
        >>> import tempfile
        >>> from neurojax.files import write_atomic
        >>> write_atomic(tempfile.mkdtemp() + "/new/note.txt", "hello").read_text()
        'hello'
    """
    path = Path(path)
    content = data.encode() if isinstance(data, str) else data
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101 (mkstemp makes files that only the owner reads)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
        raise InvalidArgument(f"cannot write {path}: {error.strerror or error}") from None
    return path


def make_folder(path: str | Path) -> Path:
    """A folder that exists and can be written.

    Raises:
        InvalidArgument: if it cannot be made, is a file, or cannot be written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InvalidArgument(f"cannot write to the folder {path}: {error.strerror or error}") from None
    return path


def read_text(path: str | Path, what: str = "file") -> str:
    """The text of a file.

    Raises:
        InvalidArgument: if it is missing or cannot be read.
        DamagedFile: if it is not UTF-8 text.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DamagedFile(f"the {what} {path} is damaged: it is not UTF-8 text") from None
    except OSError as error:
        raise InvalidArgument(f"cannot read the {what} {path}: {error.strerror or error}") from None


def delete(folder: Path, names: Iterable[str]) -> None:
    """Delete the files and folders of these names in a folder, where they are there; links, not what they lead to.

    Raises:
        InvalidArgument: if one cannot be deleted.
    """
    for name in names:
        path = folder / name
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise InvalidArgument(f"cannot overwrite {path}: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
