"""What waits for a person, ordered by what a decision changes most.

The gain of an item is the uncertainty of the claim in bits times how much hangs on it. How likely
a camera is there is read off the study of poisoned maps: of what one party reports three quarters
are cameras, of what two report nearly all; that one party reports it again says little. What hangs
on it: how many pass there (reports), how far it is from being published by itself, and whether it
is the only camera of its corner, since then a route past it is taken to be free of cameras.
"""

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.geometry import Origin, distance_m
from scanner.core.reviewing.decisions import KIND_SHARE
from scanner.core.reviewing.reviewlog import Tag, Word, anchor_of, is_private, standing
from scanner.core.reviewing.tombstones import DEGREE_M
from scanner.core.wire import Band, Status
from scanner.hub.features import PUBLIC, Policy
from scanner.hub.stores.protocol import Action, Box, Shown, Store, Stored
from scanner.records import Kind

EVERY: Final[tuple[Status, ...]] = ("candidate", "confirmed", "gone", "rejected")
WATCHED: Final[tuple[Status, ...]] = ("candidate", "rejected", "gone")
ONE_PARTY: Final = 1.05  # log odds that what one party reports is a camera: 0.74
ANOTHER_PARTY: Final = 1.5  # added by each further one
AGAIN: Final = 0.35  # by each doubling of the reports
CORNER_M: Final = 25.0  # cameras so near are met together
SAME_M: Final = 10.0  # two cameras farther apart are not called one
BIAS_M: Final = 4.0  # by which passes may differ beyond what they say: fusion has used up the rest
KNOWN_M: Final = 15.0  # another map's camera so near may be this one
PAGE: Final = 2_000
SCAN: Final = 20_000  # rows looked at in one go
CLOSER: Final = 4  # times as many rows as asked for are looked at closely
NEAR_MAX: Final = 12
_TYPICAL: Final[dict[Band, int]] = {"1": 1, "2": 2, "3-5": 4, "6+": 8}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to decide."""

    feature: msgspec.Raw  # JSON of the wire.CameraFeature
    gain: float
    reasons: list[str]
    near: list[str]  # ids of the cameras round it, nearest first; a suspected double is the first

    @property
    def id(self) -> str:
        """The camera's."""
        return msgspec.json.decode(self.feature, type=_Named).id


class _Named(msgspec.Struct):
    id: str


class _Row(msgspec.Struct, frozen=True):
    """What is remembered of a camera that may have to be looked at."""

    lat_deg: float
    lon_deg: float
    promise: float  # the gain as far as it can be told from the projection


class Queue:
    """Looks through the map in pieces and remembers what may be worth a person's time."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._rows: dict[str, _Row] = {}
        self._fresh: dict[str, _Row] = {}  # of the look through that is under way
        self._after: str | None = None
        self._version = ""

    def items(self, limit: int) -> list[Item]:
        """The first ``limit`` of the queue."""
        self._look()
        rows = self._rows | self._fresh
        first = sorted(rows, key=lambda i: (-rows[i].promise, i))[: limit * CLOSER]
        stored = (self._store.camera(camera_id) for camera_id in first)
        found = [item for s in stored if s and (item := self.item(s)).gain > 0]
        return sorted(found, key=lambda item: (-item.gain, item.id))[:limit]

    def look_again(self, box: Box) -> None:
        """Forget what was remembered of a box: it has changed."""
        for rows in (self._rows, self._fresh):
            for camera_id in [i for i, row in rows.items() if _inside(row, box)]:
                del rows[camera_id]
        self._fresh |= self._worth(self._store.shown(box, statuses=EVERY))

    def _look(self) -> None:
        """Go on looking through the map, from the start if it has changed since."""
        version = self._store.private_version()
        if self._after is None and version == self._version:
            return
        self._version = version if self._after is None else self._version
        for _ in range(SCAN // PAGE):
            page = self._store.shown(None, statuses=EVERY, limit=PAGE, after_id=self._after)
            self._fresh |= self._worth(page)
            if len(page) < PAGE:
                self._rows, self._fresh, self._after = self._fresh, {}, None
                return
            self._after = page[-1].id

    def _worth(self, page: Iterable[Shown]) -> dict[str, _Row]:
        return {
            row.id: _Row(row.lat_deg, row.lon_deg, promise)
            for row in page
            if (promise := _promise(row)) > 0
        }

    # --- one camera -----------------------------------------------------------------------------

    def item(self, stored: Stored) -> Item:
        """A camera with the reasons why somebody should look at it; gain 0 for none."""
        here = stored.camera
        box = box_round(here.lat_deg, here.lon_deg, CORNER_M)
        near = [s for s in self._store.cameras(box) if s.id != stored.id]
        near = [s for s in near if _apart_m(here, s.camera) <= CORNER_M]
        near.sort(key=lambda s: (_apart_m(here, s.camera), s.id))
        doubles = [s for s in near if _doubtful(stored, s)]
        found = [
            self._presence(stored, near),
            _kind(here),
            _cluster(here),
            _double(here, doubles),
            self._known(stored),
            self._rejected(stored),
            self._gone(stored),
        ]
        reasons = [(gain, text) for gain, text in found if gain > 0]
        reasons.sort(key=lambda reason: -reason[0])
        order = [*doubles, *(s for s in near if s not in doubles)]
        shown = stored.shown
        return Item(
            feature=msgspec.Raw(shown.feature if shown else b"null"),
            gain=round(sum(gain for gain, _ in reasons), 3),
            reasons=[text for _, text in reasons],
            near=[s.id for s in order[:NEAR_MAX]],
        )

    def _presence(self, stored: Stored, near: list[Stored]) -> tuple[float, str]:
        """Whether a candidate is a camera at all."""
        if _status(stored) != "candidate":
            return 0, ""
        reports, cohorts = stored.camera.reports, stored.cohorts
        missing = max(self._policy.cohorts - cohorts, self._policy.reports - reports, 1)
        shown = sum(_status(s) in PUBLIC for s in near)
        weight = math.log2(1 + reports) * (1 + math.log2(missing) / 4) / math.sqrt(1 + shown)
        text = (
            f"{_count(reports, 'report')} of {_count(cohorts, 'cohort')}, "
            f"{missing} short of the rule"
        )
        p = likely(reports, cohorts) * stored.camera.existence
        return _bits(p) * weight, text

    def _known(self, stored: Stored) -> tuple[float, str]:
        """Another map's camera at a candidate's place: a look tells whether it is that one."""
        here = stored.camera
        if _status(stored) != "candidate":
            return 0, ""
        found = [
            (distance_m(here.lat_deg, here.lon_deg, k.lat_deg, k.lon_deg), k.ref)
            for k in self._store.known_in(box_round(here.lat_deg, here.lon_deg, KNOWN_M))
        ]
        apart_m, ref = min(found, default=(math.inf, ""))
        if apart_m > KNOWN_M:
            return 0, ""
        return math.log2(1 + here.reports) / 4, f"OpenStreetMap has {ref} {apart_m:.0f} m away"

    def _rejected(self, stored: Stored) -> tuple[float, str]:
        """What several parties report where a reviewer said that there is nothing."""
        if _status(stored) != "rejected":
            return 0, ""
        said = self._said(stored)
        if not said:
            weight = _bits(likely(stored.camera.reports, stored.cohorts))
            home = any(line.verb == "tag" for line in self._words(stored))
            text = f"in a place that was rejected{', beside a private home' if home else ''}"
            return weight * math.log2(1 + stored.camera.reports), text
        if any(line.verb == "tag" for line in said):  # a private home's: nothing is left to decide
            return 0, ""
        if self._seen_after(stored, said[-1]) and stored.cohorts >= max(2, self._policy.cohorts):
            text = f"reported on since it was rejected, by {stored.cohorts} cohorts in all"
            return 0.5 * math.log2(stored.cohorts), text
        return 0, ""

    def _gone(self, stored: Stored) -> tuple[float, str]:
        said = self._said(stored) if _status(stored) == "gone" else []
        if said and self._seen_after(stored, said[-1]):
            return math.log2(1 + stored.camera.reports) / 2, "seen again since it was called gone"
        return 0, ""

    def _said(self, stored: Stored) -> list[Action]:
        """Lines of the log that say of this very camera whether it is there, or is private."""
        members = {anchor_of(m) for m in stored.camera.members}
        return [line for line in self._words(stored) if line.anchor in members]

    def _words(self, stored: Stored) -> list[Action]:
        """Such lines of the cameras round it, too."""
        here = stored.camera
        box = box_round(here.lat_deg, here.lon_deg, 2 * CORNER_M)
        lines = {a.number: a for a in self._store.actions_near(box)}
        return [
            lines[action.number]
            for action, body in standing(lines.values())
            if isinstance(body, Word) or (isinstance(body, Tag) and is_private(body.tags))
        ]

    @staticmethod
    def _seen_after(stored: Stored, line: Action) -> bool:
        return stored.camera.last_day > line.at_s // 86_400


def likely(reports: int, cohorts: int) -> float:
    """How likely it is a camera what so many cohorts report so often; without cohorts: one."""
    odds = ONE_PARTY + ANOTHER_PARTY * (max(1, cohorts) - 1) + AGAIN * math.log2(max(1, reports))
    return 1 / (1 + math.exp(-odds))


def box_round(lat_deg: float, lon_deg: float, reach_m: float, *more: tuple[float, float]) -> Box:
    """Degrees round a place, and round others near it: west, south, east, north."""
    places = [(lat_deg, lon_deg), *more]
    high = reach_m / DEGREE_M
    wide = high / max(0.01, math.cos(math.radians(min(89.0, abs(lat_deg) + high))))
    south = max(-90.0, min(lat for lat, _ in places) - high)
    north = min(90.0, max(lat for lat, _ in places) + high)
    east = [Origin(lat_deg, lon_deg).enu_from_geodetic(lat, lon)[0] for lat, lon in places]
    ends = [Origin(lat_deg, lon_deg).geodetic_from_enu(e, 0)[1] for e in (min(east), max(east))]
    return _wrapped(ends[0] - wide), south, _wrapped(ends[1] + wide), north


def _wrapped(lon_deg: float) -> float:
    return (lon_deg + 180.0) % 360.0 - 180.0


def _inside(row: _Row, box: Box) -> bool:
    west, south, east, north = box
    after, before = row.lon_deg >= west, row.lon_deg <= east
    return south <= row.lat_deg <= north and (after and before if west <= east else after or before)


def _promise(row: Shown) -> float:
    """The most that a closer look at a row can be expected to show."""
    reports = _TYPICAL[row.confirmations]
    many = math.log2(1 + reports)
    if row.status in WATCHED:
        return many * (1.0 if row.status == "candidate" else 0.3)
    # Of the public ones those whose kind is open although they were reported more than once, and
    # those of which it is open how many they are.
    open_kind = row.kind is Kind.UNKNOWN and reports > 1
    return 0.5 * many if open_kind or b'"cluster":' in row.feature else 0.0


def _bits(p: float) -> float:
    """Entropy of a yes or no."""
    return 0.0 if p in (0, 1) else -(p * math.log2(p) + (1 - p) * math.log2(1 - p))


def _count(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _status(stored: Stored) -> Status:
    return stored.shown.status if stored.shown else "candidate"


def _apart_m(a: Camera, b: Camera) -> float:
    return distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg)


def _kind(camera: Camera) -> tuple[float, str]:
    """Whether the records disagree on what sort of camera it is."""
    if camera.reports == 1 or camera.kind is Kind.UNKNOWN or camera.kind_share >= KIND_SHARE:
        return 0, ""
    gain = 0.5 * _bits(camera.kind_share) * math.log2(1 + camera.reports)
    return gain, f"reports disagree on its kind, {camera.kind} at {camera.kind_share:.0%}"


def _cluster(camera: Camera) -> tuple[float, str]:
    """Whether records could not say how many stand there."""
    if camera.cluster == 1:
        return 0, ""
    gain = 0.5 * math.log2(camera.cluster) * math.log2(1 + camera.reports)
    return gain, f"one of {camera.cluster} that records cannot tell apart"


def _doubtful(one: Stored, other: Stored) -> bool:
    """Whether two cameras may be one: near, not unlike, and never seen in one record."""
    a, b = one.camera, other.camera
    if "rejected" in (_status(one), _status(other)) or _apart_m(a, b) > SAME_M:
        return False
    if _likeness(a, b) < 0.1:  # noqa: PLR2004
        return False
    return not {m.record_id for m in a.members} & {m.record_id for m in b.members}


def _likeness(a: Camera, b: Camera) -> float:
    """Likelihood of the distance if they are one, as a share of the greatest."""
    variance = a.sigma_m**2 + b.sigma_m**2 + BIAS_M**2
    unlike = a.kind is not b.kind and Kind.UNKNOWN not in (a.kind, b.kind)
    return math.exp(-(_apart_m(a, b) ** 2) / variance / 2) * (0.3 if unlike else 1)


def _double(camera: Camera, doubles: list[Stored]) -> tuple[float, str]:
    if not doubles:
        return 0, ""
    best = max(doubles, key=lambda s: _likeness(camera, s.camera))
    fewer = min(camera.reports, best.camera.reports)
    text = f"may be the same as {best.id}, {_apart_m(camera, best.camera):.0f} m away"
    return 0.5 * _likeness(camera, best.camera) * math.log2(1 + fewer), text
