"""Taking a request in, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from consents import subjects
from consents.models import Subject
from portal import audit
from portal.errors import DomainError
from portal.models import AuditEntry
from requests_app import deadlines, intake, legal_clock, rulebook, workflow
from requests_app.models import Request, TimelineEntry
from requests_app.states import Status
from tests.conftest import AT, BY, person
from tests.requests_app.asking import SOON, received, withdrawn

pytestmark = pytest.mark.django_db

NOTE = "I moved away from 7 Acacia Road"


def refusal(subject: Subject, **given: Any) -> tuple[str, str | None]:
    before = Request.objects.count(), TimelineEntry.objects.count(), AuditEntry.objects.count()
    with pytest.raises(DomainError) as refused:
        intake.receive(**({"subject": subject, "right": "erasure", "note": "", "by": BY, "at": AT} | given))
    assert (Request.objects.count(), TimelineEntry.objects.count(), AuditEntry.objects.count()) == before
    return refused.value.code, refused.value.field


def test_a_request_is_taken_in_with_its_deadline_timeline_and_audit_entry(grace: Subject) -> None:
    request = received(grace)
    assert (request.status, request.jurisdiction, request.due_on) == (Status.RECEIVED, "GB", date(2026, 4, 2))
    assert request.reference.startswith("Q-")
    entry = request.timeline.get()
    assert (entry.code, entry.actor, entry.at) == ("received", f"subject:{grace.pk}", AT)
    audited = AuditEntry.objects.get(action="request.receive")
    assert (audited.object_id, audited.details) == (str(request.pk), {"right": "erasure"})


@pytest.mark.parametrize("right", ["", "access", "ERASURE", "eras\0ure", "x" * 400])
def test_a_right_that_is_not_offered_is_refused(alice: Subject, right: str) -> None:
    assert refusal(alice, right=right) == ("unknown_right", "right")


def test_a_note_without_end_is_refused(alice: Subject) -> None:
    assert refusal(alice, note="x" * 4_001) == ("note_too_long", "note")
    assert intake.receive(subject=alice, right="erasure", note="x" * 4_000, by=BY, at=AT).sealed_note


def test_a_second_open_request_of_the_same_right_is_refused(alice: Subject, charlie: Subject) -> None:
    received(alice)
    assert refusal(alice) == ("already_open", None)
    assert received(charlie).pk


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
    assert subjects.unseal(alice, request.sealed_note, context="request") == NOTE
    for other, context in ((charlie, "request"), (alice, "evidence")):
        assert _opens(other, request.sealed_note, context) != NOTE
    assert NOTE not in str(AuditEntry.objects.values()) + str(TimelineEntry.objects.values())


def _opens(subject: Subject, sealed: Any, context: str) -> str | None:
    try:
        return subjects.unseal(subject, sealed, context=context)
    except Exception:
        return None


def test_an_empty_note_is_none(alice: Subject) -> None:
    assert received(alice, note=" \n ").sealed_note is None


def test_nothing_is_taken_in_when_the_audit_entry_fails(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record", refuse)
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
    request = intake.receive(subject=grace, right="erasure", note="", by=BY, at=at)
    assert request.due_on.month in {2, 3}
    assert legal_clock.of(request) == deadlines.compute(
        rulebook.thaw(request.terms), received=at, identity_confirmed=at
    )


def _with_two_months_to_answer(tmp_path: Path) -> rulebook.Rulebook:
    path = tmp_path / "rulebook.toml"
    path.write_text(rulebook.DEFAULT.read_text().replace('answer = "1 month"', 'answer = "2 months"'))
    return rulebook.load(path)
