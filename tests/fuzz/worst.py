"""Inputs of 1 MB that a fuzzer does not come by: deep, long, endless, packed, many of the smallest.

``cases(name)`` are those for one target: shapes that break parsers of any kind, and its own.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from typing import Final

import msgspec

from scanner.cli import courier
from scanner.core import wire
from scanner.core.reviewing import reviewlog
from scanner.hub import gpx
from scanner.storage import known
from tests.fuzz.files import outbox_with
from tests.fuzz.limits import INPUT_MAX
from tests.fuzz.osm_seeds import PBF
from tests.fuzz.records import line_of
from tests.helpers.shown import feature

MANY: Final = 100_000


def fill(part: bytes, *, head: bytes = b"", tail: bytes = b"") -> bytes:
    """As many of a part as fit, between a head and a tail."""
    return head + part * ((INPUT_MAX - len(head) - len(tail)) // len(part)) + tail


def numbered(
    part: str, *, head: str = "", tail: str = "", comma: str = "", most: int = MANY
) -> bytes:
    """As many as fit of a part in which ``{}`` is a number that rises."""
    parts, left = [], INPUT_MAX - len(head) - len(tail)
    for number in range(most):
        text = part.replace("{}", str(number))
        left -= len(text) + len(comma)
        if left < 0:
            break
        parts.append(text)
    return (head + comma.join(parts) + tail).encode()


SHAPES: Final[dict[str, bytes]] = {
    "nothing": b"",
    "zeros": bytes(INPUT_MAX),
    "ones": b"\xff" * INPUT_MAX,
    "one letter": b"a" * INPUT_MAX,
    "lists in lists": b"[" * INPUT_MAX,
    "objects in objects": fill(b'{"a":'),
    "lists in a file": b"a=" + b"[" * 30_000,
    "msgpack lists": b"\x91" * INPUT_MAX,
    "tags in tags": fill(b"<a>", head=b"\x00<osm>"),
    "tags without order": fill(b"<trkpt>"),
    "dots": fill(b"a."),
    "list marks": fill(b"90;"),
    "words": fill(b"north "),
    "dollars": b"$" * INPUT_MAX,
    "empty sentences": b"$*00\n" * (INPUT_MAX // 10),
    "empty lines": b"\n" * INPUT_MAX,
    "digits": b"9" * INPUT_MAX,
    "spaces": b" " * INPUT_MAX,
    "quotes": b'"' * INPUT_MAX,
}
_LAUGHS: Final = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
).encode()
_POINTS: Final = '<trkpt lat="55.7{}" lon="37.6{}"/>'
_TIMED: Final = '<trkpt lat="55.75" lon="37.6{}"><time>%s</time></trkpt>'
_GPX_HEAD, _GPX_TAIL = "<gpx><trk><trkseg>", "</trkseg></trk></gpx>"
_NODE: Final = (
    '<node id="{}" lat="52.3" lon="4.9" version="1"><tag k="man_made" v="surveillance"/>'
    '<tag k="direction" v="90;180;270"/></node>'
)


def _sentence(text: str) -> bytes:
    total = 0
    for byte in text.encode():
        total ^= byte
    return f"${text}*{total:02X}\r\n".encode()


def _rmc(number: int) -> bytes:
    hours, rest = divmod(number, 3600)
    time = f"{hours % 24:02}{rest // 60:02}{rest % 60:02}.00"
    return _sentence(f"GPRMC,{time},A,5545.{number % 9000:04},N,03737.0500,E,2.7,84.4,010626,,,A")


def _rmcs(numbers: range) -> bytes:
    return b"".join(map(_rmc, numbers))[:INPUT_MAX]


def _record() -> dict[str, bytes]:
    return {
        "endless list": b"\x97\x01\xdd\xff\xff\xff\xff",
        "endless bytes": b"\x97\x01\x01\xcd\x50\xdc\x00\xa0\x91\xc6\xff\xff\xff\xff",
        "endless text": b"\x97\x01\xdb\xff\xff\xff\xff",
        "lists": b"\x91" * 1000,
    }


def _fusing() -> dict[str, bytes]:
    entry = struct.Struct("<BhhIiIBBB")

    def passes(lat: int, lon: int, step: int, ee: int, apart: int) -> bytes:
        head = struct.pack("<iiB", lat, lon, step)
        one = struct.pack("<BBHH", 7, 0, 0, 3000)
        one += b"".join(entry.pack(i % 5, apart * i, -apart * i, ee, 0, ee, 30, 2, 3)
                        for i in range(8))  # fmt: skip
        return head + one * 12

    return {
        "all in one place": passes(523_702_000, 48_952_000, 0, 4900, 0),
        "known to nothing": passes(523_702_000, 48_952_000, 0, 0, 10),
        "known to 30 m": passes(523_702_000, 48_952_000, 1, 9_000_000, 50),
        "at the pole": passes(900_000_000, 0, 0, 4900, 10),
        "at the other pole": passes(-900_000_000, 1_800_000_000, 0, 4900, 10),
        "on the date line": passes(0, 1_800_000_000, 1, 4900, 40),
        "across the zero": passes(1, -1, 1, 4900, 40),
    }


def _feature() -> dict[str, bytes]:
    one = wire.encode_json(feature("a", height_m=3, direction_deg=10)).decode()
    name = one.replace('"id":"a"', '"id":"' + "x" * 900_000 + '"')
    tags = numbered('"k{}":"=1{}"', comma=",", head=one[: one.index('"tags":{') + 8])
    return {
        "many cameras": numbered(one, comma=",", head='{"type":"FeatureCollection","features":[',
                                 tail="]}"),
        "a long name": name.encode(),
        "many tags": tags + b'},"sigma_m":1}}',
        "long tags": one.replace('"pole"', '"' + "9;" * 400_000 + '"').encode(),
        "many digits": one.replace('"sigma_m":1.5', f'"sigma_m":{"9" * 900_000}').encode(),
        "a small number": one.replace('"sigma_m":1.5', f'"sigma_m":0.{"0" * 900_000}1').encode(),
    }  # fmt: skip


def _enrolment() -> dict[str, bytes]:
    head = '{"v":1,"made":"2026-11-01","broker":{"host":"a"},"hub_keys":{'
    return {
        "many keys": numbered('"2026-Q4":"AAAA"', comma=",", head=head, tail="}}"),
        "a long host": fill(b"a", head=b'{"v":1,"broker":{"host":"', tail=b'"}}'),
        "a long certificate": fill(
            b"AAAA", head=head.replace('"a"', '"a","ca":"').encode()[:-14], tail=b'"}}'
        ),
        "signed by much": fill(b"A", head=b"{}\ned25519 ", tail=b" AAAA"),
        "ends of lines": fill("\u2028".encode(), head=b"{}"),
    }


def _configuration() -> dict[str, bytes]:
    return {
        "dotted keys": b"a." * 16_000 + b"a=1",
        "many dotted keys": numbered("a.b{}=1\n", most=2900),
        "dotted tables": numbered("[" + "a." * 100 + "b{}]\n", most=150),
        "tables in tables": b"a={b=" * 6_000,
        "lists of tables": b"[[a]]\n" * 5_000,
        "lists closed": b"a=" + b"[" * 900 + b"]" * 900,
        "escapes": b'a="' + b"\\u0041" * 5_000 + b'"',
        "lines": b'a="""' + b"\\\n" * 15_000 + b'"""',
        "digits": b"a=" + b"9" * 32_000,
        "a fraction": b"[mqtt]\nport=1." + b"9" * 32_000,
    }


def _hints() -> dict[str, bytes]:
    head = '{"v":1,"made":"2026-11-01","signatures":[{"title":"a","source":"b",'
    return {
        "many names": numbered('"Abcdef{}"', comma=",", head=head + '"names":[', tail="]}]}"),
        "many companies": numbered('"09C8"', comma=",", head=head + '"companies":[', tail="]}]}"),
        "many signatures": numbered(
            '{"title":"a","source":"b","names":["Abcdefgh"]}', comma=",", head=head[:39], tail="]}"
        ),
    }


def _courier() -> dict[str, bytes]:
    return {"full": courier.pack([bytes(wire.SEALED_BYTES)] * 930), "magic": fill(courier.MAGIC)}


def _tokens() -> dict[str, bytes]:
    return {
        "many": fill(b'"AAAA",', head=b'{"month":"2026-11","key":"AAAAAAAAAAA=","blinded":[',
                     tail=b'"AAAA"]}'),
        "long": fill(b"AAAA", head=b'{"key":"AAAAAAAAAAA=","blinded":[],"signed":["', tail=b'"]}'),
    }  # fmt: skip


def _reviews() -> dict[str, bytes]:
    tags = {f"k{n}": "pole" for n in range(5_000)}
    return {
        "many tags": line_of(reviewlog.Tag(tags), "tag"),
        "undone and undone": b"".join(line_of(reviewlog.Undo(n), "undo") for n in range(8)),
        "a long name": line_of(reviewlog.Merge(("x" * 60_000, 2**60)), "merge"),
    }


def _nmea() -> dict[str, bytes]:
    return {
        "fixes": _rmcs(range(14_000)),
        "one moment": (_rmc(1) * 14_000)[:INPUT_MAX],
        "fields": b"$" + b"," * (INPUT_MAX - 10) + b"*00\n",
        "a long sentence": fill(b"$GPRMC,", tail=b"*00\n"),
        "a number of many digits": _sentence("GPGGA,090000,1,N,1,E," + "9" * 900_000 + ",1,1"),
        "a long time": _sentence("GPRMC," + "0" * 900_000 + ",A,1,N,1,E,1,1,010626"),
        "stars": fill(b"$*"),
        "pairs": fill(b"$a*00\n"),
    }


def _gpsd() -> dict[str, bytes]:
    report = '{"class":"TPV","mode":3,"lat":55.7{},"lon":37.6,"time":"2026-06-01T09:00:00Z"}\n'
    return {
        "reports": numbered(report),
        "a long time": fill(b"0", head=b'{"class":"TPV","mode":3,"time":"', tail=b'"}'),
        "satellites": fill(b'{"PRN":1},', head=b'{"class":"SKY","satellites":[', tail=b"{}]}"),
        "a long device": fill(b"\\u0041", head=b'{"class":"TPV","device":"', tail=b'"}'),
        "digits": fill(b"9", head=b'{"class":"TPV","mode":', tail=b"}"),
    }


def _gpx() -> dict[str, bytes]:
    zigzag = '<trkpt lat="55.75" lon="37.6"/><trkpt lat="55.75" lon="37.6001"/>'
    head, tail = _GPX_HEAD.encode(), _GPX_TAIL.encode()
    return {
        "points": numbered(_POINTS, head=_GPX_HEAD, tail=_GPX_TAIL),
        "a way to and fro before cameras": fill(zigzag.encode(), head=head, tail=tail),
        "as many points as are read": head + zigzag.encode() * (gpx.POINTS_MAX // 2) + tail,
        "standing": fill(b'<trkpt lat="1" lon="1"/>', head=head, tail=tail),
        "a few long steps": head + b'<trkpt lat="0" lon="0"/><trkpt lat="4" lon="1"/>' + tail,
        "many lines": fill(b'<rte><rtept lat="1" lon="1"/></rte>', head=b"<gpx>", tail=b"</gpx>"),
        "over the pole": fill(b'<rtept lat="90" lon="0"/><rtept lat="90" lon="180"/>',
                              head=b"<rte>", tail=b"</rte>"),
        "entities": _LAUGHS + b"<gpx>&l9;</gpx>",
        "names": numbered(' x{}="1"', head="<gpx", tail="/>"),
        "spaces of names": numbered(' xmlns:a{}="u{}"', head="<gpx", tail="/>"),
        "a comment": fill(b"-", head=b"<gpx><!-- ", tail=b" -->"),
        "a long value": fill(b"1", head=b'<gpx a="', tail=b'"/>'),
        "references": fill(b"&#65;", head=b"<gpx>", tail=b"</gpx>"),
    }  # fmt: skip


def _track() -> dict[str, bytes]:
    rising = numbered(_TIMED % "2026-06-01T09:00:00.{}Z", head=_GPX_HEAD, tail=_GPX_TAIL)
    points = [
        _TIMED.replace("{}", "1") % f"2026-06-01T{h:02}:{m:02}:{s:02}Z"
        for h in (12, 9) for m in range(60) for s in range(60)
    ]  # fmt: skip
    falling = [_TIMED.replace("{}", "1") % f"2026-06-01T09:{n // 60 % 60:02}:{n % 60:02}Z"
               for n in range(3599, -1, -1)]  # fmt: skip
    return _gpx() | {
        "one moment": fill(
            (_TIMED.replace("{}", "1") % "2026-06-01T09:00:00Z").encode(),
            head=_GPX_HEAD.encode(), tail=_GPX_TAIL.encode(),
        ),
        "parts of a second": rising,
        "time goes back once": (_GPX_HEAD + "".join(points) + _GPX_TAIL).encode(),
        "time goes back always": (_GPX_HEAD + "".join(falling * 3) + _GPX_TAIL).encode(),
        "sentences": _rmcs(range(14_000)),
        "sentences backwards": _rmcs(range(14_000, 0, -1)),
        "sentences of two hours": _rmcs(range(7_000, 14_000)) [: INPUT_MAX // 2]
        + _rmcs(range(7_000))[: INPUT_MAX // 2],
    }  # fmt: skip


def _ble() -> dict[str, bytes]:
    return {"values": fill(bytes([12]) + b"\x85\x00\x8c\x00" + bytes(8))}


def _packets() -> dict[str, bytes]:
    publish = b"\x32\x08\x00\x02in\x00\x07ab"
    return {
        "pings": b"\x04" + fill(b"\xd0\x00")[1:],
        "messages": b"\x04" + fill(publish)[1:],
        "small ones": b"\x04" + fill(b"\x30\x02\x00\x00")[1:],
        "a large one": b"\x04\x32\x80\x89\x3d\x00\x02in\x00\x07" + bytes(990_000),
        "half a large one": b"\x04\x32\xff\xff\xff\x7f\x00\x02in\x00\x07" + bytes(990_000),
        "large and large": b"\x04" + (b"\x32\x88\x80\x04\x00\x02in\x00\x07" + bytes(65_538)) * 15,
        "properties": b"\x05" + b"\x32\x80\x89\x3d\x00\x02in\x00\x07\xf0\xff\x3c" + bytes(990_000),
        "a large answer": b"\x04\x90\xff\xff\xff\x7f" + bytes(990_000),
        "just not large": b"\x05\x32\x80\x80\x04\x00\x02in\x00\x07\x00" + bytes(65_526),
    }


def _inbox() -> dict[str, bytes]:
    hello = b"\x04\x20\x02\x00\x00\x90\x03\x00\x01\x01"
    return {
        "pings before it answers": b"\x04" + b"\xd0\x00" * 30_000,
        "messages before it consents": hello[:5] + b"\x32\x08\x00\x02in\x00\x07ab" * 6_000,
        "messages": hello + b"\x32\x08\x00\x02in\x00\x07ab" * 6_000,
        "pings": hello + b"\xd0\x00" * 30_000,
    }


def _web(line: bytes, header: bytes) -> dict[str, bytes]:
    head = b"GET " + line + b" HTTP/1.1\r\nHost: page\r\n" + header

    def part(size: int, piece: bytes) -> bytes:
        return piece * (size // len(piece))

    return {
        "a long line": b"GET /" + part(60_000, b"a") + b" HTTP/1.1\r\n\r\n",
        "a long header": head + b"X: " + part(60_000, b"a") + b"\r\n\r\n",
        "many headers": head + part(60_000, b"A: b\r\n") + b"\r\n",
        "endless headers": head + fill(b"A: b\r\n")[:900_000],
        "cookies": head + b"Cookie: " + part(60_000, b"scanner=a;session=b;") + b"\r\n\r\n",
        "many headers of one name": head + part(60_000, b"Cookie: a=b\r\n") + b"\r\n",
        "no end of a line": head + part(900_000, b"a"),
        "chunks": b"POST " + line + b" HTTP/1.1\r\nHost: page\r\n" + header
        + b"Transfer-Encoding: chunked\r\n\r\n" + part(900_000, b"1\r\na\r\n") + b"0\r\n\r\n",
        "a length of many digits": head + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
    }  # fmt: skip


def _phone() -> dict[str, bytes]:
    post = b"POST /ask HTTP/1.1\r\nHost: page\r\nContent-Type: application/json\r\n"
    long = b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n"
    return _web(b"/view", b"") | {"a body of many digits": post + long}


def _http() -> dict[str, bytes]:
    def post(path: bytes, body: bytes, *headers: bytes) -> bytes:
        told = b"".join(header + b"\r\n" for header in headers)
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        return b"POST " + path + b" HTTP/1.1\r\nHost: page\r\n" + told + length + body

    def get(path: bytes, *headers: bytes) -> bytes:
        told = b"".join(header + b"\r\n" for header in headers)
        return b"GET " + path + b" HTTP/1.1\r\nHost: page\r\n" + told + b"\r\n"

    ben = (b"X-User: ben", b"X-Review: 1")
    way = {f"way: {n}": post(b"/api/exposure", body[:990_000]) for n, body in _gpx().items()}
    zigzag = b'<rtept lat="52.3702" lon="4.8952"/><rtept lat="52.3702" lon="4.8953"/>'
    act = b"/api/review/actions"
    return _web(b"/api/status", b"X-User: ben\r\n") | way | {
        "a way to and fro": post(b"/api/exposure?reach_m=200&cone_deg=180",
                                 b"<gpx><rte>" + zigzag * (gpx.POINTS_MAX // 2)
                                 + b"</rte></gpx>"),
        "ranges": get(b"/page/index.html", b"Range: bytes=" + b"0-1," * 15_000 + b"0-1"),
        "ranges of all": get(b"/page/index.html", b"Range: bytes=" + b"0-," * 15_000 + b"0-"),
        "tags": get(b"/api/cameras.geojson", b"If-None-Match: " + b'"a",' * 15_000),
        "questions": get(b"/api/statistics?" + b"&a=b" * 12_000),
        "commas": get(b"/api/statistics?bbox=" + b"," * 50_000),
        "digits": get(b"/api/statistics?bbox=" + b"9" * 50_000),
        "a body of lists": post(act, b"[" * 65_000, *ben),
        "a body of members": post(act, b'{"verb":"split","camera_id":"x","members":['
                                  + b'["a",1],' * 8_000 + b'["a",1]]}', *ben),
        "a body too long": post(act, b" " * 900_000, *ben),
        "a number of a line": post(b"/api/review/undo", b'{"number":' + b"9" * 60_000 + b"}", *ben),
        "a passphrase": post(b"/api/review/login", b'{"name":"' + b"a" * 30_000
                             + b'","passphrase":"' + b"b" * 30_000 + b'"}', *ben),
    }  # fmt: skip


def _line() -> dict[str, bytes]:
    return {
        "finds": numbered('{"state":"seen","detail":"dome {}"}\n'),
        "facts": numbered('{"fact":"f{}","detail":"x"}\n'),
        "one line": fill(b"a", head=b'{"detail":"', tail=b'"}'),
    }


def _query() -> dict[str, bytes]:
    return {"many": b"a=b&" * 16_000, "commas": b"bbox=" + b"," * 60_000, "digits": b"9" * 60_000}


def _direction() -> dict[str, bytes]:
    return {
        "a sector": b"a" + b" " * 250 + b"-",
        "dots": b"a" + b"." * 250,
        "dots and spaces": b"a" + b". " * 120 + b"-",
        "digits and commas": b"1," * 120,
        "feet": fill(b"1'"),
        "a height": b"1" + b" " * 900_000 + b"m",
        "spelt": b"north-" * 40,
        "dashes": fill("\u2013".encode()),
    }


def _tags() -> dict[str, bytes]:
    long = b'{"direction":"' + b"90;" * 84 + b'","height":"' + b"1" * 900_000 + b'"}'
    return {
        "many": numbered('"k{}":"v"', comma=",", head="{", tail="}"),
        "long": long,
        "one key": fill(b'"direction":"90",', head=b"{", tail=b'"a":"b"}'),
        "dates": b'{"check_date":"' + b"2026-" * 100_000 + b'"}',
    }


def _osm() -> dict[str, bytes]:
    tag = '<tag k="k{}" v="v"/>'
    camera = '{"type":"node","id":{},"lat":52.3,"lon":4.9,"tags":{"man_made":"surveillance"}}'
    shown = (
        '{"geometry":{"type":"Point","coordinates":[4.9,52.3]},"id":"node/{}",'
        '"properties":{"man_made":"surveillance"}}'
    )
    place = '{"features":[{"geometry":{"type":"Point","coordinates":'
    return {
        "nodes": b"\x00" + numbered(_NODE, head="<osm>", tail="</osm>")[:-1],
        "tags of one node": b"\x00" + numbered(tag, head="<osm><node>", tail="</node></osm>")[:-1],
        "entities": b"\x00" + _LAUGHS + b"<osm>&l9;</osm>",
        "a long value": b"\x00" + fill(b"1", head=b'<osm><node id="', tail=b'"/></osm>')[1:],
        "attributes": b"\x00" + numbered(' a{}="1"', head="<osm", tail="/>")[:-1],
        "a number of many digits": b'\x00<osm><node id="' + b"9" * 5_000
        + b'" lat="1" lon="1"><tag k="man_made" v="surveillance"/></node></osm>',
        "Overpass": b"\x01" + numbered(camera, comma=",", head='{"elements":[', tail="]}"),
        "GeoJSON": b"\x02" + numbered(shown, comma=",", head='{"features":[', tail="]}"),
        "deep places": b"\x02" + (place + "[" * 500_000).encode(),
        "large places": b"\x02" + (place + "[1" + "0" * 400 + ',2]},"id":"node/1"}]}').encode(),
        "an id of many digits": b"\x02" + (
            place + '[4,52]},"id":"' + "9" * 5_000 + '","properties":{"man_made":"surveillance"}}]}'
        ).encode(),
        "properties": b"\x02" + numbered('"k{}":"v"', comma=",",
                                         head=place + '[4,52]},"id":"node/1","properties":{',
                                         tail="}}]}"),
    }  # fmt: skip


def _blob(kind: bytes, content: bytes, claimed: int) -> bytes:
    """A block of a .pbf whose content is packed (wiki.openstreetmap.org/wiki/PBF_Format)."""

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    packed = zlib.compress(content, 9)
    blob = b"\x10" + varint(claimed) + b"\x1a" + varint(len(packed)) + packed
    head = b"\x0a" + varint(len(kind)) + kind + b"\x18" + varint(len(blob))
    return struct.pack(">I", len(head)) + head + blob


def _packed() -> dict[str, bytes]:
    first = PBF[: 4 + struct.unpack(">I", PBF[:4])[0] + 0x31]
    texts = b"\x0a\x80\x80\x80\x0f" + b"\x0a\x00" * (31_457_280 // 2)  # a table of empty words
    large = _blob(b"OSMData", texts, len(texts))
    return {
        "opl": b"\x01" + numbered("n{} v1 dV Tman_made=surveillance x4.9 y52.3\n")[:-1],
        "a block of 30 MB": b"\x00" + first + large,
        "blocks of 30 MB": b"\x00" + first + large * 8,
        "a block that claims more": b"\x00" + first + _blob(b"OSMData", bytes(100), 2**31 - 1),
        "packed zeros": b"\x03" + gzip.compress(bytes(30_000_000)),
        "packed text": b"\x03" + gzip.compress(b"<osm>" + b" " * 10_000_000 + b"</osm>"),
    }


def _ground() -> dict[str, bytes]:
    head, tail = '{"type":"FeatureCollection","features":[', "]}"
    street = '{"geometry":{"type":"LineString","coordinates":[[4.9,52.{}],[4.901,52.{}]]}}'
    long = '{"geometry":{"type":"LineString","coordinates":['
    return {
        "streets": numbered(street, comma=",", head=head, tail=tail),
        "round the Earth": (head + long + "[-180,-90],[180,90]]}}" + tail).encode(),
        "to and fro": fill(b"[4,52],[5,53],", head=(head + long).encode(), tail=b"[4,52]]}}]}"),
        "beyond": (head + long + "[1e300,1e300],[-1e300,1]]}}" + tail).encode(),
        "ponds": fill(
            b'{"geometry":{"type":"Polygon","coordinates":[[[4.9,52.3],[4.9,52.3]]]}},',
            head=head.encode(), tail=b'{"geometry":{"type":"Polygon","coordinates":[]}}]}',
        ),
        "a shore": fill(b"[4.9,52.3],", head=(head + long).replace("LineString", "Polygon").encode()
                        + b"[", tail=b"[4.9,52.3]]]}}]}"),
    }  # fmt: skip


def _lens() -> dict[str, bytes]:
    return {
        "dotted keys": fill(b"a.", tail=b"a=1"),
        "short dotted keys": b"a." * 2_000 + b"a=1",
        "lists": b"a=" + b"[" * 4_000,
        "lists closed": b"a=" + b"[" * 450 + b"]" * 450,
    }


def _png(width: int, height: int, colour: int, bits: int, *, rows: int = 1) -> bytes:
    """A black picture of which only so many rows are there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + sum_

    squeeze, packed = zlib.compressobj(9), io.BytesIO()
    row = bytes(1 + width * bits * (3 if colour == 2 else 1) // 8)
    for _ in range(rows):
        packed.write(squeeze.compress(row))
    packed.write(squeeze.flush())
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed.getvalue())
        + chunk(b"IEND", b"")
    )  # fmt: skip


def _card() -> dict[str, bytes]:
    sof = b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xdc\xff\xdc\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    return {f"settings: {n}": b"\x00" + c for n, c in _configuration().items()} | {
        f"enrolment: {n}": b"\x01" + c for n, c in _enrolment().items()
    } | {
        f"Imager's: {n}": b"\x09" + c for n, c in _configuration().items()
    } | {
        "a script of one word": b"\x08#!/bin/sh\n/usr/lib/userconf-pi/userconf '" + b"a" * 900_000,
        "a script of words": b"\x08#!/bin/sh\n/usr/lib/userconf-pi/userconf " + b"a " * 400_000,
        "points of access": b"\x06" + b'  access-points:\n    "a":\n' * 30_000,
        "quotes in a key": b'\x06"' + b'\\"' * 400_000,
        "a fingerprint": b"\x03" + fill(b"a ")[1:],
        "a black picture": b"\x04" + _png(20_000, 20_000, 0, 1),
        "a coloured picture": b"\x04" + _png(12_000, 12_000, 2, 8),
        "a picture of 10 GB": b"\x04" + _png(60_000, 60_000, 2, 8),
        "as large as is read": b"\x04" + _png(4_470, 4_470, 0, 1, rows=4_470),
        "as large, coloured": b"\x04" + _png(4_470, 4_470, 2, 8, rows=4_470),
        "an empty photograph": b"\x05" + sof + scan + bytes(1000) + b"\xff\xd9",
    }  # fmt: skip


def _known() -> dict[str, bytes]:
    counts = {n: {"a": 1} for n in range(2_000)}
    state = known._State(1, 91, 0, bytes(32), b"", counts)
    return {"counts": msgspec.msgpack.encode(state), "turns": msgspec.msgpack.encode([2**62])}


def _home() -> dict[str, bytes]:
    return {"salt": msgspec.msgpack.encode({"salt": bytes(900_000), "code": 2**60})}


def _outbox() -> dict[str, bytes]:
    return {
        "nothing in it": outbox_with("DELETE FROM record"),
        "NULL": outbox_with("INSERT INTO loose VALUES ('a', NULL, NULL)"),
        "text": outbox_with("INSERT INTO loose VALUES ('a', 'text', 'soon')"),
        "numbers": outbox_with("INSERT INTO loose VALUES (1, 2, 3.5)"),
        "not UTF-8": outbox_with("INSERT INTO loose VALUES (CAST(x'ff' AS TEXT), x'00', 1)"),
        "a large one": outbox_with("INSERT INTO loose VALUES ('a', zeroblob(900000), 1)"),
        "due for ever": outbox_with("INSERT INTO loose VALUES ('a', x'00', 9223372036854775807)"),
        "due before time": outbox_with("INSERT INTO loose VALUES ('a', x'00', -9e300)"),
        "many": outbox_with(
            "INSERT INTO loose WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT"
            " 800) SELECT hex(randomblob(16)), zeroblob(1072), i FROM n"
        ),
    }


def _update() -> dict[str, bytes]:
    good = b'{"signatures":[],"signed":{"_type":"root","version":2,"spec_version":"1.0.0",'
    return {
        "lists": b"\x00" + b"[" * 16_000,
        "root of lists": b"\x03" + b"[" * 500_000,
        "signatures": b"\x03" + b'{"signatures":[' + b'{"keyid":"a","sig":"b"},' * 20_000,
        "keys": b"\x03" + numbered('"k{}":{"keytype":"a","scheme":"b","keyval":{"public":"c"}}',
                                   comma=",", head=good.decode() + '"keys":{', most=6_000),
        "digits": b"\x03" + good + b'"expires":' + b"9" * 400_000 + b"}}",
    }  # fmt: skip


_OWN: Final[dict[str, Callable[[], dict[str, bytes]]]] = {
    "record": _record, "fusing": _fusing, "feature": _feature, "enrolment": _enrolment,
    "configuration": _configuration, "hints": _hints, "courier": _courier, "tokens": _tokens,
    "reviews": _reviews, "nmea": _nmea, "gpsd": _gpsd, "gpx": _gpx, "track": _track, "ble": _ble,
    "packets": _packets, "inbox": _inbox, "phone": _phone, "line": _line, "query": _query,
    "http": _http, "direction": _direction, "tags": _tags, "osm": _osm, "packed": _packed,
    "ground": _ground, "lens": _lens, "card": _card, "known": _known, "home": _home,
    "outbox": _outbox, "update": _update,
}  # fmt: skip


def cases(name: str) -> dict[str, bytes]:
    """The worst that is known for a target, at most 1 MB each."""
    # Each of the packed costs a process, and pyosmium is written in another language.
    found = _OWN[name]() | ({} if name == "packed" else SHAPES)
    return {case: data[:INPUT_MAX] for case, data in found.items()}
