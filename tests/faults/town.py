"""The streets of a seed: each walker has one, with poles and facades on both sides."""

import random
from typing import Final

from scanner.frame import Frame
from scanner.records import Kind
from tests.helpers import walk
from tests.helpers.walk import KINDS, RATE, SPEED_MPS, Mounted

START_M: Final = 300.0  # north of where the demo's walk is
AHEAD_M: Final = 60.0  # farther poles are too small to be seen


def street(seed: int, length_m: float) -> list[Mounted]:
    """Poles every 20 to 45 m, some with two cameras."""
    dice = random.Random(seed)
    found: list[Mounted] = []
    north_m = START_M + 15.0
    while north_m < START_M + length_m:
        east_m = dice.choice([-1, 1]) * dice.uniform(4, 6.5)
        for number in range(dice.choice([1, 1, 1, 2])):
            height_m = dice.uniform(3.4, 5.0)
            place = east_m, north_m + 2.5 * number
            found.append(Mounted(*place, height_m, dice.choice(KINDS)))
        north_m += dice.uniform(20, 45)
    return found


class Street:
    """What a walker sees and where it is, by the time since it set out, seconds."""

    def __init__(self, seed: int, walker: int, duration_s: float) -> None:
        self.poles = street(seed, SPEED_MPS * duration_s + AHEAD_M)
        self._east_m = 0.6 * (walker - 0.5)  # everybody has another way along a pavement

    def frame(self, number: int) -> Frame:
        """Frame ``number``, RATE of them a second."""
        north_m = START_M + SPEED_MPS * number / RATE
        near = [m for m in self.poles if 0 < m.north_m - north_m < AHEAD_M]
        return walk.frame_at(number, self._east_m, north_m, 0.0, near)

    def way(self, t_s: float) -> tuple[float, float, float]:
        """East, north, course."""
        return self._east_m, START_M + SPEED_MPS * t_s, 0.0


def places(seed: int, duration_s: float) -> list[tuple[float, float, Kind]]:
    """Latitude, longitude and kind of every camera of the street."""
    return [
        (*walk.place(m.east_m, m.north_m), m.kind)
        for m in street(seed, SPEED_MPS * duration_s + AHEAD_M)
    ]
