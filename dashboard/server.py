"""The web server: Streamlit's own, with the routes of tiles, places, verdicts, files (`routes/`).

Pictures are cut from the ingested scene when a browser asks for them, at the same origin as the
pages; nothing of a scene is held in memory, whatever its size.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
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
    RedirectResponse,
    Response,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import pages
from dashboard.detector import (
    Histogram,
    OptionError,
    avoid_fragments,
)
from dashboard.drawing import charts
from dashboard.routes import place_crops, products, tiles, verdicts
from dashboard.session import access, state
from dashboard.viewer import addresses

APP = Path(__file__).with_name("app.py")
STYLE = Path(pages.__file__).with_name("style.css")
STUCK = 900.0  # s without progress of the job that is worked on


def serve(port: int, address: str) -> None:
    """Serve pages and tiles until the process ends."""
    avoid_fragments()
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
    """Where the pages are served, and tiles, places, verdicts and files of a scan."""
    return [
        *(Route(f"{addresses.base()}/{name}", _page) for name in ("", *pages.NAMES[1:])),
        Route(f"{addresses.base()}/health", _health),
        *place_crops.routes(),
        *products.routes(),
        *tiles.routes(),
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
