"""Places on the Earth as whole numbers along one curve (G. M. Morton, IBM 1966).

Web Mercator (EPSG:3857) is cut into 2^28 by 2^28 squares of 0.15 m at the equator; the bits of
column and row are interleaved. What is near in space is mostly near on the curve, and each tile of
each zoom is one unbroken stretch of it. Rows count from the north, as tiles do.
"""

import math
from typing import Final

BITS: Final = 28
SIDE: Final = 1 << BITS
LATITUDE_MAX_DEG: Final = 85.05112877980659  # where Web Mercator ends: a square
_FINENESS: Final = 4  # a box is covered by squares of at least 2^-4 of its longer side

_SPREAD: Final = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)

_GEOHASH: Final = "0123456789bcdefghjkmnpqrstuvwxyz"

Range = tuple[int, int]  # first and last code, both included


def square(lat_deg: float, lon_deg: float) -> tuple[int, int]:
    """Column and row of a place; what is nearer to a pole than the map counts as at its edge."""
    lat = math.radians(min(max(lat_deg, -LATITUDE_MAX_DEG), LATITUDE_MAX_DEG))
    x = (lon_deg + 180.0) / 360.0
    y = (1.0 - math.asinh(math.tan(lat)) / math.pi) / 2.0
    return min(max(int(x * SIDE), 0), SIDE - 1), min(max(int(y * SIDE), 0), SIDE - 1)


def spread(number: int) -> int:
    """The bits of a number of up to 32 bits with a gap after each."""
    for shift, mask in _SPREAD:
        number = (number | number << shift) & mask
    return number


def code(x: int, y: int) -> int:
    """Place of a square on the curve; for squares of any zoom."""
    return spread(x) | spread(y) << 1


def tile_range(z: int, x: int, y: int, bits: int = BITS) -> Range:
    """The stretch of the curve, of ``bits`` bits a side, that one tile is."""
    shift = 2 * (bits - z)
    first = code(x, y) << shift
    return first, first + (1 << shift) - 1


def box_ranges(x0: int, y0: int, x1: int, y1: int) -> list[Range]:
    """Stretches that cover the squares from (x0, y0) to (x1, y1), both included.

    They cover a little more than that; rising, and none touches the next.
    """
    longest = max(x1 - x0, y1 - y0) + 1
    finest = max(0, longest.bit_length() - 1 - _FINENESS)  # log2 of the smallest square's side
    found: list[Range] = []

    def visit(cx: int, cy: int, level: int, at: int) -> None:
        left, top, side = cx << level, cy << level, 1 << level
        if left > x1 or top > y1 or left + side <= x0 or top + side <= y0:
            return
        inside = left >= x0 and top >= y0 and left + side - 1 <= x1 and top + side - 1 <= y1
        if inside or level <= finest:
            first = at << 2 * level
            last = first + (1 << 2 * level) - 1
            if found and found[-1][1] + 1 == first:
                found[-1] = found[-1][0], last
            else:
                found.append((first, last))
            return
        for dy in (0, 1):
            for dx in (0, 1):
                visit(2 * cx + dx, 2 * cy + dy, level - 1, 4 * at + 2 * dy + dx)

    # From the smallest squares that are as large as the box: at most four of them.
    start = min(BITS, longest.bit_length())
    for cy in range(y0 >> start, (y1 >> start) + 1):
        for cx in range(x0 >> start, (x1 >> start) + 1):
            visit(cx, cy, start, code(cx, cy))
    return joined(found)


def joined(ranges: list[Range]) -> list[Range]:
    """Rising, those that touch or overlap made one."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and found[-1][1] + 1 >= first:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def cell_box(cell: str) -> tuple[float, float, float, float]:
    """West, south, east and north of a geohash, in degrees."""
    lat, lon = (-90.0, 90.0), (-180.0, 180.0)
    even = True
    for letter in cell:
        value = _GEOHASH.index(letter)
        for bit in (16, 8, 4, 2, 1):
            low, high = lon if even else lat
            middle = (low + high) / 2
            half = (middle, high) if value & bit else (low, middle)
            lon, lat = (half, lat) if even else (lon, half)
            even = not even
    return lon[0], lat[0], lon[1], lat[1]
