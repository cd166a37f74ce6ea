"""How much memory and time the decoding of a picture may take, and who holds to it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.detector.errors import OptionError

if TYPE_CHECKING:
    from dashboard.detector.files.picture import Picture

# Measured (tests/benchmarks/faults.md): libraries and their caches, and what a strip of the usual
# 16 Mpx takes in all of its forms. Larger strips and native blocks take more a pixel each; a file
# that is small for what it declares is not believed.
BASE_GIGABYTES = 1.25
PER_PIXEL = 40  # bytes, of a strip and of a native block
PER_BYTE = 1.5  # of the file, which OpenJPEG holds as it is
BELIEVED = 400  # bytes of memory a byte of the file
THREAD_STACKS = 24 << 20  # bytes a processor: GDAL's threads and OpenJPEG's, of 8 MB of stack each
SECONDS = 120.0  # for any picture
SECONDS_PER_MEGAPIXEL = 2.0  # a slow processor without OpenJPEG takes half of it


def memory_needed(file: int, picture: Picture | None = None) -> int:
    """Bytes that the decoding of a picture may take, by its file's size and its strips.

    Args:
        file: bytes.
        picture: the picture when its header has been read; what is needed for that otherwise.
    """
    stacks = THREAD_STACKS * (os.cpu_count() or 1)
    needed = base_bytes() + stacks + int(PER_BYTE * file)
    if picture is None:
        return needed
    rows, cols = picture.source.block_shapes[0]
    largest = picture.strips()[0].area
    declared = PER_PIXEL * max(largest, int(rows * cols * picture.source.count))
    return needed + min(declared, BELIEVED * file)


def seconds_allowed(pixels: int) -> float:
    """How long the decoding of a picture of so many pixels may take."""
    return SECONDS + SECONDS_PER_MEGAPIXEL * pixels / 1e6


def base_bytes() -> int:
    """Bytes of memory that decoding any picture may take: `$NEEDLE_DECODER_GB`, else 1.25 GB.

    Raises:
        OptionError: the variable holds no such number.
    """
    text = os.environ.get("NEEDLE_DECODER_GB", str(BASE_GIGABYTES))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0.25 <= gigabytes < 1e6:
        raise OptionError(f"NEEDLE_DECODER_GB is {text!r}; it must be a number of GB from 0.25 on")
    return int(gigabytes * 1e9)


def limit_memory(size: int) -> None:
    """Lets this process hold so many bytes of data, where the system can (Linux)."""
    try:
        import resource
    except ImportError:  # Windows
        return
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size if most < 0 else min(size, most), most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a picture's memory is nobody's business
    with suppress(OSError):  # if the machine runs out nevertheless, it is this process that goes
        Path("/proc/self/oom_score_adj").write_text("1000")
