"""Background downloads: cancelled and failed without loss; the choice on the page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.background import downloads as background
from dashboard.background.downloads import Download, Downloads
from tests.archive import OBSERVATION, Archive, serving
from tests.detector import rasters


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    product = rasters.write(tmp_path / "product.jp2", rasters.ground(300, 400, "uint16"))
    with serving(Archive(product.read_bytes())) as served:
        monkeypatch.setenv("NEEDLE_ARCHIVE", served.address)
        yield served


def ended(download: Download) -> Download:
    assert download.ended.wait(30)
    return download


def test_a_download_leaves_the_product(archive: Archive) -> None:
    downloads = Downloads()
    found = ended(downloads.start(OBSERVATION))
    assert (found.error, found.there) == (None, len(archive.content))
    assert found.path is not None
    assert found.path.read_bytes() == archive.content
    assert downloads.get(OBSERVATION) is found


def test_a_failed_download_says_why_and_can_be_asked_for_again(archive: Archive) -> None:
    downloads = Downloads()
    archive.status = 503
    assert "answers 503" in (ended(downloads.start(OBSERVATION)).error or "")
    archive.status = 200
    assert ended(downloads.start(OBSERVATION)).path is not None


def test_asking_twice_is_one_download_and_a_cancelled_one_goes_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = background.fetch

    def slow(*given: object, on_progress: object) -> Path:
        def held(there: int, total: int) -> None:
            on_progress(there, total)  # type: ignore[operator]
            while not first.cancelled.is_set():
                time.sleep(0.01)
            on_progress(there, total)  # type: ignore[operator]

        return fetch(*given, on_progress=held)  # type: ignore[arg-type]

    downloads = Downloads()
    with monkeypatch.context() as patched:
        patched.setattr(background, "fetch", slow)
        first = downloads.start(OBSERVATION)
        assert downloads.start(OBSERVATION) is first
        first.cancel()
        assert (ended(first).path, first.error) == (None, None)
    second = downloads.start(OBSERVATION)
    assert second is not first
    assert ended(second).path is not None


def test_a_fault_of_ours_is_logged_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(background, "fetch", fault)
    found = ended(Downloads().start(OBSERVATION))
    assert found.error == f"{OBSERVATION}: something went wrong; the log says what"
    assert "a bug" in caplog.text


def test_the_page_fetches_an_observation_and_shows_it(archive: Archive) -> None:
    def script() -> None:
        from dashboard.pages import scan

        scan.page()

    app = AppTest.from_function(script, default_timeout=60)
    app.session_state["source"] = "Fetch"
    app.run()
    app.text_input(key="observation").set_value(OBSERVATION.lower()).run()
    app.button(key="fetch_button").click().run()
    until = time.monotonic() + 30
    shown = ""
    while "400 x 300 px" not in shown and time.monotonic() < until:
        time.sleep(0.2)
        app.run()
        assert not app.exception
        shown = " ".join(str(part.proto.body) for part in app.get("html"))
    assert "400 x 300 px" in shown
    st.cache_data.clear()
    st.cache_resource.clear()
