"""gpsd itself, over TCP and a Unix socket, started late, restarted, fed by gpsfake."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from scanner.core.fixes import Fix, Lost
from scanner.errors import ConfigError
from scanner.hardware.gpsd import GpsdPositions, ReportReader
from scanner.hardware.live import boot_ns
from scanner.hardware.positions import GPSD_SOCKET, open_positions
from scanner.hub.broker import free_port
from tests.cli.test_commands import scanner
from tests.helpers.gpsd import Gpsd, program
from tests.helpers.media import write_nmea
from tests.helpers.receiver import LAT, LON, Port, Receiver, now_position
from tests.helpers.waiting import until

NS = 1_000_000_000
TPV = {
    "class": "TPV",
    "device": "/dev/ttyACM0",
    "mode": 3,
    "time": "2026-11-20T10:00:01.400Z",
    "lat": 55.752,
    "lon": 37.6175,
    "eph": 17.48,
    "epx": 9.06,
    "epy": 10.73,
    "track": 45.0,
    "speed": 1.4,
}
GST = {"class": "GST", "device": "/dev/ttyACM0", "lat": 1.7, "lon": 2.0}


def read(*reports: dict[str, object], every_s: float = 0.1) -> Fix | Lost | None:
    """What the last of some reports makes."""
    reader, last = ReportReader(), None
    for number, report in enumerate(reports):
        last = reader.read(json.dumps(report).encode(), round((10 + number * every_s) * NS))
    return last


def without(*names: str) -> dict[str, object]:
    return {key: value for key, value in TPV.items() if key not in names}


def test_a_report_becomes_a_fix() -> None:
    assert read(TPV) == Fix(
        at_ns=10 * NS,
        utc_s=1_795_168_801.4,  # date -ud "2026-11-20 10:00:01.4" +%s
        lat_deg=55.752,
        lon_deg=37.6175,
        sigma_m=8.74,
        speed_mps=1.4,
        course_deg=45.0,
    )


@pytest.mark.parametrize(
    ("reports", "sigma_m"),
    [
        ([GST, TPV], 2.0),
        ([TPV], 8.74),
        ([TPV | {"eph": 2.0}], 3.0),
        ([without("eph")], 5.365),
        ([{"class": "SKY", "device": "/dev/ttyACM0", "hdop": 1.5}, without("eph", "epx")], 4.5),
        ([without("eph", "epx", "epy")], None),
    ],
)
def test_the_error_is_that_of_gst_else_half_of_eph(
    reports: list[dict[str, object]], sigma_m: float | None
) -> None:
    fix = read(*reports)
    assert isinstance(fix, Fix)
    assert fix.sigma_m == pytest.approx(sigma_m)


def test_an_old_gst_does_not_count() -> None:
    fix = read(GST, TPV, every_s=6)
    assert isinstance(fix, Fix)
    assert fix.sigma_m == pytest.approx(8.74)


@pytest.mark.parametrize("mode", [0, 1])
def test_a_report_without_a_fix_says_so(mode: int) -> None:
    assert read({"class": "TPV", "mode": mode}) == Lost(at_ns=10 * NS)


def test_a_second_receiver_is_not_mixed_in_but_takes_over() -> None:
    other = TPV | {"device": "/dev/ttyUSB0"}
    assert read(TPV, other) is None
    assert isinstance(read(TPV, other, every_s=6), Fix)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"\xff", b'{"class":"TPV","mode":"x"}', b'{"class":"VERSION"}']
)
def test_other_lines_are_passed_over(line: bytes) -> None:
    assert ReportReader().read(line, 0) is None


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_gpsd_may_come_late_and_be_restarted(tmp_path: Path, unix: bool) -> None:  # noqa: FBT001
    with Port(tmp_path / "gnss") as port, Receiver(port.write) as receiver:
        gpsd = Gpsd(port.path, tmp_path, unix=unix)
        address = str(gpsd.json) if unix else ("127.0.0.1", gpsd.port)
        source = GpsdPositions(address)
        try:
            until(lambda: source.state.endswith(("refused", "No such file or directory")))
            assert source.position_at(boot_ns()) is None
            for _ in range(2):
                with gpsd:
                    assert receiver.off_m(now_position(source)) < 2
                gpsd.json.unlink(missing_ok=True)
                until(lambda: source.position_at(boot_ns()) is None)
                until(lambda: not source.state.endswith("heard"))
        finally:
            source.close()


def test_a_gpsd_that_hung_tells_old_positions_afterwards_which_are_not_taken_for_new(
    tmp_path: Path,
) -> None:
    with (
        Port(tmp_path / "gnss") as port,
        Receiver(port.write, speed_mps=5.0) as receiver,
        Gpsd(port.path, tmp_path, unix=True) as gpsd,
    ):
        source = GpsdPositions(str(gpsd.json))
        now_position(source)
        gpsd.hang()
        until(lambda: source.position_at(boot_ns()) is None, timeout_s=5)
        time.sleep(4)  # what the receiver says now waits in the line for gpsd
        gpsd.go_on()
        until_s = time.monotonic() + 3
        while time.monotonic() < until_s:
            position = source.position_at(boot_ns())
            assert position is None or receiver.off_m(position) < 3
            time.sleep(0.01)
        assert position is not None
        source.close()


def test_with_gst_of_a_real_gpsd_the_error_is_that_of_the_receiver(tmp_path: Path) -> None:
    with Port(tmp_path / "gnss") as port, Receiver(port.write), Gpsd(port.path, tmp_path) as gpsd:
        source = GpsdPositions(("127.0.0.1", gpsd.port))
        until(lambda: (p := source.position_at(boot_ns())) and p.sigma_m < 2.8)
        source.close()


def test_without_gst_the_error_is_gpsds_own(tmp_path: Path) -> None:
    with (
        Port(tmp_path / "gnss") as port,
        Receiver(port.write, gst=False),
        Gpsd(port.path, tmp_path) as gpsd,
    ):
        source = GpsdPositions(("127.0.0.1", gpsd.port))
        assert now_position(source).sigma_m >= 3
        source.close()


def test_behind_the_wall_gpsd_is_reached_by_its_socket_only() -> None:
    for source in ("gpsd://127.0.0.1", "gpsd://[::1]:2947", "gpsd://pi.local:2947"):
        with pytest.raises(ConfigError, match="no network") as caught:
            open_positions(source, 4.0, walled=True)
        assert GPSD_SOCKET in str(caught.value)
        open_positions(source, 4.0).close()
    positions = open_positions("gpsd", 4.0, walled=True)
    assert positions.state.startswith(f"gpsd at {GPSD_SOCKET}")
    positions.close()


def test_gpsfake_replays_a_walk(tmp_path: Path) -> None:
    """A log played five times too fast: GNSS time outruns the boot clock, positions go on."""
    points = [(1_795_000_000.0 + t, LAT + t * 1e-5, LON) for t in range(600)]
    log, tcp = write_nmea(tmp_path / "walk.nmea", points), free_port()
    gpsfake = program("gpsfake", "gpsd-clients gpsd-tools")
    program("gpsd", "gpsd")
    fake = subprocess.Popen(
        [gpsfake, "-c", "0.07", "-P", str(tcp), "-n", "-q", str(log)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    source = GpsdPositions(("127.0.0.1", tcp))
    try:
        first = now_position(source)
        until(lambda: now_position(source).lat_deg > first.lat_deg + 5e-5)
        assert 0 <= first.lat_deg - LAT < 600e-5
        assert first.utc_s is not None
        assert 0 <= first.utc_s - points[0][0] < 600
    finally:
        source.close()
        fake.terminate()
        fake.wait(20)


def test_doctor_tells_a_fix_from_silence(tmp_path: Path) -> None:
    config = tmp_path / "scanner.toml"
    with Port(tmp_path / "gnss") as port, Receiver(port.write), Gpsd(port.path, tmp_path) as gpsd:
        config.write_text(f'[position]\nsource = "gpsd://127.0.0.1:{gpsd.port}"\n')
        out = scanner("doctor", "--json", "--config", config, "--data", tmp_path).stdout
    assert position_check(out)["state"] == "ok"
    config.write_text('[position]\nsource = "gpsd://127.0.0.1:9"\n')
    out = scanner("doctor", "--json", "--config", config, "--data", tmp_path).stdout
    assert position_check(out)["state"] == "fail"
    assert "no positions from" in str(position_check(out)["text"])


def position_check(lines: str) -> dict[str, object]:
    rows: list[dict[str, object]] = [json.loads(line) for line in lines.splitlines()]
    return next(row for row in rows if row["check"] == "gnss")
