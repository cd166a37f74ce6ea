"""Areas as GIS programs write them: names of CRS, encodings, GeoPackage, whole globes."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
from rasterio import Affine
from rasterio.crs import CRS

from dashboard.detector import OptionError, Region, Scene, ingest
from tests.detector import rasters

Scenes = Callable[..., Scene]
MARS, MOON = "IAU_2015:49910", "IAU_2015:30110"
AT = Affine(0.5, 0, 8_146_000, 0, -0.5, -272_000)  # 137.43 E, 4.59 S on Mars
RING = [[300, 200], [600, 200], [600, 500], [300, 500], [300, 200]]  # px
RADIUS, INVERSE = 3_396_190.0, 169.894447223612


@pytest.fixture
def scene(scene_of: Scenes) -> Scene:
    return scene_of(rasters.ground(600, 800), crs=MARS, transform=AT)


def degrees(scene: Scene) -> list[list[float]]:
    return [list(place or ()) for place in scene.lonlats(*zip(*RING, strict=True))]


def geojson(ring: list[Any], **more: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring], **more}


def named(name: str) -> dict[str, Any]:
    return {"crs": {"type": "name", "properties": {"name": name}}}


def found(scene: Scene, tmp_path: Path, content: bytes | dict[str, Any]) -> np.ndarray:
    """The ring that a file makes, in pixels of the scene."""
    path = tmp_path / "area.file"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    (polygon,) = Region.of(str(path), scene).polygons
    return np.array(polygon[0])


@pytest.mark.parametrize(
    "name",
    [
        "urn:ogc:def:crs:IAU:2015:49900",
        "urn:ogc:def:crs:IAU_2015::49900",
        "urn:ogc:def:crs:IAU::49900",
        "urn:ogc:def:crs:IAU:2015:49902",
        "IAU_2015:49900",
        "IAU:49900",
        "iau_2015:49900",
        "http://www.opengis.net/def/crs/IAU/2015/49900",
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:OGC::CRS84",
        "OGC:CRS84",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "urn:ogc:def:crs:EPSG::4326",
        CRS.from_user_input("IAU_2015:49900").to_wkt(),
        CRS.from_user_input("IAU_2015:49900").to_wkt(version="WKT2_2019"),
    ],
)
def test_degrees_are_taken_by_every_name_of_their_crs(
    scene: Scene, tmp_path: Path, name: str
) -> None:
    ring = found(scene, tmp_path, geojson(degrees(scene), **named(name)))
    np.testing.assert_allclose(ring, RING, atol=1e-4)


def test_graphic_latitudes_and_westings_are_converted(scene: Scene, tmp_path: Path) -> None:
    squeeze = (1 - 1 / INVERSE) ** 2
    graphic = [
        [360 - lon, math.degrees(math.atan(math.tan(math.radians(lat)) / squeeze))]
        for lon, lat in degrees(scene)
    ]
    ring = found(scene, tmp_path, geojson(graphic, **named("urn:ogc:def:crs:IAU:2015:49901")))
    np.testing.assert_allclose(ring, RING, atol=1e-3)


def test_map_coordinates_are_taken(scene: Scene, tmp_path: Path) -> None:
    metres = [list(AT @ point) for point in RING]
    ring = found(scene, tmp_path, geojson(metres, **named(MARS)))
    np.testing.assert_allclose(ring, RING, atol=1e-6)


HELD = {
    "a byte order mark": lambda area: json.dumps(area).encode("utf-8-sig"),
    "UTF-16": lambda area: json.dumps(area).encode("utf-16"),
    "crs null": lambda area: {"crs": None} | area,
    "a feature without geometry": lambda area: {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": None, "geometry": None},
            {"type": "Feature", "properties": {}, "geometry": area},
        ],
    },
    "an empty polygon": lambda area: {
        "type": "GeometryCollection",
        "geometries": [{"type": "Polygon", "coordinates": []}, area],
    },
    "a multipolygon": lambda area: (
        area | {"type": "MultiPolygon", "coordinates": [area["coordinates"]]}
    ),
    "heights": lambda area: geojson([[*point, 12.5] for point in area["coordinates"][0]]),
    "a sequence of features": lambda area: "\n".join(
        "\x1e" + json.dumps({"type": "Feature", "properties": {}, "geometry": one})
        for one in (None, area)
    ).encode(),
    "lines of features": lambda area: "\r\n".join(
        json.dumps({"type": "Feature", "properties": {}, "geometry": one}) for one in (area, None)
    ).encode(),
    "the number of its CRS": lambda area: (
        area | {"crs": {"type": "EPSG", "properties": {"code": 4326}}}
    ),
    "lines beside it": lambda area: {
        "type": "GeometryCollection",
        "geometries": [{"type": "LineString", "coordinates": area["coordinates"][0]}, area],
    },
}


@pytest.mark.parametrize("how", HELD)
def test_a_polygon_is_found_whatever_holds_it(scene: Scene, tmp_path: Path, how: str) -> None:
    ring = found(scene, tmp_path, HELD[how](geojson(degrees(scene))))
    np.testing.assert_allclose(ring, RING, atol=1e-4)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson"])
@pytest.mark.parametrize("crs", ["IAU_2015:49900", "IAU_2015:49910", "IAU_2015:49902"])
def test_what_gdal_writes_is_taken(scene: Scene, tmp_path: Path, suffix: str, crs: str) -> None:
    ring = [AT @ point for point in RING] if crs.endswith("10") else degrees(scene)
    wkb = (
        bytes([1]) + np.array([3, 1, len(ring)], "<u4").tobytes() + np.array(ring, "<f8").tobytes()
    )
    path = tmp_path / f"drawn.{suffix}"
    pyogrio.raw.write(
        path,
        np.array([wkb], object),
        field_data=[],
        fields=[],
        geometry_type="Polygon",
        crs=crs,
        driver="GPKG" if suffix == "gpkg" else "GeoJSON",
    )
    (polygon,) = Region.of(str(path), scene).polygons
    corners = {(round(x), round(y)) for x, y in polygon[0]}
    assert corners == {(x, y) for x, y in map(tuple, RING)}


def test_what_was_drawn_last_is_in_a_log_beside_a_geopackage(scene: Scene, tmp_path: Path) -> None:
    ring = degrees(scene)
    wkb = bytes([1]) + np.array([3, 1, 5], "<u4").tobytes() + np.array(ring, "<f8").tobytes()
    path = tmp_path / "open.gpkg"
    pyogrio.raw.write(
        path, np.array([wkb], object), [], [], geometry_type="Polygon", crs="IAU_2015:49900"
    )
    with closing(sqlite3.connect(path)) as program:  # as QGIS has it open
        program.execute("PRAGMA journal_mode=WAL")
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (trigger,) in program.execute(names).fetchall():
            program.execute(f'DROP TRIGGER "{trigger}"')  # they want functions of GDAL's
        program.execute("INSERT INTO open (geom) VALUES (?)", (b"GP\0\1\0\0\0\0" + wkb,))
        program.commit()
        assert len(Region.of(str(path), scene).polygons) == 2


def test_a_crs_that_a_link_leads_to_is_not_known(scene: Scene) -> None:
    linked = {"crs": {"type": "link", "properties": {"href": "http://example.org/crs"}}}
    with pytest.raises(OptionError, match="http"):
        Region.of(json.dumps(geojson(degrees(scene), **linked)), scene)


def test_another_body_is_refused_and_ones_own_taken(scene_of: Scenes, scene: Scene) -> None:
    moon = scene_of(name="moon.tif", crs=MOON, transform=Affine(1, 0, 711_000, 0, -1, 20_000))
    place = moon.lonlats(*zip(*RING, strict=True))
    text = json.dumps(geojson(place, **named("urn:ogc:def:crs:IAU:2015:30100")))
    np.testing.assert_allclose(Region.of(text, moon).polygons[0][0], RING, atol=1e-3)
    with pytest.raises(OptionError, match=r"another body \(Moon\)"):
        Region.of(text, scene)


def globe(tmp_path: Path, name: str) -> Scene:
    """A map of all of Mars, 1000 x 500 px, in degrees or metres, in either count of longitudes."""
    step = 0.36
    crs, left = {
        "degrees from 0": ("IAU_2015:49900", 0.0),
        "degrees from -180": ("IAU_2015:49900", -180.0),
        "metres about 0": (MARS, -180.0),
        "metres about 180": ("IAU_2015:49915", -180.0),
    }[name]
    if "metres" in name:
        step, left = (math.radians(value) * RADIUS for value in (step, left))
    transform = Affine(step, 0, left, 0, -step, 250 * step)
    return ingest(
        rasters.write(tmp_path / "g.tif", rasters.ground(500, 1000), crs=crs, transform=transform)
    )


def box(west: float, east: float) -> str:
    ring = [[west, -60], [east, -60], [east, 60], [west, 60], [west, -60]]
    return json.dumps(geojson(ring))


@pytest.mark.parametrize(
    ("west", "east", "from_0"),
    [
        (-180, 180, [(0, 1000)]),
        (0, 360, [(0, 1000)]),
        (-170, 30, [(0, 83.3), (527.8, 1000)]),
        (10, 350, [(27.8, 972.2)]),
        (350, 370, [(0, 27.8), (972.2, 1000)]),
        (-10, 10, [(0, 27.8), (972.2, 1000)]),
        (170, 190, [(472.2, 527.8)]),
        (359.9, 0.1, [(0, 0.3), (999.7, 1000)]),
    ],
)
@pytest.mark.parametrize("name", ["degrees from 0", "degrees from -180", "metres about 0"])
def test_areas_of_any_width_lie_where_they_were_drawn(
    tmp_path: Path, name: str, west: float, east: float, from_0: list[tuple[float, float]]
) -> None:
    scene = globe(tmp_path, name)
    covered = np.zeros(10_000, bool)  # tenths of a px
    for polygon in Region.of(box(west, east), scene).polygons:
        xs = [10 * x for x, _ in polygon[0]]
        covered[max(0, round(min(xs))) : round(max(xs))] = True
    expected = np.zeros(10_000, bool)
    for first, last in from_0:
        expected[round(10 * first) : round(10 * last)] = True
    if name != "degrees from 0":
        expected = np.roll(expected, 5000)
    assert (covered != expected).sum() <= 8


def test_an_area_around_the_pole_is_bent(scene_of: Scenes) -> None:
    step = 2000.0
    scene = scene_of(
        rasters.ground(600, 600),
        crs="IAU_2015:49930",  # north polar stereographic
        transform=Affine(step, 0, -300 * step, 0, -step, 300 * step),
    )
    ring = [[-180, 85], [180, 85], [180, 90], [-180, 90], [-180, 85]]
    points = np.array(Region.of(json.dumps(geojson(ring)), scene).polygons[0][0])
    reach = np.hypot(*(points - 300).T)
    assert reach.max() == pytest.approx(148.281, abs=1e-3)  # the circle of 85 degrees
    assert (np.abs(reach - reach.max()) < 1e-3).sum() > 300


@pytest.mark.parametrize(
    ("area", "why"),
    [
        ('{"type": "Polygon", "coordinates": [[[0,0],[1,91],[1,1],[0,0]]]}', "beyond 90"),
        ('{"type": "Polygon", "coordinates": [[[0,0],[1e9,9],[1,1],[0,0]]]}', "no degrees"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "deeply nested"),
        ('{"type": "Polygon", "coordinates": [[[0,0],[' + "9" * 400 + ",1]]]}", "too large"),
        (json.dumps(geojson(RING, **named("urn:nobody:knows"))), "urn:nobody:knows"),
        (json.dumps(geojson(RING, **named("IAU_2015:1"))), "unknown"),
        (json.dumps({"type": "Feature", "geometry": None}), "holds no polygon"),
    ],
)
def test_what_cannot_be_read_gets_one_line(scene: Scene, area: str, why: str) -> None:
    with pytest.raises(OptionError, match=why) as caught:
        Region.of(area, scene)
    assert "\n" not in str(caught.value)


def test_a_broken_geopackage_gets_one_line(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "broken.gpkg"
    path.write_bytes(b"SQLite format 3\0" + bytes(3000))
    with pytest.raises(OptionError, match="no GeoPackage that can be read"):
        Region.of(str(path), scene)
