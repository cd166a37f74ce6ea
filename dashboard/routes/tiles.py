"""Tiles of the map: ground and scores of a scan, cut when a browser asks for them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.detector import Box, ScanStore, Scene, ScoreMap, png
from dashboard.drawing import pictures
from dashboard.routes.parameters import number, open_scan, or_not_found, pair, stretch
from dashboard.viewer import addresses

FARTHEST = 24  # zoom: a tile of 4 million km at 1 m a pixel
# The address of a tile says all that decides its content.
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


def routes() -> list[Route]:
    """Where the tiles of a scan are served."""
    path = f"{addresses.tiles()}/{{scan}}/{{layer}}/{{zoom}}/{{col}}/{{row}}"
    return [Route(path, or_not_found(tile))]


def tile(request: Request) -> Response:
    """One tile of 256 px, each of `2 ** zoom` px of the scene, of the ground or of the scores."""
    zoom, col, row = (number(request, name) for name in ("zoom", "col", "row"))
    store, scene = open_scan(request)
    box = tile_box(scene, zoom, col, row)
    if request.path_params["layer"] == "scores":
        shown = pictures.scores_tile(_scores(store), box, pair(request, "ends"))
        return Response(png(shown), media_type="image/png", headers=FOREVER)
    if request.path_params["layer"] != "ground":
        raise ValueError("no such layer")
    inside = Box(box.x_min, box.y_min, min(box.x_max, scene.width), min(box.y_max, scene.height))
    patch = scene.shrunk(inside, 2**zoom)
    ground = pictures.ground(patch, stretch(request, scene))
    if zoom == 0:  # a pixel looked at closely is the pixel that was taken
        return Response(png(ground[..., 0]), media_type="image/png", headers=FOREVER)
    return Response(pictures.jpeg(ground), media_type="image/jpeg", headers=FOREVER)


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


def _scores(store: ScanStore) -> ScoreMap:
    """The stored scores, mapped into memory: a tile reads its own."""
    return ScoreMap(store.values(), store.record.grid, store.record.window)
