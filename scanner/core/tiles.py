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
CLOSER_IOU: Final = 0.25  # the same, where one of them is closer: small boxes are rough
CLOSER_PX: Final = 32.0  # longest side up to which a find is looked at again from closer
CLOSER: Final = 2  # times
CLOSER_WEIGHT: Final = 2 / 3  # of a look from closer, in the score of both
SECOND_LOOKS_FROM: Final = 4  # tiles of a frame that is not seen whole
ROOM_PX: Final = 8.0  # round a find, in a square that shows it again


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


def closer(found: Sequence[Detection], width_px: int, height_px: int, tile_px: int) -> list[Tile]:
    """Squares for a second look at finds, those of the best ones first.

    Each is centred on a find and serves all others that it holds. Small finds get half a tile,
    which the network then sees at twice the size; what is too large for a tile gets none.
    """
    tiles: list[Tile] = []
    left = sorted(found, key=lambda d: -d.score)
    while left:
        first = left.pop(0)
        side = min(closer_side(first.box, tile_px), width_px, height_px)
        x, y = first.box.centre_px
        tile = Tile(
            round(min(max(x - side / 2, 0), width_px - side)),
            round(min(max(y - side / 2, 0), height_px - side)),
            side,
        )
        if holds(tile, first.box, 0.0):
            tiles.append(tile)
            left = [
                d
                for d in left
                if closer_side(d.box, tile_px) != side or not holds(tile, d.box, ROOM_PX)
            ]
    return tiles


def closer_side(box: Box, tile_px: int) -> int:
    """Of the square that shows a find best: half a tile's, drawn up, where it is small."""
    small = max(box.width_px, box.height_px) < CLOSER_PX
    return tile_px // CLOSER if small else tile_px


def holds(tile: Tile, box: Box, room_px: float) -> bool:
    """Whether a box lies in a tile with some room around it."""
    return (
        box.x0 >= tile.x + room_px
        and box.y0 >= tile.y + room_px
        and box.x1 <= tile.x + tile.side - room_px
        and box.y1 <= tile.y + tile.side - room_px
    )


def second_looks(first: int, native: int) -> int:
    """How many second looks a frame gets at most, of whose native tiles so many were looked at.

    Never more than first ones: a street full of lamps is no trap. Half as many where tiles are left
    out, and none where few are seen at all: there the next tile tells more.
    """
    if first >= native:
        return first
    return first // 2 if first >= SECOND_LOOKS_FROM else 0


def confirmed(
    once: Sequence[Detection], again: Sequence[Detection], tiles: Sequence[Tile], tile_px: int
) -> list[Detection]:
    """First looks with what second looks at ``tiles`` say of each.

    The score is the mean of both, 0 for a second look that does not see it; a look from closer
    counts twice. Box and kind are those of the second, which are better. A find in none of the
    tiles stays as it is.
    """
    settled: list[Detection] = []
    for here in once:
        weight = CLOSER_WEIGHT if closer_side(here.box, tile_px) < tile_px else 0.5
        same = [d for d in again if iou(here.box, d.box) >= CLOSER_IOU]
        if same:
            there = max(same, key=lambda d: d.score)
            score = (1 - weight) * here.score + weight * there.score
            settled.append(msgspec.structs.replace(there, score=score))
        elif any(holds(tile, here.box, 0.0) for tile in tiles):
            settled.append(msgspec.structs.replace(here, score=(1 - weight) * here.score))
        else:
            settled.append(here)
    return merge(settled)


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
