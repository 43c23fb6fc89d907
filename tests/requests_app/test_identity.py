"""Who it is that asks turns out when a code was typed, and not before."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from consents import subjects
from consents.models import Identifier, LedgerEvent, Subject
from portal import crypto
from portal.errors import DomainError
from requests_app import identity, proofs, sealing
from requests_app.identity import CodeRefused
from requests_app.models import IdentityCheck, Request
from requests_app.rulebook import Wait
from requests_app.states import CheckStatus, Status
from tests.conftest import AT, BY
from tests.requests_app.asking import asked
from tests.requests_app.proving import (
    MINUTE,
    OBJECTION,
    SOON,
    ask,
    by_code,
    erasure_by_code,
    found,
    fresh,
    objecting,
    type_in,
    typed,
    unshown,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world", "own_cache")]


def test_the_code_registers_the_address_and_an_objection_counts_at_once() -> None:
    request = objecting(note="my poems")
    assert not identity.is_proven(request)
    [proven] = type_in(ask(request))
    zoe = found()
    assert zoe is not None
    assert (proven.pk, proven.subject, identity.is_proven(proven)) == (request.pk, zoe, True)
    assert proven.identity_confirmed_at == AT + MINUTE
    event = LedgerEvent.objects.get(kind="choice")
    assert (event.subject_id, event.action, event.purpose) == (zoe.pk, "object", "ai-training")
    assert Identifier.objects.get(subject=zoe).verified_at == AT + MINUTE
    assert fresh(request).status == Status.IN_PROGRESS
    told = [one.code for one in request.timeline.exclude(code__startswith="pause")]
    assert told[:4] == [
        "received",
        "code_asked",
        "address_confirmed",
        "identity_confirmed",
    ]


def test_before_the_code_nobody_is_registered_and_nothing_is_carried_out() -> None:
    ask(objecting())
    assert found() is None
    assert not LedgerEvent.objects.filter(kind="choice").exists()


def test_what_was_typed_moves_under_the_persons_own_key() -> None:
    [request] = by_code("complaint", note="my poems", about=asked_before())
    request = fresh(request)
    assert sealing.unseal(request, request.sealed_note, context=sealing.NOTE) == "my poems"
    assert crypto.key_id_of(request.sealed_note or b"") == ""
    assert request.contact_fingerprint is None
    [check] = request.checks.all()
    assert crypto.key_id_of(check.sealed_target or b"") == ""


def asked_before() -> Request:
    [first] = by_code("objection", **OBJECTION)
    return first


def test_the_identity_pause_ends_and_the_clock_is_counted_anew(grace: Subject) -> None:
    request = unshown(grace, "complaint", about=asked(grace, "access")[0])[0]
    later = AT + timedelta(days=5)
    [proven] = type_in(ask(request, at=later), at=later + MINUTE)
    [pause] = proven.pauses.all()
    assert (pause.reason, pause.ended_at) == (Wait.IDENTITY, later + MINUTE)
    assert proven.due_on == request.due_on + timedelta(days=5)


def test_one_code_proves_all_that_was_asked_in_one_go() -> None:
    group = typed("objection", "restriction", **OBJECTION)
    proven = type_in(ask(group[1]))
    assert {one.pk for one in proven} == {one.pk for one in group}
    assert all(identity.is_proven(one) for one in proven)
    assert IdentityCheck.objects.get().request == identity.start_of_group(group[1])


def test_a_code_shows_that_the_address_on_file_is_theirs(alice: Subject) -> None:
    [request] = unshown(alice, "access")
    assert not alice.identifiers.filter(verified_at__isnull=False).exists()
    type_in(ask(request))
    assert alice.identifiers.get(verified_at__isnull=False).scheme == "email"


def test_a_known_address_speaks_for_its_person(alice: Subject) -> None:
    [proven] = type_in(ask(objecting("Alice@Example.org", jurisdiction="DE")))
    alice.refresh_from_db()
    assert (proven.subject, alice.jurisdiction, proven.jurisdiction) == (alice, "US", "DE")
    assert Subject.objects.count() == 1


def test_the_same_asked_before_is_found_once_it_is_known_who_asks(alice: Subject) -> None:
    first = asked(alice, "complaint", about=asked(alice, "access")[0])
    assert first
    one = asked(alice, "restriction", scope={"purposes": ["ai-training"]})[0]
    again = typed("restriction", contact="alice@example.org", **OBJECTION)[0]
    assert again.duplicate_of is None
    [proven] = type_in(ask(again))
    assert proven.duplicate_of == (one if not fresh(one).is_closed else None)
    assert proven.status == Status.RECEIVED


# --- the erased


def test_of_the_erased_nothing_is_kept_and_their_owner_is_told(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    before = Subject.objects.count(), LedgerEvent.objects.count()
    [request] = type_in(ask(objecting("alice@example.org", note="my poems")))
    request = fresh(request)
    assert (request.status, request.subject, request.closed_at) == (Status.EXPIRED, None, AT + MINUTE)
    assert (request.sealed_note, request.sealed_contact, request.contact_fingerprint) == (None, None, None)
    assert identity.holds_nothing(request)
    assert (Subject.objects.count(), LedgerEvent.objects.count()) == before
    assert not IdentityCheck.objects.exclude(sealed_target=None, code_digest=None).exists()


def test_only_who_typed_the_code_is_told_that_we_hold_nothing(alice: Subject) -> None:
    request = objecting()
    identity.expire(at=AT + timedelta(days=15))
    assert fresh(request).status == Status.EXPIRED
    assert not identity.holds_nothing(fresh(request))


def test_who_is_forgotten_between_asking_and_typing_is_not_taken_in_again(alice: Subject) -> None:
    [request] = unshown(alice, "objection", **OBJECTION)
    sent = ask(request)
    subjects.forget(subject=alice, by=BY, at=AT)
    [request] = type_in(sent)
    assert identity.holds_nothing(request)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_type_the_same_code_at_once_one_is_let_in() -> None:
    sent = ask(objecting())
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def type_it() -> None:
        together.wait()
        try:
            type_in(sent)
            outcomes.append("proven")
        except DomainError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    both = [threading.Thread(target=type_it) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(outcomes) == ["code_refused", "proven"]
    assert LedgerEvent.objects.filter(kind="choice").count() == 1
    assert Subject.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_requests_of_one_new_address_proven_at_once_make_one_person() -> None:
    sent = [ask(objecting()), ask(objecting())]
    # each types the other's code: it is one mailbox
    swapped = [(sent[0], sent[1].code), (sent[1], sent[0].code)]
    together = threading.Barrier(2)
    failures: list[Exception] = []

    def type_it(page: Any, code: str | None) -> None:
        together.wait()
        try:
            type_in(page, code)
        except Exception as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    both = [threading.Thread(target=type_it, args=pair) for pair in swapped]
    for one in both:
        one.start()
    for one in both:
        one.join()
    # the second may find its code used up with the first's page, and asks for a new one
    assert all(isinstance(one, CodeRefused) for one in failures)
    assert len(failures) <= 1
    assert Subject.objects.count() == 1


def test_the_change_and_its_trail_stand_or_fall_together(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    request = erasure_by_code(alice)
    check = identity.require(request=request, method="document", by=BY, at=SOON)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("portal.audit.record", fail)
    with pytest.raises(RuntimeError):
        identity.decide(check=check, passed=True, by=BY, at=SOON)
    check.refresh_from_db()
    assert (check.status, fresh(request).status) == (CheckStatus.PENDING, Status.VERIFYING)


def test_missing_says_nothing_of_what_is_closed() -> None:
    request = objecting()
    identity.expire(at=AT + timedelta(days=15))
    assert proofs.missing(fresh(request)) == []
