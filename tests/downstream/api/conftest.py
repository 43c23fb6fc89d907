"""A partner's program that calls the API of downstream."""

import pytest

from consents.models import Partner
from tests.consents.api.conftest import Caller, own_cache

__all__ = ["own_cache"]

SCOPES = "datasets:read datasets:write suppression:read"


@pytest.fixture
def calls(acme: Partner) -> Caller:
    """Acme, which speaks for linkwell and northlight."""
    return Caller(acme, SCOPES)
