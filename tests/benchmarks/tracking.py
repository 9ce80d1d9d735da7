"""How many glimpses a second the tracker takes, and how often it mixes cameras up.

    python -m tests.benchmarks.tracking --walks 100

Two cameras on one pole, 1 m apart, passed at 1.4 m/s from 25 m on, 6 m off the way; a bullet and a
dome whose kinds are told rightly in 80 of 100 looks, so that geometry has to tell them apart. GNSS
errs by 2 m over a minute, the heading by 5 degrees of which 3 are a bias, each box by 0.3 degrees.
"walking" sway is 1.5 degrees to and fro at 2 Hz, "white" 1.5 degrees (1 sigma) drawn anew for each
frame, "slow" the same with a memory of a second; all cameras of a frame share it.

A switch is a glimpse whose camera differs from that of the glimpse before it in its track. "kept"
is the share of the glimpses that ended up in a track, "two" that of walks that gave two tracks.
"""

import argparse
import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from scanner.cli.text import table
from scanner.core.geometry import LensModel, Origin
from scanner.core.tracking import Tracker, glimpse
from scanner.records import Box, Detection, Glimpse, Kind, Pose, Track
from scanner.simulated.walks import wander

LENS: Final = LensModel(width_px=1280, height_px=720, hfov_deg=66.0, mount_pitch_deg=8.0)
ORIGIN: Final = Origin(55.752, 37.6175)
SPEED_MPS, FAR_M, AWAY_S, BEND_M = 1.4, 25.0, 60.0, 6.0
KIND_RIGHT, BOX_DEG, SWAY_DEG, GNSS_M, HEADING_DEG = 0.8, 0.3, 1.5, 2.0, 4.0
HEADER: Final = "scene|sway|looks/s|missed %|switches per 100 tracks|tracks per camera|two %|kept %"

Way = Callable[[float], tuple[float, float, float]]  # seconds -> east, north, course
Frames = list[tuple[int, list[tuple[int, Glimpse]]]]  # at_ns, (number of the camera, glimpse)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """A walk past some cameras."""

    name: str
    sway: str
    rate: float
    missed: float = 0.3
    offset_m: float = 6.0
    passes: int = 1
    corner: bool = False
    cameras: tuple[tuple[float, float, Kind], ...] = (  # metres along the way, up; kind
        (0.0, 3.8, Kind.BULLET),
        (1.0, 4.0, Kind.DOME),
    )


PAIR: Final = [
    Scene(name="pair", sway=sway, rate=rate)
    for sway in ("walking", "slow", "white")
    for rate in (1.0, 2.0, 4.0, 10.0)
]
SCENES: Final = [
    *PAIR,
    Scene(name="pair, 12 m off", sway="walking", rate=4.0, offset_m=12.0),
    Scene(name="pair, 12 m off", sway="white", rate=4.0, offset_m=12.0),
    Scene(name="corner", sway="walking", rate=4.0, corner=True),
    Scene(name="corner", sway="white", rate=4.0, corner=True),
    Scene(name="two passes", sway="walking", rate=4.0, passes=2),
    Scene(
        name="same kind",
        sway="walking",
        rate=4.0,
        cameras=((0.0, 3.8, Kind.DOME), (1.0, 4.0, Kind.DOME)),
    ),
    Scene(name="one camera", sway="white", rate=4.0, cameras=((0.0, 3.8, Kind.DOME),)),
]


def straight(t_s: float) -> tuple[float, float, float]:
    """East, north, course of a walk due north to the pole at (offset, 0)."""
    return 0.0, SPEED_MPS * t_s - FAR_M, 0.0


def round_a_corner(t_s: float) -> tuple[float, float, float]:
    """From the west, then a quarter circle to the left 15 m before the pole, then due north."""
    bend_m = BEND_M * math.pi / 2
    way = SPEED_MPS * t_s - (FAR_M - 15 - BEND_M)
    if way < 0:
        return way - BEND_M, -15 - BEND_M, 90.0
    if way < bend_m:
        turn = way / BEND_M
        return (
            BEND_M * (math.sin(turn) - 1),
            -15 - BEND_M * math.cos(turn),
            90 - math.degrees(turn),
        )
    return 0.0, way - bend_m - 15, 0.0


def sways(rng: np.random.Generator, kind: str, times: Sequence[float]) -> list[tuple[float, float]]:
    """Right and up of each frame, degrees."""
    if kind == "walking":
        phase = rng.uniform(0, 2 * math.pi, 2)
        angle = 2 * math.pi * np.asarray(times)
        # Left and right once a stride, up and down once a step.
        pair = [SWAY_DEG * np.sin(2 * angle + phase[0]), SWAY_DEG * np.sin(2 * angle + phase[1])]
    elif kind == "white":
        pair = list(rng.normal(0, SWAY_DEG, (2, len(times))))
    else:
        step_s = times[1] - times[0]
        pair = [wander(rng, len(times), SWAY_DEG, 1.0, step_s) for _ in range(2)]
    return [(float(right), float(up)) for right, up in zip(*pair, strict=True)]


def walk(rng: np.random.Generator, scene: Scene) -> Frames:
    """What is seen on one walk, pass after pass."""
    way: Way = round_a_corner if scene.corner else straight
    frames: Frames = []
    seconds = FAR_M / SPEED_MPS + (4 if scene.corner else 0)
    each = round(seconds * scene.rate)
    count = each * scene.passes
    east = wander(rng, count, GNSS_M, 60, 1 / scene.rate)
    north = wander(rng, count, GNSS_M, 60, 1 / scene.rate)
    heading = rng.normal(0, 3) + wander(rng, count, HEADING_DEG, 4, 1 / scene.rate)
    shifts = sways(rng, scene.sway, [n / scene.rate for n in range(count)])
    for number in range(count):
        lap, step = divmod(number, each)
        true = way(step / scene.rate)
        at_ns = round((number / scene.rate + lap * AWAY_S) * 1e9)
        place = true[0] + east[number], true[1] + north[number]
        pose = _pose(at_ns, place, true[2] + float(heading[number]))
        seen = []
        for camera, (along, up, kind) in enumerate(scene.cameras):
            if rng.random() < scene.missed:
                continue
            told = kind if rng.random() < KIND_RIGHT else list(Kind)[rng.integers(len(Kind))]
            where = scene.offset_m - true[0], along - true[1], up - LENS.height_m
            found = _look(rng, where, true[2], shifts[number], told)
            if found:
                seen.append((camera, glimpse(found, pose, LENS, number)))
        frames.append((at_ns, seen))
    return frames


def _pose(at_ns: int, place: tuple[float, float], heading_deg: float) -> Pose:
    lat, lon = ORIGIN.geodetic_from_enu(*place)
    return Pose(
        at_ns=at_ns,
        lat_deg=lat,
        lon_deg=lon,
        sigma_m=GNSS_M,
        heading_deg=heading_deg % 360,
        heading_sigma_deg=5,
        pitch_deg=LENS.mount_pitch_deg,
        height_m=LENS.height_m,
    )


def _look(
    rng: np.random.Generator,
    where: tuple[float, float, float],
    course_deg: float,
    sway: tuple[float, float],
    kind: Kind,
) -> Detection | None:
    """The box of a camera that is so far east, north and up of the lens; None out of view."""
    east, north, up = where
    ground = math.hypot(east, north)
    azimuth = math.degrees(math.atan2(east, north)) - course_deg
    azimuth = (azimuth + 180) % 360 - 180 + sway[0] + rng.normal(0, BOX_DEG)
    elevation = math.degrees(math.atan2(up, ground)) + sway[1] + rng.normal(0, BOX_DEG)
    if abs(azimuth) > LENS.hfov_deg / 2 - 1:
        return None
    # Turned by the mount's pitch, then through the pinhole.
    right, rise = math.tan(math.radians(azimuth)), math.tan(math.radians(elevation))
    rise /= math.cos(math.radians(azimuth))
    pitch = math.radians(LENS.mount_pitch_deg)
    depth = math.cos(pitch) + rise * math.sin(pitch)
    x = LENS.width_px / 2 + LENS.focal_px * right / depth
    y = LENS.height_px / 2 - LENS.focal_px * (rise * math.cos(pitch) - math.sin(pitch)) / depth
    stretch = math.cos(math.radians(azimuth)) ** -1.5
    half = LENS.focal_px * 0.18 / ground / 2 * stretch * math.exp(rng.normal(0, 0.1))
    return Detection(box=Box(x - half, y - half, x + half, y + half), score=0.8, kind=kind)


class Result(msgspec.Struct):
    """Sums over some walks."""

    glimpses: int = 0
    kept: int = 0
    switches: int = 0
    tracks: int = 0
    exact: int = 0
    spent_s: float = 0.0


def measure(scene: Scene, walks: int, seed: int) -> Result:
    """The tracker's mistakes on some walks of one scene."""
    rng = np.random.default_rng(seed)
    result = Result()
    for _ in range(walks):
        frames = walk(rng, scene)
        owner = {id(g): camera for _, seen in frames for camera, g in seen}
        start = time.process_time()
        tracker, ended = Tracker(), list[Track]()
        for at_ns, seen in frames:
            ended += tracker.update([g for _, g in seen], at_ns)
        ended += tracker.close()
        result.spent_s += time.process_time() - start
        result.glimpses += len(owner)
        result.tracks += len(ended)
        result.exact += len(ended) == len(scene.cameras) * scene.passes
        for track in ended:
            cameras = [owner[id(g)] for g in track.glimpses]
            result.kept += len(cameras)
            result.switches += sum(a != b for a, b in itertools.pairwise(cameras))
    return result


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="speed and mistakes of the tracker")
    parser.add_argument("--walks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rows, total = [], Result()
    for scene in SCENES:
        result = measure(scene, args.walks, args.seed)
        total.glimpses += result.glimpses
        total.spent_s += result.spent_s
        wanted = len(scene.cameras) * scene.passes * args.walks
        figures = [
            f"{100 * result.switches / max(result.tracks, 1):.1f}",
            f"{result.tracks / wanted:.2f}",
            f"{100 * result.exact / args.walks:.0f}",
            f"{100 * result.kept / result.glimpses:.0f}",
        ]
        rows.append(
            [scene.name, scene.sway, f"{scene.rate:g}", f"{100 * scene.missed:.0f}", *figures]
        )
    print(table(rows, HEADER.split("|")))
    print(f"\n{total.glimpses / total.spent_s:.0f} glimpses/s of one core")


if __name__ == "__main__":
    main()
