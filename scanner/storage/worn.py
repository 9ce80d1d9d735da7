"""An outbox with worn pages: what can still be read is written anew, in the same file.

One page that a worn card has changed would otherwise stop all others: no record would be sent any
more, and the file could not be settled. It stays the same file, since others have it open.
"""

import sqlite3
from contextlib import suppress
from itertools import pairwise
from typing import Final

# Ids are hex and spread evenly: between two ends lie so few that a damaged page hides no other.
ENDS: Final = [f"{n:02x}" for n in range(256)] + ["g"]


def is_worn(error: sqlite3.Error) -> bool:
    """Whether SQLite says that pages of the file are not as it wrote them."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def write_anew(db: sqlite3.Connection, schema: str, whole: str) -> None:
    """Keep of the table ``record`` what can be read, and overwrite the rest.

    ``schema`` makes the table, ``whole`` is the SQL condition of a sound row. All or nothing;
    raises sqlite3.Error.
    """
    rows = _read_alone(db, whole)
    try:
        # Dropping the table would read its pages.
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_schema WHERE tbl_name = 'record'")
        db.execute("PRAGMA writable_schema = RESET")
        db.execute(schema)
        db.executemany(
            "INSERT INTO record (id, payload, due_s) VALUES (?, ?, ?)",
            ((name, *row) for name, row in rows.items()),
        )
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.OperationalError):  # SQLite has done so by itself
            db.execute("ROLLBACK")
        db.execute("PRAGMA writable_schema = RESET")
        raise
    db.execute("VACUUM")  # the old pages belong to nothing now


def _read_alone(db: sqlite3.Connection, whole: str) -> dict[str, tuple[bytes, int]]:
    """All that can be read, in a transaction in which nobody else writes.

    It is read before: SQLite takes no more writes in a transaction that met a worn page.
    """
    while True:
        before = db.execute("PRAGMA data_version").fetchall()
        rows = _readable(db, whole)
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA data_version").fetchall() == before:
            return rows
        db.execute("ROLLBACK")


def _readable(db: sqlite3.Connection, whole: str) -> dict[str, tuple[bytes, int]]:
    """Payload and due time by id; what lies behind a damaged page is reached from behind."""
    query = (
        f"SELECT id, payload, due_s FROM record WHERE {whole} AND id > ? AND id < ?"  # noqa: S608 - our own words
        " ORDER BY id {} LIMIT 1"  # the step from one row to a damaged page would cost it, too
    )
    found: dict[str, tuple[bytes, int]] = {}
    for ends in pairwise(ENDS):
        for order in ("ASC", "DESC"):
            between = list(ends)
            with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
                while rows := db.execute(query.format(order), between).fetchall():
                    ((name, payload, due_s),) = rows
                    if name in found:
                        break  # met, or a damaged page leads in circles
                    found[name] = payload, due_s
                    between[order == "DESC"] = name
    return found
