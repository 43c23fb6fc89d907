"""A notice from its draft to the people: written and translated, compared, published, told by mail."""

import re

import pytest
from playwright.sync_api import Page, expect

from consents.models import NoticeDelivery
from tests.browser.conftest import Picture, Visit
from tests.stack import wait_for

pytestmark = pytest.mark.browser
MANAGER = "petra@linkwell.example"
NEW = (
    "We use what you post, your profile and what you write to our AI tools to train AI models. From 3 November 2025 "
    "companies of our group do the same.\n\n"
    'You can switch this off at any time under "Your choices".\n\nWe tell you before anything else changes.'
)


def test_a_notice_is_written_compared_published_read_and_told(visit: Visit, picture: Picture) -> None:
    page = visit(MANAGER)
    page.goto("/admin/consents/noticedraft/")
    page.get_by_role("link", name="Write a notice").first.click()
    page.get_by_label("Notice").fill("ai-training")
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("Text, English").fill(NEW)
    page.get_by_role("button", name="Save and see what changed").click()
    expect(page.get_by_role("heading", name="What publishing will do")).to_be_visible()
    expect(page.locator("ins").first).to_be_visible()
    page.get_by_role("button", name="Publish for good").click()
    expect(page.get_by_text(re.compile(r"Published as version \d+"))).to_be_visible()
    _tell(page)

    reader = visit(viewport={"width": 390, "height": 844})
    reader.goto("/notices/")
    reader.get_by_role("link", name="What changed since").first.click()
    expect(reader.get_by_role("heading", name="What changed from version")).to_be_visible()
    expect(reader.locator("del").first).to_be_visible()
    desk = visit()
    desk.goto(reader.url)
    picture(desk, "notice-difference")


def _tell(page: Page) -> None:
    page.get_by_role("link", name="Tell people by mail").click()
    page.get_by_label("Jurisdictions").fill("CH")
    page.get_by_role("button", name="Show how many").click()
    expect(page.get_by_text(re.compile(r"It concerns \d+ p"))).to_be_visible()
    page.get_by_role("button", name="Send the letters").click()
    expect(page.get_by_text("The letters are on their way.")).to_be_visible()
    wait_for(lambda: NoticeDelivery.objects.get().state == "done", within=60, what="the letters to be sent")
    page.reload()
    expect(page.get_by_text("done", exact=True)).to_be_visible()
