"""Cameras along a straight street that the wearer of a stand-in lens passes, one after the other.

Where the wearer was when a frame was exposed follows from the boot clock, as for
``tests.helpers.receiver.Receiver``, so each camera's true place is known. The settings are a JSON
file: ``start_ns``, ``speed_mps``, ``sprite`` (a picture of a camera as .npy, ``HEAD_PX`` of its
side being the head).

Copied beside the module that stands in for picamera2: the fence lets nothing of the tests be read.
"""

import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from scanner.replay.lens import Board

HEAD_PX, HEAD_M = 40, 0.33
EVERY_M, ASIDE_M, ABOVE_M = 22.0, 5.0, 2.5  # ABOVE_M: above the lens
FIRST_M, NEAREST_M, FARTHEST_M = 30.0, 3.0, 40.0
HALF_WIDTH = 0.649407593  # tan(33 degrees): what the preset v3 sees to one side
GREY = 114


def mounted(number: int) -> tuple[float, float]:
    """East and north of a camera from where the walk began, metres."""
    return ASIDE_M if number % 2 else -ASIDE_M, FIRST_M + number * EVERY_M


class Street:
    """What lies in front of the lens of a board (``scanner.replay.lens.Board``)."""

    def __init__(self, settings: Path, board: Board) -> None:
        self._board = board
        told = json.loads(settings.read_text())
        self._start_ns, self._speed_mps = int(told["start_ns"]), float(told["speed_mps"])
        self._sprite = Image.fromarray(np.load(told["sprite"]))

    def __call__(self, _: int, width: int, height: int) -> np.ndarray:
        """The picture of this frame, of that size."""
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        gone_s = (self._board.sensor_ns + boot_ns - self._start_ns) / 1e9
        north_m = self._speed_mps * gone_s
        picture = Image.new("RGB", (width, height), (GREY, GREY, GREY))
        focal_px = width / 2 / HALF_WIDTH
        last = int((north_m + FARTHEST_M - FIRST_M) // EVERY_M)
        for number in range(max(last - 3, 0), last + 1):
            east_m, at_m = mounted(number)
            ahead_m = at_m - north_m
            if NEAREST_M < ahead_m < FARTHEST_M:
                side = round(focal_px * HEAD_M / ahead_m * self._sprite.width / HEAD_PX)
                x = width / 2 + focal_px * east_m / ahead_m - side / 2
                y = height / 2 - focal_px * ABOVE_M / ahead_m - side / 2
                shown = self._sprite.resize((side, side), Image.Resampling.BOX)
                picture.paste(shown, (round(x), round(y)))
        return np.array(picture)  # writeable: never the same again, so not to be kept
