"""A place of a real product lies at one spot in all products, the one that its label says."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from dashboard.__main__ import main
from dashboard.detector import ScanSettings, run
from tests.detector import rasters
from tests.detector.positions import in_scores, in_tiles, points_of
from tests.models import area_model

Point = tuple[float, float]


@dataclass(frozen=True)
class Label:
    """The map of a product, as its label has it, and the formula of its projection."""

    name: str
    corner: Point  # map units, of the first pixel
    pixel: Point  # map units
    radius: float  # metres
    lon_0: float
    true_scale: float = 0.0
    equal_area: bool = False

    def lonlat(self, x: float, y: float) -> Point:
        """Degrees of a point in map units; Snyder 1987, equirectangular and Lambert's."""
        lat = math.asin(y / self.radius) if self.equal_area else y / self.radius
        across = self.radius * math.cos(math.radians(self.true_scale))
        return (self.lon_0 + math.degrees(x / across)) % 360, math.degrees(lat)

    def of_pixel(self, x: float, y: float) -> Point:
        return self.lonlat(self.corner[0] + x * self.pixel[0], self.corner[1] - y * self.pixel[1])


MOLA = math.radians(3_396_000.0) / 4  # metres of a quarter of a degree
LABELS = (
    # Its GeoJP2 calls the latitude of true scale, -5, the centre of the projection.
    Label(
        "scenes/hirise_color_sample.jp2",
        (5_633_625.875, -488_784.875),
        (0.25, 0.25),
        3_396_036.8126024,
        180,
        -5,
    ),
    # MAXIMUM_LATITUDE 90, WESTERNMOST_LONGITUDE 0, MAP_RESOLUTION 4
    Label("formats/megt90n000cb.lbl", (-720 * MOLA, 360 * MOLA), (MOLA, MOLA), 3_396_000, 180),
    Label(
        "formats/cog_hirise_mars.tif",
        (7_376_380.5, -860_015.5),
        (5.00134168157424, 5.001485442661913),
        3_395_582.0270805,
        180,
        -10,
    ),
    Label("formats/cog_nonearth.tif", (-1_379_262, 630_270), (282, 282), 1_560_800, 180),
    Label(
        "formats/mars.mola.iau2000.cea.tif",
        (-10_669_445.554195123, 3_396_190),
        (27_818.98886852067, 27_818.98886852067),
        3_396_190,
        0,
        equal_area=True,
    ),
)


def apart(one: Point, other: Point, label: Label) -> float:
    """How far two places are apart, in pixels."""
    east = math.remainder(one[0] - other[0], 360) * math.cos(math.radians(one[1]))
    return math.hypot(east, one[1] - other[1]) * math.radians(label.radius) / label.pixel[1]


@pytest.mark.parametrize("label", LABELS, ids=lambda label: Path(label.name).stem)
def test_all_products_agree_with_the_label(label: Label, tmp_path: Path) -> None:
    picture = rasters.DATA / label.name
    if not picture.exists():
        pytest.skip("needs the pictures of ../shared/data")
    model = str(area_model(tmp_path / "areas.onnx"))
    out = tmp_path / "out"
    done = run(picture, out, ScanSettings(model=model, device="cpu", rule="mean", sigma=2))
    found = done.detections[0]
    with (out / "detections.csv").open() as table:
        first = next(csv.DictReader(table))
    told = json.loads((out / "detections.geojson").read_text())["features"][0]
    x, y, _ = next(points_of(done))
    places = {
        "csv": (float(first["lon"]), float(first["lat"])),
        "geojson": tuple(told["geometry"]["coordinates"]),
        "geopackage": label.lonlat(x, y),
        "score map": label.lonlat(*in_scores(out)),
        "world file": label.lonlat(*in_tiles(done, found)),
    }
    truth = label.of_pixel(float(first["x"]), float(first["y"]))
    assert (found.x, found.y) == (float(first["x"]), float(first["y"]))
    for name, place in places.items():
        assert apart(place, truth, label) < 0.5, name


def test_info_gives_the_middle_of_the_real_colour_product(
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture = rasters.DATA / "scenes" / "hirise_color_sample.jp2"
    if not picture.exists():
        pytest.skip("needs the pictures of ../shared/data")
    assert main(["info", str(picture)]) == 0
    lon, lat = json.loads(capsys.readouterr().out)["centre_lonlat"]
    assert lon == pytest.approx(275.4147, abs=1e-3)
    assert lat == pytest.approx(-8.2481, abs=1e-3)
