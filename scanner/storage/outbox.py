"""The outbox: sealed records on the card until the broker has them.

SQLite in WAL mode with ``synchronous=FULL``: when ``add`` returns, the record survives a power cut.
The file holds sealed bytes, an id and a due time, nothing else: no row number and no time of its
own. Records are ordered by their id, which is random, and ``secure_delete`` overwrites what is
removed, in the write-ahead log, too. Pages are still taken in the order of adding, and the log
repeats it, until ``settle`` writes the file anew.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from scanner.core.wire import record_id as id_of
from scanner.disk import own_file
from scanner.errors import StoreError
from scanner.ports import Waiting
from scanner.storage.log import empty_log
from scanner.storage.worn import is_worn, write_anew

Result = TypeVar("Result")

FILE_NAME: Final = "outbox.sqlite3"
OWN_FOLDER: Final = "own"  # of the data folder: an outbox that nobody sends, for the finder
WIPE_MARK: Final = "wipe-begun"  # of the data folder; with content, all in it is being wiped
SCHEMA_VERSION: Final = 1
BUSY_TIMEOUT_S: Final = 10.0
SCHEMA: Final = """
CREATE TABLE record (
    id TEXT PRIMARY KEY,
    payload BLOB NOT NULL,
    due_s INTEGER NOT NULL
) WITHOUT ROWID
"""


# A row that a worn card has changed is left where it is: it would stop all others.
WHOLE: Final = (
    "length(id) = 32 AND id NOT GLOB '*[^0-9a-f]*' AND typeof(id) = 'text'"
    " AND typeof(payload) = 'blob' AND typeof(due_s) = 'integer'"
)
DAMAGED: Final = (sqlite3.Error, UnicodeDecodeError)  # the other: a table's name that is no text


class Outbox:
    """Sealed records in a folder. Raises StoreError when the folder cannot be used.

    ``tell`` gets a line when the card has lost records.
    """

    def __init__(self, folder: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        self._tell = tell
        self._path = folder / FILE_NAME
        self._removed = True  # perhaps, by a relay that was killed before it emptied the log
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as e:
            raise StoreError(f"{folder}: cannot be made: {e.strerror}") from e
        with self._mapped():
            own_file(self._path)
            self._db = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()
            self._empty_log()

    @property
    def files(self) -> list[Path]:
        """Database, write-ahead log and its index; all exist while it is open."""
        return [self._path.with_name(f"{FILE_NAME}{end}") for end in ("", "-wal", "-shm")]

    @property
    def there(self) -> bool:
        """Whether its file still has its name; SQLite itself goes on without."""
        return self._path.exists()

    @property
    def _wiped(self) -> bool:
        """Whether it is being overwritten; finders' own copies lie a folder deeper."""
        marks = (folder / WIPE_MARK for folder in (self.folder, self.folder.parent))
        return any(mark.is_file() and mark.stat().st_size for mark in marks)

    def add(self, payload: bytes, *, due_s: int = 0) -> str:
        """Keep a sealed record and return its id; on return it survives a power cut."""
        name = id_of(payload)
        query = "INSERT OR IGNORE INTO record (id, payload, due_s) VALUES (?, ?, ?)"
        with self._mapped():
            self._mended(lambda: self._db.execute(query, (name, payload, due_s)))
        return name

    def due(self, now_s: float, limit: int) -> list[Waiting]:
        """At most ``limit`` records whose time has come, those due first at the front."""
        self._empty_log()
        return self._select("AND due_s <= ? ORDER BY due_s, id LIMIT ?", (now_s, limit))

    def remove(self, *record_ids: str) -> None:
        """Forget records that the broker has acknowledged, all or none; unknown ids are no error.

        Many at a time cost hardly more than one.
        """
        with self._mapped(), self._all_or_nothing():
            self._db.executemany("DELETE FROM record WHERE id = ?", ((i,) for i in record_ids))
        self._removed = True
        self._empty_log()

    def waiting(self) -> list[Waiting]:
        """All records, due first at the front."""
        return self._select("ORDER BY due_s, id", ())

    def count(self) -> int:
        """How many wait, without reading them."""
        query = f"SELECT count(*) FROM record WHERE {WHOLE}"  # noqa: S608 - our own words
        with self._mapped():
            (number,) = self._mended(lambda: self._db.execute(query).fetchone())
        return int(number)

    def settle(self) -> None:
        """Write the file anew in the order of the ids and empty the log, where nobody else writes.

        The order of finding tells the way walked to whoever can have the records opened.
        """
        with suppress(*DAMAGED):  # or locked: another time
            self._mended(lambda: self._db.execute("VACUUM"))
            empty_log(self._db)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._empty_log()
        self._db.close()

    def _empty_log(self) -> None:
        """What was sent must not stay in the log: its id would tell which record was ours.

        Where a reader or a full card is in the way, it is tried again at the next chance.
        """
        if self._removed:
            with suppress(*DAMAGED):  # or closed before
                self._removed = empty_log(self._db)

    def _select(self, clause: str, values: tuple[float, ...]) -> list[Waiting]:
        # Our own clauses:
        query = f"SELECT id, payload, due_s FROM record WHERE {WHOLE} {clause}"  # noqa: S608
        with self._mapped():
            rows = self._mended(lambda: self._db.execute(query, values).fetchall())
        return [Waiting(record_id=i, payload=p, due_s=d) for i, p, d in rows]

    def _mended(self, action: Callable[[], Result]) -> Result:
        """Do it; if pages of the file are worn, once more on what is left of it."""
        try:
            return action()
        except sqlite3.DatabaseError as e:
            if not is_worn(e) or not self.there or self._wiped:
                raise
            write_anew(self._db, SCHEMA, WHOLE)
            self._tell(f"{self._path}: the card is worn: records that it damaged are lost")
            return action()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute("PRAGMA temp_store = MEMORY")  # nothing is written elsewhere
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
    def _all_or_nothing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.OperationalError):  # SQLite has done so by itself
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED as e:
            hint = "free some space; what is in it is safe" if "full" in str(e) else ""
            raise StoreError(f"{self._path}: {e}", hint=hint) from e


def in_use(folder: Path) -> bool:
    """Whether another process has the outbox of this folder open."""
    try:
        # In this mode SQLite wants the file for itself, log and all.
        with closing(sqlite3.connect(folder / FILE_NAME, timeout=0.2)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    except DAMAGED:  # nobody can use it
        return False
    return False
