"""Kinds: places that look alike, to be judged together; and how alike two places look.

Places are described by the numbers that a judge gives them, each in its standard deviations over
the scene's places; two are as alike as the cosine between them. Kinds are what average linkage
joins: in a kind, two places are alike by `ALIKE` on average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from dashboard.detector.arrays import Floats
from dashboard.detector.places.detections import Detection
from dashboard.detector.scanning.nearest import standardised
from dashboard.detector.scanning.place_table import PlaceTable

Ints = NDArray[np.intp]

ALIKE = 0.6  # cosine, on average, within a kind
FEWEST = 4  # places of a kind: what is rarer is looked at one by one
MOST_MEMBERS = 18  # of a kind: twice as many as are in sight at once; what is larger is parted
MOST_KINDS = 12  # the largest, as many as a column shows
MOST_PLACES = 2_000  # the strongest, which are grouped


@dataclass(frozen=True)
class Kind:
    """Places that look alike, by their index in the list, strongest first."""

    members: tuple[int, ...]
    best: int  # the strongest


def directions(table: PlaceTable, found: Sequence[Detection]) -> Floats | None:
    """Unit vectors `[n, D]` that tell places apart; 0 where one was not looked at.

    None where nothing is known of any.
    """
    rows, cols = (
        np.array([getattr(detection, axis) for detection in found], int) for axis in ("row", "col")
    )
    lines = table.index(rows, cols)
    if not len(found) or (lines < 0).all():
        return None
    unit = unit_vectors(standardised(table.descriptions))
    return np.where(lines[:, None] >= 0, unit[lines], np.float32(0))


def likeness(table: PlaceTable, row: int, col: int) -> Floats | None:
    """How alike each place of a table is to one of them, `[n]`: 1 is the same, 0 nothing alike.

    None where that place was not looked at.
    """
    (line,) = table.index(np.array([row]), np.array([col])).tolist()
    if line < 0:
        return None
    unit = unit_vectors(standardised(table.descriptions))
    return np.asarray(unit @ unit[line], np.float32)


def kinds(unit: Floats) -> list[Kind]:
    """The kinds among places `[n, D]`, strongest first: the largest first."""
    known = np.flatnonzero(unit.any(axis=1))
    grouped = known[:MOST_PLACES]
    if len(grouped) < FEWEST:
        return []
    joined = linkage(pdist(unit[grouped].astype(np.float64), "cosine"), "average")
    labels = fcluster(joined, 1 - ALIKE, "distance")
    groups = [
        part for label in np.unique(labels) for part in _parts(unit, grouped[labels == label])
    ]
    groups = sorted((group for group in groups if len(group) >= FEWEST), key=len, reverse=True)
    return [Kind(tuple(group.tolist()), int(group[0])) for group in groups[:MOST_KINDS]]


def first_looks(count: int, found: Sequence[Kind]) -> list[int]:
    """The places to look at first, strongest first: the best of each kind, and those of none."""
    later = {index for kind in found for index in kind.members if index != kind.best}
    return [index for index in range(count) if index not in later]


def unit_vectors(values: Floats) -> Floats:
    """Rows `[n, D]` of length 1; 0 where they have none."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1), np.float32)


def _parts(unit: Floats, kind: Ints) -> list[Ints]:
    """A kind in parts that are no larger than one may be, by complete linkage."""
    if len(kind) <= MOST_MEMBERS:
        return [kind]
    joined = linkage(pdist(unit[kind].astype(np.float64), "cosine"), "complete")
    labels = fcluster(joined, math.ceil(len(kind) / MOST_MEMBERS), "maxclust")
    parts = [kind[labels == label] for label in np.unique(labels)]
    if len(parts) == 1:  # all the same
        parts = np.array_split(kind, 2)
    return [smaller for part in parts for smaller in _parts(unit, part)]
