"""The units as systemd itself reads them: valid, shut in, telling the truth about the commands."""

import configparser
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from scanner.cli import build_parser
from scanner.cli.enrol import PASSWORD_FILE
from scanner.cli.page import SOCKET
from scanner.config import DEFAULT_PATH
from scanner.enrolment import FILE
from scanner.errors import ConfigError, WallError
from scanner.hardware.positions import GPSD_SOCKET
from scanner.storage import known, outbox, tokens
from scanner.wiping import EXIT_WIPED, MARK

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
WALLED = ("scanner-watch", "scanner-relay")
HOLDS_PICTURES = ("scanner-watch", "scanner-relay", "scanner-page")
PROGRAM = "/opt/scanner/bin/scanner"


def settings(path: Path) -> dict[str, list[str]]:
    """Every value of every key, sections aside, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def words(path: Path, key: str) -> set[str]:
    return {word for value in settings(path)[key] for word in value.split()}


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is missing: sudo apt-get install systemd"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def installed(folder: Path) -> Path:
    """The units as if the program were installed."""
    shutil.copytree(FOLDER, folder / "units")
    for unit in (folder / "units").glob("*.service"):
        unit.write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    return folder / "units"


def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    units = sorted(installed(tmp_path).glob("*.service"))
    result = analyze("verify", "--man=no", *map(str, units))
    assert (result.returncode, result.stderr) == (0, "")
    # It would have said something about a key that it does not know.
    units[0].write_text(units[0].read_text().replace("[Service]", "[Service]\nPrivateNetwrok=yes"))
    assert "PrivateNetwrok" in analyze("verify", "--man=no", str(units[0])).stderr


def test_the_drop_ins_fit_the_gpsd_that_is_installed(tmp_path: Path) -> None:
    units = installed(tmp_path)
    for name in ("gpsd.socket", "gpsd.service"):
        (theirs,) = [
            p / name
            for p in map(Path, ("/usr/lib/systemd/system", "/lib/systemd/system"))
            if (p / name).exists()
        ][:1]
        shutil.copy(theirs, units / name)
    result = analyze("verify", "--man=no", str(units / "gpsd.socket"))
    assert (result.returncode, result.stderr) == (0, "")


# As Debian 12 and Raspberry Pi OS ship it, in what matters here.
BLUETOOTH = """\
[Service]
Type=dbus
BusName=org.bluez
ExecStart=/usr/libexec/bluetooth/bluetoothd
ProtectSystem=strict
StateDirectory=bluetooth
StateDirectoryMode=0700
"""


def test_the_drop_in_for_bluetooth_switches_listening_on_and_keeps_names_off_the_card(
    tmp_path: Path,
) -> None:
    units = installed(tmp_path)
    (units / "bluetooth.service").write_text(BLUETOOTH)
    drop_in = units / "bluetooth.service.d/scanner.conf"
    assert settings(drop_in)["ExecStart"] == [
        "",
        f"{settings(units / 'bluetooth.service')['ExecStart'][0]} --experimental",
    ]
    assert settings(drop_in)["StateDirectory"] == [""], "it would lie above the one in memory"
    for path in (drop_in, units / "bluetooth.service"):
        text = path.read_text().replace("/usr/libexec/bluetooth/bluetoothd", "/bin/true")
        path.write_text(text)
    result = analyze("verify", "--man=no", str(units / "bluetooth.service"))
    assert (result.returncode, result.stderr) == (0, "")


def test_a_wipe_is_finished_where_it_was_begun_and_nowhere_else() -> None:
    watch, relay, wipe = (
        settings(FOLDER / f"scanner-{name}.service") for name in ("watch", "relay", "wipe")
    )
    mark = f"/var/lib/scanner/{MARK}"
    assert watch["OnSuccess"] == watch["OnFailure"] == ["scanner-wipe.service"]
    assert str(EXIT_WIPED) in watch["SuccessExitStatus"]
    assert str(EXIT_WIPED) in watch["RestartPreventExitStatus"][0].split()
    assert watch["ConditionFileNotEmpty"] == [f"|{mark}"]
    assert relay["ConditionFileNotEmpty"] == [f"!{mark}"]
    assert wipe["ConditionFileNotEmpty"] == [mark]
    assert all("scanner-relay.service" in line for line in wipe["ExecStartPre"])
    assert wipe["ReadWritePaths"] == [f"/var/lib/scanner {DEFAULT_PATH.parent}"]
    assert wipe["CapabilityBoundingSet"] == ["CAP_DAC_OVERRIDE"]


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("scanner-watch", 1.5),
        ("scanner-relay", 1.5),
        ("scanner-page", 1.5),
        ("scanner-wipe", 1.5),
        ("scanner-hub", 2.0),
    ],
)
def test_a_unit_is_exposed_no_more_than_it_must_be(unit: str, most: float) -> None:
    path = str(FOLDER / f"{unit}.service")
    result = analyze("security", "--offline=true", f"--threshold={most * 10:.0f}", path)
    assert result.returncode == 0, result.stdout.splitlines()[-1]
    told = re.search(r"exposure level for \S+: ([0-9.]+)", result.stdout)
    assert told
    assert float(told[1]) <= most


def test_watch_has_no_network_and_relay_no_device() -> None:
    watch, relay = (FOLDER / f"{name}.service" for name in WALLED)
    # udev's messages, through which libcamera learns of lenses, are the second family.
    assert words(watch, "RestrictAddressFamilies") == {"AF_UNIX", "AF_NETLINK"}
    assert (words(watch, "PrivateNetwork"), words(watch, "IPAddressDeny")) == ({"yes"}, {"any"})
    assert words(relay, "RestrictAddressFamilies") == {"AF_INET", "AF_INET6"}
    assert words(relay, "PrivateDevices") == {"yes"}
    hidden = {w.strip("-") for w in words(relay, "InaccessiblePaths")}
    beside = {known.FILE_NAME, known.HOME_NAME, outbox.OWN_FOLDER}
    beside |= {tokens.FILE_NAME + end for end in ("", "-wal", "-shm")}
    assert {f"/var/lib/scanner/{name}" for name in beside} <= hidden
    disks = ("block", "/dev/mmcblk", "/dev/sd", "/dev/mem")
    assert not [one for one in settings(watch)["DeviceAllow"] if one.startswith(disks)]


@pytest.mark.parametrize("unit", HOLDS_PICTURES)
def test_nothing_of_memory_reaches_the_card(unit: str) -> None:
    path = FOLDER / f"{unit}.service"
    assert (words(path, "MemorySwapMax"), words(path, "LimitCORE")) == ({"0"}, {"0"})
    assert words(path, "UMask") == {"0077"}


def test_the_watchdog_is_fed_by_the_program_and_a_wrong_configuration_does_not_loop() -> None:
    watch, relay = (FOLDER / f"{name}.service" for name in WALLED)
    assert words(watch, "Type") == {"notify"}
    assert 0 < int(settings(watch)["WatchdogSec"][0]) <= 60
    assert words(watch, "WatchdogSignal") == {"SIGTERM"}  # what it found is put away first
    for path in (watch, relay, FOLDER / "scanner-hub.service"):
        assert words(path, "Restart") == {"on-failure"}
        assert str(ConfigError.exit_code) in words(path, "RestartPreventExitStatus")
    # Name servers that changed: only a new start lets relay read them.
    assert str(WallError.exit_code) not in words(relay, "RestartPreventExitStatus")


def test_secrets_come_as_credentials_under_the_name_that_the_program_reads() -> None:
    for unit, folder in (("relay", "/etc/scanner"), ("hub", "/etc/scanner-hub")):
        path = FOLDER / f"scanner-{unit}.service"
        assert settings(path)["LoadCredential"] == [f"{PASSWORD_FILE}:{folder}/{PASSWORD_FILE}"]
    assert not [unit for unit in UNITS if "assword=" in unit.read_text()]
    for name in WALLED:
        wanted = {
            path.strip("|") for path in words(FOLDER / f"{name}.service", "ConditionPathExists")
        }
        assert wanted == {str(DEFAULT_PATH), str(DEFAULT_PATH.with_name(FILE))}


@pytest.mark.parametrize("unit", UNITS, ids=lambda p: p.stem)
def test_what_a_unit_starts_is_a_command_of_ours(unit: Path) -> None:
    (line,) = settings(unit)["ExecStart"]
    program, *arguments = shlex.split(line)
    if unit.stem == "scanner-noswap":
        assert program == "/usr/sbin/swapoff"
        return
    assert program == PROGRAM
    build_parser(arguments[0]).parse_args(arguments)


def test_gpsd_is_where_the_program_looks_for_it() -> None:
    lines = settings(FOLDER / "gpsd.socket.d/scanner.conf")["ListenStream"]
    assert lines[0] == "", "the distribution's TCP sockets must be cleared"
    assert lines[2].replace("%t", "/run") == GPSD_SOCKET
    assert not any(":" in line or line.isdigit() for line in lines)


def test_watch_finds_the_page_where_the_page_listens() -> None:
    unit = FOLDER / "scanner-page.service"
    (name,) = words(unit, "RuntimeDirectory")
    assert SOCKET.parent == Path("/run") / name
    # The socket's group is that of watch's user; others may not even enter.
    assert words(unit, "Group") == words(FOLDER / "scanner-watch.service", "User")
    assert words(unit, "RuntimeDirectoryMode") == {"0750"}
    assert "[Install]" not in unit.read_text(), "it is started on request only"


def test_a_page_forgotten_in_a_pocket_ends_and_stays_ended() -> None:
    page = settings(FOLDER / "scanner-page.service")
    assert "--hours" in shlex.split(page["ExecStart"][0])  # its end is then a good one
    assert page["Restart"] == ["on-failure"]
    assert not [key for key in page if key.startswith("RuntimeMaxSec")]


def test_users_and_groups_are_made_as_the_units_name_them(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).write_text(
            "root:x:0:0:root:/root:/bin/sh\n" if name == "passwd" else "root:x:0:\n"
        )
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(FOLDER / "scanner.sysusers")],
        check=True, capture_output=True,
    )  # fmt: skip
    made = {n: (tmp_path / "etc" / n).read_text() for n in ("passwd", "group")}
    users = {line.split(":")[0] for line in made["passwd"].splitlines()}
    groups = {line.split(":")[0] for line in made["group"].splitlines()}
    for unit in UNITS:
        assert words(unit, "User") <= users
        assert words(unit, "SupplementaryGroups") <= groups
    assert words(FOLDER / "gpsd.socket.d/scanner.conf", "SocketGroup") <= groups


def test_the_rules_know_a_coral_before_and_after_its_firmware() -> None:
    rules = (FOLDER / "scanner.udev").read_text().splitlines()
    corals = [
        tuple(re.findall(r'ATTR\{id(?:Vendor|Product)\}=="([0-9a-f]{4})"', line)) for line in rules
    ]
    assert [coral for coral in corals if coral] == [("1a6e", "089a"), ("18d1", "9302")]
    named = set(re.findall(r'SUBSYSTEM=="(\w+)"', "\n".join(rules)))
    assert named == {"video4linux", "media", "dma_heap", "gpio", "apex", "usb"}
    groups = set(re.findall(r'GROUP="(\w+)"', "\n".join(rules)))
    assert groups <= words(FOLDER / "scanner-watch.service", "SupplementaryGroups")


@pytest.mark.parametrize(
    ("name", "section", "key", "value"),
    [
        ("scanner.journald", "Journal", "Storage", "volatile"),
        ("scanner.coredump", "Coredump", "Storage", "none"),
        ("scanner.system", "Manager", "DefaultLimitCORE", "0"),
        ("scanner.system", "Manager", "RuntimeWatchdogSec", "15s"),
    ],
)
def test_the_machine_keeps_no_traces(name: str, section: str, key: str, value: str) -> None:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FOLDER / name)
    assert parser[section][key] == value
