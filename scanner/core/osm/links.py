"""Cameras of ours and those another map knows: which are the same.

One to one, by the assignment of greatest joint likelihood. A pair is made where it is likelier than
that both maps lack the other's camera: the distance within both errors, the kinds and directions
as they agree. There is no radius.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.geometry import Origin, wrap_deg
from scanner.records import Kind

OTHERS_SIGMA_M: Final = 8.0 / math.sqrt(2)  # per axis: mapped by hand, 8 m off all in all
NEW_DENSITY: Final = 2e-4  # cameras per square metre that one map lacks, beside one that it has
OTHER_KIND: Final = 5.0  # squared sigmas; names of kinds are right four times in five
LIKE_KIND: Final = 1.0  # a dome that turns is called either
ASIDE_DEG: Final = 45.0  # 1 sigma of directions drawn by hand
DIRECTION_MAX: Final = 4.0  # no direction outweighs a place
KEPT: Final = -1.0  # a pair that was made before stays unless another is clearly better
STEP_DEG: Final = 60.0 / 111_000  # 60 m: farther apart no pair is likely, whatever the errors
_SHIFT: Final = 100.0  # costs as the solver sees them are not negative
_ALIKE: Final = (
    frozenset((Kind.DOME, Kind.PTZ)),
    frozenset((Kind.BULLET, Kind.ALPR)),
)


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """A camera as either map has it."""

    name: str
    lat_deg: float
    lon_deg: float
    sigma_m: float = OTHERS_SIGMA_M
    kind: Kind = Kind.UNKNOWN
    direction_deg: float | None = None


def match(
    ours: Sequence[Spot], theirs: Sequence[Spot], before: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Names of theirs by names of ours; ``before`` are pairs that were made at an earlier time.

    Independent of the order of ``ours`` and ``theirs``.
    """
    ours = sorted(ours, key=lambda s: s.name)
    theirs = sorted(theirs, key=lambda s: s.name)
    pairs: dict[tuple[int, int], float] = {}
    for i, j in _near(ours, theirs):
        cost = _cost(ours[i], theirs[j])
        if before and before.get(ours[i].name) == theirs[j].name:
            cost += KEPT
        if cost < 0:
            pairs[i, j] = cost
    found: dict[str, str] = {}
    for rows, columns in _groups(pairs):
        costs = [[pairs.get((i, j), FORBIDDEN - _SHIFT) + _SHIFT for j in columns] for i in rows]
        for i, chosen in zip(rows, assign(costs, unmatched=_SHIFT), strict=True):
            if chosen is not None:
                found[ours[i].name] = theirs[columns[chosen]].name
    return found


def _cost(one: Spot, other: Spot) -> float:
    """Minus twice the log of how much likelier one camera is than two; below 0: one."""
    east, north = Origin(one.lat_deg, one.lon_deg).enu_from_geodetic(other.lat_deg, other.lon_deg)
    variance = one.sigma_m**2 + other.sigma_m**2
    cost = (east**2 + north**2) / variance + 2 * math.log(2 * math.pi * variance * NEW_DENSITY)
    if one.kind is not other.kind and Kind.UNKNOWN not in (one.kind, other.kind):
        alike = any({one.kind, other.kind} <= kinds for kinds in _ALIKE)
        cost += LIKE_KIND if alike else OTHER_KIND
    if one.direction_deg is not None and other.direction_deg is not None:
        aside = wrap_deg(one.direction_deg - other.direction_deg) / ASIDE_DEG
        cost += min(DIRECTION_MAX, aside**2)
    return cost


def _near(ours: Sequence[Spot], theirs: Sequence[Spot]) -> Iterator[tuple[int, int]]:
    """Indices of pairs within reach, from a grid as fine as the reach."""
    grid: dict[tuple[int, int], list[int]] = defaultdict(list)
    for j, spot in enumerate(theirs):
        row = math.floor(spot.lat_deg / STEP_DEG)
        grid[row, math.floor((spot.lon_deg + 180) / _width_deg(row))].append(j)
    for i, spot in enumerate(ours):
        here = math.floor(spot.lat_deg / STEP_DEG)
        for row in (here - 1, here, here + 1):
            width = _width_deg(row)
            middle, last = math.floor((spot.lon_deg + 180) / width), math.floor(360 / width)
            columns = {middle - 1, middle, middle + 1}
            if middle <= 1 or middle >= last - 1:  # the date line
                columns |= {0, last - 1, last}
            for column in columns:
                yield from ((i, j) for j in grid.get((row, column), ()))


def _width_deg(row: int) -> float:
    """How wide the squares of a row are: as far as the reach where the row is nearest a pole."""
    farthest = min(90.0, max(abs(row), abs(row + 1)) * STEP_DEG)
    return STEP_DEG / max(0.01, math.cos(math.radians(farthest)))


def _groups(
    pairs: Mapping[tuple[int, int], float],
) -> Iterator[tuple[list[int], list[int]]]:
    """Rows and columns that are joined by pairs, directly or through others."""
    of_row: dict[int, list[int]] = defaultdict(list)
    of_column: dict[int, list[int]] = defaultdict(list)
    for i, j in pairs:
        of_row[i].append(j)
        of_column[j].append(i)
    left = set(of_row)
    for start in sorted(of_row):
        if start not in left:
            continue
        left.remove(start)
        rows, columns, edge = [start], set[int](), [start]
        while edge:
            for j in of_row[edge.pop()]:
                if j not in columns:
                    columns.add(j)
                    new = [i for i in of_column[j] if i in left]
                    left.difference_update(new)
                    rows += new
                    edge += new
        yield sorted(rows), sorted(columns)
