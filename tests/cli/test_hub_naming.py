"""Cameras keep their ids: a command that is given the database and not the hub's keys changes none.

``--db`` names the database, ``--data`` the folder with the keys: the second is easily forgotten.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.cli import main
from scanner.errors import UsageError
from scanner.hub import keys, mapping, naming
from scanner.hub.features import Policy
from scanner.hub.ingest import Ingest
from scanner.hub.stores import Store, open_store
from scanner.sealing import seal
from tests.helpers.reports import DAY, entry, record


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hub with five cameras, as one from before there was a mark."""
    data = tmp_path / "hub"
    public = keys.create(data, "2026-Q4")
    with contextlib.closing(open_store(data / "hub.sqlite3")) as store:
        mapping.set_policy(store, Policy(reports=1))
        payloads = [seal(record([entry((100.0 * i, 0))]), public) for i in range(5)]
        Ingest(store, keys.load_ring(data), lambda: (DAY + 3) * 86_400.0).take(payloads)
        secret = keys.load_naming(data)
        while mapping.fuse_waiting(store, lambda *first: keys.camera_id(secret, *first)):
            pass
    return data


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    with contextlib.closing(open_store(data / "hub.sqlite3")) as opened:
        yield opened


def ids(data: Path) -> list[str]:
    with contextlib.closing(open_store(data / "hub.sqlite3")) as store:
        return [stored.id for stored in store.cameras()]


def hub(*arguments: object) -> int:
    return main(["hub", *map(str, arguments)])


COMMANDS = [
    ["rebuild"],
    ["review", "list"],
    ["review", "confirm", "ID", "--reviewer", "ana"],
    ["cohorts", "hold", "north", "--reviewer", "ana"],
    ["ingest", "FILE"],
    ["simulate", "--cameras", "TOWN"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("folder", ["empty", "of another hub"])
def test_without_the_hubs_keys_no_camera_gets_another_id(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], folder: str
) -> None:
    other = tmp_path / "other"
    if folder != "empty":
        keys.create(other, "2026-Q4")
    before = ids(data)
    (tmp_path / "some.kept").write_bytes(b"")
    town = Path("scanner/demo/truth.geojson").resolve()
    words = {"ID": before[0], "FILE": tmp_path / "some.kept", "TOWN": town}
    places = ["--db", f"sqlite:///{data}/hub.sqlite3", "--data", other]
    assert hub(*(words.get(word, word) for word in command), *places) == 2
    said = capsys.readouterr().err
    assert "--data names their folder" in said
    assert ids(data) == before
    assert folder != "empty" or not other.exists()  # who forgot an option gets no keys by it


def test_a_wrong_folder_gets_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some.kept").write_bytes(b"")
    assert hub("ingest", tmp_path / "some.kept", "--data", tmp_path / "typo") == 2
    assert "no keys of a hub are there" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_with_them_nothing_changes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hub("rebuild", "--data", data) == 0
    assert capsys.readouterr().out == "5 cameras, nothing changed\n"
    assert hub("review", "confirm", ids(data)[0], "--reviewer", "ana", "--data", data) == 0


def test_a_map_that_lost_its_keys_takes_others_when_it_is_asked_to(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ids(data)
    shutil.rmtree(data / "keys")
    (data / keys.NAMING_FILE).unlink()
    keys.create(data, "2027-Q1")
    assert hub("rebuild", "--data", data) == 2
    capsys.readouterr()
    assert hub("rebuild", "--rename", "--data", data) == 0
    assert not set(ids(data)) & set(before)
    assert hub("rebuild", "--data", data) == 0
    assert capsys.readouterr().out.endswith("5 cameras, nothing changed\n")


def test_where_a_few_have_their_ids_from_another_key_the_right_one_mends_them(
    data: Path, store: Store
) -> None:
    before = ids(data)
    touched = store.cameras(limit=1)[0].camera.members[0].record_id
    secrets = {touched: bytes(keys.KEY_BYTES)}
    own = keys.load_naming(data)
    mapping.rebuild(store, lambda *first: keys.camera_id(secrets.get(first[0], own), *first))
    assert len(set(ids(data)) & set(before)) == len(before) - 1
    mapping.rebuild(store, naming.name_of(store, data))
    assert ids(data) == before


def test_two_hubs_that_begin_on_one_database_do_not_both_name(tmp_path: Path) -> None:
    with contextlib.closing(open_store(tmp_path / "db")) as store:
        name = naming.name_of(store, tmp_path / "a", make=True)
        assert naming.name_of(store, tmp_path / "a")("r", 0) == name("r", 0)
        with pytest.raises(UsageError, match="no keys"):
            naming.name_of(store, tmp_path / "b", make=True)
        keys.create(tmp_path / "b", "2026-Q4")
        with pytest.raises(UsageError, match="not the keys"):
            naming.name_of(store, tmp_path / "b", make=True)
