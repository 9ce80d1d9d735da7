"""The hub's database on a server: PostgreSQL 15 or later with PostGIS 3, through psycopg 3."""

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final

from scanner.errors import StoreError, UsageError, from_checkout
from scanner.hub.stores import migrations, morton
from scanner.hub.stores.database import ROWS_AT_ONCE, Row, Values, marks
from scanner.hub.stores.intake import Intake
from scanner.hub.stores.ledger import Ledger, within
from scanner.hub.stores.mapped import Mapped
from scanner.hub.stores.projection import COLUMNS, values_of
from scanner.hub.stores.protocol import Box, Shown

try:
    import psycopg
except ImportError as e:  # an extra: only where it is wanted
    raise UsageError("PostgreSQL needs psycopg", hint=from_checkout("hub,postgres")) from e

_VALUES: Final = "VALUES ("
CONNECT_S: Final = 10
PREPARE_AFTER: Final = 2  # times that a statement is sent before the server keeps its plan
MIGRATING: Final = 0x63637476  # the advisory lock of who makes the tables
MAPPING: Final = 0x6D617073  # the advisory lock of the map as a whole
TAKING_IN: Final = 0x74616B65  # the advisory lock of what becomes of records that come in
FUSING: Final = 0x66757365  # first half of the advisory locks of areas
MERCATOR_M: Final = 20037508.342789244  # half the side of EPSG:3857
_AWAIT_AREAS: Final = (
    "SELECT count(pg_advisory_xact_lock(?, hashtext(name))::text) FROM unnest(?::text[]) name"
)
# Stops at the first that another has, and returns it.
_TRY_AREAS: Final = (
    "SELECT name FROM unnest(?::text[]) name "
    "WHERE NOT pg_try_advisory_xact_lock(?, hashtext(name)) LIMIT 1"
)
_INSERT_SHOWN: Final = (
    f"INSERT INTO shown ({COLUMNS}, geom) "  # noqa: S608 our own words
    f"VALUES ({marks(len(COLUMNS.split(', ')))}, ST_SetSRID(ST_MakePoint(?, ?), 3857))"
)


@lru_cache(maxsize=512)
def _theirs(sql: str) -> str:
    """A statement with psycopg's marks for values."""
    return sql.replace("?", "%s")


@lru_cache(maxsize=512)
def _of_rows(sql: str, count: int) -> str:
    """An INSERT of one row as one of many."""
    head, _, rest = sql.partition(_VALUES)
    depth, end = 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(rest[end], 0)
        end += 1
    return _theirs(head + "VALUES " + ", ".join(["(" + rest[:end]] * count) + rest[end:])


class PostgresDatabase:
    """One connection to a server, made again after it broke. Raises StoreError."""

    holding: Final = "FOR UPDATE"

    def __init__(self, url: str) -> None:
        self._url = url
        self._db: psycopg.Connection | None = None
        with self._in_words():
            self._live()

    def _live(self) -> psycopg.Connection:
        if self._db is None or self._db.closed:
            self._db = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_S,
                prepare_threshold=PREPARE_AFTER,
                application_name="cctv-hub",
            )
            # What was acknowledged to the broker must survive a power cut.
            self._db.execute("SET synchronous_commit = on")
        return self._db

    def _execute(self, sql: str, values: Values) -> "psycopg.Cursor[Row]":
        cursor = self._live().cursor(binary=True)
        return cursor.execute(_theirs(sql), values)

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """What a query finds."""
        with self._in_words():
            return self._execute(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> Row | None:
        """The first line of what a query finds."""
        with self._in_words():
            return self._execute(sql, values).fetchone()

    def run(self, sql: str, values: Values = ()) -> int:
        """Execute; returns how many rows it changed."""
        with self._in_words():
            return self._execute(sql, values).rowcount

    def many(self, sql: str, rows: Iterable[Values]) -> None:
        """Execute once for each row, without waiting for each answer."""
        listed = list(rows)
        if not listed:
            return
        with self._in_words():
            cursor = self._live().cursor()
            if _VALUES not in sql:
                cursor.executemany(_theirs(sql), listed)
                return
            # Many rows in one statement cost a fifth of as many statements.
            for start in range(0, len(listed), ROWS_AT_ONCE):
                some = listed[start : start + ROWS_AT_ONCE]
                cursor.execute(_of_rows(sql, len(some)), [v for row in some for v in row])

    @contextlib.contextmanager
    def transaction(self, before_commit: Callable[[], None]) -> Iterator[None]:
        """All or nothing; ``before_commit`` is the last that belongs to it."""
        with self._in_words(), self._live().transaction():
            yield
            before_commit()

    def close(self) -> None:
        """Close; may be called twice."""
        if self._db is not None:
            self._db.close()

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as e:
            lines = str(e).strip().splitlines() or [type(e).__name__]
            raise StoreError(f"PostgreSQL: {lines[0]}") from e


class PostgresStore(Intake, Mapped, Ledger):
    """One connection to the database; its tables are made if it is empty.

    Raises StoreError if it cannot be opened or is of a newer version.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self._alone = False  # nobody else has the map until the transaction ends
        self._db = PostgresDatabase(url)
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise

    def _prepare(self) -> None:
        newest = migrations.newest("postgres")
        version = self._version()
        if version > newest:
            raise StoreError(
                f"the database has schema {version}, this program knows {newest}",
                hint="use the program that made it",
            )
        if version == newest:
            return
        with self._db.transaction(lambda: None):
            self._db.row("SELECT pg_advisory_xact_lock(?)", (MIGRATING,))
            # Asked again: another process may have been quicker.
            for step in range(self._version() + 1, newest + 1):
                for statement in migrations.statements("postgres", step):
                    self._db.run(statement)
                if step == 1:
                    self.put_meta("identity", secrets.token_hex(4))
                self.put_meta("schema", str(step))

    def _version(self) -> int:
        # Asked of the catalogue: alone, to_regclass answers from a memory that waiting for another
        # process does not renew.
        if not self._db.row("SELECT 1 FROM pg_class WHERE oid = to_regclass('meta')"):
            return 0
        return int(self.get_meta("schema") or 0)

    def hold_map(self, *, alone: bool = False) -> None:
        """An advisory lock that ends with the transaction; those who wait are served in turn."""
        self._hold(MAPPING, alone=alone)
        self._alone = self._alone or alone

    def _hold_intake(self, *, alone: bool = False) -> None:
        """An advisory lock like that of the map, which is taken before it where both are."""
        self._hold(TAKING_IN, alone=alone)

    def _hold(self, lock: int, *, alone: bool) -> None:
        shared = "" if alone else "_shared"
        self._db.row(f"SELECT pg_advisory_xact_lock{shared}(?)", (lock,))

    def _forget(self) -> None:
        super()._forget()
        self._alone = False

    @contextlib.contextmanager
    def region(self, cells: Iterable[str], *, wait: bool = False) -> Iterator[bool]:
        """Advisory locks that end with the transaction, taken in one order.

        None for who has the map alone: all areas of a large change are more than a server has room
        for.
        """
        names = sorted(cells)
        if self._alone:
            yield True
        elif wait:
            self._db.row(_AWAIT_AREAS, (FUSING, names))
            yield True
        else:
            yield self._db.row(_TRY_AREAS, (names, FUSING)) is None

    # --- how places are looked up ---------------------------------------------------------------

    def _insert_shown(self, shown: Iterable[Shown]) -> None:
        self._db.many(
            _INSERT_SHOWN,
            ((*values_of(row), *_mercator(row.lat_deg, row.lon_deg)) for row in shown),
        )

    def _rows_in(
        self, columns: str, where: str, values: Values, box: Box, limit: int | None = None
    ) -> list[Row]:
        exact, corners = within(box)
        edges: list[float] = []
        halves = _halves(box)
        for west, south, east, north in halves:
            x0, y0 = _mercator(south, west)
            x1, y1 = _mercator(north, east)
            edges += (x0 - 1, y0 - 1, x1 + 1, y1 + 1)
        near = " OR ".join(["geom && ST_MakeEnvelope(?, ?, ?, ?, 3857)"] * len(halves))
        cut, more = ("", ()) if limit is None else (" LIMIT ?", (limit,))
        return self._db.rows(
            f"SELECT {columns} FROM shown WHERE ({near}) AND {exact} {where}{cut}",  # noqa: S608
            (*edges, *corners, *values, *more),
        )

    def _points_in(self, box: tuple[int, int, int, int]) -> list[Row]:
        x0, y0, x1, y1 = (2 * MERCATOR_M * edge / morton.SIDE for edge in box)
        return self._db.rows(
            "SELECT lat_deg, lon_deg, id, kind, direction_deg, last_month, confirmations, "
            "sigma_m FROM shown WHERE geom && ST_MakeEnvelope(?, ?, ?, ?, 3857) "
            "AND status = 'confirmed'",
            (x0 - MERCATOR_M - 1, MERCATOR_M - y1 - 1, x1 - MERCATOR_M + 1, MERCATOR_M - y0 + 1),
        )


def _mercator(lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """Metres of EPSG:3857, to a square of the curve; poles lie at the edge."""
    x, y = morton.square(lat_deg, lon_deg)
    side_m = 2 * MERCATOR_M / morton.SIDE
    return (x + 0.5) * side_m - MERCATOR_M, MERCATOR_M - (y + 0.5) * side_m


def _halves(box: Box) -> list[Box]:
    """A box, or its two parts on both sides of the date line."""
    west, south, east, north = box
    if west > east:
        return [(west, south, 180.0, north), (-180.0, south, east, north)]
    return [box]
