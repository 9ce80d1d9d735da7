"""One fused camera -> the two that a reviewer sees in it, from the records that show it."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from scanner.core.fusing.fusion import Camera, Member, kind_shares
from scanner.core.fusing.vicinity import Floats, common_m2, relative
from scanner.core.geometry import Origin
from scanner.core.reviewing.reviewlog import REST_MAX, Anchor, Part, Split, anchor_of
from scanner.core.wire import KIND_CODES, Record
from scanner.errors import UsageError
from scanner.records import Covariance, Kind

KIND_GAP: Final = 2.0  # as many sigmas as two records are apart for naming different kinds
ROUNDS: Final = 20


class _Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What one record says of the camera."""

    member: Member
    place: Floats  # (2,): metres east and north of an origin near the camera
    covariance: Floats  # (2, 2): square metres, the walk's own error included
    kind: Kind
    height_dm: int | None
    first_day: int


def split(
    camera: Camera, records: Mapping[str, Record], named: Collection[Anchor] | None = None
) -> Split:
    """The named members apart from the others; without names the two groups that differ most.

    ``records`` by id, those of all members. The part with the camera's first member is the rest.
    Raises UsageError if nothing would be left on one side.
    """
    origin = Origin(camera.lat_deg, camera.lon_deg)
    sights = [_sight(origin, m, records[m.record_id]) for m in camera.members]
    apart = set(_two_groups(sights) if named is None else named)
    out = [s for s in sights if anchor_of(s.member) in apart]
    stay = [s for s in sights if anchor_of(s.member) not in apart]
    if not out or not stay:
        raise UsageError(
            "a split leaves some records on either side", hint="name those that are apart"
        )
    return Split(
        named=_part(origin, out, len(out)),
        rest=_part(origin, stay, REST_MAX),
    )


def divided(
    camera: Camera, said: Split, records: Mapping[str, Record]
) -> tuple[tuple[tuple[Member, ...], Part], ...]:
    """The rest and the named part of a camera as they are now: their members, what those say.

    Members that the split knows stay on their side; one that came later goes to the part that is
    nearer, as the reviewer saw it. Each part is what the records of its members say; ``records``
    by id. Without any of them it is what it was at the split, and unknown members are of the rest.
    """
    # Not the camera's own place: the same members are the same parts, whatever they were in before.
    origin = Origin(said.rest.lat_deg, said.rest.lon_deg)
    parts = said.rest, said.named
    known = {anchor: side for side, part in enumerate(parts) for anchor in part.anchors}
    members: tuple[list[Member], list[Member]] = [], []
    sights: tuple[list[_Sight], list[_Sight]] = [], []
    for member in camera.members:
        record = records.get(member.record_id)
        sight = None if record is None else _sight(origin, member, record)
        side = known.get(anchor_of(member))
        if side is None:
            side = 0 if sight is None else _nearer(origin, sight, parts)
        members[side].append(member)
        if sight is not None:
            sights[side].append(sight)
    return tuple(
        (tuple(those), _part(origin, seen, REST_MAX) if seen else part)
        for those, seen, part in zip(members, sights, parts, strict=True)
    )


def _nearer(origin: Origin, sight: _Sight, parts: Sequence[Part]) -> int:
    """Which of the parts a record shows; their places count as exact, so that none draws more."""
    centres = [
        msgspec.structs.replace(
            sight,
            place=np.array(origin.enu_from_geodetic(part.lat_deg, part.lon_deg)),
            covariance=np.zeros((2, 2)),
            kind=part.kind,
        )
        for part in parts
    ]
    return min(range(len(parts)), key=lambda side: (_gap(sight, centres[side]), side))


def _sight(origin: Origin, member: Member, record: Record) -> _Sight:
    entry = record.cameras[member.index]
    place = np.array(origin.enu_from_geodetic(entry.lat_e7 / 1e7, entry.lon_e7 / 1e7))
    return _Sight(
        member=member,
        place=place,
        covariance=relative(entry) + np.eye(2) * common_m2(record),
        kind=KIND_CODES[entry.kind],
        height_dm=entry.height_dm,
        first_day=record.bucket * record.bucket_days,
    )


def _two_groups(sights: Sequence[_Sight]) -> list[Anchor]:
    """Those that are not with the first: two-means from two that are far apart.

    Distances are in sigmas, a different kind counts as KIND_GAP of them.
    """
    if len(sights) < 2:  # noqa: PLR2004
        return []
    middle = _middle(sights)
    one = max(sights, key=lambda s: _gap(s, middle))
    centres = [one, max(sights, key=lambda s: _gap(s, one))]
    sides: list[int] = []
    for _ in range(ROUNDS):
        before = sides
        sides = [min((0, 1), key=lambda c: (_gap(s, centres[c]), c)) for s in sights]
        if sides == before or len(set(sides)) == 1:
            break
        centres = [
            _middle([s for s, side in zip(sights, sides, strict=True) if side == c]) for c in (0, 1)
        ]
    stays = sides[0]
    return [anchor_of(s.member) for s, c in zip(sights, sides, strict=True) if c != stays]


def _gap(a: _Sight, b: _Sight) -> float:
    """How far apart two are, in sigmas."""
    offset = a.place - b.place
    chi2 = float(offset @ np.linalg.solve(a.covariance + b.covariance, offset))
    unlike = a.kind is not b.kind and Kind.UNKNOWN not in (a.kind, b.kind)
    return math.sqrt(chi2) + (KIND_GAP if unlike else 0)


def _middle(sights: Sequence[_Sight]) -> _Sight:
    place, covariance = _mean(sights)
    kind = Counter(s.kind for s in sights).most_common(1)[0][0]
    return msgspec.structs.replace(sights[0], place=place, covariance=covariance, kind=kind)


def _mean(sights: Sequence[_Sight]) -> tuple[Floats, Floats]:
    """Places weighted by their covariances, and the covariance of that mean."""
    weights = [np.linalg.inv(s.covariance) for s in sights]
    covariance = np.linalg.inv(sum(weights))
    place = covariance @ sum(w @ s.place for w, s in zip(weights, sights, strict=True))
    return place, covariance


def _part(origin: Origin, sights: Sequence[_Sight], most: int) -> Part:
    place, covariance = _mean(sights)
    lat_deg, lon_deg = origin.geodetic_from_enu(float(place[0]), float(place[1]))
    seen = Counter(s.kind for s in sights)
    kind, share = max(kind_shares(seen).items(), key=lambda item: item[1])
    named = any(k is not Kind.UNKNOWN for k in seen)
    heights = sorted(s.height_dm for s in sights if s.height_dm is not None)
    return Part(
        anchors=tuple(anchor_of(s.member) for s in sights[:most]),
        lat_deg=float(lat_deg),
        lon_deg=float(lon_deg),
        covariance=Covariance(
            float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
        ),
        kind=kind if named else Kind.UNKNOWN,
        kind_share=round(share, 6),
        height_m=heights[len(heights) // 2] / 10 if heights else None,
        first_day=min(s.first_day for s in sights),
        last_day=max(s.first_day for s in sights),
    )
