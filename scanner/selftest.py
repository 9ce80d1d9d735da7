"""A marked test sighting: the whole way from pixels to a sealed record, and no further.

A made-up camera on a made-up walk, at 0 N 0 E in the sea, is seen, tracked, located, held against
the profile and sealed: all but the network's own judgement, for which ``doctor`` runs the detector.
The record names the model ``selftest`` and is sealed to a key that is thrown away at once; it goes
into a list in memory, never into the outbox.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from nacl.public import PrivateKey

from scanner.core import privacy
from scanner.core.geometry import LensModel, distance_m
from scanner.core.wire import Record
from scanner.errors import StoreError
from scanner.frame import Frame, Pixels
from scanner.looking import Watcher
from scanner.pipeline import Finder, watch
from scanner.ports import Panel
from scanner.records import Box, Detection, Kind, Position
from scanner.replay.standins import MemoryStore, ScriptedDetector, ScriptedPositions
from scanner.reporting import Sealer
from scanner.sealing import seal, unseal

MARK: Final = "selftest"  # the model's name in the record
LENS: Final = LensModel(width_px=640, height_px=480, hfov_deg=60.0)
TILE_PX: Final = 320
RATE: Final = 4.0
WALK_S: Final = 12.0
SPEED_MPS: Final = 1.4
EAST_M, NORTH_M, ABOVE_M, SIDE_M = 4.0, 22.0, 2.0, 0.25
M_PER_DEG: Final = 110_574.0  # of latitude at the equator
NEAR_M: Final = 3.0  # of where it is; the walk has no errors


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    frames: int
    record: Record
    off_m: float  # how far from its place the camera was located


def run(utc_s: float, panel: Panel) -> Outcome:
    """Walk past the made-up camera; ``utc_s`` is the time at the start, seconds since 1970.

    Raises StoreError if it did not end with exactly one record of one camera at its place.
    """
    key = PrivateKey.generate()
    store = MemoryStore()
    finder = Finder(
        Watcher(ScriptedDetector(_squares, TILE_PX)),
        ScriptedPositions(lambda at_ns: _position(at_ns, utc_s)),
        LENS,
    )
    sealer = Sealer(
        store, lambda r: seal(r, key.public_key), privacy.OPEN, model=MARK, uniform=lambda: 0.5
    )
    counts = watch(_Walk(), finder, sealer, panel)
    records = [unseal(waiting.payload, key) for waiting in store.waiting()]
    if len(records) != 1 or len(records[0].cameras) != 1 or records[0].model != MARK:
        raise StoreError(
            f"the self-test gave {len(records)} records, not one of one camera",
            hint="this is a bug: please report it with `scanner --version`",
        )
    camera = records[0].cameras[0]
    off_m = distance_m(camera.lat_e7 / 1e7, camera.lon_e7 / 1e7, *_place())
    if off_m > NEAR_M:
        raise StoreError(f"the self-test's camera was located {off_m:.0f} m off its place")
    return Outcome(frames=counts.frames, record=records[0], off_m=off_m)


def _place() -> tuple[float, float]:
    """Where the camera is, degrees; the lengths of degrees at the equator, WGS84."""
    return NORTH_M / M_PER_DEG, EAST_M / 111_320.0


class _Walk:
    """Frames of a walk to the north, each black but for a square where the camera is seen."""

    def frames(self) -> Iterator[Frame]:
        """Yield them."""
        for number in range(round(WALK_S * RATE)):
            pixels = np.zeros((LENS.height_px, LENS.width_px, 3), np.uint8)
            ahead_m = NORTH_M - SPEED_MPS * number / RATE
            x, y = LENS.pixel_from_ray(EAST_M / ahead_m, -ABOVE_M / ahead_m)
            slant_m = math.hypot(EAST_M, ahead_m, ABOVE_M)
            half = LENS.focal_px * SIDE_M / slant_m * (slant_m / ahead_m) ** 1.5 / 2
            x0, y0, x1, y1 = (round(v) for v in (x - half, y - half, x + half, y + half))
            if x0 >= 0 and y0 >= 0 and x1 <= LENS.width_px and y1 <= LENS.height_px:
                pixels[y0:y1, x0:x1] = 255
            yield Frame(number=number, at_ns=round(number / RATE * 1e9), pixels=pixels)

    def close(self) -> None:
        """Nothing is held open."""


def _squares(tile: Pixels) -> Sequence[Detection]:
    """The scripted detector: a box around what is white."""
    rows, columns = np.nonzero(tile[..., 0])
    if not len(rows):
        return []
    box = Box(*(float(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)))
    return [Detection(box=box, score=0.9, kind=Kind.DOME)]


def _position(at_ns: int, utc_s: float) -> Position:
    return Position(
        at_ns=at_ns,
        lat_deg=SPEED_MPS * at_ns / 1e9 / M_PER_DEG,
        lon_deg=0.0,
        sigma_m=0.5,
        course_deg=0.0,
        course_sigma_deg=2.0,
        utc_s=utc_s + at_ns / 1e9,
    )
