"""What the benchmarks share that take a part of the scanner away, again and again."""

import argparse
import sys
import time
from collections.abc import Callable

BAR_S = 10.0  # scanning again with what is left
ALIVE = "WATCHDOG=1"  # told to systemd after a new frame and a finished inference


def arguments(doc: str | None, times: int = 100) -> argparse.Namespace:
    """``--times`` and ``--seed``."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--times", type=int, default=times)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def progress(number: int, times: int) -> None:
    """How far it is, on a terminal's one line."""
    print(f"\r{number} of {times} ", end="\n" * (number == times), file=sys.stderr, flush=True)


def waited(happened: Callable[[], bool], limit_s: float, every_s: float = 0.02) -> float | None:
    """Seconds until it happened, None if that takes too long."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < limit_s:
        if happened():
            return time.monotonic() - began_s
        time.sleep(every_s)
    return None


def middle(values: list[float]) -> float:
    """The median; infinite where there is none."""
    return sorted(values)[len(values) // 2] if values else float("inf")


def longest(values: list[float]) -> float:
    """The largest; infinite where there is none."""
    return max(values, default=float("inf"))
