"""The list and one request: where it stands, what happened, what can still be done; nobody sees another's."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from consents.models import Subject
from portal import clock
from portal.models import User
from requests_app import sealing, timeline, told, workflow
from requests_app.models import Pause, Proposal, Request, System, Task
from requests_app.pages import words
from requests_app.states import Ground, ProposalKind, Right, Status, TaskKind, TaskStatus
from tests.conftest import AT, BY, OTHER, SignIn, person, staff_member
from tests.requests_app.asking import SOON, asked, carried_out, received, started, withdrawn
from tests.requests_app.pages.walking import text

pytestmark = pytest.mark.django_db

UNKNOWN = ("Q-0000-0000-0000-0000-0000-0000-00", "Q-", "nonsense", "R-123", "x" * 300, "%00")
PARTS = ("withdraw/", "appeal/", "messages/", "proof/", "code/")


def page_of(request: Request) -> str:
    return f"/requests/{request.reference}/"


def closed(request: Request, status: str, **changes: Any) -> Request:
    """As an answer would leave it."""
    at = clock.now()
    if request.status == Status.RECEIVED:
        Request.objects.filter(pk=request.pk).update(status=Status.IN_PROGRESS)
    if status == Status.REFUSED:
        Request.objects.filter(pk=request.pk).update(status=Status.IN_REVIEW)
    Request.objects.filter(pk=request.pk).update(status=status, closed_at=at, **changes)
    request.refresh_from_db()
    return request


@pytest.mark.parametrize("path", ["/requests/", "/requests/Q-1/"])
def test_they_ask_to_sign_in_first(world: None, path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/account/login/")


def test_staff_without_a_record_of_their_own_are_told_so(petra: User, signed_in: SignIn) -> None:
    assert signed_in(petra).get("/requests/").status_code == 403


def test_an_empty_list_says_what_to_do_first(alice: Subject, signed_in: SignIn) -> None:
    page = text(signed_in(alice).get("/requests/"))
    assert "No requests yet" in page
    assert 'href="/requests/new/"' in page


def test_the_list_shows_what_is_open_and_what_is_closed(alice: Subject, bob: User, signed_in: SignIn) -> None:
    done, still_open = withdrawn(alice, bob), received(alice, right="access")
    answer = signed_in(alice).get("/requests/")
    assert [one["reference"] for one in answer.context["open"]] == [still_open.reference]
    assert [one["reference"] for one in answer.context["closed"]] == [done.reference]


def test_another_persons_request_is_as_unknown_as_none(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    request = received(alice, note="mine alone")
    browser = signed_in(charlie)
    assert browser.get(page_of(request)).status_code == 404
    for part in PARTS:
        assert browser.post(f"{page_of(request)}{part}").status_code == 404
    assert request.reference not in text(browser.get("/requests/"))
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


@pytest.mark.parametrize("reference", UNKNOWN)
def test_an_unknown_reference_is_not_found(alice: Subject, signed_in: SignIn, reference: str) -> None:
    browser = signed_in(alice)
    assert browser.get(f"/requests/{reference}/").status_code == 404
    for part in PARTS:
        assert browser.post(f"/requests/{reference}/{part}").status_code == 404


@pytest.mark.parametrize("make", [received, lambda one: started(one, staff_member("bo", None))])
def test_a_person_takes_their_request_back(alice: Subject, signed_in: SignIn, make: Callable[..., Request]) -> None:
    request = make(alice)
    browser = signed_in(alice)
    assert f"{page_of(request)}withdraw/" in text(browser.get(page_of(request)))
    assert "Your request is withdrawn" in text(browser.post(f"{page_of(request)}withdraw/", follow=True))
    request.refresh_from_db()
    last = request.timeline.last()
    assert last is not None
    assert (request.status, last.actor) == (Status.WITHDRAWN, f"subject:{alice.pk}")
    assert f"{page_of(request)}withdraw/" not in text(browser.get(page_of(request)))


@pytest.mark.parametrize(("make", "told"), [(carried_out, "can no longer be taken back"), (withdrawn, "moved on")])
def test_what_can_no_longer_be_taken_back_is_told(
    alice: Subject, bob: User, signed_in: SignIn, make: Callable[..., Request], told: str
) -> None:
    request = make(alice, bob)
    browser = signed_in(alice)
    assert f"{page_of(request)}withdraw/" not in text(browser.get(page_of(request)))
    before = request.timeline.count()
    assert told in text(browser.post(f"{page_of(request)}withdraw/", follow=True))
    assert request.timeline.count() == before


@pytest.mark.parametrize("part", [part for part in PARTS if part != "appeal/"])
def test_changing_something_is_a_post(alice: Subject, signed_in: SignIn, part: str) -> None:
    request = received(alice)
    assert signed_in(alice).get(f"{page_of(request)}{part}").status_code == 405
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


@pytest.mark.parametrize("part", ["withdraw/", "messages/", "proof/"])
def test_a_post_from_elsewhere_changes_nothing(alice: Subject, signed_in: SignIn, part: str) -> None:
    request = received(alice)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in(alice).cookies
    assert strict.post(f"{page_of(request)}{part}", {"body": "hello"}).status_code == 403
    request.refresh_from_db()
    assert (request.status, request.messages.count()) == (Status.RECEIVED, 0)


def test_the_date_comes_with_its_arithmetic(grace: Subject, signed_in: SignIn) -> None:
    request = received(grace)
    answer = signed_in(grace).get(page_of(request))
    assert "One month later: 2 April 2026." in " ".join(answer.context["arithmetic"])
    assert "2 April 2026" in text(answer)


def test_a_request_that_is_late_says_so_and_where_to_complain(grace: Subject, signed_in: SignIn) -> None:
    request = received(grace)
    page = text(signed_in(grace).get(page_of(request)))
    assert "We are late." in page
    assert 'href="https://ico.org.uk/make-a-complaint/"' in page
    early = asked(grace, "access", at=clock.now())[0]
    assert "We are late." not in text(signed_in(grace).get(page_of(early)))


def test_where_no_authority_is_known_it_says_so(alice: Subject, signed_in: SignIn) -> None:
    assert "We know of no authority where you live." in text(signed_in(alice).get(page_of(received(alice))))


@pytest.mark.parametrize(
    ("status", "waits"),
    [("received", "our privacy staff"), ("awaiting_subject", "you"), ("in_review", "our privacy staff")],
)
def test_it_says_whose_turn_it_is(alice: Subject, bob: User, signed_in: SignIn, status: str, waits: str) -> None:
    request = received(alice) if status == "received" else started(alice, bob)
    if status != "received":
        Request.objects.filter(pk=request.pk).update(status=status)
        Pause.objects.create(request=request, reason="clarification", began_at=SOON)
    answer = signed_in(alice).get(page_of(request))
    assert answer.context["waiting_for"] == waits
    assert ("your answer to our question" in text(answer)) == (status != "received")


def test_the_timeline_tells_every_entry_in_words_and_no_name_of_staff(
    alice: Subject, bob: User, signed_in: SignIn
) -> None:
    request = started(alice, bob)
    timeline.tell(request, "extended", by=BY, at=SOON, details={"to": "2026-06-01"}, words="Three systems are down.")
    timeline.tell(request, "something_new", by=BY, at=SOON, words="Not for the person.")
    timeline.tell(request, "escalated", by=BY, at=SOON)
    answer = signed_in(alice).get(page_of(request))
    shown = answer.context["timeline"]
    assert [str(one["text"]) for one in shown] == [
        str(told.HAPPENED["received"]),
        str(told.HAPPENED["started"]),
        str(told.HAPPENED["extended"]),
        str(told.SOMETHING),
    ]
    assert shown[0]["by"] == "by you"
    assert {one["by"] for one in shown[1:]} == {"by our staff"}
    page = text(answer)
    assert "Three systems are down." in page
    assert "Not for the person." not in page
    assert not re.search(r"\bbob\b", page), "a random token may have these letters"


def test_a_note_for_staff_is_not_repeated(alice: Subject, bob: User, signed_in: SignIn) -> None:
    assert "Acacia" not in text(signed_in(alice).get(page_of(carried_out(alice, bob, note="7 Acacia Road"))))


def test_each_place_says_how_far_it_is(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = carried_out(alice, bob)
    crm = System.objects.create(slug="crm", name="CRM", public_name="Our customer files", rights=["erasure"])
    mail = System.objects.create(slug="mail", name="Mail", public_name="Our letters", rights=["erasure"])
    Task.objects.create(request=request, kind=TaskKind.MANUAL, code="remove", system=crm, planned_at=SOON)
    Task.objects.create(
        request=request,
        kind=TaskKind.MANUAL,
        code="remove",
        system=mail,
        planned_at=SOON,
        status=TaskStatus.EXEMPTED,
        ground=Ground.LEGAL_OBLIGATION,
        settled_at=SOON,
        settled_by=BY,
    )
    answer = signed_in(alice).get(page_of(request))
    assert [(one["name"], one["icon"]) for one in answer.context["places"]] == [
        ("Our customer files", "waiting"),
        ("Our letters", "kept"),
    ]
    assert "a legal obligation to keep it" in text(answer)
    assert answer.context["waiting_for"] == "our privacy staff"


def test_what_was_taken_back_is_waited_for_nowhere(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = withdrawn(alice, bob)
    Task.objects.create(request=request, kind=TaskKind.MANUAL, code="answer", planned_at=SOON)
    assert signed_in(alice).get(page_of(request)).context["places"] == []


LATELY = AT + timedelta(days=150)
"""When the United Kingdom had complaints to the controller already."""


def refused(subject: Subject, staff: User) -> Request:
    (request,) = asked(subject, "erasure", at=LATELY)
    request = workflow.start(request=request, staff=staff, by=BY, at=LATELY)
    sealed = sealing.seal(request, "We have to keep invoices.", context=sealing.REASON)
    Proposal.objects.create(
        request=request,
        kind=ProposalKind.REFUSE,
        ground=Ground.LEGAL_OBLIGATION,
        sealed_reason=sealed,
        proposed_by=BY,
        proposed_at=SOON,
        decided_by=OTHER,
        decided_at=SOON,
        is_approved=True,
    )
    return closed(request, Status.REFUSED, refusal_ground=Ground.LEGAL_OBLIGATION)


def test_a_refusal_says_its_ground_and_reason_and_what_can_be_done(
    grace: Subject, bob: User, signed_in: SignIn
) -> None:
    request = refused(grace, bob)
    page = text(signed_in(grace).get(page_of(request)))
    assert "A legal obligation to keep it – GDPR Art. 17(3)(b)" in page
    assert "We have to keep invoices." in page
    assert f"{page_of(request)}appeal/" in page


def test_linked_requests_lead_to_each_other(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    first, second = asked(alice, "access", "portability")
    again = received(alice, right="access")
    browser = signed_in(alice)
    assert second.reference in text(browser.get(page_of(first)))
    assert again.reference in text(browser.get(page_of(first)))
    assert first.reference in text(browser.get(page_of(again)))


@pytest.mark.parametrize(("country", "calls_it"), [("GB", Right.COMPLAINT), ("US-VA", Right.APPEAL)])
def test_an_appeal_is_offered_where_the_law_brings_it_to_us(
    world: None, bob: User, signed_in: SignIn, country: str, calls_it: Right
) -> None:
    who = person("iris", country)
    request = refused(who, bob)
    browser = signed_in(who)
    page = browser.get(f"{page_of(request)}appeal/")
    assert page.status_code == 200
    assert page.context["appeal"]["is_complaint"] == (calls_it == Right.COMPLAINT)
    empty = browser.post(f"{page_of(request)}appeal/", {"note": ""})
    assert (empty.status_code, list(empty.context["form"].errors)) == (400, ["note"])


@pytest.mark.parametrize("country", ["DE", "US", "BR"])
def test_where_it_goes_to_the_authority_no_appeal_is_offered(
    world: None, bob: User, signed_in: SignIn, country: str
) -> None:
    who = person("iris", country)
    request = refused(who, bob)
    browser = signed_in(who)
    assert f"{page_of(request)}appeal/" not in text(browser.get(page_of(request)))
    answer = browser.post(f"{page_of(request)}appeal/", {"note": "Look again"}, follow=True)
    assert "complaints go to the authority" in text(answer)
    assert Request.objects.count() == 1


def test_an_appeal_after_its_time_is_not_offered(world: None, bob: User, signed_in: SignIn) -> None:
    who = person("iris", "US-VA")
    request = refused(who, bob)
    terms = request.terms | {"appeal": request.terms["appeal"] | {"window": "30 days"}}
    Request.objects.filter(pk=request.pk).update(terms=terms, closed_at=clock.now() - timedelta(days=40))
    browser = signed_in(who)
    assert "The time to appeal to us is over." in text(browser.get(page_of(request)))
    assert "time to appeal is over" in text(browser.get(f"{page_of(request)}appeal/", follow=True))


def test_an_appeal_is_lodged(grace: Subject, bob: User, signed_in: SignIn) -> None:
    request = refused(grace, bob)
    answer = signed_in(grace).post(f"{page_of(request)}appeal/", {"note": "You never sent me an invoice."}, follow=True)
    assert "look at our answer again" in text(answer)
    assert Request.objects.get(about=request).right == Right.COMPLAINT


def test_a_long_history_costs_no_more_statements(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = started(alice, bob)
    browser = signed_in(alice)
    browser.get(page_of(request))
    with CaptureQueriesContext(connection) as short:
        browser.get(page_of(request))
    for _ in range(10):
        timeline.tell(request, "assigned", by=BY, at=SOON)
    with CaptureQueriesContext(connection) as long:
        browser.get(page_of(request))
    assert len(long) == len(short)
    assert len(long) <= 30


@pytest.mark.parametrize("language", ["de", "fr"])
def test_every_page_reads_in_each_language(grace: Subject, bob: User, signed_in: SignIn, language: str) -> None:
    request = refused(grace, bob)
    browser = signed_in(grace)
    for path in ("/requests/", page_of(request), f"{page_of(request)}appeal/"):
        # what a request switches to stays on for the tests that follow
        with translation.override("en"):
            answer = browser.get(path, headers={"Accept-Language": language})
        assert f'lang="{language}"' in text(answer)


def test_every_state_and_right_has_its_words() -> None:
    assert set(words.STATES) == set(Status)
    assert set(words.OFFERS) == set(words.MEANINGS) == set(Right) - {Right.COMPLAINT, Right.APPEAL}


def test_taking_it_back_looks_unlike_going_on(alice: Subject, signed_in: SignIn) -> None:
    page = signed_in(alice).get(page_of(received(alice))).content.decode()
    assert 'class="button button--final" type="submit">Withdraw the request' in page
