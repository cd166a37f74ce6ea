"""Where a PDS3 map lies by the bounds that its label gives beside the offsets of its origin.

The offsets are counted from the middle of the first pixel or from its corner, from 0 or from 1, as
whoever wrote the product took the standard; and metres a pixel are rounded. GDAL takes them one
way, and is off by half a pixel, one, or more for the others. The bounds leave no choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rasterio.crs import CRS

from dashboard.detector.georeference.geography import Affine6, from_lonlats

WEST, EAST = "WESTERNMOST_LONGITUDE", "EASTERNMOST_LONGITUDE"
TOP, BOTTOM = "MAXIMUM_LATITUDE", "MINIMUM_LATITUDE"
RESOLUTION = "MAP_RESOLUTION"  # px a degree
WESTWARD = "westward"  # longitudes of the label count to the west
STRAIGHT = ("eqc", "longlat")  # degrees of latitude are equal
CYLINDRICAL = (*STRAIGHT, "merc", "cea")  # whose bounds are the sides of the map
AZIMUTHAL = ("stere", "laea")  # whose bounds are not
EXACT = 0.01  # px: bounds so near to whole pixels are not rounded
ROUNDED = 0.4  # px: of bounds of six digits at 0.25 m a pixel
SNAP = 0.2  # px: others are, and tell multiples of half a pixel as long as they are so near
NOTHING = 0.05  # px
MOST = 2.0  # px: what is further off is no matter of counting
TURN = 360.0

Numbers = Mapping[str, float]


def by_bounds(
    transform: Affine6, size: tuple[int, int], wkt: str, label: Numbers
) -> tuple[Affine6, str | None]:
    """The transform of a PDS3 map by its label's bounds, and a sentence where that is another.

    Args:
        transform: as GDAL has it, by the label's offsets.
        size: width and height, px.
        wkt: the CRS.
        label: numbers of the label's map, by their keywords; `WESTWARD` among them where it is so.
    """
    a, b, c, d, e, f = transform
    if b or d or a <= 0 or e >= 0:
        return transform, None
    kind = CRS.from_wkt(wkt).to_dict().get("proj", "longlat")
    sides = _sides(transform, wkt, label) if kind in CYLINDRICAL else None
    found = _fit(transform, size, kind, label, sides)
    if found is None:
        far = sides is not None and _far(transform, sides)
        return transform, "its offsets place it elsewhere than its label's bounds" if far else None
    right, down = (found[2] - c) / a, (found[5] - f) / e
    wider, higher = (found[0] / a - 1) * size[0], (found[4] / e - 1) * size[1]
    if max(map(abs, (right, down, right + wider, down + higher))) < NOTHING:
        return transform, None
    return found, f"placed by the bounds in its label, {right:.3g} px right, {down:.3g} px down"


def _fit(
    transform: Affine6, size: tuple[int, int], kind: str, label: Numbers, sides: _Sides | None
) -> Affine6 | None:
    """The transform that the bounds tell; None where they tell none."""
    if kind in AZIMUTHAL:
        return _middle(transform, size)
    if sides is None:
        return None
    resolution = label.get(RESOLUTION, 0.0) if kind in STRAIGHT else 0.0
    found = _exact(sides, size, resolution, EXACT) or _snap(transform, sides, size)
    if found is None and _far(transform, sides):
        return _exact(sides, size, resolution, ROUNDED)
    return found


def _far(transform: Affine6, sides: _Sides) -> bool:
    """True where offsets and bounds lie further apart than ways of counting do."""
    a, _, c, _, e, f = transform
    return max(abs((sides.left - c) / a), abs((sides.top - f) / e)) > MOST


@dataclass(frozen=True)
class _Sides:
    """The bounds in map units."""

    left: float
    right: float
    top: float
    bottom: float
    high: float  # degrees of latitude


def _sides(transform: Affine6, wkt: str, label: Numbers) -> _Sides | None:
    """The bounds of a label; None where it does not give them."""
    if any(key not in label for key in (WEST, EAST, TOP, BOTTOM)):
        return None
    west, east, top, bottom = (label[key] for key in (WEST, EAST, TOP, BOTTOM))
    if label.get(WESTWARD):
        west, east = -west, -east
    if east <= west:
        east += TURN
    middle = float(CRS.from_wkt(wkt).to_dict().get("lon_0", 0.0))
    points = from_lonlats(wkt, [middle, middle + 1, middle, middle], [0, 0, top, bottom])
    (x, _), (beside, _), (_, north), (_, south) = (point or (0.0, 0.0) for point in points)
    if None in points or top <= bottom:
        return None
    degree = beside - x
    left = x + degree * (west - middle)
    left += round((transform[2] - left) / (TURN * degree)) * TURN * degree
    return _Sides(left, left + degree * (east - west), north, south, top - bottom)


def _exact(sides: _Sides, size: tuple[int, int], resolution: float, near: float) -> Affine6 | None:
    """The transform by the bounds alone, where they are whole pixels, or so near; else None."""
    a_degree = (sides.top - sides.bottom) / sides.high
    spans = (resolution * (sides.right - sides.left) / a_degree, resolution * sides.high)
    for less in (0, 1):  # from side to side, or from middle to middle of the outermost pixels
        counts = [count - less for count in size]
        if all(abs(span - count) < near for span, count in zip(spans, counts, strict=True)):
            a = (sides.right - sides.left) / counts[0]
            e = (sides.bottom - sides.top) / counts[1]
            return (a, 0.0, sides.left - less * a / 2, 0.0, e, sides.top - less * e / 2)
    return None


def _snap(transform: Affine6, sides: _Sides, size: tuple[int, int]) -> Affine6 | None:
    """The transform moved by halves of a pixel to rounded bounds; None where they do not tell."""
    a, _, c, _, e, f = transform
    moved = []
    for step, start, first, last, count in (
        (a, c, sides.left, sides.right, size[0]),
        (e, f, sides.top, sides.bottom, size[1]),
    ):
        missing = round(count - (last - first) / step)
        shift = (first - start) / step - missing / 2
        nearest = round(2 * shift) / 2
        if missing not in (0, 1) or abs(shift - nearest) > SNAP or abs(nearest) > MOST:
            return None
        moved.append(start + nearest * step)
    return (a, 0.0, moved[0], 0.0, e, moved[1])


def _middle(transform: Affine6, size: tuple[int, int]) -> Affine6 | None:
    """The transform of a map around a pole that is off its middle by one pixel; else None."""
    a, _, c, _, e, f = transform
    right, down = -size[0] / 2 - c / a, -size[1] / 2 - f / e
    if abs(abs(right) - 1) > EXACT or abs(right - down) > EXACT:
        return None
    return (a, 0.0, -a * size[0] / 2, 0.0, e, -e * size[1] / 2)
