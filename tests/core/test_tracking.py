import math
import random
from collections.abc import Sequence

import pytest

from scanner.core.geometry import LensModel
from scanner.core.tracking import MAX_GAP_S, MAX_WAIT_S, Tracker, glimpse
from scanner.core.tracks.fragments import JOIN_GAP_S, sort_out
from scanner.records import Box, Detection, Glimpse, Kind, Pose, Track

LENS = LensModel(width_px=1280, height_px=720, hfov_deg=66.0)


def pose(at_s: float, heading: float = 0.0) -> Pose:
    return Pose(
        at_ns=int(at_s * 1e9),
        lat_deg=0,
        lon_deg=0,
        sigma_m=1,
        heading_deg=heading % 360,
        heading_sigma_deg=3,
        pitch_deg=0,
        height_m=1.5,
    )


def seen(
    at_s: float,
    x: float,
    y: float = 300,
    *,
    size: float = 30,
    heading: float = 0.0,
    kind: Kind = Kind.DOME,
) -> Glimpse:
    box = Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return glimpse(
        Detection(box=box, score=0.9, kind=kind), pose(at_s, heading), LENS, int(at_s * 4)
    )


def tracks(frames: Sequence[tuple[float, Sequence[Glimpse]]]) -> list[Track]:
    tracker = Tracker()
    ended: list[Track] = []
    for at_s, glimpses in frames:
        ended += tracker.update(glimpses, int(at_s * 1e9))
    return ended + tracker.close()


def test_misses_do_not_break_a_track() -> None:
    times = [n / 4 for n in range(40) if n % 3]
    assert len(tracks([(t, [seen(t, 600 + 10 * t)]) for t in times])) == 1


def test_a_long_absence_ends_a_track() -> None:
    times = [0, 0.25, 0.5, JOIN_GAP_S + 1, JOIN_GAP_S + 1.25, JOIN_GAP_S + 1.5]
    assert len(tracks([(t, [seen(t, 600)]) for t in times])) == 2


def test_pieces_of_one_camera_become_one_track() -> None:
    """Lost for longer than a track lives, though frames went on."""
    times = [n / 4 for n in range(40)]
    frames = [(t, [] if MAX_GAP_S < t < 2 * MAX_GAP_S + 1 else [seen(t, 600)]) for t in times]
    (track,) = tracks(frames)
    assert len(track.glimpses) == sum(bool(glimpses) for _, glimpses in frames)


def test_a_track_is_given_once_and_in_time() -> None:
    tracker = Tracker()
    given: list[tuple[float, Track]] = []
    for n in range(120):
        t = n / 4
        given += [(t, k) for k in tracker.update([seen(t, 600)] if t < 5 else [], int(t * 1e9))]
    ((at_s, track),) = given
    assert at_s - track.glimpses[-1].pose.at_ns / 1e9 < MAX_WAIT_S
    assert tracker.close() == []


def swaying_pair(seed: int) -> list[Track]:
    """Two cameras 60 px apart for 15 s; sway of 25 px (1 sigma), a seventh of the views missed."""
    rng = random.Random(seed)
    frames = []
    for n in range(60):
        t = n / 4
        sway_x, sway_y = rng.gauss(0, 25), rng.gauss(0, 25)
        pair = [
            seen(t, 600 + 3 * t + sway_x, 300 + sway_y, size=25),
            seen(t, 660 + 4 * t + sway_x, 310 + sway_y, size=25, kind=Kind.BULLET),
        ]
        frames.append((t, [g for g in pair if rng.random() < 0.85]))
    return tracks(frames)


def test_two_cameras_on_one_pole_stay_two_while_the_wearer_sways() -> None:
    """Sway larger than half their distance; at most one track of a hundred is mixed."""
    results = [swaying_pair(seed) for seed in range(100)]
    broken = sum(len(result) != 2 for result in results)
    swapped = sum(
        len({g.detection.kind for g in track.glimpses}) > 1
        for result in results
        for track in result
    )
    assert broken <= 1
    assert swapped <= 2  # of 200 tracks


def test_turning_round_a_corner_keeps_the_track() -> None:
    frames = []
    for n in range(24):
        t = n / 4
        heading = 15 * t  # a quarter turn in six seconds
        x = 640 + LENS.focal_px * math.tan(math.radians(25 - heading))
        if 0 < x < 1280:
            frames.append((t, [seen(t, x, heading=heading)]))
    assert len(tracks(frames)) == 1


def test_one_detection_is_no_track() -> None:
    assert tracks([(0.0, [seen(0.0, 600)])]) == []


def test_no_glimpse_is_in_two_tracks() -> None:
    rng = random.Random(3)
    frames = [(n / 4, [seen(n / 4, rng.uniform(0, 1280)) for _ in range(4)]) for n in range(40)]
    ids = [id(g) for track in tracks(frames) for g in track.glimpses]
    assert len(ids) == len(set(ids))


def test_numbers_are_each_trackers_own() -> None:
    frames = [(n / 4, [seen(n / 4, 600)]) for n in range(8)]
    assert [t.number for t in tracks(frames)] == [t.number for t in tracks(frames)] == [0]


def test_numbers_count_on_within_one_tracker() -> None:
    tracker = Tracker()
    ended: list[Track] = []
    for n in range(200):
        t = n / 4
        glimpses = [seen(t, 300 + 600 * (n // 100))] if n % 100 < 8 else []
        ended += tracker.update(glimpses, int(t * 1e9))
    assert [t.number for t in ended + tracker.close()] == [0, 1]


@pytest.mark.parametrize(("leap_deg", "cameras"), [(0.0, 1), (3.0, 1), (10.0, 2)])
def test_a_camera_that_took_over_a_lost_ones_track_is_its_own(
    leap_deg: float, cameras: int
) -> None:
    piece = [seen(n / 4, 640, heading=leap_deg * (n > 7)) for n in range(16)]
    assert [len(part) for part in sort_out([piece])] == [16 // cameras] * cameras


@pytest.mark.parametrize(("size", "cameras"), [(10, 1), (30, 2)])
def test_what_kind_a_small_thing_is_told_to_be_does_not_part_a_track(
    size: float, cameras: int
) -> None:
    before = [seen(n / 4, 640, size=size) for n in range(6)]
    after = [seen(n / 4, 640, size=size, kind=Kind.ALPR) for n in range(14, 20)]
    assert len(sort_out([before, after])) == cameras
