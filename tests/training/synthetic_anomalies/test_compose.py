"""Planted imitations: reproducible, marked where they are, down to the noise and no further."""

from __future__ import annotations

import numpy as np
import pytest

from tests.detector import rasters
from training.networks.guarded import BLOCK
from training.simulation.terrain import Sun
from training.synthetic_anomalies import Planted, compose, plant, put, things
from training.synthetic_anomalies.canvas import FINE, Sheet
from training.synthetic_anomalies.compose import SIZES, sun_over
from training.synthetic_anomalies.distractors import lookalike
from training.synthetic_anomalies.things import BLASTED, thing

SIDE = 256


def ground(seed: int = 0) -> np.ndarray:
    return rasters.ground(SIDE, SIDE, seed=seed).astype(np.float32)


def planted(seed: int, objects: int = 1, alike: int = 0) -> Planted:
    """One window with so many of each."""
    with pytest.MonkeyPatch.context() as patch:
        for name, count in (("OBJECTS", objects), ("LOOKALIKES", alike)):
            patch.setattr(compose, name, tuple(float(i == count) for i in range(4)))
        for name in ("JPEG", "SEAM", "GRAIN"):
            patch.setattr(compose, name, 0.0)
        return plant(ground(), 20.0, np.random.default_rng(seed))


def test_the_seed_decides_everything() -> None:
    one, same, other = (plant(ground(), 20.0, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one.dn, same.dn)
    assert np.array_equal(one.target, same.target)
    assert not np.array_equal(one.dn, other.dn)


@pytest.mark.parametrize("seed", range(12))
def test_what_counts_is_marked_where_the_ground_has_changed(seed: int) -> None:
    found = planted(seed)
    changed = np.abs(found.dn - np.clip(ground(), found.dn.min(), found.dn.max()))
    share = changed.reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK).mean(axis=(1, 3))
    assert found.target.shape == found.weight.shape == (SIDE // BLOCK, SIDE // BLOCK)
    inside = found.target > 0
    assert inside.any(), "however small, it is marked"
    assert (found.weight[inside] > 0).all()
    assert share[inside].mean() > 3 * share[found.weight == 1].mean()


def test_a_large_thing_weighs_more_than_a_small_one_but_not_by_its_area() -> None:
    sizes = {}
    for seed in range(40):
        found = planted(seed)
        count = int(found.target.sum())
        sizes[count] = float((found.weight * found.target).sum())
    for count, total in sizes.items():
        assert total == pytest.approx(np.sqrt(count), rel=1e-4)
    assert len(sizes) > 5


def test_lookalikes_change_the_ground_and_do_not_count() -> None:
    for seed in range(10):
        found = planted(seed, objects=0, alike=2)
        assert not found.target.any()
        assert (found.weight == 1).all()
        assert np.abs(found.dn - ground()).max() > 1


@pytest.mark.parametrize("draw", [thing, lookalike])
def test_every_size_can_be_drawn(draw: object) -> None:
    for seed, size in enumerate(np.geomspace(*SIZES, 25)):
        sheet = draw(float(size), Sun(), np.random.default_rng(seed))  # type: ignore[operator]
        for layer in (sheet.stain, sheet.value, sheet.alpha):
            assert np.isfinite(layer).all()
        assert len(sheet.x) % (FINE * BLOCK) == 0


@pytest.mark.parametrize("size", [3.0, 20.0, 60.0])
def test_the_least_contrast_is_that_of_the_faintest_thing(
    size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(things, "BLAST", 0.0)

    def strongest(seed: int, least: float) -> float:
        sheet = thing(size, Sun(), np.random.default_rng(seed), least)
        return float(np.abs(sheet.value).max())

    faint, plain = ([strongest(seed, least) for seed in range(40)] for least in (0.8, 2.5))
    assert (np.array(faint) < np.array(plain)).all()
    assert min(plain) > 1.5 * min(faint)


@pytest.mark.parametrize("size", [BLASTED, 60.0])
def test_the_faintest_blast_is_fainter_too(size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(things, "BLAST", 1.0)

    def deepest(seed: int, least: float) -> float:
        return float(np.abs(thing(size, Sun(), np.random.default_rng(seed), least).stain).max())

    faint, plain = ([deepest(seed, least) for seed in range(20)] for least in (0.8, 2.5))
    assert (np.array(faint) < np.array(plain)).all()


@pytest.mark.parametrize("least", [0.8, 2.5])
def test_what_is_put_is_as_faint_as_is_asked(least: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[float]()

    def drawn(size: float, sun: Sun, rng: np.random.Generator, least: float = -1.0) -> object:
        asked.append(least)
        return thing(size, sun, rng)

    monkeypatch.setattr(compose, "thing", drawn)
    monkeypatch.setattr(compose, "OBJECTS", (0.0, 1.0, 0.0, 0.0))
    put(ground(), 20.0, 2, np.random.default_rng(0), least)
    assert asked == [least] * 2
    plant(ground(), 20.0, np.random.default_rng(0))
    assert asked[2:] == [-1.0], "a network's are by default the faintest"


def test_the_light_is_read_from_the_shadows() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    dn = np.full((SIDE, SIDE), 100, np.float32)
    for cx, cy in rng.uniform(20, SIDE - 20, (60, 2)):
        lit = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 6)
        dark = np.exp(-((x - cx - 5) ** 2 + (y - cy) ** 2) / 6)  # the shadow falls to the right
        dn += 30 * lit - 40 * dark
    sun = sun_over(dn, np.random.default_rng(1))
    assert abs((sun.azimuth - 270 + 180) % 360 - 180) < 45, "the sun stands on the left"


@pytest.mark.parametrize("size", [BLASTED, 30.0, SIZES[1]])
def test_blown_off_ground_counts_where_it_is_deep(
    size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(things, "BLAST", 1.0)
    sheet = thing(size, Sun(), np.random.default_rng(0))
    counted = sheet.changed > 0
    assert counted.any()
    assert not counted[[0, -1]].any(), "it ends before the sheet does"
    assert np.abs(sheet.stain[counted]).mean() > 3 * np.abs(sheet.stain[~counted]).mean()


@pytest.mark.parametrize("draw", [thing, lookalike])
def test_nothing_ends_in_a_straight_edge_where_its_sheet_does(draw: object) -> None:
    def step(dn: np.ndarray, side: int) -> float:
        """How much the ground changes just within where the sheet was put."""
        begin = (SIDE - side) // 2
        border = np.zeros(dn.shape, bool)
        border[begin : begin + side, begin : begin + side] = True
        border[begin + 1 : begin + side - 1, begin + 1 : begin + side - 1] = False
        return float(np.abs(dn - ground())[border].max())

    most, edges = 0.0, list[float]()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sheet = draw(float(rng.uniform(10, 60)), Sun(), rng)  # type: ignore[operator]
        side, dn = len(sheet.x) // FINE, ground()
        compose.press(dn, sheet, ((SIDE - side) // 2,) * 2, (20.0, 0.0), rng)
        most = max(most, float(np.abs(dn - ground()).max()))
        edges.append(step(dn, side))
    assert most > 50, "things do change the ground"
    assert max(edges) < 0.02 * most


def test_ground_that_is_only_stained_is_neither_object_nor_ground() -> None:
    sheet = Sheet.blank(80, Sun())
    far = np.hypot(sheet.x, sheet.y)
    sheet.stain[far < 30] = -2.0
    sheet.cover(far < 4, 3.0)
    target, weight = np.zeros((20, 20), np.float32), np.ones((20, 20), np.float32)
    covered = compose.press(ground()[:80, :80], sheet, (0, 0), (20.0, 0.0), np.random.default_rng())
    compose.mark(target, weight, covered, compose._stained(sheet), (0, 0))
    assert target[9:11, 9:11].all()
    assert target.sum() < 10
    assert weight[10, 4] == 0, "stained, far from the body"
    assert weight[10, 0] == weight[0, 0] == 1, "ground"
