"""Cameras that OpenStreetMap has, read from files.

Files only: nothing here, and nothing anywhere else in this program, talks to OpenStreetMap. Who
drew a camera is not read.
"""

import importlib.util
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

import msgspec

from scanner.core.osm import reading as osm_reading
from scanner.errors import UNREADABLE, UsageError, from_checkout
from scanner.hub.stores.protocol import Known

VERSION: Final = "@version"  # of the node, kept among its tags: without it none can be changed
CHUNK: Final = 1 << 16
UNREAD: Final = 2  # how the process that reads packed files ends if it can say why
_NUMBER: Final = re.compile(r"[0-9]{1,19}")  # 64 bits, as OpenStreetMap counts


def read(path: Path) -> Iterator[Known]:
    """The cameras of an .osm, .osm.pbf (or other that pyosmium reads), GeoJSON or Overpass file.

    Raises UsageError with what is wrong.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    name = path.name.lower()
    try:
        if name.endswith((".osm", ".xml")):
            yield from _from_xml(path)
        elif name.endswith((".json", ".geojson")):
            yield from _from_json(path)
        else:
            yield from _from_pyosmium(path)
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror or e}") from e


def known_node(ref: str, lat_deg: float, lon_deg: float, tags: dict[str, str]) -> Known | None:
    """A camera, None for anything else and for impossible places."""
    if not osm_reading.surveils(tags) or not abs(lat_deg) <= 90 or not abs(lon_deg) <= 180:  # noqa: PLR2004
        return None
    return Known(
        ref=ref,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        tags=tags,
        direction_deg=osm_reading.read(tags).direction_deg,
    )


class _Nodes:
    """Nodes with their tags out of the elements of an OSM file, as they end."""

    def __init__(self) -> None:
        self.done: list[Known] = []
        self._node: dict[str, str] | None = None
        self._tags: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "node":
            self._node, self._tags = attributes, {}
        elif name == "tag" and self._node is not None:
            self._tags[attributes.get("k", "")] = attributes.get("v", "")

    def end(self, name: str) -> None:
        if name != "node" or self._node is None:
            return
        node, self._node = self._node, None
        number = node.get("id", "")
        if not _NUMBER.fullmatch(number) or node.get("visible") == "false":
            return  # not of OpenStreetMap, or deleted there
        try:
            lat_deg, lon_deg = float(node["lat"]), float(node["lon"])
        except (KeyError, ValueError):
            return
        tags = self._tags
        if _NUMBER.fullmatch(node.get("version", "")):
            tags[VERSION] = node["version"]
        known = known_node(f"node/{int(number)}", lat_deg, lon_deg, tags)
        if known:
            self.done.append(known)


def _from_xml(path: Path) -> Iterator[Known]:
    nodes, parser = _Nodes(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = nodes.start, nodes.end

    def refuse(*_: object) -> None:
        raise UsageError(f"{path}: declares entities", hint="an .osm file has none")

    parser.EntityDeclHandler = refuse
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK):
                parser.Parse(chunk, False)
                yield from nodes.done
                nodes.done.clear()
            parser.Parse(b"", True)
        # Of an encoding that is none Python's own errors come.
        except (expat.ExpatError, LookupError, ValueError) as e:
            raise UsageError(f"{path}: not an .osm file: {e}") from e


def _from_pyosmium(path: Path) -> Iterator[Known]:
    if importlib.util.find_spec("osmium") is None:
        raise UsageError(
            f"{path}: needs pyosmium", hint=f"{from_checkout('osm')}; or give it as .osm"
        )
    command = [sys.executable, "-m", "scanner.hub.osm_packed", str(path)]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout  # noqa: S101 - for the type checker
        assert child.stderr  # noqa: S101
        for line in child.stdout:
            yield msgspec.json.decode(line, type=Known)
        said = child.stderr.read().decode(errors="replace").strip()
    if child.returncode:
        why = said if child.returncode == UNREAD else "damaged: its reader fell over it"
        raise UsageError(f"{path}: not a file of OpenStreetMap: {why}")


class _Element(msgspec.Struct):
    """A node as Overpass gives it."""

    type: str
    id: int
    lat: float | None = None
    lon: float | None = None
    version: int | None = None
    tags: dict[str, str] = {}


class _Geometry(msgspec.Struct):
    type: str
    coordinates: Any = None


class _Feature(msgspec.Struct):
    geometry: _Geometry | None = None
    id: str | int | None = None
    properties: dict[str, Any] | None = None


class _Document(msgspec.Struct):
    """Overpass JSON or GeoJSON."""

    elements: list[_Element] = []
    features: list[_Feature] = []


def _from_json(path: Path) -> Iterator[Known]:
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except UNREADABLE as e:
        raise UsageError(f"{path}: neither GeoJSON nor Overpass JSON: {e}") from e
    for known in itertools.chain(
        map(_of_element, document.elements), map(_of_feature, document.features)
    ):
        if known:
            yield known


def _of_element(element: _Element) -> Known | None:
    if element.type != "node" or element.lat is None or element.lon is None or element.id <= 0:
        return None
    tags = dict(element.tags)
    if element.version:
        tags[VERSION] = str(element.version)
    return known_node(f"node/{element.id}", element.lat, element.lon, tags)


def _of_feature(feature: _Feature) -> Known | None:
    """A feature of osmtogeojson, Overpass turbo or like theirs; None without a node's number."""
    place = feature.geometry.coordinates if feature.geometry else None
    properties = feature.properties or {}
    name = str(feature.id if feature.id is not None else properties.get("@id", ""))
    number = name.removeprefix("node/").removeprefix("n")
    if (
        feature.geometry is None
        or feature.geometry.type != "Point"
        or not isinstance(place, list)
        or len(place) < 2  # noqa: PLR2004
        or not all(type(p) in (int, float) and abs(p) <= 180 for p in place[:2])  # noqa: PLR2004
        or not _NUMBER.fullmatch(number)
    ):
        return None
    inner = properties.get("tags")
    said = inner if isinstance(inner, dict) else properties
    tags = {k: v for k, v in said.items() if isinstance(v, str) and not k.startswith("@")}
    version = properties.get(VERSION)
    if isinstance(version, str | int) and _NUMBER.fullmatch(str(version)):
        tags[VERSION] = str(version)
    return known_node(f"node/{int(number)}", float(place[1]), float(place[0]), tags)
