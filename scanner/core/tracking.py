"""Detections with poses -> tracks: the glimpses of one camera.

Association works on the sphere, not in pixels: bearing (heading plus azimuth) and elevation of a
camera change slowly while the wearer sways and turns. Each live track predicts its next direction
(alpha-beta filter; P. Kalata, IEEE Trans. AES 20, 1984); all tracks and detections of a frame are
matched at once, one to one. Sway moves all of them together, so the matching also looks for the
shift that explains the frame best: two cameras on one pole keep their places.
"""

import math
from collections.abc import Sequence
from typing import Final

from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.geometry import LensModel, wrap_deg
from scanner.records import Detection, Glimpse, Pose, Track

Direction = tuple[float, float]  # to the right, up; degrees

MAX_GAP_S: Final = 2.0  # a track that was not seen for so long has ended
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
CERTAIN_COST: Final = 4.0  # squared sigmas by which the second-best answer must be worse
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
        self.frames = {first.frame}
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
        self.frames.add(new.frame)

    def residual(self, new: Glimpse) -> Direction:
        """How far a glimpse is from where this track expects it."""
        at = self._predicted((new.pose.at_ns - self.glimpses[-1].pose.at_ns) / 1e9)
        bearing, elevation = _direction(new)
        return wrap_deg(bearing - at[0]), elevation - at[1]

    def cost(self, new: Glimpse, shift: Direction) -> float:
        """Squared sigmas between a glimpse, moved back by the sway, and the expectation."""
        last = self.glimpses[-1]
        seconds = (new.pose.at_ns - last.pose.at_ns) / 1e9
        right, up = self.residual(new)
        off = math.hypot(right - shift[0], up - shift[1]) / (OWN_DEG + OWN_DEG_PER_S * seconds)
        growth = abs(math.log(new.size_deg / last.size_deg)) / SIZE_SIGMA
        if off > OWN_GATE or growth > SIZE_GATE:
            return FORBIDDEN
        other = new.detection.kind != last.detection.kind
        return off**2 + growth**2 / 2 + OTHER_KIND_COST * other

    def _predicted(self, seconds: float) -> Direction:
        return self._at[0] + self._rate[0] * seconds, self._at[1] + self._rate[1] * seconds


def _direction(seen: Glimpse) -> Direction:
    return seen.pose.heading_deg + seen.azimuth_deg, seen.elevation_deg


Table = list[list[float]]  # costs, (glimpses, tracks)


class _Matching:
    """All tracks and glimpses of a frame, matched for the sway that makes the frame likeliest.

    Candidates for the sway: none, and whatever would put one glimpse exactly on one track.
    """

    def __init__(self, live: Sequence[_Live], seen: Sequence[Glimpse]) -> None:
        shifts: list[Direction] = [(0.0, 0.0)]
        for new in seen:
            for track in live:
                right, up = track.residual(new)
                if math.hypot(right, up) <= MAX_SWAY_DEG:
                    shifts.append((right, up))
        self._sway_costs = [math.hypot(*shift) ** 2 / SWAY_DEG**2 for shift in shifts]
        self._live = live
        self._tables: list[Table] = [
            [[track.cost(new, shift) for track in live] for new in seen] for shift in shifts
        ]
        self.cost, self.columns = min(
            (
                _assigned(table, sway)
                for table, sway in zip(self._tables, self._sway_costs, strict=True)
            ),
            key=lambda result: result[0],
        )

    def is_certain(self, row: int) -> bool:
        """Whether no other camera's track could nearly as well have given this glimpse.

        Two tracks are of two cameras if one frame has shown both; else one may have lost its camera
        to the other, and then it does not matter which of them goes on.
        """
        chosen = self.columns[row]
        if chosen is None:
            return True
        others = {
            column
            for table in self._tables
            for column, cost in enumerate(table[row])
            if cost < FORBIDDEN
            and not self._live[chosen].frames.isdisjoint(self._live[column].frames)
        } - {chosen}
        return all(self._forced(row, column) - self.cost >= CERTAIN_COST for column in others)

    def _forced(self, row: int, column: int) -> float:
        """Cost of the best matching in which this glimpse belongs to that track."""
        best = math.inf
        for table, sway in zip(self._tables, self._sway_costs, strict=True):
            if table[row][column] < FORBIDDEN:
                rest = [r[:column] + r[column + 1 :] for i, r in enumerate(table) if i != row]
                cost, _ = _assigned(rest, sway + table[row][column])
                best = min(best, cost)
        return best


def _assigned(table: Table, base_cost: float) -> tuple[float, list[int | None]]:
    """Cost of the best matching of a table on top of ``base_cost``, and the matching."""
    matched = assign(table, UNMATCHED_COST)
    return base_cost + sum(
        UNMATCHED_COST if column is None else row[column]
        for row, column in zip(table, matched, strict=True)
    ), matched


class Tracker:
    """Turns the detections of successive frames into tracks.

    A glimpse that might as well be of another track is left out: a place is better found from fewer
    glimpses than from another camera's.
    Numbers are this tracker's own, from 0.
    """

    def __init__(self) -> None:
        self._live: list[_Live] = []
        self._next_number = 0

    def update(self, seen: Sequence[Glimpse], now_ns: int) -> list[Track]:
        """Take in one frame's glimpses; return the tracks that ended before it."""
        kept: list[_Live] = []
        ended: list[_Live] = []
        for live in self._live:
            gone = (now_ns - live.glimpses[-1].pose.at_ns) / 1e9 > MAX_GAP_S
            (ended if gone else kept).append(live)
        self._live = list(kept)
        matching = _Matching(kept, seen)
        for row, (new, column) in enumerate(zip(seen, matching.columns, strict=True)):
            if column is None:
                self._live.append(_Live(new))
            elif matching.is_certain(row):
                kept[column].append(new)
        return self._finish(ended)

    def close(self) -> list[Track]:
        """End all tracks and return them."""
        ended, self._live = self._live, []
        return self._finish(ended)

    def _finish(self, ended: Sequence[_Live]) -> list[Track]:
        tracks = []
        for live in ended:
            if len(live.glimpses) >= MIN_GLIMPSES:
                tracks.append(Track(number=self._next_number, glimpses=tuple(live.glimpses)))
                self._next_number += 1
        return tracks
