"""Acme's front end, which sends requests in and vouches for who asks; and one that does not."""

import pytest

from consents.models import Partner
from tests.conftest import partner
from tests.requests_app.api.conftest import FrontEnd


@pytest.fixture
def front_end(acme: Partner) -> FrontEnd:
    return FrontEnd(acme)


@pytest.fixture
def stranger(world: None) -> FrontEnd:
    """A partner that may send requests and follow them, and vouches for nobody."""
    scopes = ["requests:read", "requests:write"]
    one = partner("kiosk", recipients=[""], schemes=["account", "email"], jurisdictions=["US"], scopes=scopes)
    return FrontEnd(one, " ".join(scopes))
