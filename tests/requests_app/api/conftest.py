"""Acme's front end, which sends requests in and vouches for who asks; and one that does not."""

from typing import Any

import pytest
from django.http import HttpResponse

from consents.models import Partner
from tests.conftest import partner
from tests.consents.api.conftest import Caller, errors, own_cache, problem

__all__ = ["errors", "own_cache", "problem"]

SCOPES = "requests:read requests:write requests:vouch"


class FrontEnd(Caller):
    def __init__(self, partner: Partner, scope: str = SCOPES) -> None:
        super().__init__(partner, scope)

    def delete(self, path: str) -> HttpResponse:
        return self.client.delete(f"/api/v1{path}")  # type: ignore[return-value]

    def sends(self, *rights: str, **more: Any) -> Any:
        """Send Alice's request, for whom it vouches, and answer what came back of the first right."""
        answer = self.post("/requests", asks(*rights, **more))
        assert answer.status_code == 201, answer.content
        return answer.json()["requests"][0]  # type: ignore[attr-defined]


def asks(*rights: str, **more: Any) -> dict[str, Any]:
    named = {"subject": {"scheme": "account", "value": "m_alice"}, "rights": list(rights or ("access",))}
    return {**named, "verified": True, **more}


@pytest.fixture
def front_end(acme: Partner) -> FrontEnd:
    return FrontEnd(acme)


@pytest.fixture
def stranger(world: None) -> FrontEnd:
    """A partner that may send requests and follow them, and vouches for nobody."""
    scopes = ["requests:read", "requests:write"]
    one = partner("kiosk", recipients=[""], schemes=["account", "email"], jurisdictions=["US"], scopes=scopes)
    return FrontEnd(one, " ".join(scopes))
