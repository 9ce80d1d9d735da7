"""A simulated street as a detector would see it: hundreds of cameras, no pixels.

Cameras hang at sites along a straight way, with look-alikes between them. Whether a look shows one
depends on its size in pixels, on the camera (some are hard to make out from everywhere) and on
chance, and chance is drawn once per frame, camera and scale: every policy meets the same street.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanner.core import locate as model
from scanner.core.geometry import LensModel, Origin
from scanner.core.tiles import Tile, clipped, cut_by_edge
from scanner.records import Box, Detection, Kind, Position
from scanner.simulated.walks import KINDS, OFFSET_M, SPEED_MPS, hung_m

ORIGIN = Origin(55.752, 37.6175)
LENS = LensModel(width_px=1280, height_px=720, hfov_deg=66.0, mount_pitch_deg=8.0)
LENGTH_M, SITE_EVERY_M, MOST_AT_A_SITE = 280.0, 18.0, 3
SIGHT_M = (12.0, 30.0)  # from so far on nothing stands in front of a camera
SWAY_DEG = 1.5
HALF_PX = 20.0  # geometric mean side at which every other look shows a camera
COARSE_GAIN = 1.3  # a shrunk picture is cleaner: measured on the rendered walk
CLOSER_MOST_PX = 30.0  # what is drawn up shows no more than this much would: measured there, too
STEEPNESS = 4.4  # logits per e-fold of size
CAMERA_SPREAD = 0.8  # logits by which cameras differ, 1 sigma
LOOKALIKE_LOGITS = -1.5
BOX_NOISE = 0.05  # of the side


@dataclass(frozen=True)
class Thing:
    """A camera or what looks like one: east and north of the start, height, size, metres."""

    east_m: float
    north_m: float
    height_m: float
    size_m: float
    kind: Kind
    sight_m: float
    logits: float
    real: bool


class Street:
    """One walk of ``rate`` frames a second down a street of its own."""

    def __init__(self, seed: int, rate: float) -> None:
        rng = np.random.default_rng(seed)
        self.rate = rate
        self.frames: Final = int(LENGTH_M / SPEED_MPS * rate)
        self.things = _furnish(rng)
        self._sway = rng.normal(0, SWAY_DEG, (self.frames, 2))
        self._luck: NDArray[np.float64] = rng.random((self.frames, len(self.things), 3))
        self._noise = rng.normal(0, BOX_NOISE, (self.frames, len(self.things), 2))
        self._boxes = [self._in_view(frame) for frame in range(self.frames)]

    @property
    def truth(self) -> list[tuple[float, float]]:
        """Latitude and longitude of the cameras."""
        return [ORIGIN.geodetic_from_enu(t.east_m, t.north_m) for t in self.things if t.real]

    def position_at(self, at_ns: int) -> Position:
        """Where the walker is: GNSS without error, which is not what is asked here."""
        lat, lon = ORIGIN.geodetic_from_enu(0, SPEED_MPS * at_ns / 1e9)
        return Position(
            at_ns=at_ns,
            lat_deg=lat,
            lon_deg=lon,
            sigma_m=2.0,
            course_deg=0.0,
            course_sigma_deg=3.0,
            utc_s=None,
        )

    def see(self, frame: int, tile: Tile) -> list[Detection]:
        """What the detector makes of one tile of a frame, in pixels of the frame."""
        found = []
        look = 0 if tile.side == 320 else 1 if tile.side > 320 else 2
        for number, box in self._boxes[frame]:
            thing = self.things[number]
            side = math.sqrt(box.width_px * box.height_px)
            shown = side * 320 / tile.side * (COARSE_GAIN if tile.side > 320 else 1)
            if tile.side < 320:
                shown = max(side, min(shown, CLOSER_MOST_PX))
            logit = STEEPNESS * math.log(shown / HALF_PX) + thing.logits
            if self._luck[frame, number, look] > 1 / (1 + math.exp(-logit)):
                continue
            seen = Detection(box=box, score=0.8, kind=thing.kind)
            whole = (
                tile.x <= box.x0
                and tile.y <= box.y0
                and box.x1 <= tile.x + tile.side
                and box.y1 <= tile.y + tile.side
            )
            if whole and not cut_by_edge(seen, tile, LENS.width_px, LENS.height_px):
                found.append(seen)
        return found

    def _in_view(self, frame: int) -> list[tuple[int, Box]]:
        """Number and box of everything in reach and inside the picture."""
        boxes = []
        north = SPEED_MPS * frame / self.rate
        yaw, nod = self._sway[frame]
        for number, thing in enumerate(self.things):
            ahead, up = thing.north_m - north, thing.height_m - LENS.height_m
            distance = math.hypot(thing.east_m, ahead, up)
            if ahead < 1 or distance > thing.sight_m:
                continue
            azimuth = math.atan2(thing.east_m, ahead) - math.radians(yaw)
            elevation = math.asin(up / distance) - math.radians(nod)
            x, y, stretch = _pixel(azimuth, elevation)
            side = LENS.focal_px * thing.size_m / distance * stretch
            x, y = (
                x + side * self._noise[frame, number, 0],
                y + side * self._noise[frame, number, 1],
            )
            box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
            inside = clipped(
                Detection(box=box, score=1, kind=thing.kind), LENS.width_px, LENS.height_px
            )
            if inside:
                boxes.append((number, inside.box))
        return boxes


def _furnish(rng: np.random.Generator) -> Sequence[Thing]:
    things = []
    north = rng.uniform(5, SITE_EVERY_M)
    while north < LENGTH_M:
        side, offset = rng.choice([-1, 1]), rng.uniform(*OFFSET_M)
        sight, real = rng.uniform(*SIGHT_M), bool(rng.random() < 0.6)
        for _ in range(rng.integers(1, MOST_AT_A_SITE + 1) if real else 1):
            kind = KINDS[rng.integers(len(KINDS))]
            size = model.HEAD_SIZE_M[kind] * math.exp(rng.normal(0, model.SIZE_SIGMA))
            things.append(
                Thing(
                    east_m=float(side * offset),
                    north_m=float(north + rng.uniform(0, 4)),
                    height_m=hung_m(rng),
                    size_m=float(size),
                    kind=kind,
                    sight_m=float(sight),
                    logits=float(rng.normal(0, CAMERA_SPREAD) + LOOKALIKE_LOGITS * (not real)),
                    real=real,
                )
            )
        north += rng.exponential(SITE_EVERY_M / 1.6)
    return things


def _pixel(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """Pixel of a level direction (radians), and how much larger things look there."""
    pitch = math.radians(LENS.mount_pitch_deg)
    forward, up = math.cos(elevation) * math.cos(azimuth), math.sin(elevation)
    right = math.cos(elevation) * math.sin(azimuth)
    depth = max(forward * math.cos(pitch) + up * math.sin(pitch), 1e-3)
    rise = up * math.cos(pitch) - forward * math.sin(pitch)
    return (
        LENS.width_px / 2 + LENS.focal_px * right / depth,
        LENS.height_px / 2 - LENS.focal_px * rise / depth,
        depth**-1.5,
    )
