"""What agents' rights mean, and how a request of ours reads in the protocol's words."""

import threading
from typing import Any

import pytest
from django.db import connection

from consents.models import Purpose, Subject
from portal import audit
from portal.models import User
from requests_app import drp, drp_messages, workflow
from requests_app.drp import Standing
from requests_app.models import AgentRequest, Request
from requests_app.states import Ground, Right, Status
from tests.conftest import AT, BY
from tests.requests_app.agency import exercising, registered
from tests.requests_app.asking import SOON

AI = "heed:ai-training:opt-out"
DENIED_FOR = {
    "suspected_fraud",
    "insuf_verification",
    "no_match",
    "claim_not_covered",
    "outside_jurisdiction",
    "too_many_requests",
    "other",
}


def exercise(agent: Any, right: str = AI, **more: Any) -> AgentRequest:
    return drp.exercise(agent=agent, asked=drp_messages.read(exercising(agent.pk, right, now=AT, **more)), at=AT)


def said(sent: AgentRequest) -> dict[str, Any]:
    fresh = drp.find(agent=sent.agent, request_id=str(sent.pk))
    return drp.status_object(fresh, drp.standing(fresh))


@pytest.mark.parametrize("status", Status.values)
def test_every_status_has_a_word_of_the_protocol(status: str) -> None:
    word = drp.of_status(status, "other" if status != Status.REFUSED else Ground.EXCESSIVE, is_known=True).status
    assert word in {"in_progress", "fulfilled", "revoked", "expired", "denied"}


@pytest.mark.parametrize("ground", Ground.values)
def test_every_ground_has_a_reason_of_the_protocol(ground: str) -> None:
    assert drp.of_status(Status.REFUSED, ground, is_known=True).reason in DENIED_FOR


def test_nobody_known_is_said_after_the_proof_alone() -> None:
    assert drp.of_status(Status.VERIFYING, "", is_known=False) == Standing("in_progress", "need_user_verification")
    assert drp.of_status(Status.REFUSED, Ground.NOT_IDENTIFIED, is_known=False) == Standing("denied", "no_match")


def test_rights_are_ours() -> None:
    assert set(drp.RIGHTS.values()) <= set(Right.values)


@pytest.mark.django_db
class TestWithPeople:
    def test_a_staff_decision_is_read_as_denied(self, alice: Subject) -> None:
        sent = exercise(registered()[0], "access")
        Request.objects.filter(pk=sent.request_id).update(status="in_review")
        refused = {"status": "refused", "refusal_ground": Ground.EXCESSIVE, "closed_at": SOON, "subject": alice}
        Request.objects.filter(pk=sent.request_id).update(**refused)
        assert (said(sent)["status"], said(sent)["reason"]) == ("denied", "too_many_requests")

    def test_access_that_is_answered_leads_to_the_persons_own_page(self, alice: Subject, bob: User) -> None:
        sent = exercise(registered()[0], "access")
        assert sent.request is not None
        Request.objects.filter(pk=sent.request_id).update(status="received", subject=alice)
        workflow.start(request=sent.request, staff=bob, by=BY, at=SOON)
        assert said(sent)["expected_by"]
        sent.request.status = "fulfilled"
        answered = drp.status_object(sent, drp.standing(sent))
        assert answered["results_url"].endswith(f"/requests/{sent.request.reference}/")
        assert "expected_by" not in answered

    def test_where_nothing_is_sold_there_is_nothing_to_opt_out_of(self, alice: Subject) -> None:
        for purpose in Purpose.objects.all():
            purpose.recipients.clear()
        sent = exercise(registered()[0], "sale:opt-out")
        assert (said(sent)["status"], said(sent)["reason"]) == ("denied", "claim_not_covered")

    def test_nothing_is_kept_of_what_became_no_request(self, alice: Subject) -> None:
        sent = exercise(registered()[0], "sale:opt-in")
        kept = AgentRequest.objects.values().get(pk=sent.pk)
        assert not [one for one in kept.values() if "alice" in str(one).lower()]

    def test_two_agents_may_have_the_same_id_of_their_own(self, alice: Subject) -> None:
        first, second = exercise(registered("a1")[0]), exercise(registered("b2")[0])
        assert first.agent_request_id == second.agent_request_id
        assert first.pk != second.pk

    def test_without_its_audit_entry_nothing_is_written(self, alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        agent, _ = registered()

        def fails(**_: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr(audit, "record_many", fails)
        with pytest.raises(RuntimeError):
            exercise(agent)
        assert not AgentRequest.objects.exists()
        assert not Request.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_message_sent_twice_at_once_is_one_request(alice: Subject) -> None:
    agent, _ = registered()
    answers: list[AgentRequest] = []

    def work() -> None:
        try:
            answers.append(exercise(agent, "access"))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.pk for one in answers}) == 1
    assert Request.objects.count() == 1
