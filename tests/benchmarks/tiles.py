"""How many cameras a walk yields for how many inferences a second.

    python -m tests.benchmarks.tiles --cache FILE --plot FILE.svg
    python -m tests.benchmarks.tiles --walk FOLDER --walk FOLDER
    python -m tests.benchmarks.tiles --streets 6

Compared: the scheduler, without and with coarse tiles; native tiles in turn; the whole frame in one
look; every native tile of every frame; and one that knows where looking at everything shows the
cameras that it finds, and looks nowhere else: no scheduler can do much better. All go through the
real tracker and location. A camera is found where a sighting lies within 8 m of it, one to one; it
is seen where at least 3 frames show it at a place where looking at everything shows it. Each walk
is repeated from several first frames, so that no policy profits from the turn at which it happens
to start.

A walk's folder holds walk.mp4, walk.nmea or walk.gpx and truth.geojson; the shipped demo walk is
taken unless others are named. ``--streets N`` takes N simulated streets instead, of about 20
cameras each. Answers of the detector are kept in the file of ``--cache``.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import scanner.demo
from scanner.cli.text import json_line, table
from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.geometry import distance_m
from scanner.core.schedule import Schedule
from scanner.core.sites import join
from scanner.core.tiles import Tile, closer, confirmed, grid, iou, merge, second_looks
from scanner.frame import Frame
from scanner.pipeline import Finder
from scanner.records import Box, Detection, Sighting
from tests.benchmarks.curves import draw
from tests.benchmarks.turns import Knowing, Turns
from tests.benchmarks.walks import (
    HEIGHT_PX,
    TILE_PX,
    WIDTH_PX,
    Memory,
    Place,
    Walk,
    recorded,
    simulated,
)

RATES = (1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0)
MATCH_M = 8.0
COARSE_EVERY = 4
Policy = Schedule | Turns | Knowing
SEEN_FRAMES, SAME_IOU = 3, 0.3


class Looking:
    """Stands in for the Watcher: the same steps with answers that are known."""

    def __init__(self, policy: Policy, walk: Walk, first: int) -> None:
        self._policy, self._walk = policy, walk
        self._number = first
        self._last: list[Detection] = []
        self.seen: dict[int, list[Box]] = {}
        self.inferences = 0

    def look(self, pixels: Any, attention: float = 1.0, small: Any = None) -> list[Detection]:
        """Cameras in the next frame; its pixels are not looked at."""
        del pixels, attention, small
        number, self._number = self._number, self._number + 1
        tiles = self._policy.next_tiles([d.box for d in self._last], self._walk.textures(number))
        self.inferences += len(tiles)
        self._last = merge([d for tile in tiles for d in self._walk.see(number, tile)])
        if self._walk.see_mirrored:
            most = second_looks(len(tiles), len(grid(WIDTH_PX, HEIGHT_PX, TILE_PX)))
            self._last = self._confirmed(number, self._last, most)
        self.seen[number] = [d.box for d in self._last]
        return self._last

    def _confirmed(self, number: int, found: list[Detection], most: int) -> list[Detection]:
        """What second looks leave of it; they come out of the policy's budget."""
        tiles = closer(found, WIDTH_PX, HEIGHT_PX, TILE_PX)[:most]
        assert self._walk.see_mirrored
        again = [d for tile in tiles for d in self._walk.see_mirrored(number, tile)]
        self._policy.charge(len(tiles))
        self.inferences += len(tiles)
        settled = confirmed(found, again, tiles, TILE_PX)
        return [d for d in settled if d.score >= self._walk.least]


@dataclass
class Tally:
    """What a policy came to at one rate, over all walks and starts."""

    found: int = 0
    seen: int = 0
    wrong: int = 0
    frames_s: float = 0.0
    inferences: int = 0
    per_run: list[float] = field(default_factory=list)  # share of what unlimited finds


@dataclass(frozen=True)
class Run:
    """One walk with one policy."""

    looking: Looking
    found: dict[int, Sighting]  # by number of the true camera
    wrong: int
    tracks: Sequence[Any]


def go(walk: Walk, policy: Policy, first: int) -> Run:
    """Walk from a first frame on."""
    looking = Looking(policy, walk, first)
    finder = Finder(
        looking,  # type: ignore[arg-type]
        walk.positions,
        walk.lens,
        min_score=walk.min_score,
        remember=True,
    )
    nothing = np.broadcast_to(np.uint8(0), (HEIGHT_PX, WIDTH_PX, 3))
    sightings: list[Sighting] = []
    for number in range(first, len(walk.times_ns)):
        sightings += finder.take(Frame(number, walk.times_ns[number], nothing))
    sightings = join(sightings + finder.finish())
    found = matched(walk.truth, sightings)
    return Run(looking, found, len(sightings) - len(found), finder.outcomes)


def matched(truth: Sequence[Place], sightings: Sequence[Sighting]) -> dict[int, Sighting]:
    """True cameras that were located, one to one within 8 m."""
    apart = [[distance_m(*t, s.lat_deg, s.lon_deg) for s in sightings] for t in truth]
    costs = [[d if d <= MATCH_M else FORBIDDEN for d in row] for row in apart]
    pairs = enumerate(assign(costs, unmatched=2 * MATCH_M))
    return {i: sightings[j] for i, j in pairs if j is not None}


def shown(walk: Walk, everything: Run) -> dict[int, dict[int, Box]]:
    """Where looking at everything shows the cameras that it finds: camera, frame, box."""
    places: dict[int, dict[int, Box]] = {}
    for track, result in everything.tracks:
        if isinstance(result, Sighting):
            near = min(
                everything.found,
                key=lambda i: distance_m(*walk.truth[i], result.lat_deg, result.lon_deg),
                default=None,
            )
            if near is not None and (
                distance_m(*walk.truth[near], result.lat_deg, result.lon_deg) <= MATCH_M
            ):
                boxes = places.setdefault(near, {})
                boxes.update({g.frame: g.detection.box for g in track.glimpses})
    return places


def count_seen(places: dict[int, dict[int, Box]], run: Run) -> int:
    """How many of those cameras a run has seen often enough."""
    return sum(
        sum(
            any(iou(box, other) >= SAME_IOU for other in run.looking.seen.get(frame, ()))
            for frame, box in boxes.items()
        )
        >= SEEN_FRAMES
        for boxes in places.values()
    )


def policies() -> dict[str, Callable[[float], Policy]]:
    """The policies to compare, each from its budget per frame."""
    native, whole = grid(WIDTH_PX, HEIGHT_PX, TILE_PX), [Tile(0, 0, WIDTH_PX)]
    return {
        "scheduler": lambda budget: Schedule(WIDTH_PX, HEIGHT_PX, TILE_PX, budget),
        "with coarse tiles": lambda budget: Schedule(
            WIDTH_PX, HEIGHT_PX, TILE_PX, budget, coarse_every=COARSE_EVERY
        ),
        "in turn": lambda budget: Turns(native, budget),
        "whole frame": lambda budget: Turns(whole, budget),
    }


def compare(
    walk: Walk,
    starts: Sequence[int],
    tallies: dict[tuple[str, float], Tally],
    rates: Sequence[float] = RATES,
) -> None:
    """Add one walk's runs to the tallies; the rate of looking at everything is infinite."""
    for first in starts:
        native = grid(WIDTH_PX, HEIGHT_PX, TILE_PX)
        everything = go(walk, Turns(native, len(native)), first)
        places = shown(walk, everything)
        runs = [("everything", math.inf, everything)]
        for rate in rates:
            for name, make in policies().items():
                runs.append((name, rate, go(walk, make(rate / walk.rate), first)))
            knowing = Knowing(places.values(), rate / walk.rate, first)
            runs.append(("knowing where", rate, go(walk, knowing, first)))
        for name, rate, run in runs:
            tally = tallies.setdefault((name, rate), Tally())
            tally.found += len(run.found)
            tally.seen += count_seen(places, run)
            tally.wrong += run.wrong
            tally.frames_s += (len(walk.times_ns) - first) / walk.rate
            tally.inferences += run.looking.inferences
            tally.per_run.append(len(run.found) / max(len(everything.found), 1))


def rows_of(tallies: dict[tuple[str, float], Tally]) -> list[dict[str, Any]]:
    """One row per policy and rate, for the table and for programs."""
    everything = tallies["everything", math.inf]
    return [
        {
            "policy": name,
            "inferences_per_s": None if math.isinf(rate) else rate,
            "spent_per_s": round(tally.inferences / tally.frames_s, 2),
            "found": tally.found,
            "found_share": round(tally.found / max(everything.found, 1), 3),
            "sigma": round(float(np.std(tally.per_run)) / math.sqrt(len(tally.per_run)), 3),
            "seen_share": round(tally.seen / max(everything.seen, 1), 3),
            "false": tally.wrong,
        }
        for (name, rate), tally in tallies.items()
    ]


def walks(args: argparse.Namespace, memory: Memory) -> Iterator[Walk]:
    """The walks that the options name."""
    if args.streets:
        yield from (simulated(args.seed + i) for i in range(args.streets))
    else:
        yield from (recorded(f, memory) for f in args.walk or [Path(scanner.demo.__path__[0])])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="cameras found per inference")
    parser.add_argument("--walk", type=Path, action="append", metavar="FOLDER")
    parser.add_argument("--streets", type=int, default=0, metavar="N", help="simulated instead")
    parser.add_argument("--starts", type=int, default=6, help="first frames to repeat with (6)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, metavar="FILE", help="keeps the detector's answers")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    args = parser.parse_args()
    memory = Memory(args.cache)
    tallies: dict[tuple[str, float], Tally] = {}
    for number, walk in enumerate(walks(args, memory), 1):
        compare(walk, range(args.starts), tallies)
        memory.save()
        print(f"walk {number}: {len(walk.truth)} cameras", file=sys.stderr)
    rows = rows_of(tallies)
    if args.plot:
        args.plot.write_text(draw(rows), encoding="utf-8")
    if args.json:
        print("\n".join(json_line(row) for row in rows))
        return
    header = ("policy", "asked/s", "spent/s", "found", "of everything's %", "+-", "seen %", "false")
    cells = [
        [
            row["policy"],
            "-" if row["inferences_per_s"] is None else f"{row['inferences_per_s']:g}",
            f"{row['spent_per_s']:.1f}",
            str(row["found"]),
            f"{100 * row['found_share']:.0f}",
            f"{100 * row['sigma']:.0f}",
            f"{100 * row['seen_share']:.0f}",
            str(row["false"]),
        ]
        for row in sorted(rows, key=lambda r: (r["policy"], r["spent_per_s"]))
    ]
    print(table(cells, header))


if __name__ == "__main__":
    main()
