"""The two passes over a picture that is ingested: into a tiled file, in bounded memory.

The first copies the source strip by strip, counting DN and measuring areas without data; the
second, when their sizes over the whole scene are known, tells nodata from holes, fills these and
compresses. Overviews and the scene's facts go into the same file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.enums import Resampling

from dashboard.detector.arrays import Mask, Pixels
from dashboard.detector.errors import NoGround, unwritable
from dashboard.detector.files.formats import GDAL_OPTIONS, open_picture
from dashboard.detector.files.picture import BLOCK, Picture, window_of
from dashboard.detector.scenes.dn_statistics import Histogram, Statistics, statistics_of
from dashboard.detector.scenes.facts import completed, facts_of_source
from dashboard.detector.scenes.fill_values import (
    NO_FILLS,
    Extremes,
    Fills,
    Ground,
    fills_of,
    solid,
    suspects,
)
from dashboard.detector.scenes.nodata import HALO, Areas, as_dn, fill_holes
from dashboard.detector.scenes.scene import GROUND, HOLE, NODATA, TAG
from dashboard.detector.system.gdal_errors import GDAL_ERRORS
from dashboard.detector.system.memory import give_back
from dashboard.detector.system.prefetch import prefetch
from dashboard.detector.tiling import Box

# Overviews are of a quarter of the pixels a side and less: that of half of them took as long to
# make as all others, and is as quickly read from the picture itself.
SMALLEST_OVERVIEW = 256  # px of the longer side
READ_AHEAD = 1  # decoded strips that wait; each has up to 64 Mpx
READ_SHARE, WRITE_SHARE = 0.75, 0.15  # of an ingest's time, roughly; overviews take the rest

Progress = Callable[[float], None]


@dataclass(frozen=True)
class FirstPass:
    """The output of the first pass over a picture, input of the second."""

    raw: Path  # tiled and uncompressed: DN, and 1 where a pixel may be nodata
    strips: list[Box]
    by_columns: bool
    areas: Areas
    histogram: Histogram | None  # of DN of 8 and 16 bits
    extremes: Extremes  # of floats
    fills: Fills = NO_FILLS

    def along(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The pixels of a strip with the lines that meet its neighbours first and last."""
        return pixels.T if self.by_columns else pixels

    def missing(self, dn: Pixels, noted: Pixels) -> Mask:
        """Where a pixel may be nodata, given DN and what the raw copy notes of it."""
        return self.fills.missing(dn, noted != 0)


def written(
    source: Path,
    work: Path,
    name: str,
    digest: str,
    report: Progress,
    nodata: str | None = None,
) -> Path:
    """The finished file of a picture, in the working folder.

    Args:
        nodata: what the user says it is, a DN or `none`; what the file and its DN tell otherwise.
    """
    final = work / "final.tif"
    decoding = _decoded(source, name, digest, nodata)
    # The decoder has all the memory: a cache that holds two rows of blocks of a wide scene will do.
    with (
        rasterio.Env(**GDAL_OPTIONS | {"GDAL_CACHEMAX": 64 << 20}),
        prefetch(decoding, READ_AHEAD) as strips,
    ):
        survey, facts = _survey(strips, work / "raw.tif", lambda part: report(READ_SHARE * part))
    give_back()  # a whole compressed scene, which the decoder has held
    with rasterio.Env(**GDAL_OPTIONS):
        survey = _with_fills(survey, facts)
    with rasterio.Env(**GDAL_OPTIONS, SPARSE_OK_OVERVIEW="TRUE"), _writing(work.parent):
        found = _statistics(survey, name)
        blank = _settle(
            survey, final, found.centre, lambda part: report(READ_SHARE + WRITE_SHARE * part)
        )
        _finish(final, completed(facts, found, blank, survey.fills))
    return final


@dataclass(frozen=True)
class _Layout:
    """How a picture will come, and what it tells of itself."""

    shape: tuple[int, int]
    dtype: str
    strips: list[Box]
    by_columns: bool
    facts: dict[str, Any]
    blanks: Counter[float]  # px of DN taken for nodata, complete when the last strip has come


Strip = tuple[Box, NDArray[Any], Mask]


def _decoded(
    source: Path, name: str, digest: str, nodata: str | None
) -> Generator[_Layout | Strip, None, None]:
    """How the picture will come, then its strips in order, each decoded once."""
    with open_picture(source, name) as opened:
        picture = Picture(opened, name, nodata)
        strips = picture.strips()
        facts = facts_of_source(picture, name, digest)
        shape = opened.shape
        yield _Layout(shape, picture.dtype, strips, picture.by_columns, facts, picture.blanks)
        for box in strips:
            yield (box, *picture.read(box))


def _survey(
    strips: Iterator[_Layout | Strip], raw: Path, report: Progress
) -> tuple[FirstPass, dict[str, Any]]:
    """The first pass: copies the picture strip by strip, measuring areas and counting DN."""
    layout = next(strips)
    assert isinstance(layout, _Layout)
    histogram = Histogram() if layout.dtype != "float32" else None
    survey = FirstPass(raw, layout.strips, layout.by_columns, Areas(), histogram, Extremes())
    with _create(raw, layout.shape, layout.dtype) as copy:
        for number, strip in enumerate(strips, start=1):
            assert isinstance(strip, tuple)
            _add(survey, copy, *strip)
            report(number / len(survey.strips))
    survey.areas.settle()
    return survey, layout.facts | {"blanks": layout.blanks}


def _add(
    survey: FirstPass, copy: rasterio.io.DatasetWriter, box: Box, dn: NDArray[Any], missing: Mask
) -> None:
    """Takes a strip into the survey."""
    with _writing(survey.raw.parent.parent):
        copy.write(dn, 1, window=window_of(box))
        if missing.any():
            copy.write(missing.astype(dn.dtype), 2, window=window_of(box))
    survey.areas.add(survey.along(missing))
    if survey.histogram:
        survey.histogram.add(dn, ~missing)
    else:
        survey.extremes.add(dn[~missing])


def _with_fills(survey: FirstPass, facts: dict[str, Any]) -> FirstPass:
    """The survey with fill values that no tag names; most pictures have none, and no more pass."""
    if facts["nodata_given"]:
        return survey
    found = suspects(survey.histogram.counts if survey.histogram else survey.extremes)
    if not found:
        return survey
    areas = dict.fromkeys((suspect.value for suspect in found), 0)
    with rasterio.open(survey.raw, driver="GTiff") as copy:
        for box in survey.strips:
            for value, pixels in solid(copy.read(1, window=window_of(box)), areas).items():
                areas[value] += pixels
        ground = Ground(
            facts["dtype"], facts["driver"], facts["declares"], copy.width * copy.height
        )
        fills = fills_of(found, areas, ground)
        survey = replace(survey, areas=Areas() if fills.values else survey.areas, fills=fills)
        if fills.values:
            for box in survey.strips:
                survey.areas.add(survey.along(survey.missing(*copy.read(window=window_of(box)))))
            survey.areas.settle()
    if survey.histogram:
        survey.histogram.counts[[int(value) for value in fills.values]] = 0
    return survey


def _statistics(survey: FirstPass, name: str) -> Statistics:
    """Statistics of the observed ground, in more passes over the copy where DN are floats."""
    try:
        if survey.histogram:
            return survey.histogram.statistics()
        with rasterio.open(survey.raw, driver="GTiff") as copy:

            def passes() -> Iterator[NDArray[np.float32]]:
                for box in survey.strips:
                    dn, noted = copy.read(window=window_of(box))
                    yield dn[~survey.missing(dn, noted)]

            return statistics_of(passes)
    except NoGround as error:
        raise NoGround(f"{name}: {error}") from error


def _settle(survey: FirstPass, final: Path, centre: float, report: Progress) -> int:
    """The second pass: tells nodata from holes, fills these, compresses; gives nodata pixels."""
    nodata = 0
    settling = _settled_strips(survey, centre)
    with prefetch(settling, READ_AHEAD) as strips, _create_final(survey, final) as out:
        for number, (box, dn, large, hole) in enumerate(strips, start=1):
            out.write(dn, 1, window=window_of(box))
            if large.any() or hole.any():
                state = np.full(dn.shape, GROUND, dn.dtype)
                state[large], state[hole] = NODATA, HOLE
                out.write(state, 2, window=window_of(box))
            nodata += int(np.count_nonzero(large))
            report(number / len(survey.strips))
    return nodata


def _create_final(survey: FirstPass, final: Path) -> rasterio.io.DatasetWriter:
    """The file of a picture, compressed by all processors."""
    with rasterio.open(survey.raw, driver="GTiff") as copy:
        shape, dtype = copy.shape, copy.dtypes[0]
    options = {"compress": "zstd", "zstd_level": 1, "num_threads": "all_cpus"}
    return _create(final, shape, dtype, predictor=3 if dtype == "float32" else 2, **options)


Settled = tuple[Box, NDArray[Any], Mask, Mask]


def _settled_strips(survey: FirstPass, centre: float) -> Generator[Settled, None, None]:
    """Box, DN, nodata and holes of each strip in order, the holes filled."""
    with rasterio.Env(**GDAL_OPTIONS), rasterio.open(survey.raw, driver="GTiff") as copy:
        for index, box in enumerate(survey.strips):
            yield (box, *_settled(survey, copy, index, centre))


def _settled(
    survey: FirstPass, copy: rasterio.DatasetReader, index: int, centre: float
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
    noted = copy.read(2, window=window_of(near))
    missing = survey.missing(dn, noted)
    first, lines = (left, box.width) if survey.by_columns else (top, box.height)
    large = survey.along(survey.areas.large(index, survey.along(missing), first, lines))
    if survey.fills.areas_only:
        missing = noted != 0
        missing[core] |= large
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
        levels = [2**power for power in range(2, 20) if side > SMALLEST_OVERVIEW * 2 ** (power - 1)]
        if levels:
            out.build_overviews(levels, Resampling.average)
        out.update_tags(**{TAG: json.dumps(facts, allow_nan=False)})


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns GDAL's failures on Needle's own files into one clear line."""
    try:
        yield
    except GDAL_ERRORS as error:
        raise unwritable(folder, error) from error
