"""For everybody: keyboard alone, small screens, screen readers, light and dark."""

import io
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from scanner.hub.api import PageSettings
from scanner.hub.stores import open_store
from tests.browser.conftest import PASSPHRASE, Visits, go, still, tab
from tests.helpers.pmtiles import raster_file
from tests.helpers.web import placed, put, served


def faults(page: Page) -> list[str]:
    """Serious and critical faults that axe-core finds."""
    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:120]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


def test_axe_would_find_a_serious_fault(desk: Page) -> None:
    desk.evaluate("document.body.insertAdjacentHTML('beforeend', '<button id=bad></button>')")
    found = faults(desk)
    desk.evaluate("document.getElementById('bad').remove()")
    assert [f for f in found if f.startswith("button-name")]


def every_panel(page: Page) -> dict[str, list[str]]:
    """Faults of each panel, opened one after the other."""
    found: dict[str, list[str]] = {}
    page.locator("#list button").first.click()
    expect(page.locator("#details-body")).to_contain_text("On record because")
    found["cameras"] = faults(page)
    for name in ("My way", "Counts"):
        tab(page, name)
        found[name] = faults(page)
    tab(page, "Review")
    found["login"] = faults(page)
    page.fill("#login-name", "ana")
    page.fill("#login-pass", PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page.locator("#review-where")).to_contain_text(" of ")
    page.keyboard.press("t")
    found["review"] = faults(page)
    return {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(visits: Visits, *, dark: bool) -> None:
    assert every_panel(visits.open(dark=dark)) == {}


def test_on_a_phone(visits: Visits) -> None:
    page = visits.open(width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#list")).to_be_hidden()
    map_, panel = page.locator("#map").bounding_box(), page.locator("#panel").bounding_box()
    assert map_
    assert panel
    assert panel["y"] - map_["y"] > 500  # most of the screen is map
    page.locator("#unfold").click()
    expect(page.locator("#list")).to_be_visible()
    for target in page.locator("#panel button:visible, #panel select:visible").all():
        box = target.bounding_box()
        assert box
        assert box["height"] >= 32, target.inner_text()
    page.locator("#list button").first.click()
    expect(page.locator("#details")).to_contain_text("On record because")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert faults(page) == []
    page.locator("#unfold").click()
    expect(page.locator("#details")).to_be_hidden()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.className"))


def test_by_the_keyboard_alone(desk: Page) -> None:
    page = desk
    tab(page, "Cameras")
    go(page, 17)
    page.evaluate("document.activeElement.blur()")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # into the list
    page.keyboard.press("Enter")
    expect(page.locator("#details")).to_be_visible()
    expect(page.locator("#details-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#details")).to_be_hidden()
    assert page.evaluate("document.activeElement.closest('#list') !== null")
    page.locator("#tab-cameras").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#route")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#statistics-words")).to_contain_text("on record")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#cameras")).to_be_visible()
    page.locator("#kinds input").first.focus()
    page.keyboard.press("Space")
    expect(page.locator("#list button", has_text="Fixed")).to_have_count(0)
    page.keyboard.press("Space")
    expect(page.locator("#list button", has_text="Fixed")).not_to_have_count(0)


def test_what_changes_is_told_to_screen_readers(desk: Page) -> None:
    for selector in ("#live", "#way-words", "#statistics-words", "#review-said"):
        assert desk.get_attribute(selector, "role") == "status"
    assert desk.get_attribute("#announce", "aria-live") == "polite"
    assert desk.get_attribute("canvas", "aria-label")
    assert desk.get_attribute("html", "lang") == "en"


def test_a_pmtiles_basemap_is_drawn_from_the_hub_itself(visits: Visits, tmp_path: Path) -> None:
    file = raster_file(tmp_path / "base.pmtiles", colour=(12, 200, 34))
    store = open_store(tmp_path / "db")
    put(store, [placed("one", 20.0, 20.0)])
    with served(store, page=PageSettings(tiles=str(file))) as url:
        page = visits.open(url=url, at="#1/20/20")
        still(page)
        picture = page.locator("canvas").screenshot()
        visits.close()
    store.close()
    colours = Image.open(io.BytesIO(picture)).convert("RGB").getcolors(10**6) or []
    assert max(colours)[1] == (12, 200, 34)
