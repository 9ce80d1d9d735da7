"""Seeded simulation: walk past a camera with correlated GNSS and heading errors."""

import math

import numpy as np
import pytest
from msgspec.structs import replace

from scanner.core.geometry import LensModel, Origin
from scanner.core.locate import locate
from scanner.core.tracking import glimpse
from scanner.records import Box, Detection, Kind, NotLocated, Pose, Sighting, Track
from scanner.simulated.walks import Errors, Setting, walk_past

ORIGIN = Origin(55.752, 37.6175)
LENS = LensModel(width_px=1280, height_px=720, hfov_deg=66.0, mount_pitch_deg=8, height_m=1.5)
RATE, SPEED = 4.0, 1.4


def simulated(rng: np.random.Generator, offset_m: float, gnss_m: float = 1.5) -> Track:
    """A track of a dome at (offset, 20 m ahead); size, height, sway and GNSS vary by the seed."""
    height = rng.normal(3.8, 0.8)
    size = 0.17 * math.exp(rng.normal(0, 0.3))
    heading_bias, pitch_bias = rng.normal(0, 3), rng.normal(0, 2)
    error = rng.normal(0, gnss_m, 2)
    keep = math.exp(-1 / RATE / 60)
    glimpses = []
    for number in range(int(20 / SPEED * RATE)):
        error = keep * error + rng.normal(0, gnss_m * math.sqrt(1 - keep**2), 2)
        north = SPEED * number / RATE
        ahead, up = 20 - north, height - 1.5
        azimuth = math.degrees(math.atan2(offset_m, ahead)) + rng.normal(0, 1.5)
        elevation = math.degrees(math.atan2(up, math.hypot(offset_m, ahead))) + rng.normal(0, 1.5)
        if abs(azimuth) > 32 or rng.random() > 0.7:
            continue
        angle = size / math.hypot(offset_m, ahead, up) * math.exp(rng.normal(0, 0.1))
        x = 640 + LENS.focal_px * math.tan(math.radians(azimuth))
        y = 360 - LENS.focal_px * math.tan(math.radians(elevation + pitch_bias - 8))
        half = LENS.focal_px * angle / 2 / math.cos(math.radians(azimuth)) ** 1.5
        lat, lon = ORIGIN.geodetic_from_enu(error[0], north + error[1])
        pose = Pose(
            at_ns=int(number / RATE * 1e9),
            lat_deg=lat,
            lon_deg=lon,
            sigma_m=gnss_m,
            heading_deg=heading_bias % 360,
            heading_sigma_deg=3,
            pitch_deg=8,
            height_m=1.5,
        )
        box = Box(x - half, y - half, x + half, y + half)
        seen = Detection(box=box, score=0.8, kind=Kind.DOME)
        glimpses.append(glimpse(seen, pose, LENS, number))
    return Track(number=0, glimpses=tuple(glimpses))


def test_errors_are_small_and_the_stated_ones_true() -> None:
    rng = np.random.default_rng(7)
    errors, normalised = [], []
    for _ in range(150):
        result = locate(simulated(rng, offset_m=float(rng.choice([-6, 4, 6, 8]))))
        # The offset is not told apart afterwards: nearest of the four is what was simulated.
        assert isinstance(result, Sighting)
        east, north = ORIGIN.enu_from_geodetic(result.lat_deg, result.lon_deg)
        truth = min((-6, 4, 6, 8), key=lambda o: abs(o - east))
        error = np.array([east - truth, north - 20])
        c = result.relative
        covariance = np.array([[c.ee, c.en], [c.en, c.nn]]) + np.eye(2) * result.common_sigma_m**2
        errors.append(float(np.hypot(*error)))
        normalised.append(float(error @ np.linalg.solve(covariance, error)))
    assert np.median(errors) < 3.0
    assert np.percentile(errors, 95) < 6.5
    assert 0.6 < np.mean(normalised) / 2 < 1.4


@pytest.mark.parametrize("hung_m", [2.5, 9.0, 12.0])
def test_one_that_hangs_high_or_low_is_not_drawn_to_who_walks_by(hung_m: float) -> None:
    """Drawn from both sides, it would be two."""
    rng = np.random.default_rng(3)
    errors = Errors(gnss_m=0.01)
    setting = Setting(offset_m=6.0, hfov_deg=66.0, errors=errors, hung_m=hung_m)
    normalised = []
    for _ in range(60):
        result = locate(walk_past(rng, setting, ORIGIN))
        assert isinstance(result, Sighting)
        east, north = ORIGIN.enu_from_geodetic(result.lat_deg, result.lon_deg)
        c, error = result.relative, np.array([east - 6.0, north])
        covariance = np.array([[c.ee, c.en], [c.en, c.nn]])
        normalised.append(float(error @ np.linalg.solve(covariance, error)))
    assert np.mean(normalised) / 2 < 2.2


def test_one_wrong_association_does_not_pull_the_answer() -> None:
    rng = np.random.default_rng(3)
    track = simulated(rng, 5.0, gnss_m=0.2)
    clean = locate(track)
    wrong = list(track.glimpses)
    wrong[5] = replace(wrong[5], azimuth_deg=wrong[5].azimuth_deg + 30)
    pulled = locate(Track(number=0, glimpses=tuple(wrong)))
    assert isinstance(clean, Sighting)
    assert isinstance(pulled, Sighting)
    east, north = Origin(clean.lat_deg, clean.lon_deg).enu_from_geodetic(
        pulled.lat_deg, pulled.lon_deg
    )
    assert math.hypot(east, north) < 1.0


@pytest.mark.parametrize("views", [1, 2])
def test_too_few_views(views: int) -> None:
    track = simulated(np.random.default_rng(1), 5.0)
    result = locate(Track(number=0, glimpses=track.glimpses[:views]))
    assert isinstance(result, NotLocated)
    assert result.reason == "seen too few times"


def test_too_little_parallax() -> None:
    track = simulated(np.random.default_rng(1), 0.0)
    result = locate(Track(number=0, glimpses=track.glimpses[:6]))
    assert isinstance(result, NotLocated)
    assert "parallax" in result.reason


@pytest.mark.parametrize(("factor", "kind"), [(0.2, Kind.UNKNOWN), (5.0, Kind.DOME)])
def test_the_kind_is_told_only_of_what_was_seen_well(factor: float, kind: Kind) -> None:
    track = simulated(np.random.default_rng(1), 5.0)
    glimpses = tuple(
        replace(g, detection=replace(g.detection, box=g.detection.box.scaled(factor)))
        for g in track.glimpses
    )
    result = locate(Track(number=0, glimpses=glimpses))
    assert isinstance(result, Sighting)
    assert result.kind == kind
