"""Errors that libraries raise at strange input end as one line that says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import Affine

from dashboard.detector import Model, OptionError, Region, Scene, StoreError, ingest
from dashboard.detector.georeference.geography import from_lonlats, lonlats
from tests.detector import rasters
from tests.disks import small_disk

Scenes = Callable[..., Scene]
PLACE = {"crs": rasters.MARS, "transform": Affine(0.25, 0, 8_146_000, 0, -0.25, -272_000)}
NO_INVERSE = (  # van der Grinten IV has none in PROJ
    'PROJCS["odd",GEOGCS["Mars",DATUM["Mars",SPHEROID["Mars",3396190,0]],PRIMEM["0",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["custom_proj4"],'
    'UNIT["metre",1],EXTENSION["PROJ4","+proj=vandg4 +R=3396190 +units=m +no_defs"]]'
)


def ring(*points: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


@pytest.mark.parametrize(
    "area",
    [
        pytest.param("[" * 2000, id="nested"),
        pytest.param('{"type": "Polygon", "coordinates": ' + "[" * 20000, id="nested further"),
        pytest.param(
            json.dumps({"type": "GeometryCollection", "geometries": []}).replace(
                "[]", '[{"type":"GeometryCollection","geometries":' * 900 + "[]" + "}]" * 900
            ),
            id="collections in collections",
        ),
        pytest.param(json.dumps(ring([0, 0], [10**400, 0], [9, 9])), id="400 digits"),
        pytest.param('{"type": "Polygon", "coordinates": [[[1e999, 0]]]}', id="infinite"),
        pytest.param(json.dumps(ring([0, 0], [1e300, 0], [9, 9])), id="far away"),
        pytest.param(json.dumps(ring([720, 90], [720, 91], [-181, 0])), id="beyond the pole"),
        pytest.param("0,0,1e300,1e300", id="a box without end"),
        pytest.param('{"type": 7, "features": 7}', id="numbers"),
        pytest.param('{"type": "FeatureCollection", "features": [7]}', id="no features"),
    ],
)
def test_an_area_that_is_none_is_one_line(scene_of: Scenes, area: str, tmp_path: Path) -> None:
    scene = scene_of(**PLACE)
    path = tmp_path / "area.geojson"
    path.write_text(area)
    for given in (area, str(path)):
        with pytest.raises(OptionError) as caught:
            Region.of(given, scene)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_a_projection_without_an_inverse_gives_no_place() -> None:
    assert lonlats(NO_INVERSE, [1e6, 0.0], [1e6, 0.0]) == [None, None]
    assert len(from_lonlats(NO_INVERSE, [10.0], [95.0])) == 1


def test_a_latitude_beyond_the_pole_has_no_place(scene_of: Scenes) -> None:
    assert scene_of(**PLACE).pixels([137.0, 720.0], [91.0, -1e6]) == [None, None]


def test_a_disk_that_is_full_amid_the_overviews_is_said(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 255, (1600, 1600)).astype(np.uint8)
    path = rasters.write(tmp_path / "scene.tif", noise)
    whole = ingest(path, tmp_path / "enough").path.stat().st_size
    for size in np.linspace(0.1 * whole, 2 * whole, 20):
        with small_disk(tmp_path / "disk", int(size)) as disk:
            try:
                scene = ingest(path, disk)
            except StoreError as error:
                assert "make room" in str(error)
                assert "\n" not in str(error)
                assert [left.name for left in disk.glob("scenes/*")] == []
            else:
                assert scene.path.stat().st_size == whole


@pytest.mark.usefixtures("model")
def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    content = (tmp_path / "plain.onnx").read_bytes()
    assert content.count(b"needle.title") == 1
    at = content.index(b"needle.title") + len(b"needle.title") + 3
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content[:at] + b"\xff\xfe" + content[at + 2 :])
    with pytest.raises(Exception, match=r"broken\.onnx: the model card is no text") as caught:
        Model.load(broken, "cpu")
    assert "\n" not in str(caught.value)
