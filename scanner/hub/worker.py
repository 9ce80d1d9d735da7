"""The hub's intake: broker -> database -> cameras; and what it tells: topics and open pages."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from scanner.errors import BrokerError, StoreError
from scanner.hub.batches import Batches
from scanner.hub.feed import Feed
from scanner.hub.ingest import Ingest
from scanner.hub.mapping import fuse_waiting
from scanner.hub.publishing import LINES, MapPublisher, news
from scanner.hub.stores.protocol import Store
from scanner.network.inbox import Delivery

BATCH: Final = 500  # messages from which on no more are waited for in one transaction
IDLE_S: Final = 0.25
STATS_EVERY_S: Final = 2.0
RETRY_S: Final = 1.0
BATCHES_EVERY_S: Final = 60.0
RETRY_PUBLISHING_S: Final = 5.0

_log = logging.getLogger(__name__)


class Herald:
    """Tells broker and open pages what has changed on the map, whoever changed it.

    Called by one thread; ``broker_is_back`` and ``stop`` by any.
    """

    def __init__(self, store: Store, publisher: MapPublisher, feed: Feed) -> None:
        self._store = store
        self._publisher = publisher
        self._feed = feed
        self._fed = store.revision()  # up to which the pages know the map
        self._behind = threading.Event()  # the broker may not know all of the map
        self._retry_at = 0.0
        self._online = False
        self._stats_at = -STATS_EVERY_S
        self._stats_due = True

    def broker_is_back(self) -> None:
        """Publish everything again."""
        self._retry_at = 0.0
        self._online = True
        self._behind.set()

    def stop(self) -> None:
        """End a long publication soon."""
        self._publisher.stop()

    def tell(self) -> None:
        """Pass on what is new. Raises StoreError."""
        self._feed_pages()
        if not self._online:
            return
        behind, now = self._behind.is_set(), time.monotonic()
        if behind and now < self._retry_at:
            return
        self._behind.clear()
        try:
            if behind:
                self._publisher.everything()
                self._stats_due = True
            else:
                self._stats_due = self._publisher.changes() or self._stats_due
            if self._stats_due and now - self._stats_at > STATS_EVERY_S:
                self._publisher.stats()
                self._stats_due, self._stats_at = False, now
        except (BrokerError, StoreError) as e:
            self._retry_at = now + RETRY_PUBLISHING_S
            self._behind.set()
            _log.warning("the map was not published: %s", e)

    def _feed_pages(self) -> None:
        lines = self._store.changes_since(self._fed, LINES)
        if lines is None:
            self._fed = self._store.revision()
            self._feed.start_afresh()
            return
        for line in lines:
            self._feed.push(news(line))
            self._fed = line.revision


class Worker:
    """Runs in a thread of its own, with a connection to the database of its own.

    A message is acknowledged to the broker after it is in the database, never before: whatever
    kills us in between, the broker delivers it again. Several may work on one database, in one
    process or many; only one of them has a ``herald``, and some may leave fusing to the others.
    ``keep`` puts the messages by as they came, before they are acknowledged; with ``batches`` it
    opens the pool when that is due.
    """

    def __init__(
        self,
        *,
        store: Store,
        ingest: Ingest,
        name: Callable[[str, int], str],
        herald: Herald | None = None,
        fuses: bool = True,
        keep: Callable[[Sequence[bytes]], None] | None = None,
        batches: Batches | None = None,
    ) -> None:
        self._store = store
        self._batches = batches
        self._batches_at = 0.0  # not before
        self._keep = keep
        self._ingest = ingest
        self._name = name
        self._herald = herald
        self._fuses = fuses
        self._inbox: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._batch: list[Delivery] = []  # taken, not yet in the database
        self._fuse_at = 0.0  # not before, while records come
        self._more = False  # the last fusing found something: there may be more
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub-worker", daemon=True)
        self.trouble = ""  # empty while all is well

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in hand; the rest stays at the broker."""
        self._stopping.set()
        self._inbox.put(None)
        if self._herald:
            self._herald.stop()
        if self._thread.ident:
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def receive(self, delivery: Delivery) -> None:
        """Take messages from the broker; from any thread, returns at once."""
        self._inbox.put(delivery)

    def broker_is_back(self) -> None:
        """Publish everything again; from any thread, returns at once."""
        if self._herald:
            self._herald.broker_is_back()
        self._inbox.put(None)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except StoreError as e:
                self.trouble = str(e)
                _log.error("%s; trying again", e)
                self._stopping.wait(RETRY_S)
            except Exception:
                self.trouble = "the worker has stopped on a bug"
                _log.exception("%s", self.trouble)
                raise
            else:
                self.trouble = ""

    def _turn(self) -> None:
        """One batch from the inbox to the map; after a StoreError the next turn goes on here."""
        self._batch = self._batch or self._collect()
        idle = not self._batch
        if self._batch:
            payloads = [p for delivery in self._batch for p in delivery.payloads]
            _log.info("%s", self._ingest.take(payloads))
            if self._keep:
                self._keep(payloads)
            for delivery in self._batch:
                delivery.acknowledge()
            self._batch = []
        if self._batches and time.monotonic() >= self._batches_at:
            self._batches.open_if_due()
            self._batches_at = time.monotonic() + BATCHES_EVERY_S
        if self._fuses and (idle or time.monotonic() >= self._fuse_at):
            self._fuse()
        if self._herald:
            self._herald.tell()

    def _fuse(self) -> None:
        """While records come, for half of the time at most: many at once cost less each."""
        begun = time.monotonic()
        self._more = bool(fuse_waiting(self._store, self._name))
        ended = time.monotonic()
        self._fuse_at = ended + (ended - begun)

    def _collect(self) -> list[Delivery]:
        """Messages that have arrived, after a short wait if there are none and nothing to fuse."""
        batch: list[Delivery] = []
        with contextlib.suppress(queue.Empty):
            delivery = self._inbox.get(timeout=0.0 if self._more else IDLE_S)
            self._more = False
            while True:
                if delivery:
                    batch.append(delivery)
                if sum(len(d.payloads) for d in batch) >= BATCH:
                    break
                delivery = self._inbox.get_nowait()
        return batch
