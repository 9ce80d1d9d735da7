"""Sightings, and the cameras that are put together from them, in metres east and north.

Plain numbers in place of arrays: a window holds thousands of 2 x 2 matrices, each used once.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

KIND_RIGHT: Final = 0.8  # how often the detector names the right kind
NAMED: Final = 4  # kinds that have a name; code 0 is the unknown one
WRONG: Final = (1 - KIND_RIGHT) / (NAMED - 1)
LOG_RIGHT: Final = math.log(KIND_RIGHT)
LOG_WRONG: Final = math.log(WRONG)
# A walk's error changes on its way: a receiver keeps it for about a minute, here at walking pace.
MEMORY_M: Final = 84.0

Pair = tuple[float, float]
Symmetric = tuple[float, float, float]  # east-east, east-north, north-north


def inverse(matrix: Symmetric) -> Symmetric:
    """Inverse of a symmetric 2 x 2 matrix."""
    ee, en, nn = matrix
    scale = 1 / (ee * nn - en * en)
    return nn * scale, -en * scale, ee * scale


def drift_m2(variance: float, apart_m: float) -> float:
    """Variance by which the errors of one walk differ at two places, per axis."""
    return 2 * variance * (1 - math.exp(-apart_m / MEMORY_M))


class Mark:
    """One camera of one record: its place, its own covariance, how often each kind was named."""

    __slots__ = ("covariance", "east", "kind", "kinds", "north", "weight")

    def __init__(
        self, east: float, north: float, covariance: Symmetric, kinds: Sequence[int]
    ) -> None:
        self.east, self.north = east, north
        self.covariance = covariance
        self.weight = inverse(covariance)
        self.kinds = kinds
        self.kind = kinds.index(1) if sum(kinds) == 1 else None  # if one was named, once


class Pass:
    """One record: its marks, the variance of the error they share, and what they were taken for."""

    __slots__ = ("again", "biases", "drift", "key", "marks", "order", "slots", "sure", "variance")

    def __init__(self, key: int, marks: Sequence[Mark], variance: float, drift: float) -> None:
        self.key = key
        self.marks = marks
        self.variance = variance
        self.order = _along(marks)
        self.drift = drift  # variance of the part of the error that changes on the way
        self.again = True  # whether it may be assigned a second time
        self.sure = False  # whether nothing but what it was taken for is likely
        self.slots: list[Spot] = []
        self.biases: list[Pair] = []  # the record's error at each mark, seen from its frame

    def drift_m2(self, one: int, other: int) -> float:
        """Variance by which the errors at two of its marks differ, per axis."""
        a, b = self.marks[one], self.marks[other]
        return drift_m2(self.drift, math.hypot(a.east - b.east, a.north - b.north))


def _along(marks: Sequence[Mark]) -> list[int]:
    """The marks from one end to the other, about as they were passed."""
    count = len(marks)
    if count == 1:
        return [0]
    east, north = sum(m.east for m in marks) / count, sum(m.north for m in marks) / count
    ee = sum((m.east - east) ** 2 for m in marks)
    nn = sum((m.north - north) ** 2 for m in marks)
    en = sum((m.east - east) * (m.north - north) for m in marks)
    angle = math.atan2(2 * en, ee - nn) / 2
    ce, cn = math.cos(angle), math.sin(angle)
    return sorted(range(count), key=lambda i: (ce * marks[i].east + cn * marks[i].north, i))


class Frame:
    """Cameras tied together by records; their places are known up to one common shift.

    ``shift`` leads from the frame to the ground, with variance ``loose_m2`` per axis: the mean
    error of its records is taken to vanish.
    """

    __slots__ = ("_east", "_north", "_weight", "loose_m2", "shift", "spots")

    def __init__(self) -> None:
        self.spots: list[Spot] = []
        self.shift = (0.0, 0.0)
        self.loose_m2 = math.inf
        self._weight = self._east = self._north = 0.0  # of the errors of its records

    def count(self, record: Pass, sign: float = 1.0) -> None:
        """Let the error of a record weigh in, or out again."""
        weight = sign / record.variance
        share = weight / len(record.biases)
        self._weight += weight
        self._east += share * sum(b[0] for b in record.biases)
        self._north += share * sum(b[1] for b in record.biases)
        if self._weight < 1e-9:  # noqa: PLR2004 - nothing left but rounding
            self._weight = self._east = self._north = 0.0
            self.shift, self.loose_m2 = (0.0, 0.0), math.inf
        else:
            self.loose_m2 = 1 / self._weight
            self.shift = self._east / self._weight, self._north / self._weight


class Spot:
    """A camera while it is put together, in the frame it hangs in."""

    __slots__ = (
        *(
            "_costs",
            "_he",
            "_hn",
            "_shares",
            "_weight",
            "cell",
            "covariance",
            "east",
            "frame",
            "kinds",
        ),
        *("north", "number", "seen"),
    )

    def __init__(self, number: int, frame: Frame) -> None:
        self.number = number
        self.frame = frame
        self.seen: dict[int, int] = {}  # index of its mark by record
        self.kinds = [0] * (NAMED + 1)
        self.cell: tuple[int, int] | None = None
        self.east = self.north = 0.0
        self.covariance: Symmetric = (1.0, 0.0, 1.0)
        self._weight: Symmetric = (0.0, 0.0, 0.0)
        self._he = self._hn = 0.0
        self._shares: list[float] | None = None
        self._costs: dict[int, float] = {}

    def learn(self, mark: Mark, bias: Pair, sign: int = 1) -> None:
        """Learn from a mark with its record's error removed, or forget it again."""
        ee, en, nn = mark.weight
        east, north = mark.east - bias[0], mark.north - bias[1]
        wee, wen, wnn = self._weight
        self._weight = wee + sign * ee, wen + sign * en, wnn + sign * nn
        self._he += sign * (ee * east + en * north)
        self._hn += sign * (en * east + nn * north)
        for kind, times in enumerate(mark.kinds):
            self.kinds[kind] += sign * times
        self._shares = None
        self._costs = {}

    def move(self, step: Pair) -> None:
        """Hang it elsewhere."""
        ee, en, nn = self._weight
        self._he += ee * step[0] + en * step[1]
        self._hn += en * step[0] + nn * step[1]
        self.settle()

    def settle(self) -> None:
        """Work out place and covariance within the frame."""
        self.covariance = ee, en, nn = inverse(self._weight)
        self.east = ee * self._he + en * self._hn
        self.north = en * self._he + nn * self._hn

    @property
    def shares(self) -> list[float]:
        """Probability of each named kind."""
        if self._shares is None:
            self._shares = kind_shares(self.kinds)
        return self._shares

    def kind_cost(self, mark: "Mark") -> float:
        """-2 ln of how much likelier the kinds named by a mark are of this camera than of any."""
        if mark.kind is None:
            return kind_cost(self.shares, mark.kinds)
        cost = self._costs.get(mark.kind)
        if cost is None:
            cost = self._costs[mark.kind] = kind_cost(self.shares, mark.kinds)
        return cost


def kind_shares(seen: Sequence[int]) -> list[float]:
    """Probability of each named kind after each was named so often; ``seen[0]``: unnamed."""
    total = sum(seen[1:])
    logs = [n * LOG_RIGHT + (total - n) * LOG_WRONG for n in seen[1:]]
    top = max(logs)
    weights = [math.exp(value - top) for value in logs]
    whole = sum(weights)
    return [weight / whole for weight in weights]


def kind_cost(shares: Sequence[float], named: Sequence[int]) -> float:
    """-2 ln of how much likelier the kinds named are of this camera than of any."""
    told = [kind for kind in range(1, NAMED + 1) if named[kind]]
    if not told:
        return 0.0
    if len(told) == 1 and named[told[0]] == 1:
        share = shares[told[0] - 1]
        return -2 * math.log((share * KIND_RIGHT + (1 - share) * WRONG) * NAMED)
    other = kind_shares(named)
    return -2 * math.log(NAMED * sum(x * y for x, y in zip(shares, other, strict=True)))


def offset(record: Pass, choice: Iterable[Spot | None], frame: Frame) -> Pair:
    """Weighted mean of where a record has the cameras of a frame, less where they are in it."""
    wee = wen = wnn = he = hn = 0.0
    for mark, spot in zip(record.marks, choice, strict=True):
        if spot and spot.frame is frame:
            ee, en, nn = inverse(_sum(mark.covariance, spot.covariance))
            east, north = mark.east - spot.east, mark.north - spot.north
            wee, wen, wnn = wee + ee, wen + en, wnn + nn
            he, hn = he + ee * east + en * north, hn + en * east + nn * north
    ee, en, nn = inverse((wee, wen, wnn))
    return ee * he + en * hn, en * he + nn * hn


def biases(record: Pass, choice: Sequence[Spot | None], frame: Frame) -> list[Pair]:
    """The record's error at each of its marks, seen from a frame in which it shows cameras.

    Each camera tells it where it hangs, and less surely elsewhere; nothing tells: the mean.
    """
    east, north = frame.shift
    matched = [
        (i, record.marks[i], spot) for i, spot in enumerate(choice) if spot and spot.frame is frame
    ]
    if not matched:
        return [(east, north)] * len(record.marks)
    if len(record.marks) == 1:
        return [_only(record, matched[0][2], frame)]
    prior = 1 / (record.variance + frame.loose_m2)
    found: list[Pair] = []
    for here in range(len(record.marks)):
        wee = wnn = prior
        wen = 0.0
        he, hn = prior * east, prior * north
        for there, mark, spot in matched:
            ee, en, nn = _sum(mark.covariance, spot.covariance)
            q = record.drift_m2(here, there) if here != there else 0.0
            ee, en, nn = inverse((ee + q, en, nn + q))
            de, dn = mark.east - spot.east, mark.north - spot.north
            wee, wen, wnn = wee + ee, wen + en, wnn + nn
            he, hn = he + ee * de + en * dn, hn + en * de + nn * dn
        ee, en, nn = inverse((wee, wen, wnn))
        found.append((ee * he + en * hn, en * he + nn * hn))
    return found


def _only(record: Pass, spot: Spot, frame: Frame) -> Pair:
    """The record's error at its only mark."""
    (mark,) = record.marks
    free = record.variance + frame.loose_m2
    (mee, men, mnn), (pee, pen, pnn) = mark.covariance, spot.covariance
    ee, en, nn = inverse((mee + pee + free, men + pen, mnn + pnn + free))
    east, north = frame.shift
    de, dn = mark.east - spot.east - east, mark.north - spot.north - north
    return east + free * (ee * de + en * dn), north + free * (en * de + nn * dn)


def _sum(a: Symmetric, b: Symmetric) -> Symmetric:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]
