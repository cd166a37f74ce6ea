"""The grid: every tile inside, every pixel spoken for exactly once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.detector import Box, Grid, NoGround, OptionError

grids = st.builds(
    Grid,
    width=st.integers(20, 90),
    height=st.integers(20, 90),
    tile=st.integers(4, 20),
    stride=st.integers(1, 20),
)


@given(grids)
def test_keep_boxes_cover_every_pixel_exactly_once(grid: Grid) -> None:
    covered = np.zeros((grid.height, grid.width), int)
    tiles = list(grid)
    for tile in tiles:
        covered[tile.keep.y_min : tile.keep.y_max, tile.keep.x_min : tile.keep.x_max] += 1
        assert tile.read.width == tile.read.height == grid.tile
        assert tile.read.x_min >= 0
        assert tile.read.x_max <= grid.width
        assert tile.read.y_min >= 0
        assert tile.read.y_max <= grid.height
        assert tile == grid.at(tile.row, tile.col)
    if grid.stride <= grid.tile:
        assert (covered == 1).all()
    assert len(tiles) == len(grid) == grid.rows * grid.cols


@given(grids)
def test_no_further_tile_would_fit(grid: Grid) -> None:
    last = grid.at(grid.rows - 1, grid.cols - 1).read
    assert last.x_max + grid.stride > grid.width
    assert last.y_max + grid.stride > grid.height


def test_rows_and_columns_are_those_that_fit() -> None:
    articles = Grid(25_516, 45_788, 256, 16)
    assert (articles.cols, articles.rows) == (1_579, 2_846)
    assert Grid(256, 256, 256, 48).at(0, 0).keep == Box(0, 0, 256, 256)


@pytest.mark.parametrize(("width", "height"), [(255, 400), (400, 255), (0, 0)])
def test_a_scene_smaller_than_a_tile_is_refused(width: int, height: int) -> None:
    with pytest.raises(NoGround, match="at least 256 x 256 px"):
        Grid(width, height, 256, 48)


@pytest.mark.parametrize("stride", [0, -16])
def test_a_stride_must_lead_somewhere(stride: int) -> None:
    with pytest.raises(OptionError, match="at least 1 px"):
        Grid(400, 400, 256, stride)


boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    *(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5)),
)


@given(boxes, boxes)
def test_boxes_overlap_where_they_share_a_pixel(one: Box, other: Box) -> None:
    def pixels(box: Box) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box.x_min, box.x_max) for y in range(box.y_min, box.y_max)}

    assert one.overlaps(other) == other.overlaps(one) == bool(pixels(one) & pixels(other))
    assert one.area == len(pixels(one))
    assert all(one.holds(x, y) for x, y in pixels(one))
    assert not one.holds(one.x_max, one.y_min)
    assert one.grow(2).grow(-2) == one
    assert one.grow(3).centre == one.centre
