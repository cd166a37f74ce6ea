"""Work behind the pages: it goes on by itself, tells its part, and its error reaches who asks."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dashboard.background.behind import Behind


def test_work_goes_on_by_itself_and_tells_how_far_it_is() -> None:
    go_on = threading.Event()

    def work(watch: Callable[[float], None]) -> str:
        watch(0.5)
        go_on.wait(10)
        return "found"

    running = Behind(work)
    assert not running.wait(0.1)
    assert running.part == 0.5
    go_on.set()
    assert running.wait(10)
    assert running.result() == "found"
    assert not running.failed


def test_an_error_reaches_the_one_who_asks() -> None:
    def work(watch: Callable[[float], None]) -> None:
        raise OSError("the disk is gone")

    running = Behind(work)
    assert running.wait(10)
    assert running.failed
    with pytest.raises(OSError, match="disk"):
        running.result()
