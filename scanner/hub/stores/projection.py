"""The projection: what readers see of the map, and the journal of its public changes."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from scanner.core.wire import KIND_CODES, Status
from scanner.hub.stores import morton
from scanner.hub.stores.database import Row, Tables, Values, marks
from scanner.hub.stores.gathered import KIND_INDEX, KINDS, key, level_of
from scanner.hub.stores.morton import cell_box
from scanner.hub.stores.protocol import (
    POINTS_FROM_Z,
    PUBLIC,
    TILE_UNITS,
    Box,
    PublicChange,
    Shown,
    Tally,
)
from scanner.hub.stores.tiled import Cluster, TilePoint

COLUMNS: Final = (
    "id, cell, lat_deg, lon_deg, kind, sigma_m, direction_deg, status, confirmations, "
    "first_month, last_month, verdict, feature"
)
SUMS: Final = ", ".join(["n", "sum_x", "sum_y", *(f"k{i}" for i in range(KINDS))])


def shown_of(row: Row) -> Shown:
    """A row of COLUMNS."""
    return Shown(
        id=row[0],
        cell=row[1],
        lat_deg=row[2],
        lon_deg=row[3],
        kind=KIND_CODES[row[4]],
        sigma_m=row[5],
        direction_deg=row[6],
        status=row[7],
        confirmations=row[8],
        first_month=row[9],
        last_month=row[10],
        verdict=row[11],
        feature=row[12],
    )


def values_of(shown: Shown) -> tuple[object, ...]:
    """The values of COLUMNS."""
    return (
        shown.id,
        shown.cell,
        shown.lat_deg,
        shown.lon_deg,
        KIND_INDEX[shown.kind],
        shown.sigma_m,
        shown.direction_deg,
        shown.status,
        shown.confirmations,
        shown.first_month,
        shown.last_month,
        shown.verdict,
        shown.feature,
    )


class Projection(Tables):
    """The tables ``shown``, ``pyramid``, ``tally``, ``filled`` and ``journal``, to read."""

    # --- what the two databases do differently --------------------------------------------------

    def _rows_in(
        self, columns: str, where: str, values: Values, box: Box, limit: int | None = None
    ) -> list[Row]:
        """Columns of the rows of the projection in a box, or of so many of them; in no order."""
        raise NotImplementedError

    def _points_in(self, box: tuple[int, int, int, int]) -> list[Row]:
        """Confirmed cameras in a box of squares of the curve, some outside it.

        lat_deg, lon_deg, id, kind, direction_deg, last_month, confirmations, sigma_m.
        """
        raise NotImplementedError

    # --- the projection -------------------------------------------------------------------------

    def shown(
        self,
        box: Box | None,
        *,
        statuses: Sequence[Status] = ("confirmed",),
        limit: int | None = None,
        after_id: str | None = None,
    ) -> list[Shown]:
        """Rows in a box or all, in order of their ids, from after ``after_id`` on."""
        where = f"status IN ({marks(len(statuses))})"
        values: list[object] = [*statuses]
        if after_id is not None:
            where, values = f"{where} AND id > ?", [*values, after_id]
        if box is not None:
            rows = sorted(self._rows_in(COLUMNS, f"AND {where}", values, box))
            return [shown_of(row) for row in rows[:limit]]
        cut = ""
        if limit is not None:
            cut, values = "LIMIT ?", [*values, limit]
        rows = self._db.rows(
            f"SELECT {COLUMNS} FROM shown WHERE {where} ORDER BY id {cut}",  # noqa: S608
            values,
        )
        return [shown_of(row) for row in rows]

    def shown_in(self, cell: str, statuses: Sequence[Status] = PUBLIC) -> list[Shown]:
        """Rows of one geohash-6 cell in order of their ids."""
        where = f"AND cell = ? AND status IN ({marks(len(statuses))})"
        rows = self._rows_in(COLUMNS, where, (cell, *statuses), cell_box(cell))
        return [shown_of(row) for row in sorted(rows)]

    def features(self, box: Box) -> list[bytes]:
        """JSON of each public camera in a box, in no order: the fast way to a collection."""
        where = f"AND status IN ({marks(len(PUBLIC))})"
        return [row[0] for row in self._rows_in("feature", where, PUBLIC, box)]

    def points(self, z: int, x: int, y: int, buffer: int = 64) -> list[TilePoint]:
        """Confirmed cameras of a tile and ``buffer`` units round it, for z >= 13."""
        if not POINTS_FROM_Z <= z <= morton.BITS:
            return []
        side = 1 << morton.BITS - z
        rim = buffer * side // TILE_UNITS
        left, top = x * side, y * side
        edge = morton.SIDE - 1
        box = (
            max(left - rim, 0),
            max(top - rim, 0),
            min(left + side - 1 + rim, edge),
            min(top + side - 1 + rim, edge),
        )
        # Within a tile of these zooms latitude and rows are in proportion, to a unit or less.
        west, north = 360 * x / 2**z - 180, _latitude_deg(y / 2**z)
        across = TILE_UNITS * 2**z / 360
        down = TILE_UNITS / (north - _latitude_deg((y + 1) / 2**z))
        low, high = -buffer, TILE_UNITS + buffer
        found: list[TilePoint] = []
        for lat_deg, lon_deg, name, kind, direction, month, band, sigma_m in self._points_in(box):
            tile_x, tile_y = int((lon_deg - west) * across), int((north - lat_deg) * down)
            if low <= tile_x <= high and low <= tile_y <= high:
                found.append(TilePoint(tile_x, tile_y, name, kind, direction, month, band, sigma_m))
        return found

    def clusters(self, z: int, x: int, y: int) -> list[Cluster]:
        """Counts of confirmed cameras in a tile, 16 x 16 places at most, for z < 13."""
        if not 0 <= z < POINTS_FROM_Z:
            return []
        level = level_of(z)
        first, last = morton.tile_range(z, x, y, level)
        rows = self._db.rows(
            f"SELECT code, {SUMS} FROM pyramid WHERE code BETWEEN ? AND ?",  # noqa: S608
            (key(level, first), key(level, last)),
        )
        squares: dict[int, list[int]] = {}
        for code, *sums in rows:
            name = code >> 2 if z % 2 else code
            there = squares.setdefault(name, [0] * len(sums))
            for i, value in enumerate(sums):
                there[i] += value
        side = 1 << morton.BITS - z
        return [
            Cluster(
                (sums[1] // sums[0] - x * side) * TILE_UNITS // side,
                (sums[2] // sums[0] - y * side) * TILE_UNITS // side,
                sums[0],
                tuple(sums[3:]),
            )
            for sums in squares.values()
            if sums[0] > 0
        ]

    def tally(self) -> list[Tally]:
        """Counts of confirmed cameras per kind and month."""
        rows = self._db.rows("SELECT kind, first_month, n FROM tally WHERE n > 0 ORDER BY 1, 2")
        return [Tally(KIND_CODES[kind], month, count) for kind, month, count in rows]

    def tally_in(self, box: Box, limit: int) -> list[Tally] | None:
        """As ``tally`` of a box; None if more than ``limit`` are in it, and no more are read."""
        where = "AND status = 'confirmed'"
        rows = self._rows_in("kind, first_month", where, (), box, limit + 1)
        if len(rows) > limit:
            return None
        counts = sorted(Counter(rows).items())
        return [Tally(KIND_CODES[kind], month, count) for (kind, month), count in counts]

    def filled_cells(self) -> list[str]:
        """Cells with public cameras, sorted."""
        return [row[0] for row in self._db.rows("SELECT cell FROM filled WHERE n > 0 ORDER BY 1")]

    # --- the journal ----------------------------------------------------------------------------

    def revision(self) -> int:
        """Number of the newest line of the journal, 0 for none."""
        row = self._db.row("SELECT value FROM meta WHERE name = 'revision'")
        return int(row[0]) if row else 0

    def changes_since(self, revision: int, limit: int = 1000) -> list[PublicChange] | None:
        """Public changes after a revision, oldest first; None if too much was forgotten."""
        floor = self._db.row("SELECT value FROM meta WHERE name = 'journal floor'")
        if floor and revision < int(floor[0]):
            return None
        rows = self._db.rows(
            "SELECT revision, change, id, cell, feature FROM journal WHERE revision > ? "
            "ORDER BY revision LIMIT ?",
            (revision, limit),
        )
        return [PublicChange(*row) for row in rows]


def _latitude_deg(y: float) -> float:
    """Latitude of a height on the map, 0 at its north edge and 1 at its south edge."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y))))
