"""Promises of ports.RecordStore, kept by the outbox on the card and its stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.ports import RecordStore
from scanner.replay.standins import MemoryStore
from scanner.storage.outbox import Outbox


@pytest.fixture(params=["outbox", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RecordStore]:
    store: RecordStore = Outbox(tmp_path) if request.param == "outbox" else MemoryStore()
    yield store
    store.close()


def test_what_is_added_waits(store: RecordStore) -> None:
    name = store.add(b"one")
    assert [(r.record_id, r.payload, r.due_s) for r in store.waiting()] == [(name, b"one", 0)]
    assert store.count() == 1


def test_adding_twice_keeps_one(store: RecordStore) -> None:
    assert store.add(b"one") == store.add(b"one", due_s=50)
    assert len(store.waiting()) == store.count() == 1


def test_due_gives_only_those_whose_time_has_come_in_order(store: RecordStore) -> None:
    store.add(b"late", due_s=300)
    store.add(b"soon", due_s=100)
    store.add(b"now")
    assert [r.payload for r in store.due(150.0, 10)] == [b"now", b"soon"]
    assert [r.payload for r in store.due(150.0, 1)] == [b"now"]
    assert [r.payload for r in store.waiting()] == [b"now", b"soon", b"late"]


def test_removed_records_are_gone_and_unknown_ids_are_no_error(store: RecordStore) -> None:
    name = store.add(b"one")
    store.remove(name)
    store.remove(name)
    store.remove("unknown")
    assert store.waiting() == []
    assert store.count() == 0


def test_many_are_removed_at_a_time(store: RecordStore) -> None:
    names = [store.add(b"%d" % n) for n in range(5)]
    store.remove(*names[:3], "unknown")
    assert {r.record_id for r in store.waiting()} == set(names[3:])
    store.remove()


def test_closing_twice_is_no_error(store: RecordStore) -> None:
    store.close()
    store.close()
