"""An intake: the inbox at the broker and a worker, with a connection to the database."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from scanner.config import Mqtt
from scanner.core.wire import Topics
from scanner.hub.batches import Batches
from scanner.hub.cohorts import Checker, issuers
from scanner.hub.ingest import Ingest
from scanner.hub.keeping import Keeper
from scanner.hub.keys import load_ring
from scanner.hub.naming import name_of
from scanner.hub.plausibility import Plausibility, read_ground
from scanner.hub.stores import open_store
from scanner.hub.stores.protocol import Store
from scanner.hub.worker import Herald, Worker
from scanner.network.inbox import Inbox

SHARED: Final = "$share/hub/"  # before a filter: each message goes to one of those who ask so


class IntakeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What an intake is started with."""

    data: Path  # keys
    database: str | Path  # URL or path
    mqtt: Mqtt
    client_id: str  # always the same for one worker, and no other's
    password: str = ""
    token_required: bool = False  # put aside what carries no cohort token
    land: Path | None = None  # streets and water, see plausibility.read_ground
    fuses: bool = True  # else it leaves fusing to others
    keep: Path | None = None  # folder for the records as they came, see keeping
    batch: int | None = None  # records that the pool is opened for, see batches; None: as it is


class Intake:
    """Takes records from the broker to the map. Raises StoreError for database or key.

    ``herald`` makes, of the database, what tells broker and pages of changes; of one intake only.
    """

    def __init__(
        self,
        options: IntakeOptions,
        *,
        clock: Callable[[], float] = time.time,
        herald: Callable[[Store], Herald] | None = None,
    ) -> None:
        topics = Topics(options.mqtt.root)
        ground = read_ground(options.land) if options.land else None
        with contextlib.ExitStack() as opened:
            self.store = opened.enter_context(contextlib.closing(open_store(options.database)))
            self.name = name_of(self.store, options.data, make=True)  # before any other key is made
            ring = load_ring(options.data)
            self.inbox = Inbox(
                options.mqtt,
                client_id=options.client_id,
                topic_filter=SHARED + topics.inbox,
                left=[topics.inbox],  # as hubs before there were several intakes
                password=options.password,
            )
            self.worker = Worker(
                store=self.store,
                ingest=Ingest(
                    self.store,
                    ring,
                    clock,
                    checker=Checker(issuers(options.data)),
                    token_required=options.token_required,
                    doubt=Plausibility(self.store, ground=ground).doubts,
                ),
                name=self.name,
                herald=herald(self.store) if herald else None,
                fuses=options.fuses,
                batches=None
                if options.batch is None
                else Batches(self.store, options.batch, clock),
                keep=Keeper(options.keep, options.client_id, clock).keep if options.keep else None,
            )
            self._opened = opened.pop_all()

    def start(self) -> None:
        """Begin; returns at once. A broker that is away is no error: it goes on trying."""
        self.worker.start()
        self.inbox.start(self.worker.receive)

    def stop(self) -> None:
        """Stop; what the broker has delivered and we did not keep, it keeps."""
        self.worker.stop()
        self.inbox.stop()

    def close(self) -> None:
        """Stop if it runs, and close the database."""
        self.stop()
        self._opened.close()
