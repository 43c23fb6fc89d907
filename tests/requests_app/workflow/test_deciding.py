"""Refusals: proposed by one, on a ground of the law, and decided by another."""

import pytest
from django.db import IntegrityError, transaction

from consents.models import Subject
from portal import actors
from portal.errors import Conflict, DomainError, Forbidden
from portal.models import AuditEntry, User
from requests_app import grounds, identity, sealing, workflow
from requests_app.models import Proposal
from requests_app.states import Ground, Right, Status
from tests.conftest import BY, OTHER
from tests.requests_app.asking import LATER, SOON, asked, awaiting, refusal_of, started, verifying
from tests.requests_app.proving import ask, objecting, type_in

pytestmark = pytest.mark.django_db


def test_another_person_refuses_and_the_ground_stands_on_the_request(alice: Subject, bob: User) -> None:
    proposal = refusal_of(started(alice, bob))
    assert proposal.request.status == Status.IN_REVIEW
    workflow.decide(proposal=proposal, approve=True, by=OTHER, at=LATER)
    request = proposal.request
    request.refresh_from_db()
    assert (request.status, request.refusal_ground, request.closed_at) == (Status.REFUSED, "unfounded", LATER)
    entry = request.timeline.get(code="refused")
    assert (entry.actor, entry.details) == (OTHER, {"ground": "unfounded"})
    assert AuditEntry.objects.filter(action="request.refused", actor=OTHER).count() == 1


def test_who_proposed_it_cannot_decide_it(alice: Subject, bob: User) -> None:
    proposal = refusal_of(started(alice, bob))
    with pytest.raises(Conflict, match="somebody else has to decide"):
        workflow.decide(proposal=proposal, approve=True, by=BY, at=LATER)
    with pytest.raises(IntegrityError, match="proposal_needs_four_eyes"), transaction.atomic():
        Proposal.objects.update(decided_by=BY, decided_at=LATER, is_approved=True)
    proposal.request.refresh_from_db()
    assert proposal.request.status == Status.IN_REVIEW


@pytest.mark.parametrize("by", [actors.SYSTEM, actors.partner("acme"), actors.command("x")])
def test_no_machine_is_one_of_the_two(alice: Subject, bob: User, by: str) -> None:
    request = started(alice, bob)
    with pytest.raises(Forbidden, match="member of staff"):
        refusal_of(request, by=by)
    proposal = refusal_of(request)
    with pytest.raises(Forbidden, match="member of staff"):
        workflow.decide(proposal=proposal, approve=True, by=by, at=LATER)


def test_sent_back_the_work_goes_on_and_can_be_proposed_anew(alice: Subject, bob: User) -> None:
    request = started(alice, bob)
    workflow.decide(proposal=refusal_of(request), approve=False, by=OTHER, at=LATER)
    request.refresh_from_db()
    assert (request.status, request.refusal_ground) == (Status.IN_PROGRESS, "")
    refusal_of(request)
    assert request.proposals.count() == 2


def test_who_proposed_it_may_take_it_back(alice: Subject, bob: User) -> None:
    proposal = refusal_of(started(alice, bob))
    assert workflow.decide(proposal=proposal, approve=False, by=BY, at=LATER).is_approved is False


def test_of_somebody_unproven_it_goes_back_to_waiting_for_proof(alice: Subject) -> None:
    request = verifying(alice)
    with pytest.raises(grounds.GroundError, match="for that alone"):
        refusal_of(request)
    workflow.decide(proposal=refusal_of(request, ground="not_identified"), approve=False, by=OTHER, at=LATER)
    request.refresh_from_db()
    assert request.status == Status.VERIFYING


def test_of_somebody_doubted_it_goes_back_to_waiting_for_proof(alice: Subject) -> None:
    request = workflow.doubt(request=asked(alice, "access")[0], by=BY, at=SOON)
    workflow.decide(proposal=refusal_of(request, ground="not_identified"), approve=False, by=OTHER, at=LATER)
    request.refresh_from_db()
    assert request.status == Status.VERIFYING


def test_what_was_proven_meanwhile_goes_on_once_it_is_sent_back(world: None) -> None:
    request = objecting()
    sent = ask(request)
    proposal = refusal_of(request, ground="not_identified")
    type_in(sent)
    workflow.decide(proposal=proposal, approve=False, by=OTHER, at=LATER)
    (request,) = identity.advance(request=request, by=OTHER, at=LATER)
    assert (request.status, request.contact_fingerprint) == (Status.IN_PROGRESS, None)
    assert sealing.unseal_json(request, request.sealed_contact, context=sealing.CONTACT) == ["email", "zoe@example.org"]


def test_proposing_ends_the_wait_for_the_person(alice: Subject, bob: User) -> None:
    request = awaiting(alice, bob)
    refusal_of(request)
    assert request.pauses.get().ended_at == SOON


def test_the_reason_is_sealed_and_asked_for(alice: Subject, bob: User) -> None:
    request = started(alice, bob)
    with pytest.raises(DomainError) as refused:
        workflow.propose_refusal(request=request, ground="unfounded", reason="  ", by=BY, at=SOON)
    assert (refused.value.code, refused.value.field) == ("reason_missing", "reason")
    proposal = refusal_of(request)
    assert proposal.sealed_reason is not None
    assert sealing.unseal(request, proposal.sealed_reason, context=sealing.REASON) == "It is a test."
    assert b"test" not in bytes(proposal.sealed_reason)


def test_a_decided_proposal_is_not_decided_again(alice: Subject, bob: User) -> None:
    proposal = refusal_of(started(alice, bob))
    workflow.decide(proposal=proposal, approve=True, by=OTHER, at=LATER)
    with pytest.raises(Conflict) as refused:
        workflow.decide(proposal=proposal, approve=False, by=OTHER, at=LATER)
    assert refused.value.code == "decided"


def test_a_withdrawn_request_leaves_no_proposal_open(alice: Subject, bob: User) -> None:
    proposal = refusal_of(started(alice, bob))
    workflow.withdraw(request=proposal.request, by=actors.subject(alice.pk), at=LATER)
    proposal.refresh_from_db()
    assert (proposal.is_approved, proposal.decided_at) == (False, LATER)


@pytest.mark.parametrize(
    ("right", "ground", "fits"),
    [
        (Right.OBJECTION, Ground.COMPELLING_GROUNDS, True),
        (Right.ERASURE, Ground.COMPELLING_GROUNDS, False),
        (Right.ERASURE, Ground.LEGAL_OBLIGATION, True),
        (Right.ACCESS, Ground.LEGAL_OBLIGATION, False),
        (Right.ACCESS, Ground.RIGHTS_OF_OTHERS, True),
        (Right.RECTIFICATION, Ground.ACCURATE, True),
        (Right.PORTABILITY, Ground.ACCURATE, False),
        (Right.WITHDRAW_CONSENT, Ground.EXCESSIVE, False),
        (Right.OPT_OUT_SALE, Ground.NOT_IDENTIFIED, False),
    ],
)
def test_each_right_has_grounds_of_its_own(right: Right, ground: Ground, fits: bool) -> None:
    assert (ground in grounds.of(right)) == fits
    if not fits:
        with pytest.raises(grounds.GroundError):
            grounds.check(ground, right)


def test_every_right_has_grounds_and_each_ground_its_law() -> None:
    assert set(grounds.TABLE) == set(Right)
    assert all(law and found for found in grounds.TABLE.values() for law in found.values())
    assert {ground for found in grounds.TABLE.values() for ground in found} == set(Ground)


def test_an_appeal_knows_the_grounds_of_what_it_is_about() -> None:
    assert grounds.check("legal_claims", Right.APPEAL, about=Right.ERASURE) == Ground.LEGAL_CLAIMS
    with pytest.raises(grounds.GroundError):
        grounds.check("legal_claims", Right.APPEAL, about=Right.ACCESS)


def test_a_ground_that_is_none_is_refused(alice: Subject, bob: User) -> None:
    for ground in ("compelling_grounds", "because", ""):
        with pytest.raises(grounds.GroundError) as refused:
            refusal_of(started(alice, bob) if not alice.requests.exists() else alice.requests.get(), ground=ground)
        assert refused.value.field == "ground"
    assert not Proposal.objects.exists()
