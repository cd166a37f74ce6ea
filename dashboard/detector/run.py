"""One scene the whole way, from its file to a folder of results."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from dashboard.detector.areas.area_of_interest import Region
from dashboard.detector.errors import StoreError
from dashboard.detector.models.model import Model, find_model
from dashboard.detector.products.finished import Finished, ScanSettings
from dashboard.detector.products.products import write_results
from dashboard.detector.review.decisions import Decision, Place, Subject
from dashboard.detector.review.verdicts import Verdicts
from dashboard.detector.scanning.scan import scan
from dashboard.detector.scanning.store import ScanStore
from dashboard.detector.scenes.ingest import ingest
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.scenes.two_passes import READ_SHARE
from dashboard.detector.system.memory import give_back

log = logging.getLogger(__name__)


def run(
    path: str | Path,
    out: Path,
    settings: ScanSettings,
    on_reading: Callable[[float], None] | None = None,
    on_scanning: Callable[[ScanStore], None] | None = None,
) -> Finished:
    """Ingests a picture, scores what is not scored yet, writes the results to a folder.

    Args:
        on_reading: called with the part of the picture that has been read, 0 to 1.
        on_scanning: called with the store, before the first batch and after each.

    Raises:
        NeedleError: anything the user can act on.
    """
    check_folder(out)
    began = time.monotonic()
    scene, model = _read(path, settings, on_reading)
    ingested = time.monotonic()
    with scene.pin():
        store = stored_scan(scene, model, settings)
        watch = on_scanning or (lambda _: None)
        kept = store.done
        watch(store)
        for _ in scan(store, scene, model):
            watch(store)
        facts = {
            "seconds": {"ingest": round(ingested - began, 3)},
            "tiles_kept_from_before": kept,
            "device_note": model.fallback_reason,
            "peak_memory_mb": peak_memory_mb(),
        }
        del model
        give_back()
        finished = Finished(
            store, scene, store.scores(), settings, facts, decisions=_earlier_decisions(store)
        )
        if settings.false_alarms is not None:
            finished = finished.promising(settings.false_alarms)
        write_results(out, finished)
        return finished


def _read(
    path: str | Path, settings: ScanSettings, on_reading: Callable[[float], None] | None
) -> tuple[Scene, Model]:
    """The scene, and the model, loaded while another process writes the picture.

    While the picture is decoded, that process takes the memory that the model would. With it comes
    what the tail of ground takes half a second to load.
    """
    with ThreadPoolExecutor(1) as beside:
        loading: list[Future[Model]] = []

        def reading(part: float) -> None:
            if part >= READ_SHARE and not loading:
                loading.append(beside.submit(Model.load, settings.model, settings.device))
                beside.submit(import_module, "scipy.stats")
            if on_reading:
                on_reading(part)

        find_model(settings.model)  # if there is none, nobody needs the picture
        scene = ingest(path, nodata=settings.nodata, on_progress=reading)
        return scene, loading[0].result()


def stored_scan(scene: Scene, model: Model, settings: ScanSettings) -> ScanStore:
    """The stored scan of a scene by the settings; a new one where there is none.

    Raises:
        OptionError: the stride or the area does not fit the scene.
    """
    region = Region.of(settings.area, scene) if settings.area else None
    return ScanStore.for_scan(scene, model, settings.stride, region=region)


def _earlier_decisions(store: ScanStore) -> dict[Place, Decision]:
    """Earlier decisions on the scene's places; none where they cannot be read."""
    subject = Subject(store.record.scene_sha256, store.record.model_sha256)
    try:
        return Verdicts().current(subject)
    except StoreError as error:  # hours of scanning are not to be lost for that
        log.warning("the results carry no verdicts: %s", error)
        return {}


def check_folder(folder: Path) -> None:
    """Says before hours of scanning that the results could not be written.

    Raises:
        StoreError: the folder cannot be made, or not written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be made ({error.strerror}); give another --out"
        ) from error
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{folder}: may not be written to; give another --out")


def peak_memory_mb() -> float | None:
    """The most memory this process has held, in MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
