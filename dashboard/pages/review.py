"""Review: threshold, look, decide what is worth a second look."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import charts, pictures, server, state, viewer
from dashboard.detector import Detection, Finished, NeedleError, Verdict
from dashboard.pages import frame, threshold

ON_A_PAGE, IN_A_ROW = 12, 4


def page() -> None:
    """Histogram and slider, map, the chosen find; below them the gallery."""
    scan = state.opened()
    if scan is None:
        frame.nothing_open()
        return
    if not scan.store.finished:
        st.warning(
            f"This scan stopped at {scan.store.done / scan.store.total:.0%}; "
            "what follows is about the part that was scanned. Resume it on the Scan page."
        )
    left, middle, right = st.columns([1.05, 1.5, 1.05], gap="medium")
    with left:
        finished = threshold.chosen(scan)
    chosen = _chosen(finished)
    with middle:
        _map(scan, finished, chosen)
    with right:
        _find(scan, finished, chosen)
    _gallery(scan, finished)


def _chosen(finished: Finished) -> Detection | None:
    """The find that is shown large: the one chosen, else the strongest."""
    spot = st.session_state.get("selected")
    for found in finished.detections:
        if (found.row, found.col) == spot:
            return found
    return finished.detections[0] if finished.detections else None


def _choose(row: int, col: int) -> None:
    st.session_state["selected"] = (row, col)


def _map(scan: state.Opened, finished: Finished, chosen: Detection | None) -> None:
    store = scan.store
    layers = viewer.Layers(
        server.address(store),
        scan.scene,
        state.score_ends(store.key, store.done, scan.scores),
        store.done,
        scan.scores.window,
    )
    found = finished.detections
    marked = viewer.Marked(found, [Verdict.UNREVIEWED] * len(found), chosen)
    viewer.scene_map(layers, marked, on_pick=lambda place: _clicked(finished, place))


def _clicked(finished: Finished, place: tuple[float, float]) -> None:
    for found in finished.detections:
        if (found.x, found.y) == place:
            _choose(found.row, found.col)


def _find(scan: state.Opened, finished: Finished, chosen: Detection | None) -> None:
    """The chosen find, large, and what is known of it."""
    if chosen is None:
        st.subheader("Nothing beyond this threshold")
        frame.quiet("Move the threshold to the left to see weaker places.")
        return
    back, title, forth = st.columns([1.25, 1, 1.25], vertical_alignment="center")
    _step(back, finished, chosen, -1)
    title.html(
        f'<div style="text-align:center"><b>{chosen.rank}</b> of {len(finished.detections)}</div>'
    )
    _step(forth, finished, chosen, 1)
    try:
        tile = scan.scores.grid.at(chosen.row, chosen.col).read
        st.image(pictures.close_up(scan.scene, tile, chosen.box), width="stretch")
        (picture,) = state.triptych_pictures(scan, [(chosen.row, chosen.col)])
        st.image(picture, width="stretch")
        frame.captions("ground", "completion", "difference")
    except NeedleError as error:
        st.error(str(error))
    rows = {
        "score": f"{chosen.sigma:.1f} σ ({chosen.score:.3f})",
        "position": f"x {chosen.x:,.0f}, y {chosen.y:,.0f} px",
    }
    if chosen.lon is not None and chosen.lat is not None:
        rows["areocentric"] = charts.degrees(chosen.lon, chosen.lat)
    rows["grouped"] = frame.count(chosen.tiles, f"flagged {scan.store.unit}")
    side = scan.scores.grid.tile
    size = scan.scene.pixel_size
    rows["shown"] = f"{side} px" + (f", {side * size:.0f} m across" if size else "")
    frame.facts(rows)
    frame.quiet("Corners mark the ground that was scored; it and its rim were hidden.")


def _step(column: object, finished: Finished, chosen: Detection, step: int) -> None:
    index = chosen.rank - 1 + step
    there = 0 <= index < len(finished.detections)
    target = finished.detections[index] if there else chosen
    column.button(  # type: ignore[attr-defined]
        "Back" if step < 0 else "Next",
        key=f"step{step}",
        disabled=not there,
        on_click=_choose,
        args=(target.row, target.col),
        width="stretch",
        shortcut="Left" if step < 0 else "Right",
    )


def _gallery(scan: state.Opened, finished: Finished) -> None:
    """Every find as a triptych, strongest first, a page at a time."""
    found = finished.detections
    if not found:
        return
    title, turn = st.columns([1, 1], vertical_alignment="center")
    title.subheader("Gallery, strongest first")
    pages = math.ceil(len(found) / ON_A_PAGE)
    number = 1
    with turn.container(horizontal=True, horizontal_alignment="right"):
        if pages > 1:
            number = min(st.pagination(pages, key="page_of_gallery"), pages)
    shown = found[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    try:
        thumbnails = state.triptych_pictures(scan, [(one.row, one.col) for one in shown])
    except NeedleError as error:
        st.error(str(error))
        return
    for start in range(0, len(shown), IN_A_ROW):
        columns = st.columns(IN_A_ROW, gap="small")
        row = zip(columns, shown[start:], thumbnails[start:], strict=False)
        for column, one, picture in row:
            _card(column, one, picture)


def _card(column: object, one: Detection, picture: bytes) -> None:
    with column:  # type: ignore[attr-defined]
        st.image(picture, width="stretch")
        where = f"x {one.x:,.0f}, y {one.y:,.0f}"
        st.button(
            f"{one.rank} · {one.sigma:.1f} σ · {where}",
            key=f"card-{one.row}-{one.col}",
            on_click=_choose,
            args=(one.row, one.col),
            type="tertiary",
        )
