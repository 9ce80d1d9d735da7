"""How a map compares with the truth behind its records."""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.simulated.city import FALSE

MATCH_M: Final = 8.0
PUBLISHED: Final = 2  # reports from which a camera counts as published
Floats = NDArray[np.float64]


class Fused(msgspec.Struct, frozen=True):
    """What a method makes of some records: a place for each camera, a camera for each sighting.

    Sightings are numbered through all records in their order.
    """

    places: Floats  # (cameras, 2), east and north
    owner: tuple[int, ...]  # camera of each sighting


class Truth(msgspec.Struct, frozen=True):
    """Where the cameras are and which one each sighting shows, FALSE for a false alarm."""

    places: Floats  # (cameras, 2), east and north
    shown: tuple[int, ...]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one method on one set of records."""

    f1: float  # of cameras with two reports or more, matched one to one within 8 m
    precision: float
    recall: float
    pair_f1: float  # of pairs of sightings that are, and are said to be, of one camera
    count: float  # cameras said to be there over cameras that were seen
    count_published: float  # the same of those with two reports or more
    median_m: float  # distance of the matched ones
    p90_m: float
    us: float = 0.0  # CPU time per sighting


def score(fused: Fused, truth: Truth) -> Score:
    """Compare."""
    reports = Counter(fused.owner)
    sightings = Counter(t for t in truth.shown if t != FALSE)
    entries = [c for c, n in reports.items() if n >= PUBLISHED]
    real = [c for c, n in sightings.items() if n >= PUBLISHED]
    off = matched_m(truth.places[real], fused.places[entries])
    precision, recall = len(off) / max(1, len(entries)), len(off) / max(1, len(real))
    return Score(
        f1=_mean(precision, recall),
        precision=precision,
        recall=recall,
        pair_f1=pair_f1(fused.owner, truth.shown),
        count=len(reports) / max(1, len(sightings)),
        count_published=len(entries) / max(1, len(real)),
        median_m=float(np.median(off)) if off else math.nan,
        p90_m=float(np.quantile(off, 0.9)) if off else math.nan,
    )


def matched_m(true: Floats, found: Floats) -> list[float]:
    """Distances of the pairs matched one to one within 8 m, nearest first."""
    pairs = sorted(
        (d, i, j) for i, j in _near(true, found) if (d := math.dist(true[i], found[j])) <= MATCH_M
    )
    used_true, used_found, distances = set[int](), set[int](), list[float]()
    for d, i, j in pairs:
        if i not in used_true and j not in used_found:
            used_true.add(i)
            used_found.add(j)
            distances.append(d)
    return distances


def _near(true: Floats, found: Floats) -> Iterator[tuple[int, int]]:
    grid: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for j, (x, y) in enumerate(found):
        grid[int(x // MATCH_M), int(y // MATCH_M)].append(j)
    for i, (x, y) in enumerate(true):
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                for j in grid.get((int(x // MATCH_M) + dx, int(y // MATCH_M) + dy), ()):
                    yield i, j


def pair_f1(owner: Sequence[int], shown: Sequence[int]) -> float:
    """F1 over pairs of sightings; a false alarm is of no camera."""
    said = _pairs(owner)
    true = _pairs([s for s in shown if s != FALSE])
    both = _pairs([(o, s) for o, s in zip(owner, shown, strict=True) if s != FALSE])
    return 2 * both / max(1, said + true)


def _pairs(labels: Sequence[Hashable]) -> int:
    return sum(n * (n - 1) // 2 for n in Counter(labels).values())


def _mean(precision: float, recall: float) -> float:
    return 2 * precision * recall / max(1e-9, precision + recall)
