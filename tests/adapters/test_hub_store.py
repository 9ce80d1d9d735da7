"""Ingest, fusion of what is new, review and export, on a real database."""

import os
import random
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey

from scanner.core.fusion import fuse
from scanner.core.wire import SEALED_BYTES, Cell, Record, record_id
from scanner.errors import StoreError, UsageError
from scanner.hub import export, keys, mapping, review
from scanner.hub.features import OPEN, Policy, change, publishable, status
from scanner.hub.ingest import Ingest
from scanner.hub.mapping import Delta
from scanner.hub.store import Store
from scanner.records import Kind
from scanner.sealing import seal
from tests.helpers.reports import DAY, entry, record

KEY = PrivateKey(bytes(range(32)))
NOW_S = (DAY + 3) * 86_400.0
NAME = partial(keys.camera_id, keys.naming_key(KEY))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "hub.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def ingest(store: Store) -> Ingest:
    return Ingest(store, KEY, lambda: NOW_S)


def sealed(value: Record) -> bytes:
    return seal(value, KEY.public_key)


def take_in(store: Store, ingest: Ingest, *values: Record) -> list[Delta]:
    ingest.take([sealed(value) for value in values])
    return mapping.fuse_waiting(store, NAME)


def collection(store: Store, policy: Policy = OPEN, *, everything: bool = False) -> Cell:
    return msgspec.json.decode(export.geojson(store, policy, everything=everything), type=Cell)


# --- ingest -------------------------------------------------------------------------------------


def test_the_same_payload_counts_once_however_often_it_comes(store: Store, ingest: Ingest) -> None:
    payload = sealed(record([entry((0, 0))]))
    assert ingest.take([payload, payload]).added == 1
    assert ingest.take([payload]).repeated == 1
    mapping.fuse_waiting(store, NAME)
    assert ingest.take([payload]).repeated == 1
    assert mapping.fuse_waiting(store, NAME) == []
    assert store.counts() == (1, 0)
    assert [f.properties.confirmations for f in collection(store).features] == ["1"]


def placed(**changes: int) -> Record:
    return record([msgspec.structs.replace(entry((0, 0)), **changes)])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (record([entry((0, 0))], day=DAY + 5), "from the future"),
        (record([entry((0, 0))], day=100_000), "from the future"),
        (record([entry((0, 0))], day=0), "from before there were scanners"),
        (record([entry((0, 0))], common_m=80), "place too uncertain"),
        (record([entry((0, 0), sigma_m=80)]), "place too uncertain"),
        (placed(lat_e7=0, lon_e7=0), "place is the zero of the coordinates"),
        (record([entry((0, 0)), entry((200, 0))]), "cameras of one site too far apart"),
    ],
)
def test_what_cannot_be_true_is_put_aside_with_the_reason(
    store: Store, ingest: Ingest, value: Record, reason: str
) -> None:
    assert ingest.take([sealed(value)]).quarantined == 1
    assert store.quarantined() == [(reason, 1)]
    assert mapping.fuse_waiting(store, NAME) == []


def test_a_clock_that_is_a_little_ahead_is_forgiven(store: Store, ingest: Ingest) -> None:
    assert ingest.take([sealed(record([entry((0, 0))], day=DAY + 4))]).added == 1
    assert store.quarantined() == []


@settings(max_examples=20, deadline=None)
@given(garbage=st.lists(st.binary(max_size=3000) | st.binary(min_size=1072, max_size=1072)))
def test_garbage_is_put_aside_and_harms_nothing_else(
    garbage: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(tmp_path_factory.mktemp("hub") / "db")
    good = sealed(record([entry((0, 0))]))
    result = Ingest(store, KEY, lambda: NOW_S).take([*garbage, good])
    assert (result.added, result.quarantined) == (1, len(garbage))
    assert store.counts() == (1, len(set(garbage)))
    store.close()


def test_a_flood_of_garbage_does_not_fill_the_disk(store: Store, ingest: Ingest) -> None:
    dice = random.Random(1)
    for _ in range(21):
        ingest.take([dice.randbytes(600) for _ in range(500)])
    assert store.counts() == (0, 10_000)
    ingest.take([dice.randbytes(1_000_000)])
    with sqlite3.connect(store._path) as db:
        longest = db.execute("SELECT max(length(payload)) FROM quarantine").fetchone()
    db.close()
    assert longest == (4096,)


def test_a_payload_of_another_hub_is_told_apart_from_noise(store: Store, ingest: Ingest) -> None:
    other = seal(record([entry((0, 0))]), PrivateKey.generate().public_key)
    ingest.take([other, b"x", bytes(SEALED_BYTES)])
    assert dict(store.quarantined()) == {
        "not sealed to this hub's key, or damaged": 2,
        "payload has 1 bytes, not 1072": 1,
    }


# --- the map ------------------------------------------------------------------------------------


def test_a_camera_keeps_its_name_while_reports_add_up(store: Store, ingest: Ingest) -> None:
    (first,) = take_in(store, ingest, record([entry((0, 0))]))
    assert first.before is None
    assert first.after
    for number in range(1, 7):
        value = record([entry((0.4 * number, 0)), entry((12, 3), Kind.BULLET)], day=DAY - number)
        take_in(store, ingest, value)
    found = {s.id: s.camera.reports for s in store.cameras()}
    assert found[first.after.id] == 7
    assert sorted(found.values()) == [6, 7]


def test_names_do_not_tell_which_record_they_come_from(store: Store, ingest: Ingest) -> None:
    payload = sealed(record([entry((0, 0))]))
    ingest.take([payload])
    (delta,) = mapping.fuse_waiting(store, NAME)
    assert delta.after
    other_hub = partial(keys.camera_id, keys.naming_key(PrivateKey.generate()))
    assert delta.after.id == NAME(record_id(payload), 0)
    assert delta.after.id != other_hub(record_id(payload), 0)
    assert record_id(payload).encode() not in export.geojson(store, OPEN)


@pytest.mark.parametrize("seed", range(4))
def test_bit_by_bit_gives_the_same_map_as_all_at_once(
    tmp_path: Path, store: Store, ingest: Ingest, seed: int
) -> None:
    dice = random.Random(seed)
    truth = [(dice.uniform(0, 150), dice.uniform(-5, 5)) for _ in range(9)]
    values = []
    for _ in range(30):
        east, north = dice.gauss(0, 3), dice.gauss(0, 3)
        start = dice.randrange(len(truth))
        site = [p for p in truth if abs(p[0] - truth[start][0]) < 12][:8]
        values.append(record([entry((e + east + dice.gauss(0, 0.7), n + north)) for e, n in site]))
    payloads = [sealed(value) for value in values]
    for payload in payloads:
        ingest.take([payload])
        mapping.fuse_waiting(store, NAME)
    assert fuse(store.all_reports()) == tuple(
        sorted((s.camera for s in store.cameras()), key=lambda c: c.members[0])
    )
    assert mapping.rebuild(store, NAME) == []

    dice.shuffle(payloads)
    shuffled = Store(tmp_path / "other.sqlite3")
    Ingest(shuffled, KEY, lambda: NOW_S).take(payloads)
    mapping.fuse_waiting(shuffled, NAME)

    def unnamed(cell: Cell) -> list[object]:
        return sorted(((f.geometry, f.properties) for f in cell.features), key=repr)

    assert unnamed(collection(shuffled)) == unnamed(collection(store))
    shuffled.close()


def test_a_lost_map_is_made_again_from_the_records(store: Store, ingest: Ingest) -> None:
    take_in(store, ingest, record([entry((0, 0)), entry((3, 0))]), record([entry((300, 0))]))
    before = export.geojson(store, OPEN)
    with store.transaction():
        store.put_cameras([s.id for s in store.cameras()], [])
    assert collection(store).features == []
    assert len(mapping.rebuild(store, NAME)) == 3
    assert export.geojson(store, OPEN) == before


def test_records_far_away_are_left_alone(store: Store, ingest: Ingest) -> None:
    take_in(store, ingest, record([entry((0, 0))]))
    deltas = take_in(store, ingest, record([entry((500, 0))]))
    assert len(deltas) == 1


def test_a_crash_between_keeping_and_mapping_is_made_up_for(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite3"
    first = Store(path)
    Ingest(first, KEY, lambda: NOW_S).take([sealed(record([entry((0, 0))]))])
    first.close()
    second = Store(path)
    assert len(mapping.fuse_waiting(second, NAME)) == 1
    second.close()


# --- publication and review ---------------------------------------------------------------------


def test_the_policy_says_how_many_reports_it_takes(store: Store, ingest: Ingest) -> None:
    two = Policy(reports=2)
    take_in(store, ingest, record([entry((0, 0))]))
    (stored,) = store.cameras()
    assert publishable(stored, OPEN)
    assert not publishable(stored, two)
    assert collection(store, two).features == []
    (candidate,) = collection(store, two, everything=True).features
    assert candidate.properties.status == "candidate"
    (delta,) = take_in(store, ingest, record([entry((1, 0))]))
    assert change(delta, two)[1].change == "added"
    assert change(delta, OPEN)[1].change in ("moved", "updated")
    assert len(collection(store, two).features) == 1


def test_a_rejection_stands_against_later_reports(store: Store, ingest: Ingest) -> None:
    (delta,) = take_in(store, ingest, record([entry((0, 0))]))
    camera_id = delta.after.id
    gone = review.reject(store, camera_id, reviewer="ana", clock=lambda: NOW_S)
    assert change(gone, OPEN)[1].change == "removed"
    for _ in range(5):
        (again,) = take_in(store, ingest, record([entry((0.3, 0))]))
        assert change(again, OPEN) is None
    assert collection(store).features == []
    assert mapping.rebuild(store, NAME) == []
    assert [f.properties.status for f in collection(store, everything=True).features] == [
        "rejected"
    ]
    back = review.withdraw(store, camera_id, reviewer="ben", clock=lambda: NOW_S + 1)
    assert change(back, OPEN)[1].change == "added"
    assert [word[:2] for word in store.reviews(camera_id)] == [
        ("rejected", "ana"),
        ("withdrawn", "ben"),
    ]


def test_a_reviewer_can_publish_what_has_too_few_reports(store: Store, ingest: Ingest) -> None:
    take_in(store, ingest, record([entry((0, 0))]))
    (stored,) = store.cameras()
    review.confirm(store, stored.id, reviewer="ana", clock=lambda: NOW_S)
    (feature,) = collection(store, Policy(reports=3)).features
    assert (feature.properties.status, feature.properties.basis.present) == (
        "confirmed",
        "reviewer",
    )


def test_a_review_needs_a_name_and_a_camera(store: Store, ingest: Ingest) -> None:
    with pytest.raises(UsageError, match="no camera nothing"):
        review.reject(store, "nothing", reviewer="ana", clock=lambda: NOW_S)
    take_in(store, ingest, record([entry((0, 0))]))
    with pytest.raises(UsageError, match="needs a name"):
        review.reject(store, store.cameras()[0].id, reviewer=" ", clock=lambda: NOW_S)


def test_what_the_map_says_of_a_camera(store: Store, ingest: Ingest) -> None:
    take_in(
        store,
        ingest,
        record([entry((0, 0), Kind.BULLET, height_dm=34)], day=DAY - 40),
        record([entry((0.5, 0), Kind.BULLET, height_dm=36)]),
    )
    (feature,) = collection(store).features
    p = feature.properties
    assert (p.kind, p.height_m, p.confirmations) == (Kind.BULLET, 3.5, "2")
    assert (p.first_seen, p.last_seen) == ("2026-07", "2026-09")
    assert p.sigma_m == pytest.approx(2.2, abs=0.1)
    assert p.tags == {
        "man_made": "surveillance",
        "surveillance:type": "camera",
        "camera:type": "fixed",
        "height": "3.5",
    }
    assert p.basis.present == p.basis.kind == "reports"
    assert status(store.cameras()[0], OPEN) == "confirmed"
    with_licence = msgspec.json.decode(export.geojson(store, OPEN))
    assert with_licence["licence"] == "ODbL-1.0"
    assert with_licence["notice"] == "No record is not no camera."


@pytest.mark.parametrize(("count", "expected"), [(1, "1"), (2, "2"), (4, "3-5"), (7, "6+")])
def test_reports_are_published_as_a_band(
    store: Store, ingest: Ingest, count: int, expected: str
) -> None:
    take_in(store, ingest, *[record([entry((0, 0))]) for _ in range(count)])
    assert [f.properties.confirmations for f in collection(store).features] == [expected]


@pytest.mark.parametrize(
    ("box", "found"),
    [
        ((4.8, 52.3, 4.9, 52.4), 1),
        ((4.9, 52.3, 5.0, 52.4), 0),
        ((170.0, -90.0, 10.0, 90.0), 1),  # across the date line
    ],
)
def test_cameras_in_a_box(
    store: Store, ingest: Ingest, box: tuple[float, float, float, float], found: int
) -> None:
    take_in(store, ingest, record([entry((0, 0))]))
    assert len(store.cameras(box)) == found


# --- files --------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    key = keys.load_or_create(tmp_path / "hub")
    path = tmp_path / "hub" / "hub.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert bytes(keys.load_or_create(tmp_path / "hub")) == bytes(key)
    assert [p.name for p in (tmp_path / "hub").iterdir()] == ["hub.key"]
    path.chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        keys.load_or_create(tmp_path / "hub")


def test_a_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "hub.key").touch(mode=0o600)
    with pytest.raises(StoreError, match=r"hub\.key"):
        keys.load_or_create(tmp_path)
    assert (tmp_path / "hub.key").read_bytes() == b""


def test_a_database_that_cannot_be_used_says_which(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, however long it may be " * 50)
    with pytest.raises(StoreError, match="text: file is not a database"):
        Store(tmp_path / "text")
    newer = tmp_path / "newer"
    Store(newer).close()
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="schema 99"):
        Store(newer)
    with pytest.raises(StoreError, match=os.fspath(tmp_path / "text")):
        Store(tmp_path / "text" / "below")


def test_an_error_in_a_transaction_leaves_nothing_behind(store: Store) -> None:
    def fail_half_way() -> None:
        with store.transaction():
            store.add_report("a", record([entry((0, 0))]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert store.counts() == (0, 0)
