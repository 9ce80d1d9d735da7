"""Figures of merit of a detector: matching, average precision, recall and precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
OVERLAP = 0.5


def overlaps(first: Boxes, second: Boxes) -> Boxes:
    """Return intersection over union, (n, m), of boxes (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [
        np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (first, second)
    ]
    return common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9)


def covered(first: Boxes, second: Boxes) -> Boxes:
    """Return the share of each of the first boxes (n, 4) that lies in the best second one, (n)."""
    if not len(second):
        return np.zeros(len(first), np.float32)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = np.clip(first[:, 2:] - first[:, :2], 0, None).prod(axis=1)
    return (common / np.maximum(areas[:, None], 1e-9)).max(axis=1)


@dataclass(slots=True)
class Found:
    """Detections of one picture against its truth, best first.

    ``scores`` (n); ``matches`` (n): number of the truth box that each one found first, -1 for a
    false alarm, -2 for one in a region that does not count; ``wanted``: number of truth boxes.
    """

    scores: NDArray[np.float32]
    matches: NDArray[np.int64]
    wanted: int


def match(boxes: Boxes, scores: NDArray[np.float32], truth: Boxes, ignored: Boxes) -> Found:
    """Return which of the boxes (n, 4) are right: each truth box may be found once, at IoU 0.5."""
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    matches = np.full(len(boxes), -1, np.int64)
    table = overlaps(boxes, truth)
    inside = covered(boxes, ignored) > OVERLAP
    taken: set[int] = set()
    for number in range(len(boxes)):
        free = [t for t in range(len(truth)) if t not in taken and table[number, t] >= OVERLAP]
        if free:
            best = max(free, key=lambda t: table[number, t])
            taken.add(best)
            matches[number] = best
        elif inside[number]:
            matches[number] = -2
    return Found(scores, matches, len(truth))


def average_precision(found: Sequence[Found]) -> float:
    """Return the area under precision over recall (all points, precision made monotonous)."""
    wanted = sum(one.wanted for one in found)
    scores = np.concatenate([one.scores for one in found] or [np.zeros(0, np.float32)])
    matches = np.concatenate([one.matches for one in found] or [np.zeros(0, np.int64)])
    counts = matches != -2
    order = np.argsort(-scores[counts], kind="stable")
    right = (matches[counts][order] >= 0).astype(np.float64)
    if not wanted or not right.size:
        return 0.0
    recall = np.cumsum(right) / wanted
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """Counts at one threshold."""

    threshold: float
    right: int
    wrong: int
    wanted: int
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def recall(self) -> float:
        """Share of the cameras that were found."""
        return self.right / max(self.wanted, 1)

    @property
    def precision(self) -> float:
        """Share of the detections that are cameras."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.right / max(self.right + self.wrong + self.wanted, 1)


def at_threshold(found: Sequence[Found], threshold: float) -> AtThreshold:
    """Return what remains right and wrong at a score of at least ``threshold``."""
    right = sum(int(((one.matches >= 0) & (one.scores >= threshold)).sum()) for one in found)
    wrong = sum(int(((one.matches == -1) & (one.scores >= threshold)).sum()) for one in found)
    return AtThreshold(threshold, right, wrong, sum(one.wanted for one in found))


def suppress(boxes: Boxes, scores: NDArray[np.float32], most: int = 50) -> NDArray[np.int64]:
    """Return the numbers of the boxes kept by non-maximum suppression at IoU 0.5, best first."""
    order = np.argsort(-scores, kind="stable")[: most * 6]
    kept: list[int] = []
    while order.size and len(kept) < most:
        kept.append(int(order[0]))
        table = overlaps(boxes[order[:1]], boxes[order[1:]])[0]
        order = order[1:][table < OVERLAP]
    return np.array(kept, np.int64)
