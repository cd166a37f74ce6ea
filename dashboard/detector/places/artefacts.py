"""Places that the camera or the file may have made: flagged apart, never dropped in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Floats
from dashboard.detector.places.detections import Detection
from dashboard.detector.places.sigma_map import SigmaMap
from dashboard.detector.scenes.survey import CELL, Survey

RIM = 64  # px from the border of the picture or of its ground: the network had to guess beyond
CLIPPED = 0.05  # of the pixels around a place: hardware glints in a few
BLOCKY = 1.5  # times the steps within blocks
SPOILERS = ("seam", "saturated")  # artefacts that can fill the tail of a scene
SPOILT = 0.25  # of a tail's places that have one of these: then the tail is theirs
ROUNDING = 1e-9  # sigma, by which a place may seem to lie below itself

Bools = NDArray[np.bool_]


def with_artefacts(
    found: Sequence[Detection], survey: Survey, size: tuple[int, int]
) -> list[Detection]:
    """The detections, each with the reasons why it may be an artefact.

    These are `border`, `nodata rim`, `saturated`, `seam` and `JPEG blocks`.

    Args:
        size: width and height of the scene in px.
    """
    if not found:
        return []
    boxes = np.array([detection.box for detection in found])
    inner = np.minimum(boxes[:, :2].min(axis=1), (np.array(size) - boxes[:, 2:]).min(axis=1))
    signs: dict[str, Bools] = {
        "border": inner < RIM,
        "nodata rim": _around(survey.cells["ground"], boxes, RIM, 1)[0].min(axis=(1, 2)) < 1,
        "saturated": _mean_around(survey.cells["saturated"], boxes) > CLIPPED,
        "seam": _around(survey.cells["seams"], boxes, 0)[0].max(axis=(1, 2)) > 0,
        "JPEG blocks": _mean_around(survey.cells["blocks"], boxes) > BLOCKY,
    }
    reasons = [tuple(name for name, sign in signs.items() if sign[i]) for i in range(len(found))]
    return [
        replace(detection, artefacts=why) if why else detection
        for detection, why in zip(found, reasons, strict=True)
    ]


def spoilt(sigmas: SigmaMap, survey: Survey, size: tuple[int, int]) -> tuple[str, ...]:
    """Why the tail may be that of the camera rather than of the ground; nothing where it is not.

    Args:
        size: width and height of the scene in px.
    """
    beyond = sigmas.tail.beyond
    if not beyond:
        return ()
    lowest = float(sigmas.places[beyond - 1]) - ROUNDING
    strongest = with_artefacts(sigmas.find(lowest)[:beyond], survey, size)
    number = sum(any(why in detection.artefacts for why in SPOILERS) for detection in strongest)
    if number < max(2, SPOILT * len(strongest)):
        return ()
    return (
        f"{number:,} of the {len(strongest):,} strongest places lie on seams or clipped ground",
    )


def _mean_around(cells: NDArray[Any], boxes: NDArray[np.intp]) -> Floats:
    """The mean of the cells that each box touches."""
    values, known = _around(cells, boxes, 0)
    return np.asarray(values.sum(axis=(1, 2)) / known.sum(axis=(1, 2)))


def _around(
    cells: NDArray[Any], boxes: NDArray[np.intp], rim: int, off: float = 0.0
) -> tuple[Floats, Bools]:
    """The cells that each box grown by `rim` px touches, `off` off the map; which are on it."""
    height, width = cells.shape
    rows, known_rows = _range(boxes[:, 1] - rim, boxes[:, 3] + rim, height)
    cols, known_cols = _range(boxes[:, 0] - rim, boxes[:, 2] + rim, width)
    known = known_rows[:, :, None] & known_cols[:, None]
    values = cells[rows[:, :, None], cols[:, None]].astype(np.float32)
    return np.where(known, values, np.float32(off)), known


def _range(
    low: NDArray[np.intp], high: NDArray[np.intp], length: int
) -> tuple[NDArray[np.intp], Bools]:
    """Cells `[n, k]` from each `low` to `high` px, and which of them there are."""
    first, last = np.maximum(low, 0) // CELL, np.minimum(-(-high // CELL), length)
    cells = first[:, None] + np.arange((last - first).max())
    return np.minimum(cells, length - 1), cells < last[:, None]
