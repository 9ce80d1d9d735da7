import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.core.fusing.fusion import Camera, fuse
from scanner.core.fusing.vicinity import Report
from scanner.records import Kind
from tests.helpers.reports import ORIGIN, Place, entry, report


def places(cameras: tuple[Camera, ...]) -> list[Place]:
    return sorted(ORIGIN.enu_from_geodetic(c.lat_deg, c.lon_deg) for c in cameras)


def walk(
    truth: list[tuple[Place, Kind]],
    *,
    passes: int,
    seed: int,
    common_m: float = 3.0,
    own_m: float = 0.7,
    seen: float = 1.0,
    first: int = 1,
) -> list[Report]:
    """Passes that see each camera with probability ``seen``, with errors as they declare them."""
    dice = random.Random(seed)
    reports = []
    for number in range(first, first + passes):
        east, north = dice.gauss(0, common_m), dice.gauss(0, common_m)
        entries = [
            entry(
                (e + east + dice.gauss(0, own_m), n + north + dice.gauss(0, own_m)),
                kind,
                sigma_m=own_m,
            )
            for (e, n), kind in truth
            if dice.random() < seen
        ]
        if entries:
            reports.append(report(number, entries, common_m=common_m))
    return reports


def unnamed(cameras: tuple[Camera, ...]) -> list[Camera]:
    """Without the members: what does not depend on who came first."""
    return sorted(
        (msgspec.structs.replace(c, members=()) for c in cameras),
        key=lambda c: (c.lat_deg, c.lon_deg),
    )


def test_nothing_gives_nothing() -> None:
    assert fuse([]) == ()


def test_one_record_gives_its_cameras_as_they_are() -> None:
    cameras = fuse([report(1, [entry((0, 0), Kind.DOME), entry((1, 0), Kind.DOME)])])
    assert [c.kind for c in cameras] == [Kind.DOME] * 2
    assert places(cameras)[0] == pytest.approx((0, 0), abs=0.05)
    assert places(cameras)[1] == pytest.approx((1, 0), abs=0.05)
    assert cameras[0].sigma_m == pytest.approx(math.hypot(3, 0.7, 0.3), abs=0.02)
    assert cameras[0].height_m == 3.0


@pytest.mark.parametrize("seed", range(8))
def test_one_camera_over_many_passes_is_one(seed: int) -> None:
    cameras = fuse(walk([((0, 0), Kind.DOME)], passes=9, seed=seed))
    (camera,) = [c for c in cameras if c.reports > 1]
    # One pass in a few hundred lies so far off that calling it the same would be a guess.
    assert camera.reports >= 8
    assert camera.sigma_m < 3.2 / math.sqrt(camera.reports - 0.5)
    assert math.hypot(*places((camera,))[0]) < 4 * camera.sigma_m


@pytest.mark.parametrize("seed", range(8))
def test_two_cameras_3_m_apart_stay_two(seed: int) -> None:
    truth = [((0.0, 0.0), Kind.DOME), ((3.0, 0.0), Kind.DOME)]
    cameras = fuse(walk(truth, passes=8, seed=seed))
    both = tuple(c for c in cameras if c.reports > 2)
    assert len(both) == 2
    (west, south), (east, north) = places(both)
    assert east - west == pytest.approx(3.0, abs=1.2)
    assert north - south == pytest.approx(0.0, abs=1.2)


def test_a_pass_that_saw_one_of_two_adds_to_one_of_them() -> None:
    both = [entry((0, 0)), entry((4, 0))]
    cameras = fuse([report(1, both), report(2, both), report(3, [entry((4.3, 0.2))])])
    assert sorted(c.reports for c in cameras) == [2, 3]
    assert places(tuple(c for c in cameras if c.reports == 3))[0][0] == pytest.approx(4, abs=0.5)


def test_kind_decides_where_place_cannot() -> None:
    pair = [entry((0, 0), Kind.BULLET), entry((2, 0), Kind.DOME)]
    alone = entry((0.6, 0), Kind.DOME)  # nearer to the other one
    cameras = fuse([report(1, pair), report(2, pair), report(3, [alone])])
    assert {c.kind: c.reports for c in cameras} == {Kind.BULLET: 2, Kind.DOME: 3}


def test_a_wrong_kind_does_not_split_a_camera() -> None:
    kinds = [Kind.DOME, Kind.DOME, Kind.BULLET, Kind.UNKNOWN, Kind.DOME]
    (camera,) = fuse([report(i, [entry((0.1 * i, 0), kind)]) for i, kind in enumerate(kinds)])
    assert camera.kind is Kind.DOME
    assert camera.kind_share > 0.8


@pytest.mark.parametrize(("apart_m", "found"), [(0, 1), (7, 1), (15, 2), (60, 2)])
def test_lone_cameras_are_one_as_long_as_the_errors_explain_it(apart_m: float, found: int) -> None:
    assert len(fuse([report(1, [entry((0, 0))]), report(2, [entry((apart_m, 0))])])) == found


def test_a_precise_record_outweighs_a_coarse_one() -> None:
    reports = [
        report(1, [entry((0, 0))], common_m=0.5),
        report(2, [entry((4, 0))], common_m=6.0),
    ]
    (camera,) = fuse(reports)
    assert places((camera,))[0][0] < 0.2


def test_the_date_line_divides_nothing() -> None:
    def at(lon_e7: int, number: int) -> Report:
        moved = msgspec.structs.replace(entry((0, 0)), lat_e7=0, lon_e7=lon_e7)
        return report(number, [moved])

    (camera,) = fuse([at(1_799_999_950, 1), at(-1_799_999_950, 2)])
    assert camera.reports == 2
    assert abs(camera.lon_deg) == pytest.approx(180, abs=1e-6)


def test_the_error_is_as_large_as_claimed() -> None:
    """Squared error in units of the claimed variance averages to the 2 degrees of freedom."""
    truth = [((0.0, 0.0), Kind.DOME), ((6.0, 1.0), Kind.BULLET), ((11.0, -3.0), Kind.PTZ)]
    errors = []
    for seed in range(40):
        cameras = [c for c in fuse(walk(truth, passes=5, seed=seed, seen=0.8)) if c.reports > 1]
        for camera in cameras:
            east, north = ORIGIN.enu_from_geodetic(camera.lat_deg, camera.lon_deg)
            errors.append(
                min((east - e) ** 2 + (north - n) ** 2 for (e, n), _ in truth) / camera.sigma_m**2
            )
    assert len(errors) > 100
    assert 1.2 < sum(errors) / len(errors) < 2.6


worlds = st.builds(
    lambda truth, passes, seed: walk(truth, passes=passes, seed=seed, seen=0.7),
    st.lists(
        st.tuples(
            st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
            st.sampled_from([Kind.DOME, Kind.BULLET]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 6),
    st.integers(0, 10_000),
)


@settings(max_examples=25, deadline=None)
@given(worlds, st.randoms(use_true_random=False))
def test_the_order_of_the_records_means_nothing(reports: list[Report], dice: random.Random) -> None:
    shuffled = reports[:]
    dice.shuffle(shuffled)
    assert fuse(shuffled) == fuse(reports)


@settings(max_examples=25, deadline=None)
@given(worlds, st.randoms(use_true_random=False))
def test_the_order_of_arrival_gives_names_only(reports: list[Report], dice: random.Random) -> None:
    numbers = [r.number for r in reports]
    dice.shuffle(numbers)
    later = [msgspec.structs.replace(r, number=n) for r, n in zip(reports, numbers, strict=True)]
    assert unnamed(fuse(later)) == unnamed(fuse(reports))


@settings(max_examples=25, deadline=None)
@given(worlds)
def test_every_entry_becomes_one_camera_and_those_of_one_record_differ(
    reports: list[Report],
) -> None:
    cameras = fuse(reports)
    members = [m for camera in cameras for m in camera.members]
    assert len(members) == len(set(members)) == sum(len(r.record.cameras) for r in reports)
    for camera in cameras:
        numbers = [m.number for m in camera.members]
        assert len(numbers) == len(set(numbers))
        assert camera.sigma_m > 0
