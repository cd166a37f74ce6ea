"""Arrays in files that are written through a map: their blocks are there before they are mapped.

A file that is made longer than what was written to it takes its blocks when they are touched; where
the disk is full then, the system kills the process that touches them through a map.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike

PIECE = 1 << 20  # bytes written at a time


def write_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike, fill: float = 0.0) -> None:
    """Writes a `.npy` file of one value, every block of it on the disk.

    Raises:
        OSError: there is no room for it.
    """
    kind = np.dtype(dtype)
    header = {"descr": kind.str, "fortran_order": False, "shape": shape}
    count = int(np.prod(shape, dtype=np.int64))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        _reserve(file, file.tell() + count * kind.itemsize)
        step = max(1, PIECE // kind.itemsize)
        for start in range(0, count, step):
            file.write(np.full(min(step, count - start), fill, kind).tobytes())


def _reserve(file: BinaryIO, size: int) -> None:
    """Claims the blocks of a file at once, where system and file system can.

    They are written afterwards anyhow; a file system that compresses, or shares what is alike,
    would else find room for them and none for what comes in their place.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
