"""A tile as the article shows it: what is there, what was expected, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard.detector.arrays import Floats
from dashboard.detector.models.model import Model
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


def triptychs(scene: Scene, model: Model, boxes: Sequence[Box]) -> list[Triptych]:
    """The triptychs of tiles of the model's own size that lie within the scene."""
    if not boxes:
        return []
    card = model.card
    shrink = 1 if card.area else 2
    side = card.tile // shrink
    rim = card.margin if card.area else 0
    dn = np.stack([scene.read_around(box.grow(rim))[None] for box in boxes])
    seen = model.complete(dn, scene.centre, scene.scale)
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
        )
        for number, (box, query) in enumerate(zip(boxes, queries, strict=True))
    ]


def _middle(length: int, side: int) -> Box:
    rim = (length - side) // 2
    return Box(rim, rim, length - rim, length - rim)
