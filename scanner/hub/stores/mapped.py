"""The map: cameras, whom they are made of, and all that follows when they change."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.hub.stores.database import Row, marks, portions
from scanner.hub.stores.gathered import (
    GONE,
    JOURNAL_MAX,
    KINDS,
    Gathered,
    Line,
    fit_to_tell,
)
from scanner.hub.stores.morton import cell_box
from scanner.hub.stores.projection import COLUMNS, SUMS, Projection, shown_of
from scanner.hub.stores.protocol import Box, Shown, Stored

SQUARES_MAX: Final = 50_000  # of the pyramid that are gathered before they are written
_OF_SHOWN: Final = ", ".join(f"s.{name}" for name in COLUMNS.split(", "))
_WHOLE: Final = (
    "SELECT c.id, c.cell, c.body, (SELECT count(DISTINCT r.cohort) FROM members m "  # noqa: S608
    "JOIN reports r ON r.number = m.number WHERE m.camera_id = c.id AND r.cohort <> ''), "
    f"{_OF_SHOWN} FROM cameras c LEFT JOIN shown s ON s.id = c.id "
)

_cameras = msgspec.msgpack.Decoder(Camera)
_encoder = msgspec.msgpack.Encoder()


def _stored(row: Row) -> Stored:
    """A row of _WHOLE; the projection is missing in a database that was just brought up to date."""
    camera_id, cell, body, cohorts, *rest = row
    shown = shown_of(tuple(rest)) if rest[0] is not None else None
    return Stored(
        id=camera_id,
        cell=cell,
        camera=_cameras.decode(body),
        verdict=shown.verdict if shown else None,
        cohorts=cohorts,
        shown=shown,
    )


def _camera(line: Line) -> str:
    return line[1]


class Mapped(Projection):
    """The tables ``cameras`` and ``members``, and all that is written when cameras change."""

    def __init__(self) -> None:
        self._gathered = Gathered()

    def _insert_shown(self, shown: Iterable[Shown]) -> None:
        """Add rows to the projection; their ids are not there."""
        raise NotImplementedError

    # --- cameras --------------------------------------------------------------------------------

    def camera(self, camera_id: str) -> Stored | None:
        """One camera, None if there is none of that id."""
        if not camera_id.isprintable():  # PostgreSQL takes no NUL
            return None
        row = self._db.row(_WHOLE + "WHERE c.id = ?", (camera_id,))
        return None if row is None else _stored(row)

    def cameras(
        self, box: Box | None = None, *, limit: int | None = None, after_id: str | None = None
    ) -> list[Stored]:
        """Cameras in order of their ids, in a box or all, from after ``after_id`` on."""
        after = "" if after_id is None else after_id
        if box is not None:
            rows = self._rows_in("id", "AND id > ?", (after,), box)
            return self._cameras(sorted(row[0] for row in rows)[:limit])
        cut: tuple[str, tuple[int, ...]] = ("", ()) if limit is None else (" LIMIT ?", (limit,))
        rows = self._db.rows(_WHOLE + "WHERE c.id > ? ORDER BY c.id" + cut[0], (after, *cut[1]))
        return [_stored(row) for row in rows]

    def cameras_in(self, cell: str) -> list[Stored]:
        """Cameras of one geohash cell, in order of their ids."""
        found = self._rows_in("id", "AND cell = ?", (cell,), cell_box(cell))
        return self._cameras(row[0] for row in found)

    def _cameras(self, ids: Iterable[str]) -> list[Stored]:
        found: list[Stored] = []
        for some in portions(sorted(ids)):
            rows = self._db.rows(_WHOLE + f"WHERE c.id IN ({marks(len(some))}) ORDER BY c.id", some)
            found += map(_stored, rows)
        return found

    def cameras_of(self, numbers: Iterable[int]) -> list[str]:
        """Ids of the cameras that these records have a part in, sorted."""
        ids: set[str] = set()
        for some in portions(sorted(set(numbers))):
            rows = self._db.rows(
                f"SELECT DISTINCT camera_id FROM members WHERE number IN ({marks(len(some))})",  # noqa: S608
                some,
            )
            ids.update(row[0] for row in rows)
        return sorted(ids)

    def cameras_with(self, numbers: Iterable[int]) -> list[Stored]:
        """The same as whole cameras."""
        return self._cameras(self.cameras_of(numbers))

    def put_cameras(
        self, old: Iterable[str], new: Iterable[tuple[str, str, Camera, Shown]]
    ) -> None:
        """Replace the cameras ``old`` by ``new``: id, cell, camera and projection each."""
        self._gathered.touched = True
        left = set(old)
        incoming = iter(new)
        while some := [item for _, item in zip(range(500), incoming, strict=False)]:
            ids = [item[0] for item in some]
            before = self._take_out(ids)
            left.difference_update(ids)
            self._db.many(
                "INSERT INTO cameras (id, cell, body) VALUES (?, ?, ?)",
                [(i, cell, _encoder.encode(camera)) for i, cell, camera, _ in some],
            )
            members = {(m.number, m.index): i for i, _, camera, _ in some for m in camera.members}
            self._db.many(
                "INSERT INTO members (number, idx, camera_id) VALUES (?, ?, ?) "
                "ON CONFLICT (number, idx) DO UPDATE SET camera_id = excluded.camera_id",
                [(*member, camera_id) for member, camera_id in members.items()],
            )
            self._insert_shown(shown for _, _, _, shown in some)
            for camera_id, _, _, shown in some:
                self._gathered.add(before.get(camera_id), shown)
        for rest in portions(sorted(left)):
            for shown in self._take_out([str(i) for i in rest]).values():
                self._gathered.add(shown, None)
        if len(self._gathered.squares) > SQUARES_MAX:
            self._write_sums()

    def _take_out(self, ids: Sequence[str]) -> dict[str, Shown]:
        """Remove cameras; returns the rows of the projection that they had."""
        places = marks(len(ids))
        rows = self._db.rows(f"SELECT {COLUMNS} FROM shown WHERE id IN ({places})", ids)  # noqa: S608
        for table, column in (("shown", "id"), ("cameras", "id"), ("members", "camera_id")):
            self._db.run(f"DELETE FROM {table} WHERE {column} IN ({places})", ids)  # noqa: S608
        return {row[0]: shown_of(row) for row in rows}

    def size(self) -> int:
        """Number of cameras, candidates and rejected ones too."""
        row = self._db.row("SELECT count(*) FROM cameras")
        return int(row[0]) if row else 0

    def version(self) -> str:
        """Changes whenever the public map does; differs between databases."""
        return self._named("identity", "revision")

    def private_version(self) -> str:
        """Changes whenever any camera does, also one that only reviewers see."""
        return self._named("identity", "touched")

    def _named(self, *names: str) -> str:
        rows = self._db.rows(
            f"SELECT value FROM meta WHERE name IN ({marks(len(names))}) ORDER BY name",  # noqa: S608
            names,
        )
        return "-".join(str(value) for (value,) in rows)

    # --- at the end of a transaction ------------------------------------------------------------

    def _flush(self) -> None:
        if self._gathered.touched:
            self._write_sums()
            self._write_journal()

    def _forget(self) -> None:
        self._gathered = Gathered()

    def _write_sums(self) -> None:
        gathered = self._gathered
        updates = ", ".join(f"{c} = pyramid.{c} + excluded.{c}" for c in SUMS.split(", "))
        # In order, here and below: two who write the same rows must not wait for one another.
        squares = sorted((code, sums) for code, sums in gathered.squares.items() if any(sums))
        self._db.many(
            f"INSERT INTO pyramid (code, {SUMS}) VALUES (?, {marks(3 + KINDS)}) "  # noqa: S608
            f"ON CONFLICT (code) DO UPDATE SET {updates}",
            [(code, *sums) for code, sums in squares],
        )
        shrunk = [(code,) for code, sums in squares if sums[0] < 0]
        self._db.many("DELETE FROM pyramid WHERE code = ? AND n = 0", shrunk)
        self._db.many(
            "INSERT INTO tally (kind, first_month, n) VALUES (?, ?, ?) "
            "ON CONFLICT (kind, first_month) DO UPDATE SET n = tally.n + excluded.n",
            [(*name, n) for name, n in sorted(gathered.tally.items()) if n],
        )
        self._db.many(
            "INSERT INTO filled (cell, n) VALUES (?, ?) "
            "ON CONFLICT (cell) DO UPDATE SET n = filled.n + excluded.n",
            [(cell, n) for cell, n in sorted(gathered.cells.items()) if n],
        )
        emptied = [(cell,) for cell, n in gathered.cells.items() if n < 0]
        self._db.many("DELETE FROM filled WHERE cell = ? AND n = 0", emptied)
        gathered.squares.clear()
        gathered.tally.clear()
        gathered.cells.clear()

    def _write_journal(self) -> None:
        """Number the lines in the order of the commits: who counts holds a lock until then.

        What nobody may see raises no number that everybody sees: it would tell when a record came.
        """
        gathered = self._gathered
        self._db.run(
            "INSERT INTO meta (name, value) VALUES ('touched', '1') ON CONFLICT (name) "
            "DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)",
            (),
        )
        if not gathered.lines and not gathered.dropped:
            return
        # Not in the order in which their records came.
        lines = sorted(fit_to_tell(gathered.lines), key=_camera)
        step = len(lines) + gathered.dropped + 1
        row = self._db.row(
            "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + ? AS TEXT) "
            "WHERE name = 'revision' RETURNING value",
            (step,),
        )
        last = int(row[0]) if row else step
        first = last - len(lines) + 1
        self._forget_places([(name, cell) for word, name, cell, _ in lines if word == "removed"])
        self._db.many(
            "INSERT INTO journal (revision, change, id, cell, feature) VALUES (?, ?, ?, ?, ?)",
            [(first + i, *line) for i, line in enumerate(lines)],
        )
        floor = first - 1 if gathered.dropped else last - JOURNAL_MAX
        gone = self._db.run("DELETE FROM journal WHERE revision <= ?", (floor,))
        if gone or gathered.dropped:
            self._db.run("UPDATE meta SET value = ? WHERE name = 'journal floor'", (str(floor),))

    def _forget_places(self, left: Sequence[tuple[str, str]]) -> None:
        """Take out of the journal where cameras were, by id and cell, that leave the map now."""
        self._db.many("DELETE FROM journal WHERE id = ? AND cell = ?", left)
        # Who reads a cell that a camera had left before, and is behind, still hears it there.
        self._db.many(
            "UPDATE journal SET change = 'removed', feature = ? WHERE id = ?",
            [(GONE, name) for name in dict(left)],
        )
