"""What controllers instruct: one request of the workflow, told in the protocol's words, and nobody is written to."""

import threading
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from consents import subjects
from consents.models import Partner, Subject
from downstream import opendsr_wire
from portal import actors
from portal.errors import Conflict
from portal.models import AuditEntry, User
from requests_app import identity, intake, legal_clock, opendsr, opendsr_messages, sealing, tasks, workflow
from requests_app.intake import IntakeError, Requester
from requests_app.models import ControllerNotice, ControllerRequest, Letter, Request
from requests_app.opendsr import NotPending
from requests_app.states import Status
from tests.conftest import AT, BY, dataset_of, person, write_parquet
from tests.requests_app.asking import IN_STATE, LATER, SOON, asked, closes, propagate
from tests.requests_app.controlling import asking, customer, email, instructed

pytestmark = pytest.mark.django_db

STATES = {
    "received": "pending",
    "verifying": "pending",
    "in_progress": "in_progress",
    "awaiting_subject": "in_progress",
    "in_review": "in_progress",
    "fulfilled": "completed",
    "partially_fulfilled": "completed",
    "refused": "cancelled",
    "withdrawn": "cancelled",
    "expired": "cancelled",
}


def became(sent: ControllerRequest) -> Request:
    assert sent.request is not None
    return Request.objects.get(pk=sent.request_id)


def test_every_status_has_a_word_of_the_protocol() -> None:
    assert {str(one): opendsr.word_of(one) for one in Status} == STATES


def test_the_clock_is_the_persons_who_asked_the_controller(acme: Partner, alice: Subject) -> None:
    asked_at = AT - timedelta(days=3)
    sent = instructed(acme, submitted_time=opendsr_wire.text_of(asked_at))
    request = became(sent)
    assert (request.received_at, sent.received_at) == (asked_at, AT)
    assert request.identity_confirmed_at == request.acknowledged_at == asked_at
    assert sent.expected_at == legal_clock.end_of_due_day(request)
    (own,) = asked(person("other"), "erasure", at=asked_at)
    assert own.due_on == request.due_on


def test_staff_read_who_instructs_and_not_by_which_address(acme: Partner, alice: Subject) -> None:
    request = became(instructed(acme, subject_identities=email("alice@example.org")))
    note = sealing.unseal(request, request.sealed_note, context=sealing.NOTE) or ""
    assert "Acme instructs us as the controller" in note
    assert "alice" not in note
    assert request.timeline.get(code="received").actor == "partner:acme"


def test_nothing_of_whom_it_names_is_kept_readable(acme: Partner, alice: Subject) -> None:
    sent = instructed(acme, subject_identities=email("alice@example.org"))
    kept = ControllerRequest.objects.filter(pk=sent.pk).values().get()
    assert "alice" not in str(kept)
    assert "alice" not in str(list(AuditEntry.objects.values()))


def test_nobody_is_written_to(acme: Partner, alice: Subject, bob: User) -> None:
    request = became(instructed(acme))
    workflow.start(request=request, staff=bob, by=BY, at=SOON)
    workflow.await_subject(request=request, by=BY, at=SOON, words="Which account?")
    workflow.withdraw(request=request, by=BY, at=SOON)
    assert not Letter.objects.exists()


def test_nobody_doubts_for_whom_a_controller_vouches(acme: Partner, alice: Subject) -> None:
    request = became(instructed(acme))
    with pytest.raises(Conflict) as refused:
        workflow.doubt(request=request, by=BY, at=SOON)
    assert refused.value.code == "vouched_for"
    assert not workflow.can_doubt(request)
    assert not identity.missing(request)


def test_somebody_erased_is_settled_and_nothing_is_written_of_them(acme: Partner, world: None) -> None:
    subjects.forget(subject=person("gone"), by=BY, at=AT)
    sent = instructed(acme, subject_identities=customer("m_gone"))
    assert (sent.request, opendsr.standing(sent)) == (None, "completed")
    assert AuditEntry.objects.get(action="controller_request.settle").actor == "partner:acme"
    with pytest.raises(NotPending):
        opendsr.cancel(sent=sent, at=SOON)


def test_a_message_that_changed_by_spaces_alone_is_the_same(acme: Partner, alice: Subject) -> None:
    message = asking(at=AT)
    again = dict(reversed(message.items()))
    first = instructed(acme, **message)
    assert instructed(acme, **again).pk == first.pk


def test_the_same_asked_by_the_person_is_answered_with_theirs(acme: Partner, alice: Subject, bob: User) -> None:
    (own,) = asked(alice, "access")
    sent = instructed(acme, "access")
    assert became(sent).duplicate_of == own
    workflow.withdraw(request=own, by=actors.subject(alice.pk), at=SOON)
    assert became(sent).duplicate_of is None
    assert opendsr.standing(opendsr.find(controller=acme, request_id=str(sent.subject_request_id))) == "pending"


def test_who_moves_away_meanwhile_is_unknown_too(acme: Partner, alice: Subject) -> None:
    message = asking(at=AT)
    sent = opendsr.Sent(opendsr_messages.read(message, controller=acme, at=AT), message)
    looks = iter([True, False])
    settled = opendsr.instruct(controller=acme, sent=sent, sees=lambda subject: next(looks), at=AT)
    assert (settled.request, opendsr.standing(settled)) == (None, "completed")


def test_taking_it_back_leaves_the_persons_own(acme: Partner, alice: Subject) -> None:
    (own,) = asked(alice, "erasure")
    sent = instructed(acme)
    opendsr.cancel(sent=sent, at=SOON)
    own.refresh_from_db()
    assert (became(sent).status, own.status) == ("withdrawn", "received")


@pytest.mark.parametrize("state", ["in_progress", "awaiting_subject", "in_review", "carried_out", "refused"])
def test_what_was_begun_is_not_taken_back(acme: Partner, alice: Subject, bob: User, state: str) -> None:
    request = IN_STATE[state](alice, bob)
    sent = ControllerRequest.objects.create(
        partner="acme",
        subject_request_id=uuid.uuid4(),
        subject_request_type="erasure",
        regulation="gdpr",
        request=request,
        received_at=AT,
        expected_at=AT,
    )
    before = Request.objects.get(pk=request.pk).status
    with pytest.raises(NotPending) as refused:
        opendsr.cancel(sent=sent, at=LATER)
    assert refused.value.code == "not_pending"
    assert Request.objects.get(pk=request.pk).status == before


@pytest.mark.parametrize(("capacity", "channel"), [("controller", "api"), ("self", "opendsr"), ("agent", "opendsr")])
def test_nobody_else_asks_as_a_controller(alice: Subject, capacity: str, channel: str) -> None:
    wish = intake.Asked(rights=("access",), capacity=capacity, channel=channel, requester=Requester("Acme"))
    with pytest.raises(IntakeError) as refused:
        intake.receive(asked=wish, subject=alice, by=BY, at=AT)
    assert refused.value.code == "unknown_capacity"


@pytest.mark.django_db(transaction=True)
def test_an_erasure_is_counted(acme: Partner, alice: Subject, bob: User, tmp_path: Path) -> None:
    write_parquet(tmp_path / "posts", {"author": ["m_alice", "m_bert", "m_alice"], "text": ["a", "b", "c"]})
    dataset_of(tmp_path / "posts")
    sent = instructed(acme)
    workflow.start(request=became(sent), staff=bob, by=BY, at=SOON)
    workflow.carry_out(request=became(sent), by=BY, at=SOON)
    propagate()
    assert closes(became(sent))
    now = opendsr.find(controller=acme, request_id=str(sent.subject_request_id))
    told = opendsr.status_object(now, opendsr.standing(now), is_told=True, at=LATER)
    assert (told["request_status"], told["results_count"]) == ("completed", 2)
    assert not Letter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_message_sent_twice_at_once_becomes_one_request(acme: Partner, alice: Subject) -> None:
    message, came = asking(at=AT), list[Any]()

    def send() -> None:
        try:
            came.append(instructed(acme, **message).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(came)) == Request.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_turn_of_beat_closes_and_tells(acme: Partner, alice: Subject, bob: User) -> None:
    sent = instructed(acme, status_callback_urls=["https://10.0.0.1/inside"])
    workflow.start(request=became(sent), staff=bob, by=BY, at=SOON)
    tasks.tell_controllers()
    assert ControllerNotice.objects.get().last_reason == "private_address"
