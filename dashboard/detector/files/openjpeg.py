"""Strips of a JPEG 2000 of one tile, decoded by OpenJPEG itself where the system has it.

GDAL shows such a picture, which every HiRISE product is, in blocks of 1,024 px and reads the whole
file again for each. OpenJPEG decodes a strip from border to border at once, and is asked for one
strip after the other without beginning anew: it keeps the one tile's bytes, and reads them once
(`tests/benchmarks/speed.md`).

The library is given the codestream alone; nobody parses the boxes around it (`codestream.py`).
Glymur finds the library and names its functions.
"""

from __future__ import annotations

import ctypes
import os
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import glymur
import numpy as np
from glymur.lib import openjp2
from numpy.typing import NDArray

from dashboard.detector.files.codestream import Codestream, codestream
from dashboard.detector.tiling import Box

OLDEST = (2, 5)  # of OpenJPEG: older ones take a file that was cut off for a whole one
CODESTREAM = 0  # OPJ_CODEC_J2K
CHUNK = 1 << 20  # bytes of the codestream that are read at a time
ENDED = ctypes.c_size_t(-1).value  # what a reading function says at the end of a stream

READ = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
SKIP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
SEEK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p)

# What it warns of while it decodes is no fault of the picture, or becomes an error.
warnings.filterwarnings("ignore", category=UserWarning, module="glymur")


class OpenJpeg:
    """A JPEG 2000 open for decoding. Boxes may be asked for in any order, by one thread."""

    def __init__(self, path: Path) -> None:
        """Reads the header.

        Raises:
            OSError, ValueError: the file is damaged, or its components do not make one array.
        """
        self._path = path
        self._found = found = codestream(path)
        self._decoder: _Decoder | None = None
        kinds = {_dtype(component.bits, component.signed) for component in found.components}
        if len(kinds) > 1 or found.subsampled:
            raise ValueError("its components differ in depth or size")
        self.shape = (len(found.components), found.height, found.width)  # bands, height, width
        self.dtype: str = kinds.pop()

    def read(self, box: Box) -> NDArray[Any]:
        """The pixels `[bands, H, W]` in a box that lies in the picture.

        Raises:
            OSError, RuntimeError, ValueError: the file is damaged or cut off.
        """
        left, top = self._found.x0, self._found.y0
        area = (box.x_min + left, box.y_min + top, box.x_max + left, box.y_max + top)
        decoder, self._decoder = self._decoder or _Decoder(self._path, self._found), None
        try:
            found = self._pixels(decoder.decode(area), box)
        except BaseException:
            decoder.close()
            raise
        if self._found.one_tile:
            self._decoder = decoder
        else:
            decoder.close()  # it goes through the tiles of a file once
        return found

    def _pixels(self, image: openjp2.ImageType, box: Box) -> NDArray[Any]:
        """The decoded components as one array, checked before memory of the library is read."""
        found = np.empty((self.shape[0], box.height, box.width), self.dtype)
        if image.numcomps != len(found):
            raise ValueError(f"{image.numcomps} components came, not {len(found)}")
        for band, component in zip(found, image.comps[: len(found)], strict=True):
            if not component.data or (component.h, component.w) != band.shape:
                raise ValueError(f"{component.w} x {component.h} px came, not {box.width} wide")
            band[...] = np.ctypeslib.as_array(component.data, band.shape)
        return found


class _Source:
    """The bytes of a codestream, as the library asks for them."""

    def __init__(self, file: BinaryIO, found: Codestream) -> None:
        self._file, self._start, self._end = file, found.start, found.start + found.length
        self.length = found.length
        file.seek(found.start)

    def read(self, target: int, count: int, _: object) -> int:
        """Copies up to `count` bytes to an address; how many, or `ENDED`."""
        count = min(count, self._end - self._file.tell())
        if count <= 0:
            return ENDED
        content = self._file.read(count)
        ctypes.memmove(target, content, len(content))
        return len(content) or ENDED

    def skip(self, count: int, _: object) -> int:
        """Goes on by so many bytes, or to the end."""
        before = self._file.tell()
        return self._file.seek(min(max(before + count, self._start), self._end)) - before

    def seek(self, place: int, _: object) -> int:
        """Goes to a place of the codestream; 1, or 0 where there is none such."""
        if not 0 <= place <= self.length:
            return 0
        self._file.seek(self._start + place)
        return 1


class _Decoder:
    """OpenJPEG at work on a codestream. Of one tile any number of areas may be asked for."""

    def __init__(self, path: Path, found: Codestream) -> None:
        """Reads the header.

        Raises:
            OSError, RuntimeError: the file is damaged.
        """
        with ExitStack() as stack:
            source = _Source(stack.enter_context(path.open("rb")), found)
            self._stream = stack.enter_context(_stream(source))
            self._codec = stack.enter_context(_codec())
            self._image = openjp2.read_header(self._stream, self._codec)
            stack.callback(openjp2.image_destroy, self._image)
            # Its memory is the library's, which knows nothing of who forgets this object.
            self.close = weakref.finalize(self, stack.pop_all().close)

    def decode(self, area: tuple[int, int, int, int]) -> openjp2.ImageType:
        """The components of an area of the reference grid: left, top, right, bottom.

        Their memory is good until the next is asked for.
        """
        openjp2.set_decode_area(self._codec, self._image, *area)
        openjp2.decode(self._codec, self._stream, self._image)
        return self._image.contents


@contextmanager
def _stream(source: _Source) -> Iterator[Any]:
    """A stream over a codestream."""
    calls = READ(source.read), SKIP(source.skip), SEEK(source.seek)  # must outlive the stream
    stream = _call("opj_stream_create", ctypes.c_void_p)(ctypes.c_size_t(CHUNK), 1)
    if not stream:
        raise MemoryError("no room for a stream")
    try:
        for name, call in zip(("read", "skip", "seek"), calls, strict=True):
            _call(f"opj_stream_set_{name}_function", None)(ctypes.c_void_p(stream), call)
        length = ctypes.c_uint64(source.length)
        _call("opj_stream_set_user_data_length", None)(ctypes.c_void_p(stream), length)
        yield stream
    finally:
        openjp2.stream_destroy(stream)


@contextmanager
def _codec() -> Iterator[Any]:
    """A codec set up to read a codestream by all processors."""
    codec = openjp2.create_decompress(CODESTREAM)
    try:
        openjp2.set_error_handler(codec, openjp2._ERROR_CALLBACK)
        openjp2.set_warning_handler(codec, None)
        openjp2.set_info_handler(codec, None)
        openjp2.setup_decoder(codec, openjp2.set_default_decoder_parameters())
        openjp2.codec_set_threads(codec, os.cpu_count() or 1)
        yield codec
    finally:
        openjp2.destroy_codec(codec)


def _call(name: str, gives: Any) -> Callable[..., Any]:
    """A function of the library that glymur does not name."""
    found = openjp2.OPENJP2[name]  # each time another object, so that its types are ours
    found.restype = gives
    return found  # type: ignore[no-any-return]


def _dtype(bits: int, signed: bool) -> str:
    """The narrowest dtype that GDAL, too, shows such samples in.

    Raises:
        ValueError: they have more than 16 bits.
    """
    if bits > 16:
        raise ValueError(f"its samples have {bits} bits")
    return f"{'' if signed else 'u'}int{8 if bits <= 8 else 16}"


def available() -> bool:
    """True where the system has an OpenJPEG that can be used."""
    release: tuple[int, ...] = glymur.version.openjpeg_version_tuple
    return release[:2] >= OLDEST
