"""What nobody proves runs out, with what was typed."""

from datetime import timedelta

import pytest

from consents.models import Subject
from portal import crypto
from requests_app import identity
from requests_app.models import IdentityCheck, Letter, Request
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
    fresh,
    objecting,
    typed,
    unshown,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world", "own_cache")]


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


def test_one_that_cannot_run_out_does_not_keep_the_others() -> None:
    broken, other = objecting(), objecting("yan@example.org")
    Request.objects.filter(pk=broken.pk).update(sealed_contact=other.sealed_contact)
    with pytest.raises(crypto.CryptoError):
        identity.expire(at=AT + timedelta(days=400))
    assert fresh(broken).status == Status.VERIFYING
    assert fresh(other).status == Status.EXPIRED
