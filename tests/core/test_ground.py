"""Streets and water: where a camera could stand."""

import math
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.core.geometry import Origin
from scanner.core.ground import STREET_M, Box, Ground, LonLat
from tests.helpers.reports import ORIGIN


def at(east_m: float, north_m: float) -> LonLat:
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(east_m, north_m)
    return lon_deg, lat_deg


def doubt(ground: Ground, east_m: float, north_m: float, sigma_m: float = 1) -> str | None:
    lon_deg, lat_deg = at(east_m, north_m)
    return ground.doubt(lat_deg, lon_deg, sigma_m)


WORLD = Box(4.0, 52.0, 5.0, 53.0)
STREET = [at(0, 0), at(1000, 0), at(1000, 1000)]
LAKE = [at(2000, 0), at(3000, 0), at(3000, 1000), at(2000, 1000)]
ISLAND = [at(2400, 400), at(2600, 400), at(2600, 600), at(2400, 600)]


@pytest.mark.parametrize(
    ("place", "sigma_m", "reason"),
    [
        ((500, 0), 1, None),
        ((500, 140), 1, None),
        ((500, 160), 1, "far from any street"),
        ((500, 160), 5, None),  # it may be nearer than it seems
        ((1100, 500), 1, None),
        ((-140, 0), 1, None),
        ((-160, 0), 1, "far from any street"),
        ((500, 600), 1, "far from any street"),
    ],
)
def test_a_camera_stands_by_a_street(
    place: tuple[float, float], sigma_m: float, reason: str | None
) -> None:
    assert doubt(Ground(WORLD, [STREET]), *place, sigma_m) == reason


@pytest.mark.parametrize(
    ("place", "sigma_m", "reason"),
    [
        ((2200, 500), 1, "in the water"),
        ((2002, 500), 1, None),  # two metres from the shore: perhaps on it
        ((2004, 500), 1, "in the water"),
        ((1990, 500), 1, None),
        ((2500, 500), 1, None),  # on the island
        ((2390, 500), 1, "in the water"),
        ((2200, 500), 80, None),
    ],
)
def test_no_camera_stands_in_the_water(
    place: tuple[float, float], sigma_m: float, reason: str | None
) -> None:
    assert doubt(Ground(WORLD, (), [[LAKE, ISLAND]]), *place, sigma_m) == reason


def test_nothing_is_said_of_places_outside() -> None:
    box = Box(*at(-500, -500), *at(1500, 1500))
    assert doubt(Ground(box, [STREET]), 5000, 5000) is None
    assert doubt(Ground(box, [STREET]), 600, 600) == "far from any street"


def test_without_streets_none_is_missed() -> None:
    assert doubt(Ground(WORLD, (), [[LAKE]]), 500, 5000) is None


@pytest.mark.parametrize(("east_m", "reason"), [(100, None), (-140, None), (-170, "far")])
def test_a_street_across_the_date_line_is_found_as_quickly_as_any(
    east_m: float, reason: str | None
) -> None:
    line = Origin(-16.8, 180.0)
    street = [line.geodetic_from_enu(east, 0)[::-1] for east in (1, 200)]
    ground = Ground(Box(-180, -90, 180, 90), [street])
    begun = time.process_time()
    for _ in range(50):
        doubt = ground.doubt(*line.geodetic_from_enu(east_m, 0), 1)
    assert time.process_time() - begun < 1
    assert doubt == (reason and "far from any street")


@settings(max_examples=200, deadline=None)
@given(
    x=st.floats(-400, 1400),
    y=st.floats(-400, 1400),
    points=st.lists(
        st.tuples(st.floats(0, 1000), st.floats(0, 1000)), min_size=2, max_size=5, unique=True
    ),
)
def test_the_nearest_street_counts_however_the_squares_lie(
    x: float, y: float, points: list[tuple[float, float]]
) -> None:
    """Against the distance to points a metre apart along the line."""
    nearest = math.inf
    for (ax, ay), (bx, by) in pairwise(points):
        steps = 1 + math.ceil(math.dist((ax, ay), (bx, by)))
        for i in range(steps + 1):
            here = ax + (bx - ax) * i / steps, ay + (by - ay) * i / steps
            nearest = min(nearest, math.dist(here, (x, y)))
    if abs(nearest - STREET_M) < 3:
        return
    ground = Ground(WORLD, [[at(*p) for p in points]])
    assert (doubt(ground, x, y, 0) is None) == (nearest < STREET_M)
