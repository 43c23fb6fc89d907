"""Staff's intake form: a second look before anything is recorded, what is refused, and who may."""

import re
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
from requests_app.rights import rectification
from requests_app.states import FOLLOW_UPS, LIMITED, Right, Status
from tests.conftest import SignIn, staff_member
from tests.requests_app.asking import asked

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
ADD = "/admin/requests_app/request/add/"
LIST = "/admin/requests_app/request/"
NAME = {"about": "Surname", "wrong": "Dough", "correct": "Doe"}
TOWN = {"about_1": "Town", "wrong_1": "", "correct_1": "Cork"}


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
    said = filled(rights=["rectification"], shown="document", note="Please", **NAME)
    answer = signed_in(bob).post(ADD, {**said, "confirmed": "1"})
    request = Request.objects.get()
    assert answer["Location"] == reverse("admin:requests_app_request_change", args=[request.pk])
    assert (request.status, request.locale, request.channel) == (Status.RECEIVED, "de", "phone")
    assert sealing.unseal(request, request.sealed_note, context=sealing.NOTE) == "Please"
    assert rectification.corrections(request) == [{"what": "Surname", "wrong": "Dough", "right": "Doe"}]
    assert request.timeline.earliest("at").actor == f"staff:{bob.pk}"


def test_several_rights_become_one_group_and_a_repetition_is_said(alice: Subject, bob: User, signed_in: SignIn) -> None:
    first = asked(alice, "access")[0]
    said = filled(rights=["access", "objection"], purposes_objection=["ai-training"], shown="callback", confirmed="1")
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
        ({"purposes_objection": ["no-such"]}, "valid choice"),
        ({"rights": ["objection"]}, "Tick which use it is about"),
        ({"purposes_objection": ["ai-training"]}, "Tick “Object to a use of my data” above too"),
        ({"about": "Town", "correct": "Cork"}, "Tick “Correct my data” above too"),
        ({"earlier": "Q-1"}, "Tick “Appeal / Complain” above too"),
        ({"rights": ["rectification"], "about": "Town"}, "Write what is right."),
        ({"rights": ["rectification"], "correct_1": "Cork", "about_1": ""}, "Write what has to be corrected."),
        ({"rights": ["rectification"], "about": "x" * 501, "correct": "y"}, "at most 500"),
        ({"rights": ["rectification"], "about": "minor", "correct": "perhaps"}, "yes or no is right"),
        ({"rights": ["rectification"], "about_1": "jurisdiction", "correct_1": "Atlantis"}, "ISO 3166"),
        ({"identifier": "no address"}, "not a mail address"),
        ({"scheme": "account", "identifier": "nobody"}, "Nobody is registered"),
        ({"identifier": "zoe@example.org"}, "Say where this person lives"),
        ({"identifier": "zoe@example.org", "jurisdiction": "XXX"}, "ISO 3166"),
        ({"capacity": "parent"}, "Say who asks"),
        ({"requester_name": "Rob"}, "nobody else"),
        ({"rights": ["appeal"]}, "which earlier request"),
        ({"rights": ["appeal"], "earlier": "Q-1"}, "no request of this reference"),
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


def corrected(request: Request) -> list[tuple[str, str]]:
    return [(one["what"], one["right"]) for one in rectification.corrections(request)]


def test_several_corrections_are_shown_before_and_kept(alice: Subject, bob: User, signed_in: SignIn) -> None:
    said, browser = filled(rights=["rectification"], **NAME, **TOWN), signed_in(bob)
    shown = browser.post(ADD, said)
    assert shown.context["shown"]["corrections"] == [
        {"what": "Surname", "wrong": "Dough", "right": "Doe"},
        {"what": "Town", "wrong": "", "right": "Cork"},
    ]
    # what is sent again is what was shown
    hidden = {field.html_name: field.value() for field in shown.context["form"] if field.value()}
    browser.post(ADD, {**hidden, "confirmed": "1"})
    assert corrected(Request.objects.get()) == [("Surname", "Doe"), ("Town", "Cork")]


def test_room_for_a_correction_comes_and_goes_and_nothing_typed_is_lost(
    alice: Subject, bob: User, signed_in: SignIn
) -> None:
    browser, half = signed_in(bob), {"about": "Surname", "wrong": "Dough", "correct": ""}
    # not whole yet, with a day that cannot be: neither is complained of
    said = filled(rights=["rectification", "objection"], received_on="soon", note="by letter", **half)
    added = browser.post(ADD, {**said, "add": "1"})
    form = added.context["form"]
    assert (added.status_code, len(form.corrections), dict(form.errors)) == (200, 2, {})
    assert [form[name].value() for name in ("about", "about_1", "received_on", "note")] == [
        "Surname",
        "",
        "soon",
        "by letter",
    ]
    assert form["rights"].value() == ["rectification", "objection"]
    assert "autofocus" in str(form["about_1"])
    gone = browser.post(ADD, {**said, **TOWN, "take_away": "0"}).context["form"]
    assert (len(gone.corrections), gone["about"].value(), gone["correct"].value()) == (1, "Town", "Cork")
    last = browser.post(ADD, {**said, "take_away": "0"}).context["form"]
    assert (len(last.corrections), last["about"].value()) == (1, "")
    assert not Request.objects.exists()


def test_there_is_room_for_twenty(alice: Subject, bob: User, signed_in: SignIn) -> None:
    many = {f"about_{n}": f"thing {n}" for n in range(1, 30)} | {f"correct_{n}": "right" for n in range(1, 30)}
    browser = signed_in(bob)
    said = filled(rights=["rectification"], **NAME, **many)
    page = browser.post(ADD, {**said, "add": "1"})
    assert len(page.context["form"].corrections) == 20
    assert 'name="add"' not in page.content.decode()
    browser.post(ADD, {**said, "confirmed": "1"})
    assert len(corrected(Request.objects.get())) == 20


def test_a_button_pressed_with_nonsense_does_no_harm(alice: Subject, bob: User, signed_in: SignIn) -> None:
    for pressed in ("99", "-1", "x", ""):
        answer = signed_in(bob).post(ADD, filled(rights=["rectification"], **NAME, take_away=pressed))
        assert (answer.status_code, answer.context["form"]["about"].value()) == (200, "Surname")


def test_what_is_wrong_with_one_correction_is_said_beside_it(alice: Subject, bob: User, signed_in: SignIn) -> None:
    twice = {"about_2": " SURNAME", "correct_2": "Do"}
    for wrong, where in ((twice, "about_2"), ({"about_2": "minor", "correct_2": "maybe"}, "correct_2")):
        # the second is left empty: its place does not count
        answer = signed_in(bob).post(ADD, filled(rights=["rectification"], **NAME, about_1="", correct_1="", **wrong))
        form = answer.context["form"]
        assert (answer.status_code, set(form.errors), form["wrong"].value()) == (400, {where}, "Dough")


def test_what_only_a_letter_says_is_taken_down_without_corrections(
    alice: Subject, bob: User, signed_in: SignIn
) -> None:
    said, browser = filled(rights=["rectification"], note="My name is wrong!", about="", correct=""), signed_in(bob)
    assert "Nothing to correct is written down yet" in browser.post(ADD, said).content.decode()
    browser.post(ADD, {**said, "confirmed": "1"})
    assert corrected(Request.objects.get()) == []


def test_each_right_is_about_its_own_uses(alice: Subject, bob: User, signed_in: SignIn) -> None:
    said = filled(
        rights=["objection", "restriction", "withdraw_consent", "opt_out_sale"],
        purposes_objection=["ai-training"],
        purposes_withdraw_consent=["marketing"],
        shown="document",
    )
    browser = signed_in(bob)
    shown = browser.post(ADD, said).context["shown"]["purposes"]
    assert [str(what) for what, _uses in shown] == ["What they object to", "Which consent they take back"]
    browser.post(ADD, {**said, "confirmed": "1"})
    assert dict(Request.objects.values_list("right", "scope")) == {
        "objection": {"purposes": ["ai-training"]},
        "withdraw_consent": {"purposes": ["marketing"]},
        "restriction": {},
        "opt_out_sale": {},
    }


def test_return_in_a_field_looks_first_and_adds_nothing(bob: User, signed_in: SignIn) -> None:
    page = signed_in(bob).get(ADD).content.decode()
    form = page[page.index("Take a request down</h1>") :]
    buttons = re.findall(r"<button[^>]*>", form)
    assert "name=" not in buttons[0]
    assert [re.findall(r'name="(\w+)"', one) for one in buttons[1:3]] == [["take_away"], ["add"]]


def test_what_one_right_needs_to_know_is_asked_beside_it(bob: User, signed_in: SignIn) -> None:
    form = signed_in(bob).get(ADD).context["form"]
    assert {right for one in form.particulars for right in one.rights} == {*LIMITED, Right.RECTIFICATION, *FOLLOW_UPS}
    assert not any(one.is_said for one in form.particulars)
