"""``scanner hub review`` as people and programs use it: a real terminal, real commands."""

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scanner.cli import main
from scanner.core.wire import Record
from scanner.hub import keys, mapping
from scanner.hub.features import Policy
from scanner.hub.ingest import Ingest
from scanner.hub.reviewers import Reviewers
from scanner.hub.stores import open_store
from scanner.sealing import seal
from tests.helpers.reports import DAY, entry, record

NOW_S = (DAY + 3) * 86_400.0
PASSPHRASE = "four words of some length"  # noqa: S105


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a hub where twelve cameras wait, each reported once."""
    take_in(tmp_path, *[record([entry((100.0 * i, 0))]) for i in range(12)])
    return tmp_path


def take_in(data: Path, *values: Record) -> None:
    name = partial(keys.camera_id, keys.load_naming(data))
    ring = keys.load_ring(data)
    with contextlib.closing(open_store(data / "hub.sqlite3")) as store:
        mapping.set_policy(store, Policy(reports=2))
        payloads = [seal(v, ring.public[keys.NO_EPOCH]) for v in values]
        Ingest(store, ring, lambda: NOW_S).take(payloads)
        while mapping.fuse_waiting(store, name):
            pass


def statuses(data: Path) -> dict[str, str]:
    with contextlib.closing(open_store(data / "hub.sqlite3")) as store:
        return {s.id: s.shown.status for s in store.cameras() if s.shown}


def run(data: Path, *arguments: str, reviewer: str = "ana") -> int:
    return main(["hub", "review", *arguments, "--data", str(data), "--reviewer", reviewer])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# --- in a terminal ------------------------------------------------------------------------------


class Terminal:
    """A reviewer's terminal with the program in it."""

    def __init__(self, data: Path, *command: str) -> None:
        self._mine, theirs = pty.openpty()
        command = command or ("review", "--reviewer", "ana")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scanner", "hub", *command, "--data", str(data)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,  # or a passphrase would be asked for on the tests' terminal
        )
        os.close(theirs)
        self.text = ""

    def until(self, wanted: str) -> str:
        """Everything that was written until the wanted text came."""
        end = time.monotonic() + 60
        while wanted not in self.text:
            assert select.select([self._mine], [], [], end - time.monotonic())[0], self.text
            self.text += os.read(self._mine, 4096).decode()
        before, _, self.text = self.text.partition(wanted)
        return before + wanted

    def type(self, keys: str) -> None:
        os.write(self._mine, keys.encode())

    def wait(self) -> int:
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while os.read(self._mine, 4096):
                pass
        return self._process.wait(timeout=30)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._mine)


@pytest.fixture
def terminal(data: Path) -> Iterator[Terminal]:
    opened = Terminal(data)
    yield opened
    opened.close()


def test_a_reviewer_decides_ten_items_in_a_minute_with_one_key_each(
    data: Path, terminal: Terminal
) -> None:
    first = terminal.until("1 of 12")
    assert "c confirm  r reject" in first
    terminal.until("short of the rule")
    begin = time.monotonic()
    for number, key in enumerate("crccrccccr", 1):
        terminal.type(key)
        terminal.until(f"line {number}\r\n")
    assert time.monotonic() - begin < 60
    terminal.until("1 of 2")
    terminal.type("q")
    terminal.until("10 decided")
    assert terminal.wait() == 0
    assert (
        sorted(statuses(data).values()) == ["candidate"] * 2 + ["confirmed"] * 7 + ["rejected"] * 3
    )


def test_what_a_key_did_another_takes_back(data: Path, terminal: Terminal) -> None:
    terminal.until("1 of 12")
    terminal.type("r")
    terminal.until("1 of 11")
    terminal.type("u")
    terminal.until("undo: line 2")
    terminal.until("1 of 12")
    terminal.type("u")
    terminal.until("not done: nothing was decided here")
    terminal.type("n")
    terminal.until("2 of 12")
    terminal.type("j")
    terminal.until("3 of 12")
    terminal.type("pk")
    terminal.until("1 of 12")
    terminal.type("\x04")
    terminal.until("0 decided")
    assert terminal.wait() == 0
    assert set(statuses(data).values()) == {"candidate"}


def test_tags_and_places_are_typed_as_lines(data: Path, terminal: Terminal) -> None:
    terminal.until("1 of 12")
    place = terminal.until(" ±").split("candidate, ")[1].split(" ±")[0]
    lat_deg, lon_deg = (float(part) for part in place.split(", "))
    terminal.type("t")
    terminal.until("KEY=VALUE ...: ")
    terminal.type("camera:mount=pole operator=City\n")
    terminal.until("tag: line 1")
    terminal.type("t")
    terminal.until("KEY=VALUE ...: ")
    terminal.type("mount\n")
    terminal.until("not done: mount: KEY=VALUE is wanted")
    terminal.type("v")
    terminal.until("LAT LON: ")
    terminal.type(f"{lat_deg + 1e-5}, {lon_deg}\n")
    terminal.until("move: line 2")
    terminal.until(f"{lat_deg + 1e-5:.6f}, {lon_deg:.6f} ±1 m")
    terminal.type("c")
    terminal.until("confirm: line 3")
    terminal.type("q")
    assert terminal.wait() == 0
    with contextlib.closing(open_store(data / "hub.sqlite3")) as store:
        (shown,) = store.shown(None)
    tags = json.loads(shown.feature)["properties"]["tags"]
    assert (tags["camera:mount"], tags["operator"]) == ("pole", "City")
    assert shown.lat_deg == pytest.approx(lat_deg + 1e-5)


def test_two_that_are_one_are_merged_by_a_digit(tmp_path: Path) -> None:
    take_in(tmp_path, *[record([entry((x, 0), sigma_m=1)], common_m=0.1) for x in (0, 5.8)])
    terminal = Terminal(tmp_path)
    try:
        terminal.until("may be the same as")
        terminal.until("1 dome, candidate, 5.8 m away")
        terminal.type("1")
        terminal.until("merge: line 1")
        terminal.until("Nothing waits.")
        terminal.type("c")
        terminal.until("Nothing waits.")
        terminal.type("q")
        assert terminal.wait() == 0
    finally:
        terminal.close()
    assert list(statuses(tmp_path).values()) == ["confirmed"]


# --- by commands --------------------------------------------------------------------------------


def test_programs_decide_by_commands(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "list", "--limit", "2", "--json") == 0
    items = lines(capsys)
    assert [set(item) for item in items] == [{"feature", "gain", "reasons", "near"}] * 2
    first, second = (item["feature"]["id"] for item in items)
    assert run(data, "confirm", first, "--json") == 0
    assert lines(capsys) == [{"number": 1}]
    assert run(data, "reject", second, reviewer="ben") == 0
    assert "`scanner hub review undo 2` takes it back" in capsys.readouterr().out
    assert run(data, "tag", first, "operator=City", "camera:mount=wall") == 0
    assert run(data, "undo", "2") == 0
    found = statuses(data)
    assert (found[first], found[second]) == ("confirmed", "candidate")
    capsys.readouterr()
    assert run(data, "log", "--json") == 0
    assert [(x["number"], x["reviewer"], x["verb"], x["counts"]) for x in lines(capsys)] == [
        (1, "ana", "confirm", True),
        (2, "ben", "reject", False),
        (3, "ana", "tag", True),
        (4, "ana", "undo", True),
    ]
    assert run(data, "log", "--since", "3") == 0
    assert "line 2" in capsys.readouterr().out


def test_merge_split_and_move_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in(tmp_path, *[record([entry((x, 0))], common_m=0.2) for x in (0, 6, 6.1)])
    west, east = sorted(statuses(tmp_path), key=lambda i: place(tmp_path, i)[1])
    assert run(tmp_path, "merge", west, east) == 0
    (merged,) = statuses(tmp_path)
    assert run(tmp_path, "split", merged) == 0
    assert len(statuses(tmp_path)) == 2
    assert run(tmp_path, "undo", "2") == 0
    lat_deg, lon_deg = place(tmp_path, merged)
    assert run(tmp_path, "move", merged, str(lat_deg + 1e-5), str(lon_deg)) == 0
    assert place(tmp_path, merged)[0] == pytest.approx(lat_deg + 1e-5, abs=1e-6)
    assert run(tmp_path, "split", merged, "--record", "nothing/0") == 2
    assert "on either side" in capsys.readouterr().err
    assert run(tmp_path, "split", merged, "--record", "nothing") == 2
    assert "ID/INDEX" in capsys.readouterr().err


def place(data: Path, camera_id: str) -> tuple[float, float]:
    with contextlib.closing(open_store(data / "hub.sqlite3")) as store:
        (shown,) = [s for s in store.shown(None, statuses=("candidate", "confirmed"))
                    if s.id == camera_id]  # fmt: skip
    return shown.lat_deg, shown.lon_deg


def test_options_count_before_the_decision_too(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hub", "review", "--data", str(data), "--json", "list", "--limit", "1"]) == 0
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["confirm", "nothing"], "there is no camera nothing"),
        (["undo", "9"], "the log has no line 9"),
        ([], "this is not a terminal"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(data, *arguments) == 2
    assert capsys.readouterr().err.startswith(f"scanner: error: {message}")


def test_a_decision_needs_a_name(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "confirm", "x", reviewer="") == 2
    assert "--reviewer NAME, or $SCANNER_REVIEWER" in capsys.readouterr().err


def test_reviewers_are_added_listed_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n")

    def reviewers(*arguments: str) -> int:
        return main(["hub", "reviewers", *arguments, "--data", str(tmp_path / "hub")])

    assert reviewers("list") == 0
    assert reviewers("add", "ana", "--passphrase-file", str(file)) == 0
    assert reviewers("add", "ben", "--proxy-only") == 0
    capsys.readouterr()
    assert reviewers("list") == 0
    listed = capsys.readouterr().out
    assert "ana       passphrase" in listed
    assert "ben       through the proxy" in listed
    assert PASSPHRASE not in (tmp_path / "hub" / "reviewers.json").read_text()
    assert Reviewers(tmp_path / "hub").check("ana", PASSPHRASE)
    assert reviewers("remove", "ana") == 0
    assert reviewers("remove", "ana") == 2
    assert reviewers("add", "eve") == 2
    assert "--passphrase-file FILE" in capsys.readouterr().err


@pytest.mark.parametrize(("second", "code"), [(PASSPHRASE, 0), ("something else entirely", 2)])
def test_a_passphrase_is_asked_for_twice_and_not_shown(
    tmp_path: Path, second: str, code: int
) -> None:
    terminal = Terminal(tmp_path, "reviewers", "add", "ana")
    try:
        terminal.until("Passphrase: ")
        terminal.type(PASSPHRASE + "\n")
        shown = terminal.until("Once more:  ")
        terminal.type(second + "\n")
        shown += terminal.until("ana may review" if code == 0 else "the two are not the same")
        assert terminal.wait() == code
    finally:
        terminal.close()
    assert PASSPHRASE not in shown
    assert second not in shown
    assert bool(Reviewers(tmp_path).check("ana", PASSPHRASE)) == (code == 0)
