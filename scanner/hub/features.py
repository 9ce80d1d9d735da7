"""A fused camera -> what the map says of it."""

import datetime as dt
from typing import Final, Literal

import msgspec

from scanner.core.fusion import Camera
from scanner.core.wire import (
    Band,
    Basis,
    CameraFeature,
    CameraProperties,
    Change,
    Claims,
    Point,
    Status,
)
from scanner.hub.mapping import Delta
from scanner.hub.store import Stored
from scanner.records import Kind

DECIMALS: Final = 6  # 0.1 m: more would only look exact
MOVED_M: Final = 0.5

_OSM_TYPE: Final = {Kind.BULLET: "fixed", Kind.DOME: "dome", Kind.PTZ: "panning"}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """When a camera is published without a reviewer."""

    reports: int
    cohorts: int = 0  # different cohorts among them; records without a token are of none


OPEN: Final = Policy(reports=1)
KIND_SHARE: Final = 0.6  # from which the kind is claimed, not left unknown


def status(stored: Stored, policy: Policy) -> Status:
    """Confirmed by enough reports or a reviewer; a rejection stands against all reports."""
    if stored.verdict == "rejected":
        return "rejected"
    enough = stored.camera.reports >= policy.reports and stored.cohorts >= policy.cohorts
    return "confirmed" if stored.verdict == "confirmed" or enough else "candidate"


def publishable(stored: Stored, policy: Policy) -> bool:
    """Whether a camera may be shown to everyone."""
    return status(stored, policy) == "confirmed"


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


def feature(stored: Stored, policy: Policy) -> CameraFeature:
    """The camera in GeoJSON."""
    camera = stored.camera
    return CameraFeature(
        id=stored.id,
        geometry=Point((round(camera.lon_deg, DECIMALS), round(camera.lat_deg, DECIMALS))),
        properties=CameraProperties(
            kind=_kind(camera),
            sigma_m=max(0.1, round(camera.sigma_m, 1)),
            status=status(stored, policy),
            basis=_claims(stored),
            confirmations=band(camera.reports),
            first_seen=month(camera.first_day),
            last_seen=month(camera.last_day),
            tags=_tags(camera),
            height_m=None if camera.height_m is None else round(camera.height_m, 1),
        ),
    )


def change(delta: Delta, policy: Policy) -> tuple[str, Change] | None:
    """What the public notices of a change, with its cell; None if that is nothing."""
    before = delta.before if delta.before and publishable(delta.before, policy) else None
    after = delta.after if delta.after and publishable(delta.after, policy) else None
    shown = after or before
    if not shown:
        return None
    seen = feature(shown, policy)
    if before and after and feature(before, policy) == seen:
        return None
    return shown.cell, Change(
        id=seen.id,
        change=_what(before, after),
        geometry=seen.geometry,
        properties=seen.properties,
    )


def _what(
    before: Stored | None, after: Stored | None
) -> Literal["added", "moved", "updated", "removed"]:
    if not before:
        return "added"
    if not after:
        return "removed"
    a, b = before.camera, after.camera
    step_deg = MOVED_M / 111_000
    far = abs(a.lat_deg - b.lat_deg) > step_deg or abs(a.lon_deg - b.lon_deg) > step_deg
    return "moved" if far else "updated"


def _kind(camera: Camera) -> Kind:
    return camera.kind if camera.kind_share >= KIND_SHARE else Kind.UNKNOWN


def _claims(stored: Stored) -> Claims:
    present: Basis = "reviewer" if stored.verdict == "confirmed" else "reports"
    kind: Basis = "unknown" if _kind(stored.camera) is Kind.UNKNOWN else "reports"
    return Claims(present=present, kind=kind)


def _tags(camera: Camera) -> dict[str, str]:
    """OpenStreetMap tags; that a camera reads number plates stays a claim for people to check."""
    tags = {"man_made": "surveillance", "surveillance:type": "camera"}
    kind = _OSM_TYPE.get(_kind(camera))
    if kind:
        tags["camera:type"] = kind
    if camera.height_m is not None:
        tags["height"] = f"{camera.height_m:.1f}"
    return tags
