"""A dashboard of its own and a real browser for each test of the whole way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import serving

STEP_SECONDS = 60


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed with this folder's last test: its event loop runs in this thread until then."""
    if serving.installed_browser() is None:
        pytest.skip("needs Chromium; install it, for example with `apt-get install chromium`")
    with serving.browser() as found:
        yield found


@pytest.fixture
def dashboard(home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a dashboard that runs for this test alone."""
    with serving.dashboard(home, tmp_path / "dashboard.log") as address:
        yield address


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
