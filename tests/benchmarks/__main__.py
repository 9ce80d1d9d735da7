"""``make bench``: every benchmark, each in a process of its own; one page and one JSON of it all.

    python -m tests.benchmarks --quick            # minutes, small sizes
    python -m tests.benchmarks                    # everything, hours; goes on where it was stopped
    python -m tests.benchmarks --only fusion scale --again
    python -m tests.benchmarks --page             # the page again, from what is there

What a part came to is kept in build/bench, and a part that is there is not run again unless asked.
"""

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tests.benchmarks import results
from tests.benchmarks.results import FOLDER, Machine, Result
from tests.benchmarks.sheet import page


class Part(NamedTuple):
    """Where a part is, and about how many minutes it takes on two quiet cores."""

    module: str
    function: str
    quick_min: float
    full_min: float


PARTS: Final = {
    "detector": Part("parts_field", "detector", 0.3, 15),
    "location": Part("parts_field", "locating", 0.2, 1),
    "fusion": Part("parts_field", "fusing", 0.2, 4),
    "privacy": Part("parts_field", "privacy", 1, 3),
    "relay": Part("parts_hub", "relaying", 0.2, 1),
    "ingest": Part("parts_hub", "taking_in", 0.2, 1),
    "latency": Part("parts_hub", "latency", 1, 25),
    "memory": Part("parts_field", "memory", 0.5, 8),
    "scale": Part("parts_scale", "scaling", 3, 20),
}


def run_here(name: str, *, quick: bool) -> Result:
    """Run one part in this process."""
    part = PARTS[name]
    module = importlib.import_module(f"tests.benchmarks.{part.module}")
    machine, begun = Machine.here(), time.monotonic()
    result: Result = getattr(module, part.function)(quick=quick)
    args = f"{'--quick ' if quick else ''}--only {name}"
    result.done(f"make bench ARGS='{args} --again'", machine, begun, quick=quick)
    return result


def run_apart(name: str, *, quick: bool) -> bool:
    """Run one part in a process of its own; whether it came to a result."""
    part = PARTS[name]
    minutes = part.quick_min if quick else part.full_min
    print(f"{name}: about {minutes:g} min", flush=True)
    command = [sys.executable, "-m", "tests.benchmarks", "--here", "--only", name]
    done = subprocess.run([*command, *(["--quick"] if quick else [])], check=False)
    if done.returncode:
        print(f"{name}: failed with {done.returncode}", file=sys.stderr, flush=True)
    return done.returncode == 0


def write(folder: Path, names: Sequence[str], *, quick: bool) -> Path:
    """The page and the JSON of all that is there."""
    kept = {name: results.load(results.path_of(name, quick=quick, folder=folder)) for name in names}
    there = [result for result in kept.values() if result]
    again = "make bench" + (" ARGS=--quick" if quick else "")
    missing = [f"{name}: no result here; run `{again}`" for name, r in kept.items() if not r]
    stem = folder / ("bench-quick" if quick else "bench")
    folder.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(there), indent=1))
    stem.with_suffix(".html").write_text(page(there, missing), encoding="utf-8")
    return stem.with_suffix(".html")


def summary(folder: Path, names: Sequence[str], *, quick: bool) -> int:
    """Print the ratios; how many bars are missed."""
    missed = 0
    for name in names:
        result = results.load(results.path_of(name, quick=quick, folder=folder))
        for r in result.ratios if result else ():
            held = result.judged(r) if result else None
            word = "holds" if held else "MISSED" if held is False else "not judged: busy machine"
            word = "" if r.bar is None else f"  bar {r.bar:g} {word}"
            print(f"{r.value:8.3g}  {name}: {r.name} ({r.ours} / {r.theirs}){word}")
            missed += held is False
    return missed


def main() -> int:
    """Run what is wanted; 1 if a part failed, 2 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="small sizes: minutes, not hours")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART")
    parser.add_argument("--again", action="store_true", help="also what has been run before")
    parser.add_argument("--page", action="store_true", help="run nothing")
    parser.add_argument("--list", action="store_true", help="the parts and their minutes")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    names = args.only or list(PARTS)
    if args.list:
        for name in names:
            print(f"{name:10} quick {PARTS[name].quick_min:4g} min, full {PARTS[name].full_min:4g}")
        return 0
    if args.here:
        for name in names:
            path = results.path_of(name, quick=args.quick, folder=args.folder)
            results.save(run_here(name, quick=args.quick), path)
        return 0
    failed = 0
    for name in () if args.page else names:
        path = results.path_of(name, quick=args.quick, folder=args.folder)
        if results.load(path) and not args.again:
            print(f"{name}: there already")
            continue
        if args.again:
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)  # what it kept on its way
        failed += not run_apart(name, quick=args.quick)
    print(f"page: {os.path.relpath(write(args.folder, list(PARTS), quick=args.quick))}")
    missed = summary(args.folder, names, quick=args.quick)
    return 1 if failed else 2 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
