"""What the package's `scanner` lends a command, the broker's password, goes when that has ended."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.deb import ROOT

PROGRAM = """\
#!/bin/sh
cat "$CREDENTIALS_DIRECTORY/mqtt-password"
echo started
exec sleep 60
"""
# What only a system has on which the package is installed: its users and its places.
HERE = {
    r"program=\S+": "program={0}/program",
    r"/run/scanner-command": "{0}/command",
    r"/etc/scanner/": "{0}/",
    r"install -o scanner": "install",
    r"chown scanner \S+": "true",
    r"setpriv --reuid=scanner --regid=scanner --groups=\S+": "setpriv",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = (ROOT / "firmware/package/debian/scanner").read_text()
    for pattern, instead in HERE.items():
        text, count = re.subn(pattern, instead.format(tmp_path), text)
        assert count, pattern
    for name, content in (("scanner", text), ("program", PROGRAM)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "mqtt-password").write_text("secret\n")
    return tmp_path


@pytest.fixture
def command(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A `scanner watch` by root, which has begun."""
    with started(folder) as running:
        yield running
        running.kill()


def started(folder: Path) -> "subprocess.Popen[str]":
    ours = ["env", "--default-signal=HUP,INT,TERM"]  # as at a terminal, however the tests run
    running = subprocess.Popen(
        [*ours, "unshare", "--map-root-user", folder / "scanner", "watch"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert running.stdout
    assert [running.stdout.readline() for _ in range(2)] == ["secret\n", "started\n"]
    return running


def lent(folder: Path) -> list[Path]:
    return list(folder.glob("command.*"))


def gone(folder: Path) -> bool:
    end_s = time.monotonic() + 10
    while lent(folder) and time.monotonic() < end_s:
        time.sleep(0.05)
    return not lent(folder)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM", "SIGKILL"])
def test_however_the_command_is_ended_the_password_goes_and_the_program_with_it(
    name: str, command: "subprocess.Popen[str]", folder: Path
) -> None:
    (place,) = lent(folder)
    assert place.stat().st_mode & 0o777 == 0o700
    command.send_signal(signal.Signals[name])
    assert command.wait(10) == -signal.Signals[name]
    assert gone(folder)


def test_of_another_command_that_runs_nothing_is_taken_and_what_was_left_goes(
    command: "subprocess.Popen[str]", folder: Path
) -> None:
    (mine,) = lent(folder)
    for left in ("command.999999999", "command.Ab12Cd"):
        (folder / left).mkdir()
        (folder / left / "mqtt-password").write_text("secret\n")
    with started(folder) as other:
        assert len(lent(folder)) == 2
        assert mine in lent(folder)
        other.kill()
    command.kill()
    command.wait(10)
    assert gone(folder)
