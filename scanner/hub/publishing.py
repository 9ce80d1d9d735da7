"""The map as MQTT topics: one retained message per cell, one message per change, counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from scanner.core.wire import Cell, Stats, Topics, encode_json
from scanner.hub.features import Policy, change, feature, month, publishable
from scanner.hub.mapping import Delta
from scanner.hub.store import Store
from scanner.network.session import Message

Send = Callable[[Sequence[Message]], None]


class MapPublisher:
    """Keeps the topics of the map equal to the database.

    ``send`` returns when the broker has everything, or raises BrokerError; then ``everything`` is
    due at the next connection.
    """

    def __init__(self, store: Store, policy: Policy, topics: Topics, send: Send) -> None:
        self._store = store
        self._policy = policy
        self._topics = topics
        self._send = send

    def everything(self) -> None:
        """Publish all cells, and empty those that have lost their cameras."""
        filled = {s.cell for s in self._store.cameras() if publishable(s, self._policy)}
        self._cells(filled | self._store.cells())

    def changes(self, deltas: Sequence[Delta]) -> None:
        """Publish what has changed: the cells first, so that a reader who missed it can look."""
        visible = [(delta, seen) for delta in deltas if (seen := change(delta, self._policy))]
        self._cells({s.cell for delta, _ in visible for s in (delta.before, delta.after) if s})
        self._send(
            [Message(self._topics.changes(cell), encode_json(news)) for _, (cell, news) in visible]
        )

    def stats(self) -> None:
        """Publish the counts."""
        shown = [s for s in self._store.cameras() if publishable(s, self._policy)]
        stats = Stats(
            cameras=len(shown),
            kinds=dict(Counter(feature(s, self._policy).properties.kind for s in shown)),
            first_seen=dict(sorted(Counter(month(s.camera.first_day) for s in shown).items())),
        )
        self._send([Message(self._topics.stats, encode_json(stats), retain=True)])

    def _cells(self, cells: Iterable[str]) -> None:
        messages: list[Message] = []
        filled: list[str] = []
        emptied: list[str] = []
        for cell in sorted(cells):
            body = self._body(cell)
            (filled if body else emptied).append(cell)
            messages.append(Message(self._topics.map_cell(cell), body, retain=True))
        # Noted before it is there and forgotten after it is gone: a crash in between leads to a
        # message too many, never to a camera that stays on the map.
        with self._store.transaction():
            self._store.put_cells(filled, [])
        self._send(messages)
        with self._store.transaction():
            self._store.put_cells([], emptied)

    def _body(self, cell: str) -> bytes:
        stored = [s for s in self._store.cameras_in(cell) if publishable(s, self._policy)]
        if not stored:
            return b""
        return encode_json(Cell(features=[feature(s, self._policy) for s in stored]))
