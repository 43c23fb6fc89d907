"""A controller whose processor we are: it asks over OpenDSR and believes nothing that is not signed."""

import base64
import json
import uuid
from datetime import datetime
from typing import Any

from cryptography import x509
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from consents.models import Partner
from downstream import opendsr_wire
from downstream.opendsr_wire import DOMAIN_HEADER, SIGNATURE_HEADER
from portal import clock
from requests_app import opendsr, opendsr_messages
from requests_app.models import ControllerRequest
from tests.conftest import AT, token_of

SCOPES = "opendsr requests:vouch"


def asking(kind: str = "erasure", *, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    """A message about Alice, whom this controller knows as m_alice."""
    said = opendsr_wire.asking(
        request_id=uuid.uuid4(),
        request_type=kind,
        regulation="gdpr",
        identities=[opendsr_wire.identity("controller_customer_id", "m_alice")],
        submitted_at=at or clock.now(),
        callbacks=[],
    )
    return said | more


def email(address: str, form: str = "raw") -> list[dict[str, str]]:
    return [opendsr_wire.identity("email", address, form)]


def customer(account: str) -> list[dict[str, str]]:
    return [opendsr_wire.identity("controller_customer_id", account)]


def instructed(controller: Partner, kind: str = "erasure", *, at: datetime = AT, **more: Any) -> ControllerRequest:
    """What becomes of a message, without HTTP; the controller may name everybody."""
    message = asking(kind, at=at, **more)
    said = opendsr_messages.read(message, controller=controller, at=at)
    sent = opendsr.Sent(said, message)
    return opendsr.instruct(controller=controller, sent=sent, sees=lambda subject: True, at=at)


class Controller:
    def __init__(self, partner: Partner, scope: str = SCOPES) -> None:
        self.partner = partner
        self.client = Client(headers={"authorization": f"Bearer {token_of(partner, scope)}"})

    def post(self, message: Any, *, content_type: str = "application/json") -> HttpResponse:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.client.post("/opendsr/v2/requests", body, content_type=content_type)  # type: ignore[return-value]

    def get(self, path: str) -> HttpResponse:
        return self.client.get(f"/opendsr/v2/{path}")  # type: ignore[return-value]

    def delete(self, request_id: str) -> HttpResponse:
        return self.client.delete(f"/opendsr/v2/requests/{request_id}")  # type: ignore[return-value]

    def sends(self, kind: str = "erasure", **more: Any) -> str:
        """Send it; answers the id by which it can be asked after."""
        message = asking(kind, **more)
        answer = self.post(message)
        assert answer.status_code == 201, answer.content
        return str(message["subject_request_id"])

    def status(self, request_id: str) -> Any:
        answer = self.get(f"requests/{request_id}")
        assert answer.status_code == 200, answer.content
        return said_in(answer)


def said_in(answer: Any) -> Any:
    """What an answer says, once it is proven to be ours."""
    assert is_ours(answer.content, answer[DOMAIN_HEADER], answer[SIGNATURE_HEADER])
    return json.loads(answer.content)


def is_ours(body: bytes, domain: str, signature: str) -> bool:
    """Whether the certificate that discovery names signed it."""
    address = json.loads(Client().get("/opendsr/v2/discovery").content)["processor_certificate"]
    path = address.removeprefix(settings.SITE_URL)
    leaf = x509.load_pem_x509_certificate(Client().get(path).content)
    return domain == settings.OPENDSR_DOMAIN and opendsr_wire.is_signed(body, signature, by=leaf)


def refusal(answer: Any) -> tuple[int, str, str]:
    """Status, reason and field of a refusal, whose shape must be the protocol's (section 7.6)."""
    said = said_in(answer)
    assert set(said) == {"error"}
    assert set(said["error"]) == {"code", "message", "errors"}
    (one,) = said["error"]["errors"]
    assert said["error"]["code"] == answer.status_code
    return answer.status_code, one["reason"], one["domain"]


def decoded(answer: Any) -> Any:
    return json.loads(base64.b64decode(answer["encoded_request"]))
