"""A detector looks at a frame: cuts tiles, gathers what it finds, in frame pixels."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scanner.core.tiles import Schedule, Tile, clipped, cut_by_edge, merge, pyramid, to_frame
from scanner.frame import Pixels
from scanner.ports import Detector
from scanner.records import Detection


class Watcher:
    """Looks at frames of one size with a budget of tiles each; 0 looks at all of them."""

    def __init__(self, detector: Detector, budget: int = 0) -> None:
        self._detector = detector
        self._budget = budget
        self._schedule: Schedule | None = None
        self._size = (0, 0)
        self._last: Sequence[Detection] = ()

    def look(self, pixels: Pixels) -> list[Detection]:
        """Cameras in one frame of shape (height, width, 3), best first."""
        height, width = pixels.shape[:2]
        if self._schedule is None or self._size != (width, height):
            self._size = (width, height)
            self._schedule = Schedule(width, height, self._detector.tile_size, self._budget)
        tiles = self._schedule.next_tiles([d.box for d in self._last])
        found = look_at(self._detector, pixels, tiles)
        self._last = found
        return found


def detect_everywhere(detector: Detector, pixels: Pixels) -> list[Detection]:
    """Cameras in a picture at every scale, from the whole of it to native tiles, best first."""
    height, width = pixels.shape[:2]
    return look_at(detector, pixels, pyramid(width, height, detector.tile_size))


def look_at(detector: Detector, pixels: Pixels, tiles: Iterable[Tile]) -> list[Detection]:
    """Cameras in the given tiles of a picture, in its own pixels, merged, best first."""
    height, width = pixels.shape[:2]
    found: list[Detection] = []
    for tile in tiles:
        for detection in detector.infer(cut(pixels, tile, detector.tile_size)):
            placed = to_frame(detection, tile, detector.tile_size)
            inside = clipped(placed, width, height)
            if inside and not cut_by_edge(placed, tile, width, height):
                found.append(inside)
    return merge(found)


def cut(pixels: Pixels, tile: Tile, tile_px: int) -> Pixels:
    """The tile's pixels at the network's size, (tile_px, tile_px, 3).

    At native size this is a view into the picture; a larger tile is averaged down (area mean). What
    lies outside the picture is grey, as the picture's mean would be.
    """
    part = pixels[tile.y : tile.y + tile.side, tile.x : tile.x + tile.side]
    if tile.side != tile_px:
        part = _shrink(part, tile_px / tile.side)
    if part.shape[:2] == (tile_px, tile_px):
        return part
    whole = np.full((tile_px, tile_px, 3), 114, np.uint8)
    whole[: part.shape[0], : part.shape[1]] = part[:tile_px, :tile_px]
    return whole


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
