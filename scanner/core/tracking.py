"""Detections with poses -> tracks: the glimpses of one camera.

Association works on the sphere, not in pixels: bearing (heading plus azimuth) and elevation of a
camera change slowly while the wearer sways and turns. Each live track predicts its next direction
(alpha-beta filter; P. Kalata, IEEE Trans. AES 20, 1984); all tracks and detections of a frame are
matched at once, one to one. Sway moves all of them together, so the matching also looks for the
shift that explains the frame best: two cameras on one pole keep their places. What one frame after
the other cannot tell is sorted out in hindsight (``fragments``, ``untangle``).
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.geometry import LensModel, wrap_deg
from scanner.core.tracks.fragments import (
    JOIN_GAP_S,
    LEAST_VIEWS,
    Fragment,
    components,
    may_continue,
    may_mix,
    sort_out,
)
from scanner.records import Detection, Glimpse, Pose, Track

Direction = tuple[float, float]  # to the right, up; degrees

MAX_GAP_S: Final = 2.0  # a piece of a track that was not seen for so long,
MAX_MISSED: Final = 4  # in so many looks, has ended
MAX_WAIT_S: Final = 15.0  # for its neighbours to end; a site waits a little longer
CHECK_NS: Final = 1_000_000_000  # between two looks at what waits
MAX_SHIFTS: Final = 24  # the smallest ones, where there are many cameras
MIN_GLIMPSES: Final = 3
SWAY_DEG: Final = 2.5  # 1 sigma of the shift that all directions of a frame share
MAX_SWAY_DEG: Final = 9.0
OWN_DEG: Final = 1.0  # 1 sigma of one direction apart from the sway
OWN_DEG_PER_S: Final = 2.0  # its growth with the time since the last glimpse
OWN_GATE: Final = 3.0  # sigmas
SIZE_SIGMA: Final = 0.3  # natural logarithm of the size ratio
SIZE_GATE: Final = 3.0  # sigmas
OTHER_KIND_COST: Final = 4.0
UNMATCHED_COST: Final = 9.0  # squared sigmas from which a new track is likelier
ALPHA, BETA = 0.3, 0.06


def glimpse(detection: Detection, pose: Pose, lens: LensModel, frame: int) -> Glimpse:
    """A detection as seen from a pose."""
    azimuth, elevation = lens.level_from_pixel(*detection.box.centre_px)
    return Glimpse(
        detection=detection,
        pose=pose,
        frame=frame,
        azimuth_deg=azimuth,
        elevation_deg=elevation,
        size_deg=lens.size_deg(detection.box),
    )


class _Live:
    """A track that may still grow: its glimpses and the filter's state."""

    def __init__(self, first: Glimpse) -> None:
        self.glimpses = [first]
        self.missed = 0  # looks since the last glimpse
        self._at: Direction = _direction(first)
        self._rate: Direction = (0.0, 0.0)  # degrees per second

    def append(self, new: Glimpse) -> None:
        seconds = max((new.pose.at_ns - self.glimpses[-1].pose.at_ns) / 1e9, 1e-3)
        off = self.residual(new)
        at = self._predicted(seconds)
        self._at = (at[0] + ALPHA * off[0], at[1] + ALPHA * off[1])
        self._rate = (
            self._rate[0] + BETA * off[0] / seconds,
            self._rate[1] + BETA * off[1] / seconds,
        )
        self.glimpses.append(new)
        self.missed = 0

    def is_gone(self, now_ns: int) -> bool:
        """Not seen for so long and so often that the camera has left the view."""
        unseen_s = (now_ns - self.glimpses[-1].pose.at_ns) / 1e9
        return unseen_s > MAX_GAP_S and (self.missed >= MAX_MISSED or unseen_s > JOIN_GAP_S)

    def residual(self, new: Glimpse) -> Direction:
        """How far a glimpse is from where this track expects it."""
        at = self._predicted((new.pose.at_ns - self.glimpses[-1].pose.at_ns) / 1e9)
        bearing, elevation = _direction(new)
        return wrap_deg(bearing - at[0]), elevation - at[1]

    def pair(self, new: Glimpse) -> "_Pair | None":
        """How a glimpse compares with the expectation; None if the size forbids it."""
        last = self.glimpses[-1]
        growth = abs(math.log(new.size_deg / last.size_deg)) / SIZE_SIGMA
        if growth > SIZE_GATE:
            return None
        seconds = (new.pose.at_ns - last.pose.at_ns) / 1e9
        other = new.detection.kind != last.detection.kind
        return _Pair(
            *self.residual(new),
            OWN_DEG + OWN_DEG_PER_S * seconds,
            growth**2 / 2 + OTHER_KIND_COST * other,
        )

    def _predicted(self, seconds: float) -> Direction:
        return self._at[0] + self._rate[0] * seconds, self._at[1] + self._rate[1] * seconds


def _direction(seen: Glimpse) -> Direction:
    return seen.pose.heading_deg + seen.azimuth_deg, seen.elevation_deg


class _Pair(NamedTuple):
    """A glimpse and a track: residual and its sigma (degrees), cost of size and kind."""

    right: float
    up: float
    sigma: float
    extra: float

    def cost(self, shift: Direction) -> float:
        """Squared sigmas between the glimpse, moved back by the sway, and the expectation."""
        off = math.hypot(self.right - shift[0], self.up - shift[1]) / self.sigma
        return FORBIDDEN if off > OWN_GATE else off**2 + self.extra


def _match(live: Sequence[_Live], seen: Sequence[Glimpse]) -> list[int | None]:
    """The track of each glimpse, for the sway that makes the frame likeliest.

    Candidates for the sway: none, and whatever would put one glimpse exactly on one track.
    """
    pairs = [[track.pair(new) for track in live] for new in seen]
    shifts = [(pair.right, pair.up) for row in pairs for pair in row if pair]
    shifts = [shift for shift in shifts if math.hypot(*shift) <= MAX_SWAY_DEG]
    shifts.sort(key=lambda shift: math.hypot(*shift))
    best, columns = math.inf, list[int | None]()
    for shift in [(0.0, 0.0), *shifts[:MAX_SHIFTS]]:
        sway = math.hypot(*shift) ** 2 / SWAY_DEG**2
        if sway >= best:
            break
        table = [[pair.cost(shift) if pair else FORBIDDEN for pair in row] for row in pairs]
        matched = assign(table, UNMATCHED_COST)
        cost = sway + sum(
            UNMATCHED_COST if column is None else row[column]
            for row, column in zip(table, matched, strict=True)
        )
        if cost < best:
            best, columns = cost, matched
    return columns


class Tracker:
    """Turns the detections of successive frames into tracks.

    Pieces of tracks wait until nothing can be added to them and nothing they could be mixed up with
    is still in view, but no longer than MAX_WAIT_S; then those of one camera become one track.
    Numbers are this tracker's own, from 0.
    """

    def __init__(self) -> None:
        self._live: list[_Live] = []
        self._waiting: list[Fragment] = []  # have ended
        self._check_ns = 0  # nothing is released before
        self._next_number = 0

    def update(self, seen: Sequence[Glimpse], now_ns: int) -> list[Track]:
        """Take in one frame's glimpses; return the tracks that are complete."""
        self._waiting += [live.glimpses for live in self._live if live.is_gone(now_ns)]
        kept = [live for live in self._live if not live.is_gone(now_ns)]
        for live in kept:
            live.missed += 1
        self._live = list(kept)
        columns = _match(kept, seen) if seen else []
        for new, column in zip(seen, columns, strict=True):
            if column is None:
                self._live.append(_Live(new))
            else:
                kept[column].append(new)
        return self._release(now_ns)

    def close(self) -> list[Track]:
        """End all tracks and return them."""
        self._waiting += [live.glimpses for live in self._live]
        self._live = []
        return self._release(None)

    def _release(self, now_ns: int | None) -> list[Track]:
        """Tracks of the pieces that have waited long enough; of all without a ``now_ns``."""
        self._waiting = [piece for piece in self._waiting if len(piece) >= LEAST_VIEWS]
        if now_ns is None:
            ready, self._waiting = self._waiting, []
            return self._finish(ready)
        if now_ns < self._check_ns or not self._waiting:
            return []
        self._check_ns = now_ns + CHECK_NS
        live = [track.glimpses for track in self._live if len(track.glimpses) >= LEAST_VIEWS]
        in_view = {id(piece) for piece in live}
        ready, kept = list[Fragment](), list[Fragment]()
        for group in components(self._waiting + live, _are_related):
            ended = [piece for piece in group if id(piece) not in in_view]
            waits_s = [(now_ns - piece[-1].pose.at_ns) / 1e9 for piece in ended]
            done = len(ended) == len(group) and min(waits_s) > JOIN_GAP_S
            overdue = bool(waits_s) and max(waits_s) > MAX_WAIT_S
            (ready if done or overdue else kept).extend(ended)
        self._waiting = kept
        return self._finish(ready)

    def _finish(self, pieces: Sequence[Fragment]) -> list[Track]:
        tracks = []
        for glimpses in sort_out(pieces):
            if len(glimpses) >= MIN_GLIMPSES:
                tracks.append(Track(number=self._next_number, glimpses=tuple(glimpses)))
                self._next_number += 1
        return tracks


def _are_related(a: Fragment, b: Fragment) -> bool:
    return may_mix(a, b) or may_continue(a, b)
