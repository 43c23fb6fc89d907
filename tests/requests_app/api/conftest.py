"""What front ends send, and how they call."""

from typing import Any

import pytest
from django.http import HttpResponse

from consents.models import Partner
from tests.consents.api.conftest import Caller

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


@pytest.fixture(autouse=True)
def counts_of_their_own(own_cache: None) -> None:
    """Of every test here: others leave counts of calls."""
