"""The reader of residuals: what it says lies where its residual lies, and is nothing at first."""

from __future__ import annotations

import pytest
import torch

from training.networks.guarded import OCTAVES, Guarded
from training.networks.reader import AROUND, READ, Reader
from training.networks.residuals import Scorer

CENTRE, SCALE = torch.tensor([100.0]), torch.tensor([10.0])


def awake(reader: Reader) -> Reader:
    """A reader that says something."""
    torch.manual_seed(1)
    torch.nn.init.normal_(reader.last.weight)
    return reader


def looks(side: int) -> list[torch.Tensor]:
    """What a reader sees of `side` x `side` blocks."""
    torch.manual_seed(2)
    sides = (side // 2**octave + 2 * AROUND[octave] for octave in OCTAVES)
    return [torch.randn(1, READ, one, one) for one in sides]


def test_an_untrained_reader_says_nothing() -> None:
    assert not Reader()(looks(16)).any()


@pytest.mark.parametrize("octave", OCTAVES)
def test_what_lies_beyond_its_surroundings_does_not_matter_and_the_rest_does(octave: int) -> None:
    reader, seen = awake(Reader()).eval(), looks(16)
    seen[octave].requires_grad_(True)
    (slope,) = torch.autograd.grad(reader(seen)[0, 8, 8], seen[octave])
    rows = slope.abs().sum((0, 1, 3)).nonzero()
    middle = 8 // 2**octave + AROUND[octave]
    assert middle - AROUND[octave] <= int(rows.min()) < middle < int(rows.max())
    assert int(rows.max()) <= middle + AROUND[octave]


def test_a_surprise_moves_with_the_ground_and_depends_on_the_margin_alone() -> None:
    torch.manual_seed(0)
    scorer = Scorer(Guarded()).eval()
    awake(scorer.network.reader)
    ground = 100 + 10 * torch.randn(1, 1, 128 + 2 * scorer.sees, 96 + 2 * scorer.sees)
    with torch.inference_mode():
        whole = scorer.surprise(scorer.looks(ground, CENTRE, SCALE))
        part = scorer.surprise(scorer.looks(ground[:, :, 16:, 32:], CENTRE, SCALE))
    torch.testing.assert_close(part, whole[:, 4:, 8:], atol=1e-5, rtol=0)
