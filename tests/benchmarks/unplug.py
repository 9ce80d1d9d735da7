"""The Edge TPU pulled out at random instants: how soon the scanner looks again, and what is lost.

    python -m tests.benchmarks.unplug [--times 100] [--seed 1]

A real delegate library in real processes (tests/helpers/delegate.c) that fails, hangs or crashes in
the middle of inferences, comes back after a while, and does it again. Every tile's answer is
compared with that of the processor alone. Prints a table; the exit code says whether the bars hold.
"""

import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scanner.hardware.edgetpu import EdgeTpu
from scanner.hardware.tflite import TfliteDetector, shipped_model
from tests.benchmarks.pulls import BAR_S, arguments, longest, middle, progress
from tests.helpers.loose import LooseTpu

HOWS = ("fail", "hang", "crash")
TILES = 4


@dataclass
class Tally:
    """What was seen of one way to be lost."""

    times: int = 0
    gap_s: list[float] = field(default_factory=list)  # from the pull to the next tile's answer
    back_s: list[float] = field(default_factory=list)  # from plugging in to the first on the TPU
    wrong: int = 0
    untold: int = 0


def pull(
    loose: LooseTpu, detector: TfliteDetector, tiles: Sequence[np.ndarray], expected: list, how: str
) -> tuple[float, float, int, bool]:
    """One pull in the middle of looking, and one return."""
    rng = random.Random()
    pulled_s: list[float] = []

    def hand() -> None:
        time.sleep(rng.uniform(0, 0.15))
        pulled_s.append(time.monotonic())
        loose.unplug(how)

    thread = threading.Thread(target=hand)
    thread.start()
    wrong, gap_s, number = 0, 0.0, 0
    told = False
    until = time.monotonic() + 60
    while time.monotonic() < until and not told:
        began_s = time.monotonic()
        which = number % TILES
        wrong += detector.infer(tiles[which]) != expected[which]
        number += 1
        if pulled_s and detector.trouble:
            told = True
            gap_s = time.monotonic() - max(pulled_s[0], began_s)
    thread.join()
    loose.plug()
    plugged_s = time.monotonic()
    while not detector.on_edgetpu and time.monotonic() < plugged_s + 60:
        which = number % TILES
        wrong += detector.infer(tiles[which]) != expected[which]
        number += 1
    return gap_s, time.monotonic() - plugged_s, wrong, told


def run(loose: LooseTpu, tpu: EdgeTpu, times: int, seed: int) -> dict[str, Tally]:
    """So many pulls, spread over the ways to be lost."""
    rng = np.random.default_rng(seed)
    tiles = [rng.integers(0, 256, (320, 320, 3), dtype=np.uint8) for _ in range(TILES)]
    alone = TfliteDetector(shipped_model(), threshold=0.02)
    expected = [alone.infer(tile) for tile in tiles]
    detector = loose.detector(tpu)
    tallies = {how: Tally() for how in HOWS}
    for number in range(times):
        how = HOWS[number % len(HOWS)]
        gap_s, back_s, wrong, told = pull(loose, detector, tiles, expected, how)
        tally = tallies[how]
        tally.times += 1
        tally.gap_s.append(gap_s)
        tally.back_s.append(back_s)
        tally.wrong += wrong
        tally.untold += not told
        progress(number + 1, times)
    return tallies


def main() -> int:
    """Print the table."""
    args = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        loose = LooseTpu(Path(folder))
        tpu = loose.open()
        try:
            tallies = run(loose, tpu, args.times, args.seed)
        finally:
            tpu.close()
    print(
        "how     pulls  looking again after s (median, longest)  back on it after s  wrong  untold"
    )
    good = True
    for how, t in tallies.items():
        if not t.times:
            continue
        good &= longest(t.gap_s) < BAR_S and not t.wrong and not t.untold
        print(
            f"{how:<7} {t.times:>5}  {middle(t.gap_s):>17.2f} {longest(t.gap_s):>21.2f}"
            f"  {middle(t.back_s):>9.2f} {longest(t.back_s):>8.2f}  {t.wrong:>5}  {t.untold:>6}"
        )
    print("ok" if good else "NOT WITHIN THE BARS")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
