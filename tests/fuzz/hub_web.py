"""The hub's web side as the web server runs it: its own reader of HTTP, its loop, no network."""

import asyncio
import functools
import logging
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

import h11
import uvicorn
from nacl.public import PrivateKey
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from scanner.hub import keys, mapping, review_api
from scanner.hub.api import Api, PageSettings
from scanner.hub.api_forms import Health
from scanner.hub.api_guard import Limiter
from scanner.hub.api_reader import MapReader
from scanner.hub.features import Policy
from scanner.hub.feed import Feed
from scanner.hub.ingest import Ingest
from scanner.hub.review import ReviewDesk
from scanner.hub.reviewers import Door, Reviewers
from scanner.hub.stores import open_store
from scanner.sealing import seal
from tests.helpers.reports import DAY, entry, record

ANSWER_S: Final = 60.0  # of the clock: processor time is what counts
PIECE: Final = 262_144  # bytes: what asyncio reads from a socket at once
TURNS: Final = 20  # of the loop, for the application to take a piece


class _Wire(asyncio.Transport):
    """The server's end of a connection; what is written is kept."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 80)})
        self.written: list[bytes] = []
        self.closed = False
        self.reading = asyncio.Event()
        self.reading.set()

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.reading.set()

    def pause_reading(self) -> None:
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()


class _Raised(logging.Handler):
    """What the web server would have written into its log."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, told: logging.LogRecord) -> None:
        error = told.exc_info[1] if told.exc_info else None
        # Where a body breaks off badly uvicorn has answered 400 before the application could.
        if error and not isinstance(error, h11.LocalProtocolError):
            self.errors.append(error)


class HubWeb:
    """The web side over a store of its own, with four records on the map and one reviewer."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=memory())
        folder = Path(self._folder.name)
        key = PrivateKey(bytes(range(32)))
        name = partial(keys.camera_id, keys.naming_key(key))
        store = open_store(folder / "hub.sqlite3")
        mapping.set_policy(store, Policy(reports=1))
        passes = [record([entry((100 * i, 0)), entry((100 * i, 30))]) for i in range(4)]
        Ingest(store, key, lambda: (DAY + 3) * 86_400.0).take(
            [seal(p, key.public_key) for p in passes]
        )
        while mapping.fuse_waiting(store, name):
            pass
        reviewers = Reviewers(folder)
        reviewers.add("ben", None)
        refresh = partial(mapping.refresh, name=name)
        desk = ReviewDesk(store, Policy(reports=1), refresh, lambda: 0.0)
        door = Door(reviewers, lambda: 0.0, proxy_header="X-User")
        health = Health(ok=True, broker="online", store="ok")
        app = Api(
            MapReader(open_store(folder / "hub.sqlite3")),
            Feed(),
            lambda: health,
            page=PageSettings(),
            review=review_api.routes(desk, door),
            limiter=Limiter(()),
        ).app()
        # As in service, where its log goes nowhere either.
        self._settings = uvicorn.Config(
            app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False
        )
        self._log = _Raised()
        logging.getLogger("uvicorn.error").addHandler(self._log)
        logging.getLogger("uvicorn.error").propagate = False
        self._loop = asyncio.new_event_loop()

    def ask(self, data: bytes) -> list[int]:
        """The statuses of the answers to what a client sends before it hangs up.

        Raises what the application raised: the server answers that with 500.
        """
        self._log.errors.clear()
        written = self._loop.run_until_complete(asyncio.wait_for(self._ask(data), ANSWER_S))
        if self._log.errors:
            raise self._log.errors[0]
        return [int(piece[9:12]) for piece in written if piece.startswith(b"HTTP/1.1 ")]

    async def _ask(self, data: bytes) -> list[bytes]:
        wire, state = _Wire(), ServerState()
        server = H11Protocol(self._settings, state, {}, self._loop)
        server.connection_made(wire)
        for at in range(0, len(data), PIECE):
            await wire.reading.wait()
            if wire.is_closing():
                break
            server.data_received(data[at : at + PIECE])
            for _ in range(TURNS):
                await asyncio.sleep(0)
        while state.tasks:
            # The rest of a body never comes, and the stream of changes ends with who asked.
            if server.cycle.more_body or server.scope["path"] == "/api/changes":
                break
            await asyncio.wait(state.tasks, return_when=asyncio.FIRST_COMPLETED)
        server.connection_lost(None)
        if state.tasks:
            await asyncio.wait(state.tasks)
        return wire.written


def memory() -> str | None:
    """A folder in memory, where there is one: each input writes."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


@functools.cache
def hub() -> HubWeb:
    """The one of this process."""
    return HubWeb()


def read(data: bytes) -> None:
    """What a stranger sends, or a reviewer: nothing may be answered with the server's own fault."""
    assert all(status < 500 for status in hub().ask(data))
