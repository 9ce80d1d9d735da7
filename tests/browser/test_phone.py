"""The page that a volunteer holds in one hand: a phone's screen, a thumb, the real page process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect
from playwright.sync_api import Page as Screen

from scanner.core.blink import State
from scanner.core.button import Action
from scanner.phone.link import PageLink
from tests.browser.test_access import faults
from tests.helpers.page import Page
from tests.helpers.waiting import until

FACTS: Final = {
    "fix": "good to 4 m",
    "accelerator": "Edge TPU",
    "temperature": "61 degrees",
    "outbox": "12 records wait",
    "leaves": "Sealed records one by one, within two weeks: each camera's kind and place, the week."
    " No picture, no track, no name.",
}
FINDS: Final = ("dome, 9 views, ±4 m", "bullet, 5 views, ±7 m", "ptz, 14 views, ±3 m")
LENS: Final = "lost: no frame for 3 s"
TOLD: Final = "The lens is lost or covered: no frame for 3 s"
THUMB_PX: Final = 44  # a side of what a thumb hits
REACH: Final = 0.75  # of the screen's height: below it a thumb reaches without a second hand


class Device:
    """What ``watch`` has of the page."""

    def __init__(self, page: Page) -> None:
        self.asked: list[Action] = []
        facts = {name: (lambda text=text: text) for name, text in FACTS.items()}
        self.link = PageLink(page.socket, self.asked.append, facts)
        for find in FINDS:
            self.link.show(State.SEEN, find)
        self.link.show(State.FOUND, "2 sites")
        self.link.show(State.WITHHELD)
        self.link.show(State.SCANNING)


class Phone:
    """Opens the page on a phone, and notes what goes wrong."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self._browser, self._page = browser, page
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    def open(self, *, at: str = "", dark: bool = False, width: int = 390) -> Screen:
        """A screen of that width; ``at``: what follows the address."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 844},
            has_touch=True,
            is_mobile=True,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        self._contexts.append(context)
        screen = context.new_page()
        screen.on("pageerror", lambda error: self.faults.append(str(error)))
        screen.on("request", lambda r: self._asked(r.url))
        screen.goto(f"{self._page.address}/{at}")
        return screen

    def inside(self, **more: bool) -> Screen:
        """The walk, by the link of the QR code."""
        screen = self.open(at=f"#{self._page.code}", **more)
        expect(screen.locator("#state-text")).to_have_text("Looking")
        expect(screen.locator("#facts")).to_contain_text("Edge TPU")
        return screen

    def _asked(self, url: str) -> None:
        if not url.startswith(self._page.address):
            self.faults.append(f"asked {url}")

    def close(self) -> None:
        """Close all; nothing may have failed, and nobody else been asked."""
        for context in self._contexts:
            context.close()
        assert self.faults == []


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with Page(tmp_path) as running:
        yield running


@pytest.fixture
def device(page: Page) -> Iterator[Device]:
    device = Device(page)
    yield device
    device.link.close()


@pytest.fixture
def phone(browser: Browser, page: Page) -> Iterator[Phone]:
    phone = Phone(browser, page)
    yield phone
    phone.close()


def width_of(screen: Screen) -> int:
    return int(screen.evaluate("document.documentElement.scrollWidth"))


def test_the_code_is_typed_and_a_wrong_one_is_told(
    page: Page, device: Device, phone: Phone
) -> None:
    screen = phone.open()
    expect(screen.locator("#code")).to_be_focused()
    assert faults(screen) == []
    screen.keyboard.type("wrong-wrong")
    screen.keyboard.press("Enter")
    expect(screen.locator("#code-note")).to_have_text("That is not the code.")
    expect(screen.locator("#walk")).to_be_hidden()
    screen.locator("#code").fill(page.code.upper().replace("-", " "))
    screen.get_by_role("button", name="Open").tap()
    expect(screen.locator("#state-text")).to_have_text("Looking")
    assert device.asked == []


def test_the_walk_is_on_one_screen_newest_first_and_in_words(device: Device, phone: Phone) -> None:
    screen = phone.inside()
    expect(screen.locator("#finds li > :first-child")).to_have_text(list(reversed(FINDS)))
    sums = screen.locator("#sums")
    expect(sums).to_have_text("2 sites on the card · 1 kept back by your profile")
    for text in (*FACTS.values(), "Fix", "Outbox"):
        expect(screen.locator("#walk")).to_contain_text(text, ignore_case=True)
    device.link.show(State.LENS, LENS)
    trouble = screen.locator("#troubles")
    expect(trouble).to_have_text(TOLD)
    expect(screen.locator("#state-text")).to_have_text("Not looking")
    assert screen.locator("#state").get_attribute("data-tone") == "bad"
    device.link.new_walk()
    expect(sums).to_have_text("Nothing found yet.")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(device: Device, phone: Phone, *, dark: bool) -> None:
    screen = phone.inside(dark=dark)
    assert faults(screen) == []
    device.link.show(State.LENS, LENS)
    expect(screen.locator("#troubles li")).to_be_visible()
    assert faults(screen) == []
    screen.locator("#wipe").tap()
    expect(screen.locator("#sure")).to_be_visible()
    assert faults(screen) == []


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize("size", ["100%", "200%"])
def test_one_thumb_reaches_all_that_may_be_asked(phone: Phone, width: int, size: str) -> None:
    screen = phone.inside(width=width)
    screen.evaluate("size => { document.documentElement.style.fontSize = size }", size)
    assert width_of(screen) <= width
    screen.evaluate("scrollTo(0, document.body.scrollHeight)")
    for name in ("Wipe", "New walk", "Pause"):
        box = screen.get_by_role("button", name=name, exact=True).bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= THUMB_PX, name
        assert box["y"] >= REACH * 844, name
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width, name
    # What is last can be scrolled to above the bar.
    last = screen.locator("#leave").bounding_box()
    bar = screen.locator("#bar").bounding_box()
    assert last
    assert bar
    assert last["y"] + last["height"] <= bar["y"]


def test_a_thumb_pauses_and_goes_on(device: Device, phone: Phone) -> None:
    screen = phone.inside()
    screen.get_by_role("button", name="Pause").tap()
    until(lambda: device.asked == [Action.PAUSE])
    device.link.show(State.ASLEEP)
    expect(screen.locator("#state-text")).to_have_text("Paused")
    screen.get_by_role("button", name="Go on").tap()
    until(lambda: device.asked == [Action.PAUSE, Action.GO_ON])


def test_a_wipe_is_asked_about_and_a_slip_of_the_thumb_keeps_everything(
    device: Device, phone: Phone
) -> None:
    screen = phone.inside()
    screen.locator("#wipe").tap()
    expect(screen.locator("#keep")).to_be_focused()
    keep = screen.locator("#keep").bounding_box()
    now = screen.locator("#wipe-now").bounding_box()
    first = screen.locator("#wipe").bounding_box()
    assert keep
    assert now
    assert first
    # A second tap on the same place must not be a yes.
    assert not (
        now["x"] <= first["x"] + first["width"] / 2 <= now["x"] + now["width"]
        and now["y"] <= first["y"] + first["height"] / 2 <= now["y"] + now["height"]
    )
    screen.locator("#keep").tap()
    expect(screen.locator("#sure")).to_be_hidden()
    assert device.asked == []
    screen.locator("#wipe").tap()
    screen.locator("#wipe-now").tap()
    until(lambda: device.asked == [Action.WIPE])
    device.link.show(State.WIPED)
    expect(screen.locator("#state-text")).to_have_text("Wiped")
    expect(screen.locator("#finds li")).to_have_count(0)


@pytest.mark.usefixtures("device")
def test_nothing_stays_on_the_phone(page: Page, phone: Phone) -> None:
    screen = phone.inside()
    assert page.code not in screen.url  # the history forgets it
    kept = screen.evaluate(
        """async () => [localStorage.length, sessionStorage.length,
            window.caches ? (await caches.keys()).length : 0,
            (await indexedDB.databases()).length, document.cookie]"""
    )
    assert kept == [0, 0, 0, 0, ""]
    screen.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert "dome" not in screen.locator("body").inner_text()
    expect(screen.locator("#finds li")).to_have_count(3)  # and comes back with the next look
    screen.get_by_role("button", name="Close this page for good").tap()
    expect(screen.locator("#code")).to_be_visible()
    screen.reload()
    expect(screen.locator("#code")).to_be_visible()
    assert "dome" not in screen.content()


@pytest.mark.usefixtures("device")
def test_an_answer_that_comes_after_the_page_was_hidden_is_not_drawn(phone: Phone) -> None:
    screen = phone.inside()
    under_way: list[Route] = []
    screen.route("**/view", lambda route: under_way.append(route))  # noqa: PLW0108 - gets a mark
    until(lambda: screen.wait_for_timeout(20) or under_way)
    screen.evaluate(
        """() => { Object.defineProperty(document, "hidden", { value: true, configurable: true });
            document.dispatchEvent(new Event("visibilitychange")); }"""
    )
    with screen.expect_response("**/view"):
        under_way.pop().continue_()
    screen.wait_for_timeout(300)
    for shown in ("finds", "facts", "state-text", "sums"):
        expect(screen.locator(f"#{shown}")).to_be_empty()


@pytest.mark.usefixtures("device")
def test_a_page_that_could_not_be_closed_says_so(phone: Phone) -> None:
    screen = phone.inside()
    screen.route("**/leave", lambda route: route.abort())
    leave = screen.get_by_role("button", name="Close this page for good")
    leave.tap()
    expect(screen.locator("#leave-note")).to_contain_text("Still open")
    expect(screen.locator("#code")).to_be_hidden()
    assert faults(screen) == []
    screen.unroute("**/leave")
    leave.tap()
    expect(screen.locator("#code")).to_be_visible()
    assert "Still open" not in screen.locator("body").inner_text()


def test_a_scanner_that_is_away_is_told_and_nothing_can_be_asked(
    page: Page, device: Device, phone: Phone
) -> None:
    screen = phone.inside()
    device.link.close()
    expect(screen.locator("#state-text")).to_have_text("The scanner is not running")
    for name in ("Wipe", "New walk", "Pause"):
        expect(screen.get_by_role("button", name=name, exact=True)).to_be_disabled()
    page.process.kill()
    expect(screen.locator("#state-text")).to_have_text("The scanner does not answer")
