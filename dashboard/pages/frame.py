"""The frame of every page: the name, the open scan, the device; and words for figures."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Mapping
from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.background.jobs import Job, State
from dashboard.detector import NeedleError, ScanStore, Scene, list_scans
from dashboard.session import address, state

# What Markdown would take for more than letters in a path, a name or an address.
MARKUP = re.compile(r"[\\`*$\[<~]|(?<!\w)_|_(?!\w)|:(?=//)")
DOING = {
    "learning": "Learning {}",
    "measuring": "Measuring what is ordinary in {}",
    "exporting": "Writing down what was learned of {}",
}
TURNING = "turning"  # of the session: the page to turn to, and since when
TURNED_BY = 10.0  # s after which the page that is shown is the one that is wanted
NOTICE = 640  # px, of what a page says that has nothing else to show


def header() -> None:
    """The line under the navigation: what is open, what is under way, and what it runs on."""
    with st.container(key="header"):
        if state.worker().scans():
            _live_line()
        else:
            _line()


@st.fragment(run_every=5.0)
def _live_line() -> None:
    _line()


def _line() -> None:
    store = state.current_store()
    middle = "<span>no scan open</span>"
    if store:
        middle = (
            f'<span class="scene">{html.escape(store.scene_name)}</span>'
            f"<span>{html.escape(store.model_name)}, stride {store.stride} px</span>"
        )
    st.html(f'<div class="needle-header"><b>NEEDLE</b>{middle}{_under_way()}{_badge()}</div>')


def _under_way() -> str:
    """The scan that the worker is at."""
    job = state.worker().at_work()
    words = f'<span class="working">scanning {html.escape(job.name)}</span>' if job else ""
    return words if job and job.settings else ""


def _badge() -> str:
    try:
        model = state.model()
    except NeedleError as error:
        return f'<span class="device">{html.escape(str(error))}</span>'
    why = html.escape(model.fallback_reason or "What the networks really run on")
    return f'<span class="device" title="{why}">{html.escape(model.device_label)}</span>'


def facts(rows: dict[str, str], key: str) -> None:
    """Names and values in two columns; the key is what the style keeps their place by."""
    cells = "".join(
        f"<span>{html.escape(name)}</span><span>{html.escape(value)}</span>"
        for name, value in rows.items()
    )
    with st.container(key=key):
        st.html(f'<div class="needle-facts">{cells}</div>')


def quiet(text: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """A line that explains, in small grey letters."""
    st.html(f'<div class="needle-quiet">{html.escape(text)}</div>', width=width)


def plain(words: object) -> str:
    """Words for Markdown to show letter by letter, such as names of files."""
    return MARKUP.sub(r"\\\g<0>", str(words))


def trouble(words: object, width: Literal["stretch"] | int = "stretch") -> None:
    """Says what went wrong and what to do."""
    st.error(plain(words), width=width)


def captions(*words: str) -> None:
    """Names under the parts of a triptych."""
    cells = "".join(f"<span>{html.escape(word)}</span>" for word in words)
    st.html(f'<div class="needle-strip">{cells}</div>')


def current_scan() -> state.OpenScan | None:
    """The open scan; None where there is none or it cannot be read, which the page then says."""
    try:
        scan = state.current_scan()
    except NeedleError as error:
        st.subheader("This scan cannot be shown")
        trouble(error, NOTICE)
        _lead("Its scores and verdicts are kept: choose the picture again and scan it.")
        return None
    if scan is not None:
        _part(scan.store)
    elif address.stranger():
        _stranger()
    else:
        st.subheader("Nothing scanned yet")
        _lead("Choose a picture on the Scan page; the demo scene is one click away.")
    return scan


def _stranger() -> None:
    """Says that the address names a scan which is not here, and offers the newest that is."""
    st.subheader("This scan is not here")
    st.warning(plain(address.stranger()), width=NOTICE)
    newest = next((store for store in list_scans() if store.done), None)
    if newest is not None:
        name = plain(f"Open {newest.scene_name} with {newest.model_name}")
        st.button(name, key="open_newest", on_click=state.open_scan, args=(newest,))
    _lead("Or choose a picture on the Scan page.")


def _part(store: ScanStore) -> None:
    """Says of a scan that was stopped how far it came."""
    if not store.finished:
        st.warning(
            f"This scan stopped at {store.done / store.total:.0%}; "
            "what follows is about the part that was scanned. Resume it on the Scan page."
        )


def _lead(words: str) -> None:
    quiet(words)
    if st.button("Go to Scan", type="primary"):
        go_to("scan")


def set_pages(pages: Mapping[str, StreamlitPage]) -> None:
    """Tell this session's pages of each other."""
    st.session_state["pages"] = pages


def go_to(name: str) -> None:
    """Turns to another page by its name."""
    st.session_state[TURNING] = name, time.monotonic()
    st.switch_page(st.session_state["pages"][name])


def finish_turning(chosen: StreamlitPage) -> None:
    """Turns once more where `go_to` has not led to its page.

    Streamlit folds runs that wait into one, of the page that asked last: a timer of the page that
    is left can take the place of the page that is wanted.
    """
    name, since = st.session_state.get(TURNING, ("", 0.0))
    wanted = st.session_state["pages"].get(name)
    if wanted is None or wanted == chosen or time.monotonic() - since > TURNED_BY:
        st.session_state.pop(TURNING, None)
    else:
        st.switch_page(wanted)


def scene_facts(scene: Scene) -> dict[str, str]:
    """The facts of a scene, in words."""
    rows = {
        "size": f"{scene.width:,} x {scene.height:,} px",
        "depth": f"{scene.bits} bit, {scene.bands} band{'s' if scene.bands > 1 else ''}",
        "ground": f"{scene.valid_fraction:.1%} of the pixels",
    }
    if scene.pixel_size:
        rows["scale"] = f"{scene.pixel_size:.3g} m a pixel"
    rows["CRS"] = scene.crs_name or "none: positions in pixels only"
    if scene.notes:
        rows["note"] = "; ".join(scene.notes)
    return rows


def learning_words(job: Job) -> str:
    """How far the learning of a scene is."""
    name, step = plain(job.name), job.learning
    if job.state in (State.WAITING, State.READING):
        return f"{name} waits for its turn"
    if step is None:
        return f"Beginning to learn {name}"
    words = f"{DOING[step.doing].format(name)}: {step.part:.0%}"
    return words + (f", {duration(step.left)} left" if step.left else "")


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
