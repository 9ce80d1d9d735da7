"""How well simulated passes over given cameras come together on the map.

    python -m tests.benchmarks.fusion CAMERAS.geojson --passes 6 --gnss-sigma-m 3

Cameras with two reports or more are matched one to one with the truth, nearest first, within 8 m.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from scanner.core.geometry import Origin
from scanner.hub import keys, mapping, simulate
from scanner.hub.ingest import Ingest
from scanner.hub.store import Store
from scanner.simulation import Errors, TownCamera

MATCH_M = 8.0
Place = tuple[float, float]


def mapped(town: list[TownCamera], plan: simulate.Simulation, seed: int) -> list[Place]:
    """Latitude and longitude of the cameras that the hub makes of all passes."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        key = keys.load_or_create(Path(folder))
        with closing(Store(Path(folder) / "hub.sqlite3")) as store:
            intake = Ingest(store, key, time.time)
            simulate.simulate(town, plan, intake, key.public_key, rng=rng, now_s=time.time())
            mapping.rebuild(store, partial(keys.camera_id, keys.naming_key(key)))
            cameras = [stored.camera for stored in store.cameras()]
    return [(c.lat_deg, c.lon_deg) for c in cameras if len(c.members) > 1]


def matched_m(truth: list[Place], found: list[Place]) -> list[float]:
    """Distances of the matched pairs, metres."""
    origin = Origin(*truth[0])
    true = np.array([origin.enu_from_geodetic(*p) for p in truth])
    seen = np.array([origin.enu_from_geodetic(*p) for p in found])
    apart = np.hypot(*(true[:, None, :] - seen[None, :, :]).transpose(2, 0, 1))
    rows, columns = np.nonzero(apart < MATCH_M)
    used_rows, used_columns, distances = set[int](), set[int](), list[float]()
    for index in np.argsort(apart[rows, columns]):
        row, column = int(rows[index]), int(columns[index])
        if row not in used_rows and column not in used_columns:
            used_rows.add(row)
            used_columns.add(column)
            distances.append(float(apart[row, column]))
    return distances


def main() -> None:
    """Print precision, recall, F1 and how far off the matched ones are."""
    parser = argparse.ArgumentParser(description="quality of the map from simulated passes")
    parser.add_argument("cameras", type=Path, help="GeoJSON of points")
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--gnss-sigma-m", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    town = simulate.read_town(args.cameras, np.random.default_rng(args.seed))
    plan = simulate.Simulation(passes=args.passes, errors=Errors(gnss_m=args.gnss_sigma_m))
    found = mapped(town, plan, args.seed)
    distances = matched_m([(c.lat_deg, c.lon_deg) for c in town], found)
    precision, recall = len(distances) / len(found), len(distances) / len(town)
    print(
        f"{len(town)} cameras, {len(found)} on the map: precision {precision:.3f}, recall "
        f"{recall:.3f}, F1 {2 * precision * recall / (precision + recall):.3f}, off by "
        f"{statistics.median(distances):.2f} m (median)"
    )


if __name__ == "__main__":
    main()
