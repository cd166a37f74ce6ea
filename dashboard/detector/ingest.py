"""A picture file read once, along its native blocks, into a tiled GeoTIFF that reads fast.

Two passes in bounded memory: the first copies the source strip by strip, counting DN and measuring
areas without data; the second, when their sizes over the whole scene are known, tells nodata from
holes, fills these and compresses. Overviews and the scene's facts go into the same file, which
takes its final name when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from dashboard.detector.ahead import ahead
from dashboard.detector.cache import cache_limit, keep_within
from dashboard.detector.errors import DamagedScene, NoGround, StoreError
from dashboard.detector.formats import GDAL_OPTIONS, identify, local_file, open_picture
from dashboard.detector.home import needle_home
from dashboard.detector.locks import alone
from dashboard.detector.memory import give_back
from dashboard.detector.nodata import HALO, Areas, Mask, as_dn, fill_holes
from dashboard.detector.picture import BLOCK, Picture, window_of
from dashboard.detector.scene import GROUND, HOLE, NODATA, TAG, Scene
from dashboard.detector.statistics import Histogram, Statistics, statistics_of
from dashboard.detector.tiling import Box

VERSION = 1  # of what an ingested file holds; another number makes every scene be ingested again
STALE_SECONDS = 24 * 3600.0  # a working folder this old was left by a crash
SMALLEST_OVERVIEW = 256  # px of the longer side
LARGE = 1 << 26  # bytes of a file whose checksum is kept; no such file is rewritten within a tick
READ_AHEAD = 1  # decoded strips that wait; each has up to 64 Mpx
READ_SHARE, WRITE_SHARE = 0.6, 0.3  # of an ingest's time, roughly; overviews take the rest

Progress = Callable[[float], None]


def ingest(
    path: str | Path,
    home: Path | None = None,
    *,
    name: str | None = None,
    on_progress: Progress | None = None,
) -> Scene:
    """The scene of a picture file, from the cache where its content was ingested before.

    Args:
        path: a local PNG, JPEG, TIFF or JPEG 2000.
        home: the folder of Needle's own files; `needle_home()` otherwise.
        name: what the user calls the file; its own name otherwise.
        on_progress: called with the part that is done, 0 to 1.

    Raises:
        SceneError: the picture is absent, of no supported format, damaged, too large or empty.
        StoreError: there is no room, or no leave, to write the ingested file.
    """
    source = local_file(path)
    name = name or source.name
    report = on_progress or (lambda _: None)
    identify(source, name)
    digest = _sha256(source)
    folder = (home or needle_home()) / "scenes"
    target = folder / f"{digest[:16]}-v{VERSION}.tif"
    scene = _cached(target, name)
    if scene is None:
        limit = cache_limit()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with alone(folder / f".{digest[:16]}.lock", lambda: report(0.0)):
                scene = _cached(target, name)
                if scene is None:
                    scene = _ingested(source, target, name, digest, report)
                    keep_within(folder, limit, "*.tif", target)
        except OSError as error:
            raise _unwritable(folder, error) from error
    report(1.0)
    return scene


def _ingested(source: Path, target: Path, name: str, digest: str, report: Progress) -> Scene:
    """The scene of a picture that nobody else reads at the time."""
    folder, prefix = target.parent, f".ingest-{digest[:16]}-"
    for left in folder.glob(f"{prefix}*"):  # by a crash, for the work on this picture is ours
        shutil.rmtree(left, ignore_errors=True)
    _sweep(folder)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as work:
        _write(source, Path(work), name, digest, report).replace(target)
    give_back()
    return Scene.open(target, name)


@dataclass(frozen=True)
class _Survey:
    """What the first pass over a picture leaves for the second."""

    raw: Path  # tiled and uncompressed: DN, and 1 where a pixel may be nodata
    strips: list[Box]
    by_columns: bool
    areas: Areas
    histogram: Histogram | None  # of DN of 8 and 16 bits

    def along(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The pixels of a strip with the lines that meet its neighbours first and last."""
        return pixels.T if self.by_columns else pixels


def _write(source: Path, work: Path, name: str, digest: str, report: Progress) -> Path:
    """The finished file of a picture, in the working folder."""
    final = work / "final.tif"
    decoding = _decoded(source, name, digest)
    with rasterio.Env(**GDAL_OPTIONS), ahead(decoding, READ_AHEAD) as strips:
        survey, facts = _survey(strips, work / "raw.tif", lambda part: report(READ_SHARE * part))
    give_back()  # a whole compressed scene, which the decoder has held
    with rasterio.Env(**GDAL_OPTIONS, SPARSE_OK_OVERVIEW="TRUE"), _writing(work.parent):
        found = _statistics(survey, name)
        nodata = _settle(
            survey, final, found.centre, lambda part: report(READ_SHARE + WRITE_SHARE * part)
        )
        _finish(final, _completed(facts, found, nodata))
    return final


@dataclass(frozen=True)
class _Layout:
    """How a picture will come, and what it tells of itself."""

    shape: tuple[int, int]
    dtype: str
    strips: list[Box]
    by_columns: bool
    facts: dict[str, Any]


Strip = tuple[Box, NDArray[Any], Mask]


def _decoded(source: Path, name: str, digest: str) -> Generator[_Layout | Strip, None, None]:
    """How the picture will come, then its strips in order, each decoded once."""
    with open_picture(source, name) as opened:
        picture = Picture(opened, name)
        strips = picture.strips()
        facts = _facts(picture, name, digest)
        yield _Layout(opened.shape, picture.dtype, strips, picture.by_columns, facts)
        for box in strips:
            yield (box, *picture.read(box))


def _survey(
    strips: Iterator[_Layout | Strip], raw: Path, report: Progress
) -> tuple[_Survey, dict[str, Any]]:
    """The first pass: copies the picture strip by strip, measuring areas and counting DN."""
    layout = next(strips)
    assert isinstance(layout, _Layout)
    histogram = Histogram() if layout.dtype != "float32" else None
    survey = _Survey(raw, layout.strips, layout.by_columns, Areas(), histogram)
    with _create(raw, layout.shape, layout.dtype) as copy:
        for number, strip in enumerate(strips, start=1):
            assert isinstance(strip, tuple)
            _add(survey, copy, *strip)
            report(number / len(survey.strips))
    survey.areas.settle()
    return survey, layout.facts


def _add(
    survey: _Survey, copy: rasterio.io.DatasetWriter, box: Box, dn: NDArray[Any], missing: Mask
) -> None:
    """Takes a strip into the survey."""
    with _writing(survey.raw.parent.parent):
        copy.write(dn, 1, window=window_of(box))
        if missing.any():
            copy.write(missing.astype(dn.dtype), 2, window=window_of(box))
    survey.areas.add(survey.along(missing))
    if survey.histogram:
        survey.histogram.add(dn, ~missing)


def _statistics(survey: _Survey, name: str) -> Statistics:
    """Statistics of the observed ground, in more passes over the copy where DN are floats."""
    try:
        if survey.histogram:
            return survey.histogram.statistics()
        with rasterio.open(survey.raw, driver="GTiff") as copy:

            def passes() -> Iterator[NDArray[np.float32]]:
                for box in survey.strips:
                    dn, missing = copy.read(window=window_of(box))
                    yield dn[missing == 0]

            return statistics_of(passes)
    except NoGround as error:
        raise NoGround(f"{name}: {error}") from error


def _settle(survey: _Survey, final: Path, centre: float, report: Progress) -> int:
    """The second pass: tells nodata from holes, fills these, compresses; gives nodata pixels."""
    nodata = 0
    with rasterio.open(survey.raw, driver="GTiff") as copy:
        dtype = copy.dtypes[0]
        predictor = 3 if dtype == "float32" else 2
        options = {"compress": "zstd", "zstd_level": 1, "num_threads": "all_cpus"}
        with _create(final, copy.shape, dtype, predictor=predictor, **options) as out:
            for index, box in enumerate(survey.strips):
                dn, large, hole = _settled(survey, copy, index, centre)
                out.write(dn, 1, window=window_of(box))
                if large.any() or hole.any():
                    state = np.full(dn.shape, GROUND, dn.dtype)
                    state[large], state[hole] = NODATA, HOLE
                    out.write(state, 2, window=window_of(box))
                nodata += int(np.count_nonzero(large))
                report((index + 1) / len(survey.strips))
    return nodata


def _settled(
    survey: _Survey, copy: rasterio.DatasetReader, index: int, centre: float
) -> tuple[NDArray[Any], Mask, Mask]:
    """DN, nodata and holes of one strip `[H, W]`, the holes filled."""
    box = survey.strips[index]
    near = Box(
        max(box.x_min - HALO, 0),
        max(box.y_min - HALO, 0),
        min(box.x_max + HALO, copy.width),
        min(box.y_max + HALO, copy.height),
    )
    left, top = box.x_min - near.x_min, box.y_min - near.y_min
    core = (slice(top, top + box.height), slice(left, left + box.width))
    dn = copy.read(1, window=window_of(near))
    missing = copy.read(2, window=window_of(near)) != 0
    large = survey.along(survey.areas.large(index, survey.along(missing[core])))
    hole = missing[core] & ~large
    if hole.any():
        wanted = np.zeros_like(missing)
        wanted[core] = hole
        fill_holes(dn, missing, wanted, centre)
    dn = dn[core]
    dn[large] = as_dn(centre, dn.dtype)
    return dn, large, hole


def _create(
    path: Path, shape: tuple[int, int], dtype: str, **options: Any
) -> rasterio.io.DatasetWriter:
    """A new tiled GeoTIFF of two bands, whose blocks of zeros take no room."""
    height, width = shape
    # Any transform but the identity keeps rasterio from warning that there is none; the scene's
    # own travels with its facts, unharmed by what GeoTIFF can express.
    layout = {"width": width, "height": height, "count": 2, "dtype": dtype}
    blocks = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "interleave": "band"}
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        transform=Affine(1, 0, 0, 0, -1, height),
        sparse_ok=True,
        bigtiff="if_safer",
        **layout,
        **blocks,
        **options,
    )


def _finish(final: Path, facts: dict[str, Any]) -> None:
    """Adds the overviews and the scene's facts to the ingested file."""
    threads = rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS")
    with threads, rasterio.open(final, "r+", driver="GTiff") as out:
        side = max(out.shape)
        levels = [2**power for power in range(1, 20) if side > SMALLEST_OVERVIEW * 2 ** (power - 1)]
        if levels:
            out.build_overviews(levels, Resampling.average)
        out.update_tags(**{TAG: json.dumps(facts)})


def _facts(picture: Picture, name: str, digest: str) -> dict[str, Any]:
    """What the source alone tells of the scene."""
    source = picture.source
    affine = None if source.transform.is_identity else tuple(source.transform)[:6]
    return {
        "name": name,
        "sha256": digest,
        "driver": source.driver,
        "width": source.width,
        "height": source.height,
        "bands": source.count,
        "dtype": source.dtypes[0],
        "bits": source.tags(1, ns="IMAGE_STRUCTURE").get("NBITS"),
        "crs": source.crs.to_wkt() if source.crs else None,
        "transform": affine,
        "nodata": picture.declared,
    }


def _completed(facts: dict[str, Any], found: Statistics, nodata: int) -> dict[str, Any]:
    """The facts with what the passes found: all of `Scene` but its path."""
    area = facts["width"] * facts["height"]
    declared, bits = facts["nodata"], facts["bits"]
    if bits is None:
        whole = np.issubdtype(np.dtype(facts["dtype"]), np.integer)
        bits = max(int(found.largest).bit_length(), 8) if whole else 32
    return facts | {
        "nodata": 0.0 if declared is None and nodata else declared,
        "bits": int(bits),
        "centre": found.centre,
        "scale": found.scale,
        "stretch": found.stretch,
        "valid_fraction": (area - nodata) / area,
    }


def _cached(target: Path, name: str) -> Scene | None:
    """The scene ingested before; None where there is none, or another hand has spoilt it."""
    if not target.exists():
        return None
    try:
        return Scene.open(target, name)
    except DamagedScene:
        return None


def _sha256(path: Path) -> str:
    try:
        seen = path.stat()
        if seen.st_size >= LARGE:
            return _known_sha256(path, seen.st_size, seen.st_mtime_ns, seen.st_ino)
        return _sha256_of(path)
    except OSError as error:
        raise DamagedScene(f"{path.name}: cannot be read ({error.strerror})") from error


@lru_cache(maxsize=256)
def _known_sha256(path: Path, *_as_it_was: int) -> str:
    """The checksum of a file that has been read before and has not been touched since."""
    return _sha256_of(path)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns GDAL's failures on Needle's own files into one clear line."""
    try:
        yield
    except RasterioError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: Exception) -> StoreError:
    reason = str(error.__cause__ or error).splitlines()[0]
    return StoreError(f"{folder}: cannot be written; make room or set NEEDLE_HOME ({reason})")


def _sweep(folder: Path) -> None:
    """Removes what a crash left behind long ago."""
    for left in folder.glob(".ingest-*"):
        try:
            old = time.time() - left.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:
            continue
        if old:
            shutil.rmtree(left, ignore_errors=True)
