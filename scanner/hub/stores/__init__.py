"""The hub's database, opened by its address."""

from pathlib import Path

from scanner.errors import UsageError
from scanner.hub.stores.protocol import Store
from scanner.hub.stores.sqlite import SqliteStore

__all__ = ["Store", "database_file", "open_store"]

_HINT = "sqlite:///PATH (4 slashes: from the root) or postgresql://USER@HOST/NAME"


def open_store(where: str | Path) -> Store:
    """Open the database of a URL or a path, made with its tables if it is new.

    Raises UsageError for what is no address, StoreError if the database cannot be opened.
    """
    path = database_file(where)
    if path is not None:
        return SqliteStore(path)
    from scanner.hub.stores.postgres import PostgresStore  # noqa: PLC0415 an extra

    return PostgresStore(str(where))


def database_file(where: str | Path) -> Path | None:
    """Path of an SQLite database, None for a PostgreSQL one; raises UsageError for neither."""
    if isinstance(where, Path):
        return where
    scheme, found, rest = where.partition("://")
    if found and scheme in {"postgresql", "postgres"} and rest:
        return None
    # As elsewhere: three slashes and a relative path, four and an absolute one.
    if not found or scheme != "sqlite" or len(rest) < 2 or rest[0] != "/":  # noqa: PLR2004
        raise UsageError(f"{where}: not a database", hint=_HINT)
    return Path(rest[1:])
