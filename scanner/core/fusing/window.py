"""The records of one window -> cameras, and what is known of each.

Whether a camera is there at all, and is there still, is judged by the records that show its
neighbours: they were in view of it. Withheld or hidden cameras make that weak evidence.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from scanner.core.fusing.association import Associator
from scanner.core.fusing.estimate import Estimator
from scanner.core.fusing.spots import NAMED, Frame, Mark, Pair, Pass, Spot, Symmetric
from scanner.core.fusing.vicinity import FLOOR_M2, Cell, Report, cells_near, common_m2, middle_of
from scanner.core.geometry import Origin
from scanner.core.wire import CameraEntry

NEAR_M: Final = 35.0  # round a cell, where records are assigned as carefully as in it
VIEW_M: Final = 12.0  # a record of a camera as near as this had a view of the other
TOLD_CHI2: Final = (
    6.0  # from this squared distance in sigmas on two cameras can be told apart: 95 %
)
TOLD_KIND: Final = 0.2  # or if this is the chance at most that they are of one kind
REAL: Final = 0.75  # share of what one record shows that is a camera
AGAIN: Final = 20.0  # how much likelier a second record shows a camera than a second false alarm
SEEN: Final = 0.5  # chance at most that a record of its neighbours would show it
GONE: Final = 0.05  # chance that a camera has gone, before anything is known
MANY: Final = 30  # pieces of evidence counted at most

_KINDS: Final = tuple(tuple(int(kind == k) for k in range(NAMED + 1)) for kind in range(NAMED + 1))

Name = tuple[str, int]  # record and index of the first mark of a camera


class Finding(msgspec.Struct, frozen=True):
    """One camera of a window."""

    members: tuple[Name, ...]  # sorted
    lat_deg: float
    lon_deg: float
    covariance: Symmetric  # square metres
    existence: float
    gone: float
    cluster: int


class Window:
    """The records that are put together at once, those of a cell and round it."""

    def __init__(self, reports: Iterable[Report], cell: Cell) -> None:
        self._origin = origin = middle_of(cell)
        self._reports = sorted(reports, key=lambda r: r.record_id)
        self._passes = {key: _pass(key, report, origin) for key, report in enumerate(self._reports)}
        for key, report in enumerate(self._reports):
            # Those farther out are there for comparison: they belong to other cells.
            self._passes[key].again = cell in cells_near(report.record, NEAR_M)
        spots = Associator(self._passes.values()).run()
        self._estimator = Estimator(self._passes.values())
        self._solved: dict[int, tuple[Pair, Symmetric]] = {}
        self._members = {spot.number: self._names(spot) for spot in spots}
        self._spots = {self._members[spot.number][0]: spot for spot in spots}

    def _names(self, spot: Spot) -> tuple[Name, ...]:
        return tuple(sorted((self._reports[k].record_id, i) for k, i in spot.seen.items()))

    def names(self, own: Collection[str]) -> Iterable[tuple[Name, Name]]:
        """Each mark of the records ``own``, with the name of the camera that it shows."""
        for key, report in enumerate(self._reports):
            if report.record_id in own:
                for index, spot in enumerate(self._passes[key].slots):
                    yield (report.record_id, index), self._members[spot.number][0]

    def finding(self, name: Name) -> Finding | None:
        """The camera of a name; None if no camera here has it."""
        spot = self._spots.get(name)
        if spot is None:
            return None
        if spot.number not in self._solved:
            for each, place, covariance in self._estimator.frame(spot.frame.spots):
                self._solved[each.number] = place, covariance
        (east, north), covariance = self._solved[spot.number]
        lat_deg, lon_deg = self._origin.geodetic_from_enu(east, north)
        existence, gone = self._there(spot)
        return Finding(
            members=self._members[spot.number],
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            covariance=covariance,
            existence=existence,
            gone=gone,
            cluster=_cluster(spot),
        )

    def _days(self, key: int) -> tuple[int, int]:
        """First and last day on which a record may have been made."""
        record = self._reports[key].record
        first = record.bucket * record.bucket_days
        return first, first + record.bucket_days - 1

    def _there(self, spot: Spot) -> tuple[float, float]:
        """Chance that a camera is or was there, and that it has gone since."""
        last = max(self._days(key)[1] for key in spot.seen)
        without: set[int] = set()
        for other in spot.frame.spots:
            if _apart(spot, other) <= VIEW_M and not other.seen.keys().isdisjoint(spot.seen):
                without |= other.seen.keys() - spot.seen.keys()
        later = sum(self._days(key)[0] > last for key in without)
        before = len(without) - later
        # Beta(1, 1) before anything is known of how often it is seen.
        seen = min(SEEN, (len(spot.seen) + 1) / (len(spot.seen) + before + 2))
        odds = REAL / (1 - REAL) * AGAIN ** min(MANY, len(spot.seen) - 1)
        odds *= (1 - seen) ** min(MANY, len(without))
        stays = (1 - seen) ** min(MANY, later)
        gone = GONE / (GONE + (1 - GONE) * stays) if stays < 1 else 0.0
        return odds / (1 + odds), gone


def alone(members: Sequence[tuple[Report, int]], origin: Origin) -> Finding:
    """A camera of these members, from nothing but them; they are of different records."""
    spot = Spot(0, Frame())
    passes: dict[int, Pass] = {}
    for key, (report, index) in enumerate(members):
        whole = _pass(key, report, origin)
        passes[key] = Pass(key, [whole.marks[index]], whole.variance, whole.drift)
        passes[key].slots = [spot]
        spot.seen[key] = 0
    ((_, place, covariance),) = Estimator(passes.values()).frame([spot])
    lat_deg, lon_deg = origin.geodetic_from_enu(*place)
    odds = REAL / (1 - REAL) * AGAIN ** min(MANY, len(members) - 1)
    return Finding(
        members=tuple(sorted((report.record_id, index) for report, index in members)),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        covariance=covariance,
        existence=odds / (1 + odds),
        gone=0.0,
        cluster=1,
    )


def _pass(key: int, report: Report, origin: Origin) -> Pass:
    variance = max(FLOOR_M2, common_m2(report.record))
    marks = [_mark(entry, origin) for entry in report.record.cameras]
    return Pass(key, marks, variance, variance)


def _mark(entry: CameraEntry, origin: Origin) -> Mark:
    east, north = origin.enu_from_geodetic(entry.lat_e7 / 1e7, entry.lon_e7 / 1e7)
    covariance = (
        entry.ee_cm2 / 1e4 + FLOOR_M2,
        entry.en_cm2 / 1e4,
        entry.nn_cm2 / 1e4 + FLOOR_M2,
    )
    return Mark(east, north, covariance, _KINDS[entry.kind])


def _apart(one: Spot, other: Spot) -> float:
    """Distance of two cameras of a frame, metres; infinite from itself."""
    if one is other:
        return math.inf
    return math.hypot(one.east - other.east, one.north - other.north)


def _cluster(spot: Spot) -> int:
    """How many cameras there are that cannot be told from this one, itself included."""
    found, edge = {spot.number}, [spot]
    while edge:
        here = edge.pop()
        for other in here.frame.spots:
            if other.number not in found and _alike(here, other):
                found.add(other.number)
                edge.append(other)
    return len(found)


def _alike(one: Spot, other: Spot) -> bool:
    """Whether two cameras could be mistaken for each other: their records may be swapped."""
    if len(one.seen) < 2 or len(other.seen) < 2:  # noqa: PLR2004 - one record has no other
        return False
    de, dn = other.east - one.east, other.north - one.north
    # One record's errors, not those of the mean, decide what is mistaken.
    reports = min(len(one.seen), len(other.seen))
    (aee, aen, ann), (bee, ben, bnn) = one.covariance, other.covariance
    ee, en, nn = ((x + y) * reports / 2 for x, y in ((aee, bee), (aen, ben), (ann, bnn)))
    chi2 = (nn * de * de - 2 * en * de * dn + ee * dn * dn) / (ee * nn - en * en)
    same = sum(x * y for x, y in zip(one.shares, other.shares, strict=True))
    return chi2 < TOLD_CHI2 and same > TOLD_KIND
