"""Fixtures of every test: a home of its own, scenes and models by the piece."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from dashboard.detector import Model, Scene, ingest
from dashboard.detector.scenes.decoder_process import Order, Progress
from dashboard.detector.scenes.two_passes import written
from tests.detector import rasters
from tests.models import judge_model, plain_model

# How long one example takes says more of the machine than of the code.
settings.register_profile("needle", deadline=None)
settings.load_profile("needle")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of `~/.needle`."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("NEEDLE_HOME", str(folder))
    return folder


@pytest.fixture
def decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are decoded in this process, where a test can change and watch the decoder."""

    def decode(order: Order, report: Progress) -> Path:
        return written(Path(order.source), Path(order.work), order.name, order.digest, report)

    monkeypatch.setattr(sys.modules["dashboard.detector.scenes.ingest"], "decode", decode)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model.load(plain_model(tmp_path / "plain.onnx"), "cpu")


@pytest.fixture
def judged(tmp_path: Path) -> Model:
    """A model of two files: a finder, and a judge that looks at its places."""
    return Model.load(judge_model(tmp_path / "places.onnx"), "cpu")


@pytest.fixture
def scene_of(tmp_path: Path) -> Callable[..., Scene]:
    """Ingests pixels `[H, W]`, or a bumpy plain with one bright object at (400, 300)."""

    def make(pixels: np.ndarray | None = None, name: str = "scene.tif", **how: Any) -> Scene:
        if pixels is None:
            pixels = rasters.ground(600, 800)
            pixels[290:310, 390:410] = 250
        return ingest(rasters.write(tmp_path / name, pixels, **how))

    return make
