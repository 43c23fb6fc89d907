"""Taking a request in, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consents import personal_keys, subjects
from consents.models import Subject
from portal import audit
from portal.errors import DomainError
from portal.models import AuditEntry
from requests_app import deadlines, intake, legal_clock, rulebook, sealing, workflow
from requests_app.models import Request, TimelineEntry
from requests_app.states import Status
from tests.conftest import AT, BY, person
from tests.requests_app.asking import SOON, asked, received, withdrawn

pytestmark = pytest.mark.django_db

NOTE = "I moved away from 7 Acacia Road"


def refusal(subject: Subject, **given: Any) -> tuple[str, str | None]:
    before = Request.objects.count(), TimelineEntry.objects.count(), AuditEntry.objects.count()
    with pytest.raises(DomainError) as refused:
        asked(subject, given.pop("right", "erasure"), **given)
    assert (Request.objects.count(), TimelineEntry.objects.count(), AuditEntry.objects.count()) == before
    return refused.value.code, refused.value.field


def test_a_request_is_taken_in_with_its_deadline_timeline_and_audit_entry(grace: Subject) -> None:
    request = received(grace)
    assert (request.status, request.jurisdiction, request.due_on) == (Status.RECEIVED, "GB", date(2026, 4, 2))
    assert request.reference.startswith("Q-")
    entry = request.timeline.get()
    assert (entry.code, entry.actor, entry.at) == ("received", f"subject:{grace.pk}", AT)
    audited = AuditEntry.objects.get(action="request.received")
    assert (audited.object_id, audited.details) == (str(request.pk), {})


@pytest.mark.parametrize("right", ["", "accession", "ERASURE", "eras\0ure", "x" * 400])
def test_a_right_that_is_not_offered_is_refused(alice: Subject, right: str) -> None:
    assert refusal(alice, right=right) == ("unknown_right", "right")


def test_a_note_without_end_is_refused(alice: Subject) -> None:
    assert refusal(alice, note="x" * 4_001) == ("note_too_long", "note")
    assert received(alice, note="x" * 4_000).sealed_note


def test_the_same_asked_again_while_it_is_open_is_linked_to_the_first(alice: Subject, charlie: Subject) -> None:
    first = received(alice)
    again = received(alice)
    assert (first.duplicate_of, again.duplicate_of) == (None, first)
    assert received(alice).duplicate_of == first
    assert received(alice, right="access").duplicate_of is None
    assert received(charlie).duplicate_of is None


@pytest.mark.parametrize("is_shown_later", [False, True])
def test_another_thing_to_be_corrected_is_not_the_same(alice: Subject, is_shown_later: bool) -> None:
    def corrected(wrong: str, note: str = "") -> Request:
        said = {"corrections": [{"what": "name", "wrong": wrong, "right": "Alice"}]}
        wish = intake.Asked(rights=("rectification",), details=said, note=note)
        (made,) = intake.receive(asked=wish, subject=alice, is_proven=not is_shown_later, by=BY, at=AT)
        return workflow.prove(request=made, subject=alice, by=BY, at=SOON) if is_shown_later else made

    first = corrected("Alcie")
    assert corrected("Alise").duplicate_of is None
    assert corrected("Alcie", note="And on my badge").duplicate_of is None
    assert corrected("Alcie").duplicate_of == first


def test_many_open_corrections_cost_the_next_no_statement_more(alice: Subject) -> None:
    def costs(note: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            asked(alice, "automated_decision", note=note)
        return len(seen)

    costs("The first")
    few = costs("Another")
    for number in range(5):
        costs(f"Yet another: {number}")
    assert costs("The last") == few


def test_another_decision_to_be_reviewed_is_not_the_same(alice: Subject) -> None:
    first, other, again = (
        asked(alice, "automated_decision", note=note)[0] for note in ("My loan", "My rent", "My loan")
    )
    assert (other.duplicate_of, again.duplicate_of) == (None, first)


def test_after_one_was_withdrawn_another_may_be_raised(alice: Subject, bob: Any) -> None:
    withdrawn(alice, bob)
    assert received(alice).pk


def test_somebody_who_was_erased_can_raise_none(alice: Subject) -> None:
    stale = Subject.objects.get(pk=alice.pk)
    subjects.forget(subject=alice, by=BY, at=AT)
    assert refusal(stale) == ("erased", None)
    assert refusal(stale, note="forget me") == ("erased", None)


def test_a_note_is_sealed_at_rest_and_read_under_the_persons_key_alone(alice: Subject, charlie: Subject) -> None:
    request = received(alice, note=f"  {NOTE}\n")
    with connection.cursor() as cursor:
        cursor.execute("SELECT row::text FROM requests_app_request AS row")
        stored = cursor.fetchone()[0]
    request.refresh_from_db()
    assert request.sealed_note is not None
    assert "Acacia" not in stored
    assert b"Acacia".hex() not in stored
    assert personal_keys.unseal(alice, request.sealed_note, context="request") == NOTE
    for other, context in ((charlie, "request"), (alice, "evidence")):
        assert _opens(other, request.sealed_note, context) != NOTE
    assert NOTE not in str(AuditEntry.objects.values()) + str(TimelineEntry.objects.values())


def _opens(subject: Subject, sealed: Any, context: str) -> str | None:
    try:
        return personal_keys.unseal(subject, sealed, context=context)
    except Exception:
        return None


def test_an_empty_note_is_none(alice: Subject) -> None:
    assert received(alice, note=" \n ").sealed_note is None


def test_nothing_is_taken_in_when_the_audit_entry_fails(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record_many", refuse)
    with pytest.raises(RuntimeError, match="no audit"):
        received(alice)
    assert (Request.objects.count(), TimelineEntry.objects.count()) == (0, 0)


@pytest.mark.parametrize("place", ["GB", "DE", "US-CA", "CH", "BR", "IN", "AQ"])
def test_wherever_somebody_lives_there_is_a_date_and_its_arithmetic(world: None, place: str) -> None:
    request = received(person("somebody", place))
    assert request.due_on > AT.date()
    assert legal_clock.of(request).due == request.due_on
    assert legal_clock.arithmetic(request)
    assert (request.rule, len(request.rulebook_digest)) != ("", 0)


def test_a_later_rulebook_does_not_move_a_request_that_runs(
    grace: Subject, alice: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = received(grace)
    due, arithmetic = before.due_on, legal_clock.arithmetic(before)
    slower = _with_two_months_to_answer(tmp_path)
    honest = rulebook.rule_for
    monkeypatch.setattr(rulebook, "rule_for", lambda *place, on: honest(*place, on=on, book=slower))
    after = received(person("gwen", "GB"))
    assert after.due_on > due
    assert after.rulebook_digest != before.rulebook_digest
    before.refresh_from_db()
    assert (before.due_on, legal_clock.of(before).due) == (due, due)
    assert legal_clock.arithmetic(before) == arithmetic


def test_a_move_after_receipt_does_not_change_the_law_that_counts(grace: Subject) -> None:
    request = received(grace)
    Subject.objects.filter(pk=grace.pk).update(jurisdiction="DE")
    request.refresh_from_db()
    assert (request.jurisdiction, legal_clock.of(request).due) == ("GB", request.due_on)


def test_overdue_is_the_day_after_the_due_date_while_it_is_open(alice: Subject, bob: Any) -> None:
    request = received(alice)
    assert not request.is_overdue(request.due_on)
    assert request.is_overdue(request.due_on + timedelta(days=1))
    workflow.withdraw(request=request, by=BY, at=SOON)
    request.refresh_from_db()
    assert not request.is_overdue(request.due_on + timedelta(days=1))


def test_a_request_received_on_the_last_of_a_month_is_due_on_the_last_of_the_next(grace: Subject) -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    (request,) = asked(grace, "erasure", at=at)
    assert request.due_on.month in {2, 3}
    assert legal_clock.of(request) == deadlines.compute(
        rulebook.thaw(request.terms), received=at, identity_confirmed=at
    )


def _with_two_months_to_answer(tmp_path: Path) -> rulebook.Rulebook:
    path = tmp_path / "rulebook.toml"
    path.write_text(rulebook.DEFAULT.read_text().replace('answer = "1 month"', 'answer = "2 months"'))
    return rulebook.load(path)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"capacity": "parent"}, "requester_missing"),
        ({"capacity": "friend"}, "unknown_capacity"),
        ({"requester": intake.Requester("Zoe")}, "requester_of_oneself"),
        ({"received_at": AT + timedelta(minutes=6)}, "time_in_future"),
        ({"received_at": AT - timedelta(days=367)}, "time_too_old"),
        ({"received_at": AT.replace(tzinfo=None)}, "time_without_zone"),
        ({"scope": {"purposes": ["ai-training"]}}, "scope_not_taken"),
        ({"details": {"wrong": "x"}}, "details_not_taken"),
    ],
)
def test_what_cannot_be_so_is_refused(alice: Subject, given: dict[str, Any], code: str) -> None:
    assert refusal(alice, **given)[0] == code


def test_an_appeal_needs_what_it_is_about(alice: Subject) -> None:
    assert refusal(alice, right="appeal") == ("about_missing", "about")


def test_several_rights_in_one_go_are_linked(alice: Subject) -> None:
    requests = asked(alice, "access", "erasure", note=NOTE)
    assert {one.right for one in requests} == {"access", "erasure"}
    assert len({one.group for one in requests}) == 1
    assert received(alice, right="rectification").group != requests[0].group


def test_a_letter_counts_from_the_day_it_came(grace: Subject) -> None:
    (request,) = asked(grace, "access", received_at=AT - timedelta(days=10), channel="letter")
    assert request.due_on == date(2026, 3, 20)


def test_an_objection_counts_in_the_transaction_that_takes_it_in(alice: Subject) -> None:
    (request,) = asked(alice, "objection", scope={"purposes": ["ai-training"]})
    held = alice.preferences.get()
    assert (held.purpose, held.action, held.event_id) == ("ai-training", "object", request.event_id)
    assert request.status == Status.IN_PROGRESS


def test_whoever_is_not_proven_waits_and_is_nobody_yet(world: None) -> None:
    contact = subjects.name("email", "zoe@example.org")
    wish = intake.Asked(rights=("access", "erasure"), jurisdiction="GB", scope={"purposes": ["ai-training"]})
    with pytest.raises(DomainError, match="leave the scope out"):
        intake.receive_unproven(asked=wish, contact=contact, by=BY, at=AT)
    wish = intake.Asked(rights=("access",), jurisdiction="GB", note=NOTE)
    (request,) = intake.receive_unproven(asked=wish, contact=contact, by=BY, at=AT)
    assert (request.status, request.subject, request.pauses.get().reason) == (Status.VERIFYING, None, "identity")
    zoe = person("zoe", "GB")
    sealing.adopt(request, zoe)
    request.save()
    request.refresh_from_db()
    assert sealing.unseal(request, request.sealed_note, context=sealing.NOTE) == NOTE
    assert sealing.unseal_json(request, request.sealed_contact, context=sealing.CONTACT) == ["email", "zoe@example.org"]
    assert request.contact_fingerprint is None
    subjects.forget(subject=zoe, by=BY, at=AT)
    assert sealing.unseal(request, request.sealed_note, context=sealing.NOTE) is None


def test_of_several_rights_those_take_the_purposes_that_know_any(alice: Subject) -> None:
    objection, access = asked(alice, "objection", "access", scope={"purposes": ["ai-training"]})
    assert (objection.scope, access.scope) == ({"purposes": ["ai-training"]}, {})
    assert objection.group == access.group


def test_purposes_that_no_right_takes_are_refused(alice: Subject) -> None:
    with pytest.raises(DomainError) as refused:
        asked(alice, "access", "erasure", scope={"purposes": ["ai-training"]})
    assert refused.value.code == "scope_not_taken"
    assert refusal(alice, right="access", scope={"purposes": ["ai-training"]}) == ("scope_not_taken", "scope")
    with pytest.raises(DomainError) as refused:
        asked(alice, "objection", "access", scope={"purposes": ["no-such"]})
    assert refused.value.code == "unknown_purpose"


def test_each_right_may_be_limited_in_its_own_way(alice: Subject) -> None:
    training, marketing = {"purposes": ["ai-training"]}, {"purposes": ["marketing"]}
    by_right = {"objection": training, "restriction": marketing}
    objection, restriction, access = asked(alice, "objection", "restriction", "access", scopes=by_right)
    assert (objection.scope, restriction.scope, access.scope) == (training, marketing, {})
    with pytest.raises(DomainError, match="leave the scope out"):
        asked(alice, "objection", "access", scopes={"objection": training, "access": training})
