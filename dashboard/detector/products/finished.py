"""A scan with a threshold, as tables and as a map: what every product is made from."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.shutil import copy as raster_copy
from rasterio.windows import Window

from dashboard.detector.areas.area_of_interest import Region
from dashboard.detector.arrays import Floats
from dashboard.detector.errors import OptionError
from dashboard.detector.files.formats import GDAL_OPTIONS
from dashboard.detector.files.picture import given_nodata
from dashboard.detector.georeference.geography import lonlat_crs
from dashboard.detector.models.model import DEFAULT_MODEL
from dashboard.detector.places.artefacts import spoilt, with_artefacts
from dashboard.detector.places.detections import Detection, FlaggedTile, FlaggedTiles
from dashboard.detector.places.sigma_map import SigmaMap, sigma_map
from dashboard.detector.review.decisions import Decision, Place, Verdict, on_places
from dashboard.detector.review.import_csv import harmless
from dashboard.detector.rules import DEFAULT_RULE, rule_named
from dashboard.detector.scanning.coverage import Coverage
from dashboard.detector.scanning.score_map import ScoreMap
from dashboard.detector.scanning.store import ScanStore
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.scenes.survey import Survey, survey

COLUMNS = "rank,sigma,score,x,y,x_min,y_min,x_max,y_max,area_px,lon,lat,p,q,artefacts".split(",")
COLUMNS += "verdict,name,note,reviewer,decided,disputed".split(",")
WRITTEN = {"name", "note", "reviewer"}  # by people
TILE_COLUMNS = "row,col,x,y,width,height,score,sigma"
SMALLEST_OVERVIEW = 256  # positions of the longer side of a score map's overviews


@dataclass(frozen=True)
class ScanSettings:
    """Everything a user decides about a scan; written to `run.json`."""

    model: str = DEFAULT_MODEL
    stride: int | None = None  # px; the model card's own where None
    device: str = "auto"
    sigma: float = 3.0
    top: int | None = None  # the strongest so many candidates, whatever their sigma
    rule: str = DEFAULT_RULE  # by which a score becomes a sigma
    artefacts: bool = True  # list likely artefacts, with the reason, among the places
    area: str | None = None  # of interest, as `Region.of` takes it; the whole scene otherwise
    nodata: str | None = None  # a DN, or `none`; what the file and its DN tell otherwise
    false_alarms: float | None = None  # to be expected: sigma is set so that it promises as many

    def __post_init__(self) -> None:
        if not np.isfinite(self.sigma):
            raise OptionError(f"sigma is {self.sigma}; it must be a finite number")
        if self.false_alarms is not None and not 0 < self.false_alarms < np.inf:
            raise OptionError(
                f"the false alarms to expect are {self.false_alarms}; it must be a finite number "
                "above 0"
            )
        if self.nodata is not None:
            given_nodata(self.nodata)
        if self.top is not None and self.top < 1:
            raise OptionError(f"top is {self.top}; it must be at least 1")
        rule_named(self.rule)


@dataclass(frozen=True)
class Finished:
    """A scan with a threshold: what every product is made from."""

    store: ScanStore
    scene: Scene
    scores: ScoreMap
    settings: ScanSettings
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the run, added to `run.json`
    sigmas: SigmaMap | None = None  # the same for every threshold, where they were kept
    surveyed: Survey | None = None
    doubted: tuple[str, ...] | None = None  # likewise
    decisions: Mapping[Place, Decision] = field(default_factory=dict)  # of reviewers
    confirmed: bool = False  # only places that a reviewer calls hardware

    @cached_property
    def ground(self) -> Survey:
        """The survey of the scene's ground, made once and kept with the scene."""
        return self.surveyed or survey(self.scene)

    @cached_property
    def coverage(self) -> Coverage:
        """How much of the scene's ground was scored."""
        region = self.store.record.region
        return Coverage(self.scene, self.scores, Region(region) if region else None)

    @cached_property
    def measured(self) -> SigmaMap:
        """The scores in sigma, by the rule of the settings."""
        return self.sigmas or sigma_map(self.scores, self.settings.rule)

    @property
    def expected(self) -> float:
        """How many places of ground alone to expect beyond the threshold."""
        return float(self.measured.tail.expected(self.settings.sigma))

    def promising(self, false_alarms: float) -> Finished:
        """The same at the threshold where so many false alarms are to be expected.

        Raises:
            OptionError: there are too few places to tell.
        """
        tail = self.measured.tail
        sigma = tail.sigma_here(false_alarms) if tail.enough else np.nan
        if not np.isfinite(sigma):
            raise OptionError(
                f"{self.scene.name}: {len(tail.levels)} places are too few to foretell false "
                "alarms by; give --sigma instead, nothing is scored again"
            )
        return replace(self, settings=replace(self.settings, sigma=sigma), sigmas=self.measured)

    @cached_property
    def every(self) -> list[Detection]:
        """All places beyond the threshold, likely artefacts among them."""
        found = self.measured.find(self.settings.sigma, self.settings.top, self.scene)
        return with_artefacts(found, self.ground, (self.scene.width, self.scene.height))

    @cached_property
    def detections(self) -> list[Detection]:
        """The places beyond the threshold; without likely artefacts where the settings say so.

        A place keeps its rank where only confirmed ones are given.
        """
        found = self.every
        if not self.settings.artefacts:
            kept = (detection for detection in found if not detection.artefacts)
            found = [replace(detection, rank=rank) for rank, detection in enumerate(kept, start=1)]
        if not self.confirmed:
            return found
        return [
            detection for detection in found if self.decision(detection).verdict is Verdict.HARDWARE
        ]

    @cached_property
    def rows(self) -> list[tuple[Any, ...]]:
        """The values of `COLUMNS` of each detection, in words."""
        return [row(found, self.decision(found)) for found in self.detections]

    @cached_property
    def descriptions(self) -> Floats:
        """The judge's embedding of each detection, `[n, D]`; NaN where it did not look.

        D is 0 where the model has no judge.
        """
        found, table = self.detections, self.scores.places
        if table is None:
            return np.zeros((len(found), 0), np.float32)
        lines = table.index(*(np.array([(f.row, f.col) for f in found], np.intp).reshape(-1, 2).T))
        told = np.full((len(found), self.store.record.described), np.nan, np.float32)
        told[lines >= 0] = table.descriptions[lines[lines >= 0]]
        return told

    def decision(self, found: Detection) -> Decision:
        """The decision about a place; an empty one where there is none."""
        return self._decided.get(found.place) or Decision(found.place)

    @cached_property
    def _decided(self) -> dict[Place, Decision]:
        return on_places(self.decisions, [found.place for found in self.every])

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """Why not to rely on what is expected of ground alone; nothing where it may be."""
        if self.doubted is not None:
            return self.doubted
        size = self.scene.width, self.scene.height
        return (*self.measured.tail.doubts, *spoilt(self.measured, self.ground, size))

    @cached_property
    def flagged(self) -> FlaggedTiles:
        return self.measured.flagged(self.settings.sigma)

    @property
    def pictured(self) -> Sequence[FlaggedTile]:
        """The tiles worth a picture: those flagged, or where every position is scored, the places.

        A thousand flagged positions may show the same place.
        """
        if not self.store.record.area and not self.confirmed:
            return self.flagged
        return [
            FlaggedTile(
                found.row,
                found.col,
                self.scores.grid.at(found.row, found.col).read,
                found.score,
                found.sigma,
            )
            for found in self.detections
        ]


def detections_csv(finished: Finished) -> str:
    """A line a detection; pixels of the scene, half-open boxes, degrees; and what was decided."""
    return _csv(COLUMNS, map(_harmless, finished.rows))


def tiles_csv(tiles: FlaggedTiles) -> str:
    """A line a flagged tile; `x, y` is its upper left corner, in pixels of the scene."""
    stride, side = tiles.grid.stride, tiles.grid.tile
    lines = [TILE_COLUMNS]
    lines += (
        f"{row},{col},{col * stride},{row * stride},{side},{side},{score:.6g},{sigma:.4f}"
        for row, col, score, sigma in tiles.measured()
    )
    return "\n".join(lines) + "\n"


def detections_geojson(finished: Finished, origin: Mapping[str, Any]) -> str:
    """A feature a detection: a point in areocentric degrees; no geometry without a CRS.

    The CRS is named as GeoJSON 2008 did, for RFC 7946 knows the Earth only; `origin`, where it all
    comes from, is a member of its own, which readers that do not know it skip.
    """
    scene = finished.scene
    features = [_feature(values, scene) for values in finished.rows]
    collection: dict[str, Any] = {"type": "FeatureCollection", "name": "detections"}
    named = lonlat_crs(scene.crs) if scene.crs is not None else None
    if named:
        collection["crs"] = {"type": "name", "properties": {"name": named}}
    head = json.dumps(collection | {"needle": origin}, indent=1, allow_nan=False)
    # A line each: with indents Python writes JSON ten times as slowly.
    encode = json.JSONEncoder(allow_nan=False).encode
    lines = ",\n".join(encode(feature) for feature in features)
    return head.removesuffix("\n}") + f',\n "features": [\n{lines}\n ]\n}}\n'


def scores_cog(scores: ScoreMap, scene: Scene, origin: Mapping[str, Any]) -> bytes:
    """The score map as a cloud-optimised GeoTIFF: float32, one pixel a stride, NaN as nodata.

    Its transform leads where the scene's does; the tags hold the credit where every viewer looks
    for it, and as JSON where it all comes from.
    """
    grid = scores.grid
    start = Affine.translation(grid.origin, grid.origin)
    placed: dict[str, Any] = {"transform": scene.affine @ start @ Affine.scale(grid.stride)}
    if scene.crs is not None:
        placed["crs"] = CRS.from_wkt(scene.crs)
    height, width = scores.values.shape
    layout = {"width": width, "height": height, "count": 1, "dtype": "float32", "nodata": np.nan}
    with tempfile.TemporaryDirectory() as folder, rasterio.Env(**GDAL_OPTIONS):
        plain, cog = Path(folder, "plain.tif"), Path(folder, "cog.tif")
        with rasterio.open(plain, "w", driver="GTiff", **layout, **placed) as out:
            for rows, part in scores.parts():
                out.write(part, 1, window=Window(0, rows.start, part.shape[1], part.shape[0]))
            out.set_band_description(1, "score")
            out.update_tags(
                NEEDLE_ORIGIN_PX=grid.origin,
                NEEDLE_STRIDE_PX=grid.stride,
                NEEDLE_RUN=json.dumps(origin, allow_nan=False),
                TIFFTAG_COPYRIGHT=origin["credit"],
                TIFFTAG_SOFTWARE=f"Needle {origin['needle']}",
            )
            # A quarter a side and less: half a side alone would take as long as all of the map.
            factors = (4**level for level in range(1, 16))
            longer = max(height, width)
            out.build_overviews(
                [factor for factor in factors if longer >= SMALLEST_OVERVIEW * factor],
                Resampling.average,
            )
        packed = {"compress": "deflate", "level": 1, "predictor": "yes", "num_threads": "all_cpus"}
        raster_copy(plain, cog, driver="COG", **packed)
        return cog.read_bytes()


def row(found: Detection, decision: Decision) -> tuple[Any, ...]:
    """The values of `COLUMNS`, in words."""
    place = ("", "") if found.lon is None else (f"{found.lon:.6f}", f"{found.lat:.6f}")
    measures = (
        found.rank,
        f"{found.sigma:.4f}",
        f"{found.score:.6g}",
        f"{found.x:g}",
        f"{found.y:g}",
    )
    chances = ("", "") if found.p is None else (f"{found.p:.3g}", f"{found.q:.3g}")
    why = "; ".join(found.artefacts)
    said = (decision.verdict.value, decision.name, decision.note, decision.reviewer, decision.made)
    about = (found.box.area, *place, *chances, why, *said, decision.dispute)
    return (*measures, *found.box, *about)


def _harmless(values: Sequence[Any]) -> tuple[Any, ...]:
    """The same, what people wrote guarded against a spreadsheet that would work it out."""
    return tuple(
        harmless(value) if column in WRITTEN else value
        for column, value in zip(COLUMNS, values, strict=True)
    )


def _feature(values: Sequence[Any], scene: Scene) -> dict[str, Any]:
    properties = _properties(values, scene)
    place = None if properties["lon"] is None else [properties["lon"], properties["lat"]]
    geometry = None if place is None else {"type": "Point", "coordinates": place}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def properties_of(found: Detection, finished: Finished) -> dict[str, Any]:
    """The values of `COLUMNS` by name, as numbers where they are; and the scene's name."""
    return _properties(row(found, finished.decision(found)), finished.scene)


def _properties(values: Sequence[Any], scene: Scene) -> dict[str, Any]:
    properties = dict(zip(COLUMNS, values, strict=True)) | {"scene": scene.name}
    for key in ("sigma", "score", "x", "y", "lon", "lat", "p", "q"):
        properties[key] = float(properties[key]) if properties[key] != "" else None
    return properties


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return memory.getvalue()
