"""``scanner doctor`` over file trees of boards, a real broker, a real gpsd, and parts that hang."""

import json
import threading
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from scanner.cli.doctor import CHECKS, Finding, examine, screen
from scanner.cli.doctor_board import units
from scanner.cli.doctor_device import Check, Device, Note
from scanner.config import Config, parse
from scanner.errors import BrokerError, DeviceError
from scanner.sealing import key_to_text
from scanner.storage.known import write_home
from scanner.storage.outbox import Outbox
from tests.cli.test_commands import error_of, scanner
from tests.helpers.broker import Mosquitto
from tests.helpers.gpsd import Gpsd
from tests.helpers.receiver import Port, Receiver

PI = {"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0"}
USB = "sys/bus/usb/devices/2-1"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
HEAT = "sys/class/thermal/thermal_zone0/temp"
RADIO = {"sys/class/bluetooth/hci0/address": "", "run/dbus/system_bus_socket": ""}
KEY = key_to_text(PrivateKey.generate().public_key)


def coral(vendor: str, product: str, speed: str = "5000") -> dict[str, str]:
    files = {"idVendor": vendor, "idProduct": product, "busnum": "2", "devnum": "7"}
    tree = {f"{USB}/{name}": text + "\n" for name, text in {**files, "speed": speed}.items()}
    return {**tree, "dev/bus/usb/002/007": ""}


def rfkill(kind: str, soft: str) -> dict[str, str]:
    folder = "sys/class/rfkill/rfkill0"
    return {f"{folder}/type": kind, f"{folder}/soft": soft, f"{folder}/hard": "0"}


def supply(alarm: str) -> dict[str, str]:
    folder = "sys/class/hwmon/hwmon1"
    return {f"{folder}/name": "rpi_volt\n", f"{folder}/in0_lcrit_alarm": f"{alarm}\n"}


def plant(root: Path, tree: dict[str, str]) -> Path:
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def look(name: str, device: Device) -> Finding:
    (found,) = examine(device, {name: CHECKS[name]})
    return found


def device(tmp_path: Path, toml: str = "", tree: dict[str, str] | None = None) -> Device:
    root = plant(tmp_path / "root", tree or {})
    return Device(parse(toml, "scanner.toml"), tmp_path / "data", root=root, patience_s=20)


@pytest.mark.parametrize(
    "case",
    [
        ("lens", {}, "", "note", "recorded walks only"),
        ("lens", PI, "", "fail", "sudo apt install python3-picamera2"),
        ("accelerator", {}, "", "note", "no Coral is seen"),
        ("accelerator", coral("1d6b", "0002"), "", "note", "no Coral is seen"),
        ("accelerator", coral("1a6e", "089a"), "", "fail", "waits for its firmware"),
        ("accelerator", coral("18d1", "9302"), "", "fail", "libedgetpu.so.1 is missing"),
        ("accelerator", {"dev/apex_0": ""}, "", "fail", "is built in, but"),
        ("ble", {}, "", "ok", "not used"),
        ("ble", {}, '[position]\nsource = "ble://GLO"\n', "fail", "no Bluetooth radio"),
        ("ble", RADIO, '[position]\nsource = "ble://GLO"\n', "ok", "hci0"),
        ("ble", RADIO, '[hints]\nfile = "x"\n', "ok", "hci0"),
        (
            "ble",
            {**RADIO, **rfkill("bluetooth", "1")},
            '[hints]\nfile = "x"\n',
            "fail",
            "rfkill unblock bluetooth",
        ),
        ("ble", {**RADIO, **rfkill("wlan", "1")}, '[hints]\nfile = "x"\n', "ok", "hci0"),
        ("panel", {}, "", "ok", "none is connected"),
        ("panel", {}, "[panel]\nlamp = 4\nbutton = 4\n", "fail", "lamp and button are on the same"),
        ("panel", PI, "[panel]\nlamp = 4\n", "fail", "sudo"),
        ("temperature", {}, "", "note", "does not tell"),
        ("temperature", {HEAT: "48312\n"}, "", "ok", "48 degrees"),
        ("temperature", {HEAT: "71000\n"}, "", "note", "warm"),
        ("temperature", {HEAT: "83500\n"}, "", "fail", "too hot"),
        ("voltage", {}, "", "note", "does not tell"),
        ("voltage", {THROTTLED: "0\n"}, "", "ok", "high enough"),
        ("voltage", {THROTTLED: "50005\n"}, "", "fail", "too low right now"),
        ("voltage", {THROTTLED: "50000\n"}, "", "note", "since the start"),
        ("voltage", {THROTTLED: "4\n"}, "", "fail", "slowed down"),
        ("voltage", supply("1"), "", "fail", "right now"),
        ("voltage", supply("0"), "", "ok", "enough"),
        ("disk", {}, "", "ok", "0 records wait"),
        (
            "disk",
            {"proc/swaps": "Filename Type Size\n/var/swap file 99\n"},
            "",
            "note",
            "swap is on",
        ),
        ("disk", {"proc/swaps": "Filename Type Size\n"}, "", "ok", "0 records wait"),
        ("hub key", {}, "", "fail", "scanner enrol"),
        ("hub key", {}, f'[privacy]\nhub_key = "{KEY}"\n', "ok", "is set"),
        ("hub key", {}, f'[privacy.hub_keys]\n2020-Q3 = "{KEY}"\n', "fail", "new enrolment"),
        ("hub key", {}, f'[privacy.hub_keys]\n2999-01 = "{KEY}"\n', "ok", "up to 2999-01"),
        ("hub key", {}, '[privacy]\nhub_key = "AA=="\n', "fail", "privacy"),
        ("policy", {}, "", "note", "careful without a home"),
        ("policy", {}, '[privacy]\nprofile = "hostile"\n', "note", "hostile without a home"),
        ("policy", {}, '[privacy]\nprofile = "open"\n', "ok", "open"),
        (
            "policy",
            {},
            '[privacy]\nprofile = "hostile"\n[mqtt]\nhost = "hub.example"\n',
            "fail",
            "Tor only",
        ),
        (
            "policy",
            {},
            f'[privacy]\nprofile = "hostile"\nown_key = "{KEY}"\n',
            "fail",
            "own_key",
        ),
        ("gnss", {}, '[position]\nsource = "track"\n', "ok", "recorded track"),
        ("broker", {}, "", "note", "records stay in the outbox"),
        ("broker", {}, '[mqtt]\nhost = "127.0.0.1"\nport = 9\n', "fail", "127.0.0.1:9"),
        ("units", {}, "", "note", "no systemd here"),
    ],
)
def test_each_part_is_ok_or_says_what_to_do(
    tmp_path: Path, case: tuple[str, dict[str, str], str, str, str]
) -> None:
    check, tree, toml, state, words = case
    found = look(check, device(tmp_path, toml, tree))
    assert (found.state, words in found.text) == (state, True), found
    assert bool(found.exit_code) == (state == "fail")
    assert found.exit_code in (0, 69, 75, 78)


def test_a_home_quiets_the_policy(tmp_path: Path) -> None:
    write_home(tmp_path / "data", 52.3702, 4.8952)
    assert look("policy", device(tmp_path)).text == "careful, a home is set"


def test_the_outbox_is_counted_and_none_is_made(tmp_path: Path) -> None:
    here = device(tmp_path)
    assert look("disk", here).state == "ok"
    assert not here.data.exists()
    store = Outbox(here.data)
    store.add(bytes(1072))
    store.close()
    assert "1 records wait" in look("disk", here).text


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in its place")
    assert look("disk", device(tmp_path)).exit_code == 74


def test_a_receiver_of_one_process_is_left_to_watch(tmp_path: Path) -> None:
    here = device(tmp_path, '[position]\nsource = "serial:///dev/none"\n')
    store = Outbox(here.data)
    found = look("gnss", here)
    store.close()
    assert (found.state, "read by `scanner watch`" in found.text) == ("note", True)


def test_a_real_receiver_behind_gpsds_socket_gives_a_fix(tmp_path: Path) -> None:
    with (
        Port(tmp_path / "gnss") as port,
        Receiver(port.write),
        Gpsd(port.path, tmp_path, unix=True) as gpsd,
    ):
        found = look("gnss", device(tmp_path, f'[position]\nsource = "{gpsd.source}"\n'))
    assert (found.state, "1 sigma" in found.text) == ("ok", True), found


def test_a_real_broker_answers_and_a_silent_one_is_code_75(tmp_path: Path) -> None:
    toml = '[mqtt]\nhost = "127.0.0.1"\nport = {}\n'
    with Mosquitto(tmp_path / "broker") as broker:
        here = device(tmp_path, toml.format(broker.port))
        assert look("broker", here).text == f"127.0.0.1:{broker.port} answers"
    assert look("broker", here).exit_code == 75


LOADED = (
    "Id={}.service\nLoadState=loaded\nActiveState={}\nSubState=running\n"
    "UnitFileState=enabled\nNRestarts={}\nExecMainStatus={}\n"
)
ABSENT = "Id={}.service\nLoadState=not-found\nActiveState=inactive\nNRestarts=0\n"


@pytest.mark.parametrize(
    "case",
    [
        (LOADED.format("scanner-watch", "active", 0, 0),) * 2 + (True, "scanner-watch active"),
        (ABSENT.format("scanner-watch"), ABSENT.format("scanner-relay"), True, "not installed"),
        (
            LOADED.format("scanner-watch", "failed", 3, 69),
            LOADED.format("scanner-relay", "active", 0, 0),
            True,
            "scanner-watch is failed, exit code 69",
        ),
        (
            LOADED.format("scanner-watch", "active", 4, 0),
            LOADED.format("scanner-relay", "active", 0, 0),
            True,
            "started again 4 times",
        ),
        (
            LOADED.format("scanner-watch", "active", 0, 0),
            LOADED.format("scanner-relay", "failed", 0, 78),
            False,
            "scanner-relay failed",
        ),
        (
            LOADED.format("scanner-watch", "active", 0, 0).replace("enabled", "disabled"),
            LOADED.format("scanner-relay", "active", 0, 0),
            True,
            "systemctl enable scanner-watch",
        ),
    ],
)
def test_what_systemd_tells_of_the_units_is_read(case: tuple[str, str, bool, str]) -> None:
    watch, relay, relays, words = case
    try:
        told = units(f"{watch}\n{relay}", relays=relays)
    except (Note, DeviceError) as e:
        told = str(e)
    assert words in told


def checks(**found: Check) -> dict[str, Check]:
    return dict(found)


def test_a_part_that_hangs_is_given_up_and_hides_nothing(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_: Device) -> str:
        release.wait(60)
        return "too late"

    def broken(_: Device) -> str:
        raise ValueError("odd bytes")

    here = Device(Config(), tmp_path, patience_s=0.3)
    start = time.monotonic()
    late, bug, fine = examine(here, checks(broker=hang, odd=broken, fine=lambda _: "well"))
    release.set()
    assert time.monotonic() - start < 5
    assert (late.state, late.exit_code) == ("fail", BrokerError.exit_code)
    assert "no answer within 0.3 s" in late.text
    assert (bug.exit_code, "ValueError: odd bytes" in bug.text) == (1, True)
    assert fine.state == "ok"


TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs", "Cc"]), max_size=400)
FOUND = st.builds(
    Finding,
    check=st.sampled_from(sorted(CHECKS)),
    state=st.sampled_from(["ok", "note", "fail"]),
    text=TEXTS,
)


@given(st.lists(FOUND, min_size=1, max_size=len(CHECKS)))
def test_whatever_is_found_fits_one_screen_and_every_part_is_named(found: list[Finding]) -> None:
    lines = screen(found)
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    named = [line[2:14].strip() for line in lines if line[0] != " "]
    assert named == [one.check for one in found]


def test_trouble_keeps_its_lines_where_room_is_short() -> None:
    long = "word " * 60
    quiet = [Finding(check="disk", state="ok", text=long)] * 10
    lines = screen([*quiet, Finding(check="lens", state="fail", text=long, exit_code=69)])
    assert len([line for line in lines if line.startswith("+")]) == 10
    assert len(lines) > 13


def test_the_command_is_done_in_seconds_and_prints_all_parts(tmp_path: Path) -> None:
    toml = tmp_path / "scanner.toml"
    toml.write_text(f'[position]\nsource = "track"\n[privacy]\nhub_key = "{KEY}"\n')
    told = scanner("doctor", "--seconds", 60, "--data", tmp_path / "d", "--config", toml)
    assert told.returncode == 0, told.stdout + told.stderr
    names = [line[2:14].strip() for line in told.stdout.splitlines() if line[0] != " "]
    assert names == list(CHECKS)
    told = scanner("doctor", "--json", "policy", "clock", "--data", tmp_path, "--config", toml)
    rows = [msgspec.json.decode(line, type=Finding) for line in told.stdout.splitlines()]
    assert [row.check for row in rows] == ["clock", "policy"]
    assert all(json.loads(line) for line in told.stdout.splitlines())


@pytest.mark.parametrize("words", [["heart"], ["--seconds", "0", "disk"]])
def test_wrong_use_names_the_checks(words: list[str]) -> None:
    assert "lens, accelerator, model" in error_of(scanner("doctor", *words), 2)
