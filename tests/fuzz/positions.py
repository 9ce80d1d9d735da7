"""Readers of positions: what receivers, gpsd and recorded tracks say."""

import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from scanner.core.exposure import Eye, Sight, expose
from scanner.core.fixes import Fix, FixRing, Lost
from scanner.core.nmea import MAX_LINE, NmeaReader, fixes_from_nmea
from scanner.errors import MediaError, UsageError
from scanner.hardware.ble import LocationReader
from scanner.hardware.gpsd import ReportReader
from scanner.hub import gpx
from scanner.hub.api_forms import exposure_answer
from scanner.records import Kind
from scanner.replay.tracks import RecordedTrack
from tests.fuzz.target import Target

SECOND_NS: Final = 1_000_000_000
SMALL: Final = 100_000  # bytes up to which a second way of reading is compared


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
    """The hub's reader of a stranger's way, and what the cameras on it may see."""
    lines = gpx.lines_from_gpx(data)
    for line in lines:
        assert all(abs(lat) <= 90 and abs(lon) <= 180 for lat, lon in line)
    found = exposure_answer(expose(lines, _around(lines[0]), Sight()), Sight())
    assert 0 <= found.seen_m <= found.length_m + 1
    assert b"null" not in msgspec.json.encode((found.way, found.length_m, found.seen_m))


def _around(line: Sequence[tuple[float, float]]) -> "Cameras":
    """Two cameras at the beginning of a way."""
    (lat, lon), (to_lat, to_lon) = line[:2]
    return Cameras(
        [
            _EYE,
            msgspec.structs.replace(_EYE, id="b", lat_deg=lat, lon_deg=lon, direction_deg=None),
            msgspec.structs.replace(_EYE, id="c", lat_deg=to_lat, lon_deg=to_lon),
        ]
    )


class Cameras:
    """Those of a box."""

    def __init__(self, eyes: list[Eye]) -> None:
        self._eyes = eyes

    def __call__(self, box: tuple[float, float, float, float]) -> list[Eye]:
        west, south, east, north = box
        assert south <= north
        assert all(map(math.isfinite, box))
        return [e for e in self._eyes if south <= e.lat_deg <= north and west <= e.lon_deg <= east]


def _track(data: bytes) -> None:
    """A recording, as GPX or as NMEA."""
    with tempfile.NamedTemporaryFile(suffix=".gpx" if data[:1] == b"<" else ".nmea") as file:
        file.write(data if data[:1] == b"<" else _checked(data))
        file.flush()
        track = RecordedTrack(Path(file.name))
        for at_ns in (-1, 0, SECOND_NS, round(track.duration_s * SECOND_NS)):
            position = track.position_at(at_ns)
            assert position is None or abs(position.lat_deg) <= 90


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
_GGA: Final = b"$GPGGA,090000.00,5545.1200,N,03737.0500,E,1,08,0.9,150.0,M,14.0,M,,*6B\r\n"
_GST: Final = b"$GPGST,090000.00,2.1,3.0,1.8,40.0,2.2,1.9,4.0*5E\r\n"
_EYE: Final = Eye(
    id="a", lat_deg=55.75, lon_deg=37.60, kind=Kind.BULLET, sigma_m=1.0, direction_deg=90.0
)
_XML: Final = (b"<trk>", b"<trkseg>", b"</trkseg>", b"<rte>", b"<rtept ", b'<trkpt lat="', b'lon="')
_NUMBERS: Final = (b"nan", b"inf", b"-0", b"1e308", b"180", b"-90", b"359.999999")

TARGETS: Final[dict[str, Target]] = {
    "nmea": Target(
        read=_nmea,
        seeds=(_RMC * 3, _RMC + _GGA + _GST, _RMC.replace(b",A,", b",V,") + _GGA),
        words=(b"$GPRMC,", b"$GNGGA,", b"$GPGST,", b"*00", b",A,", b",V,", b",N,", b",W,",
               b"090000.00", b"010626", *_NUMBERS),
    ),
    "gpsd": Target(
        read=_gpsd,
        seeds=(_TPV, _TPV + b'{"class":"GST","lat":2.1,"lon":1.9}\n{"class":"SKY","hdop":0.9}\n'),
        words=(b'"class":"TPV"', b'"class":"GST"', b'"class":"SKY"', b'"mode":3', b'"lat":',
               b'"lon":', b'"eph":', b'"epx":', b'"epy":', b'"hdop":', b'"speed":', b'"track":',
               b'"time":"', b'"device":"', b"null", *_NUMBERS),
    ),
    "gpx": Target(
        read=_gpx, allowed=(UsageError,), seeds=(_GPX,), words=(*_XML, b"<!DOCTYPE", *_NUMBERS)
    ),
    "track": Target(
        read=_track,
        allowed=(MediaError,),
        seeds=(_GPX, _RMC + _RMC.replace(b"090000", b"090001"), _RMC + _GGA + _GST),
        words=(*_XML, b"<time>", b"</time>", b"2026-06-01T09:00:00Z", b"+23:59", *_NUMBERS),
    ),
    "ble": Target(
        read=_ble,
        seeds=(
            bytes([12]) + b"\x85\x00\x8c\x00" + bytes(8),
            bytes([19]) + b"\xd5\x00" + bytes(17),
            bytes([27]) + b"\xff\x00" + bytes(16) + b"\xea\x07\x06\x01\x09\x00\x00",
        ),
        words=(b"\x85\x00", b"\xd5\x00", b"\xff\x00", b"\x00\xe9\xa4\x35", b"\xea\x07\x06\x01"),
    ),
}  # fmt: skip
