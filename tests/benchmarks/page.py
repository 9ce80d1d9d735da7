"""How long a browser takes until the page can be used, over any store.

    python -m tests.benchmarks.page sqlite:////path/of/million.sqlite3

Interactive: the stream of changes is open, the list of what is in view is filled, and the map is
drawn. Beside the time on the wall stands the time of the processors, of browser and server, since
drawing without a graphics card takes all cores there are.
"""

import argparse
import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from scanner.hub.stores import open_store
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.helpers.web import served

BUDGET_S: Final = 3.0
PATIENCE_MS: Final = 120_000
TICKS: Final = os.sysconf("SC_CLK_TCK")


def processor_s() -> float:
    """Time of the processors that this process and those it started have used."""
    parents: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            used = (int(fields[11]) + int(fields[12])) / TICKS
            parents[int(entry.name)] = (int(fields[1]), used)
    return sum(used for pid, (_, used) in parents.items() if os.getpid() in _line(pid, parents))


def _line(pid: int, parents: dict[int, tuple[int, float]]) -> Iterator[int]:
    while pid in parents:
        yield pid
        pid = parents[pid][0]


def open_once(browser: Browser, url: str) -> tuple[float, float]:
    """Seconds on the wall and of the processors until the page is interactive."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    begun, used = time.monotonic(), processor_s()
    page.goto(url)
    page.wait_for_selector('#live[data-state="on"]')
    page.wait_for_selector("main[aria-busy=false]")
    page.wait_for_selector("#list button")
    found = time.monotonic() - begun, processor_s() - used
    context.close()
    return found


def main() -> None:
    """Print a line per view."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", help="URL or path of a database")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--at", nargs="*", default=[""], help="views: #zoom/lat/lon; empty: all")
    options = parser.parse_args()
    where = options.store if "://" in options.store else Path(options.store)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        contextlib.closing(open_store(where)) as store,
        served(store) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *sandbox])
        for at in options.at:
            open_once(browser, f"{url}/{at}")  # the first one compiles what is drawn with
            runs = [open_once(browser, f"{url}/{at}") for _ in range(options.runs)]
            wall, used = (statistics.median(column) for column in zip(*runs, strict=True))
            load = os.getloadavg()[0] / (os.cpu_count() or 1)
            print(
                f"{at or 'all':24} interactive {wall:5.2f} s ({BUDGET_S:.0f} s allowed), "
                f"processors {used:5.2f} s, load per core {load:.1f}"
            )
        browser.close()


if __name__ == "__main__":
    main()
