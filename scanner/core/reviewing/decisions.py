"""Fused cameras and the reviewers' log -> judged cameras.

Fusion never looks at the log, and the log never changes what fusion says: a rebuilt map with the
log applied again is the same map. A decision hangs on an anchor, a camera of one record (record
id, index); it holds for whichever camera contains the anchor now. Decisions are taken in order of
their numbers and the last word counts; one that was undone is as if it had never been made.

A rejection is also a tombstone at its place: a camera that appears there later, under whatever
name, stays rejected until a reviewer confirms it. Those that stood beside it when the reviewer
rejected it are known to be others and are spared. So is the tag of a private home; only taking
the tag away lifts it, not a word on that camera.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.reviewing.pieces import Fetch, Pieces
from scanner.core.reviewing.reviewlog import (
    VERDICTS,
    Body,
    Decision,
    Merge,
    Move,
    Rollback,
    Split,
    Verdict,
    is_private,
    standing,
    tags_of,
)
from scanner.core.reviewing.tombstones import Graves, last_word
from scanner.core.wire import Basis
from scanner.records import Kind

GONE_SHARE: Final = 0.9  # probability from which reports alone say that a camera is gone
KIND_SHARE: Final = 0.6  # probability from which the kind is claimed, not left unknown
REACH_M: Final = 150.0  # no decision concerns cameras farther than that from its place
OSM_KINDS: Final[Mapping[str, Kind]] = {
    "fixed": Kind.BULLET,
    "dome": Kind.DOME,
    "panning": Kind.PTZ,
}

# --- what comes out -----------------------------------------------------------------------------


class Claim(msgspec.Struct, frozen=True):
    """One claim about a camera and on what it rests; an empty value: nothing is claimed."""

    value: str
    basis: Basis


NOTHING: Final = Claim("", "unknown")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a camera is taken to be."""

    lat_deg: float
    lon_deg: float
    sigma_m: float  # 1 sigma per axis
    basis: Basis


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A camera with all that reviewers said of it."""

    camera: Camera  # as fused, but for merges and splits
    place: Place
    verdict: Verdict | None  # None: the reports decide
    present: Claim  # yes, no, gone
    kind: Claim  # a records.Kind
    alpr: Claim  # yes, no; looks: reports say so and nobody has checked
    maker: Claim
    operator: Claim
    tags: dict[str, str]  # set by reviewers
    private: bool = False  # a reviewer says that it belongs to a private home
    tombstone: int | None = None  # the rejection that holds this place, if no word on itself does
    actions: tuple[int, ...] = ()  # lines of the log that count for it


def judged(camera: Camera) -> Judged:
    """A camera of which no reviewer said anything."""
    return _judge(camera, [], None)


# --- applying the log ---------------------------------------------------------------------------


def apply(
    cameras: Iterable[Camera],
    actions: Iterable[Decision],
    fetch: Fetch = lambda _: (),
    settled: Iterable[Camera] = (),
) -> list[Judged]:
    """Judged cameras in order of their first members; raises WireError for a damaged log.

    ``cameras`` may be a part of the map, ``actions`` the lines that lie within REACH_M of it; the
    order of neither matters. ``fetch`` is asked for the records of a camera that is split; without
    them its parts stay where they were at the split. ``settled``: more cameras, as merges and
    splits have made them; those are not applied to them again.
    """
    lines = standing(actions)
    pieces = Pieces(cameras, lines, fetch)
    for action, body in lines:
        if isinstance(body, Merge):
            pieces.merge(action.anchor, body.anchor)
        elif isinstance(body, Split):
            pieces.split(body)
    for camera in settled:
        pieces.add(camera)
    said: dict[int, list[tuple[Decision, Body]]] = defaultdict(list)
    for action, body in lines:
        piece = pieces.where.get(action.anchor)
        if piece is not None and not isinstance(body, Rollback):
            said[piece].append((action, body))
    graves = Graves(lines, pieces, said)
    return sorted(
        (
            _judge(camera, said[piece], graves.over(piece, camera, said[piece]))
            for piece, camera in pieces.cameras.items()
        ),
        key=lambda j: j.camera.members[0],
    )


# --- claims -------------------------------------------------------------------------------------


def _judge(camera: Camera, said: Sequence[tuple[Decision, Body]], tombstone: int | None) -> Judged:
    word = last_word(said)
    verdict = VERDICTS[word.verb] if word else None
    if tombstone is not None and verdict != "rejected":
        verdict = None  # it was said before somebody knew of a private home there
    tags = tags_of(said)
    place = Place(
        lat_deg=camera.lat_deg, lon_deg=camera.lon_deg, sigma_m=camera.sigma_m, basis="reports"
    )
    for _, body in said:
        if isinstance(body, Move):
            place = Place(
                lat_deg=body.lat_deg, lon_deg=body.lon_deg, sigma_m=body.sigma_m, basis="reviewer"
            )
    kind = _kind(camera, tags)
    return Judged(
        camera=camera,
        place=place,
        verdict=verdict or ("rejected" if tombstone is not None else None),
        present=_present(verdict, tombstone, camera.gone),
        kind=kind,
        alpr=_alpr(kind, tags),
        maker=_from_tag(tags, "manufacturer", "model"),
        operator=_from_tag(tags, "operator"),
        tags=tags,
        private=is_private(tags),
        tombstone=None if verdict else tombstone,
        actions=tuple(action.number for action, _ in said),
    )


def _present(verdict: Verdict | None, tombstone: int | None, gone: float) -> Claim:
    if verdict is None and tombstone is None:
        return Claim("gone" if gone >= GONE_SHARE else "yes", "reports")
    if verdict is None:
        return Claim("no", "reviewer")
    return Claim({"confirmed": "yes", "rejected": "no", "gone": "gone"}[verdict], "reviewer")


def _kind(camera: Camera, tags: Mapping[str, str]) -> Claim:
    if tags.get("surveillance:type") == "ALPR":
        return Claim(Kind.ALPR, "reviewer")
    if kind := OSM_KINDS.get(tags.get("camera:type", "")):
        return Claim(kind, "reviewer")
    if camera.kind is Kind.UNKNOWN or camera.kind_share < KIND_SHARE:
        return NOTHING
    if camera.kind is Kind.ALPR and tags.get("surveillance:type"):
        return NOTHING  # a reviewer says that it reads no plates, and not what it is
    return Claim(camera.kind, "reports")


def _alpr(kind: Claim, tags: Mapping[str, str]) -> Claim:
    said = tags.get("surveillance:type")
    if said:
        return Claim("yes" if said == "ALPR" else "no", "reviewer")
    return Claim("looks", "reports") if kind.value == Kind.ALPR else NOTHING


def _from_tag(tags: Mapping[str, str], *keys: str) -> Claim:
    return next((Claim(tags[key], "reviewer") for key in keys if key in tags), NOTHING)
