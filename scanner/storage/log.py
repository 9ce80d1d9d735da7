"""The write-ahead log of a database: what was removed stays readable there until it is cut."""

import sqlite3


def empty_log(db: sqlite3.Connection) -> bool:
    """Move what the log holds to its place and cut it to nothing; whether anything is left.

    Something is while others read or write; on a full card it raises. Raises sqlite3.Error.
    """
    ((in_the_way, _, _),) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return bool(in_the_way)
