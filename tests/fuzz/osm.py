"""Readers of OpenStreetMap's forms, and of the file of streets and water."""

import itertools
import re
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from scanner.core.osm import reading as osm_reading
from scanner.core.osm import tags as osm
from scanner.errors import UNREADABLE, UsageError
from scanner.hub import osm_import
from scanner.hub.exports import table
from scanner.hub.exports.source import additions
from scanner.hub.plausibility import read_ground
from scanner.hub.stores.protocol import Known
from tests.fuzz.osm_seeds import O5M, OPL, PBF
from tests.fuzz.target import Target
from tests.helpers.shown import CHECKED, feature


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
    _cameras(data, (".osm", ".json", ".geojson"))


def _packed(data: bytes) -> None:
    """What pyosmium reads."""
    _cameras(data, (".osm.pbf", ".opl", ".o5m", ".osm.gz"))


def _cameras(data: bytes, suffixes: tuple[str, ...]) -> None:
    suffix = suffixes[(data[0] if data else 0) % len(suffixes)]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(data[1:])
        file.flush()
        for known in itertools.islice(osm_import.read(Path(file.name)), 1000):
            assert abs(known.lat_deg) <= 90
            assert abs(known.lon_deg) <= 180
            assert re.fullmatch(r"node/[0-9]+", known.ref)


def _ground(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".geojson") as file:
        file.write(data)
        file.flush()
        ground = read_ground(Path(file.name))
    for place in ((52.3, 4.9), (0.0, 0.0), (90.0, 180.0)):
        assert ground.doubt(*place, 2.0) in (None, "far from any street", "in the water")


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
_LAND: Final = (
    b'{"type":"FeatureCollection","features":[{"geometry":{"type":"LineString","coordinates":'
    b'[[4.9,52.3],[4.901,52.301]]}},{"geometry":{"type":"MultiPolygon","coordinates":'
    b"[[[[4.9,52.3],[4.902,52.3],[4.902,52.302],[4.9,52.3]]]]}}]}"
)
_TAGS: Final = (
    b"man_made", b"surveillance", b"camera:direction", b"direction", b"height", b"check_date",
    b"surveillance:type", b"ALPR", b"camera:mount", b"camera:type", b"manufacturer", b"@version",
)  # fmt: skip
_DIRECTIONS: Final = (b"90;180", b"338-23", b"NNW", b"north", b" deg", b"12'6\"", b"2026-11", b";")

TARGETS: Final[dict[str, Target]] = {
    "direction": Target(
        read=_direction,
        seeds=(b"90;180", b"338-23", b"NB", b"north-west", b"90 deg", b"12'6\"", b"2026-11"),
        words=_DIRECTIONS,
    ),
    "tags": Target(
        read=_tags,
        allowed=UNREADABLE,
        seeds=(
            b'{"man_made":"surveillance","direction":"90","camera:mount":"pole","height":"3 m"}',
            b'{"surveillance:type":"ALPR","manufacturer":"Flock Safety","check_date":"2020"}',
        ),
        words=_TAGS + _DIRECTIONS,
    ),
    "osm": Target(
        read=_osm_file,
        allowed=(UsageError,),
        seeds=(b"\x00" + _NODE, b"\x01" + _OVERPASS, b"\x02" + _GEOJSON),
        words=(*_TAGS, b"<node ", b'id="', b'version="', b"<tag ", b'k="', b'v="', b"<!ENTITY",
               b'"elements":[', b'"features":[', b'"coordinates":[', b'"Point"', b'"node"'),
    ),
    "packed": Target(
        read=_packed,
        allowed=(UsageError,),
        # Packed a thousandfold: libosmium unpacks 32 MB at once, and time follows what is in it. It
        # does so in a process of its own, which takes a while to begin.
        seconds=10,
        memory_mb=600,
        seeds=(b"\x00" + PBF, b"\x01" + OPL, b"\x02" + O5M),
        words=(b"OSMHeader", b"OSMData", b"OsmSchema-V0.6", b"DenseNodes", *_TAGS),
    ),
    "ground": Target(
        read=_ground,
        allowed=(UsageError,),
        seeds=(_LAND,),
        words=(b'"LineString"', b'"MultiLineString"', b'"Polygon"', b'"MultiPolygon"', b'"bbox":['),
    ),
}  # fmt: skip
