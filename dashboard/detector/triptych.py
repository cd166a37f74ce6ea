"""A tile as the article shows it: what is there, what was expected, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.model import Model
from dashboard.detector.scene import Scene
from dashboard.detector.tiling import Box

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Triptych:
    """One tile, halved as the network sees it: three pictures `[T/2, T/2]` float32 DN."""

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
    dn = np.stack([scene.read(box).dn[None] for box in boxes])
    _, completions = model.complete(dn, scene.centre, scene.scale)
    half = card.tile // 2
    queries = dn.reshape(-1, half, 2, half, 2).mean(axis=(2, 4))
    return [
        Triptych(
            box,
            query,
            completion,
            query - completion,
            hole=_middle(half, card.hole // 2),
            scored=_middle(half, card.score_window // 2),
        )
        for box, query, completion in zip(boxes, queries, completions, strict=True)
    ]


def _middle(length: int, side: int) -> Box:
    rim = (length - side) // 2
    return Box(rim, rim, length - rim, length - rim)
