"""``scanner wipe``: asks, overwrites, removes what is ours and nothing else."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from scanner import disk, enrolment, imager, wiping
from scanner.cli.enrol import PASSWORD_FILE
from scanner.errors import StoreError
from scanner.storage import known, outbox, tokens
from scanner.storage.outbox import Outbox
from tests.cli.test_commands import error_of, scanner

PAYLOAD = b"sealed" * 180


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with closing(Outbox(folder)) as store:
        store.add(PAYLOAD)
    for name in (known.FILE_NAME, known.HOME_NAME, tokens.FILE_NAME):
        (folder / name).write_bytes(PAYLOAD)
    (folder / "holiday.jpg").write_bytes(b"not ours")
    for name in (enrolment.FILE, enrolment.CA_FILE, PASSWORD_FILE, imager.CONF):
        (tmp_path / name).write_bytes(PAYLOAD)
    (tmp_path / "scanner.toml").write_text("")
    return folder


def wiped(data: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return scanner("wipe", "--data", data, "--config", data.parent / "scanner.toml", *more)


def test_everything_of_ours_goes_and_nothing_else(data: Path) -> None:
    result = wiped(data, "--yes")
    assert result.returncode == 0, result.stderr
    assert [p.name for p in data.iterdir()] == ["holiday.jpg"]
    assert sorted(p.name for p in data.parent.iterdir()) == ["data", "scanner.toml"]
    for words in ("cannot promise", "flash", "left alone", "holiday.jpg"):
        assert words in result.stdout


def test_without_a_yes_nothing_goes(data: Path) -> None:
    assert "nothing was wiped" in error_of(wiped(data), 2)
    assert (data / outbox.FILE_NAME).exists()


def test_what_is_in_use_is_not_wiped(data: Path) -> None:
    with closing(Outbox(data)):
        assert "in use" in error_of(wiped(data, "--yes"), 2)
    assert (data / known.HOME_NAME).exists()
    assert wiped(data, "--yes").returncode == 0


def test_the_log_that_a_killed_relay_left_is_no_obstacle(data: Path, tmp_path: Path) -> None:
    """SQLite removes it when it looks whether anybody has the outbox open."""
    with closing(Outbox(data)) as store:
        store.add(PAYLOAD)
        left = {p.name: p.read_bytes() for p in data.iterdir() if p.is_file()}
    for name, content in left.items():
        (data / name).write_bytes(content)
    assert (data / f"{outbox.FILE_NAME}-wal").is_file()
    result = wiped(data, "--yes")
    assert result.returncode == 0, result.stderr
    assert [p.name for p in data.iterdir()] == ["holiday.jpg"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "scanner.toml"]


def test_nothing_to_wipe_is_no_error(tmp_path: Path) -> None:
    assert "nothing of ours" in wiped(tmp_path / "data", "--yes").stdout


def test_the_bytes_are_overwritten_in_place(tmp_path: Path) -> None:
    """A second name keeps the file, as a card keeps a copy: what it holds is not readable."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(PAYLOAD)
    other.hardlink_to(path)
    handle = os.open(other, os.O_RDONLY)
    wiping.overwrite(path)
    assert not path.exists()
    assert os.read(handle, 100) == b""
    os.close(handle)


def test_a_wipe_that_was_cut_short_is_gone_on_with(data: Path) -> None:
    """Power was cut after the mark: `watch`, the first to start, looks at nothing."""
    (data / wiping.MARK).write_bytes(b"1")
    more = ["--data", data, "--config", data.parent / "scanner.toml"]
    refused = scanner("relay", "--broker", "127.0.0.1:9", *more)
    assert "a wipe is not finished" in error_of(refused, 74)
    watch = scanner("watch", *more)
    assert watch.returncode == wiping.EXIT_WIPED
    assert "a wipe was begun here" in watch.stderr
    assert [p.name for p in data.iterdir()] == ["holiday.jpg"]
    assert not (data.parent / enrolment.FILE).exists()


LIMITED = """
import resource, sys
from scanner.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
sys.exit(main(sys.argv[1:]))
"""


def limited(data: Path, how: str) -> "subprocess.CompletedProcess[str]":
    """A wipe that cannot overwrite large files."""
    options = ["--data", str(data), "--config", str(data.parent / "scanner.toml")]
    return subprocess.run(
        [sys.executable, "-c", LIMITED, "wipe", how, *options],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_that_cannot_be_overwritten_keeps_no_other(data: Path) -> None:
    """The limit stands for a worn place of the card; then the card is whole again."""
    worn = data / known.FILE_NAME
    worn.write_bytes(PAYLOAD * 100)
    result = limited(data, "--yes")
    assert f"not wiped: {worn}" in error_of(result, 74)
    assert sorted(p.name for p in data.iterdir()) == sorted(["holiday.jpg", worn.name])
    assert sorted(p.name for p in data.parent.iterdir()) == ["data", "scanner.toml"]
    # Told is told: what is set up after it is no business of this wipe.
    (data.parent / enrolment.FILE).write_text("of another campaign")
    more = ["--data", data, "--config", data.parent / "scanner.toml"]
    assert scanner("watch", *more).returncode != wiping.EXIT_WIPED
    assert (data.parent / enrolment.FILE).exists()
    assert wiped(data, "--yes").returncode == 0
    assert [p.name for p in data.iterdir()] == ["holiday.jpg"]


def test_finishing_comes_to_an_end_where_a_file_cannot_be_overwritten(data: Path) -> None:
    (data / wiping.MARK).write_bytes(b"1")
    worn = data / known.FILE_NAME
    worn.write_bytes(PAYLOAD * 100)
    result = limited(data, "--finish")
    assert f"removed, but not overwritten: {worn}" in error_of(result, 74)
    assert [p.name for p in data.iterdir()] == ["holiday.jpg"]
    assert "no wipe was begun" in wiped(data, "--finish").stdout


REPLACING = """
import os, signal, sys
from pathlib import Path
from scanner import disk
sys.addaudithook(lambda what, _: what == "os.rename" and os.kill(os.getpid(), signal.SIGKILL))
disk.replace(Path(sys.argv[1]), b"secret", mode=0o600)
"""


@pytest.mark.parametrize("name", [PASSWORD_FILE, enrolment.FILE, imager.CONF])
def test_what_was_being_written_when_power_went_is_wiped_too(data: Path, name: str) -> None:
    target = data.parent / name
    result = subprocess.run([sys.executable, "-c", REPLACING, str(target)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert disk.unfinished(target).read_bytes() == b"secret"
    assert wiped(data, "--yes").returncode == 0
    assert sorted(p.name for p in data.parent.iterdir()) == ["data", "scanner.toml"]


def test_a_watch_that_only_goes_on_with_a_wipe_has_started_well(data: Path, tmp_path: Path) -> None:
    """Else its unit has failed, and whoever may do the rest is not called."""
    (data / wiping.MARK).write_bytes(b"1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        more = ["--data", data, "--config", tmp_path / "scanner.toml"]
        ended = scanner("watch", *more, NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert ended.returncode == wiping.EXIT_WIPED, ended.stderr
        assert systemd.recv(100) == b"READY=1"


def test_finishing_does_nothing_where_nothing_was_begun(data: Path) -> None:
    (data / wiping.MARK).write_bytes(b"")  # of a `watch` that was killed
    assert "no wipe was begun" in wiped(data, "--finish").stdout
    assert (data / outbox.FILE_NAME).exists()
    assert wiped(data, "--yes").returncode == 0
    assert [p.name for p in data.iterdir()] == ["holiday.jpg"]


def test_finishing_asks_nobody_and_waits_for_nobody(data: Path) -> None:
    (data / wiping.MARK).write_bytes(b"1")
    with closing(Outbox(data)) as store:
        result = wiped(data, "--finish")
        assert result.returncode == 0, result.stderr
        with pytest.raises(StoreError):
            store.add(PAYLOAD)
    assert [p.name for p in data.iterdir()] == ["holiday.jpg"]
    assert sorted(p.name for p in data.parent.iterdir()) == ["data", "scanner.toml"]


def test_the_mark_can_be_set_where_no_file_can_be_made(tmp_path: Path) -> None:
    data, config = tmp_path / "data", tmp_path / "scanner.toml"
    with wiping.markable(data):
        assert not wiping.begun(data)
        (tmp_path / enrolment.FILE).mkdir()
        assert wiping.wipe_now(data, config) == []
        assert list(data.iterdir()) == []  # nothing is left, so there is nothing to finish
    with wiping.markable(data):
        pass
    assert list(data.iterdir()) == []


def test_a_watch_that_ends_leaves_the_mark_to_another_on_the_same_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with wiping.markable(data):
        with wiping.markable(data):
            pass
        assert (data / wiping.MARK).exists()
    assert list(data.iterdir()) == []
