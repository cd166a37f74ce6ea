"""The article's network: its size and sight, derived and checked; scaling, hole, score, loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.kinds.article import weighted_l1
from training.networks.article import (
    HIDDEN,
    ROWS,
    SIDE,
    Article,
    Row,
    hide,
    hole,
    query,
    score,
    widened,
)


def receptive_field(rows: tuple[Row, ...]) -> int:
    """Side in px of the halved tile that one output pixel can see.

    Each convolution adds `dilation * (kernel - 1)` steps of its own map (Araujo et al. 2019,
    "Computing receptive fields of convolutional neural networks"); the bilinear doubling reads two
    neighbours of the coarse map, one step of it.
    """
    field, step = 1, 1
    for row in rows:
        if row.up:
            field += step
            step //= 2
        field += row.dilation * (row.kernel - 1) * step
        step *= row.stride
    return field


def multiply_adds(rows: tuple[Row, ...], side: int = SIDE) -> int:
    """Multiply-adds of one forward pass over a `side` x `side` map."""
    total, inputs = 0, 1
    for row in rows:
        side = side * 2 if row.up else side // row.stride
        total += side * side * row.kernel**2 * inputs * row.channels
        inputs = row.channels
    return total


def test_the_network_has_the_articles_parameters_and_cost() -> None:
    network = Article()
    assert len(ROWS) == 17
    assert sum(weight.numel() for weight in network.parameters()) == 1_444_737
    assert multiply_adds(network.rows) == pytest.approx(8.24e9, rel=1e-3)


def test_the_receptive_field_is_159_px_as_the_gradient_sees_it() -> None:
    assert receptive_field(ROWS) == 159
    torch.manual_seed(0)
    network = Article(width=1 / 16).double()
    for layer in network.layers:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.constant_(layer.weight, 1e-3)  # no path cancels another
    side = 192  # wide enough that no mirrored border comes into sight
    # The doubling makes even and odd outputs see one step apart; together they see it all.
    seen = torch.zeros(side, side, dtype=torch.bool)
    for at in (96, 97):
        tiles = torch.zeros(1, 1, side, side, dtype=torch.float64, requires_grad=True)
        network.layers(tiles)[0, 0, at, at].backward()
        extent = (tiles.grad[0, 0] != 0).any(0).nonzero()
        assert int(extent.max() - extent.min()) + 1 <= receptive_field(ROWS)
        seen |= tiles.grad[0, 0] != 0
    extent = seen.any(0).nonzero()
    assert int(extent.max() - extent.min()) + 1 >= receptive_field(ROWS) - 3


def test_completions_stay_in_the_range_of_grey() -> None:
    network = Article(0.125)
    tiles = torch.randn(2, 1, SIDE, SIDE) * 100
    completed = network(tiles)
    assert completed.shape == tiles.shape
    assert completed.abs().max() <= 1


@given(st.floats(0.5, 50), st.floats(-500, 500))
def test_gain_and_offset_of_a_scene_change_nothing(gain: float, offset: float) -> None:
    rng = np.random.default_rng(0)
    dn = torch.from_numpy(rng.normal(100, 20, (2, 1, 256, 256)))
    centre, scale = torch.tensor([100.0]).double(), torch.tensor([20.0]).double()
    plain = query(dn, centre, scale)
    moved = query(dn * gain + offset, centre * gain + offset, scale * gain)
    torch.testing.assert_close(plain, moved, rtol=1e-6, atol=1e-8)


def test_the_query_is_the_mean_of_four_pixels_and_is_not_clipped() -> None:
    dn = torch.zeros(1, 1, 256, 256)
    dn[0, 0, :2, :2] = torch.tensor([[900.0, 1100.0], [1000.0, 1000.0]])
    tiles = query(dn, torch.tensor([0.0]), torch.tensor([25.0]))
    assert tiles.shape == (1, 1, 128, 128)
    assert tiles[0, 0, 0, 0] == 10.0


def test_only_the_hidden_centre_is_filled_with_zero() -> None:
    tiles = torch.ones(1, 1, SIDE, SIDE)
    hidden = hide(tiles, hole())
    assert hidden[0, 0, 48:80, 48:80].abs().sum() == 0
    assert (tiles - hidden).sum() == HIDDEN**2


def test_the_score_looks_at_the_centre_24_alone() -> None:
    tiles = torch.zeros(2, 1, SIDE, SIDE)
    completion = torch.ones_like(tiles)
    completion[:, :, 52:76, 52:76] = 0
    assert score(tiles, completion).tolist() == [0, 0]
    completion[1, :, 52:76, 52:76] = -0.5
    assert score(tiles, completion).tolist() == [0, 0.5]


def test_the_loss_is_the_elementwise_weighted_mean() -> None:
    rng = torch.Generator().manual_seed(0)
    tiles, completion = (torch.randn(3, 1, SIDE, SIDE, generator=rng) for _ in range(2))
    mask = hole()
    total = 0.0
    for n in range(3):
        for y in range(SIDE):
            hidden_row = 48 <= y < 80
            residual = (tiles[n, 0, y] - completion[n, 0, y]).abs()
            weight = torch.full((SIDE,), 0.1)
            if hidden_row:
                weight[48:80] = 0.9
            total += float((weight * residual).sum())
    expected = total / tiles.numel()
    assert float(weighted_l1(tiles, completion, mask)) == pytest.approx(expected, rel=1e-5)


def test_a_wider_preset_keeps_the_table_and_its_one_output() -> None:
    rows = widened(ROWS, 2.0)
    assert [row.channels for row in rows[:-1]] == [2 * row.channels for row in ROWS[:-1]]
    assert rows[-1] == ROWS[-1]
    assert receptive_field(rows) == receptive_field(ROWS)
