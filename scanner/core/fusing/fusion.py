"""Records of many passes -> cameras.

The result depends on the set of records only, neither on their order nor on what was there before.
The ground is divided into cells of 700 m. The records of a cell and those round it are put together
(``association.py``), and that decides for the records of the cell which camera each of their marks
shows. So what a new record can change lies within a few hundred metres, however far cameras chain
through a town, and the map can be made anew piece by piece.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from scanner.core.fusing.spots import kind_shares as shares_of
from scanner.core.fusing.vicinity import (
    HALO_M,
    Cell,
    Report,
    box_of,
    cell_of,
    cells_near,
    middle_of,
)
from scanner.core.fusing.window import Finding, Name, Window, alone
from scanner.core.wire import KIND_CODES, CameraEntry
from scanner.records import Covariance, Kind

SPAN_M: Final = 170.0  # between the records of one camera: each within reach of its first one
CELL_M: Final = 710.0  # side of a cell, at least
_NAMED: Final = tuple(kind for kind in KIND_CODES if kind is not Kind.UNKNOWN)
Box = tuple[float, float, float, float]  # west, south, east, north, degrees


class Member(msgspec.Struct, frozen=True, order=True):
    """One camera of one record."""

    number: int
    record_id: str
    index: int


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """What the records say of one camera."""

    members: tuple[Member, ...]  # first to arrive at the front: it gives the camera its name
    kind: Kind
    kind_share: float  # probability of that kind, 0 to 1
    lat_deg: float
    lon_deg: float
    covariance: Covariance
    height_m: float | None
    first_day: int  # days since 1970
    last_day: int
    cluster: int = 1  # cameras here that cannot be told from one another, this one included
    existence: float = 1.0  # probability that there is, or was, a camera at all
    gone: float = 0.0  # probability that it has gone since it was last seen

    @property
    def reports(self) -> int:
        """Number of records that show it."""
        return len(self.members)

    @property
    def sigma_m(self) -> float:
        """1 sigma of the position per axis: root of the mean variance."""
        return math.sqrt((self.covariance.ee + self.covariance.nn) / 2)


class Patch(msgspec.Struct, frozen=True):
    """A piece of the map, made anew."""

    cameras: tuple[Camera, ...]  # in place of all those in which these marks have a part:
    marks: frozenset[Name]


def fuse(reports: Iterable[Report]) -> tuple[Camera, ...]:
    """The cameras of all reports, in order of their names.

    Independent of the order of ``reports``; each report may be given once.
    """
    reports = list(reports)
    around: defaultdict[Cell, list[Report]] = defaultdict(list)
    for report in reports:
        for cell in cells_near(report.record):
            around[cell].append(report)
    cameras = _fuse(around, {cell_of(r.record) for r in reports})
    return tuple(sorted(cameras, key=lambda camera: camera.members[0]))


def patch(
    fresh: Iterable[Report],
    fetch: Callable[[Box], Iterable[Report]],
    kept: Callable[[Iterable[int]], Iterable[Camera]],
    bound: Callable[[Box], Iterable[Iterable[Name]]] = lambda _: (),
) -> Patch:
    """What some reports that are new, or no longer count, change.

    ``fetch`` gives the reports of a box, those that are new included, those that no longer count
    left out; more than asked for does no harm. ``kept`` gives the cameras of the map as it is in
    which the records of these numbers have a part, and ``bound`` the marks in a box that each
    merge or split of a reviewer speaks of: the map as it is may hold two cameras as one, or one as
    two. The map that comes of it is the one that ``fuse`` makes of all reports.
    """
    fresh = list(fresh)
    touched = {cell for report in fresh for cell in cells_near(report.record)}
    if not touched:
        return Patch((), frozenset())
    ground = set(touched)
    while True:
        box = box_of(ground, 2 * SPAN_M + CELL_M + HALO_M)
        found = {r.number: r for r in fetch(box)}
        cameras = _around(found.values(), ground)
        first = [*fresh, *(r for r in found.values() if cell_of(r.record) in touched)]
        there = {r.record_id: r for r in (*fresh, *found.values())}
        marks = _linked(first, there, [_names(c) for c in cameras] + [*bound(box)], kept)
        linked = [there[record_id].record for record_id in {r for r, _ in marks} & there.keys()]
        # Reviewers may have made one camera of many: a mark far out is of one not yet seen whole.
        far = {cell_of(r) for r in linked if not cells_near(r, SPAN_M) & ground}
        if not far:
            break
        ground |= far
    made = [c for c in cameras if not marks.isdisjoint(_names(c))]
    return Patch(tuple(sorted(made, key=lambda c: c.members[0])), frozenset(marks))


def _around(reports: Iterable[Report], ground: set[Cell]) -> list[Camera]:
    """The cameras on some cells and round them.

    Those of which a part lies within SPAN_M of these cells are whole.
    """
    reports = list(reports)
    wanted = {cell_of(r.record) for r in reports if cells_near(r.record, 2 * SPAN_M) & ground}
    around: defaultdict[Cell, list[Report]] = defaultdict(list)
    for report in reports:
        for cell in cells_near(report.record) & wanted:
            around[cell].append(report)
    return _fuse(around, wanted)


def _linked(
    first: Iterable[Report],
    there: Mapping[str, Report],
    groups: Iterable[Iterable[Name]],
    kept: Callable[[Iterable[int]], Iterable[Camera]],
) -> set[Name]:
    """The marks of some records and all that hang together with them, by groups or cameras kept.

    Not all marks of a record: its other cameras are others, and may lie where nothing is made anew.
    """
    of: defaultdict[Name, list[list[Name]]] = defaultdict(list)

    def note(group: list[Name]) -> None:
        for mark in group:
            of[mark].append(group)

    for group in groups:
        note([mark for mark in group if mark[0] in there])
    numbers = {record_id: report.number for record_id, report in there.items()}
    asked: set[int] = set()
    marks: set[Name] = set()
    edge = {(r.record_id, i) for r in first for i in range(len(r.record.cameras))}
    while edge:
        marks |= edge
        asking = {numbers[record_id] for record_id, _ in edge} - asked
        asked |= asking
        for camera in kept(asking):
            numbers |= {m.record_id: m.number for m in camera.members}
            note(_names(camera))
        edge = {other for mark in edge for group in of[mark] for other in group} - marks
    return marks


def _names(camera: Camera) -> list[Name]:
    return [(member.record_id, member.index) for member in camera.members]


def _fuse(around: Mapping[Cell, Sequence[Report]], cells: Iterable[Cell]) -> list[Camera]:
    """The cameras of the records of some cells; ``around`` each the records of its window."""
    windows: dict[Cell, Window] = {}
    marks: defaultdict[Name, list[Name]] = defaultdict(list)
    reports: dict[str, Report] = {}
    home: dict[str, Cell] = {}
    for cell in sorted(cells):
        windows[cell] = window = Window(around[cell], cell)
        own = {r.record_id: r for r in around[cell] if cell_of(r.record) == cell}
        reports |= own
        home |= dict.fromkeys(own, cell)
        for mark, name in window.names(own.keys()):
            marks[name].append(mark)
    cameras = []
    for name, members in marks.items():
        members.sort()
        cell = home[members[0][0]]
        finding = windows[cell].finding(name)
        if finding is None or finding.members != tuple(members):
            # Two windows do not agree who belongs to it: what it has is all that is known.
            finding = alone([(reports[r], i) for r, i in members], middle_of(cell))
        cameras.append(_camera(finding, reports))
    return cameras


def _camera(finding: Finding, reports: Mapping[str, Report]) -> Camera:
    shown = [(reports[record_id], index) for record_id, index in finding.members]
    entries = [report.record.cameras[index] for report, index in shown]
    seen = Counter(KIND_CODES[entry.kind] for entry in entries)
    kind, share = max(kind_shares(seen).items(), key=lambda item: item[1])
    named = any(k is not Kind.UNKNOWN for k in seen)
    days = [report.record.bucket * report.record.bucket_days for report, _ in shown]
    return Camera(
        members=tuple(sorted(Member(report.number, report.record_id, i) for report, i in shown)),
        kind=kind if named else Kind.UNKNOWN,
        kind_share=round(share, 6),
        lat_deg=finding.lat_deg,
        lon_deg=finding.lon_deg,
        covariance=Covariance(*finding.covariance),
        height_m=_height_m(entries),
        first_day=min(days),
        last_day=max(days),
        cluster=finding.cluster,
        existence=round(finding.existence, 6),
        gone=round(finding.gone, 6),
    )


def kind_shares(seen: Counter[Kind]) -> dict[Kind, float]:
    """Probability of each kind after it was named so many times; all alike before."""
    shares = shares_of([seen[kind] for kind in KIND_CODES])
    return dict(zip(_NAMED, shares, strict=True))


def _height_m(entries: Sequence[CameraEntry]) -> float | None:
    """Median of the heights known: one pass with a wrong pitch must not move it."""
    heights = sorted(e.height_dm for e in entries if e.height_dm is not None)
    if not heights:
        return None
    n = len(heights)
    return (heights[n // 2] + heights[(n - 1) // 2]) / 20
