"""What Streamlit has no widget for, drawn in the browser by scripts of our own: map and gallery.

The scripts come with the page and ask this server alone for pictures: no internet is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dashboard.detector import Detection, Rings, Scene, Verdict

HERE = Path(__file__).parent
LETTERS = {
    Verdict.UNREVIEWED: "-",
    Verdict.HARDWARE: "h",
    Verdict.NATURAL: "n",
    Verdict.ARTEFACT: "a",
    Verdict.UNSURE: "u",
}
KNOWN_POINTS = 17  # along each side of a scene, between which longitude and latitude are linear
SMALLEST_PICTURE = 96  # px of ground, of a find in the gallery

Place = tuple[float, float]


@dataclass(frozen=True)
class Layers:
    """What a map shows, and where its tiles come from."""

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
class Marked:
    """The finds on a map, in the order of their ranks."""

    finds: Sequence[Detection]
    verdicts: Sequence[Verdict]
    chosen: Detection | None


@dataclass(frozen=True)
class Card:
    """A find in the gallery."""

    found: Detection
    verdict: Verdict
    name: str
    chosen: bool
    selected: bool

    def facts(self) -> dict[str, Any]:
        """What the script is told."""
        return {
            "x": self.found.x,
            "y": self.found.y,
            "rank": self.found.rank,
            "sigma": f"{self.found.sigma:.1f}",
            "verdict": LETTERS[self.verdict],
            "name": self.name,
            "chosen": self.chosen,
            "selected": self.selected,
        }


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


_map = st.components.v2.component(
    "needle_map", js=_text("tiles.js") + _text("map.js"), css=_text("map.css")
)


_gallery = st.components.v2.component(
    "needle_gallery", js=_text("gallery.js"), css=_text("gallery.css")
)


def scene_map(
    layers: Layers, marked: Marked, on_pick: Callable[[Place], None], near: bool = False
) -> None:
    """A map of the scene from the overview to one pixel, with scores and finds.

    Args:
        on_pick: called with the place of a find that is clicked.
        near: begins at the chosen find, not with the whole scene.
    """
    scene, finds = layers.scene, marked.finds
    indices = {(one.row, one.col): index for index, one in enumerate(finds)}
    chosen = marked.chosen
    data = {
        "tiles": layers.tiles,
        "width": scene.width,
        "height": scene.height,
        "stretch": layers.stretch,
        "ends": ",".join(f"{end:g}" for end in layers.ends),
        "done": layers.done,
        "side": layers.side,
        "unscored": list(layers.unscored),
        "metres": scene.pixel_size,
        "lonlat": lonlat_grid(scene),
        "x": [one.x for one in finds],
        "y": [one.y for one in finds],
        "verdict": "".join(LETTERS[verdict] for verdict in marked.verdicts),
        "chosen": indices.get((chosen.row, chosen.col)) if chosen else None,
        "near": near,
    }
    _map(key="map", data=data, on_pick_change=lambda: on_pick(_places("map", "pick")[0]))


def gallery(
    layers: Layers,
    cards: Sequence[Card],
    on_pick: Callable[[Place], None],
    on_select: Callable[[list[Place]], None],
) -> None:
    """A page of finds as pictures of native resolution, to choose one and to select several.

    Args:
        on_pick: called with the place that is clicked.
        on_select: called with all places of this page that are selected, when they change.
    """
    data = {
        "tiles": layers.tiles,
        "stretch": layers.stretch,
        "side": max(SMALLEST_PICTURE, round(4 * layers.side)),
        "cards": [card.facts() for card in cards],
    }
    _gallery(
        key="gallery",
        data=data,
        on_pick_change=lambda: on_pick(_places("gallery", "pick")[0]),
        on_selection_change=lambda: on_select(_places("gallery", "selection")),
    )


def _places(key: str, event: str) -> list[Place]:
    """What a script has said: a place, or a list of them."""
    said = st.session_state[key][event]
    places = [said] if event == "pick" else said
    return [(float(x), float(y)) for x, y in places]


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
