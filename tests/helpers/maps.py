"""Databases of the hub, and cameras to put into them without any records."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scanner.core.fusing.fusion import Camera, Member
from scanner.core.reviewing.decisions import judged
from scanner.core.wire import Record
from scanner.hub.features import OPEN, Policy, project
from scanner.hub.stores.protocol import Shown, Store
from scanner.records import Covariance, Kind
from tests.helpers.postgres import cluster

Line = tuple[str, str, Camera, Shown]
STORES = ("sqlite", "postgres")
DAY = 20_700  # 2026-09-04


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'hub.sqlite3'}"
    else:
        with cluster().database() as url:
            yield url


def keep(store: Store, record_id: str, record: Record, cohort: str = "") -> bool:
    """Keep one record; whether it is new."""
    return bool(store.add_reports([(record_id, record, cohort)]))


def kept(store: Store) -> set[str]:
    """Ids of the records that may take part in the map."""
    return {report.record_id for report in store.all_reports()}


def spend(store: Store, digest: bytes, month: str) -> bool:
    """Use up one cohort token; whether it was not before."""
    return bool(store.spend_all([(digest, month)]))


def line(
    number: int,
    lat_deg: float,
    lon_deg: float,
    *,
    kind: Kind = Kind.DOME,
    day: int = DAY,
    reports: int = 1,
    policy: Policy = OPEN,
) -> Line:
    """Camera ``number``, as ``put_cameras`` takes it; ``policy`` may make it a candidate."""
    camera = Camera(
        members=tuple(
            Member(100 * number + i, f"{number:032x}{i}", 0) for i in range(1, reports + 1)
        ),
        kind=kind,
        kind_share=0.9,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        covariance=Covariance(1.0, 0.0, 1.0),
        height_m=3.0,
        first_day=day,
        last_day=day,
    )
    shown = project(judged(camera), policy, 0, camera_id=f"c{number:07d}")
    return shown.id, shown.cell, camera, shown


def town(
    count: int, seed: int, *, lat_deg: float = 52.37, lon_deg: float = 4.89, extent: float = 0.05
) -> list[Line]:
    """Cameras of all kinds scattered over a square of ``2 * extent`` degrees."""
    dice = random.Random(seed)
    return [
        line(
            number,
            lat_deg + dice.uniform(-extent, extent),
            lon_deg + dice.uniform(-extent, extent),
            kind=dice.choice([Kind.DOME, Kind.BULLET, Kind.PTZ, Kind.ALPR, Kind.UNKNOWN]),
            day=DAY - 31 * dice.randrange(4),
            reports=dice.randrange(1, 4),
        )
        for number in range(count)
    ]
