"""The review log, what other maps know, names with values, and what lies at the broker."""

from collections.abc import Iterable, Mapping

import msgspec

from scanner.core.reviewing.reviewlog import Anchor
from scanner.hub.stores.database import Tables, Values, marks, portions
from scanner.hub.stores.protocol import Action, Box, Known, Verb


def within(box: Box, prefix: str = "") -> tuple[str, Values]:
    """A condition on ``lat_deg`` and ``lon_deg``, and its values."""
    west, south, east, north = box
    joint = "OR" if west > east else "AND"  # across the date line
    return (
        f"{prefix}lat_deg BETWEEN ? AND ? AND ({prefix}lon_deg >= ? {joint} {prefix}lon_deg <= ?)",
        (south, north, west, east),
    )


class Ledger(Tables):
    """The tables ``actions``, ``known``, ``links``, ``meta`` and ``cells``."""

    def add_action(
        self,
        *,
        at_s: int,
        reviewer: str,
        verb: Verb,
        camera_id: str,
        anchor: Anchor,
        lat_deg: float,
        lon_deg: float,
        body: bytes = b"",
    ) -> int:
        """Add a line to the review log; returns its number."""
        row = self._db.row(
            "INSERT INTO actions (at_s, reviewer, verb, camera_id, record_id, idx, lat_deg, "
            "lon_deg, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (at_s, reviewer, verb, camera_id, *anchor, lat_deg, lon_deg, body),
        )
        return int(row[0]) if row else 0

    def actions(self, since: int = 0, limit: int | None = None) -> list[Action]:
        """Lines of the log with a number greater than ``since``, in their order."""
        return self._actions("number > ?", (since,), limit)

    def actions_near(self, box: Box) -> list[Action]:
        """Lines whose camera was in a box then, in their order."""
        return self._actions(*within(box), None)

    def _actions(self, where: str, values: Values, limit: int | None) -> list[Action]:
        cut, more = ("", ()) if limit is None else (" LIMIT ?", (limit,))
        rows = self._db.rows(
            "SELECT number, at_s, reviewer, verb, camera_id, record_id, idx, lat_deg, lon_deg, "  # noqa: S608
            f"body FROM actions WHERE {where} ORDER BY number{cut}",
            (*values, *more),
        )
        return [
            Action(
                number=number,
                at_s=at_s,
                reviewer=reviewer,
                verb=verb,
                camera_id=camera_id,
                anchor=(record_id, index),
                lat_deg=lat_deg,
                lon_deg=lon_deg,
                body=body,
            )
            for number, at_s, reviewer, verb, camera_id, record_id, index, lat_deg, lon_deg, body
            in rows
        ]  # fmt: skip

    # --- cameras that others know ---------------------------------------------------------------

    def put_known(self, source: str, items: Iterable[Known]) -> None:
        """Replace all that a source knows."""
        self._db.run("DELETE FROM known WHERE source = ?", (source,))
        self._db.many(
            "INSERT INTO known (ref, source, lat_deg, lon_deg, tags, direction_deg) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (ref) DO UPDATE SET source = excluded.source, "
            "lat_deg = excluded.lat_deg, lon_deg = excluded.lon_deg, tags = excluded.tags, "
            "direction_deg = excluded.direction_deg",
            [
                (k.ref, source, k.lat_deg, k.lon_deg, msgspec.json.encode(k.tags), k.direction_deg)
                for k in {item.ref: item for item in items}.values()
            ],
        )

    def known_in(self, box: Box) -> list[Known]:
        """Known cameras in a box, in order of their refs."""
        where, values = within(box)
        rows = self._db.rows(
            f"SELECT ref, lat_deg, lon_deg, tags, direction_deg FROM known WHERE {where} "  # noqa: S608
            "ORDER BY ref",
            values,
        )
        return [
            Known(
                ref=ref,
                lat_deg=lat_deg,
                lon_deg=lon_deg,
                tags=msgspec.json.decode(tags, type=dict[str, str]),
                direction_deg=direction_deg,
            )
            for ref, lat_deg, lon_deg, tags, direction_deg in rows
        ]

    def link(self, camera_id: str, ref: str | None) -> None:
        """A camera of ours is that known one; None takes it back."""
        self._db.run("DELETE FROM links WHERE camera_id = ?", (camera_id,))
        if ref is not None:
            self._db.run("INSERT INTO links (camera_id, ref) VALUES (?, ?)", (camera_id, ref))

    def links(self) -> dict[str, str]:
        """Refs of the linked cameras by camera id."""
        rows = self._db.rows("SELECT camera_id, ref FROM links ORDER BY camera_id")
        return {camera_id: ref for camera_id, ref in rows}  # noqa: C416 pairs, not rows

    # --- the rest -------------------------------------------------------------------------------

    def get_meta(self, name: str) -> str | None:
        """A value kept under a name."""
        row = self._db.row("SELECT value FROM meta WHERE name = ?", (name,))
        return None if row is None else str(row[0])

    def put_meta(self, name: str, value: str) -> None:
        """Keep a value under a name."""
        self.put_metas({name: value})

    def hold_metas(self, names: Iterable[str]) -> dict[str, str]:
        """Values under names, where there are any, that nobody else changes in the meantime."""
        found: dict[str, str] = {}
        # In order, here and below: two who hold the same ones must not wait for one another.
        for some in portions(sorted(set(names))):
            rows = self._db.rows(
                f"SELECT name, value FROM meta WHERE name IN ({marks(len(some))}) "  # noqa: S608
                f"ORDER BY name {self._db.holding}",
                some,
            )
            found.update((name, value) for name, value in rows)
        return found

    def put_metas(self, values: Mapping[str, str]) -> None:
        """Keep values under names."""
        self._db.many(
            "INSERT INTO meta (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            sorted(values.items()),
        )

    def cells(self) -> set[str]:
        """Cells that have cameras at the broker, as far as we know."""
        return {row[0] for row in self._db.rows("SELECT cell FROM cells")}

    def put_cells(self, filled: Iterable[str], emptied: Iterable[str]) -> None:
        """Note what was just published to the broker."""
        self._db.many(
            "INSERT INTO cells (cell) VALUES (?) ON CONFLICT DO NOTHING", [(c,) for c in filled]
        )
        self._db.many("DELETE FROM cells WHERE cell = ?", [(c,) for c in emptied])
