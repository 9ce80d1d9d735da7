"""The system's clock starts in 1970 on a Pi, jumps by years and runs backwards; the walk goes on.

libfaketime shows a real scanner process, and a real gpsd, a wall clock that these tests set.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from scanner.hardware.positions import open_positions
from tests.helpers.gpsd import Gpsd
from tests.helpers.receiver import DEGREE_M, LAT, SPEED_MPS, Port, Receiver, now_position

WATCH = """
import json, sys, threading, time
from scanner.hardware.live import boot_ns
from scanner.hardware.positions import open_positions
source = open_positions(sys.argv[1], 4.0)
while sys.stdin.readline():
    deadline = time.monotonic() + 40
    while (position := source.position_at(boot_ns())) is None and time.monotonic() < deadline:
        threading.Event().wait(0.02)  # time.sleep never ends under libfaketime
    told = position and [position.at_ns, position.lat_deg, position.utc_s]
    print(json.dumps([time.time(), told]), flush=True)
source.close()
"""
WALL = {  # what the wall clock is set to, in this order, and its year
    "1970-01-01 00:00:10": 1970,
    "2026-11-18 10:00:00": 2026,
    "2051-01-01 00:00:00": 2051,
    "2001-01-01 00:00:00": 2001,
}


def fake_clock(clock: Path) -> dict[str, str]:
    """Environment of a process whose wall clock is what the file ``clock`` says."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "these tests need libfaketime: apt-get install libfaketime"
    return {
        **os.environ,
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }


def test_the_wall_clock_may_do_what_it_likes(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("@1970-01-01 00:00:00\n")
    with Port(tmp_path / "gnss") as port, Receiver(port.write) as receiver:
        with subprocess.Popen(
            [sys.executable, "-c", WATCH, f"serial://{port.path}"],
            env=fake_clock(clock),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as watcher:
            last_ns = 0
            for moment, year in WALL.items():
                clock.write_text(f"@{moment}\n")
                wall_s, told = ask(watcher)
                assert abs(1970 + wall_s / 31_556_952 - year) < 1  # it does see that clock
                at_ns, lat_deg, utc_s = told
                assert at_ns > last_ns
                assert abs(lat_deg - receiver.lat_deg(at_ns)) * DEGREE_M < 2
                assert abs(utc_s - receiver.utc_s(at_ns)) < 1
                last_ns = at_ns
            watcher.communicate(timeout=30)
        assert watcher.returncode == 0


def ask(watcher: "subprocess.Popen[str]") -> tuple[float, tuple[int, float, float]]:
    """What the process says of now: its wall clock, and boot time, latitude, GNSS time."""
    assert watcher.stdin
    assert watcher.stdout
    watcher.stdin.write("\n")
    watcher.stdin.flush()
    if not select.select([watcher.stdout], [], [], 60)[0]:
        watcher.kill()
    return json.loads(watcher.stdout.readline())


def test_a_gpsd_in_1970_tells_the_same(tmp_path: Path) -> None:
    env = {**fake_clock(tmp_path), "FAKETIME": "@1970-01-01 00:00:10"}  # gpsd may not read files
    with (
        Port(tmp_path / "gnss") as port,
        Receiver(port.write) as receiver,
        Gpsd(port.path, tmp_path, env=env) as gpsd,
    ):
        source = open_positions(gpsd.source, 4.0)
        position = now_position(source)
        source.close()
        assert receiver.off_m(position) < 2
        assert position.lat_deg > LAT - SPEED_MPS / DEGREE_M
        assert position.utc_s is not None
        assert abs(position.utc_s - receiver.utc_s(position.at_ns)) < 1
        assert "system time looks bogus" in gpsd.log.read_text()
