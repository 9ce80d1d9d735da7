"""The simulated city is as it says, and fusion holds in it."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from scanner.core.geometry import Origin
from scanner.core.wire import MAX_CAMERAS
from scanner.records import Kind
from scanner.simulated import city
from scanner.simulated.walks import Errors, TownCamera
from tests.benchmarks.fusion import NEAREST, OURS, compare, of_city, parser
from tests.benchmarks.fusion_scores import Fused, Truth, pair_f1, score

ORIGIN = Origin(55.752, 37.6175)
PLAN = city.Plan(cameras=400, passes=3)


def built(seed: int, plan: city.Plan = PLAN) -> tuple[np.random.Generator, city.City]:
    rng = np.random.default_rng(seed)
    return rng, city.build(rng, plan, ORIGIN)


def off_m(made: city.City, seen: city.Seen) -> list[float]:
    """Distances of the entries of a record from the cameras they show."""
    found = []
    for entry, number in zip(seen.record.cameras, seen.truth, strict=True):
        if number != city.FALSE:
            place = ORIGIN.enu_from_geodetic(entry.lat_e7 / 1e7, entry.lon_e7 / 1e7)
            found.append(float(np.hypot(*(np.array(place) - made.places[number]))))
    return found


def test_the_same_seed_gives_the_same_city_and_passes() -> None:
    (rng, one), (again, other) = built(1), built(1)
    assert one.places.tolist() == other.places.tolist()
    assert list(city.passes(rng, one, PLAN)) == list(city.passes(again, other, PLAN))


def test_two_thirds_of_its_cameras_have_another_within_2_m() -> None:
    _, made = built(2, city.Plan(cameras=2000))
    apart = np.hypot(*(made.places[:, None] - made.places[None]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    assert (apart.min(axis=1) < 2.0).mean() == pytest.approx(0.68, abs=0.06)


def test_truth_travels_with_every_entry_of_a_record() -> None:
    rng, made = built(3)
    apart = []
    for seen in city.passes(rng, made, PLAN):
        assert len(seen.truth) == len(seen.record.cameras) <= MAX_CAMERAS
        shown = [t for t in seen.truth if t != city.FALSE]
        assert len(shown) == len(set(shown))
        apart += off_m(made, seen)
    # Root of both axes' variance: walks of 3 to 8 m, and what a camera adds.
    assert np.sqrt(np.mean(np.square(apart))) == pytest.approx(8.1, abs=1.5)


def test_misses_and_false_alarms_have_their_shares() -> None:
    rng, made = built(4)
    shown = Counter(t for seen in city.passes(rng, made, PLAN) for t in seen.truth)
    false = shown.pop(city.FALSE)
    assert shown.total() / (PLAN.passes * PLAN.cameras) == pytest.approx(0.75, abs=0.03)
    assert false / (false + shown.total()) == pytest.approx(0.05, abs=0.02)


def test_a_walks_error_is_alike_at_neighbours_and_less_so_farther_on() -> None:
    plan = msgspec.structs.replace(PLAN, passes=20, false_share=0.0, cameras=200)
    rng, made = built(5, plan)
    near, far = [], []
    for seen in city.passes(rng, made, plan):
        errors = [
            np.array(ORIGIN.enu_from_geodetic(e.lat_e7 / 1e7, e.lon_e7 / 1e7)) - made.places[t]
            for e, t in zip(seen.record.cameras, seen.truth, strict=True)
        ]
        for i, a in enumerate(errors):
            for j in range(i):
                apart = np.hypot(*(made.places[seen.truth[i]] - made.places[seen.truth[j]]))
                (near if apart < 3 else far).append(float(np.hypot(*(a - errors[j]))))
    assert np.mean(near) < np.mean(far)
    assert np.mean(near) < 2.5


def layout() -> list[TownCamera]:
    places = [ORIGIN.geodetic_from_enu(15.0 * (n % 6), 15.0 * (n // 6)) for n in range(36)]
    return [TownCamera(lat_deg=lat, lon_deg=lon, kind=Kind.DOME) for lat, lon in places]


def test_a_pass_by_stops_shows_each_camera_once_at_most() -> None:
    plan = city.Stops(passes=1, detected=1.0)
    shown = [t for seen in city.stops(np.random.default_rng(1), layout(), plan) for t in seen.truth]
    assert sorted(shown) == list(range(36))


def test_a_pass_by_stops_can_leave_the_kinds_out() -> None:
    plan = city.Stops(kinds=False)
    seen = city.stops(np.random.default_rng(1), layout(), plan)
    assert {entry.kind for one in seen for entry in one.record.cameras} == {0}


def test_walks_tell_which_camera_of_the_layout_was_shown() -> None:
    seen = list(city.walks(np.random.default_rng(1), layout(), Errors(gnss_m=0.01), 2))
    town = layout()
    for one in seen:
        for entry, number in zip(one.record.cameras, one.truth, strict=True):
            if number != city.FALSE:
                there = town[number]
                east, north = Origin(there.lat_deg, there.lon_deg).enu_from_geodetic(
                    entry.lat_e7 / 1e7, entry.lon_e7 / 1e7
                )
                assert np.hypot(east, north) < 15.0


def test_perfect_association_scores_one() -> None:
    places = np.array([[0.0, 0.0], [9.0, 0.0]])
    shown = (0, 1, 0, 1, city.FALSE)
    result = score(
        Fused(np.array([[0, 0], [9, 0], [50, 50]]), (0, 1, 0, 1, 2)), Truth(places, shown)
    )
    assert result.f1 == result.pair_f1 == result.count_published == 1.0
    assert result.count == 1.5  # with the false alarm
    assert pair_f1((0, 0, 0, 0), (0, 1, 0, 1)) == pytest.approx(2 * 2 / (6 + 2))


def test_in_a_city_fusion_is_half_as_good_again_as_the_nearest_camera() -> None:
    scores = dict(compare(of_city(parser().parse_args(["--city", "600"]), seed=3)))
    assert scores[OURS].f1 > 0.82
    assert scores[OURS].f1 > 1.5 * scores[NEAREST].f1
    assert scores[OURS].count_published == pytest.approx(1.0, abs=0.08)
