"""How many tiles a frame may have: as many as wanted, but no more than there is time for.

An Edge TPU that is lost leaves its tiles to a processor ten times as slow. Were the budget kept,
each turn would take longer than a frame, frames would be dropped in bursts and tracks would tear.
So the budget follows what a tile costs now, down and up again.
"""

import math
import statistics
from collections import deque
from typing import Final

LOOKS: Final = 7  # the median over so many: one that hung for seconds does not count
SHARE: Final = 0.8  # of a frame's time; the rest is for all that is not the network
LEAST: Final = 0.1  # tiles in a frame: who looks at nothing does not learn what a look costs


class Pace:
    """Follows the cost of tiles for frames that come every ``frame_s`` seconds.

    ``wanted`` is the budget, tiles in a frame on average; 0: no limit but time.
    """

    def __init__(self, wanted: float, frame_s: float) -> None:
        self._wanted = wanted or math.inf
        self._frame_s = frame_s
        self._costs_s: deque[float] = deque(maxlen=LOOKS)

    def took(self, tiles: int, seconds: float) -> None:
        """A look at so many tiles took so long, cutting and all."""
        if tiles:
            self._costs_s.append(seconds / tiles)

    @property
    def most(self) -> float:
        """Tiles that there is time for in a frame; infinite while nothing is known."""
        if not self._costs_s:
            return math.inf
        return max(SHARE * self._frame_s / max(statistics.median(self._costs_s), 1e-6), LEAST)

    @property
    def budget(self) -> float:
        """Tiles for the next frame, on average; may be infinite."""
        return min(self._wanted, self.most)

    @property
    def held_back(self) -> bool:
        """Whether time allows less than is wanted; without a limit, never."""
        return math.isfinite(self._wanted) and self.most < self._wanted
