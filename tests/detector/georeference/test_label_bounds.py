"""PDS3 maps lie where the bounds in their labels say, however their offsets are counted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dashboard.detector import Scene, ingest
from tests.detector import rasters

RADIUS = 3_396_000.0
DEGREE = math.radians(RADIUS)  # metres
WEST, TOP = 120.0, 30.0  # of the map's sides, degrees
ORIGIN = 170  # degrees east, of the projection
SIZE, PER_DEGREE = (400, 300), 10  # px


def product(
    folder: Path,
    *,
    first: float = 0.5,
    scale: float | None = None,
    direction: str = "EAST",
    projection: str = "SIMPLE CYLINDRICAL",
    digits: int = 9,
    bounds: bool = True,
    middles: bool = False,
) -> Scene:
    """A map in PDS3, whose offsets call the first pixel's corner `first - 0.5`, and count west.

    `digits` of the bounds are kept; they may be those of the outermost pixels' middles.
    """
    width, height = SIZE
    half = 0.5 / PER_DEGREE if middles else 0.0
    east, bottom = WEST + width / PER_DEGREE, TOP - height / PER_DEGREE
    left, right = (WEST + half, east - half) if direction == "EAST" else (-WEST - half, half - east)
    origin = ORIGIN if direction == "EAST" else 360 - ORIGIN
    lines = {
        "MAP_PROJECTION_TYPE": f'"{projection}"',
        **dict.fromkeys(("A_AXIS_RADIUS", "B_AXIS_RADIUS", "C_AXIS_RADIUS"), "3396.0 <KM>"),
        "POSITIVE_LONGITUDE_DIRECTION": f'"{direction}"',
        "CENTER_LATITUDE": f"{90 if 'POLAR' in projection else 0} <DEGREE>",
        "CENTER_LONGITUDE": f"{origin} <DEGREE>",
        "MAP_RESOLUTION": f"{PER_DEGREE} <PIXEL/DEGREE>",
        "MAP_SCALE": f"{scale or DEGREE / PER_DEGREE / 1000:.9f} <KM/PIXEL>",
        "LINE_PROJECTION_OFFSET": f"{TOP * PER_DEGREE - 0.5 + first - 0.5}",
        "SAMPLE_PROJECTION_OFFSET": f"{(ORIGIN - WEST) * PER_DEGREE - 0.5 + first - 0.5}",
    }
    if bounds:
        lines |= {
            "MAXIMUM_LATITUDE": f"{TOP - half:.{digits}f} <DEGREE>",
            "MINIMUM_LATITUDE": f"{bottom + half:.{digits}f} <DEGREE>",
            "WESTERNMOST_LONGITUDE": f"{left % 360:.{digits}f} <DEGREE>",
            "EASTERNMOST_LONGITUDE": f"{right % 360:.{digits}f} <DEGREE>",
        }
    told = "".join(f" {key} = {value}\r\n" for key, value in lines.items())
    text = (
        "PDS_VERSION_ID = PDS3\r\nRECORD_TYPE = FIXED_LENGTH\r\nRECORD_BYTES = 4096\r\n"
        "LABEL_RECORDS = 1\r\n^IMAGE = 2\r\nTARGET_NAME = MARS\r\nOBJECT = IMAGE\r\n"
        f" LINES = {height}\r\n LINE_SAMPLES = {width}\r\n SAMPLE_TYPE = UNSIGNED_INTEGER\r\n"
        " SAMPLE_BITS = 8\r\nEND_OBJECT = IMAGE\r\nOBJECT = IMAGE_MAP_PROJECTION\r\n"
        f"{told}END_OBJECT = IMAGE_MAP_PROJECTION\r\nEND\r\n"
    )
    path = folder / "map.img"
    path.write_bytes(text.encode().ljust(4096) + rasters.ground(height, width).tobytes())
    return ingest(path)


def corners(scene: Scene) -> list[float]:
    places = scene.lonlats([0, scene.width], [0, scene.height])
    return [value for place in places for value in place or ()]


RIGHT = pytest.approx([WEST, TOP, WEST + 40, TOP - 30], abs=1e-6)


@pytest.mark.parametrize("first", [0, 0.5, 1, 1.5])
@pytest.mark.parametrize("middles", [False, True])
def test_offsets_may_be_counted_in_any_way(tmp_path: Path, first: float, middles: bool) -> None:
    scene = product(tmp_path, first=first, middles=middles)
    assert corners(scene) == RIGHT
    assert bool(scene.notes) == (first != 0.5)


def test_a_rounded_scale_moves_no_corner(tmp_path: Path) -> None:
    scene = product(tmp_path, scale=5.9)  # km, of 5.927
    assert corners(scene) == RIGHT
    assert "bounds in its label" in scene.notes[0]


@pytest.mark.parametrize("first", [0.5, 1.5])
def test_longitudes_of_the_label_may_count_to_the_west(tmp_path: Path, first: float) -> None:
    assert corners(product(tmp_path, first=first, direction="WEST")) == RIGHT


@pytest.mark.parametrize("first", [0.5, 1.5])
def test_bounds_that_are_rounded_tell_halves_of_a_pixel(tmp_path: Path, first: float) -> None:
    scene = product(tmp_path, first=first, digits=2)
    assert corners(scene) == pytest.approx([WEST, TOP, WEST + 40, TOP - 30], abs=1e-3)


@pytest.mark.parametrize("digits", [9, 4])
def test_bounds_win_where_the_offsets_lead_far_away(tmp_path: Path, digits: int) -> None:
    scene = product(tmp_path, first=100.5, digits=digits)
    assert corners(scene) == RIGHT
    assert "bounds in its label" in scene.notes[0]


def test_bounds_that_do_not_fit_the_picture_are_said_to_differ(tmp_path: Path) -> None:
    product(tmp_path)
    path = tmp_path / "map.img"
    told, other = b"MAXIMUM_LATITUDE = 30", b"MAXIMUM_LATITUDE = 35"
    assert told in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(told, other))
    scene = ingest(path)
    assert corners(scene) == RIGHT
    assert scene.notes == ("its offsets place it elsewhere than its label's bounds",)


def test_without_bounds_the_offsets_count(tmp_path: Path) -> None:
    scene = product(tmp_path, first=1.5, bounds=False)
    assert scene.notes == ()
    assert corners(scene)[1] == pytest.approx(TOP + 0.1, abs=1e-6)


@pytest.mark.parametrize(("first", "moved"), [(0.5, False), (1.5, True)])
def test_a_map_around_a_pole_has_it_in_its_middle(
    tmp_path: Path, first: float, moved: bool
) -> None:
    given = {"TOP": SIZE[1] / 2 / PER_DEGREE, "WEST": ORIGIN - SIZE[0] / 2 / PER_DEGREE}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setitem(product.__globals__, name, value)
        scene = product(tmp_path, first=first, projection="POLAR STEREOGRAPHIC", bounds=False)
    middle = scene.lonlat(SIZE[0] / 2, SIZE[1] / 2)
    assert middle is not None
    assert middle[1] == pytest.approx(90, abs=1e-6)
    assert bool(scene.notes) == moved


def test_the_real_map_lies_where_its_label_says() -> None:
    path = rasters.DATA / "formats" / "megt90n000cb.lbl"
    if not path.exists():
        pytest.skip("needs the products of ../shared/data/formats")
    scene = ingest(path)
    half = 0.125  # degrees, of a pixel
    assert scene.lonlat(0.5, 0.5) == pytest.approx((half, 90 - half), abs=1e-6)
    assert scene.lonlat(1439.5, 719.5) == pytest.approx((360 - half, half - 90), abs=1e-6)
