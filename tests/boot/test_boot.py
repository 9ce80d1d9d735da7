"""A Debian 12 with the package installed, booted by systemd itself in a container.

Minutes, and root: ``make test-units``. The lens is a folder of pictures; the sandbox is the units'.
"""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey

from scanner.core.wire import SEALED_BYTES
from scanner.sealing import key_to_text
from scanner.wall import landlock
from tests.boot.tree import Tree, system
from tests.helpers.media import write_gpx, write_pictures

PICTURES = 4000
WATCHDOG_S = 8
HERE = Path(__file__).parent
FILL = """
import os
from pathlib import Path
from scanner.storage.outbox import Outbox
store = Outbox(Path("/var/lib/scanner"))
for _ in range(3):
    store.add(os.urandom({size}))
store.close()
"""
WATCH = """\
[Service]
ExecStartPre=/usr/bin/python3 -I /usr/share/test/probe.py /run/scanner/probe.json
ExecStartPre=+/bin/sh -c '[ -e /var/watch.json ] || cp /run/scanner/probe.json /var/watch.json'
ExecStart=
ExecStart=/opt/scanner/bin/scanner watch --source /usr/share/test/walk \\
    --track /usr/share/test/walk.gpx
WatchdogSec={watchdog}
"""
RELAY = """\
[Unit]
After=mosquitto.service heard.service
[Service]
ExecStartPre=/usr/bin/python3 -I /usr/share/test/probe.py /var/lib/scanner/probe-relay.json
"""
FREE = """\
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I /usr/share/test/probe.py /var/free.json
"""
HEARD = """\
[Unit]
After=mosquitto.service
[Service]
ExecStart=/bin/sh -c 'exec mosquitto_sub -h 127.0.0.1 -V 5 -q 1 -t cctv/v1/in -F %%l >/var/sent.txt'
Restart=on-failure
RestartSec=1
"""
COLLECT = """\
[Unit]
After=multi-user.target
Wants=free.service heard.service
[Service]
ExecStart=/usr/bin/python3 -I /usr/share/test/collect.py /var/report.json
[Install]
WantedBy=multi-user.target
"""
SETTINGS = """\
[position]
source = "track"
[privacy]
profile = "open"
hub_key = "{key}"
[mqtt]
host = "127.0.0.1"
[page]
address = "127.0.0.1"
"""
UNITS = "/etc/systemd/system"


def furnish(tree: Tree, deb: Path) -> None:
    """Package, settings, a walk, records that wait, and what watches over all of it."""
    shutil.copy(deb, tree.path("/root/scanner.deb"))
    tree.run("dpkg --install /root/scanner.deb >/dev/null 2>&1; mkdir -p /srv/private")
    key = key_to_text(PrivateKey.generate().public_key)
    tree.write("/etc/scanner/scanner.toml", SETTINGS.format(key=key))
    tree.write("/etc/scanner-hub/scanner.toml", '[mqtt]\nhost = "127.0.0.1"\n')
    share = tree.path("/usr/share/test")
    share.mkdir()
    for name in ("probe.py", "collect.py"):
        shutil.copy(HERE / name, share / name)
    write_pictures(share / "walk", count=PICTURES)
    points = [(1_780_000_000.0 + t, 55.75 + t * 1.2e-5, 37.6) for t in range(PICTURES)]
    write_gpx(share / "walk.gpx", points)
    (share / "fill.py").write_text(FILL.format(size=SEALED_BYTES))
    as_scanner = "setpriv --reuid=scanner --regid=scanner --clear-groups"
    tree.run(f"{as_scanner} /opt/scanner/bin/python3 /usr/share/test/fill.py")
    tree.run("scanner home set 52.37 4.89")
    tree.write(f"{UNITS}/scanner-watch.service.d/test.conf", WATCH.format(watchdog=WATCHDOG_S))
    tree.write(f"{UNITS}/scanner-relay.service.d/test.conf", RELAY)
    for name, text in (("free", FREE), ("heard", HEARD), ("collect", COLLECT)):
        tree.write(f"{UNITS}/{name}.service", text)
    tree.run("systemctl enable collect.service 2>/dev/null; umask 077; : >/etc/scanner/keep-me")


@pytest.fixture(scope="module")
def booted(debs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the system reported; the console where it did not."""
    with system(tmp_path_factory.mktemp("boot")) as tree:
        furnish(tree, debs[0])
        console = tree.boot(timeout_s=900)
        report = tree.path("/var/report.json")
        assert report.is_file(), console[-6000:]
        found: dict[str, Any] = json.loads(report.read_text())
        for name, path in (
            ("watch", "/var/watch.json"),
            ("relay", "/var/lib/scanner/probe-relay.json"),
            ("free", "/var/free.json"),
        ):
            file = tree.path(path)
            found[f"probe {name}"] = json.loads(file.read_text()) if file.is_file() else None
        found["console"] = console
    return found


def families(booted: dict[str, Any], who: str) -> dict[int, str]:
    return {int(k): v for k, v in booted[f"probe {who}"]["families"].items()}


def test_the_services_start_and_records_reach_the_broker(booted: dict[str, Any]) -> None:
    assert booted["watch started"], booted["journal"][-5000:]
    assert booted["relay started"], booted["journal"][-5000:]
    assert booted["lengths"] == [str(SEALED_BYTES)] * 3
    units = booted["units"]
    assert units["scanner-noswap"]["ActiveState"] == "active"
    assert units["scanner-hub"]["ActiveState"] == "inactive"
    assert units["scanner-page"]["ActiveState"] == "inactive"


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        ("watch", {socket.AF_UNIX, socket.AF_NETLINK}),
        ("relay", {socket.AF_INET, socket.AF_INET6}),
    ],
)
def test_every_network_family_but_two_is_refused(
    booted: dict[str, Any], who: str, allowed: set[int]
) -> None:
    made = {family for family, result in families(booted, who).items() if result == "done"}
    assert made == {int(family) for family in allowed}
    free = {family for family, result in families(booted, "free").items() if result == "done"}
    wanted = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET}
    assert {int(one) for one in wanted} <= free, "outside a sandbox it works"


@pytest.mark.parametrize("who", ["watch", "relay"])
def test_nothing_else_is_allowed_in_there(booted: dict[str, Any], who: str) -> None:
    probe, free = booted[f"probe {who}"], booted["probe free"]
    other = {k: v for k, v in probe.items() if isinstance(v, str)}
    assert {k: v for k, v in other.items() if v == "done"} == {}
    assert {k for k, v in free.items() if v == "done"} >= set(other) - {"read the password's file"}
    assert probe["user"] not in (0, free["user"])


def test_watch_is_alone_and_relay_sees_only_the_outbox(booted: dict[str, Any]) -> None:
    assert booted["probe watch"]["interfaces"] == ["lo"]
    assert len(booted["probe watch"]["groups"]) >= 4
    assert "home.bin" in booted["probe watch"]["state"]
    relay = booted["probe relay"]
    assert "home.bin" not in relay["state"]
    assert "outbox.sqlite3" in relay["state"]
    # No file with a password was given: an empty one stands in, and the relay started.
    assert {k: v.strip() for k, v in relay["credentials"].items()} == {"mqtt-password": ""}
    assert relay["groups"] in ([], [relay["user"]])


@pytest.mark.parametrize("unit", ["scanner-hub", "scanner-page"])
def test_hub_and_page_serve_from_their_sandboxes_on_request(
    booted: dict[str, Any], unit: str
) -> None:
    found = booted[unit]
    assert (found["ActiveState"], found["NRestarts"]) == ("active", "0"), booted["journal"][-3000:]
    # The phone's page asks for its code first.
    assert found["answer"] in (200, 401, 403)


def test_gpsd_answers_by_its_socket_and_not_by_tcp(booted: dict[str, Any]) -> None:
    assert '"class":"VERSION"' in booted["gpsd says"]
    assert booted["gpsd socket"].split()[1:] == ["scanner", "660"]
    assert ":2947" not in booted["listening"]
    assert ":1883" in booted["listening"]  # the list is not empty for another reason


def test_a_watch_that_hangs_is_started_again(booted: dict[str, Any]) -> None:
    waited = booted["a hanging watch was started again after s"]
    assert waited is not None, booted["journal"][-3000:]
    assert waited < 3 * WATCHDOG_S
    assert booted["watch works again"]


def test_wrong_settings_end_a_service_for_good(booted: dict[str, Any]) -> None:
    relay = booted["relay with wrong settings"]
    assert (relay["ActiveState"], relay["ExecMainStatus"]) == ("failed", "78")
    assert relay["NRestarts"] == "0"


def test_doctor_reads_the_real_systemd_gpsd_and_broker(booted: dict[str, Any]) -> None:
    rows = {row["check"]: row for row in booted["doctor"]}
    assert rows["units"]["state"] == "ok", rows["units"]
    assert rows["broker"]["state"] == "ok", rows["broker"]
    assert rows["disk"]["state"] == "ok", rows["disk"]
    assert rows["hub key"]["state"] == "ok"
    # Inside the units' walls the programs built their own.
    assert rows["wall"]["state"] == ("ok" if landlock.version() else "note"), rows["wall"]
    assert ("no Landlock" in booted["journal"]) == (not landlock.version())


def test_the_log_is_in_memory_only_and_the_rules_are_read(booted: dict[str, Any]) -> None:
    assert booted["logs on the card"] == []
    assert booted["logs in memory"] != []
    assert "70-scanner.rules" in booted["udev"]
    assert "70-scanner.rules:" not in booted["udev"], "udev complains with file and line"


def test_a_wipe_by_the_page_is_finished_by_the_one_who_may(booted: dict[str, Any]) -> None:
    """Records and memory behind the wall, then what only root reaches, with the relay stopped."""
    assert booted["relay before the wipe"], booted["journal"][-3000:]
    assert booted["wipe was asked for"], booted["journal"][-3000:]
    after = booted["after the wipe"]
    assert booted["secrets went"], after["journal"]
    assert [n for n in after["data"] if not n.startswith("probe")] == []
    assert after["settings"] == ["keep-me", "scanner.toml"]
    states = {unit: told["ActiveState"] for unit, told in after["units"].items()}
    assert set(states.values()) == {"inactive"}, after["units"]
    assert after["units"]["scanner-watch"]["ExecMainStatus"] == "80"
    assert "is finished" in after["journal"]


def test_a_wipe_cut_short_by_a_power_cut_is_finished_by_the_next_start(
    booted: dict[str, Any],
) -> None:
    assert booted["a cut wipe was finished"], booted["journal"][-3000:]
