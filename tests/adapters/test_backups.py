"""Backup and restore, there and back, on both databases and with the real programs."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.errors import StoreError, UsageError
from scanner.hub import backups, mapping
from scanner.hub.stores import Store, open_store
from scanner.hub.stores.protocol import PUBLIC, Known
from tests.cli.test_commands import scanner
from tests.helpers.maps import STORES, database, keep, line, spend, town
from tests.helpers.reports import entry, record


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    with database(kind, tmp_path) as found:
        yield found


@pytest.fixture
def target(kind: str, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "elsewhere").mkdir()
    with database(kind, tmp_path / "elsewhere") as found:
        yield found


def fill(store: Store) -> None:
    with store.transaction():
        for number in range(20):
            value = record([entry((40 * number, 0)), entry((40 * number, 8))])
            keep(store, f"{number:032x}", value, "north" if number % 2 else "")
        spend(store, b"digest", "2026-09")
        store.add_quarantine("q", "odd", b"\x00\xff")
        store.set_cohort_state("north", "held")
        store.put_known("osm", [Known(ref="node/1", lat_deg=52.0, lon_deg=4.0, tags={"a": "ü"})])
        store.link("c", "node/1")
        store.put_cells(["u173zq"], [])
        store.add_action(
            at_s=1, reviewer="ana", verb="undo", camera_id="c", anchor=("r", 0), lat_deg=52.0,
            lon_deg=4.0, body=b"\x00",
        )  # fmt: skip
    while mapping.fuse_waiting(store, lambda record_id, index: f"{record_id}-{index}"):
        pass


def everything(store: Store) -> list[object]:
    return [
        store.counts(), store.quarantined(), store.all_reports(), store.cameras(),
        store.shown(None, statuses=PUBLIC), store.tally(), store.filled_cells(), store.actions(),
        store.cohort_states(), store.known_in((-180, -90, 180, 90)), store.links(), store.cells(),
        store.clusters(0, 0, 0),
    ]  # fmt: skip


def told(store: Store) -> tuple[object, ...]:
    """What readers keep of a map, to ask later what has changed."""
    return store.version(), store.private_version(), store.revision(), store.changes_since(0)


def test_a_copy_into_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="x: No such file or directory"):
        backups.back_up(tmp_path / "hub.sqlite3", tmp_path / "nowhere" / "x")


def test_what_comes_back_is_what_was_there(url: str, target: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    with contextlib.closing(open_store(url)) as store:
        fill(store)
        backups.back_up(url, file)
        assert file.stat().st_mode & 0o777 == 0o600
        backups.restore(target, file)
        with contextlib.closing(open_store(target)) as back:
            assert everything(back) == everything(store)
            with back.transaction():  # and it goes on from there
                assert not spend(back, b"digest", "2026-10")
                assert keep(back, "new", record([entry((0, 0))]))
                back.put_cameras([], [line(1, 52.0, 4.0)])
    left = {path.name for path in tmp_path.iterdir()}
    assert not [name for name in left if "unfinished" in name]


def test_a_database_with_something_in_it_is_not_written_over(
    url: str, target: str, tmp_path: Path
) -> None:
    for where in (url, target):
        with contextlib.closing(open_store(where)) as store:
            fill(store)
    backups.back_up(url, tmp_path / "backup")
    with contextlib.closing(open_store(target)) as store:
        before = everything(store), told(store)
    with pytest.raises(UsageError, match="not empty"):
        backups.restore(target, tmp_path / "backup")
    with contextlib.closing(open_store(target)) as store:
        assert (everything(store), told(store)) == before


def test_an_empty_database_gives_way(url: str, target: str, tmp_path: Path) -> None:
    with contextlib.closing(open_store(url)) as store:
        fill(store)
        before = everything(store)
    open_store(target).close()
    backups.back_up(url, tmp_path / "backup")
    backups.restore(target, tmp_path / "backup")
    with contextlib.closing(open_store(target)) as store:
        assert everything(store) == before


def test_what_readers_kept_of_the_lost_life_is_never_taken_for_the_new_one(
    url: str, target: str, tmp_path: Path
) -> None:
    with contextlib.closing(open_store(url)) as store:
        put(store, 1)
        backups.back_up(url, tmp_path / "backup")
        put(store, 2)
        put(store, 3)
        lost = [store.version(), store.private_version()]
        numbers = range(store.revision() + 2)
    backups.restore(target, tmp_path / "backup")
    with contextlib.closing(open_store(target)) as back:
        for number in range(4, 8):
            assert not {back.version(), back.private_version()} & set(lost)
            assert [back.changes_since(since) for since in numbers] == [None] * len(numbers)
            begun = back.revision()
            put(back, number)
            changed = back.changes_since(begun)
            assert changed is not None
            assert [change.id for change in changed] == [line(number, 52.0, 4.0)[0]]


def put(store: Store, number: int) -> None:
    with store.transaction():
        store.put_cameras([], [line(number, 52.0 + 0.001 * number, 4.0)])


def test_what_is_no_backup_is_refused_and_leaves_nothing(
    url: str, target: str, tmp_path: Path
) -> None:
    open_store(url).close()
    backups.back_up(url, tmp_path / "backup")
    with pytest.raises(UsageError, match="there already"):
        backups.back_up(url, tmp_path / "backup")
    whole = (tmp_path / "backup").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "noise").write_bytes(b"noise" * 1000)
    for name in ("half", "noise"):
        with pytest.raises((UsageError, StoreError)):
            backups.restore(target, tmp_path / name)
    with contextlib.closing(open_store(target)) as store:
        assert store.counts() == (0, 0)
    with pytest.raises(UsageError, match="no such file"):
        backups.restore(target, tmp_path / "nothing")


def test_a_copy_made_while_records_come_is_of_one_instant(tmp_path: Path) -> None:
    path = tmp_path / "db"
    stop = threading.Event()

    def write() -> None:
        with contextlib.closing(open_store(path)) as store:
            for number, item in enumerate(town(400, 1)):
                with store.transaction():
                    keep(store, f"{number:032x}", record([entry((0, 0))]))
                    store.put_cameras([], [item])
                if stop.is_set():
                    return

    open_store(path).close()
    writer = threading.Thread(target=write)
    writer.start()
    for number in range(3):
        backups.back_up(path, tmp_path / f"{number}")
    stop.set()
    writer.join()
    for number in range(3):
        with contextlib.closing(open_store(tmp_path / f"{number}")) as copy:
            cameras = copy.size()
            assert copy.counts()[0] == cameras == sum(t.count for t in copy.tally())


def test_a_copy_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    open_store(newer).close()
    with contextlib.closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match="schema 99"):
        backups.restore(tmp_path / "db", newer)
    assert not (tmp_path / "db").exists()


def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    def scanner(*arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "scanner", "hub", *map(str, arguments)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    with contextlib.closing(open_store(tmp_path / "a" / "hub.sqlite3")) as store:
        fill(store)
    file = tmp_path / "backup"
    made = scanner("backup", file, "--data", tmp_path / "a")
    assert (made.returncode, made.stdout.split(":")[0]) == (0, str(file))
    back = scanner("restore", file, "--data", tmp_path / "b")
    assert (back.returncode, back.stdout) == (0, "20 records are back\n")
    again = scanner("restore", file, "--data", tmp_path / "b")
    assert again.returncode == 2
    assert again.stderr.startswith("scanner: error: this database is not empty")


def test_how_many_records_there_are_is_told_to_whoever_keeps_the_hub(
    url: str, tmp_path: Path
) -> None:
    with contextlib.closing(open_store(url)) as store:
        fill(store)
    said = scanner("hub", "status", "--data", tmp_path, "--db", url)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0].startswith("20 records, 0 of them in the pool; ")
    assert lines[1:] == ["1 quarantined", "  1 odd"]
