"""Exact robust statistics of a scene's DN, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.detector.arrays import Floats
from dashboard.detector.errors import NoGround

BINS = 1 << 16  # one for every DN of 16 bits, or for every upper half of a float32
MAD_TO_SIGMA = 1.4826  # of a normal distribution
STRETCH = (0.005, 0.995)  # ends of the robust stretch, as fractions of the valid pixels
CHUNK = 1 << 20  # values counted at a time; bincount widens them to 64 bits

Counts = NDArray[np.int64]
Passes = Callable[[], Iterable[Floats]]


@dataclass(frozen=True)
class Statistics:
    """Robust statistics of the observed ground of a scene, in DN."""

    count: int
    centre: float  # median
    scale: float  # 1.4826 MAD, or the standard deviation where the MAD is 0
    stretch: tuple[float, float]
    largest: float


class Histogram:
    """Counts of 8 and 16-bit DN, one bin a DN."""

    def __init__(self) -> None:
        self.counts: Counts = np.zeros(BINS, np.int64)

    def add(self, dn: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        """Counts the unsigned DN `[H, W]` where `valid [H, W]`."""
        step = max(1, CHUNK // dn.shape[1])
        for top in range(0, len(dn), step):
            found = np.bincount(dn[top : top + step][valid[top : top + step]])
            self.counts[: len(found)] += found

    def statistics(self) -> Statistics:
        """Exact statistics of everything added.

        Raises:
            NoGround: nothing was added, or every DN is the same.
        """
        values = np.flatnonzero(self.counts).astype(np.float64)
        counts = self.counts[self.counts > 0]
        total = _some(int(counts.sum()))
        ends = _ends(total)
        low, high, centre = ends.of(_ranked(values, counts, ends.ranks))
        away = np.abs(values - centre)
        order = np.argsort(away, kind="stable")
        *_, mad = ends.of(_ranked(away[order], counts[order], ends.ranks))
        mean = float((values * counts).sum() / total)
        std = float(np.sqrt((counts * (values - mean) ** 2).sum() / total))
        return Statistics(total, centre, _scale(mad, std, centre), (low, high), float(values[-1]))


def statistics_of(passes: Passes) -> Statistics:
    """Exact statistics of finite float32 DN that can be gone through again and again.

    Args:
        passes: gives, at every call, the same arrays of valid DN.

    Raises:
        NoGround: there is no value, or every one is the same.
    """
    counts = np.zeros(BINS, np.int64)
    largest = -np.inf
    for values in passes():
        _count_upper(values, counts)
        largest = max(largest, float(values.max(initial=-np.inf)))
    ends = _ends(_some(int(counts.sum())))
    low, high, centre = ends.of(_select(passes, counts, ends.ranks))

    def deviations() -> Iterator[Floats]:
        for values in passes():
            yield np.abs(values.astype(np.float64) - centre).astype(np.float32)

    counts = np.zeros(BINS, np.int64)
    first = second = 0.0  # moments about the median
    for values in passes():
        away = values.astype(np.float64) - centre
        _count_upper(np.abs(away).astype(np.float32), counts)
        first += float(away.sum()) / ends.total
        second += float((away**2).sum()) / ends.total
    *_, mad = ends.of(_select(deviations, counts, ends.ranks))
    std = float(np.sqrt(max(0.0, second - first**2)))
    return Statistics(ends.total, centre, _scale(mad, std, centre), (low, high), largest)


@dataclass(frozen=True)
class _Ends:
    """The ranks that make the stretch and the median of so many values."""

    total: int
    ranks: tuple[int, ...]
    weights: tuple[float, ...]  # of the upper rank of each pair

    def of(self, found: list[float]) -> tuple[float, float, float]:
        """The two ends of the stretch and the median, from the values at `ranks`."""
        pairs = zip(found[0::2], found[1::2], self.weights, strict=True)
        low, high, middle = (first + (second - first) * weight for first, second, weight in pairs)
        return low, high, middle


def _ends(total: int) -> _Ends:
    ranks: list[int] = []
    weights = []
    for fraction in (*STRETCH, 0.5):
        place = fraction * (total - 1)
        ranks += [int(np.floor(place)), int(np.ceil(place))]
        weights.append(place - np.floor(place))
    return _Ends(total, tuple(ranks), tuple(weights))


def _some(total: int) -> int:
    if not total:
        raise NoGround("every pixel is nodata; give a picture with ground in it")
    return total


def _scale(mad: float, std: float, centre: float) -> float:
    scale = MAD_TO_SIGMA * mad if mad > 0 else std
    if not (np.isfinite(scale) and scale > 0):
        raise NoGround(f"every valid pixel has DN {centre:g}; give a picture that shows something")
    return scale


def _parts(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    flat = values.ravel()
    for start in range(0, flat.size, CHUNK):
        yield flat[start : start + CHUNK]


def _ranked(values: NDArray[np.float64], counts: Counts, ranks: Iterable[int]) -> list[float]:
    places = np.searchsorted(np.cumsum(counts), np.asarray(tuple(ranks)), side="right")
    return [float(value) for value in values[places]]


def _keys(values: Floats) -> NDArray[np.uint32]:
    """Unsigned numbers that sort as the floats do."""
    bits = values.view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _floats(keys: NDArray[np.uint32]) -> Floats:
    bits = np.where(keys >> 31, keys & np.uint32((1 << 31) - 1), ~keys)
    return bits.astype(np.uint32).view(np.float32)


def _count_upper(values: Floats, counts: Counts) -> None:
    for part in _parts(values):
        found = np.bincount(_keys(part) >> 16)
        counts[: len(found)] += found


def _select(passes: Passes, upper: Counts, ranks: tuple[int, ...]) -> list[float]:
    """The values at `ranks`, given the counts of their upper halves, in one more pass."""
    below = np.cumsum(upper)
    bins = np.searchsorted(below, np.asarray(ranks), side="right")
    lower = {int(upper_half): np.zeros(BINS, np.int64) for upper_half in bins}
    for values in passes():
        for part in _parts(values):
            keys = _keys(part)
            for upper_half, counts in lower.items():
                found = np.bincount(keys[keys >> 16 == upper_half] & np.uint32(0xFFFF))
                counts[: len(found)] += found
    found_values = []
    for rank, upper_half in zip(ranks, bins, strict=True):
        inside = rank - (int(below[upper_half - 1]) if upper_half else 0)
        low = int(np.searchsorted(np.cumsum(lower[int(upper_half)]), inside, side="right"))
        key = np.array([(int(upper_half) << 16) | low], np.uint32)
        found_values.append(float(_floats(key)[0]))
    return found_values
