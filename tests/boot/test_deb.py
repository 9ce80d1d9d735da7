"""The Debian package's life in a Debian 12: installed, used, upgraded, removed, purged.

Minutes, and root: ``make test-deb``.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.boot.tree import Tree
from tests.helpers.pages import fenced

# Made by systemd and Debian's tools when users come and go, and kept by them.
THEIRS = {
    *(f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")),
    "/etc/.pwd.lock",
    "/etc/.updated",
}
# Contents that change with every package: dpkg's own memory, logs, caches.
CHANGING = ("/var/lib/dpkg", "/var/log", "/var/cache", "/var/lib/apt", "/root", "/run", "/tmp")  # noqa: S108
FILL = """
from pathlib import Path
from scanner.storage.outbox import Outbox
store = Outbox(Path("/var/lib/scanner"))
store.add(bytes(range(256)) * 4 + bytes(48))
store.close()
"""
AS_SCANNER = "setpriv --reuid=scanner --regid=scanner --clear-groups"

PAGE = "docs/install.md"
BOOTED = "needs a system that runs: test_boot.py"
# Each command of the page, as it can be given here: without a network, a terminal or a campaign.
GIVEN = {
    "make deb": "true",
    "make deb DEB='--python 3.11 --arch arm64'": "true",
    "sudo apt install ./cctv-scanner_*.deb": "dpkg --install /root/scanner.deb",
    "sudo scanner enrol FILE": 'scanner enrol /root/town.txt --fingerprint "$(cat /root/print)"',
    "sudo scanner home set": "echo 52.37 4.89 | scanner home set",
    "sudo scanner doctor": "scanner doctor disk policy 'hub key' wall",
    "systemctl status scanner-watch scanner-relay": BOOTED,
    "sudo journalctl -u scanner-watch -f": BOOTED,
    "sudo systemctl restart scanner-watch scanner-relay": BOOTED,
    "sudo systemctl start scanner-page": BOOTED,
    "sudo apt remove cctv-scanner": "apt-get remove --yes cctv-scanner",
    "sudo apt purge cctv-scanner": "apt-get purge --yes cctv-scanner",
}
CAMPAIGN = """
scanner hub keys new
scanner hub enrolment --out /var/lib/scanner-hub/town.txt --broker broker.example:8883 --tls \
    | sed -n 's/^fingerprint *//p' >/root/print
cp /var/lib/scanner-hub/town.txt /root/town.txt
"""


def files(tree: Tree) -> set[str]:
    listed = tree.run("find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune "
                      "-o -print").splitlines()  # fmt: skip
    return {name for name in listed if not name.startswith(CHANGING)} - THEIRS


def users(tree: Tree) -> set[str]:
    """Names of users and groups."""
    return set(tree.run("cut -d: -f1 /etc/passwd /etc/group").split())


def install(tree: Tree, deb: Path) -> str:
    shutil.copy(deb, tree.path("/root/scanner.deb"))
    return tree.run("dpkg --install /root/scanner.deb 2>&1")


def waiting(tree: Tree) -> list[str]:
    lines = tree.run("scanner outbox ls --json").splitlines()
    return [json.loads(line)["id"] for line in lines]


@pytest.mark.timeout(1500)
def test_a_package_comes_stays_and_goes_without_a_trace(
    tree: Tree, debs: tuple[Path, Path]
) -> None:
    first, later = debs
    before, people = files(tree), users(tree)

    install(tree, first)
    assert tree.run("scanner --version").startswith("scanner ")
    assert "dependency" not in tree.run("dpkg --audit")
    assert tree.run("dpkg --verify cctv-scanner") == ""
    assert tree.run("stat -c '%U %a' /var/lib/scanner").split() == ["scanner", "700"]
    assert {"scanner", "scanner-page", "gpio"} <= users(tree)
    # As the services see it: own files only, no network unit for the hub.
    wanted = "ls /etc/systemd/system/multi-user.target.wants"
    assert {"scanner-watch.service", "scanner-relay.service"} <= set(tree.run(wanted).split())
    assert "scanner-hub.service" not in tree.run(wanted)

    # In use: settings, a secret, a home, a record.
    tree.run("scanner config init /etc/scanner/scanner.toml")
    tree.run("umask 077; echo secret > /etc/scanner/mqtt-password; scanner home set 52.37 4.89")
    tree.write("/usr/share/fill.py", FILL)
    tree.run(f"{AS_SCANNER} /opt/scanner/bin/python3 /usr/share/fill.py")
    kept = waiting(tree)
    assert len(kept) == 1
    assert "a home is set" in tree.run("scanner doctor policy")
    tree.run("systemctl disable scanner-relay.service")

    install(tree, later)
    assert "999" in tree.run("dpkg-query -W cctv-scanner")
    assert waiting(tree) == kept
    assert "A home is set" in tree.run("scanner home show")
    assert tree.run("cat /etc/scanner/mqtt-password") == "secret\n"
    # What was switched off stays off.
    assert "scanner-relay.service" not in tree.run(wanted)
    assert "scanner-watch.service" in tree.run(wanted)

    tree.run("dpkg --remove cctv-scanner 2>&1")
    assert tree.run("find /opt/scanner -name '*.py*'") == ""
    assert tree.path("/var/lib/scanner/outbox.sqlite3").is_file()
    install(tree, first)
    assert waiting(tree) == kept

    tree.run("rm /usr/share/fill.py; dpkg --purge cctv-scanner 2>&1")
    assert files(tree) - before == set()
    assert before - files(tree) <= {"/opt"}  # empty: dpkg takes it along
    assert users(tree) == people


@pytest.mark.timeout(1500)
def test_the_page_tells_commands_that_work(tree: Tree, debs: tuple[Path, Path]) -> None:
    lines = [command.line for command in fenced(PAGE)]
    assert [line for line in lines if line not in GIVEN] == [], "tell here how to run it"
    install(tree, debs[0])
    tree.run(CAMPAIGN)
    for line in lines:
        if GIVEN[line] != BOOTED:
            tree.run(f"{GIVEN[line]} 2>&1")
    assert "scanner" not in tree.run("ls /opt /etc /var/lib 2>/dev/null || true").split()
