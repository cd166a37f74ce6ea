"""Files of results: tables and maps of detections, and the record that lets others repeat them."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from dashboard import __version__
from dashboard.detector.errors import ModelError, StoreError
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.model import read_card
from dashboard.detector.places.detections import FlaggedTile
from dashboard.detector.products.coverage_geojson import coverage_geojson
from dashboard.detector.products.finished import (
    Finished,
    detections_csv,
    detections_geojson,
    scores_cog,
    tiles_csv,
)
from dashboard.detector.products.geopackage import geopackage
from dashboard.detector.products.kml import kml
from dashboard.detector.products.report import CREDIT, report
from dashboard.detector.products.training_boxes import coco, yolo
from dashboard.detector.review.decisions import Verdict
from dashboard.detector.scanning.store import ScanRecord
from dashboard.detector.scenes.grey import grey, png
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.system.gdal_errors import GDAL_ERRORS, reason
from dashboard.detector.system.whole_file import whole_file
from dashboard.detector.tiling import Box

PACKAGES = ("numpy", "onnxruntime-gpu", "onnxruntime", "rasterio", "streamlit")


def tiles_zip(scene: Scene, tiles: Sequence[FlaggedTile], record: bytes) -> bytes:
    """A ZIP of PNGs, one a flagged tile at full resolution, strongest first, in the stretch.

    Beside each lies its world file, which places it in the scene's map units, or in its pixels
    where it has none; `scene.prj` names the CRS, `run.json` the run.
    """
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for rank, tile in enumerate(tiles, start=1):
            pixels = grey(scene.read(tile.box).dn, scene.stretch)
            name = f"{rank:05d}_x{tile.box.x_min}_y{tile.box.y_min}_{tile.sigma:.1f}sigma"
            _add_file(archive, f"{name}.png", png(pixels))
            _add_file(archive, f"{name}.pgw", world_file(scene, tile.box).encode())
        if scene.crs is not None:
            _add_file(archive, "scene.prj", scene.crs.encode())
        _add_file(archive, "run.json", record)
        _add_file(archive, "CREDIT.txt", f"{CREDIT}\n".encode())
    return memory.getvalue()


def _add_file(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), content)  # no clock time: same in, same out


def world_file(scene: Scene, box: Box) -> str:
    """Six lines: the steps of a pixel to the right and down, and the middle of the first."""
    a, b, _, d, e, _ = tuple(scene.affine)[:6]
    lines = (a, d, b, e, *(scene.affine @ (box.x_min + 0.5, box.y_min + 0.5)))
    return "".join(f"{value:.12g}\n" for value in lines)


def origin(finished: Finished) -> dict[str, Any]:
    """Where a product comes from, credit and checksums included; the same however the scan went."""
    record = finished.store.record
    facts = {key: value for key, value in finished.scene.facts().items() if key != "crs"}
    return {
        "needle": __version__,
        "scene": facts | {"crs": finished.scene.crs_name},
        "model": {
            "name": record.model,
            "sha256": record.model_sha256,
            "card": _card(record.model_path, record.model_sha256),
        },
        "judge": _judge(record),
        "credit": CREDIT,
        "settings": asdict(finished.settings) | {"stride": record.stride, "area": record.region},
    }


def run_record(finished: Finished, checksums: Mapping[str, str]) -> dict[str, Any]:
    """The record of a run: picture, model, settings, figures, and the files' checksums by name."""
    store, scores = finished.store, finished.scores
    record = store.record
    return origin(finished) | {
        "reviewed": _review_counts(finished),
        "provider": record.provider,
        "device": record.device,
        "coverage": finished.coverage.record(),
        "tiles": {"grid": len(record.grid), "done": record.done, "scored": scores.scored},
        "looked_at": {"found": record.places, "table": record.table} if record.table else None,
        "scores": {
            "mean": _number(scores.mean),
            "std": _number(scores.std),
            "threshold": _number(scores.at(finished.settings.sigma)),
        },
        "rule": _rule(finished),
        "flagged_tiles": len(finished.flagged),
        "detections": len(finished.detections),
        "likely_artefacts": sum(bool(detection.artefacts) for detection in finished.every),
        "created": record.created,
        "seconds": {"score": round(store.seconds, 3)} | dict(finished.facts.get("seconds", {})),
        **{key: value for key, value in finished.facts.items() if key != "seconds"},
        "versions": {"python": platform.python_version()} | _versions(),
        "sha256": dict(checksums),
    }


def _card(path: str, sha256: str) -> dict[str, Any] | None:
    """The card of a network that took part; None where its file is gone or another now."""
    try:
        if hashlib.sha256(Path(path).read_bytes()).hexdigest() != sha256:
            return None
        return asdict(_card_of(path, sha256))
    except (OSError, ModelError):
        return None


@lru_cache(maxsize=8)
def _card_of(path: str, _sha256: str) -> ModelCard:
    """The card of a file of this content: all products name it, and reading takes a session."""
    return read_card(Path(path))


def _judge(record: ScanRecord) -> dict[str, Any] | None:
    """The network that looked at single places; None where none did."""
    if not record.judge_sha256:
        return None
    sha256 = record.judge_sha256
    return {"sha256": sha256, "card": _card(record.judge_path, sha256)}


def _review_counts(finished: Finished) -> dict[str, Any]:
    """How many places have which verdict."""
    said = [finished.decision(found).verdict for found in finished.detections]
    counts = {verdict.value: said.count(verdict) for verdict in Verdict if verdict}
    return {"listed": len(said), "only_confirmed": finished.confirmed} | counts


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
        lambda f: detections_csv(f).encode(),
    ),
    Product(
        "detections.geojson",
        "Detections, GeoJSON",
        "The same places in longitude and latitude on their body, for QGIS or JMARS.",
        "application/geo+json",
        lambda f: detections_geojson(f, origin(f)).encode(),
    ),
    Product(
        "detections.gpkg",
        "Detections, GeoPackage",
        "Points and footprints in the scene's own CRS, with verdicts, for a GIS.",
        "application/geopackage+sqlite3",
        lambda f: geopackage(f, run_record(f, {})),
    ),
    Product(
        "tiles.csv",
        "Flagged positions, CSV",
        "Every position beyond the threshold; the article counts these, as tiles.",
        "text/csv",
        lambda f: tiles_csv(f.flagged).encode(),
    ),
    Product(
        "scores.tif",
        "Score map, GeoTIFF",
        "The score of every position, to lay over the scene in a GIS.",
        "image/tiff",
        lambda f: scores_cog(f.scores, f.scene, origin(f)),
    ),
    Product(
        "coverage.geojson",
        "Ground not scored, GeoJSON",
        "Where nothing could be found, and why: to know, or to scan as an area of another picture.",
        "application/geo+json",
        lambda f: coverage_geojson(f, origin(f)).encode(),
    ),
    Product(
        "confirmed.kml",
        "Confirmed places, KML",
        "What was called hardware, as placemarks for a globe.",
        "application/vnd.google-earth.kml+xml",
        lambda f: kml(f, CREDIT).encode(),
    ),
    Product(
        "verdicts.coco.json",
        "Boxes of verdicts, COCO",
        "Judged places as annotations, to train other networks with.",
        "application/json",
        lambda f: coco(f, origin(f)).encode(),
    ),
    Product(
        "verdicts.yolo.zip",
        "Boxes of verdicts, YOLO",
        "The same as label files of YOLO.",
        "application/zip",
        yolo,
    ),
    Product(
        "tiles.zip",
        "Flagged tiles, pictures",
        "A PNG of each flagged tile at full resolution with its world file, strongest first.",
        "application/zip",
        lambda f: tiles_zip(f.scene, f.pictured, run_json(f, {})),
    ),
    Product(
        "report.html",
        "Report, HTML",
        "One file with pictures and verdicts, to read, print and send; needs no internet.",
        "text/html",
        lambda f: report(f, run_record(f, {})).encode(),
    ),
)
REVIEWED = ("confirmed.kml", "verdicts.coco.json", "verdicts.yolo.zip")  # empty without verdicts
ON_DEMAND = ("detections.gpkg", "tiles.zip", "report.html", *REVIEWED)  # the page makes them then
IN_FOLDER = tuple(product for product in PRODUCTS if product.name not in ON_DEMAND)
UNRANKED = "scores.tif"  # needs no list of places, and is made while these are ranked
QUICK = ("detections.csv", "detections.geojson")  # the rest of a whole scene takes long to make


def checksum(data: bytes) -> str:
    """SHA-256 of a file's content, as `run.json` holds it."""
    return hashlib.sha256(data).hexdigest()


def quick_checksums(finished: Finished) -> dict[str, str]:
    """The checksums of the lists of places, by their names."""
    return {
        product.name: checksum(product.make(finished))
        for product in PRODUCTS
        if product.name in QUICK
    }


def run_json(finished: Finished, checksums: Mapping[str, str]) -> bytes:
    """The record of a run as a file, with checksums by the names of the files."""
    return (json.dumps(run_record(finished, checksums), indent=1, allow_nan=False) + "\n").encode()


RUN_RECORD = Product(
    "run.json",
    "Record of the run",
    "Settings, checksums, versions and times: what another needs to repeat it.",
    "application/json",
    lambda f: run_json(f, quick_checksums(f)),
)


def write_results(folder: Path, finished: Finished) -> list[Path]:
    """The files of a finished scan, written to `folder`; `run.json` last.

    Each file takes its name when it is whole, and `run.json` holds the checksums of the others.
    Where a place has a verdict, or those of an earlier run lie there, the products of verdicts
    are among them.

    Raises:
        StoreError: the folder cannot be written.
    """
    checksums = {}
    with ThreadPoolExecutor(1) as beside:
        early = {
            product.name: beside.submit(_made, product, finished, folder)
            for product in IN_FOLDER
            if product.name == UNRANKED
        }
        for product in (*IN_FOLDER, *_reviewed_products(folder, finished)):
            made = early.get(product.name)
            checksums[product.name] = made.result() if made else _made(product, finished, folder)
    _write(folder / RUN_RECORD.name, run_json(finished, checksums))
    return [folder / name for name in (*checksums, RUN_RECORD.name)]


def _reviewed_products(folder: Path, finished: Finished) -> list[Product]:
    """The products of verdicts that a folder is to hold."""
    wanted = any(finished.decision(found).verdict for found in finished.detections)
    known = [product for product in PRODUCTS if product.name in REVIEWED]
    return [product for product in known if wanted or (folder / product.name).exists()]


def _made(product: Product, finished: Finished, folder: Path) -> str:
    """Writes a product to a folder; its checksum."""
    data = _content_of(product, finished)
    _write(folder / product.name, data)
    return checksum(data)


def _content_of(product: Product, finished: Finished) -> bytes:
    """A product's content, for which some need room for temporary files."""
    try:
        return product.make(finished)
    except (OSError, *GDAL_ERRORS) as error:
        raise StoreError(
            f"{tempfile.gettempdir()}: no room to make {product.name} ({reason(error)}); make room "
            "or set TMPDIR"
        ) from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(data)
    except OSError as error:
        raise StoreError(
            f"{path.parent}: cannot be written ({error.strerror}); give another --out"
        ) from error


def _rule(finished: Finished) -> dict[str, Any]:
    """The rule's centre and scale, and the false alarms that the threshold promises."""
    sigmas, tail = finished.measured, finished.measured.tail
    measure = sigmas.measure
    return {
        "name": measure.rule,
        "centre": _number(measure.centre),
        "scale": _number(measure.scale),
        "threshold": _number(measure.limit(finished.settings.sigma)),
        "expected_false": _number(finished.expected),
        "tail": {"start": _number(tail.start), "shape": tail.shape, "scale": tail.scale},
        "doubts": list(finished.doubts),
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
