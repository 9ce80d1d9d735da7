"""What a transaction changes on the public map, summed up before it is written.

Pure: rows of the projection before and after in, lines for pyramid, tally, cells and journal out.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from scanner.core.wire import KIND_CODES
from scanner.hub.stores import morton
from scanner.hub.stores.protocol import PUBLIC, ChangeWord, Shown

# Levels of the pyramid: a square of level L is a tile of zoom L. Every second one is enough: a
# tile of zoom z is shown by 16 x 16 squares, taken from the level above where z + 4 is odd.
LEVELS: Final = tuple(range(4, 18, 2))
JOURNAL_MAX: Final = 10_000  # who has missed more reads the map afresh
MOVED_DEG: Final = 0.5 / 111_000  # half a metre: less is no move
KIND_INDEX: Final = {kind: i for i, kind in enumerate(KIND_CODES)}
KINDS: Final = len(KIND_CODES)

GONE: Final = b""  # in place of the feature of a camera that left the map
Line = tuple[ChangeWord, str, str, bytes]  # of the journal: what, id, cell, feature

Sums = list[int]  # count, sum of columns, sum of rows, count of each kind


def level_of(z: int) -> int:
    """The level of the pyramid that a tile of zoom ``z`` is made from."""
    return z + 4 + z % 2


def key(level: int, code: int) -> int:
    """Of a square of the pyramid: its level, then its place on the curve of that level."""
    return level << 58 | code


def public_change(before: Shown | None, after: Shown | None) -> ChangeWord | None:
    """What everyone may notice; None for nothing."""
    old = before if before and before.status in PUBLIC else None
    new = after if after and after.status in PUBLIC else None
    if not new:
        return "removed" if old else None
    if not old:
        return "gone" if new.status == "gone" else "added"
    if old.feature == new.feature:
        return None
    if new.status == "gone" and old.status != "gone":
        return "gone"
    far = abs(old.lat_deg - new.lat_deg) > MOVED_DEG or abs(old.lon_deg - new.lon_deg) > MOVED_DEG
    return "moved" if far else "updated"


def fit_to_tell(lines: Iterable[Line]) -> list[Line]:
    """Lines in their order, without what a later one says should not have been told.

    Of a camera that left the map only that is told, once in each cell where it was: it may be a
    private home's.
    """
    left: dict[str, set[str]] = {}  # ids, and the cells in which that is told
    kept: list[Line] = []
    for word, name, cell, feature in reversed(list(lines)):
        if word == "removed":
            left.setdefault(name, set())
        if name not in left:
            kept.append((word, name, cell, feature))
        elif cell not in left[name]:
            left[name].add(cell)
            kept.append(("removed", name, cell, GONE))
    return kept[::-1]


class Gathered:
    """Sums of one transaction."""

    def __init__(self) -> None:
        self.touched = False  # whether the map changed at all
        self.squares: dict[int, Sums] = {}
        self.tally: Counter[tuple[int, str]] = Counter()
        self.cells: Counter[str] = Counter()
        self.lines: deque[Line] = deque(maxlen=JOURNAL_MAX)
        self.dropped = 0  # lines that were too many for the journal

    def add(self, before: Shown | None, after: Shown | None) -> None:
        """One camera was changed, came or went."""
        self.touched = True
        if before:
            self._count(before, -1)
        if after:
            self._count(after, 1)
        word = public_change(before, after)
        shown = after if after and word != "removed" else before
        if word and shown:
            self.dropped += len(self.lines) == JOURNAL_MAX
            self.lines.append((word, shown.id, shown.cell, shown.feature))
            if before and before.status in PUBLIC and before.cell != shown.cell:
                # Readers of the old cell are told, too, by whichever word it left.
                self.dropped += len(self.lines) == JOURNAL_MAX
                self.lines.append((word, shown.id, before.cell, shown.feature))

    def _count(self, shown: Shown, sign: int) -> None:
        if shown.status in PUBLIC:
            self.cells[shown.cell] += sign
        if shown.status != "confirmed":
            return
        kind = KIND_INDEX[shown.kind]
        self.tally[kind, shown.first_month] += sign
        x, y = morton.square(shown.lat_deg, shown.lon_deg)
        code = morton.code(x, y)
        for level in LEVELS:
            name = key(level, code >> 2 * (morton.BITS - level))
            sums = self.squares.get(name)
            if sums is None:
                sums = self.squares[name] = [0] * (3 + KINDS)
            sums[0] += sign
            sums[1] += sign * x
            sums[2] += sign * y
            sums[3 + kind] += sign
