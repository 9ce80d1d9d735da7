"""``python -m tests.benchmarks.ingest``: from mosquitto to SQLite, one worker.

Sealed records wait at a real mosquitto; one worker takes them in and acknowledges them after the
commit. Its rate is compared with that of opening records alone, on the same core in the same run:
processor time, since other programs do not count in it. ``--kills N`` kills hub and broker N times
each while records come, and counts what was lost or doubled.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.helpers.intake import kill_at_random, measure

BAR = 0.5


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    parser.add_argument("--no-fusion", action="store_true", help="intake alone")
    args = parser.parse_args()
    if args.kills:
        with tempfile.TemporaryDirectory() as folder:
            survived = kill_at_random(Path(folder), args.records, args.kills)
        print(survived)
        return int(bool(survived.lost or survived.doubled or survived.quarantined))
    print("                 opening alone   everything        wall   share of opening's rate")
    worst = 1.0
    for fuses in (False,) if args.no_fusion else (False, True):
        for _ in range(args.runs):
            with tempfile.TemporaryDirectory() as folder:
                m = measure(Path(folder), args.records, fuses=fuses)
            name = "with fusion" if fuses else "intake"
            print(
                f"{name:14} {m.unseal_us:10.1f} us {m.cpu_us:10.1f} us {m.wall_us:10.1f} us"
                f" {m.share:10.2f}   {1e6 / m.cpu_us:8.0f}/s per core",
                flush=True,
            )
            if not fuses:
                worst = min(worst, m.share)
    print(f"intake: at least {worst:.2f} of the rate of opening alone; bar {BAR}")
    return int(worst < BAR)


if __name__ == "__main__":
    sys.exit(main())
