"""What frames every page: style, the name, the open scan, the device; and words for figures."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import address, state
from dashboard.detector import NeedleError, Scene

POLL = 0.25  # s between two looks at work that is waited for
NOTICE = 640  # px, of what a page says that has nothing else to show

STYLE = """
<style>
  .stMainBlockContainer {padding: 3.9rem 23px 2rem; max-width: 1720px;} /* in line with the names */
  .stAppHeader {background: #141414;}
  h1, h2, h3 {font-weight: 600; letter-spacing: .01em;}
  .needle-header {display: flex; align-items: baseline; gap: 1.1rem; padding-bottom: .55rem;
    border-bottom: 1px solid #2B2928; margin-bottom: .4rem; color: #8C8883; font-size: .9rem;}
  .needle-header b {color: #E4E1DC; letter-spacing: .22em; font-weight: 650; font-size: .95rem;}
  .needle-header .scene {color: #E4E1DC;}
  .needle-header .device {margin-left: auto; border: 1px solid #3A3836; border-radius: 4px;
    padding: .1rem .55rem; color: #B5B0AA; white-space: nowrap;}
  .needle-facts {display: grid; grid-template-columns: minmax(4.9rem, auto) 1fr; gap: .18rem .9rem;
    font-size: .87rem; color: #E4E1DC; margin: .2rem 0 .5rem;}
  .needle-facts span:nth-child(odd) {color: #8C8883;}
  .needle-quiet {color: #8C8883; font-size: .87rem; line-height: 1.45;}
  .needle-big {font-size: 1.7rem; font-weight: 600; color: #E4E1DC; line-height: 1.15;}
  .needle-strip {display: grid; grid-template-columns: 1fr 1fr 1fr; color: #8C8883;
    font-size: .75rem; text-align: center;}
  .stImage img {border-radius: 2px;}
  /* What is on its way has its place. */
  .st-key-map {min-height: 562px;}
  @media (min-width: 1101px) {.st-key-map {min-height: clamp(562px, calc(100vh - 238px), 742px);}}
  .st-key-histogram {min-height: 260px;}
  .st-key-top [data-variant="segmented_control"] {padding-left: .3rem; padding-right: .3rem;}
  /* The accent as letters: lighter, so that they can be read on the dark. */
  [data-variant="segmented_control"][data-selected="true"] *, [data-testid="stSliderThumbValue"] *,
  [data-variant="pills"][data-selected="true"] *, .stTabs [role="tab"][aria-selected="true"] * {
    color: #E08A64 !important;}
  /* The accent behind white letters: darker, so that they can be read. */
  [data-testid="stBaseButton-primary"] {background: #BF5029; border-color: #BF5029;}
  [data-testid="stPaginationEllipsis"] {color: #B5B0AA;}
  /* What is said of trouble has no colour of its own. */
  .stAlertContainer {background: #1E1C1B; color: #E4E1DC; border-left: 3px solid #8C8883;}
  .stAlertContainer:has([data-testid="stAlertContentError"]) {border-left-color: #C4552D;}
  .needle-rank {text-align: center; white-space: nowrap; min-width: 5.2rem;}
  .needle-count {min-width: 5.2rem; font-variant-numeric: tabular-nums;}
  @media (max-width: 1100px) {
    /* A tablet: map and verdict stay in sight together, the threshold goes below the map. */
    .st-key-desk .stColumn:has(.st-key-find) {min-width: 272px; flex: 0 0 272px;}
    .st-key-desk .stColumn:has(.st-key-top) {min-width: 0; flex: 1 1 0;}
    .st-key-top > .stHorizontalBlock, .st-key-top > div > .stHorizontalBlock {flex-wrap: wrap;}
    .st-key-top .stColumn {min-width: 100%; flex: 1 1 100%;}
    .st-key-top .stColumn:nth-child(2) {order: -1;}
    .stHorizontalBlock:has(> .stColumn .st-key-choose) {flex-wrap: nowrap; gap: 1.6rem;}
    .stHorizontalBlock:has(> .stColumn .st-key-choose) > .stColumn {min-width: 0;}
    .stHorizontalBlock > .stColumn:has(.st-key-choose) {min-width: 272px; flex: 0 0 272px;}
    /* Table and files, one below the other. */
    .stHorizontalBlock:has(> .stColumn .st-key-take) > .stColumn {min-width: 100%;}
  }
</style>
"""


def header() -> None:
    """The line under the navigation: what is open, and what it runs on."""
    store = state.current_store()
    middle = "<span>no scan open</span>"
    if store:
        middle = (
            f'<span class="scene">{html.escape(store.scene_name)}</span>'
            f"<span>{html.escape(store.model_name)}, stride {store.stride} px</span>"
        )
    # Together, so that nothing is ever seen without its style.
    st.html(f'<div class="needle-header"><b>NEEDLE</b>{middle}{_badge()}</div>{STYLE}')


def _badge() -> str:
    try:
        model = state.model()
    except NeedleError as error:
        return f'<span class="device">{html.escape(str(error))}</span>'
    why = html.escape(model.fallback_reason or "What the networks really run on")
    return f'<span class="device" title="{why}">{html.escape(model.device_label)}</span>'


def facts(rows: dict[str, str]) -> None:
    """Names and values in two columns."""
    cells = "".join(
        f"<span>{html.escape(name)}</span><span>{html.escape(value)}</span>"
        for name, value in rows.items()
    )
    st.html(f'<div class="needle-facts">{cells}</div>')


def quiet(text: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """A line that explains, in small grey letters."""
    st.html(f'<div class="needle-quiet">{html.escape(text)}</div>', width=width)


def captions(*words: str) -> None:
    """Names under the parts of a triptych."""
    cells = "".join(f"<span>{html.escape(word)}</span>" for word in words)
    st.html(f'<div class="needle-strip">{cells}</div>')


def await_rule(scan: state.Opened) -> None:
    """Waits, with a bar, for what the rule of this session must know of the scene."""
    if state.rule() != "alike":
        return
    work = scan.looking()
    if work.wait(POLL):
        return
    bar = st.empty()
    while not work.wait(POLL):
        bar.progress(work.part, f"Looking for look-alikes: {work.part:.0%}")
    bar.empty()


def opened() -> state.Opened | None:
    """The open scan; None where there is none or it cannot be read, which the page then says."""
    try:
        scan = state.opened()
    except NeedleError as error:
        st.subheader("This scan cannot be shown")
        st.error(str(error), width=NOTICE)
        _lead("Its scores and verdicts are kept: choose the picture again and scan it.")
        return None
    if scan is None:
        st.subheader("Nothing scanned yet")
        _stranger()
        _lead("Choose a picture on the Scan page; the demo scene is one click away.")
    else:
        _stranger(f"Shown is {scan.store.scene_name} with {scan.store.model_name}.")
    return scan


def _stranger(instead: str = "") -> None:
    words = address.stranger()
    if words:
        st.warning(f"{words} {instead}", width="stretch" if instead else NOTICE)


def _lead(words: str) -> None:
    quiet(words)
    if st.button("Go to Scan", type="primary"):
        go_to("scan")


def set_pages(pages: Mapping[str, StreamlitPage]) -> None:
    """Tell this session's pages of each other."""
    st.session_state["pages"] = pages


def go_to(name: str) -> None:
    """Turn to another page by its name."""
    st.switch_page(st.session_state["pages"][name])


def scene_facts(scene: Scene) -> dict[str, str]:
    """What there is to know of a scene, in words."""
    rows = {
        "size": f"{scene.width:,} x {scene.height:,} px",
        "depth": f"{scene.bits} bit, {scene.bands} band{'s' if scene.bands > 1 else ''}",
        "ground": f"{scene.valid_fraction:.1%} of the pixels",
    }
    if scene.pixel_size:
        rows["scale"] = f"{scene.pixel_size:.3g} m a pixel"
    rows["CRS"] = scene.crs_name or "none: positions in pixels only"
    return rows


def duration(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def count(number: int, noun: str) -> str:
    """`1 tile`, `1,200 tiles`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
