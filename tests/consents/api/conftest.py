"""A partner's program that calls the API."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from consents.models import Partner
from tests.conftest import token_of

SCOPES = "choices:write decisions:read changes:read"


class Caller:
    """Calls with the token of one partner; JSON in and out."""

    def __init__(self, partner: Partner, scope: str = SCOPES) -> None:
        self.client = Client(headers={"authorization": f"Bearer {token_of(partner, scope)}"})

    def post(self, path: str, body: Any, *, content_type: str = "application/json", **headers: str) -> HttpResponse:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/api/v1{path}", text, content_type=content_type, headers=named)  # type: ignore[return-value]

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", query)  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def counts_of_their_own(own_cache: None) -> None:
    """Of every test here: others leave counts of calls."""


@pytest.fixture
def acme_calls(acme: Partner) -> Caller:
    return Caller(acme)


def problem(response: HttpResponse) -> tuple[int, str]:
    """Status and code of a refusal, whose shape must be RFC 9457's."""
    assert response["Content-Type"] == "application/problem+json", response.content
    body = json.loads(response.content)
    assert {"type", "title", "status", "code", "detail"} <= set(body)
    assert body["status"] == response.status_code
    return response.status_code, body["code"]


def errors(response: HttpResponse) -> list[tuple[str, str]]:
    """(field, code) of each field error."""
    return [(one["field"], one["code"]) for one in json.loads(response.content)["errors"]]
