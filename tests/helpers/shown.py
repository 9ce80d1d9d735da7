"""Cameras of the map, put into a store as they are, without records behind them."""

from collections.abc import Iterable, Mapping

from scanner.core.fusing.fusion import Camera, Member
from scanner.core.osm import tags as osm
from scanner.core.wire import (
    Band,
    CameraFeature,
    CameraProperties,
    Claims,
    Point,
    Status,
    encode_json,
    geohash,
)
from scanner.hub.stores.protocol import Shown, Store
from scanner.records import Covariance, Kind
from tests.helpers.reports import ORIGIN, Place

SEEN: Claims = Claims(present="reports", kind="reports")
CHECKED: Claims = Claims(
    present="reviewer", kind="reviewer", alpr="reviewer", maker="reviewer", operator="reviewer"
)


def feature(
    name: str,
    place: Place = (0, 0),
    *,
    kind: Kind = Kind.DOME,
    status: Status = "confirmed",
    direction_deg: float | None = None,
    height_m: float | None = None,
    reviewed: Mapping[str, str] | None = None,
    basis: Claims = SEEN,
    last_seen: str = "2026-11",
    confirmations: Band = "3-5",
) -> CameraFeature:
    """One camera, metres east and north of the origin."""
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(*place)
    return CameraFeature(
        id=name,
        geometry=Point((round(lon_deg, 6), round(lat_deg, 6))),
        properties=CameraProperties(
            kind=kind,
            sigma_m=1.5,
            status=status,
            basis=basis,
            confirmations=confirmations,
            first_seen="2026-03",
            last_seen=last_seen,
            tags=osm.tags(
                kind=kind,
                last_seen=last_seen,
                direction_deg=direction_deg,
                height_m=height_m,
                reviewed=reviewed,
                claims=basis,
            ),
            height_m=height_m,
            direction_deg=direction_deg,
        ),
    )


def row(camera: CameraFeature) -> Shown:
    """Its row of the projection."""
    lon_deg, lat_deg = camera.geometry.coordinates
    p = camera.properties
    return Shown(
        id=camera.id,
        cell=geohash(lat_deg, lon_deg),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        kind=p.kind,
        sigma_m=p.sigma_m,
        direction_deg=p.direction_deg,
        status=p.status,
        confirmations=p.confirmations,
        first_month=p.first_seen,
        last_month=p.last_seen,
        feature=encode_json(camera),
    )


def put(store: Store, cameras: Iterable[CameraFeature], first: int = 1) -> None:
    """Put cameras into a store; ``first`` is the number of the first one's record."""
    with store.transaction():
        store.put_cameras(
            [],
            (
                (shown.id, shown.cell, _fused(shown, number), shown)
                for number, shown in enumerate(map(row, cameras), first)
            ),
        )


def _fused(shown: Shown, number: int) -> Camera:
    return Camera(
        members=(Member(number, f"{number:032x}", 0),),
        kind=shown.kind,
        kind_share=0.9,
        lat_deg=shown.lat_deg,
        lon_deg=shown.lon_deg,
        covariance=Covariance(shown.sigma_m**2, 0.0, shown.sigma_m**2),
        height_m=None,
        first_day=20_500,
        last_day=20_700,
    )
