"""Bluetooth hints over a real D-Bus daemon, with a stand-in for BlueZ that filters as it does."""

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dbus_fast import Variant
from nacl.signing import SigningKey

from scanner.core.hints import Signature
from scanner.errors import ConfigError
from scanner.hardware.beacons import Beacons, advertisement, patterns
from scanner.signing import check_hints, sign_hints
from tests.helpers.bluez import Bluez
from tests.helpers.waiting import until

NAME, COMPANY, SERVICES = 0x09, 0xFF, 0x03
BATTERY = Signature(title="battery", source="s", names=("FS Ext Battery",), companies=("09C8",))
RAVEN = Signature(title="raven", source="s", services=("3100",), name_starts=("Raven-",))
MAKER = (COMPANY, b"\xc8\x09TN72023022000771")
BATTERY_NAME = (NAME, b"FS Ext Battery")
NEIGHBOURS = [  # what else is in the air of a street
    ("A4:C1:38:00:00:01", (NAME, b"Anna's earphones"), (COMPANY, b"\x4c\x00\x12\x02\x00\x00")),
    ("A4:C1:38:00:00:02", (NAME, b"Smith family TV")),
    ("A4:C1:38:00:00:03", (SERVICES, b"\x0d\x18")),
]


@pytest.fixture(autouse=True)
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")


def strings_in_memory() -> str:
    """Every text and every run of bytes that Python objects of this process hold."""
    gc.collect()
    seen = []
    for holder in gc.get_objects():
        items = (
            [*holder.keys(), *holder.values()]
            if isinstance(holder, dict)
            else holder
            if isinstance(holder, list | tuple | set | frozenset)
            else ()
        )
        seen += [str(item) for item in list(items) if isinstance(item, str | bytes)]
    return "\n".join(seen)


def test_two_signals_of_one_device_are_a_hint_and_one_is_none(tmp_path: Path) -> None:
    with Bluez(tmp_path) as bluez:
        beacons = Beacons([BATTERY, RAVEN])
        try:
            until(lambda: bluez.monitored)
            bluez.advertise("B4:1E:52:00:00:01", BATTERY_NAME)
            bluez.advertise("B4:1E:52:00:00:02", MAKER)
            bluez.advertise("B4:1E:52:00:00:03", (SERVICES, b"\x0f\x18\x00\x31"))
            until(lambda: len(bluez.named) == 3)
            until(lambda: bluez.calls.count("GetAll") >= 3)
            time.sleep(0.3)
            assert beacons.take() == []
            bluez.advertise("B4:1E:52:00:00:04", BATTERY_NAME, MAKER)
            bluez.advertise("B4:1E:52:00:00:05", (SERVICES, b"\x00\x31"), (NAME, b"Raven-1234"))
            heard: list[int] = []
            until(lambda: heard.extend(beacons.take()) or len(heard) == 2)
        finally:
            beacons.close()
        assert "UnregisterMonitor" in bluez.calls
        assert "StartDiscovery" not in bluez.calls  # which would send


def test_nobody_elses_device_is_named_to_us_or_looked_at(tmp_path: Path) -> None:
    with Bluez(tmp_path) as bluez:
        beacons = Beacons([BATTERY])
        try:
            until(lambda: bluez.monitored)
            for address, *parts in NEIGHBOURS:
                bluez.advertise(address, *parts)
            bluez.advertise("B4:1E:52:00:00:04", BATTERY_NAME, MAKER)
            until(beacons.take)
            assert bluez.named == ["B4:1E:52:00:00:04"]
            assert "GetManagedObjects" not in bluez.calls  # would list everyone's
        finally:
            beacons.close()


LISTEN = """
import sys, time
from scanner.core.hints import Signature
from scanner.hardware.beacons import Beacons
from tests.adapters.test_beacons import BATTERY, strings_in_memory
beacons = Beacons([BATTERY])
print("ready", flush=True)
sys.stdin.readline()
deadline = time.monotonic() + 20
heard = []
while len(heard) < 1 and time.monotonic() < deadline:
    heard += beacons.take()
    time.sleep(0.05)
time.sleep(0.5)
memory = strings_in_memory()
print("looked", "FS Ext Battery" in memory, flush=True)
marks = sys.stdin.readline().strip().split("|")  # not known to this process before it looked
print(len(heard), [mark for mark in marks if mark in memory], flush=True)
beacons.close()
"""


def test_what_was_judged_is_forgotten_even_where_it_fitted(tmp_path: Path) -> None:
    """A device that shares one signal is named to us: its address and name must not stay."""
    marks = ["5C:F3:70:AA:BB:01", "5C_F3_70_AA_BB_01", "5C:F3:70:AA:BB:02", "5C_F3_70_AA_BB_02"]
    with Bluez(tmp_path) as bluez:
        process = subprocess.Popen(
            [sys.executable, "-c", LISTEN],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        try:
            assert process.stdout
            assert process.stdin
            assert process.stdout.readline() == "ready\n"
            until(lambda: bluez.monitored)
            bluez.advertise("5C:F3:70:AA:BB:01", (NAME, b"Joe's car"), MAKER)
            until(lambda: bluez.named)
            bluez.advertise("5C:F3:70:AA:BB:02", BATTERY_NAME, MAKER)
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.stdout.readline() == "looked True\n"  # it does see what is in memory
            out, _ = process.communicate("|".join([*marks, "Joe's car"]) + "\n", timeout=60)
        finally:
            process.kill()
    assert out == "1 []\n"


def test_a_bluez_that_crashed_and_came_back_is_asked_again(tmp_path: Path) -> None:
    with Bluez(tmp_path) as bluez:
        beacons = Beacons([BATTERY])
        try:
            until(lambda: bluez.monitored)
            bluez.restart()
            until(lambda: "hung up" in beacons.state)
            until(lambda: bluez.monitored)
            until(lambda: "listening" in beacons.state)
            bluez.advertise("B4:1E:52:00:00:04", BATTERY_NAME, MAKER)
            until(beacons.take)
        finally:
            beacons.close()


def test_without_bluetooth_it_waits_and_says_so() -> None:
    beacons = Beacons([BATTERY])
    try:
        until(lambda: "No such file" in beacons.state)
    finally:
        beacons.close()


def test_an_old_bluez_is_named_in_the_state(tmp_path: Path) -> None:
    with Bluez(tmp_path, monitors=False):
        beacons = Beacons([BATTERY])
        try:
            until(lambda: "5.56" in beacons.state)
        finally:
            beacons.close()


def test_patterns_ask_for_published_signals_and_nothing_else() -> None:
    assert patterns([BATTERY]) == [
        (0, 0x08, b"FS Ext Battery"),
        (0, 0x09, b"FS Ext Battery"),
        (0, 0xFF, b"\xc8\x09"),
    ]
    assert (2, 0x03, b"\x00\x31") in patterns([RAVEN])


def test_a_device_without_properties_is_nobody() -> None:
    nobody = advertisement({"UUIDs": Variant("as", ["6e400001-b5a3-f393-e0a9-e50e24dcca9e"])})
    assert (nobody.name, nobody.services) == ("", frozenset())


@pytest.mark.parametrize("change", ["key", "body", "signature", "form"])
def test_a_list_that_the_campaign_did_not_sign_is_refused(change: str) -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    text = sign_hints(b'{"v":1}', key)
    assert check_hints(text, bytes(key.verify_key)) == b'{"v":1}'
    wrong = {
        "key": sign_hints(b'{"v":1}', other),
        "body": text.replace('"v":1', '"v":2'),
        "signature": text[:-8] + "AAAA" + text[-4:],
        "form": "hello",
    }[change]
    with pytest.raises(ConfigError, match=r"signed|signature"):
        check_hints(wrong, bytes(key.verify_key))
