"""The guarded network: what lies in the hole is never seen, what lies around it is."""

from __future__ import annotations

import pytest
import torch

from training.networks.guarded import (
    BLOCK,
    GUARDS,
    ROWS,
    Guarded,
    Row,
    ground_of,
    hole_side,
    laplace,
    reach,
)

HEADS = list(enumerate(GUARDS))


@pytest.fixture(scope="module", params=[ROWS], ids=["shipped"])
def network(request: pytest.FixtureRequest) -> Guarded:
    torch.manual_seed(0)
    return Guarded(request.param).eval()


def seen(network: Guarded, head: int, y: int, x: int, side: int) -> torch.Tensor:
    """Which pixels `[side, side]` change what is said of the pixel at `(y, x)`."""
    ground = torch.randn(1, 1, side, side, requires_grad=True)
    centre, log_scale = network(ground)
    said = centre[0, head, y, x] + log_scale[0, head, y, x]
    (gradient,) = torch.autograd.grad(said, ground)
    return gradient[0, 0] != 0


@pytest.mark.parametrize(("head", "guard"), HEADS)
@pytest.mark.parametrize("phase", range(BLOCK * BLOCK))
def test_the_hole_is_not_seen_at_any_phase_and_its_rim_is(
    network: Guarded, head: int, guard: int, phase: int
) -> None:
    side = 2 * reach(network.rows) + 8 * BLOCK
    first = side // 2 // BLOCK * BLOCK  # of the block
    y, x = first + phase // BLOCK, first + phase % BLOCK
    looks = seen(network, head, y, x, side)
    guarded = (hole_side(guard) - BLOCK) // 2
    low, high = first - guarded, first + BLOCK + guarded
    assert not looks[low:high, low:high].any()
    middle = slice(first, first + BLOCK)
    assert looks[low - 1, middle].any()
    assert looks[high, middle].any()
    assert looks[middle, low - 1].any()
    assert looks[middle, high].any()


def test_the_farthest_head_sees_as_far_as_derived_and_no_further(network: Guarded) -> None:
    far = reach(network.rows)
    side = 2 * far + 8 * BLOCK
    first = side // 2 // BLOCK * BLOCK
    looks = seen(network, len(GUARDS) - 1, first, first, side)
    rows = looks.any(dim=1).nonzero()
    cols = looks.any(dim=0).nonzero()
    for edges in (rows, cols):
        assert int(edges.min()) == first - far
        assert int(edges.max()) == first + BLOCK - 1 + far


def test_a_leak_would_be_noticed() -> None:
    """The same question put to a head that looks one block too near."""
    torch.manual_seed(0)
    leaking = Guarded(guards=(1,)).eval()
    side = 2 * reach() + 8 * BLOCK
    first = side // 2 // BLOCK * BLOCK
    looks = seen(leaking, 0, first, first, side)
    guarded = (hole_side(2) - BLOCK) // 2
    assert looks[first - guarded : first + BLOCK + guarded, first : first + BLOCK].any()


def test_tiles_with_the_derived_margin_equal_the_whole_and_without_it_do_not(
    network: Guarded,
) -> None:
    ground = torch.randn(1, 1, 320, 256)
    with torch.inference_mode():
        whole = network(ground)[0]

        def piece(margin: int) -> torch.Tensor:
            top, left, tall, wide = 128, 96, 64, 48
            rows = slice(top - margin, top + tall + margin)
            cols = slice(left - margin, left + wide + margin)
            found = network(ground[:, :, rows, cols])[0]
            inner = found[:, :, margin : margin + tall, margin : margin + wide]
            return (inner - whole[:, :, top : top + tall, left : left + wide]).abs().max()

        assert piece(reach(network.rows)) < 1e-5
        assert piece(0) > 1e-3


def test_ground_need_not_be_square(network: Guarded) -> None:
    with torch.inference_mode():
        centre, log_scale = network(torch.randn(2, 1, 96, 128))
    assert centre.shape == log_scale.shape == (2, len(GUARDS), 96, 128)


def test_rows_decide_reach_and_holes() -> None:
    assert reach((Row(1, 8),), (1,)) == 2 * BLOCK
    assert reach() == (max(GUARDS) + sum(row.dilation for row in ROWS)) * BLOCK
    assert [hole_side(guard) for guard in (1, 2, 4)] == [4, 12, 28]


def test_gain_and_offset_do_not_matter() -> None:
    dn = torch.rand(2, 1, 32, 32) * 200
    centre, scale = torch.tensor([100.0]), torch.tensor([20.0])
    for octave in (0, 1, 2):
        plain = ground_of(dn, centre, scale, octave)
        other = ground_of(2 * dn + 100, 2 * centre + 100, 2 * scale, octave)
        assert plain.shape[-1] == 32 // 2**octave
        torch.testing.assert_close(plain, other, atol=1e-5, rtol=0)


def test_the_likelihood_is_best_at_the_true_centre_and_scale() -> None:
    torch.manual_seed(0)
    ground = torch.distributions.Laplace(0.3, 0.5).sample((1, 1, 200, 200))

    def loss(centre: float, scale: float) -> float:
        full = torch.full_like(ground, centre)
        return float(laplace(ground, full, torch.full_like(ground, scale).log()))

    best = loss(0.3, 0.5)
    for centre, scale in ((0.2, 0.5), (0.4, 0.5), (0.3, 0.4), (0.3, 0.62)):
        assert loss(centre, scale) > best
