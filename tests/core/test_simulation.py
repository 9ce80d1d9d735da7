import math

import numpy as np
import pytest

from scanner.core.geometry import Origin, distance_m
from scanner.core.locate import locate
from scanner.records import Kind, Sighting
from scanner.simulated.walks import Errors, Setting, TownCamera, streets, visit, walk_past, wander

ORIGIN = Origin(55.752, 37.6175)


def town(count: int, spacing_m: float = 12.0) -> list[TownCamera]:
    places = [ORIGIN.geodetic_from_enu(n * spacing_m, 0.0) for n in range(count)]
    return [TownCamera(lat_deg=lat, lon_deg=lon, kind=Kind.DOME) for lat, lon in places]


def test_the_same_seed_gives_the_same_walk() -> None:
    setting = Setting(offset_m=5, hfov_deg=66, errors=Errors())
    first, again = (walk_past(np.random.default_rng(4), setting, ORIGIN) for _ in range(2))
    assert first == again


def test_without_errors_the_camera_is_found_where_it_hangs() -> None:
    errors = Errors(gnss_m=1e-6, heading_deg=1e-6, sway_deg=1e-6)
    setting = Setting(offset_m=6, hfov_deg=102, errors=errors)
    found = locate(walk_past(np.random.default_rng(2), setting, ORIGIN))
    assert isinstance(found, Sighting)
    lat, lon = ORIGIN.geodetic_from_enu(6, 0)
    assert distance_m(lat, lon, found.lat_deg, found.lon_deg) < 0.6


def test_the_wander_has_the_stated_size_and_memory() -> None:
    values = wander(np.random.default_rng(1), 200_000, 3.0, 60.0, 1.0)
    assert values.std() == pytest.approx(3.0, rel=0.15)
    correlation = np.corrcoef(values[:-60], values[60:])[0, 1]
    assert correlation == pytest.approx(math.exp(-1), abs=0.08)


def test_every_camera_lies_in_one_street() -> None:
    cameras = town(40)
    assert sorted(c.lon_deg for s in streets(cameras) for c in s) == sorted(
        c.lon_deg for c in cameras
    )
    assert streets([]) == []


def test_visits_report_what_stands_there_with_honest_errors() -> None:
    rng = np.random.default_rng(3)
    cameras = town(4)
    errors = Errors(gnss_m=2.0, detected=1.0, false_per_site=0.0)
    normalised = []
    for _ in range(300):
        found = sorted(
            (s for site in visit(rng, cameras, errors) for s in site), key=lambda s: s.first_frame
        )
        assert len(found) == 4
        for sighting, camera in zip(found, cameras, strict=True):
            error = np.array(
                Origin(camera.lat_deg, camera.lon_deg).enu_from_geodetic(
                    sighting.lat_deg, sighting.lon_deg
                )
            )
            c = sighting.relative
            covariance = np.array([[c.ee, c.en], [c.en, c.nn]]) + np.eye(2) * 4.0
            normalised.append(float(error @ np.linalg.solve(covariance, error)) / 2)
    assert np.mean(normalised) == pytest.approx(1.0, abs=0.15)


def test_false_alarms_and_misses_have_their_rates() -> None:
    rng = np.random.default_rng(5)
    errors = Errors(detected=0.5, false_per_site=0.5)
    counts = [sum(len(site) for site in visit(rng, town(4), errors)) for _ in range(600)]
    assert np.mean(counts) == pytest.approx(4 * 0.5 + 0.5, abs=0.2)
