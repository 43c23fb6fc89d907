"""Runs of datasets that others hold: written down, sent once, waited for, and closed by the holder's word."""

import signal
from datetime import timedelta
from pathlib import Path

import pytest

from consents import amendments
from consents.models import Subject
from consents.vocabulary import Action
from downstream import asking, callbacks, journeys, propagation
from downstream.models import Dataset, HolderRequest, Propagation, RemovalReceipt
from downstream.propagation_states import Status
from portal.errors import DomainError
from portal.models import AuditEntry
from tests.conftest import person, sequenced
from tests.downstream.acting import LATER, carry_out, expire_leases, held_at, planned, say, worker
from tests.downstream.holders.processor import Processor

pytestmark = pytest.mark.usefixtures("own_cache")

SOON = LATER + timedelta(hours=8)
URL = "http://localhost:8000/opendsr/callbacks"


def asked(run: Propagation) -> list[tuple[str, int | None]]:
    return list(HolderRequest.objects.filter(propagation=run).order_by("written_at").values_list("state", "rows"))


def state(run: Propagation) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.reason_code


def stop(dataset: Dataset, subject: Subject, position: int) -> journeys.Stop:
    (found,) = journeys.stops(subject_id=subject.pk, purpose="ai-training", position=position, at=LATER)
    return found


def test_a_no_is_asked_waited_for_and_attested(held: Dataset, alice: Subject, listening: Processor) -> None:
    position = say(alice, Action.DENY)
    run = planned()
    assert not carry_out(run)
    assert (state(run), asked(run)) == ((Status.AWAITING, ""), [("sent", None)])
    assert (run.attempts, run.lease_until) == (0, None)
    assert listening.people() == [["m_alice"]]
    assert stop(held, alice, position).state == journeys.ASKED
    assert not propagation.arrived(subject_id=alice.pk, position=position)

    listening.complete(rows=2)
    assert carry_out(run, at=SOON)
    assert (state(run), asked(run)) == ((Status.VERIFIED, ""), [("done", 2)])
    receipt = RemovalReceipt.objects.get()
    assert (receipt.rows_found, receipt.rows_removed, receipt.is_counted) == (2, 2, True)
    assert receipt.attested_by == "localhost"
    assert receipt.files[0]["request"] == str(HolderRequest.objects.get().pk)
    assert len(receipt.files[0]["answer_sha256"]) == 64
    held.refresh_from_db()
    assert held.position == position
    found = stop(held, alice, position)
    assert (found.state, found.rows_removed) == (journeys.TOLD_REMOVED, 2)
    assert propagation.arrived(subject_id=alice.pk, position=position)


def test_a_processor_that_does_not_count_is_not_said_to_have_found_nothing(
    held: Dataset, alice: Subject, listening: Processor
) -> None:
    position = say(alice, Action.DENY)
    run = planned()
    carry_out(run)
    listening.complete()
    assert carry_out(run, at=SOON)
    assert not RemovalReceipt.objects.get().is_counted
    assert stop(held, alice, position).state == journeys.TOLD_REMOVED


def test_a_processor_that_found_nothing_is_quoted(held: Dataset, alice: Subject, listening: Processor) -> None:
    position = say(alice, Action.DENY)
    run = planned()
    carry_out(run)
    listening.complete(rows=0)
    assert carry_out(run, at=SOON)
    assert stop(held, alice, position).state == journeys.TOLD_NOT_IN


def test_whoever_was_never_asked_about_is_not_quoted(held: Dataset, charlie: Subject) -> None:
    assert stop(held, charlie, held.position).state == journeys.GAP


def test_several_people_are_several_requests_of_which_few_are_on_their_way_at_once(
    held: Dataset, alice: Subject, listening: Processor
) -> None:
    for number in range(25):
        say(person(f"p{number}"), Action.DENY)
    run = planned()
    assert not carry_out(run)
    assert len(listening.posted) == len(set(listening.posted)) == 25
    assert listening.most_at_once <= 4
    first = HolderRequest.objects.first()
    assert first is not None
    listening.states[str(first.pk)] = "completed"
    assert not carry_out(run, at=SOON)
    assert HolderRequest.objects.filter(state="done").count() == 1
    listening.complete(rows=1)
    assert carry_out(run, at=SOON + timedelta(days=1))
    assert RemovalReceipt.objects.filter(rows_removed=1, attested_by="localhost").count() == 24
    assert len(listening.posted) == 25


def test_everybody_a_holder_calls_them_by_goes_in_one_request(
    held: Dataset, alice: Subject, listening: Processor
) -> None:
    from consents import subjects
    from tests.conftest import AT, BY

    amendments.link(subject=alice, names=[subjects.name("account", "m_alicia")], by=BY, at=AT)
    sequenced()
    say(alice, Action.DENY)
    carry_out(planned())
    assert listening.people() == [["m_alice", "m_alicia"]]


@pytest.mark.parametrize("point", ["ask.before", "ask.after"])
def test_whoever_takes_over_sends_nothing_twice(
    held: Dataset, alice: Subject, listening: Processor, point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(alice, Action.DENY)
    run = planned()
    with held_at(point, lambda: carry_out(run, holder="zombie"), gate=tmp_path / "gate", monkeypatch=monkeypatch) as (
        _,
        wake,
    ):
        expire_leases()
        monkeypatch.delenv("HEED_FAULT_POINT")
        assert not carry_out(run, holder="second")
        assert state(run) == (Status.AWAITING, "")
        posted = len(listening.posted)
        assert posted == 1
        assert wake() is False
    assert len(set(listening.posted)) == 1
    assert HolderRequest.objects.get().state == "sent"


@pytest.mark.fault
@pytest.mark.parametrize("point", ["ask.before", "ask.after"])
def test_whoever_is_killed_while_asking_has_asked_once(
    held: Dataset, alice: Subject, listening: Processor, point: str, tmp_path: Path
) -> None:
    say(alice, Action.DENY)
    run = planned()
    trust = {"HEED_OUTBOUND_TRUST": str(listening.authority.path)}
    killed = worker(run, folder=tmp_path, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point, **trust)
    said, _ = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, said
    assert len(listening.posted) == (point == "ask.after")
    expire_leases()
    assert not carry_out(run, holder="second")
    assert state(run) == (Status.AWAITING, "")
    assert len(set(listening.posted)) == 1
    assert HolderRequest.objects.get().state == "sent"


def test_a_busy_processor_is_asked_when_it_said(held: Dataset, alice: Subject, listening: Processor) -> None:
    say(alice, Action.DENY)
    run = planned()
    listening.troubles.append((429, {"Retry_After": "600"}))
    assert not carry_out(run)
    assert state(run) == (Status.AWAITING, "holder_busy")
    assert run.next_try_at == LATER + timedelta(seconds=600)
    assert not carry_out(run, at=LATER + timedelta(seconds=601))
    assert (state(run), len(listening.posted)) == ((Status.AWAITING, ""), 1)


def test_a_failing_processor_is_tried_again_and_then_waits_for_a_person(
    held: Dataset, alice: Subject, listening: Processor
) -> None:
    say(alice, Action.DENY)
    run = planned()
    listening.troubles += [(500, {})] * 20
    for _ in range(7):
        assert not carry_out(run)
        assert state(run) == (Status.FAILED, "holder_busy")
        Propagation.objects.update(next_try_at=LATER)
    carry_out(run)
    assert state(run) == (Status.STOPPED, "holder_busy")


def test_a_wrong_signature_stops_the_run(held: Dataset, alice: Subject, listening: Processor) -> None:
    say(alice, Action.DENY)
    run = planned()
    listening.forges = True
    assert not carry_out(run)
    assert state(run) == (Status.STOPPED, "wrong_signature")
    assert not RemovalReceipt.objects.exists()
    # staff found out, and it answers truly now: the request is known by its id and not sent anew
    listening.forges = False
    propagation.retry_now(propagation=run, by="staff:x", at=LATER)
    assert not carry_out(run)
    assert (state(run), len(listening.posted)) == ((Status.AWAITING, ""), 1)


@pytest.mark.parametrize("how", ["refused", "cancelled"])
def test_a_refusal_stops_the_run_and_is_asked_anew_under_another_id(
    held: Dataset, alice: Subject, listening: Processor, how: str
) -> None:
    say(alice, Action.DENY)
    run = planned()
    if how == "refused":
        listening.troubles.append((400, {}))
    carry_out(run)
    if how == "cancelled":
        listening.states[listening.posted[0]] = "cancelled"
        carry_out(run, at=SOON)
    assert state(run) == (Status.STOPPED, f"holder_{how}")
    propagation.retry_now(propagation=run, by="staff:x", at=SOON)
    carry_out(run, at=SOON)
    assert {one for one, _ in asked(run)} == {"refused", "sent"}
    listening.complete(rows=1)
    assert carry_out(run, at=SOON + timedelta(days=1))


def test_a_callback_makes_us_look_at_once(held: Dataset, alice: Subject, listening: Processor) -> None:
    say(alice, Action.DENY)
    run = planned()
    carry_out(run)
    listening.complete(rows=1)
    body = listening.callback(listening.posted[0], url=URL)
    callbacks.hear(domain="localhost", signature=listening.signature(body), body=body, at=LATER)
    assert propagation.hand_over(at=LATER) == [run.pk]
    assert carry_out(run)


def test_a_callback_that_proves_nothing_is_refused(held: Dataset, alice: Subject, listening: Processor) -> None:
    say(alice, Action.DENY)
    carry_out(planned())
    theirs = listening.callback(listening.posted[0], url=URL)
    unknown = listening.callback("00000000-0000-4000-8000-000000000000", url=URL)
    of_others = listening.callback(listening.posted[0], url="http://elsewhere.example")
    for domain, body, signature, code in [
        ("localhost", theirs, "bm8=", "wrong_signature"),
        ("elsewhere.example", theirs, listening.signature(theirs), "wrong_signature"),
        ("localhost", of_others, listening.signature(of_others), "callback_not_ours"),
        ("localhost", unknown, listening.signature(unknown), "unknown_request"),
        ("localhost", b"[]", listening.signature(b"[]"), "callback_unreadable"),
    ]:
        with pytest.raises(DomainError) as caught:
            callbacks.hear(domain=domain, signature=signature, body=body, at=LATER)
        assert caught.value.code == code


def test_somebody_who_was_forgotten_meanwhile_is_not_asked_about(
    held: Dataset, alice: Subject, listening: Processor
) -> None:
    from consents import subjects

    say(alice, Action.DENY)
    run = planned()
    subjects.forget(subject=alice, by="staff:x", at=LATER)
    assert carry_out(run)
    assert listening.posted == []
    assert not RemovalReceipt.objects.exists()


def test_nobody_is_named_in_the_audit_trail_or_in_reasons(held: Dataset, alice: Subject, listening: Processor) -> None:
    say(alice, Action.DENY)
    run = planned()
    listening.troubles.append((400, {}))
    carry_out(run)
    run.refresh_from_db()
    text = run.reason + str(list(AuditEntry.objects.values_list("actor", "object_id", "details")))
    assert "m_alice" not in text
    assert asking.CALLBACK in URL
