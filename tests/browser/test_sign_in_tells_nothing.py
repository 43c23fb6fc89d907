"""Whether an address is known cannot be seen at sign-in."""

import re

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
KNOWN, UNKNOWN = "m_us006@linkwell.example", "nobody-here@linkwell.example"


def test_a_known_and_an_unknown_address_see_the_same_pages(visit: Visit) -> None:
    assert _shown_for(visit(), KNOWN) == _shown_for(visit(), UNKNOWN)


def _shown_for(page: Page, address: str) -> list[tuple[str, str, list[str]]]:
    """Address, content and cookies of each page: after the address, and after a code that is wrong."""
    page.goto("/account/login/")
    page.get_by_label("Mail address").fill(address)
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code").wait_for()
    seen = [_seen(page)]
    page.get_by_label("Code").fill("ZZZZ-ZZZZ")
    page.get_by_role("button", name="Sign in").click()
    page.locator(".error-summary").wait_for()
    return [*seen, _seen(page)]


def _seen(page: Page) -> tuple[str, str, list[str]]:
    content = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.content())
    return page.url, content, sorted(cookie["name"] for cookie in page.context.cookies())
