"""Agents are told of every change of status, in order, again where they did not hear it, never twice of the same."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from consents import subjects
from consents.models import Subject
from portal.models import User
from requests_app import callbacks, drp, drp_callbacks, drp_messages, tasks, workflow
from requests_app.models import AgentNotice, AgentRequest, Request
from tests.conftest import AT, BY, person
from tests.downstream import listener
from tests.downstream.listener import Listener
from tests.requests_app.agency import exercising, registered
from tests.requests_app.asking import LATER, SOON, propagate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ear() -> Iterator[Listener]:
    with listener.running() as running:
        yield running


def sent(
    ear: Listener | None, right: str = "heed:ai-training:opt-out", *, agent_id: str = "a1", **more: Any
) -> AgentRequest:
    agent, _ = registered(agent_id)
    url = {"status_callback": ear.url} if ear else {}
    message = exercising(agent_id, right, now=AT, **url, **more)
    return drp.exercise(agent=agent, asked=drp_messages.read(message), at=AT)


def told(ear: Listener) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in ear.heard]


def deliver(at: Any = LATER) -> int:
    return drp_callbacks.deliver(clock=lambda: at, seconds=20.0)


def test_a_no_that_arrived_everywhere_is_told(ear: Listener, alice: Subject) -> None:
    one = sent(ear)
    assert deliver() == 0
    propagate()
    tasks.close_verified()
    assert deliver() == 1
    (said,) = told(ear)
    assert (said["status"], said["request_id"], said["agent_request_id"]) == (
        "fulfilled",
        str(one.pk),
        one.agent_request_id,
    )
    assert ear.heard[0][0]["content-type"] == "application/json"
    assert deliver() == 0


def test_of_somebody_erased_the_same_is_told(ear: Listener, world: None) -> None:
    erased = person("erased")
    subjects.forget(subject=erased, by=BY, at=AT)
    one = sent(ear, email="erased@example.org")
    assert drp.told(one).status == "in_progress"
    assert deliver() == 1
    assert told(ear)[0]["status"] == "fulfilled"


def test_every_change_is_told_in_order_and_none_twice(ear: Listener, alice: Subject, bob: User) -> None:
    one = sent(ear, "access")
    request = one.request
    assert request is not None
    # what identity does once the person has confirmed it
    Request.objects.filter(pk=request.pk).update(status="received", subject=alice)
    workflow.start(request=request, staff=bob, by=BY, at=SOON)
    workflow.withdraw(request=request, by=BY, at=SOON)
    assert AgentNotice.objects.count() == 3
    assert deliver() == 2
    # from received to in progress there is nothing new in the protocol's words
    assert [(one["status"], one.get("reason")) for one in told(ear)] == [("in_progress", None), ("revoked", None)]
    states = list(AgentNotice.objects.values_list("state", flat=True))
    assert states == ["sent", "skipped", "sent"]


def test_what_was_not_heard_is_told_again_later_and_before_what_follows(ear: Listener, alice: Subject) -> None:
    ear.answers = [500]
    one = sent(ear, "access")
    assert one.request is not None
    Request.objects.filter(pk=one.request.pk).update(status="received", subject=alice)
    workflow.withdraw(request=one.request, by=BY, at=SOON)
    assert deliver() == 0
    waiting = AgentNotice.objects.first()
    assert waiting is not None
    assert (waiting.state, waiting.attempts, waiting.last_reason) == ("pending", 1, "500")
    assert deliver() == 0
    assert deliver(LATER + timedelta(minutes=1)) == 2
    assert [one["status"] for one in told(ear)] == ["in_progress", "in_progress", "revoked"]


def test_an_agent_that_is_never_there_is_given_up(alice: Subject) -> None:
    with listener.running() as gone:
        pass
    one = sent(gone, "access")
    assert one.request is not None
    workflow.withdraw(request=one.request, by=BY, at=SOON)
    at = LATER
    for _ in range(12):
        deliver(at)
        at += timedelta(days=2)
    notice = AgentNotice.objects.get()
    assert (notice.state, notice.last_reason) == ("given_up", "unreachable")


def test_one_of_two_workers_tells(ear: Listener, alice: Subject) -> None:
    ear.seconds = 0.3
    one = sent(ear, "access")
    assert one.request is not None
    workflow.withdraw(request=one.request, by=BY, at=SOON)

    def work() -> None:
        try:
            deliver()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ear.heard) == 1


def test_a_worker_that_died_is_followed_once_its_lease_is_over(ear: Listener, alice: Subject) -> None:
    one = sent(ear, "access")
    assert one.request is not None
    workflow.withdraw(request=one.request, by=BY, at=SOON)
    assert len(callbacks.claim(drp_callbacks.LINE, at=LATER, most=8)) == 1
    assert deliver(LATER + timedelta(minutes=1)) == 0
    assert deliver(LATER + timedelta(minutes=3)) == 1


def test_who_gave_no_address_is_told_nothing(alice: Subject) -> None:
    one = sent(None, "access")
    assert one.request is not None
    workflow.withdraw(request=one.request, by=BY, at=SOON)
    assert not AgentNotice.objects.exists()


def test_an_address_inside_is_not_called(alice: Subject, settings: Any) -> None:
    one = sent(None, "access")
    assert one.request is not None
    AgentRequest.objects.filter(pk=one.pk).update(status_callback="https://10.0.0.1/x")
    workflow.withdraw(request=one.request, by=BY, at=SOON)
    tasks.tell_agents()
    assert AgentNotice.objects.get().last_reason == "private_address"


def test_a_change_that_fails_tells_nobody(ear: Listener, alice: Subject) -> None:
    one = sent(ear, "access")
    assert one.request is not None
    with transaction.atomic():
        workflow.withdraw(request=one.request, by=BY, at=SOON)
        assert AgentNotice.objects.exists()
        transaction.set_rollback(True)
    assert not AgentNotice.objects.exists()


def test_an_agent_of_many_leaves_room_for_another(ear: Listener, alice: Subject) -> None:
    busy, _ = registered("busy")
    for number in range(4):
        message = exercising("busy", "access", now=AT, status_callback=ear.url, **{"agent-request-id": str(number)})
        drp.exercise(agent=busy, asked=drp_messages.read(message), at=AT)
    sent(ear, "access", agent_id="a1")
    for request in Request.objects.all():
        workflow.withdraw(request=request, by=BY, at=SOON)
    taken = [one.agent_request.agent_id for one in callbacks.claim(drp_callbacks.LINE, at=LATER, most=8)]
    assert sorted(taken) == ["a1", "busy", "busy"]
    assert callbacks.claim(drp_callbacks.LINE, at=LATER, most=8) == []
