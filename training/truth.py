"""The truth of scenes: known objects, read for training and evaluation, written for planted ones.

The truth of `STEM.png` lies beside it: `STEM.truth.json`, boxes in pixels of the scene, or
`STEM.truth.geojson`, features in the scene's own map coordinates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from dashboard.detector.errors import SceneError
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box

UNKNOWN = "object"  # the kind of an object whose truth names none


@dataclass(frozen=True)
class KnownObject:
    """One piece of hardware; its box is half-open, in px of the scene.

    `size` and `contrast` say how a planted one was varied; 1 is the real thing.
    """

    name: str
    kind: str
    box: Box
    size: float = 1.0
    contrast: float = 1.0

    def record(self) -> dict[str, Any]:
        """The object as the truth contract has it; size and contrast where they were varied."""
        record: dict[str, Any] = {"name": self.name, "kind": self.kind, "box": list(self.box)}
        varied = {"size": self.size, "contrast": self.contrast}
        return record | {key: round(value, 4) for key, value in varied.items() if value != 1}


@dataclass(frozen=True)
class Truth:
    """The objects of a scene, and the boxes in which nothing counts for or against."""

    scene: str
    objects: tuple[KnownObject, ...]
    ignore: tuple[Box, ...] = ()

    def to_json(self) -> str:
        """The contents of `STEM.truth.json`."""
        record = {
            "scene": self.scene,
            "objects": [known.record() for known in self.objects],
            "ignore": [list(box) for box in self.ignore],
        }
        return json.dumps(record, indent=1) + "\n"

    def write(self, picture: Path) -> Path:
        """The path of the truth, written beside its picture."""
        path = picture.with_name(f"{picture.stem}.truth.json")
        path.write_text(self.to_json(), encoding="utf-8")
        return path


def truth_path(picture: Path) -> Path | None:
    """The truth beside a picture, JSON before GeoJSON; None where there is none."""
    for suffix in (".truth.json", ".truth.geojson"):
        path = picture.with_name(picture.stem + suffix)
        if path.is_file():
            return path
    return None


def truth_of(picture: Path, scene: Scene) -> Truth | None:
    """The known objects of a picture, ingested as `scene`; None where nothing is known.

    Raises:
        SceneError: the truth cannot be read, or does not fit the scene.
    """
    path = truth_path(picture)
    if path is None:
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if path.suffix == ".geojson":
            return _from_map(record, scene)
        objects = tuple(_object_of(entry) for entry in record["objects"])
        return Truth(scene.name, objects, tuple(map(_box, record.get("ignore", ()))))
    except SceneError as error:
        raise SceneError(f"{path.name}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SceneError(
            f"{path.name}: not a truth ({error}); it needs objects with name, kind and box, "
            "or features in the scene's map coordinates"
        ) from error


def _object_of(record: dict[str, Any]) -> KnownObject:
    return KnownObject(
        str(record["name"]),
        str(record["kind"]),
        _box(record["box"]),
        float(record.get("size", 1)),
        float(record.get("contrast", 1)),
    )


def _box(edges: Any) -> Box:
    box = Box(*(int(edge) for edge in edges))
    if box.width < 1 or box.height < 1:
        raise SceneError(f"the box {list(edges)} holds no pixel; give [x_min, y_min, x_max, y_max]")
    return box


def _from_map(record: dict[str, Any], scene: Scene) -> Truth:
    if scene.transform is None:
        raise SceneError(f"{scene.name} is not georeferenced; give the truth in pixels, as JSON")
    named = record.get("crs", {}).get("properties", {}).get("name")
    if named and not _same(named, scene.crs):
        raise SceneError(f"it is in {named}; give it in the scene's own, {scene.crs_name}")
    to_pixels = ~Affine(*scene.transform)
    objects, ignore = [], []
    for number, feature in enumerate(record["features"], start=1):
        about = feature.get("properties") or {}
        box = _pixels_of(feature["geometry"], to_pixels)
        if about.get("ignore"):
            ignore.append(box)
        else:
            kind = str(about.get("kind") or UNKNOWN)
            objects.append(KnownObject(str(about.get("name") or f"{kind} {number}"), kind, box))
    return Truth(scene.name, tuple(objects), tuple(ignore))


def _same(named: str, wkt: str | None) -> bool:
    try:
        return wkt is not None and CRS.from_user_input(named) == CRS.from_wkt(wkt)
    except CRSError:
        return False


def _pixels_of(geometry: dict[str, Any], to_pixels: Affine) -> Box:
    """The pixels that a geometry touches, at least one."""
    a, b, c, d, e, f = tuple(to_pixels)[:6]
    points = [(a * x + b * y + c, d * x + e * y + f) for x, y in _points(geometry["coordinates"])]
    xs, ys = zip(*points, strict=True)
    left, top = math.floor(min(xs) + 1e-6), math.floor(min(ys) + 1e-6)
    right, bottom = math.ceil(max(xs) - 1e-6), math.ceil(max(ys) - 1e-6)
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def _points(coordinates: Any) -> Iterator[tuple[float, float]]:
    if isinstance(coordinates[0], int | float):
        yield float(coordinates[0]), float(coordinates[1])
        return
    for part in coordinates:
        yield from _points(part)
