"""Rejections that hold at their place, whatever the camera there is called."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.fusing.joining import chi2
from scanner.core.fusing.vicinity import GATE_CHI2
from scanner.core.geometry import Origin
from scanner.core.reviewing.pieces import Pieces
from scanner.core.reviewing.reviewlog import Anchor, Body, Decision, Word
from scanner.records import Covariance, Kind

SURE_SHARE: Final = 0.95  # from which two kinds are not one camera named wrongly
TOMBSTONE_M: Final = 14.5  # no tombstone reaches farther, however uncertain the places are
BIAS_M2: Final = 9.0  # variance per axis by which passes differ beyond what they say of themselves
DEGREE_M: Final = 110_500.0  # of latitude, the shortest one


class _Grave(msgspec.Struct, frozen=True):
    """A rejection that counts, where its camera is now or was last known to be."""

    number: int
    anchor: Anchor
    lat_deg: float
    lon_deg: float
    word: Word


class Graves:
    """Rejections by place."""

    def __init__(
        self,
        lines: Sequence[tuple[Decision, Body]],
        pieces: Pieces,
        said: Mapping[int, Sequence[tuple[Decision, Body]]],
    ) -> None:
        self._pieces = pieces
        words = [(a, b) for a, b in lines if isinstance(b, Word)]
        found: list[_Grave] = []
        for action, word in words:
            piece = pieces.where.get(action.anchor)
            if piece is not None:
                last = last_word(said[piece])
            else:
                about = [a for a, _ in words if _same(a, action)]
                last = about[-1] if about else None
            if action.verb == "reject" and last is not None and last.number == action.number:
                found.append(
                    _grave(action, word, pieces.cameras.get(-1 if piece is None else piece))
                )
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
            if not (last and (last.verb in ("confirm", "gone") or last.number > grave.number))
            and self._pieces.where.get(grave.anchor) != piece
            and all(self._pieces.where.get(a) != piece for a in grave.word.spared)
            and _may_be(grave, camera)
        ]
        return max(hits, default=None)


def _grave(action: Decision, word: Word, camera: Camera | None) -> _Grave:
    if camera is None:
        return _Grave(action.number, action.anchor, action.lat_deg, action.lon_deg, word)
    now = msgspec.structs.replace(
        word, kind=camera.kind, kind_share=camera.kind_share, covariance=camera.covariance
    )
    return _Grave(action.number, action.anchor, camera.lat_deg, camera.lon_deg, now)


def _may_be(grave: _Grave, camera: Camera) -> bool:
    """Whether a camera could be what was rejected, seen again."""
    kinds = {grave.word.kind, camera.kind}
    sure = min(grave.word.kind_share, camera.kind_share) >= SURE_SHARE
    if sure and len(kinds) > 1 and Kind.UNKNOWN not in kinds:
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
