"""A hold to lift."""

import pytest

from consents import holds
from consents.models import Hold
from portal import actors
from portal.models import User
from tests.conftest import AT


@pytest.fixture
def hold(world: None, petra: User) -> Hold:
    scope = holds.HoldScope(jurisdictions=["GB"])
    return holds.open(scope=scope, reason="They asked us to", by=actors.staff(petra.pk), at=AT)
