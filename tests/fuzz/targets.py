"""The targets of each kind of input; all but a `NeedleError` is a fault of ours."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, unquote

import streamlit as st
from starlette.applications import Starlette
from starlette.middleware import Middleware

from dashboard import server
from dashboard.detector import Box, Detection, Model, NeedleError, Region, Scene, read_verdicts
from dashboard.detector.files.decoding_limits import limit_memory, memory_needed
from dashboard.detector.files.formats import identify
from dashboard.detector.scenes.decoder_process import Order
from dashboard.detector.scenes.scene import Scene as Ingested
from dashboard.detector.scenes.two_passes import written
from dashboard.session import access, address, state
from dashboard.session.place_filter import Filter
from tests.fuzz.seeds import KEY

FOUND = [
    Detection(1, 8.1, 3.25, 404.0, 308.0, Box(380, 284, 428, 332), 70, 94, 1),
    Detection(2, 3.2, 1.5, 100.5, 90.0, Box(76, 66, 124, 114), 16, 18, 1),
]


def picture(content: bytes, _: Path) -> None:
    """Ingests a picture as the decoder's process does, and asks what a page asks of it."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "work")
        work.mkdir()
        source = Path(folder, "picture")
        source.write_bytes(content)
        identify(source)
        order = Order(str(source), str(work), "picture", "0" * 64)
        limit_memory(memory_needed(len(content)))
        final = written(source, work, order.name, order.digest, lambda _: None)
        scene = Ingested.open(final)
        json.dumps(scene.facts(), allow_nan=False)
        scene.lonlats([0.0, scene.width / 2], [0.0, scene.height / 2])
        scene.pixels([137.0, 500.0], [-4.5, 95.0])
        _ = scene.pixel_size, scene.crs_name, scene.overview(64)


def model(content: bytes, _: Path) -> None:
    """Loads a network and tries it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(content)
        Model.load(path, "cpu")


def table(content: bytes, _: Path) -> None:
    """Reads verdicts."""
    read_verdicts(content, FOUND)


def area(content: bytes, home: Path) -> None:
    """Takes an area on a scene that lies on Mars, and as a file."""
    scene = next(iter((home / "scenes").glob("*.tif")))
    text = content.decode("utf-8", "surrogateescape")
    Region.of(text, Scene.open(scene), files=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "area.geojson")
        path.write_bytes(content)
        Region.of(str(path), Scene.open(scene))


def route(content: bytes, home: Path) -> None:
    """Asks the server for an address."""
    key = next((home / "scans").glob("[!.]*")).name
    asked = content.decode("latin-1").replace(KEY, key)
    path, _, query = asked.partition("?")
    gate = Middleware(access.Gate, known_as=access.hosts("localhost"))
    app = Starlette(routes=server.routes(), middleware=[gate, Middleware(server.lead_home)])
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(path),
        "query_string": query.encode("latin-1"),
        "headers": [(b"host", b"localhost"), (b"cookie", content[:200])],
    }
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    asyncio.run(app(scope, receive, send))
    if status not in (200, 307, 400, 401, 404, 405):
        raise AssertionError(f"status {status}")


class _Query(dict[str, str]):
    """The fields of an address, as Streamlit gives them to a page."""

    def to_dict(self) -> dict[str, str]:
        return dict(self)

    def from_dict(self, other: dict[str, str]) -> None:
        self.clear()
        self.update(other)


def query(content: bytes, home: Path) -> None:
    """Takes what the address of a page says."""
    key = next((home / "scans").glob("[!.]*")).name
    text = content.decode("utf-8", "replace").replace(KEY, key)
    asked = _Query({name: values[-1] for name, values in parse_qs(text).items()})
    with mock.patch.object(st, "query_params", asked), mock.patch.object(st, "session_state", {}):
        state.sigma(), state.rule(), state.artefacts()
        Filter.of_address()
        address.scan_of_address(), address.stranger()
        state.keep_address(state.current_store())


def harm(content: bytes, _: Path) -> None:
    """Does what a fault would do, so that it is known to be seen."""
    exec(content.decode())


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "picture": picture,
    "model": model,
    "table": table,
    "area": area,
    "route": route,
    "query": query,
    "harm": harm,
}


def tried(kind: str, content: bytes, home: Path) -> str:
    """The outcome of an input: "taken", or "refused" in one line.

    Raises:
        Exception: a fault of ours.
    """
    os.environ["NEEDLE_HOME"] = str(home)
    try:
        TARGETS[kind](content, home)
    except NeedleError as error:
        said = str(error)
        if "\n" in said or len(said) > 2000:
            raise AssertionError(f"not one line: {said[:3000]!r}") from error
        return "refused"
    return "taken"
