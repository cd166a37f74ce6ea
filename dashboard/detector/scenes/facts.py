"""Facts of a scene, ready for JSON: metadata of its file, and statistics found by reading it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.detector.files.ignored_metadata import ignored_metadata
from dashboard.detector.files.pds3_label import map_numbers
from dashboard.detector.files.picture import Picture
from dashboard.detector.georeference.labels import placement_of
from dashboard.detector.scenes.dn_statistics import Statistics
from dashboard.detector.scenes.fill_values import Fills


def facts_of_source(picture: Picture, name: str, digest: str) -> dict[str, Any]:
    """Facts of the scene from the metadata of its source alone."""
    source = picture.source
    labelled = source.driver in ("PDS", "ISIS3")
    place = placement_of(source, map_numbers(Path(source.name), name) if labelled else {})
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
        "notes": (*place.notes, *picture.notes, *ignored_metadata(source)),
    }


def completed(
    facts: dict[str, Any], found: Statistics, nodata: int, fills: Fills
) -> dict[str, Any]:
    """The facts with what the passes found: all of `Scene` but its path."""
    area = facts["width"] * facts["height"]
    bits = facts["bits"]
    if bits is None:
        whole = np.issubdtype(np.dtype(facts["dtype"]), np.integer)
        bits = max(int(found.largest).bit_length(), 8) if whole else 32
    told = {key: value for key, value in facts.items() if key != "blanks"}
    return told | {
        "nodata": _finite(_nodata(facts, fills)) if nodata or facts["declares"] else None,
        "notes": (*facts["notes"], *fills.notes),
        "bits": int(bits),
        "centre": found.centre,
        "scale": found.scale,
        "stretch": found.stretch,
        "valid_fraction": (area - nodata) / area,
    }


def _nodata(facts: dict[str, Any], fills: Fills) -> float | None:
    """The DN that is nodata: as it is declared, else what was found; None where it is no DN."""
    if facts["declares"] and facts["nodata"] is not None:
        return float(facts["nodata"])
    if fills.values:
        return fills.values[0]
    blanks = [(px, dn) for dn, px in facts["blanks"].items() if px]
    return max(blanks)[1] if blanks else None


def _finite(value: float | None) -> float | None:
    """The value; None where it is none that JSON could hold: what is not finite is no DN anyway."""
    return value if value is not None and math.isfinite(value) else None
