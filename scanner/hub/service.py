"""The hub: broker session, worker and web server in one process."""

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

from scanner.config import Mqtt
from scanner.core.wire import Topics
from scanner.errors import ConfigError, StoreError
from scanner.hub.api import Api, Health, MapReader, PageSettings
from scanner.hub.cohorts import Checker, issuers
from scanner.hub.features import OPEN, Policy
from scanner.hub.feed import Feed
from scanner.hub.ingest import Ingest
from scanner.hub.keys import camera_id, load_naming, load_ring
from scanner.hub.publishing import MapPublisher
from scanner.hub.store import Store
from scanner.hub.worker import Worker
from scanner.network.session import MqttSession

CLIENT_ID: Final = "cctv-hub"
DATABASE: Final = "hub.sqlite3"
START_S: Final = 10.0
STOP_S: Final = 3


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a hub is started with."""

    data: Path  # keys, and the database unless it is named
    mqtt: Mqtt
    password: str = ""
    database: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080  # 0: a free one
    policy: Policy = OPEN
    token_required: bool = False  # put aside what carries no cohort token
    tiles: str = ""  # URL template of a raster basemap
    attribution: str = ""  # of that basemap
    truth: Path | None = None  # GeoJSON of the true cameras, for demonstrations


class Hub:
    """A running hub; a context manager that stops it.

    Raises StoreError for database or key, ConfigError for an address it cannot listen at. A broker
    that is away is no error: the hub goes on trying.
    """

    def __init__(self, options: Options, *, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        topics = Topics(options.mqtt.root)
        ring = load_ring(options.data)
        checker = Checker(issuers(options.data))
        path = options.database or options.data / DATABASE
        with contextlib.ExitStack() as opened:
            self._socket = opened.enter_context(_listen(options.host, options.port))
            store = opened.enter_context(contextlib.closing(Store(path)))
            # One connection to write and one to read: the page never waits for a transaction.
            reading = opened.enter_context(contextlib.closing(Store(path)))
            self._opened = opened.pop_all()
        self._feed = Feed()
        self._session = MqttSession(
            options.mqtt,
            client_id=CLIENT_ID,
            filters=[topics.inbox],
            status=topics.status,
            password=options.password,
        )
        self._worker = Worker(
            store=store,
            ingest=Ingest(
                store, ring, clock, checker=checker, token_required=options.token_required
            ),
            name=partial(camera_id, load_naming(options.data)),
            publisher=MapPublisher(store, options.policy, topics, self._session.publish),
            feed=self._feed,
            policy=options.policy,
        )
        self._reader = MapReader(reading, options.policy)
        self._web = uvicorn.Server(self._web_settings())
        self._web_thread = threading.Thread(
            target=self._web.run, kwargs={"sockets": [self._socket]}, name="hub-web", daemon=True
        )

    def _web_settings(self) -> uvicorn.Config:
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
        )
        return uvicorn.Config(
            api.app(),
            lifespan="off",
            ws="none",
            log_config=None,
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
        self._worker.start()
        self._session.start(self._worker.receive, self._worker.broker_is_back)
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
        self._worker.stop()
        self._session.stop()
        self._feed.close()
        self._web.should_exit = True
        self._web_thread.join()
        self._opened.close()

    def health(self) -> Health:
        """How the hub is at this moment."""
        records, quarantined = self._reader.counts()
        trouble = self._worker.trouble or ("" if self._worker.alive else "stopped")
        return Health(
            ok=self._session.online and not trouble,
            broker=self._session.trouble or "online",
            store=trouble or "ok",
            records=records,
            quarantined=quarantined,
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
