"""What reads bytes that somebody else wrote, with what must hold whatever they are.

Each target takes any bytes and returns; it may only raise what it is allowed to. Seeds show the
fuzzer what good input looks like.
"""

import itertools
import math
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from starlette.datastructures import QueryParams

from scanner import config, enrolment, signing
from scanner.core import hints, wire
from scanner.core.fixes import Fix, FixRing, Lost
from scanner.core.nmea import MAX_LINE, NmeaReader, fixes_from_nmea
from scanner.core.osm import reading as osm_reading
from scanner.core.osm import tags as osm
from scanner.errors import UNREADABLE, ConfigError, MediaError, UsageError, WireError
from scanner.hardware.ble import LocationReader
from scanner.hardware.gpsd import ReportReader
from scanner.hub import gpx, osm_import
from scanner.hub.api_answers import parse_box, parse_number
from scanner.hub.exports import geojson, josm, kml, maproulette, table
from scanner.hub.exports.source import Entry, additions
from scanner.hub.stores.protocol import Known
from scanner.phone import lines
from scanner.replay.tracks import RecordedTrack
from tests.helpers.reports import entry, record
from tests.helpers.shown import CHECKED, feature

SECOND_NS: Final = 1_000_000_000
SMALL: Final = 100_000  # bytes up to which a second way of reading is compared


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One parser."""

    read: Callable[[bytes], None]
    allowed: tuple[type[Exception], ...]  # what it says of bytes it will not have
    seeds: tuple[bytes, ...]


def run(target: Target, data: bytes) -> bool:
    """Whether the parser took the bytes; raises whatever it should not."""
    try:
        target.read(data)
    except target.allowed:
        return False
    return True


# --- records and the map -------------------------------------------------------------------------


def _record(data: bytes) -> None:
    """As it comes, and as the body of a record whose padding is right."""
    if len(data) < wire.PLAIN_BYTES:
        data = data + b"\x80" + bytes(wire.PLAIN_BYTES - len(data) - 1)
    found = wire.decode_record(data)
    assert wire.decode_record(wire.encode_record(found)) == found
    assert 1 <= len(found.cameras) <= wire.MAX_CAMERAS
    for camera in found.cameras:
        assert abs(camera.lat_e7) <= wire.LATITUDE_MAX_E7
        assert len(wire.geohash(camera.lat_e7 / 1e7, camera.lon_e7 / 1e7)) == wire.CELL_CHARS


_features = msgspec.json.Decoder(wire.CameraFeature)
_cells = msgspec.json.Decoder(wire.Cell)
_changes = msgspec.json.Decoder(wire.Change)


def _feature(data: bytes) -> None:
    """A camera as read back from a store or the broker, and every file it can be written to."""
    try:
        cameras = _cells.decode(data).features
    except UNREADABLE:
        try:
            cameras = [_features.decode(data)]
        except UNREADABLE:
            wire.encode_json(_changes.decode(data))
            return
    for camera in cameras[:50]:
        tags = osm.tags_of(camera.properties)
        assert osm.lint(tags, camera.properties.basis) == []
        item = Entry(what="new", feature=camera, added=tags)
        for text in (
            *geojson.chunks([camera]),
            *table.chunks([camera]),
            *kml.chunks([camera]),
            *josm.chunks([item]),
            *maproulette.chunks([item]),
        ):
            text.encode()


def _enrolment(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        signing.check(text)
    except ConfigError:
        found = enrolment.decode(data)
        assert enrolment.decode(enrolment.encode(found)) == found
        assert not any(c.isspace() for c in found.broker.host + "".join(found.hub_keys))
        for epoch in found.hub_keys:
            assert enrolment.first_day(epoch) < enrolment.end_day(epoch)


def _configuration(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    found = config.parse(text, "scanner.toml")
    assert all(
        math.isfinite(value)
        for section, key, _, _ in config.entries()
        if isinstance(value := getattr(getattr(found, section), key), float)
    )


def _line(data: bytes) -> None:
    """What watch tells the page, and a signed list of signatures to listen for."""
    found = lines.decode(data)
    assert found is None or len(lines.encode(found)) <= len(data) + lines.LINE_BYTES
    hints.parse(data)


# --- positions -----------------------------------------------------------------------------------


def _finite(fixes: Sequence[Fix | Lost]) -> None:
    """Whatever a receiver says, positions are on the Earth."""
    ring = FixRing(sigma_m=4.0)
    for number, fix in enumerate(fixes[:400]):
        at_ns = number * SECOND_NS
        ring.add(msgspec.structs.replace(fix, at_ns=at_ns))
        position = ring.position_at(at_ns)
        if position:
            assert abs(position.lat_deg) <= 90
            assert abs(position.lon_deg) <= 180
            assert 0 < position.sigma_m < math.inf
            assert position.course_deg is None or math.isfinite(position.course_deg)
            assert math.isfinite(position.course_sigma_deg)
            assert position.utc_s is None or math.isfinite(position.utc_s)


def _nmea(data: bytes) -> None:
    """In one piece and in small ones: the same; damaged checksums are put right first."""
    data = _checked(data)
    whole = NmeaReader().feed(data, 0)
    _finite(whole)
    if len(data) > SMALL:
        return
    reader = NmeaReader()
    pieces = [news for i in range(0, len(data), 997) for news in reader.feed(data[i : i + 997], 0)]
    if max(map(len, data.split(b"\n"))) < MAX_LINE - 1000:
        assert pieces == whole
    fixes_from_nmea(data.decode("ascii", errors="replace").splitlines())


def _checked(data: bytes) -> bytes:
    """Each sentence with the checksum it should have: a fuzzer does not find it by chance."""

    def right(match: re.Match[bytes]) -> bytes:
        total = 0
        for byte in match[1]:
            total ^= byte
        return b"$%s*%02X" % (match[1], total)

    return re.sub(rb"\$([\x20-\x23\x25-\x29\x2b-\x7e]*)\*..", right, data)


def _gpsd(data: bytes) -> None:
    reader = ReportReader()
    news = [reader.read(line, i) for i, line in enumerate(data.split(b"\n")[:2000])]
    _finite([n for n in news if n is not None])


def _ble(data: bytes) -> None:
    """Values of 20 bytes or what the first byte says, one after the other."""
    reader, news, at = LocationReader(), [], 0
    for number in range(400):
        if at >= len(data):
            break
        size = data[at] % 32
        news.append(reader.read(data[at + 1 : at + 1 + size], number))
        at += 1 + size
    _finite([n for n in news if n is not None])


def _gpx(data: bytes) -> None:
    """The hub's reader of a stranger's way, and the scanner's of a recorded track."""
    try:
        with tempfile.NamedTemporaryFile(suffix=".gpx") as file:
            file.write(data)
            file.flush()
            RecordedTrack(Path(file.name)).position_at(0)
    except MediaError:
        pass
    for line in gpx.lines_from_gpx(data):
        assert all(abs(lat) <= 90 and abs(lon) <= 180 for lat, lon in line)


# --- OpenStreetMap -------------------------------------------------------------------------------


def _direction(data: bytes) -> None:
    text = data.decode(errors="replace")
    found = osm_reading.directions(text)
    if not isinstance(found, osm_reading.Unread):
        assert found
        assert all(0 <= v.direction_deg < 360 for v in found)
        assert all(v.width_deg is None or 0 < v.width_deg <= 360 for v in found)
    for reader in (osm_reading.mount, osm_reading.height_m, osm_reading.date):
        reader(text)
    assert table.safe(text)[:1] not in tuple("=+-@\t\r")


def _tags(data: bytes) -> None:
    tags = msgspec.json.decode(data, type=dict[str, str])
    reading = osm_reading.read(tags)
    assert reading.direction_deg is None or 0 <= reading.direction_deg < 360
    osm.lint(tags)
    camera = feature("a", reviewed=tags, basis=CHECKED, height_m=3, direction_deg=9)
    assert osm.lint(camera.properties.tags, CHECKED) == []
    known = Known(ref="node/1", lat_deg=0, lon_deg=0, tags={"@version": "1"} | tags)
    added = additions(camera, known)
    assert all(osm.RULES[key](value) is None for key, value in added.items())


def _osm_file(data: bytes) -> None:
    """The first byte says which form."""
    suffix = (".osm", ".json", ".geojson")[(data[0] if data else 0) % 3]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data[1:])
        file.flush()
        for known in itertools.islice(osm_import.read(Path(file.name)), 1000):
            assert abs(known.lat_deg) <= 90
            assert abs(known.lon_deg) <= 180
            assert re.fullmatch(r"node/[0-9]+", known.ref)


# --- the web -------------------------------------------------------------------------------------


def _query(data: bytes) -> None:
    told = QueryParams(data)
    value = told.get("value", data.decode(errors="replace"))
    try:
        box = parse_box(told.get("bbox", value))
        assert box is None or all(map(math.isfinite, box))
    except UsageError:
        pass
    assert 5 <= parse_number(value, "reach_m", 30, 5, 200) <= 200


# --- all of them ---------------------------------------------------------------------------------

_RMC: Final = b"$GPRMC,090000.00,A,5545.1200,N,03737.0500,E,2.7,84.4,010626,,,A*5C\r\n"
_TPV: Final = (
    b'{"class":"TPV","device":"/dev/a","mode":3,"time":"2026-06-01T09:00:00.000Z",'
    b'"lat":55.75,"lon":37.6,"eph":9.5,"speed":1.4,"track":84.0}\n'
)
_GPX: Final = (
    b'<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>'
    b'<trkpt lat="55.75" lon="37.60"><time>2026-06-01T09:00:00Z</time></trkpt>'
    b'<trkpt lat="55.76" lon="37.61"><time>2026-06-01T09:00:01Z</time></trkpt>'
    b"</trkseg></trk></gpx>"
)
_BODY: Final = wire.encode_record(record([entry((0, 0)), entry((9, 4))])).rstrip(b"\0")[:-1]
_NODE: Final = (
    b'<osm version="0.6"><node id="7" version="2" lat="52.3" lon="4.9">'
    b'<tag k="man_made" v="surveillance"/><tag k="direction" v="90;180"/></node></osm>'
)
_OVERPASS: Final = (
    b'{"elements":[{"type":"node","id":7,"lat":52.3,"lon":4.9,"version":2,'
    b'"tags":{"man_made":"surveillance","camera:direction":"NB"}}]}'
)
_GEOJSON: Final = (
    b'{"type":"FeatureCollection","features":[{"type":"Feature","id":"node/7","geometry":'
    b'{"type":"Point","coordinates":[4.9,52.3]},"properties":{"man_made":"surveillance"}}]}'
)
_ENROLMENT: Final = enrolment.encode(
    enrolment.Enrolment(
        v=1,
        made="2026-11-01",
        broker=enrolment.Broker(host="hub.example"),
        hub_keys={"2026-Q4": bytes(32)},
        issuers={"2026-11": bytes(256)},
    )
)
_HINTS: Final = (
    b'{"v":1,"made":"2026-11-01","signatures":'
    b'[{"title":"a","source":"b","companies":["09C8"],"names":["Abcdefgh"]}]}'
)
_MAP: Final = wire.Cell(features=[feature("a", height_m=3, direction_deg=10)])

TARGETS: Final[dict[str, Target]] = {
    "record": Target(read=_record, allowed=(WireError,), seeds=(_BODY, wire.DUMMY)),
    "feature": Target(
        read=_feature,
        allowed=(*UNREADABLE, WireError),
        seeds=(wire.encode_json(_MAP), wire.encode_json(_MAP.features[0])),
    ),
    "enrolment": Target(
        read=_enrolment,
        allowed=(ConfigError,),
        seeds=(_ENROLMENT, _ENROLMENT + b"\ned25519 " + b"A" * 43 + b"= " + b"A" * 86 + b"==\n"),
    ),
    "configuration": Target(
        read=_configuration, allowed=(ConfigError,), seeds=(config.example().encode(), b"[mqtt]\n")
    ),
    "line": Target(
        read=_line,
        allowed=(ConfigError,),
        seeds=(
            b'{"state":"seeking","detail":"no fix","new_walk":true}',
            _HINTS,
        ),
    ),
    "nmea": Target(
        read=_nmea,
        allowed=(),
        seeds=(
            _RMC * 3,
            _RMC
            + b"$GPGGA,090000.00,5545.1200,N,03737.0500,E,1,08,0.9,150.0,M,14.0,M,,*6B\r\n"
            + b"$GPGST,090000.00,2.1,3.0,1.8,40.0,2.2,1.9,4.0*5E\r\n",
        ),
    ),
    "gpsd": Target(
        read=_gpsd,
        allowed=(),
        seeds=(_TPV, _TPV + b'{"class":"GST","lat":2.1,"lon":1.9}\n{"class":"SKY","hdop":0.9}\n'),
    ),
    "gpx": Target(read=_gpx, allowed=(UsageError,), seeds=(_GPX,)),
    "ble": Target(
        read=_ble,
        allowed=(),
        seeds=(bytes([12]) + b"\x85\x00\x8c\x00" + bytes(8), bytes([19]) + b"\xd5\x00" + bytes(17)),
    ),
    "direction": Target(
        read=_direction,
        allowed=(),
        seeds=(b"90;180", b"338-23", b"NB", b"north-west", b"90 deg", b"12'6\"", b"2026-11"),
    ),
    "tags": Target(
        read=_tags,
        allowed=UNREADABLE,
        seeds=(
            b'{"man_made":"surveillance","direction":"90","camera:mount":"pole","height":"3 m"}',
            b'{"surveillance:type":"ALPR","manufacturer":"Flock Safety","check_date":"2020"}',
        ),
    ),
    "osm": Target(
        read=_osm_file,
        allowed=(UsageError,),
        seeds=(b"\x00" + _NODE, b"\x01" + _OVERPASS, b"\x02" + _GEOJSON),
    ),
    "query": Target(
        read=_query, allowed=(UsageError,), seeds=(b"bbox=4.7,52.3,5,52.4&value=30", b"value=1e2")
    ),
}
