"""What a user takes away: tables, a map of the scores, pictures, and a record of the run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.shutil import copy as raster_copy

from dashboard import __version__
from dashboard.detector.artefacts import with_artefacts
from dashboard.detector.detections import Detection, FlaggedTile
from dashboard.detector.errors import OptionError, StoreError
from dashboard.detector.geography import MARS_LONLAT
from dashboard.detector.render import grey, png
from dashboard.detector.rules import RULES
from dashboard.detector.scene import Scene
from dashboard.detector.scores import ScoreMap
from dashboard.detector.sigmas import SigmaMap, sigma_map
from dashboard.detector.store import ScanStore
from dashboard.detector.survey import Survey, survey

COLUMNS = "rank,sigma,score,x,y,x_min,y_min,x_max,y_max,area_px,lon,lat,p,q,artefacts".split(",")
TILE_COLUMNS = "row,col,x,y,width,height,score,sigma".split(",")
PACKAGES = ("numpy", "onnxruntime-gpu", "onnxruntime", "rasterio", "streamlit")


@dataclass(frozen=True)
class ScanSettings:
    """Everything a user decides about a scan; written to `run.json`."""

    model: str = "article"
    stride: int | None = None  # px; the model card's own where None
    device: str = "auto"
    sigma: float = 3.0
    top: int | None = None  # the strongest so many candidates, whatever their sigma
    rule: str = "mean"  # by which a score becomes a sigma
    artefacts: bool = True  # list likely artefacts, with the reason, among the places
    area: str | None = None  # of interest, as `Region.of` takes it; the whole scene otherwise

    def __post_init__(self) -> None:
        if not np.isfinite(self.sigma):
            raise OptionError(f"sigma is {self.sigma}; it must be a finite number")
        if self.top is not None and self.top < 1:
            raise OptionError(f"top is {self.top}; it must be at least 1")
        if self.rule not in RULES:
            raise OptionError(f"the rule is {self.rule!r}; it must be one of {', '.join(RULES)}")


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

    @cached_property
    def ground(self) -> Survey:
        """What the scene looks like; surveyed once and kept with the scan."""
        return self.surveyed or survey(self.scene, self.store.folder)

    @cached_property
    def measured(self) -> SigmaMap:
        """The scores in sigma, by the rule of the settings."""
        by_ground = self.ground if self.settings.rule == "ground" else None
        return self.sigmas or sigma_map(self.scores, self.settings.rule, by_ground)

    @cached_property
    def every(self) -> list[Detection]:
        """All places beyond the threshold, likely artefacts among them."""
        found = self.measured.find(self.settings.sigma, self.settings.top, self.scene)
        return with_artefacts(found, self.ground, (self.scene.width, self.scene.height))

    @cached_property
    def detections(self) -> list[Detection]:
        """The places beyond the threshold; without likely artefacts where the settings say so."""
        if self.settings.artefacts:
            return self.every
        kept = (one for one in self.every if not one.artefacts)
        return [replace(one, rank=rank) for rank, one in enumerate(kept, start=1)]

    @cached_property
    def flagged(self) -> Sequence[FlaggedTile]:
        return self.measured.flagged(self.settings.sigma)

    @property
    def pictured(self) -> Sequence[FlaggedTile]:
        """The tiles worth a picture: those flagged, or where every position is scored, the places.

        A thousand flagged positions may show the same place.
        """
        if not self.store.record.area:
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


def detections_csv(detections: Iterable[Detection]) -> str:
    """A line a detection; pixels of the scene, half-open boxes, degrees."""
    return _csv(COLUMNS, (_row(found) for found in detections))


def tiles_csv(tiles: Iterable[FlaggedTile]) -> str:
    """A line a flagged tile; `x, y` is its upper left corner, in pixels of the scene."""
    rows = (
        (t.row, t.col, t.box.x_min, t.box.y_min, t.box.width, t.box.height, *_measured(t))
        for t in tiles
    )
    return _csv(TILE_COLUMNS, rows)


def detections_geojson(detections: Iterable[Detection], scene: Scene) -> str:
    """A feature a detection: a point in areocentric degrees; no geometry without a CRS.

    The CRS is named as GeoJSON 2008 did, for RFC 7946 knows the Earth only.
    """
    features = [_feature(found, scene) for found in detections]
    collection: dict[str, Any] = {"type": "FeatureCollection", "name": "detections"}
    if scene.crs is not None:
        collection["crs"] = {"type": "name", "properties": {"name": MARS_LONLAT}}
    return json.dumps(collection | {"features": features}, indent=1) + "\n"


def scores_cog(scores: ScoreMap, scene: Scene) -> bytes:
    """The score map as a cloud-optimised GeoTIFF: float32, one pixel a stride, NaN as nodata.

    Its transform leads to the scene's map coordinates, or to its pixels where it has none.
    """
    grid = scores.grid
    a, b, c, d, e, f = scene.transform or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    step, start = grid.stride, grid.origin
    transform = Affine(
        a * step, b * step, c + (a + b) * start, d * step, e * step, f + (d + e) * start
    )
    placed: dict[str, Any] = {"transform": transform}
    if scene.crs is not None:
        placed["crs"] = CRS.from_wkt(scene.crs)
    rows, cols = scores.values.shape
    layout = {"width": cols, "height": rows, "count": 1, "dtype": "float32", "nodata": np.nan}
    with MemoryFile() as plain, MemoryFile() as cog:
        with plain.open(driver="GTiff", **layout, **placed) as out:
            out.write(scores.values, 1)
            out.set_band_description(1, "score")
            out.update_tags(NEEDLE_ORIGIN_PX=grid.origin, NEEDLE_STRIDE_PX=grid.stride)
        with plain.open() as source:
            raster_copy(source, cog.name, driver="COG", compress="deflate", predictor="yes")
        return bytes(cog.getbuffer())


def tiles_zip(scene: Scene, tiles: Sequence[FlaggedTile]) -> bytes:
    """A ZIP of PNGs, one a flagged tile at full resolution, strongest first, in the stretch."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for rank, tile in enumerate(tiles, start=1):
            pixels = grey(scene.read(tile.box).dn, scene.stretch)
            name = f"{rank:05d}_x{tile.box.x_min}_y{tile.box.y_min}_{tile.sigma:.1f}sigma.png"
            archive.writestr(zipfile.ZipInfo(name), png(pixels))  # no clock time: same in, same out
    return memory.getvalue()


def run_record(finished: Finished, contents: Mapping[str, bytes]) -> dict[str, Any]:
    """What was done, to what, with what; checksums of `contents` by file name."""
    store, scores = finished.store, finished.scores
    record = store.record
    facts = {key: value for key, value in finished.scene.facts().items() if key != "crs"}
    return {
        "needle": __version__,
        "scene": facts | {"crs": finished.scene.crs_name},
        "model": {"name": record.model, "sha256": record.model_sha256},
        "settings": asdict(finished.settings) | {"stride": record.stride, "area": record.region},
        "provider": record.provider,
        "device": record.device,
        "tiles": {"grid": store.total, "done": store.done, "scored": scores.scored},
        "scores": {
            "mean": _number(scores.mean),
            "std": _number(scores.std),
            "threshold": _number(scores.at(finished.settings.sigma)),
        },
        "rule": _rule(finished),
        "flagged_tiles": len(finished.flagged),
        "detections": len(finished.detections),
        "likely_artefacts": sum(bool(one.artefacts) for one in finished.every),
        "created": record.created,
        "seconds": {"score": round(store.seconds, 3)} | dict(finished.facts.get("seconds", {})),
        **{key: value for key, value in finished.facts.items() if key != "seconds"},
        "versions": {"python": platform.python_version()} | _versions(),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    }


@dataclass(frozen=True)
class Product:
    """One file to take away."""

    name: str
    title: str
    good_for: str  # one line
    mime: str
    make: Callable[[Finished], bytes]


PRODUCTS = (
    Product(
        "detections.csv",
        "Detections, CSV",
        "The ranked list, for a spreadsheet or pandas.",
        "text/csv",
        lambda f: detections_csv(f.detections).encode(),
    ),
    Product(
        "detections.geojson",
        "Detections, GeoJSON",
        "The same places as points on Mars, for QGIS or JMARS.",
        "application/geo+json",
        lambda f: detections_geojson(f.detections, f.scene).encode(),
    ),
    Product(
        "tiles.csv",
        "Flagged tiles, CSV",
        "Every tile beyond the threshold, as the article counts them.",
        "text/csv",
        lambda f: tiles_csv(f.flagged).encode(),
    ),
    Product(
        "scores.tif",
        "Score map, GeoTIFF",
        "The score of every tile, to lay over the scene in a GIS.",
        "image/tiff",
        lambda f: scores_cog(f.scores, f.scene),
    ),
    Product(
        "tiles.zip",
        "Flagged tiles, pictures",
        "A PNG of each flagged tile at full resolution, strongest first.",
        "application/zip",
        lambda f: tiles_zip(f.scene, f.pictured),
    ),
)
RUN_RECORD = Product(
    "run.json",
    "Record of the run",
    "Settings, checksums, versions and times: what another needs to repeat it.",
    "application/json",
    lambda f: _json(run_record(f, {})),
)
IN_FOLDER = tuple(product for product in PRODUCTS if product.name != "tiles.zip")


def write_results(folder: Path, finished: Finished) -> list[Path]:
    """The files of a finished scan, written to `folder`; `run.json` last.

    Each file takes its name when it is whole, and `run.json` holds the checksums of the others.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        contents = {product.name: product.make(finished) for product in IN_FOLDER}
        for name, data in contents.items():
            _write(folder / name, data)
        _write(folder / RUN_RECORD.name, _json(run_record(finished, contents)))
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written ({error.strerror}); give another --out"
        ) from error
    return [folder / name for name in (*contents, RUN_RECORD.name)]


def _row(found: Detection) -> tuple[Any, ...]:
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
    return (*measures, *found.box, found.box.area, *place, *chances, why)


def _measured(tile: FlaggedTile) -> tuple[str, str]:
    return f"{tile.score:.6g}", f"{tile.sigma:.4f}"


def _feature(found: Detection, scene: Scene) -> dict[str, Any]:
    properties = dict(zip(COLUMNS, _row(found), strict=True)) | {"scene": scene.name}
    for key in ("sigma", "score", "x", "y", "lon", "lat", "p", "q"):
        properties[key] = float(properties[key]) if properties[key] != "" else None
    place = None if found.lon is None else [properties["lon"], properties["lat"]]
    geometry = None if place is None else {"type": "Point", "coordinates": place}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return memory.getvalue()


def _json(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=1) + "\n").encode()


def _rule(finished: Finished) -> dict[str, Any]:
    """What sigma was, and what the threshold promises of ground alone."""
    sigmas, tail = finished.measured, finished.measured.tail
    limits = sigmas.measure.limits(finished.settings.sigma)
    return {
        "name": sigmas.measure.rule,
        "centres": [_number(value) for value in sigmas.measure.centres],
        "scales": [_number(value) for value in sigmas.measure.scales],
        "thresholds": [_number(value) for value in limits],
        "expected_false": _number(float(tail.expected(finished.settings.sigma))),
        "tail": {"start": _number(tail.start), "shape": tail.shape, "scale": tail.scale},
        "doubts": list(tail.doubts),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _write(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as part:
        part.write(data)
    Path(part.name).chmod(0o644)
    Path(part.name).replace(path)
