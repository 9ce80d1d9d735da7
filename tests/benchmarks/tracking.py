"""How many glimpses a second the tracker takes, and how often it mixes cameras up.

    python -m tests.benchmarks.tracking --walks 100

Each walk: two cameras 1 m apart on one pole, 8 m off the way, passed at 1.4 m/s with 4 looks a
second, 1.5 degrees of sway, a quarter of the looks missed, kinds told rightly in 80 of 100 looks.
A switch is a glimpse whose camera differs from that of the glimpse before it in its track.
"""

import argparse
import itertools
import math
import random
import time

from scanner.core.geometry import LensModel
from scanner.core.tracking import Tracker, glimpse
from scanner.records import Box, Detection, Glimpse, Kind, Pose, Track

LENS = LensModel(width_px=1280, height_px=720, hfov_deg=66.0, mount_pitch_deg=8.0)
RATE, SPEED_MPS, FAR_M, OFFSET_M = 4, 1.4, 25.0, 8.0
PLACES = ((0.0, 0.0, Kind.BULLET), (1.0, 0.2, Kind.DOME))  # along the way, up, metres
SWAY_DEG, SEEN, KIND_RIGHT = 1.5, 0.75, 0.8


def walk(rng: random.Random) -> list[tuple[int, list[tuple[int, Glimpse]]]]:
    """Per frame its time (ns) and what is seen: number of the camera, glimpse."""
    frames = []
    for number in range(int(FAR_M / SPEED_MPS * RATE)):
        at_ns = number * 10**9 // RATE
        sway = rng.gauss(0, SWAY_DEG), rng.gauss(0, SWAY_DEG)
        seen = []
        for camera, (along, up, kind) in enumerate(PLACES):
            ahead = FAR_M + along - SPEED_MPS * number / RATE
            azimuth = math.degrees(math.atan2(OFFSET_M, ahead)) + sway[0]
            ground = math.hypot(OFFSET_M, ahead)
            elevation = math.degrees(math.atan2(2.3 + up, ground)) + sway[1]
            if abs(azimuth) < LENS.hfov_deg / 2 - 1 and rng.random() < SEEN:
                told = kind if rng.random() < KIND_RIGHT else rng.choice(list(Kind))
                seen.append((camera, _glimpse(azimuth, elevation, ground, told, at_ns, number)))
        frames.append((at_ns, seen))
    return frames


def _glimpse(  # noqa: PLR0917 - one call
    azimuth: float, elevation: float, ground_m: float, kind: Kind, at_ns: int, number: int
) -> Glimpse:
    x = LENS.width_px / 2 + LENS.focal_px * math.tan(math.radians(azimuth))
    y = LENS.height_px / 2 - LENS.focal_px * math.tan(math.radians(elevation - 8.0))
    half = LENS.focal_px * 0.2 / ground_m / 2
    pose = Pose(
        at_ns=at_ns,
        lat_deg=0,
        lon_deg=0,
        sigma_m=2,
        heading_deg=0,
        heading_sigma_deg=3,
        pitch_deg=8,
        height_m=1.5,
    )
    box = Box(x - half, y - half, x + half, y + half)
    return glimpse(Detection(box=box, score=0.8, kind=kind), pose, LENS, number)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="speed and mistakes of the tracker")
    parser.add_argument("--walks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    glimpses = switches = tracks = broken = 0
    spent_s = 0.0
    for _ in range(args.walks):
        frames = walk(rng)
        owner = {id(g): camera for _, seen in frames for camera, g in seen}
        start = time.perf_counter()
        tracker, ended = Tracker(), list[Track]()
        for at_ns, seen in frames:
            ended += tracker.update([g for _, g in seen], at_ns)
        ended += tracker.close()
        spent_s += time.perf_counter() - start
        glimpses += len(owner)
        tracks += len(ended)
        broken += len(ended) != len(PLACES)
        for track in ended:
            cameras = [owner[id(g)] for g in track.glimpses]
            switches += sum(a != b for a, b in itertools.pairwise(cameras))
    print(f"{glimpses / spent_s:.0f} glimpses/s of one core")
    print(
        f"{switches} switches in {tracks} tracks; {broken} of {args.walks} walks not in two tracks"
    )


if __name__ == "__main__":
    main()
