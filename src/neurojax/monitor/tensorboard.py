"""Learning curves for TensorBoard, on request.

tensorboardX writes them: it needs NumPy and protobuf and no more, where the writer of PyTorch needs PyTorch and
TensorBoard themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurojax.errors import MissingPackage


def open_writer(folder: Path) -> Any:
    """A tensorboardX `SummaryWriter` for a folder.

    Raises:
        MissingPackage: where tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingPackage("tensorboardX", "tensorboard", "tensorboard=True") from None
    return SummaryWriter(str(folder))
