"""A real browser; a dashboard for each test of the whole way, one with a scan for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import serving
from tests.browser.scanned import Scanned, scanned_demo

STEP_SECONDS = 90
NAMED = 'localStorage.setItem("needle.reviewer", "ann");'  # who has said so before
FORGET = "try { localStorage.clear(); } catch (error) { /* a page without an address */ }"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed with this folder's last test: its event loop runs in this thread until then."""
    if serving.installed_browser() is None:
        pytest.skip("needs Chromium; install it, for example with `apt-get install chromium`")
    expect.set_options(timeout=STEP_SECONDS * 1000)
    with serving.browser() as found:
        yield found


@pytest.fixture
def dashboard(home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a dashboard that runs for this test alone."""
    with serving.dashboard(home, tmp_path / "dashboard.log") as address:
        yield address


@pytest.fixture(scope="package")
def shared(browser: Browser) -> Iterator[BrowserContext]:
    """A browser context that keeps Streamlit's program from page to page."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(STEP_SECONDS * 1000)
    context.add_init_script(NAMED)
    yield context
    context.close()


@pytest.fixture
def context(shared: BrowserContext) -> Iterator[BrowserContext]:
    """A browser whose pages are closed after the test, and that keeps nothing of it."""
    yield shared
    for page in shared.pages:
        page.evaluate(FORGET)
        page.close()


@pytest.fixture
def page(context: BrowserContext, dashboard: str) -> Page:
    """The dashboard's first page, loaded."""
    page = context.new_page()
    page.goto(dashboard)
    expect(page.get_by_role("button", name="Scan", exact=True)).to_be_visible()
    return page


@pytest.fixture(scope="package")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scanned]:
    """The demo scene scanned once for this folder, and the dashboard that shows it."""
    with scanned_demo(tmp_path_factory.mktemp("scanned")) as found:
        yield found


@pytest.fixture
def scanned(served: Scanned) -> Scanned:
    """The scanned demo scene, about which nothing is decided yet."""
    served.forget()
    return served


@pytest.fixture
def review(context: BrowserContext, scanned: Scanned) -> Page:
    """The Review page of the scanned demo scene, come to rest."""
    return scanned.open(context.new_page())
