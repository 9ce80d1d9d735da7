"""A detector looks at a frame: cuts tiles, gathers what it finds, in frame pixels."""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanner.core.pace import Pace
from scanner.core.schedule import Schedule
from scanner.core.tiles import (
    Tile,
    agreed,
    clipped,
    closer,
    confirmed,
    cut_by_edge,
    merge,
    mirrored,
    pyramid,
    second_looks,
    to_frame,
)
from scanner.frame import Pixels
from scanner.ports import Detector
from scanner.records import Detection

THUMB_STEP: Final = 8  # every so many pixels are enough to tell a wall from the sky
TEXTURE_HALF: Final = 0.5  # of the frame's mean edge energy: a texture of one half


class Watcher:
    """Looks at frames of one size with a budget of tiles each; 0 looks at all of them.

    The budget is an average and may be a fraction: inferences per second / frames per second.
    ``coarse_every`` as in ``Schedule``. With ``least`` a find counts where its score reaches that;
    where there is time for it, the score of two looks, the second from closer where the find is
    small. Second looks come out of the budget. With ``pace`` the budget is that of the pace, which
    learns from each look how long it took by ``clock``, in seconds; a recording has all the time it
    wants.
    """

    def __init__(
        self,
        detector: Detector,
        budget: float = 0.0,
        *,
        coarse_every: int = 0,
        least: float | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._detector = detector
        self._pace, self._clock = pace, clock
        self._budget = budget
        self._least = least
        self._coarse_every = coarse_every
        self._schedule: Schedule | None = None
        self._size = (0, 0)
        self._last: Sequence[Detection] = ()
        self._looks = 0

    @property
    def looks(self) -> int:
        """Tiles looked at so far, second looks included."""
        return self._looks

    def look(
        self,
        pixels: Pixels,
        attention: float = 1.0,
        small: Callable[[], Pixels] | None = None,
    ) -> list[Detection]:
        """Cameras in one frame of shape (height, width, 3), best first.

        ``attention``: so many times the budget, for this frame. ``small`` gives the same picture at
        half the size, where the lens has made that already.
        """
        height, width = pixels.shape[:2]
        if self._schedule is None or self._size != (width, height):
            self._size = (width, height)
            tile_px = self._detector.tile_size
            self._schedule = Schedule(
                width, height, tile_px, self._budget, coarse_every=self._coarse_every
            )
            self._last = ()
        schedule = self._schedule
        began_s = self._clock()
        if self._pace:
            schedule.budget = self._pace.budget
            attention = min(attention, max(self._pace.most / schedule.budget, 1.0))
        texture = textures(pixels, schedule.native) if schedule.wants_texture else ()
        tiles = schedule.next_tiles([d.box for d in self._last], texture, attention=attention)
        found = look_at(self._detector, pixels, tiles, small)
        looks = len(tiles)
        if self._least is not None:
            most = second_looks(len(tiles), len(schedule.native))
            found, again = look_again(self._detector, pixels, found, most=most)
            found = [d for d in found if d.score >= self._least]
            schedule.charge(again)
            looks += again
        self._looks += looks
        if self._pace:
            self._pace.took(looks, self._clock() - began_s)
        self._last = found
        return found


def textures(pixels: Pixels, tiles: Sequence[Tile]) -> list[float]:
    """How much there is to see in each tile, 0 (flat) to 1: its edges beside the frame's own.

    Taken from every eighth pixel of the green channel, which costs a hundredth of an inference.
    """
    green = pixels[::THUMB_STEP, ::THUMB_STEP, 1].astype(np.int16)
    edges = np.zeros(green.shape, np.int16)
    edges[:, 1:] = np.abs(np.diff(green, axis=1))
    edges[1:] += np.abs(np.diff(green, axis=0))
    reference = max(TEXTURE_HALF * float(edges.mean()), 1e-6)
    result = []
    for tile in tiles:
        rows = slice(tile.y // THUMB_STEP, (tile.y + tile.side) // THUMB_STEP)
        columns = slice(tile.x // THUMB_STEP, (tile.x + tile.side) // THUMB_STEP)
        energy = float(edges[rows, columns].mean())
        result.append(energy / (energy + reference))
    return result


def detect_everywhere(detector: Detector, pixels: Pixels) -> list[Detection]:
    """Cameras in a picture at every scale, from the whole of it to native tiles, best first.

    Tiles with a find are looked at again, mirrored, and the score is the mean of both looks: what
    is to be found at a threshold t the detector must answer from 2 t - 1 on. All other tiles,
    nearly all, cost one inference.
    """
    height, width = pixels.shape[:2]
    found: list[Detection] = []
    tiles = sorted(pyramid(width, height, detector.tile_size), key=lambda tile: tile.side)
    for _, scale in itertools.groupby(tiles, key=lambda tile: tile.side):
        once: list[Detection] = []
        again: list[Detection] = []
        for tile in scale:
            view = cut(pixels, tile, detector.tile_size)
            seen = detector.infer(view)
            once += _placed(seen, tile, detector.tile_size, width, height)
            if seen:
                again += look_mirrored(detector, pixels, tile)
        found += agreed(once, again)
    return merge(found)


def look_at(
    detector: Detector,
    pixels: Pixels,
    tiles: Iterable[Tile],
    small: Callable[[], Pixels] | None = None,
) -> list[Detection]:
    """Cameras in the given tiles of a picture, in its own pixels, merged, best first.

    ``small`` as in ``Watcher.look``.
    """
    height, width = pixels.shape[:2]
    halved: Pixels | None = None
    found: list[Detection] = []
    for tile in tiles:
        if small and tile.side == 2 * detector.tile_size:
            halved = small() if halved is None else halved
            shown = cut(halved, Tile(tile.x // 2, tile.y // 2, detector.tile_size), tile.side // 2)
        else:
            shown = cut(pixels, tile, detector.tile_size)
        found += _placed(detector.infer(shown), tile, detector.tile_size, width, height)
    return merge(found)


def look_again(
    detector: Detector, pixels: Pixels, found: Sequence[Detection], *, most: int
) -> tuple[list[Detection], int]:
    """Finds of a picture after a second look at each, best first, and how many looks that took.

    Small ones are shown at twice the size. There are at most ``most`` looks, at the best finds; the
    others stay as they are.
    """
    height, width = pixels.shape[:2]
    tiles = closer(found, width, height, detector.tile_size)[:most]
    again = [d for tile in tiles for d in look_mirrored(detector, pixels, tile)]
    return confirmed(found, again, tiles, detector.tile_size), len(tiles)


def look_mirrored(detector: Detector, pixels: Pixels, tile: Tile) -> list[Detection]:
    """Cameras in the mirror image of one tile of a picture, where they are in the picture."""
    height, width = pixels.shape[:2]
    tile_px = detector.tile_size
    seen = detector.infer(np.ascontiguousarray(cut(pixels, tile, tile_px)[:, ::-1]))
    return _placed([mirrored(d, tile_px) for d in seen], tile, tile_px, width, height)


def _placed(
    seen: Iterable[Detection], tile: Tile, tile_px: int, width: int, height: int
) -> list[Detection]:
    """Finds of a tile in pixels of the picture, without those that the tile's edge cuts."""
    placed = [to_frame(detection, tile, tile_px) for detection in seen]
    inside = [(d, clipped(d, width, height)) for d in placed]
    return [part for d, part in inside if part and not cut_by_edge(d, tile, width, height)]


def cut(pixels: Pixels, tile: Tile, tile_px: int) -> Pixels:
    """The tile's pixels at the network's size, (tile_px, tile_px, 3).

    At native size this is a view into the picture; a larger tile is averaged down (area mean), one
    of half the size is drawn up. What lies outside the picture is grey, as its mean would be.
    """
    part = pixels[tile.y : tile.y + tile.side, tile.x : tile.x + tile.side]
    if tile.side * 2 == tile_px:
        part = _twice(_twice(part).transpose(1, 0, 2)).transpose(1, 0, 2)
    elif tile.side != tile_px:
        part = _shrink(part, tile_px / tile.side)
    if part.shape[:2] == (tile_px, tile_px):
        return part
    whole = np.full((tile_px, tile_px, 3), 114, np.uint8)
    whole[: part.shape[0], : part.shape[1]] = part[:tile_px, :tile_px]
    return whole


def _twice(part: Pixels) -> Pixels:
    """Twice as many rows, linear between their middles."""
    heavy = part.astype(np.uint16) * 3 + 2
    drawn = np.empty((2 * len(part), *part.shape[1:]), np.uint8)
    drawn[0], drawn[-1] = part[0], part[-1]
    drawn[2::2] = (heavy[1:] + part[:-1]) >> 2
    drawn[1:-1:2] = (heavy[:-1] + part[1:]) >> 2
    return drawn


def _shrink(part: Pixels, factor: float) -> Pixels:
    """Area-mean resize by ``factor`` < 1, exact for fractional steps."""
    rows = max(1, round(part.shape[0] * factor))
    columns = max(1, round(part.shape[1] * factor))
    narrow = _mean_along(part.astype(np.float32), rows)
    wide = _mean_along(narrow.transpose(1, 0, 2), columns)
    return np.clip(np.rint(wide.transpose(1, 0, 2)), 0, 255).astype(np.uint8)


def _mean_along(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Mean over ``count`` equal stretches of the first axis, fractions of pixels counted."""
    length = values.shape[0]
    if length == count:
        return values
    sums = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0, dtype=np.float64)])
    edges = np.linspace(0, length, count + 1)
    whole = np.minimum(edges.astype(int), length)
    share = (edges - whole).reshape(-1, *([1] * (values.ndim - 1)))
    at_edges = sums[whole] + share * (sums[np.minimum(whole + 1, length)] - sums[whole])
    means: NDArray[np.float64] = np.diff(at_edges, axis=0) * (count / length)
    return means.astype(np.float32)
