"""The right side of the Scan page: the picture, and the scan as it goes, stopped, or ended."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.background.jobs import Job, State
from dashboard.background.learning import Step
from dashboard.detector import (
    DEFAULT_RULE,
    NeedleError,
    ScanSettings,
    ScanStore,
    Scene,
    strongest,
)
from dashboard.drawing import pictures
from dashboard.pages import frame
from dashboard.pages.plan import Plan
from dashboard.session import state

PREVIEW = (1000, 630)  # px; the whole picture is in sight, whatever its shape
LEARNING = "What the model learns here is the ground; then it scans, and looks for what is not."
EMPTY = "Choose a picture on the left. Nothing leaves this machine."
OUTLINED_EARLY = 8  # while scanning
OUTLINED = 40  # strongest places drawn on the picture; more would hide it


def show_progress(job: Job | None, planned: Plan | None) -> None:
    """The picture: being read, as it is, or with the scores growing over it."""
    watched = scans_watched() or _watch_own()
    running = next((job for job in watched if job.active), None)
    stopped = last_stopped()
    if running:
        _running(running.number)
        return
    if stopped and stopped.store:
        _show_stopped_scan(stopped.store)
        return
    if stopped and stopped.learning and stopped.scene:
        _show_stopped_learning(stopped, stopped.learning, stopped.scene)
        return
    for ended in watched:
        if ended.error:
            frame.trouble(ended.error)
    done = next((job.store for job in watched if job.state is State.DONE and job.store), None)
    if done:
        _on_end(done)
    elif job and job.active:
        _reading_progress(job.number)
    elif job and job.scene:
        _preview(job.scene, planned)
    else:
        st.html(f'<div class="needle-quiet needle-empty">{EMPTY}</div>')


def scans_watched() -> list[Job]:
    """The scans that this session has asked for last."""
    numbers = st.session_state.get("watched", [])
    return [state.worker().jobs[n] for n in numbers if n in state.worker().jobs]


def _watch_own() -> list[Job]:
    """Watches the visitor's own scan under way, which an earlier page of theirs has asked for."""
    own = [job for job in state.worker().scans() if job.visitor == state.asker().name]
    st.session_state["watched"] = [job.number for job in own[:1]]
    return own[:1]


def last_stopped() -> Job | None:
    """The job that this session has stopped last, where it can be gone on with."""
    last = next(reversed(scans_watched()), None)
    return last if last and last.state is State.CANCELLED else None


def _preview(scene: Scene, planned: Plan | None) -> None:
    picture = state.overview(scene.sha256, PREVIEW, scene)
    if planned and planned.region:
        picture = pictures.draw_outlines(picture, planned.region, scene)
    st.image(picture)
    frame.quiet(_caption(scene))


def _caption(scene: Scene) -> str:
    low, high = scene.stretch
    text = f"{scene.name}, grey from {low:g} to {high:g} DN"
    if scene.pixel_size:
        text += f"; {scene.width * scene.pixel_size / 1000:.2f} km across"
    return text + ("; hatched: no data" if scene.valid_fraction < 1 else "")


@st.fragment(run_every=0.5)
def _reading_progress(number: int) -> None:
    job = state.worker().jobs[number]
    waits = job.state is State.WAITING
    st.progress(job.read, _words(job, 0) if waits else f"Reading {frame.plain(job.name)}")
    st.space(420)


@st.fragment(run_every=1.0)
def _running(number: int) -> None:
    """The scan under way, drawn anew each second."""
    job = state.worker().jobs[number]
    if not job.active:
        if job.state is State.DONE and job.store:
            state.open_scan(job.store)
        st.rerun()
    scene = job.scene
    waiting = len(state.worker().scans()) - 1
    with _bar(_part(job), _words(job, waiting)):
        barred = job.cancelled.is_set() or not state.worker().may_cancel(job, state.asker())
        st.button("Cancel", on_click=job.cancel, disabled=barred, key="cancel")
    if scene is None:
        st.space(420)
        return
    if job.state is State.LEARNING:
        st.image(state.overview(scene.sha256, PREVIEW, scene))
        frame.quiet(LEARNING)
        return
    _draw_progress(scene, job.store if job.progress else None)


def _bar(part: float, words: str) -> DeltaGenerator:
    """How far a scan is, and the place beside it for what can be done about that."""
    row = st.container(horizontal=True, vertical_alignment="center", key="progress")
    row.progress(round(100 * part), words)  # of a float it would show the floor
    return row


def _draw_progress(scene: Scene, store: ScanStore | None) -> None:
    """The picture with what is scored of it so far."""
    picture = state.overview(scene.sha256, PREVIEW, scene)
    if store:
        scores = store.scores_so_far()
        picture = pictures.draw_scores(picture, scores, strongest(scores, OUTLINED_EARLY))
    st.image(picture)
    frame.quiet("Bright: surprising ground. Outlined: the strongest places so far.")


def _show_stopped_scan(store: ScanStore) -> None:
    """The scan as it was stopped, and how to go on with it."""
    part = store.done / store.total
    with _bar(part, f"Stopped at {part:.0%}; what is scored is kept"):
        if st.button("Resume", key="resume"):
            resume(store)
    _draw_progress(store.scene(), store)


def _show_stopped_learning(job: Job, step: Step, scene: Scene) -> None:
    """The scene whose learning was stopped, and how to go on with that."""
    with _bar(step.part, f"Stopped at {step.part:.0%} of learning; what is learned is kept"):
        if st.button("Resume", key="resume"):
            again = state.worker().submit(
                job.path, job.name, job.settings, learn_first=True, asker=state.asker()
            )
            st.session_state["watched"] = [again.number]
            st.rerun()
    st.image(state.overview(scene.sha256, PREVIEW, scene))
    frame.quiet(_caption(scene))


def _part(job: Job) -> float:
    """How far a job is with what it is at: reading, learning, or scanning."""
    if job.progress:
        return job.progress.fraction
    if job.state is State.LEARNING:
        return job.learning.part if job.learning else 0.0
    return 0.0 if job.scene else job.read


def _words(job: Job, waiting: int) -> str:
    if job.state is State.WAITING:
        other = state.worker().at_work()
        busy = f"; busy with {frame.plain(other.name)}" if other else ""
        return f"{frame.plain(job.name)} waits for its turn{busy}"
    if job.state is State.LEARNING:
        return frame.learning_words(job)
    step = job.progress
    if step is None and job.scene:
        return f"Beginning with {frame.plain(job.name)}"
    if step is None:
        return f"Reading {frame.plain(job.name)}: {job.read:.0%}"
    unit = job.store.unit if job.store else "tile"
    words = f"{step.fraction:.0%} of {frame.count(step.total, unit)}, {step.rate:,.0f} {unit}s/s"
    if step.left:
        words += f", {frame.duration(step.left)} left"
    return words + (f"; {waiting} waiting" if waiting else "")


def _on_end(store: ScanStore) -> None:
    scan = state.of_store(store)
    scores, scene = scan.scores, scan.scene
    found = scan.sigma_map(DEFAULT_RULE).find(3.0)
    st.html(
        f'<span class="needle-big">{frame.count(len(found), "place")}</span>'
        f'<span class="needle-quiet"> beyond 3 sigma in {frame.count(scores.scored, store.unit)}, '
        f"scanned in {frame.duration(store.seconds)}</span>"
    )
    if st.button("Review", type="primary", key="to_review"):
        open_review(store)
    picture = state.overview(scene.sha256, PREVIEW, scene)
    st.image(
        pictures.draw_scores(picture, scores, [detection.box for detection in found[:OUTLINED]])
    )
    frame.quiet("Bright: surprising ground. Outlined: the strongest places.")


def open_review(store: ScanStore) -> None:
    """Goes to the Review page with a finished scan."""
    state.open_scan(store)
    st.session_state["watched"] = []
    frame.go_to("review")


def resume(store: ScanStore) -> None:
    """Goes on with a scan that was stopped."""
    try:
        settings = ScanSettings(store.record.file, store.stride, area=store.record.region)
        job = state.worker().resume(store, settings, state.asker())
    except NeedleError as error:
        frame.trouble(error)
        return
    st.session_state["watched"] = [job.number]
    st.rerun()
