"""A hundred thousand records over a bad line, and two hundred kills: `make soak`.

python -m tests.benchmarks.soak --records 100000 --kills 200
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.helpers.soak import kill_at_random, soak


def main() -> None:
    """Print what became of the records; exit with 1 if one was lost."""
    parser = argparse.ArgumentParser(description="records over a bad line, processes killed")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--restarts", type=int, default=20, help="of the broker")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        line = soak(Path(folder) / "a", args.records, restarts=args.restarts, seed=args.seed)
        print(line, flush=True)
        deaths = kill_at_random(Path(folder) / "b", args.kills, seed=args.seed)
        print(deaths)
    bad = line.lost + line.quarantined + deaths.lost + deaths.corrupt
    sys.exit(bool(bad or line.on_the_map != line.records))


if __name__ == "__main__":
    main()
