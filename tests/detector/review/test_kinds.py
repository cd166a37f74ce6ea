"""Kinds: what looks alike comes together, what does not stays alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dashboard.detector.places.detections import Detection
from dashboard.detector.review.kinds import (
    MOST_MEMBERS,
    Kind,
    directions,
    first_looks,
    kinds,
    likeness,
)
from dashboard.detector.scanning.place_table import PlaceTable
from dashboard.detector.tiling import Box

LENGTH = 12  # numbers that describe a place


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def looks(counts: list[int], noise: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """Descriptions of so many places of each look, mixed, and which look each has."""
    rng = np.random.default_rng(0)
    of = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    values = np.eye(LENGTH)[of] + noise * rng.normal(size=(len(of), LENGTH))
    return unit(values), of


def test_places_that_look_alike_are_a_kind_and_the_largest_comes_first() -> None:
    described, of = looks([18, 15, 12, 2, 1])
    found = kinds(described)
    assert [len(kind.members) for kind in found] == [18, 15, 12]
    for kind, look in zip(found, range(3), strict=True):
        assert {int(of[index]) for index in kind.members} == {look}
        assert kind.best == kind.members[0]
        assert list(kind.members) == sorted(kind.members), "strongest first"


def test_a_large_kind_is_parted_so_that_half_of_each_part_is_in_sight() -> None:
    described, of = looks([60, 12, 2])
    found = kinds(described)
    assert max(len(kind.members) for kind in found) <= MOST_MEMBERS
    members = [index for kind in found for index in kind.members]
    assert len(members) == len(set(members))
    assert sum(of[index] == 0 for index in members) > 50, "few are left over"
    assert all(len({int(of[index]) for index in kind.members}) == 1 for kind in found)
    same = np.repeat(described[:1], 40, axis=0)
    assert sorted(len(kind.members) for kind in kinds(same)) == [10, 10, 10, 10]


def test_look_first_at_the_best_of_each_kind_and_at_what_is_of_none() -> None:
    described, of = looks([18, 15, 12, 2, 1])
    first = first_looks(len(of), kinds(described))
    assert first == sorted(first)
    assert [int((of[first] == look).sum()) for look in range(5)] == [1, 1, 1, 2, 1]


def test_only_the_strongest_are_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.detector.review.kinds.MOST_PLACES", 20)
    described, _ = looks([16, 16, 2])
    assert max(index for kind in kinds(described) for index in kind.members) < 20


def test_few_places_or_unknown_ones_make_no_kind() -> None:
    assert kinds(np.zeros((0, LENGTH), np.float32)) == []
    assert kinds(np.zeros((30, LENGTH), np.float32)) == []
    assert first_looks(3, []) == [0, 1, 2]
    assert first_looks(3, [Kind((2, 1), 1)]) == [0, 1]


def test_likeness_is_the_cosine_over_all_places_of_the_table(tmp_path: Path) -> None:
    described, of = looks([20, 20], noise=0.02)
    described[:, 2:] = 0  # all that the two looks do not differ in is the same
    rows, cols = np.arange(40), np.arange(40) * 3
    PlaceTable.write(tmp_path / "places.npy", (rows, cols, np.zeros(40, np.float32)), LENGTH)
    table = PlaceTable.open(tmp_path / "places.npy", "r+")
    table.put(0, np.zeros(40, np.float32), described)
    alike = likeness(table, 4, 12)
    assert alike is not None
    assert alike.argmax() == 4
    assert alike[of == of[4]].min() > alike[of != of[4]].max()
    assert likeness(table, 4, 13) is None
    found = [
        Detection(1, 0.0, 0.0, 0.0, 0.0, Box(0, 0, 1, 1), r, c, 1) for r, c in ((4, 12), (1, 1))
    ]
    pair = directions(table, found)
    assert pair is not None
    assert np.linalg.norm(pair, axis=1) == pytest.approx([1, 0])
