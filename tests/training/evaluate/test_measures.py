"""The measures, on detections made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.detector import Box, Detection
from training.evaluate.measures import (
    LARGER,
    NEAR,
    SPOTS,
    average_precision,
    costs_of,
    found_of,
    geometric_mean,
    judge,
    precision_at_total_recall,
    review_cost,
)
from training.truth import KnownObject, Truth

LANDER = KnownObject("lander", "lander", Box(100, 100, 120, 110))
SPOT = KnownObject("spot", "spot", Box(300, 300, 304, 304))
IGNORED = Box(500, 500, 520, 520)
TRUTH = Truth("hand.png", (LANDER, SPOT), (IGNORED,))


def detections(*places: tuple[float, float], first: float = 9.0) -> list[Detection]:
    """Detections at the places, one sigma weaker each."""
    return [
        Detection(n + 1, first - n, 0.1, x, y, Box(0, 0, 1, 1), row=0, col=0, tiles=1)
        for n, (x, y) in enumerate(places)
    ]


def test_the_review_cost_counts_what_ranks_above_the_weakest_object() -> None:
    judged = judge(detections((1, 1), (110, 105), (2, 2), (302, 302), (3, 3)), TRUTH)
    assert [one.cost for one in judged.objects] == [1, 2]
    assert review_cost(judged.objects) == 2
    assert review_cost(judged.objects, LARGER) == 1
    assert review_cost(judged.objects, SPOTS) == 2
    assert [one.rank for one in judged.objects] == [2, 4]
    assert len(judged.false) == 3
    # First met after one false, second after two more found: (1/2 + 2/4) / 2
    assert average_precision(judged.objects) == pytest.approx(0.5)
    assert precision_at_total_recall(judged.objects) == pytest.approx(2 / 4)


@pytest.mark.parametrize(
    ("x", "y", "hit"),
    [
        (76, 76, True),
        (75, 105, False),
        (143, 133, True),
        (144, 105, False),  # the boxes are half-open
        (110, 134, False),
    ],
)
def test_an_object_is_found_by_a_point_in_its_box_grown_by_24_px(
    x: float, y: float, hit: bool
) -> None:
    judged = judge(detections((x, y)), TRUTH)
    assert judged.objects[0].found is hit
    assert len(judged.false) == (0 if hit else 1)


def test_an_ignored_box_counts_neither_way_and_is_not_grown() -> None:
    judged = judge(detections((510, 510), (522, 510), (110, 105)), TRUTH)
    assert [(one.x, one.y) for one in judged.false] == [(522, 510)]
    assert judged.objects[0].cost == 1


def test_only_places_beyond_three_sigma_find_but_weaker_ones_have_a_cost() -> None:
    judged = judge(detections((110, 105), (302, 302), first=3.0001), TRUTH)
    assert [one.found for one in judged.objects] == [True, False]
    assert [one.cost for one in judged.objects] == [0, 0]
    assert found_of(judged.objects) == {"lander": (1, 1), "spot": (0, 1)}
    assert judge(detections((110, 105), first=3.0), TRUTH).objects[0].found is False


def test_an_object_that_is_never_met_costs_every_false_detection() -> None:
    judged = judge(detections((110, 105), (1, 1), (2, 2)), TRUTH)
    assert judged.objects[1].sigma is None
    assert review_cost(judged.objects) == 2
    assert precision_at_total_recall(judged.objects) == 0
    assert average_precision(judged.objects) == pytest.approx(0.5)


def test_one_point_between_two_objects_finds_both() -> None:
    near = KnownObject("chute", "parachute", Box(130, 100, 150, 110))
    judged = judge(detections((125, 105)), Truth("two.png", (LANDER, near)))
    assert [one.found for one in judged.objects] == [True, True]


def test_without_objects_there_is_no_cost_and_everything_is_false() -> None:
    judged = judge(detections((110, 105), (2, 2)), Truth("empty.png", ()))
    assert review_cost(judged.objects) is None
    assert average_precision(judged.objects) is None
    assert len(judged.false) == 2


PLACES = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600)), max_size=30)


@given(PLACES)
def test_every_detection_is_on_an_object_ignored_or_false(places: list[tuple[int, int]]) -> None:
    judged = judge(detections(*places), TRUTH)
    boxes = [one.box.grow(NEAR) for one in TRUTH.objects] + [IGNORED]
    clear = [place for place in places if not any(box.holds(*place) for box in boxes)]
    assert [(one.x, one.y) for one in judged.false] == clear
    for one in judged.objects:
        assert 0 <= one.cost <= len(clear)
        if one.rank is not None:
            assert one.cost < one.rank


@given(PLACES, st.integers(0, 30), st.tuples(st.integers(600, 900), st.integers(0, 600)))
def test_one_more_false_detection_never_lowers_a_cost_nor_raises_the_precision(
    places: list[tuple[int, int]], where: int, more: tuple[int, int]
) -> None:
    before = judge(detections(*places), TRUTH)
    after = judge(detections(*places[:where], more, *places[where:]), TRUTH)
    for old, new in zip(before.objects, after.objects, strict=True):
        assert old.cost <= new.cost <= old.cost + 1
    assert (average_precision(after.objects) or 0) <= (average_precision(before.objects) or 0)
    assert len(after.false) == len(before.false) + 1


@given(PLACES)
def test_a_perfect_list_costs_nothing_whatever_follows(places: list[tuple[int, int]]) -> None:
    judged = judge(detections((110, 105), (302, 302), *places), TRUTH)
    assert review_cost(judged.objects) == 0
    assert average_precision(judged.objects) == 1
    assert precision_at_total_recall(judged.objects) == 1


def test_the_cost_of_a_kind_is_the_median_over_its_objects() -> None:
    spots = tuple(
        KnownObject(f"spot {n}", "spot", Box(100 * n, 300, 100 * n + 4, 304)) for n in range(3)
    )
    found = detections((0, 300), (1, 1), (100, 300), (2, 2), (3, 3), (200, 300))
    assert costs_of(judge(found, Truth("three.png", (*spots, LANDER))).objects) == {
        "spot": 1,
        "lander": 3,
    }


def test_a_geometric_mean_is_that_of_costs_raised_by_one() -> None:
    assert geometric_mean([0, 0, 0]) == 0.0
    assert geometric_mean([0, 3]) == pytest.approx(1.0)
    assert geometric_mean([]) is None
