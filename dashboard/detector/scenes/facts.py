"""What a picture's file tells of the scene, and what reading it found, ready for JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dashboard.detector.files.left_out import left_out
from dashboard.detector.files.picture import Picture
from dashboard.detector.georeference.labels import placement_of
from dashboard.detector.scenes.dn_statistics import Statistics
from dashboard.detector.scenes.fill_values import Fills


def facts_of_source(picture: Picture, name: str, digest: str) -> dict[str, Any]:
    """What the source alone tells of the scene."""
    source = picture.source
    place = placement_of(source, picture.label.map_numbers if picture.label else None)
    return {
        "name": name,
        "sha256": digest,
        "driver": source.driver,
        "width": source.width,
        "height": source.height,
        "bands": source.count,
        "dtype": source.dtypes[0],
        "bits": source.tags(1, ns="IMAGE_STRUCTURE").get("NBITS"),
        "crs": place.crs,
        "transform": place.transform,
        "nodata": picture.declared,
        "declares": picture.declares,
        "nodata_given": picture.given is not None,
        "notes": (*place.notes, *picture.notes, *left_out(source)),
    }


def completed(
    facts: dict[str, Any], found: Statistics, nodata: int, fills: Fills
) -> dict[str, Any]:
    """The facts with what the passes found: all of `Scene` but its path."""
    area = facts["width"] * facts["height"]
    declared, bits = facts["nodata"], facts["bits"]
    if bits is None:
        whole = np.issubdtype(np.dtype(facts["dtype"]), np.integer)
        bits = max(int(found.largest).bit_length(), 8) if whole else 32
    if declared is None and nodata:
        declared = fills.values[0] if fills.values else 0.0
    return facts | {
        "nodata": _finite(declared),
        "notes": (*facts["notes"], *fills.notes),
        "bits": int(bits),
        "centre": found.centre,
        "scale": found.scale,
        "stretch": found.stretch,
        "valid_fraction": (area - nodata) / area,
    }


def _finite(value: float | None) -> float | None:
    """The value; None where it is none that JSON could hold: what is not finite is no DN anyway."""
    return value if value is not None and math.isfinite(value) else None
