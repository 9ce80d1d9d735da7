"""A judged camera -> what the map says of it: the projection, and the GeoJSON feature in it."""

import datetime as dt
import math
from typing import Final

import msgspec

from scanner.core.osm import tags as osm
from scanner.core.reviewing.decisions import Judged
from scanner.core.wire import (
    Band,
    CameraFeature,
    CameraProperties,
    Claims,
    Point,
    Status,
    geohash,
)
from scanner.errors import WireError
from scanner.hub.stores.protocol import Shown
from scanner.records import Kind

DECIMALS: Final = 6  # 0.1 m: more would only look exact
PUBLIC: Final = ("confirmed", "gone")


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """When a camera is published without a reviewer."""

    reports: int
    cohorts: int = 0  # different cohorts among them; records without a token are of none


OPEN: Final = Policy(reports=1)


def standing(camera: Judged, policy: Policy, cohorts: int) -> Status:
    """Confirmed by enough reports of enough cohorts or by a reviewer, whose word stands over them.

    ``cohorts``: how many different ones report it. A private home's camera is never published.
    """
    if camera.private or camera.verdict == "rejected":
        return "rejected"
    if camera.verdict == "gone":
        return "gone"
    if camera.verdict == "confirmed":
        return "confirmed"
    if camera.camera.reports < policy.reports or cohorts < policy.cohorts:
        return "candidate"
    return "gone" if camera.present.value == "gone" else "confirmed"


def project(camera: Judged, policy: Policy, cohorts: int, *, camera_id: str) -> Shown:
    """What readers need of a camera; ``cohorts``: how many different ones report it."""
    feature = describe(camera, policy, cohorts, camera_id=camera_id)
    shown = feature.properties
    lon_deg, lat_deg = feature.geometry.coordinates
    return Shown(
        id=camera_id,
        cell=geohash(lat_deg, lon_deg),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        kind=shown.kind,
        sigma_m=shown.sigma_m,
        direction_deg=shown.direction_deg,
        status=shown.status,
        confirmations=shown.confirmations,
        first_month=shown.first_seen,
        last_month=shown.last_seen,
        feature=_encoded(feature),
        verdict=camera.verdict,
    )


def _encoded(feature: CameraFeature) -> bytes:
    """JSON; ``encode_json`` would look for numbers that are not finite everywhere."""
    shown = feature.properties
    numbers = (*feature.geometry.coordinates, shown.sigma_m, shown.height_m, shown.direction_deg)
    if not all(number is None or math.isfinite(number) for number in numbers):
        raise WireError(f"camera {feature.id} has a number that is not finite")
    return msgspec.json.encode(feature)


def describe(camera: Judged, policy: Policy, cohorts: int, *, camera_id: str) -> CameraFeature:
    """The camera in GeoJSON."""
    fused = camera.camera
    kind = Kind(camera.kind.value) if camera.kind.value else Kind.UNKNOWN
    claims = Claims(
        present=camera.present.basis,
        kind=camera.kind.basis,
        alpr=camera.alpr.basis,
        maker=camera.maker.basis,
        operator=camera.operator.basis,
    )
    last_seen = month(fused.last_day)
    return CameraFeature(
        id=camera_id,
        geometry=Point(
            (round(camera.place.lon_deg, DECIMALS), round(camera.place.lat_deg, DECIMALS))
        ),
        properties=CameraProperties(
            kind=kind,
            sigma_m=max(0.1, round(camera.place.sigma_m, 1)),
            status=standing(camera, policy, cohorts),
            basis=claims,
            confirmations=band(fused.reports),
            first_seen=month(fused.first_day),
            last_seen=last_seen,
            tags=osm.tags(
                kind=kind,
                last_seen=last_seen,
                height_m=fused.height_m,
                reviewed=camera.tags,
                claims=claims,
            ),
            height_m=None if fused.height_m is None else round(fused.height_m, 1),
            direction_deg=_direction_deg(camera),
            cluster=fused.cluster if fused.cluster > 1 else None,
        ),
    )


def _direction_deg(camera: Judged) -> float | None:
    """Where the camera looks; of several directions that a reviewer gave the first."""
    said = camera.tags.get("camera:direction", "").split(";")[0]
    return float(said) % 360 if said.isdecimal() else None


def band(count: int) -> Band:
    """A number of reports as it is published: an exact one would tell who has been by."""
    if count >= 6:  # noqa: PLR2004
        return "6+"
    if count >= 3:  # noqa: PLR2004
        return "3-5"
    return "2" if count == 2 else "1"  # noqa: PLR2004


def month(day: int) -> str:
    """Year and month of a day since 1970."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).strftime("%Y-%m")
