"""``scanner detect``: find cameras in pictures, at every scale."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from scanner.app import open_closeup, open_detector
from scanner.cli import add_config_option, config_of
from scanner.cli.text import json_line
from scanner.errors import MediaError, UsageError
from scanner.looking import detect_everywhere
from scanner.records import Detection
from scanner.replay.frames import PICTURES, read_picture

EXIT_SOME_FAILED: Final = 2


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("detect", help="find cameras in pictures, at every scale")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="picture or folder")
    parser.add_argument("--json", action="store_true", help="one JSON object per picture")
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is seen in each picture; a broken one is named and left out."""
    config = config_of(args)
    closer = open_closeup(config)
    # What the close-up may still lift to the threshold, the detector has to answer.
    detector = open_detector(config, odds=0.0 if closer else 1.0, twice=True)
    failed = False
    for path in _pictures(args.images):
        try:
            pixels = read_picture(path)
        except MediaError as e:
            print(f"scanner: error: {e}", file=sys.stderr)
            failed = True
            continue
        start = time.perf_counter()
        found = detect_everywhere(detector, pixels)
        if closer:
            found = closer.weigh(pixels, found)
        found = [d for d in found if d.score >= config.detector.threshold]
        ms = (time.perf_counter() - start) * 1e3
        height, width = pixels.shape[:2]
        print(_json(path, width, height, ms, found) if args.json else _text(path, found))
    return EXIT_SOME_FAILED if failed else 0


def _pictures(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that were named, and all pictures below the folders that were named."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURES)
        if not inside:
            raise UsageError(f"{path}: holds no pictures", hint=f"looked for {' '.join(PICTURES)}")
        yield from inside


def _json(path: Path, width: int, height: int, ms: float, found: Sequence[Detection]) -> str:
    return json_line(
        {
            "image": str(path),
            "width": width,
            "height": height,
            "ms": round(ms, 1),
            "cameras": [
                {
                    "box": [round(v, 1) for v in (d.box.x0, d.box.y0, d.box.x1, d.box.y1)],
                    "score": round(d.score, 3),
                    "kind": d.kind,
                }
                for d in found
            ],
        }
    )


def _text(path: Path, found: Sequence[Detection]) -> str:
    lines = [f"{path}: {len(found) or 'no'} camera{'' if len(found) == 1 else 's'}"]
    lines += [
        f"  {d.kind:<7} {d.score:.2f}  {d.box.x0:.0f},{d.box.y0:.0f} to "
        f"{d.box.x1:.0f},{d.box.y1:.0f}"
        for d in found
    ]
    return "\n".join(lines)
