"""Fill values that no tag names: one DN at an end of the range, far from all others, in areas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from dashboard.detector.arrays import Mask, Pixels
from dashboard.detector.scenes.dn_statistics import Counts

MOST = 6  # values at either end: ISIS has five
LEAST = 1024  # px of one DN; fewer are no area
CONSTANT = 256  # px of one DN at the end of a strip's range, which floats of ground never have
SPIKE = 10  # times as many px as of any of the next DN, of which ground has its share
NEXT = 3  # DN
CORE = (0.001, 0.999)  # ends of the ground's DN, as fractions: a glint is no end
SOLID = 16  # px: side of the blocks of one DN by which areas are told
CLOSE = 0.05  # of the ground's range; what lies nearer may be ground's own end, whatever its value
LIKELY = 0.01  # of the picture; less is not worth a word

# What programs write for nodata: ISIS (NULL, LRS, LIS, HIS, HRS), GDAL, USGS, the ends of a dtype.
ISIS_INT16 = (-32768, -32767, -32766, -32765, -32764)
KNOWN: dict[str, tuple[float, ...]] = {
    "uint8": (),
    "uint16": (65535, 65534),
    "int16": (*ISIS_INT16, -9999, 32767),
}
# The largest DN of cameras of 10 to 14 bits: ground that is too bright for them, more likely.
SATURATED = tuple(2**bits - 1 for bits in range(10, 15))
KNOWN_ELSEWHERE = (*ISIS_INT16, -9999, -99999, -2147483648, 2147483647, 4294967295, 65535)


@dataclass
class Extremes:
    """Values at either end of the DN of strips of floats that whole areas share."""

    counts: dict[float, int] = field(default_factory=dict)
    low: float = np.inf  # ends of all other DN
    high: float = -np.inf

    def add(self, dn: Pixels) -> None:
        """Takes the valid DN of a strip, `[n]` float32."""
        for end in (np.min, np.max):
            for _ in range(MOST + 1):
                if not dn.size:
                    return
                value = float(end(dn))
                same = dn == value
                count = int(np.count_nonzero(same))
                if count < CONSTANT:
                    break
                self.counts[value] = self.counts.get(value, 0) + count
                dn = dn[~same]
        self.low, self.high = min(self.low, float(dn.min())), max(self.high, float(dn.max()))


@dataclass(frozen=True)
class Suspect:
    """A DN that may be a fill value."""

    value: float
    count: int  # px
    gap: float  # to the end of the ground's DN, as a part of their range
    high: bool  # at the upper end


def suspects(found: Counts | Extremes) -> list[Suspect]:
    """The DN that may be fill values, given counts of all, or what strips of floats end with.

    DN 0 is none: it has a rule of its own.
    """
    if isinstance(found, Extremes):
        return _of_extremes(found)
    values = np.flatnonzero(found)
    lows, highs = _spikes(found, values), _spikes(found, values[::-1])
    ends = [value for value in (*lows, *highs) if value]
    core = found.copy()
    core[[*lows, *highs]] = 0
    total = np.cumsum(core)
    if not ends or not total[-1]:
        return []
    low, high = (float(np.searchsorted(total, part * total[-1])) for part in CORE)
    counted = {float(value): int(found[value]) for value in ends}
    return _at_ends(counted, low, high)


def _of_extremes(found: Extremes) -> list[Suspect]:
    counted = {
        value: count
        for value, count in found.counts.items()
        if value and count >= LEAST and not found.low <= value <= found.high
    }
    return _at_ends(counted, found.low, found.high)


def _at_ends(counted: dict[float, int], low: float, high: float) -> list[Suspect]:
    span = max(high - low, float(np.finfo(np.float32).tiny))
    return [
        Suspect(value, count, max(low - value, value - high) / span, value > high)
        for value, count in sorted(counted.items())
    ]


def _spikes(counts: Counts, values: Counts) -> list[int]:
    """The first few values that stand out from those which follow; none where nothing does."""
    for number in range(min(MOST, len(values) - 1), 0, -1):
        first, inner = values[:number], values[number - 1]
        step = 1 if values[0] < values[-1] else -1
        following = [inner + step * (code + 1) for code in range(NEXT)]
        next_to = max(
            (int(counts[code]) for code in following if 0 <= code < len(counts)), default=0
        )
        least = int(counts[first].min())
        if least >= LEAST and least >= SPIKE * next_to:
            return [int(value) for value in first]
    return []


def solid(dn: Pixels, values: Iterable[float]) -> dict[float, int]:
    """For each value the px in whole blocks of it, of the pixels `[H, W]`."""
    height, width = (length // SOLID * SOLID for length in dn.shape)
    blocks = dn[:height, :width].reshape(height // SOLID, SOLID, width // SOLID, SOLID)
    found = {}
    for value in values:
        whole = (blocks == dn.dtype.type(value)).all(axis=(1, 3))
        found[value] = int(np.count_nonzero(whole)) * SOLID**2
    return found


@dataclass(frozen=True)
class Fills:
    """Fill values that are taken for nodata without a tag, and notes on these and on suspects."""

    values: tuple[float, ...] = ()
    areas_only: bool = False  # what is no area of such a DN is ground
    notes: tuple[str, ...] = ()

    def missing(self, dn: Pixels, missing: Mask) -> Mask:
        """`missing` and the fill values, `[H, W]`."""
        for value in self.values:
            missing = missing | (dn == dn.dtype.type(value))
        return missing


NO_FILLS = Fills()


@dataclass(frozen=True)
class Ground:
    """Properties of a source that decide whether a suspected fill value is ground."""

    dtype: str  # of the source
    driver: str
    declares: bool  # the file says itself what is nodata
    pixels: int


def fills_of(found: list[Suspect], areas: dict[float, int], ground: Ground) -> Fills:
    """Which of the suspects are fill values, given the px of each in solid areas."""
    taken, notes = [], []
    written = {
        float(np.float32(value)): value for value in KNOWN_ELSEWHERE
    }  # before it was rounded
    for suspect in found:
        dn = float(written.get(suspect.value, suspect.value))
        part = f"DN {dn:.10g} on {suspect.count / ground.pixels:.1%} of the picture"
        if _certain(suspect, areas[suspect.value], ground):
            taken.append(dn)
            notes.append(
                f"{part} lies far from all others and is taken for nodata; "
                "if it is ground, set nodata to none"
            )
        elif areas[suspect.value] >= LIKELY * ground.pixels:
            notes.append(
                f"{part} lies in areas of one DN at the end of the range; "
                f"if it is no ground, set nodata to {dn:.10g}"
            )
    return Fills(tuple(taken), ground.dtype == "uint8", tuple(notes))


def _certain(suspect: Suspect, area: int, ground: Ground) -> bool:
    known = {float(np.float32(value)) for value in KNOWN.get(ground.dtype, KNOWN_ELSEWHERE)}
    if ground.driver == "ISIS3" and ground.dtype == "uint8":
        known = {255.0}  # HIS and HRS; NULL, LRS and LIS are 0
    if suspect.value in known and suspect.gap >= CLOSE:
        return True
    if ground.declares or suspect.gap < 1 or area < LEAST or suspect.value in SATURATED:
        return False
    return suspect.high or ground.dtype != "uint8"  # a shadow may have one DN, too
