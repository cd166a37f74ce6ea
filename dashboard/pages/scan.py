"""Scan: from a file to scores."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import streamlit as st

from dashboard.background.jobs import Job, State
from dashboard.detector import NeedleError, ScanStore, list_scans
from dashboard.pages import frame
from dashboard.pages.choose import Choice, choose
from dashboard.pages.plan import Plan, plan, show_estimate
from dashboard.pages.scan_progress import (
    last_stopped,
    open_review,
    resume,
    scans_watched,
    show_progress,
)
from dashboard.session import state

RECENT = 6  # scans that are listed
STOPPED = 20  # and so many older ones that were stopped


def page() -> None:
    """Left: what to scan and how. Right: the picture, and the scan as it goes."""
    left, right = st.columns([1, 2.4], gap="large")
    planned = None
    with left, st.container(key="choose"):
        choices = choose()
        _leave(choices)
        _ask_nodata()
        job = _read(choices)
        scene = job.scene if job else None
        if scene:
            state.keep(scene)
            frame.facts(frame.scene_facts(scene), "scene_facts")
            planned = plan(scene, alone=len(choices) == 1)
            if planned:
                _scan_button(choices, planned)
    with right:
        with st.container(key="scan_progress"):
            show_progress(job, planned)
        _others()
        _recent()
    if scene and planned:  # last, for the trial takes a moment
        show_estimate(scene, planned)


def _leave(choices: list[Choice]) -> None:
    """Clears the outcome of the last scan when another picture is chosen."""
    paths = [choice.path for choice in choices]
    before = st.session_state.get("chosen_paths", paths)
    st.session_state["chosen_paths"] = paths
    if paths != before and not any(job.active for job in scans_watched()):
        st.session_state["watched"] = []


def _ask_nodata() -> None:
    """The DN that is no ground, where the file does not tell it, or tells it wrongly."""
    with st.expander("Nodata"):
        st.text_input(
            "DN that is no ground",
            placeholder="as the file tells",
            key="nodata",
            help="A number, or none where every DN is ground.",
        )


def _nodata() -> str | None:
    return str(st.session_state.get("nodata") or "").strip() or None


def _read(choices: list[Choice]) -> Job | None:
    """The job that reads the chosen picture; every broken one says what is wrong with it."""
    jobs = [_reading(choice) for choice in choices]
    pending = [job.number for job in jobs if job.active]
    if pending:
        _await(pending)
    for job in jobs:
        if job.error:
            frame.trouble(job.error)
    good = [job for job in jobs if job.state is not State.FAILED]
    if len(good) > 1:
        by_name = {job.name: job for job in good}
        name = st.selectbox(f"{len(good)} pictures; shown", list(by_name), key="shown")
        return by_name[name]
    return good[0] if good else None


@st.fragment(run_every=0.5)
def _await(pending: list[int]) -> None:
    """Draws the page anew when one of these jobs has ended."""
    if not all(state.worker().jobs[number].active for number in pending):
        st.rerun()


def _reading(choice: Choice) -> Job:
    """The one reading of this file in this session; a job that is done is not asked for again."""
    known: dict[str, int] = st.session_state.setdefault("readings", {})
    nodata = _nodata()
    key = hashlib.sha256(f"{choice.path} {choice.name} {nodata}".encode()).hexdigest()
    jobs = state.worker().jobs
    if key not in known or known[key] not in jobs:
        job = state.worker().read(choice.path, choice.name, nodata, state.asker())
        known[key] = job.number
    return jobs[known[key]]


def _scan_button(choices: list[Choice], planned: Plan) -> None:
    """The one button."""
    good = [c for c in choices if _reading(c).state is not State.FAILED]
    label = "Scan" if len(good) == 1 else f"Scan {len(good)} pictures"
    if st.button(label, type="primary", width="stretch", key="scan_button"):
        jobs = []
        try:
            for c in good:
                how = replace(planned.settings, nodata=_nodata()), planned.learn_first
                jobs.append(state.worker().submit(c.path, c.name, *how, asker=state.asker()))
        except NeedleError as error:
            st.session_state["refused"] = str(error)
        st.session_state["watched"] = [job.number for job in jobs]
        st.rerun()
    refused = st.session_state.pop("refused", None)
    if refused:
        frame.trouble(refused)


def _others() -> None:
    """Scans that other visitors wait for, each with a button for who may cancel it."""
    worker, asker, own = state.worker(), state.asker(), {job.number for job in scans_watched()}
    others = [job for job in worker.scans() if job.visitor != asker.name and job.number not in own]
    if not others:
        return
    st.subheader("Scans of others")
    for job in others:
        with st.container(horizontal=True, vertical_alignment="center", key=f"recent-{job.number}"):
            frame.quiet(f"{job.name}, {job.state.value}")
            if worker.may_cancel(job, asker):
                barred = job.cancelled.is_set()
                st.button(
                    "Cancel", key=f"cancel-{job.number}", on_click=job.cancel, disabled=barred
                )


def _recent() -> None:
    """Earlier scans: finished ones to open, unfinished ones to go on with."""
    stopped = last_stopped()
    above = {store.key for store in (*_scanning(), stopped and stopped.store) if store}
    stores = recent_scans([store for store in list_scans() if store.key not in above])
    if not stores:
        return
    st.subheader("Recent")
    for store in stores:
        _recent_row(store)


def recent_scans(stores: list[ScanStore]) -> list[ScanStore]:
    """The newest scans, and older ones that were stopped: nowhere else can they be gone on with."""
    stopped = [store for store in stores[RECENT:] if not store.finished]
    return stores[:RECENT] + stopped[:STOPPED]


def _scanning() -> list[ScanStore | None]:
    return [job.store for job in state.worker().scans()]


def _recent_row(store: ScanStore) -> None:
    part = "an area of " if store.record.region else ""
    how_far = "" if store.finished else f", stopped at {store.done / store.total:.0%}"
    when = store.created.replace("T", " ")[:16]
    with st.container(horizontal=True, vertical_alignment="center", key=f"recent-{store.key}"):
        frame.quiet(
            f"{part}{store.scene_name}, {store.model_name} at {store.stride} px, "
            f"{when} UTC{how_far}"
        )
        if store.finished:
            if st.button("Open", key=f"open-{store.key}"):
                open_review(store)
        elif st.button("Resume", key=f"resume-{store.key}"):
            resume(store)
