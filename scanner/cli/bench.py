"""``scanner bench``: how fast this machine looks."""

import argparse
import os
import resource
import time
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from scanner.app import REPLAY_RATE, open_detector
from scanner.cli import add_config_option, config_of
from scanner.cli.text import json_line
from scanner.config import Config
from scanner.errors import UsageError
from scanner.looking import Watcher

WARM_UP: Final = 3  # tiles


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, all at native resolution."""

    tile_px: int
    threads: int
    frame: str
    tiles_per_frame: float  # on average, within detector.inferences_per_s
    invoke_ms: float  # median of single inferences
    invoke_min_ms: float
    tiles_per_s: float
    frames_per_s: float
    invoke_share: float  # of the wall time
    first_inference_s: float  # from the start of the process
    peak_memory_mb: float


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("bench", help="how fast this machine looks")
    parser.add_argument("--frames", type=int, default=20, help="frames to look at (20)")
    parser.add_argument("--json", action="store_true", help="as a JSON object")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the inference times")
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look at frames of noise and say how long it took."""
    if args.frames < 1:
        raise UsageError(f"--frames {args.frames}: at least 1 is wanted")
    result, times_ms = measure(config_of(args), args.frames)
    if args.plot:
        args.plot.write_text(_plot(times_ms, result), encoding="utf-8")
    print(json_line(result) if args.json else _text(result))
    return 0


def measure(config: Config, frames: int) -> tuple[Result, list[float]]:
    """Result, and the milliseconds of each inference."""
    detector = open_detector(config)
    size = detector.tile_size
    rng = np.random.default_rng(1)
    detector.infer(rng.integers(0, 256, (size, size, 3), dtype=np.uint8))
    first_s = _process_age_s()
    width, height = config.lens.width_px, config.lens.height_px
    # Smooth noise, as a street is: white noise would keep the head busier than any picture.
    coarse = rng.integers(60, 200, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
    pixels = np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:height, :width]
    # As many tiles of a frame as the budget allows where frames come at the usual rate.
    watcher = Watcher(detector, config.detector.inferences_per_s / REPLAY_RATE)
    while watcher.looks < WARM_UP:
        watcher.look(pixels)
    before, looks = detector.invoke_s, watcher.looks
    start = time.perf_counter()
    for _ in range(frames):
        watcher.look(pixels)
    wall = time.perf_counter() - start
    share = (detector.invoke_s - before) / wall
    tiles = watcher.looks - looks
    times = []
    for _ in range(max(30, frames)):
        before = detector.invoke_s
        detector.infer(pixels[:size, :size])
        times.append((detector.invoke_s - before) * 1e3)
    return Result(
        tile_px=size,
        threads=config.detector.threads,
        frame=f"{width}x{height}",
        tiles_per_frame=round(tiles / frames, 2),
        invoke_ms=round(float(np.median(times)), 2),
        invoke_min_ms=round(min(times), 2),
        tiles_per_s=round(tiles / wall, 1),
        frames_per_s=round(frames / wall, 2),
        invoke_share=round(share, 3),
        first_inference_s=round(first_s, 2),
        peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    ), times


def _process_age_s() -> float:
    """Time since this process was started, from the kernel's books."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    return uptime_s - started_ticks / os.sysconf("SC_CLK_TCK")


def _text(r: Result) -> str:
    rows: list[tuple[str, Any]] = [
        ("one inference", f"{r.invoke_ms} ms (median), {r.invoke_min_ms} ms at best"),
        (
            "tiles",
            f"{r.tile_px} px, {r.tiles_per_frame:g} a frame of {r.frame}, {r.threads} threads",
        ),
        ("speed", f"{r.tiles_per_s} tiles/s, {r.frames_per_s} frames/s"),
        ("inside the network", f"{100 * r.invoke_share:.1f} % of the time"),
        ("start to first inference", f"{r.first_inference_s} s"),
        ("peak memory", f"{r.peak_memory_mb} MB"),
    ]
    return "\n".join(f"{name:<25} {value}" for name, value in rows)


def _plot(times_ms: list[float], result: Result) -> str:
    """Sorted inference times as an SVG picture."""
    top = max(times_ms) * 1.1
    ordered = sorted(times_ms)
    points = " ".join(
        f"{60 + 520 * i / max(len(ordered) - 1, 1):.1f},{280 - 240 * t / top:.1f}"
        for i, t in enumerate(ordered)
    )
    marks = "".join(
        f'<line x1="60" x2="580" y1="{280 - 240 * s:.0f}" y2="{280 - 240 * s:.0f}" stroke="#ddd"/>'
        f'<text x="52" y="{284 - 240 * s:.0f}" text-anchor="end">{top * s:.1f}</text>'
        for s in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 320" font-family="sans-serif" '
        f'font-size="12"><rect width="600" height="320" fill="white"/>{marks}'
        f'<polyline points="{points}" fill="none" stroke="#0b66a3" stroke-width="2"/>'
        '<text x="60" y="24" font-size="14">Time of one inference; '
        f"median {result.invoke_ms}, {result.threads} threads</text>"
        '<text x="16" y="160" transform="rotate(-90 16 160)" text-anchor="middle">'
        "milliseconds</text>"
        '<text x="320" y="304" text-anchor="middle">inferences, sorted</text>'
        '<text x="60" y="304">fastest</text><text x="580" y="304" text-anchor="end">slowest</text>'
        "</svg>\n"
    )
