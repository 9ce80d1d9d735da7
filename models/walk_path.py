"""The demo walk's route and what a GNSS receiver says about it: pure numbers, no Blender.

Local frame: x east, y north, z up in metres, on the plane that touches the ellipsoid at ORIGIN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from models.blender.course import Course

ORIGIN_LAT_DEG, ORIGIN_LON_DEG, ORIGIN_ALTITUDE_M = 55.7520, 37.6175, 148.0
GEOID_SEPARATION_M = 14.6
COURSE = Course(heading_deg=58.0, bend_start_m=20.0, bend_length_m=14.0, bend_deg=-34.0)
WALKER_LEFT_M = -3.9
SPEED_MPS = 1.4
LENS_HEIGHT_M = 1.5
LENS_PITCH_DEG = 8.0
SEMI_MAJOR_M, FLATTENING = 6378137.0, 1 / 298.257223563


@dataclass(frozen=True, slots=True)
class Pose:
    """The lens: metres in the local frame; heading from east to north, pitch up, roll right."""

    x_m: float
    y_m: float
    z_m: float
    heading_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True, slots=True)
class Fix:
    """One second's fix: degrees, metres, m/s and degrees clockwise from north."""

    second: int
    lat_deg: float
    lon_deg: float
    altitude_m: float
    speed_mps: float
    course_deg: float


def station_at(time_s: float) -> float:
    """Return the station in metres, on the street's line, of a walker beside it."""
    curvature = math.radians(COURSE.bend_deg) / COURSE.bend_length_m
    ratio = 1 - WALKER_LEFT_M * curvature
    distance = SPEED_MPS * time_s
    if distance <= COURSE.bend_start_m:
        return distance
    in_bend = (distance - COURSE.bend_start_m) / ratio
    if in_bend <= COURSE.bend_length_m:
        return COURSE.bend_start_m + in_bend
    return (
        COURSE.bend_start_m
        + COURSE.bend_length_m
        + distance
        - COURSE.bend_start_m
        - COURSE.bend_length_m * ratio
    )


def true_place(time_s: float) -> tuple[float, float, float]:
    """Return the walker's x, y in metres and heading in degrees, without sway."""
    station = station_at(time_s)
    x, y = (float(v) for v in COURSE.frame_at(station, WALKER_LEFT_M)[:2, 3])
    return x, y, COURSE.heading_at(station)


def lens_pose(time_s: float) -> Pose:
    """Return the lens as the body carries it: a bob at each step, yaw and roll at each stride."""
    x, y, heading = true_place(time_s)
    step = 2 * math.pi * 1.87 * time_s
    bob, sway = 0.022 * math.sin(step), 0.018 * math.sin(step / 2)
    yaw = 1.3 * math.sin(step / 2 + 0.4) + 1.1 * math.sin(0.9 * time_s)
    pitch = LENS_PITCH_DEG + 0.7 * math.sin(step + 0.8) + 0.5 * math.sin(0.6 * time_s + 1)
    roll = 1.1 * math.sin(step / 2 + 1.1) + 0.4 * math.sin(0.7 * time_s)
    left = math.radians(heading + 90)
    return Pose(
        x + sway * math.cos(left),
        y + sway * math.sin(left),
        LENS_HEIGHT_M + bob,
        heading + yaw,
        pitch,
        roll,
    )


def geodetic(x_m: float, y_m: float) -> tuple[float, float]:
    """Return (lat_deg, lon_deg) of a local point by the ellipsoid's radii at the origin."""
    e2 = FLATTENING * (2 - FLATTENING)
    lat = math.radians(ORIGIN_LAT_DEG)
    w = 1 - e2 * math.sin(lat) ** 2
    meridian, vertical = SEMI_MAJOR_M * (1 - e2) / w**1.5, SEMI_MAJOR_M / math.sqrt(w)
    meridian, vertical = meridian + ORIGIN_ALTITUDE_M, vertical + ORIGIN_ALTITUDE_M
    return ORIGIN_LAT_DEG + math.degrees(y_m / meridian), ORIGIN_LON_DEG + math.degrees(
        x_m / (vertical * math.cos(lat))
    )


def simulated_fixes(
    seconds: int,
    seed: int,
    sigma_m: float = 1.5,
    correlation_s: float = 60.0,
    jitter_m: float = 0.1,
) -> list[Fix]:
    """Return fixes 0..seconds at 1 Hz: truth, a Gauss-Markov error per axis, white jitter."""
    rng = Random(f"gnss:{seed}")
    keep = math.exp(-1 / correlation_s)
    error = [rng.gauss(0, sigma_m) for _ in range(3)]
    fixes = []
    for second in range(seconds + 1):
        x, y, heading = true_place(float(second))
        noisy = [e + rng.gauss(0, jitter_m) for e in error]
        lat, lon = geodetic(x + noisy[0], y + noisy[1])
        course = (90 - heading + rng.gauss(0, 1.5)) % 360
        fixes.append(
            Fix(
                second,
                lat,
                lon,
                ORIGIN_ALTITUDE_M + noisy[2],
                SPEED_MPS + rng.gauss(0, 0.04),
                course,
            )
        )
        error = [keep * e + math.sqrt(1 - keep**2) * rng.gauss(0, sigma_m) for e in error]
    return fixes
