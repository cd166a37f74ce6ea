"""Pictures of completions: what was seen, what was hidden, what was completed, what differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor


def grey(tiles: Tensor) -> np.ndarray:
    """`[N, H, W]` uint8 of scaled tiles `[N, 1, H, W]`: [-1, 1] to black and white."""
    scaled = (tiles.detach().float().clamp(-1, 1) + 1) * 127.5
    return np.asarray(scaled.squeeze(1).round().byte().cpu().numpy())


def save_preview(path: Path, query: Tensor, hidden: Tensor, completion: Tensor) -> None:
    """Write a PNG with a row a tile: query, hidden, completion, difference (grey is none).

    All three are scaled tiles `[N, 1, H, W]`.
    """
    columns = [grey(part) for part in (query, hidden, completion, query - completion)]
    sheet = np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)
    Image.fromarray(sheet, mode="L").save(path)
