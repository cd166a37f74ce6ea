"""Parameters of addresses: numbers, a scan, a stretch; what does not exist is answered with 404."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dashboard.detector import NeedleError, ScanStore, Scene, needle_home

DIGITS = 9  # of a number in an address; no scene has a billion pixels along a side
Answer = Callable[[Request], Response]
OpenScan = tuple[ScanStore, Scene]


def or_not_found(answer: Answer) -> Answer:
    """Answers 404 with a line, and no traceback, for what does not exist."""

    def safe(request: Request) -> Response:
        try:
            return answer(request)
        except (NeedleError, ValueError) as error:
            return PlainTextResponse(f"{error}\n", status_code=404)

    return safe


def number(request: Request, name: str) -> int:
    """A number of the path, 0 to a billion.

    Raises:
        ValueError: it is none.
    """
    text = request.path_params[name]
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise ValueError(f"no such number; give one of {DIGITS} digits at most")
    return int(text)


def pair(request: Request, name: str) -> tuple[float, float]:
    """The two finite numbers of a field of the query.

    Raises:
        ValueError: there are not two.
    """
    low, high = (float(end) for end in request.query_params.get(name, "").split(",", 2))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} must be two finite numbers")
    return low, high


def stretch(request: Request, scene: Scene) -> tuple[float, float]:
    """The DN shown black and white: those that are asked for, else the scene's own."""
    return pair(request, "stretch") if "stretch" in request.query_params else scene.stretch


def open_scan(request: Request) -> OpenScan:
    """The scan that the path names, and its scene.

    Raises:
        ValueError: it names none.
        StoreError, DamagedScene: there is none, or it cannot be read.
    """
    key = request.path_params["scan"]
    if not (key.isascii() and key.isalnum() and len(key) <= 64):
        raise ValueError("no such scan")
    store = ScanStore.open(needle_home() / "scans" / key)
    return store, _scene(store.record.scene_path)


@lru_cache(maxsize=32)
def _scene(path: str) -> Scene:
    return Scene.open(path)
