"""The hub's database in one file: SQLite 3.37 or later, WAL.

The projection is kept in the order of the Morton curve, so that a box or a tile is a few stretches
of neighbouring rows; it needs no R*Tree, which costs ten times as much to write.
"""

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from scanner.errors import StoreError
from scanner.hub.stores import migrations, morton, reviews
from scanner.hub.stores.database import Row, Values, marks
from scanner.hub.stores.intake import Intake
from scanner.hub.stores.ledger import Ledger, within
from scanner.hub.stores.mapped import Mapped
from scanner.hub.stores.projection import COLUMNS, values_of
from scanner.hub.stores.protocol import Box, Shown

ACTIONS_SINCE: Final = 3  # version from which reviews are actions
BUSY_S: Final = 30.0
AGAIN_S: Final = 0.02
PRIMARY: Final = 0xFF  # part of an error's code, behind which stands what it was exactly
_PRIVATE: Final = 0o600
CACHE_KIB: Final = 32_768  # of each connection; with less a large transaction is written twice
SLOTS: Final = 128  # rows that one square of the curve has room for before it takes its neighbours'
_INSERT_SHOWN: Final = (
    f"INSERT INTO shown (place, {COLUMNS}) "  # noqa: S608 our own words
    f"VALUES ({marks(1 + len(COLUMNS.split(', ')))}) ON CONFLICT (place) DO NOTHING"
)


class SqliteDatabase:
    """One connection to a file. Raises StoreError with the file's name."""

    holding: Final = ""  # a transaction is the only one that writes

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._in_words():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Candidates and decisions are in it; SQLite's companion files take its mode over. Made
            # without opening it: closing it would end all locks that this process has on it.
            with contextlib.suppress(FileExistsError):
                os.mknod(path, _PRIVATE)
            self._db = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._write_ahead()
            # FULL: what was acknowledged to the broker must survive a power cut.
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    def _write_ahead(self) -> None:
        """Where several start at once, SQLite itself does not wait for the lock that this takes."""
        until_s = time.monotonic() + BUSY_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as e:
                busy = e.sqlite_errorcode & PRIMARY == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until_s:
                    raise
                time.sleep(AGAIN_S)
            else:
                return

    # Written out, not by _in_words: these run some ten times for every record.

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """What a query finds."""
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: {e}") from e

    def row(self, sql: str, values: Values = ()) -> Row | None:
        """The first line of what a query finds."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def run(self, sql: str, values: Values = ()) -> int:
        """Execute; returns how many rows it changed."""
        try:
            return self._db.execute(sql, values).rowcount
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: {e}") from e

    def many(self, sql: str, rows: Iterable[Values]) -> None:
        """Execute once for each row."""
        try:
            self._db.executemany(sql, rows)
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: {e}") from e

    @contextlib.contextmanager
    def transaction(self, before_commit: Callable[[], None]) -> Iterator[None]:
        """All or nothing; ``before_commit`` is the last that belongs to it."""
        with self._in_words():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                before_commit()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def function(self, name: str, call: Callable[[str], bytes]) -> None:
        """Make a function of one text available to SQL."""
        self._db.create_function(name, 1, call, deterministic=True)

    def copy_to(self, path: Path) -> None:
        """A copy of the whole database as it is at one instant, while others go on writing."""
        with self._in_words(), contextlib.closing(sqlite3.connect(path)) as copy:
            self._db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a companion

    def close(self) -> None:
        """Close; may be called twice."""
        self._db.close()

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            raise StoreError(f"{self.path}: {e}") from e


class SqliteStore(Intake, Mapped, Ledger):
    """One connection to the database; made with its tables if the file is new.

    Raises StoreError if it cannot be opened or is of a newer version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.url = f"sqlite:///{os.fspath(path)}"
        self._db: SqliteDatabase = SqliteDatabase(path)
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise

    def _prepare(self) -> None:
        newest = migrations.newest("sqlite")
        version = self._version()
        if version > newest:
            raise StoreError(
                f"{self.path} has schema {version}, this program knows {newest}",
                hint="use the program that made it",
            )
        if version < newest:
            with self._db.transaction(lambda: None):
                # Asked again: another process may have been quicker.
                for step in range(self._version() + 1, newest + 1):
                    self._migrate(step)

    def _version(self) -> int:
        row = self._db.row("PRAGMA user_version")
        return int(row[0]) if row else 0

    def _migrate(self, step: int) -> None:
        if step == ACTIONS_SINCE:
            self._db.function("word", reviews.words(self._db))
        for statement in migrations.statements("sqlite", step):
            self._db.run(statement)
        if step == 1:
            self._db.run(
                "INSERT INTO meta VALUES ('identity', ?), ('revision', '0')",
                (secrets.token_hex(4),),
            )
        self._db.run(f"PRAGMA user_version = {step}")

    def hold_map(self, *, alone: bool = False) -> None:
        """The write lock of the transaction keeps out every other."""

    def _hold_intake(self, *, alone: bool = False) -> None:
        """The write lock of the transaction keeps out every other."""

    @contextlib.contextmanager
    def region(self, cells: Iterable[str], *, wait: bool = False) -> Iterator[bool]:  # noqa: ARG002
        """The write lock of the transaction keeps out every other."""
        yield True

    def copy_to(self, path: Path) -> None:
        """A copy of the whole database as it is at one instant, while others go on writing."""
        self._db.copy_to(path)

    # --- how places are looked up ---------------------------------------------------------------

    def _insert_shown(self, shown: Iterable[Shown]) -> None:
        for row in shown:
            place = morton.code(*morton.square(row.lat_deg, row.lon_deg)) * SLOTS
            values = values_of(row)
            while not self._db.run(_INSERT_SHOWN, (place, *values)):
                place = self._free_from(place)

    def _free_from(self, place: int) -> int:
        """The first place from this one on that no row has."""
        row = self._db.row(
            "SELECT s.place + 1 FROM shown s WHERE s.place >= ? AND NOT EXISTS "
            "(SELECT 1 FROM shown n WHERE n.place = s.place + 1) ORDER BY s.place LIMIT 1",
            (place,),
        )
        return int(row[0]) if row else place

    def _rows_in(
        self, columns: str, where: str, values: Values, box: Box, limit: int | None = None
    ) -> list[Row]:
        exact, corners = within(box)
        query = (
            f"SELECT {columns} FROM shown NOT INDEXED WHERE place BETWEEN ? AND ? "  # noqa: S608
            f"AND {exact} {where} LIMIT ?"
        )
        found: list[Row] = []
        for first, last in _stretches(box):
            place = first * SLOTS, last * SLOTS + SLOTS - 1
            left = -1 if limit is None else limit - len(found)  # -1: all
            found += self._db.rows(query, (*place, *corners, *values, left))
        return found

    def _points_in(self, box: tuple[int, int, int, int]) -> list[Row]:
        found: list[Row] = []
        for first, last in morton.box_ranges(*box):
            found += self._db.rows(
                "SELECT lat_deg, lon_deg, id, kind, direction_deg, last_month, confirmations, "
                "sigma_m FROM shown INDEXED BY shown_tiles "
                "WHERE place BETWEEN ? AND ? AND status = 'confirmed'",
                (first * SLOTS, last * SLOTS + SLOTS - 1),
            )
        return found


def _stretches(box: Box) -> list[morton.Range]:
    """Stretches of the curve that cover a box in degrees."""
    west, south, east, north = box
    if west > east:
        ends = max(west, 180.0), min(east, -180.0)  # beyond the date line there is nothing
        halves = (west, south, ends[0], north), (ends[1], south, east, north)
        # Where the gap is narrow both cover it: no row may be found twice.
        return morton.joined([stretch for half in halves for stretch in _stretches(half)])
    x0, y0 = morton.square(north, west)
    x1, y1 = morton.square(south, east)
    return morton.box_ranges(x0, y0, x1, y1)
