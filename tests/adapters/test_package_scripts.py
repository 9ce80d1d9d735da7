"""What dpkg calls when something went wrong: the package's scripts end what they began.

Their places are folders here. Programs that change a whole system only write down how they were
called; that they do so for real is seen by ``make test-deb``.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.deb import ROOT

SYSTEM = (
    *("deb-systemd-helper", "systemd-sysusers", "systemd-tmpfiles", "systemctl", "udevadm"),
    *("getent", "userdel", "groupdel"),
)
NOTE = '#!/bin/sh\necho "${{0##*/}} $*" >>{0}/called\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("run/systemd/system", "programs", "opt/scanner/bin", "opt/scanner/lib"):
        (tmp_path / name).mkdir(parents=True)
    for place in (*(f"programs/{name}" for name in SYSTEM), "opt/scanner/bin/python3"):
        (tmp_path / place).write_text(NOTE.format(tmp_path))
        (tmp_path / place).chmod(0o755)
    return tmp_path


def run(folder: Path, script: str, *words: str) -> "subprocess.CompletedProcess[str]":
    text = (ROOT / "firmware/package/debian" / script).read_text()
    text = re.sub(r"(?m)(^|[ >])/(?=(?:opt|run|etc|var|usr)/)", rf"\1{folder}/", text)
    (folder / script).write_text(text)
    path = f"{folder}/programs:/usr/bin:/bin"
    return subprocess.run(
        ["sh", folder / script, *words], env={**os.environ, "PATH": path, "LC_ALL": "C"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def called(folder: Path) -> list[str]:
    path = folder / "called"
    return path.read_text().splitlines() if path.exists() else []


AGAIN = [f"systemctl --no-block restart scanner-{name}.service" for name in ("watch", "relay")]


@pytest.mark.parametrize(
    "words",
    [
        ("configure", ""),
        ("configure", "0.1.0"),
        ("abort-upgrade", "0.2.0"),
        ("abort-remove",),
        ("abort-deconfigure", "in-favour", "other", "1.0"),
    ],
    ids=" ".join,
)
def test_after_an_upgrade_that_failed_all_runs_as_before(
    words: tuple[str, ...], folder: Path
) -> None:
    told = run(folder, "postinst", *words)
    assert told.returncode == 0, told.stderr
    assert [line for line in called(folder) if line in AGAIN] == AGAIN
    assert [line for line in called(folder) if line.startswith("python3 -m compileall")]
    # Only who takes the package away stops the hub, and only at first gpsd is started anew.
    hub = "systemctl --no-block start scanner-hub.service"
    assert (hub in called(folder)) == (words[0] == "abort-remove")
    gpsd = "systemctl start gpsd.socket"
    assert (gpsd in called(folder)) == (words == ("configure", ""))


def test_one_file_that_cannot_be_overwritten_keeps_nothing_from_being_purged(folder: Path) -> None:
    homes = [folder / name for name in ("var/lib/scanner", "var/lib/scanner-hub", "etc/scanner")]
    blocks = folder / "blocks"
    blocks.mkdir()
    for home in homes:
        home.mkdir(parents=True)
        (home / "secret").write_bytes(b"secret" * 100)
        os.link(home / "secret", blocks / str(home).replace("/", "-"))
    # A program that runs cannot be opened for writing, not even by root.
    busy = homes[0] / "busy"
    shutil.copy("/bin/sleep", busy)
    with subprocess.Popen([busy, "60"]) as running:
        told = run(folder, "postrm", "purge")
        running.kill()
    assert told.returncode == 0, told.stderr
    assert f"not everything in {homes[0]} was overwritten" in told.stderr
    assert not [home for home in homes if home.exists()]
    assert not [path for path in blocks.iterdir() if b"secret" in path.read_bytes()]
    assert not (folder / "opt/scanner").exists()


def test_a_password_that_a_killed_command_was_lent_goes_with_the_package(folder: Path) -> None:
    lent = folder / "run/scanner-command.4711"
    lent.mkdir()
    (lent / "mqtt-password").write_text("secret\n")
    assert run(folder, "postrm", "remove").returncode == 0
    assert not lent.exists()
