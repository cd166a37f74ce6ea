"""Synthetic anomalies and distractors: of every size, lit as the window is, without edges."""

from __future__ import annotations

import numpy as np
import pytest

from tests.detector import rasters
from training.networks.guarded import BLOCK
from training.simulation.terrain import Sun
from training.synthetic_anomalies import anomalies, assemblies
from training.synthetic_anomalies.anomalies import BLASTED, anomaly
from training.synthetic_anomalies.canvas import FINE
from training.synthetic_anomalies.distractors import distractor, rock
from training.synthetic_anomalies.paste import estimate_sun, paste

SIDE = 256
SIZES = (1.5, 60.0)  # px across


def ground(seed: int = 0) -> np.ndarray:
    return rasters.ground(SIDE, SIDE, seed=seed).astype(np.float32)


@pytest.mark.parametrize("draw", [anomaly, distractor])
def test_every_size_can_be_drawn(draw: object) -> None:
    for seed, size in enumerate(np.geomspace(*SIZES, 25)):
        sheet = draw(float(size), Sun(), np.random.default_rng(seed))  # type: ignore[operator]
        for layer in (sheet.stain, sheet.value, sheet.alpha):
            assert np.isfinite(layer).all()
        assert len(sheet.x) % (FINE * BLOCK) == 0


def test_the_light_is_read_from_the_shadows() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    dn = np.full((SIDE, SIDE), 100, np.float32)
    for cx, cy in rng.uniform(20, SIDE - 20, (60, 2)):
        lit = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 6)
        dark = np.exp(-((x - cx - 5) ** 2 + (y - cy) ** 2) / 6)  # the shadow falls to the right
        dn += 30 * lit - 40 * dark
    sun = estimate_sun(dn, np.random.default_rng(1))
    assert abs((sun.azimuth - 270 + 180) % 360 - 180) < 45, "the sun stands on the left"


@pytest.mark.parametrize("size", [BLASTED, 30.0, SIZES[1]])
def test_blown_off_ground_counts_where_it_is_deep(
    size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomalies, "BLAST", 1.0)
    sheet = anomaly(size, Sun(), np.random.default_rng(0))
    counted = sheet.changed > 0
    assert counted.any()
    assert not counted[[0, -1]].any(), "it ends before the sheet does"
    assert np.abs(sheet.stain[counted]).mean() > 3 * np.abs(sheet.stain[~counted]).mean()


@pytest.mark.parametrize("draw", [anomaly, distractor])
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
        paste(dn, sheet, ((SIDE - side) // 2,) * 2, (20.0, 0.0), rng)
        most = max(most, float(np.abs(dn - ground()).max()))
        edges.append(step(dn, side))
    assert most > 50, "things do change the ground"
    assert max(edges) < 0.02 * most


def test_a_rock_is_lit_from_the_sun_and_casts_a_shadow_away_from_it() -> None:
    sun, toward, away, dark = Sun(), 0.0, 0.0, 0
    dx, dy = sun.toward
    for seed in range(40):
        sheet = rock(6.0, sun, np.random.default_rng(seed))
        along, on = sheet.x * dx + sheet.y * dy, sheet.alpha > 0
        toward += float(sheet.value[on & (along > 2)].mean())
        away += float(sheet.value[on & (along < -2)].mean())
        shadow = (sheet.stain < 0) & ~on
        dark += int(along[shadow].mean() < 0)
    assert toward > away
    assert dark == 40


def test_parts_around_a_middle_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assemblies, "MIRRORED", 0.0)
    monkeypatch.setattr(assemblies, "ROUND", 1.0)
    monkeypatch.setattr(assemblies, "SECTORS", (4, 4))
    monkeypatch.setattr(assemblies, "_lit", lambda sheet, *_: np.ones_like(sheet.x))
    for seed in range(10):
        alpha = assemblies.assembly(24.0, Sun(), np.random.default_rng(seed)).alpha > 0
        assert alpha.any()
        assert (alpha ^ np.rot90(alpha)).sum() < 0.1 * alpha.sum()
