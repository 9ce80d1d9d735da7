"""How far off located cameras are, beside the Cramer-Rao bound and the naive answer.

    python -m tests.benchmarks.location --tracks 400

A walk straight past a camera at 1.4 m/s, 2 detections a second from 25 m on. Errors: GNSS, 60 s
correlated; heading, of which 0.6 is a bias and the rest wanders over 4 s; 1.5 degrees of sway;
pitch; the camera's size and height. The bound is the Bayesian one (Van Trees) for this very model:
the inverse of the mean information at the truth plus that of the priors.
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanner.cli.text import table
from scanner.core import locate as model
from scanner.core.geometry import LensModel, Origin
from scanner.core.tracking import glimpse
from scanner.records import Box, Detection, Kind, Pose, Sighting, Track

Array = NDArray[np.float64]
ORIGIN = Origin(55.752, 37.6175)
SPEED_MPS, RATE, FAR_M = 1.4, 2.0, 25.0
LENS_M, PITCH_DEG = 1.5, 8.0


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    offset_m: float
    hfov_deg: float
    gnss_m: float
    heading_deg: float = 5.0


SETTINGS = [
    Setting(offset, hfov, gnss) for gnss in (4.0, 0.01) for offset in (4, 8) for hfov in (66, 102)
]


def wander(rng: np.random.Generator, count: int, sigma: float, tau_s: float) -> Array:
    """A first-order Gauss-Markov sequence of length ``count``."""
    keep = math.exp(-1 / RATE / tau_s)
    values = [rng.normal(0, sigma)]
    for _ in range(count - 1):
        values.append(keep * values[-1] + rng.normal(0, sigma * math.sqrt(1 - keep**2)))
    return np.array(values)


def simulate(rng: np.random.Generator, setting: Setting) -> tuple[Track, Array]:
    """A track of a camera ``offset_m`` right of the way at north 0; and the truth (east, north)."""
    lens = LensModel(
        width_px=1280,
        height_px=720,
        hfov_deg=setting.hfov_deg,
        mount_pitch_deg=PITCH_DEG,
        height_m=LENS_M,
    )
    height = float(np.clip(rng.normal(*model.MOUNT_HEIGHT_M), 2.4, 6.5))
    size = model.HEAD_SIZE_M[Kind.DOME] * math.exp(rng.normal(0, model.SIZE_SIGMA))
    count = int(FAR_M / SPEED_MPS * RATE) + 1
    east_error = wander(rng, count, setting.gnss_m, 60)
    north_error = wander(rng, count, setting.gnss_m, 60)
    share = model.HEADING_BIAS_SHARE
    heading = rng.normal(0, share * setting.heading_deg) + wander(
        rng, count, math.sqrt(1 - share**2) * setting.heading_deg, model.HEADING_WANDER_S
    )
    pitch = rng.normal(0, model.PITCH_BIAS_SIGMA_DEG)
    glimpses = []
    for number in range(count):
        ahead = FAR_M - SPEED_MPS * number / RATE
        azimuth = math.degrees(math.atan2(setting.offset_m, ahead))
        if abs(azimuth) > setting.hfov_deg / 2 - 1:
            break
        ground = math.hypot(setting.offset_m, ahead)
        up = height - LENS_M
        azimuth += heading[number] + rng.normal(0, model.SWAY_SIGMA_DEG)
        elevation = math.degrees(math.atan2(up, ground)) + pitch
        elevation += rng.normal(0, model.SWAY_SIGMA_DEG)
        angle = size / math.hypot(ground, up) * math.exp(rng.normal(0, model.GLIMPSE_SIZE_SIGMA))
        lat, lon = ORIGIN.geodetic_from_enu(east_error[number], -ahead + north_error[number])
        pose = Pose(
            at_ns=int(number / RATE * 1e9),
            lat_deg=lat,
            lon_deg=lon,
            sigma_m=setting.gnss_m,
            heading_deg=0.0,
            heading_sigma_deg=setting.heading_deg,
            pitch_deg=PITCH_DEG,
            height_m=LENS_M,
        )
        glimpses.append(_seen(lens, pose, number, azimuth, elevation, angle))
    return Track(number=0, glimpses=tuple(glimpses)), np.array([setting.offset_m, 0.0])


def _seen(  # noqa: PLR0917
    lens: LensModel, pose: Pose, number: int, azimuth: float, elevation: float, angle: float
) -> "model.Glimpse":
    """A glimpse whose level direction and size are exactly these (degrees, degrees, radians)."""
    from msgspec.structs import replace  # noqa: PLC0415

    box = Detection(box=Box(0, 0, 1, 1), score=0.8, kind=Kind.DOME)
    return replace(
        glimpse(box, pose, lens, number),
        azimuth_deg=azimuth,
        elevation_deg=elevation,
        size_deg=math.degrees(angle),
    )


def bound_m(setting: Setting, rng: np.random.Generator) -> float:
    """Root of the trace of the bound on (east, north), metres."""
    information = []
    for _ in range(60):
        track, truth = simulate(rng, setting)
        scene = model.Scene(track.glimpses, Kind.DOME)
        scene.east = np.zeros_like(scene.east)
        scene.north = -(FAR_M - SPEED_MPS * scene.seconds)
        state = np.zeros(4 + 2 * scene.knots)
        east, north = ORIGIN.enu_from_geodetic(
            track.glimpses[0].pose.lat_deg, track.glimpses[0].pose.lon_deg
        )
        del east, north
        state[:2] = truth
        state[model.H], state[model.SIZE] = model.MOUNT_HEIGHT_M[0], scene.size_prior
        jacobian, _ = scene.linearise(state)
        information.append(jacobian.T @ jacobian)
    covariance = np.linalg.inv(np.mean(information, axis=0))
    return math.sqrt(float(np.trace(covariance[:2, :2])) + 2 * setting.gnss_m**2)


def row(setting: Setting, tracks: int, seed: int) -> list[str]:
    """One row of the table."""
    rng = np.random.default_rng(seed)
    errors, naive, normalised, missed = [], [], [], 0
    for _ in range(tracks):
        track, truth = simulate(rng, setting)
        biggest = max(track.glimpses, key=lambda g: g.size_deg).pose
        naive.append(np.array(ORIGIN.enu_from_geodetic(biggest.lat_deg, biggest.lon_deg)) - truth)
        found = model.locate(track)
        if not isinstance(found, Sighting):
            missed += 1
            continue
        error = np.array(ORIGIN.enu_from_geodetic(found.lat_deg, found.lon_deg)) - truth
        c = found.relative
        covariance = np.array([[c.ee, c.en], [c.en, c.nn]]) + np.eye(2) * found.common_sigma_m**2
        errors.append(error)
        normalised.append(float(error @ np.linalg.solve(covariance, error)))
    rms = math.sqrt(float(np.mean(np.sum(np.square(errors), axis=1))))
    own = math.sqrt(float(np.mean(np.sum(np.square(naive), axis=1))))
    bound = bound_m(setting, rng)
    inside = np.mean(np.array(normalised) < 5.991)  # 95 % of chi-squared with 2 degrees of freedom
    return [
        f"{setting.offset_m:g}",
        f"{setting.hfov_deg:g}",
        f"{setting.gnss_m:g}",
        f"{rms:.2f}",
        f"{bound:.2f}",
        f"{rms / bound:.2f}",
        f"{own:.2f}",
        f"{rms / own:.2f}",
        f"{np.mean(normalised) / 2:.2f}",
        f"{100 * inside:.0f}",
        str(missed),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="error of located cameras beside its bound")
    parser.add_argument("--tracks", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    header = "offset m|hfov|GNSS m|RMS m|bound m|ratio|own pos m|ratio|NEES/2|in 95 %|not located"
    rows = [row(setting, args.tracks, args.seed) for setting in SETTINGS]
    print(table(rows, header.split("|")))


if __name__ == "__main__":
    main()
