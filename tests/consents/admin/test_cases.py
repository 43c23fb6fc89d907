"""The staff's pages of regulators' cases: who may do what, and what a closed case refuses."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from consents import cases, holds
from consents.models import CaseNote, Hold, RegulatorCase
from portal import actors
from portal.models import User
from portal.roles import AUDITOR
from tests.conftest import AT, BY, SignIn, staff_member

pytestmark = pytest.mark.django_db

OPEN = "/admin/consents/regulatorcase/add/"
ASKED = {"authority": "ICO", "title": "AI training in Britain", "reference": "IC-1", "notes": "A letter came."}


@pytest.fixture
def case(world: None) -> RegulatorCase:
    return cases.open(authority="ICO", title="AI training", by=BY, at=AT)


@pytest.fixture
def hold(world: None) -> Hold:
    return holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="r", by=BY, at=AT)


def do(browser: Client, action: str, pk: object, **fields: Any) -> Any:
    address = reverse(f"admin:consents_regulatorcase_{action}", args=[pk])
    return browser.post(address, {"_form_submitted": "True"} | fields)


def test_a_manager_takes_a_case_from_its_opening_to_its_end(hold: Hold, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    answer = browser.post(OPEN, ASKED)
    case = RegulatorCase.objects.get()
    page = reverse("admin:consents_regulatorcase_change", args=[case.pk])
    assert (answer["Location"], case.opened_by) == (page, actors.staff(petra.pk))
    assert do(browser, "note", case.pk, text="They asked when it began.")["HX-Redirect"] == page
    assert do(browser, "link_hold", case.pk, hold=str(hold.pk))["HX-Redirect"] == page
    shown = browser.get(page).content.decode()
    assert "They asked when it began." in shown
    assert reverse("admin:consents_hold_change", args=[hold.pk]) in shown
    assert do(browser, "close", case.pk)["HX-Redirect"] == page
    case.refresh_from_db()
    assert not case.is_open


@pytest.mark.parametrize("who", ["bob", "ada", "nemo"])
def test_nobody_but_a_manager_handles_cases(
    case: RegulatorCase, hold: Hold, bob: User, signed_in: SignIn, who: str
) -> None:
    browser = signed_in(bob if who == "bob" else staff_member(who, AUDITOR if who == "ada" else None))
    assert browser.post(OPEN, ASKED).status_code == 403
    for action, fields in (("note", {"text": "x"}), ("link_hold", {"hold": str(hold.pk)}), ("close", {})):
        assert do(browser, action, case.pk, **fields).status_code == 403
    assert RegulatorCase.objects.get() == case
    assert not CaseNote.objects.exists()


def test_an_auditor_reads_cases(case: RegulatorCase, signed_in: SignIn) -> None:
    browser = signed_in(staff_member("ada", AUDITOR))
    page = reverse("admin:consents_regulatorcase_change", args=[case.pk])
    assert [browser.get(one).status_code for one in ("/admin/consents/regulatorcase/", page)] == [200, 200]


@pytest.mark.parametrize("wrong", [{"authority": ""}, {"title": " "}, {"title": "x" * 201}])
def test_a_case_that_says_too_little_or_too_much_is_asked_again(
    world: None, petra: User, signed_in: SignIn, wrong: dict[str, str]
) -> None:
    shown = signed_in(petra).post(OPEN, ASKED | wrong)
    assert shown.context["form"].errors
    assert not RegulatorCase.objects.exists()


@pytest.mark.parametrize(("action", "fields"), [("note", {"text": "x"}), ("close", {}), ("link_hold", {})])
def test_a_closed_case_takes_nothing_more(
    case: RegulatorCase, petra: User, signed_in: SignIn, action: str, fields: dict[str, str]
) -> None:
    cases.close(case=case, by=BY, at=AT)
    assert do(signed_in(petra), action, case.pk, **fields).status_code == 403


@pytest.mark.parametrize("pk", ["nonsense", "00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("action", ["note", "close", "link_hold"])
def test_an_action_on_a_bad_id_is_refused(world: None, petra: User, signed_in: SignIn, action: str, pk: str) -> None:
    assert do(signed_in(petra), action, pk, text="x").status_code in {302, 403, 404}


def test_an_empty_note_is_asked_again(case: RegulatorCase, petra: User, signed_in: SignIn) -> None:
    assert do(signed_in(petra), "note", case.pk, text="").status_code == 200
    assert not CaseNote.objects.exists()
