"""Somebody without an account objects with a code from the mail; a browser's opt-out signal is seen and honoured."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from consents import subjects
from consents.models import LedgerEvent
from tests.browser import signing_in
from tests.browser.conftest import Visit
from tests.stack import Stack

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
# new ones each run: an address gets only so many mails an hour
STRANGER, SCRIPTLESS = (f"{name}-{uuid.uuid4().hex[:8]}@elsewhere.example" for name in ("zoe", "yan"))
CALIFORNIAN = "m_us007@linkwell.example"


def _object(page: Page, house: Stack, email: str) -> None:
    """From the first page to the page that says it is recorded."""
    page.goto("/?country=DE")
    page.get_by_role("link", name="Object without one").click()
    expect(page.get_by_label("Where do you live?")).to_have_value("DE")
    expect(page.get_by_label("Use my data to train AI")).to_be_checked()
    code = signing_in.ask_for_code(page, house, email)
    page.get_by_label("Code").fill(code.lower())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Your objection is recorded.")).to_be_visible()


def test_a_stranger_objects_on_a_phone(house: Stack, visit: Visit) -> None:
    page = visit(**PHONE)
    page.goto("/object/")
    page.get_by_role("button", name="Send me a code").click()
    expect(page.locator(".error-summary")).to_be_focused()
    page.get_by_role("link", name=re.compile("Write your mail address")).click()
    expect(page.get_by_label("Your mail address")).to_be_focused()
    _object(page, house, STRANGER)
    reference = page.locator("dd.reference").inner_text()
    assert re.fullmatch(r"R-[0-9A-Z]{26}", reference)
    zoe = subjects.get(subjects.name("email", STRANGER))
    assert LedgerEvent.objects.filter(subject_id=zoe.pk, action="object").count() == 1


def test_without_scripts_it_works_the_same(house: Stack, visit: Visit) -> None:
    _object(visit(java_script_enabled=False), house, SCRIPTLESS)


def test_a_browsers_signal_is_seen_recorded_and_set_aside(house: Stack, visit: Visit) -> None:
    page = visit(extra_http_headers={"Sec-GPC": "1"})
    page.goto("/?country=US-CA")
    expect(page.get_by_text("Your browser sends an opt-out signal; we honour it.")).to_have_count(1)
    signing_in.sign_in(page, house, CALIFORNIAN)
    page.get_by_role("link", name="What the signal does").click()
    expect(page.get_by_text("The signal counts, since")).to_be_visible()
    page.get_by_role("button", name="Do not apply it to me").click()
    expect(page.get_by_role("status").filter(has_text="Saved. Your receipt: R-")).to_be_visible()
    expect(page.get_by_text("You told us not to apply it,").first).to_be_visible()
    page.get_by_role("button", name="Apply it again").click()
    expect(page.get_by_text("The signal counts, since")).to_be_visible()
