"""Review: threshold, look, decide what is worth a second look."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import viewer
from dashboard.detector import NeedleError, Rings
from dashboard.pages import explain, frame, gallery, judging, stretch, threshold
from dashboard.session import address, state
from dashboard.session import desk as desks
from dashboard.session.desk import Desk
from dashboard.viewer import addresses

LOOK, WHY = "Look", "Why"
MAP = 562  # px, kept until the map is there; the style makes it as high as the window lets it be


def page() -> None:
    """Threshold and filter, map, the chosen find; below them the gallery."""
    scan = frame.opened()
    if scan is None:
        return
    near = _from_address()
    judging.trouble()
    with st.container(key="desk"):
        wide, right = st.columns([2.6, 1.05], gap="medium")
    with wide:
        with st.container(key="top"):
            left, middle = st.columns([1.05, 1.5], gap="medium")
        below = st.container()
    with left:
        finished = threshold.chosen(scan, on_bar=lambda sigma: _to_bar(scan, sigma))
    with middle:
        place = st.container(height=MAP, border=False, key="map_place")
        seen = replace(scan, scene=stretch.stretched(scan.scene))
    try:
        desk = desks.lay(seen, finished)
    except NeedleError as error:
        frame.trouble(error)
        return
    with left:
        gallery.filters(desk)
    layers = _layers(seen)
    with place:
        said = [desk.verdict(found) for found in desk.shown]
        marked = viewer.Marked(desk.shown, said, desk.chosen)
        viewer.scene_map(layers, marked, lambda place: desks.choose(desk, place), near)
    with right, st.container(key="find"):
        _find(desk)
    with below:
        gallery.gallery(desk, layers)
    _into_address(desk)


def _layers(scan: state.Opened) -> viewer.Layers:
    store = scan.store
    return viewer.Layers(
        addresses.tiles_of(store),
        scan.scene,
        state.score_ends(store.key, store.done, scan.scores),
        store.done,
        scan.scores.window,
        _unscored(store.key, store.done, scan),
    )


@st.cache_data(show_spinner=False, max_entries=8)
def _unscored(key: str, done: int, _scan: state.Opened) -> list[Rings]:
    """Polygons of the ground that was not scored."""
    coverage = _scan.at(state.sigma()).coverage
    return [rings for _, rings in coverage.unscored()]


def _to_bar(scan: state.Opened, sigma: float) -> None:
    """Chooses what a bar of the histogram stands for, where it lies beyond the threshold."""
    finished = scan.at(state.sigma())
    if sigma >= state.sigma():
        desks.choose_like(desks.lay(scan, finished), sigma)


def _find(desk: Desk) -> None:
    """The chosen find, large, its verdict, and what is known of it."""
    judging.progress(desk)
    chosen = desk.chosen
    if chosen is None:
        _nothing(desk)
        return
    judging.steps(desk, chosen)
    judging.verdicts(desk, chosen)
    judging.words(desk, chosen)
    look, why = st.tabs([LOOK, WHY], key="explain", on_change="rerun")
    try:
        if look.open:
            with look:
                explain.close_up(desk, chosen)
                frame.facts(explain.facts(desk, chosen), "find_facts")
        elif why.open:
            with why:
                explain.why(desk, chosen)
    except NeedleError as error:
        frame.trouble(error)


def _nothing(desk: Desk) -> None:
    if desk.finished.detections:
        st.subheader("Nothing passes the filter")
        st.button("Clear filter", key="clear_filter", on_click=gallery.clear)
        return
    st.subheader("Nothing beyond this threshold")
    frame.quiet("Lower the threshold to see weaker places.")


def _from_address() -> bool:
    """Takes find, page and filter from the address at a session's beginning.

    True where it named a find.
    """
    if "addressed" in st.session_state:
        return False
    st.session_state["addressed"] = True
    page, place = st.query_params.get("page", ""), address.numbers("find")
    if page.isdecimal():
        st.session_state.setdefault(desks.PAGE, int(page))
    st.session_state.setdefault(desks.FILTER, desks.Filter.of_address())
    if place:
        st.session_state.setdefault(desks.CHOSEN, place)
    return place is not None


def _into_address(desk: Desk) -> None:
    """Keeps what is shown in the address."""
    said = {"page": str(desks.page_of_gallery(desk))}
    if desk.chosen:
        said["find"] = f"{desk.chosen.x:g},{desk.chosen.y:g}"
    state.keep_address(desk.scan.store, **said, **desks.current_filter().said())
