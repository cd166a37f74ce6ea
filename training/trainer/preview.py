"""Pictures of completions, one a row: what was there, what was expected, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor


def grey(tiles: Tensor) -> np.ndarray:
    """`[N, H, W]` uint8 of scaled tiles `[N, 1, H, W]`: [-1, 1] to black and white."""
    scaled = (tiles.detach().float().clamp(-1, 1) + 1) * 127.5
    return np.asarray(scaled.squeeze(1).round().byte().cpu().numpy())


def save_preview(path: Path, columns: Sequence[Tensor]) -> None:
    """Write a PNG with a row a tile and a column a picture, each `[N, 1, H, W]` in [-1, 1]."""
    shown = [np.concatenate(list(grey(column)), axis=0) for column in columns]
    Image.fromarray(np.concatenate(shown, axis=1), mode="L").save(path)
