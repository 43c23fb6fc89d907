"""Codes and second proofs: who is proven by what, one refusal for all reasons, and nothing told before the code."""

import re
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from consents import subjects
from consents.models import Identifier, LedgerEvent, Subject
from portal import crypto
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry
from requests_app import codes, identity, intake, proofs, sealing, timeline
from requests_app.identity import CodeRefused, IdentityError, Need, TooMany
from requests_app.models import IdentityCheck, Letter, Pause, Request, TimelineEntry
from requests_app.rulebook import Wait
from requests_app.states import CheckMethod, CheckStatus, Status
from tests.conftest import AT, BY
from tests.consents.asking import tables_as_text
from tests.requests_app.asking import asked
from tests.requests_app.proving import (
    MINUTE,
    OBJECTION,
    SOON,
    VISITOR,
    ask,
    by_code,
    objecting,
    type_in,
    typed,
    unshown,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


@pytest.fixture(autouse=True)
def own_cache(settings: Any) -> None:
    """Redis is shared with other tests; counts must not be."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": uuid.uuid4().hex}}


def found(contact: str = "zoe@example.org") -> Subject | None:
    return subjects.find(subjects.name("email", contact))


def refused(*given: Any, **more: Any) -> None:
    with pytest.raises(CodeRefused):
        type_in(*given, **more)


def fresh(request: Request) -> Request:
    return Request.objects.get(pk=request.pk)


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


# --- no enumeration


@pytest.fixture
def three(alice: Subject) -> list[str]:
    """A known, an unknown and an erased address."""
    newcomer = subjects.Newcomer((subjects.name("email", "gone@example.org"),), "US")
    gone = subjects.register(newcomer=newcomer, by=BY, at=AT)
    subjects.forget(subject=gone, by=BY, at=AT)
    return ["alice@example.org", "never@example.org", "gone@example.org"]


def statements(queries: CaptureQueriesContext) -> list[str]:
    """What was asked of the database, without the values."""
    return [re.sub(r"""'[^']*'|"s\d+_x\d+"|::\w+|\s*-?\d+""", "?", one["sql"]) for one in queries.captured_queries]


def test_asking_and_mistyping_is_the_same_for_known_unknown_and_erased(three: list[str]) -> None:
    seen = []
    # the purposes are kept in mind from now on
    objecting("warm@example.org")
    for contact in three:
        with CaptureQueriesContext(connection) as queries:
            request = objecting(contact)
            sent = ask(request, client=contact)
            with pytest.raises(CodeRefused) as refusal:
                type_in(sent, "BBBB-BBBB")
        answers = (refusal.value.code, refusal.value.message, len(sent.code or ""), request.status, request.subject)
        entries = [(one.code, one.actor, one.details) for one in request.timeline.all()]
        seen.append((answers, entries, statements(queries)))
    assert seen[0] == seen[1] == seen[2]


def test_every_reason_has_one_refusal(alice: Subject) -> None:
    sent, foreign = ask(objecting()), ask(objecting("alice@example.org"))
    used = ask(objecting("mia@example.org"))
    type_in(used)
    messages = set()
    for check_id, code, at in [
        (sent.check_id, "BBBB-BBBB", AT),
        (sent.check_id, foreign.code, AT),
        (sent.check_id, sent.code, AT + timedelta(minutes=15)),
        (used.check_id, used.code, AT + MINUTE),
        (uuid.uuid4(), sent.code, AT),
    ]:
        with pytest.raises(CodeRefused) as refusal:
            identity.check_code(check_id=check_id, code=code or "", at=at)
        messages.add((refusal.value.code, refusal.value.message, refusal.value.field))
    assert len(messages) == 1


def test_what_waits_names_nobody_and_no_code() -> None:
    sent = ask(objecting(note="a-very-own-poem"))
    everything = tables_as_text().lower()
    for secret in ("zoe@example.org", (sent.code or "").lower(), "a-very-own-poem"):
        assert secret not in everything
        assert secret.encode().hex() not in everything
    assert "zoe" not in repr(sent)
    assert (sent.code or "") not in repr(sent)


# --- tries, times, limits


@pytest.mark.parametrize("wrong", ["BBBB-BBBB", "x", "\x00", "é" * 8, "B" * 500])
def test_a_wrong_code_proves_nothing(wrong: str) -> None:
    sent = ask(objecting())
    refused(sent, wrong)
    refused(sent, (sent.code or "") + "BBBB")
    assert found() is None
    assert type_in(sent, f" {(sent.code or '').lower().replace('-', '')}\t")


def test_after_five_tries_the_right_code_is_no_use_on_that_page() -> None:
    request = objecting()
    sent = ask(request)
    for _ in range(5):
        refused(sent, "BBBB-BBBB")
    refused(sent)
    assert found() is None
    # a new one may be asked for
    assert type_in(ask(request))


def test_a_code_holds_for_fifteen_minutes_and_a_new_one_may_be_asked_for_two_weeks() -> None:
    request = objecting()
    sent = ask(request)
    refused(sent, at=AT + timedelta(minutes=15))
    last = AT + timedelta(days=13, hours=23)
    assert identity.expire(at=last) == 0
    assert identity.is_proven(type_in(ask(request, at=last), at=last)[0])


def test_a_code_serves_once() -> None:
    sent = ask(objecting())
    type_in(sent)
    refused(sent)
    assert LedgerEvent.objects.filter(kind="choice").count() == 1
    assert IdentityCheck.objects.get().code_digest is None


def test_a_code_of_one_address_proves_nothing_of_another(alice: Subject) -> None:
    theirs, mine = ask(objecting("alice@example.org")), ask(objecting("mallory@example.org"))
    refused(theirs, mine.code)
    assert not IdentityCheck.objects.filter(status=CheckStatus.PASSED).exists()


def test_where_no_more_mail_is_sent_one_that_was_sent_serves() -> None:
    first = [ask(objecting(), client=f"c{number}") for number in range(codes.MOST_CODES)]
    owner = ask(objecting(note="the owner's own"), client="owner")
    assert (owner.code, owner.contact) == (None, "zoe@example.org")
    [proven] = type_in(owner, first[-1].code)
    assert sealing.unseal(proven, proven.sealed_note, context=sealing.NOTE) == "the owner's own"
    # it proved the owner's alone
    assert Request.objects.filter(status=Status.VERIFYING).count() == codes.MOST_CODES


def test_one_client_sends_no_more_than_five_to_one_address() -> None:
    sent = [ask(objecting()).code for _ in range(codes.MOST_CODES_OF_ONE + 1)]
    assert sent.count(None) == 1
    assert ask(objecting("mia@example.org")).code
    assert ask(objecting(), client="another").code


def test_a_client_that_asks_without_end_is_refused() -> None:
    request = objecting()
    for _ in range(codes.MOST_ASKED):
        ask(request)
    with pytest.raises(TooMany):
        ask(request)
    assert ask(request, client="another").check_id


def test_a_mail_that_could_not_be_sent_counts_for_nothing() -> None:
    request = objecting()
    sent = ask(request)
    identity.not_sent(check_id=sent.check_id)
    refused(sent)
    assert type_in(ask(request))


def test_a_code_serves_also_once_the_index_key_was_turned(settings: Any) -> None:
    sent = ask(objecting())
    settings.INDEX_KEYS = crypto.Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    assert type_in(sent)


def test_no_code_is_asked_for_what_is_proven(alice: Subject) -> None:
    request = asked(alice, "access")[0]
    before = TimelineEntry.objects.count(), AuditEntry.objects.count(), IdentityCheck.objects.count()
    with pytest.raises(Conflict) as refusal:
        ask(request)
    assert refusal.value.code == "nothing_to_prove"
    assert (TimelineEntry.objects.count(), AuditEntry.objects.count(), IdentityCheck.objects.count()) == before


def test_who_has_no_mail_address_gets_no_code(world: None) -> None:
    newcomer = subjects.Newcomer((subjects.name("account", "m_x"),), "US")
    nameless = subjects.register(newcomer=newcomer, by=BY, at=AT)
    [request] = unshown(nameless, "access")
    with pytest.raises(IdentityError) as refusal:
        ask(request)
    assert refusal.value.code == "no_address"
    phone = subjects.name("phone", "+441632960001")
    wish = intake.Asked(rights=("access",), jurisdiction="GB")
    [request] = intake.receive_unproven(asked=wish, contact=phone, by=VISITOR, at=AT)
    with pytest.raises(IdentityError):
        ask(request)


# --- second proofs


def second_address(subject: Subject, value: str = "alice@work.example", *, is_verified: bool = True) -> None:
    name = subjects.name("phone" if value.startswith("+") else "email", value)
    subjects.link(subject=subject, names=[name], by=BY, at=AT)
    if is_verified:
        subjects.mark_verified(subject=subject, named=name, at=AT)


def erasure_by_code(alice: Subject) -> Request:
    [request] = by_code("erasure", contact="alice@example.org")
    return request


@pytest.mark.parametrize("right", ["access", "portability", "erasure", "rectification"])
def test_what_could_harm_the_person_needs_a_second_proof(alice: Subject, right: str) -> None:
    objection, risky = type_in(ask(typed("objection", right, contact="alice@example.org", **OBJECTION)[0]))
    assert identity.is_proven(objection)
    assert (risky.status, risky.subject, identity.missing(risky)) == (Status.VERIFYING, alice, [Need.SECOND])


@pytest.mark.parametrize("method", [CheckMethod.DOCUMENT, CheckMethod.CALLBACK])
def test_staff_look_and_then_it_is_proven(alice: Subject, method: str) -> None:
    second_address(alice, "+441632960001")
    request = erasure_by_code(alice)
    check = identity.require(request=request, method=method, by=BY, at=SOON)
    identity.decide(check=check, passed=True, by=BY, at=SOON)
    request = fresh(request)
    assert (request.status, request.identity_confirmed_at) == (Status.RECEIVED, SOON)
    told = [(one.code, one.details) for one in request.timeline.all()]
    assert ("proof_required", {"method": method}) in told
    assert ("proof_passed", {"method": method}) in told


def test_a_second_code_goes_to_another_verified_address(alice: Subject) -> None:
    second_address(alice)
    request = erasure_by_code(alice)
    required = identity.require(request=request, method="second_code", by=BY, at=SOON)
    sent = ask(request, at=SOON)
    assert sent.contact == "alice@work.example"
    [proven] = type_in(sent, at=SOON)
    assert identity.is_proven(proven)
    required.refresh_from_db()
    assert required.status == CheckStatus.PASSED


def test_a_second_code_needs_an_address_that_was_verified(alice: Subject) -> None:
    request = erasure_by_code(alice)
    second_address(alice, is_verified=False)
    for method, code in [("second_code", "no_second_address"), ("callback", "no_known_number")]:
        with pytest.raises(IdentityError) as refusal:
            identity.require(request=request, method=method, by=BY, at=SOON)
        assert refusal.value.code == code


def test_before_the_first_code_no_second_address_is_told_of(alice: Subject) -> None:
    second_address(alice)
    request = typed("erasure", contact="alice@example.org")[0]
    with pytest.raises(IdentityError):
        identity.require(request=request, method="second_code", by=BY, at=SOON)


def test_a_first_code_is_no_second_one(alice: Subject) -> None:
    second_address(alice)
    request = erasure_by_code(alice)
    identity.require(request=request, method="second_code", by=BY, at=SOON)
    second = ask(request, at=SOON)
    other = ask(objecting("alice@example.org"), at=SOON)
    refused(second, other.code, at=SOON)
    assert not identity.is_proven(fresh(request))


@pytest.mark.parametrize("method", ["code", "confirmation", "", "passport"])
def test_staff_choose_among_second_proofs(alice: Subject, method: str) -> None:
    with pytest.raises(IdentityError) as refusal:
        identity.require(request=erasure_by_code(alice), method=method, by=BY, at=SOON)
    assert refusal.value.code == "unknown_method"


def test_a_proof_is_asked_for_once_and_decided_once(alice: Subject) -> None:
    request = erasure_by_code(alice)
    check = identity.require(request=request, method="document", by=BY, at=SOON)
    with pytest.raises(Conflict, match="already"):
        identity.require(request=request, method="document", by=BY, at=SOON)
    identity.decide(check=check, passed=False, by=BY, at=SOON)
    for passed in (True, False):
        with pytest.raises(Conflict, match="already"):
            identity.decide(check=check, passed=passed, by=BY, at=SOON)
    assert fresh(request).status == Status.VERIFYING


def test_a_proof_out_of_time_is_not_decided(alice: Subject) -> None:
    check = identity.require(request=erasure_by_code(alice), method="document", by=BY, at=SOON)
    with pytest.raises(Conflict) as refusal:
        identity.decide(check=check, passed=True, by=BY, at=SOON + timedelta(days=14))
    assert refusal.value.code == "out_of_time"


def test_codes_are_not_decided_by_staff(alice: Subject) -> None:
    request = typed("erasure")[0]
    ask(request)
    with pytest.raises(Conflict) as refusal:
        identity.decide(check=request.checks.get(), passed=True, by=BY, at=SOON)
    assert refusal.value.code == "typed_by_the_person"


def test_after_three_failed_proofs_no_more_are_asked_for(alice: Subject) -> None:
    request = erasure_by_code(alice)
    for _ in range(identity.MOST_FAILED):
        check = identity.require(request=request, method="document", by=BY, at=SOON)
        identity.decide(check=check, passed=False, by=BY, at=SOON)
    with pytest.raises(Conflict) as refusal:
        identity.require(request=request, method="document", by=BY, at=SOON)
    assert refusal.value.code == "too_many_failed"


def test_what_is_proven_or_closed_needs_no_further_proof(alice: Subject) -> None:
    with pytest.raises(Conflict) as refusal:
        identity.require(request=asked(alice, "access")[0], method="document", by=BY, at=SOON)
    assert refusal.value.code == "nothing_to_prove"


def test_a_document_does_not_stand_in_for_the_code_of_who_asks_on_the_pages(alice: Subject) -> None:
    on_pages = typed("erasure", contact="alice@example.org")[0]
    by_letter = unshown(alice, "erasure", channel="letter")[0]
    for request in (on_pages, by_letter):
        check = identity.require(request=request, method="document", by=BY, at=SOON)
        identity.decide(check=check, passed=True, by=BY, at=SOON)
    assert (fresh(on_pages).status, fresh(by_letter).status) == (Status.VERIFYING, Status.RECEIVED)
    assert identity.missing(fresh(on_pages)) == [Need.ADDRESS]
    # the document counts once the code was typed too
    assert identity.is_proven(type_in(ask(on_pages, at=SOON), at=SOON)[0])


# --- for somebody else


def test_an_agents_request_needs_the_persons_own_word_and_their_authority(alice: Subject) -> None:
    [request] = unshown(alice, "erasure", capacity="agent")
    assert identity.missing(request) == [Need.CONFIRMATION, Need.AUTHORITY]
    sent = ask(request)
    assert sent.contact == "alice@example.org"
    [request] = type_in(sent)
    assert request.checks.get(method="confirmation").status == CheckStatus.PASSED
    assert (request.status, identity.missing(request)) == (Status.VERIFYING, [Need.AUTHORITY])
    # it is put before staff by itself
    check = request.checks.get(method="document")
    identity.decide(check=check, passed=True, by=BY, at=SOON)
    assert identity.is_proven(fresh(request))


def test_an_agent_cannot_confirm_by_a_code_that_was_sent_for_something_else(alice: Subject) -> None:
    confirmation = ask(unshown(alice, "access", capacity="agent")[0])
    code = ask(unshown(alice, "objection", **OBJECTION)[0])
    refused(confirmation, code.code)


def test_a_no_by_an_agent_needs_the_persons_word_alone(alice: Subject) -> None:
    [request] = type_in(ask(unshown(alice, "objection", capacity="agent", **OBJECTION)[0]))
    assert identity.is_proven(request)


@pytest.mark.parametrize("capacity", ["parent", "heir"])
def test_staff_look_at_the_authority_of_parents_and_heirs(alice: Subject, capacity: str) -> None:
    [request] = type_in(ask(typed("access", contact="alice@example.org", capacity=capacity)[0]))
    assert identity.missing(request) == [Need.AUTHORITY]
    identity.decide(check=request.checks.get(method="document"), passed=True, by=BY, at=SOON)
    assert identity.is_proven(fresh(request))


def test_nobody_reads_mail_to_the_dead(alice: Subject) -> None:
    [request] = unshown(alice, "erasure", capacity="heir")
    check = identity.require(request=request, method="document", by=BY, at=SOON)
    identity.decide(check=check, passed=True, by=BY, at=SOON)
    assert identity.is_proven(fresh(request))


# --- in doubt


def doubted(subject: Subject, at: Any) -> Request:
    """What `workflow.doubt` leaves."""
    request = asked(subject, "erasure")[0]
    Request.objects.filter(pk=request.pk).update(status=Status.VERIFYING)
    Pause.objects.create(request=request, reason=Wait.IDENTITY, began_at=at)
    timeline.tell(request, "doubted", by=BY, at=at)
    return fresh(request)


def test_what_staff_came_to_doubt_needs_a_proof_since_then(alice: Subject) -> None:
    late = AT + timedelta(days=30)
    request = doubted(alice, late)
    assert (identity.is_proven(request), identity.missing(request)) == (False, [Need.SECOND])
    [same] = identity.advance(request=request, by=BY, at=late)
    assert same.status == Status.VERIFYING
    assert identity.expire(at=late + timedelta(days=13)) == 0
    check = identity.require(request=request, method="document", by=BY, at=late)
    identity.decide(check=check, passed=True, by=BY, at=late + MINUTE)
    assert identity.is_proven(fresh(request))


def test_what_was_shown_before_does_not_settle_a_doubt(alice: Subject) -> None:
    request = doubted(alice, SOON)
    IdentityCheck.objects.create(
        request=request, method="document", status="passed", asked_by=BY, asked_at=AT, expires_at=SOON, decided_at=AT
    )
    assert identity.missing(request) == [Need.SECOND]


# --- running out


def test_nobody_fills_a_mailbox_with_requests_that_run_out() -> None:
    for _ in range(3):
        typed("access", "erasure", "portability")
    typed("access", contact="yan@example.org")
    assert identity.expire(at=AT + timedelta(days=15)) == 10
    assert Letter.objects.filter(code="expired").count() == 2


def test_what_nobody_proves_runs_out_and_loses_what_was_typed() -> None:
    request = typed("access", capacity="parent", note="my poems")[0]
    ask(request)
    assert identity.expire(at=AT + timedelta(days=14)) == 1
    request = fresh(request)
    assert (request.status, request.subject) == (Status.EXPIRED, None)
    left = (request.sealed_note, request.sealed_details, request.sealed_requester, request.sealed_contact)
    assert left == (None,) * 4
    assert request.contact_fingerprint is None
    [check] = request.checks.all()
    assert (check.status, check.code_digest, check.sealed_target) == (CheckStatus.EXPIRED, None, None)
    assert request.timeline.filter(code="expired", actor="system:heed").exists()
    assert identity.expire(at=AT + timedelta(days=15)) == 0


def test_a_letter_that_lay_long_is_given_its_two_weeks() -> None:
    request = typed("access", channel="letter", received_at=AT - timedelta(days=100))[0]
    assert identity.expire(at=AT + timedelta(days=13)) == 0
    assert identity.expire(at=AT + timedelta(days=14)) == 1
    assert fresh(request).status == Status.EXPIRED


def test_a_proof_that_staff_asked_for_is_waited_for(alice: Subject) -> None:
    request = erasure_by_code(alice)
    late = AT + timedelta(days=13)
    check = identity.require(request=request, method="document", by=BY, at=late)
    assert identity.expire(at=AT + timedelta(days=20)) == 0
    assert identity.expire(at=late + timedelta(days=14)) == 1
    check.refresh_from_db()
    assert check.status == CheckStatus.EXPIRED


def test_asking_again_and_again_keeps_nothing_alive() -> None:
    request = objecting()
    ask(request, at=AT + timedelta(days=14) - MINUTE)
    assert identity.expire(at=AT + timedelta(days=14)) == 1


def test_what_is_proven_does_not_run_out(alice: Subject) -> None:
    asked(alice, "access")
    by_code("objection", **OBJECTION)
    assert identity.expire(at=AT + timedelta(days=400)) == 0


def test_codes_out_of_time_end_and_are_kept_no_longer() -> None:
    sent = ask(objecting())
    identity.expire(at=AT + timedelta(minutes=14))
    assert IdentityCheck.objects.get().status == CheckStatus.PENDING
    identity.expire(at=AT + timedelta(minutes=15))
    check = IdentityCheck.objects.get(pk=sent.check_id)
    assert (check.status, check.code_digest) == (CheckStatus.EXPIRED, None)


def test_evidence_is_looked_at_again_after_a_refusal_was_given_up(alice: Subject) -> None:
    request = unshown(alice, "erasure", channel="letter")[0]
    Request.objects.filter(pk=request.pk).update(status=Status.IN_REVIEW)
    IdentityCheck.objects.create(
        request=request, method="document", status="passed", asked_by=BY, asked_at=AT, expires_at=SOON, decided_at=AT
    )
    Request.objects.filter(pk=request.pk).update(status=Status.VERIFYING)
    [request] = identity.advance(request=request, by=BY, at=SOON)
    assert identity.is_proven(request)


# --- at once


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


def test_one_that_cannot_run_out_does_not_keep_the_others() -> None:
    broken, other = objecting(), objecting("yan@example.org")
    Request.objects.filter(pk=broken.pk).update(sealed_contact=other.sealed_contact)
    with pytest.raises(crypto.CryptoError):
        identity.expire(at=AT + timedelta(days=400))
    assert fresh(broken).status == Status.VERIFYING
    assert fresh(other).status == Status.EXPIRED
