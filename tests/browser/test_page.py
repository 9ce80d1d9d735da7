"""The page in a real browser, over a running hub."""

import io
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from scanner.core.wire import Record
from scanner.hub import keys
from scanner.network.session import MqttPublisher
from scanner.records import Kind
from scanner.sealing import seal
from tests.browser.conftest import MIDDLE, Running, Visits, go, still, tab
from tests.helpers.reports import entry, record

TODAY = int(time.time() // 86_400)
COLOURS = {"bullet": (0, 102, 168), "dome": (194, 65, 12), "ptz": (134, 51, 156)}


def number(page: Page, selector: str) -> int:
    return int(re.sub(r"\D", "", page.inner_text(selector)))


def listed(page: Page) -> list[str]:
    return page.locator("#list button span:not(.when)").all_inner_texts()


def drawn(page: Page) -> Counter[str]:
    """Pixels of the map in the colour of each kind."""
    picture = Image.open(io.BytesIO(page.locator("canvas").screenshot())).convert("RGB")
    names = {colour: name for name, colour in COLOURS.items()}
    # The panel, which lies over the map's left part, shows the same colours.
    right = picture.crop((380, 0, picture.width, picture.height))
    counts = right.getcolors(right.width * right.height) or []
    return Counter({names[c]: n for n, c in counts if c in names})


def test_the_map_appears_with_its_cameras(visits: Visits) -> None:
    page = visits.open()
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    assert 15 <= number(page, "#total") <= 36
    expect(page.locator("#list button").first).to_be_visible()
    expect(page.locator("#in-view")).to_have_text(f"{number(page, '#total')} in view")
    assert all(drawn(page)[kind] > 20 for kind in COLOURS)
    expect(page.locator("footer")).to_contain_text("No record is not no camera.")
    expect(page.locator("footer")).to_contain_text("ODbL")


def test_far_out_there_are_groups_that_open(desk: Page) -> None:
    page = desk
    go(page, 8)
    group = page.locator("#list button").first
    expect(group).to_contain_text(f"{number(page, '#total')} cameras")
    group.click()
    expect(group).not_to_contain_text("° N")


def test_a_filter_takes_a_kind_off_map_and_list(desk: Page) -> None:
    page = desk
    go(page, 17)
    before = number(page, "#in-view")
    assert any(name.startswith("Dome") for name in listed(page))
    page.locator("#kinds label", has_text="Dome").click()
    expect(page.locator("#list button", has_text="Dome")).to_have_count(0)
    assert 0 < number(page, "#in-view") < before
    counts = drawn(page)
    assert counts["dome"] == 0
    assert counts["bullet"] > 20
    page.select_option("#filter-reports", "6+")
    expect(page.locator("#rest")).to_have_text("None. Move the map, or show more.")
    page.select_option("#filter-reports", "1")
    page.select_option("#filter-since", "0")
    expect(page.locator("#list button").first).to_be_visible()
    page.select_option("#filter-since", "")
    page.locator("#kinds label", has_text="Dome").click()
    expect(page.locator("#in-view")).to_have_text(f"{before} in view")


def test_details_say_on_what_they_rest_and_how_old_they_are(desk: Page) -> None:
    page = desk
    go(page, 17)
    page.locator("#list button", has_text="Fixed").first.click()
    details = page.locator("#details")
    expect(details).to_contain_text("reports, not checked")
    expect(details).to_contain_text("this month")
    expect(details).to_contain_text("±")
    page.locator("#details-close").click()
    expect(details).to_be_hidden()


def test_a_camera_on_the_map_opens_by_a_click(desk: Page) -> None:
    page = desk
    go(page, 19, 80, 80)
    box = page.locator("#map").bounding_box()
    assert box
    for dx, dy in (
        (0, 0),
        (8, 8),
        (-8, 8),
        (8, -8),
        (-8, -8),
        (0, 16),
        (16, 0),
        (-16, 0),
        (0, -16),
    ):
        page.mouse.click(box["x"] + box["width"] / 2 + dx, box["y"] + box["height"] / 2 + dy)
        page.wait_for_timeout(150)
        if page.locator("#details").is_visible():
            break
    expect(page.locator("#details")).to_contain_text("On record because")


def test_counts_of_the_map_in_view(desk: Page) -> None:
    page = desk
    go(page, 16)
    tab(page, "Counts")
    expect(page.locator("#statistics-words")).to_contain_text("on record in")
    expect(page.locator("#statistics-kinds tr")).to_have_count(4)
    expect(page.locator("#statistics-months tr").first).to_be_visible()


def site(number_: int, apart_m: float = -60.0) -> Record:
    """One camera away from the others, as one of several walks reports it."""
    at = (apart_m + 0.1 * number_, apart_m)
    return record([entry(at, Kind.DOME)], common_m=1.0, day=TODAY)


def report(hub: Running, sites: Iterable[Record]) -> None:
    """What several walks send in."""
    public = keys.load_or_create(hub.data).public_key
    publisher = MqttPublisher(hub.broker.settings, password="", timeout_s=30)
    for one in sites:
        publisher.publish(seal(one, public))
    publisher.close()


def test_a_new_camera_appears_without_a_reload(desk: Page, hub: Running) -> None:
    page = desk
    tab(page, "Cameras")
    go(page, 16, 0, 0)
    before = number(page, "#total")
    report(hub, map(site, range(3)))
    expect(page.locator("#announce")).to_contain_text("A camera was added: Dome")
    expect(page.locator("#total")).to_have_text(str(before + 1))
    # A browser without a screen may leave out a frame that the map has asked for.
    page.wait_for_timeout(3_000)
    page.screenshot()
    expect(page.locator("#in-view")).to_have_text(f"{before + 1} in view")


def test_a_change_elsewhere_does_not_stop_the_list(desk: Page, hub: Running) -> None:
    """What is on the screen is read again, and is as it was; the map moves on over its tiles."""
    page = desk
    tab(page, "Cameras")
    go(page, 16, 0, 0)
    before = number(page, "#total")
    report(hub, (site(walk, 5_000.0) for walk in range(3)))
    expect(page.locator("#total")).to_have_text(str(before + 1))
    page.wait_for_timeout(1_000)
    go(page, 16, 20, 20)
    assert number(page, "#in-view") > 0


# --- exposure ------------------------------------------------------------------------------------


def gpx(path: Path) -> Path:
    """Along the first row of cameras and on."""
    ends = [MIDDLE.geodetic_from_enu(east, 12) for east in (-50, 400)]
    points = "".join(f'<trkpt lat="{lat}" lon="{lon}"/>' for lat, lon in ends)
    path.write_text(f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>")
    return path


def test_a_gpx_file_shows_its_exposure(desk: Page, tmp_path: Path) -> None:
    page = desk
    tab(page, "My way")
    expect(page.locator("#route")).to_contain_text("neither stored nor logged")
    page.set_input_files("#way-file", gpx(tmp_path / "way.gpx"))
    words = page.locator("#way-words")
    expect(words).to_contain_text("may be seen by")
    match = re.search(r"Of (\d+) m, (\d+) m .* by (\d+) cameras", words.inner_text())
    assert match
    length, seen, cameras = map(int, match.groups())
    assert length == pytest.approx(450, abs=2)
    assert 150 < seen < 320
    assert 5 <= cameras <= 12
    page.select_option("#way-reach", "100")
    expect(words).not_to_contain_text(f", {seen} m")
    page.select_option("#way-reach", "30")
    page.locator("#way-cameras button").first.click()
    expect(page.locator("#details")).to_be_visible()


def test_a_gpx_file_may_be_dropped_anywhere(desk: Page, tmp_path: Path) -> None:
    desk.evaluate("document.getElementById('way-clear').click()")
    tab(desk, "Cameras")
    desk.evaluate(
        """text => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], "way.gpx"));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true}));
        }""",
        gpx(tmp_path / "way.gpx").read_text(),
    )
    expect(desk.locator("#way-words")).to_contain_text("may be seen by")


def test_the_colours_follow_the_system(desk: Page) -> None:
    tab(desk, "Cameras")
    go(desk, 17)
    light = drawn(desk)
    desk.emulate_media(color_scheme="dark")
    desk.wait_for_timeout(100)  # the style is set in the event that follows
    still(desk)
    dark = drawn(desk)
    desk.emulate_media(color_scheme="light")
    still(desk)
    assert light["bullet"] > 20
    assert dark["bullet"] == 0


def test_a_way_is_drawn_by_the_keyboard_alone(desk: Page) -> None:
    page = desk
    go(page, 17)
    page.get_by_role("tab", name="My way").focus()
    page.keyboard.press("Enter")
    page.locator("#way-draw").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#crosshair")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    still(page)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.press("Backspace")
    page.locator("#way-finish").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#way-words")).to_contain_text("may be seen by")


def test_a_file_that_is_no_way_is_told_in_words(desk: Page, tmp_path: Path) -> None:
    (tmp_path / "x.gpx").write_text("<gpx/>")
    page = desk
    tab(page, "My way")
    page.set_input_files("#way-file", tmp_path / "x.gpx")
    expect(page.locator("#way-words")).to_contain_text("holds no track")
