"""Cameras for an export, a few at a time: a million of them are never in memory at once."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from scanner.core.osm import reading as osm_reading
from scanner.core.osm import tags as osm
from scanner.core.wire import CameraFeature, Status
from scanner.hub.osm_known import BLOCK_CHARS, block_of, box_of, linked
from scanner.hub.stores.protocol import PUBLIC, Box, Known, Shown, Store

PAGE: Final = 1000
AT_ONCE_DEG2: Final = 0.1  # area up to which a box is looked up, and not sought in all
EVERYTHING: Final[tuple[Status, ...]] = (*PUBLIC, "candidate", "rejected")
RENEW_MONTHS: Final = 12  # a check_date younger than this is left alone
_features = msgspec.json.Decoder(CameraFeature)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that OpenStreetMap lacks of a camera, for a person to look at."""

    what: Literal["new", "update", "gone"]
    feature: CameraFeature
    added: dict[str, str]  # tags to add or to put in place of older ones; all tags of a new node
    known: Known | None = None  # the node that is there already


def cameras(
    store: Store, box: Box | None = None, *, statuses: Sequence[Status] = PUBLIC
) -> Iterator[CameraFeature]:
    """Cameras in order of their ids, each with its complete tags. Raises StoreError."""
    if box and _area_deg2(box) <= AT_ONCE_DEG2:
        yield from map(_complete, store.shown(box, statuses=statuses))
        return
    after: str | None = None
    while True:
        page = store.shown(None, statuses=statuses, limit=PAGE, after_id=after)
        yield from (_complete(row) for row in page if box is None or _within(box, row))
        if len(page) < PAGE:
            return
        after = page[-1].id


def entries(store: Store, box: Box | None = None, *, update: bool = False) -> Iterator[Entry]:
    """New cameras that OpenStreetMap does not have or, with ``update``, what it could add.

    Block by block, so that what is known lies beside what was found. Raises StoreError.
    """
    before = store.links()
    for block in sorted({cell[:BLOCK_CHARS] for cell in store.filled_cells()}):
        edges = box_of(block)
        if box and not _overlap(box, edges):
            continue
        known = linked(store, block, before)
        for shown in store.shown(edges, statuses=PUBLIC):
            if block_of(shown.lat_deg, shown.lon_deg) == block and (
                box is None or _within(box, shown)
            ):
                entry = _entry(_complete(shown), known.get(shown.id))
                if entry and (entry.what != "new") == update:
                    yield entry


def _entry(feature: CameraFeature, known: Known | None) -> Entry | None:
    if feature.properties.status == "gone":
        return Entry(what="gone", feature=feature, added={}, known=known) if known else None
    if not known:
        return Entry(what="new", feature=feature, added=feature.properties.tags)
    added = additions(feature, known)
    return Entry(what="update", feature=feature, added=added, known=known) if added else None


def additions(feature: CameraFeature, known: Known) -> dict[str, str]:
    """Direction, height and date of the last look, where the known node has none, or an old one.

    Nothing that a person wrote is changed, except the date of a look long ago.
    """
    ours, theirs = feature.properties.tags, osm_reading.read(known.tags)
    added: dict[str, str] = {}
    if not any(key in known.tags for key in osm_reading.DIRECTION_KEYS):
        added |= {k: v for k, v in ours.items() if k == "camera:direction"}
    if "height" not in known.tags:
        added |= {k: v for k, v in ours.items() if k == "height"}
    checked = theirs.checked
    if "check_date" not in known.tags or (
        checked and _months(ours["check_date"]) - _months(checked) >= RENEW_MONTHS
    ):
        added["check_date"] = ours["check_date"]
    return added


def _months(date: str) -> int:
    """Months since year 0 of a year, month or day; a bare year counts as its end."""
    year, _, rest = date.partition("-")
    return int(year) * 12 + int(rest[:2] or 12)


def _complete(shown: Shown) -> CameraFeature:
    feature = _features.decode(shown.feature)
    return msgspec.structs.replace(
        feature,
        properties=msgspec.structs.replace(
            feature.properties, tags=osm.tags_of(feature.properties)
        ),
    )


def _overlap(box: Box, other: Box) -> bool:
    west, south, east, north = box
    if south > other[3] or north < other[1]:
        return False
    if west > east:
        return other[2] >= west or other[0] <= east
    return west <= other[2] and east >= other[0]


def _within(box: Box, shown: Shown) -> bool:
    west, south, east, north = box
    if not south <= shown.lat_deg <= north:
        return False
    if west > east:
        return shown.lon_deg >= west or shown.lon_deg <= east
    return west <= shown.lon_deg <= east


def _area_deg2(box: Box) -> float:
    west, south, east, north = box
    return (east - west + 360.0 * (west > east)) * (north - south)
