"""OpenJPEG's own strips: the same pixels as GDAL's, the same faults found, and doing without it."""

from pathlib import Path

import numpy as np
import pytest

from dashboard.detector.errors import DamagedScene
from dashboard.detector.files import openjpeg
from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.tiling import Box
from tests.detector import rasters

needs_openjpeg = pytest.mark.skipif(
    not openjpeg.available(), reason="needs the library OpenJPEG, 2.5 or newer"
)


@pytest.mark.usefixtures("decoded_here")
@needs_openjpeg
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("bands", [1, 3])
def test_pixels_are_those_of_gdal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, bands: int
) -> None:
    pixels = np.stack([rasters.ground(2600, 1130, dtype, seed) for seed in range(bands)])
    pixels[:, 700:1900, :90] = 0
    path = rasters.write(tmp_path / "scene.jp2", pixels)
    asked: list[Box] = []
    read = openjpeg.OpenJpeg.read

    def noted(self: openjpeg.OpenJpeg, box: Box) -> np.ndarray:
        asked.append(box)
        return read(self, box)

    monkeypatch.setattr(openjpeg.OpenJpeg, "read", noted)
    ours = ingest(path, tmp_path / "ours")
    assert len(asked) > 1  # strips, and this way
    monkeypatch.setattr(openjpeg, "available", lambda: False)
    gdals = ingest(path, tmp_path / "gdals")
    assert ours.facts() == gdals.facts()
    whole = Box(0, 0, 1130, 2600)
    for one, other in zip(
        vars(ours.read(whole)).values(), vars(gdals.read(whole)).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("decoded_here")
@pytest.mark.parametrize("left", [0.5, 0.9])
@pytest.mark.parametrize("has_openjpeg", [True, False])
def test_a_file_cut_off_is_never_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: float, has_openjpeg: bool
) -> None:
    if has_openjpeg and not openjpeg.available():
        pytest.skip("needs the library OpenJPEG, 2.5 or newer")
    monkeypatch.setattr(openjpeg, "available", lambda: has_openjpeg)
    path = rasters.write(tmp_path / "scene.jp2", rasters.ground(1500, 1200))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    with pytest.raises(DamagedScene, match=r"scene\.jp2: the JPEG 2000 file is damaged or cut off"):
        ingest(path, tmp_path / "home")


@needs_openjpeg
def test_bytes_gone_wrong_end_in_a_clear_error_or_a_picture(tmp_path: Path) -> None:
    path = rasters.write(tmp_path / "scene.jp2", rasters.ground(1500, 1200))
    content = bytearray(path.read_bytes())
    for seed in range(8):
        rng = np.random.default_rng(seed)
        spoilt = content.copy()
        for place in rng.integers(100, len(content), 40):
            spoilt[place] = int(rng.integers(256))
        broken = tmp_path / f"broken-{seed}.jp2"
        broken.write_bytes(spoilt)
        try:
            scene = ingest(broken, tmp_path / "home")
        except DamagedScene as error:
            assert "\n" not in str(error)
        else:
            assert (scene.width, scene.height) == (1200, 1500)


@needs_openjpeg
def test_the_bytes_of_one_tile_are_read_once_for_all_strips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = rasters.ground(1500, 600)
    path = rasters.write(tmp_path / "scene.jp2", pixels)
    copied: list[int] = []
    read = openjpeg._Source.read

    def counted(self: openjpeg._Source, target: int, count: int, given: object) -> int:
        found = read(self, target, count, given)
        copied.append(0 if found == openjpeg.ENDED else found)
        return found

    monkeypatch.setattr(openjpeg._Source, "read", counted)
    picture = openjpeg.OpenJpeg(path)
    for top in (1000, 0, 500):
        strip = picture.read(Box(0, top, 600, top + 500))
        np.testing.assert_array_equal(strip[0], pixels[top : top + 500])
    assert sum(copied) <= path.stat().st_size
