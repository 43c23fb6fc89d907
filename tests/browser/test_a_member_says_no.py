"""A member signs in, says no and watches it arrive: on a phone, with the keyboard alone, without scripts."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.demo import people
from tests.browser import signing_in
from tests.browser.conftest import PHONE, Picture, Visit
from tests.browser.pausing import paused
from tests.stack import Stack

pytestmark = pytest.mark.browser
TRAINING = "Use my data to train AI"
KEYBOARD, WITHOUT_SCRIPTS, DARK = "m_us001@linkwell.example", "m_us002@linkwell.example", "m_us003@linkwell.example"
ON, OFF = "On: your data is used for this.", "Off: your data is not used for this."


def _card(page: Page, name: str = TRAINING) -> Locator:
    return page.locator("article", has=page.get_by_role("heading", name=name))


def _answer(card: Locator, word: str) -> Locator:
    return card.get_by_role("button", name=re.compile(rf"^{word}\b"))


def _bring_to_top(card: Locator) -> None:
    card.evaluate("card => window.scrollTo(0, card.getBoundingClientRect().top + window.scrollY - 16)")


def test_a_no_on_a_phone_is_answered_in_place_and_watched_to_its_removal(
    house: Stack, visit: Visit, picture: Picture
) -> None:
    page = visit(**PHONE)
    page.goto("/?country=US")
    expect(page.get_by_text("it may be used, unless the member says no")).to_be_visible()
    signing_in.sign_in(page, house, people.MEMBER)
    page.evaluate("window.stillHere = true")
    card = _card(page)
    expect(card).to_contain_text(ON)
    with paused(house, "worker"):
        _answer(card, "No").click()
        expect(card).to_contain_text(OFF)
        expect(_answer(card, "No")).to_have_attribute("aria-pressed", "true")
        reference = card.locator(".alert .reference").inner_text()
        assert re.fullmatch(r"R-[0-9A-Z]{26}", reference)
        expect(page.locator("#announcement")).to_contain_text(reference)
        assert page.evaluate("window.stillHere"), "the page was loaded anew"
        _bring_to_top(card)
        picture(page, "choices-phone")

        card.get_by_role("link", name="See where your no has arrived").click()
        expect(page.locator(".stop--waiting")).to_have_count(3)
        page.evaluate("window.stillHere = true")
    expect(page.locator(".stop--removed")).to_have_count(3, timeout=30_000)
    expect(page.get_by_text("Your no has arrived everywhere, and we looked again.")).to_have_count(2)
    assert page.evaluate("window.stillHere"), "the page was loaded anew"

    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name=reference).click()
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    expect(page.locator("main")).to_contain_text(reference)
    expect(page.locator("main")).to_contain_text(TRAINING)

    wide = visit(people.MEMBER, viewport={"width": 820, "height": 1020})
    wide.goto("/choices/ai-training/journey/")
    picture(wide, "journey")


def test_the_keyboard_alone_says_no_and_keeps_its_place(visit: Visit) -> None:
    page = visit(KEYBOARD)
    page.goto("/choices/")
    no = _answer(_card(page), "No")
    for _ in range(40):
        page.keyboard.press("Tab")
        if no.evaluate("button => button === document.activeElement"):
            break
    expect(no).to_be_focused()
    page.keyboard.press("Enter")
    expect(_card(page)).to_contain_text(OFF)
    expect(_answer(_card(page), "No")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(_card(page)).to_contain_text(ON)
    expect(_answer(_card(page), "Yes")).to_be_focused()


def test_without_scripts_the_same_is_done_by_pages(house: Stack, visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    signing_in.sign_in(page, house, WITHOUT_SCRIPTS)
    _answer(_card(page), "No").click()
    expect(page.get_by_role("status").filter(has_text="Saved. Your receipt: R-")).to_be_visible()
    expect(_card(page)).to_contain_text(OFF)
    _card(page).get_by_role("link", name="See where your no has arrived").click()
    again = page.get_by_role("link", name="Look again")
    expect(page.locator(".stops")).to_be_visible()
    for _ in range(60):
        if not again.count():
            break
        page.wait_for_timeout(500)
        with page.expect_navigation():
            again.click()
    expect(page.get_by_text("Your no has arrived everywhere, and we looked again.")).to_be_visible()
    expect(page.locator(".stop--removed, .stop--not_in")).to_have_count(3)


def test_a_no_to_the_whole_shows_at_its_parts_and_in_the_dark(visit: Visit) -> None:
    page = visit(DARK, color_scheme="dark")
    page.goto("/choices/")
    card = _card(page)
    _answer(card, "No").click()
    expect(card).to_contain_text(OFF)
    # a part follows the whole, without having been asked about
    expect(_card(page, "Let affiliates train AI with my data")).to_contain_text("You switched off the wider purpose")
    expect(_card(page, "Let affiliates train AI with my data")).to_contain_text(OFF)
