"""The gallery of finds, a page at a time, with a selection to decide about at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard import viewer
from dashboard.detector import ROUGHNESS, Change, Detection, Measure, Verdict
from dashboard.pages import frame, judging
from dashboard.session import desk as desks
from dashboard.session.desk import ON_A_PAGE, Desk, Filter, Place

NAMES = {verdict: verdict.capitalize() or "Open" for verdict in Verdict}


def gallery(desk: Desk, layers: viewer.Layers) -> None:
    """Every find that passes the filter, strongest first."""
    number = desks.page_of_gallery(desk)
    page = desk.shown[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    _head(desk, number)
    _bulk(desk, page)
    if not page:
        frame.quiet("No place passes the filter.")
        return
    selected = desks.selection()
    cards = [
        viewer.Card(
            found,
            desk.verdict(found),
            desk.decision(found).name,
            found == desk.chosen,
            desks.spot(found) in selected,
        )
        for found in page
    ]
    viewer.gallery(
        layers,
        cards,
        on_pick=lambda place: desks.choose(desk, place),
        on_select=lambda places: _select(page, places),
    )


def _head(desk: Desk, number: int) -> None:
    title, turn = st.columns([1, 1], vertical_alignment="center")
    title.subheader("Gallery, strongest first")
    pages = math.ceil(len(desk.shown) / ON_A_PAGE)
    with turn.container(horizontal=True, horizontal_alignment="right", height=42, border=False):
        if pages > 1:
            key = f"pages-{desks.turns()}"
            st.pagination(pages, default=number, key=key, on_change=_turned, args=(key,))


def _turned(key: str) -> None:
    st.session_state[desks.PAGE] = st.session_state[key]


def _select(page: Sequence[Detection], places: list[Place]) -> None:
    """What is selected on this page is what the gallery says; other pages stay as they are."""
    here = {desks.spot(found) for found in page}
    desks.select((desks.selection() - here) | (here & set(places)))


def _bulk(desk: Desk, page: Sequence[Detection]) -> None:
    """One verdict on all that is selected; the row keeps its place when nothing is."""
    chosen = desks.selection() & {desks.spot(found) for found in desk.shown}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="bulk"):
        st.html(f'<div class="needle-quiet needle-count">{len(chosen)} selected</div>')
        st.button(
            "Select page",
            key="select_page",
            on_click=lambda: desks.select(
                desks.selection() | {desks.spot(found) for found in page}
            ),
            type="tertiary",
        )
        st.button(
            "None",
            key="select_none",
            on_click=desks.select,
            args=((),),
            disabled=not chosen,
            type="tertiary",
        )
        for verdict in judging.KEYS:
            st.button(
                NAMES[verdict],
                key=f"bulk-{verdict}",
                disabled=not chosen,
                on_click=judging.attempt,
                args=(lambda verdict=verdict: _decide(desk, chosen, verdict),),
            )


def _decide(desk: Desk, places: set[Place], verdict: Verdict) -> None:
    desks.decide(desk, sorted(places), Change(verdict=verdict))
    desks.select(())


def filters(desk: Desk) -> None:
    """What the gallery, the map and the keys go through."""
    wanted = desks.current_filter()
    shown, total = len(desk.shown), len(desk.finished.detections)
    opened = st.expander("Filter", key="filter_open", on_change="rerun")
    if wanted != Filter():
        frame.quiet(f"{shown:,} of {total:,} places pass the filter.")
    if not opened.open:
        return
    with opened:
        picked = st.pills(
            "Verdict",
            list(Verdict),
            default=list(wanted.verdicts),
            selection_mode="multi",
            format_func=NAMES.__getitem__,
            key="filter_verdicts",
        )
        ground = st.pills(
            "Ground",
            ROUGHNESS,
            default=list(wanted.ground),
            selection_mode="multi",
            format_func=str.capitalize,
            key="filter_ground",
            help="Four parts of the scene, of equal area, by the roughness over some 180 px",
        )
        found = replace(wanted, verdicts=tuple(picked), ground=tuple(ground))
        found = _ranges(desk, found)
        if found != wanted:
            desks.set_filter(found)
            st.rerun()
        if wanted != Filter():
            st.button("Clear", key="filter_clear", on_click=clear, type="tertiary")


def _ranges(desk: Desk, wanted: Filter) -> Filter:
    """The filter with the ranges of its sliders; a slider at its ends filters nothing."""
    finds = desk.finished.detections
    if len(finds) < 2:
        return wanted
    sigmas = [found.sigma for found in finds]
    sigma = _range("Sigma", sigmas, wanted.sigma, 1.0, "%.1f σ")
    if not st.toggle("Size and brightness", value=wanted.measures, key="filter_measures"):
        return replace(wanted, sigma=sigma, size=None, brightness=None)
    with st.spinner("Measuring"):
        measured = [one for one in desks.measures(desk.finished).values() if one]
    if len(measured) < 2:
        frame.quiet("Nothing here stands out enough to be measured.")
        return replace(wanted, sigma=sigma, size=None, brightness=None)
    metre = desk.finished.scene.pixel_size
    unit, scale = ("%.1f m", metre) if metre else ("%.0f px", 1.0)
    size = _range("Length", [one.length for one in measured], wanted.size, scale, unit)
    bright = [one.brightness for one in measured]
    brightness = _range("Against the ground", bright, wanted.brightness, 100.0, "%.0f %%")
    # With the toggle on, finds that cannot be measured are left out.
    return replace(wanted, sigma=sigma, size=size or _ends(measured), brightness=brightness)


def _ends(measured: list[Measure]) -> tuple[float, float]:
    lengths = [one.length for one in measured]
    return min(lengths), max(lengths)


def _range(
    label: str,
    values: list[float],
    given: tuple[float, float] | None,
    scale: float,
    words: str,
) -> tuple[float, float] | None:
    low, high = scale * min(values), scale * max(values)
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-6) / 20))
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    if high - low < step:
        return None
    first = (scale * given[0], scale * given[1]) if given else (low, high)
    first = (max(low, min(first[0], high)), min(high, max(first[1], low)))
    ends = st.slider(label, low, high, first, step, format=words, key=f"filter_{label}")
    if ends == (low, high):
        return None
    return ends[0] / scale, ends[1] / scale


def clear() -> None:
    """Show all finds again."""
    desks.set_filter(Filter())
    for key in [key for key in st.session_state if str(key).startswith("filter_")]:
        if key != "filter_open":
            del st.session_state[key]
