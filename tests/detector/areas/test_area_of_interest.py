"""Areas of interest: read in pixels and degrees; inside, the scores of the whole scan."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import Affine

from dashboard.detector import (
    Model,
    NoGround,
    OptionError,
    Region,
    ScanStore,
    Scene,
    estimate,
    list_scans,
)
from dashboard.detector.scanning import store as stores
from tests.detector import rasters
from tests.detector.scans import finish_scan
from tests.models import area_model

Scenes = Callable[..., Scene]
AT = {"transform": Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000)}
OGRAPHIC = "IAU_2015:49911"  # the same projection on an ellipsoid, its latitudes graphic
TRIANGLE = [[101.3, 100.7], [499.1, 121.9], [300.4, 497.3], [101.3, 100.7]]


def geojson(rings: list[Any], kind: str = "Polygon", **more: Any) -> str:
    return json.dumps({"type": kind, "coordinates": rings} | more)


@pytest.fixture(params=["tiles", "areas"])
def any_model(request: pytest.FixtureRequest, model: Model, tmp_path: Path) -> Model:
    if request.param == "tiles":
        return model
    return Model.load(area_model(tmp_path / "areas.onnx"), "cpu")


@pytest.mark.parametrize("area", ["281,201,561,421", geojson([TRIANGLE])])
def test_inside_the_scores_are_those_of_the_whole_scan_outside_there_are_none(
    scene_of: Scenes, any_model: Model, area: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 40)
    scene = scene_of()
    region = Region.of(area, scene)
    all_of_it = finish_scan(scene, any_model).scores()
    part = finish_scan(scene, any_model, region).scores()
    grid = part.grid
    inside = np.zeros(part.values.shape, bool)
    for tile in grid:
        x, y = tile.read.centre
        left, top, right, bottom = region.bounds
        in_box = left < x < right and top < y < bottom
        inside[tile.row, tile.col] = in_box and ("," in area[:4] or in_triangle(x, y))
    assert 0 < inside.sum() < inside.size
    np.testing.assert_array_equal(np.isfinite(part.values), inside)
    np.testing.assert_array_equal(part.values[inside], all_of_it.values[inside])


def in_triangle(x: float, y: float) -> bool:
    sides = pairwise(TRIANGLE)
    return all((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0 for (x0, y0), (x1, y1) in sides)


def test_only_what_is_inside_is_read(
    scene_of: Scenes, any_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "SIDE", 16)
    scene = scene_of()
    seen: list[Any] = []
    read = Scene.read
    monkeypatch.setattr(Scene, "read", lambda self, box: seen.append(box) or read(self, box))
    finish_scan(scene, any_model, Region.of("300,200,360,260", scene))
    assert seen
    reach = any_model.card.tile + 16 * any_model.card.stride
    assert all(box.y_min > 200 - reach and box.y_max < 260 + reach for box in seen)


@pytest.mark.parametrize("crs", [rasters.MARS, OGRAPHIC])
def test_degrees_become_the_pixels_they_came_from(scene_of: Scenes, crs: str) -> None:
    scene = scene_of(crs=crs, **AT)
    places = scene.lonlats(*zip(*TRIANGLE, strict=True))
    region = Region.of(geojson([places]), scene)
    np.testing.assert_allclose(region.polygons[0][0], TRIANGLE, atol=1e-5)


def test_a_geographic_scene_takes_degrees_either_way_round(scene_of: Scenes) -> None:
    step = 1e-5
    place = {"transform": Affine(step, 0, 200.0, 0, -step, 5.0)}
    scene = scene_of(crs="IAU_2015:49900", **place)
    for turn in (0, 360):
        ring = [[200 - turn + step * x, 5 - step * y] for x, y in TRIANGLE]
        region = Region.of(geojson([ring]), scene)
        np.testing.assert_allclose(region.polygons[0][0], TRIANGLE, atol=1e-4)


def test_every_geojson_that_holds_polygons_is_taken(scene_of: Scenes, tmp_path: Path) -> None:
    scene = scene_of()
    hole = [[[0, 0], [700, 0], [700, 600], [0, 600], [0, 0]], TRIANGLE]
    feature = {"type": "Feature", "properties": {}, "geometry": json.loads(geojson(hole))}
    collection = {"type": "FeatureCollection", "features": [feature, feature]}
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps(collection))
    assert len(Region.of(str(path), scene).polygons) == 2
    region = Region.of(geojson([hole], "MultiPolygon"), scene)
    assert len(region.polygons[0]) == 2
    assert Region.of(region.text, scene) == region


@pytest.mark.parametrize(
    ("area", "why"),
    [
        ("1,2,3", "no GeoJSON"),
        ("5,5,5,9", "holds no pixel"),
        ("nan,0,5,9", "holds no pixel"),
        ("900,700,1000,800", "lies outside"),
        ("absent.geojson", "absent.geojson: no box"),
        ("{}", "no GeoJSON"),
        ('{"type": "Point", "coordinates": [1, 2]}', "holds no polygon"),
        (geojson([[[0, 0], [1, 1]]]), "four points"),
        (geojson([TRIANGLE], crs={"properties": {"name": "EPSG:4326"}}), "EPSG:4326"),
    ],
)
def test_what_is_no_area_is_refused(scene_of: Scenes, area: str, why: str) -> None:
    with pytest.raises(OptionError, match=why):
        Region.of(area, scene_of())


def test_an_area_is_a_scan_of_its_own_and_goes_on_as_it_was(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    region = Region.of("300,200,500,400", scene)
    first = finish_scan(scene, model)
    second = finish_scan(scene, model, region)
    assert {store.key for store in list_scans()} == {first.key, second.key}
    stored = ScanStore.open(second.folder)
    assert stored.record.region == region.text
    again = Region.of(stored.record.region or "", scene)
    assert ScanStore.for_scan(scene, model, region=again).key == second.key


def test_an_area_without_a_tile_is_said(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    with pytest.raises(NoGround, match="in the area of interest"):
        finish_scan(scene, model, Region.of("1,1,20,20", scene))


def test_the_estimate_of_a_part_is_less(scene_of: Scenes, model: Model) -> None:
    scene = scene_of(rasters.ground(1500, 1500))
    part = estimate(scene, model, 16, Region.of("600,600,800,700", scene))
    assert 0 < part < estimate(scene, model, 16)
