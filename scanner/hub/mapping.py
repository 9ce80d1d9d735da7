"""New records -> changed cameras: fuses again what the new records touch, and nothing else."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from scanner.core.fusion import Camera, fuse, fuse_group
from scanner.core.vicinity import GATE_CHI2, Report, touch, variance_m2
from scanner.core.wire import Record, geohash
from scanner.hub.ingest import SIGMA_MAX_M
from scanner.hub.store import Store, Stored

BATCH: Final = 500  # records fused in one transaction
METRES_PER_DEGREE: Final = 111_000.0  # of latitude, rounded down


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """One camera before and after; None: it was, or is, not there."""

    before: Stored | None
    after: Stored | None


def fuse_waiting(store: Store, name: Callable[[str, int], str]) -> list[Delta]:
    """Bring the next records that wait into the map; an empty list when none wait.

    ``name`` makes a camera's id from the record that showed it first. Raises StoreError.
    """
    waiting = store.waiting(BATCH)
    if not waiting:
        return []
    groups = _groups(store, waiting)
    deltas: list[Delta] = []
    with store.transaction():
        for group in groups:
            deltas += _replace(store, [r.number for r in group], fuse_group(group), name)
        store.mark_fused(r.number for r in waiting)
    return deltas


def rebuild(store: Store, name: Callable[[str, int], str]) -> list[Delta]:
    """Fuse all records afresh; returns what differs from the map as it was. Raises StoreError."""
    reports = store.all_reports()
    cameras = fuse(reports)
    with store.transaction():
        deltas = _replace(store, [r.number for r in reports], cameras, name, everything=True)
        store.mark_fused(r.number for r in reports)
    return deltas


def _groups(store: Store, seeds: Iterable[Report]) -> list[list[Report]]:
    """The neighbourhoods of the seeds, each complete."""
    known: dict[int, Report] = {}
    groups: list[list[Report]] = []
    for seed in seeds:
        if seed.number in known:
            continue
        known[seed.number] = seed
        group, edge = [seed], [seed]
        while edge:
            here = edge.pop()
            for other in store.near(here.record, *_reach_e7(here.record)):
                if other.number not in known and touch(here.record, other.record):
                    known[other.number] = other
                    group.append(other)
                    edge.append(other)
        groups.append(group)
    return groups


def _reach_e7(record: Record) -> tuple[int, int]:
    """How far away a record may lie and still touch this one, in latitude and longitude."""
    worst = max(variance_m2(record, e) for e in record.cameras)
    reach_m = math.sqrt(GATE_CHI2 * (worst + SIGMA_MAX_M**2))
    lat_e7 = reach_m / METRES_PER_DEGREE * 1e7
    north = max(abs(e.lat_e7) for e in record.cameras) / 1e7
    return int(lat_e7), int(lat_e7 / max(0.01, math.cos(math.radians(min(north, 89.0)))))


def _replace(
    store: Store,
    numbers: Sequence[int],
    cameras: Iterable[Camera],
    name: Callable[[str, int], str],
    *,
    everything: bool = False,
) -> list[Delta]:
    """Put the cameras of some records in place of those they had before."""
    before = {
        stored.id: stored
        for stored in (
            store.cameras() if everything else map(store.camera, store.cameras_of(numbers))
        )
        if stored
    }
    new = [
        (
            name(camera.members[0].record_id, camera.members[0].index),
            geohash(camera.lat_deg, camera.lon_deg),
            camera,
        )
        for camera in cameras
    ]
    changed = [(i, c, m) for i, c, m in new if i not in before or before[i].camera != m]
    gone = before.keys() - {camera_id for camera_id, _, _ in new}
    if changed or gone:
        store.put_cameras([*gone, *(i for i, _, _ in changed)], changed)
    touched = sorted(gone | {camera_id for camera_id, _, _ in changed})
    return [Delta(before=before.get(i), after=store.camera(i)) for i in touched]
