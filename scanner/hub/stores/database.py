"""The few things that the tables' code asks of a database connection.

SQL is written once, for SQLite 3.40 and PostgreSQL 15 alike, with ``?`` for values; what the two
do differently stands in ``sqlite.py`` and ``postgres.py``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

Row = tuple[Any, ...]
Values = Sequence[object]
ROWS_AT_ONCE: Final = 200  # of an INSERT


class Database(Protocol):
    """One connection; every method may raise StoreError."""

    @property
    def holding(self) -> str:
        """What stands behind a SELECT if nobody else may change its rows until we commit."""

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """What a query finds."""

    def row(self, sql: str, values: Values = ()) -> Row | None:
        """The first line of what a query finds."""

    def run(self, sql: str, values: Values = ()) -> int:
        """Execute; returns how many rows it changed."""

    def many(self, sql: str, rows: Iterable[Values]) -> None:
        """Execute once for each row."""

    def transaction(self, before_commit: Callable[[], None]) -> AbstractContextManager[None]:
        """All or nothing; ``before_commit`` is the last that belongs to it."""

    def close(self) -> None:
        """Close; may be called twice."""


def marks(count: int) -> str:
    """So many values for an IN (...)."""
    return ", ".join("?" * count)


def inserted(db: Database, into: str, rows: Sequence[Values], rest: str) -> list[Row]:
    """Insert rows by few statements; what these return. ``rest`` is what follows the values."""
    found: list[Row] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        values = ", ".join([f"({marks(len(some[0]))})"] * len(some))
        sql = f"INSERT INTO {into} VALUES {values} {rest}"  # noqa: S608 our own words
        found += db.rows(sql, [value for row in some for value in row])
    return found


def portions(values: Iterable[object], size: int = 500) -> Iterator[list[object]]:
    """Values by the portion: a statement takes only so many."""
    portion: list[object] = []
    for value in values:
        portion.append(value)
        if len(portion) == size:
            yield portion
            portion = []
    if portion:
        yield portion


class Tables:
    """What every part of a store has: its connection."""

    _db: Database

    def _flush(self) -> None:
        """Write what was gathered since the transaction began."""

    def _forget(self) -> None:
        """Throw away what was gathered: the transaction failed."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on return it survives a power cut. Raises StoreError."""
        try:
            with self._db.transaction(self._flush):
                yield
        finally:
            self._forget()

    def close(self) -> None:
        """Close the connection; may be called twice."""
        self._db.close()
