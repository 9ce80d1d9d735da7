"""The reviewers' side of the web: ``routes`` are mounted under ``/api/review``.

Nothing here is public. A session is a cookie that scripts cannot read and other sites cannot send;
what changes anything also wants the header ``X-Review: 1``, which a form of another site cannot
set.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scanner.core.reviewing import reviewlog
from scanner.errors import UNREADABLE, UsageError
from scanner.hub.api_answers import LICENCE, NOTICE, answer, failure, parse_number
from scanner.hub.api_guard import client_of
from scanner.hub.review import LOG_MAX, ReviewDesk, Wanted, meaning
from scanner.hub.review_queue import Item
from scanner.hub.reviewers import SESSION_S, Door

COOKIE: Final = "session"
HEADER: Final = "X-Review"
BODY_MAX: Final = 65_536
QUEUE_MAX: Final = 200

T = TypeVar("T")
Reviewed = Callable[[Request, str], Awaitable[Response]]


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to come in."""

    name: str
    passphrase: str


class UndoWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which line to take back."""

    number: Annotated[int, Meta(ge=1, le=2**53)]


class Me(msgspec.Struct, frozen=True):
    """Who is logged in."""

    name: str


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The queue."""

    items: list[Item]
    licence: str = LICENCE
    notice: str = NOTICE


class Done(msgspec.Struct, frozen=True):
    """The number of the new line."""

    number: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    number: int
    at_s: int
    reviewer: str
    verb: str
    camera_id: str
    lat: float
    lon: float
    text: str
    counts: bool  # whether it was not taken back


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the log, first to last."""

    lines: list[Line]
    licence: str = LICENCE


def routes(desk: ReviewDesk, door: Door, *, behind_proxy: bool = False) -> list[Route]:
    """What is mounted under ``/api/review``; ``behind_proxy``: as for the public side."""
    api = _ReviewApi(desk, door, behind_proxy=behind_proxy)
    return [
        Route("/login", api.login, methods=["POST"]),
        Route("/logout", api.logout, methods=["POST"]),
        Route("/me", api.reviewed(api.me)),
        Route("/queue", api.reviewed(api.queue)),
        Route("/actions", api.reviewed(api.act), methods=["POST"]),
        Route("/undo", api.reviewed(api.undo), methods=["POST"]),
        Route("/log", api.reviewed(api.log)),
    ]


class _ReviewApi:
    def __init__(self, desk: ReviewDesk, door: Door, *, behind_proxy: bool) -> None:
        self._desk = desk
        self._door = door
        self._behind_proxy = behind_proxy

    async def login(self, request: Request) -> Response:
        """Open a session."""
        if refused := _foreign(request):
            return refused
        wanted = await _body(request, Login)
        address = client_of(request.scope, behind_proxy=self._behind_proxy)
        wait_s = self._door.wait_s(wanted.name, address)
        if wait_s > 0:
            late = failure(429, "too many wrong passphrases", hint=f"again in {wait_s:.0f} s")
            late.headers["Retry-After"] = str(int(wait_s) + 1)
            return late
        token = await run_in_threadpool(self._door.enter, wanted.name, wanted.passphrase, address)
        if not token:
            return failure(401, "name and passphrase do not fit")
        made = Response(status_code=204, headers={"Cache-Control": "no-store"})
        made.set_cookie(
            COOKIE,
            token,
            max_age=int(SESSION_S),
            path="/api/review",
            secure=_is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return made

    async def logout(self, request: Request) -> Response:
        """Close it."""
        if refused := _foreign(request):
            return refused
        self._door.leave(request.cookies.get(COOKIE, ""))
        made = Response(status_code=204, headers={"Cache-Control": "no-store"})
        made.delete_cookie(
            COOKIE, path="/api/review", secure=_is_secure(request), httponly=True, samesite="strict"
        )
        return made

    def reviewed(self, handle: Reviewed) -> Callable[[Request], Awaitable[Response]]:
        """For reviewers only."""

        async def handled(request: Request) -> Response:
            header = self._door.proxy_header
            name = await run_in_threadpool(
                self._door.who,
                request.cookies.get(COOKIE, ""),
                request.headers.get(header, "") if header else "",
                request.client.host if request.client else None,
            )
            if not name:
                return failure(401, "for reviewers", hint="log in")
            if request.method == "POST" and (refused := _foreign(request)):
                return refused
            return await handle(request, name)

        return handled

    async def me(self, _request: Request, name: str) -> Response:
        """Who is logged in."""
        return answer(Me(name))

    async def queue(self, request: Request, _name: str) -> Response:
        """What to decide next."""
        limit = int(parse_number(request.query_params.get("limit"), "limit", 20, 1, QUEUE_MAX))
        return answer(Waiting(items=await run_in_threadpool(self._desk.queue, limit)))

    async def act(self, request: Request, name: str) -> Response:
        """Decide."""
        wanted = await _body(request, Wanted)
        return answer(Done(await run_in_threadpool(self._desk.act, name, wanted)))

    async def undo(self, request: Request, name: str) -> Response:
        """Take a decision back."""
        wanted = await _body(request, UndoWanted)
        return answer(Done(await run_in_threadpool(self._desk.undo, name, wanted.number)))

    async def log(self, request: Request, _name: str) -> Response:
        """All decisions."""
        query = request.query_params
        since = int(parse_number(query.get("since"), "since", 0, 0, 2**53))
        limit = int(parse_number(query.get("limit"), "limit", LOG_MAX, 1, LOG_MAX))
        return answer(Log(lines=await run_in_threadpool(lines, self._desk, since, limit)))


def lines(desk: ReviewDesk, since: int = 0, limit: int = LOG_MAX) -> list[Line]:
    """The log for people, after a number, first to last."""
    found = desk.log(since, limit)
    undone = reviewlog.undone(desk.undoings(since))
    return [
        Line(
            number=line.number,
            at_s=line.at_s,
            reviewer=line.reviewer,
            verb=line.verb,
            camera_id=line.camera_id,
            lat=line.lat_deg,
            lon=line.lon_deg,
            text=meaning(line),
            counts=line.number not in undone,
        )
        for line in found
    ]


def _foreign(request: Request) -> Response | None:
    """A refusal of what another site may have made the browser send."""
    if request.headers.get(HEADER) != "1":
        return failure(403, f"the header {HEADER}: 1 is missing")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return failure(403, "comes from another site")
    return None


def _is_secure(request: Request) -> bool:
    # Who claims it without need only keeps its own cookie from being sent.
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


async def _body(request: Request, kind: type[T]) -> T:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            raise UsageError("the body is too long", hint=f"{BODY_MAX} bytes at most")
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as e:
        raise UsageError(f"the body is not what is wanted: {e}") from e
