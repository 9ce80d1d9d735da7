"""Options that name a recorded walk; light, so that a command may build its wall first."""

import argparse
from pathlib import Path


def add_recording_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """``--track``, ``--rate`` and ``--offset-s``."""
    parser.add_argument(
        "--track", type=Path, required=required, metavar="FILE", help="GPX or NMEA of the walk"
    )
    parser.add_argument(
        "--rate",
        type=float,
        help="frames per second to look at, at most; for a folder: as taken (5)",
    )
    parser.add_argument(
        "--offset-s",
        type=float,
        default=0.0,
        metavar="S",
        help="the first picture was taken so many seconds after the first fix (0)",
    )


def recording_arguments(args: argparse.Namespace) -> list[str]:
    """The options as they are passed on to another process."""
    given = ["--source", str(args.source)] if args.source else []
    given += ["--track", str(args.track)] if args.track else []
    given += ["--rate", str(args.rate)] if args.rate is not None else []
    return [*given, "--offset-s", str(args.offset_s)]
