"""Rejections that hold at their place, whatever the camera there is called."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.fusing.joining import chi2
from scanner.core.fusing.vicinity import GATE_CHI2
from scanner.core.geometry import Origin
from scanner.core.reviewing.pieces import Pieces
from scanner.core.reviewing.reviewlog import (
    Anchor,
    Body,
    Decision,
    Tag,
    Word,
    is_private,
    standing,
    tags_of,
)
from scanner.records import Covariance, Kind

SURE_SHARE: Final = 0.95  # from which two kinds are not one camera named wrongly
TOMBSTONE_M: Final = 14.5  # no tombstone reaches farther, however uncertain the places are
BIAS_M2: Final = 9.0  # variance per axis by which passes differ beyond what they say of themselves
DEGREE_M: Final = 110_500.0  # of latitude, the shortest one
_UNSEEN: Final = Word(Kind.UNKNOWN, 0.0, Covariance(1, 0, 1))  # of a tag that does not say


class _Grave(msgspec.Struct, frozen=True):
    """A rejection that counts, where its camera is now or was last known to be."""

    number: int
    anchor: Anchor
    lat_deg: float
    lon_deg: float
    word: Word
    private: bool  # made by the tag of a private home


class Graves:
    """Rejections by place."""

    def __init__(
        self,
        lines: Sequence[tuple[Decision, Body]],
        pieces: Pieces,
        said: Mapping[int, Sequence[tuple[Decision, Body]]],
    ) -> None:
        self._pieces = pieces
        found: list[_Grave] = []
        for action, body in lines:
            if (word := _rejected(action, body)) is None:
                continue
            piece = pieces.where.get(action.anchor)
            if piece is not None:
                about = said[piece]
            else:
                about = [line for line in lines if _same(line[0], action)]
            if _holds(action, body, about):
                camera = pieces.cameras.get(-1 if piece is None else piece)
                found.append(_grave(action, word, camera))
        self._graves = sorted(found, key=lambda g: (g.lat_deg, g.number))
        self._lats = [g.lat_deg for g in self._graves]

    def over(self, piece: int, camera: Camera, said: Sequence[tuple[Decision, Body]]) -> int | None:
        """The rejection that a camera lies under, if no later word on itself frees it."""
        reach_deg = TOMBSTONE_M / DEGREE_M
        low = bisect_left(self._lats, camera.lat_deg - reach_deg)
        high = bisect_right(self._lats, camera.lat_deg + reach_deg)
        last = last_word(said)
        hits = [
            grave.number
            for grave in self._graves[low:high]
            if not _freed(grave, last)
            and self._pieces.where.get(grave.anchor) != piece
            and all(self._pieces.where.get(a) != piece for a in grave.word.spared)
            and _may_be(grave, camera)
        ]
        return max(hits, default=None)


def buried(actions: Iterable[Decision]) -> set[Anchor]:
    """Anchors of the lines that take a camera off the map: where it is, its tombstone is.

    Who applies the log to a part of the map must have their cameras.
    """
    return {a.anchor for a, body in standing(actions) if _rejected(a, body) is not None}


def _grave(action: Decision, word: Word, camera: Camera | None) -> _Grave:
    private = action.verb == "tag"
    if camera is None:
        return _Grave(action.number, action.anchor, action.lat_deg, action.lon_deg, word, private)
    now = msgspec.structs.replace(
        word, kind=camera.kind, kind_share=camera.kind_share, covariance=camera.covariance
    )
    return _Grave(action.number, action.anchor, camera.lat_deg, camera.lon_deg, now, private)


def _rejected(action: Decision, body: Body) -> Word | None:
    """The camera that a line takes off the map, if it is such a line."""
    if isinstance(body, Tag):
        return (body.seen or _UNSEEN) if is_private(body.tags) else None
    return body if isinstance(body, Word) and action.verb == "reject" else None


def _holds(action: Decision, body: Body, about: Sequence[tuple[Decision, Body]]) -> bool:
    """Whether nothing later on the same camera takes a rejection back."""
    if isinstance(body, Tag):
        left = tags_of(about)
        return is_private({key: v for key, v in body.tags.items() if left.get(key) == v})
    last = last_word(about)
    return last is not None and last.number == action.number


def _freed(grave: _Grave, last: Decision | None) -> bool:
    """Whether the last word on a camera itself keeps it out of a grave."""
    if last is None:
        return False
    there, later = last.verb in ("confirm", "gone"), last.number > grave.number
    # Only who has looked at it since the tag can say that it is not the private home's.
    return (there and later) if grave.private else (there or later)


def _may_be(grave: _Grave, camera: Camera) -> bool:
    """Whether a camera could be what was rejected, seen again."""
    kinds = {grave.word.kind, camera.kind}
    sure = min(grave.word.kind_share, camera.kind_share) >= SURE_SHARE
    # What reports take a doorbell for says little.
    if sure and not grave.private and len(kinds) > 1 and Kind.UNKNOWN not in kinds:
        return False
    origin = Origin(grave.lat_deg, grave.lon_deg)
    east, north = map(float, origin.enu_from_geodetic(camera.lat_deg, camera.lon_deg))
    if east**2 + north**2 > TOMBSTONE_M**2:
        return False
    a, b = grave.word.covariance, camera.covariance
    total = Covariance(a.ee + b.ee + BIAS_M2, a.en + b.en, a.nn + b.nn + BIAS_M2)
    return chi2(total, east, north) < GATE_CHI2


def _same(one: Decision, other: Decision) -> bool:
    return one.anchor == other.anchor or one.camera_id == other.camera_id


def last_word(said: Sequence[tuple[Decision, Body]]) -> Decision | None:
    """The line that says whether the camera is there; None: nobody did."""
    words = [action for action, body in said if isinstance(body, Word)]
    return words[-1] if words else None
