"""Records that a cohort cannot honestly have made are put aside, with the reason.

What a record tells is coarse on purpose: a day, a week or four, and no device. So nothing can be
said of one volunteer, and nothing is kept of one. What is kept is, per cohort and time bucket, how
many records came and from which areas: enough to see a cohort that reports more than its people
could, or from more places than they could be at. The sums are thrown away when the bucket is old.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from scanner.core.fusing.vicinity import variance_m2
from scanner.core.ground import Box, Ground, LonLat, squares_crossed
from scanner.core.wire import CameraEntry, Record, geohash
from scanner.errors import UNREADABLE, UsageError
from scanner.hub.review_queue import EVERY, box_round
from scanner.hub.stores.protocol import Store

AREA_CHARS: Final = 4  # of a geohash: about 40 by 20 km, what takes an hour to cross
BLOCK_CHARS: Final = 7  # about 150 by 150 m
PREFIX: Final = "seen/"  # before a cohort's name: where its sums are kept
KEPT_DAYS: Final = 120  # tokens are good for two months, records may be two months late
WEEK_DAYS: Final = 7
SQUARES_MAX: Final = 100_000  # in which the lines of the ground are looked up, and as many more
SQUARES_A_POINT: Final = 16  # for each of their points: streets and shores need two
KNOWN_M: Final = 12.0  # an entry so near a camera of the map is taken to show it


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of a cohort."""

    a_week: int = 300  # records; the tokens of ten people make 150
    areas_a_day: int = 6  # different ones
    areas: int = 24  # however long the time bucket is
    block: int = 80  # cameras not yet on the map in one block: 3,500 per square kilometre


LIMITS: Final = Limits()


class _Seen(msgspec.Struct):
    """What a cohort reported in one bucket: sums alone."""

    last_day: int
    records: int = 0
    areas: list[str] = []
    blocks: dict[str, int] = {}  # entries


_books = msgspec.json.Decoder(dict[str, _Seen])


class Plausibility:
    """Says whether records can be believed; inside the transaction that keeps them.

    ``ground`` is what is known of streets and water. Where several intakes write at the same time
    a cohort's first records may not all be counted; later ones are, one intake after the other.
    """

    def __init__(self, store: Store, limits: Limits = LIMITS, ground: Ground | None = None) -> None:
        self._store = store
        self._limits = limits
        self._ground = ground

    def doubts(self, records: Sequence[tuple[Record, str]]) -> list[str | None]:
        """Why each record is not believed, None if it is, which counts it; "" is no cohort."""
        named = {PREFIX + cohort for _, cohort in records if cohort}
        texts = self._store.hold_metas(named)
        books = {name: _books.decode(texts.get(name, "{}")) for name in named}
        changed: set[str] = set()
        reasons: list[str | None] = []
        for record, cohort in records:
            reason = self._of_place(record)
            if cohort and not reason:
                reason = self._of_cohort(record, cohort, books)
                changed |= set() if reason else {PREFIX + cohort}
            reasons.append(reason)
        self._store.put_metas({n: msgspec.json.encode(books[n]).decode() for n in changed})
        return reasons

    def _of_place(self, record: Record) -> str | None:
        for entry in record.cameras if self._ground else ():
            sigma_m = variance_m2(record, entry) ** 0.5
            reason = self._ground and self._ground.doubt(*_place(entry), sigma_m)
            if reason:
                return f"{reason}: no camera stands there"
        return None

    def _of_cohort(
        self, record: Record, cohort: str, books: dict[str, dict[str, _Seen]]
    ) -> str | None:
        book = books[PREFIX + cohort]
        key = f"{record.bucket_days}/{record.bucket}"
        last_day = (record.bucket + 1) * record.bucket_days - 1
        seen = book.get(key) or _Seen(last_day)
        reason = (
            self._rate(record, book.values(), last_day)
            or self._reach(record, seen)
            or self._density(record, seen)
        )
        if reason:
            return f"cohort {cohort}: {reason}"
        seen.records += 1
        for entry in record.cameras:
            area, block = (geohash(*_place(entry), n) for n in (AREA_CHARS, BLOCK_CHARS))
            seen.areas += [] if area in seen.areas else [area]
            seen.blocks[block] = seen.blocks.get(block, 0) + 1
        book[key] = seen
        newest = max(s.last_day for s in book.values())
        books[PREFIX + cohort] = {k: s for k, s in book.items() if s.last_day > newest - KEPT_DAYS}
        return None

    def _rate(self, record: Record, book: Iterable[_Seen], last_day: int) -> str | None:
        """More than its people could make: by the time of the records, however late they come."""
        weeks = max(1, record.bucket_days // WEEK_DAYS)
        first_day = last_day - last_day % WEEK_DAYS - (weeks - 1) * WEEK_DAYS
        before = sum(
            s.records for s in book if first_day <= s.last_day < first_day + weeks * WEEK_DAYS
        )
        most = self._limits.a_week * weeks
        return f"more than {most} records in {_weeks(weeks)}" if before >= most else None

    def _reach(self, record: Record, seen: _Seen) -> str | None:
        """In more places than its people could be at in that time."""
        areas = {geohash(*_place(e), AREA_CHARS) for e in record.cameras} | set(seen.areas)
        most = min(self._limits.areas, self._limits.areas_a_day * record.bucket_days)
        if len(areas) <= max(most, len(seen.areas)):
            return None
        return f"in more than {most} areas in {_days(record.bucket_days)}"

    def _density(self, record: Record, seen: _Seen) -> str | None:
        """More new cameras in one block than ever stand in one."""
        for entry in record.cameras:
            block = geohash(*_place(entry), BLOCK_CHARS)
            if seen.blocks.get(block, 0) >= self._limits.block and not self._is_known(entry):
                return f"more than {self._limits.block} new cameras in one block"
        return None

    def _is_known(self, entry: CameraEntry) -> bool:
        box = box_round(*_place(entry), KNOWN_M)
        return bool(self._store.shown(box, statuses=EVERY, limit=1))


def _place(entry: CameraEntry) -> tuple[float, float]:
    """Latitude, longitude in degrees."""
    return entry.lat_e7 / 1e7, entry.lon_e7 / 1e7


def _weeks(count: int) -> str:
    return "a week" if count == 1 else f"{count} weeks"


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days"


# --- the file of the ground ---------------------------------------------------------------------


_Lon = Annotated[float, Meta(ge=-180, le=180)]
_Lat = Annotated[float, Meta(ge=-90, le=90)]
_Way = list[tuple[_Lon, _Lat]]


class _Line(msgspec.Struct, tag="LineString", tag_field="type"):
    coordinates: _Way


class _Lines(msgspec.Struct, tag="MultiLineString", tag_field="type"):
    coordinates: list[_Way]


class _Area(msgspec.Struct, tag="Polygon", tag_field="type"):
    coordinates: list[_Way]


class _Areas(msgspec.Struct, tag="MultiPolygon", tag_field="type"):
    coordinates: list[list[_Way]]


class _Feature(msgspec.Struct):
    geometry: _Line | _Lines | _Area | _Areas


class _Land(msgspec.Struct, tag="FeatureCollection", tag_field="type"):
    features: list[_Feature]
    bbox: tuple[float, float, float, float] | None = None


def read_ground(path: Path) -> Ground:
    """Streets and water from a GeoJSON FeatureCollection: lines are streets, polygons are water.

    ``bbox`` says for which region it is complete; without it that is what the features span. By
    osmium-tool: ``osmium tags-filter IN.pbf w/highway a/natural=water -o some.pbf`` and ``osmium
    export some.pbf --geometry-types=linestring,polygon -o land.geojson``. Raises UsageError.
    """
    try:
        land = msgspec.json.decode(path.read_bytes(), type=_Land)
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
    except UNREADABLE as e:
        raise UsageError(
            f"{path}: not a file of streets and water: {e}",
            hint="GeoJSON; lines are streets, polygons are water",
        ) from e
    streets: list[list[LonLat]] = []
    waters: list[list[list[LonLat]]] = []
    for feature in land.features:
        match feature.geometry:
            case _Line(coordinates=line):
                streets.append(line)
            case _Lines(coordinates=lines):
                streets += lines
            case _Area(coordinates=rings):
                waters.append(rings)
            case _Areas(coordinates=polygons):
                waters += polygons
    waters = [[ring for ring in rings if ring] for rings in waters if rings and rings[0]]
    points = [p for line in streets for p in line] + [p for rings in waters for p in rings[0]]
    if not points:
        raise UsageError(f"{path}: holds neither streets nor water")
    lines = [*streets, *([*ring, ring[0]] for rings in waters for ring in rings)]
    if sum(map(squares_crossed, lines)) > SQUARES_MAX + SQUARES_A_POINT * sum(map(len, lines)):
        raise UsageError(
            f"{path}: its lines are too long and straight for streets and shores",
            hint="streets and water alone are wanted, of one region",
        )
    lons, lats = [p[0] for p in points], [p[1] for p in points]
    box = Box(*land.bbox) if land.bbox else Box(min(lons), min(lats), max(lons), max(lats))
    return Ground(box, streets, waters)
