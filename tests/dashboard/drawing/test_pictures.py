"""Pictures for the pages: right places, honest colours, nodata visible."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from dashboard.detector import Box, Grid, Model, Patch, Scene, ScoreMap, triptychs
from dashboard.drawing import pictures
from tests.detector import rasters

Scenes = Callable[..., Scene]


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def scores_with_a_peak() -> ScoreMap:
    values = np.full((10, 12), 1.0, np.float32)
    values[3, 5], values[0, 0] = 9.0, np.nan
    return ScoreMap(values, Grid(256 + 11 * 48, 256 + 9 * 48, 256, 48), 48)


def test_ground_is_grey_and_nodata_hatched_darker_than_any_ground() -> None:
    dn = np.tile(np.linspace(0, 255, 64, dtype=np.float32), (64, 1))
    valid = np.ones(dn.shape, bool)
    valid[:, :16] = False
    shown = pictures.ground(Patch(dn, valid, ~valid), (20, 200))
    assert shown.shape == (64, 64, 3)
    assert (shown[..., 0] == shown[..., 2]).all()
    assert shown[valid].min() > shown[~valid].max()
    assert len(np.unique(shown[~valid])) == 2, "hatched"


def test_an_overview_fits_its_frame(scene_of: Scenes) -> None:
    scene = scene_of(rasters.ground(600, 900))
    for width, height in ((300, 300), (90, 20), (5000, 5000)):
        shown = pictures.overview(scene, width, height)
        assert shown.shape[0] <= height
        assert shown.shape[1] <= width
    assert pictures.overview(scene, 300, 300).shape == (200, 300, 3)


def test_heat_is_brightest_at_the_strongest_and_clear_without_a_score() -> None:
    heat = pictures.heat(scores_with_a_peak()).astype(int)
    brightness = heat[..., :3].sum(axis=2)
    assert np.unravel_index(brightness.argmax(), brightness.shape) == (3, 5)
    assert heat[0, 0, 3] == 0
    assert (heat[..., 3] > 0).sum() == 119
    nothing = ScoreMap(np.full((1, 1), np.nan, np.float32), Grid(256, 256, 256, 48), 48)
    assert pictures.heat(nothing)[0, 0, 3] == 0


def test_scores_lie_over_their_ground_and_boxes_around_it() -> None:
    scores = scores_with_a_peak()
    base = np.full((scores.grid.height // 2, scores.grid.width // 2, 3), 90, np.uint8)
    plain = pictures.draw_scores(base, scores)
    x, y = scores.scored_box(3, 5).centre
    glow = plain.astype(int).sum(axis=2)
    assert glow[int(y / 2), int(x / 2)] == glow.max() > 270
    assert (plain[:, 0] == 90).all(), "no scores there"
    boxed = pictures.draw_scores(base, scores, [scores.scored_box(3, 5)])
    changed = np.argwhere((boxed != plain).any(axis=2))
    middle = (changed.min(axis=0) + changed.max(axis=0)) / 2
    np.testing.assert_allclose(middle, [y / 2, x / 2], atol=1.5)


def test_a_difference_is_dark_at_zero_and_tells_its_sign() -> None:
    shown = pictures.difference(np.array([[-9, 0, 9, 900]], np.float32), 9).astype(int)[0]
    assert shown[1].sum() < min(shown[0].sum(), shown[2].sum())
    assert shown[0, 2] > shown[0, 0], "darker ground than expected is blue"
    assert shown[2, 0] > shown[2, 2], "brighter is rust"
    assert (shown[2] == shown[3]).all()
    assert (pictures.difference(np.zeros((2, 2), np.float32), 0) == shown[1]).all()


def test_a_triptych_shows_ground_completion_and_difference(scene_of: Scenes, model: Model) -> None:
    scene = scene_of()
    (one,) = triptychs(scene, model, [Box(272, 172, 528, 428)])
    shown = decoded(pictures.triptych(one, scene))
    side = one.query.shape[0]
    assert shown.shape == (side, 3 * side + 2 * pictures.GAP, 3)
    query, completion = shown[:, :side], shown[:, side + pictures.GAP : 2 * side + pictures.GAP]
    middle = (side // 2, side // 2)
    assert query[middle].mean() == 255, "the bright object"
    assert completion[middle].mean() < 200, "which the plain model does not expect"
    marks = np.argwhere(query[..., 0] == 205)
    assert len(marks) > 8
