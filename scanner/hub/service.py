"""The hub: intake, page and all that is published, in one process."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
import uvicorn
from starlette.routing import Route

from scanner.config import Mqtt
from scanner.core.wire import Topics
from scanner.errors import ConfigError, StoreError
from scanner.hub import mapping, review_api
from scanner.hub.api import Api, Health, MapReader, PageSettings
from scanner.hub.features import OPEN, Policy
from scanner.hub.feed import Feed
from scanner.hub.intake import Intake, IntakeOptions
from scanner.hub.publishing import MapPublisher
from scanner.hub.review import ReviewDesk
from scanner.hub.reviewers import Door, Reviewers
from scanner.hub.stores import Store, open_store
from scanner.hub.worker import Herald
from scanner.network.session import MqttSession

CLIENT_ID: Final = "cctv-hub"  # of the intake
PUBLISHER_ID: Final = "cctv-hub-map"
DATABASE: Final = "hub.sqlite3"
START_S: Final = 10.0
STOP_S: Final = 3


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a hub is started with."""

    data: Path  # keys and reviewers, and the database unless it is named
    mqtt: Mqtt
    password: str = ""
    database: str | Path | None = None  # URL or path
    host: str = "127.0.0.1"
    port: int = 8080  # 0: a free one
    policy: Policy = OPEN
    batch: int = 0  # so many new records at least, and once a month; 0: each at once
    token_required: bool = False  # put aside what carries no cohort token
    land: Path | None = None  # streets and water, see plausibility.read_ground
    keep: Path | None = None  # folder for the records as they came, see keeping
    tiles: str = ""  # basemap: URL template of a raster, or a PMTiles file
    attribution: str = ""  # of that basemap
    truth: Path | None = None  # GeoJSON of the true cameras, for demonstrations
    behind_proxy: bool = False  # the last proxy says who asks
    reviewer_header: str = ""  # of a proxy here that logs reviewers in; empty: passphrases only


class Hub:
    """A running hub; a context manager that stops it.

    Raises StoreError for database or key, ConfigError for an address it cannot listen at. A broker
    that is away is no error: the hub goes on trying.
    """

    def __init__(self, options: Options, *, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self._feed = Feed()
        self._session = MqttSession(
            options.mqtt,
            client_id=PUBLISHER_ID,
            filters=[],
            status=Topics(options.mqtt.root).status,
            password=options.password,
        )
        where = options.database or options.data / DATABASE
        with contextlib.ExitStack() as opened:
            self._socket = opened.enter_context(_listen(options.host, options.port))
            self._intake = Intake(self._intake_options(where), clock=clock, herald=self._herald)
            opened.callback(self._intake.close)
            # One connection to write and one to read: the page never waits for a transaction.
            reading = opened.enter_context(contextlib.closing(open_store(where)))
            # Before anybody looks: a stricter rule must not show what a laxer one did.
            mapping.set_policy(self._intake.store, options.policy)
            self._reader = MapReader(reading)
            reviewing = opened.enter_context(contextlib.closing(open_store(where)))
            self._web = uvicorn.Server(self._web_settings(self._review(reviewing)))
            self._opened = opened.pop_all()
        self._web_thread = threading.Thread(
            target=self._web.run, kwargs={"sockets": [self._socket]}, name="hub-web", daemon=True
        )

    def _intake_options(self, where: str | Path) -> IntakeOptions:
        options = self._options
        return IntakeOptions(
            data=options.data,
            database=where,
            mqtt=options.mqtt,
            client_id=CLIENT_ID,
            password=options.password,
            token_required=options.token_required,
            land=options.land,
            keep=options.keep,
            batch=options.batch,
        )

    def _herald(self, store: Store) -> Herald:
        topics = Topics(self._options.mqtt.root)
        return Herald(store, MapPublisher(store, topics, self._session.publish), self._feed)

    def _review(self, store: Store) -> list[Route]:
        """The reviewers' side, where there are reviewers."""
        options = self._options
        reviewers = Reviewers(options.data)
        if not reviewers.names() and not options.reviewer_header:
            return []
        refresh = partial(mapping.refresh, name=self._intake.name)
        desk = ReviewDesk(store, options.policy, refresh, self._clock)
        door = Door(reviewers, time.monotonic, proxy_header=options.reviewer_header)
        return review_api.routes(desk, door, behind_proxy=options.behind_proxy)

    def _web_settings(self, review: list[Route]) -> uvicorn.Config:
        options = self._options
        api = Api(
            self._reader,
            self._feed,
            self.health,
            page=PageSettings(
                tiles=options.tiles,
                attribution=options.attribution,
                truth=options.truth is not None,
            ),
            truth=options.truth,
            review=review,
            behind_proxy=options.behind_proxy,
        )
        return uvicorn.Config(
            api.app(),
            lifespan="off",
            http="h11",  # its limits are known, whatever else is installed
            ws="none",
            log_config=None,
            proxy_headers=False,  # the web side itself judges who is told to have asked
            access_log=False,  # who looked at the map is nobody's business
            server_header=False,
            timeout_graceful_shutdown=STOP_S,
        )

    @property
    def url(self) -> str:
        """Address of the page."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> Self:
        """Start everything; returns when the page can be opened."""
        self._intake.start()
        self._session.start(lambda _: None, self._intake.worker.broker_is_back)
        self._web_thread.start()
        deadline = time.monotonic() + START_S
        while not self._web.started:
            if not self._web_thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise StoreError("the web server does not start")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """Stop everything; what the broker has delivered and we did not keep, it keeps."""
        self._intake.stop()
        self._session.stop()
        self._feed.close()
        self._web.should_exit = True
        self._web_thread.join()
        self._opened.close()

    def broker_trouble(self) -> str:
        """Why there is no connection to the broker; empty while there is one."""
        return self._intake.inbox.trouble or self._session.trouble

    def health(self) -> Health:
        """How the hub is at this moment."""
        worker = self._intake.worker
        trouble = worker.trouble or ("" if worker.alive else "stopped")
        broker = self.broker_trouble()
        return Health(
            ok=not broker and not trouble,
            broker=broker or "online",
            store=trouble or "ok",
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as e:
        raise ConfigError(
            f"cannot listen at {host}:{port}: {e.strerror or e}", hint="choose another --port"
        ) from e
