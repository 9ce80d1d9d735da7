"""Promises of ports.PositionSource, kept by recordings, the stand-in and live receivers.

A recording is asked about any moment of its walk, a live receiver about now: it cannot know the
past before it was opened, and how late its fixes come shows only with time, so its tolerance is
wider. The receivers walk in real time; gpsd, the serial line, bleak and D-Bus are real.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from scanner.hardware.live import LivePositions, boot_ns
from scanner.hardware.positions import open_positions
from scanner.ports import PositionSource
from scanner.records import Position
from scanner.replay.standins import ScriptedPositions
from scanner.replay.tracks import RecordedTrack
from tests.helpers.bluez import LOCATION, MAC, NORDIC, Bluez
from tests.helpers.gpsd import Gpsd
from tests.helpers.media import write_gpx, write_nmea
from tests.helpers.receiver import (
    DEGREE_M,
    LAT,
    LON,
    SPEED_MPS,
    LocationReceiver,
    Port,
    Receiver,
    now_position,
)
from tests.helpers.waiting import until

START = 1_780_000_000.0
POINTS = [(START + t, LAT + SPEED_MPS * t / DEGREE_M, LON) for t in range(31)]
RECORDED = ["gpx", "nmea", "scripted"]
LIVE = ["gpsd-tcp", "gpsd-unix", "serial", "ble-uart", "ble-location"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A source, a moment it can be asked about, and the truth."""

    source: PositionSource
    moment: Callable[[], int]
    lat_deg: Callable[[int], float]
    utc_s: Callable[[int], float]
    near_m: float
    near_s: float


def recorded_lat_deg(at_ns: int) -> float:
    return LAT + SPEED_MPS * at_ns / 1e9 / DEGREE_M


def scripted(at_ns: int) -> Position | None:
    if not 0 <= at_ns <= 30_000_000_000:
        return None
    return Position(
        at_ns=at_ns,
        lat_deg=recorded_lat_deg(at_ns),
        lon_deg=LON,
        sigma_m=2.0,
        course_deg=0.0,
        course_sigma_deg=3.0,
        utc_s=START + at_ns / 1e9,
    )


def open_recorded(name: str, folder: Path) -> PositionSource:
    if name == "gpx":
        return RecordedTrack(write_gpx(folder / "t.gpx", POINTS), sigma_m=2.0)
    if name == "nmea":
        return RecordedTrack(write_nmea(folder / "t.nmea", POINTS))
    return ScriptedPositions(scripted)


class Live(msgspec.Struct, frozen=True):
    """An open source and the receiver behind it."""

    source: LivePositions
    receiver: Receiver


def open_live(
    name: str, folder: Path, stack: ExitStack, patch: pytest.MonkeyPatch, *, fixed: bool = True
) -> Live:
    if name.startswith("ble"):
        profile = LOCATION if name == "ble-location" else NORDIC
        bluez = stack.enter_context(Bluez(folder, profile))
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bluez.address)
        receiver = LocationReceiver(bluez.notify) if profile is LOCATION else Receiver(bluez.notify)
        bluez.appear()
        url = f"ble://{MAC}"
    else:
        port = stack.enter_context(Port(folder / "gnss"))
        receiver = Receiver(port.write)
        url = f"serial://{port.path}?baud=115200"
    receiver.fixed = fixed
    stack.enter_context(receiver)
    if name.startswith("gpsd"):
        url = stack.enter_context(Gpsd(port.path, folder, unix=name == "gpsd-unix")).source
    source = open_positions(url, 2.0)
    stack.callback(source.close)
    return Live(source, receiver)


@pytest.fixture(params=[*RECORDED, *LIVE])
def case(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    with ExitStack() as stack:
        if request.param in RECORDED:
            yield Case(
                source=open_recorded(request.param, tmp_path),
                moment=lambda: 10_500_000_000,
                lat_deg=recorded_lat_deg,
                utc_s=lambda at_ns: START + at_ns / 1e9,
                near_m=0.03,
                near_s=1e-3,
            )
            return
        live = open_live(request.param, tmp_path, stack, monkeypatch)
        yield Case(
            source=live.source,
            moment=lambda: now_position(live.source).at_ns,
            lat_deg=live.receiver.lat_deg,
            utc_s=live.receiver.utc_s,
            near_m=2.0,
            near_s=1.0,
        )


def settled(case: Case) -> Position:
    """The error comes with a sentence of its own, shortly after the first place."""
    deadline = time.monotonic() + 30
    while True:
        position = case.source.position_at(case.moment())
        if position is not None and position.sigma_m < 4:
            return position
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_positions_lie_where_the_walk_is(case: Case) -> None:
    position = settled(case)
    off_m = abs(position.lat_deg - case.lat_deg(position.at_ns)) * DEGREE_M
    assert off_m < case.near_m
    assert position.lon_deg == pytest.approx(LON, abs=2e-7)
    assert position.utc_s == pytest.approx(case.utc_s(position.at_ns), abs=case.near_s)


def test_a_position_is_of_the_moment_asked_about(case: Case) -> None:
    at_ns = case.moment()
    position = case.source.position_at(at_ns)
    assert position is not None
    assert position.at_ns == at_ns


def test_error_and_course_come_along(case: Case) -> None:
    position = settled(case)
    assert 2.0 <= position.sigma_m < 3.5  # it grows past the newest fix
    assert position.course_deg is not None
    assert (position.course_deg + 180) % 360 == pytest.approx(180, abs=1.0)
    assert 0 < position.course_sigma_deg < 20


def test_there_is_none_outside_the_walk(case: Case) -> None:
    now_ns = case.moment()
    for hours in (-1, 1, 1000):
        assert case.source.position_at(now_ns + hours * 3_600_000_000_000) is None


def test_closing_twice_is_no_error(case: Case) -> None:
    case.source.close()
    case.source.close()


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("at_s", [-5, 31, 1000])
def test_a_recording_ends_with_its_last_fix(name: str, tmp_path: Path, at_s: int) -> None:
    """A live source reaches a little past its newest fix; a recording knows that it has ended."""
    assert open_recorded(name, tmp_path).position_at(at_s * 1_000_000_000) is None


@pytest.mark.parametrize("name", LIVE)
def test_a_live_source_has_positions_while_the_receiver_has_a_fix(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cold start, fix, no fix, fix: without a restart and never a stale position."""
    with ExitStack() as stack:
        live = open_live(name, tmp_path, stack, monkeypatch, fixed=False)
        until(lambda: live.source.state.endswith("heard"), 60)
        assert live.source.position_at(boot_ns()) is None
        for _ in range(2):
            live.receiver.fixed = True
            assert abs(now_position(live.source).lat_deg - LAT) < 0.01
            live.receiver.fixed = False
            until(lambda: live.source.position_at(boot_ns()) is None)
