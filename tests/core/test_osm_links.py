"""Which cameras are known already: one to one, without a radius."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.osm.links import Spot, match
from scanner.records import Kind
from tests.helpers.reports import ORIGIN


def ours(name: str, east: float, north: float = 0, **more: object) -> Spot:
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(east, north)
    fields = {"sigma_m": 1.5, "kind": Kind.DOME} | more
    return Spot(name=name, lat_deg=lat_deg, lon_deg=lon_deg, **fields)  # type: ignore[arg-type]


def theirs(name: str, east: float, north: float = 0, **more: object) -> Spot:
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(east, north)
    return Spot(name=name, lat_deg=lat_deg, lon_deg=lon_deg, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("apart_m", "same"), [(0, True), (8, True), (12, True), (25, False)])
def test_a_near_one_is_the_same_and_a_far_one_is_not(apart_m: float, *, same: bool) -> None:
    assert bool(match([ours("a", 0)], [theirs("n", apart_m)])) is same


def test_an_uncertain_camera_may_be_farther_off() -> None:
    known = [theirs("n", 17)]
    assert not match([ours("a", 0, sigma_m=1.0)], known)
    assert match([ours("a", 0, sigma_m=7.0)], known)


def test_one_known_camera_is_one_of_ours_only() -> None:
    found = match([ours("a", 0), ours("b", 3), ours("c", 6)], [theirs("n", 6)])
    assert found == {"c": "n"}


def test_a_row_shifted_as_a_whole_is_matched_in_order() -> None:
    """Nearest first would leave the last one alone."""
    mine = [ours(f"a{i}", 6 * i) for i in range(4)]
    known = [theirs(f"n{i}", 6 * i + 4) for i in range(4)]
    assert match(mine, known) == {f"a{i}": f"n{i}" for i in range(4)}


def test_another_kind_must_be_very_near() -> None:
    other = [theirs("n", 9, kind=Kind.BULLET)]
    assert not match([ours("a", 0)], other)
    assert match([ours("a", 0)], [theirs("n", 9, kind=Kind.PTZ)])
    assert match([ours("a", 0)], [theirs("n", 3, kind=Kind.BULLET)])


def test_of_two_at_one_pole_the_kinds_decide() -> None:
    mine = [ours("dome", 0), ours("box", 1, kind=Kind.BULLET)]
    known = [theirs("x", 1, kind=Kind.DOME), theirs("y", 0, kind=Kind.BULLET)]
    assert match(mine, known) == {"dome": "x", "box": "y"}


def test_of_two_at_one_pole_the_directions_decide() -> None:
    mine = [ours("east", 0, direction_deg=90.0), ours("west", 1, direction_deg=270.0)]
    known = [theirs("w", 0, direction_deg=260.0), theirs("e", 1, direction_deg=85.0)]
    assert match(mine, known) == {"east": "e", "west": "w"}


def test_a_pair_once_made_stays_unless_another_is_clearly_better() -> None:
    mine, known = [ours("a", 0)], [theirs("m", -5), theirs("n", 5.5)]
    assert match(mine, known) == {"a": "m"}
    assert match(mine, known, {"a": "n"}) == {"a": "n"}
    assert match(mine, [theirs("m", 0), theirs("n", 10)], {"a": "n"}) == {"a": "m"}


def test_pairs_are_found_across_the_date_line() -> None:
    mine = [Spot(name="a", lat_deg=-17.0, lon_deg=179.99999, sigma_m=2.0)]
    assert match(mine, [Spot(name="n", lat_deg=-17.0, lon_deg=-179.99999)]) == {"a": "n"}


places = st.lists(
    st.tuples(st.floats(0, 120), st.floats(0, 40), st.sampled_from(Kind)), max_size=12
)


@given(places, places, st.randoms())
def test_the_order_does_not_matter_and_no_one_is_taken_twice(
    mine: list[tuple[float, float, Kind]],
    known: list[tuple[float, float, Kind]],
    dice: random.Random,
) -> None:
    a = [ours(f"a{i:02}", e, n, kind=k) for i, (e, n, k) in enumerate(mine)]
    b = [theirs(f"n{i:02}", e, n, kind=k) for i, (e, n, k) in enumerate(known)]
    found = match(a, b)
    assert len(set(found.values())) == len(found)
    assert match(dice.sample(a, len(a)), dice.sample(b, len(b))) == found
