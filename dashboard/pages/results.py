"""Results: take it away."""

from __future__ import annotations

import getpass
import html
from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard.detector import (
    CREDIT,
    PRODUCTS,
    RUN_RECORD,
    Detection,
    Finished,
    NeedleError,
    Product,
    Subject,
    Verdict,
    Verdicts,
    read_verdicts,
)
from dashboard.pages import frame
from dashboard.session import state
from dashboard.viewer import addresses

CONFIRMED = "only_confirmed"

IN_SIGHT = 15  # rows of the table, of 35 px each; more are scrolled to


def page() -> None:
    """Left the table of what was found, right the files."""
    scan = frame.current_scan()
    if scan is None:
        return
    try:
        finished = _choose(scan)
    except NeedleError as error:
        frame.trouble(error)
        return
    state.keep_address(scan.store, **({"confirmed": "only"} if finished.confirmed else {}))
    with st.container(key="results"):
        left, right = st.columns([1.7, 1], gap="large")
    with left:
        kind = "confirmed place" if finished.confirmed else "place"
        places = frame.count(len(finished.detections), kind)
        st.subheader(f"{places} beyond {finished.settings.sigma:g} sigma")
        frame.quiet(f"{finished.coverage.words}.".capitalize())
        _switch()
        if finished.detections:
            many = len(finished.detections) > IN_SIGHT
            with st.container(key="found_many" if many else "found_few"):
                _table(finished)
        elif finished.confirmed:
            frame.quiet("No place was called hardware yet; judge some on the Review page.")
        else:
            frame.quiet("Nothing lies beyond this threshold; lower it on the Review page.")
    with right:
        st.subheader("Take away")
        for product in (*PRODUCTS, RUN_RECORD):
            _download(product, finished)
        frame.quiet(CREDIT)
        _bring_back(finished)


def _choose(scan: state.OpenScan) -> Finished:
    """The scan at the threshold with what reviewers decided; only confirmed places if wanted.

    Raises:
        StoreError: the verdicts cannot be read.
    """
    finished = scan.at(state.sigma())
    decisions = Verdicts().current(Subject.of(finished.store))
    confirmed = st.session_state.setdefault(CONFIRMED, st.query_params.get("confirmed") == "only")
    return replace(finished, decisions=decisions, confirmed=confirmed)


def _switch() -> None:
    """Only what was confirmed, in the table and in every file."""
    kept = bool(st.session_state.get(CONFIRMED))
    st.toggle("Only confirmed", kept, key="confirmed_switch", on_change=_on_switch)


def _on_switch() -> None:
    st.session_state[CONFIRMED] = st.session_state["confirmed_switch"]


def _bring_back(finished: Finished) -> None:
    """Verdicts from a table that was taken away, filed as one action that can be undone."""
    with st.expander("Bring verdicts back"):
        given = st.file_uploader(
            "A detections.csv with verdicts", type=["csv", "tsv", "txt"], key="returned"
        )
        reviewer = st.text_input("Reviewer", _server_user(), max_chars=80, key="returned_by")
        if given is None or not st.button("File these verdicts", key="file_returned"):
            return
        everything = replace(finished, confirmed=False)
        try:
            returned = read_verdicts(given.getvalue(), everything.detections)
            subject = Subject.of(finished.store)
            verdicts = Verdicts()
            changes = returned.new_to(verdicts.current(subject))
            fresh = verdicts.decide(subject, changes, reviewer.strip())
        except NeedleError as error:
            frame.trouble(error)
            return
        words = f"{frame.count(len(fresh), 'place')} changed."
        if returned.strangers:
            lie = "lies" if returned.strangers == 1 else "lie"
            words += f" {frame.count(returned.strangers, 'row')} {lie} at no place of this scan."
        st.success(words)


def _table(finished: Finished) -> None:
    rows: list[dict[str, Any]] = [
        {
            "rank": found.rank,
            "sigma": found.sigma,
            "verdict": finished.decision(found).verdict.value,
            "name": finished.decision(found).name,
            "score": found.score,
            "x, px": found.x,
            "y, px": found.y,
            "longitude": found.lon,
            "latitude": found.lat,
            f"{finished.store.unit}s": found.tiles,
            "false, %": None if found.q is None else 100 * found.q,
            "may be": ", ".join(found.artefacts),
        }
        for found in finished.detections
    ]
    if finished.scene.crs is None:
        rows = [{k: v for k, v in row.items() if not k.endswith("itude")} for row in rows]
    number = st.column_config.NumberColumn
    st.dataframe(
        rows,
        hide_index=True,
        height="content" if len(rows) <= IN_SIGHT else 35 * (IN_SIGHT + 1),
        column_config={
            "sigma": number(format="%.1f", help="by the rule of the Review page"),
            "false, %": number(
                format="%.0f",
                help="of the places at least as strong, what ground alone explains",
            ),
            "score": number(format="%.3f"),
            "x, px": number(format="%.0f"),
            "y, px": number(format="%.0f"),
            "longitude": number("longitude, ° E", format="%.4f"),
            "latitude": number("latitude, ° N", format="%.4f"),
        },
    )


def _download(product: Product, finished: Finished) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap=None):
            st.markdown(f"**{product.title}**")
            frame.quiet(f"{product.good_for} {_extent(product.name, finished)}")
        address = html.escape(addresses.product_of(finished.store, product.name, **_how(finished)))
        with st.container(key=f"download-{product.name}", width="content"):
            st.html(f'<a class="needle-take" href="{address}" download>Download</a>')


def _how(finished: Finished) -> dict[str, str]:
    """How the scan is read, as the address of a file says it."""
    settings = finished.settings
    said = {"sigma": str(settings.sigma), "rule": settings.rule}
    said |= {} if settings.artefacts else {"artefacts": state.HIDDEN}
    return said | ({"confirmed": "only"} if finished.confirmed else {})


def _extent(name: str, finished: Finished) -> str:
    """How much a file holds."""
    if name == "scores.tif":
        rows, cols = finished.scores.values.shape
        return f"{cols} x {rows} px."
    if name == RUN_RECORD.name:
        return "Taken last, it holds the checksum of every file."
    if name == "coverage.geojson":
        return f"{finished.coverage.words}."
    said = [found for found in finished.detections if finished.decision(found).verdict]
    counted = {
        "confirmed.kml": (
            [detection for detection in said if _only_confirmed(detection, finished)],
            "place",
        ),
        "verdicts.coco.json": (said, "verdict"),
        "verdicts.yolo.zip": (said, "verdict"),
        "tiles.csv": (finished.flagged, "row"),
        "report.html": (finished.detections, "place"),
        "tiles.zip": (finished.pictured, "picture"),
    }
    things, noun = counted.get(name, (finished.detections, "row"))
    return f"{frame.count(len(things), noun)}."


def _only_confirmed(found: Detection, finished: Finished) -> bool:
    return finished.decision(found).verdict is Verdict.HARDWARE


def _server_user() -> str:
    """The name of the server's user, for who gives none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "reviewer"
