"""The verdict on the chosen find: buttons with keys, a name, a note, and taking it back."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.detector import Change, Detection, NeedleError, Verdict
from dashboard.pages import frame
from dashboard.session import desk as desks
from dashboard.session.desk import Desk

KEYS = {
    Verdict.HARDWARE: "H",
    Verdict.NATURAL: "N",
    Verdict.ARTEFACT: "A",
    Verdict.UNSURE: "U",
}
FAILED = "verdict_failed"
SHOWN = "words_shown"


def attempt(action: Callable[[], None]) -> None:
    """Does what writes verdicts; what goes wrong is said when the page is drawn."""
    try:
        action()
    except NeedleError as error:
        st.session_state[FAILED] = str(error)


def trouble() -> None:
    """Says once that a verdict could not be filed."""
    words = st.session_state.pop(FAILED, None)
    if words:
        frame.trouble(words)


def steps(desk: Desk, chosen: Detection) -> None:
    """Back, where we are, next."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _step(desk, chosen, -1)
        total = len(desk.shown)
        st.html(f'<div class="needle-rank"><b>{desk.index + 1}</b> of {total:,}</div>')
        _step(desk, chosen, 1)


def _step(desk: Desk, chosen: Detection, step: int) -> None:
    index = desk.index + step
    there = 0 <= index < len(desk.shown)
    target = desks.spot(desk.shown[index] if there else chosen)
    st.button(
        "Back" if step < 0 else "Next",
        key=f"step{step}",
        disabled=not there,
        on_click=desks.choose,
        args=(desk, target),
        width="stretch",
        shortcut="Left" if step < 0 else "Right",
    )


def verdicts(desk: Desk, chosen: Detection) -> None:
    """Four verdicts, undo, the next without one; the one that was given is marked."""
    given = desk.verdict(chosen)
    for pair in (list(KEYS)[:2], list(KEYS)[2:]):
        for column, verdict in zip(st.columns(2, gap="small"), pair, strict=True):
            column.button(
                verdict.capitalize(),
                key=f"verdict-{verdict}",
                type="primary" if verdict is given else "secondary",
                shortcut=KEYS[verdict],
                on_click=attempt,
                args=(lambda verdict=verdict: _toggle(desk, chosen, verdict),),
                width="stretch",
            )
    left, right = st.columns(2, gap="small")
    left.button(
        "Undo",
        key="undo",
        shortcut="Z",
        on_click=attempt,
        args=(lambda: desks.undo(desk),),
        width="stretch",
        type="tertiary",
    )
    following = desk.unreviewed
    right.button(
        "Next open",
        key="next_open",
        shortcut="O",
        help="The next place without a verdict",
        disabled=following is None,
        on_click=desks.choose,
        args=(desk, desks.spot(following or chosen)),
        width="stretch",
        type="tertiary",
    )


def _toggle(desk: Desk, chosen: Detection, verdict: Verdict) -> None:
    """Files a verdict; pressed again, the place is open again."""
    given = desk.verdict(chosen)
    desks.judge(desk, Verdict.UNREVIEWED if verdict is given else verdict)


def words(desk: Desk, chosen: Detection) -> None:
    """A name and a note, kept when the field is left, and who decided when."""
    decision = desk.decision(chosen)
    stored = {"name": decision.name, "note": decision.note}
    fields = {f"{key}-{desks.spot(chosen)}": value for key, value in stored.items()}
    _show_stored(fields)
    for label, key, widget in zip(("Name", "Note"), stored, fields, strict=True):
        st.text_input(
            label,
            key=widget,
            max_chars=500,
            placeholder=f"{label} of this place",
            label_visibility="collapsed",
            on_change=attempt,
            args=(lambda widget=widget, key=key: _say(desk, chosen, key, widget),),
        )
    if decision.verdict:
        when = decision.made.replace("T", " ")[:16]
        frame.quiet(f"{decision.verdict.capitalize()}, {decision.reviewer}, {when} UTC.")


def _show_stored(fields: dict[str, str]) -> None:
    """Puts stored words into their fields where they are new: chosen now, or another reviewer's.

    A field that is being written in keeps its words while another one is filed.
    """
    seen = st.session_state.get(SHOWN, {})
    for widget, value in fields.items():
        if widget not in st.session_state or seen.get(widget) != value:
            st.session_state[widget] = value
    st.session_state[SHOWN] = fields


def _say(desk: Desk, chosen: Detection, key: str, widget: str) -> None:
    said = str(st.session_state[widget]).strip()
    change = Change(name=said) if key == "name" else Change(note=said)
    desks.decide(desk, [desks.spot(chosen)], change)


def progress(desk: Desk) -> None:
    """How much is reviewed, as a bar and in words, and who reviews."""
    total = len(desk.finished.detections)
    with st.container(key="reviewed_part"):
        st.progress(desk.reviewed / total if total else 0.0)
    with st.container(horizontal=True, vertical_alignment="center"):
        frame.quiet(f"{desk.reviewed:,} of {total:,} reviewed")
        with st.popover("Reviewer", type="tertiary", help="Who signs the verdicts"):
            st.text_input(
                "Your name, kept with each verdict",
                desks.reviewer(),
                key="reviewer_field",
                on_change=_rename,
            )


def _rename() -> None:
    st.session_state[desks.REVIEWER] = st.session_state["reviewer_field"]
