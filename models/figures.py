"""Figures of merit of a detector: matching, precision and recall, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
Reals = NDArray[np.float64]
OVERLAP = 0.5
OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # of AP50-95, as COCO has it
FALSE_ALARM, DOES_NOT_COUNT = -1, -2
CONFIDENCE = 0.95
AT_ONCE = 100  # resamples in one go, which bounds memory


def overlaps(first: Boxes, second: Boxes) -> Boxes:
    """Return intersection over union, (n, m), of boxes (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = [
        np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (first, second)
    ]
    union = areas[0][:, None] + areas[1][None] - common
    return np.asarray(common / np.maximum(union, 1e-9), np.float32)


def covered(first: Boxes, second: Boxes) -> Boxes:
    """Return the share of each of the first boxes (n, 4) that lies in the best second one, (n)."""
    if not len(second):
        return np.zeros(len(first), np.float32)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = np.clip(first[:, 2:] - first[:, :2], 0, None).prod(axis=1)
    shares = common / np.maximum(areas[:, None], 1e-9)
    return np.asarray(shares.max(axis=1), np.float32)


@dataclass(slots=True)
class Found:
    """Detections of one picture against its truth, best first.

    ``scores`` (n); ``matches`` (n): number of the truth box that each one found first, -1 for a
    false alarm, -2 for one in a region that does not count; ``wanted``: number of truth boxes.
    """

    scores: NDArray[np.float32]
    matches: NDArray[np.int64]
    wanted: int

    def part(self, truth: NDArray[np.bool_], alarms: NDArray[np.bool_]) -> Found:
        """Return the same for some of the truth boxes (m) and some of the false alarms (n).

        What found another truth box counts neither way.
        """
        matches = self.matches.copy()
        matches[(matches == FALSE_ALARM) & ~alarms] = DOES_NOT_COUNT
        hits = np.flatnonzero(matches >= 0)
        matches[hits[~truth[matches[hits]]]] = DOES_NOT_COUNT
        return Found(self.scores, matches, int(truth.sum()))

    def called(self, truth: NDArray[np.bool_], named: NDArray[np.bool_]) -> Found:
        """Return the same for one kind: its truth boxes (m) and what was called by its name (n).

        The right name on a camera of another kind is a false alarm, another name a miss.
        """
        matches = np.where(named, FALSE_ALARM, DOES_NOT_COUNT)
        matches[self.matches == DOES_NOT_COUNT] = DOES_NOT_COUNT
        hits = np.flatnonzero(named & (self.matches >= 0))
        right = hits[truth[self.matches[hits]]]
        matches[right] = self.matches[right]
        return Found(self.scores, matches, int(truth.sum()))


def match(
    boxes: Boxes,
    scores: NDArray[np.float32],
    truth: Boxes,
    ignored: Boxes,
    overlap: float = OVERLAP,
) -> Found:
    """Return which of the boxes (n, 4) are right: each truth box may be found once, at that IoU."""
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    matches = np.full(len(boxes), FALSE_ALARM, np.int64)
    table = overlaps(boxes, truth)
    inside = covered(boxes, ignored) > OVERLAP
    taken: set[int] = set()
    for number in range(len(boxes)):
        free = [t for t in range(len(truth)) if t not in taken and table[number, t] >= overlap]
        if free:
            best = max(free, key=lambda t: table[number, t])
            taken.add(best)
            matches[number] = best
        elif inside[number]:
            matches[number] = DOES_NOT_COUNT
    return Found(scores, matches, len(truth))


class Ranking:
    """The detections of many pictures in one order, best first, that any weighting can be put on.

    Weights are (r, p): how often each of p pictures counts in each of r resamples; one row of ones
    gives the plain figure. Detections that do not count are left out.
    """

    def __init__(self, found: Sequence[Found]) -> None:
        scores = np.concatenate([one.scores for one in found] or [np.zeros(0, np.float32)])
        matches = np.concatenate([one.matches for one in found] or [np.zeros(0, np.int64)])
        sizes = np.array([len(one.scores) for one in found], np.int64)
        owner = np.repeat(np.arange(len(found)), sizes)
        counts = matches != DOES_NOT_COUNT
        order = np.argsort(-scores[counts], kind="stable")
        self.scores = scores[counts][order]
        self.right = matches[counts][order] >= 0
        self.picture = owner[counts][order]
        self.wanted = np.array([one.wanted for one in found], np.float64)

    def once(self) -> Reals:
        """Return the weights (1, p) that count every picture once."""
        return np.ones((1, len(self.wanted)))

    def average_precision(self, weights: Reals) -> Reals:
        """Return the area under precision over recall, (r); not a number where none is wanted.

        All points count, and precision is made monotonous. What comes after the last camera that
        was found changes nothing.
        """
        wanted = weights @ self.wanted
        end = int(np.flatnonzero(self.right).max(initial=-1)) + 1
        each = weights[:, self.picture[:end]]
        hits = each * self.right[:end]
        precision = np.cumsum(hits, axis=1) / np.maximum(np.cumsum(each, axis=1), 1)
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        return _share((hits * precision).sum(axis=1), wanted)

    def recall(self, weights: Reals, threshold: float) -> Reals:
        """Return the share of the cameras found at a score of at least ``threshold``, (r)."""
        hits = self.right & (self.scores >= threshold)
        return _share(weights[:, self.picture] @ hits, weights @ self.wanted)

    def alarms(self, weights: Reals, threshold: float) -> Reals:
        """Return the false alarms per picture at ``threshold``, (r)."""
        wrong = ~self.right & (self.scores >= threshold)
        return _share(weights[:, self.picture] @ wrong, weights.sum(axis=1))

    def curve(self) -> tuple[Reals, Reals]:
        """Return recall and precision, (n) each, as the threshold falls."""
        right = np.cumsum(self.right)
        return right / max(self.wanted.sum(), 1), right / np.arange(1, len(right) + 1)

    def recall_at_alarms(self, per_picture: float) -> tuple[float, float]:
        """Return the best recall with at most so many false alarms a picture, and its threshold.

        Detections of one score stand or fall together, as a threshold cannot part them. The
        threshold is infinite if even the best score has too many.
        """
        allowed = per_picture * len(self.wanted) + 1e-9
        last = np.append(np.diff(self.scores) != 0, values=True)[: len(self.scores)]
        fits = np.flatnonzero(last & (np.cumsum(~self.right) <= allowed))
        if not fits.size:
            return 0.0, float("inf")
        right = int(self.right[: fits[-1] + 1].sum())
        return right / max(self.wanted.sum(), 1), float(self.scores[fits[-1]])


def _share(part: Reals, whole: Reals) -> Reals:
    shares: Reals = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def average_precision(found: Sequence[Found]) -> float:
    """Return the area under precision over recall; 0 where no camera is wanted."""
    ranking = Ranking(found)
    return float(np.nan_to_num(ranking.average_precision(ranking.once())[0]))


def resamples(pictures: int, count: int, seed: int) -> Reals:
    """Return the weights (count, pictures) of a bootstrap: pictures drawn with replacement."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(pictures, np.full(pictures, 1 / pictures), count).astype(np.float64)


def in_parts(figure: Callable[[Reals], Reals], weights: Reals) -> Reals:
    """Return a figure of many resamples, (r), made of a few at once."""
    starts = range(0, len(weights), AT_ONCE)
    return np.concatenate([figure(weights[start : start + AT_ONCE]) for start in starts])


def mean_average_precision(rankings: Sequence[Ranking], weights: Reals) -> Reals:
    """Return AP50-95, (r), from the rankings at each of OVERLAPS."""
    each = [ranking.average_precision(weights) for ranking in rankings]
    return np.asarray(np.mean(each, axis=0), np.float64)


def interval(values: Reals) -> tuple[float, float]:
    """Return the limits that hold 95 % of the values, those that are no number left out."""
    sure = values[~np.isnan(values)]
    if not sure.size:
        return float("nan"), float("nan")
    low, high = np.quantile(sure, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """Counts at one threshold."""

    threshold: float
    right: int
    wrong: int
    wanted: int

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
    wrong = sum(
        int(((one.matches == FALSE_ALARM) & (one.scores >= threshold)).sum()) for one in found
    )
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
