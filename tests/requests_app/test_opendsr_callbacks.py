"""Controllers are told of every change, signed, in order, at each address, and never without end."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from consents.models import Partner, Subject
from downstream.opendsr_wire import DOMAIN_HEADER, SIGNATURE_HEADER
from portal.models import User
from requests_app import callbacks, opendsr_callbacks, workflow
from requests_app.models import ControllerNotice, ControllerRequest, Request
from tests.conftest import BY, partner
from tests.downstream import listener
from tests.downstream.listener import Listener
from tests.requests_app.asking import LATER, SOON, closes, propagate
from tests.requests_app.controlling import customer, instructed, is_ours

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ear() -> Iterator[Listener]:
    with listener.running() as running:
        yield running


def sent(controller: Partner, *urls: str, **more: Any) -> ControllerRequest:
    return instructed(controller, "access", status_callback_urls=list(urls), **more)


def begun(one: ControllerRequest, staff: User) -> Request:
    assert one.request is not None
    return workflow.start(request=one.request, staff=staff, by=BY, at=SOON)


def told(ear: Listener) -> list[dict[str, Any]]:
    """What it heard, each proven to be ours."""
    for headers, body in ear.heard:
        assert is_ours(body, headers[DOMAIN_HEADER.lower()], headers[SIGNATURE_HEADER.lower()])
    return [json.loads(body) for _, body in ear.heard]


def deliver(at: Any = LATER) -> int:
    return opendsr_callbacks.deliver(clock=lambda: at, seconds=20.0)


def test_every_change_is_told_in_order(ear: Listener, acme: Partner, alice: Subject, bob: User) -> None:
    one = sent(acme, ear.url)
    assert deliver() == 0
    request = begun(one, bob)
    # to and fro within one word of the protocol is nothing new
    workflow.await_subject(request=request, by=BY, at=SOON)
    workflow.resume(request=request, by=BY, at=SOON)
    workflow.withdraw(request=request, by=BY, at=SOON)
    assert deliver() == 2
    assert [said["request_status"] for said in told(ear)] == ["in_progress", "cancelled"]
    first = told(ear)[0]
    assert (first["status_callback_url"], first["controller_id"]) == (ear.url, "acme")
    assert first["subject_request_id"] == str(one.subject_request_id)
    assert "expected_completion_time" in first
    states = list(ControllerNotice.objects.values_list("state", flat=True))
    assert states == ["sent", "skipped", "skipped", "sent"]
    assert deliver() == 0


def test_each_address_is_told_by_itself(acme: Partner, alice: Subject, bob: User, ear: Listener) -> None:
    with listener.running() as gone:
        pass
    begun(sent(acme, gone.url, ear.url), bob)
    assert deliver() == 1
    assert [one["status_callback_url"] for one in told(ear)] == [ear.url]
    waiting = ControllerNotice.objects.get(state="pending")
    assert (waiting.callback.url, waiting.attempts, waiting.last_reason) == (gone.url, 1, "unreachable")


def test_of_somebody_unknown_it_is_told_that_nothing_is_held(ear: Listener, acme: Partner) -> None:
    sent(acme, ear.url, subject_identities=customer("m_nobody"))
    assert deliver() == 1
    assert [(said["request_status"], said["results_count"]) for said in told(ear)] == [("completed", 0)]


@pytest.mark.parametrize(
    "now", [{"jurisdictions": ["GB"]}, {"scopes": []}, {"jurisdictions": ["US"]}], ids=["places", "scopes", "covers"]
)
def test_how_much_there_was_is_told_by_the_registration_as_it_is_now(
    ear: Listener, acme: Partner, alice: Subject, bob: User, now: dict[str, list[str]]
) -> None:
    one = instructed(acme, status_callback_urls=[ear.url])
    request = begun(one, bob)
    workflow.carry_out(request=request, by=BY, at=SOON)
    propagate()
    assert closes(request)
    for name, value in now.items():
        setattr(acme, name, value)
    acme.save()
    deliver()
    last = told(ear)[-1]
    assert last["request_status"] == "completed"
    assert ("results_count" in last) == (acme.jurisdictions == ["US"])


def test_what_was_not_heard_is_told_again_and_in_the_end_given_up(acme: Partner, alice: Subject, bob: User) -> None:
    with listener.running() as gone:
        pass
    begun(sent(acme, gone.url), bob)
    at = LATER
    for _ in range(12):
        deliver(at)
        at += timedelta(days=2)
    notice = ControllerNotice.objects.get()
    assert (notice.state, notice.last_reason) == ("given_up", "unreachable")
    assert deliver(at) == 0


def test_a_redirect_is_not_followed(ear: Listener, acme: Partner, alice: Subject, bob: User) -> None:
    ear.answers = [302]
    begun(sent(acme, ear.url), bob)
    assert deliver() == 0
    assert len(ear.heard) == 1
    assert ControllerNotice.objects.get().last_reason == "302"


def test_who_gave_no_address_is_told_nothing(acme: Partner, alice: Subject, bob: User) -> None:
    begun(sent(acme), bob)
    assert not ControllerNotice.objects.exists()


def test_a_change_that_fails_tells_nobody(acme: Partner, alice: Subject, bob: User) -> None:
    one = sent(acme, "https://acme.example/hook")
    with transaction.atomic():
        begun(one, bob)
        assert ControllerNotice.objects.exists()
        transaction.set_rollback(True)
    assert not ControllerNotice.objects.exists()


def test_in_nobodys_name_nothing_is_told(settings: Any, acme: Partner, alice: Subject, bob: User) -> None:
    begun(sent(acme, "https://acme.example/hook"), bob)
    settings.OPENDSR_DOMAIN = ""
    assert deliver() == 0
    assert ControllerNotice.objects.get().attempts == 0


def test_a_controller_of_many_leaves_room_for_another(acme: Partner, alice: Subject, ear: Listener) -> None:
    for _ in range(4):
        sent(acme, ear.url, subject_identities=customer("m_nobody"))
    sent(partner("other", recipients=[""], schemes=["account"]), ear.url, subject_identities=customer("m_nobody"))
    taken = callbacks.claim(opendsr_callbacks.LINE, at=LATER, most=8)
    assert sorted(one.callback.controller_request.partner for one in taken) == ["acme", "acme", "other"]
    assert callbacks.claim(opendsr_callbacks.LINE, at=LATER, most=8) == []


def test_while_nothing_can_be_signed_it_waits_and_comes_later(
    settings: Any, tmp_path: Path, ear: Listener, acme: Partner, alice: Subject, bob: User
) -> None:
    begun(sent(acme, ear.url), bob)
    settings.OPENDSR_CERTIFICATE = settings.OPENDSR_KEY = str(tmp_path / "taken-away.pem")
    assert deliver() == 0
    notice = ControllerNotice.objects.get()
    assert (notice.state, notice.last_reason, notice.attempts) == ("pending", "unreadable", 1)
    assert notice.lease_until is None
    settings.OPENDSR_CERTIFICATE = settings.OPENDSR_KEY = ""
    assert deliver(LATER + timedelta(hours=1)) == 1
    assert told(ear)[0]["request_status"] == "in_progress"
