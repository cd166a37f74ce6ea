"""Learning ends with who asked for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WAITS = "import time; from training import __main__ as m; m._end_with_asker();"
WAITS += "print(1, flush=True); time.sleep(60)"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_a_process_that_learns_ends_when_its_input_is_closed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdin
        assert run.stdout
        assert run.stdout.readline() == b"1\n"
        began = time.monotonic()
        run.stdin.close()
        assert run.wait(30) == -signal.SIGTERM
        assert time.monotonic() - began < 10
