"""Names for the arrays that pass from module to module."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Pixels = NDArray[Any]  # DN, of whatever dtype
Mask = NDArray[np.bool_]
Kinds = NDArray[np.uint8]  # a small whole number at each position: which kind it is of
