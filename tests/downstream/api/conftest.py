"""A partner's program that calls the API of downstream."""

import json
from typing import Any

import pytest

from consents.models import Partner
from tests.consents.api.conftest import Caller

SCOPES = "datasets:read datasets:write suppression:read"


@pytest.fixture(autouse=True)
def counts_of_their_own(own_cache: None) -> None:
    """Of every test here: others leave counts of calls."""


@pytest.fixture
def calls(acme: Partner) -> Caller:
    """Acme, which speaks for linkwell and northlight."""
    return Caller(acme, SCOPES)


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
