"""The board's files as kernels write them, and the words systemd waits for."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.hardware.board import Board, Reading, Service

ROOT = Path(__file__).parents[2]
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


PI4 = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48686\n",
    FIRMWARE: "0\n",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
}


@pytest.mark.parametrize(
    ("changed", "reading", "words"),
    [
        ({}, Reading(temperature_c=48.686), ""),
        (
            {"sys/class/thermal/thermal_zone0/temp": "81234\n"},
            Reading(temperature_c=81.234),
            "81 degrees",
        ),
        (
            {"sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"},
            Reading(temperature_c=48.686, under_voltage=True, was_under_voltage=True),
            "supply is too weak",
        ),
        # Bits 0 and 16, then 2, then 16 alone: as the firmware writes them, hexadecimal.
        (
            {FIRMWARE: "10001\n"},
            Reading(temperature_c=48.686, under_voltage=True, was_under_voltage=True),
            "supply",
        ),
        ({FIRMWARE: "4\n"}, Reading(temperature_c=48.686, throttled=True), "slowed down"),
        ({FIRMWARE: "0x50000\n"}, Reading(temperature_c=48.686, was_under_voltage=True), ""),
        (
            {"sys/class/thermal/thermal_zone0/temp": "garbage", FIRMWARE: ""},
            Reading(),
            "",
        ),
    ],
)
def test_a_pi_is_read(
    tmp_path: Path, changed: dict[str, str], reading: Reading, words: str
) -> None:
    board = Board(tree(tmp_path, PI4))
    tree(tmp_path, changed)  # after the files were found, as it happens
    assert board.read() == reading
    assert words in board.read().trouble
    assert bool(words) == bool(board.read().trouble)


def test_a_machine_that_tells_nothing_is_in_no_trouble(tmp_path: Path) -> None:
    assert Board(tmp_path).read() == Reading()


def test_this_machine_can_be_read() -> None:
    temperature_c = Board().read().temperature_c
    assert temperature_c is None or -40 < temperature_c < 150


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        yield one


def heard(systemd: socket.socket) -> list[str]:
    words = []
    systemd.setblocking(False)
    try:
        while True:
            words.append(systemd.recv(4096).decode())
    except BlockingIOError:
        return words


def environment(systemd: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "200000", **more}


def test_systemd_is_told_in_its_own_words(systemd: socket.socket) -> None:
    service = Service(environment(systemd))
    service.ready()
    service.status("lens: seeing")
    service.status("lens: seeing")
    service.alive()
    service.alive()
    service.stopping()
    service.close()
    service.close()
    assert heard(systemd) == ["READY=1", "STATUS=lens: seeing", "WATCHDOG=1", "STOPPING=1"]


def test_the_watchdog_is_fed_four_times_in_its_patience_at_most(systemd: socket.socket) -> None:
    service = Service(environment(systemd))
    until = time.monotonic() + 0.22
    while time.monotonic() < until:
        service.alive()
        time.sleep(0.001)
    service.close()
    assert 1 <= heard(systemd).count("WATCHDOG=1") <= 5


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "/nowhere/notify"},
        {"NOTIFY_SOCKET": "vsock:2:1"},
    ],
)
def test_without_systemd_nothing_is_said(given: dict[str, str]) -> None:
    service = Service(given)
    service.ready()
    service.alive()
    assert not service.told
    service.close()


@pytest.mark.parametrize("wrong", [{"WATCHDOG_USEC": "soon"}, {"WATCHDOG_PID": "1"}])
def test_a_watchdog_for_somebody_else_is_not_fed(
    systemd: socket.socket, wrong: dict[str, str]
) -> None:
    service = Service(environment(systemd) | wrong)
    service.alive()
    assert heard(systemd) == []
    service.close()


BEHIND = """
import os, sys
from pathlib import Path
from scanner import wall
from scanner.hardware.board import Board, Service
service, data = Service(), Path(sys.argv[1])
wall.fence_watch(data, [])
wall.close_watch(data)
service.ready(); service.alive(); service.status(str(Board().read().trouble == ""))
"""


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_what_is_said_behind_the_wall(
    tmp_path: Path,
    abstract: bool,  # noqa: FBT001 - a column of the table
) -> None:
    name = f"@scanner-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    (tmp_path / "data").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0") if abstract else name)
        result = subprocess.run(
            [sys.executable, "-c", BEHIND, tmp_path / "data"],
            env={**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"},
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        words = heard(systemd)
    assert words[:2] == ["READY=1", "WATCHDOG=1"]
    assert words[2].startswith("STATUS=")
