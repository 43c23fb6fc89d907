"""Agents are registered with a key, get a token by it, and lose both when the key is rotated or they are suspended."""

import pytest
from nacl.signing import SigningKey

from portal.errors import DomainError
from portal.models import AuditEntry
from requests_app import agents
from requests_app.agents import Registration
from requests_app.models import Agent, AgentKey
from tests.conftest import AT, BY
from tests.requests_app.agency import registered, verify_key

pytestmark = pytest.mark.django_db

KEY = verify_key(SigningKey(bytes(32)))


def test_an_agent_is_registered_with_its_key() -> None:
    agent, key = registered()
    assert agents.key_of(agent) == bytes(key.verify_key)
    assert AuditEntry.objects.get(action="agent.register").actor == BY


@pytest.mark.parametrize(
    ("registration", "code"),
    [
        (Registration(id="", name="A", verify_key=KEY), "invalid_agent_id"),
        (Registration(id="a/b", name="A", verify_key=KEY), "invalid_agent_id"),
        (Registration(id="a" * 101, name="A", verify_key=KEY), "invalid_agent_id"),
        (Registration(id="a", name=" ", verify_key=KEY), "name_missing"),
        (Registration(id="a", name="A", verify_key="nothing"), "invalid_verify_key"),
        (Registration(id="a", name="A", verify_key="QUJD"), "invalid_verify_key"),
        (Registration(id="a", name="A", verify_key=KEY, web_url="http://a.example"), "invalid_address"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_registration_is_refused(registration: Registration, code: str) -> None:
    with pytest.raises(DomainError) as caught:
        agents.register(registration=registration, by=BY, at=AT)
    assert caught.value.code == code
    assert not Agent.objects.exists()


def test_an_id_is_one_agents() -> None:
    registered()
    with pytest.raises(DomainError) as caught:
        registered()
    assert caught.value.code == "agent_known"


def test_a_token_opens_until_there_is_another() -> None:
    agent, _ = registered()
    first = agents.new_token(agent=agent, by="agent:a", at=AT)
    assert agents.of_token(first) == agent
    second = agents.new_token(agent=agent, by="agent:a", at=AT)
    assert (agents.of_token(first), agents.of_token(second)) == (None, agent)
    assert first.encode() not in bytes(Agent.objects.get().token_digest or b"")


def test_a_rotated_key_ends_the_old_one_and_the_token() -> None:
    agent, old = registered()
    token = agents.new_token(agent=agent, by="agent:a", at=AT)
    new = SigningKey.generate()
    agents.rotate_key(agent=agent, verify_key=verify_key(new), by=BY, at=AT)
    assert agents.key_of(agent) == bytes(new.verify_key)
    assert agents.of_token(token) is None
    assert AgentKey.objects.filter(retired_at__isnull=True).count() == 1
    with pytest.raises(DomainError) as caught:
        agents.rotate_key(agent=agent, verify_key=verify_key(old), by=BY, at=AT)
    assert caught.value.code == "key_known"


def test_a_suspended_agent_is_nobody_until_it_may_come_back() -> None:
    agent, _ = registered()
    token = agents.new_token(agent=agent, by="agent:a", at=AT)
    agents.suspend(agent=agent, by=BY, at=AT)
    assert (agents.find(agent.pk), agents.of_token(token)) == (None, None)
    with pytest.raises(DomainError) as caught:
        agents.suspend(agent=agent, by=BY, at=AT)
    assert caught.value.code == "suspended"
    agents.resume(agent=agent, by=BY, at=AT)
    # its old token does not come back with it
    assert (agents.find(agent.pk), agents.of_token(token)) == (agent, None)
    with pytest.raises(DomainError) as caught:
        agents.resume(agent=agent, by=BY, at=AT)
    assert caught.value.code == "not_suspended"


@pytest.mark.parametrize("agent_id", ["", "nobody", "a\x00b", "ü"])
def test_an_unknown_id_is_nobodys(agent_id: str) -> None:
    assert agents.find(agent_id) is None
