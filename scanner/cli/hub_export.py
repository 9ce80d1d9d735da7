"""``scanner hub export`` and ``scanner hub import``: the map as files, and what others know."""

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TextIO

from scanner.cli.hub_store import add_places, existing
from scanner.errors import StoreError, UsageError
from scanner.hub import osm_import, osm_known
from scanner.hub.exports import geojson, josm, kml, maproulette, source, table, tileset
from scanner.hub.stores import Store
from scanner.hub.stores.protocol import PUBLIC, Box

CAMERAS: Final = {"geojson": geojson.chunks, "csv": table.chunks, "kml": kml.chunks}
TASKS: Final = {"osm": josm.chunks, "maproulette": maproulette.chunks}
TILES: Final[dict[str, Callable[[Store, Path], int]]] = {
    "mvt": tileset.write_folder,
    "pmtiles": tileset.write_pmtiles,
}
EDGES: Final = 4


def add_export(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Declare ``export``."""
    parser = commands.add_parser("export", help="write the published cameras to a file")
    add_places(parser)
    parser.add_argument("--format", choices=[*CAMERAS, *TASKS, *TILES], default="geojson")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--bbox", metavar="W,S,E,N", help="only this area, degrees")
    parser.add_argument(
        "--all", action="store_true", help="candidates and rejected ones too, for reviewers"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--new-only",
        action="store_true",
        help="osm, maproulette: cameras that OpenStreetMap lacks (the default)",
    )
    which.add_argument(
        "--update", action="store_true", help="osm, maproulette: what known nodes lack"
    )
    parser.set_defaults(run=export)


def add_import(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Declare ``import``."""
    parser = commands.add_parser("import", help="take in cameras that OpenStreetMap has")
    parser.add_argument("file", type=Path, metavar="FILE", help=".osm, .osm.pbf, GeoJSON, Overpass")
    parser.add_argument("--source", metavar="NAME", help="replaces what it gave; default: FILE")
    add_places(parser)
    parser.set_defaults(run=take_in)


def export(args: argparse.Namespace) -> int:
    """Write what was asked for, piece by piece."""
    box = bbox(args.bbox)
    if args.format not in TASKS and (args.update or args.new_only):
        raise UsageError("--update and --new-only are for --format osm and maproulette")
    if args.all and args.format not in CAMERAS:
        raise UsageError(
            f"--all does not go with --format {args.format}",
            hint="candidates are for reviewers: geojson, csv or kml",
        )
    with existing(args) as store:
        if args.format in TILES:
            return _tiles(args, box, store)
        if args.format in TASKS:
            pieces = TASKS[args.format](source.entries(store, box, update=args.update))
        else:
            statuses = source.EVERYTHING if args.all else PUBLIC
            pieces = CAMERAS[args.format](source.cameras(store, box, statuses=statuses))
        _write(pieces, args.out)
    return 0


def _tiles(args: argparse.Namespace, box: Box | None, store: Store) -> int:
    if box or not args.out:
        raise UsageError(f"--format {args.format} needs --out, and is of the whole map")
    with _disk(args.out):
        count = TILES[args.format](store, args.out)
    print(f"{count} tiles in {args.out}")
    return 0


def _write(pieces: Iterable[str], out: Path | None) -> None:
    """To standard output, or to a file that is there when it is complete, and not before."""
    if out is None:
        _utf8(sys.stdout)
        for piece in pieces:
            sys.stdout.write(piece)
        return
    part = out.with_name(f"{out.name}.part")
    with _disk(out):
        try:
            with part.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)


def _utf8(out: TextIO) -> None:
    """Whatever the terminal speaks, the formats are UTF-8, and their line ends their own."""
    reconfigure = getattr(out, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding="utf-8", newline="")


@contextlib.contextmanager
def _disk(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreError(f"{out}: {e.strerror or e}", hint=os.fspath(out.parent)) from e


def bbox(text: str | None) -> Box | None:
    """West, south, east, north; raises UsageError for anything else."""
    if text is None:
        return None
    try:
        edges = [float(part) for part in text.split(",")]
    except ValueError:
        edges = []
    if len(edges) == EDGES and all(map(math.isfinite, edges)):
        west, south, east, north = edges
        if -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90:  # noqa: PLR2004
            return west, south, east, north
    raise UsageError(f"--bbox {text}: not an area", hint="west,south,east,north in degrees")


def take_in(args: argparse.Namespace) -> int:
    """Read a file of OpenStreetMap's cameras and link them with ours."""
    # A name that is not UTF-8 is no text for a database.
    name = (args.source or args.file.name).encode(errors="replace").decode()
    with existing(args) as store:
        known, linked = osm_known.take_in(store, name, osm_import.read(args.file))
    print(f"{known} cameras known by {name}, {linked} of them on the map")
    return 0
