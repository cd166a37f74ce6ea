"""Similar places in the other scenes of a home: where else something like it was seen.

All are measured by the scene that the place lies in, as its own places are: in standard deviations
over them. (Tried on five grounds with the same things planted on each: by their pooled deviations,
by each scene's own, and as the network gives them, the same things stood lower.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dashboard.detector.review.kinds import unit_vectors
from dashboard.detector.scanning.nearest import standardised
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.scanning.store import ScanStore

MOST = 24  # places


@dataclass(frozen=True)
class SimilarPlace:
    """A place of another scene, and how alike it is: 1 is the same, 0 nothing alike."""

    store: ScanStore
    row: int
    col: int
    alike: float


def similar_places(
    store: ScanStore, row: int, col: int, scans: Iterable[ScanStore]
) -> list[SimilarPlace] | None:
    """The places of other scenes that look most like one of a scan, the most alike first.

    Of each scene the first finished scan is searched whose places the same network describes.

    Returns:
        At most `MOST`; None where the place was not looked at.
    """
    table = store.places()
    (line,) = (-1,) if table is None else table.index(np.array([row]), np.array([col])).tolist()
    if table is None or line < 0:
        return None
    asked = np.asarray(table.descriptions)
    (unit,) = unit_vectors(standardised(asked[line : line + 1], asked))
    found: list[SimilarPlace] = []
    for other, known in _others(store, scans):
        alike = unit_vectors(standardised(known.descriptions, asked)) @ unit
        for index in np.argsort(-alike, kind="stable")[:MOST].tolist():
            position = int(known.rows[index]), int(known.cols[index])
            found.append(SimilarPlace(other, *position, round(float(alike[index]), 3)))
    return sorted(found, key=lambda place: -place.alike)[:MOST]


def _others(store: ScanStore, scans: Iterable[ScanStore]) -> Iterator[tuple[ScanStore, PlaceTable]]:
    """One scan of each other scene, and its places."""
    seen = {store.record.scene_sha256}
    for other in scans:
        if not other.finished or other.record.scene_sha256 in seen:
            continue
        same = ("judge_sha256", "table")
        if any(getattr(other.record, name) != getattr(store.record, name) for name in same):
            continue
        known = other.places()
        if known is not None and len(known):
            seen.add(other.record.scene_sha256)
            yield other, known
