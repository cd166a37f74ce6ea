"""A home with one scanned scene, which addresses and areas are tried on."""

from __future__ import annotations

from pathlib import Path

from dashboard.detector import Model, ScanStore, ingest, scan
from tests.detector import rasters
from tests.fuzz.seeds import PLACE
from tests.models import plain_model


def made(folder: Path) -> Path:
    """The home, in a folder of its own."""
    home = folder / "home"
    pixels = rasters.ground(400, 600)
    pixels[190:210, 290:310] = 250
    scene = ingest(rasters.write(folder / "scene.tif", pixels, **PLACE), home)
    model = Model.load(plain_model(folder / "plain.onnx"), "cpu")
    store = ScanStore.for_scan(scene, model, 48, home=home)
    for _ in scan(store, scene, model):
        pass
    return home
