"""PDS3 products, ISIS cubes and FITS: read by their one driver, never leading to another file."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

import numpy as np
import pytest

from dashboard.detector import Box, Scene, SceneError, UnknownFormat, ingest, needle_home
from tests.detector import rasters

TYPES = {"uint8": "UnsignedByte", "int16": "SignedWord", "uint16": "UnsignedWord"}


def pds3(pixels: np.ndarray, pointer: str, start: bytes = b"") -> bytes:
    """A PDS3 label of 2,048 bytes for an image of unsigned bytes or big-endian words."""
    lines, samples = pixels.shape
    kind = "UNSIGNED_INTEGER" if pixels.dtype == np.uint8 else "MSB_INTEGER"
    text = (
        "PDS_VERSION_ID = PDS3\r\nRECORD_TYPE = FIXED_LENGTH\r\nRECORD_BYTES = 2048\r\n"
        f"LABEL_RECORDS = 1\r\n^IMAGE = {pointer}\r\nOBJECT = IMAGE\r\n LINES = {lines}\r\n"
        f" LINE_SAMPLES = {samples}\r\n SAMPLE_TYPE = {kind}\r\n"
        f" SAMPLE_BITS = {8 * pixels.dtype.itemsize}\r\nEND_OBJECT = IMAGE\r\nEND\r\n"
    )
    return text.encode().ljust(2048)


def labelled(pixels: np.ndarray, kind: str, **keywords: object) -> bytes:
    """A label of 4,096 bytes, with keywords of its image, and another image before that."""
    lines, samples = pixels.shape
    said = {"LINES": lines, "LINE_SAMPLES": samples, "SAMPLE_TYPE": kind}
    said |= {"SAMPLE_BITS": 8 * pixels.dtype.itemsize} | keywords
    image = "".join(f" {key} = {value}\r\n" for key, value in said.items())
    text = (
        "PDS_VERSION_ID = PDS3\r\nRECORD_TYPE = UNDEFINED\r\n^CALIBRATION_IMAGE = 100 <BYTES>\r\n"
        "^IMAGE = 4097 <BYTES>\r\nOBJECT = CALIBRATION_IMAGE\r\n MISSING_CONSTANT = 130\r\n"
        f"END_OBJECT = CALIBRATION_IMAGE\r\nOBJECT = IMAGE\r\n{image}END_OBJECT = IMAGE\r\nEND\r\n"
    )
    return text.encode().ljust(4096)


def cube(pixels: np.ndarray, core: str = "") -> bytes:
    lines, samples = pixels.shape
    kind = TYPES.get(pixels.dtype.name, "Real")
    text = (
        f"Object = IsisCube\n  Object = Core\n    {core}\n    StartByte = 4097\n"
        "    Format = BandSequential\n    Group = Dimensions\n"
        f"      Samples = {samples}\n      Lines = {lines}\n      Bands = 1\n    End_Group\n"
        f"    Group = Pixels\n      Type = {kind}\n      ByteOrder = Lsb\n      Base = 0.0\n"
        "      Multiplier = 1.0\n    End_Group\n  End_Object\nEnd_Object\nEnd\n"
    )
    return text.encode().ljust(4096, b"\0") + pixels.tobytes()


def test_an_attached_label_is_read(tmp_path: Path) -> None:
    pixels = rasters.ground(300, 400, "int16") * 20
    path = tmp_path / "product.IMG"
    path.write_bytes(pds3(pixels, "2") + pixels.astype(">i2").tobytes())
    scene = ingest(path)
    assert (scene.driver, scene.dtype) == ("PDS", "int16")
    np.testing.assert_array_equal(scene.read(Box(0, 0, 400, 300)).dn, pixels)


@pytest.mark.parametrize("given", ["map.lbl", "map.img"])
def test_a_detached_label_and_its_pixels_are_one_picture(tmp_path: Path, given: str) -> None:
    pixels = rasters.ground(300, 400)
    (tmp_path / "map.lbl").write_bytes(pds3(pixels, '"MAP.IMG"'))
    (tmp_path / "map.img").write_bytes(pixels.tobytes())
    scene = ingest(tmp_path / given)
    np.testing.assert_array_equal(scene.read(Box(0, 0, 400, 300)).dn, pixels)
    (tmp_path / "map.img").write_bytes(pixels[::-1].tobytes())
    assert ingest(tmp_path / given).sha256 != scene.sha256


@pytest.mark.parametrize("pointer", ['"{}"', '("{}", 1 <BYTES>)', "'{}'"])
@pytest.mark.parametrize("where", ["beside", "elsewhere", "above"])
def test_a_label_leads_to_no_other_file(tmp_path: Path, pointer: str, where: str) -> None:
    pixels = rasters.ground(300, 400)
    secret = tmp_path / "secret.img"
    secret.write_bytes(pixels.tobytes())
    uploads = needle_home() / "uploads"
    folder = uploads if where == "beside" else tmp_path / "deep"
    folder.mkdir(parents=True)
    named = {"beside": "secret.img", "elsewhere": str(secret), "above": "../secret.img"}[where]
    if where == "beside":
        (folder / "secret.img").write_bytes(pixels.tobytes())
    label = folder / "upload.lbl"
    label.write_bytes(pds3(pixels, pointer.format(named)))
    with pytest.raises(SceneError, match="label") as caught:
        ingest(label)
    assert "\n" not in str(caught.value)


def test_a_label_hides_no_pointer_behind_its_end(tmp_path: Path) -> None:
    pixels = rasters.ground(300, 400)
    (tmp_path / "secret.img").write_bytes(pixels.tobytes())
    label = pds3(pixels, "2").replace(b"END\r\n ", b'END\r\n^IMAGE = "/etc/passwd"\r\n')
    path = tmp_path / "trap.img"
    path.write_bytes(label + pixels.tobytes())
    with pytest.raises(SceneError, match="label"):
        ingest(path)


def test_a_compressed_file_behind_a_label_is_not_followed(tmp_path: Path) -> None:
    pixels = rasters.ground(300, 400)
    text = pds3(pixels, "2").replace(b"OBJECT = IMAGE", b"OBJECT = COMPRESSED_FILE", 1)
    path = tmp_path / "product.lbl"
    path.write_bytes(text)
    with pytest.raises(UnknownFormat, match="give that file itself"):
        ingest(path)


@pytest.mark.parametrize(
    ("dtype", "specials"),
    [
        ("int16", (-32768, -32767, -32766, -32765, -32764)),
        ("uint16", (0, 1, 2, 65534, 65535)),
        ("uint8", (0, 255)),
    ],
)
def test_special_pixels_of_a_cube_are_nodata(
    tmp_path: Path, dtype: str, specials: tuple[int, ...]
) -> None:
    pixels = rasters.ground(400, 500, dtype)
    if dtype == "uint16":
        pixels *= 40
    for band, value in enumerate(specials):
        lines = 100 // len(specials)
        pixels[band * lines : (band + 1) * lines] = value
    path = tmp_path / "product.cub"
    path.write_bytes(cube(pixels))
    scene = ingest(path)
    assert scene.driver == "ISIS3"
    assert scene.valid_fraction == pytest.approx(0.75)


def test_special_pixels_of_floats_are_nodata_and_0_is_ground(tmp_path: Path) -> None:
    pixels = rasters.ground(400, 500, "float32") - 130
    specials = np.array([0xFF7FFFFB, 0xFF7FFFFC, 0xFF7FFFFD, 0xFF7FFFFE, 0xFF7FFFFF], np.uint32)
    for band, value in enumerate(specials.view(np.float32)):
        pixels[20 * band : 20 * band + 20] = value
    pixels[200:250, 200:250] = 0
    path = tmp_path / "product.cub"
    path.write_bytes(cube(pixels))
    assert ingest(path).valid_fraction == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("dtype", "kind", "keywords", "fills"),
    [
        ("uint8", "MSB_UNSIGNED_INTEGER", {"MISSING_CONSTANT": "16#FF#"}, (255,)),
        ("uint8", "UNSIGNED_INTEGER", {"INVALID_CONSTANT": "2#11111111#"}, (255,)),
        ("uint8", "UNSIGNED_INTEGER", {"MISSING_CONSTANT": 0, "NULL": 255}, (0, 255)),
        ("<i2", "LSB_INTEGER", {"MISSING_CONSTANT": '"16#8001#"'}, (-32767,)),
        (
            ">i2",
            "MSB_INTEGER",
            {"CORE_NULL": -32752, "CORE_HIGH_REPR_SATURATION": -1},
            (-32752, -1),
        ),
        (">f4", "IEEE_REAL", {"MISSING_CONSTANT": "16#FF7FFFFB#"}, (-3.4028226550889045e38,)),
        ("<f4", "PC_REAL", {"MISSING_CONSTANT": "-9.5 <M>", "UNKNOWN_CONSTANT": 7}, (-9.5, 7)),
        ("<f4", "PC_REAL", {"MISSING_CONSTANT": "-1.0E+32"}, (float(np.float32(-1e32)),)),
    ],
)
def test_what_a_label_calls_missing_is_nodata(
    tmp_path: Path, dtype: str, kind: str, keywords: dict[str, object], fills: tuple[float, ...]
) -> None:
    pixels = rasters.ground(400, 500).astype(dtype)
    for number, value in enumerate(fills):
        pixels[number * 100 // len(fills) : (number + 1) * 100 // len(fills)] = value
    pixels[200:250, 200:250] = 16  # what GDAL makes of digits with a base
    if fills[0] != 0:
        pixels[300:350, 200:250] = 0
    path = tmp_path / "product.img"
    path.write_bytes(labelled(pixels, kind, **keywords) + pixels.tobytes())
    scene = ingest(path)
    assert scene.valid_fraction == pytest.approx(0.75)
    assert scene.nodata == fills[0]
    assert scene.notes == ()


@pytest.mark.parametrize("told", ['"N/A"', "16#1FF#", "9#99#", 300, "NULL"])
def test_a_constant_that_no_pixel_can_have_says_nothing(tmp_path: Path, told: object) -> None:
    pixels = rasters.ground(400, 500)
    pixels[:100] = 0
    path = tmp_path / "product.img"
    path.write_bytes(labelled(pixels, "UNSIGNED_INTEGER", MISSING_CONSTANT=told) + pixels.tobytes())
    scene = ingest(path)
    assert (scene.valid_fraction, scene.nodata) == (pytest.approx(0.75), 0)


@pytest.mark.parametrize(
    ("dtype", "kind"), [("u1", "UNSIGNED"), (">i2", "MSB"), ("<u2", "LSB_UNSIGNED")]
)
@pytest.mark.parametrize(("before", "after"), [(18, 16), (0, 4), (7, 0)])
def test_bytes_between_lines_are_no_pixels(
    tmp_path: Path, dtype: str, kind: str, before: int, after: int
) -> None:
    pixels = rasters.ground(300, 400).astype(dtype)
    lines = np.full((300, before + pixels[0].nbytes + after), 201, np.uint8)
    lines[:, before : before + pixels[0].nbytes] = pixels.view(np.uint8).reshape(300, -1)
    between = {"LINE_PREFIX_BYTES": before, "LINE_SUFFIX_BYTES": after}
    path = tmp_path / "product.img"
    path.write_bytes(labelled(pixels, f"{kind}_INTEGER", **between) + lines.tobytes())
    np.testing.assert_array_equal(ingest(path).read(Box(0, 0, 400, 300)).dn, pixels)
    rasters.truncate(path)
    with pytest.raises(SceneError, match="damaged or cut off"):
        ingest(path)


@pytest.mark.parametrize(
    "keywords", [{"BANDS": 3, "LINE_SUFFIX_BYTES": 4}, {"SUFFIX_ITEMS": "(0, 0, 4)"}]
)
def test_bytes_between_bands_are_refused(tmp_path: Path, keywords: dict[str, object]) -> None:
    pixels = rasters.ground(300, 400)
    path = tmp_path / "product.img"
    path.write_bytes(labelled(pixels, "UNSIGNED_INTEGER", **keywords) + 4 * pixels.tobytes())
    with pytest.raises(UnknownFormat, match="pds2isis"):
        ingest(path)


@pytest.mark.parametrize(
    "filling", [b"\n", b" \n", b"\0", b" ", b"/*", b"^IMAGE =   ", b"OBJECT = A\n"]
)
def test_a_long_label_takes_no_time(tmp_path: Path, filling: bytes) -> None:
    text = pds3(rasters.ground(300, 400), "2").split(b"END\r")[0]
    path = tmp_path / "label.img"
    path.write_bytes(text + filling * (900_000 // len(filling)) + b"\nEND\n")
    began = time.process_time()
    with contextlib.suppress(SceneError):
        ingest(path)
    assert time.process_time() - began < 5


def test_the_real_raw_picture_is_read_as_its_label_says() -> None:
    path = rasters.DATA / "formats" / "PSP_001446_1790_BG12_0.IMG"
    if not path.exists():
        pytest.skip("needs the products of ../shared/data/formats")
    scene = ingest(path)
    lines = np.fromfile(path, np.uint8, 290 * 5000, offset=61902).reshape(5000, 290)
    np.testing.assert_array_equal(scene.read(Box(0, 0, 256, 5000)).dn, lines[:, 18:274])
    assert (scene.nodata, scene.valid_fraction) == (255, 1)


def test_a_cube_whose_pixels_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "label.cub"
    path.write_bytes(cube(rasters.ground(300, 400), "^Core = /etc/passwd"))
    with pytest.raises(UnknownFormat, match="cubeatt"):
        ingest(path)


def test_what_cannot_be_read_says_what_converts_it(tmp_path: Path) -> None:
    fits = tmp_path / "image.fits"
    fits.write_bytes(b"SIMPLE  =                    T".ljust(2880))
    other = tmp_path / "image.vic"
    other.write_bytes(b"LBLSIZE=2048".ljust(4096))
    for path in (fits, other):
        with pytest.raises(UnknownFormat, match="gdal_translate"):
            ingest(path)


@pytest.mark.parametrize(
    ("name", "size", "driver"),
    [
        ("PSP_001446_1790_BG12_0.IMG", (256, 5000), "PDS"),
        ("PSP_009404_2635_RED_NLstretch_25cm_o_forPDS_cropped.cub", (50, 50), "ISIS3"),
        ("M143947267L.cal.echo.crop.cub", (400, 400), "ISIS3"),
        ("megt90n000cb.lbl", (1440, 720), "PDS"),
    ],
)
def test_real_products_are_read(name: str, size: tuple[int, int], driver: str) -> None:
    path = rasters.DATA / "formats" / name
    if not path.exists():
        pytest.skip("needs the products of ../shared/data/formats")
    scene = ingest(path)
    assert ((scene.width, scene.height), scene.driver) == (size, driver)


MAP = {
    "ProjectionName": "SimpleCylindrical",
    "CenterLongitude": 226.94,
    "CenterLatitude": 0.0,
    "TargetName": "Mars",
    "EquatorialRadius": "3396190.0 <meters>",
    "PolarRadius": "3376200.0 <meters>",
    "LatitudeType": "Planetocentric",
    "LongitudeDirection": "PositiveEast",
    "UpperLeftCornerX": "-400000.0 <meters>",
    "UpperLeftCornerY": "-1688000.0 <meters>",
    "PixelResolution": "10.0 <meters/pixel>",
}


def mapped(path: Path, **keywords: object) -> Scene:
    """The scene of a cube with a map."""
    pixels = rasters.ground(300, 400)
    label, _ = cube(pixels)[:4096].rstrip(b"\0").decode().rsplit("End_Object\nEnd\n", 1)
    told = "".join(f"    {key} = {value}\n" for key, value in (MAP | keywords).items())
    text = f"{label}  Group = Mapping\n{told}  End_Group\nEnd_Object\nEnd\n"
    path.write_bytes(text.encode().ljust(4096, b"\0") + pixels.tobytes())
    return ingest(path)


@pytest.mark.parametrize(
    "projection", ["SimpleCylindrical", "Equirectangular", "Sinusoidal", "PolarStereographic"]
)
def test_a_cube_may_count_longitudes_to_the_west(tmp_path: Path, projection: str) -> None:
    """ISIS negates both a longitude and the centre, so that x grows to the east all the same."""
    known = {"ProjectionName": projection, "CenterLatitude": -90.0 * ("Polar" in projection)}
    east = mapped(tmp_path / "east.cub", **known)
    west = {"LongitudeDirection": "PositiveWest", "CenterLongitude": 360 - 226.94}
    scene = mapped(tmp_path / "west.cub", **known, **west)
    assert scene.lonlat(10, 20) == pytest.approx(east.lonlat(10, 20))
    assert "to the west" in scene.notes[0]


def test_a_graphic_latitude_of_true_scale_is_made_centric(tmp_path: Path) -> None:
    squeeze = (3_376_200 / 3_396_190) ** 2
    centric = math.degrees(math.atan(squeeze * math.tan(math.radians(-45))))
    known = {"ProjectionName": "Equirectangular"}
    graphic = {"LatitudeType": "Planetographic", "CenterLatitude": -45.0}
    scene = mapped(tmp_path / "graphic.cub", **known, **graphic)
    other = mapped(tmp_path / "centric.cub", **known, CenterLatitude=centric)
    assert scene.lonlat(10, 20) == pytest.approx(other.lonlat(10, 20), abs=1e-7)
    assert other.notes == ()


def test_a_map_that_is_turned_is_no_place(tmp_path: Path) -> None:
    scene = mapped(tmp_path / "turned.cub", Rotation=30.0)
    assert scene.crs is scene.transform is None
    assert "turned by 30 degrees" in scene.notes[0]
