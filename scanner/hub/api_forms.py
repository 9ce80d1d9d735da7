"""The bodies of the web side's longer answers."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from scanner.core.exposure import Exposure, Seen, Sight, Stretch
from scanner.core.wire import Point
from scanner.hub.api_answers import LICENCE, NOTICE
from scanner.hub.stores.protocol import ChangeWord, PublicChange
from scanner.records import Kind

DECIMALS: Final = 6  # of a degree: 0.1 m

Position = tuple[float, float]  # longitude, latitude: GeoJSON's order


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One public change; ``camera`` is a CameraFeature, null of one that was removed."""

    revision: int
    change: ChangeWord
    id: str
    camera: msgspec.Raw


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Public changes, oldest first; ask again with ``until``."""

    changes: list[News]
    until: int
    more: bool
    licence: str = LICENCE
    notice: str = NOTICE


class Watch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it may see."""

    kind: Kind
    seen_m: float
    nearest_m: float
    direction_deg: float | None = None


class Watcher(msgspec.Struct, frozen=True, kw_only=True, tag="Feature", tag_field="type"):
    """One camera that may see a way."""

    id: str
    geometry: Point
    properties: Watch


class LineString(msgspec.Struct, frozen=True, tag="LineString", tag_field="type"):
    """GeoJSON line, longitude first."""

    coordinates: list[Position]


class PartOf(msgspec.Struct, frozen=True, kw_only=True):
    """How long it is and how many cameras may see one point of it, at most."""

    metres: float
    cameras: int


class Part(msgspec.Struct, frozen=True, kw_only=True, tag="Feature", tag_field="type"):
    """A part of a way that is seen throughout, or not at all."""

    geometry: LineString
    properties: PartOf


class Way(msgspec.Struct, frozen=True, kw_only=True, tag="FeatureCollection", tag_field="type"):
    """A way in parts."""

    features: list[Part]


class Watchers(
    msgspec.Struct, frozen=True, kw_only=True, tag="FeatureCollection", tag_field="type"
):
    """The cameras that may see it, in the order in which they are met."""

    features: list[Watcher]


class ExposureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The exposure of a way."""

    length_m: float
    seen_m: float
    longest_unseen_m: float
    reach_m: float
    cone_deg: float
    way: Way
    cameras: Watchers
    kept: Literal["nothing"] = "nothing"  # what the hub keeps of the way
    licence: str = LICENCE
    notice: str = NOTICE


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What the page needs to begin."""

    tiles: str
    attribution: str
    truth: bool
    review: bool
    revision: int
    extent: Annotated[list[float], Meta(min_length=4, max_length=4)] | None  # a box
    licence: str = LICENCE
    notice: str = NOTICE


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the hub is; not how many records it has: that would tell when one came."""

    ok: bool
    broker: str  # "online", or why not
    store: str  # "ok", or why not


class WellOrNot(msgspec.Struct, frozen=True):
    """Whether the hub is well."""

    ok: bool


def exposure_answer(found: Exposure, sight: Sight) -> ExposureAnswer:
    """What somebody who sent a way is told."""
    return ExposureAnswer(
        length_m=round(found.length_m, 1),
        seen_m=round(found.seen_m, 1),
        longest_unseen_m=round(found.longest_unseen_m, 1),
        reach_m=sight.reach_m,
        cone_deg=sight.cone_deg,
        way=Way(features=[_part(stretch) for stretch in found.stretches]),
        cameras=Watchers(features=[_watcher(seen) for seen in found.cameras]),
    )


def _part(stretch: Stretch) -> Part:
    places = [(round(lon, DECIMALS), round(lat, DECIMALS)) for lat, lon in stretch.places]
    return Part(
        geometry=LineString(places),
        properties=PartOf(metres=round(stretch.metres, 1), cameras=stretch.cameras),
    )


def _watcher(seen: Seen) -> Watcher:
    eye = seen.eye
    return Watcher(
        id=eye.id,
        geometry=Point((round(eye.lon_deg, DECIMALS), round(eye.lat_deg, DECIMALS))),
        properties=Watch(
            kind=eye.kind,
            seen_m=round(seen.metres, 1),
            nearest_m=round(seen.nearest_m, 1),
            direction_deg=eye.direction_deg,
        ),
    )


def changes_answer(found: list[PublicChange], since: int, limit: int) -> Changes:
    """What a reader of changes is told."""
    return Changes(
        changes=[
            News(
                revision=c.revision,
                change=c.change,
                id=c.id,
                camera=msgspec.Raw(c.feature or b"null"),
            )
            for c in found
        ],
        until=found[-1].revision if found else since,
        more=len(found) == limit,
    )
