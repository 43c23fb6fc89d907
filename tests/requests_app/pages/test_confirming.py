"""The person confirms what an agent or a partner asks for them, by the code from the mail; nothing else does."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from consents import amendments, subjects
from consents.models import Subject
from portal import clock, crypto
from requests_app import drp, drp_messages, front_ends, identity, letters
from requests_app.models import AgentRequest, Letter, Request
from tests.conftest import AT, BY, person
from tests.requests_app.agency import exercising, registered
from tests.requests_app.api.conftest import FrontEnd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_cache")]


def sent(right: str = "deletion", **more: Any) -> AgentRequest:
    agent, _ = registered()
    at = clock.now()
    return drp.exercise(agent=agent, asked=drp_messages.read(exercising(agent.pk, right, now=at, **more)), at=at)


def page(one: Request) -> str:
    return front_ends.verification_url(one).removeprefix(settings.SITE_URL)


def code() -> str:
    """What the last mail brings."""
    letter = Letter.objects.filter(code="code").latest("written_at")
    assert letter.sealed is not None
    _address, brought = json.loads(crypto.unseal(letter.sealed, context=letters.context(letter.pk)))
    return str(brought["code"])


def test_a_code_from_the_mail_proves_the_person(alice: Subject) -> None:
    one = sent()
    assert one.request is not None
    shown = Client().get(page(one.request))
    assert "Permission_Slip" in shown.content.decode()
    assert "alice" not in shown.content.decode()
    answer = Client().post(page(one.request), {"code": code()})
    assert (answer.status_code, "Thank you" in answer.content.decode()) == (200, True)
    request = Request.objects.get()
    assert (request.subject, request.status) == (alice, "received")
    fresh = drp.find(agent=one.agent, request_id=str(one.pk))
    assert drp.standing(fresh) == drp.Standing("in_progress")
    assert "Nothing to confirm" in Client().get(page(request)).content.decode()


@pytest.mark.parametrize("typed", ["", "BCDF-GHJK"])
def test_another_code_proves_nobody(alice: Subject, typed: str) -> None:
    one = sent()
    assert one.request is not None
    assert Client().post(page(one.request), {"code": typed}).status_code == 400
    assert Request.objects.get().status == "verifying"


def test_a_code_that_is_out_of_time_is_replaced_by_a_new_one(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    one = sent()
    assert one.request is not None
    old, later = code(), clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert Client().post(page(one.request), {"code": old}).status_code == 400
    Client().post(page(one.request), {"again": "1"})
    assert Client().post(page(one.request), {"code": code()}).status_code == 200
    assert Request.objects.get().status == "received"


def test_a_code_on_its_way_still_serves_once_staff_ask_for_another(stranger: FrontEnd, alice: Subject) -> None:
    amendments.link(subject=alice, names=[subjects.name("email", "alice@work.example")], by=BY, at=AT)
    alice.identifiers.update(verified_at=AT)
    stranger.sends("access", verified=False)
    request = Request.objects.get()
    identity.require(request=request, method="second_code", by=BY, at=clock.now())
    assert Client().post(page(request), {"code": code()}).status_code == 200
    assert request.checks.get(method="code").status == "passed"
    Client().post(page(request), {"again": "1"})
    assert Client().post(page(request), {"code": code()}).status_code == 200
    request.refresh_from_db()
    assert request.status == "received"


def test_of_somebody_erased_there_is_no_match_after_the_proof(world: None) -> None:
    erased = person("erased")
    subjects.forget(subject=erased, by=BY, at=AT)
    one = sent(email="erased@example.org")
    assert one.request is not None
    assert "We hold nothing" in Client().post(page(one.request), {"code": code()}).content.decode()
    fresh = drp.find(agent=one.agent, request_id=str(one.pk))
    assert drp.standing(fresh) == drp.Standing("denied", "no_match")


def test_what_a_partner_sent_is_confirmed_here_too(stranger: FrontEnd, alice: Subject) -> None:
    said = stranger.sends(
        "automated_decision", subject={"scheme": "email", "value": "alice@example.org"}, jurisdiction="US"
    )
    request = Request.objects.get()
    assert said["verification_url"].endswith(page(request))
    Client().post(page(request), {"code": code()})
    request.refresh_from_db()
    assert (request.subject, request.status) == (alice, "received")


def test_nobody_elses_requests_are_here(front_end: FrontEnd, alice: Subject) -> None:
    for wanted in ("Q-00000000000000000000000000", "nothing"):
        assert Client().get(f"/requests/{wanted}/confirm/").status_code == 404
    known = front_end.sends("access")
    assert "verification_url" not in known
    assert "Nothing to confirm" in Client().get(f"/requests/{known['reference']}/confirm/").content.decode()
