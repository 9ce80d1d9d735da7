"""Detections with poses -> tracks: the glimpses of one camera.

Association works on the sphere, not in pixels: bearing (heading plus azimuth) and elevation of a
camera change slowly while the wearer sways and turns. Each live track predicts its next direction
with a constant rate; all tracks and detections of a frame are matched at once, one to one.
"""

import math
from collections.abc import Sequence
from typing import Final

from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.geometry import LensModel, wrap_deg
from scanner.records import Detection, Glimpse, Pose, Track

MAX_GAP_S: Final = 2.0  # a track that was not seen for so long has ended
MIN_GLIMPSES: Final = 3
SWAY_DEG: Final = 3.5  # gate at no time difference: body sway between two frames
DRIFT_DEG_PER_S: Final = 4.0  # gate growth: what a constant rate does not predict
SIZE_GATE: Final = 0.8  # natural logarithm of the size ratio
RATE_GAIN: Final = 0.4  # how fast a track's rate follows new differences
OTHER_KIND_COST: Final = 0.3
UNMATCHED_COST: Final = 1.5


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
    """A track that may still grow."""

    def __init__(self, first: Glimpse) -> None:
        self.glimpses = [first]
        self.rate = (0.0, 0.0)  # bearing, elevation, degrees per second

    def append(self, new: Glimpse) -> None:
        last = self.glimpses[-1]
        seconds = (new.pose.at_ns - last.pose.at_ns) / 1e9
        if seconds > 0:
            seen = (
                wrap_deg(_bearing(new) - _bearing(last)) / seconds,
                (new.elevation_deg - last.elevation_deg) / seconds,
            )
            self.rate = (
                self.rate[0] + RATE_GAIN * (seen[0] - self.rate[0]),
                self.rate[1] + RATE_GAIN * (seen[1] - self.rate[1]),
            )
        self.glimpses.append(new)

    def cost(self, new: Glimpse) -> float:
        """Squared distance from the prediction, in gates; FORBIDDEN outside the gate."""
        last = self.glimpses[-1]
        seconds = (new.pose.at_ns - last.pose.at_ns) / 1e9
        off = math.hypot(
            wrap_deg(_bearing(new) - _bearing(last) - self.rate[0] * seconds),
            new.elevation_deg - last.elevation_deg - self.rate[1] * seconds,
        ) / (SWAY_DEG + DRIFT_DEG_PER_S * seconds)
        growth = abs(math.log(new.size_deg / last.size_deg)) / SIZE_GATE
        if off > 1 or growth > 1:
            return FORBIDDEN
        other = new.detection.kind != last.detection.kind
        return off**2 + growth**2 / 2 + OTHER_KIND_COST * other


def _bearing(seen: Glimpse) -> float:
    return seen.pose.heading_deg + seen.azimuth_deg


class Tracker:
    """Turns the detections of successive frames into tracks.

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
        self._live = kept
        self._match(seen)
        return self._finish(ended)

    def close(self) -> list[Track]:
        """End all tracks and return them."""
        ended, self._live = self._live, []
        return self._finish(ended)

    @property
    def live_count(self) -> int:
        """How many tracks may still grow."""
        return len(self._live)

    def _match(self, seen: Sequence[Glimpse]) -> None:
        costs = [[live.cost(new) for live in self._live] for new in seen]
        for new, column in zip(seen, assign(costs, UNMATCHED_COST), strict=True):
            if column is None:
                self._live.append(_Live(new))
            else:
                self._live[column].append(new)

    def _finish(self, ended: Sequence[_Live]) -> list[Track]:
        tracks = []
        for live in ended:
            if len(live.glimpses) >= MIN_GLIMPSES:
                tracks.append(Track(number=self._next_number, glimpses=tuple(live.glimpses)))
                self._next_number += 1
        return tracks
