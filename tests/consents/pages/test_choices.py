"""The switches, and what one click does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from consents import holds, ledger, rules
from consents.models import LedgerEvent, Preference, Purpose, Subject
from consents.vocabulary import Action
from portal import clock
from portal.models import User
from tests.conftest import AT, BY, SignIn
from tests.consents.asking import say
from tests.consents.test_rules import PROPOSAL

NO = {"purpose": "ai-training", "action": "deny"}


def written() -> int:
    return LedgerEvent.objects.filter(kind="choice").count()


def test_each_purpose_is_there_with_its_state_and_recipients(alice: Subject, signed_in: SignIn) -> None:
    page = signed_in(alice).get("/choices/").content.decode()
    for purpose in Purpose.objects.all():
        assert purpose.name in page
    assert page.count("On: your data is used for this.") == 2
    assert page.count("Off: your data is not used for this.") == 1
    assert "Northlight" in page


def test_the_page_costs_no_more_when_more_has_happened(
    alice: Subject, signed_in: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    browser = signed_in(alice)
    for _ in range(3):
        browser.post("/choices/choose/", NO)
        holds.open(scope=holds.HoldScope(jurisdictions=["FR"]), reason="r", by=BY, at=AT)
    # session, account, person and the lists; then two at most for all purposes together
    with django_assert_max_num_queries(8 + 2):
        browser.get("/choices/")


def test_one_click_says_no_and_answers_with_the_receipt(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    response = browser.post("/choices/choose/", NO)
    assert (response.status_code, response["Location"]) == (302, "/choices/#ai-training")
    event = LedgerEvent.objects.get(kind="choice")
    assert (event.action, event.source, event.actor) == ("deny", "self_service", f"subject:{alice.pk}")
    assert event.notice == "ai-training/1"
    assert ledger.reference(event.pk) in browser.get("/choices/").content.decode()


def test_with_htmx_only_the_card_comes_back(alice: Subject, signed_in: SignIn) -> None:
    response = signed_in(alice).post("/choices/choose/", NO, headers={"hx-request": "true"})
    page = response.content.decode()
    assert response.status_code == 200
    assert "<html" not in page
    assert "Your no is recorded." in page
    assert ledger.reference(LedgerEvent.objects.get(kind="choice").pk) in page
    assert 'aria-pressed="true"' in page


def test_yes_and_no_may_be_said_as_often_as_one_likes(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    for action in ("deny", "grant", "deny", "grant"):
        browser.post("/choices/choose/", {**NO, "action": action})
    assert Preference.objects.get(subject=alice).action == "grant"
    assert written() == 4


def test_a_part_of_a_purpose_is_a_switch_of_its_own(alice: Subject, signed_in: SignIn) -> None:
    response = signed_in(alice).post("/choices/choose/", {**NO, "purpose": "ai-training/affiliates"})
    assert response["Location"] == "/choices/#ai-training/affiliates"
    assert Preference.objects.get(subject=alice).purpose == "ai-training/affiliates"


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"purpose": "ai-training"},
        {"action": "deny"},
        {"purpose": "nothing", "action": "deny"},
        {"purpose": "", "action": "deny"},
        {"purpose": "ai-training", "action": "perhaps"},
        {"purpose": "ai-training", "action": "restrict"},
        {"purpose": "x" * 81, "action": "deny"},
        {"purpose": "ai-training\x00", "action": "deny"},
    ],
)
@pytest.mark.parametrize("headers", [{}, {"hx-request": "true"}])
def test_a_choice_that_is_not_understood_is_refused(
    alice: Subject, signed_in: SignIn, sent: dict[str, str], headers: dict[str, str]
) -> None:
    response = signed_in(alice).post("/choices/choose/", sent, headers=headers)
    assert response.status_code == 400
    assert "nothing was changed" in response.content.decode()
    assert not written()


def test_a_link_cannot_choose(alice: Subject, signed_in: SignIn) -> None:
    assert signed_in(alice).get("/choices/choose/", NO).status_code == 405
    assert not written()


def test_another_site_cannot_choose(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    browser.handler.enforce_csrf_checks = True
    assert browser.post("/choices/choose/", NO).status_code == 403
    assert not written()


@pytest.mark.parametrize("path", ["/choices/", "/history/", "/receipts/R-0/"])
def test_a_stranger_is_sent_to_sign_in(world: None, path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/?next=")


def test_a_stranger_cannot_choose(world: None) -> None:
    assert Client().post("/choices/choose/", NO)["Location"].startswith("/account/login/")
    assert not written()


def test_staff_have_no_choices(bob: User, signed_in: SignIn, world: None) -> None:
    response = signed_in(bob).get("/choices/")
    assert response.status_code == 403
    assert "not as somebody whose data this is about" in response.content.decode()
    assert signed_in(bob).post("/choices/choose/", NO).status_code == 403


def test_a_hold_is_shown_and_one_can_still_choose(grace: Subject, signed_in: SignIn) -> None:
    holds.open(scope=holds.HoldScope(["ai-training"], ["GB"]), reason="The regulator asked.", by=BY, at=AT)
    browser = signed_in(grace)
    assert "The regulator asked." in browser.get("/choices/").content.decode()
    browser.post("/choices/choose/", NO)
    assert Preference.objects.get(subject=grace).action == "deny"


def test_a_yes_with_a_lifetime_says_until_when_it_counts(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    assert "Your yes counts until" not in browser.get("/choices/").content.decode()
    browser.post("/choices/choose/", {"purpose": "marketing", "action": "grant"})
    page = browser.get("/choices/").content.decode()
    end = clock.now() + timedelta(days=365)
    assert page.count("Your yes counts until") == 1
    assert f'<time datetime="{end:%Y-%m-%d}"' in page
    browser.post("/choices/choose/", {"purpose": "marketing", "action": "deny"})
    assert "Your yes counts until" not in browser.get("/choices/").content.decode()


def test_more_purposes_cost_no_more_statements(alice: Subject, signed_in: Callable[..., Client]) -> None:
    browser = signed_in(alice)
    browser.get("/choices/")
    with CaptureQueriesContext(connection) as few:
        browser.get("/choices/")
    for number in range(6):
        Purpose.objects.create(slug=f"more-{number}", name="More", description="", dpv_term="")
    browser.get("/choices/")
    with CaptureQueriesContext(connection) as more:
        assert browser.get("/choices/").content.count(b"<article") == 9
    assert len(more) == len(few)


def test_a_signal_of_the_browser_is_a_reason(alice: Subject, signed_in: Callable[..., Client]) -> None:
    heeding = replace(PROPOSAL, jurisdiction="US", default="allow", gpc_denies=True)
    rules.enact(proposal=heeding, by=BY, at=AT)
    say(alice, Action.SIGNAL_ON, "")
    page = signed_in(alice).get("/choices/").content.decode()
    assert "Your browser sends an opt-out signal, which counts as a no here." in page
