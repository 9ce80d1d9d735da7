"""Streets and water: whether a camera could stand at a place at all."""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from scanner.core.geometry import Origin, wrap_deg

CELL_DEG: Final = 0.002  # side of the squares in which lines are looked up
COLUMNS: Final = round(360 / CELL_DEG)
STREET_M: Final = 150.0  # a camera farther from every street is not seen from one
SIGMAS: Final = 3.0  # by so many a place must be off before it counts as off

LonLat = tuple[float, float]  # longitude, latitude in degrees: GeoJSON's order
Ring = Sequence[LonLat]


class Box(msgspec.Struct, frozen=True):
    """Where something is known: degrees, not across the date line."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, lat_deg: float, lon_deg: float) -> bool:
        """Whether a place lies in it."""
        return self.south <= lat_deg <= self.north and self.west <= lon_deg <= self.east


class Ground:
    """What is known of a region; of what lies outside ``box`` nothing is said.

    ``streets`` are lines, ``waters`` polygons: an outer ring and its islands each.
    """

    def __init__(
        self, box: Box, streets: Iterable[Ring] = (), waters: Iterable[Sequence[Ring]] = ()
    ) -> None:
        self._box = box
        self._streets = _Segments(streets)
        self._waters = [tuple(rings) for rings in waters]
        self._boxes = [_box_of(rings[0]) for rings in self._waters]
        self._shores = _Segments(_closed(ring) for rings in self._waters for ring in rings)

    def doubt(self, lat_deg: float, lon_deg: float, sigma_m: float) -> str | None:
        """Why no camera stands there, None if one may; ``sigma_m`` 1 sigma per axis."""
        if not self._box.holds(lat_deg, lon_deg):
            return None
        slack_m = SIGMAS * sigma_m
        if self._streets and not self._streets.within(lat_deg, lon_deg, STREET_M + slack_m):
            return "far from any street"
        if self._in_water(lat_deg, lon_deg) and not self._shores.within(lat_deg, lon_deg, slack_m):
            return "in the water"
        return None

    def _in_water(self, lat_deg: float, lon_deg: float) -> bool:
        return any(
            box.holds(lat_deg, lon_deg)
            # On an island is inside two rings: even, so not in the water.
            and sum(_inside(ring, lat_deg, lon_deg) for ring in rings) % 2 == 1
            for box, rings in zip(self._boxes, self._waters, strict=True)
        )


def squares_crossed(line: Ring) -> int:
    """In how many squares the pieces of a line are looked up: what it costs in memory and time."""
    return sum(
        math.ceil(abs(lon_a - lon_b) / CELL_DEG + 1) * math.ceil(abs(lat_a - lat_b) / CELL_DEG + 1)
        for (lon_a, lat_a), (lon_b, lat_b) in pairwise(line)
    )


class _Segments:
    """Pieces of lines by squares; long ones are in every square that their box touches."""

    def __init__(self, lines: Iterable[Ring]) -> None:
        self._ends = array("d")  # lon, lat, lon, lat of each
        self._squares: dict[tuple[int, int], array[int]] = defaultdict(lambda: array("I"))
        for line in lines:
            for (lon_a, lat_a), (lon_b, lat_b) in pairwise(line):
                number = len(self._ends) // 4
                self._ends.extend((lon_a, lat_a, lon_b, lat_b))
                for square in _squares(
                    min(lon_a, lon_b), min(lat_a, lat_b), max(lon_a, lon_b), max(lat_a, lat_b)
                ):
                    self._squares[square].append(number)

    def __bool__(self) -> bool:
        return bool(self._ends)

    def within(self, lat_deg: float, lon_deg: float, reach_m: float) -> bool:
        """Whether any piece is that near."""
        origin = Origin(lat_deg, lon_deg)
        far_lat, far_lon = origin.geodetic_from_enu(reach_m, reach_m)
        tall, wide = far_lat - lat_deg, abs(wrap_deg(far_lon - lon_deg))
        box = (lon_deg - wide, lat_deg - tall, lon_deg + wide, lat_deg + tall)
        numbers = {n for square in _squares(*box) for n in self._squares.get(square, ())}
        return any(self._distance_m(origin, n) <= reach_m for n in numbers)

    def _distance_m(self, origin: Origin, number: int) -> float:
        lon_a, lat_a, lon_b, lat_b = self._ends[4 * number : 4 * number + 4]
        ax, ay = origin.enu_from_geodetic(lat_a, lon_a)
        bx, by = origin.enu_from_geodetic(lat_b, lon_b)
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy
        along = 0.0 if length2 == 0 else max(0.0, min(1.0, -(ax * dx + ay * dy) / length2))
        return math.hypot(ax + along * dx, ay + along * dy)


def _squares(west: float, south: float, east: float, north: float) -> Iterable[tuple[int, int]]:
    """Row and column; east of the date line the columns begin anew."""
    for row in range(math.floor(south / CELL_DEG), math.floor(north / CELL_DEG) + 1):
        for column in range(math.floor(west / CELL_DEG), math.floor(east / CELL_DEG) + 1):
            yield row, column % COLUMNS


def _inside(ring: Ring, lat_deg: float, lon_deg: float) -> bool:
    """Whether a ray to the north crosses the ring an odd number of times (M. Shimrat, 1962)."""
    crossings = False
    for (lon_a, lat_a), (lon_b, lat_b) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (lon_a > lon_deg) != (lon_b > lon_deg):
            at = lat_a + (lon_deg - lon_a) / (lon_b - lon_a) * (lat_b - lat_a)
            crossings ^= at > lat_deg
    return crossings


def _closed(ring: Ring) -> Ring:
    return ring if ring[0] == ring[-1] else [*ring, ring[0]]


def _box_of(ring: Ring) -> Box:
    lons, lats = [p[0] for p in ring], [p[1] for p in ring]
    return Box(min(lons), min(lats), max(lons), max(lats))
