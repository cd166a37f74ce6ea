"""Pictures for the pages: ground in grey, scores in magma, differences around zero."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from plotly.colors import hex_to_rgb, sequential

from dashboard.detector import Box, Patch, Region, Scene, ScoreMap, Triptych, grey, png

RUST = "#C4552D"  # the one accent, as in .streamlit/config.toml
BLANK, STRIPE = 26, 38  # grey of nodata and of its hatching, darker than any shown ground
HATCH = 16  # px from stripe to stripe; a part of TILE, so that the stripes of tiles meet
HEAT = 0.55  # opacity of scores over the ground
TILE = 256  # px, of a picture of which maps are put together
SAMPLE = 1_000_000  # scores that tell between which of them the colours lie
GAP = 4  # px between the pictures of a triptych

ALL = slice(None)

Bytes = NDArray[np.uint8]
Ints = NDArray[np.intp]


def ramp(colours: Sequence[str]) -> Bytes:
    """256 colours `[256, 3]` interpolated between those named, as `#rrggbb`."""
    stops = np.array([hex_to_rgb(colour) for colour in colours], np.float64)
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, np.arange(len(stops)), channel) for channel in stops.T]
    return np.stack(channels, axis=1).round().astype(np.uint8)


MAGMA = ramp(sequential.Magma)
# Dark where ground and completion agree, so that what differs glows: blue darker, rust brighter.
DIFFERENCE = ramp(["#A9CBE8", "#3F6E99", "#1A1A1A", "#B4532F", "#F6C3A4"])


def ground(patch: Patch, stretch: tuple[float, float]) -> Bytes:
    """A picture `[H, W, 3]` of ground in grey, nodata hatched."""
    shown = np.maximum(grey(patch.dn, stretch), STRIPE + 6)
    height, width = shown.shape
    rows, cols = np.arange(height)[:, None], np.arange(width)[None]
    hatching = np.where((rows + cols) % HATCH < 2, STRIPE, BLANK).astype(np.uint8)
    return np.repeat(np.where(patch.valid, shown, hatching)[..., None], 3, axis=2)


def overview(scene: Scene, width: int, height: int) -> Bytes:
    """The whole scene `[H, W, 3]`, as large as it fits into `width` x `height` px."""
    shrink = max(scene.width / width, scene.height / height)
    side = max(1, int(max(scene.width, scene.height) / shrink))
    return ground(scene.overview(side), scene.stretch)


def heat(scores: ScoreMap, rows: Ints | slice = ALL, cols: Ints | slice = ALL) -> Bytes:
    """Some rows and columns of a score map, `[n, m, 4]` in magma; clear where not scored."""
    values = scores.values[rows][:, cols]
    known = np.isfinite(values)
    low, high = ends(scores)
    span = (high - low) or 1.0
    levels = np.clip((np.where(known, values, low) - low) / span, 0, 1)
    colours = MAGMA[(255 * levels).astype(np.uint8)]
    alpha = np.where(known, 255, 0).astype(np.uint8)
    return np.concatenate([colours, alpha[..., None]], axis=2)


def ends(scores: ScoreMap) -> tuple[float, float]:
    """The scores shown darkest and brightest: half of them lie below, one in a thousand above.

    Of a large map a million evenly chosen scores tell.
    """
    step = max(1, math.isqrt(scores.values.size // SAMPLE))
    some = scores.values[::step, ::step]
    present = some[np.isfinite(some)]
    if not len(present):  # but of a few positions of interest all
        present = scores.present
    if not len(present):
        return 0.0, 1.0
    low, high = np.percentile(present, [50, 99.9])
    return float(low), float(high)


def draw_scores(picture: Bytes, scores: ScoreMap, boxes: Sequence[Box] = ()) -> Bytes:
    """An overview `[H, W, 3]` with the scores laid over it and boxes of the scene drawn on it."""
    scale = picture.shape[1] / scores.grid.width
    base = Image.fromarray(picture).convert("RGBA")
    step, start = scores.grid.stride * scale, round(scores.grid.origin * scale)
    # What is not shown is not coloured: a whole scene has 71 million scores.
    shown = heat(scores, *(_nearest(length, step) for length in scores.values.shape))
    layer = Image.fromarray(shown)
    layer.putalpha(layer.getchannel("A").point(lambda alpha: round(alpha * HEAT)))
    base.alpha_composite(
        layer.crop((0, 0, base.width - start, base.height - start)), (start, start)
    )
    pen = ImageDraw.Draw(base)
    for box in boxes:
        edges = [edge * scale for edge in box.grow(round(6 / scale))]
        pen.rectangle(edges, outline=RUST, width=2)
    return np.asarray(base.convert("RGB"))


def _nearest(length: int, step: float) -> Ints:
    """Which of so many positions lie nearest to each px, where they are `step` px apart."""
    count = max(1, round(length * step))
    return np.asarray((np.arange(count) + 0.5) * length / count, np.intp)


def draw_outlines(picture: Bytes, region: Region, scene: Scene) -> Bytes:
    """An overview `[H, W, 3]` with the outlines of an area of interest."""
    scale = picture.shape[1] / scene.width
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for polygon in region.polygons:
        for ring in polygon:
            pen.line([(x * scale, y * scale) for x, y in ring], fill=RUST, width=2)
    return np.asarray(image)


def difference(values: NDArray[np.float32], span: float) -> Bytes:
    """Signed DN `[H, W]` as colours `[H, W, 3]`: dark is zero, `span` DN is the end each way."""
    levels = np.clip(values / (span or 1.0), -1, 1)
    return np.asarray(DIFFERENCE[np.rint((levels + 1) * 127.5).astype(np.uint8)])


def span(scene: Scene) -> float:
    """DN of difference that is shown brightest."""
    return 4 * scene.scale


def triptych(shown: Triptych, scene: Scene) -> bytes:
    """A PNG of query, completion and difference side by side, the corners of what was scored."""
    parts = _parts(shown, scene)
    for part in parts:
        _outline(part, shown.scored)
    return png(_row(parts))


def completion_png(shown: Triptych, scene: Scene) -> bytes:
    """A PNG of completion and difference side by side, the corners of what was scored."""
    parts = _parts(shown, scene)[1:]
    for part in parts:
        _outline(part, shown.scored)
    return png(_row(parts))


def zooms(shown: Triptych, scene: Scene, factors: Sequence[int] = (1, 2, 4)) -> bytes:
    """A PNG with a row of the triptych for each factor, its middle enlarged so many times."""
    side = shown.query.shape[0]
    rows = []
    for factor in factors:
        part, scored = side // factor, shown.scored.width
        start, edge = (side - part) // 2, factor * ((side - scored) // 2 - (side - part) // 2)
        crops = [
            picture[start : start + part, start : start + part].repeat(factor, 0).repeat(factor, 1)
            for picture in _parts(shown, scene)
        ]
        for crop in crops:
            if edge > 1:
                _outline(crop, Box(edge, edge, edge + factor * scored, edge + factor * scored))
        rows.append(_row(crops))
    width = min(row.shape[1] for row in rows)
    gap = np.full((GAP, width, 3), 20, np.uint8)
    return png(np.concatenate([p for row in rows for p in (row[:, :width], gap)][:-1]))


def _parts(shown: Triptych, scene: Scene) -> list[Bytes]:
    return [
        np.repeat(grey(shown.query, scene.stretch)[..., None], 3, axis=2),
        np.repeat(grey(shown.completion, scene.stretch)[..., None], 3, axis=2),
        difference(shown.difference, span(scene)),
    ]


def _row(parts: Sequence[Bytes]) -> Bytes:
    gap = np.full((parts[0].shape[0], GAP, 3), 20, np.uint8)
    return np.concatenate([picture for part in parts for picture in (part, gap)][:-1], axis=1)


def around(scene: Scene, box: Box) -> Bytes:
    """A picture `[H, W, 3]` of a box that may reach beyond the border, hatched there."""
    inside = Box(
        max(0, box.x_min),
        max(0, box.y_min),
        min(scene.width, box.x_max),
        min(scene.height, box.y_max),
    )
    patch = scene.read(inside)
    rows = (inside.y_min - box.y_min, box.y_max - inside.y_max)
    cols = (inside.x_min - box.x_min, box.x_max - inside.x_max)
    dn, valid = np.pad(patch.dn, (rows, cols)), np.pad(patch.valid, (rows, cols))
    return ground(Patch(dn, valid, np.zeros_like(valid)), scene.stretch)


def _outline(picture: Bytes, box: Sequence[int]) -> None:
    """Draws the corners of a box, so that its content stays in sight."""
    left, top, right, bottom = box[0] - 1, box[1] - 1, box[2], box[3]
    length = max(4, (right - left) // 6)
    for y in (top, bottom):
        picture[y, left : left + length] = picture[y, right - length + 1 : right + 1] = 205
    for x in (left, right):
        picture[top : top + length, x] = picture[bottom - length + 1 : bottom + 1, x] = 205


def scores_tile(scores: ScoreMap, box: Box, ends: tuple[float, float]) -> Bytes:
    """The strongest scores in a box of the scene as a tile `[TILE, TILE, 4]` in magma.

    What scores low lets the ground through; where nothing was scored the tile is clear.

    Args:
        box: in px of the scene; it may reach beyond the scores.
        ends: the scores shown darkest and brightest.
    """
    grid = scores.grid
    rows = _starts(box.y_min, box.height, grid.origin, grid.stride)
    cols = _starts(box.x_min, box.width, grid.origin, grid.stride)
    known_rows, known_cols = _holds_score(rows, grid.rows), _holds_score(cols, grid.cols)
    tile = np.zeros((TILE, TILE, 4), np.uint8)
    if not (known_rows.any() and known_cols.any()):
        return tile
    top, left = max(rows[0], 0), max(cols[0], 0)
    part = np.asarray(scores.values[top : rows[-1], left : cols[-1]])
    row_starts = np.clip(rows[:-1][known_rows] - top, 0, None)
    col_starts = np.clip(cols[:-1][known_cols] - left, 0, None)
    # A start that is the next one's too gives its own score: so the same line enlarges.
    pooled = np.fmax.reduceat(np.fmax.reduceat(part, row_starts, axis=0), col_starts, axis=1)
    low, high = ends
    levels = np.clip((np.nan_to_num(pooled, nan=low) - low) / ((high - low) or 1.0), 0, 1)
    colours = MAGMA[(255 * levels).astype(np.uint8)]
    alpha = np.where(np.isfinite(pooled), 70 + 185 * np.sqrt(levels), 0).astype(np.uint8)
    tile[np.ix_(known_rows, known_cols)] = np.concatenate([colours, alpha[..., None]], axis=2)
    return tile


def _starts(start: int, length: int, origin: float, stride: int) -> NDArray[np.int64]:
    """The first score of each of a tile's pixels, and the first beyond the last, `[TILE + 1]`."""
    edges = start + np.arange(TILE + 1) * (length / TILE) - origin
    first = np.floor(edges / stride).astype(np.int64)
    first[-1] = max(first[-1], first[-2] + 1)
    return first


def _holds_score(starts: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """True for the pixels of a tile that hold one of `count` scores, or lie in one."""
    return (starts[:-1] < count) & (np.maximum(starts[1:], starts[:-1] + 1) > 0)


def jpeg(pixels: Bytes, quality: int = 88) -> bytes:
    """A JPEG of `[H, W, 3]` pixels that are grey."""
    memory = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(memory, format="JPEG", quality=quality)
    return memory.getvalue()
