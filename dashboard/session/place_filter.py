"""The filter of places on Review: which places of the open scan are listed, and their measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from dashboard.detector import (
    ROUGHNESS,
    Detection,
    Finished,
    Measure,
    Place,
    measure,
)
from dashboard.session import address, state

FILTER = "filter"

Range = tuple[float, float]


@dataclass(frozen=True)
class Filter:
    """Which places are listed; an empty filter lists all. A range includes its ends.

    By verdict the browser filters, which knows the latest.
    """

    sigma: Range | None = None
    size: Range | None = None  # px, length of what stands out
    brightness: Range | None = None  # a part of the ground's DN
    ground: tuple[str, ...] = ()  # of the `ROUGHNESS`

    @property
    def measures(self) -> bool:
        """True where places must be measured to be filtered."""
        return self.size is not None or self.brightness is not None

    @classmethod
    def of_address(cls) -> Filter:
        """The filter that the address names; what it does not know lists all."""
        return cls(
            sigma=address.numbers("sigmas"),
            size=address.numbers("size"),
            brightness=address.numbers("brightness"),
            ground=address.several("ground", ROUGHNESS),
        )

    def to_address(self) -> dict[str, str]:
        """The filter as the address names it; only what it filters by."""
        ranges = {"sigmas": self.sigma, "size": self.size, "brightness": self.brightness}
        said = {"ground": ",".join(self.ground)}
        # Every digit: a range includes its ends, which are measures of places.
        said |= {name: f"{ends[0]},{ends[1]}" for name, ends in ranges.items() if ends}
        return {name: value for name, value in said.items() if value}


def passing_filter(scan: state.OpenScan, finished: Finished) -> list[Detection]:
    """The places beyond the threshold that pass this session's filter, strongest first."""
    wanted = current_filter()
    if wanted == Filter():
        return finished.detections
    measured = measures(finished) if wanted.measures else {}
    found = [detection for detection in finished.detections if _passes(detection, wanted, measured)]
    if wanted.ground:
        found = [detection for detection in found if scan.roughness(detection) in wanted.ground]
    return found


def _passes(found: Detection, wanted: Filter, measured: Mapping[Place, Measure | None]) -> bool:
    if not _within(found.sigma, wanted.sigma):
        return False
    if not wanted.measures:
        return True
    size = measured[found.place]
    if size is None:
        return False
    return _within(size.length, wanted.size) and _within(size.brightness, wanted.brightness)


def _within(value: float, ends: Range | None) -> bool:
    return ends is None or ends[0] <= value <= ends[1]


def measures(finished: Finished) -> dict[Place, Measure | None]:
    """The measures of all places beyond the threshold; each is taken once."""
    kept = _measures(finished.scene.sha256, finished.scores.window)
    for found in finished.detections:
        if found.place not in kept:
            kept[found.place] = measure(finished.scene, found)
    return kept


@st.cache_resource(show_spinner=False, max_entries=4)
def _measures(scene: str, window: int) -> dict[Place, Measure | None]:
    return {}


def measure_of(finished: Finished, found: Detection) -> Measure | None:
    """The measure of one place."""
    kept = _measures(finished.scene.sha256, finished.scores.window)
    if found.place not in kept:
        kept[found.place] = measure(finished.scene, found)
    return kept[found.place]


def current_filter() -> Filter:
    """The filter of this session; that of the address at its beginning."""
    if FILTER not in st.session_state:
        st.session_state[FILTER] = Filter.of_address()
    found = st.session_state[FILTER]
    return found if isinstance(found, Filter) else Filter()


def set_filter(wanted: Filter) -> None:
    """List other places."""
    st.session_state[FILTER] = wanted
