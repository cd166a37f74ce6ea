"""The truth of a scene: JSON in pixels, GeoJSON on the map, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import Affine

from dashboard.detector import Box, Scene, SceneError
from tests.detector import rasters
from training.truth import KnownObject, Truth, truth_of, truth_path

PLACE = Affine(0.5, 0, 1000, 0, -0.5, 2000)
SceneOf = Callable[..., Scene]


@pytest.fixture
def scene(scene_of: SceneOf) -> Scene:
    return scene_of(rasters.ground(), crs=rasters.MARS, transform=PLACE)


def feature(coordinates: Any, shape: str = "Polygon", **about: Any) -> dict[str, Any]:
    geometry = {"type": shape, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": about}


def on_map(path: Path, *features: dict[str, Any], **more: Any) -> None:
    collection = {"type": "FeatureCollection", "features": list(features)} | more
    path.with_name("scene.truth.geojson").write_text(json.dumps(collection))


def test_a_written_truth_is_read_as_it_was(tmp_path: Path, scene: Scene) -> None:
    objects = (
        KnownObject("lander", "lander", Box(10, 20, 30, 40)),
        KnownObject("spot", "spot", Box(1, 2, 3, 4), size=0.5, contrast=1.5),
    )
    truth = Truth(scene.name, objects, (Box(0, 0, 5, 5),))
    path = truth.write(tmp_path / "scene.png")
    assert truth_of(tmp_path / "scene.png", scene) == truth
    assert set(json.loads(path.read_text())["objects"][0]) == {"name", "kind", "box"}


def test_a_picture_without_truth_has_none(tmp_path: Path, scene: Scene) -> None:
    assert truth_path(tmp_path / "scene.png") is None
    assert truth_of(tmp_path / "scene.png", scene) is None


def test_geojson_is_read_in_the_scenes_own_map_coordinates(tmp_path: Path, scene: Scene) -> None:
    ring = [[1005, 1990], [1015, 1990], [1015, 1980], [1005, 1980], [1005, 1990]]
    named = {"crs": {"type": "name", "properties": {"name": rasters.MARS}}}
    on_map(
        tmp_path / "scene.png",
        feature([ring], name="lander", kind="lander"),
        feature([1100.25, 1950.25], "Point"),
        feature([[[[1000, 2000], [1001, 1999], [1000, 1999]]]], "MultiPolygon", ignore=True),
        **named,
    )
    truth = truth_of(tmp_path / "scene.png", scene)
    assert truth is not None
    assert truth.objects == (
        KnownObject("lander", "lander", Box(10, 20, 30, 40)),
        KnownObject("object 2", "object", Box(200, 99, 201, 100)),
    )
    assert truth.ignore == (Box(0, 0, 2, 2),)


def test_json_goes_before_geojson(tmp_path: Path, scene: Scene) -> None:
    on_map(tmp_path / "scene.png")
    Truth(scene.name, (), (Box(1, 1, 2, 2),)).write(tmp_path / "scene.png")
    truth = truth_of(tmp_path / "scene.png", scene)
    assert truth is not None
    assert truth.ignore


def test_geojson_in_another_crs_is_refused(tmp_path: Path, scene: Scene) -> None:
    other = {"crs": {"type": "name", "properties": {"name": "IAU_2015:49900"}}}
    on_map(tmp_path / "scene.png", **other)
    with pytest.raises(SceneError, match="IAU_2015:49900"):
        truth_of(tmp_path / "scene.png", scene)


def test_geojson_beside_a_picture_without_a_map_is_refused(
    tmp_path: Path, scene_of: SceneOf
) -> None:
    scene = scene_of(np.array(rasters.ground()), "scene.png")
    on_map(tmp_path / "scene.png")
    with pytest.raises(SceneError, match="not georeferenced"):
        truth_of(tmp_path / "scene.png", scene)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"objects": [{"name": "x", "kind": "y"}]}',
        '{"objects": [{"name": "x", "kind": "y", "box": [1, 2, 3]}]}',
        '{"objects": [{"name": "x", "kind": "y", "box": [3, 2, 1, 4]}]}',
        '{"objects": 3}',
    ],
)
def test_a_broken_truth_says_which_file_in_one_line(
    tmp_path: Path, scene: Scene, text: str
) -> None:
    (tmp_path / "scene.truth.json").write_text(text)
    with pytest.raises(SceneError, match=r"^scene\.truth\.json: ") as caught:
        truth_of(tmp_path / "scene.png", scene)
    assert "\n" not in str(caught.value)
