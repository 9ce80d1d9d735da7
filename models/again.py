"""Tiles that the network got most wrong, to be shown once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.dataset import Tile
from models.photometry import recolour

LEAST_WRONG = 0.3  # score of something that is no camera
MOST_KEPT = 300


class Again:
    """Keeps the tiles with the highest wrong scores; hands each out once, mirrored, recoloured."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._kept: list[tuple[float, Tile]] = []

    def offer(self, tiles: Sequence[Tile], wrong: Sequence[float]) -> None:
        """Keep those whose highest wrong score is high; ``wrong`` may be longer than ``tiles``."""
        some = zip(wrong, tiles, strict=False)
        self._kept += [(score, tile) for score, tile in some if score >= LEAST_WRONG]
        self._kept.sort(key=lambda pair: -pair[0])
        del self._kept[MOST_KEPT:]

    def take(self, count: int) -> list[Tile]:
        """Return at most ``count`` tiles, the worst first, and forget them."""
        taken, self._kept = self._kept[:count], self._kept[count:]
        return [self._changed(tile) for _, tile in taken]

    def _changed(self, tile: Tile) -> Tile:
        side = tile.pixels.shape[1]
        pixels = recolour(self._rng, tile.pixels[:, ::-1], 0.7)
        return replace(
            tile,
            pixels=pixels,
            boxes=_mirrored(tile.boxes, side),
            ignored=_mirrored(tile.ignored, side),
        )


def _mirrored(boxes: np.ndarray, side: int) -> np.ndarray:
    return np.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], axis=1)
