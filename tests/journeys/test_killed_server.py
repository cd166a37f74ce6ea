"""A server killed while several people file verdicts has every one that it has acknowledged."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from dashboard.detector import Subject, Verdicts, list_scans
from dashboard.viewer import addresses
from tests.fuzz import home as homes

ROOT = Path(__file__).resolve().parents[2]
ASKED, REVIEWERS = 60, 6  # verdicts that are acknowledged before the kill, and who files them


def post(at: str, key: str, number: int) -> list[str]:
    """Files one verdict; the ids that are acknowledged."""
    action = {"id": f"action-{number:06d}", "reviewer": "ann", "verdict": "hardware"}
    action |= {"points": [[float(number), 7.0]]}  # type: ignore[dict-item]
    body = json.dumps({"session": "a-window-of-ann", "actions": [action], "since": 0}).encode()
    headers = {"Content-Type": "application/json", "Origin": at}
    request = urllib.request.Request(f"{at}{addresses.verdicts()}/{key}", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        done: list[str] = json.load(answer)["done"]
    return done


def keep_filing(at: str, key: str, first: int, acknowledged: list[str]) -> None:
    """Files verdicts one after the other until the server is gone."""
    with suppress(OSError, HTTPException):
        for number in range(first, 100_000, REVIEWERS):
            acknowledged += post(at, key, number)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    home = homes.made(tmp_path)
    (store,) = list_scans(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = f"http://localhost:{port}"
    own = {"NEEDLE_HOME": str(home), "STREAMLIT_SERVER_HEADLESS": "true"}
    command = [sys.executable, "-m", "dashboard", "--port", str(port)]
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"{at}/health")
        with ThreadPoolExecutor(REVIEWERS) as reviewers:
            acknowledged: list[str] = []
            for first in range(REVIEWERS):
                reviewers.submit(keep_filing, at, store.key, first, acknowledged)
            until = time.monotonic() + 120
            while len(acknowledged) < ASKED and time.monotonic() < until:
                time.sleep(0.01)
            server.kill()  # with a request of every reviewer under way
    finally:
        server.kill()
        server.wait()
    assert len(acknowledged) >= ASKED
    known = {int(x) for x, _ in Verdicts(home).current(Subject.of(store))}
    assert known >= {int(ticket.removeprefix("action-")) for ticket in acknowledged}


def _wait_for(address: str) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.2)
        else:
            return
