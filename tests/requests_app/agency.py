"""An agent of the Data Rights Protocol, which signs as agents do: with PyNaCl."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client
from nacl.signing import SigningKey

from portal import clock
from requests_app import agents
from requests_app.models import Agent
from tests.conftest import AT, BY

BUSINESS = "linkwell"
TEXT = "text/plain"


def verify_key(key: SigningKey) -> str:
    return base64.b64encode(bytes(key.verify_key)).decode()


def registered(agent_id: str = "PERMISSION_SLIP", *, key: SigningKey | None = None) -> tuple[Agent, SigningKey]:
    """An agent and the key that it signs by."""
    signing = key or SigningKey.generate()
    registration = agents.Registration(id=agent_id, name=agent_id.title(), verify_key=verify_key(signing))
    return agents.register(registration=registration, by=BY, at=AT), signing


def signed(key: SigningKey, message: Any) -> bytes:
    """The body of a message: base64 of libsodium's combined mode."""
    plain = message if isinstance(message, bytes) else json.dumps(message).encode()
    return base64.b64encode(bytes(key.sign(plain)))


def envelope(agent_id: str, *, now: datetime | None = None, **more: Any) -> dict[str, Any]:
    at = now or clock.now()
    return {
        "agent-id": agent_id,
        "business-id": BUSINESS,
        "issued-at": (at - timedelta(seconds=1)).isoformat(),
        "expires-at": (at + timedelta(minutes=15)).isoformat(),
        **more,
    }


def exercising(agent_id: str, right: str = "sale:opt-out", *, now: datetime | None = None, **more: Any) -> Any:
    """A message by which Alice's right is exercised, her address verified by the agent."""
    said = {
        "drp.version": "1.0",
        "exercise": right,
        "regime": "ccpa",
        "agent-request-id": f"ours-{right}",
        "relationships": ["customer"],
        "name": "Alice Example",
        "email": "alice@example.org",
        "email_verified": True,
    }
    return envelope(agent_id, now=now, **(said | more))


class AgentCalls:
    """An agent that has set itself up."""

    def __init__(self, agent: Agent, key: SigningKey) -> None:
        self.agent, self.key = agent, key
        self.client = Client()
        answer = self.set_up()
        assert answer.status_code == 200, answer.content
        self.token = answer.json()["token"]  # type: ignore[attr-defined]
        self.client = Client(headers={"authorization": f"Bearer {self.token}"})

    def set_up(self, **more: Any) -> HttpResponse:
        body = signed(self.key, envelope(self.agent.pk, **more))
        return self.post(f"/agent/{self.agent.pk}", body)

    def post(self, path: str, body: bytes, *, content_type: str = TEXT) -> HttpResponse:
        return self.client.post(f"/drp/v1{path}", body, content_type=content_type)  # type: ignore[return-value]

    def get(self, path: str) -> HttpResponse:
        return self.client.get(f"/drp/v1{path}")  # type: ignore[return-value]

    def exercise(self, right: str = "sale:opt-out", **more: Any) -> HttpResponse:
        return self.post("/data-rights-request", signed(self.key, exercising(self.agent.pk, right, **more)))

    def sends(self, right: str = "sale:opt-out", **more: Any) -> Any:
        """The status object that comes back."""
        answer = self.exercise(right, **more)
        assert answer.status_code == 200, answer.content
        return answer.json()  # type: ignore[attr-defined]

    def status(self, request_id: str) -> Any:
        return self.get(f"/data-rights-request/{request_id}").json()  # type: ignore[attr-defined]

    def revoke(self, request_id: str, message: Any = None) -> HttpResponse:
        path, body = f"/drp/v1/data-rights-request/{request_id}", signed(self.key, message or {"reason": "changed"})
        return self.client.delete(path, body, content_type=TEXT)  # type: ignore[return-value]
