"""Which records are of one walk, which of one device? A likelihood ratio, learned elsewhere.

For each pair of records: how far apart, how many buckets apart, how long between their arrivals,
and how good each says that its receiver was. How much likelier each combination is among pairs that
belong together is counted in other towns; pairs above a threshold are joined, and what hangs
together is one walk (or device). The threshold is the one that does best in the other towns.
Arrival times are all that the burst attack has; here it has the places too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanner.core.privacy import COMMON_M, DAY_S
from tests.attack.table import Table

APART_M = np.array([50, 100, 200, 350, 600, 900, 1300, 2000, 3000, 4500.0])
ARRIVALS_S = np.array([10, 60, 600, 3600, 3 * 3600, *(DAY_S * np.array([0.5, 1, 2, 4, 8, 16]))])
BUCKETS = 3  # the same, the next, farther apart
BANDS = len(COMMON_M)
SHAPE = (len(APART_M) + 1, BUCKETS, len(ARRIVALS_S) + 1, BANDS * (BANDS + 1) // 2)
LEVELS = 24
CHUNK = 256

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """Pairs of records: the share of those claimed that is right, of the right ones claimed."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def _bins(table: Table) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """For rows from some number on, the bin of each of their pairs with all rows."""
    east, north = table.place_m.astype(np.float32).T
    for low in range(0, len(east), CHUNK):
        high = low + CHUNK
        apart2 = (east[low:high, None] - east) ** 2 + (north[low:high, None] - north) ** 2
        gap = np.abs(table.arrived_s[low:high, None] - table.arrived_s)
        buckets = np.minimum(np.abs(table.bucket[low:high, None] - table.bucket), BUCKETS - 1)
        number = np.digitize(apart2, APART_M.astype(np.float32) ** 2) * BUCKETS + buckets
        number = number * SHAPE[2] + np.digitize(gap, ARRIVALS_S)
        better = np.minimum(table.band[low:high, None], table.band)
        worse = np.maximum(table.band[low:high, None], table.band)
        yield low, (number * SHAPE[3] + worse * (worse + 1) // 2 + better).astype(np.int32)


class _Pairs:
    """The pairs of one table by bin."""

    def __init__(self, table: Table) -> None:
        self.count = len(table.walk)
        size = int(np.prod(SHAPE))
        self.all = np.zeros(size)
        first, second, bins = [], [], []
        for low, numbers in _bins(table):
            later = np.arange(self.count) > np.arange(low, low + len(numbers))[:, None]
            rows, columns = np.nonzero(later)
            chosen = numbers[rows, columns]
            self.all += np.bincount(chosen, minlength=size)
            first.append((rows + low).astype(np.int32))
            second.append(columns.astype(np.int32))
            bins.append(chosen)
        self.first, self.second, self.bins = map(np.concatenate, (first, second, bins))

    def same(self, labels: Labels) -> NDArray[np.float64]:
        """Pairs with equal labels, by bin."""
        together = self.bins[labels[self.first] == labels[self.second]]
        return np.bincount(together, minlength=len(self.all)).astype(float)


def _clusters(pairs: _Pairs, ratio: NDArray[np.float64]) -> Iterator[Labels]:
    """Records joined by ever weaker pairs: one labelling per level."""
    rank = np.empty(len(ratio), np.int16)  # level at which a bin is joined
    order = np.argsort(-ratio)
    grown = np.cumsum(pairs.all[order])
    # Beyond some 30 pairs per record everything hangs together.
    edges = np.geomspace(0.02, 30, LEVELS) * pairs.count
    rank[order] = np.searchsorted(edges, grown)
    level_of = rank[pairs.bins]
    within = level_of < LEVELS
    first, second, level_of = pairs.first[within], pairs.second[within], level_of[within]
    labels = np.arange(pairs.count)
    for level in range(LEVELS):
        labels = _join(labels, first[level_of == level], second[level_of == level])
        yield labels


def _join(labels: Labels, first: Labels, second: Labels) -> Labels:
    """Connected components after some more edges; each label is the least number in it."""
    while True:
        low = np.minimum(labels[first], labels[second])
        new = labels.copy()
        for ends in (first, second):
            np.minimum.at(new, labels[ends], low)
        new = new[new][labels] if len(first) else new
        if (new == labels).all():
            return labels
        labels = new


def score(claimed: Labels, true: Labels) -> Score:
    """Of two labellings, over all pairs of records."""

    def pairs(labels: Labels) -> float:
        counts = np.unique(labels, return_counts=True)[1].astype(float)
        return float((counts * (counts - 1)).sum() / 2)

    both = pairs(claimed * (true.max() + 1) + true)
    return Score(both / max(pairs(claimed), 1), both / max(pairs(true), 1))


def link(train: list[Table], test: list[Table], wanted: str = "walk") -> dict[str, Score]:
    """Mean scores in the towns of ``test`` of the linker that is best at ``wanted`` in ``train``.

    The records that it holds together are judged both as walks and as devices. A linker that is
    tuned for devices may do best by claiming that all records are of one: F1 0.10 among twenty.
    """
    learned = [_Pairs(t) for t in train]
    true = [getattr(t, wanted) for t in train]
    same = sum(p.same(t) for p, t in zip(learned, true, strict=True))
    every = sum(p.all for p in learned)
    ratio = (same + 0.02) / (every - same + 1)
    f1 = [
        [score(labels, t).f1 for labels in _clusters(p, ratio)]
        for p, t in zip(learned, true, strict=True)
    ]
    best = int(np.argmax(np.mean(f1, axis=0)))
    del learned
    claims = [
        next(labels for n, labels in enumerate(_clusters(_Pairs(t), ratio)) if n == best)
        for t in test
    ]
    return {
        what: _mean([score(c, getattr(t, what)) for c, t in zip(claims, test, strict=True)])
        for what in ("walk", "device")
    }


def _mean(scores: list[Score]) -> Score:
    return Score(
        float(np.mean([s.precision for s in scores])), float(np.mean([s.recall for s in scores]))
    )
