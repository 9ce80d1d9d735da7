"""Promises of ports.PositionSource, kept by GPX and NMEA recordings and the stand-in."""

from pathlib import Path

import pytest

from scanner.ports import PositionSource
from scanner.records import Position
from scanner.replay.standins import ScriptedPositions
from scanner.replay.tracks import RecordedTrack
from tests.helpers.media import write_gpx, write_nmea

START, SPEED = 1_780_000_000.0, 1.4
DEGREE_M = 111_333.0  # of latitude at 55.75 degrees north
POINTS = [(START + t, 55.752 + SPEED * t / DEGREE_M, 37.6175) for t in range(31)]


def scripted(at_ns: int) -> Position | None:
    t = at_ns / 1e9
    if not 0 <= t <= 30:
        return None
    return Position(
        at_ns=at_ns,
        lat_deg=55.752 + SPEED * t / DEGREE_M,
        lon_deg=37.6175,
        sigma_m=2.0,
        course_deg=0.0,
        course_sigma_deg=3.0,
        utc_s=START + t,
    )


@pytest.fixture(params=["gpx", "nmea", "scripted"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> PositionSource:
    if request.param == "gpx":
        return RecordedTrack(write_gpx(tmp_path / "t.gpx", POINTS), sigma_m=2.0)
    if request.param == "nmea":
        return RecordedTrack(write_nmea(tmp_path / "t.nmea", POINTS))
    return ScriptedPositions(scripted)


def test_positions_lie_between_the_fixes(source: PositionSource) -> None:
    position = source.position_at(10_500_000_000)
    assert position is not None
    assert position.lat_deg == pytest.approx(55.752 + SPEED * 10.5 / DEGREE_M, abs=2e-7)
    assert position.lon_deg == pytest.approx(37.6175, abs=2e-7)
    assert position.utc_s == pytest.approx(START + 10.5)
    assert position.at_ns == 10_500_000_000


def test_error_and_course_come_along(source: PositionSource) -> None:
    position = source.position_at(10_000_000_000)
    assert position is not None
    assert position.sigma_m == pytest.approx(2.0)
    assert position.course_deg is not None
    assert (position.course_deg + 180) % 360 == pytest.approx(180, abs=1.0)
    assert 0 < position.course_sigma_deg < 20


@pytest.mark.parametrize("at_s", [-5, 31, 1000])
def test_there_is_none_outside_the_track(source: PositionSource, at_s: int) -> None:
    assert source.position_at(at_s * 1_000_000_000) is None


def test_closing_twice_is_no_error(source: PositionSource) -> None:
    source.close()
    source.close()
