"""How far off located cameras are, beside the Cramer-Rao bound and the naive answer.

    python -m tests.benchmarks.location --tracks 400 --page location.html

A walk straight past a camera at 1.4 m/s, 2 detections a second from 25 m on, with the errors of
``scanner.simulated.walks``. The bound is the Bayesian one (Van Trees) for this very model: the
inverse of the mean information at the truth, priors included, plus the error that the whole GNSS
track shares and that no single walk can know. Cameras hang as they do in towns; a second table has
those of one height each, 6 m off. ``--page`` writes the table and, for perfect GNSS,
the error of each track over its parallax.
"""

import argparse
import html
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanner.cli.text import table
from scanner.core import locate as model
from scanner.core.geometry import Origin
from scanner.records import Kind, Pose, Sighting
from scanner.simulated.walks import FAR_M, SPEED_MPS, Errors, Setting, walk_past

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


HEIGHTS_M = (2.5, 3.8, 6.0, 9.0, 12.0)


def by_height(tracks: int, seed: int) -> list[list[str]]:
    """For cameras of one height each: error in metres, and how honest the stated one is."""
    rows = []
    for height_m in HEIGHTS_M:
        setting = Setting(offset_m=6.0, hfov_deg=66.0, errors=Errors(gnss_m=0.01), hung_m=height_m)
        m = measured(setting, tracks, seed, [])
        rows.append([f"{height_m:g}", f"{m.rms_m:.2f}", f"{m.nees:.2f}", f"{m.inside:.0f}"])
    return rows


def bound_m(setting: Setting, rng: np.random.Generator) -> float:
    """Root of the trace of the bound on (east, north), metres."""
    total: Array | float = 0.0
    for _ in range(BOUND_TRACKS):
        scene = model.Scene(walk_past(rng, setting, ORIGIN).glimpses, Kind.DOME)
        scene.east = np.zeros_like(scene.east)
        scene.north = SPEED_MPS * scene.seconds - FAR_M
        state = np.zeros(4 + 2 * scene.knots)
        state[model.E] = setting.offset_m
        state[model.H], state[model.SIZE] = model.MOUNT_HEIGHT_M, scene.size_prior
        jacobian, _ = scene.linearise(state)
        total = total + jacobian.T @ jacobian
    covariance = np.linalg.inv(np.asarray(total) / BOUND_TRACKS)
    return math.sqrt(float(np.trace(covariance[:2, :2])) + 2 * setting.errors.gnss_m**2)


def off(place: Pose | Sighting, setting: Setting) -> Array:
    """East and north of a place from the true camera, metres."""
    east, north = ORIGIN.enu_from_geodetic(place.lat_deg, place.lon_deg)
    return np.array([east - setting.offset_m, north])


Points = list[tuple[float, float]]  # parallax in degrees, error in metres


class Accuracy(NamedTuple):
    """Root of the mean squared errors, metres, and how honest the stated ones are."""

    rms_m: float
    bound_m: float
    own_m: float  # of the volunteer's own position at the nearest look
    nees: float  # normalised squared error per degree of freedom: 1 is honest
    inside: float  # percent within the stated 95 % ellipse
    lost: int  # tracks that could not be located


def measured(setting: Setting, tracks: int, seed: int, points: Points) -> Accuracy:
    """The figures of one setting; adds to ``points`` what the page shows."""
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
            if setting.errors.gnss_m < 1:
                points.append((model.parallax_deg(track.glimpses), float(np.hypot(*error))))
            normalised.append(float(error @ np.linalg.solve(covariance, error)))
    rms = math.sqrt(float(np.mean(np.sum(np.square(errors), axis=1))))
    own = math.sqrt(float(np.mean(np.sum(np.square(naive), axis=1))))
    bound = bound_m(setting, rng)
    inside = 100 * float(np.mean(np.array(normalised) < CHI2_95))
    nees = float(np.mean(normalised)) / 2
    return Accuracy(rms, bound, own, nees, inside, tracks - len(errors))


def row(setting: Setting, tracks: int, seed: int, points: Points) -> list[str]:
    """One row of the table; adds to ``points`` what the page shows."""
    m = measured(setting, tracks, seed, points)
    numbers = [m.rms_m, m.bound_m, m.rms_m / m.bound_m, m.own_m, m.rms_m / m.own_m, m.nees]
    return [
        *(f"{v:g}" for v in (setting.offset_m, setting.hfov_deg, setting.errors.gnss_m)),
        *(f"{v:.2f}" for v in numbers),
        f"{m.inside:.0f}",
        str(m.lost),
    ]


def page(rows: list[list[str]], points: Points) -> str:
    """The table, and a scatter of error (metres, up to 10) over parallax (degrees, up to 60)."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADER.split("|"))
    body = "".join(f"<tr>{''.join(f'<td>{v}</td>' for v in cells)}</tr>" for cells in rows)
    dots = "".join(
        f'<circle cx="{50 + 14 * min(p, 60):.1f}" cy="{450 - 40 * min(e, 10):.1f}" r="2"/>'
        for p, e in points
    )
    marks = "".join(
        f'<text x="{50 + 14 * v}" y="470">{v}°</text>' for v in range(0, 61, 10)
    ) + "".join(f'<text x="10" y="{454 - 40 * v}">{v} m</text>' for v in range(0, 11, 2))
    return (
        '<!doctype html><meta charset="utf-8"><title>Error of located cameras</title>'
        "<style>body{font-family:sans-serif}td,th{padding:2px 10px;text-align:right}</style>"
        f"<h1>Error of located cameras</h1><table><tr>{head}</tr>{body}</table>"
        "<h2>Error over parallax, perfect GNSS</h2>"
        '<svg viewBox="0 0 920 490" style="max-width:920px" font-size="12">'
        '<path d="M50 50V450H890" fill="none" stroke="#444"/>'
        f'<g fill="#0b66a3" fill-opacity="0.3">{dots}</g>{marks}</svg>\n'
    )


def main() -> None:
    """Print the table, write the page."""
    parser = argparse.ArgumentParser(description="error of located cameras beside its bound")
    parser.add_argument("--tracks", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, metavar="FILE", help="an HTML page of it")
    args = parser.parse_args()
    points: Points = []
    rows = [row(s, args.tracks, args.seed, points) for s in SETTINGS]
    print(table(rows, HEADER.split("|")))
    heights = by_height(args.tracks, args.seed)
    print(f"\n{table(heights, ['height m', 'RMS m', 'NEES/2', 'in 95 %'])}")
    if args.page:
        args.page.write_text(page(rows, points), encoding="utf-8")


if __name__ == "__main__":
    main()
