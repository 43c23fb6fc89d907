"""Writing down on a request's page what is to be corrected: fields that come and go, refusals, what stays, who may."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from portal.models import User
from portal.roles import AUDITOR
from requests_app import workflow
from requests_app.models import Request
from requests_app.rights import rectification
from tests.conftest import BY, SignIn, staff_member
from tests.requests_app.asking import SOON, asked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
NAME = {"about": "Surname", "wrong": "Dough", "correct": "Doe"}
TOWN = {"about_1": "Town", "wrong_1": "", "correct_1": "Cork"}
STEP = "Write down what is to be corrected, so that whoever keeps the data is told"


def by_letter(subject: Subject, **said: Any) -> Request:
    return asked(subject, "rectification", channel="letter", note="My name is wrong.", **said)[0]


def address(request: Request) -> str:
    return reverse("admin:requests_app_request_do", args=[request.pk, "write_corrections"])


def corrected(request: Request) -> list[str]:
    return [rectification.in_words(one) for one in rectification.corrections(Request.objects.get(pk=request.pk))]


def page(browser: Client, request: Request) -> Any:
    return browser.get(reverse("admin:requests_app_request_change", args=[request.pk]))


def test_the_page_asks_for_what_is_missing_until_it_is_written_down(
    alice: Subject, bob: User, signed_in: SignIn
) -> None:
    browser, request = signed_in(bob), by_letter(alice)
    assert (STEP, address(request)) in page(browser, request).context["next"]
    answer = browser.post(address(request), {**NAME, **TOWN})
    assert answer["Location"] == reverse("admin:requests_app_request_change", args=[request.pk])
    shown = page(browser, request)
    assert STEP not in dict(shown.context["next"])
    assert shown.context["said"][1:] == [("Corrections", "Surname: Dough → Doe"), ("Corrections", "Town: → Cork")]
    assert "what is to be corrected written down" in shown.content.decode()
    assert "2 things to correct" in shown.content.decode()


def test_fields_come_and_go_and_nothing_is_written_down_yet(alice: Subject, bob: User, signed_in: SignIn) -> None:
    browser, request = signed_in(bob), by_letter(alice, details={"corrections": [{**_said(NAME)}]})
    assert browser.get(address(request)).context["form"]["correct"].value() == "Doe"
    form = browser.post(address(request), {**NAME, **TOWN, "add": "1"}).context["form"]
    assert (len(form.corrections), form["about_1"].value(), form["about_2"].value()) == (3, "Town", "")
    form = browser.post(address(request), {**NAME, **TOWN, "take_away": "0"}).context["form"]
    assert (len(form.corrections), form["about"].value()) == (1, "Town")
    assert corrected(request) == ["Surname: Dough → Doe"]


def _said(fields: dict[str, str]) -> dict[str, str]:
    return {"what": fields["about"], "wrong": fields["wrong"], "right": fields["correct"]}


def test_what_is_wrong_is_said_beside_its_field_and_keeps_what_was_typed(
    alice: Subject, bob: User, signed_in: SignIn
) -> None:
    browser, request = signed_in(bob), by_letter(alice)
    for wrong, where in (({"about_1": "Town"}, "correct_1"), ({"about_1": "minor", "correct_1": "?"}, "correct_1")):
        answer = browser.post(address(request), {**NAME, **wrong})
        form = answer.context["form"]
        assert (answer.status_code, set(form.errors), form["correct"].value()) == (400, {where}, "Doe")
    assert corrected(request) == []


def test_what_the_person_typed_is_shown_and_stays(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = asked(alice, "rectification", details={"corrections": [_said(NAME)]})[0]
    browser = signed_in(bob)
    form = browser.get(address(request)).context["form"]
    assert [one[0].field.disabled for one in form.corrections] == [True, False]
    # a browser sends no field that is disabled; whoever sends it changes nothing
    browser.post(address(request), {"about": "Name", "correct": "Eve", **TOWN})
    assert corrected(request) == ["Surname: Dough → Doe", "Town: → Cork"]
    browser.post(address(request), {"about_1": "", "wrong_1": "", "correct_1": ""})
    assert corrected(request) == ["Surname: Dough → Doe"]
    gone = browser.post(address(request), {"about_1": "x", "correct_1": "y", "take_away": "1"}).context["form"]
    assert gone["about"].value() == "Surname"


def test_it_is_not_offered_where_nobody_would_be_told(alice: Subject, bob: User, signed_in: SignIn) -> None:
    browser, request = signed_in(bob), by_letter(alice)
    workflow.start(request=request, staff=bob, by=BY, at=SOON)
    workflow.carry_out(request=request, by=BY, at=SOON)
    assert STEP not in dict(page(browser, request).context["next"])
    answer = browser.post(address(request), NAME)
    assert answer.status_code == 400
    assert "Whoever keeps the data was told" in answer.content.decode()
    access = asked(alice, "access")[0]
    assert "write_corrections" not in page(browser, access).content.decode()
    assert browser.post(address(access), NAME).status_code == 400


def test_an_auditor_writes_nothing_down(alice: Subject, signed_in: SignIn) -> None:
    browser, request = signed_in(staff_member("ada", AUDITOR)), by_letter(alice)
    assert STEP not in dict(page(browser, request).context["next"])
    assert browser.get(address(request)).status_code == 403
    assert browser.post(address(request), NAME).status_code == 403
    assert corrected(request) == []
