"""Whatever a decoder does with a picture, it ends as one line, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.detector.errors import DamagedScene, NoGround
from dashboard.detector.scenes import decoder_process
from dashboard.detector.scenes.ingest import ingest
from tests.detector import rasters

ROOT = Path(__file__).resolve().parents[3]
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and /proc")
HARM = """
import ctypes, os, time
from dashboard.detector.files.picture import Picture
def harm(self, box):
    pid = os.environ["NEEDLE_TEST_PID"]
    with open(pid + ".part", "w") as file:
        file.write(str(os.getpid()))
    os.replace(pid + ".part", pid)
    {}
Picture.read = harm
decoder.main()
"""


class _Enough(Exception):
    """Who asked has enough."""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return rasters.write(tmp_path / "scene.png", rasters.ground())


@pytest.fixture
def pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a harmful decoder writes the number of its process."""
    monkeypatch.setenv("NEEDLE_TEST_PID", str(tmp_path / "pid"))
    return tmp_path / "pid"


@pytest.fixture(autouse=True)
def none_idle() -> Iterator[None]:
    """No process is left of another test, and none is left to another."""
    decoder_process.end_idle()
    yield
    decoder_process.end_idle()


def harmful(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Lets the decoder do something instead of reading the picture."""
    program = decoder_process.PROGRAM.replace("decoder.main()", HARM.format(what))
    monkeypatch.setattr(decoder_process, "PROGRAM", program)


def gone(pid: Path, seconds: float = 20) -> bool:
    """True when the process has ended, as it should soon."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(int(pid.read_text()), 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("ctypes.string_at(0)", r"its decoder crashed \(SIGSEGV\)"),
        ("os.abort()", r"its decoder crashed \(SIGABRT\)"),
        ("os._exit(3)", "its decoder ended without a word"),
        ("raise KeyError('tag')", "the PNG file is damaged or cut off"),
        ("bytearray(8 << 30)", "takes more memory than a picture of its size may"),
    ],
)
@linux
def test_a_decoder_that_dies_is_one_line(
    picture: Path, pid: Path, home: Path, monkeypatch: pytest.MonkeyPatch, what: str, said: str
) -> None:
    with monkeypatch.context() as patched:
        harmful(patched, what)
        with pytest.raises(DamagedScene, match=rf"^scene\.png: .*{said}[^\n]*$"):
            ingest(picture)
    assert gone(pid)
    assert list((home / "scenes").iterdir()) == []
    decoder_process.end_idle()
    assert ingest(picture).width == 400  # and the next one is decoded


@linux
def test_a_decoder_that_never_ends_is_ended(
    picture: Path, pid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harmful(monkeypatch, "time.sleep(100)")
    monkeypatch.setattr(decoder_process, "seconds_allowed", lambda pixels: pixels / 60_000 or 120)
    with pytest.raises(DamagedScene, match=r"scene\.png: decoding it takes more than the 2 s"):
        ingest(picture)
    assert gone(pid)


@linux
def test_who_gives_up_ends_the_decoder(
    picture: Path, pid: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harmful(monkeypatch, "time.sleep(100)")

    def give_up(_: float) -> None:
        if pid.exists():
            raise _Enough

    with pytest.raises(_Enough):
        ingest(picture, on_progress=give_up)
    assert gone(pid)
    assert list((home / "scenes").iterdir()) == []


@linux
def test_a_decoder_ends_with_who_asked(picture: Path, pid: Path) -> None:
    program = "\n".join(
        [
            "import sys",
            "from dashboard.detector import ingest",
            "from dashboard.detector.scenes import decoder_process",
            f"harm = {HARM.format('time.sleep(100)')!r}",
            "program = decoder_process.PROGRAM.replace('decoder.main()', harm)",
            "decoder_process.PROGRAM = program",
            "ingest(sys.argv[1])",
        ]
    )
    asker = subprocess.Popen([sys.executable, "-c", program, str(picture)], cwd=ROOT)
    until = time.monotonic() + 60
    while not (pid.exists() and pid.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    assert gone(pid)


def test_errors_come_through_as_they_are(tmp_path: Path) -> None:
    flat = rasters.ground()
    flat[:] = 7
    with pytest.raises(NoGround, match=r"flat\.png: every valid pixel has DN 7"):
        ingest(rasters.write(tmp_path / "flat.png", flat))


def test_one_process_decodes_one_picture_after_the_other(tmp_path: Path) -> None:
    ingest(rasters.write(tmp_path / "first.png", rasters.ground(seed=1)))
    (idle,) = decoder_process._idle
    ingest(rasters.write(tmp_path / "second.png", rasters.ground(seed=2)))
    assert decoder_process._idle == [idle]


@linux
def test_a_process_that_has_ended_in_the_meantime_is_replaced(tmp_path: Path) -> None:
    ingest(rasters.write(tmp_path / "first.png", rasters.ground(seed=1)))
    (idle,) = decoder_process._idle
    os.kill(idle._process.pid, signal.SIGKILL)
    while idle.alive:
        time.sleep(0.01)
    assert ingest(rasters.write(tmp_path / "second.png", rasters.ground(seed=2))).width == 400
