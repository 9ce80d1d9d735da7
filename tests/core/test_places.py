"""What is recognised, what is taken for it, and what a finder can test."""

import math
from itertools import pairwise

import numpy as np
import pytest

from scanner.core.geometry import Origin, distance_m
from scanner.core.places import (
    BLOCK_CELL_M,
    SEEN_BITS,
    SEEN_CELL_M,
    Home,
    Seen,
    cell_of,
    cells_around,
    home_block,
    set_bit,
)

PLACES = [(55.752, 37.6175), (-33.9, 18.42), (0.0, 0.0), (64.15, -21.94), (52.0, 4.9)]
AT_THE_DATE_LINE = [-16.85, -16.2, 0.0, 51.9, 65.7]  # where its cells are cut or whole


def around(place: tuple[float, float], east_m: float, north_m: float) -> tuple[float, float]:
    return Origin(*place).geodetic_from_enu(east_m, north_m)


def fresh(rng: np.random.Generator, cameras: int = 0, filling: float = 0.006) -> Seen:
    bits = bytearray(SEEN_BITS // 8)
    for number in rng.integers(SEEN_BITS, size=round(filling * SEEN_BITS)):
        set_bit(bits, int(number))
    seen = Seen(b"k" * 16, bytes(bits))
    for east, north in rng.uniform(-3000, 3000, (cameras, 2)):
        seen.add(*around((52.5, 13.4), east, north))
    seen.settle()
    return seen


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("side_m", [SEEN_CELL_M, BLOCK_CELL_M])
def test_cells_are_nearly_square_and_of_the_stated_size(
    place: tuple[float, float], side_m: float
) -> None:
    for towards in ((1.0, 0.0), (0.0, 1.0)):
        steps = np.arange(0, 15, 0.02) * side_m
        cells = [cell_of(*around(place, s * towards[0], s * towards[1]), side_m) for s in steps]
        assert len(set(cells)) == pytest.approx(15.5, abs=1.01)


@pytest.mark.parametrize("place", [*PLACES, (51.99999, 4.9), (52.0000001, 4.9)])
def test_the_cells_around_a_place_hold_all_that_is_one_side_away(
    place: tuple[float, float],
) -> None:
    cells = cells_around(*place, SEEN_CELL_M)
    assert len(set(cells)) == 9
    reach = 0.97 * SEEN_CELL_M
    for bearing in range(0, 360, 5):
        east, north = (reach * f(math.radians(bearing)) for f in (math.sin, math.cos))
        assert cell_of(*around(place, east, north), SEEN_CELL_M) in cells


@pytest.mark.parametrize(
    ("apart_m", "least", "most"), [(0, 1, 1), (5, 1, 1), (10, 1, 1), (25, 0, 0.3), (35, 0, 0.001)]
)
def test_a_camera_is_recognised_up_to_ten_metres_off_and_its_neighbour_is_not(
    apart_m: float, least: float, most: float
) -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(600):
        place = around((52.5, 13.4), *rng.uniform(-5000, 5000, 2))
        bearing = rng.uniform(0, 2 * math.pi)
        again = around(place, apart_m * math.sin(bearing), apart_m * math.cos(bearing))
        seen = Seen(b"k", bytes(SEEN_BITS // 8))
        seen.add(*place)
        seen.settle()
        hits += seen.has(*again)
    assert least <= hits / 600 <= most


@pytest.mark.parametrize(("gnss_m", "least"), [(4.0, 0.95), (5.0, 0.90)])
def test_second_looks_are_recognised_through_the_noise_of_gnss(gnss_m: float, least: float) -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(600):
        place = around((52.5, 13.4), *rng.uniform(-5000, 5000, 2))
        seen = Seen(b"k", bytes(SEEN_BITS // 8))
        seen.add(*around(place, *rng.normal(0, gnss_m, 2)))
        seen.settle()
        hits += seen.has(*around(place, *rng.normal(0, gnss_m, 2)))
    assert hits / 600 >= least


@pytest.mark.parametrize(("cameras", "least", "most"), [(0, 0.04, 0.07), (1000, 0.08, 0.14)])
def test_a_place_never_seen_answers_yes_often_enough_to_prove_nothing(
    cameras: int, least: float, most: float
) -> None:
    rng = np.random.default_rng(4)
    seen = fresh(rng, cameras)
    elsewhere = [around((48.1, 11.6), *rng.uniform(-9000, 9000, 2)) for _ in range(1500)]
    share = sum(seen.has(*place) for place in elsewhere) / len(elsewhere)
    assert least <= share <= most


def test_on_one_walk_the_neighbours_of_a_camera_are_told_from_it() -> None:
    place = (52.5, 13.4)
    seen = Seen(b"k" * 16, bytes(SEEN_BITS // 8))
    seen.add(*place)
    assert seen.has(*around(place, 3, -3))
    assert not seen.has(*around(place, 8, 0))
    seen.settle()
    assert seen.has(*around(place, 8, 0))


@pytest.mark.parametrize("lat_deg", AT_THE_DATE_LINE)
@pytest.mark.parametrize("settled", [False, True])
def test_a_camera_is_recognised_across_the_date_line(lat_deg: float, *, settled: bool) -> None:
    for west_m in range(0, 12, 2):
        seen = Seen(b"k" * 16, bytes(SEEN_BITS // 8))
        seen.add(*around((lat_deg, 180.0), -west_m, 0))
        if settled:
            seen.settle()
        assert seen.has(*around((lat_deg, 180.0), 5 - west_m, 0))
        assert not seen.has(*around((lat_deg, 180.0), 40 - west_m, 0))


def test_without_the_secret_the_filter_tells_nothing() -> None:
    rng = np.random.default_rng(5)
    places = [around((52.5, 13.4), *rng.uniform(-3000, 3000, 2)) for _ in range(500)]
    seen = Seen(b"k" * 16, bytes(SEEN_BITS // 8))
    for place in places:
        seen.add(*place)
    guessed = Seen(b"another secret..", seen.bits)
    assert sum(guessed.has(*place) for place in places) / 500 < 0.07


# --- home ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [*PLACES, (51.9999, 4.9), (52.0001, 4.9)])
@pytest.mark.parametrize("uniform", [0.0, 0.3, 0.6, 0.99])
def test_the_block_holds_the_home_and_is_two_cells_wide(
    place: tuple[float, float], uniform: float
) -> None:
    # Decoys differ with the salt, the block does not.
    homes = [home_block(*place, salt=salt, uniform=uniform) for salt in (b"1", b"2", b"3")]
    offsets = np.arange(-1500, 1501, 50)
    for towards in ((1.0, 0.0), (0.0, 1.0)):
        line = [around(place, o * towards[0], o * towards[1]) for o in offsets]
        covered = [all(home.covers(*p) for home in homes) for p in line]
        assert covered[30]
        assert (sum(covered) - 1) * 50 == pytest.approx(1200, abs=110)


@pytest.mark.parametrize("lat_deg", AT_THE_DATE_LINE)
@pytest.mark.parametrize("uniform", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("east_m", [-400, -50, 50, 400])
def test_the_block_of_a_home_does_not_end_at_the_date_line(
    lat_deg: float, uniform: float, east_m: float
) -> None:
    place = around((lat_deg, 180.0), east_m, 0)
    homes = [home_block(*place, salt=salt, uniform=uniform) for salt in (b"1", b"2", b"3")]
    line = [around(place, o, 0) for o in range(-1500, 1501, 50)]
    covered = [all(home.covers(*p) for home in homes) for p in line]
    assert covered[30]
    assert 600 <= sum(covered) * 50 <= 1260
    assert sum(a != b for a, b in pairwise(covered)) == 2, "one stretch"


def test_the_home_lies_in_any_quarter_of_its_block() -> None:
    codes = {home_block(55.752, 37.6175, salt=b"s", uniform=u / 8).code for u in range(8)}
    assert len(codes) == 4


def test_a_finder_is_left_with_one_block_in_64_and_finds_elsewhere_lose_six_percent() -> None:
    rng = np.random.default_rng(6)
    matching, lost = [], []
    for _ in range(40):
        home = Home(rng.bytes(16), int(rng.integers(64)))
        town = [around((52.5, 13.4), *rng.uniform(-15_000, 15_000, 2)) for _ in range(200)]
        lost.append(np.mean([home.covers(*place) for place in town]))
        blocks = [
            home_block(*place, salt=home.salt, uniform=0.0).code == home.code for place in town
        ]
        matching.append(np.mean(blocks))
    assert np.mean(lost) == pytest.approx(4 / 64, abs=0.015)
    assert np.mean(matching) == pytest.approx(1 / 64, abs=0.008)


def test_the_grid_knows_no_home() -> None:
    """Homes of one cell share its four blocks: the grid was there before them."""
    first = (55.752, 37.6175)
    cell = cell_of(*first, BLOCK_CELL_M)
    rng = np.random.default_rng(7)
    near = [around(first, *rng.uniform(-600, 600, 2)) for _ in range(300)]
    neighbours = [p for p in near if cell_of(*p, BLOCK_CELL_M) == cell]
    assert len(neighbours) > 20
    assert max(distance_m(*first, *p) for p in neighbours) > 200
    for uniform in (0.0, 0.25, 0.5, 0.75):
        codes = {home_block(*p, salt=b"s", uniform=uniform).code for p in neighbours}
        assert len(codes) == 1
