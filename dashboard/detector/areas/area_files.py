"""Polygons out of GeoJSON and GeoPackage, as GIS programs write them, with the CRS they name."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rasterio.crs import CRS
from rasterio.errors import RasterioError

PIXELS = "pixels"  # the CRS of our own: pixels of the scene, y down
DEGREES = "degrees"  # longitude and latitude, whatever body the file thinks they are on
GEOPACKAGE = b"SQLite format 3\0"
FARTHEST = 1e9  # px, metres or degrees, of a point
MOST = 100_000  # features of a GeoPackage
POLYGON, MULTI, COLLECTION = 3, 6, 7  # of well-known binary
EARTHLY = {"CRS84", "CRS84H", "4326", "4979"}  # what programs write for degrees of any body

# "urn:ogc:def:crs:IAU:2015:49900", "http://www.opengis.net/def/crs/IAU/2015/49900", "IAU:49900".
_NAMED = re.compile(
    r"(?:(?:urn:ogc:def:crs:|https?://www\.opengis\.net/(?:def|gml/srs)/crs/)?)"
    r"(?P<authority>[A-Z]+)(?:_?(?:2000|2009|2015))?[:/](?:[\w.]*[:/])?(?P<code>\w+)",
    re.IGNORECASE,
)

Ring = list[tuple[float, float]]
Polygon = list[Ring]


@dataclass(frozen=True)
class Drawn:
    """Polygons as a file holds them."""

    polygons: list[Polygon]
    crs: str | None  # `PIXELS`, `DEGREES`, WKT; None where the file names none
    name: str = ""  # of the CRS, as the file has it
    downward: bool = False  # pixels whose rows are counted down from 0


class NoArea(ValueError):
    """A file holds no area that can be read; says why."""


def read_area(path: Path) -> Drawn:
    """The polygons of a file: GeoJSON in any of JSON's encodings, or GeoPackage.

    Raises:
        NoArea: it is neither, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(GEOPACKAGE)) == GEOPACKAGE:
                return _geopackage(path)
        return geojson(path.read_bytes())
    except OSError as error:
        raise NoArea(
            f"no box x_min,y_min,x_max,y_max and no GeoJSON or GeoPackage ({error.strerror})"
        ) from error


def geojson(content: str | bytes) -> Drawn:
    """The polygons of a GeoJSON, whatever holds them; features without geometry are skipped.

    Raises:
        NoArea: it is no GeoJSON, or its CRS is unknown.
    """
    try:
        records = _records(content)
        polygons = [polygon for record in records for polygon in _polygons(record)]
        named = (records[0].get("crs") or {}).get("properties", {})
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        why = str(error).partition("\n")[0][:200]
        raise NoArea(
            f"no box x_min,y_min,x_max,y_max and no GeoJSON with polygons ({why}); other files "
            "become one by ogr2ogr OUT.geojson IN"
        ) from error
    except (RecursionError, ArithmeticError) as error:
        raise NoArea(
            "no GeoJSON with polygons (numbers too large, or too deeply nested)"
        ) from error
    told = [named.get(key) for key in ("name", "code", "href")] if isinstance(named, dict) else []
    name = next((value for value in told if value), None)
    if name is None:
        return Drawn(polygons, None)
    return Drawn(polygons, crs_named(str(name)), str(name))


def _records(content: str | bytes) -> list[Any]:
    """The JSON documents of a file: one, or one a line, with the marks of RFC 8142 or without."""
    try:
        return [json.loads(content)]
    except ValueError:
        text = content.decode("utf-8-sig", "replace") if isinstance(content, bytes) else content
        lines = [line.strip("\x1e \t\r") for line in text.split("\n")]
        lines = [line for line in lines if line]
        if not lines or not all(line.startswith("{") and line.endswith("}") for line in lines):
            raise
        return [json.loads(line) for line in lines]


def crs_named(name: str) -> str:
    """`PIXELS`, `DEGREES`, or the WKT of a CRS by one of the names that programs give it.

    Raises:
        NoArea: nobody knows it.
    """
    if name == PIXELS:
        return PIXELS
    found = _NAMED.fullmatch(name.strip())
    try:
        if found:
            authority, code = found["authority"].upper(), found["code"].upper()
            if code in EARTHLY:
                return DEGREES
            catalogue = "IAU_2015" if authority.startswith("IAU") else authority
            return str(CRS.from_authority(catalogue, code).to_wkt())
        if name.strip().upper() in EARTHLY:
            return DEGREES
        if "[" in name:
            return str(CRS.from_wkt(name).to_wkt())
    except (RasterioError, ValueError) as error:
        raise NoArea(f"its CRS {name[:80]} is unknown here; give degrees") from error
    raise NoArea(f"its CRS is {name[:80]}; give longitude and latitude in degrees")


def _polygons(record: Any) -> Iterator[Polygon]:
    """Every polygon in a GeoJSON object, whatever holds it."""
    if record is None:  # a feature without geometry
        return
    kind = record["type"]
    if kind == "FeatureCollection":
        for feature in record["features"]:
            yield from _polygons(feature)
    elif kind == "Feature":
        yield from _polygons(record["geometry"])
    elif kind == "GeometryCollection":
        for geometry in record["geometries"]:
            yield from _polygons(geometry)
    elif kind == "MultiPolygon":
        yield from (_checked(polygon) for polygon in record["coordinates"] if polygon)
    elif kind == "Polygon" and record["coordinates"]:
        yield _checked(record["coordinates"])


def _checked(polygon: list[Any]) -> Polygon:
    rings = [[(float(point[0]), float(point[1])) for point in ring] for ring in polygon]
    if not all(abs(value) < FARTHEST for ring in rings for point in ring for value in point):
        raise ValueError("its coordinates are no degrees, and too large for metres")
    if not (rings and all(len(ring) >= 4 for ring in rings)):
        raise ValueError("a polygon needs rings of four points and more")
    return rings


def _geopackage(path: Path) -> Drawn:
    """The polygons of all tables of features, which must share one CRS."""
    # A program that has it open keeps what was drawn last in a log beside it.
    log = path.with_name(f"{path.name}-wal")
    how = "" if log.exists() and log.stat().st_size else "&immutable=1"
    try:
        address = f"file:{quote(str(path.absolute()))}?mode=ro{how}"
        with closing(sqlite3.connect(address, uri=True)) as base:
            tables = base.execute(
                "SELECT table_name, column_name, srs_id FROM gpkg_geometry_columns"
            ).fetchall()
            polygons: dict[int, list[Polygon]] = {}
            for table, column, number in tables:
                for shape in _shapes(base, str(table), str(column)):
                    polygons.setdefault(int(number), []).append(shape)
            if len(polygons) > 1:
                raise NoArea("its layers of polygons have several CRS; give one layer")
            number, found = next(iter(polygons.items()), (0, []))
            return _with_crs(base, number, found)
    except sqlite3.Error as error:
        raise NoArea(f"no GeoPackage that can be read ({error})") from error
    except (struct.error, IndexError, TypeError, ValueError, RecursionError) as error:
        raise NoArea(
            str(error) if isinstance(error, NoArea) else "a geometry in it is broken"
        ) from error


def _shapes(base: sqlite3.Connection, table: str, column: str) -> Iterator[Polygon]:
    quoted = ('"' + name.replace('"', '""') + '"' for name in (column, table))
    rows = base.execute("SELECT {} FROM {} LIMIT {}".format(*quoted, MOST))
    for (blob,) in rows:
        if blob is not None:
            yield from _from_blob(bytes(blob))


def _with_crs(base: sqlite3.Connection, number: int, found: list[Polygon]) -> Drawn:
    """The polygons with the CRS of a number in the file's own list."""
    if number == -1:
        return Drawn(found, PIXELS, "an undefined plane", downward=True)
    if number in (0, 4326):
        return Drawn(found, DEGREES, "degrees")
    query = "SELECT organization, organization_coordsys_id, definition, srs_name"
    row = base.execute(f"{query} FROM gpkg_spatial_ref_sys WHERE srs_id = ?", (number,)).fetchone()
    if row is None:
        raise NoArea(f"it does not say what its CRS {number} is")
    authority, code, wkt, name = map(str, row)
    return Drawn(found, crs_named(wkt if "[" in wkt else f"{authority}:{code}"), name)


def _from_blob(blob: bytes) -> Iterator[Polygon]:
    """The polygons of a geometry as GeoPackage stores it, OGC 12-128r18, 2.1.3."""
    if blob[:2] != b"GP" or blob[3] & 0x10:  # empty
        return
    envelope = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}[blob[3] >> 1 & 7]
    yield from _Binary(blob, 8 + envelope).polygons()


class _Binary:
    """Well-known binary, read from its beginning on."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at

    def polygons(self) -> Iterator[Polygon]:
        order = "<" if self._take("<B")[0] == 1 else ">"
        (kind,) = self._take(order + "I")
        number = (kind & 0x0FFFFFFF) % 1000  # thousands and high bits: Z and M
        further = {0: 0, 1: 1, 2: 1, 3: 2}[(kind & 0x0FFFFFFF) // 1000]
        size = 2 + max(further, (kind >> 31 & 1) + (kind >> 30 & 1))
        if number == POLYGON:
            rings = [self._ring(order, size) for _ in range(self._take(order + "I")[0])]
            if rings:
                yield _checked(rings)
        elif number in (MULTI, COLLECTION):
            for _ in range(self._take(order + "I")[0]):
                yield from self.polygons()
        elif number > COLLECTION:
            raise NoArea("it holds curves; convert them to polygons")

    def _ring(self, order: str, size: int) -> list[tuple[float, ...]]:
        (count,) = self._take(order + "I")
        if count * size * 8 > len(self._content) - self._at:
            raise NoArea("a geometry in it breaks off")
        values = self._take(f"{order}{count * size}d")
        return [values[first : first + 2] for first in range(0, len(values), size)]

    def _take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return found
