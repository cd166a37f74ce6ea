"""JPEG 2000: only the codestream is read; what boxes around it claim costs nothing."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine

from dashboard.detector.errors import UnknownFormat
from dashboard.detector.files import openjpeg
from dashboard.detector.files.codestream import codestream
from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.tiling import Box
from tests.detector import rasters

needs_openjpeg = pytest.mark.skipif(
    not openjpeg.available(), reason="needs the library OpenJPEG, 2.5 or newer"
)
ROOT = Path(__file__).resolve().parents[3]
GEOTIFF = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")  # the UUID of GeoTIFF boxes
COUNT = 0x10_00_00_01  # of values: 0.5 GB of text that reads as 9 GB of numbers
PEAK = """
import re, resource, sys
from pathlib import Path
from dashboard.detector.files.openjpeg import OpenJpeg
from dashboard.detector.tiling import Box
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
OpenJpeg(Path(sys.argv[1])).read(Box(0, 0, 352, 320))
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def georeferenced(path: Path) -> bytearray:
    """A JPEG 2000 with a GeoTIFF box; where it lies on Mars is in that."""
    place = {"crs": rasters.MARS, "transform": Affine(0.25, 0, 1000, 0, -0.25, 2000)}
    return bytearray(rasters.write(path, rasters.ground(320, 352), **place).read_bytes())


def box(kind: bytes, content: bytes, wide: bool = False) -> bytes:
    """A box, its length in 32 or in 64 bits."""
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")
@needs_openjpeg
def test_a_count_in_a_box_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jp2"
    content = georeferenced(path)
    tiff = content.index(GEOTIFF) + len(GEOTIFF)
    (first,) = struct.unpack_from("<I", content, tiff + 4)
    struct.pack_into("<I", content, tiff + first + 2 + 4, COUNT)  # of the first entry
    path.write_bytes(content)
    command = [sys.executable, "-c", PEAK, str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < 600  # MB; most of it is the libraries


@pytest.mark.parametrize("wide", [False, True])
def test_boxes_are_stepped_over_whatever_they_hold(tmp_path: Path, wide: bool) -> None:
    path = tmp_path / "scene.jp2"
    content = bytes(georeferenced(path))
    pixels = ingest(path).read(Box(0, 0, 352, 320)).dn
    start = content.index(b"jp2c") - 4
    decoy = box(b"xml ", b"\xff\x4f\xff\x51" + b"\xff" * 60 + b"a" * (2 << 20), wide)
    stream = box(b"jp2c", content[start + 8 :], wide)
    path.write_bytes(content[:start] + decoy + stream + box(b"xml ", b"<after/>"))
    found = codestream(path)
    assert (found.width, found.height, found.one_tile) == (352, 320, True)
    assert found.length == len(content) - start - 8
    scene = ingest(path)
    np.testing.assert_array_equal(scene.read(Box(0, 0, 352, 320)).dn, pixels)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:77],  # the boxes end before the codestream
        lambda content: content[: content.index(b"jp2c") + 30],
        lambda content: content[:12] + b"\0\0\0\x07free" + content[12:],  # shorter than its head
    ],
)
def test_a_file_without_a_codestream_says_so(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "scene.jp2"
    path.write_bytes(change(bytes(georeferenced(path))))
    with pytest.raises(ValueError, match="codestream"):
        codestream(path)


def test_colours_of_unequal_depths_are_refused_in_a_line(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "scene.jp2", np.stack([rasters.ground(320, 352)] * 3))
    content = bytearray(path.read_bytes())
    depths = content.index(b"\xff\x4f\xff\x51") + 4 + 38  # one byte of three, a component each
    assert content[depths] == 7
    content[depths] = 2
    path.write_bytes(content)
    with pytest.raises(UnknownFormat, match=r"scene\.jp2: its bands have 3, 8 and 8 bits"):
        ingest(path)
