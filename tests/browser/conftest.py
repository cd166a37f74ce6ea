"""A dashboard of its own and a real browser for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root there is no sandbox; without a screen WebGL, which the map draws with, needs software.
SWITCHES = ["--no-sandbox", "--disable-gpu", "--use-gl=swiftshader", "--enable-unsafe-swiftshader"]
START_SECONDS, STEP_SECONDS = 90, 60


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("needs Chromium; install it, for example with `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def dashboard(home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a dashboard that runs for this test alone, with a home of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "dashboard.log"
    with log.open("w") as output:
        command = [sys.executable, "-m", "dashboard", "--port", str(port)]
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"NEEDLE_HOME": str(home), "STREAMLIT_SERVER_HEADLESS": "true"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address, server, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"the dashboard did not start:\n{log.read_text()}")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, dashboard: str) -> Page:
    """The dashboard's first page, loaded."""
    expect.set_options(timeout=STEP_SECONDS * 1000)
    context.set_default_timeout(STEP_SECONDS * 1000)
    page = context.new_page()
    page.goto(dashboard)
    expect(page.get_by_role("button", name="Scan", exact=True)).to_be_visible()
    return page
