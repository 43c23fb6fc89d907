"""The staff's pages of holds: their effect is seen first, and lifting takes two."""

from typing import Any

import pytest
from django.urls import reverse

from consents import cases, holds
from consents.models import Hold, LedgerEvent, Subject
from downstream.models import Dataset
from portal import actors
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from tests.conftest import AT, SignIn, staff_member
from tests.downstream.admin.pressing import do

pytestmark = pytest.mark.django_db(transaction=True)

OPEN = "/admin/consents/hold/add/"
ASKED = {"jurisdictions": "GB", "authority": "ICO", "reason": "They asked us to"}


def test_a_manager_sees_the_effect_first_and_then_opens_a_hold(
    posts: Dataset, grace: Subject, petra: User, signed_in: SignIn
) -> None:
    browser = signed_in(petra)
    shown = browser.post(OPEN, ASKED)
    assert shown.context["effect"]["people"] == 1
    assert shown.context["effect"]["datasets"] == [posts]
    assert not Hold.objects.exists()
    answer = browser.post(OPEN, ASKED | {"confirmed": "1"})
    hold = Hold.objects.get()
    assert answer["Location"] == reverse("admin:consents_hold_change", args=[hold.pk])
    assert (hold.jurisdictions, hold.authority, hold.opened_by) == (["GB"], "ICO", f"staff:{petra.pk}")
    assert browser.get(answer["Location"]).status_code == 200


def test_the_effect_is_told_by_country_and_purpose(
    posts: Dataset, grace: Subject, alice: Subject, petra: User, signed_in: SignIn
) -> None:
    shown = signed_in(petra).post(OPEN, ASKED | {"purposes": ["ai-training"]})
    table = shown.context["effect"]["table"]
    assert table["headers"][2:] == ["Use my data to train AI", "Let affiliates train AI with my data"]
    assert table["rows"] == [["United Kingdom", 1, 1, 1]]


def test_a_hold_of_one_recipient_within_a_case_over_a_span_of_data(
    posts: Dataset, grace: Subject, petra: User, signed_in: SignIn
) -> None:
    case = cases.open(authority="ICO", title="AI", by=actors.staff(petra.pk), at=AT)
    wanted = ASKED | {
        "recipients": ["linkwell"],
        "data_from": "2024-05-07",
        "data_until": "2024-08-01",
        "case": str(case.pk),
    }
    browser = signed_in(petra)
    shown = browser.post(OPEN, wanted)
    assert "does not say when its rows were made" in shown.content.decode()
    answer = browser.post(OPEN, wanted | {"confirmed": "1"})
    hold = Hold.objects.get()
    assert (hold.recipients, hold.case, hold.has_window) == (["linkwell"], case, True)
    assert (str(hold.data_from), str(hold.data_until)) == ("2024-05-07 00:00:00+00:00", "2024-08-01 00:00:00+00:00")
    page = browser.get(answer["Location"]).content.decode()
    assert "gap" in page
    assert "data made from" in page


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"data_from": "2024-08-01", "data_until": "2024-05-07"}, "data_until"),
        ({"data_from": "in May"}, "data_from"),
        ({"case": "00000000-0000-0000-0000-000000000000"}, "case"),
        ({"recipients": ["nobody"]}, "recipients"),
    ],
)
def test_a_span_or_case_that_cannot_be_says_so_at_its_field(
    world: None, petra: User, signed_in: SignIn, wrong: dict[str, Any], field: str
) -> None:
    answer = signed_in(petra).post(OPEN, ASKED | wrong)
    assert field in answer.context["form"].errors


@pytest.mark.parametrize("who", ["bob", "ada", "nemo"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_but_a_manager_opens_a_hold(world: None, bob: User, signed_in: SignIn, who: str, method: str) -> None:
    user = bob if who == "bob" else staff_member(who, AUDITOR if who == "ada" else None)
    answer = getattr(signed_in(user), method)(OPEN, ASKED | {"confirmed": "1"})
    assert answer.status_code == 403
    assert not Hold.objects.exists()


@pytest.mark.parametrize("extra", [{}, {"confirmed": "1"}])
@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": "  "},
        {"jurisdictions": "GB, Atlantis"},
        {"jurisdictions": "G-B"},
        {"purposes": ["mining"]},
        {"authority": "a" * 121},
        {"reason": "r" * 4_001},
    ],
)
def test_a_hold_that_cannot_be_opened_as_asked_says_why(
    world: None, petra: User, signed_in: SignIn, wrong: dict[str, Any], extra: dict[str, str]
) -> None:
    answer = signed_in(petra).post(OPEN, ASKED | wrong | extra)
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert not Hold.objects.exists()
    assert not AuditEntry.objects.filter(action="hold.open").exists()


def test_lifting_takes_two(hold: Hold, petra: User, mona: User, signed_in: SignIn) -> None:
    one, other = signed_in(petra), signed_in(mona)
    assert do(other, "consents_hold", "lift", hold.pk).status_code == 403
    assert do(one, "consents_hold", "ask_to_lift", hold.pk)["HX-Redirect"]
    assert do(one, "consents_hold", "lift", hold.pk).status_code == 403
    assert do(other, "consents_hold", "ask_to_lift", hold.pk).status_code == 403
    hold.refresh_from_db()
    assert hold.lifted_at is None
    assert do(other, "consents_hold", "lift", hold.pk)["HX-Redirect"]
    hold.refresh_from_db()
    assert (hold.lift_asked_by, hold.lifted_by) == (f"staff:{petra.pk}", f"staff:{mona.pk}")
    assert do(one, "consents_hold", "ask_to_lift", hold.pk).status_code == 403
    assert LedgerEvent.objects.filter(kind="hold_lifted").count() == 1


def test_the_one_who_asked_is_not_offered_to_lift(hold: Hold, petra: User, mona: User, signed_in: SignIn) -> None:
    holds.ask_to_lift(hold=hold, by=actors.staff(petra.pk), at=AT)
    page, link = (
        reverse("admin:consents_hold_change", args=[hold.pk]),
        reverse("admin:consents_hold_lift", args=[hold.pk]),
    )
    assert link not in signed_in(petra).get(page).content.decode()
    assert link in signed_in(mona).get(page).content.decode()


@pytest.mark.parametrize("action", ["ask_to_lift", "lift"])
def test_an_agent_lifts_nothing(hold: Hold, petra: User, bob: User, signed_in: SignIn, action: str) -> None:
    if action == "lift":
        holds.ask_to_lift(hold=hold, by=actors.staff(petra.pk), at=AT)
    assert do(signed_in(bob), "consents_hold", action, hold.pk).status_code == 403
    hold.refresh_from_db()
    assert hold.is_open
