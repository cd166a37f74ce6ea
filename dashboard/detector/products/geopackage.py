"""Detections as a GeoPackage: an SQLite file by the standard OGC 12-128r18, version 1.3."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.detector.places.detections import Detection
from dashboard.detector.products.finished import Finished, properties_of
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box

APPLICATION = 0x47504B47  # "GPKG"
VERSION = 10300  # 1.3.0
OWN = 100_000  # number of the scene's CRS
NONE = -1  # number of a plane without a CRS
POINTS, FOOTPRINTS, RUN = "detections", "footprints", "run"
UNDEFINED = "undefined"
WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)
SCHEMA = """
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL,
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
  srs_id INTEGER REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents (table_name),
  column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys (srs_id),
  z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
CREATE TABLE run (fid INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value TEXT NOT NULL);
"""
NUMBERS = {
    **dict.fromkeys(("rank", "x_min", "y_min", "x_max", "y_max", "area_px"), "INTEGER"),
    **dict.fromkeys(("sigma", "score", "x", "y", "lon", "lat", "p", "q"), "REAL"),
}

Ring = Sequence[tuple[float, float]]


def geopackage(finished: Finished, record: Mapping[str, Any]) -> bytes:
    """The detections as points and as footprints, and the record of the run, in one file.

    Geometries are in the scene's own CRS, so that they lie where the score map does; the columns
    `lon` and `lat` hold areocentric degrees. Without a CRS they are in pixels of the scene, rows
    counted down from 0, where a GIS shows the picture itself.
    """
    scene = finished.scene
    base = sqlite3.connect(":memory:")
    try:
        base.execute(f"PRAGMA application_id = {APPLICATION}")
        base.execute(f"PRAGMA user_version = {VERSION}")
        base.executescript(SCHEMA)
        number = _reference_systems(base, scene)
        rows = [(found, properties_of(found, finished)) for found in finished.detections]
        for table in (POINTS, FOOTPRINTS):
            _layer(base, table, number, rows, finished)
        base.executemany(
            "INSERT INTO run (key, value) VALUES (?, ?)",
            [
                (key, value if isinstance(value, str) else json.dumps(value, allow_nan=False))
                for key, value in record.items()
            ],
        )
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, last_change) "
            "VALUES (?, 'attributes', ?, ?)",
            (RUN, RUN, _timestamp(finished)),
        )
        base.commit()
        return base.serialize()
    finally:
        base.close()


def _reference_systems(base: sqlite3.Connection, scene: Scene) -> int:
    """Writes the three that the standard asks for and the scene's own; gives its number."""
    rows = [
        ("Undefined Cartesian", -1, "NONE", -1, UNDEFINED, "pixels, rows down from 0"),
        ("Undefined geographic", 0, "NONE", 0, UNDEFINED, None),
        # The standard wants this row in every file.
        ("WGS 84", 4326, "EPSG", 4326, WGS84, "required by the standard"),
    ]
    if scene.crs is not None:
        name = scene.crs_name or "CRS of the scene"
        rows.append((name, OWN, "NONE", OWN, scene.crs, "as the scene has it"))
    base.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", rows)
    return NONE if scene.crs is None else OWN


def _layer(
    base: sqlite3.Connection,
    table: str,
    number: int,
    rows: Sequence[tuple[Detection, Mapping[str, Any]]],
    finished: Finished,
) -> None:
    """One table of features with its entries in the catalogue."""
    kind, scene = "POINT" if table == POINTS else "POLYGON", finished.scene
    rings = [
        [scene.affine @ (found.x, found.y)] if kind == "POINT" else _ring(scene, found.box)
        for found, _ in rows
    ]
    names = list(rows[0][1]) if rows else []
    columns = "".join(f', "{name}" {NUMBERS.get(name, "TEXT")}' for name in names)
    base.execute(
        f"CREATE TABLE {table} (fid INTEGER PRIMARY KEY AUTOINCREMENT, geom {kind}{columns})"
    )
    marks = ", ".join("?" * (len(names) + 1))
    listed = "".join(f', "{name}"' for name in names)
    base.executemany(
        f"INSERT INTO {table} (geom{listed}) VALUES ({marks})",
        [
            (geometry(ring, kind, number), *properties.values())
            for ring, (_, properties) in zip(rings, rows, strict=True)
        ],
    )
    xs, ys = [x for ring in rings for x, _ in ring], [y for ring in rings for _, y in ring]
    extent = (min(xs), min(ys), max(xs), max(ys)) if xs else (None,) * 4
    base.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, '', ?, ?, ?, ?, ?, ?)",
        (table, table, _timestamp(finished), *extent, number),
    )
    base.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", (table, kind, number)
    )


def _timestamp(finished: Finished) -> str:
    """The moment of the scan as the standard writes it: same in, same out."""
    return finished.store.created.replace("+00:00", ".000Z")


def geometry(ring: Ring, kind: str, number: int) -> bytes:
    """A geometry as GeoPackage stores it: its header without an envelope, then WKB."""
    header = struct.pack("<2sBBi", b"GP", 0, 1, number)
    numbers = [value for point in ring for value in point]
    if kind == "POINT":
        return header + struct.pack("<BI2d", 1, 1, *numbers)
    return header + struct.pack(f"<BIII{len(numbers)}d", 1, 3, 1, len(ring), *numbers)


def _ring(scene: Scene, box: Box) -> Ring:
    left, top, right, bottom = box
    corners = ((left, top), (left, bottom), (right, bottom), (right, top), (left, top))
    return [scene.affine @ (x, y) for x, y in corners]
