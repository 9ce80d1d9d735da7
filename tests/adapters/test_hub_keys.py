"""Key pairs by epoch: made, used, destroyed, and what remains readable after that."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.public import PrivateKey

from scanner.errors import StoreError, UsageError
from scanner.hub import keys
from scanner.hub.ingest import Ingest
from scanner.hub.stores import Store, open_store
from scanner.sealing import seal, seal_dummy
from tests.helpers.reports import DAY, entry, record


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "db")
    yield opened
    opened.close()


def ingest(store: Store, data: Path) -> Ingest:
    return Ingest(store, keys.load_ring(data), lambda: (DAY + 3) * 86_400.0)


def test_a_hub_of_one_key_goes_on_with_it(tmp_path: Path) -> None:
    old = keys.load_or_create(tmp_path)
    names = keys.naming_key(old)
    assert keys.load_naming(tmp_path) == names
    keys.create(tmp_path, "2026-Q4")
    ring = keys.load_ring(tmp_path)
    assert set(ring.private) == {keys.NO_EPOCH, "2026-Q4"}
    assert bytes(ring.private[keys.NO_EPOCH]) == bytes(old)
    keys.destroy(tmp_path, keys.NO_EPOCH)
    assert set(keys.load_ring(tmp_path).private) == {"2026-Q4"}
    assert keys.load_naming(tmp_path) == names  # the cameras keep their names


def test_a_new_hub_gets_a_key_without_an_epoch_unless_it_has_one_with(tmp_path: Path) -> None:
    assert set(keys.load_ring(tmp_path / "a").private) == {keys.NO_EPOCH}
    keys.create(tmp_path / "b", "2026-11")
    assert set(keys.load_ring(tmp_path / "b").private) == {"2026-11"}
    names = keys.load_naming(tmp_path / "b")
    keys.destroy(tmp_path / "b", "2026-11")
    assert keys.load_ring(tmp_path / "b") == keys.KeyRing({}, ("2026-11",))
    assert keys.load_naming(tmp_path / "b") == names


def test_all_keys_that_are_left_are_tried(tmp_path: Path, store: Store) -> None:
    first, second = keys.create(tmp_path, "2026-Q3"), keys.create(tmp_path, "2026-Q4")
    sites = [record([entry((100.0 * i, 0))]) for i in range(2)]
    taken = ingest(store, tmp_path).take([seal(sites[0], first), seal(sites[1], second)])
    assert (taken.added, taken.quarantined) == (2, 0)


def test_what_is_sealed_to_a_destroyed_key_is_put_aside_with_the_reason(
    tmp_path: Path, store: Store
) -> None:
    gone, left = keys.create(tmp_path, "2026-Q3"), keys.create(tmp_path, "2026-Q4")
    payload = seal(record([entry((0, 0))]), gone)
    keys.destroy(tmp_path, "2026-Q3")
    taken = ingest(store, tmp_path).take([payload, seal(record([entry((100, 0))]), left)])
    assert (taken.added, taken.quarantined) == (1, 1)
    ((reason, count),) = store.quarantined()
    assert count == 1
    assert "destroyed one (2026-Q3)" in reason


def test_dummies_leave_no_trace(tmp_path: Path, store: Store) -> None:
    key = keys.create(tmp_path, "2026-Q4")
    taken = ingest(store, tmp_path).take([seal_dummy(key) for _ in range(3)])
    assert (taken.added, taken.repeated, taken.quarantined) == (0, 0, 0)
    assert store.counts() == (0, 0)


def test_a_destroyed_key_is_nowhere_in_the_folder(tmp_path: Path) -> None:
    keys.create(tmp_path, "2026-Q3")
    path = tmp_path / "keys" / "2026-Q3.key"
    secret = path.read_bytes()
    assert len(secret) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open("rb") as same_inode:
        keys.destroy(tmp_path, "2026-Q3")
        assert same_inode.read() == bytes(32)
    left = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert left
    assert not any(secret in content for content in left)
    with pytest.raises(UsageError, match="made before"):
        keys.create(tmp_path, "2026-Q3")
    with pytest.raises(UsageError, match="no key"):
        keys.destroy(tmp_path, "2026-Q3")


@pytest.mark.parametrize("epoch", ["", "..", "2026-Q9", "../hub", "always"])
def test_only_epochs_become_files(tmp_path: Path, epoch: str) -> None:
    with pytest.raises(UsageError, match="not an epoch"):
        keys.create(tmp_path, epoch)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys.create(tmp_path, "2026-Q4")
    (tmp_path / "keys" / "2026-Q4.key").chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        keys.load_ring(tmp_path)


def test_the_campaign_signs_with_one_key(tmp_path: Path) -> None:
    assert bytes(keys.load_campaign(tmp_path)) == bytes(keys.load_campaign(tmp_path))
    assert bytes(keys.load_campaign(tmp_path)) != bytes(PrivateKey.generate())
