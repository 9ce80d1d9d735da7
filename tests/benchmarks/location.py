"""How far off located cameras are, beside the Cramer-Rao bound and the naive answer.

    python -m tests.benchmarks.location --tracks 400

A walk straight past a camera at 1.4 m/s, 2 detections a second from 25 m on, with the errors of
``scanner.simulation``. The bound is the Bayesian one (Van Trees) for this very model: the inverse
of the mean information at the truth, priors included, plus the error that the whole GNSS track
shares and that no single walk can know.
"""

import argparse
import math

import numpy as np
from numpy.typing import NDArray

from scanner.cli.text import table
from scanner.core import locate as model
from scanner.core.geometry import Origin
from scanner.records import Kind, Pose, Sighting
from scanner.simulation import FAR_M, SPEED_MPS, Errors, Setting, walk_past

Array = NDArray[np.float64]
ORIGIN = Origin(55.752, 37.6175)
CHI2_95 = 5.991  # two degrees of freedom
BOUND_TRACKS = 100
HEADER = "offset m|hfov|GNSS m|RMS m|bound m|ratio|own pos m|ratio|NEES/2|in 95 %|not located"
SETTINGS = [
    Setting(offset_m=offset, hfov_deg=hfov, errors=Errors(gnss_m=gnss))
    for gnss in (4.0, 0.01)
    for offset in (4.0, 8.0)
    for hfov in (66.0, 102.0)
]


def bound_m(setting: Setting, rng: np.random.Generator) -> float:
    """Root of the trace of the bound on (east, north), metres."""
    total: Array | float = 0.0
    for _ in range(BOUND_TRACKS):
        scene = model.Scene(walk_past(rng, setting, ORIGIN).glimpses, Kind.DOME)
        scene.east = np.zeros_like(scene.east)
        scene.north = SPEED_MPS * scene.seconds - FAR_M
        state = np.zeros(4 + 2 * scene.knots)
        state[model.E] = setting.offset_m
        state[model.H], state[model.SIZE] = model.MOUNT_HEIGHT_M[0], scene.size_prior
        jacobian, _ = scene.linearise(state)
        total = total + jacobian.T @ jacobian
    covariance = np.linalg.inv(np.asarray(total) / BOUND_TRACKS)
    return math.sqrt(float(np.trace(covariance[:2, :2])) + 2 * setting.errors.gnss_m**2)


def off(place: Pose | Sighting, setting: Setting) -> Array:
    """East and north of a place from the true camera, metres."""
    east, north = ORIGIN.enu_from_geodetic(place.lat_deg, place.lon_deg)
    return np.array([east - setting.offset_m, north])


def row(setting: Setting, tracks: int, seed: int) -> list[str]:
    """One row of the table."""
    rng = np.random.default_rng(seed)
    errors, naive, normalised = [], [], []
    for _ in range(tracks):
        track = walk_past(rng, setting, ORIGIN)
        naive.append(off(max(track.glimpses, key=lambda g: g.size_deg).pose, setting))
        found = model.locate(track)
        if isinstance(found, Sighting):
            error, c = off(found, setting), found.relative
            common = np.eye(2) * found.common_sigma_m**2
            covariance = np.array([[c.ee, c.en], [c.en, c.nn]]) + common
            errors.append(error)
            normalised.append(float(error @ np.linalg.solve(covariance, error)))
    rms = math.sqrt(float(np.mean(np.sum(np.square(errors), axis=1))))
    own = math.sqrt(float(np.mean(np.sum(np.square(naive), axis=1))))
    bound = bound_m(setting, rng)
    inside = 100 * float(np.mean(np.array(normalised) < CHI2_95))
    numbers = [rms, bound, rms / bound, own, rms / own, float(np.mean(normalised)) / 2]
    return [
        *(f"{v:g}" for v in (setting.offset_m, setting.hfov_deg, setting.errors.gnss_m)),
        *(f"{v:.2f}" for v in numbers),
        f"{inside:.0f}",
        str(tracks - len(errors)),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="error of located cameras beside its bound")
    parser.add_argument("--tracks", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(table([row(s, args.tracks, args.seed) for s in SETTINGS], HEADER.split("|")))


if __name__ == "__main__":
    main()
