"""Coverage: how much of the ground was scored, and polygons of the rest that fit together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine
from rasterio.features import geometry_mask

from dashboard import __main__ as command
from dashboard.detector import Coverage, Finished, Model, Region, Scene
from dashboard.detector.products.products import run_record
from dashboard.detector.scanning import coverage as coverages
from tests.detector import rasters
from tests.detector.products import test_finished
from tests.detector.scans import finish_scan
from tests.models import area_model

Scenes = Callable[..., Scene]
finished = test_finished.finished


@pytest.fixture
def areas(tmp_path: Path) -> Model:
    return Model.load(area_model(tmp_path / "areas.onnx"), "cpu")


def scanned(scene: Scene, model: Model, region: Region | None = None) -> Coverage:
    return Coverage(scene, finish_scan(scene, model, region).scores(), region)


def masks(coverage: Coverage) -> dict[str, np.ndarray]:
    """The pixels of the unscored ground by reason."""
    shape, found = (coverage.scene.height, coverage.scene.width), {}
    for why, rings in coverage.unscored():
        mask = geometry_mask([{"type": "Polygon", "coordinates": rings}], shape, Affine.identity())
        found[why] = found.get(why, np.zeros(shape, bool)) | ~mask
    return found


@pytest.mark.parametrize("cells", [1024, 40])
def test_the_margin_and_what_lies_beside_nodata_are_told(
    scene_of: Scenes, areas: Model, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(coverages, "CELLS", cells)
    pixels = rasters.ground(600, 800)
    pixels[:, 700:] = 0
    coverage = scanned(scene_of(pixels), areas)
    found = masks(coverage)
    margin, border = coverage.margin, found["border of the picture"]
    step = 4 * max(1, -(-800 // 4 // cells))
    inner = int(margin) + step
    assert border[:10].all(where=np.arange(800) < 690)
    assert border[:, :10].all()
    assert not border[inner:-inner, inner:690].any()
    beside = found["beside nodata"]
    assert beside[300, 700 - int(margin) // 2]
    assert not beside[300, inner : 700 - 2 * inner].any()
    assert not any(mask[:, 712:].any() for mask in found.values())  # nodata is no ground
    unscored = sum(int(mask.sum()) for mask in found.values())
    assert 1 - unscored / (600 * 700) == pytest.approx(coverage.part, abs=0.01 * step / 4 + 0.02)


def test_an_area_of_interest_leaves_the_rest_unscored(scene_of: Scenes, areas: Model) -> None:
    scene = scene_of()
    coverage = scanned(scene, areas, Region.of("200,200,400,400", scene))
    assert coverage.part == pytest.approx(200 * 200 / (600 * 800), rel=0.05)
    found = masks(coverage)["outside the area of interest"]
    assert found[100, 100]
    assert not found[300, 300]
    assert "area of interest alone" in coverage.words


def test_a_stride_that_leaves_gaps_is_told(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    store = finish_scan(scene, model, stride=256)
    coverage = Coverage(scene, store.scores())
    assert coverage.part == pytest.approx(2 * 3 * 48**2 / (600 * 800), rel=1e-3)


@pytest.mark.parametrize("crs", [None, rasters.MARS])
def test_the_product_can_be_scanned_as_an_area(
    finished: Callable[..., Finished], crs: str | None
) -> None:
    # Across the meridian where longitudes begin anew.
    place = {"crs": crs, "transform": Affine(0.5, 0, -200, 0, -0.5, 150)} if crs else {}
    done = finished(**place)
    text = test_finished.made(done, "coverage.geojson").decode()
    record = json.loads(text)
    assert record["coverage"] == done.coverage.record()
    assert {one["properties"]["why"] for one in record["features"]} == {"border of the picture"}
    region = Region.of(text, done.scene)
    (rings,) = (rings for _, rings in done.coverage.unscored())
    np.testing.assert_allclose(region.polygons[0][0], rings[0], atol=0.01)


@pytest.mark.parametrize(("crs", "north"), [("IAU_2015:49930", 1), ("IAU_2015:49935", -1)])
def test_around_a_pole_the_product_holds_what_was_not_scored_and_no_more(
    finished: Callable[..., Finished], crs: str, north: int
) -> None:
    done = finished(crs=crs, transform=Affine(1000, 0, -200_000, 0, -1000, 150_000))
    text = test_finished.made(done, "coverage.geojson").decode()
    for feature in json.loads(text)["features"]:
        for ring in (ring for rings in feature["geometry"]["coordinates"] for ring in rings):
            assert ring[0] == ring[-1]
            assert all(60 < north * lat <= 90 for _, lat in ring)
    scene, shape = done.scene, (done.scene.height, done.scene.width)
    found = np.zeros(shape, bool)
    for rings in Region.of(text, scene).polygons:
        shapes = [{"type": "Polygon", "coordinates": [ring]} for ring in rings]
        for ring in shapes:  # by the even-odd rule
            found ^= ~geometry_mask([ring], shape, Affine.identity())
    (expected,) = masks(done.coverage).values()
    assert 0.1 < expected.mean() < 0.9
    assert (found != expected).mean() < 0.02


def test_record_report_and_info_say_how_much_was_scored(
    finished: Callable[..., Finished], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = finished()
    part = done.coverage.part
    assert 0.3 < part < 0.7
    assert run_record(done, {})["coverage"]["scored_part_of_ground"] == pytest.approx(part)
    assert f"{part:.1%} of the ground" in test_finished.made(done, "report.html").decode()
    assert command.main(["info", str(tmp_path / "scene.tif")]) == 0
    (told,) = json.loads(capsys.readouterr().out)["scans"]
    assert told["scored_part_of_ground"] == pytest.approx(part, abs=1e-6)
    assert told["unscored_margin_px"] == done.coverage.margin == 104
