"""Receivers on a real pseudo-terminal: unplugged, plugged in again, and noise on the line."""

from pathlib import Path

import pytest

from scanner.errors import ConfigError, DeviceError
from scanner.hardware.live import boot_ns
from scanner.hardware.nmea import SerialPositions
from scanner.hardware.positions import open_positions
from tests.helpers.receiver import Port, Receiver, now_position
from tests.helpers.waiting import until


def test_a_receiver_may_be_plugged_in_late_unplugged_and_plugged_in_again(tmp_path: Path) -> None:
    port = Port(tmp_path / "gnss")
    source = SerialPositions(port.path, baud=115_200)
    try:
        with Receiver(port.write) as receiver:
            until(lambda: "No such file" in source.state)
            for _ in range(2):
                with port:
                    assert receiver.off_m(now_position(source)) < 2
                until(lambda: source.position_at(boot_ns()) is None)
                until(lambda: not source.state.endswith("heard"))
    finally:
        source.close()


def test_noise_between_the_sentences_does_no_harm(tmp_path: Path) -> None:
    with Port(tmp_path / "gnss") as port:
        noise = b"\xb5\x62\x01\x07\x00$GNRMC,1\n$GNRMC,garbled*00\r\n\x00\xff"
        with Receiver(lambda data: port.write(noise + data)) as receiver:
            source = SerialPositions(port.path)
            assert receiver.off_m(now_position(source)) < 2
            source.close()


class RoundAhead(Receiver):
    """Has counted a round of the satellites' weeks too many."""

    def utc_s(self, at_ns: int) -> float:
        """Seconds since 1970, in the year 2046."""
        return super().utc_s(at_ns) + 1024 * 7 * 86_400


def test_a_receiver_that_is_a_thousand_weeks_ahead_tells_places_but_no_time(tmp_path: Path) -> None:
    with Port(tmp_path / "gnss") as port, RoundAhead(port.write) as receiver:
        source = SerialPositions(port.path)
        position = now_position(source)
        assert receiver.off_m(position) < 2
        assert position.utc_s is None
        source.close()


def test_what_is_no_device_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="is not a device"):
        SerialPositions(tmp_path / "file")
    with pytest.raises(DeviceError, match="1234 baud"):
        SerialPositions(tmp_path / "none", baud=1234)


def test_a_device_that_is_no_serial_line_is_named_in_the_state() -> None:
    source = SerialPositions(Path("/dev/null"))
    until(lambda: "not a serial line" in source.state)
    source.close()


@pytest.mark.parametrize(
    "source",
    ["", "gps", "gpsd:", "gpsd://", "gpsd:///", "gpsd://host:0", "gpsd://host:70000", "gpsd://h/x",
     "serial://", "serial:///", "serial://host/dev/x", "serial:///dev/x?baud=1",
     "serial:///dev/x?baud=9600&parity=odd", "serial:///dev/x?speed=9600", "ble://", "ble://a/b",
     "http://host", "track"],
)  # fmt: skip
def test_a_source_that_is_none_is_named_with_its_key(source: str) -> None:
    with pytest.raises(ConfigError, match=r"position\.source"):
        open_positions(source, 4.0)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("gpsd", "gpsd at /run/gpsd/json.sock"),
        ("gpsd://[::1]:29470", "gpsd at ::1:29470"),
        ("gpsd:///run/none/json.sock", "gpsd at /run/none/json.sock"),
        ("serial:///dev/none?baud=38400", "receiver at /dev/none"),
        ("ble://Walker%20GNSS", "Bluetooth receiver Walker GNSS"),
    ],
)
def test_a_source_is_opened_by_its_scheme(
    source: str, named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    positions = open_positions(source, 4.0)
    assert positions.state.startswith(named)
    assert positions.position_at(boot_ns()) is None
    positions.close()
