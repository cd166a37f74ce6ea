"""The two passes over a picture that is ingested: into a tiled file, in bounded memory.

The first copies the source strip by strip, counting DN and measuring areas without data; the
second, when their sizes over the whole scene are known, tells nodata from holes and fills these, in
the copy itself. Overviews and the scene's facts go into the same file. It is not compressed:
packing and unpacking it took an eighth of a scan.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
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
from dashboard.detector.scenes.survey import SurveyAtWork, survey_file
from dashboard.detector.system.gdal_errors import GDAL_ERRORS
from dashboard.detector.system.memory import give_back
from dashboard.detector.system.prefetch import map_in_order, prefetch
from dashboard.detector.tiling import Box

WRITTEN = 2 * BLOCK  # px of a strip that are written together, where any has changed
OVERVIEWS = 12  # the pixels over those of all overviews, which are 15 times as many at least
# Overviews are of a quarter of the pixels a side and less: that of half of them took as long to
# make as all others, and is as quickly read from the picture itself.
SMALLEST_OVERVIEW = 256  # px of the longer side
READ_AHEAD = 1  # decoded strips that wait; each has up to 64 Mpx
READ_SHARE, WRITE_SHARE = 0.75, 0.15  # of an ingest's time, roughly; overviews take the rest

Progress = Callable[[float], None]


@dataclass(frozen=True)
class FirstPass:
    """The output of the first pass over a picture, input of the second."""

    copy: Path  # tiled: DN, and 1 where a pixel may be nodata
    strips: list[Box]
    by_columns: bool
    areas: Areas
    histogram: Histogram | None  # of DN of 8 and 16 bits
    extremes: Extremes  # of floats
    parts: list[list[slice]] = field(default_factory=list)  # of each strip: where it lacks pixels
    fills: Fills = NO_FILLS
    ground: SurveyAtWork | None = None  # None where it has to wait for all DN

    def along(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The pixels of a strip with the lines that meet its neighbours first and last."""
        return pixels.T if self.by_columns else pixels

    def lines_of(self, box: Box) -> slice:
        """The lines of a strip, which are columns of the picture where it comes in these."""
        return slice(box.x_min, box.x_max) if self.by_columns else slice(box.y_min, box.y_max)

    def box_of(self, lines: slice, part: slice) -> Box:
        """Where some lines lie in the picture, along a part of their length."""
        if self.by_columns:
            return Box(lines.start, part.start, lines.stop, part.stop)
        return Box(part.start, lines.start, part.stop, lines.stop)

    def near(self, index: int, length: int) -> Iterator[slice]:
        """The parts of a strip that lie near missing pixels, `length` px long in all."""
        parts = self.parts[index]
        if self.fills.values:  # which DN tell, wherever they are
            parts = [slice(0, length)]
        for part in parts:
            yield slice(max(0, part.start - HALO), min(part.stop + HALO, length))

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
        survey, facts = _first_pass(strips, final, lambda part: report(READ_SHARE * part))
    give_back()  # a whole compressed scene, which the decoder has held
    with rasterio.Env(**GDAL_OPTIONS):
        survey = _with_fills(survey, facts)
    with rasterio.Env(**GDAL_OPTIONS, SPARSE_OK_OVERVIEW="TRUE"), _writing(work.parent):
        found = _statistics(survey, name)
        blank = _settle(survey, found.centre, lambda part: report(READ_SHARE + WRITE_SHARE * part))
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


def _first_pass(
    strips: Iterator[_Layout | Strip], target: Path, report: Progress
) -> tuple[FirstPass, dict[str, Any]]:
    """The first pass: copies the picture strip by strip, measuring areas and counting DN.

    The ground is surveyed beside it, for which a decoder leaves time.
    """
    layout = next(strips)
    assert isinstance(layout, _Layout)
    histogram = Histogram() if layout.dtype != "float32" else None
    survey = FirstPass(target, layout.strips, layout.by_columns, Areas(), histogram, Extremes())
    survey = replace(survey, ground=_survey_of(layout, target))
    with _create(target, layout.shape, layout.dtype) as copy, ThreadPoolExecutor(1) as beside:
        surveyed: Future[None] | None = None
        for number, strip in enumerate(strips, start=1):
            assert isinstance(strip, tuple)
            _add(survey, copy, *strip)
            if surveyed:
                surveyed.result()
            if survey.ground:
                surveyed = beside.submit(survey.ground.add, strip[0].y_min, *strip[1:])
            report(number / len(survey.strips))
        if surveyed:
            surveyed.result()
    survey.areas.settle()
    return survey, layout.facts | {"blanks": layout.blanks}


def _survey_of(layout: _Layout, target: Path) -> SurveyAtWork | None:
    """The survey that can be made while the picture comes, in a file beside the copy.

    None where how many bits its DN have is told by the largest of them, or it comes in columns.
    """
    bits = layout.facts["bits"] or (8 if layout.dtype == "uint8" else None)
    if bits is None or layout.by_columns:
        return None
    compressed = layout.facts["driver"] == "JPEG"
    return SurveyAtWork(survey_file(target), layout.shape, int(bits), compressed)


def _add(
    survey: FirstPass, copy: rasterio.io.DatasetWriter, box: Box, dn: NDArray[Any], missing: Mask
) -> None:
    """Takes a strip into the survey."""
    with _writing(survey.copy.parent.parent):
        copy.write(dn, 1, window=window_of(box))
        lines = survey.along(missing)
        survey.parts.append(list(_changed(lines)))
        for part in survey.parts[-1]:  # zeros that are written take room
            noted = survey.along(lines[:, part].astype(dn.dtype))
            copy.write(noted, 2, window=window_of(survey.box_of(survey.lines_of(box), part)))
    survey.areas.add(lines)
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
    with rasterio.open(survey.copy, driver="GTiff") as copy:
        for box in survey.strips:
            for value, pixels in solid(copy.read(1, window=window_of(box)), areas).items():
                areas[value] += pixels
        ground = Ground(
            facts["dtype"], facts["driver"], facts["declares"], copy.width * copy.height
        )
        fills = fills_of(found, areas, ground)
        survey = replace(survey, areas=Areas() if fills.values else survey.areas, fills=fills)
        if fills.values:
            if survey.ground:
                survey.ground.forget(0, copy.height)
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
        with rasterio.open(survey.copy, driver="GTiff") as copy:

            def passes() -> Iterator[NDArray[np.float32]]:
                for box in survey.strips:
                    dn, noted = copy.read(window=window_of(box))
                    yield dn[~survey.missing(dn, noted)]

            return statistics_of(passes)
    except NoGround as error:
        raise NoGround(f"{name}: {error}") from error


def _settle(survey: FirstPass, centre: float, report: Progress) -> int:
    """The second pass: tells nodata from holes and fills these, in the copy; gives nodata pixels.

    A strip is settled by another thread while the next is read and the last one written.
    """
    nodata = 0
    work = partial(_settled, survey, centre)
    with (
        rasterio.open(survey.copy, driver="GTiff", sharing=False) as before,
        rasterio.open(survey.copy, "r+", driver="GTiff") as after,
    ):
        strips = map_in_order(work, _strips_around(survey, before), 1)
        for number, (box, dn, large, hole) in enumerate(strips, start=1):
            for part in _changed(large | hole):
                state = np.full(dn[:, part].shape, GROUND, dn.dtype)
                state[large[:, part]], state[hole[:, part]] = NODATA, HOLE
                settled = np.stack([survey.along(dn[:, part]), survey.along(state)])
                after.write(settled, window=window_of(survey.box_of(survey.lines_of(box), part)))
            if survey.ground and hole.any():
                filled = box.y_min + np.flatnonzero(hole.any(axis=1))
                survey.ground.forget(int(filled[0]), int(filled[-1]) + 1)
            nodata += int(np.count_nonzero(large))
            report(number / len(survey.strips))
    return nodata


def _changed(mask: Mask) -> Iterator[slice]:
    """The parts of a strip `[lines, length]`, whole blocks long, in which a mask is True."""
    there = np.asarray(mask.any(axis=0))
    for first in range(0, len(there), WRITTEN):
        if there[first : first + WRITTEN].any():
            yield slice(first, min(first + WRITTEN, len(there)))


@dataclass(frozen=True)
class _Around:
    """A strip with the lines around it that its holes are filled from, `[lines, length]`.

    Only what lies near missing pixels is read; elsewhere DN are 0.
    """

    index: int  # of the strip
    dn: NDArray[Any]
    noted: Mask  # True where a pixel may be nodata
    core: slice  # the lines of the strip itself


def _strips_around(survey: FirstPass, copy: rasterio.DatasetReader) -> Iterator[_Around]:
    """The strips in order; the lines before one are as they were before it was settled."""
    depth, length = copy.shape[::-1] if survey.by_columns else copy.shape
    above: tuple[NDArray[Any], Mask] | None = None  # the last lines of the strip before
    for index, box in enumerate(survey.strips):
        lines = survey.lines_of(box)
        top, bottom = max(0, lines.start - HALO), min(lines.stop + HALO, depth)
        dn = np.zeros((bottom - top, length), copy.dtypes[0])
        noted = np.zeros(dn.shape, bool)
        for part in survey.near(index, length):
            read = copy.read(window=window_of(survey.box_of(slice(top, bottom), part)))
            dn[:, part], noted[:, part] = survey.along(read[0]), survey.along(read[1]) != 0
        core = slice(lines.start - top, lines.stop - top)
        if above:
            for part in survey.near(index - 1, length):
                for now, before in zip((dn, noted), above, strict=True):
                    now[: core.start, part] = before[len(before) - core.start :, part]
        above = dn[: core.stop][-HALO:].copy(), noted[: core.stop][-HALO:].copy()
        yield _Around(index, dn, noted, core)


Settled = tuple[Box, NDArray[Any], Mask, Mask]


def _settled(survey: FirstPass, centre: float, around: _Around) -> Settled:
    """Box, DN, nodata and holes `[lines, length]` of a strip, the holes filled."""
    dn, core = around.dn, around.core
    missing = survey.missing(dn, around.noted)
    large = survey.areas.large(around.index, missing, core.start, core.stop - core.start)
    if survey.fills.areas_only:
        missing = around.noted.copy()
        missing[core] |= large
    hole = missing[core] & ~large
    if hole.any():
        wanted = np.zeros_like(missing)
        wanted[core] = hole
        fill_holes(survey.along(dn), survey.along(missing), survey.along(wanted), centre)
    dn = dn[core]
    np.copyto(dn, as_dn(centre, dn.dtype), where=large)
    return survey.strips[around.index], dn, large, hole


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
    """Adds the overviews and the scene's facts to the ingested file.

    GDAL writes much of them when it closes the file, and says nothing where the disk is full then.
    """
    _expect_room(final)
    with rasterio.open(final, "r+", driver="GTiff") as out:
        side = max(out.shape)
        levels = [2**power for power in range(2, 20) if side > SMALLEST_OVERVIEW * 2 ** (power - 1)]
        if levels:
            out.build_overviews(levels, Resampling.average)
        out.update_tags(**{TAG: json.dumps(facts, allow_nan=False)})


def _expect_room(final: Path) -> None:
    """Raises an OSError where the disk has no room for the overviews."""
    with rasterio.open(final, driver="GTiff") as out:
        pixels = (out.width + 4 * BLOCK) * (out.height + 4 * BLOCK)  # overviews are of whole blocks
        needed = 2 * pixels * np.dtype(out.dtypes[0]).itemsize // OVERVIEWS + (1 << 16)
    if shutil.disk_usage(final.parent).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns GDAL's failures on Needle's own files into one clear line."""
    try:
        yield
    except GDAL_ERRORS as error:
        raise unwritable(folder, error) from error
