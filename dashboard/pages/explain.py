"""Why a place was flagged: zooms, residual, profile, the scores around it, in words and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping

import streamlit as st

from dashboard.detector import Detection, Finished, Measure, Scene
from dashboard.drawing import charts, pictures
from dashboard.pages import frame
from dashboard.session import place_filter, state

AROUND = 12  # scores shown each way around the place
SURPRISING = {
    "residual": "differ as much from what was expected",
    "logit": "look as little like ground",
    "novelty": "are as unlike all others",
}


def why(scan: state.OpenScan, finished: Finished, chosen: Detection) -> None:
    """A place explained.

    Raises:
        NeedleError: the model or the scene cannot be read.
    """
    shown = state.triptych(scan, (chosen.row, chosen.col))
    frame.quiet(reason(finished, chosen))
    parts = finished.measured.surprises(chosen.row, chosen.col)
    if parts is not None:
        frame.quiet(surprising(parts))
    with st.container(key="zooms"):
        st.image(pictures.zooms(shown, scan.scene), width="stretch")
    frame.captions("ground", "completion", "difference")
    span = pictures.span(scan.scene)
    frame.quiet(
        f"The tile once, twice, four times. Rust is brighter than expected, blue darker, up to "
        f"{span:,.0f} DN; black is as expected. Corners mark what was scored."
    )
    profile = charts.profile(shown, scan.scene.pixel_size)
    st.plotly_chart(profile, theme=None, config=charts.CONFIG, key="profile")
    around = finished.measured.around(chosen.row, chosen.col, AROUND)
    figure = charts.neighbours(around, finished.scores.grid.stride, scan.scene.pixel_size)
    st.plotly_chart(figure, theme=None, config=charts.CONFIG, key="neighbours")


def reason(finished: Finished, chosen: Detection) -> str:
    """Why this place was flagged, in words."""
    settings, record = finished.settings, finished.store.record
    unit = finished.store.unit
    hidden = state.model(record.model_path).card.hole
    return (
        f"Flagged because it scores {chosen.score:.3f}, {chosen.sigma:.1f} σ by the rule "
        f"“{settings.rule}”; the threshold is {settings.sigma:g} σ. {record.model} did not see the "
        f"{_length(hidden, finished)} around a point and was compared with what is there over "
        f"{_length(record.window, finished)}. {frame.count(chosen.tiles, unit)} of this place "
        f"{'lies' if chosen.tiles == 1 else 'lie'} beyond the threshold."
    )


def surprising(parts: Mapping[str, float]) -> str:
    """How surprising a place is, in words, given which parts of the places are as much so."""
    said = (f"{_few(parts[name])} {words}" for name, words in SURPRISING.items())
    return f"Of the places of this scene, {', '.join(said)}."


def _few(part: float) -> str:
    if part < 0.001:
        return "fewer than 0.1%"
    return f"{part:.1%}" if part < 0.1 else f"{part:.0%}"


def _length(px: int, finished: Finished) -> str:
    size = finished.scene.pixel_size
    return f"{px} px ({px * size:.3g} m)" if size else f"{px} px"


def facts(scan: state.OpenScan, finished: Finished, chosen: Detection) -> dict[str, str]:
    """The facts of a place, in words."""
    rows = {
        "score": f"{chosen.sigma:.1f} σ ({chosen.score:.3f})",
        "position": f"x {chosen.x:,.0f}, y {chosen.y:,.0f} px",
    }
    if chosen.lon is not None and chosen.lat is not None:
        rows["areocentric"] = charts.degrees(chosen.lon, chosen.lat)
    measured = place_filter.measure_of(finished, chosen)
    rows["size"] = size(measured, scan.scene.pixel_size)
    if measured:
        rows["to ground"] = contrast(measured)
    if chosen.q is not None:
        rows["false discovery"] = f"{chosen.q:.0%} of the places at least as strong"
    if chosen.artefacts:
        rows["may be"] = ", ".join(chosen.artefacts)
    return rows


WAYS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
SIDES = ("top", "top right", "right", "bottom right", "bottom", "bottom left", "left", "top left")


def looks(measured: Measure | None, scene: Scene) -> str:
    """The measured outline in words: light or dark, how large, and where its shadow falls."""
    if measured is None:
        return size(measured, None)
    kind = "bright" if measured.brightness > 0 else "dark"
    words = f"{kind}, {size(measured, scene.pixel_size)}"
    return words + (f", shadow to the {way(measured, scene)}" if measured.shadow else "")


def way(measured: Measure, scene: Scene) -> str:
    """Where a shadow falls: by the compass where the scene has one, else in the picture."""
    assert measured.shadow is not None
    (across, down), (x, y) = measured.shadow, measured.box.centre
    here, there = scene.lonlats([x, x + across], [y, y + down])
    names, right, up = SIDES, across, -down
    if here and there:
        names, up = WAYS, there[1] - here[1]
        right = ((there[0] - here[0] + 180) % 360 - 180) * math.cos(math.radians(here[1]))
    return names[round(math.degrees(math.atan2(right, up)) / 45) % 8]


def contrast(measured: Measure) -> str:
    """How a place differs from the ground around it, the greater difference first."""
    parts = [(measured.brighter, "brighter"), (-measured.darker, "darker")]
    said = [f"{part:.0%} {word}" for part, word in sorted(parts, reverse=True) if part >= 0.005]
    return ", ".join(said) or "as the ground"


def size(measured: Measure | None, pixel_size: float | None) -> str:
    """Length and width of a place, in metres where they are known."""
    if measured is None:
        return "no clear outline"
    if pixel_size:
        length, width = measured.metres(pixel_size)
        return f"{length:.1f} x {width:.1f} m"
    return f"{measured.length:.0f} x {measured.width:.0f} px"
