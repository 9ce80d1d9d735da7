"""Reviewing in a real browser: keyboard first, and everything can be taken back."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSPHRASE, Running, Visits, still, tab


@pytest.fixture(scope="module")
def reviewer(browser: Browser, hub: Running) -> Iterator[Page]:
    visits = Visits(browser, hub.url)
    page = visits.open()
    tab(page, "Review")
    page.fill("#login-name", "ana")
    page.fill("#login-pass", "not the one, that is sure")
    page.keyboard.press("Enter")
    expect(page.locator("#login-words")).to_have_text("name and passphrase do not fit")
    page.fill("#login-pass", PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page.locator("#review-where")).to_contain_text(" of ")
    yield page
    visits.close()


def waiting(page: Page) -> int:
    """How many are in the queue."""
    match = re.search(r"of (\d+)", page.inner_text("#review-where"))
    return int(match[1]) if match else 0


def public(hub: Running) -> int:
    return len(httpx.get(f"{hub.url}/api/cameras.geojson").json()["features"])


def said(page: Page, words: str) -> None:
    expect(page.locator("#review-said")).to_contain_text(words)


def test_the_queue_says_why_and_marks_the_place(reviewer: Page) -> None:
    expect(reviewer.locator("#review-facts")).to_contain_text("Why now")
    expect(reviewer.locator("#review-facts")).to_contain_text("candidate")
    still(reviewer)


def test_next_and_previous_by_keys(reviewer: Page) -> None:
    reviewer.locator("#review-item").focus()
    where = reviewer.locator("#review-where")
    expect(where).to_contain_text("1 of")
    reviewer.keyboard.press("j")
    expect(where).to_contain_text("2 of")
    reviewer.keyboard.press("k")
    expect(where).to_contain_text("1 of")


def test_confirm_publishes_and_undo_takes_it_back(reviewer: Page, hub: Running) -> None:
    before, queue = public(hub), waiting(reviewer)
    reviewer.locator("#review-item").focus()
    reviewer.keyboard.press("c")
    said(reviewer, "Confirmed")
    assert public(hub) == before + 1
    expect(reviewer.locator("#total")).to_have_text(str(before + 1))  # live, without a reload
    assert waiting(reviewer) == queue - 1
    reviewer.keyboard.press("u")
    said(reviewer, "Taken back")
    assert public(hub) == before
    expect(reviewer.locator("#review-where")).to_contain_text(f"of {queue}")


def test_reject_is_undone_as_well(reviewer: Page, hub: Running) -> None:
    before, queue = public(hub), waiting(reviewer)
    reviewer.keyboard.press("r")
    said(reviewer, "Rejected")
    expect(reviewer.locator("#review-where")).to_contain_text(f"of {queue - 1}")
    reviewer.keyboard.press("u")
    said(reviewer, "Taken back")
    assert public(hub) == before


def test_a_camera_is_moved_to_the_middle_of_the_map(reviewer: Page) -> None:
    reviewer.locator("#review-item").focus()
    reviewer.keyboard.press("v")
    expect(reviewer.locator("#crosshair")).to_be_visible()
    reviewer.keyboard.press("Escape")
    expect(reviewer.locator("#crosshair")).to_be_hidden()
    reviewer.keyboard.press("v")
    box = reviewer.locator("#map").bounding_box()
    assert box
    reviewer.mouse.click(box["width"] / 2 + 190, box["height"] / 2)
    said(reviewer, "Moved")
    reviewer.keyboard.press("u")
    said(reviewer, "Taken back")


def test_tags_are_set_without_the_mouse(reviewer: Page) -> None:
    reviewer.locator("#review-item").focus()
    reviewer.keyboard.press("t")
    reviewer.select_option("#tag-mount", "pole")
    reviewer.fill("#tag-maker", "Acme")
    reviewer.keyboard.press("Enter")
    said(reviewer, "Tags set")
    reviewer.keyboard.press("u")
    said(reviewer, "Taken back")


def test_each_decision_is_one_key(reviewer: Page, hub: Running) -> None:
    before, queue = public(hub), waiting(reviewer)
    reviewer.locator("#review-item").focus()
    for left in range(1, 4):
        reviewer.keyboard.press("c")
        expect(reviewer.locator("#review-where")).to_contain_text(f"of {queue - left}")
    assert public(hub) > before
    for _ in range(3):
        reviewer.keyboard.press("u")
        said(reviewer, "Taken back")
        reviewer.evaluate("document.getElementById('review-said').textContent = ''")
    assert public(hub) == before


def test_who_logs_out_sees_no_candidate(reviewer: Page) -> None:
    reviewer.locator("#review-logout").click()
    expect(reviewer.locator("#review-login")).to_be_visible()
    expect(reviewer.locator("#review-desk")).to_be_hidden()
    assert reviewer.evaluate("fetch('api/review/queue').then(a => a.status)") == 401
