"""Vector tiles of points: Mapbox Vector Tile 2.1, and which tile a place lies in.

Only what points need (specification: github.com/mapbox/vector-tile-spec/tree/master/2.1): one
layer, one MoveTo per feature, values that are text or whole numbers.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

EXTENT: Final = 4096  # units along a side of a tile
BUFFER: Final = 128  # units beyond the edge, so that a symbol is not cut where two tiles meet
DEEPEST: Final = 16  # tiles below are drawn from those of this zoom: 0.15 m per unit
POINTS_FROM: Final = 13  # below, clusters from the pyramid

Value = str | int
Dot = tuple[int, int, Mapping[str, Value]]  # x, y in units from the top left corner; properties


def encode(layer: str, dots: Iterable[Dot]) -> bytes:
    """A tile of one layer of points; no bytes at all where there is none."""
    keys: dict[str, int] = {}
    values: dict[Value, int] = {}
    features = bytearray()
    for x, y, properties in dots:
        tags = bytearray()
        for key, value in properties.items():
            tags += _varint(keys.setdefault(key, len(keys)))
            tags += _varint(values.setdefault(value, len(values)))
        place = b"\x09" + _varint(_zigzag(x)) + _varint(_zigzag(y))  # 9: MoveTo, once
        features += _bytes(2, _bytes(2, tags) + b"\x18\x01" + _bytes(4, place))  # type 1: point
    if not features:
        return b""
    body = b"\x78\x02" + _bytes(1, layer.encode()) + features
    body += b"".join(_bytes(3, key.encode()) for key in keys)
    body += b"".join(_bytes(4, _value(value)) for value in values)
    return _bytes(3, body + b"\x28" + _varint(EXTENT))


def exists(z: int, x: int, y: int) -> bool:
    """Whether there can be such a tile."""
    return 0 <= z <= DEEPEST and 0 <= x < 1 << z and 0 <= y < 1 << z


def place_of(z: int, x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude of a place counted in tiles of a zoom (spherical Mercator)."""
    lat = math.atan(math.sinh(math.pi * (1 - 2 * y / (1 << z))))
    return math.degrees(lat), x / (1 << z) * 360 - 180


def _varint(n: int) -> bytes:
    if n < 0x80:  # noqa: PLR2004
        return _SHORT[n]
    out = bytearray()
    while n > 0x7F:  # noqa: PLR2004
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


_SHORT: Final = [bytes([n]) for n in range(0x80)]


def _zigzag(n: int) -> int:
    return n << 1 if n >= 0 else (-n << 1) - 1


def _bytes(field: int, content: bytes | bytearray) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return _bytes(1, value.encode())
    return b"\x30" + _varint(_zigzag(value))  # field 6: sint
