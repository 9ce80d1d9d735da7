"""The hub's web side: the page, the map in several forms, the stream of changes, its health.

Everything here is public and read-only, but for what is under ``/api/review/``.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from scanner.core.exposure import Sight
from scanner.errors import StoreError, UsageError
from scanner.hub import gpx, openapi, tiles
from scanner.hub.api_answers import (
    NOTICE,
    answer,
    failure,
    is_known,
    kept,
    on_gone,
    on_http,
    on_store,
    on_usage,
    parse_box,
    parse_number,
    tag,
)
from scanner.hub.api_forms import Health, Start, WellOrNot, changes_answer, exposure_answer
from scanner.hub.api_guard import Guard, Limiter, content_policy
from scanner.hub.api_reader import MapReader
from scanner.hub.feed import Feed

__all__ = ["Api", "Health", "MapReader", "PageSettings"]

PAGE: Final = Path(__file__).parent / "page"
CHANGES_MAX: Final = 1000
TILE_TYPE: Final = "application/vnd.mapbox-vector-tile"
GEOJSON: Final = "application/geo+json"
COMPRESSION: Final = 5  # the last tenth would cost twice the time
BASEMAP: Final = "basemap.pmtiles"


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the page is told.

    ``tiles`` is the basemap: the URL template of a raster, the path of a PMTiles file, or empty.
    """

    tiles: str = ""
    attribution: str = ""
    truth: bool = False


class Api:
    """The web side; ``truth`` is a GeoJSON file that a demonstration shows beside the map.

    ``review`` are the routes under ``/api/review``, where there are reviewers.
    """

    def __init__(
        self,
        reader: MapReader,
        feed: Feed,
        health: Callable[[], Health],
        *,
        page: PageSettings,
        truth: Path | None = None,
        review: Sequence[BaseRoute] = (),
        behind_proxy: bool = False,
        limiter: Limiter | None = None,
    ) -> None:
        self._reader = reader
        self._feed = feed
        self._health = health
        self._page = page
        self._truth = truth
        self._review = list(review)
        self._behind_proxy = behind_proxy
        self._limiter = limiter or Limiter()
        local = page.tiles.endswith(".pmtiles") and "://" not in page.tiles
        self._basemap = Path(page.tiles) if local else None

    def app(self) -> Starlette:
        """The application to serve."""
        routes: list[BaseRoute] = [
            Route("/", self._index),
            Route("/api/cameras.geojson", self._cameras),
            Route("/api/camera/{id}", self._camera),
            Route("/api/tiles/{z}/{x}/{y}.mvt", self._tile),
            Route("/api/changes", self._changes),
            Route("/api/changes.json", self._changes_since),
            Route("/api/exposure", self._exposure, methods=["POST"]),
            Route("/api/statistics", self._statistics),
            Route("/api/openapi.json", self._openapi),
            Route("/api/status", self._status),
            Route("/api/health", self._healthy),
            Route("/api/page.json", self._start),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
        if self._truth:
            routes.append(Route("/api/truth.geojson", self._true_cameras))
        if self._basemap:
            routes.append(Route(f"/{BASEMAP}", self._base))
        if self._review:
            routes.append(Mount("/api/review", routes=self._review))
        guard = Middleware(
            Guard,
            policy=content_policy("" if self._basemap else self._page.tiles),
            limiter=self._limiter,
            behind_proxy=self._behind_proxy,
        )
        return Starlette(
            routes=routes,
            middleware=[guard, Middleware(GZipMiddleware, compresslevel=COMPRESSION)],
            exception_handlers={
                UsageError: on_usage,
                StoreError: on_store,
                HTTPException: on_http,
                ClientDisconnect: on_gone,
            },
        )

    async def _index(self, _request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def _cameras(self, request: Request) -> Response:
        box = parse_box(request.query_params.get("bbox"))
        etag = tag(await run_in_threadpool(self._reader.version), box)
        if is_known(request, etag):
            return Response(status_code=304, headers=kept(etag))
        return StreamingResponse(
            iterate_in_threadpool(self._reader.cameras(box)),
            media_type=GEOJSON,
            headers=kept(etag),
        )

    async def _camera(self, request: Request) -> Response:
        body = await run_in_threadpool(self._reader.camera, request.path_params["id"])
        if body is None:
            return failure(404, "no camera of this id is on the map", hint=NOTICE)
        etag = tag(body)
        if is_known(request, etag):
            return Response(status_code=304, headers=kept(etag))
        return Response(body, media_type=GEOJSON, headers=kept(etag))

    async def _tile(self, request: Request) -> Response:
        # Not by Starlette's int: it fails where a number has thousands of digits.
        told = [request.path_params[k] for k in "zxy"]
        z, x, y = (int(t) if re.fullmatch("[0-9]{1,9}", t) else -1 for t in told)
        if not tiles.exists(z, x, y):
            return failure(404, "no such tile", hint=f"z 0 to {tiles.DEEPEST}, x and y below 2^z")
        tile = await run_in_threadpool(self._reader.tile, z, x, y)
        headers = kept(tile.etag)
        if is_known(request, tile.etag):
            return Response(status_code=304, headers=headers)
        if not tile.body:
            return Response(status_code=204, headers=headers)
        return Response(tile.body, media_type=TILE_TYPE, headers=headers)

    async def _changes(self, _request: Request) -> Response:
        version = await run_in_threadpool(self._reader.version)
        return StreamingResponse(
            self._feed.events(msgspec.json.encode({"version": version})),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _changes_since(self, request: Request) -> Response:
        told = request.query_params
        since = int(parse_number(told.get("since"), "since", 0, 0, 2**53))
        limit = int(parse_number(told.get("limit"), "limit", CHANGES_MAX, 1, CHANGES_MAX))
        found = await run_in_threadpool(self._reader.changes, since, limit)
        if found is None:
            return failure(
                410, "the changes since then are not known here", hint="read the map afresh"
            )
        return answer(changes_answer(found, since, limit))

    async def _exposure(self, request: Request) -> Response:
        """The way is in memory for as long as this takes, and nowhere else."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > gpx.BYTES_MAX:
                return failure(413, f"more than {gpx.BYTES_MAX} bytes", hint="send a shorter way")
        told = request.query_params
        sight = Sight(
            reach_m=parse_number(told.get("reach_m"), "reach_m", 30, 5, 200),
            cone_deg=parse_number(told.get("cone_deg"), "cone_deg", 90, 10, 180),
        )
        found = await run_in_threadpool(
            lambda: self._reader.exposure(gpx.lines_from_gpx(bytes(body)), sight)
        )
        return answer(exposure_answer(found, sight))

    async def _statistics(self, request: Request) -> Response:
        box = parse_box(request.query_params.get("bbox"))
        etag = tag(await run_in_threadpool(self._reader.version), "statistics", box)
        if is_known(request, etag):
            return Response(status_code=304, headers=kept(etag))
        made = answer(await run_in_threadpool(self._reader.statistics, box))
        made.headers.update(kept(etag))
        return made

    async def _openapi(self, _request: Request) -> Response:
        return answer(openapi.document(), cache="no-cache")

    async def _status(self, _request: Request) -> Response:
        return answer(await run_in_threadpool(self._health))

    async def _healthy(self, _request: Request) -> Response:
        state = await run_in_threadpool(self._health)
        return answer(WellOrNot(state.ok), status=200 if state.ok else 503)

    async def _start(self, _request: Request) -> Response:
        extent = await run_in_threadpool(self._reader.extent)
        return answer(
            Start(
                tiles=BASEMAP if self._basemap else self._page.tiles,
                attribution=self._page.attribution,
                truth=self._page.truth,
                review=bool(self._review),
                revision=await run_in_threadpool(self._reader.revision),
                extent=list(extent) if extent else None,
            )
        )

    async def _base(self, _request: Request) -> Response:
        return FileResponse(str(self._basemap), media_type="application/vnd.pmtiles")

    async def _true_cameras(self, _request: Request) -> Response:
        return FileResponse(str(self._truth), media_type=GEOJSON)
