"""Where pictures come from: the demo, an upload, the operator's folder, the HiRISE archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard.background import uploads
from dashboard.background.downloads import Download
from dashboard.detector import NeedleError
from dashboard.pages import frame
from dashboard.session import state

DEMO, UPLOAD, FOLDER, FETCH = "Demo scene", "Upload", "Folder", "Fetch"


@dataclass(frozen=True)
class Choice:
    """A picture the user has chosen."""

    path: Path
    name: str


def choose() -> list[Choice]:
    """The pictures the user has chosen; empty where none."""
    st.subheader("Scene")
    options = [DEMO, UPLOAD] + ([FOLDER] if _folder() else []) + [FETCH]
    kind = st.segmented_control(
        "Scene", options, default=DEMO, required=True, key="source", label_visibility="collapsed"
    )
    if kind == UPLOAD:
        return _uploads()
    if kind == FOLDER:
        return _from_folder()
    if kind == FETCH:
        return _fetch()
    if not uploads.DEMO.exists():
        st.warning("The demo scene is missing; make it with `python -m training plant --demo`.")
        return []
    frame.quiet("Synthetic ground with six pieces of landing hardware, 0.25 m a pixel.")
    return [Choice(uploads.DEMO, uploads.DEMO.name)]


def _uploads() -> list[Choice]:
    files = st.file_uploader(
        "PNG, JPEG, TIFF, JPEG 2000, PDS3 or ISIS cube",
        accept_multiple_files=True,
        key="upload",
        help="One band or RGB, 8 or 16 bit or float, up to 2 GB; with its world file and .prj, or "
        "the pixels of its .lbl, where they are dropped together.",
    )
    staged: dict[str, Choice] = st.session_state.setdefault("staged", {})
    dropped: list[uploads.Upload] = [(file, file.name) for file in files]
    groups = [uploads.belonging(dropped, upload) for upload in dropped]
    taken = {id(upload) for group in groups for upload in group}
    found = []
    for file, upload, beside in zip(files, dropped, groups, strict=True):
        if id(upload) in taken:
            continue
        key = " ".join([file.file_id, *(other.file_id for other, _ in beside)])  # type: ignore[attr-defined]
        if key not in staged:
            try:
                staged[key] = Choice(uploads.stage(*upload, beside), file.name)
            except NeedleError as error:
                frame.trouble(error)
        found += [staged[key]] if key in staged else []
    return found


def _folder() -> Path | None:
    try:
        return uploads.operators_folder()
    except NeedleError as error:
        frame.trouble(error)
        return None


def _from_folder() -> list[Choice]:
    folder = _folder()
    names = uploads.pictures_in(folder) if folder else []
    if folder is None or not names:
        frame.quiet("The folder of scenes holds no picture yet.")
        return []
    name = st.selectbox("Picture", names, key="from_folder")
    return [Choice(uploads.picture_in(folder, name), name)]


def _fetch() -> list[Choice]:
    """The product of a HiRISE observation; empty while it is on its way."""
    name = st.text_input(
        "HiRISE observation",
        placeholder="ESP_028401_1755",
        key="observation",
        help="Its RED product, some 500 MB, from the public archive; kept for the next time.",
    )
    observation = name.strip().upper()
    known = state.downloads().get(observation)
    if st.button("Fetch", disabled=not observation or _under_way(known), key="fetch_button"):
        known = state.downloads().start(observation)
    if known is None:
        frame.quiet("This one thing needs the network: the product is copied to this machine.")
        return []
    if not known.ended.is_set():
        _arriving(known)
    elif known.error:
        frame.trouble(known.error)
    elif known.path:
        return [Choice(known.path, known.path.name)]
    else:
        frame.quiet("Stopped; Fetch goes on with what has come.")
    return []


def _under_way(download: Download | None) -> bool:
    return download is not None and not download.ended.is_set()


@st.fragment(run_every=0.5)
def _arriving(download: Download) -> None:
    if download.ended.is_set():
        st.rerun()
    words = "Asking the archive"
    if download.total:
        words = f"{download.there / 1e6:,.0f} of {download.total / 1e6:,.0f} MB"
    st.progress(download.there / (download.total or 1), words)
    st.button("Cancel", on_click=download.cancel, key="cancel_fetch")
