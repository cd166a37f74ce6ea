"""A tile as the article shows it: what is there, what was expected, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.detector.arrays import Floats
from dashboard.detector.models.card import ModelCard
from dashboard.detector.models.model import Completed, Model
from dashboard.detector.scenes.scene import Scene
from dashboard.detector.tiling import Box


@dataclass(frozen=True)
class Triptych:
    """One tile as the network sees it, halved or not: three pictures `[S, S]` float32 DN."""

    box: Box  # the tile, in px of the scene
    query: Floats
    completion: Floats
    difference: Floats  # query less completion
    hole: Box  # what was hidden from the network, in px of the three pictures
    scored: Box  # what the score was taken over, likewise
    logit: float | None  # the largest there, of a critic: how much it looks put there
    gain: float | None  # what a second look adds to the largest score there


def triptychs(scene: Scene, model: Model, boxes: Sequence[Box]) -> list[Triptych]:
    """The triptychs of tiles of the model's own size that lie within the scene."""
    if not boxes:
        return []
    card = model.card
    shrink = 1 if card.area else 2
    side = card.tile // shrink
    rim = card.margin if card.area else 0
    dn = np.stack([scene.read_around(box.grow(rim))[None] for box in boxes])
    seen = _seen(scene, model, boxes, dn)
    inner = dn[:, 0, rim : rim + card.tile, rim : rim + card.tile]
    queries = inner.reshape(-1, side, shrink, side, shrink).mean(axis=(2, 4))
    return [
        Triptych(
            box,
            query,
            seen.completion[number],
            query - seen.completion[number],
            hole=_middle(side, card.hole // shrink),
            scored=_middle(side, card.score_window // shrink),
            **_said(seen, number, card),
        )
        for number, (box, query) in enumerate(zip(boxes, queries, strict=True))
    ]


def _seen(scene: Scene, model: Model, boxes: Sequence[Box], dn: Floats) -> Completed:
    """What the network gives for tiles; of two networks each what it scores."""
    board = model.card.board
    if board is None:
        return model.complete(dn, scene.centre, scene.scale)
    said = [
        model.complete(one[None], scene.centre, scene.scale, board.is_black(*box.centre))
        for one, box in zip(dn, boxes, strict=True)
    ]
    scores, completion, logits, gains = (
        [getattr(one, part) for one in said] for part in ("scores", "completion", "logits", "gains")
    )
    return Completed(
        np.concatenate(scores),
        np.concatenate(completion),
        np.concatenate(logits) if model.card.judges else None,
        np.concatenate(gains) if model.card.looks_again else None,
    )


def _said(seen: Completed, number: int, card: ModelCard) -> dict[str, float | None]:
    """Of a tile where it was scored: its largest logit, and what was added to its largest score."""
    if seen.logits is None:
        return {"logit": None, "gain": None}
    near = _middle(seen.logits.shape[-1], card.score_window // card.stride)
    inner = np.s_[near.y_min : near.y_max, near.x_min : near.x_max]
    gain = None
    if seen.gains is not None:
        strongest = seen.scores[number][inner].argmax()
        gain = float(seen.gains[number][inner].flat[strongest])
    return {"logit": float(seen.logits[number][inner].max()), "gain": gain}


def _middle(length: int, side: int) -> Box:
    rim = (length - side) // 2
    return Box(rim, rim, length - rim, length - rim)
