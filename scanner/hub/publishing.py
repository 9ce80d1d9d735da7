"""The map as MQTT topics: one retained message per cell, one message per change, counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

import msgspec

from scanner.core.wire import CameraFeature, Cell, Change, Stats, Topics, encode_json
from scanner.hub.stores.protocol import PublicChange, Store
from scanner.network.session import Message

Send = Callable[[Sequence[Message]], None]
LINES: Final = 1000  # of the journal, told at once
CELLS: Final = 200  # cells read and sent at once: memory stays small whatever the map
HEAD, TAIL = msgspec.json.encode(Cell(features=[])).split(b"[]")

_features = msgspec.json.Decoder(CameraFeature)


def news(change: PublicChange) -> bytes:
    """A line of the journal as it is sent on the changes topic and to open pages."""
    feature = _features.decode(change.feature) if change.feature else None
    return encode_json(
        Change(
            id=change.id,
            change=change.change,
            geometry=feature.geometry if feature else None,
            properties=feature.properties if feature else None,
        )
    )


class MapPublisher:
    """Keeps the topics of the map equal to the database, whoever changes it.

    It follows the journal. ``send`` returns when the broker has everything, or raises BrokerError;
    then ``everything`` is due at the next connection.
    """

    def __init__(self, store: Store, topics: Topics, send: Send) -> None:
        self._store = store
        self._topics = topics
        self._send = send
        self._revision = 0  # up to which the broker knows the map
        self._stopping = False

    def stop(self) -> None:
        """Leave the rest to the next start; from any thread."""
        self._stopping = True

    def everything(self) -> None:
        """Publish all cells, and empty those that have lost their cameras."""
        revision = self._store.revision()
        self._cells({*self._store.filled_cells(), *self._store.cells()})
        self._revision = revision

    def changes(self) -> bool:
        """Publish what has changed since; whether anything had.

        The cells first, so that a reader who missed a change can look.
        """
        lines = self._store.changes_since(self._revision, LINES)
        if lines is None:
            self.everything()
            return True
        if not lines:
            return False
        self._cells({line.cell for line in lines})
        self._send([Message(self._topics.changes(line.cell), news(line)) for line in lines])
        self._revision = lines[-1].revision
        return True

    def stats(self) -> None:
        """Publish the counts."""
        lines = self._store.tally()
        kinds, months = Counter[str](), Counter[str]()
        for line in lines:
            kinds[line.kind] += line.count
            months[line.first_month] += line.count
        stats = Stats(
            cameras=kinds.total(),
            kinds={line.kind: kinds[line.kind] for line in lines},
            first_seen=dict(sorted(months.items())),
        )
        self._send([Message(self._topics.stats, encode_json(stats), retain=True)])

    def _cells(self, cells: Iterable[str]) -> None:
        # In the order of the names: a reader of a region has neighbours together.
        ordered = iter(sorted(cells))
        while not self._stopping and (some := list(islice(ordered, CELLS))):
            self._some_cells(some)

    def _some_cells(self, cells: Sequence[str]) -> None:
        messages: list[Message] = []
        filled: list[str] = []
        emptied: list[str] = []
        for cell in cells:
            body = self._body(cell)
            (filled if body else emptied).append(cell)
            messages.append(Message(self._topics.map_cell(cell), body, retain=True))
        # Noted before it is there and forgotten after it is gone: a crash in between leads to a
        # message too many, never to a camera that stays on the map.
        with self._store.transaction():
            self._store.put_cells(filled, [])
        self._send(messages)
        if emptied:
            with self._store.transaction():
                self._store.put_cells([], emptied)

    def _body(self, cell: str) -> bytes:
        rows = self._store.shown_in(cell)
        if not rows:
            return b""
        return HEAD + b"[" + b",".join(row.feature for row in rows) + b"]" + TAIL
