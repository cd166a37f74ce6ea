"""Two networks that share a scene: each place is scored by the one that has not learned it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.detector import Box, Model, ModelError, Scene, triptychs
from dashboard.detector.models.chessboard import Chessboard
from dashboard.detector.scanning import store as stores
from tests.detector import rasters
from tests.detector.scans import whole
from tests.models import AROUND_CARD, around_model, pair_model

Scenes = Callable[..., Scene]
REACH = AROUND_CARD.around // 2
RIM = (AROUND_CARD.tile - 4) // 2  # px from a scene's border to the first position


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(4, 50), st.integers(-60, 0), st.booleans()
)
def test_the_squares_of_both_colours_cover_a_scene_once(
    width: int, height: int, side: int, first: int, black: bool
) -> None:
    board = Chessboard(side, first)
    marked = np.zeros((height, width), int)
    for colour in (black, not black):
        for box in board.squares(width, height, colour):
            marked[box.y_min : box.y_max, box.x_min : box.x_max] += 1 if colour else 100
    assert set(np.unique(marked)) <= {1, 100}
    np.testing.assert_array_equal(marked == 1, board.black(np.arange(width), np.arange(height)))
    assert board.is_black(width - 0.5, height - 0.5) == (marked[-1, -1] == 1)


def expected(pixels: np.ndarray, scene: Scene, board: Chessboard) -> np.ndarray:
    """The scores by numpy: the surprise of white squares counts twice."""
    rows, cols = ((length - AROUND_CARD.tile) // 4 + 1 for length in pixels.shape)
    more = 4 * REACH
    inner = pixels[RIM - more : RIM + 4 * rows + more, RIM - more : RIM + 4 * cols + more]
    residual = np.abs(inner.astype(np.float32) - scene.centre) / scene.scale
    surprise = residual.reshape(rows + 2 * REACH, 4, cols + 2 * REACH, 4).mean(axis=(1, 3))
    y, x = (RIM - more + 4 * np.arange(length) for length in surprise.shape)
    surprise = np.where(board.black(x, y), surprise, 2 * surprise)
    windows = np.lib.stride_tricks.sliding_window_view(surprise, (AROUND_CARD.around,) * 2)
    return np.asarray(surprise[REACH:-REACH, REACH:-REACH] - windows.mean(axis=(2, 3)))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Which network was asked, time after time."""
    seen: list[bool] = []
    surprise = Model.surprise

    def noted(self: Model, *given: Any) -> Any:
        seen.append(given[-1])
        return surprise(self, *given)

    monkeypatch.setattr(Model, "surprise", noted)
    return seen


@pytest.mark.parametrize(("square", "times"), [(96, 1), (192, 1), (48, 2), (100, 2)])
def test_each_place_is_scored_by_the_network_that_has_not_learned_it(
    scene_of: Scenes,
    tmp_path: Path,
    square: int,
    times: int,
    asked: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a square is a piece of 24 positions, or several, each piece is looked at once."""
    monkeypatch.setattr(stores, "SIDE", 24)
    model = Model.load(pair_model(tmp_path / "pair.onnx", square), "cpu")
    pixels = rasters.ground(300, 400)
    scene = scene_of(pixels)
    scores = whole(scene, model).scores()
    board = model.card.board
    assert board is not None
    assert board.first == RIM - 4 * REACH
    np.testing.assert_allclose(scores.values, expected(pixels, scene, board), rtol=1e-4, atol=1e-4)
    assert set(asked) == {True, False}
    pieces = 3 * 4  # of 24 positions, of which there are 64 x 89, surroundings included
    assert (len(asked) == pieces) == (times == 1)


def test_the_triptych_of_a_place_is_that_of_its_network(scene_of: Scenes, tmp_path: Path) -> None:
    model = Model.load(pair_model(tmp_path / "pair.onnx", 96), "cpu")
    scene, board = scene_of(), model.card.board
    assert board is not None
    boxes = [Box(x, 128, x + 64, 192) for x in (96, 192)]
    assert [board.is_black(*box.centre) for box in boxes] in ([True, False], [False, True])
    shown = triptychs(scene, model, boxes)
    assert [one.box for one in shown] == boxes
    dn = np.stack([scene.read_around(box.grow(model.card.margin))[None] for box in boxes])
    for one, box, ground in zip(shown, boxes, dn, strict=True):
        alone = model.complete(ground[None], scene.centre, scene.scale, board.is_black(*box.centre))
        np.testing.assert_array_equal(one.completion, alone.completion[0])


@pytest.mark.parametrize("pair", [True, False])
def test_a_card_that_says_otherwise_than_its_graph_is_refused(tmp_path: Path, pair: bool) -> None:
    path = tmp_path / "wrong.onnx"
    if pair:
        pair_model(path, square=0)
    else:
        around_model(path, square=96)
    with pytest.raises(ModelError, match="disagree on how many networks"):
        Model.load(path, "cpu")
