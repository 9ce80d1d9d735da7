"""What came in: records, tokens that are used up, and what could not be used."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from scanner.core.fusing.vicinity import Report
from scanner.core.wire import Record
from scanner.hub.stores.database import Tables, Values, inserted, marks, portions
from scanner.hub.stores.protocol import POOLING, Box, CohortState

QUARANTINE_MAX: Final = 10_000
QUARANTINE_BYTES: Final = 4096  # kept of each bad payload
BLOCK_E7: Final = 20_000  # side of the blocks in which records are looked up: 0.002 degrees

HALF_TURN_E7: Final = 1_800_000_000

# What ``reports.fused`` says; what is in the pool waits for the next batch, and again if its cohort
# was held in the meantime.
_WAITING, _FUSED, _HELD, _POOLED, _HELD_POOLED = 0, 1, 2, 3, 4

_records = msgspec.msgpack.Decoder(Record)
_encoder = msgspec.msgpack.Encoder()


class Intake(Tables):
    """The tables ``reports``, ``blocks``, ``spent``, ``quarantine`` and ``cohorts``."""

    def _hold_intake(self, *, alone: bool = False) -> None:
        """Until the transaction ends nobody decides what becomes of records, or takes any in.

        Those who take in do so together. Held before a decision is read, so that who decides finds
        all that was taken in by the one before.
        """
        raise NotImplementedError

    def spend_all(self, tokens: Iterable[tuple[bytes, str]]) -> set[bytes]:
        """Note that cohort tokens, digest and month, are used up; those that were not before."""
        # In order: two who spend the same ones must not wait for one another.
        rows = inserted(
            self._db,
            "spent (digest, month)",
            sorted(dict(tokens).items()),
            "ON CONFLICT DO NOTHING RETURNING digest",
        )
        return {bytes(digest) for (digest,) in rows}

    def add_reports(self, reports: Sequence[tuple[str, Record, str]]) -> set[str]:
        """Keep records: id, record, cohort or "". Ids of those that were not there already."""
        self._hold_intake()
        usual = self._usual_start()
        left_out = _HELD_POOLED if usual == _POOLED else _HELD
        held = self._held() if any(cohort for _, _, cohort in reports) else ()
        rows = inserted(
            self._db,
            "reports (record_id, body, cohort, fused)",
            [
                (record_id, _encoder.encode(record), cohort, left_out if cohort in held else usual)
                for record_id, record, cohort in reports
            ],
            "ON CONFLICT (record_id) DO NOTHING RETURNING record_id, number",
        )
        numbers: dict[str, int] = {record_id: number for record_id, number in rows}  # noqa: C416
        blocks = {
            (e.lat_e7 // BLOCK_E7, e.lon_e7 // BLOCK_E7, numbers[record_id])
            for record_id, record, _ in reports
            if record_id in numbers
            for e in record.cameras
        }
        self._db.many("INSERT INTO blocks VALUES (?, ?, ?)", sorted(blocks))
        return set(numbers)

    def _usual_start(self) -> int:
        row = self._db.row("SELECT value FROM meta WHERE name = ?", (POOLING,))
        return _POOLED if row and row[0] else _WAITING

    def _held(self) -> set[str]:
        """Cohorts whose records take no part in the map."""
        return {cohort for cohort, state in self.cohort_states().items() if state != "trusted"}

    def pooled(self) -> int:
        """How many records are in the pool."""
        row = self._db.row("SELECT count(*) FROM reports WHERE fused = ?", (_POOLED,))
        return int(row[0]) if row else 0

    def release_pool(self) -> None:
        """All that is in the pool may become part of the map."""
        self._hold_intake(alone=True)
        self._db.run("UPDATE reports SET fused = ? WHERE fused = ?", (_WAITING, _POOLED))

    def add_quarantine(self, payload_id: str, reason: str, payload: bytes) -> None:
        """Keep what could not be used, for a person to look at; the oldest give way."""
        self._db.run(
            "INSERT INTO quarantine (payload_id, reason, payload) VALUES (?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (payload_id, reason, payload[:QUARANTINE_BYTES]),
        )
        self._db.run(
            "DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM quarantine) - ?",
            (QUARANTINE_MAX,),
        )

    def quarantined(self) -> list[tuple[str, int]]:
        """Reasons and how many payloads each, most frequent first."""
        rows = self._db.rows(
            "SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY 2 DESC, 1"
        )
        return [(reason, count) for reason, count in rows]

    def waiting(self, limit: int) -> list[Report]:
        """The first records that are not yet part of the map, in the order of their ids.

        That is the map's order, too: nobody is to match it with the order in which they were sent.
        """
        found = self._reports("WHERE fused = 0 ORDER BY number LIMIT ?", (limit,))
        return sorted(found, key=lambda report: report.record_id)

    def all_reports(self) -> list[Report]:
        """Every record that may take part in the map, first come first."""
        return self._reports("WHERE fused < 2 ORDER BY number", ())

    def waiting_of(self, numbers: Iterable[int]) -> set[int]:
        """Those of these records that are not yet part of the map."""
        found: set[int] = set()
        for some in portions(numbers):
            rows = self._db.rows(
                f"SELECT number FROM reports WHERE fused = 0 AND number IN ({marks(len(some))})",  # noqa: S608
                some,
            )
            found.update(number for (number,) in rows)
        return found

    def reports(self, numbers: Iterable[int], *, held: bool = True) -> list[Report]:
        """These records in order of their numbers, with those that take no part or without."""
        found: list[Report] = []
        taking_part = "fused <> 3" if held else "fused < 2"
        for some in portions(sorted(set(numbers))):
            found += self._reports(
                f"WHERE number IN ({marks(len(some))}) AND {taking_part} ORDER BY number", some
            )
        return found

    def numbers_of(self, record_ids: Iterable[str]) -> dict[str, int]:
        """Numbers of those of these records that are kept."""
        found: dict[str, int] = {}
        for some in portions(sorted(set(record_ids))):
            rows = self._db.rows(
                f"SELECT record_id, number FROM reports WHERE record_id IN ({marks(len(some))})",  # noqa: S608
                some,
            )
            found.update((record_id, number) for record_id, number in rows)
        return found

    def reports_in(self, box: Box) -> list[Report]:
        """Records that may take part and have a camera in a box, and some round it."""
        west, south, east, north = (round(edge * 1e7) for edge in box)
        if west <= east:
            return self._taking_part(self._in_blocks((south, north), (west, east)))
        return self._taking_part(
            self._in_blocks((south, north), (west, HALF_TURN_E7))
            | self._in_blocks((south, north), (-HALF_TURN_E7, east))
        )

    def _in_blocks(self, lat_e7: tuple[int, int], lon_e7: tuple[int, int]) -> set[int]:
        rows = self._db.rows(
            "SELECT number FROM blocks WHERE lat_block BETWEEN ? AND ? "
            "AND lon_block BETWEEN ? AND ?",
            [edge // BLOCK_E7 for edge in (*lat_e7, *lon_e7)],
        )
        return {number for (number,) in rows}

    def _taking_part(self, numbers: Iterable[int]) -> list[Report]:
        found: list[Report] = []
        for some in portions(sorted(numbers)):
            found += self._reports(
                f"WHERE number IN ({marks(len(some))}) AND fused < 2 ORDER BY number", some
            )
        return found

    def _reports(self, where: str, values: Values) -> list[Report]:
        return [
            Report(number=number, record_id=record_id, record=_records.decode(body))
            for number, record_id, body in self._db.rows(
                f"SELECT number, record_id, body FROM reports {where}",  # noqa: S608 our own words
                values,
            )
        ]

    def mark_fused(self, numbers: Iterable[int]) -> None:
        """Note that these records are part of the map."""
        self._db.many(
            "UPDATE reports SET fused = 1 WHERE number = ? AND fused = 0", [(n,) for n in numbers]
        )

    def counts(self) -> tuple[int, int]:
        """Number of records, number of quarantined payloads."""
        row = self._db.row(
            "SELECT (SELECT count(*) FROM reports), (SELECT count(*) FROM quarantine)"
        )
        return (row[0], row[1]) if row else (0, 0)

    # --- cohorts --------------------------------------------------------------------------------

    def cohorts_of(self, camera_id: str) -> list[str]:
        """Cohorts that report a camera, sorted; records without a token are of none."""
        rows = self._db.rows(
            "SELECT DISTINCT r.cohort FROM members m JOIN reports r ON r.number = m.number "
            "WHERE m.camera_id = ? AND r.cohort <> '' ORDER BY 1",
            (camera_id,),
        )
        return [cohort for (cohort,) in rows]

    def cohorts_of_reports(self, numbers: Iterable[int]) -> dict[int, str]:
        """Cohort of each of these records that has one."""
        found: dict[int, str] = {}
        for some in portions(sorted(set(numbers))):
            rows = self._db.rows(
                "SELECT number, cohort FROM reports WHERE cohort <> '' "  # noqa: S608 only marks
                f"AND number IN ({marks(len(some))})",
                some,
            )
            found.update((number, cohort) for number, cohort in rows)
        return found

    def reports_of_cohort(self, cohort: str) -> list[int]:
        """Numbers of a cohort's records, first come first."""
        rows = self._db.rows(
            "SELECT number FROM reports WHERE cohort = ? AND cohort <> '' ORDER BY number",
            (cohort,),
        )
        return [number for (number,) in rows]

    def set_cohort_state(self, cohort: str, state: CohortState) -> None:
        """From now on a cohort's records, past and future, take part in the map or do not."""
        self._hold_intake(alone=True)
        self._db.run(
            "INSERT INTO cohorts (cohort, state) VALUES (?, ?) "
            "ON CONFLICT (cohort) DO UPDATE SET state = excluded.state",
            (cohort, state),
        )
        moves = [(_HELD, _WAITING, _FUSED), (_HELD_POOLED, _POOLED, _POOLED)]
        if state == "trusted":
            usual = self._usual_start()
            moves = [(_WAITING, _HELD, _HELD), (usual, _HELD_POOLED, _HELD_POOLED)]
        for move in moves:
            self._db.run(
                "UPDATE reports SET fused = ? WHERE fused IN (?, ?) "
                "AND cohort = ? AND cohort <> ''",
                (*move, cohort),
            )

    def cohort_states(self) -> dict[str, CohortState]:
        """Every cohort that somebody decided on; the others are trusted."""
        rows = self._db.rows("SELECT cohort, state FROM cohorts ORDER BY cohort")
        return {cohort: state for cohort, state in rows}  # noqa: C416 typed
