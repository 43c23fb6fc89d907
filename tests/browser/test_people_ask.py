"""People ask: a stranger on a phone objects and wants their data, a member asks for two rights."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Picture, Visit

pytestmark = pytest.mark.browser
MEMBER = "m_gb002@linkwell.example"
NARROW = {**PHONE, "viewport": {"width": 390, "height": 844}}


def _violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{page.url}: {one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def _next(page: Page) -> None:
    assert _violations(page) == []
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0, f"{page.url} scrolls sideways by {over} px"
    page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_member_asks_for_two_rights_and_finds_both(visit: Visit, picture: Picture, scheme: str) -> None:
    page = visit(MEMBER, color_scheme=scheme, viewport={"width": 900, "height": 1000})
    page.goto("/")
    page.get_by_role("link", name="make a request").click()
    picture(page, f"requests-new-{scheme}")
    _next(page)
    expect(page.locator(".error-summary")).to_be_focused()
    page.get_by_role("link", name=re.compile("Tick at least one")).click()
    expect(page.locator("#id_rights")).to_be_focused()
    page.get_by_label("See my data").check()
    page.get_by_label("Put my data on hold").check()
    _next(page)
    page.get_by_label("Send me offers").check()
    page.get_by_label("Anything we should know").fill("My account is from 2019.")
    picture(page, f"requests-details-{scheme}")
    _next(page)
    expect(page.get_by_text("My account is from 2019.")).to_be_visible()
    picture(page, f"requests-check-{scheme}")
    assert _violations(page) == []
    page.get_by_role("button", name="Send").dblclick()
    expect(page.get_by_role("heading", name="We have your requests")).to_be_visible()
    assert len(page.locator("a.reference").all()) == 2
    assert _violations(page) == []
    picture(page, f"requests-sent-{scheme}")
    page.locator("a.reference").first.click()
    expect(page.get_by_text("We received your request.")).to_be_visible()
    page.get_by_text("How this date was worked out").click()
    page.get_by_text("Write to our privacy staff").click()
    picture(page, f"requests-detail-{scheme}")
    assert _violations(page) == []
