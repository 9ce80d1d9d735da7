"""Vector tiles of the whole map: a folder of z/x/y.mvt, or one PMTiles archive (version 3).

The pyramid is walked from the top, and only where there is something below, so time and memory go
with the tiles that exist, not with the world.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scanner.core.wire import KIND_CODES
from scanner.errors import UsageError
from scanner.hub.api_reader import MapReader
from scanner.hub.exports import LICENCE, LICENCE_URL, NOTICE
from scanner.hub.stores.protocol import Store
from scanner.hub.tiles import POINTS_FROM

DEEPEST: Final = 14  # viewers draw closer looks from these
ATTRIBUTION: Final = f'{NOTICE} <a href="{LICENCE_URL}">{LICENCE}</a>'
Address = tuple[int, int, int]  # z, x, y


def walk(store: Store, deepest: int = DEEPEST) -> Iterator[tuple[Address, bytes]]:
    """Every tile that holds something, as the hub serves it, in the order of PMTiles."""
    reader = MapReader(store)
    level: list[tuple[int, int]] = [(0, 0)]
    for z in range(deepest + 1):
        below: list[tuple[int, int]] = []
        for x, y in sorted(level, key=lambda place: tile_id(z, *place)):
            body = reader.tile(z, x, y).body
            if body:
                yield (z, x, y), body
                below += [(2 * x + i, 2 * y + j) for j in (0, 1) for i in (0, 1)]
        level = below


def tile_id(z: int, x: int, y: int) -> int:
    """Number of a tile in PMTiles: zoom by zoom, along a Hilbert curve within one.

    From the specification, version 3 (github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md).
    """
    number: int = ((1 << 2 * z) - 1) // 3
    for shift in range(z - 1, -1, -1):
        side = 1 << shift
        right, lower = x >> shift & 1, y >> shift & 1
        number += side * side * (3 * right ^ lower)
        if not lower:
            if right:
                x, y = side - 1 - (x & side - 1), side - 1 - (y & side - 1)
            x, y = y, x
    return number


def metadata() -> dict[str, object]:
    """What both forms say of themselves (TileJSON 3)."""
    points = {"id": "String", "kind": "String", "month": "String", "reports": "String"}
    numbers = {"sigma_dm": "Number", "radius_dm": "Number", "direction": "Number"}
    counts = {"n": "Number"} | {kind.value: "Number" for kind in KIND_CODES}
    return {
        "name": "Surveillance cameras",
        "description": NOTICE,
        "attribution": ATTRIBUTION,
        "vector_layers": [
            {"id": "clusters", "minzoom": 0, "maxzoom": POINTS_FROM - 1, "fields": counts},
            {"id": "cameras", "minzoom": POINTS_FROM, "fields": points | numbers},
        ],
    }


def write_folder(store: Store, folder: Path) -> int:
    """Write z/x/y.mvt and metadata.json; returns the number of tiles.

    Raises UsageError if there is something in the folder already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: not an empty folder", hint="old tiles would stay among new")
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for (z, x, y), body in walk(store):
        path = folder / str(z) / str(x) / f"{y}.mvt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        count += 1
    about = {"tilejson": "3.0.0", "tiles": ["{z}/{x}/{y}.mvt"], "minzoom": 0, "maxzoom": DEEPEST}
    text = json.dumps(about | metadata(), indent=1) + "\n"
    (folder / "metadata.json").write_text(text, encoding="utf-8")
    return count


def write_pmtiles(store: Store, path: Path) -> int:
    """Write one archive; returns the number of tiles. Raises UsageError for an empty map."""
    from pmtiles.tile import Compression, TileType  # noqa: PLC0415 - only this form needs it
    from pmtiles.writer import Writer  # noqa: PLC0415

    found = MapReader(store).extent()
    if not found:
        raise UsageError("no camera is published: there is nothing to make tiles of")
    west, south, east, north = (round(edge * 1e7) for edge in found)
    count = 0
    with path.open("wb") as file:
        writer = Writer(file)  # type: ignore[no-untyped-call]
        for address, body in walk(store):
            writer.write_tile(tile_id(*address), gzip.compress(body, mtime=0))  # type: ignore[no-untyped-call]
            count += 1
        header = {
            "tile_type": TileType.MVT,
            "tile_compression": Compression.GZIP,
            "min_lon_e7": west,
            "min_lat_e7": south,
            "max_lon_e7": east,
            "max_lat_e7": north,
            "center_zoom": 3,
            "center_lon_e7": (west + east) // 2,
            "center_lat_e7": (south + north) // 2,
        }
        writer.finalize(header, metadata())  # type: ignore[no-untyped-call]
    return count
