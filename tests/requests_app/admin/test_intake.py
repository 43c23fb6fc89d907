"""Staff's intake form: a second look before anything is recorded, what is refused, and who may."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from consents.models import Subject
from portal import clock
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from requests_app import sealing
from requests_app.models import Request
from requests_app.states import Status
from tests.conftest import SignIn, staff_member
from tests.requests_app.asking import asked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
ADD = "/admin/requests_app/request/add/"
LIST = "/admin/requests_app/request/"


def filled(**other: Any) -> dict[str, Any]:
    return {
        "channel": "phone",
        "received_on": clock.now().date().isoformat(),
        "scheme": "email",
        "identifier": "alice@example.org",
        "rights": ["access"],
        "capacity": "self",
        "locale": "de",
        **other,
    }


def test_a_button_on_the_queue_leads_there(bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    assert ADD in browser.get(LIST).content.decode()
    assert "Take a request down" in browser.get(ADD).content.decode()


def test_first_it_says_what_it_will_do_and_records_nothing(alice: Subject, bob: User, signed_in: SignIn) -> None:
    first = asked(alice, "access")[0]
    answer = signed_in(bob).post(ADD, filled(rights=["access", "erasure"], note="<b>hello</b>"))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "m_alice" in page
    assert first.reference in page
    assert reverse("admin:requests_app_request_change", args=[first.pk]) in page
    assert "&lt;b&gt;hello" in page
    assert "It waits until it is shown who asks" in page
    assert Request.objects.count() == 1
    assert AuditEntry.objects.filter(action="subject.look_up").count() == 1


def test_then_it_is_taken_down(alice: Subject, bob: User, signed_in: SignIn) -> None:
    said = filled(rights=["rectification"], shown="document", note="Please", corrections="Born 1990, not 1909")
    answer = signed_in(bob).post(ADD, {**said, "confirmed": "1"})
    request = Request.objects.get()
    assert answer["Location"] == reverse("admin:requests_app_request_change", args=[request.pk])
    assert (request.status, request.locale, request.channel) == (Status.RECEIVED, "de", "phone")
    note = sealing.unseal(request, request.sealed_note, context=sealing.NOTE)
    assert note == "Please\n\nBorn 1990, not 1909"
    assert request.timeline.earliest("at").actor == f"staff:{bob.pk}"


def test_several_rights_become_one_group_and_a_repetition_is_said(alice: Subject, bob: User, signed_in: SignIn) -> None:
    first = asked(alice, "access")[0]
    said = filled(rights=["access", "objection"], purposes=["ai-training"], shown="callback", confirmed="1")
    answer = signed_in(bob).post(ADD, said, follow=True)
    again, objection = Request.objects.exclude(pk=first.pk).order_by("right")
    assert (again.duplicate_of, again.group, objection.status) == (first, objection.group, Status.IN_PROGRESS)
    assert "asks for the same as" in answer.content.decode()
    assert answer.redirect_chain[0][0] == LIST


def test_who_asks_for_somebody_is_kept_sealed(alice: Subject, bob: User, signed_in: SignIn) -> None:
    who = {"capacity": "heir", "requester_name": "Rob Rowe", "requester_contact": "rob@example.org", "relation": "son"}
    signed_in(bob).post(ADD, filled(**who, confirmed="1"))
    request = Request.objects.get()
    assert sealing.unseal_json(request, request.sealed_requester, context=sealing.REQUESTER) == [
        "Rob Rowe",
        "rob@example.org",
        "son",
    ]


def test_change_it_shows_the_form_again(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = signed_in(bob).post(ADD, filled(edit="1", note="as I said")).content.decode()
    assert "as I said</textarea>" in page
    assert not Request.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"received_on": "2999-01-01"}, "cannot come in tomorrow"),
        ({"received_on": "2001-01-01"}, "more than a year ago"),
        ({"received_on": "yesterday"}, "valid date"),
        ({"rights": []}, "required"),
        ({"rights": ["erase"]}, "valid choice"),
        ({"purposes": ["no-such"]}, "valid choice"),
        ({"rights": ["objection"]}, "which use it is about"),
        ({"purposes": ["ai-training"]}, "leave the scope out"),
        ({"identifier": "no address"}, "not a mail address"),
        ({"scheme": "account", "identifier": "nobody"}, "Nobody is registered"),
        ({"identifier": "zoe@example.org"}, "Say where this person lives"),
        ({"identifier": "zoe@example.org", "jurisdiction": "XXX"}, "ISO 3166"),
        ({"capacity": "parent"}, "Say who asks"),
        ({"requester_name": "Rob"}, "nobody else"),
        ({"rights": ["appeal"]}, "which earlier request"),
        ({"rights": ["appeal"], "about": "Q-1"}, "no request of this reference"),
        ({"note": "x" * 4_001}, "at most 4000"),
        ({"channel": "pages"}, "valid choice"),
        ({"shown": "code"}, "valid choice"),
    ],
)
def test_what_cannot_be_taken_down_is_said_beside_the_form(
    alice: Subject, bob: User, signed_in: SignIn, wrong: dict[str, Any], says: str
) -> None:
    browser = signed_in(bob)
    for confirmed in ({}, {"confirmed": "1"}):
        answer = browser.post(ADD, {**filled(**wrong), **confirmed})
        assert answer.status_code == 400
        assert says in answer.content.decode()
    assert not Request.objects.exists()


def test_an_empty_form_says_what_is_missing(bob: User, signed_in: SignIn) -> None:
    assert signed_in(bob).post(ADD, {}).status_code == 400


def test_an_auditor_takes_nothing_down(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(staff_member("ada", AUDITOR))
    assert ADD not in browser.get(LIST).content.decode()
    assert browser.get(ADD).status_code == 403
    assert browser.post(ADD, filled(confirmed="1")).status_code == 403
    assert not Request.objects.exists()


def test_the_day_may_be_a_year_ago(alice: Subject, bob: User, signed_in: SignIn) -> None:
    day = clock.now().date() - timedelta(days=365)
    signed_in(bob).post(ADD, filled(received_on=day.isoformat(), channel="letter", confirmed="1"))
    assert Request.objects.get().received_at.date() == day
