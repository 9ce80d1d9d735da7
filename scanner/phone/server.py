"""The page over HTTP, by the standard library: one phone on a cable wants no web framework.

Small by construction: at most ``MOST_CONNECTIONS`` at a time, each ended after ``LIFE_S``; requests
of at most ``MOST_BODY`` bytes; answers that no browser keeps. ``Host`` and ``Origin`` must be our
own, so that no page from elsewhere can reach in through the phone's browser.
"""

import http.server
import ipaddress
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

import msgspec

from scanner.core.button import Action
from scanner.errors import UNREADABLE, ConfigError, DeviceError
from scanner.phone.codes import Door
from scanner.phone.walk import Walk

WEB_PORT: Final = 80  # a browser leaves it out
MOST_CONNECTIONS: Final = 8
MOST_BODY: Final = 512
LIFE_S: Final = 15.0
WAIT_S: Final = 5.0
COOKIE: Final = "scanner"
FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
Request = socket.socket | tuple[bytes, socket.socket]  # the second for datagrams only
ASKED: Final = {
    "pause": Action.PAUSE,
    "go on": Action.GO_ON,
    "new walk": Action.NEW_WALK,
}


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a phone sends."""

    code: str = ""
    what: str = ""
    answer: str = ""


def own_address(text: str) -> str:
    """The address, if only our own link can reach it; raises ConfigError."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError as e:
        raise ConfigError(
            f"page.address: {text!r} is no address", hint="such as 10.55.0.1, that of usb0"
        ) from e
    if address.is_unspecified or address.is_multicast or not address.is_private:
        raise ConfigError(
            f"page.address: {text}: the page is for this device's own USB or Wi-Fi link",
            hint="a private address of one link, such as 10.55.0.1",
        )
    return text


def host_of(address: str, port: int) -> str:
    """What browsers send as ``Host``: without the port where that is HTTP's own."""
    host = f"[{address}]" if ":" in address else address
    return host if port == WEB_PORT else f"{host}:{port}"


class PageServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves the page until it is told to shut down.

    ``pass_on`` hands what the phone asks for to ``watch`` and says whether it is there; it may be
    set later. Raises DeviceError when the address is not this device's.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CONNECTIONS
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        walk: Walk,
        door: Door,
        pass_on: Callable[[Action], bool] = lambda _: False,
    ) -> None:
        self.walk, self.door, self.pass_on = walk, door, pass_on
        folder = Path(__file__).with_name("page")
        self.files = {
            path: ((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()
        }
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._open: dict[Request, float] = {}
        self._lock = threading.Lock()
        try:
            super().__init__(address, _Handler)
        except OSError as e:
            raise DeviceError(
                f"page.address: {address[0]} port {address[1]}: {e.strerror}",
                hint="is the link up? `ip -brief address` shows this device's addresses",
            ) from e
        self.host = host_of(address[0], int(self.server_address[1]))

    def server_bind(self) -> None:
        """Without asking a name server who we are, as HTTPServer would."""
        socketserver.TCPServer.server_bind(self)

    def verify_request(self, request: Request, client_address: object) -> bool:  # noqa: ARG002
        """Whether there is room for one more; notes when it began: some never end."""
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                return False
            self._open[request] = time.monotonic()
            return True

    def shutdown_request(self, request: Request) -> None:
        """There is room again."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Now and then: hang up on those that take their time."""
        late_s = time.monotonic() - LIFE_S
        with self._lock:
            late = [request for request, since_s in self._open.items() if since_s < late_s]
        for request in late:
            try:
                cast("socket.socket", request).shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # gone in the meantime

    def handle_error(self, request: object, client_address: object) -> None:
        """A phone that hangs up is no news, and nobody's address goes into a journal."""


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: PageServer
    server_version = "scanner"
    sys_version = ""
    error_message_format = ""
    timeout = WAIT_S

    def log_message(self, *_: object) -> None:
        """Nothing is written down."""

    def do_GET(self) -> None:
        """The page itself for everyone on the link; what it shows only for a session."""
        if not self._is_for_us():
            return
        if self.path == "/view":
            if self._session():
                self._answer_json(self.server.walk.view(time.monotonic()))
            return
        if self.path not in self.server.files:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        content, kind = self.server.files[self.path]
        self._answer(HTTPStatus.OK, content, kind)

    def do_POST(self) -> None:
        """A code, or something asked for."""
        if not self._is_for_us() or (ask := self._body()) is None:
            return
        if self.path == "/enter":
            self._enter(ask)
        elif self.path in ("/ask", "/leave") and (secret := self._session()):
            if self.path == "/leave":
                self.server.door.leave(secret)
                self._answer(HTTPStatus.NO_CONTENT, cookie="")
            else:
                self._ask(ask, secret)
        elif self.path not in ("/ask", "/leave"):
            self._answer(HTTPStatus.NOT_FOUND)

    def _enter(self, ask: Ask) -> None:
        try:
            secret = self.server.door.knock(ask.code, time.monotonic())
        except TimeoutError:
            self._answer(HTTPStatus.TOO_MANY_REQUESTS)
            return
        if secret is None:
            self._answer(HTTPStatus.FORBIDDEN)
        else:
            self._answer(HTTPStatus.NO_CONTENT, cookie=secret)

    def _ask(self, ask: Ask, secret: str) -> None:
        door, now_s = self.server.door, time.monotonic()
        if ask.what == "wipe":
            if not ask.answer:
                self._answer_json({"answer": door.ask(secret, now_s)})
            elif not door.confirmed(secret, ask.answer, now_s):
                self._answer(HTTPStatus.CONFLICT)
            else:
                self._pass_on(Action.WIPE)
        elif ask.what in ASKED:
            self._pass_on(ASKED[ask.what])
        else:
            self._answer(HTTPStatus.BAD_REQUEST)

    def _pass_on(self, action: Action) -> None:
        there = self.server.pass_on(action)
        self._answer(HTTPStatus.NO_CONTENT if there else HTTPStatus.SERVICE_UNAVAILABLE)

    def _is_for_us(self) -> bool:
        """Whether our own address was asked, by our own page."""
        origin = self.headers.get("Origin")
        ours = self.headers.get("Host", "").lower() == self.server.host.lower()
        if ours and origin in (None, f"http://{self.server.host}"):
            return True
        self._answer(HTTPStatus.MISDIRECTED_REQUEST)
        return False

    def _session(self) -> str:
        """The secret of the session this request belongs to; answers and is empty if none."""
        for cookie in self.headers.get("Cookie", "").split(";"):
            name, _, secret = cookie.strip().partition("=")
            if name == COOKIE and self.server.door.knows(secret, time.monotonic()):
                return secret
        self._answer(HTTPStatus.UNAUTHORIZED)
        return ""

    def _body(self) -> Ask | None:
        """What was sent, if it is well formed and small; answers if not."""
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "")
        told = re.fullmatch("[0-9]{1,9}", length)
        if not told or int(length) > MOST_BODY or kind != "application/json":
            self._answer(HTTPStatus.BAD_REQUEST)
            return None
        try:
            return msgspec.json.decode(self.rfile.read(int(length)), type=Ask)
        except UNREADABLE:
            self._answer(HTTPStatus.BAD_REQUEST)
            return None

    def _answer_json(self, value: object) -> None:
        self._answer(HTTPStatus.OK, msgspec.json.encode(value), "application/json")

    def _answer(
        self, status: HTTPStatus, content: bytes = b"", kind: str = "", cookie: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        if cookie is not None:
            ends = "" if cookie else "; Max-Age=0"
            self.send_header(
                "Set-Cookie", f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict{ends}"
            )
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
