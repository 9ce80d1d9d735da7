"""The hub's database: records as they came, and the cameras made from them (SQLite, WAL).

Records are the truth; cameras can be made again from them at any time. One connection belongs to
one thread. Every write happens inside ``with store.transaction()``.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from scanner.core.fusion import Camera
from scanner.core.vicinity import Report
from scanner.core.wire import Record
from scanner.errors import StoreError

SCHEMA_VERSION: Final = 2
_SCHEMA: Final = Path(__file__).with_name("schema.sql")
_FROM_1: Final = (  # what version 2 added
    "ALTER TABLE reports ADD COLUMN cohort TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE spent (digest BLOB PRIMARY KEY, month TEXT NOT NULL) STRICT, WITHOUT ROWID",
)
BUSY_S: Final = 30.0
QUARANTINE_MAX: Final = 10_000
QUARANTINE_BYTES: Final = 4096  # kept of each bad payload
BLOCK_E7: Final = 20_000  # side of the blocks in which records are looked up: 0.002 degrees

Verdict = Literal["confirmed", "rejected", "withdrawn"]
_cameras = msgspec.msgpack.Decoder(Camera)
_records = msgspec.msgpack.Decoder(Record)


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A camera of the database with the last word of a reviewer."""

    id: str
    cell: str
    camera: Camera
    verdict: Verdict | None
    cohorts: int = 0  # different cohorts that report it; records without a token are of none


class Store:
    """One connection to the database; made with its schema if the file is new.

    Raises StoreError if it cannot be opened or is of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._in_words():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            # FULL: what was acknowledged to the broker must survive a power cut.
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            with self.transaction():
                self._make()
        elif version == 1:
            with self.transaction():
                self._upgrade()
        elif version != SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} has schema {version}, this program knows {SCHEMA_VERSION}",
                hint="use the program that made it",
            )

    def _make(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone() != (0,):
            return  # another process was quicker
        for statement in _SCHEMA.read_text(encoding="utf-8").split(";\n"):
            self._db.execute(statement)
        self._db.execute(
            "INSERT INTO meta VALUES ('identity', ?), ('revision', '0')", (secrets.token_hex(4),)
        )
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _upgrade(self) -> None:
        if self._db.execute("PRAGMA user_version").fetchone() != (1,):
            return
        for statement in _FROM_1:
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the connection; may be called twice."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on return it survives a power cut. Raises StoreError."""
        with self._in_words():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            raise StoreError(f"{self._path}: {e}") from e

    # --- what came in ---------------------------------------------------------------------------

    def has_report(self, record_id: str) -> bool:
        """Whether a record is kept."""
        row = self._db.execute("SELECT 1 FROM reports WHERE record_id = ?", (record_id,))
        return row.fetchone() is not None

    def spend(self, digest: bytes, month: str) -> bool:
        """Note that a cohort token is used up; False if it was before."""
        row = self._db.execute(
            "INSERT INTO spent VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1", (digest, month)
        )
        return row.fetchone() is not None

    def add_report(self, record_id: str, record: Record, cohort: str = "") -> bool:
        """Keep a record; False if it was there already."""
        row = self._db.execute(
            "INSERT INTO reports (record_id, body, cohort) VALUES (?, ?, ?) "
            "ON CONFLICT (record_id) DO NOTHING RETURNING number",
            (record_id, msgspec.msgpack.encode(record), cohort),
        ).fetchone()
        if row is None:
            return False
        self._db.executemany(
            "INSERT OR IGNORE INTO blocks VALUES (?, ?, ?)",
            [(e.lat_e7 // BLOCK_E7, e.lon_e7 // BLOCK_E7, row[0]) for e in record.cameras],
        )
        return True

    def add_quarantine(self, payload_id: str, reason: str, payload: bytes) -> None:
        """Keep what could not be used, for a person to look at; the oldest give way."""
        self._db.execute(
            "INSERT OR IGNORE INTO quarantine (payload_id, reason, payload) VALUES (?, ?, ?)",
            (payload_id, reason, payload[:QUARANTINE_BYTES]),
        )
        self._db.execute(
            "DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM quarantine) - ?",
            (QUARANTINE_MAX,),
        )

    def quarantined(self) -> list[tuple[str, int]]:
        """Reasons and how many payloads each, most frequent first."""
        return self._db.execute(
            "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY 2 DESC, 1"
        ).fetchall()

    def waiting(self, limit: int) -> list[Report]:
        """Records that are not yet part of the map, first come first."""
        return self._reports(
            "SELECT number, record_id, body FROM reports WHERE fused = 0 ORDER BY number LIMIT ?",
            (limit,),
        )

    def all_reports(self) -> list[Report]:
        """Every record, first come first."""
        return self._reports("SELECT number, record_id, body FROM reports ORDER BY number", ())

    def near(self, record: Record, reach_lat_e7: int, reach_lon_e7: int) -> list[Report]:
        """Records with a camera within reach of one of this record's, and some farther ones."""
        found: dict[int, Report] = {}
        for e in record.cameras:
            box = (
                (e.lat_e7 - reach_lat_e7) // BLOCK_E7,
                (e.lat_e7 + reach_lat_e7) // BLOCK_E7,
                (e.lon_e7 - reach_lon_e7) // BLOCK_E7,
                (e.lon_e7 + reach_lon_e7) // BLOCK_E7,
            )
            rows = self._reports(
                "SELECT number, record_id, body FROM reports WHERE number IN (SELECT number FROM "
                "blocks WHERE row BETWEEN ? AND ? AND col BETWEEN ? AND ?)",
                box,
            )
            found.update((r.number, r) for r in rows)
        return list(found.values())

    def _reports(self, query: str, values: Sequence[int]) -> list[Report]:
        return [
            Report(number=number, record_id=record_id, record=_records.decode(body))
            for number, record_id, body in self._db.execute(query, values)
        ]

    # --- the map --------------------------------------------------------------------------------

    def cameras_of(self, numbers: Iterable[int]) -> list[str]:
        """Ids of the cameras that these records have a part in, sorted."""
        ids: set[str] = set()
        for number in numbers:
            ids.update(
                row[0]
                for row in self._db.execute(
                    "SELECT camera_id FROM members WHERE number = ?", (number,)
                )
            )
        return sorted(ids)

    def camera(self, camera_id: str) -> Stored | None:
        """One camera, None if there is none of that id."""
        return next(iter(self._stored("WHERE c.id = ?", (camera_id,))), None)

    def cameras(self, box: tuple[float, float, float, float] | None = None) -> list[Stored]:
        """Cameras in order of their ids; ``box`` is west, south, east, north in degrees."""
        if box is None:
            return self._stored("", ())
        west, south, east, north = box
        across = "c.lon_deg >= ? OR c.lon_deg <= ?" if west > east else "c.lon_deg BETWEEN ? AND ?"
        return self._stored(
            f"WHERE c.lat_deg BETWEEN ? AND ? AND ({across})", (south, north, west, east)
        )

    def cameras_in(self, cell: str) -> list[Stored]:
        """Cameras of one geohash cell, in order of their ids."""
        return self._stored("WHERE c.cell = ?", (cell,))

    def _stored(self, where: str, values: Sequence[object]) -> list[Stored]:
        rows = self._db.execute(
            "SELECT c.id, c.cell, c.body, (SELECT verdict FROM reviews r WHERE r.camera_id = c.id "  # noqa: S608
            "ORDER BY r.number DESC LIMIT 1), (SELECT count(DISTINCT p.cohort) FROM members m "
            "JOIN reports p ON p.number = m.number WHERE m.camera_id = c.id AND p.cohort <> '') "
            f"FROM cameras c {where} ORDER BY c.id",
            values,
        )
        return [
            Stored(id=i, cell=cell, camera=_cameras.decode(b), verdict=verdict, cohorts=cohorts)
            for i, cell, b, verdict, cohorts in rows
        ]

    def put_cameras(self, old: Iterable[str], new: Iterable[tuple[str, str, Camera]]) -> None:
        """Replace the cameras ``old`` by ``new``: id, cell, camera each."""
        for camera_id in old:
            self._db.execute("DELETE FROM cameras WHERE id = ?", (camera_id,))
        for camera_id, cell, camera in new:
            self._db.execute(
                "INSERT INTO cameras VALUES (?, ?, ?, ?, ?)",
                (camera_id, cell, camera.lat_deg, camera.lon_deg, msgspec.msgpack.encode(camera)),
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO members VALUES (?, ?, ?)",
                [(m.number, m.index, camera_id) for m in camera.members],
            )
        self._db.execute("UPDATE meta SET value = value + 1 WHERE name = 'revision'")

    def mark_fused(self, numbers: Iterable[int]) -> None:
        """Note that these records are part of the map."""
        self._db.executemany(
            "UPDATE reports SET fused = 1 WHERE number = ?", [(n,) for n in numbers]
        )

    def version(self) -> str:
        """Changes whenever the map does; differs between databases."""
        rows = dict(self._db.execute("SELECT name, value FROM meta").fetchall())
        return f"{rows['identity']}-{rows['revision']}"

    def counts(self) -> tuple[int, int]:
        """Number of records, number of quarantined payloads."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM reports), (SELECT count(*) FROM quarantine)"
        ).fetchone()
        return row[0], row[1]

    # --- reviews and what lies at the broker ----------------------------------------------------

    def add_review(self, camera_id: str, verdict: Verdict, reviewer: str, at_s: int) -> None:
        """Add a reviewer's word; the last one counts, the others stay on file."""
        self._db.execute(
            "INSERT INTO reviews (camera_id, verdict, reviewer, at_s) VALUES (?, ?, ?, ?)",
            (camera_id, verdict, reviewer, at_s),
        )
        self._db.execute("UPDATE meta SET value = value + 1 WHERE name = 'revision'")

    def reviews(self, camera_id: str) -> list[tuple[Verdict, str, int]]:
        """All words on a camera, first to last: verdict, reviewer, seconds since 1970."""
        return self._db.execute(
            "SELECT verdict, reviewer, at_s FROM reviews WHERE camera_id = ? ORDER BY number",
            (camera_id,),
        ).fetchall()

    def cells(self) -> set[str]:
        """Cells that have cameras at the broker, as far as we know."""
        return {row[0] for row in self._db.execute("SELECT cell FROM cells")}

    def put_cells(self, filled: Iterable[str], emptied: Iterable[str]) -> None:
        """Note what was just published to the broker."""
        self._db.executemany("INSERT OR IGNORE INTO cells VALUES (?)", [(c,) for c in filled])
        self._db.executemany("DELETE FROM cells WHERE cell = ?", [(c,) for c in emptied])
