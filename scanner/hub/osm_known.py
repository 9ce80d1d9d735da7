"""Which of our cameras OpenStreetMap has already: found block by block, and kept."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from scanner.core.osm import links as osm_links
from scanner.core.osm import reading as osm_reading
from scanner.core.wire import Status, geohash
from scanner.hub.stores.protocol import Box, Known, Shown, Store
from scanner.records import Kind

BLOCK_CHARS: Final = 5  # of the geohash: about 5 x 5 km are looked at together
MARGIN_DEG: Final = 0.003  # round a block, so that pairs across its edge are seen from both sides
MARGIN_POLAR: Final = 0.05  # least cosine of a latitude that margins are widened for
LIVING: Final[tuple[Status, ...]] = ("confirmed", "candidate", "gone")
_ALPHABET: Final = "0123456789bcdefghjkmnpqrstuvwxyz"


def take_in(store: Store, source: str, items: Iterable[Known]) -> tuple[int, int]:
    """Keep what a source knows in place of what it knew, and link it with our cameras.

    Returns how many it knows and how many of them are linked. Raises StoreError.
    """
    blocks: set[str] = set()
    refs: set[str] = set()

    def passing() -> Iterator[Known]:
        for item in items:
            if item.ref not in refs:  # a file may hold a node twice
                refs.add(item.ref)
                blocks.add(block_of(item.lat_deg, item.lon_deg))
                yield item

    with store.transaction():
        store.put_known(source, passing())
        before = store.links()
        now: dict[str, str] = {}
        for block in sorted(blocks):
            now |= {i: known.ref for i, known in linked(store, block, before).items()}
        for camera_id, ref in before.items():
            if camera_id not in now and (ref in refs or not _known_still(store, camera_id, ref)):
                store.link(camera_id, None)
        for camera_id, ref in now.items():
            if before.get(camera_id) != ref:
                store.link(camera_id, ref)
    return len(refs), sum(ref in refs for ref in now.values())


def _known_still(store: Store, camera_id: str, ref: str) -> bool:
    stored = store.camera(camera_id)
    if not stored:
        return False
    lat_deg, lon_deg = stored.camera.lat_deg, stored.camera.lon_deg
    return any(k.ref == ref for k in store.known_in(wider((lon_deg, lat_deg, lon_deg, lat_deg))))


def linked(store: Store, block: str, before: Mapping[str, str] | None = None) -> dict[str, Known]:
    """What is known of our cameras in a block, by their ids; those of the margin left out.

    Worked out afresh, so a camera that came after the last import is found, too.
    """
    box = wider(box_of(block))
    known = {k.ref: k for k in store.known_in(box)}
    if not known:
        return {}
    ours = store.shown(box, statuses=LIVING)
    inside = {s.id for s in ours if block_of(s.lat_deg, s.lon_deg) == block}
    pairs = osm_links.match([_ours(s) for s in ours], [_theirs(k) for k in known.values()], before)
    return {camera_id: known[ref] for camera_id, ref in pairs.items() if camera_id in inside}


def _ours(shown: Shown) -> osm_links.Spot:
    return osm_links.Spot(
        name=shown.id,
        lat_deg=shown.lat_deg,
        lon_deg=shown.lon_deg,
        sigma_m=shown.sigma_m,
        kind=shown.kind,
        direction_deg=shown.direction_deg,
    )


def _theirs(known: Known) -> osm_links.Spot:
    kind = osm_reading.read(known.tags).kind
    return osm_links.Spot(
        name=known.ref,
        lat_deg=known.lat_deg,
        lon_deg=known.lon_deg,
        kind=Kind.UNKNOWN if kind is Kind.ALPR else kind,  # what it reads is not what it looks like
        direction_deg=known.direction_deg,
    )


# --- blocks --------------------------------------------------------------------------------------


def block_of(lat_deg: float, lon_deg: float) -> str:
    """The block that a place lies in."""
    return geohash(lat_deg, lon_deg, BLOCK_CHARS)


def box_of(cell: str) -> Box:
    """West, south, east, north of a geohash."""
    ranges = [[-180.0, 180.0], [-90.0, 90.0]]
    bits = (_ALPHABET.index(c) >> shift & 1 for c in cell for shift in (4, 3, 2, 1, 0))
    for i, bit in enumerate(bits):
        side = ranges[i % 2]
        side[1 - bit] = sum(side) / 2
    (west, east), (south, north) = ranges
    return west, south, east, north


def wider(box: Box) -> Box:
    """A box with the margin round it."""
    west, south, east, north = box
    aside = MARGIN_DEG / max(MARGIN_POLAR, math.cos(math.radians((south + north) / 2)))
    west, east = west - aside, east + aside
    return (
        west + 360 if west < -180 else west,  # noqa: PLR2004 - across the date line
        max(-90.0, south - MARGIN_DEG),
        east - 360 if east > 180 else east,  # noqa: PLR2004
        min(90.0, north + MARGIN_DEG),
    )
