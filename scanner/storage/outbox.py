"""The outbox: sealed records on the card until the broker has them.

SQLite in WAL mode with ``synchronous=FULL``: when ``add`` returns, the record survives a power cut.
The file holds sealed bytes, an id and a due time, nothing else; ``secure_delete`` overwrites what
is removed, and in the ``open`` profile the due time is 0.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from scanner.core.wire import record_id as id_of
from scanner.errors import StoreError
from scanner.ports import Waiting

FILE_NAME: Final = "outbox.sqlite3"
SCHEMA_VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 10.0
SCHEMA: Final = """
CREATE TABLE record (
    id TEXT PRIMARY KEY,
    payload BLOB NOT NULL,
    due_s INTEGER NOT NULL
) WITHOUT ROWID
"""


class Outbox:
    """Sealed records in a folder. Raises StoreError when the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as e:
            raise StoreError(f"{folder}: cannot be made: {e.strerror}") from e
        with self._mapped():
            self._db = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()

    def add(self, payload: bytes, *, due_s: int = 0) -> str:
        """Keep a sealed record and return its id; on return it survives a power cut."""
        name = id_of(payload)
        with self._mapped():
            self._db.execute(
                "INSERT OR IGNORE INTO record (id, payload, due_s) VALUES (?, ?, ?)",
                (name, payload, due_s),
            )
        return name

    def due(self, now_s: float, limit: int) -> list[Waiting]:
        """At most ``limit`` records whose time has come, those due first at the front."""
        return self._select("WHERE due_s <= ? ORDER BY due_s, id LIMIT ?", (now_s, limit))

    def remove(self, record_id: str) -> None:
        """Forget a record that the broker has acknowledged; unknown ids are no error."""
        with self._mapped():
            self._db.execute("DELETE FROM record WHERE id = ?", (record_id,))

    def waiting(self) -> list[Waiting]:
        """All records, due first at the front."""
        return self._select("ORDER BY due_s, id", ())

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._db.close()

    def _select(self, clause: str, values: tuple[float, ...]) -> list[Waiting]:
        query = f"SELECT id, payload, due_s FROM record {clause}"  # noqa: S608 - our own clauses
        with self._mapped(), closing(self._db.execute(query, values)) as rows:
            return [Waiting(record_id=i, payload=p, due_s=d) for i, p, d in rows]

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StoreError(f"{self._path}: written by a newer scanner", hint="update this one")
        if version == 0:
            self._db.execute("BEGIN IMMEDIATE")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:  # another process may have been faster
                self._db.execute(SCHEMA)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._db.execute("COMMIT")

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            hint = "free some space; what is in it is safe" if "full" in str(e) else ""
            raise StoreError(f"{self._path}: {e}", hint=hint) from e
