"""Pictures from outside: known by content, refused where they are a trap or broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from dashboard.detector import (
    DamagedScene,
    OptionError,
    SceneError,
    SceneNotFound,
    SceneTooLarge,
    UnknownFormat,
    ingest,
)
from dashboard.detector.files.formats import FORMATS, identify, one_tile, open_picture
from tests.detector import rasters

VRT = """<VRTDataset rasterXSize="300" rasterYSize="300"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>{path}</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize(("suffix", "driver"), rasters.DRIVERS.items())
def test_content_decides_not_the_name(tmp_path: Path, suffix: str, driver: str) -> None:
    misnamed = tmp_path / "picture.dat"
    rasters.write(tmp_path / f"picture{suffix}", rasters.ground()).rename(misnamed)
    assert identify(misnamed).driver == driver
    scene = ingest(misnamed)
    assert (scene.width, scene.height, scene.driver) == (400, 300, driver)


def test_every_beginning_belongs_to_one_format() -> None:
    beginnings = [begin for known in FORMATS for begin in known.beginnings]
    for one in beginnings:
        assert sum(other.startswith(one) for other in beginnings) == 1


def test_a_vrt_renamed_tif_reads_nothing(tmp_path: Path) -> None:
    secret = rasters.write(tmp_path / "secret.tif", rasters.ground())
    trap = tmp_path / "trap.tif"
    trap.write_text(VRT.format(path=secret))
    with pytest.raises(UnknownFormat, match="not a PNG, JPEG, TIFF or JPEG 2000"):
        ingest(trap)


def test_messages_call_a_file_what_the_user_calls_it(tmp_path: Path) -> None:
    for content in (b"", b"no picture", b"\x89PNG\r\n\x1a\n and no more"):
        staged = tmp_path / "0f3a"
        staged.write_bytes(content)
        with pytest.raises(SceneError, match=r"^my mars\.png: "):
            ingest(staged, name="my mars.png")


def test_a_tiff_sidecar_is_not_believed(tmp_path: Path) -> None:
    plain = rasters.write(tmp_path / "plain.tif", rasters.ground())
    plain.with_name("plain.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><NoDataValue>130</NoDataValue></PAMRasterBand>"
        "</PAMDataset>"
    )
    assert ingest(plain).nodata is None


@pytest.mark.parametrize(
    "name",
    [
        "http://example.org/mars.jp2",
        "https://example.org/mars.tif",
        "/vsicurl/http://example.org/mars.tif",
        "/vsimem/mars.tif",
        "ftp://example.org/mars.jp2",
        "nul\0byte.png",
        "nowhere.png",
        ".",
        "/dev/null",
    ],
)
def test_only_files_of_this_machine_are_opened(name: str) -> None:
    with pytest.raises(SceneNotFound) as caught:
        ingest(name)
    assert "\n" not in str(caught.value)


def test_a_small_file_may_not_declare_forty_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    huge = {"width": 200_000, "height": 200_000, "count": 1, "dtype": "uint8"}
    with rasterio.open(
        path, "w", driver="GTiff", sparse_ok=True, tiled=True, transform=Affine.scale(2), **huge
    ):
        pass
    assert path.stat().st_size < 20_000_000
    with pytest.raises(SceneTooLarge, match=r"40\.0 GB, the limit is 16 GB"):
        ingest(path)


def test_the_limit_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rasters.write(tmp_path / "picture.png", rasters.ground())
    monkeypatch.setenv("NEEDLE_MAX_SCENE_GB", "0.0001")
    with pytest.raises(SceneTooLarge, match="raise NEEDLE_MAX_SCENE_GB"):
        ingest(path)
    monkeypatch.setenv("NEEDLE_MAX_SCENE_GB", "1")
    assert ingest(path).width == 400
    for nonsense in ("many", "0", "-1", "nan"):
        monkeypatch.setenv("NEEDLE_MAX_SCENE_GB", nonsense)
        with pytest.raises(OptionError, match="number of GB above 0"), open_picture(path):
            pass


@pytest.mark.parametrize("suffix", rasters.DRIVERS)
@pytest.mark.parametrize("part", [0.35, 0.9])
def test_a_truncated_file_is_damaged_whatever_its_format(
    tmp_path: Path, home: Path, suffix: str, part: float
) -> None:
    noise = np.random.default_rng(0).integers(1, 255, (700, 900)).astype(np.uint8)
    path = rasters.truncate(rasters.write(tmp_path / f"cut{suffix}", noise), part)
    with pytest.raises(DamagedScene, match="damaged or cut off; copy it again"):
        ingest(path)
    assert not list((home / "scenes").iterdir()), "nothing that could be taken for a finished scene"


@pytest.mark.parametrize("suffix", rasters.DRIVERS)
def test_bytes_overwritten_in_the_middle_are_an_error_or_pixels_never_a_crash(
    tmp_path: Path, suffix: str
) -> None:
    path = rasters.write(tmp_path / f"rot{suffix}", rasters.ground(400, 500))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    path.write_bytes(content)
    try:
        scene = ingest(path)
    except DamagedScene as error:
        assert "\n" not in str(error)
    else:
        assert (scene.width, scene.height) == (500, 400)


def test_layouts_that_make_no_grey_picture_are_refused(tmp_path: Path) -> None:
    five = rasters.write(tmp_path / "five.tif", np.stack([rasters.ground()] * 5))
    with pytest.raises(UnknownFormat, match="5 bands that are neither grey nor RGB"):
        ingest(five)
    complex_numbers = rasters.write(tmp_path / "c.tif", rasters.ground().astype(np.complex64))
    with pytest.raises(UnknownFormat, match="pixels are complex64"):
        ingest(complex_numbers)
    four = rasters.write(tmp_path / "four.tif", np.stack([rasters.ground(dtype="uint16")] * 4))
    with pytest.raises(UnknownFormat, match="save the one band"):
        ingest(four)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "float32"])
def test_three_bands_without_names_are_colours(tmp_path: Path, dtype: str) -> None:
    ground = rasters.ground(dtype="float64") / 2
    bands = np.stack([ground, ground * 0.8, ground * 0.6]).astype(dtype)
    scene = ingest(rasters.write(tmp_path / "colour.tif", bands, photometric="minisblack"))
    luma = 0.299 * ground + 0.587 * 0.8 * ground + 0.114 * 0.6 * ground
    assert scene.centre == pytest.approx(np.median(luma), abs=1.5)
    assert "read as colours" in scene.notes[0]


@pytest.mark.parametrize(("blocks", "one"), [({}, True), ({"blockxsize": 512}, False)])
def test_the_one_tile_of_a_hirise_product_is_told_from_tiles(
    tmp_path: Path, blocks: dict[str, int], one: bool
) -> None:
    path = rasters.write(tmp_path / "p.jp2", rasters.ground(1300, 1100, "uint16"), **blocks)
    with open_picture(path) as source:
        assert one_tile(source) == one
    with open_picture(rasters.write(tmp_path / "p.png", rasters.ground())) as source:
        assert not one_tile(source)


def test_one_large_tile_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).integers(1, 1023, (2100, 1500)).astype(np.uint16)
    path = rasters.truncate(rasters.write(tmp_path / "cut.jp2", noisy), 0.8)
    with pytest.raises(DamagedScene, match="damaged or cut off"):
        ingest(path)
