"""The hub's one writer: broker -> database -> cameras -> topics and web pages."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from scanner.core.wire import encode_json
from scanner.errors import BrokerError, StoreError
from scanner.hub.features import Policy, change
from scanner.hub.feed import Feed
from scanner.hub.ingest import Ingest
from scanner.hub.mapping import Delta, fuse_waiting
from scanner.hub.publishing import MapPublisher
from scanner.hub.store import Store
from scanner.network.session import Incoming

BATCH: Final = 500  # messages kept in one transaction
IDLE_S: Final = 0.25
STATS_EVERY_S: Final = 2.0
RETRY_S: Final = 1.0
RETRY_PUBLISHING_S: Final = 5.0

_log = logging.getLogger(__name__)


class Worker:
    """Runs in a thread of its own, which alone writes to the database.

    A message is acknowledged to the broker after it is in the database, never before: whatever
    kills us in between, the broker delivers it again.
    """

    def __init__(
        self,
        *,
        store: Store,
        ingest: Ingest,
        name: Callable[[str, int], str],
        publisher: MapPublisher,
        feed: Feed,
        policy: Policy,
    ) -> None:
        self._store = store
        self._ingest = ingest
        self._name = name
        self._publisher = publisher
        self._feed = feed
        self._policy = policy
        self._inbox: queue.SimpleQueue[Incoming | None] = queue.SimpleQueue()
        self._batch: list[Incoming] = []  # taken, not yet in the database
        self._behind = threading.Event()  # the broker may not know all of the map
        self._retry_at = 0.0
        self._stopping = threading.Event()
        self._stats_at = -STATS_EVERY_S
        self._stats_due = True
        self._thread = threading.Thread(target=self._run, name="hub-worker", daemon=True)
        self.trouble = ""  # empty while all is well

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in hand; the rest stays at the broker."""
        self._stopping.set()
        self._inbox.put(None)
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def receive(self, message: Incoming) -> None:
        """Take a message from the broker; from any thread, returns at once."""
        self._inbox.put(message)

    def broker_is_back(self) -> None:
        """Publish everything again; from any thread, returns at once."""
        self._retry_at = 0.0
        self._behind.set()
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
        if self._batch:
            _log.info("%s", self._ingest.take([message.payload for message in self._batch]))
            for message in self._batch:
                message.acknowledge()
            self._batch = []
        deltas = fuse_waiting(self._store, self._name)
        for delta in deltas:
            seen = change(delta, self._policy)
            if seen:
                self._feed.push(encode_json(seen[1]))
        self._stats_due = self._stats_due or bool(deltas)
        self._publish(deltas)

    def _collect(self) -> list[Incoming]:
        """Messages that have arrived, after a short wait if there are none."""
        batch: list[Incoming] = []
        with contextlib.suppress(queue.Empty):
            message = self._inbox.get(timeout=IDLE_S)
            while True:
                if message:
                    batch.append(message)
                if len(batch) == BATCH:
                    break
                message = self._inbox.get_nowait()
        return batch

    def _publish(self, deltas: list[Delta]) -> None:
        """Tell the broker; what fails makes everything due again."""
        behind, now = self._behind.is_set(), time.monotonic()
        if not behind and not deltas and not self._stats_due:
            return
        if behind and now < self._retry_at:
            return
        self._behind.clear()
        try:
            if behind:
                self._publisher.everything()
            elif deltas:
                self._publisher.changes(deltas)
            if self._stats_due and now - self._stats_at > STATS_EVERY_S:
                self._publisher.stats()
                self._stats_due, self._stats_at = False, now
        except (BrokerError, StoreError) as e:
            self._retry_at = now + RETRY_PUBLISHING_S
            self._behind.set()
            _log.warning("the map was not published: %s", e)
