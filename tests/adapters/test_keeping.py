"""What a hub puts by, so that a restored backup lacks nothing; and a clock that was never set."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from scanner.cli import main
from scanner.core.wire import SEALED_BYTES
from scanner.errors import StoreError
from scanner.hub import backups, keeping, keys
from scanner.hub.ingest import Ingest
from scanner.hub.keeping import Keeper
from scanner.hub.stores import open_store
from scanner.hub.worker import Worker
from scanner.network.inbox import Delivery
from tests.helpers.sealed import sealed
from tests.helpers.waiting import until

NOW_S = 1_795_000_000.0  # 2026-11-18


def kept(folder: Path) -> list[bytes]:
    return [p for path in sorted(folder.iterdir()) for some in keeping.read(path) for p in some]


def test_what_was_kept_is_read_again_in_its_order(tmp_path: Path) -> None:
    payloads = [os.urandom(SEALED_BYTES) for _ in range(1_200)]
    for some in (payloads[:700], [], payloads[700:]):  # started again in between
        Keeper(tmp_path / "kept", "one", lambda: NOW_S).keep(some)
    (file,) = (tmp_path / "kept").iterdir()
    assert file.name == "one-2026-11-18.kept"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert kept(tmp_path / "kept") == payloads


@pytest.mark.parametrize("torn", [1, SEALED_BYTES - 1])
def test_a_record_that_was_cut_short_is_written_over(tmp_path: Path, torn: int) -> None:
    payloads = [os.urandom(SEALED_BYTES) for _ in range(3)]
    keeper = Keeper(tmp_path, "one", lambda: NOW_S)
    keeper.keep(payloads[:2])
    (file,) = tmp_path.iterdir()
    with file.open("ab") as written:
        written.write(bytes(torn))
    assert kept(tmp_path) == payloads[:2]
    keeper.keep(payloads[2:])
    assert kept(tmp_path) == payloads


def test_what_can_be_no_record_is_not_kept(tmp_path: Path) -> None:
    payload = os.urandom(SEALED_BYTES)
    Keeper(tmp_path, "one", lambda: NOW_S).keep([b"", b"noise", payload, bytes(SEALED_BYTES + 1)])
    assert kept(tmp_path) == [payload]


def test_nothing_is_acknowledged_that_could_not_be_kept(tmp_path: Path) -> None:
    key = keys.load_or_create(tmp_path / "hub")
    payloads = [sealed(number, key.public_key) for number in range(3)]
    folder = tmp_path / "kept"
    keeper = Keeper(folder, "one", time.time)
    folder.rmdir()
    folder.write_text("in the way")
    acknowledged: list[int] = []
    with contextlib.closing(open_store(tmp_path / "db")) as store:
        worker = Worker(
            store=store,
            ingest=Ingest(store, key, time.time),
            name=lambda record, _: record,
            keep=keeper.keep,
        )
        worker.receive(Delivery(payloads, lambda: acknowledged.append(1)))
        worker.start()
        until(lambda: worker.trouble)
        assert not acknowledged
        folder.unlink()
        folder.mkdir()
        until(lambda: acknowledged)
        worker.stop()
    assert set(kept(folder)) == set(payloads)


def test_a_folder_that_cannot_be_made_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        Keeper(tmp_path / "file" / "kept", "one", time.time)


def test_an_old_backup_and_what_was_kept_are_the_whole_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = keys.load_or_create(tmp_path / "hub")
    payloads = [sealed(number, key.public_key) for number in range(30)]
    keeper = Keeper(tmp_path / "kept", "one", time.time)
    with contextlib.closing(open_store(tmp_path / "old")) as store:
        ingest = Ingest(store, key, time.time)
        for some in (payloads[:10], payloads[10:]):
            ingest.take(some)
            keeper.keep(some)
            if some[0] is payloads[0]:
                backups.back_up(tmp_path / "old", tmp_path / "backup")
    new = f"sqlite:///{tmp_path / 'new'}"
    backups.restore(tmp_path / "new", tmp_path / "backup")
    files = [str(path) for path in (tmp_path / "kept").iterdir()]
    assert main(["hub", "ingest", *files, "--db", new, "--data", str(tmp_path / "hub")]) == 0
    assert "20 records taken in, 10 known before, 0 quarantined" in capsys.readouterr().out
    with contextlib.closing(open_store(tmp_path / "new")) as store:
        assert store.counts() == (30, 0)
        assert len(store.cameras()) == 30


def test_a_hub_whose_clock_was_never_set_leaves_records_at_the_broker(tmp_path: Path) -> None:
    """Else all that comes would be from the future, and acknowledged."""
    key = keys.load_or_create(tmp_path / "hub")
    payloads = [sealed(number, key.public_key) for number in range(3)]
    now_s = [12.0]
    acknowledged: list[int] = []
    with contextlib.closing(open_store(tmp_path / "db")) as store:
        worker = Worker(
            store=store,
            ingest=Ingest(store, key, lambda: now_s[0]),
            name=lambda record, _: record,
        )
        worker.receive(Delivery(payloads, lambda: acknowledged.append(1)))
        worker.start()
        until(lambda: worker.trouble)
        assert "clock" in worker.trouble
        assert not acknowledged
        now_s[0] = time.time()
        until(lambda: acknowledged)
        worker.stop()
        assert store.counts() == (3, 0)
        assert not worker.trouble
