"""The outbox on a real card: crashes, a full disk, two processes, what stays in the file."""

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from scanner.core.wire import SEALED_BYTES
from scanner.core.wire import record_id as id_of
from scanner.errors import StoreError
from scanner.storage.outbox import FILE_NAME, WIPE_MARK, Outbox

WRITER = """
import os, sys
from contextlib import closing
from pathlib import Path
from scanner.storage.outbox import Outbox
store = Outbox(Path(sys.argv[1]))
number = 0
while True:
    store.add(number.to_bytes(4, "big") * 268)
    os.write(1, f"{number}\\n".encode())
    number += 1
"""

FULL = """
import resource, signal, sys
from contextlib import closing
from pathlib import Path
from scanner.errors import StoreError
from scanner.storage.outbox import Outbox
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Outbox(Path(sys.argv[1]))
kept = [store.add(bytes([n]) * 1072) for n in range(5)]
resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY))
try:
    for n in range(5, 250):
        kept.append(store.add(bytes([n]) * 1072))
except StoreError as e:
    print("StoreError:", e)
else:
    sys.exit("the disk never filled up")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append(store.add(b"after" * 200))
assert {r.record_id for r in store.waiting()} >= set(kept)
"""


@pytest.mark.parametrize("delay_s", [0.05, 0.1, 0.2, 0.35, 0.5])
def test_what_was_announced_survives_kill_9(tmp_path: Path, delay_s: float) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "0\n"
    time.sleep(delay_s)
    writer.send_signal(signal.SIGKILL)
    announced = [0, *(int(line) for line in writer.stdout.read().split("\n") if line.isdigit())]
    writer.wait()
    writer.stdout.close()
    store = Outbox(tmp_path)
    kept = {int.from_bytes(r.payload[:4], "big") for r in store.waiting()}
    store.close()
    assert kept >= set(announced)
    assert len(kept) <= len(announced) + 1


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "StoreError" in result.stdout
    assert FILE_NAME in result.stdout


def test_two_processes_share_it(tmp_path: Path) -> None:
    """``watch`` adds while ``relay`` removes."""
    ours = Outbox(tmp_path)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    removed = 0
    deadline = time.monotonic() + 30
    while removed < 50:
        assert time.monotonic() < deadline
        for record in ours.due(0, 10):
            ours.remove(record.record_id)
            removed += 1
    writer.kill()
    writer.wait()
    writer.stdout.close()
    ours.close()


def test_what_was_sent_cannot_be_found_in_the_file(tmp_path: Path) -> None:
    store = Outbox(tmp_path)
    marker = os.urandom(32)
    name = store.add(marker * 33)
    store.remove(name)
    store.close()
    assert not any(marker in path.read_bytes() for path in tmp_path.iterdir())


def test_what_was_sent_leaves_the_log_while_all_stays_open(tmp_path: Path) -> None:
    """A relay runs for weeks, and ``watch`` beside it."""
    watch, relay = Outbox(tmp_path), Outbox(tmp_path)
    marker = os.urandom(32)
    watch.add(marker * 33)
    (record,) = relay.due(0, 1)
    assert any(marker in path.read_bytes() for path in relay.files)
    relay.remove(record.record_id)
    assert not any(marker in path.read_bytes() for path in relay.files)
    relay.close()
    watch.close()


def relay_sees(folder: Path) -> int:
    """How many wait, for another process that opens the outbox and ends."""
    code = (
        "import sys; from pathlib import Path; from scanner.storage.outbox import Outbox;"
        "store = Outbox(Path(sys.argv[1])); print(store.count()); store.close()"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    return int(told.stdout)


def test_two_connections_of_one_process_keep_the_log_from_others(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path)) as watch, closing(Outbox(tmp_path)) as counted:
        watch.add(b"one")
        assert relay_sees(tmp_path) == 1
        watch.add(b"two")
        assert relay_sees(tmp_path) == counted.count() == watch.count() == 2


def on_card(folder: Path, names: Iterable[str]) -> list[str]:
    """The ids among these that some file of a folder holds."""
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    return [name for name in names if name.encode() in content]


RELAY = """
import os, random, signal, sys
from pathlib import Path
from scanner.core.wire import SEALED_BYTES
from scanner.relay import SENDING, Relay
from scanner.replay.standins import RecordingPublisher
from scanner.storage.outbox import Outbox
store, line = Outbox(Path(sys.argv[1])), RecordingPublisher()
names = {store.add(os.urandom(SEALED_BYTES)) for _ in range(60)}
relay = Relay(store, line, SENDING["careful"], now_s=lambda: 1e9, uniform=random.random)
for _ in range(20):
    relay.tick()
print(*(names - {record.record_id for record in store.waiting()}), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_card_pulled_while_a_backlog_is_sent_names_nothing_that_was_sent(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", RELAY, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    sent = result.stdout.split()
    assert len(sent) == 20
    assert on_card(tmp_path, sent) == []
    with closing(Outbox(tmp_path)) as store:
        assert len(on_card(tmp_path, (r.record_id for r in store.waiting()))) == 40


def test_a_log_that_a_reader_keeps_is_emptied_at_the_next_chance(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path)) as store:
        name = store.add(b"one")
        store.add(b"two")
        store._db.execute("PRAGMA busy_timeout = 50")
        with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM record").fetchall()
            store.remove(name)
            assert on_card(tmp_path, [name])
        assert len(store.due(0, 10)) == 1
        assert on_card(tmp_path, [name]) == []


def test_what_a_killed_relay_left_in_the_log_goes_when_the_outbox_is_opened(tmp_path: Path) -> None:
    device, card = tmp_path / "device", tmp_path / "card"
    with closing(Outbox(device)) as store:
        name = store.add(b"one")
        with closing(sqlite3.connect(device / FILE_NAME)) as reader:
            store._db.execute("PRAGMA busy_timeout = 50")
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM record").fetchall()
            store.remove(name)
            shutil.copytree(device, card)
    assert on_card(card, [name])
    with closing(Outbox(card)):
        assert on_card(card, [name]) == []


def test_an_outbox_of_a_newer_scanner_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer scanner"):
        Outbox(tmp_path)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Outbox(tmp_path)


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Outbox(tmp_path / "file" / "data")


def places_in_file(folder: Path, names: list[bytes]) -> list[int]:
    """Where in the file each marker lies; those of the log, if any, come after."""
    content = b"".join(path.read_bytes() for path in sorted(folder.glob(f"{FILE_NAME}*")))
    return [content.index(name) for name in names]


def test_settling_leaves_no_order_of_finding(tmp_path: Path) -> None:
    store = Outbox(tmp_path)
    markers = [os.urandom(24) for _ in range(60)]
    for marker in markers:
        store.add(marker * 44)
    before = places_in_file(tmp_path, markers)
    store.settle()
    after = places_in_file(tmp_path, markers)
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size == 0

    def in_order(places: list[int]) -> float:
        pairs = [(a, b) for i, a in enumerate(places) for b in places[i + 1 :]]
        return sum(a < b for a, b in pairs) / len(pairs)

    assert in_order(before) > 0.8
    assert 0.3 < in_order(after) < 0.7
    assert len(store.waiting()) == 60
    store.close()


def test_settling_beside_a_writer_is_no_error(tmp_path: Path) -> None:
    ours = Outbox(tmp_path)
    ours.add(b"one")
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        ours._db.execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        ours.settle()
        other.execute("COMMIT")
    assert len(ours.waiting()) == 1
    ours.close()


# --- a worn card --------------------------------------------------------------------------------

PAGE = 4096
INTERIOR, LEAF = 2, 10  # first byte of a page of the tree
WORN_RECORDS = 300


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an outbox with many records."""
    folder = tmp_path_factory.mktemp("stocked")
    with closing(Outbox(folder)) as store:
        for _ in range(WORN_RECORDS):
            store.add(os.urandom(SEALED_BYTES))
        store.settle()
    return folder / FILE_NAME


def worn(stocked: Path, folder: Path, kind: int, number: int) -> tuple[set[str], set[str]]:
    """An outbox with a page of noise; ids of its records, and of those that lay in that page."""
    shutil.copy(stocked, folder)
    with closing(Outbox(folder)) as store:
        names = {record.record_id for record in store.waiting()}
    path = folder / FILE_NAME
    content = bytearray(path.read_bytes())
    pages = [at for at in range(PAGE, len(content), PAGE) if content[at] == kind]
    at = pages[number % len(pages)]
    page = bytes(content[at : at + PAGE])
    content[at : at + PAGE] = random.Random(number).randbytes(PAGE)
    path.write_bytes(content)
    return names, {name for name in names if name.encode() in page}


@pytest.mark.parametrize("number", [0, 7, 19, -1])
@pytest.mark.parametrize("first", ["settle", "due", "waiting", "count"])
def test_a_worn_page_costs_its_own_records_only(
    stocked: Path, tmp_path: Path, first: str, number: int
) -> None:
    names, lost = worn(stocked, tmp_path, LEAF, number)
    assert 0 < len(lost) < 12
    told: list[str] = []
    with closing(Outbox(tmp_path, tell=told.append)) as store:
        ways = {"due": lambda: store.due(0, 50), "waiting": store.waiting, "count": store.count}
        ways.get(first, store.settle)()
        assert {r.record_id for r in store.waiting()} == names - lost
        assert store.count() == len(names - lost)
        assert all(id_of(r.payload) == r.record_id for r in store.waiting())
        added = store.add(os.urandom(SEALED_BYTES))
        store.remove(*(names - lost))
        assert [r.record_id for r in store.due(0, 50)] == [added]
    assert len(told) == 1
    assert "worn" in told[0]
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert on_card(tmp_path, names) == []


def test_where_the_way_to_all_records_is_worn_new_ones_are_kept(
    stocked: Path, tmp_path: Path
) -> None:
    worn(stocked, tmp_path, INTERIOR, 0)
    with closing(Outbox(tmp_path)) as store:
        added = store.add(os.urandom(SEALED_BYTES))
        assert [r.record_id for r in store.due(0, 50)] == [added]


def test_a_worn_page_is_mended_under_a_process_that_goes_on(stocked: Path, tmp_path: Path) -> None:
    names, lost = worn(stocked, tmp_path, LEAF, 3)
    with closing(Outbox(tmp_path)) as watch, closing(Outbox(tmp_path)) as relay:
        watch.settle()
        assert {r.record_id for r in relay.waiting()} == names - lost
        added = relay.add(os.urandom(SEALED_BYTES))
        assert added in {r.record_id for r in watch.waiting()}


def test_what_is_being_wiped_is_not_written_again(stocked: Path, tmp_path: Path) -> None:
    worn(stocked, tmp_path, LEAF, 3)
    with closing(Outbox(tmp_path)) as store:
        before = (tmp_path / FILE_NAME).read_bytes()
        (tmp_path / WIPE_MARK).write_bytes(b"1")
        with pytest.raises(StoreError, match="malformed"):
            store.waiting()
        assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_row_that_is_not_whole_does_not_survive_mending(stocked: Path, tmp_path: Path) -> None:
    worn(stocked, tmp_path, LEAF, 5)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("INSERT INTO record VALUES ('not an id', x'00', 0)")
    with closing(Outbox(tmp_path)) as store:
        store.settle()
        assert on_card(tmp_path, ["not an id"]) == []


def test_nobody_else_reads_the_files_also_where_everyone_sees_the_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with closing(Outbox(tmp_path)) as store:
        store.add(b"x" * SEALED_BYTES)
        assert {stat.S_IMODE(path.stat().st_mode) for path in store.files} == {0o600}
