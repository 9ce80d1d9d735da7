"""The forms in which the web side answers: JSON with licence and notice, or one line of error."""

import hashlib
import math
import re
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from scanner.core.wire import Cell
from scanner.errors import ScannerError, UsageError

LICENCE_LINK: Final = '<https://opendatacommons.org/licenses/odbl/1-0/>; rel="license"'
LICENCE: Final = Cell(features=[]).licence
NOTICE: Final = Cell(features=[]).notice
REVALIDATE: Final = "no-cache"  # keep it, but ask whether it still holds

_NUMBER: Final = r"[-+]?[0-9]{1,16}(\.[0-9]{0,32})?([eE][-+]?[0-9]{1,2})?"
BOX: Final = rf"^{_NUMBER}(,{_NUMBER}){{3}}$"

Box = tuple[float, float, float, float]


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why there is no answer, in one line, and what to do."""

    error: str
    hint: str = ""


def answer(value: object, *, status: int = 200, cache: str = "no-store") -> Response:
    """A value as JSON."""
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": cache},
    )


def failure(status: int, error: str, *, hint: str = "") -> Response:
    """One line of JSON."""
    return answer(Failure(error=error, hint=hint), status=status)


def tag(*parts: object) -> str:
    """A weak ETag of whatever decides an answer's content."""
    return f'W/"{hashlib.blake2b(repr(parts).encode(), digest_size=9).hexdigest()}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has the answer of that ETag (RFC 9110, 13.1.2: weak comparison)."""
    told = request.headers.get("if-none-match", "")
    known = {part.strip().removeprefix("W/") for part in told.split(",")}
    return etag.removeprefix("W/") in known


def kept(etag: str, *, media_type: str | None = None) -> dict[str, str]:
    """Headers of an answer that may be kept and asked for again."""
    headers = {"ETag": etag, "Cache-Control": REVALIDATE}
    if media_type:
        headers["Content-Type"] = media_type
    return headers


def parse_box(text: str | None) -> Box | None:
    """``west,south,east,north`` in degrees; west may be greater than east across the date line.

    Raises UsageError with words for the person who asked.
    """
    if text is None:
        return None
    wanted = UsageError(
        "bbox must be west,south,east,north in degrees", hint="as in 4.88,52.36,4.91,52.38"
    )
    if not re.fullmatch(BOX, text):
        raise wanted
    west, south, east, north = (float(part) for part in text.split(","))
    if not (-90 <= south <= north <= 90 and max(abs(west), abs(east)) <= 180):  # noqa: PLR2004
        raise wanted
    return west, south, east, north


def parse_number(text: str | None, name: str, default: float, low: float, high: float) -> float:
    """A number of a query within limits; raises UsageError."""
    if text is None:
        return default
    value = float(text) if re.fullmatch(_NUMBER, text) else math.nan
    if not low <= value <= high:
        raise UsageError(f"{name} {text[:20]!r} is none", hint=f"{low:g} to {high:g}")
    return value


async def on_usage(_request: Request, error: Exception) -> Response:
    """The asker's fault."""
    return _of(400, error)


async def on_store(_request: Request, error: Exception) -> Response:
    """The database is away."""
    return _of(503, error)


async def on_http(_request: Request, error: Exception) -> Response:
    """No such page, or not this way."""
    if not isinstance(error, HTTPException):
        raise error
    made = failure(error.status_code, str(error.detail).lower())
    made.headers.update(error.headers or {})
    return made


async def on_gone(_request: Request, _error: Exception) -> Response:
    """Who hung up in the middle of a body: nobody reads this, and no log needs a traceback."""
    return Response(status_code=400)


def _of(status: int, error: Exception) -> Response:
    if isinstance(error, ScannerError):
        return failure(status, error.message, hint=error.hint)
    raise error
