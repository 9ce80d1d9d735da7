"""Where the cameras of one frame are, all at once.

Sighting i of record r shows camera c: z_i = x_c + b_ri + noise, the error b of the record normal
about nothing and the more alike the nearer two sightings lie. With the errors integrated out each
record adds its information to one dense system of two unknowns per camera, whose inverse holds the
covariances.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanner.core.fusing.spots import MEMORY_M, Mark, Pair, Pass, Spot, Symmetric, inverse

Floats = NDArray[np.float64]
Told = tuple[Floats, Floats]  # information (2 m, 2 m) and the same times the places (2 m)

BLOCK: Final = 64  # cameras solved at once
MISSTATED: Final = 0.25  # log-normal sigma of the factor between stated and true errors


class Estimator:
    """Places and covariances of cameras from the records that show them."""

    def __init__(self, records: Iterable[Pass]) -> None:
        self._records = {record.key: record for record in records}
        by_size: defaultdict[int, list[Pass]] = defaultdict(list)
        for record in self._records.values():
            by_size[len(record.marks)].append(record)
        self._told: dict[int, Told] = {}
        for size, same in by_size.items():
            if size > 1:
                told = _told([(record, record.marks) for record in same])
                self._told |= zip((record.key for record in same), told, strict=True)

    def frame(self, spots: Sequence[Spot]) -> list[tuple[Spot, Pair, Symmetric]]:
        """Place, metres east and north, and covariance of every camera of a frame.

        Frames of more than 64 cameras are cut at their widest gaps, and a record that spans a cut
        counts on either side.
        """
        found: list[tuple[Spot, Pair, Symmetric]] = []
        for block in _blocks(sorted(spots, key=lambda s: s.number)):
            if len(block) == 1:
                found.append((block[0], *self._single(block[0])))
            else:
                found += self._several(block)
        return found

    def _single(self, spot: Spot) -> tuple[Pair, Symmetric]:
        wee = wen = wnn = he = hn = 0.0
        keys = sorted(spot.seen)
        for key, trust in zip(keys, self._trusts(keys), strict=True):
            record = self._records[key]
            mark = record.marks[spot.seen[key]]
            ee, en, nn = mark.covariance
            free = record.variance / trust
            ee, en, nn = inverse((ee + free, en, nn + free))
            wee, wen, wnn = wee + ee, wen + en, wnn + nn
            he, hn = he + ee * mark.east + en * mark.north, hn + en * mark.east + nn * mark.north
        ee, en, nn = inverse((wee, wen, wnn))
        return (ee * he + en * hn, en * he + nn * hn), (ee, en, nn)

    def _several(self, spots: Sequence[Spot]) -> list[tuple[Spot, Pair, Symmetric]]:
        slots = {spot.number: i for i, spot in enumerate(spots)}
        matrix = np.zeros((2 * len(spots), 2 * len(spots)))
        right = np.zeros(2 * len(spots))
        keys = sorted({key for spot in spots for key in spot.seen})
        for key, trust in zip(keys, self._trusts(keys), strict=True):
            record = self._records[key]
            shown = [i for i, spot in enumerate(record.slots) if spot.number in slots]
            information, pull = self._of(record, shown)
            rows = [2 * slots[record.slots[i].number] + axis for i in shown for axis in (0, 1)]
            right[rows] += trust * pull
            matrix[np.array(rows)[:, None], rows] += trust * information
        covariance = np.linalg.inv(matrix)
        places = (covariance @ right).tolist()
        each = range(0, 2 * len(spots), 2)
        return [
            (
                spot,
                (places[i], places[i + 1]),
                (
                    float(covariance[i, i]),
                    float(covariance[i, i + 1] + covariance[i + 1, i]) / 2,
                    float(covariance[i + 1, i + 1]),
                ),
            )
            for spot, i in zip(spots, each, strict=True)
        ]

    def _trusts(self, keys: Sequence[int]) -> list[float]:
        """By how much each record's variance is overstated, going by the others.

        What receivers state of themselves is off by some factor. As far as no more than that is
        between them, they are taken to be alike (shrinkage, W. James and C. Stein, 1961).
        """
        if len(keys) < 3:  # noqa: PLR2004 - nothing to go by
            return [1.0] * len(keys)
        logs = [math.log(self._records[key].variance) / 2 for key in keys]
        middle = sum(logs) / len(logs)
        spread = sum((value - middle) ** 2 for value in logs) / (len(logs) - 1)
        alike = min(1.0, MISSTATED**2 / spread) if spread > 0 else 1.0
        return [math.exp(2 * alike * (value - middle)) for value in logs]

    def _of(self, record: Pass, shown: Sequence[int]) -> Told:
        """What a record tells of some of its cameras."""
        if len(shown) > 1:
            if len(shown) == len(record.marks):
                return self._told[record.key]
            return _told([(record, [record.marks[i] for i in shown])])[0]
        mark = record.marks[shown[0]]
        ee, en, nn = mark.covariance
        ee, en, nn = inverse((ee + record.variance, en, nn + record.variance))
        pull = np.array([ee * mark.east + en * mark.north, en * mark.east + nn * mark.north])
        return np.array([[ee, en], [en, nn]]), pull


def _blocks(spots: list[Spot]) -> list[list[Spot]]:
    if len(spots) <= BLOCK:
        return [spots]
    easts, norths = [s.east for s in spots], [s.north for s in spots]
    wide = max(easts) - min(easts) > max(norths) - min(norths)
    line = sorted(spots, key=lambda s: (s.east if wide else s.north, s.number))
    ways = [s.east if wide else s.north for s in line]
    middle = range(len(line) // 4 + 1, len(line) * 3 // 4)
    cut = max(middle, key=lambda i: (ways[i] - ways[i - 1], -i))
    return [*_blocks(line[:cut]), *_blocks(line[cut:])]


def _told(records: Sequence[tuple[Pass, Sequence[Mark]]]) -> list[Told]:
    """What records tell that show equally many cameras, one by one.

    Each matrix is inverted by itself: a stack of them may round differently.
    """
    count = len(records[0][1])
    places = np.array([[(m.east, m.north) for m in marks] for _, marks in records])
    drift = np.array([record.drift for record, _ in records])[:, None, None]
    fixed = np.array([record.variance - record.drift for record, _ in records])[:, None, None]
    apart = places[:, :, None, :] - places[:, None, :, :]
    far = np.sqrt(apart[..., 0] ** 2 + apart[..., 1] ** 2)
    shared = fixed + drift * np.exp(-far / MEMORY_M)
    noise = np.zeros((len(records), count, 2, count, 2))
    noise[:, :, 0, :, 0] = noise[:, :, 1, :, 1] = shared
    own = np.array([[m.covariance for m in marks] for _, marks in records])
    each = np.arange(count)
    noise[:, each, 0, each, 0] += own[:, :, 0]
    noise[:, each, 0, each, 1] += own[:, :, 1]
    noise[:, each, 1, each, 0] += own[:, :, 1]
    noise[:, each, 1, each, 1] += own[:, :, 2]
    told: list[Told] = []
    for matrix, place in zip(noise.reshape(-1, 2 * count, 2 * count), places, strict=True):
        information = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        told.append((information, information @ place.ravel()))
    return told
