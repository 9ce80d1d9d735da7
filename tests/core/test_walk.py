"""A scripted walk: the map must show what geometry says."""

import math

import pytest

from scanner.core.geometry import distance_m
from scanner.core.sites import group, join
from scanner.looking import Watcher
from scanner.pipeline import Finder, find_all
from scanner.records import Kind, Sighting
from scanner.replay.standins import ScriptedDetector, ScriptedFrames, ScriptedPositions
from tests.helpers import walk
from tests.helpers.walk import LENS, Mounted


def sightings(path: walk.Path2D, seconds: float, mounted: list[Mounted]) -> list[Sighting]:
    source = ScriptedFrames(walk.frames(path, seconds, mounted))
    watcher = Watcher(ScriptedDetector(walk.read_colours, 320))
    finder = Finder(watcher, ScriptedPositions(walk.positions(path)), LENS)
    return join([s for _, found in find_all(source, finder) for s in found])


def nearest_m(camera: Mounted, found: list[Sighting]) -> float:
    lat, lon = walk.place(camera.east_m, camera.north_m)
    return min(
        (distance_m(lat, lon, s.lat_deg, s.lon_deg) for s in found if s.kind == camera.kind),
        default=math.inf,
    )


@pytest.mark.parametrize(
    "camera",
    [
        Mounted(5, 20, 4.0, Kind.DOME),
        Mounted(-5, 20, 4.0, Kind.BULLET),
        Mounted(8, 25, 5.0, Kind.PTZ),
        Mounted(-3.5, 22, 3.0, Kind.ALPR),
    ],
)
def test_one_camera_on_a_pole_is_where_it_stands(camera: Mounted) -> None:
    found = sightings(walk.straight_north, 22, [camera])
    assert [s.kind for s in found] == [camera.kind]
    assert nearest_m(camera, found) < 0.7
    assert found[0].height_m == pytest.approx(camera.height_m, abs=0.6)


def test_a_row_of_poles_gives_each_camera_once() -> None:
    mounted = [
        Mounted(5, 14, 4.0, Kind.DOME),
        Mounted(5, 15.2, 4.0, Kind.BULLET),
        Mounted(-4, 22, 3.5, Kind.ALPR),
        Mounted(6, 30, 5.0, Kind.PTZ),
        Mounted(-6, 33, 3.0, Kind.DOME),
        Mounted(-6, 36, 3.0, Kind.DOME),
    ]
    found = sightings(walk.straight_north, 32, mounted)
    assert len(found) == len(mounted)
    assert max(nearest_m(m, found) for m in mounted) < 1.2


def test_round_a_corner_the_ids_hold() -> None:
    mounted = [Mounted(-4, 20, 3.5, Kind.BULLET), Mounted(22, 35, 4.0, Kind.DOME)]
    found = sightings(walk.round_a_corner, 40, mounted)
    assert len(found) == 2
    assert max(nearest_m(m, found) for m in mounted) < 1.5


def test_a_camera_dead_ahead_is_not_located() -> None:
    found = sightings(walk.straight_north, 8, [Mounted(0, 60, 3.0, Kind.PTZ, size_m=0.5)])
    assert found == []


def test_cameras_far_apart_are_different_sites() -> None:
    mounted = [Mounted(5, 14, 4.0, Kind.DOME), Mounted(5, 50, 4.0, Kind.PTZ)]
    sites = group(sightings(walk.straight_north, 45, mounted))
    assert [len(site) for site in sites] == [1, 1]


def test_the_stated_error_covers_the_true_one() -> None:
    camera = Mounted(5, 20, 4.0, Kind.DOME)
    (found,) = sightings(walk.straight_north, 22, [camera])
    sigma = math.sqrt(found.relative.ee + found.relative.nn)
    assert nearest_m(camera, [found]) < 2.5 * sigma
    assert 0.2 < sigma < 4
