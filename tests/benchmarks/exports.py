"""What writing a map to files costs: processor time per camera, and memory.

    python -m tests.benchmarks.exports --cameras 60000

Makes a map of so many cameras 30 m apart and writes it in every format, each in a process of its
own. Memory should not go with the number of cameras: run it with two numbers.
"""

import argparse
import math
import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from scanner.hub.stores import open_store
from scanner.records import Kind
from tests.helpers.shown import feature, put

FORMATS = ("geojson", "csv", "kml", "osm", "maproulette", "mvt", "pmtiles")
KINDS = tuple(Kind)
PORTION = 5000


def fill(database: Path, count: int) -> None:
    """A square town."""
    side = math.isqrt(count) + 1
    with closing(open_store(database)) as store:
        for start in range(0, count, PORTION):
            cameras = (
                feature(f"{i:08}", (30 * (i % side), 30 * (i // side)), kind=KINDS[i % len(KINDS)])
                for i in range(start, min(count, start + PORTION))
            )
            put(store, cameras, first=start)


def main() -> None:
    """Print a line per format."""
    parser = argparse.ArgumentParser(description="cost of exports")
    parser.add_argument("--cameras", type=int, default=20_000)
    count = parser.parse_args().cameras
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "hub.sqlite3", count)
        print(f"{count} cameras\n{'format':12} {'us each':>8} {'peak MB':>8}")
        for name in FORMATS:
            command = [sys.executable, "-m", "scanner", "hub", "export", "--data", folder]
            command += ["--format", name, "--out", f"{folder}/out.{name}"]
            child = os.posix_spawn(
                sys.executable,
                command,
                os.environ,
                file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
            )
            _, status, usage = os.wait4(child, 0)
            cpu_us = (usage.ru_utime + usage.ru_stime) / count * 1e6
            said = "" if status == 0 else f"  FAILED {status}"
            print(f"{name:12} {cpu_us:8.0f} {usage.ru_maxrss / 1024:8.0f}{said}", flush=True)


if __name__ == "__main__":
    main()
