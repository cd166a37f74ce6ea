"""The critic: it sees as far as derived, is exact under tiling, and learns what was planted."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from training.networks import residuals
from training.networks.critic import (
    HALF,
    LAYERS,
    LEVELS,
    TRUST,
    CloserLook,
    Critic,
    Scorer,
    _halves,
    focal,
    reach,
    step,
    surroundings,
    widened,
)
from training.networks.guarded import BLOCK, DEEP_ROWS, ROWS, Guarded, blocks_of, without


@pytest.fixture(scope="module", params=[DEEP_ROWS, ROWS], ids=["shipped", "shallow"])
def network(request: pytest.FixtureRequest) -> Critic:
    """Sees as far as its residual, as the shipped one does, or further."""
    torch.manual_seed(0)
    return Critic(Guarded(request.param), widened(LEVELS, 0.25)).eval()


def test_a_logit_sees_no_further_than_derived(network: Critic) -> None:
    side = 2 * reach() + 4 * step()
    at = (reach() + step()) // BLOCK  # of a block whose surroundings lie whole in the area
    with torch.no_grad():
        blocks = blocks_of(torch.randn(1, 1, side, side))
        features = network.features(blocks, network.guarded.predict(blocks))
    features.requires_grad_()
    (gradient,) = torch.autograd.grad(network.judge(features)[0, 0, at, at], features)
    looks = (gradient[0] != 0).any(dim=0)
    blocks = reach() // BLOCK
    for axis in (0, 1):
        seen = looks.any(dim=axis).nonzero()
        assert at - blocks <= int(seen.min()) < at - blocks // 2
        assert at + blocks // 2 < int(seen.max()) <= at + blocks


def test_tiles_with_the_derived_margin_equal_the_whole_and_without_it_do_not(
    network: Critic,
) -> None:
    scorer = Scorer(network).eval()
    rim, centre, scale = scorer.margin, torch.tensor([0.0]), torch.tensor([1.0])
    ground = torch.randn(1, 1, 128 + 2 * rim, 160 + 2 * rim)
    with torch.inference_mode():
        whole, completion, _, logits = scorer(ground, centre, scale)
        assert logits.shape == whole.shape
        assert whole.shape == (1, 32, 40)
        assert completion.shape == (1, 1, 128, 160)

        def difference(missing: int) -> float:
            part = ground[:, :, 32 : 32 + 64 + 2 * rim, 64 : 64 + 64 + 2 * rim].clone()
            if missing:
                lost = torch.ones_like(part, dtype=torch.bool)
                lost[:, :, missing:-missing, missing:-missing] = False
                part[lost] = 0.0
            found, _, _, judged = scorer(part, centre, scale)
            pairs = ((found, whole), (judged, logits))
            return max(float((one - all_[:, 8:24, 16:32]).abs().max()) for one, all_ in pairs)

        assert difference(0) < 1e-4
        assert difference(rim) > 1e-2


def test_contrast_is_that_to_the_surroundings_whatever_the_scenes_scale(network: Critic) -> None:
    ground = blocks_of(0.2 * torch.randn(1, 1, 128, 128))
    with torch.inference_mode():
        level, rough = surroundings(ground)
        other_level, other_rough = surroundings(3 * ground + 1)
        contrast, other = (
            network.features(part, network.guarded.predict(part))[:, : BLOCK**2]
            for part in (ground, 3 * ground)
        )
    torch.testing.assert_close(other_level, 3 * level + 1)
    torch.testing.assert_close(other_rough, 3 * rough, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(contrast, other, rtol=1e-3, atol=1e-3)


def test_the_score_is_how_far_logit_and_residual_stand_out_together(network: Critic) -> None:
    scorer = Scorer(network).eval()
    scorer.doubt.copy_(torch.tensor([-2.0, 4.0]))
    side = 64 + 2 * scorer.margin
    parts = (torch.randn(1, 1, side, side), torch.tensor([0.0]), torch.tensor([1.0]))
    with torch.inference_mode():
        score, _, _, seen = scorer(*parts)
        inner = without(parts[0], scorer.sees - scorer.residual.sees)
        surprise, _ = scorer.residual.surprise(inner, *parts[1:])
        logit = scorer.logits(*parts)
    both = surprise + TRUST * residuals.TAIL * (logit + 2.0) / 6.0
    rim = residuals.AROUND // 2
    around = both[0, 3 : 3 + 2 * rim + 1, 5 : 5 + 2 * rim + 1].mean()
    torch.testing.assert_close(score[0, 3, 5], both[0, 3 + rim, 5 + rim] - around)
    torch.testing.assert_close(seen[0, 3, 5], logit[0, 3 + rim, 5 + rim])


def test_alone_the_logit_is_all_that_counts(network: Critic) -> None:
    scorer = Scorer(network, alone=True).eval()
    scorer.doubt.copy_(torch.tensor([-2.0, 4.0]))
    side = 32 + 2 * scorer.margin
    parts = (torch.randn(1, 1, side, side), torch.tensor([0.0]), torch.tensor([1.0]))
    with torch.inference_mode():
        score, _, placed, _ = scorer(*parts)
        logit = scorer.logits(*parts)
    torch.testing.assert_close(placed, residuals.TAIL * (logit + 2.0) / 6.0)
    torch.testing.assert_close(score, residuals.standing_out(placed))


def test_a_calibrated_logit_says_how_often_and_leaves_the_scores_as_they_are() -> None:
    torch.manual_seed(1)
    network = Critic(Guarded(ROWS), widened(LEVELS, 0.125)).eval()
    scorer = Scorer(network).eval()
    side = 32 + 2 * scorer.margin
    parts = (torch.randn(1, 1, side, side), torch.tensor([0.0]), torch.tensor([1.0]))
    doubt = torch.tensor([-5.2, -4.9])
    kept = {"ordinary": scorer.residual.ordinary, "rare": scorer.residual.rare, "doubt": doubt}
    scorer.calibrate(kept | {"platt": torch.tensor([1.0, 0.0])})
    with torch.inference_mode():
        score, _, _, logit = scorer(*parts)
        scorer.calibrate(kept | {"platt": torch.tensor([2.0, 0.5])})
        same, _, _, said = scorer(*parts)
    torch.testing.assert_close(said, 2 * logit + 0.5)
    torch.testing.assert_close(same, score, rtol=1e-3, atol=1e-3)


def test_the_closer_look_sees_a_small_thing_alike_wherever_it_lies_in_a_block() -> None:
    torch.manual_seed(0)
    look = CloserLook().near  # before its halves are brought together to blocks
    seen = []
    for x, y in ((16, 16), (18, 16), (16, 18), (18, 18)):
        ground = torch.zeros(1, 1, 40, 40)
        ground[0, 0, y, x] = 1.0
        halves = F.pixel_shuffle(blocks_of(ground).repeat(1, LAYERS, 1, 1)[:, _halves()], HALF)
        with torch.no_grad():
            found = look(halves)
        seen.append(found[:, :, y // 2 - 2 : y // 2 + 3, x // 2 - 2 : x // 2 + 3])
    assert float(seen[0].std()) > 0
    for other in seen[1:]:
        torch.testing.assert_close(other, seen[0])


def test_the_eye_is_kept_and_the_rest_learns(network: Critic) -> None:
    learns = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert learns
    assert not any(name.startswith("guarded.") for name in learns)


def test_the_loss_weighs_what_is_doubted_and_ignores_what_has_no_weight() -> None:
    logit = torch.tensor([[[[4.0, -4.0, 0.0, 9.0]]]])
    target = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]]]])
    weight = torch.tensor([[[[1.0, 1.0, 1.0, 0.0]]]])
    sure, doubted = (
        focal(logit[..., i : i + 1], target[..., i : i + 1], weight[..., i : i + 1]) for i in (0, 2)
    )
    assert doubted > 50 * sure
    assert float(focal(logit[..., 3:], target[..., 3:], weight[..., 3:])) == 0.0
    total = focal(logit, target, weight)
    torch.testing.assert_close(
        total, (sure + doubted + focal(logit[..., 1:2], target[..., 1:2], weight[..., 1:2])) / 2
    )
