"""Which parts of a frame to look at, and how overlapping looks become one answer.

Cameras cover 1 to 3 % of a frame's width: a whole frame shrunk to the network's input cannot show
them. So the frame is cut into tiles of the network's own input size, at native resolution (a crop
is free, a resize is not), and only a person who asks for everything gets coarser scales as well.
Which of them are looked at when there is no time for all is decided in ``schedule.py``.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from scanner.records import Box, Detection

OVERLAP: Final = 0.2  # share of a tile that the next one sees again: 64 px of 320
MERGE_IOU: Final = 0.45
MERGE_IOS: Final = 0.65  # intersection over the smaller box: a head cut by a tile's edge
EDGE_PX: Final = 2.0
AGREE_IOU: Final = 0.4  # from which two looks mean the same thing


class Tile(msgspec.Struct, frozen=True):
    """A square of the frame: left, top and side in frame pixels. ``scale`` = tile side / side."""

    x: int
    y: int
    side: int


def grid(width_px: int, height_px: int, side_px: int, overlap: float = OVERLAP) -> list[Tile]:
    """Squares of one side that cover a frame, evenly spread, row by row.

    Where the frame is smaller than the side there is one square, starting at 0 and reaching past
    the frame; whoever cuts it fills up.
    """
    step = max(1, math.floor(side_px * (1 - overlap)))
    return [
        Tile(x, y, side_px)
        for y in _starts(height_px, side_px, step)
        for x in _starts(width_px, side_px, step)
    ]


def _starts(length_px: int, side_px: int, step_px: int) -> list[int]:
    """Where squares begin along one axis, first at 0 and last flush with the end."""
    if length_px <= side_px:
        return [0]
    gaps = math.ceil((length_px - side_px) / step_px)
    return [round(i * (length_px - side_px) / gaps) for i in range(gaps + 1)]


def pyramid(width_px: int, height_px: int, tile_px: int) -> list[Tile]:
    """Squares of every scale: native tiles, then twice their size, up to the whole picture.

    Each scale doubles the side, so what is too large for one scale fits the next.
    """
    side = max(width_px, height_px)
    levels: list[list[Tile]] = []
    while side > tile_px * 1.25:
        levels.append(grid(width_px, height_px, side))
        side = (side + 1) // 2
    levels.append(grid(width_px, height_px, tile_px))
    return [tile for level in reversed(levels) for tile in level]


def to_frame(detection: Detection, tile: Tile, tile_px: int) -> Detection:
    """A detection in a tile of ``tile_px`` pixels, in pixels of the frame."""
    box = detection.box.scaled(tile.side / tile_px).shifted(tile.x, tile.y)
    return msgspec.structs.replace(detection, box=box)


def clipped(detection: Detection, width_px: int, height_px: int) -> Detection | None:
    """The part of a detection inside the frame, or None if that is less than half of it.

    Tiles may reach past the frame, and what is seen there is padding.
    """
    box = detection.box
    inside = Box(max(box.x0, 0), max(box.y0, 0), min(box.x1, width_px), min(box.y1, height_px))
    if intersection_px2(box, inside) < box.width_px * box.height_px / 2:
        return None
    return msgspec.structs.replace(detection, box=inside)


def cut_by_edge(detection: Detection, tile: Tile, width_px: int, height_px: int) -> bool:
    """Whether a box (in frame pixels) touches a side of its tile that is not the frame's own."""
    box, margin = detection.box, EDGE_PX * tile.side / 320
    return (
        (box.x0 - tile.x < margin and tile.x > 0)
        or (box.y0 - tile.y < margin and tile.y > 0)
        or (tile.x + tile.side - box.x1 < margin and tile.x + tile.side < width_px)
        or (tile.y + tile.side - box.y1 < margin and tile.y + tile.side < height_px)
    )


def merge(detections: Sequence[Detection]) -> list[Detection]:
    """One detection per camera from several looks, best score first.

    A box goes when a better one covers it by IoU, or covers most of the smaller of the two (IoS):
    that is how a head cut by a tile's edge is recognised. Of equal scores the earlier one stays.
    """
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda d: -d.score):
        if not any(_same(candidate.box, other.box) for other in kept):
            kept.append(candidate)
    return kept


def mirrored(detection: Detection, tile_px: int) -> Detection:
    """A find in the mirror image of a tile, where it lies in the tile itself."""
    box = detection.box
    turned = Box(tile_px - box.x1, box.y0, tile_px - box.x0, box.y1)
    return msgspec.structs.replace(detection, box=turned)


def agreed(once: Sequence[Detection], again: Sequence[Detection]) -> list[Detection]:
    """First looks at one scale with what second looks at the mirror image say of each.

    The score is the mean of both, 0 for a second look that does not see it. A camera is one from
    either side; a dark knot in the plaster often is not.
    """
    return [
        msgspec.structs.replace(
            here,
            score=(
                here.score
                + max((d.score for d in again if iou(here.box, d.box) >= AGREE_IOU), default=0.0)
            )
            / 2,
        )
        for here in once
    ]


def _same(a: Box, b: Box) -> bool:
    shared = intersection_px2(a, b)
    if shared <= 0:
        return False
    area_a, area_b = a.width_px * a.height_px, b.width_px * b.height_px
    return (
        shared / (area_a + area_b - shared) > MERGE_IOU or shared / min(area_a, area_b) > MERGE_IOS
    )


def intersection_px2(a: Box, b: Box) -> float:
    """Area that two boxes share, square pixels."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0.0) * max(height, 0.0)


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    shared = intersection_px2(a, b)
    union = a.width_px * a.height_px + b.width_px * b.height_px - shared
    return shared / union if union > 0 else 0.0
