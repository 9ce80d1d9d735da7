"""Boxes and areas of the map that are made anew together, and the names of their locks."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from scanner.core.fusing.fusion import CELL_M, SPAN_M
from scanner.core.fusing.vicinity import HALO_M, Cell, Report, box_of, cells_near
from scanner.core.reviewing.decisions import REACH_M
from scanner.hub.stores.protocol import Box

METRES_PER_DEGREE: Final = 111_000.0  # of latitude, rounded down
AREA_E7: Final = 500_000  # side of the areas that one fuser locks: 0.05 degrees, 5.6 km
HALF_TURN_DEG: Final = 180.0


def together(reports: Iterable[Report]) -> Iterator[list[Report]]:
    """Reports by the piece of the map that they change; two pieces have no cell in common."""
    piece_of: dict[Cell, int] = {}
    pieces: dict[int, tuple[list[Report], set[Cell]]] = {}
    for number, report in enumerate(reports):
        cells = cells_near(report.record)
        joined, all_cells = [report], set(cells)
        for old in {piece_of[cell] for cell in cells if cell in piece_of}:
            others, theirs = pieces.pop(old)
            joined = others + joined
            all_cells |= theirs
        pieces[number] = joined, all_cells
        piece_of.update(dict.fromkeys(all_cells, number))
    for joined, _ in pieces.values():
        yield joined


def pieces(reports: Iterable[Report]) -> Iterator[list[Report]]:
    """The same in pieces of an area at most, so that a whole town is not one fuser's alone."""
    areas: dict[tuple[int, int], list[Report]] = {}
    for report in reports:
        first = report.record.cameras[0]
        areas.setdefault((first.lat_e7 // AREA_E7, first.lon_e7 // AREA_E7), []).append(report)
    for inside in areas.values():
        yield from together(inside)


def areas_changed(reports: Iterable[Report]) -> list[str]:
    """Names of the areas that fusion reads or changes for some reports that lie together."""
    touched = {cell for report in reports for cell in cells_near(report.record)}
    return areas_of(box_of(touched, 2 * SPAN_M + CELL_M + HALO_M))


def areas_of(box: Box) -> list[str]:
    """Names of the areas that a box touches."""
    west, south, east, north = (round(edge * 1e7) // AREA_E7 for edge in box)
    turn = 3_600_000_000 // AREA_E7
    columns = range(west, east + 1) if west <= east else range(west, east + turn + 1)
    half = turn // 2
    return sorted(
        f"{y},{(x + half) % turn - half}" for y in range(south, north + 1) for x in columns
    )


def round_places(places: Sequence[tuple[float, float]], within_m: float = REACH_M) -> Box:
    """A box round places (lat, lon), by default as far beyond as a decision may matter."""
    south, north = min(p[0] for p in places), max(p[0] for p in places)
    west, east = min(p[1] for p in places), max(p[1] for p in places)
    farthest = min(max(abs(south), abs(north)), 89.0)
    lat_deg = within_m / METRES_PER_DEGREE
    lon_deg = lat_deg / math.cos(math.radians(farthest))
    if east - west > HALF_TURN_DEG:  # on both sides of the date line
        west, east = -180.0, 180.0
    return west - lon_deg, south - lat_deg, east + lon_deg, north + lat_deg
