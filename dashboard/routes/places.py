"""The facts of a place, in words, and the completion there, when it is shown large."""

from __future__ import annotations

import numpy as np
from starlette.responses import JSONResponse, Response

from dashboard.detector import (
    Detection,
    ModelError,
    ScanStore,
    Scene,
    likeness,
    measure,
    pool,
    triptychs,
)
from dashboard.drawing import charts, pictures
from dashboard.pages import explain

Position = tuple[int, int]  # row and column of the grid
Opened = tuple[ScanStore, Scene]
MOST_ALIKE = 3_000  # places that a sheet is sorted by
FRESH = {"Cache-Control": "private, max-age=3600"}


def facts(position: Position, opened: Opened) -> Response:
    """The measures of a place, a line each."""
    store, scene = opened
    found = _place(position, store)
    measured = measure(scene, found)
    lines = [explain.looks(measured, scene)]
    if measured:
        lines.append(f"{explain.contrast(measured)} than the ground")
    (known,) = scene.lonlats([found.x], [found.y])
    if known:
        lines.append(charts.degrees(*known))
    return JSONResponse({"lines": lines}, headers=FRESH)


def completion_answer(position: Position, opened: Opened, stretched: Scene) -> Response:
    """A PNG of what the network expected at a place, and the difference, side by side."""
    store, scene = opened
    found = _place(position, store)
    model = pool.get(store.record.model_path)
    if model.sha256 != store.record.model_sha256:
        raise ModelError(f"{store.model_name}: the model has changed since; scan again")
    (shown,) = triptychs(scene, model, [store.record.grid.at(found.row, found.col).read])
    return Response(
        pictures.completion_png(shown, stretched), media_type="image/png", headers=FRESH
    )


def like(position: Position, opened: Opened) -> Response:
    """The scene's places that look most like one of them, the most alike first."""
    store, _ = opened
    table = store.places()
    alike = None if table is None else likeness(table, *position)
    if table is None or alike is None:
        return JSONResponse({"row": [], "col": [], "alike": []}, headers=FRESH)
    first = np.argsort(-alike, kind="stable")[:MOST_ALIKE]
    rows, cols = table.rows[first].tolist(), table.cols[first].tolist()
    found = {"row": rows, "col": cols, "alike": alike[first].round(3).tolist()}
    return JSONResponse(found, headers=FRESH)


def _place(position: Position, store: ScanStore) -> Detection:
    """The place at a position of the grid.

    Raises:
        ValueError: the grid has no such position.
    """
    (row, col), grid = position, store.record.grid
    if row >= grid.rows or col >= grid.cols:
        raise ValueError(f"no position {row}, {col}")
    read, window = grid.at(row, col).read, store.record.window
    box = read.grow(-((read.width - window) // 2))
    return Detection(1, 0.0, 0.0, *box.centre, box, row, col, 1)
