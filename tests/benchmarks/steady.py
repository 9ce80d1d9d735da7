"""The steady state of `watch`: memory over 20,000 frames, processor time outside the network.

    python -m tests.benchmarks.steady [--frames 20000]

The real pipeline from the lens' adapter to the outbox; the lens itself is the shipped stand-in,
which shows frames of the demo's walk at 1280x720 to a wearer who walks on for ever. Its drawing and
the network's own time are counted apart; picamera2's are not in it. Times are processor time, so a
busy machine changes little. Prints a table; the exit code says whether the bars hold.
"""

import argparse
import itertools
import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scanner import demo
from scanner.app import (
    FAINT_ODDS,
    FIRST_ODDS,
    REPLAY_RATE,
    at_odds,
    lens_model,
    nobodys_key,
    open_detector,
)
from scanner.config import Config
from scanner.core.privacy import PROFILES
from scanner.frame import Frame, Pixels
from scanner.hardware.picamera import PicameraFrames
from scanner.hardware.tflite import TfliteDetector
from scanner.looking import Watcher
from scanner.pipeline import Finder, watch
from scanner.records import Position
from scanner.replay.frames import VideoFrames
from scanner.replay.lens import Board, Camera
from scanner.replay.standins import ConsolePanel, ScriptedPositions
from scanner.reporting import Sealer
from scanner.sealing import seal
from scanner.storage.outbox import Outbox

BAR_MB, BAR_BYTES_PER_FRAME, BAR_SHARE = 250.0, 1000.0, 0.15
RATE = 4.0  # frames a second that the share of a core is told for
CPU_TILES = 3.0  # tiles a frame: what a Pi 4 without accelerator does at that rate
CPU_FRAMES = 300
MEMORY_TILES = 0.25  # so that 20,000 frames take minutes
WARM_UP = 2000  # frames until all buffers, caches and pools are there
STEP_M = 0.3
DEGREE_M = 111_333.0


class Stopwatch:
    """Processor seconds spent inside something."""

    def __init__(self) -> None:
        self.spent_s = 0.0

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same, timed."""

        def timed(*args: Any) -> Any:
            start = time.process_time()
            try:
                return work(*args)
            finally:
                self.spent_s += time.process_time() - start

        return timed


class TimedBoard(Board):
    """A board whose cameras' drawing is timed."""

    def __init__(self, drawing: Stopwatch, picture: Callable[[int, int, int], Pixels]) -> None:
        super().__init__("pi4", picture=picture, sleep=None)
        self._drawing = drawing

    def __call__(self, number: int = 0) -> Camera:
        camera = super().__call__(number)
        camera.take = self._drawing.around(camera.take)  # type: ignore[method-assign]
        return camera


def pictures() -> Callable[[int, int, int], Pixels]:
    """A few frames of the demo's walk, again and again."""
    source = VideoFrames(Path(next(iter(demo.__path__))) / "walk.mp4")
    shown = [f.pixels for f in itertools.islice(source.frames(), 0, 80, 20)]
    source.close()
    halves = [np.ascontiguousarray(p[::2, ::2]) for p in shown]
    for pixels in (*shown, *halves):
        pixels.flags.writeable = False  # so that the stand-in encodes each once

    def picture(number: int, width: int, _: int) -> Pixels:
        return (shown if width == shown[0].shape[1] else halves)[number // 20 % len(shown)]

    return picture


def walking(at_ns: int) -> Position:
    """North for ever, to and fro over a kilometre."""
    walked_m = at_ns / 1e9 * RATE * STEP_M
    along_m = abs((walked_m % 2000) - 1000)
    return Position(
        at_ns=at_ns,
        utc_s=1_780_000_000.0 + at_ns / 1e9,
        lat_deg=55.75 + along_m / DEGREE_M,
        lon_deg=37.6,
        sigma_m=4.0,
        course_deg=0.0 if (walked_m % 2000) < 1000 else 180.0,
        course_sigma_deg=5.0,
    )


class Measured:
    """Frames of a lens, with what was measured after each."""

    def __init__(self, lens: PicameraFrames, count: int, watches: list[Stopwatch]) -> None:
        self._lens, self._count, self._watches = lens, count, watches
        self.memory: list[int] = []  # bytes
        self.ours_s = 0.0

    def frames(self) -> Iterator[Frame]:
        """So many frames."""
        page = resource.getpagesize()
        frames = self._lens.frames()
        yield next(frames)
        others_s = sum(w.spent_s for w in self._watches)
        start = time.process_time()
        for frame in itertools.islice(frames, self._count):
            yield frame
            self.memory.append(page * int(Path("/proc/self/statm").read_text().split()[1]))
        spent_s = time.process_time() - start
        self.ours_s = spent_s - (sum(w.spent_s for w in self._watches) - others_s)

    def close(self) -> None:
        """Close the lens."""
        self._lens.close()


def run(tiles: float, frames: int, folder: Path) -> tuple[Measured, Any]:
    """So many frames with so many tiles each, on average."""
    config, drawing, network = Config(), Stopwatch(), Stopwatch()
    detector: TfliteDetector = open_detector(config, odds=FIRST_ODDS)
    least = at_odds(config.detector.threshold, FAINT_ODDS)
    engine = detector._processor
    engine.invoke = network.around(engine.invoke)  # type: ignore[method-assign]
    lens = PicameraFrames(1280, 720, rate=REPLAY_RATE, open_camera=TimedBoard(drawing, pictures()))
    finder = Finder(
        Watcher(detector, tiles, coarse_every=5, least=least),
        ScriptedPositions(walking),
        lens_model(config.lens),
    )
    key = nobodys_key()
    store = Outbox(folder)
    sealer = Sealer(
        store, lambda record: seal(record, key), PROFILES["open"], model="0", uniform=lambda: 0.5
    )
    source = Measured(lens, frames, [drawing, network])
    with (folder / "console").open("w") as console:
        counts = watch(source, finder, sealer, ConsolePanel(console))
    source.close()
    store.close()
    return source, counts


def slope(memory: list[int]) -> float:
    """Bytes a frame, by least squares, after the warm-up."""
    settled = np.array(memory[min(WARM_UP, len(memory) // 2) :], float)
    return float(np.polyfit(np.arange(settled.size), settled, 1)[0])


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    frames = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        busy, _ = run(CPU_TILES, min(CPU_FRAMES, frames), Path(first))
        long, counts = run(MEMORY_TILES, frames, Path(second))
    share = busy.ours_s / min(CPU_FRAMES, frames) * RATE
    peak_mb = max(long.memory) / 1e6
    growth = slope(long.memory)
    outside = f"{100 * share:.1f} % of a core at {RATE:g} frames/s, {CPU_TILES:g} tiles each"
    rows = [
        ("frames", f"{len(long.memory)}", True),
        ("memory at most", f"{peak_mb:.0f} MB (bar {BAR_MB:.0f})", peak_mb < BAR_MB),
        (
            "growth",
            f"{growth:.0f} bytes a frame (bar {BAR_BYTES_PER_FRAME:.0f})",
            growth < BAR_BYTES_PER_FRAME,
        ),
        (
            "outside the network",
            f"{outside} (bar {100 * BAR_SHARE:.0f})",
            share < BAR_SHARE,
        ),
        ("found", f"{counts.detections} detections, {counts.records} records", True),
    ]
    for name, text, good in rows:
        print(f"{name:<22}{text}{'' if good else '  NOT WITHIN THE BAR'}")
    return 0 if all(good for _, _, good in rows) and math.isfinite(growth) else 1


if __name__ == "__main__":
    sys.exit(main())
