"""Answers for the web from a reading connection; for many threads, one at a time."""

import hashlib
import math
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from scanner.core.exposure import Exposure, Eye, Place, Sight, expose
from scanner.core.wire import KIND_CODES, Cell
from scanner.errors import UsageError
from scanner.hub import tiles
from scanner.hub.api_answers import LICENCE, NOTICE, Box
from scanner.hub.stores.protocol import PUBLIC, PublicChange, Shown, Store, Tally
from scanner.hub.stores.tiled import Cluster, TilePoint
from scanner.records import Kind

SHELF_BYTES: Final = 32_000_000
COUNTED_MAX: Final = 50_000  # cameras of one area that are counted while somebody waits
PAGE_CAMERAS: Final = 2_000  # cameras read at once for a long answer
AT_ONCE_DEG2: Final = 1.0  # area up to which a box is looked up, and not sought in all
KM_PER_DEGREE: Final = 111.195
CLUSTER_ROWS: Final = 16  # clusters along a side of a tile, at most
FEW_TILES: Final = 9  # looked at for the extent, per zoom

HEAD, TAIL = msgspec.json.encode(Cell(features=[])).split(b"[]")


class Kept(msgspec.Struct, frozen=True):
    """An answer that may be asked for again; ``etag`` tells its content, not its age."""

    etag: str
    body: bytes


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the confirmed cameras of an area."""

    cameras: int
    kinds: dict[Kind, int]
    first_seen: dict[str, dict[Kind, int]]  # per month
    area_km2: float | None = None  # None: the whole map
    licence: str = LICENCE
    notice: str = NOTICE


class MapReader:
    """What the public may read of a store."""

    def __init__(self, store: Store, *, counted: int = COUNTED_MAX) -> None:
        self._store = store
        self._counted = counted
        self._lock = threading.Lock()
        self._shelf = _Shelf(SHELF_BYTES)

    def version(self) -> str:
        """Changes whenever the map does."""
        with self._lock:
            return self._store.version()

    def revision(self) -> int:
        """Number of the newest public change."""
        with self._lock:
            return self._store.revision()

    def camera(self, camera_id: str) -> bytes | None:
        """Feature of one public camera."""
        with self._lock:
            stored = self._store.camera(camera_id)
        shown = stored.shown if stored else None
        return shown.feature if shown and shown.status in PUBLIC else None

    def cameras(self, box: Box | None) -> Iterator[bytes]:
        """FeatureCollection of the public cameras in a box, or of all, part by part."""
        yield HEAD + b"["
        mark = b""
        for features in self._parts(box):
            if features:
                yield mark + b",".join(features)
                mark = b","
        yield b"]" + TAIL

    def _parts(self, box: Box | None) -> Iterator[list[bytes]]:
        if box and _area_deg2(box) <= AT_ONCE_DEG2:
            with self._lock:
                yield self._store.features(box)
            return
        after: str | None = None
        while True:
            with self._lock:
                rows = self._store.shown(None, statuses=PUBLIC, limit=PAGE_CAMERAS, after_id=after)
            yield [row.feature for row in rows if box is None or _inside(row, box)]
            if len(rows) < PAGE_CAMERAS:
                return
            after = rows[-1].id

    def tile(self, z: int, x: int, y: int) -> Kept:
        """A vector tile; without bytes where there is nothing."""
        with self._lock:
            version = self._store.version()
            kept = self._shelf.get((z, x, y), version)
            if kept is None:
                if z >= tiles.POINTS_FROM:
                    points = self._store.points(z, x, y, tiles.BUFFER)
                    body = tiles.encode("cameras", _dots(points, z, y))
                else:
                    body = tiles.encode("clusters", _counts(self._store.clusters(z, x, y)))
                kept = Kept(_content_tag(body), body)
                self._shelf.put((z, x, y), version, kept)
            return kept

    def changes(self, since: int, limit: int) -> list[PublicChange] | None:
        """Changes after a revision; None if it is too long ago, or of another life of this map."""
        with self._lock:
            found = self._store.changes_since(since, limit)
            return None if found == [] and since > self._store.revision() else found

    def statistics(self, box: Box | None) -> Statistics:
        """Counts of an area, or of all; raises UsageError for too large an area."""
        with self._lock:
            lines = self._store.tally_in(box, self._counted) if box else self._store.tally()
        if lines is None:
            raise UsageError(
                f"more than {self._counted} cameras in this area",
                hint="ask for less, or without bbox",
            )
        return _statistics(lines, _area_km2(box) if box else None)

    def exposure(self, lines: Iterable[Sequence[Place]], sight: Sight) -> Exposure:
        """Which cameras may see a way."""
        return expose(lines, self._eyes, sight)

    def _eyes(self, box: Box) -> list[Eye]:
        with self._lock:
            return [_eye(row) for row in self._store.shown(box)]

    def extent(self) -> Box | None:
        """A box round all confirmed cameras, None if there are none.

        From the clusters of ever smaller tiles, as long as a few of them hold everything.
        """
        found: Box | None = None
        wanted = [(0, 0)]
        for z in range(tiles.POINTS_FROM + 1):
            with self._lock:
                places = [p for x, y in wanted for p in self._places(z, x, y)]
            if not places:
                return found
            west, east = min(p[0] for p in places), max(p[0] for p in places)
            north, south = min(p[1] for p in places), max(p[1] for p in places)
            top, left = tiles.place_of(z, west, north)
            bottom, right = tiles.place_of(z, east, south)
            found = left, bottom, right, top
            rim = 0.0 if z >= tiles.POINTS_FROM else 1 / CLUSTER_ROWS  # a mean lies inside its cell
            columns = range(math.floor(2 * (west - rim)), math.floor(2 * (east + rim)) + 1)
            rows = range(math.floor(2 * (north - rim)), math.floor(2 * (south + rim)) + 1)
            if len(columns) * len(rows) > FEW_TILES:
                return found
            wanted = [(x, y) for x in columns for y in rows if tiles.exists(z + 1, x, y)]
        return found

    def _places(self, z: int, x: int, y: int) -> list[tuple[float, float]]:
        """Where something is in a tile, counted in tiles."""
        if z < tiles.POINTS_FROM:
            found: Sequence[Cluster | TilePoint] = self._store.clusters(z, x, y)
        else:
            found = self._store.points(z, x, y, 0)
        return [(x + p.x / tiles.EXTENT, y + p.y / tiles.EXTENT) for p in found]


class _Shelf:
    """Answers kept while the map stays as it is; those unused for longest give way."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[tuple[int, int, int], tuple[str, Kept]] = OrderedDict()

    def get(self, key: tuple[int, int, int], version: str) -> Kept | None:
        of, kept = self._kept.get(key, ("", None))
        if kept is None or of != version:
            return None
        self._kept.move_to_end(key)
        return kept

    def put(self, key: tuple[int, int, int], version: str, kept: Kept) -> None:
        _, old = self._kept.pop(key, ("", None))
        self._bytes += _size(kept) - (_size(old) if old else 0)
        self._kept[key] = (version, kept)
        while self._bytes > self._bytes_max:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= _size(gone)


def _size(kept: Kept) -> int:
    return len(kept.body) + 300  # what Python needs beside


def _content_tag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=9).hexdigest()}"'


def _dots(points: Iterable[TilePoint], z: int, y: int) -> Iterator[tiles.Dot]:
    # A metre on the ground is longer on the map the farther it lies from the equator.
    stretch = 1 / math.cos(math.radians(tiles.place_of(z, 0, y + 0.5)[0]))
    for p in points:
        properties: dict[str, tiles.Value] = {
            "id": p.id,
            "kind": KIND_CODES[p.kind].value,
            "month": p.month,
            "reports": p.confirmations,
            "sigma_dm": round(p.sigma_m * 10),
            "radius_dm": round(p.sigma_m * 10 * stretch),
        }
        if p.direction_deg is not None:
            properties["direction"] = round(p.direction_deg)
        yield p.x, p.y, properties


def _counts(clusters: Iterable[Cluster]) -> Iterator[tiles.Dot]:
    for c in clusters:
        of_kind = zip(KIND_CODES, c.kinds, strict=True)
        yield c.x, c.y, {"n": c.count} | {kind.value: n for kind, n in of_kind if n}


def _statistics(lines: Iterable[Tally], km2: float | None) -> Statistics:
    kinds: Counter[Kind] = Counter()
    months: dict[str, Counter[Kind]] = {}
    for line in lines:
        kinds[line.kind] += line.count
        months.setdefault(line.first_month, Counter())[line.kind] += line.count
    return Statistics(
        cameras=kinds.total(),
        kinds=dict(sorted(kinds.items())),
        first_seen={month: dict(sorted(of.items())) for month, of in sorted(months.items())},
        area_km2=km2,
    )


def _eye(row: Shown) -> Eye:
    return Eye(
        id=row.id,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        kind=row.kind,
        sigma_m=row.sigma_m,
        direction_deg=row.direction_deg,
    )


def _inside(row: Shown, box: Box) -> bool:
    west, south, east, north = box
    across = row.lon_deg >= west or row.lon_deg <= east
    return south <= row.lat_deg <= north and (
        across if west > east else west <= row.lon_deg <= east
    )


def _area_deg2(box: Box) -> float:
    west, south, east, north = box
    return (east - west + 360.0 * (west > east)) * (north - south)


def _area_km2(box: Box) -> float:
    """Area on a sphere: between two parallels it is even in the sine of the latitude."""
    west, south, east, north = box
    width = min(360.0, east - west + 360.0 * (west > east))
    band = math.degrees(math.sin(math.radians(north)) - math.sin(math.radians(south)))
    return round(width * band * KM_PER_DEGREE**2, 3)
