"""A copy of the whole database in one file, and back.

SQLite by its online backup, PostgreSQL by ``pg_dump`` and ``pg_restore``; the hub may go on while
it is copied, and must not run while it is put back. What is written has another name until it is
complete. A copy holds everything: it is as secret as the database, but no key is in it.
"""

import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from scanner.disk import settle
from scanner.errors import StoreError, UsageError
from scanner.hub.stores import Store, database_file, migrations, open_store
from scanner.hub.stores.sqlite import SqliteStore

TABLES: Final = (
    *("meta", "reports", "cohorts", "blocks", "quarantine", "spent", "actions", "cameras"),
    *("members", "shown", "pyramid", "tally", "filled", "journal", "known", "links", "cells"),
)
PRIVATE_MODE: Final = 0o600
LOST_MAX: Final = 2**32  # changes between a copy and its return, far more than there can be
_COMPANIONS: Final = ("-wal", "-shm")


def back_up(where: str | Path, file: Path) -> None:
    """Write the database to a new file. Raises UsageError, StoreError."""
    if file.exists():
        raise UsageError(f"{file} is there already", hint="name another file, or remove it")
    with contextlib.closing(open_store(where)) as store, _beside(file) as unfinished:
        # Nobody else may read it, from its first byte.
        with _in_words(file):
            os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE))
        if isinstance(store, SqliteStore):
            store.copy_to(unfinished)
        else:
            tables = [f"--table={name}" for name in TABLES]
            _postgres("pg_dump", store.url, "--format=custom", f"--file={unfinished}", *tables)


def restore(where: str | Path, file: Path) -> None:
    """Fill an empty or new database from a file. Raises UsageError, StoreError."""
    if not file.is_file():
        raise UsageError(f"{file}: no such file")
    path = database_file(where)
    if path is None:
        with contextlib.closing(open_store(where)) as store:
            _refuse_full(store)
        _postgres(
            *("pg_restore", str(where), "--clean", "--if-exists", "--no-owner"),
            *("--no-privileges", "--single-transaction", "--exit-on-error", str(file)),
        )
        _begin_anew(where)
        return
    if path.exists():
        with contextlib.closing(open_store(path)) as store:
            _refuse_full(store)
    _check(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path) as unfinished:
        with _in_words(file):
            shutil.copyfile(file, unfinished)
            unfinished.chmod(PRIVATE_MODE)
        _begin_anew(unfinished)
        # Of the empty database that gives way: it would be taken for the new one's.
        for companion in _COMPANIONS:
            Path(f"{path}{companion}").unlink(missing_ok=True)


def _begin_anew(where: str | Path) -> None:
    """Bring a copy up to date, and let none of what readers were told since it was made hold.

    The numbers that were given to changes, and that are lost, would be given again to others: a
    reader who asks with one of them has to read the map afresh.
    """
    with contextlib.closing(open_store(where)) as store, store.transaction():
        revision = str(store.revision() + LOST_MAX)
        store.put_metas(
            {"identity": secrets.token_hex(4), "revision": revision, "journal floor": revision}
        )


def _refuse_full(store: Store) -> None:
    if store.counts() != (0, 0) or store.actions(limit=1) or store.cameras(limit=1):
        raise UsageError(
            "this database is not empty", hint="restore into a new one, then serve that"
        )


def _check(file: Path) -> None:
    """Whether a file is a whole database of ours, of a version that we know."""
    with _in_words(file):
        db = sqlite3.connect(f"file:{file.resolve()}?mode=ro", uri=True)
        with contextlib.closing(db):
            ((answer,),) = db.execute("PRAGMA quick_check(1)").fetchall()
            ((version,),) = db.execute("PRAGMA user_version").fetchall()
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if answer != "ok" or not {"meta", "reports"} <= tables:
        raise UsageError(f"{file} is damaged, or no backup of a hub")
    if version > migrations.newest("sqlite"):
        raise UsageError(f"{file} has schema {version}", hint="use the program that made it")


@contextlib.contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """A name in the same folder, renamed to ``file`` if all goes well, else removed."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    with _in_words(file):
        unfinished.unlink(missing_ok=True)
    try:
        yield unfinished
        with _in_words(file):
            with unfinished.open("rb") as written:
                os.fsync(written.fileno())
            unfinished.replace(file)
            settle(file.parent)
    finally:
        for end in ("", *_COMPANIONS):
            Path(f"{unfinished}{end}").unlink(missing_ok=True)


@contextlib.contextmanager
def _in_words(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreError(f"{file}: {e.strerror or e}") from e
    except sqlite3.Error as e:
        raise StoreError(f"{file}: {e}") from e


def _postgres(program: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on a database."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 an extra

    found = shutil.which(program)
    if not found:
        raise UsageError(
            f"{program} is not installed", hint="sudo apt-get install postgresql-client"
        )
    parts = conninfo_to_dict(url)
    # The list of processes is open to everyone on a machine: the password goes another way.
    secret = {"PGPASSWORD": str(parts.pop("password"))} if parts.get("password") else {}
    command: Sequence[str] = (found, "--no-password", *arguments)
    done = subprocess.run(  # noqa: S603 our own arguments, found on PATH
        [*command, f"--dbname={make_conninfo('', **parts)}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | secret,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no word"]
        raise StoreError(f"{program}: {lines[0].removeprefix(f'{program}: ')}")
