"""Tokens from request to map: counted, spent once, and of nobody in particular."""

import datetime as dt
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
from nacl.public import PrivateKey

from scanner.core import blind, tokens
from scanner.core.wire import Record, encode_record
from scanner.errors import StoreError, UsageError
from scanner.hub import cohorts, keys, mapping
from scanner.hub.cohorts import Checker
from scanner.hub.features import Policy
from scanner.hub.ingest import NO_TOKEN, SPENT, Ingest
from scanner.hub.review import ReviewDesk, Wanted
from scanner.hub.stores import Store, open_store
from scanner.sealing import seal
from tests.helpers.reports import DAY, entry, record

KEY = PrivateKey(bytes(range(32)))
NAME = partial(keys.camera_id, keys.naming_key(KEY))
MONTH = (dt.date(1970, 1, 1) + dt.timedelta(DAY)).strftime("%Y-%m")
TWO = Policy(reports=2, cohorts=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with two cohorts: making their keys takes a while."""
    folder = tmp_path_factory.mktemp("hub")
    for name in ("harbour", "station"):
        cohorts.create(folder, name, MONTH)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture
def ingest(store: Store, data: Path) -> Ingest:
    return Ingest(store, KEY, lambda: (DAY + 3) * 86_400.0, checker=Checker(cohorts.issuers(data)))


def token(data: Path, cohort: str) -> bytes:
    """One, as a device comes by it."""
    (issuer,) = cohorts.issuers(data, cohort)
    identity = tokens.key_id(issuer.key)
    prepared = blind.prepare(tokens.message(identity), os.urandom)
    hidden = blind.blind(issuer.key, prepared, os.urandom)
    (answer,) = cohorts.sign(data, cohort, identity, [hidden.message])
    return tokens.pack(
        identity, prepared, blind.finalize(issuer.key, prepared, answer, hidden.inverse)
    )


def site(cohort: bytes = b"", *, day: int = DAY, east_m: float = 0) -> Record:
    value = record([entry((east_m, 0))], day=day)
    return msgspec.structs.replace(value, cohort=cohort)


def take(ingest: Ingest, *values: Record) -> tuple[int, int, int]:
    taken = ingest.take([seal(value, KEY.public_key) for value in values])
    return taken.added, taken.repeated, taken.quarantined


def shown(store: Store, policy: Policy) -> int:
    mapping.set_policy(store, policy)
    while mapping.fuse_waiting(store, NAME):
        pass
    return len(store.shown(None))


def test_a_token_and_eight_cameras_fit_a_record(data: Path) -> None:
    far = msgspec.structs.replace(
        entry((0, 0)), lat_e7=-899_999_999, lon_e7=-1_799_999_999, ee_cm2=2**32 - 1,
        en_cm2=-(2**31), nn_cm2=2**32 - 1, height_dm=1000,
    )  # fmt: skip
    value = Record(
        bucket_days=28, bucket=100_000, common_sigma_cm=65_535, model="x" * 24,
        cameras=(far,) * 8, cohort=token(data, "harbour"),
    )  # fmt: skip
    assert len(encode_record(value).rstrip(b"\0")) == 593  # of 1,024 at most


def test_two_cohorts_confirm_and_one_does_not(store: Store, ingest: Ingest, data: Path) -> None:
    assert take(ingest, site(token(data, "harbour")), site(token(data, "harbour"))) == (2, 0, 0)
    assert shown(store, TWO) == 0
    assert take(ingest, site(token(data, "station"))) == (1, 0, 0)
    assert shown(store, TWO) == 1


def test_records_without_a_token_confirm_nothing(store: Store, ingest: Ingest, data: Path) -> None:
    assert take(ingest, site(), site(), site()) == (3, 0, 0)
    assert shown(store, TWO) == 0
    take(ingest, site(token(data, "harbour")))
    assert shown(store, TWO) == 0  # "none" is not a second cohort either
    assert shown(store, Policy(reports=1)) == 1
    mapping.set_policy(store, TWO)
    (camera,) = store.cameras()
    desk = ReviewDesk(store, TWO, partial(mapping.refresh, name=NAME), lambda: 0.0)
    desk.act("r", Wanted(verb="confirm", camera_id=camera.id))
    assert shown(store, TWO) == 1


def test_a_token_is_spent_once(store: Store, ingest: Ingest, data: Path) -> None:
    used = token(data, "harbour")
    payload = seal(site(used), KEY.public_key)
    assert ingest.take([payload, payload]).repeated == 1
    again = seal(site(used, east_m=300), KEY.public_key)
    assert ingest.take([again]).quarantined == 1
    assert store.quarantined() == [(SPENT, 1)]
    # However often either comes, nothing changes.
    assert ingest.take([payload, again]).repeated == 1
    assert store.counts() == (1, 1)


def test_a_token_that_came_twice_in_one_batch_counts_once(ingest: Ingest, data: Path) -> None:
    used = token(data, "harbour")
    assert take(ingest, site(used), site(used, east_m=300)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (lambda t: t[:-1], "cohort token of 295 bytes, not 296"),
        (lambda t: bytes(8) + t[8:], "cohort token of a key that this hub does not have"),
        (lambda t: t[:-1] + bytes([t[-1] ^ 1]), "cohort token is forged or damaged"),
        (lambda t: t[:10] + bytes([t[10] ^ 1]) + t[11:], "cohort token is forged or damaged"),
    ],
)
def test_a_bad_token_is_put_aside(
    store: Store, ingest: Ingest, data: Path, bend: object, reason: str
) -> None:
    assert callable(bend)
    assert take(ingest, site(bend(token(data, "harbour")))) == (0, 0, 1)
    assert store.quarantined() == [(reason, 1)]


@pytest.mark.parametrize(("days", "good"), [(-31, False), (0, True), (30, True), (62, False)])
def test_a_token_is_good_for_its_month_and_the_next(
    store: Store,
    data: Path,
    days: int,
    good: bool,  # noqa: FBT001
) -> None:
    later = Ingest(
        store, KEY, lambda: (DAY + 90) * 86_400.0, checker=Checker(cohorts.issuers(data))
    )
    assert take(later, site(token(data, "harbour"), day=DAY + days))[0] == good


def test_a_hub_may_insist_on_tokens(store: Store, data: Path) -> None:
    strict = Ingest(
        store,
        KEY,
        lambda: (DAY + 3) * 86_400.0,
        checker=Checker(cohorts.issuers(data)),
        token_required=True,
    )
    assert take(strict, site(), site(token(data, "harbour"))) == (1, 0, 1)
    assert store.quarantined() == [(NO_TOKEN, 1)]


def test_the_database_keeps_the_cohort_and_no_token(
    store: Store, ingest: Ingest, data: Path, tmp_path: Path
) -> None:
    used = token(data, "harbour")
    take(ingest, site(used))
    assert store.all_reports()[0].record.cohort == b""
    with closing(sqlite3.connect(tmp_path / "db")) as db:
        assert db.execute("SELECT cohort FROM reports").fetchall() == [("harbour",)]
        text = "\n".join(db.iterdump())
    for part in (used, used[8:40], used[40:]):
        assert part.hex().upper() not in text


def test_nothing_that_the_issuer_saw_is_in_a_token(data: Path) -> None:
    (issuer,) = cohorts.issuers(data, "harbour")
    identity = tokens.key_id(issuer.key)
    seen: set[bytes] = set()
    spent: list[bytes] = []
    for _ in range(5):
        prepared = blind.prepare(tokens.message(identity), os.urandom)
        hidden = blind.blind(issuer.key, prepared, os.urandom)
        (answer,) = cohorts.sign(data, "harbour", identity, [hidden.message])
        seen |= {hidden.message, answer}
        signature = blind.finalize(issuer.key, prepared, answer, hidden.inverse)
        spent.append(tokens.pack(identity, prepared, signature))
    pieces = {s[i : i + 8] for s in seen for i in range(len(s) - 8)}
    assert not any(t[i : i + 8] in pieces for t in spent for i in range(8, len(t) - 8))


def test_a_cohort_gets_no_more_tokens_than_its_limit(tmp_path: Path) -> None:
    issuer = cohorts.create(tmp_path, "small", MONTH, limit=5)
    identity = tokens.key_id(issuer.key)
    ask = [os.urandom(255).rjust(256, b"\0") for _ in range(4)]
    assert len(cohorts.sign(tmp_path, "small", identity, ask)) == 4
    with pytest.raises(UsageError, match="1 of 5 tokens left"):
        cohorts.sign(tmp_path, "small", identity, ask)
    assert len(cohorts.sign(tmp_path, "small", identity, ask[:1])) == 1
    assert cohorts.issued(tmp_path, "small", MONTH) == 5
    with pytest.raises(UsageError, match="none of the keys"):
        cohorts.sign(tmp_path, "small", bytes(8), ask[:1])
    with pytest.raises(UsageError, match="different"):
        cohorts.sign(tmp_path, "small", identity, [ask[0], ask[0]])
    path = tmp_path / "cohorts" / "small" / f"{MONTH}.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="has a key"):
        cohorts.create(tmp_path, "small", MONTH)
    path.write_text("no key")
    with pytest.raises(StoreError, match="not usable"):
        cohorts.issuers(tmp_path)


def test_a_full_card_leaves_no_half_key_and_a_damaged_count_is_told(tmp_path: Path) -> None:
    cohorts.create(tmp_path, "small", "2026-11")  # what follows is about the key alone
    program = (
        "import resource, sys; from pathlib import Path; from scanner.hub import cohorts;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500));"
        "cohorts.create(Path(sys.argv[1]), 'small', '2026-12')"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "StoreError" in done.stderr
    folder = tmp_path / "cohorts" / "small"
    assert sorted(p.name for p in folder.iterdir()) == ["2026-11.pem", "limit"]
    (folder / "2026-11.issued").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="not a number"):
        cohorts.issued(tmp_path, "small", "2026-11")


@pytest.mark.parametrize("name", ["", "..", "a/b", "Anna", "-x", "a" * 33])
def test_a_cohort_has_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a cohort's name"):
        cohorts.create(tmp_path, name, MONTH)
    assert list(tmp_path.iterdir()) == []
