"""The staff's pages of authorised agents: privacy managers alone register, rotate and suspend."""

from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import reverse
from nacl.signing import SigningKey

from consents.models import Subject
from portal import actors
from portal.models import User
from portal.roles import AUDITOR
from requests_app import agents, drp, drp_messages
from requests_app.models import Agent, AgentKey
from tests.conftest import AT, SignIn, staff_member
from tests.requests_app.agency import exercising, registered, verify_key

pytestmark = pytest.mark.django_db

ADD = "/admin/requests_app/agent/add/"
KEY = verify_key(SigningKey(bytes(32)))
NEW = {"id": "PERMISSION_SLIP", "name": "Permission Slip", "verify_key": KEY, "web_url": "https://slip.example"}


def page_of(agent: Agent) -> str:
    return reverse("admin:requests_app_agent_change", args=[quote(agent.pk)])


def do(browser: Client, action: str, agent: Agent, **fields: Any) -> Any:
    address = reverse(f"admin:requests_app_agent_{action}", args=[quote(agent.pk)])
    return browser.post(address, {"_form_submitted": "True"} | fields)


def test_a_manager_takes_an_agent_from_registration_to_suspension(petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    assert browser.get(ADD).status_code == 200
    answer = browser.post(ADD, NEW)
    agent = Agent.objects.get()
    assert answer["Location"] == page_of(agent)
    assert agent.keys.get().added_by == actors.staff(petra.pk)
    fresh = verify_key(SigningKey.generate())
    do(browser, "rotate", agent, verify_key=fresh)
    assert [(one.verify_key, one.retired_at is None) for one in agent.keys.all()] == [(fresh, True), (KEY, False)]
    assert do(browser, "suspend", agent)["HX-Redirect"] == page_of(agent)
    assert f'href="{page_of(agent)}' in browser.get("/admin/requests_app/agent/").content.decode()
    assert "suspended" in browser.get(page_of(agent)).content.decode()
    do(browser, "resume", agent)
    agent.refresh_from_db()
    assert agent.suspended_at is None


@pytest.mark.parametrize(
    "change", [{"id": "a/b"}, {"id": ""}, {"verify_key": "x"}, {"web_url": "http://a"}, {"name": ""}], ids=str
)
def test_what_is_no_agent_is_said_beside_its_field(petra: User, signed_in: SignIn, change: dict[str, str]) -> None:
    answer = signed_in(petra).post(ADD, NEW | change)
    assert next(iter(change)) in answer.context["form"].errors
    assert not Agent.objects.exists()


def test_a_key_that_is_none_rotates_nothing(petra: User, signed_in: SignIn) -> None:
    agent, _ = registered()
    do(signed_in(petra), "rotate", agent, verify_key="nothing")
    assert AgentKey.objects.get().retired_at is None


@pytest.mark.parametrize("who", ["bob", "ada"])
def test_nobody_but_a_manager_handles_agents(bob: User, signed_in: SignIn, who: str) -> None:
    agent, _ = registered()
    browser = signed_in(bob if who == "bob" else staff_member(who, AUDITOR))
    assert browser.post(ADD, NEW).status_code == 403
    for action in ("rotate", "suspend", "resume"):
        assert do(browser, action, agent, verify_key=KEY).status_code == 403
    assert browser.get(page_of(agent)).status_code == 200
    assert Agent.objects.get().suspended_at is None


def test_what_it_sent_is_shown_with_how_it_stands(alice: Subject, petra: User, signed_in: SignIn) -> None:
    agent, _ = registered()
    for right in ("access", "sale:opt-in"):
        asked = drp_messages.read(exercising(agent.pk, right, now=AT))
        drp.exercise(agent=agent, asked=asked, at=AT)
    shown = signed_in(petra).get(page_of(agent)).content.decode()
    assert "in_progress – need_user_verification" in shown
    assert "denied – claim_not_covered" in shown
    assert "alice@example.org" not in shown
    assert "No agent" not in signed_in(petra).get("/admin/requests_app/agent/").content.decode()


def test_a_suspended_agent_may_only_come_back(petra: User, signed_in: SignIn) -> None:
    agent, _ = registered()
    agents.suspend(agent=agent, by="staff:1", at=AT)
    browser = signed_in(petra)
    assert do(browser, "suspend", agent).status_code == 403
    assert do(browser, "resume", agent).status_code == 200
