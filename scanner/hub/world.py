"""Makes the page's basemap: Natural Earth's land and borders from TopoJSON to a small GeoJSON.

::

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python -m scanner.hub.world package/countries-50m.json scanner/hub/page/vendor/world.json

TopoJSON (github.com/topojson/topojson-specification) keeps every line between two countries once,
as an arc of whole steps from point to point.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

DECIMALS: Final = 2  # of a degree, about a kilometre: the page shows no streets
GRAIN_DEG: Final = 0.03
SOUTH_POLE_DEG: Final = -90.0

Point = tuple[float, float]  # longitude, latitude
Topology = dict[str, Any]


def world(topology: Topology) -> dict[str, object]:
    """Two features: all land, and the borders between countries."""
    arcs = list(_arcs(topology))
    (land,) = topology["objects"]["land"]["geometries"]
    polygons = [
        part for polygon in land["arcs"] for part in _cut([_joined(arcs, ring) for ring in polygon])
    ]
    used = Counter(
        arc if arc >= 0 else ~arc
        for country in topology["objects"]["countries"]["geometries"]
        for arc in set(_flat(country.get("arcs", [])))
    )
    borders = [_rounded(arcs[arc]) for arc, times in sorted(used.items()) if times > 1]
    return {
        "type": "FeatureCollection",
        "features": [
            _feature("land", "MultiPolygon", polygons),
            _feature("border", "MultiLineString", [b for b in borders if len(b) > 1]),
        ],
    }


def _feature(of: str, kind: str, coordinates: object) -> dict[str, object]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "properties": {"of": of}, "geometry": geometry}


def _arcs(topology: Topology) -> Iterator[list[Point]]:
    (kx, ky), (dx, dy) = topology["transform"]["scale"], topology["transform"]["translate"]
    for steps in topology["arcs"]:
        x = y = 0
        points = []
        for step in steps:
            x, y = x + step[0], y + step[1]
            points.append((x * kx + dx, y * ky + dy))
        yield _simplified(points)


def _simplified(points: list[Point]) -> list[Point]:
    """The line without points that lie nearer than GRAIN_DEG to it (D. Douglas, T. Peucker, 1973).

    Whole arcs keep their ends, so that what met still meets.
    """
    (x, y), (far_x, far_y) = points[0], points[-1]
    dx, dy = far_x - x, far_y - y
    length = math.hypot(dx, dy)
    off = [
        abs(dx * (b - y) - dy * (a - x)) / length if length else math.hypot(a - x, b - y)
        for a, b in points[1:-1]
    ]
    if not off or max(off) < GRAIN_DEG:
        return [points[0], points[-1]]
    turn = off.index(max(off)) + 1
    return _simplified(points[: turn + 1])[:-1] + _simplified(points[turn:])


def _joined(arcs: list[list[Point]], ring: Iterable[int]) -> list[Point]:
    """The ring of these arcs; a negative number is the arc of its complement, backwards."""
    points: list[Point] = []
    for arc in ring:
        points[-1:] = arcs[arc] if arc >= 0 else arcs[~arc][::-1]
    return points


def _flat(nested: Any) -> Iterator[int]:
    for item in nested:
        yield from [item] if isinstance(item, int) else _flat(item)


def _cut(rings: list[list[Point]]) -> Iterator[list[list[Point]]]:
    """The polygon cut at the date line, its holes with it; parts of less than a grain left out."""
    unrolled = [_unrolled(ring) for ring in rings]
    for turn in (-360.0, 0.0, 360.0):
        moved = [[(lon + turn, lat) for lon, lat in ring] for ring in unrolled]
        clipped = [_rounded(_clipped(_clipped(ring, 180.0, 1), -180.0, -1)) for ring in moved]
        whole = [ring for ring in clipped if len(ring) > 3]  # noqa: PLR2004 - a triangle, closed
        if len(clipped[0]) > 3:  # noqa: PLR2004
            yield whole


def _unrolled(ring: list[Point]) -> list[Point]:
    """The ring without jumps; one round a pole is closed by way of the pole (only the south)."""
    points = ring[:1]
    for lon, lat in ring[1:]:
        step = (lon - points[-1][0] + 180) % 360 - 180
        points.append((points[-1][0] + step, lat))
    if abs(points[-1][0] - points[0][0]) > 180:  # noqa: PLR2004
        points += [(points[-1][0], SOUTH_POLE_DEG), (points[0][0], SOUTH_POLE_DEG), points[0]]
    return points


def _clipped(ring: list[Point], edge: float, side: int) -> list[Point]:
    """What of the ring lies on one side of a meridian (I. Sutherland, G. Hodgman, 1974)."""
    kept: list[Point] = []
    for (lon_a, lat_a), (lon_b, lat_b) in zip(ring, ring[1:] + ring[:1], strict=True):
        inside_a, inside_b = (edge - lon_a) * side >= 0, (edge - lon_b) * side >= 0
        if inside_a:
            kept.append((lon_a, lat_a))
        if inside_a != inside_b:
            share = (edge - lon_a) / (lon_b - lon_a)
            kept.append((edge, lat_a + share * (lat_b - lat_a)))
    return [*kept, kept[0]] if kept and kept[0] != kept[-1] else kept


def _rounded(points: list[Point]) -> list[Point]:
    """Fewer digits, and no point twice in a row."""
    found: list[Point] = []
    for lon, lat in points:
        point = (round(lon, DECIMALS), round(lat, DECIMALS))
        if not found or found[-1] != point:
            found.append(point)
    return found


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    made = world(json.loads(source.read_text(encoding="utf-8")))
    target.write_text(json.dumps(made, separators=(",", ":")).replace(".0,", ",") + "\n")
