"""From nobody known to a person: proven, doubted, or out of time; and what asks the same as before."""

from typing import Any

import pytest

from consents import personal_keys, subjects
from consents.models import LedgerEvent, Subject
from portal import actors
from portal.errors import Conflict
from portal.models import User
from requests_app import identity, intake, messages, sealing, workflow
from requests_app.models import Request
from requests_app.states import Status
from tests.conftest import AT, BY, OTHER, person, sequenced
from tests.requests_app.asking import LATER, SOON, asked, closes, refusal_of, started, verifying
from tests.requests_app.proving import ask, type_in, typed

pytestmark = pytest.mark.django_db
PURPOSE = {"purposes": ["ai-training"]}


def unknown(*, right: str = "access", note: str = "I am Alice of 7 Acacia Road", **said: object) -> Request:
    wish = intake.Asked(rights=(right,), jurisdiction="GB", note=note, **said)  # type: ignore[arg-type]  # a test's own words
    contact = subjects.name("email", "alice@example.org")
    return intake.receive_unproven(asked=wish, contact=contact, by=BY, at=AT)[0]


def test_what_was_typed_comes_under_the_persons_own_key(alice: Subject) -> None:
    request = workflow.prove(request=unknown(), subject=alice, by=BY, at=SOON)
    assert (request.status, request.subject, request.identity_confirmed_at) == (Status.RECEIVED, alice, SOON)
    assert request.contact_fingerprint is None
    assert request.sealed_note is not None
    assert personal_keys.unseal(alice, request.sealed_note, context=sealing.NOTE) == "I am Alice of 7 Acacia Road"
    assert request.pauses.get().ended_at == SOON
    assert request.timeline.filter(code="identity_confirmed").count() == 1


def test_what_needs_no_staff_is_done_with_the_proof(alice: Subject) -> None:
    request = workflow.prove(request=unknown(right="objection", scope=PURPOSE), subject=alice, by=BY, at=SOON)
    assert (request.status, request.carried_out_at) == (Status.IN_PROGRESS, SOON)
    assert LedgerEvent.objects.get(subject_id=alice.pk, action="object").pk == request.event_id


def test_the_same_asked_before_is_the_first(alice: Subject) -> None:
    first = asked(alice, "access")[0]
    request = workflow.prove(request=unknown(), subject=alice, by=BY, at=SOON)
    assert request.duplicate_of == first
    with pytest.raises(Conflict) as refused:
        workflow.start(request=request, staff=User.objects.create(username="x"), by=BY, at=SOON)
    assert refused.value.code == "duplicate"


def test_what_an_unproven_request_followed_is_found_anew(alice: Subject, bob: User) -> None:
    first = asked(alice, "access")[0]
    request = verifying(alice, right="access")
    assert request.duplicate_of == first
    workflow.withdraw(request=first, by=BY, at=SOON)
    assert workflow.prove(request=request, subject=alice, by=BY, at=LATER).duplicate_of is None


@pytest.mark.parametrize("who", ["another", "erased"])
def test_nobody_else_proves_it(alice: Subject, charlie: Subject, who: str) -> None:
    request = verifying(alice)
    if who == "erased":
        subjects.forget(subject=alice, by=BY, at=SOON)
    with pytest.raises(Conflict) as refused:
        workflow.prove(request=request, subject=charlie if who == "another" else alice, by=BY, at=LATER)
    assert refused.value.code == {"another": "somebody_else", "erased": "erased"}[who]
    request.refresh_from_db()
    assert request.status == Status.VERIFYING


def test_a_doubted_request_waits_for_proof_and_its_clock_may_wait(grace: Subject) -> None:
    request = workflow.doubt(request=asked(grace, "access")[0], by=BY, at=SOON)
    assert (request.status, request.pauses.get().reason) == (Status.VERIFYING, "identity")
    proven = workflow.prove(request=request, subject=grace, by=BY, at=LATER)
    assert (proven.status, proven.identity_confirmed_at) == (Status.RECEIVED, LATER)


def test_out_of_time_nothing_that_was_typed_is_kept() -> None:
    request = workflow.expire(request=unknown(), by=actors.SYSTEM, at=LATER)
    request.refresh_from_db()
    assert (request.status, request.closed_at) == (Status.EXPIRED, LATER)
    assert [request.sealed_note, request.sealed_contact, request.contact_fingerprint] == [None, None, None]
    assert not request.pauses.filter(ended_at__isnull=True).exists()


@pytest.mark.parametrize("end", ["withdrawn", "refused"])
def test_of_somebody_who_stays_unknown_nothing_is_kept_either(end: str) -> None:
    request = unknown()
    if end == "withdrawn":
        workflow.withdraw(request=request, by=BY, at=LATER)
    else:
        workflow.decide(proposal=refusal_of(request, ground="not_identified"), approve=True, by=OTHER, at=LATER)
    request.refresh_from_db()
    assert request.is_closed
    assert [request.sealed_note, request.sealed_contact, request.contact_fingerprint] == [None, None, None]


def test_what_ended_before_the_code_was_typed_keeps_no_address(world: None) -> None:
    first, second = typed("automated_decision", "access", note="My loan")
    workflow.withdraw(request=first, by=BY, at=AT)
    type_in(ask(second, client=""))
    second.refresh_from_db()
    assert (second.status, second.subject is None) == (Status.VERIFYING, False)
    workflow.expire(request=second, by=BY, at=LATER)
    first.refresh_from_db()
    assert [first.sealed_note, first.sealed_contact, first.contact_fingerprint] == [None, None, None]


def test_where_a_refusal_may_be_sent_back_the_address_of_the_group_stays(world: None) -> None:
    first, second = typed("automated_decision", "access")
    proposal = refusal_of(second, ground="not_identified")
    workflow.withdraw(request=first, by=BY, at=AT)
    workflow.decide(proposal=proposal, approve=False, by=OTHER, at=SOON)
    type_in(ask(second, client="", at=SOON), at=SOON)
    second.refresh_from_db()
    assert second.subject is not None


def test_a_duplicate_is_refused_with_the_first(alice: Subject, bob: User) -> None:
    first, second = started(alice, bob), asked(alice, "erasure", at=SOON)[0]
    workflow.decide(proposal=refusal_of(first), approve=True, by=OTHER, at=LATER)
    second.refresh_from_db()
    assert (second.status, second.refusal_ground, second.closed_at) == (Status.REFUSED, "unfounded", LATER)
    told = second.timeline.get(code="answered_with_first")
    assert told.details == {"first": first.reference, "as": "refused"}


def test_an_unproven_duplicate_is_not_answered_with_the_first(alice: Subject, bob: User) -> None:
    first, second = started(alice, bob), verifying(alice, at=SOON)
    workflow.decide(proposal=refusal_of(first), approve=True, by=OTHER, at=LATER)
    second.refresh_from_db()
    assert second.status == Status.VERIFYING


def test_where_the_first_is_withdrawn_the_next_stands_for_the_others(alice: Subject) -> None:
    first, second, third = (asked(alice, "access", at=AT)[0] for _ in range(3))
    workflow.withdraw(request=first, by=BY, at=SOON)
    second.refresh_from_db()
    third.refresh_from_db()
    assert (second.duplicate_of, third.duplicate_of) == (None, second)
    assert second.timeline.filter(code="stands_alone").exists()


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_is_fulfilled_with_the_first(alice: Subject) -> None:
    first, second = (asked(alice, "objection", scope=PURPOSE, at=AT)[0] for _ in range(2))
    assert (second.duplicate_of, second.carried_out_at) == (first, None)
    sequenced()
    assert closes(first)
    second.refresh_from_db()
    assert second.status == Status.FULFILLED


def test_nobody_works_for_nobody(bob: User) -> None:
    request = unknown()
    Request.objects.filter(pk=request.pk).update(status=Status.RECEIVED)
    with pytest.raises(Conflict) as refused:
        workflow.start(request=request, staff=bob, by=BY, at=SOON)
    assert refused.value.code == "not_proven"


def test_it_is_assigned_and_given_back(alice: Subject, bob: User, petra: User) -> None:
    request = started(alice, bob)
    assert workflow.assign(request=request, staff=petra, by=BY, at=SOON).assigned_to == petra
    assert workflow.assign(request=request, staff=None, by=BY, at=LATER).assigned_to is None
    told = request.timeline.filter(code__endswith="assigned").values_list("code", "details")
    assert list(told) == [("assigned", {"to": actors.staff(petra.pk)}), ("unassigned", {"to": ""})]


def test_the_clock_waits_for_a_clarification_where_the_law_says_so(grace: Subject, bob: User) -> None:
    request = workflow.start(request=asked(grace, "access")[0], staff=bob, by=BY, at=SOON)
    due = request.due_on
    request = workflow.await_subject(request=request, by=BY, at=SOON, words="Which account?")
    assert (request.status, request.pauses.get().reason) == (Status.AWAITING_SUBJECT, "clarification")
    later = SOON.replace(day=12)
    request = workflow.resume(request=request, by=actors.subject(grace.pk), at=later)
    assert request.status == Status.IN_PROGRESS
    assert request.pauses.get().ended_at == later
    request.refresh_from_db()
    assert request.due_on > due
    entry = request.timeline.get(code="awaiting_subject")
    assert personal_keys.unseal(grace, bytes(entry.sealed or b""), context=sealing.WORDS) == "Which account?"


def test_people_of_another_name_are_not_mixed_up(alice: Subject) -> None:
    dave = person("dave")
    asked(dave, "access")
    assert workflow.prove(request=unknown(), subject=alice, by=BY, at=SOON).duplicate_of is None


def typed_in(request: Request) -> list[str | None]:
    """What can still be read of what was typed."""
    request.refresh_from_db()
    typed = [(request.sealed_contact, sealing.CONTACT), (request.sealed_note, sealing.NOTE)]
    said = [sealing.unseal(request, sealed, context=context) for sealed, context in typed]
    return said + [sealing.unseal(request, one.sealed_body, context=sealing.MESSAGE) for one in request.messages.all()]


@pytest.mark.parametrize("ends", [workflow.withdraw, workflow.expire])
def test_of_nobody_known_nothing_typed_stays(alice: Subject, ends: Any) -> None:
    request = unknown(partner="acme", channel="api")
    messages.write(request=request, body="I moved to 9 Acacia Road", by="partner:acme", at=SOON)
    assert "I moved to 9 Acacia Road" in typed_in(request)
    ends(request=request, by="partner:acme", at=SOON)
    assert typed_in(request) == [None, None, ""]
    assert request.contact_fingerprint is None


def test_what_the_codes_of_a_group_need_stays_while_one_waits(alice: Subject) -> None:
    wish = intake.Asked(rights=("access", "portability"), jurisdiction="GB", note="I am Alice")
    contact = subjects.name("email", "alice@example.org")
    first, second = intake.receive_unproven(asked=wish, contact=contact, by=BY, at=AT)
    workflow.withdraw(request=first, by=BY, at=SOON)
    assert None not in typed_in(first)
    sent = identity.ask_code(request=second, by=BY, at=SOON)
    assert sent.contact == "alice@example.org"
    workflow.prove(request=second, subject=alice, by=BY, at=SOON)
    assert typed_in(first) == [None, None]
    assert "I am Alice" in typed_in(second)
