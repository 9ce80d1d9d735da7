"""Bluetooth receivers: real bleak over a real D-Bus daemon, with a stand-in for BlueZ."""

import struct
import time
from pathlib import Path

import pytest

from scanner.core.fixes import Fix, Lost
from scanner.hardware.ble import BlePositions, LocationReader, fix_from_location
from scanner.hardware.live import boot_ns
from tests.helpers.bluez import MAC, NAME, Bluez
from tests.helpers.receiver import Receiver, now_position
from tests.helpers.waiting import until

NS = 1_000_000_000
GOOD = 1 << 7
LAT, LON = struct.pack("<i", 557_520_000), struct.pack("<i", -706_600_000)
TIME = struct.pack("<H5B", 2026, 11, 20, 10, 0, 1)


def value(flags: int, *fields: bytes) -> bytes:
    return struct.pack("<H", flags) + b"".join(fields)


ALL = value(
    GOOD | 0b1111111,
    struct.pack("<H", 140),
    b"\x01\x02\x03",
    LAT + LON,
    b"\x10\x27\x00",
    struct.pack("<H", 27_000),
    b"\x07",
    TIME,
)


def test_all_fields_of_location_and_speed() -> None:
    fix = fix_from_location(ALL, 5)
    assert isinstance(fix, Fix)
    assert (fix.at_ns, fix.utc_s) == (5, 1_795_168_801)
    assert (fix.lat_deg, fix.lon_deg) == pytest.approx((55.752, -70.66))
    assert (fix.speed_mps, fix.course_deg) == (1.4, 270.0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (value(GOOD | 0b100, LAT + LON), (None, None, None)),
        (value(GOOD | 0b101, b"\x8c\x00", LAT + LON), (1.4, None, None)),
        (value(GOOD | 0b10100 | 1 << 12, LAT + LON, b"\x28\x23"), (None, None, None)),
        (value(GOOD | 0b10100, LAT + LON, b"\x28\x23"), (None, 90.0, None)),
        (value(GOOD | 0b1000100, LAT + LON, TIME), (None, None, 1_795_168_801)),
        (value(GOOD | 0b1000100, LAT + LON, bytes(7)), (None, None, None)),
    ],
)
def test_fields_that_are_left_out(data: bytes, expected: tuple[float | None, ...]) -> None:
    fix = fix_from_location(data, 0)
    assert isinstance(fix, Fix)
    assert fix.lat_deg == pytest.approx(55.752)
    assert (fix.speed_mps, fix.course_deg, fix.utc_s) == expected


@pytest.mark.parametrize("status", [0, 2, 3])
def test_only_a_good_position_is_a_fix(status: int) -> None:
    assert fix_from_location(value(status << 7 | 0b100, LAT + LON), 5) == Lost(at_ns=5)


@pytest.mark.parametrize("data", [b"", b"\x80", ALL[:-1], value(GOOD | 1, b"\x8c\x00")])
def test_damaged_or_partial_values_say_nothing(data: bytes) -> None:
    assert fix_from_location(data, 0) is None


def test_values_of_one_second_are_told_apart() -> None:
    reader = LocationReader()
    times = [reader.read(ALL, round(t * NS)) for t in (3.0, 3.2, 3.4)]
    assert [f.utc_s - 1_795_168_801 for f in times] == pytest.approx([0, 0.2, 0.4])


@pytest.mark.parametrize("wanted", [MAC.lower(), NAME])
def test_a_receiver_may_come_late_go_out_of_reach_and_return(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bluez(tmp_path) as bluez, Receiver(bluez.notify) as receiver:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bluez.address)
        source = BlePositions(wanted)
        try:
            until(lambda: "StartDiscovery" in bluez.calls)
            for _ in range(2):
                bluez.appear()
                assert receiver.off_m(now_position(source, 60)) < 2
                bluez.vanish()
                until(lambda: source.position_at(boot_ns()) is None)
                until(lambda: not source.state.endswith("heard"))
            bluez.appear()
            now_position(source, 60)
        finally:
            source.close()
        assert "Disconnect" in bluez.calls  # else the receiver would stay taken


def test_a_device_that_is_no_receiver_is_named_in_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    battery = ("0000180f-0000-1000-8000-00805f9b34fb", "00002a19-0000-1000-8000-00805f9b34fb")
    with Bluez(tmp_path, battery) as bluez:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bluez.address)
        bluez.appear()
        source = BlePositions(MAC)
        until(lambda: "speaks neither" in source.state, 60)
        source.close()


def test_without_bluetooth_it_waits_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    source = BlePositions(MAC)
    until(lambda: "No such file" in source.state)
    started = time.monotonic()
    source.close()
    assert time.monotonic() - started < 10
