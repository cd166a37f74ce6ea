"""Work done ahead: in order, bounded, its errors where they are asked for, its thread ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from dashboard.detector.system.prefetch import POLL, map_in_order, prefetch

WAIT = 30  # s until what should happen is given up


def counted(seen: list[int], count: int = 100) -> Generator[int, None, None]:
    for number in range(count):
        seen.append(number)
        yield number


def test_items_come_in_their_order_and_all() -> None:
    with prefetch(counted([]), 3) as items:
        assert list(items) == list(range(100))


def test_no_more_than_the_depth_is_worked_out_ahead() -> None:
    seen: list[int] = []
    full = threading.Event()

    def counting() -> Generator[int, None, None]:
        for number in range(100):
            seen.append(number)
            if number == 4:
                full.set()
            yield number

    with prefetch(counting(), 3) as items:
        assert next(items) == 0
        assert full.wait(WAIT)
        time.sleep(2 * POLL)  # in which a thread that does not stop would go on
        assert len(seen) == 5  # one taken, three that wait, one in the thread's hand


def test_what_is_wanted_next_is_worked_on_while_the_last_is_used() -> None:
    second = threading.Event()

    def working() -> Generator[int, None, None]:
        yield 0
        second.set()
        yield 1

    with prefetch(working(), 2) as items:
        assert next(items) == 0
        assert second.wait(WAIT)


def test_an_error_is_raised_after_what_came_before_it() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise OSError("the disk is gone")

    seen = []
    with pytest.raises(OSError, match="the disk is gone"), prefetch(failing(), 3) as items:
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

    with prefetch(endless(), 2) as items:
        next(items)
    assert [thread.name for thread in where] == ["needle-ahead"]
    assert not where[0].is_alive()


def test_work_side_by_side_comes_in_order_and_no_faster_than_it_is_taken() -> None:
    begun: list[int] = []
    full, second = threading.Event(), threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if len(begun) == 4:
            full.set()
        if number == 1:
            assert second.wait(WAIT)  # the later one ends first
        elif number == 2:
            second.set()
        return number**2

    found = map_in_order(work, range(20), 3)
    assert next(found) == 0
    assert full.wait(WAIT)
    time.sleep(0.1)  # in which one more would be begun
    assert sorted(begun) == [0, 1, 2, 3]
    assert list(found) == [number**2 for number in range(1, 20)]


def test_work_side_by_side_is_done_at_once() -> None:
    both = threading.Barrier(2)
    assert len(list(map_in_order(lambda _: both.wait(5), range(4), 2))) == 4


def test_work_that_fails_or_is_given_up_ends() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise OSError("the disk is gone")
        return number

    seen = []
    with pytest.raises(OSError, match="the disk is gone"):
        for number in map_in_order(work, range(9), 2):
            seen.append(number)
    assert seen == [0, 1]
    given_up = map_in_order(work, iter([0, 1]), 1)
    assert next(given_up) == 0
    given_up.close()  # type: ignore[attr-defined]
    assert not [one for one in threading.enumerate() if "ThreadPool" in one.name]
