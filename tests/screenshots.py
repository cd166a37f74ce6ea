"""Pictures of the real dashboard, as README shows them.

    python -m tests.screenshots [--picture FILE] [--show RANK] [--out DIR]

Starts a dashboard with an empty home, chooses the demo scene (or uploads a picture), scans it with
the shipped model, moves the threshold, and takes the pictures that README and `dashboard/README.md`
show. The demo scene is scanned before a picture of that can be taken: README's is of a larger one,
`training.simulation.planting.demo_scene(folder, 5, (9216, 6656))`.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser import serving
from tests.browser.scanned import expect_chosen, open_drawer, rest

HERE = Path(__file__).parent / "browser" / "screenshots"
SIZE = {"width": 1440, "height": 900}
NAMED = 'localStorage.setItem("needle.reviewer", "Ana");'
SCAN_SECONDS, STEP_SECONDS = 1800, 90
QUALITY = 85  # of the JPEG files
UNDER_WAY = re.compile(r"^[3-7]\d% of .+")  # heat on the picture, and ground


def take(page: Page, out: Path, name: str) -> None:
    """One picture, when the page has come to rest."""
    for _ in range(2):  # what was done last may only be on its way to the server
        page.wait_for_timeout(1200)
        rest(page)
    path = out / f"{name}.jpg"
    page.screenshot(path=path, type="jpeg", quality=QUALITY)
    print(path)


def take_while_scanning(page: Page, path: Path) -> None:
    """The last picture before a scan ends, however short it is."""
    ended, under_way = page.get_by_text("beyond 3 sigma in"), page.get_by_text(UNDER_WAY)
    until = time.monotonic() + SCAN_SECONDS
    while not ended.is_visible() and time.monotonic() < until:
        if under_way.is_visible():
            page.screenshot(path=path, type="jpeg", quality=QUALITY)
        page.wait_for_timeout(100)
    expect(ended).to_be_visible()
    print(path if path.exists() else f"{path}: the scan was too short; give a larger --picture")


def drive(page: Page, picture: Path | None, sigma: float, show: int, out: Path) -> None:
    """The whole way through, a picture of each step."""
    if picture:
        page.get_by_text("Upload", exact=True).click()
        page.locator("input[type=file]").set_input_files(str(picture))
    expect(page.get_by_text("on this machine (")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Scan", exact=True).click()
    take_while_scanning(page, out / "2-scanning.jpg")
    page.get_by_role("button", name="Review", exact=True).click()
    expect_chosen(page, 1)
    open_drawer(page)
    slider = page.get_by_role("slider", name="Threshold")
    for _ in range(round(abs(sigma - 3) * 10)):
        slider.press("ArrowRight" if sigma > 3 else "ArrowLeft")
    take(page, out, "5-threshold")
    page.keyboard.press("Escape")
    for _ in range(show - 1):
        page.keyboard.press("ArrowRight")
    take(page, out, "4-review")
    page.keyboard.press("w")
    expect(page.get_by_text("Flagged because")).to_be_visible()
    take(page, out, "8-why")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Results", exact=True).click()
    expect(page.get_by_text("Take away")).to_be_visible()
    take(page, out, "6-results")


def main() -> None:
    """Parses the command line and drives."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--picture", type=Path, help="to upload; the demo scene otherwise")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--home", type=Path, help="NEEDLE_HOME to use; an empty one otherwise")
    parser.add_argument("--sigma", type=float, default=3.0)
    parser.add_argument("--show", type=int, default=1, help="rank of the place to show large")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=STEP_SECONDS * 1000)
    with tempfile.TemporaryDirectory() as folder, serving.browser() as browser:
        home = given.home or Path(folder) / "home"
        with serving.dashboard(home, Path(folder) / "log") as address:
            page = browser.new_page(viewport=SIZE)
            page.add_init_script(NAMED)
            page.goto(address)
            drive(page, given.picture, given.sigma, given.show, given.out)


if __name__ == "__main__":
    main()
