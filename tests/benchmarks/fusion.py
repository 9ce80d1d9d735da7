"""How well simulated passes come together on the map, beside how others do it.

    python -m tests.benchmarks.fusion                       # the city of 20,000, five seeds
    python -m tests.benchmarks.fusion --city 2000 --seeds 2
    python -m tests.benchmarks.fusion --layout CAMERAS.geojson --only kind=cctv --densest 1500

F1, precision, recall and distances are of the published cameras, those with two reports or more,
matched one to one within 8 m with the true ones that were seen as often; "pairs" is F1 over pairs
of sightings; "count" is cameras on the map over cameras seen, all and published. Real layouts are
passed by stops, as in the research the bars come from, or by walks as ``hub simulate`` does.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from scanner.cli.text import table
from scanner.core.fusing.fusion import fuse
from scanner.core.fusing.vicinity import Report, common_m2, relative
from scanner.core.geometry import Origin
from scanner.hub.simulate import read_town
from scanner.simulated import city
from scanner.simulated.walks import Errors, TownCamera
from tests.benchmarks.fusion_peers import PEERS, RADII_M, Sight
from tests.benchmarks.fusion_scores import Fused, Score, Truth, score

OURS = "this hub"
NEAREST = "nearest with gate"
ORIGIN = Origin(55.752, 37.6175)
HEADER = (
    *("method", "F1", "prec.", "recall", "pairs", "count", "published", "median m", "p90 m"),
    "us/sighting",
)


class World(msgspec.Struct, frozen=True):
    """Records about an origin, and the truth behind them."""

    origin: Origin
    reports: tuple[Report, ...]
    truth: Truth


def of_city(args: argparse.Namespace, seed: int) -> World:
    """The simulated city."""
    rng = np.random.default_rng(seed)
    plan = city.Plan(cameras=args.city, passes=args.passes or 6, shared_m=args.shared_m)
    built = city.build(rng, plan, ORIGIN)
    return _world(rng, ORIGIN, built.places, list(city.passes(rng, built, plan)))


def of_layout(args: argparse.Namespace, path: Path, seed: int) -> World:
    """Passes through a layout."""
    rng = np.random.default_rng(seed)
    town = read_town(path, rng)
    if args.only:
        key, _, value = args.only.partition("=")
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        points = [f for f in features if f["geometry"]["type"] == "Point"]
        town = [c for c, f in zip(town, points, strict=True) if f["properties"].get(key) == value]
    origin = Origin(town[0].lat_deg, town[0].lon_deg)
    if args.densest:
        town = _densest(town, args.densest)
    places = np.array([origin.enu_from_geodetic(c.lat_deg, c.lon_deg) for c in town])
    passes = args.passes or 4
    if args.by == "stops":
        plan = city.Stops(
            passes=passes,
            gnss_m=args.gnss_sigma_m,
            ranging_m=args.ranging_m,
            kinds=not args.no_kinds,
        )
        seen = list(city.stops(rng, town, plan))
    else:
        seen = list(city.walks(rng, town, Errors(gnss_m=args.gnss_sigma_m), passes))
    return _world(rng, origin, places, seen)


def _densest(town: Sequence[TownCamera], count: int) -> list[TownCamera]:
    """Those whose fifth neighbour is nearest."""
    origin = Origin(town[0].lat_deg, town[0].lon_deg)
    places = np.array([origin.enu_from_geodetic(c.lat_deg, c.lon_deg) for c in town])
    fifth = [np.partition(np.hypot(*(places - place).T), 5)[5] for place in places]
    return [town[i] for i in sorted(np.argsort(fifth, kind="stable")[:count])]


def _world(
    rng: np.random.Generator, origin: Origin, places: np.ndarray, seen: Sequence[city.Seen]
) -> World:
    reports = tuple(
        Report(
            number=number,
            record_id=hashlib.blake2b(rng.bytes(16), digest_size=16).hexdigest(),
            record=one.record,
        )
        for number, one in enumerate(seen)
    )
    return World(origin, reports, Truth(places, tuple(t for one in seen for t in one.truth)))


def sights(world: World) -> list[Sight]:
    """Every sighting by itself, as methods take it that know of no records."""
    found = []
    for report in world.reports:
        for entry in report.record.cameras:
            east, north = world.origin.enu_from_geodetic(entry.lat_e7 / 1e7, entry.lon_e7 / 1e7)
            whole = relative(entry) + np.eye(2) * common_m2(report.record)
            ee, en, nn = map(float, (whole[0, 0], whole[0, 1], whole[1, 1]))
            found.append(Sight(east, north, ee, en, nn))
    return found


def ours(world: World) -> tuple[Fused, float]:
    """What the hub makes of it, and the CPU seconds that takes."""
    began = time.process_time()
    cameras = fuse(world.reports)
    spent_s = time.process_time() - began
    start, total = {}, 0
    for report in world.reports:
        start[report.number] = total
        total += len(report.record.cameras)
    owner = [-1] * total
    for number, camera in enumerate(cameras):
        for member in camera.members:
            owner[start[member.number] + member.index] = number
    places = [world.origin.enu_from_geodetic(c.lat_deg, c.lon_deg) for c in cameras]
    return Fused(np.array(places), tuple(owner)), spent_s


def compare(world: World) -> Iterator[tuple[str, Score]]:
    """Our score and that of each method beside it."""
    fused, spent_s = ours(world)
    count = len(world.truth.shown)
    result = msgspec.structs.replace(score(fused, world.truth), us=spent_s / count * 1e6)
    yield OURS, result
    alone = sights(world)
    for name, method in PEERS.items():
        began = time.process_time()
        fused = method(alone)
        spent_s = time.process_time() - began
        yield name, msgspec.structs.replace(score(fused, world.truth), us=spent_s / count * 1e6)


def mean(scores: Sequence[Score]) -> Score:
    """Of the same method over some seeds."""
    values = [msgspec.structs.asdict(s) for s in scores]
    return Score(**{key: float(np.mean([v[key] for v in values])) for key in values[0]})


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(description="quality of the map from simulated passes")
    options.add_argument("--layout", type=Path, action="append", help="GeoJSON of points")
    options.add_argument("--by", choices=["stops", "walks"], default="stops")
    options.add_argument("--only", metavar="KEY=VALUE", help="points with this property")
    options.add_argument("--densest", type=int, help="the points that stand most densely")
    options.add_argument("--no-kinds", action="store_true", help="kinds are not told (stops)")
    options.add_argument("--gnss-sigma-m", type=float, default=3.0, help="of layouts")
    options.add_argument("--ranging-m", type=float, default=2.0, help="of stops")
    options.add_argument("--city", type=int, help="cameras of the city (20000 without --layout)")
    options.add_argument("--shared-m", type=float, default=0.0, help="error alike for all passes")
    options.add_argument("--passes", type=int, help="6 in the city, 4 elsewhere")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--json", action="store_true")
    return options


def main() -> None:
    """Print a table for each world, its figures the means over the seeds."""
    args = parser().parse_args()
    if not args.layout and not args.city:
        args.city = 20_000
    worlds: list[tuple[str, Path | None]] = [(p.stem, p) for p in args.layout or ()]
    if args.city:
        worlds.append((f"city of {args.city}", None))
    for name, path in worlds:
        scores: dict[str, list[Score]] = {}
        for seed in range(1, args.seeds + 1):
            world = of_layout(args, path, seed) if path else of_city(args, seed)
            for method, result in compare(world):
                scores.setdefault(method, []).append(result)
            mine = scores[OURS][-1]
            print(
                f"{name}, seed {seed}: {len(world.truth.shown)} sightings, F1 {mine.f1:.3f}, pairs "
                f"{mine.pair_f1:.3f}, median {mine.median_m:.2f} m, {mine.us:.0f} us",
                file=sys.stderr,
                flush=True,
            )
        means = {method: mean(values) for method, values in scores.items()}
        _report(name, means, as_json=args.json)


def _report(name: str, means: dict[str, Score], *, as_json: bool) -> None:
    radii = [f"radius {radius:g} m" for radius in RADII_M]
    best = max(radii, key=lambda radius: means[radius].pair_f1)
    ratio = means[OURS].f1 / means[NEAREST].f1
    if as_json:
        print(json.dumps({"world": name, "f1_over_nearest": ratio} | msgspec.to_builtins(means)))
        return
    rows = [_row(m, s) for m, s in means.items() if m not in radii or m == best]
    print(f"\n{name}\n{table(rows, HEADER)}\nF1 is {ratio:.2f} times that of {NEAREST}")


def _row(name: str, s: Score) -> list[str]:
    return [
        name,
        *(f"{x:.3f}" for x in (s.f1, s.precision, s.recall, s.pair_f1, s.count, s.count_published)),
        *(f"{x:.2f}" for x in (s.median_m, s.p90_m)),
        f"{s.us:.0f}",
    ]


if __name__ == "__main__":
    main()
