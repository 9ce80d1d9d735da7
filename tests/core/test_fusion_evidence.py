"""What the map says beyond the place of a camera: whether it is there, and there still."""

import math
import random

import msgspec
import pytest

from scanner.core.fusing.fusion import Camera, fuse
from scanner.core.fusing.vicinity import Report
from scanner.core.wire import CameraEntry
from scanner.records import Kind
from tests.helpers.reports import DAY, ORIGIN, Place, entry, report


def on(day: int, number: int, entries: list[CameraEntry], *, common_m: float = 3.0) -> Report:
    made = report(number, entries, common_m=common_m)
    return msgspec.structs.replace(
        made, record=msgspec.structs.replace(made.record, bucket=DAY + day)
    )


def at(cameras: tuple[Camera, ...], place: Place) -> Camera:
    def far(camera: Camera) -> float:
        return math.dist(ORIGIN.enu_from_geodetic(camera.lat_deg, camera.lon_deg), place)

    return min(cameras, key=far)


LEFT, RIGHT = entry((0, 0), Kind.DOME), entry((6, 0), Kind.BULLET)
PAIR = [on(day, day, [LEFT, RIGHT]) for day in range(4)]


def alone_after(passes: int) -> tuple[Camera, ...]:
    return fuse([*PAIR, *(on(30 + day, 100 + day, [LEFT]) for day in range(passes))])


def test_each_report_makes_a_camera_surer() -> None:
    chances = [fuse(PAIR[:n])[0].existence for n in (1, 2, 3)]
    assert chances == sorted(chances)
    assert chances[0] < 0.9
    assert chances[2] > 0.99


def test_a_camera_that_its_neighbours_records_leave_out_is_doubtful() -> None:
    once = fuse([PAIR[0], *(on(0, 10 + n, [LEFT]) for n in range(5))])
    assert at(once, (6, 0)).existence < 0.5 < fuse(PAIR[:1])[0].existence
    assert at(once, (0, 0)).existence > 0.99


def test_a_camera_not_seen_where_its_neighbour_is_may_have_gone() -> None:
    chances = [at(alone_after(n), (6, 0)).gone for n in (0, 1, 4, 8)]
    assert chances == sorted(chances)
    assert chances[0] == 0.0
    assert chances[1] < 0.2
    assert chances[3] > 0.8
    assert at(alone_after(8), (0, 0)).gone == 0.0
    assert at(alone_after(8), (6, 0)).existence > 0.9


def test_a_camera_seen_again_has_not_gone() -> None:
    back = [*PAIR, *(on(30 + n, 100 + n, [LEFT]) for n in range(8)), on(60, 200, [LEFT, RIGHT])]
    assert at(fuse(back), (6, 0)).gone == 0.0


def test_a_moved_camera_is_gone_here_and_new_there() -> None:
    moved = entry((0, 18), Kind.BULLET)
    cameras = fuse([*PAIR, *(on(30 + n, 100 + n, [LEFT, moved]) for n in range(8))])
    assert len(cameras) == 3
    assert at(cameras, (6, 0)).gone > 0.8
    assert at(cameras, (0, 18)).gone == 0.0


@pytest.mark.parametrize(
    ("apart_m", "kinds", "cluster"),
    [
        (0.8, (Kind.DOME, Kind.DOME), 2),  # which record shows which is anyone's guess
        (0.8, (Kind.DOME, Kind.PTZ), 1),  # the kinds tell
        (6.0, (Kind.DOME, Kind.DOME), 1),  # the places tell
    ],
)
def test_a_cluster_is_named_where_nothing_tells_its_cameras_apart(
    apart_m: float, kinds: tuple[Kind, Kind], cluster: int
) -> None:
    pair = [entry((0, 0), kinds[0]), entry((apart_m, 0), kinds[1])]
    cameras = fuse([report(n, pair) for n in range(4)])
    assert [c.cluster for c in cameras] == [cluster] * 2


def test_cameras_of_one_record_keep_their_offset_though_the_walk_is_off_by_more() -> None:
    dice = random.Random(3)
    reports = []
    for number in range(6):
        east, north = dice.gauss(0, 5), dice.gauss(0, 5)
        shown = [entry((east, north), Kind.DOME), entry((east + 1.0, north), Kind.BULLET)]
        reports.append(report(number, shown, common_m=5.0))
    one, other = sorted(
        (c for c in fuse(reports) if c.reports == 6), key=lambda camera: camera.lon_deg
    )
    step = ORIGIN.enu_from_geodetic(other.lat_deg, other.lon_deg)[0]
    step -= ORIGIN.enu_from_geodetic(one.lat_deg, one.lon_deg)[0]
    assert step == pytest.approx(1.0, abs=0.1)
    assert one.sigma_m > 1.5  # where both are is known no better than six walks tell


def test_what_is_missing_at_a_place_tells_which_place_a_record_shows() -> None:
    """One dome: rather the lone one than one of five, four of which the record left out."""
    many = [entry((1.5 * i, 0), Kind.DOME) for i in range(5)]
    lone = [entry((2, 12), Kind.DOME)]
    known = [report(n, shown) for n, shown in enumerate([many, lone] * 3)]
    cameras = fuse([*known, report(50, [entry((2, 6), Kind.DOME)])])
    assert at(cameras, (2, 12)).reports == 4


def test_a_walks_error_may_change_on_its_way() -> None:
    """Two cameras 24 m apart, seen by walks whose error at one is not that at the other."""
    dice = random.Random(1)
    reports = [
        report(
            number,
            [
                entry((dice.gauss(0, 2), dice.gauss(0, 2)), Kind.DOME),
                entry((24 + dice.gauss(0, 2), dice.gauss(0, 2)), Kind.BULLET),
            ],
            common_m=4.0,
        )
        for number in range(8)
    ]
    assert sorted(c.reports for c in fuse(reports)) == [8, 8]


def test_a_camera_keeps_its_first_member_when_others_report_it() -> None:
    """It gives the camera its name."""
    before = fuse(PAIR)
    after = fuse([*PAIR, *(on(9, 50 + n, [LEFT, RIGHT]) for n in range(3))])
    assert [c.members[0] for c in before] == [c.members[0] for c in after]
