"""The line a street follows, and frames along it. World: x east, y north, z up, metres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.blender.shapes import Mesh, shift, turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Course:
    """A straight, a bend to the left (negative: right) and a straight, from the origin on.

    heading_deg runs from +x to +y. bend_start_m and bend_length_m are stations along the line.
    """

    heading_deg: float = 0.0
    bend_start_m: float = 1e6
    bend_length_m: float = 1.0
    bend_deg: float = 0.0

    def heading_at(self, station_m: float) -> float:
        """Return the direction of travel in degrees at a station."""
        part = min(1.0, max(0.0, (station_m - self.bend_start_m) / self.bend_length_m))
        return self.heading_deg + self.bend_deg * part

    def point_at(self, station_m: float) -> tuple[float, float]:
        """Return (x, y) in metres at a station, which may be negative."""
        start = math.radians(self.heading_deg)
        straight = min(station_m, self.bend_start_m)
        x, y = straight * math.cos(start), straight * math.sin(start)
        inside = min(max(0.0, station_m - self.bend_start_m), self.bend_length_m)
        if inside > 0:
            turned = math.radians(self.bend_deg) * inside / self.bend_length_m
            # The chord of an arc points along its mean direction.
            chord = inside * (math.sin(turned / 2) / (turned / 2) if abs(turned) > 1e-9 else 1.0)
            x, y = (
                x + chord * math.cos(start + turned / 2),
                y + chord * math.sin(start + turned / 2),
            )
        beyond = max(0.0, station_m - self.bend_start_m - self.bend_length_m)
        end = math.radians(self.heading_deg + self.bend_deg)
        return x + beyond * math.cos(end), y + beyond * math.sin(end)

    def frame_at(
        self, station_m: float, left_m: float = 0.0, up_m: float = 0.0
    ) -> NDArray[np.float64]:
        """Return the 4x4 frame at a station: x along the street, y to the left, z up."""
        x, y = self.point_at(station_m)
        return shift(x, y, 0) @ turn("z", self.heading_at(station_m)) @ shift(0, left_m, up_m)

    def strip(
        self, stations_m: Sequence[float], left_m: float, right_m: float, up_m: float
    ) -> Mesh:
        """Return a ribbon along the stations between two lateral offsets (left positive)."""
        vertices = []
        for station in stations_m:
            frame = self.frame_at(station)
            vertices += [(frame @ [0, side, up_m, 1])[:3] for side in (left_m, right_m)]
        faces: list[tuple[int, ...]] = [
            (2 * k, 2 * k + 1, 2 * k + 3, 2 * k + 2) for k in range(len(stations_m) - 1)
        ]
        return Mesh(np.array(vertices), faces)

    def kerb(
        self,
        stations_m: Sequence[float],
        left_m: float,
        width_m: float,
        low_m: float,
        high_m: float,
    ) -> list[Mesh]:
        """Return the top and the two faces of a kerb whose left edge lies at left_m."""
        top = self.strip(stations_m, left_m, left_m - width_m, high_m)
        faces = []
        for side in (left_m, left_m - width_m):
            upper, lower = (
                self.strip(stations_m, side, side, high_m),
                self.strip(stations_m, side, side, low_m),
            )
            upper.vertices[1::2] = lower.vertices[1::2]
            faces.append(upper)
        return [top, *faces]
