"""Privacy staff at a desk: the queue, an erasure to its end, a hold, a propagation that failed."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from consents import ledger, subjects
from consents.vocabulary import Action, Source
from downstream.models import Dataset, Propagation
from portal import actors, clock
from tests.browser.conftest import Picture, Visit
from tests.stack import wait_for

pytestmark = pytest.mark.browser
MANAGER = "petra@linkwell.example"
_REASON = "does not exist; mount it or correct the path."


def _press_in_dialog(page: Page, button: str, confirm: str) -> None:
    """Open the dialog of an action of the page, and do what it offers."""
    page.get_by_role("link", name=button).click()
    page.get_by_role("button", name=confirm, exact=True).click()


def _do(page: Page, deed: str) -> None:
    """Open the page of something that can be done to a request, and do it."""
    page.get_by_role("link", name=deed).click()
    page.get_by_role("button", name=deed).click()


def _reload_until(page: Page, seen: Locator, *, count: int = 1, within: float = 60) -> None:
    def found() -> bool:
        page.reload()
        return seen.count() >= count

    wait_for(found, within=within, what=lambda: page.locator("main, #content").first.inner_text()[:2000])


def test_the_queue_shows_what_is_due_first_and_an_erasure_closes_once_it_is_verified(
    visit: Visit, picture: Picture
) -> None:
    page = visit(MANAGER)
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Due next")).to_be_visible()
    picture(page, "staff-today")
    page.get_by_role("link", name="Open requests").click()
    expect(page.get_by_text(re.compile("overdue by"))).not_to_have_count(0)
    picture(page, "staff-queue", clip={"x": 0, "y": 0, "width": 1280, "height": 640})

    unbegun = page.get_by_role("row").filter(has=page.get_by_text("received", exact=True))
    unbegun.first.get_by_role("link").first.click()
    page.wait_for_url("**/change/**")
    reference = page.get_by_text(re.compile(r"^Q-[0-9A-Z]{26}$")).first.inner_text()
    _do(page, "Start work")
    expect(page.get_by_text("The request is yours.")).to_be_visible()
    picture(page, "staff-request")
    page.get_by_role("link", name="Carry it out").click()
    expect(page.get_by_text("Nobody can bring them back.")).to_be_visible()
    page.get_by_role("button", name="Carry it out").click()
    expect(page.get_by_text("It is on its way.")).to_be_visible()
    _reload_until(page, page.get_by_text("fulfilled", exact=True))
    expect(page.get_by_text(reference).first).to_be_visible()


def test_a_hold_shows_its_effect_first_and_then_where_it_has_arrived(visit: Visit, picture: Picture) -> None:
    page = visit(MANAGER)
    page.goto("/admin/consents/hold/")
    page.get_by_role("link", name="Open a hold").first.click()
    page.get_by_label("Use my data to train AI").check()
    page.get_by_label("Jurisdictions").fill("GB")
    page.get_by_label("Authority").fill("ICO")
    page.get_by_label("Reason").fill("The UK regulator asked us to pause this while it looks into it.")
    page.get_by_role("button", name="Show what it will do").click()
    expect(page.get_by_text("Decisions for 40 people turn to deny at once.")).to_be_visible()
    picture(page, "staff-hold-preview")
    page.get_by_role("button", name="Open the hold now").click()
    expect(page.get_by_text("The hold is in force.")).to_be_visible()
    _reload_until(page, page.get_by_text("verified", exact=True), count=3)
    page.goto("/admin/consents/hold/")
    expect(page.get_by_role("row").filter(has_text="United Kingdom")).to_contain_text("in force")


def test_a_rule_shows_by_country_what_it_would_change(visit: Visit, picture: Picture) -> None:
    page = visit(MANAGER)
    page.goto("/admin/consents/rule/")
    expect(page.get_by_role("heading", name="What stands where")).to_be_visible()
    page.get_by_role("link", name="Add a version").first.click()
    page.get_by_label("Purpose").select_option(label="Send me offers")
    page.get_by_label("Jurisdiction").fill("US")
    page.get_by_label("Legal basis").select_option(label="consent")
    page.get_by_label("Explanation").fill("Off until you say yes.")
    page.get_by_label("Source").fill("House rule")
    page.get_by_role("button", name="Show what it will do").click()
    expect(page.get_by_role("heading", name="Enact this version?")).to_be_visible()
    expect(page.get_by_text("turn to deny and for")).to_be_visible()
    picture(page, "staff-rule-preview")


def test_a_failed_propagation_says_why_and_is_tried_again(visit: Visit, picture: Picture) -> None:
    folder = Path(Dataset.objects.get(slug="posts-2024").location)
    away = folder.rename(folder.with_suffix(".away"))
    try:
        _say_no("m_us004")
        wait_for(lambda: Propagation.objects.filter(reason__contains=_REASON).exists(), within=60, what="a failure")
        page = visit(MANAGER)
        page.goto("/admin/downstream/propagation/")
        picture(page, "staff-propagations", clip={"x": 0, "y": 0, "width": 1280, "height": 560})
    finally:
        away.rename(folder)
    page.get_by_role("row").filter(has_text=_REASON).get_by_role("link").first.click()
    _press_in_dialog(page, "Try again now", "Try again")
    expect(page.get_by_text("It is waiting for a worker now.")).to_be_visible()
    _reload_until(page, page.get_by_text("verified", exact=True))


def _say_no(account: str) -> None:
    subject = subjects.get(subjects.name("account", account))
    origin = ledger.Origin(source=Source.SELF_SERVICE, by=actors.subject(subject.pk))
    scope = ledger.Scope("ai-training")
    ledger.record(subject=subject, scope=scope, action=Action.DENY, origin=origin, at=clock.now())
