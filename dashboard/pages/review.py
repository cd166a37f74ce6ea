"""Review: look, decide what is worth a second look, and set where the list ends."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import viewer
from dashboard.detector import (
    Detection,
    Finished,
    Kind,
    NeedleError,
    Place,
    Rings,
    directions,
    false_alarms,
    kinds,
)
from dashboard.pages import explain, filters, frame, stretch, threshold
from dashboard.session import place_filter, state
from dashboard.viewer import addresses

GO, WHY = "review_go", "review_why"  # of the session: a place to go to; one to explain
KEPT = ("find", "verdict")  # of the address, which the browser writes


def page() -> None:
    """The sheet; in drawers what sets the threshold, and why a place was flagged."""
    scan = frame.current_scan()
    if scan is None:
        return
    place = st.container(key="review_place")
    with st.container(key="drawer"):
        finished = threshold.choose(scan, on_bar=lambda sigma: _to_bar(scan, sigma))
        seen = replace(scan, scene=stretch.choose_stretch(scan.scene))
        filters.filters(scan, finished)
    found = place_filter.passing_filter(scan, finished)
    with place:
        _sheet(seen, finished, found)
    with st.container(key="why"):
        _why(seen, finished)
    _keep_address(scan)


def _sheet(scan: state.OpenScan, finished: Finished, found: list[Detection]) -> None:
    store = scan.store
    ends = state.score_ends(store.key, store.done, scan.scores)
    tiles = addresses.tiles_of(store)
    unscored = _unscored_rings(store.key, store.done, scan)
    layers = viewer.Layers(tiles, scan.scene, ends, store.done, scan.scores.window, unscored)
    asked = viewer.Addresses(store.key, addresses.verdicts(), addresses.places_of(store))
    listed = viewer.ListedPlaces(
        found,
        about=f"{store.scene_name}, {store.model_name}, stride {store.stride} px",
        threshold=_threshold(finished),
        nothing=_nothing(finished),
        kinds=_kinds(
            store.key, store.done, tuple(detection.place for detection in found), scan, found
        ),
        go=st.session_state.get(GO, (0, None)),
    )
    viewer.review(layers, asked, listed, on_why=_explain)


@st.cache_data(show_spinner=False, max_entries=8)
def _unscored_rings(key: str, done: int, _scan: state.OpenScan) -> list[Rings]:
    """Polygons of the ground that was not scored."""
    coverage = _scan.at(state.sigma()).coverage
    return [rings for _, rings in coverage.unscored()]


@st.cache_data(show_spinner=False, max_entries=16)
def _kinds(
    key: str,
    done: int,
    places: tuple[Place, ...],
    _scan: state.OpenScan,
    _found: list[Detection],
) -> list[Kind]:
    """The kinds among the places that are listed; none where nothing describes them."""
    table = _scan.scores.places
    unit = None if table is None else directions(table, _found)
    return [] if unit is None else kinds(unit)


def _threshold(finished: Finished) -> str:
    expected = false_alarms(finished.expected)
    places = frame.count(len(finished.detections), "place")
    return f"{finished.settings.sigma:.1f} σ: {places}; expect {expected}"


def _nothing(finished: Finished) -> str:
    if finished.detections:
        return "Nothing passes the filter; T opens it."
    return "Nothing lies beyond this threshold; T opens it, lower it to see weaker places."


def _to_bar(scan: state.OpenScan, sigma: float) -> None:
    """Goes to what a bar of the histogram stands for, where it lies beyond the threshold."""
    found = place_filter.passing_filter(scan, scan.at(state.sigma()))
    if found and sigma >= state.sigma():
        nearest = min(found, key=lambda detection: abs(detection.sigma - sigma))
        number, _ = st.session_state.get(GO, (0, None))
        st.session_state[GO] = (number + 1, nearest.place)


def _explain(place: Place) -> None:
    st.session_state[WHY] = place


def _why(scan: state.OpenScan, finished: Finished) -> None:
    """Why the place that was asked about was flagged."""
    place = st.session_state.get(WHY)
    chosen = next(
        (detection for detection in finished.detections if detection.place == place), None
    )
    if chosen is None:
        return
    st.subheader(f"Why place {chosen.rank}")
    try:
        frame.facts(explain.facts(scan, finished, chosen), "find_facts")
        explain.why(scan, finished, chosen)
    except NeedleError as error:
        frame.trouble(error)


def _keep_address(scan: state.OpenScan) -> None:
    """Keeps what is shown in the address, and what the browser says there of itself."""
    own = {name: st.query_params[name] for name in KEPT if name in st.query_params}
    state.keep_address(scan.store, **own, **place_filter.current_filter().to_address())
