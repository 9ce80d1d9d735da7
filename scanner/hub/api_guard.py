"""What stands before every answer of the web side: security headers, and how often one may ask.

Who asks is kept in memory alone, for as long as it takes a bucket to fill again.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scanner.hub.api_answers import LICENCE_LINK, failure

CLIENTS_MAX: Final = 10_000
IPV6_SUBSCRIBER_BITS: Final = 64  # one customer has that much at least


class Rate(msgspec.Struct, frozen=True):
    """So many questions at once, and so many more per second."""

    prefix: str  # of the path
    burst: float
    per_s: float


RATES: Final = (  # the first that fits
    Rate("/api/tiles/", 2_000, 200),
    Rate("/api/exposure", 10, 0.5),
    Rate("/api/review/login", 10, 0.2),
    Rate("/api/", 500, 50),
)


class Limiter:
    """Token buckets, one per client and rate; the ones unused for longest are forgotten."""

    def __init__(
        self, rates: Sequence[Rate] = RATES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates = rates
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str, path: str) -> float:
        """Count a question; how long the client has to wait before it may be asked, 0 if not."""
        rate = next((r for r in self._rates if path.startswith(r.prefix)), None)
        if rate is None:
            return 0.0
        now = self._clock()
        key = client, rate.prefix
        tokens, at = self._buckets.get(key, (rate.burst, now))
        tokens = min(rate.burst, tokens + (now - at) * rate.per_s)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / rate.per_s
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        self._buckets.move_to_end(key)
        while len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        return wait


def client_of(scope: Scope, *, behind_proxy: bool) -> str:
    """Who asks: the address, of IPv6 the network.

    Behind a proxy it is the last address of X-Forwarded-For, which the proxy has added; those
    before it are whatever the client liked to write.
    """
    address = str((scope.get("client") or ("",))[0])
    if behind_proxy:
        told = Headers(scope=scope).getlist("x-forwarded-for")
        address = ",".join(told).rpartition(",")[2].strip() or address
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 6:  # noqa: PLR2004
        return str(ipaddress.ip_network((ip, IPV6_SUBSCRIBER_BITS), strict=False))
    return str(ip)


class Guard:
    """Refuses those who ask too often, and adds the headers to every answer."""

    def __init__(
        self, app: ASGIApp, *, policy: str, limiter: Limiter, behind_proxy: bool = False
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._behind_proxy = behind_proxy
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"geolocation=(), camera=(), microphone=()"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        path = str(scope.get("path", ""))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers, *_of_path(path)]
            await send(message)

        refusal = self._refusal(scope, path) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope, path: str) -> Response | None:
        """Why this is not answered, if it is not."""
        client = client_of(scope, behind_proxy=self._behind_proxy)
        if wait_s := self._limiter.wait_s(client, path):
            refusal = failure(429, "too many questions at once", hint=f"again in {wait_s:.1f} s")
            refusal.headers["Retry-After"] = str(int(wait_s) + 1)
            return refusal
        if "transfer-encoding" in Headers(scope=scope):
            # In pieces of a byte a body takes a hundred times as long to read.
            refusal = failure(411, "the body has no length", hint="send Content-Length")
            refusal.headers["Connection"] = "close"
            return refusal
        return None


def _of_path(path: str) -> list[tuple[bytes, bytes]]:
    if path.startswith("/page/"):
        lasting = b"public, max-age=86400" if "/vendor/" in path else b"no-cache"
        return [(b"cache-control", lasting)]
    if not path.startswith("/api/"):
        return []
    licence = (b"link", LICENCE_LINK.encode())
    if path.startswith("/api/review/"):
        return [licence]
    # Public data, without cookies: other pages may read it.
    return [licence, (b"access-control-allow-origin", b"*")]


def content_policy(tiles: str) -> str:
    """Content-Security-Policy: nothing from elsewhere, but for the tiles somebody configured."""
    parts = urlsplit(tiles)
    host = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; "
        f"img-src 'self' data: blob:{host}; connect-src 'self'{host}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
