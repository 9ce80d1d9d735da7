"""``scanner replay``: a recorded walk through detector, tracker and location; keeps nothing."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from scanner.app import REPLAY_RATE, Recording, open_recording
from scanner.cli import add_config_option, config_of
from scanner.cli.recording import add_recording_options
from scanner.cli.text import Progress, json_line, table
from scanner.core.sites import join
from scanner.errors import MediaError
from scanner.pipeline import Finder, find_all
from scanner.records import Sighting
from scanner.replay import plot
from scanner.replay.frames import FolderFrames, check_rate
from scanner.replay.tracks import RecordedTrack


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("replay", help="where the cameras of a recorded walk are")
    parser.add_argument("source", type=Path, metavar="VIDEO|FOLDER", help="the pictures")
    add_recording_options(parser, required=True)
    parser.add_argument("--json", action="store_true", help="a GeoJSON FeatureCollection")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it, as .html or .png")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="GeoJSON, drawn beside it")
    add_config_option(parser)
    parser.set_defaults(run=run)


def recording_of(args: argparse.Namespace) -> Recording:
    """The recording that the options name."""
    rate = REPLAY_RATE if args.rate is None else args.rate
    check_rate(rate)
    return Recording(source=args.source, track=args.track, rate=rate, offset_s=args.offset_s)


def run(args: argparse.Namespace) -> int:
    """Print the sightings; what was found before a damaged place in a video is printed too."""
    recording = recording_of(args)
    sightings: list[Sighting] = []
    trouble: MediaError | None = None
    progress = Progress()
    opened = open_recording(recording, config_of(args), remember=bool(args.plot))
    with opened as (source, positions, finder):
        try:
            for number, ended in find_all(source, finder):
                sightings += ended
                progress.show(f"frame {number}, {len(sightings)} cameras")
        except MediaError as e:
            sightings += finder.finish()
            trouble = e
        progress.clear()
        _tell_of_gaps(finder, positions, source.skipped if isinstance(source, FolderFrames) else ())
    sightings = join(sightings)
    if args.plot:
        way = [(p.lat_deg, p.lon_deg) for p in finder.way]
        plot.draw(args.plot, way, finder.outcomes, sightings, args.truth)
    print(json_line(_collection(sightings)) if args.json else _table(sightings))
    if trouble:
        raise trouble
    return 0


def _tell_of_gaps(finder: Finder, positions: RecordedTrack, skipped: Sequence[str]) -> None:
    for line in skipped:
        print(f"scanner: skipped: {line}", file=sys.stderr)
    without = finder.counts.without_fix
    if without:
        print(
            f"scanner: note: {without} of {finder.counts.frames} frames had no fix or no course "
            f"(the track covers {max(positions.duration_s, 0):.1f} s)",
            file=sys.stderr,
        )


def sigma_m(sighting: Sighting) -> float:
    """1 sigma of a sighting per axis, common error included, metres."""
    relative = (sighting.relative.ee + sighting.relative.nn) / 2
    return math.sqrt(relative + sighting.common_sigma_m**2)


def _collection(sightings: Sequence[Sighting]) -> dict[str, object]:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {
                    "type": "Point",
                    "coordinates": [round(s.lon_deg, 7), round(s.lat_deg, 7)],
                },
                "properties": {
                    "kind": s.kind,
                    "score": round(s.score, 3),
                    "sigma_m": round(sigma_m(s), 2),
                    "views": s.views,
                    "height_m": None if s.height_m is None else round(s.height_m, 1),
                    "first_frame": s.first_frame,
                    "last_frame": s.last_frame,
                },
            }
            for s in sightings
        ],
    }


def _table(sightings: Sequence[Sighting]) -> str:
    if not sightings:
        return "no cameras located"
    rows = [
        [
            str(s.kind),
            f"{s.lat_deg:.6f}",
            f"{s.lon_deg:.6f}",
            f"{sigma_m(s):.1f}",
            "-" if s.height_m is None else f"{s.height_m:.1f}",
            str(s.views),
            f"{s.score:.2f}",
        ]
        for s in sightings
    ]
    return table(rows, ["kind", "latitude", "longitude", "± m", "height m", "views", "score"])
