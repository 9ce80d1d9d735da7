"""Which tiles to look at next, when there are fewer inferences than tiles.

Each inference goes, in this order, to

1. a native tile that nobody looked at for too long (``MAX_AGE_ROUNDS``), the oldest first;
2. a live candidate, on two turns of three: a tile around the box whose last look is longest ago and
   as many others as fit with it, for a camera has to be seen several times to be located; a small
   one from closer, unless the last look has missed it: steps sway further than such a tile shows;
3. where asked for, now and then a coarse tile of twice the side, shrunk: it shows in one look what
   is near (on the device the ISP's small stream holds those pixels already);
4. the native tile with the highest staleness x prior x texture.

Time is counted in inferences, so the promise holds at every rate: at ``n`` native tiles each is
looked at again after at most ``(MAX_AGE_ROUNDS + 1) * n`` inferences.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scanner.core.tiles import Tile, closer_side, grid, holds
from scanner.records import Box

MAX_AGE_ROUNDS: Final = 4  # in native tiles of a frame: then a tile is overdue
CANDIDATE_SHARE: Final = 0.67  # of the inferences, while there are candidates
MATCH_PX: Final = 110.0  # a box so near to where a candidate is expected is the same: steps sway
MAX_MISSES: Final = 3  # looks at its place that did not show it; then it is no candidate any more
ROOM_PX: Final = 24.0  # between a candidate and its tile's edge, for what the guess is off
PLACE, FLOW = 0.5, 0.1
URGENT_PX = 8.0
UPPER: Final = 2 / 3  # of the frame's height: above it hang the cameras
START_FINDS: Final = (0.10, 0.01)  # new cameras a look before anything is learned; above, below
START_LOOKS: Final = 20.0  # how many looks that guess is worth
LEAST_WEIGHT: Final = 0.1  # of the best tile's, for the worst prior and the flattest texture


@dataclass(slots=True)
class _Candidate:
    """A box that will be looked at again."""

    box: Box
    frame: int  # of the last view
    looked: int  # inferences spent at the last look
    flow: tuple[float, float] = (0.0, 0.0)  # pixels per frame
    misses: int = 0

    def expected(self, frame: int) -> Box:
        """Where it should be in a frame."""
        frames = frame - self.frame
        return self.box.shifted(self.flow[0] * frames, self.flow[1] * frames)

    def seen(self, box: Box, frame: int) -> None:
        """Take in a new view of it."""
        expected = self.expected(frame)
        (x0, y0), (x1, y1) = expected.centre_px, box.centre_px
        off = x1 - x0, y1 - y0
        frames = max(frame - self.frame, 1)
        self.flow = self.flow[0] + FLOW * off[0] / frames, self.flow[1] + FLOW * off[1] / frames
        # Half of what a step has swayed the picture is taken out of the place.
        self.box = box.shifted(-(1 - PLACE) * off[0], -(1 - PLACE) * off[1])
        self.frame = frame
        self.misses = 0


@dataclass(slots=True)
class _Cell:
    """A native tile and what is known of it."""

    tile: Tile
    finds: float  # new cameras, with what was assumed at the start
    looks: float = START_LOOKS
    looked: int = 0  # inferences spent when it was last looked at as a whole
    stale_from: float = 0.0  # the same, later where other tiles have shown parts of it


class Schedule:
    """Hands out tiles for one frame after the other, ``budget`` of them per frame on average.

    The budget may be a fraction: 0.5 is a tile in every other frame. With 0, or with as many as
    there are native tiles, each frame is seen whole. The same calls give the same tiles.
    ``coarse_every``: so many turns that are no candidate's bring one coarse tile; 0: none.
    """

    def __init__(
        self,
        width_px: int,
        height_px: int,
        tile_px: int,
        budget: float = 0.0,
        *,
        coarse_every: int = 0,
    ) -> None:
        self._size = (width_px, height_px)
        self._tile_px = tile_px
        self._cells = [
            _Cell(tile, START_LOOKS * START_FINDS[tile.y + tile.side / 2 > UPPER * height_px])
            for tile in grid(width_px, height_px, tile_px)
        ]
        self._coarse = _coarse(width_px, height_px, tile_px) if coarse_every else []
        self._coarse_every = coarse_every
        self._budget = budget or math.inf
        self._credit = 0.0
        self._candidate_turn = 0.0
        self._coarse_turn = 0
        self._spent = 0
        self._frame = 0
        self._last: list[Tile] = []
        self._candidates: list[_Candidate] = []

    @property
    def budget(self) -> float:
        """Tiles per frame on average, at most all; may be changed from frame to frame."""
        return min(self._budget, float(len(self._cells)))

    @budget.setter
    def budget(self, tiles: float) -> None:
        self._budget = tiles

    @property
    def native(self) -> list[Tile]:
        """The tiles that cover the frame, in the order of ``textures``."""
        return [cell.tile for cell in self._cells]

    @property
    def wants_texture(self) -> bool:
        """Whether the next call of ``next_tiles`` has anything to choose."""
        return 1 <= self._credit + self._budget < len(self._cells)

    def next_tiles(
        self, found: Sequence[Box], textures: Sequence[float] = (), *, attention: float = 1.0
    ) -> list[Tile]:
        """Tiles for one frame, without repeats.

        ``found`` is what the tiles of the call before have shown. ``textures`` says of each native
        tile how much there is to see, 0 to 1; without it all are alike. ``attention``: so many
        times the budget, for this frame.
        """
        if math.isinf(self._budget):
            return self.native
        self._learn(found)
        self._frame += 1
        self._credit += self._budget * attention
        count = max(0, min(math.floor(self._credit + 1e-9), len(self._cells)))
        # What a frame has no tiles for is not saved up.
        self._credit = min(self._credit - count, 1.0)
        chosen: list[Tile] = []
        for cell in self._cells[:count]:
            tile = cell.tile if count == len(self._cells) else self._choose(chosen, textures)
            self._spend(tile)
            chosen.append(tile)
        self._last = chosen
        return chosen

    def charge(self, inferences: int) -> None:
        """Take out of the budget what was spent on second looks."""
        if math.isfinite(self._budget):
            self._credit -= inferences

    def _choose(self, chosen: Sequence[Tile], textures: Sequence[float]) -> Tile:
        oldest = min(self._cells, key=lambda cell: cell.looked)
        if self._spent - oldest.looked >= MAX_AGE_ROUNDS * len(self._cells):
            return oldest.tile
        self._candidate_turn += CANDIDATE_SHARE
        if self._candidate_turn >= 1:
            tile = self._for_candidates(chosen)
            self._candidate_turn -= 1 if tile else CANDIDATE_SHARE
            if tile:
                return tile
        self._coarse_turn += 1
        if self._coarse and self._coarse_turn % self._coarse_every == 0:
            turn = self._coarse_turn // self._coarse_every
            tile = self._coarse[turn % len(self._coarse)]
            if tile not in chosen:
                return tile
        return self._stalest(chosen, textures)

    def _stalest(self, chosen: Sequence[Tile], textures: Sequence[float]) -> Tile:
        rates = [cell.finds / cell.looks for cell in self._cells]
        best = max(rates)
        texture = textures or [1.0] * len(self._cells)

        def priority(index: int) -> float:
            # The root: twice the finds do not want twice the looks, the first look finds most.
            prior = max(math.sqrt(rates[index] / best), LEAST_WEIGHT)
            weight = prior * max(texture[index], LEAST_WEIGHT)
            return weight * (self._spent + 1 - self._cells[index].stale_from)

        free = [i for i, cell in enumerate(self._cells) if cell.tile not in chosen]
        return self._cells[max(free, key=priority)].tile

    def _for_candidates(self, chosen: Sequence[Tile]) -> Tile | None:
        """A tile around the candidate not looked at for longest, and others that fit with it."""
        frame = self._frame
        waiting = [
            c
            for c in self._candidates
            if not any(holds(tile, c.expected(frame), 0) for tile in chosen)
        ]
        if not waiting:
            return None
        waiting.sort(
            key=lambda c: -(self._spent + 1 - c.looked) * (1 + math.hypot(*c.flow) / URGENT_PX)
        )
        around = waiting[0].expected(frame)
        side = self._tile_px if waiting[0].misses else closer_side(around, self._tile_px)
        room = side - 2 * ROOM_PX
        for other in waiting[1:]:
            wider = _union(around, other.expected(frame))
            if wider.width_px <= room and wider.height_px <= room:
                around = wider
        tile = self._around(around, side)
        return None if tile in chosen else tile

    def _around(self, box: Box, side: int) -> Tile:
        x, y = box.centre_px
        width, height = self._size
        return Tile(
            round(min(max(x - side / 2, 0), max(width - side, 0))),
            round(min(max(y - side / 2, 0), max(height - side, 0))),
            side,
        )

    def _spend(self, tile: Tile) -> None:
        """Note that a tile is looked at now."""
        self._spent += 1
        for cell in self._cells:
            if cell.tile == tile:
                cell.looked = self._spent
                cell.looks += 1
            if tile.side == cell.tile.side:
                shown = _shown(cell.tile, tile)
                cell.stale_from += shown * (self._spent - cell.stale_from)
        for candidate in self._candidates:
            if tile.side <= self._tile_px and holds(tile, candidate.expected(self._frame), 0):
                candidate.looked = self._spent

    def _learn(self, found: Sequence[Box]) -> None:
        """Follow the candidates through what the last tiles have shown, and take in new ones."""
        frame = self._frame
        rest = list(self._candidates)
        new: list[_Candidate] = []
        for box in found:
            near = min(rest, key=lambda c: _apart(c.expected(frame), box), default=None)
            if near is not None and _apart(near.expected(frame), box) <= MATCH_PX:
                rest.remove(near)
                near.seen(box, frame)
            else:
                new.append(_Candidate(box, frame, self._spent))
                self._credit_cells(box)
        for candidate in rest:
            expected = candidate.expected(frame)
            sharp = [tile for tile in self._last if tile.side <= self._tile_px]
            if any(holds(tile, expected, 0) for tile in sharp):
                candidate.misses += 1
        width, height = self._size
        self._candidates = [
            c
            for c in (*self._candidates, *new)
            if c.misses < MAX_MISSES
            and 0 <= c.expected(frame).centre_px[0] <= width
            and 0 <= c.expected(frame).centre_px[1] <= height
        ]

    def _credit_cells(self, box: Box) -> None:
        for cell in self._cells:
            if cell.tile in self._last and holds(cell.tile, box, 0):
                cell.finds += 1


def _coarse(width_px: int, height_px: int, tile_px: int) -> list[Tile]:
    """Squares of twice the native side, where the frame is large enough for them."""
    side = 2 * tile_px
    return grid(width_px, height_px, side) if min(width_px, height_px) >= side else []


def _shown(of: Tile, by: Tile) -> float:
    """Share of a tile that another one of its size shows."""
    wide = max(0, of.side - abs(of.x - by.x))
    high = max(0, of.side - abs(of.y - by.y))
    return wide * high / of.side**2


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def _apart(a: Box, b: Box) -> float:
    """Distance of two boxes' middles, pixels."""
    (ax, ay), (bx, by) = a.centre_px, b.centre_px
    return math.hypot(ax - bx, ay - by)
