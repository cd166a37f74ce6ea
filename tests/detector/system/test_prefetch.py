"""Work done ahead: in order, bounded, its errors where they are asked for, its thread ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from dashboard.detector.system.prefetch import ahead, side_by_side


def counted(seen: list[int], count: int = 100) -> Generator[int, None, None]:
    for number in range(count):
        seen.append(number)
        yield number


def test_items_come_in_their_order_and_all() -> None:
    with ahead(counted([]), 3) as items:
        assert list(items) == list(range(100))


def test_no_more_than_the_depth_is_worked_out_ahead() -> None:
    seen: list[int] = []
    with ahead(counted(seen), 3) as items:
        assert next(items) == 0
        time.sleep(0.3)
        assert len(seen) == 5  # one taken, three that wait, one in the thread's hand


def test_what_is_wanted_is_ready() -> None:
    def slow() -> Generator[int, None, None]:
        for number in range(10):
            time.sleep(0.05)
            yield number

    began = time.monotonic()
    with ahead(slow(), 2) as items:
        for _ in items:
            time.sleep(0.05)
    assert time.monotonic() - began < 0.9  # 1.0 s and more one after the other


def test_an_error_is_raised_after_what_came_before_it() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="the disk is gone"), ahead(failing(), 3) as items:
        seen += [next(items)]
        next(items)
    assert seen == [1]


def test_leaving_ends_the_thread_and_closes_the_generator_in_it() -> None:
    where: list[threading.Thread] = []

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            where.append(threading.current_thread())

    with ahead(endless(), 2) as items:
        next(items)
    assert [thread.name for thread in where] == ["needle-ahead"]
    assert not where[0].is_alive()


def test_work_side_by_side_comes_in_order_and_no_faster_than_it_is_taken() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.02 * (number % 2))
        return number**2

    found = side_by_side(work, range(20), 3)
    assert next(found) == 0
    time.sleep(0.2)
    assert sorted(begun) == [0, 1, 2, 3]
    assert list(found) == [number**2 for number in range(1, 20)]


def test_work_side_by_side_is_done_at_once() -> None:
    both = threading.Barrier(2)
    assert len(list(side_by_side(lambda _: both.wait(5), range(4), 2))) == 4


def test_work_that_fails_or_is_given_up_ends() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise OSError("the disk is gone")
        return number

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        for number in side_by_side(work, range(9), 2):
            seen.append(number)
    assert seen == [0, 1]
    given_up = side_by_side(work, iter([0, 1]), 1)
    assert next(given_up) == 0
    given_up.close()  # type: ignore[attr-defined]
    assert not [one for one in threading.enumerate() if "ThreadPool" in one.name]
