"""The lens pulled out at random instants: how soon `scanner watch` looks again, and what it says.

    python -m tests.benchmarks.unplug_lens [--times 100] [--seed 1]

A real `watch` behind its wall, with the shipped stand-in under the name of picamera2. It is alive
when it feeds systemd's watchdog, which it does after a new frame and a finished inference. The exit
code says whether the bar holds.
"""

import random
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.pulls import ALIVE, BAR_S, arguments, longest, middle, progress, waited
from tests.helpers.live import Watch

TOLD = "STATUS=lens"
NOTICED_S = 12.0  # a lens is lost after some seconds without a frame


def hears(watch: Watch, word: str, limit_s: float) -> float | None:
    """Seconds until systemd is told a word from now on, None if that takes too long."""
    watch.heard("")
    since = len(watch.words)
    return waited(lambda: watch.heard(word, since=since), limit_s)


def main() -> int:
    """Pull, wait, plug in, again and again."""
    args = arguments(__doc__)
    rng = random.Random(args.seed)
    back_s: list[float] = []
    never = untold = long_away = 0
    with tempfile.TemporaryDirectory() as folder, Watch(Path(folder)) as watch:
        if hears(watch, ALIVE, 60) is None:
            raise SystemExit("watch does not begin to look")
        for number in range(1, args.times + 1):
            watch.pause(rng.uniform(0.2, 1.5))
            watch.pull()
            # One in four is away for so long that it must be told; most are a loose contact.
            if number % 4 == 0:
                long_away += 1
                untold += hears(watch, TOLD, NOTICED_S) is None
            else:
                watch.pause(rng.uniform(0.05, 2.0))
            watch.plug()
            gap_s = hears(watch, ALIVE, 3 * BAR_S)
            if gap_s is None:
                never += 1
            else:
                back_s.append(gap_s)
            progress(number, args.times)
        watch.end()
    worst = longest(back_s)
    print(
        f"lens pulled {args.times} times: looking again after {middle(back_s):.2f} s (median), "
        f"{worst:.2f} s at most (bar {BAR_S:.0f} s); never {never}; "
        f"not told {untold} of {long_away} long ones"
    )
    return int(bool(never or untold) or worst > BAR_S)


if __name__ == "__main__":
    sys.exit(main())
