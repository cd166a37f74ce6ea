"""Products from the archive: whole or not there, a broken download goes on, trouble in one line."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dashboard.__main__ import main
from dashboard.detector import FetchError, OptionError, StoreError, fetch
from dashboard.detector.files.hirise_archive import product_path
from tests.archive import OBSERVATION, PATH, Archive, serving
from tests.detector import rasters

fetching = sys.modules["dashboard.detector.files.hirise_archive"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSE", 0.01)
    monkeypatch.setattr(fetching, "CHUNK", 4096)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A small product, a JPEG 2000."""
    noise = np.random.default_rng(0).integers(1, 1023, (300, 300)).astype(np.uint16)
    return rasters.write(tmp_path / "product.jp2", noise).read_bytes()


@pytest.fixture
def archive(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    with serving(Archive(content)) as served:
        monkeypatch.setenv("NEEDLE_ARCHIVE", served.address)
        yield served


def cut_off(archive: Archive, after: int, folder: Path | None = None) -> None:
    """A download that its user stops once `after` bytes have come."""

    def stop(there: int, _: int) -> None:
        if there >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(OBSERVATION, folder, on_progress=stop)


@pytest.mark.parametrize(
    ("observation", "path"),
    [
        (OBSERVATION, PATH.removeprefix("/PDS/")),
        (
            "psp_001430_1815",
            "RDR/PSP/ORB_001400_001499/PSP_001430_1815/PSP_001430_1815_RED.JP2",
        ),
        (
            "TRA_000873_1780",
            "RDR/TRA/ORB_000800_000899/TRA_000873_1780/TRA_000873_1780_RED.JP2",
        ),
    ],
)
def test_the_path_follows_from_the_observation(observation: str, path: str) -> None:
    assert product_path(observation) == path


@pytest.mark.parametrize("name", ["", "ESP", "ESP_28401_1755", "ESP_028401_1755_RED", "../../etc"])
def test_what_is_no_observation_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="no HiRISE observation"):
        fetch(name)


@pytest.mark.parametrize("checksum", [None, "Repr-Digest", "Digest", "Content-MD5"])
def test_a_product_comes_whole_and_once(
    archive: Archive, content: bytes, home: Path, checksum: str | None
) -> None:
    archive.checksum = checksum
    path = fetch(OBSERVATION)
    assert path == home / "fetched" / "ESP_028401_1755_RED.JP2"
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    asked = len(archive.asked)
    assert fetch(OBSERVATION) == path
    assert len(archive.asked) == asked


def test_progress_rises_to_the_whole(archive: Archive, content: bytes) -> None:
    seen: list[tuple[int, int]] = []
    fetch(OBSERVATION, on_progress=lambda *step: seen.append(step))
    assert seen == sorted(seen)
    assert seen[-1] == (len(content), len(content))


def test_a_stopped_download_goes_on_where_it_was(
    archive: Archive, content: bytes, tmp_path: Path
) -> None:
    cut_off(archive, 9000, tmp_path)
    assert not list(tmp_path.glob("ESP*"))
    (part,) = tmp_path.glob(".ESP*.part")
    had = part.stat().st_size
    assert had >= 9000
    assert fetch(OBSERVATION, tmp_path).read_bytes() == content
    assert archive.asked[-1] == f"GET bytes={had}-"


def test_a_line_that_breaks_is_taken_up_again(archive: Archive, content: bytes) -> None:
    archive.breaks = [5000, 0, 7000, 3000]
    assert fetch(OBSERVATION).read_bytes() == content
    assert archive.asked[1:] == [
        "GET",
        "GET bytes=5000-",
        "GET bytes=5000-",
        "GET bytes=12000-",
        "GET bytes=15000-",
    ]


def test_a_line_that_brings_nothing_any_more_is_given_up(archive: Archive) -> None:
    archive.breaks = [5000] + [0] * 20
    with pytest.raises(FetchError, match=r"broke off after 5,000 of .* goes on with what has come"):
        fetch(OBSERVATION)
    assert archive.asked.count("GET bytes=5000-") == fetching.TRIES - 1


def test_a_server_without_ranges_begins_anew(
    archive: Archive, content: bytes, tmp_path: Path
) -> None:
    archive.ranges = False
    cut_off(archive, 9000, tmp_path)
    assert fetch(OBSERVATION, tmp_path).read_bytes() == content


def test_parts_of_an_older_product_are_not_continued(
    archive: Archive, content: bytes, tmp_path: Path
) -> None:
    cut_off(archive, 9000, tmp_path)
    archive.content, archive.etag = content[:100] + bytes(len(content) - 100), '"second"'
    path = fetch(OBSERVATION, tmp_path)
    assert path.read_bytes() == archive.content
    assert list(path.parent.glob(".ESP*")) == []


def test_a_product_that_is_exchanged_while_it_comes_is_fetched_anew(
    archive: Archive, content: bytes
) -> None:
    archive.breaks, archive.checksum = [5000], None

    def exchange(there: int, _: int) -> None:
        if there >= 4096:
            archive.etag, archive.content = '"second"', content[:200] + content

    with pytest.raises(FetchError, match="exchanged while it came"):
        fetch(OBSERVATION, on_progress=exchange)
    assert fetch(OBSERVATION).read_bytes() == archive.content


def test_a_wrong_checksum_leaves_nothing(archive: Archive, home: Path) -> None:
    archive.lie = True
    with pytest.raises(FetchError, match="its sha256 checksum is not the server's"):
        fetch(OBSERVATION)
    assert list((home / "fetched").iterdir()) == []


def test_what_is_no_picture_leaves_nothing(archive: Archive, home: Path) -> None:
    archive.content, archive.checksum = b"<html>log in first</html>", None
    with pytest.raises(FetchError, match="no picture"):
        fetch(OBSERVATION)
    assert list((home / "fetched").iterdir()) == []


def test_an_observation_the_archive_lacks_is_said(archive: Archive) -> None:
    with pytest.raises(FetchError, match="ESP_028401_1756: the archive has no such product"):
        fetch("ESP_028401_1756")
    archive.status = 503
    with pytest.raises(FetchError, match="answers 503"):
        fetch(OBSERVATION)


def test_without_a_network_it_says_so_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:  # a port nobody listens on
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    began = time.monotonic()
    assert main(["fetch", OBSERVATION, "--out", str(tmp_path), "--archive", address]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"needle: {OBSERVATION}_RED.JP2: 127.0.0.1")
    assert "cannot be reached (" in said.err
    assert said.err.count("\n") == 1
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("address", ["ftp://host/PDS", "file:///etc", "host/PDS"])
def test_an_archive_that_is_no_web_address_is_refused(address: str) -> None:
    with pytest.raises(OptionError, match="http or https"):
        fetch(OBSERVATION, archive=address)


def test_no_room_is_said_before_anything_is_sent(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StoreError, match="make room"):
        fetch(OBSERVATION)
    assert archive.asked == ["HEAD"]


def test_at_once_from_several_threads_it_is_fetched_once(archive: Archive, content: bytes) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: fetch(OBSERVATION), range(4)))
    assert len(found) == 1
    assert found.pop().read_bytes() == content
    assert archive.asked == ["HEAD", "GET"]


def test_the_command_prints_where_the_product_is(
    archive: Archive, content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", OBSERVATION, "--out", str(tmp_path / "here")]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert Path(said.out.strip()).read_bytes() == content
