"""Ingest, fusion of what is new, review and export, on a real database."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey

from scanner.core.fusing.fusion import fuse
from scanner.core.fusing.vicinity import Report
from scanner.core.wire import SEALED_BYTES, CameraFeature, Record, Status, record_id
from scanner.errors import StoreError
from scanner.hub import keys, mapping
from scanner.hub.features import Policy
from scanner.hub.ingest import Ingest
from scanner.hub.mapping import Delta
from scanner.hub.stores import Store, migrations, open_store
from scanner.hub.stores.protocol import PUBLIC
from scanner.records import Kind
from scanner.sealing import seal
from tests.helpers.maps import keep
from tests.helpers.reports import DAY, entry, record

KEY = PrivateKey(bytes(range(32)))
NOW_S = (DAY + 3) * 86_400.0
NAME = partial(keys.camera_id, keys.naming_key(KEY))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "hub.sqlite3")
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


def features(store: Store, *statuses: Status) -> list[CameraFeature]:
    rows = store.shown(None, statuses=statuses or PUBLIC)
    return [msgspec.json.decode(row.feature, type=CameraFeature) for row in rows]


# --- ingest -------------------------------------------------------------------------------------


def test_the_same_payload_counts_once_however_often_it_comes(store: Store, ingest: Ingest) -> None:
    payload = sealed(record([entry((0, 0))]))
    assert ingest.take([payload, payload]).added == 1
    assert ingest.take([payload]).repeated == 1
    mapping.fuse_waiting(store, NAME)
    assert ingest.take([payload]).repeated == 1
    assert mapping.fuse_waiting(store, NAME) == []
    assert store.counts() == (1, 0)
    assert [f.properties.confirmations for f in features(store)] == ["1"]


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
    store = open_store(tmp_path_factory.mktemp("hub") / "db")
    good = sealed(record([entry((0, 0))]))
    result = Ingest(store, KEY, lambda: NOW_S).take([*garbage, good])
    assert (result.added, result.quarantined) == (1, len(garbage))
    assert store.counts() == (1, len(set(garbage)))
    store.close()


def test_a_flood_of_garbage_does_not_fill_the_disk(
    tmp_path: Path, store: Store, ingest: Ingest
) -> None:
    dice = random.Random(1)
    for _ in range(21):
        ingest.take([dice.randbytes(600) for _ in range(500)])
    assert store.counts() == (0, 10_000)
    ingest.take([dice.randbytes(1_000_000)])
    with sqlite3.connect(tmp_path / "hub.sqlite3") as db:
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
    assert all(record_id(payload).encode() not in row.feature for row in store.shown(None))


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
    shuffled = open_store(tmp_path / "other.sqlite3")
    Ingest(shuffled, KEY, lambda: NOW_S).take(payloads)
    mapping.fuse_waiting(shuffled, NAME)

    def unnamed(store: Store) -> list[object]:
        return sorted(((f.geometry, f.properties) for f in features(store)), key=repr)

    assert unnamed(shuffled) == unnamed(store)
    shuffled.close()


def test_a_lost_map_is_made_again_from_the_records(store: Store, ingest: Ingest) -> None:
    take_in(store, ingest, record([entry((0, 0)), entry((3, 0))]), record([entry((300, 0))]))
    before = features(store)
    with store.transaction():
        store.put_cameras([s.id for s in store.cameras()], [])
    assert features(store) == []
    assert len(mapping.rebuild(store, NAME)) == 3
    assert features(store) == before


def test_records_far_away_are_left_alone(store: Store, ingest: Ingest) -> None:
    take_in(store, ingest, record([entry((0, 0))]))
    deltas = take_in(store, ingest, record([entry((500, 0))]))
    assert len(deltas) == 1


def test_a_crash_between_keeping_and_mapping_is_made_up_for(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite3"
    first = open_store(path)
    Ingest(first, KEY, lambda: NOW_S).take([sealed(record([entry((0, 0))]))])
    first.close()
    second = open_store(path)
    assert len(mapping.fuse_waiting(second, NAME)) == 1
    second.close()


# --- publication --------------------------------------------------------------------------------


def test_the_policy_says_how_many_reports_it_takes(store: Store, ingest: Ingest) -> None:
    assert mapping.set_policy(store, Policy(reports=2))
    take_in(store, ingest, record([entry((0, 0))]))
    assert features(store) == []
    assert [f.properties.status for f in features(store, "candidate")] == ["candidate"]
    since = store.revision()
    take_in(store, ingest, record([entry((1, 0))]))
    assert [c.change for c in store.changes_since(since) or []] == ["added"]
    assert len(features(store)) == 1


def test_another_policy_is_applied_to_all_that_is_there(store: Store, ingest: Ingest) -> None:
    take_in(store, ingest, record([entry((0, 0))]), record([entry((900, 0))]))
    take_in(store, ingest, record([entry((0.5, 0))]))
    assert len(features(store)) == 2
    since = store.revision()
    assert mapping.set_policy(store, Policy(reports=2))
    assert not mapping.set_policy(store, Policy(reports=2))
    assert [c.change for c in store.changes_since(since) or []] == ["removed"]
    assert len(features(store)) == 1
    assert mapping.rebuild(store, NAME) == []


@pytest.mark.parametrize("cohorts", [["north", "north"], ["north", ""], ["north", "south"]])
def test_distinct_cohorts_publish(store: Store, cohorts: list[str]) -> None:
    mapping.set_policy(store, Policy(reports=2, cohorts=2))
    with store.transaction():
        for number, cohort in enumerate(cohorts):
            keep(store, str(number), record([entry((0, 0))]), cohort)
    mapping.fuse_waiting(store, NAME)
    assert len(features(store)) == (cohorts == ["north", "south"])


def test_a_cohort_that_is_rolled_back_leaves_no_trace(tmp_path: Path, store: Store) -> None:
    clean = open_store(tmp_path / "clean")
    for number in range(8):
        value = record([entry((number % 3 * 4.0, 0)), entry((number % 3 * 4.0 + 12, 0))])
        cohort = "bad" if number % 2 else "good"
        for one in (store, clean) if cohort == "good" else (store,):
            with one.transaction():
                keep(one, f"{number:032x}", value, cohort)
            mapping.fuse_waiting(one, NAME)
    with store.transaction():
        store.set_cohort_state("bad", "rolled back")
    assert mapping.fuse_again(store, NAME, lambda: store.reports_of_cohort("bad"))
    assert features(store) == features(clean)
    assert mapping.rebuild(store, NAME) == []
    with store.transaction():
        store.set_cohort_state("bad", "trusted")
    mapping.fuse_waiting(store, NAME)
    assert features(store) != features(clean)
    assert mapping.rebuild(store, NAME) == []
    clean.close()


def test_what_the_map_says_of_a_camera(store: Store, ingest: Ingest) -> None:
    take_in(
        store,
        ingest,
        record([entry((0, 0), Kind.BULLET, height_dm=34)], day=DAY - 40),
        record([entry((0.5, 0), Kind.BULLET, height_dm=36)]),
    )
    (feature,) = features(store)
    p = feature.properties
    assert (p.kind, p.height_m, p.confirmations) == (Kind.BULLET, 3.5, "2")
    assert (p.first_seen, p.last_seen) == ("2026-07", "2026-09")
    assert p.sigma_m == pytest.approx(2.2, abs=0.1)
    assert p.tags["camera:type"] == "fixed"
    assert p.tags["height"] == "3.5"
    assert p.basis.present == p.basis.kind == "reports"


@pytest.mark.parametrize(("count", "expected"), [(1, "1"), (2, "2"), (4, "3-5"), (7, "6+")])
def test_reports_are_published_as_a_band(
    store: Store, ingest: Ingest, count: int, expected: str
) -> None:
    take_in(store, ingest, *[record([entry((0, 0))]) for _ in range(count)])
    assert [f.properties.confirmations for f in features(store)] == [expected]


# --- files --------------------------------------------------------------------------------------


def test_nobody_else_reads_the_database(tmp_path: Path) -> None:
    store = open_store(tmp_path / "hub.sqlite3")
    with store.transaction():
        store.put_meta("word", "kept")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    store.close()
    assert modes == dict.fromkeys(("hub.sqlite3", "hub.sqlite3-shm", "hub.sqlite3-wal"), 0o600)


def test_a_second_connection_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Else another process takes itself for the last one and removes what the first writes to."""
    path = tmp_path / "hub.sqlite3"
    look = (
        "import sys; from pathlib import Path; from scanner.hub.stores import open_store; "
        "store = open_store(Path(sys.argv[1])); print(store.get_meta('word')); store.close()"
    )
    command = [sys.executable, "-c", look, path]
    first, second = open_store(path), open_store(path)
    subprocess.run(command, check=True)
    with first.transaction():
        first.put_meta("word", "kept")
    seen = subprocess.run(command, check=True, capture_output=True, text=True)
    assert seen.stdout == "kept\n"
    second.close()
    first.close()


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
        open_store(tmp_path / "text")
    newer = tmp_path / "newer"
    open_store(newer).close()
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="schema 99"):
        open_store(newer)
    with pytest.raises(StoreError, match=os.fspath(tmp_path / "text")):
        open_store(tmp_path / "text" / "below")


# --- older databases ----------------------------------------------------------------------------


def older(path: Path, version: int) -> sqlite3.Connection:
    """A database as a program of that version left it: one camera, reviewed, of two records."""
    db = sqlite3.connect(path)
    for step in range(1, version + 1):
        for statement in migrations.statements("sqlite", step):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {version}")
    db.execute("INSERT INTO meta VALUES ('identity', 'ab12cd34'), ('revision', '7')")
    value = record([entry((0, 0))])
    reports = [Report(number=n, record_id=f"{n:032x}", record=value) for n in (1, 2)]
    (camera,) = fuse(reports)
    name = NAME(camera.members[0].record_id, camera.members[0].index)
    body = msgspec.msgpack.encode
    for r in reports:
        db.execute(
            "INSERT INTO reports (record_id, body, fused) VALUES (?, ?, 1)",
            (r.record_id, body(r.record)),
        )
        e = r.record.cameras[0]
        db.execute(
            "INSERT INTO blocks VALUES (?, ?, ?)", (e.lat_e7 // 20000, e.lon_e7 // 20000, r.number)
        )
        db.execute("INSERT INTO members VALUES (?, 0, ?)", (r.number, name))
    db.execute(
        "INSERT INTO cameras VALUES (?, 'u173zq', ?, ?, ?)",
        (name, camera.lat_deg, camera.lon_deg, body(camera)),
    )
    db.executemany(
        "INSERT INTO reviews (camera_id, verdict, reviewer, at_s) VALUES (?, ?, ?, ?)",
        [(name, "confirmed", "ana", 5), (name, "rejected", "ana", 5), ("lost", "rejected", "b", 6)],
    )
    db.commit()
    return db


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_database_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old"
    older(path, version).close()
    store = open_store(path)
    assert store.version() == "ab12cd34-7"
    assert store.counts() == (2, 0)
    lines = store.actions()
    assert [(a.verb, a.reviewer, a.at_s) for a in lines] == [
        ("confirm", "ana", 5),
        ("reject", "ana", 5),
        ("reject", "b", 6),
    ]
    assert [a.anchor for a in lines] == [(f"{1:032x}", 0)] * 2 + [("", 0)]
    assert mapping.fuse_waiting(store, NAME) == []
    mapping.set_policy(store, Policy(reports=1))
    assert [f.properties.status for f in features(store, "rejected")] == ["rejected"]
    assert features(store) == []
    assert mapping.rebuild(store, NAME) == []
    store.close()


def of_version_3(path: Path) -> sqlite3.Connection:
    """An empty database of the last version before places left the journal."""
    db = sqlite3.connect(path)
    db.create_function("word", 1, lambda _: b"")
    for step in (1, 2, 3):
        for statement in migrations.statements("sqlite", step):
            db.execute(statement)
    db.execute("PRAGMA user_version = 3")
    db.execute("INSERT INTO meta VALUES ('identity', 'ab12cd34'), ('revision', '5')")
    return db


@pytest.mark.parametrize(("pooling", "pooled", "waiting"), [("1", 1, 0), ("", 0, 1)])
def test_what_an_older_hub_held_waits_as_it_would_have_there(
    tmp_path: Path, pooling: str, pooled: int, waiting: int
) -> None:
    path = tmp_path / "old"
    with closing(of_version_3(path)) as db, db:
        db.execute("INSERT INTO meta VALUES ('pooling', ?)", (pooling,))
        db.execute("INSERT INTO cohorts VALUES ('north', 'held')")
        db.execute(
            "INSERT INTO reports (record_id, body, fused, cohort) VALUES ('a', ?, 2, 'north')",
            (msgspec.msgpack.encode(record([entry((0, 0))])),),
        )
    with closing(open_store(path)) as store:
        with store.transaction():
            store.set_cohort_state("north", "trusted")
        assert (store.pooled(), len(store.waiting(9))) == (pooled, waiting)


def test_the_journal_of_an_older_database_forgets_where_cameras_were_that_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old"
    with closing(of_version_3(path)) as db, db:
        db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?, 'u173zq', ?)",
            [
                (revision, word, camera, f"{word} {camera}".encode())
                for revision, word, camera in [
                    (1, "added", "home"),
                    (2, "added", "shop"),
                    (3, "removed", "home"),
                    (4, "removed", "shop"),
                    (5, "added", "shop"),
                ]
            ],
        )
    with closing(open_store(path)) as store:
        lines = store.changes_since(0) or []
    assert [(c.change, c.id, c.feature) for c in lines] == [
        ("removed", "home", b""),
        ("removed", "shop", b""),
        ("added", "shop", b"added shop"),
    ]


def test_a_migration_that_fails_leaves_the_old_database(tmp_path: Path) -> None:
    path = tmp_path / "old"
    db = older(path, 2)
    db.execute("CREATE TABLE known (x TEXT)")
    db.commit()
    before = list(db.iterdump())
    with pytest.raises(StoreError, match="known"):
        open_store(path)
    assert list(db.iterdump()) == before
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    db.close()
