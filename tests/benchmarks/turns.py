"""What the scheduler is measured beside: tiles in turn, and one that knows where cameras are."""

import math
from collections.abc import Iterable, Mapping, Sequence

from scanner.core.tiles import Tile, closer_side
from scanner.records import Box
from tests.benchmarks.walks import HEIGHT_PX, TILE_PX, WIDTH_PX


class Turns:
    """Tiles in turn, ``budget`` inferences per frame on average."""

    def __init__(self, tiles: Sequence[Tile], budget: float) -> None:
        self._tiles, self._budget = tiles, min(budget, len(tiles))
        self._everything = budget >= len(tiles)
        self._spent = self._due = 0.0

    def next_tiles(self, found: Sequence[Box], textures: Sequence[float]) -> list[Tile]:
        """The next tiles; nothing is learned."""
        del found, textures
        self._due += self._budget
        count = math.floor(self._due - self._spent + 1e-9)
        count = max(count, 0)
        first = int(self._spent)
        self._spent += count
        return [self._tiles[i % len(self._tiles)] for i in range(first, first + count)]

    def charge(self, inferences: int) -> None:
        """Second looks delay the next turns, unless all tiles are looked at anyway."""
        self._due -= 0 if self._everything else inferences


class Knowing:
    """Looks at cameras alone, each where it is: the one not looked at for longest comes first.

    ``places`` are the boxes of each camera by the number of the frame, ``first`` the number of the
    first frame. Small ones are looked at from closer.
    """

    def __init__(self, places: Iterable[Mapping[int, Box]], budget: float, first: int) -> None:
        self._places = list(places)
        self._looked = [0] * len(self._places)
        self._budget, self._credit, self._number = budget, 0.0, first

    def next_tiles(self, found: Sequence[Box], textures: Sequence[float]) -> list[Tile]:
        """A tile round each camera in the frame, as many as the budget has."""
        del found, textures
        number, self._number = self._number, self._number + 1
        self._credit += self._budget
        count = max(math.floor(self._credit + 1e-9), 0)
        self._credit = min(self._credit - count, 1.0)
        here = [i for i, boxes in enumerate(self._places) if number in boxes]
        chosen = sorted(here, key=lambda i: self._looked[i])[:count]
        for i in chosen:
            self._looked[i] += 1
        return [around(self._places[i][number]) for i in chosen]

    def charge(self, inferences: int) -> None:
        """Second looks delay the next ones."""
        self._credit -= inferences


def around(box: Box) -> Tile:
    """The tile that shows a box best."""
    (x, y), side = box.centre_px, closer_side(box, TILE_PX)
    return Tile(
        round(min(max(x - side / 2, 0), WIDTH_PX - side)),
        round(min(max(y - side / 2, 0), HEIGHT_PX - side)),
        side,
    )
