"""A place, when it is shown: its crop of the ground, its facts in words, completion, likeness."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.detector import (
    DEFAULT_RULE,
    Box,
    Detection,
    ModelError,
    ScanStore,
    SimilarPlace,
    Subject,
    Verdicts,
    likeness,
    list_scans,
    measure,
    on_places,
    pool,
    sigma_map,
    similar_places,
    triptychs,
)
from dashboard.drawing import charts, pictures
from dashboard.pages import explain
from dashboard.routes.parameters import number, open_scan, or_not_found, stretch
from dashboard.routes.tiles import FOREVER
from dashboard.viewer import addresses

SMALLEST, LARGEST = 16, 1024  # px, of the side of a crop
MOST_ALIKE = 3_000  # places that a sheet is sorted by
FRESH = {"Cache-Control": "private, max-age=3600"}
NO_STORE = {"Cache-Control": "no-store"}


def routes() -> list[Route]:
    """Where crops, completions, facts and likeness of a scan's places are served."""
    tiles, places = f"{addresses.tiles()}/{{scan}}", f"{addresses.places()}/{{scan}}"
    return [
        Route(f"{tiles}/place/{{side}}/{{x}}/{{y}}", or_not_found(crop)),
        Route(f"{tiles}/expected/{{row}}/{{col}}", or_not_found(completion)),
        Route(f"{places}/{{row}}/{{col}}", or_not_found(facts)),
        Route(f"{places}/{{row}}/{{col}}/like", or_not_found(like)),
        Route(f"{places}/{{row}}/{{col}}/elsewhere", or_not_found(seen_elsewhere)),
    ]


def crop(request: Request) -> Response:
    """A JPEG of the ground around a place, `side` px, the place in its middle."""
    x, y, side = (number(request, name) for name in ("x", "y", "side"))
    _, scene = open_scan(request)
    if not (SMALLEST <= side <= LARGEST and x < scene.width and y < scene.height):
        raise ValueError(f"{side} px around {x}, {y} cannot be shown")
    left, top = x - side // 2, y - side // 2
    scene = replace(scene, stretch=stretch(request, scene))
    shown = pictures.around(scene, Box(left, top, left + side, top + side))
    return Response(pictures.jpeg(shown), media_type="image/jpeg", headers=FOREVER)


def facts(request: Request) -> Response:
    """The measures of a place, a line each."""
    store, scene = open_scan(request)
    found = _place(request, store)
    measured = measure(scene, found)
    lines = [explain.looks(measured, scene)]
    if measured:
        lines.append(f"{explain.contrast(measured)} than the ground")
    (known,) = scene.lonlats([found.x], [found.y])
    if known:
        lines.append(charts.degrees(*known))
    return JSONResponse({"lines": lines}, headers=FRESH)


def completion(request: Request) -> Response:
    """A PNG of what the network expected at a place, and the difference, side by side."""
    store, scene = open_scan(request)
    stretched = replace(scene, stretch=stretch(request, scene))
    found = _place(request, store)
    model = pool.get(store.record.model_path)
    if model.sha256 != store.record.model_sha256:
        raise ModelError(f"{store.model_name}: the model has changed since; scan again")
    (shown,) = triptychs(scene, model, [store.record.grid.at(found.row, found.col).read])
    return Response(
        pictures.completion_png(shown, stretched), media_type="image/png", headers=FRESH
    )


def like(request: Request) -> Response:
    """The scene's places that look most like one of them, the most alike first."""
    row, col = number(request, "row"), number(request, "col")
    store, _ = open_scan(request)
    table = store.places()
    alike = None if table is None else likeness(table, row, col)
    if table is None or alike is None:
        return JSONResponse({"row": [], "col": [], "alike": []}, headers=FRESH)
    first = np.argsort(-alike, kind="stable")[:MOST_ALIKE]
    rows, cols = table.rows[first].tolist(), table.cols[first].tolist()
    found = {"row": rows, "col": cols, "alike": alike[first].round(3).tolist()}
    return JSONResponse(found, headers=FRESH)


def seen_elsewhere(request: Request) -> Response:
    """The places of other scenes that look most like one, with the verdicts on them."""
    row, col = number(request, "row"), number(request, "col")
    store, _ = open_scan(request)
    similar = similar_places(store, row, col, list_scans())
    by_scan: dict[str, list[SimilarPlace]] = {}
    for one in similar or []:
        by_scan.setdefault(one.store.key, []).append(one)
    found = [line for some in by_scan.values() for line in _lines(some)]
    found.sort(key=lambda line: -line["alike"])
    return JSONResponse({"known": similar is not None, "found": found}, headers=NO_STORE)


def _lines(similar: list[SimilarPlace]) -> list[dict[str, Any]]:
    """Facts of places of one scan, ready for JSON; of those that a threshold can list."""
    store = similar[0].store
    places = [_at(store, one.row, one.col).place for one in similar]
    decided = on_places(Verdicts().current(Subject.of(store)), places)
    measured = sigma_map(store.scores(), DEFAULT_RULE)
    lines: list[dict[str, Any]] = [
        {
            "scan": store.key,
            "name": store.scene_name,
            "x": place[0],
            "y": place[1],
            "sigma": round(measured.sigma_at(one.row, one.col), 3),
            "alike": one.alike,
            "verdict": decided[place].verdict or "" if place in decided else "",
        }
        for one, place in zip(similar, places, strict=True)
    ]
    return [line for line in lines if line["sigma"] > 0]


def _place(request: Request, store: ScanStore) -> Detection:
    """The place at the row and column of the grid that the path names.

    Raises:
        ValueError: the grid has no such position.
    """
    return _at(store, number(request, "row"), number(request, "col"))


def _at(store: ScanStore, row: int, col: int) -> Detection:
    grid = store.record.grid
    if row >= grid.rows or col >= grid.cols:
        raise ValueError(f"no position {row}, {col}")
    read, window = grid.at(row, col).read, store.record.window
    box = read.grow(-((read.width - window) // 2))
    return Detection(1, 0.0, 0.0, *box.centre, box, row, col, 1)
