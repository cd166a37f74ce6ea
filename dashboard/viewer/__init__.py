"""The Review page's own part in the browser: sheet, close-up, map and keys, by scripts of our own.

The scripts come with the page and ask this server alone for pictures and verdicts: no internet is
needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dashboard.detector import LATER, Detection, Kind, Place, Rings, Scene, first_looks

HERE = Path(__file__).parent
# In this order, as one.
SCRIPTS = (
    "queue decisions tiles map contact_sheet close_up sidebar verdict_actions keys review".split()
)
KNOWN_POINTS = 17  # along each side of a scene, between which longitude and latitude are linear
SMALLEST_PICTURE = 96  # px of ground, of a place in the sheet


@dataclass(frozen=True)
class Layers:
    """The pictures of a scan: their content and their addresses."""

    tiles: str  # address
    scene: Scene
    ends: tuple[float, float]  # the scores shown darkest and brightest
    done: int  # positions scored: it decides what the tiles of the scores show
    side: float  # px of the ground a score was taken over
    unscored: Sequence[Rings] = ()  # polygons of the ground that was not scored

    @property
    def stretch(self) -> str:
        """The DN shown black and white, as the addresses of tiles have them."""
        return ",".join(f"{end:g}" for end in self.scene.stretch)


@dataclass(frozen=True)
class Addresses:
    """Where the browser asks about a scan."""

    scan: str  # its key
    verdicts: str  # of all scans; the key is added
    places: str  # of what is known of this scan's places


@dataclass(frozen=True)
class ListedPlaces:
    """The places to review, strongest first, and what is said beside them."""

    detections: Sequence[Detection]
    about: str  # the scan in a line
    threshold: str  # in a line
    nothing: str  # where there is no place
    kinds: Sequence[Kind] = ()  # of places that look alike, by their indices
    go: tuple[int, Place | None] = (0, None)  # a place to go to, and the number of that wish


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


_review = st.components.v2.component(
    "needle_review",
    js="".join(_text(f"{name}.js") for name in SCRIPTS),
    css=_text("map.css") + _text("review.css"),
)


def review(
    layers: Layers, addresses: Addresses, listed: ListedPlaces, on_why: Callable[[Place], None]
) -> None:
    """The sheet of places with the chosen one large, verdicts by keys, and the map.

    Args:
        on_why: called with the place that is to be explained.
    """
    _review(
        key="review",
        data=_ground(layers) | _places(listed, layers) | vars(addresses),
        on_why_change=lambda: on_why(_place(st.session_state["review"]["why"])),
    )


def _ground(layers: Layers) -> dict[str, Any]:
    scene = layers.scene
    return {
        "tiles": layers.tiles,
        "name": scene.name,
        "width": scene.width,
        "height": scene.height,
        "stretch": layers.stretch,
        "ends": ",".join(f"{end:g}" for end in layers.ends),
        "done": layers.done,
        "side": layers.side,
        "unscored": list(layers.unscored),
        "metres": scene.pixel_size,
        "lonlat": lonlat_grid(scene),
        "thumb": max(SMALLEST_PICTURE, round(4 * layers.side)),
    }


def _places(listed: ListedPlaces, layers: Layers) -> dict[str, Any]:
    detections = listed.detections
    return {
        "x": [detection.x for detection in detections],
        "y": [detection.y for detection in detections],
        "row": [detection.row for detection in detections],
        "col": [detection.col for detection in detections],
        "rank": [detection.rank for detection in detections],
        "sigma": [round(detection.sigma, 3) for detection in detections],
        "may": [", ".join(detection.artefacts) for detection in detections],
        "kinds": [{"members": kind.members, "best": kind.best} for kind in listed.kinds],
        "first": first_looks(len(detections), listed.kinds) if listed.kinds else [],
        "about": listed.about,
        "threshold": listed.threshold,
        "nothing": listed.nothing,
        "later": [[number, round(100 * part)] for number, part in LATER],
        "go": list(listed.go),
    }


def _place(said: Any) -> Place:
    x, y = said
    return float(x), float(y)


def lonlat_grid(scene: Scene) -> dict[str, Any] | None:
    """Longitudes and latitudes `[17][17]` of points spread over a scene; None without a CRS.

    Longitudes go on beyond 0 and 360 where the scene lies across, so that they can be averaged.
    """
    across = np.linspace(0, scene.width, KNOWN_POINTS)
    down = np.linspace(0, scene.height, KNOWN_POINTS)
    xs, ys = (axis.ravel().tolist() for axis in np.meshgrid(across, down))
    known = scene.lonlats(xs, ys)
    if any(point is None for point in known):
        return None
    points = np.array(known, np.float64).reshape(KNOWN_POINTS, KNOWN_POINTS, 2)
    lon = np.unwrap(np.unwrap(points[..., 0], axis=1, period=360), axis=0, period=360)
    return {"lon": lon.round(8).tolist(), "lat": points[..., 1].round(8).tolist()}
