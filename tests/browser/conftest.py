"""One browser and one running hub for all tests of the page."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from scanner.core.geometry import Origin
from scanner.hub.features import Policy
from scanner.hub.reviewers import Reviewers
from scanner.hub.service import Hub, Options
from tests.helpers.broker import Mosquitto
from tests.helpers.waiting import until

CHROMIUM: Final = "/usr/bin/chromium"
# WebGL without a graphics card.
FLAGS: Final = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE_MS: Final = 60_000  # drawing without a graphics card takes seconds on a busy machine
PASSPHRASE: Final = "a long one, for tests"  # noqa: S105
MIDDLE: Final = Origin(52.3702, 4.8952)
KINDS: Final = ["bullet", "dome", "ptz", "alpr"]
ROWS: Final = 6


class Running(msgspec.Struct, frozen=True):
    """A hub with its broker and its folder."""

    url: str
    data: Path
    broker: Mosquitto


# Of a file, not of all: while playwright runs, no other test of the process has a loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *sandbox])
        expect.set_options(timeout=PATIENCE_MS)
        yield opened
        opened.close()


def town(path: Path) -> Path:
    """Cameras on a grid, 40 m apart."""
    features = []
    for i in range(ROWS * ROWS):
        lat, lon = MIDDLE.geodetic_from_enu(40.0 * (i % ROWS), 40.0 * (i // ROWS))
        point = {"type": "Point", "coordinates": [lon, lat]}
        kind = {"kind": KINDS[i % len(KINDS)]}
        features.append({"type": "Feature", "geometry": point, "properties": kind})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Simulated volunteers have walked past 36 cameras; what three reports show is published."""
    folder = tmp_path_factory.mktemp("hub")
    data = folder / "data"
    subprocess.run(
        [sys.executable, "-m", "scanner", "hub", "simulate", "--data", data,
         "--cameras", town(folder / "town.geojson"), "--passes", "4", "--seed", "3"],
        check=True, capture_output=True, env=os.environ | {"SCANNER_CONFIG": ""},
    )  # fmt: skip
    Reviewers(data).add("ana", PASSPHRASE)
    with Mosquitto(folder / "broker") as broker:
        options = Options(data=data, mqtt=broker.settings, port=0, policy=Policy(reports=3))
        with Hub(options) as running:
            until(lambda: running.health().ok)
            yield Running(running.url, data, broker)


class Visits:
    """Opens pages and notes what goes wrong on them."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    def open(
        self,
        *,
        url: str = "",
        width: int = 900,
        height: int = 640,
        dark: bool = False,
        at: str = "",
    ) -> Page:
        """A page of a hub, drawn."""
        address = url or self._url
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda m: self.faults.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: self._asked(r.url, address))
        page.goto(f"{address}/{at}")
        still(page)
        return page

    def _asked(self, url: str, own: str) -> None:
        if not url.startswith((own, "data:", "blob:")):
            self.faults.append(f"asked {url}")

    def close(self) -> None:
        """Close all; nothing may have failed, and nobody else been asked."""
        for context in self._contexts:
            context.close()
        # A browser notes every answer of 4xx as an error; refusing is none.
        faults = [f for f in self.faults if "the server responded with a status of 4" not in f]
        self.faults.clear()
        assert faults == []


@pytest.fixture
def visits(browser: Browser, hub: Running) -> Iterator[Visits]:
    """Pages of a test's own."""
    opened = Visits(browser, hub.url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def desk(browser: Browser, hub: Running) -> Iterator[Page]:
    """One page for those of a file that leave it as they found it: loading takes the longest."""
    opened = Visits(browser, hub.url)
    yield opened.open()
    opened.close()


def go(page: Page, zoom: float, east_m: float = 100, north_m: float = 100) -> None:
    """Move the map, metres from the corner of the town."""
    lat, lon = MIDDLE.geodetic_from_enu(east_m, north_m)
    page.evaluate(
        """to => new Promise(done => {
            addEventListener("hashchange", () => setTimeout(done), {once: true});
            if (location.hash === to) done(); else location.hash = to;
        })""",
        f"#{zoom}/{lat:.7f}/{lon:.7f}",
    )
    still(page)


def tab(page: Page, name: str) -> None:
    """Open a panel."""
    page.get_by_role("tab", name=name).click()


def still(page: Page) -> None:
    """Wait until the map is drawn."""
    page.wait_for_selector("main[aria-busy=false]")
