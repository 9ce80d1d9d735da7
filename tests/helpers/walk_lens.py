"""The demo's walk in front of a stand-in lens, from the moment that a file tells.

Copied beside the module that stands in for picamera2: the fence lets nothing of the tests be read.
"""

import os
import time
from collections.abc import Iterator

import av
import numpy as np

import scanner.demo

START = os.environ.get("WALK_START", "")  # a file with the monotonic clock at the walk's start


def _timed() -> Iterator[tuple[float, np.ndarray]]:
    with av.open(str(next(iter(scanner.demo.__path__))) + "/walk.mp4") as video:
        for frame in video.decode(video=0):
            yield float(frame.time), frame.to_ndarray(format="rgb24")


class Street:
    """What lies in front of the lens; grey before the walk begins and after it."""

    def __init__(self) -> None:
        self._frames: Iterator[tuple[float, np.ndarray]] | None = None
        self._shown = np.full((720, 1280, 3), 114, np.uint8)
        self._next: tuple[float, np.ndarray] | None = None

    def __call__(self, _: int, width: int, height: int) -> np.ndarray:
        """The picture of now, of that size."""
        begun_s = self._begun_s()
        if begun_s:
            self._frames = self._frames or _timed()
            self._next = self._next or next(self._frames, None)
            while self._next and self._next[0] <= time.monotonic() - begun_s:
                self._shown = self._next[1]
                self._next = next(self._frames, None)
        step = self._shown.shape[0] // height
        return self._shown[::step, ::step][:height, :width]

    def _begun_s(self) -> float:
        try:
            with open(START) as file:  # noqa: PTH123 - once a frame
                return float(file.read() or 0)
        except OSError:
            return 0.0


walk = Street()
