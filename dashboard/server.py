"""The web server: Streamlit's own, and beside it the pictures that maps and galleries ask for.

Tiles are cut from the ingested scene when a browser asks for them, at the same origin as the pages;
nothing of a scene is held in memory, whatever its size.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas  # noqa: F401  # plotly looks for it when a script may be stopped amid the import
import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import pages
from dashboard.detector import (
    Box,
    Histogram,
    NeedleError,
    OptionError,
    ScanStore,
    Scene,
    ScoreMap,
    needle_home,
    png,
)
from dashboard.drawing import charts, pictures
from dashboard.routes import places, verdicts
from dashboard.session import access, state
from dashboard.viewer import addresses

APP = Path(__file__).with_name("app.py")
STYLE = Path(pages.__file__).with_name("style.css")
SMALLEST, LARGEST = 16, 1024  # px, of the side of a place's picture
FARTHEST = 24  # zoom: a tile of 4 million km at 1 m a pixel
STUCK = 900.0  # s without progress of the job that is worked on
DIGITS = 9  # of a number in an address; no scene has a billion pixels along a side
# The address of a tile says all that decides its content.
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
Answer = Callable[[Request], Response]


def serve(port: int, address: str) -> None:
    """Serve pages and tiles until the process ends."""
    make_ready()
    keep_log()
    said = access.warning(address)
    if said:
        print(said, file=sys.stderr)
    application(address).run(config={"server.port": port, "server.address": address})


def keep_log() -> None:
    """Writes a line of JSON a request and a job to the file `$NEEDLE_LOG`; `-`: standard error.

    Raises:
        OptionError: it cannot be written.
    """
    named = os.environ.get("NEEDLE_LOG")
    if not named:
        return
    try:
        handler = logging.StreamHandler() if named == "-" else logging.FileHandler(named)
    except OSError as error:
        raise OptionError(f"NEEDLE_LOG is {named!r}: {error.strerror}") from error
    handler.setFormatter(logging.Formatter('{"time": "%(asctime)s", "said": %(message)s}'))
    logger = logging.getLogger("needle")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False


def make_ready() -> None:
    """Does before there are visitors what the first of them would wait for, and later ones too."""
    charts.histogram(Histogram(np.arange(3.0), np.ones(2, np.int64)), 1.0).to_json()  # loads Plotly
    gc.collect()
    gc.freeze()  # what is loaded is no garbage; Streamlit would look through it after every run


def application(address: str = "localhost") -> st.App:
    """Streamlit's application with the routes of pages and tiles, and who may come in."""
    gate = Middleware(access.Gate, known_as=access.hosts(address))
    return st.App(APP, routes=routes(), middleware=[gate, Middleware(lead_home)])


def routes() -> list[Route]:
    """Where the pages, tiles of a scan and pictures of its places and verdicts are served."""
    tile = "{scan}/{layer}/{zoom}/{col}/{row}"
    return [
        *(Route(f"{addresses.base()}/{name}", _page) for name in ("", *pages.NAMES[1:])),
        Route(f"{addresses.base()}/health", _health),
        Route(f"{addresses.tiles()}/{{scan}}/place/{{side}}/{{x}}/{{y}}", or_not_found(_place)),
        Route(f"{addresses.tiles()}/{{scan}}/expected/{{row}}/{{col}}", or_not_found(_completion)),
        Route(f"{addresses.tiles()}/{tile}", or_not_found(_tile)),
        Route(f"{addresses.places()}/{{scan}}/{{row}}/{{col}}", or_not_found(_facts)),
        Route(f"{addresses.places()}/{{scan}}/{{row}}/{{col}}/like", or_not_found(_like)),
        *verdicts.routes(),
    ]


def _page(_: Request) -> Response:
    return HTMLResponse(styled_page(), headers={"Cache-Control": "no-cache"})


def _health(_: Request) -> Response:
    """Whether scans move: 503 where one has not for long."""
    worker = state.worker()
    still = worker.still()
    said = {"scans": len(worker.scans()), "seconds_without_progress": round(still)}
    moves = still < STUCK
    said_all = {"status": "ok" if moves else "stuck"} | said
    return JSONResponse(said_all, 200 if moves else 503, {"Cache-Control": "no-store"})


@lru_cache(maxsize=1)
def styled_page() -> str:
    """Streamlit's page with our style in it, so that nothing is ever seen without, and jumps."""
    page = Path(st.__file__).with_name("static") / "index.html"
    style = f"<body><style>{STYLE.read_text(encoding='utf-8')}</style>"
    text = page.read_text(encoding="utf-8").replace("<body>", style, 1)
    return text.replace("<title>Streamlit</title>", "<title>Needle</title>")


def lead_home(app: ASGIApp) -> ASGIApp:
    """The application, where the address of no page leads to the first, its query kept.

    Streamlit would say "Page not found"; of the first page, too, at its own name.
    """

    async def lead(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not lost(scope["path"]):
            await app(scope, receive, send)
            return
        query = scope.get("query_string", b"").decode("latin-1")
        home = f"{addresses.base()}/" + (f"?{query}" if query else "")
        await RedirectResponse(home, headers={"Cache-Control": "no-cache"})(scope, receive, send)

    return lead


def lost(path: str) -> bool:
    """True for a path that a person may have typed and at which no page is."""
    name = path.removeprefix(addresses.base()).strip("/")
    if not name or "/" in name or "." in name or name.startswith("_") or name == "health":
        return False  # the root; files and all that the server keeps for itself
    return name not in pages.NAMES[1:]


def or_not_found(answer: Answer) -> Answer:
    """Answers 404 with a line, and no traceback, for what does not exist."""

    def safe(request: Request) -> Response:
        try:
            return answer(request)
        except (NeedleError, ValueError) as error:
            return PlainTextResponse(f"{error}\n", status_code=404)

    return safe


def _tile(request: Request) -> Response:
    """One tile of 256 px, each of `2 ** zoom` px of the scene, of the ground or of the scores."""
    asked = request.path_params
    zoom, col, row = (_number(asked[name]) for name in ("zoom", "col", "row"))
    store, scene = _open(asked["scan"])
    box = tile_box(scene, zoom, col, row)
    if asked["layer"] == "scores":
        shown = pictures.scores_tile(_scores(store), box, _pair(request, "ends"))
        return Response(png(shown), media_type="image/png", headers=FOREVER)
    if asked["layer"] != "ground":
        raise ValueError("no such layer")
    inside = Box(box.x_min, box.y_min, min(box.x_max, scene.width), min(box.y_max, scene.height))
    patch = scene.shrunk(inside, 2**zoom)
    ground = pictures.ground(patch, _stretch(request, scene))
    if zoom == 0:  # a pixel looked at closely is the pixel that was taken
        return Response(png(ground[..., 0]), media_type="image/png", headers=FOREVER)
    return Response(pictures.jpeg(ground), media_type="image/jpeg", headers=FOREVER)


def _place(request: Request) -> Response:
    """The ground around a place, the place in its middle."""
    asked = request.path_params
    x, y, side = (_number(asked[name]) for name in ("x", "y", "side"))
    _, scene = _open(asked["scan"])
    if not (SMALLEST <= side <= LARGEST and x < scene.width and y < scene.height):
        raise ValueError(f"{side} px around {x}, {y} cannot be shown")
    left, top = x - side // 2, y - side // 2
    scene = replace(scene, stretch=_stretch(request, scene))
    shown = pictures.around(scene, Box(left, top, left + side, top + side))
    return Response(pictures.jpeg(shown), media_type="image/jpeg", headers=FOREVER)


def _facts(request: Request) -> Response:
    """The facts of a place, in words."""
    opened = _open(request.path_params["scan"])
    return places.facts(_position(request), opened)


def _like(request: Request) -> Response:
    """The places that look most like one of them."""
    return places.like(_position(request), _open(request.path_params["scan"]))


def _completion(request: Request) -> Response:
    """The completion at a place, and the difference."""
    store, scene = _open(request.path_params["scan"])
    stretched = replace(scene, stretch=_stretch(request, scene))
    return places.completion_answer(_position(request), (store, scene), stretched)


def _position(request: Request) -> tuple[int, int]:
    """The row and column of a grid that an address names."""
    return _number(request.path_params["row"]), _number(request.path_params["col"])


def tile_box(scene: Scene, zoom: int, col: int, row: int) -> Box:
    """The ground of a tile, in px of the scene; it may reach beyond the right and lower border.

    Raises:
        ValueError: the scene has no such tile.
    """
    if zoom > FARTHEST:
        raise ValueError(f"no tile at zoom {zoom}; the farthest is {FARTHEST}")
    side = pictures.TILE << zoom
    box = Box(col * side, row * side, (col + 1) * side, (row + 1) * side)
    if box.x_min >= scene.width or box.y_min >= scene.height:
        raise ValueError(f"no tile {col}, {row} at zoom {zoom}")
    return box


def _number(text: str) -> int:
    """A number of an address, 0 to a billion.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise ValueError(f"no such number; give one of {DIGITS} digits at most")
    return int(text)


def _scores(store: ScanStore) -> ScoreMap:
    """The stored scores, mapped into memory: a tile reads its own."""
    return ScoreMap(store.values(), store.record.grid, store.record.window)


def _stretch(request: Request, scene: Scene) -> tuple[float, float]:
    """The DN shown black and white: those that are asked for, else the scene's own."""
    return _pair(request, "stretch") if "stretch" in request.query_params else scene.stretch


def _pair(request: Request, name: str) -> tuple[float, float]:
    """The two finite numbers of a field of the query.

    Raises:
        ValueError: there are not two.
    """
    low, high = (float(end) for end in request.query_params.get(name, "").split(",", 2))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} must be two finite numbers")
    return low, high


def _open(key: str) -> tuple[ScanStore, Scene]:
    if not (key.isascii() and key.isalnum() and len(key) <= 64):
        raise ValueError("no such scan")
    store = ScanStore.open(needle_home() / "scans" / key)
    return store, _scene(store.record.scene_path)


@lru_cache(maxsize=32)
def _scene(path: str) -> Scene:
    return Scene.open(path)
