"""Simulated walks round corners, past cameras that hang still, with a lens that is worn crooked."""

import math

import msgspec
import numpy as np

from scanner.core import locate as model
from scanner.core.geometry import LensModel, Origin
from scanner.core.tracking import glimpse
from scanner.records import Box, Detection, Glimpse, Kind, Pose, Track
from scanner.simulated.walks import GNSS_CORRELATION_S, SPEED_MPS, Errors, hung_m, wander

ORIGIN = Origin(55.752, 37.6175)
RATE = 4.0
FAR_M = 25.0
RADIUS_M = 5.0
DOPPLER_DEG = 3.0


def way(seconds: float, legs_m: tuple[float, ...]) -> np.ndarray:
    """East, north, course (radians) at each frame, (3, n): turns to right, right, left, left."""
    east, north, course = 0.0, 0.0, 0.0
    rows = []
    leg, gone, turned = 0, 0.0, 0.0
    step = SPEED_MPS / RATE
    for _ in range(int(seconds * RATE)):
        rows.append((east, north, course))
        if gone < legs_m[leg % len(legs_m)]:
            gone += step
        else:
            turned += step / RADIUS_M
            course += step / RADIUS_M * (1 if leg % 4 < 2 else -1)
            if turned >= math.pi / 2:
                leg, gone, turned = leg + 1, 0.0, 0.0
        east += step * math.sin(course)
        north += step * math.cos(course)
    return np.array(rows).T


def walk(  # noqa: PLR0917 - one walk, one line
    rng: np.random.Generator,
    true: LensModel,
    guess: LensModel,
    path: np.ndarray,
    cameras: int,
    errors: Errors,
) -> list[Track]:
    """Tracks of a walk through ``true``, with the glimpses that ``guess`` makes of them."""
    count = path.shape[1]
    drift = [wander(rng, count, errors.gnss_m, GNSS_CORRELATION_S, 1 / RATE) for _ in range(2)]
    share = math.sqrt(1 - model.HEADING_BIAS_SHARE**2)
    turn = wander(rng, count, share * errors.heading_deg, model.HEADING_WANDER_S, 1 / RATE)
    # Course by Doppler: one error per second, straight between.
    wrong = np.radians(rng.normal(0, DOPPLER_DEG, count))
    told = path[2] + np.interp(np.arange(count) / RATE, np.arange(count), wrong)
    tracks = []
    for _ in range(cameras):
        near = path[:, rng.integers(count)]
        side = rng.choice([-1, 1]) * rng.uniform(4, 8)
        east = near[0] + side * math.cos(near[2])
        north = near[1] - side * math.sin(near[2])
        up = hung_m(rng) - true.height_m
        size = model.HEAD_SIZE_M[Kind.DOME] * math.exp(rng.normal(0, model.SIZE_SIGMA))
        camera = (east, north, up, size)
        tracks += _passes(rng, true, guess, path, camera, drift, (turn, told), errors)
    return [msgspec.structs.replace(t, number=i) for i, t in enumerate(tracks)]


def _passes(rng, true, guess, path, camera, drift, heading, errors):  # noqa: ANN001, ANN202, PLR0917
    """The tracks of one camera: a new one when it has not been seen for two seconds."""
    east, north, up, size = camera
    turn, told = heading
    tracks: list[list[Glimpse]] = [[]]
    for i in range(path.shape[1]):
        de, dn = east - path[0, i], north - path[1, i]
        ground = math.hypot(de, dn)
        if ground > FAR_M or rng.random() > errors.detected:
            continue
        lens_heading = math.degrees(path[2, i]) + true.mount_yaw_deg + turn[i]
        azimuth = math.degrees(math.atan2(de, dn)) - lens_heading + rng.normal(0, errors.sway_deg)
        elevation = math.degrees(math.atan2(up, ground)) + rng.normal(0, errors.sway_deg)
        seen = pixel_from_level(true, azimuth, elevation)
        if seen is None:
            continue
        x, y = seen
        ray = math.hypot(1, *true.ray_from_pixel(x, y))
        slant = math.hypot(ground, up)
        side = size / slant * true.focal_px * ray**1.5 * math.exp(rng.normal(0, 0.2))
        lat, lon = ORIGIN.geodetic_from_enu(path[0, i] + drift[0][i], path[1, i] + drift[1][i])
        pose = Pose(
            at_ns=int(i / RATE * 1e9),
            lat_deg=lat,
            lon_deg=lon,
            sigma_m=errors.gnss_m,
            heading_deg=math.degrees(told[i]) + guess.mount_yaw_deg,
            heading_sigma_deg=errors.heading_deg,
            pitch_deg=guess.mount_pitch_deg,
            height_m=guess.height_m,
        )
        box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        last = tracks[-1][-1].pose.at_ns if tracks[-1] else pose.at_ns
        if pose.at_ns - last > 2e9:
            tracks.append([])
        found = Detection(box=box, score=0.8, kind=Kind.DOME)
        tracks[-1].append(glimpse(found, pose, guess, i))
    return [Track(number=0, glimpses=tuple(t)) for t in tracks if t]


def pixel_from_level(
    lens: LensModel, azimuth_deg: float, elevation_deg: float
) -> tuple[float, float] | None:
    """Where a direction is seen, written down independently of the lens model's own inverse."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    forward = math.cos(elevation) * math.cos(azimuth)
    right = math.cos(elevation) * math.sin(azimuth)
    up = math.sin(elevation)
    pitch, roll = math.radians(lens.mount_pitch_deg), math.radians(lens.mount_roll_deg)
    depth = forward * math.cos(pitch) + up * math.sin(pitch)
    rise = up * math.cos(pitch) - forward * math.sin(pitch)
    if depth <= 0.1:
        return None
    x = (right * math.cos(roll) - rise * math.sin(roll)) / depth
    y = -(right * math.sin(roll) + rise * math.cos(roll)) / depth
    if math.hypot(x, y) > 2:
        return None
    px, py = lens.pixel_from_ray(x, y)
    return (px, py) if 5 < px < lens.width_px - 5 and 5 < py < lens.height_px - 5 else None
