"""The hub's web side: the page, the published cameras, the stream of changes, its health.

Everything here is public and read-only.
"""

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scanner.core.wire import Cell, encode_json
from scanner.errors import StoreError
from scanner.hub.features import Policy, feature, publishable
from scanner.hub.feed import Feed
from scanner.hub.store import Store

PAGE: Final = Path(__file__).parent / "page"
CACHED_ANSWERS: Final = 64
Box = tuple[float, float, float, float]


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the page is told; ``tiles`` is the URL template of a raster basemap, empty for none."""

    tiles: str = ""
    attribution: str = ""
    truth: bool = False


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the hub is."""

    ok: bool
    broker: str  # "online", or why not
    store: str  # "ok", or why not
    records: int
    quarantined: int


class MapReader:
    """Answers for the web from a reading connection; for many threads, one at a time."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, Box | None], bytes] = OrderedDict()

    def version(self) -> str:
        """Changes whenever the map does."""
        with self._lock:
            return self._store.version()

    def counts(self) -> tuple[int, int]:
        """Number of records, number of quarantined payloads."""
        with self._lock:
            return self._store.counts()

    def cameras(self, box: Box | None) -> bytes:
        """FeatureCollection of the published cameras in a box, or of all."""
        with self._lock:
            key = (self._store.version(), box)
            body = self._answers.get(key)
            if body is None:
                shown = [s for s in self._store.cameras(box) if publishable(s, self._policy)]
                body = encode_json(Cell(features=[feature(s, self._policy) for s in shown]))
                self._answers[key] = body
            self._answers.move_to_end(key)
            while len(self._answers) > CACHED_ANSWERS:
                self._answers.popitem(last=False)
            return body


class Api:
    """The web side; ``truth`` is a GeoJSON file that a demonstration shows beside the map."""

    def __init__(
        self,
        reader: MapReader,
        feed: Feed,
        health: Callable[[], Health],
        *,
        page: PageSettings,
        truth: Path | None = None,
    ) -> None:
        self._reader = reader
        self._feed = feed
        self._health = health
        self._page = page
        self._truth = truth

    def app(self) -> Starlette:
        """The application to serve."""
        routes: list[BaseRoute] = [
            Route("/", self._index),
            Route("/api/cameras.geojson", self._cameras),
            Route("/api/changes", self._changes),
            Route("/api/status", self._status),
            Route("/api/health", self._healthy),
            Route("/api/page.json", self._settings),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
        if self._truth:
            routes.append(Route("/api/truth.geojson", self._true_cameras))
        return Starlette(
            routes=routes,
            middleware=[
                Middleware(_Headers, policy=content_policy(self._page.tiles)),
                Middleware(GZipMiddleware),
            ],
            exception_handlers={StoreError: _unavailable},
        )

    async def _index(self, _request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def _cameras(self, request: Request) -> Response:
        try:
            box = parse_box(request.query_params.get("bbox"))
        except ValueError as e:
            return _json({"error": str(e)}, status=400)
        version = await run_in_threadpool(self._reader.version)
        where = hashlib.blake2b(repr(box).encode(), digest_size=4).hexdigest()
        tag = f'W/"{version}-{where}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = await run_in_threadpool(self._reader.cameras, box)
        return Response(body, media_type="application/geo+json", headers=headers)

    async def _changes(self, _request: Request) -> Response:
        version = await run_in_threadpool(self._reader.version)
        return StreamingResponse(
            self._feed.events(msgspec.json.encode({"version": version})),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _status(self, _request: Request) -> Response:
        return _json(await run_in_threadpool(self._health))

    async def _healthy(self, _request: Request) -> Response:
        state = await run_in_threadpool(self._health)
        return _json({"ok": state.ok}, status=200 if state.ok else 503)

    async def _settings(self, _request: Request) -> Response:
        return _json(self._page)

    async def _true_cameras(self, _request: Request) -> Response:
        return FileResponse(str(self._truth), media_type="application/geo+json")


def parse_box(text: str | None) -> Box | None:
    """``west,south,east,north`` in degrees; west may be greater than east across the date line.

    Raises ValueError with words for the person who asked.
    """
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as e:
        raise ValueError("bbox must be west,south,east,north in degrees") from e
    if not all(map(math.isfinite, (west, south, east, north))) or south > north:
        raise ValueError("bbox must be west,south,east,north in degrees, south below north")
    return west, south, east, north


def content_policy(tiles: str) -> str:
    """Content-Security-Policy: nothing from elsewhere, but for the tiles somebody configured."""
    parts = urlsplit(tiles)
    host = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src blob:; "
        f"img-src 'self' data: blob:{host}; connect-src 'self'{host}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


class _Headers:
    """Adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"geolocation=(), camera=(), microphone=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, with_headers)


def _json(value: object, *, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _unavailable(_request: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, status=503)
