"""Readers at the network's end: MQTT, HTTP at the hub and at the phone's page, their parts."""

import contextlib
import functools
import socket
import threading
from io import BytesIO
from typing import Any, Final

import msgspec
from starlette.datastructures import QueryParams

from scanner.errors import BrokerError, UsageError
from scanner.hub.api_answers import parse_box, parse_number
from scanner.network import packets
from scanner.network.inbox import Delivery, _Line
from scanner.phone import lines
from scanner.phone.codes import Door as PhoneDoor
from scanner.phone.server import PageServer, _Handler
from scanner.phone.walk import Walk
from tests.fuzz import hub_web
from tests.fuzz.target import Target

SMALL: Final = 65_536  # bytes that a socket takes without a reader


# --- MQTT ----------------------------------------------------------------------------------------


def _packets(data: bytes) -> None:
    """What a broker sends, in one piece and in small ones: the same."""
    level = packets.NEW if data[:1] == b"\x05" else packets.OLD
    whole = _fed(level, data[1:], max(len(data), 1))
    assert all(0 <= number <= 0xFFFF for number in whole[0])
    assert all(len(payload) <= packets.LARGEST for payload in whole[1])
    for packet in whole[2]:
        assert 0 <= packets.refusal(packet, level) <= 0xFF
    packets.acknowledgements(whole[0])
    if len(data) <= SMALL:
        assert _fed(level, data[1:], 97) == whole


def _fed(level: int, data: bytes, piece: int) -> tuple[list[int], list[bytes], list[object]]:
    stream = packets.Stream(level)
    numbers, payloads, others = [], [], []
    for at in range(0, len(data), piece):
        more = stream.feed(data[at : at + piece])
        numbers += more[0]
        payloads += more[1]
        others += more[2]
    return numbers, payloads, others


def _inbox(data: bytes) -> None:
    """A broker that says this and hangs up, while the hub says hello, subscribes and reads."""
    level = packets.NEW if data[:1] == b"\x05" else packets.OLD
    ours, theirs = socket.socketpair()
    line = _Line(ours, level, "broker")
    taken: list[bytes] = []

    def deliver(delivery: Delivery) -> None:
        taken.extend(delivery.payloads)
        delivery.acknowledge()

    with theirs, contextlib.closing(line), contextlib.suppress(BrokerError):
        theirs.sendall(data[1:SMALL])
        theirs.shutdown(socket.SHUT_WR)
        if line.enter(packets.connect(level, "x", 30, username="", password="", session_s=9,
                                      receive_maximum=9), 1.0):  # fmt: skip
            line.ask(packets.subscribe(level, 1, "in"), 1.0)
            line.read(deliver, threading.Event())
    assert all(len(payload) <= packets.LARGEST for payload in taken)


# --- the phone's page -----------------------------------------------------------------------------


class _Wire:
    """The end of a connection that holds these bytes and keeps what is answered."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.answer = b""

    def settimeout(self, _: float | None) -> None:
        """Nothing waits here."""

    def makefile(self, *_: object) -> BytesIO:
        """What was sent."""
        return BytesIO(self._data)

    def sendall(self, data: bytes) -> None:
        """The answer, piece by piece."""
        self.answer += data


CODE: Final = "aaaaa-bbbbb"


@functools.cache
def _page() -> PageServer:
    server = PageServer(("127.0.0.1", 0), Walk(), PhoneDoor(CODE), lambda _: True)
    server.socket.close()
    server.host = "page"
    return server


def _phone(data: bytes) -> None:
    """A request to the phone's page, as its handler gets it."""
    wire: Any = _Wire(data)
    _Handler(wire, ("10.55.0.2", 1), _page())
    assert not wire.answer or wire.answer.startswith((b"HTTP/1.0 ", b"HTTP/1.1 ", b"<"))
    assert b" 500 " not in wire.answer[:20]


def _line(data: bytes) -> None:
    """What watch tells the page, line by line, and what the page then shows."""
    walk = Walk()
    for number, raw in enumerate(data.split(b"\n")[:500]):
        found = lines.decode(raw)
        if found is not None:
            assert len(lines.encode(found)) <= len(raw) + lines.LINE_BYTES
            walk.take(found, float(number))
    msgspec.json.encode(walk.view(600.0))


def _query(data: bytes) -> None:
    told = QueryParams(data)
    value = told.get("value", data.decode(errors="replace"))
    with contextlib.suppress(UsageError):
        parse_box(told.get("bbox", value))
    assert 5 <= parse_number(value, "reach_m", 30, 5, 200) <= 200


def _request(line: str, *headers: str, body: str = "") -> bytes:
    told = [f"{line} HTTP/1.1", "Host: page", *headers]
    if body:
        told += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(told) + "\r\n\r\n" + body).encode()


_BEN: Final = ("X-User: ben", "X-Review: 1")
_CAMERA: Final = "0" * 20
_WAY: Final = (
    '<gpx><trk><trkseg><trkpt lat="52.37" lon="4.895"/><trkpt lat="52.371" lon="4.896"/>'
    "</trkseg></trk></gpx>"
)
_FORMS: Final = ("/api/cameras.geojson", "/api/changes.json", "/api/exposure", "/api/statistics")
_CONNACK: Final = (b"\x20\x03\x00\x00\x00", b"\x20\x02\x00\x00")
_SUBACK: Final = (b"\x90\x04\x00\x01\x00\x01", b"\x90\x03\x00\x01\x01")
_PUBLISH: Final = (b"\x32\x09\x00\x02in\x00\x07\x00ab", b"\x32\x08\x00\x02in\x00\x07ab")

TARGETS: Final[dict[str, Target]] = {
    "packets": Target(
        read=_packets,
        allowed=(BrokerError,),
        seeds=(
            b"\x05" + _CONNACK[0] + _SUBACK[0] + _PUBLISH[0] * 3 + b"\xd0\x00",
            b"\x04" + _CONNACK[1] + _SUBACK[1] + _PUBLISH[1] * 3 + b"\xd0\x00",
        ),
        words=(*_CONNACK, *_SUBACK, *_PUBLISH, b"\xe0\x00", b"\xff\xff\xff\x7f", b"\x82\x80\x04"),
    ),
    "inbox": Target(
        read=_inbox,
        seeds=(
            b"\x05" + _CONNACK[0] + _SUBACK[0] + _PUBLISH[0] * 3 + b"\xd0\x00",
            b"\x04" + _CONNACK[1] + _PUBLISH[1] + _SUBACK[1] + _PUBLISH[1] * 3 + b"\xe0\x00",
        ),
        words=(*_CONNACK, *_SUBACK, *_PUBLISH, b"\xe0\x00", b"\x20\x02\x00\x01", b"\x84", b"\x87"),
        largest=SMALL,
    ),
    "phone": Target(
        read=_phone,
        seeds=(
            _request("GET /"),
            _request("GET /view", "Cookie: scanner=a; b=c", "Origin: http://page"),
            _request("POST /enter", body='{"code":"aaaaa-bbbbb"}'),
            _request("POST /ask", "Cookie: scanner=a", body='{"what":"wipe","answer":"x"}'),
        ),
        words=(b"Host: page\r\n", b"Origin: http://page\r\n", b"Content-Length: ", b"\r\n\r\n",
               b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Cookie: scanner=",
               b"POST /ask HTTP/1.1\r\n", b"GET /view HTTP/1.1\r\n", b"HTTP/0.9",
               b"application/json"),
    ),
    "line": Target(
        read=_line,
        seeds=(
            b'{"state":"seeking","detail":"no fix","new_walk":true}\n{"state":"asleep"}',
            b'{"state":"found","detail":"3 sites"}\n{"fact":"card","detail":"9 GB"}',
            b'{"state":"seen","detail":"dome"}\n{"state":"lens"}\n{"state":"wiped"}',
        ),
        words=(b'"state":"found"', b'"state":"seen"', b'"state":"disk full"', b'"state":"withheld"',
               b'"detail":"', b'"fact":"', b'"new_walk":', b"null", b"\n{"),
    ),
    "query": Target(
        read=_query,
        allowed=(UsageError,),
        seeds=(b"bbox=4.7,52.3,5,52.4&value=30", b"value=1e2"),
        words=(b"bbox=", b"value=", b"%2C", b"nan", b"inf", b"1e308", b"-0", b"1_0"),
        largest=SMALL,
    ),
    "http": Target(
        read=hub_web.read,
        seeds=(
            *(_request(f"GET {path}?bbox=4.8,52.3,5.0,52.4&limit=5&since=0") for path in _FORMS),
            _request("GET /api/tiles/14/8414/5384.mvt", 'If-None-Match: W/"a"'),
            _request(f"GET /api/camera/{_CAMERA}"),
            _request("GET /page/index.html", "Range: bytes=0-9", "Accept-Encoding: gzip"),
            _request("POST /api/exposure?reach_m=30&cone_deg=90", body=_WAY),
            _request("GET /api/review/queue?limit=3", *_BEN),
            _request("GET /api/review/log?since=0&limit=3", *_BEN),
            _request("POST /api/review/undo", *_BEN, body='{"number":1}'),
            _request(
                "POST /api/review/actions",
                *_BEN,
                body=f'{{"verb":"tag","camera_id":"{_CAMERA}","tags":{{"camera:mount":"pole"}}}}',
            ),
        ),
        words=(b"/api/review/", b"X-User: ben\r\n", b"X-Review: 1\r\n", b"Cookie: session=",
               b"Range: bytes=", b"bytes=-1", b"If-None-Match: *", b"If-Range: ", b"%00",
               b"%2e%2e/",
               b"Transfer-Encoding: chunked\r\n", b"HEAD ", b"OPTIONS ", b"/api/tiles/0/0/0.mvt",
               b'"verb":"move"', b'"lat":', b'"members":[', b'"with":"', b"9" * 20),
    ),
}  # fmt: skip
