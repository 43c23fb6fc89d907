"""A member asks to be erased, sees by when the law wants an answer and why, and takes it back."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Picture, Visit

pytestmark = pytest.mark.browser
MEMBER = "m_gb001@linkwell.example"


def test_an_erasure_is_asked_for_explained_and_taken_back(visit: Visit, picture: Picture) -> None:
    page = visit(MEMBER, viewport={"width": 900, "height": 860})
    page.goto("/requests/")
    page.get_by_role("link", name="Make a request").click()
    page.get_by_label("Erase my data for good").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Anything we should know").fill("I closed my account last year.")
    page.get_by_label("I understand that an erasure cannot be undone.").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name=re.compile(r"Q-[0-9A-Z]{26}")).click()
    page.get_by_text("How this date was worked out").click()
    expect(page.get_by_text("One month later: ")).to_be_visible()
    expect(page.get_by_text("We received your request.")).to_be_visible()
    picture(page, "requests-detail")
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "requests-detail-phone")

    page.get_by_text("Withdraw this request").click()
    page.get_by_role("button", name="Withdraw the request").click()
    expect(page.get_by_text("Your request is withdrawn.")).to_be_visible()
    expect(page.get_by_text("You took the request back.")).to_be_visible()
