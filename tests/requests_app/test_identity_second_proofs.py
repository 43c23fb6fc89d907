"""Where an address is not enough: second proofs, who asks for somebody else, and what staff came to doubt."""

from datetime import timedelta
from typing import Any

import pytest

from consents import amendments, subjects
from consents.models import Subject
from portal.errors import Conflict
from requests_app import identity, timeline
from requests_app.identity import IdentityError, Need
from requests_app.models import IdentityCheck, Pause, Request
from requests_app.rulebook import Wait
from requests_app.states import CheckMethod, CheckStatus, Status
from tests.conftest import AT, BY
from tests.requests_app.asking import asked
from tests.requests_app.proving import (
    MINUTE,
    OBJECTION,
    SOON,
    ask,
    erasure_by_code,
    fresh,
    objecting,
    refused,
    type_in,
    typed,
    unshown,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world", "own_cache")]


def second_address(subject: Subject, value: str = "alice@work.example", *, is_verified: bool = True) -> None:
    name = subjects.name("phone" if value.startswith("+") else "email", value)
    amendments.link(subject=subject, names=[name], by=BY, at=AT)
    if is_verified:
        amendments.mark_verified(subject=subject, named=name, at=AT)


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
