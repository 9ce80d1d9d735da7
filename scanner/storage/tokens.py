"""The device's cohort tokens: asked for by hand, kept until one is spent inside a record.

``asked`` holds what undoes the blinding; it is overwritten once the answer is in. A token leaves
the file before the record that carries it is sealed, so that none is ever spent twice. The hub sees
it in the record: one left in the write-ahead log would tell a finder which records were ours.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from scanner.disk import own_file
from scanner.enrolment import month_of
from scanner.errors import StoreError
from scanner.storage.log import empty_log

FILE_NAME: Final = "tokens.sqlite3"
SCHEMA_VERSION: Final = 1
DAY_ZERO: Final = dt.date(1970, 1, 1)
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS asked (
    blinded BLOB PRIMARY KEY, month TEXT NOT NULL, modulus BLOB NOT NULL,
    prepared BLOB NOT NULL, inverse BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (body BLOB PRIMARY KEY, month TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was asked for and is not there yet."""

    month: str
    modulus: bytes
    blinded: bytes
    prepared: bytes
    inverse: bytes


def has_tokens(folder: Path) -> bool:
    """Whether a folder has a file of tokens."""
    return (folder / FILE_NAME).exists()


def good_months(days: range) -> tuple[str, ...]:
    """Months whose tokens a hub takes for a record of a bucket of days since 1970, best first.

    A token is good in its own month and in the one after.
    """
    first, last = (DAY_ZERO + dt.timedelta(day) for day in (days[0], days[-1]))
    months = [last, last.replace(day=1) - dt.timedelta(1)]
    if month_of(first) != month_of(last):
        months.append(first.replace(day=1) - dt.timedelta(1))
    return tuple(map(month_of, months))


class Tokens:
    """Tokens in a folder. Raises StoreError when the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as e:
            raise StoreError(f"{folder}: cannot be made: {e.strerror}") from e
        with self._mapped():
            own_file(self._path)
            self._db = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            # The log exists from here on: behind the wall no file can be made.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA temp_store = MEMORY")
            self._db.execute("PRAGMA synchronous = FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise StoreError(f"{self._path}: written by a newer scanner")
            if version == 0:
                self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
            self._empty_log()  # of a process that was killed

    def ask(self, wanted: list[Asked]) -> None:
        """Remember what was asked for."""
        with self._all_or_nothing():
            self._db.executemany(
                "INSERT INTO asked VALUES (?, ?, ?, ?, ?)",
                [(a.blinded, a.month, a.modulus, a.prepared, a.inverse) for a in wanted],
            )

    def asked(self) -> list[Asked]:
        """What was asked for and is not there yet."""
        with self._mapped(), closing(self._db.execute("SELECT * FROM asked")) as rows:
            return [
                Asked(blinded=b, month=m, modulus=n, prepared=p, inverse=i)
                for b, m, n, p, i in rows
            ]

    def receive(self, tokens: list[tuple[Asked, bytes]]) -> None:
        """Keep tokens, and forget how they were asked for."""
        with self._all_or_nothing():
            for asked, body in tokens:
                self._db.execute("INSERT INTO token VALUES (?, ?)", (body, asked.month))
                self._db.execute("DELETE FROM asked WHERE blinded = ?", (asked.blinded,))

    def spend(self, months: tuple[str, ...]) -> bytes:
        """Take one token of the first month that has any; empty if none has."""
        with self._all_or_nothing():
            for month in months:
                # By their random parts: in no order that says when they were asked for.
                row = self._db.execute(
                    "SELECT body FROM token WHERE month = ? ORDER BY random() LIMIT 1", (month,)
                ).fetchone()
                if row:
                    self._db.execute("DELETE FROM token WHERE body = ?", row)
                    return bytes(row[0])
        return b""

    def drop_before(self, month: str) -> None:
        """Forget tokens and requests of months before this one: no hub takes them any more."""
        with self._all_or_nothing():
            self._db.execute("DELETE FROM token WHERE month < ?", (month,))
            self._db.execute("DELETE FROM asked WHERE month < ?", (month,))

    def counts(self) -> dict[str, int]:
        """Tokens by month."""
        with self._mapped():
            rows = self._db.execute("SELECT month, count(*) FROM token GROUP BY month ORDER BY 1")
            return dict(rows.fetchall())

    def close(self) -> None:
        """Close the file, its log emptied; may be called twice."""
        self._empty_log()
        self._db.close()

    def _empty_log(self) -> None:
        with suppress(sqlite3.Error):  # in use, or the card is full: another time
            empty_log(self._db)

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        with self._mapped():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._empty_log()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as e:
            raise StoreError(f"{self._path}: {e}") from e
