"""The lens pulled out at random instants: how soon `scanner watch` looks again, and what it says.

    python -m tests.benchmarks.unplug_lens [--times 100] [--seed 1]

A real `watch` behind its wall, with the shipped stand-in under the name of picamera2. It is alive
when it feeds systemd's watchdog, which it does after a new frame and a finished inference. The exit
code says whether the bar holds.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.live import Watch

BAR_S = 10.0
ALIVE = "WATCHDOG=1"
TOLD = "STATUS=lens"
NOTICED_S = 12.0  # a lens is lost after some seconds without a frame


def waited(watch: Watch, word: str, limit_s: float) -> float | None:
    """Seconds until systemd is told a word from now on, None if that takes too long."""
    watch.heard("")
    since, began_s = len(watch.words), time.monotonic()
    while time.monotonic() - began_s < limit_s:
        if watch.heard(word, since=since):
            return time.monotonic() - began_s
        time.sleep(0.02)
    return None


def main() -> int:
    """Pull, wait, plug in, again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    back_s: list[float] = []
    never = untold = long_away = 0
    with tempfile.TemporaryDirectory() as folder, Watch(Path(folder)) as watch:
        if waited(watch, ALIVE, 60) is None:
            raise SystemExit("watch does not begin to look")
        for number in range(1, args.times + 1):
            watch.pause(rng.uniform(0.2, 1.5))
            watch.pull()
            # One in four is away for so long that it must be told; most are a loose contact.
            if number % 4 == 0:
                long_away += 1
                untold += waited(watch, TOLD, NOTICED_S) is None
            else:
                watch.pause(rng.uniform(0.05, 2.0))
            watch.plug()
            gap_s = waited(watch, ALIVE, 3 * BAR_S)
            if gap_s is None:
                never += 1
            else:
                back_s.append(gap_s)
            print(f"\r{number} of {args.times}", end="", file=sys.stderr, flush=True)
        watch.end()
    print(file=sys.stderr)
    back_s.sort()
    worst = max(back_s, default=float("inf"))
    median = back_s[len(back_s) // 2] if back_s else worst
    print(
        f"lens pulled {args.times} times: looking again after {median:.2f} s (median), "
        f"{worst:.2f} s at most (bar {BAR_S:.0f} s); never {never}; "
        f"not told {untold} of {long_away} long ones"
    )
    return int(bool(never or untold) or worst > BAR_S)


if __name__ == "__main__":
    sys.exit(main())
