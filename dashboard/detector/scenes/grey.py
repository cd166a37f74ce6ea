"""Grey pictures of ground, as a person wants to see them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def grey(dn: NDArray[np.float32], stretch: tuple[float, float]) -> NDArray[np.uint8]:
    """DN `[H, W]` as grey values: the lower end of the stretch is black, the upper white."""
    low, high = stretch
    span = (high - low) or 1.0
    levels = np.clip((np.asarray(dn, np.float64) - low) / span, 0.0, 1.0)
    return np.asarray(np.rint(255 * levels).astype(np.uint8))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of `[H, W]` grey or `[H, W, 3]` RGB pixels."""
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, format="PNG")
    return memory.getvalue()
