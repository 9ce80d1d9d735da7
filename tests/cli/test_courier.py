"""Records carried by hand: from one machine's outbox to the hub, in a file."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from scanner.cli.courier import MAGIC, pack, unpack
from scanner.core.wire import SEALED_BYTES
from scanner.errors import WireError
from scanner.hub import keys
from scanner.sealing import seal_dummy
from scanner.storage.outbox import Outbox
from tests.cli.test_commands import error_of, scanner
from tests.helpers.sealed import sealed


def test_from_the_outbox_to_the_map_by_hand(tmp_path: Path) -> None:
    key = keys.load_or_create(tmp_path / "hub").public_key
    with closing(Outbox(tmp_path / "device")) as store:
        for number in range(5):
            store.add(sealed(number, key))
        store.add(seal_dummy(key))
        store.add(sealed(9, key), due_s=int(time.time()) + 86_400)
    out = tmp_path / "box"
    result = scanner("outbox", "export", "--out", out, "--data", tmp_path / "device")
    assert result.returncode == 0, result.stderr
    assert "6 records, still waiting here; 1 not due yet" in result.stdout
    assert out.stat().st_size == 8 + 6 * SEALED_BYTES + 32
    assert out.stat().st_mode & 0o077 == 0
    for line in ("5 records taken in, 0 known before, 0 quarantined, 1 dummies",
                 "0 records taken in, 5 known before, 0 quarantined, 1 dummies"):  # fmt: skip
        taken = scanner("hub", "ingest", out, "--data", tmp_path / "hub")
        assert (taken.returncode, taken.stdout.strip()) == (0, line), taken.stderr
    result = scanner(
        *("outbox", "export", "--all", "--remove", "--out", out, "--data", tmp_path / "device")
    )
    assert "7 records, removed here" in result.stdout
    with closing(Outbox(tmp_path / "device")) as store:
        assert store.waiting() == []


def test_nothing_is_removed_when_the_file_cannot_be_written(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path)) as store:
        store.add(bytes(SEALED_BYTES))
    result = scanner(
        *("outbox", "export", "--remove", "--out", tmp_path / "no" / "box", "--data", tmp_path)
    )
    assert "cannot be written" in error_of(result, 74)
    with closing(Outbox(tmp_path)) as store:
        assert len(store.waiting()) == 1


def test_files_are_read_as_they_were_written() -> None:
    payloads = [bytes([n]) * SEALED_BYTES for n in range(4)]
    assert unpack(pack(payloads)) == payloads
    assert unpack(pack([])) == []


@pytest.mark.parametrize("at", [0, 8, 500, -1])
def test_a_damaged_file_is_refused_as_a_whole(at: int) -> None:
    content = bytearray(pack([bytes(SEALED_BYTES)] * 2))
    content[at] ^= 1
    with pytest.raises(WireError):
        unpack(bytes(content))


@pytest.mark.parametrize("cut", [1, 32, SEALED_BYTES, 10**6])
def test_a_file_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(WireError):
        unpack(pack([bytes(SEALED_BYTES)] * 2)[:-cut])


def test_records_of_other_sizes_are_not_packed() -> None:
    with pytest.raises(WireError):
        pack([b"short"])
    assert pack([]).startswith(MAGIC)
