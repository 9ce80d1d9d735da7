"""The unit of `watch` as it is shipped, in a Debian 13, with libcamera's virtual camera before it.

`make test-units-lens`; needs the tree that `make test-lens` builds (LENS_TREE, or build/lens-tree).
Real are systemd, the sandbox, picamera2, libcamera and the program; the image
processor and the heap of frames are not (see tests/lens).
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from scanner.replay.frames import VideoFrames
from tests.boot.tree import CACHE, ROOT, Tree, in_memory, need_root
from tests.helpers.deb import builder

PYTHON: Final = "3.13"
LENS: Final = ROOT / "tests/lens"
LENS_TREE: Final = Path(os.environ.get("LENS_TREE") or ROOT / "build/lens-tree")
PACKAGES: Final = "systemd systemd-sysv dbus udev init-system-helpers gpsd iproute2"
INSTALL: Final = f"""
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -qq -y --no-install-recommends {PACKAGES} >/dev/null
apt-get clean
"""
# The real picamera2, opened as the virtual camera needs it, in place of the installed one.
SHIM: Final = """
import sys
here = {here!r}
sys.path = [p for p in sys.path if p != here]
del sys.modules["picamera2"]
import picamera2
sys.path.insert(0, here)
from picamera2_virtual import open_virtual
picamera2.Picamera2 = open_virtual
"""
UNIT: Final = """\
[Service]
ExecPaths=/opt/v
ExecStartPre=/usr/bin/python3 -I /usr/share/test/probe.py /run/scanner/probe.json
ExecStartPre=+/bin/cp /run/scanner/probe.json /var/watch.json
WatchdogSec=15
"""
COLLECT: Final = """\
[Unit]
After=multi-user.target
[Service]
ExecStart=/bin/sh /usr/share/test/collect.sh
[Install]
WantedBy=multi-user.target
"""
SCRIPT: Final = """\
for n in $(seq 90); do systemctl is-active --quiet scanner-watch && break; sleep 1; done
sleep 25
systemctl show scanner-watch >/var/running.txt
scanner doctor --json --seconds 30 lens units >/var/doctor.json
systemctl stop scanner-watch
systemctl show scanner-watch >/var/ended.txt
journalctl -o cat --no-pager -u scanner-watch >/var/journal.txt
systemctl --force poweroff
"""
SETTINGS: Final = '[privacy]\nprofile = "open"\n[detector]\ninferences_per_s = 10\n'


def archive() -> Path:
    """The lens' tree with systemd in it."""
    need_root()
    assert (LENS_TREE / ".ready").exists(), "no lens tree: make test-lens builds it"
    path = CACHE / "lens.tar"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        with in_memory(CACHE / "lens-tree") as folder:
            copy = ["cp", "--archive", "--one-file-system", f"{LENS_TREE}/.", str(folder)]
            subprocess.run(copy, check=True, timeout=600)
            subprocess.run(
                [str(LENS / "tree.sh"), "sh", "-c", INSTALL],
                check=True, timeout=900, env={**os.environ, "LENS_TREE": str(folder)},
            )  # fmt: skip
            new = path.with_suffix(".new.tar")
            pack = ["tar", "--create", "--one-file-system", "--file", new, "--directory", folder]
            subprocess.run([*pack, "."], check=True, timeout=600)
            new.replace(path)
        (CACHE / "lens-tree").rmdir()
    return path


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base = archive()  # what is missing is said before the package is built
    assert base
    build = builder()
    with in_memory(tmp_path_factory.mktemp("stage") / "memory") as folder:
        tree = folder / "tree"
        build.stage_system(tree, PYTHON)
        build.stage_program(tree, PYTHON, "amd64")
        yield build.pack(tree, folder / "out", python=PYTHON, arch="amd64")


def furnish(tree: Tree, deb: Path) -> None:
    shutil.copy(deb, tree.path("/root/scanner.deb"))
    tree.run("dpkg --install /root/scanner.deb >/dev/null 2>&1")
    tree.write("/etc/scanner/scanner.toml", SETTINGS)
    modules = f"/opt/scanner/lib/python{PYTHON}/site-packages"
    tree.write(f"{modules}/picamera2.py", SHIM.format(here=modules))
    tree.write(f"{modules}/lens.pth", f"/opt/v/lib/python{PYTHON}/site-packages\n")
    shutil.copy(LENS / "picamera2_virtual.py", tree.path(modules))
    shutil.copy(LENS / "pykms.py", tree.path(f"/opt/v/lib/python{PYTHON}/site-packages"))
    target = tree.path("/usr/share/libcamera/pipeline/virtual")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(LENS / "virtual.yaml", target)
    shown = tree.path("/usr/share/libcamera/frames")
    shown.mkdir(parents=True, exist_ok=True)
    source = VideoFrames(ROOT / "scanner/demo/walk.mp4")
    for frame, _ in zip(source.frames(), range(5), strict=False):
        Image.fromarray(frame.pixels).save(shown / f"{frame.number}.jpg", quality=95)
    source.close()
    tree.write("/usr/share/test/probe.py", Path(__file__).with_name("probe.py").read_text())
    tree.write("/usr/share/test/collect.sh", SCRIPT)
    tree.write("/etc/systemd/system/scanner-watch.service.d/test.conf", UNIT)
    tree.write("/etc/systemd/system/collect.service", COLLECT)
    tree.run("systemctl enable collect.service 2>/dev/null")


@pytest.fixture(scope="module")
def booted(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the system left behind."""
    found: dict[str, Any] = {}
    with in_memory(tmp_path_factory.mktemp("lens") / "tree") as folder:
        unpack = ["tar", "--extract", "--file", archive(), "--directory", folder]
        subprocess.run([*unpack, "--exclude=./dev/*"], check=True, timeout=600)
        tree = Tree(folder)
        furnish(tree, deb)
        found["console"] = tree.boot(timeout_s=600)
        for name in ("running.txt", "ended.txt", "journal.txt", "doctor.json", "watch.json"):
            path = tree.path(f"/var/{name}")
            found[name] = path.read_text() if path.is_file() else ""
    return found


def shown(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_watch_captures_from_the_virtual_camera_inside_its_sandbox(booted: dict[str, Any]) -> None:
    assert booted["journal.txt"], booted["console"][-5000:]
    running = shown(booted["running.txt"])
    assert running["ActiveState"] == "active", booted["journal.txt"][-5000:]
    # With 15 s of patience for a new frame and a finished inference, seen after 25 s.
    assert (running["NRestarts"], running["WatchdogUSec"]) == ("0", "15s")
    counted = [line for line in booted["journal.txt"].splitlines() if " frames, " in line]
    assert counted, booted["journal.txt"][-5000:]
    assert int(counted[-1].split(" frames")[0].split()[-1]) > 20
    assert shown(booted["ended.txt"])["Result"] == "success"


def test_in_there_are_two_families_and_no_interface_but_lo(booted: dict[str, Any]) -> None:
    probe = json.loads(booted["watch.json"])
    made = {int(family) for family, result in probe["families"].items() if result == "done"}
    assert made == {int(socket.AF_UNIX), int(socket.AF_NETLINK)}
    assert probe["interfaces"] == ["lo"]


def test_doctor_sees_the_virtual_camera_while_watch_holds_it(booted: dict[str, Any]) -> None:
    rows = {r["check"]: r for r in map(json.loads, booted["doctor.json"].splitlines())}
    assert rows["lens"]["state"] == "ok", rows
    assert "Virtual" in rows["lens"]["text"]
