"""What nobody wants for long is let go once, and again after it was wanted again."""

from __future__ import annotations

import threading
import time

from dashboard.background.idle import WhenIdle

SECONDS = 0.2


def test_it_rests_once_when_nothing_was_wanted_for_long() -> None:
    rested: list[float] = []
    done = threading.Semaphore(0)

    def rest() -> None:
        rested.append(time.monotonic())
        done.release()

    idle = WhenIdle(SECONDS, rest)
    idle.wanted()
    time.sleep(SECONDS / 2)
    idle.wanted()
    last = time.monotonic()
    assert done.acquire(timeout=10)
    assert rested[0] >= last + SECONDS
    assert not done.acquire(timeout=3 * SECONDS)
    idle.wanted()
    assert done.acquire(timeout=10)
    assert len(rested) == 2
